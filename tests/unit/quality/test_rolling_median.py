"""The running median against the definition."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.quality.flags import MEDIAN_WINDOW, rolling_median_outlier
from fuzzy_pipeline.settings import IngestSettings
from tests.unit.enrichment.raw_ticks import raw_ticks


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(900, 1100), min_size=1, max_size=80))
def test_outliers_are_those_far_from_the_median_of_the_window_around(cents: list[int]) -> None:
    price = np.array(cents) / 100
    expected = []
    if len(price) >= MEDIAN_WINDOW:
        for i in range(len(price)):
            # At the edges the window is the first or last full one.
            start = min(max(i - MEDIAN_WINDOW // 2, 0), len(price) - MEDIAN_WINDOW)
            median = np.median(price[start : start + MEDIAN_WINDOW])
            if abs(price[i] - median) > 0.01 * median:
                expected.append(i)
    found = rolling_median_outlier(raw_ticks(price.tolist()), IngestSettings(median_outlier_share=0.01))
    assert found.tolist() == expected

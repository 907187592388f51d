"""Random tapes for laws: a day of ticks with every awkward thing in it."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.enrichment import enrich_day
from tests.unit.enrichment.raw_ticks import TUESDAY, clock, raw_ticks

SMALL_SERIES = BarSettings.model_validate(
    {
        "intervals": ("1s", "30s", "7m", "1h", "1d"),
        "tick": {"series": ("1", "3", "7")},
        "volume": {"series": ("300", "1k", "20k")},
        "dollar": {"series": ("5k", "50k")},
        "imbalance": {
            "series": ("ewma_tick_3", "ewma_volume_500", "ewma_dollar_5k", "fixed_volume_500", "ratio_tick_20"),
            "min_expected_ticks": 2, "max_expected_ticks": 20, "warm_up_bars": 2, "ratio_min_ticks": 3,
        },
        "run": {"series": ("tick", "volume", "dollar"), "min_expected_ticks": 2, "max_expected_ticks": 20,
                "first_expected_ticks": 5, "warm_up_bars": 2},
        "volatility": {"series": ("5bps", "50bps")},
        "range": {"series": ("0.01", "0.05", "0.25")},
        "renko": {"series": ("0.01", "0.05", "0.25")},
    }
)  # fmt: skip
"""Every family with thresholds that a tape of some hundred ticks reaches."""

EVERY_SESSION = SMALL_SERIES.model_copy(update={"sessions": ("pre", "regular", "after")})

_CODES = [(), (), (), (1,), (0x87,), (0x3D, 0x17), (0x40,), (0x05,), (0x3E,)]


@st.composite
def tapes(draw: st.DrawFn, most: int = 400) -> dict[str, NDArray[Any]]:
    """Enriched ticks of one day: equal stamps, gaps in price, blocks, odd lots, missing and crossed quotes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    count = draw(st.integers(0, most))
    jump = draw(st.sampled_from([0.0, 0.02, 0.3]))
    start, end = draw(st.sampled_from([("04:00:00", "20:00:00"), ("09:30:00", "16:00:10"), ("10:00:00", "10:02:00")]))
    times = np.sort(rng.integers(clock(start), clock(end), count))
    repeated = rng.random(count) < 0.2
    repeated[:1] = False
    times = times[np.maximum.accumulate(np.where(repeated, 0, np.arange(count)))] if count else times
    steps = rng.choice([-1, 0, 0, 1], count) + np.where(rng.random(count) < jump, rng.integers(-60, 60, count), 0)
    price = np.maximum(1000 + np.cumsum(steps), 1) / 100
    bid = price + rng.choice([-0.02, -0.01, 0.0, 0.01], count)
    ask = bid + rng.choice([0.01, 0.02, 0.0, -0.01], count, p=[0.7, 0.2, 0.05, 0.05])
    bid[rng.random(count) < 0.1] = np.nan
    raw = raw_ticks(
        np.round(price, 2).tolist(),
        time=times.tolist(),
        size=rng.choice([1, 50, 100, 100, 300, 12_000], count).tolist(),
        basis=rng.choice(list("CCCEO"), count).tolist(),
        codes=[_CODES[k] for k in rng.integers(0, len(_CODES), count)],
        bid=np.round(bid, 2).tolist(),
        ask=np.round(ask, 2).tolist(),
    )
    return enrich_day(raw, "TEST", TUESDAY)

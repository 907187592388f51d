"""Every null of phase 2 has its reason."""

from __future__ import annotations

import math
from typing import Any

import pytest

from fuzzy_pipeline.day_metadata.phase2_null_reasons import reason_of_phase2_field
from fuzzy_pipeline.schema.day_metadata_phase2 import DayMetadataPhase2
from tests.unit.day_metadata.phase2_records import earlier_days, every_minute, phase2
from tests.unit.day_metadata.test_null_reasons import nullable_fields, nulls

NAN = math.nan

DAYS: dict[str, dict[str, Any]] = {
    "no tick": {"price": []},
    "one tick": {"price": [10.0]},
    "one tick in the last second": {"price": [10.0], "time": ["15:59:59"]},
    "closing auction alone": {"price": [10.0], "time": ["16:00:01"], "codes": [(0x40,)]},
    "before the open": {"price": [10.0], "time": ["08:00:00"]},
    "odd lots": {"price": [10.0, 10.0], "basis": ["O", "O"]},
    "without quotes": {"price": [10.0, 10.1], "bid": [NAN, NAN], "ask": [NAN, NAN]},
    "locked quotes": {"price": [10.0, 10.1], "bid": [10.0, 10.0], "ask": [10.0, 10.0]},
    "crossed quotes": {"price": [10.0, 10.1], "bid": [10.2, 10.2], "ask": [10.0, 10.0]},
    "blocks": {"price": [10.1, 10.0, 10.1], "size": [10_000] * 3},
    "a tick a minute": {"price": [10.0 + 0.1 * (n % 2) for n in range(390)], "time": every_minute()},
}


@pytest.mark.parametrize("day", DAYS)
@pytest.mark.parametrize("dates", [0, 5, 20])
def test_exactly_the_nulls_have_reasons(day: str, dates: int) -> None:
    found = phase2(**DAYS[day], earlier=earlier_days(dates, **DAYS[day]))
    assert set(found.null_reasons) == set(nulls(found.model_dump(exclude={"null_reasons"}), ""))
    assert all(found.null_reasons.values())


def test_a_reason_is_written_for_every_field_that_may_be_null() -> None:
    fields = [field for field in nullable_fields(DayMetadataPhase2) if not field.startswith("history.")]
    assert {"toxicity_metrics.vpin", "spread_horizons.mean_age_s", "tier2.amihud"} <= set(fields)
    assert all(reason_of_phase2_field(field) for field in fields)


def test_a_field_without_a_reason_is_refused() -> None:
    with pytest.raises(KeyError, match=r"no reason is written for a null toxicity_metrics\.new_field"):
        reason_of_phase2_field("toxicity_metrics.new_field")

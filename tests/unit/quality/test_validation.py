"""Hard and soft rules: one fault a row, counts that add up."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.errors import RejectedDayError, SchemaError
from fuzzy_pipeline.quality.flags import SOFT_RULES
from fuzzy_pipeline.quality.validation import HARD_RULES, validate_ticks
from fuzzy_pipeline.settings import IngestSettings
from tests.unit.enrichment.raw_ticks import TUESDAY, raw_ticks

LENIENT = IngestSettings(max_set_aside_share=1.0)


def hundred(**given: Any) -> dict[str, np.ndarray[Any, Any]]:
    """A hundred quiet ticks at 10.05."""
    return raw_ticks([10.05] * 100, **given)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("last", -1.0, "price_not_positive"),
        ("last", 0.0, "price_not_positive"),
        ("last", math.nan, "price_not_positive"),
        ("last", math.inf, "price_not_positive"),
        ("tick_id", 0, "missing_field"),
        ("last_type", b"", "missing_field"),
        ("last_sz", 0, "zero_size"),
        ("last_sz", 2**32, "size_out_of_range"),
        ("mkt_ctr", 70_000, "size_out_of_range"),
        ("date", np.datetime64("2013-10-09"), "wrong_date"),
        ("time", -1, "time_out_of_day"),
        ("time", 86_400_000_000, "time_out_of_day"),
        ("tick_id", 41, "duplicate_key"),  # row 40 has tick_id 41 already
    ],
)
def test_a_broken_row_is_set_aside_under_its_rule_and_the_others_stay(column: str, value: Any, rule: str) -> None:
    raw = hundred()
    raw[column][50] = value
    found = validate_ticks(raw, "TEST", TUESDAY)
    assert found.rules == (rule,)
    assert found.rows.tolist() == [50]
    assert (found.rows_in, found.rows_kept, found.rows_official, found.rows_set_aside) == (100, 99, 0, 1)
    assert found.ticks["time"].tolist() == [time for row, time in enumerate(raw["time"].tolist()) if row != 50]


def test_every_hard_rule_is_met_above() -> None:
    marks = test_a_broken_row_is_set_aside_under_its_rule_and_the_others_stay.pytestmark  # type: ignore[attr-defined]
    assert {case[2] for case in marks[0].args[1]} == set(HARD_RULES)


def test_official_prints_have_size_zero_and_are_kept_apart() -> None:
    raw = hundred(codes=[(0x39,)] + [()] * 98 + [(0x2E,)])
    raw["last_sz"][[0, 99]] = 0
    found = validate_ticks(raw, "TEST", TUESDAY)
    assert found.official_rows.tolist() == [0, 99]
    assert found.official_prints["tick_id"].tolist() == [1, 100]
    assert (found.rows_kept, found.rows_set_aside) == (98, 0)


def test_a_duplicate_keeps_the_first_row_and_the_same_id_elsewhere_is_no_duplicate() -> None:
    raw = hundred(market_center=[5] * 50 + [11] * 50)
    raw["tick_id"][50:] = np.arange(1, 51)  # the other venue counts from 1 too
    assert validate_ticks(raw, "TEST", TUESDAY).rows_set_aside == 0
    raw["tick_id"][60] = 3  # row 52 has it
    found = validate_ticks(raw, "TEST", TUESDAY)
    assert found.rows.tolist() == [60]


def test_a_row_set_aside_for_another_reason_does_not_make_its_twin_a_duplicate() -> None:
    raw = hundred()
    raw["tick_id"][51] = 51
    raw["last"][50] = -1.0
    found = validate_ticks(raw, "TEST", TUESDAY)
    assert found.rules == ("price_not_positive",)


def test_a_day_with_too_many_broken_rows_is_refused_and_says_which_rule() -> None:
    raw = hundred()
    raw["last"][:6] = 0.0
    with pytest.raises(RejectedDayError, match=r"TEST 2013-10-08: 6 of 100 .*price_not_positive.*first row 0"):
        validate_ticks(raw, "TEST", TUESDAY)
    raw["last"][5] = 10.0  # five of a hundred are the limit
    assert validate_ticks(raw, "TEST", TUESDAY).rows_set_aside == 5


def test_columns_of_another_type_are_refused() -> None:
    raw = hundred()
    raw["last"] = raw["last"].astype(np.float32)
    with pytest.raises(SchemaError, match="TEST 2013-10-08: column last is float32, expected float64"):
        validate_ticks(raw, "TEST", TUESDAY)


def test_a_day_without_rows_is_valid_and_empty() -> None:
    found = validate_ticks(raw_ticks([]), "TEST", TUESDAY)
    assert (found.rows_in, found.rows_kept, found.flagged) == (0, 0, {})


def flagged(rule: str, **changes: tuple[int, Any]) -> list[int]:
    """Rows a soft rule finds among a hundred quiet ticks of which some values are changed."""
    raw = hundred()
    for name, (row, value) in changes.items():
        raw[name][row] = value
    found = validate_ticks(raw, "TEST", TUESDAY, LENIENT)
    assert found.rows_kept == 100
    return found.flagged.get(rule, np.zeros(0, np.int64)).tolist()


def test_soft_rules_find_their_row_and_keep_it() -> None:
    # The quiet quote is 10.00 / 10.10: median spread 0.10.
    assert flagged("crossed_quote", bid=(7, 10.2)) == [7]
    assert flagged("locked_quote", bid=(7, 10.1)) == [7]
    assert flagged("missing_quote", bid=(7, math.nan)) == [7]
    assert flagged("missing_quote", ask=(7, 0.0)) == [7]
    assert flagged("price_outside_quote", last=(7, 11.15)) == [7]  # 1.05 above the ask: more than ten spreads
    assert flagged("price_outside_quote", last=(7, 11.05)) == []  # 0.95
    assert flagged("wide_spread", ask=(7, 15.2)) == [7]  # 5.20: more than fifty spreads
    assert flagged("unconfirmed_price_jump", last=(7, 11.0)) == [7]  # the way back is followed
    assert flagged("rolling_median_outlier", last=(7, 10.2)) == [7]  # 1.5 % off
    assert flagged("rolling_median_outlier", last=(7, 10.1)) == []  # 0.5 %
    assert flagged("return_outlier", last=(7, 10.6)) == [7, 8]
    assert flagged("out_of_order_time", time=(7, 36_000_000_000)) == [7]  # 10:00:00, row 7 is 10:00:07
    assert flagged("unknown_condition", cond3=(7, 255)) == [7]
    assert flagged("unknown_venue", mkt_ctr=(7, 4000)) == [7]


def test_a_jump_that_the_next_ticks_confirm_is_no_flag() -> None:
    raw = raw_ticks([10.0] * 50 + [11.0] * 50)
    assert "unconfirmed_price_jump" not in validate_ticks(raw, "TEST", TUESDAY).flagged


def test_every_soft_rule_says_what_it_finds() -> None:
    assert all(rule.__doc__ for rule in SOFT_RULES.values())
    assert not set(SOFT_RULES) & set(HARD_RULES)


def test_flags_point_at_arrival_rows_though_earlier_rows_are_set_aside() -> None:
    raw = hundred()
    raw["last"][3] = -1.0
    raw["mkt_ctr"][7] = 4000
    assert validate_ticks(raw, "TEST", TUESDAY).flagged["unknown_venue"].tolist() == [7]


@settings(max_examples=50, deadline=None)
@given(
    faults=st.lists(
        st.tuples(st.integers(0, 99), st.sampled_from(["price", "size", "date", "time", "twin", "official"])),
        max_size=30,
    )
)
def test_rows_in_are_rows_kept_official_and_set_aside_whatever_is_broken(faults: list[tuple[int, str]]) -> None:
    raw = hundred()
    for row, fault in faults:
        if fault == "price":
            raw["last"][row] = 0.0
        elif fault == "date":
            raw["date"][row] = np.datetime64(dt.date(2013, 10, 9))
        elif fault == "time":
            raw["time"][row] = -5
        elif fault == "twin":
            raw["tick_id"][row] = raw["tick_id"][0]
        else:
            raw["last_sz"][row] = 0
            raw["cond1"][row] = 0x39 if fault == "official" else 0
    found = validate_ticks(raw, "TEST", TUESDAY, LENIENT)
    assert found.rows_in == found.rows_kept + found.rows_official + found.rows_set_aside == 100
    assert len(found.rules) == len(found.rows) == found.rows_set_aside

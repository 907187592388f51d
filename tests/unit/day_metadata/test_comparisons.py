"""A date against its earlier dates: hand-sized numbers, when they are null, and that no date sees a later one."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.day_metadata.baselines import trailing_baselines
from fuzzy_pipeline.day_metadata.comparisons import compare_with_history
from fuzzy_pipeline.day_metadata.earlier_days import EarlierDays
from fuzzy_pipeline.day_metadata.fields import null_fields
from fuzzy_pipeline.schema.baselines import (
    BASELINE_MEASURES,
    SIGNED_MEASURES,
    HistoryComparison,
    MeasureHistory,
)
from fuzzy_pipeline.schema.records import from_table, to_table
from fuzzy_pipeline.trading_calendar import trading_dates_before
from tests.unit.day_metadata.earlier_rows import DATE, SYMBOL, WINDOW, Fields, earlier, last_dates, phase1, rows

VOLUME = "basic_stats.volume_total"
SPREAD = "spread_stats.median_bps"
CHANGE = "basic_stats.price_change_pct"


def compared(own: Fields, days: dict[dt.date, Fields]) -> tuple[HistoryComparison, dict[str, str]]:
    return compare_with_history(phase1(own), earlier(days))


def volume(own: int | None, before: Sequence[int | None]) -> MeasureHistory:
    """A volume against those of the last trading dates."""
    return compared({VOLUME: own}, last_dates(VOLUME, before))[0].volume_total


# -- one measure -----------------------------------------------------------------


def test_a_value_against_a_week_by_hand() -> None:
    # 1, 2, 3, 4, 10: mean 4, squared deviations 9 + 4 + 1 + 0 + 36 = 50, variance 12.5.
    found = volume(9, [1, 2, 3, 4, 10])
    assert found.value == 9
    week = found.dates_5
    assert (week.n, week.change, week.ratio) == (5, 5, 2.25)
    assert week.percentile == 80  # above four of five
    assert week.z_score == pytest.approx(5 / 12.5**0.5)
    assert found.dates_20 == week
    assert (found.dates_252.n, found.dates_252.change) == (5, None)


def test_each_window_compares_with_its_own_dates() -> None:
    # The week: 1, 2, 3, 4, 10. The 20 dates have 100 before it: mean 20, two of six above 9.
    found = volume(9, [100, 1, 2, 3, 4, 10])
    assert (found.dates_5.n, found.dates_5.change, found.dates_5.percentile) == (5, 5, 80)
    assert (found.dates_20.n, found.dates_20.change) == (6, -11)
    assert found.dates_20.percentile == pytest.approx(100 * 4 / 6)


def test_equal_values_count_half_in_the_percentile() -> None:
    assert volume(3, [1, 2, 3, 3, 10]).dates_5.percentile == 60  # two below, two equal, of five


def test_the_day_before_is_the_trading_date_before_and_no_older_one() -> None:
    found = volume(12, [3, 8]).day_before
    assert (found.change, found.ratio) == (4, 1.5)
    missing, reasons = compared({VOLUME: 12}, last_dates(VOLUME, [8, None]))
    assert (missing.volume_total.day_before.change, missing.volume_total.day_before.ratio) == (None, None)
    assert reasons["volume_total.day_before.change"] == "not known on the trading date before"


def test_a_measure_that_can_be_below_0_has_no_ratio() -> None:
    found, reasons = compared({CHANGE: 0.03}, last_dates(CHANGE, [-0.01, -0.01, 0.01, 0.01, 0.01]))
    week = found.price_change_pct.dates_5
    assert (week.ratio, found.price_change_pct.day_before.ratio) == (None, None)
    assert week.change == pytest.approx(0.028)
    assert found.price_change_pct.day_before.change == pytest.approx(0.02)
    for field in ("dates_5.ratio", "day_before.ratio"):
        assert reasons[f"price_change_pct.{field}"] == "the measure can be below 0: a ratio says nothing"
    assert set(BASELINE_MEASURES) > SIGNED_MEASURES


def test_equal_earlier_values_have_no_z_score() -> None:
    found, reasons = compared({SPREAD: 0.3}, last_dates(SPREAD, [0.1] * 20))
    assert found.median_bps.dates_20.z_score is None
    assert found.median_bps.dates_20.percentile == 100
    assert reasons["median_bps.dates_20.z_score"] == "equal on all 20 dates: no standard deviation"


def test_a_mean_of_0_has_no_ratio() -> None:
    found, reasons = compared({VOLUME: 5}, last_dates(VOLUME, [0] * 5))
    assert (found.volume_total.dates_5.ratio, found.volume_total.dates_5.change) == (None, 5)
    assert reasons["volume_total.dates_5.ratio"] == "the mean is 0"
    assert reasons["volume_total.day_before.ratio"] == "the value of the day before is 0"


@pytest.mark.parametrize(("window", "least"), [(5, 5), (20, 5), (252, 60)])
def test_a_window_needs_its_least_number_of_dates(window: int, least: int) -> None:
    enough = getattr(volume(6, [3] * least), f"dates_{window}")
    assert (enough.n, enough.ratio) == (least, 2)
    found, reasons = compared({VOLUME: 6}, last_dates(VOLUME, [3] * (least - 1)))
    few = getattr(found.volume_total, f"dates_{window}")
    assert (few.n, few.change, few.ratio, few.percentile, few.z_score) == (least - 1, None, None, None, None)
    assert reasons[f"volume_total.dates_{window}.percentile"] == (
        f"known on {least - 1} of the last {window} trading dates; at least {least} are needed"
    )


def test_what_is_not_known_on_the_date_is_not_compared() -> None:
    found, reasons = compared({VOLUME: None}, last_dates(VOLUME, range(1, 61)))
    assert found.volume_total.known_dates == 60
    assert set(null_fields(found.volume_total)) == {
        "value", "is_record_high", "is_record_low", "day_before.change", "day_before.ratio",
        *(f"dates_{days}.{field}" for days in (5, 20, 252) for field in ("change", "ratio", "percentile", "z_score")),
    }  # fmt: skip
    assert {why for field, why in reasons.items() if field.startswith("volume_total.")} == {"not known on the date"}


@pytest.mark.parametrize(
    ("own", "high", "low"), [(21, True, False), (20, False, False), (1, False, False), (0, False, True)]
)
def test_a_record_is_beyond_every_earlier_date(own: int, high: bool, low: bool) -> None:
    found = volume(own, range(1, 21))
    assert (found.is_record_high, found.is_record_low) == (high, low)


def test_19_dates_hold_no_record() -> None:
    found, reasons = compared({VOLUME: 99}, last_dates(VOLUME, range(1, 20)))
    assert (found.volume_total.is_record_high, found.volume_total.is_record_low) == (None, None)
    assert reasons["volume_total.is_record_high"] == (
        "known on 19 of the last 252 trading dates; at least 20 are needed"
    )


def test_every_measure_has_its_field() -> None:
    own = {measure: float(place) for place, measure in enumerate(BASELINE_MEASURES)}
    found, _ = compared(own, {})
    for place, measure in enumerate(BASELINE_MEASURES):
        assert getattr(found, measure.partition(".")[2]).value == place
    assert len(HistoryComparison.model_fields) == len(BASELINE_MEASURES) + 2


@pytest.mark.parametrize("known", [0, 1, 4, 5, 20, 60])
def test_every_null_has_a_reason_and_only_nulls(known: int) -> None:
    own = dict.fromkeys(BASELINE_MEASURES[1:], 3.0)
    days = {date: {**own, VOLUME: date.day, SPREAD: 1.0} for date in WINDOW[-known:]} if known else {}
    found, reasons = compared(own, days)
    assert set(reasons) == set(null_fields(found))
    assert found.known_dates == known


def test_the_comparison_survives_its_arrow_form() -> None:
    for days in ({}, {date: dict.fromkeys(BASELINE_MEASURES, date.day) for date in WINDOW[-30:]}):
        found, _ = compared(dict.fromkeys(BASELINE_MEASURES, 3), days)
        assert from_table(to_table([found], HistoryComparison), HistoryComparison) == [found]


def test_the_dates_must_be_those_before_the_record() -> None:
    with pytest.raises(ValueError, match="PEP cannot be compared"):
        compare_with_history(phase1({}, symbol="PEP"), earlier(last_dates(VOLUME, [1])))
    for date in (dt.date(2024, 5, 8), dt.date(2024, 5, 10)):
        with pytest.raises(ValueError, match="dates before 2024-05-09"):
            compare_with_history(phase1({}, date=date), earlier({}))


# -- similar dates ---------------------------------------------------------------

SIX = BASELINE_MEASURES[:6]


def six(*values: float | None) -> Fields:
    return dict(zip(SIX, values, strict=True))


def test_similar_dates_by_hand() -> None:
    # 21 dates, each measure −1 on ten, 1 on ten and 0 on one: sum of squares 20, over 20, deviation 1.
    days = {
        date: six(*[(-1.0, 1.0)[place % 2]] * 6) if place < 20 else six(*[0.0] * 6)
        for place, date in enumerate(WINDOW[-21:])
    }
    found, _ = compared(six(*[0.5] * 6), days)
    nearest = found.similar_dates
    assert nearest is not None
    # The 0 and all the 1 are half a deviation away in each measure; the later ones come first.
    assert [one.distance for one in nearest] == pytest.approx([0.5] * 5)
    assert [one.date for one in nearest] == [WINDOW[-1], WINDOW[-2], WINDOW[-4], WINDOW[-6], WINDOW[-8]]
    assert {one.measures for one in nearest} == {6}
    # 3 deviations in one measure and 0.5 in five: √((9 + 5 · 0.25) / 6).
    found, _ = compared(six(3.0, *[0.5] * 5), days)
    assert found.similar_dates is not None
    assert found.similar_dates[0].date == WINDOW[-2]  # 2 away from 1
    assert found.similar_dates[0].distance == pytest.approx(math.sqrt((4 + 5 * 0.25) / 6))


def test_a_date_with_fewer_measures_is_no_nearer_for_it() -> None:
    # Summed, six squares of 105 are less than seven of 100: 66150 and 70000. Their means are 11025 and 10000.
    seven = BASELINE_MEASURES[:7]
    days = {date: dict.fromkeys(seven, (-2000.0, 2000.0)[place % 2]) for place, date in enumerate(WINDOW[-22:])}
    days[WINDOW[-1]], days[WINDOW[-2]] = dict.fromkeys(seven[:6], 105.0), dict.fromkeys(seven, 100.0)
    found, _ = compared(dict.fromkeys(seven, 0.0), days)
    assert found.similar_dates is not None
    assert [(one.date, one.measures) for one in found.similar_dates[:2]] == [(WINDOW[-2], 7), (WINDOW[-1], 6)]


def test_a_date_with_five_measures_in_common_is_not_compared() -> None:
    days = {date: six(*[float(place)] * 6) for place, date in enumerate(WINDOW[-25:])}
    twin = WINDOW[-3]
    assert compared(days[twin], days)[0].similar_dates[0].date == twin
    assert compared(days[twin], days)[0].similar_dates[0].distance == 0
    days[twin] = {name: value for name, value in days[twin].items() if name != SPREAD}
    found, _ = compared(six(*[22.0] * 6), days)
    assert twin not in [one.date for one in found.similar_dates]


def test_measures_that_never_change_say_nothing_of_similarity() -> None:
    days = {date: {**six(*[float(place)] * 6), BASELINE_MEASURES[6]: 50.0} for place, date in enumerate(WINDOW[-25:])}
    found, _ = compared({**days[WINDOW[-3]], BASELINE_MEASURES[6]: 99.0}, days)
    assert (found.similar_dates[0].date, found.similar_dates[0].measures) == (WINDOW[-3], 6)


def test_nineteen_dates_are_too_few_to_call_some_similar() -> None:
    days = {date: six(*[float(place)] * 6) for place, date in enumerate(WINDOW[-20:])}
    assert len(compared(six(*[1.0] * 6), days)[0].similar_dates) == 5
    del days[WINDOW[-1]]
    found, reasons = compared(six(*[1.0] * 6), days)
    assert found.similar_dates is None
    assert reasons["similar_dates"].startswith("0 earlier dates have 6 measures in common")


# -- laws ------------------------------------------------------------------------

Days = st.lists(
    st.fixed_dictionaries({name: st.none() | st.integers(0, 1000) for name in BASELINE_MEASURES}),
    min_size=1, max_size=30,
)  # fmt: skip


def on_last_dates(days: Sequence[Fields]) -> dict[dt.date, Fields]:
    return dict(zip(WINDOW[-len(days) :], days, strict=True))


@given(days=Days, own=st.fixed_dictionaries({name: st.integers(0, 1000) for name in BASELINE_MEASURES}))
@settings(max_examples=25, deadline=None)
def test_the_date_itself_changes_the_comparison_and_no_baseline(days: list[Fields], own: Fields) -> None:
    stored = rows(on_last_dates(days))
    past = EarlierDays.from_table(stored, DATE, WINDOW)
    stamps = {"computed_at", "computation_time_ms"}
    before = trailing_baselines(past, SYMBOL, DATE).model_dump(exclude=stamps)
    found, _ = compare_with_history(phase1(own), past)
    other, _ = compare_with_history(phase1({**own, VOLUME: own[VOLUME] + 1}), past)
    assert found.volume_total != other.volume_total
    assert found.median_bps == other.median_bps
    assert trailing_baselines(past, SYMBOL, DATE).model_dump(exclude=stamps) == before


@given(days=Days, own=st.fixed_dictionaries({name: st.integers(0, 1000) for name in BASELINE_MEASURES}))
@settings(max_examples=25, deadline=None)
def test_dates_before_the_window_change_nothing(days: list[Fields], own: Fields) -> None:
    long_ago = trading_dates_before(DATE, 253)
    stored = on_last_dates(days)
    older = EarlierDays.from_table(rows(stored | {long_ago[0]: own}), DATE, long_ago)
    assert compare_with_history(phase1(own), older) == compare_with_history(phase1(own), earlier(stored))


@given(days=Days, own=st.fixed_dictionaries({name: st.integers(0, 1000) for name in BASELINE_MEASURES}), to=st.data())
@settings(max_examples=25, deadline=None)
def test_a_window_sees_its_own_dates_only(days: list[Fields], own: Fields, to: Any) -> None:
    """Another value on the 6th date back and before leaves the week as it was."""
    stored = on_last_dates(days)
    other = {date: to.draw(st.sampled_from(days)) if date < WINDOW[-5] else fields for date, fields in stored.items()}
    found, changed = (compared(own, one)[0] for one in (stored, other))
    for measure in BASELINE_MEASURES:
        name = measure.partition(".")[2]
        assert getattr(found, name).dates_5 == getattr(changed, name).dates_5
        assert getattr(found, name).day_before == getattr(changed, name).day_before

"""Baselines of earlier dates: hand-sized numbers, when they are null, and that no date sees itself."""

from __future__ import annotations

import datetime as dt
import statistics
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.day_metadata.baselines import trailing_baselines
from fuzzy_pipeline.day_metadata.date_windows import summarised
from fuzzy_pipeline.day_metadata.earlier_days import EarlierDays
from fuzzy_pipeline.day_metadata.fields import null_fields
from fuzzy_pipeline.schema.baselines import (
    BASELINE_MEASURES,
    BASELINES_VERSION,
    BASELINES_VERSIONS,
    HourPattern,
    MeasureRecord,
    TrailingBaselines,
    WindowStats,
)
from fuzzy_pipeline.schema.records import from_table, to_table
from fuzzy_pipeline.trading_calendar import trading_dates_before
from tests.unit.day_metadata.earlier_rows import DATE, SYMBOL, WINDOW, Fields, earlier, hours, last_dates, rows

VOLUME = "basic_stats.volume_total"
SPREAD = "spread_stats.median_bps"
HALF_DAY = dt.date(2023, 11, 24)


def baselines(days: dict[dt.date, Fields], date: dt.date = DATE) -> TrailingBaselines:
    return trailing_baselines(earlier(days, date), SYMBOL, date)


def stats(record: TrailingBaselines, measure: str, window: int) -> WindowStats:
    return next(one for one in record.windows if (one.measure, one.window) == (measure, window))


def extremes(record: TrailingBaselines, measure: str) -> MeasureRecord:
    return next(one for one in record.records if one.measure == measure)


def unstamped(record: TrailingBaselines) -> dict[str, Any]:
    return record.model_dump(exclude={"computed_at", "computation_time_ms"})


# -- the record ------------------------------------------------------------------


def test_a_symbol_without_earlier_dates_has_a_record_of_nulls_with_reasons() -> None:
    record = baselines({})
    assert (record.known_dates, record.first_known_date, record.thresholds.dates) == (0, None, 0)
    assert record.null_reasons["first_known_date"] == "no earlier date is stored"
    assert record.null_reasons["thresholds.large_trade_size"] == (
        "known on 0 of the last 20 trading dates; at least 5 are needed"
    )
    assert record.null_reasons["windows[0].mean"] == "known on 0 of the last 1 trading dates; at least 1 are needed"
    assert record.null_reasons["records[0].highest"] == "known on none of the last 252 trading dates"
    assert record.null_reasons["weekdays[4].volume"] == (
        "known on 0 Fridays of the last 252 trading dates; at least 12 are needed"
    )
    assert record.null_reasons["typical_spread.midday"] == "the spread of an hour in it is null: see time_of_day"
    assert len(record.windows) == 4 * len(BASELINE_MEASURES)
    assert [day.weekday for day in record.weekdays] == ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]


@pytest.mark.parametrize("known", [0, 1, 4, 5, 20, 60, 252])
def test_every_null_and_empty_list_has_a_reason_and_only_these(known: int) -> None:
    record = baselines({date: full_day(date) for date in WINDOW[-known:]} if known else {})
    empty = set() if record.thresholds.usual_minute_variance else {"thresholds.usual_minute_variance"}
    assert set(record.null_reasons) == set(null_fields(record)) | empty
    if known == 252:
        assert {field.partition(".")[2] for field in record.null_reasons} == {"std"}  # of the day before


def test_the_record_says_which_dates_are_known() -> None:
    record = baselines(last_dates(VOLUME, [10, 20, 30]))
    assert (record.symbol, record.date, record.metadata_version) == (SYMBOL, DATE, BASELINES_VERSION)
    assert (record.known_dates, record.first_known_date, record.last_known_date) == (3, WINDOW[-3], WINDOW[-1])
    assert record.computation_time_ms > 0
    assert list(BASELINES_VERSIONS) == list(range(1, BASELINES_VERSION + 1))


def test_the_record_survives_its_arrow_form() -> None:
    for days in ({}, {date: full_day(date) for date in WINDOW[-30:]}):
        record = baselines(days)
        assert from_table(to_table([record], TrailingBaselines), TrailingBaselines) == [record]


def test_the_key_must_be_that_of_the_earlier_days() -> None:
    with pytest.raises(ValueError, match="PEP cannot be compared"):
        trailing_baselines(earlier(last_dates(VOLUME, [1])), "PEP", DATE)
    with pytest.raises(ValueError, match="dates before 2024-05-09"):
        trailing_baselines(earlier({}), SYMBOL, dt.date(2024, 5, 10))


def full_day(date: dt.date) -> Fields:
    """Every measure, another value on each date."""
    number = 1.0 + (date.toordinal() * 7 % 31)
    buckets = [1.0] * len(hours(date))
    return {
        **{measure: number + place for place, measure in enumerate(BASELINE_MEASURES)},
        VOLUME: int(number) * 100,
        "basic_stats.total_ticks": int(number),
        "intraday_evolution": hours(date, spread=buckets, volume_pct=buckets, volatility=buckets),
        "yardsticks.p95_trade_size": number,
        "yardsticks.minute_impact_60s_bps": [number, None],
        "yardsticks.minute_volatility": number,
        "yardsticks.median_burst_volume": number,
    }


# -- thresholds ------------------------------------------------------------------


def test_thresholds_are_medians_means_and_root_mean_squares_of_the_dates() -> None:
    numbers = (
        # large trade, minute volatility, burst volume, volume
        (400.0, 0.001, 5000.0, 1000),
        (900.0, 0.001, 9000.0, 2000),
        (300.0, 0.001, 1000.0, 6000),
        (500.0, 0.001, 2000.0, 1000),
        (500.0, 0.004, 3000.0, 5000),
    )
    days = {
        date: {
            "yardsticks.p95_trade_size": large, "yardsticks.minute_volatility": volatility,
            "yardsticks.median_burst_volume": burst, VOLUME: volume,
        }
        for date, (large, volatility, burst, volume) in zip(WINDOW[-5:], numbers, strict=True)
    }  # fmt: skip
    found = baselines(days).thresholds
    assert found.dates == 5
    assert found.large_trade_size == 500  # 300 400 [500] 500 900
    assert found.burst_volume == 3000  # 1000 2000 [3000] 5000 9000
    assert found.daily_volume == 3000  # 15000 / 5
    assert found.minute_volatility == pytest.approx(0.002)  # squares 1 + 1 + 1 + 1 + 16 = 20, over 5: 4


def test_the_toxic_threshold_is_the_95th_percentile_of_all_minutes() -> None:
    # 0 … 100, once on each of five dates: the 95th percentile is 95.
    days = last_dates("yardsticks.minute_impact_60s_bps", [[float(minute) for minute in range(101)] + [None]] * 5)
    assert baselines(days).thresholds.toxic_impact_bps == pytest.approx(95.0)


def test_a_date_without_any_known_minute_is_none_of_the_five() -> None:
    days = last_dates("yardsticks.minute_impact_60s_bps", [[None, None], [], [1.0], [1.0], [1.0], [1.0]])
    record = baselines(days)
    assert record.thresholds.toxic_impact_bps is None
    assert record.null_reasons["thresholds.toxic_impact_bps"] == (
        "known on 4 of the last 20 trading dates; at least 5 are needed"
    )


def test_four_dates_have_a_daily_volume_and_no_other_threshold() -> None:
    record = baselines({date: full_day(date) for date in WINDOW[-4:]})
    known = {name for name, value in record.thresholds if value not in (None, [])}
    assert known == {"dates", "daily_volume"}


def test_thresholds_do_not_look_further_back_than_20_trading_dates() -> None:
    impacts = "yardsticks.minute_impact_60s_bps"
    days: dict[dt.date, Fields] = {date: {VOLUME: 100, impacts: [1.0]} for date in WINDOW[-19:]}
    days |= {date: {VOLUME: 9900, impacts: [8.0]} for date in WINDOW[-40:-20]}  # the 20th date back is not stored
    found = baselines(days).thresholds
    assert (found.dates, found.daily_volume, found.toxic_impact_bps) == (19, 100, 1)


def test_usual_variance_of_a_minute_is_that_of_its_hours_returns() -> None:
    # Hourly volatility 0.02 on three dates and 0.04 on two: squares (3·4 + 2·16) / 5 = 8.8 e-4, over 59 returns.
    days = {}
    for date, volatility in zip(WINDOW[-5:], (0.02, 0.02, 0.02, 0.04, 0.04), strict=True):
        days[date] = {"intraday_evolution": hours(date, volatility=[volatility, None, 0, 0, 0, 0, 0.29**0.5])}
    found = baselines(days).thresholds.usual_minute_variance
    assert len(found) == 390
    assert found[:60] == pytest.approx([8.8e-4 / 59] * 60)
    assert found[60:120] == [None] * 60
    assert found[120:360] == [0.0] * 240
    assert found[360:] == pytest.approx([0.01] * 30)  # 0.29 over the 29 returns of half an hour


# -- patterns --------------------------------------------------------------------


def test_hours_are_means_over_full_length_sessions() -> None:
    days = {}
    for date, spread in zip(WINDOW[-5:], (0.05, 0.06, 0.07, 0.08, 0.09), strict=True):
        buckets = hours(
            date, spread=[spread, 0.02, 0.02, 0.03, 0.03, 0.05, 0.04], volume_pct=[0.4, *[0.1] * 6],
            volatility=[2 * spread, *[0.01] * 6],
        )  # fmt: skip
        days[date] = {"intraday_evolution": buckets}
    record = baselines(days)
    first = record.time_of_day[0]
    assert (first.spread, first.volume_pct, first.volatility) == pytest.approx((0.07, 0.4, 0.14))
    assert [hour.minutes_from_open for hour in record.time_of_day] == [0, 60, 120, 180, 240, 300, 360]
    assert [hour.minutes for hour in record.time_of_day] == [60] * 6 + [30]
    assert {hour.spread_dates for hour in record.time_of_day} == {5}
    assert record.typical_spread.open == pytest.approx(0.07)
    assert record.typical_spread.midday == pytest.approx(0.03)  # (2 + 2 + 3 + 3 + 5) / 5 cents
    assert record.typical_spread.close == pytest.approx(0.04)


def test_half_days_are_in_no_hour() -> None:
    """Their last hour is a half hour at noon, with the closing auction in it."""
    before = dt.date(2023, 11, 29)
    dates = trading_dates_before(before, 6)
    assert HALF_DAY in dates
    days = {date: {"intraday_evolution": hours(date, spread=[0.01] * len(hours(date)))} for date in dates}
    days[HALF_DAY] = {"intraday_evolution": hours(HALF_DAY, spread=[9.0] * 4)}
    record = baselines(days, before)
    assert [hour.spread for hour in record.time_of_day] == pytest.approx([0.01] * 7)
    assert [hour.spread_dates for hour in record.time_of_day] == [5] * 7


def test_an_hour_that_was_often_empty_counts_its_own_dates() -> None:
    days = {}
    for place, date in enumerate(WINDOW[-6:]):
        spread = [0.01, None if place < 2 else 0.02, 0.01, 0.01, 0.01, 0.01, 0.01]
        days[date] = {"intraday_evolution": hours(date, spread=spread, volume_pct=[0.1] * 7)}
    record = baselines(days)
    second: HourPattern = record.time_of_day[1]
    assert (second.spread, second.spread_dates, second.volume_dates) == (None, 4, 6)
    assert second.volume_pct == pytest.approx(0.1)
    assert record.null_reasons["time_of_day[1].spread"] == (
        "known in 4 full-length sessions of the last 20 trading dates; at least 5 are needed"
    )
    assert record.typical_spread.open == pytest.approx(0.01)
    assert record.typical_spread.midday is None


def test_weekdays_are_means_over_a_year() -> None:
    # 13 weeks from Tuesday 2024-02-06 to Wednesday 2024-05-08, without Monday 02-19 and Friday 03-29 (holidays).
    days = {}
    for date in WINDOW[-65:]:
        is_friday, is_march = date.weekday() == 4, date.month == 3
        days[date] = {
            VOLUME: 500 if is_friday else 100, "basic_stats.dollar_volume": 2400.0 if is_march else 1200.0,
            SPREAD: 4.0, "basic_stats.realised_volatility": 0.02 if is_friday else 0.01,
        }  # fmt: skip
    del days[dt.date(2024, 3, 4)], days[dt.date(2024, 3, 6)][SPREAD]
    record = baselines(days)
    assert {day.weekday: day.dates for day in record.weekdays} == {
        "Monday": 11, "Tuesday": 14, "Wednesday": 14, "Thursday": 13, "Friday": 12,
    }  # fmt: skip
    monday, _, wednesday, _, friday = record.weekdays
    assert (friday.volume, friday.spread_bps, friday.spread_dates) == (500, 4, 12)
    assert friday.dollar_volume == pytest.approx(1600)  # four of the twelve are in March
    assert friday.realised_volatility == pytest.approx(0.02)
    assert (wednesday.volume, wednesday.spread_dates, wednesday.volatility_dates) == (100, 13, 14)
    assert (monday.volume, monday.spread_bps) == (None, None)
    assert record.null_reasons["weekdays[0].volume"] == (
        "known on 11 Mondays of the last 252 trading dates; at least 12 are needed"
    )


# -- windows ---------------------------------------------------------------------


def test_windows_of_known_dates_by_hand() -> None:
    # The last 5: 1, 2, 3, 4, 10. Mean 4, squared deviations 9 + 4 + 1 + 0 + 36 = 50, over 4.
    record = baselines(last_dates(VOLUME, [100, 1, 2, 3, 4, 10]))
    last = stats(record, VOLUME, 5)
    assert (last.n, last.mean, last.median) == (5, 4, 3)
    assert last.std == pytest.approx(12.5**0.5)
    assert (last.p25, last.p75) == (2, 4)
    assert last.p5 == pytest.approx(1.2)  # a fifth of the way from 1 to 2
    assert last.p95 == pytest.approx(8.8)  # four fifths of the way from 4 to 10
    assert stats(record, VOLUME, 20).mean == 20  # 120 / 6
    assert (stats(record, VOLUME, 252).n, stats(record, VOLUME, 252).mean) == (6, None)


def test_the_window_of_one_date_is_the_trading_date_before() -> None:
    one = stats(baselines(last_dates(VOLUME, [7, 8])), VOLUME, 1)
    assert (one.n, one.mean, one.std, one.p5, one.p95) == (1, 8, None, 8, 8)
    skipped = stats(baselines({WINDOW[-2]: {VOLUME: 7}}), VOLUME, 1)
    assert (skipped.n, skipped.mean) == (0, None)


@pytest.mark.parametrize(("window", "least"), [(5, 5), (20, 5), (252, 60)])
def test_a_window_needs_its_least_number_of_dates(window: int, least: int) -> None:
    enough = stats(baselines(last_dates(VOLUME, [3] * least)), VOLUME, window)
    assert (enough.n, enough.mean, enough.std) == (least, 3, 0)
    record = baselines(last_dates(VOLUME, [3] * (least - 1)))
    row = next(place for place, one in enumerate(record.windows) if (one.measure, one.window) == (VOLUME, window))
    assert record.windows[row].mean is None
    assert record.null_reasons[f"windows[{row}].mean"] == (
        f"known on {least - 1} of the last {window} trading dates; at least {least} are needed"
    )


def test_equal_values_have_exactly_no_deviation() -> None:
    found = stats(baselines(last_dates(SPREAD, [0.1] * 20)), SPREAD, 20)
    assert (found.mean, found.std) == (0.1, 0.0)


@given(
    values=st.lists(st.floats(-1e6, 1e6) | st.just(float("nan")), min_size=1, max_size=40),
    window=st.integers(1, 40),
    minimum=st.integers(1, 10),
)
def test_summaries_are_those_of_the_known_values(values: list[float], window: int, minimum: int) -> None:
    found = summarised(np.array([values, values[::-1]]), window, minimum)
    for row, one in enumerate((values, values[::-1])):
        known = [value for value in one[-window:] if value == value]
        assert found.n[row] == len(known)
        if len(known) < minimum:
            assert np.isnan([found.mean[row], found.std[row], *found.percentiles[:, row]]).all()
            continue
        near = {"rel": 1e-9, "abs": 1e-9 * max(map(abs, known))}
        assert found.mean[row] == pytest.approx(statistics.fmean(known), **near)
        assert found.percentiles[:, row] == pytest.approx(np.percentile(known, [5, 25, 50, 75, 95]), **near)
        if len(known) > 1:
            assert found.std[row] == pytest.approx(statistics.stdev(known), rel=1e-6, abs=1e-6)


# -- records ---------------------------------------------------------------------


def test_records_carry_the_first_date_that_reached_them() -> None:
    found = extremes(baselines(last_dates(VOLUME, [5, 9, 2, 9, 2, None])), VOLUME)
    assert (found.n, found.highest, found.highest_date) == (5, 9, WINDOW[-5])
    assert (found.lowest, found.lowest_date) == (2, WINDOW[-4])


# -- laws ------------------------------------------------------------------------

Volumes = st.lists(st.none() | st.integers(0, 10**7), min_size=1, max_size=40)


@given(volumes=Volumes, late=st.integers(0, 300))
@settings(max_examples=30, deadline=None)
def test_rows_of_the_date_or_later_cannot_be_passed_in(volumes: list[int | None], late: int) -> None:
    stored = rows(last_dates(VOLUME, volumes))
    after = rows({DATE + dt.timedelta(days=late): {VOLUME: 1}})
    with pytest.raises(ValueError, match="is not of before"):
        EarlierDays.from_table(pa.concat_tables([stored, after]), DATE, WINDOW)


@given(volumes=Volumes, order=st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_rows_changes_nothing(volumes: list[int | None], order: Any) -> None:
    days = last_dates(VOLUME, volumes)
    shuffled = list(days)
    order.shuffle(shuffled)
    assert unstamped(baselines(days)) == unstamped(baselines({date: days[date] for date in shuffled}))


@given(volumes=Volumes, older=st.integers(0, 10**7), back=st.integers(1, 30))
@settings(max_examples=30, deadline=None)
def test_dates_before_the_window_change_nothing(volumes: list[int | None], older: int, back: int) -> None:
    days = last_dates(VOLUME, volumes)
    long_ago = trading_dates_before(DATE, 252 + back)
    more = rows(days | {long_ago[0]: {VOLUME: older}})
    for window in (WINDOW, long_ago):
        found = trailing_baselines(EarlierDays.from_table(more, DATE, window), SYMBOL, DATE)
        assert unstamped(found) == unstamped(baselines(days))


@given(volume=st.integers(0, 10**7), back=st.integers(21, 252))
@settings(max_examples=30, deadline=None)
def test_a_date_further_back_than_20_changes_only_what_looks_at_252(volume: int, back: int) -> None:
    days = {date: full_day(date) for date in WINDOW}
    without = baselines(days)
    days[WINDOW[-back]] = {**days[WINDOW[-back]], VOLUME: volume}
    found = baselines(days)
    assert found.thresholds == without.thresholds
    assert found.time_of_day == without.time_of_day
    assert [one for one in found.windows if one.window < 252] == [one for one in without.windows if one.window < 252]
    other = [one for one in found.windows if one.measure != VOLUME]
    assert other == [one for one in without.windows if one.measure != VOLUME]

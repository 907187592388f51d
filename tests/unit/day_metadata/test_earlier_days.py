"""Earlier dates as arrays: in line with the trading dates, unknown is NaN, and nothing of the date itself gets in."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pyarrow as pa
import pytest
from numpy.testing import assert_array_equal

from fuzzy_pipeline.day_metadata.earlier_days import EARLIER_COLUMNS, EarlierDays
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from fuzzy_pipeline.schema.records import to_table
from fuzzy_pipeline.trading_calendar import trading_dates_before
from tests.unit.day_metadata.day_records import record
from tests.unit.day_metadata.earlier_rows import DATE, SYMBOL, WINDOW, earlier, hours, last_dates, rows

NAN = np.nan
VOLUME = "basic_stats.volume_total"
SPREAD = "spread_stats.median_bps"
MONDAY, TUESDAY, WEDNESDAY = WINDOW[-3:]
HALF_DAY = dt.date(2023, 11, 24)


def three_days() -> EarlierDays:
    """Monday 300 shares, Tuesday not stored, Wednesday 500; the spread is known on Monday only."""
    days = {WEDNESDAY: {VOLUME: 500, SPREAD: None}, MONDAY: {VOLUME: 300, SPREAD: 2.5}}
    return EarlierDays.from_table(rows(days), DATE, (MONDAY, TUESDAY, WEDNESDAY))


# -- values ----------------------------------------------------------------------


def test_values_stand_at_their_trading_dates_whatever_the_order_of_rows() -> None:
    found = three_days()
    assert found.dates == (MONDAY, WEDNESDAY)
    assert found.n_trading_dates == 3
    assert_array_equal(found.values(VOLUME), [300, NAN, 500])
    assert_array_equal(found.values(SPREAD), [2.5, NAN, NAN])


def test_a_window_looks_at_trading_dates_and_latest_at_known_ones() -> None:
    found = three_days()
    assert_array_equal(found.window(VOLUME, 2), [500])
    assert_array_equal(found.latest(VOLUME, 2), [300, 500])
    assert_array_equal(found.window(SPREAD, 2), [])
    assert_array_equal(found.latest(SPREAD, 2), [2.5])
    assert [found.stored(dates) for dates in (1, 2, 3, 252)] == [1, 1, 2, 2]


@pytest.mark.parametrize("read", [EarlierDays.window, EarlierDays.latest])
def test_a_window_has_at_least_one_date(read) -> None:
    with pytest.raises(ValueError, match="at least one date"):
        read(three_days(), VOLUME, 0)


def test_what_was_read_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        three_days().values(VOLUME)[0] = 1.0


@pytest.mark.parametrize("name", ["basic_stats.volume", "volume_total", "basic_stats", "venue_analysis.venues",
                                  "basic_stats.first_tick_time", "data_quality.stored_ticks"])  # fmt: skip
def test_a_name_that_is_no_number_read_here_is_refused(name: str) -> None:
    with pytest.raises(KeyError, match="no number"):
        three_days().values(name)


def test_rows_in_many_pieces_are_the_same_as_in_one() -> None:
    days = last_dates(VOLUME, range(1, 31))
    whole = rows(days)
    pieces = pa.concat_tables([whole.slice(at, 1) for at in reversed(range(30))])
    found = EarlierDays.from_table(pieces, DATE, WINDOW)
    assert_array_equal(found.values(VOLUME)[-30:], range(1, 31))
    assert found.stored(252) == 30


def test_nothing_stored_is_all_unknown() -> None:
    for nothing in (None, rows({})):
        found = EarlierDays.from_table(nothing, DATE, WINDOW)
        assert found.dates == ()
        assert np.isnan(found.values(VOLUME)).all()
        assert len(found.values(VOLUME)) == 252
        assert found.minute_impacts() == []
        assert len(found.hours().date_index) == 0


def test_no_trading_date_at_all_is_no_error() -> None:
    found = EarlierDays.from_table(rows({MONDAY: {VOLUME: 1}}), DATE, ())
    assert (found.dates, len(found.values(VOLUME)), len(found.latest(VOLUME, 5))) == ((), 0, 0)


def test_records_from_before_a_field_was_there_do_not_know_it() -> None:
    old = pa.table({"symbol": [SYMBOL], "date": [MONDAY], "basic_stats": [{"volume_total": 7}]})
    found = EarlierDays.from_table(old, DATE, WINDOW)
    assert_array_equal(found.latest(VOLUME, 1), [7])
    assert np.isnan(found.values("basic_stats.realised_volatility")).all()
    assert np.isnan(found.values("yardsticks.p95_trade_size")).all()
    assert found.minute_impacts() == []
    assert len(found.hours().spread) == 0


# -- what is refused -------------------------------------------------------------


@pytest.mark.parametrize("date", [DATE, dt.date(2024, 5, 10), dt.date(2025, 1, 2)])
def test_a_row_of_the_date_or_later_is_refused(date: dt.date) -> None:
    with pytest.raises(ValueError, match=f"{date} is not of before 2024-05-09"):
        EarlierDays.from_table(rows({MONDAY: {VOLUME: 1}, date: {VOLUME: 2}}), DATE, WINDOW)


@pytest.mark.parametrize("last", [DATE, dt.date(2024, 5, 10)])
def test_a_trading_date_that_is_not_before_the_date_is_refused(last: dt.date) -> None:
    with pytest.raises(ValueError, match="is not before"):
        EarlierDays.from_table(None, DATE, (*WINDOW, last))


@pytest.mark.parametrize("dates", [(TUESDAY, MONDAY), (MONDAY, MONDAY)])
def test_trading_dates_out_of_order_are_refused(dates: tuple[dt.date, ...]) -> None:
    with pytest.raises(ValueError, match="in order of time"):
        EarlierDays.from_table(None, DATE, dates)


def test_rows_of_two_symbols_are_refused() -> None:
    both = pa.concat_tables([rows({MONDAY: {}}), rows({TUESDAY: {}}, symbol="PEP")])
    with pytest.raises(ValueError, match="2 symbols: KO, PEP"):
        EarlierDays.from_table(both, DATE, WINDOW)


def test_two_rows_of_one_date_are_refused() -> None:
    with pytest.raises(ValueError, match="two records of 2024-05-06"):
        EarlierDays.from_table(pa.concat_tables([rows({MONDAY: {}})] * 2), DATE, WINDOW)


def test_a_row_of_a_date_that_does_not_trade_is_refused() -> None:
    saturday = dt.date(2024, 5, 4)
    with pytest.raises(ValueError, match="2024-05-04, which is none of the trading dates"):
        EarlierDays.from_table(rows({saturday: {}}), DATE, WINDOW)


def test_only_the_last_252_trading_dates_count_and_older_rows_are_ignored() -> None:
    long_ago = trading_dates_before(DATE, 254)
    days = {long_ago[0]: {VOLUME: 1}, long_ago[1]: {VOLUME: 2}, long_ago[2]: {VOLUME: 3}}
    for window in (WINDOW, long_ago):
        found = EarlierDays.from_table(rows(days), DATE, window)
        assert found.trading_dates == WINDOW
        assert found.dates == (long_ago[2],)
        assert_array_equal(found.latest(VOLUME, 5), [3])


def test_earlier_days_belong_to_one_symbol_and_date() -> None:
    found = three_days()
    found.check_key(SYMBOL, DATE)
    with pytest.raises(ValueError, match="PEP cannot be compared with the earlier dates of KO"):
        found.check_key("PEP", DATE)
    with pytest.raises(ValueError, match="KO 2024-05-10 cannot be compared with the dates before 2024-05-09"):
        found.check_key(SYMBOL, dt.date(2024, 5, 10))


# -- lists -----------------------------------------------------------------------

IMPACTS = "yardsticks.minute_impact_60s_bps"


def test_minute_impacts_are_one_array_a_date_with_nan_for_unknown_minutes() -> None:
    days = {MONDAY: {IMPACTS: [1.0, None, 3.0]}, TUESDAY: {VOLUME: 5}, WEDNESDAY: {IMPACTS: [None, 4.0]}}
    found = earlier(days).minute_impacts()
    assert len(found) == 2
    assert_array_equal(found[0], [1, NAN, 3])
    assert_array_equal(found[1], [NAN, 4])


def test_minute_impacts_of_the_last_trading_dates_only() -> None:
    days = {MONDAY: {IMPACTS: [1.0]}, TUESDAY: {IMPACTS: []}, WEDNESDAY: {IMPACTS: [3.0, 4.0]}}
    assert [len(minutes) for minutes in earlier(days).minute_impacts(1)] == [2]
    assert [len(minutes) for minutes in earlier(days).minute_impacts(2)] == [0, 2]
    assert [len(minutes) for minutes in earlier(days).minute_impacts(3)] == [1, 0, 2]


def test_hours_of_a_full_session_and_of_a_half_day() -> None:
    full = {"intraday_evolution": hours(MONDAY, spread=[0.05, None, 0.03, 0.02, 0.02, 0.02, 0.04])}
    half = {"intraday_evolution": hours(HALF_DAY, volatility=[0.4, 0.3, 0.2, 0.1])}
    found = earlier({MONDAY: full, HALF_DAY: half, TUESDAY: {VOLUME: 1}}).hours()
    assert_array_equal(found.date_index, [WINDOW.index(HALF_DAY)] * 4 + [WINDOW.index(MONDAY)] * 7)
    assert_array_equal(found.minutes_from_open, [0, 60, 120, 180, 0, 60, 120, 180, 240, 300, 360])
    assert_array_equal(found.minutes, [60, 60, 60, 30, 60, 60, 60, 60, 60, 60, 30])
    assert_array_equal(found.session_minutes, [210] * 4 + [390] * 7)
    assert_array_equal(found.spread, [NAN] * 4 + [0.05, NAN, 0.03, 0.02, 0.02, 0.02, 0.04])
    assert_array_equal(found.volatility, [0.4, 0.3, 0.2, 0.1] + [NAN] * 7)


def test_hours_of_the_last_trading_dates_only() -> None:
    days = {date: {"intraday_evolution": hours(date)} for date in (MONDAY, HALF_DAY, WEDNESDAY)}
    assert_array_equal(earlier(days).hours(1).date_index, [251] * 7)
    assert_array_equal(earlier(days).hours(3).date_index, [249] * 7 + [251] * 7)


# -- stored records --------------------------------------------------------------


def test_records_are_read_as_the_light_tier_holds_them() -> None:
    dates = (dt.date(2013, 10, 7), dt.date(2013, 10, 8))
    records = [
        record([10.0, 10.1, 10.2], date=dates[0], size=[100, 200, 300]),
        record([20.0], date=dates[1], size=[700]),
    ]
    before = dt.date(2013, 10, 9)
    stored = to_table(records, DayMetadataPhase1)
    found = EarlierDays.from_table(stored, before, trading_dates_before(before, 20))
    narrow = EarlierDays.from_table(stored.select(list(EARLIER_COLUMNS)), before, trading_dates_before(before, 20))
    for one in (found, narrow):
        assert one.symbol == "TEST"
        assert one.dates == dates
        assert_array_equal(one.window(VOLUME, 2), [600, 700])
        assert_array_equal(one.latest("basic_stats.price_open", 2), [10, 20])
        assert_array_equal(one.values("venue_analysis.off_exchange_share")[:18], [NAN] * 18)
        assert_array_equal(one.hours().minutes_from_open, [0, 60, 120, 180, 240, 300, 360] * 2)
        assert [len(minutes) for minutes in one.minute_impacts()] == [390, 390]

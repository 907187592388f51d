"""The trading calendar against dates known by hand and, day by day, against ``pandas_market_calendars``."""

from __future__ import annotations

import datetime as dt
import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pandas_market_calendars as mcal
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline import nyse_sessions
from fuzzy_pipeline import trading_calendar as tc
from fuzzy_pipeline.errors import CalendarError

D = dt.date
EASTERN = ZoneInfo("America/New_York")
ROOT = Path(__file__).resolve().parents[2]

NO_DEADLINE = settings(deadline=None)
"""No example has to be fast: the machine may be busy, and the first one reads the file."""

dates_in_range = st.dates(tc.FIRST_DATE, tc.LAST_DATE)


def eastern(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=EASTERN)


def utc(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def schedule() -> pd.DataFrame:
    frame: pd.DataFrame = mcal.get_calendar("NYSE").schedule(tc.FIRST_DATE.isoformat(), tc.LAST_DATE.isoformat())
    return frame


# -- against the library ---------------------------------------------------------


def test_every_day_of_the_range_trades_exactly_when_the_library_says_so(schedule: pd.DataFrame) -> None:
    days = [stamp.date() for stamp in pd.date_range(tc.FIRST_DATE, tc.LAST_DATE)]
    ours = [day for day in days if tc.is_trading_date(day)]
    library = [stamp.date() for stamp in schedule.index]

    assert len(days) == 11_321  # 8 leap years: 31 * 365 + 8, less 1 and 2 January 2000
    assert ours == library
    assert list(tc.trading_dates(tc.FIRST_DATE, tc.LAST_DATE)) == library


def test_every_open_and_close_is_the_instant_the_library_gives(schedule: pd.DataFrame) -> None:
    different = []
    for stamp, opened, closed in zip(schedule.index, schedule["market_open"], schedule["market_close"], strict=True):
        hours = tc.session(stamp.date())
        if (pd.Timestamp(hours.open), pd.Timestamp(hours.close)) != (opened, closed):
            different.append(stamp.date())

    assert different == []


def test_early_closes_are_those_of_the_library(schedule: pd.DataFrame) -> None:
    library = [stamp.date() for stamp in mcal.get_calendar("NYSE").early_closes(schedule).index]
    dates = tc.trading_dates(tc.FIRST_DATE, tc.LAST_DATE)

    assert [date for date in dates if tc.is_early_close(date)] == library
    assert [date for date in dates if tc.session(date).is_early_close] == library


def test_the_checked_in_file_is_what_the_tool_writes() -> None:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "tools" / "generate_nyse_sessions.py")
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)

    assert nyse_sessions.SESSIONS_FILE.read_text(encoding="utf-8") == tool.render()


# -- against dates known by hand ---------------------------------------------------


@pytest.mark.parametrize(
    ("date", "name"),
    [
        (D(2001, 9, 11), "September 11 attacks"),
        (D(2001, 9, 14), "September 11 attacks"),
        (D(2004, 6, 11), "National day of mourning for Ronald Reagan"),
        (D(2007, 1, 2), "National day of mourning for Gerald Ford"),
        (D(2012, 10, 29), "Hurricane Sandy"),
        (D(2012, 10, 30), "Hurricane Sandy"),
        (D(2018, 12, 5), "National day of mourning for George H. W. Bush"),
        (D(2025, 1, 9), "National day of mourning for Jimmy Carter"),
        (D(2025, 4, 18), "Good Friday"),
        (D(2025, 9, 1), "Labor Day"),
        (D(2026, 1, 1), "New Year's Day"),
        (D(2026, 1, 19), "Martin Luther King Jr. Day"),
        (D(2026, 2, 16), "Washington's Birthday"),
        (D(2026, 5, 25), "Memorial Day"),
        (D(2022, 6, 20), "Juneteenth"),  # 19 June 2022 was a Sunday
        (D(2026, 7, 3), "Independence Day"),  # 4 July 2026 is a Saturday
        (D(2025, 11, 27), "Thanksgiving Day"),
        (D(2022, 12, 26), "Christmas Day"),  # 25 December 2022 was a Sunday
    ],
)
def test_weekday_without_a_session_is_no_trading_date_and_has_its_name(date: dt.date, name: str) -> None:
    assert not tc.is_trading_date(date)
    assert tc.holiday_name(date) == name


@pytest.mark.parametrize(
    "date",
    [
        D(2001, 9, 10),
        D(2001, 9, 17),
        D(2012, 10, 31),
        D(2021, 6, 18),  # Juneteenth was not yet an exchange holiday
        D(2021, 12, 31),  # 1 January 2022 was a Saturday: no substitute day
        D(2024, 12, 31),
        D(2025, 10, 13),  # Columbus Day: banks close, the exchange does not
        D(2025, 11, 11),  # Veterans Day: the same
    ],
)
def test_days_that_look_like_holidays_but_trade(date: dt.date) -> None:
    assert tc.is_trading_date(date)
    assert tc.holiday_name(date) is None


@pytest.mark.parametrize(
    ("date", "opened", "closed", "note"),
    [
        (D(2024, 12, 31), dt.time(9, 30), dt.time(16, 0), ""),
        (D(2025, 7, 2), dt.time(9, 30), dt.time(16, 0), ""),
        (D(2025, 7, 3), dt.time(9, 30), dt.time(13, 0), "Day before Independence Day"),
        (D(2025, 11, 28), dt.time(9, 30), dt.time(13, 0), "Day after Thanksgiving Day"),
        (D(2025, 12, 24), dt.time(9, 30), dt.time(13, 0), "Christmas Eve"),
        (D(2002, 7, 5), dt.time(9, 30), dt.time(13, 0), "Day after Independence Day"),
        (D(2003, 12, 26), dt.time(9, 30), dt.time(13, 0), "Day after Christmas Day"),
        (D(2005, 6, 1), dt.time(9, 30), dt.time(15, 56), "Systems communication problem"),
        (D(2001, 9, 17), dt.time(9, 33), dt.time(16, 0), "Moment of silence for the victims of September 11"),
        (D(2002, 9, 11), dt.time(12, 0), dt.time(16, 0), "Anniversary of September 11"),
    ],
)
def test_session_hours(date: dt.date, opened: dt.time, closed: dt.time, note: str) -> None:
    hours = tc.session(date)

    assert hours.open == dt.datetime.combine(date, opened, EASTERN)
    assert hours.close == dt.datetime.combine(date, closed, EASTERN)
    assert hours.note == note
    assert hours.is_early_close == (closed < dt.time(16, 0)) == tc.is_early_close(date)


def test_extended_hours_run_from_four_to_twenty_on_half_days_too() -> None:
    half_day = tc.session(D(2025, 11, 28))

    assert half_day.pre_open == eastern("2025-11-28T04:00")
    assert half_day.after_close == eastern("2025-11-28T20:00")


def test_boundaries_in_microseconds_since_midnight() -> None:
    half_day = tc.session(D(2025, 11, 28))

    assert half_day.pre_open_us == 14_400_000_000
    assert half_day.open_us == 34_200_000_000
    assert half_day.close_us == 46_800_000_000
    assert half_day.after_close_us == 72_000_000_000
    assert tc.session(D(2025, 11, 26)).close_us == 57_600_000_000


@pytest.mark.parametrize(
    ("date", "open_utc"), [(D(2025, 3, 7), "2025-03-07T14:30"), (D(2025, 3, 10), "2025-03-10T13:30")]
)
def test_the_open_moves_by_an_hour_in_utc_when_the_clocks_change(date: dt.date, open_utc: str) -> None:
    assert tc.session(date).open == utc(open_utc)
    assert tc.session(date).open.tzinfo == EASTERN


def test_years_have_the_number_of_sessions_the_exchange_counted() -> None:
    counts = {year: tc.count_trading_dates(D(year, 1, 1), D(year, 12, 31)) for year in (2001, 2012, 2024, 2025)}

    assert counts == {2001: 248, 2012: 250, 2024: 252, 2025: 250}


# -- moving between dates ----------------------------------------------------------


def test_moving_over_a_long_weekend() -> None:
    friday, saturday, holiday, tuesday = D(2026, 1, 16), D(2026, 1, 17), D(2026, 1, 19), D(2026, 1, 20)

    assert tc.next_trading_date(friday) == tc.next_trading_date(saturday) == tc.next_trading_date(holiday) == tuesday
    assert tc.previous_trading_date(tuesday) == tc.previous_trading_date(saturday) == friday
    assert tc.previous_trading_date(friday) == D(2026, 1, 15)
    assert tc.first_trading_date_on_or_after(holiday) == tc.first_trading_date_on_or_after(tuesday) == tuesday
    assert tc.last_trading_date_on_or_before(holiday) == tc.last_trading_date_on_or_before(friday) == friday
    assert tc.trading_dates(friday, tuesday) == (friday, tuesday)
    assert tc.trading_dates(saturday, holiday) == ()
    assert tc.count_trading_dates(friday, tuesday) == 2
    assert tc.trading_dates_before(tuesday, 2) == (D(2026, 1, 15), friday)
    assert tc.trading_dates_before(holiday, 1) == (friday,)
    assert tc.trading_dates_before(tuesday, 0) == ()


@NO_DEADLINE
@given(dates_in_range, dates_in_range)
def test_a_range_holds_exactly_the_trading_dates_between_its_ends(one: dt.date, other: dt.date) -> None:
    start, end = sorted((one, other))
    found = tc.trading_dates(start, end)
    skipped = {start + dt.timedelta(days=day) for day in range((end - start).days + 1)} - set(found)

    assert list(found) == sorted(set(found))
    assert all(start <= date <= end and tc.is_trading_date(date) for date in found)
    assert not any(tc.is_trading_date(date) for date in skipped)
    assert tc.count_trading_dates(start, end) == len(found)


@NO_DEADLINE
@given(st.dates(tc.FIRST_DATE + dt.timedelta(days=1), tc.LAST_DATE - dt.timedelta(days=1)))
def test_neighbours_enclose_a_date_with_no_session_between(date: dt.date) -> None:
    before, after = tc.previous_trading_date(date), tc.next_trading_date(date)

    assert before < date < after
    assert tc.trading_dates(before, after) == ((before, date, after) if tc.is_trading_date(date) else (before, after))
    assert tc.last_trading_date_on_or_before(date) == (date if tc.is_trading_date(date) else before)
    assert tc.first_trading_date_on_or_after(date) == (date if tc.is_trading_date(date) else after)


def test_session_boundaries_over_a_half_day_and_a_weekend() -> None:
    assert tc.session_boundaries(D(2025, 11, 27), D(2025, 12, 1)) == (
        eastern("2025-11-28T04:00"),
        eastern("2025-11-28T09:30"),
        eastern("2025-11-28T13:00"),
        eastern("2025-11-28T20:00"),
        eastern("2025-12-01T04:00"),
        eastern("2025-12-01T09:30"),
        eastern("2025-12-01T16:00"),
        eastern("2025-12-01T20:00"),
    )


# -- instants ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("instant", "date"),
    [
        (utc("2025-03-11T03:59:59"), D(2025, 3, 10)),  # 23:59:59 EDT
        (utc("2025-03-11T04:00:00"), D(2025, 3, 11)),
        (utc("2025-01-14T04:30:00"), D(2025, 1, 13)),  # 23:30 EST
        (dt.datetime(2025, 1, 14, 9, 0, tzinfo=ZoneInfo("Asia/Tokyo")), D(2025, 1, 13)),
        (eastern("2025-01-18T12:00"), D(2025, 1, 18)),  # a Saturday stays a Saturday
    ],
)
def test_trading_date_of_an_instant_is_its_eastern_date(instant: dt.datetime, date: dt.date) -> None:
    assert tc.trading_date_of(instant) == date


@pytest.mark.parametrize(
    ("now", "state", "holiday", "next_change", "next_state"),
    [
        ("2025-03-12T03:59:59", "closed", None, "2025-03-12T04:00", "pre"),
        ("2025-03-12T04:00", "pre", None, "2025-03-12T09:30", "open"),
        ("2025-03-12T09:29:59.999999", "pre", None, "2025-03-12T09:30", "open"),
        ("2025-03-12T09:30", "open", None, "2025-03-12T16:00", "after"),
        ("2025-03-12T16:00", "after", None, "2025-03-12T20:00", "closed"),
        ("2025-03-12T20:00", "closed", None, "2025-03-13T04:00", "pre"),
        ("2025-11-28T12:59:59", "open", None, "2025-11-28T13:00", "after"),
        ("2025-11-28T13:00", "after", None, "2025-11-28T20:00", "closed"),
        ("2025-03-14T20:30", "closed", None, "2025-03-17T04:00", "pre"),
        ("2025-03-15T12:00", "closed", None, "2025-03-17T04:00", "pre"),
        ("2026-01-17T12:00", "closed", None, "2026-01-20T04:00", "pre"),
        ("2026-01-19T12:00", "closed", "Martin Luther King Jr. Day", "2026-01-20T04:00", "pre"),
        ("2024-12-31T15:00", "open", None, "2024-12-31T16:00", "after"),
        ("2025-01-01T10:00", "closed", "New Year's Day", "2025-01-02T04:00", "pre"),
        ("2001-09-17T09:31", "pre", None, "2001-09-17T09:33", "open"),
    ],
)
def test_market_status(now: str, state: str, holiday: str | None, next_change: str, next_state: str) -> None:
    status = tc.market_status(eastern(now))

    assert (status.state, status.holiday) == (state, holiday)
    assert (status.next_change, status.next_state) == (eastern(next_change), next_state)


def test_market_status_takes_any_time_zone_and_answers_in_eastern_time() -> None:
    status = tc.market_status(utc("2025-07-02T13:30"))  # 09:30 EDT

    assert status.state == "open"
    assert status.at.tzinfo == status.next_change.tzinfo == EASTERN


@pytest.mark.parametrize(
    ("now", "hours_to_change"),
    [
        # Friday 21:00 to Monday 04:00 is 55 hours on the wall.
        ("2025-03-07T21:00", 54),  # 2025-03-09: 02:00 becomes 03:00
        ("2025-10-31T21:00", 56),  # 2025-11-02: 02:00 becomes 01:00
        ("2025-03-14T21:00", 55),
    ],
)
def test_time_to_the_next_change_is_elapsed_time_over_clock_changes(now: str, hours_to_change: int) -> None:
    status = tc.market_status(eastern(now))

    assert status.next_change.timetz() == dt.time(4, tzinfo=EASTERN)
    assert status.time_to_change == dt.timedelta(hours=hours_to_change)


def test_the_repeated_hour_of_the_autumn_clock_change_is_told_apart() -> None:
    first, second = tc.market_status(utc("2025-11-02T05:30")), tc.market_status(utc("2025-11-02T06:30"))

    assert first.state == second.state == "closed"
    assert first.next_change == second.next_change == utc("2025-11-03T09:00")
    assert first.time_to_change - second.time_to_change == dt.timedelta(hours=1)


@NO_DEADLINE
@given(st.builds(dt.datetime.combine, st.dates(D(2000, 1, 4), D(2030, 12, 30)), st.times(timezones=st.just(dt.UTC))))
def test_the_state_at_the_next_change_is_the_one_announced_and_holds_until_then(now: dt.datetime) -> None:
    status = tc.market_status(now)
    just_before = tc.market_status(status.next_change.astimezone(dt.UTC) - dt.timedelta(microseconds=1))

    assert status.time_to_change > dt.timedelta(0)
    assert tc.market_status(status.next_change).state == status.next_state
    assert (just_before.state, just_before.next_change) == (status.state, status.next_change)


@pytest.mark.parametrize(
    ("date", "midnight"),
    [
        (D(2025, 1, 2), "2025-01-02T05:00"),
        (D(2025, 7, 2), "2025-07-02T04:00"),
        (D(2025, 3, 9), "2025-03-09T05:00"),  # the clocks change two hours later
        (D(2025, 3, 10), "2025-03-10T04:00"),
        (D(2025, 11, 2), "2025-11-02T04:00"),
        (D(2025, 11, 3), "2025-11-03T05:00"),
    ],
)
def test_midnight_in_utc_nanoseconds(date: dt.date, midnight: str) -> None:
    assert tc.midnight_utc_ns(date) == pd.Timestamp(midnight, tz="UTC").value


def test_no_trading_date_has_a_clock_change_inside() -> None:
    day = dt.timedelta(days=1)
    lengths = {
        tc.midnight_utc_ns(date + day) - tc.midnight_utc_ns(date)
        for date in tc.trading_dates(tc.FIRST_DATE, tc.LAST_DATE - day)
    }

    assert lengths == {86_400_000_000_000}


# -- partitions --------------------------------------------------------------------


def test_partition_exclusions_are_naive_midnights_of_the_weekday_holidays() -> None:
    exclusions = tc.partition_exclusions()

    assert [stamp for stamp in exclusions if stamp.year == 2026] == [
        dt.datetime(2026, month, day)  # noqa: DTZ001 (naive is what Dagster takes)
        for month, day in (
            (1, 1), (1, 19), (2, 16), (4, 3), (5, 25), (6, 19), (7, 3), (9, 7), (11, 26), (12, 25),
        )
    ]  # fmt: skip
    assert all(stamp.tzinfo is None and stamp.time() == dt.time() and stamp.weekday() < 5 for stamp in exclusions)


def test_weekdays_are_trading_dates_or_exclusions() -> None:
    excluded = {stamp.date() for stamp in tc.partition_exclusions()}
    traded = set(tc.trading_dates(tc.FIRST_DATE, tc.LAST_DATE))

    assert excluded.isdisjoint(traded)
    assert excluded | traded == {stamp.date() for stamp in pd.bdate_range(tc.FIRST_DATE, tc.LAST_DATE)}


# -- refusals ----------------------------------------------------------------------


@pytest.mark.parametrize("date", [tc.FIRST_DATE - dt.timedelta(days=1), tc.LAST_DATE + dt.timedelta(days=1)])
@pytest.mark.parametrize(
    "function",
    [
        tc.is_trading_date, tc.holiday_name, tc.is_early_close, tc.session, tc.midnight_utc_ns,
        tc.next_trading_date, tc.previous_trading_date,
        tc.first_trading_date_on_or_after, tc.last_trading_date_on_or_before,
        lambda date: tc.trading_dates_before(date, 1),
        lambda date: tc.trading_dates(date, date),
        lambda date: tc.count_trading_dates(date, date),
        lambda date: tc.session_boundaries(date, date),
        lambda date: tc.market_status(dt.datetime.combine(date, dt.time(12), EASTERN)),
    ],
)  # fmt: skip
def test_a_date_outside_the_calendar_is_refused_naming_it_and_the_range(
    function: Callable[[dt.date], object], date: dt.date
) -> None:
    with pytest.raises(CalendarError, match=rf"{date} is outside .* 2000-01-03 to 2030-12-31"):
        function(date)


@pytest.mark.parametrize(
    ("date", "reason", "before"),
    [
        (D(2026, 1, 17), "a Saturday", "2026-01-16"),
        (D(2026, 1, 18), "a Sunday", "2026-01-16"),
        (D(2026, 1, 19), "Martin Luther King Jr. Day", "2026-01-16"),
        (D(2012, 10, 30), "Hurricane Sandy", "2012-10-26"),
    ],
)
def test_no_session_on_a_closed_date_and_the_message_offers_the_date_before(
    date: dt.date, reason: str, before: str
) -> None:
    with pytest.raises(CalendarError) as raised:
        tc.session(date)

    assert str(raised.value) == (
        f"{date} is not a trading date ({reason}); the last trading date before it is {before}"
    )


def test_the_calendar_ends_where_it_says() -> None:
    with pytest.raises(CalendarError, match="no trading date after 2030-12-31"):
        tc.next_trading_date(tc.LAST_DATE)
    with pytest.raises(CalendarError, match="no trading date before 2000-01-03"):
        tc.previous_trading_date(tc.FIRST_DATE)
    with pytest.raises(CalendarError, match="has 1 trading dates before it, 2 were asked for"):
        tc.trading_dates_before(D(2000, 1, 4), 2)
    with pytest.raises(CalendarError, match="-1 were asked for"):
        tc.trading_dates_before(D(2020, 1, 6), -1)


def test_a_range_with_swapped_ends_is_refused() -> None:
    with pytest.raises(CalendarError, match="starts on 2025-01-03, after its end 2025-01-02"):
        tc.trading_dates(D(2025, 1, 3), D(2025, 1, 2))


def test_an_instant_is_not_taken_for_a_date() -> None:
    """A datetime never equals a date, so a holiday's midnight would pass for a trading date."""
    with pytest.raises(CalendarError, match=r"pass trading_date_of\(instant\)"):
        tc.is_trading_date(eastern("2026-01-19T00:00"))


@pytest.mark.parametrize("function", [tc.trading_date_of, tc.market_status])
def test_naive_instants_are_refused(function: Callable[[dt.datetime], object]) -> None:
    with pytest.raises(CalendarError, match="has no time zone"):
        function(dt.datetime(2025, 3, 12, 12, 0))  # noqa: DTZ001 (the naive instant under test)


@pytest.mark.parametrize(
    "text",
    [
        "date,kind,time,name\n2025-01-01,half_day,13:00:00,New Year\n",
        "date,kind,time,name\n2025-13-01,holiday,,New Year\n",
        "date,kind,time,name\n2025-11-28,early_close\n",
        "date,kind,time,name\n",
    ],
    ids=["unknown kind", "no such date", "cut off", "empty"],
)
def test_a_damaged_sessions_file_is_refused_by_name(tmp_path: Path, text: str) -> None:
    path = tmp_path / "sessions.csv"
    path.write_text(text, encoding="utf-8")

    with pytest.raises(CalendarError, match=r"sessions\.csv: .*generate_nyse_sessions"):
        nyse_sessions.read_special_days(path)


# -- cost --------------------------------------------------------------------------


def test_importing_the_calendar_imports_no_numeric_library() -> None:
    code = (
        "import sys; from fuzzy_pipeline import trading_calendar as t; import datetime as d;"
        "t.session(d.date(2025, 11, 28)); print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT).stdout

    assert {"pandas", "pandas_market_calendars", "numpy", "pyarrow", "dagster"}.isdisjoint(loaded.split())
    assert "fuzzy_pipeline.trading_calendar" in loaded.split()

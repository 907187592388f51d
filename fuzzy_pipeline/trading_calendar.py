"""The trading calendar: which dates have a NYSE session, and when its parts begin and end.

Belongs here: everything that knows a session hour. 04:00, 09:30, 16:00 and 20:00 Eastern are written nowhere
else in the package. The days that differ (holidays, early closes, late opens) are in ``nyse_sessions.csv``, which
``tools/generate_nyse_sessions.py`` writes from ``pandas_market_calendars``: importing that library takes longer
than a second in every process, so this module needs only the standard library.

Every function that takes a date raises ``CalendarError`` when the date is outside [FIRST_DATE, LAST_DATE] or is a
``datetime``; every function that takes a range of dates includes both ends and raises it when they are swapped.

A *trading date* is a ``datetime.date`` on which the exchange had or will have a session. Every instant returned is
timezone-aware in ``America/New_York``. Clock changes fall on Sundays, so on a trading date wall-clock time since
midnight and elapsed time since midnight are the same number.

After-hours trading on half days ends at 17:00 on the exchanges' own clocks. The data contract says that the
``after`` session is everything from the close to 20:00, on every trading date, so ``after_close`` is 20:00 on half
days too: a later print, should there be one, is kept in ``after`` rather than called closed.
"""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache
from typing import Literal
from zoneinfo import ZoneInfo

from fuzzy_pipeline.errors import CalendarError
from fuzzy_pipeline.nyse_sessions import special_days

EASTERN = ZoneInfo("America/New_York")
FIRST_DATE = dt.date(2000, 1, 3)
LAST_DATE = dt.date(2030, 12, 31)

PRE_OPEN = dt.time(4, 0)
REGULAR_OPEN = dt.time(9, 30)
REGULAR_CLOSE = dt.time(16, 0)
AFTER_CLOSE = dt.time(20, 0)

MarketState = Literal["pre", "open", "after", "closed"]

_SATURDAY = 5
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Session:
    """The boundaries of one trading date; every part is half-open, ``[start, end)``.

    ``pre_open`` to ``open`` is ``pre``, ``open`` to ``close`` is the regular session, ``close`` to ``after_close``
    is ``after``. ``note`` says why the hours are unusual and is empty on a regular day. The ``*_us`` properties are
    the same instants as microseconds since midnight Eastern, the unit of raw tick times.
    """

    date: dt.date
    pre_open: dt.datetime
    open: dt.datetime
    close: dt.datetime
    after_close: dt.datetime
    note: str = ""

    @property
    def pre_open_us(self) -> int:
        """Start of pre-market trading. [µs since midnight ET]"""
        return _microseconds(self.pre_open)

    @property
    def open_us(self) -> int:
        """Start of the regular session. [µs since midnight ET]"""
        return _microseconds(self.open)

    @property
    def close_us(self) -> int:
        """End of the regular session. [µs since midnight ET]"""
        return _microseconds(self.close)

    @property
    def after_close_us(self) -> int:
        """End of after-hours trading. [µs since midnight ET]"""
        return _microseconds(self.after_close)

    @property
    def is_early_close(self) -> bool:
        """The regular session ends before the usual time."""
        return self.close.time() < REGULAR_CLOSE


@dataclass(frozen=True, slots=True)
class MarketStatus:
    """What the market is doing at an instant, and what it does next.

    ``holiday`` is the holiday's name on a weekday without a session, else None. ``next_change`` is the first
    instant after ``at`` at which the state becomes ``next_state``.
    """

    at: dt.datetime
    state: MarketState
    holiday: str | None
    next_change: dt.datetime
    next_state: MarketState

    @property
    def time_to_change(self) -> dt.timedelta:
        """Elapsed time from ``at`` to ``next_change``.

        Taken in UTC: Python subtracts two datetimes of one zone by the clock on the wall, which is an hour wrong
        over a weekend on which the clocks change.
        """
        return self.next_change.astimezone(dt.UTC) - self.at.astimezone(dt.UTC)


# -- which dates trade -----------------------------------------------------------


def is_trading_date(date: dt.date) -> bool:
    """Whether the exchange has a session on the date.

    Examples
    --------
    >>> is_trading_date(dt.date(2026, 1, 19)), holiday_name(dt.date(2026, 1, 19))
    (False, 'Martin Luther King Jr. Day')
    """
    _check_range(date)
    return date.weekday() < _SATURDAY and date not in special_days().holidays


def trading_dates(start: dt.date, end: dt.date) -> tuple[dt.date, ...]:
    """The trading dates from ``start`` to ``end``, both included, in order."""
    first, stop = _positions(start, end)
    return _all_trading_dates()[first:stop]


def count_trading_dates(start: dt.date, end: dt.date) -> int:
    """How many trading dates there are from ``start`` to ``end``, both included."""
    first, stop = _positions(start, end)
    return stop - first


def trading_dates_before(date: dt.date, count: int) -> tuple[dt.date, ...]:
    """The last ``count`` trading dates strictly before ``date``, oldest first.

    Raises
    ------
    CalendarError
        ``count`` is negative, or the calendar does not reach so far back.
    """
    _check_range(date)
    stop = bisect_left(_all_trading_dates(), date)
    if not 0 <= count <= stop:
        raise CalendarError(f"{date}: the calendar has {stop} trading dates before it, {count} were asked for")
    return _all_trading_dates()[stop - count : stop]


def first_trading_date_on_or_after(date: dt.date) -> dt.date:
    """The date itself when it trades, else the next that does."""
    _check_range(date)
    return _at(bisect_left(_all_trading_dates(), date), f"no trading date on or after {date}")


def last_trading_date_on_or_before(date: dt.date) -> dt.date:
    """The date itself when it trades, else the last before it that did."""
    _check_range(date)
    return _at(bisect_right(_all_trading_dates(), date) - 1, f"no trading date on or before {date}")


def next_trading_date(date: dt.date) -> dt.date:
    """The first trading date strictly after ``date``, which need not trade itself.

    Raises
    ------
    CalendarError
        None follows it in the calendar.
    """
    _check_range(date)
    return _at(bisect_right(_all_trading_dates(), date), f"no trading date after {date}")


def previous_trading_date(date: dt.date) -> dt.date:
    """The last trading date strictly before ``date``, which need not trade itself.

    Raises
    ------
    CalendarError
        None precedes it in the calendar.
    """
    _check_range(date)
    return _at(bisect_left(_all_trading_dates(), date) - 1, f"no trading date before {date}")


def holiday_name(date: dt.date) -> str | None:
    """Name of the holiday or closure on a weekday without a session; None on trading dates and weekends."""
    _check_range(date)
    return special_days().holidays.get(date)


def partition_exclusions() -> list[dt.datetime]:
    """Naive midnights of all weekdays without a session, the form Dagster's ``exclusions`` takes.

    Naive on purpose: Dagster reads them in the time zone of the partitions definition.
    """
    return [dt.datetime.combine(date, dt.time()) for date in sorted(special_days().holidays)]


# -- sessions --------------------------------------------------------------------


@cache
def session(date: dt.date) -> Session:
    """The boundaries of a trading date, early closes and late opens respected.

    Raises
    ------
    CalendarError
        The date does not trade; the message tells why and names the last trading date before it.

    Examples
    --------
    >>> session(dt.date(2025, 11, 28)).close.isoformat()
    '2025-11-28T13:00:00-05:00'
    """
    _check_trading_date(date)
    special = special_days()
    return Session(
        date=date,
        pre_open=dt.datetime.combine(date, PRE_OPEN, EASTERN),
        open=dt.datetime.combine(date, special.opens.get(date, REGULAR_OPEN), EASTERN),
        close=dt.datetime.combine(date, special.closes.get(date, REGULAR_CLOSE), EASTERN),
        after_close=dt.datetime.combine(date, AFTER_CLOSE, EASTERN),
        note=special.notes.get(date, ""),
    )


def is_early_close(date: dt.date) -> bool:
    """Whether the date trades and closes before the usual time; False on dates without a session."""
    _check_range(date)
    return date in special_days().closes


def session_boundaries(start: dt.date, end: dt.date) -> tuple[dt.datetime, ...]:
    """Every instant from ``start`` to ``end`` (dates, both included) at which the market's state changes, in order.

    Four a trading date: ``pre_open``, ``open``, ``close``, ``after_close``.
    """
    return tuple(
        instant
        for hours in map(session, trading_dates(start, end))
        for instant in (hours.pre_open, hours.open, hours.close, hours.after_close)
    )


# -- instants --------------------------------------------------------------------


def now_eastern() -> dt.datetime:
    """The present instant in Eastern Time."""
    return dt.datetime.now(EASTERN)


def trading_date_of(instant: dt.datetime) -> dt.date:
    """Eastern date of an instant in any time zone; whether that date trades is not looked at.

    Raises
    ------
    CalendarError
        The instant is naive.

    Examples
    --------
    >>> trading_date_of(dt.datetime(2025, 3, 11, 1, 30, tzinfo=dt.UTC))
    datetime.date(2025, 3, 10)
    """
    return _eastern(instant).date()


def market_status(now: dt.datetime) -> MarketStatus:
    """State of the market at an instant, and the next change.

    At a boundary the new state holds: at the close the state is ``after``.

    Raises
    ------
    CalendarError
        The instant is naive, or its date or that of the next change is outside the calendar.
    """
    at = _eastern(now)
    date = at.date()
    if is_trading_date(date):
        hours = session(date)
        steps: tuple[tuple[dt.datetime, MarketState, MarketState], ...] = (
            (hours.pre_open, "closed", "pre"),
            (hours.open, "pre", "open"),
            (hours.close, "open", "after"),
            (hours.after_close, "after", "closed"),
        )
        for instant, before, becomes in steps:
            if at < instant:
                return MarketStatus(at, before, None, instant, becomes)
    return MarketStatus(at, "closed", holiday_name(date), session(next_trading_date(date)).pre_open, "pre")


@cache
def midnight_utc_ns(date: dt.date) -> int:
    """Midnight Eastern at the start of the date. [ns since 1970-01-01 UTC]

    A tick's instant is this plus 1,000 times its microseconds since midnight, on trading dates only: on the two
    Sundays a year on which the clocks change, the sum is an hour off after 02:00.
    """
    _check_range(date)
    since_epoch = dt.datetime.combine(date, dt.time(), EASTERN) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return since_epoch // dt.timedelta(seconds=1) * 1_000_000_000


@cache
def _all_trading_dates() -> tuple[dt.date, ...]:
    days = (FIRST_DATE + index * _DAY for index in range((LAST_DATE - FIRST_DATE).days + 1))
    return tuple(date for date in days if is_trading_date(date))


# -- refusals ----------------------------------------------------------------------


def _range_text() -> str:
    return f"the trading calendar covers {FIRST_DATE} to {LAST_DATE}"


def _check_range(date: dt.date) -> None:
    if isinstance(date, dt.datetime):
        # datetime is a subclass of date but never equal to one: it would quietly miss every holiday.
        raise CalendarError(f"{date!r} is an instant, not a date: pass trading_date_of(instant)")
    if not FIRST_DATE <= date <= LAST_DATE:
        raise CalendarError(
            f"{date} is outside the calendar: {_range_text()}; to extend it, raise LAST_DATE in "
            "fuzzy_pipeline/trading_calendar.py and run python tools/generate_nyse_sessions.py"
        )


def _check_trading_date(date: dt.date) -> None:
    if is_trading_date(date):
        return
    reason = holiday_name(date) or f"a {date:%A}"
    before = last_trading_date_on_or_before(date)
    raise CalendarError(f"{date} is not a trading date ({reason}); the last trading date before it is {before}")


def _positions(start: dt.date, end: dt.date) -> tuple[int, int]:
    _check_range(start)
    _check_range(end)
    if start > end:
        raise CalendarError(f"the range of dates starts on {start}, after its end {end}: swap them")
    dates = _all_trading_dates()
    return bisect_left(dates, start), bisect_right(dates, end)


def _at(position: int, nothing: str) -> dt.date:
    dates = _all_trading_dates()
    if not 0 <= position < len(dates):
        raise CalendarError(f"{nothing}: {_range_text()}")
    return dates[position]


def _eastern(instant: dt.datetime) -> dt.datetime:
    if instant.utcoffset() is None:
        raise CalendarError(f"{instant!r} has no time zone: an instant must be timezone-aware")
    return instant.astimezone(EASTERN)


def _microseconds(instant: dt.datetime) -> int:
    return ((instant.hour * 60 + instant.minute) * 60 + instant.second) * 1_000_000 + instant.microsecond

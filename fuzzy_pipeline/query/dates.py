"""Which trading dates a reader means, and which of them are stored.

Belongs here: start and end as people give them, the notes a reader gets about them, and the errors that tell what is
there instead.
"""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Sequence
from typing import Literal

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.errors import CalendarError, NotStoredError, SettingsError
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import check_symbols, parse_symbols
from fuzzy_pipeline.stores.store import Store

DateLike = dt.date | str
Missing = Literal["raise", "skip"]

_SHOWN = 10


class DateMoved(UserWarning):
    """A single date without a session was asked for; the last trading date before it is read instead."""


class DatesMissing(UserWarning):
    """Some dates of a range are not stored and were left out, as asked."""


def as_date(value: DateLike) -> dt.date:
    """A date from a date or ``YYYY-MM-DD``.

    Raises
    ------
    CalendarError
        The text is no date, or the value is an instant (whose date depends on a time zone).
    """
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError as error:
            raise CalendarError(f"{value!r} is no date: write YYYY-MM-DD") from error
    if isinstance(value, dt.datetime) or not isinstance(value, dt.date):
        raise CalendarError(f"{value!r} is no date: give a datetime.date or YYYY-MM-DD (trading dates, Eastern Time)")
    return value


def asked_dates(start: DateLike, end: DateLike | None = None) -> tuple[dt.date, ...]:
    """Trading dates from ``start`` to ``end``, both included; one date when there is no end.

    A single date on a weekend or holiday becomes the last trading date before it, with a ``DateMoved`` warning.

    Raises
    ------
    CalendarError
        A date is outside the calendar, the two are swapped, or there is no trading date between them.
    """
    first = as_date(start)
    if end is None or as_date(end) == first:
        return (single_date(first),)
    last = as_date(end)
    dates = trading_calendar.trading_dates(first, last)
    if not dates:
        raise CalendarError(f"no trading date from {first} to {last}")
    return dates


def single_date(date: dt.date) -> dt.date:
    """The date itself, or with a ``DateMoved`` warning the last trading date before it."""
    if trading_calendar.is_trading_date(date):
        return date
    nearest = trading_calendar.last_trading_date_on_or_before(date)
    why = trading_calendar.holiday_name(date) or f"a {date:%A}"
    warnings.warn(f"{date} is no trading date ({why}): using {nearest}, the last one before it", DateMoved, 4)
    return nearest


def one_symbol(symbol: str) -> str:
    """A ticker in upper case; ``SettingsError`` when it cannot be one."""
    found = some_symbols([symbol])
    if len(found) != 1:
        raise SettingsError(f"{symbol!r} names {len(found)} symbols: one is read at a time")
    return found[0]


def some_symbols(symbols: Sequence[str] | str) -> tuple[str, ...]:
    """Tickers in upper case, each once, from ``"AAPL,SPY"`` or a sequence; ``SettingsError`` for what is no ticker."""
    text = symbols if isinstance(symbols, str) else " ".join(symbols)
    try:
        return check_symbols(parse_symbols(text))
    except ValueError as error:
        raise SettingsError(f"{text!r}: {error}") from error


def stored_versions(
    store: Store, table: str, symbol: str, dates: Sequence[dt.date], missing: Missing
) -> dict[dt.date, tuple[int, int]]:
    """Version and number of rows by date of what is committed, in order of date.

    Raises
    ------
    NotStoredError
        Nothing is committed, or with ``missing="raise"`` not every date; tells why and what is there.
    """
    found = store.manifest.versions(table, dates, [symbol])
    absent = [date for date in dates if (symbol, date) not in found]
    if absent and (missing == "raise" or not found):
        raise NotStoredError(_absence(store, table, symbol, dates, absent))
    if absent:
        text = f"{table} {symbol}: left out {len(absent)} of {len(dates)} dates that are not stored: {_listed(absent)}"
        warnings.warn(text, DatesMissing, 3)
    return {date: found[symbol, date] for date in dates if (symbol, date) in found}


def _absence(store: Store, table: str, symbol: str, dates: Sequence[dt.date], absent: list[dt.date]) -> str:
    """Why there is nothing, what is there, and the command that mends it."""
    lines = [f"{table} {symbol}: nothing is committed for {_listed(absent)}"]
    # The failure furthest upstream tells why; those after it only follow from it.
    way = dict.fromkeys((RAW_TICKS.name, ENRICHED_TICKS.name, table))
    failures = [row for name in way for row in store.manifest.failures(name, absent, [symbol])]
    for failure in list({row.date: row for row in reversed(failures)}.values())[:3]:
        lines.append(f"{failure.table} failed on {failure.date}: {failure.error_type}: {failure.reason}")
    others = sorted({found for found, _ in store.manifest.versions(table, absent)} - {symbol})
    if others:
        when = absent[0] if len(absent) == 1 else "these dates"
        lines.append(f"stored for {when}: {', '.join(others[:_SHOWN])}{' …' if len(others) > _SHOWN else ''}")
    stored = sorted(date for _, date in store.manifest.versions(table, None, [symbol]))
    lines.append(f"{symbol} is stored on {_listed(stored)}" if stored else f"{symbol} is not in {table} on any date")
    lines.append(_command(symbol, absent))
    if len(absent) < len(dates):
        lines.append('or read what there is: missing="skip"')
    return "\n".join(lines)


def _command(symbol: str, absent: Sequence[dt.date]) -> str:
    if absent[0] > trading_calendar.now_eastern().date():
        return f"{absent[0]} is yet to come"
    if len(absent) == 1:
        return f"build it: fuzzy run {absent[0]} --symbols {symbol}"
    return f"build them: fuzzy backfill --from {absent[0]} --to {absent[-1]} --symbols {symbol}"


def _listed(dates: Sequence[dt.date]) -> str:
    if len(dates) <= 3:
        return ", ".join(map(str, dates))
    return f"{len(dates)} dates from {dates[0]} to {dates[-1]}"

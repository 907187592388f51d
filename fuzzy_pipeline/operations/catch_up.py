"""What was missed and is to be done: which dates, for which symbols, in which order, and how long it should take.

Belongs here: the plan. Who starts the runs is `schedules.catch_up` and the `fuzzy catch-up` command.
"""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.query.coverage import DayCoverage, day_coverage
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.sources.opening import dates_offered
from fuzzy_pipeline.steps.ingest import REFETCHED
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.stores.store import Store

Cause = Literal["missing", "failed", "gaps", "stale"]

CAUSES: tuple[Cause, ...] = ("missing", "failed", "gaps", "stale")
"""In the order they count for a date that has several; ``gaps``: ticks were lost on the way from the source."""

RATE_DATES = 20
"""Latest dates whose measured seconds give the estimate."""


@dataclass(frozen=True, slots=True)
class Due:
    """A run to be made: a date, the symbols that need it (all of the settings: none named), and why."""

    date: dt.date
    symbols: tuple[str, ...]
    cause: Cause
    seconds: float | None
    is_key: bool = False

    @property
    def force_source(self) -> bool:
        """Whether the ticks are fetched though they are stored."""
        return self.cause == "gaps"

    def __str__(self) -> str:
        who = f" ({', '.join(self.symbols)})" if self.symbols else ""
        return f"{self.date}{who} {self.cause}"


@dataclass(frozen=True, slots=True)
class CatchUpPlan:
    """Runs in the order they are to be made, dates given up, and the time the runs should take together [s].

    ``seconds`` is None when nothing was measured yet.
    """

    due: tuple[Due, ...] = ()
    given_up: tuple[Due, ...] = ()
    seconds: float | None = None

    def __str__(self) -> str:
        counts = {cause: sum(due.cause == cause for due in self.due) for cause in CAUSES}
        found = ", ".join(f"{count} {cause}" for cause, count in counts.items() if count)
        text = f"{len(self.due)} runs due ({found})" if self.due else "nothing is due"
        if self.due:
            text += f", about {_duration(self.seconds)}" if self.seconds is not None else ", no rate measured yet"
            text += f"; next {self.due[0]}"
        if self.given_up:
            text += f"; given up: {', '.join(str(due) for due in self.given_up)}"
        return text


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"


@dataclass(slots=True)
class _DateNeeds:
    """Symbols of a date by what they need."""

    symbols: dict[Cause, set[str]] = field(default_factory=dict)

    def add(self, cause: Cause, symbol: str) -> None:
        self.symbols.setdefault(cause, set()).add(symbol)


def plan_catch_up(
    store: Store | None,
    settings: Settings,
    dates: Sequence[dt.date],
    failed_tries: Mapping[dt.date, int] | None = None,
    busy: Collection[dt.date] = (),
    broken_off: Collection[dt.date] = (),
    workers: int = 1,
) -> CatchUpPlan:
    """What is to be caught up among trading dates that have a partition.

    First the key symbols of the settings, newest date first, then the others, newest date first; then, once nothing
    is missing, dates that are out of date, the oldest first, since later ones depend on them. Dates before the
    store's first, and those the source does not offer, are nobody's loss: they are asked for by a backfill.

    Parameters
    ----------
    store : Store or None
        None when there is none yet: then nothing was missed.
    settings : Settings
    dates : sequence of date
        Trading dates that may be caught up, in order.
    failed_tries : mapping of date to int, optional
        Catch-up runs of a date that failed since it last succeeded.
    busy : collection of date, optional
        Dates that are worked on now: not planned.
    broken_off : collection of date, optional
        Dates whose last run was killed: their rules may not have been judged though all tables are stored.
    workers : int
        Symbols worked on at a time, for the estimate.
    """
    tables = pipeline_tables(settings)
    stored = store.manifest.dates(RAW_TICKS.name) if store is not None else []
    if store is None or not stored:
        return CatchUpPlan()
    offered = dates_offered(settings, [date for date in dates if date >= stored[0]])
    wanted = sorted(date for date in dates if date in offered and date not in set(busy))
    if not wanted:
        return CatchUpPlan()
    days = day_coverage(store, wanted, settings.symbols, tables, settings)
    needs = _needs(store, settings, days, tables, broken_off)
    rates = _seconds_per_symbol_day(store, settings, stored[-RATE_DATES:])
    due: list[Due] = []
    given_up: list[Due] = []
    for item in _ordered(needs, settings, rates, workers):
        tried = (failed_tries or {}).get(item.date, 0)
        (given_up if tried >= settings.catch_up.tries else due).append(item)
    known = [item.seconds for item in due if item.seconds is not None]
    return CatchUpPlan(tuple(due), tuple(given_up), sum(known) if known else None)


def _needs(
    store: Store,
    settings: Settings,
    days: Mapping[tuple[str, dt.date], DayCoverage],
    tables: Sequence[str],
    broken_off: Collection[dt.date],
) -> dict[dt.date, _DateNeeds]:
    found: dict[dt.date, _DateNeeds] = {}
    gaps = _symbol_days_with_gaps(store, sorted({date for _, date in days})) if settings.catch_up.repair_gaps else set()
    for (symbol, date), day in days.items():
        state = day.state(tables)
        cause: Cause | None = None
        if state in ("missing", "partial"):
            cause = "missing"
        elif state == "failed" or (state == "complete" and date in broken_off):
            cause = "failed"
        elif state != "retired" and (symbol, date) in gaps:
            cause = "gaps"
        elif state == "stale":
            cause = "stale"
        if cause is not None:
            found.setdefault(date, _DateNeeds()).add(cause, symbol)
    return found


def _symbol_days_with_gaps(store: Store, dates: Sequence[dt.date]) -> set[tuple[str, dt.date]]:
    """Symbol-days with lost ticks that were fetched only once."""
    rows = store.light.read(PHASE1_TABLE, dates=dates, columns=["symbol", "date", "data_quality"])
    if rows is None:
        return set()
    lost = {
        (row["symbol"], row["date"]) for row in rows.to_pylist() if (row["data_quality"] or {}).get("lost_tick_count")
    }
    if not lost:
        return set()
    fetched = store.manifest.rows(RAW_TICKS.name, sorted({date for _, date in lost}))
    return lost - {(row.symbol, row.date) for row in fetched if REFETCHED in row.notes}


def _seconds_per_symbol_day(store: Store, settings: Settings, dates: Sequence[dt.date]) -> dict[str, float]:
    """Measured seconds of a whole symbol-day by symbol: the median over the dates; ``""`` is that of all symbols."""
    totals: dict[tuple[str, dt.date], float] = {}
    for table in pipeline_tables(settings):
        for key, seconds in store.manifest.seconds(table, dates).items():
            totals[key] = totals.get(key, 0.0) + seconds
    by_symbol: dict[str, list[float]] = {}
    for (symbol, _), total in totals.items():
        by_symbol.setdefault(symbol, []).append(total)
    rates = {symbol: statistics.median(seconds) for symbol, seconds in by_symbol.items()}
    return rates | ({"": statistics.median(totals.values())} if totals else {})


def _ordered(
    needs: Mapping[dt.date, _DateNeeds], settings: Settings, rates: Mapping[str, float], workers: int
) -> list[Due]:
    key, every = set(settings.catch_up.key_symbols), set(settings.symbols)
    first: list[Due] = []
    then: list[Due] = []
    stale: list[Due] = []
    for date in sorted(needs, reverse=True):
        by_cause = needs[date].symbols
        for cause in ("missing", "failed", "gaps"):
            symbols = by_cause.get(cause, set())
            if symbols & key:
                first.append(_due(date, symbols & key, every, cause, rates, workers, is_key=True))
            if symbols - key:
                then.append(_due(date, symbols - key, every, cause, rates, workers))
        if "stale" in by_cause:
            stale.append(_due(date, by_cause["stale"], every, "stale", rates, workers))
    return [*first, *then, *reversed(stale)]


def _due(
    date: dt.date,
    symbols: set[str],
    every: set[str],
    cause: Cause,
    rates: Mapping[str, float],
    workers: int,
    *,
    is_key: bool = False,
) -> Due:
    seconds = [rates.get(symbol, rates.get("", 0.0)) for symbol in symbols]
    named = () if symbols == every else tuple(sorted(symbols))
    return Due(date, named, cause, sum(seconds) / workers if rates else None, is_key)


def catch_up_dates(settings: Settings, last: dt.date, lookback_days: int | None = None) -> tuple[dt.date, ...]:
    """Trading dates to look at, up to ``last``, the last that has a partition."""
    days = settings.catch_up.lookback_days if lookback_days is None else lookback_days
    first = max(settings.first_date, last - dt.timedelta(days=days))
    return trading_calendar.trading_dates(first, last) if first <= last else ()

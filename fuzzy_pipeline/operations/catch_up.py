"""What was missed and is to be done: which dates, for which symbols, in which order, and how long it should take.

Belongs here: the plan. Who starts the runs is `schedules.catch_up` and the `fuzzy catch-up` command.
"""

from __future__ import annotations

import datetime as dt
import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import pyarrow.compute as pc

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.errors import SourceError
from fuzzy_pipeline.query.coverage import DayCoverage, SymbolDay, day_coverage
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
    """Runs in the order they are to be made, what is given up, and the time the runs should take together [s].

    ``seconds`` is None when nothing was measured yet. ``source_error`` says why the source could not be asked what it
    has: then nothing is known to be due, and nothing not to be.
    """

    due: tuple[Due, ...] = ()
    given_up: tuple[Due, ...] = ()
    seconds: float | None = None
    source_error: str = ""

    def __str__(self) -> str:
        if self.source_error:
            return f"source cannot be asked: {self.source_error}"
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


def plan_catch_up(
    store: Store | None,
    settings: Settings,
    dates: Sequence[dt.date],
    failed_tries: Mapping[SymbolDay, int] | None = None,
    busy: Collection[dt.date] = (),
    broken_off: Collection[SymbolDay] = (),
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
    failed_tries : mapping of (str, date) to int, optional
        Catch-up runs of a symbol-day that failed since one last succeeded. Symbols without tries left are given up;
        the others of the date are due all the same.
    busy : collection of date, optional
        Dates that are worked on now: not planned.
    broken_off : collection of (str, date), optional
        Symbol-days whose last run was killed: their rules may not have been judged though all tables are stored.
    workers : int
        Symbols worked on at a time, for the estimate.
    """
    tables = pipeline_tables(settings)
    stored = store.manifest.dates(RAW_TICKS.name) if store is not None else []
    if store is None or not stored:
        return CatchUpPlan()
    try:
        offered = dates_offered(settings, [date for date in dates if date >= stored[0]])
    except (SourceError, OSError) as error:
        return CatchUpPlan(source_error=str(error))
    wanted = sorted(date for date in dates if date in offered and date not in set(busy))
    if not wanted:
        return CatchUpPlan()
    days = day_coverage(store, wanted, settings.symbols, tables, settings)
    causes = _causes(store, settings, days, tables, broken_off)
    if not causes:
        return CatchUpPlan()
    tries = failed_tries or {}
    spent = {key: cause for key, cause in causes.items() if tries.get(key, 0) >= settings.catch_up.tries}
    left = {key: cause for key, cause in causes.items() if key not in spent}
    rates = _seconds_per_symbol_day(store, settings, stored[-RATE_DATES:])
    due, given_up = (tuple(_ordered(found, settings, rates, workers)) for found in (left, spent))
    known = [item.seconds for item in due if item.seconds is not None]
    return CatchUpPlan(due, given_up, sum(known) if known else None)


def _causes(
    store: Store,
    settings: Settings,
    days: Mapping[SymbolDay, DayCoverage],
    tables: Sequence[str],
    broken_off: Collection[SymbolDay],
) -> dict[SymbolDay, Cause]:
    """Why symbol-days need a run; those that need none are not in it."""
    found: dict[SymbolDay, Cause] = {}
    gaps = _symbol_days_with_gaps(store, sorted({date for _, date in days})) if settings.catch_up.repair_gaps else set()
    for key, day in days.items():
        state = day.state(tables)
        if state in ("missing", "partial"):
            found[key] = "missing"
        elif state == "failed" or (state == "complete" and key in broken_off):
            found[key] = "failed"
        elif state != "retired" and key in gaps:
            found[key] = "gaps"
        elif state == "stale":
            found[key] = "stale"
    return found


def _symbol_days_with_gaps(store: Store, dates: Sequence[dt.date]) -> set[SymbolDay]:
    """Symbol-days with lost ticks that were fetched only once."""
    count = "data_quality.lost_tick_count"
    rows = store.light.read(PHASE1_TABLE, dates=dates, columns=["symbol", "date", count])
    if rows is None:
        return set()
    rows = rows.filter(pc.greater(rows[count], 0))
    lost = set(zip(rows["symbol"].to_pylist(), rows["date"].to_pylist(), strict=True))
    if not lost:
        return set()
    fetched = store.manifest.rows(RAW_TICKS.name, sorted({date for _, date in lost}))
    return lost - {(row.symbol, row.date) for row in fetched if REFETCHED in row.notes}


def _seconds_per_symbol_day(store: Store, settings: Settings, dates: Sequence[dt.date]) -> dict[str, float]:
    """Measured seconds of a whole symbol-day by symbol: the median over the dates; ``""`` is that of all symbols."""
    totals: dict[SymbolDay, float] = {}
    for table in pipeline_tables(settings):
        for key, seconds in store.manifest.seconds(table, dates).items():
            totals[key] = totals.get(key, 0.0) + seconds
    by_symbol: dict[str, list[float]] = {}
    for (symbol, _), total in totals.items():
        by_symbol.setdefault(symbol, []).append(total)
    rates = {symbol: statistics.median(seconds) for symbol, seconds in by_symbol.items()}
    return rates | ({"": statistics.median(totals.values())} if totals else {})


def _ordered(
    causes: Mapping[SymbolDay, Cause], settings: Settings, rates: Mapping[str, float], workers: int
) -> list[Due]:
    by_date: dict[dt.date, dict[Cause, set[str]]] = {}
    for (symbol, date), cause in causes.items():
        by_date.setdefault(date, {}).setdefault(cause, set()).add(symbol)
    key, every = set(settings.catch_up.key_symbols), set(settings.symbols)
    first: list[Due] = []
    then: list[Due] = []
    stale: list[Due] = []
    for date in sorted(by_date, reverse=True):
        by_cause = by_date[date]
        for cause in CAUSES[:-1]:
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

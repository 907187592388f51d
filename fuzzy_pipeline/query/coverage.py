"""What is there: committed tables of every symbol and date, and why the others are not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from fuzzy_pipeline.query.dates import DateLike, as_date, some_symbols
from fuzzy_pipeline.query.opening import reading
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.pipeline import pipeline_tables, stale_results
from fuzzy_pipeline.stores.manifest import FailureRow, ManifestRow
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import EASTERN, trading_dates

if TYPE_CHECKING:
    import pandas as pd

State = Literal["complete", "retired", "stale", "partial", "failed", "missing"]
SymbolDay = tuple[str, dt.date]


@dataclass(slots=True)
class DayCoverage:
    """What is committed of a symbol and date, what of it is out of date, and failures not mended since."""

    symbol: str
    date: dt.date
    rows: dict[str, ManifestRow] = field(default_factory=dict)
    failures: list[FailureRow] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    retired: list[str] = field(default_factory=list)

    def state(self, tables: Sequence[str]) -> State:
        """``failed`` with an unmended failure, ``complete`` with all tables (``stale`` when some are out of date: the
        next run computes them again; ``retired`` when some were deleted on purpose), ``partial`` with some, or
        ``missing``: without ticks, though rankings have a row that says so and baselines look at other dates only.
        """
        if self.failures:
            return "failed"
        ticks = RAW_TICKS.name
        if ticks in tables and ticks not in self.rows and ticks not in self.retired:
            return "missing"
        held = sum(table in self.rows or table in self.retired for table in tables)
        if held == len(tables):
            if any(table in self.retired for table in tables):
                return "retired"
            return "stale" if any(table in self.stale for table in tables) else "complete"
        return "partial" if held else "missing"

    @property
    def cause(self) -> FailureRow | None:
        """The failure furthest upstream: the others follow from it."""
        return self.failures[0] if self.failures else None


def day_coverage(
    store: Store,
    dates: Sequence[dt.date],
    symbols: Sequence[str] | None,
    tables: Sequence[str],
    settings: Settings | None = None,
) -> dict[SymbolDay, DayCoverage]:
    """Coverage of every date and every symbol named, or of those stored, retired or failed on these dates.

    Failures are in the order of ``tables``; one older than the commit of the same table is mended and left out. What
    is out of date is known with ``settings`` only.
    """
    store = store.looked_at_once()
    committed = [row for table in tables for row in store.manifest.rows(table, dates, symbols)]
    failed = [row for table in tables for row in store.manifest.failures(table, dates, symbols)]
    retired = [row for table in tables for row in store.retired.rows(table, dates, symbols)]
    every = (*committed, *failed, *retired)
    known: Iterable[str] = symbols if symbols is not None else sorted({row.symbol for row in every})
    days = {(symbol, date): DayCoverage(symbol, date) for date in dates for symbol in known}
    for row in committed:
        days[row.symbol, row.date].rows[row.table] = row
    for failure in failed:
        day = days[failure.symbol, failure.date]
        held = day.rows.get(failure.table)
        if held is None or held.committed_at < failure.failed_at:
            day.failures.append(failure)
    for gone in retired:
        of_row = days[gone.symbol, gone.date]
        if gone.table not in of_row.rows:
            of_row.retired.append(gone.table)
    for table, symbol, date in stale_results(store, settings, dates, symbols) if settings else ():
        if table in tables:
            days[symbol, date].stale.append(table)
    return days


def dates_with_data(store: Store, tables: Sequence[str]) -> list[dt.date]:
    """Dates of which some symbol of some table is committed, in order."""
    return sorted({date for table in tables for date in store.manifest.dates(table)})


def coverage(
    start: DateLike | None = None,
    end: DateLike | None = None,
    symbols: Sequence[str] | str | None = None,
    tables: Sequence[str] | None = None,
    *,
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame:
    """One row per symbol and trading date: what is committed, how many rows, and why something is not.

    Parameters
    ----------
    start, end : date or str, optional
        Trading dates, both included; default: from the first to the last date with data.
    symbols : str or sequence of str, optional
        Default: the settings' symbols and all others with data or failures in the range.
    tables : sequence of str
        Which tables must be there for a day to be complete; default: all of the settings.

    Returns
    -------
    pandas.DataFrame
        ``symbol``, ``date``, ``state`` (complete, retired, stale, partial, failed, missing), committed rows per table
        (null: not committed), ``set_aside`` (rows of raw ticks in quarantine), ``failed_table``, ``error_type``,
        ``reason``, ``failed_at`` of the failure furthest upstream. By date and symbol.

    Raises
    ------
    NotStoredError, StoreError
        There is no store, or it cannot be read.
    """
    chosen = settings or load_settings()
    wanted = pipeline_tables(chosen) if tables is None else tables
    with reading(chosen, store) as opened:
        held = dates_with_data(opened, wanted)
        first = as_date(start) if start is not None else (held[0] if held else None)
        last = as_date(end) if end is not None else (held[-1] if held else first)
        dates = trading_dates(first, last) if first and last else ()
        names = some_symbols(symbols) if symbols is not None else None
        days = day_coverage(opened, dates, names, wanted, chosen)
    if names is None:
        expected = ((symbol, date) for date in dates for symbol in chosen.symbols)
        days = {key: DayCoverage(*key) for key in expected} | days
    return _frame(days, wanted)


def _frame(days: dict[SymbolDay, DayCoverage], tables: Sequence[str]) -> pd.DataFrame:
    import pandas as pd

    ordered = sorted(days.values(), key=lambda day: (day.date, day.symbol))
    raw = [day.rows.get(RAW_TICKS.name) for day in ordered]
    causes = [day.cause for day in ordered]
    data: dict[str, object] = {
        "symbol": [day.symbol for day in ordered],
        "date": [day.date for day in ordered],
        "state": [day.state(tables) for day in ordered],
    }
    for table in tables:
        found = [day.rows.get(table) for day in ordered]
        data[table] = pd.array([row.rows if row else None for row in found], dtype="Int64")
    data["set_aside"] = pd.array([row.rows_set_aside if row else None for row in raw], dtype="Int64")
    for name, attribute in (("failed_table", "table"), ("error_type", "error_type"), ("reason", "reason")):
        data[name] = pd.array([getattr(cause, attribute) if cause else None for cause in causes], dtype="object")
    data["failed_at"] = [cause.failed_at if cause else None for cause in causes]
    frame = pd.DataFrame(data)
    frame["failed_at"] = pd.to_datetime(frame["failed_at"], utc=True).dt.tz_convert(EASTERN)
    return frame

"""What results are computed from: committed rows of the same date and of earlier ones, looked up for many at once."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Iterable, Sequence

from fuzzy_pipeline.steps.step import Step, Work, dates_before
from fuzzy_pipeline.stores.manifest import CommittedKey, FailureRow, ManifestRow
from fuzzy_pipeline.stores.store import Store


class StepInputs:
    """Everything committed that some tables of a step depend on, for symbols on dates.

    A date that could not be renewed gives nothing, though its older version is still there to be read: neither as
    input of its own date nor to later ones.
    """

    def __init__(
        self,
        step: Step,
        store: Store,
        dates: Sequence[dt.date],
        symbols: Sequence[str] | None,
        tables: Iterable[str] | None = None,
    ) -> None:
        self._step = step
        self._rows: dict[str, dict[tuple[str, dt.date], ManifestRow]] = {}
        self._failures: dict[str, dict[tuple[str, dt.date], FailureRow]] = {}
        self._retired: set[tuple[str, str, dt.date]] = set()
        for table in (*step.inputs, *step.optional_inputs):
            rows: list[ManifestRow] = store.manifest.rows(table, dates, symbols)
            held = {(row.symbol, row.date) for row in rows}
            # Retired data cannot be read any more, but what was made from them can still be seen to be current.
            gone = [row for row in store.retired.rows(table, dates, symbols) if (row.symbol, row.date) not in held]
            self._retired.update((table, row.symbol, row.date) for row in gone)
            rows += gone
            # An optional input may have rows of which none matters to the step.
            self._rows[table] = {(row.symbol, row.date): row for row in rows if row.rows_out or table in step.inputs}
            failures = store.manifest.failures(table, dates, symbols)
            self._failures[table] = {(row.symbol, row.date): row for row in failures}
        self._history: dict[str, int] = {}
        for table in step.tables if tables is None else tables:
            for name, count in step.history(table).items():
                self._history[name] = max(count, self._history.get(name, 0))
        self._earlier = {name: self._read_earlier(store, name, dates, symbols) for name in self._history}

    def _read_earlier(
        self, store: Store, table: str, dates: Sequence[dt.date], symbols: Sequence[str] | None
    ) -> dict[str, tuple[CommittedKey, ...]]:
        wanted = sorted({date for day in dates for date in dates_before(day, self._history[table])})
        if not wanted:
            return {}
        failed = {(row.symbol, row.date) for row in store.manifest.failures(table, wanted, symbols)}
        found = store.manifest.keys(table, wanted, symbols)
        for symbol, retired in store.retired.keys(table, wanted, symbols).items():
            held = found.get(symbol, ())
            dates_held = {key.date for key in held}
            found[symbol] = tuple(sorted((*held, *(key for key in retired if key.date not in dates_held)), key=_date))
        return {
            symbol: tuple(key for key in keys if (symbol, key.date) not in failed) for symbol, keys in found.items()
        }

    def work(self, symbol: str, date: dt.date, tables: tuple[str, ...], batch: str = "") -> Work:
        """A symbol's work with all that is committed for it; inputs may lack tables (see ``missing``)."""
        inputs = {
            table: rows[symbol, date]
            for table, rows in self._rows.items()
            if (symbol, date) in rows and (symbol, date) not in self._failures[table]
        }
        earlier = {
            name: _between(self._earlier[name].get(symbol, ()), dates_before(date, count), date)
            for name, count in self._history.items()
        }
        return Work(symbol, date, tables, inputs, {name: keys for name, keys in earlier.items() if keys}, batch)

    def missing(self, symbol: str, date: dt.date) -> str | None:
        """Why the first missing input is missing, None when all are there."""
        for table in self._step.inputs:
            rows = self._rows[table]
            failed = self._failures[table].get((symbol, date))
            if failed is not None:
                return f"{symbol} {date}: no {table}, they failed: {failed.reason}"
            if (symbol, date) not in rows:
                return f"{symbol} {date}: no {table}, they were not materialised"
        return None

    def retired(self, symbol: str, date: dt.date) -> str | None:
        """Why a symbol cannot be worked on though its inputs were there once; None when all can be read."""
        gone = [table for table in self._step.inputs if (table, symbol, date) in self._retired]
        if not gone:
            return None
        return (
            f"{symbol} {date}: {', '.join(gone)} were retired; to fetch them again: "
            f"fuzzy run {date} --symbols {symbol} --assets {gone[0]} --force"
        )


def _between(keys: tuple[CommittedKey, ...], dates: tuple[dt.date, ...], end: dt.date) -> tuple[CommittedKey, ...]:
    """The keys, oldest first, from the first of the dates to before ``end``."""
    if not dates:
        return ()
    return keys[bisect_left(keys, dates[0], key=_date) : bisect_left(keys, end, key=_date)]


def _date(key: CommittedKey) -> dt.date:
    return key.date

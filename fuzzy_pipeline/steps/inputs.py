"""What results are computed from: committed rows of the same date and of earlier ones, looked up for many at once."""

from __future__ import annotations

import datetime as dt
from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence

from fuzzy_pipeline.steps.step import Step, Work, dates_before
from fuzzy_pipeline.stores.manifest import CommittedKey, FailureRow, ManifestRow
from fuzzy_pipeline.stores.retired import RetiredRow
from fuzzy_pipeline.stores.store import Store

Keys = tuple[CommittedKey, ...]
"""Of one symbol, oldest first."""
KeysOfSymbols = Mapping[str, Keys]


class StepInputs:
    """Everything committed that some tables of a step depend on, for symbols on dates.

    A date that could not be renewed gives nothing, though its older version is still there to be read: neither as
    input of its own date nor to later ones. Retired data can only tell whether what was made of them is current.
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
            held, gone = held_and_retired(store, table, dates, symbols)
            self._retired.update((table, row.symbol, row.date) for row in gone)
            rows = (*held, *gone)
            # An optional input may have rows of which none matters to the step.
            self._rows[table] = {(row.symbol, row.date): row for row in rows if row.rows_out or table in step.inputs}
            failures = store.manifest.failures(table, dates, symbols)
            self._failures[table] = {(row.symbol, row.date): row for row in failures}
        self._history: dict[str, int] = {}
        for table in step.tables if tables is None else tables:
            for name, count in step.history(table).items():
                self._history[name] = max(count, self._history.get(name, 0))
        read = {name: earlier_keys(store, name, dates, symbols, count) for name, count in self._history.items()}
        self._earlier = {name: held for name, (held, _) in read.items()}
        self._earlier_retired = {name: gone for name, (_, gone) in read.items()}

    def work(self, symbol: str, date: dt.date, tables: tuple[str, ...], batch: str = "") -> Work:
        """A symbol's work with all that is committed for it; inputs may lack tables (see ``missing``)."""
        inputs = {
            table: rows[symbol, date]
            for table, rows in self._rows.items()
            if (symbol, date) in rows and (symbol, date) not in self._failures[table]
        }
        earlier, retired = (self._window(keys, symbol, date) for keys in (self._earlier, self._earlier_retired))
        return Work(symbol, date, tables, inputs, earlier, batch, retired=retired)

    def _window(self, keys: Mapping[str, KeysOfSymbols], symbol: str, date: dt.date) -> dict[str, Keys]:
        """By table, those of a symbol's keys that are as far before a date as the step looks back."""
        found = {
            name: _between(keys[name].get(symbol, ()), dates_before(date, count), date)
            for name, count in self._history.items()
        }
        return {name: own for name, own in found.items() if own}

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


def held_and_retired(
    store: Store, table: str, dates: Sequence[dt.date], symbols: Sequence[str] | None
) -> tuple[list[ManifestRow], list[RetiredRow]]:
    """Committed rows, and those of which the data are retired.

    The latter cannot be read any more, but what was made from them can still be seen to be current.
    """
    held = store.manifest.rows(table, dates, symbols)
    keys = {(row.symbol, row.date) for row in held}
    retired = store.retired.rows(table, dates, symbols)
    return held, [row for row in retired if (row.symbol, row.date) not in keys]


def retired_symbols(store: Store, table: str, date: dt.date, symbols: Sequence[str]) -> set[str]:
    """Symbols whose data of a date are retired; one with a committed row, whatever it is worth, is none."""
    retired = {row.symbol for row in store.retired.rows(table, [date], symbols)}
    return retired - {symbol for symbol, _ in store.manifest.versions(table, [date], symbols)} if retired else retired


def earlier_keys(
    store: Store, table: str, dates: Sequence[dt.date], symbols: Sequence[str] | None, count: int
) -> tuple[KeysOfSymbols, KeysOfSymbols]:
    """What a table has, and had until it was retired, on as many trading dates before some dates; no failed ones."""
    wanted = sorted({date for day in dates for date in dates_before(day, count)})
    if not wanted:
        return {}, {}
    failed = {(row.symbol, row.date) for row in store.manifest.failures(table, wanted, symbols)}
    committed = store.manifest.keys(table, wanted, symbols)
    held = {(symbol, key.date) for symbol, keys in committed.items() for key in keys}
    retired = store.retired.keys(table, wanted, symbols)
    return _without(committed, failed), _without(retired, failed | held)


def _without(found: KeysOfSymbols, left_out: Collection[tuple[str, dt.date]]) -> KeysOfSymbols:
    return {symbol: tuple(key for key in keys if (symbol, key.date) not in left_out) for symbol, keys in found.items()}


def _between(keys: Keys, dates: tuple[dt.date, ...], end: dt.date) -> Keys:
    """The keys, oldest first, from the first of the dates to before ``end``."""
    if not dates:
        return ()
    return keys[bisect_left(keys, dates[0], key=_date) : bisect_left(keys, end, key=_date)]


def _date(key: CommittedKey) -> dt.date:
    return key.date

"""Prove that what the manifest names is there and is what was committed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from fuzzy_pipeline.errors import FuzzyError, NotStoredError
from fuzzy_pipeline.schema.arrays import length
from fuzzy_pipeline.schema.tables import HEAVY_TABLES, OFFICIAL_PRINTS, QUARANTINE, RAW_TICKS, Table
from fuzzy_pipeline.store_care.prune import unnamed_versions
from fuzzy_pipeline.store_care.retention import INGEST_TABLES
from fuzzy_pipeline.stores.light_rows import selected
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.stores.stored_content import HEAVY_BY_NAME, hash_of_light_rows, same_commit, stored_hash

Problem = Literal["missing", "unreadable", "rows", "hash", "kind", "torn", "file"]
"""What is wrong: no data; data that cannot be read; another number of rows; another content; data of the other kind;
light rows of another ingest than the ticks; a light file that cannot be read."""

MANIFEST = "manifest/"
BOOKKEEPING = (MANIFEST, "failures/", "retired/")
"""Light tables about other tables; the rest hold data."""

_LOOKS = 10
"""A row that is committed anew each time it is looked at is taken as it was the last time."""


@dataclass(frozen=True, slots=True)
class Broken:
    """One thing that is not as committed, and the command that mends it."""

    table: str
    symbol: str
    date: dt.date | None
    problem: Problem
    detail: str
    command: str


@dataclass(slots=True)
class TableCheck:
    """What was found in one table."""

    table: str
    checked: int = 0
    broken: list[Broken] = field(default_factory=list)
    unnamed_versions: int = 0
    """Heavy versions without a manifest row: superseded, under way, or left by a killed run. Not broken."""
    unnamed_symbols: int = 0
    """Symbol-dates with light rows and no manifest row. Not broken: no reader is told of them."""

    @property
    def ok(self) -> int:
        """Manifest rows that are proven."""
        return self.checked - len({(item.symbol, item.date) for item in self.broken if item.symbol})


Progress = Callable[[str, int], object]
"""Called with a table and how many of its rows are checked."""


def check_store(
    store: Store,
    *,
    tables: Sequence[str] | None = None,
    dates: Sequence[dt.date] | None = None,
    symbols: Sequence[str] | None = None,
    quick: bool = False,
    progress: Progress | None = None,
) -> list[TableCheck]:
    """Check every committed symbol and date, or some, table by table.

    Data are read whole and their content hash is computed again; ``quick`` reads one column and counts rows. A row
    that changes while it is checked (a run goes on beside) is looked at again. Light rows that have no manifest of
    their own (ticks set aside, official prints, flags) are checked by ingest id and counts, bookkeeping and other
    light files by reading them.
    """
    checks = {table: TableCheck(table) for table in tables or _committed_tables(store)}
    for table, check in checks.items():
        for date in _dates_of(store, MANIFEST + table, dates, check):
            rows = _manifest_rows(store, table, date, symbols, check)
            whole = _LightDate(store, table, date)
            for row in rows:
                check.checked += 1
                check.broken.extend(_broken(store, row, quick, whole))
                if progress is not None:
                    progress(table, check.checked)
            if table == RAW_TICKS.name:
                check.broken.extend(_torn(store, date, rows))
        if symbols is None:
            _count_unnamed(store, check, dates)
    if tables is None:
        checks |= {check.table: check for check in _other_light_tables(store, dates, checks)}
    return list(checks.values())


def _committed_tables(store: Store) -> list[str]:
    names = [name.removeprefix(MANIFEST) for name in store.light.tables() if name.startswith(MANIFEST)]
    order = [table.name for table in HEAVY_TABLES]
    return sorted(names, key=lambda name: (order.index(name) if name in order else len(order), name))


def _dates_of(store: Store, light: str, dates: Sequence[dt.date] | None, check: TableCheck) -> list[dt.date]:
    try:
        held = store.light.dates(light)
    except (FuzzyError, OSError, ValueError) as error:
        check.broken.append(Broken(check.table, "", None, "file", f"{light}: {error}", _RESTORE))
        return []
    return held if dates is None else [date for date in held if date in set(dates)]


_RESTORE = "restore the file from a backup: fuzzy store restore"


def _manifest_rows(
    store: Store, table: str, date: dt.date, symbols: Sequence[str] | None, check: TableCheck
) -> list[ManifestRow]:
    try:
        return store.manifest.rows(table, [date], symbols)
    except (FuzzyError, ValidationError, pa.ArrowException, OSError) as error:
        detail = f"{MANIFEST}{table}: {_first_line(error)}"
        check.broken.append(Broken(table, "", date, "file", detail, _after_removing(table, date)))
        return []


class _LightDate:
    """The rows of a light table and date, read once for all symbols when first asked for."""

    def __init__(self, store: Store, table: str, date: dt.date) -> None:
        self._store, self._table, self._date = store, table, date
        self._rows: pa.Table | None = None

    def of(self, symbol: str) -> pa.Table:
        """The symbol's rows; raises what reading the file raises."""
        if self._rows is None:
            self._rows = self._store.light.read(self._table, dates=[self._date])
        if self._rows is None:
            raise NotStoredError(f"{self._table} {self._date}: no rows in the light tier")
        return selected(self._rows, [symbol])


def _broken(store: Store, row: ManifestRow, quick: bool, whole: _LightDate) -> list[Broken]:
    """What is wrong with a row's data; a row that is not the committed one any more is not wrong."""
    found = _problem(store, row, quick, whole)
    for _ in range(_LOOKS):
        if found is None:
            return []
        now = store.manifest.find(row.table, row.symbol, row.date)
        if now is None:
            return []
        if same_commit(now, row):
            break
        row = now
        found = _problem(store, row, quick, _LightDate(store, row.table, row.date))
    return [] if found is None else [Broken(row.table, row.symbol, row.date, *found, _mended_by(row, found[0]))]


def _problem(store: Store, row: ManifestRow, quick: bool, whole: _LightDate) -> tuple[Problem, str] | None:
    if row.kind != store.kind:
        return "kind", f"{row.kind} data in a store of {store.kind} data"
    try:
        content, rows = _content(store, row, quick, whole)
    except NotStoredError as error:
        return "missing", _first_line(error)
    except (FuzzyError, pa.ArrowException, OSError) as error:
        return "unreadable", _first_line(error)
    if rows != row.rows:
        return ("missing" if not rows else "rows"), f"{rows} rows, {row.rows} were committed"
    if content not in (None, row.content_hash):
        return "hash", f"content hash {content}, {row.content_hash} was committed"
    return None


def _content(store: Store, row: ManifestRow, quick: bool, whole: _LightDate) -> tuple[str | None, int]:
    """Content hash (None when quick) and number of rows of what is stored."""
    table = HEAVY_BY_NAME.get(row.table)
    if table is None and not row.rows:
        return None, 0  # a date may have no file when no symbol has rows: there is nothing to prove
    if table is None:
        records = whole.of(row.symbol)
        return None if quick else hash_of_light_rows(row.table, records), records.num_rows
    if not quick:
        return stored_hash(store, row)
    found = store.heavy.read(table, row.symbol, row.date, row.version, columns=[_narrowest(table)])
    return None, length(found.arrays)


def _mended_by(row: ManifestRow, problem: Problem) -> str:
    command = _again(row.table, row.date, (row.symbol,))
    if problem == "unreadable" and row.table not in HEAVY_BY_NAME:
        # Writing a symbol reads the date's file first: a damaged one is in the way.
        return _after_removing(row.table, row.date)
    return command


def _narrowest(table: Table) -> str:
    return min(table.stored, key=lambda column: np.dtype(column.dtype).itemsize).name


def _torn(store: Store, date: dt.date, rows: Iterable[ManifestRow]) -> list[Broken]:
    """Raw ticks whose light rows come from another ingest, or are not as many as were committed."""
    by_symbol = {row.symbol: row for row in rows}
    broken = []
    for light in INGEST_TABLES:
        try:
            found = store.light.read(light, dates=[date], symbols=list(by_symbol), columns=["symbol", "ingest_id"])
        except (FuzzyError, pa.ArrowException, OSError) as error:
            broken.append(Broken(light, "", date, "file", _first_line(error), _after_removing(RAW_TICKS.name, date)))
            continue
        ids: dict[str, list[str]] = {symbol: [] for symbol in by_symbol}
        if found is not None:
            for symbol, ingest_id in zip(found["symbol"].to_pylist(), found["ingest_id"].to_pylist(), strict=True):
                ids[symbol].append(ingest_id)
        for symbol, row in by_symbol.items():
            why = _why_torn(light, ids[symbol], row)
            if why and same_commit(store.manifest.find(row.table, symbol, date), row):
                command = _again(RAW_TICKS.name, date, (symbol,))
                broken.append(Broken(RAW_TICKS.name, symbol, date, "torn", why, command))
    return broken


def _why_torn(light: str, ids: Sequence[str], row: ManifestRow) -> str:
    if set(ids) - {row.ingest_id}:
        return f"{light} rows of another ingest than the ticks"
    expected = {QUARANTINE.name: row.rows_set_aside, OFFICIAL_PRINTS.name: row.rows_official}.get(light, len(ids))
    return "" if len(ids) == expected else f"{len(ids)} rows in {light}, {expected} were committed"


def _count_unnamed(store: Store, check: TableCheck, dates: Sequence[dt.date] | None) -> None:
    table = HEAVY_BY_NAME.get(check.table)
    wanted = None if dates is None else set(dates)
    try:
        if table is not None:
            found = unnamed_versions(store, table)
            check.unnamed_versions = sum(wanted is None or version.date in wanted for version in found)
            return
        for date in store.light.dates(check.table):
            if wanted is None or date in wanted:
                rows = store.light.read(check.table, dates=[date], columns=["symbol"])
                held = set(rows["symbol"].to_pylist()) if rows is not None else set()
                named = {row.symbol for row in store.manifest.rows(check.table, [date])}
                check.unnamed_symbols += len(held - named)
    except (FuzzyError, ValidationError, pa.ArrowException, OSError) as error:
        if not check.broken:  # otherwise the same damage is reported there with its date
            check.broken.append(Broken(check.table, "", None, "file", _first_line(error), _RESTORE))


def _other_light_tables(store: Store, dates: Sequence[dt.date] | None, checked: Iterable[str]) -> Iterable[TableCheck]:
    """Tables without a manifest of their own: every file must be readable."""
    done = {*checked, *(MANIFEST + name for name in checked)}
    for table in store.light.tables():
        if table in done:
            continue
        check = TableCheck(table)
        for date in _dates_of(store, table, dates, check):
            check.checked += 1
            try:
                store.light.read(table, dates=[date])
            except (FuzzyError, pa.ArrowException, OSError) as error:
                command = _after_removing(RAW_TICKS.name, date) if table in INGEST_TABLES else _RESTORE
                check.broken.append(Broken(table, "", date, "file", _first_line(error), command))
        yield check


def _again(table: str, date: dt.date, symbols: Sequence[str]) -> str:
    chosen = f" --symbols {','.join(symbols)}" if symbols else ""
    return f"fuzzy run {date:%Y-%m-%d}{chosen} --assets {table} --force"


def _after_removing(table: str, date: dt.date) -> str:
    return f"remove the file, then {_again(table, date, ())}"


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else repr(error)

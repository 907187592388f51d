"""A store as a whole: heavy tier, light tier, manifest and the stamp that tells what it is.

Belongs here: creating and opening stores, and the reads and writes that go through the manifest.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.errors import NotStoredError, SchemaError, StoreError
from fuzzy_pipeline.schema.arrays import Arrays, length
from fuzzy_pipeline.schema.columns import Column
from fuzzy_pipeline.schema.tables import Table
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.sources.protocol import DataKind
from fuzzy_pipeline.stores.arctic import ArcticHeavyStore
from fuzzy_pipeline.stores.file_lock import disk_errors, held
from fuzzy_pipeline.stores.manifest import Manifest, ManifestRow, ManifestSnapshot
from fuzzy_pipeline.stores.parquet import ParquetLightStore
from fuzzy_pipeline.stores.protocol import HeavyKey, HeavyStore, LightStore, Metadata, StoredArrays
from fuzzy_pipeline.stores.retired import Retired
from fuzzy_pipeline.stores.stamp import Stamp, check_stamp, new_stamp, read_stamp, write_stamp

_KEY_LOCKS = 1024
"""Lock files that all heavy keys share: two keys meet in one about never, and the folder stays small."""


@dataclass(frozen=True, slots=True)
class StoreLocation:
    """All a worker process needs to open a store; can be pickled. The URI may hold keys: do not print it."""

    kind: DataKind
    heavy_uri: str = field(repr=False)
    light_path: Path
    lock_timeout_s: float

    def open(self) -> Store:
        """Open the store in this process; raises as ``open_store``."""
        stamp = read_stamp(self.light_path)
        if stamp is None:
            raise NotStoredError(
                f"no store at {self.light_path}: the first run that stores ticks creates one. If yours is elsewhere, "
                "set FUZZY_HOME (or FUZZY_STORE__LIGHT_PATH and FUZZY_STORE__HEAVY_URI)"
            )
        check_stamp(stamp, self.light_path, self.heavy_uri, self.kind)
        return Store(
            kind=self.kind,
            root=self.light_path,
            heavy=ArcticHeavyStore(self.heavy_uri),
            light=ParquetLightStore(self.light_path, self.lock_timeout_s),
            location=self,
        )


class Store:
    """Heavy tier, light tier and manifest of one store. Pickles as its location and opens again where it arrives."""

    def __init__(
        self, *, kind: DataKind, root: Path, heavy: HeavyStore, light: LightStore, location: StoreLocation | None
    ) -> None:
        self.kind = kind
        self.root = root
        self.heavy = heavy
        self.light = light
        self.manifest = Manifest(light)
        self.retired = Retired(light)
        self.location = location

    def looked_at_once(self) -> Store:
        """The same store with a manifest that reads everything once; for reading only, and only for a moment."""
        found = Store(kind=self.kind, root=self.root, heavy=self.heavy, light=self.light, location=self.location)
        found.manifest = ManifestSnapshot(self.light)
        return found

    def __reduce__(self) -> tuple[Any, tuple[StoreLocation]]:
        if self.location is None:
            raise StoreError("a store in memory cannot be sent to another process")
        return StoreLocation.open, (self.location,)

    def write(self, table: Table, symbol: str, date: dt.date, arrays: Arrays, metadata: Metadata | None = None) -> int:
        """Write a new version of a heavy key and return its number; invisible until the manifest commits it.

        Columns that come from the key (``date`` of raw ticks, ``symbol``) may be among the arrays: they are checked
        against the key and not stored. One writer per key at a time, under a file lock.

        Raises
        ------
        SchemaError
            Columns or types are not the table's, or a key column says something else than the key.
        StoreFullError, StoreError
            The heavy tier could not write.
        """
        stored = _without_key_columns(table, symbol, date, arrays)
        with self.one_writer(_key(table, symbol, date)):
            return self.heavy.write(table, symbol, date, stored, metadata or {})

    def read(
        self,
        table: Table,
        symbol: str,
        date: dt.date,
        *,
        columns: Sequence[str] | None = None,
        rows: tuple[int, int] | None = None,
        version: int | None = None,
    ) -> StoredArrays:
        """The committed version of a heavy key: all stored columns, or those named, in that order.

        Named ``date`` and ``symbol`` columns are attached from the key. Whoever has looked up the manifest row names
        its ``version``: then exactly that one is read, whatever is committed meanwhile.

        Raises
        ------
        NotStoredError
            Nothing is committed under this table, symbol and date.
        SchemaError
            The table has no such column.
        """
        version = self.committed(table, symbol, date).version if version is None else version
        asked = None if columns is None else [name for name in columns if not table.column(name).from_key]
        found = self.heavy.read(table, symbol, date, version, columns=_measurable(table, asked), rows=rows)
        if columns is None:
            return found
        count = length(found.arrays)
        arrays = {
            name: _key_column(table, table.column(name), [(symbol, date)], [count])
            if table.column(name).from_key
            else found.arrays[name]
            for name in columns
        }
        return StoredArrays(arrays, found.metadata, found.version)

    def read_many(
        self,
        table: Table,
        keys: Sequence[tuple[str, dt.date]],
        *,
        columns: Sequence[str] | None = None,
        rows: Mapping[tuple[str, dt.date], tuple[int, int]] | None = None,
    ) -> Arrays:
        """Committed versions of several (symbol, date) keys, one below the other in the order given.

        ``rows`` limits some keys to a half-open row range. Named ``date`` and ``symbol`` columns are attached.

        Raises
        ------
        NotStoredError
            Some keys are not committed; the message names them.
        """
        committed = self._committed_many(table, keys)
        ranges = {key: _cut(committed[key][1], (rows or {}).get(key)) for key in keys}
        counts = [ranges[key][1] - ranges[key][0] for key in keys]
        asked = None if columns is None else [name for name in columns if not table.column(name).from_key]
        wanted = [
            HeavyKey(key[0], key[1], committed[key][0], ranges[key] if key in (rows or {}) else None)
            for key, count in zip(keys, counts, strict=True)
            if count  # an empty key does not join with others inside ArcticDB
        ]
        found = self.heavy.read_many(table, wanted, columns=_measurable(table, asked))
        if columns is None:
            return found
        return {
            name: _key_column(table, table.column(name), keys, counts) if table.column(name).from_key else found[name]
            for name in columns
        }

    def committed(self, table: Table, symbol: str, date: dt.date) -> ManifestRow:
        """The manifest row of a key; ``NotStoredError`` with the last failure's reason when there is none."""
        row = self.manifest.find(table.name, symbol, date)
        if row is None:
            failed = self.manifest.failures(table.name, [date], [symbol])
            reason = f"; it failed {failed[0].failed_at:%Y-%m-%d %H:%M} ET: {failed[0].reason}" if failed else ""
            gone = None if failed else self.retired.find(table.name, symbol, date)
            if gone is not None:
                reason = f"; it was retired {gone.retired_at:%Y-%m-%d %H:%M} ET: {gone.retired_why}"
            raise NotStoredError(f"{table.name} {symbol} {date:%Y-%m-%d}: nothing is committed{reason}")
        return row

    def delete_versions(self, table: Table, symbol: str, date: dt.date, versions: Sequence[int]) -> list[int]:
        """Delete versions of a heavy key and return which; the committed one stays, whatever is asked for.

        Under the lock of the key's writers, and the manifest is looked at again there: deleting writes to the key.
        """
        with self.one_writer(_key(table, symbol, date)):
            row = self.manifest.find(table.name, symbol, date)
            doomed = [version for version in versions if row is None or version != row.version]
            if doomed:
                self.heavy.delete_versions(table, symbol, date, doomed)
        return doomed

    @contextlib.contextmanager
    def maintenance(self, what: str) -> Iterator[None]:
        """Hold the lock of those who look after the whole store: backups and deletions take turns; runs go on."""
        if self.location is None:
            yield
            return
        with disk_errors(what), held(self.root / ".locks" / "maintenance.lock", self.location.lock_timeout_s, what):
            yield

    def close(self) -> None:
        """Give back the handles of both tiers."""
        self.heavy.close()
        self.light.close()

    def _committed_many(
        self, table: Table, keys: Sequence[tuple[str, dt.date]]
    ) -> dict[tuple[str, dt.date], tuple[int, int]]:
        symbols, dates = sorted({key[0] for key in keys}), sorted({key[1] for key in keys})
        found = self.manifest.versions(table.name, dates, symbols)
        missing = [f"{symbol} {date:%Y-%m-%d}" for symbol, date in keys if (symbol, date) not in found]
        if missing:
            shown = ", ".join(missing[:10]) + (f" and {len(missing) - 10} more" if len(missing) > 10 else "")
            raise NotStoredError(f"{table.name}: nothing is committed for {shown}")
        return found

    @contextlib.contextmanager
    def one_writer(self, what: str) -> Iterator[None]:
        """Hold the lock of all who write ``what``; nothing to hold in memory, where there is one process."""
        if self.location is None:
            yield
            return
        lock = self.root / ".locks" / f"key-{zlib.crc32(what.encode()) % _KEY_LOCKS}.lock"
        with disk_errors(what), held(lock, self.location.lock_timeout_s, what):
            yield


def _key(table: Table, symbol: str, date: dt.date) -> str:
    return f"{table.name} {symbol} {date:%Y-%m-%d}"


def create_store(settings: Settings, kind: DataKind, tables: Sequence[Table]) -> Store:
    """Create a store, or complete one that a killed run left half created, and open it.

    Safe to call from several processes at once and on an existing store, which gains the tables it lacks.

    Raises
    ------
    StoreKindError, StoreSchemaError
        A store of another kind or schema version is already there.
    StoreError
        The folder holds data without a stamp.
    """
    root, names = settings.light_path, sorted(table.name for table in tables if table.tier == "heavy")
    what = f"creating the store at {root}"
    with disk_errors(what), held(root / ".create.lock", settings.store.lock_timeout_s, what):
        stamp = read_stamp(root)
        if stamp is None:
            _refuse_data_without_stamp(root)
            stamp = new_stamp(kind, root, settings.heavy_uri)
        check_stamp(stamp, root, settings.heavy_uri, kind)
        heavy = ArcticHeavyStore(settings.heavy_uri)
        heavy.create([table for table in tables if table.tier == "heavy"])
        heavy.close()
        # Last: a run killed before this line leaves libraries without a stamp, which the next call completes.
        write_stamp(root, stamp.model_copy(update={"tables": tuple(sorted({*stamp.tables, *names}))}))
    return open_store(settings, expect_kind=kind)


def open_store(settings: Settings, *, expect_kind: DataKind | None = None) -> Store:
    """Open an existing store, of whichever kind unless one is expected.

    Raises
    ------
    NotStoredError
        There is no store.
    StoreKindError
        The store is of the other kind than expected.
    StoreSchemaError
        The store was written with another schema version.
    StoreError
        The stamp is damaged, or names another heavy store.
    """
    root = settings.light_path
    stamp = read_stamp(root)
    kind: DataKind = expect_kind or (stamp.kind if stamp else "real")
    return StoreLocation(kind, settings.heavy_uri, root, settings.store.lock_timeout_s).open()


def open_or_create_store(settings: Settings, kind: DataKind, tables: Sequence[Table]) -> Store:
    """Open the store; create it, or the tables it lacks, when needed. Raises as the two."""
    stamp: Stamp | None = read_stamp(settings.light_path)
    names = {table.name for table in tables if table.tier == "heavy"}
    if stamp is None or not names <= set(stamp.tables):
        return create_store(settings, kind, tables)
    return open_store(settings, expect_kind=kind)


def _refuse_data_without_stamp(root: Path) -> None:
    tables = ParquetLightStore(root).tables()
    if tables:
        raise StoreError(
            f"{root} holds tables ({', '.join(tables)}) but no store.json, so whether they are real or simulated is "
            "unknown. Restore store.json, or choose another FUZZY_HOME"
        )


def _without_key_columns(table: Table, symbol: str, date: dt.date, arrays: Arrays) -> Arrays:
    attached = [column for column in table.columns if column.from_key and column.name in arrays]
    for column in attached:
        expected = _key_value(table, column, symbol, date)
        if np.any(arrays[column.name] != expected):
            raise SchemaError(f"{table.name} {symbol} {date}: column {column.name} has rows other than {expected}")
    names = {column.name for column in attached}
    return {name: array for name, array in arrays.items() if name not in names}


def _key_value(table: Table, column: Column, symbol: str, date: dt.date) -> np.generic:
    if column.name == "date":
        return np.datetime64(date, "D")
    if column.name == "symbol":
        return np.str_(symbol)
    raise SchemaError(f"table {table.name}: column {column.name} is not in the key; it stands in the key's metadata")


def _key_column(
    table: Table, column: Column, keys: Sequence[tuple[str, dt.date]], counts: Sequence[int]
) -> NDArray[Any]:
    values = np.array([_key_value(table, column, symbol, date) for symbol, date in keys])
    return np.repeat(values, counts)


def _measurable(table: Table, names: Sequence[str] | None) -> Sequence[str] | None:
    """At least one stored column, so that the number of rows is known when only key columns are asked for."""
    return [table.stored[0].name] if names is not None and not names else names


def _cut(count: int, rows: tuple[int, int] | None) -> tuple[int, int]:
    return (0, count) if rows is None else (min(rows[0], count), min(rows[1], count))

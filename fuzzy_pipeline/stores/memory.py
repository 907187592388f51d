"""Stores in dictionaries: the same contract as the real ones, for tests that are about something else.

Belongs here: test doubles of the heavy and the light tier. They live in one process and die with it.
"""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fuzzy_pipeline.errors import NotStoredError, StoreError
from fuzzy_pipeline.schema.arrays import Arrays, concatenate
from fuzzy_pipeline.schema.tables import Table, check_arrays
from fuzzy_pipeline.sources.protocol import DataKind
from fuzzy_pipeline.stores.arctic import check_json, check_range, stored_columns
from fuzzy_pipeline.stores.light_rows import check_rows, check_table_name, joined, projected, replaced, selected
from fuzzy_pipeline.stores.protocol import HeavyKey, HeldVersion, Metadata, StoredArrays
from fuzzy_pipeline.stores.store import Store


@dataclass(frozen=True, slots=True)
class _Version:
    arrays: dict[str, NDArray[Any]]
    metadata: Metadata
    written_at: dt.datetime


class MemoryHeavyStore:
    """``HeavyStore`` in a dictionary. Arrays are copied in and out: a version never changes."""

    def __init__(self) -> None:
        self._tables: set[str] = set()
        self._keys: dict[tuple[str, str, dt.date], dict[int, _Version]] = {}
        self._next: dict[tuple[str, str, dt.date], int] = {}

    def create(self, tables: Sequence[Table]) -> None:
        """Remember the tables' names."""
        self._tables.update(table.name for table in tables)

    def write(self, table: Table, symbol: str, date: dt.date, arrays: Arrays, metadata: Metadata) -> int:
        """Copy the arrays under a new version."""
        where = f"{table.name} {symbol} {date:%Y-%m-%d}"
        check_arrays(table, arrays, where)
        check_json(metadata, where)
        self._check_created(table)
        if table.index is not None and np.any(np.diff(arrays[table.index].view(np.int64)) < 0):
            raise StoreError(f"{where}: rows are not in order of the table's index; nothing was written")
        key = (table.name, symbol, date)
        version = self._next.get(key, 0)
        columns = {name: array.copy() for name, array in arrays.items()}
        self._keys.setdefault(key, {})[version] = _Version(
            columns, copy.deepcopy(dict(metadata)), dt.datetime.now(dt.UTC)
        )
        self._next[key] = version + 1
        return version

    def read(
        self,
        table: Table,
        symbol: str,
        date: dt.date,
        version: int,
        *,
        columns: Sequence[str] | None = None,
        rows: tuple[int, int] | None = None,
    ) -> StoredArrays:
        """Copies of one version's columns."""
        wanted = stored_columns(table, columns)
        found = self._version(table, symbol, date, version)
        chosen = slice(*(check_range(rows, table.name) or (0, None)))
        arrays = {column.name: found.arrays[column.name][chosen].copy() for column in wanted}
        return StoredArrays(arrays, copy.deepcopy(found.metadata), version)

    def read_many(self, table: Table, keys: Sequence[HeavyKey], *, columns: Sequence[str] | None = None) -> Arrays:
        """Several keys of one table, one below the other."""
        if not keys:
            return {column.name: np.empty(0, column.dtype) for column in stored_columns(table, columns)}
        return concatenate(
            [self.read(table, k.symbol, k.date, k.version, columns=columns, rows=k.rows).arrays for k in keys]
        )

    def metadata(self, table: Table, symbol: str, date: dt.date, version: int) -> Metadata:
        """A copy of the metadata written with one version."""
        return copy.deepcopy(self._version(table, symbol, date, version).metadata)

    def metadata_many(self, table: Table, keys: Sequence[HeavyKey]) -> list[Metadata]:
        """The metadata of several keys, in the order given."""
        return [self.metadata(table, key.symbol, key.date, key.version) for key in keys]

    def versions(self, table: Table, symbol: str, date: dt.date) -> list[int]:
        """Versions held for a key, oldest first."""
        self._check_created(table)
        return sorted(self._keys.get((table.name, symbol, date), {}))

    def delete_versions(self, table: Table, symbol: str, date: dt.date, versions: Sequence[int]) -> None:
        """Forget versions of a key; numbers are not used again."""
        self._check_created(table)
        for version in versions:
            self._keys.get((table.name, symbol, date), {}).pop(version, None)

    def held_versions(self, table: Table) -> list[HeldVersion]:
        """Every version of every key, by symbol, date and version."""
        self._check_created(table)
        return [
            HeldVersion(symbol, date, number, version.written_at)
            for (name, symbol, date), versions in sorted(self._keys.items())
            if name == table.name
            for number, version in sorted(versions.items())
        ]

    def key_bytes(self, table: Table) -> dict[tuple[str, dt.date], int]:
        """Bytes of the arrays of all versions of each key."""
        self._check_created(table)
        return {
            (symbol, date): sum(array.nbytes for version in versions.values() for array in version.arrays.values())
            for (name, symbol, date), versions in self._keys.items()
            if name == table.name
        }

    def close(self) -> None:
        """Nothing is held."""

    def _check_created(self, table: Table) -> None:
        if table.name not in self._tables:
            raise NotStoredError(f"table {table.name} was never created in this store; create the store's tables")

    def _version(self, table: Table, symbol: str, date: dt.date, version: int) -> _Version:
        self._check_created(table)
        found = self._keys.get((table.name, symbol, date), {}).get(version)
        if found is None:
            raise NotStoredError(f"{table.name} {symbol} {date:%Y-%m-%d}, version {version}: not stored")
        return found


class MemoryLightStore:
    """``LightStore`` in a dictionary."""

    def __init__(self) -> None:
        self._files: dict[tuple[str, dt.date], pa.Table] = {}

    def replace_symbols(self, table: str, date: dt.date, rows: pa.Table, symbols: Sequence[str]) -> None:
        """Put ``rows`` in place of everything the date has for ``symbols``."""
        key = (check_table_name(table), date)
        check_rows(table, date, rows, symbols)
        whole = replaced(self._files.get(key), rows, symbols, f"light table {table}, {date:%Y-%m-%d}")
        if whole.num_rows:
            self._files[key] = whole
        else:
            self._files.pop(key, None)

    def read(
        self,
        table: str,
        *,
        dates: Sequence[dt.date] | None = None,
        symbols: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table | None:
        """Rows of the named dates and symbols, by date and symbol; all columns or some."""
        where = f"light table {table}"
        chosen = self.dates(table) if dates is None else sorted(set(dates))
        found = [self._files[check_table_name(table), date] for date in chosen if (table, date) in self._files]
        parts = [selected(part, symbols) for part in found]
        return projected(joined(parts, where), columns, where) if parts else None

    def dates(self, table: str) -> list[dt.date]:
        """Dates that have rows, in order."""
        check_table_name(table)
        return sorted(date for name, date in self._files if name == table)

    def tables(self) -> list[str]:
        """Names of the tables that have rows, in order."""
        return sorted({name for name, _ in self._files})

    def close(self) -> None:
        """Nothing is held."""


def memory_store(kind: DataKind, tables: Sequence[Table]) -> Store:
    """A store in memory with its tables created. It cannot be opened by another process."""
    heavy = MemoryHeavyStore()
    heavy.create([table for table in tables if table.tier == "heavy"])
    return Store(kind=kind, root=Path("memory"), heavy=heavy, light=MemoryLightStore(), location=None)

"""What a store is: heavy tables by symbol and date, light tables by date, and the manifest that commits both."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.tables import Table

Metadata = Mapping[str, Any]
"""JSON types only (str, int, float, bool, None, list, dict): what ArcticDB keeps without pickling."""


@dataclass(frozen=True, slots=True)
class StoredArrays:
    """What one heavy key holds: its arrays, the metadata written with them and the version read."""

    arrays: Arrays
    metadata: Metadata
    version: int


@dataclass(frozen=True, slots=True)
class HeldVersion:
    """A version that is there, committed or not, and when it was written."""

    symbol: str
    date: dt.date
    version: int
    written_at: dt.datetime


@dataclass(frozen=True, slots=True)
class HeavyKey:
    """One version of a heavy key to read with others, whole or a half-open row range."""

    symbol: str
    date: dt.date
    version: int
    rows: tuple[int, int] | None = None


class HeavyStore(Protocol):
    """Ticks and bars: one immutable version per write of a (table, symbol, date) key.

    Writes make a new version and never prune; a reader names the version it wants, so a running write is
    invisible until the manifest points at it. One writer per key at a time.
    """

    def create(self, tables: Sequence[Table]) -> None:
        """Create what the tables need. Called once per store, by one process."""
        ...

    def write(self, table: Table, symbol: str, date: dt.date, arrays: Arrays, metadata: Metadata) -> int:
        """Write the table's stored columns under the key and return the new version.

        Raises
        ------
        StoreFullError
            The disk or the map is full; the key keeps its earlier versions.
        StoreError
            The write failed for any other reason.
        """
        ...

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
        """Read one version, all stored columns or some, all rows or a half-open row range cut at the end.

        Raises
        ------
        NotStoredError
            There is no such key or version.
        SchemaError
            A column is not one of the table's stored columns.
        StoreSchemaError
            The version was written without a column or with another type.
        """
        ...

    def read_many(self, table: Table, keys: Sequence[HeavyKey], *, columns: Sequence[str] | None = None) -> Arrays:
        """Several keys of one table, one below the other in the order given; raises as ``read``."""
        ...

    def metadata(self, table: Table, symbol: str, date: dt.date, version: int) -> Metadata:
        """The metadata written with one version, without its arrays."""
        ...

    def metadata_many(self, table: Table, keys: Sequence[HeavyKey]) -> list[Metadata]:
        """The metadata of several keys, in the order given."""
        ...

    def versions(self, table: Table, symbol: str, date: dt.date) -> list[int]:
        """Versions held for a key, oldest first; empty when there is none."""
        ...

    def delete_versions(self, table: Table, symbol: str, date: dt.date, versions: Sequence[int]) -> None:
        """Delete versions of a key; those that do not exist are ignored."""
        ...

    def held_versions(self, table: Table) -> list[HeldVersion]:
        """Every version of every key of a table, by symbol, date and version."""
        ...

    def key_bytes(self, table: Table) -> dict[tuple[str, dt.date], int]:
        """Bytes that all versions of each (symbol, date) take as they are stored."""
        ...

    def close(self) -> None:
        """Give back handles."""
        ...


class LightStore(Protocol):
    """Small tables: one file per table and date, holding all symbols, replaced whole and atomically."""

    def replace_symbols(self, table: str, date: dt.date, rows: pa.Table, symbols: Sequence[str]) -> None:
        """Put ``rows`` in place of everything the date's file has for ``symbols``; other symbols stay.

        ``rows`` must have a ``symbol`` column with values from ``symbols``; it may be empty, which removes
        them. Held under a lock per (table, date); a waiting writer logs whom it waits for.
        """
        ...

    def read(
        self,
        table: str,
        *,
        dates: Sequence[dt.date] | None = None,
        symbols: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table | None:
        """Rows of the named dates and symbols (all when None), by date and symbol; all columns or some.

        A field of a struct is asked for by its dotted name (``basic_stats.vwap``) and comes as a column of that name.
        None when none of the dates has rows; a table without rows when only the symbols are missing.
        ``StoreError`` when a named column is in none of the dates.
        """
        ...

    def dates(self, table: str) -> list[dt.date]:
        """Dates that have rows, in order."""
        ...

    def tables(self) -> list[str]:
        """Names of the tables that have rows, in order."""
        ...

    def close(self) -> None:
        """Give back handles."""
        ...

"""The heavy tier: ArcticDB, one library per table, one key per symbol and date, one version per write.

Belongs here: how arrays become ArcticDB frames and come back with exactly the types of the schema.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.errors import SchemaError, StoreError, StoreFullError, StoreSchemaError
from fuzzy_pipeline.schema.arrays import Arrays, concatenate
from fuzzy_pipeline.schema.columns import INSTANT, Column
from fuzzy_pipeline.schema.tables import BAR_TABLES, Table, check_arrays
from fuzzy_pipeline.stores.arctic_connection import (
    checked,
    join_connection,
    leave_connection,
    library,
    lmdb_path,
    translated_errors,
    uri_without_options,
)
from fuzzy_pipeline.stores.file_lock import disk_errors, held
from fuzzy_pipeline.stores.protocol import HeavyKey, HeldVersion, Metadata, StoredArrays
from fuzzy_pipeline.trading_calendar import EASTERN

if TYPE_CHECKING:
    import pandas as pd

_SPARE_BYTES = 32 << 20
"""Free space that must remain beside the uncompressed size of a write.

LMDB writes through a memory map here: when the disk fills up under it the process does not get an error, it is killed
(SIGBUS or SIGSEGV, seen on a 3 MB tmpfs with arcticdb 6.28.2). So the room is asked for before the write. Columns
compress about threefold, which leaves room for writers that ask at the same moment.
"""
_CREATE_TIMEOUT_S = 120.0

_BARS = frozenset(table.name for table in BAR_TABLES.values())
_BAR_SEGMENT_ROWS = 10_000
"""A key of bars holds all series of a date and one of them is read: whole segments are decompressed for it. A year of
daily bars takes half the time, a week of 1m bars with all columns a third (63 columns, 21,500 rows a date); writing a
date takes the same.
"""


class ArcticHeavyStore:
    """ArcticDB behind the ``HeavyStore`` protocol. Opened when first used, inside the process that uses it.

    Instances of one process share one connection per URI; a fork opens its own; a pickled store carries the URI only.
    """

    def __init__(self, uri: str) -> None:
        self.uri = uri

    def __reduce__(self) -> tuple[type[ArcticHeavyStore], tuple[str]]:
        return type(self), (self.uri,)

    def create(self, tables: Sequence[Table]) -> None:
        """Create the libraries that are missing. Under a file lock on LMDB; on S3 only one process may do this.

        Raises
        ------
        SchemaError
            A table has a stored column that ArcticDB would change or refuse.
        StoreError
            A library cannot be created, or another process holds the lock too long.
        """
        for table in tables:
            _check_storable(table)
        folder = lmdb_path(self.uri)
        if folder is None:
            self._create_missing(tables)
            return
        what = f"creating tables in {folder}"
        with disk_errors(what), held(folder / ".create.lock", _CREATE_TIMEOUT_S, what):
            self._create_missing(tables)

    def _create_missing(self, tables: Sequence[Table]) -> None:
        from arcticdb import LibraryOptions

        arctic = join_connection(self.uri, id(self)).arctic
        with translated_errors(f"creating tables in {uri_without_options(self.uri)}"):
            existing = set(arctic.list_libraries())
            for table in tables:
                if table.name not in existing:
                    options = LibraryOptions(rows_per_segment=_BAR_SEGMENT_ROWS) if table.name in _BARS else None
                    arctic.create_library(table.name, options)

    def write(self, table: Table, symbol: str, date: dt.date, arrays: Arrays, metadata: Metadata) -> int:
        """Write the table's stored columns under the key and return the new version.

        Raises
        ------
        SchemaError
            The arrays are not exactly the table's stored columns.
        StoreFullError
            The disk or the map is full; the key keeps its earlier versions.
        StoreError
            Metadata are not JSON, the index is not in order, or the write failed for any other reason.
        """
        where = _where(table, symbol, date)
        check_arrays(table, arrays, where)
        check_json(metadata, where)
        self._check_room(arrays, where)
        found = self._library(table)
        with translated_errors(where):
            item = found.write(
                _key(symbol, date),
                _frame(table, arrays),
                metadata=dict(metadata),
                prune_previous_versions=False,
                validate_index=True,
            )
        return int(item.version)

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
        where = f"{_where(table, symbol, date)}, version {version}"
        wanted = stored_columns(table, columns)
        found = self._library(table)
        with translated_errors(where):
            item = found.read(
                _key(symbol, date), as_of=version, columns=_requested(table, wanted), row_range=check_range(rows, where)
            )
        return StoredArrays(_arrays(table, wanted, item.data, where), item.metadata or {}, int(item.version))

    def read_many(self, table: Table, keys: Sequence[HeavyKey], *, columns: Sequence[str] | None = None) -> Arrays:
        """Several keys of one table, one below the other in the order given; raises as ``read``.

        Joined inside ArcticDB: a year of 1-minute bars in a fifth of the time of reading and joining here.
        """
        wanted = stored_columns(table, columns)
        if not keys:
            return {column.name: np.empty(0, column.dtype) for column in wanted}
        import arcticdb
        from arcticdb.exceptions import SchemaException

        first, last = keys[0], keys[-1]
        where = f"{table.name}, {len(keys)} keys from {first.symbol} {first.date} to {last.symbol} {last.date}"
        requests = [
            arcticdb.ReadRequest(
                _key(key.symbol, key.date),
                as_of=key.version,
                columns=_requested(table, wanted),
                row_range=check_range(key.rows, where),
            )
            for key in keys
        ]
        found = self._library(table)
        with translated_errors(where):
            try:
                frame = arcticdb.concat(found.read_batch(requests, lazy=True)).collect().data
            except SchemaException:
                # An empty key has lost its index type and does not join with others: join here instead.
                items = checked(found.read_batch(requests), where)
                return concatenate([_arrays(table, wanted, item.data, where) for item in items])
        return _arrays(table, wanted, frame, where)

    def metadata(self, table: Table, symbol: str, date: dt.date, version: int) -> Metadata:
        """The metadata written with one version, without its arrays; ``NotStoredError`` when there is none."""
        found = self._library(table)
        with translated_errors(f"{_where(table, symbol, date)}, version {version}"):
            stored: Metadata | None = found.read_metadata(_key(symbol, date), as_of=version).metadata
        return stored or {}

    def metadata_many(self, table: Table, keys: Sequence[HeavyKey]) -> list[Metadata]:
        """The metadata of several keys, in the order given; ``NotStoredError`` naming those that are missing."""
        if not keys:
            return []
        from arcticdb.version_store.library import ReadInfoRequest

        found = self._library(table)
        with translated_errors(f"metadata of {table.name}"):
            results = found.read_metadata_batch(
                [ReadInfoRequest(_key(key.symbol, key.date), as_of=key.version) for key in keys]
            )
        return [item.metadata or {} for item in checked(results, f"metadata of {table.name}")]

    def versions(self, table: Table, symbol: str, date: dt.date) -> list[int]:
        """Versions held for a key, oldest first; empty when there is none."""
        found = self._library(table)
        with translated_errors(_where(table, symbol, date)):
            return sorted(int(item.version) for item in found.list_versions(symbol=_key(symbol, date)))

    def delete_versions(self, table: Table, symbol: str, date: dt.date, versions: Sequence[int]) -> None:
        """Delete versions of a key; those that do not exist are ignored. An LMDB file reuses room, it never shrinks."""
        held_versions = set(self.versions(table, symbol, date))
        doomed = [version for version in versions if version in held_versions]
        if doomed:
            found = self._library(table)
            with translated_errors(_where(table, symbol, date)):
                found.delete(_key(symbol, date), versions=doomed)

    def tables(self) -> list[str]:
        """Names of the tables that are created, in order."""
        with translated_errors(f"tables of {uri_without_options(self.uri)}"):
            return sorted(join_connection(self.uri, id(self)).arctic.list_libraries())

    def held_versions(self, table: Table) -> list[HeldVersion]:
        """Every version of every key, by symbol, date and version. 4,000 keys of two versions take about 2 s."""
        found = self._library(table)
        with translated_errors(f"versions of {table.name}"):
            listed = found.list_versions()
        return sorted(
            (
                HeldVersion(*_parts(item.symbol), int(item.version), info.date)
                for item, info in listed.items()
                if not info.deleted
            ),
            key=lambda held: (held.symbol, held.date, held.version),
        )

    def key_bytes(self, table: Table) -> dict[tuple[str, dt.date], int]:
        """Compressed bytes of all versions of each key: one pass over the library, 4,000 keys in about 1.5 s."""
        found = self._library(table)
        with translated_errors(f"sizes of {table.name}"):
            sizes = found.admin_tools().get_sizes_by_symbol()
        # Entries without a date are the library's own, not a key's.
        return {
            _parts(key): sum(size.bytes_compressed for size in by_type.values())
            for key, by_type in sizes.items()
            if "/" in key
        }

    def close(self) -> None:
        """Give the process's connection back; the last store that uses it closes it."""
        leave_connection(self.uri, id(self))

    def _library(self, table: Table) -> Any:
        return library(join_connection(self.uri, id(self)), table.name)

    def _check_room(self, arrays: Arrays, where: str) -> None:
        folder = lmdb_path(self.uri)
        if folder is None or not folder.exists():
            return
        free, needed = shutil.disk_usage(folder).free, sum(array.nbytes for array in arrays.values()) + _SPARE_BYTES
        if free < needed:
            raise StoreFullError(
                f"{where}: {free / 1e6:.0f} MB free under {folder}, {needed / 1e6:.0f} MB asked for before a write; "
                "nothing was written. Free disk space or move FUZZY_HOME, then run again"
            )


def check_json(value: object, where: str) -> None:
    """Refuse metadata that ArcticDB would pickle silently and other languages could not read.

    Raises
    ------
    StoreError
        Something is not str, int (64 bits), float, bool, None, list or a dict with text keys; the message says where.
    """
    if isinstance(value, Mapping):
        for name, item in value.items():
            if type(name) is not str:
                raise StoreError(f"{where}: metadata key {name!r} is {type(name).__name__}, not str")
            check_json(item, f"{where}, {name}")
    elif type(value) is list:
        for item in value:
            check_json(item, where)
    elif not (value is None or type(value) in (str, float, bool) or (type(value) is int and -(2**63) <= value < 2**63)):
        raise StoreError(f"{where}: metadata value {value!r} is {type(value).__name__}: JSON types only")


def check_range(rows: tuple[int, int] | None, where: str) -> tuple[int, int] | None:
    """The row range unchanged; ``StoreError`` unless 0 ≤ first ≤ end (ArcticDB answers others with odd rows)."""
    if rows is not None and not 0 <= rows[0] <= rows[1]:
        raise StoreError(f"{where}: row range {rows} is not 0 ≤ first ≤ end")
    return rows


def stored_columns(table: Table, names: Sequence[str] | None) -> tuple[Column, ...]:
    """The stored columns of those names, in the order asked for; ``SchemaError`` for any other name."""
    if names is None:
        return table.stored
    columns = tuple(table.column(name) for name in names)
    attached = [column.name for column in columns if column.from_key]
    if attached:
        raise SchemaError(f"table {table.name}: {attached} are not stored per row, they come from the key")
    return columns


def _check_storable(table: Table) -> None:
    """ArcticDB turns text into objects and refuses dates: neither may be stored per row."""
    for column in table.stored:
        dtype = np.dtype(column.dtype)
        if dtype.kind not in "biuf" and column.dtype not in (INSTANT, "S1"):
            raise SchemaError(f"table {table.name}: column {column.name} ({column.dtype}) cannot be stored in ArcticDB")


def _where(table: Table, symbol: str, date: dt.date) -> str:
    return f"{table.name} {symbol} {date:%Y-%m-%d}"


def _key(symbol: str, date: dt.date) -> str:
    return f"{symbol}/{date:%Y-%m-%d}"


def _parts(key: str) -> tuple[str, dt.date]:
    symbol, _, date = key.rpartition("/")
    return symbol, dt.date.fromisoformat(date)


def _requested(table: Table, wanted: tuple[Column, ...]) -> list[str]:
    """Column names for ArcticDB, to whom the index is no column. Always explicit: then nothing unknown comes back."""
    return [column.name for column in wanted if column.name != table.index]


def _frame(table: Table, arrays: Arrays) -> pd.DataFrame:
    """A frame on the very memory of the arrays: one block per column, no copy (S1 as the byte it is)."""
    import pandas as pd

    data = {
        column.name: arrays[column.name].view(np.uint8) if column.dtype == "S1" else arrays[column.name]
        for column in table.stored
        if column.name != table.index
    }
    if table.index is None:
        return pd.DataFrame(data, copy=False)
    nanoseconds = arrays[table.index].view(np.int64)  # integers are read as UTC: no copy, unlike tz_localize
    index = pd.DatetimeIndex(nanoseconds, tz=EASTERN, copy=False, name=table.index)
    return pd.DataFrame(data, index=index, copy=False)


def _arrays(table: Table, wanted: tuple[Column, ...], frame: pd.DataFrame, where: str) -> dict[str, NDArray[Any]]:
    """The wanted columns with the types of the schema; ArcticDB silently leaves out columns a version lacks."""
    arrays = {}
    for column in wanted:
        if column.name == table.index:
            arrays[column.name] = np.asarray(frame.index.asi8).view(INSTANT)  # type: ignore[attr-defined]
            continue
        if column.name not in frame.columns:
            raise StoreSchemaError(
                f"{where}: stored without column {column.name}. Materialise the date again with this release, or read "
                "it with the one that wrote it"
            )
        values = frame[column.name].to_numpy()
        if column.dtype == "S1":
            values = np.ascontiguousarray(values).view("S1")
        if values.dtype != np.dtype(column.dtype):
            raise StoreSchemaError(f"{where}: {column.name} is stored as {values.dtype}, expected {column.dtype}")
        arrays[column.name] = values
    return arrays

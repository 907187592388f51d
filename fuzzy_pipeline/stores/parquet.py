"""The light tier: Parquet, one file per table and date with all symbols, replaced whole and atomically.

Belongs here: files, temporary files and locks of the light tier. What happens to rows is in ``light_rows``, what speeds
up reading many dates in ``compacted``.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.stores.compacted import Facts, compacted_files, facts_of, shared_out
from fuzzy_pipeline.stores.file_lock import disk_errors, held, naming
from fuzzy_pipeline.stores.light_rows import (
    check_rows,
    check_table_name,
    joined,
    projected,
    pruned,
    replaced,
    selected,
    text_leaves,
)

_PREFIX, _SUFFIX = "date=", ".parquet"
LOCKS = ".locks"
COMPRESSION = "lz4"
"""Read in less than half the time of zstd. A file of day records is as small, with dictionaries of texts only."""

_WORTH_IN_SQL = 12
"""Dates from which on SQL reads a compacted file: opening a date's own takes it 1 ms, and a year's rows 15."""

_RECENT_BYTES = 64 << 20
_SMALL_FILE_BYTES = 64_000
"""Small files that were read last stay in memory, up to so many bytes of rows: the manifest of ten tables and five
symbols over a year takes half of it.
"""


class _RecentFiles:
    """Rows of small files by path and columns, the last used ones."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, tuple[str, ...] | None], tuple[Facts, pa.Table]] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, key: tuple[str, tuple[str, ...] | None], seen: Facts) -> pa.Table | None:
        """Rows of the file with these facts (time, inode, size), None when another one was read last."""
        with self._lock:
            held = self._held.pop(key, None)
            if held is None:
                return None
            if held[0] != seen:
                self._bytes -= held[1].nbytes
                return None
            self._held[key] = held  # now the last used
            return held[1]

    def keep(self, key: tuple[str, tuple[str, ...] | None], seen: Facts, rows: pa.Table) -> None:
        """Keep rows, and let go of those not used for longest."""
        with self._lock:
            self._held[key] = (seen, rows)
            self._bytes += rows.nbytes
            while self._bytes > _RECENT_BYTES:
                self._bytes -= self._held.pop(next(iter(self._held)))[1].nbytes


_RECENT = _RecentFiles()


@dataclass(frozen=True, slots=True)
class LightSource:
    """Where to read rows of some dates: a date's own file, or a compacted one under ``path``, mapped as ``rows``.

    Of a compacted one all rows are meant, or those whose column ``day`` is one of ``dates``.
    """

    path: str
    first: dt.date
    rows: pa.Table | None = None
    day: str = ""
    dates: Sequence[dt.date] | None = None


class ParquetLightStore:
    """``root/<table>/date=YYYY-MM-DD.parquet``, rows in order of symbol.

    A reader sees a file as it was before or after a write, never between: a writer fills a temporary file in the same
    folder, flushes it to disk and renames it. Writers of one (table, date) take turns under a lock file, because a
    re-run of some symbols reads the file and writes it whole.
    """

    def __init__(self, root: Path, lock_timeout_s: float = 600.0) -> None:
        self.root = root
        self.lock_timeout_s = lock_timeout_s

    def replace_symbols(self, table: str, date: dt.date, rows: pa.Table, symbols: Sequence[str]) -> None:
        """Put ``rows`` in place of everything the date's file has for ``symbols``; other symbols stay.

        A date left without rows loses its file.

        Raises
        ------
        StoreFullError
            The disk is full; the old file is intact.
        StoreError
            Rows do not fit (see ``light_rows.check_rows``), types do not go together, or the lock was not free in time.
        """
        where = f"light table {table}, {date:%Y-%m-%d}"
        path = self._path(table, date)
        check_rows(table, date, rows, symbols)
        lock = path.parent / LOCKS / f"{path.stem}.lock"
        with disk_errors(where), held(lock, self.lock_timeout_s, where):
            _remove_leftovers(path)
            whole = replaced(read_file(path), rows, symbols, where)
            if whole.num_rows:
                write_atomically(path, lambda file: _fill(file, whole))
            else:
                path.unlink(missing_ok=True)

    def read(
        self,
        table: str,
        *,
        dates: Sequence[dt.date] | None = None,
        symbols: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table | None:
        """Rows of the named dates and symbols (all when None), by date and symbol; all columns or some.

        A column may be a field of a struct, with a dotted name (``basic_stats.vwap``): then only it is read from disk,
        and it comes as a column of that name. None when none of the dates has a file; a table without rows when only
        the symbols are missing. A date's file costs about 0.3 ms and 30 µs a column when first read, and 5 µs while it
        stays as it is and the same columns are asked for; many dates come from compacted files where there are some.

        Raises
        ------
        StoreError
            A file cannot be read, files have types that do not go together, or a column is in no file.
        """
        where = f"light table {table}"
        chosen = self.dates(table) if dates is None else sorted(set(dates))
        folder = f"{self.root / check_table_name(table)}"
        with disk_errors(where):
            parts = self._parts(folder, chosen, symbols, columns)
        if not parts:
            return None
        rows = joined([part for _, part in parts], where)
        return projected(_by_date(rows, [days for days, _ in parts]), columns, where)

    def dates(self, table: str) -> list[dt.date]:
        """Dates that have a file, in order."""
        folder = self.root / check_table_name(table)
        return sorted(dt.date.fromisoformat(name[len(_PREFIX) : -len(_SUFFIX)]) for name in _date_files(folder))

    def tables(self) -> list[str]:
        """Names of the tables that have a file, in order."""
        folders = [path for path, _, names in os.walk(self.root) if any(map(_is_date_file, names))]
        return sorted(Path(path).relative_to(self.root).as_posix() for path in folders)

    def sources(self, table: str, dates: Sequence[dt.date] | None = None) -> list[LightSource]:
        """What to read the named dates from (all when None), each date from one source, by first date.

        For SQL. A date's own file may be replaced or removed meanwhile.
        """
        chosen = self.dates(table) if dates is None else sorted(set(dates))
        folder = f"{self.root / check_table_name(table)}"
        with disk_errors(f"light table {table}"):
            compacted = compacted_files(folder)
            seen = seen_files(folder, chosen)
        shares, left = shared_out(compacted, seen, lambda _, count: count >= _WORTH_IN_SQL)
        found = [LightSource(date_file(folder, date), date) for date in left]
        for file, days in shares:
            part = days if len(days) < len(file.sources) else None
            found.append(LightSource(file.path, min(days), file.table, file.day, part))
        return sorted(found, key=lambda source: source.first)

    def glob(self, table: str) -> str | None:
        """Pattern of the table's files for SQL views; None when there is none (an empty pattern is an error there)."""
        pattern = self.root / check_table_name(table) / f"{_PREFIX}*{_SUFFIX}"
        return str(pattern) if self.dates(table) else None

    def close(self) -> None:
        """Nothing is held between calls."""

    def _path(self, table: str, date: dt.date) -> Path:
        return Path(date_file(f"{self.root / check_table_name(table)}", date))

    def _parts(
        self, folder: str, dates: Sequence[dt.date], symbols: Sequence[str] | None, columns: Sequence[str] | None
    ) -> list[tuple[pa.Array, pa.Table]]:
        """Rows of the dates and symbols from the files they are best read from, each with the dates of its rows.

        In order of first date, so that columns are joined in the order in which the dates have them.
        """
        left, parts = list(dates), []
        compacted = compacted_files(folder) if len(dates) > 1 else []
        if compacted:
            seen = seen_files(folder, dates)
            shares, left = shared_out(compacted, seen, lambda file, count: file.is_worth(count, symbols))
            parts = [(min(days), *file.rows(days, symbols, columns)) for file, days in shares]
        needed = None if columns is None else ["symbol", *columns]
        for date in left:
            rows = _recent_file(date_file(folder, date), needed)
            if rows is not None:
                rows = pruned(selected(rows, symbols), needed)
                parts.append((date, pa.repeat(pa.scalar(date).cast(pa.int32()), rows.num_rows), rows))
        return [(days, rows) for _, days, rows in sorted(parts, key=lambda part: part[0])]


def _by_date(rows: pa.Table, days: Sequence[pa.Array]) -> pa.Table:
    """Rows in order of date, those of one date as they stand."""
    if len(days) == 1 and len(days[0]) < 2:
        return rows
    dates = pa.concat_arrays(days)
    values = dates.to_numpy()
    return rows if bool(np.all(values[1:] >= values[:-1])) else rows.take(pc.array_sort_indices(dates))


def date_file(folder: str, date: dt.date) -> str:
    """Path of a date's own file."""
    return f"{folder}/{_PREFIX}{date.isoformat()}{_SUFFIX}"


def _is_date_file(name: str) -> bool:
    return name.startswith(_PREFIX) and name.endswith(_SUFFIX)


def _date_files(folder: Path) -> list[str]:
    try:
        return [name for name in os.listdir(folder) if _is_date_file(name)]  # noqa: PTH208  a thousand names
    except FileNotFoundError:
        return []


def seen_files(folder: str, dates: Sequence[dt.date]) -> dict[dt.date, Facts]:
    """Which file each date has now; dates without one are left out."""
    found = {}
    start = f"{folder}/{_PREFIX}"
    for date in dates:
        try:
            facts = os.stat(start + date.isoformat() + _SUFFIX)  # noqa: PTH116  a thousand dates
        except FileNotFoundError:
            continue
        found[date] = facts_of(facts)
    return found


def read_file(path: Path, columns: Sequence[str] | None = None) -> pa.Table | None:
    """The rows of a date's own file, or None when there is no such file (also when it was removed just now).

    Raises
    ------
    StoreError
        The file is damaged.
    """
    with _damage(path):
        # One thread: faster here.
        file = _in_memory(path)
        return None if file is None else file.read(columns=columns, use_threads=False)


def read_schema(path: Path) -> pa.Schema | None:
    """The columns of a date's own file; None and raises as ``read_file``."""
    with _damage(path):
        file = _in_memory(path)
        return None if file is None else file.schema_arrow


def _in_memory(path: Path) -> pq.ParquetFile | None:
    try:
        # Bytes, not the path: pyarrow would take "date=…" for a partition and add a column.
        return pq.ParquetFile(pa.BufferReader(path.read_bytes()))
    except FileNotFoundError:
        return None


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, OSError) as error:
        if getattr(error, "errno", None) is not None:
            raise  # the disk, not the content: a damaged file is an OSError without a number
        raise StoreError(
            f"{path}: not a readable Parquet file ({error}). Restore it, or remove it and materialise its date again"
        ) from error


def _recent_file(path: str, columns: Sequence[str] | None) -> pa.Table | None:
    """The file's rows, from memory while the file is the one that was read: it is only ever replaced whole."""
    try:
        facts = os.stat(path)  # noqa: PTH116  hundreds of files a read: a Path costs more than the look
    except FileNotFoundError:
        return None
    seen = facts_of(facts)
    key = (path, None if columns is None else tuple(columns))
    rows = _RECENT.find(key, seen)
    if rows is None:
        rows = read_file(Path(path), columns)  # may be newer than its facts: then it is read again next time
        if rows is not None and facts.st_size <= _SMALL_FILE_BYTES:
            _RECENT.keep(key, seen, rows)
    return rows


def _fill(file: BinaryIO, rows: pa.Table) -> None:
    buffer = pa.BufferOutputStream()
    pq.write_table(rows, buffer, compression=COMPRESSION, use_dictionary=text_leaves(rows.schema))
    file.write(memoryview(buffer.getvalue()))


def write_atomically(path: Path, fill: Callable[[BinaryIO], None]) -> None:
    """Fill a temporary file beside ``path``, flush it to disk and rename it; nothing is left when that fails."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        with naming(temporary), temporary.open("wb") as file:
            fill(file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename survive a power cut: the folder's entry is flushed too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_leftovers(path: Path) -> None:
    """Temporary files of this date: under the lock they can only be a dead writer's."""
    for leftover in path.parent.glob(f".{path.name}.*.tmp"):
        leftover.unlink(missing_ok=True)

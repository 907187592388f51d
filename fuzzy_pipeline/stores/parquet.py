"""The light tier: Parquet, one file per table and date with all symbols, replaced whole and atomically.

Belongs here: files, temporary files and locks of the light tier. What happens to rows is in ``light_rows``.
"""

from __future__ import annotations

import datetime as dt
import os
import threading
import uuid
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.stores.file_lock import disk_errors, held
from fuzzy_pipeline.stores.light_rows import check_rows, check_table_name, joined, projected, replaced, selected

_PREFIX, _SUFFIX = "date=", ".parquet"
_LOCKS = ".locks"

_RECENT_BYTES = 64 << 20
_SMALL_FILE_BYTES = 64_000
"""Small files that were read last stay in memory, up to so many bytes of rows: the manifest of ten tables and five
symbols over a year takes half of it.
"""


class _RecentFiles:
    """Rows of small files by path and columns, the last used ones."""

    def __init__(self) -> None:
        self._held: dict[tuple[str, tuple[str, ...] | None], tuple[tuple[int, int, int], pa.Table]] = {}
        self._bytes = 0
        self._lock = threading.Lock()

    def find(self, key: tuple[str, tuple[str, ...] | None], seen: tuple[int, int, int]) -> pa.Table | None:
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

    def keep(self, key: tuple[str, tuple[str, ...] | None], seen: tuple[int, int, int], rows: pa.Table) -> None:
        """Keep rows, and let go of those not used for longest."""
        with self._lock:
            self._held[key] = (seen, rows)
            self._bytes += rows.nbytes
            while self._bytes > _RECENT_BYTES:
                self._bytes -= self._held.pop(next(iter(self._held)))[1].nbytes


_RECENT = _RecentFiles()


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
        lock = path.parent / _LOCKS / f"{path.stem}.lock"
        with disk_errors(where), held(lock, self.lock_timeout_s, where):
            _remove_leftovers(path)
            whole = replaced(_read_file(path), rows, symbols, where)
            if whole.num_rows:
                _write_atomically(path, whole)
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

        None when none of the dates has a file; a table without rows when only the symbols are missing. A file costs
        about 0.3 ms when first read and 5 µs while it stays as it is and the same columns are asked for.

        Raises
        ------
        StoreError
            A file cannot be read, files have types that do not go together, or a column is in no file.
        """
        where = f"light table {table}"
        chosen = self.dates(table) if dates is None else sorted(set(dates))
        needed = None if columns is None else ["symbol", *columns]
        folder = self.root / check_table_name(table)
        with disk_errors(where):
            found = [_recent_file(f"{folder}/{_PREFIX}{date:%Y-%m-%d}{_SUFFIX}", needed) for date in chosen]
        parts = [part for part in found if part is not None]
        return projected(selected(joined(parts, where), symbols), columns, where) if parts else None

    def dates(self, table: str) -> list[dt.date]:
        """Dates that have a file, in order."""
        folder = self.root / check_table_name(table)
        return sorted(
            dt.date.fromisoformat(path.stem.removeprefix(_PREFIX)) for path in folder.glob(f"{_PREFIX}*{_SUFFIX}")
        )

    def tables(self) -> list[str]:
        """Names of the tables that have a file, in order."""
        files = self.root.rglob(f"{_PREFIX}*{_SUFFIX}")
        return sorted({path.parent.relative_to(self.root).as_posix() for path in files})

    def glob(self, table: str) -> str | None:
        """Pattern of the table's files for SQL views; None when there is none (an empty pattern is an error there)."""
        pattern = self.root / check_table_name(table) / f"{_PREFIX}*{_SUFFIX}"
        return str(pattern) if self.dates(table) else None

    def close(self) -> None:
        """Nothing is held between calls."""

    def _path(self, table: str, date: dt.date) -> Path:
        return self.root / check_table_name(table) / f"{_PREFIX}{date:%Y-%m-%d}{_SUFFIX}"


def _read_file(path: Path, columns: Sequence[str] | None = None) -> pa.Table | None:
    """The file's rows, or None when there is no such file (also when it was removed just now)."""
    try:
        # Bytes, not the path: pyarrow would take "date=…" for a partition and add a column. One thread: faster here.
        file = pq.ParquetFile(pa.BufferReader(path.read_bytes()))
        return file.read(columns=columns, use_threads=False)
    except FileNotFoundError:
        return None
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
    seen = (facts.st_mtime_ns, facts.st_ino, facts.st_size)
    key = (path, None if columns is None else tuple(columns))
    rows = _RECENT.find(key, seen)
    if rows is None:
        rows = _read_file(Path(path), columns)  # may be newer than its facts: then it is read again next time
        if rows is not None and facts.st_size <= _SMALL_FILE_BYTES:
            _RECENT.keep(key, seen, rows)
    return rows


def _write_atomically(path: Path, rows: pa.Table) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    buffer = pa.BufferOutputStream()
    pq.write_table(rows, buffer, compression="zstd")
    try:
        with temporary.open("wb") as file:
            file.write(memoryview(buffer.getvalue()))
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

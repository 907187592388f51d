"""Compaction of the light tier: the dates of a closed year, and of the open one so far, copied into one file by symbol.

Belongs here: which dates go into which compacted file, and writing them. Reading them: ``stores.compacted``.

The dates' own files stay, so nothing can be lost here: a run killed at any moment leaves a temporary file, or a copy
more, and the next one goes on.
"""

from __future__ import annotations

import datetime as dt
import itertools
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc
import xxhash

from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.stores.compacted import FOLDER, SUFFIX, Compacted, Facts, compacted_files, noted
from fuzzy_pipeline.stores.file_lock import disk_errors, held
from fuzzy_pipeline.stores.light_rows import check_table_name
from fuzzy_pipeline.stores.parquet import (
    LOCKS,
    ParquetLightStore,
    date_file,
    read_file,
    read_schema,
    seen_files,
    write_atomically,
)

SETTLED_S = 2.0
"""A file younger than this waits for the next compaction [s]: its time of writing could be that of the next one too."""

PART_BYTES = 64 << 20
"""Rows of so many dates are sorted at a time, and so many rows are written at a time [bytes in memory]. Parts wait in
files, so that a year of any size is compacted in the same memory.
"""


@dataclass(frozen=True, slots=True)
class CompactionReport:
    """One compacted file that was written: ``period`` is a year, or a month, as ``2025-11``.

    ``files_before`` is how many files a reader of its dates had to open until now; ``size`` is in bytes.
    """

    table: str
    period: str
    dates: int
    rows: int
    files_before: int
    files_after: int
    size: int
    seconds: float


def compact(light: ParquetLightStore, *, today: dt.date, tables: Sequence[str] | None = None) -> list[CompactionReport]:
    """Compact the dates before ``today`` of light tables, all when None: a file a year, and one for the open month.

    What is compacted and unchanged is left alone, so a second call does nothing. Readers and writers go on meanwhile.
    Dates with other columns than the rest of their year get a file of their own; one that is alone with its columns,
    and tables whose rows have no date, stay as they are.

    Returns
    -------
    list of CompactionReport
        One a file written, by table and period.

    Raises
    ------
    StoreFullError, StoreError
        A file cannot be read or written; what was compacted before it stays.
    """
    names = light.tables() if tables is None else [check_table_name(name) for name in tables]
    return [report for name in names if (light.root / name).is_dir() for report in _compact_table(light, name, today)]


def _compact_table(light: ParquetLightStore, table: str, today: dt.date) -> list[CompactionReport]:
    folder, where = light.root / table, f"compacting light table {table}"
    reports, kept = [], []
    with disk_errors(where), held(folder / LOCKS / "compaction.lock", light.lock_timeout_s, where):
        for leftover in (folder / FOLDER).glob(".*.tmp"):
            leftover.unlink(missing_ok=True)
        existing = compacted_files(str(folder))
        seen = seen_files(str(folder), [date for date in light.dates(table) if date < today])
        days = [_Day(folder, date, facts, existing) for date, facts in seen.items()]
        for group in _grouped(days, today):
            whole = next((file for file in existing if group.is_in(file)), None)
            if whole is not None:
                kept.append(Path(whole.path))
                continue
            began = time.perf_counter()
            path, rows = _write(folder, group)
            kept.append(path)
            reports.append(
                CompactionReport(
                    table=table,
                    period=group.period,
                    dates=len(group.days),
                    rows=rows,
                    files_before=group.files_before,
                    files_after=1,
                    size=path.stat().st_size,
                    seconds=time.perf_counter() - began,
                )
            )
        _remove_superseded(folder, kept)
    return reports


class _Day:
    """A date of a table: which file it has, and the compacted file that has it, if any."""

    def __init__(self, folder: Path, date: dt.date, facts: Facts, existing: Sequence[Compacted]) -> None:
        self.date = date
        self.path = Path(date_file(str(folder), date))
        self.facts = facts
        self.held_by = next((file for file in existing if file.sources.get(date) == self.facts), None)
        self.columns = self._columns()

    def rows(self, column: str) -> pa.Table | None:
        """Its rows, None when they are gone; ``StoreError`` when the date column names another date.

        A file that has replaced the one looked at may be read here: then the copy counts as old from the start.
        """
        rows = read_file(self.path)
        if rows is not None and pc.unique(rows[column]).to_pylist() != [self.date]:
            raise StoreError(f"{self.path} has rows of other dates in column {column}: remove it")
        return rows

    def _columns(self) -> tuple[str, str] | None:
        """Key of its columns and name of the date column; None when it cannot be compacted, or not yet."""
        if self.held_by is not None:
            return self.held_by.schema, self.held_by.day
        if time.time() - self.facts[0] / 1e9 < SETTLED_S:
            return None
        schema = read_schema(self.path)
        if schema is None:
            return None
        day = next((name for name in ("trading_date", "date") if name in schema.names), None)
        return None if day is None or schema.field(day).type != pa.date32() else (_key(schema), day)


@dataclass(frozen=True, slots=True)
class _Group:
    """Dates of one period with the same columns."""

    period: str
    schema: str
    day: str
    days: Sequence[_Day]

    @property
    def files_before(self) -> int:
        """How many files its dates are read from now."""
        return len({day.held_by.path if day.held_by else str(day.path) for day in self.days})

    def is_in(self, file: Compacted) -> bool:
        """Whether the file holds these dates as they are now, and no others."""
        return file.period == self.period and file.sources == {day.date: day.facts for day in self.days}


def _grouped(days: Sequence[_Day], today: dt.date) -> list[_Group]:
    """What goes into one file each, in order; a date alone would gain nothing."""
    found: dict[tuple[str, str, str], list[_Day]] = {}
    for day in days:
        if day.columns is not None:
            found.setdefault((_period(day.date, today), *day.columns), []).append(day)
    return [_Group(*names, members) for names, members in sorted(found.items()) if len(members) > 1]


def _period(date: dt.date, today: dt.date) -> str:
    """The open month has a file of its own: with every compaction it is written again, a year only after its months."""
    return f"{date:%Y-%m}" if (date.year, date.month) == (today.year, today.month) else f"{date:%Y}"


def _write(folder: Path, group: _Group) -> tuple[Path, int]:
    """Write a group's file, which appears under its name when it is whole; its path and number of rows."""
    place = folder / FOLDER
    place.mkdir(exist_ok=True)
    path = place / f"{group.period}.{uuid.uuid4().hex[:12]}{SUFFIX}"
    with ExitStack() as leftovers:
        parts, sources = _sorted_parts(group, place, leftovers)
        spans = [_spans(part["symbol"]) for part in parts]
        whole = _laid_out(spans)
        schema = noted(
            parts[0].schema, period=group.period, day=group.day, key=group.schema, sources=sources, spans=whole
        )

        def fill(file: BinaryIO) -> None:
            with pyarrow.ipc.new_file(file, schema) as writer:
                for rows in _by_symbol(parts, spans, list(whole), group.day):
                    writer.write_table(rows.cast(schema))

        write_atomically(path, fill)
    return path, sum(part.num_rows for part in parts)


def _sorted_parts(group: _Group, place: Path, leftovers: ExitStack) -> tuple[list[pa.Table], dict[dt.date, Facts]]:
    """Rows of the group's dates in parts of some dates each, every part by symbol and date; and the dates' files.

    A date whose file was removed since it was looked at is left out.
    """
    parts: list[pa.Table] = []
    waiting: list[pa.Table] = []
    sources: dict[dt.date, Facts] = {}
    for day in group.days:
        rows = day.rows(group.day)
        if rows is not None:
            sources[day.date] = day.facts
            waiting.append(rows)
        if sum(rows.nbytes for rows in waiting) >= PART_BYTES:
            parts.append(_on_disk(_sorted(waiting, group.day), place, leftovers))
            waiting = []
    if waiting:
        parts.append(_sorted(waiting, group.day))
    if not parts:
        raise StoreError(f"all files of {group.period} were removed while it was compacted: run it again")
    return parts, sources


def _sorted(parts: Sequence[pa.Table], day: str) -> pa.Table:
    """Rows by symbol and date; those of one symbol and date stay as they stand."""
    whole = pa.concat_tables(parts)
    return whole.take(pc.sort_indices(whole, sort_keys=[("symbol", "ascending"), (day, "ascending")])).combine_chunks()


def _on_disk(rows: pa.Table, place: Path, leftovers: ExitStack) -> pa.Table:
    """The same rows, mapped from a temporary file."""
    path = place / f".part.{uuid.uuid4().hex[:12]}.tmp"
    leftovers.callback(path.unlink, missing_ok=True)
    with path.open("wb") as file, pyarrow.ipc.new_file(file, rows.schema) as writer:
        writer.write_table(rows)
    return pyarrow.ipc.open_file(pa.memory_map(str(path))).read_all()


def _spans(symbols: pa.ChunkedArray) -> dict[str, tuple[int, int]]:
    """Half-open range of rows of each symbol, of rows in order of symbol."""
    runs = pc.run_end_encode(symbols.combine_chunks())
    ends = runs.run_ends.to_pylist()
    return dict(zip(runs.values.to_pylist(), itertools.pairwise([0, *ends]), strict=True))


def _laid_out(spans: Sequence[dict[str, tuple[int, int]]]) -> dict[str, tuple[int, int]]:
    """Where each symbol's rows are when the rows of all parts are put together by symbol."""
    found, start = {}, 0
    for symbol in sorted({symbol for part in spans for symbol in part}):
        stop = start + sum(end - begin for part in spans for begin, end in [part.get(symbol, (0, 0))])
        found[symbol] = (start, stop)
        start = stop
    return found


def _by_symbol(
    parts: Sequence[pa.Table], spans: Sequence[dict[str, tuple[int, int]]], symbols: Sequence[str], day: str
) -> Iterator[pa.Table]:
    """All rows by symbol and date, some symbols at a time."""
    if len(parts) == 1:
        yield parts[0]
        return
    bytes_each = sum(part.nbytes for part in parts) / len(symbols)
    step = max(int(PART_BYTES / bytes_each), 1)
    for first in range(0, len(symbols), step):
        pieces = []
        for part, places in zip(parts, spans, strict=True):
            own = [places[symbol] for symbol in symbols[first : first + step] if symbol in places]
            if own:
                pieces.append(part.slice(own[0][0], own[-1][1] - own[0][0]))
        yield _sorted(pieces, day)


def _key(schema: pa.Schema) -> str:
    """Hash of names and types: descriptions of columns do not count."""
    text = schema.to_string(show_field_metadata=False, show_schema_metadata=False)
    return xxhash.xxh3_64(text.encode()).hexdigest()


def _remove_superseded(folder: Path, kept: Sequence[Path]) -> None:
    """Remove files that no date needs; who has mapped one reads on, who comes too late reads the dates' own files."""
    for path in (folder / FOLDER).glob(f"*{SUFFIX}"):
        if path not in kept:
            path.unlink()

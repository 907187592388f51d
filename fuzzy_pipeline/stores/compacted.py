"""Compacted files of the light tier: rows of many dates in order of symbol and date, copied from the dates' own files.

Belongs here: what a compacted file is and how rows are read from it. Making them: ``stores.compaction``.

A copy says of every date which file it was made from. A date's own file is the truth: where it is another one now, or
gone, the copy of that date is not read. So a copy may be missing, old or removed at any time, and costs time only.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc

from fuzzy_pipeline.stores.light_rows import pruned

LOG = logging.getLogger(__name__)

FOLDER = ".compacted"
"""In a table's folder. Names in it are never used twice: a file under a name stays as it is until it is removed."""

SUFFIX = ".arrow"
"""Arrow's own format, not compressed: a reader maps the file and touches only what it needs. One symbol of a year of
day records is found in a fifth of the time that Parquet takes, which has to decode row groups.
"""

NOTE = b"fuzzy_pipeline.compacted"
LAYOUT = 1

_WORTH = 8
"""Rows in a date's own file cost as much as so many in a compacted one: they are unpacked, column by column."""
_MOST_RANGES = 64
"""More ranges of rows than these are not joined but picked row by row."""

Facts = tuple[int, int, int]
"""Which file stands under a name: time of writing [ns], inode, size [bytes]."""


def facts_of(found: os.stat_result) -> Facts:
    """What tells a file from the one that replaces it."""
    return found.st_mtime_ns, found.st_ino, found.st_size


@dataclass(frozen=True, slots=True)
class Compacted:
    """One compacted file.

    ``period`` is the year or month it was made for, ``day`` the column that holds the date, ``schema`` the key of the
    columns all its dates have, ``sources`` the file each date was copied from, ``spans`` where the rows of each symbol
    are, ``table`` all rows, mapped and not yet read.
    """

    path: str
    period: str
    day: str
    schema: str
    sources: Mapping[dt.date, Facts]
    spans: Mapping[str, tuple[int, int]]
    table: pa.Table

    def current(self, seen: Mapping[dt.date, Facts]) -> list[dt.date]:
        """The dates whose own files are still those it was copied from."""
        return [date for date, facts in self.sources.items() if seen.get(date) == facts]

    def is_worth(self, dates: int, symbols: Sequence[str] | None) -> bool:
        """Whether reading so many of its dates from it is quicker than from the dates' own files."""
        found: int = (
            self.table.num_rows if symbols is None else sum(stop - start for start, stop in self._spans(symbols))
        )
        whole: int = self.table.num_rows
        return found * len(self.sources) <= dates * whole * _WORTH

    def rows(
        self, dates: Sequence[dt.date], symbols: Sequence[str] | None, columns: Sequence[str] | None
    ) -> tuple[pa.Array, pa.Table]:
        """Rows of some of its dates and symbols in order of symbol and date, and the date of each (days since 1970)."""
        found = self.table if symbols is None else self._of_symbols(symbols)
        # The symbol too: a table without any of the columns would have lost its rows.
        days, rows = found[self.day], pruned(found, None if columns is None else ["symbol", *columns])
        if len(dates) < len(self.sources):
            among = pc.is_in(days, value_set=pa.array(list(dates), pa.date32()))
            days, rows = days.filter(among), rows.filter(among)
        return days.cast(pa.int32()).combine_chunks(), rows

    def _spans(self, symbols: Sequence[str]) -> list[tuple[int, int]]:
        """Half-open ranges of the symbols' rows in order, those side by side as one."""
        joined: list[tuple[int, int]] = []
        for start, stop in sorted(self.spans[symbol] for symbol in set(symbols) if symbol in self.spans):
            if joined and joined[-1][1] == start:
                joined[-1] = (joined[-1][0], stop)
            else:
                joined.append((start, stop))
        return joined

    def _of_symbols(self, symbols: Sequence[str]) -> pa.Table:
        spans = self._spans(symbols)
        if len(spans) > _MOST_RANGES:
            names = self.table["symbol"]
            return self.table.filter(pc.is_in(names, value_set=pa.array(list(symbols), names.type)))
        return pa.concat_tables([self.table.slice(0, 0), *(self.table.slice(a, b - a) for a, b in spans)])


def noted(
    schema: pa.Schema,
    *,
    period: str,
    day: str,
    key: str,
    sources: Mapping[dt.date, Facts],
    spans: Mapping[str, tuple[int, int]],
) -> pa.Schema:
    """The schema with the note a compacted file carries, as ``compacted_files`` reads it."""
    note = {
        "layout": LAYOUT,
        "period": period,
        "day": day,
        "schema": key,
        "sources": {date.isoformat(): facts for date, facts in sorted(sources.items())},
        "spans": spans,
    }
    return schema.with_metadata({**(schema.metadata or {}), NOTE: json.dumps(note, separators=(",", ":")).encode()})


def compacted_files(folder: str) -> list[Compacted]:
    """Compacted files of a table's folder, those with most dates first; unreadable ones are left out."""
    place = f"{folder}/{FOLDER}"
    try:
        names = sorted(name for name in os.listdir(place) if name.endswith(SUFFIX))  # noqa: PTH208  with each read
    except FileNotFoundError:
        names = []
    found = [file for file in _OPENED.of(place, names) if file is not None]
    return sorted(found, key=lambda file: -len(file.sources))


def shared_out(
    files: Iterable[Compacted], seen: Mapping[dt.date, Facts], is_worth: Callable[[Compacted, int], bool]
) -> tuple[list[tuple[Compacted, list[dt.date]]], list[dt.date]]:
    """Which dates are read from which compacted file, and which from their own files; every date from one only."""
    left = dict(seen)
    chosen = []
    for file in files:
        dates = file.current(left)
        if dates and is_worth(file, len(dates)):
            chosen.append((file, dates))
            for date in dates:
                del left[date]
    return chosen, list(left)


class _Opened:
    """Compacted files this process has mapped, by folder: opening one takes half a millisecond, and none changes."""

    def __init__(self) -> None:
        self._held: dict[str, dict[str, Compacted | None]] = {}
        self._lock = threading.Lock()

    def of(self, place: str, names: Sequence[str]) -> list[Compacted | None]:
        """The files of these names; others of the folder are let go of, so that their room on disk comes back."""
        with self._lock:
            held = self._held.get(place, {})
            if not held and not names:
                return []
            now = {name: held[name] if name in held else _opened(f"{place}/{name}") for name in names}
            self._held[place] = now
            return list(now.values())


_OPENED = _Opened()


def _opened(path: str) -> Compacted | None:
    try:
        table = pyarrow.ipc.open_file(pa.memory_map(path)).read_all()
        about = dict(table.schema.metadata)
        note = json.loads(about.pop(NOTE))
        if note["layout"] != LAYOUT:
            return None
        return Compacted(
            path=path,
            period=note["period"],
            day=note["day"],
            schema=note["schema"],
            sources={dt.date.fromisoformat(date): tuple(facts) for date, facts in note["sources"].items()},
            spans={symbol: (start, stop) for symbol, (start, stop) in note["spans"].items()},
            table=table.replace_schema_metadata(about or None),
        )
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        LOG.warning("%s is no compacted file (%s): reading the dates' own files instead; remove it", path, error)
        return None

"""Copy what is committed into a folder of backups, while runs go on."""

from __future__ import annotations

import datetime as dt
import json
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple, TypeVar

import pyarrow as pa

from fuzzy_pipeline.errors import FuzzyError, StoreError
from fuzzy_pipeline.operations.audit import LOCK_FILE, LOCK_TIMEOUT_S
from fuzzy_pipeline.schema.records import to_table
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.store_care.backup_folder import (
    BACKUPS,
    FORMAT,
    MARKER,
    OBJECTS,
    About,
    BackupObject,
    LeftOut,
    canonical_json,
    find_backups,
    hash_of,
    heavy_file,
    parquet_bytes,
    read_list,
    write_backup,
    write_bytes,
)
from fuzzy_pipeline.store_care.retention import INGEST_TABLES
from fuzzy_pipeline.stores.content_hash import arrow_content_hash
from fuzzy_pipeline.stores.file_lock import disk_errors, held
from fuzzy_pipeline.stores.light_rows import selected
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.stamp import Stamp, read_stamp
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.stores.stored_content import HEAVY_BY_NAME, hash_of_arrays, hash_of_light_rows
from fuzzy_pipeline.trading_calendar import now_eastern

MANIFEST = "manifest/"
PATIENCE_S = 5.0
"""How long light rows that are not as committed are waited for: a run writes them, then the manifest [s]."""

Progress = Callable[[int, int], object]
"""Called with how many dates are done, and of how many."""


@dataclass(frozen=True, slots=True)
class BackupReport:
    """A backup that is complete, and how much of it was new."""

    about: About
    written: int
    written_bytes: int

    @property
    def reused(self) -> int:
        """Objects that an earlier backup had already."""
        return self.about.objects - self.written


def backup(store: Store, folder: Path, *, audit: Path | None = None, progress: Progress | None = None) -> BackupReport:
    """Back up everything that is committed; what an earlier backup in the folder has is not written again.

    Runs may go on: a heavy version never changes and nothing is pruned meanwhile; light rows that change are taken
    with the manifest row that they belong to. What is not as committed is left out and named. Each key is read and
    its content hash proven before it is written. ``audit`` is the folder of the audit log.

    Raises
    ------
    StoreError
        The folder holds other things or another store's backups, the disk is full, or another backup or deletion
        holds the store.
    """
    stamp = read_stamp(store.root)
    if stamp is None:
        raise StoreError(f"{store.root} has no store.json: only a store on disk can be backed up")
    with disk_errors(f"backup to {folder}"), store.maintenance(f"backup to {folder}"):
        _claim(folder, stamp)
        run = _Backup(store, folder)
        dates = sorted(set().union(*run.dates.values()))
        for number, date in enumerate(dates, start=1):
            run.add_date(date)
            if progress is not None:
                progress(number, len(dates))
        if audit is not None:
            run.add_audit(audit)
        created = now_eastern()
        about = About(
            format=FORMAT,
            name=_free_name(folder, created),
            created_at=created,
            stamp=stamp,
            objects=len(run.objects),
            bytes=sum(item.bytes for item in run.objects),
            keys=run.keys,
            list_hash="",
            left_out=tuple(run.left_out),
        )
        return BackupReport(write_backup(folder, about, run.objects), run.written, run.written_bytes)


def _claim(folder: Path, stamp: Stamp) -> None:
    """Make the folder one of this store's backups, and remove what a killed backup left."""
    marker = folder / MARKER
    mine = {"format": FORMAT, "kind": stamp.kind, "store_created_at": stamp.created_at.isoformat()}
    if marker.exists():
        found = json.loads(marker.read_text())
        if found != mine:
            raise StoreError(f"{folder} holds backups of another store ({found}); choose another folder")
    else:
        if folder.exists() and any(folder.iterdir()):
            raise StoreError(f"{folder} is not empty and holds no backups; choose a new or empty folder")
        write_bytes(marker, (json.dumps(mine, indent=2) + "\n").encode())
    for leftover in [*(folder / OBJECTS).rglob(".*.tmp"), *(folder / BACKUPS).glob(".*.partial")]:
        shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()


def _free_name(folder: Path, created: dt.datetime) -> str:
    name = f"{created:%Y-%m-%dT%H%M%S}"
    taken = {about.name for about in find_backups(folder)}
    return next(each for number in range(1000) if (each := f"{name}-{number}" if number else name) not in taken)


class BackupKey(NamedTuple):
    """What an object is a copy of."""

    tier: Literal["heavy", "light", "audit"]
    table: str
    symbol: str = ""
    date: dt.date | None = None


_Found = TypeVar("_Found")


class _Backup:
    """A backup that is being made: its objects so far, and those of the backup before, which are used again."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        self.objects: list[BackupObject] = []
        self.left_out: list[LeftOut] = []
        self.keys = self.written = self.written_bytes = 0
        self.dates = {name: set(store.light.dates(name)) for name in store.light.tables()}
        self._earlier: dict[BackupKey, BackupObject] = {}
        for about in find_backups(folder)[-1:]:
            for item in read_list(folder, about):
                path = folder / item.path
                if path.exists() and path.stat().st_size == item.bytes:
                    self._earlier[BackupKey(item.tier, item.table, item.symbol, item.date)] = item
        self._paths = {item.path: item for item in self._earlier.values()}

    def add_date(self, date: dt.date) -> None:
        """All tables of a date, each with the manifest rows its data belong to."""
        tables = [name for name, dates in self.dates.items() if date in dates]
        committed = [name.removeprefix(MANIFEST) for name in tables if name.startswith(MANIFEST)]
        done = {*committed, *INGEST_TABLES, *(MANIFEST + name for name in committed)}
        for name in committed:
            rows = self._add_heavy_table(name, date) if name in HEAVY_BY_NAME else self._add_records(name, date)
            if rows:
                self.keys += len(rows)
                self._add_rows(MANIFEST + name, date, to_table(rows, ManifestRow), _state_of(rows))
        for name in tables:
            found = self.store.light.read(name, dates=[date]) if name not in done else None
            if found is not None:
                self._add_rows(name, date, found, arrow_content_hash(found, ignore=()))

    def add_audit(self, folder: Path) -> None:
        """The audit log and what belongs to it, at one moment."""
        if not folder.is_dir():
            return
        with held(folder / LOCK_FILE, LOCK_TIMEOUT_S, "backing up the audit log"):
            found = {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}
        for name, content in sorted(found.items()):
            state = hash_of(content)
            self._add(BackupKey("audit", name), f"{OBJECTS}/audit/{name}_{state}", state, partial(_itself, content))

    def _add_heavy_table(self, table: str, date: dt.date) -> list[ManifestRow]:
        """The keys of a table and date; the rows of those that are as committed."""
        rows = self.store.manifest.rows(table, [date])
        if table == RAW_TICKS.name:
            rows = self._add_ingest_tables(date, rows)
        return [row for row in rows if self._add_heavy(row)]

    def _add_heavy(self, row: ManifestRow) -> bool:
        """One key; False when it is not as committed."""
        table = HEAVY_BY_NAME[row.table]
        key, state = BackupKey("heavy", row.table, row.symbol, row.date), _state_of([row])
        if self._reuse(key, state):
            return True
        try:
            found = self.store.heavy.read(table, row.symbol, row.date, row.version)
            content = hash_of_arrays(table, found.arrays, row.date, found.metadata)
        except FuzzyError as error:
            return self._leave_out(row, str(error).splitlines()[0])
        if content != row.content_hash:
            return self._leave_out(row, f"content hash {content}, {row.content_hash} was committed")
        name = hash_of(f"{content}\n{canonical_json(found.metadata)}".encode())
        path = f"{OBJECTS}/heavy/{row.table}/{row.symbol}/{row.date:%Y-%m-%d}_{name}.parquet"
        self._add(key, path, state, partial(heavy_file, table, found.arrays, found.metadata))
        return True

    def _add_records(self, table: str, date: dt.date) -> list[ManifestRow]:
        """Light rows of a table with a manifest, and the manifest rows that they belong to."""
        rows = self.store.manifest.rows(table, [date])
        if self._reuse(BackupKey("light", table, "", date), _state_of(rows)):
            return rows

        def look() -> tuple[list[ManifestRow], pa.Table | None, list[ManifestRow]]:
            now = self.store.manifest.rows(table, [date])
            found = self.store.light.read(table, dates=[date])
            return now, found, [row for row in now if not _belongs(found, row)]

        rows, found, strange = _settled(look)
        for row in strange:
            self._leave_out(row, "the rows in the light tier are not the committed ones")
        named = {row.symbol for row in strange}
        rows = [row for row in rows if row.symbol not in named]
        if found is not None and rows:
            self._add_rows(table, date, selected(found, [row.symbol for row in rows]), _state_of(rows))
        return rows

    def _add_ingest_tables(self, date: dt.date, rows: list[ManifestRow]) -> list[ManifestRow]:
        """Light rows written beside raw ticks, and the manifest rows of the ticks they came with.

        Rows of another ingest than the ticks stay so in the backup, if they do not settle: the next run mends them.
        """
        state = _state_of(rows)
        tables = [name for name in INGEST_TABLES if date in self.dates.get(name, ())]
        if all(self._is_known(BackupKey("light", name, "", date), state) for name in tables):
            for name in tables:
                self._reuse(BackupKey("light", name, "", date), state)
            return rows

        def look() -> tuple[list[ManifestRow], dict[str, pa.Table], list[ManifestRow]]:
            now = self.store.manifest.rows(RAW_TICKS.name, [date])
            read = {name: self.store.light.read(name, dates=[date]) for name in tables}
            found = {name: table for name, table in read.items() if table is not None}
            ids = {
                pair
                for table in found.values()
                for pair in zip(table["symbol"].to_pylist(), table["ingest_id"].to_pylist(), strict=True)
            }
            other = {symbol for symbol, _ in ids - {(row.symbol, row.ingest_id) for row in now}}
            return now, found, [row for row in now if row.symbol in other]

        rows, found, torn = _settled(look)
        names = [row.symbol for row in rows]
        for name, table in found.items():
            mine = selected(table, names)
            if mine.num_rows:
                self._add_rows(name, date, mine, "torn" if torn else _state_of(rows))
        return rows

    def _add_rows(self, table: str, date: dt.date, rows: pa.Table, state: str) -> None:
        key = BackupKey("light", table, "", date)
        if not self._reuse(key, state):
            path = f"{OBJECTS}/light/{table}/{date:%Y-%m-%d}_{arrow_content_hash(rows, ignore=())}.parquet"
            self._add(key, path, state, partial(parquet_bytes, rows))

    def _is_known(self, key: BackupKey, state: str) -> bool:
        return key in self._earlier and self._earlier[key].state == state

    def _reuse(self, key: BackupKey, state: str) -> bool:
        """Take the object of the backup before when it was made from the same."""
        if not self._is_known(key, state):
            return False
        self.objects.append(self._earlier[key])
        return True

    def _add(self, key: BackupKey, path: str, state: str, content: Callable[[], bytes]) -> None:
        """An object; its file is written unless the backup before has it under the same name."""
        known = self._paths.get(path)
        if known is None:
            data = content()
            write_bytes(self.folder / path, data)
            self.written += 1
            self.written_bytes += len(data)
            known = BackupObject(**key._asdict(), path=path, bytes=len(data), file_hash=hash_of(data), state=state)
        self.objects.append(known.model_copy(update={"state": state}))

    def _leave_out(self, row: ManifestRow, why: str) -> bool:
        self.left_out.append(LeftOut(table=row.table, symbol=row.symbol, date=row.date, why=why))
        return False


def _itself(content: bytes) -> bytes:
    return content


def _state_of(rows: Iterable[ManifestRow]) -> str:
    """What tells manifest rows, and so the data under them, from others."""
    lines = [f"{row.symbol} {row.version} {row.content_hash} {row.committed_at.isoformat()}" for row in rows]
    return hash_of("\n".join(sorted(lines)).encode())


def _belongs(found: pa.Table | None, row: ManifestRow) -> bool:
    """Whether light rows are what a manifest row committed."""
    if not row.rows:
        return True
    return found is not None and hash_of_light_rows(row.table, selected(found, [row.symbol])) == row.content_hash


def _settled(
    look: Callable[[], tuple[list[ManifestRow], _Found, list[ManifestRow]]],
) -> tuple[list[ManifestRow], _Found, list[ManifestRow]]:
    """Manifest rows, data and the rows whose data are others; looked at again while there are such, for a while."""
    patience = time.monotonic() + PATIENCE_S
    seen = look()
    while seen[2] and time.monotonic() < patience:
        time.sleep(0.1)
        seen = look()
    return seen

"""Build a store from a backup, in an empty place, and prove it before it may be opened."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fuzzy_pipeline.errors import StoreError, StoreSchemaError
from fuzzy_pipeline.schema.records import from_table
from fuzzy_pipeline.schema.tables import SCHEMA_VERSION
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.store_care.backup_folder import (
    FORMAT,
    About,
    BackupObject,
    checked_bytes,
    choose_backup,
    read_heavy_file,
    read_list,
)
from fuzzy_pipeline.store_care.disk_space import require_free
from fuzzy_pipeline.store_care.verify import Broken, check_store
from fuzzy_pipeline.stores.arctic import ArcticHeavyStore
from fuzzy_pipeline.stores.arctic_connection import lmdb_path, uri_without_options
from fuzzy_pipeline.stores.file_lock import disk_errors
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.parquet import ParquetLightStore
from fuzzy_pipeline.stores.stamp import LAYOUT_VERSION, STAMP_FILE, heavy_fingerprint, write_stamp
from fuzzy_pipeline.stores.store import Store, StoreLocation
from fuzzy_pipeline.stores.stored_content import HEAVY_BY_NAME

MANIFEST = "manifest/"
ROOM = 2
"""A store takes up to so many times the bytes of its backup: a tick of 42 columns takes 78 there, 48 in Parquet."""

Progress = Callable[[int, int], object]
"""Called with how many objects are done, and of how many."""
_Versions = dict[tuple[str, str, dt.date], int]


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What was restored; every key's content hash was computed from the new store and is the committed one."""

    about: About
    proven: int


def restore(
    folder: Path, settings: Settings, *, name: str | None = None, progress: Progress | None = None
) -> RestoreReport:
    """Restore a backup, the last one unless named, to where the settings' store would be; it must not exist yet.

    Hashes of inputs and contents, moments of commit and ingest ids stay as they were, so that the next run finds
    current what was current; version numbers begin anew. A simulated store stays simulated. Every file is checked
    before it is used, and the whole store is checked before ``store.json`` makes it one: what is interrupted, or not
    proven, is never opened.

    Raises
    ------
    NotStoredError
        The folder holds no such backup.
    StoreSchemaError
        The backup is of another schema or layout version than this release reads.
    StoreError
        The place is not empty, the backup is damaged, or what was restored is not what was committed.
    """
    about = choose_backup(folder, name)
    _check_readable(about)
    objects = read_list(folder, about)
    _require_empty(settings)
    for place in (lmdb_path(settings.heavy_uri), settings.light_path):
        if place is not None:
            require_free(place, ROOM * about.bytes, "nothing was restored")
    store = _bare_store(settings, about)
    try:
        with disk_errors(f"restoring to {settings.light_path}"):
            _fill(store, folder, objects, settings.home / "audit", progress)
            proven = _prove(store, about)
            stamp = about.stamp.model_copy(update={"heavy": heavy_fingerprint(settings.light_path, settings.heavy_uri)})
            write_stamp(settings.light_path, stamp)
    finally:
        store.close()
    return RestoreReport(about, proven)


def _check_readable(about: About) -> None:
    stamp = about.stamp
    for what, found, mine in (
        ("backup format", about.format, FORMAT),
        ("schema version", stamp.schema_version, SCHEMA_VERSION),
        ("layout version", stamp.layout_version, LAYOUT_VERSION),
    ):
        if found != mine:
            raise StoreSchemaError(
                f"backup {about.name} has {what} {found}, this release reads {mine}; restore it with fuzzy-pipeline "
                f"{stamp.code_version}"
            )


def _require_empty(settings: Settings) -> None:
    light, heavy = settings.light_path, lmdb_path(settings.heavy_uri)
    for place in (light, heavy, settings.home / "audit"):
        if place is not None and place.exists() and any(path.is_file() for path in place.rglob("*")):
            there = "a store is" if (light / STAMP_FILE).exists() else "files are"
            raise StoreError(
                f"{place}: {there} already there, and a restore never writes over anything\n"
                "choose another home (--home or FUZZY_HOME), or move that folder away first"
            )
    if heavy is None:
        store = ArcticHeavyStore(settings.heavy_uri)
        try:
            if store.tables():
                raise StoreError(
                    f"{uri_without_options(settings.heavy_uri)} already holds tables; choose another place"
                )
        finally:
            store.close()


def _bare_store(settings: Settings, about: About) -> Store:
    """A store without a stamp: nobody else can open it."""
    root, patience = settings.light_path, settings.store.lock_timeout_s
    heavy = ArcticHeavyStore(settings.heavy_uri)
    heavy.create([HEAVY_BY_NAME[name] for name in about.stamp.tables if name in HEAVY_BY_NAME])
    return Store(
        kind=about.stamp.kind,
        root=root,
        heavy=heavy,
        light=ParquetLightStore(root, patience),
        location=StoreLocation(about.stamp.kind, settings.heavy_uri, root, patience),
    )


def _fill(store: Store, folder: Path, objects: Sequence[BackupObject], audit: Path, progress: Progress | None) -> None:
    """Data first, then the manifest rows with the new versions."""
    versions: _Versions = {}
    ordered = sorted(objects, key=lambda item: item.table.startswith(MANIFEST))
    for number, item in enumerate(ordered, start=1):
        content = checked_bytes(folder / item.path, item.file_hash)
        if item.tier == "audit":
            audit.mkdir(parents=True, exist_ok=True)
            (audit / item.table).write_bytes(content)
        elif item.date is None:
            raise StoreError(f"{item.path}: an object of the {item.tier} tier without a date; the backup is damaged")
        elif item.tier == "heavy":
            table = HEAVY_BY_NAME[item.table]
            arrays, metadata = read_heavy_file(table, content)
            versions[item.table, item.symbol, item.date] = store.write(table, item.symbol, item.date, arrays, metadata)
        else:
            rows = pq.read_table(pa.BufferReader(content))
            if item.table.startswith(MANIFEST):
                _commit(store, item, rows, versions)
            else:
                store.light.replace_symbols(item.table, item.date, rows, pc.unique(rows["symbol"]).to_pylist())
        if progress is not None:
            progress(number, len(ordered))


def _commit(store: Store, item: BackupObject, found: pa.Table, versions: _Versions) -> None:
    rows = from_table(found, ManifestRow)
    if item.table.removeprefix(MANIFEST) in HEAVY_BY_NAME:
        rows = [row.model_copy(update={"version": versions[row.table, row.symbol, row.date]}) for row in rows]
    for date in {row.date for row in rows}:
        store.manifest.commit(item.table.removeprefix(MANIFEST), date, rows)


def _prove(store: Store, about: About) -> int:
    """Rows whose content hash, computed from the new store, is the committed one: all of them, or an error."""
    checks = check_store(store)
    # A backup may hold ticks whose light rows were of another ingest: they are restored as they were.
    broken: list[Broken] = [item for check in checks for item in check.broken if item.problem != "torn"]
    if broken:
        first = broken[0]
        raise StoreError(
            f"what was restored of backup {about.name} is not what was committed: {len(broken)} times, first "
            f"{first.table} {first.symbol} {first.date}: {first.detail}; the store was not made usable"
        )
    proven = sum(check.checked for check in checks if MANIFEST + check.table in store.light.tables())
    if proven != about.keys:
        raise StoreError(f"{proven} keys were restored, backup {about.name} holds {about.keys}; do not use this store")
    return proven

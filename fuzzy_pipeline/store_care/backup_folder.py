"""What a folder of backups looks like: objects written once, and one list of them per complete backup.

Belongs here: names, file contents and the proof that a file is the one that was written. ::

    fuzzy-backups.json                    whose backups these are
    objects/heavy/<table>/<symbol>/…      a symbol and date of a heavy table, as Parquet
    objects/light/<table>/…               a date of a light table, as Parquet
    objects/audit/…                       the audit log
    backups/<name>/objects.parquet        the objects of one backup, with their hashes
    backups/<name>/backup.json            about it; renamed into place last: without it there is no backup
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import xxhash
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from fuzzy_pipeline.errors import NotStoredError, StoreError
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.records import from_table, to_table
from fuzzy_pipeline.schema.tables import Table
from fuzzy_pipeline.stores.protocol import Metadata
from fuzzy_pipeline.stores.stamp import Stamp

FORMAT = 1
MARKER, ABOUT, LIST = "fuzzy-backups.json", "backup.json", "objects.parquet"
BACKUPS, OBJECTS = "backups", "objects"
_METADATA = b"fuzzy"


class BackupObject(BaseModel):
    """One file of a backup. ``state`` tells what it was made from: when it is the same, the file is used again."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    tier: Literal["heavy", "light", "audit"]
    table: str
    symbol: str = ""
    date: dt.date | None = None
    path: str
    bytes: int
    file_hash: str
    state: str


class LeftOut(BaseModel):
    """What is committed and not in the backup, and why."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    table: str
    symbol: str
    date: dt.date
    why: str


class About(BaseModel):
    """A complete backup."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: int
    name: str
    created_at: dt.datetime
    stamp: Stamp
    objects: int
    bytes: int
    keys: int
    list_hash: str
    left_out: tuple[LeftOut, ...] = ()


def find_backups(folder: Path) -> list[About]:
    """Complete backups in a folder, oldest first; ``StoreError`` when one cannot be read."""
    found = []
    for path in sorted((folder / BACKUPS).glob(f"*/{ABOUT}")):
        if path.parent.name.startswith("."):
            continue  # one that is being written, or was when its process died
        try:
            found.append(About.model_validate_json(path.read_text()))
        except (OSError, ValidationError) as error:
            raise StoreError(f"{path} cannot be read: {error}") from error
    return sorted(found, key=lambda about: about.created_at)


def choose_backup(folder: Path, name: str | None) -> About:
    """The backup of that name, the last one when None; ``NotStoredError`` when there is none."""
    found = {about.name: about for about in find_backups(folder)}
    if not found:
        raise NotStoredError(f"{folder} holds no complete backup")
    if name is not None and name not in found:
        raise NotStoredError(f"{folder} holds no backup {name}; there are {', '.join(found)}")
    return found[name] if name is not None else list(found.values())[-1]


def read_list(folder: Path, about: About) -> list[BackupObject]:
    """The objects of a backup; ``StoreError`` when the list is not the one that was written."""
    path = folder / BACKUPS / about.name / LIST
    content = checked_bytes(path, about.list_hash)
    return from_table(pq.read_table(pa.BufferReader(content)), BackupObject)


def write_backup(folder: Path, about: About, objects: Sequence[BackupObject]) -> About:
    """Write the list of a backup and make it complete; only now does it exist."""
    content = parquet_bytes(to_table(objects, BackupObject))
    about = about.model_copy(update={"list_hash": hash_of(content)})
    partial = folder / BACKUPS / f".{about.name}.partial"
    partial.mkdir(parents=True, exist_ok=True)
    write_bytes(partial / LIST, content)
    write_bytes(partial / ABOUT, (json.dumps(about.model_dump(mode="json"), indent=2) + "\n").encode())
    os.sync()  # every object before the name that makes them a backup
    partial.rename(folder / BACKUPS / about.name)
    os.sync()
    return about


def damaged_objects(folder: Path, about: About) -> list[str]:
    """Objects of a backup that are missing or are not as they were written, one line each."""
    damaged = []
    for item in read_list(folder, about):
        try:
            checked_bytes(folder / item.path, item.file_hash)
        except StoreError as error:
            damaged.append(str(error))
    return damaged


def checked_bytes(path: Path, expected: str) -> bytes:
    """A file's bytes; ``StoreError`` when it is missing or its hash is another."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror or error}; the backup is damaged, use another") from error
    if hash_of(content) != expected:
        raise StoreError(f"{path}: its hash is not the one that was written; the backup is damaged, use another")
    return content


def hash_of(content: bytes) -> str:
    """XXH3-128 [hex] of bytes."""
    return xxhash.xxh3_128_hexdigest(content)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under a temporary name and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def parquet_bytes(rows: pa.Table) -> bytes:
    """Rows as a Parquet file."""
    buffer = pa.BufferOutputStream()
    pq.write_table(rows, buffer, compression="zstd", write_page_checksum=True)
    content: bytes = buffer.getvalue().to_pybytes()
    return content


def heavy_file(table: Table, arrays: Arrays, metadata: Metadata) -> bytes:
    """A heavy key as a Parquet file that any reader of Parquet understands; S1 columns as the byte they are."""
    columns = [
        pa.array(arrays[column.name].view(np.uint8) if column.dtype == "S1" else arrays[column.name])
        for column in table.stored
    ]
    rows = pa.table(columns, names=[column.name for column in table.stored])
    return parquet_bytes(rows.replace_schema_metadata({_METADATA: canonical_json(metadata)}))


def read_heavy_file(table: Table, content: bytes) -> tuple[dict[str, NDArray[Any]], Metadata]:
    """Arrays and metadata of a heavy key, exactly as they were given to ``heavy_file``."""
    rows = pq.read_table(pa.BufferReader(content))
    arrays = {}
    for column in table.stored:
        # A copy: what Arrow hands out without one cannot be written to.
        values = rows[column.name].to_numpy().copy()
        arrays[column.name] = values.view("S1") if column.dtype == "S1" else values.astype(column.dtype, copy=False)
    metadata: Metadata = json.loads(rows.schema.metadata[_METADATA])
    return arrays, metadata


def canonical_json(value: object) -> str:
    """JSON with sorted keys: equal values give equal texts."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)

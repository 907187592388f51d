"""``store.json``: what a store is, written last when it is created and checked whenever it is opened.

Belongs here: the stamp's content, its checks and their messages.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import importlib.metadata
import json
import os
from pathlib import Path
from urllib.parse import parse_qsl

from pydantic import BaseModel, ConfigDict, ValidationError

from fuzzy_pipeline.errors import StoreError, StoreKindError, StoreSchemaError
from fuzzy_pipeline.schema import tables as schema_tables
from fuzzy_pipeline.sources.protocol import DataKind
from fuzzy_pipeline.stores.arctic_connection import lmdb_path, uri_without_options
from fuzzy_pipeline.trading_calendar import now_eastern

STAMP_FILE = "store.json"
LAYOUT_VERSION = 1
"""Raised when files or keys are laid out otherwise while tables keep their columns."""

_OTHER_PLACE = "set FUZZY_HOME (or FUZZY_STORE__LIGHT_PATH and FUZZY_STORE__HEAVY_URI) to another folder"


class Stamp(BaseModel):
    """What a store is. ``heavy`` tells heavy stores apart without keys or passwords; ``tables`` have been created."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    kind: DataKind
    schema_version: int
    layout_version: int
    created_at: dt.datetime
    code_version: str
    heavy: str
    tables: tuple[str, ...] = ()


def new_stamp(kind: DataKind, root: Path, heavy_uri: str) -> Stamp:
    """The stamp of a store created now by this code."""
    return Stamp(
        kind=kind,
        schema_version=schema_tables.SCHEMA_VERSION,
        layout_version=LAYOUT_VERSION,
        created_at=now_eastern(),
        code_version=importlib.metadata.version("fuzzy-pipeline"),
        heavy=heavy_fingerprint(root, heavy_uri),
    )


def read_stamp(root: Path) -> Stamp | None:
    """The stamp of the store at ``root``, None when there is none; ``StoreError`` when it is damaged."""
    path = root / STAMP_FILE
    try:
        return Stamp.model_validate_json(path.read_text())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise StoreError(f"{path} cannot be read as a store's stamp: {error}. Restore it from a copy") from error


def write_stamp(root: Path, stamp: Stamp) -> None:
    """Write the stamp whole or not at all."""
    temporary = root / f".{STAMP_FILE}.{os.getpid()}.tmp"
    with temporary.open("w") as file:
        file.write(json.dumps(stamp.model_dump(mode="json"), indent=2) + "\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(root / STAMP_FILE)


def check_stamp(stamp: Stamp, root: Path, heavy_uri: str, expected: DataKind) -> None:
    """Refuse a store that is not what is wanted.

    Raises
    ------
    StoreKindError
        It holds data of the other kind.
    StoreSchemaError
        Its schema or layout version is not this code's.
    StoreError
        Its light tier was created beside another heavy store.
    """
    if stamp.kind != expected:
        raise StoreKindError(
            f"the store at {root} holds {stamp.kind} data, {expected} data was offered or asked for; the two are never "
            f"mixed. Choose a source of {stamp.kind} data (FUZZY_SOURCE), or {_OTHER_PLACE} for {expected} data"
        )
    for what, found, mine in (
        ("schema", stamp.schema_version, schema_tables.SCHEMA_VERSION),
        ("layout", stamp.layout_version, LAYOUT_VERSION),
    ):
        if found != mine:
            raise StoreSchemaError(
                f"the store at {root} has {what} version {found}, this release reads and writes version {mine}. There "
                f"is no conversion in place: read it with the release that wrote it (fuzzy-pipeline "
                f"{stamp.code_version}), or {_OTHER_PLACE} and build the dates again there"
            )
    if stamp.heavy != heavy_fingerprint(root, heavy_uri):
        raise StoreError(
            f"the store at {root} was created with another heavy store than {uri_without_options(heavy_uri)}: its "
            "versions mean nothing there. Set FUZZY_STORE__HEAVY_URI back, or choose another FUZZY_STORE__LIGHT_PATH"
        )


def heavy_fingerprint(root: Path, heavy_uri: str) -> str:
    """Hash of where the heavy store is; without map size and secrets, which may change.

    An LMDB folder counts relative to the light tier, so that a home can be moved as a whole.
    """
    folder = lmdb_path(heavy_uri)
    if folder is not None:
        place = os.path.relpath(folder, root)
    else:
        options = dict(parse_qsl(heavy_uri.partition("?")[2]))
        place = "|".join([uri_without_options(heavy_uri), options.get("port", ""), options.get("path_prefix", "")])
    return hashlib.sha256(place.encode()).hexdigest()[:16]

"""How much room a store takes, table by table, and whether there is enough left for a run."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fuzzy_pipeline.errors import NotStoredError, StoreFullError
from fuzzy_pipeline.schema.tables import HEAVY_TABLES, RAW_TICKS, Table
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.store_settings import StoreCareSettings
from fuzzy_pipeline.stores.arctic_connection import lmdb_path
from fuzzy_pipeline.stores.store import Store

_DATES_AHEAD = 2
"""A run should find room for so many dates of the measured size: one may be written again beside the old one."""


@dataclass(frozen=True, slots=True)
class TableSize:
    """Room a table takes [bytes].

    ``disk``: in files, None where there are none (S3); an LMDB file counts with the room it keeps for later writes.
    ``data``: compressed data of all versions, None where it was not measured.
    """

    table: str
    tier: Literal["heavy", "light"]
    disk: int | None
    data: int | None
    dates: int


def sizes(store: Store, heavy_uri: str, *, measure: bool = False) -> list[TableSize]:
    """Room by table, heavy ones first; ``measure`` also adds up what heavy versions take (1.5 s for 4,000 keys)."""
    folder = lmdb_path(heavy_uri)
    found = []
    for table in HEAVY_TABLES:
        disk = None if folder is None else _folder_bytes(folder / table.name)
        dates = len(store.light.dates(f"manifest/{table.name}"))
        found.append(TableSize(table.name, "heavy", disk, _data_bytes(store, table) if measure else None, dates))
    for name in store.light.tables():
        on_disk = _folder_bytes(store.root / name)
        found.append(TableSize(name, "light", on_disk, on_disk, len(store.light.dates(name))))
    return found


def measured_date_bytes(store: Store, heavy_uri: str) -> int | None:
    """Mean room of a date in both tiers [bytes]; None without dates or where files cannot be measured.

    What was superseded counts too, so that a store in which dates are often run again asks for more.
    """
    folder = lmdb_path(heavy_uri)
    dates = len(store.light.dates(f"manifest/{RAW_TICKS.name}"))
    if folder is None or not dates:
        return None
    return (_folder_bytes(folder) + _folder_bytes(store.root)) // dates


def check_disk_space(settings: Settings, care: StoreCareSettings, date_bytes: int | None = None) -> None:
    """Refuse to begin what would fill the disk; to be called before a run.

    Needed are ``care.min_free_gb`` or twice the size of a date, whichever is more, under both tiers.

    Raises
    ------
    StoreFullError
        Less is free; names the folder, what is free and what is needed.
    """
    needed = max(int(care.min_free_gb * 1e9), _DATES_AHEAD * (date_bytes or 0))
    heavy = lmdb_path(settings.heavy_uri)
    for folder in dict.fromkeys(place for place in (heavy, settings.light_path) if place is not None):
        require_free(folder, needed, "nothing was started")


def require_free(folder: Path, needed: int, consequence: str) -> None:
    """``StoreFullError`` unless so many bytes are free where the folder is, or will be."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if free < needed:
        raise StoreFullError(
            f"{folder}: {free / 1e9:.2f} GB free, {needed / 1e9:.2f} GB needed; {consequence}\n"
            "free space, move the store (FUZZY_HOME), or lower FUZZY_CARE__MIN_FREE_GB\n"
            "fuzzy store sizes tells what takes room, fuzzy store prune and fuzzy store retain give some back"
        )


def _data_bytes(store: Store, table: Table) -> int | None:
    try:
        return sum(store.heavy.key_bytes(table).values())
    except NotStoredError:
        return None  # the store was created without this table


def _folder_bytes(folder: Path) -> int:
    """Bytes that files take on the disk: an LMDB file may be longer than what was written of it."""
    total = 0
    for path in folder.rglob("*"):
        try:
            facts = path.lstat()
        except FileNotFoundError:
            continue  # a temporary file that was renamed meanwhile
        if path.is_file():
            total += facts.st_blocks * 512
    return total

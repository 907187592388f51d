"""Delete superseded versions of heavy keys: those no manifest row names and nobody can still want."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from fuzzy_pipeline.errors import NotStoredError
from fuzzy_pipeline.schema.tables import HEAVY_TABLES, Table
from fuzzy_pipeline.store_settings import StoreCareSettings
from fuzzy_pipeline.stores.protocol import HeldVersion
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import now_eastern

OnDelete = Callable[[str, Mapping[str, Any], Mapping[str, Any]], object]
"""Called with action, subject and details before something is deleted: ``AuditLog.append``."""

Key = tuple[str, dt.date]
"""Symbol and date."""


@dataclass(slots=True)
class TablePruning:
    """What pruning did, or would do, to one table; bytes are compressed ones, None when not measured."""

    table: str
    versions: int = 0
    keys: int = 0
    bytes: int | None = None
    waiting: int = 0
    """Superseded or unfinished versions that are still too young."""
    uncommitted: dict[Key, list[int]] = field(default_factory=dict)
    """Old versions of keys without a manifest row, left alone unless asked for."""


@dataclass(frozen=True, slots=True)
class _Committed:
    version: int
    at: dt.datetime


def prune(
    store: Store,
    care: StoreCareSettings,
    *,
    tables: Sequence[Table] = HEAVY_TABLES,
    uncommitted: bool = False,
    dry_run: bool = False,
    on_delete: OnDelete | None = None,
    now: dt.datetime | None = None,
) -> list[TablePruning]:
    """Delete versions that no manifest row names, beside running readers and writers; again deletes nothing more.

    Three kinds go. *Superseded*: older than the committed version. Both it and the commit that replaced it must be
    older than ``care.grace_minutes``, for readers who looked it up before. *Unfinished*: newer than the committed
    version, left by a killed run or about to be committed; older than ``care.unfinished_hours``. *Retired*: the key
    is retired and its data were left by an interrupted deletion. Versions of a key that has no manifest row at all
    (its first run was killed, or the row was lost) are reported, and deleted with ``uncommitted`` only.

    Room in an LMDB file is used again by later writes; the file does not shrink.

    Raises
    ------
    StoreError
        The manifest cannot be read (then nothing is deleted), or another backup or deletion holds the store.
    """
    at = now or now_eastern()
    reports = []
    with store.maintenance("pruning"):
        for table in tables:
            try:
                doomed, report = _doomed(store, table, care, at, uncommitted)
            except NotStoredError:
                continue  # a table this store was created without
            if doomed and dry_run:
                report.versions, report.keys = sum(map(len, doomed.values())), len(doomed)
            elif doomed:
                _delete(store, table, doomed, report, on_delete)
            reports.append(report)
    return reports


def _doomed(
    store: Store, table: Table, care: StoreCareSettings, now: dt.datetime, uncommitted: bool
) -> tuple[dict[Key, list[int]], TablePruning]:
    report = TablePruning(table.name)
    # Versions first: what is committed after this line was written before it and is young, or is seen below.
    held = store.heavy.held_versions(table)
    committed = _committed(store, table)
    retired = {(row.symbol, row.date): row.retired_at for row in store.retired.rows(table.name)}
    grace, unfinished = dt.timedelta(minutes=care.grace_minutes), dt.timedelta(hours=care.unfinished_hours)
    doomed: dict[Key, list[int]] = {}
    for key, group in groupby(held, key=lambda version: (version.symbol, version.date)):
        row = committed.get(key)
        for version in group:
            if row is not None and version.version == row.version:
                continue
            if row is not None and version.version < row.version:
                since, least = max(version.written_at, row.at), grace
            elif row is None and key in retired and version.written_at <= retired[key]:
                since, least = retired[key], grace
            else:
                since, least = version.written_at, unfinished
            if now - since < least:
                report.waiting += 1
            elif row is None and key not in retired and not uncommitted:
                report.uncommitted.setdefault(key, []).append(version.version)
            else:
                doomed.setdefault(key, []).append(version.version)
    return doomed, report


def _committed(store: Store, table: Table) -> dict[Key, _Committed]:
    columns = ["symbol", "date", "version", "committed_at"]
    found = store.light.read(f"manifest/{table.name}", columns=columns)
    if found is None:
        return {}
    values = (found[name].to_pylist() for name in columns)
    return {(symbol, date): _Committed(version, at) for symbol, date, version, at in zip(*values, strict=True)}


def _delete(
    store: Store, table: Table, doomed: Mapping[Key, Sequence[int]], report: TablePruning, on_delete: OnDelete | None
) -> None:
    if on_delete is not None:
        on_delete(
            "store.prune", {"table": table.name}, {"keys": len(doomed), "versions": sum(map(len, doomed.values()))}
        )
    before = store.heavy.key_bytes(table)
    for (symbol, date), versions in doomed.items():
        gone = store.delete_versions(table, symbol, date, versions)
        report.versions += len(gone)
        report.keys += bool(gone)
    after = store.heavy.key_bytes(table)
    report.bytes = sum(max(before.get(key, 0) - after.get(key, 0), 0) for key in doomed)


def unnamed_versions(store: Store, table: Table) -> list[HeldVersion]:
    """Every version that no manifest row names now, whether superseded, unfinished or left over."""
    held = store.heavy.held_versions(table)
    committed = _committed(store, table)
    named = {(*key, row.version) for key, row in committed.items()}
    return [version for version in held if (version.symbol, version.date, version.version) not in named]

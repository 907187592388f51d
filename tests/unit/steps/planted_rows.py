"""Manifest rows by hand: what a store has committed, without the work."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from fuzzy_pipeline.stores.manifest import FailureRow, ManifestRow
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import now_eastern

MONDAY, TUESDAY, WEDNESDAY, FRIDAY = (dt.date(2025, 11, day) for day in (24, 25, 26, 28))  # Thanksgiving between
NEXT_MONDAY = dt.date(2025, 12, 1)


def row(
    table: str,
    symbol: str,
    date: dt.date,
    content: str = "c",
    *,
    rows: int = 10,
    version: int = 0,
    notes: Mapping[str, str] | None = None,
    measures: Mapping[str, float] | None = None,
    input_hash: str = "i",
) -> ManifestRow:
    """What is committed of a symbol and date; ``content`` stands for its content hash."""
    return ManifestRow(
        table=table, symbol=symbol, date=date, kind="simulated", version=version, rows=rows, content_hash=content,
        input_hash=input_hash, source="hand", ingest_id="1", code_version="0", schema_version=1, rows_in=rows,
        rows_out=rows, committed_at=now_eastern(), notes=dict(notes or {}), measures=dict(measures or {}),
    )  # fmt: skip


def commit(store: Store, *rows: ManifestRow) -> None:
    """Commit rows of any tables and dates."""
    for table, date in dict.fromkeys((each.table, each.date) for each in rows):
        store.manifest.commit(table, date, [each for each in rows if (each.table, each.date) == (table, date)])


def fail(
    store: Store,
    table: str,
    date: dt.date,
    symbols: Sequence[str],
    reason: str = "the disk is full",
    error_type: str = "StoreError",
) -> None:
    """Symbols could not be made of a date."""
    rows = [
        FailureRow(table=table, symbol=symbol, date=date, reason=reason, error_type=error_type, failed_at=now_eastern())
        for symbol in symbols
    ]
    store.manifest.record_failures(date, rows)

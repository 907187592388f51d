"""The content hash of what is stored under a manifest row: one rule for those who write it and those who check it.

Belongs here: which columns and which metadata of each table are its content.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from fuzzy_pipeline.errors import NotStoredError
from fuzzy_pipeline.schema.arrays import Arrays, length
from fuzzy_pipeline.schema.quarantine import DECISIONS_TABLE, QuarantineDecision, releases_hash
from fuzzy_pipeline.schema.records import from_table
from fuzzy_pipeline.schema.tables import BAR_TABLES, HEAVY_TABLES, RAW_TICKS, Table
from fuzzy_pipeline.stores.content_hash import arrow_content_hash, content_hash
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.protocol import Metadata
from fuzzy_pipeline.stores.store import Store

HEAVY_BY_NAME: Mapping[str, Table] = {table.name: table for table in HEAVY_TABLES}
_BARS = frozenset(table.name for table in BAR_TABLES.values())


def hash_of_arrays(table: Table, arrays: Arrays, date: dt.date, metadata: Metadata) -> str:
    """Content hash [hex] of a heavy key.

    Raw ticks: all 14 fields, ``date`` among them though it is not stored per row. Enriched ticks: the stored columns.
    Bars: the stored columns and the metadata, whose row ranges and carried state belong to the content.
    """
    if table.name == RAW_TICKS.name:
        whole = {**arrays, "date": np.full(length(arrays), np.datetime64(date, "D"))}
        return content_hash(whole, table.names)
    return content_hash(arrays, [column.name for column in table.stored], metadata if table.name in _BARS else None)


def hash_of_light_rows(table: str, rows: pa.Table) -> str:
    """Content hash [hex] of one symbol's rows of a light table: decisions count by what they change, others as rows."""
    if table == DECISIONS_TABLE:
        return releases_hash(from_table(rows, QuarantineDecision))
    return arrow_content_hash(rows)


def stored_hash(store: Store, row: ManifestRow) -> tuple[str, int]:
    """Content hash [hex] and number of rows of what is stored under a manifest row now.

    Of a light table without rows nothing is stored: its hash is taken as committed.

    Raises
    ------
    NotStoredError
        The version, or every row of a light table, is gone.
    StoreError
        What is stored cannot be read.
    """
    table = HEAVY_BY_NAME.get(row.table)
    if table is not None:
        found = store.heavy.read(table, row.symbol, row.date, row.version)
        return hash_of_arrays(table, found.arrays, row.date, found.metadata), length(found.arrays)
    if not row.rows:
        return row.content_hash, 0
    rows = store.light.read(row.table, dates=[row.date], symbols=[row.symbol])
    if rows is None or not rows.num_rows:
        raise NotStoredError(f"{row.table} {row.symbol} {row.date:%Y-%m-%d}: no rows in the light tier")
    return hash_of_light_rows(row.table, rows), rows.num_rows


def same_commit(one: ManifestRow | None, other: ManifestRow) -> bool:
    """Whether a row is the other, read at another moment. Rows may hold NaN, so equality does not tell."""
    if one is None:
        return False
    return (one.version, one.content_hash, one.ingest_id, one.kind, one.committed_at) == (
        other.version, other.content_hash, other.ingest_id, other.kind, other.committed_at
    )  # fmt: skip

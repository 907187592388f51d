"""Day records written by hand, in stores on disk or in memory.

Monday: AAPL has vwap 10 and 1,000 shares, SPY 20 and 3,000, and KO 99 which nobody committed.
Tuesday, written by a later release: records also have ``spread_stats``; SPY vwap 21, 5,000 shares, p95 50.5 bps.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.tables import HEAVY_TABLES
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.store import Store, create_store
from tests.unit.query import simulated_store as sim
from tests.unit.query.hand_made import MONDAY, TUESDAY, manifest_row

OPENED = dt.datetime(2025, 11, 24, 14, 30, tzinfo=dt.UTC)


def put_rows(store: Store, table: str, date: dt.date, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write light rows of a date without committing them."""
    whole = pa.Table.from_pylist([dict(row) for row in rows])
    store.light.replace_symbols(table, date, whole, sorted({row["symbol"] for row in rows}))


def commit(store: Store, table: str, date: dt.date, symbols: Sequence[str]) -> None:
    """Commit a row a symbol."""
    store.manifest.commit(table, date, [manifest_row(table, symbol, date, -1, 1) for symbol in symbols])


def day(symbol: str, date: dt.date, vwap: float | None, volume: int, **groups: Mapping[str, Any]) -> dict[str, Any]:
    """A day record with three fields in its first group."""
    stats = {"vwap": vwap, "volume_total": volume, "first_tick_time": OPENED}
    return {"symbol": symbol, "date": date, "basic_stats": stats, **groups}


def fill(store: Store) -> Store:
    """The records this page describes."""
    monday = [day("AAPL", MONDAY, 10.0, 1000), day("KO", MONDAY, 99.0, 1), day("SPY", MONDAY, 20.0, 3000)]
    put_rows(store, PHASE1_TABLE, MONDAY, monday)
    commit(store, PHASE1_TABLE, MONDAY, ["AAPL", "SPY"])
    put_rows(store, PHASE1_TABLE, TUESDAY, [day("SPY", TUESDAY, 21.0, 5000, spread_stats={"p95_bps": 50.5})])
    commit(store, PHASE1_TABLE, TUESDAY, ["SPY"])
    return store


def days_in_memory() -> Store:
    """In memory."""
    return fill(memory_store("simulated", HEAVY_TABLES))


def days_on_disk(home: Path) -> Store:
    """On disk; the caller closes it."""
    return fill(create_store(sim.settings_of(home), "simulated", HEAVY_TABLES))

"""A store in memory whose few rows can be read off this page.

Monday 2025-11-24: 1m bars close at 1, 2, 3 and one 1h bar at 3. Tuesday: 1m bars close at 4, 5, and no 1h bars were
built. ``KO`` failed on Monday. Of Tuesday a second, newer version is written that nobody committed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS, HEAVY_TABLES, RAW_TICKS, Table
from fuzzy_pipeline.stores.manifest import FailureRow, ManifestRow
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.store import Store

MONDAY, TUESDAY, WEDNESDAY = dt.date(2025, 11, 24), dt.date(2025, 11, 25), dt.date(2025, 11, 26)
NOON = dt.datetime(2025, 11, 24, 12, tzinfo=ZoneInfo("America/New_York"))


def arrays_of(table: Table, rows: int, **columns: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """Stored columns of a table: those named, zeros for the others."""
    return {
        column.name: np.asarray(columns[column.name], column.dtype)
        if column.name in columns
        else np.zeros(rows, column.dtype)
        for column in table.stored
    }


def manifest_row(table: str, symbol: str, date: dt.date, version: int, rows: int) -> ManifestRow:
    """A commit at noon on Monday."""
    return ManifestRow(
        table=table, symbol=symbol, date=date, kind="simulated", version=version, rows=rows, content_hash="c",
        input_hash="i", source="hand", ingest_id="1", code_version="0", schema_version=1, rows_in=rows, rows_out=rows,
        committed_at=NOON,
    )  # fmt: skip


def failure_row(
    table: str, symbol: str, date: dt.date, failed_at: dt.datetime, reason: str = "feed down"
) -> FailureRow:
    """A failure of a symbol and date."""
    return FailureRow(
        table=table, symbol=symbol, date=date, reason=reason, error_type="SourceError", failed_at=failed_at
    )


def put_bars(store: Store, date: dt.date, close: Sequence[float], ranges: Mapping[str, tuple[int, int]]) -> int:
    """Write SPY's bars, one ending every minute from 14:31 UTC on; the version written."""
    first = np.datetime64(f"{date}T14:31", "ns")
    ends = first + np.arange(len(close)) * np.timedelta64(60, "s")
    bars = arrays_of(
        BAR_TABLES["time"], len(close), close=close, timestamp=ends, bar_start=ends - np.timedelta64(60, "s")
    )
    bars["theta"][:] = np.nan
    bars["first_tick_time"][:] = np.datetime64("NaT")
    return store.write(
        BAR_TABLES["time"], "SPY", date, bars, {"ranges": {name: list(rows) for name, rows in ranges.items()}}
    )


def hand_made_store() -> Store:
    """The store this page describes."""
    store = memory_store("simulated", HEAVY_TABLES)
    version = put_bars(store, MONDAY, [1, 2, 3, 3], {"1m": (0, 3), "1h": (3, 4)})
    store.manifest.commit(
        BAR_TABLES["time"].name, MONDAY, [manifest_row(BAR_TABLES["time"].name, "SPY", MONDAY, version, 4)]
    )
    version = put_bars(store, TUESDAY, [4, 5], {"1m": (0, 2)})
    put_bars(store, TUESDAY, [99, 98, 97], {"1m": (0, 3)})
    store.manifest.commit(
        BAR_TABLES["time"].name, TUESDAY, [manifest_row(BAR_TABLES["time"].name, "SPY", TUESDAY, version, 2)]
    )
    _put_ticks(store)
    store.manifest.record_failures(MONDAY, [failure_row(BAR_TABLES["time"].name, "KO", MONDAY, NOON, "no ticks")])
    store.manifest.record_failures(MONDAY, [failure_row(RAW_TICKS.name, "KO", MONDAY, NOON)])
    return store


def _put_ticks(store: Store) -> None:
    """Two ticks of SPY on Monday: 09:30:00.000001 at 10.5 and 16:00:00 at 11, the second with unknown codes."""
    times = [34_200_000_001, 57_600_000_000]
    raw = arrays_of(RAW_TICKS, 2, time=times, last=[10.5, 11.0], last_type=[b"C", b"Z"], bid=[np.nan, 10.0])
    version = store.write(RAW_TICKS, "SPY", MONDAY, raw)
    store.manifest.commit(RAW_TICKS.name, MONDAY, [manifest_row(RAW_TICKS.name, "SPY", MONDAY, version, 2)])
    stamps = np.array(["2025-11-24T14:30:00.000001", "2025-11-24T21:00:00"], "datetime64[ns]")
    ticks = arrays_of(
        ENRICHED_TICKS, 2, timestamp=stamps, price=[10.5, 11.0], basis=[67, 90], session=[2, 3], exchange=[3, 0],
        trade_sign_method=[1, 2], participant_type=[1, 0], bid=[np.nan, 10.0],
    )  # fmt: skip
    version = store.write(ENRICHED_TICKS, "SPY", MONDAY, ticks)
    store.manifest.commit(ENRICHED_TICKS.name, MONDAY, [manifest_row(ENRICHED_TICKS.name, "SPY", MONDAY, version, 2)])

"""Reading day records of a thousand dates and five hundred symbols: by condition, and one symbol's history.

The store holds made-up phase-1 records, one Parquet file a date as the light tier has them, and the manifest that
commits them. Beside it lie the same records compacted, one file a year sorted by (symbol, date), read by plain DuckDB:
what a compaction of closed years would give.

Run with ``python -m benchmarks.metadata_reading``.
"""

from __future__ import annotations

import datetime as dt
import gc
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from benchmarks import measure
from fuzzy_pipeline.query import find_days, get_metadata, sql
from fuzzy_pipeline.query.day_metadata import flattened
from fuzzy_pipeline.query.sql import SqlConnection
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.records import arrow_schema_of
from fuzzy_pipeline.schema.tables import HEAVY_TABLES
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.store import Store, create_store
from fuzzy_pipeline.trading_calendar import trading_dates

DATES = trading_dates(dt.date(2021, 11, 1), dt.date(2025, 11, 26))[-1000:]
SYMBOLS = tuple(f"S{number:03d}" for number in range(500))
ONE = SYMBOLS[123]
YEAR, MONTH = 252, 21
ROUNDS = 5
ROW_GROUP = 10_000
BUCKETS = 7
CONDITION = "basic_stats.vwap > 50 and basic_stats.volume_total > 9e6"
HISTORY = "SELECT date, basic_stats.vwap, basic_stats.volume_total FROM {} WHERE symbol = ? ORDER BY date"
GOALS_MS = {"find_days, all dates": 500.0, "one symbol, all dates, two fields (SQL)": 50.0}
REMARKS = [
    f"{len(DATES):,} dates × {len(SYMBOLS)} symbols, made-up values; every call opens DuckDB anew, unless marked "
    "open; the store is open.",
    f"condition: `{CONDITION}`.",
    "compacted: one file a year, sorted by (symbol, date), row groups of "
    f"{ROW_GROUP:,} rows, read by plain DuckDB without the manifest: not what the store does.",
    "seconds on the clock and of the processor are medians; both cores may be used.",
]


# -- what is read ------------------------------------------------------------------------------------------


def made_up(kind: pa.DataType, rows: int, random: np.random.Generator) -> pa.Array:
    """A column of that type with values of no meaning."""
    if pa.types.is_struct(kind):
        return pa.StructArray.from_arrays([made_up(field.type, rows, random) for field in kind], fields=list(kind))
    if pa.types.is_list(kind):
        ends = pa.array(np.arange(rows + 1) * BUCKETS, pa.int32())
        return pa.ListArray.from_arrays(ends, made_up(kind.value_type, rows * BUCKETS, random))
    if pa.types.is_map(kind):
        empty = (pa.array([], pa.string()), pa.array([], kind.item_type))
        return pa.MapArray.from_arrays(pa.array(np.zeros(rows + 1), pa.int32()), *empty)
    if pa.types.is_floating(kind):
        return pa.array(random.lognormal(3.0, 1.0, rows))
    if pa.types.is_string(kind):
        return pa.array(np.full(rows, "0123456789abcdef"))
    if pa.types.is_boolean(kind):
        return pa.array(random.random(rows) > 0.5)
    numbers = pa.array(random.integers(1, 10_000_000, rows))
    return numbers if pa.types.is_integer(kind) else numbers.view(kind)


def date_rows(schema: pa.Schema, date: dt.date, random: np.random.Generator) -> pa.Table:
    """Rows of all symbols of a date."""
    count = len(SYMBOLS)
    known: dict[str, pa.Array] = {
        "symbol": pa.array(SYMBOLS),
        "date": pa.array([date] * count, pa.date32()),
        "table": pa.array([PHASE1_TABLE] * count),
        "kind": pa.array(["simulated"] * count),
    }
    columns = [known[field.name] if field.name in known else made_up(field.type, count, random) for field in schema]
    return pa.table(columns, schema=schema)


def build(home: Path) -> tuple[Settings, Store]:
    """The store with its records, written as the light tier lays them out, and the compacted files beside it."""
    settings = load_settings(home=home, symbols=SYMBOLS)
    store = create_store(settings, "simulated", HEAVY_TABLES)
    random = np.random.default_rng(20)
    schemas = {
        PHASE1_TABLE: arrow_schema_of(DayMetadataPhase1),
        f"manifest/{PHASE1_TABLE}": arrow_schema_of(ManifestRow),
    }
    for table, schema in schemas.items():
        folder = settings.light_path / table
        folder.mkdir(parents=True)
        for date in DATES:
            pq.write_table(date_rows(schema, date, random), folder / f"date={date}.parquet", compression="zstd")
    compact(settings.light_path / PHASE1_TABLE, home / "compacted")
    return settings, store


def compact(folder: Path, target: Path) -> None:
    """One file a year, sorted by (symbol, date)."""
    target.mkdir()
    for year in sorted({date.year for date in DATES}):
        days = [pq.ParquetFile(folder / f"date={date}.parquet").read() for date in DATES if date.year == year]
        whole = pa.concat_tables(days)
        order = pc.sort_indices(whole, sort_keys=[("symbol", "ascending"), ("date", "ascending")])
        pq.write_table(whole.take(order), target / f"{year}.parquet", compression="zstd", row_group_size=ROW_GROUP)


# -- timing ------------------------------------------------------------------------------------------------


def questions(store: Store, settings: Settings, compacted: str) -> dict[str, Callable[[], int]]:
    """What is timed, by name; each gives the number of rows it found."""
    held = SqlConnection(store, settings)
    plain = duckdb.connect()
    return {
        "find_days, all dates": lambda: len(find_days(CONDITION, store=store, settings=settings)),
        "find_days, last 252 dates": lambda: len(
            find_days(CONDITION, DATES[-YEAR], DATES[-1], store=store, settings=settings)
        ),
        "find_days, last 21 dates": lambda: len(
            find_days(CONDITION, DATES[-MONTH], DATES[-1], store=store, settings=settings)
        ),
        "the same in SQL, all dates (open)": lambda: len(
            held.query(f"SELECT symbol, date FROM {PHASE1_TABLE} WHERE {CONDITION}")
        ),
        "one symbol, all dates, two fields (SQL)": lambda: len(
            sql(HISTORY.format(PHASE1_TABLE), [ONE], store=store, settings=settings)
        ),
        "one symbol, last 252 dates, all fields (get_metadata)": lambda: len(
            get_metadata(ONE, DATES[-YEAR], DATES[-1], store=store, settings=settings)
        ),
        "compacted: the condition, all dates": lambda: len(
            plain.execute(f"SELECT symbol, date FROM {compacted} WHERE {CONDITION}").fetchall()
        ),
        "compacted: one symbol, all dates, two fields": lambda: len(
            plain.execute(HISTORY.format(compacted), [ONE]).fetchall()
        ),
        "compacted: one symbol, all dates, all fields": lambda: len(
            plain.execute(f"SELECT * FROM {compacted} WHERE symbol = ?", [ONE]).fetchall()
        ),
    }


def timed(work: Callable[[], int]) -> tuple[float, float, int]:
    """Medians of seconds on the clock and of the processor, after one call that is not timed; rows found."""
    found = work()
    samples = []
    for _ in range(ROUNDS):
        gc.collect()
        clock, processor = time.perf_counter(), time.process_time()
        work()
        samples.append((time.perf_counter() - clock, time.process_time() - processor))
    return statistics.median(one for one, _ in samples), statistics.median(two for _, two in samples), found


def main() -> dict[str, Any]:
    """Build, time, keep ``results/metadata_reading``."""
    home = Path(tempfile.mkdtemp(prefix="fuzzy-bench-"))
    try:
        settings, store = build(home)
        compacted = f"read_parquet('{home}/compacted/*.parquet')"
        rows = []
        for name, work in questions(store, settings, compacted).items():
            clock, processor, found = timed(work)
            rows.append({"case": name, "ms": clock * 1e3, "processor_ms": processor * 1e3, "rows": found})
        store.close()
        size = {
            what: sum(file.stat().st_size for file in folder.rglob("*.parquet")) / 1e6
            for what, folder in (
                ("a file a date", settings.light_path / PHASE1_TABLE),
                ("compacted", home / "compacted"),
            )
        }
    finally:
        shutil.rmtree(home)
    fields = len(flattened(arrow_schema_of(DayMetadataPhase1).empty_table()).column_names)
    sizes = ", ".join(f"{what} {megabytes:,.0f} MB" for what, megabytes in size.items())
    remarks = [f"a record has {fields} columns when flattened; {sizes}.", *REMARKS]
    results = {"machine": measure.machine(), "remarks": remarks, "rows": rows}
    measure.keep("metadata_reading", results, _table(results))
    print(_table(results))
    return results


def _table(results: Mapping[str, Any]) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    lines = ["# Reading day records", "", facts, "", *(f"- {one}" for one in results["remarks"]), ""]
    lines += ["| case | ms (clock) | ms (processor) | rows | goal, ms |", "|---|---|---|---|---|"]
    rows: Sequence[Mapping[str, Any]] = results["rows"]
    for row in rows:
        goal = GOALS_MS.get(row["case"])
        shown = f"< {goal:.0f}" if goal else ""
        lines.append(f"| {row['case']} | {row['ms']:.0f} | {row['processor_ms']:.0f} | {row['rows']:,} | {shown} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

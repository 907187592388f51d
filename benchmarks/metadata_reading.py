"""Reading day records of a thousand dates and five hundred symbols: by condition, and one symbol's history.

The store holds made-up phase-1 records, one Parquet file a date as the light tier has them, and the manifest that
commits them. The same questions are asked twice: of these files, and after compaction.

Run with ``python -m benchmarks.metadata_reading``.
"""

from __future__ import annotations

import datetime as dt
import gc
import itertools
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks import measure
from fuzzy_pipeline.query import find_days, get_metadata, sql
from fuzzy_pipeline.query.sql import SqlConnection
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.records import arrow_schema_of
from fuzzy_pipeline.schema.tables import HEAVY_TABLES
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.stores.compaction import CompactionReport, compact
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.parquet import ParquetLightStore
from fuzzy_pipeline.stores.store import Store, create_store
from fuzzy_pipeline.trading_calendar import trading_dates

DATES = trading_dates(dt.date(2021, 11, 1), dt.date(2025, 11, 26))[-1000:]
TODAY = dt.date(2025, 11, 28)
SYMBOLS = tuple(f"S{number:03d}" for number in range(500))
YEAR, MONTH = 252, 21
ROUNDS = (3, 7)
ELEMENTS = {"intraday_evolution": 7.0, "venues": 12.0, "minute_impact_60s_bps": 390.0}
OTHER_ELEMENTS = 0.1
CONDITION = "basic_stats.vwap > 50 and basic_stats.volume_total > 9e6"
HISTORY = "SELECT date, basic_stats.vwap, basic_stats.volume_total FROM {} WHERE symbol = ? ORDER BY date"
FIELDS = [f"basic_stats.{field.name}" for field in arrow_schema_of(DayMetadataPhase1).field("basic_stats").type][:12]
GOALS_MS = {
    "find_days, all dates": 500.0,
    "one symbol, all dates, all fields (get_metadata, arrow)": 50.0,
}
REMARKS = [
    f"{len(DATES):,} dates × {len(SYMBOLS)} symbols, made-up values; the store is open; every call in SQL opens DuckDB "
    "anew, unless marked open. Whoever asks for one symbol asks for another one with every call.",
    f"condition: `{CONDITION}`.",
    f"compacted on {TODAY}: four closed years, ten months of the open one and the open month: six files a table.",
    "seconds on the clock and of the processor are medians; both cores may be used, and others used them too.",
]


# -- what is read ------------------------------------------------------------------------------------------


def made_up(field: pa.Field, rows: int, random: np.random.Generator) -> pa.Array:
    """A column of the field's type with values of no meaning; of a list, so many elements as real records have."""
    kind = field.type
    if pa.types.is_struct(kind):
        return pa.StructArray.from_arrays([made_up(inner, rows, random) for inner in kind], fields=list(kind))
    if pa.types.is_list(kind):
        ends = np.floor(np.arange(rows + 1) * ELEMENTS.get(field.name, OTHER_ELEMENTS)).astype(np.int32)
        return pa.ListArray.from_arrays(pa.array(ends), made_up(kind.value_field, int(ends[-1]), random), type=kind)
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
    columns = [known[field.name] if field.name in known else made_up(field, count, random) for field in schema]
    return pa.table(columns, schema=schema)


def build(home: Path) -> tuple[Settings, Store, ParquetLightStore]:
    """The store with its records, a file a date, and its light tier."""
    settings = load_settings(home=home, symbols=SYMBOLS)
    store = create_store(settings, "simulated", HEAVY_TABLES)
    light = ParquetLightStore(settings.light_path)
    random = np.random.default_rng(20)
    for table, model in ((PHASE1_TABLE, DayMetadataPhase1), (f"manifest/{PHASE1_TABLE}", ManifestRow)):
        schema = arrow_schema_of(model)
        for date in DATES:
            light.replace_symbols(table, date, date_rows(schema, date, random), SYMBOLS)
    return settings, store, light


# -- timing ------------------------------------------------------------------------------------------------


def questions(store: Store, settings: Settings) -> dict[str, Callable[[], int]]:
    """What is timed, by name; each gives the number of rows it found."""
    held = SqlConnection(store, settings)
    one = itertools.cycle(SYMBOLS)
    light, manifest = store.light, store.manifest
    year, month = DATES[-YEAR - 1 : -1], DATES[-MONTH:]
    names = ["symbol", "date", *FIELDS]

    def rows(found: pa.Table | None) -> int:
        return 0 if found is None else int(found.num_rows)

    return {
        "find_days, all dates": lambda: len(find_days(CONDITION, store=store, settings=settings)),
        "find_days, last 252 dates": lambda: len(
            find_days(CONDITION, year[0], year[-1], store=store, settings=settings)
        ),
        "find_days, last 21 dates": lambda: len(
            find_days(CONDITION, month[0], month[-1], store=store, settings=settings)
        ),
        "the same in SQL, all dates (open)": lambda: len(
            held.query(f"SELECT symbol, date FROM {PHASE1_TABLE} WHERE {CONDITION}")
        ),
        "one symbol, all dates, two fields (SQL)": lambda: len(
            sql(HISTORY.format(PHASE1_TABLE), [next(one)], store=store, settings=settings)
        ),
        "one symbol, all dates, all fields (light.read)": lambda: rows(light.read(PHASE1_TABLE, symbols=[next(one)])),
        "one symbol, all dates, all fields (get_metadata, arrow)": lambda: rows(
            get_metadata(next(one), as_="arrow", store=store)
        ),
        "one symbol, all dates, all fields (get_metadata, pandas)": lambda: len(get_metadata(next(one), store=store)),
        "12 fields, 252 dates, all symbols (light.read)": lambda: rows(
            light.read(PHASE1_TABLE, dates=year, columns=names)
        ),
        "one date of last year, all symbols, all fields (light.read)": lambda: rows(
            light.read(PHASE1_TABLE, dates=[year[0]])
        ),
        "manifest.versions, 252 dates, one symbol": lambda: len(manifest.versions(PHASE1_TABLE, year, [next(one)])),
        "manifest.versions, 252 dates, all symbols": lambda: len(manifest.versions(PHASE1_TABLE, year)),
        "manifest.versions, all dates, all symbols": lambda: len(manifest.versions(PHASE1_TABLE)),
        "its columns without the dictionary (light.read)": lambda: rows(
            light.read(f"manifest/{PHASE1_TABLE}", columns=["symbol", "date", "version", "rows"])
        ),
    }


def timed(work: Callable[[], int], rounds: int) -> tuple[float, float, int]:
    """Medians of milliseconds on the clock and of the processor, after one call that is not timed; rows found."""
    found = work()
    samples = []
    for _ in range(rounds):
        gc.collect()
        clock, processor = time.perf_counter(), time.process_time()
        work()
        samples.append((time.perf_counter() - clock, time.process_time() - processor))
    clocks, processors = zip(*samples, strict=True)
    return statistics.median(clocks) * 1e3, statistics.median(processors) * 1e3, found


def main() -> dict[str, Any]:
    """Build, ask, compact, ask again, keep ``results/metadata_reading``."""
    home = Path(tempfile.mkdtemp(prefix="fuzzy-bench-"))
    try:
        settings, store, light = build(home)
        asked = questions(store, settings)
        before = {name: timed(work, ROUNDS[0]) for name, work in asked.items()}
        reports = compact(light, today=TODAY)
        after = {name: timed(work, ROUNDS[1]) for name, work in asked.items()}
        store.close()
        own = sum(file.stat().st_size for file in settings.light_path.rglob("date=*.parquet"))
    finally:
        shutil.rmtree(home)
    rows = [
        {
            "case": name,
            "files_ms": before[name][0],
            "files_processor_ms": before[name][1],
            "compacted_ms": after[name][0],
            "compacted_processor_ms": after[name][1],
            "rows": after[name][2],
        }
        for name in asked
    ]
    sizes = (
        f"a file a date {own / 1e6:,.0f} MB, compacted files beside them "
        f"{sum(report.size for report in reports) / 1e6:,.0f} MB."
    )
    compactions = [
        {"table": report.table, "period": report.period, "rows": report.rows, "s": report.seconds, "bytes": report.size}
        for report in reports
    ]
    results = {
        "machine": measure.machine(), "remarks": [*REMARKS, sizes, _described(reports)], "rows": rows,
        "compactions": compactions,
    }  # fmt: skip
    measure.keep("metadata_reading", results, _table(results))
    print(_table(results))
    return results


def _described(reports: Sequence[CompactionReport]) -> str:
    parts = []
    for table in dict.fromkeys(report.table for report in reports):
        own = [report for report in reports if report.table == table]
        seconds, count = sum(report.seconds for report in own), sum(report.rows for report in own)
        parts.append(f"{table} {seconds:.1f} s ({count:,} rows in {len(own)} files)")
    return f"compaction: {', '.join(parts)}."


def _table(results: Mapping[str, Any]) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    lines = ["# Reading day records", "", facts, "", *(f"- {one}" for one in results["remarks"]), ""]
    lines += ["| case | a file a date, ms (processor) | compacted, ms (processor) | rows | goal, ms |"]
    lines += ["|---|---|---|---|---|"]
    rows: Sequence[Mapping[str, Any]] = results["rows"]
    for row in rows:
        goal = GOALS_MS.get(row["case"])
        shown = f"< {goal:.0f}" if goal else ""
        files = f"{row['files_ms']:,.0f} ({row['files_processor_ms']:,.0f})"
        compacted = f"{row['compacted_ms']:,.0f} ({row['compacted_processor_ms']:,.0f})"
        lines.append(f"| {row['case']} | {files} | {compacted} | {row['rows']:,} | {shown} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""Reading bars: from the store, and from plain Parquet files with DuckDB, the same rows in the same run.

The store holds one day's bars under every date of a year: sixteen time series with a key per date, and five tick
series for the last month. Beside it lie Parquet files of the same bars, one a date and family.

Run with ``python -m benchmarks.reading``.
"""

from __future__ import annotations

import datetime as dt
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import measure
from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.bars.series import Bars
from fuzzy_pipeline.enrichment.day import enrich_day
from fuzzy_pipeline.query import DatesMissing, get_bars, get_chart_data
from fuzzy_pipeline.query.chart_data import CHART_COLUMNS
from fuzzy_pipeline.query.recent import BARS, METADATA
from fuzzy_pipeline.schema.tables import BAR_TABLES, SCHEMA_VERSION
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.store import Store, create_store, open_store

SYMBOL, DATE, TICKS = "BAC", dt.date(2013, 10, 8), 125_000
WEEK, MONTH, YEAR = 5, 21, 252
FIRST_ROUNDS = 5
REMARKS = [
    "store: `get_chart_data` (11 columns) and `get_bars` (all columns) into pandas, the store open.",
    "DuckDB: `read_parquet` over the files of the dates, `WHERE parameter = …`, into pandas, one thread; Parquet in "
    "zstd, one file a date with all series. The 7m bars it groups from the 1m ones.",
    "first: once in a new process that has read other bars before; again: the same question in the same process. "
    "DuckDB keeps no files in memory between the two.",
]


@dataclass(frozen=True, slots=True)
class Question:
    """What is read: so many last dates of a series, and the goals. [ms]"""

    label: str
    family: str
    parameter: str
    days: int
    goal_first_ms: float | None
    goal_again_ms: float | None


QUESTIONS = (
    Question("a week of 1m bars", "time", "1m", WEEK, None, 20),
    Question("a month of 500-tick bars", "tick", "500", MONTH, None, 100),
    Question("a year of daily bars", "time", "1d", YEAR, None, 20),
    Question("7m bars of a day", "time", "7m", 1, 50, None),
)


# -- what is read ------------------------------------------------------------------------------------------


def full_days(last: dt.date, count: int) -> list[dt.date]:
    """The last so many trading dates of full length."""
    year = trading_calendar.trading_dates(last - dt.timedelta(days=count * 2), last)
    return [date for date in year if not trading_calendar.session(date).is_early_close][-count:]


def on_date(bars: Bars, date: dt.date) -> dict[str, Any]:
    """The bars' columns, moved from the template's date to another."""
    midnights = trading_calendar.midnight_utc_ns(date) - trading_calendar.midnight_utc_ns(DATE)
    shift = np.timedelta64(midnights, "ns")
    return {name: column + shift if column.dtype.kind == "M" else column for name, column in bars.columns.items()}


def build(home: Path) -> tuple[Settings, str]:
    """The store and the Parquet files; gives the settings and what the template is."""
    day = measure.tick_day(SYMBOL, DATE, TICKS)
    settings = load_settings(home=home, symbols=(SYMBOL,))
    store = create_store(settings, "real" if day.kind == "real" else "simulated", list(BAR_TABLES.values()))
    built = build_bars(enrich_day(day.raw, day.symbol, day.date), day.date, families=("time", "tick"))
    for family, bars in built.items():
        for date in full_days(DATE, YEAR if family == "time" else MONTH):
            _put(store, home, family, bars, date)
    store.close()
    return settings, f"bars of {day.label}, under each date"


def _put(store: Store, home: Path, family: Any, bars: Bars, date: dt.date) -> None:
    table, columns = BAR_TABLES[family], on_date(bars, date)
    metadata = {"ranges": {name: list(rows) for name, rows in bars.ranges.items()}, "sessions": ["regular"]}
    version = store.write(table, SYMBOL, date, columns, metadata)
    row = ManifestRow(
        table=table.name, symbol=SYMBOL, date=date, kind=store.kind, version=version, rows=len(bars),
        content_hash="", input_hash="", source="benchmark", ingest_id="", code_version="",
        schema_version=SCHEMA_VERSION, rows_in=len(bars), rows_out=len(bars),
        committed_at=trading_calendar.now_eastern(),
    )  # fmt: skip
    store.manifest.commit(table.name, date, [row])
    lengths = [stop - start for start, stop in bars.ranges.values()]
    frame = pa.table(columns).append_column("parameter", pa.array(np.repeat(list(bars.ranges), lengths)))
    path = parquet(home, family, date)
    path.parent.mkdir(exist_ok=True)
    pq.write_table(frame, path, compression="zstd")


def parquet(home: Path, family: str, date: dt.date) -> Path:
    """The plain file of a family and date."""
    return home / f"parquet_{family}" / f"{date}.parquet"


# -- the contenders ----------------------------------------------------------------------------------------


def dates_of(question: Question) -> list[dt.date]:
    """The dates asked for."""
    return full_days(DATE, question.days)


def ours(store: Store, question: Question, *, every_column: bool = False) -> pd.DataFrame:
    """From the store."""
    dates = dates_of(question)
    if every_column:
        return get_bars(
            SYMBOL, dates[0], dates[-1], family=question.family, parameter=question.parameter, missing="skip",
            store=store,
        )  # fmt: skip
    return get_chart_data(SYMBOL, dates[0], dates[-1], question.family, question.parameter, missing="skip", store=store)


def plain(connection: duckdb.DuckDBPyConnection, home: Path, question: Question) -> pd.DataFrame:
    """From the Parquet files, the columns of a chart."""
    dates = dates_of(question)
    asked: dict[str, object] = {"files": [str(parquet(home, question.family, date)) for date in dates]}
    if question.parameter == "7m":
        asked["opened"] = trading_calendar.midnight_utc_ns(DATE) + trading_calendar.session(DATE).open_us * 1000
        return connection.execute(_SEVEN_MINUTES, asked).df()
    columns = ", ".join(f'{name} AS "{shown}"' for name, shown in CHART_COLUMNS.items())
    query = f"SELECT {columns} FROM read_parquet($files) WHERE parameter = $parameter ORDER BY bar_start"
    return connection.execute(query, {**asked, "parameter": question.parameter}).df()


_SEVEN_MINUTES = """
SELECT min(bar_start) AS time, max(timestamp) AS "end", first(open ORDER BY bar_index) FILTER (NOT isnan(open)) AS open,
    max(high) FILTER (NOT isnan(high)) AS high, min(low) FILTER (NOT isnan(low)) AS low,
    last(close ORDER BY bar_index) FILTER (NOT isnan(close)) AS close, sum(volume)::UBIGINT AS volume,
    sum(vwap * qualified_volume) FILTER (NOT isnan(vwap)) / sum(qualified_volume) AS vwap,
    sum(buy_volume)::UBIGINT AS buy_volume, sum(sell_volume)::UBIGINT AS sell_volume, sum(tick_count) AS trade_count
FROM read_parquet($files) WHERE parameter = '1m' GROUP BY (epoch_ns(bar_start) - $opened) // 420000000000 ORDER BY 1
"""


def differing(mine: pd.DataFrame, other: pd.DataFrame) -> list[str]:
    """Columns in which the two frames differ, to rounding."""
    pairs = [(name, mine[name].to_numpy(), other[name].to_numpy()) for name in ("open", "close", "volume", "vwap")]
    pairs.append(("rows", np.array([len(mine)]), np.array([len(other)])))
    return [
        name
        for name, one, two in reversed(pairs)
        if len(one) != len(two) or not np.allclose(one.astype(float), two.astype(float), rtol=1e-9, equal_nan=True)
    ]


# -- timing ------------------------------------------------------------------------------------------------


def again(settings: Settings, question: Question, connection: duckdb.DuckDBPyConnection) -> dict[str, measure.Timing]:
    """All contenders in this process, each asked before."""
    store = open_store(settings)
    contenders: dict[str, Callable[[], object]] = {
        "store": lambda: ours(store, question),
        "store, all columns": lambda: ours(store, question, every_column=True),
        "DuckDB": lambda: plain(connection, settings.home, question),
    }
    different = differing(ours(store, question), plain(connection, settings.home, question))
    if different:
        raise RuntimeError(f"{question.label}: {', '.join(different)} differ")
    try:
        return measure.side_by_side(contenders)
    finally:
        store.close()


def first(home: Path) -> dict[str, list[float]]:
    """Seconds on the clock of each question in new processes, store and DuckDB."""
    taken: dict[str, list[float]] = {}
    for _ in range(FIRST_ROUNDS):
        run = [sys.executable, "-m", "benchmarks.reading", str(home)]
        done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[1])
        for name, seconds in json.loads(done.stdout).items():
            taken.setdefault(name, []).append(seconds)
    return taken


def ask_once(home: Path) -> dict[str, float]:
    """In a new process: every question once, after reads of other bars that load all code."""
    settings = load_settings(home=home, symbols=(SYMBOL,))
    connection = _connection()
    store = open_store(settings)
    for warm in (Question("", "time", "2m", 1, None, None), Question("", "time", "9m", 1, None, None)):
        ours(store, warm)
    plain(connection, home, Question("", "time", "2m", 1, None, None))
    taken: dict[str, float] = {}
    for question in QUESTIONS:
        BARS.clear()
        METADATA.clear()
        for name, read in (("store", partial(ours, store)), ("DuckDB", partial(plain, connection, home))):
            started = time.perf_counter()
            read(question)
            taken[f"{question.label}, {name}"] = time.perf_counter() - started
    return taken


def _connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("SET threads = 1; SET TimeZone = 'America/New_York'")
    return connection


def main() -> dict[str, Any]:
    """Build, check, time, keep ``results/reading``."""
    home = Path(tempfile.mkdtemp(prefix="fuzzy-bench-"))
    try:
        settings, template = build(home)
        connection = _connection()
        repeated = {question.label: again(settings, question, connection) for question in QUESTIONS}
        once = first(home)
    finally:
        shutil.rmtree(home)
    rows = [row for question in QUESTIONS for row in _rows(question, repeated[question.label], once)]
    results = {"what": template, "machine": measure.machine(), "remarks": REMARKS, "rows": rows}
    measure.keep("reading", results, _table(results))
    print(_table(results))
    return results


def _rows(
    question: Question, repeated: Mapping[str, measure.Timing], once: Mapping[str, list[float]]
) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for name, timing in repeated.items():
        firsts = once.get(f"{question.label}, {name}")
        mine = name == "store"
        rows.append(
            {
                "case": question.label,
                "contender": name,
                "first_ms": statistics.median(firsts) * 1e3 if firsts else None,
                "goal_first_ms": question.goal_first_ms if mine else None,
                "again_ms": timing.wall_s * 1e3,
                "again_processor_ms": timing.cpu_s * 1e3,
                "goal_again_ms": question.goal_again_ms if mine else None,
            }
        )
    return rows


def _table(results: Mapping[str, Any]) -> str:
    facts = ", ".join(f"{name} {value}" for name, value in results["machine"].items())
    header = ("case", "contender", "first, ms", "goal", "again, ms", "again, ms (processor)", "goal")
    lines = [f"# Reading bars: {results['what']}", "", facts, "", *(f"- {one}" for one in results["remarks"]), ""]
    lines += [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for row in results["rows"]:
        figures = [
            row["first_ms"],
            row["goal_first_ms"],
            row["again_ms"],
            row["again_processor_ms"],
            row["goal_again_ms"],
        ]
        shown = ["" if one is None else f"{one:.1f}" for one in figures]
        shown[1], shown[4] = (f"< {shown[1]}" if shown[1] else ""), (f"< {shown[4]}" if shown[4] else "")
        lines.append(f"| {row['case']} | {row['contender']} | {' | '.join(shown)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    warnings.simplefilter("ignore", DatesMissing)  # the half days of the year
    if len(sys.argv) > 1:
        print(json.dumps(ask_once(Path(sys.argv[1]))))
    else:
        main()

"""The whole way of a symbol-day: read raw ticks, enrich, build sixteen time-bar series, store, commit.

On one core and with two worker processes, through the same steps that the assets run, over every real symbol-day
beside the checkout (simulated ones where there are none). Ingest, the step before, is timed apart.

Run with ``python -m benchmarks.whole_way``.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import measure
from fuzzy_pipeline.engine import Engine, InlineEngine, ProcessEngine
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.sources.files import FilesSource
from fuzzy_pipeline.steps.build_bars import BuildBarsStep
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.step import Step, StepResult, Work
from fuzzy_pipeline.steps.workbench import workbench
from fuzzy_pipeline.stores.manifest import ManifestRow

ROUNDS = 5
GOALS = {"ticks_per_second": 1_000_000, "every_family": 800_000, "two_processes": 1.6, "memory_mb": 1500}
TIME_BARS = BuildBarsStep(("time",))
PEAKS: list[float] = []
"""Memory of a process after each step it did. [MB]"""
SymbolDay = tuple[str, dt.date]


def symbol_days() -> tuple[list[SymbolDay], dict[str, Any]]:
    """What is worked on and the settings of its source; largest first is left to the data."""
    if measure.SHARED_TICKS.exists():
        source = FilesSource(measure.SHARED_TICKS)
        days = [(symbol, date) for symbol in source.symbols() for date in source.dates(symbol)]
        return days, {"source": "files", "files": {"path": measure.SHARED_TICKS}}
    dates = (dt.date(2025, 11, 25), dt.date(2025, 11, 26), dt.date(2025, 11, 28))
    days = [(symbol, date) for symbol in ("AAPL", "IBM", "KO", "SPY") for date in dates]
    return days, {"source": "simulator", "simulator": {"ticks_per_day": 120_000}}


def work(step: Step, settings: Settings, item: Work) -> tuple[StepResult, float]:
    """One step of one symbol-day in this process, and the process's own memory after it [MB]."""
    return step.run(workbench(settings), item), own_memory_mb()


def own_memory_mb() -> float:
    """Anonymous memory of this process. [MB] Pages of the store's files, which LMDB maps, are the system's cache."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


@contextmanager
def one_core() -> Iterator[None]:
    """Only one core for this process and every thread it has."""
    allowed = os.sched_getaffinity(0)
    threads = [int(path.name) for path in Path("/proc/self/task").iterdir()]
    for thread in threads:
        os.sched_setaffinity(thread, {max(allowed)})
    try:
        yield
    finally:
        for thread in threads:
            os.sched_setaffinity(thread, allowed)


def timed(engine: Engine, settings: Settings, days: Sequence[SymbolDay], bars: BuildBarsStep = TIME_BARS) -> float:
    """Seconds on the clock for all symbol-days: each step is mapped, its manifest rows are written a date at a time."""
    manifest = workbench(settings).store.manifest
    started = time.perf_counter()
    for step in (EnrichStep(), bars):
        (table,) = step.inputs
        inputs = {(row.symbol, row.date): row for row in manifest.rows(table)}
        items = [Work(symbol, date, step.tables, {table: inputs[symbol, date]}) for symbol, date in days]
        rows: dict[tuple[str, dt.date], list[ManifestRow]] = {}
        for outcome in engine.map(partial(work, step, settings), items):
            if outcome.value is None:
                raise RuntimeError(f"{outcome.item}: {outcome.failure}")
            result, memory_mb = outcome.value
            PEAKS.append(memory_mb)
            for row in result.rows:
                rows.setdefault((row.table, row.date), []).append(row)
        for (table, date), committed in rows.items():
            manifest.commit(table, date, committed)
    return time.perf_counter() - started


def main() -> dict[str, Any]:
    """Time everything, print and keep the results."""
    days, source = symbol_days()
    home = Path(tempfile.mkdtemp(prefix="fuzzy-bench-"))
    try:
        settings = load_settings(home=home, symbols=tuple(sorted({symbol for symbol, _ in days})), **source)
        ticks, ingest_s = _ingest(settings, days)
        days.sort(key=lambda day: ticks[day], reverse=True)
        total = sum(ticks.values())
        with one_core():
            timed(InlineEngine(), settings, days)  # compile, warm the pages
            alone = [timed(InlineEngine(), settings, days) for _ in range(ROUNDS)]
            timed(InlineEngine(), settings, days, BuildBarsStep())
            every = [timed(InlineEngine(), settings, days, BuildBarsStep()) for _ in range(ROUNDS)]
        peak_mb = max(PEAKS)
        PEAKS.clear()
        with ProcessEngine(2) as engine:
            for _ in range(2):  # the second still meets pages and versions that the first left
                timed(engine, settings, days)
            both = [timed(engine, settings, days) for _ in range(ROUNDS)]
        child_mb = max(PEAKS)
    finally:
        shutil.rmtree(home)
    one, two, families = statistics.median(alone), statistics.median(both), statistics.median(every)
    results = {
        "what": f"{len(days)} symbol-days, {total:,} {'real' if source['source'] == 'files' else 'simulated'} ticks",
        "goals": GOALS,
        "one_core_s": one,
        "one_core_ticks_per_second": total / one,
        "every_family_one_core_ticks_per_second": total / families,
        "two_processes_s": two,
        "two_processes_ticks_per_second": total / two,
        "two_processes_times_one": one / two,
        "ingest_ticks_per_second": sum(ticks.values()) / ingest_s,
        "peak_memory_mb": {"one process, every family": peak_mb, "a worker, time bars": child_mb},
        "rounds": ROUNDS,
        "machine": measure.machine(),
    }
    measure.keep("whole_way", results, _table(results))
    return results


def _ingest(settings: Settings, days: Sequence[SymbolDay]) -> tuple[dict[SymbolDay, int], float]:
    """Store the raw ticks; ticks of each symbol-day and the seconds of a second, warm pass."""
    by_date: dict[dt.date, list[str]] = {}
    for symbol, date in days:
        by_date.setdefault(date, []).append(symbol)
    ticks: dict[SymbolDay, int] = {}
    for _ in range(2):
        started = time.perf_counter()
        for date, symbols in by_date.items():
            report = run_date(IngestStep(), date, symbols, settings, InlineEngine(), force=True)
            report.raise_if_failed()
            ticks |= {(row.symbol, date): row.rows for row in report.rows(RAW_TICKS.name)}
    return ticks, time.perf_counter() - started


def _table(results: dict[str, Any]) -> str:
    lines = [
        f"# The whole way of a symbol-day\n\n{results['what']}; median of {results['rounds']} rounds.\n",
        "| what | measured | goal |\n|---|---|---|",
        f"| one core | {results['one_core_ticks_per_second']:,.0f} ticks/s | ≥ {GOALS['ticks_per_second']:,} |",
        f"| every bar family, one core | {results['every_family_one_core_ticks_per_second']:,.0f} ticks/s |"
        f" ≥ {GOALS['every_family']:,} |",
        f"| two processes | {results['two_processes_times_one']:.2f} times one core | ≥ {GOALS['two_processes']} |",
        f"| ingest before it (read, validate, flag, store) | {results['ingest_ticks_per_second']:,.0f} ticks/s | |",
        *(
            f"| own memory, most after a step, {name} | {megabytes:,.0f} MB | ≤ {GOALS['memory_mb']:,} |"
            for name, megabytes in results["peak_memory_mb"].items()
        ),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(_table(main()))

"""Timing of contenders side by side, facts of the machine, and the result files.

Ticks come from the real days beside the checkout when they are there, else from the simulator; every result says
which.
"""

from __future__ import annotations

import datetime as dt
import gc
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

RESULTS = Path(__file__).parent / "results"
SHARED_TICKS = Path(__file__).resolve().parents[2] / "shared" / "data" / "ticks"
ROUNDS = 7


# -- ticks -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TickDay:
    """Raw ticks of one symbol-day and whether they are ``real`` or ``simulated``."""

    symbol: str
    date: dt.date
    kind: str
    raw: dict[str, NDArray[Any]]

    @property
    def rows(self) -> int:
        """Number of ticks."""
        return len(self.raw["time"])

    @property
    def label(self) -> str:
        """For example ``SPY 2013-10-08, 451,545 real ticks without quotes``."""
        quotes = "without" if bool(np.isnan(self.raw["bid"]).all()) else "with"
        return f"{self.symbol} {self.date}, {self.rows:,} {self.kind} ticks {quotes} quotes"


def tick_day(symbol: str, date: dt.date, simulated_ticks: int) -> TickDay:
    """The real day when it is beside the checkout, else about ``simulated_ticks`` simulated ones."""
    path = SHARED_TICKS / f"symbol={symbol}" / f"date={date}.parquet"
    if path.exists():
        return TickDay(symbol, date, "real", _read_raw(path))
    from fuzzy_pipeline.settings import SimulatorSettings
    from fuzzy_pipeline.simulator.market import SimulatedMarket

    market = SimulatedMarket(SimulatorSettings(ticks_per_day=simulated_ticks))
    return TickDay(symbol, date, "simulated", dict(market.fetch_ticks(symbol, date).columns))


def _read_raw(path: Path) -> dict[str, NDArray[Any]]:
    table = pq.read_table(path, partitioning=None)
    # Copies: arrays that share Arrow's memory are read-only, and numba compiles a second variant for those.
    columns = {name: np.array(table[name].to_numpy()) for name in table.column_names}
    columns["last_type"] = columns["last_type"].astype("S1")
    columns["date"] = columns["date"].astype("datetime64[D]")
    return columns


# -- timing ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians over the rounds: processor seconds of the process, and seconds on the clock."""

    cpu_s: float
    wall_s: float
    rounds: int


def side_by_side(contenders: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> dict[str, Timing]:
    """Time each contender once a round, so that whatever slows the machine slows all of them.

    On one core, with one thread. Before each timed call comes one that is not timed: the caches hold the
    contender's own data, not what the one before it left. Processor time is what ratios are made of: the clock
    also counts what other processes of a shared core did meanwhile.
    """
    if rounds < 5:
        raise ValueError(f"{rounds} rounds: a median needs at least 5")
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        samples: dict[str, list[tuple[float, float]]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, work in contenders.items():
                samples[name].append(_warm_then_timed(work))
    finally:
        os.sched_setaffinity(0, allowed)
    return {
        name: Timing(statistics.median(cpu for cpu, _ in taken), statistics.median(wall for _, wall in taken), rounds)
        for name, taken in samples.items()
    }


def _warm_then_timed(work: Callable[[], object]) -> tuple[float, float]:
    gc.collect()
    gc.disable()
    try:
        work()
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        return time.process_time() - cpu, time.perf_counter() - wall
    finally:
        gc.enable()


# -- comparison ------------------------------------------------------------------------------------------


def differences(ours: Mapping[str, NDArray[Any]], theirs: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Columns that are missing or differ: float64 by more than 1e-9, float32 by more than its rounding."""
    found = {name: "missing" for name in ours if name not in theirs}
    for name, column in ours.items():
        if name in found:
            continue
        other = np.asarray(theirs[name])
        if len(other) != len(column):
            found[name] = f"{len(other)} rows instead of {len(column)}"
            continue
        if column.dtype.kind == "f":
            tolerance = 1e-9 if column.dtype == np.float64 else float(np.finfo(np.float32).eps)
            same = np.isclose(other, column, rtol=tolerance, atol=tolerance, equal_nan=True)
        else:
            same = other == column
        if not same.all():
            row = int(np.flatnonzero(~same)[0])
            found[name] = (
                f"{int((~same).sum())} of {len(column)} rows, first {row}: {column[row]} here, {other[row]} there"
            )
    return found


# -- results ---------------------------------------------------------------------------------------------


def machine() -> dict[str, str]:
    """What the figures depend on besides the code."""
    packages = {name: _version(name) for name in ("numpy", "numba", "pandas", "polars", "tclf")}
    model = next(
        (line.split(":", 1)[1].strip() for line in _cpuinfo() if line.startswith("model name")), platform.processor()
    )
    return {"processor": model, "cores": str(os.cpu_count()), "python": platform.python_version(), **packages}


def _cpuinfo() -> list[str]:
    path = Path("/proc/cpuinfo")
    return path.read_text().splitlines() if path.exists() else []


def _version(package: str) -> str:
    try:
        return version(package)
    except ImportError:
        return "not installed"


def case(label: str, rows: int, timings: Mapping[str, Timing], goals: Mapping[str, float]) -> dict[str, Any]:
    """One case of a benchmark: the first contender is ours, ``goals`` are the least ratios to the others."""
    ours, *_ = timings
    return {
        "case": label,
        "rows": rows,
        "contenders": {
            name: {
                "cpu_s": timing.cpu_s,
                "wall_s": timing.wall_s,
                "rounds": timing.rounds,
                "million_rows_per_s": rows / timing.cpu_s / 1e6,
                "times_ours": timing.cpu_s / timings[ours].cpu_s,
                "goal": goals.get(name),
            }
            for name, timing in timings.items()
        },
    }


def write_results(name: str, title: str, cases: list[dict[str, Any]], remarks: list[str]) -> dict[str, Any]:
    """Write ``results/<name>.json`` and ``.md``, print the table, give the content back."""
    result = {"benchmark": name, "title": title, "machine": machine(), "remarks": remarks, "cases": cases}
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    text = markdown(result)
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)
    return result


def markdown(result: Mapping[str, Any]) -> str:
    """The result as a table a person reads."""
    facts = ", ".join(f"{name} {value}" for name, value in result["machine"].items())
    lines = [f"# {result['title']}", "", facts, ""]
    lines += [*(f"- {remark}" for remark in result["remarks"]), ""]
    header = ("case", "contender", "ms (processor)", "ms (clock)", "million rows/s", "times ours", "goal")
    lines += [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for one in result["cases"]:
        for name, figures in one["contenders"].items():
            goal = "" if figures["goal"] is None else f"≥ {figures['goal']:g}"
            lines.append(
                f"| {one['case']} | {name} | {figures['cpu_s'] * 1e3:.2f} | {figures['wall_s'] * 1e3:.2f} "
                f"| {figures['million_rows_per_s']:.1f} | {figures['times_ours']:.1f} | {goal} |"
            )
    return "\n".join(lines) + "\n"


def keep(name: str, results: Mapping[str, Any], table: str) -> None:
    """Write the figures and the table people read of a benchmark without contenders."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(results, indent=1, default=str) + "\n", encoding="utf-8")
    (RESULTS / f"{name}.md").write_text(table, encoding="utf-8")

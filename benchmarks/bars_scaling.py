"""How time and memory of all default bars grow with the ticks of a day: 0.1, 1 and 10 million simulated ticks.

A process each, as the most memory a process ever held cannot be taken back. Run with
``python -m benchmarks.bars_scaling``.
"""

from __future__ import annotations

import datetime as dt
import gc
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks import measure
from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.bars.session_ticks import TICK_COLUMNS
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.enrichment.day import enrich_day
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.simulator.tape import simulate_day

TICKS = (100_000, 1_000_000, 10_000_000)
MOST_TIME_GROWTH = 1.25
MOST_MEMORY_GROWTH = 1.25
ROUNDS = 5
SEED, SYMBOL, DATE = 20, "BARS", dt.date(2025, 11, 26)  # a symbol with close to the mean number of ticks
STATUS = Path("/proc/self/status")


def enriched_ticks(count: int) -> Arrays:
    """The columns bars need; what else the day has is let go."""
    enriched = enrich_day(simulate_day(SEED, SYMBOL, DATE, count), SYMBOL, DATE)
    return {name: enriched[name] for name in TICK_COLUMNS}


def held_kb(field: str) -> int:
    """Memory of this process: ``VmRSS`` now, ``VmHWM`` at most since the last ``forget_peak``. [kB]"""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1])


def forget_peak() -> None:
    """Have the kernel count the most memory held from now on."""
    Path("/proc/self/clear_refs").write_text("5")


def measured(count: int) -> dict[str, float]:
    """Seconds and memory of one size, in this process."""
    small = enriched_ticks(2_000)
    build_bars(small, DATE)  # compiles
    ticks = enriched_ticks(count)
    rows = len(ticks["size"])
    gc.collect()
    before_kb = held_kb("VmRSS")
    forget_peak()
    pool, settings = BufferPool(), BarSettings()
    bars = build_bars(ticks, DATE, settings, pool=pool)
    extra = (held_kb("VmHWM") - before_kb) * 1024
    result = sum(column.nbytes for one in bars.values() for column in one.columns.values())
    count_of_bars = sum(len(one) for one in bars.values())
    del bars
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    seconds = []
    for _ in range(ROUNDS):
        started = time.process_time()
        build_bars(ticks, DATE, settings, pool=pool)
        seconds.append(time.process_time() - started)
    median = statistics.median(seconds)
    return {
        "ticks": rows,
        "bars": count_of_bars,
        "cpu_s": median,
        "ns_per_tick": median / rows * 1e9,
        "ticks_bytes_per_tick": sum(column.nbytes for column in ticks.values()) / rows,
        "bars_bytes_per_tick": result / rows,
        "extra_bytes_per_tick": extra / rows,
    }


def main() -> dict[str, Any]:
    """Measure each size in a process of its own, write ``results/bars_scaling``."""
    sizes = []
    for count in TICKS:
        command = [sys.executable, "-m", "benchmarks.bars_scaling", str(count)]
        run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        sizes.append(json.loads(run.stdout))
    *_, middle, largest = sizes
    results = {
        "what": "all default series with all columns, one pass, memory reused; simulated ticks",
        "sizes": sizes,
        "time_growth": largest["ns_per_tick"] / middle["ns_per_tick"],
        "memory_growth": largest["extra_bytes_per_tick"] / middle["extra_bytes_per_tick"],
        "goals": {"time_growth": MOST_TIME_GROWTH, "memory_growth": MOST_MEMORY_GROWTH},
        "rounds": ROUNDS,
        "machine": measure.machine(),
    }
    measure.keep("bars_scaling", results, table(results))
    print(table(results))
    return results


def table(results: dict[str, Any]) -> str:
    """What people read."""
    lines = [
        "# Bars of longer and longer days",
        "",
        f"{results['what']}; median of {results['rounds']} rounds. Memory is the most held beyond the ticks while the "
        "bars are built, new memory throughout, the bars themselves included.",
        "",
        "| ticks | bars | s (processor) | ns a tick | ticks, B a tick | bars, B a tick | beyond the ticks, B a tick |",
        "|---|---|---|---|---|---|---|",
        *(
            f"| {one['ticks']:,} | {one['bars']:,} | {one['cpu_s']:.3f} | {one['ns_per_tick']:.0f} "
            f"| {one['ticks_bytes_per_tick']:.0f} | {one['bars_bytes_per_tick']:.0f} "
            f"| {one['extra_bytes_per_tick']:.0f} |"
            for one in results["sizes"]
        ),
        "",
        "| what | measured | goal |",
        "|---|---|---|",
        f"| time a tick, ten million to one million | {results['time_growth']:.2f} | ≤ {MOST_TIME_GROWTH:g} |",
        f"| memory a tick, ten million to one million | {results['memory_growth']:.2f} | ≤ {MOST_MEMORY_GROWTH:g} |",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measured(int(sys.argv[1]))))
    else:
        main()

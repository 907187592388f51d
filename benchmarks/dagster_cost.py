"""What Dagster itself costs a date: a run of all assets in which nothing is left to compute.

The command's start, the run's own process time, events, checks and pictures are in it; the work is not.
Run with ``python -m benchmarks.dagster_cost``.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import measure

ROUNDS = 5
GOAL_S = 5.0


def main() -> dict[str, Any]:
    """Run one simulated date, then the same date again and again; print and keep the seconds of the repeats."""
    home = Path(tempfile.mkdtemp(prefix="fuzzy-bench-"))
    environment = os.environ | {"FUZZY_HOME": str(home), "FUZZY_SOURCE": "simulator", "FUZZY_ENGINE__KIND": "inline"}
    command = [str(Path(sys.executable).with_name("fuzzy")), "run", "2025-11-26"]
    seconds = []
    try:
        for _ in range(ROUNDS + 1):
            started = time.perf_counter()
            subprocess.run(command, env=environment, check=True, capture_output=True, cwd=home)
            seconds.append(time.perf_counter() - started)
    finally:
        shutil.rmtree(home)
    results = {
        "what": "`fuzzy run` of a date of five symbols that is complete: start, run, checks, pictures, end",
        "median_s": statistics.median(seconds[1:]),
        "first_with_work_s": seconds[0],
        "goal_s": GOAL_S,
        "rounds": ROUNDS,
        "machine": measure.machine(),
    }
    table = (
        f"# Dagster's own cost of a date\n\n{results['what']}; median of {ROUNDS} rounds.\n\n"
        f"| what | measured | goal |\n|---|---|---|\n"
        f"| a date with nothing left to compute | {results['median_s']:.1f} s | ≤ {GOAL_S:.0f} s |\n"
    )
    measure.keep("dagster_cost", results, table)
    print(table)
    return results


if __name__ == "__main__":
    main()

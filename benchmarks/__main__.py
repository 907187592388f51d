"""Run every benchmark: ``python -m benchmarks`` (``make bench``)."""

from __future__ import annotations

import subprocess
import sys

NAMES = (
    "enrichment",
    "time_bars",
    "event_bars",
    "information_bars",
    "all_bars",
    "bars_scaling",
    "reading",
    "metadata_reading",
    "day_metadata",
    "rankings",
    "lee_ready",
    "iqfeed_decode",
    "whole_way",
    "dagster_cost",
    "corruptions",
)

if __name__ == "__main__":
    # A process each: what one has warmed or pinned must not help or hinder the next.
    failed = [name for name in NAMES if subprocess.call([sys.executable, "-m", f"benchmarks.{name}"]) != 0]
    sys.exit(f"failed: {', '.join(failed)}" if failed else 0)

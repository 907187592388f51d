"""Raw ticks to 42 columns: ours against pandas and NumPy, on reused and on fresh pages.

Run with ``python -m benchmarks.enrichment``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

from benchmarks import measure
from benchmarks.peers import pandas_enrichment
from benchmarks.peers.numpy_enrichment import NumpyEnrichment
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.enrichment.day import enrich_day

GOALS = {"pandas": 25.0, "numpy": 2.5}
DATE = dt.date(2013, 10, 8)
DAYS = (("SPY", 450_000), ("BAC", 125_000))
REMARKS = [
    "All give the same 42 columns under the default profiles; the symbol column comes from the key in each.",
    "Reused pages: ours and NumPy write into memory of the call before; pandas cannot and always allocates.",
    "Fresh pages: ours and NumPy allocate their output in every call.",
    "The conversion of the raw arrays into a pandas frame is not timed.",
]


def check(day: measure.TickDay) -> list[str]:
    """Columns in which a peer differs from ours."""
    ours = enrich_day(day.raw, day.symbol, day.date)
    frame = pandas_enrichment.enrich(pandas_enrichment.raw_frame(day.raw), day.date)
    peers = {
        "pandas": {name: frame[name].to_numpy() for name in frame.columns},
        "numpy": NumpyEnrichment(day.rows).enrich(day.raw, day.date),
    }
    return [
        f"{peer}, {day.label}: {name}: {what}"
        for peer, columns in peers.items()
        for name, what in measure.differences(ours, columns).items()
    ]


def cases(day: measure.TickDay) -> list[dict[str, Any]]:
    """Timings on one day, pages reused and fresh."""
    pool, pages, frame = BufferPool(), NumpyEnrichment(day.rows), pandas_enrichment.raw_frame(day.raw)
    reused: dict[str, Callable[[], object]] = {
        "ours": lambda: enrich_day(day.raw, day.symbol, day.date, pool=pool),
        "numpy": lambda: pages.enrich(day.raw, day.date),
        "pandas": lambda: pandas_enrichment.enrich(frame, day.date),
    }
    fresh: dict[str, Callable[[], object]] = {
        "ours": lambda: enrich_day(day.raw, day.symbol, day.date),
        "numpy": lambda: NumpyEnrichment(day.rows).enrich(day.raw, day.date),
        "pandas": reused["pandas"],
    }
    return [
        measure.case(f"{day.label}, reused pages", day.rows, measure.side_by_side(reused), GOALS),
        measure.case(f"{day.label}, fresh pages", day.rows, measure.side_by_side(fresh), {}),
    ]


def main() -> dict[str, Any]:
    """Check, time, write ``results/enrichment``."""
    days = [measure.tick_day(symbol, DATE, ticks) for symbol, ticks in DAYS]
    different = [line for day in days for line in check(day)]
    remarks = REMARKS + (different or ["Before timing, all columns of all contenders were found equal."])
    return measure.write_results("enrichment", "Enrichment", [c for day in days for c in cases(day)], remarks)


if __name__ == "__main__":
    main()

"""One-minute bars with all columns from a day of enriched ticks: ours against polars and pandas.

Run with ``python -m benchmarks.time_bars``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import measure
from benchmarks.peers import pandas_time_bars, polars_time_bars
from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.enrichment.day import enrich_day

GOALS = {"polars": 8.0, "pandas": 25.0}
DATE = dt.date(2013, 10, 8)
DAYS = (("SPY", 450_000), ("BAC", 125_000))
ONE_MINUTE = BarSettings(intervals=("1m",), families=("time",))
REMARKS = [
    "All contenders start from the enriched ticks of the whole day in their own form (arrays, frame), select the "
    "regular session and give every stored bar column; the conversion into frames is not timed.",
    "polars: one lazy query, the window key marked sorted. pandas: one groupby with named aggregations.",
]

Columns = dict[str, NDArray[Any]]


def ours(enriched: Columns, date: dt.date, pool: BufferPool | None = None) -> Columns:
    """Our one-minute bars; instants as whole nanoseconds, as the peers give them."""
    bars = build_bars(enriched, date, ONE_MINUTE, pool=pool)["time"].columns
    return {name: column.view(np.int64) if column.dtype.kind == "M" else column for name, column in bars.items()}


def check(day: measure.TickDay, enriched: Columns) -> list[str]:
    """Columns in which a peer differs from ours."""
    mine = ours(enriched, day.date)
    by_polars = polars_time_bars.time_bars(polars_time_bars.enriched_frame(enriched), day.date, 60)
    by_pandas = pandas_time_bars.time_bars(pandas_time_bars.enriched_frame(enriched), day.date, 60)
    peers: dict[str, Columns] = {
        "polars": {name: by_polars[name].to_numpy() for name in by_polars.columns},
        "pandas": {name: by_pandas[name].to_numpy() for name in by_pandas.columns},
    }
    return [
        f"{peer}, {day.label}: {name}: {what}"
        for peer, columns in peers.items()
        for name, what in measure.differences(mine, columns).items()
    ]


def time_day(day: measure.TickDay, enriched: Columns) -> dict[str, Any]:
    """Timings on one day."""
    pool = BufferPool()
    polars_frame, pandas_frame = polars_time_bars.enriched_frame(enriched), pandas_time_bars.enriched_frame(enriched)
    contenders: dict[str, Callable[[], object]] = {
        "ours": lambda: ours(enriched, day.date, pool),
        "polars": lambda: polars_time_bars.time_bars(polars_frame, day.date, 60),
        "pandas": lambda: pandas_time_bars.time_bars(pandas_frame, day.date, 60),
    }
    return measure.case(day.label, day.rows, measure.side_by_side(contenders), GOALS)


def main() -> dict[str, Any]:
    """Check, time, write ``results/time_bars``."""
    days = [measure.tick_day(symbol, DATE, ticks) for symbol, ticks in DAYS]
    enriched = [enrich_day(day.raw, day.symbol, day.date) for day in days]
    different = [line for day, ticks in zip(days, enriched, strict=True) for line in check(day, ticks)]
    remarks = REMARKS + (different or ["Before timing, all columns of all contenders were found equal."])
    timed = [time_day(day, ticks) for day, ticks in zip(days, enriched, strict=True)]
    return measure.write_results("time_bars", "One-minute bars with all columns", timed, remarks)


if __name__ == "__main__":
    main()

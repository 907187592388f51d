"""Every default series of a symbol-day with all columns: one pass for all against a pass for each.

Run with ``python -m benchmarks.all_bars``.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np

from benchmarks import measure, one_series
from benchmarks.one_series import Columns
from fuzzy_pipeline.bar_settings import BarSettings, FamilyName
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.bars.registry import FAMILIES
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.enrichment.day import enrich_day
from fuzzy_pipeline.schema.arrays import Arrays

GOALS = {"series by series": 2.5}
LEAST_TICKS_PER_SECOND = {"SPY": 5_000_000}
DATE = dt.date(2013, 10, 8)
DAYS = (("SPY", 450_000), ("BAC", 125_000))
DEFAULT = BarSettings()
REMARKS = [
    "Both start from the enriched ticks of the whole day, reuse their memory and give every stored column of the same "
    "bars. Series by series: build_bars called with one series at a time.",
]

EverySeries = dict[tuple[FamilyName, str], BarSettings]


def every_series() -> EverySeries:
    """The settings of each default series alone."""
    return {
        (name, parameter): one_series.settings_of(name, parameter)
        for name, family in FAMILIES.items()
        if name in DEFAULT.families
        for parameter in family.series(DEFAULT)
    }


def one_by_one(enriched: Columns, date: dt.date, series: EverySeries, pool: BufferPool) -> int:
    """A pass for each; the number of bars. The pool's memory holds one result at a time, as a writer needs it."""
    return sum(len(build_bars(enriched, date, settings, pool=pool)[key[0]]) for key, settings in series.items())


def whole_numbers(columns: Arrays) -> Columns:
    """Instants as nanoseconds: of NaT, which phantom bars have, one does not equal another."""
    return {name: column.view(np.int64) if column.dtype.kind == "M" else column for name, column in columns.items()}


def check(day: measure.TickDay, enriched: Columns, series: EverySeries) -> str:
    """Whether both give the same columns; what differs beyond rounding."""
    together = build_bars(enriched, day.date, DEFAULT)
    different = [
        f"{family} {parameter}: {name}: {what}"
        for (family, parameter), settings in series.items()
        for name, what in measure.differences(
            whole_numbers(together[family].of(parameter)),
            whole_numbers(build_bars(enriched, day.date, settings)[family].columns),
        ).items()
    ]
    bars = sum(len(found) for found in together.values())
    if different:
        return f"{day.symbol}: {bars:,} bars, {len(different)} COLUMNS DIFFER; {'; '.join(different[:5])}"
    return f"{day.symbol}: {bars:,} bars; all columns of both were found equal before timing."


def time_day(day: measure.TickDay, enriched: Columns, series: EverySeries) -> dict[str, Any]:
    """Timings on one day."""
    pool = BufferPool()
    timings = measure.side_by_side(
        {
            "ours": lambda: build_bars(enriched, day.date, DEFAULT, pool=pool),
            "series by series": lambda: one_by_one(enriched, day.date, series, pool),
        }
    )
    return measure.case(day.label, day.rows, timings, GOALS)


def main() -> dict[str, Any]:
    """Check, time, write ``results/all_bars``."""
    series = every_series()
    families = ", ".join(f"{name} {sum(key[0] == name for key in series)}" for name in FAMILIES)
    remarks = [*REMARKS, f"{len(series)} series: {families}."]
    cases = []
    for symbol, count in DAYS:
        day = measure.tick_day(symbol, DATE, count)
        enriched = enrich_day(day.raw, symbol, DATE)
        remarks.append(check(day, enriched, series))
        cases.append(time_day(day, enriched, series))
        rate = cases[-1]["contenders"]["ours"]["million_rows_per_s"]
        if symbol in LEAST_TICKS_PER_SECOND:
            least = LEAST_TICKS_PER_SECOND[symbol] / 1e6
            remarks.append(f"{symbol}: {rate:.1f} million ticks/s in one pass; goal ≥ {least:g}.")
    return measure.write_results("all_bars", f"All {len(series)} default series with all columns", cases, remarks)


if __name__ == "__main__":
    main()

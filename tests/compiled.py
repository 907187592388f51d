"""A date through the steps in memory, for its numerical code: compiled once, it is loaded by every process after.

``python -m tests.compiled 1`` and ``… 2`` compile a half each: at once on two cores, before tests start that would each
compile all of it.
"""

from __future__ import annotations

import datetime as dt
import logging
import sys
from collections.abc import Mapping

from fuzzy_pipeline.bar_settings import FAMILY_NAMES, BarSettings, FamilyName
from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.schema.tables import HEAVY_TABLES
from fuzzy_pipeline.settings import Settings, SimulatorSettings
from fuzzy_pipeline.simulator.market import SimulatedMarket
from fuzzy_pipeline.steps import rank_symbols, run_date
from fuzzy_pipeline.steps.pipeline import pipeline_steps
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.memory import memory_store

DATE = dt.date(2025, 11, 25)
HALVES: Mapping[str, tuple[tuple[FamilyName, ...], int | None]] = {
    "1": (("time", "tick", "volume", "dollar", "volatility", "range", "renko"), 3),
    "2": (("imbalance", "run"), None),
}
"""Families, and how many steps: the first three end with bars."""


def run_in_memory(families: tuple[FamilyName, ...] = FAMILY_NAMES, steps: int | None = None) -> None:
    """One symbol through the first steps, or all of them, without opening any store."""
    settings = Settings(
        _env_file=None,
        symbols=("AAA",),
        simulator=SimulatorSettings(ticks_per_day=500),
        bars=BarSettings(families=families),
    )
    bench = Workbench(settings)
    bench.__dict__["source"] = SimulatedMarket(settings.simulator)
    bench._store = memory_store("simulated", HEAVY_TABLES)
    real = run_date.workbench
    run_date.workbench = rank_symbols.workbench = lambda _: bench
    try:
        for step in pipeline_steps(settings)[:steps]:
            run_date.run_date(step, DATE, settings.symbols, settings, InlineEngine()).raise_if_failed()
    finally:
        run_date.workbench = rank_symbols.workbench = real


if __name__ == "__main__":
    logging.getLogger("fuzzy_pipeline").setLevel(logging.ERROR)
    run_in_memory(*HALVES[sys.argv[1]])

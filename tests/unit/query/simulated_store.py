"""A small simulated store, built once for all tests that only read."""

from __future__ import annotations

import datetime as dt
from functools import cache
from pathlib import Path

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.settings import Settings, SimulatorSettings
from fuzzy_pipeline.steps.pipeline import pipeline_steps
from fuzzy_pipeline.steps.rank_symbols import rank_date
from fuzzy_pipeline.steps.run_date import run_date

TUESDAY, WEDNESDAY, HALF_DAY = dt.date(2025, 11, 25), dt.date(2025, 11, 26), dt.date(2025, 11, 28)
DATES = (TUESDAY, WEDNESDAY, HALF_DAY)
INTERVALS = ("1m", "5m", "1h", "1d")
STORED = ("AAPL", "SPY")
EMPTY = "NONESUCH"
"""A symbol of the simulated market that never has a tick: its days fail."""


def settings_of(home: Path) -> Settings:
    """Settings whose store is under ``home``."""
    return Settings(
        _env_file=None,
        home=home,
        source="simulator",
        symbols=(*STORED, EMPTY),
        simulator=SimulatorSettings(ticks_per_day=1000),
        bars=BarSettings(intervals=INTERVALS),
    )


@cache
def build(home: Path) -> Settings:
    """Every table of three dates; the third symbol fails on Tuesday only, where it is asked for."""
    settings = settings_of(home)
    for date in DATES:
        for step in pipeline_steps(settings):
            symbols = (*STORED, EMPTY) if date == TUESDAY and not step.history(step.tables[0]) else STORED
            run_date(step, date, symbols, settings, InlineEngine())
        rank_date(date, settings)
    return settings

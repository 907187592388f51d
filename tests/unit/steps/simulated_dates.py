"""Simulated dates of a few symbols with few ticks, through some steps or all, and copies of a store to change."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.settings import Settings, SimulatorSettings, StoreSettings
from fuzzy_pipeline.steps.pipeline import pipeline_steps
from fuzzy_pipeline.steps.run_date import DateReport, run_date
from fuzzy_pipeline.steps.step import Step
from fuzzy_pipeline.steps.workbench import workbench
from fuzzy_pipeline.stores.manifest import ManifestRow

TUESDAY, WEDNESDAY, FRIDAY = (dt.date(2025, 11, day) for day in (25, 26, 28))  # Thanksgiving between
DATES = (TUESDAY, WEDNESDAY, FRIDAY)
SYMBOLS = ("AAA", "BBB")

Key = tuple[str, str, dt.date]
"""Table, symbol and date."""


def settings_of(home: Path, **changes: Any) -> Settings:
    """Settings of a simulated home with few ticks and one family of bars."""
    given: dict[str, Any] = {
        "source": "simulator",
        "symbols": SYMBOLS,
        "simulator": SimulatorSettings(ticks_per_day=500),
        "bars": BarSettings(families=("time",), intervals=("5m",)),
        "store": StoreSettings(map_size="1GB"),
    }
    return Settings(_env_file=None, home=home, **{**given, **changes})


def build(
    settings: Settings, *dates: dt.date, steps: Sequence[Step] = (), symbols: Sequence[str] = (), force: bool = False
) -> list[DateReport]:
    """Run steps (default: all that work a symbol at a time) for dates; the reports in the order made."""
    return [
        run_date(step, date, symbols or settings.symbols, settings, InlineEngine(), force=force)
        for date in dates
        for step in steps or pipeline_steps(settings)
    ]


def copy_of(built: Settings, home: Path) -> Settings:
    """The same store in another home; whoever built it has closed it."""
    shutil.copytree(built.home / "store", home / "store")
    return built.model_copy(update={"home": home})


def committed(settings: Settings) -> dict[Key, ManifestRow]:
    """Everything that is committed."""
    return {(row.table, row.symbol, row.date): row for row in workbench(settings).store.manifest.rows()}


def hashes(settings: Settings) -> dict[Key, str]:
    """Content hash of everything that is committed."""
    return {key: row.content_hash for key, row in committed(settings).items()}

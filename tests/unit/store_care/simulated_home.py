"""A small simulated store on disk: built once, copied for every test that breaks or deletes something."""

from __future__ import annotations

import datetime as dt
import shutil
from functools import cache
from pathlib import Path

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.settings import Settings, SimulatorSettings, StoreSettings
from fuzzy_pipeline.steps.pipeline import pipeline_steps
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.workbench import close_workbenches
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.store import Store

DATE = dt.date(2025, 11, 25)
SYMBOLS = ("AAA", "BBB")


def settings_of(home: Path) -> Settings:
    """Settings of a simulated home with two symbols and two families of bars, of which one carries state."""
    return Settings(
        _env_file=None,
        home=home,
        source="simulator",
        symbols=SYMBOLS,
        simulator=SimulatorSettings(ticks_per_day=600),
        bars=BarSettings(families=("time", "imbalance"), intervals=("1m", "1d")),
        store=StoreSettings(map_size="256MB", lock_timeout_s=30),
    )


def run_all(settings: Settings, *, force: bool = False) -> list[ManifestRow]:
    """Run every step of the date; the rows that were computed."""
    computed = []
    for step in pipeline_steps(settings):
        report = run_date(step, DATE, settings.symbols, settings, InlineEngine(), force=force)
        report.raise_if_failed()
        computed += [row for result in report.committed for row in result.rows]
    close_workbenches()
    return computed


@cache
def build(home: Path) -> Settings:
    """Every table of one date and two symbols."""
    settings = settings_of(home)
    run_all(settings)
    return settings


def copy_of(built: Settings, home: Path) -> Settings:
    """The same store in another home."""
    shutil.copytree(built.home / "store", home / "store")
    return settings_of(home)


def hashes(store: Store) -> dict[tuple[str, str], tuple[str, str]]:
    """Content hash and input hash by table and symbol."""
    return {(row.table, row.symbol): (row.content_hash, row.input_hash) for row in store.manifest.rows()}

"""A Dagster instance in memory, and a small home in the environment that sensors find."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.workbench import close_workbenches


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as found:
        yield found


def settings_of_home(home: Path) -> Settings:
    """A simulated home of two symbols with few ticks and one family of bars."""
    return load_settings(
        _env_file=None,
        home=home,
        symbols=("AAA", "BBB"),
        simulator={"ticks_per_day": 500},
        bars={"families": ("time",), "intervals": ("5m",)},
        engine={"kind": "inline"},
        store={"map_size": "1GB"},
        first_date="2025-11-03",
    )


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of a new home, which ``load_settings`` finds in the environment."""
    for name in [name for name in os.environ if name.startswith("FUZZY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "FUZZY_HOME": str(tmp_path / "home"),
        "FUZZY_SYMBOLS": "AAA,BBB",
        "FUZZY_SIMULATOR__TICKS_PER_DAY": "500",
        "FUZZY_BARS__FAMILIES": '["time"]',
        "FUZZY_BARS__INTERVALS": '["5m"]',
        "FUZZY_ENGINE__KIND": "inline",
        "FUZZY_STORE__MAP_SIZE": "1GB",
        "FUZZY_FIRST_DATE": "2025-11-03",
    }.items():
        monkeypatch.setenv(name, value)
    yield load_settings()
    close_workbenches()

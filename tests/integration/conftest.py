"""A home, an environment and a Dagster instance of its own for every test."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fuzzy_pipeline.assets import step_asset
from fuzzy_pipeline.steps.workbench import close_workbenches
from tests.integration.run_processes import without_picture


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A new home in the environment: simulated source, three symbols, few ticks, inline engine."""
    for name in [name for name in os.environ if name.startswith("FUZZY_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    close_workbenches()
    for name, value in {
        "FUZZY_HOME": str(tmp_path / "home"),
        "FUZZY_SYMBOLS": "AAA,BBB,CCC",
        "FUZZY_SIMULATOR__TICKS_PER_DAY": "500",
        "FUZZY_ENGINE__KIND": "inline",
        "FUZZY_STORE__MAP_SIZE": "1GB",
        "FUZZY_FIRST_DATE": "2025-11-03",
        "DAGSTER_HOME": str(tmp_path / "home" / "dagster"),
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }.items():
        monkeypatch.setenv(name, value)
    return tmp_path / "home"


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs in this process draw nothing, which is a third of their time."""
    monkeypatch.setattr(step_asset, "materialization_metadata", without_picture(step_asset.materialization_metadata))

"""The command, run in this process against a small simulated store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fuzzy_pipeline.cli import app, demo
from fuzzy_pipeline.settings import Settings
from tests.unit.query.simulated_store import build

Fuzzy = Callable[..., Result]


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a store with three simulated dates; tests only read it."""
    return build(tmp_path_factory.mktemp("simulated"))


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fuzzy:
    """The command in an empty folder, with a home that does not exist."""
    monkeypatch.chdir(tmp_path)
    # Every variable a command may set, so that it is put back after the test.
    for name in (*demo.HOME_SETTINGS, "FUZZY_STORE__LIGHT_PATH"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    monkeypatch.setenv("FUZZY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def fuzzy(empty: Fuzzy, simulated: Settings, monkeypatch: pytest.MonkeyPatch) -> Fuzzy:
    """The command with the simulated store as its home."""
    monkeypatch.setenv("FUZZY_HOME", str(simulated.home))
    # What it was built with: under other settings it would be stale.
    monkeypatch.setenv("FUZZY_SYMBOLS", ",".join(simulated.symbols))
    monkeypatch.setenv("FUZZY_SIMULATOR__TICKS_PER_DAY", str(simulated.simulator.ticks_per_day))
    monkeypatch.setenv("FUZZY_BARS__INTERVALS", json.dumps(simulated.bars.intervals))
    return empty

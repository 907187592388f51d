"""A small home with its own store for every test of steps."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.simulator.market import SimulatedMarket
from fuzzy_pipeline.sources.files import write_ticks
from fuzzy_pipeline.steps.workbench import close_workbenches

DATE = dt.date(2025, 11, 25)
SYMBOLS = ("AAA", "BBB")


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of a new home whose source is files of simulated ticks for two symbols and one date."""
    monkeypatch.chdir(tmp_path)
    home = load_settings(
        home=tmp_path / "home",
        source="files",
        files={"path": tmp_path / "ticks"},
        symbols=SYMBOLS,
        engine={"kind": "inline"},
        simulator={"ticks_per_day": 400},
        store={"map_size": "1GB"},
    )
    market = SimulatedMarket(home.simulator)
    for symbol in SYMBOLS:
        path = home.files.path / f"symbol={symbol}" / f"date={DATE}.parquet"
        path.parent.mkdir(parents=True)
        write_ticks(path, market.fetch_ticks(symbol, DATE).columns, "simulated")
    yield home
    close_workbenches()

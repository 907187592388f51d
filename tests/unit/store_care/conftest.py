"""A simulated store for every test to break."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.workbench import close_workbenches
from fuzzy_pipeline.stores.store import Store, open_store
from tests.unit.store_care.simulated_home import build, copy_of


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """The store that all others are copies of; never touched."""
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture
def settings(built: Settings, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a copy."""
    yield copy_of(built, tmp_path / "home")
    close_workbenches()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    """A copy, open."""
    opened = open_store(settings)
    yield opened
    opened.close()

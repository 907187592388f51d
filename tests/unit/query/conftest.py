"""Stores the reading tests share."""

from __future__ import annotations

import pytest

from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store
from tests.unit.query.hand_made import hand_made_store
from tests.unit.query.simulated_store import build


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of a store with three simulated dates; tests only read it."""
    return build(tmp_path_factory.mktemp("simulated"))


@pytest.fixture
def store() -> Store:
    """A store in memory with a few rows written by hand (``hand_made``)."""
    return hand_made_store()

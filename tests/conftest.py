"""Fixtures every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real ticks beside the checkout; the test is skipped where it is absent."""
    if not (SHARED_DATA / "manifest.json").exists():
        pytest.skip(f"no real data at {SHARED_DATA}")
    return SHARED_DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of whole runs that take the longest are skipped unless they are asked for."""
    if os.environ.get("FUZZY_TEST_LONG") == "1":
        return
    for item in items:
        if item.get_closest_marker("long"):
            item.add_marker(pytest.mark.skip(reason="takes long: make test-long runs it"))

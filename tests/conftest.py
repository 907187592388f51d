"""Fixtures every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of real ticks beside the checkout; the test is skipped where it is absent."""
    if not (SHARED_DATA / "manifest.json").exists():
        pytest.skip(f"no real data at {SHARED_DATA}")
    return SHARED_DATA

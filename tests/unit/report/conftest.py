"""What every test of the report needs."""

from __future__ import annotations

import datetime as dt
import importlib
from collections.abc import Sequence

import pytest

from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store

STALE: set[tuple[str, str, dt.date]] = set()


@pytest.fixture(autouse=True)
def _planted_results_are_current(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted rows were computed by no step: which of them are stale is said in ``STALE``, tested elsewhere."""

    def stale(
        store: Store, settings: Settings, dates: Sequence[dt.date], symbols: Sequence[str] | None = None
    ) -> set[tuple[str, str, dt.date]]:
        return {key for key in STALE if key[2] in dates}

    STALE.clear()
    # The package's function `coverage` hides the module of its name.
    monkeypatch.setattr(importlib.import_module("fuzzy_pipeline.query.coverage"), "stale_results", stale)

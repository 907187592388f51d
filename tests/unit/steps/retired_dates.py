"""Data whose time to be kept is over: some tables of a date deleted as retention deletes them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from fuzzy_pipeline.store_care.retention import RetentionPlan, Retirement, apply_retention
from fuzzy_pipeline.stores.store import Store


def retire(store: Store, date: dt.date, *tables: str, symbols: Sequence[str] | None = None) -> None:
    """Retire tables of a date, for all symbols or some."""
    items = tuple(Retirement(table, date, tuple(store.manifest.rows(table, [date], symbols))) for table in tables)
    plan = RetentionPlan(date, dict.fromkeys(tables, date + dt.timedelta(days=1)), items, ())
    assert apply_retention(store, plan, confirm=True).rows == sum(row.rows for item in items for row in item.rows)

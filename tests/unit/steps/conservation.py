"""Rows that the rules of conservation find lost or doubled on a date."""

from __future__ import annotations

import datetime as dt

from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.judge_date import measures_of
from fuzzy_pipeline.stores.store import Store

MEASURES = {RAW_TICKS.name: "unaccounted_rows", ENRICHED_TICKS.name: "row_difference"}


def lost_ticks(store: Store, settings: Settings, date: dt.date) -> dict[tuple[str, str], float]:
    """Table and symbol -> rows that do not add up; empty when all do."""
    found = {}
    for table, measure in MEASURES.items():
        rows = store.manifest.rows(table, [date])
        frame, _ = measures_of(store, settings, table, date, rows)
        if len(frame):
            found |= {(table, symbol): value for symbol, value in zip(frame["symbol"], frame[measure], strict=True)}
    return {key: value for key, value in found.items() if value != 0}

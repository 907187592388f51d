"""The steps in the order the data flow, and which of their results are out of date.

Belongs here: what the pipeline consists of under given settings. Assets, status and tests go through this list.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.build_bars import BuildBarsStep
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.step import Step, date_before, is_current
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.store import Store

Key = tuple[str, str, dt.date]
"""Table, symbol and date."""


def pipeline_steps(settings: Settings) -> tuple[Step, ...]:
    """Every step, upstream first."""
    return IngestStep(), EnrichStep(), BuildBarsStep(settings.bars.families), DayMetadataPhase1Step()


def pipeline_tables(settings: Settings) -> tuple[str, ...]:
    """Tables every symbol and date should have, upstream first."""
    return tuple(table for step in pipeline_steps(settings) for table in step.tables)


def stale_results(
    store: Store, settings: Settings, dates: Sequence[dt.date], symbols: Sequence[str] | None = None
) -> set[Key]:
    """Committed results that the next run of their date would compute again, or whose input it would.

    A result is stale when its settings, its input or the state of the trading date before have changed since, and so
    is everything downstream of it: later tables of the date, and later dates of tables that carry state. Later dates
    are looked at among ``dates`` only.
    """
    stale: set[Key] = set()
    for step in pipeline_steps(settings):
        inputs = _rows(store, step.upstream, dates, symbols) if step.upstream else {}
        for table in step.tables:
            carries = step.carries_state(table)
            before = {date: date_before(date) for date in dates} if carries else {}
            wanted = sorted({*dates, *(date for date in before.values() if date is not None)})
            held = _rows(store, table, wanted, symbols)
            failures = store.manifest.failures(table, wanted, symbols) if carries else []
            failed = {(row.symbol, row.date) for row in failures}
            for (symbol, date), row in sorted(held.items(), key=lambda item: item[0][1]):
                if date not in dates:
                    continue
                earlier = before.get(date)
                hands_on = earlier is not None and (symbol, earlier) not in failed
                previous = held.get((symbol, earlier)) if earlier is not None and hands_on else None
                old = not is_current(step, settings, row, inputs.get((symbol, date)), previous)
                follows = (step.upstream, symbol, date) in stale or (table, symbol, earlier) in stale
                if old or follows:
                    stale.add((table, symbol, date))
    return stale


def _rows(
    store: Store, table: str, dates: Sequence[dt.date], symbols: Sequence[str] | None
) -> dict[tuple[str, dt.date], ManifestRow]:
    return {(row.symbol, row.date): row for row in store.manifest.rows(table, dates, symbols)}

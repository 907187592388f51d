"""The steps in the order the data flow, and which of their results are out of date.

Belongs here: what the pipeline consists of under given settings. Assets, status and tests go through this list.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.build_bars import BuildBarsStep
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step, DayMetadataPhase2Step, TrailingBaselinesStep
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.inputs import StepInputs
from fuzzy_pipeline.steps.measure_quality import QualityMeasuresStep
from fuzzy_pipeline.steps.rank_symbols import RANKING_TABLES, ranking_inputs, rankings_are_stale
from fuzzy_pipeline.steps.step import Step, is_current
from fuzzy_pipeline.stores.store import Store

Key = tuple[str, str, dt.date]
"""Table, symbol and date."""


def pipeline_steps(settings: Settings) -> tuple[Step, ...]:
    """Every step that works a symbol at a time, upstream first."""
    return (
        IngestStep(),
        EnrichStep(),
        BuildBarsStep(settings.bars.families),
        DayMetadataPhase1Step(),
        QualityMeasuresStep(),
        TrailingBaselinesStep(),
        DayMetadataPhase2Step(),
    )


def table_groups(settings: Settings) -> dict[str, tuple[str, ...]]:
    """Tables every symbol and date should have, by what makes them, upstream first."""
    return {step.name: step.tables for step in pipeline_steps(settings)} | {"rankings": RANKING_TABLES}


def pipeline_tables(settings: Settings) -> tuple[str, ...]:
    """Tables every symbol and date should have, upstream first."""
    return tuple(table for tables in table_groups(settings).values() for table in tables)


def last_tables(settings: Settings) -> tuple[str, ...]:
    """Tables that no other table of the same date is made of: when these are done, all are."""
    used = {table for step in pipeline_steps(settings) for table in step.inputs} | set(ranking_inputs(settings))
    return tuple(table for table in pipeline_tables(settings) if table not in used)


def stale_results(
    store: Store, settings: Settings, dates: Sequence[dt.date], symbols: Sequence[str] | None = None
) -> set[Key]:
    """Committed results that the next run of their date would compute again, or whose input it would.

    A result is stale when its settings, its inputs or the earlier dates it depends on have changed since, and so is
    everything downstream of it: later tables of the date, and later dates of tables that look back. Later dates are
    looked at among ``dates`` only.
    """
    stale: set[Key] = set()
    for step in pipeline_steps(settings):
        inputs = StepInputs(step, store, dates, symbols)
        for table in step.tables:
            history = step.history(table)
            for row in sorted(store.manifest.rows(table, dates, symbols), key=lambda row: row.date):
                work = inputs.work(row.symbol, row.date, (table,))
                followed = [(name, row.date) for name in step.inputs]
                followed += [(name, key.date) for name in history for key in work.earlier.get(name, ())]
                if not is_current(step, settings, row, work) or any(
                    (name, row.symbol, date) in stale for name, date in followed
                ):
                    stale.add((table, row.symbol, row.date))
    return stale | _stale_rankings(store, settings, dates, symbols, stale)


def _stale_rankings(
    store: Store, settings: Settings, dates: Sequence[dt.date], symbols: Sequence[str] | None, stale: set[Key]
) -> set[Key]:
    """Rows of ranked dates that would be ranked again: a date's rows depend on all its symbols at once."""
    rows = [row for table in RANKING_TABLES for row in store.manifest.rows(table, dates, symbols)]
    inputs = set(ranking_inputs(settings))
    changed = {date for table, _, date in stale if table in inputs}
    old = {date for date in {row.date for row in rows} if date in changed or rankings_are_stale(store, settings, date)}
    return {(row.table, row.symbol, row.date) for row in rows if row.date in old}

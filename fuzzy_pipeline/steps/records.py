"""Records as light rows: what the steps that make one record a symbol and date have in common."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from fuzzy_pipeline.day_metadata.earlier_days import EARLIER_COLUMNS, LONGEST_WINDOW, EarlierDays
from fuzzy_pipeline.errors import NotStoredError
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.records import Record, from_table, to_table
from fuzzy_pipeline.steps.step import Step, StepResult, Work, dates_before, derived_row
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.content_hash import arrow_content_hash
from fuzzy_pipeline.stores.manifest import LIGHT_VERSION


def record_result(
    step: Step,
    bench: Workbench,
    work: Work,
    record: BaseModel,
    started: float,
    measures: Mapping[str, float] | None = None,
) -> StepResult:
    """A record as the one light row of its table; ``measures`` is what quality rules judge it by."""
    (table,) = work.tables
    rows = to_table([record], type(record))
    row = derived_row(
        step,
        table,
        bench,
        work,
        version=LIGHT_VERSION,
        rows=1,
        content_hash=arrow_content_hash(rows),
        seconds=time.perf_counter() - started,
        measures=measures,
    )
    return StepResult((row,), light={table: rows})


def earlier_days(bench: Workbench, work: Work) -> EarlierDays:
    """Phase 1 of the committed ones of the trading dates before."""
    dates = dates_before(work.date, LONGEST_WINDOW)
    committed = [key.date for key in work.earlier.get(PHASE1_TABLE, ())]
    rows = bench.light_rows(work.batch, PHASE1_TABLE, dates, EARLIER_COLUMNS).get(work.symbol) if committed else None
    if rows is not None:
        rows = rows.filter(pc.is_in(rows["date"], value_set=pa.array(committed, rows["date"].type)))
    return EarlierDays.from_table(rows, work.date, dates)


def stored_record(bench: Workbench, work: Work, table: str, model: type[Record]) -> Record:
    """The committed record of the symbol and date in another table.

    Raises
    ------
    NotStoredError
        Its row is gone though the manifest has it.
    """
    rows = bench.light_rows(work.batch, table, [work.date], None).get(work.symbol)
    found = from_table(rows, model)
    if not found:
        raise NotStoredError(f"{work.symbol} {work.date}: the row of {table} is gone though it is committed")
    return found[0]

"""The day records of a stored symbol-day: phase 1, what was usual before it, and phase 2."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import BaseModel

from fuzzy_pipeline.day_metadata.baselines import trailing_baselines
from fuzzy_pipeline.day_metadata.earlier_days import EARLIER_COLUMNS, LONGEST_WINDOW, EarlierDays
from fuzzy_pipeline.day_metadata.phase1 import PHASE1_COLUMNS, day_metadata_phase1
from fuzzy_pipeline.day_metadata.phase2 import PHASE2_COLUMNS, day_metadata_phase2
from fuzzy_pipeline.errors import NotStoredError
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE, BASELINES_VERSION, TrailingBaselines
from fuzzy_pipeline.schema.day_metadata import METADATA_VERSION, PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import (
    PHASE2_TABLE,
    PHASE2_VERSION,
    VpinState,
)
from fuzzy_pipeline.schema.records import Record, from_table, to_table
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.step import Step, StepResult, Work, dates_before, derived_row
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.content_hash import arrow_content_hash
from fuzzy_pipeline.stores.manifest import LIGHT_VERSION


@dataclass(frozen=True, slots=True)
class DayMetadataPhase1Step:
    """``day_metadata_phase1`` of one symbol and date, from its enriched ticks."""

    name: str = PHASE1_TABLE
    tables: tuple[str, ...] = (PHASE1_TABLE,)
    light_tables: tuple[str, ...] = ()
    inputs: tuple[str, ...] = (ENRICHED_TICKS.name,)

    def history(self, table: str) -> Mapping[str, int]:  # noqa: ARG002  part of the step's interface
        """None."""
        return {}

    def fingerprint(self, table: str, settings: Settings) -> str:  # noqa: ARG002  part of the step's interface
        """Version of the record's definitions."""
        return f"phase1={METADATA_VERSION}"

    def run(self, bench: Workbench, work: Work) -> StepResult:
        """Read enriched ticks and compute the record; the caller stores it."""
        started = time.perf_counter()
        symbol, date = work.symbol, work.date
        stored = bench.store.read(ENRICHED_TICKS, symbol, date, columns=PHASE1_COLUMNS, version=work.input.version)
        record = day_metadata_phase1(stored.arrays, symbol, date, pool=bench.pool)
        return _record_result(self, bench, work, record, started)


@dataclass(frozen=True, slots=True)
class TrailingBaselinesStep:
    """``trailing_baselines`` of one symbol and date, from phase 1 of earlier dates only."""

    name: str = BASELINES_TABLE
    tables: tuple[str, ...] = (BASELINES_TABLE,)
    light_tables: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()

    def history(self, table: str) -> Mapping[str, int]:  # noqa: ARG002  part of the step's interface
        """Phase 1 of a year of trading dates."""
        return {PHASE1_TABLE: LONGEST_WINDOW}

    def fingerprint(self, table: str, settings: Settings) -> str:  # noqa: ARG002  part of the step's interface
        """Version of the record's definitions."""
        return f"baselines={BASELINES_VERSION}"

    def run(self, bench: Workbench, work: Work) -> StepResult:
        """Read earlier records and compute the baselines; the caller stores them."""
        started = time.perf_counter()
        record = trailing_baselines(_earlier_days(bench, work), work.symbol, work.date)
        return _record_result(self, bench, work, record, started)


@dataclass(frozen=True, slots=True)
class DayMetadataPhase2Step:
    """``day_metadata_phase2`` of one symbol and date, from its ticks, phase 1, baselines and earlier dates."""

    name: str = PHASE2_TABLE
    tables: tuple[str, ...] = (PHASE2_TABLE,)
    light_tables: tuple[str, ...] = ()
    inputs: tuple[str, ...] = (ENRICHED_TICKS.name, PHASE1_TABLE, BASELINES_TABLE)

    def history(self, table: str) -> Mapping[str, int]:
        """Phase 1 of a year of trading dates, and the open VPIN bucket of the trading date before."""
        return {PHASE1_TABLE: LONGEST_WINDOW, table: 1}

    def fingerprint(self, table: str, settings: Settings) -> str:  # noqa: ARG002  part of the step's interface
        """Version of the record's definitions."""
        return f"phase2={PHASE2_VERSION}"

    def run(self, bench: Workbench, work: Work) -> StepResult:
        """Read ticks and records, compute phase 2; the caller stores it."""
        started = time.perf_counter()
        symbol, date = work.symbol, work.date
        stored = bench.store.read(ENRICHED_TICKS, symbol, date, columns=PHASE2_COLUMNS, version=work.input.version)
        record = day_metadata_phase2(
            stored.arrays,
            symbol,
            date,
            phase1=_stored_record(bench, work, PHASE1_TABLE, DayMetadataPhase1),
            baselines=_stored_record(bench, work, BASELINES_TABLE, TrailingBaselines),
            earlier=_earlier_days(bench, work),
            vpin_state=_vpin_state(bench, work),
            pool=bench.pool,
        )
        return _record_result(self, bench, work, record, started)


def _record_result(step: Step, bench: Workbench, work: Work, record: BaseModel, started: float) -> StepResult:
    """A record as the one light row of its table."""
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
    )
    return StepResult((row,), light={table: rows})


def _earlier_days(bench: Workbench, work: Work) -> EarlierDays:
    """Phase 1 of the committed ones of the trading dates before."""
    dates = dates_before(work.date, LONGEST_WINDOW)
    committed = [key.date for key in work.earlier.get(PHASE1_TABLE, ())]
    rows = bench.light_rows(work.batch, PHASE1_TABLE, dates, EARLIER_COLUMNS).get(work.symbol) if committed else None
    if rows is not None:
        rows = rows.filter(pc.is_in(rows["date"], value_set=pa.array(committed, rows["date"].type)))
    return EarlierDays.from_table(rows, work.date, dates)


def _stored_record(bench: Workbench, work: Work, table: str, model: type[Record]) -> Record:
    rows = bench.light_rows(work.batch, table, [work.date], None).get(work.symbol)
    found = from_table(rows, model)
    if not found:
        raise NotStoredError(f"{work.symbol} {work.date}: the row of {table} is gone though it is committed")
    return found[0]


def _vpin_state(bench: Workbench, work: Work) -> VpinState | None:
    before = work.earlier.get(PHASE2_TABLE)
    if not before:
        return None
    columns = ("symbol", "date", "vpin_state")
    rows = bench.light_rows(work.batch, PHASE2_TABLE, [before[-1].date], columns).get(work.symbol)
    return None if rows is None else VpinState.model_validate(rows["vpin_state"].to_pylist()[-1])

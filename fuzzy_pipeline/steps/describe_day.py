"""The day records of a stored symbol-day: phase 1, what was usual before it, and phase 2."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from fuzzy_pipeline.day_metadata.baselines import trailing_baselines
from fuzzy_pipeline.day_metadata.earlier_days import LONGEST_WINDOW
from fuzzy_pipeline.day_metadata.phase1 import PHASE1_COLUMNS, day_metadata_phase1
from fuzzy_pipeline.day_metadata.phase2 import PHASE2_COLUMNS, day_metadata_phase2
from fuzzy_pipeline.quality.rules import phase1_measures, phase2_measures
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE, BASELINES_VERSION, TrailingBaselines
from fuzzy_pipeline.schema.day_metadata import METADATA_VERSION, PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import (
    PHASE2_TABLE,
    PHASE2_VERSION,
    VpinState,
)
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.records import earlier_days, record_result, stored_record
from fuzzy_pipeline.steps.step import StepResult, Work
from fuzzy_pipeline.steps.workbench import Workbench


@dataclass(frozen=True, slots=True)
class DayMetadataPhase1Step:
    """``day_metadata_phase1`` of one symbol and date, from its enriched ticks."""

    name: str = PHASE1_TABLE
    tables: tuple[str, ...] = (PHASE1_TABLE,)
    light_tables: tuple[str, ...] = ()
    inputs: tuple[str, ...] = (ENRICHED_TICKS.name,)
    optional_inputs: tuple[str, ...] = ()

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
        return record_result(self, bench, work, record, started, measures=phase1_measures(record))


@dataclass(frozen=True, slots=True)
class TrailingBaselinesStep:
    """``trailing_baselines`` of one symbol and date, from phase 1 of earlier dates only."""

    name: str = BASELINES_TABLE
    tables: tuple[str, ...] = (BASELINES_TABLE,)
    light_tables: tuple[str, ...] = ()
    inputs: tuple[str, ...] = ()
    optional_inputs: tuple[str, ...] = ()

    def history(self, table: str) -> Mapping[str, int]:  # noqa: ARG002  part of the step's interface
        """Phase 1 of a year of trading dates."""
        return {PHASE1_TABLE: LONGEST_WINDOW}

    def fingerprint(self, table: str, settings: Settings) -> str:  # noqa: ARG002  part of the step's interface
        """Version of the record's definitions."""
        return f"baselines={BASELINES_VERSION}"

    def run(self, bench: Workbench, work: Work) -> StepResult:
        """Read earlier records and compute the baselines; the caller stores them."""
        started = time.perf_counter()
        record = trailing_baselines(earlier_days(bench, work), work.symbol, work.date)
        return record_result(self, bench, work, record, started)


@dataclass(frozen=True, slots=True)
class DayMetadataPhase2Step:
    """``day_metadata_phase2`` of one symbol and date, from its ticks, phase 1, baselines and earlier dates."""

    name: str = PHASE2_TABLE
    tables: tuple[str, ...] = (PHASE2_TABLE,)
    light_tables: tuple[str, ...] = ()
    inputs: tuple[str, ...] = (ENRICHED_TICKS.name, PHASE1_TABLE, BASELINES_TABLE)
    optional_inputs: tuple[str, ...] = ()

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
            phase1=stored_record(bench, work, PHASE1_TABLE, DayMetadataPhase1),
            baselines=stored_record(bench, work, BASELINES_TABLE, TrailingBaselines),
            earlier=earlier_days(bench, work),
            vpin_state=_vpin_state(bench, work),
            pool=bench.pool,
        )
        return record_result(self, bench, work, record, started, measures=phase2_measures(record))


def _vpin_state(bench: Workbench, work: Work) -> VpinState | None:
    before = work.earlier.get(PHASE2_TABLE)
    if not before:
        return None
    columns = ("symbol", "date", "vpin_state")
    rows = bench.light_rows(work.batch, PHASE2_TABLE, [before[-1].date], columns).get(work.symbol)
    return None if rows is None else VpinState.model_validate(rows["vpin_state"].to_pylist()[-1])

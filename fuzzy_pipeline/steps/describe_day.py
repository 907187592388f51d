"""Phase 1 of the day record of a stored symbol-day."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from fuzzy_pipeline.day_metadata.phase1 import PHASE1_COLUMNS, day_metadata_phase1
from fuzzy_pipeline.schema.day_metadata import METADATA_VERSION, PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.records import to_table
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.step import StepResult, Work, derived_row
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
        record = to_table([day_metadata_phase1(stored.arrays, symbol, date, pool=bench.pool)], DayMetadataPhase1)
        row = derived_row(
            self,
            PHASE1_TABLE,
            bench,
            work,
            version=LIGHT_VERSION,
            rows=1,
            content_hash=arrow_content_hash(record),
            seconds=time.perf_counter() - started,
        )
        return StepResult((row,), light={PHASE1_TABLE: record})

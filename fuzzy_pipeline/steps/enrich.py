"""Enrichment of a stored symbol-day."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

from fuzzy_pipeline.enrichment import EnrichmentRules, enrich_day
from fuzzy_pipeline.quality.rules import enriched_tick_measures
from fuzzy_pipeline.schema.arrays import length
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.step import StepResult, Work, derived_row
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.stored_content import hash_of_arrays

METHOD_VERSION = 1


@dataclass(frozen=True, slots=True)
class EnrichStep:
    """``enriched_ticks`` of one symbol and date, from its raw ticks."""

    name: str = ENRICHED_TICKS.name
    tables: tuple[str, ...] = (ENRICHED_TICKS.name,)
    light_tables: tuple[str, ...] = ()
    inputs: tuple[str, ...] = (RAW_TICKS.name,)
    optional_inputs: tuple[str, ...] = ()

    def history(self, table: str) -> Mapping[str, int]:  # noqa: ARG002  part of the step's interface
        """None."""
        return {}

    def fingerprint(self, table: str, settings: Settings) -> str:  # noqa: ARG002  part of the step's interface
        """Method version and profiles."""
        return f"enrich={METHOD_VERSION};{EnrichmentRules.of(settings).fingerprint}"

    def run(self, bench: Workbench, work: Work) -> StepResult:
        """Read raw ticks, enrich, store."""
        started = time.perf_counter()
        store, symbol, date = bench.store, work.symbol, work.date
        raw = store.read(RAW_TICKS, symbol, date, columns=RAW_TICKS.names, version=work.input.version).arrays
        rules = EnrichmentRules.of(bench.settings)
        ticks = enrich_day(raw, symbol, date, rules, pool=bench.pool)
        version = store.write(ENRICHED_TICKS, symbol, date, ticks, {"rules": rules.fingerprint})
        row = derived_row(
            self,
            ENRICHED_TICKS.name,
            bench,
            work,
            version=version,
            rows=length(ticks),
            content_hash=hash_of_arrays(ENRICHED_TICKS, ticks, date, {}),
            seconds=time.perf_counter() - started,
            measures=enriched_tick_measures(work.input.rows, length(ticks), ticks),
        )
        return StepResult((row,))

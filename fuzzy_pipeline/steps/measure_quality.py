"""Quality measures of a stored symbol-day."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from fuzzy_pipeline.day_metadata.earlier_days import LONGEST_WINDOW, EarlierDays
from fuzzy_pipeline.quality.measures import QUALITY_TICK_COLUMNS, EarlierDates, IngestCounts, quality_measures
from fuzzy_pipeline.quality.rules import measure_values
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.quality import QUALITY_TABLE, QUALITY_VERSION
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, QUARANTINE, RAW_TICKS, SOURCE_DAILY_BARS, TICK_FLAGS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.ingest import WHY_NO_DAILY_BAR, daily_bar_of
from fuzzy_pipeline.steps.records import earlier_days, record_result, stored_record
from fuzzy_pipeline.steps.step import StepResult, Work
from fuzzy_pipeline.steps.workbench import Workbench

NEVER_ASKED = "the ingest did not ask the source for its daily bar: fetch the ticks again"


@dataclass(frozen=True, slots=True)
class QualityMeasuresStep:
    """``quality_measures`` of one symbol and date: ticks, phase 1, what the ingest counted and met, earlier dates.

    The same ticks can come with other rows set aside, other flags or another daily bar: each ingest is measured.
    """

    name: str = QUALITY_TABLE
    tables: tuple[str, ...] = (QUALITY_TABLE,)
    light_tables: tuple[str, ...] = ()
    inputs: tuple[str, ...] = (RAW_TICKS.name, ENRICHED_TICKS.name, PHASE1_TABLE)
    optional_inputs: tuple[str, ...] = ()
    ingest_tables: tuple[str, ...] = (QUARANTINE.name, TICK_FLAGS.name, SOURCE_DAILY_BARS.name)

    def history(self, table: str) -> Mapping[str, int]:  # noqa: ARG002  part of the step's interface
        """Phase 1 of earlier trading dates: as many as phase 2 looks at, so that they are read once."""
        return {PHASE1_TABLE: LONGEST_WINDOW}

    def fingerprint(self, table: str, settings: Settings) -> str:  # noqa: ARG002  part of the step's interface
        """Version of the measures, and the settings that enter them."""
        return f"quality={QUALITY_VERSION};{settings.quality.model_dump_json()};{settings.ingest.model_dump_json()}"

    def run(self, bench: Workbench, work: Work) -> StepResult:
        """Read ticks and records, measure; the caller stores the record."""
        started = time.perf_counter()
        symbol, date, settings = work.symbol, work.date, bench.settings
        version = work.inputs[ENRICHED_TICKS.name].version
        ticks = bench.store.read(ENRICHED_TICKS, symbol, date, columns=QUALITY_TICK_COLUMNS, version=version).arrays
        daily_bar, why_none = _daily_bar(bench, work)
        record = quality_measures(
            ticks,
            symbol,
            date,
            phase1=stored_record(bench, work, PHASE1_TABLE, DayMetadataPhase1),
            ingest=_ingest_counts(bench, work),
            earlier=_earlier_dates(earlier_days(bench, work), settings.quality.history_dates),
            daily_bar=daily_bar,
            why_no_daily_bar=why_none,
            settings=settings.quality,
            bounds=settings.ingest,
        )
        return record_result(self, bench, work, record, started, measures=measure_values(record, QUALITY_TABLE))


def _ingest_counts(bench: Workbench, work: Work) -> IngestCounts:
    """What became of the rows, as the light tables have them: not on the manifest's word."""
    raw = work.inputs[RAW_TICKS.name]
    aside = bench.light_rows(work.batch, QUARANTINE.name, [work.date], ("symbol", "rule")).get(work.symbol)
    flags = bench.light_rows(work.batch, TICK_FLAGS.name, [work.date], ("symbol", "rule", "count")).get(work.symbol)
    by_rule: dict[str, int] = {}
    for rule in aside["rule"].to_pylist() if aside is not None else ():
        by_rule[rule] = by_rule.get(rule, 0) + 1
    flagged = dict(zip(flags["rule"].to_pylist(), flags["count"].to_pylist(), strict=True)) if flags is not None else {}
    return IngestCounts(raw.rows_in, raw.rows, raw.rows_official, by_rule, flagged)


def _daily_bar(bench: Workbench, work: Work) -> tuple[SourceDailyBar | None, str]:
    """The source's daily bar that the ingest stored; why there is none, when there is none."""
    raw = work.inputs[RAW_TICKS.name]
    rows = bench.light_rows(work.batch, SOURCE_DAILY_BARS.name, [work.date], None).get(work.symbol)
    return daily_bar_of(rows, raw), raw.notes.get(WHY_NO_DAILY_BAR, NEVER_ASKED)


def _earlier_dates(earlier: EarlierDays, most: int) -> EarlierDates:
    """The last stored dates: ticks, volume and close."""
    names = ("basic_stats.total_ticks", "basic_stats.volume_total", "basic_stats.price_close")
    dates = earlier.dates[-most:]
    place = np.searchsorted(np.array(earlier.trading_dates, "datetime64[D]"), np.array(dates, "datetime64[D]"))
    return EarlierDates(dates, *(earlier.values(name)[place] for name in names))

"""Day records that are asked for, not stored yet, and can be made from ticks that are: made on first reading."""

from __future__ import annotations

import datetime as dt
import warnings
from collections.abc import Mapping, Sequence

from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step, DayMetadataPhase2Step, TrailingBaselinesStep
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.step import Step
from fuzzy_pipeline.stores.store import Store

STEPS: Mapping[str, tuple[Step, ...]] = {
    PHASE1_TABLE: (DayMetadataPhase1Step(),),
    BASELINES_TABLE: (TrailingBaselinesStep(),),
    PHASE2_TABLE: (DayMetadataPhase1Step(), TrailingBaselinesStep(), DayMetadataPhase2Step()),
}
"""What makes each kind of record from enriched ticks and earlier records."""


class RecordsNotComputedWarning(UserWarning):
    """Some records that were asked for could not be computed; the message says of which symbols and why."""


def compute_missing(
    store: Store, settings: Settings | None, table: str, dates: Sequence[dt.date], symbols: Sequence[str] | None
) -> None:
    """Compute and store the records of symbol-days whose enriched ticks are committed and that have none.

    Nothing is done for a store other than that of the settings, or for one in memory. What cannot be computed is warned
    of (``RecordsNotComputedWarning``): the others can be read all the same.
    """
    held = store.manifest.versions(table, dates, symbols).keys()
    missing = store.manifest.versions(ENRICHED_TICKS.name, dates, symbols).keys() - held
    chosen = (settings or load_settings()) if missing else None
    if chosen is None or store.location is None or store.root != chosen.light_path:
        return
    for date in sorted({date for _, date in missing}):
        wanted = sorted(symbol for symbol, day in missing if day == date)
        for step in STEPS[table]:
            done = store.manifest.versions(step.name, [date], wanted)
            lacking = [symbol for symbol in wanted if (symbol, date) not in done]
            try:
                report = run_date(step, date, lacking, chosen, InlineEngine())
            except StoreError as error:  # a full disk, say: what is stored can be read all the same
                text = f"{step.name} {date} was not computed: {error}"
                warnings.warn(text, RecordsNotComputedWarning, stacklevel=3)
                break
            for symbol, failure in report.failed.items():
                text = f"{step.name} {symbol} {date} was not computed: {failure.reason}"
                warnings.warn(text, RecordsNotComputedWarning, stacklevel=3)

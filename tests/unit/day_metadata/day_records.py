"""Day records of hand-sized days, and of the real days beside the checkout."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.day_metadata.phase1 import day_metadata_phase1
from fuzzy_pipeline.enrichment import enrich_day
from fuzzy_pipeline.quality.validation import validate_ticks
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from fuzzy_pipeline.sources.files import FilesSource
from tests.unit.enrichment.raw_ticks import TUESDAY, raw_ticks

REAL_DAYS = (("BAC", TUESDAY), ("SPY", TUESDAY), ("IBM", TUESDAY), ("NEPT", dt.date(2021, 3, 1)))


def enriched(price: list[float], *, date: dt.date = TUESDAY, **given: Any) -> dict[str, NDArray[Any]]:
    """Enriched ticks at these prices; ``tick_id`` is set as it stands, the rest as ``raw_ticks`` takes it."""
    ids = given.pop("tick_id", None)
    raw = raw_ticks(price, date=date, **given)
    if ids is not None:
        raw["tick_id"] = np.array(ids, dtype=np.uint64)
    return enrich_day(raw, "TEST", date)


def record(price: list[float], *, date: dt.date = TUESDAY, **given: Any) -> DayMetadataPhase1:
    """The day record of ticks at these prices."""
    return day_metadata_phase1(enriched(price, date=date, **given), "TEST", date)


def real_ticks(shared_data: Path, symbol: str, date: dt.date) -> dict[str, NDArray[Any]]:
    """Enriched ticks of a real day, judged as the ingest does."""
    raw = FilesSource(shared_data / "ticks").fetch_ticks(symbol, date).columns
    return enrich_day(validate_ticks(raw, symbol, date).ticks, symbol, date)

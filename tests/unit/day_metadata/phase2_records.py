"""Phase 2 of hand-sized days, with as many earlier dates as a test wants."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.day_metadata.baselines import trailing_baselines
from fuzzy_pipeline.day_metadata.earlier_days import LONGEST_WINDOW, EarlierDays
from fuzzy_pipeline.day_metadata.phase1 import day_metadata_phase1
from fuzzy_pipeline.day_metadata.phase2 import day_metadata_phase2
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import DayMetadataPhase2, VpinState
from fuzzy_pipeline.schema.records import to_table
from tests.unit.day_metadata.day_records import enriched, record
from tests.unit.enrichment.raw_ticks import TUESDAY

NAN = float("nan")

Ticks = dict[str, NDArray[Any]]


def phase2_of(
    ticks: Ticks,
    *,
    symbol: str = "TEST",
    date: dt.date = TUESDAY,
    earlier: Sequence[DayMetadataPhase1] = (),
    vpin_state: VpinState | None = None,
    pool: BufferPool | None = None,
) -> DayMetadataPhase2:
    """Phase 2 of enriched ticks after the given earlier records."""
    before = EarlierDays.from_table(
        to_table(earlier, DayMetadataPhase1), date, trading_calendar.trading_dates_before(date, LONGEST_WINDOW)
    )
    return day_metadata_phase2(
        ticks,
        symbol,
        date,
        phase1=day_metadata_phase1(ticks, symbol, date),
        baselines=trailing_baselines(before, symbol, date),
        earlier=before,
        vpin_state=vpin_state,
        pool=pool,
    )


def phase2(
    price: list[float],
    *,
    date: dt.date = TUESDAY,
    earlier: Sequence[DayMetadataPhase1] = (),
    vpin_state: VpinState | None = None,
    **given: Any,
) -> DayMetadataPhase2:
    """Phase 2 of ticks at these prices."""
    return phase2_of(enriched(price, date=date, **given), date=date, earlier=earlier, vpin_state=vpin_state)


def earlier_days(count: int, price: list[float], **given: Any) -> list[DayMetadataPhase1]:
    """Records of the same ticks on each of the last ``count`` trading dates."""
    return [
        record(price, date=date, **{name: list(values) for name, values in given.items()})
        for date in trading_calendar.trading_dates_before(TUESDAY, count)
    ]


def changed(found: DayMetadataPhase1, **fields: Any) -> DayMetadataPhase1:
    """The record with other values of fields, named ``group__field``."""
    for name, value in fields.items():
        group, _, field = name.partition("__")
        other = getattr(found, group).model_copy(update={field: value})
        found = found.model_copy(update={group: other})
    return found


def at(second: float) -> int:
    """That many seconds after the open, as microseconds since midnight."""
    return round((9.5 * 3600 + second) * 1_000_000)


def every_minute(count: int = 390) -> list[int]:
    """Half past each of the first minutes of the session."""
    return [at(60 * minute + 30) for minute in range(count)]


def quotes(middles: Sequence[float], spread: float = 0.1) -> dict[str, list[float]]:
    """Bids and asks around these midpoints."""
    return {
        "bid": np.subtract(middles, spread / 2).round(6).tolist(),
        "ask": np.add(middles, spread / 2).round(6).tolist(),
    }

"""Enrichment of a whole symbol-day: time order, chunks, carried context."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.enrichment.eligibility import PROFILE_NUMBERS
from fuzzy_pipeline.enrichment.kernels import EnrichmentContext, enrich_chunk
from fuzzy_pipeline.schema.arrays import Arrays, length, take
from fuzzy_pipeline.schema.codes import condition_bits
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS, check_arrays
from fuzzy_pipeline.settings import ConditionProfile, EligibilityProfile, Settings


@dataclass(frozen=True, slots=True)
class EnrichmentRules:
    """The settings that change enriched ticks."""

    condition_profile: ConditionProfile = "iqfeed"
    eligibility_profile: EligibilityProfile = "iqfeed"
    chunk_ticks: int = 1_000_000

    @classmethod
    def of(cls, settings: Settings) -> EnrichmentRules:
        """The rules a user chose."""
        return cls(settings.condition_profile, settings.eligibility_profile, settings.chunk_ticks)

    @property
    def fingerprint(self) -> str:
        """What a result depends on; the chunk size does not change it."""
        return f"conditions={self.condition_profile};eligibility={self.eligibility_profile}"


def session_bounds_us(trading_date: dt.date) -> NDArray[np.int64]:
    """int64[4]: pre-market start, open, close and after-hours end of a date, µs since midnight ET."""
    session = trading_calendar.session(trading_date)
    return np.array([session.pre_open_us, session.open_us, session.close_us, session.after_close_us], dtype=np.int64)


def in_time_order(raw: Arrays) -> Arrays:
    """The ticks sorted by time, arrival order within equal times; the same arrays when already sorted."""
    time = raw["time"]
    if len(time) < 2 or bool(np.all(time[1:] >= time[:-1])):
        return raw
    return take(raw, np.argsort(time, kind="stable"))


def enrich_day(
    raw: Arrays,
    symbol: str,
    trading_date: dt.date,
    rules: EnrichmentRules | None = None,
    *,
    pool: BufferPool | None = None,
) -> dict[str, NDArray[Any]]:
    """Enriched ticks of one symbol and trading date.

    Parameters
    ----------
    raw : Arrays
        The 14 columns of ``RAW_TICKS``, valid ticks only (``quality.validate_ticks``), arrival order.
    symbol, trading_date
        Named in errors; the date gives the session bounds.
    rules : EnrichmentRules, optional
        Profiles and chunk size.
    pool : BufferPool, optional
        Memory to reuse; the result is then valid until the pool's next use.

    Returns
    -------
    dict of arrays
        The stored columns of ``ENRICHED_TICKS`` (every column but ``symbol``, which the key holds), in
        stable time order.

    Raises
    ------
    SchemaError
        The columns are not those of ``RAW_TICKS``.
    CalendarError
        The date is not a trading date.

    References
    ----------
    Trade sign: Lee and Ready (1991), https://doi.org/10.1111/j.1540-6261.1991.tb02683.x
    """
    rules = rules or EnrichmentRules()
    check_arrays(RAW_TICKS, raw, f"{symbol} {trading_date}", key_columns=True)
    ordered = in_time_order(raw)
    rows = length(ordered)
    out = (pool or BufferPool()).arrays(ENRICHED_TICKS, rows)
    context = EnrichmentContext()
    bounds = session_bounds_us(trading_date)
    midnight_ns = trading_calendar.midnight_utc_ns(trading_date)
    for start in range(0, rows, rules.chunk_ticks):
        chunk = slice(start, start + rules.chunk_ticks)
        context = enrich_chunk(
            take(ordered, chunk),
            take(out, chunk),
            context,
            midnight_ns=midnight_ns,
            bounds_us=bounds,
            condition_bits=condition_bits(rules.condition_profile),
            profile=PROFILE_NUMBERS[rules.eligibility_profile],
        )
    return out

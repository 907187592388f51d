"""Phase 1: what the regular session of a symbol was."""

from __future__ import annotations

import datetime as dt
import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.bars.build import assemble
from fuzzy_pipeline.bars.session_ticks import SessionTicks, session_ticks
from fuzzy_pipeline.bars.time_bars import time_bar_ends
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.day_metadata import BasicStats, DayMetadataPhase1, IntradayBucket
from fuzzy_pipeline.trading_calendar import EASTERN, now_eastern

_NO_TICK = "no counted tick in the regular session"
_NO_PRICE = "no price-setting tick in the regular session"


def day_metadata_phase1(
    ticks: Arrays, symbol: str, trading_date: dt.date, *, pool: BufferPool | None = None
) -> DayMetadataPhase1:
    """Phase 1 of one symbol and date.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks in time order, at least ``session_ticks.TICK_COLUMNS``.
    symbol, trading_date
        The key of the record.
    pool : BufferPool, optional
        Memory to reuse for the ticks of the session.

    Returns
    -------
    DayMetadataPhase1
        Fields that cannot be computed are None, with the reason under ``null_reasons``.
    """
    started = time.perf_counter()
    session = session_ticks(ticks, trading_date, "regular", pool=pool)
    day = _one_interval(session, "1d")
    stats = basic_stats(day)
    return DayMetadataPhase1(
        symbol=symbol,
        date=trading_date,
        computed_at=now_eastern(),
        computation_time_ms=(time.perf_counter() - started) * 1000,
        basic_stats=stats,
        intraday_evolution=intraday_evolution(session),
        null_reasons=_null_reasons(stats),
    )


def basic_stats(day: Arrays) -> BasicStats:
    """Basic statistics from the session's one-day bar (columns of ``schema.BAR_COLUMNS``, one row)."""
    first, last = _instant(day["first_tick_time"][0]), _instant(day["last_tick_time"][0])
    seconds = (last - first).total_seconds() if first and last else 0.0
    ticks = int(day["tick_count"][0])
    return BasicStats(
        total_ticks=ticks,
        first_tick_time=first,
        last_tick_time=last,
        price_open=_number(day["open"][0]),
        price_high=_number(day["high"][0]),
        price_low=_number(day["low"][0]),
        price_close=_number(day["close"][0]),
        volume_total=int(day["volume"][0]),
        vwap=_number(day["vwap"][0]),
        dollar_volume=float(day["dollar_volume"][0]),
        price_range=_number(day["range"][0]),
        price_change=_number(day["change"][0]),
        price_change_pct=_number(day["change_pct"][0]),
        trading_hours=seconds / 3600 if ticks else None,
        avg_tick_rate=ticks / seconds if seconds else None,
    )


def intraday_evolution(session: SessionTicks) -> list[IntradayBucket]:
    """Hourly buckets of the session, counted from the open; hours without ticks have a bucket too."""
    hours = _one_interval(session, "1h")
    minutes = _one_interval(session, "1m")
    total = int(hours["volume"].sum())
    hour_of_minute = np.searchsorted(hours["bar_start"], minutes["bar_start"], side="right") - 1
    return [
        IntradayBucket(
            start=_known_instant(hours["bar_start"][row]),
            end=_known_instant(hours["timestamp"][row]),
            spread=_number(hours["avg_spread"][row]),
            volume_pct=int(hours["volume"][row]) / total if total else None,
            volatility=_realised_volatility(minutes["close"][hour_of_minute == row]),
            trade_count=int(hours["tick_count"][row]),
            buy_sell_ratio=(
                int(hours["buy_volume"][row]) / int(hours["sell_volume"][row]) if hours["sell_volume"][row] else None
            ),
        )
        for row in range(len(hours["bar_start"]))
    ]


def _one_interval(session: SessionTicks, interval: str) -> dict[str, NDArray[Any]]:
    return assemble(session, [time_bar_ends(session, interval, fill="null")])


def _realised_volatility(close: NDArray[np.float64]) -> float | None:
    """Square root of the sum of squared log returns of successive known prices; None under two prices."""
    known = close[~np.isnan(close)]
    return math.sqrt(float(np.sum(np.diff(np.log(known)) ** 2))) if len(known) > 1 else None


def _null_reasons(stats: BasicStats) -> dict[str, str]:
    nulls = [name for name in BasicStats.model_fields if getattr(stats, name) is None]
    reason = _NO_PRICE if stats.total_ticks else _NO_TICK
    one_instant = "all ticks share one instant"
    return {
        f"basic_stats.{name}": one_instant if name == "avg_tick_rate" and stats.total_ticks else reason
        for name in nulls
    }


def _number(value: Any) -> float | None:
    return None if math.isnan(value) else float(value)


def _instant(value: np.datetime64) -> dt.datetime | None:
    return None if np.isnat(value) else _known_instant(value)


def _known_instant(value: np.datetime64) -> dt.datetime:
    """Eastern datetime of a UTC instant, cut to microseconds."""
    microseconds = int(value.astype("datetime64[us]").astype(np.int64))
    return (dt.datetime.fromtimestamp(0, dt.UTC) + dt.timedelta(microseconds=microseconds)).astimezone(EASTERN)

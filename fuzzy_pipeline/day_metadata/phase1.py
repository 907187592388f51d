"""Phase 1: what the regular session of a symbol was."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.bars.build import assemble
from fuzzy_pipeline.bars.session_ticks import TICK_COLUMNS, SessionTicks, session_ticks
from fuzzy_pipeline.bars.time_bars import time_bar_ends
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.day_metadata import session_groups
from fuzzy_pipeline.day_metadata.data_quality import QUALITY_COLUMNS, data_quality
from fuzzy_pipeline.day_metadata.fields import instant, known_instant, number
from fuzzy_pipeline.day_metadata.null_reasons import null_reasons
from fuzzy_pipeline.day_metadata.yardsticks import yardsticks
from fuzzy_pipeline.microstructure.noise import realised_volatility
from fuzzy_pipeline.schema.arrays import Arrays, take
from fuzzy_pipeline.schema.day_metadata import BasicStats, DayMetadataPhase1, IntradayBucket
from fuzzy_pipeline.trading_calendar import now_eastern

PHASE1_COLUMNS = tuple(dict.fromkeys((*TICK_COLUMNS, "exchange", *QUALITY_COLUMNS)))
"""The enriched columns phase 1 needs: what a reader has to load."""

_INTERVALS = ("1m", "5m", "1h", "1d")
"""Finest first: the coarser are merged from the finer."""


def day_metadata_phase1(
    ticks: Arrays, symbol: str, trading_date: dt.date, *, pool: BufferPool | None = None
) -> DayMetadataPhase1:
    """Phase 1 of one symbol and date.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks in time order, at least ``PHASE1_COLUMNS``.
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
    bars = session_bars(session)
    liquidity = session_groups.measured_liquidity(session)
    record = DayMetadataPhase1(
        symbol=symbol,
        date=trading_date,
        computed_at=now_eastern(),
        computation_time_ms=0.0,
        basic_stats=basic_stats(bars),
        spread_stats=session_groups.spread_stats(session),
        trade_classification=session_groups.trade_classification(session),
        liquidity_profile=session_groups.liquidity_profile(liquidity, bars["1d"]["liquidity_score"][0]),
        execution_quality=session_groups.execution_quality(session),
        intraday_evolution=intraday_evolution(bars),
        venue_analysis=session_groups.venue_analysis(session),
        yardsticks=yardsticks(session, session_groups.priced_ticks(session), liquidity.p95_trade_size),
        data_quality=data_quality(ticks, trading_date),
        null_reasons={},
    )
    reasons = null_reasons(record)
    milliseconds = (time.perf_counter() - started) * 1000
    return record.model_copy(update={"null_reasons": reasons, "computation_time_ms": milliseconds})


def session_bars(session: SessionTicks) -> dict[str, dict[str, NDArray[Any]]]:
    """Time bars of the session by interval, windows without ticks among them, from one pass."""
    series = [time_bar_ends(session, interval, fill="null") for interval in _INTERVALS]
    columns = assemble(session, series)
    stops = np.cumsum([len(one) for one in series]).tolist()
    return {
        interval: take(columns, slice(stop - len(one), stop))
        for interval, one, stop in zip(_INTERVALS, series, stops, strict=True)
    }


def basic_stats(bars: dict[str, dict[str, NDArray[Any]]]) -> BasicStats:
    """Basic statistics from the session's one-day and 5-minute bars (``session_bars``)."""
    day = bars["1d"]
    first, last = instant(day["first_tick_time"][0]), instant(day["last_tick_time"][0])
    seconds = (last - first).total_seconds() if first and last else 0.0
    ticks = int(day["tick_count"][0])
    # From the open on: the first return is that of the first five minutes.
    closes = np.concatenate([day["open"], bars["5m"]["close"]])
    has_returns = int(day["qualified_tick_count"][0]) > 1
    return BasicStats(
        total_ticks=ticks,
        first_tick_time=first,
        last_tick_time=last,
        price_open=number(day["open"][0]),
        price_high=number(day["high"][0]),
        price_low=number(day["low"][0]),
        price_close=number(day["close"][0]),
        volume_total=int(day["volume"][0]),
        vwap=number(day["vwap"][0]),
        dollar_volume=float(day["dollar_volume"][0]),
        price_range=number(day["range"][0]),
        price_change=number(day["change"][0]),
        price_change_pct=number(day["change_pct"][0]),
        realised_volatility=realised_volatility(closes) if has_returns else None,
        trading_hours=seconds / 3600 if ticks else None,
        avg_tick_rate=ticks / seconds if seconds else None,
    )


def intraday_evolution(bars: dict[str, dict[str, NDArray[Any]]]) -> list[IntradayBucket]:
    """Hourly buckets of the session, counted from the open; hours without ticks have a bucket too."""
    hours, minutes = bars["1h"], bars["1m"]
    total = int(hours["volume"].sum())
    hour_of_minute = np.searchsorted(hours["bar_start"], minutes["bar_start"], side="right") - 1
    return [
        IntradayBucket(
            start=_bound(hours["bar_start"][row]),
            end=_bound(hours["timestamp"][row]),
            spread=number(hours["avg_spread"][row]),
            volume_pct=int(hours["volume"][row]) / total if total else None,
            volatility=number(realised_volatility(minutes["close"][hour_of_minute == row])),
            trade_count=int(hours["tick_count"][row]),
            buy_sell_ratio=(
                int(hours["buy_volume"][row]) / int(hours["sell_volume"][row]) if hours["sell_volume"][row] else None
            ),
        )
        for row in range(len(hours["bar_start"]))
    ]


def _bound(value: np.datetime64) -> dt.datetime:
    return known_instant(int(value.astype("datetime64[ns]").astype(np.int64)))

"""Groups of phase 1 that are one measure of the session's ticks each, and what several groups are measured on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.day_metadata.fields import filled, number
from fuzzy_pipeline.microstructure.execution_quality import execution_quality as measure_execution
from fuzzy_pipeline.microstructure.liquidity import LiquidityProfile as LiquidityMeasure
from fuzzy_pipeline.microstructure.liquidity import liquidity_profile as liquidity_measure
from fuzzy_pipeline.microstructure.quotes import quoted_spread
from fuzzy_pipeline.microstructure.trade_flow import trade_flow
from fuzzy_pipeline.microstructure.venues import venue_analysis as measure_venues
from fuzzy_pipeline.schema.day_metadata import (
    ExecutionQuality,
    LiquidityProfile,
    SpreadStats,
    TradeClassification,
    VenueAnalysis,
    VenueShare,
)


@dataclass(frozen=True, slots=True)
class PricedTicks:
    """The ticks of a session whose price may set one: odd lots and late prints are not among them.

    Like the columns of a session, valid until the next use of its memory.
    """

    timestamp: NDArray[np.int64]
    price: NDArray[np.float64]
    size: NDArray[np.unsignedinteger[Any]]


def priced_ticks(session: SessionTicks) -> PricedTicks:
    """Price-setting ticks of a session, in time order."""
    setting = session.column("is_qualified")
    columns = session.timestamp, session.column("price"), session.column("size")
    if setting.all():
        return PricedTicks(*columns)
    taken = [
        session.buffer(f"priced_{name}", column.dtype.str, len(session))
        for name, column in zip(("timestamp", "price", "size"), columns, strict=True)
    ]
    rows = _take(setting, *columns, *taken)
    return PricedTicks(*(column[:rows] for column in taken))


@njit(cache=True, nogil=True)
def _take(chosen, timestamp, price, size, timestamp_out, price_out, size_out):  # type: ignore[no-untyped-def]
    rows = 0
    for i in range(len(chosen)):
        timestamp_out[rows] = timestamp[i]
        price_out[rows] = price[i]
        size_out[rows] = size[i]
        rows += chosen[i]
    return rows


def spread_stats(session: SessionTicks) -> SpreadStats:
    """Distribution of the quoted spread."""
    measured = quoted_spread(session.column("bid"), session.column("ask"))
    return filled(SpreadStats, measured, quoted_ticks=measured.n)


def trade_classification(session: SessionTicks) -> TradeClassification:
    """Counts and volumes by side."""
    measured = trade_flow(session.column("price"), session.column("size"), session.column("trade_sign"))
    return filled(TradeClassification, measured)


def measured_liquidity(session: SessionTicks) -> LiquidityMeasure:
    """Sizes, rates and price steps of the session, of which several groups take their part."""
    return liquidity_measure(
        session.timestamp,
        session.column("price"),
        session.column("size"),
        session.column("bid"),
        session.column("ask"),
        (session.end_ns - session.start_ns) / 1e9,
    )


def liquidity_profile(measured: LiquidityMeasure, liquidity_score: float) -> LiquidityProfile:
    """Sizes, rates and price steps; the score is that of the session's one-day bar."""
    return filled(LiquidityProfile, measured, liquidity_score=number(liquidity_score))


def execution_quality(session: SessionTicks) -> ExecutionQuality:
    """Where trades lie in their quotes."""
    measured = measure_execution(
        session.column("price"),
        session.column("size"),
        session.column("bid"),
        session.column("ask"),
        session.column("is_odd_lot"),
    )
    return filled(ExecutionQuality, measured, open_quote_ticks=measured.n_open_quote)


def venue_analysis(session: SessionTicks) -> VenueAnalysis:
    """Where the volume went."""
    measured = measure_venues(
        session.column("exchange"), session.column("size"), session.column("bid"), session.column("ask")
    )
    venues = [filled(VenueShare, venue, exchange=venue.exchange.name) for venue in measured.venues]
    return filled(VenueAnalysis, measured, venues=venues)

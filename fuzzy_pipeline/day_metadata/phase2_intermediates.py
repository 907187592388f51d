"""What several groups of phase 2 are measured on, computed once."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.bars.session_ticks import SessionTicks, session_ticks
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.day_metadata.session_groups import PricedTicks, priced_ticks
from fuzzy_pipeline.microstructure.noise import log_returns, sample_prices
from fuzzy_pipeline.microstructure.quotes import usable_midpoint
from fuzzy_pipeline.microstructure.spreads import HORIZONS_S, HorizonSummary, summarise_horizons
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.codes import BLOCK_TRADE_SHARES

SECOND_NS = 1_000_000_000
MINUTE_S, FIVE_MINUTES_S, HALF_HOUR_S = 60, 300, 1800

SESSION_COLUMNS = (
    "timestamp", "price", "size", "bid", "ask", "trade_sign", "session", "market_center", "is_qualified",
    "counts_volume", "is_block_trade", "is_intermarket_sweep", "is_odd_lot",
)  # fmt: skip
"""The enriched columns the groups read."""


@dataclass(frozen=True, slots=True)
class SessionMeasures:
    """The ticks of a session with what groups share.

    ``midpoint`` and ``spread`` float64[n_ticks] of the quote at each tick, NaN without a usable one [USD].
    ``horizons`` means by horizon [s]; ``impact_bps`` horizon -> float64[n_ticks], price impact of each trade.
    ``returns`` step [s] -> log returns of price-setting prices on a grid, NaN before the first. [1]
    ``is_large`` bool[n_ticks].
    """

    ticks: SessionTicks
    priced: PricedTicks
    midpoint: NDArray[np.float64]
    spread: NDArray[np.float64]
    horizons: dict[float, HorizonSummary]
    impact_bps: dict[float, NDArray[np.float64]]
    returns: dict[int, NDArray[np.float64]]
    is_large: NDArray[np.bool_]
    large_trade_size: float
    has_trailing_size: bool

    def column(self, name: str) -> NDArray[Any]:
        """A column of the session's ticks."""
        return self.ticks.column(name)


def session_measures(
    ticks: Arrays, trading_date: dt.date, large_trade_size: float | None, *, pool: BufferPool | None = None
) -> SessionMeasures:
    """Shared measures of the regular session.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks in time order, at least ``SESSION_COLUMNS``.
    trading_date : date
    large_trade_size : float, optional
        Least size of a large trade on earlier dates; a block's where unknown. [shares]
    pool : BufferPool, optional
        Memory to reuse.

    Returns
    -------
    SessionMeasures
    """
    session = session_ticks(ticks, trading_date, "regular", pool=pool)
    priced = priced_ticks(session)
    bid, ask = session.column("bid"), session.column("ask")
    midpoint = usable_midpoint(bid, ask)
    large = float(BLOCK_TRADE_SHARES) if large_trade_size is None else large_trade_size
    horizons, impact_bps = _horizons(session)
    return SessionMeasures(
        ticks=session,
        priced=priced,
        midpoint=midpoint,
        spread=np.where(np.isnan(midpoint), np.nan, ask - bid),
        horizons=horizons,
        impact_bps=impact_bps,
        returns={step: _returns(session, priced, step) for step in (1, MINUTE_S, FIVE_MINUTES_S)},
        is_large=session.column("size") >= large,
        large_trade_size=large,
        has_trailing_size=large_trade_size is not None,
    )


def _horizons(session: SessionTicks) -> tuple[dict[float, HorizonSummary], dict[float, NDArray[np.float64]]]:
    impact_bps: dict[float, NDArray[np.float64]] = {
        horizon_s: session.buffer(f"impact_bps_{horizon_s}", "<f8", len(session))
        for horizon_s in (MINUTE_S, FIVE_MINUTES_S, HALF_HOUR_S)
    }
    summaries = summarise_horizons(
        session.timestamp,
        session.column("price"),
        session.column("size"),
        session.column("bid"),
        session.column("ask"),
        session.column("trade_sign"),
        session.end_ns,
        HORIZONS_S,
        impact_bps=impact_bps,
    )
    return {summary.horizon_s: summary for summary in summaries}, impact_bps


def _returns(session: SessionTicks, priced: PricedTicks, step_s: int) -> NDArray[np.float64]:
    marks = sample_prices(priced.timestamp, priced.price, session.start_ns, session.end_ns, step_s * SECOND_NS)
    return log_returns(marks)

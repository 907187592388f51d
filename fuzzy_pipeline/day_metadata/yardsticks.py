"""Yardsticks: what a day leaves behind for later dates to be compared with."""

from __future__ import annotations

import math

import numpy as np

from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.day_metadata.fields import number, numbers
from fuzzy_pipeline.day_metadata.session_groups import PricedTicks
from fuzzy_pipeline.microstructure.noise import realised_volatility, sample_prices
from fuzzy_pipeline.microstructure.price_patterns import price_bursts
from fuzzy_pipeline.microstructure.spreads import HorizonSummary, summarise_horizons
from fuzzy_pipeline.microstructure.toxicity import MINUTE_NS, minute_mean_impact
from fuzzy_pipeline.schema.day_metadata import Yardsticks

MINUTE_S = 60


def yardsticks(session: SessionTicks, priced: PricedTicks, p95_trade_size: float) -> Yardsticks:
    """Yardsticks of a session.

    Parameters
    ----------
    session : SessionTicks
    priced : PricedTicks
        Its price-setting ticks.
    p95_trade_size : float
        95th percentile of its sizes, NaN without ticks. [shares]

    Returns
    -------
    Yardsticks
    """
    impact_bps = session.buffer("impact_bps_60", "<f8", len(session))
    [a_minute_later] = summarise_horizons(
        session.timestamp,
        session.column("price"),
        session.column("size"),
        session.column("bid"),
        session.column("ask"),
        session.column("trade_sign"),
        session.end_ns,
        (MINUTE_S,),
        impact_bps={MINUTE_S: impact_bps},
    )
    bursts = price_bursts(priced.timestamp, priced.price, priced.size, session.end_ns)
    return Yardsticks(
        p95_trade_size=number(p95_trade_size),
        minute_impact_60s_bps=numbers(
            minute_mean_impact(session.timestamp, impact_bps, session.start_ns, session.end_ns)
        ),
        impact_share=number(1.0 - reversion_rate(a_minute_later)),
        minute_volatility=number(_minute_volatility(session, priced)),
        burst_count=len(bursts.volume),
        median_burst_volume=float(np.median(bursts.volume)) if len(bursts.volume) else None,
    )


def reversion_rate(summary: HorizonSummary) -> float:
    """Share-weighted realised / effective spread; NaN when the effective spreads do not sum to more than 0."""
    effective = summary.effective_spread.usd_vw
    return summary.realised_spread.usd_vw / effective if effective > 0.0 else math.nan


def _minute_volatility(session: SessionTicks, priced: PricedTicks) -> float:
    """Root mean square of the 1-minute log returns; NaN with fewer than two prices."""
    if len(priced.price) < 2:
        return math.nan
    marks = sample_prices(priced.timestamp, priced.price, session.start_ns, session.end_ns, MINUTE_NS)
    returns = np.count_nonzero(~np.isnan(marks)) - 1
    return realised_volatility(marks) / math.sqrt(returns)

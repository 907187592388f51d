"""What kind of day it was, against earlier dates or fixed thresholds."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.day_metadata.earlier_days import EarlierDays
from fuzzy_pipeline.day_metadata.fields import number
from fuzzy_pipeline.day_metadata.phase2_groups import known
from fuzzy_pipeline.day_metadata.phase2_intermediates import MINUTE_S, SessionMeasures
from fuzzy_pipeline.microstructure import regime
from fuzzy_pipeline.microstructure.noise import realised_variance_by_block
from fuzzy_pipeline.microstructure.regime_changes import regime_changes
from fuzzy_pipeline.schema.baselines import Thresholds
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import MarketRegime, StressPart

FEWEST_DATES = 5
"""A percentile among fewer earlier dates has no part in the stress indicator."""

STRESS_MEASURES = (
    "basic_stats.realised_volatility",
    "basic_stats.price_change_pct",
    "spread_stats.mean_bps",
    "yardsticks.impact_share",
)
"""Fields of phase 1 that rise with stress; the return from open to close by its size."""

_BY_SIZE = frozenset({"basic_stats.price_change_pct"})


def market_regime(
    measures: SessionMeasures, phase1: DayMetadataPhase1, earlier: EarlierDays, thresholds: Thresholds
) -> MarketRegime:
    """Named states with what decided them, stress, and changes of the level of volatility.

    Parameters
    ----------
    measures : SessionMeasures
    phase1 : DayMetadataPhase1
        Of the same day.
    earlier : EarlierDays
        Phase 1 of earlier dates.
    thresholds : Thresholds
        From the same dates.

    Returns
    -------
    MarketRegime
    """
    stats = phase1.basic_stats
    volatility = regime.volatility_regime(known(stats.realised_volatility))
    trend = regime.trend_state(known(stats.price_open), known(stats.price_close))
    liquidity = regime.liquidity_state(
        known(phase1.liquidity_profile.liquidity_score), _latest(earlier, "liquidity_profile.liquidity_score")
    )
    trading = regime.microstructure_regime(
        known(phase1.yardsticks.impact_share), _latest(earlier, "yardsticks.impact_share")
    )
    stress, parts = _stress(phase1, earlier)
    minute_variance = realised_variance_by_block(measures.returns[1], MINUTE_S)
    usual = _usual_variance(thresholds.usual_minute_variance, len(minute_variance))
    changes = regime_changes(minute_variance, usual)
    return MarketRegime(
        volatility_regime=volatility.value if volatility else None,
        trend_state=trend.value if trend else None,
        liquidity_state=regime.LiquidityState(liquidity.name).value if liquidity.name else None,
        liquidity_yardstick=liquidity.yardstick.value,
        liquidity_percentile=number(liquidity.percentile),
        liquidity_dates=liquidity.n_dates,
        microstructure_regime=regime.MicrostructureRegime(trading.name).value if trading.name else None,
        microstructure_yardstick=trading.yardstick.value,
        microstructure_percentile=number(trading.percentile),
        microstructure_dates=trading.n_dates,
        stress_indicator=number(stress),
        stress_parts=parts,
        regime_change_detected=changes.detected,
        regime_duration_minutes=changes.duration_minutes,
        regime_change_minutes=list(changes.minutes),
        regime_change_yardstick="none" if usual is None else "trailing_dates",
    )


def _latest(earlier: EarlierDays, field: str) -> NDArray[np.float64]:
    return earlier.latest(field, regime.TRAILING_DATES)


def _stress(phase1: DayMetadataPhase1, earlier: EarlierDays) -> tuple[float, list[StressPart]]:
    """Stress and the percentiles of the measures that are known on enough earlier dates."""
    taken = {}
    for field in STRESS_MEASURES:
        group, name = field.split(".")
        value, trailing = known(getattr(getattr(phase1, group), name)), _latest(earlier, field)
        taken[field] = (abs(value), np.abs(trailing)) if field in _BY_SIZE else (value, trailing)
    stress = regime.stress_indicator(taken, minimum_dates=FEWEST_DATES)
    parts = [
        StressPart(measure=field, percentile=percentile, dates=int(np.count_nonzero(~np.isnan(taken[field][1]))))
        for field, percentile in stress.parts.items()
    ]
    return stress.value, parts


def _usual_variance(by_minute: Sequence[float | None], minutes: int) -> NDArray[np.float64] | None:
    """Usual variance of the session's minutes, NaN where not known; None when no minute's is."""
    usual = np.full(minutes, math.nan)
    given = [known(value) for value in by_minute[:minutes]]
    usual[: len(given)] = given
    return None if np.isnan(usual).all() else usual

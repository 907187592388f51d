"""Why fields of phase 2 are null."""

from __future__ import annotations

from collections.abc import Mapping

from fuzzy_pipeline.day_metadata.fields import null_fields
from fuzzy_pipeline.day_metadata.null_reasons import (
    FEWER_THAN_TWO_PRICES,
    NO_PRICE,
    NO_QUOTE,
    NO_TICK,
    nearest_entry,
    without_positions,
)
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import DayMetadataPhase2

_TICK, _QUOTE, _PRICE = "tick", "quote", "price"
_TOXIC_THRESHOLD, _DAILY_VOLUME = "toxic threshold", "daily volume"

_FEWER_DATES = "fewer than five earlier dates with known"
_NO_VOLUME_YET = "no earlier date with a known volume"

_NEEDS: dict[str, tuple[str, ...]] = {
    "toxicity_metrics": (_TICK, _QUOTE),
    "toxicity_metrics.toxic_minutes": (_TICK, _QUOTE, _TOXIC_THRESHOLD),
    "toxicity_metrics.toxic_threshold_bps": (),
    "toxicity_metrics.abs_return_1min_bps": (_TICK, _PRICE),
    "toxicity_metrics.abs_return_5min_bps": (_TICK, _PRICE),
    "toxicity_metrics.vpin": (_TICK, _DAILY_VOLUME),
    "toxicity_metrics.vpin_bucket_shares": (),
    "impact_features": (_TICK, _QUOTE),
    "spread_horizons": (_TICK, _QUOTE),
    "microstructure_patterns": (_TICK, _PRICE),
    "microstructure_patterns.usual_minute_volatility": (),
    "microstructure_patterns.usual_burst_volume": (),
    "microstructure_patterns.quote_stuffing_score": (),
    "institutional_flow": (_TICK,),
    "institutional_flow.smart_money_indicator": (_TICK, _QUOTE),
    "market_regime": (_TICK, _PRICE),
    "market_regime.liquidity_state": (_TICK,),
    "market_regime.liquidity_percentile": (_TICK,),
    "market_regime.microstructure_regime": (_TICK, _QUOTE),
    "market_regime.microstructure_percentile": (_TICK, _QUOTE),
    "market_regime.stress_indicator": (_TICK,),
    "tier2": (_TICK, _PRICE),
    "tier2.trade_entropy": (_TICK,),
}
"""Field, or group or list for all its fields -> what it needs of the day or of earlier dates, first things first."""

_WHY: dict[str, str] = {
    "toxicity_metrics.adverse_selection_score": (
        "no large trade with a side, a usable quote and 60 s before the close"
    ),
    "toxicity_metrics.information_asymmetry": (
        "fewer than three trades with a side and a later quote, or sizes or spread changes that are all equal"
    ),
    "toxicity_metrics.toxic_minutes": "no minute with a known price impact",
    "toxicity_metrics.toxic_threshold_bps": f"{_FEWER_DATES} price impacts",
    "toxicity_metrics.reversion_rate_1min": (
        "no trades with a side, a usable quote and 60 s before the close whose effective spreads sum to more than 0"
    ),
    "toxicity_metrics.reversion_rate_5min": (
        "no trades with a side, a usable quote and 300 s before the close whose effective spreads sum to more than 0"
    ),
    "toxicity_metrics.abs_return_1min_bps": "no price-setting tick 60 s or more before the close",
    "toxicity_metrics.abs_return_5min_bps": "no price-setting tick 300 s or more before the close",
    "toxicity_metrics.permanent_impact_estimate": (
        "no block trade with a side, a usable quote and 30 min before the close"
    ),
    "toxicity_metrics.vpin": "fewer than 50 buckets have closed on this date and those before",
    "toxicity_metrics.vpin_bucket_shares": _NO_VOLUME_YET,
    "impact_features.kyle_lambda_estimate": (
        "fewer than three 5-minute intervals with a quote, or the same signed volume in all of them"
    ),
    "impact_features.kyle_lambda_r_squared": (
        "fewer than three 5-minute intervals with a quote, the same signed volume in all, or no change of midpoint"
    ),
    "impact_features.kyle_lambda_t": (
        "fewer than three 5-minute intervals with a quote, the same signed volume in all, no change of midpoint, or a"
        " fit without any error"
    ),
    "impact_features.kyle_lambda_sqrt_dollar": (
        "fewer than three 5-minute intervals with a quote, or the same signed root dollars in all of them"
    ),
    "impact_features.kyle_lambda_sqrt_dollar_r_squared": (
        "fewer than three 5-minute intervals with a quote, the same signed root dollars in all, or no change of"
        " midpoint"
    ),
    "impact_features.kyle_lambda_sqrt_dollar_t": (
        "fewer than three 5-minute intervals with a quote, the same signed root dollars in all, no change of midpoint,"
        " or a fit without any error"
    ),
    "impact_features.avg_impact_bps": "no trade with a side, a usable quote and 300 s before the close",
    "impact_features.large_trade_impact_bps": "no large trade with a side, a usable quote and 300 s before the close",
    "impact_features.cumulative_impact_bps": (
        "fewer than 240 trades with a side and a quote, none of them unexpected, or an autoregression that explodes"
    ),
    "impact_features.temporary_impact_halflife": (
        "no large trade with a side, a quote and 300 s before the close, or a mean path that never rises above 0 or"
        " does not give back half of its peak within 300 s"
    ),
    "impact_features.temporary_impact_peak_bps": (
        "no large trade with a side, a quote and 300 s before the close, or a mean path that never rises above 0"
    ),
    "impact_features.temporary_impact_peak_s": (
        "no large trade with a side, a quote and 300 s before the close, or a mean path that never rises above 0"
    ),
    "impact_features.resilience_score": "no widening of the spread whose next 10 s were seen, or a median spread of 0",
    "spread_horizons": "no trade with a side, a usable quote and this horizon before the close",
    "microstructure_patterns.momentum_ignition_events": (
        f"{_FEWER_DATES} 1-minute volatility and burst volume, though there are bursts"
    ),
    "microstructure_patterns.usual_minute_volatility": f"{_FEWER_DATES} 1-minute volatility",
    "microstructure_patterns.usual_burst_volume": f"{_FEWER_DATES} burst volume",
    "microstructure_patterns.tick_clustering": NO_PRICE,
    "microstructure_patterns.autocorrelation_1min": "fewer than two 1-minute returns, or all of them are equal",
    "microstructure_patterns.autocorrelation_5min": "fewer than two 5-minute returns, or all of them are equal",
    "microstructure_patterns.hurst_exponent": "fewer than 500 1-second returns, or all of them are equal",
    "microstructure_patterns.hurst_r_squared": "fewer than 500 1-second returns, or all of them are equal",
    "microstructure_patterns.microstructure_noise": (
        "fewer than 100 returns between distinct instants, or a variance below 0: prices move on in one direction"
    ),
    "microstructure_patterns.quote_stuffing_score": "needs a quote stream: quotes are known at trades only",
    "institutional_flow": NO_TICK,
    "institutional_flow.smart_money_indicator": (
        "fewer than three large trades with a side, a quote and 300 s before the close, all of them on one side, or"
        " no change of midpoint after them"
    ),
    "market_regime.volatility_regime": FEWER_THAN_TWO_PRICES,
    "market_regime.trend_state": NO_PRICE,
    "market_regime.liquidity_state": NO_TICK,
    "market_regime.liquidity_percentile": "no earlier date with a known liquidity score",
    "market_regime.microstructure_regime": "yardsticks.impact_share of phase 1 is null",
    "market_regime.microstructure_percentile": "yardsticks.impact_share is null on the date or on every earlier one",
    "market_regime.stress_indicator": "no measure is known on the date and on five earlier dates or more",
    "market_regime.regime_change_detected": "fewer than 60 minutes in which a price moved",
    "market_regime.regime_duration_minutes": "fewer than 60 minutes in which a price moved",
    "tier2.roll_spread": "fewer than four prices, or successive changes that do not turn back: their covariance is not"
    " negative",
    "tier2.trade_entropy": "fewer than 320 words of five sides",
    "tier2.amihud": NO_PRICE,
}
"""Field, or group or list for all its fields -> why it is null when nothing it needs is missing."""


def null_reasons(record: DayMetadataPhase2, phase1: DayMetadataPhase1, history: Mapping[str, str]) -> dict[str, str]:
    """Field -> why it is null, for every field of the record that is.

    Parameters
    ----------
    record : DayMetadataPhase2
    phase1 : DayMetadataPhase1
        Of the same day.
    history : mapping of str
        Reasons of the group ``history``, whose fields are named from that group on.
    """
    lacking = _lacking(record, phase1)
    fields = (field for field in null_fields(record) if not field.startswith("history."))
    reasons = {field: _reason(field, lacking) for field in fields}
    return reasons | {f"history.{field}": why for field, why in history.items()}


def _lacking(record: DayMetadataPhase2, phase1: DayMetadataPhase1) -> dict[str, str]:
    """What the day or its yardsticks lack -> the reason that gives."""
    toxicity = record.toxicity_metrics
    missing = {
        _TICK: (phase1.basic_stats.total_ticks == 0, NO_TICK),
        _QUOTE: (phase1.spread_stats.quoted_ticks == 0, NO_QUOTE),
        _PRICE: (phase1.basic_stats.price_open is None, NO_PRICE),
        _TOXIC_THRESHOLD: (toxicity.toxic_threshold_bps is None, f"{_FEWER_DATES} price impacts"),
        _DAILY_VOLUME: (toxicity.vpin_bucket_shares is None, _NO_VOLUME_YET),
    }
    return {need: reason for need, (is_missing, reason) in missing.items() if is_missing}


def _reason(field: str, lacking: dict[str, str]) -> str:
    bare = without_positions(field)
    for need in nearest_entry(bare, _NEEDS):
        if need in lacking:
            return lacking[need]
    return reason_of_phase2_field(bare)


def reason_of_phase2_field(field: str) -> str:
    """The reason for a field without list positions when nothing it needs is missing.

    Raises
    ------
    KeyError
        There is none: a field that may be null was added without a reason.
    """
    return nearest_entry(field, _WHY)

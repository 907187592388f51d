"""Groups of phase 2 that need the day's ticks and usual values of earlier dates."""

from __future__ import annotations

import math

import numpy as np

from fuzzy_pipeline.day_metadata.fields import filled, number
from fuzzy_pipeline.day_metadata.phase2_intermediates import (
    FIVE_MINUTES_S,
    HALF_HOUR_S,
    MINUTE_S,
    SECOND_NS,
    SessionMeasures,
)
from fuzzy_pipeline.day_metadata.yardsticks import reversion_rate
from fuzzy_pipeline.microstructure import institutional_flow as flow
from fuzzy_pipeline.microstructure import price_impact as impact
from fuzzy_pipeline.microstructure import price_patterns as patterns
from fuzzy_pipeline.microstructure import price_response as response
from fuzzy_pipeline.microstructure import toxicity
from fuzzy_pipeline.microstructure import vpin as volume_buckets
from fuzzy_pipeline.microstructure.entropy import trade_entropy
from fuzzy_pipeline.microstructure.liquidity import amihud, roll_spread
from fuzzy_pipeline.microstructure.long_memory import autocorrelation, hurst_exponent
from fuzzy_pipeline.microstructure.noise import distinct_log_prices, microstructure_noise, signature_points
from fuzzy_pipeline.microstructure.spreads import HorizonSummary
from fuzzy_pipeline.schema.baselines import Thresholds
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import (
    ImpactFeatures,
    InstitutionalFlow,
    MicrostructurePatterns,
    SignaturePlotPoint,
    SpreadHorizon,
    Tier2,
    ToxicityMetrics,
    VpinState,
)


def known(value: float | None) -> float:
    """The number, NaN for None: what measures take."""
    return math.nan if value is None else value


# -- spreads by horizon ----------------------------------------------------------


def spread_horizons(measures: SessionMeasures) -> list[SpreadHorizon]:
    """Effective and realised spread and price impact at each horizon."""
    return [_spread_horizon(summary) for summary in measures.horizons.values()]


def _spread_horizon(summary: HorizonSummary) -> SpreadHorizon:
    parts = {
        "effective_spread": summary.effective_spread,
        "realised_spread": summary.realised_spread,
        "price_impact": summary.price_impact,
    }
    means = {
        f"{part}_{mean}": number(getattr(means, mean))
        for part, means in parts.items()
        for mean in ("usd", "usd_vw", "bps", "bps_vw")
    }
    return SpreadHorizon(
        horizon_s=summary.horizon_s,
        n=summary.price_impact.n,
        mean_age_s=number(summary.mean_age_s),
        **means,
    )


# -- toxicity --------------------------------------------------------------------


def day_vpin(measures: SessionMeasures, daily_volume: float | None, state: VpinState) -> volume_buckets.Vpin | None:
    """VPIN by trade sign, in buckets of a fiftieth of the usual volume; None when that is not known."""
    if not daily_volume:
        return None
    sign, size = measures.column("trade_sign"), measures.column("size")
    return volume_buckets.vpin(
        np.where(sign > 0, size, 0),
        np.where(sign < 0, size, 0),
        daily_volume / volume_buckets.VPIN_BUCKETS,
        volume_buckets.VpinState(state.buy_shares, state.sell_shares, tuple(state.imbalances)),
    )


def toxicity_metrics(
    measures: SessionMeasures, phase1: DayMetadataPhase1, thresholds: Thresholds, vpin: volume_buckets.Vpin | None
) -> ToxicityMetrics:
    """How much those who trade know."""
    adverse = toxicity.adverse_selection_score(measures.impact_bps[MINUTE_S], measures.is_large)
    asymmetry = toxicity.information_asymmetry(measures.spread, measures.column("size"), measures.column("trade_sign"))
    permanent = impact.permanent_impact_estimate(measures.impact_bps[HALF_HOUR_S], measures.column("is_block_trade"))
    minutes = np.array([known(value) for value in phase1.yardsticks.minute_impact_60s_bps])
    priced, end_ns = measures.priced, measures.ticks.end_ns
    returns_bps = {
        horizon_s: toxicity.abs_return_bps(priced.timestamp, priced.price, horizon_s * SECOND_NS, end_ns)
        for horizon_s in (MINUTE_S, FIVE_MINUTES_S)
    }
    bucket = thresholds.daily_volume / volume_buckets.VPIN_BUCKETS if vpin and thresholds.daily_volume else None
    return ToxicityMetrics(
        large_trade_size=measures.large_trade_size,
        large_trade_yardstick="trailing_dates" if measures.has_trailing_size else "fixed_thresholds",
        large_trade_count=int(np.count_nonzero(measures.is_large)),
        adverse_selection_score=number(adverse.bps),
        adverse_selection_n=adverse.n,
        information_asymmetry=number(asymmetry.correlation),
        information_asymmetry_n=asymmetry.n,
        toxic_minutes=toxicity.toxic_minutes(minutes, thresholds.toxic_impact_bps),
        judged_minutes=int(np.count_nonzero(~np.isnan(minutes))),
        toxic_threshold_bps=thresholds.toxic_impact_bps,
        reversion_rate_1min=number(reversion_rate(measures.horizons[MINUTE_S])),
        reversion_rate_5min=number(reversion_rate(measures.horizons[FIVE_MINUTES_S])),
        abs_return_1min_bps=number(returns_bps[MINUTE_S]),
        abs_return_5min_bps=number(returns_bps[FIVE_MINUTES_S]),
        permanent_impact_estimate=number(permanent.bps),
        permanent_impact_n=permanent.n,
        vpin=number(vpin.value) if vpin and len(measures.ticks) else None,
        vpin_bucket_shares=bucket,
        vpin_buckets_closed=len(vpin.by_bucket) if vpin else 0,
        yardstick_dates=thresholds.dates,
    )


# -- impact ----------------------------------------------------------------------


def impact_features(measures: SessionMeasures) -> ImpactFeatures:
    """How much trades move the price, for how long, and how the spread recovers."""
    session, sign = measures.ticks, measures.column("trade_sign")
    intervals = impact.interval_flow(
        session.timestamp, measures.midpoint, measures.column("price"), measures.column("size"), sign,
        session.start_ns, session.end_ns,
    )  # fmt: skip
    kyle, root = impact.kyle_lambda(intervals), impact.kyle_lambda_sqrt_dollar(intervals)
    large = impact.mean_impact(measures.impact_bps[FIVE_MINUTES_S], measures.is_large)
    average = measures.horizons[FIVE_MINUTES_S].price_impact
    decay = response.temporary_impact_halflife(
        session.timestamp, measures.midpoint, sign, measures.is_large, session.end_ns
    )
    quoted = measures.spread[~np.isnan(measures.spread)]
    median_spread = float(np.median(quoted)) if len(quoted) else math.nan
    resilience = response.resilience_score(session.timestamp, measures.spread, median_spread, session.end_ns)
    return ImpactFeatures(
        kyle_lambda_estimate=number(kyle.slope),
        kyle_lambda_n=kyle.n,
        kyle_lambda_r_squared=number(kyle.r_squared),
        kyle_lambda_t=_finite(kyle.t_statistic),
        kyle_lambda_sqrt_dollar=number(root.slope),
        kyle_lambda_sqrt_dollar_n=root.n,
        kyle_lambda_sqrt_dollar_r_squared=number(root.r_squared),
        kyle_lambda_sqrt_dollar_t=_finite(root.t_statistic),
        avg_impact_bps=number(average.bps),
        avg_impact_n=average.n,
        large_trade_impact_bps=number(large.bps),
        large_trade_impact_n=large.n,
        cumulative_impact_bps=number(response.cumulative_impact_bps(measures.midpoint, sign)),
        temporary_impact_halflife=number(decay.halflife_s),
        temporary_impact_peak_bps=number(decay.peak_bps),
        temporary_impact_peak_s=number(decay.peak_s),
        temporary_impact_n=decay.n,
        resilience_score=number(resilience.score),
        spread_widenings=resilience.widenings,
        spread_widenings_unobserved=resilience.unobserved,
    )


def _finite(value: float) -> float | None:
    """The number, None for NaN and infinity: a perfect fit has no t statistic to compare."""
    return value if math.isfinite(value) else None


# -- patterns --------------------------------------------------------------------


def microstructure_patterns(measures: SessionMeasures, thresholds: Thresholds) -> MicrostructurePatterns:
    """Patterns of price-setting prices, and their memory and noise."""
    priced = measures.priced
    bursts = patterns.price_bursts(priced.timestamp, priced.price, priced.size, measures.ticks.end_ns)
    ignitions = patterns.momentum_ignition_events(
        bursts, known(thresholds.minute_volatility), known(thresholds.burst_volume)
    )
    flashes = patterns.flash_events(priced.timestamp, priced.price)
    hurst = hurst_exponent(measures.returns[1])
    log_price = distinct_log_prices(priced.timestamp, priced.price)
    noise = microstructure_noise(log_price)
    return MicrostructurePatterns(
        momentum_ignition_events=ignitions if len(priced.price) else None,
        burst_count=len(bursts.volume),
        usual_minute_volatility=thresholds.minute_volatility,
        usual_burst_volume=thresholds.burst_volume,
        mini_flash_crashes=flashes.crashes,
        mini_flash_spikes=flashes.spikes,
        tick_clustering=number(patterns.tick_clustering(priced.price)),
        autocorrelation_1min=number(autocorrelation(measures.returns[MINUTE_S])),
        autocorrelation_5min=number(autocorrelation(measures.returns[FIVE_MINUTES_S])),
        hurst_exponent=number(hurst.exponent),
        hurst_r_squared=number(hurst.r_squared),
        hurst_n=hurst.n,
        microstructure_noise=number(noise.noise_bps),
        noise_n=noise.n,
        noise_subsamples=noise.subsamples,
        signature_plot=[filled(SignaturePlotPoint, point) for point in signature_points(log_price)],
        quote_stuffing_score=None,
    )


# -- institutions, and measures from trades alone --------------------------------


def institutional_flow(measures: SessionMeasures) -> InstitutionalFlow:
    """Traces of large investors."""
    sign = measures.column("trade_sign")
    measured = flow.institutional_flow(
        measures.ticks.timestamp,
        measures.column("price"),
        measures.column("size"),
        sign,
        measures.column("market_center"),
        measures.column("is_block_trade"),
        measures.column("is_intermarket_sweep"),
        measures.column("is_odd_lot"),
    )
    smart = flow.smart_money_indicator(sign, measures.impact_bps[FIVE_MINUTES_S], measures.is_large)
    return filled(InstitutionalFlow, measured, smart_money_indicator=smart.value, smart_money_n=smart.n)


def tier2(measures: SessionMeasures, phase1: DayMetadataPhase1) -> Tier2:
    """Measures from trades alone."""
    stats = phase1.basic_stats
    entropy = trade_entropy(measures.column("trade_sign"))
    return Tier2(
        roll_spread=number(roll_spread(measures.priced.price)),
        trade_entropy=number(entropy.bits_per_trade),
        trade_entropy_n=entropy.n_words,
        amihud=number(amihud(known(stats.price_open), known(stats.price_close), stats.dollar_volume)),
    )

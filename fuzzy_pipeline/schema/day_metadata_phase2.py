"""The day record of a symbol: phase 2.

Belongs here: the models of phase 2, their units and meanings. How they are computed: ``day_metadata``.

A large trade has at least ``toxicity_metrics.large_trade_size`` shares in every group. Impacts and spreads per trade
need a known side, a usable quote (0 < bid ≤ ask) at the trade and a horizon that ends within the session.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from fuzzy_pipeline.schema.baselines import HistoryComparison
from fuzzy_pipeline.schema.day_metadata import Group

PHASE2_VERSIONS: dict[int, str] = {
    1: (
        "Toxicity, price impact, spreads by horizon, price patterns, institutional flow, regime, Roll, entropy and"
        " Amihud; comparison with earlier dates."
    ),
}
"""What each version of the record brought; raised whenever a group changes its fields or their meaning."""

PHASE2_VERSION = max(PHASE2_VERSIONS)

PHASE2_TABLE = "day_metadata_phase2"
"""Name of the light table, and of the asset, that holds phase 2."""

YardstickName = Literal["trailing_dates", "fixed_thresholds"]
"""What a value was judged by: earlier dates of the symbol, or thresholds that are the same for all symbols."""

ChangeYardstick = Literal["trailing_dates", "none"]
"""``trailing_dates``: each minute against the same minute of earlier dates; ``none``: minutes as they are, so that the
calm after the open counts as a change."""


class SpreadHorizon(Group):
    """Effective spread = realised spread + price impact at one horizon, over the same ``n`` trades, in every mean.

    Plain means count each trade once, ``_vw`` weighs it by its shares; bps are of the midpoint at the trade.
    """

    horizon_s: float = Field(description="Horizon h. [s]")
    n: int = Field(description="Trades with a side and a usable quote, at least h before the close.")
    mean_age_s: float | None = Field(description="Mean age at t + h of the quote that gives the later midpoint. [s]")
    effective_spread_usd: float | None = Field(description="Mean of 2·D·(P − M). [USD]")
    effective_spread_usd_vw: float | None = Field(description="The same, share-weighted. [USD]")
    effective_spread_bps: float | None = Field(description="Mean of 2·D·(P − M) / M. [bps]")
    effective_spread_bps_vw: float | None = Field(description="The same, share-weighted. [bps]")
    realised_spread_usd: float | None = Field(description="Mean of 2·D·(P − M(t+h)). [USD]")
    realised_spread_usd_vw: float | None = Field(description="The same, share-weighted. [USD]")
    realised_spread_bps: float | None = Field(description="Mean of 2·D·(P − M(t+h)) / M. [bps]")
    realised_spread_bps_vw: float | None = Field(description="The same, share-weighted. [bps]")
    price_impact_usd: float | None = Field(description="Mean of 2·D·(M(t+h) − M). [USD]")
    price_impact_usd_vw: float | None = Field(description="The same, share-weighted. [USD]")
    price_impact_bps: float | None = Field(description="Mean of 2·D·(M(t+h) − M) / M. [bps]")
    price_impact_bps_vw: float | None = Field(description="The same, share-weighted. [bps]")


class ToxicityMetrics(Group):
    """How much those who trade know."""

    large_trade_size: float = Field(description="Least size of a large trade. [shares]")
    large_trade_yardstick: YardstickName = Field(
        description="trailing_dates: median of the 95th percentiles of up to 20 earlier dates; fixed_thresholds: 10,000"
        " shares, until five exist."
    )
    large_trade_count: int = Field(description="Counted ticks of that size or more.")
    adverse_selection_score: float | None = Field(description="Mean price impact of large trades at 60 s. [bps]")
    adverse_selection_n: int = Field(description="Large trades in it.")
    information_asymmetry: float | None = Field(
        description="Correlation of the change in quoted spread after a trade with the trade's size. [1]"
    )
    information_asymmetry_n: int = Field(description="Trades in it.")
    toxic_minutes: int | None = Field(
        description="Minutes whose mean price impact at 60 s exceeds toxic_threshold_bps. [min]"
    )
    judged_minutes: int = Field(description="Minutes with a known mean price impact at 60 s. [min]")
    toxic_threshold_bps: float | None = Field(
        description="95th percentile of the minutes' mean impacts on up to 20 earlier dates, known from five on. [bps]"
    )
    reversion_rate_1min: float | None = Field(
        description="Realised / effective spread at 60 s, share-weighted: 1 the half-spread comes back, 0 none. [1]"
    )
    reversion_rate_5min: float | None = Field(description="The same at 300 s. [1]")
    abs_return_1min_bps: float | None = Field(
        description="Mean |P(t + 60 s) − P(t)| / P(t) over price-setting ticks. [bps]"
    )
    abs_return_5min_bps: float | None = Field(description="The same at 300 s. [bps]")
    permanent_impact_estimate: float | None = Field(
        description="Mean price impact at 30 min of block trades (10,000 shares or more). [bps]"
    )
    permanent_impact_n: int = Field(description="Block trades in it.")
    vpin: float | None = Field(
        description="Σ |buys − sells| / Σ shares over the last 50 buckets closed, sides by trade sign: a proxy for"
        " toxicity, 0 to 1. [1]"
    )
    vpin_bucket_shares: float | None = Field(
        description="Size of a bucket: a fiftieth of the mean volume of up to 20 earlier dates. [shares]"
    )
    vpin_buckets_closed: int = Field(description="Buckets that closed on the date.")
    yardstick_dates: int = Field(description="Earlier dates, among the last 20, that yardsticks are from.")


class ImpactFeatures(Group):
    """How much trades move the price, for how long, and how the spread recovers."""

    kyle_lambda_estimate: float | None = Field(
        description="Slope of the midpoint change of 5-minute intervals on their signed volume. [USD per 1e6 shares]"
    )
    kyle_lambda_n: int = Field(description="Intervals in it.")
    kyle_lambda_r_squared: float | None = Field(description="R² of the regression. [1]")
    kyle_lambda_t: float | None = Field(description="t statistic of the slope. [1]")
    kyle_lambda_sqrt_dollar: float | None = Field(
        description="Slope of the midpoint log return on Σ D·√(P·V), another number. [1 per 1e6 USD^½]"
    )
    kyle_lambda_sqrt_dollar_n: int = Field(description="Intervals in it.")
    kyle_lambda_sqrt_dollar_r_squared: float | None = Field(description="R² of the regression. [1]")
    kyle_lambda_sqrt_dollar_t: float | None = Field(description="t statistic of the slope. [1]")
    avg_impact_bps: float | None = Field(description="Mean price impact of all trades at 300 s. [bps]")
    avg_impact_n: int = Field(description="Trades in it.")
    large_trade_impact_bps: float | None = Field(description="Mean price impact of large trades at 300 s. [bps]")
    large_trade_impact_n: int = Field(description="Large trades in it.")
    cumulative_impact_bps: float | None = Field(
        description="Midpoint's cumulated response to one unexpected trade (vector autoregression of order 5). [bps]"
    )
    temporary_impact_halflife: float | None = Field(
        description="From large trades until the mean signed midpoint path has given back half of its peak. [s]"
    )
    temporary_impact_peak_bps: float | None = Field(description="That peak, within 300 s. [bps]")
    temporary_impact_peak_s: float | None = Field(description="When it is reached. [s]")
    temporary_impact_n: int = Field(description="Large trades in the path: those with 300 s before the close.")
    resilience_score: float | None = Field(
        description="0 to 100: share of spread widenings (above two day medians) that are back within 1.1 medians in"
        " 10 s. [%]"
    )
    spread_widenings: int = Field(description="Widenings seen.")
    spread_widenings_unobserved: int = Field(
        description="Those of them without a later quote in time, or too near the close; not in the share."
    )


class SignaturePlotPoint(Group):
    """Realised volatility when every ``step``-th distinct observation is used."""

    step: int = Field(description="Sampling step. [observations]")
    realised_volatility: float = Field(description="Square root of the sum of squared log returns, of the day. [1]")


class MicrostructurePatterns(Group):
    """Patterns of price-setting prices."""

    momentum_ignition_events: int | None = Field(
        description="Bursts of three usual 1-minute volatilities or more, on three times the usual volume or more,"
        " half given back within five minutes: a heuristic."
    )
    burst_count: int = Field(description="Bursts: five changes of price or more in one direction within five seconds.")
    usual_minute_volatility: float | None = Field(
        description="Root mean square of 1-minute returns of up to 20 earlier dates, known from five on. [1]"
    )
    usual_burst_volume: float | None = Field(
        description="Median of the median burst volumes of up to 20 earlier dates, known from five on. [shares]"
    )
    mini_flash_crashes: int = Field(description="Falls of more than 50 bps in 60 s, half back within five minutes.")
    mini_flash_spikes: int = Field(description="The same upwards.")
    tick_clustering: float | None = Field(
        description="Share of prices on a multiple of 0.05 USD, minus the expected 0.20. [1]"
    )
    autocorrelation_1min: float | None = Field(description="Of 1-minute log returns at lag 1. [1]")
    autocorrelation_5min: float | None = Field(description="Of 5-minute log returns at lag 1. [1]")
    hurst_exponent: float | None = Field(description="DFA-1 of 1-second log returns; 0.5 is no memory. [1]")
    hurst_r_squared: float | None = Field(description="R² of the line it is the slope of. [1]")
    hurst_n: int = Field(description="1-second returns in it.")
    microstructure_noise: float | None = Field(
        description="Standard deviation of a price's noise, from realised variance on two time scales. [bps]"
    )
    noise_n: int = Field(description="Returns between distinct instants in it.")
    noise_subsamples: int = Field(description="Subsamples K of the slow scale; 0 when not computed.")
    signature_plot: list[SignaturePlotPoint] = Field(
        description="Realised volatility by sampling step: rising towards step 1 where noise dominates."
    )
    quote_stuffing_score: float | None = Field(description="Always null: needs a quote stream.")


class InstitutionalFlow(Group):
    """Traces of large investors."""

    block_trade_count: int = Field(description="Counted ticks of 10,000 shares or more.")
    block_volume_pct: float | None = Field(description="Their share of the volume. [1]")
    sweep_order_count: int = Field(
        description="Groups of intermarket-sweep prints of one side within 1 ms on two venues or more."
    )
    sweep_volume_pct: float | None = Field(description="Their share of the volume. [1]")
    odd_lot_ratio: float | None = Field(description="Share of counted ticks with the odd-lot code. [1]")
    average_trade_value: float | None = Field(description="Mean of price·size. [USD]")
    institutional_participation: float | None = Field(
        description="Share of volume in blocks or sweeps, counted once. [1]"
    )
    smart_money_indicator: float | None = Field(
        description="(r + 1) / 2, r the correlation of large trades' signs with the midpoint's next 5-minute return:"
        " 0.5 is no relation. [1]"
    )
    smart_money_n: int = Field(description="Large trades in it.")
    accumulation_distribution: float | None = Field(description="Σ sign·size / Σ size: −1 to 1. [1]")


class StressPart(Group):
    """One measure in the stress indicator."""

    measure: str = Field(description="Field of phase 1; the open-to-close return counts by its size.")
    percentile: float = Field(description="Of the day's value among earlier dates. [%]")
    dates: int = Field(description="Earlier dates with a known value, at most 20.")


class MarketRegime(Group):
    """What kind of day it was, and what decided."""

    volatility_regime: Literal["low", "normal", "high", "extreme"] | None = Field(
        description="Realised volatility of 5-minute returns below 0.5, 1.5 and 3 %, and above."
    )
    trend_state: Literal["strong_down", "down", "flat", "up", "strong_up"] | None = Field(
        description="Return from open to close at ±0.5 and ±2 %."
    )
    liquidity_state: Literal["thin", "normal", "deep"] | None = Field(
        description="Liquidity score below the 20th, up to and above the 80th percentile of 20 earlier dates; below 40,"
        " up to and above 70 until they exist."
    )
    liquidity_yardstick: YardstickName = Field(description="Which of the two decided.")
    liquidity_percentile: float | None = Field(description="Of the score among earlier dates. [%]")
    liquidity_dates: int = Field(description="Earlier dates with a known score, at most 20.")
    microstructure_regime: Literal["benign", "normal", "toxic"] | None = Field(
        description="yardsticks.impact_share of phase 1 below the 20th, up to and above the 80th percentile of 20"
        " earlier dates; below 0.5, up to and above 1 until they exist."
    )
    microstructure_yardstick: YardstickName = Field(description="Which of the two decided.")
    microstructure_percentile: float | None = Field(description="Of the share among earlier dates. [%]")
    microstructure_dates: int = Field(description="Earlier dates with a known share, at most 20.")
    stress_indicator: float | None = Field(
        description="0 to 100: mean percentile among earlier dates of measures that rise with stress; 50 is usual."
    )
    stress_parts: list[StressPart] = Field(description="The measures known on five earlier dates or more.")
    regime_change_detected: bool | None = Field(
        description="Whether the level of 1-minute realised variance changed within the session (CUSUM)."
    )
    regime_duration_minutes: int | None = Field(description="From the last change, or the open, to the close. [min]")
    regime_change_minutes: list[int] = Field(description="First minutes of each new level, 0 at the open. [min]")
    regime_change_yardstick: ChangeYardstick = Field(description="What the minutes were compared with.")


class Tier2(Group):
    """Measures from trades alone, for symbols without quotes."""

    roll_spread: float | None = Field(description="2·√−cov of successive price changes of price-setting ticks. [USD]")
    trade_entropy: float | None = Field(
        description="Shannon entropy of words of five successive sides: 1 unpredictable. [bits per trade]"
    )
    trade_entropy_n: int = Field(description="Words in it.")
    amihud: float | None = Field(description="|open-to-close return| / dollar volume. [1 per 1e6 USD]")


class VpinState(Group):
    """What VPIN of the next date goes on from."""

    buy_shares: float = Field(default=0.0, description="Bought in the open bucket. [shares]")
    sell_shares: float = Field(default=0.0, description="Sold in the open bucket. [shares]")
    imbalances: list[float] = Field(
        default_factory=list, description="|buys − sells| / shares of at most 50 closed buckets, oldest first. [1]"
    )


class DayMetadataPhase2(Group):
    """Phase 2 of a symbol's day: from its ticks, its phase 1 and earlier dates."""

    symbol: str = Field(description="Ticker.")
    date: dt.date = Field(description="Trading date.")
    metadata_version: int = Field(default=PHASE2_VERSION, description="Version of the record's definitions.")
    computed_at: dt.datetime = Field(description="When it was computed, Eastern Time.")
    computation_time_ms: float = Field(description="How long it took. [ms]")
    toxicity_metrics: ToxicityMetrics
    impact_features: ImpactFeatures
    spread_horizons: list[SpreadHorizon]
    microstructure_patterns: MicrostructurePatterns
    institutional_flow: InstitutionalFlow
    market_regime: MarketRegime
    tier2: Tier2
    history: HistoryComparison
    vpin_state: VpinState
    null_reasons: dict[str, str] = Field(description="Field -> why it is null.")

"""The day record of a symbol: phase 1.

Belongs here: the models of day metadata, their units and meanings. How they are computed: ``day_metadata``.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

METADATA_VERSIONS: dict[int, str] = {
    1: "Basic statistics and hourly buckets.",
    2: (
        "Spread, trade classification, liquidity, execution, venues and data quality; realised volatility among the"
        " basic statistics; reasons for the nulls of hourly buckets."
    ),
    3: "Yardsticks: what later dates are compared with.",
}
"""What each version of the record brought; raised whenever a group changes its fields or their meaning."""

METADATA_VERSION = max(METADATA_VERSIONS)


PHASE1_TABLE = "day_metadata_phase1"
"""Name of the light table, and of the asset, that holds phase 1."""

QualityLevel = Literal["HIGH", "MEDIUM", "LOW", "POOR"]
"""``data_quality_score`` above 0.95, above 0.85, above 0.70, and the rest."""

SilenceCause = Literal["halt", "no_trade", "unknown"]
"""``halt``: a reopening print followed; ``no_trade``: the feed's counters show that nothing was lost; ``unknown``."""


class Group(BaseModel):
    """Base of the groups of a record."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BasicStats(Group):
    """What the regular session was, in a dozen numbers."""

    total_ticks: int = Field(description="Counted ticks.")
    first_tick_time: dt.datetime | None = Field(description="First counted tick, Eastern Time.")
    last_tick_time: dt.datetime | None = Field(description="Last counted tick, closing auction included.")
    price_open: float | None = Field(description="First price that may set it. [USD]")
    price_high: float | None = Field(description="Highest price that may set it. [USD]")
    price_low: float | None = Field(description="Lowest price that may set it. [USD]")
    price_close: float | None = Field(description="Last price that may set it. [USD]")
    volume_total: int = Field(description="Σ size of the counted ticks. [shares]")
    vwap: float | None = Field(description="Σ price·size / Σ size over price-setting ticks. [USD]")
    dollar_volume: float = Field(description="Σ price·size of the counted ticks. [USD]")
    price_range: float | None = Field(description="price_high − price_low. [USD]")
    price_change: float | None = Field(description="price_close − price_open. [USD]")
    price_change_pct: float | None = Field(description="price_change / price_open. [1]")
    realised_volatility: float | None = Field(
        description="Square root of the sum of squared 5-minute log returns from the open on, of the day. [1]"
    )
    trading_hours: float | None = Field(description="From the first to the last counted tick. [h]")
    avg_tick_rate: float | None = Field(description="Counted ticks per second of trading_hours. [1/s]")


class SpreadStats(Group):
    """Quoted spread (ask − bid) / midpoint at the counted ticks with a usable quote (0 < bid ≤ ask), each once."""

    quoted_ticks: int = Field(description="Counted ticks with a usable quote.")
    mean_bps: float | None = Field(description="Mean. [bps]")
    median_bps: float | None = Field(description="Median. [bps]")
    std_bps: float | None = Field(description="Population standard deviation. [bps]")
    min_bps: float | None = Field(description="Least. [bps]")
    max_bps: float | None = Field(description="Greatest. [bps]")
    p25_bps: float | None = Field(description="25th percentile. [bps]")
    p75_bps: float | None = Field(description="75th percentile. [bps]")
    p95_bps: float | None = Field(description="95th percentile. [bps]")
    p99_bps: float | None = Field(description="99th percentile. [bps]")
    zero_spread_count: int = Field(description="Ticks on a locked quote (bid = ask), among quoted_ticks.")
    inverted_count: int = Field(description="Ticks on a crossed quote (bid > ask > 0), not among quoted_ticks.")


class TradeClassification(Group):
    """Counted ticks by who started the trade; neutral ones have no known aggressor. buy + sell + neutral is all."""

    buy_count: int = Field(description="Buyer-initiated ticks.")
    sell_count: int = Field(description="Seller-initiated ticks.")
    neutral_count: int = Field(description="Ticks without a known aggressor.")
    buy_volume: int = Field(description="Buyer-initiated volume. [shares]")
    sell_volume: int = Field(description="Seller-initiated volume. [shares]")
    neutral_volume: int = Field(description="Volume without a known aggressor. [shares]")
    buy_dollar_volume: float = Field(description="Buyer-initiated dollar volume. [USD]")
    sell_dollar_volume: float = Field(description="Seller-initiated dollar volume. [USD]")
    neutral_dollar_volume: float = Field(description="Dollar volume without a known aggressor. [USD]")
    buy_sell_ratio: float | None = Field(description="buy_volume / sell_volume. [1]")
    volume_weighted_sign: float | None = Field(
        description="(buy_volume − sell_volume) / volume of all counted ticks: −1 to 1. [1]"
    )
    large_buy_count: int = Field(description="Buyer-initiated ticks of 10,000 shares or more.")
    large_sell_count: int = Field(description="Seller-initiated ticks of 10,000 shares or more.")


class LiquidityProfile(Group):
    """Sizes, rates and price steps. Rates are per time of the whole session."""

    quote_intensity: float | None = Field(description="Changes of the quote seen at counted ticks. [1/s]")
    avg_trade_size: float | None = Field(description="Mean size. [shares]")
    median_trade_size: float | None = Field(description="Median size. [shares]")
    trade_frequency: float = Field(description="Counted ticks per minute of the session. [1/min]")
    effective_tick_size: float | None = Field(
        description="Least non-zero price change between successive counted ticks. [USD]"
    )
    price_levels_count: int = Field(description="Distinct prices.")
    time_between_trades_ms: float | None = Field(description="Mean time between successive counted ticks. [ms]")
    liquidity_score: float | None = Field(
        description="0 to 100: 0.3·min(100, 2·trades per minute) + 0.4·max(0, 100 − mean spread in bps) +"
        " 0.3·min(100, mean size / 10); parts that are null are left out and the weights rescaled."
    )


class ExecutionQuality(Group):
    """Where trades lie in their quotes. at_bid + at_ask + inside + outside = 1, over ticks with 0 < bid < ask."""

    open_quote_ticks: int = Field(description="Counted ticks with 0 < bid < ask: what the place rates are shares of.")
    effective_spread_mean: float | None = Field(
        description="Mean of 2·abs(price − midpoint) over ticks with a usable quote. [USD]"
    )
    effective_spread_median: float | None = Field(description="Median of the same. [USD]")
    price_improvement_rate: float | None = Field(
        description="Share strictly inside the quote, midpoint included: the inside rate. [1]"
    )
    at_midpoint_rate: float | None = Field(description="Share at the midpoint, part of the inside rate. [1]")
    at_bid_rate: float | None = Field(description="Share at the bid. [1]")
    at_ask_rate: float | None = Field(description="Share at the ask. [1]")
    outside_quote_rate: float | None = Field(description="Share below the bid or above the ask. [1]")
    odd_lot_rate: float | None = Field(description="Share of all counted ticks with the odd-lot code. [1]")
    block_rate: float | None = Field(description="Share of all counted ticks of 10,000 shares or more. [1]")


class IntradayBucket(Group):
    """One hour of the session, counted from the open; the last may be shorter."""

    start: dt.datetime = Field(description="Start, Eastern Time.")
    end: dt.datetime = Field(description="End, exclusive; the closing auction belongs to the last bucket.")
    spread: float | None = Field(description="Mean spread over ticks with a usable quote. [USD]")
    volume_pct: float | None = Field(description="Share of the session's volume. [1]")
    volatility: float | None = Field(description="Square root of the sum of squared 1-minute log returns. [1]")
    trade_count: int = Field(description="Counted ticks.")
    buy_sell_ratio: float | None = Field(description="Buyer- over seller-initiated volume. [1]")


class VenueShare(Group):
    """One venue's part of the session, by exchange code. The quote is the consolidated one, not the venue's own."""

    exchange: str = Field(description="Name in the exchange codes; OTHER joins all unknown market centres.")
    trade_count: int = Field(description="Counted ticks.")
    volume: int = Field(description="Σ size. [shares]")
    volume_share: float = Field(description="Of the session's volume. [1]")
    avg_trade_size: float = Field(description="Mean size. [shares]")
    spread: float | None = Field(description="Mean quoted spread at its ticks with a usable quote. [USD]")
    spread_bps: float | None = Field(description="Mean relative quoted spread at the same ticks. [bps]")


class VenueAnalysis(Group):
    """Where the volume went."""

    venues: list[VenueShare] = Field(description="Venues with ticks, by falling volume.")
    fragmentation: float | None = Field(description="1 − Σ volume_share²: 0 with one venue. [1]")
    off_exchange_share: float | None = Field(
        description="Share of volume reported through trade reporting facilities; does not say dark pool. [1]"
    )


class TickIdGap(Group):
    """Tick ids of one market centre that no stored tick has."""

    seen_at: dt.datetime = Field(description="First stored tick of the market centre after the gap, Eastern Time.")
    market_center: int = Field(description="Market centre whose ids they are.")
    first_id: int = Field(description="First missing id.")
    last_id: int = Field(description="Last missing id.")
    is_lost: bool = Field(
        description="Volume is missing meanwhile; otherwise they carried no shares (official prints)."
    )


class VolumeStep(Group):
    """A tick at which the feed's total volume does not grow by the tick's size."""

    seen_at: dt.datetime = Field(description="The tick, Eastern Time.")
    shares: int = Field(description="Growth − size: above 0 volume that no stored tick has. [shares]")


class Silence(Group):
    """Successive minutes of the regular session without any stored tick."""

    start: dt.datetime = Field(description="Start of the first minute, Eastern Time.")
    end: dt.datetime = Field(description="End of the last minute, Eastern Time.")
    cause: SilenceCause = Field(
        description="halt: a reopening print came within a minute after it; no_trade: the next tick's total volume"
        " shows that nothing was lost; unknown: neither."
    )


class CrossedMarket(Group):
    """Successive stored ticks on a crossed quote (bid > ask > 0)."""

    start: dt.datetime = Field(description="First of them, Eastern Time.")
    end: dt.datetime = Field(description="Last of them, Eastern Time.")
    tick_count: int = Field(description="How many.")
    widest: float = Field(description="Greatest bid − ask. [USD]")


class DataQuality(Group):
    """How far the stored ticks of all sessions can be trusted. Lists hold the first 100, counts are of all."""

    stored_ticks: int = Field(description="Stored ticks of the date.")
    duplicate_count: int = Field(
        description="Ticks whose market centre and tick id an earlier one has; ingest sets such rows aside, so 0."
    )
    out_of_order_count: int | None = Field(
        description="Ticks stamped before one that arrived earlier; the total volume tells the order of arrival."
    )
    missing_quote_count: int = Field(description="Ticks without bid or ask.")
    locked_quote_count: int = Field(description="Ticks with bid = ask.")
    crossed_quote_count: int = Field(description="Ticks with bid > ask > 0.")
    tick_id_holes: int | None = Field(
        description="Ids below the highest of their market centre that no stored tick has: official prints, rows set"
        " aside, lost ticks."
    )
    lost_tick_count: int | None = Field(
        description="Those of the holes during which volume is missing too: at most so many trades are not stored."
    )
    missing_volume: int = Field(description="Shares in the feed's total volume that no stored tick has. [shares]")
    excess_volume: int = Field(description="Shares of stored ticks that the feed's total volume lacks. [shares]")
    silent_minutes: int = Field(description="Minutes of the regular session without any stored tick. [min]")
    halted_minutes: int = Field(description="Those of them in a silence that a reopening print ended. [min]")
    unexplained_silent_minutes: int = Field(
        description="Those of them in which ticks may be missing: no halt is seen and no counter vouches. [min]"
    )
    set_aside_count: int | None = Field(description="Rows the ingest set aside.")
    anomaly_count: int | None = Field(description="Ticks the soft rules of the ingest found.")
    completeness_score: float | None = Field(
        description="0 to 1, the least of three shares: volume accounted for, ticks not lost, minutes explained. [1]"
    )
    data_quality_score: float | None = Field(
        description="completeness_score · (1 − share of ticks on a crossed quote). [1]"
    )
    data_quality_level: QualityLevel | None = Field(
        description="HIGH above 0.95, MEDIUM above 0.85, LOW above 0.70, else POOR."
    )
    tick_id_gaps: list[TickIdGap] = Field(description="Gaps in the tick ids, in time order.")
    volume_steps: list[VolumeStep] = Field(description="Steps of the total volume that do not fit, in time order.")
    silences: list[Silence] = Field(description="Silent minutes joined, in time order.")
    crossed_markets: list[CrossedMarket] = Field(description="Crossed quotes joined, in time order.")


class Yardsticks(Group):
    """What later dates are compared with; phase 2 of a date takes the yardsticks of earlier dates only."""

    p95_trade_size: float | None = Field(
        description="95th percentile of the sizes of counted ticks, interpolated linearly. [shares]"
    )
    minute_impact_60s_bps: list[float | None] = Field(
        description="Mean price impact of the trades of each minute of the session, 60 s later; null for a minute"
        " without a trade whose side, quote and later quote are known. [bps]"
    )
    impact_share: float | None = Field(
        description="Share-weighted price impact / effective spread at 60 s: 1 − reversion rate. [1]"
    )
    minute_volatility: float | None = Field(
        description="Square root of the mean squared 1-minute log return from the first price on; a minute without a"
        " price keeps the one before. [1]"
    )
    burst_count: int = Field(description="Runs of at least five changes of price in one direction within five seconds.")
    median_burst_volume: float | None = Field(description="Median volume of these runs. [shares]")


class DayMetadataPhase1(Group):
    """Phase 1 of a symbol's day, computed right after its ticks are stored."""

    symbol: str = Field(description="Ticker.")
    date: dt.date = Field(description="Trading date.")
    metadata_version: int = Field(default=METADATA_VERSION, description="Version of the record's definitions.")
    computed_at: dt.datetime = Field(description="When it was computed, Eastern Time.")
    computation_time_ms: float = Field(description="How long it took. [ms]")
    basic_stats: BasicStats
    spread_stats: SpreadStats
    trade_classification: TradeClassification
    liquidity_profile: LiquidityProfile
    execution_quality: ExecutionQuality
    intraday_evolution: list[IntradayBucket]
    venue_analysis: VenueAnalysis
    yardsticks: Yardsticks
    data_quality: DataQuality
    null_reasons: dict[str, str] = Field(description="Field -> why it is null.")

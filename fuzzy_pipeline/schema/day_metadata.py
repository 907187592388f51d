"""The day record of a symbol: phase 1.

Belongs here: the models of day metadata, their units and meanings. How they are computed: ``day_metadata``.
"""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

METADATA_VERSION = 1
"""Raised whenever a group changes its fields or their meaning (``docs/reference/day_metadata.md``)."""


PHASE1_TABLE = "day_metadata_phase1"
"""Name of the light table, and of the asset, that holds phase 1."""


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
    trading_hours: float | None = Field(description="From the first to the last counted tick. [h]")
    avg_tick_rate: float | None = Field(description="Counted ticks per second of trading_hours. [1/s]")


class IntradayBucket(Group):
    """One hour of the session, counted from the open; the last may be shorter."""

    start: dt.datetime = Field(description="Start, Eastern Time.")
    end: dt.datetime = Field(description="End, exclusive; the closing auction belongs to the last bucket.")
    spread: float | None = Field(description="Mean spread over ticks with a usable quote. [USD]")
    volume_pct: float | None = Field(description="Share of the session's volume. [1]")
    volatility: float | None = Field(description="Square root of the sum of squared 1-minute log returns. [1]")
    trade_count: int = Field(description="Counted ticks.")
    buy_sell_ratio: float | None = Field(description="Buyer- over seller-initiated volume. [1]")


class DayMetadataPhase1(Group):
    """Phase 1 of a symbol's day, computed right after its ticks are stored."""

    symbol: str = Field(description="Ticker.")
    date: dt.date = Field(description="Trading date.")
    metadata_version: int = Field(default=METADATA_VERSION, description="Version of the record's definitions.")
    computed_at: dt.datetime = Field(description="When it was computed, Eastern Time.")
    computation_time_ms: float = Field(description="How long it took. [ms]")
    basic_stats: BasicStats
    intraday_evolution: list[IntradayBucket]
    null_reasons: dict[str, str] = Field(description="Field -> why it is null.")

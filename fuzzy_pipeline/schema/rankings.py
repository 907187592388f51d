"""What compares the symbols of a date: rankings of each symbol, and correlations of each pair.

Belongs here: the models of rankings, their units and meanings. How they are computed: ``rankings``.
"""

from __future__ import annotations

import datetime as dt

from pydantic import BaseModel, Field

from fuzzy_pipeline.schema.day_metadata import Group

RANKINGS_VERSION = 1
"""Raised whenever a field below changes or means something else (``docs/methodology/rankings.md``)."""

RANKINGS_TABLE = "cross_symbol_rankings"
"""Name of the light table, and of the asset, with one row per symbol and date."""

PAIRS_TABLE = "pair_correlations"
"""Name of the light table, and of the asset, with one row per pair of symbols and date."""


class MeasureRank(Group):
    """One measure of a symbol: its value, its place among the symbols of the date, its change."""

    value: float | None = Field(description="The day's value, in the unit of the measure.")
    rank: int | None = Field(
        description="1 is best; equal values share the best rank, and the next ranks are left out."
    )
    percentile: float | None = Field(
        description="Share of the other ranked symbols that are worse; equal ones count half. 100 is best. [%]"
    )
    universe_size: int = Field(description="Symbols ranked by this measure on the date.")
    change_from_yesterday: float | None = Field(description="Value / value of the trading date before − 1. [1]")
    change_from_mean: float | None = Field(description="Value / mean of the last 20 earlier dates known − 1. [1]")


class Relation(Group):
    """How a symbol compares with the benchmark or with the ETF of its sector."""

    symbol: str | None = Field(description="The benchmark or sector ETF compared with.")
    n: int = Field(description="5-minute returns that both have.")
    correlation: float | None = Field(description="Pearson correlation of the n pairs of 5-minute log returns. [1]")
    beta: float | None = Field(description="Slope of the symbol's returns on the other's, with intercept. [1]")
    spread_ratio: float | None = Field(description="Median spread in basis points / the other's. [1]")
    volume_ratio: float | None = Field(description="Shares traded / the other's. [1]")
    volatility_ratio: float | None = Field(description="Realised volatility / the other's. [1]")


class CrossSymbolRanking(Group):
    """Where a symbol stands among the symbols of a date."""

    symbol: str = Field(description="Ticker.")
    date: dt.date = Field(description="Trading date.")
    rankings_version: int = Field(default=RANKINGS_VERSION, description="Version of the record's definitions.")
    is_missing: bool = Field(description="The symbol is in the settings, but has no data on the date: not ranked.")
    liquidity_score: MeasureRank = Field(description="Liquidity score, 0-100; best: highest.")
    median_spread: MeasureRank = Field(description="Median relative quoted spread; best: lowest. [bps]")
    volume: MeasureRank = Field(description="Shares traded; best: highest. [shares]")
    dollar_volume: MeasureRank = Field(description="Dollars traded; best: highest. [USD]")
    realised_volatility: MeasureRank = Field(
        description="Square root of the sum of squared 5-minute log returns; rank 1: the most volatile. [1]"
    )
    benchmark: Relation = Field(description="Against the benchmark of the settings.")
    sector: Relation = Field(description="Against the ETF that the settings name for the symbol's sector.")
    null_reasons: dict[str, str] = Field(description="Field -> why it is null.")


class PairCorrelation(BaseModel):
    """Correlation of the 5-minute returns of two symbols on a date."""

    symbol_a: str = Field(description="Ticker, the first of the two in alphabetical order.")
    symbol_b: str = Field(description="Ticker, the second.")
    date: dt.date = Field(description="Trading date.")
    rankings_version: int = Field(default=RANKINGS_VERSION, description="Version of the record's definitions.")
    n: int = Field(description="5-minute returns that both have.")
    correlation: float | None = Field(description="Pearson correlation of the n pairs of 5-minute log returns. [1]")
    null_reason: str | None = Field(description="Why the correlation is null.")

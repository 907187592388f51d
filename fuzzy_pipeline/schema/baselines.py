"""What is usual for a symbol, from its earlier dates, and how a date compares with them.

Belongs here: the models, their units and meanings. How they are computed: ``day_metadata.baselines`` and
``day_metadata.comparisons``.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from fuzzy_pipeline.schema.day_metadata import Group

BASELINES_TABLE = "trailing_baselines"
"""Name of the light table, and of the asset, with one row per symbol and date."""

BASELINES_VERSIONS: dict[int, str] = {
    1: "Thresholds of phase 2; hours, weekdays and spreads that are usual; windows of 1, 5, 20 and 252 dates; records.",
}
"""What each version of the record brought; raised whenever a group changes its fields or their meaning."""

BASELINES_VERSION = max(BASELINES_VERSIONS)

BASELINE_MEASURES: tuple[str, ...] = (
    "spread_stats.median_bps",
    "basic_stats.volume_total",
    "basic_stats.dollar_volume",
    "basic_stats.total_ticks",
    "basic_stats.realised_volatility",
    "basic_stats.price_change_pct",
    "liquidity_profile.liquidity_score",
    "execution_quality.effective_spread_mean",
    "trade_classification.volume_weighted_sign",
    "venue_analysis.off_exchange_share",
    "yardsticks.impact_share",
)
"""The fields of phase 1 that are followed over dates. ``HistoryComparison`` has a field by the last name of each."""

SIGNED_MEASURES = frozenset(
    {"basic_stats.price_change_pct", "trade_classification.volume_weighted_sign", "yardsticks.impact_share"}
)
"""Those that can be below 0: a ratio to their mean says nothing."""

Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]


# -- what is usual ---------------------------------------------------------------


class Thresholds(Group):
    """What phase 2 compares a date with, from the stored ones of the last 20 trading dates before it."""

    dates: int = Field(description="Stored dates among the last 20 trading dates.")
    large_trade_size: float | None = Field(
        description="Median over the dates of the 95th percentile of trade sizes. [shares]"
    )
    toxic_impact_bps: float | None = Field(
        description="95th percentile of the mean price impact at 60 s of all minutes of the dates. [bps]"
    )
    minute_volatility: float | None = Field(
        description="Standard deviation of 1-minute log returns: root mean square of the dates' own. [1]"
    )
    burst_volume: float | None = Field(description="Median of the dates' median volume of price bursts. [shares]")
    daily_volume: float | None = Field(description="Mean volume of a date. [shares]")
    usual_minute_variance: list[float | None] = Field(
        description="Variance of 1-minute log returns of each minute of a full session from the open on, the same"
        " within an hour: mean over the dates of volatility² / (minutes of the hour − 1), which is the number of its"
        " returns. Empty before enough dates; null in an hour that is not known often enough. [1]"
    )


class HourPattern(Group):
    """An hour of full-length sessions, over the last 20 trading dates; a mean is null with fewer than 5 dates."""

    minutes_from_open: int = Field(description="Start. [min]")
    minutes: int = Field(description="Length; the last is shorter. [min]")
    spread: float | None = Field(description="Mean of the hour's mean spread. [USD]")
    spread_dates: int = Field(description="Dates in it.")
    volume_pct: float | None = Field(description="Mean share of the session's volume. [1]")
    volume_dates: int = Field(description="Dates in it.")
    volatility: float | None = Field(description="Mean of the hour's volatility from 1-minute returns. [1]")
    volatility_dates: int = Field(description="Dates in it.")


class WeekdayPattern(Group):
    """A weekday, over the last 252 trading dates; a mean is null with fewer than 12 dates."""

    weekday: Weekday = Field(description="Its name.")
    dates: int = Field(description="Stored dates; volumes are known on each.")
    volume: float | None = Field(description="Mean volume. [shares]")
    dollar_volume: float | None = Field(description="Mean dollar volume. [USD]")
    spread_bps: float | None = Field(description="Mean of the dates' median relative spread. [bps]")
    spread_dates: int = Field(description="Dates in it.")
    realised_volatility: float | None = Field(description="Mean realised volatility. [1]")
    volatility_dates: int = Field(description="Dates in it.")


class TypicalSpread(Group):
    """Mean spread in parts of a full-length session, from ``time_of_day``."""

    open: float | None = Field(description="First hour. [USD]")
    midday: float | None = Field(description="Mean of the hours between the first and the last. [USD]")
    close: float | None = Field(description="Last bucket: the half hour before the close. [USD]")


class WindowStats(Group):
    """Distribution of one measure over the known ones of the last trading dates, in the unit of the measure."""

    measure: str = Field(description="Field of phase 1.")
    window: int = Field(description="Trading dates looked at: 1, 5, 20 or 252.")
    n: int = Field(description="Of them those on which the measure is known.")
    mean: float | None = Field(description="Mean.")
    std: float | None = Field(description="Sample standard deviation (n − 1).")
    p5: float | None = Field(description="5th percentile, interpolated linearly.")
    p25: float | None = Field(description="25th percentile.")
    median: float | None = Field(description="Median.")
    p75: float | None = Field(description="75th percentile.")
    p95: float | None = Field(description="95th percentile.")


class MeasureRecord(Group):
    """Extremes of one measure over the known ones of the last 252 trading dates, in the unit of the measure."""

    measure: str = Field(description="Field of phase 1.")
    n: int = Field(description="Dates on which the measure is known.")
    highest: float | None = Field(description="Greatest value.")
    highest_date: dt.date | None = Field(description="First date that reached it.")
    lowest: float | None = Field(description="Least value.")
    lowest_date: dt.date | None = Field(description="First date that reached it.")


class TrailingBaselines(Group):
    """What was usual for a symbol before a date: from phase 1 of earlier dates only."""

    symbol: str = Field(description="Ticker.")
    date: dt.date = Field(description="Trading date that the baselines are for; it is not in them.")
    metadata_version: int = Field(default=BASELINES_VERSION, description="Version of the record's definitions.")
    computed_at: dt.datetime = Field(description="When it was computed, Eastern Time.")
    computation_time_ms: float = Field(description="How long it took. [ms]")
    known_dates: int = Field(description="Stored dates among the last 252 trading dates.")
    first_known_date: dt.date | None = Field(description="The first of them.")
    last_known_date: dt.date | None = Field(description="The last of them.")
    thresholds: Thresholds
    time_of_day: list[HourPattern] = Field(description="Hours of a full-length session, from the open on.")
    weekdays: list[WeekdayPattern] = Field(description="Monday to Friday.")
    typical_spread: TypicalSpread
    windows: list[WindowStats] = Field(description="Each measure over each window, shortest window first.")
    records: list[MeasureRecord] = Field(description="Extremes of each measure.")
    null_reasons: dict[str, str] = Field(description="Field -> why it is null, or an empty list.")


# -- a date against its earlier ones ---------------------------------------------


class DayBefore(Group):
    """A measure of the date against that of the trading date before; never of an older one."""

    change: float | None = Field(description="Value − value of the day before, in the unit of the measure.")
    ratio: float | None = Field(description="Value / value of the day before. [1]")


class WindowComparison(Group):
    """A measure of the date against the known ones of the last trading dates before it."""

    n: int = Field(description="Dates compared with.")
    change: float | None = Field(description="Value − mean, in the unit of the measure.")
    ratio: float | None = Field(description="Value / mean; null for measures that can be below 0. [1]")
    percentile: float | None = Field(description="Share of the dates with a lower value, equal ones half. [%]")
    z_score: float | None = Field(description="(value − mean) / sample standard deviation of the n dates. [1]")


class MeasureHistory(Group):
    """One measure of the date against earlier dates."""

    value: float | None = Field(description="Of the date itself, in the unit of the measure.")
    known_dates: int = Field(description="Dates of the last 252 trading dates on which the measure is known.")
    is_record_high: bool | None = Field(description="Higher than on every one of them; null with fewer than 20.")
    is_record_low: bool | None = Field(description="Lower than on every one of them; null with fewer than 20.")
    day_before: DayBefore
    dates_5: WindowComparison = Field(description="Against the last 5 trading dates.")
    dates_20: WindowComparison = Field(description="Against the last 20 trading dates.")
    dates_252: WindowComparison = Field(description="Against the last 252 trading dates.")


class SimilarDate(Group):
    """An earlier date that was alike."""

    date: dt.date = Field(description="The date.")
    distance: float = Field(
        description="Root mean square of the differences, each in standard deviations of its measure. [1]"
    )
    measures: int = Field(description="Measures known on both dates: how many differences.")


class HistoryComparison(Group):
    """A date's phase 1 against that of the symbol's earlier dates: one group per measure, and the dates most alike."""

    known_dates: int = Field(description="Stored dates among the last 252 trading dates.")
    median_bps: MeasureHistory = Field(description="``spread_stats.median_bps``. [bps]")
    volume_total: MeasureHistory = Field(description="``basic_stats.volume_total``. [shares]")
    dollar_volume: MeasureHistory = Field(description="``basic_stats.dollar_volume``. [USD]")
    total_ticks: MeasureHistory = Field(description="``basic_stats.total_ticks``.")
    realised_volatility: MeasureHistory = Field(description="``basic_stats.realised_volatility``. [1]")
    price_change_pct: MeasureHistory = Field(description="``basic_stats.price_change_pct``. [1]")
    liquidity_score: MeasureHistory = Field(description="``liquidity_profile.liquidity_score``.")
    effective_spread_mean: MeasureHistory = Field(description="``execution_quality.effective_spread_mean``. [USD]")
    volume_weighted_sign: MeasureHistory = Field(description="``trade_classification.volume_weighted_sign``. [1]")
    off_exchange_share: MeasureHistory = Field(description="``venue_analysis.off_exchange_share``. [1]")
    impact_share: MeasureHistory = Field(description="``yardsticks.impact_share``. [1]")
    similar_dates: list[SimilarDate] | None = Field(
        description="The 5 dates most alike, nearest first; null with fewer than 20 to choose from."
    )

"""Quality rules as data: which measure of which table must lie where, how bad it is when it does not, and why.

Belongs here: the rules, and the measures of tables that have none of their own. A measure is a column of a frame with
one row per symbol; ``quality.suites`` holds the rules against it.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from pydantic import BaseModel

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.quality_settings import QualitySettings
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE, DayMetadataPhase2
from fuzzy_pipeline.schema.quality import QUALITY_TABLE, Severity
from fuzzy_pipeline.schema.rankings import RANKINGS_TABLE
from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS, RAW_TICKS

ROUNDING = 1e-9
"""Sums of shares may miss their total by so much."""

MINUTE_BARS = "1m"

WHY_NULL: Mapping[str, str] = {
    "set_aside_share": "the source sent no row",
    "minute_bar_difference": "no 1-minute bars of the regular session, or its traded minutes are not known",
    "place_rate_residual": "no counted tick with 0 < bid < ask: there are no places in the quote",
    "spread_identity_residual": "no trade with a known side, a quote and a later quote",
}
"""Measure of a table -> why it is null; those of ``quality_measures`` have their reasons in the record."""


@dataclass(frozen=True, slots=True)
class QualityRule:
    """One measure of one table must lie within [minimum, maximum]; None leaves a side open.

    ``reason`` says what a failure means. ``mostly`` makes it a rule about the whole date: at least this share of the
    symbols must comply. [1]
    """

    name: str
    table: str
    measure: str
    minimum: float | None
    maximum: float | None
    severity: Severity
    reason: str
    mostly: float | None = None

    def __post_init__(self) -> None:
        if self.minimum is None and self.maximum is None:
            raise ValueError(f"rule {self.name} has no bound: nothing could fail")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"rule {self.name}: minimum {self.minimum} is above maximum {self.maximum}")
        if self.mostly is not None and not 0 < self.mostly <= 1:
            raise ValueError(f"rule {self.name}: mostly is a share above 0, not {self.mostly}")


def quality_rules(settings: QualitySettings | None = None) -> tuple[QualityRule, ...]:
    """All rules, in the order of the tables they are about; names are unique within a table."""
    chosen = settings or QualitySettings()
    return (*_tick_rules(chosen), *_bar_rules(), *_record_rules(), *_measure_rules(chosen), *_ranking_rules())


def rules_of(table: str, settings: QualitySettings | None = None) -> tuple[QualityRule, ...]:
    """The rules about one table; none for a table without."""
    return tuple(rule for rule in quality_rules(settings) if rule.table == table)


def measures_of_rules(table: str) -> tuple[str, ...]:
    """The measures the rules about a table need: columns of its frame, each once.

    Examples
    --------
    >>> measures_of_rules("enriched_ticks")
    ('row_difference', 'missing_columns')
    """
    return tuple(dict.fromkeys(rule.measure for rule in rules_of(table)))


def _tick_rules(s: QualitySettings) -> Iterator[QualityRule]:
    raw, enriched = RAW_TICKS.name, ENRICHED_TICKS.name
    yield QualityRule("rows_add_up", raw, "unaccounted_rows", 0, 0, "error",
                      "rows in are not stored + set aside + official prints: a row was lost or doubled")  # fmt: skip
    yield QualityRule("fetched_after_the_close", raw, "fetched_after_close_s", 0, None, "error",
                      "fetched before the session was over: the rest of the date is not there")  # fmt: skip
    yield QualityRule("few_rows_are_set_aside", raw, "set_aside_share", None, s.set_aside_share, "warning",
                      "many rows break hard rules: the source may have changed its format")  # fmt: skip
    yield QualityRule("source_is_quick", raw, "source_latency_s", None, s.source_latency_s, "warning",
                      "the source took long: it may be overloaded, or about to fail")  # fmt: skip
    yield QualityRule("every_tick_is_enriched", enriched, "row_difference", 0, 0, "error",
                      "not as many enriched ticks as raw ticks: one was lost or doubled")  # fmt: skip
    yield QualityRule("columns_are_complete", enriched, "missing_columns", 0, 0, "error",
                      "a column of the table is not there: readers rely on all of them")  # fmt: skip


def _bar_rules() -> Iterator[QualityRule]:
    for table in (table.name for table in BAR_TABLES.values()):
        yield QualityRule("no_share_is_lost", table, "volume_difference", 0, 0, "error",
                          "a counted tick is in no bar or in two: its shares are lost or doubled")  # fmt: skip
        yield QualityRule("prices_are_in_order", table, "ohlc_violations", 0, 0, "error",
                          "a price is outside low to high, or not above 0")  # fmt: skip
        yield QualityRule("vwap_is_within_the_bar", table, "vwap_violations", 0, 0, "error",
                          "a mean of the bar's prices cannot lie outside low to high")  # fmt: skip
        yield QualityRule("bars_are_unique", table, "duplicate_keys", 0, 0, "error",
                          "bar_index does not count 0, 1, 2… within a series: readers join on it")  # fmt: skip
    yield QualityRule("every_traded_minute_has_its_bar", BAR_TABLES["time"].name, "minute_bar_difference", 0, 0,
                      "error", "not as many 1-minute bars as minutes with a counted tick")  # fmt: skip


def _record_rules() -> Iterator[QualityRule]:
    for table in (PHASE1_TABLE, PHASE2_TABLE):
        yield QualityRule("numbers_are_finite", table, "non_finite_values", 0, 0, "error",
                          "a number is NaN or infinite: an unknown one is null with a reason")  # fmt: skip
    for name, measure, reason in (
        ("sides_add_up", "side_residual", "bought + sold + neutral are not all, in ticks or shares"),
        ("venues_add_up", "venue_residual", "the shares of the venues are not all shares"),
        ("hours_add_up", "hour_residual", "the ticks of the hourly buckets are not all ticks"),
    ):
        yield QualityRule(name, PHASE1_TABLE, measure, 0, 0, "error", reason)
    yield QualityRule("places_in_the_quote_add_up", PHASE1_TABLE, "place_rate_residual", None, ROUNDING, "error",
                      "at bid + at ask + inside + outside are not 1")  # fmt: skip
    yield QualityRule("spread_is_realised_spread_and_impact", PHASE2_TABLE, "spread_identity_residual", None, 1e-6,
                      "error", "effective spread is not realised spread + price impact at some horizon")  # fmt: skip


def _measure_rules(s: QualitySettings) -> Iterator[QualityRule]:
    for name, measure, minimum, maximum, severity, reason in (
        ("score_is_acceptable", "data_quality_score", s.score_error, None, "error",
         "so little of the day is trustworthy that nothing should be built upon it"),
        ("score_is_high", "data_quality_score", s.score_warning, None, "warning", "the day is not of high quality"),
        ("keys_are_unique", "duplicate_count", 0, 0, "error", "a stored tick is there twice: volumes are too high"),
        ("ticks_are_complete", "completeness_score", s.completeness, None, "warning",
         "volume or ticks are missing, or minutes are silent and nothing says why"),
        ("no_tick_is_lost", "lost_tick_count", 0, 0, "warning",
         "tick ids and volume are missing together: ticks were lost on the way, or set aside"),
        ("no_volume_is_missing", "missing_volume", 0, 0, "warning",
         "the total volume has shares that no stored tick has: ticks were lost on the way, or set aside"),
        ("sizes_fit_the_total_volume", "excess_volume", 0, 0, "warning",
         "ticks have more shares than the total volume grew by: sizes or the total are wrong"),
        ("silence_is_explained", "unexplained_silent_minutes", None, s.unexplained_silent_minutes, "warning",
         "minutes without ticks that no halt and no counter explains: the feed may have broken off"),
        ("crossed_quotes_are_rare", "crossed_quote_share", None, s.crossed_quote_share, "warning",
         "bid above ask lasts moments: many such ticks mean late or mixed quotes"),
        ("quotes_are_there", "missing_quote_share", None, s.missing_quote_share, "warning",
         "without quotes spreads and sides by quote are unknown"),
        ("ticks_arrive_in_order", "out_of_order_share", None, s.out_of_order_share, "warning",
         "many ticks came late: sides and changes are those of the sorted order"),
        ("quote_is_not_stale", "stale_quote_s", None, s.stale_quote_s, "warning",
         "trades cannot go on outside the prevailing quote: the quote stood still"),
        ("quote_follows_the_price", "stale_quote_ticks", None, s.stale_quote_ticks, "warning",
         "trades cannot go on outside the prevailing quote: the quote stood still"),
        ("price_jumps_are_confirmed", "unconfirmed_jump_count", None, s.unconfirmed_jumps, "warning",
         "prices at a jump that volume does not follow or that is taken back are wrong, and may set high or low"),
        ("tick_count_is_usual", "tick_count_ratio", s.least_ratio, s.greatest_ratio, "warning",
         "far from the symbol's median of earlier dates: ticks missing or doubled, or news"),
        ("volume_is_usual", "volume_ratio", s.least_ratio, s.greatest_ratio, "warning",
         "far from the symbol's median of earlier dates: shares missing or doubled, or news"),
        ("opens_near_the_previous_close", "gap_from_previous_close_pct", -s.overnight_gap, s.overnight_gap, "warning",
         "a step this large overnight is news or a split: earlier prices may need adjusting"),
        ("daily_bar_agrees", "daily_bar_matches", 1, None, "warning", "the source's own daily bar says otherwise"),
    ):  # fmt: skip
        yield QualityRule(name, QUALITY_TABLE, measure, minimum, maximum, severity, reason)  # type: ignore[arg-type]  # the rows above hold severities
    yield QualityRule(
        "most_symbols_are_usual", QUALITY_TABLE, "tick_count_ratio", s.least_ratio, s.greatest_ratio, "error",
        "many symbols at once are far from their usual number of ticks: the source, not the market",
        mostly=s.usual_symbols_share,
    )  # fmt: skip


def _ranking_rules() -> Iterator[QualityRule]:
    yield QualityRule("every_symbol_is_ranked", RANKINGS_TABLE, "missing_symbols", 0, 0, "warning",
                      "a symbol is not there: ranks and percentiles are of fewer symbols")  # fmt: skip


# -- measures of tables ------------------------------------------------------------


def raw_tick_measures(
    trading_date: dt.date,
    *,
    rows_in: int,
    rows_stored: int,
    set_aside: int,
    official: int,
    latency_s: float,
    fetched_at: dt.datetime,
) -> dict[str, float]:
    """Measures of ``raw_ticks``: rows as the manifest and the light tables count them, and when they were fetched.

    Examples
    --------
    A hundred rows came, 98 + 1 are there; fetched an hour after the close.

    >>> at = dt.datetime(2024, 5, 6, 17, 0, tzinfo=trading_calendar.EASTERN)
    >>> raw_tick_measures(at.date(), rows_in=100, rows_stored=98, set_aside=1, official=0, latency_s=2, fetched_at=at)
    {'unaccounted_rows': 1, 'set_aside_share': 0.01, 'source_latency_s': 2, 'fetched_after_close_s': 3600.0}
    """
    return {
        "unaccounted_rows": rows_in - rows_stored - set_aside - official,
        "set_aside_share": set_aside / rows_in if rows_in else math.nan,
        "source_latency_s": latency_s,
        "fetched_after_close_s": (fetched_at - trading_calendar.session(trading_date).close).total_seconds(),
    }


def enriched_tick_measures(raw_rows: int, enriched_rows: int, columns: Collection[str]) -> dict[str, float]:
    """Measures of ``enriched_ticks``: rows against raw ticks, and stored columns against the table's."""
    missing = {column.name for column in ENRICHED_TICKS.stored} - set(columns)
    return {"row_difference": enriched_rows - raw_rows, "missing_columns": len(missing)}


def bar_measures(
    bars: Arrays,
    ranges: Mapping[str, tuple[int, int]],
    ticks_volume: int,
    *,
    regular: tuple[int, int] | None = None,
    counted_minutes: int | None = None,
) -> dict[str, float]:
    """Measures of the bars of one family, symbol and date.

    Parameters
    ----------
    bars : Arrays
        Stored columns of all series, at least ``BAR_MEASURE_COLUMNS``.
    ranges : mapping
        Parameter -> half-open row range of its series.
    ticks_volume : int
        Σ size of the counted ticks of the sessions the bars are of. [shares]
    regular : tuple of int, optional
        Regular session, half-open. [UTC ns]
    counted_minutes : int, optional
        Minutes of it with a counted tick (``QualityMeasures.counted_minutes``).

    Returns
    -------
    dict of float
        ``volume_difference`` is that of the series furthest off [shares]; ``minute_bar_difference`` is NaN without
        1-minute bars, or when either of the last two arguments is left out.
    """
    opening, high, low, close, vwap = (bars[name] for name in ("open", "high", "low", "close", "vwap"))
    # Comparisons with NaN are False: a bar without a price-setting tick breaks no order.
    disorder = (high < low) | (opening > high) | (opening < low) | (close > high) | (close < low) | (low <= 0)
    strange = 0
    differences = [0]
    for start, stop in ranges.values():
        strange += int(np.count_nonzero(bars["bar_index"][start:stop] != np.arange(stop - start)))
        differences.append(int(bars["volume"][start:stop].sum(dtype=np.int64)) - ticks_volume)
    minutes = math.nan
    if MINUTE_BARS in ranges and regular is not None and counted_minutes is not None:
        rows = slice(*ranges[MINUTE_BARS])
        begins = bars["bar_start"][rows].view(np.int64)
        inside = (begins >= regular[0]) & (begins < regular[1]) & (bars["tick_count"][rows] > 0)
        minutes = float(np.count_nonzero(inside) - counted_minutes)
    return {
        "volume_difference": max(differences, key=abs),
        "ohlc_violations": int(np.count_nonzero(disorder)),
        "vwap_violations": int(np.count_nonzero((vwap < low) | (vwap > high))),
        "duplicate_keys": strange,
        "minute_bar_difference": minutes,
    }


BAR_MEASURE_COLUMNS = (
    "bar_index", "bar_start", "open", "high", "low", "close", "vwap", "volume", "tick_count",
)  # fmt: skip
"""The bar columns ``bar_measures`` looks at."""


def phase1_measures(record: DayMetadataPhase1) -> dict[str, float]:
    """Measures of ``day_metadata_phase1``: what must add up; NaN where there is nothing to add."""
    stats, flow, places = record.basic_stats, record.trade_classification, record.execution_quality
    rates = (places.at_bid_rate, places.at_ask_rate, places.price_improvement_rate, places.outside_quote_rate)
    known = [rate for rate in rates if rate is not None]
    ticks = flow.buy_count + flow.sell_count + flow.neutral_count - stats.total_ticks
    shares = flow.buy_volume + flow.sell_volume + flow.neutral_volume - stats.volume_total
    return {
        "non_finite_values": non_finite_values(record),
        "side_residual": abs(ticks) + abs(shares),
        "venue_residual": sum(venue.volume for venue in record.venue_analysis.venues) - stats.volume_total,
        "hour_residual": sum(hour.trade_count for hour in record.intraday_evolution) - stats.total_ticks,
        "place_rate_residual": abs(sum(known) - 1) if len(known) == len(rates) else math.nan,
    }


def phase2_measures(record: DayMetadataPhase2) -> dict[str, float]:
    """Measures of ``day_metadata_phase2``; the residual is the greatest of all horizons and weights, NaN without."""
    residuals = [
        abs(parts[0] - parts[1] - parts[2])
        for horizon in record.spread_horizons
        for weight in ("usd", "usd_vw", "bps", "bps_vw")
        if None not in (parts := [getattr(horizon, f"{name}_{weight}") for name in _SPREAD_PARTS])
    ]
    return {
        "non_finite_values": non_finite_values(record),
        "spread_identity_residual": max(residuals, default=math.nan),
    }


_SPREAD_PARTS = ("effective_spread", "realised_spread", "price_impact")


def ranking_measures(expected: Collection[str], ranked: Collection[str]) -> dict[str, float]:
    """Measures of ``cross_symbol_rankings``, of the whole date: one row under ``schema.quality.WHOLE_DATE``."""
    return {"missing_symbols": len(set(expected) - set(ranked))}


def measure_values(record: BaseModel, table: str) -> dict[str, float]:
    """The measures that a record itself has as fields, as numbers: null is NaN, true is 1."""
    return {
        name: math.nan if (value := getattr(record, name)) is None else float(value)
        for name in measures_of_rules(table)
    }


def non_finite_values(value: object) -> int:
    """Floats that are NaN or infinite, anywhere in a record, list or mapping.

    Examples
    --------
    >>> non_finite_values([1.0, None, {"a": math.inf, "b": (math.nan, 2)}])
    2
    """
    if isinstance(value, float):
        return int(not math.isfinite(value))
    if isinstance(value, BaseModel):
        return sum(non_finite_values(part) for _, part in value)
    if isinstance(value, Mapping):
        return sum(map(non_finite_values, value.values()))
    if isinstance(value, list | tuple):
        return sum(map(non_finite_values, value))
    return 0

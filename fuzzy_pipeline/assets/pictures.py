"""What the web UI shows of day records and rankings: tables by symbol, and pictures.

Belongs here: from light rows of a date to metadata of its asset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fuzzy_pipeline.assets.reports import busiest, markdown_table, picture, short
from fuzzy_pipeline.charts import correlation_heat_map_png, intraday_png, rank_percentiles_png, shares_png
from fuzzy_pipeline.rankings.cross_section import MEASURES
from fuzzy_pipeline.schema.baselines import BASELINES_VERSION, TrailingBaselines
from fuzzy_pipeline.schema.day_metadata import METADATA_VERSION, DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_VERSION, DayMetadataPhase2
from fuzzy_pipeline.schema.quality import QUALITY_VERSION, QualityMeasures
from fuzzy_pipeline.schema.rankings import RANKINGS_VERSION, CrossSymbolRanking
from fuzzy_pipeline.schema.records import Record, from_table
from fuzzy_pipeline.steps.run_date import DateReport
from fuzzy_pipeline.stores.store import Store

MOST_DRAWN = 60
"""Symbols in a correlation heat map; the first in alphabetical order of more."""


def _records(
    store: Store, report: DateReport, table: str, model: type[Record], version_field: str, version: int
) -> dict[str, Record]:
    """Records of the present version of a date by symbol: a subset run leaves others of older versions."""
    stored = store.light.read(table, dates=[report.date])
    kept = stored.filter(pc.equal(stored[version_field], version)) if stored is not None else None
    return {record.symbol: record for record in from_table(kept, model)}  # type: ignore[attr-defined]  # all have one


def _by_symbol(records: Mapping[str, Record], columns: Mapping[str, Callable[[Any], Any]]) -> str:
    """A Markdown table with one line a symbol; null values are left empty."""
    lines = []
    for symbol, record in sorted(records.items()):
        values = [value(record) for value in columns.values()]
        lines.append([symbol, *("" if value is None else short(value) for value in values)])
    return markdown_table(["symbol", *columns], lines)


_PHASE1_COLUMNS: Mapping[str, Callable[[DayMetadataPhase1], Any]] = {
    "ticks": lambda day: day.basic_stats.total_ticks,
    "close": lambda day: day.basic_stats.price_close,
    "change": lambda day: day.basic_stats.price_change_pct,
    "volume": lambda day: day.basic_stats.volume_total,
    "realised volatility": lambda day: day.basic_stats.realised_volatility,
    "median spread [bps]": lambda day: day.spread_stats.median_bps,
    "buy / sell": lambda day: day.trade_classification.buy_sell_ratio,
    "off exchange": lambda day: day.venue_analysis.off_exchange_share,
    "liquidity score": lambda day: day.liquidity_profile.liquidity_score,
    "silent minutes": lambda day: day.data_quality.silent_minutes,
    "quality": lambda day: day.data_quality.data_quality_level,
}

_PHASE2_COLUMNS: Mapping[str, Callable[[DayMetadataPhase2], Any]] = {
    "volatility": lambda day: day.market_regime.volatility_regime,
    "trend": lambda day: day.market_regime.trend_state,
    "liquidity": lambda day: day.market_regime.liquidity_state,
    "microstructure": lambda day: day.market_regime.microstructure_regime,
    "stress": lambda day: day.market_regime.stress_indicator,
    "adverse selection [bps]": lambda day: day.toxicity_metrics.adverse_selection_score,
    "VPIN": lambda day: day.toxicity_metrics.vpin,
    "Kyle lambda [USD per 1e6]": lambda day: day.impact_features.kyle_lambda_estimate,
    "noise [bps]": lambda day: day.microstructure_patterns.microstructure_noise,
    "Hurst": lambda day: day.microstructure_patterns.hurst_exponent,
    "sweeps": lambda day: day.institutional_flow.sweep_order_count,
    "institutional share": lambda day: day.institutional_flow.institutional_participation,
}

_BASELINE_COLUMNS: Mapping[str, Callable[[TrailingBaselines], Any]] = {
    "known dates": lambda found: found.known_dates,
    "from": lambda found: found.first_known_date,
    "large trade [shares]": lambda found: found.thresholds.large_trade_size,
    "toxic minute [bps]": lambda found: found.thresholds.toxic_impact_bps,
    "usual volume": lambda found: found.thresholds.daily_volume,
    "1-minute volatility": lambda found: found.thresholds.minute_volatility,
    "spread at open [USD]": lambda found: found.typical_spread.open,
    "midday": lambda found: found.typical_spread.midday,
    "close": lambda found: found.typical_spread.close,
}


_QUALITY_COLUMNS: Mapping[str, Callable[[QualityMeasures], Any]] = {
    "score": lambda found: found.data_quality_score,
    "level": lambda found: found.data_quality_level,
    "completeness": lambda found: found.completeness_score,
    "rows in": lambda found: found.rows_in,
    "set aside": lambda found: found.set_aside_count,
    "flagged": lambda found: found.flagged_count,
    "lost ticks": lambda found: found.lost_tick_count,
    "missing volume": lambda found: found.missing_volume,
    "silent minutes": lambda found: found.silent_minutes,
    "unexplained": lambda found: found.unexplained_silent_minutes,
    "crossed quotes": lambda found: found.crossed_quote_count,
    "volume / usual": lambda found: found.volume_ratio,
}


def day_pictures(store: Store, report: DateReport, table: str) -> dict[str, Any]:
    """What every symbol's day was, and pictures of the busiest one's hours and venues."""
    records = _records(store, report, table, DayMetadataPhase1, "metadata_version", METADATA_VERSION)
    found: dict[str, Any] = {"days": dg.MetadataValue.md(_by_symbol(records, _PHASE1_COLUMNS))}
    row = busiest(report, table)
    if row.symbol not in records:
        return found
    buckets, venues = records[row.symbol].intraday_evolution, records[row.symbol].venue_analysis.venues
    hours = intraday_png(
        [f"{bucket.start:%H:%M}" for bucket in buckets],
        np.array([bucket.volume_pct for bucket in buckets], dtype=np.float64),
        np.array([bucket.spread for bucket in buckets], dtype=np.float64),
        f"{row.symbol} {row.date} ({row.kind}), volume and mean spread by hour",
    )
    shares = shares_png(
        {venue.exchange: venue.volume_share for venue in venues},
        f"{row.symbol} {row.date} ({row.kind}), share of volume by venue",
    )
    return found | {"hours": picture(hours), "venues": picture(shares)}


def phase2_table(store: Store, report: DateReport, table: str) -> dict[str, Any]:
    """Regimes and the measures a person looks at first, by symbol."""
    records = _records(store, report, table, DayMetadataPhase2, "metadata_version", PHASE2_VERSION)
    return {"days": dg.MetadataValue.md(_by_symbol(records, _PHASE2_COLUMNS))}


def quality_table(store: Store, report: DateReport, table: str) -> dict[str, Any]:
    """Score and the counts behind it, by symbol."""
    records = _records(store, report, table, QualityMeasures, "quality_version", QUALITY_VERSION)
    return {"quality": dg.MetadataValue.md(_by_symbol(records, _QUALITY_COLUMNS))}


def baselines_table(store: Store, report: DateReport, table: str) -> dict[str, Any]:
    """What was usual for every symbol."""
    records = _records(store, report, table, TrailingBaselines, "metadata_version", BASELINES_VERSION)
    return {"usual": dg.MetadataValue.md(_by_symbol(records, _BASELINE_COLUMNS))}


def rank_pictures(store: Store, report: DateReport, table: str) -> dict[str, Any]:
    """Rank, value and change of every symbol, by liquidity, and a grid of percentiles."""
    records = _records(store, report, table, CrossSymbolRanking, "rankings_version", RANKINGS_VERSION)
    ordered = sorted(records.values(), key=lambda ranked: (ranked.liquidity_score.rank or np.inf, ranked.symbol))
    lines = [[ranked.symbol, *(_place(getattr(ranked, name)) for name in MEASURES)] for ranked in ordered]
    found: dict[str, Any] = {
        "ranks": dg.MetadataValue.md(
            "Rank, and the value in brackets\n\n"
            + markdown_table(["symbol", *(name.replace("_", " ") for name in MEASURES)], lines)
        )
    }
    present = [ranked for ranked in ordered if not ranked.is_missing]
    if present:
        percentiles = {
            name: np.array([getattr(ranked, name).percentile for ranked in present], dtype=np.float64)
            for name in MEASURES
        }
        kind = busiest(report, table).kind
        title = f"{report.date} ({kind}), percentile among the symbols"
        found["percentiles"] = picture(rank_percentiles_png([ranked.symbol for ranked in present], percentiles, title))
    return found


def _place(measure: Any) -> str:
    return "not ranked" if measure.rank is None else f"{measure.rank} ({short(measure.value)})"


def correlation_picture(store: Store, report: DateReport, table: str) -> dict[str, Any]:
    """Correlations of 5-minute returns as a heat map."""
    stored = store.light.read(table, dates=[report.date], columns=["symbol", "symbol_a", "symbol_b", "correlation"])
    if stored is None or stored.num_rows == 0:
        return {}
    symbols = sorted(set(stored["symbol_a"].to_pylist()) | set(stored["symbol_b"].to_pylist()))[:MOST_DRAWN]
    drawn = correlation_heat_map_png(
        symbols,
        _matrix(symbols, stored),
        f"{report.date} ({busiest(report, table).kind}), correlation of 5-minute returns",
    )
    return {"heat_map": picture(drawn)}


def _matrix(symbols: Sequence[str], pairs: pa.Table) -> NDArray[np.float64]:
    """Square matrix of the named symbols; NaN where not known, 1 on the diagonal."""
    place = {symbol: number for number, symbol in enumerate(symbols)}
    matrix = np.full((len(symbols), len(symbols)), np.nan)
    np.fill_diagonal(matrix, 1.0)
    columns = (pairs[name].to_pylist() for name in ("symbol_a", "symbol_b", "correlation"))
    for first, second, correlation in zip(*columns, strict=True):
        if first in place and second in place and correlation is not None:
            matrix[place[first], place[second]] = matrix[place[second], place[first]] = correlation
    return matrix

"""Time bars of one interval with all columns, as a polars user writes them: one lazy query, one ``group_by``."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.schema.codes import CloseReason, Participant, Session
from fuzzy_pipeline.schema.tables import BAR_TABLES

SECOND_NS = 1_000_000_000
NULL = pl.lit(None, dtype=pl.Float64)


def enriched_frame(enriched: dict[str, NDArray[Any]]) -> pl.DataFrame:
    """Enriched ticks as a frame; instants as whole nanoseconds, null quotes as nulls."""
    frame = pl.DataFrame({n: c.view(np.int64) if c.dtype.kind == "M" else c for n, c in enriched.items()})
    return frame.with_columns(pl.col(pl.Float64, pl.Float32).fill_nan(None))


def time_bars(frame: pl.DataFrame, date: dt.date, seconds: int) -> pl.DataFrame:
    """The stored bar columns of the regular session, empty windows skipped."""
    hours, midnight = trading_calendar.session(date), trading_calendar.midnight_utc_ns(date)
    start, end = midnight + hours.open_us * 1_000, midnight + hours.close_us * 1_000
    length = seconds * SECOND_NS
    query = (
        frame.lazy()
        .filter((pl.col("session") == int(Session.REGULAR)) & pl.col("counts_volume"))
        .with_columns(window=(pl.min_horizontal("timestamp", pl.lit(end - 1)) - start) // length)
        .with_columns(bar_start=start + pl.col("window") * length)
        .with_columns(bar_end=pl.min_horizontal(pl.col("bar_start") + length, pl.lit(end)))
        .with_columns(**_tick_columns(start, end))
        .set_sorted("window")
        .group_by("window", maintain_order=True)
        .agg(**_sums())
        .with_columns(**_from_sums())
        .with_columns(**_from_columns(length))
    )
    return query.select([column.name for column in BAR_TABLES["time"].stored]).collect()


def _tick_columns(start: int, end: int) -> dict[str, pl.Expr]:
    """What one tick adds to its bar."""
    price, size, spread, midpoint = pl.col("price"), pl.col("size").cast(pl.Int64), pl.col("spread"), pl.col("midpoint")
    bid, ask, time, qualified = pl.col("bid"), pl.col("ask"), pl.col("timestamp"), pl.col("is_qualified")
    usable, strict = ask >= bid, ask > bid
    dollars = price * size
    buy, sell = pl.col("trade_sign") > 0, pl.col("trade_sign") < 0
    middle = pl.col("bar_start") + (pl.col("bar_end") - pl.col("bar_start")) // 2
    kind = pl.col("participant_type")
    return {
        "size": size,
        "dollars": dollars,
        "q_price": pl.when(qualified).then(price),
        "q_size": size * qualified,
        "q_dollars": dollars * qualified,
        "q_total": pl.when(qualified).then(pl.col("total_volume")),
        "hl_price": pl.when("sets_high_low").then(price),
        "u_spread": pl.when(usable).then(spread),
        "u_bps": pl.when(usable).then(spread / midpoint * 10_000),
        "u_effective": pl.when(usable).then(pl.col("effective_spread")),
        "at_midpoint": pl.when(strict).then(((price - midpoint).abs() < 1e-9).cast(pl.Float64)),
        "inside": pl.when(strict).then(((price > bid) & (price < ask)).cast(pl.Float64)),
        "buy": buy, "sell": sell,
        "buy_size": size * buy, "sell_size": size * sell,
        "buy_dollars": dollars * buy, "sell_dollars": dollars * sell,
        "quote_change": bid.ne_missing(bid.shift()) | ask.ne_missing(ask.shift()),
        "retail": size * (kind == int(Participant.RETAIL)),
        "institutional": size * (kind == int(Participant.INSTITUTIONAL)),
        "first_half": size * (time < middle),
        "opening": size * (time < start + 30 * SECOND_NS),
        "closing": size * (time >= end - 30 * SECOND_NS),
    }  # fmt: skip


def _sums() -> dict[str, pl.Expr]:
    """One aggregation per bar."""
    c = pl.col
    return {
        "bar_start": c("bar_start").first(), "timestamp": c("bar_end").first(),
        "first_tick_time": c("timestamp").first(), "last_tick_time": c("timestamp").last(),
        "open": c("q_price").drop_nulls().first(), "close": c("q_price").drop_nulls().last(),
        "high": c("hl_price").max(), "low": c("hl_price").min(),
        "volume": c("size").sum(), "tick_count": pl.len(), "qualified_tick_count": c("is_qualified").sum(),
        "qualified_volume": c("q_size").sum(),
        "q_total": c("q_total").drop_nulls().last(), "last_total": c("total_volume").last(),
        "dollar_volume": c("dollars").sum(), "q_dollars": c("q_dollars").sum(),
        "avg_spread": c("u_spread").mean(), "avg_spread_bps": c("u_bps").mean(),
        "spread_volatility": c("u_spread").std(ddof=0), "effective_spread_mean": c("u_effective").mean(),
        "at_midpoint_rate": c("at_midpoint").mean(), "price_improvement_rate": c("inside").mean(),
        "buy_volume": c("buy_size").sum(), "sell_volume": c("sell_size").sum(),
        "buy_tick_count": c("buy").sum(), "sell_tick_count": c("sell").sum(),
        "buy_dollar_volume": c("buy_dollars").sum(), "sell_dollar_volume": c("sell_dollars").sum(),
        "quote_changes": c("quote_change").sum(), "quoted_tick_count": c("u_spread").count(),
        "unlocked_tick_count": c("inside").count(),
        "retail": c("retail").sum(), "institutional": c("institutional").sum(),
        "block_trade_count": c("is_block_trade").sum(), "odd_lot_count": c("is_odd_lot").sum(),
        "first_half_volume": c("first_half").sum(), "opening_auction_volume": c("opening").sum(),
        "closing_auction_volume": c("closing").sum(),
    }  # fmt: skip


def _from_sums() -> dict[str, pl.Expr]:
    """Columns that follow from the sums of a bar."""
    c = pl.col
    seconds = (c("timestamp") - c("bar_start")) / SECOND_NS
    return {
        "total_volume": pl.coalesce("q_total", "last_total"),
        "vwap": _ratio(c("q_dollars"), c("qualified_volume")),
        "typical_price": (c("high") + c("low") + c("close")) / 3,
        "avg_trade_size": c("volume") / c("tick_count"),
        "trade_frequency": c("tick_count") * 60 / seconds,
        "quote_intensity": pl.when(c("quoted_tick_count") > 0).then(c("quote_changes") / seconds),
        "retail_volume_pct": c("retail") / c("volume"),
        "institutional_volume_pct": c("institutional") / c("volume"),
        "second_half_volume": c("volume") - c("first_half_volume"),
        "range": c("high") - c("low"),
        "change": c("close") - c("open"),
        "volume_imbalance": _imbalance("volume"),
        "tick_imbalance": _imbalance("tick_count"),
        "dollar_imbalance": _imbalance("dollar_volume"),
    }


def _from_columns(length: int) -> dict[str, pl.Expr]:
    """Columns that follow from those, and the closing columns."""
    c = pl.col
    short = c("timestamp") - c("bar_start") < length
    parts = (
        (0.3, (2 * c("trade_frequency")).clip(upper_bound=100)),
        (0.4, (100 - c("avg_spread_bps")).clip(lower_bound=0)),
        (0.3, (c("avg_trade_size") / 10).clip(upper_bound=100)),
    )
    weighted = pl.sum_horizontal(weight * part for weight, part in parts)
    weights = pl.sum_horizontal(weight * part.is_not_null() for weight, part in parts)
    constants = dict.fromkeys(("threshold", "overflow", "efficiency", "theta", "expected_theta"), NULL)
    return {
        **constants,
        "bar_index": pl.int_range(pl.len(), dtype=pl.UInt32),
        "direction": c("change").sign().fill_null(0).cast(pl.Int8),
        "change_pct": c("change") / c("open"),
        "temporal_concentration": (c("first_half_volume") - c("second_half_volume")).abs() / c("volume"),
        "liquidity_score": weighted / weights,
        "gaps": c("window").diff().fill_null(c("window") + 1) - 1,
        "trigger_direction": pl.lit(0, dtype=pl.Int8),
        "is_complete": ~short,
        "is_warm_up": pl.lit(value=False),
        "is_phantom": pl.lit(value=False),
        "close_reason": pl.when(short).then(int(CloseReason.SESSION_END)).otherwise(int(CloseReason.TIME)),
    }


def _ratio(part: pl.Expr, whole: pl.Expr) -> pl.Expr:
    return pl.when(whole != 0).then(part / whole)


def _imbalance(of: str) -> pl.Expr:
    buy, sell = pl.col(f"buy_{of}").cast(pl.Float64), pl.col(f"sell_{of}").cast(pl.Float64)
    return _ratio(buy - sell, buy + sell)

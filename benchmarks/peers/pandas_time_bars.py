"""Time bars of one interval with all columns, as a pandas user writes them: columns per tick, then one ``groupby``."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.schema.codes import CloseReason, Participant, Session
from fuzzy_pipeline.schema.tables import BAR_TABLES

SECOND_NS = 1_000_000_000
NEEDED = [
    "timestamp", "price", "size", "total_volume", "bid", "ask", "spread", "midpoint", "effective_spread", "trade_sign",
    "dollar_volume", "participant_type", "is_odd_lot", "is_block_trade", "is_qualified", "sets_high_low",
]  # fmt: skip


def enriched_frame(enriched: dict[str, NDArray[Any]]) -> pd.DataFrame:
    """Enriched ticks as a frame; instants as whole nanoseconds."""
    return pd.DataFrame({n: c.view(np.int64) if c.dtype.kind == "M" else c for n, c in enriched.items()})


def time_bars(frame: pd.DataFrame, date: dt.date, seconds: int) -> pd.DataFrame:
    """The stored bar columns of the regular session, empty windows skipped."""
    hours, midnight = trading_calendar.session(date), trading_calendar.midnight_utc_ns(date)
    start, end = midnight + hours.open_us * 1_000, midnight + hours.close_us * 1_000
    length = seconds * SECOND_NS
    ticks = frame.loc[(frame["session"] == Session.REGULAR) & frame["counts_volume"], NEEDED]
    window = (ticks["timestamp"].clip(upper=end - 1) - start) // length
    bar_start = start + window * length
    middle = bar_start + ((bar_start + length).clip(upper=end) - bar_start) // 2
    groups = _tick_columns(ticks, middle, start, end).groupby(window, sort=False)
    bars = _sums(groups)
    bars["bar_start"] = start + bars.index.to_numpy() * length
    bars["timestamp"] = np.minimum(bars["bar_start"] + length, end)
    _add_ratios(bars)
    _add_shape(bars)
    _add_closing(bars, length)
    return bars[[column.name for column in BAR_TABLES["time"].stored]]


def _tick_columns(ticks: pd.DataFrame, middle: pd.Series[int], start: int, end: int) -> pd.DataFrame:
    """What one tick adds to its bar."""
    price, time, size = ticks["price"], ticks["timestamp"], ticks["size"].astype("int64")
    qualified = ticks["is_qualified"]
    bid, ask, midpoint = ticks["bid"], ticks["ask"], ticks["midpoint"]
    usable, strict = ask >= bid, ask > bid
    dollars = ticks["dollar_volume"]
    buy, sell = ticks["trade_sign"] > 0, ticks["trade_sign"] < 0
    kind = ticks["participant_type"]
    last_bid, last_ask = bid.shift(), ask.shift()
    changed = ((bid != last_bid) & (bid.notna() | last_bid.notna())) | (
        (ask != last_ask) & (ask.notna() | last_ask.notna())
    )
    spread = ticks["spread"].where(usable)
    return pd.DataFrame(
        {
            "time": time, "size": size, "dollars": dollars, "total_volume": ticks["total_volume"],
            "q_price": price.where(qualified), "hl_price": price.where(ticks["sets_high_low"]),
            "q": qualified, "q_size": size * qualified, "q_dollars": dollars * qualified,
            "q_total": ticks["total_volume"].where(qualified),
            "spread": spread, "bps": spread / midpoint * 10_000, "effective": ticks["effective_spread"].where(usable),
            "strict": strict, "at_midpoint": strict & (ticks["effective_spread"] < 1e-9),
            "inside": (price > bid) & (price < ask),
            "buy": buy, "sell": sell, "buy_size": size * buy, "sell_size": size * sell,
            "buy_dollars": dollars * buy, "sell_dollars": dollars * sell, "changed": changed,
            "retail": size * (kind == Participant.RETAIL), "institutional": size * (kind == Participant.INSTITUTIONAL),
            "block": ticks["is_block_trade"], "odd_lot": ticks["is_odd_lot"],
            "first_half": size * (time < middle), "opening": size * (time < start + 30 * SECOND_NS),
            "closing": size * (time >= end - 30 * SECOND_NS),
        },
        copy=False,
    )  # fmt: skip


def _sums(groups: Any) -> pd.DataFrame:
    """One aggregation per bar."""
    return pd.DataFrame(
        groups.agg(
            first_tick_time=("time", "first"), last_tick_time=("time", "last"),
            open=("q_price", "first"), high=("hl_price", "max"), low=("hl_price", "min"), close=("q_price", "last"),
            volume=("size", "sum"), tick_count=("size", "size"), qualified_tick_count=("q", "sum"),
            qualified_volume=("q_size", "sum"), q_total=("q_total", "last"), last_total=("total_volume", "last"),
            dollar_volume=("dollars", "sum"), q_dollars=("q_dollars", "sum"),
            avg_spread=("spread", "mean"), avg_spread_bps=("bps", "mean"), quoted_tick_count=("spread", "count"),
            effective_spread_mean=("effective", "mean"),
            unlocked_tick_count=("strict", "sum"), at_midpoint=("at_midpoint", "sum"), inside=("inside", "sum"),
            buy_volume=("buy_size", "sum"), sell_volume=("sell_size", "sum"),
            buy_tick_count=("buy", "sum"), sell_tick_count=("sell", "sum"),
            buy_dollar_volume=("buy_dollars", "sum"), sell_dollar_volume=("sell_dollars", "sum"),
            changes=("changed", "sum"), retail=("retail", "sum"), institutional=("institutional", "sum"),
            block_trade_count=("block", "sum"), odd_lot_count=("odd_lot", "sum"),
            first_half_volume=("first_half", "sum"), opening_auction_volume=("opening", "sum"),
            closing_auction_volume=("closing", "sum"),
        ).assign(spread_volatility=groups["spread"].std(ddof=0))
    )  # fmt: skip


def _add_ratios(bars: pd.DataFrame) -> None:
    seconds = (bars["timestamp"] - bars["bar_start"]) / SECOND_NS
    volume, count = bars["volume"], bars["tick_count"]
    bars["total_volume"] = bars["q_total"].fillna(bars["last_total"])
    bars["vwap"] = bars["q_dollars"] / bars["qualified_volume"].where(bars["qualified_volume"] > 0)
    bars["typical_price"] = (bars["high"] + bars["low"] + bars["close"]) / 3
    strict = bars["unlocked_tick_count"].where(bars["unlocked_tick_count"] > 0)
    bars["at_midpoint_rate"] = bars["at_midpoint"] / strict
    bars["price_improvement_rate"] = bars["inside"] / strict
    bars["avg_trade_size"] = volume / count
    bars["trade_frequency"] = count * 60 / seconds
    bars["quote_intensity"] = (bars["changes"] / seconds).where(bars["quoted_tick_count"] > 0)
    bars["retail_volume_pct"] = bars["retail"] / volume
    bars["institutional_volume_pct"] = bars["institutional"] / volume
    bars["second_half_volume"] = volume - bars["first_half_volume"]
    bars["temporal_concentration"] = (bars["first_half_volume"] - bars["second_half_volume"]).abs() / volume


def _add_shape(bars: pd.DataFrame) -> None:
    bars["range"] = bars["high"] - bars["low"]
    bars["change"] = bars["close"] - bars["open"]
    bars["change_pct"] = bars["change"] / bars["open"]
    bars["direction"] = pd.Series(np.sign(bars["change"])).fillna(0).astype("int8")
    for name, of in (("volume", "volume"), ("tick", "tick_count"), ("dollar", "dollar_volume")):
        buy, sell = bars[f"buy_{of}"], bars[f"sell_{of}"]
        both = buy + sell
        bars[f"{name}_imbalance"] = (buy - sell) / both.where(both != 0)
    parts = pd.DataFrame(
        {
            "trades": (2 * bars["trade_frequency"]).clip(upper=100),
            "spread": (100 - bars["avg_spread_bps"]).clip(lower=0),
            "size": (bars["avg_trade_size"] / 10).clip(upper=100),
        }
    )
    weights = pd.Series([0.3, 0.4, 0.3], index=parts.columns)
    bars["liquidity_score"] = (parts * weights).sum(axis=1) / (parts.notna() * weights).sum(axis=1)


def _add_closing(bars: pd.DataFrame, length: int) -> None:
    short = bars["timestamp"] - bars["bar_start"] < length
    window = bars.index.to_numpy()
    for name in ("threshold", "overflow", "efficiency", "theta", "expected_theta"):
        bars[name] = np.nan
    bars["bar_index"] = np.arange(len(bars), dtype="uint32")
    bars["gaps"] = np.diff(window, prepend=-1) - 1
    bars["trigger_direction"] = np.int8(0)
    bars["is_complete"] = ~short
    bars["is_warm_up"] = False
    bars["is_phantom"] = False
    bars["close_reason"] = np.where(short, CloseReason.SESSION_END, CloseReason.TIME)

"""Enrichment to the 42 columns the way a pandas user writes it: one frame, one vectorised expression per column."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.schema.codes import IQFEED_CONDITIONS, MARKET_CENTER_EXCHANGE, Participant, Session
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS

CONDITIONS = ["condition_1", "condition_2", "condition_3", "condition_4"]
CARRIED = {
    "tick_id": "tick_id", "last": "price", "last_sz": "size", "last_type": "basis", "mkt_ctr": "market_center",
    "tot_vlm": "total_volume", "bid": "bid", "ask": "ask",
    "cond1": "condition_1", "cond2": "condition_2", "cond3": "condition_3", "cond4": "condition_4",
}  # fmt: skip
BASIS_CODES = {"C": 67, "E": 69, "O": 79, "S": 83}


def raw_frame(raw: dict[str, NDArray[Any]]) -> pd.DataFrame:
    """Raw ticks as a frame, the basis as a category (half the work of strings)."""
    frame = pd.DataFrame({name: column for name, column in raw.items() if name not in ("date", "last_type")})
    frame["last_type"] = pd.Categorical(raw["last_type"].astype("U1"), categories=list(BASIS_CODES))
    return frame


def enrich(frame: pd.DataFrame, date: dt.date) -> pd.DataFrame:
    """The stored enriched columns under the default profiles."""
    frame = frame.sort_values("time", kind="stable", ignore_index=True)
    out = frame.rename(columns=CARRIED)
    out["basis"] = out["basis"].map(BASIS_CODES).astype("uint8")
    out = out.astype({"size": "uint32", "market_center": "uint16"})
    midnight = pd.Timestamp(date).tz_localize("America/New_York").tz_convert("UTC").tz_localize(None)
    out["timestamp"] = midnight + pd.to_timedelta(out["time"], unit="us")
    out["tick_sequence"] = out.groupby("time").cumcount().clip(upper=65_535).astype("uint16")
    out["exchange"] = out["market_center"].map(MARKET_CENTER_EXCHANGE).fillna(0).astype("uint8")
    _add_quotes(out)
    _add_flags(out)
    _add_trade_sign(out)
    _add_changes(out)
    _add_sessions(out, date)
    return out[[column.name for column in ENRICHED_TICKS.stored]]


def _add_quotes(out: pd.DataFrame) -> None:
    out["bid"] = out["bid"].where(out["bid"] > 0)
    out["ask"] = out["ask"].where(out["ask"] > 0)
    out["spread"] = out["ask"] - out["bid"]
    out["midpoint"] = (out["bid"] + out["ask"]) / 2
    relative = out["spread"] / out["midpoint"]
    out["spread_bps"] = (relative * 10_000).astype("float32")
    out["spread_pct"] = relative.astype("float32")
    out["effective_spread"] = 2 * (out["price"] - out["midpoint"]).abs()


def _carries(out: pd.DataFrame, codes: frozenset[int]) -> pd.Series[bool]:
    found = (out[CONDITIONS[0]] == 0) & False
    for name in CONDITIONS:
        # Comparing with one code takes a tenth of the time of isin.
        found |= out[name] == min(codes) if len(codes) == 1 else out[name].isin(codes)
    return found


def _add_flags(out: pd.DataFrame) -> None:
    codes = IQFEED_CONDITIONS
    out["is_regular"] = True
    for name in CONDITIONS:
        out["is_regular"] &= (out[name] == 0) | (out[name] == min(codes.regular))
    out["is_extended_hours"] = _carries(out, codes.extended_hours)
    out["is_odd_lot"] = _carries(out, codes.odd_lot)
    out["is_intermarket_sweep"] = _carries(out, codes.intermarket_sweep)
    out["is_derivatively_priced"] = _carries(out, codes.derivatively_priced)
    out["is_block_trade"] = out["size"] >= 10_000
    size, institutional, retail = out["size"], Participant.INSTITUTIONAL, Participant.RETAIL
    out["participant_type"] = np.select(
        [out["is_block_trade"], out["is_odd_lot"], out["is_intermarket_sweep"], size >= 1_000, size <= 100],
        [institutional, retail, Participant.ALGO, institutional, retail],
        default=Participant.UNKNOWN,
    ).astype("uint8")
    out["is_qualified"] = out["basis"].isin([BASIS_CODES["C"], BASIS_CODES["E"]])
    out["sets_high_low"] = out["is_qualified"]
    out["counts_volume"] = True


def _add_trade_sign(out: pd.DataFrame) -> None:
    price = out["price"]
    previous = price.shift()
    different = previous.where(previous != price).ffill()
    by_quote = (out["ask"] > out["bid"]) & (out["effective_spread"] > 1e-9)
    reference = out["midpoint"].where(by_quote, different)
    sign = pd.Series(np.sign(price - reference)).fillna(0)
    sign = sign.mask(_carries(out, IQFEED_CONDITIONS.no_aggressor), 0)
    out["trade_sign"] = sign.astype("int8")
    out["trade_sign_method"] = np.select([sign == 0, by_quote], [0, 1], default=2).astype("uint8")
    out["price_improvement"] = sign * (out["midpoint"] - price)


def _add_changes(out: pd.DataFrame) -> None:
    price = out["price"]
    previous = price.shift()
    change = price - previous
    out["price_change"] = change
    out["tick_direction"] = pd.Series(np.sign(change)).fillna(0).astype("int8")
    out["price_change_bps"] = (change / previous * 10_000).astype("float32")
    out["log_return"] = np.log(price / previous).astype("float32")
    out["dollar_volume"] = price * out["size"]
    total = out["total_volume"].astype("int64")
    out["volume_rate"] = (total - total.shift(fill_value=0)).clip(lower=0).astype("uint64")
    out["trade_pct_of_day"] = (out["size"] / total).astype("float32")


def _add_sessions(out: pd.DataFrame, date: dt.date) -> None:
    hours = trading_calendar.session(date)
    time = out["time"]
    edges = [-1, hours.pre_open_us - 1, hours.open_us - 1, hours.close_us - 1, hours.after_close_us - 1, 86_400_000_000]
    labels = [Session.CLOSED, Session.PRE, Session.REGULAR, Session.AFTER, Session.CLOSED]
    session = np.array(labels, dtype="uint8")[pd.cut(time, edges, labels=False)]
    grace = (time >= hours.close_us) & (time <= hours.close_us + 15 * 60 * 1_000_000)
    auction = grace & _carries(out, IQFEED_CONDITIONS.closing_print)
    out["session"] = np.where(auction, np.uint8(Session.REGULAR), session)

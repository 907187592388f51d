"""Time bars computed bar by bar in plain Python.

Written from the data contract and the column descriptions, not from the code under test. Instants are nanoseconds
since 1970 UTC; null floats are NaN.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Any

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.schema.codes import CloseReason, Participant, Session
from tests.oracles.enrichment import is_midpoint

Tick = dict[str, Any]
Bar = dict[str, Any]

NAN = math.nan
SECOND_NS = 1_000_000_000
AUCTION_NS = 30 * SECOND_NS


@dataclass(frozen=True)
class BarSession:
    """A session that bars are built for: [start, end) and the session codes of its ticks."""

    start: int
    end: int
    members: frozenset[Session]


def bar_sessions(trading_date: dt.date, names: Iterable[str]) -> list[BarSession]:
    """The named sessions of a date in time order."""
    hours = trading_calendar.session(trading_date)
    pre, market, close, after = (
        int(instant.timestamp()) * SECOND_NS for instant in (hours.pre_open, hours.open, hours.close, hours.after_close)
    )
    everything = frozenset({Session.PRE, Session.REGULAR, Session.AFTER})
    known = {
        "pre": BarSession(pre, market, frozenset({Session.PRE})),
        "regular": BarSession(market, close, frozenset({Session.REGULAR})),
        "after": BarSession(close, after, frozenset({Session.AFTER})),
        "all": BarSession(pre, after, everything),
    }
    return sorted((known[name] for name in names), key=lambda session: session.start)


def time_bars(
    enriched: Mapping[str, Sequence[Any]],
    trading_date: dt.date,
    interval: int,
    sessions: Iterable[str] = ("regular",),
    *,
    symbol: str = "",
) -> list[Bar]:
    """Bars of one interval [s] (0: one bar a session) of one date, empty windows skipped.

    ``enriched`` holds the columns of ``ENRICHED_TICKS`` in time order, as arrays or as lists.
    """
    ticks = rows_of(enriched)
    bars: list[Bar] = []
    for session in bar_sessions(trading_date, sessions):
        counted = [tick for tick in ticks if tick["session"] in session.members and tick["counts_volume"]]
        mark_quote_changes(counted)
        length = interval * SECOND_NS or session.end - session.start
        windows: dict[int, list[Tick]] = {}
        for tick in counted:
            windows.setdefault(window_of(tick["timestamp"], session, length), []).append(tick)
        expected = 0
        for number, members in windows.items():
            start = session.start + number * length
            end = min(start + length, session.end)
            bar = {"symbol": symbol, "family": "time", "parameter": interval_name(interval), "bar_index": len(bars)}
            bar |= bar_columns(members, start, end, session)
            cut_short = end - start < length
            bar |= close_columns(cut_short=cut_short, gaps=number - expected)
            bars.append(bar)
            expected = number + 1
    return bars


def rows_of(enriched: Mapping[str, Sequence[Any]]) -> list[Tick]:
    """One dictionary a tick; instants become integers."""
    columns = {}
    for name, column in enriched.items():
        values = column.astype("int64") if getattr(column, "dtype", None) == "datetime64[ns]" else column  # type: ignore[attr-defined]
        columns[name] = values.tolist() if hasattr(values, "tolist") else list(values)
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def window_of(timestamp: int, session: BarSession, length: int) -> int:
    """Number of the window a tick falls in; from the session's end on (closing auction) it is the last one."""
    last = math.ceil((session.end - session.start) / length) - 1
    return last if timestamp >= session.end else (timestamp - session.start) // length


def interval_name(interval: int) -> str:
    """``60`` -> ``1m``: the longest unit that divides it."""
    if interval == 0:
        return "1d"
    for seconds, unit in ((3600, "h"), (60, "m")):
        if interval % seconds == 0:
            return f"{interval // seconds}{unit}"
    return f"{interval}s"


def mark_quote_changes(counted: list[Tick]) -> None:
    """Set ``quote_changed`` on every counted tick of a session; before the first there is no quote."""
    before: tuple[float | None, float | None] = (None, None)
    for tick in counted:
        quote = tuple(None if math.isnan(side) else side for side in (tick["bid"], tick["ask"]))
        tick["quote_changed"] = quote != before
        before = quote  # type: ignore[assignment]


def bar_columns(ticks: list[Tick], start: int, end: int, session: BarSession) -> Bar:
    """Every column that is computed from the ticks of the bar."""
    minutes = (end - start) / SECOND_NS / 60
    bar: Bar = {
        "bar_start": start,
        "timestamp": end,
        "first_tick_time": ticks[0]["timestamp"],
        "last_tick_time": ticks[-1]["timestamp"],
    }
    bar |= price_columns(ticks)
    bar |= spread_columns(ticks)
    bar |= flow_columns(ticks)
    bar["avg_trade_size"] = bar["volume"] / bar["tick_count"]
    bar["trade_frequency"] = bar["tick_count"] / minutes
    changes = sum(tick["quote_changed"] for tick in ticks)
    bar["quoted_tick_count"] = sum(0 < tick["bid"] <= tick["ask"] for tick in ticks)
    bar["unlocked_tick_count"] = sum(0 < tick["bid"] < tick["ask"] for tick in ticks)
    bar["quote_intensity"] = changes / (minutes * 60) if bar["quoted_tick_count"] else NAN
    bar |= participant_columns(ticks, bar["volume"])
    bar |= timing_columns(ticks, start, end, session)
    bar |= shape_columns(bar)
    bar["liquidity_score"] = liquidity_score(bar["trade_frequency"], bar["avg_spread_bps"], bar["avg_trade_size"])
    return bar


def price_columns(ticks: list[Tick]) -> Bar:
    """Open to typical price."""
    qualified = [tick for tick in ticks if tick["is_qualified"]]
    extremes = [tick["price"] for tick in ticks if tick["sets_high_low"]]
    qualified_volume = sum(tick["size"] for tick in qualified)
    opened, closed = (qualified[0]["price"], qualified[-1]["price"]) if qualified else (NAN, NAN)
    high, low = (max(extremes), min(extremes)) if extremes else (NAN, NAN)
    return {
        "open": opened,
        "high": high,
        "low": low,
        "close": closed,
        "volume": sum(tick["size"] for tick in ticks),
        "tick_count": len(ticks),
        "qualified_tick_count": len(qualified),
        "qualified_volume": qualified_volume,
        "total_volume": (qualified or ticks)[-1]["total_volume"],
        "dollar_volume": math.fsum(tick["price"] * tick["size"] for tick in ticks),
        "vwap": ratio(math.fsum(tick["price"] * tick["size"] for tick in qualified), qualified_volume),
        "typical_price": (high + low + closed) / 3,
    }


def spread_columns(ticks: list[Tick]) -> Bar:
    """Means over ticks with a usable quote; rates over those whose bid is below the ask."""
    usable = [tick for tick in ticks if 0 < tick["bid"] <= tick["ask"]]
    wide = [tick for tick in usable if tick["bid"] < tick["ask"]]
    at_midpoint = [tick for tick in wide if is_midpoint(tick["price"], tick["bid"], tick["ask"])]
    inside = [tick for tick in wide if tick["bid"] < tick["price"] < tick["ask"]]
    return {
        "avg_spread": mean([tick["spread"] for tick in usable]),
        "avg_spread_bps": mean([tick["spread"] / tick["midpoint"] * 10_000 for tick in usable]),
        "spread_volatility": pstdev([tick["spread"] for tick in usable]) if usable else NAN,
        "effective_spread_mean": mean([2 * abs(tick["price"] - tick["midpoint"]) for tick in usable]),
        "at_midpoint_rate": ratio(len(at_midpoint), len(wide)),
        "price_improvement_rate": ratio(len(inside), len(wide)),
    }


def flow_columns(ticks: list[Tick]) -> Bar:
    """Buyer- and seller-initiated sums."""
    columns: Bar = {}
    for side, sign in (("buy", 1), ("sell", -1)):
        signed = [tick for tick in ticks if tick["trade_sign"] == sign]
        columns[f"{side}_volume"] = sum(tick["size"] for tick in signed)
        columns[f"{side}_tick_count"] = len(signed)
        columns[f"{side}_dollar_volume"] = math.fsum(tick["price"] * tick["size"] for tick in signed)
    return columns


def participant_columns(ticks: list[Tick], volume: int) -> Bar:
    """Who traded, by the participant heuristic."""

    def share(kind: Participant) -> float:
        return ratio(sum(tick["size"] for tick in ticks if tick["participant_type"] == kind), volume)

    return {
        "retail_volume_pct": share(Participant.RETAIL),
        "institutional_volume_pct": share(Participant.INSTITUTIONAL),
        "block_trade_count": sum(tick["size"] >= 10_000 for tick in ticks),
        "odd_lot_count": sum(tick["is_odd_lot"] for tick in ticks),
    }


def timing_columns(ticks: list[Tick], start: int, end: int, session: BarSession) -> Bar:
    """When in the bar and in the session the volume came."""
    middle = start + (end - start) / 2
    volume = sum(tick["size"] for tick in ticks)
    first = sum(tick["size"] for tick in ticks if tick["timestamp"] < middle)
    second = sum(tick["size"] for tick in ticks if tick["timestamp"] >= middle)
    return {
        "first_half_volume": first,
        "second_half_volume": second,
        "temporal_concentration": ratio(abs(first - second), volume),
        "opening_auction_volume": sum(t["size"] for t in ticks if t["timestamp"] < session.start + AUCTION_NS),
        "closing_auction_volume": sum(t["size"] for t in ticks if t["timestamp"] >= session.end - AUCTION_NS),
    }


def shape_columns(bar: Bar) -> Bar:
    """Columns that follow from others of the bar."""
    opened, closed = bar["open"], bar["close"]
    columns: Bar = {
        "range": bar["high"] - bar["low"],
        "direction": (closed > opened) - (closed < opened),
        "change": closed - opened,
        "change_pct": ratio(closed - opened, opened),
    }
    for name, of in (("volume", "volume"), ("tick", "tick_count"), ("dollar", "dollar_volume")):
        buy, sell = bar[f"buy_{of}"], bar[f"sell_{of}"]
        columns[f"{name}_imbalance"] = ratio(buy - sell, buy + sell)
    return columns


def liquidity_score(trades_per_minute: float, spread_bps: float, trade_size: float) -> float:
    """0-100; parts that are null are left out and the weights of the others rescaled."""
    parts = [
        (0.3, min(100.0, 2 * trades_per_minute)),
        (0.4, max(0.0, 100 - spread_bps) if not math.isnan(spread_bps) else NAN),
        (0.3, min(100.0, trade_size / 10)),
    ]
    known = [(weight, value) for weight, value in parts if not math.isnan(value)]
    return sum(weight * value for weight, value in known) / sum(weight for weight, _ in known)


def close_columns(*, cut_short: bool, gaps: int) -> Bar:
    """Why the bar closed; thresholds belong to other families."""
    return {
        "threshold": NAN,
        "overflow": NAN,
        "efficiency": NAN,
        "theta": NAN,
        "expected_theta": NAN,
        "trigger_direction": 0,
        "gaps": gaps,
        "is_complete": not cut_short,
        "is_warm_up": False,
        "is_phantom": False,
        "close_reason": int(CloseReason.SESSION_END if cut_short else CloseReason.TIME),
    }


def mean(values: list[float]) -> float:
    """Mean, NaN of nothing."""
    return fmean(values) if values else NAN


def ratio(part: float, whole: float) -> float:
    """``part / whole``, NaN when the whole is zero."""
    return part / whole if whole else NAN

"""The 42 enriched columns computed one tick at a time in plain Python.

Written from the data contract and the column descriptions, not from the kernels: a second opinion that the kernels
are compared with. Slow on purpose; easy to read comes first.
"""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.codes import (
    MARKET_CENTER_EXCHANGE,
    ConditionCodes,
    Exchange,
    Participant,
    Session,
    SignMethod,
)

Tick = dict[str, Any]

NAN = math.nan
SECOND_US = 1_000_000
TICK_SEQUENCE_MAX = 65_535  # the column is uint16

# Sale conditions of the consolidated tape by what one of them takes away (CTS v2.11b, UTP v4.1), as IQFeed codes.
SIP_NEVER_LAST_NOR_HIGH_LOW = {
    0x05,  # average price
    0x06,  # cash
    0x08, 0x11,  # next day
    0x14,  # seller
    0x17, 0x3A,  # extended hours; the same, sold out of sequence
    0x2E, 0x39,  # official close, official open
    0x36, 0x44,  # contingent
    0x43,  # price variation
    0x87,  # odd lot
    0x89,  # qualified contingent
}  # fmt: skip
SIP_LAST_ONLY_IF_FIRST = {0x0A, 0x13, 0x19, 0x3E}  # bunched sold, prior reference, out of sequence, derivative
SIP_SOLD_LAST = 0x10  # may set the last price until ten seconds after the close
SIP_NO_VOLUME = {0x2E, 0x39, 0x88}  # official close, official open, corrected consolidated close


@dataclass
class Before:
    """What is remembered of the ticks before."""

    time: int | None = None
    price: float | None = None
    total_volume: int = 0
    sequence: int = 0
    prices: list[float] = field(default_factory=list)
    last_sale_seen: bool = False


def enrich(raw: Arrays, trading_date: dt.date, conditions: ConditionCodes, eligibility: str) -> dict[str, list[Any]]:
    """Every stored enriched column as a list, in stable time order.

    ``raw`` holds the 14 columns of ``RAW_TICKS`` in arrival order. ``timestamp`` is nanoseconds since 1970 UTC.
    """
    names = list(raw)
    ticks = [dict(zip(names, values, strict=True)) for values in zip(*(raw[n].tolist() for n in names), strict=True)]
    ticks.sort(key=lambda tick: tick["time"])  # Python's sort keeps the arrival order of equal times
    before = Before()
    rows = [enrich_tick(tick, before, trading_date, conditions, eligibility) for tick in ticks]
    return {name: [row[name] for row in rows] for name in rows[0]} if rows else {}


def enrich_tick(
    tick: Tick, before: Before, trading_date: dt.date, conditions: ConditionCodes, eligibility: str
) -> Tick:
    """The enriched columns of one tick; ``before`` is moved on."""
    codes = {tick[name] for name in ("cond1", "cond2", "cond3", "cond4")} - {0}
    row: Tick = carried(tick, trading_date)
    row |= quote_columns(row["price"], row["bid"], row["ask"])
    row |= change_columns(row["price"], before.price)
    row["tick_sequence"] = tick_sequence(tick["time"], before)
    row["trade_sign"], row["trade_sign_method"] = trade_sign(row, codes, conditions, before.prices)
    row["price_improvement"] = row["trade_sign"] * (row["midpoint"] - row["price"])
    row["dollar_volume"] = row["price"] * tick["last_sz"]
    row["volume_rate"] = max(0, tick["tot_vlm"] - before.total_volume)
    row["trade_pct_of_day"] = tick["last_sz"] / tick["tot_vlm"] if tick["tot_vlm"] > 0 else NAN
    row["session"] = int(session_of(tick["time"], codes, conditions, trading_date))
    row |= flags(tick["last_sz"], codes, conditions)
    row["participant_type"] = int(participant(tick["last_sz"], codes, conditions))
    row |= eligibility_columns(tick, codes, eligibility, before.last_sale_seen, trading_date)

    before.time = tick["time"]
    before.price = row["price"]
    before.total_volume = tick["tot_vlm"]
    before.sequence = row["tick_sequence"]
    before.prices.append(row["price"])
    before.last_sale_seen = before.last_sale_seen or row["is_qualified"]
    return row


def carried(tick: Tick, trading_date: dt.date) -> Tick:
    """Columns that come from the raw tick under another name or type."""
    midnight = dt.datetime.combine(trading_date, dt.time(), ZoneInfo("America/New_York"))
    return {
        "timestamp": int(midnight.timestamp()) * 1_000_000_000 + tick["time"] * 1_000,
        "tick_id": tick["tick_id"],
        "price": tick["last"],
        "size": tick["last_sz"],
        "basis": ord(tick["last_type"]),
        "market_center": tick["mkt_ctr"],
        "total_volume": tick["tot_vlm"],
        "bid": tick["bid"] if tick["bid"] > 0 else NAN,
        "ask": tick["ask"] if tick["ask"] > 0 else NAN,
        "condition_1": tick["cond1"],
        "condition_2": tick["cond2"],
        "condition_3": tick["cond3"],
        "condition_4": tick["cond4"],
        "exchange": int(MARKET_CENTER_EXCHANGE.get(tick["mkt_ctr"], Exchange.OTHER)),
    }


def quote_columns(price: float, bid: float, ask: float) -> Tick:
    """Spread columns; all null when either side of the quote is missing."""
    spread = ask - bid
    midpoint = (bid + ask) / 2
    return {
        "spread": spread,
        "midpoint": midpoint,
        "spread_bps": spread / midpoint * 10_000,
        "spread_pct": spread / midpoint,
        "effective_spread": 2 * abs(price - midpoint),
    }


def change_columns(price: float, previous: float | None) -> Tick:
    """Changes from the previous tick of the date."""
    if previous is None:
        return {"tick_direction": 0, "price_change": NAN, "price_change_bps": NAN, "log_return": NAN}
    return {
        "tick_direction": (price > previous) - (price < previous),
        "price_change": price - previous,
        "price_change_bps": (price - previous) / previous * 10_000,
        "log_return": math.log(price / previous),
    }


def tick_sequence(time: int, before: Before) -> int:
    """0, 1, 2… within ticks of equal time."""
    return min(before.sequence + 1, TICK_SEQUENCE_MAX) if time == before.time else 0


def trade_sign(row: Tick, codes: set[int], conditions: ConditionCodes, earlier: list[float]) -> tuple[int, int]:
    """Lee-Ready: against the midpoint, else against the last different price; prints without aggressor have none."""
    price = row["price"]
    if codes & conditions.no_aggressor:
        return 0, int(SignMethod.NONE)
    if 0 < row["bid"] < row["ask"] and not is_midpoint(price, row["bid"], row["ask"]):
        return (1 if price > row["midpoint"] else -1), int(SignMethod.QUOTE)
    for other in reversed(earlier):
        if other != price:
            return (1 if price > other else -1), int(SignMethod.TICK_TEST)
    return 0, int(SignMethod.NONE)


def session_of(time: int, codes: set[int], conditions: ConditionCodes, trading_date: dt.date) -> Session:
    """Session of a tick; a closing print up to 15 minutes after the close is regular."""
    hours = trading_calendar.session(trading_date)
    if codes & conditions.closing_print and hours.close_us <= time <= hours.close_us + 15 * 60 * SECOND_US:
        return Session.REGULAR
    if hours.pre_open_us <= time < hours.open_us:
        return Session.PRE
    if hours.open_us <= time < hours.close_us:
        return Session.REGULAR
    if hours.close_us <= time < hours.after_close_us:
        return Session.AFTER
    return Session.CLOSED


def flags(size: int, codes: set[int], conditions: ConditionCodes) -> Tick:
    """Yes or no by condition code, whatever its position."""
    return {
        "is_regular": not codes - conditions.regular,
        "is_extended_hours": bool(codes & conditions.extended_hours),
        "is_odd_lot": bool(codes & conditions.odd_lot),
        "is_intermarket_sweep": bool(codes & conditions.intermarket_sweep),
        "is_derivatively_priced": bool(codes & conditions.derivatively_priced),
        "is_block_trade": size >= 10_000,
    }


def participant(size: int, codes: set[int], conditions: ConditionCodes) -> Participant:
    """The first rule that holds, in the order of the contract."""
    rules = (
        (size >= 10_000, Participant.INSTITUTIONAL),
        (bool(codes & conditions.odd_lot), Participant.RETAIL),
        (bool(codes & conditions.intermarket_sweep), Participant.ALGO),
        (size >= 1_000, Participant.INSTITUTIONAL),
        (size <= 100, Participant.RETAIL),
    )
    return next((kind for holds, kind in rules if holds), Participant.UNKNOWN)


def eligibility_columns(
    tick: Tick, codes: set[int], profile: str, last_sale_seen: bool, trading_date: dt.date
) -> dict[str, bool]:
    """What the tick may set: last, high and low, volume."""
    if profile == "all":
        last, high_low, volume = True, True, True
    elif profile == "iqfeed":
        last = high_low = tick["last_type"] in (b"C", b"E")
        volume = True
    elif profile == "sip":
        high_low = not codes & SIP_NEVER_LAST_NOR_HIGH_LOW
        last = high_low
        if codes & SIP_LAST_ONLY_IF_FIRST and last_sale_seen:
            last = False
        grace = trading_calendar.session(trading_date).close_us + 10 * SECOND_US
        if SIP_SOLD_LAST in codes and tick["time"] > grace:
            last = False
        volume = not codes & SIP_NO_VOLUME
    else:
        raise ValueError(f"no eligibility profile {profile!r}")
    return {"is_qualified": last, "sets_high_low": high_low, "counts_volume": volume}


def is_midpoint(price: float, bid: float, ask: float) -> bool:
    """Exact in decimal: the numbers that were written, not their binary neighbours."""
    return 2 * Decimal(repr(price)) == Decimal(repr(bid)) + Decimal(repr(ask))

"""The tape of one simulated symbol-day: orders become prints, prints become the 14 raw columns.

Belongs here: the assembly of a day from its three sessions and two auctions, and the bookkeeping columns
(``tick_id``, ``tot_vlm``). The pieces it assembles live in the other modules of this package.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.simulator import arrivals, price_paths, print_types, quotes
from fuzzy_pipeline.simulator.arrivals import OrderMix
from fuzzy_pipeline.simulator.characters import ARCA, Character, character
from fuzzy_pipeline.simulator.random_streams import random_stream
from fuzzy_pipeline.trading_calendar import Session

REGULAR_MIX = OrderMix((0.1455, 0.3670, 0.4875), (2.80, 1.60, 1.25), (0.22, 0.08, 0.04))
EXTENDED_MIX = OrderMix((0.22, 0.30, 0.48), (1.50, 1.20, 1.15), (0.10, 0.05, 0.02))
PRE_SHARE, AFTER_SHARE = 0.044, 0.021
"""Shares of a day's ticks before the open and after the close, as in the 2021 capture."""

PRE_VOLATILITY, AFTER_VOLATILITY = 0.3, 0.1
"""Standard deviation of the symbol's own walk before the open and after the close, relative to the open session's."""

LONGEST_AFTER_US = 4 * 3_600_000_000
"""On half days the exchanges' after-hours session ends four hours after the close, at 17:00."""

OPEN_SHARE, CLOSE_SHARE = 0.015, 0.06
_FULL_SESSION_US = 390 * 60_000_000


@dataclass(frozen=True, slots=True)
class Prints:
    """Prints in time order: µs since midnight ET, prices in ten-thousandths of a dollar, shares, code row."""

    time: NDArray[np.int64]
    price: NDArray[np.int64]
    size: NDArray[np.uint64]
    venue: NDArray[np.uint32]
    combination: NDArray[np.uint8]
    bid: NDArray[np.int64]
    ask: NDArray[np.int64]


def simulate_day(seed: int, symbol: str, date: dt.date, ticks_per_day: int) -> dict[str, NDArray[Any]]:
    """The 14 raw columns of one symbol and trading date, in arrival order.

    Parameters
    ----------
    seed : int
        Seed of the market.
    symbol : str
        Any name; it decides the symbol's character.
    date : date
        A trading date; on a half day there are as many fewer ticks as the session is shorter.
    ticks_per_day : int
        Mean ticks of a full day over symbols.

    Returns
    -------
    dict[str, array]
        The columns of ``schema.RAW_TICKS`` with their dtypes.

    Raises
    ------
    CalendarError
        The date does not trade.
    """
    hours = trading_calendar.session(date)
    traits = character(seed, symbol)
    rng = random_stream(seed, "tape", symbol, date)
    length = (hours.close_us - hours.open_us) / _FULL_SESSION_US
    n = max(20, round(ticks_per_day * traits.activity * length * float(np.exp(rng.normal(-0.02, 0.2)))))
    levels = price_paths.day_levels(seed, symbol, date, traits.own_volatility)
    n_pre, n_after = round(n * PRE_SHARE), round(n * AFTER_SHARE)
    pre = _pre_market(seed, rng, traits, hours, levels, n_pre)
    regular = _regular_session(seed, rng, traits, hours, levels, n - n_pre - n_after)
    after = _after_hours(seed, rng, traits, hours, levels, n_after)
    return _columns(date, _in_time_order(_join([pre, regular, after])))


# -- the three sessions --------------------------------------------------------------


def _pre_market(
    seed: int, rng: np.random.Generator, traits: Character, hours: Session, levels: price_paths.DayLevels, n: int
) -> Prints:
    kinds, sizes = arrivals.draw_orders(rng, n, EXTENDED_MIX)
    times = arrivals.extended_order_times(rng, len(kinds), hours.pre_open_us, hours.open_us, towards_end=True)
    sides = quotes.order_sides(rng, len(kinds), traits.side_persistence)
    scale = PRE_VOLATILITY * levels.volatility / np.sqrt(len(kinds) + 1)
    steps = scale * quotes.price_steps(rng, sides, traits.side_persistence)
    own = price_paths.pinned_path(levels.previous_close, levels.open, steps)
    return _print_orders(
        seed, rng, traits, hours, _Orders(kinds, sizes, times, sides, own[:-1], EXTENDED_MIX), hours.open_us
    )


def _after_hours(
    seed: int, rng: np.random.Generator, traits: Character, hours: Session, levels: price_paths.DayLevels, n: int
) -> Prints:
    kinds, sizes = arrivals.draw_orders(rng, n, EXTENDED_MIX)
    end_us = min(hours.after_close_us, hours.close_us + LONGEST_AFTER_US)
    times = arrivals.extended_order_times(rng, len(kinds), hours.close_us, end_us, towards_end=False)
    sides = quotes.order_sides(rng, len(kinds), traits.side_persistence)
    scale = AFTER_VOLATILITY * levels.volatility / np.sqrt(len(kinds) + 1)
    steps = scale * quotes.price_steps(rng, sides, traits.side_persistence)
    own = levels.close + np.cumsum(steps)
    return _print_orders(seed, rng, traits, hours, _Orders(kinds, sizes, times, sides, own, EXTENDED_MIX), end_us)


def _regular_session(
    seed: int, rng: np.random.Generator, traits: Character, hours: Session, levels: price_paths.DayLevels, n: int
) -> Prints:
    """Opening auction, continuous trading, closing auction and the official prints."""
    opening_us = hours.open_us + int(rng.integers(50_000, 400_000))
    kinds, sizes = arrivals.draw_orders(rng, n, REGULAR_MIX)
    # 100 µs leave room for the official open: the auction print is the first of the regular session.
    times = arrivals.regular_order_times(rng, len(kinds), opening_us + 100, hours.close_us)
    sides = quotes.order_sides(rng, len(kinds), traits.side_persistence)
    steps = quotes.price_steps(rng, sides, traits.side_persistence) * (levels.volatility / np.sqrt(len(kinds)))
    own = price_paths.pinned_path(levels.open, levels.close, steps)
    continuous = _print_orders(
        seed, rng, traits, hours, _Orders(kinds, sizes, times, sides, own[:-1], REGULAR_MIX), hours.close_us
    )
    return _with_auctions(rng, traits.listing, hours, opening_us, _in_time_order(continuous))


# -- orders to prints ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Orders:
    """Orders of one session: kind, number of prints, time, side and the symbol's own log level met by each."""

    kind: NDArray[np.uint8]
    n_prints: NDArray[np.int64]
    time: NDArray[np.int64]
    side: NDArray[np.int8]
    own_level: NDArray[np.float64]
    mix: OrderMix


def _print_orders(
    seed: int, rng: np.random.Generator, traits: Character, hours: Session, orders: _Orders, end_us: int
) -> Prints:
    """The prints of a session's orders, order by order; none is stamped at or after ``end_us``."""
    bid, ask = _quotes_met(seed, rng, traits, hours, orders)
    order = np.repeat(np.arange(len(orders.kind)), orders.n_prints)
    kind, side = orders.kind[order], orders.side[order]
    first = (np.cumsum(orders.n_prints) - orders.n_prints)[order]
    pushed = quotes.walk_the_book(rng, kind, first) * quotes.CENT
    bid, ask = bid[order] - np.where(side < 0, pushed, 0), ask[order] + np.where(side > 0, pushed, 0)
    bid = np.maximum(bid, quotes.CENT)
    is_off = kind == arrivals.OFF_EXCHANGE
    price = quotes.place_trades(rng, side, bid, ask, is_off)
    quotes.lock_and_cross(rng, side, bid, ask)
    delays = arrivals.print_delays(rng, orders.kind, orders.n_prints, orders.mix)
    extended = orders.mix is EXTENDED_MIX
    draw = print_types.extended_combinations if extended else print_types.regular_combinations
    combination = draw(rng, kind == arrivals.SWEEP, is_off)
    venue = _venues(rng, traits.listing, kind, first, extended=extended)
    print_types.move_rare_to_their_venue(combination, venue)
    _price_late_prints(rng, price, combination, bid, ask)
    return Prints(
        time=arrivals.print_times(orders.time, orders.n_prints, delays, end_us),
        price=price,
        size=print_types.draw_sizes(rng, combination, is_off, traits.size_scale * (1.2 if extended else 1.0)),
        venue=venue,
        combination=combination,
        bid=bid,
        ask=ask,
    )


def _quotes_met(
    seed: int, rng: np.random.Generator, traits: Character, hours: Session, orders: _Orders
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Bid and ask that each order meets: the quote does not know the order yet, so it has no part of its impact."""
    log_level = traits.beta * price_paths.market_path(seed, hours, orders.time) + orders.own_level
    efficient = traits.base_price * np.exp(log_level)
    typical = efficient * traits.spread_bps / 100.0
    if orders.mix is EXTENDED_MIX:
        typical = 3.0 * typical + 1.0
        wide = 0.5
    else:
        fraction = (orders.time - hours.open_us) / (hours.close_us - hours.open_us)
        typical = typical * (1.0 + 1.5 * np.exp(-fraction / 0.02))
        wide = 0.08
    spread = quotes.spreads_in_cents(rng, typical, wide)
    bid = quotes.quotes_around(efficient, spread)
    return bid, bid + spread * quotes.CENT


def _venues(
    rng: np.random.Generator, listing: int, kind: NDArray[np.uint8], first: NDArray[np.int64], *, extended: bool
) -> NDArray[np.uint32]:
    """Venue of each print: a sweep takes one a print, other orders stay where they are."""
    n = len(kind)
    if extended:
        sweep = lit = print_types.EXTENDED_LIT_MIX
        off = print_types.EXTENDED_OFF_MIX
    else:
        sweep = print_types.lit_venues(listing, sweeps=True)
        lit = print_types.lit_venues(listing, sweeps=False)
        off = print_types.OFF_EXCHANGE_MIX
    of_order = np.where(kind == arrivals.LIT, lit.draw(rng, n), off.draw(rng, n))[first]
    venue: NDArray[np.uint32] = np.where(kind == arrivals.SWEEP, sweep.draw(rng, n), of_order).astype(np.uint32)
    return venue


def _price_late_prints(
    rng: np.random.Generator,
    price: NDArray[np.int64],
    combination: NDArray[np.uint8],
    bid: NDArray[np.int64],
    ask: NDArray[np.int64],
) -> None:
    """Prices that do not belong to the moment: prior reference, average price and derivatively priced, in place."""
    code = print_types.CODE
    late = np.flatnonzero(np.isin(combination, [code["19"], code["1987"]]))
    earlier = np.maximum(late - rng.integers(50, 2_000, len(late)), 0)
    average = np.flatnonzero(combination == code["05"])
    total = np.cumsum(price)
    since = np.maximum(average - 1_000, 0)
    mean = (total[average] - total[since]) // np.maximum(average - since, 1)
    derived = np.isin(combination, [code["3E"], code["3E87"]])
    price[late] = price[earlier]
    price[average] = np.where(average > since, mean, price[average])
    price[derived] = (bid[derived] + ask[derived]) // 2


# -- auctions --------------------------------------------------------------------------


def _with_auctions(
    rng: np.random.Generator, listing: int, hours: Session, opening_us: int, continuous: Prints
) -> Prints:
    """Continuous prints with both auctions and the official open and close of the listing exchange and of Arca."""
    opening, closing = _at(continuous, 0), _at(continuous, -1)
    volume = float(continuous.size.sum())
    closing_us = hours.close_us + int(rng.integers(400_000, 1_000_000))
    official_us = int(rng.integers(8, 40))
    at_open = int(opening.ask[0] if rng.random() < 0.5 else opening.bid[0])
    at_close = int(closing.ask[0] if rng.random() < 0.5 else closing.bid[0])
    opening_size = _auction_size(rng, OPEN_SHARE * volume)
    closing_size = _auction_size(rng, CLOSE_SHARE * volume)
    parts = [
        _single(opening, opening_us, at_open, opening_size, listing, "8A42"),
        _single(opening, opening_us + official_us, at_open, 0, listing, "39"),
        continuous,
        _single(closing, closing_us, at_close, closing_size, listing, "4042"),
        _single(closing, closing_us + official_us, at_close, 0, listing, "2E"),
    ]
    if listing != ARCA:
        open_us = opening_us + int(rng.integers(1_000_000, 5_000_000))
        before = _at(continuous, max(int(np.searchsorted(continuous.time, open_us, side="right")) - 1, 0))
        parts.append(_single(before, open_us, int(before.price[0]), 0, ARCA, "39"))
        close_us = hours.close_us + int(rng.integers(20_000, 80_000))
        parts.append(_single(closing, close_us, int(closing.price[0]), 0, ARCA, "2E"))
    return _in_time_order(_join(parts))


def _auction_size(rng: np.random.Generator, expected: float) -> int:
    return max(100, int(expected * np.exp(rng.normal(-0.045, 0.3))))


def _single(quote: Prints, time_us: int, price: int, size: int, venue: int, pairs: str) -> Prints:
    """One print with the quote of another."""
    return Prints(
        time=np.array([time_us], dtype=np.int64),
        price=np.array([price], dtype=np.int64),
        size=np.array([size], dtype=np.uint64),
        venue=np.array([venue], dtype=np.uint32),
        combination=np.array([print_types.CODE[pairs]], dtype=np.uint8),
        bid=quote.bid,
        ask=quote.ask,
    )


# -- bookkeeping -----------------------------------------------------------------------


def _at(prints: Prints, row: int) -> Prints:
    rows = slice(row, row + 1) if row >= 0 else slice(row, None)
    return Prints(*(getattr(prints, field.name)[rows] for field in fields(Prints)))


def _join(parts: list[Prints]) -> Prints:
    return Prints(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Prints)))


def _in_time_order(prints: Prints) -> Prints:
    order = np.argsort(prints.time, kind="stable")
    return Prints(*(getattr(prints, field.name)[order] for field in fields(Prints)))


def count_within_venue(venue: NDArray[np.uint32]) -> NDArray[np.uint64]:
    """1, 2, 3… for the prints of each venue, in order.

    Examples
    --------
    >>> count_within_venue(np.array([5, 19, 5, 5, 19], dtype=np.uint32)).tolist()
    [1, 1, 2, 3, 2]
    """
    count = np.empty(len(venue), dtype=np.uint64)
    for each in np.unique(venue):
        rows = np.flatnonzero(venue == each)
        count[rows] = np.arange(1, len(rows) + 1, dtype=np.uint64)
    return count


def _columns(date: dt.date, prints: Prints) -> dict[str, NDArray[Any]]:
    conditions = print_types.CONDITIONS[prints.combination]
    return {
        "tick_id": count_within_venue(prints.venue),
        "date": np.full(len(prints.time), np.datetime64(date, "D")),
        "time": prints.time,
        "last": prints.price / 10_000.0,
        "last_sz": prints.size,
        "last_type": print_types.BASIS[prints.combination],
        "mkt_ctr": prints.venue,
        "tot_vlm": np.cumsum(prints.size, dtype=np.uint64),
        "bid": prints.bid / 10_000.0,
        "ask": prints.ask / 10_000.0,
        **{f"cond{n + 1}": np.ascontiguousarray(conditions[:, n]) for n in range(4)},
    }

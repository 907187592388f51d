"""Quotes around the efficient price, and where trades print against them.

Belongs here: spreads, sides, the rounding to the price grid and the placement of trades. Quotes are whole cents;
prices are whole ten-thousandths of a dollar, the resolution of the wire, held as integers until the very end so that
every price is the double nearest to its four decimals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.simulator.arrivals import SWEEP

CENT = 100
"""Ten-thousandths of a dollar in a cent."""

IMPACT_SHARE = 0.3
"""Share of the variance of the efficient price that comes from order flow; the rest is news."""

LOCKED_SHARE, CROSSED_SHARE = 0.0004, 0.0003


@dataclass(frozen=True, slots=True)
class Placement:
    """Shares of trades at the touch, at the midpoint and inside the quote; the rest prints outside it."""

    touch: float
    midpoint: float
    inside: float


ON_EXCHANGE = Placement(touch=0.810, midpoint=0.155, inside=0.032)
OFF_EXCHANGE = Placement(touch=0.390, midpoint=0.215, inside=0.385)


def order_sides(rng: np.random.Generator, n_orders: int, persistence: float) -> NDArray[np.int8]:
    """Sides of orders, +1 buy or -1 sell: each repeats the last one with probability ``persistence``."""
    turns = rng.random(n_orders) >= persistence
    start = 1 if rng.random() < 0.5 else -1
    sides: NDArray[np.int8] = (start * (1 - 2 * (np.cumsum(turns) & 1))).astype(np.int8)
    return sides


def price_steps(rng: np.random.Generator, sides: NDArray[np.int8], persistence: float) -> NDArray[np.float64]:
    """Steps of the efficient price after each order, with mean 0 and variance 1.

    A part follows the *surprise* in the side, what it differs from its expectation given the previous side
    (Madhavan, Richardson and Roomans 1997, RFS 10:1035): order flow persists, the efficient price does not trend.
    """
    expected = (2.0 * persistence - 1.0) * np.concatenate((np.zeros(1), sides[:-1].astype(np.float64)))[: len(sides)]
    surprise = (sides - expected) / np.sqrt(1.0 - (2.0 * persistence - 1.0) ** 2)
    news = rng.standard_normal(len(sides))
    steps: NDArray[np.float64] = np.sqrt(1.0 - IMPACT_SHARE) * news + np.sqrt(IMPACT_SHARE) * surprise
    return steps


def spreads_in_cents(
    rng: np.random.Generator, typical: NDArray[np.float64], wide_probability: float
) -> NDArray[np.int64]:
    """Quoted spread at each order, at least one cent; widenings last for a handful of orders."""
    n = len(typical)
    base = np.maximum(1, np.floor(typical + rng.random(n) * 0.3 + 0.35)).astype(np.int64)
    stretch = np.cumsum(rng.random(n) < 0.2)
    n_stretches = int(stretch[-1]) + 1 if n else 0
    wide = np.where(rng.random(n_stretches) < wide_probability, rng.geometric(0.6, n_stretches), 0)
    spread: NDArray[np.int64] = base + wide[stretch] * np.maximum(1, base // 2)
    return spread


def quotes_around(efficient_usd: NDArray[np.float64], spread_cents: NDArray[np.int64]) -> NDArray[np.int64]:
    """Bid of the quote with the given spread that surrounds the efficient price. [1/10,000 USD], whole cents."""
    cents = np.maximum(efficient_usd * 100.0, 100.0 + spread_cents)
    bid: NDArray[np.int64] = np.floor(cents - (spread_cents - 1) / 2.0).astype(np.int64) * CENT
    return bid


def walk_the_book(rng: np.random.Generator, kinds: NDArray[np.uint8], first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cents by which each print of a sweep has pushed the touch away from where the order met it.

    Parameters
    ----------
    kinds : uint8[n]
        Kind of the order of each print.
    first : int64[n]
        Row of the first print of the same order.
    """
    steps = (rng.random(len(kinds)) < 0.08) & (kinds == SWEEP)
    steps[first] = False
    walk = np.cumsum(steps)
    return np.asarray(walk - walk[first], dtype=np.int64)


def place_trades(
    rng: np.random.Generator,
    sides: NDArray[np.int8],
    bid: NDArray[np.int64],
    ask: NDArray[np.int64],
    is_off: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Price of each trade: touch, midpoint, inside or just outside the quote. [1/10,000 USD]

    On exchanges a price inside the quote is a whole cent (with a one-cent spread: the midpoint); off exchange it
    improves the touch by a fraction of a cent, as wholesalers do for retail orders.
    """
    n = len(sides)
    u = rng.random(n)
    on, off = ON_EXCHANGE, OFF_EXCHANGE
    touch_end = np.where(is_off, off.touch, on.touch)
    mid_end = touch_end + np.where(is_off, off.midpoint, on.midpoint)
    inside_end = mid_end + np.where(is_off, off.inside, on.inside)
    side = sides.astype(np.int64)
    touch = np.where(side > 0, ask, bid)
    middle = (bid + ask) // 2
    half = (ask - bid) // 2
    improvement = 1 + np.floor(rng.random(n) ** 2 * (np.minimum(half, CENT) - 1)).astype(np.int64)
    inside = touch - side * np.where(is_off, improvement, np.minimum(half, CENT))
    outside = touch + side * rng.integers(1, CENT + 1, n)
    placed = np.select([u < touch_end, u < mid_end, u < inside_end], [touch, middle, inside], outside)
    return np.asarray(placed, dtype=np.int64)


def lock_and_cross(
    rng: np.random.Generator, sides: NDArray[np.int8], bid: NDArray[np.int64], ask: NDArray[np.int64]
) -> None:
    """Lock or cross the quote of a few rows in place, never more than 0.07 % of them.

    The side that traded stays, the other moves onto it or a cent beyond.
    """
    n = len(sides)
    n_locked, n_crossed = int(n * LOCKED_SHARE), int(n * CROSSED_SHARE)
    rows = rng.choice(n, n_locked + n_crossed, replace=False) if n_locked + n_crossed else np.zeros(0, dtype=np.int64)
    beyond = np.where(np.arange(len(rows)) < n_locked, 0, CENT)
    buys = sides[rows] > 0
    bid[rows[buys]] = ask[rows[buys]] + beyond[buys]
    ask[rows[~buys]] = bid[rows[~buys]] - beyond[~buys]

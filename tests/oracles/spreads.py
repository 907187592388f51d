"""Spreads trade by trade in plain Python, each later midpoint looked for among all ticks."""

from __future__ import annotations

import math
from dataclasses import dataclass

NAN = math.nan


@dataclass(frozen=True)
class Parts:
    """Effective and realised spread, price impact [USD] and age of the later quote [s] of one trade; NaN: unknown."""

    effective: float = NAN
    realised: float = NAN
    impact: float = NAN
    age_s: float = NAN


def midpoint(bid: float, ask: float) -> float:
    """NaN unless 0 < bid ≤ ask."""
    return (bid + ask) / 2 if 0 < bid <= ask else NAN


def quoted_bps(bid: list[float], ask: list[float]) -> list[float]:
    """Relative spread of each usable quote."""
    pairs = [(b, a) for b, a in zip(bid, ask, strict=True) if 0 < b <= a]
    return [(a - b) / midpoint(b, a) * 10_000 for b, a in pairs]


def percentile(values: list[float], share: float) -> float:
    """Between the two values whose ranks enclose the share, in proportion."""
    ordered = sorted(values)
    rank = share * (len(ordered) - 1)
    low, high = ordered[math.floor(rank)], ordered[math.ceil(rank)]
    return low + (rank - math.floor(rank)) * (high - low)


def parts_of_trade(
    i: int, time: list[int], price: list[float], bid: list[float], ask: list[float], sign: list[int], horizon: int,
    end: int,
) -> Parts:  # fmt: skip
    """Trade i at a horizon [ns]."""
    own = midpoint(bid[i], ask[i])
    until = time[i] + horizon
    if sign[i] == 0 or math.isnan(own) or until > end:
        return Parts()
    quotes = [k for k in range(len(time)) if time[k] <= until and not math.isnan(midpoint(bid[k], ask[k]))]
    last = quotes[-1]
    later = midpoint(bid[last], ask[last])
    return Parts(
        effective=2 * sign[i] * (price[i] - own),
        realised=2 * sign[i] * (price[i] - later),
        impact=2 * sign[i] * (later - own),
        age_s=(until - time[last]) / 1e9,
    )


def means(values: list[float], middles: list[float], shares: list[int]) -> tuple[int, float, float, float, float]:
    """Number of known values, plain and share-weighted mean in USD, the same in bps of the midpoint."""
    known = [(x, m, v) for x, m, v in zip(values, middles, shares, strict=True) if not math.isnan(x)]
    if not known:
        return 0, NAN, NAN, NAN, NAN
    n, volume = len(known), sum(v for _, _, v in known)
    return (
        n,
        math.fsum(x for x, _, _ in known) / n,
        math.fsum(x * v for x, _, v in known) / volume,
        math.fsum(x / m * 10_000 for x, m, _ in known) / n,
        math.fsum(x / m * 10_000 * v for x, m, v in known) / volume,
    )

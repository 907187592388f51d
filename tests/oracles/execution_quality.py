"""Where trades lie in their quotes, one by one, in exact decimal arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction


def place(price: float, bid: float, ask: float) -> str | None:
    """``bid``, ``ask``, ``midpoint``, ``inside`` (but not there) or ``outside``; None unless 0 < bid < ask."""
    if not 0 < bid < ask:  # also with NaN
        return None
    p, b, a = (Fraction(repr(number)) for number in (price, bid, ask))
    if p in (b, a):
        return "bid" if p == b else "ask"
    if not b < p < a:
        return "outside"
    return "midpoint" if 2 * p == a + b else "inside"


def effective_spreads(price: list[float], bid: list[float], ask: list[float]) -> list[float]:
    """2·abs(P − M) of each trade with 0 < bid ≤ ask."""
    trades = zip(price, bid, ask, strict=True)
    return [
        float(abs(2 * Fraction(repr(p)) - Fraction(repr(b)) - Fraction(repr(a)))) for p, b, a in trades if 0 < b <= a
    ]


def rate(hits: int, of: int) -> float:
    """A share, NaN of nothing."""
    return hits / of if of else math.nan

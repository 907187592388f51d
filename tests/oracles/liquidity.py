"""Liquidity of a session in plain Python, prices as the decimal numbers they were written as."""

from __future__ import annotations

import itertools
import math
import statistics
from fractions import Fraction

NAN = math.nan


def least_price_change(price: list[float]) -> float:
    """Least non-zero difference between successive prices; NaN without any."""
    written = [Fraction(repr(p)) for p in price]
    changes = [abs(b - a) for a, b in itertools.pairwise(written) if a != b]
    return float(min(changes)) if changes else NAN


def quote_changes(bid: list[float], ask: list[float]) -> int:
    """Ticks whose quote is not the one before; before the first there is none."""
    quotes = [(None if math.isnan(b) else b, None if math.isnan(a) else a) for b, a in zip(bid, ask, strict=True)]
    before: tuple[float | None, float | None] = (None, None)
    changes = 0
    for quote in quotes:
        changes += quote != before
        before = quote
    return changes


def roll(price: list[float]) -> float:
    """2·√−cov in exact arithmetic; NaN when the covariance is not negative."""
    written = [Fraction(repr(p)) for p in price]
    changes = [b - a for a, b in itertools.pairwise(written)]
    if len(changes) < 3:
        return NAN
    earlier, later = changes[:-1], changes[1:]
    mean_earlier, mean_later = statistics.mean(earlier), statistics.mean(later)
    products = sum((x - mean_earlier) * (y - mean_later) for x, y in zip(earlier, later, strict=True))
    covariance = products / (len(later) - 1)
    return 2 * math.sqrt(-covariance) if covariance < 0 else NAN

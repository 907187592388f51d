"""Venues one by one in plain Python."""

from __future__ import annotations

import math
from dataclasses import dataclass

from tests.oracles.spreads import midpoint


@dataclass(frozen=True)
class Venue:
    """Trades, shares and mean spreads of one exchange code."""

    code: int
    trades: int
    volume: int
    spread: float
    spread_bps: float


def venues(exchange: list[int], size: list[int], bid: list[float], ask: list[float]) -> list[Venue]:
    """Every code with trades, by falling volume, then by code."""
    found = []
    for code in set(exchange):
        rows = [i for i in range(len(exchange)) if exchange[i] == code]
        quoted = [i for i in rows if not math.isnan(midpoint(bid[i], ask[i]))]
        widths = [ask[i] - bid[i] for i in quoted]
        relative = [(ask[i] - bid[i]) / midpoint(bid[i], ask[i]) * 10_000 for i in quoted]
        mean = math.fsum(widths) / len(quoted) if quoted else math.nan
        mean_bps = math.fsum(relative) / len(quoted) if quoted else math.nan
        found.append(Venue(code, len(rows), sum(size[i] for i in rows), mean, mean_bps))
    return sorted(found, key=lambda venue: (-venue.volume, venue.code))

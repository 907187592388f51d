"""Spread changes, minute means, reversion and absolute returns, trade by trade."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

MINUTE_NS = 60_000_000_000


def spread_changes(spread: Sequence[float], size: Sequence[int], sign: Sequence[int]) -> list[tuple[float, int]]:
    """Change to the next known spread and size, of trades with a side and a spread."""
    found = []
    for i, width in enumerate(spread):
        later = [s for s in spread[i + 1 :] if not math.isnan(s)]
        if sign[i] and not math.isnan(width) and later:
            found.append((later[0] - width, size[i]))
    return found


def minute_means(timestamps: Sequence[int], impact: Sequence[float], start: int, end: int) -> list[float]:
    minutes = math.ceil((end - start) / MINUTE_NS)
    members: list[list[float]] = [[] for _ in range(minutes)]
    for time, value in zip(timestamps, impact, strict=True):
        if not math.isnan(value):
            members[min((time - start) // MINUTE_NS, minutes - 1)].append(value)
    return [fmean(inside) if inside else math.nan for inside in members]


def reversion_rate(realised: Sequence[float], effective: Sequence[float], size: Sequence[int]) -> float:
    known = [
        (r, e, v) for r, e, v in zip(realised, effective, size, strict=True) if not (math.isnan(r) or math.isnan(e))
    ]
    return math.fsum(r * v for r, _, v in known) / math.fsum(e * v for _, e, v in known)


def abs_return_bps(timestamps: Sequence[int], price: Sequence[float], horizon: int, end: int) -> float:
    returns = []
    for i, time in enumerate(timestamps):
        if time + horizon <= end:
            later = [p for t, p in zip(timestamps, price, strict=True) if t <= time + horizon][-1]
            returns.append(abs(later - price[i]) / price[i] * 1e4)
    return fmean(returns) if returns else math.nan

"""Trades by side, one by one in plain Python."""

from __future__ import annotations

import math
from collections import Counter


def by_side(price: list[float], size: list[int], sign: list[int]) -> dict[str, dict[int, float]]:
    """``count``, ``volume``, ``dollars`` and ``large`` (≥ 10,000 shares) by sign: +1, −1, 0."""
    found: dict[str, Counter[int]] = {name: Counter() for name in ("count", "volume", "large")}
    dollars: dict[int, list[float]] = {1: [], -1: [], 0: []}
    for p, v, d in zip(price, size, sign, strict=True):
        found["count"][d] += 1
        found["volume"][d] += v
        found["large"][d] += v >= 10_000
        dollars[d].append(p * v)
    sums = {side: math.fsum(values) for side, values in dollars.items()}
    return {**{name: {side: counter[side] for side in (1, -1, 0)} for name, counter in found.items()}, "dollars": sums}

"""CUSUM tests for changes of level, from the definition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean


def level_changes(values: Sequence[float], shortest: int, critical: float, offset: int = 0) -> list[int]:
    """Positions where the level changes, in order."""
    n = len(values)
    if n < 2 * shortest:
        return []
    mean = fmean(values)
    distance = {k: abs(math.fsum(value - mean for value in values[:k])) for k in range(shortest, n - shortest + 1)}
    at = max(distance, key=lambda k: distance[k])
    left, right = values[:at], values[at:]
    residual = [value - fmean(left) for value in left] + [value - fmean(right) for value in right]
    lags = math.floor(4 * (n / 100) ** (2 / 9))
    variance = covariance(residual, 0)
    for lag in range(1, lags + 1):
        variance += 2 * (1 - lag / (lags + 1)) * covariance(residual, lag)
    if distance[at] / math.sqrt(n * variance) <= critical:
        return []
    before = level_changes(left, shortest, critical, offset)
    return [*before, offset + at, *level_changes(right, shortest, critical, offset + at)]


def covariance(residual: Sequence[float], lag: int) -> float:
    return math.fsum(residual[t] * residual[t - lag] for t in range(lag, len(residual))) / len(residual)

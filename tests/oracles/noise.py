"""Grid prices, realised variance and two-scales noise, one price at a time in plain Python."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

NAN = math.nan


def sample_prices(timestamps: Sequence[int], price: Sequence[float], start: int, end: int, step: int) -> list[float]:
    """Open of the first interval with ticks, then the close of every interval; the last takes later ticks too."""
    intervals = math.ceil((end - start) / step)
    members: list[list[float]] = [[] for _ in range(intervals)]
    for time, value in zip(timestamps, price, strict=True):
        members[min(max((time - start) // step, 0), intervals - 1)].append(value)
    out = [NAN] * (intervals + 1)
    current = NAN
    for number, inside in enumerate(members):
        if inside:
            if math.isnan(current):
                out[number] = inside[0]
            current = inside[-1]
        out[number + 1] = current
    return out


def distinct_log_prices(timestamps: Sequence[int], price: Sequence[float]) -> list[float]:
    last_of = dict(zip(timestamps, price, strict=True))
    return [math.log(value) for _, value in sorted(last_of.items())]


def two_scales(log_price: Sequence[float], k: int) -> tuple[float, float, float]:
    """RV_all, TSRV with the small-sample factor, and (RV_all − TSRV) / 2n; each subsample summed on its own."""
    n = len(log_price) - 1
    everything = realised_variance(log_price)
    averaged = sum(realised_variance(log_price[offset::k]) for offset in range(k)) / k
    mean_size = (n - k + 1) / k
    two = (averaged - mean_size / n * everything) / (1 - mean_size / n)
    return everything, two, (everything - two) / (2 * n)


def realised_variance(log_price: Sequence[float]) -> float:
    return math.fsum((b - a) ** 2 for a, b in pairwise(log_price))

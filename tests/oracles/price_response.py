"""Cumulative response, path after trades and spread recovery, each from its definition."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np


def cumulative_impact_bps(midpoint: Sequence[float], sign: Sequence[int], lags: int, steps: int = 3000) -> float:
    """Regress on a written-out design matrix, then let one surprise run through both equations step by step."""
    trades = [(m, d) for m, d in zip(midpoint, sign, strict=True) if d != 0 and not math.isnan(m)]
    r = [math.log(b[0] / a[0]) for a, b in pairwise(trades)]
    x = [float(d) for _, d in trades[:-1]]
    rows = range(lags, len(r))
    past = [[1.0, *(r[t - i] for i in range(1, lags + 1)), *(x[t - i] for i in range(1, lags + 1))] for t in rows]
    of_r = np.linalg.lstsq(np.array([[*row, x[t]] for row, t in zip(past, rows, strict=True)]), np.array(r[lags:]))[0]
    of_x = np.linalg.lstsq(np.array(past), np.array(x[lags:]))[0]
    rs, xs = [0.0] * lags, [0.0] * lags
    for step in range(steps):
        x_now = (1.0 if step == 0 else 0.0) + sum(
            of_x[i] * rs[-i] + of_x[lags + i] * xs[-i] for i in range(1, lags + 1)
        )
        r_now = of_r[2 * lags + 1] * x_now + sum(of_r[i] * rs[-i] + of_r[lags + i] * xs[-i] for i in range(1, lags + 1))
        xs.append(x_now)
        rs.append(r_now)
    return math.fsum(rs) * 1e4


def signed_path(
    timestamps: Sequence[int], midpoint: Sequence[float], sign: Sequence[int], chosen: Sequence[bool], end: int,
    seconds: int,
) -> tuple[list[float], int]:  # fmt: skip
    """Mean D·(M(t+s) − M(t)) / M(t) in bps at s = 0, 1, … seconds."""
    second = 1_000_000_000
    paths = []
    for i, time in enumerate(timestamps):
        if not chosen[i] or sign[i] == 0 or math.isnan(midpoint[i]) or time + seconds * second > end:
            continue
        path = [0.0]
        for s in range(1, seconds + 1):
            known = [m for t, m in zip(timestamps, midpoint, strict=True) if t <= time + s * second and m == m]
            path.append(sign[i] * (known[-1] - midpoint[i]) / midpoint[i] * 1e4)
        paths.append(path)
    return [math.fsum(column) / len(paths) for column in zip(*paths, strict=True)], len(paths)


def resilience(
    timestamps: Sequence[int], spread: Sequence[float], wide: float, restored: float, allowed: int, end: int
) -> tuple[int, int, int]:
    """Widenings, those restored in time, and those that nobody could have seen restored."""
    quotes = [(t, s) for t, s in zip(timestamps, spread, strict=True) if not math.isnan(s)]
    count = back = unseen = 0
    position = 0
    while position < len(quotes):
        opened, width = quotes[position]
        if width <= wide:
            position += 1
            continue
        count += 1
        later = quotes[position + 1 :]
        in_time = [s for t, s in later if t - opened <= allowed]
        if any(s <= restored for s in in_time):
            back += 1
        elif not in_time or opened + allowed > end:
            unseen += 1
        closed = next((k for k, (_, s) in enumerate(later) if s <= restored), len(later))
        position += closed + 2
    return count, back, unseen

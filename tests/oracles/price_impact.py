"""Midpoint changes and signed flow of intervals, from lists of ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

Row = tuple[float, float, float, float]


def interval_flow(
    timestamps: Sequence[int], midpoint: Sequence[float], price: Sequence[float], size: Sequence[int],
    sign: Sequence[int], start: int, end: int, length: int,
) -> list[Row]:  # fmt: skip
    """Between the first quoted tick and the last quoted tick of each interval, one after the other."""
    intervals = math.ceil((end - start) / length)
    quoted = [i for i, mid in enumerate(midpoint) if not math.isnan(mid)]
    last_in: dict[int, int] = {}
    for i in quoted:
        last_in[min((timestamps[i] - start) // length, intervals - 1)] = i
    sampled = list(dict.fromkeys([*quoted[:1], *last_in.values()]))
    rows = []
    for a, b in pairwise(sampled):
        between = range(a, b)
        rows.append(
            (
                midpoint[b] - midpoint[a],
                math.log(midpoint[b] / midpoint[a]),
                float(sum(sign[i] * size[i] for i in between)),
                math.fsum(sign[i] * math.sqrt(price[i] * size[i]) for i in between),
            )
        )
    return rows

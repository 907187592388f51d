"""Price bursts and flash moves found by looking at every tick again and again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal

SECOND_NS = 1_000_000_000


def bursts(
    timestamps: Sequence[int], cents: Sequence[int], size: Sequence[int], end: int
) -> list[tuple[float, int, bool | None]]:
    """Log move, shares, and whether half was undone (None: not seen before the close), in prices of whole cents."""
    changes = [i for i in range(1, len(cents)) if cents[i] != cents[i - 1]]
    runs: list[list[int]] = []
    for i in changes:
        up = cents[i] > cents[i - 1]
        run = runs[-1] if runs else []
        same = run and (cents[run[0]] > cents[run[0] - 1]) == up
        if same and timestamps[i] - timestamps[run[0]] <= 5 * SECOND_NS:
            run.append(i)
        else:
            runs.append([i])
    found = []
    for run in runs:
        if len(run) < 5:
            continue
        before, last = cents[run[0] - 1], run[-1]
        shares = sum(size[run[0] : last + 1])
        found.append((math.log(cents[last] / before), shares, comes_back(timestamps, cents, last, before, end)))
    return found


def comes_back(timestamps: Sequence[int], cents: Sequence[int], last: int, before: int, end: int) -> bool | None:
    limit = timestamps[last] + 300 * SECOND_NS
    move = cents[last] - before
    for i in range(last + 1, len(cents)):
        undone = cents[last] - cents[i]
        if timestamps[i] <= limit and 2 * undone * (1 if move > 0 else -1) >= abs(move):
            return True
    return None if limit > end else False


def flash_moves(timestamps: Sequence[int], cents: Sequence[int], way: int) -> int:
    """Moves of more than 50 bps within a minute that half came back; ``way`` −1 falls, +1 spikes."""
    events = 0
    since = i = 0  # nothing before ``since`` is looked at
    while i < len(cents):
        window = [k for k in range(since, i) if timestamps[k] >= timestamps[i] - 60 * SECOND_NS]
        # The latest of equal extremes.
        begin = max(window, key=lambda k: (-way * cents[k], k), default=None)
        if begin is not None and way * (cents[i] - cents[begin]) * 200 > cents[begin]:
            minute = [k for k in range(i, len(cents)) if timestamps[k] <= timestamps[begin] + 60 * SECOND_NS]
            furthest = max(minute, key=lambda k: (way * cents[k], -k))
            events += comes_back(timestamps, cents, furthest, cents[begin], timestamps[-1]) is True
            since = i = furthest
        i += 1
    return events


def round_price_share(prices: Sequence[str]) -> float:
    """Share of decimal prices that are a multiple of 0.05."""
    return sum(Decimal(price) % Decimal("0.05") == 0 for price in prices) / len(prices)

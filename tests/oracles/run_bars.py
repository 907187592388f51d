"""Run bars found tick by tick in plain Python.

Written from López de Prado (2018), section 2.3.2, and the data contract's guards, not from the code under test; the
past is kept whole as in ``imbalance_bars``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from tests.oracles.imbalance_bars import (
    Bar,
    Limits,
    Past,
    Tick,
    at_least,
    closed,
    faded,
    first_goal,
    left_over,
    most_ticks,
    signed_flow,
)


def run_bars(days: Sequence[Sequence[Tick]], unit: str, first: float, limits: Limits) -> list[list[Bar]]:
    """Bars of each date; the first date starts cold."""
    past = Past(limits.span)
    return [_session(ticks, unit, first, limits, past) for ticks in days]


def _session(ticks: Sequence[Tick], unit: str, first: float, limits: Limits, past: Past) -> list[Bar]:
    bars: list[Bar] = []
    buys = sells = 0.0
    end = 0
    goal = _goal(first, limits, past)
    for position, tick in enumerate(ticks, start=1):
        flow = signed_flow(tick, unit)
        past.see(flow)
        if flow > 0:
            buys += flow
        else:
            sells -= flow
        reached = at_least(max(buys, sells), goal["threshold"])
        if reached or position - end >= goal["most_ticks"]:
            bars.append(closed(position, goal, _larger(buys, sells), reached=reached))
            past.close(position - end, buys - sells, buys + sells, had_threshold=not goal["is_first"])
            buys = sells = 0.0
            end = position
            goal = _goal(first, limits, past)
    return bars + left_over(end, len(ticks), goal, _larger(buys, sells))


def _larger(buys: float, sells: float) -> float:
    """The run, negative when sells are the larger side."""
    return buys if buys >= sells else -sells


def _goal(first: float, limits: Limits, past: Past) -> Bar:
    """Threshold, expectation and cap of the next bar."""
    warm_up = len(past.ticks) < limits.warm_up_bars
    if not past.block_variances:
        return first_goal(past, warm_up=warm_up)
    ticks = past.expected_ticks(first, limits)
    bought = [(gross + net) / 2 for gross, net in zip(past.grosses, past.nets, strict=True)]
    sold = [(gross - net) / 2 for gross, net in zip(past.grosses, past.nets, strict=True)]
    expected = ticks * max(past.per_tick(bought), past.per_tick(sold))
    spread = math.sqrt(2 / math.pi * ticks * faded(past.block_variances, limits.span))
    floor = (ticks * past.per_tick(past.grosses) + spread) / 2
    return {
        "threshold": max(expected, floor) or math.inf, "expected_theta": expected,
        "most_ticks": most_ticks(ticks, limits), "is_first": False, "is_warm_up": warm_up,
    }  # fmt: skip

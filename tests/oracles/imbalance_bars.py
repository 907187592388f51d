"""Imbalance bars found tick by tick in plain Python.

Written from López de Prado (2018), section 2.3.2, and the data contract's guards, not from the code under test. A tick
is a dictionary with ``trade_sign``, ``size`` and ``price``. The past is kept whole - every bar, every block - and the
averages are taken over it anew for each bar; several dates are one past with a session's end between them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from fuzzy_pipeline.schema.codes import CloseReason

Tick = dict[str, Any]
Bar = dict[str, Any]

NAN = math.nan
BLOCK = 200


@dataclass(frozen=True)
class Limits:
    """The guards."""

    span: int = 100
    warm_up_bars: int = 20
    least: float = 50
    most: float = 2_000
    band: float = 4
    cap: float = 5


def signed_flow(tick: Tick, unit: str) -> float:
    """b·v."""
    value = {"tick": 1.0, "volume": float(tick["size"]), "dollar": tick["size"] * tick["price"]}[unit]
    return float(tick["trade_sign"] * value)


def faded(values: Sequence[float], span: int) -> float:
    """Weighted mean: the last value weighs 1, each earlier one (span − 1) / (span + 1) of the next."""
    fade = (span - 1) / (span + 1)
    weights = [fade**age for age in reversed(range(len(values)))]
    return math.fsum(w * v for w, v in zip(weights, values, strict=True)) / math.fsum(weights)


@dataclass
class Past:
    """What is known before a bar."""

    span: int
    flows: list[float] = field(default_factory=list)
    """b·v of the ticks that fill no block yet."""
    block_variances: list[float] = field(default_factory=list)
    block_squares: list[float] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    """Ticks of the bars that closed with something to reach."""
    ticks: list[int] = field(default_factory=list)
    nets: list[float] = field(default_factory=list)
    grosses: list[float] = field(default_factory=list)
    """Ticks, Σ b·v and Σ |b|·v of all bars that closed."""

    def see(self, flow: float) -> None:
        """One more tick; 200 of them are a block, which counts at most ten times the average of those before."""
        self.flows.append(flow)
        if len(self.flows) == BLOCK:
            entries = (
                (self.block_variances, math.fsum(self.flows) ** 2 / BLOCK),
                (self.block_squares, math.fsum(one * one for one in self.flows) / BLOCK),
            )
            for known, entry in entries:
                average = faded(known, self.span) if known else 0.0
                known.append(min(entry, 10 * average) if average > 0 else entry)
            self.flows.clear()

    def close(self, ticks: int, net: float, gross: float, *, had_threshold: bool) -> None:
        """A bar closed by threshold or cap."""
        if had_threshold:
            self.lengths.append(ticks)
        self.ticks.append(ticks)
        self.nets.append(net)
        self.grosses.append(gross)

    def expected_ticks(self, first: float, limits: Limits) -> float:
        """E[T], within a factor of the first expectation and within the bounds."""
        expected = first
        if len(self.ticks) >= limits.warm_up_bars and self.lengths:
            average = faded(self.lengths, self.span)
            expected = sorted((first / limits.band, average, first * limits.band))[1]
        return sorted((limits.least, expected, limits.most))[1]

    def per_tick(self, sums: Sequence[float]) -> float:
        """Mean per tick over past bars."""
        return faded(sums, self.span) / faded(self.ticks, self.span)


def ewma_bars(days: Sequence[Sequence[Tick]], unit: str, amount: float, limits: Limits) -> list[list[Bar]]:
    """Bars of each date under the rule ``ewma``; the first date starts cold."""
    past = Past(limits.span)
    return [_ewma_session(ticks, unit, amount, limits, past) for ticks in days]


def _ewma_session(ticks: Sequence[Tick], unit: str, amount: float, limits: Limits, past: Past) -> list[Bar]:
    bars: list[Bar] = []
    theta, end = 0.0, 0
    goal = _goal(amount, limits, past)
    for position, tick in enumerate(ticks, start=1):
        theta += signed_flow(tick, unit)
        past.see(signed_flow(tick, unit))
        reached = at_least(abs(theta), goal["threshold"])
        if reached or position - end >= goal["most_ticks"]:
            bars.append(closed(position, goal, theta, reached=reached))
            past.close(position - end, theta, 0.0, had_threshold=not goal["is_first"])
            theta, end = 0.0, position
            goal = _goal(amount, limits, past)
    return bars + left_over(end, len(ticks), goal, theta)


def _goal(amount: float, limits: Limits, past: Past) -> Bar:
    """Threshold, expectation and cap of the next bar."""
    warm_up = len(past.ticks) < limits.warm_up_bars
    if not past.block_variances:
        return first_goal(past, warm_up=warm_up)
    variance, squares = faded(past.block_variances, limits.span), faded(past.block_squares, limits.span)
    ticks = past.expected_ticks(amount**2 / variance if variance else limits.most, limits)
    expected = amount if warm_up else ticks * abs(past.per_tick(past.nets))
    floor = math.sqrt(max((limits.least if warm_up else ticks) * variance, limits.least * squares))
    threshold = max(expected, floor) or amount
    return {
        "threshold": threshold, "expected_theta": expected, "most_ticks": most_ticks(ticks, limits),
        "is_first": False, "is_warm_up": warm_up,
    }  # fmt: skip


def most_ticks(expected: float, limits: Limits) -> int:
    """Ticks at which the cap closes a bar; rounding of the averages does not count."""
    return math.floor(limits.cap * expected * (1 + 1e-12))


def first_goal(past: Past, *, warm_up: bool) -> Bar:
    """Nothing is known: the bar closes with the first block."""
    return {
        "threshold": math.inf, "expected_theta": NAN, "most_ticks": BLOCK - len(past.flows), "is_first": True,
        "is_warm_up": warm_up,
    }  # fmt: skip


def at_least(reached: float, threshold: float) -> bool:
    """Reached, where rounding of the averages does not count."""
    return reached >= threshold or math.isclose(reached, threshold, rel_tol=1e-12)


def closed(end: int, goal: Bar, theta: float, *, reached: bool) -> Bar:
    """A bar that its threshold or the cap closed."""
    threshold = goal["threshold"]
    return {
        "end": end,
        "threshold": NAN if math.isinf(threshold) else threshold,
        "overflow": max(abs(theta) - threshold, 0.0) if reached else NAN,
        "efficiency": threshold / abs(theta) if reached else NAN,
        "theta": theta,
        "expected_theta": goal["expected_theta"],
        "trigger_direction": (1 if theta > 0 else -1) if reached else 0,
        "gaps": 0,
        "is_complete": True,
        "is_warm_up": goal["is_warm_up"],
        "is_phantom": False,
        "close_reason": CloseReason.THRESHOLD if reached else CloseReason.CAP,
    }


def left_over(end: int, ticks: int, goal: Bar, theta: float) -> list[Bar]:
    """The bar of the ticks after the last one that closed, when there are any; it is no part of the past."""
    if end == ticks:
        return []
    bar = closed(ticks, goal, theta, reached=False)
    return [bar | {"is_complete": False, "close_reason": CloseReason.SESSION_END}]


def fixed_bars(ticks: Sequence[Tick], unit: str, amount: int) -> list[Bar]:
    """Bars that close on a constant imbalance, in exact arithmetic."""
    bars: list[Bar] = []
    theta, end = Fraction(0), 0
    goal = {"threshold": float(amount), "expected_theta": NAN, "is_warm_up": False}
    for position, tick in enumerate(ticks, start=1):
        theta += exact_flow(tick, unit)
        if abs(theta) >= amount:
            bars.append(closed(position, goal, float(theta), reached=True))
            theta, end = Fraction(0), position
    return bars + left_over(end, len(ticks), goal, float(theta))


def ratio_bars(ticks: Sequence[Tick], unit: str, per_cent: int, least: int, most: int) -> list[Bar]:
    """Bars that close when the imbalance is a share of the signed units, in exact arithmetic."""
    bars: list[Bar] = []
    theta = signed = Fraction(0)
    end = 0
    goal = {"threshold": per_cent / 100, "expected_theta": NAN, "is_warm_up": False}
    for position, tick in enumerate(ticks, start=1):
        flow = exact_flow(tick, unit)
        theta, signed = theta + flow, signed + abs(flow)
        reached = position - end >= least and signed > 0 and abs(theta) * 100 >= per_cent * signed
        if reached or position - end >= most:
            bar = closed(position, goal, float(theta), reached=reached)
            if reached:
                share = float(abs(theta) / signed)
                bar |= {"overflow": share - per_cent / 100, "efficiency": per_cent / 100 / share}
            bars.append(bar)
            theta = signed = Fraction(0)
            end = position
    return bars + left_over(end, len(ticks), goal, float(theta))


def exact_flow(tick: Tick, unit: str) -> Fraction:
    """b·v with the price as it is written, not as it is stored."""
    value = {"tick": Fraction(1), "volume": Fraction(tick["size"])}.get(unit)
    if value is None:
        value = Fraction(repr(tick["price"])) * tick["size"]
    return value * int(tick["trade_sign"])

"""Ranks, means of earlier dates, grid prices and correlations, one symbol or pair at a time in plain Python."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations

NAN = math.nan


def ranks(values: Sequence[float], best: str) -> list[tuple[float, float]]:
    """Rank and percentile of each value, by counting the others."""
    found = []
    for own, value in enumerate(values):
        others = [other for at, other in enumerate(values) if at != own and not math.isnan(other)]
        if math.isnan(value):
            found.append((NAN, NAN))
            continue
        better = sum(other > value if best == "highest" else other < value for other in others)
        equal = sum(other == value for other in others)
        beaten = len(others) - better - equal
        found.append((1 + better, 100 * (beaten + equal / 2) / len(others) if others else NAN))
    return found


def latest_mean(values: Sequence[float], dates: int) -> float:
    """Mean of the last known values of one symbol, in order of time."""
    known = [value for value in values if not math.isnan(value)]
    return math.fsum(known[-dates:]) / dates if len(known) >= dates else NAN


def interval_prices(bars: Mapping[int, tuple[float, float]], marks: Sequence[int]) -> list[float]:
    """Prices at the marks, from (open, close) by the start of an interval; intervals that did not trade are absent."""
    first = min(bars, default=None)
    found = [NAN]
    for start in marks[:-1]:
        if start == first:
            found[-1] = bars[start][0]
        found.append(bars[start][1] if start in bars else NAN)
    return found


def common(a: Sequence[float], b: Sequence[float]) -> list[tuple[float, float]]:
    return [(x, y) for x, y in zip(a, b, strict=True) if not (math.isnan(x) or math.isnan(y))]


def co_movement(a: Sequence[float], b: Sequence[float], fewest: int) -> tuple[float, float, int]:
    """Correlation, slope of a on b, and the number of pairs, from deviations about the means of what is common."""
    pairs = common(a, b)
    n = len(pairs)
    if n < fewest:
        return NAN, NAN, n
    mean_a, mean_b = math.fsum(x for x, _ in pairs) / n, math.fsum(y for _, y in pairs) / n
    covariance = math.fsum((x - mean_a) * (y - mean_b) for x, y in pairs)
    variance_a, variance_b = (
        math.fsum((x - mean_a) ** 2 for x, _ in pairs),
        math.fsum((y - mean_b) ** 2 for _, y in pairs),
    )
    a_moves, b_moves = len({x for x, _ in pairs}) > 1, len({y for _, y in pairs}) > 1
    correlation = covariance / math.sqrt(variance_a) / math.sqrt(variance_b) if a_moves and b_moves else NAN
    slope = (covariance / variance_b if a_moves else 0.0) if b_moves else NAN
    return correlation, slope, n


def pair_correlations(returns: Mapping[str, Sequence[float]], fewest: int) -> dict[tuple[str, str], tuple[float, int]]:
    """Correlation and number of common returns of every pair, in alphabetical order."""
    found = {}
    for a, b in combinations(sorted(returns), 2):
        correlation, _, n = co_movement(returns[a], returns[b], fewest)
        found[a, b] = (correlation, n)
    return found

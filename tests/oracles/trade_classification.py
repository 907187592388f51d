"""Trade signs and bulk volume written from the papers, in exact decimal arithmetic: a second opinion."""

from __future__ import annotations

import math
from fractions import Fraction
from statistics import NormalDist

BAND = Fraction(3, 10)


def exact(price: float) -> Fraction:
    """The decimal number that was written, not its binary neighbour."""
    return Fraction(repr(price))


def signs(method: str, price: list[float], bid: list[float], ask: list[float]) -> list[int]:
    """+1, −1 or 0 for each trade; ``method`` is one of lee_ready, tick_test, emo, clnv."""
    found = []
    for i in range(len(price)):
        side = 0
        if method != "tick_test" and bid[i] < ask[i]:  # False with NaN; neither locked nor crossed
            side = side_by_quote(method, exact(price[i]), exact(bid[i]), exact(ask[i]))
        found.append(side or side_by_tick_test(price, i))
    return found


def side_by_quote(method: str, p: Fraction, b: Fraction, a: Fraction) -> int:
    """What the quote alone says; 0 leaves the trade to the tick test."""
    if method == "lee_ready":
        return (2 * p > a + b) - (2 * p < a + b)
    if method == "emo":
        return (p == a) - (p == b)
    if method == "clnv":
        return (a - BAND * (a - b) <= p <= a) - (b <= p <= b + BAND * (a - b))
    raise ValueError(method)


def side_by_tick_test(price: list[float], i: int) -> int:
    """Against the last price that is not the same."""
    for earlier in reversed(price[:i]):
        if earlier != price[i]:
            return 1 if price[i] > earlier else -1
    return 0


def student_t_share(z: float, degrees_of_freedom: float, steps: int = 20_000) -> float:
    """Student's t distribution function by Simpson's rule on its density, with z = sinh(u) to shorten its far reach."""
    v = degrees_of_freedom
    scale = math.exp(math.lgamma((v + 1) / 2) - math.lgamma(v / 2)) / math.sqrt(v * math.pi)
    reach = math.asinh(abs(z))
    total = 0.0
    for k in range(steps + 1):
        u = reach * k / steps
        weight = 1 if k in (0, steps) else 2 + 2 * (k % 2)
        total += weight * (1 + math.sinh(u) ** 2 / v) ** (-(v + 1) / 2) * math.cosh(u)
    half = scale * total * reach / steps / 3
    return 0.5 + half if z > 0 else 0.5 - half


def normal_share(z: float) -> float:
    """Normal distribution function."""
    return NormalDist().cdf(z)

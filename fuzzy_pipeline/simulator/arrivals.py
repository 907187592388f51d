"""When simulated orders arrive, and how many prints each of them makes.

Belongs here: the intraday shape, the clustering of orders in time, and the expansion of an order into prints that
follow each other within microseconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_PRINTS = 60
"""Most prints of one order."""

_CLUSTER_MEAN = 4.0
_DELAY_SCALES_US = np.array([5e3, 3e5, 1e7])
"""Mean delays after the first order of a cluster: machines answering, traders answering, news being read."""


def session_intensity(fraction: NDArray[np.float64]) -> NDArray[np.float64]:
    """Order arrivals at a fraction of the regular session, relative to the session's mean: the U shape.

    The first thirteenth of the session (half an hour of a full one) gets about 17 % of the orders, the last 11 %,
    the middle ones 6 %.
    """
    u = np.asarray(fraction, dtype=np.float64)
    shape = 0.55 + 1.6 * np.exp(-u / 0.07) + 0.9 * np.exp(-(1.0 - u) / 0.05)
    mean = 0.55 + 1.6 * 0.07 * (1 - np.exp(-1 / 0.07)) + 0.9 * 0.05 * (1 - np.exp(-1 / 0.05))
    intensity: NDArray[np.float64] = shape / mean
    return intensity


def regular_order_times(rng: np.random.Generator, n_orders: int, start_us: int, end_us: int) -> NDArray[np.int64]:
    """Sorted arrival times of orders in ``[start_us, end_us)``: U-shaped clusters with exponential delays.

    A Neyman-Scott process: cluster centres follow ``session_intensity``; orders after a cluster's first are delayed
    by milliseconds, parts of a second or seconds. What is delayed past the end comes in at the start instead, so
    the number of orders is kept.

    Returns
    -------
    int64[n_orders]
        [µs since midnight ET]
    """
    is_first = rng.random(n_orders) < 1.0 / _CLUSTER_MEAN
    if n_orders:
        is_first[0] = True
    cluster = np.cumsum(is_first) - 1
    grid = np.linspace(0.0, 1.0, 4097)
    density = session_intensity((grid[:-1] + grid[1:]) / 2)
    cdf = np.concatenate((np.zeros(1), np.cumsum(density))) / density.sum()
    centres = np.interp(rng.random(int(is_first.sum())), cdf, grid) * (end_us - start_us)
    delays = rng.standard_exponential(n_orders) * _DELAY_SCALES_US[rng.integers(0, 3, n_orders)]
    times = centres[cluster] + np.where(is_first, 0.0, delays)
    return np.sort(start_us + np.mod(times, end_us - start_us).astype(np.int64))


def extended_order_times(
    rng: np.random.Generator, n_orders: int, start_us: int, end_us: int, *, towards_end: bool
) -> NDArray[np.int64]:
    """Sorted arrival times outside the regular session, denser towards the open (or away from the close)."""
    fraction = rng.random(n_orders) ** 1.8
    if towards_end:
        fraction = 1.0 - fraction
    times = start_us + (fraction * (end_us - start_us)).astype(np.int64)
    return np.sort(np.clip(times, start_us, end_us - 1))


@dataclass(frozen=True, slots=True)
class OrderMix:
    """Share of each kind of order, the mean prints of one, and the share of later prints in the same microsecond.

    The kinds are, in this order: sweep (one order, several exchanges), lit (one exchange), off exchange.
    """

    shares: tuple[float, float, float]
    mean_prints: tuple[float, float, float]
    same_microsecond: tuple[float, float, float]


SWEEP, LIT, OFF_EXCHANGE = 0, 1, 2


def draw_orders(rng: np.random.Generator, n_prints: int, mix: OrderMix) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Orders that together make exactly ``n_prints`` prints: their kinds and their numbers of prints."""
    kinds = np.searchsorted(np.cumsum(mix.shares)[:-1], rng.random(n_prints), side="right").astype(np.uint8)
    sizes = np.minimum(rng.geometric(1.0 / np.asarray(mix.mean_prints)[kinds]), MAX_PRINTS).astype(np.int64)
    total = np.cumsum(sizes)
    n_orders = int(np.searchsorted(total, n_prints)) + 1 if n_prints else 0
    kinds, sizes = kinds[:n_orders], sizes[:n_orders]
    if n_orders:
        sizes[-1] -= total[n_orders - 1] - n_prints
    return kinds, sizes


def print_delays(
    rng: np.random.Generator, kinds: NDArray[np.uint8], sizes: NDArray[np.int64], mix: OrderMix
) -> NDArray[np.int64]:
    """Delay of each print after its order's first: zero within a microsecond, else tens of microseconds apart.

    Returns
    -------
    int64[sum(sizes)]
        [µs], 0 for the first print of each order, never decreasing inside an order.
    """
    n = int(sizes.sum())
    first = np.cumsum(sizes) - sizes
    gaps = np.exp(rng.normal(np.log(30.0), 1.3, n)).astype(np.int64) + 1
    gaps[rng.random(n) < np.repeat(np.asarray(mix.same_microsecond)[kinds], sizes)] = 0
    gaps[first] = 0
    walk = np.cumsum(gaps)
    return np.asarray(walk - np.repeat(walk[first], sizes), dtype=np.int64)


def print_times(
    order_times: NDArray[np.int64], sizes: NDArray[np.int64], delays: NDArray[np.int64], end_us: int
) -> NDArray[np.int64]:
    """Times of prints, order by order; what is delayed past the session's end is stamped its last microsecond.

    Examples
    --------
    >>> print_times(np.array([5, 90]), np.array([1, 3]), np.array([0, 0, 4, 20]), end_us=100).tolist()
    [5, 90, 94, 99]
    """
    times: NDArray[np.int64] = np.minimum(np.repeat(order_times, sizes) + delays, end_us - 1)
    return times

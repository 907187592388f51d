"""The quoted spread, and which quotes are usable.

A quote is usable when 0 < bid ≤ ask; a locked one has a spread of zero. Quotes are known at trades only, so nothing is
weighted by time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_UNKNOWN = float("nan")
_PERCENTILES = {"min": 0.0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99, "max": 1.0}


@njit(cache=True, nogil=True, inline="always")
def has_usable_quote(bid, ask):  # type: ignore[no-untyped-def]
    """Whether 0 < bid ≤ ask; False without a quote: comparisons with NaN are false."""
    return (bid > 0.0) & (ask >= bid)


@njit(cache=True, nogil=True)
def _midpoints(bid, ask, midpoint):  # type: ignore[no-untyped-def]
    for i in range(len(bid)):
        midpoint[i] = 0.5 * (bid[i] + ask[i]) if has_usable_quote(bid[i], ask[i]) else np.nan


def usable_midpoint(bid: Floats, ask: Floats) -> Floats:
    """Midpoint of each usable quote, locked ones included; NaN where it is missing or crossed.

    Parameters
    ----------
    bid, ask : float64[n_trades]
        Quote at each trade; NaN when missing. [USD]

    Returns
    -------
    float64[n_trades]
        [USD]

    Examples
    --------
    >>> usable_midpoint(np.array([10.0, 10.2, np.nan]), np.array([10.5, 10.0, 10.0]))
    array([10.25,   nan,   nan])
    """
    midpoint = np.empty(len(bid))
    _midpoints(bid, ask, midpoint)
    return midpoint


# -- quoted spread -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class QuotedSpread:
    """Relative quoted spread over the ``n`` trades with a usable quote, trade-weighted; NaN when there is none.

    ``std_bps`` is the population standard deviation, percentiles are interpolated linearly. ``zero_spread_count``
    counts locked quotes (bid = ask, among ``n``), ``inverted_count`` crossed ones (bid > ask > 0, not among ``n``).
    """

    n: int
    mean_bps: float
    median_bps: float
    std_bps: float
    min_bps: float
    max_bps: float
    p25_bps: float
    p75_bps: float
    p95_bps: float
    p99_bps: float
    zero_spread_count: int
    inverted_count: int


@njit(cache=True, nogil=True)
def _quoted_bps(bid, ask, bps):  # type: ignore[no-untyped-def]
    n = locked = crossed = 0
    for i in range(len(bid)):
        b, a = bid[i], ask[i]
        if has_usable_quote(b, a):
            bps[n] = (a - b) / (0.5 * (b + a)) * 1e4
            n += 1
            locked += a == b
        else:
            crossed += (a > 0.0) & (b > a)
    return n, locked, crossed


def _percentile(ordered: Floats, share: float) -> float:
    """Percentile of sorted values, interpolated linearly between the two nearest."""
    below, rest = divmod(share * (len(ordered) - 1), 1)
    low, high = ordered[int(below)], ordered[int(below) + (rest > 0)]
    return float(low + rest * (high - low))


def quoted_spread(bid: Floats, ask: Floats) -> QuotedSpread:
    """Distribution of the relative quoted spread (ask − bid) / midpoint at trades.

    Parameters
    ----------
    bid, ask : float64[n_trades]
        Quote at each trade; NaN when missing. [USD]

    Returns
    -------
    QuotedSpread

    References
    ----------
    Huang and Stoll (1996), Journal of Financial Economics 41:313, https://doi.org/10.1016/0304-405X(95)00867-E

    Examples
    --------
    >>> found = quoted_spread(np.array([9.99, 9.98, 10.0, np.nan]), np.array([10.01, 10.02, 10.0, np.nan]))
    >>> found.n, round(found.mean_bps, 9), round(found.max_bps, 9), found.zero_spread_count
    (3, 20.0, 40.0, 1)
    """
    bps = np.empty(len(bid))
    n, locked, crossed = _quoted_bps(bid, ask, bps)
    bps = bps[:n]
    bps.sort()  # one sort serves all percentiles
    percentiles = {f"{name}_bps": _percentile(bps, share) if n else _UNKNOWN for name, share in _PERCENTILES.items()}
    mean, std = (float(bps.mean()), float(bps.std())) if n else (_UNKNOWN, _UNKNOWN)
    return QuotedSpread(
        n=n, mean_bps=mean, std_bps=std, zero_spread_count=locked, inverted_count=crossed, **percentiles
    )

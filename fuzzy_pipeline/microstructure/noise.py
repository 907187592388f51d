"""Prices on a grid, realised variance and the microstructure noise in it.

Everything is meant for one session: the step over a night is a price change, but neither noise nor trading.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

SIGNATURE_STEPS = (1, 2, 3, 5, 10, 20, 50, 100, 200, 500, 1000)
"""Sampling steps of the signature plot. [observations]"""

FEWEST_RETURNS = 100
"""The number of subsamples is chosen from the data when there are at least this many returns."""

_SPARSE_SAMPLES = 78  # five-minute intervals of a full session: as many returns for the first guess of the variance


@njit(cache=True, nogil=True)
def _sample_prices(timestamps, price, start, step, out):  # type: ignore[no-untyped-def]
    """Close of every interval in ``out[1:]``; ``out[k]`` is the first price when the first tick is in interval k."""
    intervals = len(out) - 1
    out[:] = np.nan
    filled = 0  # marks up to this one are done
    for i in range(len(timestamps)):
        interval = filled - 1
        if filled == 0 or (filled < intervals and timestamps[i] >= start + filled * step):
            interval = min(max((timestamps[i] - start) // step, 0), intervals - 1)
        if filled == 0:
            out[interval] = price[i]
        else:
            for mark in range(filled + 1, interval + 1):
                out[mark] = out[filled]
        out[interval + 1] = price[i]
        filled = interval + 1
    if filled > 0:
        out[filled + 1 :] = out[filled]


def sample_prices(
    timestamps: NDArray[np.int64], price: NDArray[np.float64], start_ns: int, end_ns: int, step_ns: int
) -> NDArray[np.float64]:
    """Previous-tick sampling: the last price before each mark of a grid over the session.

    Intervals are half-open [start, start + step), as those of time bars; the last one, which may be shorter, also
    takes ticks stamped after the end (the closing auction). The mark at which the interval of the first tick begins
    holds the first price, so that the first return of a session runs from its open. Earlier marks are NaN; an
    interval without ticks keeps the price before it.

    Parameters
    ----------
    timestamps : int64[n_ticks]
        Instants in time order. [UTC ns]
    price : float64[n_ticks]
        Prices; those that may not set one (odd lots, late prints) are better left out by the caller. [USD]
    start_ns, end_ns : int
        Bounds of the session. [UTC ns]
    step_ns : int
        Length of an interval. [ns]

    Returns
    -------
    float64[n_intervals + 1]
        Prices at start, start + step, …, end; all NaN without ticks. [USD]

    Raises
    ------
    ValueError
        When the step is not positive or the session is empty.

    References
    ----------
    Andersen, Bollerslev, Diebold and Labys (2003), Econometrica 71:579, https://doi.org/10.1111/1468-0262.00418

    Examples
    --------
    >>> sample_prices(np.array([1, 4, 25]), np.array([10.0, 11.0, 12.0]), 0, 30, 10)
    array([10., 11., 11., 12.])
    """
    if step_ns <= 0 or end_ns <= start_ns:
        raise ValueError(f"a grid needs a positive step and start < end, not {step_ns}, {start_ns}, {end_ns}")
    out = np.empty(-((start_ns - end_ns) // step_ns) + 1)
    _sample_prices(timestamps, price, start_ns, step_ns, out)
    return out


def log_returns(price: NDArray[np.float64]) -> NDArray[np.float64]:
    """Log returns of successive prices.

    Parameters
    ----------
    price : float64[n]
        Prices above 0. [USD]

    Returns
    -------
    float64[max(n − 1, 0)]
        NaN where either price is. [1]

    References
    ----------
    Andersen, Bollerslev, Diebold and Labys (2003), Econometrica 71:579, https://doi.org/10.1111/1468-0262.00418

    Examples
    --------
    >>> log_returns(np.array([100.0, 110.0, 110.0])).round(6)
    array([0.09531, 0.     ])
    """
    returns: NDArray[np.float64] = np.diff(np.log(price))
    return returns


def realised_volatility(price: NDArray[np.float64]) -> float:
    """Square root of the sum of squared log returns of successive known prices.

    From prices sampled every five minutes this is the daily realised volatility that regimes are named by; from
    ``distinct_log_prices`` it would be the tick-level one, which is mostly noise (``microstructure_noise``).

    Parameters
    ----------
    price : float64[n]
        Prices in time order, NaN where unknown. [USD]

    Returns
    -------
    float
        Over the time that the prices span, not annualised; NaN with fewer than two known prices. [1]

    References
    ----------
    Andersen, Bollerslev, Diebold and Labys (2003), Econometrica 71:579, https://doi.org/10.1111/1468-0262.00418

    Examples
    --------
    >>> round(realised_volatility(np.array([1.0, np.e ** 0.03, np.e ** -0.01])), 12)
    0.05
    """
    known = price[~np.isnan(price)]
    if len(known) < 2:
        return math.nan
    return math.sqrt(float(np.sum(log_returns(known) ** 2)))


def realised_variance_by_block(returns: NDArray[np.float64], block: int) -> NDArray[np.float64]:
    """Sum of squared returns of each block of successive returns: 60 one-second returns make a minute.

    Parameters
    ----------
    returns : float64[n]
        Log returns on a regular grid. [1]
    block : int
        Returns in a block; a last block that is not full is left out.

    Returns
    -------
    float64[n // block]
        NaN where a return of the block is. [1]

    References
    ----------
    Andersen, Bollerslev, Diebold and Labys (2003), Econometrica 71:579, https://doi.org/10.1111/1468-0262.00418

    Examples
    --------
    >>> realised_variance_by_block(np.array([1.0, 2.0, 3.0, 4.0, 9.0]), 2)
    array([ 5., 25.])
    """
    blocks = len(returns) // block
    sums: NDArray[np.float64] = (returns[: blocks * block] ** 2).reshape(blocks, block).sum(axis=1)
    return sums


@njit(cache=True, nogil=True)
def _last_of_each_stamp(timestamps, price, out):  # type: ignore[no-untyped-def]
    rows = 0
    last = np.nan
    for i in range(len(timestamps)):
        if i + 1 == len(timestamps) or timestamps[i + 1] != timestamps[i]:
            # Most prices repeat the one before: one logarithm for all of them.
            out[rows] = out[rows - 1] if price[i] == last else np.log(price[i])
            last = price[i]
            rows += 1
    return rows


def distinct_log_prices(timestamps: NDArray[np.int64], price: NDArray[np.float64]) -> NDArray[np.float64]:
    """Logarithm of the last price of each instant.

    Prints of one instant are one order's fills: their order says little and their differences are not returns.

    Parameters
    ----------
    timestamps : int64[n_ticks]
        Instants in time order. [UTC ns]
    price : float64[n_ticks]
        Prices above 0, without NaN. [USD]

    Returns
    -------
    float64[n_instants]
        [log USD]

    References
    ----------
    Hansen and Lunde (2006), Journal of Business & Economic Statistics 24:127,
    https://doi.org/10.1198/073500106000000071

    Examples
    --------
    >>> distinct_log_prices(np.array([1, 1, 2]), np.array([5.0, 1.0, 1.0]))
    array([0., 0.])
    """
    out = np.empty(len(timestamps))
    return out[: _last_of_each_stamp(timestamps, price, out)]


@njit(cache=True, nogil=True)
def _subsampled_variance(log_price, step):  # type: ignore[no-untyped-def]
    """Mean over the ``step`` possible grids of the sum of squared returns over ``step`` observations."""
    total = 0.0
    for i in range(step, len(log_price)):
        change = log_price[i] - log_price[i - step]
        total += change * change
    return total / step


@dataclass(frozen=True, slots=True)
class SignaturePoint:
    """Realised volatility [1] when every ``step``-th observation is used."""

    step: int
    realised_volatility: float


def signature_points(
    log_price: NDArray[np.float64], steps: Sequence[int] = SIGNATURE_STEPS
) -> tuple[SignaturePoint, ...]:
    """Volatility signature plot: realised volatility against the sampling step.

    Flat for a random walk; rising towards step 1 where noise dominates. Each point is the mean over all starting
    offsets, scaled up for the returns lost at the edges, so that sampling alone does not tilt the plot.

    Parameters
    ----------
    log_price : float64[n + 1]
        As ``distinct_log_prices`` gives them. [log USD]
    steps : sequence of int
        Sampling steps; those longer than a tenth of the observations are left out. [observations]

    Returns
    -------
    tuple of SignaturePoint

    References
    ----------
    Andersen, Bollerslev, Diebold and Labys (2000), Risk 13(3):105 (signature plot).
    Hansen and Lunde (2006), Journal of Business & Economic Statistics 24:127,
    https://doi.org/10.1198/073500106000000071

    Examples
    --------
    >>> up_and_down = np.array([0.0, 0.01] * 10)
    >>> [(point.step, round(point.realised_volatility, 4)) for point in signature_points(up_and_down, (1, 2))]
    [(1, 0.0436), (2, 0.0)]
    """
    n = len(log_price) - 1
    return tuple(
        SignaturePoint(step, math.sqrt(_subsampled_variance(log_price, step) * n / (n - step + 1)))
        for step in steps
        if 10 * step <= len(log_price)
    )


@dataclass(frozen=True, slots=True)
class MicrostructureNoise:
    """Noise of observed log prices; everything but ``noise_bps`` is a square of log returns. [1]

    ``noise_bps`` [bps] is the standard deviation of one price's noise; NaN when the variance comes out below zero
    (prices that move on in the same direction) or cannot be computed. ``noise_variance`` = (RV_all − TSRV) / 2n,
    ``noise_variance_uncorrected`` = RV_all / 2n, which still holds the price's own variance between observations.
    """

    noise_bps: float
    noise_variance: float
    noise_variance_uncorrected: float
    two_scales_variance: float
    realised_variance: float
    subsamples: int
    n: int


def microstructure_noise(log_price: NDArray[np.float64], subsamples: int | None = None) -> MicrostructureNoise:
    """Variance of the noise in a session's prices, from the realised variance on two scales.

    Observed log price = efficient one + independent noise of variance w²: RV_all, over all n returns, expects
    IV + 2n·w². The two-scales estimate of IV is TSRV = (1 − nb/n)⁻¹ (RV_avg(K) − (nb/n)·RV_all), nb = (n − K + 1)/K,
    RV_avg(K) the mean over K subsamples.

    Without ``subsamples``, K = c·n^(2/3) with the c that minimises the variance of TSRV at constant volatility,
    (12·w⁴/IV²)^(1/3), from RV_all / 2n for w² and sparse sampling for IV; at least 2 and at most n / 4.

    Parameters
    ----------
    log_price : float64[n + 1]
        One per instant, as ``distinct_log_prices`` gives them, of one session. [log USD]
    subsamples : int, optional
        K.

    Returns
    -------
    MicrostructureNoise
        NaN under ``FEWEST_RETURNS`` returns (2·K when K is given); ``subsamples`` is then 0.

    Raises
    ------
    ValueError
        When ``subsamples`` is below 2.

    References
    ----------
    Zhang, Mykland and Aït-Sahalia (2005), Journal of the American Statistical Association 100:1394,
    https://doi.org/10.1198/016214505000000169
    Hansen and Lunde (2006), Journal of Business & Economic Statistics 24:127,
    https://doi.org/10.1198/073500106000000071

    Examples
    --------
    A price that only jumps 2 bps up and down has noise alone: (2 bps)² = 2·w².

    >>> noise = microstructure_noise(np.array([0.0, 0.0002] * 500))
    >>> round(noise.noise_bps, 4), round(noise.noise_variance, 12)
    (1.4142, 2e-08)
    """
    if subsamples is not None and subsamples < 2:
        raise ValueError(f"two scales need at least 2 subsamples, not {subsamples}")
    n = max(len(log_price) - 1, 0)
    if n < (2 * subsamples if subsamples else FEWEST_RETURNS):
        return MicrostructureNoise(math.nan, math.nan, math.nan, math.nan, math.nan, 0, n)
    everything = float(_subsampled_variance(log_price, 1))
    uncorrected = everything / (2 * n)
    k = subsamples or _subsamples(log_price, n, uncorrected)
    share = (n - k + 1) / k / n
    two_scales = (float(_subsampled_variance(log_price, k)) - share * everything) / (1 - share)
    variance = (everything - two_scales) / (2 * n)
    noise = math.sqrt(variance) * 1e4 if variance >= 0 else math.nan
    return MicrostructureNoise(noise, variance, uncorrected, two_scales, everything, k, n)


def _subsamples(log_price: NDArray[Any], n: int, noise_variance: float) -> int:
    """The K that minimises the variance of the two-scales estimate at constant volatility."""
    variance = float(_subsampled_variance(log_price, max(n // _SPARSE_SAMPLES, 1)))
    if variance == 0.0:
        return max(n // 4, 2) if noise_variance > 0.0 else 2
    best = (12 * noise_variance**2 / variance**2) ** (1 / 3) * n ** (2 / 3)
    return int(min(max(round(best), 2), n // 4))

"""Memory in returns: autocorrelation and the Hurst exponent."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.regression import least_squares

HURST_MINIMUM_RETURNS = 500
SHORTEST_WINDOW = 10
WINDOWS = 20


@dataclass(frozen=True, slots=True)
class Hurst:
    """Hurst exponent [1] with the R² of the straight line it is the slope of, and the number of returns."""

    exponent: float
    r_squared: float
    n: int


@njit(cache=True, nogil=True)
def _mean_square_residual(profile, first, window):  # type: ignore[no-untyped-def]
    """Of the straight line through ``profile[first : first + window]``."""
    middle = 0.5 * (window - 1)
    origin = profile[first]  # the profile wanders far from 0: squares of it would lose the residual
    total = squares = products = 0.0
    for i in range(window):
        y = profile[first + i] - origin
        total += y
        squares += y * y
        products += y * (i - middle)
    spread = window * (window * float(window) - 1.0) / 12.0
    return max(squares - total * total / window - products * products / spread, 0.0) / window


@njit(cache=True, nogil=True)
def _fluctuation(profile, window):  # type: ignore[no-untyped-def]
    """Root mean square residual over the windows counted from the start and those counted from the end."""
    n = len(profile)
    windows = n // window
    total = 0.0
    for k in range(windows):
        total += _mean_square_residual(profile, k * window, window)
        total += _mean_square_residual(profile, n - (k + 1) * window, window)
    return math.sqrt(total / (2 * windows))


def hurst_exponent(returns: NDArray[np.float64]) -> Hurst:
    """Hurst exponent of returns by detrended fluctuation analysis with straight lines (DFA-1).

    The slope of log F(n) on log n, F(n) the root mean square distance of the cumulated returns from a straight line
    in windows of n, for some 20 n in equal ratios from 10 to a quarter of the returns. 0.5: no memory; above: moves
    go on; below: they turn back, as trade prices that bounce between bid and ask do.

    On fractional Gaussian noise of 0.3, 0.5 and 0.7 it has no bias to speak of; its standard error at 0.5 is 0.06 with
    500 returns and 0.02 with 23,400, a session of seconds.

    Parameters
    ----------
    returns : float64[n]
        Log returns on a regular grid, of one second; NaN is left out. Returns, not prices. [1]

    Returns
    -------
    Hurst
        NaN with fewer than ``HURST_MINIMUM_RETURNS`` known returns or when all are equal.

    References
    ----------
    Peng, Buldyrev, Havlin, Simons, Stanley and Goldberger (1994), Physical Review E 49:1685,
    https://doi.org/10.1103/PhysRevE.49.1685
    Kantelhardt, Koscielny-Bunde, Rego, Havlin and Bunde (2001), Physica A 295:441,
    https://doi.org/10.1016/S0378-4371(01)00144-3

    Examples
    --------
    >>> noise = np.random.default_rng(0).standard_normal(20_000)
    >>> 0.45 < hurst_exponent(noise).exponent < 0.55
    True
    >>> hurst_exponent(np.diff(noise)).exponent < 0.1
    True
    """
    known = returns[~np.isnan(returns)]
    n = len(known)
    if n < HURST_MINIMUM_RETURNS or known.min() == known.max():
        return Hurst(math.nan, math.nan, n)
    profile = np.cumsum(known - known.mean())
    windows = np.unique(np.geomspace(SHORTEST_WINDOW, n // 4, WINDOWS).round().astype(np.int64))
    fluctuation = np.array([_fluctuation(profile, window) for window in windows])
    # A window size whose windows are all straight (no trade for long stretches) has no logarithm.
    log_f = np.full(len(windows), math.nan)
    np.log(fluctuation, out=log_f, where=fluctuation > 0.0)
    line = least_squares(log_f, np.log(windows))
    return Hurst(line.slope, line.r_squared, n)


def autocorrelation(returns: NDArray[np.float64], lag: int = 1) -> float:
    """Sample autocorrelation of returns: Σ (r_t − r̄)(r_(t+lag) − r̄) / Σ (r_t − r̄)².

    Parameters
    ----------
    returns : float64[n]
        Returns on a regular grid; NaN counts in neither sum. [1]
    lag : int
        [grid steps]

    Returns
    -------
    float
        In [−1, 1]; its standard error without any memory is 1/√n. NaN without a known pair or when all known
        returns are equal.

    Raises
    ------
    ValueError
        When the lag is below 1.

    References
    ----------
    Box, Jenkins, Reinsel and Ljung (2015), Time Series Analysis, 5th edition, section 2.1.

    Examples
    --------
    Deviations −1, 1, −1, 1: three products of −1 over four squares.

    >>> autocorrelation(np.array([1.0, 3.0, 1.0, 3.0]))
    -0.75
    """
    if lag < 1:
        raise ValueError(f"a lag is at least 1, not {lag}")
    known = returns[~np.isnan(returns)]
    products = returns[lag:] * returns[:-lag]
    if np.isnan(products).all() or known.min() == known.max():
        return math.nan
    deviation = returns - known.mean()
    return float(np.nansum(deviation[lag:] * deviation[:-lag]) / np.nansum(deviation**2))

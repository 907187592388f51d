"""Least squares of one series on another."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Regression:
    """Least squares of y on x with an intercept; NaN where not determined.

    ``t_statistic`` is that of the slope under equal error variances; infinite for a perfect fit.
    """

    slope: float
    intercept: float
    r_squared: float
    t_statistic: float
    n: int

    @property
    def correlation(self) -> float:
        """Pearson correlation of x and y: NaN when either is constant."""
        return math.copysign(math.sqrt(self.r_squared), self.slope)


@njit(cache=True, nogil=True)
def _moments(y, x):  # type: ignore[no-untyped-def]
    """Means, centred second moments, whether x and y vary, and the number of known pairs."""
    n = 0
    mean_x = mean_y = 0.0
    low_x = low_y = np.inf
    high_x = high_y = -np.inf
    for i in range(len(y)):
        if not (np.isnan(x[i]) or np.isnan(y[i])):
            n += 1
            mean_x += x[i]
            mean_y += y[i]
            low_x, high_x = min(low_x, x[i]), max(high_x, x[i])
            low_y, high_y = min(low_y, y[i]), max(high_y, y[i])
    sxx = sxy = syy = 0.0
    if n > 0:
        mean_x /= n
        mean_y /= n
        for i in range(len(y)):
            if not (np.isnan(x[i]) or np.isnan(y[i])):
                dx, dy = x[i] - mean_x, y[i] - mean_y
                sxx += dx * dx
                sxy += dx * dy
                syy += dy * dy
    return n, mean_x, mean_y, sxx, sxy, syy, high_x > low_x, high_y > low_y


def least_squares(y: NDArray[np.float64], x: NDArray[np.float64]) -> Regression:
    """Straight line of y on x by ordinary least squares, with intercept.

    Parameters
    ----------
    y, x : float64[n]
        Pairs in which either is NaN are left out.

    Returns
    -------
    Regression
        All NaN with fewer than three pairs or a constant x; slope 0 and no R², t for a constant y.

    References
    ----------
    Greene (2018), Econometric Analysis, 8th edition, chapter 2 to 4.

    Examples
    --------
    >>> fit = least_squares(np.array([1.0, 2.0, 6.0]), np.array([0.0, 1.0, 2.0]))
    >>> fit.slope, fit.intercept, fit.n
    (2.5, 0.5, 3)
    """
    n, mean_x, mean_y, sxx, sxy, syy, x_varies, y_varies = _moments(y, x)
    if n < 3 or not x_varies:
        return Regression(math.nan, math.nan, math.nan, math.nan, n)
    if not y_varies:
        return Regression(0.0, mean_y, math.nan, math.nan, n)
    slope = sxy / sxx
    explained = min(slope * sxy / syy, 1.0)
    rest = (1.0 - explained) * syy / (n - 2)
    t = slope / math.sqrt(rest / sxx) if rest > 0.0 else math.copysign(math.inf, slope)
    return Regression(slope, mean_y - slope * mean_x, explained, t, n)

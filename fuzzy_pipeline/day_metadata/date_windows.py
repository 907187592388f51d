"""Mean, spread and percentiles of measures over windows of earlier dates, and from how many dates on they are given.

Belongs here: what baselines and comparisons must not define twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.day_metadata.earlier_days import EarlierDays
from fuzzy_pipeline.schema.baselines import BASELINE_MEASURES

MINIMUM_DATES = {1: 1, 5: 5, 20: 5, 252: 60}
"""Trading dates of a window, shortest first -> known values that it takes.

A week takes all of it. The 20 dates take a week. The 252 take 60: from there on a 20th of the dates, what lies beyond
the 5th and the 95th percentile, is three of them, and the standard error of the mean is below 0.13 deviations.
"""

PERCENTILES = (5.0, 25.0, 50.0, 75.0, 95.0)


@dataclass(frozen=True, slots=True)
class WindowSummary:
    """Measures over the known dates of a window: arrays of [n_measures], ``percentiles`` [5, n_measures].

    ``n`` int64 known dates; ``mean``, ``std`` (sample) and ``percentiles`` (``PERCENTILES``) float64 in the unit of
    the measure, NaN with fewer dates than asked for; ``std`` is NaN for one date too, and 0 when all values are equal.
    """

    n: NDArray[np.int64]
    mean: NDArray[np.float64]
    std: NDArray[np.float64]
    percentiles: NDArray[np.float64]


def measures_by_date(earlier: EarlierDays) -> NDArray[np.float64]:
    """The followed measures on every trading date: float64[n_measures, n_trading_dates], NaN where not known."""
    return np.array([earlier.values(name) for name in BASELINE_MEASURES])


def summarised(values: NDArray[np.float64], window: int, minimum: int) -> WindowSummary:
    """Mean, sample standard deviation and percentiles of the last dates.

    Parameters
    ----------
    values : float64[n_measures, n_dates]
        In order of time, NaN where not known.
    window : int
        Dates looked at, from the last one back.
    minimum : int
        With fewer known dates a measure has none of these.

    Returns
    -------
    WindowSummary

    References
    ----------
    Hyndman and Fan (1996), The American Statistician 50:361 (type 7), https://doi.org/10.2307/2684934

    Examples
    --------
    The last three of four dates, 1, 2 and 6: mean 3, squared deviations 4 + 1 + 9 over 2.

    >>> found = summarised(np.array([[100.0, 2.0, 1.0, 6.0]]), 3, 3)
    >>> found.n, found.mean, found.std ** 2, found.percentiles[2]
    (array([3]), array([3.]), array([7.]), array([2.]))
    """
    ordered = np.sort(values[:, -window:], axis=1)  # NaN goes to the end
    known = ~np.isnan(ordered)
    n = known.sum(axis=1)
    enough = n >= max(minimum, 1)
    if not enough.any():
        unknown = np.full(len(values), np.nan)
        return WindowSummary(n, unknown, unknown, np.tile(unknown, (len(PERCENTILES), 1)))
    divisor = np.where(enough, n, np.nan)
    rows = np.arange(len(values))
    lowest, highest = ordered[:, 0], ordered[rows, np.maximum(n - 1, 0)]
    # Rounding must not put the mean of equal values beside them: what is constant is decided by comparing.
    mean = np.clip(np.where(known, ordered, 0.0).sum(axis=1) / divisor, lowest, highest)
    squares = np.where(known, (ordered - mean[:, None]) ** 2, 0.0).sum(axis=1)
    std = np.sqrt(squares / np.where(divisor > 1, divisor - 1, np.nan))
    place = np.outer(np.array(PERCENTILES) / 100.0, divisor - 1)
    below = np.where(enough, np.floor(place), 0.0).astype(np.int64)
    above = np.minimum(below + 1, np.maximum(n - 1, 0))
    low, high = ordered[rows, below], ordered[rows, above]
    return WindowSummary(n, mean, std, low + (place - below) * (high - low))


def too_few(known: int, window: int, minimum: int) -> str:
    """Why a measure that is known on so few of the trading dates has no mean."""
    return f"known on {known} of the last {window} trading dates; at least {minimum} are needed"

"""A symbol against another, and against its own earlier dates.

Belongs here: what compares two symbols of a date or a symbol's dates; who is compared with whom is said by the caller.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.regression import least_squares
from fuzzy_pipeline.rankings.pair_correlations import CONSTANT_RETURNS, FEWEST_RETURNS, TOO_FEW_RETURNS
from fuzzy_pipeline.schema.rankings import Relation

MEAN_DATES = 20
"""Earlier dates in the mean that a day is compared with."""


@dataclass(frozen=True, slots=True)
class CoMovement:
    """Correlation and beta over the ``n`` returns that both symbols have; NaN where not determined. [1]"""

    correlation: float
    beta: float
    n: int


def co_movement(
    returns: NDArray[np.float64], reference: NDArray[np.float64], *, minimum_returns: int = FEWEST_RETURNS
) -> CoMovement:
    """How a symbol's returns follow those of a reference: Pearson correlation, and the slope of a regression on them.

    Parameters
    ----------
    returns, reference : float64[n_intervals]
        Log returns on a common grid; NaN where unknown. [1]
    minimum_returns : int
        Fewer common returns give NaN.

    Returns
    -------
    CoMovement
        NaN for a constant reference. A symbol whose returns are all equal has beta 0 and no correlation.

    References
    ----------
    Barndorff-Nielsen and Shephard (2004), Econometrica 72:885, https://doi.org/10.1111/j.1468-0262.2004.00515.x

    Examples
    --------
    (1, 2, 6) on (0, 1, 2): covariance 5, variances 14 and 2; the fourth return is not common.

    >>> found = co_movement(np.array([1.0, 2.0, 6.0, np.nan]), np.array([0.0, 1.0, 2.0, 9.0]), minimum_returns=3)
    >>> round(found.correlation, 4), found.beta, found.n
    (0.9449, 2.5, 3)
    """
    fit = least_squares(returns, reference)
    if fit.n < minimum_returns:
        return CoMovement(math.nan, math.nan, fit.n)
    return CoMovement(fit.correlation, fit.slope, fit.n)


def ratio(value: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quotient of two measures that are not negative.

    Parameters
    ----------
    value, reference : float64[n]
        In one unit; NaN where unknown.

    Returns
    -------
    float64[n]
        NaN where either is unknown or the reference is not above 0. [1]

    Examples
    --------
    >>> ratio(np.array([3.0, 3.0, np.nan]), np.array([2.0, 0.0, 2.0]))
    array([1.5, nan, nan])
    """
    usable = np.where(reference > 0, reference, np.nan)
    quotient: NDArray[np.float64] = value / usable
    return quotient


def latest_mean(earlier: NDArray[np.float64], dates: int = MEAN_DATES) -> NDArray[np.float64]:
    """Mean of each symbol's last known values on earlier dates, never of fewer than asked for.

    Parameters
    ----------
    earlier : float64[n_dates, n_symbols]
        A measure on earlier dates in order of time; NaN where unknown. With more rows than ``dates`` a symbol may
        lack some dates and still have a mean.
    dates : int
        Values in the mean.

    Returns
    -------
    float64[n_symbols]
        In the unit of the measure; NaN with fewer known values.

    Raises
    ------
    ValueError
        ``dates`` is below 1.

    Examples
    --------
    The last two known values: (3 + 5) / 2, and only one.

    >>> latest_mean(np.array([[9.0, np.nan], [3.0, np.nan], [np.nan, np.nan], [5.0, 1.0]]), 2)
    array([ 4., nan])
    """
    if dates < 1:
        raise ValueError(f"a mean is of at least one date, not {dates}")
    known = ~np.isnan(earlier)
    to_the_end = np.cumsum(known[::-1], axis=0)[::-1]  # known values from each date on
    taken = known & (to_the_end <= dates)
    mean: NDArray[np.float64] = np.where(taken, earlier, 0.0).sum(axis=0) / dates
    return np.where(taken.sum(axis=0) == dates, mean, np.nan)


# -- records --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SymbolDay:
    """What is compared of a symbol's date; NaN where unknown.

    ``returns`` 5-minute log returns [1], ``median_spread`` [bps], ``volume`` [shares], ``realised_volatility`` [1].
    """

    symbol: str
    returns: NDArray[np.float64]
    median_spread: float
    volume: float
    realised_volatility: float


_RATIOS = {
    "spread_ratio": "median_spread",
    "volume_ratio": "volume",
    "volatility_ratio": "realised_volatility",
}


def relation(
    own: SymbolDay, other: SymbolDay, *, minimum_returns: int = FEWEST_RETURNS
) -> tuple[Relation, dict[str, str]]:
    """A symbol's date compared with that of a benchmark or sector ETF.

    Parameters
    ----------
    own, other : SymbolDay
        Returns on one grid.
    minimum_returns : int
        Fewer common returns give no correlation and no beta.

    Returns
    -------
    Relation
    dict of str
        Field -> why it is null.

    Examples
    --------
    >>> day = SymbolDay("KO", np.zeros(78), 4.0, 3e6, 0.01)
    >>> found, reasons = relation(day, SymbolDay("SPY", np.zeros(78), 1.0, 6e7, 0.02))
    >>> found.spread_ratio, found.volume_ratio, found.volatility_ratio, found.n, found.beta
    (4.0, 0.05, 0.5, 78, None)
    >>> reasons["beta"]
    'the common returns of SPY are all equal'
    """
    moved = co_movement(own.returns, other.returns, minimum_returns=minimum_returns)
    values: dict[str, float] = {"correlation": moved.correlation, "beta": moved.beta}
    reasons = {
        "correlation": CONSTANT_RETURNS,
        "beta": f"the common returns of {other.symbol} are all equal",
    }
    if moved.n < minimum_returns:
        reasons = dict.fromkeys(reasons, TOO_FEW_RETURNS.format(minimum_returns))
    for name, measure in _RATIOS.items():
        value, reference = getattr(own, measure), getattr(other, measure)
        values[name] = float(ratio(np.array([value]), np.array([reference]))[0])
        reasons[name] = _why_no_ratio(own.symbol, other.symbol, measure, value, reference)
    nulls = {name for name, value in values.items() if math.isnan(value)}
    known = {name: None if name in nulls else value for name, value in values.items()}
    return Relation(symbol=other.symbol, n=moved.n, **known), {name: reasons[name] for name in values if name in nulls}


def _why_no_ratio(own: str, other: str, measure: str, value: float, reference: float) -> str:
    if math.isnan(value) or math.isnan(reference):
        return f"{measure} of {own if math.isnan(value) else other} is not known"
    return f"{measure} of {other} is not above 0"


def no_relation(symbol: str | None, reason: str) -> tuple[Relation, dict[str, str]]:
    """The relation of a symbol that cannot be compared, every field null for one reason.

    Parameters
    ----------
    symbol : str or None
        The benchmark or sector ETF; None when the settings name none.
    reason : str

    Returns
    -------
    Relation
    dict of str
        Field -> ``reason``.

    Examples
    --------
    >>> found, reasons = no_relation("XLK", "XLK has no data on the date")
    >>> found.symbol, found.n, found.correlation, len(reasons)
    ('XLK', 0, None, 5)
    """
    nulls = ["correlation", "beta", *_RATIOS]
    empty = Relation(symbol=symbol, n=0, **dict.fromkeys(nulls))
    return empty, dict.fromkeys([*([] if symbol else ["symbol"]), *nulls], reason)

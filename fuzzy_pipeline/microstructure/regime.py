"""What kind of day it was: named states and a stress indicator.

Belongs here: thresholds that turn measures into names. What is normal for a symbol comes in as the values of earlier
dates; a result says whether those or fixed thresholds decided.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

TRAILING_DATES = 20
"""Earlier dates from which on percentiles decide."""

LOW_PERCENTILE, HIGH_PERCENTILE = 20.0, 80.0
VOLATILITY_THRESHOLDS = (0.005, 0.015, 0.03)
TREND_THRESHOLDS = (0.005, 0.02)
LIQUIDITY_THRESHOLDS = (40.0, 70.0)
IMPACT_SHARE_THRESHOLDS = (0.5, 1.0)


class VolatilityRegime(StrEnum):
    """Daily realised volatility."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    EXTREME = "extreme"


class TrendState(StrEnum):
    """Return from open to close."""

    STRONG_DOWN = "strong_down"
    DOWN = "down"
    FLAT = "flat"
    UP = "up"
    STRONG_UP = "strong_up"


class LiquidityState(StrEnum):
    """Liquidity score."""

    THIN = "thin"
    NORMAL = "normal"
    DEEP = "deep"


class MicrostructureRegime(StrEnum):
    """Who keeps the spread: liquidity providers (benign), nobody (toxic)."""

    BENIGN = "benign"
    NORMAL = "normal"
    TOXIC = "toxic"


class Yardstick(StrEnum):
    """What a value was compared with."""

    TRAILING_DATES = "trailing_dates"
    FIXED_THRESHOLDS = "fixed_thresholds"


# -- named states --------------------------------------------------------------


def volatility_regime(daily_volatility: float) -> VolatilityRegime | None:
    """Name of a day's realised volatility: below 0.5 %, 1.5 % and 3 % low, normal and high, else extreme.

    Parameters
    ----------
    daily_volatility : float
        Square root of the sum of squared five-minute log returns of the session: standard deviations of single
        ticks do not come near these thresholds. [1]

    Returns
    -------
    VolatilityRegime or None
        None for NaN.

    References
    ----------
    Andersen, Bollerslev, Diebold and Labys (2003), Econometrica 71:579, https://doi.org/10.1111/1468-0262.00418

    Examples
    --------
    >>> volatility_regime(0.009).value, volatility_regime(0.03).value
    ('normal', 'extreme')
    """
    if math.isnan(daily_volatility):
        return None
    return list(VolatilityRegime)[int(np.searchsorted(VOLATILITY_THRESHOLDS, daily_volatility, side="right"))]


def trend_state(price_open: float, price_close: float) -> TrendState | None:
    """Name of a day's return from open to close: ±0.5 % up or down, ±2 % strongly so; a threshold met counts.

    Parameters
    ----------
    price_open, price_close : float
        [USD]

    Returns
    -------
    TrendState or None
        None when a price is NaN.

    References
    ----------
    Lou, Polk and Skouras (2019), Journal of Financial Economics 134:192 (returns within the day and over the night
    differ), https://doi.org/10.1016/j.jfineco.2019.03.011

    Examples
    --------
    >>> trend_state(100.0, 100.4).value, trend_state(100.0, 98.0).value
    ('flat', 'strong_down')
    """
    change = (price_close - price_open) / price_open
    if math.isnan(change):
        return None
    # Rounding must not decide whether a threshold was met.
    steps = int(np.searchsorted(TREND_THRESHOLDS, abs(change) + 1e-12, side="right"))
    return list(TrendState)[2 + (steps if change > 0 else -steps)]


def percentile_rank(value: float, trailing: NDArray[np.float64]) -> float:
    """Percentile of a value among earlier ones: the share below it, those equal to it counting half.

    Parameters
    ----------
    value : float
    trailing : float64[n]
        NaN is left out.

    Returns
    -------
    float
        0 to 100; NaN when the value is or nothing is known before it.

    References
    ----------
    Hazen (1914), Transactions of the American Society of Civil Engineers 77:1539 (mid-ranks).

    Examples
    --------
    >>> percentile_rank(3.0, np.array([1.0, 2.0, 3.0, 4.0]))
    62.5
    """
    known = trailing[~np.isnan(trailing)]
    if math.isnan(value) or len(known) == 0:
        return math.nan
    return float(np.mean((known < value) + 0.5 * (known == value))) * 100.0


@dataclass(frozen=True, slots=True)
class State:
    """A named state, what it was decided by, its percentile (NaN without earlier dates) and how many dates."""

    name: str | None
    yardstick: Yardstick
    percentile: float
    n_dates: int


def _state(
    value: float,
    trailing: NDArray[np.float64],
    names: Sequence[str],
    thresholds: tuple[float, float],
    minimum_dates: int,
) -> State:
    """The first, second or third name: below, between or above the two thresholds."""
    dates = int(np.count_nonzero(~np.isnan(trailing)))
    percentile = percentile_rank(value, trailing)
    yardstick = Yardstick.TRAILING_DATES if dates >= minimum_dates else Yardstick.FIXED_THRESHOLDS
    if math.isnan(value):
        return State(None, yardstick, percentile, dates)
    by_rank = yardstick is Yardstick.TRAILING_DATES
    low, high = (LOW_PERCENTILE, HIGH_PERCENTILE) if by_rank else thresholds
    judged = percentile if by_rank else value
    return State(names[int(judged >= low) + int(judged > high)], yardstick, percentile, dates)


def liquidity_state(
    liquidity_score: float, trailing: NDArray[np.float64], *, minimum_dates: int = TRAILING_DATES
) -> State:
    """Thin, normal or deep: the liquidity score below the 20th, up to or above the 80th percentile of earlier dates.

    With fewer earlier dates the fixed thresholds 40 and 70 decide.

    Parameters
    ----------
    liquidity_score : float
        Of the day, 0-100.
    trailing : float64[n_dates]
        The same of earlier dates, NaN where unknown.
    minimum_dates : int

    Returns
    -------
    State
        ``name`` is a ``LiquidityState`` or None for NaN.

    References
    ----------
    Chordia, Roll and Subrahmanyam (2001), Journal of Finance 56:501 (liquidity against its own recent level),
    https://doi.org/10.1111/0022-1082.00335

    Examples
    --------
    >>> state = liquidity_state(55.0, np.arange(60.0, 80.0))
    >>> state.name.value, state.yardstick.value
    ('thin', 'trailing_dates')
    >>> liquidity_state(55.0, np.array([60.0])).name.value
    'normal'
    """
    return _state(liquidity_score, trailing, list(LiquidityState), LIQUIDITY_THRESHOLDS, minimum_dates)


def microstructure_regime(
    impact_share: float, trailing: NDArray[np.float64], *, minimum_dates: int = TRAILING_DATES
) -> State:
    """Benign, normal or toxic, by the share of the effective spread that turns out to be price impact.

    Below the 20th, up to or above the 80th percentile of earlier dates. With fewer dates fixed thresholds decide,
    which have a meaning: below 0.5 liquidity providers keep more than half of the spread, above 1 they lose.

    Parameters
    ----------
    impact_share : float
        1 − ``reversion_rate`` at one minute. [1]
    trailing : float64[n_dates]
        The same of earlier dates, NaN where unknown.
    minimum_dates : int

    Returns
    -------
    State
        ``name`` is a ``MicrostructureRegime`` or None for NaN.

    References
    ----------
    Huang and Stoll (1996), Journal of Financial Economics 41:313, https://doi.org/10.1016/0304-405X(95)00867-E

    Examples
    --------
    >>> microstructure_regime(1.2, np.zeros(0)).name.value
    'toxic'
    """
    return _state(impact_share, trailing, list(MicrostructureRegime), IMPACT_SHARE_THRESHOLDS, minimum_dates)


# -- stress --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Stress:
    """Stress indicator 0-100, NaN when no part is known; ``parts`` are the percentiles it is the mean of."""

    value: float
    parts: Mapping[str, float]


def stress_indicator(
    measures: Mapping[str, tuple[float, NDArray[np.float64]]], *, minimum_dates: int = TRAILING_DATES
) -> Stress:
    """Stress of a day: the mean percentile, among earlier dates, of measures that rise with stress.

    50 is a usual day, 100 one on which every measure is beyond all earlier ones. Ranks put measures of different
    units on one scale and no outlier outweighs them. Use: realised volatility, mean spread [bps], Kyle's lambda,
    the absolute return from open to close, VPIN.

    Parameters
    ----------
    measures : mapping of str to (float, float64[n_dates])
        Name -> value of the day, and values of earlier dates, NaN where unknown. A measure that is NaN, or known
        on fewer than ``minimum_dates`` earlier dates, has no part.
    minimum_dates : int

    Returns
    -------
    Stress

    References
    ----------
    Holló, Kremer and Lo Duca (2012), CISS: a composite indicator of systemic stress, ECB Working Paper 1426 (ranks
    as common scale), https://doi.org/10.2139/ssrn.2018792

    Examples
    --------
    Above 15 of 20 earlier values, and above all 20: the mean of 75 and 100.

    >>> earlier = np.arange(20.0)
    >>> stress_indicator({"volatility": (14.5, earlier), "spread": (99.0, earlier)}).value
    87.5
    """
    parts = {
        name: percentile_rank(value, trailing)
        for name, (value, trailing) in measures.items()
        if not math.isnan(value) and np.count_nonzero(~np.isnan(trailing)) >= minimum_dates
    }
    return Stress(math.fsum(parts.values()) / len(parts) if parts else math.nan, parts)

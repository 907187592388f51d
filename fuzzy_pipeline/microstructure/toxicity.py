"""How much those who trade know: adverse selection, toxic minutes, and what is left of an impact after a while."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.price_impact import MeanImpact, mean_impact
from fuzzy_pipeline.microstructure.regression import Regression, least_squares

MINUTE_NS = 60_000_000_000
TOXIC_PERCENTILE = 95.0
"""Percentile of the minutes of earlier dates above which a minute counts as toxic."""

TOXIC_MINIMUM_DATES = 5


# -- adverse selection ---------------------------------------------------------


def adverse_selection_score(impact_60s_bps: NDArray[np.floating[Any]], is_large: NDArray[np.bool_]) -> MeanImpact:
    """Mean price impact of large trades a minute later.

    Parameters
    ----------
    impact_60s_bps : float[n_trades]
        Price impact 2·D·(M(t + 60 s) − M(t)) / M(t); NaN where unknown. [bps]
    is_large : bool[n_trades]
        Size at least the 95th percentile of the earlier dates' trades, or 10,000 shares until enough exist.

    Returns
    -------
    MeanImpact

    References
    ----------
    Glosten and Milgrom (1985), Journal of Financial Economics 14:71, https://doi.org/10.1016/0304-405X(85)90044-3
    Huang and Stoll (1996), Journal of Financial Economics 41:313, https://doi.org/10.1016/0304-405X(95)00867-E

    Examples
    --------
    >>> adverse_selection_score(np.array([2.0, 4.0, 9.0]), np.array([True, True, False]))
    MeanImpact(bps=3.0, n=2)
    """
    return mean_impact(impact_60s_bps, is_large)


@njit(cache=True, nogil=True)
def _spread_changes(spread, size, sign, change, shares):  # type: ignore[no-untyped-def]
    """Change to the next known spread and size of each trade with a side and a spread; the last has none."""
    rows = 0
    waiting = -1  # trade whose next spread is looked for
    for i in range(len(spread)):
        if np.isnan(spread[i]):
            continue
        if waiting >= 0:
            change[rows] = spread[i] - spread[waiting]
            shares[rows] = size[waiting]
            rows += 1
        waiting = i if sign[i] != 0 else -1
    return rows


def information_asymmetry(
    spread: NDArray[np.float64], size: NDArray[np.unsignedinteger[Any]], sign: NDArray[np.int8]
) -> Regression:
    """Do large trades widen the spread: correlation of the change in spread after a trade with the trade's size.

    The change is from the quote at the trade to the next known one. Prints without an aggressor (auctions, average
    prices) are left out: their sizes would decide the correlation and no liquidity provider stood against them.

    Parameters
    ----------
    spread : float64[n_trades]
        Quoted spread at each trade in time order, NaN when missing. [USD]
    size : unsigned[n_trades]
        [shares]
    sign : int8[n_trades]
        +1 buyer, −1 seller, 0 without one.

    Returns
    -------
    Regression
        Of the change [USD] on the size [shares]; ``correlation`` in [−1, 1] is the measure, NaN when either is
        constant or there are fewer than three trades.

    References
    ----------
    Easley and O'Hara (1987), Journal of Financial Economics 19:69, https://doi.org/10.1016/0304-405X(87)90029-8
    Glosten and Milgrom (1985), Journal of Financial Economics 14:71, https://doi.org/10.1016/0304-405X(85)90044-3

    Examples
    --------
    Changes 0.01, 0.02, 0.03 after 100, 200 and 300 shares:

    >>> spreads, sizes = np.array([0.01, 0.02, 0.04, 0.07]), np.array([100, 200, 300, 500], dtype=np.uint32)
    >>> round(information_asymmetry(spreads, sizes, np.ones(4, dtype=np.int8)).correlation, 9)
    1.0
    """
    change, shares = np.empty(len(spread)), np.empty(len(spread))
    rows = _spread_changes(spread, size, sign, change, shares)
    return least_squares(change[:rows], shares[:rows])


# -- toxic minutes -------------------------------------------------------------


@njit(cache=True, nogil=True)
def _minute_means(timestamps, impact, start, out):  # type: ignore[no-untyped-def]
    out[:] = np.nan
    total = 0.0
    n = minute = 0
    boundary = start + MINUTE_NS
    for i in range(len(timestamps)):
        if timestamps[i] >= boundary and minute < len(out) - 1:
            if n > 0:
                out[minute] = total / n
            total = 0.0
            n = 0
            minute = min((timestamps[i] - start) // MINUTE_NS, len(out) - 1)
            boundary = start + (minute + 1) * MINUTE_NS
        if not np.isnan(impact[i]):
            total += impact[i]
            n += 1
    if n > 0:
        out[minute] = total / n


def minute_mean_impact(
    timestamps: NDArray[np.int64], impact_bps: NDArray[np.floating[Any]], start_ns: int, end_ns: int
) -> NDArray[np.float64]:
    """Mean price impact of the trades of each minute of a session.

    Parameters
    ----------
    timestamps : int64[n_trades]
        Instants in time order. [UTC ns]
    impact_bps : float[n_trades]
        Price impact at one horizon, NaN where unknown. [bps]
    start_ns, end_ns : int
        Bounds of the session; later trades belong to the last minute. [UTC ns]

    Returns
    -------
    float64[n_minutes]
        NaN for a minute without a known impact. [bps]

    References
    ----------
    Huang and Stoll (1996), Journal of Financial Economics 41:313, https://doi.org/10.1016/0304-405X(95)00867-E

    Examples
    --------
    >>> second = 1_000_000_000
    >>> minute_mean_impact(np.array([1, 2, 130]) * second, np.array([1.0, 3.0, 5.0]), 0, 180 * second)
    array([ 2., nan,  5.])
    """
    out = np.empty(max(-((start_ns - end_ns) // MINUTE_NS), 1))
    _minute_means(timestamps, impact_bps, start_ns, out)
    return out


def toxic_threshold(
    earlier_dates: Sequence[NDArray[np.float64]], *, minimum_dates: int = TOXIC_MINIMUM_DATES
) -> float | None:
    """95th percentile of the minutes' mean impacts of earlier dates.

    Parameters
    ----------
    earlier_dates : sequence of float64[n_minutes]
        ``minute_mean_impact`` of each; dates without any known minute do not count. [bps]
    minimum_dates : int

    Returns
    -------
    float or None
        [bps]; None with fewer dates.

    References
    ----------
    Hyndman and Fan (1996), The American Statistician 50:361 (type 7), https://doi.org/10.2307/2684934

    Examples
    --------
    >>> toxic_threshold([np.arange(0.0, 101.0)] * 5)
    95.0
    >>> toxic_threshold([np.arange(0.0, 101.0)] * 4) is None
    True
    """
    known = [minutes[~np.isnan(minutes)] for minutes in earlier_dates]
    known = [minutes for minutes in known if len(minutes)]
    return float(np.percentile(np.concatenate(known), TOXIC_PERCENTILE)) if len(known) >= minimum_dates else None


def toxic_minutes(minute_impact_bps: NDArray[np.float64], threshold_bps: float | None) -> int | None:
    """Minutes whose mean price impact exceeds what was usual on earlier dates.

    Parameters
    ----------
    minute_impact_bps : float64[n_minutes]
        ``minute_mean_impact`` at 60 s; NaN minutes do not count. [bps]
    threshold_bps : float or None
        ``toxic_threshold`` of earlier dates: a percentile of the same date would always count 5 % of its minutes.

    Returns
    -------
    int or None
        None without a threshold and without a single known minute.

    References
    ----------
    Huang and Stoll (1996), Journal of Financial Economics 41:313, https://doi.org/10.1016/0304-405X(95)00867-E

    Examples
    --------
    >>> toxic_minutes(np.array([1.0, 2.5, np.nan, 9.0]), 2.0)
    2
    """
    if threshold_bps is None or math.isnan(threshold_bps) or np.isnan(minute_impact_bps).all():
        return None
    return int(np.count_nonzero(minute_impact_bps > threshold_bps))


# -- reversion -----------------------------------------------------------------


@njit(cache=True, nogil=True)
def _weighted_sums(realised, effective, size):  # type: ignore[no-untyped-def]
    given_back = paid = 0.0
    for i in range(len(realised)):
        if not (np.isnan(realised[i]) or np.isnan(effective[i])):
            given_back += realised[i] * size[i]
            paid += effective[i] * size[i]
    return given_back, paid


def reversion_rate(
    realised_spread: NDArray[np.floating[Any]],
    effective_spread: NDArray[np.floating[Any]],
    size: NDArray[np.unsignedinteger[Any]],
) -> float:
    """Share of the effective spread that is given back after the horizon, weighted by shares: Σ RS·V / Σ ES·V.

    1: the price comes back by the whole half-spread and the liquidity provider keeps it; 0: nothing comes back, all
    of the spread is price impact; below 0 the price goes on. 1 − rate is the share of impact.

    Parameters
    ----------
    realised_spread : float[n_trades]
        RS = 2·D·(P − M(t+h)), NaN where unknown. [USD]
    effective_spread : float[n_trades]
        ES = 2·D·(P − M), with its sign, NaN where unknown. [USD]
    size : unsigned[n_trades]
        [shares]

    Returns
    -------
    float
        [1]; NaN when the effective spreads do not sum to more than 0.

    References
    ----------
    Huang and Stoll (1996), Journal of Financial Economics 41:313, https://doi.org/10.1016/0304-405X(95)00867-E

    Examples
    --------
    (0.01·300 + 0.02·100) / (0.02·300 + 0.04·100) = 5 / 10:

    >>> round(reversion_rate(np.array([0.01, 0.02]), np.array([0.02, 0.04]), np.array([300, 100], dtype=np.uint32)), 9)
    0.5
    """
    given_back, paid = _weighted_sums(realised_spread, effective_spread, size)
    return given_back / paid if paid > 0.0 else math.nan


@njit(cache=True, nogil=True)
def _abs_return(timestamps, price, horizon, end):  # type: ignore[no-untyped-def]
    total = 0.0
    n = later = 0
    for i in range(len(timestamps)):
        target = timestamps[i] + horizon
        if target > end:
            break
        while later + 1 < len(timestamps) and timestamps[later + 1] <= target:
            later += 1
        total += abs(price[later] - price[i]) / price[i]
        n += 1
    return total / n if n > 0 else np.nan


def abs_return_bps(timestamps: NDArray[np.int64], price: NDArray[np.float64], horizon_ns: int, end_ns: int) -> float:
    """Mean absolute return from each trade's price to the one in force after the horizon.

    Parameters
    ----------
    timestamps : int64[n_trades]
        Instants in time order. [UTC ns]
    price : float64[n_trades]
        Prices, without NaN. [USD]
    horizon_ns : int
        The later price is the last one at or before t + horizon. [ns]
    end_ns : int
        Close of the session: trades with less than the horizon to it are left out. [UTC ns]

    Returns
    -------
    float
        [bps]; NaN without a trade early enough.

    References
    ----------
    Forsberg and Ghysels (2007), Journal of Financial Econometrics 5:31 (absolute returns as a measure of
    volatility), https://doi.org/10.1093/jjfinec/nbl010

    Examples
    --------
    100 to 101 is 100 bps; 101 keeps its price for the horizon:

    >>> round(abs_return_bps(np.array([0, 4, 30]), np.array([100.0, 101.0, 90.0]), 10, 20), 9)
    50.0
    """
    return float(_abs_return(timestamps, price, horizon_ns, end_ns)) * 1e4

"""Who started a trade: rules that give a sign to each tick, and one that splits the volume of bars.

No rule knows of auctions, average-price or derivatively priced prints, which have no aggressor: whoever has the
condition codes sets their signs to 0.
"""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.schema.codes import SignMethod

ClassificationMethod = Literal["lee_ready", "tick_test", "emo", "clnv"]
"""Rules that give each trade a sign."""

BulkDistribution = Literal["normal", "student_t"]
"""Distributions of bulk volume classification: of 2012 and of 2016."""

BULK_DEGREES_OF_FREEDOM = 0.25
"""Of the Student t distribution of 2016."""

CLNV_BAND = 0.3
"""Share of the spread next to the ask, and next to the bid, in which the quote decides."""

_NONE, _QUOTE, _TICK_TEST = (int(member) for member in SignMethod)
_EMO, _CLNV = range(2)


MIDPOINT_ROUNDING = 2e-12
"""Of the price: a few dozen times the rounding of 2·price − (bid + ask), a millionth of a tick of 0.0001 USD."""


@njit(cache=True, nogil=True, inline="always")
def is_midpoint(price, bid, ask):  # type: ignore[no-untyped-def]
    """Whether a price is the midpoint of its quote; False without a quote.

    Decimal prices are not exact in binary: compared exactly, one in four midpoints of whole cents is missed by the
    last bit and would get its sign from the rounding.
    """
    return abs(2.0 * price - (bid + ask)) <= MIDPOINT_ROUNDING * price


@njit(cache=True, nogil=True, inline="always")
def lee_ready_step(price, bid, ask, different):  # type: ignore[no-untyped-def]
    """Sign and method of one tick; ``different`` is the last price that differs from this one (NaN: none)."""
    # Both false without a quote: comparisons with NaN are false.
    by_quote = (ask > bid) & (not is_midpoint(price, bid, ask))
    reference = 0.5 * (bid + ask) if by_quote else different
    sign = np.int8(price > reference) - np.int8(price < reference)
    method = _QUOTE if by_quote else (_TICK_TEST if sign != 0 else _NONE)
    return sign, method


@njit(cache=True, nogil=True)
def _lee_ready(price, bid, ask, sign):  # type: ignore[no-untyped-def]
    previous = np.nan
    different = np.nan
    for i in range(len(price)):
        p = price[i]
        if p != previous:
            different = previous
            previous = p
        sign[i], _ = lee_ready_step(p, bid[i], ask[i], different)


def lee_ready(price: NDArray[np.float64], bid: NDArray[np.float64], ask: NDArray[np.float64]) -> NDArray[np.int8]:
    """Trade sign by Lee and Ready, with the quote at the trade and no lag.

    Above the midpoint is a buy, below it a sell. At the midpoint, and where the quote is missing, locked or
    crossed, the tick test decides: the sign of the difference to the last **different** trade price.

    Parameters
    ----------
    price : float64[n_trades]
        Trade prices in time order. [USD]
    bid, ask : float64[n_trades]
        Quote at each trade; NaN when missing. [USD]

    Returns
    -------
    int8[n_trades]
        +1 buyer, −1 seller, 0 unknown (no earlier different price).

    References
    ----------
    Lee and Ready (1991), Journal of Finance 46:733, https://doi.org/10.1111/j.1540-6261.1991.tb02683.x

    Examples
    --------
    >>> lee_ready(np.array([10.02, 10.01, 10.01]), np.array([10.0, 10.0, 10.0]), np.array([10.02, 10.02, 10.02]))
    array([ 1, -1, -1], dtype=int8)
    """
    sign = np.empty(len(price), dtype=np.int8)
    _lee_ready(price, bid, ask, sign)
    return sign


# -- other rules for single trades ---------------------------------------------


@njit(cache=True, nogil=True)
def _tick_test(price, sign):  # type: ignore[no-untyped-def]
    previous = np.nan
    different = np.nan
    for i in range(len(price)):
        p = price[i]
        if p != previous:
            different = previous
            previous = p
        sign[i] = np.int8(p > different) - np.int8(p < different)


@njit(cache=True, nogil=True, inline="always")
def _at_the_quote(price, bid, ask):  # type: ignore[no-untyped-def]
    # Exact: the same decimal price is the same binary number.
    return np.int8(price == ask) - np.int8(price == bid)


@njit(cache=True, nogil=True, inline="always")
def _near_the_quote(price, bid, ask):  # type: ignore[no-untyped-def]
    # The edges of the bands are decimal prices too: 10.07 is in the upper band of 10.00-10.10.
    band = CLNV_BAND * (ask - bid) + MIDPOINT_ROUNDING * price
    upper = (price <= ask) & (ask - price <= band)
    lower = (price >= bid) & (price - bid <= band)
    return np.int8(upper) - np.int8(lower)


@njit(cache=True, nogil=True)
def _quote_then_tick_test(price, bid, ask, rule, sign):  # type: ignore[no-untyped-def]
    previous = np.nan
    different = np.nan
    for i in range(len(price)):
        p = price[i]
        if p != previous:
            different = previous
            previous = p
        side = np.int8(0)
        if ask[i] > bid[i]:  # false without a quote: comparisons with NaN are false
            side = _at_the_quote(p, bid[i], ask[i]) if rule == _EMO else _near_the_quote(p, bid[i], ask[i])
        sign[i] = side if side != 0 else np.int8(p > different) - np.int8(p < different)


def tick_test(price: NDArray[np.float64]) -> NDArray[np.int8]:
    """Trade sign by the tick test: the sign of the difference to the last **different** trade price.

    Parameters
    ----------
    price : float64[n_trades]
        Trade prices in time order. [USD]

    Returns
    -------
    int8[n_trades]
        +1 buyer, −1 seller, 0 unknown (no earlier different price).

    References
    ----------
    Lee and Ready (1991), Journal of Finance 46:733, https://doi.org/10.1111/j.1540-6261.1991.tb02683.x

    Examples
    --------
    >>> tick_test(np.array([10.00, 10.01, 10.01, 10.00]))
    array([ 0,  1,  1, -1], dtype=int8)
    """
    sign = np.empty(len(price), dtype=np.int8)
    _tick_test(price, sign)
    return sign


def emo(price: NDArray[np.float64], bid: NDArray[np.float64], ask: NDArray[np.float64]) -> NDArray[np.int8]:
    """Trade sign by Ellis, Michaely and O'Hara: at the ask a buy, at the bid a sell, elsewhere the tick test.

    Elsewhere is inside and outside the quote, and where the quote is missing, locked or crossed.

    Parameters
    ----------
    price : float64[n_trades]
        Trade prices in time order. [USD]
    bid, ask : float64[n_trades]
        Quote at each trade; NaN when missing. [USD]

    Returns
    -------
    int8[n_trades]
        +1 buyer, −1 seller, 0 unknown (no earlier different price).

    References
    ----------
    Ellis, Michaely and O'Hara (2000), Journal of Financial and Quantitative Analysis 35:529,
    https://doi.org/10.2307/2676254

    Examples
    --------
    >>> emo(np.array([10.00, 10.03, 10.04]), np.array([10.00] * 3), np.array([10.04] * 3))
    array([-1,  1,  1], dtype=int8)
    """
    sign = np.empty(len(price), dtype=np.int8)
    _quote_then_tick_test(price, bid, ask, _EMO, sign)
    return sign


def clnv(price: NDArray[np.float64], bid: NDArray[np.float64], ask: NDArray[np.float64]) -> NDArray[np.int8]:
    """Trade sign by Chakrabarty, Li, Nguyen and Van Ness: the quote near its two sides, the tick test elsewhere.

    Ask − 0.3·spread ≤ price ≤ ask is a buy, bid ≤ price ≤ bid + 0.3·spread a sell. The middle 40 %, prices outside
    the quote, and missing, locked or crossed quotes are left to the tick test.

    Parameters
    ----------
    price : float64[n_trades]
        Trade prices in time order. [USD]
    bid, ask : float64[n_trades]
        Quote at each trade; NaN when missing. [USD]

    Returns
    -------
    int8[n_trades]
        +1 buyer, −1 seller, 0 unknown (no earlier different price).

    References
    ----------
    Chakrabarty, Li, Nguyen and Van Ness (2007), Journal of Banking & Finance 31:3806,
    https://doi.org/10.1016/j.jbankfin.2007.03.003

    Examples
    --------
    >>> clnv(np.array([10.03, 10.07, 10.06]), np.array([10.00] * 3), np.array([10.10] * 3))
    array([-1,  1, -1], dtype=int8)
    """
    sign = np.empty(len(price), dtype=np.int8)
    _quote_then_tick_test(price, bid, ask, _CLNV, sign)
    return sign


def classify(
    method: ClassificationMethod, price: NDArray[np.float64], bid: NDArray[np.float64], ask: NDArray[np.float64]
) -> NDArray[np.int8]:
    """Trade sign by the rule of a name.

    Parameters
    ----------
    method : {"lee_ready", "tick_test", "emo", "clnv"}
        ``tick_test`` does not look at the quote.
    price : float64[n_trades]
        Trade prices in time order. [USD]
    bid, ask : float64[n_trades]
        Quote at each trade; NaN when missing. [USD]

    Returns
    -------
    int8[n_trades]
        +1 buyer, −1 seller, 0 unknown.

    Raises
    ------
    ValueError
        When there is no rule of that name.

    Examples
    --------
    >>> classify("tick_test", np.array([10.00, 10.01]), np.array([np.nan] * 2), np.array([np.nan] * 2))
    array([0, 1], dtype=int8)
    """
    if method == "tick_test":
        return tick_test(price)
    rules = {"lee_ready": lee_ready, "emo": emo, "clnv": clnv}
    if method not in rules:
        raise ValueError(f"no rule {method!r}; there are {', '.join(get_args(ClassificationMethod))}")
    return rules[method](price, bid, ask)


# -- bars ----------------------------------------------------------------------


@njit(cache=True, nogil=True)
def _incomplete_beta(x, complement, a, b):  # type: ignore[no-untyped-def]
    """Regularised incomplete beta function I_x(a, b) by its continued fraction; ``complement`` is 1 − x, exactly."""
    if x <= 0.0 or complement <= 0.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1.0) / (a + b + 2.0):  # the fraction converges fast below; I_x(a, b) + I_1−x(b, a) = 1
        return 1.0 - _incomplete_beta(complement, x, b, a)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(complement)
    upper = 1.0
    lower = 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    fraction = lower
    for m in range(1, 500):
        for term in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            lower = 1.0 / (1.0 + term * lower)
            upper = 1.0 + term / upper
            fraction *= upper * lower
        if abs(upper * lower - 1.0) < 1e-15:
            break
    return math.exp(logarithm) * fraction / a


@njit(cache=True, nogil=True)
def _bulk_buy_volume(price_change, volume, sigma, degrees_of_freedom, buy_volume):  # type: ignore[no-untyped-def]
    for i in range(len(price_change)):
        scale = sigma[i] if len(sigma) > 1 else sigma[0]
        z = price_change[i] / scale if scale > 0.0 else np.nan
        if np.isnan(z):
            buy_share = np.nan
        elif degrees_of_freedom == 0.0:
            buy_share = 0.5 * math.erfc(-z / math.sqrt(2.0))
        else:
            square = z * z
            beyond = 0.5 * _incomplete_beta(
                degrees_of_freedom / (degrees_of_freedom + square), square / (degrees_of_freedom + square),
                0.5 * degrees_of_freedom, 0.5,
            )  # fmt: skip
            buy_share = 1.0 - beyond if z > 0.0 else beyond
        buy_volume[i] = volume[i] * buy_share


def bulk_volume_classification(
    price_change: NDArray[np.float64],
    volume: NDArray[np.float64],
    sigma: NDArray[np.float64] | float,
    distribution: BulkDistribution = "normal",
    *,
    degrees_of_freedom: float = BULK_DEGREES_OF_FREEDOM,
) -> NDArray[np.float64]:
    """Buy volume of bars from their price changes: volume · Z(price change / sigma). Not a side per trade.

    Parameters
    ----------
    price_change : float64[n_bars]
        Close minus the close of the bar before; NaN when unknown. [USD]
    volume : float64[n_bars]
        Volume of the bars. [shares]
    sigma : float or float64[n_bars]
        Volume-weighted standard deviation of price changes between bars, from bars **before** those classified;
        NaN or 0 when unknown. [USD]
    distribution : {"normal", "student_t"}
        Z: the normal distribution function of 2012 or Student's t of 2016.
    degrees_of_freedom : float
        Of Student's t.

    Returns
    -------
    float64[n_bars]
        [shares] NaN where the price change or sigma is unknown; the sell volume is the rest of the volume.

    Raises
    ------
    ValueError
        When there is no distribution of that name, it has no positive degrees of freedom, or lengths differ.

    References
    ----------
    Easley, López de Prado and O'Hara (2012), Review of Financial Studies 25:1457, https://doi.org/10.1093/rfs/hhs053
    Easley, López de Prado and O'Hara (2016), Journal of Financial Economics 120:269,
    https://doi.org/10.1016/j.jfineco.2016.01.006

    Examples
    --------
    >>> bulk_volume_classification(np.array([0.0, 0.02, -0.02]), np.array([1000.0] * 3), 0.02).round()
    array([500., 841., 159.])
    """
    if distribution not in get_args(BulkDistribution):
        raise ValueError(f"no distribution {distribution!r}; there are {', '.join(get_args(BulkDistribution))}")
    if distribution == "student_t" and not degrees_of_freedom > 0:
        raise ValueError(f"degrees of freedom must be positive, not {degrees_of_freedom}")
    change, scale = np.asarray(price_change, dtype=np.float64), np.atleast_1d(np.asarray(sigma, dtype=np.float64))
    shares = np.asarray(volume, dtype=np.float64)
    if len(shares) != len(change) or (np.ndim(sigma) > 0 and len(scale) != len(change)):
        raise ValueError(f"{len(change)} price changes, {len(shares)} volumes and {len(scale)} sigmas")
    buy_volume = np.empty(len(change))
    # Zero degrees of freedom stand for the normal distribution inside the loop.
    freedom = 0.0 if distribution == "normal" else degrees_of_freedom
    _bulk_buy_volume(change, shares, scale, freedom, buy_volume)
    return buy_volume

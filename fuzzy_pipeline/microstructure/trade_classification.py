"""Who started a trade: rules that give a sign to each tick."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.schema.codes import SignMethod

_NONE, _QUOTE, _TICK_TEST = (int(member) for member in SignMethod)


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

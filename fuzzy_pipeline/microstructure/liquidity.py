"""How liquid a session was: sizes, rates, price steps, and low-frequency measures from prices alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.quotes import has_usable_quote

PRICE_UNITS_PER_USD = 1_000_000
"""Prices are compared as whole numbers of this unit: two decimals more than any printed price has."""

AMIHUD_DOLLARS = 1e6
"""Amihud's measure is given per this many dollars."""

_UNKNOWN = float("nan")
_WIDEST = 2**32  # a range of price units that fits 32 bits: 4,294 USD


@dataclass(frozen=True, slots=True)
class LiquidityProfile:
    """Sizes, rates and price steps of a session; NaN where unknown.

    ``avg_trade_size``, ``median_trade_size``, ``p95_trade_size`` [shares], the percentile interpolated linearly,
    ``trade_frequency`` [1/min], ``quote_intensity`` quote changes seen at trades [1/s], ``effective_tick_size`` least
    non-zero change between successive prices [USD], ``price_levels_count`` distinct prices, ``time_between_trades_ms``
    mean [ms].
    """

    avg_trade_size: float
    median_trade_size: float
    p95_trade_size: float
    trade_frequency: float
    quote_intensity: float
    effective_tick_size: float
    price_levels_count: int
    time_between_trades_ms: float


@njit(cache=True, nogil=True)
def _price_units(price, units):  # type: ignore[no-untyped-def]
    """Prices in whole units, and the least non-zero change between successive ones; 0 when there is none."""
    least = np.int64(0)
    for i in range(len(price)):
        units[i] = np.int64(np.rint(price[i] * PRICE_UNITS_PER_USD))
        if i > 0:
            change = abs(units[i] - units[i - 1])
            if change > 0 and (least == 0 or change < least):
                least = change
    return least


@njit(cache=True, nogil=True)
def _quote_changes(bid, ask):  # type: ignore[no-untyped-def]
    """Changes of either side, the first quote included, and whether there is a usable quote at all."""
    changes = 0
    quoted = False
    bid_before = ask_before = np.nan
    for i in range(len(bid)):
        b, a = bid[i], ask[i]
        # Unequal, unless both are missing.
        changes += ((b != bid_before) & ((b == b) | (bid_before == bid_before))) | (
            (a != ask_before) & ((a == a) | (ask_before == ask_before))
        )
        quoted |= has_usable_quote(b, a)
        bid_before, ask_before = b, a
    return changes, quoted


def _distinct(units: NDArray[np.int64]) -> int:
    if len(units) == 0:
        return 0
    lowest = units.min()
    narrow = np.uint32 if units.max() - lowest < _WIDEST else np.int64
    ordered = np.sort((units - lowest).astype(narrow))
    return 1 + int(np.count_nonzero(ordered[1:] != ordered[:-1]))


def _sorted_percentile(ordered: NDArray[np.unsignedinteger[Any]], percent: int) -> float:
    """Percentile of sorted values, interpolated linearly between the two nearest; NaN of none."""
    if len(ordered) == 0:
        return _UNKNOWN
    below, rest = divmod(percent * (len(ordered) - 1), 100)
    low, high = float(ordered[below]), float(ordered[below + (rest > 0)])
    return low + (high - low) * rest / 100


def liquidity_profile(
    timestamps: NDArray[np.int64],
    price: NDArray[np.float64],
    size: NDArray[np.unsignedinteger[Any]],
    bid: NDArray[np.float64],
    ask: NDArray[np.float64],
    session_seconds: float,
) -> LiquidityProfile:
    """Trade sizes, trade and quote rates, and price steps of a session.

    Rates are per time of the session, as those of bars are: a session that starts late is no busier for it. Price
    changes are compared in whole millionths of a dollar, so that 10.02 − 10.01 is 0.01 and not a last bit less.

    Parameters
    ----------
    timestamps : int64[n_trades]
        Instants in time order. [UTC ns]
    price : float64[n_trades]
        [USD]
    size : unsigned[n_trades]
        [shares]
    bid, ask : float64[n_trades]
        Quote at each trade; NaN when missing. [USD]
    session_seconds : float
        Length of the session. [s]

    Returns
    -------
    LiquidityProfile
        ``quote_intensity`` is NaN without a usable quote, sizes without trades, ``time_between_trades_ms`` under two,
        ``effective_tick_size`` when the price never changes.

    Raises
    ------
    ValueError
        When the session has no length.

    References
    ----------
    Goyenko, Holden and Trzcinka (2009), Journal of Financial Economics 92:153,
    https://doi.org/10.1016/j.jfineco.2008.06.002
    Hyndman and Fan (1996), The American Statistician 50:361 (percentiles: type 7), https://doi.org/10.2307/2684934

    Examples
    --------
    Three trades in a session of a minute, half a second apart, the second on a new bid.

    >>> liquidity_profile(
    ...     np.array([0, 5, 10]) * 10**8, np.array([10.01, 10.02, 10.02]), np.array([100, 300, 500], dtype=np.uint32),
    ...     np.array([10.0, 10.01, 10.01]), np.array([10.02] * 3), 60.0).effective_tick_size
    0.01
    """
    if not session_seconds > 0:
        raise ValueError(f"a session has a positive length, not {session_seconds} s")
    n = len(price)
    units = np.empty(n, dtype=np.int64)
    least = _price_units(price, units)
    changes, quoted = _quote_changes(bid, ask)
    by_size = np.sort(size)  # sizes repeat so much that NumPy sorts them faster than it partitions them
    return LiquidityProfile(
        avg_trade_size=int(size.sum(dtype=np.int64)) / n if n else _UNKNOWN,
        median_trade_size=_sorted_percentile(by_size, 50),
        p95_trade_size=_sorted_percentile(by_size, 95),
        trade_frequency=n * 60 / session_seconds,
        quote_intensity=changes / session_seconds if quoted else _UNKNOWN,
        effective_tick_size=least / PRICE_UNITS_PER_USD if least else _UNKNOWN,
        price_levels_count=_distinct(units),
        time_between_trades_ms=int(timestamps[-1] - timestamps[0]) / (n - 1) / 1e6 if n > 1 else _UNKNOWN,
    )


def amihud(price_open: float, price_close: float, dollar_volume: float) -> float:
    """Amihud's illiquidity of one day: absolute open-to-close return per million dollars traded.

    Return and volume are of the same hours. The measure of a month or year is the mean over its days.

    Parameters
    ----------
    price_open, price_close : float
        First and last price of the session. [USD]
    dollar_volume : float
        Of the same session. [USD]

    Returns
    -------
    float
        [1 per 1,000,000 USD] NaN where a price is missing or nothing was traded.

    References
    ----------
    Amihud (2002), Journal of Financial Markets 5:31, https://doi.org/10.1016/S1386-4181(01)00024-6

    Examples
    --------
    Half a per cent on 2,000,000 USD:

    >>> round(amihud(100.0, 100.5, 2e6), 12)
    0.0025
    """
    if not (price_open > 0 and price_close > 0 and dollar_volume > 0):
        return _UNKNOWN
    return abs(price_close / price_open - 1) / dollar_volume * AMIHUD_DOLLARS


@njit(cache=True, nogil=True)
def _serial_covariance(price):  # type: ignore[no-untyped-def]
    """Sample covariance of successive price changes, and what rounding of prices may make of one that is zero."""
    pairs = len(price) - 2
    origin = price[1] - price[0]  # taken off each change: a steady trend then leaves nothing but rounding
    later = earlier = products = 0.0
    highest = max(price[0], price[1])
    before = 0.0
    for i in range(2, len(price)):
        change = price[i] - price[i - 1] - origin
        later += change
        earlier += before
        products += change * before
        before = change
        highest = max(highest, price[i])
    rounding = 4.0 * 2.0**-52 * highest
    return (products - later * earlier / pairs) / (pairs - 1), rounding * rounding


def roll_spread(price: NDArray[np.float64]) -> float:
    """Roll's spread 2·√−cov(ΔP(t), ΔP(t−1)), with the sample covariance of successive price changes.

    Parameters
    ----------
    price : float64[n_trades]
        Trade prices in time order, of one session. [USD]

    Returns
    -------
    float
        [USD] NaN when the covariance is not negative (a trend has no bounce) or there are fewer than four prices.

    References
    ----------
    Roll (1984), Journal of Finance 39:1127, https://doi.org/10.1111/j.1540-6261.1984.tb03897.x

    Examples
    --------
    Changes 2, −2, 2, −2, 0 and their successors: means 0 and −0.5, Σ products −12, covariance −12 / 3.

    >>> roll_spread(np.array([10.0, 12.0, 10.0, 12.0, 10.0, 10.0]))
    4.0
    """
    if len(price) < 4:
        return _UNKNOWN
    covariance, rounding = _serial_covariance(price)
    return float(2 * np.sqrt(-covariance)) if covariance < -rounding else _UNKNOWN

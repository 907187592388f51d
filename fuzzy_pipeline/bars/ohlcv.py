"""Prices and volume of bars from plain arrays: for research code that has prices, sizes and bar ends, and no store.

Belongs here: the short aggregation. Stored bars come from ``aggregate``, which gives the same values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

_OPEN, _HIGH, _LOW, _CLOSE, _VWAP = range(5)
_PRICES = ("open", "high", "low", "close", "vwap")


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _dollars(price, size):  # type: ignore[no-untyped-def]
    """Σ price · size, added in whatever order is fastest."""
    total = 0.0
    for i in range(len(price)):
        total += price[i] * np.float64(size[i])
    return total


@njit(cache=True, nogil=True)
def _shares(size):  # type: ignore[no-untyped-def]
    total = 0
    for i in range(len(size)):
        total += np.int64(size[i])
    return total


@njit(cache=True, nogil=True)
def _extremes(price):  # type: ignore[no-untyped-def]
    """Highest and lowest price of at least one."""
    # Four of each, which run side by side. The compiler parts one of each by itself only when it is told that no
    # number is NaN; a plain comparison needs no such promise, max() and min() would test for NaN every time.
    h0 = h1 = h2 = h3 = l0 = l1 = l2 = l3 = price[0]
    fours = len(price) // 4 * 4
    for i in range(0, fours, 4):
        a, b, c, d = price[i], price[i + 1], price[i + 2], price[i + 3]
        h0 = a if a > h0 else h0
        h1 = b if b > h1 else h1
        h2 = c if c > h2 else h2
        h3 = d if d > h3 else h3
        l0 = a if a < l0 else l0
        l1 = b if b < l1 else l1
        l2 = c if c < l2 else l2
        l3 = d if d < l3 else l3
    for i in range(fours, len(price)):
        a = price[i]
        h0 = a if a > h0 else h0
        l0 = a if a < l0 else l0
    return max(h0, h1, h2, h3), min(l0, l1, l2, l3)


@njit(cache=True, nogil=True, error_model="numpy")
def _bars(price, size, ends, prices, volumes):  # type: ignore[no-untyped-def]
    start = 0
    for k in range(len(ends)):
        stop = ends[k]
        if stop > start:
            # Slices start at 0: the compiler then sees that no index is negative. A loop for each: together they
            # would run at the pace of the slowest.
            p, s = price[start:stop], size[start:stop]
            volumes[k] = _shares(s)
            dollars = _dollars(p, s)
            high, low = _extremes(p)
            prices[_OPEN, k] = p[0]
            prices[_HIGH, k] = high
            prices[_LOW, k] = low
            prices[_CLOSE, k] = p[len(p) - 1]
            if volumes[k] > 0:
                prices[_VWAP, k] = min(max(dollars / volumes[k], low), high)
        start = stop


@njit(cache=True, nogil=True, error_model="numpy")
def _qualified_bars(price, size, qualified, ends, prices, volumes):  # type: ignore[no-untyped-def]
    start = 0
    for k in range(len(ends)):
        stop = ends[k]
        volumes[k] = _shares(size[start:stop])
        shares = 0
        dollars = 0.0
        opening = high = low = closing = np.nan
        for i in range(start, stop):
            if not qualified[i]:
                continue
            p = price[i]
            if np.isnan(closing):
                opening = high = low = p
            closing = p
            high = max(high, p)
            low = min(low, p)
            shares += np.int64(size[i])
            dollars += p * np.float64(size[i])
        prices[_OPEN, k] = opening
        prices[_HIGH, k] = high
        prices[_LOW, k] = low
        prices[_CLOSE, k] = closing
        if shares > 0:
            prices[_VWAP, k] = min(max(dollars / shares, low), high)
        start = stop


def ohlcv(
    price: NDArray[np.float64],
    size: NDArray[np.unsignedinteger[Any]],
    ends: NDArray[np.int64],
    qualified: NDArray[np.bool_] | None = None,
) -> dict[str, NDArray[Any]]:
    """Open, high, low, close, volume, vwap and tick count of bars.

    Parameters
    ----------
    price : float64[n_trades]
        Trade prices in time order, none of them NaN. [USD]
    size : uint32[n_trades]
        [shares]
    ends : int64[n_bars]
        Positions after the last trade of each bar, never decreasing, none above n_trades. Equal neighbours are a bar
        without trades; the first bar starts at trade 0.
    qualified : bool[n_trades], optional
        Trades that may set prices: open, high, low, close and vwap are of these, volume and tick count of all.
        Default: all may.

    Returns
    -------
    dict of arrays
        ``open``, ``high``, ``low``, ``close``, ``vwap`` float64 [USD], NaN in a bar without price-setting trades,
        ``volume`` uint64 [shares] and ``tick_count`` uint32. ``vwap`` lies within [low, high]; its dollars are added
        in another order than in ``aggregate``, so it may differ from it in the last bits.

    Raises
    ------
    ValueError
        The arrays do not fit together, or ``ends`` decreases or leaves the trades.

    Examples
    --------
    >>> bars = ohlcv(np.array([10.0, 10.5, 10.25, 11.0]), np.array([100, 300, 50, 50], dtype="u4"), np.array([2, 4]))
    >>> bars["open"], bars["high"], bars["low"], bars["close"]
    (array([10.  , 10.25]), array([10.5, 11. ]), array([10.  , 10.25]), array([10.5, 11. ]))
    >>> bars["volume"], bars["vwap"]  # (10 * 100 + 10.5 * 300) / 400
    (array([400, 100], dtype=uint64), array([10.375, 10.625]))
    """
    counts = _tick_counts(price, size, ends, qualified)
    prices = np.full((len(_PRICES), len(ends)), np.nan)
    volumes = np.zeros(len(ends), dtype=np.int64)
    if qualified is None:
        _bars(price, size, ends, prices, volumes)
    else:
        _qualified_bars(price, size, qualified, ends, prices, volumes)
    named = dict(zip(_PRICES, prices, strict=True))
    return {**named, "volume": volumes.astype(np.uint64), "tick_count": counts.astype(np.uint32)}


def _tick_counts(
    price: NDArray[np.float64],
    size: NDArray[np.unsignedinteger[Any]],
    ends: NDArray[np.int64],
    qualified: NDArray[np.bool_] | None,
) -> NDArray[np.int64]:
    """Ticks of each bar, once it is sure that kernels stay within the arrays."""
    if len(size) != len(price) or (qualified is not None and len(qualified) != len(price)):
        raise ValueError(f"{len(price)} prices, {len(size)} sizes and marks of other lengths")
    counts = np.diff(ends, prepend=0)
    if len(ends) and (int(counts.min()) < 0 or ends[-1] > len(price)):
        raise ValueError(f"bar ends must not decrease nor exceed the {len(price)} ticks")
    return counts

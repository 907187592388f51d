"""What trading costs: effective and realised spread, and price impact.

Quotes are known at trades only, so nothing is weighted by time, and a later midpoint comes with the age of the quote it
is taken from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.quotes import Floats, usable_midpoint

HORIZONS_S = (1, 10, 60, 300, 1800)
"""Horizons of realised spread and price impact. [s]"""

Instants = NDArray[np.int64]
Shares = NDArray[np.unsignedinteger[Any]]
Signs = NDArray[np.int8]

_NS = 1_000_000_000
_UNKNOWN = float("nan")
_EFFECTIVE, _REALISED, _IMPACT, _AGE = range(4)  # rows of a decomposition
_NOTHING, _PARTS, _IMPACT_BPS = range(3)  # what is kept of each trade


# -- effective spread, and what becomes of it ----------------------------------


@dataclass(frozen=True, slots=True)
class SpreadMeans:
    """Means over ``n`` trades, plain and share-weighted (``_vw``), in USD and in bps of the midpoint; NaN over none."""

    n: int
    usd: float
    usd_vw: float
    bps: float
    bps_vw: float


@dataclass(frozen=True, slots=True)
class SpreadDecomposition:
    """Effective spread of each trade split into realised spread and price impact at one horizon h.

    ``effective`` 2·D·(P − M), ``realised`` 2·D·(P − M(t+h)), ``impact`` 2·D·(M(t+h) − M): float64[n_trades] [USD],
    effective = realised + impact up to rounding. ``midpoint`` is M [USD], ``age_s`` the age at t + h of the quote that
    gave M(t+h) [s]. All but ``midpoint`` are NaN where the side is unknown, the quote is not usable or t + h is past
    the close.
    """

    midpoint: Floats
    effective: Floats
    realised: Floats
    impact: Floats
    age_s: Floats

    def in_bps(self, usd: Floats) -> Floats:
        """One of the three in bps of the midpoint at the trade."""
        return usd / self.midpoint * 1e4


@dataclass(frozen=True, slots=True)
class HorizonSummary:
    """Means of a decomposition over its known trades: effective = realised + impact in each of the four means.

    ``mean_age_s`` is the mean age of the quotes that gave the later midpoints [s], NaN over no trades.
    """

    horizon_s: float
    effective_spread: SpreadMeans
    realised_spread: SpreadMeans
    price_impact: SpreadMeans
    mean_age_s: float


@njit(cache=True, nogil=True)
def _effective(price, size, midpoint, sign, sums):  # type: ignore[no-untyped-def]
    n = shares = 0
    usd = usd_vw = bps = bps_vw = 0.0
    for i in range(len(price)):
        middle = midpoint[i]
        if sign[i] == 0 or not middle > 0.0:
            continue
        effective = 2.0 * sign[i] * (price[i] - middle)
        relative = effective * (1e4 / middle)
        n += 1
        shares += np.int64(size[i])
        usd += effective
        usd_vw += effective * size[i]
        bps += relative
        bps_vw += relative * size[i]
    sums[:] = (usd, usd_vw, bps, bps_vw)
    return n, shares


@njit(cache=True, nogil=True)
def _decompose(timestamps, price, size, midpoint, sign, horizon, end, keep, each, sums):  # type: ignore[no-untyped-def]
    """Sums over the trades known at one horizon; ``each`` takes the parts of each trade or its impact in bps.

    ``sums`` float64[4, 4]: effective, realised, impact × Σ USD, Σ USD·shares, Σ bps, Σ bps·shares, then Σ age [ns].
    """
    n = shares = seen = later_at = 0
    later = np.nan
    e0 = e1 = e2 = e3 = r0 = r1 = r2 = r3 = i0 = i1 = i2 = i3 = ages = 0.0
    for i in range(len(timestamps)):
        middle = midpoint[i]
        if sign[i] == 0 or not middle > 0.0:
            continue
        until = timestamps[i] + horizon
        if until > end:  # times never decrease: so it is for all trades that follow
            break
        while seen < len(timestamps) and timestamps[seen] <= until:
            if midpoint[seen] > 0.0:
                later = midpoint[seen]
                later_at = timestamps[seen]
            seen += 1
        side = 2.0 * sign[i]
        effective, realised, impact = side * (price[i] - middle), side * (price[i] - later), side * (later - middle)
        age = float(until - later_at)
        if keep == _PARTS:
            each[_EFFECTIVE, i] = effective
            each[_REALISED, i] = realised
            each[_IMPACT, i] = impact
            each[_AGE, i] = age / _NS
        volume = float(size[i])
        to_bps = 1e4 / middle
        weight = volume * to_bps
        if keep == _IMPACT_BPS:
            each[0, i] = impact * to_bps
        n += 1
        shares += np.int64(size[i])
        ages += age
        # Sums in names of their own stay in registers: half the time of sums in an array.
        e0, e1, e2, e3 = e0 + effective, e1 + effective * volume, e2 + effective * to_bps, e3 + effective * weight
        r0, r1, r2, r3 = r0 + realised, r1 + realised * volume, r2 + realised * to_bps, r3 + realised * weight
        i0, i1, i2, i3 = i0 + impact, i1 + impact * volume, i2 + impact * to_bps, i3 + impact * weight
    sums[_EFFECTIVE] = (e0, e1, e2, e3)
    sums[_REALISED] = (r0, r1, r2, r3)
    sums[_IMPACT] = (i0, i1, i2, i3)
    sums[_AGE] = ages
    return n, shares


def _means(n: int, shares: int, sums: Floats) -> SpreadMeans:
    if shares == 0:
        return SpreadMeans(n, *[_UNKNOWN] * 4)
    usd, usd_vw, bps, bps_vw = sums.tolist()
    return SpreadMeans(n, usd / n, usd_vw / shares, bps / n, bps_vw / shares)


def effective_spread(price: Floats, size: Shares, bid: Floats, ask: Floats, trade_sign: Signs) -> SpreadMeans:
    """Mean effective spread 2·D·(P − M) of trades with a known side and a usable quote.

    A trade's is negative only where its side contradicts its quote, as a tick test may on a locked one.

    Parameters
    ----------
    price : float64[n_trades]
        [USD]
    size : unsigned[n_trades]
        [shares]
    bid, ask : float64[n_trades]
        Quote at each trade; NaN when missing. [USD]
    trade_sign : int8[n_trades]
        D: +1 buyer, −1 seller, 0 unknown: left out.

    Returns
    -------
    SpreadMeans

    References
    ----------
    Huang and Stoll (1996), Journal of Financial Economics 41:313, https://doi.org/10.1016/0304-405X(95)00867-E

    Examples
    --------
    A purchase of 300 shares 0.02 above and a sale of 100 shares 0.01 below the midpoint of 10.00.

    >>> found = effective_spread(np.array([10.02, 9.99]), np.array([300, 100], dtype=np.uint32),
    ...     np.array([9.98, 9.98]), np.array([10.02, 10.02]), np.array([1, -1], dtype=np.int8))
    >>> found.n, round(found.usd, 9), round(found.usd_vw, 9), round(found.bps, 9)
    (2, 0.03, 0.035, 30.0)
    """
    sums = np.empty(4)
    n, shares = _effective(price, size, usable_midpoint(bid, ask), trade_sign, sums)
    return _means(n, shares, sums)


def decompose_spread(
    timestamps: Instants, price: Floats, bid: Floats, ask: Floats, trade_sign: Signs, horizon_ns: int, end_ns: int
) -> SpreadDecomposition:
    """Effective spread of each trade as realised spread plus price impact at one horizon.

    M(t+h) is the midpoint of the last usable quote among the ticks stamped at or before t + h; without a later one it
    is that of the trade itself, at age h. Past the close there is no M(t+h).

    Parameters
    ----------
    timestamps : int64[n_trades]
        Instants in time order, of one session. [UTC ns]
    price, bid, ask, trade_sign
        As ``effective_spread`` takes them.
    horizon_ns : int
        h. [ns]
    end_ns : int
        The close; t + h may equal it. [UTC ns]

    Returns
    -------
    SpreadDecomposition

    Raises
    ------
    ValueError
        When the horizon is negative.

    References
    ----------
    Huang and Stoll (1996), Journal of Financial Economics 41:313, https://doi.org/10.1016/0304-405X(95)00867-E
    Holden and Jacobsen (2014), Journal of Finance 69:1747, https://doi.org/10.1111/jofi.12127

    Examples
    --------
    A purchase at 10.02 on a midpoint of 10.00; one second later the midpoint is 10.01.

    >>> found = decompose_spread(np.array([0, 10**9]), np.array([10.02, 10.01]), np.array([9.98, 9.99]),
    ...     np.array([10.02, 10.03]), np.array([1, 0], dtype=np.int8), 10**9, 2 * 10**9)
    >>> found.effective.round(9), found.realised.round(9), found.impact.round(9)
    (array([0.04,  nan]), array([0.02,  nan]), array([0.02,  nan]))
    """
    if horizon_ns < 0:
        raise ValueError(f"a horizon is not negative: {horizon_ns} ns")
    midpoint, each, sums = usable_midpoint(bid, ask), np.full((4, len(price)), np.nan), np.empty((4, 4))
    unweighted = np.zeros(len(price), dtype=np.uint32)
    _decompose(timestamps, price, unweighted, midpoint, trade_sign, horizon_ns, end_ns, _PARTS, each, sums)
    return SpreadDecomposition(midpoint, *each)


def summarise_horizons(
    timestamps: Instants, price: Floats, size: Shares, bid: Floats, ask: Floats, trade_sign: Signs, end_ns: int,
    horizons_s: Sequence[float] = HORIZONS_S, *, impact_bps: Mapping[float, Floats] | None = None,
) -> tuple[HorizonSummary, ...]:  # fmt: skip
    """Means of ``decompose_spread`` at several horizons, without keeping the trades' own values but for some impacts.

    Parameters
    ----------
    timestamps, price, bid, ask, trade_sign, end_ns
        As ``decompose_spread`` takes them.
    size : unsigned[n_trades]
        [shares]
    horizons_s : sequence of float
        [s]
    impact_bps : mapping of float to float64[n_trades], optional
        Horizon -> array that takes the price impact of each trade, NaN where unknown. [bps]

    Returns
    -------
    tuple of HorizonSummary
        One per horizon, in the order given.

    Raises
    ------
    ValueError
        When a horizon is negative.

    Examples
    --------
    >>> [found] = summarise_horizons(np.array([0, 10**9]), np.array([10.02, 10.01]), np.array([5, 9], dtype=np.uint32),
    ...     np.array([9.98, 9.99]), np.array([10.02, 10.03]), np.array([1, 0], dtype=np.int8), 2 * 10**9, [1])
    >>> found.price_impact.n, round(found.realised_spread.usd, 9), round(found.price_impact.bps, 9), found.mean_age_s
    (1, 0.02, 20.0, 0.0)
    """
    if min(horizons_s, default=0) < 0:
        raise ValueError(f"a horizon is not negative: {min(horizons_s)} s")
    midpoint, unkept = usable_midpoint(bid, ask), np.empty((1, 0))
    kept = {} if impact_bps is None else impact_bps
    for impacts in kept.values():
        impacts[:] = np.nan
    if np.isnan(midpoint).all():
        timestamps = timestamps[:0]  # no trade is known: none needs to be looked at
    found = []
    for horizon_s in horizons_s:
        h, sums = round(horizon_s * _NS), np.empty((4, 4))
        keep, each = (_IMPACT_BPS, kept[horizon_s][np.newaxis]) if horizon_s in kept else (_NOTHING, unkept)
        n, shares = _decompose(timestamps, price, size, midpoint, trade_sign, h, end_ns, keep, each, sums)
        effective, realised, impact = (_means(n, shares, row) for row in sums[:_AGE])
        mean_age_s = float(sums[_AGE, 0]) / n / _NS if n else _UNKNOWN
        found.append(HorizonSummary(float(horizon_s), effective, realised, impact, mean_age_s))
    return tuple(found)

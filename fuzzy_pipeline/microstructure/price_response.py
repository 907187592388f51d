"""How prices answer a trade in time: the cumulative response, its decay, and how fast spreads close again."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

SECOND_NS = 1_000_000_000

RESPONSE_LAGS = 5
TRADES_PER_COEFFICIENT = 20
"""The cumulative response needs this many trades for each coefficient of its larger equation."""

_COLLINEAR = 1e-9  # of the variance: less is rounding of the sums

PATH_SECONDS = 300
_BUCKETS_PER_SECOND = 8  # quotes are looked up by these: few enough to fit the cache, few quotes in each

WIDE_SPREAD = 2.0
RESTORED_SPREAD = 1.1
RECOVERY_NS = 10 * SECOND_NS


# -- cumulative response -------------------------------------------------------


@njit(cache=True, nogil=True)
def _quote_revisions(midpoint, sign, revision, direction):  # type: ignore[no-untyped-def]
    """Trades with a side and a quote: log midpoint change from each to the next, and its sign."""
    rows = 0
    before = np.nan
    for i in range(len(midpoint)):
        now = midpoint[i]
        if sign[i] == 0 or np.isnan(now):
            continue
        if rows > 0:
            revision[rows - 1] = 0.0 if now == before else np.log(now / before)
        direction[rows] = sign[i]
        before = now
        rows += 1
    return max(rows - 1, 0)


@njit(cache=True, nogil=True)
def _lagged_products(u, v, lags, out):  # type: ignore[no-untyped-def]
    """``out[j]`` = Σ u[t]·v[t − j] over t from ``lags``; in four sums, as one would wait for every addition."""
    n = len(u)
    for j in range(lags + 1):
        a = b = c = d = 0.0
        for t in range(lags, n - 3, 4):
            a += u[t] * v[t - j]
            b += u[t + 1] * v[t + 1 - j]
            c += u[t + 2] * v[t + 2 - j]
            d += u[t + 3] * v[t + 3 - j]
        for t in range(n - (n - lags) % 4, n):
            a += u[t] * v[t - j]
        out[j] = (a + b) + (c + d)


def _gram(u: NDArray[np.float64], v: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Centred products Σ (u[t − i] − mean)(v[t − j] − mean) over t from ``lags``, for all i, j up to ``lags``.

    One pass for the first row and one for the first column; along a diagonal only the ends of the sum change.
    """
    n = len(u)
    gram = np.empty((lags + 1, lags + 1))
    _lagged_products(u, v, lags, gram[0])
    column = gram[0].copy()
    if u is not v:
        _lagged_products(v, u, lags, column)
    gram[:, 0] = column
    for i in range(lags):
        for j in range(lags):
            entering = u[lags - 1 - i] * v[lags - 1 - j]
            gram[i + 1, j + 1] = gram[i, j] + entering - u[n - 1 - i] * v[n - 1 - j]
    return gram - np.outer(_shifted_sums(u, lags), _shifted_sums(v, lags)) / (n - lags)


def _shifted_sums(u: NDArray[np.float64], lags: int) -> NDArray[np.float64]:
    """Σ u[t − i] over t from ``lags``, for i up to ``lags``."""
    last = len(u) - 1
    steps = [u[lags - 1 - i] - u[last - i] for i in range(lags)]
    return np.cumsum([u[lags:].sum(), *steps])


def cumulative_impact_bps(midpoint: NDArray[np.float64], sign: NDArray[np.int8], *, lags: int = RESPONSE_LAGS) -> float:
    """Long-run cumulative response of the midpoint to one unexpected trade.

    A vector autoregression in trade time of the log midpoint change r after each trade and the trade's sign x:
    r_t = Σ a_i·r_(t−i) + Σ b_j·x_(t−j) + …, j from 0; x_t = Σ c_i·r_(t−i) + Σ d_i·x_(t−i) + …. The answer of the
    midpoint to a unit surprise in x, summed over all later trades, is b / ((1 − a)(1 − d) − b·c) with a, b, c, d the
    sums of the coefficients: it holds what the trades that follow it add, which a mean impact also holds, and not
    what could be foreseen from the trades before it, which a mean impact does not take off.

    Parameters
    ----------
    midpoint : float64[n_trades]
        Midpoint of the quote at each trade, NaN when missing or not usable. [USD]
    sign : int8[n_trades]
        +1 buyer, −1 seller, 0 unknown. Trades without a side or a quote are passed over.
    lags : int
        Order of the autoregression.

    Returns
    -------
    float
        [bps]; 0 when the midpoint never moves. NaN with fewer than ``TRADES_PER_COEFFICIENT`` trades for each of the
        2·lags + 2 coefficients, when no trade is unexpected (all on one side, or sides that follow from those
        before) and when the autoregression is not stationary.

    References
    ----------
    Hasbrouck (1991), Journal of Finance 46:179, https://doi.org/10.1111/j.1540-6261.1991.tb03749.x

    Examples
    --------
    Every buy lifts the midpoint by one part in ten thousand, for good, and says nothing of the next trade:

    >>> sides = np.where(np.random.default_rng(0).random(10_000) < 0.5, -1, 1).astype(np.int8)
    >>> quotes = np.exp(1e-4 * np.concatenate([[0], np.cumsum(sides)[:-1]]))
    >>> 0.9 < cumulative_impact_bps(quotes, sides) < 1.1
    True
    """
    revision, direction = np.empty(len(midpoint)), np.empty(len(midpoint))
    n = _quote_revisions(midpoint, sign, revision, direction)
    if n < TRADES_PER_COEFFICIENT * (2 * lags + 2):
        return math.nan
    r, x = revision[:n], direction[:n]
    if not r.any():
        return 0.0
    scale = math.sqrt(float(r @ r) / n)
    return _long_run_response(r / scale, x, lags) * scale * 1e4


def _long_run_response(r: NDArray[np.float64], x: NDArray[np.float64], lags: int) -> float:
    rr, rx, xx = _gram(r, r, lags), _gram(r, x, lags), _gram(x, x, lags)
    # Regressors in the order r(t−1)…r(t−p), x(t−1)…x(t−p), x(t): the last one is in the equation of r only.
    products = np.block([[rr[1:, 1:], rx[1:, 1:], rx[1:, :1]], [rx[1:, 1:].T, xx[1:, 1:], xx[1:, :1]],
                         [rx[1:, :1].T, xx[:1, 1:], xx[:1, :1]]])  # fmt: skip
    with_r = np.concatenate([rr[0, 1:], rx[0, 1:], rx[0, :1]])
    with_x = np.concatenate([rx[1:, 0], xx[0, 1:]])
    # Least norm, because lags of r and of x may be the same thing: then only their joint effect is determined.
    of_x = np.linalg.lstsq(products[:-1, :-1], with_x, rcond=_COLLINEAR)[0]
    if xx[0, 0] - of_x @ with_x <= _COLLINEAR * len(x):
        return math.nan
    of_r = np.linalg.lstsq(products, with_r, rcond=_COLLINEAR)[0]
    if not _is_stationary(of_r, of_x, lags):
        return math.nan
    a, b = of_r[:lags].sum(), of_r[lags:].sum()
    c, d = of_x[:lags].sum(), of_x[lags:].sum()
    return float(b / ((1 - a) * (1 - d) - b * c))


def _is_stationary(of_r: NDArray[np.float64], of_x: NDArray[np.float64], lags: int) -> bool:
    """Whether shocks die out: the companion matrix of the reduced form has no eigenvalue on or outside the circle."""
    companion = np.zeros((2 * lags, 2 * lags))
    companion[0] = of_r[:-1] + of_r[-1] * of_x
    companion[lags] = of_x
    for i in range(lags - 1):
        companion[1 + i, i] = companion[lags + 1 + i, lags + i] = 1.0
    return bool(np.abs(np.linalg.eigvals(companion)).max() < 1.0)


# -- decay ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ImpactDecay:
    """Mean signed midpoint path after trades, and the time of its half decay.

    ``path_bps`` float64[seconds + 1]: mean of D·(M(t+s) − M(t)) / M(t) at s = 0, 1, 2, … seconds after the trade.
    ``peak_bps`` is its largest value, at ``peak_s``; ``halflife_s`` the first later s at which it is no more than
    half of it. NaN when the path has no positive value, respectively does not come down so far; ``n`` trades.
    """

    halflife_s: float
    peak_bps: float
    peak_s: float
    path_bps: NDArray[np.float64]
    n: int


@njit(cache=True, nogil=True)
def _quote_changes(timestamps, midpoint, times, values, first_after, start, bucket):  # type: ignore[no-untyped-def]
    """Instants and values of changed midpoints, one an instant; ``first_after[k]``: first row at or after bucket k."""
    rows = 0
    filled = 0
    for i in range(len(timestamps)):
        now = midpoint[i]
        if np.isnan(now) or (rows > 0 and now == values[rows - 1]):
            continue
        if rows > 0 and times[rows - 1] == timestamps[i]:
            values[rows - 1] = now
            continue
        while filled < len(first_after) and start + filled * bucket <= timestamps[i]:
            first_after[filled] = rows
            filled += 1
        times[rows] = timestamps[i]
        values[rows] = now
        rows += 1
    first_after[filled:] = rows


@njit(cache=True, nogil=True)
def _signed_path(  # type: ignore[no-untyped-def]
    timestamps, midpoint, sign, chosen, times, values, first_after, start, bucket, per_second, end, path
):
    trades = 0
    horizon = (len(path) - 1) * bucket * per_second
    for i in range(len(timestamps)):
        if not chosen[i] or sign[i] == 0 or np.isnan(midpoint[i]) or timestamps[i] + horizon > end:
            continue
        trades += 1
        weight = sign[i] / midpoint[i]
        within = (timestamps[i] - start) // bucket
        for s in range(1, len(path)):
            target = timestamps[i] + s * bucket * per_second
            row = first_after[within + s * per_second + 1] - 1
            while times[row] > target:
                row -= 1
            path[s] += weight * (values[row] - midpoint[i])
    return trades


def temporary_impact_halflife(
    timestamps: NDArray[np.int64],
    midpoint: NDArray[np.float64],
    sign: NDArray[np.int8],
    is_large: NDArray[np.bool_],
    end_ns: int,
    *,
    seconds: int = PATH_SECONDS,
) -> ImpactDecay:
    """Seconds until the mean signed midpoint path after large trades has given back half of its peak.

    The path is averaged over the same trades at every second: those with a side, a quote and the whole horizon
    before the close. M(t+s) is the last quote at or before t+s, known at trades only; M(t) that of the trade itself.

    Parameters
    ----------
    timestamps : int64[n_trades]
        Instants in time order. [UTC ns]
    midpoint : float64[n_trades]
        Midpoint of the quote at each trade, NaN when missing or not usable. [USD]
    sign : int8[n_trades]
        +1 buyer, −1 seller, 0 unknown.
    is_large : bool[n_trades]
        Trades to follow.
    end_ns : int
        Close of the session. [UTC ns]
    seconds : int
        Length of the path. [s]

    Returns
    -------
    ImpactDecay
        ``halflife_s`` counts from the trade. [s]

    References
    ----------
    Holthausen, Leftwich and Mayers (1987), Journal of Financial Economics 19:237,
    https://doi.org/10.1016/0304-405X(87)90004-3
    Bouchaud, Gefen, Potters and Wyart (2004), Quantitative Finance 4:176, https://doi.org/10.1080/14697680400000022

    Examples
    --------
    A buy at 100.00 lifts the midpoint by 10 bps after one second; after three it is back at 4 bps:

    >>> decay = temporary_impact_halflife(
    ...     np.array([0, 1, 3]) * 1_000_000_000, np.array([100.0, 100.1, 100.04]), np.array([1, 1, 1], dtype=np.int8),
    ...     np.array([True, False, False]), 400_000_000_000)
    >>> decay.halflife_s, round(decay.peak_bps, 9), decay.peak_s, decay.n
    (3.0, 10.0, 1.0, 1)
    """
    path = np.zeros(seconds + 1)
    n = 0
    if len(timestamps):
        start = int(timestamps[0])
        bucket = SECOND_NS // _BUCKETS_PER_SECOND
        times, values = np.empty(len(timestamps), dtype=np.int64), np.empty(len(timestamps))
        # Enough buckets for every instant that is looked up: none is after the close.
        first_after = np.empty(max(end_ns - start, 0) // bucket + 2, dtype=np.int64)
        _quote_changes(timestamps, midpoint, times, values, first_after, start, bucket)
        n = _signed_path(
            timestamps, midpoint, sign, is_large, times, values, first_after, start, bucket, _BUCKETS_PER_SECOND,
            end_ns, path,
        )  # fmt: skip
    path *= 1e4 / n if n else math.nan
    return _decay(path, n)


def _decay(path: NDArray[np.float64], n: int) -> ImpactDecay:
    peak = int(np.argmax(path))
    if n == 0 or path[peak] <= 0.0:
        return ImpactDecay(math.nan, math.nan, math.nan, path, n)
    back = np.flatnonzero(path[peak:] <= path[peak] / 2)
    halflife = float(peak + back[0]) if len(back) else math.nan
    return ImpactDecay(halflife, float(path[peak]), float(peak), path, n)


# -- resilience ----------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Resilience:
    """Share of spread widenings that close quickly, 0-100; NaN without an observed one.

    ``unobserved`` widenings had no quote in the time allowed, or less than that time to the close, and are in
    neither part of the share.
    """

    score: float
    widenings: int
    restored: int
    unobserved: int


@njit(cache=True, nogil=True)
def _widenings(timestamps, spread, wide, restored, allowed, end):  # type: ignore[no-untyped-def]
    count = back = unseen = 0
    opened = -1  # instant of the widening that is not settled yet
    in_episode = False
    quotes = 0
    for i in range(len(timestamps)):
        width = spread[i]
        if np.isnan(width):
            continue
        if opened >= 0 and timestamps[i] - opened > allowed:
            unseen += opened + allowed > end or quotes == 0
            opened = -1
        if in_episode:
            if width <= restored:
                back += opened >= 0
                opened = -1
                in_episode = False
            else:
                quotes += 1
        elif width > wide:
            count += 1
            in_episode = True
            opened = timestamps[i]
            quotes = 0
    if opened >= 0:
        unseen += opened + allowed > end or quotes == 0
    return count, back, unseen


def resilience_score(
    timestamps: NDArray[np.int64], spread: NDArray[np.float64], median_spread: float, end_ns: int
) -> Resilience:
    """Resilience of the spread: how many widenings are closed again within ten seconds.

    A widening begins with a spread above ``WIDE_SPREAD`` medians and ends with the first one of at most
    ``RESTORED_SPREAD`` medians; it is restored when that comes within ten seconds. Only then can a new one begin.

    Parameters
    ----------
    timestamps : int64[n_ticks]
        Instants in time order. [UTC ns]
    spread : float64[n_ticks]
        Quoted spread at each trade, NaN when missing. [USD]
    median_spread : float
        Median of the session's spreads. [USD]
    end_ns : int
        Close of the session. [UTC ns]

    Returns
    -------
    Resilience
        No widenings when the median is not above 0.

    References
    ----------
    Large (2007), Journal of Financial Markets 10:1, https://doi.org/10.1016/j.finmar.2006.09.001
    Foucault, Kadan and Kandel (2005), Review of Financial Studies 18:1171, https://doi.org/10.1093/rfs/hhi029

    Examples
    --------
    One of two widenings is back after four seconds, the other is still wide after eleven:

    >>> resilience_score(
    ...     np.array([0, 4, 20, 25, 31]) * 1_000_000_000, np.array([0.05, 0.01, 0.05, 0.04, 0.01]), 0.01, 10**12)
    Resilience(score=50.0, widenings=2, restored=1, unobserved=0)
    """
    if not median_spread > 0.0:
        return Resilience(math.nan, 0, 0, 0)
    wide, restored = WIDE_SPREAD * median_spread, RESTORED_SPREAD * median_spread
    # Decimal spreads are not exact in binary: a spread of exactly twice the median must not be wider than it.
    wide, restored = wide * (1 + 1e-6), restored * (1 + 1e-6)
    count, back, unseen = (int(value) for value in _widenings(timestamps, spread, wide, restored, RECOVERY_NS, end_ns))
    seen = count - unseen
    return Resilience(100.0 * back / seen if seen else math.nan, count, back, unseen)

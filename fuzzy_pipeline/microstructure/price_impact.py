"""How much trades move prices: impact regressions and mean impacts.

Ticks carry the quote at the trade, that is the quote before it. So what moved the midpoint from one trade's quote to
a later one's is the flow from the first trade, included, to the second, excluded; they are paired so here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.regression import Regression, least_squares

FLOW_INTERVAL_NS = 300_000_000_000
"""Interval of the impact regressions: five minutes."""

PER_SHARES = 1e6
"""Kyle's lambda is given per this many shares, its square-root form per this many square roots of a dollar."""


# -- flow of intervals ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class IntervalFlow:
    """Midpoint moves between successive sampled quotes and the flow that made them; float64[n_intervals] each.

    ``midpoint_change`` [USD], ``log_return`` [1], ``signed_shares`` Σ D·V [shares], ``signed_root_dollars``
    Σ D·√(P·V) [USD^½].
    """

    midpoint_change: NDArray[np.float64]
    log_return: NDArray[np.float64]
    signed_shares: NDArray[np.float64]
    signed_root_dollars: NDArray[np.float64]


@njit(cache=True, nogil=True)
def _interval_flow(timestamps, midpoint, price, size, sign, start, end, length, out):  # type: ignore[no-untyped-def]
    rows = 0
    shares = roots = 0.0  # flow of all trades before this one
    first = True
    reference = reference_shares = reference_roots = np.nan
    sample = sample_shares = sample_roots = np.nan  # at the last quote of the interval
    boundary = start + length
    sampled = False
    n = len(timestamps)
    for i in range(n + 1):
        if i == n or (timestamps[i] >= boundary and boundary < end):
            if sampled:
                out[rows, 0] = sample - reference
                out[rows, 1] = np.log(sample / reference)
                out[rows, 2] = sample_shares - reference_shares
                out[rows, 3] = sample_roots - reference_roots
                rows += 1
                reference, reference_shares, reference_roots = sample, sample_shares, sample_roots
                sampled = False
            if i == n:
                break
            boundary = start + ((timestamps[i] - start) // length + 1) * length
        if not np.isnan(midpoint[i]):
            if first:
                reference, reference_shares, reference_roots = midpoint[i], shares, roots
                first = False
            else:
                sample, sample_shares, sample_roots = midpoint[i], shares, roots
                sampled = True
        if sign[i] != 0:
            shares += sign[i] * float(size[i])
            roots += sign[i] * np.sqrt(price[i] * size[i])
    return rows


def interval_flow(
    timestamps: NDArray[np.int64],
    midpoint: NDArray[np.float64],
    price: NDArray[np.float64],
    size: NDArray[np.unsignedinteger[Any]],
    sign: NDArray[np.int8],
    start_ns: int,
    end_ns: int,
    interval_ns: int = FLOW_INTERVAL_NS,
) -> IntervalFlow:
    """Midpoint changes and signed flow of the session's intervals, aligned with each other.

    The midpoint is sampled at the last quoted tick of each half-open interval [start, start + length); the first
    quoted tick of the session is the first reference. The flow is that of the trades from one sampled tick,
    included, to the next, excluded: a quote at a trade is the quote before it, so that its own trade moves the next
    one. An interval without a quoted tick gives no row; its flow counts towards the next.

    Parameters
    ----------
    timestamps : int64[n_ticks]
        Instants in time order. [UTC ns]
    midpoint : float64[n_ticks]
        Midpoint of the quote at each trade, NaN when missing or not usable. [USD]
    price : float64[n_ticks]
        [USD]
    size : unsigned[n_ticks]
        [shares]
    sign : int8[n_ticks]
        +1 buyer, −1 seller, 0 unknown: no flow.
    start_ns, end_ns : int
        Bounds of the session; later ticks belong to the last interval. [UTC ns]
    interval_ns : int
        [ns]

    Returns
    -------
    IntervalFlow

    Raises
    ------
    ValueError
        When the interval is not positive or the session is empty.

    References
    ----------
    Goyenko, Holden and Trzcinka (2009), Journal of Financial Economics 92:153,
    https://doi.org/10.1016/j.jfineco.2008.06.002

    Examples
    --------
    >>> flow = interval_flow(
    ...     np.array([1, 4, 12]), np.array([10.0, 10.1, 10.3]), np.array([10.0, 10.1, 10.3]),
    ...     np.array([100, 200, 50], dtype=np.uint32), np.array([1, 1, -1], dtype=np.int8), 0, 20, 10)
    >>> flow.midpoint_change.round(2), flow.signed_shares
    (array([0.1, 0.2]), array([100., 200.]))
    """
    if interval_ns <= 0 or end_ns <= start_ns:
        raise ValueError(f"intervals need a positive length and start < end, not {interval_ns}, {start_ns}, {end_ns}")
    out = np.empty((-((start_ns - end_ns) // interval_ns), 4))
    rows = _interval_flow(timestamps, midpoint, price, size, sign, start_ns, end_ns, interval_ns, out)
    return IntervalFlow(*np.ascontiguousarray(out[:rows].T))


def kyle_lambda(flow: IntervalFlow) -> Regression:
    """Kyle's lambda: midpoint change on signed volume.

    Parameters
    ----------
    flow : IntervalFlow
        Of five-minute intervals of one session, unless another length is wanted.

    Returns
    -------
    Regression
        ``slope`` in USD per share for each 1,000,000 shares, ``intercept`` in USD per interval.

    References
    ----------
    Kyle (1985), Econometrica 53:1315, https://doi.org/10.2307/1913210

    Examples
    --------
    >>> shares = np.array([-1000.0, 0.0, 3000.0])
    >>> round(kyle_lambda(IntervalFlow(2e-6 * shares, shares, shares, shares)).slope, 9)
    2.0
    """
    return _per_million(least_squares(flow.midpoint_change, flow.signed_shares))


def kyle_lambda_sqrt_dollar(flow: IntervalFlow) -> Regression:
    """Square-root form of Kyle's lambda: midpoint log return on Σ D·√(P·V), with intercept.

    Another number than ``kyle_lambda``, in another unit; comparable between symbols.

    Parameters
    ----------
    flow : IntervalFlow
        Of five-minute intervals of one session, unless another length is wanted.

    Returns
    -------
    Regression
        ``slope`` in log return per square root of a dollar, times 1,000,000; ``intercept`` per interval.

    References
    ----------
    Hasbrouck (2009), Journal of Finance 64:1445, https://doi.org/10.1111/j.1540-6261.2009.01469.x
    Goyenko, Holden and Trzcinka (2009), Journal of Financial Economics 92:153,
    https://doi.org/10.1016/j.jfineco.2008.06.002

    Examples
    --------
    >>> roots = np.array([-100.0, 0.0, 300.0])
    >>> round(kyle_lambda_sqrt_dollar(IntervalFlow(roots, 5e-6 * roots, roots, roots)).slope, 9)
    5.0
    """
    return _per_million(least_squares(flow.log_return, flow.signed_root_dollars))


def _per_million(fit: Regression) -> Regression:
    return Regression(fit.slope * PER_SHARES, fit.intercept, fit.r_squared, fit.t_statistic, fit.n)


# -- means of given impacts ----------------------------------------------------


@dataclass(frozen=True, slots=True)
class MeanImpact:
    """Mean impact [bps] of ``n`` trades; NaN without any."""

    bps: float
    n: int


@njit(cache=True, nogil=True)
def _mean(values, chosen):  # type: ignore[no-untyped-def]
    total = 0.0
    n = 0
    for i in range(len(values)):
        if (len(chosen) == 0 or chosen[i]) and not np.isnan(values[i]):
            total += values[i]
            n += 1
    return (total / n if n > 0 else np.nan), n


def mean_impact(impact_bps: NDArray[np.floating[Any]], chosen: NDArray[np.bool_] | None = None) -> MeanImpact:
    """Simple mean of the price impact of trades: of all (average impact) or of chosen ones (large-trade impact).

    Parameters
    ----------
    impact_bps : float[n_trades]
        Price impact 2·D·(M(t+h) − M(t)) / M(t) at one horizon; NaN where unknown: no side, no quote, or past the
        close. [bps]
    chosen : bool[n_trades], optional
        Trades to use; all by default.

    Returns
    -------
    MeanImpact

    Raises
    ------
    ValueError
        When the two differ in length.

    References
    ----------
    Huang and Stoll (1996), Journal of Financial Economics 41:313, https://doi.org/10.1016/0304-405X(95)00867-E

    Examples
    --------
    >>> mean_impact(np.array([1.0, np.nan, 4.0, 7.0]), np.array([True, True, True, False]))
    MeanImpact(bps=2.5, n=2)
    """
    if chosen is not None and len(chosen) != len(impact_bps):
        raise ValueError(f"{len(impact_bps)} impacts but {len(chosen)} choices")
    everything = np.zeros(0, dtype=np.bool_)
    return MeanImpact(*_mean(impact_bps, everything if chosen is None else chosen))


def permanent_impact_estimate(impact_30min_bps: NDArray[np.floating[Any]], is_block: NDArray[np.bool_]) -> MeanImpact:
    """Permanent impact: mean price impact of block trades half an hour later.

    Parameters
    ----------
    impact_30min_bps : float[n_trades]
        Price impact 2·D·(M(t + 30 min) − M(t)) / M(t); NaN where unknown, past the close too. [bps]
    is_block : bool[n_trades]

    Returns
    -------
    MeanImpact

    References
    ----------
    Holthausen, Leftwich and Mayers (1987), Journal of Financial Economics 19:237,
    https://doi.org/10.1016/0304-405X(87)90004-3

    Examples
    --------
    >>> permanent_impact_estimate(np.array([3.0, 9.0, np.nan]), np.array([False, True, True]))
    MeanImpact(bps=9.0, n=1)
    """
    return mean_impact(impact_30min_bps, is_block)

"""Where trades are executed: against the quote at the trade, and in which sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.quotes import has_usable_quote
from fuzzy_pipeline.microstructure.trade_classification import is_midpoint
from fuzzy_pipeline.schema.codes import BLOCK_TRADE_SHARES

_UNKNOWN = float("nan")


@dataclass(frozen=True, slots=True)
class ExecutionQuality:
    """Execution of a session's trades; NaN over no trades.

    ``effective_spread_mean`` and ``effective_spread_median`` are of 2·abs(P − M) [USD] over the ``n_quoted`` trades
    with a usable quote (0 < bid ≤ ask). The rates from ``at_bid_rate`` to ``price_improvement_rate`` are shares [1] of
    the ``n_open_quote`` trades with 0 < bid < ask: at_bid + at_ask + inside + outside = 1. Inside is strictly inside
    and another name of ``price_improvement_rate``; trades at the midpoint are among them. ``odd_lot_rate`` and
    ``block_rate`` are shares of all trades.
    """

    n_quoted: int
    n_open_quote: int
    effective_spread_mean: float
    effective_spread_median: float
    at_bid_rate: float
    at_ask_rate: float
    inside_quote_rate: float
    outside_quote_rate: float
    at_midpoint_rate: float
    price_improvement_rate: float
    odd_lot_rate: float
    block_rate: float


@njit(cache=True, nogil=True)
def _against_the_quote(price, bid, ask, effective):  # type: ignore[no-untyped-def]
    """Quoted trades with their effective spreads, trades with bid < ask, and of these at bid, ask, inside, midpoint."""
    quoted = strict = at_bid = at_ask = inside = at_midpoint = 0
    for i in range(len(price)):
        p, b, a = price[i], bid[i], ask[i]
        if has_usable_quote(b, a):
            effective[quoted] = 2.0 * abs(p - 0.5 * (b + a))
            quoted += 1
            if a > b:
                strict += 1
                at_bid += p == b
                at_ask += p == a
                inside += (p > b) & (p < a)
                at_midpoint += is_midpoint(p, b, a)
    return quoted, strict, at_bid, at_ask, inside, at_midpoint


def _share(count: int, of: int) -> float:
    return count / of if of else _UNKNOWN


def execution_quality(
    price: NDArray[np.float64],
    size: NDArray[np.unsignedinteger[Any]],
    bid: NDArray[np.float64],
    ask: NDArray[np.float64],
    is_odd_lot: NDArray[np.bool_],
) -> ExecutionQuality:
    """Effective spread without sides, shares of trades by their place in the quote, odd lots and blocks.

    Parameters
    ----------
    price : float64[n_trades]
        [USD]
    size : unsigned[n_trades]
        [shares]
    bid, ask : float64[n_trades]
        Quote at each trade; NaN when missing. [USD]
    is_odd_lot : bool[n_trades]

    Returns
    -------
    ExecutionQuality

    References
    ----------
    Holden and Jacobsen (2014), Journal of Finance 69:1747, https://doi.org/10.1111/jofi.12127

    Examples
    --------
    At the bid, at the ask, at the midpoint and above the ask; the last is a block.

    >>> found = execution_quality(
    ...     np.array([10.00, 10.04, 10.02, 10.05]), np.array([50, 100, 100, 10_000], dtype=np.uint32),
    ...     np.array([10.00] * 4), np.array([10.04] * 4), np.array([True, False, False, False]))
    >>> found.at_bid_rate, found.at_ask_rate, found.inside_quote_rate, found.outside_quote_rate
    (0.25, 0.25, 0.25, 0.25)
    >>> found.at_midpoint_rate, found.odd_lot_rate, found.block_rate, round(found.effective_spread_median, 9)
    (0.25, 0.25, 0.25, 0.04)
    """
    effective = np.empty(len(price))
    quoted, strict, at_bid, at_ask, inside, at_midpoint = _against_the_quote(price, bid, ask, effective)
    effective = effective[:quoted]
    effective.sort()  # they repeat so much that NumPy sorts them faster than it partitions them
    outside = strict - at_bid - at_ask - inside
    return ExecutionQuality(
        n_quoted=quoted,
        n_open_quote=strict,
        effective_spread_mean=float(effective.mean()) if quoted else _UNKNOWN,
        effective_spread_median=float(effective[(quoted - 1) // 2] + effective[quoted // 2]) / 2
        if quoted
        else _UNKNOWN,
        at_bid_rate=_share(at_bid, strict),
        at_ask_rate=_share(at_ask, strict),
        inside_quote_rate=_share(inside, strict),
        outside_quote_rate=_share(outside, strict),
        at_midpoint_rate=_share(at_midpoint, strict),
        price_improvement_rate=_share(inside, strict),
        odd_lot_rate=_share(int(np.count_nonzero(is_odd_lot)), len(price)),
        block_rate=_share(int(np.count_nonzero(size >= BLOCK_TRADE_SHARES)), len(price)),
    )

"""Traces of large investors: blocks, sweeps over several venues, and on which side large trades are right."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.regression import least_squares

SWEEP_NS = 1_000_000

_COUNTS = (
    "volume", "block_trades", "block_volume", "odd_lots", "sweeps", "swept_volume", "blocks_or_sweeps", "signed_volume",
)  # fmt: skip
_VOLUME, _BLOCKS, _BLOCK_VOLUME, _ODD_LOTS, _SWEEPS, _SWEPT, _EITHER, _SIGNED = range(len(_COUNTS))

# What is known of the sweep that may be going on, for each side.
_FIRST, _VENUE, _SEVERAL, _SHARES, _SHARES_BESIDE_BLOCKS = range(5)


@dataclass(frozen=True, slots=True)
class InstitutionalFlow:
    """Traces of large investors in a session; every share is NaN without trades.

    ``block_trade_count`` and ``block_volume_pct`` [1] of the volume; ``sweep_order_count`` and ``sweep_volume_pct``
    [1]; ``odd_lot_ratio``, odd lots among the trades [1]; ``average_trade_value`` [USD];
    ``institutional_participation``, volume in blocks or sweeps, once [1]; ``accumulation_distribution``,
    Σ D·V / Σ V in [−1, 1], above 0 when buyers took the initiative for more shares [1].
    """

    block_trade_count: int
    block_volume_pct: float
    sweep_order_count: int
    sweep_volume_pct: float
    odd_lot_ratio: float
    average_trade_value: float
    institutional_participation: float
    accumulation_distribution: float


@njit(cache=True, nogil=True)
def _settle(sweep, counts):  # type: ignore[no-untyped-def]
    """Count a sweep that is over, if it is one: prints on at least two venues."""
    if sweep[_SEVERAL]:
        counts[_SWEEPS] += 1
        counts[_SWEPT] += sweep[_SHARES]
        counts[_EITHER] += sweep[_SHARES_BESIDE_BLOCKS]
    sweep[_SEVERAL] = 0


@njit(cache=True, nogil=True)
def _flow(timestamps, price, size, sign, venue, is_block, is_sweep, is_odd_lot, counts):  # type: ignore[no-untyped-def]
    """Fill ``counts`` in the order of ``_COUNTS`` and give the dollar volume."""
    open_sweeps = np.zeros((2, 5), dtype=np.int64)
    begun = np.zeros(2, dtype=np.bool_)
    dollars = 0.0
    for i in range(len(timestamps)):
        shares = np.int64(size[i])
        counts[_VOLUME] += shares
        counts[_SIGNED] += sign[i] * shares
        counts[_ODD_LOTS] += is_odd_lot[i]
        dollars += price[i] * shares
        if is_block[i]:
            counts[_BLOCKS] += 1
            counts[_BLOCK_VOLUME] += shares
            counts[_EITHER] += shares
        if not is_sweep[i] or sign[i] == 0:
            continue
        side = 1 if sign[i] > 0 else 0
        sweep = open_sweeps[side]
        if not begun[side] or timestamps[i] - sweep[_FIRST] > SWEEP_NS:
            _settle(sweep, counts)
            begun[side] = True
            sweep[_FIRST] = timestamps[i]
            sweep[_VENUE] = venue[i]
            sweep[_SHARES] = sweep[_SHARES_BESIDE_BLOCKS] = 0
        sweep[_SEVERAL] |= venue[i] != sweep[_VENUE]
        sweep[_SHARES] += shares
        sweep[_SHARES_BESIDE_BLOCKS] += 0 if is_block[i] else shares
    _settle(open_sweeps[0], counts)
    _settle(open_sweeps[1], counts)
    return dollars


def institutional_flow(
    timestamps: NDArray[np.int64],
    price: NDArray[np.float64],
    size: NDArray[np.unsignedinteger[Any]],
    sign: NDArray[np.int8],
    venue: NDArray[np.unsignedinteger[Any]],
    is_block: NDArray[np.bool_],
    is_sweep: NDArray[np.bool_],
    is_odd_lot: NDArray[np.bool_],
) -> InstitutionalFlow:
    """Blocks, sweeps, odd lots and net flow of a session.

    A sweep is a group of intermarket-sweep prints on one side, each within a millisecond of the group's first, on
    at least two venues: one order that took the liquidity of several books at once. Prints on the other side in
    between do not part it; a later print begins the next group. One print alone, flagged or not, is no sweep.

    Parameters
    ----------
    timestamps : int64[n_trades]
        Instants in time order. [UTC ns]
    price : float64[n_trades]
        [USD]
    size : unsigned[n_trades]
        [shares]
    sign : int8[n_trades]
        +1 buyer, −1 seller, 0 unknown.
    venue : unsigned[n_trades]
        Any code that tells venues apart.
    is_block, is_sweep, is_odd_lot : bool[n_trades]
        Block trade, intermarket-sweep print, odd lot.

    Returns
    -------
    InstitutionalFlow

    References
    ----------
    Chakravarty, Jain, Upson and Wood (2012), Journal of Financial and Quantitative Analysis 47:415 (intermarket
    sweep orders), https://doi.org/10.1017/S0022109012000270
    O'Hara, Yao and Ye (2014), Journal of Finance 69:2199 (odd lots), https://doi.org/10.1111/jofi.12185

    Examples
    --------
    Two sweep prints of 100 shares on two venues half a millisecond apart, and a block of 10,000 sold:

    >>> no, yes = False, True
    >>> flow = institutional_flow(
    ...     np.array([0, 500_000, 9_000_000]), np.array([10.0, 10.0, 10.0]), np.array([100, 100, 10_000], np.uint32),
    ...     np.array([1, 1, -1], np.int8), np.array([5, 9, 9], np.uint16),
    ...     np.array([no, no, yes]), np.array([yes, yes, no]), np.array([no, no, no]))
    >>> flow.sweep_order_count, flow.institutional_participation, round(flow.accumulation_distribution, 4)
    (1, 1.0, -0.9608)
    """
    counts = np.zeros(len(_COUNTS), dtype=np.int64)
    dollars = _flow(timestamps, price, size, sign, venue, is_block, is_sweep, is_odd_lot, counts)
    volume, trades = int(counts[_VOLUME]), len(timestamps)

    def of_volume(shares: int) -> float:
        return shares / volume if volume else math.nan

    return InstitutionalFlow(
        block_trade_count=int(counts[_BLOCKS]),
        block_volume_pct=of_volume(int(counts[_BLOCK_VOLUME])),
        sweep_order_count=int(counts[_SWEEPS]),
        sweep_volume_pct=of_volume(int(counts[_SWEPT])),
        odd_lot_ratio=int(counts[_ODD_LOTS]) / trades if trades else math.nan,
        average_trade_value=dollars / trades if trades else math.nan,
        institutional_participation=of_volume(int(counts[_EITHER])),
        accumulation_distribution=of_volume(int(counts[_SIGNED])),
    )


@dataclass(frozen=True, slots=True)
class SmartMoney:
    """Smart-money indicator in [0, 1], 0.5 without any relation; NaN when not determined. ``n`` large trades."""

    value: float
    n: int


def smart_money_indicator(
    sign: NDArray[np.int8], impact_5min_bps: NDArray[np.floating[Any]], is_large: NDArray[np.bool_]
) -> SmartMoney:
    """Are large trades on the right side: (r + 1) / 2, r the correlation of their sign with the next return.

    The return is the midpoint's over the five minutes after the trade, D·PI / 2 of the given price impact.

    Parameters
    ----------
    sign : int8[n_trades]
        +1 buyer, −1 seller, 0 unknown.
    impact_5min_bps : float[n_trades]
        Price impact 2·D·(M(t + 5 min) − M(t)) / M(t); NaN where unknown. [bps]
    is_large : bool[n_trades]

    Returns
    -------
    SmartMoney
        NaN with fewer than three large trades, when all are on one side, or when no price moved.

    References
    ----------
    Chakravarty (2001), Journal of Financial Economics 61:289 (price impact of institutions' medium-size trades),
    https://doi.org/10.1016/S0304-405X(01)00063-0

    Examples
    --------
    Buys before rises and sells before falls of the same size:

    >>> impact = np.array([8.0, 8.0, 8.0, np.nan])
    >>> smart_money_indicator(np.array([1, -1, 1, 1], np.int8), impact, np.ones(4, np.bool_))
    SmartMoney(value=1.0, n=3)
    """
    chosen = is_large & (sign != 0)
    direction = sign[chosen].astype(np.float64)
    fit = least_squares(direction * impact_5min_bps[chosen] / 2.0, direction)
    return SmartMoney((fit.correlation + 1.0) / 2.0, fit.n)

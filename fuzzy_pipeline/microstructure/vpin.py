"""Volume-synchronised probability of informed trading."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

VPIN_BUCKETS = 50


@dataclass(frozen=True, slots=True)
class VpinState:
    """What the next piece of a tape needs: the open bucket, and the imbalances of the last closed ones.

    ``buy_shares`` and ``sell_shares`` [shares] are in the open bucket; ``imbalances`` |V_B − V_S| / (V_B + V_S) of
    at most n buckets, oldest first. [1]
    """

    buy_shares: float = 0.0
    sell_shares: float = 0.0
    imbalances: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Vpin:
    """VPIN after the last bucket closed so far, in [0, 1]; NaN before n buckets are closed. [1]

    ``by_bucket`` float64[n_closed]: VPIN as each bucket of this piece closed. ``state`` continues the tape.
    """

    value: float
    by_bucket: NDArray[np.float64]
    state: VpinState


@njit(cache=True, nogil=True)
def _fill_buckets(buy, sell, bucket, open_buy, open_sell, imbalances):  # type: ignore[no-untyped-def]
    """Imbalance of every bucket that closes, and what is left in the open one."""
    closed = 0
    for i in range(-1, len(buy)):
        # Row −1: an open bucket that was cut for a larger size may hold more than one of today's.
        bought, sold = (float(buy[i]), float(sell[i])) if i >= 0 else (open_buy, open_sell)
        if i < 0:
            open_buy = open_sell = 0.0
        left = bought + sold
        while left > 0.0 and open_buy + open_sell + left >= bucket:
            share = max(bucket - (open_buy + open_sell), 0.0) / left
            open_buy += bought * share
            open_sell += sold * share
            imbalances[closed] = abs(open_buy - open_sell) / (open_buy + open_sell)
            closed += 1
            open_buy = open_sell = 0.0
            bought -= bought * share
            sold -= sold * share
            left = bought + sold
        open_buy += bought
        open_sell += sold
    return closed, open_buy, open_sell


def vpin(
    buy_volume: NDArray[Any],
    sell_volume: NDArray[Any],
    bucket_shares: float,
    state: VpinState | None = None,
    *,
    buckets: int = VPIN_BUCKETS,
) -> Vpin:
    """Volume-synchronised probability of informed trading, with trades split between buckets.

    Σ |V_B − V_S| / (n·V) over the last n buckets of V shares each. A trade or bar that crosses the end of a bucket
    is split in proportion; what is left stays in the open bucket, which ``state`` carries to the next date: pieces
    of a tape give the same buckets as the whole. Volume without a side is in no bucket.

    The side is the caller's: shares by trade sign, one row a trade, or bulk volume classification, one row a
    minute. Both are a proxy for toxicity; whether VPIN foretells anything that volume and volatility do not is
    disputed (Andersen and Bondarenko 2014).

    Parameters
    ----------
    buy_volume, sell_volume : number[n]
        Shares bought and sold by those who took the initiative, not negative, in time order. [shares]
    bucket_shares : float
        V; a fiftieth of the mean daily volume of earlier dates. It may differ from the one ``state`` was made with:
        closed buckets then count alike, and the open one goes on to the new size. [shares]
    state : VpinState, optional
        Of the date before; nothing by default.
    buckets : int
        n.

    Returns
    -------
    Vpin

    Raises
    ------
    ValueError
        When ``bucket_shares`` or ``buckets`` is not positive, the volumes differ in length or one is negative.

    References
    ----------
    Easley, López de Prado and O'Hara (2012), Review of Financial Studies 25:1457, https://doi.org/10.1093/rfs/hhs053
    Andersen and Bondarenko (2014), Journal of Financial Markets 17:1, https://doi.org/10.1016/j.finmar.2013.05.005

    Examples
    --------
    Buckets of 100: 80 bought and 20 sold, then 100 sold, and 30 sold in the open one. (0.6 + 1.0) / 2 = 0.8:

    >>> found = vpin(np.array([80, 0]), np.array([0, 150]), 100, buckets=2)
    >>> round(found.value, 12), found.state.sell_shares
    (0.8, 30.0)
    """
    if not bucket_shares > 0 or buckets < 1:
        raise ValueError(f"buckets need a positive size and number, not {bucket_shares} and {buckets}")
    if len(buy_volume) != len(sell_volume):
        raise ValueError(f"{len(buy_volume)} rows bought but {len(sell_volume)} sold")
    if min(buy_volume.min(initial=0), sell_volume.min(initial=0)) < 0:
        raise ValueError("volumes cannot be negative")
    state = state or VpinState()
    shares = state.buy_shares + state.sell_shares + float(buy_volume.sum()) + float(sell_volume.sum())
    closed = np.empty(int(shares / bucket_shares) + 2)
    count, open_buy, open_sell = _fill_buckets(
        buy_volume, sell_volume, float(bucket_shares), state.buy_shares, state.sell_shares, closed
    )
    window = np.concatenate([np.array(state.imbalances, dtype=np.float64), closed[:count]])
    by_bucket = np.full(count, math.nan)
    if len(window) >= buckets:
        means = sliding_window_view(window, buckets).mean(axis=1)[-count or len(window) :]
        by_bucket[count - len(means) :] = means
    value = float(np.mean(window[-buckets:])) if len(window) >= buckets else math.nan
    kept = tuple(window[-buckets:].tolist())
    return Vpin(value, by_bucket, VpinState(open_buy, open_sell, kept))

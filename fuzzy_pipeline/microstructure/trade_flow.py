"""Who was more eager, buyers or sellers: counts and volumes by trade sign."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.schema.codes import BLOCK_TRADE_SHARES

_BUY, _SELL, _NEUTRAL = range(3)


@dataclass(frozen=True, slots=True)
class TradeFlow:
    """Trades of a session by side: buy + sell + neutral is all, in counts, shares and dollars.

    Neutral trades have no known aggressor. ``buy_sell_ratio`` is buyer- over seller-initiated volume, NaN when nothing
    was sold; ``volume_weighted_sign`` is Σ D·size / Σ size over all trades, neutral ones as 0, NaN without volume.
    Large trades are blocks: 10,000 shares or more.
    """

    buy_count: int
    sell_count: int
    neutral_count: int
    buy_volume: int
    sell_volume: int
    neutral_volume: int
    buy_dollar_volume: float
    sell_dollar_volume: float
    neutral_dollar_volume: float
    buy_sell_ratio: float
    volume_weighted_sign: float
    large_buy_count: int
    large_sell_count: int


@njit(cache=True, nogil=True)
def _by_side(price, size, sign, trades, shares, dollars, large):  # type: ignore[no-untyped-def]
    for i in range(len(price)):
        side = _BUY if sign[i] > 0 else (_SELL if sign[i] < 0 else _NEUTRAL)
        volume = np.int64(size[i])
        trades[side] += 1
        shares[side] += volume
        dollars[side] += price[i] * volume
        large[side] += volume >= BLOCK_TRADE_SHARES


def trade_flow(
    price: NDArray[np.float64], size: NDArray[np.unsignedinteger[Any]], trade_sign: NDArray[np.int8]
) -> TradeFlow:
    """Count, volume and dollar volume of buyer-initiated, seller-initiated and neutral trades.

    Parameters
    ----------
    price : float64[n_trades]
        [USD]
    size : unsigned[n_trades]
        [shares]
    trade_sign : int8[n_trades]
        +1 buyer, −1 seller, 0 unknown or no aggressor.

    Returns
    -------
    TradeFlow

    References
    ----------
    Chordia, Roll and Subrahmanyam (2002), Journal of Financial Economics 65:111,
    https://doi.org/10.1016/S0304-405X(02)00136-8

    Examples
    --------
    >>> found = trade_flow(
    ...     np.array([10.0] * 3), np.array([300, 100, 100], dtype=np.uint32), np.array([1, -1, 0], dtype=np.int8))
    >>> found.buy_sell_ratio, found.volume_weighted_sign, found.neutral_dollar_volume
    (3.0, 0.4, 1000.0)
    """
    trades, shares, large = (np.zeros(3, dtype=np.int64) for _ in range(3))
    dollars = np.zeros(3)
    _by_side(price, size, trade_sign, trades, shares, dollars, large)
    bought, sold, neutral = shares.tolist()
    volume = bought + sold + neutral
    return TradeFlow(
        buy_count=int(trades[_BUY]),
        sell_count=int(trades[_SELL]),
        neutral_count=int(trades[_NEUTRAL]),
        buy_volume=bought,
        sell_volume=sold,
        neutral_volume=neutral,
        buy_dollar_volume=float(dollars[_BUY]),
        sell_dollar_volume=float(dollars[_SELL]),
        neutral_dollar_volume=float(dollars[_NEUTRAL]),
        buy_sell_ratio=bought / sold if sold else float("nan"),
        volume_weighted_sign=(bought - sold) / volume if volume else float("nan"),
        large_buy_count=int(large[_BUY]),
        large_sell_count=int(large[_SELL]),
    )

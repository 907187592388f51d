"""Blocks and sweeps from lists of trades."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

Trade = dict[str, Any]


def sweeps(trades: Sequence[Trade]) -> list[list[Trade]]:
    """Groups of sweep prints of one side within a millisecond of their first, on two venues or more."""
    found = []
    for side in (1, -1):
        prints = [trade for trade in trades if trade["is_sweep"] and trade["sign"] == side]
        times = [trade["time"] for trade in prints]
        first = 0
        while first < len(prints):
            after = bisect.bisect_right(times, times[first] + 1_000_000)
            group = prints[first:after]
            first = after
            if len({trade["venue"] for trade in group}) > 1:
                found.append(group)
    return found


def flow(trades: Sequence[Trade]) -> dict[str, float]:
    groups = sweeps(trades)
    swept = {trade["number"] for group in groups for trade in group}
    volume = sum(trade["size"] for trade in trades)

    def share(chosen: list[Trade]) -> float:
        return sum(trade["size"] for trade in chosen) / volume

    blocks = [trade for trade in trades if trade["is_block"]]
    return {
        "block_trade_count": len(blocks),
        "block_volume_pct": share(blocks),
        "sweep_order_count": len(groups),
        "sweep_volume_pct": share([trade for trade in trades if trade["number"] in swept]),
        "odd_lot_ratio": sum(trade["is_odd_lot"] for trade in trades) / len(trades),
        "average_trade_value": sum(trade["price"] * trade["size"] for trade in trades) / len(trades),
        "institutional_participation": share([t for t in trades if t["is_block"] or t["number"] in swept]),
        "accumulation_distribution": sum(t["sign"] * t["size"] for t in trades) / volume,
    }

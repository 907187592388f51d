"""Tick, volume, dollar, volatility, range and renko bars found tick by tick in plain Python.

Written from the data contract, not from the code under test. A tick is a dictionary with ``price``, ``size``,
``is_qualified`` and ``sets_high_low``; amounts that a rule compares are decimals, exact as written. A bar says where it
ends (the number of ticks up to there) and how it closed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from fuzzy_pipeline.schema.codes import CloseReason

Tick = dict[str, Any]
Bar = dict[str, Any]
Rule = Callable[[Tick], "Decimal | float"]


def tick_bars(ticks: Sequence[Tick], size: int) -> list[Bar]:
    """Bars of so many ticks."""
    return _summed(ticks, lambda _: Decimal(1), Decimal(size))


def volume_bars(ticks: Sequence[Tick], shares: int) -> list[Bar]:
    """Bars of at least so many shares."""
    return _summed(ticks, lambda tick: Decimal(tick["size"]), Decimal(shares))


def dollar_bars(ticks: Sequence[Tick], dollars: int) -> list[Bar]:
    """Bars of at least so many dollars."""
    return _summed(ticks, lambda tick: _decimal(tick["price"]) * tick["size"], Decimal(dollars))


def volatility_bars(ticks: Sequence[Tick], bps: float) -> list[Bar]:
    """Bars whose squared log returns of qualified prices reach the square of the volatility. [bps²]"""
    last: float | None = None

    def squared_return(tick: Tick) -> float:
        nonlocal last
        if not tick["is_qualified"]:
            return 0.0
        before, last = last, tick["price"]
        return 0.0 if before is None else (math.log(tick["price"] / before) * 10_000) ** 2

    return _summed(ticks, squared_return, bps**2)


def _summed(ticks: Sequence[Tick], amount: Rule, threshold: Decimal | float) -> list[Bar]:
    """Bars that close on the tick whose amount brings their sum to the threshold; nothing is carried over."""
    bars: list[Bar] = []
    nothing = 0 * threshold
    total = nothing
    end = 0
    for position, tick in enumerate(ticks, start=1):
        total += amount(tick)  # type: ignore[operator]  # decimals with decimals, floats with floats
        if total >= threshold:
            bars.append(_closed(position, threshold, total))
            total, end = nothing, position
    return bars + _left_over(end, len(ticks), threshold)


def range_bars(ticks: Sequence[Tick], usd: str) -> list[Bar]:
    """Bars whose high − low reaches the range."""
    bars: list[Bar] = []
    wanted = Decimal(usd)
    prices: list[Decimal] = []
    end = 0
    for position, tick in enumerate(ticks, start=1):
        if not tick["sets_high_low"]:
            continue
        prices.append(_decimal(tick["price"]))
        prices = [min(prices), max(prices)]
        width = prices[1] - prices[0]
        if width >= wanted:
            whole = int(width / wanted)
            bars.append(_closed(position, wanted, width) | {"gaps": whole - 1})
            prices, end = [], position
    return bars + _left_over(end, len(ticks), wanted)


def renko_bars(ticks: Sequence[Tick], usd: str, close: Decimal | None = None, direction: int = 0) -> list[Bar]:
    """Bricks, one after the other; ``close`` and ``direction`` are those of the last brick of the date before."""
    bars: list[Bar] = []
    height = Decimal(usd)
    cold = direction == 0  # until the first move there is no brick to start from
    end = 0
    for position, tick in enumerate(ticks, start=1):
        if not tick["is_qualified"]:
            continue
        price = _decimal(tick["price"])
        if close is None:
            close = (price / height).quantize(Decimal(1), rounding=ROUND_HALF_UP) * height
            continue
        laid = 0
        while (side := _next_side(price, close, direction, height)) != 0:
            opened = close if side != -direction else close + side * height
            close, direction = opened + side * height, side
            brick = _closed(position, height, height + abs(price - close))
            brick |= {"trigger_direction": side, "gaps": laid, "is_phantom": laid > 0, "is_warm_up": cold}
            bars.append(brick | {"brick_open": float(opened), "brick_close": float(close)})
            laid, end = laid + 1, position
        cold = cold and laid == 0
    left_over = _left_over(end, len(ticks), height)
    return bars + [bar | {"is_warm_up": cold} for bar in left_over]


def _next_side(price: Decimal, close: Decimal, direction: int, height: Decimal) -> int:
    """Direction of the brick that a price lays next to the last close; 0 when it lays none."""
    for side in (1, -1):
        heights = 2 if side == -direction else 1
        if side * (price - close) >= heights * height:
            return side
    return 0


def _closed(end: int, threshold: Decimal | float, reached: Decimal | float) -> Bar:
    return {
        "end": end,
        "threshold": float(threshold),
        "overflow": float(reached - threshold),  # type: ignore[operator]  # of one kind, as above
        "efficiency": float(threshold / reached),  # type: ignore[operator]
        "trigger_direction": 0,
        "gaps": 0,
        "is_complete": True,
        "is_warm_up": False,
        "is_phantom": False,
        "close_reason": CloseReason.THRESHOLD,
    }


def _left_over(end: int, ticks: int, threshold: Decimal | float) -> list[Bar]:
    """The bar of the ticks after the last one that closed, when there are any."""
    if end == ticks:
        return []
    unknown = {"overflow": math.nan, "efficiency": math.nan}
    return [
        _closed(ticks, threshold, threshold) | unknown | {"is_complete": False, "close_reason": CloseReason.SESSION_END}
    ]


def _decimal(price: float) -> Decimal:
    """The price as it is written, not as it is stored."""
    return Decimal(repr(price))

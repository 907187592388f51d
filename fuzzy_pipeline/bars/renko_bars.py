"""Renko bars: bricks of one height on a grid of prices.

Belongs here: where bricks end, their prices on the grid, and the state they hand to the next trading date.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import BarSettings, dollars
from fuzzy_pipeline.bars.cutting import (
    BarEnds,
    BarFamily,
    CutterFactory,
    SeriesState,
    SessionSpan,
    closing_columns,
    cut_by_session_end,
    session_ends,
)
from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.errors import BarLimitError
from fuzzy_pipeline.microstructure.liquidity import PRICE_UNITS_PER_USD

_UNKNOWN = -1  # level before the first price; levels of prices are never negative

MOST_BRICKS = 1_000_000
"""Bricks of a session in one series: more is 0.5 GB of bars, and never a market but prices that were not set aside."""

# Columns of what the kernel finds.
_END, _LEVEL, _BRICKS, _PRICE = range(4)


@njit(cache=True, nogil=True)
def _triggers(level, direction, height):  # type: ignore[no-untyped-def]
    """Prices that lay a brick upwards and downwards: one height away, two against the direction. [USD/1,000,000]"""
    return (level + (2 if direction < 0 else 1)) * height, (level - (2 if direction > 0 else 1)) * height


@njit(cache=True, nogil=True)
def _find_moves(price, qualified, height, level, direction, moves):  # type: ignore[no-untyped-def]
    """Fill the moves that lay bricks; give back how many, and the level and direction of the last brick.

    A move is a row of its end position, its last brick's level, its number of bricks (negative downwards) and its
    price. Levels are brick heights above 0 USD; prices and the height are whole millionths of a dollar.
    """
    found = 0
    # The comparison with these, a millionth closer than the triggers, spares most ticks the exact one.
    above, below = -np.inf, np.inf
    up = down = 0
    if level != _UNKNOWN:
        up, down = _triggers(level, direction, height)
        above, below = (up - 1) / PRICE_UNITS_PER_USD, (down + 1) / PRICE_UNITS_PER_USD
    for i in range(len(price)):
        p = price[i]
        if (p < above and p > below) or not qualified[i]:
            continue
        exact = np.int64(np.rint(p * PRICE_UNITS_PER_USD))
        if level == _UNKNOWN:
            level = (2 * exact + height) // (2 * height)
        elif exact >= up or exact <= down:
            side = 1 if exact >= up else -1
            reached = exact // height if side > 0 else -(-exact // height)
            moves[found, _END] = i + 1
            moves[found, _LEVEL] = reached
            moves[found, _BRICKS] = reached - level - (side if direction == -side else 0)
            moves[found, _PRICE] = exact
            found += 1
            level, direction = reached, side
        else:
            continue
        up, down = _triggers(level, direction, height)
        above, below = (up - 1) / PRICE_UNITS_PER_USD, (down + 1) / PRICE_UNITS_PER_USD
    return found, level, direction


class RenkoBarCutter:
    """Lays bricks where prices reach the next step of the grid; starts from the last brick of the date before."""

    def __init__(self, brick_usd: float, state: SeriesState | None = None) -> None:
        self._height = round(brick_usd * PRICE_UNITS_PER_USD)
        self._level = int((state or {}).get("level", _UNKNOWN))
        self._direction = int((state or {}).get("direction", 0))
        self._open = 0

    def feed(self, ticks: SessionTicks) -> BarEnds:
        """Bricks that these ticks lay; ``BarLimitError`` when they are more than ``MOST_BRICKS``."""
        first_ever = self._direction == 0
        rows = ticks.pool.array("bar_ends", "moves", np.dtype(np.int64), 4 * len(ticks)).reshape(-1, 4)
        found, self._level, self._direction = _find_moves(
            ticks.column("price"), ticks.column("is_qualified"), self._height, self._level, self._direction, rows
        )
        _check_bricks(rows[:found], self._height)
        self._open = len(ticks) - int(rows[found - 1, _END]) if found else self._open + len(ticks)
        return _bricks(rows[:found], self._height, first_ever=first_ever)

    def finish(self) -> BarEnds:
        """The ticks since the last brick, as a bar with the prices they traded at."""
        rest = cut_by_session_end(
            self._open, threshold=self._height / PRICE_UNITS_PER_USD, is_warm_up=self._direction == 0
        )
        none = np.full(len(rest), np.nan)
        return replace(rest, brick_open=none, brick_close=none)

    def state(self) -> SeriesState:
        """Direction of the last brick, 0 before the first, and its close (else the first price) in heights above 0."""
        if self._level == _UNKNOWN:
            return {"direction": self._direction}
        return {"direction": self._direction, "level": self._level}


def _check_bricks(moves: NDArray[np.int64], height: int) -> None:
    """Refuse prices that would lay more bricks than memory holds."""
    total = int(np.abs(moves[:, _BRICKS]).sum())
    if total <= MOST_BRICKS:
        return
    widest = moves[np.argmax(np.abs(moves[:, _BRICKS]))]
    raise BarLimitError(
        f"renko bars of {height / PRICE_UNITS_PER_USD:g} USD: {total:,} bricks, at most {MOST_BRICKS:,} are laid; the "
        f"widest move, of {abs(widest[_BRICKS]):,} bricks, ends at counted tick {widest[_END]:,} of the session with "
        f'price {widest[_PRICE] / PRICE_UNITS_PER_USD:.10g}. Look at the ticks that soft rules found: fuzzy sql "FROM '
        'tick_flags"'
    )


def _bricks(moves: NDArray[np.int64], height: int, *, first_ever: bool) -> BarEnds:
    """The bricks of each move; all but the first of a move have no ticks.

    The first move ever starts from a rounded price, not from a brick: its bricks are the warm-up.
    """
    bricks = np.abs(moves[:, _BRICKS])
    move = np.repeat(moves, bricks, axis=0)
    number = np.arange(len(move)) - np.repeat(np.cumsum(bricks) - bricks, bricks)
    direction = np.sign(move[:, _BRICKS])
    close = move[:, _LEVEL] - move[:, _BRICKS] + direction * (number + 1)
    beyond = np.abs(move[:, _PRICE] - close * height)
    columns = closing_columns(
        len(move),
        threshold=height / PRICE_UNITS_PER_USD,
        overflow=beyond / PRICE_UNITS_PER_USD,
        efficiency=height / (height + beyond),
        trigger_direction=direction,
        gaps=number,
        is_warm_up=first_ever & (np.arange(len(move)) < bricks[:1].sum()),
        is_phantom=number > 0,
    )
    return BarEnds(
        move[:, _END].copy(),
        columns,
        brick_open=(close - direction) * height / PRICE_UNITS_PER_USD,
        brick_close=close * height / PRICE_UNITS_PER_USD,
    )


def renko_bar_ends(ticks: SessionTicks, brick_usd: float, state: SeriesState | None = None) -> BarEnds:
    """Where the renko bars of one session end, and the bricks' prices.

    The grid is the multiples of the brick height. Without a state, the first qualified price rounded to the grid
    (halves upwards) is the first close, and the first brick may go either way. From then on a qualified price P at
    least one height beyond the last close lays a brick in its direction; against it, P must be two heights away and
    the brick opens one height back. A price k heights beyond lays k bricks at once: the first holds all ticks since
    the brick before, the others are phantoms without ticks.

    Parameters
    ----------
    ticks : SessionTicks
        Counted ticks of a session, in time order. Those with ``is_qualified`` lay bricks.
    brick_usd : float
        Height of a brick. [USD]
    state : mapping, optional
        ``level`` and ``direction`` that the session of the trading date before handed on.

    Returns
    -------
    BarEnds
        Phantoms end where the first brick of their move ends and count in ``gaps`` the bricks of the move before
        them. ``overflow`` [USD] is the distance from the brick's close to the price that laid it. ``is_warm_up`` is
        set until the first move that starts from a brick. The ticks after the last brick are a bar that is not
        complete and has no brick prices.

    Raises
    ------
    BarLimitError
        More than ``MOST_BRICKS`` bricks; names the widest move.

    Examples
    --------
    >>> from fuzzy_pipeline.buffers import BufferPool
    >>> trades = {"price": np.array([10.02, 10.1, 10.33, 10.21, 10.1]), "is_qualified": np.ones(5, np.bool_)}
    >>> ticks = SessionTicks("regular", 0, 1, np.array([[0, 5]]), trades, BufferPool())
    >>> bars = renko_bar_ends(ticks, 0.1)  # from 10.00
    >>> bars.ends.tolist(), bars.closing["gaps"].tolist()
    ([2, 3, 3, 5], [0, 0, 1, 0])
    >>> bars.brick_open.tolist(), bars.brick_close.tolist()
    ([10.0, 10.1, 10.2, 10.2], [10.1, 10.2, 10.3, 10.1])
    """
    return session_ends(RenkoBarCutter(brick_usd, state), ticks)


def _cutter(brick_usd: float, _span: SessionSpan, state: SeriesState | None) -> RenkoBarCutter:
    return RenkoBarCutter(brick_usd, state)


def _series(settings: BarSettings) -> Mapping[str, CutterFactory]:
    return {text: partial(_cutter, dollars(text)) for text in settings.renko.series}


RENKO_BARS = BarFamily("renko", version=2, series=_series, meaning=dollars, carries_state=True)

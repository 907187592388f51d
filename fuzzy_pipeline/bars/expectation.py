"""Moving expectations of imbalance and run bars, and the guards that keep them sane.

Belongs here: what both families share - the averages over past bars and past blocks of ticks, the record that carries
them from date to date, and how closed bars come out of the kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import Guards, Unit
from fuzzy_pipeline.bars.cutting import BarEnds, SeriesState, closing_columns, cut_by_session_end
from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.schema.codes import CloseReason

BLOCK_TICKS = 200
"""Ticks of a block: correlation of signs over shorter distances is in the long-run variance."""

LARGEST_BLOCK = 10.0
"""A block counts at most this many times the average of those before: one block print must not set the variance."""

ROUNDING = 1e-12
"""What reaches a threshold or a whole number in exact arithmetic must not miss it by the last bit of an average."""

UNITS: Mapping[Unit, int] = {"tick": 0, "volume": 1, "dollar": 2}
"""What the kernels know a unit by."""


class Slot(IntEnum):
    """Places of the kernels' state, float64[len(Slot)].

    Averages weigh the latest entry with alpha and all earlier ones with 1 − alpha: an average is its sum divided by
    its weight, which is alpha + (1 − alpha)·alpha + … (so the first entries are not drawn to zero).
    """

    BARS_CLOSED = 0
    """Bars that closed by threshold or cap since the cold start."""
    LENGTH_WEIGHT = 1
    LENGTH_SUM = 2
    """Ticks a bar; the first bar of a cold start, whose length is given, is left out."""
    FLOW_TICKS = 3
    FLOW_NET = 4
    FLOW_GROSS = 5
    """Ticks, buys − sells and buys + sells of past bars: quotients of these are means per tick (run bars use gross)."""
    BLOCK_WEIGHT = 6
    BLOCK_VARIANCE = 7
    """(Σ b·v of a block)² / ticks of a block: their average is the long-run variance per tick."""
    BLOCK_SQUARES = 8
    """Σ (b·v)² of a block / ticks of a block: their average is the variance per tick (imbalance bars)."""
    PENDING_TICKS = 9
    PENDING_NET = 10
    PENDING_SQUARES = 11
    """The block that is not full yet."""
    OPEN_TICKS = 12
    OPEN_BUYS = 13
    OPEN_SELLS = 14
    """The open bar. Imbalance bars keep buys − sells in OPEN_BUYS."""
    OPEN_IN_BLOCKS = 15
    """Buys − sells of the open bar that PENDING_NET or a full block holds already."""
    THRESHOLD = 16
    EXPECTED_THETA = 17
    LIMIT = 18
    """Ticks at which the cap closes the open bar."""
    IS_WARM_UP = 19


CARRIED = tuple(slot for slot in Slot if slot < Slot.OPEN_TICKS)
"""What one date hands to the next, by lower-case name."""

ROW = ("threshold", "expected_theta", "theta", "reached", "has_reached", "is_warm_up")
"""What the kernels tell of a bar that closes."""

_ROWS = 1024


class Rules(NamedTuple):
    """The guards as the kernels take them."""

    alpha: float
    warm_up_bars: int
    least: float
    most: float
    band: float
    cap: float


def kernel_rules(guards: Guards) -> Rules:
    """The guards of a family's settings.

    Parameters
    ----------
    guards : Guards

    Returns
    -------
    Rules
        ``alpha`` = 2 / (span + 1).
    """
    return Rules(
        2 / (guards.span + 1),
        guards.warm_up_bars,
        float(guards.min_expected_ticks),
        float(guards.max_expected_ticks),
        guards.band,
        guards.cap,
    )


def fresh_state(carried: SeriesState | None) -> NDArray[np.float64]:
    """The state a session starts from.

    Parameters
    ----------
    carried : mapping, optional
        What the session of the date before handed on; None or empty is a cold start.

    Returns
    -------
    float64[len(Slot)]
        Without an open bar.

    Raises
    ------
    KeyError
        A name is missing.
    """
    state = np.zeros(len(Slot))
    if carried:
        for slot in CARRIED:
            state[slot] = carried[slot.name.lower()]
    return state


def carried_state(state: NDArray[np.float64]) -> SeriesState:
    """What the next trading date starts from.

    Parameters
    ----------
    state : float64[len(Slot)]
        After the session's end.

    Returns
    -------
    mapping
        Of ``CARRIED``, in plain floats.
    """
    return {slot.name.lower(): float(state[slot]) for slot in CARRIED}


@njit(cache=True, nogil=True)
def expected_ticks(state, first, rules):  # type: ignore[no-untyped-def]
    """Expected ticks of the next bar: ``first`` until enough bars are known, then their average within the bounds."""
    ticks = first
    if state[Slot.BARS_CLOSED] >= rules.warm_up_bars and state[Slot.LENGTH_WEIGHT] > 0:
        average = state[Slot.LENGTH_SUM] / state[Slot.LENGTH_WEIGHT]
        ticks = min(max(average, first / rules.band), first * rules.band)
    return min(max(ticks, rules.least), rules.most)


@njit(cache=True, nogil=True)
def open_bar(state, threshold, expected_theta, ticks, rules):  # type: ignore[no-untyped-def]
    """Set what the next bar has to reach, from what is known before it; ``ticks`` are its expected ticks."""
    state[Slot.THRESHOLD] = threshold
    state[Slot.EXPECTED_THETA] = expected_theta
    state[Slot.LIMIT] = math.floor(rules.cap * ticks * (1 + ROUNDING))
    state[Slot.IS_WARM_UP] = state[Slot.BARS_CLOSED] < rules.warm_up_bars
    state[Slot.OPEN_TICKS : Slot.OPEN_IN_BLOCKS + 1] = 0.0


@njit(cache=True, nogil=True)
def open_first_bar(state, rules):  # type: ignore[no-untyped-def]
    """The first bar of a cold start: nothing is known to expect, so it closes with the first block."""
    open_bar(state, np.inf, np.nan, 0.0, rules)
    state[Slot.LIMIT] = BLOCK_TICKS - state[Slot.PENDING_TICKS]


@njit(cache=True, nogil=True)
def room(state):  # type: ignore[no-untyped-def]
    """Ticks until the block is full or the cap closes the bar."""
    return int(min(state[Slot.LIMIT] - state[Slot.OPEN_TICKS], BLOCK_TICKS - state[Slot.PENDING_TICKS]))


@njit(cache=True, nogil=True)
def _add_block(state, slot, weight, entry, alpha):  # type: ignore[no-untyped-def]
    """Add a block's entry to the average in ``slot``, whose weight was ``weight``."""
    if state[slot] > 0:
        entry = min(entry, LARGEST_BLOCK * state[slot] / weight)
    state[slot] = (1 - alpha) * state[slot] + alpha * entry


@njit(cache=True, nogil=True)
def take_ticks(state, ticks, net, alpha):  # type: ignore[no-untyped-def]
    """Count ticks of the open bar, whose buys − sells is now ``net``, and close the block that they fill."""
    state[Slot.OPEN_TICKS] += ticks
    state[Slot.PENDING_TICKS] += ticks
    if state[Slot.PENDING_TICKS] < BLOCK_TICKS:
        return
    block = state[Slot.PENDING_NET] + (net - state[Slot.OPEN_IN_BLOCKS])
    state[Slot.OPEN_IN_BLOCKS] = net
    weight = state[Slot.BLOCK_WEIGHT]
    _add_block(state, Slot.BLOCK_VARIANCE, weight, block * block / BLOCK_TICKS, alpha)
    _add_block(state, Slot.BLOCK_SQUARES, weight, state[Slot.PENDING_SQUARES] / BLOCK_TICKS, alpha)
    state[Slot.BLOCK_WEIGHT] = (1 - alpha) * weight + alpha
    state[Slot.PENDING_TICKS : Slot.PENDING_SQUARES + 1] = 0.0


@njit(cache=True, nogil=True)
def close_bar(state, net, gross, alpha):  # type: ignore[no-untyped-def]
    """Take the open bar into the averages."""
    fade = 1 - alpha
    ticks = state[Slot.OPEN_TICKS]
    if not math.isnan(state[Slot.EXPECTED_THETA]):
        state[Slot.LENGTH_WEIGHT] = fade * state[Slot.LENGTH_WEIGHT] + alpha
        state[Slot.LENGTH_SUM] = fade * state[Slot.LENGTH_SUM] + alpha * ticks
    state[Slot.FLOW_TICKS] = fade * state[Slot.FLOW_TICKS] + alpha * ticks
    state[Slot.FLOW_NET] = fade * state[Slot.FLOW_NET] + alpha * net
    state[Slot.FLOW_GROSS] = fade * state[Slot.FLOW_GROSS] + alpha * gross
    state[Slot.BARS_CLOSED] += 1
    state[Slot.PENDING_NET] += net - state[Slot.OPEN_IN_BLOCKS]


@njit(cache=True, nogil=True)
def write_row(row, state, theta, has_reached):  # type: ignore[no-untyped-def]
    """What is told of the bar that closes, in the order of ``ROW``."""
    row[0] = state[Slot.THRESHOLD]
    row[1] = state[Slot.EXPECTED_THETA]
    row[2] = theta
    row[3] = abs(theta)
    row[4] = has_reached
    row[5] = state[Slot.IS_WARM_UP]


class ClosedBars:
    """Collects the bars that a resumable kernel closes: the kernel fills a block of rows and is called again."""

    def __init__(self) -> None:
        self._ends = np.empty(_ROWS, dtype=np.int64)
        self._rows = np.empty((_ROWS, len(ROW)))

    def collect(
        self, ticks: int, cut: Callable[[int, NDArray[np.int64], NDArray[np.float64]], tuple[int, int]]
    ) -> BarEnds:
        """Bars from ``cut(position, ends, rows)``, which gives the position it came to and how many bars it closed."""
        position = 0
        ends: list[NDArray[np.int64]] = [self._ends[:0]]
        rows: list[NDArray[np.float64]] = [self._rows[:0]]
        while position < ticks:
            position, bars = cut(position, self._ends, self._rows)
            ends.append(self._ends[:bars].copy())
            rows.append(self._rows[:bars].copy())
        return _bars(np.concatenate(ends), np.concatenate(rows))


def _bars(ends: NDArray[np.int64], rows: NDArray[np.float64]) -> BarEnds:
    threshold, expected_theta, theta, reached, has_reached, is_warm_up = rows.T
    by_threshold = has_reached > 0
    known = np.where(np.isinf(threshold), np.nan, threshold)
    columns = closing_columns(
        len(ends),
        threshold=known,
        overflow=np.where(by_threshold, np.maximum(reached - known, 0.0), np.nan),
        efficiency=np.divide(known, reached, out=np.full(len(ends), np.nan), where=by_threshold),
        theta=theta,
        expected_theta=expected_theta,
        trigger_direction=np.where(by_threshold, np.sign(theta), 0.0),
        is_warm_up=is_warm_up,
        close_reason=np.where(by_threshold, int(CloseReason.THRESHOLD), int(CloseReason.CAP)),
    )
    return BarEnds(ends, columns)


def finish_bar(state: NDArray[np.float64], theta: float, net: float) -> BarEnds:
    """The bar that the session's end finds open; it teaches the averages nothing, but its ticks stay in the block.

    Parameters
    ----------
    state : float64[len(Slot)]
        Changed: without an open bar afterwards.
    theta : float
        Of the open bar, signed.
    net : float
        Its buys − sells.

    Returns
    -------
    BarEnds
        One bar when it has ticks, else none.
    """
    threshold = float(state[Slot.THRESHOLD])
    bars = cut_by_session_end(
        int(state[Slot.OPEN_TICKS]),
        threshold=math.nan if math.isinf(threshold) else threshold,
        theta=theta,
        expected_theta=float(state[Slot.EXPECTED_THETA]),
        is_warm_up=bool(state[Slot.IS_WARM_UP]),
    )
    state[Slot.PENDING_NET] += net - state[Slot.OPEN_IN_BLOCKS]
    state[Slot.OPEN_TICKS :] = 0.0
    return bars


def flow_columns(ticks: SessionTicks) -> Sequence[NDArray[np.generic]]:
    """Side, shares and price of each tick: what the kernels go through.

    Parameters
    ----------
    ticks : SessionTicks

    Returns
    -------
    sequence of arrays
        ``trade_sign`` int8[n], ``size`` uint32[n], ``price`` float64[n].
    """
    return [ticks.column(name) for name in ("trade_sign", "size", "price")]

"""Run bars: when the larger side has traded more than expected.

Belongs here: where run bars end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
from numba import njit

from fuzzy_pipeline.bar_settings import BarSettings, RunBarSettings, Unit, run_unit
from fuzzy_pipeline.bars.cutting import (
    BarEnds,
    BarFamily,
    CutterFactory,
    SeriesState,
    SessionSpan,
    session_ends,
)
from fuzzy_pipeline.bars.expectation import (
    ROUNDING,
    UNITS,
    ClosedBars,
    Slot,
    carried_state,
    close_bar,
    expected_ticks,
    finish_bar,
    flow_columns,
    fresh_state,
    kernel_rules,
    open_bar,
    open_first_bar,
    room,
    take_ticks,
    write_row,
)
from fuzzy_pipeline.bars.session_ticks import SessionTicks


@njit(cache=True, nogil=True)
def _add_until(sign, size, price, unit, position, stop, buys, sells, trigger):  # type: ignore[no-untyped-def]
    """Add v to its side, tick by tick up to ``stop``, and stop early at the tick that brings a side to trigger.

    Gives the position after the last tick added, and the sums.
    """
    if unit == 0:
        for i in range(position, stop):
            buys += max(sign[i], 0)
            sells += max(-sign[i], 0)
            if max(buys, sells) >= trigger:
                return i + 1, buys, sells
    elif unit == 1:
        for i in range(position, stop):
            flow = float(np.int64(sign[i]) * np.int64(size[i]))
            buys += max(flow, 0.0)
            sells += max(-flow, 0.0)
            if max(buys, sells) >= trigger:
                return i + 1, buys, sells
    else:
        for i in range(position, stop):
            flow = price[i] * float(np.int64(sign[i]) * np.int64(size[i]))
            buys += max(flow, 0.0)
            sells += max(-flow, 0.0)
            if max(buys, sells) >= trigger:
                return i + 1, buys, sells
    return stop, buys, sells


@njit(cache=True, nogil=True)
def _expect(state, first, rules):  # type: ignore[no-untyped-def]
    """Open the next bar with the threshold that the bars and blocks before it imply."""
    if state[Slot.BLOCK_WEIGHT] == 0:
        open_first_bar(state, rules)
        return
    variance = state[Slot.BLOCK_VARIANCE] / state[Slot.BLOCK_WEIGHT]
    ticks = expected_ticks(state, first, rules)
    both = ticks * (state[Slot.FLOW_GROSS] / state[Slot.FLOW_TICKS])
    drift = ticks * abs(state[Slot.FLOW_NET] / state[Slot.FLOW_TICKS])
    # max(buys, sells) = (buys + sells + |buys − sells|) / 2, and E|buys − sells| is √(2/π · E[T]·LRV) without drift.
    threshold = (both + max(drift, math.sqrt(2 / math.pi * ticks * variance))) / 2
    open_bar(state, threshold if threshold > 0 else np.inf, (both + drift) / 2, ticks, rules)


@njit(cache=True, nogil=True)
def _cut(sign, size, price, unit, first, rules, state, position, ends, rows):  # type: ignore[no-untyped-def]
    """Close bars from ``position`` on until the ticks or the rows for bars are used up; give how far and how many."""
    bars = 0
    while position < len(sign) and bars < len(ends):
        trigger = state[Slot.THRESHOLD] * (1 - ROUNDING)
        stop = min(len(sign), position + room(state))
        reached, buys, sells = _add_until(
            sign, size, price, unit, position, stop, state[Slot.OPEN_BUYS], state[Slot.OPEN_SELLS], trigger
        )
        state[Slot.OPEN_BUYS] = buys
        state[Slot.OPEN_SELLS] = sells
        take_ticks(state, reached - position, buys - sells, rules.alpha)
        position = reached
        has_reached = max(buys, sells) >= trigger
        if has_reached or state[Slot.OPEN_TICKS] >= state[Slot.LIMIT]:
            ends[bars] = position
            write_row(rows[bars], state, buys if buys >= sells else -sells, has_reached)
            bars += 1
            close_bar(state, buys - sells, buys + sells, rules.alpha)
            _expect(state, first, rules)
    return position, bars


class RunBarCutter:
    """Closes a bar when the buys or the sells reach what past bars let expect of the larger of them."""

    def __init__(self, unit: Unit, settings: RunBarSettings, carried: SeriesState | None = None) -> None:
        self._unit = UNITS[unit]
        self._first = float(settings.first_expected_ticks)
        self._rules = kernel_rules(settings)
        self._state = fresh_state(carried)
        self._closed = ClosedBars()
        _expect(self._state, self._first, self._rules)

    def feed(self, ticks: SessionTicks) -> BarEnds:
        """Bars that close with these ticks."""
        given = (*flow_columns(ticks), self._unit, self._first, self._rules, self._state)
        return self._closed.collect(len(ticks), lambda *place: _cut(*given, *place))

    def finish(self) -> BarEnds:
        """The open bar."""
        buys, sells = (float(self._state[slot]) for slot in (Slot.OPEN_BUYS, Slot.OPEN_SELLS))
        return finish_bar(self._state, buys if buys >= sells else -sells, buys - sells)

    def state(self) -> SeriesState:
        """After ``finish``: averages, and the block that is not full."""
        return carried_state(self._state)


def run_bar_ends(
    ticks: SessionTicks, unit: Unit, settings: RunBarSettings | None = None, state: SeriesState | None = None
) -> BarEnds:
    """Where the run bars of one session end.

    The run of a bar is max(Σ v bought, Σ v sold), sides not offset and trades not consecutive; v is 1 (``tick``),
    shares (``volume``) or dollars (``dollar``). A bar closes when it reaches the larger of

    - E[T]·max(P[b=1]·E[v|b=1], P[b=−1]·E[v|b=−1]), from averages over past bars; P counts ticks of unknown side,
    - ½·(E[T]·E[v|b≠0]·P[b≠0] + √(2/π·E[T]·LRV)), what a flow without drift brings on average in E[T] ticks.

    Parameters
    ----------
    ticks : SessionTicks
        Counted ticks of a session, in time order.
    unit : {"tick", "volume", "dollar"}
    settings : RunBarSettings, optional
        Guards; default: the settings' defaults.
    state : mapping, optional
        What the session of the trading date before handed on; without it the series starts cold.

    Returns
    -------
    BarEnds
        ``theta`` is the run, negative when the sells are the larger side; thresholds are in the unit.

    References
    ----------
    López de Prado (2018), Advances in Financial Machine Learning, section 2.3.2, ISBN 978-1-119-48208-6

    Carlstein (1986), Annals of Statistics 14:1171, https://doi.org/10.1214/aos/1176350057

    Examples
    --------
    The first bar of a cold start closes with the first block of 200 ticks. Here 150 were bought and 50 sold: per tick
    0.75 bought, long-run variance (150 − 50)² / 200 = 50. In 100 expected ticks a flow without drift would have
    ½·(100 + √(2/π·100·50)) = 78.2 on its larger side, more than the 75 of the averages.

    >>> from fuzzy_pipeline.buffers import BufferPool
    >>> sign = np.array([1, 1, 1, -1] * 50 + [1] * 79, np.int8)
    >>> trades = {"trade_sign": sign, "size": np.full(279, 100, np.uint32), "price": np.full(279, 10.0)}
    >>> ticks = SessionTicks("regular", 0, 1, np.array([[0, 279]]), trades, BufferPool())
    >>> bars = run_bar_ends(ticks, "tick", RunBarSettings(first_expected_ticks=100))
    >>> bars.ends.tolist(), bars.closing["theta"].tolist(), bars.closing["threshold"].round(1).tolist()
    ([200, 279], [150.0, 79.0], [nan, 78.2])
    """
    return session_ends(RunBarCutter(unit, settings or RunBarSettings(), state), ticks)


def _cutter(unit: Unit, settings: RunBarSettings, _span: SessionSpan, state: SeriesState | None) -> RunBarCutter:
    return RunBarCutter(unit, settings, state)


def _series(settings: BarSettings) -> Mapping[str, CutterFactory]:
    return {text: partial(_cutter, run_unit(text), settings.run) for text in settings.run.series}


RUN_BARS = BarFamily("run", version=2, series=_series, meaning=run_unit, carries_state=True, state_version=1)

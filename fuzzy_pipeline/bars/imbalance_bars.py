"""Imbalance bars: when buying and selling have drifted further apart than expected.

Belongs here: where imbalance bars end, under three rules - a moving expectation (``ewma``), a constant (``fixed``) and
a share of what was traded (``ratio``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
from numba import njit

from fuzzy_pipeline.bar_settings import BarSettings, ImbalanceBarSettings, ImbalanceSeries, imbalance_series
from fuzzy_pipeline.bars.cutting import (
    BarEnds,
    BarFamily,
    CutterFactory,
    NoState,
    SeriesCutter,
    SeriesState,
    SessionSpan,
    cut_by_session_end,
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
def _add_until(sign, size, price, unit, position, stop, theta, squares, trigger):  # type: ignore[no-untyped-def]
    """Add b·v and its square, tick by tick up to ``stop``, and stop early at the tick that brings |theta| to trigger.

    Gives the position after the last tick added, and the sums.
    """
    if unit == 0:
        for i in range(position, stop):
            theta += sign[i]
            squares += abs(sign[i])
            if abs(theta) >= trigger:
                return i + 1, theta, squares
    elif unit == 1:
        for i in range(position, stop):
            flow = float(np.int64(sign[i]) * np.int64(size[i]))
            theta += flow
            squares += flow * flow
            if abs(theta) >= trigger:
                return i + 1, theta, squares
    else:
        for i in range(position, stop):
            flow = price[i] * float(np.int64(sign[i]) * np.int64(size[i]))
            theta += flow
            squares += flow * flow
            if abs(theta) >= trigger:
                return i + 1, theta, squares
    return stop, theta, squares


@njit(cache=True, nogil=True)
def _expect(state, amount, rules):  # type: ignore[no-untyped-def]
    """Open the next bar with the threshold that the bars and blocks before it imply."""
    if state[Slot.BLOCK_WEIGHT] == 0:
        open_first_bar(state, rules)
        return
    variance = state[Slot.BLOCK_VARIANCE] / state[Slot.BLOCK_WEIGHT]
    squares = state[Slot.BLOCK_SQUARES] / state[Slot.BLOCK_WEIGHT]
    first = amount * amount / variance if variance > 0 else rules.most
    ticks = expected_ticks(state, first, rules)
    if state[Slot.BARS_CLOSED] < rules.warm_up_bars:
        # `first` expected ticks have the amount itself as floor: it is higher only where they were raised to the least.
        expected, floor_ticks = amount, rules.least
    else:
        expected, floor_ticks = ticks * abs(state[Slot.FLOW_NET] / state[Slot.FLOW_TICKS]), ticks
    threshold = max(expected, math.sqrt(max(floor_ticks * variance, rules.least * squares)))
    open_bar(state, threshold if threshold > 0 else amount, expected, ticks, rules)


@njit(cache=True, nogil=True)
def _cut_ewma(sign, size, price, unit, amount, rules, state, position, ends, rows):  # type: ignore[no-untyped-def]
    """Close bars from ``position`` on until the ticks or the rows for bars are used up; give how far and how many."""
    bars = 0
    while position < len(sign) and bars < len(ends):
        trigger = state[Slot.THRESHOLD] * (1 - ROUNDING)
        stop = min(len(sign), position + room(state))
        reached, theta, squares = _add_until(
            sign, size, price, unit, position, stop, state[Slot.OPEN_BUYS], state[Slot.PENDING_SQUARES], trigger
        )
        state[Slot.OPEN_BUYS] = theta
        state[Slot.PENDING_SQUARES] = squares
        take_ticks(state, reached - position, theta, rules.alpha)
        position = reached
        has_reached = abs(theta) >= trigger
        if has_reached or state[Slot.OPEN_TICKS] >= state[Slot.LIMIT]:
            ends[bars] = position
            write_row(rows[bars], state, theta, has_reached)
            bars += 1
            close_bar(state, theta, 0.0, rules.alpha)
            _expect(state, amount, rules)
    return position, bars


class EwmaImbalanceCutter:
    """Closes a bar when the imbalance reaches what past bars let expect, within the guards."""

    def __init__(
        self, series: ImbalanceSeries, settings: ImbalanceBarSettings, carried: SeriesState | None = None
    ) -> None:
        self._unit = UNITS[series.unit]
        self._amount = float(series.amount)
        self._rules = kernel_rules(settings)
        self._state = fresh_state(carried)
        self._closed = ClosedBars()
        _expect(self._state, self._amount, self._rules)

    def feed(self, ticks: SessionTicks) -> BarEnds:
        """Bars that close with these ticks."""
        given = (*flow_columns(ticks), self._unit, self._amount, self._rules, self._state)
        return self._closed.collect(len(ticks), lambda *place: _cut_ewma(*given, *place))

    def finish(self) -> BarEnds:
        """The open bar."""
        theta = float(self._state[Slot.OPEN_BUYS])
        return finish_bar(self._state, theta, theta)

    def state(self) -> SeriesState:
        """After ``finish``: averages, and the block that is not full."""
        return carried_state(self._state)


@njit(cache=True, nogil=True)
def _cut_fixed(sign, size, price, unit, threshold, open_sums, position, ends, rows):  # type: ignore[no-untyped-def]
    """As ``_cut_ewma``; ``open_sums`` holds theta and ticks of the open bar."""
    bars = 0
    trigger = threshold * (1 - ROUNDING)
    while position < len(sign) and bars < len(ends):
        start = position
        position, theta, _ = _add_until(sign, size, price, unit, start, len(sign), open_sums[0], 0.0, trigger)
        if abs(theta) >= trigger:
            ends[bars] = position
            rows[bars] = (threshold, np.nan, theta, abs(theta), 1.0, 0.0)
            bars += 1
            open_sums[:] = 0.0
        else:
            open_sums[0] = theta
            open_sums[1] += position - start
    return position, bars


@njit(cache=True, nogil=True)
def _cut_ratio(sign, size, price, unit, ratio, least, most, open_sums, position, ends, rows):  # type: ignore[no-untyped-def]
    """As ``_cut_ewma``; ``open_sums`` holds theta, ticks and signed units of the open bar."""
    bars = 0
    theta, ticks, signed = open_sums
    while position < len(sign) and bars < len(ends):
        flow = float(sign[position])
        if unit > 0:
            flow *= size[position]
        if unit == 2:
            flow *= price[position]
        theta += flow
        signed += abs(flow)
        ticks += 1
        position += 1
        has_reached = ticks >= least and signed > 0 and abs(theta) >= ratio * signed * (1 - ROUNDING)
        if has_reached or ticks >= most:
            ends[bars] = position
            share = abs(theta) / signed if signed > 0 else 0.0
            rows[bars] = (ratio, np.nan, theta, share, 1.0 if has_reached else 0.0, 0.0)
            bars += 1
            theta, ticks, signed = 0.0, 0.0, 0.0
    open_sums[:] = (theta, ticks, signed)
    return position, bars


class FixedImbalanceCutter(NoState):
    """Closes a bar when the imbalance reaches a constant."""

    def __init__(self, series: ImbalanceSeries) -> None:
        self._unit = UNITS[series.unit]
        self._threshold = float(series.amount)
        self._open = np.zeros(2)
        self._closed = ClosedBars()

    def feed(self, ticks: SessionTicks) -> BarEnds:
        """Bars that close with these ticks."""
        given = (*flow_columns(ticks), self._unit, self._threshold, self._open)
        return self._closed.collect(len(ticks), lambda *place: _cut_fixed(*given, *place))

    def finish(self) -> BarEnds:
        """The open bar."""
        return cut_by_session_end(int(self._open[1]), threshold=self._threshold, theta=float(self._open[0]))


class RatioImbalanceCutter(NoState):
    """Closes a bar when the imbalance is a given share of the signed units, between a least and a most of ticks."""

    def __init__(self, series: ImbalanceSeries, settings: ImbalanceBarSettings) -> None:
        self._unit = UNITS[series.unit]
        self._ratio = series.amount / 100
        self._least = settings.ratio_min_ticks
        self._most = settings.ratio_max_ticks
        self._open = np.zeros(3)
        self._closed = ClosedBars()

    def feed(self, ticks: SessionTicks) -> BarEnds:
        """Bars that close with these ticks."""
        given = (*flow_columns(ticks), self._unit, self._ratio, self._least, self._most, self._open)
        return self._closed.collect(len(ticks), lambda *place: _cut_ratio(*given, *place))

    def finish(self) -> BarEnds:
        """The open bar."""
        return cut_by_session_end(int(self._open[1]), threshold=self._ratio, theta=float(self._open[0]))


def imbalance_cutter(
    series: ImbalanceSeries, settings: ImbalanceBarSettings, state: SeriesState | None = None
) -> SeriesCutter:
    """The cutter of a series.

    Parameters
    ----------
    series : ImbalanceSeries
        Rule, unit and amount.
    settings : ImbalanceBarSettings
        Guards.
    state : mapping, optional
        What the session of the trading date before handed on; only ``ewma`` carries anything.

    Returns
    -------
    SeriesCutter
    """
    if series.rule == "fixed":
        return FixedImbalanceCutter(series)
    if series.rule == "ratio":
        return RatioImbalanceCutter(series, settings)
    return EwmaImbalanceCutter(series, settings, state)


def imbalance_bar_ends(
    ticks: SessionTicks,
    series: ImbalanceSeries,
    settings: ImbalanceBarSettings | None = None,
    state: SeriesState | None = None,
) -> BarEnds:
    """Where the imbalance bars of one session end.

    theta = Σ b·v, where b is the side of a tick (+1 bought, −1 sold, 0 unknown) and v is 1 (``tick``), its shares
    (``volume``) or its dollars (``dollar``). A tick of unknown side adds nothing to theta but is a tick of the bar.

    - ``ewma`` closes at |theta| ≥ max(E[T]·|E[b·v]|, √(E[T]·LRV), √(least E[T] · mean square of b·v)). E[T] and
      E[b·v] are averages over past bars, LRV is the long-run variance per tick from past blocks of 200 ticks.
    - ``fixed`` closes at |theta| ≥ amount.
    - ``ratio`` closes at |theta| / Σ |b|·v ≥ amount per cent, ticks of unknown side in neither sum.

    Parameters
    ----------
    ticks : SessionTicks
        Counted ticks of a session, in time order.
    series : ImbalanceSeries
        Rule, unit and amount.
    settings : ImbalanceBarSettings, optional
        Guards; default: the settings' defaults.
    state : mapping, optional
        What the session of the trading date before handed on; without it ``ewma`` starts cold.

    Returns
    -------
    BarEnds
        ``theta`` is signed. ``threshold`` and ``overflow`` are in the series' unit, shares of 1 for ``ratio``.

    References
    ----------
    López de Prado (2018), Advances in Financial Machine Learning, section 2.3.2, ISBN 978-1-119-48208-6

    Wald (1944), Annals of Mathematical Statistics 15:283, https://doi.org/10.1214/aoms/1177731235

    Carlstein (1986), Annals of Statistics 14:1171, https://doi.org/10.1214/aos/1176350057

    Examples
    --------
    300 − 100 + 300 = 500 bought on balance; then −600 and a print of unknown side that nothing closes.

    >>> from fuzzy_pipeline.buffers import BufferPool
    >>> trades = {
    ...     "trade_sign": np.array([1, -1, 1, -1, 0], np.int8),
    ...     "size": np.array([300, 100, 300, 600, 900], np.uint32),
    ...     "price": np.full(5, 10.0),
    ... }
    >>> ticks = SessionTicks("regular", 0, 1, np.array([[0, 5]]), trades, BufferPool())
    >>> bars = imbalance_bar_ends(ticks, ImbalanceSeries("fixed", "volume", 450))
    >>> bars.ends.tolist(), bars.closing["theta"].tolist(), bars.closing["overflow"].tolist()
    ([3, 4, 5], [500.0, -600.0, 0.0], [50.0, 150.0, nan])
    """
    return session_ends(imbalance_cutter(series, settings or ImbalanceBarSettings(), state), ticks)


def _cutter(
    series: ImbalanceSeries, settings: ImbalanceBarSettings, _span: SessionSpan, state: SeriesState | None
) -> SeriesCutter:
    return imbalance_cutter(series, settings, state)


def _series(settings: BarSettings) -> Mapping[str, CutterFactory]:
    own = settings.imbalance
    return {text: partial(_cutter, imbalance_series(text), own) for text in own.series}


IMBALANCE_BARS = BarFamily(
    "imbalance", version=2, series=_series, meaning=imbalance_series, carries_state=True, state_version=1
)

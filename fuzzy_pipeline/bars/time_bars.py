"""Time bars: half-open windows anchored on the session open.

Belongs here: where time bars begin and end. The closing auction, stamped after the close, joins the last
window; a window that the close cuts short is kept and marked incomplete.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import BarSettings, Fill, interval_seconds
from fuzzy_pipeline.bars.cutting import (
    BarEnds,
    BarFamily,
    CutterFactory,
    NoState,
    SeriesState,
    SessionSpan,
    closing_columns,
    session_ends,
)
from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.codes import CloseReason

_NS = 1_000_000_000


class TimeBarCutter(NoState):
    """Closes a bar at the end of each window; a window is over when a tick at or after its end has come."""

    def __init__(self, interval: str, fill: Fill, span: SessionSpan) -> None:
        nominal_ns = interval_seconds(interval) * _NS or span.end_ns - span.start_ns
        windows = -((span.start_ns - span.end_ns) // nominal_ns)
        self._start_ns = span.start_ns + np.arange(windows, dtype=np.int64) * nominal_ns
        self._end_ns = np.minimum(self._start_ns + nominal_ns, span.end_ns)
        self._short = self._end_ns - self._start_ns < nominal_ns
        self._fill = fill
        self._over = 0  # windows that have ended
        self._gap = 0  # of these, windows without a bar since the last bar
        self._open = 0  # ticks in the window that is open

    def feed(self, ticks: SessionTicks) -> BarEnds:
        """Bars of the windows that these ticks show to be over; the last window is open until the session ends."""
        timestamp = ticks.timestamp
        over = self._over
        if len(ticks):
            over = max(over, int(np.searchsorted(self._end_ns[:-1], timestamp[-1], side="right")))
        ends = np.searchsorted(timestamp, self._end_ns[self._over : over]).astype(np.int64)
        bars = self._bars(over, ends)
        self._open = len(ticks) - int(ends[-1]) if len(ends) else self._open + len(ticks)
        return bars

    def finish(self) -> BarEnds:
        """Bars of the windows that are left, none where they are empty and such are skipped."""
        windows = len(self._end_ns)
        return self._bars(windows, np.zeros(windows - self._over, dtype=np.int64))

    def _bars(self, over: int, ends: NDArray[np.int64]) -> BarEnds:
        """Bars of the windows up to ``over``, whose ticks end at ``ends``."""
        window = np.arange(self._over, over)
        if self._fill == "skip" and len(ends):
            ticks = np.diff(ends, prepend=0)
            ticks[0] += self._open
            window, ends = window[ticks > 0], ends[ticks > 0]
        last_bar = self._over - 1 - self._gap
        short = self._short[window]
        closing = closing_columns(
            len(window),
            gaps=np.diff(window, prepend=last_bar) - 1,
            is_complete=~short,
            close_reason=np.where(short, int(CloseReason.SESSION_END), int(CloseReason.TIME)),
        )
        self._over = over
        self._gap = over - 1 - (int(window[-1]) if len(window) else last_bar)
        return BarEnds(
            ends, closing, self._start_ns[window], self._end_ns[window], carries_close=self._fill == "previous_close"
        )


def time_bar_ends(ticks: SessionTicks, interval: str, fill: Fill = "skip") -> BarEnds:
    """Where the time bars of one session end.

    Parameters
    ----------
    ticks : SessionTicks
        Counted ticks of a session, in time order.
    interval : str
        Window length, for example ``"30s"``, ``"7m"``, ``"2h"``; ``"1d"`` is the whole session.
    fill : {"skip", "previous_close", "null"}
        ``skip`` leaves windows without ticks out; otherwise they are bars without ticks.

    Returns
    -------
    BarEnds
        With the bounds of each window in ``bar_start`` and ``timestamp``.

    Raises
    ------
    ValueError
        The interval is malformed.
    """
    span = SessionSpan(ticks.session, ticks.start_ns, ticks.end_ns)
    return session_ends(TimeBarCutter(interval, fill, span), ticks)


def carry_close(columns: Arrays, rows: slice, close: float = np.nan) -> None:
    """Give bars without price-setting ticks the close of the bar before, in place; leading ones stay null.

    Parameters
    ----------
    columns : Arrays
        Bar columns.
    rows : slice
        One series among them.
    close : float
        Close of the bar before the first. [USD]
    """
    closes = np.concatenate([[close], columns["close"][rows]])
    known = np.where(np.isnan(closes), -1, np.arange(len(closes)))
    latest = np.maximum.accumulate(known)
    empty = ((known < 0) & (latest >= 0))[1:]
    carried = closes[latest[1:][empty]]
    for name in ("open", "close"):
        columns[name][rows][empty] = carried
    high, low = columns["high"][rows], columns["low"][rows]  # set by ticks that may not set the last price
    high[empty], low[empty] = np.fmax(high[empty], carried), np.fmin(low[empty], carried)
    columns["typical_price"][rows][empty] = (high[empty] + low[empty] + carried) / 3
    columns["range"][rows][empty] = high[empty] - low[empty]
    for name in ("change", "change_pct"):
        columns[name][rows][empty] = 0.0


def _cutter(interval: str, fill: Fill, span: SessionSpan, _state: SeriesState | None) -> TimeBarCutter:
    return TimeBarCutter(interval, fill, span)


def _series(settings: BarSettings) -> Mapping[str, CutterFactory]:
    return {interval: partial(_cutter, interval, settings.fill) for interval in settings.intervals}


TIME_BARS = BarFamily("time", version=2, series=_series, meaning=interval_seconds)

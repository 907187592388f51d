"""Tick bars: every N counted ticks.

Belongs here: where tick bars end.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from fuzzy_pipeline.bar_settings import BarSettings, amount
from fuzzy_pipeline.bars.cutting import (
    BarEnds,
    BarFamily,
    CutterFactory,
    NoState,
    SeriesState,
    SessionSpan,
    cut_by_session_end,
    reached_threshold,
    session_ends,
)
from fuzzy_pipeline.bars.session_ticks import SessionTicks


class TickBarCutter(NoState):
    """Closes a bar at every N-th counted tick."""

    def __init__(self, ticks_per_bar: int) -> None:
        self._size = ticks_per_bar
        self._open = 0

    def feed(self, ticks: SessionTicks) -> BarEnds:
        """Bars that close with these ticks."""
        ends = np.arange(self._size - self._open, len(ticks) + 1, self._size, dtype=np.int64)
        self._open = (self._open + len(ticks)) % self._size
        return reached_threshold(ends, np.full(len(ends), float(self._size)), float(self._size))

    def finish(self) -> BarEnds:
        """The open bar."""
        return cut_by_session_end(self._open, threshold=float(self._size))


def tick_bar_ends(ticks: SessionTicks, ticks_per_bar: int) -> BarEnds:
    """Where the tick bars of one session end.

    Parameters
    ----------
    ticks : SessionTicks
        Counted ticks of a session.
    ticks_per_bar : int
        Ticks that close a bar.

    Returns
    -------
    BarEnds
        The last bar holds the ticks left over and is not complete.
    """
    return session_ends(TickBarCutter(ticks_per_bar), ticks)


def _cutter(size: int, _span: SessionSpan, _state: SeriesState | None) -> TickBarCutter:
    return TickBarCutter(size)


def _series(settings: BarSettings) -> Mapping[str, CutterFactory]:
    return {text: partial(_cutter, amount(text)) for text in settings.tick.series}


TICK_BARS = BarFamily("tick", version=2, series=_series, meaning=amount)

"""Bars as ticks arrive: the same cutters and the same aggregation, fed in pieces.

Belongs here: keeping the ticks of the open bar until it closes. Memory is bounded by the open bar and the piece.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import BarSettings, FamilyName, SessionName
from fuzzy_pipeline.bars.build import assemble
from fuzzy_pipeline.bars.cutting import BarEnds, SeriesState, SessionSpan, closing_columns, joined
from fuzzy_pipeline.bars.registry import FAMILIES
from fuzzy_pipeline.bars.series import no_bars
from fuzzy_pipeline.bars.session_ticks import TICK_COLUMNS, SessionTicks, session_bounds_ns, session_ticks
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.schema.arrays import Arrays, concatenate, length, take
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS

_NO_TICKS: Arrays = {name: np.zeros(0, dtype=ENRICHED_TICKS.column(name).dtype) for name in TICK_COLUMNS}


class BarStream:
    """One series of bars of one session, from ticks that come in pieces of any size.

    The bars equal those of ``build_bars`` over the whole day: every column bit for bit but the sums of dollars and
    spreads, whose order of addition depends on which series are built together; these agree to rounding.

    Parameters
    ----------
    family, parameter
        Which series, for example ``"volume"`` and ``"5k"``.
    trading_date : date
    session : {"pre", "regular", "after", "all"}
    settings : BarSettings, optional
        Default: the settings' defaults; must hold the series.
    state : mapping, optional
        What the series handed on from the trading date before; without it the series starts cold.

    Raises
    ------
    KeyError
        The settings have no such series.

    Examples
    --------
    >>> stream = BarStream("tick", "50", dt.date(2025, 11, 25))
    >>> len(stream.finish()["close"])
    0
    """

    def __init__(
        self,
        family: FamilyName,
        parameter: str,
        trading_date: dt.date,
        session: SessionName = "regular",
        *,
        settings: BarSettings | None = None,
        state: SeriesState | None = None,
    ) -> None:
        span = SessionSpan(session, *session_bounds_ns(session, trading_date))
        self._date, self._span = trading_date, span
        self._cutter = FAMILIES[family].series(settings or BarSettings())[parameter](span, state)
        # The last tick of the bar before, for what a bar says about changes to it, and the ticks of the open bar.
        self._held: list[Arrays] = [_NO_TICKS]
        self._before = 0  # ticks of the bar before among those held: 1 or 0
        self._bars = 0
        self._close = np.nan

    def push(self, ticks: Arrays) -> dict[str, NDArray[Any]]:
        """Bars that close with these enriched ticks, which follow those pushed before; stored columns of the schema."""
        new = session_ticks(ticks, self._date, self._span.session)
        own = {name: np.array(new.column(name)) for name in TICK_COLUMNS}
        closed = self._cutter.feed(self._ticks(own))
        earlier = self.ticks_held
        self._held.append(own)
        return self._emit(replace(closed, ends=closed.ends + earlier))

    def finish(self) -> dict[str, NDArray[Any]]:
        """The bars that the end of the session closes."""
        rest = self._cutter.finish()
        return self._emit(replace(rest, ends=rest.ends + self.ticks_held))

    def state(self) -> SeriesState:
        """After ``finish``: what the next trading date starts from."""
        return self._cutter.state()

    @property
    def ticks_held(self) -> int:
        """Ticks in memory: those of the open bar and one before."""
        return sum(length(piece) for piece in self._held)

    def _ticks(self, arrays: Arrays) -> SessionTicks:
        runs = np.array([[0, length(arrays)]], dtype=np.int64)[: 1 if length(arrays) else 0]
        span = self._span
        return SessionTicks(span.session, span.start_ns, span.end_ns, runs, arrays, BufferPool())

    def _emit(self, closed: BarEnds) -> dict[str, NDArray[Any]]:
        """Columns of the closed bars; afterwards only the open bar's ticks and one before are held."""
        if not len(closed):
            return no_bars()
        held = concatenate(self._held)
        before = self._before
        every = joined([_one_tick(closed), closed]) if before else closed
        columns = assemble(self._ticks(held), [every], [self._close])
        bars = take(columns, slice(before, None))
        bars["bar_index"] = (bars["bar_index"] + np.uint32(self._bars)) - np.uint32(before)
        self._bars += len(closed)
        self._close = float(bars["close"][-1])
        keep = max(int(closed.ends[-1]) - 1, 0)
        self._held = [{name: array[keep:].copy() for name, array in held.items()}]
        self._before = int(closed.ends[-1] > 0)
        return bars


def _one_tick(like: BarEnds) -> BarEnds:
    """A bar of the one tick held of the bar before; it is taken out again."""
    window = np.zeros(1, dtype=np.int64) if like.bar_start is not None else None
    brick = np.full(1, np.nan) if like.brick_open is not None else None
    return BarEnds(np.ones(1, dtype=np.int64), closing_columns(1), window, window, brick, brick, like.carries_close)

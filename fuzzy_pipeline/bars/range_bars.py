"""Range bars: every R of high − low.

Belongs here: where range bars end.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from numba import njit

from fuzzy_pipeline.bar_settings import BarSettings, dollars
from fuzzy_pipeline.bars.cutting import (
    BarEnds,
    BarFamily,
    CutterFactory,
    NoState,
    SeriesState,
    SessionSpan,
    closing_columns,
    cut_by_session_end,
    session_ends,
)
from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.microstructure.liquidity import PRICE_UNITS_PER_USD


@njit(cache=True, nogil=True)
def _close_on_range(price, high_low, threshold, high, low, ends, reached):  # type: ignore[no-untyped-def]
    """Fill ends and reached range of the bars that close; give back how many, and high and low of the open bar.

    Ranges are whole millionths of a dollar: in binary, 10.20 − 10.10 is less than 0.10. Only a new high or low can
    widen the range, so prices are compared as they are and the others cost nothing more.
    """
    bars = 0
    for i in range(len(price)):
        p = price[i]
        if (p > high or p < low) and high_low[i]:
            high = max(high, p)
            low = min(low, p)
            width = np.rint(high * PRICE_UNITS_PER_USD) - np.rint(low * PRICE_UNITS_PER_USD)
            if width >= threshold:
                ends[bars] = i + 1
                reached[bars] = width
                bars += 1
                high = -np.inf
                low = np.inf
    return bars, high, low


class RangeBarCutter(NoState):
    """Closes a bar at the tick that brings its high − low to the range."""

    def __init__(self, range_usd: float) -> None:
        self._threshold = round(range_usd * PRICE_UNITS_PER_USD)
        self._high, self._low = -np.inf, np.inf
        self._open = 0

    def feed(self, ticks: SessionTicks) -> BarEnds:
        """Bars that close with these ticks."""
        ends = ticks.pool.array("bar_ends", "ends", np.dtype(np.int64), len(ticks))
        reached = ticks.pool.array("bar_ends", "reached", np.dtype(np.float64), len(ticks))
        bars, self._high, self._low = _close_on_range(
            ticks.column("price"), ticks.column("sets_high_low"), self._threshold, self._high, self._low, ends, reached
        )
        self._open = len(ticks) - int(ends[bars - 1]) if bars else self._open + len(ticks)
        width = reached[:bars]
        columns = closing_columns(
            bars,
            threshold=self._threshold / PRICE_UNITS_PER_USD,
            overflow=(width - self._threshold) / PRICE_UNITS_PER_USD,
            efficiency=self._threshold / width,
            gaps=width // self._threshold - 1,
        )
        return BarEnds(ends[:bars].copy(), columns)

    def finish(self) -> BarEnds:
        """The open bar."""
        return cut_by_session_end(self._open, threshold=self._threshold / PRICE_UNITS_PER_USD)


def range_bar_ends(ticks: SessionTicks, range_usd: float) -> BarEnds:
    """Where the range bars of one session end.

    A bar closes at the tick that brings the distance between its highest and its lowest price to the range, as
    decimal prices to a millionth of a dollar. A price that jumps over several ranges makes one bar that tells so, not
    bars at prices nobody traded at. The next bar starts with the next tick.

    Parameters
    ----------
    ticks : SessionTicks
        Counted ticks of a session, in time order. Those with ``sets_high_low`` make the range.
    range_usd : float
        High − low that closes a bar. [USD]

    Returns
    -------
    BarEnds
        ``threshold`` and ``overflow`` in dollars; ``gaps`` are the ranges above one that fit into the bar's own:
        floor(range / R) − 1. The last bar holds the ticks left over and is not complete.

    Examples
    --------
    >>> from fuzzy_pipeline.buffers import BufferPool
    >>> trades = {"price": np.array([10.2, 10.3, 10.0, 10.35, 10.35]), "sets_high_low": np.ones(5, np.bool_)}
    >>> ticks = SessionTicks("regular", 0, 1, np.array([[0, 5]]), trades, BufferPool())
    >>> bars = range_bar_ends(ticks, 0.1)
    >>> bars.ends.tolist(), bars.closing["overflow"].tolist(), bars.closing["gaps"].tolist()
    ([2, 4, 5], [0.0, 0.25, nan], [0, 2, 0])
    """
    return session_ends(RangeBarCutter(range_usd), ticks)


def _cutter(range_usd: float, _span: SessionSpan, _state: SeriesState | None) -> RangeBarCutter:
    return RangeBarCutter(range_usd)


def _series(settings: BarSettings) -> Mapping[str, CutterFactory]:
    return {text: partial(_cutter, dollars(text)) for text in settings.range.series}


RANGE_BARS = BarFamily("range", version=2, series=_series, meaning=dollars)

"""Dollar bars: every N dollars.

Belongs here: where dollar bars end.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
from numba import njit

from fuzzy_pipeline.bar_settings import BarSettings, amount
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
def _close_on_value(price, size, threshold, value, ends, reached):  # type: ignore[no-untyped-def]
    """Fill ends and reached value of the bars that close; give back how many, and the value of the open bar.

    Values are whole millionths of a dollar, so that no rounding of 0.1 and its like makes a bar miss its threshold;
    float64 holds them exactly up to nine billion dollars a bar and, unlike int64, cannot wrap round.
    """
    bars = 0
    for i in range(len(price)):
        value += np.rint(price[i] * PRICE_UNITS_PER_USD) * size[i]
        if value >= threshold:
            ends[bars] = i + 1
            reached[bars] = value
            bars += 1
            value = 0.0
    return bars, value


class DollarBarCutter(NoState):
    """Closes a bar at the print that brings it to N dollars; the bar keeps the whole print."""

    def __init__(self, dollars_per_bar: int) -> None:
        self._threshold = float(dollars_per_bar * PRICE_UNITS_PER_USD)
        self._value = 0.0  # of the open bar
        self._open = 0

    def feed(self, ticks: SessionTicks) -> BarEnds:
        """Bars that close with these ticks."""
        ends = ticks.pool.array("bar_ends", "ends", np.dtype(np.int64), len(ticks))
        reached = ticks.pool.array("bar_ends", "reached", np.dtype(np.float64), len(ticks))
        bars, self._value = _close_on_value(
            ticks.column("price"), ticks.column("size"), self._threshold, self._value, ends, reached
        )
        self._open = len(ticks) - int(ends[bars - 1]) if bars else self._open + len(ticks)
        value = reached[:bars]
        columns = closing_columns(
            bars,
            threshold=self._threshold / PRICE_UNITS_PER_USD,
            overflow=(value - self._threshold) / PRICE_UNITS_PER_USD,
            efficiency=self._threshold / value,
        )
        return BarEnds(ends[:bars].copy(), columns)

    def finish(self) -> BarEnds:
        """The open bar."""
        return cut_by_session_end(self._open, threshold=self._threshold / PRICE_UNITS_PER_USD)


def dollar_bar_ends(ticks: SessionTicks, dollars_per_bar: int) -> BarEnds:
    """Where the dollar bars of one session end.

    The print that brings a bar to the threshold closes it and stays whole: what it exceeds the threshold by is told
    in ``overflow`` and not counted in the next bar. All counted ticks add price·size, as in ``dollar_volume``; prices
    are taken to a millionth of a dollar.

    Parameters
    ----------
    ticks : SessionTicks
        Counted ticks of a session, in time order.
    dollars_per_bar : int
        Dollars that close a bar.

    Returns
    -------
    BarEnds
        ``threshold`` and ``overflow`` in dollars. The last bar holds the ticks left over and is not complete.

    References
    ----------
    López de Prado (2018), Advances in Financial Machine Learning, Wiley, chapter 2.3.1

    Examples
    --------
    >>> from fuzzy_pipeline.buffers import BufferPool
    >>> trades = {"price": np.array([10.1, 10.2, 10.0]), "size": np.array([300, 700, 50])}
    >>> ticks = SessionTicks("regular", 0, 1, np.array([[0, 3]]), trades, BufferPool())
    >>> bars = dollar_bar_ends(ticks, 10_000)  # 3,030 + 7,140 = 10,170
    >>> bars.ends.tolist(), bars.closing["overflow"].tolist()
    ([2, 3], [170.0, nan])
    """
    return session_ends(DollarBarCutter(dollars_per_bar), ticks)


def _cutter(dollars: int, _span: SessionSpan, _state: SeriesState | None) -> DollarBarCutter:
    return DollarBarCutter(dollars)


def _series(settings: BarSettings) -> Mapping[str, CutterFactory]:
    return {text: partial(_cutter, amount(text)) for text in settings.dollar.series}


DOLLAR_BARS = BarFamily("dollar", version=2, series=_series, meaning=amount)

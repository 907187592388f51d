"""Volume bars: every N shares.

Belongs here: where volume bars end.
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
    cut_by_session_end,
    reached_threshold,
    session_ends,
)
from fuzzy_pipeline.bars.session_ticks import SessionTicks


@njit(cache=True, nogil=True)
def _close_on_shares(size, threshold, shares, ends, reached):  # type: ignore[no-untyped-def]
    """Fill ends and reached shares of the bars that close; give back how many, and the shares of the open bar."""
    bars = 0
    for i in range(len(size)):
        shares += np.int64(size[i])
        if shares >= threshold:
            ends[bars] = i + 1
            reached[bars] = shares
            bars += 1
            shares = 0
    return bars, shares


class VolumeBarCutter(NoState):
    """Closes a bar at the print that brings it to N shares; the bar keeps the whole print."""

    def __init__(self, shares_per_bar: int) -> None:
        self._threshold = shares_per_bar
        self._shares = 0
        self._open = 0

    def feed(self, ticks: SessionTicks) -> BarEnds:
        """Bars that close with these ticks."""
        ends = ticks.pool.array("bar_ends", "ends", np.dtype(np.int64), len(ticks))
        reached = ticks.pool.array("bar_ends", "reached", np.dtype(np.float64), len(ticks))
        bars, self._shares = _close_on_shares(ticks.column("size"), self._threshold, self._shares, ends, reached)
        self._open = len(ticks) - int(ends[bars - 1]) if bars else self._open + len(ticks)
        return reached_threshold(ends[:bars].copy(), reached[:bars], float(self._threshold))

    def finish(self) -> BarEnds:
        """The open bar."""
        return cut_by_session_end(self._open, threshold=float(self._threshold))


def volume_bar_ends(ticks: SessionTicks, shares_per_bar: int) -> BarEnds:
    """Where the volume bars of one session end.

    The print that brings a bar to the threshold closes it and stays whole: what it exceeds the threshold by is told
    in ``overflow`` and not counted in the next bar.

    Parameters
    ----------
    ticks : SessionTicks
        Counted ticks of a session, in time order.
    shares_per_bar : int
        Shares that close a bar.

    Returns
    -------
    BarEnds
        ``threshold`` and ``overflow`` in shares. The last bar holds the ticks left over and is not complete.

    References
    ----------
    Easley, López de Prado and O'Hara (2012), Journal of Portfolio Management 39(1):19,
    https://doi.org/10.3905/jpm.2012.39.1.019

    Examples
    --------
    >>> from fuzzy_pipeline.buffers import BufferPool
    >>> size = np.array([300, 900, 2500, 50])
    >>> ticks = SessionTicks("regular", 0, 1, np.array([[0, 4]]), {"size": size}, BufferPool())
    >>> bars = volume_bar_ends(ticks, 1000)
    >>> bars.ends.tolist(), bars.closing["overflow"].tolist(), bars.closing["efficiency"].tolist()
    ([2, 3, 4], [200.0, 1500.0, nan], [0.8333333333333334, 0.4, nan])
    """
    return session_ends(VolumeBarCutter(shares_per_bar), ticks)


def _cutter(shares: int, _span: SessionSpan, _state: SeriesState | None) -> VolumeBarCutter:
    return VolumeBarCutter(shares)


def _series(settings: BarSettings) -> Mapping[str, CutterFactory]:
    return {text: partial(_cutter, amount(text)) for text in settings.volume.series}


VOLUME_BARS = BarFamily("volume", version=2, series=_series, meaning=amount)

"""Volatility bars: every quantum of realised variance.

Belongs here: where volatility bars end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
from numba import njit

from fuzzy_pipeline.bar_settings import BarSettings, basis_points
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

_NO_PRICE = 0.0


@njit(cache=True, nogil=True)
def _close_on_variance(price, qualified, threshold, variance, before, ends, reached):  # type: ignore[no-untyped-def]
    """Fill ends and reached variance of the bars that close; give back how many, and what the next call starts from.

    That is the variance of the open bar and the last qualified price. A repeated price returns nothing: it needs no
    logarithm.
    """
    bars = 0
    for i in range(len(price)):
        p = price[i]
        if p != before and qualified[i]:
            if before != _NO_PRICE:
                change = 1e4 * math.log(p / before)
                variance += change * change
                if variance >= threshold:
                    ends[bars] = i + 1
                    reached[bars] = variance
                    bars += 1
                    variance = 0.0
            before = p
    return bars, variance, before


class VolatilityBarCutter(NoState):
    """Closes a bar at the tick whose squared return brings it to the square of the volatility."""

    def __init__(self, bps_per_bar: float) -> None:
        self._threshold = bps_per_bar * bps_per_bar
        self._variance = 0.0
        self._before = _NO_PRICE
        self._open = 0

    def feed(self, ticks: SessionTicks) -> BarEnds:
        """Bars that close with these ticks."""
        ends = ticks.pool.array("bar_ends", "ends", np.dtype(np.int64), len(ticks))
        reached = ticks.pool.array("bar_ends", "reached", np.dtype(np.float64), len(ticks))
        bars, self._variance, self._before = _close_on_variance(
            ticks.column("price"), ticks.column("is_qualified"), self._threshold, self._variance, self._before, ends,
            reached,
        )  # fmt: skip
        self._open = len(ticks) - int(ends[bars - 1]) if bars else self._open + len(ticks)
        return reached_threshold(ends[:bars].copy(), reached[:bars], self._threshold)

    def finish(self) -> BarEnds:
        """The open bar."""
        return cut_by_session_end(self._open, threshold=self._threshold)


def volatility_bar_ends(ticks: SessionTicks, bps_per_bar: float) -> BarEnds:
    """Where the volatility bars of one session end.

    Business-time sampling with a fixed quantum: a bar closes when the squared log returns inside it add up to the
    square of the volatility. Returns are those of qualified prices; the first of a bar is taken from the last
    qualified price of the bar before, the session's first qualified price has none.

    Parameters
    ----------
    ticks : SessionTicks
        Counted ticks of a session, in time order.
    bps_per_bar : float
        Realised volatility that closes a bar: the square root of the variance. [bps]

    Returns
    -------
    BarEnds
        ``threshold`` and ``overflow`` are variances [bps²]: 25 bps a bar are 625. The last bar holds the ticks left
        over and is not complete.

    References
    ----------
    Oomen (2006), Journal of Business and Economic Statistics 24:219, https://doi.org/10.1198/073500106000000044

    Dong and Tse (2017), Econometrics 5(4):51, https://doi.org/10.3390/econometrics5040051

    Examples
    --------
    Two returns of ln(1.001) = 9.995 bps are 199.8 bps², two more bring 399.6.

    >>> from fuzzy_pipeline.buffers import BufferPool
    >>> trades = {"price": np.array([10.0, 10.01, 10.0, 10.01, 10.0, 10.0]), "is_qualified": np.ones(6, np.bool_)}
    >>> ticks = SessionTicks("regular", 0, 1, np.array([[0, 6]]), trades, BufferPool())
    >>> bars = volatility_bar_ends(ticks, 19.0)
    >>> bars.ends.tolist(), bars.closing["threshold"].tolist(), bars.closing["overflow"].round(1).tolist()
    ([5, 6], [361.0, 361.0], [38.6, nan])
    """
    return session_ends(VolatilityBarCutter(bps_per_bar), ticks)


def _cutter(bps: float, _span: SessionSpan, _state: SeriesState | None) -> VolatilityBarCutter:
    return VolatilityBarCutter(bps)


def _series(settings: BarSettings) -> Mapping[str, CutterFactory]:
    return {text: partial(_cutter, basis_points(text)) for text in settings.volatility.series}


VOLATILITY_BARS = BarFamily("volatility", version=2, series=_series, meaning=basis_points)

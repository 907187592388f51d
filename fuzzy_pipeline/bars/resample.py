"""Time bars of any interval from shorter time bars, equal to bars built from the ticks.

Belongs here: taking bars back to the sums they were described from, and putting windows together. Merging sums and
describing them is the same code that builds bars from ticks (``sums``, ``aggregate``).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import SessionName, interval_seconds
from fuzzy_pipeline.bars import bar_sums
from fuzzy_pipeline.bars.aggregate import HALVES, describe
from fuzzy_pipeline.bars.bar_sums import BarSums
from fuzzy_pipeline.bars.cutting import SessionSpan
from fuzzy_pipeline.bars.series import Bars, as_declared, join_sessions
from fuzzy_pipeline.bars.session_ticks import SessionTicks, session_bounds_ns
from fuzzy_pipeline.bars.sums import merge_bars
from fuzzy_pipeline.bars.time_bars import carry_close, time_bar_ends
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.schema.arrays import Arrays, length, take

_NS = 1_000_000_000

_COUNTED = {
    bar_sums.TICKS: "tick_count",
    bar_sums.VOLUME: "volume",
    bar_sums.QUALIFIED: "qualified_tick_count",
    bar_sums.QUALIFIED_VOLUME: "qualified_volume",
    bar_sums.BUYS: "buy_tick_count",
    bar_sums.SELLS: "sell_tick_count",
    bar_sums.BUY_VOLUME: "buy_volume",
    bar_sums.SELL_VOLUME: "sell_volume",
    bar_sums.BLOCKS: "block_trade_count",
    bar_sums.ODD_LOTS: "odd_lot_count",
    bar_sums.QUOTED: "quoted_tick_count",
    bar_sums.STRICTLY_QUOTED: "unlocked_tick_count",
    bar_sums.DAY_VOLUME: "total_volume",
    bar_sums.FIRST_TIME: "first_tick_time",
    bar_sums.LAST_TIME: "last_tick_time",
}
"""Whole numbers that bars store as they are."""

_SHARES = {
    bar_sums.RETAIL_VOLUME: ("retail_volume_pct", "volume"),
    bar_sums.INSTITUTIONAL_VOLUME: ("institutional_volume_pct", "volume"),
    bar_sums.AT_MIDPOINT: ("at_midpoint_rate", "unlocked_tick_count"),
    bar_sums.INSIDE: ("price_improvement_rate", "unlocked_tick_count"),
}
"""Whole numbers that bars store as a share of another."""

_MEANS = {
    bar_sums.QUALIFIED_DOLLARS: ("vwap", "qualified_volume"),
    bar_sums.SPREADS: ("avg_spread", "quoted_tick_count"),
    bar_sums.SPREADS_BPS: ("avg_spread_bps", "quoted_tick_count"),
    bar_sums.EFFECTIVE: ("effective_spread_mean", "quoted_tick_count"),
}
"""Sums that bars store as a mean over so many ticks or shares."""

_ADDED = {
    bar_sums.DOLLARS: "dollar_volume",
    bar_sums.BUY_DOLLARS: "buy_dollar_volume",
    bar_sums.SELL_DOLLARS: "sell_dollar_volume",
}
"""Sums that bars store as they are."""

_PRICES = {bar_sums.OPEN: "open", bar_sums.HIGH: "high", bar_sums.LOW: "low", bar_sums.CLOSE: "close"}


def base_interval(stored: Sequence[str], interval: str, session_seconds: Sequence[int]) -> str | None:
    """The longest stored interval that bars of another one can be put together from.

    Parameters
    ----------
    stored : sequence of str
        Intervals there are.
    interval : str
        Interval wanted.
    session_seconds : sequence of int
        Length of each session that the bars cover. [s]

    Returns
    -------
    str or None
        It divides the interval and the sessions, so that none of its windows is cut by a close and the middle of
        every longer window is an end or a middle of its own; None when no stored interval does.

    Raises
    ------
    ValueError
        An interval is malformed.

    Examples
    --------
    >>> base_interval(("1s", "1m", "5m", "20m", "1d"), "40m", [23_400])  # 6.5 hours are 19.5 times 20 minutes
    '5m'
    >>> base_interval(("5m", "1h"), "7m", [23_400])
    """
    wanted = interval_seconds(interval)
    lengths = [wanted, *session_seconds] if wanted else session_seconds
    seconds = {interval_seconds(name): name for name in stored}
    fitting = [one for one in seconds if one and all(length % one == 0 for length in lengths)]
    return seconds[max(fitting)] if fitting else None


def resample_day(
    bars: Arrays, interval: str, trading_date: dt.date, sessions: Sequence[SessionName]
) -> dict[str, NDArray[Any]]:
    """Longer time bars of all sessions of a date; windows are anchored on the start of each session.

    Parameters
    ----------
    bars : Arrays
        All stored columns of one series of time bars of the date, whose interval ``base_interval`` gave.
    interval : str
        For example ``"7m"``; ``"1d"`` is the whole session.
    trading_date : date
    sessions : sequence of {"pre", "regular", "after", "all"}
        Those the bars were built for, in time order.

    Returns
    -------
    dict of arrays
        All stored columns of ``schema.BAR_COLUMNS``, bar_index running on through the date.

    Raises
    ------
    ValueError
        A bar is in none of the sessions, or not inside one window of the interval.
    """
    starts = bars["bar_start"].view(np.int64)
    parts: list[Bars] = []
    taken = 0
    for session in sessions:
        span = SessionSpan(session, *session_bounds_ns(session, trading_date))
        own = (starts >= span.start_ns) & (starts < span.end_ns)
        columns = resample(take(bars, own), interval, span)
        parts.append(Bars(columns, {interval: (0, length(columns))}))
        taken += int(own.sum())
    if taken != len(starts):
        raise ValueError(f"{len(starts) - taken} bars of {trading_date} are not in the sessions {', '.join(sessions)}")
    return dict(join_sessions(parts).columns)


def resample(bars: Arrays, interval: str, span: SessionSpan) -> dict[str, NDArray[Any]]:
    """Longer time bars of one session from shorter ones.

    Counts, volumes, prices and instants are exactly those of bars built from the ticks, every other column equals
    them up to floating-point rounding. Two things cannot be known from bars. ``quote_intensity`` is null where a
    shorter bar has ticks but none with a usable quote: such a bar does not tell its quote changes. And where bars
    without price-setting ticks carry the close of the bar before (``fill="previous_close"``), a high or low that only
    such a bar had is not seen.

    Parameters
    ----------
    bars : Arrays
        All stored columns of one series of one session, in time order, whose interval ``base_interval`` gave.
    interval : str
        For example ``"7m"``; ``"1d"`` is the whole session.
    span : SessionSpan
        The session.

    Returns
    -------
    dict of arrays
        All stored columns of ``schema.BAR_COLUMNS``. A window without shorter bars has no bar.

    Raises
    ------
    ValueError
        The interval is malformed, or a bar is not inside one of its windows.
    """
    windows = _windows(bars, interval, span)
    found = describe(merge_bars(sums_of_bars(bars), windows.ends), _halves(bars, windows), windows.start, windows.end)
    untold = (bars["tick_count"] > 0) & np.isnan(bars["quote_intensity"])
    found["quote_intensity"][_per_window(untold, windows.ends) > 0] = np.nan
    columns = as_declared({**found, **windows.closing, "bar_index": np.arange(len(windows.ends))})
    if _carries_close(bars).any():
        carry_close(columns, slice(None))
    return columns


def sums_of_bars(bars: Arrays) -> BarSums:
    """The sums that bars were described from.

    Parameters
    ----------
    bars : Arrays
        All stored columns.

    Returns
    -------
    BarSums
        Whole numbers exact, real ones up to rounding. Quote changes of bars without a usable quote are 0.
    """
    found = BarSums.of(length(bars))
    counts, reals = found.counts.T, found.reals.T  # views: a row per column
    for column, name in _COUNTED.items():
        counts[column] = bars[name].view(np.int64) if bars[name].dtype.kind == "M" else bars[name]
    for column, (name, whole) in _SHARES.items():
        counts[column] = np.rint(_times(bars[name], bars[whole]))
    seconds = (bars["timestamp"] - bars["bar_start"]).astype(np.int64) / _NS
    counts[bar_sums.QUOTE_CHANGES] = np.rint(np.nan_to_num(bars["quote_intensity"]) * seconds)
    for column, name in _ADDED.items():
        reals[column] = bars[name]
    for column, (name, weight) in _MEANS.items():
        reals[column] = _times(bars[name], bars[weight])
    mean_square = bars["spread_volatility"] ** 2 + bars["avg_spread"] ** 2
    reals[bar_sums.SPREADS_SQUARED] = _times(mean_square, bars["quoted_tick_count"])
    carried = _carries_close(bars)
    for column, name in _PRICES.items():
        reals[column] = np.where(carried, np.nan, bars[name])
    return found


@dataclass(frozen=True, slots=True)
class _Windows:
    """Windows that hold bars: positions after the last bar of each, bounds [UTC ns], and how they closed."""

    ends: NDArray[np.int64]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    closing: Mapping[str, NDArray[Any]]

    def of_bars(self, values: NDArray[np.int64]) -> NDArray[np.int64]:
        """The value of its window for each bar."""
        return np.repeat(values, np.diff(self.ends, prepend=0))


def _windows(bars: Arrays, interval: str, span: SessionSpan) -> _Windows:
    """The windows of the bars, by the same rule as those of ticks: a bar counts at its start."""
    starts = {"timestamp": bars["bar_start"]}
    runs = np.array([[0, length(bars)]])
    cut = time_bar_ends(SessionTicks(span.session, span.start_ns, span.end_ns, runs, starts, BufferPool()), interval)
    windows = _Windows(cut.ends, np.asarray(cut.bar_start), np.asarray(cut.timestamp), cut.closing)
    if np.any(bars["timestamp"].view(np.int64) > windows.of_bars(windows.end)):
        raise ValueError(f"bars reach over the end of {interval} windows: their interval does not divide it")
    return windows


def _halves(bars: Arrays, windows: _Windows) -> dict[str, NDArray[np.int64]]:
    """Volume before and after the middle of each window, and in the session's first and last 30 seconds.

    A window holds a whole number of bars: its middle is between two, or in the middle of one, whose own halves count.
    """
    middle = windows.of_bars(windows.start + (windows.end - windows.start) // 2)
    start, end = bars["bar_start"].view(np.int64), bars["timestamp"].view(np.int64)
    own = start + (end - start) // 2
    before = np.where(own < middle, bars["volume"], np.where(own == middle, bars["first_half_volume"], 0))
    first, volume = _per_window(before, windows.ends), _per_window(bars["volume"], windows.ends)
    auctions = [_per_window(bars[name], windows.ends) for name in HALVES[2:]]
    return dict(zip(HALVES, (first, volume - first, *auctions), strict=True))


def _per_window(values: NDArray[Any], ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of whole numbers over the bars of each window."""
    running = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values.astype(np.int64), out=running[1:])
    return np.diff(running[ends], prepend=0)


def _times(mean: NDArray[np.float64], count: NDArray[Any]) -> NDArray[np.float64]:
    """Mean · count, 0 where there is nothing to take a mean of."""
    return np.where(count > 0, mean * count, 0.0)


def _carries_close(bars: Arrays) -> NDArray[np.bool_]:
    """Bars whose prices are the close of the bar before: none of their own ticks set one."""
    carried: NDArray[np.bool_] = (bars["qualified_tick_count"] == 0) & ~np.isnan(bars["close"])
    return carried

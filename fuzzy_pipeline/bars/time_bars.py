"""Time bars: half-open windows anchored on the session open.

Belongs here: where time bars begin and end. The closing auction, stamped after the close, joins the last
window; a window that the close cuts short is kept and marked incomplete.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.bars.aggregate import aggregate
from fuzzy_pipeline.bars.series import Bars, as_declared, join_sessions
from fuzzy_pipeline.bars.session_ticks import SessionName, SessionTicks, session_ticks
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.codes import CloseReason
from fuzzy_pipeline.settings import DEFAULT_INTERVALS, BarSettings, Fill, interval_seconds

_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class TimeBarRules:
    """Which time bars: intervals such as ``"1m"``, sessions, and what becomes of empty windows."""

    intervals: tuple[str, ...] = DEFAULT_INTERVALS
    sessions: tuple[SessionName, ...] = ("regular",)
    fill: Fill = "skip"

    @classmethod
    def of(cls, settings: BarSettings) -> TimeBarRules:
        """The rules a user chose."""
        return cls(settings.intervals, settings.sessions, settings.fill)

    @property
    def fingerprint(self) -> str:
        """What a result depends on."""
        return f"intervals={','.join(self.intervals)};sessions={','.join(self.sessions)};fill={self.fill}"


@dataclass(frozen=True, slots=True)
class TimeBarEnds:
    """Bar ends of one interval (positions after each bar's last tick) and the windows they belong to.

    ``window`` is the window's number from the session start, ``start_ns`` and ``end_ns`` its bounds [UTC ns].
    """

    ends: NDArray[np.int64]
    window: NDArray[np.int64]
    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]


def time_bar_ends(ticks: SessionTicks, interval: str, fill: Fill = "skip") -> TimeBarEnds:
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
    TimeBarEnds
        One entry per bar.

    Raises
    ------
    ValueError
        The interval is malformed.
    """
    length_ns = interval_seconds(interval) * _NS or ticks.end_ns - ticks.start_ns
    timestamp = ticks.timestamp
    windows = -((ticks.start_ns - ticks.end_ns) // length_ns)
    start_ns = ticks.start_ns + np.arange(windows, dtype=np.int64) * length_ns
    end_ns = np.minimum(start_ns + length_ns, ticks.end_ns)
    ends = np.searchsorted(timestamp, end_ns).astype(np.int64)
    ends[-1] = len(ticks)  # the closing auction is stamped after the close
    window = np.arange(windows, dtype=np.int64)
    if fill == "skip":
        window = np.flatnonzero(np.diff(ends, prepend=0))
    return TimeBarEnds(ends[window], window, start_ns[window], end_ns[window])


def time_bars(
    ticks: Arrays, trading_date: dt.date, rules: TimeBarRules | None = None, *, pool: BufferPool | None = None
) -> Bars:
    """Time bars of all intervals of one symbol and date.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks in time order, at least ``session_ticks.TICK_COLUMNS``.
    trading_date : date
    rules : TimeBarRules, optional
        Default: the sixteen intervals of the settings, regular session, empty windows left out.
    pool : BufferPool, optional
        Memory to reuse for the ticks of a session.

    Returns
    -------
    Bars
        Stored columns of ``TIME_BARS`` and the row range of each interval.
    """
    rules = rules or TimeBarRules()
    parts = [_session_bars(session_ticks(ticks, trading_date, session, pool=pool), rules) for session in rules.sessions]
    return join_sessions(parts)


def _session_bars(ticks: SessionTicks, rules: TimeBarRules) -> Bars:
    series = [time_bar_ends(ticks, interval, rules.fill) for interval in rules.intervals]
    columns = aggregate(
        ticks,
        [one.ends for one in series],
        np.concatenate([one.start_ns for one in series]),
        np.concatenate([one.end_ns for one in series]),
    )
    columns |= _closing_columns(rules.intervals, series)
    ranges: dict[str, tuple[int, int]] = {}
    row = 0
    for interval, one in zip(rules.intervals, series, strict=True):
        ranges[interval] = (row, row + len(one.ends))
        row += len(one.ends)
        if rules.fill == "previous_close":
            _carry_close(columns, slice(*ranges[interval]))
    return Bars(as_declared(columns), ranges)


def _closing_columns(intervals: tuple[str, ...], series: list[TimeBarEnds]) -> dict[str, NDArray[Any]]:
    """bar_index and gaps of each series, and why its bars closed."""
    cut_short = [
        one.end_ns - one.start_ns < interval_seconds(interval) * _NS
        for interval, one in zip(intervals, series, strict=True)
    ]
    short = np.concatenate(cut_short)
    rows = len(short)
    unknown = np.full(rows, np.nan)
    return {
        "bar_index": np.concatenate([np.arange(len(one.ends)) for one in series]),
        "gaps": np.concatenate([np.diff(one.window, prepend=-1) - 1 for one in series]),
        "close_reason": np.where(short, int(CloseReason.SESSION_END), int(CloseReason.TIME)),
        "is_complete": ~short,
        "is_warm_up": np.zeros(rows, dtype=np.bool_),
        "is_phantom": np.zeros(rows, dtype=np.bool_),
        "trigger_direction": np.zeros(rows, dtype=np.int8),
        **dict.fromkeys(("threshold", "overflow", "efficiency", "theta", "expected_theta"), unknown),
    }


def _carry_close(columns: dict[str, NDArray[Any]], rows: slice) -> None:
    """Give bars without price-setting ticks the close of the bar before; leading ones stay null."""
    close = columns["close"][rows]
    known = np.where(np.isnan(close), -1, np.arange(len(close)))
    latest = np.maximum.accumulate(known)
    empty = (known < 0) & (latest >= 0)
    carried = close[latest[empty]]
    for name in ("open", "high", "low", "close", "typical_price"):
        columns[name][rows][empty] = carried
    for name in ("range", "change", "change_pct"):
        columns[name][rows][empty] = 0.0

"""The counted ticks of one session: what every bar family is built from.

Belongs here: choosing ticks for a session. Bars never cross a session, so each session is cut on its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.bar_settings import SessionName
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.codes import Session

TICK_COLUMNS = (
    "timestamp", "price", "size", "total_volume", "bid", "ask", "trade_sign", "participant_type", "session",
    "is_odd_lot", "is_qualified", "sets_high_low", "counts_volume",
)  # fmt: skip
"""The enriched columns bars need: what a reader has to load."""

_CODES: dict[SessionName, tuple[Session, ...]] = {
    "pre": (Session.PRE,),
    "regular": (Session.REGULAR,),
    "after": (Session.AFTER,),
    "all": (Session.PRE, Session.REGULAR, Session.AFTER),
}


Buffer = Callable[[str, str, int], NDArray[Any]]
"""Uninitialised memory by name, dtype and length."""


def fresh(_: str, dtype: str, rows: int) -> NDArray[Any]:
    """New memory.

    Parameters
    ----------
    _ : str
        What it is for.
    dtype : str
    rows : int

    Returns
    -------
    array[rows]
    """
    return np.empty(rows, dtype=dtype)


MANY_RUNS = 64
"""With more runs than these, columns are gathered before they are summed: each run costs a call."""


@dataclass(frozen=True, slots=True)
class SessionTicks:
    """Counted ticks of one session in time order, and the session's bounds.

    ``start_ns`` and ``end_ns`` are UTC nanoseconds; a closing auction print may be stamped after ``end_ns``.
    ``runs`` int64[n, 2] are the half-open row ranges of ``ticks`` that belong to the session: nearly always one
    long run and a few closing prints among after-hours ticks. ``column`` gives a column of the session's ticks
    alone, one row per counted tick; positions in bars count these.
    """

    session: SessionName
    start_ns: int
    end_ns: int
    runs: NDArray[np.int64]
    ticks: Arrays
    pool: BufferPool
    gathered: dict[str, NDArray[Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return int((self.runs[:, 1] - self.runs[:, 0]).sum())

    def column(self, name: str) -> NDArray[Any]:
        """A column of the session's ticks: a view where they lie together, else a copy, made once."""
        if name not in self.gathered:
            self.gathered[name] = self._gather(name)
        return self.gathered[name]

    @property
    def timestamp(self) -> NDArray[np.int64]:
        """Instants of the ticks. [UTC ns]"""
        return self.column("timestamp").view(np.int64)

    def buffer(self, name: str, dtype: str, rows: int) -> NDArray[Any]:
        """Uninitialised memory of the pool, handed out again for the next day of the same session."""
        return self.pool.array(f"session_ticks/{self.session}", name, np.dtype(dtype), rows)

    def run_columns(self, names: Sequence[str]) -> list[tuple[NDArray[Any], ...]]:
        """The named columns of each run, without copying (of all ticks as one run when there are many)."""
        if len(self.runs) > MANY_RUNS:
            return [tuple(self.column(name) for name in names)]
        return [tuple(self.ticks[name][start:stop] for name in names) for start, stop in self.runs]

    def _gather(self, name: str) -> NDArray[Any]:
        array = self.ticks[name]
        if len(self.runs) <= 1:
            return array[slice(*self.runs[0])] if len(self.runs) else array[:0]
        out = self.buffer(name, array.dtype.str, len(self))
        return np.concatenate([array[start:stop] for start, stop in self.runs], out=out)


def session_bounds_ns(session: SessionName, trading_date: dt.date) -> tuple[int, int]:
    """Start and end of a session; ``all`` runs from the start of pre-market to the end of after-hours.

    Parameters
    ----------
    session : {"pre", "regular", "after", "all"}
    trading_date : date

    Returns
    -------
    tuple of int
        UTC nanoseconds.
    """
    day = trading_calendar.session(trading_date)
    midnight = trading_calendar.midnight_utc_ns(trading_date)
    start_us, end_us = {
        "pre": (day.pre_open_us, day.open_us),
        "regular": (day.open_us, day.close_us),
        "after": (day.close_us, day.after_close_us),
        "all": (day.pre_open_us, day.after_close_us),
    }[session]
    return midnight + start_us * 1000, midnight + end_us * 1000


@njit(cache=True, nogil=True)
def _runs(session, counts, wanted):  # type: ignore[no-untyped-def]
    """Half-open runs of neighbouring wanted ticks, int64[n, 2]."""
    runs = []
    start = -1
    for i in range(len(session)):
        if counts[i] and wanted[session[i]]:
            if start < 0:
                start = i
        elif start >= 0:
            runs.append((start, i))
            start = -1
    if start >= 0:
        runs.append((start, len(session)))
    return runs


def counted_shares(ticks: Arrays, sessions: Sequence[SessionName]) -> int:
    """Σ size of the counted ticks of the sessions: what every series of bars must hold.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks, at least ``size``, ``session`` and ``counts_volume``.
    sessions : sequence of {"pre", "regular", "after", "all"}

    Returns
    -------
    int
        [shares]
    """
    codes = [int(code) for session in sessions for code in _CODES[session]]
    return int(ticks["size"][np.isin(ticks["session"], codes) & ticks["counts_volume"]].sum(dtype=np.int64))


def session_ticks(
    ticks: Arrays, trading_date: dt.date, session: SessionName = "regular", *, pool: BufferPool | None = None
) -> SessionTicks:
    """The counted ticks of a session.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks of one symbol and date, at least ``TICK_COLUMNS``, in time order.
    trading_date : date
    session : {"pre", "regular", "after", "all"}
    pool : BufferPool, optional
        Memory to reuse; columns are then valid until the pool's next use for the same session.

    Returns
    -------
    SessionTicks
    """
    wanted = np.zeros(256, dtype=np.bool_)
    wanted[[int(code) for code in _CODES[session]]] = True
    found = _runs(ticks["session"], ticks["counts_volume"], wanted)
    runs = np.array(found, dtype=np.int64).reshape(-1, 2)
    start_ns, end_ns = session_bounds_ns(session, trading_date)
    return SessionTicks(session, start_ns, end_ns, runs, ticks, pool or BufferPool())

"""The counted ticks of one session: what every bar family is built from.

Belongs here: choosing ticks for a session. Bars never cross a session, so each session is cut on its own.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.codes import Session

SessionName = Literal["pre", "regular", "after", "all"]

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


@dataclass(frozen=True, slots=True)
class SessionTicks:
    """Counted ticks of one session in time order, and the session's bounds.

    ``start_ns`` and ``end_ns`` are UTC nanoseconds; a closing auction print may be stamped after ``end_ns``.
    Arrays have one row per counted tick: ``timestamp`` int64 UTC ns, prices in USD, sizes in shares.
    """

    session: SessionName
    start_ns: int
    end_ns: int
    timestamp: NDArray[np.int64]
    price: NDArray[np.float64]
    size: NDArray[np.uint32]
    total_volume: NDArray[np.uint64]
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]
    trade_sign: NDArray[np.int8]
    participant_type: NDArray[np.uint8]
    is_odd_lot: NDArray[np.bool_]
    is_qualified: NDArray[np.bool_]
    sets_high_low: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.timestamp)


def session_bounds_ns(session: SessionName, trading_date: dt.date) -> tuple[int, int]:
    """Start and end of a session, UTC nanoseconds; ``all`` is 04:00-20:00 ET."""
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
    """Σ size of the counted ticks of the sessions [shares]."""
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
        Memory to reuse; the result is then valid until the pool's next use for the same session.

    Returns
    -------
    SessionTicks
        Views where the ticks lie together, copies otherwise (a closing print stamped among after-hours ticks).
    """
    wanted = np.zeros(256, dtype=np.bool_)
    wanted[[int(code) for code in _CODES[session]]] = True
    runs = _runs(ticks["session"], ticks["counts_volume"], wanted)
    pool = pool or BufferPool()
    start_ns, end_ns = session_bounds_ns(session, trading_date)
    columns = {
        name: _gather(ticks[name], runs, session, name, pool)
        for name in TICK_COLUMNS
        if name not in ("session", "counts_volume")
    }
    columns["timestamp"] = columns["timestamp"].view(np.int64)
    return SessionTicks(session, start_ns, end_ns, **columns)


def _gather(
    array: NDArray[Any], runs: list[tuple[int, int]], session: str, name: str, pool: BufferPool
) -> NDArray[Any]:
    if len(runs) <= 1:
        return array[slice(*runs[0])] if runs else array[:0]
    rows = sum(stop - start for start, stop in runs)
    out = pool.array(f"session_ticks/{session}", name, array.dtype, rows)
    return np.concatenate([array[start:stop] for start, stop in runs], out=out)

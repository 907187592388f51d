"""How far the stored ticks of a date can be trusted, from the ticks alone."""

from __future__ import annotations

import datetime as dt
from typing import get_args

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.bars.session_ticks import session_bounds_ns
from fuzzy_pipeline.day_metadata.counters import COUNTER_COLUMNS, Counters, follow_counters
from fuzzy_pipeline.day_metadata.fields import known_instant
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.day_metadata import (
    CrossedMarket,
    DataQuality,
    Silence,
    SilenceCause,
    TickIdGap,
    VolumeStep,
)
from fuzzy_pipeline.schema.quality import quality_level

LISTED = 100
"""Lists of a record hold the first so many."""

REOPENING_PRINTS = (0x25, 0x3F)
"""Condition codes of the print that ends a halt: reopen after halt, reopening print."""

CONDITIONS = ("condition_1", "condition_2", "condition_3", "condition_4")
QUALITY_COLUMNS = ("timestamp", "bid", "ask", *COUNTER_COLUMNS, *CONDITIONS)
"""The enriched columns this group looks at."""

_MINUTE_NS = 60_000_000_000
_HALT, _NO_TRADE, _UNKNOWN = get_args(SilenceCause)


def data_quality(ticks: Arrays, trading_date: dt.date) -> DataQuality:
    """Data quality of a symbol and date, from its stored ticks.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks of all sessions in time order, at least ``QUALITY_COLUMNS``.
    trading_date : date

    Returns
    -------
    DataQuality
        ``set_aside_count`` and ``anomaly_count`` are None: only the ingest saw what was set aside.
    """
    timestamp = ticks["timestamp"].view(np.int64)
    stored = len(timestamp)
    counters = follow_counters(ticks)
    missing, locked, crossed, runs = _judge_quotes(ticks["bid"], ticks["ask"])
    start_ns, end_ns = session_bounds_ns("regular", trading_date)
    quiet = silences(ticks, counters, start_ns, end_ns)
    silent = {cause: sum(minutes(one) for one in quiet if one.cause == cause) for cause in get_args(SilenceCause)}
    completeness = completeness_score(counters, ticks["size"], silent[_UNKNOWN], (end_ns - start_ns) // _MINUTE_NS)
    score = None if completeness is None else completeness * (1 - crossed / stored)
    return DataQuality(
        stored_ticks=stored,
        duplicate_count=counters.duplicates,
        out_of_order_count=counters.out_of_order if counters.order_is_known else None,
        missing_quote_count=missing,
        locked_quote_count=locked,
        crossed_quote_count=crossed,
        tick_id_holes=counters.holes if counters.ids_rise else None,
        lost_tick_count=counters.lost if counters.ids_rise else None,
        missing_volume=counters.missing_volume,
        excess_volume=counters.excess_volume,
        silent_minutes=sum(silent.values()),
        halted_minutes=silent[_HALT],
        unexplained_silent_minutes=silent[_UNKNOWN],
        set_aside_count=None,
        anomaly_count=None,
        completeness_score=completeness,
        data_quality_score=score,
        data_quality_level=None if score is None else quality_level(score),
        tick_id_gaps=_id_gaps(counters, timestamp),
        volume_steps=_volume_steps(counters, timestamp),
        silences=quiet[:LISTED],
        crossed_markets=[
            CrossedMarket(
                start=known_instant(timestamp[first]), end=known_instant(timestamp[last]), tick_count=last - first + 1,
                widest=widest,
            )
            for first, last, widest in runs[:LISTED]
        ],
    )  # fmt: skip


def completeness_score(
    counters: Counters, size: NDArray[np.unsignedinteger], unexplained_minutes: int, session_minutes: int
) -> float | None:
    """The least of three shares: volume accounted for, ticks not lost, minutes of the session explained.

    Parameters
    ----------
    counters : Counters
    size : unsigned[n_ticks]
        Sizes of all stored ticks. [shares]
    unexplained_minutes, session_minutes : int
        Silent minutes in which ticks may be missing, and all of the regular session. [min]

    Returns
    -------
    float or None
        0 to 1 [1]; None without ticks, or where the tick ids are no counters.
    """
    if len(size) == 0 or not counters.ids_rise:
        return None
    stored_volume = int(size.sum(dtype=np.int64))
    unaccounted = counters.missing_volume + counters.excess_volume
    return min(
        1 - unaccounted / (stored_volume + counters.missing_volume),
        len(size) / (len(size) + counters.lost),
        1 - unexplained_minutes / session_minutes,
    )


def silences(ticks: Arrays, counters: Counters, start_ns: int, end_ns: int) -> list[Silence]:
    """Minutes of [start, end) without any tick, neighbouring ones joined, with their cause.

    Parameters
    ----------
    ticks : Arrays
        As ``data_quality`` takes them.
    counters : Counters
        Of the same ticks.
    start_ns, end_ns : int
        Bounds of the session. [UTC ns]

    Returns
    -------
    list of Silence
        In time order.
    """
    timestamp = ticks["timestamp"].view(np.int64)
    marks = np.append(np.arange(start_ns, end_ns, _MINUTE_NS), end_ns)
    first_after = np.searchsorted(timestamp, marks)
    is_silent = np.concatenate([[False], np.diff(first_after) == 0, [False]])
    edges = np.flatnonzero(is_silent[1:] != is_silent[:-1])
    found = []
    for begin, stop in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        following = slice(int(first_after[stop]), int(np.searchsorted(timestamp, marks[stop] + _MINUTE_NS)))
        if any(np.isin(ticks[name][following], REOPENING_PRINTS).any() for name in CONDITIONS):
            cause = _HALT
        elif following.start < len(timestamp) and following.start not in counters.misfits:
            cause = _NO_TRADE
        else:
            cause = _UNKNOWN
        found.append(Silence(start=known_instant(marks[begin]), end=known_instant(marks[stop]), cause=cause))
    return found


def minutes(silence: Silence) -> int:
    """Length of a silence. [min]"""
    return (silence.end - silence.start) // dt.timedelta(minutes=1)


@njit(cache=True, nogil=True)
def _judge_quotes(bid, ask):  # type: ignore[no-untyped-def]
    """Ticks without a quote, on a locked and on a crossed one, and runs of crossed ones (first, last, widest)."""
    missing = locked = crossed = 0
    runs = []
    first = -1
    widest = 0.0
    for i in range(len(bid)):
        missing += (bid[i] != bid[i]) | (ask[i] != ask[i])
        locked += bid[i] == ask[i]
        if bid[i] > ask[i]:
            crossed += 1
            if first < 0:
                first = i
                widest = 0.0
            widest = max(widest, bid[i] - ask[i])
        elif first >= 0:
            runs.append((first, i - 1, widest))
            first = -1
    if first >= 0:
        runs.append((first, len(bid) - 1, widest))
    return missing, locked, crossed, runs


def _id_gaps(counters: Counters, timestamp: NDArray[np.int64]) -> list[TickIdGap]:
    if not counters.ids_rise:
        return []
    return [
        TickIdGap(
            seen_at=known_instant(timestamp[gap.row]),
            market_center=gap.market_center,
            first_id=gap.first_id,
            last_id=gap.last_id,
            is_lost=gap.is_lost,
        )
        for gap in counters.id_gaps[:LISTED]
    ]


def _volume_steps(counters: Counters, timestamp: NDArray[np.int64]) -> list[VolumeStep]:
    rows = zip(counters.misfits[:LISTED].tolist(), counters.misfit_shares[:LISTED].tolist(), strict=True)
    return [VolumeStep(seen_at=known_instant(timestamp[row]), shares=shares) for row, shares in rows]

"""Sums over pieces of a session, and merging pieces into bars.

Belongs here: the one pass over ticks that every bar family shares. The session is cut once at the union of the bar
ends of all series; each piece (an atom) is summed once and merged into every series.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.bars.bar_sums import REAL_COLUMNS, BarSums, merge, sum_ticks
from fuzzy_pipeline.bars.session_ticks import SessionTicks

_NO_QUOTE = int(np.float64(np.nan).view(np.int64))

_SUMMED = (
    "timestamp", "price", "size", "total_volume", "bid", "ask", "trade_sign", "participant_type", "is_odd_lot",
    "is_qualified", "sets_high_low",
)  # fmt: skip


FEW_TICKS = 6
"""Series with fewer ticks a bar than this are summed apart."""

LONG_BAR_ATOMS = 8
"""Series with at least so many atoms a bar are merged from longer atoms: the pieces between their own ends."""

BLOCK_BARS = 4096
"""Bars of such a series summed at a time: a megabyte."""


def _room(ticks: SessionTicks, name: str, rows: int) -> BarSums:
    """Uninitialised sums of so many bars or pieces."""
    return BarSums(
        ticks.buffer(f"counts of {name}", "int64", rows * 20).reshape(rows, 20),
        ticks.buffer(f"reals of {name}", "float64", rows * REAL_COLUMNS).reshape(rows, REAL_COLUMNS),
    )


def _sum_run(run: tuple[NDArray[Any], ...], ends: NDArray[np.int64], before: tuple[int, int], into: BarSums) -> None:
    """Sum the pieces of ticks that lie together; ``before`` are the bits of the quote before the first."""
    timestamp, price, size, total_volume, bid, ask, *others = run
    sum_ticks(  # type: ignore[call-arg]  # mypy takes the starred names for more
        ends, timestamp.view(np.int64), price, size, total_volume, bid, ask, bid.view(np.int64), ask.view(np.int64),
        *others, *before, into.counts, into.reals,
    )  # fmt: skip


def _sum_atoms(ticks: SessionTicks, cuts: NDArray[np.int64]) -> tuple[NDArray[np.int64], BarSums]:
    """Cuts with the ends of the runs among them, and the sums of the pieces between: one row per cut."""
    runs = ticks.run_columns(_SUMMED)
    if not runs:
        return cuts[:0], BarSums.of(0)
    run_ends = np.cumsum([len(run[0]) for run in runs])
    if len(runs) > 1:
        cuts = _union(len(ticks), [cuts[cuts > 0], run_ends])
    atoms = _room(ticks, "atoms", len(cuts))
    start, row, before = 0, 0, (_NO_QUOTE, _NO_QUOTE)
    for run, end in zip(runs, run_ends.tolist(), strict=True):
        stop = len(cuts) if len(runs) == 1 else int(np.searchsorted(cuts, end, side="right"))
        _sum_run(run, cuts[row:stop] - start, before, atoms.of_rows(slice(row, stop)))
        before = (int(run[4].view(np.int64)[-1]), int(run[5].view(np.int64)[-1]))
        start, row = end, stop
    return cuts, atoms


@njit(cache=True, nogil=True)
def _contains(finer, coarser):  # type: ignore[no-untyped-def]
    """Whether every end of the coarser series is an end of the finer one."""
    j = 0
    for i in range(len(coarser)):
        end = coarser[i]
        while j < len(finer) and finer[j] < end:
            j += 1
        if j == len(finer) or finer[j] != end:
            return False
    return True


def _union(ticks: int, series: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """Ends of all series in order, each once: by marking positions, which beats sorting."""
    marked = np.zeros(ticks + 1, dtype=np.bool_)
    for ends in series:
        marked[ends] = True
    return np.flatnonzero(marked)


def bar_starts(ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each bar's first tick: the end of the bar before, 0 for the first.

    Parameters
    ----------
    ends : int64[n_bars]
        Positions after each bar's last tick.

    Returns
    -------
    int64[n_bars]
    """
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1]
    return starts


def sums_by_series(ticks: SessionTicks, series: Sequence[NDArray[np.int64]]) -> Iterator[tuple[int, int, BarSums]]:
    """Sums of every bar of several series over the same ticks, in pieces that fit the processor's cache.

    Parameters
    ----------
    ticks : SessionTicks
    series : sequence of int64[n_bars]
        Bar ends of each series: positions after the last tick of each bar, never decreasing. Equal
        neighbouring ends are a bar without ticks. The first bar of a series starts at tick 0.

    Returns
    -------
    iterator of (int, int, BarSums)
        Number of a series, its first bar of the piece, and one row per bar. Pieces come in any order; one is
        overwritten when the next is asked for, and must not be changed: later series may be merged from it.
    """
    # Pieces shorter than a few ticks cost more to merge than ticks to sum: such series are not cut into the others.
    fine = {n for n, ends in enumerate(series) if len(series) > 1 and len(ends) * FEW_TICKS > len(ticks)}
    for number in sorted(fine):
        for first, found in _sum_in_blocks(ticks, series[number]):
            yield number, first, found
    coarse = [n for n in range(len(series)) if n not in fine]
    if not coarse:
        return
    cuts, atoms = _sum_atoms(ticks, _union(len(ticks), [series[n] for n in coarse]))
    if len(series) == 1 and np.array_equal(cuts, series[0]):  # neither empty bars nor cuts at the ends of runs
        yield 0, 0, atoms
        return
    long = [n for n in coarse if len(series[n]) * LONG_BAR_ATOMS <= len(cuts)]
    long_cuts, long_atoms = cuts, atoms
    if len(long) > 1:
        long_cuts = _union(len(ticks), [series[n] for n in long])
        long_atoms = _room(ticks, "long atoms", len(long_cuts))
        _merge_pieces(cuts, atoms, long_cuts, long_atoms)
    room = _room(ticks, "bars", sum(len(series[n]) for n in coarse))
    kept: dict[int, BarSums] = {}
    row = 0
    for number in coarse:
        ends, own = series[number], room.of_rows(slice(row, row + len(series[number])))
        base = _coarsest_base(series, number, kept)
        if base is not None:
            _merge_pieces(series[base], kept[base], ends, own)
        elif number in long:
            _merge_pieces(long_cuts, long_atoms, ends, own)
        else:
            _merge_pieces(cuts, atoms, ends, own)
        kept[number], row = own, row + len(ends)
        yield number, 0, own


def _merge_pieces(pieces: NDArray[np.int64], found: BarSums, ends: NDArray[np.int64], into: BarSums) -> None:
    """Merge pieces that end at ``pieces`` into bars that end at ``ends``, which are among them."""
    # A bar without ticks ends where the one before ended: it merges no piece.
    last = np.searchsorted(pieces, ends, side="right")
    merge(bar_starts(last), last, found.counts, found.reals, into.counts, into.reals)


def _sum_in_blocks(ticks: SessionTicks, ends: NDArray[np.int64]) -> Iterator[tuple[int, BarSums]]:
    """Sums of one series straight from the ticks, some thousand bars at a time."""
    columns = tuple(ticks.column(name) for name in _SUMMED)
    bid, ask = (columns[_SUMMED.index(name)].view(np.int64) for name in ("bid", "ask"))
    start = 0
    for first in range(0, len(ends), BLOCK_BARS):
        own = ends[first : first + BLOCK_BARS]
        stop = int(own[-1])
        found = _room(ticks, "a block of bars", len(own))
        before = (int(bid[start - 1]), int(ask[start - 1])) if start else (_NO_QUOTE, _NO_QUOTE)
        _sum_run(tuple(column[start:stop] for column in columns), own - start, before, found)
        yield first, found
        start = stop


def merge_bars(bars: BarSums, ends: NDArray[np.int64]) -> BarSums:
    """Sums of longer bars, each of whole shorter ones.

    Parameters
    ----------
    bars : BarSums
        One row per shorter bar, in time order.
    ends : int64[n_bars]
        Positions after the last shorter bar of each longer one, increasing. The first starts at 0.

    Returns
    -------
    BarSums
        One row per longer bar.
    """
    merged = BarSums.of(len(ends))
    merge(bar_starts(ends), ends, bars.counts, bars.reals, merged.counts, merged.reals)
    return merged


def _coarsest_base(series: Sequence[NDArray[np.int64]], number: int, kept: Collection[int]) -> int | None:
    """The series with fewest bars among those kept whose ends have all ends of this one among them."""
    ends = series[number]
    candidates = sorted((n for n in kept if len(series[n]) >= len(ends)), key=lambda n: len(series[n]))
    return next((n for n in candidates if _contains(series[n], ends)), None)

"""Sums over pieces of a session, and merging pieces into bars.

Belongs here: the one pass over ticks that every bar family shares. The session is cut once at the union of the bar
ends of all series; each piece (an atom) is summed once and merged into every series.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.microstructure.trade_classification import is_midpoint
from fuzzy_pipeline.schema.codes import BLOCK_TRADE_SHARES, Participant

_RETAIL, _INSTITUTIONAL = int(Participant.RETAIL), int(Participant.INSTITUTIONAL)
_NO_TICK = -(2**63)  # what NumPy stores for NaT
_NO_QUOTE = int(np.float64(np.nan).view(np.int64))

_SUMMED = (
    "timestamp", "price", "size", "total_volume", "bid", "ask", "trade_sign", "participant_type", "is_odd_lot",
    "is_qualified", "sets_high_low",
)  # fmt: skip

# Columns of the integer sums.
(
    TICKS, VOLUME, QUALIFIED, QUALIFIED_VOLUME, BUYS, SELLS, BUY_VOLUME, SELL_VOLUME, RETAIL_VOLUME,
    INSTITUTIONAL_VOLUME, BLOCKS, ODD_LOTS, QUOTED, STRICTLY_QUOTED, AT_MIDPOINT, INSIDE, QUOTE_CHANGES,
    DAY_VOLUME, FIRST_TIME, LAST_TIME,
) = range(20)  # fmt: skip
_ADDED_UNTIL = DAY_VOLUME  # columns before this one are added when atoms are merged

# Columns of the real sums.
DOLLARS, QUALIFIED_DOLLARS, BUY_DOLLARS, SELL_DOLLARS, SPREADS, SPREADS_SQUARED, SPREADS_BPS, EFFECTIVE = range(8)
OPEN, HIGH, LOW, CLOSE = range(8, 12)
_REAL_ADDED_UNTIL = OPEN
_REST = 12
"""The first of as many columns: what rounding took from each of the sums before ``OPEN``."""
_REALS = _REST + _REAL_ADDED_UNTIL


FEW_TICKS = 6
"""Series with fewer ticks a bar than this are summed apart."""

LONG_BAR_ATOMS = 8
"""Series with at least so many atoms a bar are merged from longer atoms: the pieces between their own ends."""

BLOCK_BARS = 4096
"""Bars of such a series summed at a time: a megabyte."""


@dataclass(frozen=True, slots=True)
class BarSums:
    """Sums over pieces of a session: ``counts`` int64[n, 20] and ``reals`` float64[n, 20], columns as above.

    Real sums are kept in two numbers, the sum and what rounding took from it (Ogita, Rump & Oishi 2005, Accurate sum
    and dot product, doi:10.1137/030601818). So a bar's sums are the same to the last bit whatever else a session was
    cut for: the series built together, or pieces merged in several steps.
    """

    counts: NDArray[np.int64]
    reals: NDArray[np.float64]

    @classmethod
    def of(cls, rows: int) -> BarSums:
        """Sums of so many bars, all zero."""
        return cls(np.zeros((rows, 20), dtype=np.int64), np.zeros((rows, _REALS)))

    def of_rows(self, rows: slice) -> BarSums:
        """Some of the sums, as a view."""
        return BarSums(self.counts[rows], self.reals[rows])


@njit(inline="always")
def _lost(total, value, added):  # type: ignore[no-untyped-def]
    """What rounding took when ``value`` was added to ``total`` and gave ``added`` (Knuth's two-sum)."""
    shadow = added - total
    return (total - (added - shadow)) + (value - shadow)


@njit(inline="always")
def _settle(r, column, total, rest):  # type: ignore[no-untyped-def]
    """Store a sum rounded once, and what that takes from it."""
    r[column] = total + rest
    r[_REST + column] = rest - (r[column] - total)


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_ticks(  # type: ignore[no-untyped-def]
    ends, timestamps, prices, sizes, day_volumes, bids, asks, bid_bits, ask_bits, signs, participants, odd_lots_,
    qualified_, high_low_, bid_before, ask_before, counts, reals,
):  # fmt: skip
    start = 0
    for k in range(len(ends)):
        stop = ends[k]
        c = counts[k]
        r = reals[k]
        volume = buys = sells = buy_volume = sell_volume = retail = institutional = blocks = odd_lots = 0
        q_count = q_volume = quoted = strict = at_mid = inside = changes = day_volume = 0
        dollars = q_dollars = buy_dollars = sell_dollars = spreads = squares = bps = effective = 0.0
        d_rest = q_rest = b_rest = s_rest = spreads_rest = squares_rest = bps_rest = effective_rest = 0.0
        last_qualified = 0
        opening = highest = lowest = closing = np.nan
        # Slices start at 0: the compiler then sees that no index is negative.
        n = stop - start
        price, size, sign, participant = (
            prices[start:stop], sizes[start:stop], signs[start:stop], participants[start:stop],
        )  # fmt: skip
        odd_lot, qualified, high_low = odd_lots_[start:stop], qualified_[start:stop], high_low_[start:stop]
        bid, ask, bid_bit, ask_bit = bids[start:stop], asks[start:stop], bid_bits[start:stop], ask_bits[start:stop]
        # Whole numbers apart from the rest: these loops run on several ticks at once, the ones below cannot.
        for i in range(n):
            shares = np.int64(size[i])
            volume += shares
            retail += shares * (participant[i] == _RETAIL)
            institutional += shares * (participant[i] == _INSTITUTIONAL)
            blocks += shares >= BLOCK_TRADE_SHARES
            odd_lots += odd_lot[i]
        if n > 0:
            changes += (bid_bit[0] != bid_before) | (ask_bit[0] != ask_before)
            bid_before = bid_bit[n - 1]
            ask_before = ask_bit[n - 1]
        for i in range(1, n):
            changes += (bid_bit[i] != bid_bit[i - 1]) | (ask_bit[i] != ask_bit[i - 1])
        for i in range(n):
            p = price[i]
            shares = np.int64(size[i])
            value = p * shares
            added = dollars + value
            d_rest += _lost(dollars, value, added)
            dollars = added
            side = sign[i]
            if side > 0:
                buys += 1
                buy_volume += shares
                added = buy_dollars + value
                b_rest += _lost(buy_dollars, value, added)
                buy_dollars = added
            elif side < 0:
                sells += 1
                sell_volume += shares
                added = sell_dollars + value
                s_rest += _lost(sell_dollars, value, added)
                sell_dollars = added
            if qualified[i]:
                if q_count == 0:
                    opening = p
                closing = p
                q_count += 1
                q_volume += shares
                added = q_dollars + value
                q_rest += _lost(q_dollars, value, added)
                q_dollars = added
                last_qualified = i
            if high_low[i]:
                if not highest >= p:
                    highest = p
                if not lowest <= p:
                    lowest = p
        for i in range(n):
            b = bid[i]
            a = ask[i]
            if b > 0.0 and a >= b:
                p = price[i]
                spread = a - b
                middle = (b + a) * 0.5
                quoted += 1
                added = spreads + spread
                spreads_rest += _lost(spreads, spread, added)
                spreads = added
                square = spread * spread
                added = squares + square
                squares_rest += _lost(squares, square, added)
                squares = added
                relative = spread / middle * 1e4
                added = bps + relative
                bps_rest += _lost(bps, relative, added)
                bps = added
                paid = 2.0 * abs(p - middle)
                added = effective + paid
                effective_rest += _lost(effective, paid, added)
                effective = added
                strict += a > b
                at_mid += (a > b) & is_midpoint(p, b, a)
                inside += (p > b) & (p < a)
        if stop > start:
            day_volume = np.int64(day_volumes[start + last_qualified if q_count > 0 else stop - 1])
        c[TICKS] = stop - start
        c[VOLUME] = volume
        c[QUALIFIED] = q_count
        c[QUALIFIED_VOLUME] = q_volume
        c[BUYS] = buys
        c[SELLS] = sells
        c[BUY_VOLUME] = buy_volume
        c[SELL_VOLUME] = sell_volume
        c[RETAIL_VOLUME] = retail
        c[INSTITUTIONAL_VOLUME] = institutional
        c[BLOCKS] = blocks
        c[ODD_LOTS] = odd_lots
        c[QUOTED] = quoted
        c[STRICTLY_QUOTED] = strict
        c[AT_MIDPOINT] = at_mid
        c[INSIDE] = inside
        c[QUOTE_CHANGES] = changes
        c[DAY_VOLUME] = day_volume
        c[FIRST_TIME] = timestamps[start] if stop > start else _NO_TICK
        c[LAST_TIME] = timestamps[stop - 1] if stop > start else _NO_TICK
        _settle(r, DOLLARS, dollars, d_rest)
        _settle(r, QUALIFIED_DOLLARS, q_dollars, q_rest)
        _settle(r, BUY_DOLLARS, buy_dollars, b_rest)
        _settle(r, SELL_DOLLARS, sell_dollars, s_rest)
        _settle(r, SPREADS, spreads, spreads_rest)
        _settle(r, SPREADS_SQUARED, squares, squares_rest)
        _settle(r, SPREADS_BPS, bps, bps_rest)
        _settle(r, EFFECTIVE, effective, effective_rest)
        r[OPEN] = opening
        r[HIGH] = highest
        r[LOW] = lowest
        r[CLOSE] = closing
        start = stop


@njit(cache=True, nogil=True)
def _merge(first, last, counts, reals, merged_counts, merged_reals):  # type: ignore[no-untyped-def]
    for k in range(len(first)):
        c = merged_counts[k]
        r = merged_reals[k]
        c[:] = 0
        r[:] = 0.0
        c[FIRST_TIME] = _NO_TICK
        c[LAST_TIME] = _NO_TICK
        r[OPEN] = r[HIGH] = r[LOW] = r[CLOSE] = np.nan
        for atom in range(first[k], last[k]):
            for column in range(_REAL_ADDED_UNTIL):
                value = reals[atom, column]
                added = r[column] + value
                r[_REST + column] += _lost(r[column], value, added) + reals[atom, _REST + column]
                r[column] = added
            if counts[atom, QUALIFIED] > 0:
                if c[QUALIFIED] == 0:
                    r[OPEN] = reals[atom, OPEN]
                r[CLOSE] = reals[atom, CLOSE]
                c[DAY_VOLUME] = counts[atom, DAY_VOLUME]
            elif c[QUALIFIED] == 0 and counts[atom, TICKS] > 0:
                c[DAY_VOLUME] = counts[atom, DAY_VOLUME]
            for column in range(_ADDED_UNTIL):
                c[column] += counts[atom, column]
            if not r[HIGH] >= reals[atom, HIGH] and reals[atom, HIGH] == reals[atom, HIGH]:
                r[HIGH] = reals[atom, HIGH]
            if not r[LOW] <= reals[atom, LOW] and reals[atom, LOW] == reals[atom, LOW]:
                r[LOW] = reals[atom, LOW]
            if counts[atom, TICKS] > 0:
                if c[FIRST_TIME] == _NO_TICK:
                    c[FIRST_TIME] = counts[atom, FIRST_TIME]
                c[LAST_TIME] = counts[atom, LAST_TIME]
        for column in range(_REAL_ADDED_UNTIL):
            _settle(r, column, r[column], r[_REST + column])


def _room(ticks: SessionTicks, name: str, rows: int) -> BarSums:
    """Uninitialised sums of so many bars or pieces."""
    return BarSums(
        ticks.buffer(f"counts of {name}", "int64", rows * 20).reshape(rows, 20),
        ticks.buffer(f"reals of {name}", "float64", rows * _REALS).reshape(rows, _REALS),
    )


def _sum_run(run: tuple[NDArray[Any], ...], ends: NDArray[np.int64], before: tuple[int, int], into: BarSums) -> None:
    """Sum the pieces of ticks that lie together; ``before`` are the bits of the quote before the first."""
    timestamp, price, size, total_volume, bid, ask, *others = run
    _sum_ticks(  # type: ignore[call-arg]  # mypy takes the starred names for more
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
    _merge(bar_starts(last), last, found.counts, found.reals, into.counts, into.reals)


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
    _merge(bar_starts(ends), ends, bars.counts, bars.reals, merged.counts, merged.reals)
    return merged


def _coarsest_base(series: Sequence[NDArray[np.int64]], number: int, kept: Collection[int]) -> int | None:
    """The series with fewest bars among those kept whose ends have all ends of this one among them."""
    ends = series[number]
    candidates = sorted((n for n in kept if len(series[n]) >= len(ends)), key=lambda n: len(series[n]))
    return next((n for n in candidates if _contains(series[n], ends)), None)

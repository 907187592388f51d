"""The sums that bars are described from: their columns, adding ticks to them, and merging pieces into bars."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.trade_classification import is_midpoint
from fuzzy_pipeline.schema.codes import BLOCK_TRADE_SHARES, Participant

_RETAIL, _INSTITUTIONAL = int(Participant.RETAIL), int(Participant.INSTITUTIONAL)
_NO_TICK = -(2**63)  # what NumPy stores for NaT

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
REAL_COLUMNS = _REST + _REAL_ADDED_UNTIL


@dataclass(frozen=True, slots=True)
class BarSums:
    """Sums over pieces of a session: ``counts`` int64[n, 20] and ``reals`` float64[n, 20], columns as above.

    Real sums are kept in two numbers, the sum and what rounding took from it (Ogita, Rump & Oishi 2005, Accurate sum
    and dot product, doi:10.1137/030601818), as if added with twice the digits. So a bar's sums are the same to the last
    bit whatever else a session was cut for: the series built together, or pieces merged in several steps.
    """

    counts: NDArray[np.int64]
    reals: NDArray[np.float64]

    @classmethod
    def of(cls, rows: int) -> BarSums:
        """Sums of so many bars, all zero."""
        return cls(np.zeros((rows, 20), dtype=np.int64), np.zeros((rows, REAL_COLUMNS)))

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
def sum_ticks(  # type: ignore[no-untyped-def]
    ends, timestamps, prices, sizes, day_volumes, bids, asks, bid_bits, ask_bits, signs, participants, odd_lots_,
    qualified_, high_low_, bid_before, ask_before, counts, reals,
):  # fmt: skip
    """Sums of the pieces of ticks that end at ``ends``, one row each, into the two arrays of a ``BarSums``.

    Parameters
    ----------
    ends : int64[n]
        Positions after the last tick of each piece, never decreasing.
    timestamps, ..., high_low_ : arrays[n_ticks]
        Columns of enriched ticks; times as int64 [UTC ns], quotes also as the bits of their floats.
    bid_before, ask_before : int
        Bits of the quote before the first tick.
    counts, reals : int64[n, 20], float64[n, 20]
        Overwritten.
    """
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
def merge(first, last, counts, reals, merged_counts, merged_reals):  # type: ignore[no-untyped-def]
    """Sums of bars that are made of whole pieces, into the two arrays of another ``BarSums``.

    Parameters
    ----------
    first, last : int64[n_bars]
        Each bar's first piece, and the one after its last.
    counts, reals : int64[n_pieces, 20], float64[n_pieces, 20]
    merged_counts, merged_reals : int64[n_bars, 20], float64[n_bars, 20]
        Overwritten.
    """
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

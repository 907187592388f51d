"""The one aggregation that all bar families share: ticks and bar ends in, bar columns out.

Belongs here: what a bar says about the ticks inside it. Where bars end is each family's own module; the pass over
ticks is ``sums``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.bars import bar_sums
from fuzzy_pipeline.bars.bar_sums import BarSums
from fuzzy_pipeline.bars.session_ticks import Buffer, SessionTicks, fresh
from fuzzy_pipeline.bars.sums import sums_by_series

AUCTION_WINDOW_NS = 30_000_000_000

# A mean of squares minus the square of the mean carries a rounding error of a few dozen ulps of the first.
_ROUNDING = 64 * float(np.finfo(np.float64).eps)

_SUMMED_REALS = {
    "open": bar_sums.OPEN, "high": bar_sums.HIGH, "low": bar_sums.LOW, "close": bar_sums.CLOSE,
    "dollar_volume": bar_sums.DOLLARS, "buy_dollar_volume": bar_sums.BUY_DOLLARS,
    "sell_dollar_volume": bar_sums.SELL_DOLLARS,
}  # fmt: skip
_SUMMED_SHARES = {
    "volume": bar_sums.VOLUME, "qualified_volume": bar_sums.QUALIFIED_VOLUME, "total_volume": bar_sums.DAY_VOLUME,
    "buy_volume": bar_sums.BUY_VOLUME, "sell_volume": bar_sums.SELL_VOLUME,
}  # fmt: skip
_SUMMED_COUNTS = {
    "tick_count": bar_sums.TICKS, "qualified_tick_count": bar_sums.QUALIFIED, "quoted_tick_count": bar_sums.QUOTED,
    "unlocked_tick_count": bar_sums.STRICTLY_QUOTED, "buy_tick_count": bar_sums.BUYS, "sell_tick_count": bar_sums.SELLS,
    "block_trade_count": bar_sums.BLOCKS, "odd_lot_count": bar_sums.ODD_LOTS,
}  # fmt: skip
_SUMMED_TIMES = {"first_tick_time": bar_sums.FIRST_TIME, "last_tick_time": bar_sums.LAST_TIME}
_SUMMED = (
    (_SUMMED_REALS, True, "float64"), (_SUMMED_SHARES, False, "uint64"), (_SUMMED_COUNTS, False, "uint32"),
    (_SUMMED_TIMES, False, "int64"),
)  # fmt: skip
"""Columns that are sums as they stand, where the sums have them, whether among the real ones, and their type."""

_DESCRIBED = (
    "vwap", "typical_price", "avg_spread", "avg_spread_bps", "spread_volatility", "effective_spread_mean",
    "at_midpoint_rate", "price_improvement_rate", "avg_trade_size", "trade_frequency", "quote_intensity",
    "retail_volume_pct", "institutional_volume_pct", "range", "change", "change_pct", "volume_imbalance",
    "tick_imbalance", "dollar_imbalance", "temporal_concentration", "liquidity_score",
)  # fmt: skip
"""What ``_describe`` fills, row by row of its output; ``direction`` beside."""

HALVES = ("first_half_volume", "second_half_volume", "opening_auction_volume", "closing_auction_volume")
_BLOCK = 256


@njit(cache=True, nogil=True)
def _over(numerator, denominator):  # type: ignore[no-untyped-def]
    """Numerator / denominator, NaN where the denominator is 0."""
    return numerator / denominator if denominator != 0 else np.nan


@njit(cache=True, nogil=True)
def _score(per_minute, spread_bps, trade_size):  # type: ignore[no-untyped-def]
    points = 0.0
    weights = 0.0
    for weight, part in (
        (0.3, np.minimum(100.0, 2.0 * per_minute)),
        (0.4, np.maximum(0.0, 100.0 - spread_bps)),
        (0.3, np.minimum(100.0, trade_size / 10.0)),
    ):
        if not np.isnan(part):  # NumPy's minimum and maximum keep NaN, the built-in ones may not
            points += weight * part
            weights += weight
    return _over(points, weights)


@njit(cache=True, nogil=True)
def _scores(per_minute, spread_bps, trade_size):  # type: ignore[no-untyped-def]
    out = np.empty(len(per_minute))
    for i in range(len(out)):
        out[i] = _score(per_minute[i], spread_bps[i], trade_size[i])
    return out


def liquidity_score(
    trades_per_minute: NDArray[np.float64], spread_bps: NDArray[np.float64], avg_trade_size: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Liquidity score from 0 to 100.

    0.3·min(100, 2·trades per minute) + 0.4·max(0, 100 − spread) + 0.3·min(100, size / 10); parts that are
    NaN are left out and the weights of the others rescaled to one.

    Parameters
    ----------
    trades_per_minute : float64[n]
        [1/min]
    spread_bps : float64[n]
        Mean relative spread. [bps]
    avg_trade_size : float64[n]
        [shares]

    Returns
    -------
    float64[n]
        NaN where all three are NaN.

    Examples
    --------
    >>> liquidity_score(np.array([10.0]), np.array([20.0]), np.array([500.0]))
    array([53.])
    >>> liquidity_score(np.array([10.0]), np.array([np.nan]), np.array([500.0]))
    array([35.])
    """
    scores: NDArray[np.float64] = _scores(trades_per_minute, spread_bps, avg_trade_size)
    return scores


@njit(cache=True, nogil=True)
def _describe(counts, reals, first_half, start, end, out, direction, offset):  # type: ignore[no-untyped-def]
    for row in range(len(counts)):
        c = counts[row]
        r = reals[row]
        i = offset + row
        seconds = (end[i] - start[i]) / 1e9
        opening, high, low, close = r[bar_sums.OPEN], r[bar_sums.HIGH], r[bar_sums.LOW], r[bar_sums.CLOSE]
        quoted, strict, volume = c[bar_sums.QUOTED], c[bar_sums.STRICTLY_QUOTED], c[bar_sums.VOLUME]
        spread = _over(r[bar_sums.SPREADS], quoted)
        spread_bps = _over(r[bar_sums.SPREADS_BPS], quoted)
        mean_square = _over(r[bar_sums.SPREADS_SQUARED], quoted)
        variance = mean_square - spread * spread
        if variance < _ROUNDING * mean_square:
            variance = 0.0
        trade_size = _over(volume, c[bar_sums.TICKS])
        per_minute = _over(c[bar_sums.TICKS] * 60.0, seconds)
        change = close - opening
        bought, sold = c[bar_sums.BUY_VOLUME], c[bar_sums.SELL_VOLUME]
        buys, sells = c[bar_sums.BUYS], c[bar_sums.SELLS]
        buy_dollars, sell_dollars = r[bar_sums.BUY_DOLLARS], r[bar_sums.SELL_DOLLARS]
        # Rounding of the sums may leave a one-price bar's quotient a last bit outside its range.
        vwap = _over(r[bar_sums.QUALIFIED_DOLLARS], c[bar_sums.QUALIFIED_VOLUME])
        out[0, i] = np.minimum(np.maximum(vwap, low), high)
        out[1, i] = (high + low + close) / 3.0
        out[2, i] = spread
        out[3, i] = spread_bps
        out[4, i] = np.sqrt(variance)
        out[5, i] = _over(r[bar_sums.EFFECTIVE], quoted)
        out[6, i] = _over(c[bar_sums.AT_MIDPOINT], strict)
        out[7, i] = _over(c[bar_sums.INSIDE], strict)
        out[8, i] = trade_size
        out[9, i] = per_minute
        out[10, i] = _over(c[bar_sums.QUOTE_CHANGES], seconds) if quoted > 0 else np.nan
        out[11, i] = _over(c[bar_sums.RETAIL_VOLUME], volume)
        out[12, i] = _over(c[bar_sums.INSTITUTIONAL_VOLUME], volume)
        out[13, i] = high - low
        direction[i] = np.int8(change > 0.0) - np.int8(change < 0.0)
        out[14, i] = change
        out[15, i] = _over(change, opening)
        out[16, i] = _over(bought - sold, bought + sold)
        out[17, i] = _over(buys - sells, buys + sells)
        out[18, i] = _over(buy_dollars - sell_dollars, buy_dollars + sell_dollars)
        out[19, i] = _over(abs(2 * first_half[i] - volume), volume)
        out[20, i] = _score(per_minute, spread_bps, trade_size)


@njit(cache=True, nogil=True)
def _turn(sums_, which, out, offset):  # type: ignore[no-untyped-def]
    """Put columns ``which`` of the sums into rows of ``out``: in blocks, which stay in the cache."""
    for first in range(0, len(sums_), _BLOCK):
        last = min(first + _BLOCK, len(sums_))
        for k in range(len(which)):
            column = which[k]
            row = out[k]
            for i in range(first, last):
                row[offset + i] = sums_[i, column]


@njit(cache=True, nogil=True)
def _lay(reals, opens, closes):  # type: ignore[no-untyped-def]
    """Put the opens and closes of bricks in place of the traded ones."""
    for i in range(len(opens)):
        if not np.isnan(opens[i]):
            r = reals[i]
            r[bar_sums.OPEN] = opens[i]
            r[bar_sums.CLOSE] = closes[i]
            r[bar_sums.HIGH] = np.fmax(r[bar_sums.HIGH], max(opens[i], closes[i]))
            r[bar_sums.LOW] = np.fmin(r[bar_sums.LOW], min(opens[i], closes[i]))


@njit(cache=True, nogil=True)
def _halves_of(time, traded, start, end, ends, opening, closing, out, row):  # type: ignore[no-untyped-def]
    """Shares before and after the middle of each bar of a series, and before ``opening`` and from ``closing`` on.

    ``traded`` are the shares before each tick.
    """
    a = 0
    for k in range(len(ends)):
        b = ends[k]
        middle = start[row + k] + (end[row + k] - start[row + k]) // 2
        low, high = a, b
        while low < high:
            probe = (low + high) // 2
            if time[probe] < middle:
                low = probe + 1
            else:
                high = probe
        before = traded[low] - traded[a]
        out[0, row + k] = before
        out[1, row + k] = traded[b] - traded[low]
        out[2, row + k] = traded[max(a, min(b, opening))] - traded[a]
        out[3, row + k] = traded[b] - traded[min(b, max(a, closing))]
        a = b


def _halves(
    ticks: SessionTicks, series: Sequence[NDArray[np.int64]], begin: NDArray[np.int64], finish: NDArray[np.int64]
) -> dict[str, NDArray[Any]]:
    """Volume before and after the middle of each bar, and in the session's first and last 30 seconds."""
    traded = ticks.buffer("shares traded", "int64", len(ticks) + 1)
    traded[0] = 0
    np.cumsum(ticks.column("size"), out=traded[1:])
    opening = np.searchsorted(ticks.timestamp, ticks.start_ns + AUCTION_WINDOW_NS)
    closing = np.searchsorted(ticks.timestamp, ticks.end_ns - AUCTION_WINDOW_NS)
    out = ticks.buffer("halves", "int64", 4 * len(begin)).reshape(4, len(begin))
    row = 0
    for ends in series:
        _halves_of(ticks.timestamp, traded, begin, finish, ends, opening, closing, out, row)
        row += len(ends)
    return dict(zip(HALVES, out.view(np.uint64), strict=True))


def aggregate(
    ticks: SessionTicks,
    series: Sequence[NDArray[np.int64]],
    bar_start: NDArray[np.int64],
    timestamp: NDArray[np.int64],
    bricks: Mapping[int, tuple[NDArray[np.float64], NDArray[np.float64]]] | None = None,
) -> dict[str, NDArray[Any]]:
    """Every column that depends on the ticks inside the bars, for several series over the same ticks.

    Parameters
    ----------
    ticks : SessionTicks
    series : sequence of int64[n_bars]
        Bar ends of each series, as ``sums_by_series`` takes them.
    bar_start, timestamp : int64[n]
        Start and completion of every bar, series one below the other. [UTC ns]
    bricks : mapping of int to tuple of float64[n_bars], optional
        By number of a series whose prices are steps of a grid: open and close of its bars, NaN for those that are no
        bricks. They replace the traded open and close; high and low reach at least from one to the other. [USD]

    Returns
    -------
    dict of arrays
        The columns of ``schema.BAR_COLUMNS`` from ``bar_start`` to ``liquidity_score``, n rows, in no particular
        dtype (``series.as_declared``). Families add the closing columns.
    """
    firsts = np.cumsum([0, *(len(ends) for ends in series)]).tolist()
    halves = _halves(ticks, series, bar_start, timestamp)
    columns = _Columns(ticks.buffer, firsts[-1])
    for number, first, found in sums_by_series(ticks, series):
        shown = found
        if bricks is not None and number in bricks:
            shown = BarSums(found.counts, found.reals.copy())
            _lay(shown.reals, *(prices[first : first + len(found.counts)] for prices in bricks[number]))
        columns.fill(firsts[number] + first, shown, halves["first_half_volume"], bar_start, timestamp)
    return columns.named | _instants(bar_start, timestamp) | halves


class _Columns:
    """Memory for the columns that sums give, in the types of the schema, and filling it piece by piece."""

    def __init__(self, buffer: Buffer, rows: int) -> None:
        def block(name: str, dtype: str, columns: int) -> NDArray[Any]:
            return buffer(name, dtype, columns * rows).reshape(columns, rows)

        self._turned = [
            (which, is_real, np.array(list(which.values())), block(f"bars, {number}", dtype, len(which)))
            for number, (which, is_real, dtype) in enumerate(_SUMMED)
        ]
        self._described = block("bars, described", "float64", len(_DESCRIBED))
        self._direction = buffer("bars, direction", "int8", rows)
        self.named: dict[str, NDArray[Any]] = {"direction": self._direction}
        for which, _, _, turned in self._turned:
            self.named |= dict(zip(which, turned, strict=True))
        self.named |= {name: self.named[name].view("datetime64[ns]") for name in _SUMMED_TIMES}
        self.named |= dict(zip(_DESCRIBED, self._described, strict=True))

    def fill(
        self, first: int, found: BarSums, first_half: NDArray[Any], start: NDArray[np.int64], end: NDArray[np.int64]
    ) -> None:
        """Describe the bars from number ``first`` on; ``first_half``, ``start`` and ``end`` are of all bars."""
        for _, is_real, places, turned in self._turned:
            _turn(found.reals if is_real else found.counts, places, turned, first)
        _describe(found.counts, found.reals, first_half, start, end, self._described, self._direction, first)


def _instants(bar_start: NDArray[np.int64], timestamp: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    return {"bar_start": bar_start.view("datetime64[ns]"), "timestamp": timestamp.view("datetime64[ns]")}


def describe(
    found: BarSums,
    halves: dict[str, NDArray[np.int64]],
    bar_start: NDArray[np.int64],
    timestamp: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    """What bars with these sums say: the second half of ``aggregate``, for sums that come from elsewhere.

    Parameters
    ----------
    found : BarSums
        One row per bar.
    halves : dict of int64[n]
        The columns of ``HALVES``. [shares]
    bar_start, timestamp : int64[n]
        Start and completion of every bar. [UTC ns]

    Returns
    -------
    dict of arrays
        As ``aggregate``.
    """
    columns = _Columns(fresh, len(found.counts))
    columns.fill(0, found, halves["first_half_volume"], bar_start, timestamp)
    return columns.named | _instants(bar_start, timestamp) | halves

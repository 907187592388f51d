"""The one aggregation that all bar families share: ticks and bar ends in, bar columns out.

Belongs here: what a bar says about the ticks inside it. Where bars end is each family's own module.

Several series over the same ticks are aggregated together: the session is cut once at the union of all bar
ends, each piece (an atom) is summed once, and atoms are merged into every series.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.schema.codes import Participant

_RETAIL, _INSTITUTIONAL = int(Participant.RETAIL), int(Participant.INSTITUTIONAL)
_BLOCK_SHARES = 10_000
AUCTION_WINDOW_NS = 30_000_000_000
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


@dataclass(frozen=True, slots=True)
class BarSums:
    """Sums over pieces of a session: ``counts`` int64[n, 20] and ``reals`` float64[n, 12], columns as above."""

    counts: NDArray[np.int64]
    reals: NDArray[np.float64]


@njit(cache=True, nogil=True, error_model="numpy")
def _sum_ticks(  # type: ignore[no-untyped-def]
    ends, timestamp, price, size, total_volume, bid, ask, sign, participant, odd_lot, qualified, high_low
):
    pieces = len(ends)
    counts = np.zeros((pieces, 20), dtype=np.int64)
    reals = np.zeros((pieces, 12), dtype=np.float64)
    last_bid = np.nan
    last_ask = np.nan
    start = 0
    for k in range(pieces):
        stop = ends[k]
        c = counts[k]
        r = reals[k]
        volume = buys = sells = buy_volume = sell_volume = retail = institutional = blocks = odd_lots = 0
        q_count = q_volume = quoted = strict = at_mid = inside = changes = day_volume = 0
        dollars = q_dollars = buy_dollars = sell_dollars = spreads = squares = bps = effective = 0.0
        opening = highest = lowest = closing = np.nan
        for i in range(start, stop):
            p = price[i]
            shares = np.int64(size[i])
            value = p * shares
            volume += shares
            dollars += value
            side = sign[i]
            if side > 0:
                buys += 1
                buy_volume += shares
                buy_dollars += value
            elif side < 0:
                sells += 1
                sell_volume += shares
                sell_dollars += value
            who = participant[i]
            retail += shares * (who == _RETAIL)
            institutional += shares * (who == _INSTITUTIONAL)
            blocks += shares >= _BLOCK_SHARES
            odd_lots += odd_lot[i]
            if qualified[i]:
                if q_count == 0:
                    opening = p
                closing = p
                q_count += 1
                q_volume += shares
                q_dollars += value
                day_volume = np.int64(total_volume[i])
            if high_low[i]:
                if not highest >= p:
                    highest = p
                if not lowest <= p:
                    lowest = p
            b = bid[i]
            a = ask[i]
            if b == b or a == a:
                changes += (b != last_bid) | (a != last_ask)
            elif last_bid == last_bid or last_ask == last_ask:
                changes += 1
            last_bid = b
            last_ask = a
            if b > 0.0 and a >= b:
                spread = a - b
                middle = (b + a) * 0.5
                quoted += 1
                spreads += spread
                squares += spread * spread
                bps += spread / middle * 1e4
                effective += 2.0 * abs(p - middle)
                strict += a > b
                at_mid += (a > b) & (p == middle)
                inside += (p > b) & (p < a)
        if q_count == 0 and stop > start:
            day_volume = np.int64(total_volume[stop - 1])
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
        c[FIRST_TIME] = timestamp[start] if stop > start else _NO_TICK
        c[LAST_TIME] = timestamp[stop - 1] if stop > start else _NO_TICK
        r[DOLLARS] = dollars
        r[QUALIFIED_DOLLARS] = q_dollars
        r[BUY_DOLLARS] = buy_dollars
        r[SELL_DOLLARS] = sell_dollars
        r[SPREADS] = spreads
        r[SPREADS_SQUARED] = squares
        r[SPREADS_BPS] = bps
        r[EFFECTIVE] = effective
        r[OPEN] = opening
        r[HIGH] = highest
        r[LOW] = lowest
        r[CLOSE] = closing
        start = stop
    return counts, reals


@njit(cache=True, nogil=True)
def _merge(first, last, counts, reals, merged_counts, merged_reals):  # type: ignore[no-untyped-def]
    for k in range(len(first)):
        c = merged_counts[k]
        r = merged_reals[k]
        c[FIRST_TIME] = _NO_TICK
        c[LAST_TIME] = _NO_TICK
        r[OPEN] = r[HIGH] = r[LOW] = r[CLOSE] = np.nan
        for atom in range(first[k], last[k]):
            for column in range(_REAL_ADDED_UNTIL):
                r[column] += reals[atom, column]
            if counts[atom, QUALIFIED] > 0:
                if c[QUALIFIED] == 0:
                    r[OPEN] = reals[atom, OPEN]
                r[CLOSE] = reals[atom, CLOSE]
                c[DAY_VOLUME] = counts[atom, DAY_VOLUME]
            elif c[QUALIFIED] == 0:
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


def bar_starts(ends: NDArray[np.int64]) -> NDArray[np.int64]:
    """Position of each bar's first tick: the end of the bar before, 0 for the first."""
    starts = np.zeros_like(ends)
    starts[1:] = ends[:-1]
    return starts


def sum_series(ticks: SessionTicks, series: Sequence[NDArray[np.int64]]) -> BarSums:
    """Sums of every bar of several series over the same ticks, one series below the other.

    Parameters
    ----------
    ticks : SessionTicks
    series : sequence of int64[n_bars]
        Bar ends of each series: positions after the last tick of each bar, never decreasing. Equal
        neighbouring ends are a bar without ticks. The first bar of a series starts at tick 0.

    Returns
    -------
    BarSums
        One row per bar, series in the order given.
    """
    if not series:
        return BarSums(np.zeros((0, 20), dtype=np.int64), np.zeros((0, 12)))
    cuts = series[0] if len(series) == 1 else np.unique(np.concatenate(series))
    counts, reals = _sum_ticks(
        cuts, ticks.timestamp, ticks.price, ticks.size, ticks.total_volume, ticks.bid, ticks.ask,
        ticks.trade_sign, ticks.participant_type, ticks.is_odd_lot, ticks.is_qualified, ticks.sets_high_low,
    )  # fmt: skip
    if len(series) == 1:
        return BarSums(counts, reals)
    rows = sum(len(ends) for ends in series)
    merged = BarSums(np.zeros((rows, 20), dtype=np.int64), np.zeros((rows, 12)))
    row = 0
    for ends in series:
        last = np.searchsorted(cuts, ends) + 1
        first = bar_starts(last)
        into = slice(row, row + len(ends))
        _merge(first, last, counts, reals, merged.counts[into], merged.reals[into])
        row += len(ends)
    return merged


def _ratio(numerator: NDArray[Any], denominator: NDArray[Any]) -> NDArray[np.float64]:
    """Numerator / denominator, NaN where the denominator is 0."""
    out = np.full(len(denominator), np.nan)
    np.divide(numerator, denominator, out=out, where=denominator != 0)
    return out


def _imbalance(buy: NDArray[Any], sell: NDArray[Any]) -> NDArray[np.float64]:
    """(buy − sell) / (buy + sell), NaN without either."""
    return _ratio(buy - sell, buy + sell)


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
    parts = np.stack(
        [np.minimum(100.0, 2.0 * trades_per_minute), np.maximum(0.0, 100.0 - spread_bps),
         np.minimum(100.0, avg_trade_size / 10.0)]
    )  # fmt: skip
    weights = np.array([[0.3], [0.4], [0.3]]) * ~np.isnan(parts)
    return _ratio((weights * np.nan_to_num(parts)).sum(axis=0), weights.sum(axis=0))


def _halves(
    ticks: SessionTicks, ends: NDArray[np.int64], starts: NDArray[np.int64], begin: NDArray[np.int64],
    finish: NDArray[np.int64], counts: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:  # fmt: skip
    """Volume before and after the middle of each bar, and in the session's first and last 30 seconds."""
    summed = np.zeros(len(ticks) + 1, dtype=np.int64)
    np.cumsum(ticks.size, out=summed[1:])
    middle = np.searchsorted(ticks.timestamp, begin + (finish - begin) // 2)
    first_half = summed[np.clip(middle, starts, ends)] - summed[starts]
    opening = np.searchsorted(ticks.timestamp, ticks.start_ns + AUCTION_WINDOW_NS)
    closing = np.searchsorted(ticks.timestamp, ticks.end_ns - AUCTION_WINDOW_NS)
    return {
        "first_half_volume": first_half,
        "second_half_volume": counts[:, VOLUME] - first_half,
        "opening_auction_volume": summed[np.minimum(ends, opening)] - summed[np.minimum(starts, opening)],
        "closing_auction_volume": summed[np.maximum(ends, closing)] - summed[np.maximum(starts, closing)],
    }


def aggregate(
    ticks: SessionTicks,
    series: Sequence[NDArray[np.int64]],
    bar_start: NDArray[np.int64],
    timestamp: NDArray[np.int64],
) -> dict[str, NDArray[Any]]:
    """Every column that depends on the ticks inside the bars, for several series over the same ticks.

    Parameters
    ----------
    ticks : SessionTicks
    series : sequence of int64[n_bars]
        Bar ends of each series, as ``sum_series`` takes them.
    bar_start, timestamp : int64[n]
        Start and completion of every bar, series one below the other. [UTC ns]

    Returns
    -------
    dict of arrays
        The columns of ``schema.BAR_COLUMNS`` from ``bar_start`` to ``liquidity_score``, dtypes as declared,
        n rows. Families add the closing columns.
    """
    sums = sum_series(ticks, series)
    c, r = sums.counts.T, sums.reals.T
    ends = np.concatenate(series) if series else np.zeros(0, dtype=np.int64)
    starts = np.concatenate([bar_starts(part) for part in series]) if series else ends
    seconds = (timestamp - bar_start) / 1e9
    spread_mean = _ratio(r[SPREADS], c[QUOTED])
    spread_bps = _ratio(r[SPREADS_BPS], c[QUOTED])
    variance = _ratio(r[SPREADS_SQUARED], c[QUOTED]) - spread_mean**2
    trade_size = _ratio(c[VOLUME], c[TICKS])
    per_minute = _ratio(c[TICKS] * 60.0, seconds)
    halves = _halves(ticks, ends, starts, bar_start, timestamp, sums.counts)
    opening, high, low, close = r[OPEN], r[HIGH], r[LOW], r[CLOSE]
    change = close - opening
    columns: dict[str, NDArray[Any]] = {
        "bar_start": bar_start.view("datetime64[ns]"),
        "timestamp": timestamp.view("datetime64[ns]"),
        "first_tick_time": np.ascontiguousarray(c[FIRST_TIME]).view("datetime64[ns]"),
        "last_tick_time": np.ascontiguousarray(c[LAST_TIME]).view("datetime64[ns]"),
        "open": opening,
        "high": high,
        "low": low,
        "close": close,
        "volume": c[VOLUME],
        "tick_count": c[TICKS],
        "qualified_tick_count": c[QUALIFIED],
        "qualified_volume": c[QUALIFIED_VOLUME],
        "total_volume": c[DAY_VOLUME],
        "dollar_volume": r[DOLLARS],
        # Rounding of the sums may leave a one-price bar's quotient a last bit outside its range.
        "vwap": np.clip(_ratio(r[QUALIFIED_DOLLARS], c[QUALIFIED_VOLUME]), low, high),
        "typical_price": (high + low + close) / 3.0,
        "avg_spread": spread_mean,
        "avg_spread_bps": spread_bps,
        "spread_volatility": np.sqrt(np.maximum(variance, 0.0)),
        "buy_volume": c[BUY_VOLUME],
        "sell_volume": c[SELL_VOLUME],
        "buy_tick_count": c[BUYS],
        "sell_tick_count": c[SELLS],
        "buy_dollar_volume": r[BUY_DOLLARS],
        "sell_dollar_volume": r[SELL_DOLLARS],
        "effective_spread_mean": _ratio(r[EFFECTIVE], c[QUOTED]),
        "at_midpoint_rate": _ratio(c[AT_MIDPOINT], c[STRICTLY_QUOTED]),
        "price_improvement_rate": _ratio(c[INSIDE], c[STRICTLY_QUOTED]),
        "avg_trade_size": trade_size,
        "trade_frequency": per_minute,
        "quote_intensity": _ratio(np.where(c[QUOTED] > 0, c[QUOTE_CHANGES], np.nan), seconds),
        "retail_volume_pct": _ratio(c[RETAIL_VOLUME], c[VOLUME]),
        "institutional_volume_pct": _ratio(c[INSTITUTIONAL_VOLUME], c[VOLUME]),
        "block_trade_count": c[BLOCKS],
        "odd_lot_count": c[ODD_LOTS],
        **halves,
        "range": high - low,
        "direction": np.nan_to_num(np.sign(change)),
        "change": change,
        "change_pct": _ratio(change, opening),
        "volume_imbalance": _imbalance(c[BUY_VOLUME], c[SELL_VOLUME]),
        "tick_imbalance": _imbalance(c[BUYS], c[SELLS]),
        "dollar_imbalance": _imbalance(r[BUY_DOLLARS], r[SELL_DOLLARS]),
        "temporal_concentration": _ratio(np.abs(halves["first_half_volume"] - halves["second_half_volume"]), c[VOLUME]),
        "liquidity_score": liquidity_score(per_minute, spread_bps, trade_size),
    }
    return columns

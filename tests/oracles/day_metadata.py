"""What a day record must say, in plain Python: from a feed whose every row is known, and from lists of ticks."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MINUTE_NS = 60 * 10**9


@dataclass(frozen=True)
class FeedRow:
    """One row a feed sent, in order of arrival; ``size`` 0: an official print, ``stored`` False: not stored."""

    center: int
    size: int
    time: int
    stored: bool


@dataclass(frozen=True)
class Loss:
    """What is missing from the stored rows, told by someone who saw all of them."""

    missing_volume: int
    holes: int
    possibly_lost: int
    out_of_order: int


def numbered(rows: Sequence[FeedRow]) -> list[tuple[int, int]]:
    """Tick id and total volume that the feed gives each row."""
    counts: dict[int, int] = {}
    total = 0
    found = []
    for row in rows:
        counts[row.center] = counts.get(row.center, 0) + 1
        total += row.size
        found.append((counts[row.center], total))
    return found


def loss(rows: Sequence[FeedRow]) -> Loss:
    """Rows lost before the last stored one, as far as the counters of stored rows can show it."""
    stored = [n for n, row in enumerate(rows) if row.stored]
    gone = [n for n, row in enumerate(rows) if not row.stored and stored and n < stored[-1]]
    holes = possibly_lost = 0
    for center in {row.center for row in rows}:
        own = [n for n in stored if rows[n].center == center]
        for before, after in zip([-1, *own][: len(own)], own, strict=True):
            missing = [n for n in gone if rows[n].center == center and before < n < after]
            holes += len(missing)
            if any(rows[n].size for n in gone if before < n < after):
                possibly_lost += len(missing)
    out_of_order = sum(any(rows[m].time > rows[n].time for m in stored if m < n) for n in stored)
    return Loss(sum(rows[n].size for n in gone), holes, possibly_lost, out_of_order)


def silent_minutes(times_ns: Sequence[int], start_ns: int, end_ns: int) -> list[int]:
    """Numbers of the minutes of the session, from 0, in which there is no tick."""
    heard = {(time - start_ns) // MINUTE_NS for time in times_ns if start_ns <= time < end_ns}
    return sorted(set(range((end_ns - start_ns) // MINUTE_NS)) - heard)


def counted(ticks: Mapping[str, Any], regular: int) -> list[dict[str, Any]]:
    """The counted ticks of the regular session, each as a mapping."""
    names = list(ticks)
    rows = zip(*(ticks[name].tolist() for name in names), strict=True)
    whole = [dict(zip(names, row, strict=True)) for row in rows]
    return [tick for tick in whole if tick["session"] == regular and tick["counts_volume"]]


def realised_volatility(ticks: Sequence[Mapping[str, Any]], start_ns: int, end_ns: int, step_ns: int) -> float:
    """From the first price-setting price over the last one of every interval; closing prints belong to the last."""
    priced = [tick for tick in ticks if tick["is_qualified"]]
    last_interval = (end_ns - start_ns) // step_ns - 1
    closes: dict[int, float] = {}
    for tick in priced:
        closes[min((tick["timestamp"] - start_ns) // step_ns, last_interval)] = tick["price"]
    prices = [priced[0]["price"], *(closes[interval] for interval in sorted(closes))]
    return math.sqrt(math.fsum(math.log(b / a) ** 2 for a, b in itertools.pairwise(prices)))


def minute_volatility(ticks: Sequence[Mapping[str, Any]], start_ns: int, end_ns: int) -> float:
    """Root mean square 1-minute return; a minute without a price keeps the one before."""
    priced = [tick for tick in ticks if tick["is_qualified"]]
    last = (end_ns - start_ns) // MINUTE_NS - 1
    closes = {min((tick["timestamp"] - start_ns) // MINUTE_NS, last): tick["price"] for tick in priced}
    first = min(closes)
    prices = [priced[0]["price"]]
    for minute in range(first, last + 1):
        prices.append(closes.get(minute, prices[-1]))
    squares = [math.log(b / a) ** 2 for a, b in itertools.pairwise(prices)]
    return math.sqrt(math.fsum(squares) / len(squares))


def middle(tick: Mapping[str, Any]) -> float | None:
    """Midpoint of a usable quote."""
    return (tick["bid"] + tick["ask"]) / 2 if 0 < tick["bid"] <= tick["ask"] else None


def trades_at_horizon(
    ticks: Sequence[Mapping[str, Any]], horizon_s: int, end_ns: int
) -> list[tuple[Mapping[str, Any], float, float, float]]:
    """Trades known at a horizon: the tick, its midpoint, realised spread and price impact [USD]."""
    quoted = [(tick["timestamp"], mid) for tick in ticks if (mid := middle(tick)) is not None]
    times = [time for time, _ in quoted]
    found = []
    for tick in ticks:
        own, until = middle(tick), tick["timestamp"] + horizon_s * 10**9
        if own is None or not tick["trade_sign"] or until > end_ns:
            continue
        later = quoted[bisect.bisect_right(times, until) - 1][1]
        side = 2 * tick["trade_sign"]
        found.append((tick, own, side * (tick["price"] - later), side * (later - own)))
    return found


def by_minute(values: Sequence[tuple[int, float]], start_ns: int, minutes: int) -> list[float | None]:
    """Mean of the values of each minute, None without any; those after the last minute belong to it."""
    members: list[list[float]] = [[] for _ in range(minutes)]
    for time, value in values:
        members[min((time - start_ns) // MINUTE_NS, minutes - 1)].append(value)
    return [math.fsum(inside) / len(inside) if inside else None for inside in members]

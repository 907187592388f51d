"""What the loopback server serves: replies made from any source of ticks.

Belongs here: which days and rows a request means, and the time bars a feed would make of the ticks. Nothing here
knows sockets. Measured on captures: time bars are made of ticks with basis C or E. Daily bars are the source's own:
bars made here would agree with the ticks whatever is wrong with them.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.errors import NoDataError
from fuzzy_pipeline.schema.arrays import Arrays, take
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.sources.iqfeed.messages import data_lines
from fuzzy_pipeline.sources.iqfeed.requests import (
    DailyBetween,
    DailyLatest,
    DayFilter,
    HistoryRequest,
    IntervalsBetween,
    IntervalsDays,
    IntervalsLatest,
    TicksBetween,
    TicksDays,
    TicksLatest,
    Window,
)
from fuzzy_pipeline.sources.iqfeed.tick_encoding import EncodedTicks, encode_ticks, price_text
from fuzzy_pipeline.sources.protocol import TickSource

CACHE_BYTES = 256 << 20
RECENT_DATES = 5
MOST_DATES = 400
DAY_S = 86_400

TickRequest = TicksLatest | TicksDays | TicksBetween
IntervalRequest = IntervalsLatest | IntervalsDays | IntervalsBetween
DailyRequest = DailyLatest | DailyBetween


@dataclass(frozen=True, slots=True)
class ServedDay:
    """The ticks of a symbol-day with their encoded lines."""

    columns: Arrays
    encoded: EncodedTicks

    @property
    def seconds(self) -> NDArray[np.int64]:
        """Wall-clock seconds since 1970-01-01 of each tick [s]: the resolution of a request's bounds."""
        seconds: NDArray[np.int64] = self.columns["date"].view(np.int64) * DAY_S + self.columns["time"] // 1_000_000
        return seconds


class ServedMarket:
    """Replies to history requests from a source of ticks.

    A source may have a method ``dates(symbol)`` telling the dates it can serve. Without it, open-ended
    requests see the last ``RECENT_DATES`` trading dates, and others at most the newest ``MOST_DATES`` days of
    their range. The source is called from one thread at a time.
    """

    def __init__(self, source: TickSource, now: Callable[[], dt.datetime], cache_bytes: int = CACHE_BYTES) -> None:
        self.source = source
        self._now = now
        self._lock = threading.Lock()
        self._cache: OrderedDict[tuple[str, dt.date], ServedDay | None] = OrderedDict()
        self._cache_bytes = cache_bytes

    def ticks(self, request: TickRequest, prefix: str) -> bytes:
        """The tick lines asked for; empty when there are none."""
        pieces = []
        left = request.max_points
        for day in self._days_newest_first(request):
            rows = np.flatnonzero(_in_bounds(request, day.seconds))
            rows = rows if left is None else rows[max(0, len(rows) - left) :]
            left = None if left is None else left - len(rows)
            pieces.append(day.encoded.lines(rows if request.ascending else rows[::-1], prefix))
            if left == 0:
                break
        return b"".join(reversed(pieces) if request.ascending else pieces)

    def intervals(self, request: IntervalRequest, prefix: str) -> bytes:
        """The lines of time bars asked for: those that begin within the bounds, always of all their ticks."""
        rows: list[tuple[str, ...]] = []
        for day in self._days_newest_first(request):
            bars = interval_bars(day.columns, request.interval)
            kept = take(bars, _in_bounds(request, bars["begin"]))
            rows = _interval_rows(kept, 0 if request.label_at_begin in (None, True) else request.interval) + rows
            if request.max_points is not None and len(rows) >= request.max_points:
                break
        return data_lines(prefix, _limited(rows, request))

    def daily(self, request: DailyRequest, prefix: str) -> bytes:
        """The lines of daily bars asked for; empty when the source has none."""
        newest_first: list[tuple[str, ...]] = []
        for date in reversed(self._dates(request.symbol, *self._date_range(request))):
            bar = self._daily_bar(request.symbol, date)
            if bar is not None:
                newest_first.append(_daily_row(date, bar))
            if len(newest_first) == request.max_points:
                break
        return data_lines(prefix, newest_first[::-1] if request.ascending else newest_first)

    def _days_newest_first(self, request: HistoryRequest) -> Iterator[ServedDay]:
        for date in reversed(self._dates(request.symbol, *self._date_range(request))):
            day = self._day(request.symbol, date)
            if day is not None:
                yield day

    def _date_range(self, request: HistoryRequest) -> tuple[dt.date | None, dt.date | None]:
        today = self._now().date()
        if isinstance(request, Window):
            return (request.begin and request.begin.date()), (request.end and request.end.date())
        if isinstance(request, TicksDays | IntervalsDays):
            return today - dt.timedelta(days=request.days - 1), today
        if isinstance(request, DailyBetween):
            return request.first_date, request.last_date
        return None, None

    def _dates(self, symbol: str, first: dt.date | None, last: dt.date | None) -> list[dt.date]:
        """The dates to look at, in order."""
        listed = getattr(self.source, "dates", None)
        if listed is not None:
            with self._lock:
                dates = sorted(listed(symbol))
            return [date for date in dates if (first or dt.date.min) <= date <= (last or dt.date.max)]
        last = last or self._now().date()
        if first is None:
            return list(trading_calendar.trading_dates_before(last + dt.timedelta(days=1), RECENT_DATES))
        span = min((last - first).days + 1, MOST_DATES)
        return [last - dt.timedelta(days=back) for back in range(span - 1, -1, -1)]

    def _day(self, symbol: str, date: dt.date) -> ServedDay | None:
        """The day's ticks, from the cache when it has them; None when the source has no data."""
        key = (symbol, date)
        with self._lock:
            if key in self._cache:
                self._cache.move_to_end(key)
                return self._cache[key]
            try:
                columns = self.source.fetch_ticks(symbol, date).columns
                day = ServedDay(columns, encode_ticks(columns))
            except NoDataError:
                day = None
            if date < self._now().date():
                self._remember(key, day)
            return day

    def _daily_bar(self, symbol: str, date: dt.date) -> SourceDailyBar | None:
        with self._lock:
            try:
                return self.source.daily_bar(symbol, date)
            except NoDataError:
                return None

    def _remember(self, key: tuple[str, dt.date], day: ServedDay | None) -> None:
        self._cache[key] = day
        sizes = [len(held.encoded.body) for held in self._cache.values() if held is not None]
        while len(self._cache) > 1 and sum(sizes) > self._cache_bytes:
            _, dropped = self._cache.popitem(last=False)
            if dropped is not None:
                sizes.pop(0)


def interval_bars(columns: Arrays, seconds: int) -> dict[str, NDArray[Any]]:
    """Time bars of ``seconds`` [s], anchored on midnight, of the ticks with basis C or E.

    ``begin`` is in wall-clock seconds since 1970-01-01 [s]; ``total_volume`` is that of the bar's last
    qualifying tick. Windows without such a tick give no bar.
    """
    qualified = np.isin(columns["last_type"], [b"C", b"E"])
    ticks = take(columns, qualified)
    begin = ticks["date"].view(np.int64) * DAY_S + ticks["time"] // (seconds * 1_000_000) * seconds
    order = np.argsort(begin, kind="stable")
    ticks, begin = take(ticks, order), begin[order]
    starts = np.flatnonzero(np.diff(begin, prepend=-1)) if len(begin) else np.empty(0, dtype=np.int64)
    if len(starts) == 0:
        names = ("begin", "high", "low", "open", "close", "total_volume", "volume")
        return {name: np.empty(0, dtype=np.int64) for name in names}
    ends = np.append(starts[1:], len(begin)) - 1
    return {
        "begin": begin[starts],
        "high": np.maximum.reduceat(ticks["last"], starts),
        "low": np.minimum.reduceat(ticks["last"], starts),
        "open": ticks["last"][starts],
        "close": ticks["last"][ends],
        "total_volume": ticks["tot_vlm"][ends],
        "volume": np.add.reduceat(ticks["last_sz"], starts),
    }


def _daily_row(date: dt.date, bar: SourceDailyBar) -> tuple[str, ...]:
    prices = (price_text(price) for price in (bar.high, bar.low, bar.open, bar.close))
    return (str(date), *prices, str(bar.volume), "0")


def _interval_rows(bars: Arrays, label_offset: int) -> list[tuple[str, ...]]:
    stamps = [str(stamp).replace("T", " ") for stamp in (bars["begin"] + label_offset).astype("datetime64[s]")]
    prices = [[price_text(price) for price in bars[name]] for name in ("high", "low", "open", "close")]
    volumes = [bars[name].astype(str).tolist() for name in ("total_volume", "volume")]
    return list(zip(stamps, *prices, *volumes, ["0"] * len(stamps), strict=True))


def _limited(rows: list[tuple[str, ...]], request: HistoryRequest) -> list[tuple[str, ...]]:
    """The newest ``max_points`` rows in the order asked for."""
    newest = rows if request.max_points is None else rows[-request.max_points :]
    return newest if request.ascending else newest[::-1]


def _in_bounds(request: HistoryRequest, seconds: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which wall-clock seconds are within the request's window and its filter of the time of day."""
    kept = np.ones(len(seconds), dtype=bool)
    if isinstance(request, Window):
        if request.begin is not None:
            kept &= seconds >= _wall_seconds(request.begin)
        if request.end is not None:
            kept &= seconds <= _wall_seconds(request.end)
    if isinstance(request, DayFilter):
        if request.begin_filter is not None:
            kept &= seconds % DAY_S >= _second_of_day(request.begin_filter)
        if request.end_filter is not None:
            kept &= seconds % DAY_S <= _second_of_day(request.end_filter)
    return kept


def _wall_seconds(instant: dt.datetime) -> int:
    return (instant.date() - dt.date(1970, 1, 1)).days * DAY_S + _second_of_day(instant.time())


def _second_of_day(time: dt.time) -> int:
    return (time.hour * 60 + time.minute) * 60 + time.second

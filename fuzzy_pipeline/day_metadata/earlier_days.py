"""Phase 1 of a symbol's earlier dates as arrays, aligned to the trading dates before a date.

Belongs here: the one way from stored day records to what later dates are compared with. It cannot hold a record of the
date itself or of a later one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from fuzzy_pipeline.schema.records import arrow_schema_of

LONGEST_WINDOW = 252
"""Trading dates before a date that are looked at; older ones are ignored."""

EARLIER_COLUMNS: tuple[str, ...] = (
    "symbol",
    "date",
    "basic_stats",
    "spread_stats",
    "trade_classification",
    "liquidity_profile",
    "execution_quality",
    "intraday_evolution",
    "venue_analysis",
    "yardsticks",
)
"""The columns of phase 1 that are read; rows may lack any but ``symbol`` and ``date``: then it is not known."""

_MINUTE_IMPACTS = ("yardsticks", "minute_impact_60s_bps")
_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Hours:
    """Hourly buckets of several dates, one below the other: arrays of [n_buckets].

    ``date_index`` int64 position in the trading dates, ``minutes_from_open`` and ``minutes`` int64 start and length of
    the bucket, ``session_minutes`` int64 length of the date's session [min]; ``spread`` [USD], ``volume_pct`` [1] and
    ``volatility`` [1] float64, NaN where not known.
    """

    date_index: NDArray[np.int64]
    minutes_from_open: NDArray[np.int64]
    minutes: NDArray[np.int64]
    session_minutes: NDArray[np.int64]
    spread: NDArray[np.float64]
    volume_pct: NDArray[np.float64]
    volatility: NDArray[np.float64]


class EarlierDays:
    """Phase 1 of one symbol on the trading dates before a date.

    Every array is in order of time. A value that is not known (no record, a null, a record from before the field was
    there) is NaN.
    """

    def __init__(
        self,
        before: dt.date,
        trading_dates: tuple[dt.date, ...],
        symbol: str | None,
        columns: dict[str, pa.Array],
        position: NDArray[np.int64],
    ) -> None:
        """``columns`` by name in order of date, and where each row stands in ``trading_dates`` (``from_table``)."""
        self.before = before
        self.trading_dates = trading_dates
        self.symbol = symbol
        self._columns = columns
        self._position = position
        self._values: dict[str, NDArray[np.float64]] = {}

    @classmethod
    def from_table(cls, rows: pa.Table | None, before: dt.date, trading_dates: Sequence[dt.date]) -> EarlierDays:
        """Read the stored records of one symbol.

        Parameters
        ----------
        rows : pa.Table or None
            Phase 1 rows in any order, at least ``symbol`` and ``date``; None when nothing is stored. Whether records
            of older versions are among them is for the caller to say.
        before : date
            The date that will be compared: no row may be of it or later.
        trading_dates : sequence of date
            Every trading date of the window before it, oldest first; the last 252 count, and rows from before them
            are ignored.

        Returns
        -------
        EarlierDays

        Raises
        ------
        ValueError
            Rows or trading dates of ``before`` or later, of more than one symbol, twice the same date, or a date
            within the window that is not one of its trading dates; trading dates out of order.

        Examples
        --------
        Volume of two of three dates:

        >>> volumes = pa.table({
        ...     "symbol": ["KO", "KO"], "date": [dt.date(2024, 5, 6), dt.date(2024, 5, 8)],
        ...     "basic_stats": [{"volume_total": 300}, {"volume_total": 500}]})
        >>> window = [dt.date(2024, 5, 6), dt.date(2024, 5, 7), dt.date(2024, 5, 8)]
        >>> EarlierDays.from_table(volumes, dt.date(2024, 5, 9), window).values("basic_stats.volume_total")
        array([300.,  nan, 500.])
        """
        window = tuple(trading_dates)
        if any(later <= earlier for earlier, later in pairwise(window)):
            raise ValueError("trading dates are in order of time, each once")
        if window and window[-1] >= before:
            raise ValueError(f"{window[-1]} is not before {before}")
        window = window[-LONGEST_WINDOW:]
        if rows is None or rows.num_rows == 0:
            return cls(before, window, None, {}, np.zeros(0, dtype=np.int64))
        symbols = pc.unique(rows["symbol"]).to_pylist()
        if len(symbols) > 1:
            raise ValueError(f"rows of {len(symbols)} symbols: {', '.join(map(str, symbols))}")
        order, position = _positions(_days(rows["date"]), before, window)
        is_in_order = len(order) == rows.num_rows and bool((order[1:] > order[:-1]).all())
        columns = {
            name: _one_array(rows[name]) if is_in_order else _one_array(rows[name]).take(order)
            for name in EARLIER_COLUMNS
            if name in rows.column_names and name not in ("symbol", "date")
        }
        return cls(before, window, symbols[0], columns, position)

    @property
    def n_trading_dates(self) -> int:
        """Trading dates of the window."""
        return len(self.trading_dates)

    @property
    def dates(self) -> tuple[dt.date, ...]:
        """Those of the trading dates that have a record."""
        return tuple(self.trading_dates[position] for position in self._position.tolist())

    def check_key(self, symbol: str, date: dt.date) -> None:
        """``ValueError`` unless these are the dates before ``date``, and the records are of ``symbol``."""
        if date != self.before:
            raise ValueError(f"{symbol} {date} cannot be compared with the dates before {self.before}")
        if self.symbol not in (None, symbol):
            raise ValueError(f"{symbol} cannot be compared with the earlier dates of {self.symbol}")

    def stored(self, dates: int) -> int:
        """How many of the last ``dates`` trading dates have a record."""
        return int(np.count_nonzero(self._position >= self._start(dates)))

    def values(self, name: str) -> NDArray[np.float64]:
        """A field of phase 1 on every trading date of the window.

        Parameters
        ----------
        name : str
            Number inside a group: ``basic_stats.volume_total``.

        Returns
        -------
        float64[n_trading_dates]
            Read-only; NaN where not known.

        Raises
        ------
        KeyError
            Phase 1 has no such number.
        """
        found = self._values.get(name)
        if found is None:
            if name not in _numbers():
                raise KeyError(f"{name} is no number of a group of phase 1 that is read here")
            group, _, field = name.partition(".")
            found = np.full(self.n_trading_dates, np.nan)
            if group in self._columns:
                found[self._position] = _numbers_of(self._columns[group], field)
            found.flags.writeable = False
            self._values[name] = found
        return found

    def window(self, name: str, dates: int) -> NDArray[np.float64]:
        """The known values of the last ``dates`` trading dates: float64[n], n at most ``dates``."""
        last = self.values(name)[self._start(dates) :]
        known: NDArray[np.float64] = last[~np.isnan(last)]
        return known

    def latest(self, name: str, dates: int) -> NDArray[np.float64]:
        """The last ``dates`` known values of the whole window, however old: float64[n], n at most ``dates``."""
        if dates < 1:
            raise ValueError(f"at least one date, not {dates}")
        return self.window(name, max(self.n_trading_dates, 1))[-dates:]

    def minute_impacts(self, dates: int = LONGEST_WINDOW) -> list[NDArray[np.float64]]:
        """Mean price impact at 60 s of each minute, for the stored ones of the last ``dates`` trading dates.

        Returns
        -------
        list of float64[n_minutes]
            NaN for a minute where not known; a date without the field is left out. [bps]
        """
        group, field = _MINUTE_IMPACTS
        lists = _field(self._columns.get(group), field)
        if lists is None:
            return []
        recent = lists.filter(pa.array(self._position >= self._start(dates)))
        recent = recent.filter(recent.is_valid())
        flat = _floats(recent.flatten())
        ends = np.cumsum(recent.value_lengths().to_numpy(zero_copy_only=False), dtype=np.int64)
        return np.split(flat, ends[:-1]) if len(ends) else []

    def hours(self, dates: int = LONGEST_WINDOW) -> Hours:
        """Hourly buckets of the stored ones of the last ``dates`` trading dates."""
        lists = self._columns.get("intraday_evolution")
        if lists is None:
            nothing, unknown = np.zeros(0, dtype=np.int64), np.zeros(0)
            return Hours(nothing, nothing, nothing, nothing, unknown, unknown, unknown)
        recent = self._position >= self._start(dates)
        lists = lists.filter(pa.array(recent))
        row = pc.list_parent_indices(lists).to_numpy().astype(np.int64)
        buckets = lists.flatten()
        start, end = (pc.struct_field(buckets, name).cast(pa.int64()).to_numpy() for name in ("start", "end"))
        first, last = (np.searchsorted(row, row, side=side) for side in ("left", "right"))
        opening, closing = start[first], end[last - 1]
        return Hours(
            self._position[recent][row],
            (start - opening) // _MINUTE_US,
            (end - start) // _MINUTE_US,
            (closing - opening) // _MINUTE_US,
            *(_numbers_of(buckets, name) for name in ("spread", "volume_pct", "volatility")),
        )

    def _start(self, dates: int) -> int:
        """Position of the first of the last ``dates`` trading dates."""
        if dates < 1:
            raise ValueError(f"at least one date, not {dates}")
        return max(self.n_trading_dates - dates, 0)


def _days(dates: pa.ChunkedArray) -> NDArray[np.datetime64]:
    found: NDArray[np.datetime64] = dates.cast(pa.date32()).to_numpy().astype("datetime64[D]")
    return found


def _positions(
    days: NDArray[np.datetime64], before: dt.date, window: tuple[dt.date, ...]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows within the window in order of date, and where their dates stand in it."""
    late = days >= np.datetime64(before)
    if late.any():
        raise ValueError(f"a record of {days[late].min()} is not of before {before}")
    trading = np.array(window, dtype="datetime64[D]")
    order = np.argsort(days, kind="stable")
    order = order[days[order] >= trading[0]] if window else order[:0]
    days = days[order]
    if (days[1:] == days[:-1]).any():
        raise ValueError(f"two records of {days[1:][days[1:] == days[:-1]][0]}")
    position = np.searchsorted(trading, days)
    strange = trading[np.minimum(position, len(trading) - 1)] != days if window else np.zeros(0, dtype=bool)
    if strange.any():
        raise ValueError(f"a record of {days[strange][0]}, which is none of the trading dates")
    return order, position.astype(np.int64)


@cache
def _numbers() -> frozenset[str]:
    """Dotted names of the numbers inside the groups that are read."""
    schema = arrow_schema_of(DayMetadataPhase1)
    return frozenset(
        f"{group.name}.{field.name}"
        for group in schema
        if group.name in EARLIER_COLUMNS and pa.types.is_struct(group.type)
        for field in group.type
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    )


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole.chunk(0) if isinstance(whole, pa.ChunkedArray) else whole


def _field(group: pa.Array | None, name: str) -> pa.Array | None:
    """A field of a struct, null where the struct is; None when there is no struct or it lacks the field."""
    if group is None or not pa.types.is_struct(group.type) or group.type.get_field_index(name) < 0:
        return None
    return pc.struct_field(group, name)


def _numbers_of(group: pa.Array, name: str) -> NDArray[np.float64]:
    field = _field(group, name)
    return np.full(len(group), np.nan) if field is None else _floats(field)


def _floats(numbers: pa.Array) -> NDArray[np.float64]:
    found: NDArray[np.float64] = numbers.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return found

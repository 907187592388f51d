"""Tick lines to arrays: one compiled pass over the bytes, no Python object per line or field.

Belongs here: the kernel that reads tick lines, the decoder that feeds it chunks, and nothing about sockets.

A tick line is ``[id,][LH,]time,last,size,total volume,bid,ask,tick id,basis,market centre,conditions,
aggressor,day code,`` and CRLF. Prices are decimal text; a mantissa of at most 15 digits divided by a power of
ten up to 10**22 is the correctly rounded double (both are exact), hence equal to ``float(text)``. Longer ones
are left to ``float`` itself.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.sources.iqfeed.messages import WireProtocol
from fuzzy_pipeline.sources.iqfeed.replies import ReplyDecoder

RAW_DTYPES = {column.name: np.dtype(column.dtype) for column in RAW_TICKS.columns}

FIRST_CAPACITY = 4096
_LONG_PRICES = 1024

# What the kernel stopped for.
_READ, _FULL, _NOT_A_TICK = 0, 1, 2
_BAD_TIME, _BAD_PRICE, _BAD_NUMBER, _BAD_BASIS, _BAD_CONDITIONS, _BAD_TAIL, _BAD_END = 10, 11, 12, 13, 14, 15, 16
_REASONS = {
    _BAD_TIME: "the time is not YYYY-MM-DD HH:MM:SS.ffffff",
    _BAD_PRICE: "a price is not a decimal number, or the field is missing",
    _BAD_NUMBER: "a size, volume, tick id or market centre is not a whole number in range, or the field is missing",
    _BAD_BASIS: "the basis for last is not one of C, E, O, S",
    _BAD_CONDITIONS: "the conditions are not up to four pairs of hex digits",
    _BAD_TAIL: "the aggressor is not 0 to 3, or the day code not 1 to 31",
    _BAD_END: "the line does not end in a comma and CRLF after its twelfth field",
}

_COMMA, _DOT, _MINUS, _SPACE, _COLON, _ZERO, _NINE, _CR, _LF = 44, 46, 45, 32, 58, 48, 57, 13, 10
_POWERS = 10.0 ** np.arange(23)
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


class TickDecoder(ReplyDecoder):
    """Reads a tick reply (HTX, HTD, HTT) from chunks cut anywhere."""

    def __init__(self, protocol: WireProtocol, request_id: str = "", **options: Any) -> None:
        super().__init__(protocol, request_id, **options)
        self._prefix_bytes = np.frombuffer(self._prefix, dtype=np.uint8)
        self._columns = {name: np.empty(FIRST_CAPACITY, dtype) for name, dtype in RAW_DTYPES.items()}
        self._long_prices = np.empty((_LONG_PRICES, 4), dtype=np.int64)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """The 14 columns of ``schema.RAW_TICKS`` in wire order; an empty price field is NaN."""
        return {name: column[: self.lines].copy() for name, column in self._columns.items()}

    def _decode_data_lines(self, data: bytes, at: int, stop: int) -> int:
        if self.finished:
            return at
        buffer = np.frombuffer(data, dtype=np.uint8)
        while True:
            self.lines, at, status, long_prices = _decode(
                buffer, at, stop, self._prefix_bytes, self._long_prices, self.lines, *_kernel_views(self._columns)
            )
            self._read_long_prices(data, long_prices)
            if status == _FULL:
                self._grow()
            elif status in (_READ, _NOT_A_TICK):
                return int(at)
            else:
                raise self.malformed(data[at : data.index(b"\n", at) + 1], _REASONS[status])

    def _read_long_prices(self, data: bytes, count: int) -> None:
        for row, column, first, after in self._long_prices[:count].tolist():
            self._columns[("last", "bid", "ask")[column]][row] = float(data[first:after])

    def _grow(self) -> None:
        if self.lines < len(self._columns["time"]):
            return
        for name, column in self._columns.items():
            larger = np.empty(2 * len(column), column.dtype)
            larger[: len(column)] = column
            self._columns[name] = larger


def decode_ticks(data: bytes, protocol: WireProtocol, request_id: str = "") -> dict[str, NDArray[Any]]:
    """The 14 columns of bare tick lines, as a capture holds them (no end line).

    Raises
    ------
    ProtocolError
        A line is malformed or cut; names its number and text.
    """
    decoder = TickDecoder(protocol, request_id, context="captured lines")
    decoder.feed(data)
    decoder.close(end_line=False)
    return decoder.arrays()


def _kernel_views(columns: dict[str, NDArray[Any]]) -> list[NDArray[Any]]:
    """The columns in schema order with types the kernel knows: dates as days since 1970, the basis as a byte."""
    views = {"date": np.int64, "last_type": np.uint8}
    return [column.view(views[name]) if name in views else column for name, column in columns.items()]


@njit(cache=True, nogil=True)
def _digits(buffer, at, count):  # type: ignore[no-untyped-def]
    """Exactly ``count`` digits as a number, or -1."""
    value = np.int64(0)
    for i in range(at, at + count):
        digit = np.int64(buffer[i]) - _ZERO
        if digit < 0 or digit > 9:
            return -1
        value = value * 10 + digit
    return value


@njit(cache=True, nogil=True)
def _days(year, month, day):  # type: ignore[no-untyped-def]
    """Days from 1970-01-01 to a Gregorian date, or a number below any real one when there is no such date."""
    if year < 1 or month < 1 or month > 12 or day < 1:
        return -10_000_000
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if day > _MONTH_DAYS[month] + (1 if leap and month == 2 else 0):
        return -10_000_000
    # Years from March, so that the leap day is the last of its year.
    shifted = year - (1 if month <= 2 else 0)
    era_year = shifted % 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    day_of_era = era_year * 365 + era_year // 4 - era_year // 100 + day_of_year
    return shifted // 400 * 146_097 + day_of_era - 719_468


@njit(cache=True, nogil=True)
def _timestamp(buffer, at, stop):  # type: ignore[no-untyped-def]
    """Days since 1970, µs since midnight and the position after the comma; position -1 when malformed."""
    if at + 20 >= stop:
        return 0, 0, -1
    days = _days(_digits(buffer, at, 4), _digits(buffer, at + 5, 2), _digits(buffer, at + 8, 2))
    hour, minute, second = _digits(buffer, at + 11, 2), _digits(buffer, at + 14, 2), _digits(buffer, at + 17, 2)
    separators = (
        buffer[at + 4] == _MINUS
        and buffer[at + 7] == _MINUS
        and buffer[at + 10] == _SPACE
        and buffer[at + 13] == _COLON
        and buffer[at + 16] == _COLON
    )
    in_range = 0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60
    if not separators or not in_range or days < -1_000_000:
        return 0, 0, -1
    at += 19
    fraction, unit = np.int64(0), 1_000_000
    if buffer[at] == _DOT:
        at += 1
        while unit > 1 and buffer[at] >= _ZERO and buffer[at] <= _NINE:
            unit //= 10
            fraction += (np.int64(buffer[at]) - _ZERO) * unit
            at += 1
        if unit == 1_000_000:
            return 0, 0, -1
    if buffer[at] != _COMMA:
        return 0, 0, -1
    return days, ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction, at + 1


@njit(cache=True, nogil=True)
def _whole(buffer, at):  # type: ignore[no-untyped-def]
    """A whole number of up to 18 digits and the position after its comma; position -1 when malformed."""
    first = at
    value = np.int64(0)
    while buffer[at] >= _ZERO and buffer[at] <= _NINE:
        value = value * 10 + (np.int64(buffer[at]) - _ZERO)
        at += 1
    if at == first or at - first > 18 or buffer[at] != _COMMA:
        return value, -1
    return value, at + 1


@njit(cache=True, nogil=True)
def _price(buffer, at):  # type: ignore[no-untyped-def]
    """A price, the position after its comma (-1 when malformed), and whether it has too many digits to be exact."""
    negative = buffer[at] == _MINUS
    if negative:
        at += 1
    first = at
    mantissa = np.int64(0)
    digits, significant, decimals = 0, 0, 0
    point = False
    while True:
        char = np.int64(buffer[at])
        if _ZERO <= char <= _NINE:
            digits += 1
            if significant > 0 or char != _ZERO:
                significant += 1
            if significant <= 15:
                mantissa = mantissa * 10 + (char - _ZERO)
            if point:
                decimals += 1
        elif char == _DOT and not point:
            point = True
        else:
            break
        at += 1
    if char != _COMMA:
        return 0.0, -1, False
    if digits == 0:
        return np.nan, (at + 1 if at == first and not negative else -1), False
    if significant > 15 or decimals > 22:
        return 0.0, at + 1, True
    value = np.float64(mantissa) / _POWERS[decimals]
    return (-value if negative else value), at + 1, False


@njit(cache=True, nogil=True)
def _hex_digit(char):  # type: ignore[no-untyped-def]
    """Value of a hex digit, or -1."""
    value = np.int64(char)
    if _ZERO <= value <= _NINE:
        return value - _ZERO
    value |= 32
    return value - 87 if 97 <= value <= 102 else -1


@njit(cache=True, nogil=True)
def _is_basis(char):  # type: ignore[no-untyped-def]
    return char in (67, 69, 79, 83)


@njit(cache=True, nogil=True)
def _decode(  # type: ignore[no-untyped-def]
    buffer, at, stop, prefix, long_prices, row,
    tick_id, date, time, last, last_sz, last_type, mkt_ctr, tot_vlm, bid, ask, cond1, cond2, cond3, cond4,
):  # fmt: skip
    """Read tick lines from ``at`` to ``stop`` (just after a line feed) into the columns from ``row`` on.

    Returns the next row, the position of the first line not read, why reading stopped, and how many prices were
    left to the caller as (row, price column, first byte, byte after the last) in ``long_prices``. No parser
    passes a line feed, so none leaves the buffer.
    """
    longs = 0
    conditions = np.zeros(4, dtype=np.uint8)
    while at < stop:
        if row == len(time) or longs + 3 > len(long_prices):
            return row, at, _FULL, longs
        line = at
        if stop - at < len(prefix) + 1:
            return row, line, _NOT_A_TICK, longs
        for i in range(len(prefix)):
            if buffer[at + i] != prefix[i]:
                return row, line, _NOT_A_TICK, longs
        at += len(prefix)
        if buffer[at] < _ZERO or buffer[at] > _NINE:
            return row, line, _NOT_A_TICK, longs
        date[row], time[row], at = _timestamp(buffer, at, stop)
        if at < 0:
            return row, line, _BAD_TIME, longs
        first = at
        last[row], at, long = _price(buffer, at)
        if at < 0:
            return row, line, _BAD_PRICE, longs
        if long:
            long_prices[longs] = (row, 0, first, at - 1)
            longs += 1
        size, at = _whole(buffer, at)
        if at < 0:
            return row, line, _BAD_NUMBER, longs
        volume, at = _whole(buffer, at)
        if at < 0:
            return row, line, _BAD_NUMBER, longs
        first = at
        bid[row], at, long = _price(buffer, at)
        if at < 0:
            return row, line, _BAD_PRICE, longs
        if long:
            long_prices[longs] = (row, 1, first, at - 1)
            longs += 1
        first = at
        ask[row], at, long = _price(buffer, at)
        if at < 0:
            return row, line, _BAD_PRICE, longs
        if long:
            long_prices[longs] = (row, 2, first, at - 1)
            longs += 1
        identity, at = _whole(buffer, at)
        if at < 0:
            return row, line, _BAD_NUMBER, longs
        if not _is_basis(buffer[at]) or buffer[at + 1] != _COMMA:
            return row, line, _BAD_BASIS, longs
        last_type[row] = buffer[at]
        center, at = _whole(buffer, at + 2)
        if at < 0 or center > 4_294_967_295:
            return row, line, _BAD_NUMBER, longs
        conditions[:] = 0
        pairs = 0
        while buffer[at] != _COMMA:
            high = _hex_digit(buffer[at])
            low = _hex_digit(buffer[at + 1]) if high >= 0 else -1
            if low < 0 or pairs == 4:
                return row, line, _BAD_CONDITIONS, longs
            conditions[pairs] = high * 16 + low
            pairs += 1
            at += 2
        aggressor, at = _whole(buffer, at + 1)
        if at < 0 or aggressor > 3:
            return row, line, _BAD_TAIL, longs
        day_code, at = _whole(buffer, at)
        if at < 0 or day_code < 1 or day_code > 31:
            return row, line, _BAD_TAIL, longs
        if buffer[at] != _CR or buffer[at + 1] != _LF:
            return row, line, _BAD_END, longs
        at += 2
        last_sz[row], tot_vlm[row], tick_id[row], mkt_ctr[row] = size, volume, identity, center
        cond1[row], cond2[row], cond3[row], cond4[row] = conditions[0], conditions[1], conditions[2], conditions[3]
        row += 1
    return row, at, _READ, longs

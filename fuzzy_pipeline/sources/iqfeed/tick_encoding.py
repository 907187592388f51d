"""Arrays to tick lines: what the loopback server sends and tests decode again.

Belongs here: the formatting kernels and the joining of encoded lines into replies. Lines are encoded once
without a prefix (they are then protocol 6.1 without request id) and kept with their offsets; a reply copies
the lines it needs behind its own prefix.

Prices have 4 decimals, as the feed writes them, when that is exact; otherwise the fewest decimals that give
the same double back. The aggressor is 0 and the day code the day of the month, as in captures of 2021.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.errors import SchemaError
from fuzzy_pipeline.schema.arrays import Arrays, length
from fuzzy_pipeline.schema.tables import RAW_TICKS, check_arrays
from fuzzy_pipeline.sources.iqfeed.messages import ENCODING

MIN_DECIMALS, MAX_DECIMALS = 4, 12
_BLOCK = 65_536
_FIXED_BYTES = 192
"""Upper bound [B] of a line: 27 time, 3 × 22 prices, 3 × 19 counts, 2 basis, 11 centre, 9 conditions, 7 tail."""

_LARGEST = 10**18 - 1
_POWERS = 10.0 ** np.arange(23)
_HEX = np.frombuffer(b"0123456789ABCDEF", dtype=np.uint8)
_TEXT, _EMPTY = -1, -2
"""Scales of prices that are text prepared beforehand, and of missing prices."""


@dataclass(frozen=True, slots=True)
class EncodedTicks:
    """Tick lines without prefix: line ``i`` is ``body[offsets[i]:offsets[i + 1]]``."""

    body: NDArray[np.uint8]
    offsets: NDArray[np.int64]

    def lines(self, rows: NDArray[np.int64], prefix: str = "") -> bytes:
        """The lines of the given rows in the given order, each after ``prefix``."""
        start = np.frombuffer(prefix.encode(ENCODING), dtype=np.uint8)
        size = int((self.offsets[rows + 1] - self.offsets[rows]).sum()) + len(rows) * len(start)
        out = np.empty(size, dtype=np.uint8)
        _join(self.body, self.offsets, np.ascontiguousarray(rows, dtype=np.int64), start, out)
        return out.tobytes()

    def __len__(self) -> int:
        return len(self.offsets) - 1


def encode_ticks(columns: Arrays) -> EncodedTicks:
    """Tick lines of the 14 columns of ``schema.RAW_TICKS``; a NaN price is an empty field.

    Raises
    ------
    SchemaError
        The columns are not those of the schema, or a row has a value the wire cannot show.
    """
    check_arrays(RAW_TICKS, columns, "ticks to encode", key_columns=True)
    _check_values(columns)
    rows = length(columns)
    offsets = np.zeros(rows + 1, dtype=np.int64)
    bodies = []
    done = 0
    for first in range(0, rows, _BLOCK):
        block = {name: column[first : first + _BLOCK] for name, column in columns.items()}
        body = _encode_block(block, done, offsets[first + 1 :])
        bodies.append(body)
        done += len(body)
    return EncodedTicks(np.concatenate(bodies) if bodies else np.empty(0, dtype=np.uint8), offsets)


def price_text(price: float) -> str:
    """A price as the wire shows it: 4 decimals when exact, else as many as needed; empty for NaN."""
    if np.isnan(price):
        return ""
    text = f"{price:.4f}"
    return text if float(text) == price else format(Decimal(repr(float(price))), "f")


def _check_values(columns: Arrays) -> None:
    """Refuse what has no form on the wire, naming the first row."""
    days = columns["date"].view(np.int64)
    finite = np.ones(len(days), dtype=bool)
    for name in ("last", "bid", "ask"):
        finite &= ~np.isinf(columns[name])
    rules = {
        "date is outside the years 1 to 9999": (days >= -719_162) & (days <= 2_932_896),
        "time is outside 0 to 24 h": (columns["time"] >= 0) & (columns["time"] < 86_400_000_000),
        "a price is infinite": finite,
        "last_type is not one of C, E, O, S": np.isin(columns["last_type"], [b"C", b"E", b"O", b"S"]),
        "a count has more than 18 digits": (columns["last_sz"] <= _LARGEST)
        & (columns["tot_vlm"] <= _LARGEST)
        & (columns["tick_id"] <= _LARGEST),
    }
    for rule, holds in rules.items():
        if not holds.all():
            raise SchemaError(f"ticks to encode: row {int(np.argmin(holds))}: {rule}")


def _encode_block(columns: Arrays, base: int, offsets: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Lines of one block; fills ``offsets`` with the end of each line counted from ``base``."""
    rows = length(columns)
    mantissas = np.empty((rows, 3), dtype=np.int64)
    scales = np.empty((rows, 3), dtype=np.int64)
    for place, name in enumerate(("last", "bid", "ask")):
        _split_prices(columns[name], mantissas[:, place], scales[:, place])
    texts, text_ends = _texts(columns, mantissas, scales)
    out = np.empty(rows * _FIXED_BYTES + len(texts), dtype=np.uint8)
    used = _encode(
        columns["tick_id"].astype(np.int64),
        columns["date"].view(np.int64),
        columns["time"],
        columns["last_sz"].astype(np.int64),
        np.ascontiguousarray(columns["last_type"]).view(np.uint8),
        columns["mkt_ctr"].astype(np.int64),
        columns["tot_vlm"].astype(np.int64),
        np.column_stack([columns[f"cond{n}"] for n in (1, 2, 3, 4)]),
        mantissas,
        scales,
        texts,
        text_ends,
        base,
        offsets,
        out,
    )
    return out[:used].copy()


def _texts(columns: Arrays, mantissas: NDArray[Any], scales: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Text of the prices the kernel cannot split; their mantissas become positions in the list."""
    texts: list[bytes] = []
    for row, place in np.argwhere(scales == _TEXT).tolist():
        mantissas[row, place] = len(texts)
        texts.append(price_text(float(columns[("last", "bid", "ask")[place]][row])).encode(ENCODING))
    ends = np.cumsum([0, *(len(text) for text in texts)], dtype=np.int64)
    return np.frombuffer(b"".join(texts), dtype=np.uint8), ends


@njit(cache=True, nogil=True)
def _split_prices(prices, mantissas, scales):  # type: ignore[no-untyped-def]
    """Each price as a whole number and the least number of decimals (at least 4) that give it back exactly."""
    for i in range(len(prices)):
        price = prices[i]
        mantissas[i] = 0
        if np.isnan(price):
            scales[i] = _EMPTY
            continue
        scales[i] = _TEXT
        for decimals in range(MIN_DECIMALS, MAX_DECIMALS + 1):
            scaled = np.rint(price * _POWERS[decimals])
            # Both operands of the quotient are exact doubles, so it is what the text reads as; int64 is the limit.
            if abs(scaled) >= 1e18:
                break
            if scaled / _POWERS[decimals] == price:
                mantissas[i] = np.int64(scaled)
                scales[i] = decimals
                break


@njit(cache=True, nogil=True)
def _put_whole(out, at, value, width):  # type: ignore[no-untyped-def]
    """Write a non-negative number with at least ``width`` digits; the position after it."""
    digits = 1
    rest = value // 10
    while rest > 0:
        digits += 1
        rest //= 10
    digits = max(digits, width)
    for i in range(at + digits - 1, at - 1, -1):
        out[i] = 48 + value % 10
        value //= 10
    return at + digits


@njit(cache=True, nogil=True)
def _put_price(out, at, mantissa, scale, texts, text_ends):  # type: ignore[no-untyped-def]
    """Write a price and its comma; the position after it."""
    if scale == _TEXT:
        for i in range(text_ends[mantissa], text_ends[mantissa + 1]):
            out[at] = texts[i]
            at += 1
    elif scale != _EMPTY:
        if mantissa < 0:
            out[at] = 45
            at += 1
            mantissa = -mantissa
        power = np.int64(_POWERS[scale])
        at = _put_whole(out, at, mantissa // power, 1)
        out[at] = 46
        at = _put_whole(out, at + 1, mantissa % power, scale)
    out[at] = 44
    return at + 1


@njit(cache=True, nogil=True)
def _civil(days):  # type: ignore[no-untyped-def]
    """Year, month and day of a number of days since 1970-01-01 (Gregorian)."""
    shifted = days + 719_468
    era = shifted // 146_097
    day_of_era = shifted - era * 146_097
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return year_of_era + era * 400 + (1 if month <= 2 else 0), month, day


@njit(cache=True, nogil=True)
def _put_time(out, at, year, month, day, micros):  # type: ignore[no-untyped-def]
    """Write ``YYYY-MM-DD HH:MM:SS.ffffff,``; the position after it."""
    at = _put_whole(out, at, year, 4)
    out[at] = 45
    at = _put_whole(out, at + 1, month, 2)
    out[at] = 45
    at = _put_whole(out, at + 1, day, 2)
    out[at] = 32
    seconds = micros // 1_000_000
    at = _put_whole(out, at + 1, seconds // 3600, 2)
    out[at] = 58
    at = _put_whole(out, at + 1, seconds // 60 % 60, 2)
    out[at] = 58
    at = _put_whole(out, at + 1, seconds % 60, 2)
    out[at] = 46
    at = _put_whole(out, at + 1, micros % 1_000_000, 6)
    out[at] = 44
    return at + 1


@njit(cache=True, nogil=True)
def _encode(  # type: ignore[no-untyped-def]
    tick_id, date, time, last_sz, last_type, mkt_ctr, tot_vlm, conditions, mantissas, scales, texts, text_ends,
    base, offsets, out,
):  # fmt: skip
    """Write all lines; returns the bytes used."""
    at = 0
    for row in range(len(time)):
        year, month, day = _civil(date[row])
        at = _put_time(out, at, year, month, day, time[row])
        at = _put_price(out, at, mantissas[row, 0], scales[row, 0], texts, text_ends)
        at = _put_whole(out, at, last_sz[row], 1)
        out[at] = 44
        at = _put_whole(out, at + 1, tot_vlm[row], 1)
        out[at] = 44
        at = _put_price(out, at + 1, mantissas[row, 1], scales[row, 1], texts, text_ends)
        at = _put_price(out, at, mantissas[row, 2], scales[row, 2], texts, text_ends)
        at = _put_whole(out, at, tick_id[row], 1)
        out[at], out[at + 1], out[at + 2] = 44, last_type[row], 44
        at = _put_whole(out, at + 3, mkt_ctr[row], 1)
        out[at] = 44
        at += 1
        codes = 4
        while codes > 0 and conditions[row, codes - 1] == 0:
            codes -= 1
        for place in range(codes):
            code = np.int64(conditions[row, place])
            out[at], out[at + 1] = _HEX[code // 16], _HEX[code % 16]
            at += 2
        out[at], out[at + 1], out[at + 2] = 44, 48, 44
        at = _put_whole(out, at + 3, day, 1)
        out[at], out[at + 1], out[at + 2] = 44, 13, 10
        at += 3
        offsets[row] = base + at
    return at


@njit(cache=True, nogil=True)
def _join(body, offsets, rows, prefix, out):  # type: ignore[no-untyped-def]
    """Copy the lines of ``rows`` into ``out``, each after ``prefix``."""
    at = 0
    for row in rows:
        for i in range(len(prefix)):
            out[at] = prefix[i]
            at += 1
        for i in range(offsets[row], offsets[row + 1]):
            out[at] = body[i]
            at += 1

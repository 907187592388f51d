"""Reply streams: chunks of bytes in, whole replies out, or an error and nothing.

Belongs here: what is common to all replies (lines cut anywhere between chunks, the end line, error lines) and
the replies of few lines, read line by line: bars and code tables. Tick lines have their own, vectorised
decoder in ``tick_decoding``.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.errors import ProtocolError
from fuzzy_pipeline.sources.iqfeed.messages import (
    ENCODING,
    END,
    HISTORY,
    TABLES,
    WireProtocol,
    error_from_text,
    line_prefix,
)

MAX_LINE = 4096
"""Bytes [B] after which a line without an end is taken for something that is not IQFeed."""


class ReplyDecoder:
    """Reads one reply from chunks cut anywhere.

    Parameters
    ----------
    protocol, request_id, message_id
        What every data line starts with.
    context
        Names the request in errors.
    stale
        Lines passed over before the first line of this reply: the end lines that may follow the error of an
        earlier request (some errors have one, some have none).

    Attributes
    ----------
    finished
        The end line was read.
    lines
        Data lines read.
    unread
        After an error line: the bytes behind it, which belong to no reply or to the next.
    """

    def __init__(
        self,
        protocol: WireProtocol,
        request_id: str = "",
        *,
        message_id: str = HISTORY,
        context: str = "reply",
        stale: frozenset[str] = frozenset(),
    ) -> None:
        self.context = context
        self.finished = False
        self.lines = 0
        self.unread = b""
        self._prefix = line_prefix(protocol, request_id, message_id).encode(ENCODING)
        self._id_prefix = line_prefix("6.1", request_id)
        self._stale = stale
        self._carry = b""

    def feed(self, chunk: bytes) -> None:
        """Read the next chunk.

        Raises
        ------
        ProtocolError
            A line is malformed or comes after the end line; names the line's number and text.
        SourceError
            The reply is an error line: the class of that error.
        """
        data = self._carry + chunk
        stop = data.rfind(b"\n") + 1
        self._carry = data[stop:]
        at = 0
        while at < stop:
            at = self._decode_data_lines(data, at, stop)
            if at < stop:
                at = self._control_line(data, at)
        if len(self._carry) > MAX_LINE:
            raise self.malformed(self._carry, f"no line end within {MAX_LINE} bytes")
        if self.finished and self._carry:
            raise self.malformed(self._carry, "bytes after the end of the reply")

    def close(self, *, end_line: bool = True) -> None:
        """State that no more bytes come; a capture of bare data lines has no end line.

        Raises
        ------
        ProtocolError
            The reply is not whole.
        """
        if self._carry:
            raise self.malformed(self._carry, "the line is cut")
        if end_line and not self.finished:
            raise ProtocolError(f"{self.context}: the reply stops after line {self.lines} without its end line")

    def malformed(self, line: bytes, reason: str) -> ProtocolError:
        """The error for the line after those read so far."""
        text = line[:200].decode(ENCODING)
        return ProtocolError(f"{self.context}: line {self.lines + 1} of the reply: {reason}: {text!r}")

    def _decode_data_lines(self, data: bytes, at: int, stop: int) -> int:
        """Read data lines from ``at``; the position of the first line that is none (or ``stop``)."""
        raise NotImplementedError  # each kind of reply has its own data lines: subclasses override this

    def _control_line(self, data: bytes, at: int) -> int:
        """Read the line at ``at``, which is no data line, and return the position after it."""
        after = data.index(b"\n", at) + 1
        line = data[at:after]
        if self.finished:
            raise self.malformed(line, "bytes after the end of the reply")
        if not line.endswith(b"\r\n"):
            raise self.malformed(line, "no carriage return before the line feed")
        text = line[:-2].decode(ENCODING)
        if self.lines == 0 and text in self._stale:
            return after
        if text == f"{self._id_prefix}{END},":
            self.finished = True
            return after
        error = _error_text(text, self._id_prefix)
        if error is not None:
            self.unread = data[after:]
            raise error_from_text(error, self.context)
        raise self.malformed(line, "neither a data line, an error nor the end")


def _error_text(line: str, id_prefix: str) -> str | None:
    """Text of an error line with the request's id or without any; None when it is no error line."""
    for prefix in (f"{id_prefix}E,", "E,"):
        if line.startswith(prefix):
            return line.removeprefix(prefix).rstrip(",")
    return None


def stale_after_error(request_id: str) -> frozenset[str]:
    """The end lines that may still arrive after an error of this request."""
    return frozenset({f"{line_prefix('6.1', request_id)}{END},", f"{END},"})


class RowDecoder(ReplyDecoder):
    """Reads data lines of text fields. ``rows`` holds one list of fields a line."""

    def __init__(self, protocol: WireProtocol, request_id: str = "", *, fields: int, **options: Any) -> None:
        super().__init__(protocol, request_id, **options)
        self.rows: list[list[str]] = []
        self._fields = fields

    def _decode_data_lines(self, data: bytes, at: int, stop: int) -> int:
        while at < stop:
            after = data.index(b"\n", at) + 1
            fields = self._data_fields(data[at:after])
            if fields is None or self.finished:
                break
            self.rows.append(fields)
            self.lines += 1
            at = after
        return at

    def _split(self, line: bytes) -> list[str] | None:
        """The fields of a data line; None when it is no data line."""
        if not line.startswith(self._prefix) or not line.endswith(b",\r\n"):
            return None
        fields = line[len(self._prefix) : -3].decode(ENCODING).split(",")
        return fields if fields[0][:1].isdigit() else None

    def _data_fields(self, line: bytes) -> list[str] | None:
        fields = self._split(line)
        if fields is None:
            return None
        if len(fields) != self._fields:
            raise self.malformed(line, f"{len(fields)} fields instead of {self._fields}")
        return fields


# -- code tables -------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ListedMarket:
    """A row of the SLM reply."""

    id: int
    short: str
    name: str
    group_id: int
    group: str


@dataclass(frozen=True, slots=True)
class CodeEntry:
    """A row of the SST and STC replies; ids are decimal."""

    id: int
    short: str
    name: str


class TableDecoder(RowDecoder):
    """Reads code tables: 5 fields for SLM, 3 for SST and STC. A comma inside the name is part of the name."""

    def __init__(self, protocol: WireProtocol, request_id: str = "", *, fields: int, **options: Any) -> None:
        super().__init__(protocol, request_id, fields=fields, message_id=TABLES, **options)

    def _data_fields(self, line: bytes) -> list[str] | None:
        fields = self._split(line)
        if fields is None or len(fields) < self._fields:
            return super()._data_fields(line)
        after_name = len(fields) - self._fields + 3
        return [*fields[:2], ",".join(fields[2:after_name]), *fields[after_name:]]

    def listed_markets(self) -> dict[int, ListedMarket]:
        """The rows of an SLM reply by id."""
        rows = [
            ListedMarket(self._id(n, row[0]), row[1], row[2], self._id(n, row[3]), row[4])
            for n, row in enumerate(self.rows)
        ]
        return {row.id: row for row in rows}

    def entries(self) -> dict[int, CodeEntry]:
        """The rows of an SST or STC reply by id."""
        rows = [CodeEntry(self._id(n, row[0]), row[1], row[2]) for n, row in enumerate(self.rows)]
        return {row.id: row for row in rows}

    def _id(self, number: int, text: str) -> int:
        if not text.isdecimal():
            raise _bad_row(self, number, f"the id is {text!r}")
        return int(text)


# -- bars ----------------------------------------------------------------------

INTERVAL_FIELDS = ("high", "low", "open", "close", "total_volume", "period_volume", "trades")
DAILY_FIELDS = ("high", "low", "open", "close", "period_volume", "open_interest")
_PRICES = ("high", "low", "open", "close")


class IntervalBarDecoder(RowDecoder):
    """Reads interval bars (HIX, HID, HIT)."""

    def __init__(self, protocol: WireProtocol, request_id: str = "", **options: Any) -> None:
        super().__init__(protocol, request_id, fields=1 + len(INTERVAL_FIELDS), **options)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """``date`` datetime64[D], ``time`` int64 [µs since midnight Eastern Time] of the bar's label, prices
        float64 [USD], ``total_volume`` and ``period_volume`` uint64 [shares], ``trades`` uint64 (0 except for
        tick bars). Rows in wire order.
        """
        stamps = [self._stamp(number, row[0]) for number, row in enumerate(self.rows)]
        columns: dict[str, NDArray[Any]] = {
            "date": np.array([stamp.date() for stamp in stamps], dtype="datetime64[D]"),
            "time": np.array(
                [((stamp.hour * 60 + stamp.minute) * 60 + stamp.second) * 1_000_000 for stamp in stamps], dtype="int64"
            ),
        }
        return columns | _numbers(self, INTERVAL_FIELDS)

    def _stamp(self, number: int, text: str) -> dt.datetime:
        try:
            return dt.datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=dt.UTC)
        except ValueError:
            raise _bad_row(self, number, "not a time YYYY-MM-DD HH:MM:SS") from None


class DailyBarDecoder(RowDecoder):
    """Reads daily bars (HDX, HDT)."""

    def __init__(self, protocol: WireProtocol, request_id: str = "", **options: Any) -> None:
        super().__init__(protocol, request_id, fields=1 + len(DAILY_FIELDS), **options)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """``date`` datetime64[D], prices float64 [USD], ``period_volume`` uint64 [shares] and
        ``open_interest`` uint64. Rows in wire order.
        """
        dates = []
        for number, row in enumerate(self.rows):
            try:
                dates.append(dt.date.fromisoformat(row[0]))
            except ValueError:
                raise _bad_row(self, number, "not a date YYYY-MM-DD") from None
        columns: dict[str, NDArray[Any]] = {"date": np.array(dates, dtype="datetime64[D]")}
        return columns | _numbers(self, DAILY_FIELDS)


def _numbers(decoder: RowDecoder, names: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    """The fields after the first as arrays."""
    columns: dict[str, NDArray[Any]] = {
        name: np.empty(len(decoder.rows), dtype="float64" if name in _PRICES else "uint64") for name in names
    }
    for number, row in enumerate(decoder.rows):
        for name, text in zip(names, row[1:], strict=True):
            try:
                columns[name][number] = float(text) if name in _PRICES else int(text)
            except (ValueError, OverflowError):
                raise _bad_row(decoder, number, f"{name} is {text!r}") from None
    return columns


def _bad_row(decoder: RowDecoder, number: int, reason: str) -> ProtocolError:
    return ProtocolError(
        f"{decoder.context}: line {number + 1} of the reply: {reason}: {','.join(decoder.rows[number])!r}"
    )

"""The IQFeed lookup wire apart from sockets: requests, errors and the framing of reply lines.

Belongs here: what is said on the wire and nothing about how it is carried. The client encodes requests and
the loopback server parses them with the same classes. All instants are tz-aware; the wire shows Eastern
wall-clock time without a zone. Protocols 6.2 and 6.1: under 6.2 every data line carries a message id
(``LH`` history, ``LS`` code tables) after the request id.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

from fuzzy_pipeline.errors import (
    NoDataError,
    RequestError,
    SourceError,
    SourceUnavailableError,
    TooManyRequestsError,
    UnauthorizedError,
    UnknownSymbolError,
)
from fuzzy_pipeline.trading_calendar import EASTERN

WireProtocol = Literal["6.2", "6.1"]
ENCODING = "latin-1"
HISTORY, TABLES = "LH", "LS"

SET_PROTOCOL = "S,SET PROTOCOL,"
CURRENT_PROTOCOL = "S,CURRENT PROTOCOL,"
SET_CLIENT_NAME = "S,SET CLIENT NAME,"
SOURCE_KIND = "S,SOURCE KIND"
"""Asks whether the data are simulated: known to the loopback server only, a syntax error to IQConnect."""

END = "!ENDMSG!"
NO_DATA = "!NO_DATA!"
SYNTAX_ERROR = "!SYNTAX_ERROR!"
UNAUTHORIZED = "Unauthorized user ID."
INVALID_SYMBOL = "Invalid symbol."
INVALID_SYMBOL_FORMAT = "Invalid symbol format."
INVALID_START_DATE = "Invalid start date."
INVALID_PARAMETERS = "Invalid number of parameters."
NO_HISTORY_SOCKET = "Could not connect to History socket."
SERVER_ERROR = "Unknown Server Error code 0."
SOCKET_ERROR = "Socket Error: 10054 (WSAECONNRESET)"
TOO_MANY_REQUESTS = "Too many simultaneous history requests."


# -- errors ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class WireError:
    """An error text of the feed: the class it becomes and what a user can do.

    ``exact`` is False for texts whose tail varies (an error number, uncertain punctuation).
    """

    text: str
    error: type[SourceError]
    advice: str
    exact: bool = True

    def matches(self, text: str) -> bool:
        """Whether a text of the wire is this error."""
        mine, theirs = self.text.casefold(), text.casefold()
        return theirs == mine if self.exact else theirs.startswith(mine)


_BUSY = "a passing error of the service: it is tried again"
WIRE_ERRORS = (
    WireError(NO_DATA, NoDataError, "the source has nothing for this request"),
    WireError(UNAUTHORIZED, UnauthorizedError, "check the DTN login and that the subscription covers the exchange"),
    WireError(INVALID_SYMBOL, UnknownSymbolError, "check the ticker with DTN's symbol search"),
    WireError(INVALID_SYMBOL_FORMAT, UnknownSymbolError, "a symbol is upper case with up to 30 characters"),
    WireError(INVALID_START_DATE, RequestError, "the begin of the range must be a date not after its end"),
    WireError(INVALID_PARAMETERS, RequestError, "the protocol version and the request do not fit: report it"),
    WireError(SYNTAX_ERROR, RequestError, "the feed does not know the command: report it"),
    WireError(NO_HISTORY_SOCKET, SourceUnavailableError, _BUSY),
    WireError("Unknown Server Error code", SourceUnavailableError, _BUSY, exact=False),
    WireError("Socket Error:", SourceUnavailableError, _BUSY, exact=False),
    WireError("Too many simultaneous history requests", TooManyRequestsError, _BUSY, exact=False),
)


def error_from_text(text: str, context: str) -> SourceError:
    """The exception for the text of an error line; ``context`` names the request.

    A text that is not in ``WIRE_ERRORS`` becomes a plain, permanent ``SourceError``.
    """
    for known in WIRE_ERRORS:
        if known.matches(text):
            return known.error(f"{context}: IQFeed answered {text!r}: {known.advice}")
    return SourceError(f"{context}: IQFeed answered {text!r}, an error this version does not know: report it")


# -- requests ----------------------------------------------------------------

MAX_SYMBOL = 30
INTERVAL_TYPES = ("s", "v", "t")


@dataclass(frozen=True, kw_only=True)
class Request:
    """A request of the lookup port. Fields left at None are sent blank: the feed's default.

    ``max_points`` keeps the newest points whatever the order. ``request_id`` starts every reply line.
    ``per_send`` is how many points IQConnect collects before it sends and changes nothing else.
    """

    command: ClassVar[str] = ""
    wire: ClassVar[tuple[str, ...]] = ()
    required: ClassVar[int] = 0
    request_id: str = ""

    def encode(self) -> bytes:
        """The request line with its CRLF.

        Raises
        ------
        RequestError
            A text holds a comma or a line break, a symbol is too long, or an instant has no zone.
        """
        fields = [_field_text(self.command, name, getattr(self, name)) for name in self.wire]
        return (",".join([self.command, *fields]) + "\r\n").encode(ENCODING)

    @classmethod
    def parse(cls, fields: list[str]) -> Self:
        """The request from the fields after the command; missing trailing fields are blank.

        Raises
        ------
        RequestError
            With exactly the text IQFeed answers: wrong number of fields, or a field that cannot be read.
        """
        if not cls.required <= len(fields) <= len(cls.wire):
            raise RequestError(INVALID_PARAMETERS)
        values: dict[str, Any] = {
            name: _field_value(name, text) for name, text in zip(cls.wire, fields, strict=False) if text
        }
        if any(name not in values for name in cls.wire[: cls.required]):
            raise RequestError(INVALID_PARAMETERS)
        return cls(**values)


@dataclass(frozen=True, kw_only=True)
class HistoryRequest(Request):
    """What every history request has."""

    symbol: str
    max_points: int | None = None
    ascending: bool | None = None
    per_send: int | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """An inclusive range of instants, one-second resolution; at least one end is given."""

    begin: dt.datetime | None = None
    end: dt.datetime | None = None


@dataclass(frozen=True, kw_only=True)
class DayFilter:
    """An inclusive range of Eastern times of day, applied to each day."""

    begin_filter: dt.time | None = None
    end_filter: dt.time | None = None


@dataclass(frozen=True, kw_only=True)
class IntervalOptions:
    """Kind of interval and whether bars are labelled with their begin (None: the feed's default)."""

    interval_type: str | None = None
    label_at_begin: bool | None = None


_TAIL = ("max_points", "ascending", "request_id", "per_send")
_FILTERED_TAIL = ("max_points", "begin_filter", "end_filter", "ascending", "request_id", "per_send")
_INTERVAL = ("interval_type", "label_at_begin")


@dataclass(frozen=True, kw_only=True)
class TicksLatest(HistoryRequest):
    """HTX: the newest ticks."""

    command = "HTX"
    wire = ("symbol", *_TAIL)
    required = 1


@dataclass(frozen=True, kw_only=True)
class TicksDays(HistoryRequest, DayFilter):
    """HTD: ticks of the last calendar days; 1 is today."""

    days: int
    command = "HTD"
    wire = ("symbol", "days", *_FILTERED_TAIL)
    required = 2


@dataclass(frozen=True, kw_only=True)
class TicksBetween(HistoryRequest, Window, DayFilter):
    """HTT: ticks between two instants, both included."""

    command = "HTT"
    wire = ("symbol", "begin", "end", *_FILTERED_TAIL)
    required = 1


@dataclass(frozen=True, kw_only=True)
class IntervalsLatest(HistoryRequest, IntervalOptions):
    """HIX: the newest interval bars."""

    interval: int
    command = "HIX"
    wire = ("symbol", "interval", *_TAIL, *_INTERVAL)
    required = 2


@dataclass(frozen=True, kw_only=True)
class IntervalsDays(HistoryRequest, DayFilter, IntervalOptions):
    """HID: interval bars of the last calendar days; 1 is today."""

    interval: int
    days: int
    command = "HID"
    wire = ("symbol", "interval", "days", *_FILTERED_TAIL, *_INTERVAL)
    required = 3


@dataclass(frozen=True, kw_only=True)
class IntervalsBetween(HistoryRequest, Window, DayFilter, IntervalOptions):
    """HIT: interval bars between two instants, both included."""

    interval: int
    command = "HIT"
    wire = ("symbol", "interval", "begin", "end", *_FILTERED_TAIL, *_INTERVAL)
    required = 2


@dataclass(frozen=True, kw_only=True)
class DailyLatest(HistoryRequest):
    """HDX: the newest daily bars."""

    partial: bool | None = None
    command = "HDX"
    wire = ("symbol", *_TAIL, "partial")
    required = 1


@dataclass(frozen=True, kw_only=True)
class DailyBetween(HistoryRequest):
    """HDT: daily bars between two dates, both included."""

    first_date: dt.date | None = None
    last_date: dt.date | None = None
    partial: bool | None = None
    command = "HDT"
    wire = ("symbol", "first_date", "last_date", *_TAIL, "partial")
    required = 1


@dataclass(frozen=True, kw_only=True)
class ListedMarkets(Request):
    """SLM: the table of market centres."""

    command = "SLM"
    wire = ("request_id",)


@dataclass(frozen=True, kw_only=True)
class SecurityTypes(Request):
    """SST: the table of security types."""

    command = "SST"
    wire = ("request_id",)


@dataclass(frozen=True, kw_only=True)
class TradeConditions(Request):
    """STC: the table of trade conditions, codes in decimal."""

    command = "STC"
    wire = ("request_id",)


REQUESTS: dict[str, type[Request]] = {
    request.command: request
    for request in (
        TicksLatest, TicksDays, TicksBetween, IntervalsLatest, IntervalsDays, IntervalsBetween, DailyLatest,
        DailyBetween, ListedMarkets, SecurityTypes, TradeConditions,
    )
}  # fmt: skip


def parse_request(line: str) -> Request:
    """The request of one line (without its line end), as the server reads it.

    Raises
    ------
    RequestError
        With exactly the text IQFeed answers; ``!SYNTAX_ERROR!`` for an unknown command.
    """
    command, *fields = line.split(",")
    if command not in REQUESTS:
        raise RequestError(SYNTAX_ERROR)
    request = REQUESTS[command].parse(fields)
    if isinstance(request, TicksBetween | IntervalsBetween) and not (request.begin or request.end):
        raise RequestError(INVALID_START_DATE)
    return request


def _field_text(command: str, name: str, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, dt.datetime):
        if value.tzinfo is None:
            raise RequestError(f"{command} {name} {value}: give a tz-aware instant, America/New_York")
        return value.astimezone(EASTERN).strftime("%Y%m%d %H%M%S")
    if isinstance(value, dt.date):
        return value.strftime("%Y%m%d")
    if isinstance(value, dt.time):
        return value.strftime("%H%M%S")
    text = str(value)
    if any(char in text for char in ",\r\n") or (name == "symbol" and not 0 < len(text) <= MAX_SYMBOL):
        raise RequestError(f"{command} {name} {text!r}: commas, line breaks and overlong symbols cannot be sent")
    return text


def _field_value(name: str, text: str) -> object:
    """A field of a request line as its Python value; ``RequestError`` with the feed's text when unreadable."""
    try:
        if name in ("symbol", "request_id"):
            return text
        if name in ("ascending", "label_at_begin", "partial"):
            return {"0": False, "1": True}[text]
        if name in ("begin", "end"):
            return dt.datetime.strptime(text, "%Y%m%d %H%M%S").replace(tzinfo=EASTERN)
        if name in ("first_date", "last_date"):
            return dt.datetime.strptime(text, "%Y%m%d").replace(tzinfo=EASTERN).date()
        if name in ("begin_filter", "end_filter"):
            return dt.datetime.strptime(text, "%H%M%S").replace(tzinfo=EASTERN).time()
        if name == "interval_type":
            return {kind: kind for kind in INTERVAL_TYPES}[text]
        return _positive(text)
    except (KeyError, ValueError):
        date_fields = ("begin", "end", "first_date", "last_date")
        raise RequestError(INVALID_START_DATE if name in date_fields else INVALID_PARAMETERS) from None


def _positive(text: str) -> int:
    if int(text) < 1:
        raise ValueError(text)
    return int(text)


# -- reply lines -------------------------------------------------------------


def line_prefix(protocol: WireProtocol, request_id: str, message_id: str = HISTORY) -> str:
    """What comes before the first field of a data line: ``F1,LH,`` under 6.2, ``F1,`` under 6.1."""
    return (f"{request_id}," if request_id else "") + (f"{message_id}," if protocol == "6.2" else "")


def data_lines(prefix: str, rows: Iterable[Iterable[object]]) -> bytes:
    """Data lines of text fields: bars and code tables."""
    return "".join(f"{prefix}{','.join(map(str, row))},\r\n" for row in rows).encode(ENCODING)


def end_line(request_id: str) -> bytes:
    """The line that ends a reply."""
    return f"{line_prefix('6.1', request_id)}{END},\r\n".encode(ENCODING)


def error_lines(request_id: str, text: str) -> bytes:
    """An error line and its end line; a syntax error has neither end line nor request id."""
    if text == SYNTAX_ERROR:
        return f"E,{SYNTAX_ERROR},\r\n".encode(ENCODING)
    tail = ",," if text == NO_DATA else ","
    return f"{line_prefix('6.1', request_id)}E,{text}{tail}\r\n".encode(ENCODING) + end_line(request_id)

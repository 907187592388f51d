"""The IQFeed lookup wire apart from sockets: fixed texts, errors and the framing of reply lines.

Belongs here: what is said on the wire and nothing about how it is carried; requests are in ``requests``. Protocols
6.2 and 6.1: under 6.2 every data line carries a message id (``LH`` history, ``LS`` code tables) after the request id.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from fuzzy_pipeline.errors import (
    NoDataError,
    RequestError,
    SourceError,
    SourceUnavailableError,
    TooManyRequestsError,
    UnauthorizedError,
    UnknownSymbolError,
)

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

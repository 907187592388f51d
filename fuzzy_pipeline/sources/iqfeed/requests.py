"""Requests of the IQFeed lookup port: checked when they are made, written to the wire and read back from it.

Belongs here: one class a command. The client encodes requests and the loopback server parses them with the same
classes. All instants are tz-aware; the wire shows Eastern wall-clock time without a zone.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    PositiveInt,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from fuzzy_pipeline.errors import RequestError
from fuzzy_pipeline.sources.iqfeed.messages import (
    ENCODING,
    INVALID_PARAMETERS,
    INVALID_START_DATE,
    INVALID_SYMBOL_FORMAT,
    SYNTAX_ERROR,
)
from fuzzy_pipeline.trading_calendar import EASTERN

_SYMBOL = re.compile(r"[!-+\--`{-~]{1,30}")
"""Printable ASCII but commas, spaces and small letters: stocks, and marks of other instruments such as ``@ES#``."""
_NO_COMMA = re.compile(r"[ -+\--~]*")
"""Printable ASCII but commas."""
_RANGE = "range"


def _is_symbol(text: str) -> str:
    if not _SYMBOL.fullmatch(text):
        raise ValueError("a symbol is upper case, 1 to 30 characters without commas and spaces")
    return text


def _can_be_sent(text: str) -> str:
    if not _NO_COMMA.fullmatch(text):
        raise ValueError("commas, line breaks and letters beyond ASCII cannot be sent")
    return text


class Request(BaseModel):
    """A request of the lookup port. Fields left at None are sent blank: the feed's default.

    ``max_points`` keeps the newest points whatever the order. ``request_id`` starts every reply line.
    ``per_send`` is how many points IQConnect collects before it sends and changes nothing else.

    Raises
    ------
    RequestError
        A field is refused; the message names the command, the field, its value and what is wrong.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    command: ClassVar[str] = ""
    wire: ClassVar[tuple[str, ...]] = ()
    required: ClassVar[int] = 0
    request_id: Annotated[str, AfterValidator(_can_be_sent)] = ""

    @model_validator(mode="wrap")
    @classmethod
    def _refuse_by_name(cls, values: Any, build: ModelWrapValidatorHandler[Self]) -> Self:
        try:
            return build(values)
        except ValidationError as error:
            raise RequestError(f"{cls.command} {'; '.join(map(_refusal, error.errors()))}") from error

    def changed(self, **fields: Any) -> Self:
        """The request with some fields replaced, checked again; raises ``RequestError``."""
        return type(self)(**(dict(self) | fields))

    def encode(self) -> bytes:
        """The request line with its CRLF."""
        fields = [_field_text(getattr(self, name)) for name in self.wire]
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
        try:
            return cls(**values)
        except RequestError as error:
            raise RequestError(_answer_to(error)) from error


class HistoryRequest(Request):
    """What every history request has."""

    symbol: Annotated[str, AfterValidator(_is_symbol)]
    max_points: PositiveInt | None = None
    ascending: bool | None = None
    per_send: PositiveInt | None = None


class Window(BaseModel):
    """An inclusive range of instants, one-second resolution; at least one end is given."""

    begin: AwareDatetime | None = None
    end: AwareDatetime | None = None

    @model_validator(mode="after")
    def _has_an_end(self) -> Self:
        if self.begin is None and self.end is None:
            raise PydanticCustomError(_RANGE, "needs a begin or an end")
        _check_order(self.begin, self.end)
        return self


class DateRange(BaseModel):
    """A range of dates, both included."""

    first_date: dt.date | None = None
    last_date: dt.date | None = None

    @model_validator(mode="after")
    def _is_in_order(self) -> Self:
        _check_order(self.first_date, self.last_date)
        return self


class DayFilter(BaseModel):
    """An inclusive range of Eastern times of day, applied to each day."""

    begin_filter: dt.time | None = None
    end_filter: dt.time | None = None


class IntervalOptions(BaseModel):
    """Kind of interval and whether bars are labelled with their begin (None: the feed's default)."""

    interval_type: Literal["s", "v", "t"] | None = None
    label_at_begin: bool | None = None


_TAIL = ("max_points", "ascending", "request_id", "per_send")
_FILTERED_TAIL = ("max_points", "begin_filter", "end_filter", "ascending", "request_id", "per_send")
_INTERVAL = ("interval_type", "label_at_begin")


class TicksLatest(HistoryRequest):
    """HTX: the newest ticks."""

    command = "HTX"
    wire = ("symbol", *_TAIL)
    required = 1


class TicksDays(HistoryRequest, DayFilter):
    """HTD: ticks of the last calendar days; 1 is today."""

    days: PositiveInt
    command = "HTD"
    wire = ("symbol", "days", *_FILTERED_TAIL)
    required = 2


class TicksBetween(HistoryRequest, Window, DayFilter):
    """HTT: ticks between two instants, both included."""

    command = "HTT"
    wire = ("symbol", "begin", "end", *_FILTERED_TAIL)
    required = 1


class IntervalsLatest(HistoryRequest, IntervalOptions):
    """HIX: the newest interval bars."""

    interval: PositiveInt
    command = "HIX"
    wire = ("symbol", "interval", *_TAIL, *_INTERVAL)
    required = 2


class IntervalsDays(HistoryRequest, DayFilter, IntervalOptions):
    """HID: interval bars of the last calendar days; 1 is today."""

    interval: PositiveInt
    days: PositiveInt
    command = "HID"
    wire = ("symbol", "interval", "days", *_FILTERED_TAIL, *_INTERVAL)
    required = 3


class IntervalsBetween(HistoryRequest, Window, DayFilter, IntervalOptions):
    """HIT: interval bars between two instants, both included."""

    interval: PositiveInt
    command = "HIT"
    wire = ("symbol", "interval", "begin", "end", *_FILTERED_TAIL, *_INTERVAL)
    required = 2


class DailyLatest(HistoryRequest):
    """HDX: the newest daily bars."""

    partial: bool | None = None
    command = "HDX"
    wire = ("symbol", *_TAIL, "partial")
    required = 1


class DailyBetween(HistoryRequest, DateRange):
    """HDT: daily bars between two dates, both included."""

    partial: bool | None = None
    command = "HDT"
    wire = ("symbol", "first_date", "last_date", *_TAIL, "partial")
    required = 1


class ListedMarkets(Request):
    """SLM: the table of market centres."""

    command = "SLM"
    wire = ("request_id",)


class SecurityTypes(Request):
    """SST: the table of security types."""

    command = "SST"
    wire = ("request_id",)


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
    return REQUESTS[command].parse(fields)


def _check_order(first: dt.date | None, last: dt.date | None) -> None:
    if first is not None and last is not None and first > last:
        raise PydanticCustomError(_RANGE, "begin {first} is after end {last}", {"first": str(first), "last": str(last)})


_REASONS = {"timezone_aware": "give a tz-aware instant, America/New_York"}


def _refusal(item: Mapping[str, Any]) -> str:
    """What is wrong with a field, from pydantic's error."""
    reason = _REASONS.get(item["type"], item["msg"].removeprefix("Value error, "))
    if item["type"] == _RANGE:
        return str(reason)
    given = "" if item["type"] == "missing" else f" {item['input']!r}"
    return f"{item['loc'][0]}{given}: {reason}"


def _answer_to(error: RequestError) -> str:
    """What IQFeed says of a request that is refused here."""
    cause = error.__cause__
    refused = cause.errors() if isinstance(cause, ValidationError) else []
    if any(item["type"] == _RANGE for item in refused):
        return INVALID_START_DATE
    return INVALID_SYMBOL_FORMAT if any(item["loc"] == ("symbol",) for item in refused) else INVALID_PARAMETERS


def _field_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, dt.datetime):
        return value.astimezone(EASTERN).strftime("%Y%m%d %H%M%S")
    if isinstance(value, dt.date):
        return value.strftime("%Y%m%d")
    if isinstance(value, dt.time):
        return value.strftime("%H%M%S")
    return str(value)


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
        return text if name == "interval_type" else int(text)
    except (KeyError, ValueError):
        date_fields = ("begin", "end", "first_date", "last_date")
        raise RequestError(INVALID_START_DATE if name in date_fields else INVALID_PARAMETERS) from None

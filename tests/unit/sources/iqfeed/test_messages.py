"""Requests on the wire and what error texts become."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from fuzzy_pipeline import errors
from fuzzy_pipeline.sources.iqfeed import messages as m

EASTERN = ZoneInfo("America/New_York")
BEGIN = dt.datetime(2024, 3, 4, 9, 30, tzinfo=EASTERN)
END = dt.datetime(2024, 3, 4, 16, 0, 1, tzinfo=EASTERN)

WIRE = [
    (
        m.TicksLatest(symbol="KO", max_points=10, ascending=True, request_id="F1", per_send=500),
        "HTX,KO,10,1,F1,500",
    ),
    (
        m.TicksDays(symbol="KO", days=2, begin_filter=dt.time(9, 30), end_filter=dt.time(16), request_id="F1"),
        "HTD,KO,2,,093000,160000,,F1,",
    ),
    (
        m.TicksBetween(symbol="KO", begin=BEGIN, end=END, ascending=False, request_id="F1"),
        "HTT,KO,20240304 093000,20240304 160001,,,,0,F1,",
    ),
    (
        m.IntervalsLatest(symbol="KO", interval=60, max_points=5, interval_type="s", label_at_begin=False),
        "HIX,KO,60,5,,,,s,0",
    ),
    (
        m.IntervalsDays(symbol="KO", interval=60, days=1, ascending=True, request_id="F1"),
        "HID,KO,60,1,,,,1,F1,,,",
    ),
    (
        m.IntervalsBetween(symbol="KO", interval=1, begin=BEGIN, interval_type="s", label_at_begin=True),
        "HIT,KO,1,20240304 093000,,,,,,,,s,1",
    ),
    (m.DailyLatest(symbol="KO", max_points=3, request_id="F1", partial=False), "HDX,KO,3,,F1,,0"),
    (
        m.DailyBetween(symbol="KO", first_date=dt.date(2024, 1, 2), last_date=dt.date(2024, 3, 4), request_id="F1"),
        "HDT,KO,20240102,20240304,,,F1,,",
    ),
    (m.ListedMarkets(request_id="F1"), "SLM,F1"),
    (m.SecurityTypes(request_id="F1"), "SST,F1"),
    (m.TradeConditions(request_id="F1"), "STC,F1"),
]
IDS = [line.split(",")[0] for _, line in WIRE]


@pytest.mark.parametrize(("request_", "line"), WIRE, ids=IDS)
def test_requests_have_their_documented_field_order(request_: m.Request, line: str) -> None:
    assert request_.encode() == line.encode() + b"\r\n"


@pytest.mark.parametrize(("request_", "line"), WIRE, ids=IDS)
def test_the_server_reads_back_what_the_client_wrote(request_: m.Request, line: str) -> None:
    assert m.parse_request(line) == request_


def test_instants_are_sent_as_eastern_wall_clock_time_in_winter_and_summer() -> None:
    winter = dt.datetime(2024, 3, 4, 14, 30, tzinfo=dt.UTC)
    summer = dt.datetime(2024, 7, 1, 13, 30, tzinfo=dt.UTC)
    line = m.TicksBetween(symbol="KO", begin=winter, end=summer).encode()
    assert line == b"HTT,KO,20240304 093000,20240701 093000,,,,,,\r\n"


def test_trailing_fields_may_be_left_out() -> None:
    assert m.parse_request("HTX,KO,10") == m.TicksLatest(symbol="KO", max_points=10)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("TEST", "!SYNTAX_ERROR!"),
        ("", "!SYNTAX_ERROR!"),
        ("HWX,KO,1", "!SYNTAX_ERROR!"),
        ("HTX", "Invalid number of parameters."),
        ("HTX,", "Invalid number of parameters."),
        ("HTD,KO", "Invalid number of parameters."),
        ("HTX,KO,1,1,F1,500,extra", "Invalid number of parameters."),
        ("HTX,KO,ten", "Invalid number of parameters."),
        ("HTX,KO,0", "Invalid number of parameters."),
        ("HTX,KO,1,2", "Invalid number of parameters."),
        ("HIX,KO,60,5,,,,x", "Invalid number of parameters."),
        ("HTT,KO,20240399 000000,", "Invalid start date."),
        ("HTT,KO,,", "Invalid start date."),
        ("HDT,KO,2024-03-04,", "Invalid start date."),
    ],
)
def test_unreadable_requests_are_refused_with_the_feeds_text(line: str, text: str) -> None:
    with pytest.raises(errors.RequestError) as refused:
        m.parse_request(line)
    assert str(refused.value) == text


@pytest.mark.parametrize("symbol", ["", "A,B", "A\r\nHTX", "A" * 31])
def test_a_symbol_that_would_break_the_line_is_never_sent(symbol: str) -> None:
    with pytest.raises(errors.RequestError, match="HTX symbol"):
        m.TicksLatest(symbol=symbol).encode()


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(errors.RequestError, match="tz-aware"):
        m.TicksBetween(symbol="KO", begin=BEGIN.replace(tzinfo=None)).encode()


@pytest.mark.parametrize(
    ("text", "kind", "retryable"),
    [
        ("!NO_DATA!", errors.NoDataError, False),
        ("Unauthorized user ID.", errors.UnauthorizedError, False),
        ("Invalid symbol.", errors.UnknownSymbolError, False),
        ("Invalid symbol format.", errors.UnknownSymbolError, False),
        ("Invalid start date.", errors.RequestError, False),
        ("Invalid number of parameters.", errors.RequestError, False),
        ("!SYNTAX_ERROR!", errors.RequestError, False),
        ("Could not connect to History socket.", errors.SourceUnavailableError, True),
        ("Unknown Server Error code 0.", errors.SourceUnavailableError, True),
        ("Socket Error: 10054 (WSAECONNRESET)", errors.SourceUnavailableError, True),
        ("Too many simultaneous history requests", errors.TooManyRequestsError, True),
        ("Too many simultaneous history requests.", errors.TooManyRequestsError, True),
        ("something new", errors.SourceError, False),
    ],
)
def test_every_error_line_has_its_class(text: str, kind: type[errors.SourceError], retryable: bool) -> None:
    error = m.error_from_text(text, "HTT,KO")
    assert type(error) is kind
    assert error.retryable is retryable
    assert "HTT,KO" in str(error)
    assert text in str(error)


def test_no_data_is_written_with_two_commas_and_an_end_line() -> None:
    assert m.error_lines("X1", m.NO_DATA) == b"X1,E,!NO_DATA!,,\r\nX1,!ENDMSG!,\r\n"
    assert m.error_lines("", m.NO_DATA) == b"E,!NO_DATA!,,\r\n!ENDMSG!,\r\n"


def test_a_syntax_error_has_no_end_line() -> None:
    assert m.error_lines("X1", m.SYNTAX_ERROR) == b"E,!SYNTAX_ERROR!,\r\n"


@pytest.mark.parametrize(
    ("protocol", "request_id", "prefix"),
    [("6.2", "R2", "R2,LH,"), ("6.2", "", "LH,"), ("6.1", "R2", "R2,"), ("6.1", "", "")],
)
def test_the_message_id_comes_after_the_request_id_and_only_under_6_2(
    protocol: m.WireProtocol, request_id: str, prefix: str
) -> None:
    assert m.line_prefix(protocol, request_id) == prefix

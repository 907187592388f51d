"""Requests: what is refused when they are made, and how they look on the wire."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import pytest

from fuzzy_pipeline import errors
from fuzzy_pipeline.sources.iqfeed import requests as r

EASTERN = ZoneInfo("America/New_York")
BEGIN = dt.datetime(2024, 3, 4, 9, 30, tzinfo=EASTERN)
END = dt.datetime(2024, 3, 4, 16, 0, 1, tzinfo=EASTERN)

WIRE: list[tuple[r.Request, str]] = [
    (
        r.TicksLatest(symbol="KO", max_points=10, ascending=True, request_id="F1", per_send=500),
        "HTX,KO,10,1,F1,500",
    ),
    (
        r.TicksDays(symbol="KO", days=2, begin_filter=dt.time(9, 30), end_filter=dt.time(16), request_id="F1"),
        "HTD,KO,2,,093000,160000,,F1,",
    ),
    (
        r.TicksBetween(symbol="KO", begin=BEGIN, end=END, ascending=False, request_id="F1"),
        "HTT,KO,20240304 093000,20240304 160001,,,,0,F1,",
    ),
    (
        r.IntervalsLatest(symbol="KO", interval=60, max_points=5, interval_type="s", label_at_begin=False),
        "HIX,KO,60,5,,,,s,0",
    ),
    (
        r.IntervalsDays(symbol="KO", interval=60, days=1, ascending=True, request_id="F1"),
        "HID,KO,60,1,,,,1,F1,,,",
    ),
    (
        r.IntervalsBetween(symbol="KO", interval=1, begin=BEGIN, interval_type="s", label_at_begin=True),
        "HIT,KO,1,20240304 093000,,,,,,,,s,1",
    ),
    (r.DailyLatest(symbol="KO", max_points=3, request_id="F1", partial=False), "HDX,KO,3,,F1,,0"),
    (
        r.DailyBetween(symbol="KO", first_date=dt.date(2024, 1, 2), last_date=dt.date(2024, 3, 4), request_id="F1"),
        "HDT,KO,20240102,20240304,,,F1,,",
    ),
    (r.ListedMarkets(request_id="F1"), "SLM,F1"),
    (r.SecurityTypes(request_id="F1"), "SST,F1"),
    (r.TradeConditions(request_id="F1"), "STC,F1"),
]
IDS = [line.split(",")[0] for _, line in WIRE]


@pytest.mark.parametrize(("request_", "line"), WIRE, ids=IDS)
def test_requests_have_their_documented_field_order(request_: r.Request, line: str) -> None:
    assert request_.encode() == line.encode() + b"\r\n"


@pytest.mark.parametrize(("request_", "line"), WIRE, ids=IDS)
def test_the_server_reads_back_what_the_client_wrote(request_: r.Request, line: str) -> None:
    assert r.parse_request(line) == request_


def test_instants_are_sent_as_eastern_wall_clock_time_in_winter_and_summer() -> None:
    winter = dt.datetime(2024, 3, 4, 14, 30, tzinfo=dt.UTC)
    summer = dt.datetime(2024, 7, 1, 13, 30, tzinfo=dt.UTC)
    line = r.TicksBetween(symbol="KO", begin=winter, end=summer).encode()
    assert line == b"HTT,KO,20240304 093000,20240701 093000,,,,,,\r\n"


def test_trailing_fields_may_be_left_out() -> None:
    assert r.parse_request("HTX,KO,10") == r.TicksLatest(symbol="KO", max_points=10)


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
        ("HTT,KO,20240304 160001,20240304 160000", "Invalid start date."),
        ("HDT,KO,20240305,20240304", "Invalid start date."),
        ("HTX,ko,1", "Invalid symbol format."),
        ("HTX,K O,1", "Invalid symbol format."),
        ("HTX,AAAAAAAAAABBBBBBBBBBCCCCCCCCCCD,1", "Invalid symbol format."),
        ("HTD,KO,-1", "Invalid number of parameters."),
        ("HIX,KO,0,5", "Invalid number of parameters."),
    ],
)
def test_unreadable_requests_are_refused_with_the_feeds_text(line: str, text: str) -> None:
    with pytest.raises(errors.RequestError) as refused:
        r.parse_request(line)
    assert str(refused.value) == text


@pytest.mark.parametrize("symbol", ["", "A,B", "A\r\nHTX", "A" * 31, "ko", "K O", "KÖ"])
def test_a_symbol_that_the_feed_cannot_mean_is_refused_by_name(symbol: str) -> None:
    with pytest.raises(errors.RequestError) as refused:
        r.TicksLatest(symbol=symbol)
    assert str(refused.value) == (
        f"HTX symbol {symbol!r}: a symbol is upper case, 1 to 30 characters without commas and spaces"
    )


@pytest.mark.parametrize("symbol", ["KO", "BRK.B", "BF-B", "A" * 30, "@ES#", "EURUSD.FXCM"])
def test_symbols_of_the_feed_are_sent(symbol: str) -> None:
    assert r.TicksLatest(symbol=symbol).encode().startswith(f"HTX,{symbol},".encode())


def test_a_naive_instant_is_refused() -> None:
    with pytest.raises(errors.RequestError, match=r"^HTT begin .*: give a tz-aware instant, America/New_York$"):
        r.TicksBetween(symbol="KO", begin=BEGIN.replace(tzinfo=None))


def test_a_range_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(errors.RequestError, match=r"^HTT begin 2024-03-04 16:00:01-05:00 is after end 2024-03-04"):
        r.TicksBetween(symbol="KO", begin=END, end=BEGIN)
    with pytest.raises(errors.RequestError, match=r"^HIT begin .* is after end "):
        r.IntervalsBetween(symbol="KO", interval=60, begin=END, end=BEGIN)
    with pytest.raises(errors.RequestError, match=r"^HDT begin 2024-03-05 is after end 2024-03-04$"):
        r.DailyBetween(symbol="KO", first_date=dt.date(2024, 3, 5), last_date=dt.date(2024, 3, 4))


def test_instants_of_different_zones_are_ordered_as_instants() -> None:
    tokyo = BEGIN.astimezone(ZoneInfo("Asia/Tokyo"))  # a later wall clock, the same instant
    assert r.TicksBetween(symbol="KO", begin=tokyo, end=BEGIN).encode() == (
        b"HTT,KO,20240304 093000,20240304 093000,,,,,,\r\n"
    )


def test_a_range_needs_an_end() -> None:
    with pytest.raises(errors.RequestError, match=r"^HTT needs a begin or an end$"):
        r.TicksBetween(symbol="KO")
    assert r.DailyBetween(symbol="KO").encode() == b"HDT,KO,,,,,,,\r\n"


@pytest.mark.parametrize("count", [0, -1, 1.5, "5", True])
@pytest.mark.parametrize("name", ["max_points", "per_send", "days"])
def test_counts_are_positive_whole_numbers(name: str, count: object) -> None:
    fields: dict[str, object] = {"days": 1, name: count}
    with pytest.raises(errors.RequestError, match=f"^HTD {name} {count!r}: Input should be "):
        r.TicksDays(symbol="KO", **fields)  # type: ignore[arg-type]


def test_an_instant_is_no_date_and_a_text_is_no_flag() -> None:
    with pytest.raises(errors.RequestError, match=r"^HDT first_date "):
        r.DailyBetween(symbol="KO", first_date=BEGIN)
    with pytest.raises(errors.RequestError, match=r"^HTX ascending 'yes': "):
        r.TicksLatest(symbol="KO", ascending="yes")  # type: ignore[arg-type]


def test_a_field_that_the_command_lacks_is_refused_by_name() -> None:
    with pytest.raises(errors.RequestError, match=r"^HTX days 1: Extra inputs are not permitted$"):
        r.TicksLatest(symbol="KO", days=1)  # type: ignore[call-arg]
    with pytest.raises(errors.RequestError, match=r"^HTD days: Field required$"):
        r.TicksDays(symbol="KO")  # type: ignore[call-arg]


def test_several_wrong_fields_are_all_named() -> None:
    with pytest.raises(errors.RequestError, match=r"^HIX .*interval_type 'x': .*; symbol 'ko': .*; interval 0: "):
        r.IntervalsLatest(symbol="ko", interval=0, interval_type="x")  # type: ignore[arg-type]


def test_a_changed_request_is_checked_again() -> None:
    asked = r.TicksLatest(symbol="KO", max_points=3)
    assert asked.changed(request_id="F1") == r.TicksLatest(symbol="KO", max_points=3, request_id="F1")
    assert asked.request_id == ""
    with pytest.raises(errors.RequestError, match="max_points 0"):
        asked.changed(max_points=0)


@pytest.mark.parametrize("request_id", ["a,b", "a\nb", "é"])
def test_a_request_id_that_would_break_the_line_is_refused(request_id: str) -> None:
    with pytest.raises(errors.RequestError, match=r"^STC request_id .*: commas, line breaks"):
        r.TradeConditions(request_id=request_id)

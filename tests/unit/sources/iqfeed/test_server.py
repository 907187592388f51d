"""The loopback server on the wire, and the bars it makes."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest

from fuzzy_pipeline.errors import SourceFileError, SourceUnavailableError, UnauthorizedError
from fuzzy_pipeline.sources.iqfeed.capture import CapturedWireSource
from fuzzy_pipeline.sources.iqfeed.served import ServedMarket, interval_bars
from fuzzy_pipeline.sources.iqfeed.server import LoopbackServer
from fuzzy_pipeline.sources.iqfeed.tick_decoding import RAW_DTYPES
from tests.unit.sources.iqfeed.conftest import BARS

EASTERN = ZoneInfo("America/New_York")
NOW = dt.datetime(2024, 3, 5, 20, 0, tzinfo=EASTERN)
MONDAY, TUESDAY = dt.date(2024, 3, 4), dt.date(2024, 3, 5)
END = b"!ENDMSG!,\r\n"
Talk = Callable[..., bytes]

FIRST = "2024-03-04 09:30:00.000000,10.0000,100,100,9.9900,10.0100,1,C,7,01,0,4,"


def clock_times(reply: bytes) -> list[str]:
    """Day and time of each data line under 6.1 without request id."""
    return [line.split(",")[0] for line in reply.decode().splitlines() if line[:1].isdigit()]


def test_the_layout_before_any_set_protocol_is_that_of_6_1(talk: Talk) -> None:
    reply = talk("HTX,KO,1,,R1,", until=b"R1," + END).decode()
    assert reply == "R1,2024-03-05 16:00:00.500000,11.5000,400,500,11.4900,11.5100,2,C,7,01,0,5,\r\nR1,!ENDMSG!,\r\n"


def test_under_6_2_lines_carry_the_message_id(talk: Talk) -> None:
    reply = talk("S,SET PROTOCOL,6.2", "HTX,KO,1,,,", until=END).decode()
    assert reply.splitlines()[0] == "S,CURRENT PROTOCOL,6.2"
    assert reply.splitlines()[1].startswith("LH,2024-03-05 16:00:00.500000,")
    assert reply.splitlines()[2] == "!ENDMSG!,"


def test_an_unknown_protocol_leaves_the_current_one(talk: Talk) -> None:
    assert talk("S,SET PROTOCOL,9.9", until=b"\r\n") == b"S,CURRENT PROTOCOL,6.1\r\n"


def test_an_unknown_command_is_a_syntax_error_without_end_line(talk: Talk) -> None:
    reply = talk("TEST", "S,SOURCE KIND", until=b"simulated,\r\n")
    assert reply == b"E,!SYNTAX_ERROR!,\r\nS,SOURCE KIND,simulated,\r\n"


def test_newest_come_first_by_default_and_max_keeps_the_newest_in_either_order(talk: Talk) -> None:
    newest = ["2024-03-05 16:00:00.500000", "2024-03-05 09:30:00.000000", "2024-03-04 09:31:00.000000"]
    assert clock_times(talk("HTX,KO,3", until=END)) == newest
    assert clock_times(talk("HTX,KO,3,0", until=END)) == newest
    assert clock_times(talk("HTX,KO,3,1", until=END)) == newest[::-1]


def test_the_newest_ticks_are_found_without_reading_older_days(talk: Talk, source: Any) -> None:
    talk("HTX,KO,2", until=END)
    assert source.fetched == [("KO", TUESDAY)]


def test_bounds_are_inclusive_at_one_second_resolution(talk: Talk) -> None:
    reply = talk("HTT,KO,20240304 093000,20240304 093000,,,,1,,", until=END)
    assert clock_times(reply) == ["2024-03-04 09:30:00.000000", "2024-03-04 09:30:00.999999"]
    reply = talk("HTT,KO,20240304 093001,20240304 093059,,,,1,,", until=END)
    assert clock_times(reply) == ["2024-03-04 09:30:01.000000", "2024-03-04 09:30:59.999999"]


def test_a_range_may_be_open_at_either_end(talk: Talk) -> None:
    assert len(clock_times(talk("HTT,KO,20240304 093100,,,,,1,,", until=END))) == 3
    assert len(clock_times(talk("HTT,KO,,20240304 093000,,,,1,,", until=END))) == 2


def test_day_filters_hold_for_each_day(talk: Talk) -> None:
    reply = talk("HTT,KO,20240304 000000,20240305 235959,,093100,160000,1,,", until=END)
    assert clock_times(reply) == ["2024-03-04 09:31:00.000000", "2024-03-05 16:00:00.500000"]


def test_days_count_calendar_days_from_today(talk: Talk) -> None:
    assert len(clock_times(talk("HTD,KO,1", until=END))) == 2
    assert len(clock_times(talk("HTD,KO,2", until=END))) == 7
    assert len(clock_times(talk("HTD,KO,2,3", until=END))) == 3


def test_interval_bars_are_made_of_qualified_and_extended_ticks_and_come_high_low_open_close(talk: Talk) -> None:
    reply = talk("HIT,KO,60,20240304 093000,20240304 235959,,,,1,R1,,s,1", until=b"R1," + END)
    assert reply.decode().splitlines()[:2] == [
        "R1,2024-03-04 09:30:00,10.0200,10.0000,10.0000,10.0100,650,600,0,",
        "R1,2024-03-04 09:31:00,10.0500,10.0500,10.0500,10.0500,750,100,0,",
    ]


def test_interval_bars_are_labelled_with_their_begin_by_default_and_with_their_end_on_request(talk: Talk) -> None:
    assert clock_times(talk("HIX,KO,60,1,,,,s,", until=END)) == ["2024-03-05 16:00:00"]
    assert clock_times(talk("HIX,KO,60,1,,,,s,0", until=END)) == ["2024-03-05 16:01:00"]


def test_interval_bars_of_days_are_limited_to_the_newest(talk: Talk) -> None:
    assert clock_times(talk("HID,KO,1,2,2,,,1,,,s,1", until=END)) == ["2024-03-05 09:30:00", "2024-03-05 16:00:00"]
    assert clock_times(talk("HID,KO,1,2,2,,,0,,,s,1", until=END)) == ["2024-03-05 16:00:00", "2024-03-05 09:30:00"]


def test_a_bar_within_the_bounds_has_all_its_ticks(talk: Talk) -> None:
    reply = talk("HIT,KO,60,20240304 093000,20240304 093000,,,,1,,,s,1", until=END)
    assert reply.decode().splitlines()[0].split(",")[6] == "600"


@pytest.mark.parametrize("kind", ["v", "t"])
def test_volume_and_tick_bars_are_not_served(talk: Talk, kind: str) -> None:
    assert talk(f"HIX,KO,60,1,,R1,,{kind},", until=b"\r\n") == b"E,!SYNTAX_ERROR!,\r\n"


def test_daily_bars_are_the_sources_own_with_high_and_low_before_the_open(talk: Talk) -> None:
    reply = talk("HDT,KO,20240304,20240305,,1,R1,,", until=b"R1," + END)
    assert reply.decode().splitlines()[:2] == [
        "R1,2024-03-04,10.0500,10.0000,10.0000,10.0500,750,0,",
        "R1,2024-03-05,11.5000,11.0000,11.0000,11.5000,500,0,",
    ]
    assert clock_times(talk("HDX,KO,1", until=END)) == ["2024-03-05"]
    assert clock_times(talk("HDX,KO", until=END)) == ["2024-03-05", "2024-03-04"]


def test_daily_bars_are_not_made_of_the_ticks_of_a_source_that_has_none(source: Any, talk: Talk) -> None:
    source.bars.clear()
    reply = talk("HDT,KO,20240304,20240305,,1,R1,,", until=b"R1," + END)
    assert reply == b"R1,E,!NO_DATA!,,\r\nR1,!ENDMSG!,\r\n"
    source.bars[TUESDAY] = BARS[TUESDAY]
    assert clock_times(talk("HDT,KO,20240304,20240305,1,1", until=END)) == ["2024-03-05"]


def test_a_source_that_cannot_tell_its_dates_is_asked_for_the_last_trading_dates(undated_source: Any) -> None:
    with LoopbackServer(undated_source, now=lambda: NOW) as server, socket.create_connection(server.address) as raw:
        raw.sendall(b"HDX,KO,,1\r\n")
        got = b""
        while not got.endswith(END):
            got += raw.recv(65_536)
    assert clock_times(got) == ["2024-03-04", "2024-03-05"]


def test_a_day_without_qualified_ticks_has_no_interval_bars(source: Any, talk: Talk) -> None:
    source.days[TUESDAY] = {name: column[2:3] for name, column in source.days[MONDAY].items()}
    assert talk("HID,KO,60,1,,,,1,R1,,s,1", until=b"R1," + END) == b"R1,E,!NO_DATA!,,\r\nR1,!ENDMSG!,\r\n"


def test_code_tables_have_decimal_codes_and_ls_as_message_id(talk: Talk) -> None:
    conditions = talk("S,SET PROTOCOL,6.2", "STC,R1", until=b"R1," + END).decode().splitlines()
    assert "R1,LS,135,ODDLOT,Odd lot trade," in conditions
    assert len(conditions) == 1 + 155 + 1
    assert "LS,1,EQUITY,Equity," in talk("SST,", until=END).decode()
    markets = talk("SLM,", until=END).decode()
    assert "LS,19,NTRF,Nasdaq Trade Reporting Facility,19,NTRF," in markets
    assert "LS,187," not in markets


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("HTX,NOPE,1,,R1,", "R1,E,Invalid symbol.,\r\nR1,!ENDMSG!,\r\n"),
        ("HTT,KO,20240309 000000,20240309 235959,,,,,R1,", "R1,E,!NO_DATA!,,\r\nR1,!ENDMSG!,\r\n"),
        ("HTT,KO,,,,,,,R1,", "E,Invalid start date.,\r\n!ENDMSG!,\r\n"),
        ("HTD,KO", "E,Invalid number of parameters.,\r\n!ENDMSG!,\r\n"),
    ],
)
def test_refusals_have_the_feeds_texts(talk: Talk, line: str, reply: str) -> None:
    assert talk(line, until=END).decode() == reply


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (UnauthorizedError("no"), "Unauthorized user ID."),
        (SourceUnavailableError("down"), "Unknown Server Error code 0."),
        (SourceFileError("broken file"), "Unknown Server Error code 0."),
    ],
)
def test_failures_of_the_source_are_answered_as_the_feed_would(
    talk: Talk, source: Any, error: Exception, text: str
) -> None:
    source.error = error
    assert talk("HTX,KO,1,,R1,", until=END).decode() == f"R1,E,{text},\r\nR1,!ENDMSG!,\r\n"


def test_a_bug_in_the_source_breaks_the_connection_and_is_logged(
    talk: Talk, source: Any, caplog: pytest.LogCaptureFixture
) -> None:
    source.error = ZeroDivisionError("bug")
    assert talk("HTX,KO,1", until=END) == b""
    assert "ZeroDivisionError" in caplog.text


def test_a_day_is_fetched_once_but_never_kept_for_today(talk: Talk, source: Any) -> None:
    for _ in range(2):
        talk("HTD,KO,2", until=END)
    assert source.fetched.count(("KO", MONDAY)) == 1
    assert source.fetched.count(("KO", TUESDAY)) == 2


def test_the_cache_forgets_the_day_used_longest_ago(source: Any) -> None:
    later = NOW + dt.timedelta(days=9)
    market = ServedMarket(source, lambda: later, cache_bytes=1)
    for date in (MONDAY, TUESDAY, MONDAY):
        market._day("KO", date)
    assert [date for _, date in source.fetched] == [MONDAY, TUESDAY, MONDAY]


def test_a_source_that_cannot_tell_its_dates_is_asked_for_recent_trading_dates(undated_source: Any) -> None:
    market = ServedMarket(undated_source, lambda: NOW)
    # Tuesday 5 March 2024 and the four trading dates before it.
    assert market._dates("KO", None, None) == [
        dt.date(2024, 2, 28),
        dt.date(2024, 2, 29),
        dt.date(2024, 3, 1),
        MONDAY,
        TUESDAY,
    ]
    assert market._dates("KO", dt.date(2024, 3, 2), None) == [dt.date(2024, 3, 2), dt.date(2024, 3, 3), MONDAY, TUESDAY]
    assert len(market._dates("KO", dt.date(2010, 1, 1), None)) == 400


def test_the_kind_of_the_source_is_declared(source: Any, talk: Talk) -> None:
    source.kind = "real"
    assert talk("S,SOURCE KIND", until=b"\r\n") == b"S,SOURCE KIND,real,\r\n"


def test_closing_the_server_ends_a_hanging_conversation(source: Any) -> None:
    server = LoopbackServer(source)
    server.faults.hang = True
    server.start()
    with socket.create_connection(server.address, timeout=5.0) as peer:
        peer.sendall(b"HTX,KO,1\r\n")
        for _ in range(500):
            if server.received:
                break
            time.sleep(0.01)
        server.close()
        assert peer.recv(100) == b""


# -- the bars DTN itself made ------------------------------------------------


def nept_ticks(shared_data: Path, date: str) -> dict[str, Any]:
    table = pq.read_table(shared_data / f"ticks/symbol=NEPT/date={date}.parquet", partitioning=None)
    return {name: table[name].to_numpy().astype(dtype) for name, dtype in RAW_DTYPES.items()}


@pytest.mark.real_data
@pytest.mark.parametrize("date", ["2021-03-01", "2021-03-02"])
def test_one_second_bars_are_exactly_dtns_own(shared_data: Path, date: str) -> None:
    with (shared_data / "reference_bars/NEPT_iqfeed_1s.csv").open() as file:
        expected = [row for row in csv.DictReader(file) if row["timestamp"].startswith(date)]
    bars = interval_bars(nept_ticks(shared_data, date), 1)
    assert len(bars["begin"]) == len(expected) > 1000
    stamps = [str(stamp).replace("T", " ") for stamp in bars["begin"].astype("datetime64[s]")]
    assert stamps == [row["timestamp"] for row in expected]
    for name in ("high", "low", "open", "close"):
        assert bars[name].tolist() == [float(row[name]) for row in expected]
    assert bars["total_volume"].tolist() == [int(row["total_volume"]) for row in expected]
    assert bars["volume"].tolist() == [int(row["period_volume"]) for row in expected]


@pytest.mark.real_data
def test_a_capture_is_served_byte_for_byte(shared_data: Path) -> None:
    path = shared_data / "wire/NEPT_2021-03-01_ticks_protocol_6.1.txt.gz"
    captured = gzip.decompress(path.read_bytes())
    with LoopbackServer(CapturedWireSource(path, "NEPT")) as server, socket.create_connection(server.address) as peer:
        peer.sendall(b"HTT,NEPT,20210301 000000,20210301 235959,,,,1,,\r\n")
        got = bytearray()
        while not got.endswith(END):
            got += peer.recv(1 << 20)
    assert bytes(got) == captured + END

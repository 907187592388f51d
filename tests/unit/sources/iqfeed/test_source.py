"""IQFeed as a source of symbol-days."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest

from fuzzy_pipeline.errors import (
    HistoryLimitError,
    NoDataError,
    ProtocolError,
    SourceError,
    SourceFileError,
    SourceUnavailableError,
    UnauthorizedError,
    UnknownSymbolError,
)
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.settings import HistorySettings, IQFeedSettings
from fuzzy_pipeline.sources.iqfeed.capture import CapturedWireSource
from fuzzy_pipeline.sources.iqfeed.client import IQFeedClient
from fuzzy_pipeline.sources.iqfeed.server import LoopbackServer
from fuzzy_pipeline.sources.iqfeed.source import IQFeedSource, earliest_date
from fuzzy_pipeline.sources.iqfeed.tick_decoding import RAW_DTYPES

EASTERN = ZoneInfo("America/New_York")
MONDAY, TUESDAY = dt.date(2024, 3, 4), dt.date(2024, 3, 5)
OPEN = dt.datetime(2024, 3, 5, 12, 0, tzinfo=EASTERN)
EVENING = dt.datetime(2024, 3, 5, 20, 0, tzinfo=EASTERN)


def test_a_symbol_day_is_one_request_over_the_whole_eastern_day(client: IQFeedClient, server: LoopbackServer) -> None:
    fetched = IQFeedSource(client).fetch_ticks("KO", MONDAY)
    assert (fetched.symbol, fetched.trading_date, fetched.source, fetched.kind) == ("KO", MONDAY, "iqfeed", "simulated")
    assert fetched.columns["tick_id"].tolist() == [1, 2, 3, 4, 5]
    assert (fetched.requests, fetched.detail) == (1, client.where)
    assert server.received[-1].startswith("HTT,KO,20240304 000000,20240304 235959,,,,1,")


def test_requests_count_the_tries(client: IQFeedClient, server: LoopbackServer) -> None:
    server.faults.too_many_requests = 2
    assert IQFeedSource(client).fetch_ticks("KO", MONDAY).requests == 3


def test_ticks_of_another_date_stay_in_for_validation_to_set_aside(scripted: Any) -> None:
    tick = b"LH,2024-03-0%d 09:30:00.000000,10.0000,100,100,9.9900,10.0100,1,C,7,01,0,4,\r\n"
    prefix = b"F0000000001,"
    reply = prefix + tick % 2 + prefix + tick % 4 + prefix + b"!ENDMSG!,\r\n"
    with scripted([b"S,CURRENT PROTOCOL,6.2\r\n", None, b"E,!SYNTAX_ERROR!,\r\n", reply]) as peer:
        feed = IQFeedSource(IQFeedClient(IQFeedSettings(port=peer.address[1], timeout_s=2.0, tries=1)))
        fetched = feed.fetch_ticks("KO", MONDAY)
        feed.close()
    assert fetched.columns["date"].tolist() == [dt.date(2024, 3, 2), MONDAY]
    assert fetched.kind == "real"


def test_a_reply_without_ticks_is_no_data(scripted: Any) -> None:
    hello, unknown = b"S,CURRENT PROTOCOL,6.2\r\n", b"E,!SYNTAX_ERROR!,\r\n"
    with scripted([hello, None, unknown, b"F0000000001,!ENDMSG!,\r\n"]) as peer:
        feed = IQFeedSource(IQFeedClient(IQFeedSettings(port=peer.address[1], timeout_s=2.0, tries=1)))
        with pytest.raises(NoDataError, match="KO 2024-03-04"):
            feed.fetch_ticks("KO", MONDAY)
        feed.close()


def test_no_data_and_unknown_symbols_are_told_apart(client: IQFeedClient) -> None:
    feed = IQFeedSource(client)
    with pytest.raises(NoDataError, match="20240302"):
        feed.fetch_ticks("KO", dt.date(2024, 3, 2))
    with pytest.raises(UnknownSymbolError, match="NOPE"):
        feed.fetch_ticks("NOPE", MONDAY)


# -- daily bars --------------------------------------------------------------


def test_the_daily_bar_of_a_date_arrives_as_the_source_has_it(client: IQFeedClient, server: LoopbackServer) -> None:
    bar = IQFeedSource(client).daily_bar("KO", MONDAY)
    assert bar == SourceDailyBar(open=10.0, high=10.05, low=10.0, close=10.05, volume=750)
    command, *fields = server.received[-1].split(",")
    assert (command, fields[:5], fields[7]) == ("HDT", ["KO", "20240304", "20240304", "", "1"], "1")


def test_a_date_without_a_daily_bar_has_none(client: IQFeedClient, source: Any) -> None:
    assert IQFeedSource(client).daily_bar("KO", dt.date(2024, 3, 2)) is None
    del source.bars[MONDAY]  # there are ticks, and none of them is made into a bar
    assert IQFeedSource(client).daily_bar("KO", MONDAY) is None


def test_a_daily_bar_that_cannot_be_fetched_is_an_error_and_not_none(
    client: IQFeedClient, server: LoopbackServer, source: Any
) -> None:
    feed = IQFeedSource(client)
    with pytest.raises(UnknownSymbolError, match="NOPE"):
        feed.daily_bar("NOPE", MONDAY)
    server.faults.unauthorized = True
    with pytest.raises(UnauthorizedError):
        feed.daily_bar("KO", MONDAY)
    server.faults.unauthorized = False
    source.error = SourceFileError("the disk is gone")
    with pytest.raises(SourceUnavailableError):
        feed.daily_bar("KO", MONDAY)


def test_the_limits_of_tick_history_do_not_hold_for_daily_bars(client: IQFeedClient) -> None:
    feed = IQFeedSource(client, history=HistorySettings(), now=lambda: OPEN)
    assert feed.daily_bar("KO", dt.date(2013, 10, 7)) is None


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["2024-03-04,1.4700,1.3100,1.4600,1.3600,123456,0,"], SourceDailyBar(1.46, 1.47, 1.31, 1.36, 123_456)),
        (["2024-03-01,1.4700,1.3100,1.4600,1.3600,123456,0,"], None),
        (["2024-03-04,1.4700,1.3100,1.4600,1.3600,123456,0,"] * 2, SourceError),
        (["2024-03-04,1.4700,1.3100,1.4600,123456,0,"], ProtocolError),
    ],
)
def test_a_daily_line_is_read_by_its_fields_and_another_date_is_not_taken_for_it(
    scripted: Any, lines: list[str], expected: Any
) -> None:
    hello, unknown = b"S,CURRENT PROTOCOL,6.1\r\n", b"E,!SYNTAX_ERROR!,\r\n"
    reply = "".join(f"F0000000001,{line}\r\n" for line in [*lines, "!ENDMSG!,"]).encode()
    with scripted([hello, None, unknown, reply]) as peer:
        settings = IQFeedSettings(port=peer.address[1], timeout_s=2.0, tries=1, protocol="6.1")
        feed = IQFeedSource(IQFeedClient(settings))
        if isinstance(expected, type):
            with pytest.raises(expected):
                feed.daily_bar("KO", MONDAY)
        else:
            assert feed.daily_bar("KO", MONDAY) == expected
        feed.close()


# -- the feed and its limits -------------------------------------------------


def test_check_tells_address_protocol_and_kind(client: IQFeedClient) -> None:
    line = IQFeedSource(client).check()
    assert f":{client.settings.port} protocol {client.settings.protocol}" in line
    assert "simulated" in line


def test_closing_the_source_closes_the_connection(client: IQFeedClient) -> None:
    feed = IQFeedSource(client)
    feed.fetch_ticks("KO", MONDAY)
    feed.close()
    assert client._connection is None


# 21 February to 5 March 2024: eight trading dates before the 5th are 4, 1 March, 29, 28, 27, 26, 23, 22 February.
@pytest.mark.parametrize(
    ("now", "earliest"),
    [
        (OPEN, dt.date(2024, 2, 22)),
        (dt.datetime(2024, 3, 5, 9, 30, tzinfo=EASTERN), dt.date(2024, 2, 22)),
        (dt.datetime(2024, 3, 5, 9, 29, 59, tzinfo=EASTERN), dt.date(2023, 9, 7)),
        (dt.datetime(2024, 3, 5, 16, 0, tzinfo=EASTERN), dt.date(2023, 9, 7)),
        (dt.datetime(2024, 3, 5, 17, 0, tzinfo=dt.UTC), dt.date(2024, 2, 22)),
        (dt.datetime(2024, 3, 3, 12, 0, tzinfo=EASTERN), dt.date(2023, 9, 5)),
    ],
)
def test_the_earliest_date_depends_on_whether_the_market_is_open(now: dt.datetime, earliest: dt.date) -> None:
    assert earliest_date(now, HistorySettings()) == earliest


@pytest.mark.parametrize(
    ("now", "refused", "allowed", "text"),
    [
        (OPEN, dt.date(2024, 2, 21), dt.date(2024, 2, 22), "8 trading days while the market is open"),
        (EVENING, dt.date(2023, 9, 6), dt.date(2023, 9, 7), "180 calendar days"),
    ],
)
def test_a_date_beyond_the_limit_is_refused_before_any_request_naming_the_earliest(
    client: IQFeedClient, server: LoopbackServer, now: dt.datetime, refused: dt.date, allowed: dt.date, text: str
) -> None:
    feed = IQFeedSource(client, history=HistorySettings(), now=lambda: now)
    with pytest.raises(HistoryLimitError, match=f"KO {refused}: .*{text}.*earliest date is {allowed}"):
        feed.fetch_ticks("KO", refused)
    assert list(server.received) == []
    with pytest.raises(NoDataError):
        feed.fetch_ticks("KO", allowed)


def test_without_a_limit_any_date_is_asked_for(client: IQFeedClient) -> None:
    with pytest.raises(NoDataError):
        IQFeedSource(client).fetch_ticks("KO", dt.date(2013, 10, 7))


def test_a_capture_that_is_no_gzip_file_or_holds_other_lines_is_refused(tmp_path: Path) -> None:
    plain = tmp_path / "plain.gz"
    plain.write_bytes(b"2021-03-01 04:00:00")
    other = tmp_path / "other.gz"
    other.write_bytes(gzip.compress(b"hello\r\n"))
    cut = tmp_path / "cut.gz"
    cut.write_bytes(gzip.compress(b"hello\r\n" * 100)[:-9])
    corrupt = tmp_path / "corrupt.gz"
    corrupt.write_bytes(gzip.compress(b"hello\r\n" * 100)[:10] + b"\xff" * 40)
    for path in (plain, other, cut, corrupt, tmp_path / "missing.gz"):
        with pytest.raises(SourceFileError, match=path.name):
            CapturedWireSource(path, "NEPT")


def test_a_capture_knows_its_symbol_and_dates(tmp_path: Path) -> None:
    path = tmp_path / "one.gz"
    path.write_bytes(gzip.compress(b"2021-03-01 04:00:00.028010,1.5200,1000,1000,1.5600,1.5700,1,E,11,1747,0,1,\r\n"))
    capture = CapturedWireSource(path, "NEPT")
    assert capture.dates("NEPT") == [dt.date(2021, 3, 1)]
    assert "1 captured ticks of NEPT" in capture.check()
    with pytest.raises(NoDataError, match="2021-03-02"):
        capture.fetch_ticks("NEPT", dt.date(2021, 3, 2))
    assert capture.daily_bar("NEPT", dt.date(2021, 3, 1)) is None
    with pytest.raises(UnknownSymbolError, match="KO"):
        capture.fetch_ticks("KO", dt.date(2021, 3, 1))
    capture.close()


@pytest.mark.real_data
def test_a_captured_day_served_and_read_is_exactly_the_stored_day(
    shared_data: Path, settings_for: Callable[..., IQFeedSettings], protocol: str
) -> None:
    capture = CapturedWireSource(shared_data / "wire/NEPT_2021-03-01_ticks_protocol_6.1.txt.gz", "NEPT")
    stored = pq.read_table(shared_data / "ticks/symbol=NEPT/date=2021-03-01.parquet", partitioning=None)
    with (
        LoopbackServer(capture) as server,
        IQFeedClient(settings_for(server, protocol=protocol)) as client,
    ):
        fetched = IQFeedSource(client).fetch_ticks("NEPT", dt.date(2021, 3, 1))
    assert fetched.kind == "real"
    assert list(fetched.columns) == stored.column_names == list(RAW_DTYPES)
    for name, dtype in RAW_DTYPES.items():
        assert fetched.columns[name].dtype == dtype
        np.testing.assert_array_equal(fetched.columns[name], stored[name].to_numpy().astype(dtype), err_msg=name)

"""The client against the loopback server, and against servers that misbehave."""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from fuzzy_pipeline.errors import (
    NoDataError,
    ProtocolError,
    RequestError,
    SourceError,
    SourceTimeoutError,
    SourceUnavailableError,
    TooManyRequestsError,
    UnauthorizedError,
    UnknownSymbolError,
)
from fuzzy_pipeline.settings import IQFeedSettings
from fuzzy_pipeline.sources.iqfeed.client import IQFeedClient
from fuzzy_pipeline.sources.iqfeed.server import LoopbackServer

EASTERN = ZoneInfo("America/New_York")
BEGIN = dt.datetime(2024, 3, 4, tzinfo=EASTERN)
END = dt.datetime(2024, 3, 4, 23, 59, 59, tzinfo=EASTERN)
MONDAY = dt.date(2024, 3, 4)

HELLO = b"S,CURRENT PROTOCOL,6.2\r\n"
UNKNOWN = b"E,!SYNTAX_ERROR!,\r\n"
TICK = b"LH,2024-03-04 09:30:00.000000,10.0000,100,100,9.9900,10.0100,1,C,7,01,0,4,\r\n"
SettingsFor = Callable[..., IQFeedSettings]


def history(client: IQFeedClient, symbol: str = "KO") -> Any:
    return client.history_ticks(symbol, BEGIN, END)


# -- good replies ------------------------------------------------------------


def test_a_day_of_ticks_arrives_exactly_as_the_source_has_it(client: IQFeedClient, source: Any) -> None:
    ticks = history(client)
    assert list(ticks) == list(source.days[MONDAY])
    for name, column in source.days[MONDAY].items():
        assert ticks[name].dtype == column.dtype
        np.testing.assert_array_equal(ticks[name], column)


def test_ticks_come_oldest_first_unless_asked_otherwise(client: IQFeedClient) -> None:
    assert history(client)["tick_id"].tolist() == [1, 2, 3, 4, 5]
    assert client.history_ticks("KO", BEGIN, END, ascending=False)["tick_id"].tolist() == [5, 4, 3, 2, 1]


def test_days_and_latest_are_asked_with_their_own_commands(client: IQFeedClient, server: LoopbackServer) -> None:
    assert client.ticks_days("KO", 1)["last"].tolist() == [11.0, 11.5]
    assert client.ticks_latest("KO", 3)["last"].tolist() == [10.05, 11.0, 11.5]
    assert [line.split(",")[0] for line in server.received if line.startswith("HT")] == ["HTD", "HTX"]


def test_interval_bars_are_arrays_with_their_label_in_microseconds(client: IQFeedClient) -> None:
    bars = client.interval_bars("KO", 60, begin=BEGIN, end=END)
    assert bars["date"].tolist() == [MONDAY, MONDAY]
    assert bars["time"].tolist() == [34_200_000_000, 34_260_000_000]
    assert bars["open"].tolist() == [10.0, 10.05]
    assert bars["high"].tolist() == [10.02, 10.05]
    assert bars["low"].tolist() == [10.0, 10.05]
    assert bars["close"].tolist() == [10.01, 10.05]
    assert bars["period_volume"].tolist() == [600, 100]
    assert bars["total_volume"].tolist() == [650, 750]
    assert bars["trades"].tolist() == [0, 0]


def test_interval_bars_of_the_last_days_may_be_labelled_with_their_end(client: IQFeedClient) -> None:
    bars = client.interval_bars("KO", 60, days=1, label_at_begin=False)
    assert bars["time"].tolist() == [34_260_000_000, 57_660_000_000]


def test_daily_bars_between_dates_and_the_newest(client: IQFeedClient) -> None:
    bars = client.daily_bars("KO", first_date=MONDAY, last_date=dt.date(2024, 3, 5))
    assert bars["date"].tolist() == [MONDAY, dt.date(2024, 3, 5)]
    assert bars["open"].tolist() == [10.0, 11.0]
    assert bars["high"].tolist() == [10.05, 11.5]
    assert bars["low"].tolist() == [10.0, 11.0]
    assert bars["close"].tolist() == [10.05, 11.5]
    assert bars["period_volume"].tolist() == [750, 500]
    assert bars["open_interest"].tolist() == [0, 0]
    assert client.daily_bars("KO", max_points=1)["date"].tolist() == [dt.date(2024, 3, 5)]


def test_code_tables_are_read_by_id(client: IQFeedClient) -> None:
    assert client.listed_markets()[19].short == "NTRF"
    assert client.security_types()[1].name == "Equity"
    assert client.trade_conditions()[135].short == "ODDLOT"


def test_every_request_has_its_own_id_and_one_connection_serves_them_all(
    client: IQFeedClient, server: LoopbackServer
) -> None:
    history(client)
    history(client)
    ids = [line.split(",")[8] for line in server.received if line.startswith("HTT")]
    assert ids == ["F0000000001", "F0000000002"]
    assert sum(line.startswith("S,SET PROTOCOL") for line in server.received) == 1


# -- the handshake -----------------------------------------------------------


def test_the_handshake_sets_protocol_name_and_asks_the_kind(client: IQFeedClient, server: LoopbackServer) -> None:
    assert client.kind == "simulated"
    assert [*server.received] == [
        f"S,SET PROTOCOL,{client.settings.protocol}",
        "S,SET CLIENT NAME,fuzzy_pipeline",
        "S,SOURCE KIND",
    ]


def connect(scripted: Any, *answers: bytes | None, connections: int = 1, **overrides: Any) -> Any:
    """The kind a client learns from a server that gives these answers (or the error it raises)."""
    with scripted(list(answers), connections) as peer:
        settings = {"host": "127.0.0.1", "port": peer.address[1], "timeout_s": 0.3, "tries": 1, "backoff_s": 0.0}
        with IQFeedClient(IQFeedSettings(**(settings | overrides))) as client:
            return client.kind


@pytest.mark.parametrize("hello", [b"S,CURRENT PROTOCOL,6.2\r\n", b"S,CURRENT PROTOCOL,6.2,\r\n"])
def test_a_server_that_does_not_know_the_question_is_the_real_feed(scripted: Any, hello: bytes) -> None:
    assert connect(scripted, hello, None, UNKNOWN) == "real"


def test_a_server_declares_its_kind(scripted: Any) -> None:
    assert connect(scripted, HELLO, None, b"S,SOURCE KIND,real,\r\n") == "real"
    assert connect(scripted, HELLO, None, b"S,SOURCE KIND,simulated,\r\n") == "simulated"


def test_status_lines_before_the_answer_are_passed_over(scripted: Any) -> None:
    pushed = b"S,SERVER CONNECTED,\r\nS,KEY,1,\r\n"
    assert connect(scripted, HELLO, None, pushed + b"S,SOURCE KIND,simulated,\r\n") == "simulated"


def test_silence_is_never_taken_for_the_real_feed(scripted: Any) -> None:
    with pytest.raises(SourceTimeoutError, match="S,SOURCE KIND"):
        connect(scripted, HELLO, None, None, b"")


def test_an_odd_answer_to_the_question_is_refused(scripted: Any) -> None:
    with pytest.raises(ProtocolError, match="S,SOURCE KIND"):
        connect(scripted, HELLO, None, b"S,SOURCE KIND,pretended,\r\n")


def test_another_protocol_is_refused_naming_the_setting(scripted: Any) -> None:
    with pytest.raises(ProtocolError, match=r"'6\.1'.*FUZZY_IQFEED__PROTOCOL"):
        connect(scripted, b"S,CURRENT PROTOCOL,6.1\r\n")


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n", b"\x15\x03\x01\x00\x02\x02\n", b"x" * 9000])
def test_something_else_listening_is_named_with_what_to_do(scripted: Any, answer: bytes) -> None:
    with pytest.raises(ProtocolError, match=r"127\.0\.0\.1:\d+.*FUZZY_IQFEED__PORT"):
        connect(scripted, answer)


def test_a_silent_listener_is_a_timeout(scripted: Any) -> None:
    with pytest.raises(SourceTimeoutError, match=r"127\.0\.0\.1:\d+"):
        connect(scripted, None, None)


def test_nothing_listening_is_unavailable_naming_the_address_and_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    client = IQFeedClient(IQFeedSettings(port=port, tries=1, timeout_s=1.0))
    with pytest.raises(SourceUnavailableError, match=rf"127\.0\.0\.1:{port}.*IQConnect must be running"):
        history(client)


def test_a_port_whose_kind_changes_between_connections_is_refused(
    source: Any, server: LoopbackServer, settings_for: SettingsFor
) -> None:
    with IQFeedClient(settings_for(server)) as client:
        assert client.kind == "simulated"
        client.close()
        source.kind = "real"
        with pytest.raises(SourceError, match="simulated data before and real data now"):
            history(client)


# -- errors and faults -------------------------------------------------------


@pytest.fixture
def sleeps() -> list[float]:
    return []


@pytest.fixture
def patient(
    server: LoopbackServer, settings_for: SettingsFor, protocol: str, sleeps: list[float]
) -> Callable[..., IQFeedClient]:
    """Clients whose pauses are only noted."""

    def make(**overrides: Any) -> IQFeedClient:
        settings = settings_for(server, **({"protocol": protocol, "timeout_s": 0.3, "backoff_s": 1.0} | overrides))
        return IQFeedClient(settings, sleep=sleeps.append)

    return make


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"no_data": True}, NoDataError),
        ({"unauthorized": True}, UnauthorizedError),
        ({"syntax_error": True}, RequestError),
    ],
)
def test_permanent_answers_are_not_tried_again_and_leave_the_connection_in_step(
    server: LoopbackServer, patient: Any, sleeps: list[float], fault: dict[str, Any], kind: type[Exception]
) -> None:
    for name, value in fault.items():
        setattr(server.faults, name, value)
    server.faults.times = 1
    with patient() as client:
        with pytest.raises(kind, match="HTT,KO,20240304 000000"):
            history(client)
        assert len(history(client)["time"]) == 5
    assert sleeps == []
    assert sum(line.startswith("S,SET PROTOCOL") for line in server.received) == 1


def test_an_unknown_symbol_is_named(patient: Any) -> None:
    with patient() as client, pytest.raises(UnknownSymbolError, match="HTT,NOPE"):
        history(client, "NOPE")


def test_an_empty_range_is_no_data(patient: Any) -> None:
    with patient() as client, pytest.raises(NoDataError):
        client.history_ticks("KO", END, END)


@pytest.mark.parametrize(
    "fault",
    [
        {"refuse": True},
        {"hang": True},
        {"cut_after_lines": 0},
        {"cut_after_lines": 3},
        {"garbage_after_lines": 0},
        {"garbage_after_lines": 3},
        {"too_many_requests": 2},
    ],
    ids=lambda fault: "-".join(f"{name}-{value}" for name, value in fault.items()),
)
def test_passing_failures_are_tried_again_and_then_give_the_whole_day(
    server: LoopbackServer, patient: Any, sleeps: list[float], source: Any, fault: dict[str, Any]
) -> None:
    server.faults.times = 2
    for name, value in fault.items():
        setattr(server.faults, name, value)
    with patient() as client:
        ticks = history(client)
    np.testing.assert_array_equal(ticks["last"], source.days[MONDAY]["last"])
    assert len(sleeps) == 2


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"refuse": True}, SourceUnavailableError),
        ({"hang": True}, SourceTimeoutError),
        ({"cut_after_lines": 3}, SourceUnavailableError),
        ({"garbage_after_lines": 3}, ProtocolError),
        ({"too_many_requests": 9}, TooManyRequestsError),
    ],
)
def test_a_failure_that_lasts_is_raised_after_the_last_try_and_gives_no_partial_reply(
    server: LoopbackServer, patient: Any, sleeps: list[float], fault: dict[str, Any], kind: type[Exception]
) -> None:
    for name, value in fault.items():
        setattr(server.faults, name, value)
    with patient(tries=3) as client, pytest.raises(kind) as raised:
        history(client)
    assert type(raised.value) is kind
    assert len(sleeps) == 2


def test_a_cut_reply_says_how_far_it_came(server: LoopbackServer, patient: Any) -> None:
    server.faults.cut_after_lines = 3
    with patient(tries=1) as client, pytest.raises(SourceUnavailableError, match="after line 3 of the reply"):
        history(client)


def test_pauses_double_and_have_jitter(server: LoopbackServer, patient: Any, sleeps: list[float]) -> None:
    server.faults.too_many_requests = 4
    with patient(tries=5, backoff_s=1.0) as client:
        history(client)
    for number, pause in enumerate(sleeps):
        assert 2**number <= pause <= 2**number + 1
    assert len(set(sleeps)) == 4


def test_a_slow_server_is_waited_for_while_bytes_come(server: LoopbackServer, patient: Any) -> None:
    server.faults.slow_s = 0.05
    with patient(timeout_s=5.0) as client:
        assert len(history(client)["time"]) == 5


def test_requests_are_held_back_to_the_rate(server: LoopbackServer, settings_for: SettingsFor) -> None:
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    with IQFeedClient(settings_for(server, requests_per_second=2.0), clock=lambda: now[0], sleep=sleep) as client:
        for _ in range(6):
            history(client)
    assert now[0] == pytest.approx((6 - 2) / 2.0)


def test_a_request_that_cannot_be_sent_fails_without_a_connection(patient: Any, server: LoopbackServer) -> None:
    with patient() as client, pytest.raises(RequestError, match="HTT symbol"):
        history(client, "A,B")
    assert list(server.received) == []


@pytest.mark.parametrize("end_line", [b"", b"F0000000001,!ENDMSG!,\r\n", b"!ENDMSG!,\r\n"])
@pytest.mark.parametrize("id_in_error", [b"", b"F0000000001,"])
@pytest.mark.parametrize("with_error", [0, 7, 99], ids=["late", "cut", "at_once"])
def test_errors_may_or_may_not_be_followed_by_an_end_line(
    scripted: Any, end_line: bytes, id_in_error: bytes, with_error: int
) -> None:
    refusal = id_in_error + b"E,Invalid symbol.,\r\n" + end_line[:with_error]
    good = end_line[with_error:] + b"F0000000002," + TICK + b"F0000000002,!ENDMSG!,\r\n"
    with scripted([HELLO, None, UNKNOWN, refusal, good]) as peer:
        client = IQFeedClient(IQFeedSettings(port=peer.address[1], timeout_s=2.0, tries=1))
        with pytest.raises(UnknownSymbolError):
            history(client, "NOPE")
        assert history(client)["last"].tolist() == [10.0]
        client.close()


def test_an_end_line_without_id_is_passed_over_only_in_the_reply_after_the_error(scripted: Any) -> None:
    good = b"F0000000002," + TICK + b"F0000000002,!ENDMSG!,\r\n"
    with scripted([HELLO, None, UNKNOWN, b"E,Invalid symbol.,\r\n", good, b"!ENDMSG!,\r\n"]) as peer:
        client = IQFeedClient(IQFeedSettings(port=peer.address[1], timeout_s=2.0, tries=1))
        with pytest.raises(UnknownSymbolError):
            history(client, "NOPE")
        history(client)
        with pytest.raises(ProtocolError, match="line 1 of the reply"):
            history(client)
        client.close()


def test_a_reply_of_no_lines_is_empty_arrays(scripted: Any) -> None:
    with scripted([HELLO, None, UNKNOWN, b"F0000000001,!ENDMSG!,\r\n"]) as peer:
        client = IQFeedClient(IQFeedSettings(port=peer.address[1], timeout_s=2.0, tries=1))
        assert history(client)["last"].shape == (0,)
        client.close()


def test_a_bar_that_cannot_be_read_is_tried_again_and_then_refused(scripted: Any) -> None:
    bad = b"LH,2024-03-04 09:30:00,x,1.0,1.0,1.0,5,5,0,\r\n"
    answers = [HELLO, None, UNKNOWN, b"F0000000001," + bad + b"F0000000001,!ENDMSG!,\r\n"]
    with scripted(answers) as peer:
        client = IQFeedClient(IQFeedSettings(port=peer.address[1], timeout_s=2.0, tries=1))
        with pytest.raises(ProtocolError, match="line 1 of the reply: high is 'x'"):
            client.interval_bars("KO", 60, days=1)
        client.close()


def test_an_interrupt_in_a_reply_drops_the_connection(
    client: IQFeedClient, server: LoopbackServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    history(client)
    with monkeypatch.context() as patch:
        patch.setattr(client._connection, "_receive", _interrupt)
        with pytest.raises(KeyboardInterrupt):
            history(client)
    assert len(history(client)["time"]) == 5
    assert sum(line.startswith("S,SET PROTOCOL") for line in server.received) == 2


def _interrupt(during: str) -> bytes:
    raise KeyboardInterrupt

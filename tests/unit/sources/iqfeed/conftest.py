"""Ticks, a source of them in memory, and servers for the IQFeed tests."""

from __future__ import annotations

import datetime as dt
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from fuzzy_pipeline.errors import NoDataError, UnknownSymbolError
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.settings import IQFeedSettings
from fuzzy_pipeline.sources.iqfeed.client import IQFeedClient
from fuzzy_pipeline.sources.iqfeed.server import LoopbackServer
from fuzzy_pipeline.sources.iqfeed.tick_decoding import decode_ticks
from fuzzy_pipeline.sources.iqfeed.tick_encoding import encode_ticks
from fuzzy_pipeline.sources.protocol import DataKind, FetchedTicks

EASTERN = ZoneInfo("America/New_York")
MONDAY, TUESDAY = dt.date(2024, 3, 4), dt.date(2024, 3, 5)
NOW = dt.datetime(2024, 3, 5, 20, 0, tzinfo=EASTERN)

Row = tuple[str, float, int, str]
ROWS: dict[dt.date, list[Row]] = {
    MONDAY: [
        ("09:30:00.000000", 10.00, 100, "C"),
        ("09:30:00.999999", 10.02, 200, "C"),
        ("09:30:01.000000", 9.50, 50, "O"),
        ("09:30:59.999999", 10.01, 300, "E"),
        ("09:31:00.000000", 10.05, 100, "C"),
    ],
    TUESDAY: [
        ("09:30:00.000000", 11.00, 100, "C"),
        ("16:00:00.500000", 11.50, 400, "C"),
    ],
}

BARS = {
    MONDAY: SourceDailyBar(open=10.0, high=10.05, low=10.0, close=10.05, volume=750),
    TUESDAY: SourceDailyBar(open=11.0, high=11.5, low=11.0, close=11.5, volume=500),
}
"""Prices of the rows with basis C, volume of all rows."""


def ticks_of(date: dt.date, rows: list[Row]) -> dict[str, np.ndarray[Any, Any]]:
    """The 14 columns of a few ticks: quote one cent around the price, NYSE, condition regular."""
    sizes = np.array([row[2] for row in rows], dtype="uint64")
    last = np.array([row[1] for row in rows])
    clock = [dt.time.fromisoformat(row[0]) for row in rows]
    seconds = [(time.hour * 60 + time.minute) * 60 + time.second for time in clock]
    ones = np.ones(len(rows), dtype="uint8")
    return {
        "tick_id": np.arange(1, len(rows) + 1, dtype="uint64"),
        "date": np.full(len(rows), date, dtype="datetime64[D]"),
        "time": np.array([s * 1_000_000 + t.microsecond for s, t in zip(seconds, clock, strict=True)], dtype="int64"),
        "last": last,
        "last_sz": sizes,
        "last_type": np.array([row[3] for row in rows], dtype="S1"),
        "mkt_ctr": np.full(len(rows), 7, dtype="uint32"),
        "tot_vlm": np.cumsum(sizes, dtype="uint64"),
        "bid": np.round(last - 0.01, 2),
        "ask": np.round(last + 0.01, 2),
        "cond1": ones,
        "cond2": 0 * ones,
        "cond3": 0 * ones,
        "cond4": 0 * ones,
    }


class MemorySource:
    """Serves ``ROWS`` and ``BARS`` as the symbol KO; counts its fetches of ticks."""

    name = "memory"

    def __init__(self, kind: DataKind = "simulated") -> None:
        self.kind: DataKind = kind
        self.days = {date: ticks_of(date, rows) for date, rows in ROWS.items()}
        self.bars = dict(BARS)
        self.fetched: list[tuple[str, dt.date]] = []
        self.error: Exception | None = None

    def dates(self, symbol: str) -> list[dt.date]:
        if symbol != "KO":
            raise UnknownSymbolError(f"no {symbol}")
        return list(self.days)

    def fetch_ticks(self, symbol: str, trading_date: dt.date) -> FetchedTicks:
        self.fetched.append((symbol, trading_date))
        if self.error is not None:
            raise self.error
        if symbol != "KO":
            raise UnknownSymbolError(f"no {symbol}")
        if trading_date not in self.days:
            raise NoDataError(f"nothing on {trading_date}")
        return FetchedTicks(symbol, trading_date, self.days[trading_date], self.name, self.kind)

    def daily_bar(self, symbol: str, trading_date: dt.date) -> SourceDailyBar | None:
        if self.error is not None:
            raise self.error
        if symbol != "KO":
            raise UnknownSymbolError(f"no {symbol}")
        return self.bars.get(trading_date)

    def check(self) -> str:
        return "memory"

    def close(self) -> None:
        """Nothing to close."""


class UndatedSource(MemorySource):
    """A source that cannot tell which dates it has."""

    dates = None  # type: ignore[assignment]


@pytest.fixture(scope="session", autouse=True)
def _kernels() -> None:
    """Compile the kernels once, so that no time-out of a test waits for the compiler."""
    ticks = ticks_of(MONDAY, ROWS[MONDAY])
    decode_ticks(encode_ticks(ticks).lines(np.arange(5)), "6.1")


@pytest.fixture
def source() -> MemorySource:
    return MemorySource()


@pytest.fixture
def undated_source() -> UndatedSource:
    return UndatedSource()


@pytest.fixture
def server(source: MemorySource) -> Iterator[LoopbackServer]:
    with LoopbackServer(source, now=lambda: NOW) as running:
        yield running


@pytest.fixture
def settings_for() -> Callable[..., IQFeedSettings]:
    def make(server: LoopbackServer, **overrides: Any) -> IQFeedSettings:
        host, port = server.address
        return IQFeedSettings(**({"host": host, "port": port, "timeout_s": 5.0, "backoff_s": 0.0} | overrides))

    return make


@pytest.fixture(params=["6.2", "6.1"])
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def client(
    server: LoopbackServer, settings_for: Callable[..., IQFeedSettings], protocol: str
) -> Iterator[IQFeedClient]:
    with IQFeedClient(settings_for(server, protocol=protocol)) as connected:
        yield connected


@pytest.fixture
def talk(server: LoopbackServer) -> Iterator[Callable[..., bytes]]:
    """Send lines on one raw socket and return what comes back until ``until`` is seen."""
    with socket.create_connection(server.address, timeout=5.0) as raw:

        def say(*lines: str, until: bytes) -> bytes:
            raw.sendall("".join(f"{line}\r\n" for line in lines).encode("latin-1"))
            got = b""
            while not got.endswith(until):
                chunk = raw.recv(65_536)
                if not chunk:
                    break
                got += chunk
            return got

        yield say


class ScriptedServer:
    """Answers the n-th line it reads with the n-th answer, which may be None (silence), then closes."""

    def __init__(self, answers: list[bytes | None], connections: int = 1) -> None:
        self._answers = answers
        self._connections = connections
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = self._socket.getsockname()[:2]
        self.lines: list[bytes] = []
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def _serve(self) -> None:
        for _ in range(self._connections):
            connection, _ = self._socket.accept()
            with connection, connection.makefile("rb") as reader:
                for answer in self._answers:
                    line = reader.readline()
                    if not line:
                        break
                    self.lines.append(line)
                    if answer is not None:
                        connection.sendall(answer)

    def __enter__(self) -> ScriptedServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._thread.join(5.0)


@pytest.fixture
def scripted() -> type[ScriptedServer]:
    return ScriptedServer

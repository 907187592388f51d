"""A loopback IQFeed: serves any source of ticks over the lookup protocol on this machine.

Belongs here: sockets and threads of the server, the handshake, and which reply a line gets. It declares
whether its data are simulated (``S,SOURCE KIND``), so that simulated ticks can never pass for real ones.
"""

from __future__ import annotations

import datetime as dt
import logging
import socket
import socketserver
import threading
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self, cast

from fuzzy_pipeline.errors import FuzzyError, NoDataError, RequestError, UnauthorizedError, UnknownSymbolError
from fuzzy_pipeline.schema.code_tables import market_centers, security_types, trade_conditions
from fuzzy_pipeline.sources.iqfeed.faults import Faults
from fuzzy_pipeline.sources.iqfeed.messages import (
    CURRENT_PROTOCOL,
    ENCODING,
    INVALID_SYMBOL,
    NO_DATA,
    SERVER_ERROR,
    SET_CLIENT_NAME,
    SET_PROTOCOL,
    SOURCE_KIND,
    SYNTAX_ERROR,
    TABLES,
    TOO_MANY_REQUESTS,
    UNAUTHORIZED,
    WireProtocol,
    data_lines,
    end_line,
    error_lines,
    line_prefix,
)
from fuzzy_pipeline.sources.iqfeed.requests import (
    HistoryRequest,
    IntervalOptions,
    ListedMarkets,
    Request,
    SecurityTypes,
    TicksBetween,
    TicksDays,
    TicksLatest,
    parse_request,
)
from fuzzy_pipeline.sources.iqfeed.served import DailyRequest, IntervalRequest, ServedMarket
from fuzzy_pipeline.sources.protocol import TickSource
from fuzzy_pipeline.trading_calendar import now_eastern

log = logging.getLogger(__name__)

PROTOCOLS: dict[str, WireProtocol] = {"6.2": "6.2", "6.1": "6.1"}
DEFAULT_PROTOCOL: WireProtocol = "6.1"
CHUNK_BYTES = 1 << 18
MAX_REQUEST = 1024
_JOIN_S = 5.0


class LoopbackServer:
    """A lookup port on this machine; use as a context manager.

    Parameters
    ----------
    source
        What is served; called from one thread at a time. Its ``kind`` is what the server declares.
    host, port
        Where to listen; port 0 picks a free one, see ``address``.
    faults
        Switches that may be changed while the server runs.
    now
        The present instant, tz-aware Eastern Time: "today" of requests for the last days.
    """

    def __init__(
        self,
        source: TickSource,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Faults | None = None,
        now: Callable[[], dt.datetime] = now_eastern,
    ) -> None:
        self.faults = faults if faults is not None else Faults()
        self.received: deque[str] = deque(maxlen=1000)
        self.market = ServedMarket(source, now)
        self.stopping = threading.Event()
        self._server = _Listener((host, port), self)
        self._thread: threading.Thread | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port the server listens on."""
        host, port = self._server.server_address[:2]
        return str(host), int(port)

    def start(self) -> None:
        """Begin to accept connections."""
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="loopback-iqfeed", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening, break all connections and wait for their threads."""
        self.stopping.set()
        if self._thread is not None:
            self._server.shutdown()
            self._thread.join(_JOIN_S)
            self._thread = None
        self._server.break_connections()
        self._server.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def answer(self, request: Request, protocol: WireProtocol) -> bytes:
        """The whole reply to a request, errors and end line included."""
        try:
            lines = self._data(request, protocol)
        except NoDataError:
            lines = b""
        except UnknownSymbolError:
            return error_lines(request.request_id, INVALID_SYMBOL)
        except UnauthorizedError:
            return error_lines(request.request_id, UNAUTHORIZED)
        except RequestError as error:
            return error_lines(request.request_id, str(error))
        except FuzzyError as error:
            log.warning("%s failed: %s", request.command, error)
            return error_lines(request.request_id, SERVER_ERROR)
        return lines + end_line(request.request_id) if lines else error_lines(request.request_id, NO_DATA)

    def _data(self, request: Request, protocol: WireProtocol) -> bytes:
        if not isinstance(request, HistoryRequest):
            return data_lines(line_prefix(protocol, request.request_id, TABLES), _table(request))
        prefix = line_prefix(protocol, request.request_id)
        if isinstance(request, TicksLatest | TicksDays | TicksBetween):
            return self.market.ticks(request, prefix)
        if isinstance(request, IntervalOptions):
            if request.interval_type not in (None, "s"):
                raise RequestError(SYNTAX_ERROR)  # volume and tick bars are not served
            return self.market.intervals(cast(IntervalRequest, request), prefix)
        return self.market.daily(cast(DailyRequest, request), prefix)


def _table(request: Request) -> list[tuple[object, ...]]:
    """Rows of a code table. Inferred ids are left out; a market's group is not known and given as itself."""
    if isinstance(request, ListedMarkets):
        return [
            (row.id, row.short, row.description, row.id, row.short)
            for row in market_centers().values()
            if not row.inferred
        ]
    if isinstance(request, SecurityTypes):
        return [(row.id, row.short, row.description) for row in security_types().values()]
    return [(row.code, row.short, row.description) for row in trade_conditions().values()]


class _Listener(socketserver.ThreadingTCPServer):
    """Accepts connections and knows the live ones, so that closing the server ends them."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], loopback: LoopbackServer) -> None:
        self.loopback = loopback
        self._live: dict[socket.socket, threading.Thread] = {}
        self._live_lock = threading.Lock()
        super().__init__(address, _Conversation)

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002
        return not self.loopback.faults.claim_refusal()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002
        log.exception("a connection of the loopback server failed")

    def enter(self, connection: socket.socket) -> None:
        with self._live_lock:
            self._live[connection] = threading.current_thread()

    def leave(self, connection: socket.socket) -> None:
        with self._live_lock:
            self._live.pop(connection, None)

    def break_connections(self) -> None:
        with self._live_lock:
            live = dict(self._live)
        for connection, thread in live.items():
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                log.debug("the peer had closed its connection already")
            thread.join(_JOIN_S)


class _Conversation(socketserver.StreamRequestHandler):
    """One connection: reads lines, answers each."""

    server: _Listener
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.protocol = DEFAULT_PROTOCOL
        self.server.enter(self.connection)

    def finish(self) -> None:
        self.server.leave(self.connection)
        super().finish()

    def handle(self) -> None:
        try:
            while not self.server.loopback.stopping.is_set():
                line = self.rfile.readline(MAX_REQUEST)
                if not line.endswith(b"\n") or not self._answer(line.decode(ENCODING).rstrip("\r\n")):
                    return
        except OSError as error:
            log.debug("the peer went away: %s", error)

    def _answer(self, line: str) -> bool:
        """Answer one line; False when the connection is to be closed."""
        loopback = self.server.loopback
        loopback.received.append(line)
        if line.startswith(SET_PROTOCOL):
            self.protocol = PROTOCOLS.get(line.removeprefix(SET_PROTOCOL).rstrip(","), self.protocol)
            return self._send(f"{CURRENT_PROTOCOL}{self.protocol}\r\n".encode(ENCODING))
        if line.startswith(SET_CLIENT_NAME):
            return True
        if line == SOURCE_KIND:
            return self._send(f"{SOURCE_KIND},{loopback.market.source.kind},\r\n".encode(ENCODING))
        try:
            request = parse_request(line)
        except RequestError as error:
            return self._send(error_lines("", str(error)))
        return self._answer_request(request, loopback.faults.claim())

    def _answer_request(self, request: Request, faults: Faults) -> bool:
        stopping = self.server.loopback.stopping
        if faults.hang:
            stopping.wait()
            return False
        if stopping.wait(faults.slow_s):
            return False
        error = _fault_error(faults)
        if error is None:
            reply = self.server.loopback.answer(request, self.protocol)
        else:
            reply = error_lines(request.request_id, error)
        sent = self._send(faults.apply(reply), faults.slow_s)
        return sent and faults.cut_after_lines is None

    def _send(self, reply: bytes, pause_s: float = 0.0) -> bool:
        view = memoryview(reply)
        for start in range(0, len(view), CHUNK_BYTES):
            if start and self.server.loopback.stopping.wait(pause_s):
                return False
            self.connection.sendall(view[start : start + CHUNK_BYTES])
        return True


def _fault_error(faults: Faults) -> str | None:
    switched = {
        TOO_MANY_REQUESTS: faults.too_many_requests > 0,
        UNAUTHORIZED: faults.unauthorized,
        SYNTAX_ERROR: faults.syntax_error,
        NO_DATA: faults.no_data,
    }
    return next((text for text, on in switched.items() if on), None)

"""One socket to the lookup port: handshake, one request at a time, whole replies.

Belongs here: everything that touches the socket. No retries: a connection that failed inside a reply is out
of step and must be thrown away, which is the client's decision.
"""

from __future__ import annotations

import socket

from fuzzy_pipeline.errors import ProtocolError, SourceError, SourceTimeoutError, SourceUnavailableError
from fuzzy_pipeline.settings import IQFeedSettings
from fuzzy_pipeline.sources.iqfeed.messages import (
    CURRENT_PROTOCOL,
    ENCODING,
    SET_CLIENT_NAME,
    SET_PROTOCOL,
    SOURCE_KIND,
    SYNTAX_ERROR,
)
from fuzzy_pipeline.sources.iqfeed.replies import MAX_LINE, ReplyDecoder, stale_after_error
from fuzzy_pipeline.sources.protocol import DataKind

RECEIVE_BYTES = 1 << 18
_WHERE = (
    "IQConnect must be running and logged in; its lookup port is 9100 unless changed "
    "(FUZZY_IQFEED__HOST, FUZZY_IQFEED__PORT)"
)


class LookupConnection:
    """A connected socket after the handshake.

    Raises
    ------
    SourceUnavailableError
        Nothing listens, or the peer closed the connection.
    SourceTimeoutError
        Something listens but no byte came within ``timeout_s``.
    ProtocolError
        What listens does not speak IQFeed's lookup protocol in the version asked for.
    """

    def __init__(self, settings: IQFeedSettings) -> None:
        self._settings = settings
        self.where = f"{settings.host}:{settings.port}"
        self.stale: frozenset[str] = frozenset()
        self._left = b""
        self._socket = self._connect()
        try:
            self._set_protocol()
            self._send(f"{SET_CLIENT_NAME}{settings.client_name}\r\n".encode(ENCODING))
            self.kind = self._ask_kind()
        except BaseException:
            self.close()
            raise

    def ask(self, request: bytes, request_id: str, decoder: ReplyDecoder) -> None:
        """Send a request and feed the decoder its whole reply.

        Raises
        ------
        SourceError
            The reply is an error line, is malformed, stopped half way or came too late. Unless the error is
            permanent (``retryable`` is False) the connection is out of step and must be closed.
        """
        self._send(request)
        self.stale = frozenset()
        try:
            while not decoder.finished:
                chunk = self._receive(f"{decoder.context}: after line {decoder.lines} of the reply")
                decoder.feed(chunk)
        except SourceError as error:
            if not error.retryable:
                self.stale = stale_after_error(request_id)
                self._left = decoder.unread
            raise

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _connect(self) -> socket.socket:
        address = (self._settings.host, self._settings.port)
        try:
            connected = socket.create_connection(address, timeout=self._settings.timeout_s)
        except TimeoutError as error:
            raise SourceTimeoutError(
                f"{self.where}: no connection in {self._settings.timeout_s} s: {_WHERE}"
            ) from error
        except OSError as error:
            raise SourceUnavailableError(f"{self.where}: cannot connect ({error}): {_WHERE}") from error
        connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connected

    def _set_protocol(self) -> None:
        wanted = self._settings.protocol
        self._send(f"{SET_PROTOCOL}{wanted}\r\n".encode(ENCODING))
        answer = self._receive_line("the handshake")
        if not answer.startswith(CURRENT_PROTOCOL):
            raise ProtocolError(
                f"{self.where}: answered {answer[:100]!r} to {SET_PROTOCOL}{wanted}: this is not IQFeed's lookup "
                f"port. {_WHERE}"
            )
        current = answer.removeprefix(CURRENT_PROTOCOL).rstrip(",")
        if current != wanted:
            raise ProtocolError(
                f"{self.where}: speaks protocol {current!r}, {wanted} was asked for: "
                "set FUZZY_IQFEED__PROTOCOL to a version it supports (6.2 or 6.1) or update IQFeed"
            )

    def _ask_kind(self) -> DataKind:
        """Whether the server declares its data simulated; IQConnect does not know the question.

        Silence is an error and not taken for "real": a slow loopback server must never pass for IQFeed.
        Status lines (``S,SERVER CONNECTED,``…) may come in between.
        """
        self._send(f"{SOURCE_KIND}\r\n".encode(ENCODING))
        answer = "S,"
        while answer.startswith("S,") and not answer.startswith(SOURCE_KIND):
            answer = self._receive_line(f"the question {SOURCE_KIND}").rstrip(",")
        if answer in (f"E,{SYNTAX_ERROR}", f"{SOURCE_KIND},real"):
            return "real"
        if answer == f"{SOURCE_KIND},simulated":
            return "simulated"
        raise ProtocolError(f"{self.where}: answered {answer[:100]!r} to {SOURCE_KIND}: this is not IQFeed. {_WHERE}")

    def _send(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError as error:
            raise SourceUnavailableError(f"{self.where}: the connection broke while sending ({error})") from error

    def _receive(self, during: str) -> bytes:
        if self._left:
            chunk, self._left = self._left, b""
            return chunk
        try:
            chunk = self._socket.recv(RECEIVE_BYTES)
        except TimeoutError as error:
            raise SourceTimeoutError(
                f"{self.where}: {during}: no bytes for {self._settings.timeout_s} s (FUZZY_IQFEED__TIMEOUT_S)"
            ) from error
        except OSError as error:
            raise SourceUnavailableError(f"{self.where}: {during}: the connection broke ({error})") from error
        if not chunk:
            raise SourceUnavailableError(f"{self.where}: {during}: the peer closed the connection. {_WHERE}")
        return chunk

    def _receive_line(self, during: str) -> str:
        data = b""
        while b"\n" not in data:
            if len(data) > MAX_LINE:
                raise ProtocolError(
                    f"{self.where}: {during}: no line end within {MAX_LINE} bytes: not IQFeed. {_WHERE}"
                )
            data += self._receive(f"waiting for the answer to {during}")
        line, _, self._left = data.partition(b"\n")
        return line.rstrip(b"\r").decode(ENCODING)

"""A webhook and a mail server on 127.0.0.1 that keep what they are sent."""

from __future__ import annotations

import base64
import json
import socketserver
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook(ThreadingHTTPServer):
    """Keeps path and JSON of each request, and answers with ``status``."""

    daemon_threads = True

    def __init__(self, port: int = 0) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        super().__init__(("127.0.0.1", port), _WebhookRequest)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/services/T0/B0/hush"


class _WebhookRequest(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append((self.path, json.loads(body)))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.received.append((self.path, {}))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@dataclass
class Mail:
    """One message as it came: sender, recipients, text, who logged in, and whether it was encrypted."""

    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    text: str = ""
    login: tuple[str, str] | None = None
    encrypted: bool = False


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as one message needs; with a TLS context it offers STARTTLS and AUTH PLAIN."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, tls: ssl.SSLContext | None = None, *, implicit: bool = False, port: int = 0) -> None:
        self.received: list[Mail] = []
        self.tls, self.implicit = tls, implicit
        self.refused_login = False
        super().__init__(("127.0.0.1", port), _MailSession)

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _MailSession(socketserver.StreamRequestHandler):
    server: MailServer

    def setup(self) -> None:
        if self.server.implicit and self.server.tls is not None:
            self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def handle(self) -> None:
        mail = Mail(encrypted=self.server.implicit)
        self._say("220 loopback")
        while line := self.rfile.readline().decode().strip():
            verb, _, rest = line.partition(" ")
            match verb.upper():
                case "EHLO":
                    offers = ["STARTTLS"] if self.server.tls is not None and not mail.encrypted else []
                    offers += ["AUTH PLAIN"]
                    self._say("250-loopback", *[f"250-{offer}" for offer in offers], "250 SIZE 1000000")
                case "STARTTLS":
                    self._say("220 go on")
                    assert self.server.tls is not None
                    self.request = self.server.tls.wrap_socket(self.request, server_side=True)
                    super().setup()
                    mail.encrypted = True
                case "AUTH":
                    _, user, password = base64.b64decode(rest.split()[1]).decode().split("\0")
                    mail.login = (user, password)
                    self._say(f"535 {password} is wrong" if self.server.refused_login else "235 welcome")
                case "MAIL":
                    mail.sender = rest.partition(":")[2].split()[0].strip("<>")
                    self._say("250 ok")
                case "RCPT":
                    mail.recipients.append(rest.partition(":")[2].split()[0].strip("<>"))
                    self._say("250 ok")
                case "DATA":
                    self._say("354 end with a dot")
                    mail.text = "".join(self._body())
                    self.server.received.append(mail)
                    self._say("250 kept")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 ok")

    def _body(self) -> Iterator[str]:
        while (line := self.rfile.readline().decode()) != ".\r\n":
            yield line.removeprefix(".") if line.startswith("..") else line

    def _say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())
        self.wfile.flush()


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    """The server answers while inside."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

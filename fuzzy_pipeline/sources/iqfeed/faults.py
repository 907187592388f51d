"""Faults the loopback server can show: what a real feed does on a bad day, at will."""

from __future__ import annotations

import dataclasses
import threading
from dataclasses import dataclass, field

GARBAGE = b"\x00\xff this is no line of the protocol\r\n"


@dataclass
class Faults:
    """Switches, changed at any time; a request sees the faults that are on when it arrives.

    Parameters
    ----------
    refuse
        Close connections as soon as they are accepted.
    hang
        Never reply.
    slow_s
        Pause before the reply and between its chunks. [s]
    no_data, unauthorized, syntax_error
        Answer with that error.
    too_many_requests
        So many requests, from now on, are answered with "too many simultaneous history requests".
    cut_after_lines
        Close the connection after so many lines of the reply.
    garbage_after_lines
        Put a line that is none of the protocol after so many lines of the reply.
    times
        How many requests (or refused connections) still get the faults; None: all. ``too_many_requests``
        has its own count.
    """

    refuse: bool = False
    hang: bool = False
    slow_s: float = 0.0
    no_data: bool = False
    unauthorized: bool = False
    syntax_error: bool = False
    too_many_requests: int = 0
    cut_after_lines: int | None = None
    garbage_after_lines: int | None = None
    times: int | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def claim_refusal(self) -> bool:
        """Whether to close the connection just accepted."""
        with self._lock:
            return self.refuse and self._count()

    def claim(self) -> Faults:
        """The faults of the request just read."""
        with self._lock:
            if self.too_many_requests > 0:
                self.too_many_requests -= 1
                return Faults(too_many_requests=1)
            if self._any() and self._count():
                return dataclasses.replace(self, _lock=threading.Lock())
            return Faults()

    def apply(self, reply: bytes) -> bytes:
        """The reply with garbage put in or its tail cut off."""
        if self.garbage_after_lines is not None:
            at = after_lines(reply, self.garbage_after_lines)
            reply = reply[:at] + GARBAGE + reply[at:]
        if self.cut_after_lines is not None:
            reply = reply[: after_lines(reply, self.cut_after_lines)]
        return reply

    def _any(self) -> bool:
        switches = (self.hang, self.slow_s > 0, self.no_data, self.unauthorized, self.syntax_error)
        return any(switches) or self.cut_after_lines is not None or self.garbage_after_lines is not None

    def _count(self) -> bool:
        if self.times is None:
            return True
        if self.times < 1:
            return False
        self.times -= 1
        return True


def after_lines(reply: bytes, lines: int) -> int:
    """The position after so many lines, or the end."""
    at = 0
    for _ in range(lines):
        at = reply.find(b"\n", at) + 1
        if at == 0:
            return len(reply)
    return at

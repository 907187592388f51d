"""A token bucket: how many requests may go out, and when the next one may."""

from __future__ import annotations

from collections.abc import Callable


class TokenBucket:
    """Lets at most ``rate`` requests a second through, with bursts of at most one second's worth.

    DTN limits history requests per user by such a bucket on its side; this one keeps a client below it.

    Parameters
    ----------
    rate
        Requests a second. [1/s]
    clock, sleep
        Seconds that never go back, and how to wait some.
    """

    def __init__(self, rate: float, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
        self._rate = rate
        self._capacity = max(1.0, rate)
        self._clock = clock
        self._sleep = sleep
        self._tokens = self._capacity
        self._filled_at = clock()

    def take(self) -> None:
        """Wait until a request may go out, and count it."""
        while not self._try_take():
            self._sleep((1.0 - self._tokens) / self._rate)

    def _try_take(self) -> bool:
        now = self._clock()
        self._tokens = min(self._capacity, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        # A billionth of slack: waits computed in floating point may fall short of a whole token.
        if self._tokens < 1.0 - 1e-9:
            return False
        self._tokens -= 1.0
        return True

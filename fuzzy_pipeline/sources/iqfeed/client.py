"""A client of IQFeed's lookup port: history and code tables as arrays, whole or not at all.

Belongs here: what is asked, how often and how fast. A request that failed for a passing reason is sent again
on a new connection; what had arrived of the broken reply is discarded whole.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar

from numpy.typing import NDArray
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from fuzzy_pipeline.errors import SourceError
from fuzzy_pipeline.settings import IQFeedSettings
from fuzzy_pipeline.sources.iqfeed.connection import LookupConnection
from fuzzy_pipeline.sources.iqfeed.messages import ENCODING
from fuzzy_pipeline.sources.iqfeed.rate_limit import TokenBucket
from fuzzy_pipeline.sources.iqfeed.replies import (
    CodeEntry,
    DailyBarDecoder,
    IntervalBarDecoder,
    ListedMarket,
    ReplyDecoder,
    TableDecoder,
)
from fuzzy_pipeline.sources.iqfeed.requests import (
    DailyBetween,
    DailyLatest,
    HistoryRequest,
    IntervalsBetween,
    IntervalsDays,
    ListedMarkets,
    Request,
    SecurityTypes,
    TicksBetween,
    TicksDays,
    TicksLatest,
    TradeConditions,
)
from fuzzy_pipeline.sources.iqfeed.tick_decoding import TickDecoder
from fuzzy_pipeline.sources.protocol import DataKind

log = logging.getLogger(__name__)

Decoder = TypeVar("Decoder", bound=ReplyDecoder)
Result = TypeVar("Result")
Columns = dict[str, NDArray[Any]]
LONGEST_PAUSE_S = 60.0


class IQFeedClient:
    """Asks one IQFeed lookup port, one request at a time; connects when first needed.

    The limit of requests a second holds for this object: processes that share a DTN login must share it out.
    Every method raises ``NoDataError`` when the answer is empty, ``SourceUnavailableError`` (or a subclass)
    when ``tries`` attempts failed for passing reasons, and other ``SourceError`` for permanent ones.

    Parameters
    ----------
    settings
        Where the port is, time-out, tries and rate.
    clock, sleep
        Seconds that never go back and how to wait some; injectable for tests.
    """

    def __init__(
        self,
        settings: IQFeedSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.settings = settings
        self.requests_sent = 0
        self._sleep = sleep
        self._bucket = TokenBucket(settings.requests_per_second, clock, sleep)
        self._lock = threading.Lock()
        self._connection: LookupConnection | None = None
        self._kind: DataKind | None = None
        self._last_id = 0

    @property
    def where(self) -> str:
        """``host:port protocol``, for messages and provenance."""
        return f"{self.settings.host}:{self.settings.port} protocol {self.settings.protocol}"

    @property
    def kind(self) -> DataKind:
        """Whether the server's data are real or simulated, as it declared; connects when needed."""
        if self._kind is None:
            with self._lock:
                self._retrying(self._connected)
        if self._kind is None:
            raise SourceError(f"{self.where}: connected without learning the kind of data")
        return self._kind

    def history_ticks(self, symbol: str, begin: dt.datetime | None, end: dt.datetime | None, **options: Any) -> Columns:
        """Ticks between two tz-aware instants, both included at one-second resolution (HTT).

        Returns the 14 columns of ``schema.RAW_TICKS``, oldest first unless ``ascending=False``. Options of
        all history methods are the further fields of the request in ``messages``: ``max_points`` (keeps the
        newest), ``begin_filter`` and ``end_filter``.
        """
        return self._ticks(TicksBetween(symbol=symbol, begin=begin, end=end), options)

    def ticks_days(self, symbol: str, days: int, **options: Any) -> Columns:
        """Ticks of the last calendar days, 1 is today (HTD)."""
        return self._ticks(TicksDays(symbol=symbol, days=days), options)

    def ticks_latest(self, symbol: str, max_points: int, **options: Any) -> Columns:
        """The newest ticks (HTX)."""
        return self._ticks(TicksLatest(symbol=symbol, max_points=max_points), options)

    def interval_bars(
        self,
        symbol: str,
        seconds: int,
        *,
        begin: dt.datetime | None = None,
        end: dt.datetime | None = None,
        days: int | None = None,
        **options: Any,
    ) -> Columns:
        """Time bars of a length [s] between two tz-aware instants (HIT), or of the last calendar days (HID).

        Columns as ``replies.IntervalBarDecoder.arrays`` tells, labelled with the begin of the bar unless
        ``label_at_begin=False``.
        """
        chosen: dict[str, Any] = {"interval_type": "s", "label_at_begin": True} | options
        request: HistoryRequest
        if days is not None:
            request = IntervalsDays(symbol=symbol, interval=seconds, days=days)
        else:
            request = IntervalsBetween(symbol=symbol, interval=seconds, begin=begin, end=end)
        return self._ask(self._chosen(request, chosen), IntervalBarDecoder, IntervalBarDecoder.arrays)

    def daily_bars(
        self,
        symbol: str,
        *,
        first_date: dt.date | None = None,
        last_date: dt.date | None = None,
        max_points: int | None = None,
        **options: Any,
    ) -> Columns:
        """Daily bars between two dates, both included (HDT), or the newest ones (HDX)."""
        request: HistoryRequest
        if first_date is None and last_date is None:
            request = DailyLatest(symbol=symbol, max_points=max_points)
        else:
            request = DailyBetween(symbol=symbol, first_date=first_date, last_date=last_date, max_points=max_points)
        return self._ask(self._chosen(request, options), DailyBarDecoder, DailyBarDecoder.arrays)

    def listed_markets(self) -> dict[int, ListedMarket]:
        """The feed's own table of market centres by id (SLM)."""
        return self._ask(ListedMarkets(), partial(TableDecoder, fields=5), TableDecoder.listed_markets)

    def security_types(self) -> dict[int, CodeEntry]:
        """The feed's own table of security types by id (SST)."""
        return self._ask(SecurityTypes(), partial(TableDecoder, fields=3), TableDecoder.entries)

    def trade_conditions(self) -> dict[int, CodeEntry]:
        """The feed's own table of trade conditions by code (STC)."""
        return self._ask(TradeConditions(), partial(TableDecoder, fields=3), TableDecoder.entries)

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ticks(self, request: HistoryRequest, options: dict[str, Any]) -> Columns:
        return self._ask(self._chosen(request, options), TickDecoder, TickDecoder.arrays)

    def _chosen(self, request: HistoryRequest, options: dict[str, Any]) -> HistoryRequest:
        chosen: dict[str, Any] = {"ascending": True, "per_send": self.settings.datapoints_per_send} | options
        return request.changed(**chosen)

    def _ask(
        self, request: Request, make_decoder: Callable[..., Decoder], result: Callable[[Decoder], Result]
    ) -> Result:
        with self._lock:
            return self._retrying(lambda: result(self._try_once(request, make_decoder)))

    def _retrying(self, attempt: Callable[[], Result]) -> Result:
        retrying = Retrying(
            stop=stop_after_attempt(self.settings.tries),
            wait=wait_exponential(multiplier=self.settings.backoff_s, max=LONGEST_PAUSE_S)
            + wait_random(0, self.settings.backoff_s),
            retry=retry_if_exception(lambda error: isinstance(error, SourceError) and error.retryable),
            sleep=self._sleep,
            before_sleep=_log_retry,
            reraise=True,
        )
        return retrying(attempt)

    def _try_once(self, request: Request, make_decoder: Callable[..., Decoder]) -> Decoder:
        connection = self._connected()
        self._last_id += 1
        request_id = f"F{self._last_id:010d}"
        line = request.changed(request_id=request_id).encode()
        decoder = make_decoder(
            self.settings.protocol,
            request_id,
            context=f"{self.where}: {line.decode(ENCODING).strip()}",
            stale=connection.stale,
        )
        self._bucket.take()
        self.requests_sent += 1
        try:
            connection.ask(line, request_id, decoder)
        except BaseException as error:
            # Anything but a permanent answer (an interrupt, too) leaves the socket out of step with the replies.
            if not isinstance(error, SourceError) or error.retryable:
                self.close()
            raise
        return decoder

    def _connected(self) -> LookupConnection:
        if self._connection is None:
            connection = LookupConnection(self.settings)
            if self._kind not in (None, connection.kind):
                connection.close()
                raise SourceError(
                    f"{self.where}: declared {self._kind} data before and {connection.kind} data now: "
                    "another server took the port; restart with the one you mean"
                )
            self._connection, self._kind = connection, connection.kind
        return self._connection


def _log_retry(state: RetryCallState) -> None:
    outcome = state.outcome
    pause = state.next_action.sleep if state.next_action else 0.0
    if outcome is not None:
        log.warning("try %d failed, next in %.1f s: %s", state.attempt_number, pause, outcome.exception())

"""IQFeed as a source of symbol-days: one request a day, refused beforehand when the feed no longer keeps the date."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

import numpy as np

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.errors import HistoryLimitError, NoDataError, SourceError
from fuzzy_pipeline.schema.arrays import length
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.settings import HistorySettings
from fuzzy_pipeline.sources.iqfeed.client import IQFeedClient
from fuzzy_pipeline.sources.protocol import DataKind, FetchedTicks
from fuzzy_pipeline.trading_calendar import EASTERN, now_eastern


def earliest_date(now: dt.datetime, history: HistorySettings) -> dt.date:
    """The earliest date the feed gives ticks of at the instant ``now``.

    While the market is open: ``trading_days_when_open`` trading dates before today. Otherwise
    ``calendar_days`` before today: measured after hours in 2026, 180 days back had data and 181 had none.
    """
    today = now.astimezone(EASTERN).date()
    if trading_calendar.market_status(now).state == "open":
        return trading_calendar.trading_dates_before(today, history.trading_days_when_open)[0]
    return today - dt.timedelta(days=history.calendar_days)


class IQFeedSource:
    """Ticks from an IQFeed lookup port, real or the loopback server.

    Parameters
    ----------
    client
        Closed together with this source.
    history
        How far back the feed keeps ticks; None for servers without such a limit (simulated data, files).
    now
        The present instant, tz-aware; injectable for tests.
    """

    name = "iqfeed"

    def __init__(
        self,
        client: IQFeedClient,
        *,
        history: HistorySettings | None = None,
        now: Callable[[], dt.datetime] = now_eastern,
    ) -> None:
        self._client = client
        self._history = history
        self._now = now

    @property
    def kind(self) -> DataKind:
        """What the server declared at the handshake; connects when needed."""
        return self._client.kind

    def fetch_ticks(self, symbol: str, trading_date: dt.date) -> FetchedTicks:
        """All ticks of an Eastern calendar day, oldest first, as the feed sent them.

        Ticks of another date, should the feed send any, are left in: validation sets them aside.

        Raises
        ------
        HistoryLimitError
            The feed no longer keeps the date; raised before any request, names the earliest date it keeps.
        NoDataError, UnknownSymbolError, UnauthorizedError
            The feed's answer.
        SourceError
            Any other failure; ``retryable`` ones were already tried ``tries`` times.
        """
        self._check_limit(symbol, trading_date)
        begin = dt.datetime.combine(trading_date, dt.time(0, 0, 0), EASTERN)
        end = dt.datetime.combine(trading_date, dt.time(23, 59, 59), EASTERN)
        sent, started = self._client.requests_sent, time.perf_counter()
        columns = self._client.history_ticks(symbol, begin, end)
        if length(columns) == 0:
            raise NoDataError(f"{self._client.where}: {symbol} {trading_date}: the reply has no ticks")
        return FetchedTicks(
            symbol=symbol,
            trading_date=trading_date,
            columns=columns,
            source=self.name,
            kind=self.kind,
            latency_s=time.perf_counter() - started,
            requests=self._client.requests_sent - sent,
            detail=self._client.where,
        )

    def daily_bar(self, symbol: str, trading_date: dt.date) -> SourceDailyBar | None:
        """The feed's own daily bar of a date; the limits of tick history are not those of daily bars.

        Raises
        ------
        UnknownSymbolError, UnauthorizedError
            The feed's answer.
        SourceError
            Any other failure; ``retryable`` ones were already tried ``tries`` times.
        """
        try:
            # On the evening of its own date the bar may still count as unfinished; it is complete enough to compare,
            # since the ticks were fetched a moment ago.
            bars = self._client.daily_bars(symbol, first_date=trading_date, last_date=trading_date, partial=True)
        except NoDataError:
            return None
        of_date = np.flatnonzero(bars["date"] == np.datetime64(trading_date, "D"))
        if len(of_date) == 0:
            return None
        if len(of_date) > 1:
            raise SourceError(f"{self._client.where}: {symbol} {trading_date}: {len(of_date)} daily bars of one date")
        prices = {name: float(bars[name][of_date[0]]) for name in ("open", "high", "low", "close")}
        return SourceDailyBar(**prices, volume=int(bars["period_volume"][of_date[0]]))

    def check(self) -> str:
        """One line telling that the port answers, in which protocol and with which kind of data."""
        types = self._client.security_types()
        return f"IQFeed at {self._client.where}: {self.kind} data, {len(types)} security types listed"

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _check_limit(self, symbol: str, trading_date: dt.date) -> None:
        if self._history is None:
            return
        now = self._now()
        earliest = earliest_date(now, self._history)
        if trading_date >= earliest:
            return
        is_open = trading_calendar.market_status(now).state == "open"
        limit = (
            f"{self._history.trading_days_when_open} trading days while the market is open (ask again after the close)"
            if is_open
            else f"{self._history.calendar_days} calendar days"
        )
        raise HistoryLimitError(
            f"{symbol} {trading_date}: IQFeed keeps ticks for {limit}; the earliest date is {earliest}. "
            "Older dates need a file of ticks (FUZZY_SOURCE=files)."
        )

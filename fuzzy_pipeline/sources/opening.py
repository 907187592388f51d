"""The source a user chose, opened.

Belongs here: from settings to a ``TickSource``. The simulator is reached like the real feed: through a loopback
IQFeed of this process and the real client.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import replace

from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.simulator.market import SimulatedMarket
from fuzzy_pipeline.sources.files import FilesSource
from fuzzy_pipeline.sources.iqfeed.client import IQFeedClient
from fuzzy_pipeline.sources.iqfeed.server import LoopbackServer
from fuzzy_pipeline.sources.iqfeed.source import IQFeedSource, earliest_date
from fuzzy_pipeline.sources.protocol import DataKind, FetchedTicks, TickSource
from fuzzy_pipeline.trading_calendar import now_eastern


class SimulatedFeed:
    """The simulated market behind a loopback IQFeed on a free port of 127.0.0.1, read by the real client."""

    name = "simulator"

    def __init__(self, settings: Settings) -> None:
        self._server = LoopbackServer(SimulatedMarket(settings.simulator))
        self._server.start()
        host, port = self._server.address
        self._feed = IQFeedSource(IQFeedClient(settings.iqfeed.model_copy(update={"host": host, "port": port})))

    @property
    def kind(self) -> DataKind:
        """What the loopback server declares: simulated."""
        return self._feed.kind

    def fetch_ticks(self, symbol: str, trading_date: dt.date) -> FetchedTicks:
        """All ticks of a symbol and trading date; raises as ``IQFeedSource.fetch_ticks``."""
        return replace(self._feed.fetch_ticks(symbol, trading_date), source=self.name)

    def daily_bar(self, symbol: str, trading_date: dt.date) -> SourceDailyBar | None:
        """The bar the simulated market keeps of the date; raises as ``IQFeedSource.daily_bar``."""
        return self._feed.daily_bar(symbol, trading_date)

    def check(self) -> str:
        """One line for ``fuzzy doctor``."""
        return f"simulated market behind a loopback IQFeed: {self._feed.check()}"

    def close(self) -> None:
        """Close the client and end the server."""
        self._feed.close()
        self._server.close()


def open_source(settings: Settings) -> TickSource:
    """The source of the settings, opened.

    A feed that declares itself simulated has no history limits.

    Raises
    ------
    SourceError
        The source cannot be reached or used.
    """
    if settings.source == "files":
        return FilesSource(settings.files)
    if settings.source == "simulator":
        return SimulatedFeed(settings)
    client = IQFeedClient(settings.iqfeed)
    return IQFeedSource(client, history=None if client.kind == "simulated" else settings.history)


def dates_offered(settings: Settings, dates: Sequence[dt.date]) -> set[dt.date]:
    """Those of the dates that the source may have, as far as can be told without asking it.

    Files: dates of which some symbol of the settings has a file. The feed: dates it still keeps. The simulated market
    has all.

    Raises
    ------
    SourceFileError
        The folder of tick files does not exist.
    """
    if settings.source == "files":
        source = FilesSource(settings.files)
        held = {date for symbol in settings.symbols for date in source.dates(symbol)}
        return held & set(dates)
    if settings.source == "simulator":
        return set(dates)
    earliest = earliest_date(now_eastern(), settings.history)
    return {date for date in dates if date >= earliest}

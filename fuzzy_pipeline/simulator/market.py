"""The simulated market as a source of ticks.

Belongs here: the ``TickSource`` in front of the tape, and which symbols and dates it answers for.
"""

from __future__ import annotations

import datetime as dt
import time

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.errors import NoDataError, UnknownSymbolError
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.settings import SYMBOL_PATTERN, SimulatorSettings
from fuzzy_pipeline.simulator.tape import simulate_day
from fuzzy_pipeline.sources.protocol import DataKind, FetchedTicks

UNKNOWN_PREFIX = "UNKNOWN"
EMPTY_PREFIX = "NONE"
BARS_KEPT = 1000


class SimulatedMarket:
    """A market that trades every ticker-like symbol on every trading date, always labelled ``simulated``.

    The ticks of a symbol-day depend only on the seed, the symbol, the date and ``ticks_per_day``: not on what was
    fetched before, nor in which process. Two families of names are kept for trying out failures: symbols that
    begin with ``UNKNOWN`` are not known, symbols that begin with ``NONE`` are known and never have a tick.
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self._settings = settings
        self._bars: dict[tuple[str, dt.date], SourceDailyBar | None] = {}

    @property
    def name(self) -> str:
        """``simulator``."""
        return "simulator"

    @property
    def kind(self) -> DataKind:
        """``simulated``, whatever the settings."""
        return "simulated"

    def dates(self, symbol: str) -> tuple[dt.date, ...]:
        """Dates with ticks: all of the trading calendar, none for symbols that begin with ``NONE``.

        Raises
        ------
        UnknownSymbolError
            The symbol begins with ``UNKNOWN`` or is no ticker.
        """
        self._check_symbol(symbol)
        if symbol.startswith(EMPTY_PREFIX):
            return ()
        return trading_calendar.trading_dates(trading_calendar.FIRST_DATE, trading_calendar.LAST_DATE)

    def fetch_ticks(self, symbol: str, trading_date: dt.date) -> FetchedTicks:
        """All ticks of a symbol and trading date, 04:00 to 20:00 Eastern, in arrival order.

        Raises
        ------
        UnknownSymbolError
            The symbol begins with ``UNKNOWN`` or is no ticker.
        CalendarError
            The date does not trade, or is outside the calendar.
        NoDataError
            The symbol begins with ``NONE``.
        """
        started = time.perf_counter()
        self._check_symbol(symbol)
        trading_calendar.session(trading_date)
        if symbol.startswith(EMPTY_PREFIX):
            raise NoDataError(f"simulator: {symbol} {trading_date}: symbols beginning with NONE never trade")
        columns = simulate_day(self._settings.seed, symbol, trading_date, self._settings.ticks_per_day)
        self._keep(symbol, trading_date, tape_bar(columns))
        return FetchedTicks(
            symbol=symbol,
            trading_date=trading_date,
            columns=columns,
            source=self.name,
            kind=self.kind,
            latency_s=time.perf_counter() - started,
            detail=f"simulated market, seed {self._settings.seed}, {self._settings.ticks_per_day} ticks a day",
        )

    def daily_bar(self, symbol: str, trading_date: dt.date) -> SourceDailyBar | None:
        """The market's own bar of a symbol and trading date, from its tape; None without a last-qualified trade.

        Raises
        ------
        UnknownSymbolError
            The symbol begins with ``UNKNOWN`` or is no ticker.
        CalendarError
            The date does not trade, or is outside the calendar.
        """
        key = (symbol, trading_date)
        if key not in self._bars:
            try:
                self.fetch_ticks(symbol, trading_date)
            except NoDataError:
                return None
        return self._bars[key]

    def check(self) -> str:
        """One line telling which market this is; it needs nothing and cannot fail."""
        return (
            f"simulated market, seed {self._settings.seed}, {self._settings.ticks_per_day:,} ticks a symbol-day, "
            f"{trading_calendar.FIRST_DATE} to {trading_calendar.LAST_DATE}"
        )

    def close(self) -> None:
        """Nothing to give back."""

    def _keep(self, symbol: str, trading_date: dt.date, bar: SourceDailyBar | None) -> None:
        """Keep a bar: whoever fetches ticks asks for it next, and the tape is gone by then."""
        if len(self._bars) >= BARS_KEPT:
            self._bars.clear()
        self._bars[symbol, trading_date] = bar

    def _check_symbol(self, symbol: str) -> None:
        if not SYMBOL_PATTERN.fullmatch(symbol):
            raise UnknownSymbolError(f"simulator: {symbol!r} is no ticker: upper-case letters, digits, '.' and '-'")
        if symbol.startswith(UNKNOWN_PREFIX):
            raise UnknownSymbolError(f"simulator: {symbol}: symbols beginning with UNKNOWN are not known to it")


def tape_bar(columns: Arrays) -> SourceDailyBar | None:
    """The daily bar of a tape as IQFeed makes its own: prices with basis C, volume of all; None without such a price.

    Parameters
    ----------
    columns : Arrays
        The 14 raw columns of one symbol and date, in arrival order.
    """
    prices = columns["last"][columns["last_type"] == b"C"].tolist()
    if not prices:
        return None
    return SourceDailyBar(prices[0], max(prices), min(prices), prices[-1], sum(columns["last_sz"].tolist()))

"""A captured reply of IQFeed as a source of ticks: the wire as it was, for tests and demonstrations."""

from __future__ import annotations

import datetime as dt
import gzip
import zlib
from pathlib import Path
from typing import Literal

import numpy as np

from fuzzy_pipeline.errors import NoDataError, ProtocolError, SourceFileError, UnknownSymbolError
from fuzzy_pipeline.schema.arrays import take
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.sources.iqfeed.tick_decoding import decode_ticks
from fuzzy_pipeline.sources.protocol import FetchedTicks


class CapturedWireSource:
    """Ticks of one symbol from a gzip file of captured protocol 6.1 lines without request id.

    Raises
    ------
    SourceFileError
        The file is missing, no gzip file, or has a line that is no tick line.
    """

    name = "capture"
    kind: Literal["real"] = "real"

    def __init__(self, path: Path, symbol: str) -> None:
        self._path = path
        self._symbol = symbol
        try:
            self._columns = decode_ticks(gzip.decompress(path.read_bytes()), "6.1")
        except (OSError, EOFError, zlib.error, ProtocolError) as error:
            raise SourceFileError(f"{path}: not a gzip file of captured tick lines: {error}") from error

    def dates(self, symbol: str) -> list[dt.date]:
        """Dates the capture has ticks of, in order."""
        self._check_symbol(symbol)
        return [day.item() for day in np.unique(self._columns["date"])]

    def fetch_ticks(self, symbol: str, trading_date: dt.date) -> FetchedTicks:
        """The captured ticks of the date.

        Raises
        ------
        UnknownSymbolError
            The capture is of another symbol.
        NoDataError
            The capture has no tick of the date.
        """
        self._check_symbol(symbol)
        rows = self._columns["date"] == np.datetime64(trading_date, "D")
        if not rows.any():
            raise NoDataError(f"{self._path}: no ticks of {symbol} on {trading_date}")
        return FetchedTicks(
            symbol=symbol,
            trading_date=trading_date,
            columns=take(self._columns, rows),
            source=self.name,
            kind=self.kind,
            detail=str(self._path),
        )

    def daily_bar(self, symbol: str, trading_date: dt.date) -> SourceDailyBar | None:  # noqa: ARG002
        """None: a capture of tick lines has no daily bars; ``UnknownSymbolError`` for another symbol."""
        self._check_symbol(symbol)
        return None

    def check(self) -> str:
        """One line telling what the capture holds."""
        return f"{self._path}: {len(self._columns['time'])} captured ticks of {self._symbol}"

    def close(self) -> None:
        """Nothing is held open."""

    def _check_symbol(self, symbol: str) -> None:
        if symbol != self._symbol:
            raise UnknownSymbolError(f"{self._path}: a capture of {self._symbol}, not of {symbol}")

"""What a source of ticks is: one protocol for files, IQFeed and the simulator."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar

DataKind = Literal["real", "simulated"]


@dataclass(frozen=True, slots=True)
class FetchedTicks:
    """The ticks of one symbol and trading date exactly as a source gave them.

    ``columns`` holds the 14 arrays of ``schema.RAW_TICKS`` (all of one length, in arrival order).
    ``latency_s`` is the wall-clock time [s] the fetch took, ``requests`` how many requests it needed,
    ``detail`` says where the ticks came from (a file path, ``host:port protocol``).
    """

    symbol: str
    trading_date: dt.date
    columns: Arrays
    source: str
    kind: DataKind
    latency_s: float = 0.0
    requests: int = 1
    detail: str = ""
    notes: Mapping[str, str] = field(default_factory=dict)


class TickSource(Protocol):
    """A place ticks come from. Opened once per process; it may be asked many times."""

    @property
    def name(self) -> str:
        """Short name stored with the data: ``files``, ``iqfeed``, ``simulator``."""
        ...

    @property
    def kind(self) -> DataKind:
        """Whether the ticks are ``real`` or ``simulated``."""
        ...

    def fetch_ticks(self, symbol: str, trading_date: dt.date) -> FetchedTicks:
        """All ticks of one symbol and trading date, whole or not at all.

        Raises
        ------
        NoDataError
            The source has nothing for that symbol and date.
        SourceError
            Any other failure; ``retryable`` tells whether trying again may help.
        """
        ...

    def daily_bar(self, symbol: str, trading_date: dt.date) -> SourceDailyBar | None:
        """The source's own bar of a symbol and trading date, None when it has none; never made from its ticks here.

        Raises
        ------
        SourceError
            It could not be fetched; says nothing about whether there is one.
        """
        ...

    def check(self) -> str:
        """One line telling that the source answers, for ``fuzzy doctor``; raises ``SourceError``."""
        ...

    def close(self) -> None:
        """Give back sockets, threads and files."""
        ...

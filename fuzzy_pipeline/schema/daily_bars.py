"""The source's own daily bar: evidence to hold the stored ticks against, never a price of the pipeline's."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SourceDailyBar:
    """What a source itself says of a symbol's date.

    Prices [USD] are those of last-qualified ticks (basis C) of the whole date, ``volume`` [shares] is that of all
    ticks of all sessions: so IQFeed makes its daily bars.
    """

    open: float
    high: float
    low: float
    close: float
    volume: int

"""Trades of a session for the tests of its measures: drawn at random, or of a real day."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from fuzzy_pipeline.bars.session_ticks import session_ticks
from fuzzy_pipeline.enrichment.day import enrich_day
from fuzzy_pipeline.quality.validation import validate_ticks
from fuzzy_pipeline.sources.files import FilesSource

Trades = dict[str, NDArray[Any]]

NAN = float("nan")
SECOND = 1_000_000_000
DTYPES = {
    "timestamps": np.int64, "price": np.float64, "size": np.uint32, "bid": np.float64, "ask": np.float64,
    "trade_sign": np.int8, "exchange": np.uint8, "is_odd_lot": np.bool_,
}  # fmt: skip

# Few values, so that locked, crossed, missing and half quotes, midpoints and repeated prices are frequent.
PRICE = st.sampled_from([2.01, 2.02, 2.03, 2.035, 10.0, 10.01, 10.02, 10.0251])
SIDE = st.sampled_from([NAN, 0.0, 2.01, 2.03, 10.0, 10.01, 10.02, 10.05])
WAIT = st.sampled_from([0, 0, 1, SECOND // 2, SECOND, 7 * SECOND])
SIZE = st.sampled_from([1, 99, 100, 9_999, 10_000, 4_000_000_000])
TRADE = st.tuples(
    WAIT,
    PRICE,
    SIZE,
    SIDE,
    SIDE,
    st.sampled_from([-1, 0, 1]),
    st.sampled_from([0, 1, 3, 11, 12, 18, 20]),
    st.booleans(),
)


def columns(rows: list[tuple[Any, ...]]) -> Trades:
    """Arrays from trades: wait since the one before [ns], price, size, bid, ask, sign, exchange, odd lot."""
    fields: list[tuple[Any, ...]] = list(zip(*rows, strict=True)) if rows else [()] * len(DTYPES)
    trades = {name: np.array(values, dtype=dtype) for (name, dtype), values in zip(DTYPES.items(), fields, strict=True)}
    trades["timestamps"] = np.cumsum(trades["timestamps"], dtype=np.int64)
    return trades


DRAWN = st.lists(TRADE, max_size=30).map(columns)


def real_session(shared_data: Path, symbol: str, date: dt.date) -> tuple[Trades, int, int]:
    """Counted ticks of the regular session of a real day, its start and its close [UTC ns]."""
    raw = FilesSource(shared_data / "ticks").fetch_ticks(symbol, date).columns
    session = session_ticks(enrich_day(validate_ticks(raw, symbol, date).ticks, symbol, date), date)
    trades = {name: session.column(name) for name in DTYPES if name != "timestamps"}
    return {"timestamps": session.timestamp, **trades}, session.start_ns, session.end_ns


def select(trades: Trades, rows: NDArray[Any] | slice) -> Trades:
    """Some of the trades."""
    return {name: array[rows] for name, array in trades.items()}

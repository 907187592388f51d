"""Tick, volume and dollar bars as a polars user writes them: bar numbers from running sums, one sorted ``group_by``."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.peers import polars_time_bars as time_bars
from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.schema.codes import CloseReason, Session
from fuzzy_pipeline.schema.tables import BAR_TABLES

enriched_frame = time_bars.enriched_frame


def trades_frame(price: NDArray[np.float64], size: NDArray[Any]) -> pl.DataFrame:
    """Prices and sizes alone."""
    return pl.DataFrame({"price": price, "size": size.astype(np.int64)})


def ohlcv(frame: pl.DataFrame, family: str, parameter: int) -> pl.DataFrame:
    """Open, high, low, close, volume, tick count and vwap."""
    price, size = pl.col("price"), pl.col("size")
    query = (
        frame.lazy()
        .with_columns(bar=_bar_number(family, parameter))
        .set_sorted("bar")
        .group_by("bar", maintain_order=True)
        .agg(
            open=price.first(),
            high=price.max(),
            low=price.min(),
            close=price.last(),
            volume=size.sum(),
            tick_count=pl.len(),
            vwap=(price * size).sum() / size.sum(),
        )
    )
    return query.drop("bar").collect()


def _bar_number(family: str, parameter: int) -> pl.Expr:
    """How often the threshold fits into what was there before the tick; the sums run on through the bars."""
    size = pl.col("size")
    before = {
        "tick": pl.int_range(pl.len()),
        "volume": size.cum_sum() - size,
        "dollar": (pl.col("price") * size).cum_sum().shift(fill_value=0),
    }
    return (before[family] // parameter).cast(pl.Int64)


def tick_bars(frame: pl.DataFrame, date: dt.date, ticks_per_bar: int) -> pl.DataFrame:
    """The stored bar columns of tick bars of the regular session."""
    hours, midnight = trading_calendar.session(date), trading_calendar.midnight_utc_ns(date)
    start, end = midnight + hours.open_us * 1_000, midnight + hours.close_us * 1_000
    # Of a time bar it is known beforehand where its middle is; here its first and last tick tell.
    per_tick = time_bars._tick_columns(start, end) | {"bar": pl.int_range(pl.len()) // ticks_per_bar}
    del per_tick["first_half"]
    query = (
        frame.lazy()
        .filter((pl.col("session") == int(Session.REGULAR)) & pl.col("counts_volume"))
        .with_columns(**per_tick)
        .set_sorted("bar")
        .group_by("bar", maintain_order=True)
        .agg(**time_bars._sums() | _bounds_and_halves())
        .with_columns(**time_bars._from_sums())
        .with_columns(**time_bars._from_columns(1) | _closing(ticks_per_bar))
    )
    return query.select([column.name for column in BAR_TABLES["tick"].stored]).collect()


def _bounds_and_halves() -> dict[str, pl.Expr]:
    """From the first tick of a bar to its last."""
    time, size = pl.col("timestamp"), pl.col("size")
    middle = time.first() + (time.last() - time.first()) // 2
    return {
        "bar_start": time.first(),
        "timestamp": time.last(),
        "first_half_volume": size.filter(time < middle).sum(),
    }


def _closing(ticks_per_bar: int) -> dict[str, pl.Expr]:
    full = pl.col("tick_count") == ticks_per_bar
    reasons = int(CloseReason.THRESHOLD), int(CloseReason.SESSION_END)
    return {
        "threshold": pl.lit(float(ticks_per_bar)),
        "overflow": pl.when(full).then(0.0),
        "efficiency": pl.when(full).then(1.0),
        "gaps": pl.lit(0),
        "is_complete": full,
        "close_reason": pl.when(full).then(reasons[0]).otherwise(reasons[1]),
    }

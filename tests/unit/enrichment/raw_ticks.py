"""Hand-sized raw ticks for the enrichment tests: name what matters, the rest has plain defaults."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from numpy.typing import NDArray

TUESDAY = dt.date(2013, 10, 8)
HALF_DAY = dt.date(2025, 11, 28)  # closes at 13:00


def clock(text: str) -> int:
    """``"16:00:00.4"`` as microseconds since midnight."""
    hours, minutes, seconds = text.split(":")
    return (int(hours) * 60 + int(minutes)) * 60_000_000 + round(float(seconds) * 1_000_000)


def raw_ticks(price: list[float], *, date: dt.date = TUESDAY, **given: Any) -> dict[str, NDArray[Any]]:
    """The 14 raw columns for ticks at these prices.

    Defaults: one tick a second from 10:00:00, 100 shares, basis C, NASDAQ, quote 10.00 / 10.10, no conditions, a
    total volume that grows by the size. ``codes`` gives each tick a tuple of condition codes, put in columns 1, 2, ….
    """
    rows = len(price)
    size = given.pop("size", [100] * rows)
    codes = [tuple(row) + (0,) * (4 - len(row)) for row in given.pop("codes", [()] * rows)]
    times = given.pop("time", [clock("10:00:00") + second * 1_000_000 for second in range(rows)])
    columns = {
        "tick_id": np.arange(1, rows + 1, dtype=np.uint64),
        "date": np.full(rows, np.datetime64(date, "D")),
        "time": np.array([clock(time) if isinstance(time, str) else time for time in times], dtype=np.int64),
        "last": np.array(price, dtype=np.float64),
        "last_sz": np.array(size, dtype=np.uint64),
        "last_type": np.array(given.pop("basis", ["C"] * rows), dtype="S1"),
        "mkt_ctr": np.array(given.pop("market_center", [5] * rows), dtype=np.uint32),
        "tot_vlm": np.array(given.pop("total", np.cumsum(size).tolist()), dtype=np.uint64),
        "bid": np.array(given.pop("bid", [10.00] * rows), dtype=np.float64),
        "ask": np.array(given.pop("ask", [10.10] * rows), dtype=np.float64),
    }
    for position in range(4):
        columns[f"cond{position + 1}"] = np.array([row[position] for row in codes], dtype=np.uint8)
    assert not given, f"unknown columns {sorted(given)}"
    return columns

"""Tables and arrays the store tests share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fuzzy_pipeline.schema.columns import Column
from fuzzy_pipeline.schema.tables import Table

ArraysOf = Callable[..., dict[str, NDArray[Any]]]


@pytest.fixture
def ticks() -> Table:
    """A heavy table with an instant index and one column of every kind the schema knows."""
    return Table(
        "test_ticks",
        "Every dtype once.",
        (
            Column("timestamp", "datetime64[ns]", "Instant."),
            Column("symbol", "str", "Ticker.", from_key=True),
            Column("date", "datetime64[D]", "Date.", from_key=True),
            Column("price", "float64", "Price.", nullable=True),
            Column("ratio", "float32", "Ratio.", nullable=True),
            Column("size", "uint32", "Size."),
            Column("total", "uint64", "Total."),
            Column("time", "int64", "Time."),
            Column("center", "uint16", "Centre."),
            Column("sign", "int8", "Sign."),
            Column("code", "uint8", "Code."),
            Column("basis", "S1", "Basis."),
            Column("flag", "bool", "Flag."),
            Column("seen", "datetime64[ns]", "Another instant.", nullable=True),
        ),
        "heavy",
        index="timestamp",
    )


@pytest.fixture
def bars() -> Table:
    """A heavy table without an index."""
    return Table(
        "test_bars",
        "Without index.",
        (Column("bar_index", "uint32", "Number."), Column("close", "float64", "Close.", nullable=True)),
        "heavy",
    )


@pytest.fixture
def day() -> dt.date:
    return dt.date(2025, 9, 16)


@pytest.fixture
def arrays_of() -> ArraysOf:
    """``arrays_of(n, first)``: n rows of ``ticks``, one second apart from ``first`` (UTC), extremes included."""

    def build(n: int, first: str = "2025-09-16T13:30:00") -> dict[str, NDArray[Any]]:
        rows = np.arange(n)
        seen = np.full(n, np.datetime64("2025-09-16T14:00:00.000000001", "ns"))
        price = 100.25 + rows
        if n:
            seen[-1], price[0] = np.datetime64("NaT"), np.nan
        return {
            "timestamp": np.datetime64(first, "ns") + rows.astype("m8[s]").astype("m8[ns]"),
            "price": price,
            "ratio": (rows / 8).astype(np.float32),
            "size": rows.astype(np.uint32) + np.uint32(2**32 - 1 - max(n - 1, 0)),
            "total": rows.astype(np.uint64) + np.uint64(2**64 - 1 - max(n - 1, 0)),
            "time": rows - 2**62,
            "center": rows.astype(np.uint16),
            "sign": np.resize(np.array([-1, 0, 1], np.int8), n),
            "code": np.resize(np.array([255, 0], np.uint8), n),
            "basis": np.resize(np.array([b"C", b"E", b"O", b""], "S1"), n),
            "flag": np.resize(np.array([True, False]), n),
            "seen": seen,
        }

    return build

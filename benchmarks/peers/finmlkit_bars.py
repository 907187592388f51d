"""Tick, volume and dollar bars by finmlkit: a process of its own, as finmlkit needs an older NumPy."""

from __future__ import annotations

import os
from collections.abc import Callable

os.environ.setdefault("FMK_CONSOLE_LOGGER_LEVEL", "ERROR")
os.environ.setdefault("FMK_FILE_LOGGER_LEVEL", "ERROR")

import numpy as np
import pandas as pd
from finmlkit.bar.data_model import TradesData
from finmlkit.bar.kit import DollarBarKit, TickBarKit, VolumeBarKit

from benchmarks.peers.worker import Columns, serve

KITS = {"tick": TickBarKit, "volume": VolumeBarKit, "dollar": DollarBarKit}


def prepare(ticks: Columns, family: str, parameter: int, /) -> Callable[[], pd.DataFrame]:
    """The kit finds where bars close and builds open, high, low, close, volume, trades, median size and vwap."""
    trades = TradesData(ticks["timestamp"], ticks["price"], ticks["size"].astype(np.float64), timestamp_unit="ns")

    def work() -> pd.DataFrame:
        frame: pd.DataFrame = KITS[family](trades, parameter).build_ohlcv()
        return frame

    work()  # compiles
    return work


def columns(bars: pd.DataFrame) -> Columns:
    """In our names."""
    names = {"trades": "tick_count"}
    return {names.get(name, name): bars[name].to_numpy() for name in bars.columns if name != "median_trade_size"}


if __name__ == "__main__":
    serve(prepare, columns)

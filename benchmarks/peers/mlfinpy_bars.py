"""Tick, volume, dollar, imbalance and run bars by mlfinpy: a process of its own, as it needs NumPy 1."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pandas as pd
from mlfinpy.data_structure import imbalance_bars, run_bars, standard_bars

from benchmarks.peers.worker import Columns, serve

SETTINGS: dict[str, Any] = {
    "num_prev_bars": 100,
    "expected_imbalance_window": 1_000,
    "exp_num_ticks_constraints": [50, 5_000],
}
"""Span and bounds of our guards; the window of signed sizes is ten times shorter than mlfinpy's, in its favour."""

STANDARD = {
    "tick": standard_bars.get_tick_bars,
    "volume": standard_bars.get_volume_bars,
    "dollar": standard_bars.get_dollar_bars,
}
MOVING = {
    "tick imbalance": imbalance_bars.get_ema_tick_imbalance_bars,
    "volume imbalance": imbalance_bars.get_ema_volume_imbalance_bars,
    "dollar imbalance": imbalance_bars.get_ema_dollar_imbalance_bars,
    "tick run": run_bars.get_ema_tick_run_bars,
    "volume run": run_bars.get_ema_volume_run_bars,
    "dollar run": run_bars.get_ema_dollar_run_bars,
}


def prepare(ticks: Columns, family: str, parameter: int, /) -> Callable[[], pd.DataFrame]:
    """The parameter is the threshold of standard bars and the first expected ticks of the others."""
    frame = pd.DataFrame(
        {"date_time": pd.to_datetime(ticks["timestamp"]), "price": ticks["price"], "volume": ticks["size"]}
    )
    if family in STANDARD:
        return partial(STANDARD[family], frame, threshold=parameter, verbose=False)

    def work() -> pd.DataFrame:
        bars: pd.DataFrame | None
        bars, _ = MOVING[family](frame, exp_num_ticks_init=parameter, verbose=False, **SETTINGS)
        if bars is None:
            raise RuntimeError(f"mlfinpy built no {family} bars of {len(frame)} ticks")
        return bars

    work()  # compiles
    return work


def columns(bars: pd.DataFrame) -> Columns:
    """In our names, with the vwap that follows from the sums."""
    found = {name: bars[name].to_numpy(dtype=float) for name in ("open", "high", "low", "close", "volume")}
    ticks = bars["cum_ticks"].to_numpy(dtype=int)
    return {**found, "tick_count": ticks, "vwap": bars["cum_dollar_value"].to_numpy(dtype=float) / found["volume"]}


if __name__ == "__main__":
    serve(prepare, columns)

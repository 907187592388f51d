"""Imbalance and run bars with a moving expectation: ours against mlfinpy.

Run with ``python -m benchmarks.information_bars``.
"""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measure, one_series, peer_process
from benchmarks.one_series import Columns
from benchmarks.peer_process import PeerProcess, PeerWork
from fuzzy_pipeline.bar_settings import FamilyName
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.enrichment.day import enrich_day
from fuzzy_pipeline.microstructure.trade_classification import lee_ready

GOALS = {"mlfinpy": 1000.0}
DATE = dt.date(2013, 10, 8)
DAYS = (("SPY", 450_000), ("BAC", 125_000))
EXPECTED_TICKS = 500
SERIES: Mapping[str, tuple[FamilyName, str]] = {
    "tick imbalance": ("imbalance", f"ewma_tick_{EXPECTED_TICKS}"),
    "volume imbalance": ("imbalance", "ewma_volume_10k"),
    "dollar imbalance": ("imbalance", "ewma_dollar_1M"),
    "tick run": ("run", "tick"),
    "volume run": ("run", "volume"),
    "dollar run": ("run", "dollar"),
}
MLFINPY_TICKS = 100_000
REMARKS = [
    "ours: from the enriched ticks of the regular session (at least one share), bar ends by the family's rule, then "
    "open, high, low, close, volume, vwap and tick count; the trade sign is a column of the ticks.",
    "ours, with the tick rule: the sign of each trade found first, as mlfinpy does; still without buyers' volume.",
    "ours, all columns: build_bars, every stored column of the series, from the ticks of the whole day.",
    f"mlfinpy (its own environment: it needs NumPy 1): timed on the first {MLFINPY_TICKS:,} ticks, its seconds scaled "
    "to all. Moving averages over 100 bars and 1,000 ticks, 50 to 5,000 expected ticks, 500 at first: our guards as "
    "far as it has them. It gives buyers' volume and dollars too and no vwap. Python's garbage collector is on in its "
    "process, as its users have it.",
    "Bars are not compared, the rules differ: mlfinpy's threshold may fall to nothing or rise beyond reach, as the "
    "counts below tell; ours has a floor, a cap and a warm-up. Values of mlfinpy's bars are held against its ticks.",
]


def ours_with_tick_rule(ticks: SessionTicks, build: Callable[[], Columns]) -> Columns:
    """Signs from prices alone, then the bars."""
    price = ticks.column("price")
    nothing = np.broadcast_to(np.nan, len(price))
    lee_ready(price, nothing, nothing)
    return build()


def check(ticks: SessionTicks, ours: Columns, work: PeerWork) -> str:
    """How the bars of both look, and whether mlfinpy's hold what their ticks say."""
    bars = work.bars()
    wrong = one_series.differing(ticks, bars)
    values = f"WRONG VALUES ({'; '.join(wrong)})" if wrong else "values as their ticks say"
    covered = bars["tick_count"].sum() / MLFINPY_TICKS
    return f"ours {_shape(ours)}; mlfinpy {_shape(bars)}, {covered:.0%} of its ticks in bars, {values}."


def _shape(bars: Columns) -> str:
    counts = bars["tick_count"]
    return f"{len(counts):,} bars of {np.median(counts):,.0f} ticks (median)"


def cases_of(
    day: measure.TickDay, enriched: Columns, peers: Mapping[str, PeerProcess], folder: Path
) -> tuple[list[dict[str, Any]], list[str]]:
    """Timings of each series of a day, and what the check found."""
    ticks = one_series.session_of(enriched, day.date)
    peer_process.save_ticks(folder, {name: ticks.column(name) for name in ("timestamp", "price", "size")})
    pool = BufferPool()
    cases, found = [], []
    for name, (family, parameter) in SERIES.items():
        build = one_series.ohlcv_builder(ticks, family, parameter)
        local: dict[str, Callable[[], object]] = {
            "ours": build,
            "ours, with the tick rule": partial(ours_with_tick_rule, ticks, build),
            "ours, all columns": partial(
                build_bars, enriched, day.date, one_series.settings_of(family, parameter), pool=pool
            ),
        }
        rows = min(MLFINPY_TICKS, len(ticks))
        distant = {peer: PeerWork(process, folder, name, EXPECTED_TICKS, rows) for peer, process in peers.items()}
        for work in distant.values():
            work.prepare()
            found.append(f"{day.symbol}, {name} ({parameter}): {check(ticks, build(), work)}")
        timings = peer_process.side_by_side(local, distant)
        for peer in distant:
            timings[peer] = peer_process.scaled(timings[peer], rows / len(ticks))
        label = f"{day.symbol} {day.date}, {len(ticks):,} {day.kind} ticks, {name}"
        cases.append(measure.case(label, len(ticks), timings, GOALS))
    return cases, found


def main() -> dict[str, Any]:
    """Check, time, write ``results/information_bars``."""
    cases, remarks = [], list(REMARKS)
    folder = Path(tempfile.mkdtemp(prefix="fuzzy-bench-"))
    try:
        with peer_process.open_peers(("mlfinpy",)) as (peers, lines):
            remarks += lines
            for symbol, count in DAYS:
                day = measure.tick_day(symbol, DATE, count)
                timed, found = cases_of(day, enrich_day(day.raw, symbol, DATE), peers, folder)
                cases += timed
                remarks += found
    finally:
        shutil.rmtree(folder)
    return measure.write_results("information_bars", "Imbalance and run bars", cases, remarks)


if __name__ == "__main__":
    main()

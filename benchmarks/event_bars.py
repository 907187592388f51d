"""Tick, volume and dollar bars: prices, volume and vwap against four peers, and all columns of one series.

Run with ``python -m benchmarks.event_bars``.
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
from numpy.typing import NDArray

from benchmarks import measure, one_series, peer_process
from benchmarks.peer_process import PeerProcess, PeerWork
from benchmarks.peers import polars_event_bars
from fuzzy_pipeline.bar_settings import FamilyName
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.enrichment.day import enrich_day

GOALS = {"finmlkit": 10.0, "polars": 5.0, "nautilus_trader": 200.0, "mlfinpy": 1000.0}
ALL_COLUMNS_GOALS = {"polars": 8.0}
DATE = dt.date(2013, 10, 8)
DAYS = (("SPY", 450_000), ("BAC", 125_000))
SERIES: Mapping[FamilyName, int] = {"tick": 500, "volume": 50_000, "dollar": 5_000_000}
TICKS_PER_BAR = SERIES["tick"]
ONE_SERIES = one_series.settings_of("tick", str(TICKS_PER_BAR))
REMARKS = [
    "Prices and volume: everyone gets instant, price and size of the regular session's counted ticks of at least one "
    "share in its own form (arrays, frame, objects; not timed), finds the bars and gives open, high, low, close and "
    "volume of each, all ticks allowed to set prices. Ours gives vwap and tick count too.",
    "polars: bar numbers from sums that run on through the bars, not begun anew at each; the key marked sorted.",
    "finmlkit (its own environment: it needs NumPy 2.2): gives vwap, tick count and a median size; its first bar lacks "
    "the first tick, ticks after the last full bar are dropped, volume is float32, dollar bars carry the excess over.",
    "nautilus_trader (its own environment: it needs other versions of fsspec and uvloop): splits prints so that volume "
    "and dollar bars hold the threshold exactly, has neither vwap nor tick count, drops the ticks left over; dollar "
    "bars are not compared: it rounds the split sizes to whole shares.",
    "mlfinpy (its own environment: it needs NumPy 1): gives buyers' volume and dollars too, no vwap, though it follows "
    "from those; drops the ticks left over.",
    "Peers of other environments have Python's garbage collector on, as their users do; here it is off while timing.",
    "All columns: from the enriched ticks of the whole day, as in the benchmark of time bars.",
]

Columns = dict[str, NDArray[Any]]
Contenders = tuple[dict[str, Callable[[], Any]], dict[str, PeerWork]]


# -- prices, volume and vwap -----------------------------------------------------------------------------


def contenders(ticks: SessionTicks, family: FamilyName, peers: Mapping[str, PeerProcess], folder: Path) -> Contenders:
    """Those of this process, ours first, and the peers of others."""
    parameter = SERIES[family]
    frame = polars_event_bars.trades_frame(ticks.column("price"), ticks.column("size"))
    local: dict[str, Callable[[], Any]] = {
        "ours": one_series.ohlcv_builder(ticks, family, str(parameter)),
        "polars": partial(polars_event_bars.ohlcv, frame, family, parameter),
    }
    return local, {name: PeerWork(peer, folder, family, parameter) for name, peer in peers.items()}


def check(
    ticks: SessionTicks, family: FamilyName, local: Mapping[str, Callable[[], Any]], work: PeerWork | None
) -> str:
    """What a peer (polars without ``work``) has in common with ours."""
    ours: Columns = local["ours"]()
    if work is None:
        frame = local["polars"]()
        name, bars, first = "polars", {column: frame[column].to_numpy() for column in frame.columns}, 0
    else:
        work.prepare()
        name, bars = work.process.peer, work.bars()
        first = 1 if name == "finmlkit" else 0
    if name == "nautilus_trader":
        return f"{name}: {_check_nautilus(ticks, family, ours, bars)}"
    wrong = one_series.differing(ticks, bars, first)
    values = f"WRONG VALUES ({'; '.join(wrong)})" if wrong else "values as their ticks say"
    shared = one_series.shared_bars(ours, bars, first)
    return f"{name}: {len(bars['close']):,} bars, {values}, {shared:,} of them also ours"


def _check_nautilus(ticks: SessionTicks, family: FamilyName, ours: Columns, bars: Columns) -> str:
    """Tick bars are ours but the last; volume bars are what prints cut at the threshold make; dollar bars are not."""
    count = len(bars["close"])
    if family == "dollar":
        return f"{count:,} bars, values not compared"
    expected = {name: ours[name][:count] for name in bars}
    if family == "volume":
        expected = split_at(ticks, SERIES["volume"])
    wrong = one_series.unequal(expected, bars)
    rule = "the first of ours" if family == "tick" else "what prints split at the threshold make"
    return f"{count:,} bars, " + (f"WRONG VALUES ({'; '.join(wrong)})" if wrong else f"values of {rule}")


def split_at(ticks: SessionTicks, shares: int) -> Columns:
    """Volume bars that hold the threshold exactly: a print that crosses it is in the bar it closes and in the next."""
    price, traded = ticks.column("price"), np.cumsum(ticks.column("size"), dtype=np.int64)
    marks = shares * np.arange(1, int(traded[-1]) // shares + 1)
    last = np.searchsorted(traded, marks)
    first = np.searchsorted(traded, marks - shares, side="right")
    inside = [price[start : stop + 1] for start, stop in zip(first.tolist(), last.tolist(), strict=True)]
    return {
        "open": price[first],
        "high": np.array([part.max() for part in inside]),
        "low": np.array([part.min() for part in inside]),
        "close": price[last],
        "volume": np.full(len(marks), shares),
    }


def price_cases(
    day: measure.TickDay, ticks: SessionTicks, peers: Mapping[str, PeerProcess], folder: Path
) -> tuple[list[dict[str, Any]], list[str]]:
    """Timings and what the check found, one of each a family."""
    peer_process.save_ticks(folder, {name: ticks.column(name) for name in ("timestamp", "price", "size")})
    cases, found = [], []
    for family, parameter in SERIES.items():
        local, distant = contenders(ticks, family, peers, folder)
        checks = [check(ticks, family, local, work) for work in (None, *distant.values())]
        bars = len(local["ours"]()["close"])
        found.append(f"{day.symbol}, {family} {parameter:,}: ours {bars:,} bars. {'. '.join(checks)}.")
        timings = peer_process.side_by_side(local, distant)
        label = f"{day.symbol} {day.date}, {len(ticks):,} {day.kind} ticks, {family} {parameter:,}: prices and volume"
        cases.append(measure.case(label, len(ticks), timings, GOALS))
    return cases, found


# -- all columns -----------------------------------------------------------------------------------------


def all_columns(day: measure.TickDay, enriched: Columns, pool: BufferPool) -> Columns:
    """Ours; instants as whole nanoseconds, as polars gives them."""
    bars = build_bars(enriched, day.date, ONE_SERIES, pool=pool)["tick"].columns
    return {name: column.view(np.int64) if column.dtype.kind == "M" else column for name, column in bars.items()}


def column_case(day: measure.TickDay, enriched: Columns) -> tuple[dict[str, Any], list[str]]:
    """Timings of one series with all columns, and the columns in which polars differs."""
    pool, frame = BufferPool(), polars_event_bars.enriched_frame(enriched)
    by_polars = polars_event_bars.tick_bars(frame, day.date, TICKS_PER_BAR)
    different = measure.differences(
        all_columns(day, enriched, pool), {name: by_polars[name].to_numpy() for name in by_polars.columns}
    )
    timings = measure.side_by_side(
        {
            "ours": lambda: all_columns(day, enriched, pool),
            "polars": lambda: polars_event_bars.tick_bars(frame, day.date, TICKS_PER_BAR),
        }
    )
    lines = [f"{day.symbol}, all columns: {name}: {what}" for name, what in different.items()]
    label = f"{day.label}, tick {TICKS_PER_BAR}: all columns"
    return measure.case(label, day.rows, timings, ALL_COLUMNS_GOALS), lines


def main() -> dict[str, Any]:
    """Check, time, write ``results/event_bars``."""
    cases, remarks = [], list(REMARKS)
    folder = Path(tempfile.mkdtemp(prefix="fuzzy-bench-"))
    try:
        with peer_process.open_peers() as (peers, lines):
            remarks += lines
            for symbol, count in DAYS:
                day = measure.tick_day(symbol, DATE, count)
                enriched = enrich_day(day.raw, symbol, DATE)
                timed, found = price_cases(day, one_series.session_of(enriched, DATE), peers, folder)
                case, different = column_case(day, enriched)
                cases += [*timed, case]
                remarks += found + (different or [f"{symbol}, all columns: those of polars equal ours."])
    finally:
        shutil.rmtree(folder)
    return measure.write_results("event_bars", "Tick, volume and dollar bars", cases, remarks)


if __name__ == "__main__":
    main()

"""Hand-sized sessions for the bar families: tapes, tapes in pieces, and what every family's bars must fulfil."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import strategies as st
from numpy.typing import NDArray

from fuzzy_pipeline.bars.build import assemble
from fuzzy_pipeline.bars.cutting import BarEnds, SeriesCutter, joined
from fuzzy_pipeline.bars.session_ticks import SessionTicks, session_bounds_ns, session_ticks
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.enrichment.day import enrich_day
from tests.architecture.test_documented_examples import example_tables, number

TUESDAY = dt.date(2013, 10, 8)
SECOND_NS = 1_000_000_000

Tick = dict[str, Any]
Bar = dict[str, Any]


def session_of(price: Sequence[float], **given: Any) -> SessionTicks:
    """A regular session with ticks at these prices.

    Defaults: one tick a second from the open, 100 shares, a quote one cent around the price, no aggressor, and prices
    that may set everything. ``given`` are columns of enriched ticks.
    """
    rows = len(price)
    start_ns, end_ns = session_bounds_ns("regular", TUESDAY)
    size = np.asarray(given.pop("size", [100] * rows), dtype=np.uint32)
    columns: dict[str, NDArray[Any]] = {
        "timestamp": (start_ns + SECOND_NS * np.arange(rows, dtype=np.int64)).view("datetime64[ns]"),
        "price": np.asarray(price, dtype=np.float64),
        "size": size,
        "total_volume": np.cumsum(size, dtype=np.uint64),
        "bid": np.asarray(price, dtype=np.float64) - 0.01,
        "ask": np.asarray(price, dtype=np.float64) + 0.01,
        "trade_sign": np.zeros(rows, dtype=np.int8),
        "participant_type": np.zeros(rows, dtype=np.uint8),
        "is_odd_lot": np.zeros(rows, dtype=np.bool_),
        "is_qualified": np.asarray(given.pop("is_qualified", [True] * rows), dtype=np.bool_),
        "sets_high_low": np.asarray(given.pop("sets_high_low", [True] * rows), dtype=np.bool_),
    }
    assert not given, f"unknown columns {sorted(given)}"
    return SessionTicks("regular", start_ns, end_ns, one_run(rows), columns, BufferPool())


def one_run(rows: int) -> NDArray[np.int64]:
    """All rows together; no run when there are none."""
    return np.array([[0, rows]] if rows else [], dtype=np.int64).reshape(-1, 2)


def in_pieces(ticks: SessionTicks, cuts: Sequence[int]) -> list[SessionTicks]:
    """The same ticks cut at these positions; equal neighbours are a piece without ticks."""
    bounds = [0, *sorted(min(cut, len(ticks)) for cut in cuts), len(ticks)]
    columns = {name: ticks.column(name) for name in ticks.ticks}
    return [
        SessionTicks(
            ticks.session, ticks.start_ns, ticks.end_ns, one_run(stop - start),
            {name: column[start:stop] for name, column in columns.items()}, ticks.pool,
        )
        for start, stop in itertools.pairwise(bounds)
    ]  # fmt: skip


def fed(cutter: SeriesCutter, pieces: Sequence[SessionTicks]) -> BarEnds:
    """All bars of a session that comes in pieces, ends counted from its first tick."""
    found, before = [], 0
    for piece in pieces:
        found.append(moved(cutter.feed(piece), before))
        before += len(piece)
    return joined([*found, moved(cutter.finish(), before)])


def moved(bars: BarEnds, ticks: int) -> BarEnds:
    """The bars with their ends so many ticks later."""
    return BarEnds(bars.ends + ticks, bars.closing, brick_open=bars.brick_open, brick_close=bars.brick_close)


def assert_identical(found: BarEnds, expected: BarEnds) -> None:
    """Equal bit by bit."""
    arrays = [(found.ends, expected.ends), (found.brick_open, expected.brick_open)]
    arrays += [(found.brick_close, expected.brick_close)]
    arrays += [(found.closing[name], array) for name, array in expected.closing.items()]
    for one, other in arrays:
        if one is None or other is None:
            assert one is other
        else:
            assert (one.dtype, one.tobytes()) == (other.dtype, other.tobytes())


def assert_every_tick_is_in_one_bar(ticks: SessionTicks, bars: BarEnds) -> None:
    """Ends never decrease and reach the last tick; bars hold the tape's shares and ticks; prices are in order."""
    assert np.all(np.diff(bars.ends, prepend=0) >= 0)
    assert len(ticks) == (int(bars.ends[-1]) if len(bars) else 0)
    columns = assemble(ticks, [bars])
    assert int(columns["volume"].sum()) == int(ticks.column("size").sum())
    assert int(columns["tick_count"].sum()) == len(ticks)
    for name in ("open", "close", "vwap"):
        known = ~np.isnan(columns[name]) & ~np.isnan(columns["low"])
        assert np.all(columns["low"][known] <= columns[name][known])
        assert np.all(columns[name][known] <= columns["high"][known])
    assert np.all(columns["overflow"][columns["is_complete"]] >= 0)
    assert np.all(np.isnan(columns["overflow"][~columns["is_complete"]]))
    assert not np.any(columns["is_complete"][:-1] < 1)


def assert_same(bars: BarEnds, expected: Sequence[Bar], *, rel: float = 1e-12) -> None:
    """What the plain twin found: whole numbers equal, real ones to rounding."""
    assert bars.ends.tolist() == [bar["end"] for bar in expected]
    for name in ("trigger_direction", "gaps", "is_complete", "is_warm_up", "is_phantom", "close_reason"):
        assert bars.closing[name].tolist() == [bar[name] for bar in expected], name
    for name in ("threshold", "overflow", "efficiency"):
        wanted = [bar[name] for bar in expected]
        np.testing.assert_allclose(bars.closing[name], wanted, rtol=rel, atol=1e-9, err_msg=name)
    for name, bricks in (("brick_open", bars.brick_open), ("brick_close", bars.brick_close)):
        if bricks is not None:
            np.testing.assert_array_equal(bricks, [bar.get(name, math.nan) for bar in expected], err_msg=name)


def example(page: str) -> tuple[SessionTicks, list[dict[str, str]]]:
    """The tape of the tick-bar page and the bars that a page shows for it."""
    tape = example_tables("tick_bars.md")[0]
    ticks = session_of([number(row["price"]) for row in tape], size=[int(number(row["shares"])) for row in tape])
    return ticks, example_tables(page)[-1]


def assert_shown(ticks: SessionTicks, bars: BarEnds, shown: Sequence[dict[str, str]]) -> None:
    """The bars are those of a page's table: the numbers of their ticks, and every column it names, as it rounds."""
    columns = assemble(ticks, [bars])
    ends = [0, *bars.ends.tolist()]
    held = [", ".join(str(tick + 1) for tick in range(*pair)) or "none" for pair in itertools.pairwise(ends)]
    assert held == [row["ticks"] for row in shown]
    for name in shown[0].keys() & columns.keys():
        for value, cell in zip(columns[name].tolist(), (row[name] for row in shown), strict=True):
            decimals = len(cell.rpartition(".")[2]) if "." in cell else None
            allowed = 1e-9 if decimals is None else 0.5 * 10.0**-decimals
            wanted = math.nan if cell == "null" else number(cell)
            assert value == pytest.approx(wanted, abs=allowed, nan_ok=True), (name, cell)


def rows_of(ticks: SessionTicks) -> list[Tick]:
    """One dictionary a tick, for the plain twins."""
    names = ("price", "size", "is_qualified", "sets_high_low")
    columns = [ticks.column(name).tolist() for name in names]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


@st.composite
def tapes(draw: st.DrawFn) -> SessionTicks:
    """Walks in steps of a hundredth of a cent or a cent, with jumps, and ticks that may not set prices."""
    rows = draw(st.integers(min_value=0, max_value=60))
    step = draw(st.sampled_from([0.0001, 0.01]))
    moves = st.one_of(st.integers(-3, 3), st.integers(-12, 12), st.sampled_from([-95, -40, 40, 95]))
    walk = 1_000 + np.cumsum(draw(st.lists(moves, min_size=rows, max_size=rows)), dtype=np.int64)
    price = [round(units * step, 4) for units in np.maximum(np.abs(walk), 1).tolist()]
    flags = st.lists(st.sampled_from([True, True, True, False]), min_size=rows, max_size=rows)
    sizes = st.lists(st.sampled_from([1, 37, 100, 250, 999, 5_000]), min_size=rows, max_size=rows)
    # Every profile lets a price that may set open and close set high and low too.
    qualified, high_low = np.array(draw(flags), dtype=np.bool_), np.array(draw(flags), dtype=np.bool_)
    return session_of(price, size=draw(sizes), is_qualified=qualified, sets_high_low=qualified | high_low)


CUTS = st.lists(st.integers(0, 60), max_size=6)


@lru_cache(maxsize=1)
def bac_session(shared_data: Path) -> SessionTicks:
    """The regular session of BAC 2013-10-08, some 120,000 real ticks."""
    table = pq.read_table(shared_data / "ticks" / "symbol=BAC" / f"date={TUESDAY}.parquet", partitioning=None)
    raw = {name: np.array(table[name].to_numpy()) for name in table.column_names}
    raw["last_type"] = raw["last_type"].astype("S1")
    raw["date"] = raw["date"].astype("datetime64[D]")
    ticks = session_ticks(enrich_day(raw, "BAC", TUESDAY), TUESDAY)
    if len(ticks) < 100_000:
        pytest.fail(f"BAC {TUESDAY} has {len(ticks)} ticks only")
    return ticks


@lru_cache(maxsize=1)
def bac_rows(shared_data: Path) -> list[Tick]:
    """The same ticks for the plain twins."""
    return rows_of(bac_session(shared_data))

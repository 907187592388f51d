"""Tick bars on tapes a reader can add up, and against the plain twin."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.bars.cutting import SessionSpan, session_ends
from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.bars.tick_bars import TICK_BARS, TickBarCutter, tick_bar_ends
from fuzzy_pipeline.schema.codes import CloseReason
from tests.oracles import event_bars as plain
from tests.unit.bars.session_tapes import (
    CUTS,
    assert_every_tick_is_in_one_bar,
    assert_identical,
    assert_same,
    assert_shown,
    bac_rows,
    bac_session,
    example,
    fed,
    in_pieces,
    rows_of,
    session_of,
    tapes,
)


def test_every_third_tick_closes_a_bar_and_the_rest_is_not_complete() -> None:
    bars = tick_bar_ends(session_of([10.0] * 7), 3)
    assert bars.ends.tolist() == [3, 6, 7]
    assert bars.closing["is_complete"].tolist() == [True, True, False]
    assert bars.closing["close_reason"].tolist() == [
        CloseReason.THRESHOLD,
        CloseReason.THRESHOLD,
        CloseReason.SESSION_END,
    ]


def test_a_tick_bar_meets_its_threshold_exactly() -> None:
    bars = tick_bar_ends(session_of([10.0] * 4), 3)
    assert bars.closing["threshold"].tolist() == [3.0, 3.0]
    assert bars.closing["overflow"].tolist() == [0.0, pytest.approx(math.nan, nan_ok=True)]
    assert bars.closing["efficiency"].tolist() == [1.0, pytest.approx(math.nan, nan_ok=True)]


def test_a_session_that_ends_with_a_full_bar_leaves_nothing_over() -> None:
    assert tick_bar_ends(session_of([10.0] * 6), 3).ends.tolist() == [3, 6]
    assert len(tick_bar_ends(session_of([]), 3)) == 0


def test_ticks_that_set_no_price_count() -> None:
    assert tick_bar_ends(session_of([10.0] * 4, is_qualified=[False] * 4), 2).ends.tolist() == [2, 4]


def test_the_parameter_is_the_number_of_ticks() -> None:
    ticks = session_of([10.0] * 120)
    factory = TICK_BARS.series(BarSettings())["50"]
    cutter = factory(SessionSpan("regular", ticks.start_ns, ticks.end_ns), None)
    assert session_ends(cutter, ticks).ends.tolist() == [50, 100, 120]


def test_the_example_of_the_page() -> None:
    ticks, shown = example("tick_bars.md")
    assert_shown(ticks, tick_bar_ends(ticks, 4), shown)


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), size=st.integers(1, 70), cuts=CUTS)
def test_pieces_of_any_size_give_the_bars_of_the_whole_session(ticks: SessionTicks, size: int, cuts: list[int]) -> None:
    assert_identical(fed(TickBarCutter(size), in_pieces(ticks, cuts)), tick_bar_ends(ticks, size))


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), size=st.integers(1, 70))
def test_bars_are_those_of_the_plain_twin_and_lose_nothing(ticks: SessionTicks, size: int) -> None:
    bars = tick_bar_ends(ticks, size)
    assert_same(bars, plain.tick_bars(rows_of(ticks), size))
    assert_every_tick_is_in_one_bar(ticks, bars)


@pytest.mark.real_data
@pytest.mark.parametrize("size", [50, 1000])
def test_bars_of_a_real_day_are_those_of_the_plain_twin(shared_data: Path, size: int) -> None:
    bars = tick_bar_ends(bac_session(shared_data), size)
    assert_same(bars, plain.tick_bars(bac_rows(shared_data), size))

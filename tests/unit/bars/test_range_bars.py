"""Range bars on tapes a reader can check by eye, and against the plain twin."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.bars.build import assemble
from fuzzy_pipeline.bars.cutting import SessionSpan, session_ends
from fuzzy_pipeline.bars.range_bars import RANGE_BARS, RangeBarCutter, range_bar_ends
from fuzzy_pipeline.bars.session_ticks import SessionTicks
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


def test_high_less_low_closes_the_bar_and_the_next_starts_with_its_own_first_price() -> None:
    # 10.00 to 10.12 is 0.12, to 9.95 is 0.17 and to 10.15 is 0.20; then 10.10 and 10.30 are 0.20 again.
    bars = range_bar_ends(session_of([10.0, 10.12, 9.95, 10.15, 10.1, 10.3, 10.3]), 0.2)
    assert bars.ends.tolist() == [4, 6, 7]
    assert bars.closing["threshold"].tolist() == [0.2, 0.2, 0.2]
    assert bars.closing["overflow"].tolist()[:2] == [0.0, 0.0]
    assert bars.closing["efficiency"].tolist()[:2] == [1.0, 1.0]
    assert bars.closing["is_complete"].tolist() == [True, True, False]
    assert bars.closing["close_reason"].tolist()[1:] == [CloseReason.THRESHOLD, CloseReason.SESSION_END]


@pytest.mark.parametrize("price", [[10.1, 10.2], [1.0, 0.9], [167.25, 167.35]])
def test_a_range_that_is_reached_exactly_closes_the_bar_though_its_binary_value_falls_short(price: list[float]) -> None:
    assert max(price) - min(price) < 0.1
    bars = range_bar_ends(session_of(price), 0.1)
    assert bars.closing["is_complete"].tolist() == [True]
    assert bars.closing["overflow"].tolist() == [0.0]


def test_a_price_that_misses_its_decimal_by_the_last_bit_is_that_decimal() -> None:
    bars = range_bar_ends(session_of([10.0, float(np.nextafter(10.1, 10.0))]), 0.1)
    assert bars.closing["is_complete"].tolist() == [True]
    assert bars.closing["overflow"].tolist() == [0.0]


def test_a_hundredth_of_a_cent_less_is_not_enough() -> None:
    assert range_bar_ends(session_of([10.2, 10.2999]), 0.1).closing["is_complete"].tolist() == [False]


def test_a_gap_is_one_bar_that_tells_how_many_ranges_it_spans() -> None:
    # 0.35 is 3.5 ranges of 0.10: one bar, 0.25 above the range, two ranges without a bar of their own.
    bars = range_bar_ends(session_of([10.0, 10.35, 10.35]), 0.1)
    assert bars.ends.tolist() == [2, 3]
    assert bars.closing["overflow"][0] == 0.25
    assert bars.closing["efficiency"][0] == pytest.approx(10 / 35)
    assert bars.closing["gaps"].tolist() == [2, 0]
    assert bars.closing["is_phantom"].tolist() == [False, False]


def test_the_bar_keeps_the_prices_that_were_traded() -> None:
    ticks = session_of([10.0, 10.35, 10.2])
    columns = assemble(ticks, [range_bar_ends(ticks, 0.1)])
    assert columns["high"].tolist() == [10.35, 10.2]
    assert columns["low"].tolist() == [10.0, 10.2]


def test_only_prices_that_may_set_high_or_low_widen_the_range() -> None:
    ticks = session_of([10.0, 25.0, 10.05], sets_high_low=[True, False, True])
    assert range_bar_ends(ticks, 0.1).closing["is_complete"].tolist() == [False]
    assert range_bar_ends(ticks, 0.05).ends.tolist() == [3]


def test_one_price_makes_no_range_and_no_ticks_no_bar() -> None:
    bars = range_bar_ends(session_of([10.0]), 0.1)
    assert bars.closing["is_complete"].tolist() == [False]
    assert math.isnan(bars.closing["overflow"][0])
    assert len(range_bar_ends(session_of([]), 0.1)) == 0


def test_the_parameter_is_a_distance_in_dollars() -> None:
    cutter = RANGE_BARS.series(BarSettings())["0.25"](SessionSpan("regular", 0, 1), None)
    assert session_ends(cutter, session_of([10.0, 10.24, 10.25])).ends.tolist() == [3]


def test_the_example_of_the_page() -> None:
    ticks, shown = example("range_bars.md")
    assert_shown(ticks, range_bar_ends(ticks, 0.14), shown)


RANGES = st.sampled_from(["0.0003", "0.0010", "0.03", "0.10", "2.00"])


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), usd=RANGES, cuts=CUTS)
def test_pieces_of_any_size_give_the_bars_of_the_whole_session(ticks: SessionTicks, usd: str, cuts: list[int]) -> None:
    assert_identical(fed(RangeBarCutter(float(usd)), in_pieces(ticks, cuts)), range_bar_ends(ticks, float(usd)))


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), usd=RANGES)
def test_bars_are_those_of_the_plain_twin_and_lose_nothing(ticks: SessionTicks, usd: str) -> None:
    bars = range_bar_ends(ticks, float(usd))
    assert_same(bars, plain.range_bars(rows_of(ticks), usd))
    assert_every_tick_is_in_one_bar(ticks, bars)


@pytest.mark.real_data
@pytest.mark.parametrize("usd", ["0.01", "0.10"])
def test_bars_of_a_real_day_are_those_of_the_plain_twin(shared_data: Path, usd: str) -> None:
    bars = range_bar_ends(bac_session(shared_data), float(usd))
    assert_same(bars, plain.range_bars(bac_rows(shared_data), usd))

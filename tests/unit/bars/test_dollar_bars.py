"""Dollar bars on tapes a reader can add up, and against the plain twin."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.bars.cutting import SessionSpan, session_ends
from fuzzy_pipeline.bars.dollar_bars import DOLLAR_BARS, DollarBarCutter, dollar_bar_ends
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


def test_crossing_trade_closes_the_bar_and_nothing_carries_over() -> None:
    # 10.10·300 + 10.20·700 = 10,170 closes; 10.00·900 = 9,000 does not, 10.00·100 more brings exactly 10,000.
    bars = dollar_bar_ends(session_of([10.1, 10.2, 10.0, 10.0], size=[300, 700, 900, 100]), 10_000)
    assert bars.ends.tolist() == [2, 4]
    assert bars.closing["overflow"].tolist() == [170.0, 0.0]
    assert bars.closing["efficiency"].tolist() == [10_000 / 10_170, 1.0]
    assert bars.closing["threshold"].tolist() == [10_000.0, 10_000.0]


def test_dollars_that_are_reached_exactly_close_the_bar_whatever_their_binary_value() -> None:
    price = [10.1] * 10
    assert sum(price) < 101  # 100.99999999999999 in binary
    assert dollar_bar_ends(session_of(price, size=[1] * 10), 101).ends.tolist() == [10]
    assert dollar_bar_ends(session_of(price, size=[1] * 10), 101).closing["overflow"].tolist() == [0.0]
    assert 2.01 * 1_000_000 < 2_010_000  # nor may the millionths fall short
    assert dollar_bar_ends(session_of([2.01, 2.01], size=[100, 1]), 201).ends.tolist() == [1, 2]


def test_hundredths_of_a_cent_count() -> None:
    # 0.9999·10,000 = 9,999, one share at 1.0001 is not enough to bring 10,000.0001.
    bars = dollar_bar_ends(session_of([0.9999, 1.0001, 1.0], size=[10_000, 1, 5]), 10_000)
    assert bars.ends.tolist() == [2, 3]
    assert bars.closing["overflow"].tolist()[0] == 0.0001


def test_a_print_larger_than_a_bar_is_one_bar() -> None:
    bars = dollar_bar_ends(session_of([20.0, 20.0], size=[1000, 1]), 5_000)
    assert bars.ends.tolist() == [1, 2]
    assert (bars.closing["overflow"][0], bars.closing["efficiency"][0]) == (15_000.0, 0.25)


def test_a_print_of_trillions_is_one_bar_too() -> None:
    # The largest size that is stored at 1,000,000 USD is 4.3e15 USD.
    bars = dollar_bar_ends(session_of([1e6, 10.0], size=[4_294_967_295, 1]), 50_000)
    assert bars.ends.tolist() == [1, 2]
    assert bars.closing["overflow"][0] == pytest.approx(4_294_967_295e6, rel=1e-10)


def test_the_rest_of_the_session_is_a_bar_that_is_not_complete() -> None:
    bars = dollar_bar_ends(session_of([10.0, 10.0], size=[100, 99]), 1_000)
    assert bars.ends.tolist() == [1, 2]
    assert bars.closing["is_complete"].tolist() == [True, False]
    assert bars.closing["close_reason"].tolist() == [CloseReason.THRESHOLD, CloseReason.SESSION_END]
    assert bars.closing["threshold"][1] == 1_000.0
    assert math.isnan(bars.closing["overflow"][1])


def test_a_session_that_ends_with_a_full_bar_leaves_nothing_over() -> None:
    assert dollar_bar_ends(session_of([10.0]), 1_000).ends.tolist() == [1]
    assert len(dollar_bar_ends(session_of([]), 1_000)) == 0


def test_ticks_that_set_no_price_bring_their_dollars() -> None:
    assert dollar_bar_ends(session_of([10.0, 10.0], is_qualified=[False, False]), 2_000).ends.tolist() == [2]


def test_the_parameter_is_an_amount_of_dollars() -> None:
    ticks = session_of([100.0] * 6)
    span = SessionSpan("regular", ticks.start_ns, ticks.end_ns)
    assert session_ends(DOLLAR_BARS.series(BarSettings())["50k"](span, None), ticks).ends.tolist() == [5, 6]


def test_the_example_of_the_page() -> None:
    ticks, shown = example("dollar_bars.md")
    assert_shown(ticks, dollar_bar_ends(ticks, 10_000), shown)


AMOUNTS = st.sampled_from([1, 400, 5_000, 60_000, 10**9])


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), amount=AMOUNTS, cuts=CUTS)
def test_pieces_of_any_size_give_the_bars_of_the_whole_session(
    ticks: SessionTicks, amount: int, cuts: list[int]
) -> None:
    assert_identical(fed(DollarBarCutter(amount), in_pieces(ticks, cuts)), dollar_bar_ends(ticks, amount))


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), amount=AMOUNTS)
def test_bars_are_those_of_the_plain_twin_and_lose_nothing(ticks: SessionTicks, amount: int) -> None:
    bars = dollar_bar_ends(ticks, amount)
    assert_same(bars, plain.dollar_bars(rows_of(ticks), amount))
    assert_every_tick_is_in_one_bar(ticks, bars)


@pytest.mark.real_data
@pytest.mark.parametrize("amount", [50_000, 1_000_000])
def test_bars_of_a_real_day_are_those_of_the_plain_twin(shared_data: Path, amount: int) -> None:
    bars = dollar_bar_ends(bac_session(shared_data), amount)
    assert_same(bars, plain.dollar_bars(bac_rows(shared_data), amount))
    assert np.all(bars.closing["overflow"][bars.closing["is_complete"]] >= 0)

"""Renko bricks on tapes a reader can lay by hand, and against the plain twin."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.bars.build import assemble, build_bars
from fuzzy_pipeline.bars.cutting import BarEnds, SessionSpan, session_ends
from fuzzy_pipeline.bars.renko_bars import RENKO_BARS, RenkoBarCutter, renko_bar_ends
from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.enrichment import enrich_day
from fuzzy_pipeline.errors import BarLimitError
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
from tests.unit.enrichment.raw_ticks import TUESDAY, raw_ticks

UP_FROM_TEN = {"level": 100, "direction": 1}  # a brick of 0.10 closed at 10.00 on its way up


def bricks(bars: BarEnds) -> list[tuple[float, float]]:
    """Open and close of the bars that are bricks."""
    assert bars.brick_open is not None
    assert bars.brick_close is not None
    pairs = zip(bars.brick_open.tolist(), bars.brick_close.tolist(), strict=True)
    return [pair for pair in pairs if not math.isnan(pair[0])]


def laid(*price: float, state: dict[str, int] | None = None) -> list[tuple[float, float]]:
    return bricks(renko_bar_ends(session_of(price), 0.1, state))


# -- the grid ------------------------------------------------------------------------------------------------


def test_the_grid_starts_at_the_first_price_rounded_to_a_multiple_of_the_height() -> None:
    assert laid(10.04, 10.09, 10.1) == [(10.0, 10.1)]
    assert laid(10.05, 10.19, 10.2) == [(10.1, 10.2)]  # halves upwards
    assert laid(10.06, 10.0) == [(10.1, 10.0)]


def test_the_first_brick_may_go_either_way() -> None:
    assert laid(10.0, 10.1) == [(10.0, 10.1)]
    assert laid(10.0, 9.9) == [(10.0, 9.9)]


def test_the_first_price_lays_no_brick() -> None:
    assert laid(10.05) == []


@pytest.mark.parametrize("cents", range(1000, 1040))
def test_a_step_that_is_reached_exactly_lays_a_brick_whatever_its_binary_value(cents: int) -> None:
    low, high = cents * 10 / 100, (cents * 10 + 10) / 100
    assert laid(low, high) == [(low, high)]
    assert laid(high, low) == [(high, low)]


def test_a_price_that_misses_its_decimal_by_the_last_bit_is_that_decimal() -> None:
    assert laid(10.0, float(np.nextafter(10.1, 10.0))) == [(10.0, 10.1)]
    assert laid(10.0, float(np.nextafter(9.9, 10.0))) == [(10.0, 9.9)]


def test_a_hundredth_of_a_cent_less_lays_none() -> None:
    assert laid(10.0, 10.0999) == []
    assert laid(10.0, 9.9001) == []


# -- direction -----------------------------------------------------------------------------------------------


def test_a_reversal_needs_two_heights_and_opens_one_back() -> None:
    assert laid(9.9, 9.81, state=UP_FROM_TEN) == []
    assert laid(9.8, state=UP_FROM_TEN) == [(9.9, 9.8)]
    assert laid(9.8, 9.99, 10.0, state=UP_FROM_TEN) == [(9.9, 9.8), (9.9, 10.0)]


def test_bricks_that_go_on_need_one_height_and_open_at_the_last_close() -> None:
    assert laid(10.1, 10.2, state=UP_FROM_TEN) == [(10.0, 10.1), (10.1, 10.2)]


def test_direction_is_that_of_the_brick() -> None:
    bars = renko_bar_ends(session_of([10.1, 9.9, 9.9]), 0.1, UP_FROM_TEN)
    assert bars.closing["trigger_direction"].tolist() == [1, -1, 0]


# -- gaps ----------------------------------------------------------------------------------------------------


def test_a_jump_of_three_heights_gives_three_bricks_of_which_two_are_phantoms() -> None:
    bars = renko_bar_ends(session_of([10.02, 10.34]), 0.1, UP_FROM_TEN)
    assert bricks(bars) == [(10.0, 10.1), (10.1, 10.2), (10.2, 10.3)]
    assert bars.ends.tolist() == [2, 2, 2]
    assert bars.closing["is_phantom"].tolist() == [False, True, True]
    assert bars.closing["gaps"].tolist() == [0, 1, 2]
    # 10.34 is 0.24, 0.14 and 0.04 beyond their closes.
    assert bars.closing["overflow"].tolist() == [0.24, 0.14, 0.04]
    assert bars.closing["efficiency"].tolist() == pytest.approx([10 / 34, 10 / 24, 10 / 14])
    assert bars.closing["is_complete"].tolist() == [True] * 3


def test_a_jump_against_the_direction_lays_one_brick_less_than_its_heights() -> None:
    # From 10.00 to 9.65 are three whole heights: the first only leads back to where the last brick opened.
    bars = renko_bar_ends(session_of([9.65]), 0.1, UP_FROM_TEN)
    assert bricks(bars) == [(9.9, 9.8), (9.8, 9.7)]
    assert bars.closing["gaps"].tolist() == [0, 1]
    assert bars.closing["overflow"].tolist() == [0.15, 0.05]


def test_columns_of_a_jump_hold_grid_prices_and_every_share_once() -> None:
    # 10.00 → 10.12 lays a brick; 9.78 then turns: 10.00 → 9.90 → 9.80; 9.85 is left over.
    ticks = session_of([10.0, 10.05, 10.12, 10.11, 9.78, 9.85], size=[100, 200, 300, 400, 500, 600])
    columns = assemble(ticks, [renko_bar_ends(ticks, 0.1)])
    assert columns["open"].tolist() == [10.0, 10.0, 9.9, 9.85]
    assert columns["close"].tolist() == [10.1, 9.9, 9.8, 9.85]
    assert columns["high"].tolist() == [10.12, 10.11, 9.9, 9.85]
    assert columns["low"].tolist() == [10.0, 9.78, 9.8, 9.85]
    assert columns["volume"].tolist() == [600, 900, 0, 600]
    assert columns["tick_count"].tolist() == [3, 2, 0, 1]
    vwap = [(1000 + 2010 + 3036) / 600, (4044 + 4890) / 900, math.nan, 9.85]
    assert columns["vwap"].tolist() == pytest.approx(vwap, nan_ok=True)
    assert columns["direction"].tolist() == [1, -1, -1, 0]
    assert columns["trigger_direction"].tolist() == [1, -1, -1, 0]
    assert columns["is_phantom"].tolist() == [False, False, True, False]
    # The phantom begins and ends at the tick that jumped; it has no ticks of its own.
    assert columns["bar_start"][2] == columns["timestamp"][2] == columns["timestamp"][1]
    assert np.isnat(columns["first_tick_time"][2])


# -- what is left over ---------------------------------------------------------------------------------------


def test_ticks_after_the_last_brick_are_a_bar_without_brick_prices() -> None:
    bars = renko_bar_ends(session_of([10.1, 10.15]), 0.1, UP_FROM_TEN)
    assert bars.ends.tolist() == [1, 2]
    assert bars.brick_open is not None
    assert math.isnan(bars.brick_open[1])
    assert bars.closing["is_complete"].tolist() == [True, False]
    assert bars.closing["close_reason"].tolist() == [CloseReason.THRESHOLD, CloseReason.SESSION_END]
    assert math.isnan(bars.closing["overflow"][1])
    assert bars.closing["threshold"].tolist() == [0.1, 0.1]


def test_ticks_that_may_set_no_price_lay_no_brick_and_join_the_next() -> None:
    ticks = session_of([50.0, 10.0, 60.0, 10.1], is_qualified=[False, True, False, True])
    bars = renko_bar_ends(ticks, 0.1)
    assert bricks(bars) == [(10.0, 10.1)]
    assert bars.ends.tolist() == [4]


def test_a_session_without_prices_or_ticks_has_no_bricks() -> None:
    assert laid() == []
    bars = renko_bar_ends(session_of([10.0, 20.0], is_qualified=[False, False]), 0.1)
    assert bars.ends.tolist() == [2]
    assert bars.closing["is_complete"].tolist() == [False]


# -- state ---------------------------------------------------------------------------------------------------


def test_state_is_the_last_close_in_heights_and_its_direction() -> None:
    cutter = RenkoBarCutter(0.1)
    cutter.feed(session_of([10.0, 10.34, 10.05]))
    cutter.finish()
    assert cutter.state() == {"level": 101, "direction": -1}  # up to 10.30, back to 10.10 by way of 10.20


def test_one_height_against_the_direction_changes_nothing() -> None:
    down_from_ten = {"level": 100, "direction": -1}
    for state, price in ((UP_FROM_TEN, 9.9), (UP_FROM_TEN, 9.81), (down_from_ten, 10.1), (down_from_ten, 10.19)):
        cutter = RenkoBarCutter(0.1, state)
        cutter.feed(session_of([price]))
        assert cutter.state() == state


def test_the_first_price_of_the_next_date_is_measured_from_the_last_brick() -> None:
    # The day before closed at 10.30 upwards: a price of 10.15 turns nothing, 10.50 lays two bricks at once.
    state = {"level": 103, "direction": 1}
    assert laid(10.15, state=state) == []
    assert laid(10.5, state=state) == [(10.3, 10.4), (10.4, 10.5)]


def test_a_state_without_bricks_keeps_its_grid_and_one_without_prices_has_none() -> None:
    cutter = RenkoBarCutter(0.1)
    assert session_ends(cutter, session_of([])).ends.tolist() == []
    assert cutter.state() == {"direction": 0}
    again = RenkoBarCutter(0.1, cutter.state())
    session_ends(again, session_of([10.04]))
    assert again.state() == {"level": 100, "direction": 0}
    assert laid(9.9, state={"level": 100, "direction": 0}) == [(10.0, 9.9)]


def test_bricks_that_start_from_a_rounded_price_are_warm_up() -> None:
    cold = renko_bar_ends(session_of([10.02, 10.21, 10.31, 10.32]), 0.1)
    assert bricks(cold) == [(10.0, 10.1), (10.1, 10.2), (10.2, 10.3)]
    assert cold.closing["is_warm_up"].tolist() == [True, True, False, False]
    assert renko_bar_ends(session_of([10.02]), 0.1).closing["is_warm_up"].tolist() == [True]
    warm = renko_bar_ends(session_of([10.1, 10.15]), 0.1, UP_FROM_TEN)
    assert warm.closing["is_warm_up"].tolist() == [False, False]


def test_a_date_without_prices_hands_on_what_it_was_given() -> None:
    cutter = RenkoBarCutter(0.1, UP_FROM_TEN)
    session_ends(cutter, session_of([99.0], is_qualified=[False]))
    assert cutter.state() == UP_FROM_TEN


def test_the_parameter_is_the_height_in_dollars() -> None:
    factory = RENKO_BARS.series(BarSettings())["0.25"]
    cutter = factory(SessionSpan("regular", 0, 1), {"level": 40, "direction": 1})
    assert bricks(session_ends(cutter, session_of([10.24, 10.25]))) == [(10.0, 10.25)]


def test_the_example_of_the_page() -> None:
    ticks, shown = example("renko_bars.md")
    assert_shown(ticks, renko_bar_ends(ticks, 0.1), shown)


# -- laws ----------------------------------------------------------------------------------------------------

HEIGHTS = st.sampled_from(["0.0003", "0.0010", "0.03", "0.10", "1.00"])


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), usd=HEIGHTS, cuts=CUTS)
def test_pieces_of_any_size_give_the_bars_of_the_whole_session(ticks: SessionTicks, usd: str, cuts: list[int]) -> None:
    cutter, whole = RenkoBarCutter(float(usd)), RenkoBarCutter(float(usd))
    assert_identical(fed(cutter, in_pieces(ticks, cuts)), session_ends(whole, ticks))
    assert cutter.state() == whole.state()


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), usd=HEIGHTS)
def test_bars_are_those_of_the_plain_twin_and_lose_nothing(ticks: SessionTicks, usd: str) -> None:
    bars = renko_bar_ends(ticks, float(usd))
    assert_same(bars, plain.renko_bars(rows_of(ticks), usd))
    assert_every_tick_is_in_one_bar(ticks, bars)


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), usd=HEIGHTS, direction=st.sampled_from([-1, 0, 1]))
def test_bars_from_a_state_are_those_of_the_plain_twin(ticks: SessionTicks, usd: str, direction: int) -> None:
    level = int(Decimal("10") / Decimal(usd))
    bars = renko_bar_ends(ticks, float(usd), {"level": level, "direction": direction})
    assert_same(bars, plain.renko_bars(rows_of(ticks), usd, level * Decimal(usd), direction))


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), usd=HEIGHTS)
def test_bricks_are_exact_steps_that_meet_and_turn_one_back(ticks: SessionTicks, usd: str) -> None:
    height = Decimal(usd)
    found = [(Decimal(repr(one)), Decimal(repr(two))) for one, two in bricks(renko_bar_ends(ticks, float(usd)))]
    assert all(opened % height == 0 and abs(closed - opened) == height for opened, closed in found)
    for (before_open, before_close), (opened, closed) in itertools.pairwise(found):
        turned = (closed > opened) != (before_close > before_open)
        assert opened == (before_open if turned else before_close)


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), usd=HEIGHTS, cut=st.integers(0, 60))
def test_two_dates_lay_the_bricks_of_one_that_is_as_long(ticks: SessionTicks, usd: str, cut: int) -> None:
    first, second = in_pieces(ticks, [cut])
    yesterday = RenkoBarCutter(float(usd))
    before = session_ends(yesterday, first)
    today = RenkoBarCutter(float(usd), yesterday.state())
    after = session_ends(today, second)
    whole = RenkoBarCutter(float(usd))
    assert bricks(before) + bricks(after) == bricks(session_ends(whole, ticks))
    assert today.state() == whole.state()


@pytest.mark.real_data
@pytest.mark.parametrize("usd", ["0.01", "0.10"])
def test_bars_of_a_real_day_are_those_of_the_plain_twin(shared_data: Path, usd: str) -> None:
    bars = renko_bar_ends(bac_session(shared_data), float(usd))
    assert_same(bars, plain.renko_bars(bac_rows(shared_data), usd))


def test_a_lone_series_with_a_phantom_keeps_its_volumes_where_the_closing_print_follows_late_prints() -> None:
    """One empty bar and one more run of ticks: as many pieces as bars, but not the same."""
    raw = raw_ticks(
        [10.0, 10.2, 10.2, 10.25, 10.27],
        time=["09:30:00", "09:30:10", "15:59:59", "16:00:01", "16:00:02"],
        size=[100, 200, 7, 50, 400],
        codes=[(), (), (), (0x17,), (0x40,)],
    )
    rules = BarSettings.model_validate({"renko": {"series": ["0.10"]}})
    bars = build_bars(enrich_day(raw, "TEST", TUESDAY), TUESDAY, rules, families=("renko",))["renko"].of("0.10")
    assert bars["volume"].tolist() == [300, 0, 407]
    assert bars["is_phantom"].tolist() == [False, True, False]


# -- prices that are no market ---------------------------------------------------------------------------------


def test_more_bricks_than_memory_holds_are_refused_with_the_move_that_lays_them() -> None:
    with pytest.raises(BarLimitError, match=r"renko bars of 0\.1 USD: 1,000,001 bricks.*tick 3 .* price 100010\.1"):
        laid(10.0, 10.0, 100010.1)


def test_as_many_bricks_as_are_allowed_are_laid() -> None:
    assert len(laid(10.0, 100010.0)) == 1_000_000

"""Volatility bars on tapes with returns of whole basis points, and against the plain twin."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.bars.cutting import SessionSpan, session_ends
from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.bars.volatility_bars import VOLATILITY_BARS, VolatilityBarCutter, volatility_bar_ends
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


def walk(*bps: float, **given: list[bool]) -> SessionTicks:
    """A first price of 100 and then prices with these log returns."""
    prices = [100.0]
    for step in bps:
        prices.append(prices[-1] * math.exp(step / 10_000))
    return session_of(prices, **given)


def test_squared_returns_add_up_to_the_square_of_the_volatility() -> None:
    # 10² + 10² = 200 is below 15² = 225, a third brings 300. Down counts as much as up.
    bars = volatility_bar_ends(walk(10, -10, 10, 3), 15)
    assert bars.ends.tolist() == [4, 5]
    assert bars.closing["threshold"].tolist() == [225.0, 225.0]
    assert bars.closing["overflow"][0] == pytest.approx(75, rel=1e-9)
    assert bars.closing["efficiency"][0] == pytest.approx(0.75, rel=1e-9)
    assert bars.closing["close_reason"].tolist() == [CloseReason.THRESHOLD, CloseReason.SESSION_END]
    assert math.isnan(bars.closing["overflow"][1])


def test_the_return_to_the_first_price_of_a_bar_starts_at_the_bar_before() -> None:
    # Every return of 10 bps closes a bar of 9 bps: none is lost between bars.
    assert volatility_bar_ends(walk(10, 10, 10), 9).ends.tolist() == [2, 3, 4]


def test_the_excess_is_not_carried_over() -> None:
    # 30² = 900 = 9·10² closes; 9² = 81 alone is not enough for the next bar.
    assert volatility_bar_ends(walk(30, 9), 10).ends.tolist() == [2, 3]
    assert volatility_bar_ends(walk(30, 9), 10).closing["is_complete"].tolist() == [True, False]


def test_the_first_price_of_a_session_has_no_return() -> None:
    bars = volatility_bar_ends(session_of([0.01, 0.01]), 10)
    assert bars.ends.tolist() == [2]
    assert bars.closing["is_complete"].tolist() == [False]


def test_only_qualified_prices_return_and_over_the_others_to_each_other() -> None:
    # The wild print between sets no price: from 100.00 to 100.10 it is 9.995 bps.
    ticks = session_of([100.0, 250.0, 100.1], is_qualified=[True, False, True])
    assert volatility_bar_ends(ticks, 10).closing["is_complete"].tolist() == [False]
    bars = volatility_bar_ends(ticks, 9.9)
    assert bars.ends.tolist() == [3]
    assert bars.closing["overflow"][0] == pytest.approx((1e4 * math.log(1.001)) ** 2 - 98.01, rel=1e-9)


def test_a_price_that_repeats_adds_nothing() -> None:
    assert volatility_bar_ends(session_of([100.0] * 50), 0.01).ends.tolist() == [50]


def test_a_session_without_ticks_has_no_bars() -> None:
    assert len(volatility_bar_ends(session_of([]), 10)) == 0


def test_the_parameter_is_a_volatility_in_basis_points() -> None:
    ticks = walk(26, 24, 26)
    cutter = VOLATILITY_BARS.series(BarSettings())["25bps"](SessionSpan("regular", 0, 1), None)
    assert session_ends(cutter, ticks).ends.tolist() == [2, 4]  # 26² ≥ 625, 24² + 26² ≥ 625


def test_the_example_of_the_page() -> None:
    ticks, shown = example("volatility_bars.md")
    assert_shown(ticks, volatility_bar_ends(ticks, 100), shown)


VOLATILITIES = st.sampled_from([0.5, 7.0, 33.3, 250.0])


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), bps=VOLATILITIES, cuts=CUTS)
def test_pieces_of_any_size_give_the_bars_of_the_whole_session(
    ticks: SessionTicks, bps: float, cuts: list[int]
) -> None:
    assert_identical(fed(VolatilityBarCutter(bps), in_pieces(ticks, cuts)), volatility_bar_ends(ticks, bps))


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), bps=VOLATILITIES)
def test_bars_are_those_of_the_plain_twin_and_lose_nothing(ticks: SessionTicks, bps: float) -> None:
    bars = volatility_bar_ends(ticks, bps)
    assert_same(bars, plain.volatility_bars(rows_of(ticks), bps), rel=1e-9)
    assert_every_tick_is_in_one_bar(ticks, bars)


@pytest.mark.real_data
@pytest.mark.parametrize("bps", [10.0, 50.0])
def test_bars_of_a_real_day_are_those_of_the_plain_twin(shared_data: Path, bps: float) -> None:
    bars = volatility_bar_ends(bac_session(shared_data), bps)
    assert_same(bars, plain.volatility_bars(bac_rows(shared_data), bps), rel=1e-9)

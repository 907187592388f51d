"""Volume bars on tapes a reader can add up, and against the plain twin."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.bars.cutting import SessionSpan, session_ends
from fuzzy_pipeline.bars.session_ticks import SessionTicks
from fuzzy_pipeline.bars.volume_bars import VOLUME_BARS, VolumeBarCutter, volume_bar_ends
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


def shares(*size: int, qualified: bool = True) -> SessionTicks:
    return session_of([10.0] * len(size), size=size, is_qualified=[qualified] * len(size))


def test_crossing_trade_closes_the_bar_and_nothing_carries_over() -> None:
    # 300 + 900 = 1,200 closes; the next bar needs 1,000 of its own: 850 + 150.
    bars = volume_bar_ends(shares(300, 900, 850, 150), 1000)
    assert bars.ends.tolist() == [2, 4]
    assert bars.closing["overflow"].tolist() == [200.0, 0.0]
    assert bars.closing["efficiency"].tolist() == [1000 / 1200, 1.0]
    assert bars.closing["threshold"].tolist() == [1000.0, 1000.0]


def test_a_print_larger_than_a_bar_is_one_bar() -> None:
    bars = volume_bar_ends(shares(5000, 5000, 10), 1000)
    assert bars.ends.tolist() == [1, 2, 3]
    assert bars.closing["overflow"].tolist()[:2] == [4000.0, 4000.0]
    assert bars.closing["efficiency"].tolist()[:2] == [0.2, 0.2]


def test_the_rest_of_the_session_is_a_bar_that_is_not_complete() -> None:
    bars = volume_bar_ends(shares(1000, 400, 500), 1000)
    assert bars.ends.tolist() == [1, 3]
    assert bars.closing["is_complete"].tolist() == [True, False]
    assert bars.closing["close_reason"].tolist() == [CloseReason.THRESHOLD, CloseReason.SESSION_END]
    assert bars.closing["threshold"][1] == 1000.0
    assert math.isnan(bars.closing["overflow"][1])
    assert math.isnan(bars.closing["efficiency"][1])


def test_a_session_that_ends_with_a_full_bar_leaves_nothing_over() -> None:
    assert volume_bar_ends(shares(1000), 1000).ends.tolist() == [1]
    assert len(volume_bar_ends(shares(), 1000)) == 0


def test_ticks_that_set_no_price_bring_their_shares() -> None:
    assert volume_bar_ends(shares(600, 600, 5, qualified=False), 1000).ends.tolist() == [2, 3]


def test_sums_above_four_billion_shares_do_not_wrap() -> None:
    # Sizes are stored in 32 bits: three prints of three billion are nine billion.
    bars = volume_bar_ends(shares(3_000_000_000, 3_000_000_000, 3_000_000_000), 9_000_000_000)
    assert bars.ends.tolist() == [3]
    assert bars.closing["overflow"].tolist() == [0.0]


def test_the_parameter_is_an_amount_of_shares() -> None:
    ticks = shares(*[400] * 6)
    span = SessionSpan("regular", ticks.start_ns, ticks.end_ns)
    assert session_ends(VOLUME_BARS.series(BarSettings())["1k"](span, None), ticks).ends.tolist() == [3, 6]


def test_the_example_of_the_page() -> None:
    ticks, shown = example("volume_bars.md")
    assert_shown(ticks, volume_bar_ends(ticks, 1_000), shown)


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), amount=st.sampled_from([1, 100, 700, 3_000, 10**6]), cuts=CUTS)
def test_pieces_of_any_size_give_the_bars_of_the_whole_session(
    ticks: SessionTicks, amount: int, cuts: list[int]
) -> None:
    assert_identical(fed(VolumeBarCutter(amount), in_pieces(ticks, cuts)), volume_bar_ends(ticks, amount))


@settings(max_examples=60, deadline=None)
@given(ticks=tapes(), amount=st.sampled_from([1, 100, 700, 3_000, 10**6]))
def test_bars_are_those_of_the_plain_twin_and_lose_nothing(ticks: SessionTicks, amount: int) -> None:
    bars = volume_bar_ends(ticks, amount)
    assert_same(bars, plain.volume_bars(rows_of(ticks), amount))
    assert_every_tick_is_in_one_bar(ticks, bars)


@pytest.mark.real_data
@pytest.mark.parametrize("amount", [1_000, 50_000])
def test_bars_of_a_real_day_are_those_of_the_plain_twin(shared_data: Path, amount: int) -> None:
    ticks = bac_session(shared_data)
    bars = volume_bar_ends(ticks, amount)
    assert_same(bars, plain.volume_bars(bac_rows(shared_data), amount))
    held = np.add.reduceat(ticks.column("size").astype(np.int64), np.append(0, bars.ends[:-1]))
    complete = bars.closing["is_complete"]
    np.testing.assert_array_equal(held[complete] - amount, bars.closing["overflow"][complete])

"""Rows that soft rules name: those at fault and no others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.quality.flags import LEVEL_SHIFT, out_of_order_time, unconfirmed_prices
from fuzzy_pipeline.settings import IngestSettings
from tests.unit.enrichment.raw_ticks import raw_ticks


def late(times: list[int]) -> list[int]:
    return out_of_order_time(raw_ticks([10.0] * len(times), time=times), IngestSettings()).tolist()


def unconfirmed(price: list[float], size: list[int] | None = None) -> list[int]:
    return unconfirmed_prices(np.array(price), np.array(size or [100] * len(price)), 0.05).tolist()


# -- times that go back --------------------------------------------------------------


@pytest.mark.parametrize(
    ("times", "rows"),
    [
        ([], []),
        ([1, 1, 2, 2, 3], []),
        ([1, 2, 9, 3, 4, 5], [2]),  # one clock ran ahead: those after it are not late
        ([1, 2, 3, 0, 4, 5], [3]),
        ([1, 3, 2, 4], [2]),  # either could be meant: the later is named
        ([5, 6, 7, 1, 2], [3, 4]),
        ([3, 2, 1], [1, 2]),
        ([4, 4, 1, 4], [2]),
    ],
)
def test_the_fewest_ticks_are_out_of_order(times: list[int], rows: list[int]) -> None:
    assert late(times) == rows


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 12), max_size=14))
def test_what_is_left_is_in_order_and_as_long_as_can_be(times: list[int]) -> None:
    rows = set(late(times))
    left = [time for row, time in enumerate(times) if row not in rows]
    assert left == sorted(left)
    longest: list[int] = []  # of the runs that end at each time, by trying every earlier one
    for i, time in enumerate(times):
        longest.append(1 + max((longest[j] for j in range(i) if times[j] <= time), default=0))
    assert len(left) == max(longest, default=0)


# -- prices that nothing confirms ----------------------------------------------------


@pytest.mark.parametrize(
    ("price", "rows"),
    [
        ([], []),
        ([10.0], []),
        ([10.0] * 8, []),
        ([10.0, 10.0, 1000.0, 10.0, 10.0], [2]),
        ([10.0] + [1000.0] * 9 + [10.0] * 9, [*range(1, 10)]),  # nine ticks confirm each other
        ([10.0, 1000.0, 10.1, 1000.0, 10.2, 1000.0, 10.3], [1, 3, 5]),
        ([10.0] * 3 + [0.1] * 8 + [10.0] * 3, [*range(3, 11)]),
        ([10.0] * 3 + [1000.0] * 8, []),  # never taken back: two levels, and nothing says which is wrong
        ([10.0] * 3 + [14.0] * 8 + [10.0] * 6, []),  # a jump of 40 % that volume follows
        ([10.0, 1000.0, 100_000.0, 1000.0, 10.0], [1, 2, 3]),  # one stretch within another
        ([10.0, 1000.0, 100_000.0, 100_000.0, 10.0], [1, 2, 3]),
    ],
)
def test_prices_between_a_shift_and_the_one_that_takes_it_back_are_unconfirmed(
    price: list[float], rows: list[int]
) -> None:
    assert unconfirmed(price) == rows


def test_a_jump_is_unconfirmed_without_being_a_shift_and_the_way_back_is_not() -> None:
    price = [10.0, 10.0, 11.0, 10.0, 10.0, 10.0]  # 10 % up: a jump, no shift
    assert unconfirmed(price) == [2]


def test_the_way_back_from_a_shift_is_no_jump_whatever_the_size_of_the_wrong_ticks() -> None:
    # After the way back at 3, more shares trade at the wrong price of tick 4 than at the right ones.
    assert unconfirmed([10.0, 10.0, 1000.0, 10.0, 1000.0, 10.0, 10.0], [1, 1, 1, 1, 900, 1, 1]) == [2, 4]


def test_exactly_threefold_is_no_shift() -> None:
    assert LEVEL_SHIFT == 3
    assert unconfirmed([10.0] * 2 + [30.0] * 9 + [10.0] * 9) == []
    assert unconfirmed([10.0] * 2 + [30.01] * 9 + [10.0] * 9) == [*range(2, 11)]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([1.0, 1.5, 2.0, 10.0, 25.0, 100.0]), max_size=16))
def test_shifted_prices_are_those_that_a_plain_search_finds(price: list[float]) -> None:
    expected: set[int] = set()
    begun: list[tuple[int, float]] = []
    back = set()
    for i in range(1, len(price)):
        if max(price[i - 1], price[i]) <= 3 * min(price[i - 1], price[i]):
            continue
        fits = [k for k, (_, level) in enumerate(begun) if max(level, price[i]) <= 3 * min(level, price[i])]
        if fits:
            expected |= set(range(begun[fits[-1]][0], i))
            begun = begun[: fits[-1]]
            back.add(i)
        else:
            begun.append((i, price[i - 1]))
    for i in range(1, len(price)):  # and jumps of more than 5 % that the next five ticks do not follow
        old, new = price[i - 1], price[i]
        near_new = sum(100 for later in price[i + 1 : i + 6] if abs(later - new) < abs(later - old))
        if abs(new - old) > 0.05 * old and near_new <= 100 * len(price[i + 1 : i + 6]) / 2 and i not in back:
            expected.add(i)
    assert unconfirmed(price) == sorted(expected)

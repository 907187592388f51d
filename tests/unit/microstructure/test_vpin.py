"""VPIN: by hand, share by share, on flows with known expectation, and in pieces."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.vpin import VpinState, vpin
from tests.oracles import vpin as oracle


def by_side(sizes: list[int], signs: list[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    size, sign = np.array(sizes, dtype=np.int64), np.array(signs, dtype=np.int64)
    return np.where(sign > 0, size, 0), np.where(sign < 0, size, 0)


def test_a_trade_larger_than_the_room_is_split_between_buckets() -> None:
    # Buckets of 100: 60 B + 40 S (0.2), 100 S (1.0), 10 S + 90 B (0.8), 30 B open.
    found = vpin(*by_side([60, 150, 120], [1, -1, 1]), 100, buckets=3)
    assert found.value == pytest.approx((0.2 + 1.0 + 0.8) / 3)
    assert found.state.imbalances == pytest.approx((0.2, 1.0, 0.8))
    assert (found.state.buy_shares, found.state.sell_shares) == (30.0, 0.0)
    np.testing.assert_allclose(found.by_bucket, [math.nan, math.nan, 2 / 3])


def test_a_bar_with_both_sides_is_split_in_proportion() -> None:
    # 150 bought and 50 sold fill two buckets of 100 with 75 against 25 each: 0.5.
    found = vpin(np.array([150.0]), np.array([50.0]), 100, buckets=2)
    assert found.state.imbalances == pytest.approx((0.5, 0.5))
    assert found.state.buy_shares + found.state.sell_shares == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("bucket", [100, 37, 0.3, 1 / 3])
def test_flow_on_one_side_gives_exactly_one(bucket: float) -> None:
    sizes = np.random.default_rng(0).integers(1, 500, 300)
    assert vpin(sizes, np.zeros(300), bucket * 10).value == 1.0
    assert vpin(np.zeros(300), sizes, bucket * 10).value == 1.0


def test_flow_that_is_balanced_in_every_bucket_gives_zero() -> None:
    assert vpin(np.full(100, 50), np.full(100, 50), 100).value == 0.0


@pytest.mark.parametrize("trades_per_bucket", [10, 100])
def test_balanced_random_flow_gives_the_mean_absolute_sum_of_signs(trades_per_bucket: int) -> None:
    # E|S_m| of m fair signs, m even, is m·C(m, m/2) / 2^m; E[S_m²] = m gives the standard error over the buckets.
    m, buckets = trades_per_bucket, 5_000
    signs = np.random.default_rng(m).choice([-1, 1], m * buckets)
    found = vpin(np.where(signs > 0, 1, 0), np.where(signs < 0, 1, 0), m, buckets=buckets)
    expected = math.comb(m, m // 2) / 2**m
    standard_error = math.sqrt((1 / m - expected**2) / buckets)
    assert found.value == pytest.approx(expected, abs=3 * standard_error)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 60), st.sampled_from([-1, 0, 1])), max_size=40),
    st.integers(1, 50),
    st.integers(1, 5),
)
def test_buckets_equal_those_of_a_tape_of_single_shares(
    trades: list[tuple[int, int]], bucket: int, buckets: int
) -> None:
    sizes, signs = [size for size, _ in trades], [sign for _, sign in trades]
    found = vpin(*by_side(sizes, signs), bucket, buckets=buckets)
    imbalances, bought, sold = oracle.bucket_imbalances(sizes, signs, bucket)
    assert (found.state.buy_shares, found.state.sell_shares) == (pytest.approx(bought), pytest.approx(sold))
    expected = oracle.vpin(imbalances, buckets)
    assert found.by_bucket.tolist() == pytest.approx([math.nan if v is None else v for v in expected], nan_ok=True)
    known = expected[-1] if expected and expected[-1] is not None else math.nan
    assert found.value == pytest.approx(known, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=40),
    st.integers(1, 300),
    st.lists(st.integers(0, 40), max_size=3),
)
def test_a_tape_in_pieces_gives_the_buckets_of_the_whole(
    rows: list[tuple[int, int]], bucket: int, cuts: list[int]
) -> None:
    buy, sell = (np.array([row[side] for row in rows], dtype=np.float64) for side in (0, 1))
    whole = vpin(buy, sell, bucket, buckets=3)
    state = VpinState()
    edges = [0, *sorted(min(cut, len(rows)) for cut in cuts), len(rows)]
    by_bucket = []
    for start, stop in pairwise(edges):
        piece = vpin(buy[start:stop], sell[start:stop], bucket, state, buckets=3)
        state = piece.state
        by_bucket += piece.by_bucket.tolist()
    assert state == whole.state
    assert by_bucket == pytest.approx(whole.by_bucket.tolist(), nan_ok=True)
    assert piece.value == pytest.approx(whole.value, nan_ok=True)


def test_an_open_bucket_goes_on_to_another_size() -> None:
    # 90 bought and 30 sold are open. In buckets of 50 they are two full ones at 0.5 and 20 shares of a third.
    state = vpin(np.array([90]), np.array([30]), 200).state
    assert (state.buy_shares, state.sell_shares, state.imbalances) == (90.0, 30.0, ())
    found = vpin(np.zeros(0), np.zeros(0), 50, state, buckets=2)
    assert found.value == pytest.approx(0.5)
    assert found.state.buy_shares == pytest.approx(15.0)
    assert found.state.sell_shares == pytest.approx(5.0)


def test_before_enough_buckets_there_is_no_value() -> None:
    found = vpin(np.full(49, 100), np.zeros(49), 100)
    assert math.isnan(found.value)
    assert len(found.by_bucket) == 49
    assert vpin(np.array([100]), np.array([0]), 100, found.state).value == 1.0


def test_a_date_without_trades_keeps_the_value_and_the_state_of_the_one_before() -> None:
    before = vpin(np.full(60, 80), np.full(60, 20), 100)
    after = vpin(np.zeros(0), np.zeros(0), 100, before.state)
    assert after.value == before.value == pytest.approx(0.6)
    assert after.state == before.state
    assert len(after.by_bucket) == 0


def test_no_trade_at_all_has_no_value() -> None:
    found = vpin(np.zeros(0), np.zeros(0), 100)
    assert math.isnan(found.value)
    assert found.state == VpinState()


@pytest.mark.parametrize(("bucket", "buckets"), [(0, 50), (-1, 50), (math.nan, 50), (100, 0)])
def test_buckets_without_size_or_number_are_refused(bucket: float, buckets: int) -> None:
    with pytest.raises(ValueError, match="buckets"):
        vpin(np.ones(1), np.ones(1), bucket, buckets=buckets)


def test_sides_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError, match="1 rows bought but 2 sold"):
        vpin(np.ones(1), np.ones(2), 100)


def test_negative_volumes_are_refused() -> None:
    with pytest.raises(ValueError, match="negative"):
        vpin(np.array([5.0, -1.0]), np.zeros(2), 100)

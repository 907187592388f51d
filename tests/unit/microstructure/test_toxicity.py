"""Adverse selection, toxic minutes and reversion: by hand and against plain twins."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fuzzy_pipeline.microstructure.toxicity import (
    MINUTE_NS,
    abs_return_bps,
    adverse_selection_score,
    information_asymmetry,
    minute_mean_impact,
    reversion_rate,
    toxic_minutes,
    toxic_threshold,
)
from tests.oracles import toxicity as oracle
from tests.unit.microstructure.random_session import SECOND, random_session

NAN = math.nan


def test_adverse_selection_is_the_mean_impact_of_large_trades() -> None:
    found = adverse_selection_score(np.array([3.0, NAN, 5.0, 100.0]), np.array([True, True, True, False]))
    assert (found.bps, found.n) == (4.0, 2)


def test_large_trades_that_widen_the_spread_give_a_positive_correlation() -> None:
    # Pairs of change and size: (1, 100), (0, 50), (3, 300) cents and shares.
    spread = np.array([1.0, 2.0, NAN, 2.0, 5.0]) / 100
    size = np.array([100, 50, 7, 300, 9], dtype=np.uint32)
    found = information_asymmetry(spread, size, np.array([1, -1, 1, 1, -1], dtype=np.int8))
    assert found.n == 3
    assert found.correlation == pytest.approx(np.corrcoef([1, 0, 3], [100, 50, 300])[0, 1])


def test_an_auction_print_has_no_part_in_information_asymmetry() -> None:
    spread = np.array([1.0, 2.0, 2.0, 5.0, 5.0]) / 100
    size = np.array([100, 50, 300, 1_000_000, 70], dtype=np.uint32)
    found = information_asymmetry(spread, size, np.array([1, -1, 1, 0, 1], dtype=np.int8))
    assert found.n == 3  # the auction's own change is left out, the one before it is not
    assert found.correlation == pytest.approx(np.corrcoef([1, 0, 3], [100, 50, 300])[0, 1])


@pytest.mark.parametrize("spread", [[], [0.01], [NAN] * 5, [0.01] * 5])
def test_without_changing_spreads_there_is_no_correlation(spread: list[float]) -> None:
    size = np.arange(1, len(spread) + 1, dtype=np.uint32)
    assert math.isnan(information_asymmetry(np.array(spread), size, np.ones(len(spread), np.int8)).correlation)


@pytest.mark.parametrize("seed", range(10))
def test_spread_changes_equal_their_plain_twin(seed: int) -> None:
    day = random_session(seed)
    found = information_asymmetry(day.spread, day.size, day.sign)
    pairs = oracle.spread_changes(day.spread.tolist(), day.size.tolist(), day.sign.tolist())
    assert found.n == len(pairs) > 50
    assert found.correlation == pytest.approx(np.corrcoef(np.array(pairs).T)[0, 1])


def test_random_sizes_say_nothing_about_the_spread() -> None:
    rng = np.random.default_rng(0)
    spread, size = rng.choice([1, 2, 3], 10_001) / 100, rng.integers(1, 1000, 10_001).astype(np.uint32)
    found = information_asymmetry(spread, size, np.ones(10_001, np.int8))
    assert abs(found.correlation) < 3 / math.sqrt(10_000)


def test_minutes_have_the_mean_of_their_known_impacts() -> None:
    times = np.array([0, 59, 60, 61, 200, 241]) * SECOND
    impact = np.array([1.0, 2.0, NAN, 7.0, NAN, 5.0])
    means = minute_mean_impact(times, impact, 0, 240 * SECOND)
    # The last print is stamped after the end: it belongs to the last minute.
    np.testing.assert_array_equal(means, [1.5, 7.0, NAN, 5.0])


def test_a_session_without_trades_has_unknown_minutes() -> None:
    assert np.isnan(minute_mean_impact(np.zeros(0, np.int64), np.zeros(0), 0, 3 * MINUTE_NS)).tolist() == [True] * 3


@pytest.mark.parametrize("seed", range(10))
def test_minute_means_equal_their_plain_twin(seed: int) -> None:
    day = random_session(seed)
    impact = np.where(day.chosen, day.midpoint, NAN)
    means = minute_mean_impact(day.timestamps, impact, day.start, day.end)
    expected = oracle.minute_means(day.timestamps.tolist(), impact.tolist(), day.start, day.end)
    np.testing.assert_allclose(means, expected, rtol=1e-12)


def test_minutes_above_the_threshold_are_counted() -> None:
    assert toxic_minutes(np.array([1.0, 3.0, NAN, 3.1, 9.0]), 3.0) == 2
    assert toxic_minutes(np.array([1.0, 2.0]), 3.0) == 0


@pytest.mark.parametrize("threshold", [None, NAN])
def test_without_a_threshold_no_minute_is_called_toxic_or_not(threshold: float | None) -> None:
    assert toxic_minutes(np.array([1.0]), threshold) is None


@pytest.mark.parametrize("minutes", [np.zeros(0), np.array([NAN, NAN])])
def test_without_a_known_minute_the_count_is_unknown(minutes: np.ndarray) -> None:
    assert toxic_minutes(minutes, 1.0) is None


def test_the_threshold_needs_five_dates_with_known_minutes() -> None:
    date = np.append(np.arange(0.0, 21.0), NAN)  # the 95th percentile of 0…20 is 19
    assert toxic_threshold([date] * 5) == pytest.approx(19.0)
    assert toxic_threshold([date] * 4 + [np.full(3, NAN)]) is None
    assert toxic_threshold([]) is None


def test_reversion_is_one_when_the_midpoint_stays_and_zero_when_the_price_stays() -> None:
    effective, size = np.array([0.02, 0.04]), np.array([100, 300], dtype=np.uint32)
    assert reversion_rate(effective, effective, size) == 1.0
    assert reversion_rate(np.zeros(2), effective, size) == 0.0


def test_reversion_is_weighted_by_shares_over_trades_where_both_are_known() -> None:
    realised, effective = np.array([0.02, -0.01, NAN, 5.0]), np.array([0.02, 0.02, 1.0, NAN])
    # (0.02·100 − 0.01·300) / (0.02·400) = −1 / 8.
    assert reversion_rate(realised, effective, np.array([100, 300, 5, 5], np.uint32)) == pytest.approx(-0.125)


def test_without_a_spread_paid_there_is_no_reversion() -> None:
    assert math.isnan(reversion_rate(np.zeros(0), np.zeros(0), np.zeros(0, np.uint32)))
    assert math.isnan(reversion_rate(np.array([0.01]), np.array([0.0]), np.ones(1, np.uint32)))


@pytest.mark.parametrize("seed", range(5))
def test_reversion_equals_its_plain_twin(seed: int) -> None:
    day = random_session(seed)
    realised = day.midpoint - 99.0
    effective = np.where(day.chosen, NAN, 1.0 + day.price / 100)
    expected = oracle.reversion_rate(realised.tolist(), effective.tolist(), day.size.tolist())
    assert reversion_rate(realised, effective, day.size) == pytest.approx(expected)


def test_absolute_returns_use_the_price_in_force_at_the_horizon() -> None:
    # Horizon 10: 100 → 102 (stamped exactly 10 later), 101 → 102, 102 → none before the close at 15.
    times, price = np.array([0, 3, 10, 14]), np.array([100.0, 101.0, 102.0, 50.0])
    assert abs_return_bps(times, price, 10, 13) == pytest.approx((200.0 + 1e4 / 101) / 2)


def test_without_a_trade_early_enough_there_is_no_absolute_return() -> None:
    assert math.isnan(abs_return_bps(np.array([5, 6]), np.array([1.0, 2.0]), 10, 14))
    assert math.isnan(abs_return_bps(np.zeros(0, np.int64), np.zeros(0), 10, 14))


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("horizon", [SECOND, 60 * SECOND, 300 * SECOND])
def test_absolute_returns_equal_their_plain_twin(seed: int, horizon: int) -> None:
    day = random_session(seed, 100)
    expected = oracle.abs_return_bps(day.timestamps.tolist(), day.price.tolist(), horizon, day.end)
    assert abs_return_bps(day.timestamps, day.price, horizon, day.end) == pytest.approx(expected)

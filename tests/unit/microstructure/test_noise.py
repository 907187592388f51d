"""Grid prices, realised variance and noise: by hand, against the plain twin, and on prices with known noise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fuzzy_pipeline.microstructure.noise import (
    distinct_log_prices,
    log_returns,
    microstructure_noise,
    realised_variance_by_block,
    realised_volatility,
    sample_prices,
    signature_points,
)
from tests.oracles import noise as oracle
from tests.unit.microstructure.random_session import SECOND, random_session

NAN = math.nan


def times(*instants: int) -> np.ndarray:
    return np.array(instants, dtype=np.int64)


def test_a_grid_holds_the_open_then_the_close_of_each_interval() -> None:
    # [0, 10) opens at 5 and closes at 6, [10, 20) is empty, [20, 25) holds a tick on its first instant.
    sampled = sample_prices(times(2, 9, 20), np.array([5.0, 6.0, 7.0]), 0, 25, 10)
    assert sampled.tolist() == [5.0, 6.0, 6.0, 7.0]


def test_marks_before_the_interval_of_the_first_tick_are_unknown() -> None:
    np.testing.assert_array_equal(sample_prices(times(25), np.array([5.0]), 0, 30, 10), [NAN, NAN, 5.0, 5.0])


def test_a_print_after_the_end_closes_the_last_interval() -> None:
    assert sample_prices(times(5, 31), np.array([5.0, 8.0]), 0, 20, 10).tolist() == [5.0, 5.0, 8.0]


def test_a_session_without_ticks_has_no_price_on_the_grid() -> None:
    np.testing.assert_array_equal(sample_prices(times(), np.zeros(0), 0, 20, 10), [NAN, NAN, NAN])


@pytest.mark.parametrize(("end", "step"), [(20, 0), (0, 10)])
def test_a_grid_without_extent_is_refused(end: int, step: int) -> None:
    with pytest.raises(ValueError, match="grid"):
        sample_prices(times(1), np.ones(1), 0, end, step)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("step", [SECOND, 7 * SECOND, 300 * SECOND])
def test_a_grid_equals_its_plain_twin(seed: int, step: int) -> None:
    day = random_session(seed, 60)
    sampled = sample_prices(day.timestamps, day.price, day.start, day.end, step)
    expected = oracle.sample_prices(day.timestamps.tolist(), day.price.tolist(), day.start, day.end, step)
    np.testing.assert_array_equal(sampled, expected)


def test_realised_volatility_adds_squares_over_unknown_prices_left_out() -> None:
    # Steps of 3 % and −4 %: 0.03² + 0.04² = 0.05².
    price = np.exp(np.array([0.0, NAN, 0.03, -0.01]))
    assert realised_volatility(price) == pytest.approx(0.05)
    assert math.isnan(realised_volatility(np.array([100.0, NAN])))
    assert math.isnan(realised_volatility(np.zeros(0)))


def test_log_returns_of_nothing_and_of_one_price_are_empty() -> None:
    assert len(log_returns(np.zeros(0))) == 0
    assert len(log_returns(np.ones(1))) == 0


def test_blocks_sum_squares_and_drop_a_last_one_that_is_not_full() -> None:
    np.testing.assert_array_equal(realised_variance_by_block(np.array([3.0, 4.0, NAN, 1.0, 7.0]), 2), [25.0, NAN])
    assert len(realised_variance_by_block(np.zeros(0), 60)) == 0


def test_ticks_of_one_instant_give_its_last_price() -> None:
    prices = np.exp(np.array([1.0, 2.0, 3.0, 3.0]))
    assert distinct_log_prices(times(1, 1, 5, 6), prices).tolist() == pytest.approx([2.0, 3.0, 3.0])
    assert len(distinct_log_prices(times(), np.zeros(0))) == 0


@pytest.mark.parametrize("seed", range(5))
def test_distinct_prices_equal_their_plain_twin(seed: int) -> None:
    day = random_session(seed)
    expected = oracle.distinct_log_prices(day.timestamps.tolist(), day.price.tolist())
    assert distinct_log_prices(day.timestamps, day.price).tolist() == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("k", [2, 3, 7, 30])
def test_two_scales_equal_their_plain_twin(k: int) -> None:
    log_price = np.cumsum(np.random.default_rng(k).normal(0, 1e-4, 101))
    found = microstructure_noise(log_price, subsamples=k)
    everything, two_scales, variance = oracle.two_scales(log_price.tolist(), k)
    assert found.realised_variance == pytest.approx(everything)
    assert found.two_scales_variance == pytest.approx(two_scales)
    assert found.noise_variance == pytest.approx(variance)
    assert (found.subsamples, found.n) == (k, 100)


@pytest.mark.parametrize("noise", [2e-5, 1e-4, 5e-4])
def test_noise_of_known_variance_is_recovered_within_three_standard_errors(noise: float) -> None:
    # Gaussian noise: Var(Σ (e_i − e_(i−1))²) = 12·n·w⁴, so the standard error of RV_all / 2n is w²·√(3/n); a random
    # walk of 1 % a day adds 2·IV·w²·4n/(2n)² and the error of TSRV / 2n, both smaller.
    n = 100_000
    errors = []
    for seed in range(4):
        rng = np.random.default_rng(seed)
        efficient = np.cumsum(rng.normal(0, 0.01 / math.sqrt(n), n + 1))
        found = microstructure_noise(efficient + rng.normal(0, noise, n + 1))
        standard_error = noise**2 * math.sqrt(3 / n) + 1e-4 / (2 * n) * math.sqrt(4 / n)
        errors.append((found.noise_variance - noise**2) / standard_error)
        assert found.two_scales_variance == pytest.approx(1e-4, rel=0.2)
        assert found.noise_bps == pytest.approx(noise * 1e4, rel=0.05)
    assert max(np.abs(errors)) < 3


def test_without_the_correction_the_price_itself_is_taken_for_noise() -> None:
    n = 20_000
    rng = np.random.default_rng(1)
    found = microstructure_noise(np.cumsum(rng.normal(0, 1e-4, n + 1)))
    # RV / 2n of a pure random walk is half the variance of a step; corrected, it is 0 within its standard error.
    assert found.noise_variance_uncorrected == pytest.approx(0.5e-8, rel=0.05)
    assert abs(found.noise_variance) < 0.05e-8


def test_a_price_that_moves_on_has_a_negative_variance_and_no_noise() -> None:
    # Each step is done in two equal halves: neighbouring returns are alike, the slow scale holds more than the fast.
    steps = np.repeat(np.random.default_rng(0).normal(0, 1e-4, 500), 2)
    found = microstructure_noise(np.cumsum(steps), subsamples=2)
    assert found.noise_variance < 0
    assert math.isnan(found.noise_bps)


def test_a_price_that_never_moves_has_no_noise() -> None:
    found = microstructure_noise(np.full(200, 4.6))
    assert (found.noise_bps, found.realised_variance) == (0.0, 0.0)


@pytest.mark.parametrize("points", [0, 1, 2, 100])
def test_few_returns_give_no_noise(points: int) -> None:
    found = microstructure_noise(np.zeros(points))
    assert math.isnan(found.noise_bps)
    assert math.isnan(found.noise_variance)
    assert (found.subsamples, found.n) == (0, max(points - 1, 0))


def test_one_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="two scales"):
        microstructure_noise(np.zeros(500), subsamples=1)


def test_the_signature_of_a_random_walk_is_flat() -> None:
    log_price = np.cumsum(np.random.default_rng(3).normal(0, 1e-4, 50_001))
    points = signature_points(log_price, (1, 5, 20, 100))
    # √50,000 · 1e-4; the standard error of a variance over steps of k is about √(4k/3n).
    for point in points:
        error = math.sqrt(max(4 * point.step / 3, 2) / 50_000)
        assert point.realised_volatility == pytest.approx(math.sqrt(50_000) * 1e-4, rel=3 * error)


def test_returns_lost_at_the_edges_are_made_up_for() -> None:
    # Twenty steps of 1 over two observations: 19 squares of 2, by two grids, 38; of twenty it would be 40.
    points = signature_points(np.arange(21.0), (1, 2))
    assert [point.realised_volatility**2 for point in points] == pytest.approx([20.0, 40.0])


def test_the_signature_of_a_noisy_price_falls_with_the_step() -> None:
    rng = np.random.default_rng(4)
    points = signature_points(rng.normal(0, 1e-4, 20_001), (1, 10, 100))
    # Pure noise: the variance over any step is 2w², so the realised variance falls as 1 / step.
    expected = [math.sqrt(2 * 20_000 / step) * 1e-4 for step in (1, 10, 100)]
    assert [point.realised_volatility for point in points] == pytest.approx(expected, rel=0.05)


def test_steps_too_long_for_the_series_are_left_out() -> None:
    assert [point.step for point in signature_points(np.zeros(100), (1, 10, 11))] == [1, 10]
    assert signature_points(np.zeros(0)) == ()

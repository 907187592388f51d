"""Hurst exponent of noise that has a known one, and autocorrelation by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fuzzy_pipeline.microstructure.long_memory import (
    HURST_MINIMUM_RETURNS,
    autocorrelation,
    hurst_exponent,
)
from tests.oracles import long_memory as oracle

NAN = math.nan


@pytest.mark.parametrize("hurst", [0.3, 0.5, 0.7])
def test_the_exponent_of_fractional_gaussian_noise_is_recovered_within_two_standard_errors(hurst: float) -> None:
    rng = np.random.default_rng(round(hurst * 10))
    found = [hurst_exponent(oracle.fractional_gaussian_noise(hurst, 23_400, rng)).exponent for _ in range(40)]
    standard_error = np.std(found, ddof=1) / math.sqrt(len(found))
    assert np.mean(found) == pytest.approx(hurst, abs=0.005 + 2 * standard_error)
    assert np.std(found) < 0.03


def test_the_simulated_noise_has_the_covariance_it_should_have() -> None:
    rng = np.random.default_rng(0)
    paths = np.array([oracle.fractional_gaussian_noise(0.7, 64, rng) for _ in range(20_000)])
    # Lag 1: (2^1.4 − 2) / 2 = 0.3195; the mean of 64 has variance 64^(2·0.7 − 2).
    assert np.mean(paths[:, 0] * paths[:, 1]) == pytest.approx((2**1.4 - 2) / 2, abs=3 / math.sqrt(20_000))
    assert np.var(paths.mean(axis=1)) == pytest.approx(64 ** (-0.6), rel=0.05)


def test_the_exponent_is_that_of_returns_not_of_prices() -> None:
    prices = np.cumsum(np.random.default_rng(1).standard_normal(10_000))
    assert hurst_exponent(np.diff(prices)).exponent == pytest.approx(0.5, abs=0.06)
    assert hurst_exponent(prices).exponent == pytest.approx(1.5, abs=0.1)


def test_neither_scale_nor_mean_of_the_returns_matters() -> None:
    noise = np.random.default_rng(2).standard_normal(2_000)
    plain = hurst_exponent(noise).exponent
    assert hurst_exponent(1e-6 * noise + 3e-6).exponent == pytest.approx(plain, abs=1e-6)


@pytest.mark.parametrize("n", [500, 777, 3000])
def test_the_slope_is_that_of_the_plain_twins_fluctuations(n: int) -> None:
    noise = np.random.default_rng(n).standard_normal(n)
    windows = np.unique(np.geomspace(10, n // 4, 20).round().astype(int))
    fluctuation = [oracle.fluctuation(noise, int(window)) for window in windows]
    slope = np.polyfit(np.log(windows), np.log(fluctuation), 1)[0]
    found = hurst_exponent(noise)
    assert found.exponent == pytest.approx(slope, rel=1e-6)
    assert found.r_squared == pytest.approx(np.corrcoef(np.log(windows), np.log(fluctuation))[0, 1] ** 2)


@pytest.mark.parametrize("n", [0, 1, HURST_MINIMUM_RETURNS - 1])
def test_with_few_returns_there_is_no_exponent(n: int) -> None:
    found = hurst_exponent(np.random.default_rng(0).standard_normal(n))
    assert math.isnan(found.exponent)
    assert found.n == n


def test_unknown_returns_are_left_out_and_do_not_count() -> None:
    noise = np.random.default_rng(3).standard_normal(600)
    found = hurst_exponent(np.concatenate([np.full(100, NAN), noise]))
    assert found == hurst_exponent(noise)
    assert math.isnan(hurst_exponent(np.concatenate([np.full(101, NAN), noise[:499]])).exponent)


def test_a_price_that_never_moves_has_no_exponent() -> None:
    assert math.isnan(hurst_exponent(np.zeros(1000)).exponent)


def test_autocorrelation_at_a_lag_by_hand() -> None:
    # Mean 2, deviations −2 −1 0 1 2: squares 10; lag 1: 2 + 0 + 0 + 2 = 4; lag 2: 0 − 1 + 0 = −1.
    returns = np.arange(5.0)
    assert autocorrelation(returns) == pytest.approx(0.4)
    assert autocorrelation(returns, 2) == pytest.approx(-0.1)


def test_pairs_with_an_unknown_return_are_left_out() -> None:
    # Mean 2, deviations −2 −1 ? 1 2: squares 10; pairs (−2, −1) and (1, 2): 4.
    assert autocorrelation(np.array([0.0, 1.0, NAN, 3.0, 4.0])) == pytest.approx(0.4)


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.4])
def test_autocorrelation_of_an_autoregression_is_its_coefficient(phi: float) -> None:
    rng = np.random.default_rng(4)
    returns = np.zeros(20_000)
    for t in range(1, len(returns)):
        returns[t] = phi * returns[t - 1] + rng.standard_normal()
    assert autocorrelation(returns) == pytest.approx(phi, abs=3 * math.sqrt((1 - phi**2) / len(returns)))
    assert autocorrelation(returns, 2) == pytest.approx(phi**2, abs=0.03)


@pytest.mark.parametrize("returns", [[], [1.0], [0.1] * 5, [NAN] * 4, [1.0, NAN, 2.0]])
def test_without_pairs_that_vary_there_is_no_autocorrelation(returns: list[float]) -> None:
    assert math.isnan(autocorrelation(np.array(returns)))


def test_a_lag_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="lag"):
        autocorrelation(np.arange(5.0), 0)

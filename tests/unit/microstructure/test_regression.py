"""Least squares by hand and against NumPy."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fuzzy_pipeline.microstructure.regression import least_squares

NAN = math.nan


def test_a_line_through_three_points_by_hand() -> None:
    # x −1 0 1, y 0 0 3: slope 3/2, intercept 1, residuals 0.5 −1 0.5 (1.5), total 6, se² = 1.5 / 1 / 2.
    fit = least_squares(np.array([0.0, 0.0, 3.0]), np.array([-1.0, 0.0, 1.0]))
    assert (fit.slope, fit.intercept, fit.n) == (1.5, 1.0, 3)
    assert fit.r_squared == pytest.approx(0.75)
    assert fit.t_statistic == pytest.approx(1.5 / math.sqrt(0.75))
    assert fit.correlation == pytest.approx(math.sqrt(0.75))


def test_a_falling_line_has_a_negative_correlation() -> None:
    fit = least_squares(np.array([3.0, 2.0, 1.5, 0.0]), np.arange(4.0))
    assert fit.correlation == pytest.approx(np.corrcoef([3.0, 2.0, 1.5, 0.0], range(4))[0, 1])
    assert fit.correlation < 0


def test_pairs_with_an_unknown_value_are_left_out() -> None:
    fit = least_squares(np.array([0.0, 9.0, 0.0, 3.0, NAN]), np.array([-1.0, NAN, 0.0, 1.0, 7.0]))
    assert (fit.slope, fit.n) == (1.5, 3)


@pytest.mark.parametrize(
    ("y", "x"), [([], []), ([1.0], [1.0]), ([1.0, 2.0], [1.0, 2.0]), ([1.0, 2.0, 4.0], [0.1, 0.1, 0.1])]
)
def test_too_few_pairs_or_a_constant_x_determine_nothing(y: list[float], x: list[float]) -> None:
    fit = least_squares(np.array(y), np.array(x))
    assert fit.n == len(y)
    assert all(math.isnan(value) for value in (fit.slope, fit.intercept, fit.r_squared, fit.t_statistic))
    assert math.isnan(fit.correlation)


def test_a_constant_y_has_slope_zero_and_nothing_to_explain() -> None:
    fit = least_squares(np.full(4, 0.1), np.arange(4.0))
    assert (fit.slope, fit.intercept) == (0.0, pytest.approx(0.1))
    assert math.isnan(fit.r_squared)
    assert math.isnan(fit.t_statistic)


def test_a_perfect_fit_has_an_infinite_t() -> None:
    fit = least_squares(np.array([4.0, 2.0, 0.0]), np.array([0.0, 1.0, 2.0]))
    assert (fit.slope, fit.r_squared, fit.t_statistic) == (-2.0, 1.0, -math.inf)


def test_slope_intercept_and_r_squared_equal_those_of_numpy() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(5, 2, 300)
    y = 3 - 0.4 * x + rng.normal(0, 1, 300)
    fit = least_squares(y, x)
    (slope, intercept), covariance = np.polyfit(x, y, 1, cov="unscaled")
    residual = y - slope * x - intercept
    assert (fit.slope, fit.intercept) == (pytest.approx(slope), pytest.approx(intercept))
    assert fit.t_statistic == pytest.approx(slope / math.sqrt(covariance[0, 0] * (residual @ residual) / 298))
    assert fit.r_squared == pytest.approx(np.corrcoef(x, y)[0, 1] ** 2)

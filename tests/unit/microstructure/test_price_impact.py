"""Impact regressions: by hand, against the plain twin, and on simulated flows with known impact."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fuzzy_pipeline.microstructure.price_impact import (
    interval_flow,
    kyle_lambda,
    kyle_lambda_sqrt_dollar,
    mean_impact,
    permanent_impact_estimate,
)
from tests.oracles import price_impact as oracle
from tests.unit.microstructure.random_session import SECOND, random_session

NAN = math.nan
MINUTE = 60 * SECOND


def columns(trades: list[tuple[int, float, float, int, int]]) -> tuple[Any, ...]:
    """Time, midpoint, price, size and sign of hand-made trades."""
    types = (np.int64, np.float64, np.float64, np.uint32, np.int8)
    return tuple(np.array(column, dtype=kind) for column, kind in zip(zip(*trades, strict=True), types, strict=True))


def test_a_midpoint_change_is_paired_with_the_trades_that_came_after_the_first_quote() -> None:
    # Intervals of 10. The quote at 7 is that before the trade at 7, whose 300 shares move the next one.
    trades = [(1, 10.0, 10.0, 100, 1), (7, 10.1, 10.0, 300, -1), (12, 10.3, 4.0, 25, 1), (18, 9.9, 10.0, 50, 1)]
    flow = interval_flow(*columns(trades), 0, 30, 10)
    assert flow.midpoint_change.tolist() == pytest.approx([0.1, -0.2])
    assert flow.log_return.tolist() == pytest.approx([math.log(10.1 / 10.0), math.log(9.9 / 10.1)])
    assert flow.signed_shares.tolist() == [100.0, -275.0]
    assert flow.signed_root_dollars.tolist() == pytest.approx([math.sqrt(1000), 10 - math.sqrt(3000)])


def test_an_interval_without_a_quote_hands_its_flow_to_the_next() -> None:
    trades = [(1, 10.0, 10.0, 100, 1), (5, 10.1, 10.0, 10, 1), (15, NAN, 10.0, 7, -1), (25, 10.4, 10.0, 9, 1)]
    flow = interval_flow(*columns(trades), 0, 30, 10)
    assert flow.midpoint_change.tolist() == pytest.approx([0.1, 0.3])
    assert flow.signed_shares.tolist() == [100.0, 3.0]


def test_a_closing_print_belongs_to_the_last_interval_and_has_no_side() -> None:
    trades = [(1, 10.0, 10.0, 100, 1), (25, 10.1, 10.0, 10, 1), (31, 10.2, 10.0, 10_000, 0)]
    flow = interval_flow(*columns(trades), 0, 30, 10)
    assert flow.midpoint_change.tolist() == pytest.approx([0.2])
    assert flow.signed_shares.tolist() == [110.0]


@pytest.mark.parametrize("trades", [[], [(1, 10.0, 10.0, 1, 1)], [(1, NAN, 10.0, 1, 1), (2, NAN, 10.0, 1, 1)]])
def test_without_two_quotes_there_is_no_change_and_no_lambda(trades: list[tuple[int, float, float, int, int]]) -> None:
    empty = tuple(np.zeros(0, dtype=kind) for kind in (np.int64, np.float64, np.float64, np.uint32, np.int8))
    flow = interval_flow(*(columns(trades) if trades else empty), 0, 30, 10)
    assert len(flow.midpoint_change) == 0
    fit = kyle_lambda(flow)
    assert fit.n == 0
    assert math.isnan(fit.slope)
    assert math.isnan(kyle_lambda_sqrt_dollar(flow).slope)


@pytest.mark.parametrize(("end", "length"), [(0, 10), (30, 0)])
def test_a_session_without_extent_is_refused(end: int, length: int) -> None:
    with pytest.raises(ValueError, match="intervals"):
        interval_flow(*columns([(1, 10.0, 10.0, 1, 1)]), 0, end, length)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("length", [SECOND, 50 * SECOND, 300 * SECOND, 400 * SECOND])
def test_interval_flow_equals_its_plain_twin(seed: int, length: int) -> None:
    day = random_session(seed)
    ticks = (day.timestamps, day.midpoint, day.price, day.size, day.sign)
    flow = interval_flow(*ticks, day.start, day.end, length)
    rows = oracle.interval_flow(*(column.tolist() for column in ticks), day.start, day.end, length)
    found = np.column_stack([flow.midpoint_change, flow.log_return, flow.signed_shares, flow.signed_root_dollars])
    np.testing.assert_allclose(found, np.array(rows).reshape(-1, 4), rtol=1e-9, atol=1e-9)


def simulated_day(
    impact: float, seed: int, trades: int = 20_000, noise: float = 2e-4, root: bool = False
) -> tuple[Any, ...]:
    """A session of 390 minutes in which each trade moves the midpoint by its signed size, or root of its dollars."""
    rng = np.random.default_rng(seed)
    timestamps = np.sort(rng.integers(0, 390 * MINUTE, trades))
    sign = rng.choice([-1, 1], trades).astype(np.int8)
    size = rng.integers(1, 1000, trades).astype(np.uint32)
    price = np.full(trades, 100.0)
    signed = sign * (np.sqrt(price * size) if root else size.astype(np.float64))
    moves = impact * signed + rng.normal(0, noise, trades)
    before = np.concatenate([[0.0], np.cumsum(moves)[:-1]])
    midpoint = 100.0 * np.exp(before) if root else 100.0 + before
    return timestamps, midpoint, price, size, sign, 0, 390 * MINUTE


@pytest.mark.parametrize("true", [2e-6, -1e-6, 0.0])
def test_kyle_lambda_recovers_a_known_impact_and_gives_zero_for_none(true: float) -> None:
    # slope / t is the standard error: the distance from the truth, in standard errors, is Student t with 76 d.o.f.
    distances = []
    for seed in range(10):
        fit = kyle_lambda(interval_flow(*simulated_day(true, seed)))
        assert fit.n == 78
        distances.append((fit.slope - true * 1e6) / (fit.slope / fit.t_statistic))
    assert max(np.abs(distances)) < 3.5
    assert abs(np.mean(distances)) < 1.2


def test_kyle_lambda_is_given_per_million_shares() -> None:
    fit = kyle_lambda(interval_flow(*simulated_day(2e-6, 0, noise=0.0)))
    assert fit.slope == pytest.approx(2.0)
    assert fit.r_squared == pytest.approx(1.0)


def test_one_trade_in_each_interval_still_shows_its_impact() -> None:
    # Paired with the interval of the trade itself, the change would belong to the trade before: lambda 0.
    rng = np.random.default_rng(5)
    sign = rng.choice([-1, 1], 78).astype(np.int8)
    size = rng.integers(100, 1000, 78).astype(np.uint32)
    midpoint = 50.0 + 1e-6 * np.concatenate([[0.0], np.cumsum(sign * size.astype(np.float64))[:-1]])
    timestamps = (np.arange(78) * 5 + 2) * MINUTE
    fit = kyle_lambda(interval_flow(timestamps, midpoint, np.full(78, 50.0), size, sign, 0, 390 * MINUTE))
    assert fit.slope == pytest.approx(1.0)


@pytest.mark.parametrize("true", [3e-8, 0.0])
def test_the_square_root_form_recovers_a_known_impact_on_signed_root_dollars(true: float) -> None:
    distances = []
    for seed in range(10):
        fit = kyle_lambda_sqrt_dollar(interval_flow(*simulated_day(true, seed, noise=2e-6, root=True)))
        distances.append((fit.slope - true * 1e6) / (fit.slope / fit.t_statistic))
    assert max(np.abs(distances)) < 3.5
    assert abs(np.mean(distances)) < 1.2


def test_flow_on_one_side_leaves_a_drift_in_the_intercept_not_in_lambda() -> None:
    # No impact, midpoint rising 1 cent in every interval, buys of varying size only.
    rng = np.random.default_rng(6)
    timestamps = (np.arange(79) * 5 - 1) * MINUTE
    timestamps[0] = 0
    size = rng.integers(100, 1000, 79).astype(np.uint32)
    price = np.full(79, 50.0)
    fit = kyle_lambda(
        interval_flow(timestamps, 50 + 0.01 * np.arange(79), price, size, np.ones(79, np.int8), 0, 390 * MINUTE)
    )
    assert fit.intercept == pytest.approx(0.01)
    assert fit.slope == pytest.approx(0.0, abs=1e-6)


def test_mean_impact_leaves_out_unknown_and_unchosen_trades() -> None:
    impact = np.array([1.0, NAN, 4.0, -2.0])
    assert mean_impact(impact).bps == 1.0
    assert mean_impact(impact).n == 3
    assert mean_impact(impact, np.array([False, True, True, False])).bps == 4.0
    assert permanent_impact_estimate(impact, np.array([True, True, False, True])).bps == -0.5


@pytest.mark.parametrize("impact", [np.zeros(0), np.array([NAN])])
def test_without_a_known_impact_there_is_no_mean(impact: np.ndarray) -> None:
    found = mean_impact(impact)
    assert math.isnan(found.bps)
    assert found.n == 0


def test_a_choice_of_none_is_not_a_choice_of_all() -> None:
    assert mean_impact(np.array([1.0, 2.0]), np.zeros(2, dtype=np.bool_)).n == 0
    with pytest.raises(ValueError, match="2 impacts but 0 choices"):
        mean_impact(np.array([1.0, 2.0]), np.zeros(0, dtype=np.bool_))

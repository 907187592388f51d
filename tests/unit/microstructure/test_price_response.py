"""Cumulative response, decay and resilience: by hand, against plain twins, and on processes with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.price_response import (
    RECOVERY_NS,
    RESTORED_SPREAD,
    WIDE_SPREAD,
    cumulative_impact_bps,
    resilience_score,
    temporary_impact_halflife,
)
from tests.oracles import price_response as oracle
from tests.unit.microstructure.random_session import SECOND, random_session

NAN = math.nan
FAR = 10**6 * SECOND


def random_sides(n: int, seed: int, repeat: float = 0.5) -> NDArray[np.int8]:
    """Signs of which each equals the one before with probability ``repeat``."""
    rng = np.random.default_rng(seed)
    turns = np.where(rng.random(n) < repeat, 1, -1)
    return np.cumprod(turns).astype(np.int8)


def quotes_after(moves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Midpoint at each trade when the log midpoint moves by ``moves`` after it."""
    return 100.0 * np.exp(np.concatenate([[0.0], np.cumsum(moves)[:-1]]))


# -- cumulative response -------------------------------------------------------


def test_a_lasting_impact_of_one_basis_point_is_found() -> None:
    sides = random_sides(50_000, 0)
    moves = 1e-4 * sides + np.random.default_rng(1).normal(0, 2e-4, len(sides))
    # Standard error of b_0: 2 bps / √50,000 = 0.009 bps; that of the ten lagged coefficients together 0.04.
    assert cumulative_impact_bps(quotes_after(moves), sides) == pytest.approx(1.0, abs=0.12)


def test_an_impact_that_is_taken_back_at_the_next_trade_sums_to_zero() -> None:
    sides = random_sides(50_000, 2)
    moves = 1e-4 * (sides - np.concatenate([[0], sides[:-1]]))
    moves += np.random.default_rng(3).normal(0, 1e-4, len(sides))
    assert cumulative_impact_bps(quotes_after(moves), sides) == pytest.approx(0.0, abs=0.08)


def test_trades_that_follow_a_trade_add_their_impact_to_it() -> None:
    # Repeat with probability 0.75: E[x_(t+k) | surprise 1] = 0.5^k, so the response is 1 bp · (1 + 0.5 + …) = 2 bps.
    sides = random_sides(50_000, 4, repeat=0.75)
    moves = 1e-4 * sides + np.random.default_rng(5).normal(0, 1e-4, len(sides))
    assert cumulative_impact_bps(quotes_after(moves), sides) == pytest.approx(2.0, abs=0.2)


def test_trades_without_impact_have_no_response() -> None:
    sides = random_sides(50_000, 6)
    moves = np.random.default_rng(7).normal(0, 1e-4, len(sides))
    assert cumulative_impact_bps(quotes_after(moves), sides) == pytest.approx(0.0, abs=0.06)
    assert cumulative_impact_bps(np.full(500, 10.0), random_sides(500, 8)) == 0.0


@pytest.mark.parametrize("lags", [1, 2, 5])
@pytest.mark.parametrize("seed", range(4))
def test_the_response_equals_one_surprise_run_through_both_equations(seed: int, lags: int) -> None:
    rng = np.random.default_rng(seed)
    n = 400
    sides = random_sides(n, seed, repeat=0.6)
    moves = 1e-4 * sides - 3e-5 * np.roll(sides, 1) + rng.normal(0, 1e-4, n)
    midpoint = np.where(rng.random(n) < 0.1, NAN, quotes_after(moves))
    sides[rng.random(n) < 0.1] = 0
    expected = oracle.cumulative_impact_bps(midpoint.tolist(), sides.tolist(), lags)
    assert cumulative_impact_bps(midpoint, sides, lags=lags) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    "sides",
    [np.ones(1000, dtype=np.int8), np.array([1, -1] * 500, dtype=np.int8), random_sides(200, 0), np.zeros(0, np.int8)],
    ids=["one side", "foreseeable", "few", "none"],
)
def test_without_enough_unexpected_trades_there_is_no_response(sides: NDArray[np.int8]) -> None:
    midpoint = 100 + np.cumsum(np.random.default_rng(0).normal(0, 0.01, len(sides)))
    assert math.isnan(cumulative_impact_bps(midpoint, sides))


# -- decay ---------------------------------------------------------------------


def test_the_halflife_is_when_the_mean_path_is_back_at_half_its_peak() -> None:
    # A buy and a sale of 100.00; paths in bps at 1, 2, 3, 4 s: 10 20 14 2 and 10 20 12 12: means 10 20 13 7.
    buy = [100.0, 100.1, 100.2, 100.14, 100.02]
    sale = [100.0, 99.9, 99.8, 99.88, 99.88]
    timestamps = np.array([*range(5), *range(1000, 1005)]) * SECOND
    sign = np.array([1, 0, 0, 0, 0, -1, 0, 0, 0, 0], dtype=np.int8)
    decay = temporary_impact_halflife(timestamps, np.array(buy + sale), sign, sign != 0, FAR)
    assert (decay.halflife_s, decay.peak_s, decay.n) == (4.0, 2.0, 2)
    assert decay.peak_bps == pytest.approx(20.0)
    assert decay.path_bps[:6].tolist() == pytest.approx([0.0, 10.0, 20.0, 13.0, 7.0, 7.0])
    assert len(decay.path_bps) == 301


def test_exponential_decay_has_the_halflife_of_its_rate() -> None:
    # 10 bps · 2^(−s/40) after each of 20 trades an hour apart: half after 40 s, counted from the jump at 1 s.
    after = np.arange(1, 301)
    one = np.concatenate([[100.0], 100.0 * (1 + 1e-3 * 0.5 ** ((after - 1) / 40))])
    timestamps = np.concatenate([k * 3600 + np.arange(301) for k in range(20)]) * SECOND
    sign = np.zeros(20 * 301, dtype=np.int8)
    sign[::301] = 1
    decay = temporary_impact_halflife(timestamps, np.tile(one, 20), sign, sign != 0, FAR)
    assert (decay.peak_s, decay.halflife_s) == (1.0, 41.0)


def test_an_impact_that_stays_has_no_halflife() -> None:
    decay = temporary_impact_halflife(
        np.array([0, 1]) * SECOND, np.array([100.0, 100.1]), np.ones(2, np.int8), np.array([True, False]), FAR
    )
    assert math.isnan(decay.halflife_s)
    assert decay.peak_bps == pytest.approx(10.0)


def test_a_price_that_moves_against_the_trade_has_no_peak() -> None:
    decay = temporary_impact_halflife(
        np.array([0, 1]) * SECOND, np.array([100.0, 99.9]), np.ones(2, np.int8), np.array([True, False]), FAR
    )
    assert math.isnan(decay.halflife_s)
    assert math.isnan(decay.peak_bps)
    assert decay.n == 1


@pytest.mark.parametrize(("end", "n"), [(300 * SECOND, 1), (300 * SECOND - 1, 0)])
def test_a_trade_counts_when_its_whole_path_is_before_the_close(end: int, n: int) -> None:
    decay = temporary_impact_halflife(
        np.array([0, 1, 9]) * SECOND, np.array([10.0, 10.1, 10.0]), np.ones(3, np.int8), np.array([True, False, False]),
        end,
    )  # fmt: skip
    assert decay.n == n
    assert math.isnan(decay.halflife_s) == (n == 0)


@pytest.mark.parametrize("end", [0, -5, FAR])
def test_without_ticks_or_quotes_there_is_no_path(end: int) -> None:
    none = np.zeros(0, dtype=np.int64)
    for times, midpoint in ((none, np.zeros(0)), (np.array([5, 6]), np.full(2, NAN))):
        ones = np.ones(len(times))
        decay = temporary_impact_halflife(times, midpoint, ones.astype(np.int8), ones.astype(np.bool_), end)
        assert decay.n == 0
        assert math.isnan(decay.halflife_s)
        assert np.isnan(decay.path_bps).all()


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("seconds", [20, 200])
def test_the_path_equals_its_plain_twin(seed: int, seconds: int) -> None:
    day = random_session(seed, 120)
    ticks = (day.timestamps, day.midpoint, day.sign, day.chosen)
    decay = temporary_impact_halflife(*ticks, day.end, seconds=seconds)
    path, n = oracle.signed_path(*(column.tolist() for column in ticks), day.end, seconds)
    assert decay.n == n > 0
    np.testing.assert_allclose(decay.path_bps, path, rtol=1e-9, atol=1e-9)


# -- resilience ----------------------------------------------------------------


def resilience(quotes: list[tuple[float, float]], end: int = FAR) -> tuple[float, int, int, int]:
    times, spreads = zip(*quotes, strict=True)
    found = resilience_score(np.array([round(t * SECOND) for t in times]), np.array(spreads), 0.01, end)
    return found.score, found.widenings, found.restored, found.unobserved


def test_a_spread_back_after_exactly_ten_seconds_is_restored_and_one_later_is_not() -> None:
    assert resilience([(0, 0.03), (10, 0.011), (20, 0.03), (29, 0.012), (30.5, 0.01)]) == (50.0, 2, 1, 0)


def test_twice_the_median_is_not_wide() -> None:
    # 1.02 − 1.00 is a bit more than twice 0.01 in binary, as spreads of decimal quotes may be.
    assert 1.02 - 1.00 > 2 * 0.01
    assert resilience([(0, 1.02 - 1.00), (1, 0.01)])[1] == 0


def test_a_spread_that_stays_wide_is_one_widening() -> None:
    assert resilience([(0, 0.03), (4, 0.02), (5, 0.05), (50, 0.04), (60, 0.01)])[1:] == (1, 0, 0)


def test_a_widening_that_nobody_saw_end_is_not_judged() -> None:
    # No quote for 40 seconds, then one that is narrow: it may have come back in one second, or in 39.
    assert resilience([(0, 0.03), (40, 0.01), (50, 0.03), (53, 0.01)]) == (100.0, 2, 1, 1)


def test_a_widening_just_before_the_close_is_not_judged() -> None:
    score, widenings, restored, unobserved = resilience([(0, 0.03), (2, 0.03)], end=5 * SECOND)
    assert math.isnan(score)
    assert (widenings, restored, unobserved) == (1, 0, 1)


@pytest.mark.parametrize("median", [NAN, 0.0, -0.01])
def test_without_a_positive_median_nothing_is_wide(median: float) -> None:
    found = resilience_score(np.array([0, 1]), np.array([0.03, 0.01]), median, FAR)
    assert math.isnan(found.score)
    assert found.widenings == 0


def test_without_quotes_there_is_no_score() -> None:
    assert math.isnan(resilience_score(np.zeros(0, np.int64), np.zeros(0), 0.01, FAR).score)
    assert math.isnan(resilience_score(np.arange(3), np.full(3, NAN), 0.01, FAR).score)


@pytest.mark.parametrize("seed", range(30))
def test_widenings_equal_their_plain_twin(seed: int) -> None:
    day = random_session(seed)
    found = resilience_score(day.timestamps, day.spread, 0.01, day.end)
    wide, restored = 0.01 * WIDE_SPREAD + 1e-9, 0.01 * RESTORED_SPREAD + 1e-9
    expected = oracle.resilience(day.timestamps.tolist(), day.spread.tolist(), wide, restored, RECOVERY_NS, day.end)
    assert (found.widenings, found.restored, found.unobserved) == expected

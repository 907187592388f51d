"""A symbol against another and against its own earlier dates: by hand, and against the plain twin."""

from __future__ import annotations

import numpy as np
import pytest

from fuzzy_pipeline.rankings.pair_correlations import CONSTANT_RETURNS, pair_correlations
from fuzzy_pipeline.rankings.relations import SymbolDay, co_movement, latest_mean, no_relation, ratio, relation
from tests.oracles import rankings as oracle

NAN = np.nan


def day(symbol: str, returns: np.ndarray, spread: float = 2.0, volume: float = 100.0, vol: float = 0.01) -> SymbolDay:
    return SymbolDay(symbol, returns, median_spread=spread, volume=volume, realised_volatility=vol)


# -- correlation and beta --------------------------------------------------------


def test_beta_is_the_slope_on_the_reference() -> None:
    # Deviations (−2, −1, 3) on (−1, 0, 1): slope 5/2; the other way round 5/14.
    own, reference = np.array([1.0, 2.0, 6.0]), np.array([0.0, 1.0, 2.0])
    assert co_movement(own, reference, minimum_returns=3).beta == pytest.approx(2.5)
    assert co_movement(reference, own, minimum_returns=3).beta == pytest.approx(5 / 14)


def test_a_return_of_twice_the_reference_has_beta_two_and_correlation_one() -> None:
    reference = np.sin(np.arange(78.0)) * 1e-3
    found = co_movement(2 * reference + 1e-5, reference)
    assert (found.beta, found.correlation, found.n) == (pytest.approx(2), pytest.approx(1), 78)


def test_nineteen_common_returns_are_too_few_and_twenty_are_enough() -> None:
    own, reference = np.arange(78.0), np.arange(78.0) ** 2
    own[20:], reference[0] = NAN, NAN
    few = co_movement(own, reference)
    assert few.n == 19
    assert np.isnan([few.correlation, few.beta]).all()
    reference[0] = 0.0
    enough = co_movement(own, reference)
    assert enough.n == 20
    assert not np.isnan([enough.correlation, enough.beta]).any()


def test_a_symbol_that_never_moves_has_beta_zero_and_no_correlation() -> None:
    found = co_movement(np.full(30, 0.1), np.arange(30.0))
    assert found.beta == 0.0
    assert np.isnan(found.correlation)


def test_against_a_reference_that_never_moves_there_is_neither() -> None:
    found = co_movement(np.arange(30.0), np.full(30, 0.1))
    assert np.isnan([found.correlation, found.beta]).all()
    assert found.n == 30


@pytest.mark.parametrize("seed", range(20))
def test_correlation_and_beta_equal_the_plain_twin_and_those_of_the_pair(seed: int) -> None:
    random = np.random.default_rng(seed)
    reference = random.normal(size=78) * 1e-3
    own = random.uniform(-2, 2) * reference + random.normal(size=78) * 1e-3
    for values in (own, reference):
        values[random.random(78) < 0.3] = NAN
    found = co_movement(own, reference)
    correlation, beta, n = oracle.co_movement(own.tolist(), reference.tolist(), 20)
    assert (found.correlation, found.beta) == (pytest.approx(correlation, abs=1e-12), pytest.approx(beta, abs=1e-12))
    assert found.n == n
    pair = pair_correlations(["A", "B"], np.array([own, reference]))
    assert (pair.correlation[0], pair.n[0]) == (pytest.approx(found.correlation, abs=1e-12), n)


# -- ratios and earlier dates ----------------------------------------------------


def test_a_ratio_needs_both_values_and_a_reference_above_zero() -> None:
    found = ratio(np.array([6.0, 0.0, 6.0, 6.0, NAN]), np.array([3.0, 3.0, 0.0, NAN, 3.0]))
    np.testing.assert_array_equal(found, [2.0, 0.0, NAN, NAN, NAN])


def test_the_mean_is_of_the_last_known_values_and_of_no_fewer() -> None:
    earlier = np.array([[100.0, NAN, 1.0], [2.0, NAN, 2.0], [4.0, 5.0, NAN], [NAN, 6.0, NAN]])
    np.testing.assert_array_equal(latest_mean(earlier, 2), [3.0, 5.5, 1.5])
    np.testing.assert_array_equal(latest_mean(earlier, 3), [106 / 3, NAN, NAN])


def test_twenty_dates_are_the_default() -> None:
    assert np.isnan(latest_mean(np.ones((19, 1)))[0])
    assert latest_mean(np.arange(21.0)[:, None])[0] == 10.5  # 1 to 20: the oldest date is not among them


def test_without_earlier_dates_there_is_no_mean() -> None:
    np.testing.assert_array_equal(latest_mean(np.empty((0, 3))), [NAN] * 3)


def test_a_mean_of_no_date_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one date"):
        latest_mean(np.ones((3, 1)), 0)


@pytest.mark.parametrize("seed", range(10))
def test_means_equal_the_plain_twin(seed: int) -> None:
    random = np.random.default_rng(seed)
    earlier = random.uniform(1, 9, (40, 30))
    earlier[random.random((40, 30)) < random.uniform(0, 0.9, 30)] = NAN
    expected = [oracle.latest_mean(column.tolist(), 20) for column in earlier.T]
    np.testing.assert_allclose(latest_mean(earlier), expected, rtol=1e-14)
    assert 0 < np.isnan(expected).sum() < 30


# -- records ---------------------------------------------------------------------


def test_a_relation_has_the_ratios_of_own_to_other() -> None:
    own = day("KO", np.arange(30.0), spread=4.0, volume=3e6, vol=0.009)
    found, reasons = relation(own, day("SPY", np.arange(30.0) * 2, spread=0.5, volume=6e7, vol=0.006))
    assert (found.symbol, found.n) == ("SPY", 30)
    assert (found.spread_ratio, found.volume_ratio, found.volatility_ratio) == (8.0, 0.05, pytest.approx(1.5))
    assert (found.correlation, found.beta) == (pytest.approx(1), pytest.approx(0.5))
    assert reasons == {}


def test_a_symbol_against_itself_is_one_throughout() -> None:
    spy = day("SPY", np.arange(30.0))
    found, _ = relation(spy, spy)
    assert found.model_dump() == pytest.approx(
        {"symbol": "SPY", "n": 30, "correlation": 1, "beta": 1, "spread_ratio": 1, "volume_ratio": 1,
         "volatility_ratio": 1}
    )  # fmt: skip


def test_too_few_returns_leave_the_ratios() -> None:
    found, reasons = relation(day("KO", np.arange(19.0)), day("SPY", np.arange(19.0)))
    too_few = "fewer than 20 common 5-minute returns"
    assert reasons == {"correlation": too_few, "beta": too_few}
    assert (found.n, found.spread_ratio) == (19, 1.0)


def test_each_null_names_the_symbol_it_is_due_to() -> None:
    own = day("KO", np.zeros(30), spread=NAN, volume=3.0, vol=0.01)
    found, reasons = relation(own, day("SPY", np.arange(30.0), spread=1.0, volume=0.0, vol=NAN))
    assert reasons == {
        "correlation": CONSTANT_RETURNS,
        "spread_ratio": "median_spread of KO is not known",
        "volume_ratio": "volume of SPY is not above 0",
        "volatility_ratio": "realised_volatility of SPY is not known",
    }
    assert found.beta == 0.0


def test_a_symbol_that_cannot_be_compared_has_one_reason_for_every_null() -> None:
    found, reasons = no_relation(None, "why")
    nulls = {name for name, value in found.model_dump().items() if value is None}
    assert (
        nulls == set(reasons) == {"symbol", "correlation", "beta", "spread_ratio", "volume_ratio", "volatility_ratio"}
    )
    assert set(reasons.values()) == {"why"}

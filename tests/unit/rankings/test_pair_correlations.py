"""Correlations of pairs: by hand, against the plain twin and pandas, and where they are not determined."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fuzzy_pipeline.microstructure.noise import log_returns
from fuzzy_pipeline.rankings.pair_correlations import (
    CONSTANT_RETURNS,
    PairCorrelations,
    correlation_matrix,
    interval_prices,
    pair_correlations,
    pair_table,
)
from fuzzy_pipeline.schema.rankings import PairCorrelation
from fuzzy_pipeline.schema.records import arrow_schema_of, from_table
from tests.oracles import rankings as oracle

NAN = np.nan
DATE = dt.date(2024, 5, 6)


def market(seed: int, symbols: int, times: int, unknown: float = 0.1) -> dict[str, np.ndarray]:
    """Returns with a common factor; a share of them unknown, every fifth symbol trading in few price steps."""
    random = np.random.default_rng(seed)
    factor = random.normal(size=times)
    found = {}
    for number in range(symbols):
        returns = 1e-3 * (random.uniform(-1, 2) * factor + random.normal(size=times)) + random.normal() * 1e-4
        if number % 5 == 0:
            returns = np.round(returns, 3)
        returns[random.random(times) < unknown * random.uniform(0, 2)] = NAN
        found[f"S{number:03d}"] = returns
    return found


def pairs_of(returns: dict[str, Any], minimum: int = 20) -> PairCorrelations:
    return pair_correlations(list(returns), np.array([returns[name] for name in returns]), minimum_returns=minimum)


def by_name(pairs: PairCorrelations) -> dict[tuple[str, str], tuple[float, int]]:
    return {
        (pairs.symbols[a], pairs.symbols[b]): (value, n)
        for a, b, value, n in zip(
            pairs.first.tolist(), pairs.second.tolist(), pairs.correlation.tolist(), pairs.n.tolist(), strict=True
        )
    }


# -- values ---------------------------------------------------------------------


def test_only_returns_that_both_have_count() -> None:
    # Common: (1, 2, 6) and (0, 1, 2). Deviations (−2, −1, 3) and (−1, 0, 1): 5 / √(14·2).
    found = by_name(pairs_of({"A": [1, 2, NAN, 6, 50], "B": [0, 1, 9, 2, NAN]}, 3))
    assert found["A", "B"] == (pytest.approx(5 / 28**0.5, abs=1e-15), 3)


def test_pairs_are_named_in_alphabetical_order_each_once() -> None:
    returns = {name: np.arange(4.0) ** (1 + row) for row, name in enumerate(["MSFT", "AAPL", "BRK.B", "BRK"])}
    assert list(by_name(pairs_of(returns, 3))) == [
        ("AAPL", "BRK"), ("AAPL", "BRK.B"), ("AAPL", "MSFT"), ("BRK", "BRK.B"), ("BRK", "MSFT"), ("BRK.B", "MSFT"),
    ]  # fmt: skip


def test_returns_that_are_a_multiple_of_each_other_have_correlation_one_exactly_at_most() -> None:
    own = np.array([0.1, -0.3, 0.7, 0.2, 1e-4])
    found = by_name(pairs_of({"A": own, "B": 3 * own, "C": -own / 7}, 3))
    values = [value for value, _ in found.values()]
    assert values == pytest.approx([1, -1, -1], abs=1e-15)
    assert max(map(abs, values)) <= 1


@pytest.mark.parametrize("seed", range(8))
def test_correlations_equal_the_plain_twin(seed: int) -> None:
    returns = market(seed, 14, 30, unknown=0.25)
    expected = oracle.pair_correlations({name: values.tolist() for name, values in returns.items()}, 20)
    found = by_name(pairs_of(returns))
    assert list(found) == list(expected)
    assert [n for _, n in found.values()] == [n for _, n in expected.values()]
    np.testing.assert_allclose([c for c, _ in found.values()], [c for c, _ in expected.values()], rtol=0, atol=1e-12)
    assert 0 < sum(np.isnan(value) for value, _ in found.values()) < len(found)


@pytest.mark.parametrize("seed", range(3))
def test_correlations_equal_those_of_pandas(seed: int) -> None:
    returns = market(seed, 60, 78)
    pairs = pairs_of(returns)
    theirs = pd.DataFrame(returns).corr(min_periods=20).to_numpy()
    np.testing.assert_allclose(pairs.correlation, theirs[pairs.first, pairs.second], rtol=0, atol=1e-12)


def test_other_symbols_and_their_order_change_no_bit() -> None:
    returns = market(5, 70, 78)
    chosen = np.random.default_rng(5).permutation(list(returns))[:41]
    everything, some = by_name(pairs_of(returns)), by_name(pairs_of({name: returns[name] for name in chosen}))
    assert len(some) == 41 * 40 // 2
    assert {pair: everything[pair] for pair in some} == some


# -- where a correlation is not determined ---------------------------------------


def test_fewer_common_returns_than_the_minimum_give_null_with_their_number() -> None:
    own, other = np.arange(25.0), np.arange(25.0) ** 2
    other[:6] = NAN
    assert by_name(pairs_of({"A": own, "B": other}, 19))["A", "B"][0] == pytest.approx(0.98, abs=0.02)
    value, n = by_name(pairs_of({"A": own, "B": other}, 20))["A", "B"]
    assert np.isnan(value)
    assert n == 19


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e-5, 1e9 / 3])
def test_returns_that_are_all_equal_have_no_correlation(constant: float) -> None:
    value, n = by_name(pairs_of({"A": np.full(30, constant), "B": np.arange(30.0)}))["A", "B"]
    assert np.isnan(value)
    assert n == 30


@pytest.mark.parametrize("elsewhere", [1.0, 1e-3, 1e6])
def test_returns_that_are_equal_where_both_are_known_have_no_correlation(elsewhere: float) -> None:
    """The symbol moves, but not where the other is known: rounding must not make a correlation of that."""
    own, other = np.full(30, 0.1), np.random.default_rng(1).normal(size=30)
    own[7], other[7] = elsewhere, NAN
    assert np.isnan(by_name(pairs_of({"A": own, "B": other}))["A", "B"][0])
    assert np.isnan(by_name(pairs_of({"A": other, "B": own}))["A", "B"][0])


@pytest.mark.parametrize("offset", [1e2, 1e5])
def test_an_outlier_where_the_other_is_unknown_costs_no_digits(offset: float) -> None:
    returns = market(3, 2, 40, unknown=0)
    own, other = returns["S000"], returns["S001"]
    own[7], other[7] = offset, NAN
    expected, _, _ = oracle.co_movement(own.tolist(), other.tolist(), 20)
    assert by_name(pairs_of({"A": own, "B": other}))["A", "B"][0] == pytest.approx(expected, abs=1e-12)


def test_symbols_without_any_return_have_null_pairs() -> None:
    found = by_name(pairs_of({"A": np.full(30, NAN), "B": np.arange(30.0), "C": np.full(30, NAN)}))
    assert [n for _, n in found.values()] == [0, 0, 0]
    assert np.isnan([value for value, _ in found.values()]).all()


@pytest.mark.parametrize("symbols", [[], ["A"]])
def test_fewer_than_two_symbols_have_no_pair(symbols: list[str]) -> None:
    assert len(pair_correlations(symbols, np.ones((len(symbols), 78)))) == 0
    assert len(pair_table(pair_correlations(symbols, np.ones((len(symbols), 78))), DATE)) == 0


@pytest.mark.parametrize(
    ("symbols", "returns", "minimum", "message"),
    [
        (["A", "A"], np.ones((2, 30)), 20, "1 different"),
        (["A", "B"], np.ones((3, 30)), 20, "2 symbols"),
        (["A", "B"], np.ones(2), 20, "shape"),
        (["A", "B"], np.ones((2, 30)), 2, "3 returns"),
        (["A", "B"], np.array([[1.0, 2.0], [1.0, np.inf]]), 3, r"infinite returns: \['B'\]"),
    ],
)
def test_returns_that_do_not_fit_are_refused(
    symbols: list[str], returns: np.ndarray, minimum: int, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        pair_correlations(symbols, returns, minimum_returns=minimum)


# -- forms ----------------------------------------------------------------------


def test_rows_say_why_a_correlation_is_null() -> None:
    returns = {"C": np.full(30, 0.1), "A": np.arange(30.0), "B": np.r_[np.full(11, NAN), np.arange(19.0)]}
    rows = from_table(pair_table(pairs_of(returns), DATE), PairCorrelation)
    assert [(row.symbol_a, row.symbol_b, row.n, row.correlation, row.null_reason) for row in rows] == [
        ("A", "B", 19, None, "fewer than 20 common 5-minute returns"),
        ("A", "C", 30, None, CONSTANT_RETURNS),
        ("B", "C", 19, None, "fewer than 20 common 5-minute returns"),
    ]
    assert {row.date for row in rows} == {DATE}


def test_a_known_correlation_has_no_reason_in_its_row() -> None:
    table = pair_table(pairs_of({"A": np.arange(30.0), "B": -np.arange(30.0)}), DATE)
    assert table.schema.equals(arrow_schema_of(PairCorrelation), check_metadata=True)
    (row,) = from_table(table, PairCorrelation)
    assert row.correlation == pytest.approx(-1)
    assert row.null_reason is None


def test_the_matrix_is_symmetric_with_ones_where_a_symbol_has_any_correlation() -> None:
    returns = {"B": np.arange(30.0), "A": np.arange(30.0) ** 2, "C": np.zeros(30)}
    matrix = correlation_matrix(pairs_of(returns))
    theirs = pd.DataFrame({name: returns[name] for name in sorted(returns)}).corr(min_periods=20).to_numpy()
    np.testing.assert_allclose(matrix, theirs, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(matrix, matrix.T)


# -- prices on a grid -----------------------------------------------------------


def bars(rows: dict[int, tuple[float, float]], qualified: list[int] | None = None) -> dict[str, np.ndarray]:
    return {
        "bar_start": np.array(list(rows), dtype=np.int64).view("datetime64[ns]"),
        "open": np.array([opening for opening, _ in rows.values()]),
        "close": np.array([close for _, close in rows.values()]),
        "qualified_tick_count": np.array(qualified or [1] * len(rows), dtype=np.uint32),
    }


def test_the_first_return_runs_from_the_open_and_the_others_from_close_to_close() -> None:
    prices = interval_prices(bars({100: (10.0, 11.0), 110: (50.0, 22.0)}), 100, 120, 10)
    assert prices.tolist() == [10.0, 11.0, 22.0]
    assert log_returns(prices) == pytest.approx(np.log([1.1, 2.0]))


def test_an_interval_without_a_bar_leaves_two_returns_unknown() -> None:
    prices = interval_prices(bars({0: (10.0, 11.0), 20: (12.0, 13.0), 30: (13.0, 14.0)}), 0, 40, 10)
    np.testing.assert_array_equal(prices, [10.0, 11.0, NAN, 13.0, 14.0])
    assert np.isnan(log_returns(prices)).tolist() == [False, True, True, False]


def test_a_bar_filled_with_the_previous_close_counts_as_absent() -> None:
    prices = interval_prices(bars({0: (10.0, 11.0), 10: (11.0, 11.0), 20: (12.0, 13.0)}, [5, 0, 1]), 0, 30, 10)
    np.testing.assert_array_equal(prices, [10.0, 11.0, NAN, 13.0])


def test_a_symbol_that_starts_late_has_its_open_before_its_first_interval() -> None:
    np.testing.assert_array_equal(interval_prices(bars({20: (5.0, 6.0)}), 0, 30, 10), [NAN, NAN, 5.0, 6.0])


def test_a_session_that_does_not_divide_has_a_short_last_interval() -> None:
    assert interval_prices(bars({0: (1.0, 2.0), 10: (2.0, 3.0), 20: (3.0, 4.0)}), 0, 25, 10).tolist() == [1, 2, 3, 4]


def test_a_symbol_without_bars_has_no_price() -> None:
    np.testing.assert_array_equal(interval_prices(bars({}), 0, 30, 10), [NAN] * 4)


@pytest.mark.parametrize("seed", range(10))
def test_grid_prices_equal_the_plain_twin(seed: int) -> None:
    random = np.random.default_rng(seed)
    marks = list(range(1000, 1000 + 79 * 300, 300))
    rows = {mark: tuple(random.uniform(9, 11, 2)) for mark in marks[:-1] if random.random() < 0.6}
    np.testing.assert_array_equal(
        interval_prices(bars(rows), marks[0], marks[-1], 300), oracle.interval_prices(rows, marks)
    )


@pytest.mark.parametrize(
    ("starts", "end", "step"),
    [([5], 30, 10), ([-10], 30, 10), ([30], 30, 10), ([10, 0], 30, 10), ([10, 10], 30, 10), ([0], 0, 10), ([0], 30, 0)],
)
def test_bars_that_are_not_of_the_grid_are_refused(starts: list[int], end: int, step: int) -> None:
    rows = {
        "bar_start": np.array(starts, dtype=np.int64).view("datetime64[ns]"),
        "open": np.ones(len(starts)), "close": np.ones(len(starts)),
        "qualified_tick_count": np.ones(len(starts), dtype=np.uint32),
    }  # fmt: skip
    with pytest.raises(ValueError, match="grid"):
        interval_prices(rows, 0, end, step)

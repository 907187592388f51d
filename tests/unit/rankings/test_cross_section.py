"""Ranks and records of a date: by hand, against the plain twin and pandas; nothing is null without a reason."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest

from fuzzy_pipeline.rankings.cross_section import (
    MEASURES,
    CrossSection,
    cross_symbol_rankings,
    missing_symbols,
    rank_symbols,
    rank_values,
)
from fuzzy_pipeline.schema.rankings import CrossSymbolRanking
from fuzzy_pipeline.schema.records import from_table, to_table
from tests.oracles import rankings as oracle

NAN = np.nan
DATE = dt.date(2024, 5, 6)


def section(
    values: dict[str, float], *, returns: dict[str, Any] | None = None, earlier: list[list[float]] | None = None
) -> CrossSection:
    """Every measure has the same values; earlier dates are rows, oldest first."""
    own = np.array(list(values.values()))
    moves = np.array([(returns or {}).get(symbol, np.arange(78.0)) for symbol in values]).reshape(len(own), 78)
    before = {} if earlier is None else {name: np.array(earlier, dtype=np.float64) for name in MEASURES}
    return CrossSection(tuple(values), dict.fromkeys(MEASURES, own), moves, before)


def records_of(found: list[CrossSymbolRanking]) -> dict[str, CrossSymbolRanking]:
    return {record.symbol: record for record in found}


# -- ranks ----------------------------------------------------------------------


def test_equal_values_share_the_best_rank_and_the_next_is_left_out() -> None:
    ranks = rank_values(np.array([5.0, 9.0, 5.0, 1.0]))
    assert ranks.rank.tolist() == [2, 1, 2, 4]


def test_the_percentile_is_the_share_of_the_others_that_are_beaten() -> None:
    # Of three others: all; one and a half (one worse, one equal); the same; none.
    ranks = rank_values(np.array([9.0, 5.0, 5.0, 1.0]))
    assert ranks.percentile.tolist() == [100.0, 50.0, 50.0, 0.0]


def test_the_lowest_value_can_be_the_best() -> None:
    ranks = rank_values(np.array([9.0, 5.0, 1.0]), "lowest")
    assert ranks.rank.tolist() == [3, 2, 1]
    assert ranks.percentile.tolist() == [0.0, 50.0, 100.0]


def test_unknown_values_are_not_ranked_and_do_not_count() -> None:
    ranks = rank_values(np.array([NAN, 5.0, NAN, 1.0]))
    np.testing.assert_array_equal(ranks.rank, [NAN, 1, NAN, 2])
    np.testing.assert_array_equal(ranks.percentile, [NAN, 100, NAN, 0])
    assert ranks.universe_size == 2


def test_a_value_alone_is_first_without_a_percentile() -> None:
    ranks = rank_values(np.array([NAN, 5.0]))
    assert (ranks.rank[1], ranks.universe_size) == (1, 1)
    assert np.isnan(ranks.percentile[1])


@pytest.mark.parametrize("count", [0, 3])
def test_without_known_values_nobody_is_ranked(count: int) -> None:
    ranks = rank_values(np.full(count, NAN))
    assert ranks.universe_size == 0
    np.testing.assert_array_equal(ranks.rank, [NAN] * count)


@pytest.mark.parametrize("best", ["highest", "lowest"])
@pytest.mark.parametrize("seed", range(10))
def test_ranks_equal_the_plain_twin_and_those_of_pandas(seed: int, best: Any) -> None:
    random = np.random.default_rng(seed)
    values = random.integers(0, 40, 60).astype(np.float64)
    values[random.random(60) < 0.2] = NAN
    ranks = rank_values(values, best)
    expected = oracle.ranks(values.tolist(), best)
    np.testing.assert_array_equal(ranks.rank, [rank for rank, _ in expected])
    np.testing.assert_allclose(ranks.percentile, [percentile for _, percentile in expected], rtol=1e-14)
    np.testing.assert_array_equal(ranks.rank, pd.Series(values).rank(method="min", ascending=best == "lowest"))
    assert np.nanmean(ranks.percentile) == pytest.approx(50)  # what one beats, another is beaten by


def test_each_measure_has_a_universe_of_its_own() -> None:
    ranks = rank_symbols({"volume": np.array([1.0, 2.0, 3.0]), "median_spread": np.array([1.0, NAN, 3.0])})
    assert [found.universe_size for found in ranks.values()] == [3, 2]
    np.testing.assert_array_equal(ranks["median_spread"].rank, [1, NAN, 2])  # narrow is good


def test_measures_of_unknown_direction_or_length_are_refused() -> None:
    with pytest.raises(ValueError, match="which value of beauty is best"):
        rank_symbols({"beauty": np.ones(2)})
    with pytest.raises(ValueError, match="different numbers of symbols"):
        rank_symbols({"volume": np.ones(2), "dollar_volume": np.ones(3)})


def test_missing_symbols_are_those_of_the_settings_without_data() -> None:
    assert missing_symbols(["XOM", "SPY", "KO"], ["KO", "IBM"]) == ("SPY", "XOM")


# -- records ---------------------------------------------------------------------


def test_a_symbol_missing_on_the_date_is_listed_but_not_ranked() -> None:
    found = records_of(cross_symbol_rankings(section({"KO": 3.0, "SPY": 9.0}), DATE, ["SPY", "AAPL", "KO"]))
    assert list(found) == ["AAPL", "KO", "SPY"]
    assert [record.is_missing for record in found.values()] == [True, False, False]
    missing = found["AAPL"]
    assert (missing.volume.rank, missing.volume.universe_size, missing.benchmark.n) == (None, 2, 0)
    assert missing.benchmark.symbol == "SPY"
    assert missing.null_reasons["volume.rank"] == "no data on the date"
    assert missing.null_reasons["benchmark.beta"] == "no data on the date"


def test_records_hold_value_rank_percentile_and_universe() -> None:
    found = records_of(cross_symbol_rankings(section({"KO": 3.0, "SPY": 9.0, "XOM": NAN}), DATE, []))
    assert (found["KO"].volume.value, found["KO"].volume.rank, found["KO"].volume.percentile) == (3.0, 2, 0.0)
    assert found["KO"].median_spread.rank == 1
    assert found["KO"].realised_volatility.rank == 2
    assert found["XOM"].volume.rank is None
    assert found["XOM"].null_reasons["volume.rank"] == "volume is not known"
    assert {record.volume.universe_size for record in found.values()} == {2}


def test_changes_are_to_the_date_before_and_to_the_mean_of_twenty_dates() -> None:
    # Twenty dates: nineteen of 2 and yesterday 22, mean 60/20 = 3. The date before them (1,000) is not among them.
    earlier = [[1000.0], *[[2.0]] * 19, [22.0]]
    (found,) = cross_symbol_rankings(section({"KO": 33.0}, earlier=earlier), DATE, [])
    assert found.volume.change_from_yesterday == pytest.approx(0.5)
    assert found.volume.change_from_mean == pytest.approx(10.0)


def test_changes_are_null_until_there_are_enough_dates() -> None:
    (found,) = cross_symbol_rankings(section({"KO": 33.0}, earlier=[[22.0]] * 19), DATE, [])
    assert found.volume.change_from_yesterday == pytest.approx(0.5)
    assert found.volume.change_from_mean is None
    assert found.null_reasons["volume.change_from_mean"] == "volume is known on fewer than 20 earlier dates"
    (first,) = cross_symbol_rankings(section({"KO": 33.0}), DATE, [])
    assert first.volume.change_from_yesterday is None
    assert first.null_reasons["volume.change_from_yesterday"] == "volume is not known on the trading date before"


def test_yesterday_is_never_an_older_date() -> None:
    (found,) = cross_symbol_rankings(section({"KO": 33.0}, earlier=[*[[22.0]] * 20, [NAN]]), DATE, [])
    assert found.volume.change_from_yesterday is None
    assert found.volume.change_from_mean == pytest.approx(0.5)


def test_there_is_no_change_from_nothing() -> None:
    (found,) = cross_symbol_rankings(section({"KO": 33.0}, earlier=[[0.0]] * 20), DATE, [])
    assert found.null_reasons["volume.change_from_yesterday"] == "the volume compared with is not above 0"
    assert found.null_reasons["volume.change_from_mean"] == "the volume compared with is not above 0"


def test_each_symbol_is_compared_with_the_benchmark_and_its_sector() -> None:
    market = np.sin(np.arange(78.0))
    values = {"KO": 3.0, "SPY": 6.0, "XLP": 12.0}
    moves = {"KO": 2 * market, "SPY": market, "XLP": -4 * market}
    found = records_of(
        cross_symbol_rankings(section(values, returns=moves), DATE, [], sectors={"KO": "XLP", "SPY": "XLE"})
    )
    assert (found["KO"].benchmark.symbol, found["KO"].benchmark.volume_ratio) == ("SPY", 0.5)
    assert found["KO"].benchmark.beta == pytest.approx(2)
    assert (found["KO"].sector.symbol, found["KO"].sector.spread_ratio) == ("XLP", 0.25)
    assert found["KO"].sector.beta == pytest.approx(-0.5)
    assert found["SPY"].benchmark.beta == pytest.approx(1)
    assert found["SPY"].sector.symbol == "XLE"
    assert found["SPY"].null_reasons["sector.beta"] == "XLE has no data on the date"
    assert found["XLP"].sector.symbol is None
    assert found["XLP"].null_reasons["sector.beta"] == "the settings name no sector ETF for the symbol"


def test_another_benchmark_may_be_chosen_and_a_missing_one_is_said() -> None:
    chosen = cross_symbol_rankings(section({"KO": 3.0, "QQQ": 6.0}), DATE, [], benchmark="QQQ")
    assert [record.benchmark.volume_ratio for record in chosen] == [0.5, 1.0]
    absent = cross_symbol_rankings(section({"KO": 3.0, "QQQ": 6.0}), DATE, [])
    assert {record.null_reasons["benchmark.volume_ratio"] for record in absent} == {"SPY has no data on the date"}


def test_the_minimum_of_returns_reaches_the_relations() -> None:
    moves = {"KO": np.r_[np.arange(30.0), np.full(48, NAN)]}
    values = {"KO": 3.0, "SPY": 6.0}
    (enough, _) = cross_symbol_rankings(section(values, returns=moves), DATE, [], minimum_returns=30)
    (few, _) = cross_symbol_rankings(section(values, returns=moves), DATE, [], minimum_returns=31)
    assert enough.benchmark.beta == pytest.approx(1)
    assert few.benchmark.beta is None


# -- laws -------------------------------------------------------------------------


def random_section(seed: int) -> CrossSection:
    """Fifteen symbols, among them SPY, with unknown values everywhere."""
    random = np.random.default_rng(seed)
    symbols = ("SPY", *(f"S{number:02d}" for number in range(14)))

    def holes(shape: tuple[int, ...], share: float) -> np.ndarray:
        values = random.integers(0, 20, shape).astype(np.float64)
        values[random.random(shape) < share] = NAN
        return values

    return CrossSection(
        symbols,
        {name: holes((15,), 0.2) for name in MEASURES},
        random.normal(size=(15, 78)) + holes((15, 78), 0.5),
        {name: holes((30, 15), 0.3) for name in MEASURES},
    )


def leaves(record: CrossSymbolRanking) -> Iterator[tuple[str, Any]]:
    for name, value in record.model_dump(exclude={"null_reasons"}).items():
        if isinstance(value, dict):
            yield from ((f"{name}.{part}", inner) for part, inner in value.items())
        else:
            yield name, value


@pytest.mark.parametrize("seed", range(10))
def test_every_null_has_a_reason_and_nothing_else_has_one(seed: int) -> None:
    sectors = {"S01": "S02", "S03": "XLK"}
    found = cross_symbol_rankings(random_section(seed), DATE, ["S01", "GONE"], sectors=sectors)
    assert len(found) == 16
    for record in found:
        assert {name for name, value in leaves(record) if value is None} == set(record.null_reasons)


def test_the_order_of_symbols_changes_nothing() -> None:
    given = random_section(3)
    order = np.random.default_rng(3).permutation(15)
    shuffled = CrossSection(
        tuple(given.symbols[row] for row in order),
        {name: values[order] for name, values in given.measures.items()},
        given.returns[order],
        {name: values[:, order] for name, values in given.earlier.items()},
    )
    assert cross_symbol_rankings(shuffled, DATE, []) == cross_symbol_rankings(given, DATE, [])


def test_records_survive_the_way_through_a_table() -> None:
    found = cross_symbol_rankings(random_section(4), DATE, ["GONE"])
    assert from_table(to_table(found, CrossSymbolRanking), CrossSymbolRanking) == found


def test_no_symbols_give_no_records() -> None:
    assert cross_symbol_rankings(section({}), DATE, []) == []


@pytest.mark.parametrize(
    "change",
    [
        {"symbols": ("A", "A")},
        {"symbols": ("A", "B", "C")},
        {"returns": np.ones((3, 78))},
        {"returns": np.ones(2)},
        {"measures": {name: np.ones(2) for name in list(MEASURES)[1:]}},
        {"measures": {name: np.ones(3) for name in MEASURES}},
        {"earlier": {"volume": np.ones((20, 3))}},
        {"earlier": {"volume": np.ones(2)}},
    ],
)
def test_a_section_whose_arrays_do_not_fit_its_symbols_is_refused(change: dict[str, Any]) -> None:
    fitting = {
        "symbols": ("A", "B"), "measures": {name: np.ones(2) for name in MEASURES}, "returns": np.ones((2, 78)),
        "earlier": {name: np.ones((20, 2)) for name in MEASURES},
    }  # fmt: skip
    assert CrossSection(**fitting).symbols == ("A", "B")
    with pytest.raises(ValueError, match="symbols"):
        CrossSection(**(fitting | change))

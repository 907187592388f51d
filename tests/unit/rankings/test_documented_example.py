"""The example of ``docs/methodology/rankings.md``, read from the page and computed again."""

from __future__ import annotations

import re

import numpy as np
import pytest

from fuzzy_pipeline.rankings.cross_section import rank_symbols
from fuzzy_pipeline.rankings.pair_correlations import pair_correlations
from fuzzy_pipeline.rankings.relations import co_movement
from tests.architecture.test_documented_examples import PAGES, example_tables, number

PAGE = "rankings.md"


def column(table: int, name: str, rows: slice = slice(None)) -> np.ndarray:
    return np.array([number(row[name]) for row in example_tables(PAGE)[table][rows]])


def test_the_ranks_of_the_example() -> None:
    ranks = rank_symbols({"volume": column(0, "volume"), "median_spread": column(0, "median spread")})
    np.testing.assert_array_equal(ranks["volume"].rank, column(0, "rank"))
    np.testing.assert_array_equal(ranks["volume"].percentile, column(0, "percentile"))
    np.testing.assert_array_equal(ranks["median_spread"].rank, column(0, "rank by spread"))
    np.testing.assert_array_equal(ranks["median_spread"].percentile, column(0, "percentile by spread"))
    assert (ranks["volume"].universe_size, ranks["median_spread"].universe_size) == (5, 4)


def test_the_correlation_of_the_example() -> None:
    own, other = (column(1, name, slice(6)) for name in ("A", "B"))
    text = (PAGES / PAGE).read_text(encoding="utf-8")
    shown = re.search(r"n = (\d+), correlation = .* = ([\d.]+), beta of A on B = 9 / 10 = ([\d.]+\d)", text)
    assert shown
    pairs = pair_correlations(["A", "B"], np.array([own, other]), minimum_returns=5)
    assert pairs.n.tolist() == [int(shown[1])]
    assert pairs.correlation[0] == pytest.approx(float(shown[2]))
    assert co_movement(own, other, minimum_returns=5).beta == pytest.approx(float(shown[3]))

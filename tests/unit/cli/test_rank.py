"""``fuzzy rank``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest

from fuzzy_pipeline.cli.rank import Measure
from fuzzy_pipeline.rankings.cross_section import MEASURES
from tests.unit.cli.conftest import Fuzzy
from tests.unit.query.hand_made import MONDAY, WEDNESDAY
from tests.unit.query.ranking_rows import rankings_on_disk


@pytest.fixture
def ranked(empty: Fuzzy, tmp_path: Path) -> Fuzzy:
    """The command with the store of ``ranking_rows`` as its home."""
    rankings_on_disk(tmp_path / "home").close()
    return empty


def test_every_measure_that_is_ranked_can_be_asked_for() -> None:
    assert get_args(Measure) == tuple(MEASURES)


def test_symbols_are_printed_in_order_of_rank_with_their_changes(ranked: Fuzzy) -> None:
    result = ranked("rank", MONDAY, "--by", "volume")
    assert result.exit_code == 0, result.output
    assert "2025-11-24, volume: Shares traded; best: highest. [shares]" in result.output
    cells = [[cell.strip() for cell in line.split("│")[1:-1]] for line in result.output.splitlines() if "│" in line]
    assert cells == [
        ["1", "AAPL", "9,000", "100.0", "+50.0 %", "-10.0 %"],
        ["2", "KO", "5,000", "25.0", "", ""],
        ["2", "SPY", "5,000", "25.0", "", ""],
    ]
    assert "missing on the date: XOM" in result.output


def test_a_symbol_whose_value_is_not_known_is_named_with_the_reason(ranked: Fuzzy) -> None:
    result = ranked("rank", MONDAY, "--by", "median_spread")
    assert "not ranked: KO, median_spread is not known" in result.output
    assert "missing on the date: XOM\n" in result.output


def test_only_the_best_are_printed_and_that_is_said(ranked: Fuzzy) -> None:
    result = ranked("rank", MONDAY, "--by", "volume", "--top", "1")
    assert "the best 1 of 3 symbols" in result.output
    assert "KO" not in result.output


def test_json_has_the_same_with_numbers_as_they_are_stored(ranked: Fuzzy) -> None:
    found = json.loads(ranked("rank", MONDAY, "--by", "median_spread", "--json").stdout)
    blank = {"change_from_yesterday": None, "change_from_mean": None}
    assert found == {
        "date": "2025-11-24",
        "kind": "simulated",
        "by": "median_spread",
        "universe_size": 2,
        "ranks": [
            {"symbol": "AAPL", "value": 1.5, "rank": 1, "percentile": 100.0, **blank},
            {"symbol": "SPY", "value": 2.5, "rank": 2, "percentile": 0.0, **blank},
        ],
        "not_ranked": {"KO": "median_spread is not known"},
        "missing": ["XOM"],
    }


def test_a_measure_that_does_not_exist_names_those_that_do(ranked: Fuzzy) -> None:
    result = ranked("rank", MONDAY, "--by", "price")
    assert result.exit_code == 2
    assert "realised_volatility" in result.stderr


def test_a_date_without_rankings_is_an_error(ranked: Fuzzy) -> None:
    result = ranked("rank", WEDNESDAY)
    assert result.exit_code == 1
    assert "cross_symbol_rankings: no record of any symbol from 2025-11-26 to 2025-11-26" in result.stderr

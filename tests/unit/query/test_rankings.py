"""Reading rankings, pair correlations, and the correlations of a date as a square."""

from __future__ import annotations

import numpy as np
import pytest

from fuzzy_pipeline.errors import CalendarError, NotStoredError, SchemaError
from fuzzy_pipeline.query import DateMoved, correlation_matrix, get_pair_correlations, get_rankings, sql
from fuzzy_pipeline.stores.store import Store
from tests.unit.query.hand_made import MONDAY, TUESDAY, WEDNESDAY
from tests.unit.query.ranking_rows import OF_MONDAY, OF_TUESDAY, PAIRS_OF_MONDAY, TOO_FEW, pair, put, rankings_in_memory

NAN = np.nan


@pytest.fixture
def ranked() -> Store:
    """The rows of ``ranking_rows``, in memory."""
    return rankings_in_memory()


# -- rankings ----------------------------------------------------------------------------------------------


def test_rankings_come_flat_with_dotted_names_by_date_and_symbol(ranked: Store) -> None:
    frame = get_rankings(store=ranked)
    assert list(zip(frame["symbol"], frame["date"], strict=True)) == [
        ("AAPL", MONDAY), ("KO", MONDAY), ("SPY", MONDAY), ("XOM", MONDAY), ("AAPL", TUESDAY), ("SPY", TUESDAY),
    ]  # fmt: skip
    monday = frame[frame["date"] == MONDAY].set_index("symbol")
    np.testing.assert_array_equal(monday["volume.rank"], [1, 2, 2, NAN])
    np.testing.assert_array_equal(monday["volume.percentile"], [100, 25, 25, NAN])
    np.testing.assert_array_equal(monday["median_spread.value"], [1.5, NAN, 2.5, NAN])
    assert monday.loc["AAPL", ["volume.change_from_yesterday", "volume.change_from_mean"]].tolist() == [0.5, -0.1]
    assert monday.loc["KO", "null_reasons"]["median_spread.rank"] == "median_spread is not known"


def test_a_missing_symbol_has_a_row_that_says_so(ranked: Store) -> None:
    frame = get_rankings(MONDAY, store=ranked).set_index("symbol")
    assert frame["is_missing"].tolist() == [False, False, False, True]
    assert frame.loc["XOM", "null_reasons"]["volume.rank"] == "no data on the date"


def test_what_nobody_committed_is_not_there(ranked: Store) -> None:
    assert get_rankings(TUESDAY, store=ranked)["symbol"].tolist() == ["AAPL", "SPY"]
    with pytest.raises(NotStoredError, match="cross_symbol_rankings: no record of KO from 2025-11-25"):
        get_rankings(TUESDAY, symbols="KO", store=ranked)


def test_dates_and_symbols_limit_the_rows_and_leave_the_ranks(ranked: Store) -> None:
    frame = get_rankings(MONDAY, TUESDAY, symbols="spy,ko", store=ranked)
    assert frame[["symbol", "date", "volume.rank"]].to_numpy().tolist() == [
        ["KO", MONDAY, 2], ["SPY", MONDAY, 2], ["SPY", TUESDAY, 1],
    ]  # fmt: skip


def test_models_are_the_ones_that_were_stored(ranked: Store) -> None:
    assert get_rankings(MONDAY, as_="models", store=ranked) == OF_MONDAY
    assert get_rankings(TUESDAY, as_="models", store=ranked) == [OF_TUESDAY[0], OF_TUESDAY[2]]


def test_arrow_has_the_columns_of_the_frame(ranked: Store) -> None:
    table = get_rankings(MONDAY, as_="arrow", store=ranked)
    assert table.column_names == list(get_rankings(MONDAY, store=ranked).columns)
    assert table["volume.rank"].to_pylist() == [1, 2, 2, None]


def test_a_weekend_is_the_trading_date_before(ranked: Store) -> None:
    with pytest.warns(DateMoved, match="using 2025-11-28"), pytest.raises(NotStoredError, match="2025-11-28"):
        get_rankings("2025-11-29", store=ranked)


@pytest.mark.parametrize("read", [get_rankings, get_pair_correlations])
def test_what_makes_no_sense_is_refused(ranked: Store, read) -> None:
    with pytest.raises(SchemaError, match="'pandas', 'arrow' or 'models'"):
        read(MONDAY, as_="polars", store=ranked)
    with pytest.raises(CalendarError, match="end 2025-11-24 without start"):
        read(end=MONDAY, store=ranked)
    with pytest.raises(NotStoredError, match="no record of any symbol from 2025-11-26 to 2025-11-26"):
        read(WEDNESDAY, store=ranked)


# -- pairs -------------------------------------------------------------------------------------------------


def test_each_pair_comes_once_with_its_returns_and_why_it_is_null(ranked: Store) -> None:
    frame = get_pair_correlations(MONDAY, store=ranked)
    assert frame[["symbol_a", "symbol_b", "n"]].to_numpy().tolist() == [
        ["AAPL", "KO", 78], ["AAPL", "SPY", 78], ["KO", "SPY", 7],
    ]  # fmt: skip
    np.testing.assert_array_equal(frame["correlation"], [0.5, -0.25, NAN])
    assert frame["null_reason"].tolist() == [None, None, TOO_FEW]
    assert "symbol" not in frame.columns


def test_pairs_are_found_by_either_symbol(ranked: Store) -> None:
    frame = get_pair_correlations(symbols="SPY", store=ranked)
    assert frame[["symbol_a", "symbol_b", "date"]].to_numpy().tolist() == [
        ["AAPL", "SPY", MONDAY], ["KO", "SPY", MONDAY], ["AAPL", "SPY", TUESDAY],
    ]  # fmt: skip
    with pytest.raises(NotStoredError, match="pair_correlations: no record of XOM from 2025-11-24"):
        get_pair_correlations(MONDAY, symbols="XOM", store=ranked)


def test_models_of_pairs_are_the_ones_that_were_stored(ranked: Store) -> None:
    assert get_pair_correlations(MONDAY, as_="models", store=ranked) == PAIRS_OF_MONDAY


# -- the square --------------------------------------------------------------------------------------------


def test_correlations_of_a_date_stand_in_a_symmetric_square(ranked: Store) -> None:
    square = correlation_matrix(MONDAY, store=ranked)
    assert list(square.index) == list(square.columns) == ["AAPL", "KO", "SPY"]
    np.testing.assert_array_equal(square, [[1, 0.5, -0.25], [0.5, 1, NAN], [-0.25, NAN, 1]])


def test_a_square_of_some_symbols_is_in_their_order_and_empty_where_one_is_missing(ranked: Store) -> None:
    square = correlation_matrix(MONDAY, symbols="SPY,XOM,AAPL", store=ranked)
    assert list(square.index) == list(square.columns) == ["SPY", "XOM", "AAPL"]
    np.testing.assert_array_equal(square, [[1, NAN, -0.25], [NAN, NAN, NAN], [-0.25, NAN, 1]])


def test_a_symbol_that_correlates_with_none_has_no_one_on_the_diagonal(ranked: Store) -> None:
    of_ko = pair("AAPL", "KO", MONDAY, None)
    alone = [of_ko, *PAIRS_OF_MONDAY[1:]]
    put(ranked, MONDAY, OF_MONDAY, alone, ["AAPL", "KO", "SPY", "XOM"])
    np.testing.assert_array_equal(np.diag(correlation_matrix(MONDAY, store=ranked)), [1, NAN, 1])


# -- SQL ---------------------------------------------------------------------------------------------------


def test_both_tables_can_be_asked_in_sql(ranked: Store) -> None:
    best = sql("SELECT symbol FROM cross_symbol_rankings WHERE date = '2025-11-24' AND volume.rank = 1", store=ranked)
    assert best["symbol"].tolist() == ["AAPL"]
    pairs = sql("SELECT symbol_a, symbol_b FROM pair_correlations WHERE correlation > 0.6", store=ranked)
    assert pairs.to_numpy().tolist() == [["AAPL", "SPY"]]


def test_tables_of_records_without_rows_are_empty_not_unknown(store: Store) -> None:
    for table in ("cross_symbol_rankings", "pair_correlations", "day_metadata_phase2", "trailing_baselines"):
        assert sql(f"SELECT count(*) AS n FROM {table}", store=store)["n"].tolist() == [0]
    names = sql("DESCRIBE pair_correlations", store=store)["column_name"].tolist()
    assert names[:4] == ["symbol", "symbol_a", "symbol_b", "date"]

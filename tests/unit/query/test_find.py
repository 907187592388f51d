"""Days that meet a condition, and symbols side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fuzzy_pipeline.errors import CalendarError, NotStoredError, SchemaError, SettingsError
from fuzzy_pipeline.query import DateMoved, compare, find_days, get_metadata
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE as PHASE2
from fuzzy_pipeline.schema.rankings import RANKINGS_TABLE
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store
from tests.unit.query import simulated_store as sim
from tests.unit.query.day_rows import commit, day, days_in_memory, days_on_disk, put_rows
from tests.unit.query.hand_made import MONDAY, TUESDAY, WEDNESDAY


@pytest.fixture(params=["disk", "memory"])
def days(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The records of ``day_rows``."""
    opened = days_in_memory() if request.param == "memory" else days_on_disk(tmp_path / "home")
    yield opened
    opened.close()


def found(condition: str, store: Store, *arguments: object) -> list[tuple[str, object]]:
    """Symbol and date of the days that meet the condition."""
    frame = find_days(condition, *arguments, store=store)  # type: ignore[call-overload]
    return list(zip(frame["symbol"], frame["date"], strict=True))


def test_days_that_meet_the_condition_come_by_date_and_symbol_with_the_fields_it_names(days: Store) -> None:
    frame = find_days("basic_stats.vwap < 21 and basic_stats.volume_total >= 1e3", store=days)
    assert list(frame.columns) == ["symbol", "date", "basic_stats.vwap", "basic_stats.volume_total"]
    assert frame.to_numpy().tolist() == [["AAPL", MONDAY, 10.0, 1000], ["SPY", MONDAY, 20.0, 3000]]


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("spread_stats.p95_bps > 50", [("SPY", TUESDAY)]),
        ("spread_stats.p95_bps > 50.5", []),
        ("spread_stats.p95_bps is null", [("AAPL", MONDAY), ("SPY", MONDAY)]),
        ("Basic_Stats.VWAP = 20 -- whatever the case", [("SPY", MONDAY)]),
        ("symbol = 'SPY' or basic_stats.vwap = 10", [("AAPL", MONDAY), ("SPY", MONDAY), ("SPY", TUESDAY)]),
        ("date > '2025-11-24'", [("SPY", TUESDAY)]),
        ("basic_stats.volume_total / basic_stats.vwap between 100 and 150", [("AAPL", MONDAY), ("SPY", MONDAY)]),
        ("basic_stats.vwap = 99", []),  # written, not committed
    ],
)
def test_a_condition_is_sql_over_dotted_names(days: Store, condition: str, expected: list[tuple[str, object]]) -> None:
    assert found(condition, days) == expected


def test_dates_and_symbols_limit_what_is_looked_at(days: Store) -> None:
    assert found("basic_stats.vwap > 0", days, MONDAY) == [("AAPL", MONDAY), ("SPY", MONDAY)]
    assert found("basic_stats.vwap > 0", days, MONDAY, WEDNESDAY, "SPY") == [("SPY", MONDAY), ("SPY", TUESDAY)]
    assert found("basic_stats.vwap > 0", days, None, None, ["aapl"]) == [("AAPL", MONDAY)]
    # Two conditions joined by "or" do not get around the symbols asked for.
    assert found("basic_stats.vwap > 0 or true", days, None, None, "AAPL") == [("AAPL", MONDAY)]


def test_lists_of_a_record_are_looked_into_with_functions(days: Store) -> None:
    hours = [{"trade_count": 5, "spread": 0.25}, {"trade_count": 50, "spread": 0.5}]
    put_rows(days, PHASE1_TABLE, WEDNESDAY, [day("SPY", WEDNESDAY, 22.0, 1) | {"intraday_evolution": hours}])
    commit(days, PHASE1_TABLE, WEDNESDAY, ["SPY"])
    assert found("len(list_filter(intraday_evolution, lambda h: h.trade_count > 10)) = 1", days) == [("SPY", WEDNESDAY)]
    assert found("list_max([h.spread for h in intraday_evolution]) > 0.5", days) == []


# -- phase 2 -----------------------------------------------------------------------------------------------


@pytest.fixture
def both(days: Store) -> Store:
    """Of phase 2 there is SPY on Monday only; AAPL's was never committed."""
    put_rows(
        days, PHASE2, MONDAY,
        [
            {"symbol": symbol, "date": MONDAY, "computed_at": "late", "toxicity_metrics": {"vpin": vpin}}
            for symbol, vpin in (("AAPL", 0.75), ("SPY", 0.25))
        ],
    )  # fmt: skip
    commit(days, PHASE2, MONDAY, ["SPY"])
    return days


def test_fields_of_both_phases_may_stand_in_one_condition(both: Store) -> None:
    frame = find_days("toxicity_metrics.vpin < 0.5 and basic_stats.vwap = 20", store=both)
    assert frame.to_numpy().tolist() == [["SPY", MONDAY, 0.25, 20.0]]


def test_days_without_phase_2_have_nulls_there(both: Store) -> None:
    assert found("toxicity_metrics.vpin > 0", both) == [("SPY", MONDAY)]
    assert found("toxicity_metrics.vpin is null", both) == [("AAPL", MONDAY), ("SPY", TUESDAY)]
    assert found("toxicity_metrics.vpin is null", both, TUESDAY) == [("SPY", TUESDAY)]


def test_without_phase_2_its_fields_are_unknown(days: Store) -> None:
    with pytest.raises(SchemaError, match=r"no field toxicity_metrics\.vpin"):
        find_days("toxicity_metrics.vpin > 0", store=days)


# -- several tables ----------------------------------------------------------------------------------------


@pytest.fixture
def ranked(both: Store) -> Store:
    """Monday is ranked: AAPL first by volume, SPY second, XOM missing; each table has reasons of its own."""
    places = {"AAPL": 1, "SPY": 2, "XOM": None}
    put_rows(
        both, RANKINGS_TABLE, MONDAY,
        [
            {
                "symbol": symbol, "date": MONDAY, "is_missing": rank is None, "volume": {"rank": rank},
                "computed_at": "last",
            }
            for symbol, rank in places.items()
        ],
    )  # fmt: skip
    commit(both, RANKINGS_TABLE, MONDAY, list(places))
    return both


def test_a_condition_may_name_fields_of_every_table_of_the_day(ranked: Store) -> None:
    frame = find_days("basic_stats.vwap = 20 and toxicity_metrics.vpin < 0.5 and volume.rank = 2", store=ranked)
    assert frame.to_numpy().tolist() == [["SPY", MONDAY, 20.0, 0.25, 2]]
    assert found("volume.rank = 1", ranked) == [("AAPL", MONDAY)]


def test_days_without_a_ranking_have_nulls_there(ranked: Store) -> None:
    assert found("volume.rank is null and basic_stats.vwap > 0", ranked) == [("SPY", TUESDAY)]
    assert found("toxicity_metrics.vpin is null and volume.rank is not null", ranked) == [("AAPL", MONDAY)]


def test_symbols_missing_on_a_date_are_found_by_their_ranking(ranked: Store) -> None:
    assert found("is_missing", ranked) == [("XOM", MONDAY)]
    assert found("is_missing and symbol = 'XOM' and date = '2025-11-24'", ranked, None, None, "XOM") == [
        ("XOM", MONDAY)
    ]
    # The table is not named, so days that only it has are not looked at.
    assert ("XOM", MONDAY) not in found("basic_stats.vwap is null", ranked)


def test_a_name_of_several_tables_is_written_with_its_tables(ranked: Store) -> None:
    frame = find_days(
        "day_metadata_phase2.computed_at = 'late' and Cross_Symbol_Rankings.computed_at = 'last'", store=ranked
    )
    assert frame.to_numpy().tolist() == [["SPY", MONDAY, "late", "last"]]
    assert list(frame.columns)[2:] == ["day_metadata_phase2.computed_at", "cross_symbol_rankings.computed_at"]
    assert found("cross_symbol_rankings.volume.rank = day_metadata_phase1.basic_stats.vwap - 9", ranked) == [
        ("AAPL", MONDAY)
    ]
    with pytest.raises(SchemaError) as caught:
        find_days("computed_at = 'late'", store=ranked)
    assert str(caught.value) == (
        "computed_at is in day_metadata_phase2, cross_symbol_rankings: write day_metadata_phase2.computed_at or "
        "cross_symbol_rankings.computed_at"
    )


def test_a_group_of_several_tables_is_ambiguous_whatever_it_holds(ranked: Store) -> None:
    put_rows(ranked, BASELINES_TABLE, MONDAY, [{"symbol": "SPY", "date": MONDAY, "volume": {"mean": 8.0}}])
    commit(ranked, BASELINES_TABLE, MONDAY, ["SPY"])
    assert found("trailing_baselines.volume.mean = 8 and cross_symbol_rankings.volume.rank = 2", ranked) == [
        ("SPY", MONDAY)
    ]
    with pytest.raises(SchemaError, match=r"volume\.mean is in trailing_baselines, cross_symbol_rankings"):
        find_days("volume.mean > 0", store=ranked)


def test_a_misspelt_field_of_any_table_is_told_with_those_that_are_near(ranked: Store) -> None:
    with pytest.raises(SchemaError, match=r"no field is_mising; did you mean is_missing\?"):
        find_days("is_mising", store=ranked)
    with pytest.raises(SchemaError, match=r"no field day_metadata_phase2\.vpin; did you mean toxicity_metrics\.vpin\?"):
        find_days("day_metadata_phase2.vpin > 0", store=ranked)
    with pytest.raises(SchemaError, match=r"did you mean day_metadata_phase2\.computed_at or cross_symbol_rankings"):
        find_days("compute_at > 0", store=ranked)


# -- mistakes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("condition", "first_line"),
    [
        ("vwap > 1", "no field vwap; did you mean basic_stats.vwap?"),
        ("spread.p95 > 1", "no field spread.p95; did you mean spread_stats.p95_bps?"),
        ("basic_stats.volume > 1", "no field basic_stats.volume; did you mean basic_stats.volume_total?"),
        ("spread_stats.zzz > 1", "no field spread_stats.zzz; spread_stats has spread_stats.p95_bps"),
        ("zzz > 1", "no field zzz"),
    ],
)
def test_an_unknown_field_is_told_with_those_that_are_near(days: Store, condition: str, first_line: str) -> None:
    with pytest.raises(SchemaError) as caught:
        find_days(condition, store=days)
    assert str(caught.value).splitlines() == [first_line, "all fields: docs/reference/day_metadata.md"]


@pytest.mark.parametrize(
    "condition",
    [
        "",
        "-- nothing",
        "true, true",
        "basic_stats.vwap >",
        "true) UNION ALL SELECT 'X', 1, (2",
        "true) FROM range(3) WHERE (true",
        "true) WHERE (true",
        "true) ORDER BY (1",
        "true), (true",
        "true); SELECT (1",
        "basic_stats.vwap > (SELECT 1)",
        "exists(SELECT * FROM read_csv('/etc/passwd'))",
        "basic_stats.vwap > ?",
        "count(*) > 1; DROP VIEW x",
    ],
)
def test_what_is_no_expression_of_fields_is_refused(days: Store, condition: str) -> None:
    with pytest.raises(SettingsError, match="condition"):
        find_days(condition, store=days)


def test_an_aggregate_is_no_condition_of_a_day(days: Store) -> None:
    with pytest.raises(SchemaError, match="aggregates"):
        find_days("sum(basic_stats.vwap) > 1", store=days)


def test_dates_without_records_and_an_end_without_start_are_errors(days: Store) -> None:
    with pytest.raises(NotStoredError, match=r"no day records of 2025-11-26\. See"):
        find_days("basic_stats.vwap > 1", WEDNESDAY, store=days)
    with pytest.raises(CalendarError, match="end 2025-11-26 without start"):
        find_days("basic_stats.vwap > 1", None, WEDNESDAY, store=days)
    with pytest.raises(SchemaError, match="'pandas' or 'arrow'"):
        find_days("basic_stats.vwap > 1", as_="models", store=days)  # type: ignore[call-overload]


# -- side by side ------------------------------------------------------------------------------------------


def test_measures_of_several_symbols_stand_side_by_side(days: Store) -> None:
    ratio = "basic_stats.volume_total / basic_stats.vwap"
    frame = compare("SPY,XOM,AAPL", MONDAY, ["basic_stats.vwap", ratio, "date"], store=days)
    assert frame.index.tolist() == ["SPY", "XOM", "AAPL"]
    assert list(frame.columns) == ["basic_stats.vwap", ratio, "date"]
    np.testing.assert_array_equal(frame["basic_stats.vwap"], [20.0, np.nan, 10.0])
    np.testing.assert_array_equal(frame[ratio], [150.0, np.nan, 100.0])
    assert frame["date"].dropna().tolist() == [MONDAY, MONDAY]


def test_measures_of_phase_2_stand_beside_those_of_phase_1(both: Store) -> None:
    frame = compare(["AAPL", "SPY"], MONDAY, ["toxicity_metrics.vpin", "basic_stats.vwap"], store=both)
    np.testing.assert_array_equal(frame.to_numpy(float), [[np.nan, 10.0], [0.25, 20.0]])


def test_measures_of_rankings_stand_beside_those_of_the_day(ranked: Store) -> None:
    measures = ["volume.rank", "basic_stats.volume_total / volume.rank", "is_missing"]
    frame = compare("SPY,AAPL,XOM", MONDAY, measures, store=ranked)
    np.testing.assert_array_equal(frame.iloc[:, :2].to_numpy(float), [[2, 1500], [1, 1000], [np.nan, np.nan]])
    assert frame["is_missing"].tolist() == [False, False, True]


@pytest.mark.parametrize(
    ("measures", "error", "says"),
    [
        (["basic_stats.vwop"], SchemaError, "did you mean basic_stats.vwap"),
        (["1, 2) FROM x WHERE (true"], SettingsError, "measure"),
        (["COLUMNS('basic.*')"], SettingsError, "measure"),
        ("basic_stats.vwap", SchemaError, "give a list of names"),
        ([], SchemaError, "give a list of names"),
    ],
)
def test_a_measure_that_makes_no_sense_is_refused(
    days: Store, measures: list[str], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        compare("SPY", MONDAY, measures, store=days)


def test_no_record_at_all_is_an_error(days: Store) -> None:
    with pytest.raises(NotStoredError, match="2025-11-24: no day record of KO, XOM"):
        compare("KO,XOM", MONDAY, ["basic_stats.vwap"], store=days)


def test_a_weekend_is_the_friday_before(simulated: Settings) -> None:
    with pytest.warns(DateMoved, match="using 2025-11-28"):
        frame = compare("AAPL,SPY", "2025-11-30", ["basic_stats.vwap"], settings=simulated)
    expected = get_metadata("AAPL,SPY", sim.HALF_DAY, settings=simulated)
    pd.testing.assert_series_equal(
        frame["basic_stats.vwap"], expected.set_index("symbol")["basic_stats.vwap"], check_names=False
    )


def test_found_days_are_those_of_the_records(simulated: Settings) -> None:
    records = get_metadata(settings=simulated)
    middle = records["basic_stats.price_range"].median()
    frame = find_days(f"basic_stats.price_range >= {float(middle)!r}", settings=simulated)
    expected = records[records["basic_stats.price_range"] >= middle]
    assert 0 < len(expected) < len(records)
    assert frame[["symbol", "date"]].to_numpy().tolist() == expected[["symbol", "date"]].to_numpy().tolist()

"""What is there and why the rest is not."""

from __future__ import annotations

import datetime as dt

import pandas as pd

from fuzzy_pipeline.query import coverage
from fuzzy_pipeline.query.coverage import day_coverage
from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store
from tests.unit.query import simulated_store as sim
from tests.unit.query.hand_made import MONDAY, NOON, TUESDAY, failure_row, manifest_row

MINUTE = dt.timedelta(minutes=1)


def test_states_tell_complete_partial_failed_and_missing_apart(store: Store) -> None:
    tables = (RAW_TICKS.name, BAR_TABLES["time"].name)
    days = day_coverage(store, [MONDAY, TUESDAY], ["SPY", "KO", "XOM"], tables)
    assert days["SPY", MONDAY].state(tables) == "complete"
    assert days["SPY", MONDAY].state((*tables, ENRICHED_TICKS.name)) == "partial"
    assert days["SPY", TUESDAY].state(tables[1:]) == "complete"
    assert days["SPY", TUESDAY].state(tables) == "missing"  # bars without raw ticks
    assert days["SPY", TUESDAY].state((*tables[1:], ENRICHED_TICKS.name)) == "partial"
    assert days["KO", MONDAY].state(tables) == "failed"
    assert days["XOM", MONDAY].state(tables) == "missing"


def test_the_cause_is_the_failure_furthest_upstream(store: Store) -> None:
    cause = day_coverage(store, [MONDAY], None, (RAW_TICKS.name, BAR_TABLES["time"].name))["KO", MONDAY].cause
    assert cause is not None
    assert (cause.table, cause.reason) == ("raw_ticks", "feed down")


def test_a_failure_older_than_the_commit_is_mended_and_a_newer_one_is_not(store: Store) -> None:
    tables = (BAR_TABLES["time"].name,)
    store.manifest.commit(BAR_TABLES["time"].name, MONDAY, [manifest_row(BAR_TABLES["time"].name, "XOM", MONDAY, 0, 1)])
    store.manifest.record_failures(MONDAY, [failure_row(BAR_TABLES["time"].name, "XOM", MONDAY, NOON - MINUTE)])
    assert day_coverage(store, [MONDAY], ["XOM"], tables)["XOM", MONDAY].state(tables) == "complete"
    store.manifest.record_failures(MONDAY, [failure_row(BAR_TABLES["time"].name, "XOM", MONDAY, NOON + MINUTE)])
    assert day_coverage(store, [MONDAY], ["XOM"], tables)["XOM", MONDAY].state(tables) == "failed"


def retire(store: Store, table: str, symbol: str, date: dt.date) -> None:
    (row,) = store.manifest.rows(table, [date], [symbol])
    store.retired.add(date, [row], NOON, "too old")
    store.manifest.remove(table, date, [symbol])


def test_what_was_deleted_on_purpose_is_retired_and_neither_missing_nor_partial(store: Store) -> None:
    tables = (RAW_TICKS.name, BAR_TABLES["time"].name)
    retire(store, RAW_TICKS.name, "SPY", MONDAY)
    days = day_coverage(store, [MONDAY, TUESDAY], ["SPY", "XOM"], tables)
    assert days["SPY", MONDAY].state(tables) == "retired"
    assert days["SPY", MONDAY].state(tables[1:]) == "complete"  # who asks for bars alone has all of them
    assert days["SPY", MONDAY].state((*tables, ENRICHED_TICKS.name)) == "partial"  # these were never there
    assert days["XOM", MONDAY].state(tables) == "missing"
    row = manifest_row(RAW_TICKS.name, "SPY", MONDAY, 1, 10)
    store.manifest.commit(RAW_TICKS.name, MONDAY, [row])  # fetched again
    assert day_coverage(store, [MONDAY], ["SPY"], tables)["SPY", MONDAY].state(tables) == "complete"


def test_a_failure_counts_for_more_than_being_retired(store: Store) -> None:
    tables = (RAW_TICKS.name, BAR_TABLES["time"].name)
    retire(store, RAW_TICKS.name, "SPY", MONDAY)
    later = NOON + MINUTE
    store.manifest.record_failures(MONDAY, [failure_row(RAW_TICKS.name, "SPY", MONDAY, later, "no longer kept")])
    day = day_coverage(store, [MONDAY], ["SPY"], tables)["SPY", MONDAY]
    assert day.state(tables) == "failed"


def test_a_symbol_with_rankings_and_baselines_but_no_ticks_is_missing(store: Store) -> None:
    tables = (RAW_TICKS.name, "trailing_baselines", "cross_symbol_rankings")
    for table in tables[1:]:
        store.manifest.commit(table, MONDAY, [manifest_row(table, "XOM", MONDAY, -1, 1)])
    assert day_coverage(store, [MONDAY], ["XOM"], tables)["XOM", MONDAY].state(tables) == "missing"


def test_one_row_per_symbol_and_date_with_rows_of_every_table(simulated: Settings) -> None:
    found = coverage(settings=simulated)
    assert len(found) == 9  # three dates, two symbols stored and one that was asked for
    assert found["state"].value_counts().to_dict() == {"complete": 6, "missing": 2, "failed": 1}
    spy = found[(found["symbol"] == "SPY") & (found["date"] == sim.HALF_DAY)].iloc[0]
    assert spy["raw_ticks"] == spy["enriched_ticks"] > 0
    assert spy["day_metadata_phase1"] == 1
    assert spy["set_aside"] == 0


def test_a_failed_day_has_no_rows_but_a_reason(simulated: Settings) -> None:
    failed = coverage(sim.TUESDAY, sim.TUESDAY, sim.EMPTY, settings=simulated).iloc[0]
    assert pd.isna(failed["raw_ticks"])
    assert (failed["failed_table"], failed["error_type"]) == ("raw_ticks", "NoDataError")
    assert sim.EMPTY in failed["reason"]
    assert str(failed["failed_at"].tz) == "America/New_York"


def test_dates_and_tables_limit_what_is_looked_at(simulated: Settings) -> None:
    found = coverage("2025-11-26", "2025-11-28", "SPY,AAPL", ["raw_ticks"], settings=simulated)
    assert list(zip(found["date"], found["symbol"], strict=True)) == [
        (sim.WEDNESDAY, "AAPL"), (sim.WEDNESDAY, "SPY"), (sim.HALF_DAY, "AAPL"), (sim.HALF_DAY, "SPY"),
    ]  # fmt: skip
    assert "time_bars" not in found.columns


def test_some_tables_alone_can_be_asked_for_though_others_are_stale(simulated: Settings) -> None:
    other = simulated.model_copy(
        update={"condition_profile": "fuzzy_oss20"}
    )  # everything is out of date under this one
    found = coverage(symbols="SPY", tables=[RAW_TICKS.name], settings=other)
    assert found["state"].tolist() == ["stale"] * 3

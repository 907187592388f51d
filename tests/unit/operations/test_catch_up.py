"""The plan of what was missed: which runs, in which order, how long, and what is left alone."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fuzzy_pipeline.catch_up_settings import CatchUpSettings
from fuzzy_pipeline.operations import catch_up
from fuzzy_pipeline.operations.catch_up import CatchUpPlan, Due, catch_up_dates, plan_catch_up
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.sources import opening
from fuzzy_pipeline.steps.ingest import REFETCHED
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import now_eastern
from tests.unit.operations.planted_dates import (
    HALF_DAY,
    MONDAY,
    NEXT_MONDAY,
    SYMBOLS,
    TUESDAY,
    WEDNESDAY,
    at,
    commit,
    empty_store,
    fail,
    settings_at,
)

DATES = (MONDAY, TUESDAY, WEDNESDAY, HALF_DAY, NEXT_MONDAY)


@pytest.fixture
def out_of_date(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str, dt.date]]:
    """Table, symbol and date of what is stale: nothing, unless a test says so. Planted rows have no true inputs."""
    found: set[tuple[str, str, dt.date]] = set()

    def planted(store: Store, settings: Settings, dates: Sequence[dt.date], symbols: Sequence[str]) -> Any:
        return {key for key in found if key[1] in symbols and key[2] in dates}

    # The package exports a function of the module's name, so that the module is reached by its full name only.
    monkeypatch.setattr(sys.modules["fuzzy_pipeline.query.coverage"], "stale_results", planted)
    return found


@pytest.fixture
def settings(tmp_path: Path, out_of_date: object) -> Settings:
    return settings_at(tmp_path)


@pytest.fixture
def store(settings: Settings) -> Store:
    """Monday is complete; of the others nothing is there."""
    found = empty_store()
    commit(found, settings, MONDAY, at(MONDAY, "21:00"))
    return found


def with_rules(settings: Settings, **rules: Any) -> Settings:
    return settings.model_copy(update={"catch_up": CatchUpSettings(**rules)})


def plan(store: Store | None, settings: Settings, dates: Sequence[dt.date] = DATES, **options: Any) -> CatchUpPlan:
    return plan_catch_up(store, settings, dates, **options)


def told(runs: Iterable[Due]) -> list[tuple[dt.date, str, str]]:
    """Date, symbols and cause of runs."""
    return [(due.date, " ".join(due.symbols) or "all", due.cause) for due in runs]


# -- what and in which order ---------------------------------------------------------


def test_missed_dates_come_the_newest_first_and_what_is_complete_not_at_all(store: Store, settings: Settings) -> None:
    assert told(plan(store, settings).due) == [
        (NEXT_MONDAY, "all", "missing"), (HALF_DAY, "all", "missing"), (WEDNESDAY, "all", "missing"),
        (TUESDAY, "all", "missing"),
    ]  # fmt: skip


def test_key_symbols_come_first_on_all_dates_and_stale_dates_last_the_oldest_first(
    store: Store, settings: Settings, out_of_date: set[tuple[str, str, dt.date]]
) -> None:
    for date in (TUESDAY, HALF_DAY, NEXT_MONDAY):
        commit(store, settings, date, at(date, "21:00"))
    fail(store, HALF_DAY, at(HALF_DAY, "22:00"), {"BBB": "SourceUnavailableError"})
    for date in (TUESDAY, MONDAY, NEXT_MONDAY):
        out_of_date |= {(ENRICHED_TICKS.name, symbol, date) for symbol in SYMBOLS}
    out_of_date.discard((ENRICHED_TICKS.name, "AAA", MONDAY))
    chosen = with_rules(settings, key_symbols=("CCC",))
    found = plan(store, chosen)
    assert told(found.due) == [
        (WEDNESDAY, "CCC", "missing"),
        (HALF_DAY, "BBB", "failed"),
        (WEDNESDAY, "AAA BBB", "missing"),
        (MONDAY, "BBB CCC", "stale"),
        (TUESDAY, "all", "stale"),
        (NEXT_MONDAY, "all", "stale"),
    ]
    assert [due.is_key for due in found.due] == [True, False, False, False, False, False]


def test_a_date_with_several_causes_has_a_run_for_each_group_of_symbols(
    store: Store, settings: Settings, out_of_date: set[tuple[str, str, dt.date]]
) -> None:
    commit(store, settings, TUESDAY, at(TUESDAY, "21:00"), symbols=("AAA",))
    fail(store, TUESDAY, at(TUESDAY, "22:00"), {"BBB": "SourceUnavailableError"})
    out_of_date.add((ENRICHED_TICKS.name, "AAA", TUESDAY))
    assert told(plan(store, settings, [TUESDAY]).due) == [
        (TUESDAY, "CCC", "missing"), (TUESDAY, "BBB", "failed"), (TUESDAY, "AAA", "stale"),
    ]  # fmt: skip


def test_a_symbol_of_which_a_table_is_not_there_is_missing(store: Store, settings: Settings) -> None:
    commit(store, settings, TUESDAY, at(TUESDAY, "21:00"))
    store.manifest.remove(PHASE1_TABLE, TUESDAY, ["BBB"])
    assert told(plan(store, settings, [TUESDAY]).due) == [(TUESDAY, "BBB", "missing")]


def test_nothing_was_missed_before_the_stores_first_date_or_without_a_store(settings: Settings) -> None:
    store = empty_store()
    assert plan(None, settings) == plan(store, settings) == CatchUpPlan()
    commit(store, settings, WEDNESDAY, at(WEDNESDAY, "21:00"))
    assert told(plan(store, settings).due) == [(NEXT_MONDAY, "all", "missing"), (HALF_DAY, "all", "missing")]


def test_dates_that_are_worked_on_are_not_planned(store: Store, settings: Settings) -> None:
    found = plan(store, settings, busy={NEXT_MONDAY, TUESDAY})
    assert [due.date for due in found.due] == [HALF_DAY, WEDNESDAY]


def test_a_symbol_that_is_new_in_the_settings_is_missing_on_every_date(store: Store, settings: Settings) -> None:
    chosen = settings.model_copy(update={"symbols": (*SYMBOLS, "NEW")})
    assert told(plan(store, chosen, [MONDAY]).due) == [(MONDAY, "NEW", "missing")]


# -- what the source has -------------------------------------------------------------


def test_dates_of_which_no_symbol_has_a_file_are_nobodys_loss(store: Store, settings: Settings, tmp_path: Path) -> None:
    files = settings.files.model_copy(update={"path": tmp_path / "ticks"})
    chosen = settings.model_copy(update={"source": "files", "files": files})
    for symbol, date in (("AAA", WEDNESDAY), ("BBB", NEXT_MONDAY), ("ZZZ", HALF_DAY)):
        path = files.path / f"symbol={symbol}" / f"date={date}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    assert [due.date for due in plan(store, chosen).due] == [NEXT_MONDAY, WEDNESDAY]


def test_a_plan_that_cannot_be_made_because_the_folder_of_files_is_gone_says_so(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    files = settings.files.model_copy(update={"path": tmp_path / "nowhere"})
    found = plan(store, settings.model_copy(update={"source": "files", "files": files}))
    assert (found.due, found.given_up, found.seconds) == ((), (), None)
    assert str(found) == (
        f"source cannot be asked: {tmp_path / 'nowhere'}: no such file or folder; set FUZZY_FILES__PATH to your tick"
        " files"
    )


def test_a_folder_of_files_that_may_not_be_read_makes_no_plan_either(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> set[dt.date]:
        raise PermissionError(13, "Permission denied", "/ticks")

    monkeypatch.setattr(catch_up, "dates_offered", refused)
    assert str(plan(store, settings)) == "source cannot be asked: [Errno 13] Permission denied: '/ticks'"


def test_dates_that_the_feed_does_not_keep_any_more_are_not_asked_for(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    evening = at(NEXT_MONDAY, "21:00")
    monkeypatch.setattr(opening, "now_eastern", lambda: evening)
    history = settings.history.model_copy(update={"calendar_days": 4})  # back to Thanksgiving, 2025-11-27
    chosen = settings.model_copy(update={"source": "iqfeed", "history": history})
    assert [due.date for due in plan(store, chosen).due] == [NEXT_MONDAY, HALF_DAY]


# -- given up ------------------------------------------------------------------------


def tried(tries: Mapping[dt.date, int], symbols: Iterable[str] = SYMBOLS) -> dict[tuple[str, dt.date], int]:
    """So many failed tries of each of the symbols."""
    return {(symbol, date): count for date, count in tries.items() for symbol in symbols}


def test_a_date_is_given_up_after_its_tries_and_said_so(store: Store, settings: Settings) -> None:
    tries = tried({NEXT_MONDAY: 2, HALF_DAY: 3, WEDNESDAY: 4})
    found = plan(store, with_rules(settings, tries=3), failed_tries=tries)
    assert [due.date for due in found.due] == [NEXT_MONDAY, TUESDAY]
    assert [due.date for due in found.given_up] == [HALF_DAY, WEDNESDAY]
    assert str(found).endswith("; given up: 2025-11-28 missing, 2025-11-26 missing")


def test_a_symbol_without_tries_left_is_given_up_and_the_others_of_its_date_are_due(
    store: Store, settings: Settings
) -> None:
    commit(store, settings, TUESDAY, at(TUESDAY, "21:00"), symbols=("AAA",))
    fail(store, TUESDAY, at(TUESDAY, "22:00"), {"CCC": "SourceUnavailableError"})
    found = plan(store, settings, [TUESDAY], failed_tries={("CCC", TUESDAY): 3, ("AAA", WEDNESDAY): 3})
    assert told(found.due) == [(TUESDAY, "BBB", "missing")]
    assert told(found.given_up) == [(TUESDAY, "CCC", "failed")]


def test_symbols_of_one_cause_are_parted_by_who_has_tries_left(store: Store, settings: Settings) -> None:
    found = plan(store, settings, [TUESDAY, WEDNESDAY], failed_tries=tried({WEDNESDAY: 3}, ["AAA", "CCC"]))
    assert told(found.due) == [(WEDNESDAY, "BBB", "missing"), (TUESDAY, "all", "missing")]
    assert told(found.given_up) == [(WEDNESDAY, "AAA CCC", "missing")]


def test_only_the_symbols_of_a_run_that_was_killed_are_run_again(store: Store, settings: Settings) -> None:
    found = plan(store, settings, [MONDAY], broken_off={("BBB", MONDAY), ("BBB", TUESDAY)})
    assert told(found.due) == [(MONDAY, "BBB", "failed")]


# -- gaps ----------------------------------------------------------------------------


def lost_ticks(store: Store, date: dt.date, **lost: int | None) -> None:
    """Phase 1 of symbols that counts so many lost ticks."""
    rows = [
        {"symbol": symbol, "date": date, "data_quality": {"lost_tick_count": count}} for symbol, count in lost.items()
    ]
    store.light.replace_symbols(PHASE1_TABLE, date, pa.Table.from_pylist(rows), list(lost))


def test_a_symbol_day_with_lost_ticks_is_fetched_once_more(store: Store, settings: Settings) -> None:
    lost_ticks(store, MONDAY, AAA=2, BBB=0, CCC=None)
    (due,) = plan(store, settings, [MONDAY]).due
    assert told([due]) == [(MONDAY, "AAA", "gaps")]
    assert due.force_source
    (row,) = store.manifest.rows(RAW_TICKS.name, [MONDAY], ["AAA"])
    store.manifest.commit(RAW_TICKS.name, MONDAY, [row.model_copy(update={"notes": {REFETCHED: "same ticks"}})])
    assert plan(store, settings, [MONDAY]).due == ()


def test_gaps_can_be_left_alone_and_other_causes_fetch_nothing_again(store: Store, settings: Settings) -> None:
    lost_ticks(store, MONDAY, AAA=2)
    assert plan(store, with_rules(settings, repair_gaps=False), [MONDAY]).due == ()
    assert [due.force_source for due in plan(store, settings).due] == [False] * 4 + [True]


def test_gaps_count_for_more_than_being_out_of_date_and_for_less_than_a_failure(
    store: Store, settings: Settings, out_of_date: set[tuple[str, str, dt.date]]
) -> None:
    lost_ticks(store, MONDAY, AAA=1, BBB=1)
    out_of_date |= {(ENRICHED_TICKS.name, symbol, MONDAY) for symbol in ("AAA", "CCC")}
    fail(store, MONDAY, at(MONDAY, "22:00"), {"BBB": "StoreError"})
    assert told(plan(store, settings, [MONDAY]).due) == [
        (MONDAY, "BBB", "failed"), (MONDAY, "AAA", "gaps"), (MONDAY, "CCC", "stale"),
    ]  # fmt: skip


# -- how long ------------------------------------------------------------------------


def measured(store: Store, settings: Settings, date: dt.date, **seconds: float) -> None:
    """All tables of symbols; the whole symbol-day took so long, of which the source took all but a second."""
    tables = pipeline_tables(settings)
    commit(store, settings, date, at(date, "21:00"), tuple(seconds), tables)
    for table in tables:
        rows = store.manifest.rows(table, [date], list(seconds))
        changed = [
            row.model_copy(update={"seconds": seconds[row.symbol], "latency_s": seconds[row.symbol] - 1})
            if table == RAW_TICKS.name
            else row.model_copy(update={"seconds": 0.0})
            for row in rows
        ]
        store.manifest.commit(table, date, changed)


def test_the_estimate_is_the_median_of_measured_seconds_of_each_symbol(settings: Settings) -> None:
    store = empty_store()
    measured(store, settings, MONDAY, AAA=10, BBB=100)
    measured(store, settings, TUESDAY, AAA=30, BBB=100)
    measured(store, settings, WEDNESDAY, AAA=20, BBB=400)
    found = plan(store, settings, [HALF_DAY])
    # CCC was never measured: it counts with the median of all, of 10, 20, 30, 100, 100, 400.
    assert [due.seconds for due in found.due] == [20 + 100 + 65]
    assert found.seconds == 185
    assert plan(store, settings, [HALF_DAY, NEXT_MONDAY]).seconds == 2 * 185
    assert plan(store, settings, [HALF_DAY], workers=5).seconds == 37


def test_symbols_that_are_not_due_cost_nothing(settings: Settings) -> None:
    store = empty_store()
    measured(store, settings, MONDAY, AAA=10, BBB=100, CCC=1000)
    store.manifest.remove(PHASE1_TABLE, MONDAY, ["BBB"])
    assert plan(store, settings, [MONDAY]).seconds == 100


def test_dates_given_up_are_not_in_the_estimate(settings: Settings) -> None:
    store = empty_store()
    measured(store, settings, MONDAY, AAA=10, BBB=10, CCC=10)
    assert plan(store, settings, [TUESDAY], failed_tries=tried({TUESDAY: 3})).seconds is None


# -- words and dates -----------------------------------------------------------------


def test_the_plan_in_words() -> None:
    first, second = Due(TUESDAY, ("AAA", "BBB"), "failed", 30.0), Due(MONDAY, (), "stale", 90.0)
    assert str(CatchUpPlan()) == "nothing is due"
    assert str(CatchUpPlan((first,), seconds=30.0)) == (
        "1 runs due (1 failed), about 30 s; next 2025-11-25 (AAA, BBB) failed"
    )
    assert str(CatchUpPlan((first, second), seconds=120.0)) == (
        "2 runs due (1 failed, 1 stale), about 2 min; next 2025-11-25 (AAA, BBB) failed"
    )
    assert str(CatchUpPlan((second,), (first,))) == (
        "1 runs due (1 stale), no rate measured yet; next 2025-11-24 stale; given up: 2025-11-25 (AAA, BBB) failed"
    )


def test_dates_looked_at_are_the_trading_dates_of_the_last_days_and_of_the_settings(settings: Settings) -> None:
    assert catch_up_dates(with_rules(settings, lookback_days=6), NEXT_MONDAY) == (
        TUESDAY, WEDNESDAY, HALF_DAY, NEXT_MONDAY,
    )  # fmt: skip
    assert catch_up_dates(settings, NEXT_MONDAY, lookback_days=3) == (HALF_DAY, NEXT_MONDAY)
    later = settings.model_copy(update={"first_date": WEDNESDAY})
    assert catch_up_dates(later, NEXT_MONDAY) == (WEDNESDAY, HALF_DAY, NEXT_MONDAY)
    assert catch_up_dates(later, TUESDAY) == ()
    assert len(catch_up_dates(settings, now_eastern().date())) > 15  # 30 calendar days

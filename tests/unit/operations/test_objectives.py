"""Objectives: which dates were done in time, how fresh the store is, and how much of the error budget is used."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from pydantic import ValidationError

from fuzzy_pipeline.alert_settings import ObjectiveSettings
from fuzzy_pipeline.assets.partitions import last_partition_date
from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.operations.date_outcomes import date_outcomes
from fuzzy_pipeline.operations.objectives import (
    FIRST_COMPLETE,
    Attainment,
    ObjectiveState,
    deadline_of,
    latest_dates,
    note_first_complete,
    objective_lines,
    objective_state,
    partition_appears,
    read_first_complete,
)
from fuzzy_pipeline.report.facts import date_facts
from fuzzy_pipeline.report.verdicts import deadline, judged
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.stores.stamp import new_stamp, write_stamp
from fuzzy_pipeline.stores.store import Store
from tests.unit.operations.planted_dates import (
    HALF_DAY,
    MONDAY,
    NEXT_MONDAY,
    SYMBOLS,
    TUESDAY,
    WEDNESDAY,
    at,
    commit,
    complete,
    empty_store,
    fail,
    judge,
    settings_at,
)

NOON_AFTER = at(HALF_DAY + dt.timedelta(days=1), "12:00")
"""Saturday noon: the deadlines of all four dates have passed, the half day's successor has not begun."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(tmp_path / "home")


@pytest.fixture
def store() -> Store:
    return empty_store()


def attained(state: ObjectiveState) -> dict[str, Attainment]:
    return {one.objective.name: one for one in state.attainments}


def state_of(store: Store, settings: Settings, now: dt.datetime = NOON_AFTER, **chosen: object) -> ObjectiveState:
    return objective_state(store, settings, ObjectiveSettings(**chosen), now)  # type: ignore[arg-type]


# -- done in time, fresh, failed ----------------------------------------------------------


def test_dates_complete_by_the_deadline_are_good_and_late_or_degraded_ones_use_the_budget(
    store: Store, settings: Settings
) -> None:
    complete(store, settings, MONDAY, at(MONDAY, "22:59"))
    complete(store, settings, TUESDAY, at(TUESDAY, "23:00"))
    complete(store, settings, WEDNESDAY, at(WEDNESDAY, "23:01"))
    commit(store, settings, HALF_DAY, at(HALF_DAY, "22:00"), symbols=("AAA", "BBB"))
    judge(store, HALF_DAY, at(HALF_DAY, "22:00"))
    done = attained(state_of(store, settings, window_dates=4, nightly_done=0.75))["nightly_done"]
    # Two of four; a window of four allows one: twice the budget.
    assert (done.good, done.total, done.allowed, done.compliance) == (2, 4, 1.0, 0.5)
    assert done.missed == ("2025-11-28", "2025-11-26")
    assert (done.budget_used, done.is_met) == (2.0, False)


def test_a_late_date_is_still_fresh_when_it_is_complete_before_the_next_one_begins(
    store: Store, settings: Settings
) -> None:
    # Tuesday's partition appears on Tuesday at 20:00 EST.
    complete(store, settings, MONDAY, at(TUESDAY, "19:59"))
    complete(store, settings, TUESDAY, at(WEDNESDAY, "20:01"))
    state = state_of(store, settings, now=at(HALF_DAY, "12:00"), window_dates=2)
    assert attained(state)["nightly_done"].good == 0
    fresh = attained(state)["freshness"]
    # Wednesday, of which nothing is there, may still come before the half day begins: it is not judged yet.
    assert (fresh.good, fresh.total, fresh.missed) == (0, 1, ("2025-11-25",))
    assert attained(state_of(store, settings, now=at(WEDNESDAY, "12:00")))["freshness"].good == 1


def test_failed_symbol_days_are_held_against_what_a_whole_window_allows(store: Store, settings: Settings) -> None:
    for date in (MONDAY, TUESDAY, WEDNESDAY, HALF_DAY):
        complete(store, settings, date, at(date, "22:00"))
    fail(store, TUESDAY, at(TUESDAY, "22:30"), {"BBB": "SourceTimeoutError"})
    share = attained(state_of(store, settings))["failure_share"]
    # One of 4 × 3 symbol-days; 1 % of 20 × 3 is 0.6.
    assert (share.bad, share.total, share.allowed) == (1, 12, 0.6)
    assert share.budget_used == pytest.approx(1 / 0.6)
    assert share.missed == ("BBB 2025-11-25",)


def test_a_failure_that_a_later_commit_mended_does_not_count(store: Store, settings: Settings) -> None:
    fail(store, MONDAY, at(MONDAY, "21:30"), {"BBB": "SourceTimeoutError"})
    complete(store, settings, MONDAY, at(MONDAY, "22:00"))
    state = state_of(store, settings, now=at(TUESDAY, "12:00"))
    assert attained(state)["failure_share"].bad == 0
    assert attained(state)["nightly_done"].good == 1


def test_one_miss_of_a_new_store_is_within_the_budget_of_a_whole_window(store: Store, settings: Settings) -> None:
    complete(store, settings, MONDAY, at(MONDAY, "22:00"))
    complete(store, settings, TUESDAY, at(TUESDAY, "23:30"))
    done = attained(state_of(store, settings, now=at(WEDNESDAY, "12:00")))["nightly_done"]
    assert done.compliance == 0.5
    # 5 % of twenty dates is one.
    assert (done.budget_used, done.is_met) == (1.0, True)


@pytest.mark.parametrize(("target", "bad"), [(0.9, 2), (0.8, 4), (0.95, 1), (0.7, 6), (0.55, 9)])
def test_a_budget_that_is_used_up_exactly_is_not_overspent(
    store: Store, settings: Settings, target: float, bad: int
) -> None:
    dates = latest_dates(NOON_AFTER, 20, partition_appears)
    for number, date in enumerate(dates):
        complete(store, settings, date, at(date, "23:30" if number < bad else "22:00"))
    done = attained(state_of(store, settings, nightly_done=target))["nightly_done"]
    assert (done.bad, done.budget_used, done.is_met) == (bad, 1.0, True)


def test_nothing_is_promised_of_an_empty_store(store: Store, settings: Settings) -> None:
    state = state_of(store, settings)
    assert (state.last_due, state.last_partition, state.overdue_s, state.age_dates) == (None, None, None, None)
    assert [one.is_met for one in state.attainments] == [None, None, None]
    assert objective_lines(state)[0] == "nightly_done: no date yet"


def test_dates_whose_deadline_was_over_before_the_store_was_made_are_not_late(settings: Settings) -> None:
    memory = empty_store()
    store = Store(kind="simulated", root=settings.home, heavy=memory.heavy, light=memory.light, location=None)
    settings.home.mkdir()
    stamp = new_stamp("simulated", settings.home, settings.heavy_uri)
    write_stamp(settings.home, stamp.model_copy(update={"created_at": at(WEDNESDAY, "09:00")}))
    for date in (MONDAY, TUESDAY):
        complete(store, settings, date, at(WEDNESDAY, "10:00"))
    complete(store, settings, WEDNESDAY, at(WEDNESDAY, "22:00"))
    state = state_of(store, settings, now=at(HALF_DAY, "12:00"))
    assert (attained(state)["nightly_done"].good, attained(state)["nightly_done"].total) == (1, 1)
    # Whether symbols failed has nothing to do with when.
    assert attained(state)["failure_share"].total == 9


# -- verdicts ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "what", ["complete", "unjudged", "error", "warning", "unknown", "failed", "missing", "partial"]
)
def test_the_verdict_is_that_of_the_report(store: Store, settings: Settings, what: str) -> None:
    evening = at(MONDAY, "22:00")
    commit(store, settings, TUESDAY, at(TUESDAY, "22:00"))
    if what != "missing":
        commit(store, settings, MONDAY, evening, tables=pipeline_tables(settings)[:2] if what == "partial" else None)
    if what not in ("missing", "unjudged"):
        judge(store, MONDAY, evening)
    if what in ("error", "warning"):
        judge(store, MONDAY, evening, "failed", what, symbols=("BBB",))  # type: ignore[arg-type]
    if what == "unknown":
        judge(store, MONDAY, evening, "could_not_run")
    if what == "failed":
        fail(store, MONDAY, at(MONDAY, "22:30"), {"CCC": "QualityError"})
    now = deadline(MONDAY)
    found = date_outcomes(store, settings, [MONDAY], is_due=lambda date: True)[0]
    by_report = judged(date_facts(store, MONDAY, pipeline_tables(settings)), SYMBOLS, now)
    assert found.verdict == by_report.verdict
    expected = {"complete": "complete", "warning": "complete", "unknown": "complete", "missing": "missing"}
    assert found.verdict == expected.get(what, "degraded")
    assert (found.complete_at is not None) == (found.verdict == "complete")


def test_a_date_is_complete_when_its_last_table_is_committed_and_judged(store: Store, settings: Settings) -> None:
    commit(store, settings, MONDAY, at(MONDAY, "21:00"))
    commit(store, settings, MONDAY, at(MONDAY, "22:10"), symbols=("CCC",), tables=pipeline_tables(settings)[-1:])
    judge(store, MONDAY, at(MONDAY, "22:12"))
    outcome = date_outcomes(store, settings, [MONDAY], is_due=lambda date: True)[0]
    assert outcome.complete_at == at(MONDAY, "22:12")


@pytest.mark.parametrize("symbols", [SYMBOLS, SYMBOLS[1:]])
def test_a_date_whose_ticks_were_retired_stays_complete(
    store: Store, settings: Settings, symbols: tuple[str, ...]
) -> None:
    complete(store, settings, MONDAY, at(MONDAY, "18:00"))
    rows = store.manifest.rows(RAW_TICKS.name, [MONDAY], symbols)
    store.retired.add(MONDAY, rows, at(TUESDAY, "03:00"), "too old")
    store.manifest.remove(RAW_TICKS.name, MONDAY, symbols)
    (outcome,) = date_outcomes(store, settings, [MONDAY], is_due=lambda date: True)
    assert (outcome.verdict, outcome.absent) == ("complete", 0)
    assert outcome.complete_at == at(MONDAY, "18:00")


def test_before_its_deadline_a_date_is_pending_and_nothing_is_overdue(store: Store, settings: Settings) -> None:
    complete(store, settings, MONDAY, at(MONDAY, "22:00"))
    commit(store, settings, TUESDAY, at(TUESDAY, "21:00"), symbols=("AAA",))
    state = state_of(store, settings, now=at(TUESDAY, "22:30"))
    outcome = state.outcome(TUESDAY)
    assert outcome is not None
    assert (outcome.verdict, outcome.absent) == ("pending", 2)
    assert (state.last_due, state.last_partition, state.newest_complete) == (MONDAY, TUESDAY, MONDAY)
    assert (state.overdue_s, state.age_dates) == (0.0, 1)


def test_what_is_overdue_is_counted_from_the_deadline(store: Store, settings: Settings) -> None:
    complete(store, settings, MONDAY, at(MONDAY, "22:00"))
    state = state_of(store, settings, now=at(HALF_DAY, "12:00"))
    # Wednesday 23:00 to Friday 12:00, Thanksgiving between: 37 hours; Tuesday and Wednesday have begun since.
    assert (state.last_due, state.overdue_s, state.age_dates) == (WEDNESDAY, 37 * 3600.0, 2)
    assert objective_lines(state)[-1] == "overdue: 2025-11-26 is not complete, 37.0 h after its deadline"


def test_the_newest_complete_date_is_found_though_the_window_has_none(store: Store, settings: Settings) -> None:
    complete(store, settings, MONDAY, at(MONDAY, "22:00"))
    commit(store, settings, TUESDAY, at(TUESDAY, "22:00"), symbols=("AAA",))
    state = state_of(store, settings, window_dates=2)
    assert [one.date for one in state.outcomes] == [WEDNESDAY, HALF_DAY]
    # Tuesday, Wednesday and Friday have begun since.
    assert (state.newest_complete, state.age_dates) == (MONDAY, 3)


# -- rebuilds ---------------------------------------------------------------------------


def test_a_rebuild_does_not_make_a_date_late_that_was_seen_complete_in_time(store: Store, settings: Settings) -> None:
    complete(store, settings, MONDAY, at(MONDAY, "22:00"))
    note_first_complete(settings.home, state_of(store, settings, now=at(TUESDAY, "12:00")).outcomes)
    complete(store, settings, MONDAY, at(HALF_DAY, "10:00"))
    state = state_of(store, settings, now=at(HALF_DAY, "12:00"))
    assert str(MONDAY) not in attained(state)["nightly_done"].missed
    kept = note_first_complete(settings.home, state.outcomes)
    assert kept[MONDAY] == at(MONDAY, "22:00")
    assert read_first_complete(settings.home) == kept


def test_a_date_that_became_degraded_after_it_was_done_in_time_was_done_in_time(
    store: Store, settings: Settings
) -> None:
    complete(store, settings, MONDAY, at(MONDAY, "22:00"))
    note_first_complete(settings.home, state_of(store, settings, now=at(TUESDAY, "12:00")).outcomes)
    judge(store, MONDAY, at(TUESDAY, "13:00"), "failed")
    state = state_of(store, settings, now=at(TUESDAY, "14:00"))
    assert attained(state)["nightly_done"].good == 1
    outcome = state.outcome(MONDAY)
    assert outcome is not None
    assert outcome.verdict == "degraded"
    assert state.newest_complete is None


def test_a_damaged_history_is_an_error_not_a_guess(settings: Settings) -> None:
    path = settings.home / FIRST_COMPLETE
    path.parent.mkdir(parents=True)
    path.write_text("{half", encoding="utf-8")
    with pytest.raises(StoreError, match="first_complete"):
        read_first_complete(settings.home)


# -- instants and settings ----------------------------------------------------------------


def test_a_partition_appears_when_dagster_says_it_does() -> None:
    first = dt.datetime(2025, 1, 1, 0, 30, tzinfo=dt.UTC)
    for hours in range(0, 24 * 365, 1):
        now = first + dt.timedelta(hours=hours)
        assert latest_dates(now, 1, partition_appears) == (last_partition_date(now),), now


def test_a_deadline_in_the_morning_is_the_next_calendar_days() -> None:
    chosen = ObjectiveSettings(deadline=dt.time(6, 30))
    assert deadline_of(HALF_DAY, chosen) == at(HALF_DAY + dt.timedelta(days=1), "06:30")
    assert deadline_of(HALF_DAY, ObjectiveSettings()) == at(HALF_DAY, "23:00")
    # The deadline of a Friday is on Saturday morning, not on Monday's.
    assert latest_dates(at(HALF_DAY, "23:30"), 1, lambda date: deadline_of(date, chosen)) == (WEDNESDAY,)
    assert latest_dates(at(NEXT_MONDAY, "06:00"), 1, lambda date: deadline_of(date, chosen)) == (HALF_DAY,)


@pytest.mark.parametrize("value", ["18:00", "12:00", "20:59", "23:00Z"])
def test_a_deadline_before_the_run_can_begin_or_with_a_zone_is_refused(value: str) -> None:
    with pytest.raises(ValidationError, match=r"deadline|begins"):
        ObjectiveSettings.model_validate({"deadline": value})


def test_the_line_names_the_latest_misses(store: Store, settings: Settings) -> None:
    dates = latest_dates(NOON_AFTER, 20, partition_appears)
    for date in dates:
        complete(store, settings, date, at(date, "23:30"))
    line = objective_lines(state_of(store, settings))[0]
    assert line == (
        "nightly_done: 0 of 20 dates (0.0%, wanted 95.0%), 2000% of the error budget used; not 2025-11-28, 2025-11-26,"
        " 2025-11-25, 2025-11-24, 2025-11-21 and 15 more"
    )

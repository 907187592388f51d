"""What the plan means for Dagster: tries, dates that are worked on, and the runs that are asked for."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test

from fuzzy_pipeline.catch_up_settings import CatchUpSettings
from fuzzy_pipeline.operations.catch_up import CatchUpPlan, Due
from fuzzy_pipeline.resources.run_tags import (
    CATCH_UP_TAG,
    FORCE_TAG,
    REFETCH_TAG,
    SETTINGS_TAG,
    SYMBOLS_TAG,
    settings_fingerprint,
)
from fuzzy_pipeline.schedules.catch_up import (
    PARTITION_TAG,
    PLAN_ASSET,
    busy_dates,
    catch_up_sensor,
    current_plan,
    failed_tries,
    next_requests,
    plan_event,
    request,
)
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.rank_symbols import rank_date
from fuzzy_pipeline.steps.workbench import close_workbenches
from tests.unit.schedules.conftest import settings_of_home
from tests.unit.steps.simulated_dates import build

MONDAY, TUESDAY, WEDNESDAY, FRIDAY = (dt.date(2025, 11, day) for day in (24, 25, 26, 28))
Status = dg.DagsterRunStatus


def put_run(
    instance: dg.DagsterInstance,
    status: dg.DagsterRunStatus,
    date: dt.date | None = TUESDAY,
    *,
    catch_up: bool = True,
    job: str = "nightly",
) -> None:
    """A run of a date that the instance knows of."""
    tags = {} if date is None else {PARTITION_TAG: date.isoformat()}
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "all"), job)
    create_run_for_test(
        instance, job, status=status, tags=tags | ({CATCH_UP_TAG: "true"} if catch_up else {}), remote_job_origin=origin
    )


# -- tries ---------------------------------------------------------------------------


def test_tries_are_catch_up_runs_of_the_date_that_ended_badly(instance: dg.DagsterInstance) -> None:
    assert failed_tries(instance, TUESDAY) == 0
    for status in (Status.FAILURE, Status.CANCELED, Status.STARTED, Status.QUEUED):
        put_run(instance, status)
    put_run(instance, Status.FAILURE, WEDNESDAY)
    put_run(instance, Status.FAILURE, catch_up=False)
    assert failed_tries(instance, TUESDAY) == 2
    assert failed_tries(instance, WEDNESDAY) == 1


def test_tries_before_the_last_success_do_not_count(instance: dg.DagsterInstance) -> None:
    put_run(instance, Status.FAILURE)
    put_run(instance, Status.FAILURE)
    put_run(instance, Status.SUCCESS)
    assert failed_tries(instance, TUESDAY) == 0
    put_run(instance, Status.FAILURE)
    assert failed_tries(instance, TUESDAY) == 1


def test_a_date_that_a_person_ran_well_is_no_longer_given_up(instance: dg.DagsterInstance) -> None:
    for _ in range(3):
        put_run(instance, Status.FAILURE)
    put_run(instance, Status.SUCCESS, WEDNESDAY, catch_up=False)
    assert failed_tries(instance, TUESDAY) == 3
    put_run(instance, Status.SUCCESS, catch_up=False)
    assert failed_tries(instance, TUESDAY) == 0


# -- dates that are worked on --------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "busy"),
    [
        (Status.NOT_STARTED, True), (Status.QUEUED, True), (Status.STARTING, True), (Status.STARTED, True),
        (Status.CANCELING, True), (Status.SUCCESS, False), (Status.FAILURE, False), (Status.CANCELED, False),
    ],
)  # fmt: skip
def test_a_date_is_busy_while_a_run_waits_or_works(
    instance: dg.DagsterInstance, status: dg.DagsterRunStatus, busy: bool
) -> None:
    put_run(instance, status, catch_up=False)
    assert busy_dates(instance) == ({TUESDAY} if busy else set())


def test_a_run_of_no_date_makes_none_busy(instance: dg.DagsterInstance) -> None:
    put_run(instance, Status.STARTED, None, job="store_care")
    assert busy_dates(instance) == set()


# -- which runs of a plan ------------------------------------------------------------


def settings_of(**rules: Any) -> Settings:
    return Settings(_env_file=None, catch_up=CatchUpSettings(**rules))


def missing(*dates: dt.date) -> list[Due]:
    return [Due(date, (), "missing", None) for date in dates]


def stale(*dates: dt.date) -> list[Due]:
    return [Due(date, (), "stale", None) for date in dates]


def chosen(due: list[Due], active: int = 0, **rules: Any) -> list[dt.date]:
    return [one.date for one in next_requests(CatchUpPlan(tuple(due)), settings_of(**rules), active)]


def test_as_many_runs_are_asked_for_as_there_is_room(instance: dg.DagsterInstance) -> None:
    due = missing(FRIDAY, WEDNESDAY, TUESDAY, MONDAY)
    assert chosen(due, max_runs=3) == [FRIDAY, WEDNESDAY, TUESDAY]
    assert chosen(due, active=2, max_runs=3) == [FRIDAY]
    assert chosen(due, active=3, max_runs=3) == []
    assert chosen(due, active=9, max_runs=3) == []
    assert chosen(due, max_runs=16) == [FRIDAY, WEDNESDAY, TUESDAY, MONDAY]


def test_a_date_is_asked_for_once_at_a_time() -> None:
    due = [Due(FRIDAY, ("AAA",), "missing", None, is_key=True), *missing(FRIDAY, WEDNESDAY)]
    found = next_requests(CatchUpPlan(tuple(due)), settings_of(max_runs=3), 0)
    assert [(one.date, one.symbols) for one in found] == [(FRIDAY, ("AAA",)), (WEDNESDAY, ())]


def test_dates_out_of_date_run_alone_one_after_the_other() -> None:
    assert chosen(stale(MONDAY, TUESDAY), max_runs=4) == [MONDAY]
    assert chosen(stale(MONDAY, TUESDAY), active=1, max_runs=4) == []
    assert chosen([*missing(FRIDAY), *stale(MONDAY)], max_runs=4) == [FRIDAY]


def test_an_empty_plan_asks_for_nothing() -> None:
    assert chosen([]) == []


# -- what is asked for ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("due", "tags"),
    [
        (Due(TUESDAY, (), "missing", 3.0), {"dagster/priority": "-5"}),
        (Due(TUESDAY, ("SPY",), "failed", None, is_key=True), {SYMBOLS_TAG: "SPY", "dagster/priority": "1"}),
        (
            Due(TUESDAY, ("AAA", "BBB"), "gaps", 1.0),
            {SYMBOLS_TAG: "AAA,BBB", REFETCH_TAG: "true", "dagster/priority": "-5"},
        ),
        (Due(TUESDAY, (), "stale", 1.0), {"dagster/priority": "-5"}),
    ],
)
def test_a_run_is_told_its_symbols_and_whether_to_fetch_again(due: Due, tags: Mapping[str, str]) -> None:
    settings = settings_of()
    asked = request(due, settings)
    assert asked.partition_key == "2025-11-25"
    assert asked.tags == {CATCH_UP_TAG: "true", SETTINGS_TAG: settings_fingerprint(settings), **tags}
    assert FORCE_TAG not in asked.tags


def test_the_plan_is_shown_with_a_line_for_every_run_and_those_given_up() -> None:
    plan = CatchUpPlan(
        (Due(FRIDAY, (), "missing", 12.4),), (Due(MONDAY, ("AAA", "BBB"), "failed", None),), seconds=12.4
    )
    event = plan_event(plan)
    values = {name: value.value for name, value in event.metadata.items()}
    assert event.asset_key == dg.AssetKey(PLAN_ASSET)
    assert (values["due"], values["given_up"], values["seconds"]) == (1, 1, 12.4)
    assert values["summary"] == str(plan)
    assert values["runs"].splitlines()[2:] == [
        "| 2025-11-28 | all | missing | 12 |", "| 2025-11-24 | AAA, BBB | failed |  |",
    ]  # fmt: skip
    nothing = {name: value.value for name, value in plan_event(CatchUpPlan()).metadata.items()}
    assert (nothing["seconds"], nothing["runs"]) == ("not measured yet", "Nothing is due.")


# -- the sensor ----------------------------------------------------------------------

PARTITIONS = dg.DailyPartitionsDefinition(
    start_date="2025-11-25", end_date="2025-11-29", exclusions=[dt.datetime.fromisoformat("2025-11-27")]
)
"""Tuesday, Wednesday and Friday: the same dates whenever the test runs."""


@dg.job(name="nightly", partitions_def=PARTITIONS)
def nightly() -> None:
    """Stands for the nightly job; the sensor only asks for it."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Stores with one, two and three complete dates; tests take copies."""
    settings = settings_of_home(tmp_path_factory.mktemp("built"))
    found = []
    for date in (TUESDAY, WEDNESDAY, FRIDAY):
        build(settings, date)
        rank_date(date, settings)
        close_workbenches()
        found.append(tmp_path_factory.mktemp("store") / "store")
        shutil.copytree(settings.home / "store", found[-1])
    return found


Built = Callable[[int], None]


@pytest.fixture
def built(home: Settings, stores: list[Path]) -> Built:
    """Puts the first dates into the home."""
    return lambda dates: shutil.copytree(stores[dates - 1], home.home / "store")


def evaluated(instance: dg.DagsterInstance, cursor: str | None = None) -> dg.SensorResult | dg.SkipReason:
    sensor = catch_up_sensor(nightly, PARTITIONS)
    context = dg.build_sensor_context(instance=instance, cursor=cursor)
    found = sensor(context)
    assert isinstance(found, dg.SensorResult | dg.SkipReason)
    return found


def asked(found: dg.SensorResult | dg.SkipReason) -> list[str | None]:
    assert isinstance(found, dg.SensorResult)
    return [one.partition_key for one in found.run_requests or []]


def test_the_sensor_asks_for_what_was_missed_the_newest_first_and_says_its_plan(
    built: Built, instance: dg.DagsterInstance
) -> None:
    built(1)
    found = evaluated(instance)
    assert isinstance(found, dg.SensorResult)
    assert asked(found) == ["2025-11-28", "2025-11-26"]
    for one in found.run_requests or []:
        assert one.tags[CATCH_UP_TAG] == "true"
        assert one.tags[SETTINGS_TAG] == settings_fingerprint(load_settings())
        assert SYMBOLS_TAG not in one.tags
    assert found.cursor is not None
    assert found.cursor.startswith("2 runs due (2 missing), about ")
    (event,) = found.asset_events
    assert event.asset_key == dg.AssetKey(PLAN_ASSET)
    again = evaluated(instance, found.cursor)
    assert isinstance(again, dg.SensorResult)
    assert (len(again.run_requests or []), list(again.asset_events)) == (2, [])  # the plan has not changed


def test_the_sensor_waits_while_its_runs_are_under_way(built: Built, instance: dg.DagsterInstance) -> None:
    built(1)
    put_run(instance, Status.QUEUED, FRIDAY)
    assert asked(evaluated(instance)) == ["2025-11-26"]  # the other of the two places
    put_run(instance, Status.STARTED, WEDNESDAY)
    last = evaluated(instance)
    assert isinstance(last, dg.SensorResult)
    assert (asked(last), last.cursor, len(list(last.asset_events))) == ([], "nothing is due", 1)
    skipped = evaluated(instance, last.cursor)
    assert isinstance(skipped, dg.SkipReason)
    assert skipped.skip_message == "nothing is due"


def test_the_sensor_gives_a_date_up_after_its_tries(built: Built, instance: dg.DagsterInstance) -> None:
    built(2)
    for _ in range(3):
        put_run(instance, Status.FAILURE, FRIDAY)
    found = evaluated(instance)
    assert isinstance(found, dg.SensorResult)
    assert (asked(found), found.cursor) == ([], "nothing is due; given up: 2025-11-28 missing")


def test_the_sensor_rebuilds_what_went_out_of_date_the_oldest_first_and_alone(
    built: Built, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(3)
    assert asked(evaluated(instance)) == []
    monkeypatch.setenv("FUZZY_ELIGIBILITY_PROFILE", "sip")
    assert asked(evaluated(instance)) == ["2025-11-25"]
    put_run(instance, Status.STARTED, TUESDAY)
    assert asked(evaluated(instance)) == []


def test_the_sensor_can_be_switched_off(
    built: Built, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(1)
    monkeypatch.setenv("FUZZY_CATCH_UP__ENABLED", "false")
    found = evaluated(instance)
    assert isinstance(found, dg.SkipReason)
    assert found.skip_message == "switched off by FUZZY_CATCH_UP__ENABLED"


def test_without_a_store_nothing_was_missed(home: Settings, instance: dg.DagsterInstance) -> None:
    assert asked(evaluated(instance)) == []
    assert str(current_plan(home, instance, FRIDAY)) == "nothing is due"
    assert not home.light_path.exists()  # looking makes no store


def test_before_the_first_partition_there_is_nothing_to_look_at(home: Settings, instance: dg.DagsterInstance) -> None:
    later = dg.DailyPartitionsDefinition(start_date="2035-01-01")
    found = catch_up_sensor(nightly, later)(dg.build_sensor_context(instance=instance))
    assert isinstance(found, dg.SkipReason)
    assert found.skip_message == "no date has a partition yet"

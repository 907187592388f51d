"""What the plan means for Dagster: tries, dates that are worked on, and the runs that are asked for."""

from __future__ import annotations

import datetime as dt
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.types import DaemonHeartbeat

from fuzzy_pipeline.catch_up_settings import CatchUpSettings
from fuzzy_pipeline.operations.catch_up import CatchUpPlan, Due
from fuzzy_pipeline.resources.run_tags import (
    CATCH_UP_TAG,
    FORCE_TAG,
    REFETCH_TAG,
    SETTINGS_TAG,
    SYMBOLS_TAG,
    run_tags,
    settings_fingerprint,
)
from fuzzy_pipeline.schedules.catch_up import (
    PARTITION_TAG,
    PLAN_ASSET,
    broken_off,
    busy_dates,
    catch_up_sensor,
    catch_up_tags,
    current_plan,
    failed_tries,
    next_requests,
    plan_event,
    request,
    runs_of_dates,
)
from fuzzy_pipeline.schedules.job_backfill import nightly_backfill
from fuzzy_pipeline.schedules.run_states import awaiting_retry
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.rank_symbols import rank_date
from fuzzy_pipeline.steps.workbench import close_workbenches
from fuzzy_pipeline.trading_calendar import EASTERN
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
    remote: bool = True,
    **tags: str,
) -> dg.DagsterRun:
    """A run of a date that the instance knows of; tags of this package by their names' last word."""
    of_run = {f"fuzzy/{name}": value for name, value in tags.items()}
    of_run |= {} if date is None else {PARTITION_TAG: date.isoformat()}
    of_run |= {CATCH_UP_TAG: "true"} if catch_up else {}
    origin = RemoteJobOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "all"), job)
    return create_run_for_test(instance, job, status=status, tags=of_run, remote_job_origin=origin if remote else None)


# -- tries ---------------------------------------------------------------------------

DATES = (MONDAY, TUESDAY, WEDNESDAY, FRIDAY)


def settings_of(**rules: Any) -> Settings:
    """Settings that expect two symbols."""
    return Settings(_env_file=None, symbols=("AAA", "BBB"), catch_up=CatchUpSettings(**rules))


def tries(instance: dg.DagsterInstance, settings: Settings | None = None) -> dict[tuple[str, dt.date], int]:
    return dict(failed_tries(runs_of_dates(instance, DATES), settings or settings_of()))


def of_both(date: dt.date, count: int) -> dict[tuple[str, dt.date], int]:
    return {("AAA", date): count, ("BBB", date): count}


def test_tries_are_catch_up_runs_of_the_date_that_ended_badly(instance: dg.DagsterInstance) -> None:
    assert tries(instance) == {}
    for status in (Status.FAILURE, Status.CANCELED, Status.STARTED, Status.QUEUED):
        put_run(instance, status)
    put_run(instance, Status.FAILURE, WEDNESDAY)
    put_run(instance, Status.FAILURE, catch_up=False)
    put_run(instance, Status.FAILURE, None)
    assert tries(instance) == of_both(TUESDAY, 2) | of_both(WEDNESDAY, 1)
    assert failed_tries(runs_of_dates(instance, ()), settings_of()) == {}


def test_tries_before_the_last_success_do_not_count(instance: dg.DagsterInstance) -> None:
    put_run(instance, Status.FAILURE)
    put_run(instance, Status.FAILURE)
    put_run(instance, Status.SUCCESS)
    assert tries(instance) == {}
    put_run(instance, Status.FAILURE)
    assert tries(instance) == of_both(TUESDAY, 1)


def test_a_date_that_a_person_ran_well_is_no_longer_given_up(instance: dg.DagsterInstance) -> None:
    for _ in range(3):
        put_run(instance, Status.FAILURE)
    put_run(instance, Status.SUCCESS, WEDNESDAY, catch_up=False)
    assert tries(instance) == of_both(TUESDAY, 3)
    put_run(instance, Status.SUCCESS, catch_up=False)
    assert tries(instance) == {}


def test_tries_are_those_of_the_symbols_that_a_run_was_of(instance: dg.DagsterInstance) -> None:
    put_run(instance, Status.FAILURE)
    put_run(instance, Status.FAILURE, symbols="AAA")
    put_run(instance, Status.FAILURE, symbols="AAA, ZZZ")
    assert tries(instance) == {("AAA", TUESDAY): 3, ("BBB", TUESDAY): 1, ("ZZZ", TUESDAY): 1}
    put_run(instance, Status.SUCCESS, symbols="BBB")
    assert tries(instance) == {("AAA", TUESDAY): 3, ("ZZZ", TUESDAY): 1}


def test_runs_of_all_symbols_are_no_tries_of_a_symbol_that_is_new_in_the_settings(
    instance: dg.DagsterInstance,
) -> None:
    before = settings_of()
    for _ in range(3):
        put_run(instance, Status.FAILURE, settings=settings_fingerprint(before))
    put_run(instance, Status.FAILURE, settings=settings_fingerprint(before), symbols="AAA")
    assert tries(instance, before) == {("AAA", TUESDAY): 4, ("BBB", TUESDAY): 3}
    after = before.model_copy(update={"symbols": ("AAA", "BBB", "NEW")})
    assert tries(instance, after) == {("AAA", TUESDAY): 1}


def test_a_run_whose_tag_names_no_tickers_was_a_try_of_nothing(instance: dg.DagsterInstance) -> None:
    put_run(instance, Status.FAILURE, symbols="AAA;BBB")
    assert tries(instance) == {}


# -- runs that were killed -----------------------------------------------------------


@dg.op
def breaks() -> None:
    raise RuntimeError("as planned")


@dg.job
def broken() -> None:
    breaks()


def killed(instance: dg.DagsterInstance) -> set[tuple[str, dt.date]]:
    return broken_off(instance, runs_of_dates(instance, DATES), settings_of())


def test_symbol_days_are_broken_off_when_their_last_run_ended_without_a_failed_step(
    instance: dg.DagsterInstance,
) -> None:
    put_run(instance, Status.FAILURE, symbols="AAA")
    put_run(instance, Status.CANCELED, WEDNESDAY, catch_up=False)
    assert killed(instance) == {("AAA", TUESDAY), ("AAA", WEDNESDAY), ("BBB", WEDNESDAY)}
    put_run(instance, Status.SUCCESS, WEDNESDAY, symbols="BBB")
    put_run(instance, Status.SUCCESS, TUESDAY, symbols="BBB")
    assert killed(instance) == {("AAA", TUESDAY), ("AAA", WEDNESDAY)}
    put_run(instance, Status.QUEUED, WEDNESDAY)
    assert killed(instance) == {("AAA", TUESDAY)}


def test_a_run_of_which_a_step_failed_was_not_broken_off(instance: dg.DagsterInstance) -> None:
    put_run(instance, Status.FAILURE)
    tags = {PARTITION_TAG: TUESDAY.isoformat()}
    assert not broken.execute_in_process(instance=instance, tags=tags, raise_on_error=False).success
    assert killed(instance) == set()


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


@pytest.fixture
def retrying() -> Iterator[dg.DagsterInstance]:
    """An instance that retries runs as that of the package does, with a daemon that beats."""
    template = resources.files("fuzzy_pipeline.resources").joinpath("dagster.yaml").read_text(encoding="utf-8")
    with dg.DagsterInstance.ephemeral(settings={"run_retries": yaml.safe_load(template)["run_retries"]}) as found:
        beat(found)
        yield found


def beat(instance: dg.DagsterInstance, ago_s: float = 0.0) -> None:
    instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - ago_s, "SENSOR", "one", []))


def kill(instance: dg.DagsterInstance, date: dt.date, *, remote: bool = True) -> dg.DagsterRun:
    """A run whose process is found dead, as Dagster has it then."""
    run = put_run(instance, Status.STARTED, date, remote=remote)
    instance.report_run_failed(run, "the process was killed")
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    assert found.tags["dagster/will_retry"] == "true"
    return found


def test_a_date_is_busy_while_dagster_is_about_to_retry_its_killed_run(retrying: dg.DagsterInstance) -> None:
    run = kill(retrying, TUESDAY)
    assert busy_dates(retrying) == {TUESDAY}
    again = put_run(retrying, Status.QUEUED, TUESDAY)
    retrying.add_run_tags(run.run_id, {"dagster/auto_retry_run_id": again.run_id})
    assert busy_dates(retrying) == {TUESDAY}
    retrying.delete_run(again.run_id)
    assert busy_dates(retrying) == set()


def test_a_retry_that_did_not_come_in_ten_minutes_is_not_waited_for(retrying: dg.DagsterInstance) -> None:
    run = kill(retrying, TUESDAY)
    now = dt.datetime.now(dt.UTC)
    found = awaiting_retry(retrying, now.astimezone(EASTERN) + dt.timedelta(minutes=9))
    assert [one.run_id for one in found] == [run.run_id]
    assert awaiting_retry(retrying, now + dt.timedelta(minutes=11)) == []


def test_no_retry_is_waited_for_of_runs_that_dagster_cannot_or_will_not_repeat(retrying: dg.DagsterInstance) -> None:
    kill(retrying, TUESDAY, remote=False)  # of a terminal
    run = kill(retrying, WEDNESDAY)
    retrying.add_run_tags(run.run_id, {"dagster/will_retry": "false"})
    assert busy_dates(retrying) == set()


def test_where_no_daemon_beats_nothing_is_waited_for(retrying: dg.DagsterInstance) -> None:
    kill(retrying, TUESDAY)
    retrying.add_backfill(nightly_backfill("somewhere", [FRIDAY], (), {}))
    assert busy_dates(retrying) == {TUESDAY, FRIDAY}
    retrying.wipe_daemon_heartbeats()
    assert busy_dates(retrying) == set()
    beat(retrying, ago_s=60)
    assert busy_dates(retrying) == set()


def test_dates_of_a_backfill_are_busy_until_their_run_has_ended(retrying: dg.DagsterInstance) -> None:
    backfill = nightly_backfill("somewhere", [MONDAY, TUESDAY, FRIDAY], (), {})
    retrying.add_backfill(backfill)
    assert busy_dates(retrying) == {MONDAY, TUESDAY, FRIDAY}
    ended, begun = put_run(retrying, Status.FAILURE, MONDAY), put_run(retrying, Status.STARTED, TUESDAY)
    for run in (ended, begun):
        retrying.add_run_tags(run.run_id, {"dagster/backfill": backfill.backfill_id})
    put_run(retrying, Status.SUCCESS, FRIDAY)  # of somebody else
    assert busy_dates(retrying) == {TUESDAY, FRIDAY}


@pytest.mark.parametrize("status", list(BulkActionStatus))
def test_dates_of_a_backfill_that_has_ended_are_free(retrying: dg.DagsterInstance, status: BulkActionStatus) -> None:
    backfill = nightly_backfill("somewhere", [MONDAY], (), {})
    retrying.add_backfill(backfill.with_status(status))
    under_way = status.value in ("REQUESTED", "CANCELING", "FAILING")
    assert busy_dates(retrying) == ({MONDAY} if under_way else set())


def test_dates_of_a_backfill_of_assets_are_busy_too(retrying: dg.DagsterInstance) -> None:
    days = dg.DailyPartitionsDefinition(start_date="2025-11-03")

    @dg.asset(partitions_def=days)
    def ticks() -> None: ...

    key = dg.AssetKey("ticks")
    graph = dg.Definitions(assets=[ticks]).resolve_asset_graph()
    retrying.add_backfill(
        PartitionBackfill.from_asset_partitions(
            backfill_id="assets", asset_graph=graph, partition_names=["2025-11-25", "2025-11-26"],
            asset_selection=[key], backfill_timestamp=time.time(), tags={}, dynamic_partitions_store=retrying,
            all_partitions=False, title=None, description=None, run_config=None,
        )
    )  # fmt: skip
    assert busy_dates(retrying) == {TUESDAY, WEDNESDAY}


# -- which runs of a plan ------------------------------------------------------------


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
    assert run_tags(settings, due.symbols).items() | catch_up_tags(due).items() == {
        (name, value) for name, value in asked.tags.items() if name != "dagster/priority"
    }  # as the command in a terminal tells it


def test_where_the_source_cannot_be_asked_nothing_is_said_to_be_due_or_not() -> None:
    event = plan_event(CatchUpPlan(source_error="/ticks: no such file or folder"))
    assert {name: value.value for name, value in event.metadata.items()} == {
        "summary": "source cannot be asked: /ticks: no such file or folder"
    }


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


def test_the_sensor_still_asks_for_the_symbols_that_have_tries_left(built: Built, instance: dg.DagsterInstance) -> None:
    built(2)
    for _ in range(3):
        put_run(instance, Status.FAILURE, FRIDAY, symbols="AAA")
    found = evaluated(instance)
    assert isinstance(found, dg.SensorResult)
    assert [one.tags.get(SYMBOLS_TAG) for one in found.run_requests or []] == ["BBB"]
    assert found.cursor is not None
    assert found.cursor.endswith("; next 2025-11-28 (BBB) missing; given up: 2025-11-28 (AAA) missing")


def test_the_sensor_leaves_a_killed_run_to_dagsters_own_retry(built: Built, retrying: dg.DagsterInstance) -> None:
    built(2)
    kill(retrying, FRIDAY)
    found = evaluated(retrying)
    assert isinstance(found, dg.SensorResult)
    assert (asked(found), found.cursor) == ([], "nothing is due")


def test_the_sensor_says_that_the_source_cannot_be_asked(
    built: Built, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    built(1)
    monkeypatch.setenv("FUZZY_SOURCE", "files")
    monkeypatch.setenv("FUZZY_FILES__PATH", str(tmp_path / "unplugged"))
    said = (
        f"source cannot be asked: {tmp_path / 'unplugged'}: no such file or folder; set FUZZY_FILES__PATH to your tick"
        " files"
    )
    found = evaluated(instance)
    assert isinstance(found, dg.SensorResult)
    assert (asked(found), found.cursor, len(list(found.asset_events))) == ([], said, 1)
    again = evaluated(instance, said)
    assert isinstance(again, dg.SkipReason)
    assert again.skip_message == said


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

"""The alert sensors: which failed runs are told, what is told of them, and what the timer does."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from fuzzy_pipeline.alert_settings import AlertSettings, ObjectiveSettings
from fuzzy_pipeline.operations.alert_desk import AlertDesk
from fuzzy_pipeline.operations.objectives import read_first_complete
from fuzzy_pipeline.schedules import launch
from fuzzy_pipeline.schedules.alert_sensors import alert_of_run, alert_sensors, error_text, timer_tick
from fuzzy_pipeline.settings import load_settings
from fuzzy_pipeline.stores.stamp import read_stamp, write_stamp
from fuzzy_pipeline.trading_calendar import EASTERN
from tests.unit.operations.loopback_servers import Webhook, serving

DATE = dt.date(2025, 11, 25)
NOON_AFTER = dt.datetime(2025, 11, 26, 12, tzinfo=EASTERN)


@pytest.fixture(autouse=True)
def little_work(home: Path, no_pictures: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUZZY_BARS__FAMILIES", '["time"]')
    monkeypatch.setenv("FUZZY_BARS__INTERVALS", '["5m"]')


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    server = Webhook()
    with serving(server):
        yield server


def told_to(server: Webhook, **more: object) -> AlertSettings:
    chosen = {"webhook_url": SecretStr(server.url), "foreground_runs": True, "ui_url": "http://ui:3000", **more}
    return AlertSettings(**chosen)  # type: ignore[arg-type]


def failing_run() -> str:
    outcome = launch.run_now(load_settings(), DATE, symbols=("AAA", "UNKNOWNX"))
    assert not outcome.success
    return outcome.run_id


def texts(server: Webhook) -> list[str]:
    return [body["text"] for _, body in server.received]


def test_the_sensor_tells_of_a_run_that_failed_since_its_last_look(home: Path, webhook: Webhook) -> None:
    sensor = alert_sensors(lambda settings: (told_to(webhook), ObjectiveSettings()))[0]
    launch.prepare_instance(load_settings())
    with dg.DagsterInstance.get() as instance:

        def look(cursor: str | None) -> str | None:
            context = dg.build_sensor_context(instance=instance, cursor=cursor)
            found = sensor.evaluate_tick(context)
            assert [reaction.error for reaction in found.dagster_run_reactions] in ([], [None])
            return found.cursor

        cursor = look(None)
        run_id = failing_run()
        look(look(cursor))
    (text,) = texts(webhook)
    headline, error, *lines = text.splitlines()
    assert headline == "*✘ 2025-11-25: 1 of 2 symbols failed*"
    assert error.startswith("UnknownSymbolError: UNKNOWNX in raw_ticks: ")
    assert "failed check every_symbol_stored: " in text
    assert lines[-3:] == [
        "try: fuzzy run 2025-11-25 --symbols UNKNOWNX",
        f"run: http://ui:3000/runs/{run_id}",
        f"home: {home}",
    ]


def test_runs_that_are_tried_again_watched_or_of_no_date_are_nobodys_to_hear_of(home: Path, webhook: Webhook) -> None:
    run_id, settings = failing_run(), load_settings()
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        alert = alert_of_run(instance, run, settings, told_to(webhook))
        assert alert is not None
        assert alert.assets == ("date_report",)
        again = run.with_tags(run.tags | {"dagster/will_retry": "true"})
        undated = run.with_tags({name: value for name, value in run.tags.items() if name != "dagster/partition"})
        assert alert_of_run(instance, again, settings, told_to(webhook)) is None
        assert alert_of_run(instance, undated, settings, told_to(webhook)) is None
        assert alert_of_run(instance, run, settings, told_to(webhook, foreground_runs=False)) is None
        assert alert_of_run(instance, run, settings, told_to(webhook, enabled=False)) is None


def test_a_run_that_fails_before_any_symbol_tells_what_its_step_said(
    home: Path, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"SOURCE": "iqfeed", "IQFEED__PORT": "1", "IQFEED__TRIES": "1", "RETRIES__ROUNDS": "0"}.items():
        monkeypatch.setenv(f"FUZZY_{name}", value)
    outcome = launch.run_now(load_settings(), DATE, assets=("raw_ticks",))
    assert not outcome.success
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(outcome.run_id)
        assert run is not None
        alert = alert_of_run(instance, run, load_settings(), told_to(webhook))
    assert alert is not None
    assert alert.headline == "2025-11-25: the run failed"
    assert (alert.failures, alert.assets) == ((), ("raw_ticks",))
    assert alert.lines[0].startswith("raw_ticks: SourceUnavailableError: 127.0.0.1:1: cannot connect")


def test_the_timer_tells_a_missed_deadline_once_and_that_it_is_mended(home: Path, webhook: Webhook) -> None:
    settings, chosen = load_settings(), told_to(webhook)
    objectives = ObjectiveSettings(nightly_done=0.5, freshness=0.5, failure_share=0.5)
    assert not launch.run_now(settings, DATE, symbols=("AAA", "UNKNOWNX")).success
    stamp = read_stamp(settings.light_path)
    assert stamp is not None
    write_stamp(settings.light_path, stamp.model_copy(update={"created_at": dt.datetime(2025, 11, 1, tzinfo=dt.UTC)}))
    assert "told: 2025-11-25 is degraded after its deadline" in timer_tick(settings, chosen, objectives, NOON_AFTER)
    assert timer_tick(settings, chosen, objectives, NOON_AFTER) == "nothing new to tell; every message is delivered"
    assert launch.run_now(settings, DATE).success
    assert "told: 2025-11-25 is mended" in timer_tick(settings, chosen, objectives, NOON_AFTER)
    assert [text.splitlines()[0] for text in texts(webhook)] == [
        "*✘ 2025-11-25 is degraded after its deadline 2025-11-25 23:00 ET*",
        "*✔ 2025-11-25 is mended*",
    ]
    assert list(read_first_complete(settings.home)) == [DATE]


def test_the_timer_delivers_what_did_not_arrive(home: Path, webhook: Webhook) -> None:
    settings, chosen = load_settings(), told_to(webhook)
    webhook.status = 503
    run_id = failing_run()
    with dg.DagsterInstance.get() as instance:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        alert = alert_of_run(instance, run, settings, chosen)
    assert alert is not None
    AlertDesk(settings, chosen).raise_alert(alert)
    now = dt.datetime.now(EASTERN)
    assert timer_tick(settings, chosen, ObjectiveSettings(), now).endswith("messages to be tried again: 1")
    webhook.status = 200
    assert timer_tick(settings, chosen, ObjectiveSettings(), now).endswith("every message is delivered")
    assert len(webhook.received) == 2


def test_without_a_store_or_with_a_damaged_one_the_timer_goes_on(home: Path, webhook: Webhook) -> None:
    settings = load_settings()
    assert timer_tick(settings, told_to(webhook), ObjectiveSettings(), NOON_AFTER) == "every message is delivered"
    settings.light_path.mkdir(parents=True)
    (settings.light_path / "store.json").write_text("{half")
    said = timer_tick(settings, told_to(webhook), ObjectiveSettings(), NOON_AFTER)
    assert said.startswith("dates and objectives could not be looked at: ")
    assert webhook.received == []


def test_nothing_the_web_ui_shows_of_the_sensors_holds_the_secret(home: Path, webhook: Webhook) -> None:
    for sensor in alert_sensors(lambda settings: (told_to(webhook), ObjectiveSettings())):
        assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
        assert "hush" not in f"{sensor.name} {sensor.description} {sensor.metadata} {sensor.tags}"
    with dg.instance_for_test() as instance:
        timer = alert_sensors(lambda settings: (told_to(webhook), ObjectiveSettings()))[1]
        started = time.monotonic()
        found = timer.evaluate_tick(dg.build_sensor_context(instance=instance))
    assert found.skip_message == "every message is delivered"
    assert time.monotonic() - started < 60


def test_an_error_is_told_without_what_dagster_wraps_it_in() -> None:
    from dagster_shared.error import SerializableErrorInfo

    own = SerializableErrorInfo("fuzzy_pipeline.errors.StoreError: full\nsecond\nthird\nfourth\n", [], "StoreError")
    wrapped = SerializableErrorInfo("dagster._core.errors.DagsterExecutionStepExecutionError: x", [], "D", cause=own)
    assert error_text(wrapped) == "StoreError: full second third"

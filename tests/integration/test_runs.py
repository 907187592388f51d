"""Runs of the code location: what is materialised, how failures show, what partitions there are."""

from __future__ import annotations

import datetime as dt
import logging
import signal
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import InProcessTestWorkspaceLoadTarget
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget
from dagster._daemon.backfill import execute_backfill_iteration

from fuzzy_pipeline.assets.partitions import trading_date_partitions
from fuzzy_pipeline.errors import SettingsError
from fuzzy_pipeline.resources.run_tags import settings_fingerprint
from fuzzy_pipeline.schedules import launch
from fuzzy_pipeline.schedules.processes import MODULE
from fuzzy_pipeline.settings import load_settings
from fuzzy_pipeline.steps.workbench import workbench

DATE = dt.date(2025, 11, 25)
BARS = {
    "time_bars", "tick_bars", "volume_bars", "dollar_bars", "imbalance_bars", "run_bars", "volatility_bars",
    "range_bars", "renko_bars",
}  # fmt: skip
RANKINGS = {"cross_symbol_rankings", "pair_correlations"}
OF_TICKS = {"raw_ticks", "enriched_ticks", "day_metadata_phase1", "day_metadata_phase2", "quality_measures", *BARS}
ASSETS = {*OF_TICKS, "trailing_baselines", *RANKINGS}


def materializations(key: str) -> dict[str, dg.AssetMaterialization]:
    with dg.DagsterInstance.get() as instance:
        found = {}
        for asset in ASSETS:
            records = instance.fetch_materializations(
                dg.AssetRecordsFilter(dg.AssetKey(asset), asset_partitions=[key]), limit=1
            ).records
            if records and records[0].asset_materialization:
                found[asset] = records[0].asset_materialization
        return found


@pytest.fixture
def sigterm() -> Iterator[None]:
    """The process's own handler back after a test of what replaces it."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, handler)


def backfill_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """What the daemon's next look at the backfills asks for, in the order in which its queue takes runs.

    The code location is loaded in this process, under the name that ``dagster-daemon run -m`` gives it.
    """
    named = ModuleTarget(MODULE, attribute=None, working_directory=None, location_name=None).create_origins()[0]
    origin = InProcessCodeLocationOrigin(named.loadable_target_origin, location_name=named.location_name)
    with WorkspaceProcessContext(instance, InProcessTestWorkspaceLoadTarget(origin)) as workspace:
        errors = [error for error in execute_backfill_iteration(workspace, logging.getLogger("daemon")) if error]
    assert errors == []
    return list(instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]), ascending=True))


def committed(date: dt.date = DATE) -> set[tuple[str, str]]:
    return {(row.table, row.symbol) for row in workbench(load_settings()).store.manifest.rows(dates=[date])}


def test_one_date_through_all_assets(home: Path) -> None:
    outcome = launch.run_now(load_settings(), DATE)
    assert outcome.success, outcome.error
    found = materializations("2025-11-25")
    assert set(found) == ASSETS
    for asset, event in found.items():
        assert event.metadata["symbols"].value == 3, asset
        assert event.metadata["failed"].value == 0
        assert event.metadata["data"].value == "simulated"
        assert "| AAA |" in str(event.metadata["by_symbol"].value)
    for asset in BARS:
        assert "data:image/png;base64," in str(found[asset].metadata["candlesticks"].value), asset
    assert "price" in str(found["enriched_ticks"].metadata["preview"].value)
    assert (
        found["raw_ticks"].metadata["dagster/row_count"].value
        == found["enriched_ticks"].metadata["dagster/row_count"].value
    )
    assert committed() == {(asset, symbol) for asset in ASSETS for symbol in ("AAA", "BBB", "CCC")}


def test_a_failed_symbol_ends_the_run_failed_by_name_and_the_others_are_complete(home: Path, no_pictures: None) -> None:
    outcome = launch.run_now(load_settings(), DATE, symbols=("AAA", "UNKNOWNX", "CCC"))
    assert not outcome.success
    assert "UNKNOWNX" in outcome.error
    assert "1 of 3 symbols failed, 2 are stored" in outcome.error
    of_ticks = {(asset, symbol) for asset, symbol in committed() if asset in OF_TICKS}
    assert of_ticks == {(asset, symbol) for asset in OF_TICKS for symbol in ("AAA", "CCC")}
    # Assets with others after them carry a failing check; the last one, the report, has failed.
    assert set(materializations("2025-11-25")) >= ASSETS
    with dg.DagsterInstance.get() as instance:
        report = dg.AssetRecordsFilter(dg.AssetKey("date_report"), asset_partitions=["2025-11-25"])
        assert not instance.fetch_materializations(report, limit=1).records


def test_the_date_is_complete_once_the_missing_symbol_is_run_and_the_others_are_not_computed_again(
    home: Path, no_pictures: None
) -> None:
    settings = load_settings()
    launch.run_now(settings, DATE, symbols=("AAA", "UNKNOWNX"))
    assert launch.run_now(settings, DATE).success
    assert {symbol for asset, symbol in committed() if asset in OF_TICKS} == {"AAA", "BBB", "CCC"}
    assert materializations("2025-11-25")["time_bars"].metadata["unchanged"].value == 1


def test_one_asset_alone_fails_by_itself_when_its_input_is_missing(home: Path) -> None:
    settings = load_settings()
    assert launch.run_now(settings, DATE, symbols=("AAA",), assets=("raw_ticks",)).success
    outcome = launch.run_now(settings, DATE, symbols=("AAA", "BBB"), assets=("enriched_ticks",))
    assert not outcome.success
    assert "BBB 2025-11-25: no raw_ticks" in outcome.error
    assert ("enriched_ticks", "AAA") in committed()


def test_what_does_not_exist_is_refused_before_a_run_starts(home: Path) -> None:
    settings = load_settings()
    with pytest.raises(SettingsError, match="no such assets: bars; there are cross_symbol_rankings"):
        launch.run_now(settings, DATE, assets=("bars",))
    with pytest.raises(SettingsError, match="no partition for 2031-01-02"):
        launch.run_now(settings, dt.date(2031, 1, 2))


def test_partitions_are_the_trading_dates_and_a_key_appears_in_its_own_evening() -> None:
    partitions = trading_date_partitions(dt.date(2025, 11, 20))

    def keys(at: str) -> list[str]:
        instant = dt.datetime.fromisoformat(at)
        with dg.instance_for_test() as instance:
            return list(partitions.get_partition_keys(current_time=instant, dynamic_partitions_store=instance))

    # Thanksgiving 2025-11-27 and the weekend have no key; the half day after it has one.
    assert keys("2025-12-02T03:00:00-05:00") == [
        "2025-11-20", "2025-11-21", "2025-11-24", "2025-11-25", "2025-11-26", "2025-11-28", "2025-12-01",
    ]  # fmt: skip
    assert keys("2025-11-28T19:59:00-05:00")[-1] == "2025-11-26"
    assert keys("2025-11-28T20:01:00-05:00")[-1] == "2025-11-28"
    assert keys("2025-11-27T21:00:00-05:00")[-1] == "2025-11-26"


def test_the_schedule_asks_for_the_date_that_just_closed_and_skips_holidays(home: Path) -> None:
    from fuzzy_pipeline.definitions import build_definitions

    schedule = build_definitions().resolve_schedule_def("after_close")
    with dg.instance_for_test() as instance:

        def asked(at: str) -> list[str | None]:
            moment = dt.datetime.fromisoformat(at)
            with dg.build_schedule_context(instance=instance, scheduled_execution_time=moment) as context:
                data = schedule.evaluate_tick(context)
            return [request.partition_key for request in data.run_requests or []]

        assert asked("2025-11-26T01:00:00+00:00") == ["2025-11-25"]
        assert asked("2025-11-28T01:00:00+00:00") == []  # Thanksgiving evening
        assert asked("2025-11-29T01:00:00+00:00") == ["2025-11-28"]  # the half day
        assert asked("2025-11-30T01:00:00+00:00") == []  # Saturday evening


def test_the_instance_is_made_once_and_a_changed_configuration_is_kept(home: Path) -> None:
    settings = load_settings()
    launch.prepare_instance(settings)
    path = settings.dagster_home / "dagster.yaml"
    assert "enabled: false" in path.read_text().split("nux")[0]  # telemetry is off
    path.write_text("telemetry:\n  enabled: false\n")
    launch.prepare_instance(settings)
    assert path.read_text() == "telemetry:\n  enabled: false\n"


def test_a_taken_port_is_refused_by_number(home: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"127.0.0.1:{port} cannot be used"):
            launch.serve_ui(load_settings(), "127.0.0.1", port)


def test_what_stops_a_whole_step_is_said_in_its_own_words(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUZZY_SOURCE", "files")
    monkeypatch.setenv("FUZZY_FILES__PATH", str(home / "nowhere"))
    outcome = launch.run_now(load_settings(), DATE)
    assert not outcome.success
    assert str(home / "nowhere") in outcome.error
    monkeypatch.setenv("FUZZY_SOURCE", "iqfeed")
    monkeypatch.setenv("FUZZY_IQFEED__PORT", "9")
    monkeypatch.setenv("FUZZY_IQFEED__TRIES", "1")
    outcome = launch.run_now(load_settings(), DATE)
    assert "127.0.0.1:9" in outcome.error


def test_a_backfill_asks_for_one_run_of_the_nightly_job_a_date_the_earliest_first(home: Path, sigterm: None) -> None:
    settings = load_settings()
    dates = [dt.date(2025, 11, 28), dt.date(2025, 11, 25), dt.date(2025, 11, 26)]
    states = launch.backfill(settings, dates, symbols=("AAA", "BBB"), force=True)
    assert next(states).dates_total == 3  # asked for; no daemon is started before the second state
    with dg.DagsterInstance.get() as instance:
        runs = backfill_runs(instance)
        assert [run.tags["dagster/partition"] for run in runs] == ["2025-11-25", "2025-11-26", "2025-11-28"]
        for run in runs:
            assert run.job_name == "nightly"
            assert run.asset_selection is None
            assert (run.tags["fuzzy/symbols"], run.tags["fuzzy/force"]) == ("AAA,BBB", "true")
            assert run.tags["fuzzy/settings"] == settings_fingerprint(settings)
            assert run.tags["dagster/backfill"]
    states.close()


def test_a_backfill_of_some_assets_runs_them_alone(home: Path, sigterm: None) -> None:
    states = launch.backfill(load_settings(), [DATE], assets=("enriched_ticks", "raw_ticks"))
    next(states)
    with dg.DagsterInstance.get() as instance:
        (run,) = backfill_runs(instance)
        assert run.asset_selection == {dg.AssetKey("raw_ticks"), dg.AssetKey("enriched_ticks")}
        assert "fuzzy/symbols" not in run.tags
        assert "fuzzy/force" not in run.tags
    states.close()


def test_a_nightly_run_of_a_date_does_not_take_it_out_of_a_backfill(home: Path, sigterm: None) -> None:
    states = launch.backfill(load_settings(), [DATE])
    next(states)
    assert launch.run_now(load_settings(), DATE, assets=("raw_ticks",)).success
    with dg.DagsterInstance.get() as instance:
        assert [run.tags["dagster/partition"] for run in backfill_runs(instance)] == ["2025-11-25"]
    states.close()


def test_two_runs_of_backfills_never_run_at_once(home: Path) -> None:
    settings = load_settings()
    launch.prepare_instance(settings)
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_concurrency_config().run_queue_config
    assert runs is not None
    assert {"key": "dagster/backfill", "limit": 1} in runs.tag_concurrency_limits


def test_a_backfill_of_what_does_not_exist_is_refused(home: Path) -> None:
    settings = load_settings()
    with pytest.raises(SettingsError, match="no such assets: bars"):
        next(launch.backfill(settings, [DATE], assets=("bars",)))
    with pytest.raises(SettingsError, match="no partition for 2025-11-27"):
        next(launch.backfill(settings, [dt.date(2025, 11, 27)]))
    with dg.DagsterInstance.get() as instance:
        assert list(instance.get_backfills()) == []


def test_a_run_asked_for_with_other_settings_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = load_settings()
    monkeypatch.setenv("FUZZY_SIMULATOR__SEED", "21")
    outcome = launch.run_now(asked, DATE)
    assert not outcome.success
    assert "asked for with other settings" in outcome.error
    assert "FUZZY_SIMULATOR__SEED" in outcome.error
    assert not (home / "store").exists()

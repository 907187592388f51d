"""The last asset of a date: what it shows, and whom it names when a symbol has no result."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from fuzzy_pipeline.assets.date_report import (
    REPORT_ASSET,
    date_report_asset,
    failure_text,
    report_metadata,
    written,
)
from fuzzy_pipeline.assets.partitions import trading_date_partitions
from fuzzy_pipeline.report import reports_folder
from fuzzy_pipeline.resources.pipeline import SettingsResource, StoreResource
from fuzzy_pipeline.resources.run_tags import SYMBOLS_TAG
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.rank_symbols import rank_date
from fuzzy_pipeline.steps.workbench import close_workbenches
from fuzzy_pipeline.stores.store import Store, open_store
from tests.unit.operations.planted_dates import TUESDAY, at, commit, empty_store, fail, settings_at
from tests.unit.steps.planted_rows import fail as fail_now
from tests.unit.steps.retired_dates import retire
from tests.unit.steps.simulated_dates import WEDNESDAY, build, copy_of, settings_of

PARTITIONS = trading_date_partitions(dt.date(2025, 11, 3))


# -- who failed ----------------------------------------------------------------------


@pytest.fixture
def planted(tmp_path: Path) -> tuple[Store, Settings]:
    """All of Tuesday's three symbols, committed at nine."""
    settings = settings_at(tmp_path)
    store = empty_store()
    commit(store, settings, TUESDAY, at(TUESDAY, "21:00"))
    return store, settings


def test_a_symbol_with_a_failure_is_named_with_the_one_furthest_upstream(planted: tuple[Store, Settings]) -> None:
    store, settings = planted
    ten = at(TUESDAY, "22:00")
    fail(store, TUESDAY, ten, {"BBB": "NotStoredError"}, PHASE1_TABLE)
    fail(store, TUESDAY, ten, {"BBB": "SourceTimeoutError", "CCC": "NoDataError"}, RAW_TICKS.name)
    assert failure_text(store, settings, TUESDAY, settings.symbols) == (
        "2025-11-25: 2 of 3 symbols failed, 1 are stored\n"
        "  BBB: raw_ticks: SourceTimeoutError: BBB 2025-11-25: no answer\n"
        "  CCC: raw_ticks: NoDataError: CCC 2025-11-25: no answer"
    )


def test_a_failure_that_was_mended_since_fails_nobody(planted: tuple[Store, Settings]) -> None:
    store, settings = planted
    fail(store, TUESDAY, at(TUESDAY, "20:30"), {"BBB": "SourceTimeoutError"})  # before the commit at nine
    assert failure_text(store, settings, TUESDAY, settings.symbols) is None


def test_only_the_symbols_of_the_run_can_fail_it(planted: tuple[Store, Settings]) -> None:
    store, settings = planted
    fail(store, TUESDAY, at(TUESDAY, "22:00"), {"BBB": "SourceTimeoutError"})
    assert failure_text(store, settings, TUESDAY, ["AAA", "CCC"]) is None
    text = failure_text(store, settings, TUESDAY, ["BBB"])
    assert text is not None
    assert text.startswith("2025-11-25: 1 of 1 symbols failed, 0 are stored\n  BBB: ")


def test_who_neither_failed_nor_has_all_tables_is_not_said_to_be_stored(planted: tuple[Store, Settings]) -> None:
    store, settings = planted
    fail(store, TUESDAY, at(TUESDAY, "22:00"), {"BBB": "SourceTimeoutError"})
    store.manifest.remove(PHASE1_TABLE, TUESDAY, ["CCC"])
    text = failure_text(store, settings, TUESDAY, (*settings.symbols, "DDD"))
    assert text is not None
    assert text.splitlines()[0] == "2025-11-25: 1 of 4 symbols failed, 1 are stored, 2 lack tables"


def test_who_has_retired_ticks_is_still_stored(planted: tuple[Store, Settings]) -> None:
    store, settings = planted
    fail(store, TUESDAY, at(TUESDAY, "22:00"), {"BBB": "SourceTimeoutError"})
    retire(store, TUESDAY, RAW_TICKS.name, ENRICHED_TICKS.name, symbols=["AAA", "CCC"])
    text = failure_text(store, settings, TUESDAY, settings.symbols)
    assert text is not None
    assert text.splitlines()[0] == "2025-11-25: 1 of 3 symbols failed, 2 are stored"


# -- the asset -----------------------------------------------------------------------


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One complete date; tests take copies."""
    settings = settings_of(tmp_path_factory.mktemp("built"))
    build(settings, WEDNESDAY)
    rank_date(WEDNESDAY, settings)
    close_workbenches()
    return settings


@pytest.fixture
def settings(built: Settings, tmp_path: Path) -> Iterator[Settings]:
    yield copy_of(built, tmp_path / "home")
    close_workbenches()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    found = open_store(settings)
    yield found
    found.close()


def materialise(
    settings: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, symbols: str = ""
) -> dg.ExecuteInProcessResult:
    """Run the asset alone on Wednesday, with these settings."""
    monkeypatch.setattr("fuzzy_pipeline.resources.pipeline.load_settings", lambda: settings)
    resource = SettingsResource()
    return dg.materialize(
        [date_report_asset(PARTITIONS, ())],
        partition_key=str(WEDNESDAY),
        resources={"settings": resource, "store": StoreResource(settings=resource)},
        instance=instance,
        tags={SYMBOLS_TAG: symbols} if symbols else {},
        raise_on_error=False,
    )


def test_the_page_and_its_json_are_written_where_reports_are(store: Store, settings: Settings) -> None:
    page, report = written(store, settings, WEDNESDAY)
    assert page.parent.is_relative_to(reports_folder(settings))
    assert str(WEDNESDAY) in page.read_text("utf-8")
    assert json.loads(page.with_suffix(".json").read_text("utf-8"))["verdict"] == report.verdict


def test_the_web_ui_shows_the_verdict_and_where_the_page_is(store: Store, settings: Settings) -> None:
    page, report = written(store, settings, WEDNESDAY)
    shown = report_metadata(page, report)
    assert (shown["verdict"], shown["why"]) == (report.verdict, report.sentence)
    assert shown["page"] == dg.MetadataValue.path(page)  # a browser opens no file:// link of an http page
    assert shown["command"] == "fuzzy report 2025-11-26 --open"


def test_a_complete_date_materialises_its_report(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialise(settings, instance, monkeypatch)
        assert result.success
        event = instance.get_latest_materialization_event(dg.AssetKey(REPORT_ASSET))
    assert event is not None
    assert event.asset_materialization is not None
    assert event.asset_materialization.metadata["command"].value == "fuzzy report 2025-11-26 --open"


def test_a_failed_symbol_fails_the_asset_after_its_page_is_written(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_now(store, ENRICHED_TICKS.name, WEDNESDAY, ["BBB"], "no space left")
    with dg.DagsterInstance.ephemeral() as instance:
        result = materialise(settings, instance, monkeypatch)
        observed = instance.fetch_observations(dg.AssetKey(REPORT_ASSET), limit=1).records
        (failure,) = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    assert not result.success
    assert failure.error is not None
    assert "2025-11-26: 1 of 2 symbols failed, 1 are stored\n  BBB: enriched_ticks: StoreError: no space left" in (
        failure.error.message
    )
    observation = observed[0].asset_observation
    assert observation is not None
    assert observation.metadata["verdict"].value == "degraded"
    assert list(reports_folder(settings).rglob("*.html"))


def test_a_run_of_other_symbols_is_not_failed_by_it(
    settings: Settings, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_now(store, ENRICHED_TICKS.name, WEDNESDAY, ["BBB"])
    with dg.DagsterInstance.ephemeral() as instance:
        assert materialise(settings, instance, monkeypatch, symbols="AAA").success
        assert not materialise(settings, instance, monkeypatch, symbols="BBB").success

"""SQL handed to assets and checks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from fuzzy_pipeline.definitions import build_definitions
from fuzzy_pipeline.errors import NotStoredError, SettingsError
from fuzzy_pipeline.resources.pipeline import SettingsResource
from fuzzy_pipeline.resources.sql import SqlResource
from fuzzy_pipeline.settings import Settings
from tests.unit.query import simulated_store as sim

DAYS = "SELECT count(*) AS days FROM day_metadata_phase1 WHERE symbol = 'SPY'"


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return sim.build(tmp_path_factory.mktemp("simulated"))


@pytest.fixture
def resource(simulated: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqlResource]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FUZZY_HOME", str(simulated.home))
    return SqlResource(settings=SettingsResource())


def test_an_asset_and_its_check_ask_in_sql(resource: SqlResource) -> None:
    @dg.asset
    def days(sql: SqlResource) -> dg.MaterializeResult:
        with sql.open() as opened:
            return dg.MaterializeResult(metadata={"days": int(opened.query(DAYS)["days"].iloc[0])})

    @dg.asset_check(asset=days)
    def nothing_in_quarantine(sql: SqlResource) -> dg.AssetCheckResult:
        with sql.open() as opened:
            return dg.AssetCheckResult(
                passed=bool(opened.query("SELECT count(*) = 0 AS ok FROM quarantine")["ok"].all())
            )

    done = dg.materialize([days, nothing_in_quarantine], resources={"sql": resource})
    assert done.success
    (made,) = done.asset_materializations_for_node("days")
    assert made.metadata["days"].value == len(sim.DATES)
    assert [check.passed for check in done.get_asset_check_evaluations()] == [True]


def test_the_connection_of_an_asset_is_eastern_and_locked(resource: SqlResource) -> None:
    with resource.open() as opened:
        assert opened.query("SELECT current_setting('TimeZone') AS zone")["zone"].tolist() == ["America/New_York"]
        with pytest.raises(duckdb.PermissionException, match="disabled by configuration"):
            opened.connection.execute("SELECT * FROM read_csv('/etc/passwd')")


def test_the_connection_is_closed_after_an_error_too(resource: SqlResource) -> None:
    with pytest.raises(SettingsError, match="read-only"), resource.open() as opened:
        opened.query("DROP VIEW manifest")
    with pytest.raises(duckdb.ConnectionException, match="closed"):
        opened.connection.execute("SELECT 1")


def test_without_a_store_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FUZZY_HOME", str(tmp_path / "none"))
    with pytest.raises(NotStoredError, match="no store at"), SqlResource(settings=SettingsResource()).open():
        pass


def test_the_code_location_has_it() -> None:
    assert isinstance(build_definitions().resources["sql"], SqlResource)


def test_a_run_that_asks_nothing_does_not_load_duckdb(tmp_path: Path) -> None:
    program = "import sys, fuzzy_pipeline.definitions, fuzzy_pipeline.query\nprint('duckdb' in sys.modules)"
    run = [sys.executable, "-c", program]
    done = subprocess.run(run, capture_output=True, text=True, check=True, cwd=tmp_path)
    assert done.stdout.strip() == "False"

"""``fuzzy doctor``."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cli.conftest import Fuzzy


def _line(output: str, what: str, mark: str = "") -> str:
    return next(line for line in output.splitlines() if line.startswith(f"{mark or line[0]} {what} "))


def test_a_good_home_is_described_and_ends_with_zero(fuzzy: Fuzzy) -> None:
    result = fuzzy("doctor")
    assert result.exit_code == 0
    assert "nothing is broken" in result.output
    assert "simulated data, schema version 2; raw_ticks" in _line(result.output, "store")
    assert "rows of 3 dates" in _line(result.output, "store")
    assert "simulated market" in _line(result.output, "source")
    assert "arcticdb" in _line(result.output, "packages")


def test_no_store_yet_is_no_fault(empty: Fuzzy) -> None:
    result = empty("doctor")
    assert result.exit_code == 0
    assert "none yet at" in _line(result.output, "store")


def test_values_are_shown_with_where_they_come_from_and_secrets_masked(
    empty: Fuzzy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text("FUZZY_SIMULATOR__SEED=7\n")
    monkeypatch.setenv("FUZZY_STORE__HEAVY_URI", "s3://host:bucket?access=mine&secret=hunter2")
    result = empty("doctor")
    line = _line(result.output, "settings")
    assert "FUZZY_SIMULATOR__SEED=7 (.env)" in line
    assert "FUZZY_STORE__HEAVY_URI=s3://host:bucket?*** (environment)" in line
    assert "hunter2" not in result.output
    assert "access" not in result.output


def test_a_variable_that_is_no_setting_is_noted(empty: Fuzzy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUZZY_SYMBOL", "SPY")
    result = empty("doctor")
    assert "no such settings: FUZZY_SYMBOL" in result.output
    assert result.exit_code == 0


def test_refused_settings_are_broken(empty: Fuzzy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUZZY_CHUNK_TICKS", "0")
    result = empty("doctor")
    assert result.exit_code == 1
    assert _line(result.output, "settings", "✘")
    assert "FUZZY_CHUNK_TICKS" in result.output


def test_a_source_that_is_not_there_is_broken_with_what_to_do(
    empty: Fuzzy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("FUZZY_SOURCE", "files")
    monkeypatch.setenv("FUZZY_FILES__PATH", str(tmp_path / "nowhere"))
    result = empty("doctor")
    assert result.exit_code == 1
    assert "nowhere" in _line(result.output, "source", "✘")
    assert "FUZZY_FILES__PATH" in result.output


def test_a_damaged_store_is_broken_and_the_other_checks_go_on(empty: Fuzzy, tmp_path: Path) -> None:
    light = tmp_path / "home" / "store" / "light"
    light.mkdir(parents=True)
    (light / "store.json").write_text("{")
    result = empty("doctor")
    assert result.exit_code == 1
    assert "cannot be read as a store's stamp" in _line(result.output, "store", "✘")
    assert _line(result.output, "calendar")


def test_real_data_with_the_simulator_as_source_is_broken(fuzzy: Fuzzy, empty: Fuzzy, tmp_path: Path) -> None:
    from fuzzy_pipeline.schema.tables import HEAVY_TABLES
    from fuzzy_pipeline.stores.store import create_store
    from tests.unit.query.simulated_store import settings_of

    create_store(settings_of(tmp_path / "real"), "real", HEAVY_TABLES).close()
    result = empty("--home", tmp_path / "real", "doctor")
    assert result.exit_code == 1
    assert "real data, but the source is the simulator" in result.output

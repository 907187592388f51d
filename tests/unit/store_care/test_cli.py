"""``fuzzy store``: the commands, on a copy of the simulated store."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fuzzy_pipeline.cli.store import store_app
from fuzzy_pipeline.operations.audit import AuditLog
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import open_store
from tests.unit.store_care.simulated_home import DATE

Command = Callable[..., Result]


@pytest.fixture
def fuzzy(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FUZZY_HOME", str(settings.home))
    monkeypatch.setenv("FUZZY_STORE__MAP_SIZE", settings.store.map_size)
    monkeypatch.setenv("COLUMNS", "200")
    return lambda *arguments: CliRunner().invoke(store_app, [str(argument) for argument in arguments])


def audited(settings: Settings) -> list[str]:
    return [json.loads(line)["action"] for line in AuditLog.of(settings).path.read_text().splitlines()]


def test_check_says_that_nothing_is_broken(fuzzy: Command) -> None:
    result = fuzzy("check")
    assert result.exit_code == 0, result.output
    assert "nothing is broken" in result.stdout


def test_check_ends_with_one_and_names_what_to_do(fuzzy: Command, settings: Settings) -> None:
    store = open_store(settings)
    store.heavy.delete_versions(ENRICHED_TICKS, "AAA", DATE, [0])
    store.close()
    result = fuzzy("check", "--tables", "enriched_ticks")
    assert result.exit_code == 1
    assert "missing enriched_ticks AAA 2025-11-25" in result.stdout
    assert "fuzzy run 2025-11-25 --symbols AAA --assets enriched_ticks --force" in result.stdout
    assert fuzzy("check", "--tables", "enriched_ticks", "--symbols", "BBB").exit_code == 0
    assert fuzzy("check", "--tables", "enriched_ticks", "--from", "2025-11-26").exit_code == 0


def test_retain_shows_and_deletes_only_when_told_to(
    fuzzy: Command, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datetime as dt

    import fuzzy_pipeline.trading_calendar as calendar

    later = dt.datetime(2026, 6, 1, 12, tzinfo=calendar.EASTERN)
    real = calendar.now_eastern
    monkeypatch.setattr(calendar, "now_eastern", lambda: max(later, real() + dt.timedelta(days=1)))
    monkeypatch.setattr("fuzzy_pipeline.store_care.retention.now_eastern", calendar.now_eastern)
    shown = fuzzy("retain")
    assert shown.exit_code == 0, shown.output
    assert "would be deleted by: fuzzy store retain --yes" in shown.stdout
    assert not AuditLog.of(settings).path.exists()
    done = fuzzy("retain", "--yes")
    assert done.exit_code == 0, done.output
    assert "deleted " in done.stdout
    assert set(audited(settings)) == {"retention.delete"}
    assert "nothing is to be deleted" in fuzzy("retain").stdout


def test_prune_has_nothing_to_do_in_a_new_store(fuzzy: Command) -> None:
    result = fuzzy("prune", "--dry-run")
    assert result.exit_code == 0, result.output
    assert "raw_ticks" in result.stdout


def test_a_backup_is_listed_and_restored_to_another_home(
    fuzzy: Command, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = fuzzy("backup", tmp_path / "backups", "--verify")
    assert made.exit_code == 0, made.output
    assert "of simulated data" in made.stdout
    assert "every file is as it was written" in made.stdout
    assert audited(settings) == ["store.backup"]
    assert "simulated" in fuzzy("backup", tmp_path / "backups", "--list").stdout
    other = tmp_path / "other"
    monkeypatch.setenv("FUZZY_HOME", str(other))
    restored = fuzzy("restore", tmp_path / "backups")
    assert restored.exit_code == 0, restored.output
    assert "every content hash proven" in restored.stdout
    assert "nothing is broken" in fuzzy("check").stdout
    assert [json.loads(line)["action"] for line in (other / "audit" / "audit.jsonl").read_text().splitlines()] == [
        "store.backup", "store.restore"
    ]  # fmt: skip


def test_sizes_are_shown_by_table(fuzzy: Command) -> None:
    result = fuzzy("sizes", "--measure")
    assert result.exit_code == 0, result.output
    assert "MB on disk" in result.stdout
    assert "imbalance_bars" in result.stdout

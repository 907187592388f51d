"""``fuzzy audit``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from fuzzy_pipeline.cli.audit import audit_app
from fuzzy_pipeline.cli.console import Commands
from fuzzy_pipeline.operations.audit import AuditLog

Fuzzy = Callable[..., Result]

app = typer.Typer(cls=Commands)
app.add_typer(audit_app, name="audit")


@pytest.fixture
def fuzzy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fuzzy:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FUZZY_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "250")
    return lambda *arguments: CliRunner().invoke(app, ["audit", *arguments])


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    log = AuditLog(tmp_path / "audit" / "audit.jsonl", actor="anna")
    log.append("quarantine.drop", {"symbol": "AAA", "rows": "50-52"}, {"why": "test prints [venue]"})
    log.record_state("settings.changed", {"home": "/x"}, {"FUZZY_CHUNK_TICKS": 5})
    log.record_state("settings.changed", {"home": "/x"}, {"FUZZY_CHUNK_TICKS": 7})
    return log


def test_the_latest_entries_are_shown_the_newest_last(fuzzy: Fuzzy, log: AuditLog) -> None:
    lines = fuzzy("show").stdout.splitlines()
    assert [line.split("  ")[2:] for line in lines if "ET" in line] == [
        ["anna", "quarantine.drop"], ["anna", "settings.changed"], ["anna", "settings.changed"],
    ]  # fmt: skip
    assert lines[1:3] == ["    rows=50-52 symbol=AAA", "    why=test prints [venue]"]
    assert lines[5] == "    1 settings recorded for the first time"
    assert lines[8] == "    FUZZY_CHUNK_TICKS: 5 -> 7"
    assert fuzzy("show", "--last", "1").stdout.count("anna") == 1
    assert fuzzy("show", "--action", "quarantine").stdout.count("anna") == 1


def test_a_home_without_a_log_has_no_entries_and_is_whole(fuzzy: Fuzzy) -> None:
    assert "no entries yet" in fuzzy("show").stderr
    assert fuzzy("verify").stdout.startswith("whole: 0 entries")


def test_the_head_is_number_and_hash_and_verifies_later(fuzzy: Fuzzy, log: AuditLog) -> None:
    number, head = fuzzy("head").stdout.split()
    assert number == "3"
    log.append("another.action", {})
    result = fuzzy("verify", "--head", head)
    assert result.exit_code == 0
    assert "whole: 4 entries, and the head you gave is in it" in result.stdout
    wrong = fuzzy("verify", "--head", "f" * 64)
    assert wrong.exit_code == 1
    assert "the log as a whole: removed: no entry has the hash fff" in wrong.stderr


def test_the_first_broken_line_and_why_are_said(fuzzy: Fuzzy, log: AuditLog) -> None:
    log.path.write_bytes(log.path.read_bytes().replace(b"test prints", b"fine prints"))
    result = fuzzy("verify")
    assert result.exit_code == 1
    assert "error: line 1: changed: entry 1 does not have the hash it says" in result.stderr

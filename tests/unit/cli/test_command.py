"""The command as a whole: help, options, errors and exit codes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from fuzzy_pipeline import __version__
from fuzzy_pipeline.cli import app, console, read
from fuzzy_pipeline.errors import NotStoredError
from fuzzy_pipeline.settings import Settings
from tests.unit.cli.conftest import Fuzzy

COMMANDS = (
    "demo", "run", "backfill", "catch-up", "status", "ticks", "bars", "metadata", "rank", "sql", "find", "export",
    "report", "doctor", "ui", "serve-iqfeed",
)  # fmt: skip
GROUPS = ("quarantine", "audit", "store", "metrics")


def test_help_is_there_without_the_heavy_libraries() -> None:
    program = (
        "import sys\nfrom typer.testing import CliRunner\nfrom fuzzy_pipeline.cli import app\n"
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0\n"
        "heavy = {'dagster', 'pandas', 'numpy', 'arcticdb', 'numba', 'pyarrow', 'pydantic', 'matplotlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_help_names_every_command(empty: Fuzzy) -> None:
    assert [command.callback.__name__.replace("_", "-") for command in app.registered_commands] == list(COMMANDS)
    assert [group.name for group in app.registered_groups] == list(GROUPS)
    text = empty("--help").output
    assert all(command in text for command in (*COMMANDS, *GROUPS))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_examples(empty: Fuzzy, command: str) -> None:
    result = empty(command, "--help")
    assert result.exit_code == 0
    assert "Examples" in result.output
    assert re.search(rf"^\s*fuzzy .*{command}", result.output, re.MULTILINE)


@pytest.mark.parametrize("group", GROUPS)
def test_every_command_of_a_group_shows_examples(empty: Fuzzy, group: str) -> None:
    (found,) = [one for one in app.registered_groups if one.name == group]
    assert found.typer_instance is not None
    commands = [one.name or one.callback.__name__ for one in found.typer_instance.registered_commands if one.callback]
    assert commands
    for command in (name.replace("_", "-") for name in commands):
        result = empty(group, command, "--help")
        assert result.exit_code == 0, command
        assert re.search(rf"^\s*fuzzy .*{group} {command}", result.output, re.MULTILINE), command


def test_the_version_is_the_packages(empty: Fuzzy) -> None:
    assert empty("--version").output.strip() == f"fuzzy-pipeline {__version__}"


def test_home_option_chooses_the_store(empty: Fuzzy, simulated: Settings) -> None:
    assert empty("status").exit_code == 1
    result = empty("--home", simulated.home, "status")
    assert result.exit_code == 0
    assert str(simulated.home) in result.output


def test_an_error_is_one_message_with_hints_and_no_traceback(fuzzy: Fuzzy) -> None:
    result = fuzzy("bars", "NOPE", "2025-11-25")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.splitlines() == [
        "error: time_bars NOPE: nothing is committed for 2025-11-25",
        "  stored for 2025-11-25: AAPL, SPY",
        "  NOPE is not in time_bars on any date",
        "  build it: fuzzy run 2025-11-25 --symbols NOPE",
    ]


def test_debug_lets_the_traceback_through(fuzzy: Fuzzy) -> None:
    result = fuzzy("--debug", "bars", "NOPE", "2025-11-25")
    assert result.exit_code == 1
    assert isinstance(result.exception, NotStoredError)


def test_no_store_says_how_to_get_one(empty: Fuzzy, tmp_path: Path) -> None:
    result = empty("bars", "SPY", "2025-11-25")
    assert result.exit_code == 1
    assert f"no store at {tmp_path / 'home'}" in result.stderr
    assert "FUZZY_HOME" in result.stderr


def test_refused_settings_are_named_with_their_variables(fuzzy: Fuzzy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUZZY_IQFEED__PORT", "many")
    result = fuzzy("status")
    assert result.exit_code == 1
    assert "FUZZY_IQFEED__PORT: Input should be a valid integer" in result.stderr


def test_a_malformed_date_is_a_usage_error(fuzzy: Fuzzy) -> None:
    result = fuzzy("bars", "SPY", "2025-13-01")
    assert result.exit_code == 2
    assert "write YYYY-MM-DD" in result.stderr


def test_ctrl_c_ends_quietly_with_130(fuzzy: Fuzzy, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(read, "print_table", interrupted)
    result = fuzzy("metadata")
    assert result.exit_code == console.INTERRUPTED == 130
    assert result.output == ""


def test_markup_in_a_message_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    console.print_error(NotStoredError("[red]no such thing[/red]\nhint [1/2]"))
    assert capsys.readouterr().err == "error: [red]no such thing[/red]\n  hint [1/2]\n"

"""``fuzzy report``."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from fuzzy_pipeline.cli.console import Commands
from fuzzy_pipeline.cli.report import report
from fuzzy_pipeline.query import opening
from fuzzy_pipeline.settings import load_settings
from fuzzy_pipeline.stores.store import Store
from tests.unit.report.planted_store import DATE, Planted, new_store, plant

Fuzzy = Callable[..., Result]


@pytest.fixture
def fuzzy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fuzzy:
    """The command on a store with one symbol on one date."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FUZZY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FUZZY_SYMBOLS", "KO")
    monkeypatch.setenv("COLUMNS", "200")
    store = new_store("simulated")
    plant(store, load_settings(), DATE, {"KO": Planted(ticks=4321)})

    @contextmanager
    def reading(*_: object) -> Iterator[Store]:
        yield store

    monkeypatch.setattr(opening, "reading", reading)
    app = typer.Typer(cls=Commands, pretty_exceptions_enable=False)
    app.command()(report)
    app.callback()(lambda: None)
    return lambda *arguments: CliRunner().invoke(app, ["report", *(str(argument) for argument in arguments)])


def test_page_and_json_go_to_the_home_and_their_paths_are_printed(fuzzy: Fuzzy, tmp_path: Path) -> None:
    result = fuzzy(DATE)
    folder = tmp_path / "home" / "reports"
    assert result.exit_code == 0
    assert result.stdout.splitlines() == [str(folder / "2025-11-26.html"), str(folder / "2025-11-26.json")]
    assert "4,321" in (folder / "2025-11-26.html").read_text()
    assert json.loads((folder / "2025-11-26.json").read_text())["totals"]["ticks"] == 4321


def test_a_date_that_does_not_trade_means_the_one_before(fuzzy: Fuzzy) -> None:
    result = fuzzy("2025-11-27", "--json")
    assert json.loads(result.stdout)["date"] == "2025-11-26"
    assert "2025-11-27 is no trading date" in result.stderr


def test_json_prints_and_writes_nothing(fuzzy: Fuzzy, tmp_path: Path) -> None:
    assert json.loads(fuzzy(DATE, "--json").stdout)["heading"]["kind"] == "simulated"
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("name", ["mine.html", "mine.json"])
def test_output_writes_that_file_only(fuzzy: Fuzzy, tmp_path: Path, name: str) -> None:
    assert fuzzy(DATE, "--output", tmp_path / "own" / name).exit_code == 0
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == [name]


def test_a_range_writes_the_pages_its_dates_lack_and_links_to_them(fuzzy: Fuzzy, tmp_path: Path) -> None:
    result = fuzzy("2025-11-24", "--to", "2025-11-28")
    folder = tmp_path / "home" / "reports"
    assert result.exit_code == 0
    assert {file.name for file in folder.iterdir()} == {
        "2025-11-24_2025-11-28.html", "2025-11-24_2025-11-28.json", "2025-11-26.html", "2025-11-26.json",
    }  # fmt: skip
    assert 'href="2025-11-26.html"' in (folder / "2025-11-24_2025-11-28.html").read_text()


def test_a_page_put_elsewhere_links_to_the_folder_of_the_others(fuzzy: Fuzzy, tmp_path: Path) -> None:
    fuzzy(DATE)
    fuzzy("2025-11-24", "--to", "2025-11-28", "--output", tmp_path / "own" / "week.html")
    assert 'href="../home/reports/2025-11-26.html"' in (tmp_path / "own" / "week.html").read_text()


def test_open_shows_the_page(fuzzy: Fuzzy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda uri: shown.append(uri) or True)
    fuzzy(DATE, "--open")
    assert shown == [(tmp_path / "home" / "reports" / "2025-11-26.html").as_uri()]


def test_no_browser_is_a_note(fuzzy: Fuzzy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda uri: False)
    result = fuzzy(DATE, "--open")
    assert result.exit_code == 0
    assert "note: no browser could be started" in result.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--json", "--open"), "--json prints and writes nothing"),
        (("--output", "page.txt"), "must end in .html or .json"),
        (("--output", "page.json", "--open"), "--open shows a page"),
        (("--to", "2025-11-20"), "swap them"),
        (("--output", "/dev/null/page.html"), "the report cannot be written"),
    ],
)
def test_what_cannot_be_is_refused(fuzzy: Fuzzy, options: tuple[str, ...], message: str) -> None:
    result = fuzzy(DATE, *options)
    assert result.exit_code == 1
    assert message in result.stderr

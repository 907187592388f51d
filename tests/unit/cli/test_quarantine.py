"""``fuzzy quarantine`` in front of a launcher that runs the steps without Dagster."""

from __future__ import annotations

import datetime as dt
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

import fuzzy_pipeline.schedules
from fuzzy_pipeline.cli.console import Commands
from fuzzy_pipeline.cli.quarantine import quarantine_app
from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.operations.audit import AuditLog
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings, SimulatorSettings, load_settings
from fuzzy_pipeline.simulator.market import SimulatedMarket
from fuzzy_pipeline.sources.files import write_ticks
from fuzzy_pipeline.steps.pipeline import pipeline_steps
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench

TUESDAY, WEDNESDAY = dt.date(2025, 11, 25), dt.date(2025, 11, 26)
Fuzzy = Callable[..., Result]

app = typer.Typer(cls=Commands)
app.add_typer(quarantine_app, name="quarantine")


class Launcher:
    """Stands in for ``schedules.launch``: dates are run inline."""

    def __init__(self) -> None:
        self.asked: list[tuple[dt.date, tuple[str, ...]]] = []

    def run_now(
        self,
        settings: Settings,
        date: dt.date,
        symbols: Sequence[str] = (),
        assets: Sequence[str] = (),
        force: bool = False,
    ) -> SimpleNamespace:
        self.asked.append((date, tuple(symbols)))
        assert (tuple(assets), force) == ((), False)
        return SimpleNamespace(success=run(settings, date, symbols), run_id="0123456789", error="", seconds=1.0)


def run(settings: Settings, date: dt.date, symbols: Sequence[str]) -> bool:
    reports = [run_date(step, date, symbols, settings, InlineEngine()) for step in pipeline_steps(settings)]
    return not any(report.failed for report in reports)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Variables of a home with two symbols and two dates, built once.

    On the first date row 50 and 52 of AAA have a price of zero, row 60 of BBB another date.
    """
    folder = tmp_path_factory.mktemp("quarantine")
    variables = {
        "FUZZY_HOME": str(folder / "home"),
        "FUZZY_SOURCE": "files",
        "FUZZY_FILES__PATH": str(folder / "ticks"),
        "FUZZY_SYMBOLS": "AAA,BBB",
        "FUZZY_STORE__MAP_SIZE": "1GB",
        "FUZZY_BARS__INTERVALS": '["1h", "1d"]',
        "FUZZY_BARS__FAMILIES": '["time", "renko"]',
        "COLUMNS": "200",
    }
    market = SimulatedMarket(SimulatorSettings(ticks_per_day=400))
    for date in (TUESDAY, WEDNESDAY):
        for symbol in ("AAA", "BBB"):
            columns = {name: array.copy() for name, array in market.fetch_ticks(symbol, date).columns.items()}
            if (symbol, date) == ("AAA", TUESDAY):
                columns["last"][[50, 52]] = 0.0
            if (symbol, date) == ("BBB", TUESDAY):
                columns["date"][60] = np.datetime64("2025-11-26")
            write_ticks(folder / "ticks" / f"symbol={symbol}" / f"date={date}.parquet", columns, "simulated")
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        for name, value in variables.items():
            patched.setenv(name, value)
        for date in (TUESDAY, WEDNESDAY):
            assert run(load_settings(), date, ("AAA", "BBB"))
    close_workbenches()
    return variables


@pytest.fixture
def settings(built: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of a copy of that home."""
    shutil.copytree(built["FUZZY_HOME"], tmp_path / "home")
    monkeypatch.chdir(tmp_path)
    for name, value in (built | {"FUZZY_HOME": str(tmp_path / "home")}).items():
        monkeypatch.setenv(name, value)
    yield load_settings()
    close_workbenches()


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    stand_in = Launcher()
    monkeypatch.setitem(sys.modules, "fuzzy_pipeline.schedules.launch", stand_in)
    monkeypatch.setattr(fuzzy_pipeline.schedules, "launch", stand_in, raising=False)
    return stand_in


@pytest.fixture
def fuzzy(settings: Settings, launcher: Launcher) -> Fuzzy:
    def command(*arguments: object, answer: str = "") -> Result:
        return CliRunner().invoke(app, ["quarantine", *map(str, arguments)], input=answer)

    return command


def cells(output: str, *first: str) -> list[str]:
    """The cells of the table line that begins with these."""
    lines = [[cell.strip() for cell in line.strip("│").split("│")] for line in output.splitlines() if "│" in line]
    return next(line for line in lines if line[: len(first)] == list(first))


def test_the_list_counts_by_date_symbol_and_rule_and_says_how_to_go_on(fuzzy: Fuzzy) -> None:
    result = fuzzy("list")
    assert result.exit_code == 0, result.output
    assert cells(result.stdout, "2025-11-25", "AAA") == [
        "2025-11-25", "AAA", "price_not_positive", "2", "2", "-", "-", "-",
    ]  # fmt: skip
    assert cells(result.stdout, "2025-11-25", "BBB")[2:5] == ["wrong_date", "1", "1"]
    assert "fuzzy quarantine show --symbol AAA --date 2025-11-25" in result.stdout


def test_the_list_can_be_limited(fuzzy: Fuzzy) -> None:
    assert "AAA" not in fuzzy("list", "--symbol", "bbb").stdout
    assert "BBB" not in fuzzy("list", "--rule", "price_not_positive").stdout
    assert "no rows are set aside that fit" in fuzzy("list", "--date", WEDNESDAY).stderr
    assert "no rows are set aside that fit" in fuzzy("list", "--state", "dropped").stderr


@pytest.mark.parametrize(("option", "value"), [("--rule", "bad_price"), ("--state", "closed")])
def test_a_name_that_does_not_exist_is_refused_with_those_that_do(fuzzy: Fuzzy, option: str, value: str) -> None:
    result = fuzzy("list", option, value)
    assert result.exit_code == 1
    assert f"no {option[2:]} {value}; there are " in result.stderr


def test_rows_are_shown_among_the_ticks_around_them(fuzzy: Fuzzy, settings: Settings) -> None:
    result = fuzzy("show", "--symbol", "AAA", "--around", "1", "--limit", "1")
    assert result.exit_code == 0, result.output
    numbers = [line.strip("│").split("│")[0].strip() for line in result.stdout.splitlines() if line.startswith("│")]
    assert numbers == ["49", "50", "51"]
    assert cells(result.stdout, "50")[2] == "0.0"
    assert "AAA 2025-11-25 row 50: price_not_positive (last must be finite and above 0)" in result.stdout
    assert "1 more: --limit 2" in result.stderr
    assert "its date is 2025-11-26" in fuzzy("show", "--symbol", "BBB").stdout


def test_release_and_replay_bring_the_tick_and_all_that_follows(
    fuzzy: Fuzzy, settings: Settings, launcher: Launcher
) -> None:
    before = workbench(settings).store.committed(RAW_TICKS, "AAA", TUESDAY)
    result = fuzzy(
        "release", "--symbol", "AAA", "--date", TUESDAY, "--row", "50", "--set", "last=1234.5", "--why", "seen", "--yes"
    )
    assert result.exit_code == 0, result.output
    assert "1 row released; the ticks follow with: fuzzy quarantine replay" in result.stdout
    assert cells(fuzzy("list").stdout, "2025-11-25", "AAA")[3:] == ["2", "1", "1", "-", "-"]
    assert "release with last=1234.5 by " in fuzzy("show", "--symbol", "AAA", "--row", "50").stdout

    result = fuzzy("replay", "--yes")
    assert result.exit_code == 0, result.output
    # Renko bars carry state: the date after is built again too, of this symbol only.
    assert launcher.asked == [(TUESDAY, ("AAA",)), (WEDNESDAY, ("AAA",))]
    assert cells(result.stdout, "2025-11-25", "AAA", "decisions")
    assert cells(result.stdout, "2025-11-25", "AAA", "price_not_positive")[3:] == ["2", "1", "-", "1", "-"]
    store = workbench(settings).store
    after = store.committed(RAW_TICKS, "AAA", TUESDAY)
    assert (after.rows, after.rows_set_aside) == (before.rows + 1, 1)
    assert 1234.5 in store.read(ENRICHED_TICKS, "AAA", TUESDAY).arrays["price"]
    assert [entry.action for entry in AuditLog.of(settings).entries()] == ["quarantine.release", "quarantine.replay"]
    assert "nothing to replay" in fuzzy("replay").stderr


def test_a_decision_is_asked_about_and_no_takes_it_back(fuzzy: Fuzzy, settings: Settings) -> None:
    result = fuzzy("drop", "--symbol", "AAA", "--why", "test prints", answer="n\n")
    assert result.exit_code == 1
    assert "drop 2 rows?" in result.output
    assert cells(fuzzy("list").stdout, "2025-11-25", "AAA")[4] == "2"
    result = fuzzy("drop", "--symbol", "AAA", "--why", "test prints", answer="y\n")
    assert result.exit_code == 0
    assert cells(fuzzy("list").stdout, "2025-11-25", "AAA")[3:] == ["2", "-", "-", "-", "2"]
    assert "nothing to replay" in fuzzy("replay", "--yes").stderr


def test_decisions_are_taken_back(fuzzy: Fuzzy) -> None:
    where = ("--symbol", "AAA", "--date", TUESDAY)
    fuzzy("drop", *where, "--row", "50", "--why", "test print", "--yes")
    result = fuzzy("reopen", *where, "--row", "50", "--why", "it was not", "--yes")
    assert result.stdout == "1 row reopened\n"
    assert cells(fuzzy("list").stdout, "2025-11-25", "AAA")[4] == "2"


def test_rows_of_another_date_are_released_all_at_once(fuzzy: Fuzzy, launcher: Launcher) -> None:
    result = fuzzy("release", "--rule", "wrong_date", "--set", f"date={TUESDAY}", "--why", "stamped in UTC", "--yes")
    assert result.exit_code == 0, result.output
    assert fuzzy("replay", "--yes").exit_code == 0
    assert launcher.asked[0] == (TUESDAY, ("BBB",))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("drop", "--symbol", "AAA"), "a decision needs its reason"),
        (("drop", "--why", "x"), "say which rows"),
        (("drop", "--row", "50", "--why", "x"), "--row numbers the rows of one symbol and date"),
        (("drop", "--symbol", "ZZZ", "--why", "x"), "no rows that fit"),
        (("release", "--symbol", "AAA", "--why", "x"), "correct it with --set last=PRICE, or drop it"),
        (("reopen", "--symbol", "AAA", "--why", "x"), "no rows that fit"),
    ],
)
def test_what_makes_no_decision_is_refused_with_the_way_out(
    fuzzy: Fuzzy, settings: Settings, arguments: tuple[str, ...], message: str
) -> None:
    result = fuzzy(*arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not AuditLog.of(settings).path.exists()


@pytest.mark.parametrize("arguments", [("--set", "last"), ("--row", "x"), ("--row", "5-"), ("--date", "yesterday")])
def test_words_that_cannot_be_read_are_a_usage_error(fuzzy: Fuzzy, arguments: tuple[str, ...]) -> None:
    assert fuzzy("release", "--why", "x", *arguments).exit_code == 2


def test_a_symbol_that_fails_ends_the_replay_with_one_and_the_reason(
    fuzzy: Fuzzy, settings: Settings, launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = ("--symbol", "AAA", "--date", TUESDAY, "--row", "50")
    fuzzy("release", *where, "--set", "last=10", "--why", "seen", "--yes")
    # Row 52 is now more of the day than may be set aside.
    monkeypatch.setenv("FUZZY_INGEST__MAX_SET_ASIDE_SHARE", "0")
    result = fuzzy("replay", "--yes")
    assert result.exit_code == 1
    assert "failed: 2025-11-25 AAA raw_ticks: RejectedDayError" in result.stderr
    assert "decisions that took no effect: 2025-11-25 AAA" in result.stderr

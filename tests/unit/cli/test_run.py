"""``fuzzy run``, ``backfill`` and ``demo`` in front of a launcher that runs the steps without Dagster."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest

import fuzzy_pipeline.schedules
from fuzzy_pipeline.assets.partitions import last_partition_date
from fuzzy_pipeline.cli import demo
from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.build_bars import BuildBarsStep
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.stores.stamp import read_stamp
from tests.unit.cli.conftest import Fuzzy
from tests.unit.query.simulated_store import EMPTY, HALF_DAY, TUESDAY


@dataclass
class Launcher:
    """Stands in for ``schedules.launch``: same functions, the steps run inline."""

    asked: list[tuple[object, ...]] = field(default_factory=list)
    states: list[SimpleNamespace] = field(default_factory=list)
    error: str = ""

    def run_now(
        self,
        settings: Settings,
        date: dt.date,
        symbols: Sequence[str] = (),
        assets: Sequence[str] = (),
        force: bool = False,
    ) -> SimpleNamespace:
        self.asked.append((date, tuple(symbols), tuple(assets), force))
        failed = bool(self.error)
        for step in () if failed else (IngestStep(), EnrichStep(), BuildBarsStep(), DayMetadataPhase1Step()):
            report = run_date(step, date, symbols or settings.symbols, settings, InlineEngine(), force=force)
            failed = failed or bool(report.failed)
        return SimpleNamespace(success=not failed, run_id="0123456789", error=self.error, seconds=1.0)

    def backfill(
        self,
        settings: Settings,
        dates: Sequence[dt.date],
        symbols: Sequence[str] = (),
        assets: Sequence[str] = (),
        force: bool = False,
    ) -> Iterator[SimpleNamespace]:
        self.asked.append((tuple(dates), tuple(symbols), tuple(assets), force))
        yield from self.states


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> Launcher:
    stand_in = Launcher()
    monkeypatch.setitem(sys.modules, "fuzzy_pipeline.schedules.launch", stand_in)
    monkeypatch.setattr(fuzzy_pipeline.schedules, "launch", stand_in, raising=False)
    monkeypatch.setenv("FUZZY_SIMULATOR__TICKS_PER_DAY", "200")
    monkeypatch.setenv("FUZZY_BARS__INTERVALS", '["1h", "1d"]')
    return stand_in


def test_a_date_is_built_and_its_rows_are_shown(empty: Fuzzy, launcher: Launcher) -> None:
    result = empty("run", TUESDAY, "--symbols", "spy,ko", "--force")
    assert result.exit_code == 0
    assert launcher.asked == [(TUESDAY, ("SPY", "KO"), (), True)]
    assert "2025-11-25 (Tuesday)" in result.stdout
    assert "SPY" in result.stdout
    assert "run 01234567: 1.0 s (simulated)" in result.stdout
    assert "2025-11-25 bars " in result.stderr  # its progress bar


def test_a_failed_symbol_ends_with_one_and_the_reason(empty: Fuzzy, launcher: Launcher) -> None:
    result = empty("run", TUESDAY, "--symbols", f"SPY,{EMPTY}")
    assert result.exit_code == 1
    assert f"failed: 2025-11-25 {EMPTY} raw_ticks: NoDataError" in result.stderr
    assert "enriched_ticks: NotStoredError" not in result.stderr


def test_what_was_current_is_said_to_be_kept(empty: Fuzzy, launcher: Launcher) -> None:
    empty("run", TUESDAY, "--symbols", "SPY")
    assert "kept" in empty("run", TUESDAY, "--symbols", "SPY").stdout


def test_a_holiday_runs_the_last_trading_date_and_says_so(empty: Fuzzy, launcher: Launcher) -> None:
    result = empty("run", "2025-11-27", "--symbols", "SPY", "--assets", "raw_ticks,enriched_ticks")
    assert "2025-11-27 is no trading date (Thanksgiving Day): using 2025-11-26" in result.stderr
    assert launcher.asked == [(dt.date(2025, 11, 26), ("SPY",), ("raw_ticks", "enriched_ticks"), False)]


def test_a_run_that_fails_as_a_whole_shows_its_error(empty: Fuzzy, launcher: Launcher) -> None:
    launcher.error = "the store at /x holds real data"
    result = empty("run", TUESDAY)
    assert result.exit_code == 1
    assert "error: the store at /x holds real data" in result.stderr


def test_a_symbol_that_is_no_ticker_is_refused_before_anything_runs(empty: Fuzzy, launcher: Launcher) -> None:
    result = empty("run", TUESDAY, "--symbols", "S$Y")
    assert result.exit_code == 1
    assert "not tickers" in result.stderr
    assert launcher.asked == []


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        ("2025-11-26T00:59+00:00", dt.date(2025, 11, 24)),  # Tuesday 19:59 EST: Tuesday's window is open
        ("2025-11-26T01:00+00:00", dt.date(2025, 11, 25)),  # Tuesday 20:00 EST
        ("2025-11-30T12:00+00:00", dt.date(2025, 11, 28)),  # Sunday
        ("2025-07-09T00:59+00:00", dt.date(2025, 7, 7)),  # Tuesday 20:59 EDT
        ("2025-07-09T01:00+00:00", dt.date(2025, 7, 8)),  # Tuesday 21:00 EDT
    ],
)
def test_a_date_gets_its_partition_in_its_evening(now: str, expected: dt.date) -> None:
    assert last_partition_date(dt.datetime.fromisoformat(now)) == expected


def _state(done: int, failed: int, total: int, waiting_for: str = "", error: str = "") -> SimpleNamespace:
    return SimpleNamespace(
        backfill_id="ab12cd34", state="REQUESTED", dates_done=done, dates_failed=failed, dates_total=total,
        waiting_for=waiting_for, error=error,
    )  # fmt: skip


def test_a_backfill_asks_for_trading_dates_only_and_names_where_to_see_it(empty: Fuzzy, launcher: Launcher) -> None:
    launcher.states = [_state(0, 0, 3, "the daemon"), _state(3, 0, 3)]
    result = empty("backfill", "--from", TUESDAY, "--to", "2025-11-30", "--symbols", "SPY")
    assert result.exit_code == 0
    assert launcher.asked == [((TUESDAY, dt.date(2025, 11, 26), HALF_DAY), ("SPY",), (), False)]
    assert "backfill ab12cd34: 3 of 3 dates complete" in result.stdout
    assert "/runs/b/ab12cd34" in result.stdout


def test_a_backfill_with_failed_dates_ends_with_one_and_the_reasons(fuzzy: Fuzzy, launcher: Launcher) -> None:
    launcher.states = [_state(1, 1, 2)]
    result = fuzzy("backfill", "--from", TUESDAY, "--to", "2025-11-26", "--symbols", f"SPY,{EMPTY}")
    assert result.exit_code == 1
    assert f"failed: 2025-11-25 {EMPTY} raw_ticks: NoDataError" in result.stderr


def test_a_backfill_whose_runs_fail_as_a_whole_says_why(empty: Fuzzy, launcher: Launcher) -> None:
    launcher.states = [_state(0, 0, 2), _state(0, 2, 2, error="the daemon has other settings")]
    result = empty("backfill", "--from", TUESDAY, "--to", "2025-11-26")
    assert result.exit_code == 1
    assert "error: 2 dates were not completed: the daemon has other settings" in result.stderr


def test_a_backfill_without_trading_dates_is_refused(empty: Fuzzy, launcher: Launcher) -> None:
    result = empty("backfill", "--from", "2025-11-29", "--to", "2025-11-30")
    assert result.exit_code == 1
    assert "no trading date from 2025-11-29 to 2025-11-30" in result.stderr


def test_the_demo_says_simulated_names_the_half_day_and_how_to_go_on(
    empty: Fuzzy, launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo, "SYMBOLS", ("KO", "SPY"))
    result = empty("demo")
    assert result.exit_code == 0
    assert [asked[0] for asked in launcher.asked] == [TUESDAY, dt.date(2025, 11, 26), HALF_DAY]
    assert result.stdout.count("SIMULATED data: a made-up market") == 2
    assert "2025-11-28 is a half day: the market closes at 13:00" in result.stdout
    assert "make ui" in result.stdout
    assert "fuzzy --home .fuzzy/demo bars SPY 2025-11-28 --plot" in result.stdout
    assert sum(line.startswith("│ 2025-11-") for line in result.stdout.splitlines()) == 6


def test_the_demo_goes_to_the_home_that_is_named(empty: Fuzzy, launcher: Launcher, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(demo, "SYMBOLS", ("KO",))
    empty("--home", tmp_path / "there", "demo")
    assert (tmp_path / "there" / "store" / "light" / "store.json").exists()
    assert not (tmp_path / ".fuzzy").exists()


ELSEWHERE = (
    {"FUZZY_SOURCE": "files", "FUZZY_SYMBOLS": "ZZZ", "FUZZY_FIRST_DATE": "2025-12-01"},
    {"FUZZY_STORE__HEAVY_URI": "lmdb://{folder}/heavy?map_size=1GB", "FUZZY_STORE__LIGHT_PATH": "{folder}/light"},
    {"FUZZY_STORE": '{{"heavy_uri": "lmdb://{folder}/heavy", "light_path": "{folder}/light"}}'},
    {"FUZZY_HOME": "{folder}"},
)


@pytest.mark.parametrize("place", ["file", "environment"])
@pytest.mark.parametrize("named", ELSEWHERE, ids=min)
def test_the_demo_is_simulated_and_in_its_own_home_whatever_is_set(
    empty: Fuzzy, launcher: Launcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str, named: dict[str, str]
) -> None:
    monkeypatch.setattr(demo, "SYMBOLS", ("KO",))
    elsewhere = tmp_path / "elsewhere"
    values = {name: text.format(folder=elsewhere) for name, text in named.items()}
    if place == "file":
        (tmp_path / ".env").write_text("".join(f"{name}={text}\n" for name, text in values.items()))
    for name, text in values.items() if place == "environment" else ():
        monkeypatch.setenv(name, text)
    result = empty("demo")
    assert result.exit_code == 0, result.output
    home = tmp_path / ".fuzzy" / "demo"
    assert read_stamp(home / "store" / "light").kind == "simulated"
    assert (home / "store" / "heavy").is_dir()
    assert not elsewhere.exists()
    inherited = load_settings()  # what a process that the demo starts would use
    assert (inherited.source, inherited.home, inherited.light_path) == ("simulator", home, home / "store" / "light")
    assert inherited.heavy_uri.startswith(f"lmdb://{home}/store/heavy")


def test_a_home_that_an_earlier_demo_made_is_taken_and_one_with_other_settings_is_not(
    empty: Fuzzy, launcher: Launcher, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demo, "SYMBOLS", ("KO",))
    own = tmp_path / "there" / ".env"
    own.parent.mkdir()
    own.write_text("# an earlier text\nFUZZY_SOURCE=simulator\n")
    assert empty("--home", own.parent, "demo").exit_code == 0
    own.write_text("FUZZY_SOURCE=files\n")
    result = empty("--home", own.parent, "demo")
    assert result.exit_code == 1
    assert "holds other settings than the demo's" in result.stderr

"""A source that fails in passing is asked again, one run at a time; anything else is not."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.errors import (
    NoDataError,
    SourceError,
    SourceTimeoutError,
    SourceUnavailableError,
    StoreError,
    TooManyRequestsError,
    UnauthorizedError,
)
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import RetrySettings, Settings
from fuzzy_pipeline.sources.files import FilesSource
from fuzzy_pipeline.sources.protocol import DataKind, FetchedTicks
from fuzzy_pipeline.steps import run_date as module
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.run_date import DateReport, run_date
from fuzzy_pipeline.steps.step import StepResult, Work
from fuzzy_pipeline.steps.workbench import Workbench, workbench
from fuzzy_pipeline.stores.file_lock import held
from tests.unit.steps.conftest import DATE, SYMBOLS

DOWN, BUSY, SILENT = SourceUnavailableError("down"), TooManyRequestsError("busy"), SourceTimeoutError("silent")
NOTHING = NoDataError("nothing there")


@dataclass
class Unsteady:
    """The files of the settings, behind errors by symbol that are raised one after another; all calls are noted."""

    files: FilesSource
    errors: Mapping[str, Sequence[SourceError]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    before: Callable[[str], None] = lambda symbol: None
    name: str = "files"

    @property
    def kind(self) -> DataKind:
        return self.files.kind

    def fetch_ticks(self, symbol: str, trading_date: dt.date) -> FetchedTicks:
        self.asked.append(symbol)
        self.before(symbol)
        errors = self.errors.get(symbol, ())
        if self.asked.count(symbol) <= len(errors):
            raise errors[self.asked.count(symbol) - 1]
        return self.files.fetch_ticks(symbol, trading_date)

    def daily_bar(self, symbol: str, trading_date: dt.date) -> SourceDailyBar | None:
        return None

    def check(self) -> str:
        return ""

    def close(self) -> None:
        pass


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited before each round; nothing waits."""
    found: list[float] = []
    monkeypatch.setattr(module.time, "sleep", found.append)
    return found


def source_of(settings: Settings, **errors: Sequence[SourceError]) -> Unsteady:
    """Put an unsteady source on the workbench that steps will find under the settings."""
    found = Unsteady(FilesSource(settings.files), errors)
    workbench(settings).__dict__["source"] = found
    return found


def with_retries(settings: Settings, rounds: int, pause_s: float = 0.0) -> Settings:
    return settings.model_copy(update={"retries": RetrySettings(rounds=rounds, pause_s=pause_s)})


def ingest(settings: Settings, symbols: Sequence[str] = SYMBOLS) -> DateReport:
    return run_date(IngestStep(), DATE, symbols, settings, InlineEngine())


def stored(settings: Settings) -> list[str]:
    return [row.symbol for row in workbench(settings).store.manifest.rows(RAW_TICKS.name, [DATE])]


def failures(settings: Settings) -> dict[str, tuple[str, int]]:
    rows = workbench(settings).store.manifest.failures(RAW_TICKS.name, [DATE])
    return {row.symbol: (row.error_type, row.attempts) for row in rows}


# -- rounds --------------------------------------------------------------------------


@pytest.mark.parametrize("error", [DOWN, BUSY, SILENT])
def test_a_source_that_fails_in_passing_is_asked_again_after_all_others(
    settings: Settings, pauses: list[float], error: SourceError
) -> None:
    chosen = with_retries(settings, rounds=2)
    source = source_of(chosen, AAA=[error])
    report = ingest(chosen)
    assert source.asked == ["AAA", "BBB", "AAA"]
    assert report.failed == {}
    assert stored(chosen) == ["AAA", "BBB"]
    assert failures(chosen) == {}
    assert [result.rows[0].symbol for result in report.committed] == ["BBB", "AAA"]


def test_a_lasting_error_is_not_asked_again(settings: Settings, pauses: list[float]) -> None:
    chosen = with_retries(settings, rounds=2)
    source = source_of(chosen, AAA=[NOTHING])
    report = ingest(chosen)
    assert source.asked == ["AAA", "BBB"]
    assert report.failed["AAA"].error_type == "NoDataError"
    assert pauses == []


def test_an_error_that_turns_out_to_last_ends_the_rounds(settings: Settings, pauses: list[float]) -> None:
    chosen = with_retries(settings, rounds=5)
    source = source_of(chosen, AAA=[DOWN, NOTHING])
    report = ingest(chosen)
    assert source.asked == ["AAA", "BBB", "AAA"]
    assert report.failed["AAA"].error_type == "NoDataError"
    assert failures(chosen) == {"AAA": ("NoDataError", 1)}


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_there_are_as_many_rounds_as_the_settings_say(settings: Settings, pauses: list[float], rounds: int) -> None:
    chosen = with_retries(settings, rounds)
    source = source_of(chosen, AAA=[DOWN] * 9, BBB=[DOWN])
    report = ingest(chosen)
    assert source.asked == ["AAA", "BBB", *(["AAA", "BBB"] if rounds else []), *["AAA"] * max(rounds - 1, 0)]
    assert report.failed["AAA"].reason == "down"
    assert failures(chosen)["AAA"] == ("SourceUnavailableError", 1)  # of one run, however often it asked
    assert stored(chosen) == (["BBB"] if rounds else [])


def test_the_pause_before_each_round_doubles(settings: Settings, pauses: list[float]) -> None:
    chosen = with_retries(settings, rounds=3, pause_s=20.0)
    source_of(chosen, AAA=[DOWN, DOWN, DOWN])
    assert ingest(chosen).failed == {}
    assert pauses == [20.0, 40.0, 80.0]


def test_a_good_run_never_waits(settings: Settings, pauses: list[float]) -> None:
    chosen = with_retries(settings, rounds=3, pause_s=20.0)
    source_of(chosen)
    ingest(chosen)
    assert pauses == []


def test_a_run_that_is_ended_while_it_waits_keeps_what_is_done_and_why_the_rest_failed(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = with_retries(settings, rounds=2, pause_s=20.0)
    source_of(chosen, AAA=[DOWN])

    def ended(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module.time, "sleep", ended)
    with pytest.raises(KeyboardInterrupt):
        ingest(chosen)
    assert stored(chosen) == ["BBB"]
    assert failures(chosen) == {"AAA": ("SourceUnavailableError", 1)}


# -- a source that cannot be reached at all ------------------------------------------


def opens_after(settings: Settings, monkeypatch: pytest.MonkeyPatch, *errors: SourceError) -> Unsteady:
    """A source that cannot be opened so many times; it is opened anew from here on."""
    workbench(settings).__dict__.pop("source", None)
    found, left = Unsteady(FilesSource(settings.files)), list(errors)

    def opened(_: Settings) -> Unsteady:
        if left:
            raise left.pop(0)
        return found

    monkeypatch.setattr("fuzzy_pipeline.steps.workbench.open_source", opened)
    return found


def test_a_source_that_can_be_reached_again_after_a_pause_is_asked(
    settings: Settings, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = with_retries(settings, rounds=3, pause_s=20.0)
    source_of(chosen)
    ingest(chosen, ["AAA"])
    source = opens_after(chosen, monkeypatch, DOWN, SILENT)
    assert ingest(chosen).failed == {}
    assert pauses == [20.0, 40.0]
    assert source.asked == ["BBB"]


def test_a_source_that_stays_out_of_reach_fails_every_symbol_that_is_not_current_by_name(
    settings: Settings, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = with_retries(settings, rounds=1, pause_s=20.0)
    source_of(chosen)
    ingest(chosen, ["AAA"])
    source = opens_after(chosen, monkeypatch, DOWN, DOWN)
    report = ingest(chosen)
    assert (list(report.failed), [row.symbol for row in report.skipped]) == (["BBB"], ["AAA"])
    assert failures(chosen) == {"BBB": ("SourceUnavailableError", 1)}
    assert (pauses, source.asked) == ([20.0], [])


def test_without_a_store_or_with_a_lasting_error_the_run_ends_at_once(
    settings: Settings, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = with_retries(settings, rounds=3, pause_s=20.0)
    opens_after(chosen, monkeypatch, DOWN)
    with pytest.raises(SourceUnavailableError, match="down"):
        ingest(chosen)
    source_of(chosen)
    ingest(chosen, ["AAA"])
    opens_after(chosen, monkeypatch, UnauthorizedError("no such password"))
    with pytest.raises(UnauthorizedError):
        ingest(chosen)
    assert pauses == []


@dataclass(frozen=True)
class Shaky(EnrichStep):
    """A step that does not ask the source, with an error that says it may pass."""

    def run(self, bench: Workbench, work: Work) -> StepResult:
        raise DOWN


def test_steps_that_do_not_ask_the_source_are_not_tried_again(settings: Settings, pauses: list[float]) -> None:
    chosen = with_retries(settings, rounds=2, pause_s=20.0)
    source_of(chosen)
    ingest(chosen)
    report = run_date(Shaky(), DATE, SYMBOLS, chosen, InlineEngine())
    assert list(report.failed) == ["AAA", "BBB"]
    assert pauses == []


# -- one at a time -------------------------------------------------------------------


def start(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    return thread


def test_two_ingests_do_not_ask_the_source_at_once(settings: Settings) -> None:
    source = source_of(settings)
    first_is_in, go_on = threading.Event(), threading.Event()

    def wait(symbol: str) -> None:
        if symbol == "AAA":
            first_is_in.set()
            assert go_on.wait(20)

    source.before = wait
    first = start(lambda: ingest(settings, ["AAA"]))
    assert first_is_in.wait(20)
    second = start(lambda: ingest(settings, ["BBB"]))
    time.sleep(0.3)  # time enough to ask, were it allowed to
    assert source.asked == ["AAA"]
    go_on.set()
    for thread in (first, second):
        thread.join(20)
        assert not thread.is_alive()
    assert source.asked == ["AAA", "BBB"]
    assert stored(settings) == ["AAA", "BBB"]


def test_a_run_waits_for_another_process_and_names_it_when_it_gives_up(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.home.mkdir(parents=True)
    lock = settings.home / ".source.lock"
    program = (
        "import sys, pathlib\nfrom fuzzy_pipeline.stores.file_lock import held\n"
        "with held(pathlib.Path(sys.argv[1]), 1.0, 'test'):\n    print('held', flush=True)\n    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "held"
        source = source_of(settings)
        monkeypatch.setattr(module, "SOURCE_WAIT_S", 0.1)
        with pytest.raises(StoreError, match=f"asking the source files: still held by pid {other.pid} "):
            ingest(settings)
        assert source.asked == []
        other.communicate("")
    assert ingest(settings).failed == {}


def test_what_does_not_ask_the_source_waits_for_nobody(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(settings)
    ingest(settings)
    monkeypatch.setattr(module, "SOURCE_WAIT_S", 0.1)
    with held(settings.home / ".source.lock", 1.0, "test"):
        assert len(ingest(settings).skipped) == 2  # all of it is current
        assert run_date(EnrichStep(), DATE, SYMBOLS, settings, InlineEngine()).failed == {}
    assert source.asked == ["AAA", "BBB"]

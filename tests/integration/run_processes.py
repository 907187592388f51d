"""Processes that work on a home and may be killed, forked from one that has loaded everything: a start costs 0.1 s.

The file is also the program of that process: ``python run_processes.py``. It reads commands from its standard input,
one JSON line each, and ends with everything it started when the input ends.
"""

from __future__ import annotations

import atexit
import datetime as dt
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from fuzzy_pipeline.trading_calendar import trading_dates

ROOT = Path(__file__).resolve().parents[2]
DATES = trading_dates(dt.date(2025, 11, 24), dt.date(2025, 12, 31))
SMALL = {
    "FUZZY_FIRST_DATE": DATES[0].isoformat(),
    "FUZZY_SYMBOLS": "AAA,BBB,CCC",
    "FUZZY_SIMULATOR__TICKS_PER_DAY": "1000",
    "FUZZY_BARS__FAMILIES": '["time", "imbalance"]',
    "FUZZY_BARS__INTERVALS": '["5m"]',
    "FUZZY_ENGINE__KIND": "inline",
    "FUZZY_STORE__MAP_SIZE": "1GB",
    "FUZZY_CATCH_UP__TRIES": "10",
    "FUZZY_CARE__MIN_FREE_GB": "0",
}
"""Little work, of which the imbalance bars carry state from date to date; as many tries as a killed date needs."""
WAIT_S = 300.0
"""Patience with a process; a limit against hanging, never a measurement."""


# -- the tests' side -----------------------------------------------------------------------------------


@dataclass(slots=True)
class Process:
    """A forked process in a process group of its own."""

    forks: Forks
    pid: int
    log: Path
    code: int | None = None

    @property
    def said(self) -> str:
        """What it has printed."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def lines(self, word: str) -> list[str]:
        """What it printed after a word at the beginning of a line."""
        whole = self.said.rpartition("\n")[0]
        return [line.removeprefix(word).strip() for line in whole.splitlines() if line.startswith(f"{word} ")]

    @property
    def steps(self) -> list[tuple[str, float]]:
        """Steps it has begun, and when."""
        return [(name, at) for name, at in map(json.loads, self.lines("step"))]

    def is_running(self) -> bool:
        if self.code is None:
            self.code = self.forks.ask({"do": "poll", "pid": self.pid})
        return self.code is None

    def wait(self, seconds: float = WAIT_S) -> int:
        """Exit code, negative for a signal."""
        self.until(lambda: not self.is_running(), seconds)
        assert self.code is not None
        return self.code

    def until(self, condition: Callable[[], bool], seconds: float = WAIT_S) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                self.kill()
                raise AssertionError(f"waited {seconds} s in vain; it said:\n{self.said[-4000:]}")
            time.sleep(0.005)

    def started(self) -> None:
        """Wait until it has begun to work."""
        self.until(lambda: "started " in self.said or not self.is_running())
        assert "started " in self.said, self.said[-4000:]

    def kill(self, *, alone: bool = False) -> None:
        """End it at once, with all its children unless ``alone``."""
        try:
            (os.kill if alone else os.killpg)(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def succeed(self, seconds: float = WAIT_S) -> str:
        """What it printed, once it has ended well."""
        assert self.wait(seconds) == 0, self.said[-6000:]
        return self.said


class Forks:
    """The process that forks, as seen from the tests."""

    def __init__(self) -> None:
        self._count = 0
        environment = {name: text for name, text in os.environ.items() if not name.startswith("FUZZY_")}
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=environment | {"PYTHONPATH": str(ROOT), "DAGSTER_DISABLE_TELEMETRY": "1"},
            start_new_session=True,
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline().strip() == "ready"

    def ask(self, command: Mapping[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def start(self, work: str, home: Path, environment: Mapping[str, str] | None = None, **arguments: Any) -> Process:
        """Fork a process that does one of the ``WORKS`` on a home, in the small environment, changed as told."""
        self._count += 1
        log = home.parent / "logs" / f"{self._count:03d}-{work}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.touch()
        own = {"FUZZY_HOME": str(home), "DAGSTER_HOME": str(home / "dagster"), "DAGSTER_DISABLE_TELEMETRY": "1"}
        others = {name: text for name, text in os.environ.items() if not name.startswith("FUZZY_")}
        env = others | SMALL | own | dict(environment or {})
        command = {"do": work, "environment": env, "log": str(log), "folder": str(home.parent), "arguments": arguments}
        return Process(self, self.ask(command), log)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(30)


@cache
def the_forks() -> Forks:
    """The process that forks: one for all tests of the session, ended with it."""
    forks = Forks()
    atexit.register(forks.close)
    return forks


@dataclass
class Undisturbed:
    """A home in which nothing goes wrong, for all tests of the session: what the others must come to."""

    folder: Path
    steps: list[tuple[str, float]] = field(default_factory=list)
    _dates: list[dt.date] = field(default_factory=list)

    @property
    def home(self) -> Path:
        return self.folder / "home"

    def run(self, *dates: dt.date) -> list[tuple[str, float]]:
        """Run those of the dates, and of the ones before, that are not there; the last date's steps, their seconds."""
        new = [date for date in DATES if date <= max(dates) and date not in self._dates]
        if new:
            process = the_forks().start("run", self.home, dates=[str(date) for date in new], last=str(new[-1]))
            process.succeed()
            assert [json.loads(line)[1] for line in process.lines("run")] == [True] * len(new), process.said
            steps = process.steps[-(len(process.steps) // len(new)) :]
            self.steps = [(name, then - at) for (name, at), (_, then) in itertools.pairwise(steps)]
            self._dates += new
        return self.steps

    def copy_first(self, home: Path) -> None:
        """Another home with a store of the first date alone."""
        if not self._dates:
            self.run(DATES[0])
            shutil.copytree(self.home / "store", self.folder / "first")
        shutil.copytree(self.folder / "first", home / "store")


@cache
def undisturbed() -> Undisturbed:
    """The home in which nothing goes wrong; removed at the end."""
    made = Undisturbed(Path(tempfile.mkdtemp(prefix="undisturbed")))
    atexit.register(shutil.rmtree, made.folder, ignore_errors=True)
    return made


# -- the forked processes' side ------------------------------------------------------------------------


def say(word: str, value: object = "") -> None:
    os.write(1, f"{word} {value}\n".encode())  # at once: a killed process has said all or nothing


def run(dates: Sequence[str], last: str, force: bool = False, symbols: Sequence[str] = ()) -> None:
    """Nightly runs, one date after the other; each symbol is committed as soon as it is done."""
    from fuzzy_pipeline.schedules import launch
    from fuzzy_pipeline.settings import load_settings

    _know_dates_up_to(last)
    say("started")
    for date in dates:
        began = time.monotonic()
        outcome = launch.run_now(load_settings(), dt.date.fromisoformat(date), force=force, symbols=tuple(symbols))
        say("run", json.dumps([date, outcome.success, outcome.run_id, time.monotonic() - began, outcome.error]))


def catch_up(last: str) -> None:
    """What ``fuzzy catch-up`` does; in the end nothing may be due."""
    from fuzzy_pipeline.schedules import launch
    from fuzzy_pipeline.settings import load_settings

    _know_dates_up_to(last)
    say("started")
    for due, outcome in launch.catch_up(load_settings(), 366):
        say("caught", json.dumps([str(due), outcome.success, outcome.error]))
    say("left", launch.catch_up_plan(load_settings(), 366))


def ingest_without_check(date: str) -> None:
    """Fetch a date into a heavy tier that does not look how much of the disk is free."""
    from fuzzy_pipeline.engine import InlineEngine
    from fuzzy_pipeline.settings import load_settings
    from fuzzy_pipeline.steps.ingest import IngestStep
    from fuzzy_pipeline.steps.run_date import run_date
    from fuzzy_pipeline.stores import arctic

    arctic._SPARE_BYTES = -(1 << 40)
    settings = load_settings()
    report = run_date(IngestStep(), dt.date.fromisoformat(date), settings.symbols, settings, InlineEngine())
    say("failed", sorted(report.failed))


def backfill(dates: Sequence[str]) -> None:
    """What ``fuzzy backfill`` does: a backfill through the instance's daemon, which is started when there is none."""
    from fuzzy_pipeline.schedules import launch
    from fuzzy_pipeline.settings import load_settings

    say("started")
    for state in launch.backfill(load_settings(), [dt.date.fromisoformat(date) for date in dates]):
        say("state", json.dumps(asdict(state)))


def _know_dates_up_to(last: str) -> None:
    """Catching up ends with this date, and results are committed a symbol at a time."""
    from fuzzy_pipeline.schedules import launch
    from fuzzy_pipeline.steps import run_date

    launch.last_partition_date = lambda now: dt.date.fromisoformat(last)
    run_date.COMMIT_EVERY_S = 0.0
    _tell_steps()


def _tell_steps() -> None:
    """Say which step begins, and when the run has ended well."""
    import dagster as dg

    real = dg.DagsterInstance.handle_new_event

    def handle(self: dg.DagsterInstance, event: dg.EventLogEntry, **options: Any) -> None:
        real(self, event, **options)
        kind = event.dagster_event.event_type if event.dagster_event else None
        if kind == dg.DagsterEventType.STEP_START:
            say("step", json.dumps([event.step_key, time.monotonic()]))
        elif kind == dg.DagsterEventType.RUN_SUCCESS:
            say("step", json.dumps(["after the run", time.monotonic()]))

    dg.DagsterInstance.handle_new_event = handle  # type: ignore[method-assign]


def read(seconds: float, stop: str) -> None:
    """Look at the store all the while, in every way there is, until the file ``stop`` is there."""
    from tests.integration.watching_reader import watch

    say("started")
    watch(Path(stop), seconds)


WORKS: Mapping[str, Callable[..., None]] = {
    work.__name__: work for work in (run, catch_up, read, backfill, ingest_without_check)
}


def _load() -> None:
    """Import all that a run imports, and compile or load its kernels, without opening any store: it would not fork."""
    import logging

    import great_expectations  # noqa: F401
    import matplotlib.pyplot as plt
    import pandas as pd  # noqa: F401

    import fuzzy_pipeline.definitions
    import fuzzy_pipeline.query  # noqa: F401
    from fuzzy_pipeline.assets import step_asset
    from fuzzy_pipeline.schedules import launch  # noqa: F401
    from tests.compiled import run_in_memory

    logging.getLogger("fuzzy_pipeline").setLevel(logging.ERROR)
    plt.close("all")
    run_in_memory()
    # Pictures touch no store, and so would be where most kills fall.
    step_asset.materialization_metadata = without_picture(step_asset.materialization_metadata)


def without_picture(real: Callable[..., Any]) -> Callable[..., Any]:
    """What an asset tells of itself without its picture."""
    return lambda report, table, settings, picture: real(report, table, settings, None)


def _serve() -> None:
    _load()
    children: set[int] = set()
    say("ready")
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "poll":
            found, status = os.waitpid(command["pid"], os.WNOHANG)
            children.discard(found)
            say(json.dumps(os.waitstatus_to_exitcode(status) if found else None))
            continue
        pid = os.fork()
        if not pid:
            _work(command)
        children.add(pid)
        say(json.dumps(pid))
    for pid in children:
        try:
            os.killpg(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
        os.waitpid(pid, 0)


def _work(command: Mapping[str, Any]) -> None:
    """Do the work in this process, which was just forked, and end it."""
    code = 1
    try:
        os.setpgid(0, 0)
        handle = os.open(command["log"], os.O_WRONLY | os.O_APPEND)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        os.close(0)
        os.environ.clear()
        os.environ.update(command["environment"])
        os.chdir(command["folder"])
        WORKS[command["do"]](**command["arguments"])
        code = 0
    except BaseException:  # noqa: BLE001  the log tells it
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve()

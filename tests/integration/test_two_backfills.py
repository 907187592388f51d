"""Two backfills of the same dates at once and a nightly run in their middle: nothing lost, nothing doubled.

In the first test the runs are processes of their own, more of them at a time than Dagster's queue would allow. In the
others two ``launch.backfill`` commands work through real daemons, which one of the tests kills.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from fuzzy_pipeline.settings import load_settings
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.stores.store import open_store
from tests.integration.run_processes import DATES, SMALL, Process, the_forks, undisturbed
from tests.integration.watching_reader import content_of, differences, of_dates

DAEMON = {"FUZZY_CATCH_UP__ENABLED": "false"}
"""The daemon's own sensor would begin with the dates of this month."""


@pytest.fixture(autouse=True)
def little_work(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """The settings of the forked processes in this one; no daemon is left behind."""
    for name, value in SMALL.items():
        monkeypatch.setenv(name, value)
    yield
    for folder in tmp_path.iterdir():
        kill_sessions(daemons(folder / "home"))


def assert_complete(home: Path, *dates: object) -> None:
    """Every table of every symbol of the dates is committed once, and is what an undisturbed run commits."""
    settings = load_settings(home=home)
    store = open_store(settings)
    rows = Counter((row.table, row.symbol, row.date) for row in store.manifest.rows(dates=dates))
    assert store.manifest.failures() == []
    store.close()
    assert rows == Counter(itertools.product(pipeline_tables(settings), settings.symbols, dates))
    true = of_dates(content_of(load_settings(home=undisturbed().home)), last=max(dates))
    assert differences(content_of(settings), true) == []


def caught_up(home: Path, last: object) -> list[str]:
    process = the_forks().start("catch_up", home, last=str(last))
    process.succeed()
    assert process.lines("left") == ["nothing is due"], process.said
    return [json.loads(line)[0] for line in process.lines("caught")]


@pytest.mark.long
def test_two_ranges_and_a_nightly_run_at_once_lose_and_double_nothing(tmp_path: Path) -> None:
    first, second = DATES[1:3]
    home, stop = tmp_path / "shared" / "home", tmp_path / "stop"
    undisturbed().copy_first(home)
    undisturbed().run(second)
    reader = the_forks().start("read", home, seconds=3600, stop=str(stop))

    def run(*dates: object) -> Process:
        return the_forks().start("run", home, dates=[str(date) for date in dates], last=str(dates[-1]))

    began = time.monotonic()
    backfills = [run(first, second), run(first, second)]
    backfills[0].until(lambda: len(backfills[0].steps) > 5 or not backfills[0].is_running())
    nightly = run(second)
    for process in (*backfills, nightly):
        process.succeed()
        assert all(json.loads(line)[1] for line in process.lines("run")), process.said
    # The nightly run may have ended last, with what the date before was when it began.
    more = caught_up(home, second)
    seconds = time.monotonic() - began
    stop.touch()
    said = reader.succeed()
    assert_complete(home, *DATES[:3])
    print(f"five runs of two dates by three processes in {seconds:.0f} s, then {more}; the reader: {said}")  # noqa: T201


def backfill(home: Path, *dates: object) -> Process:
    return the_forks().start("backfill", home, DAEMON, dates=[str(date) for date in dates])


def runs_by_backfill(home: Path) -> Counter[tuple[str, str, str]]:
    """How many runs each backfill had of each date, by how they ended."""
    with _instance(home) as instance:
        return Counter(
            (run.tags["dagster/backfill"], run.tags["dagster/partition"], run.status.value)
            for run in instance.get_runs()
            if "dagster/backfill" in run.tags
        )


def _instance(home: Path) -> dg.DagsterInstance:
    return dg.DagsterInstance.from_config(str(home / "dagster"))


def daemons(home: Path) -> list[int]:
    """Processes of a home's daemons: those that lead a session of their own."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            command, environment = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
        except OSError:
            continue  # it has ended
        if b"dagster-daemon" in command and f"DAGSTER_HOME={home / 'dagster'}".encode() in environment.split(b"\0"):
            found.append(int(path.name))
    return found


@pytest.mark.long
def test_two_backfill_commands_and_a_nightly_run_at_once_with_real_daemons(tmp_path: Path) -> None:
    dates = DATES[1:5]
    home = tmp_path / "shared" / "home"
    undisturbed().copy_first(home)
    undisturbed().run(*dates)
    began = time.monotonic()
    commands = [backfill(home, *dates[:3]), backfill(home, *dates[1:])]
    for command in commands:
        command.started()
    most = 0
    while any(command.is_running() for command in commands):
        most = max(most, len(daemons(home)))
        if sum(map(dates_done, commands)) >= 2 and len(commands) == 2:
            commands.append(the_forks().start("run", home, DAEMON, dates=[str(dates[1])], last=str(dates[1])))
        assert time.monotonic() - began < 900
        time.sleep(0.2)
    for command in commands:
        command.succeed()
    counted = runs_by_backfill(home)
    assert len(commands) == 3, "no nightly run came in between"
    assert set(counted.values()) == {1}, counted
    assert len(counted) == 6
    assert {status for _, _, status in counted} == {"SUCCESS"}
    more = caught_up(home, dates[-1])
    assert_complete(home, *DATES[:5])
    assert daemons(home) == []
    print(f"six runs in {time.monotonic() - began:.0f} s, {most} daemons at once, then {more}")  # noqa: T201


@pytest.mark.long
@pytest.mark.parametrize("kill", [1, 2, 3])
def test_a_backfill_whose_daemon_is_killed_with_all_its_runs_is_caught_up(tmp_path: Path, kill: int) -> None:
    dates = DATES[1:4]
    home = tmp_path / "killed" / "home"
    undisturbed().copy_first(home)
    undisturbed().run(*dates)
    began = time.monotonic()
    command = backfill(home, *dates)
    command.until(lambda: bool(command.lines("state")))
    command.until(lambda: dates_done(command) >= kill - 1 and bool(runs_by_backfill(home)))
    time.sleep(2.0 * kill)
    command.kill()
    assert command.wait() == -signal.SIGKILL
    killed = kill_sessions(daemons(home))
    before = runs_by_backfill(home)
    # The backfill is taken up again by the next daemon, here that of another backfill; its dates are left to it.
    again = backfill(home, dates[-1])
    again.succeed(900)
    more = caught_up(home, dates[-1])
    caught_s = time.monotonic() - began
    assert_complete(home, *DATES[:4])
    with _instance(home) as instance:
        statuses = Counter(found.status.value for found in instance.get_backfills())
        left = [run for run in instance.get_runs() if not run.is_finished]
    assert left == []
    print(f"{killed} processes killed with {dict(before)}; caught up in {caught_s:.0f} s by {more}; {statuses}")  # noqa: T201


def dates_done(command: Process) -> int:
    """How many dates a backfill has done, by what its command said last."""
    return max((int(json.loads(line)["dates_done"]) for line in command.lines("state")), default=0)


def kill_sessions(leaders: list[int]) -> int:
    """End the sessions of processes, with everything in them; how many processes that were."""
    count = 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            session = os.getsid(int(path.name))
        except ProcessLookupError:
            continue
        if session in leaders:
            os.kill(int(path.name), signal.SIGKILL)
            count += 1
    return count

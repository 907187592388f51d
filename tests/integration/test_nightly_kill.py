"""Nightly runs killed at random moments: caught up to the hashes of undisturbed runs, and never seen half done.

``FUZZY_TEST_KILLS`` sets how many runs are killed (default 2), ``FUZZY_TEST_SEED`` when; ``pytest -rP`` shows where in
the run they were.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.report import reports_folder
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE
from fuzzy_pipeline.schema.rankings import PAIRS_TABLE, RANKINGS_TABLE
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step
from fuzzy_pipeline.steps.pipeline import pipeline_steps
from fuzzy_pipeline.steps.rank_symbols import rank_date
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.workbench import close_workbenches
from fuzzy_pipeline.stores.manifest import Manifest, ManifestRow
from fuzzy_pipeline.stores.store import open_store
from fuzzy_pipeline.stores.stored_content import HEAVY_BY_NAME, stored_hash
from tests.integration.run_processes import DATES, ROOT, SMALL, Process, the_forks, undisturbed
from tests.integration.watching_reader import BESIDE, Key, content_of, differences, of_dates
from tests.unit.store_care.simulated_home import DATE, SYMBOLS, run_all, settings_of

KILLS = int(os.environ.get("FUZZY_TEST_KILLS", "2"))
SEED = int(os.environ.get("FUZZY_TEST_SEED", "8"))
KILLS_A_DATE = 5
DATES_A_RECOVERY = 2
"""A date that was killed is left so until the next one was run too, which then starts from an older state."""

PROCESSES = {"FUZZY_ENGINE__KIND": "processes", "FUZZY_ENGINE__WORKERS": "2", "FUZZY_ENGINE__MIN_SYMBOLS": "1"}
PER_SYMBOL = ("raw_ticks", "enriched_ticks", "bars", "day_metadata_phase1", "quality_measures", "day_metadata_phase2")

ENGINE = """
import sys
import threading
import time
from fuzzy_pipeline.engine import ProcessEngine
if __name__ == "__main__":
    with ProcessEngine(2, min_items=1) as engine:
        for outcome in engine.map(time.sleep, [0.0, 0.0, 600.0]):
            print("done", flush=True)
"""


@pytest.fixture(autouse=True)
def little_work(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The settings of the forked processes in this one."""
    for name, value in SMALL.items():
        monkeypatch.setenv(name, value)


def kill_in(process: Process, number: int, delay_s: float) -> str:
    """Kill a run so long after its step of that number began; the step it was in."""
    process.until(lambda: len(process.steps) > number or not process.is_running())
    time.sleep(delay_s)
    process.kill()
    killed = process.wait() == -signal.SIGKILL
    return (process.steps[-1][0] if process.steps else "before the first step") if killed else "ended before"


def caught_up(home: Path, last: dt.date) -> list[str]:
    """Catch up in a new process until nothing is due; what was run for it."""
    process = the_forks().start("catch_up", home, last=str(last))
    process.succeed()
    assert process.lines("left") == ["nothing is due"], process.said
    return [json.loads(line)[0] for line in process.lines("caught")]


def test_killed_nightly_runs_are_caught_up_to_the_undisturbed_hashes_and_never_seen_half_done(tmp_path: Path) -> None:
    dates = DATES[1 : 2 + (KILLS - 1) // KILLS_A_DATE]
    home, stop = tmp_path / "disturbed" / "home", tmp_path / "stop"
    undisturbed().copy_first(home)
    steps = undisturbed().run(*dates)
    expected = content_of(load_settings(home=undisturbed().home))

    reader = the_forks().start("read", home, seconds=3600, stop=str(stop))
    moments, covered, runs = random.Random(SEED), Counter[str](), list[str]()
    began, left = time.monotonic(), KILLS
    for place, date in enumerate(dates, start=1):
        for kill in range(min(left, KILLS_A_DATE)):
            # The first run of a date is the nightly one; those after it are catch-ups, which may be killed as well.
            asked = {"dates": [str(date)]} if kill == 0 else {}
            process = the_forks().start("catch_up" if kill else "run", home, last=str(date), **asked)
            number = moments.randrange(len(steps))
            covered[kill_in(process, number, moments.uniform(0, steps[number][1]))] += 1
            assert reader.is_running(), reader.said
        left -= KILLS_A_DATE
        if place % DATES_A_RECOVERY == 0 or date == dates[-1]:
            runs += caught_up(home, date)
            content = of_dates(content_of(load_settings(home=home)), last=date)
            assert differences(content, of_dates(expected, last=date)) == []
    stop.touch()
    said = reader.succeed()
    for date in dates:
        assert (reports_folder(load_settings(home=home)) / f"{date}.html").exists()
    assert covered["ended before"] <= KILLS / 2, f"runs ended before they were killed: {covered}"
    whole_s = sum(seconds for _, seconds in steps)
    print(f"{KILLS} kills in runs of {whole_s:.1f} s, {time.monotonic() - began:.0f} s in all: {dict(covered)}")  # noqa: T201
    print(f"caught up by {runs}; the reader: {said}")  # noqa: T201


def replaced(settings: Settings, before: Mapping[Key, str], after: Mapping[Key, str]) -> int:
    """How many heavy rows are new while a run may be replacing them; each must be whole: the old one or the new."""
    store = open_store(settings)
    try:
        rows = [row for row in store.manifest.rows() if row.table in HEAVY_BY_NAME]
        found = {(row.table, row.symbol, row.date): stored_hash(store, row)[0] for row in rows}
    finally:
        store.close()
    assert found.keys() == {key for key in before if key[0] in HEAVY_BY_NAME}
    neither = [key for key, content in found.items() if content not in (before[key], after[key])]
    assert neither == [], "neither the old nor the new state"
    return sum(content == after[key] for key, content in found.items())


@pytest.mark.long
def test_a_forced_run_that_is_killed_leaves_every_symbol_old_or_new_and_readable_at_every_moment(
    tmp_path: Path,
) -> None:
    date, homes = DATES[0], (tmp_path / "killed" / "home", tmp_path / "undisturbed" / "home")
    run = {"dates": [str(date)], "last": str(date)}
    other = {"FUZZY_SIMULATOR__SEED": "21"}  # other ticks, so that old and new can be told apart
    undisturbed().copy_first(homes[0])
    settings = load_settings(home=homes[0])
    before = content_of(settings)
    the_forks().start("run", homes[1], other, **run).succeed()
    after = content_of(load_settings(home=homes[1]))
    rows = {key for key in before if key[1] != "*"}
    assert rows == {key for key in after if key[1] != "*"}
    # A first date has no earlier ones to be usual by, and the last symbol no pair of its own.
    assert {table for (table, *_), _ in before.items() & after.items()} <= {BASELINES_TABLE, PAIRS_TABLE, *BESIDE}

    heavy = sum(table in HEAVY_BY_NAME for table, *_ in before)
    moments, seen = random.Random(SEED), [0]
    for enough in (1, heavy // 2):
        process = the_forks().start("run", homes[0], other, force=True, **run)
        while process.is_running() and seen[-1] < enough:
            seen.append(replaced(settings, before, after))
        time.sleep(moments.uniform(0, 0.05))
        process.kill()
        assert process.wait() == -signal.SIGKILL, "the run ended before it was killed: nothing was tested"
        seen.append(replaced(settings, before, after))
    assert seen == sorted(seen)
    assert set(seen) - {0, heavy}, "no reader met a store of which a part was replaced: nothing was tested"
    the_forks().start("run", homes[0], other, force=True, **run).succeed()
    assert differences(content_of(settings), after) == []


class Killed(BaseException):
    """Stands for SIGKILL: nothing that runs on an exception of the program's own runs."""


@pytest.mark.parametrize("table", [PHASE1_TABLE, PHASE2_TABLE, RANKINGS_TABLE])
def test_a_run_killed_between_light_rows_and_commit_leaves_no_row_that_is_not_what_the_manifest_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """The settings are changed, the run is killed, and they are changed back: then nothing seems to be out of date."""
    first = settings_of(tmp_path)
    everything_of_the_date(first)
    expected = content_of(first)
    second = first.model_copy(update={"eligibility_profile": "all"})
    commit = Manifest.commit

    def killed_before(self: Manifest, name: str, date: dt.date, rows: Sequence[ManifestRow]) -> None:
        if name == table:
            raise Killed
        commit(self, name, date, rows)

    monkeypatch.setattr(Manifest, "commit", killed_before)
    with pytest.raises(Killed):
        everything_of_the_date(second)
    monkeypatch.undo()
    close_workbenches()
    changed = content_of(first)  # proves every row
    assert changed != expected
    assert not any(key[0] == table for key in changed)
    everything_of_the_date(first)
    assert differences(content_of(first), expected) == []


def everything_of_the_date(settings: Settings) -> None:
    run_all(settings)
    rank_date(DATE, settings)


def test_two_runs_that_commit_the_same_date_with_other_content_do_not_mix_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Light rows of one and manifest rows of the other would not belong together, and nothing would tell."""
    first = settings_of(tmp_path)
    run_all(first)
    second = first.model_copy(update={"eligibility_profile": "all"})
    commit, other = Manifest.commit, list[threading.Thread]()
    step = DayMetadataPhase1Step()

    def beside(self: Manifest, name: str, date: dt.date, rows: Sequence[ManifestRow]) -> None:
        """In the middle of the first run's commit the other one begins, and has half a second."""
        if name == PHASE1_TABLE and not other:
            work = (step, DATE, SYMBOLS, first, InlineEngine())
            other.append(threading.Thread(target=run_date, args=work, kwargs={"force": True}))
            other[0].start()
            time.sleep(0.5)
        commit(self, name, date, rows)

    for upstream in pipeline_steps(second)[:3]:
        run_date(upstream, DATE, SYMBOLS, second, InlineEngine()).raise_if_failed()
    before = content_of(second)
    monkeypatch.setattr(Manifest, "commit", beside)
    run_date(step, DATE, SYMBOLS, second, InlineEngine()).raise_if_failed()
    other[0].join()
    close_workbenches()
    assert differences(content_of(second), before) != []


@pytest.mark.long
@pytest.mark.skipif(KILLS < 10, reason="a tenth of FUZZY_TEST_KILLS, and workers take long to start")
def test_a_nightly_run_of_which_workers_are_killed_goes_on_without_them(tmp_path: Path) -> None:
    date = DATES[1]
    home = tmp_path / "workers" / "home"
    undisturbed().copy_first(home)
    undisturbed().run(date)
    moments, killed, ends = random.Random(SEED), list[str](), list[bool]()
    for _ in range(KILLS // 10):
        process = the_forks().start("run", home, PROCESSES, dates=[str(date)], last=str(date), force=True)
        killed += kill_a_worker(process, moments.choice(PER_SYMBOL), moments.uniform(0.0, 1.0))
        process.succeed()
        ends += [json.loads(line)[1] for line in process.lines("run")]
    runs = caught_up(home, date)
    expected = of_dates(content_of(load_settings(home=undisturbed().home)), last=date)
    assert differences(content_of(load_settings(home=home)), expected) == []
    assert killed, "no worker was there to be killed"
    print(f"workers killed in {killed}; runs succeeded: {ends}; caught up by {runs}")  # noqa: T201


def kill_a_worker(process: Process, step: str, delay_s: float) -> list[str]:
    """Kill one of a run's workers so long after a step began; the step it was in, nothing when there was no worker."""
    process.until(lambda: step in dict(process.steps) or not process.is_running())
    process.until(lambda: bool(workers_of(process.pid)) or not process.is_running())
    time.sleep(delay_s)
    for worker in workers_of(process.pid)[:1]:
        os.kill(worker, signal.SIGKILL)
        return [process.steps[-1][0]]
    return []


def workers_of(pid: int) -> list[int]:
    """Worker processes that a run has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == pid and b"spawn_main" in (path / "cmdline").read_bytes():
                found.append(int(path.name))
        except OSError:
            continue  # it has ended
    return sorted(found)


def test_workers_end_with_the_run_process_that_is_killed() -> None:
    """A worker waits for work in a pipe that its siblings hold open too: without a watch it waits for ever."""
    run = subprocess.Popen(
        [sys.executable, "-c", ENGINE], stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True
    )
    try:
        assert run.stdout is not None
        assert [run.stdout.readline() for _ in range(2)] == ["done\n", "done\n"]
        run.kill()
        run.wait()
        deadline = time.monotonic() + 30
        while is_any_left(run.pid) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not is_any_left(run.pid)
    finally:
        if is_any_left(run.pid):
            os.killpg(run.pid, signal.SIGKILL)


def is_any_left(group: int) -> bool:
    """Whether a process of the group lives."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True

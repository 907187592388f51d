"""Which runs live: the process of a run holds a lock file, which the system frees however the process ends.

Belongs here: holding it, and having the runs of dead processes fail. Dagster's default launcher does not look whether
a run's process lives: a killed one counts as under way for hours, and keeps its date and its place in the queue.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from filelock import BaseFileLock, FileLock, Timeout

from fuzzy_pipeline.stores.file_lock import disk_errors

FOLDER = ".runs"
_WAIT_S = 10.0
_HELD: dict[str, BaseFileLock] = {}


def hold_while_alive(home: Path, run_id: str) -> None:
    """Hold the lock of a run until this process ends, or the block of ``held_run`` around it."""
    if run_id in _HELD:
        return
    lock = FileLock(home / FOLDER / f"{run_id}.lock")
    with disk_errors(f"marking run {run_id} as under way"):
        (home / FOLDER).mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=_WAIT_S)
    _HELD[run_id] = lock


@contextmanager
def held_run(home: Path, run_id: str) -> Iterator[None]:
    """Hold the lock of a run inside the block, which contains all of the run."""
    hold_while_alive(home, run_id)
    try:
        yield
    finally:
        # The file stays for end_dead_runs: on a full disk Dagster cannot note that the run has ended.
        _HELD.pop(run_id).release()


def end_dead_runs(instance: dg.DagsterInstance, home: Path) -> None:
    """Have the runs fail that nobody works on any more, and remove the lock files of all that have ended."""
    for path in (home / FOLDER).glob("*.lock"):
        try:
            with FileLock(path, timeout=0):
                run = instance.get_run_by_id(path.stem)
                if run is not None and not run.is_finished:
                    instance.report_run_failed(run, "the process of this run was killed, or the machine went down")
                path.unlink(missing_ok=True)
        except Timeout:
            continue  # it lives

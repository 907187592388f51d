"""The Dagster processes of a home: its daemon, shared by whoever needs one, and how processes are started and ended.

Belongs here: child processes only; what they are asked to do is in ``launch``.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Self

import dagster as dg

from fuzzy_pipeline.schedules.job_backfill import HAS_ENDED
from fuzzy_pipeline.schedules.run_states import is_daemon_alive

MODULE = "fuzzy_pipeline.definitions"


class Daemon:
    """The instance's daemon while somebody needs one: the one that runs, else one started for the block.

    Two daemons at once launch every run twice: whoever starts one gives it a lock that it holds until it ends, so that
    commands started in the same moment share one.
    """

    def __init__(self, instance: dg.DagsterInstance, output: IO[bytes] | None = None) -> None:
        self._instance = instance
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            end([self._process])
            self._instance.wipe_daemon_heartbeats()

    def ensure(self) -> bool:
        """Start one where none is running; False when the one started here has ended by itself."""
        if self._process is not None:
            return self._process.poll() is None
        if not is_daemon_alive(self._instance):
            with (Path(os.environ["DAGSTER_HOME"]) / "daemon.lock").open("ab") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    return True  # it has just been started, or has no time to beat
                self._process = start("dagster-daemon", ["run", "-m", MODULE], self._output, keep=(lock.fileno(),))
        return True

    def is_needed(self) -> bool:
        """Whether some backfill is under way that would be left without the daemon started here."""
        return self._process is not None and any(
            found.status not in HAS_ENDED for found in self._instance.get_backfills()
        )


def start(
    command: str, arguments: Sequence[str], output: IO[bytes] | None = None, keep: Sequence[int] = ()
) -> subprocess.Popen[bytes]:
    """Start a Dagster command of this environment in its own session.

    Signals are restored to their defaults: started from a shell's background job, the child would inherit an ignored
    SIGINT, to which Dagster maps SIGTERM too, and could only be killed. ``keep``: open files that it inherits.
    """
    path = shutil.which(command, path=str(Path(sys.executable).parent)) or command

    def restore() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)

    return subprocess.Popen(  # the preexec function only resets signals
        [path, *arguments],
        stdout=output,
        stderr=subprocess.STDOUT if output else None,
        start_new_session=True,
        pass_fds=keep,
        preexec_fn=restore,  # noqa: PLW1509
    )


def end(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask processes to end, and insist after ten seconds."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

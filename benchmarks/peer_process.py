"""Peers that need other versions of our packages: an environment and a process each, timed beside ours.

Belongs here: making the environment from the peer's pinned list, talking to its process (``peers.worker``), and rounds
in which local and distant contenders take turns.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import measure
from benchmarks.measure import Timing

PEERS = Path(__file__).parent / "peers"
ENVIRONMENTS = Path(sys.prefix) / "benchmark_peers"
MODULES = {"finmlkit": "finmlkit_bars", "nautilus_trader": "nautilus_bars", "mlfinpy": "mlfinpy_bars"}
ROUNDS = 5

Columns = dict[str, NDArray[Any]]


def environment(module: str) -> Path:
    """The interpreter of the peer's environment, made when it is missing or its pinned list has changed.

    Raises
    ------
    subprocess.CalledProcessError
        Its packages cannot be installed here; ``stderr`` says why.
    """
    pins, home = PEERS / f"{module}.txt", ENVIRONMENTS / module
    python, made = home / "bin" / "python", home / "made_from.txt"
    if not made.exists() or made.read_text() != pins.read_text():
        print(f"Installing the peers of {pins.name} into {home}…", flush=True)
        venv.create(home, clear=True, with_pip=True)
        # The lists are complete; without looking for more, nothing but what they pin can come in.
        pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
        subprocess.run([*pip, "install", "--no-deps", "-r", str(pins)], check=True, capture_output=True, text=True)
        made.write_text(pins.read_text())
    return python


def pinned_version(peer: str) -> str:
    """The peer's version in its pinned list."""
    pins = (PEERS / f"{MODULES[peer]}.txt").read_text().splitlines()
    return next(pin.partition("==")[2] for pin in pins if pin.startswith(f"{peer}=="))


class PeerProcess:
    """The process of one peer; it is told what to prepare, and times itself when asked."""

    def __init__(self, peer: str) -> None:
        module = MODULES[peer]
        self.peer = peer
        # A file: a pipe that nobody reads would stop the peer once it is full.
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed with the process
        self._process = subprocess.Popen(
            [environment(module), "-m", f"benchmarks.peers.{module}"],
            cwd=PEERS.parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True,
        )  # fmt: skip

        self._answer()  # it is there

    def ask(self, **request: Any) -> dict[str, Any]:
        """The answer to a request."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._said.seek(0)
            raise RuntimeError(f"{self.peer} died: {self._said.read()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End the process."""
        self._process.communicate()
        self._said.close()


@contextmanager
def open_peers(names: Sequence[str] = tuple(MODULES)) -> Iterator[tuple[dict[str, PeerProcess], list[str]]]:
    """The peers that can be run here, and a line for each peer: its version, or why it is skipped."""
    with ExitStack() as stack:
        peers, lines = {}, []
        for peer in names:
            try:
                process = PeerProcess(peer)
            except (subprocess.CalledProcessError, RuntimeError) as error:
                said = getattr(error, "stderr", None) or str(error)
                lines.append(f"Skipped: {peer} cannot be run here ({said.strip().splitlines()[-1]}).")
                print(lines[-1], flush=True)
                continue
            stack.callback(process.close)
            peers[peer] = process
            lines.append(f"{peer} {pinned_version(peer)}, in an environment of its own.")
        yield peers, lines


@dataclass(frozen=True, slots=True)
class PeerWork:
    """What a peer does: bars of one family and parameter from the first ``rows`` ticks of those saved in ``folder``."""

    process: PeerProcess
    folder: Path
    family: str
    parameter: int
    rows: int | None = None

    def prepare(self) -> None:
        """Have the peer bring the ticks into its own form and compile."""
        request = {"folder": str(self.folder), "family": self.family, "parameter": self.parameter, "rows": self.rows}
        self.process.ask(do="prepare", cores=[_core()], **request)

    def bars(self) -> Columns:
        """What it builds, as arrays; ``prepare`` comes first."""
        into = self.folder / "bars_of_peer.npz"
        self.process.ask(do="bars", into=str(into))
        with np.load(into) as found:
            return dict(found)

    def timed(self) -> tuple[float, float]:
        """Processor and clock seconds."""
        answer = self.process.ask(do="time")
        return answer["cpu_s"], answer["wall_s"]


def side_by_side(
    local: Mapping[str, Callable[[], object]], distant: Mapping[str, PeerWork], rounds: int = ROUNDS
) -> dict[str, Timing]:
    """Time contenders of this process and peers of others in turn, as ``measure.side_by_side`` times its own.

    One at a time and all on the same core; the others wait for their turn and use no processor.
    """
    for work in distant.values():
        work.prepare()
    allowed = os.sched_getaffinity(0)
    samples: dict[str, list[tuple[float, float]]] = {name: [] for name in (*local, *distant)}
    try:
        os.sched_setaffinity(0, {_core()})
        for _ in range(rounds):
            for name, call in local.items():
                samples[name].append(measure._warm_then_timed(call))
            for name, work in distant.items():
                samples[name].append(work.timed())
    finally:
        os.sched_setaffinity(0, allowed)
    return {
        name: Timing(statistics.median(cpu for cpu, _ in taken), statistics.median(wall for _, wall in taken), rounds)
        for name, taken in samples.items()
    }


def scaled(timing: Timing, share: float) -> Timing:
    """Seconds for all ticks of a contender that was given only a share of them."""
    return replace(timing, cpu_s=timing.cpu_s / share, wall_s=timing.wall_s / share)


def save_ticks(folder: Path, ticks: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays that peers load."""
    for name in ("timestamp", "price", "size"):
        np.save(folder / f"{name}.npy", ticks[name])


def _core() -> int:
    return max(os.sched_getaffinity(0))

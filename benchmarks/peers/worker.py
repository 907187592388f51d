"""The process of a peer that lives in an environment of its own: reads requests, times itself, answers.

Belongs here: what such peers share. It must run with NumPy and the standard library alone: other packages of the
project are not installed where peers are.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Columns = Mapping[str, NDArray[Any]]


class Prepare(Protocol):
    """Turns ticks into the peer's own form, which is not timed, and gives back the work that is."""

    def __call__(self, ticks: Columns, family: str, parameter: int, /) -> Callable[[], Any]: ...


def serve(prepare: Prepare, columns: Callable[[Any], Columns]) -> None:
    """Say that the peer is there, then answer requests, a JSON line each, until standard input ends.

    ``prepare`` names a folder with an array a file, a family, a parameter and how many ticks to take; ``time`` runs
    the work once untimed and once timed; ``bars`` writes what it gives as arrays.
    """
    # Peers may print: what they print must not be taken for an answer.
    with os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8") as answers:
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        work: Callable[[], Any] = dict
        print("{}", file=answers, flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            answer: dict[str, Any] = {}
            if request["do"] == "prepare":
                os.sched_setaffinity(0, set(request["cores"]))
                work = prepare(_load(Path(request["folder"]), request["rows"]), request["family"], request["parameter"])
            elif request["do"] == "time":
                answer = dict(zip(("cpu_s", "wall_s"), _warm_then_timed(work), strict=True))
            else:
                np.savez(request["into"], allow_pickle=False, **columns(work()))
            print(json.dumps(answer), file=answers, flush=True)


def _load(folder: Path, rows: int | None) -> dict[str, NDArray[Any]]:
    return {path.stem: np.load(path)[:rows] for path in folder.glob("*.npy")}


def _warm_then_timed(work: Callable[[], Any]) -> tuple[float, float]:
    """Processor and clock seconds of the second of two runs; garbage is collected, as the peer's users have it."""
    gc.collect()
    work()
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    return time.process_time() - cpu, time.perf_counter() - wall

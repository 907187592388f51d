"""A run killed at any moment leaves the last committed state, and the next run completes it to the same hashes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fuzzy_pipeline.schema.tables import BAR_TABLES, HEAVY_TABLES, RAW_TICKS
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.stores.content_hash import content_hash

CHILD = """
import datetime as dt
from fuzzy_pipeline.schedules import launch
from fuzzy_pipeline.settings import load_settings
launch.prepare_instance(load_settings())
from fuzzy_pipeline.steps import run_date
run_date.COMMIT_EVERY_S = 0.0
print("started", flush=True)
outcome = launch.run_now(load_settings(), dt.date(2025, 11, 25))
raise SystemExit(0 if outcome.success else 1)
"""


def start(home: Path) -> subprocess.Popen[str]:
    """A run of the date in another process, once it has loaded."""
    environment = os.environ | {"FUZZY_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    process = subprocess.Popen([sys.executable, "-c", CHILD], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def hashes(settings: Settings) -> dict[tuple[str, str], str]:
    """Content hash by table and symbol; every heavy row is read to prove that it is there."""
    store = workbench(settings).store
    heavy = {table.name: table for table in HEAVY_TABLES}
    rows = store.manifest.rows()
    for row in rows:
        if row.table in heavy:
            table = heavy[row.table]
            names = table.names if row.table == RAW_TICKS.name else [column.name for column in table.stored]
            found = store.read(table, row.symbol, row.date, columns=names)
            context = {"ranges": found.metadata["ranges"]} if row.table == BAR_TABLES["time"].name else None
            assert content_hash(found.arrays, names, context) == row.content_hash
    close_workbenches()
    return {(row.table, row.symbol): row.content_hash for row in rows}


def test_runs_killed_at_random_moments_end_with_the_hashes_of_an_undisturbed_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUZZY_SIMULATOR__TICKS_PER_DAY", "4000")
    began = time.monotonic()
    assert start(home).wait() == 0
    undisturbed_s = time.monotonic() - began
    expected = hashes(load_settings())
    assert len(expected) == 12

    disturbed = tmp_path / "disturbed"
    moments = random.Random(8)
    interrupted = 0
    for _ in range(4):
        process = start(disturbed)
        time.sleep(moments.uniform(0.1, 0.8) * undisturbed_s / 2)
        process.send_signal(signal.SIGKILL)
        interrupted += process.wait() == -signal.SIGKILL
        if (disturbed / "store" / "light" / "store.json").exists():
            partial = hashes(load_settings(home=disturbed))
            assert partial.items() <= expected.items()
    assert interrupted, "every run ended before it was killed: nothing was tested"
    assert start(disturbed).wait() == 0
    assert hashes(load_settings(home=disturbed)) == expected

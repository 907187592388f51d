"""A run killed at any moment leaves the last committed state, and the next run completes it to the same hashes."""

from __future__ import annotations

import datetime as dt
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fuzzy_pipeline.schema.tables import HEAVY_TABLES, RAW_TICKS
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.stores.content_hash import content_hash
from fuzzy_pipeline.stores.store import Store

DATE = dt.date(2025, 11, 25)
HEAVY = {table.name: table for table in HEAVY_TABLES}
Hashes = dict[tuple[str, str], str]

CHILD = """
import datetime as dt
import sys
from fuzzy_pipeline.schedules import launch
from fuzzy_pipeline.settings import load_settings
launch.prepare_instance(load_settings())
from fuzzy_pipeline.steps import run_date
run_date.COMMIT_EVERY_S = 0.0
print("started", flush=True)
outcome = launch.run_now(load_settings(), dt.date(2025, 11, 25), force="force" in sys.argv)
raise SystemExit(0 if outcome.success else 1)
"""


def choose_little_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few ticks and two families of bars, of which one carries state."""
    monkeypatch.setenv("FUZZY_SIMULATOR__TICKS_PER_DAY", "4000")
    monkeypatch.setenv("FUZZY_BARS__FAMILIES", '["time", "imbalance"]')


def start(home: Path, *options: str) -> subprocess.Popen[str]:
    """A run of the date in another process, once it has loaded; the option ``force`` computes everything again."""
    environment = os.environ | {"FUZZY_HOME": str(home), "DAGSTER_HOME": str(home / "dagster")}
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD, *options], env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    return process


def hashes(settings: Settings) -> dict[tuple[str, str], str]:
    """Content hash by table and symbol; every heavy row is read to prove that it is there."""
    store = workbench(settings).store
    rows = store.manifest.rows()
    for row in rows:
        if row.table in HEAVY:
            assert stored_hash(store, row.table, row.symbol) == row.content_hash
    close_workbenches()
    return {(row.table, row.symbol): row.content_hash for row in rows}


def stored_hash(store: Store, name: str, symbol: str) -> str:
    """Hash of what is committed of a heavy table and symbol now, from all of its columns."""
    table = HEAVY[name]
    names = table.names if name == RAW_TICKS.name else [column.name for column in table.stored]
    found = store.read(table, symbol, DATE, columns=names)
    context = {part: found.metadata[part] for part in ("ranges", "sessions", "state") if part in found.metadata}
    return content_hash(found.arrays, names, context or None)


def count_replaced(settings: Settings, before: Hashes, after: Hashes) -> int:
    """How many symbols' heavy rows are new, where a run may be replacing them; each must be whole: the old or new."""
    store = workbench(settings).store
    replaced = 0
    for key in before:
        if key[0] in HEAVY:
            found = stored_hash(store, *key)
            assert found in (before[key], after[key]), f"{key} is neither the old nor the new state"
            replaced += found == after[key]
    return replaced


def test_runs_killed_at_random_moments_end_with_the_hashes_of_an_undisturbed_one(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_little_work(monkeypatch)
    began = time.monotonic()
    assert start(home).wait() == 0
    undisturbed_s = time.monotonic() - began
    expected = hashes(load_settings())
    # Raw and enriched ticks, two families of bars, four records, rankings and pairs.
    assert len(expected) == 3 * 10

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


def test_a_forced_run_that_is_killed_leaves_every_symbol_old_or_new_and_readable_at_every_moment(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose_little_work(monkeypatch)
    assert start(home).wait() == 0
    before = hashes(load_settings())
    monkeypatch.setenv("FUZZY_SIMULATOR__SEED", "21")  # other ticks, so that old and new can be told apart
    undisturbed = tmp_path / "undisturbed"
    assert start(undisturbed).wait() == 0
    after = hashes(load_settings(home=undisturbed))
    assert before.keys() == after.keys()
    # A first date has no earlier ones to be usual by, and the last symbol no pair of its own.
    equal = {table for (table, _), _ in before.items() & after.items()}
    assert equal <= {"trailing_baselines", "pair_correlations"}

    settings = load_settings()
    heavy = sum(table in HEAVY for table, _ in before)
    moments = random.Random(5)
    seen = [0]
    for enough in (1, heavy // 2):
        process = start(home, "force")
        while process.poll() is None and seen[-1] < enough:
            seen.append(count_replaced(settings, before, after))
        time.sleep(moments.uniform(0, 0.05))
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "the run ended before it was killed: nothing was tested"
        seen.append(count_replaced(settings, before, after))
        close_workbenches()
    assert seen == sorted(seen)
    assert set(seen) - {0, heavy}, "no reader met a store of which a part was replaced: nothing was tested"
    assert start(home, "force").wait() == 0
    assert hashes(settings) == after

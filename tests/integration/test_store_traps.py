"""What a store must survive: parallel runs, killed processes, full disks. Each trap was hit by an earlier layout.

The file is also the program of its worker processes: ``python test_store_traps.py <worker> <json arguments>``.
"""

from __future__ import annotations

import datetime as dt
import faulthandler
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from fuzzy_pipeline.errors import NotStoredError, StoreError, StoreFullError
from fuzzy_pipeline.schema.columns import Column
from fuzzy_pipeline.schema.tables import Table
from fuzzy_pipeline.settings import Settings, StoreSettings
from fuzzy_pipeline.stores.arctic import ArcticHeavyStore
from fuzzy_pipeline.stores.arctic_connection import join_connection
from fuzzy_pipeline.stores.file_lock import held
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.parquet import ParquetLightStore
from fuzzy_pipeline.stores.store import Store, create_store, open_store

TICKS = Table(
    "trap_ticks",
    "Three columns: an index, a number that is the same in all rows of a write, noise that does not compress.",
    (
        Column("timestamp", "datetime64[ns]", "Instant."),
        Column("mark", "int64", "The write's number."),
        Column("noise", "float64", "Random."),
    ),
    "heavy",
    index="timestamp",
)
DAY = dt.date(2025, 9, 16)
WAIT_S = 60
"""Patience with a child process; a limit against hanging, never a measurement."""


def marked(mark: int, rows: int) -> dict[str, NDArray[Any]]:
    """Rows of which all carry ``mark``: a mixture of two writes is visible."""
    start = np.datetime64("2025-09-16T13:30:00", "ns")
    return {
        "timestamp": start + np.arange(rows).astype("m8[ns]"),
        "mark": np.full(rows, mark),
        "noise": np.random.default_rng(mark).random(rows),
    }


def settings_at(home: str | Path, map_size: str = "512MB") -> Settings:
    return Settings(home=Path(home), store=StoreSettings(map_size=map_size, lock_timeout_s=WAIT_S))


def commit(store: Store, symbol: str, date: dt.date, version: int, rows: int) -> None:
    row = ManifestRow(
        table=TICKS.name, symbol=symbol, date=date, kind="simulated", version=version, rows=rows, content_hash="c",
        input_hash="i", source="simulator", ingest_id="run", code_version="0", schema_version=1, rows_in=rows,
        rows_out=rows, committed_at=dt.datetime.now(dt.UTC),
    )  # fmt: skip
    store.manifest.commit(TICKS.name, date, [row])


def light_rows(symbols: list[str], mark: int, width: int = 200) -> pa.Table:
    """``width`` rows a symbol, all carrying ``mark``."""
    names = [symbol for symbol in symbols for _ in range(width)]
    return pa.table({"symbol": names, "mark": [mark] * len(names)})


# -- workers -------------------------------------------------------------------------------------------


def worker_write_dates(home: str, first: str, days: int) -> None:
    store = open_store(settings_at(home))
    for offset in range(days):
        date = dt.date.fromisoformat(first) + dt.timedelta(offset)
        commit(store, "SPY", date, store.write(TICKS, "SPY", date, marked(date.toordinal(), 2_000)), 2_000)


def worker_commit_one_date(home: str, symbols: list[str]) -> None:
    store = open_store(settings_at(home))
    for symbol in symbols:
        commit(store, symbol, DAY, store.write(TICKS, symbol, DAY, marked(1, 100)), 100)


def worker_rewrite(home: str, writes: int) -> None:
    store = open_store(settings_at(home))
    for mark in range(1, writes + 1):
        version = store.write(TICKS, "SPY", DAY, marked(mark, 1_000 * mark))
        commit(store, "SPY", DAY, version, 1_000 * mark)


def worker_write_heavy_forever(home: str) -> None:
    store = open_store(settings_at(home))
    store.heavy.write(TICKS, "SPY", DAY, marked(99, 10), {})  # imports and opens: the next write starts at once
    print("writing", flush=True)  # noqa: T201  tells the test that the next thing is a write
    for mark in range(100, 10_000):
        store.heavy.write(TICKS, "SPY", DAY, marked(mark, 300_000), {})


def worker_write_light_forever(root: str, symbols: list[str], first_mark: int, seconds: float) -> None:
    store = ParquetLightStore(Path(root), WAIT_S)
    print("writing", flush=True)  # noqa: T201
    end = time.monotonic() + seconds
    mark = first_mark
    while time.monotonic() < end:
        mark += 1
        store.replace_symbols("day", DAY, light_rows(symbols, mark), symbols)


def worker_read_light(root: str, groups: list[list[str]], seconds: float) -> None:
    store = ParquetLightStore(Path(root), WAIT_S)
    end = time.monotonic() + seconds
    reads = 0
    while time.monotonic() < end:
        rows = store.read("day")
        assert rows is not None
        assert rows.num_rows == 200 * sum(map(len, groups)), f"{rows.num_rows} rows"
        for group in groups:
            of_group = rows.filter(pa.compute.is_in(rows["symbol"], value_set=pa.array(group)))
            assert len(set(of_group["mark"].to_pylist())) == 1, "rows of two writes in one file"
        reads += 1
    assert reads > 0


def worker_half_write_and_hang(root: str) -> None:
    from fuzzy_pipeline.stores import parquet

    def hang(handle: int) -> None:
        print("writing", flush=True)  # noqa: T201
        time.sleep(WAIT_S)

    parquet.os.fsync = hang  # the temporary file is written, not yet renamed; the lock is held
    ParquetLightStore(Path(root), WAIT_S).replace_symbols("day", DAY, light_rows(["A"], 2), ["A"])


def worker_create(home: str) -> None:
    store = create_store(settings_at(home), "simulated", [TICKS])
    commit(store, str(os.getpid()), DAY, store.write(TICKS, str(os.getpid()), DAY, marked(1, 10)), 10)


def worker_limited_light(root: str) -> None:
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, 2_000))
    noise = pa.table({"symbol": ["A"] * 4_000, "noise": np.random.default_rng(0).random(4_000)})
    try:
        ParquetLightStore(Path(root), WAIT_S).replace_symbols("day", DAY, noise, ["A"])
    except StoreError as error:
        print(type(error).__name__, error)  # noqa: T201


@contextmanager
def worker(name: str, **arguments: Any) -> Iterator[subprocess.Popen[str]]:
    """A child process running one of the functions above; killed when the test is done with it."""
    passed = json.dumps({key: _text(value) for key, value in arguments.items()})
    process = subprocess.Popen(
        [sys.executable, __file__, f"worker_{name}", passed],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value


def finish(process: subprocess.Popen[str]) -> str:
    """The child's output; its traceback fails the test."""
    out, err = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, err
    return out


def wait_for_word(process: subprocess.Popen[str], word: str) -> None:
    assert process.stdout is not None
    assert process.stdout.readline().strip() == word


@pytest.fixture
def home(tmp_path: Path) -> Path:
    create_store(settings_at(tmp_path), "simulated", [TICKS]).close()
    return tmp_path


# -- parallel processes --------------------------------------------------------------------------------


def test_four_writers_of_different_dates_lose_nothing(home):
    """One key with ``update`` lost 45 of 60 days without an error; keys per date lose none."""
    firsts = [dt.date(2025, 1, 1) + dt.timedelta(20 * n) for n in range(4)]
    with (
        worker("write_dates", home=home, first=str(firsts[0]), days=8) as a,
        worker("write_dates", home=home, first=str(firsts[1]), days=8) as b,
        worker("write_dates", home=home, first=str(firsts[2]), days=8) as c,
        worker("write_dates", home=home, first=str(firsts[3]), days=8) as d,
    ):
        for process in (a, b, c, d):
            finish(process)
    store = open_store(settings_at(home))
    dates = [first + dt.timedelta(offset) for first in firsts for offset in range(8)]
    assert store.manifest.dates(TICKS.name) == dates
    for date in dates:
        assert set(store.read(TICKS, "SPY", date, columns=["mark"]).arrays["mark"].tolist()) == {date.toordinal()}
    store.close()


def test_two_runs_of_one_date_keep_each_others_symbols(home):
    """The date's manifest file is read and rewritten whole by both: without the lock one run's symbols vanish."""
    with (
        worker("commit_one_date", home=home, symbols=[f"A{n}" for n in range(20)]) as a,
        worker("commit_one_date", home=home, symbols=[f"B{n}" for n in range(20)]) as b,
    ):
        finish(a)
        finish(b)
    store = open_store(settings_at(home))
    found = {row.symbol for row in store.manifest.rows(TICKS.name)}
    assert found == {f"{side}{n}" for side in "AB" for n in range(20)}
    store.close()


def test_a_reader_beside_a_writer_sees_only_whole_committed_versions(home):
    store = open_store(settings_at(home))
    commit(store, "SPY", DAY, store.write(TICKS, "SPY", DAY, marked(0, 10)), 10)
    seen = []
    with worker("rewrite", home=home, writes=25) as writer:
        while writer.poll() is None:
            arrays = store.read(TICKS, "SPY", DAY, columns=["mark"]).arrays
            marks = set(arrays["mark"].tolist())
            assert len(marks) == 1
            seen.append(marks.pop())
            assert len(arrays["mark"]) == (1_000 * seen[-1] or 10)
        finish(writer)
    assert seen == sorted(seen)
    assert store.read(TICKS, "SPY", DAY, columns=["mark"], rows=(0, 1)).arrays["mark"].tolist() == [25]
    store.close()


def test_light_files_are_never_torn_by_two_writers(tmp_path):
    groups = [["A", "B"], ["C", "D"]]
    store = ParquetLightStore(tmp_path, WAIT_S)
    for group in groups:
        store.replace_symbols("day", DAY, light_rows(group, 0), group)
    with (
        worker("write_light_forever", root=tmp_path, symbols=groups[0], first_mark=0, seconds=2) as a,
        worker("write_light_forever", root=tmp_path, symbols=groups[1], first_mark=10**6, seconds=2) as b,
        worker("read_light", root=tmp_path, groups=groups, seconds=2) as c,
        worker("read_light", root=tmp_path, groups=groups, seconds=2) as d,
    ):
        for process in (a, b, c, d):
            finish(process)
    marks = dict(zip(*store.read("day").select(["symbol", "mark"]).to_pydict().values(), strict=True))
    assert 0 < marks["A"] == marks["B"] < 10**6 < marks["C"] == marks["D"]


def test_processes_that_create_a_store_at_once_share_it(tmp_path):
    with (
        worker("create", home=tmp_path) as a,
        worker("create", home=tmp_path) as b,
        worker("create", home=tmp_path) as c,
    ):
        for process in (a, b, c):
            finish(process)
        expected = {str(process.pid) for process in (a, b, c)}
    store = open_store(settings_at(tmp_path))
    rows = store.manifest.rows(TICKS.name)
    assert {row.symbol for row in rows} == expected
    assert all(len(store.read(TICKS, row.symbol, DAY).arrays["mark"]) == 10 for row in rows)
    store.close()


def test_a_forked_child_opens_its_own_connection(home):
    """LMDB forbids using an inherited handle; the child must get a new one and leave the parent's alone."""
    store = open_store(settings_at(home))
    commit(store, "SPY", DAY, store.write(TICKS, "SPY", DAY, marked(1, 10)), 10)
    child = os.fork()
    if child == 0:
        faulthandler.cancel_dump_traceback_later()
        try:
            read = store.read(TICKS, "SPY", DAY).arrays["mark"]
            version = store.write(TICKS, "KO", DAY, marked(2, 10))
            commit(store, "KO", DAY, version, 10)
            own = join_connection(settings_at(home).heavy_uri, 0).pid == os.getpid()
            os._exit(0 if own and set(read.tolist()) == {1} else 2)
        finally:
            os._exit(3)
    deadline = time.monotonic() + WAIT_S
    while (status := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.05)
    if status == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert status == (child, 0)
    assert set(store.read(TICKS, "KO", DAY).arrays["mark"].tolist()) == {2}
    commit(store, "SPY", DAY, store.write(TICKS, "SPY", DAY, marked(3, 10)), 10)
    assert set(store.read(TICKS, "SPY", DAY).arrays["mark"].tolist()) == {3}
    store.close()


# -- killed processes ----------------------------------------------------------------------------------


@pytest.mark.parametrize("delay_s", [0.02, 0.15])
def test_a_writer_killed_in_the_heavy_tier_leaves_the_committed_version(home, delay_s):
    store = open_store(settings_at(home))
    commit(store, "SPY", DAY, store.write(TICKS, "SPY", DAY, marked(1, 1_000)), 1_000)
    store.close()
    with worker("write_heavy_forever", home=home) as process:
        wait_for_word(process, "writing")
        time.sleep(delay_s)
        process.kill()
        process.wait(WAIT_S)
    store = open_store(settings_at(home))
    assert set(store.read(TICKS, "SPY", DAY).arrays["mark"].tolist()) == {1}
    version = store.write(TICKS, "SPY", DAY, marked(2, 2_000))
    commit(store, "SPY", DAY, version, 2_000)
    again = store.read(TICKS, "SPY", DAY).arrays["mark"]
    assert (len(again), set(again.tolist())) == (2_000, {2})
    store.close()


def test_a_writer_killed_in_the_light_tier_leaves_the_old_file_and_a_free_lock(tmp_path):
    store = ParquetLightStore(tmp_path, 0.2)
    store.replace_symbols("day", DAY, light_rows(["A"], 1), ["A"])
    with worker("half_write_and_hang", root=tmp_path) as process:
        wait_for_word(process, "writing")
        assert len(list((tmp_path / "day").glob(".date=*.tmp"))) == 1
        with pytest.raises(StoreError, match=f"day, 2025-09-16: still held by pid {process.pid} on "):
            store.replace_symbols("day", DAY, light_rows(["A"], 3), ["A"])
        process.kill()
        process.wait(WAIT_S)
    assert set(store.read("day")["mark"].to_pylist()) == {1}
    store.replace_symbols("day", DAY, light_rows(["A"], 4), ["A"])
    assert set(store.read("day")["mark"].to_pylist()) == {4}
    assert list((tmp_path / "day").glob(".date=*.tmp")) == []


def test_a_waiting_writer_says_whom_it_waits_for_and_then_writes(tmp_path):
    store = ParquetLightStore(tmp_path, WAIT_S)
    lock = tmp_path / "day" / ".locks" / "date=2025-09-16.lock"
    with held(lock, 1, "the test"):
        waiting = subprocess.Popen(
            [sys.executable, __file__, "worker_write_light_forever",
             json.dumps({"root": str(tmp_path), "symbols": ["A"], "first_mark": 0, "seconds": 0.01})],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"TRAP_LOG": "INFO"},
        )  # fmt: skip
        assert waiting.stderr is not None
        line = waiting.stderr.readline()
    finish(waiting)
    assert f"light table day, 2025-09-16: waiting up to 60 s for pid {os.getpid()} on " in line
    assert store.read("day") is not None


# -- full disks and maps -------------------------------------------------------------------------------


def test_a_full_map_keeps_earlier_data_and_a_larger_one_goes_on(tmp_path):
    small = create_store(settings_at(tmp_path, "4MB"), "simulated", [TICKS])
    commit(small, "SPY", DAY, small.write(TICKS, "SPY", DAY, marked(1, 1_000)), 1_000)
    with pytest.raises(StoreFullError, match="FUZZY_STORE__MAP_SIZE"):
        small.write(TICKS, "SPY", DAY, marked(2, 1_000_000))
    assert set(small.read(TICKS, "SPY", DAY).arrays["mark"].tolist()) == {1}
    small.close()
    large = open_store(settings_at(tmp_path, "64MB"))
    commit(large, "SPY", DAY, large.write(TICKS, "SPY", DAY, marked(2, 1_000_000)), 1_000_000)
    assert set(large.read(TICKS, "SPY", DAY, columns=["mark"]).arrays["mark"].tolist()) == {2}
    large.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Any]:
    """``small_disk(megabytes)`` mounts a file system of that size; skipped where mounting is not allowed."""
    mounted = []

    def mount(megabytes: int) -> Path:
        folder = tmp_path / "disk"
        folder.mkdir()
        options = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        try:
            done = subprocess.run(options, capture_output=True, check=False)
        except FileNotFoundError:
            pytest.skip("no mount command")
        if done.returncode:
            pytest.skip("mounting a small disk needs root; the file-size limit below covers the light tier")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_keeps_the_old_light_file(small_disk):
    disk = small_disk(2)
    store = ParquetLightStore(disk / "light", 1.0)
    store.replace_symbols("day", DAY, light_rows(["A"], 1), ["A"])
    noise = pa.table({"symbol": ["A"] * 400_000, "noise": np.random.default_rng(0).random(400_000)})
    with pytest.raises(StoreFullError, match=r"day, 2025-09-16.*Free disk space"):
        store.replace_symbols("day", DAY, noise, ["A"])
    assert set(store.read("day")["mark"].to_pylist()) == {1}
    store.replace_symbols("day", DAY, light_rows(["A"], 2), ["A"])
    assert set(store.read("day")["mark"].to_pylist()) == {2}


def test_a_full_disk_refuses_a_heavy_write_instead_of_killing_the_process(small_disk):
    """Without the check LMDB's memory map ends the process with a signal; the committed day must stay readable."""
    disk = small_disk(48)
    heavy = ArcticHeavyStore(f"lmdb://{disk / 'heavy'}?map_size=1GB")
    heavy.create([TICKS])
    version = heavy.write(TICKS, "SPY", DAY, marked(1, 1_000), {})
    with pytest.raises(StoreFullError, match=r"MB free under .*Free disk space"):
        heavy.write(TICKS, "SPY", DAY, marked(2, 2_000_000), {})
    assert set(heavy.read(TICKS, "SPY", DAY, version).arrays["mark"].tolist()) == {1}
    assert heavy.versions(TICKS, "SPY", DAY) == [version]
    heavy.close()


def test_a_file_size_limit_is_an_error_but_not_called_a_full_disk(tmp_path):
    """``ulimit -f`` gives EFBIG, and its signal kills unless ignored: freeing space would not help."""
    store = ParquetLightStore(tmp_path, 1.0)
    store.replace_symbols("day", DAY, light_rows(["A"], 1, width=1), ["A"])
    with worker("limited_light", root=tmp_path) as process:
        assert finish(process).startswith("StoreError light table day, 2025-09-16: [Errno 27]")
    assert store.read("day")["mark"].to_pylist() == [1]
    assert list((tmp_path / "day").glob(".date=*.tmp")) == []


def test_what_was_never_written_is_not_stored(home):
    store = open_store(settings_at(home))
    with pytest.raises(NotStoredError, match="trap_ticks SPY 2025-09-16"):
        store.read(TICKS, "SPY", DAY)
    store.close()


if __name__ == "__main__":
    import logging

    logging.basicConfig(level=os.environ.get("TRAP_LOG", "WARNING"))
    globals()[sys.argv[1]](**json.loads(sys.argv[2]))

"""Backups: what is committed, exactly, while runs go on; a half one is none; what is restored is proven.

The file is also the program of its worker processes: ``python test_backup.py <worker> <home> <folder>``.
"""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from fuzzy_pipeline.errors import NotStoredError, StoreError, StoreKindError, StoreSchemaError
from fuzzy_pipeline.query import get_bars, get_ticks
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS, HEAVY_TABLES, RAW_TICKS, Table
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.pipeline import stale_results
from fuzzy_pipeline.steps.workbench import close_workbenches
from fuzzy_pipeline.store_care import backup as backups
from fuzzy_pipeline.store_care.backup import backup
from fuzzy_pipeline.store_care.backup_folder import (
    canonical_json,
    damaged_objects,
    find_backups,
    heavy_file,
    read_heavy_file,
)
from fuzzy_pipeline.store_care.prune import prune
from fuzzy_pipeline.store_care.restore import restore
from fuzzy_pipeline.store_care.verify import check_store
from fuzzy_pipeline.store_settings import StoreCareSettings
from fuzzy_pipeline.stores.store import Store, create_store, open_store
from fuzzy_pipeline.stores.stored_content import stored_hash
from tests.unit.store_care.simulated_home import DATE, SYMBOLS, build, copy_of, hashes, run_all, settings_of

WAIT_S = 120
"""Patience with a child process; a limit against hanging, never a measurement."""


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return build(tmp_path_factory.mktemp("built"))


@pytest.fixture
def settings(built: Settings, tmp_path: Path) -> Iterator[Settings]:
    yield copy_of(built, tmp_path / "home")
    close_workbenches()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    opened = open_store(settings)
    yield opened
    opened.close()


def broken(store: Store) -> list[object]:
    return [item for check in check_store(store) for item in check.broken]


# -- workers -------------------------------------------------------------------------------------------


def worker_backup(home: str, folder: str) -> None:
    """A backup that says after each file that it has written one, and is slow."""
    write = backups.write_bytes

    def slow(path: Path, content: bytes) -> None:
        write(path, content)
        print("written", flush=True)  # noqa: T201  tells the test when to kill
        time.sleep(0.2)

    backups.write_bytes = slow
    backup(open_store(settings_of(Path(home))), Path(folder))


def worker_run(home: str, folder: str) -> None:
    """Runs of the date that compute everything again, until the file ``stop`` is there; says how many they were."""
    print("running", flush=True)  # noqa: T201
    runs = 0
    while not (Path(folder) / "stop").exists():
        run_all(settings_of(Path(home)), force=True)
        runs += 1
    print(runs, flush=True)  # noqa: T201


def worker_read(home: str, folder: str) -> None:
    """Read everything committed until the file ``stop`` is there; any error ends the process."""
    store = open_store(settings_of(Path(home)))
    print("reading", flush=True)  # noqa: T201
    reads = 0
    while not (Path(folder) / "stop").exists():
        for table in (RAW_TICKS, ENRICHED_TICKS, BAR_TABLES["imbalance"]):
            for symbol in SYMBOLS:
                row = store.committed(table, symbol, DATE)
                assert stored_hash(store, row) == (row.content_hash, row.rows)
                reads += 1
    assert reads > 0


@contextmanager
def worker(name: str, home: Path, folder: Path) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, __file__, f"worker_{name}", str(home), str(folder)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).resolve().parents[2])},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert process.stdout.readline(), process.stderr.read() if process.stderr else ""
        yield process
    finally:
        process.kill()
        process.communicate()


def finish(process: subprocess.Popen[str]) -> str:
    """The child's output; its traceback fails the test."""
    output, errors = process.communicate(timeout=WAIT_S)
    assert process.returncode == 0, errors
    return output


# -- exactness -----------------------------------------------------------------------------------------


def test_every_kind_of_column_comes_back_from_a_file_bit_by_bit() -> None:
    for table in HEAVY_TABLES:
        arrays = {}
        for column in table.stored:
            values = np.arange(3).astype(np.int64).astype(column.dtype)
            if values.dtype.kind == "f":
                values[:] = [np.nan, -0.0, np.finfo(values.dtype).max]
            elif values.dtype.kind == "M":
                values[0] = np.datetime64("NaT")
            elif values.dtype.kind in "iu":
                values[:] = [0, np.iinfo(values.dtype).min, np.iinfo(values.dtype).max]
            arrays[column.name] = values
        metadata = {"state": {"x": 0.1, "n": 2**62, "none": None}, "ranges": {"1m": [0, 3]}}
        found, found_metadata = read_heavy_file(table, heavy_file(table, arrays, metadata))
        assert list(found) == [column.name for column in table.stored]
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype
            assert found[name].tobytes() == array.tobytes(), f"{table.name} {name}"
        assert canonical_json(found_metadata) == canonical_json(metadata)


def test_an_empty_key_comes_back_empty() -> None:
    table: Table = BAR_TABLES["run"]
    arrays = {column.name: np.empty(0, column.dtype) for column in table.stored}
    found, _ = read_heavy_file(table, heavy_file(table, arrays, {}))
    assert {name: (len(array), array.dtype) for name, array in found.items()} == {
        name: (0, array.dtype) for name, array in arrays.items()
    }


# -- backup and restore --------------------------------------------------------------------------------


def test_a_restored_store_has_every_hash_and_nothing_left_to_compute(
    store: Store, settings: Settings, tmp_path: Path
) -> None:
    made = backup(store, tmp_path / "backups")
    assert made.about.left_out == ()
    assert made.about.keys == len(store.manifest.rows())
    elsewhere = settings_of(tmp_path / "elsewhere")
    assert restore(tmp_path / "backups", elsewhere).proven == made.about.keys
    restored = open_store(elsewhere)
    assert restored.kind == "simulated"
    assert hashes(restored) == hashes(store)
    for row in restored.manifest.rows():
        assert stored_hash(restored, row) == (row.content_hash, row.rows)
    for light in (PHASE1_TABLE, "official_prints", "tick_flags"):
        expected = store.light.read(light)
        assert expected is not None
        assert restored.light.read(light).to_pylist() == expected.to_pylist()
    assert broken(restored) == []
    ticks = [get_ticks("AAA", DATE, settings=each, store=each_store) for each, each_store in (
        (settings, store), (elsewhere, restored),
    )]  # fmt: skip
    assert ticks[0].equals(ticks[1])
    bars = [get_bars("AAA", DATE, parameter="1m", settings=each, store=each_store) for each, each_store in (
        (settings, store), (elsewhere, restored),
    )]  # fmt: skip
    assert bars[0].equals(bars[1])
    assert stale_results(restored, elsewhere, [DATE]) == set()
    restored.close()
    assert run_all(elsewhere) == []


def test_a_second_backup_writes_only_what_is_new(store: Store, settings: Settings, tmp_path: Path) -> None:
    first = backup(store, tmp_path / "backups")
    assert first.reused == 0
    again = backup(store, tmp_path / "backups")
    assert (again.written, again.about.keys) == (0, first.about.keys)
    store.close()
    run_all(settings, force=True)  # the same data in new versions
    changed = backup(open_store(settings), tmp_path / "backups")
    heavy = list((tmp_path / "backups" / "objects" / "heavy").rglob("*.parquet"))
    # Ticks name their ingest, so their file is a new one; what was computed from them is the same.
    assert len(heavy) == 2 * 5  # symbols × (raw twice, enriched, two families)
    assert changed.about.keys == first.about.keys
    assert [about.name for about in find_backups(tmp_path / "backups")] == [
        first.about.name, again.about.name, changed.about.name
    ]  # fmt: skip
    for about in find_backups(tmp_path / "backups"):
        assert damaged_objects(tmp_path / "backups", about) == []


def test_a_restored_store_goes_on_with_the_same_backups(store: Store, tmp_path: Path) -> None:
    backup(store, tmp_path / "backups")
    elsewhere = settings_of(tmp_path / "elsewhere")
    restore(tmp_path / "backups", elsewhere)
    restored = open_store(elsewhere)
    backup(restored, tmp_path / "backups")
    restored.close()
    assert len(list((tmp_path / "backups" / "objects" / "heavy").rglob("*.parquet"))) == 2 * 4


def test_uncommitted_data_are_not_in_a_backup(store: Store, tmp_path: Path) -> None:
    store.write(RAW_TICKS, "CCC", DATE, store.read(RAW_TICKS, "AAA", DATE).arrays)
    rows = store.light.read(PHASE1_TABLE, dates=[DATE], symbols=["AAA"])
    assert rows is not None
    store.manifest.remove(PHASE1_TABLE, DATE, ["AAA"])
    backup(store, tmp_path / "backups")
    elsewhere = settings_of(tmp_path / "elsewhere")
    restore(tmp_path / "backups", elsewhere)
    restored = open_store(elsewhere)
    assert restored.heavy.versions(RAW_TICKS, "CCC", DATE) == []
    found = restored.light.read(PHASE1_TABLE)
    assert found is not None
    assert found["symbol"].to_pylist() == ["BBB"]
    restored.close()


def test_failures_and_what_is_retired_come_along(store: Store, tmp_path: Path) -> None:
    row = store.manifest.find("raw_ticks", "AAA", DATE)
    assert row is not None
    at = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    store.retired.add(DATE, [row.model_copy(update={"symbol": "OLD"})], at, "too old")
    backup(store, tmp_path / "backups")
    elsewhere = settings_of(tmp_path / "elsewhere")
    restore(tmp_path / "backups", elsewhere)
    restored = open_store(elsewhere)
    (gone,) = restored.retired.rows("raw_ticks")
    assert (gone.symbol, gone.content_hash, gone.retired_at, gone.retired_why) == (
        "OLD", row.content_hash, at, "too old"
    )  # fmt: skip
    restored.close()


def test_what_is_broken_is_left_out_and_named(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backups, "PATIENCE_S", 0.0)
    store.heavy.delete_versions(ENRICHED_TICKS, "AAA", DATE, [0])
    rows = store.light.read(PHASE1_TABLE, dates=[DATE], symbols=["BBB"])
    assert rows is not None
    record = rows.to_pylist()
    record[0]["basic_stats"]["volume_total"] += 1
    store.light.replace_symbols(PHASE1_TABLE, DATE, type(rows).from_pylist(record, schema=rows.schema), ["BBB"])
    made = backup(store, tmp_path / "backups")
    assert {(item.table, item.symbol) for item in made.about.left_out} == {
        ("enriched_ticks", "AAA"), (PHASE1_TABLE, "BBB")
    }  # fmt: skip
    assert made.about.keys == len(store.manifest.rows()) - 2
    elsewhere = settings_of(tmp_path / "elsewhere")
    restore(tmp_path / "backups", elsewhere)
    restored = open_store(elsewhere)
    assert broken(restored) == []
    assert restored.manifest.find(PHASE1_TABLE, "BBB", DATE) is None
    restored.close()


# -- refusals ------------------------------------------------------------------------------------------


def test_a_restore_never_writes_over_anything(store: Store, settings: Settings, tmp_path: Path) -> None:
    backup(store, tmp_path / "backups")
    with pytest.raises(StoreError, match="a store is already there"):
        restore(tmp_path / "backups", settings)
    elsewhere = settings_of(tmp_path / "elsewhere")
    (elsewhere.home / "audit").mkdir(parents=True)
    (elsewhere.home / "audit" / "audit.jsonl").write_text("{}\n")
    with pytest.raises(StoreError, match="files are already there"):
        restore(tmp_path / "backups", elsewhere)


def test_a_damaged_file_is_found_and_what_was_restored_is_no_store(store: Store, tmp_path: Path) -> None:
    made = backup(store, tmp_path / "backups")
    victim = next((tmp_path / "backups" / "objects" / "heavy" / "time_bars").rglob("*.parquet"))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(bytes(content))
    assert [str(victim) in line for line in damaged_objects(tmp_path / "backups", made.about)] == [True]
    elsewhere = settings_of(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="its hash is not the one that was written"):
        restore(tmp_path / "backups", elsewhere)
    with pytest.raises(NotStoredError, match="no store at"):
        open_store(elsewhere)
    with pytest.raises(StoreError, match="already there"):
        restore(tmp_path / "backups", elsewhere)


def test_a_simulated_backup_never_becomes_real(store: Store, tmp_path: Path) -> None:
    backup(store, tmp_path / "backups")
    elsewhere = settings_of(tmp_path / "elsewhere")
    restore(tmp_path / "backups", elsewhere)
    with pytest.raises(StoreKindError, match="holds simulated data"):
        open_store(elsewhere, expect_kind="real")


def test_backups_of_another_store_and_other_files_are_not_mixed(store: Store, tmp_path: Path) -> None:
    backup(store, tmp_path / "backups")
    other = create_store(settings_of(tmp_path / "other"), "real", HEAVY_TABLES)
    with pytest.raises(StoreError, match="holds backups of another store"):
        backup(other, tmp_path / "backups")
    other.close()
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"")
    with pytest.raises(StoreError, match="is not empty and holds no backups"):
        backup(store, tmp_path / "photos")


def test_a_backup_of_another_schema_is_refused(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backup(store, tmp_path / "backups")
    monkeypatch.setattr("fuzzy_pipeline.store_care.restore.SCHEMA_VERSION", 999)
    with pytest.raises(StoreSchemaError, match="this release reads 999"):
        restore(tmp_path / "backups", settings_of(tmp_path / "elsewhere"))


def test_a_name_chooses_the_backup(store: Store, tmp_path: Path) -> None:
    first = backup(store, tmp_path / "backups")
    backup(store, tmp_path / "backups")
    elsewhere = settings_of(tmp_path / "elsewhere")
    assert restore(tmp_path / "backups", elsewhere, name=first.about.name).about.name == first.about.name
    with pytest.raises(NotStoredError, match="holds no backup of-never"):
        restore(tmp_path / "backups", settings_of(tmp_path / "third"), name="of-never")
    with pytest.raises(NotStoredError, match="no complete backup"):
        restore(tmp_path / "nowhere", settings_of(tmp_path / "third"))


# -- beside others -------------------------------------------------------------------------------------


def test_a_backup_killed_midway_is_none_and_the_next_is_whole(settings: Settings, tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    with worker("backup", settings.home, folder) as process:
        assert process.stdout is not None
        for _ in range(7):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert len(list((folder / "objects").rglob("*.parquet"))) >= 5, "it was killed before it wrote: nothing was tested"
    assert find_backups(folder) == []
    with pytest.raises(NotStoredError, match="no complete backup"):
        restore(folder, settings_of(tmp_path / "elsewhere"))
    opened = open_store(settings)
    made = backup(opened, folder)
    opened.close()
    assert damaged_objects(folder, made.about) == []
    assert restore(folder, settings_of(tmp_path / "elsewhere")).proven == made.about.keys


@pytest.mark.long
def test_backups_and_pruning_beside_a_run_and_a_reader_lose_nothing(settings: Settings, tmp_path: Path) -> None:
    """No grace for readers: they look up and read within milliseconds; a day for what is not yet committed."""
    store = open_store(settings)
    before = {key: content for key, (content, _) in hashes(store).items()}
    care = StoreCareSettings(grace_minutes=0.02, unfinished_hours=1)
    pruned, rounds = 0, 3
    with worker("run", settings.home, tmp_path) as process, worker("read", settings.home, tmp_path) as reader:
        for _ in range(rounds):
            pruned += sum(found.versions for found in prune(store, care))
            assert backup(store, tmp_path / "backups").about.left_out == ()
        assert process.poll() is None, "the runs ended before: nothing was tested"
        (tmp_path / "stop").touch()
        runs = int(finish(process))
        finish(reader)
    time.sleep(1.3)
    pruned += sum(found.versions for found in prune(store, care))
    assert pruned == runs * 2 * 4  # runs × symbols × (raw, enriched, two families)
    assert {key: content for key, (content, _) in hashes(store).items()} == before
    assert broken(store) == []
    store.close()
    for number, about in enumerate(find_backups(tmp_path / "backups")):
        elsewhere = settings_of(tmp_path / f"elsewhere{number}")
        restore(tmp_path / "backups", elsewhere, name=about.name)
        restored = open_store(elsewhere)
        assert {key: content for key, (content, _) in hashes(restored).items()} == before
        restored.close()


if __name__ == "__main__":
    globals()[sys.argv[1]](*sys.argv[2:])

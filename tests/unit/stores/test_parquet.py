"""What only the Parquet store does: files, leftovers, locks, damage and a failing disk."""

from __future__ import annotations

import datetime as dt
import errno
import logging
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuzzy_pipeline.errors import StoreError, StoreFullError
from fuzzy_pipeline.stores import parquet
from fuzzy_pipeline.stores.file_lock import held
from fuzzy_pipeline.stores.parquet import ParquetLightStore

DATE = dt.date(2025, 9, 16)
ONE = pa.table({"symbol": ["A"], "x": [1]})


@pytest.fixture
def store(tmp_path: Path) -> ParquetLightStore:
    return ParquetLightStore(tmp_path, 0.2)


def test_one_file_holds_all_symbols_of_a_date_and_no_date_column_is_made_up(store, tmp_path):
    store.replace_symbols("manifest/raw_ticks", DATE, ONE, ["A"])
    file = tmp_path / "manifest" / "raw_ticks" / "date=2025-09-16.parquet"
    assert [path.name for path in file.parent.iterdir() if not path.name.startswith(".")] == [file.name]
    assert pq.ParquetFile(file).schema_arrow.names == ["symbol", "x"]
    assert store.read("manifest/raw_ticks").column_names == ["symbol", "x"]


def test_leftovers_of_a_dead_writer_are_ignored_and_removed_by_the_next_of_that_date(store, tmp_path):
    folder = tmp_path / "day"
    folder.mkdir()
    mine, other = folder / ".date=2025-09-16.parquet.1-a.tmp", folder / ".date=2025-09-17.parquet.1-a.tmp"
    mine.write_bytes(b"half")
    other.write_bytes(b"half")
    assert store.dates("day") == []
    assert store.read("day") is None
    store.replace_symbols("day", DATE, ONE, ["A"])
    assert not mine.exists()
    assert other.exists()


@pytest.mark.parametrize(("number", "kind"), [(errno.ENOSPC, StoreFullError), (errno.EFBIG, StoreError)])
def test_a_failing_disk_leaves_the_old_file_and_no_leftovers(store, tmp_path, monkeypatch, number, kind):
    store.replace_symbols("day", DATE, ONE, ["A"])

    def fail(handle: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(parquet.os, "fsync", fail)
    with pytest.raises(StoreError, match="day, 2025-09-16") as caught:
        store.replace_symbols("day", DATE, pa.table({"symbol": ["A"], "x": [2]}), ["A"])
    assert type(caught.value) is kind
    assert store.read("day").to_pylist() == [{"symbol": "A", "x": 1}]
    assert list((tmp_path / "day").glob("*.tmp")) == list((tmp_path / "day").glob(".*.tmp")) == []


def test_a_damaged_file_is_named_with_what_to_do(store, tmp_path):
    store.replace_symbols("day", DATE, ONE, ["A"])
    file = tmp_path / "day" / "date=2025-09-16.parquet"
    content = file.read_bytes()
    for damaged in (b"", content[: len(content) // 2], b"PAR1" + b"\xff" * 40 + content[-8:]):
        file.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"date=2025-09-16.parquet: not a readable.*materialise"):
            store.read("day")


def test_a_pattern_for_views_exists_only_with_files(store, tmp_path):
    assert store.glob("day") is None
    store.replace_symbols("day", DATE, ONE, ["A"])
    assert store.glob("day") == str(tmp_path / "day" / "date=*.parquet")


def test_a_writer_that_cannot_get_the_lock_names_its_holder(store, tmp_path, caplog):
    caplog.set_level(logging.INFO, "fuzzy_pipeline")
    lock = tmp_path / "day" / ".locks" / "date=2025-09-16.lock"
    with (
        held(lock, 1, "the other"),
        pytest.raises(StoreError, match=rf"day, 2025-09-16: still held by pid {os.getpid()} on"),
    ):
        store.replace_symbols("day", DATE, ONE, ["A"])
    assert f"waiting up to 0.2 s for pid {os.getpid()}" in caplog.text
    store.replace_symbols("day", DATE, ONE, ["A"])
    assert store.read("day").num_rows == 1


def test_dates_are_locked_one_by_one(store, tmp_path):
    with held(tmp_path / "day" / ".locks" / "date=2025-09-17.lock", 1, "another date"):
        store.replace_symbols("day", DATE, ONE, ["A"])
    assert store.dates("day") == [DATE]


def test_a_lock_is_free_again_after_an_error_inside(tmp_path):
    lock = tmp_path / "a.lock"
    with pytest.raises(ValueError, match="inside"), held(lock, 0.1, "first"):
        raise ValueError("inside")
    with held(lock, 0.1, "second"):
        assert (tmp_path / "a.lock.holder").exists()
    assert not (tmp_path / "a.lock.holder").exists()


def test_a_dead_holders_note_does_not_keep_others_out(tmp_path):
    (tmp_path / "a.lock").touch()
    (tmp_path / "a.lock.holder").write_text("half a no")
    with held(tmp_path / "a.lock", 0.1, "next"):
        assert f'"pid": {os.getpid()}' in (tmp_path / "a.lock.holder").read_text()

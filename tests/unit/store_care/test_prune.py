"""Pruning: versions nobody can want any more go, all others stay."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.schema.columns import Column
from fuzzy_pipeline.schema.tables import Table
from fuzzy_pipeline.settings import Settings, StoreSettings
from fuzzy_pipeline.store_care.prune import TablePruning, prune
from fuzzy_pipeline.store_settings import StoreCareSettings
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.store import Store, create_store

TABLE = Table("pruned", "One number.", (Column("mark", "int64", "The write's number."),), "heavy")
DATE = dt.date(2025, 11, 25)
CARE = StoreCareSettings(grace_minutes=60, unfinished_hours=24)


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    settings = Settings(_env_file=None, home=tmp_path, store=StoreSettings(map_size="64MB", lock_timeout_s=5))
    made = create_store(settings, "real", [TABLE]) if request.param == "disk" else memory_store("real", [TABLE])
    yield made
    made.close()


def write(store: Store, mark: int, symbol: str = "A") -> int:
    return store.write(TABLE, symbol, DATE, {"mark": np.full(1000, mark)})


def row(store: Store, version: int, symbol: str = "A", at: dt.datetime | None = None) -> ManifestRow:
    return ManifestRow(
        table=TABLE.name, symbol=symbol, date=DATE, kind=store.kind, version=version, rows=1000, content_hash="c",
        input_hash="i", source="files", ingest_id="run", code_version="0", schema_version=1, rows_in=1000,
        rows_out=1000, committed_at=at or dt.datetime.now(dt.UTC),
    )  # fmt: skip


def commit(store: Store, version: int, symbol: str = "A", at: dt.datetime | None = None) -> None:
    store.manifest.commit(TABLE.name, DATE, [row(store, version, symbol, at)])


def pruned(store: Store, minutes_later: float, **more: Any) -> TablePruning:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(minutes=minutes_later)
    (found,) = prune(store, CARE, tables=[TABLE], now=later, **more)
    return found


def versions(store: Store, symbol: str = "A") -> list[int]:
    return store.heavy.versions(TABLE, symbol, DATE)


def test_superseded_versions_go_after_the_grace_and_the_committed_one_can_be_read(store: Store) -> None:
    for mark in range(3):
        commit(store, write(store, mark))
    found = pruned(store, 61)
    assert (found.versions, found.keys, found.waiting) == (2, 1, 0)
    assert found.bytes is not None
    assert found.bytes > 0
    assert versions(store) == [2]
    assert store.read(TABLE, "A", DATE).arrays["mark"][0] == 2


def test_a_reader_that_looked_up_the_version_before_its_replacement_still_finds_it(store: Store) -> None:
    """The version is old, the commit that replaced it is young."""
    first = write(store, 1)
    second = write(store, 2)
    commit(store, second, at=dt.datetime.now(dt.UTC) + dt.timedelta(minutes=119))
    assert pruned(store, 120).waiting == 1
    assert versions(store) == [first, second]


def test_what_a_run_has_written_and_not_yet_committed_stays_for_a_day(store: Store) -> None:
    commit(store, write(store, 1))
    pending = write(store, 2)
    assert pruned(store, 23 * 60).waiting == 1
    assert pending in versions(store)
    assert pruned(store, 25 * 60).versions == 1
    assert versions(store) == [0]


def test_keys_without_a_manifest_row_are_named_and_left_unless_asked_for(store: Store) -> None:
    write(store, 1)
    assert pruned(store, 25 * 60).uncommitted == {("A", DATE): [0]}
    assert versions(store) == [0]
    assert pruned(store, 25 * 60, uncommitted=True).versions == 1
    assert versions(store) == []


def test_data_of_a_retired_key_go(store: Store) -> None:
    version = write(store, 1)
    at = dt.datetime.now(dt.UTC)
    store.retired.add(DATE, [row(store, version)], at, "test")
    assert pruned(store, 30).waiting == 1
    assert pruned(store, 61).versions == 1
    assert versions(store) == []


def test_a_second_time_deletes_nothing(store: Store) -> None:
    for mark in range(3):
        commit(store, write(store, mark))
    assert pruned(store, 61).versions == 2
    assert pruned(store, 61).versions == 0


def test_a_dry_run_counts_and_deletes_nothing(store: Store) -> None:
    for mark in range(3):
        commit(store, write(store, mark))
    found = pruned(store, 61, dry_run=True)
    assert (found.versions, found.keys) == (2, 1)
    assert versions(store) == [0, 1, 2]


def test_the_audit_hears_of_it_before_anything_is_deleted(store: Store) -> None:
    for mark in range(3):
        commit(store, write(store, mark))
    heard: list[tuple[Any, ...]] = []

    def refuse(*entry: Any) -> None:
        heard.append(entry)
        raise StoreError("the log cannot be written")

    with pytest.raises(StoreError, match="log"):
        pruned(store, 61, on_delete=refuse)
    assert heard == [("store.prune", {"table": "pruned"}, {"keys": 1, "versions": 2})]
    assert versions(store) == [0, 1, 2]


def test_the_committed_version_stays_even_when_its_deletion_is_asked_for(store: Store) -> None:
    commit(store, write(store, 1))
    write(store, 2)
    assert store.delete_versions(TABLE, "A", DATE, [0, 1]) == [1]
    assert versions(store) == [0]


def test_a_manifest_that_cannot_be_read_stops_it(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, store=StoreSettings(map_size="64MB", lock_timeout_s=5))
    store = create_store(settings, "real", [TABLE])
    for mark in range(2):
        commit(store, write(store, mark))
    (store.root / "manifest" / "pruned" / f"date={DATE}.parquet").write_bytes(b"PAR1 torn")
    with pytest.raises(StoreError, match="not a readable Parquet file"):
        pruned(store, 61, uncommitted=True)
    assert versions(store) == [0, 1]
    store.close()


def test_two_who_look_after_the_store_take_turns(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, home=tmp_path, store=StoreSettings(map_size="64MB", lock_timeout_s=0.2))
    store = create_store(settings, "real", [TABLE])
    with store.maintenance("a backup"), pytest.raises(StoreError, match="pruning: still held by pid"):
        prune(store, CARE, tables=[TABLE])
    store.close()

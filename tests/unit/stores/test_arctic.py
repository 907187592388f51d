"""What only the ArcticDB store does: memory, sharing of connections, older layouts, room on the disk."""

from __future__ import annotations

import datetime as dt
import pickle
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fuzzy_pipeline.errors import SchemaError, StoreError, StoreFullError, StoreSchemaError
from fuzzy_pipeline.schema.columns import Column
from fuzzy_pipeline.schema.tables import HEAVY_TABLES, Table
from fuzzy_pipeline.stores import arctic
from fuzzy_pipeline.stores.arctic import ArcticHeavyStore
from fuzzy_pipeline.stores.protocol import HeavyKey


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return f"lmdb://{tmp_path / 'heavy'}?map_size=64MB"


@pytest.fixture
def store(uri: str, ticks: Table) -> Iterator[ArcticHeavyStore]:
    made = ArcticHeavyStore(uri)
    made.create([ticks])
    yield made
    made.close()


def test_the_frame_given_to_arcticdb_shares_the_memory_of_the_arrays(ticks, arrays_of):
    arrays = arrays_of(100)
    frame = arctic._frame(ticks, arrays)
    assert np.shares_memory(frame.index.asi8, arrays["timestamp"])
    assert all(np.shares_memory(frame[name].to_numpy(), arrays[name]) for name in frame.columns)


@pytest.mark.parametrize("table", HEAVY_TABLES, ids=lambda table: table.name)
def test_every_heavy_table_of_the_schema_comes_back_to_the_byte(uri, day, table):
    arrays = {column.name: np.arange(3).astype(column.dtype) for column in table.stored}
    store = ArcticHeavyStore(uri)
    store.create([table])
    found = store.read(table, "A", day, store.write(table, "A", day, arrays, {})).arrays
    store.close()
    assert list(found) == list(arrays)
    assert all(found[name].dtype == arrays[name].dtype for name in arrays)
    assert all(found[name].tobytes() == arrays[name].tobytes() for name in arrays)


def test_the_index_is_stored_in_eastern_time(store, ticks, day, arrays_of):
    version = store.write(ticks, "A", day, arrays_of(1), {})
    index = store._library(ticks).read("A/2025-09-16", as_of=version).data.index
    assert str(index.tz) == "America/New_York"
    assert index[0].isoformat() == "2025-09-16T09:30:00-04:00"


def test_two_stores_of_one_process_share_a_connection_until_both_close(uri, store, ticks, day, arrays_of):
    second = ArcticHeavyStore(uri)
    version = second.write(ticks, "A", day, arrays_of(1), {})
    second.close()
    assert len(store.read(ticks, "A", day, version).arrays["price"]) == 1


def test_versions_of_other_processes_are_looked_up_every_time(store, ticks, day):
    from arcticdb.config import get_config_int

    store.versions(ticks, "A", day)
    assert get_config_int("VersionMap.ReloadInterval") == 0


def test_one_folder_cannot_be_open_with_two_map_sizes(uri, store, ticks, day):
    other = ArcticHeavyStore(uri.replace("64MB", "128MB"))
    with pytest.raises(StoreError, match="other options"):
        other.versions(ticks, "A", day)


def test_a_store_pickles_as_its_uri_and_opens_where_it_arrives(store, ticks, day, arrays_of):
    version = store.write(ticks, "A", day, arrays_of(2), {})
    copy = pickle.loads(pickle.dumps(store))
    assert len(copy.read(ticks, "A", day, version).arrays["price"]) == 2
    copy.close()


def test_a_version_without_a_column_of_the_schema_says_so(store, ticks, day, arrays_of):
    version = store.write(ticks, "A", day, arrays_of(2), {})
    newer = replace(ticks, columns=(*ticks.columns, Column("colour", "uint8", "New.")))
    with pytest.raises(StoreSchemaError, match="without column colour"):
        store.read(newer, "A", day, version)
    with pytest.raises(StoreSchemaError, match="without column colour"):
        store.read_many(newer, [HeavyKey("A", day, version)] * 2)


def test_a_version_with_another_type_says_so(store, ticks, day, arrays_of):
    version = store.write(ticks, "A", day, arrays_of(2), {})
    changed = tuple(replace(c, dtype="uint32") if c.name == "center" else c for c in ticks.columns)
    with pytest.raises(StoreSchemaError, match="center is stored as uint16"):
        store.read(replace(ticks, columns=changed), "A", day, version)


@pytest.mark.parametrize("dtype", ["str", "datetime64[D]", "datetime64[us]", "S4"])
def test_tables_that_arcticdb_would_change_cannot_be_created(uri, dtype):
    table = Table("odd", "", (Column("x", dtype, ""),), "heavy")
    with pytest.raises(SchemaError, match="cannot be stored"):
        ArcticHeavyStore(uri).create([table])


def test_a_nearly_full_disk_is_refused_before_lmdb_touches_it(store, ticks, day, arrays_of, monkeypatch):
    """LMDB's memory map kills the process when the disk fills up under it, so the room is asked for first."""
    version = store.write(ticks, "A", day, arrays_of(2), {})
    monkeypatch.setattr(arctic.shutil, "disk_usage", lambda path: SimpleNamespace(free=32 << 20))
    with pytest.raises(StoreFullError, match="Free disk space"):
        store.write(ticks, "A", day, arrays_of(3), {})
    assert store.versions(ticks, "A", day) == [version]


def test_failures_of_a_batch_are_raised_with_every_key(store, ticks, day, arrays_of):
    from arcticdb import ReadRequest

    store.write(ticks, "A", day, arrays_of(2), {})
    requests = [ReadRequest("A/2025-09-16", as_of=0), ReadRequest("B/2025-09-16"), ReadRequest("C/2025-09-16")]
    results = store._library(ticks).read_batch(requests)
    with pytest.raises(StoreError, match=r"2 of 3 keys failed.*B/2025-09-16.*C/2025-09-16"):
        arctic.checked(results, "three keys")


@pytest.mark.parametrize(
    ("date", "first", "last", "hours"),
    [
        (dt.date(2025, 3, 9), "2025-03-09T05:00:00", "2025-03-10T03:59:59", 23),
        (dt.date(2025, 11, 2), "2025-11-02T04:00:00", "2025-11-03T04:59:59", 25),
    ],
)
def test_days_of_the_clock_change_come_back_whole(store, ticks, arrays_of, date, first, last, hours):
    """Midnight to midnight Eastern Time has 23 and 25 hours; the repeated hour stays in order of the instant."""
    whole = np.arange(np.datetime64(first, "s"), np.datetime64(last, "s") + 1).astype("datetime64[ns]")
    assert len(whole) == hours * 3600
    arrays = arrays_of(len(whole)) | {"timestamp": whole}
    version = store.write(ticks, "A", date, arrays, {})
    assert store.read(ticks, "A", date, version, columns=["timestamp"]).arrays["timestamp"].tobytes() == whole.tobytes()

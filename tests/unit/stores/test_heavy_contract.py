"""The heavy store's contract, held against ArcticDB on LMDB and against the double in memory."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fuzzy_pipeline.errors import NotStoredError, SchemaError, StoreError
from fuzzy_pipeline.schema.columns import Column
from fuzzy_pipeline.schema.tables import Table
from fuzzy_pipeline.stores.arctic import ArcticHeavyStore
from fuzzy_pipeline.stores.memory import MemoryHeavyStore
from fuzzy_pipeline.stores.protocol import HeavyKey, HeavyStore


@pytest.fixture(params=["arctic", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path, ticks: Table, bars: Table) -> Iterator[HeavyStore]:
    made: HeavyStore = (
        ArcticHeavyStore(f"lmdb://{tmp_path / 'heavy'}?map_size=64MB")
        if request.param == "arctic"
        else MemoryHeavyStore()
    )
    made.create([ticks, bars])
    yield made
    made.close()


def same(left: Any, right: Any) -> bool:
    """Equal names in equal order, dtypes and bytes."""
    return list(left) == list(right) and all(
        left[name].dtype == right[name].dtype and left[name].tobytes() == right[name].tobytes() for name in right
    )


def test_every_dtype_comes_back_to_the_byte(store, ticks, day, arrays_of):
    arrays = arrays_of(5)
    version = store.write(ticks, "AAPL", day, arrays, {})
    assert same(store.read(ticks, "AAPL", day, version).arrays, arrays)


def test_a_table_without_index_comes_back_to_the_byte(store, bars, day):
    arrays = {"bar_index": np.array([3, 1, 2], np.uint32), "close": np.array([np.nan, -0.0, np.inf])}
    version = store.write(bars, "BRK.B", day, arrays, {})
    assert same(store.read(bars, "BRK.B", day, version).arrays, arrays)


def test_no_rows_come_back_with_their_dtypes(store, ticks, bars, day, arrays_of):
    empty = arrays_of(0)
    assert same(store.read(ticks, "A", day, store.write(ticks, "A", day, empty, {})).arrays, empty)
    no_bars = {"bar_index": np.empty(0, np.uint32), "close": np.empty(0)}
    assert same(store.read(bars, "A", day, store.write(bars, "A", day, no_bars, {})).arrays, no_bars)


def test_equal_timestamps_keep_arrival_order(store, ticks, day, arrays_of):
    arrays = arrays_of(4)
    arrays["timestamp"][:] = arrays["timestamp"][0]
    version = store.write(ticks, "A", day, arrays, {})
    assert store.read(ticks, "A", day, version, columns=["time"]).arrays["time"].tolist() == [
        -(2**62), -(2**62) + 1, -(2**62) + 2, -(2**62) + 3,
    ]  # fmt: skip


def test_the_callers_arrays_may_change_after_the_write(store, ticks, day, arrays_of):
    arrays = arrays_of(3)
    version = store.write(ticks, "A", day, arrays, {})
    arrays["price"][:] = 0
    assert same(store.read(ticks, "A", day, version).arrays, arrays_of(3))


def test_columns_come_in_the_order_asked_and_the_index_only_when_asked(store, ticks, day, arrays_of):
    version = store.write(ticks, "A", day, arrays_of(3), {})
    assert list(store.read(ticks, "A", day, version, columns=["size", "price"]).arrays) == ["size", "price"]
    mixed = store.read(ticks, "A", day, version, columns=["basis", "timestamp"]).arrays
    assert list(mixed) == ["basis", "timestamp"]
    assert mixed["timestamp"].tobytes() == arrays_of(3)["timestamp"].tobytes()
    assert list(store.read(ticks, "A", day, version, columns=["timestamp"]).arrays) == ["timestamp"]


@pytest.mark.parametrize(("rows", "expected"), [((1, 3), [1, 2]), ((3, 9), [3]), ((2, 2), []), ((7, 9), [])])
def test_row_ranges_are_half_open_and_cut_at_the_end(store, ticks, day, arrays_of, rows, expected):
    version = store.write(ticks, "A", day, arrays_of(4), {})
    found = store.read(ticks, "A", day, version, columns=["center", "timestamp"], rows=rows).arrays
    assert found["center"].tolist() == expected
    assert found["center"].dtype == np.uint16
    assert len(found["timestamp"]) == len(expected)


@pytest.mark.parametrize("rows", [(-1, 2), (3, 1)])
def test_odd_row_ranges_are_refused(store, ticks, day, arrays_of, rows):
    version = store.write(ticks, "A", day, arrays_of(4), {})
    with pytest.raises(StoreError, match="row range"):
        store.read(ticks, "A", day, version, rows=rows)


def test_each_write_is_a_version_and_old_ones_stay(store, ticks, day, arrays_of):
    first = store.write(ticks, "A", day, arrays_of(2), {"n": 1})
    second = store.write(ticks, "A", day, arrays_of(3), {"n": 2})
    assert second > first
    assert store.versions(ticks, "A", day) == [first, second]
    assert len(store.read(ticks, "A", day, first).arrays["price"]) == 2
    assert store.metadata(ticks, "A", day, first) == {"n": 1}
    assert store.read(ticks, "A", day, second).metadata == {"n": 2}


def test_keys_do_not_touch_each_other(store, ticks, day, arrays_of):
    store.write(ticks, "A", day, arrays_of(2), {})
    version = store.write(ticks, "AA", day, arrays_of(3), {})
    other = store.write(ticks, "A", day + dt.timedelta(1), arrays_of(4), {})
    assert len(store.read(ticks, "AA", day, version).arrays["price"]) == 3
    assert len(store.read(ticks, "A", day + dt.timedelta(1), other).arrays["price"]) == 4
    assert len(store.versions(ticks, "A", day)) == 1


def test_metadata_of_json_types_come_back_equal(store, bars, day):
    metadata = {"rows": {"1m": [0, 390]}, "note": "é", "none": None, "share": 0.5, "ok": True, "big": 2**63 - 1}
    arrays = {"bar_index": np.zeros(1, np.uint32), "close": np.zeros(1)}
    version = store.write(bars, "A", day, arrays, metadata)
    assert store.metadata(bars, "A", day, version) == metadata
    assert store.metadata_many(bars, [HeavyKey("A", day, version)] * 2) == [metadata, metadata]


@pytest.mark.parametrize(
    "value", [np.float64(1), (1, 2), {1: "a"}, b"bytes", dt.date(2025, 1, 2), 2**63, {"a": [np.int64(3)]}]
)
def test_metadata_that_would_be_pickled_are_refused(store, bars, day, value):
    arrays = {"bar_index": np.zeros(1, np.uint32), "close": np.zeros(1)}
    with pytest.raises(StoreError, match="test_bars A 2025-09-16"):
        store.write(bars, "A", day, arrays, {"value": value})
    assert store.versions(bars, "A", day) == []


def test_missing_keys_versions_and_tables_are_not_stored(store, ticks, day, arrays_of):
    version = store.write(ticks, "A", day, arrays_of(2), {})
    never = Table("never_created", "", ticks.columns, "heavy", index="timestamp")
    for table, symbol, number in ((ticks, "B", 0), (ticks, "A", version + 1), (never, "A", 0)):
        with pytest.raises(NotStoredError):
            store.read(table, symbol, day, number)
        with pytest.raises(NotStoredError):
            store.metadata(table, symbol, day, number)
    assert store.versions(ticks, "B", day) == []


def test_a_missing_key_among_many_is_named(store, ticks, day, arrays_of):
    version = store.write(ticks, "A", day, arrays_of(2), {})
    keys = [HeavyKey("A", day, version), HeavyKey("GONE", day, 0)]
    with pytest.raises(NotStoredError, match="GONE"):
        store.read_many(ticks, keys)
    with pytest.raises(NotStoredError, match="GONE"):
        store.metadata_many(ticks, keys)


def test_many_keys_come_one_below_the_other(store, ticks, day, arrays_of):
    days = [day, day + dt.timedelta(1)]
    first = store.write(ticks, "A", days[0], arrays_of(2), {})
    second = store.write(ticks, "A", days[1], arrays_of(3, "2025-09-17T13:30:00"), {})
    keys = [HeavyKey("A", days[0], first), HeavyKey("A", days[1], second, rows=(1, 3))]
    found = store.read_many(ticks, keys, columns=["center", "timestamp", "basis"])
    assert list(found) == ["center", "timestamp", "basis"]
    assert found["center"].tolist() == [0, 1, 1, 2]
    assert found["basis"].tolist() == [b"C", b"E", b"E", b"O"]
    assert found["timestamp"].astype("datetime64[s]").astype(str).tolist() == [
        "2025-09-16T13:30:00", "2025-09-16T13:30:01", "2025-09-17T13:30:01", "2025-09-17T13:30:02",
    ]  # fmt: skip


def test_an_empty_key_joins_with_full_ones(store, ticks, bars, day, arrays_of):
    full, empty = store.write(ticks, "A", day, arrays_of(2), {}), store.write(ticks, "B", day, arrays_of(0), {})
    keys = [HeavyKey("B", day, empty), HeavyKey("A", day, full)]
    assert same(store.read_many(ticks, keys), arrays_of(2))
    assert same(store.read_many(ticks, []), arrays_of(0))
    assert same(store.read_many(ticks, keys[:1]), arrays_of(0))


def test_deleted_versions_are_gone_and_their_numbers_are_not_used_again(store, ticks, day, arrays_of):
    numbers = [store.write(ticks, "A", day, arrays_of(n), {}) for n in (1, 2, 3)]
    store.delete_versions(ticks, "A", day, [numbers[0], numbers[2], 99])
    assert store.versions(ticks, "A", day) == [numbers[1]]
    assert len(store.read(ticks, "A", day, numbers[1]).arrays["price"]) == 2
    with pytest.raises(NotStoredError):
        store.read(ticks, "A", day, numbers[2])
    assert store.write(ticks, "A", day, arrays_of(1), {}) > numbers[2]


def test_wrong_columns_and_types_are_refused_before_anything_is_written(store, ticks, day, arrays_of):
    wrong_type = arrays_of(2) | {"price": np.zeros(2, np.float32)}
    unknown = arrays_of(2) | {"colour": np.zeros(2)}
    for arrays in (wrong_type, unknown, {"price": np.zeros(2)}):
        with pytest.raises(SchemaError, match="test_ticks A 2025-09-16"):
            store.write(ticks, "A", day, arrays, {})
    assert store.versions(ticks, "A", day) == []


def test_rows_out_of_index_order_are_refused(store, ticks, day, arrays_of):
    backwards = {name: array[::-1].copy() for name, array in arrays_of(3).items()}
    with pytest.raises(StoreError, match="not in order"):
        store.write(ticks, "A", day, backwards, {})


def test_unknown_and_key_columns_cannot_be_read(store, ticks, day, arrays_of):
    version = store.write(ticks, "A", day, arrays_of(2), {})
    for name in ("colour", "symbol"):
        with pytest.raises(SchemaError, match=name):
            store.read(ticks, "A", day, version, columns=[name])


def test_creating_again_keeps_what_is_there(store, ticks, bars, day, arrays_of):
    version = store.write(ticks, "A", day, arrays_of(2), {})
    more = Table("more", "", (Column("x", "int64", ""),), "heavy")
    store.create([ticks, bars, more])
    assert len(store.read(ticks, "A", day, version).arrays["price"]) == 2
    assert store.versions(more, "A", day) == []

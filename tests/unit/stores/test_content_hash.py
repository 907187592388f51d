"""Equal content gives equal hashes; anything that matters gives another."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xxhash

from fuzzy_pipeline.errors import SchemaError
from fuzzy_pipeline.stores.content_hash import arrow_content_hash, content_hash

BASE = {"a": np.array([1.0, 2.0]), "b": np.array([1, 2], np.int64), "t": np.array([1, 2], "datetime64[ns]")}
NAMES = ["a", "b", "t"]


def test_the_hash_is_what_the_page_says_it_is():
    """Rows, context, then per column name, dtype and bytes: a reader can compute it with xxhash alone."""
    expected = xxhash.xxh3_128(b"2\0{}\0" + b"b\0<i8\0" + bytes([1, *[0] * 7, 2, *[0] * 7])).hexdigest()
    assert content_hash(BASE, ["b"]) == expected


def test_other_memory_layouts_of_the_same_values_hash_alike():
    strided = np.array([1.0, 9.0, 2.0, 9.0])[::2]
    big_endian = np.array([1, 2], ">i8")
    read_only = BASE["t"].copy()
    read_only.flags.writeable = False
    extra = {"z": np.zeros(2), "t": read_only, "b": big_endian, "a": strided}
    assert content_hash(extra, NAMES) == content_hash(BASE, NAMES)


@pytest.mark.parametrize(
    "changed",
    [
        {"a": np.array([1.0, 2.0000000000000004])},
        {"a": np.array([2.0, 1.0])},
        {"a": np.array([1.0, 2.0], np.float32)},
        {"b": np.array([1, 2], np.uint64)},
        {"t": np.array([1, 2], np.int64)},
        {"t": np.array([1, "NaT"], "datetime64[ns]")},
    ],
)
def test_a_changed_value_order_or_type_changes_the_hash(changed):
    assert content_hash(BASE | changed, NAMES) != content_hash(BASE, NAMES)


def test_names_their_order_and_the_context_count():
    renamed = {"c": BASE["a"], "b": BASE["b"], "t": BASE["t"]}
    hashes = {
        content_hash(BASE, NAMES),
        content_hash(BASE, ["b", "a", "t"]),
        content_hash(renamed, ["c", "b", "t"]),
        content_hash(BASE, NAMES, {"1m": [0, 2]}),
        content_hash(BASE, NAMES, {"1m": [0, 1]}),
        content_hash({name: array[:0] for name, array in BASE.items()}, NAMES),
    }
    assert len(hashes) == 6
    assert content_hash(BASE, NAMES, {"a": 1, "b": 2}) == content_hash(BASE, NAMES, {"b": 2, "a": 1})


def test_bytes_cannot_move_from_one_column_to_the_next():
    left = {"a": np.array([1, 2, 3, 4], np.uint8)[:2], "b": np.array([3, 4], np.uint8)}
    right = {"a": np.array([1, 2], np.uint8), "b": np.array([3, 5], np.uint8)}
    assert content_hash(left, ["a", "b"]) != content_hash(right, ["a", "b"])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_all_nans_are_one(dtype):
    """0/0 leaves the sign bit set on x86, np.nan does not; both mean null."""
    plain = np.full(200_000, 1.0, dtype)
    plain[[0, 70_000, 199_999]] = np.nan
    signed = plain.copy()
    signed[[0, 70_000, 199_999]] = -np.array(np.nan, dtype)
    assert signed.tobytes() != plain.tobytes()
    assert content_hash({"a": signed}, ["a"]) == content_hash({"a": plain}, ["a"])
    other = plain.copy()
    other[100_000] = np.nan
    assert content_hash({"a": other}, ["a"]) != content_hash({"a": plain}, ["a"])


def test_missing_columns_and_types_without_fixed_bytes_are_refused():
    with pytest.raises(SchemaError, match="missing columns"):
        content_hash(BASE, ["a", "z"])
    with pytest.raises(SchemaError, match="no fixed bytes"):
        content_hash({"s": np.array(["x"])}, ["s"])
    with pytest.raises(SchemaError, match="differ in length"):
        content_hash({"a": np.zeros(2), "b": np.zeros(3)}, ["a", "b"])


ROWS = pa.table(
    {
        "symbol": ["A", "B", "C"],
        "x": pa.array([1.5, None, float("nan")]),
        "s": pa.array([{"u": 1, "v": [1.0, None]}, None, {"u": None, "v": []}]),
        "at": pa.array([1, 2, None], pa.timestamp("ns", tz="America/New_York")),
        "computed_at": ["now", "now", "now"],
    }
)


def test_chunks_row_order_run_stamps_and_a_trip_through_parquet_do_not_count(tmp_path):
    expected = arrow_content_hash(ROWS)
    assert arrow_content_hash(pa.concat_tables([ROWS[:1], ROWS[1:]])) == expected
    assert arrow_content_hash(ROWS.take([2, 0, 1])) == expected
    later = ROWS.set_column(4, "computed_at", pa.array(["later"] * 3))
    assert arrow_content_hash(later) == expected
    pq.write_table(ROWS, tmp_path / "rows.parquet", row_group_size=1)
    assert arrow_content_hash(pq.ParquetFile(tmp_path / "rows.parquet").read()) == expected


def test_what_lies_under_a_null_does_not_count():
    values, masked = pa.array([1.0, 2.0]), pa.array([1.0, 99.0])
    validity = pa.array([1.0, None]).buffers()[0]
    left = pa.Array.from_buffers(pa.float64(), 2, [validity, values.buffers()[1]])
    right = pa.Array.from_buffers(pa.float64(), 2, [validity, masked.buffers()[1]])
    assert arrow_content_hash(pa.table({"x": left})) == arrow_content_hash(pa.table({"x": right}))


@pytest.mark.parametrize(
    "changed",
    [
        ("x", pa.array([1.5, None, None])),
        ("x", pa.array([1.5, None, float("nan")], pa.float32())),
        ("at", pa.array([1, 3, None], pa.timestamp("ns", tz="America/New_York"))),
        ("s", pa.array([{"u": 1, "v": [1.0]}, None, {"u": None, "v": []}])),
        ("symbol", pa.array(["A", "B", "D"])),
    ],
)
def test_a_changed_value_or_type_of_a_row_changes_the_hash(changed):
    name, column = changed
    other = ROWS.set_column(ROWS.column_names.index(name), name, column)
    assert arrow_content_hash(other) != arrow_content_hash(ROWS)


def test_rows_of_one_symbol_keep_their_order():
    first = pa.table({"symbol": ["A", "A", "B"], "x": [1, 2, 3]})
    swapped = pa.table({"symbol": ["B", "A", "A"], "x": [3, 1, 2]})
    turned = pa.table({"symbol": ["A", "A", "B"], "x": [2, 1, 3]})
    assert arrow_content_hash(swapped) == arrow_content_hash(first)
    assert arrow_content_hash(turned) != arrow_content_hash(first)

"""The light store's contract, held against Parquet files and against the double in memory."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest

from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.stores.memory import MemoryLightStore
from fuzzy_pipeline.stores.parquet import ParquetLightStore
from fuzzy_pipeline.stores.protocol import LightStore

MONDAY, TUESDAY = dt.date(2025, 9, 15), dt.date(2025, 9, 16)


@pytest.fixture(params=["parquet", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LightStore:
    return ParquetLightStore(tmp_path / "light", 5.0) if request.param == "parquet" else MemoryLightStore()


def rows(**columns: list[object]) -> pa.Table:
    return pa.table(columns)


def test_rows_come_back_in_order_of_symbol_and_of_writing(store):
    written = rows(symbol=["KO", "AAPL", "KO"], x=[1, 2, 3])
    store.replace_symbols("day", MONDAY, written, ["AAPL", "KO"])
    assert store.read("day").to_pylist() == [
        {"symbol": "AAPL", "x": 2}, {"symbol": "KO", "x": 1}, {"symbol": "KO", "x": 3},
    ]  # fmt: skip


def test_replacing_some_symbols_leaves_the_others(store):
    store.replace_symbols("day", MONDAY, rows(symbol=["A", "B", "C"], x=[1, 2, 3]), ["A", "B", "C"])
    store.replace_symbols("day", MONDAY, rows(symbol=["B"], x=[20]), ["B", "C"])
    assert store.read("day").to_pylist() == [{"symbol": "A", "x": 1}, {"symbol": "B", "x": 20}]


def test_writing_the_same_rows_again_changes_nothing(store):
    for _ in range(2):
        store.replace_symbols("day", MONDAY, rows(symbol=["A", "B"], x=[1, 2]), ["A", "B"])
    assert store.read("day").num_rows == 2


def test_empty_rows_remove_symbols_and_the_last_one_the_date(store):
    store.replace_symbols("day", MONDAY, rows(symbol=["A", "B"], x=[1, 2]), ["A", "B"])
    store.replace_symbols("day", MONDAY, pa.table({"symbol": pa.array([], pa.string())}), ["A"])
    assert store.read("day")["symbol"].to_pylist() == ["B"]
    store.replace_symbols("day", MONDAY, pa.table({"symbol": []}), ["B"])
    assert store.dates("day") == []
    assert store.tables() == []
    assert store.read("day") is None


def test_dates_and_symbols_are_selected(store):
    for date in (TUESDAY, MONDAY):
        stamped = rows(symbol=["A", "B"], date=[date, date])
        store.replace_symbols("day", date, stamped, ["A", "B"])
    assert store.dates("day") == [MONDAY, TUESDAY]
    assert store.read("day", dates=[TUESDAY, MONDAY], symbols=["B"]).to_pylist() == [
        {"symbol": "B", "date": MONDAY}, {"symbol": "B", "date": TUESDAY},
    ]  # fmt: skip
    assert store.read("day", symbols=["NOBODY"]).num_rows == 0
    assert store.read("day", dates=[dt.date(2025, 9, 17)]) is None
    assert store.read("other") is None


def test_columns_come_in_the_order_asked(store):
    store.replace_symbols("day", MONDAY, rows(symbol=["B", "A"], x=[1, 2], s=[{"u": 1, "v": 2}] * 2), ["A", "B"])
    store.replace_symbols("day", TUESDAY, rows(symbol=["A"], new=[5]), ["A"])
    assert store.read("day", columns=["new", "s"], symbols=["A"]).to_pylist() == [
        {"new": None, "s": {"u": 1, "v": 2}}, {"new": 5, "s": None},
    ]  # fmt: skip
    assert store.read("day", columns=["symbol"]).column_names == ["symbol"]
    with pytest.raises(StoreError, match=r"no columns \['colour'\]"):
        store.read("day", columns=["x", "colour"])


def test_a_field_of_a_struct_comes_under_its_dotted_name_and_is_null_where_the_struct_is(store):
    groups = [{"u": 1, "v": {"w": "a"}}, None]
    store.replace_symbols("day", MONDAY, rows(symbol=["A", "B"], s=groups), ["A", "B"])
    store.replace_symbols("day", TUESDAY, rows(symbol=["A"], s=[{"new": 0.5}]), ["A"])
    assert store.read("day", columns=["s.u", "symbol", "s.v.w", "s.new"]).to_pylist() == [
        {"s.u": 1, "symbol": "A", "s.v.w": "a", "s.new": None},
        {"s.u": None, "symbol": "B", "s.v.w": None, "s.new": None},
        {"s.u": None, "symbol": "A", "s.v.w": None, "s.new": 0.5},
    ]
    for name in ("s.x", "x.s", "symbol.u", "s."):
        with pytest.raises(StoreError, match=rf"no columns \['{name}'\]"):
            store.read("day", columns=[name])


def test_tables_in_folders_stay_apart(store):
    store.replace_symbols("manifest/raw_ticks", MONDAY, rows(symbol=["A"], x=[1]), ["A"])
    store.replace_symbols("manifest/time_bars", MONDAY, rows(symbol=["A"], x=[2]), ["A"])
    assert store.tables() == ["manifest/raw_ticks", "manifest/time_bars"]
    assert store.read("manifest/time_bars")["x"].to_pylist() == [2]


@pytest.mark.parametrize("name", ["", "../day", "Day", "a//b", "a/", "day=1", "/a"])
def test_odd_table_names_are_refused(store, name):
    for call in (lambda: store.dates(name), lambda: store.read(name)):
        with pytest.raises(StoreError, match="lower-case words"):
            call()


def test_structs_and_lists_come_back(store):
    hours = [{"hour": 10, "share": [0.5, None]}, {"hour": 11, "share": []}]
    written = rows(symbol=["A", "B"], profile=[{"score": 1.5, "hours": hours}, None], flags=[["x"], None])
    store.replace_symbols("day", MONDAY, written, ["A", "B"])
    assert store.read("day").to_pylist() == written.to_pylist()


def test_a_new_column_is_null_in_older_rows_within_a_date_and_across_dates(store):
    store.replace_symbols("day", MONDAY, rows(symbol=["A"], x=[1], s=[{"u": 1}]), ["A"])
    store.replace_symbols("day", MONDAY, rows(symbol=["B"], x=[1.5], s=[{"u": 2, "v": "q"}], new=["n"]), ["B"])
    store.replace_symbols("day", TUESDAY, rows(symbol=["A"], x=[2]), ["A"])
    assert store.read("day").to_pylist() == [
        {"symbol": "A", "x": 1.0, "s": {"u": 1, "v": None}, "new": None},
        {"symbol": "B", "x": 1.5, "s": {"u": 2, "v": "q"}, "new": "n"},
        {"symbol": "A", "x": 2.0, "s": None, "new": None},
    ]


def test_types_that_do_not_go_together_are_refused_and_nothing_changes(store):
    store.replace_symbols("day", MONDAY, rows(symbol=["A"], x=[1]), ["A"])
    with pytest.raises(StoreError, match=r"day, 2025-09-15.*x"):
        store.replace_symbols("day", MONDAY, rows(symbol=["B"], x=["text"]), ["B"])
    assert store.read("day").to_pylist() == [{"symbol": "A", "x": 1}]


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        (pa.table({"x": [1]}), "no symbol column"),
        (pa.table({"symbol": ["A", "Z"]}), "'Z'"),
        (pa.table({"symbol": ["A", None]}), "None"),
        (pa.table({"symbol": ["A"], "date": [TUESDAY]}), "2025-09-16"),
    ],
)
def test_rows_that_would_not_be_found_again_are_refused(store, table, reason):
    with pytest.raises(StoreError, match=reason):
        store.replace_symbols("day", MONDAY, table, ["A", "B"])
    assert store.read("day") is None


def test_instants_keep_their_zone_and_nanoseconds(store):
    zoned = pa.array([1757943000000000001], pa.timestamp("ns", tz="America/New_York"))
    store.replace_symbols("day", MONDAY, pa.table({"symbol": ["A"], "at": zoned}), ["A"])
    found = store.read("day")["at"]
    assert found.type == zoned.type
    assert found.cast(pa.int64()).to_pylist() == [1757943000000000001]

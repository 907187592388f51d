"""Files as a tick source: what is read, what stands for a null, and every way a file can be bad."""

from __future__ import annotations

import datetime as dt
import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest

from fuzzy_pipeline.errors import NoDataError, SchemaError, SourceFileError, UnknownSymbolError
from fuzzy_pipeline.schema.tables import RAW_TICKS, check_arrays
from fuzzy_pipeline.settings import FilesSettings
from fuzzy_pipeline.sources.files import SUFFIXES, FilesSource, write_ticks
from fuzzy_pipeline.sources.protocol import TickSource
from fuzzy_pipeline.sources.tick_sheet import TickSheet

DATE = dt.date(2021, 3, 1)
TREE = "symbol=ABC/date=2021-03-01.parquet"

TYPES = {
    "tick_id": pa.uint64(), "date": pa.date32(), "time": pa.int64(), "last": pa.float64(), "last_sz": pa.uint64(),
    "last_type": pa.string(), "mkt_ctr": pa.uint32(), "tot_vlm": pa.uint64(), "bid": pa.float64(),
    "ask": pa.float64(), "cond1": pa.uint8(), "cond2": pa.uint8(), "cond3": pa.uint8(), "cond4": pa.uint8(),
}  # fmt: skip
ROWS: dict[str, list[Any]] = {
    "tick_id": [1, 1, 2],
    "date": [DATE, DATE, DATE],
    "time": [14_400_028_010, 34_200_000_001, 34_200_000_001],
    "last": [1.52, 1.5301, 1.54],
    "last_sz": [1000, 50, 100],
    "last_type": ["E", "O", "C"],
    "mkt_ctr": [11, 19, 11],
    "tot_vlm": [1000, 1050, 1150],
    "bid": [1.56, 1.53, 1.53],
    "ask": [1.57, 1.54, 1.54],
    "cond1": [23, 135, 1],
    "cond2": [71, 0, 0],
    "cond3": [0, 0, 0],
    "cond4": [0, 0, 0],
}


def table(**replaced: pa.Array) -> pa.Table:
    """The three rows, with some columns replaced by Arrow arrays."""
    return pa.table({name: replaced.get(name, pa.array(ROWS[name], TYPES[name])) for name in TYPES})


def parquet(root: Path, content: pa.Table | None = None, name: str = TREE) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table() if content is None else content, path)
    return path


def csv_lines() -> list[str]:
    rows = [[str(ROWS[name][n]) for name in TYPES] for n in range(3)]
    return [",".join(TYPES), *(",".join(row) for row in rows)]


def csv_file(root: Path, lines: list[str], name: str = "symbol=ABC/date=2021-03-01.csv") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "\n".join(lines) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def assert_the_three_rows(columns: dict[str, Any]) -> None:
    check_arrays(RAW_TICKS, columns, "read", key_columns=True)
    for name, expected in ROWS.items():
        values = [value.decode() for value in columns[name].tolist()] if name == "last_type" else columns[name].tolist()
        assert values == expected, name
        assert columns[name].flags.writeable, name


def fetch(root: Path) -> Any:
    return FilesSource(root).fetch_ticks("ABC", DATE)


# -- what is found and read --------------------------------------------------------------


@pytest.mark.parametrize("stem", ["symbol=ABC/date=2021-03-01", "ABC_2021-03-01"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_layout_and_format_gives_the_same_arrays(tmp_path: Path, stem: str, suffix: str) -> None:
    if suffix == ".parquet":
        path = parquet(tmp_path, name=stem + suffix)
    else:
        path = csv_file(tmp_path, csv_lines(), stem + suffix)
    source: TickSource = FilesSource(FilesSettings(path=tmp_path))
    fetched = source.fetch_ticks("ABC", DATE)
    assert_the_three_rows(dict(fetched.columns))
    assert (fetched.source, fetched.kind, fetched.detail, dict(fetched.notes)) == ("files", "real", str(path), {})
    alone = FilesSource(path)
    assert_the_three_rows(dict(alone.fetch_ticks("ABC", DATE).columns))
    assert alone.symbols() == ("ABC",)


def test_symbols_and_dates_are_listed_from_both_layouts(tmp_path: Path) -> None:
    parquet(tmp_path)
    parquet(tmp_path, name="ABC_2021-02-26.parquet")
    csv_file(tmp_path, csv_lines(), "BRK.B_2021-03-02.csv.gz")
    (tmp_path / "notes.txt").write_text("not ticks")
    source = FilesSource(str(tmp_path))
    assert source.symbols() == ("ABC", "BRK.B")
    assert source.dates("ABC") == (dt.date(2021, 2, 26), DATE)
    assert source.dates("NOPE") == ()
    assert "2 symbols, 3 symbol-days, 2021-02-26 to 2021-03-02" in source.check()
    source.close()


ACCEPTED: dict[str, tuple[str, Callable[[], pa.Array]]] = {
    "date as text": ("date", lambda: pa.array(["2021-03-01"] * 3)),
    "date as large text": ("date", lambda: pa.array(["2021-03-01"] * 3, pa.large_string())),
    "date64": ("date", lambda: pa.array(ROWS["date"], pa.date64())),
    "midnight timestamps": ("date", lambda: pa.array([dt.datetime(2021, 3, 1)] * 3, pa.timestamp("ns"))),  # noqa: DTZ001
    "large text basis": ("last_type", lambda: pa.array(ROWS["last_type"], pa.large_string())),
    "binary basis": ("last_type", lambda: pa.array([b"E", b"O", b"C"], pa.binary())),
    "fixed binary basis": ("last_type", lambda: pa.array([b"E", b"O", b"C"], pa.binary(1))),
    "dictionary basis": ("last_type", lambda: pa.array(ROWS["last_type"]).dictionary_encode()),
    "signed sizes": ("last_sz", lambda: pa.array(ROWS["last_sz"], pa.int32())),
    "wide codes": ("cond1", lambda: pa.array(ROWS["cond1"], pa.int64())),
    "narrow market centre": ("mkt_ctr", lambda: pa.array(ROWS["mkt_ctr"], pa.int16())),
    "time of day": ("time", lambda: pa.array(ROWS["time"], pa.int64()).cast(pa.time64("us"))),
    "duration": ("time", lambda: pa.array(ROWS["time"], pa.int64()).cast(pa.duration("us"))),
    "whole nanoseconds": ("time", lambda: pa.array([t * 1000 for t in ROWS["time"]], pa.duration("ns"))),
}


@pytest.mark.parametrize("case", ACCEPTED)
def test_arrow_types_may_vary_where_no_value_changes(tmp_path: Path, case: str) -> None:
    name, build = ACCEPTED[case]
    parquet(tmp_path, table(**{name: build()}))
    assert_the_three_rows(dict(fetch(tmp_path).columns))


def test_whole_dollar_prices_may_be_integers(tmp_path: Path) -> None:
    parquet(tmp_path, table(last=pa.array([1, 2, 3], pa.int32())))
    assert fetch(tmp_path).columns["last"].tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize("letters", [pa.string(), pa.large_string(), pa.binary(), pa.binary(1)])
def test_a_slice_of_a_larger_table_keeps_its_letters(letters: pa.DataType) -> None:
    """A slice shares the memory of the whole: its letters do not begin where the memory does."""
    longer = table(last_type=pa.array([b"E", b"O", b"C"]).cast(letters)).slice(1)
    sheet = TickSheet(Path("sheet.parquet"), longer, "row", 1)
    assert sheet.arrays()["last_type"].tolist() == [b"O", b"C"]


def test_row_groups_are_read_in_order(tmp_path: Path) -> None:
    path = tmp_path / "ABC_2021-03-01.parquet"
    pq.write_table(table(), path, row_group_size=1)
    assert_the_three_rows(dict(fetch(tmp_path).columns))


def test_other_columns_are_ignored_and_told(tmp_path: Path) -> None:
    parquet(tmp_path, table().append_column("aggressor", pa.array([0, 0, 0])))
    fetched = fetch(tmp_path)
    assert_the_three_rows(dict(fetched.columns))
    assert fetched.notes == {"ignored_columns": "aggressor"}


def test_rows_of_another_date_are_kept_for_validation(tmp_path: Path) -> None:
    other = dt.date(2021, 3, 2)
    parquet(tmp_path, table(date=pa.array([DATE, other, DATE])))
    assert fetch(tmp_path).columns["date"].tolist() == [DATE, other, DATE]


def test_wrong_values_that_the_arrays_can_hold_pass_unchanged(tmp_path: Path) -> None:
    parquet(
        tmp_path,
        table(last=pa.array([-1.0, float("inf"), 0.0]), time=pa.array([-5, 90_000_000_000, 3], pa.int64())),
    )
    columns = fetch(tmp_path).columns
    assert columns["last"].tolist() == [-1.0, float("inf"), 0.0]
    assert columns["time"].tolist() == [-5, 90_000_000_000, 3]


def test_csv_columns_may_come_in_any_order_with_a_byte_order_mark(tmp_path: Path) -> None:
    names = list(reversed(TYPES))
    lines = [",".join(names), *(",".join(str(ROWS[name][n]) for name in names) for n in range(3))]
    path = csv_file(tmp_path, lines)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert_the_three_rows(dict(fetch(tmp_path).columns))


# -- nulls ---------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["parquet", "csv"])
def test_null_prices_dates_times_and_codes_become_values_that_validation_knows(tmp_path: Path, form: str) -> None:
    holes = {
        "last": pa.array([None, 1.53, 1.54]),
        "bid": pa.array([1.0, None, 1.0]),
        "ask": pa.array([1.0, 1.0, None]),
        "date": pa.array([DATE, None, DATE]),
        "time": pa.array([1, 2, None], pa.int64()),
        "cond2": pa.array([None, None, 0], pa.uint8()),
    }
    if form == "parquet":
        parquet(tmp_path, table(**holes))
    else:
        path = tmp_path / "ABC_2021-03-01.csv"
        pa.csv.write_csv(table(**holes), path)
    fetched = fetch(tmp_path)
    columns = fetched.columns
    assert np.isnan(columns["last"]).tolist() == [True, False, False]
    assert np.isnan(columns["bid"]).tolist() == [False, True, False]
    assert np.isnan(columns["ask"]).tolist() == [False, False, True]
    assert np.isnat(columns["date"]).tolist() == [False, True, False]
    assert columns["time"].tolist() == [1, 2, -1]
    assert columns["cond2"].tolist() == [0, 0, 0]
    assert set(fetched.notes) == {"null_last", "null_date", "null_time", "null_cond2"}
    assert fetched.notes["null_cond2"].startswith("2 nulls")


@pytest.mark.parametrize("name", ["tick_id", "last_sz", "last_type", "mkt_ctr", "tot_vlm"])
def test_a_null_that_no_value_can_stand_for_names_column_and_row(tmp_path: Path, name: str) -> None:
    holes = [ROWS[name][0], None, None]
    path = parquet(tmp_path, table(**{name: pa.array(holes, TYPES[name])}))
    with pytest.raises(SourceFileError, match=f"{name}, row 2: null.*2 such values") as caught:
        fetch(tmp_path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["tick_id", "last_sz", "last_type", "mkt_ctr", "tot_vlm"])
def test_an_empty_csv_field_names_column_and_line(tmp_path: Path, name: str) -> None:
    lines = csv_lines()
    fields = lines[2].split(",")
    fields[list(TYPES).index(name)] = ""
    lines[2] = ",".join(fields)
    csv_file(tmp_path, lines)
    with pytest.raises(SourceFileError, match=f"column {name}, line 3: null"):
        fetch(tmp_path)


# -- bad files -----------------------------------------------------------------------------

REFUSED: dict[str, tuple[str, pa.Array, str]] = {
    "sizes as floats": ("last_sz", pa.array([1.0, 2.0, 3.0]), "column last_sz has type double"),
    "prices as float32": ("last", pa.array([1.0, 2.0, 3.0], pa.float32()), "column last has type float.*float32"),
    "prices as text": ("bid", pa.array(["1", "2", "3"]), "column bid has type string"),
    "ids as text": ("tick_id", pa.array(["1", "2", "3"]), "column tick_id has type string"),
    "basis as number": ("last_type", pa.array([67, 67, 67]), "column last_type has type int64"),
    "dates as numbers": ("date", pa.array([20210301] * 3), "column date has type int64"),
    "negative size": ("last_sz", pa.array([1, -2, -3]), r"column last_sz, row 2: -2 does not fit uint64 \(2 such"),
    "code beyond a byte": ("cond3", pa.array([0, 0, 256]), "column cond3, row 3: 256 does not fit uint8"),
    "time beyond int64": ("time", pa.array([1, 2, 2**63], pa.uint64()), "column time, row 3: 9223372036854775808"),
    "price not exact": ("last", pa.array([1, 2**53 + 1, 3]), "column last: not exact as float64"),
    "no such date": ("date", pa.array(["2021-03-01", "2021-02-30", "x"]), "column date, row 2: '2021-02-30' is no"),
    "date with time": (
        "date",
        pa.array([0, 86_400_000_001, 0], pa.timestamp("us")),
        "column date, row 2: 1970-01-02.*time of day",
    ),
    "date in a zone": ("date", pa.array([0, 0, 0], pa.timestamp("us", "UTC")), "column date has type timestamp"),
    "two letters": ("last_type", pa.array(["C", "C", "CE"]), "column last_type, row 3: 'CE' is not one letter"),
    "no letter": ("last_type", pa.array(["C", "", "C"]), "column last_type, row 2: '' is not one letter"),
    "zero byte": ("last_type", pa.array([b"C", b"\0", b"C"]), "column last_type, row 2: byte 0x00"),
    "nanoseconds": ("time", pa.array([1, 2, 3], pa.duration("ns")), "column time: finer than microseconds"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_the_arrays_cannot_hold_is_refused(tmp_path: Path, case: str) -> None:
    name, values, message = REFUSED[case]
    path = parquet(tmp_path, table(**{name: values}))
    with pytest.raises(SourceFileError, match=message) as caught:
        fetch(tmp_path)
    assert str(caught.value).startswith(str(path))
    assert not caught.value.retryable


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    parquet(tmp_path, table().drop_columns(["tot_vlm", "ask"]))
    with pytest.raises(SourceFileError, match="missing columns tot_vlm, ask"):
        fetch(tmp_path)


def test_a_column_named_twice_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path, table().append_column("last", pa.array([1.0, 2.0, 3.0])))
    with pytest.raises(SourceFileError, match="named twice: last"):
        fetch(tmp_path)
    lines = csv_lines()
    csv_file(tmp_path, [f"{line},{end}" for line, end in zip(lines, ["last", "1", "2", "3"], strict=True)])
    (tmp_path / TREE).unlink()
    with pytest.raises(SourceFileError, match="named twice: last"):
        fetch(tmp_path)


@pytest.mark.parametrize("keep", [2, 100, -1, -5, -200])
def test_a_truncated_parquet_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = parquet(tmp_path)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SourceFileError, match="cut short or damaged"):
        fetch(tmp_path)


def test_a_parquet_file_with_damaged_pages_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "ABC_2021-03-01.parquet"
    big = pa.concat_tables([table()] * 2_000)
    pq.write_table(big, path, compression="zstd")
    content = bytearray(path.read_bytes())
    content[200:1200] = bytes(1000)
    path.write_bytes(content)
    with pytest.raises(SourceFileError, match=str(path)):
        fetch(tmp_path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_an_empty_file_is_refused(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"ABC_2021-03-01{suffix}").touch()
    with pytest.raises(SourceFileError, match="the file is empty"):
        fetch(tmp_path)


def test_a_file_with_columns_and_no_rows_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path, table().slice(0, 0))
    with pytest.raises(SourceFileError, match="no rows"):
        fetch(tmp_path)
    (tmp_path / TREE).unlink()
    csv_file(tmp_path, csv_lines()[:1])
    with pytest.raises(SourceFileError, match="no rows"):
        fetch(tmp_path)


def replaced(line: int, column: str, text: str) -> list[str]:
    lines = csv_lines()
    fields = lines[line - 1].split(",")
    fields[list(TYPES).index(column)] = text
    lines[line - 1] = ",".join(fields)
    return lines


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (replaced(3, "last_sz", "many"), "column last_sz: line 3: .*'many'"),
        (replaced(4, "cond1", "256"), "column cond1: line 4: .*'256'"),
        (replaced(2, "last", "1,5"), "line 2: Expected 14 columns, got 15"),
        (replaced(2, "date", "01/03/2021"), "column date: line 2"),
        (replaced(2, "time", "09:30:00"), "column time: line 2"),
        (replaced(4, "last_type", "CE"), "column last_type, line 4: b?'CE' is not one letter"),
        (replaced(3, "tick_id", "1.0"), "column tick_id: line 3"),
        (replaced(3, "bid", "NULL"), "column bid: line 3"),
        ([*csv_lines()[:3], "1,2021-03-01"], "line 4: Expected 14 columns, got 2"),
        ([*csv_lines()[:2], "", *csv_lines()[2:]], "column tick_id, line 3: null"),
        (csv_lines()[1:], "missing columns tick_id"),
    ],
)
@pytest.mark.parametrize("suffix", [".csv", ".csv.gz"])
def test_a_malformed_csv_file_names_column_and_line(
    tmp_path: Path, lines: list[str], message: str, suffix: str
) -> None:
    path = csv_file(tmp_path, lines, f"ABC_2021-03-01{suffix}")
    with pytest.raises(SourceFileError, match=message) as caught:
        fetch(tmp_path)
    assert str(caught.value).startswith(str(path))


@pytest.mark.parametrize("keep", [5, 40, -6])
def test_a_truncated_gzip_file_is_refused(tmp_path: Path, keep: int) -> None:
    path = csv_file(tmp_path, csv_lines(), "ABC_2021-03-01.csv.gz")
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(SourceFileError, match=r"ABC_2021-03-01\.csv\.gz"):
        fetch(tmp_path)


def test_two_files_of_one_symbol_and_date_are_refused(tmp_path: Path) -> None:
    parquet(tmp_path)
    csv_file(tmp_path, csv_lines())
    with pytest.raises(SourceFileError, match="more than one file"):
        fetch(tmp_path)


def test_a_missing_date_names_the_paths_tried(tmp_path: Path) -> None:
    parquet(tmp_path)
    with pytest.raises(NoDataError, match=r"symbol=ABC/date=2021-03-02 or .*ABC_2021-03-02 with \.parquet"):
        FilesSource(tmp_path).fetch_ticks("ABC", dt.date(2021, 3, 2))


@pytest.mark.parametrize("symbol", ["XYZ", "../ABC", "abc"])
def test_a_symbol_without_any_file_is_unknown(tmp_path: Path, symbol: str) -> None:
    parquet(tmp_path)
    with pytest.raises(UnknownSymbolError):
        FilesSource(tmp_path).fetch_ticks(symbol, DATE)


def test_a_missing_folder_says_which_setting_to_change(tmp_path: Path) -> None:
    source = FilesSource(tmp_path / "nowhere")
    for ask in (source.check, source.symbols, lambda: source.fetch_ticks("ABC", DATE), lambda: source.kind):
        with pytest.raises(SourceFileError, match=r"nowhere.*FUZZY_FILES__PATH"):
            ask()


def test_a_folder_without_tick_files_fails_the_check(tmp_path: Path) -> None:
    with pytest.raises(SourceFileError, match="no tick files"):
        FilesSource(tmp_path).check()


def test_a_date_that_does_not_exist_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path, name="ABC_2021-02-30.parquet")
    with pytest.raises(SourceFileError, match=r"ABC_2021-02-30\.parquet: 2021-02-30 is no date"):
        FilesSource(tmp_path).dates("ABC")


def test_a_single_file_must_tell_symbol_and_date(tmp_path: Path) -> None:
    path = parquet(tmp_path, name="ticks.parquet")
    with pytest.raises(SourceFileError, match="the name tells no symbol and date"):
        FilesSource(path).symbols()


# -- kinds ---------------------------------------------------------------------------------


def test_metadata_makes_a_folder_simulated(tmp_path: Path) -> None:
    parquet(tmp_path, table().replace_schema_metadata({"kind": "simulated"}))
    source = FilesSource(tmp_path)
    assert source.kind == "simulated"
    assert source.fetch_ticks("ABC", DATE).kind == "simulated"


def test_a_kind_file_speaks_for_csv_files(tmp_path: Path) -> None:
    path = csv_file(tmp_path, csv_lines(), "ABC_2021-03-01.csv")
    (tmp_path / "_KIND").write_text("simulated\n")
    assert fetch(tmp_path).kind == "simulated"
    assert FilesSource(path).kind == "simulated"


def test_kinds_are_never_mixed_in_a_folder(tmp_path: Path) -> None:
    parquet(tmp_path, table().replace_schema_metadata({"kind": "simulated"}), "ABC_2021-02-26.parquet")
    real = parquet(tmp_path)
    with pytest.raises(SourceFileError, match=r"holds real ticks, the source .* is simulated") as caught:
        fetch(tmp_path)
    assert str(caught.value).startswith(str(real))


def test_a_kind_file_does_not_relabel_simulated_ticks(tmp_path: Path) -> None:
    parquet(tmp_path, table().replace_schema_metadata({"kind": "simulated"}))
    (tmp_path / "_KIND").write_text("real")
    with pytest.raises(SourceFileError, match="holds simulated ticks"):
        fetch(tmp_path)


def test_another_word_for_the_kind_is_refused(tmp_path: Path) -> None:
    parquet(tmp_path)
    (tmp_path / "_KIND").write_text("fake")
    with pytest.raises(SourceFileError, match="_KIND: kind 'fake'"):
        fetch(tmp_path)


def test_a_damaged_file_does_not_hide_the_kind_of_the_others(tmp_path: Path) -> None:
    (tmp_path / "AAA_2021-03-01.parquet").write_bytes(b"PAR1 nonsense")
    parquet(tmp_path, table().replace_schema_metadata({"kind": "simulated"}))
    assert fetch(tmp_path).kind == "simulated"


# -- writing -------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["real", "simulated"])
def test_written_ticks_are_read_back_unchanged(tmp_path: Path, kind: Any) -> None:
    parquet(tmp_path / "in")
    columns = dict(fetch(tmp_path / "in").columns)
    columns["bid"] = np.array([1.56, np.nan, 1.53])
    write_ticks(tmp_path / "out" / TREE, columns, kind)
    again = fetch(tmp_path / "out")
    assert again.kind == kind
    for name, array in columns.items():
        np.testing.assert_array_equal(again.columns[name], array)
    assert [path.name for path in (tmp_path / "out" / "symbol=ABC").iterdir()] == ["date=2021-03-01.parquet"]


def test_only_the_fourteen_columns_are_written(tmp_path: Path) -> None:
    parquet(tmp_path)
    columns = dict(fetch(tmp_path).columns)
    with pytest.raises(SchemaError, match=r"out\.parquet.*missing columns \['ask'\]"):
        write_ticks(tmp_path / "out.parquet", {name: columns[name] for name in columns if name != "ask"}, "real")
    with pytest.raises(SourceFileError, match=r"end the name in \.parquet"):
        write_ticks(tmp_path / "out.csv", columns, "real")
    (tmp_path / "file").touch()
    with pytest.raises(SourceFileError, match="cannot be written"):
        write_ticks(tmp_path / "file" / "out.parquet", columns, "real")


def test_a_changed_byte_in_a_written_file_is_noticed(tmp_path: Path) -> None:
    """Without checksums a flipped bit in a page can decode to another price."""
    parquet(tmp_path / "in")
    path = tmp_path / TREE
    write_ticks(path, fetch(tmp_path / "in").columns, "real")
    content = bytearray(path.read_bytes())
    metadata = pq.read_metadata(path)
    last = metadata.row_group(0).column(3)
    assert last.path_in_schema == "last"
    content[last.data_page_offset + last.total_compressed_size // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(SourceFileError, match="CRC"):
        fetch(tmp_path)


# -- real files ----------------------------------------------------------------------------


@pytest.mark.real_data
def test_every_real_file_has_the_rows_of_the_manifest(shared_data: Path) -> None:
    manifest = json.loads((shared_data / "manifest.json").read_text())
    expected = {item["file"]: item["rows"] for item in manifest["files"] if item["file"].startswith("ticks/")}
    source = FilesSource(shared_data / "ticks")
    found = {}
    for symbol in source.symbols():
        for date in source.dates(symbol):
            fetched = source.fetch_ticks(symbol, date)
            check_arrays(RAW_TICKS, fetched.columns, fetched.detail, key_columns=True)
            assert set(fetched.columns["date"].tolist()) == {date}
            found[str(Path(fetched.detail).relative_to(shared_data))] = len(fetched.columns["time"])
    assert found == expected
    assert len(found) == 14
    assert source.kind == "real"

"""The optional file of daily bars beside tick files: what is read, and every way it can be bad."""

from __future__ import annotations

import datetime as dt
import gzip
import itertools
import os
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuzzy_pipeline.errors import SourceFileError
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.sources.daily_bar_file import DAILY_BAR_FILES
from fuzzy_pipeline.sources.files import FilesSource

DATE = dt.date(2021, 3, 1)
HEADER = "symbol,date,open,high,low,close,volume"
LINES = (
    "ABC,2021-02-26,9,9.5,8.5,9.25,100",
    "ABC,2021-03-01,10,10.5,9.75,10.25,12345",
    "XYZ,2021-03-01,20,21,19,20.5,2",
)
ABC = SourceDailyBar(open=10.0, high=10.5, low=9.75, close=10.25, volume=12_345)
COLUMNS: dict[str, list[Any]] = {
    "symbol": ["ABC"], "date": [DATE], "open": [10.0], "high": [10.5], "low": [9.75], "close": [10.25],
    "volume": [12_345],
}  # fmt: skip


def write(folder: Path, *lines: str, header: str = HEADER, name: str = "daily_bars.csv") -> Path:
    path = folder / name
    text = "\n".join((header, *lines)) + "\n"
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def write_parquet(folder: Path, **replaced: Any) -> None:
    pq.write_table(pa.table(COLUMNS | replaced), folder / "daily_bars.parquet")


def bar(folder: Path, symbol: str = "ABC", date: dt.date = DATE) -> SourceDailyBar | None:
    return FilesSource(folder).daily_bar(symbol, date)


# -- what is found and read --------------------------------------------------------------


@pytest.mark.parametrize("name", ["daily_bars.csv", "daily_bars.csv.gz"])
def test_the_row_of_the_symbol_and_date_is_its_bar(tmp_path: Path, name: str) -> None:
    write(tmp_path, *LINES, name=name)
    assert bar(tmp_path) == ABC
    assert bar(tmp_path, "XYZ") == SourceDailyBar(20.0, 21.0, 19.0, 20.5, 2)
    assert bar(tmp_path, date=dt.date(2021, 2, 26)) == SourceDailyBar(9.0, 9.5, 8.5, 9.25, 100)


def test_without_a_file_or_a_row_there_is_no_bar(tmp_path: Path) -> None:
    assert bar(tmp_path) is None
    write(tmp_path, *LINES)
    assert bar(tmp_path, "NOPE") is None
    assert bar(tmp_path, "XYZ", dt.date(2021, 2, 26)) is None


def test_columns_may_be_in_any_order_and_others_are_ignored(tmp_path: Path) -> None:
    header = "vendor,volume,close,low,high,open,date,symbol"
    write(tmp_path, "x,12345,10.25,9.75,10.5,10,2021-03-01,ABC", header=header)
    assert bar(tmp_path) == ABC


@pytest.mark.parametrize(
    "replaced",
    [
        {},
        {"date": ["2021-03-01"]},
        {"date": pa.array([DATE], pa.date64())},
        {"date": pa.array([dt.datetime(2021, 3, 1)], pa.timestamp("ns"))},  # noqa: DTZ001
        {"volume": [12_345.0]},
        {"volume": pa.array([12_345], pa.uint64())},
        {"symbol": pa.array(["ABC"]).dictionary_encode()},
        {"close": pa.array([10.25], pa.float32()), "extra": [1]},
    ],
    ids=itertools.count(),
)
def test_parquet_types_may_vary_where_no_value_changes(tmp_path: Path, replaced: dict[str, Any]) -> None:
    write_parquet(tmp_path, **replaced)
    assert bar(tmp_path) == ABC


def test_the_file_lies_beside_a_single_tick_file_too(tmp_path: Path) -> None:
    ticks = tmp_path / "ABC_2021-03-01.parquet"
    pq.write_table(pa.table({"last": [1.0]}), ticks)
    write(tmp_path, *LINES)
    assert bar(ticks) == ABC


def test_it_is_no_file_of_ticks(tmp_path: Path) -> None:
    write(tmp_path, *LINES)
    assert FilesSource(tmp_path).symbols() == ()


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    path = write(tmp_path, *LINES)
    source = FilesSource(tmp_path)
    assert source.daily_bar("ABC", DATE) == ABC
    write(tmp_path, LINES[1].replace("10.5", "10.6"))
    os.utime(path, ns=(1, 1))  # the clock of a file system may not tell two writes apart
    changed = source.daily_bar("ABC", DATE)
    assert changed is not None
    assert changed.high == 10.6
    path.unlink()
    assert source.daily_bar("ABC", DATE) is None


# -- what is refused ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lines", "header", "text"),
    [
        ((LINES[1], LINES[1]), HEADER, "2 rows of ABC 2021-03-01"),
        (("ABC,2021-03-01,10,,9.75,10.25,",), HEADER, "ABC 2021-03-01 has no high, volume"),
        (("ABC,2021-03-01,10,x,9.75,10.25,1",), HEADER, "'x'"),
        (("ABC,2021-03-01,10,10.5,9.75,10.25,1.5",), HEADER, "1.5"),
        (("ABC,1 March 2021,10,10.5,9.75,10.25,1",), HEADER, "1 March 2021"),
        (("ABC,2021-03-01,10,10.5,9.75,10.25",), HEADER.removesuffix(",volume"), "volume"),
        (("ABC,2021-03-01,10,10.5",), HEADER, "Expected 7 columns"),
    ],
)
def test_what_cannot_be_one_bar_is_refused_by_name(
    tmp_path: Path, lines: tuple[str, ...], header: str, text: str
) -> None:
    path = write(tmp_path, *lines, header=header)
    with pytest.raises(SourceFileError) as error:
        bar(tmp_path)
    assert str(path) in str(error.value)
    assert text in str(error.value)


@pytest.mark.parametrize(
    ("replaced", "text"),
    [
        ({"volume": [1.5]}, "truncated"),
        ({"date": pa.array([dt.datetime(2021, 3, 1, 9)], pa.timestamp("ns"))}, "times of day"),  # noqa: DTZ001
        ({"date": pa.array([dt.datetime(2021, 3, 1)], pa.timestamp("ns", "UTC"))}, "a zone"),  # noqa: DTZ001
        ({"open": [None]}, "ABC 2021-03-01 has no open"),
    ],
    ids=itertools.count(),
)
def test_parquet_values_that_would_change_are_refused(tmp_path: Path, replaced: dict[str, Any], text: str) -> None:
    write_parquet(tmp_path, **replaced)
    with pytest.raises(SourceFileError, match=text):
        bar(tmp_path)


def test_a_parquet_file_without_a_column_or_cut_short_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "daily_bars.parquet"
    pq.write_table(pa.table(COLUMNS).drop_columns(["low", "close"]), path)
    with pytest.raises(SourceFileError, match="missing columns low, close"):
        bar(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(SourceFileError, match=r"daily_bars\.parquet: not readable"):
        bar(tmp_path)


def test_two_files_are_refused_even_when_they_agree(tmp_path: Path) -> None:
    write(tmp_path, *LINES)
    write_parquet(tmp_path)
    with pytest.raises(SourceFileError, match="keep one"):
        bar(tmp_path)
    assert len(DAILY_BAR_FILES) == 3


def test_a_folder_that_is_not_there_is_an_error_and_not_a_source_without_bars(tmp_path: Path) -> None:
    with pytest.raises(SourceFileError, match="nowhere"):
        bar(tmp_path / "nowhere")

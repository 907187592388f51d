"""A tree of files that is brought up to date: resumed, never half, never mixed."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuzzy_pipeline.errors import CalendarError, NotStoredError, SchemaError, SettingsError, StoreError
from fuzzy_pipeline.query import DatesMissing, export_tree, get_bars, get_metadata
from fuzzy_pipeline.query.export import _WRITERS
from fuzzy_pipeline.schema.tables import BAR_TABLES, HEAVY_TABLES
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.store import Store
from tests.unit.query import simulated_store as sim
from tests.unit.query.hand_made import MONDAY, TUESDAY, WEDNESDAY, arrays_of, manifest_row

TIME_BARS = BAR_TABLES["time"]


@pytest.fixture
def store() -> Store:
    """Bars of AAPL and SPY on Monday and Tuesday: closes 1, 2 and 3, 4 and 5, 6 and 7, 8; content hash "c"."""
    made = memory_store("simulated", HEAVY_TABLES)
    put(made, "AAPL", MONDAY, [1, 2])
    put(made, "SPY", MONDAY, [3, 4])
    put(made, "AAPL", TUESDAY, [5, 6])
    put(made, "SPY", TUESDAY, [7, 8])
    return made


def put(store: Store, symbol: str, date: dt.date, close: list[float], content_hash: str = "c") -> None:
    """Two 1m bars, committed."""
    ends = minutes(date, len(close))
    bars = arrays_of(TIME_BARS, len(close), close=close, timestamp=ends, bar_start=ends)
    version = store.write(TIME_BARS, symbol, date, bars, {"ranges": {"1m": [0, len(close)]}})
    row = manifest_row(TIME_BARS.name, symbol, date, version, len(close))
    store.manifest.commit(TIME_BARS.name, date, [row.model_copy(update={"content_hash": content_hash})])


def minutes(date: dt.date, count: int) -> Any:
    """Instants a minute apart."""
    return np.datetime64(f"{date}T14:31", "ns") + np.arange(count) * np.timedelta64(60, "s")


def closes(tree: Path) -> dict[str, list[float]]:
    """Closes by partition."""
    files = sorted(tree.rglob("data.parquet"))
    return {"/".join(file.parts[-3:-1]): pq.ParquetFile(file).read()["close"].to_pylist() for file in files}


def others(tree: Path) -> set[str]:
    """Names of all files that are no data."""
    return {path.name for path in tree.rglob("*") if path.is_file() and path.name != "data.parquet"}


ALL = {
    "date=2025-11-24/symbol=AAPL": [1, 2],
    "date=2025-11-24/symbol=SPY": [3, 4],
    "date=2025-11-25/symbol=AAPL": [5, 6],
    "date=2025-11-25/symbol=SPY": [7, 8],
}
"""What ``store`` holds."""


@pytest.fixture
def die_at(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[int, BaseException], None]]:
    """Let the writer of Parquet write half of the n-th file and raise."""

    def arrange(which: int, error: BaseException) -> None:
        written, whole = [], _WRITERS["parquet"]

        def write(table: pa.Table, path: Path) -> None:
            written.append(path)
            whole(table, path)
            if len(written) == which:
                path.write_bytes(path.read_bytes()[:100])
                raise error

        monkeypatch.setitem(_WRITERS, "parquet", write)

    yield arrange
    monkeypatch.undo()


def test_every_committed_symbol_and_date_gets_a_file(store: Store, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = export_tree(
        "bars", tmp_path / "tree", store=store, progress=lambda done, total: seen.append((done, total))
    )
    assert closes(tmp_path / "tree") == ALL
    assert (len(report.written), report.unchanged, report.rows) == (4, 0, 8)
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_hive_readers_get_date_and_symbol_back(store: Store, tmp_path: Path) -> None:
    export_tree("bars", tmp_path / "tree", store=store)
    whole = pq.read_table(tmp_path / "tree", columns=["close", "date", "symbol"]).to_pylist()
    assert {(row["date"], row["symbol"], row["close"]) for row in whole if row["close"] in (1, 8)} == {
        ("2025-11-24", "AAPL", 1), ("2025-11-25", "SPY", 8),
    }  # fmt: skip


def test_what_has_not_changed_is_not_written_again(store: Store, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    first = export_tree("bars", tree, store=store)
    before = {file: file.stat().st_mtime_ns for file in first.written}
    again = export_tree("bars", tree, store=store)
    assert (again.written, again.unchanged) == ([], 4)
    assert {file: file.stat().st_mtime_ns for file in first.written} == before


def test_a_symbol_day_that_was_built_anew_is_written_again_alone(store: Store, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    export_tree("bars", tree, store=store)
    put(store, "SPY", MONDAY, [30, 40], content_hash="d")
    report = export_tree("bars", tree, store=store)
    assert [file.relative_to(tree).as_posix() for file in report.written] == ["date=2025-11-24/symbol=SPY/data.parquet"]
    assert closes(tree) == ALL | {"date=2025-11-24/symbol=SPY": [30, 40]}
    # The same content committed again is no change.
    put(store, "SPY", MONDAY, [30, 40], content_hash="d")
    assert export_tree("bars", tree, store=store).written == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(143), MemoryError()])
def test_an_export_killed_in_a_file_leaves_whole_files_and_the_next_one_goes_on(
    store: Store, tmp_path: Path, die_at: Callable[[int, BaseException], None], error: BaseException,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    tree = tmp_path / "tree"
    die_at(3, error)
    with pytest.raises(type(error)):
        export_tree("bars", tree, store=store)
    assert closes(tree) == dict(list(ALL.items())[:2])
    assert {name for name in others(tree) if name.endswith(".tmp")} == set()
    monkeypatch.undo()
    report = export_tree("bars", tree, store=store)
    assert (len(report.written), report.unchanged) == (2, 2)
    assert closes(tree) == ALL


def test_a_full_disk_keeps_the_old_file_of_a_partition(
    store: Store, tmp_path: Path, die_at: Callable[[int, BaseException], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = tmp_path / "tree"
    export_tree("bars", tree, store=store)
    put(store, "AAPL", MONDAY, [10, 20], content_hash="d")
    die_at(1, OSError(28, "No space left on device"))
    with pytest.raises(StoreError, match="no space left"):
        export_tree("bars", tree, store=store)
    assert closes(tree) == ALL
    monkeypatch.undo()
    assert len(export_tree("bars", tree, store=store).written) == 1
    assert closes(tree)["date=2025-11-24/symbol=AAPL"] == [10, 20]


def test_a_killed_process_leaves_a_temporary_file_that_the_next_export_removes(store: Store, tmp_path: Path) -> None:
    folder = tmp_path / "tree" / "date=2025-11-24" / "symbol=SPY"
    folder.mkdir(parents=True)
    (folder / ".data.parquet.1-abc.tmp").write_text("half")
    export_tree("bars", tmp_path / "tree", store=store)
    assert [path.name for path in folder.iterdir()] == ["data.parquet"]


def test_a_file_that_was_removed_or_cut_is_written_again(store: Store, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    first, second, *_ = export_tree("bars", tree, store=store).written
    first.unlink()
    second.write_bytes(second.read_bytes()[:-1])
    assert export_tree("bars", tree, store=store).written == [first, second]
    assert closes(tree) == ALL


def test_dates_and_symbols_limit_what_is_written_and_files_of_others_stay(store: Store, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    export_tree("bars", tree, MONDAY, symbols="spy", store=store)
    assert closes(tree) == {"date=2025-11-24/symbol=SPY": [3, 4]}
    export_tree("bars", tree, TUESDAY, TUESDAY, ["AAPL"], store=store)
    assert list(closes(tree)) == ["date=2025-11-24/symbol=SPY", "date=2025-11-25/symbol=AAPL"]
    assert export_tree("bars", tree, store=store).unchanged == 2


def test_what_is_not_stored_is_left_out_and_named(store: Store, tmp_path: Path) -> None:
    with pytest.warns(DatesMissing, match="2025-11-26, 2025-11-24 KO, 2025-11-25 KO$") as warned:
        export_tree("bars", tmp_path / "tree", MONDAY, WEDNESDAY, "SPY,KO", store=store)
    assert warned[0].filename == __file__
    assert list(closes(tmp_path / "tree")) == ["date=2025-11-24/symbol=SPY", "date=2025-11-25/symbol=SPY"]
    with pytest.raises(NotStoredError, match="nothing of what is asked for"):
        export_tree("bars", tmp_path / "tree", WEDNESDAY, store=store)
    with pytest.raises(CalendarError, match="without start"):
        export_tree("bars", tmp_path / "tree", None, WEDNESDAY, store=store)


def test_symbol_days_without_the_series_fail_by_name_after_the_others_are_written(store: Store, tmp_path: Path) -> None:
    ends = minutes(TUESDAY, 1)
    version = store.write(
        TIME_BARS, "SPY", TUESDAY, arrays_of(TIME_BARS, 1, timestamp=ends, bar_start=ends), {"ranges": {"1h": [0, 1]}}
    )
    store.manifest.commit(TIME_BARS.name, TUESDAY, [manifest_row(TIME_BARS.name, "SPY", TUESDAY, version, 1)])
    with pytest.raises(NotStoredError) as caught:
        export_tree("bars", tmp_path / "tree", store=store)
    first, second = str(caught.value).splitlines()
    assert first == "1 of 4 partitions cannot be made, 3 were written:"
    assert second.startswith("SPY 2025-11-25: 1m time bars were not built; there are 1h")
    assert closes(tmp_path / "tree") == {name: ALL[name] for name in list(ALL)[:3]}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"parameter": "2m"}, "parameter 1m"),
        ({"columns": ["close"]}, "columns None"),
        ({"file_format": "csv"}, "format parquet"),
        ({"decode": True}, "decode False"),
    ],
)
def test_a_folder_holds_one_kind_of_export(store: Store, tmp_path: Path, options: Any, says: str) -> None:
    export_tree("bars", tmp_path / "tree", store=store)
    with pytest.raises(SettingsError, match=f"holds another export .*{says}"):
        export_tree("bars", tmp_path / "tree", store=store, **options)
    assert closes(tmp_path / "tree") == ALL


def test_real_and_simulated_data_do_not_share_a_folder(store: Store, tmp_path: Path) -> None:
    export_tree("bars", tmp_path / "tree", store=store)
    store.kind = "real"
    with pytest.raises(SettingsError, match="kind simulated"):
        export_tree("bars", tmp_path / "tree", store=store)


def test_an_export_that_wrote_nothing_does_not_bind_the_folder(store: Store, tmp_path: Path) -> None:
    with pytest.raises(NotStoredError, match="4 of 4"):
        export_tree("bars", tmp_path / "tree", parameter="7s", store=store)
    export_tree("bars", tmp_path / "tree", store=store)
    assert closes(tmp_path / "tree") == ALL


def test_the_columns_are_documented_in_the_folder_and_in_the_files(store: Store, tmp_path: Path) -> None:
    export_tree("bars", tmp_path / "tree", columns=["close", "volume"], store=store)
    record = json.loads((tmp_path / "tree" / "_export.json").read_text())
    assert record["export"]["table"] == "time_bars"
    close = TIME_BARS.column("close")
    assert record["columns"][1] == {"name": "close", "type": "double", "unit": "USD", "description": close.description}
    assert [column["name"] for column in record["columns"]] == ["timestamp", "close", "volume"]
    one = record["partitions"]["date=2025-11-24/symbol=SPY"]
    assert (one["content_hash"], one["rows"]) == ("c", 2)
    field = pq.ParquetFile(next((tmp_path / "tree").rglob("data.parquet"))).schema_arrow.field("close")
    assert field.metadata[b"unit"] == b"USD"


def test_a_damaged_record_is_told_and_the_way_out(store: Store, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    export_tree("bars", tree, store=store)
    (tree / "_export.json").write_text("{")
    with pytest.raises(StoreError, match=r"_export\.json is no record of an export .* remove it"):
        export_tree("bars", tree, store=store)
    (tree / "_export.json").unlink()
    assert len(export_tree("bars", tree, store=store).written) == 4


def test_csv_has_offsets(store: Store, tmp_path: Path) -> None:
    report = export_tree("bars", tmp_path, MONDAY, symbols="SPY", columns=["close"], file_format="csv", store=store)
    assert [file.name for file in report.written] == ["data.csv"]
    assert report.written[0].read_text().splitlines() == [
        "timestamp,close", "2025-11-24 09:31:00-05:00,3.0", "2025-11-24 09:32:00-05:00,4.0",
    ]  # fmt: skip


def test_contents_are_those_of_the_reading_api(simulated: Settings, tmp_path: Path) -> None:
    for what in ("ticks", "raw_ticks", "metadata"):
        report = export_tree(what, tmp_path / what, settings=simulated)  # type: ignore[arg-type]
        assert len(report.written) == len(sim.DATES) * len(sim.STORED), what
    folder = f"date={sim.TUESDAY}/symbol=SPY/data.parquet"
    record = pq.ParquetFile(tmp_path / "metadata" / folder).read()
    expected = get_metadata("SPY", sim.TUESDAY, as_="arrow", settings=simulated).drop_columns(["date", "symbol"])
    assert record.equals(expected)
    export_tree("bars", tmp_path / "bars", sim.TUESDAY, parameter="7m", decode=True, settings=simulated)
    bars = pq.ParquetFile(tmp_path / "bars" / folder).read().to_pandas()
    whole = get_bars("SPY", sim.TUESDAY, parameter="7m", decode=True, settings=simulated)
    assert bars["close"].tolist() == whole["close"].tolist()
    assert set(bars["close_reason"]) == {"SESSION_END", "TIME"}  # 390 minutes are no multiple of 7


def test_fields_of_day_records_can_be_chosen(simulated: Settings, tmp_path: Path) -> None:
    report = export_tree("metadata", tmp_path / "days", columns=["basic_stats.vwap"], settings=simulated)
    assert pq.ParquetFile(report.written[0]).schema_arrow.names == ["basic_stats.vwap"]
    with pytest.raises(SchemaError, match=r"no field basic_stats\.vwop"):
        export_tree("metadata", tmp_path / "other", columns=["basic_stats.vwop"], settings=simulated)


def test_contents_that_do_not_exist_are_refused(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="'candles': there are ticks, raw_ticks, metadata, bars"):
        export_tree("candles", tmp_path, store=store)  # type: ignore[arg-type]

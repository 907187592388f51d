"""Files for other programs: whole or not there."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fuzzy_pipeline.errors import SettingsError, StoreError
from fuzzy_pipeline.query import export, get_bars, get_metadata
from fuzzy_pipeline.query.export import _WRITERS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store
from tests.unit.query import simulated_store as sim
from tests.unit.query.hand_made import MONDAY, TUESDAY


def test_parquet_keeps_instants_with_their_zone(store: Store, tmp_path: Path) -> None:
    export(get_bars("SPY", MONDAY, store=store), tmp_path / "bars.parquet")
    table = pq.read_table(tmp_path / "bars.parquet")
    assert table.schema.field("timestamp").type == pa.timestamp("ns", tz="America/New_York")
    assert table["close"].to_pylist() == [1, 2, 3]


def test_csv_has_offsets_and_empty_fields(store: Store, tmp_path: Path) -> None:
    columns = ["close", "theta", "date"]
    export(get_bars("SPY", MONDAY, columns=columns, as_="arrow", store=store), tmp_path / "bars.csv")
    lines = (tmp_path / "bars.csv").read_text().splitlines()
    assert lines[0] == "timestamp,close,theta,date"
    assert lines[1] == "2025-11-24 09:31:00-05:00,1.0,,2025-11-24"


def test_a_tree_has_a_file_per_date_and_symbol_without_these_columns(store: Store, tmp_path: Path) -> None:
    files = export(get_bars("SPY", MONDAY, TUESDAY, store=store), tmp_path / "tree", layout="hive")
    assert [file.relative_to(tmp_path / "tree").as_posix() for file in files] == [
        "date=2025-11-24/symbol=SPY/data.parquet",
        "date=2025-11-25/symbol=SPY/data.parquet",
    ]
    assert pq.ParquetFile(files[1]).read()["close"].to_pylist() == [4, 5]
    whole = pq.read_table(tmp_path / "tree", columns=["close", "date", "symbol"]).to_pylist()
    assert [row["close"] for row in whole] == [1, 2, 3, 4, 5]


def test_a_failing_write_leaves_the_old_file_and_nothing_else(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "bars.csv"
    target.write_text("old")

    def half(table: pa.Table, path: Path) -> None:
        path.write_text("half")
        raise OSError("disk gone")

    monkeypatch.setitem(_WRITERS, "csv", half)
    with pytest.raises(StoreError, match="disk gone"):
        export(get_bars("SPY", MONDAY, store=store), target)
    assert [path.name for path in tmp_path.iterdir()] == ["bars.csv"]
    assert target.read_text() == "old"


def test_day_records_can_be_written_in_both_formats(simulated: Settings, tmp_path: Path) -> None:
    days = get_metadata(settings=simulated)
    export(days, tmp_path / "days.csv")
    export(days, tmp_path / "days.parquet")
    export(get_metadata(as_="arrow", settings=simulated), tmp_path / "nested.parquet")
    assert pd.read_csv(tmp_path / "days.csv")["basic_stats.total_ticks"].tolist() == list(
        days["basic_stats.total_ticks"]
    )
    assert pq.read_table(tmp_path / "days.parquet").num_rows == len(sim.DATES) * len(sim.STORED)
    assert pa.types.is_list(pq.read_table(tmp_path / "nested.parquet").schema.field("intraday_evolution").type)


def test_the_suffix_must_say_the_format(store: Store, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"\.csv or \.parquet"):
        export(get_bars("SPY", MONDAY, store=store), tmp_path / "bars.xlsx")


def test_a_tree_needs_date_and_symbol(store: Store, tmp_path: Path) -> None:
    bars = get_bars("SPY", MONDAY, columns=["close"], store=store)
    with pytest.raises(SettingsError, match="needs the columns date, symbol"):
        export(bars, tmp_path / "tree", layout="hive")

"""``fuzzy export``."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from tests.unit.cli.conftest import Fuzzy
from tests.unit.query.simulated_store import TUESDAY


def test_a_tree_is_written_once(fuzzy: Fuzzy, tmp_path: Path) -> None:
    options = ("export", "bars", tmp_path / "tree", "--interval", "1h", "--from", TUESDAY, "--columns", "close,volume")
    assert "2 partitions written (14 rows), 0 unchanged" in fuzzy(*options).output
    file = tmp_path / "tree" / "date=2025-11-25" / "symbol=SPY" / "data.parquet"
    assert pq.ParquetFile(file).schema_arrow.names == ["timestamp", "close", "volume"]
    assert "0 partitions written (0 rows), 2 unchanged" in fuzzy(*options).output


def test_day_records_go_to_csv(fuzzy: Fuzzy, tmp_path: Path) -> None:
    result = fuzzy("export", "metadata", tmp_path / "days", "--format", "csv", "--symbols", "SPY")
    assert "3 partitions written (3 rows)" in result.output
    assert len(list((tmp_path / "days").rglob("data.csv"))) == 3


def test_symbols_that_are_not_stored_are_noted(fuzzy: Fuzzy, tmp_path: Path) -> None:
    result = fuzzy(
        "export", "ticks", tmp_path / "ticks", "--from", TUESDAY, "--symbols", "SPY,KO", "--columns", "price"
    )
    assert result.exit_code == 0
    assert "note: enriched_ticks: left out what is not stored: 2025-11-25 KO" in result.stderr


def test_another_export_in_the_folder_is_an_error(fuzzy: Fuzzy, tmp_path: Path) -> None:
    fuzzy("export", "metadata", tmp_path / "tree")
    result = fuzzy("export", "raw_ticks", tmp_path / "tree")
    assert result.exit_code == 1
    assert "holds another export (table day_metadata_phase1" in result.stderr

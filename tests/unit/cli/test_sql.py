"""``fuzzy sql`` and ``fuzzy find``."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from fuzzy_pipeline.query import find_days, get_metadata
from fuzzy_pipeline.settings import Settings
from tests.unit.cli.conftest import Fuzzy
from tests.unit.query.simulated_store import DATES, HALF_DAY, TUESDAY


def test_a_result_is_printed_with_its_number_of_rows(fuzzy: Fuzzy) -> None:
    result = fuzzy(
        "sql", "SELECT date, symbol, 1234567 AS n, 0.5 AS half, NULL AS gone FROM day_metadata_phase1 ORDER BY ALL"
    )
    assert result.exit_code == 0, result.output
    assert "Result: 6 rows" in result.output
    assert "│ 2025-11-25 │ AAPL   │ 1,234,567 │  0.5 │" in result.output


def test_only_the_first_rows_are_printed_and_that_is_said(fuzzy: Fuzzy) -> None:
    result = fuzzy("sql", "SELECT i FROM range(30) AS r(i)", "--limit", "2")
    assert "the first 2 of 30 rows" in result.output
    assert "│ 2 │" not in result.output


def test_bars_are_asked_for_inside_the_query(fuzzy: Fuzzy) -> None:
    call = "bars('SPY', '2025-11-25', '2025-12-01', 'time', '1h')"
    result = fuzzy("sql", f"SELECT date, count(*) AS bars FROM {call} GROUP BY date ORDER BY date")
    assert "2025-11-28 │    4 │" in result.output  # the half day
    assert "left out 1 of 4 dates that are not stored: 2025-12-01" in result.stderr


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("COPY (SELECT 1) TO 'x.csv'", "error: SQL is read-only"),
        ("SELECT * FROM read_csv('/etc/passwd')", "error: SQL is read-only: read_csv() is not run"),
        ("FROM days", "error: SQL: Catalog Error: Table with name days does not exist!"),
    ],
)
def test_what_cannot_be_run_is_an_error_with_exit_code_1(fuzzy: Fuzzy, query: str, says: str) -> None:
    result = fuzzy("sql", query)
    assert result.exit_code == 1
    assert result.stderr.startswith(says)


def test_a_result_goes_to_a_file_whole(fuzzy: Fuzzy, tmp_path: Path) -> None:
    result = fuzzy("sql", "SELECT i FROM range(30) AS r(i)", "--export", tmp_path / "rows.csv", "--limit", "2")
    assert f"30 rows written to {tmp_path / 'rows.csv'}" in result.output
    assert pd.read_csv(tmp_path / "rows.csv")["i"].tolist() == list(range(30))


def test_days_are_found_printed_and_exported(fuzzy: Fuzzy, simulated: Settings, tmp_path: Path) -> None:
    shown = fuzzy("find", "basic_stats.vwap > 0", "--symbols", "spy", "--from", TUESDAY, "--to", HALF_DAY)
    assert f"Days: {len(DATES)} rows" in shown.output
    assert "basic_stats.vwap" in shown.output
    fuzzy("find", "basic_stats.vwap > 0", "--export", tmp_path / "days.csv")
    expected = find_days("basic_stats.vwap > 0", settings=simulated)
    assert len(expected) == len(get_metadata(settings=simulated))
    written = pd.read_csv(tmp_path / "days.csv", float_precision="round_trip")
    assert written["basic_stats.vwap"].tolist() == expected["basic_stats.vwap"].tolist()


def test_a_wrong_field_names_the_right_one(fuzzy: Fuzzy) -> None:
    result = fuzzy("find", "basic_stats.wvap > 0")
    assert result.exit_code == 1
    assert "no field basic_stats.wvap; did you mean basic_stats.vwap" in result.stderr

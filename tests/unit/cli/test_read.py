"""``fuzzy ticks``, ``bars`` and ``metadata``."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from fuzzy_pipeline.cli import console, read
from fuzzy_pipeline.query import get_bars, get_metadata, get_ticks
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.stores import stamp
from fuzzy_pipeline.stores.stamp import read_stamp
from tests.unit.cli.conftest import Fuzzy
from tests.unit.query.simulated_store import HALF_DAY, TUESDAY


def test_bars_are_printed_with_their_number(fuzzy: Fuzzy) -> None:
    result = fuzzy("bars", "spy", HALF_DAY, "--interval", "1h")
    assert result.exit_code == 0
    assert "SPY 2025-11-28, 1h bars: 4 rows" in result.output
    assert "11-28 13:00:00" in result.output


def test_only_the_first_rows_are_printed_and_that_is_said(fuzzy: Fuzzy) -> None:
    result = fuzzy("bars", "SPY", HALF_DAY, "--interval", "1h", "--limit", "2")
    assert "the first 2 of 4 rows" in result.output
    assert "11-28 13:00:00" not in result.output


def test_an_interval_that_no_stored_one_divides_names_those_that_are(fuzzy: Fuzzy) -> None:
    result = fuzzy("bars", "SPY", HALF_DAY, "--interval", "90s")
    assert result.exit_code == 1
    assert "1m, 5m, 1h, 1d" in result.stderr


def test_an_interval_that_was_not_built_is_made_of_one_that_was(fuzzy: Fuzzy) -> None:
    result = fuzzy("bars", "SPY", HALF_DAY, "--interval", "7m")
    assert result.exit_code == 0
    assert "SPY 2025-11-28, 7m bars: 30 rows" in result.stdout  # 210 minutes


def test_a_weekend_is_noted_and_the_friday_shown(fuzzy: Fuzzy) -> None:
    result = fuzzy("bars", "SPY", "2025-11-29", "--interval", "1d")
    assert result.stderr.startswith("note: 2025-11-29 is no trading date (a Saturday): using 2025-11-28")
    assert "SPY 2025-11-28, 1d bars: 1 rows" in result.stdout


def test_dates_of_a_range_that_are_missing_are_left_out_and_named(fuzzy: Fuzzy) -> None:
    result = fuzzy("bars", "SPY", TUESDAY, "--to", "2025-12-01", "--interval", "1d")
    assert "left out 1 of 4 dates that are not stored: 2025-12-01" in result.stderr
    assert "3 rows" in result.stdout


def test_a_date_that_is_not_stored_is_an_error(fuzzy: Fuzzy) -> None:
    result = fuzzy("ticks", "SPY", "2025-11-24")
    assert result.exit_code == 1
    assert "nothing is committed for 2025-11-24" in result.stderr


def test_all_bars_with_all_columns_are_exported(fuzzy: Fuzzy, simulated: Settings, tmp_path: Path) -> None:
    result = fuzzy("bars", "SPY", TUESDAY, "--export", tmp_path / "bars.csv")
    expected = get_bars("SPY", TUESDAY, settings=simulated)
    written = pd.read_csv(tmp_path / "bars.csv")
    assert f"{len(expected):,} rows written to {tmp_path / 'bars.csv'}" in result.output
    assert written["volume"].tolist() == expected["volume"].tolist()
    assert set(expected.columns) < set(written.columns)


def test_a_folder_gets_a_tree_of_parquet(fuzzy: Fuzzy, tmp_path: Path) -> None:
    fuzzy("ticks", "SPY", TUESDAY, "--columns", "price,size", "--export", tmp_path / "tree")
    file = tmp_path / "tree" / "date=2025-11-25" / "symbol=SPY" / "data.parquet"
    assert pq.ParquetFile(file).schema_arrow.names == ["timestamp", "price", "size"]


def test_ticks_show_names_instead_of_codes(fuzzy: Fuzzy, simulated: Settings) -> None:
    result = fuzzy("ticks", "SPY", TUESDAY, "--limit", "5")
    count = len(get_ticks("SPY", TUESDAY, columns=["price"], settings=simulated))
    assert f"SPY 2025-11-25, enriched ticks: {count:,} rows" in result.output
    assert "PRE" in result.output  # the simulated market opens at 04:00


def test_raw_ticks_show_the_feeds_own_fields(fuzzy: Fuzzy) -> None:
    result = fuzzy("ticks", "SPY", TUESDAY, "--table", "raw", "--columns", "tick_id,last_type")
    assert "raw ticks" in result.output
    assert "last_type" in result.output


def test_an_unknown_column_names_those_there_are(fuzzy: Fuzzy) -> None:
    result = fuzzy("ticks", "SPY", TUESDAY, "--columns", "prise")
    assert result.exit_code == 1
    assert "no column prise; it has timestamp, symbol, date, tick_id, price" in result.stderr


def test_a_plot_is_drawn_with_its_title_and_clock(fuzzy: Fuzzy) -> None:
    result = fuzzy("bars", "SPY", HALF_DAY, "--interval", "5m", "--plot")
    assert result.exit_code == 0
    assert "SPY 2025-11-28, 5m bars, close [USD]" in result.output
    assert "09:35" in result.output


def test_day_records_are_printed_and_exported(fuzzy: Fuzzy, simulated: Settings, tmp_path: Path) -> None:
    shown = fuzzy("metadata", "SPY")
    assert "Day records, phase 1, regular session: 3 rows" in shown.output
    fuzzy("metadata", "--from", TUESDAY, "--export", tmp_path / "days.parquet")
    fuzzy("metadata", "--from", TUESDAY, "--export", tmp_path / "days.csv")
    expected = get_metadata(None, TUESDAY, settings=simulated)["basic_stats.vwap"].tolist()
    assert pq.read_table(tmp_path / "days.parquet")["basic_stats.vwap"].to_pylist() == expected
    written = pd.read_csv(tmp_path / "days.csv", float_precision="round_trip")  # its default parser is off by a bit
    assert written["basic_stats.vwap"].tolist() == expected


def test_each_kind_of_day_record_can_be_asked_for(fuzzy: Fuzzy, tmp_path: Path) -> None:
    shown = fuzzy("metadata", "SPY", "--phase", "2")
    assert "Day records, phase 2, regular session: 3 rows" in shown.output
    assert "vpin" in shown.output
    shown = fuzzy("metadata", "SPY", "--phase", "baselines")
    (last,) = [line for line in shown.output.splitlines() if str(HALF_DAY) in line]
    assert [cell.strip() for cell in last.split("│")][2:5] == ["SPY", "2", str(TUESDAY)]
    fuzzy("metadata", "SPY", "--phase", "baselines", "--export", tmp_path / "usual.parquet")
    assert pq.read_table(tmp_path / "usual.parquet")["known_dates"].to_pylist() == [0, 1, 2]


SIMULATED = (
    ("ticks", "SPY", HALF_DAY, "--limit", "1"),
    ("bars", "SPY", HALF_DAY, "--interval", "1h"),
    ("bars", "SPY", HALF_DAY, "--interval", "5m", "--plot"),
    ("ticks", "SPY", HALF_DAY, "--plot"),
    ("bars", "SPY", HALF_DAY, "--export", "bars.csv"),
    ("metadata", "SPY"),
    ("metadata", "SPY", "--phase", "baselines"),
    ("metadata", "--export", "days.parquet"),
    ("rank", HALF_DAY),
    ("find", "basic_stats.vwap > 0"),
    ("sql", "SELECT symbol, basic_stats.vwap FROM day_metadata_phase1"),
    ("sql", "SELECT symbol FROM day_metadata_phase1", "--export", "symbols.csv"),
    ("export", "bars", "tree", "--interval", "1h"),
)


@pytest.mark.parametrize("call", SIMULATED, ids=lambda call: " ".join(map(str, call)))
def test_whatever_is_read_of_a_simulated_store_says_so(fuzzy: Fuzzy, call: tuple[object, ...]) -> None:
    result = fuzzy(*call)
    assert result.exit_code == 0, result.output
    assert result.stdout.count("(simulated)") == 1


def test_json_of_a_simulated_store_says_so(fuzzy: Fuzzy) -> None:
    assert json.loads(fuzzy("rank", HALF_DAY, "--json").stdout)["kind"] == "simulated"


def test_data_of_a_real_store_have_no_suffix(fuzzy: Fuzzy, monkeypatch: pytest.MonkeyPatch) -> None:
    real = read_stamp(load_settings().light_path).model_copy(update={"kind": "real"})
    monkeypatch.setattr(stamp, "read_stamp", lambda _: real)
    assert console.labelled("SPY 2025-11-28") == "SPY 2025-11-28"


@pytest.mark.parametrize(
    ("value", "shares", "shown"),
    [
        (9_183_043.0, True, "9,183,043"),
        (412.5, True, "412.5000"),
        (0.0, True, "0"),
        (float("nan"), True, ""),
        (9_183_043.0, False, "9,183,043.0000"),  # a price keeps its decimals in a column of prices
    ],
)
def test_whole_shares_have_no_decimals(value: float, shares: bool, shown: str) -> None:
    assert read._text(value, shares=shares) == shown


def test_baselines_show_whole_shares_without_decimals(fuzzy: Fuzzy, simulated: Settings) -> None:
    volume = get_metadata("SPY", phase="baselines", settings=simulated)["thresholds.daily_volume"].dropna()
    whole = [value for value in volume if value == int(value)]
    assert whole
    shown = fuzzy("metadata", "SPY", "--phase", "baselines").stdout
    for value in whole:
        assert f" {int(value):,} " in shown
        assert f"{int(value):,}.0" not in shown

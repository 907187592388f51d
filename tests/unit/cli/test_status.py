"""``fuzzy status``."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from fuzzy_pipeline.assets.partitions import last_partition_date
from fuzzy_pipeline.schedules import launch
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.stores.store import open_store
from fuzzy_pipeline.trading_calendar import now_eastern
from tests.unit.cli.conftest import Fuzzy
from tests.unit.query.simulated_store import EMPTY, WEDNESDAY


def _line(output: str, symbol: str) -> list[str]:
    line = next(line for line in output.splitlines() if symbol in line and "│" in line)
    return [cell.strip() for cell in line.strip("│").split("│")][1:]


def test_a_mark_per_symbol_and_date_with_counts_and_reasons(fuzzy: Fuzzy) -> None:
    result = fuzzy("status")
    assert result.exit_code == 0
    assert _line(result.output, "SPY") == ["M"] * 7 + ["C"] * 3  # ten dates up to 2025-11-28
    assert _line(result.output, EMPTY) == ["M"] * 7 + ["F", "M", "M"]
    assert "C complete: 6   S stale: 0   R retired: 0   P partial: 0   F failed: 1   M missing: 23" in result.output
    assert f"failed: 2025-11-25 {EMPTY} raw_ticks: NoDataError" in result.stderr


def test_it_says_that_the_data_are_simulated_and_what_the_market_does(fuzzy: Fuzzy) -> None:
    lines = fuzzy("status").stdout.splitlines()
    assert lines[0].startswith("store   SIMULATED data at ")
    assert lines[0].endswith("3 dates, 2025-11-25 to 2025-11-28")
    assert lines[1].startswith("market  ")


def test_dates_and_symbols_limit_what_is_shown(fuzzy: Fuzzy) -> None:
    result = fuzzy("status", "--from", "2025-11-26", "--to", "2025-12-01", "--symbols", "SPY,XOM")
    assert _line(result.output, "SPY") == ["C", "C", "M"]
    assert _line(result.output, "XOM") == ["M", "M", "M"]
    assert "AAPL" not in result.output


def test_a_home_without_runs_runs_nothing(fuzzy: Fuzzy) -> None:
    assert "no run was ever started in this home" in fuzzy("status").output


def test_swapped_dates_are_refused(fuzzy: Fuzzy) -> None:
    result = fuzzy("status", "--from", "2025-11-28", "--to", "2025-11-25")
    assert result.exit_code == 1
    assert "2025-11-28" in result.stderr


@pytest.fixture
def copied(fuzzy: Fuzzy, simulated: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The simulated store in another home, which the command finds."""
    shutil.copytree(simulated.home / "store", tmp_path / "copy" / "store")
    monkeypatch.setenv("FUZZY_HOME", str(tmp_path / "copy"))
    return load_settings()


def test_ticks_that_were_deleted_on_purpose_are_marked_and_their_day_is_not_missing(
    fuzzy: Fuzzy, copied: Settings
) -> None:
    store = open_store(copied)
    for table in (RAW_TICKS.name, ENRICHED_TICKS.name):
        rows = store.manifest.rows(table, [WEDNESDAY], ["SPY"])
        store.retired.add(WEDNESDAY, rows, now_eastern(), "too old")
        store.manifest.remove(table, WEDNESDAY, ["SPY"])
    store.close()
    result = fuzzy("status")
    assert _line(result.output, "SPY") == ["M"] * 7 + ["C", "R", "C"]
    assert "C complete: 5   S stale: 0   R retired: 1   P partial: 0" in result.output


def test_what_is_to_be_caught_up_is_told_in_a_line(
    fuzzy: Fuzzy, copied: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", "")  # put back after the test
    monkeypatch.setenv("DAGSTER_DISABLE_TELEMETRY", "1")
    launch.prepare_instance(copied)
    last = last_partition_date(dt.datetime.now(dt.UTC))
    monkeypatch.setenv("FUZZY_FIRST_DATE", last.isoformat())  # the only date to be looked at
    lines = fuzzy("status").stdout.splitlines()
    assert "running nothing" in lines
    assert lines[-1].startswith("to catch up  1 runs due (1 missing), about ")
    assert lines[-1].endswith(f"; next {last} missing")
    monkeypatch.setenv("FUZZY_CATCH_UP__LOOKBACK_DAYS", "1")
    monkeypatch.setenv("FUZZY_FIRST_DATE", (last + dt.timedelta(days=1)).isoformat())
    assert fuzzy("status").stdout.splitlines()[-1] == "to catch up  nothing is due"

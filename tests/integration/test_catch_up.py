"""``fuzzy catch-up`` through all assets: until the store is complete, or as often as the settings say."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fuzzy_pipeline.assets.partitions import last_partition_date
from fuzzy_pipeline.cli import app
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.steps.rank_symbols import rank_date
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.trading_calendar import trading_dates_before
from tests.unit.steps.simulated_dates import build

LAST = last_partition_date(dt.datetime.now(dt.UTC))
BEFORE = trading_dates_before(LAST, 1)[0]


def fuzzy(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def last_dates(home: Path, no_pictures: None, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home whose partitions are the last two dates, of which the first is complete."""
    for name, value in {
        "FUZZY_SYMBOLS": "AAA,BBB",
        "FUZZY_BARS__FAMILIES": '["time"]',
        "FUZZY_BARS__INTERVALS": '["5m"]',
        "FUZZY_FIRST_DATE": BEFORE.isoformat(),
        "COLUMNS": "200",
    }.items():
        monkeypatch.setenv(name, value)
    found = load_settings()
    build(found, BEFORE)
    rank_date(BEFORE, found)
    close_workbenches()
    return found


def committed(settings: Settings) -> set[tuple[str, str]]:
    return {(row.table, row.symbol) for row in workbench(settings).store.manifest.rows(dates=[LAST])}


def test_catching_up_makes_the_store_complete_and_then_nothing_is_due(last_dates: Settings) -> None:
    result = fuzzy("catch-up")
    assert result.exit_code == 0, result.output
    (line,) = [line for line in result.stdout.splitlines() if line.startswith(f"{LAST} missing: ")]
    assert line.startswith(f"{LAST} missing: done (")
    assert committed(last_dates) == {
        (table, symbol) for table in pipeline_tables(last_dates) for symbol in ("AAA", "BBB")
    }
    again = fuzzy("catch-up")
    assert (again.exit_code, again.stdout) == (0, "nothing is due\n")


def test_what_cannot_be_caught_up_is_tried_as_often_as_said_and_named(
    last_dates: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUZZY_SYMBOLS", "AAA,NONESUCH")  # the simulated market has no ticks of it
    monkeypatch.setenv("FUZZY_FIRST_DATE", LAST.isoformat())
    monkeypatch.setenv("FUZZY_CATCH_UP__TRIES", "1")
    result = fuzzy("catch-up")
    assert result.exit_code == 1
    assert f"{LAST} missing: failed: {LAST}: 1 of 2 symbols failed, 1 are stored\n" in result.stdout
    assert result.stdout.count("  NONESUCH: raw_ticks: NoDataError: ") == 1
    assert f"not all could be caught up: nothing is due; given up: {LAST} (NONESUCH) failed" in result.stderr
    assert (RAW_TICKS.name, "AAA") in committed(last_dates)

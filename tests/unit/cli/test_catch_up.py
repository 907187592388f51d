"""``fuzzy catch-up --plan``; that it carries the plan out is shown by ``tests/integration/test_catch_up.py``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from fuzzy_pipeline.assets.partitions import last_partition_date
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.rank_symbols import rank_date
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.trading_calendar import trading_dates_before
from tests.unit.cli.conftest import Fuzzy
from tests.unit.steps.simulated_dates import build

LAST = last_partition_date(dt.datetime.now(dt.UTC))
BEFORE = trading_dates_before(LAST, 1)[0]


@pytest.fixture
def home(empty: Fuzzy, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A home whose partitions are the last two dates, of which the first is complete."""
    for name, value in {
        "FUZZY_SYMBOLS": "AAA,BBB",
        "FUZZY_SIMULATOR__TICKS_PER_DAY": "500",
        "FUZZY_BARS__FAMILIES": '["time"]',
        "FUZZY_BARS__INTERVALS": '["5m"]',
        "FUZZY_ENGINE__KIND": "inline",
        "FUZZY_STORE__MAP_SIZE": "1GB",
        "FUZZY_FIRST_DATE": BEFORE.isoformat(),
        "DAGSTER_HOME": "",
        "DAGSTER_DISABLE_TELEMETRY": "1",
    }.items():
        monkeypatch.setenv(name, value)
    found = load_settings()
    build(found, BEFORE)
    rank_date(BEFORE, found)
    close_workbenches()
    yield found
    close_workbenches()


def test_the_plan_is_shown_and_nothing_is_run(empty: Fuzzy, home: Settings) -> None:
    result = empty("catch-up", "--plan")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("1 runs due (1 missing), about ")
    assert f"next {LAST} missing" in result.stdout
    (line,) = [line for line in result.stdout.splitlines() if str(LAST) in line and "│" in line]
    assert [cell.strip() for cell in line.strip("│").split("│")][:3] == [str(LAST), "all", "missing"]
    assert workbench(home).store.manifest.rows(dates=[LAST]) == []


def test_status_and_plan_say_that_the_folder_of_ticks_is_gone(
    empty: Fuzzy, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert empty("catch-up", "--plan").exit_code == 0  # from now on there is a Dagster instance to ask
    monkeypatch.setenv("FUZZY_SOURCE", "files")
    monkeypatch.setenv("FUZZY_FILES__PATH", "/unplugged/ticks")
    said = (
        "source cannot be asked: /unplugged/ticks: no such file or folder; set FUZZY_FILES__PATH to your tick files\n"
    )
    plan, status = empty("catch-up", "--plan"), empty("status")
    assert (plan.exit_code, plan.stdout) == (0, said)
    assert status.exit_code == 0, status.output
    assert status.stdout.endswith(f"\nto catch up  {said}")

"""What the web UI shows of a materialization, of its check, and of the schedules that start them."""

from __future__ import annotations

import datetime as dt
from typing import Any

import dagster as dg
import pytest
from dagster._utils.schedules import cron_string_iterator

from fuzzy_pipeline.assets.partitions import trading_date_partitions
from fuzzy_pipeline.assets.reports import materialization_metadata
from fuzzy_pipeline.assets.step_asset import STORED_CHECK, stored_check
from fuzzy_pipeline.engine import ItemFailure
from fuzzy_pipeline.schedules.after_close import after_close_schedule, nightly_job
from fuzzy_pipeline.schedules.store_care import store_care_schedule
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.rankings import PAIRS_TABLE, RANKINGS_TABLE
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.run_date import DateReport
from fuzzy_pipeline.steps.step import StepResult
from tests.unit.steps.planted_rows import WEDNESDAY, row

SETTINGS = Settings(_env_file=None)


def report_of(table: str, failed: str = "") -> DateReport:
    """Two symbols of ten rows in, computed in four seconds: five ticks a second."""
    rows = [row(table, symbol, WEDNESDAY) for symbol in ("AAA", "BBB")]
    report = DateReport((table,), WEDNESDAY, committed=[StepResult((made,)) for made in rows], seconds=4.0)
    if failed:
        report.fail(failed, ItemFailure("NoDataError", "no ticks", "Traceback"), (table,))
    return report


def shown(table: str) -> dict[str, Any]:
    return materialization_metadata(report_of(table), table, SETTINGS, None)


# -- a materialization ---------------------------------------------------------------


@pytest.mark.parametrize("table", [RAW_TICKS.name, ENRICHED_TICKS.name, "time_bars", PHASE1_TABLE])
def test_what_is_made_from_ticks_says_how_many_a_second(table: str) -> None:
    assert shown(table)["ticks_per_second"] == 5


@pytest.mark.parametrize("table", [BASELINES_TABLE, RANKINGS_TABLE, PAIRS_TABLE])
def test_what_is_not_made_from_ticks_says_nothing_of_ticks(table: str) -> None:
    assert "ticks_per_second" not in shown(table)


def test_rows_set_aside_and_official_prints_are_columns_of_raw_ticks_alone() -> None:
    headers = {table: shown(table)["by_symbol"].value.splitlines()[0] for table in (RAW_TICKS.name, "time_bars")}
    assert headers == {
        RAW_TICKS.name: "| symbol | rows | rows in | set aside | official | seconds | source | content hash |",
        "time_bars": "| symbol | rows | rows in | seconds | source | content hash |",
    }
    assert shown("time_bars")["by_symbol"].value.splitlines()[2] == "| AAA | 10 | 10 | 0.00 | hand | c |"


# -- its check -----------------------------------------------------------------------


def test_a_passed_check_says_how_many_symbols_are_stored() -> None:
    found = stored_check(report_of("time_bars"), "time_bars")
    assert (found.check_name, found.passed) == (STORED_CHECK, True)
    assert {name: value.value for name, value in found.metadata.items()} == {"symbols": 2, "stored": 2}


def test_a_failed_check_names_who_failed_and_why() -> None:
    found = stored_check(report_of("time_bars", failed="CCC"), "time_bars")
    assert not found.passed
    assert {name: value.value for name, value in found.metadata.items()} == {
        "symbols": 3, "stored": 2, "CCC": "NoDataError: no ticks",
    }  # fmt: skip


# -- schedules -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after", "run"),
    [
        ("2025-11-25T12:00-05:00", "2025-11-25T20:00-05:00"),  # Eastern Standard Time
        ("2025-07-08T12:00-04:00", "2025-07-08T21:00-04:00"),  # daylight saving time
    ],
)
def test_the_schedule_after_the_close_runs_when_its_description_says(after: str, run: str) -> None:
    job = nightly_job(trading_date_partitions(dt.date(2025, 7, 1)))
    schedule = after_close_schedule(job)

    @dg.asset(partitions_def=job.partitions_def)
    def ticks() -> None:
        """Something to run."""

    found = dg.Definitions([ticks], jobs=[job], schedules=[schedule]).get_schedule_def("after_close")
    begun = dt.datetime.fromisoformat(after)
    ticks_of_clock = cron_string_iterator(begun.timestamp(), found.cron_schedule, found.execution_timezone)
    assert next(ticks_of_clock) == dt.datetime.fromisoformat(run)
    assert "20:00 Eastern Time, 21:00 while daylight saving time" in str(found.description)


def test_the_weekly_schedule_says_when_it_runs_and_what_it_does() -> None:
    text = str(store_care_schedule().description)
    assert text.startswith("Saturdays at 06:00 Eastern Time")
    assert "deletes versions that were replaced" in text

"""A failed run's date has a report too."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from fuzzy_pipeline.assets.date_report import REPORT_ASSET
from fuzzy_pipeline.report import reports_folder
from fuzzy_pipeline.schedules.report_sensor import report_sensor
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.workbench import close_workbenches
from tests.unit.steps.simulated_dates import build

DATE = dt.date(2025, 11, 25)
PARTITIONS = dg.StaticPartitionsDefinition([str(DATE)])


@dg.op
def breaks() -> None:
    """As a run whose step broke off."""
    raise dg.Failure("the machine ran out of memory")


@dg.job(partitions_def=PARTITIONS)
def of_a_date() -> None:
    breaks()


@dg.job
def of_no_date() -> None:
    breaks()


def told(instance: dg.DagsterInstance, job: dg.JobDefinition, key: str | None) -> None:
    """Tell the sensor of a failed run of a job."""
    result = job.execute_in_process(instance=instance, partition_key=key, raise_on_error=False)
    assert not result.success
    context = dg.build_run_status_sensor_context(
        sensor_name="report_on_failed_run",
        dagster_instance=instance,
        dagster_run=result.dagster_run,
        dagster_event=result.get_run_failure_event(),
    ).for_run_failure()
    report_sensor()(context)


def observations(instance: dg.DagsterInstance) -> list[dg.AssetObservation]:
    records = instance.fetch_observations(dg.AssetKey(REPORT_ASSET), limit=9).records
    return [record.asset_observation for record in records if record.asset_observation]


def test_the_report_of_the_failed_runs_date_is_written_and_linked(home: Settings, instance: dg.DagsterInstance) -> None:
    build(home, DATE, steps=(IngestStep(), EnrichStep()))
    close_workbenches()
    told(instance, of_a_date, str(DATE))
    (page,) = reports_folder(home).rglob("*.html")
    (found,) = observations(instance)
    assert found.partition == str(DATE)
    assert found.metadata["page"] == dg.MetadataValue.path(page)
    assert found.metadata["verdict"].value != "complete"


@pytest.mark.parametrize(("job", "key"), [(of_a_date, str(DATE)), (of_no_date, None)])
def test_without_a_store_or_a_date_there_is_nothing_to_report(
    home: Settings, instance: dg.DagsterInstance, job: dg.JobDefinition, key: str | None
) -> None:
    if key is None:
        build(home, DATE, steps=(IngestStep(),))
        close_workbenches()
    told(instance, job, key)
    assert observations(instance) == []
    assert not reports_folder(home).exists()

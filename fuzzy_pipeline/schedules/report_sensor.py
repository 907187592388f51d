"""A date's report also when its run broke off before the report's own asset."""

from __future__ import annotations

import datetime as dt

import dagster as dg

from fuzzy_pipeline.assets.date_report import REPORT_ASSET, report_metadata, written
from fuzzy_pipeline.schedules.catch_up import PARTITION_TAG
from fuzzy_pipeline.settings import load_settings
from fuzzy_pipeline.steps.workbench import Workbench


def report_sensor() -> dg.SensorDefinition:
    """Writes the report of the date of a failed run and links it from the report's asset."""

    @dg.run_failure_sensor(
        name="report_on_failed_run",
        monitor_all_code_locations=True,
        minimum_interval_seconds=30,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Writes the report of a date whose run failed.",
    )
    def report_on_failed_run(context: dg.RunFailureSensorContext) -> None:
        key = context.dagster_run.tags.get(PARTITION_TAG)
        if key is None:
            return
        settings = load_settings()
        bench = Workbench(settings)
        try:
            store = bench.store_if_any()
            if store is None:
                return
            page, report = written(store, settings, dt.date.fromisoformat(key))
        finally:
            bench.close()
        context.log.info("%s: %s, %s", page, report.verdict, report.sentence)
        context.instance.report_runless_asset_event(
            dg.AssetObservation(REPORT_ASSET, metadata=report_metadata(page, report), partition=key)
        )

    return report_on_failed_run

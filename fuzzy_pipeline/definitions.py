"""The Dagster code location."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import dagster as dg

from fuzzy_pipeline.assets.date_report import date_report_asset
from fuzzy_pipeline.assets.market_data import market_data_assets
from fuzzy_pipeline.assets.partitions import trading_date_partitions
from fuzzy_pipeline.assets.rankings import ranking_assets
from fuzzy_pipeline.checks.pairs import pairs_check
from fuzzy_pipeline.checks.quality_rules import quality_checks
from fuzzy_pipeline.resources.pipeline import EngineResource, SettingsResource, StoreResource
from fuzzy_pipeline.resources.sql import SqlResource
from fuzzy_pipeline.schedules.after_close import after_close_schedule, nightly_job
from fuzzy_pipeline.schedules.alert_sensors import alert_sensors
from fuzzy_pipeline.schedules.catch_up import catch_up_plan_asset, catch_up_sensor
from fuzzy_pipeline.schedules.report_sensor import report_sensor
from fuzzy_pipeline.schedules.store_care import store_care_job, store_care_schedule
from fuzzy_pipeline.settings import load_settings
from fuzzy_pipeline.steps.pipeline import last_tables, table_groups

# Partitioned checks are in preview in 1.13, and naming a job's partitions is deprecated though a schedule needs it
# (docs/adr/0006-trading-date-partitions.md); the version is pinned.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
# Assets that carry state start at the first partition without one before it; that too is not settled there.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
warnings.filterwarnings("ignore", message="Parameter `partitions_def` of function `define_asset_job`")


def build_definitions(resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Assets, checks, jobs, schedules, sensors and resources; ``resources`` replaces some of them (tests)."""
    chosen = load_settings()
    partitions = trading_date_partitions(chosen.first_date)
    job = nightly_job(partitions)
    settings = SettingsResource()
    return dg.Definitions(
        assets=[
            *market_data_assets(partitions, chosen),
            ranking_assets(partitions, chosen),
            date_report_asset(partitions, last_tables(chosen)),
            catch_up_plan_asset(),
        ],
        asset_checks=[*quality_checks(table_groups(chosen), partitions, chosen), pairs_check(partitions)],
        jobs=[job, store_care_job],
        schedules=[after_close_schedule(job), store_care_schedule()],
        sensors=[
            catch_up_sensor(job, partitions),
            report_sensor(),
            *alert_sensors(lambda settings: (settings.alerts, settings.objectives)),
        ],
        resources={
            "settings": settings,
            "store": StoreResource(settings=settings),
            "sql": SqlResource(settings=settings),
            "engine": EngineResource(**chosen.engine.model_dump()),
            **(resources or {}),
        },
        # One process a run: symbols are spread inside the assets, and a step process each would cost seconds.
        executor=dg.in_process_executor,
    )


defs = build_definitions()

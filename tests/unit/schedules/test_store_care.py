"""The weekly look after the store: when, and that what was replaced goes and what is committed stays."""

from __future__ import annotations

import datetime as dt
from typing import Any

import dagster as dg
from dagster._utils.schedules import cron_string_iterator

from fuzzy_pipeline.operations.audit import AuditLog
from fuzzy_pipeline.resources.pipeline import SettingsResource, StoreResource
from fuzzy_pipeline.schedules.store_care import store_care_job, store_care_schedule
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.workbench import close_workbenches
from fuzzy_pipeline.stores.store import open_store
from tests.unit.steps.simulated_dates import TUESDAY, build


def asked(at: str, instance: dg.DagsterInstance) -> int:
    moment = dt.datetime.fromisoformat(at)
    with dg.build_schedule_context(instance=instance, scheduled_execution_time=moment) as context:
        return len(store_care_schedule().evaluate_tick(context).run_requests or [])


def test_it_is_due_on_saturdays_at_six_in_new_york(instance: dg.DagsterInstance) -> None:
    schedule = store_care_schedule()
    assert schedule.execution_timezone == "America/New_York"
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    thanksgiving = dt.datetime(2025, 11, 27, tzinfo=dt.UTC).timestamp()
    ticks = cron_string_iterator(thanksgiving, schedule.cron_schedule, schedule.execution_timezone)
    first, second = next(ticks), next(ticks)
    assert first == dt.datetime.fromisoformat("2025-11-29T06:00:00-05:00")
    assert second == dt.datetime.fromisoformat("2025-12-06T06:00:00-05:00")
    assert asked("2025-11-29T06:00:00-05:00", instance) == 1


def test_what_was_replaced_is_deleted_and_logged_and_what_is_committed_stays(
    home: Settings, instance: dg.DagsterInstance, monkeypatch: Any
) -> None:
    monkeypatch.setenv("FUZZY_CARE__GRACE_MINUTES", "0")
    for force in (False, True, True):
        build(home, TUESDAY, steps=(IngestStep(),), force=force)
    close_workbenches()
    settings = SettingsResource()
    result = store_care_job.execute_in_process(
        instance=instance, resources={"settings": settings, "store": StoreResource(settings=settings)}
    )
    assert result.success
    shown = next(
        event.step_output_data.metadata
        for event in result.all_events
        if event.is_successful_output and event.step_output_data.metadata
    )
    store = open_store(home)
    rows = store.manifest.rows(RAW_TICKS.name, [TUESDAY])
    held = {row.symbol: list(store.heavy.versions(RAW_TICKS, row.symbol, TUESDAY)) for row in rows}
    store.close()
    assert held == {row.symbol: [row.version] for row in rows}
    assert shown["deleted_versions"].value == 4  # two earlier ones of two symbols
    assert len(list(AuditLog.of(home).entries())) > 0

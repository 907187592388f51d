"""The sensor that catches up: it asks for runs of dates that were missed, failed or went out of date.

Belongs here: what the plan of `operations.catch_up` means for Dagster: runs, tries, and the plan as an asset.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

import dagster as dg

from fuzzy_pipeline.engine import workers_for
from fuzzy_pipeline.operations.catch_up import CatchUpPlan, Due, catch_up_dates, plan_catch_up
from fuzzy_pipeline.resources.run_locks import end_dead_runs
from fuzzy_pipeline.resources.run_tags import CATCH_UP_TAG, run_tags
from fuzzy_pipeline.schedules.run_states import ACTIVE, ENDED_BADLY
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.workbench import Workbench

PLAN_ASSET = "catch_up_plan"
INTERVAL_S = 300
PARTITION_TAG = "dagster/partition"

PLAN_TEXT = """
What was missed, failed or went out of date in the last days, what will run for it and in which order, and how long it
should take by measured rates. Written by the sensor `catch_up` whenever it changes.
"""


def catch_up_plan_asset() -> dg.AssetSpec:
    """The plan as an asset: its latest materialization is the plan of now."""
    return dg.AssetSpec(PLAN_ASSET, group_name="operation", description=PLAN_TEXT, kinds={"python"})


def current_plan(
    settings: Settings, instance: dg.DagsterInstance, last: dt.date, lookback_days: int | None = None
) -> CatchUpPlan:
    """The plan for dates up to ``last``, the last with a partition, with what the instance knows of tries and runs."""
    dates = catch_up_dates(settings, last, lookback_days)
    end_dead_runs(instance, settings.home)  # else their dates would count as worked on
    bench = Workbench(settings)
    try:
        return plan_catch_up(
            bench.store_if_any(),
            settings,
            dates,
            failed_tries={date: failed_tries(instance, date) for date in dates},
            busy=busy_dates(instance),
            broken_off={date for date in dates if is_broken_off(instance, date)},
            workers=workers_for(len(settings.symbols), settings.engine),
        )
    finally:
        bench.close()


def failed_tries(instance: dg.DagsterInstance, date: dt.date) -> int:
    """Catch-up runs of a date that failed, since a run of it last succeeded, whoever asked for that one."""
    runs = instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: date.isoformat()}), limit=20)
    count = 0
    for run in runs:  # newest first
        if run.status == dg.DagsterRunStatus.SUCCESS:
            break
        count += CATCH_UP_TAG in run.tags and run.status in ENDED_BADLY
    return count


def is_broken_off(instance: dg.DagsterInstance, date: dt.date) -> bool:
    """Whether the last run of a date ended badly though no step failed: its process was killed."""
    runs = instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: date.isoformat()}), limit=1)
    if not runs or runs[0].status not in ENDED_BADLY:
        return False
    return not instance.all_logs(runs[0].run_id, of_type=dg.DagsterEventType.STEP_FAILURE)


def busy_dates(instance: dg.DagsterInstance) -> set[dt.date]:
    """Dates that some run or backfill works on or waits for."""
    runs = instance.get_runs(dg.RunsFilter(statuses=ACTIVE))
    return {dt.date.fromisoformat(run.tags[PARTITION_TAG]) for run in runs if PARTITION_TAG in run.tags}


def next_requests(plan: CatchUpPlan, settings: Settings, active: int) -> list[Due]:
    """The first runs of the plan that there is room for: a date once, and of dates out of date the oldest alone."""
    chosen: list[Due] = []
    for due in plan.due:
        if len(chosen) >= settings.catch_up.max_runs - active:
            break
        if due.cause == "stale" and (chosen or active):
            break  # a date is rebuilt from those before it: one after the other, and only when nothing else runs
        if due.date not in {other.date for other in chosen}:
            chosen.append(due)
        if due.cause == "stale":
            break
    return chosen


def catch_up_sensor(job: Any, partitions: dg.TimeWindowPartitionsDefinition) -> dg.SensorDefinition:
    """Looks every five minutes, and when the daemon starts."""

    @dg.sensor(
        name="catch_up",
        job=job,
        minimum_interval_seconds=INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Runs dates that were missed, failed or went out of date: key symbols first, newest first.",
    )
    def catch_up(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        settings = load_settings()
        if not settings.catch_up.enabled:
            return dg.SkipReason("switched off by FUZZY_CATCH_UP__ENABLED")
        keys = partitions.get_partition_keys()
        if not keys:
            return dg.SkipReason("no date has a partition yet")
        plan = current_plan(settings, context.instance, dt.date.fromisoformat(keys[-1]))
        active = context.instance.get_runs_count(dg.RunsFilter(job_name=job.name, statuses=ACTIVE))
        chosen = next_requests(plan, settings, active)
        text = str(plan)
        context.log.info(text)
        if not chosen and text == context.cursor:
            return dg.SkipReason(text)
        return dg.SensorResult(
            run_requests=[request(due, settings) for due in chosen],
            asset_events=[] if text == context.cursor else [plan_event(plan)],
            cursor=text,
        )

    return catch_up


def request(due: Due, settings: Settings) -> dg.RunRequest:
    """The run of the nightly job that one entry of the plan asks for."""
    tags = run_tags(settings, due.symbols, refetch=due.force_source)
    return dg.RunRequest(
        partition_key=due.date.isoformat(),
        tags=tags | {CATCH_UP_TAG: "true", "dagster/priority": "1" if due.is_key else "-5"},
    )


def plan_event(plan: CatchUpPlan) -> dg.AssetMaterialization:
    """The plan as a materialization, with a table of its runs."""
    return dg.AssetMaterialization(
        PLAN_ASSET,
        metadata={
            "summary": str(plan),
            "due": len(plan.due),
            "given_up": len(plan.given_up),
            "seconds": plan.seconds if plan.seconds is not None else "not measured yet",
            "runs": dg.MetadataValue.md(_table([*plan.due, *plan.given_up])),
        },
    )


def _table(runs: Sequence[Due]) -> str:
    from fuzzy_pipeline.assets.reports import markdown_table

    lines = [
        [due.date, ", ".join(due.symbols) or "all", due.cause, "" if due.seconds is None else f"{due.seconds:.0f}"]
        for due in runs
    ]
    return markdown_table(["date", "symbols", "cause", "seconds"], lines) if lines else "Nothing is due."

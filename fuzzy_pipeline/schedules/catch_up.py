"""The sensor that catches up: it asks for runs of dates that were missed, failed or went out of date.

Belongs here: what the plan of `operations.catch_up` means for Dagster: runs, tries, and the plan as an asset.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import Any

import dagster as dg
from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus, PartitionBackfill

from fuzzy_pipeline.assets.date_report import REPORT_ASSET
from fuzzy_pipeline.engine import workers_for
from fuzzy_pipeline.operations.catch_up import CatchUpPlan, Due, catch_up_dates, plan_catch_up
from fuzzy_pipeline.query.coverage import SymbolDay
from fuzzy_pipeline.resources.run_locks import end_dead_runs
from fuzzy_pipeline.resources.run_tags import (
    CATCH_UP_TAG,
    REFETCH_TAG,
    SETTINGS_TAG,
    SYMBOLS_TAG,
    run_tags,
    settings_fingerprint,
    tagged_symbols,
)
from fuzzy_pipeline.schedules.job_backfill import HAS_ENDED
from fuzzy_pipeline.schedules.run_states import ACTIVE, ENDED, ENDED_BADLY, awaiting_retry, is_daemon_alive
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.workbench import Workbench

PLAN_ASSET = "catch_up_plan"
INTERVAL_S = 300
PARTITION_TAG = "dagster/partition"
BACKFILL_TAG = "dagster/backfill"
REPORT_KEY = dg.AssetKey(REPORT_ASSET)
"""The last asset of a date: only a run of all assets has it."""

PLAN_TEXT = """
What was missed, failed or went out of date in the last days, what will run for it and in which order, and how long it
should take by measured rates. The sensor `catch_up` looks every five minutes and writes the plan when its summary is
another than at the last look; what happens in between, and runs of `fuzzy catch-up`, show at the next look.
"""


def catch_up_plan_asset() -> dg.AssetSpec:
    """The plan as an asset: its latest materialization is the plan that the sensor found last."""
    return dg.AssetSpec(PLAN_ASSET, group_name="operation", description=PLAN_TEXT, kinds={"python"})


def current_plan(
    settings: Settings, instance: dg.DagsterInstance, last: dt.date, lookback_days: int | None = None
) -> CatchUpPlan:
    """The plan for dates up to ``last``, the last with a partition, with what the instance knows of tries and runs."""
    dates = catch_up_dates(settings, last, lookback_days)
    end_dead_runs(instance, settings.home)  # else their dates would count as worked on
    runs = runs_of_dates(instance, dates)
    bench = Workbench(settings)
    try:
        return plan_catch_up(
            bench.store_if_any(),
            settings,
            dates,
            failed_tries=failed_tries(runs, settings),
            busy=busy_dates(instance),
            broken_off=broken_off(instance, runs, settings),
            workers=workers_for(len(settings.symbols), settings.engine),
        )
    finally:
        bench.close()


def runs_of_dates(instance: dg.DagsterInstance, dates: Sequence[dt.date]) -> Sequence[dg.DagsterRun]:
    """All runs of some dates, the newest first."""
    keys = [date.isoformat() for date in dates]
    return instance.get_runs(dg.RunsFilter(tags={PARTITION_TAG: keys})) if keys else []


def failed_tries(runs: Sequence[dg.DagsterRun], settings: Settings) -> Counter[SymbolDay]:
    """Catch-up runs of each symbol-day that failed, since one of it last succeeded, whoever asked for that.

    A failed run is a try of all its symbols.

    Parameters
    ----------
    runs : sequence of DagsterRun
        The newest first.
    settings : Settings
    """
    tries: Counter[SymbolDay] = Counter()
    mended: set[SymbolDay] = set()
    for run in runs:
        if run.status == dg.DagsterRunStatus.SUCCESS:
            mended |= _symbol_days(run, settings)
        elif CATCH_UP_TAG in run.tags and run.status in ENDED_BADLY:
            tries.update(_symbol_days(run, settings) - mended)
    return tries


def broken_off(instance: dg.DagsterInstance, runs: Sequence[dg.DagsterRun], settings: Settings) -> set[SymbolDay]:
    """Symbol-days whose last run ended badly though no step failed: its process was killed. Runs: the newest first."""
    seen: set[SymbolDay] = set()
    found: set[SymbolDay] = set()
    for run in runs:
        last = _symbol_days(run, settings) - seen
        seen |= last
        if last and run.status in ENDED_BADLY and not _has_failed_step(instance, run):
            found |= last
    return found


def _has_failed_step(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    return bool(instance.all_logs(run.run_id, of_type=dg.DagsterEventType.STEP_FAILURE))


def _symbol_days(run: dg.DagsterRun, settings: Settings) -> set[SymbolDay]:
    """What a run of a date is of: the symbols of its tag, or all of the settings.

    A run of all symbols under other settings is of nobody, as it may have been of other symbols; and so is one of some
    assets only.
    """
    own = settings_fingerprint(settings)
    is_known = SYMBOLS_TAG in run.tags or run.tags.get(SETTINGS_TAG, own) == own
    if not is_known or (run.asset_selection and REPORT_KEY not in run.asset_selection):
        return set()
    date = dt.date.fromisoformat(run.tags[PARTITION_TAG])
    try:
        symbols = tagged_symbols(run.tags) or settings.symbols
    except ValueError:
        return set()  # a tag that names no tickers: every step of the run refuses it
    return {(symbol, date) for symbol in symbols}


def busy_dates(instance: dg.DagsterInstance) -> set[dt.date]:
    """Dates that some run works on or waits for, and those that a living daemon is about to begin by itself.

    The latter are runs it will retry, and dates of backfills whose run is still to come. Without a daemon nobody
    begins them, so that they are no reason to wait.
    """
    runs = list(instance.get_runs(dg.RunsFilter(statuses=ACTIVE)))
    keys: set[str] = set()
    if is_daemon_alive(instance):
        runs += awaiting_retry(instance, dt.datetime.now(dt.UTC))
        under_way = [status for status in BulkActionStatus if status not in HAS_ENDED]
        for backfill in instance.get_backfills(filters=BulkActionsFilter(statuses=under_way)):
            keys |= _still_to_run(instance, backfill)
    keys |= {run.tags[PARTITION_TAG] for run in runs if PARTITION_TAG in run.tags}
    return {dt.date.fromisoformat(key) for key in keys}


def _still_to_run(instance: dg.DagsterInstance, backfill: PartitionBackfill) -> set[str]:
    """Partitions of a backfill of which none of its runs has ended."""
    of_assets = backfill.asset_backfill_data  # what the web UI makes where assets are chosen
    names = backfill.partition_names or (of_assets.get_partition_names() if of_assets else None) or ()
    ended = instance.get_runs(dg.RunsFilter(tags={BACKFILL_TAG: backfill.backfill_id}, statuses=ENDED))
    return set(names) - {run.tags.get(PARTITION_TAG) for run in ended}


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
    priority = {"dagster/priority": "1" if due.is_key else "-5"}
    return dg.RunRequest(
        partition_key=due.date.isoformat(),
        tags=run_tags(settings, due.symbols) | catch_up_tags(due) | priority,
    )


def catch_up_tags(due: Due) -> dict[str, str]:
    """What a run that catches up is told besides its symbols and settings, whoever starts it."""
    return {CATCH_UP_TAG: "true"} | ({REFETCH_TAG: "true"} if due.force_source else {})


def plan_event(plan: CatchUpPlan) -> dg.AssetMaterialization:
    """The plan as a materialization, with a table of its runs; without one where the source could not be asked."""
    if plan.source_error:
        return dg.AssetMaterialization(PLAN_ASSET, metadata={"summary": str(plan)})
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

"""The weekly job that looks after the store."""

from typing import Any

import dagster as dg

from fuzzy_pipeline.resources.pipeline import SettingsResource, StoreResource
from fuzzy_pipeline.store_care.weekly import weekly_care

SATURDAY_MORNING = "0 6 * * 6"

WHEN_AND_WHAT = (
    "Saturdays at 06:00 Eastern Time, when no date is worked on: copies closed dates into files that are quick to "
    "scan, and deletes versions that were replaced. Nothing whose time is over is deleted."
)


@dg.op(description="Copies closed dates into files that are quick to scan, and deletes versions that were replaced.")
def compact_and_prune(context: dg.OpExecutionContext, settings: SettingsResource, store: StoreResource) -> None:
    """Compact the light tier and prune the heavy one; deletions go into the audit log."""
    with store.open() as opened:
        done = weekly_care(opened, settings.open())
    pruned = sum(one.versions for one in done.pruned)
    context.log.info(f"{len(done.compacted)} files compacted, {pruned} versions deleted")
    context.add_output_metadata({"compacted_files": len(done.compacted), "deleted_versions": pruned})


@dg.job(name="store_care", description="Weekly: compaction and pruning. Nothing whose time is over is deleted here.")
def store_care_job() -> None:
    """One op."""
    compact_and_prune()


def store_care_schedule() -> Any:  # Dagster does not export the type
    """Saturdays at 06:00 Eastern, when no date is worked on."""
    return dg.ScheduleDefinition(
        job=store_care_job,
        name="weekly_store_care",
        description=WHEN_AND_WHAT,
        cron_schedule=SATURDAY_MORNING,
        execution_timezone="America/New_York",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    )

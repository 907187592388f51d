"""The nightly job and its schedule after the close."""

from __future__ import annotations

from typing import Any

import dagster as dg

NIGHTLY = "nightly"


WHEN_AND_WHAT = (
    "Runs `nightly` for each trading date in its evening, after extended hours: at 20:00 Eastern Time, 21:00 while "
    "daylight saving time is in force; never on weekends and holidays."
)


def nightly_job(partitions: dg.PartitionsDefinition[str]) -> dg.UnresolvedAssetJobDefinition:
    """All assets of one trading date."""
    return dg.define_asset_job(
        NIGHTLY,
        selection=dg.AssetSelection.all(),
        partitions_def=partitions,
        description="Ticks, enriched ticks, bars, day metadata and rankings of one trading date.",
    )


def after_close_schedule(job: dg.UnresolvedAssetJobDefinition) -> Any:  # Dagster does not export the type
    """Runs each trading date's partition when it appears: 20:00 EST, 21:00 EDT; never on weekends and holidays."""
    return dg.build_schedule_from_partitioned_job(
        job, name="after_close", description=WHEN_AND_WHAT, default_status=dg.DefaultScheduleStatus.RUNNING
    )

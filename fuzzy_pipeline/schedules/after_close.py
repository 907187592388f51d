"""The nightly job and its schedule after the close."""

from __future__ import annotations

from typing import Any

import dagster as dg

NIGHTLY = "nightly"


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
        job, name="after_close", default_status=dg.DefaultScheduleStatus.RUNNING
    )

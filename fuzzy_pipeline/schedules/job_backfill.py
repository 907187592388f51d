"""A range of dates as a backfill of the nightly job: one run a date, with all chosen assets in it.

Belongs here: what the web server's launch mutation would write for such a backfill. Dagster has no public function
for it (docs/adr/0016-backfills-of-the-job.md).
"""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence

import dagster as dg
from dagster._core.definitions.repository_definition import SINGLETON_REPOSITORY_NAME
from dagster._core.execution.backfill import BULK_ACTION_TERMINAL_STATUSES, BulkActionStatus, PartitionBackfill
from dagster._core.remote_origin import (
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemotePartitionSetOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.remote_representation.external_data import partition_set_snap_name_for_job_name
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.utils import make_new_backfill_id

from fuzzy_pipeline.schedules.after_close import NIGHTLY

HAS_ENDED = frozenset(BULK_ACTION_TERMINAL_STATUSES)


def nightly_backfill(
    module: str, dates: Sequence[dt.date], assets: Sequence[dg.AssetKey], tags: Mapping[str, str]
) -> PartitionBackfill:
    """A backfill to hand to the instance: a run of the nightly job for every date, asked for in ascending order.

    Parameters
    ----------
    module
        The code location's module. The daemon finds the job by names alone, so nothing is loaded here.
    dates
        Dates that have partitions.
    assets
        The only assets to materialise; all of the job when empty.
    tags
        Tags of every run.
    """
    ordered = sorted(set(dates))
    return PartitionBackfill(
        backfill_id=make_new_backfill_id(),
        status=BulkActionStatus.REQUESTED,
        from_failure=False,
        partition_set_origin=_partition_set(module),
        partition_names=[date.isoformat() for date in ordered],
        asset_selection=list(assets) or None,
        tags=dict(tags),
        backfill_timestamp=time.time(),
        title=f"{ordered[0]} to {ordered[-1]}",
        description="Started by the fuzzy command",
    )


def _partition_set(module: str) -> RemotePartitionSetOrigin:
    """Where a daemon finds the nightly job's partitions; a location without a name is called like its module."""
    location = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=module))
    repository = RemoteRepositoryOrigin(location, SINGLETON_REPOSITORY_NAME)
    return repository.get_partition_set_origin(partition_set_snap_name_for_job_name(NIGHTLY))

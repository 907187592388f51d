"""What states of Dagster runs mean here, and which runs a daemon is about to begin by itself."""

from __future__ import annotations

import datetime as dt
import time

import dagster as dg

ACTIVE = [
    dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING,
]  # fmt: skip
"""Runs that wait or work."""

ENDED_BADLY = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]

ENDED = [dg.DagsterRunStatus.SUCCESS, *ENDED_BADLY]

RETRY_WAIT = dt.timedelta(minutes=10)
"""Dagster's daemon begins the retry of a failed run within seconds; where it has not by then, it never will."""

DAEMON_SILENCE_S = 45.0
"""A live daemon beats every 30 seconds."""


def awaiting_retry(instance: dg.DagsterInstance, now: dt.datetime) -> list[dg.DagsterRun]:
    """Failed runs that Dagster is about to run again by itself.

    It says so of runs of a terminal too, which it cannot repeat: they have no job that a daemon could find.
    """
    lately = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=(now - RETRY_WAIT).astimezone(dt.UTC))
    return [
        run
        for run in instance.get_runs(lately)
        if run.is_complete_and_waiting_to_retry and run.remote_job_origin is not None
    ]


def is_daemon_alive(instance: dg.DagsterInstance) -> bool:
    """Whether a daemon beat lately. Dagster calls one healthy for minutes after it was killed."""
    beats = [beat.timestamp for beat in instance.get_daemon_heartbeats().values()]
    return time.time() - max(beats, default=0.0) <= DAEMON_SILENCE_S

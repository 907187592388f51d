"""Starting runs: what the ``fuzzy`` command and scripts call.

Belongs here: one date at once in this process, a range of dates as a Dagster backfill, and the web UI. Everything
goes through the Dagster instance in the settings' home, so that runs started here show in the web UI. Settings
reach runs through the environment: what is handed in must be what ``load_settings()`` gives in this process.
"""

from __future__ import annotations

import datetime as dt
import logging
import os
import shutil
import signal
import socket
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import resources

import dagster as dg
from dagster_shared.error import SerializableErrorInfo
from sqlalchemy.exc import DatabaseError

from fuzzy_pipeline.assets.date_report import written
from fuzzy_pipeline.assets.partitions import last_partition_date
from fuzzy_pipeline.errors import EngineError, SettingsError, StoreError
from fuzzy_pipeline.operations.catch_up import CatchUpPlan, Due
from fuzzy_pipeline.resources.run_locks import end_dead_runs, held_run
from fuzzy_pipeline.resources.run_tags import run_tags
from fuzzy_pipeline.schedules.after_close import NIGHTLY
from fuzzy_pipeline.schedules.catch_up import catch_up_tags, current_plan, next_requests
from fuzzy_pipeline.schedules.job_backfill import HAS_ENDED, nightly_backfill
from fuzzy_pipeline.schedules.processes import MODULE, Daemon, end, start
from fuzzy_pipeline.schedules.run_states import ACTIVE, ENDED_BADLY
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.rank_symbols import RANKING_TABLES
from fuzzy_pipeline.steps.workbench import workbench
from fuzzy_pipeline.stores.file_lock import disk_errors, held

log = logging.getLogger(__name__)

BACKFILL_POLL_S = 1.0
_QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended: its id, the errors of its failed steps and how long it took [s]."""

    success: bool
    run_id: str
    error: str
    seconds: float


@dataclass(frozen=True, slots=True)
class BackfillState:
    """How far a backfill is; ``waiting_for`` says what holds it up, ``error`` why its latest failed run failed."""

    backfill_id: str
    state: str
    dates_done: int
    dates_failed: int
    dates_total: int
    waiting_for: str
    error: str


def prepare_instance(settings: Settings) -> None:
    """Make the Dagster instance under the settings' home and point this process and its children at it.

    An existing ``dagster.yaml`` is left as it is.
    """
    home = settings.dagster_home
    made = home / ".made"
    os.environ["DAGSTER_HOME"] = str(home)
    os.environ["FUZZY_HOME"] = str(settings.home)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    if made.exists() and (home / "dagster.yaml").exists():
        return
    what = f"making the Dagster instance in {home}"
    # One after another: two processes that create its tables at once fail.
    with disk_errors(what), held(home / ".made.lock", settings.store.lock_timeout_s, what):
        if not (home / "dagster.yaml").exists():
            template = resources.files("fuzzy_pipeline.resources").joinpath("dagster.yaml")
            (home / "dagster.yaml").write_text(template.read_text(encoding="utf-8"), encoding="utf-8")
        with dg.DagsterInstance.get():
            made.touch()


@contextmanager
def _records(settings: Settings) -> Iterator[None]:
    """Name the folder of Dagster's records when its database fails, which names none."""
    try:
        yield
    except DatabaseError as error:
        home = settings.dagster_home
        free = shutil.disk_usage(home).free
        raise StoreError(
            f"{home}: Dagster cannot keep its records ({error.orig}), {free / 1e6:.0f} MB are free there; what is"
            " committed in the store is intact. When there is room: fuzzy catch-up"
        ) from error


def _definitions() -> dg.Definitions:
    from fuzzy_pipeline.definitions import build_definitions  # after the environment is set

    return build_definitions()


def _selection(defs: dg.Definitions, assets: Sequence[str]) -> list[dg.AssetKey]:
    """The named assets; all when none is named.

    Raises
    ------
    SettingsError
        There is no asset of that name.
    """
    known = sorted(key.to_user_string() for key in defs.resolve_asset_graph().materializable_asset_keys)
    unknown = [name for name in assets if name not in known]
    if unknown:
        raise SettingsError(f"no such assets: {', '.join(unknown)}; there are {', '.join(known)}")
    wanted = list(assets or known)
    if set(wanted) & set(RANKING_TABLES):  # both are made in one piece of work
        wanted = list(dict.fromkeys((*wanted, *RANKING_TABLES)))
    return [dg.AssetKey(name) for name in wanted]


def run_now(
    settings: Settings,
    date: dt.date,
    symbols: Sequence[str] = (),
    assets: Sequence[str] = (),
    force: bool = False,
    more_tags: Mapping[str, str] | None = None,
) -> RunOutcome:
    """Materialise one trading date in this process, as a run of the instance.

    Raises
    ------
    SettingsError
        An asset does not exist, or the date has no partition yet.
    """
    prepare_instance(settings)
    defs = _definitions()
    job = defs.resolve_job_def(NIGHTLY)
    selection = _selection(defs, assets)
    started, run_id = time.perf_counter(), str(uuid.uuid4())
    with _records(settings), dg.DagsterInstance.get() as instance, held_run(settings.home, run_id):
        _check_partitions(defs, [date])
        result = job.execute_in_process(
            instance=instance,
            run_id=run_id,
            partition_key=date.isoformat(),
            tags={**run_tags(settings, symbols, force), **(more_tags or {})},
            asset_selection=selection,
            run_config=_QUIET,
            raise_on_error=False,
        )
    errors = [
        _said(event.step_failure_data.error)
        for event in result.all_events
        if event.is_step_failure and event.step_failure_data.error
    ]
    if not result.success:
        _report_of_failed_run(settings, date)
    return RunOutcome(result.success, result.run_id, "\n".join(errors), time.perf_counter() - started)


def _report_of_failed_run(settings: Settings, date: dt.date) -> None:
    """The date's report, should the run have broken off before it; without a store there is nothing to report."""
    try:
        store = workbench(settings).store_if_any()
        if store is not None:
            written(store, settings, date)
    except (StoreError, OSError) as error:
        log.warning("the report of %s could not be written: %s", date, error)


def _said(error: SerializableErrorInfo) -> str:
    """What went wrong in our own words: Dagster wraps the exception of a step; a failure names its symbols itself."""
    failure = "dagster._core.definitions.events.Failure: "
    while error.cause is not None and error.message.startswith("dagster.") and not error.message.startswith(failure):
        error = error.cause
    return error.message.removeprefix(failure).removeprefix("fuzzy_pipeline.errors.").strip()


def _check_partitions(defs: dg.Definitions, dates: Sequence[dt.date]) -> None:
    partitions = defs.resolve_job_def(NIGHTLY).partitions_def
    keys = partitions.get_partition_keys() if partitions else []
    missing = [date.isoformat() for date in dates if date.isoformat() not in set(keys)]
    if missing:
        raise SettingsError(
            f"no partition for {', '.join(missing[:5])}: partitions are the trading dates from {keys[0]}"
            f" (FUZZY_FIRST_DATE) to {keys[-1]}; a date's appears in its evening"
        )


def backfill(
    settings: Settings,
    dates: Sequence[dt.date],
    symbols: Sequence[str] = (),
    assets: Sequence[str] = (),
    force: bool = False,
) -> Iterator[BackfillState]:
    """A Dagster backfill of trading dates, one run a date in ascending order; yields its state until it has ended.

    Runs on the instance's daemon; where none is running, one is started for the duration. Runs refuse to work with
    other settings than these: a daemon that runs already has the settings it was started with.

    Raises
    ------
    SettingsError
        An asset does not exist, or a date has no partition.
    EngineError
        The daemon that was started ended before the backfill.
    """
    prepare_instance(settings)
    defs = _definitions()
    _check_partitions(defs, dates)
    request = nightly_backfill(
        MODULE, dates, _selection(defs, assets) if assets else (), run_tags(settings, symbols, force)
    )
    _end_on_sigterm()
    with (
        (settings.dagster_home / "daemon.log").open("ab") as log_file,
        dg.DagsterInstance.get() as instance,
        Daemon(instance, log_file) as daemon,
    ):
        instance.add_backfill(request)
        while True:
            end_dead_runs(instance, settings.home)  # of a daemon that was killed: this backfill would wait for hours
            state = _state(instance, request.backfill_id, len(dates))
            found = instance.get_backfill(request.backfill_id)
            has_ended = found is None or found.status in HAS_ENDED
            if has_ended and daemon.is_needed():
                state = replace(state, waiting_for="another backfill, which uses the daemon started for this one")
            yield state
            if has_ended and not state.waiting_for:
                return
            if not daemon.ensure():
                raise EngineError(
                    f"the Dagster daemon ended before backfill {request.backfill_id}; its log is in"
                    f" {settings.dagster_home / 'daemon.log'}. `fuzzy ui` starts one that takes the backfill up again"
                )
            time.sleep(BACKFILL_POLL_S)


def _state(instance: dg.DagsterInstance, backfill_id: str, total: int) -> BackfillState:
    found = instance.get_backfill(backfill_id)
    runs = instance.get_runs(dg.RunsFilter(tags={"dagster/backfill": backfill_id}))
    latest = {run.tags.get("dagster/partition", run.run_id): run for run in reversed(runs)}
    done = sum(run.status == dg.DagsterRunStatus.SUCCESS for run in latest.values())
    failed = [run.run_id for run in latest.values() if run.status in ENDED_BADLY]
    waiting = error = ""
    if found is None or found.status in HAS_ENDED:
        error = _why(instance, failed[-1]) if failed else ""
        error = error or (_said(found.error) if found and found.error else "")
    elif not runs:
        waiting = "the daemon, which looks for new backfills every 30 s"
    elif done + len(failed) == total:
        waiting = "the daemon, which looks for ended backfills every 30 s"
    return BackfillState(backfill_id, found.status.value if found else "GONE", done, len(failed), total, waiting, error)


def _why(instance: dg.DagsterInstance, run_id: str) -> str:
    """The errors of a run's failed steps."""
    records = instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
    data = [record.dagster_event.step_failure_data for record in records if record.dagster_event]
    return "\n".join(_said(failure.error) for failure in data if failure.error)


def catch_up_plan(settings: Settings, lookback_days: int | None = None) -> CatchUpPlan:
    """What is to be caught up now."""
    prepare_instance(settings)
    with _records(settings), dg.DagsterInstance.get() as instance:
        return current_plan(settings, instance, last_partition_date(dt.datetime.now(dt.UTC)), lookback_days)


def catch_up(settings: Settings, lookback_days: int | None = None) -> Iterator[tuple[Due, RunOutcome]]:
    """Catch up in this process, one run after the other in the order of the plan, until nothing more is due.

    A date that fails is tried as often as the settings say.
    """
    while True:
        plan = catch_up_plan(settings, lookback_days)
        chosen = next_requests(plan, settings, active=0)
        if not chosen:
            return
        due = chosen[0]
        yield due, run_now(settings, due.date, due.symbols, more_tags=catch_up_tags(due))


def running(settings: Settings) -> list[str]:
    """What runs or waits now, a line each."""
    prepare_instance(settings)
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs(dg.RunsFilter(statuses=ACTIVE))
        return [
            f"{run.status.value.lower()} {run.tags.get('dagster/partition', run.job_name)} (run {run.run_id[:8]})"
            for run in runs
        ]


def serve_ui(settings: Settings, host: str, port: int) -> None:
    """Web UI and daemon until interrupted.

    Raises
    ------
    SettingsError
        The port is taken.
    EngineError
        The web server or the daemon ended by itself.
    """
    check_port(host, port)
    prepare_instance(settings)
    _end_on_sigterm()
    with dg.DagsterInstance.get() as instance, Daemon(instance) as daemon:
        web = start("dagster-webserver", ["-m", MODULE, "-h", host, "-p", str(port)])
        try:
            while web.poll() is None and daemon.ensure():
                time.sleep(0.5)
            raise EngineError("the Dagster web server or daemon ended by itself; what it said is above")
        finally:
            end([web])


def _end_on_sigterm() -> None:
    """Leave by an exception on SIGTERM, so that the processes started here are ended too."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def check_port(host: str, port: int) -> None:
    """Raise ``SettingsError`` when nothing can be served there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"{host}:{port} cannot be used ({error.strerror}): choose another with --port"
            ) from error

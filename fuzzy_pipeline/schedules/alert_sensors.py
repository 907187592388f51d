"""Two sensors: one tells of failed runs, one looks every few minutes for what no run tells.

Belongs here: what Dagster knows of a run, put before ``operations.alerts``. Neither sensor starts anything.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence

import dagster as dg
from dagster_shared.error import SerializableErrorInfo

from fuzzy_pipeline.alert_settings import AlertSettings, ObjectiveSettings
from fuzzy_pipeline.errors import FuzzyError
from fuzzy_pipeline.operations.alert_desk import AlertDesk
from fuzzy_pipeline.operations.alerts import Alert, is_stored, missed_alerts, run_failure_alert
from fuzzy_pipeline.operations.objectives import ObjectiveState, note_first_complete, objective_state
from fuzzy_pipeline.resources.run_tags import tagged_symbols
from fuzzy_pipeline.schedules.catch_up import PARTITION_TAG
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import now_eastern

WILL_RETRY_TAG = "dagster/will_retry"
FAILED_RUN_INTERVAL_S = 30
TIMER_INTERVAL_S = 300
_ERROR_LINES = 3
_OWN_ERRORS = "fuzzy_pipeline.errors."

Sections = Callable[[Settings], tuple[AlertSettings, ObjectiveSettings]]


def alert_sensors(sections: Sections) -> list[dg.SensorDefinition]:
    """Both sensors, on when the daemon starts; ``sections`` finds theirs in the settings of the process."""
    return [_failed_run_sensor(sections), _timer_sensor(sections)]


def _failed_run_sensor(sections: Sections) -> dg.SensorDefinition:
    # All code locations: runs of `fuzzy run` belong to none, and the name of ours depends on how it was started.
    @dg.run_failure_sensor(
        name="alert_on_failed_run",
        monitor_all_code_locations=True,
        minimum_interval_seconds=FAILED_RUN_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells whom the settings name when a run of trading dates has failed for good.",
    )
    def alert_on_failed_run(context: dg.RunFailureSensorContext) -> None:
        # Nothing is returned: a skip reason beside another run's reaction is an error of the tick.
        settings = load_settings()
        alerts, _ = sections(settings)
        alert = alert_of_run(context.instance, context.dagster_run, settings, alerts)
        if alert is None:
            return
        desk = AlertDesk(settings, alerts)
        is_new = desk.raise_alert(alert)
        context.log.info("%s\n%s", "told" if is_new else "told before, so not again", alert)
        desk.deliver_pending()

    return alert_on_failed_run


def _timer_sensor(sections: Sections) -> dg.SensorDefinition:
    @dg.sensor(
        name="alert_timer",
        minimum_interval_seconds=TIMER_INTERVAL_S,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of missed deadlines and objectives, and of what is mended; sends again what did not arrive.",
    )
    def alert_timer() -> dg.SkipReason:
        settings = load_settings()
        return dg.SkipReason(timer_tick(settings, *sections(settings), now_eastern()))

    return alert_timer


def alert_of_run(
    instance: dg.DagsterInstance, run: dg.DagsterRun, settings: Settings, chosen: AlertSettings
) -> Alert | None:
    """The alert of a failed run; None when it is nobody's to hear of.

    That is a run that is tried again, one of no trading date, and one that a person watched in a terminal.
    """
    date = run.tags.get(PARTITION_TAG)
    watched = run.remote_job_origin is None and not chosen.foreground_runs
    if not chosen.enabled or date is None or watched or run.tags.get(WILL_RETRY_TAG) == "true":
        return None
    return run_failure_alert(
        settings,
        chosen,
        dt.date.fromisoformat(date),
        run_id=run.run_id,
        symbols=tagged_symbols(run.tags),
        assets=_assets_without_result(instance, run.run_id),
        checks=_failed_checks(instance, run.run_id),
        errors=_errors(instance, run.run_id),
        now=now_eastern(),
    )


def timer_tick(settings: Settings, alerts: AlertSettings, objectives: ObjectiveSettings, now: dt.datetime) -> str:
    """Look at deadlines and objectives, close what is mended, deliver what is pending; what was done, in words."""
    desk = AlertDesk(settings, alerts, lambda: now)
    bench = Workbench(settings)
    said = []
    try:
        store = bench.store_if_any()
        if store is not None:
            state = objective_state(store, settings, objectives, now)
            note_first_complete(settings.home, state.outcomes)
            said.append(
                _tell(store, settings, desk, state, objectives) if alerts.enabled else "alerts are switched off"
            )
    except FuzzyError as error:
        said.append(f"dates and objectives could not be looked at: {error}")
    finally:
        bench.close()
    left = desk.deliver_pending()
    said.append(f"messages to be tried again: {len(left)}" if left else "every message is delivered")
    return "; ".join(said)


def _tell(
    store: Store, settings: Settings, desk: AlertDesk, state: ObjectiveState, objectives: ObjectiveSettings
) -> str:
    told = [alert for alert in missed_alerts(state, settings, objectives) if desk.raise_alert(alert, once=True)]
    told += desk.close_mended(lambda alert: is_mended(alert, store, settings, state))
    return f"told: {'; '.join(alert.headline for alert in told)}" if told else "nothing new to tell"


def is_mended(alert: Alert, store: Store, settings: Settings, state: ObjectiveState) -> bool | None:
    """Whether what an alert was about is well again; None when nothing tells any more."""
    if alert.kind == "run_failed" and alert.date is not None:
        symbols = [one.symbol for one in alert.failures] or list(settings.symbols)
        return is_stored(store, settings, alert.date, symbols)
    if alert.kind == "deadline_missed":
        outcome = state.outcome(alert.date)
        return outcome.verdict == "complete" if outcome is not None else None
    of_objective = [one for one in state.attainments if one.objective.name == alert.objective]
    return of_objective[0].is_met if of_objective else None


# -- what Dagster knows of a run ----------------------------------------------------------


def _assets_without_result(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Assets that the run planned to materialise and did not."""
    kinds = {dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED, dg.DagsterEventType.ASSET_MATERIALIZATION}
    planned: set[str] = set()
    made: set[str] = set()
    for entry in instance.all_logs(run_id, of_type=kinds):
        event = entry.dagster_event
        if event is not None and event.asset_key is not None:
            chosen = made if event.event_type == dg.DagsterEventType.ASSET_MATERIALIZATION else planned
            chosen.add(event.asset_key.to_user_string())
    return sorted(planned - made)


def _failed_checks(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """Checks of severity error that failed, as ``asset: check``."""
    found = []
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        data = entry.dagster_event.event_specific_data if entry.dagster_event is not None else None
        if not isinstance(data, dg.AssetCheckEvaluation) or data.passed:
            continue
        if data.severity == dg.AssetCheckSeverity.ERROR:
            found.append(f"{data.asset_key.to_user_string()}: {data.check_name}")
    return sorted(found)


def _errors(instance: dg.DagsterInstance, run_id: str) -> list[str]:
    """What the run's steps, or the run itself where no step began, failed of."""
    kinds = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE}
    events = [entry.dagster_event for entry in instance.all_logs(run_id, of_type=kinds) if entry.dagster_event]
    steps = [
        f"{event.step_key}: {error_text(event.step_failure_data.error)}"
        for event in events
        if event.is_step_failure and event.step_failure_data.error is not None
    ]
    return steps or [event.message for event in events if event.message]


def error_text(error: SerializableErrorInfo) -> str:
    """The first lines of the error that a step ended with; Dagster's own wrapping is left out."""
    while error.cause is not None and error.message.startswith("dagster."):
        error = error.cause
    lines: Sequence[str] = error.message.removeprefix(_OWN_ERRORS).strip().splitlines()
    return " ".join(lines[:_ERROR_LINES])

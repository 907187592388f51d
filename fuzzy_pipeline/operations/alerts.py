"""Alerts: what is told when a run failed, a deadline or an objective was missed, or something is mended.

Belongs here: the alert itself, building it from what the store knows, and its words. Remembering what was told is
``operations.alert_desk``'s, delivering it ``operations.alert_channels``'.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict

from fuzzy_pipeline.alert_settings import AlertSettings, ObjectiveSettings
from fuzzy_pipeline.errors import FuzzyError, NotStoredError
from fuzzy_pipeline.operations.objectives import Attainment, ObjectiveState, deadline_of
from fuzzy_pipeline.operations.settings_changes import masked
from fuzzy_pipeline.query.coverage import DayCoverage, day_coverage
from fuzzy_pipeline.query.opening import reading
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import EASTERN

AlertKind = Literal["run_failed", "deadline_missed", "objective_missed", "recovered"]

SYMBOLS_NAMED = 20
ASSETS_NAMED = 5
REASON_LENGTH = 300
REASONS_TOLD = 10


class SymbolFailure(BaseModel):
    """Why a symbol failed: the failure furthest upstream."""

    model_config = ConfigDict(frozen=True)

    symbol: str
    table: str
    error_type: str
    reason: str


class Alert(BaseModel):
    """What is told.

    ``assets`` got no result in the run, ``checks`` are ``asset: check``, ``command`` is what to try, ``link`` leads to
    the run.
    """

    model_config = ConfigDict(frozen=True)

    kind: AlertKind
    raised_at: dt.datetime
    headline: str
    date: dt.date | None = None
    objective: str = ""
    failures: tuple[SymbolFailure, ...] = ()
    assets: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    run_id: str = ""
    command: str = ""
    link: str = ""
    home: str = ""

    @property
    def cause(self) -> str:
        """Hash of what happened, whichever run it happened in: for a run its date, symbols and types of error.

        Without a failed symbol it is that of the assets without result; texts of errors differ from try to try. A
        missed deadline or objective is the same whoever fails.
        """
        failed = [f"{one.symbol}={one.error_type}" for one in self.failures] or list(self.assets)
        parts = [self.kind, str(self.date), self.objective, *(sorted(failed) if self.kind == "run_failed" else ())]
        return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]

    @property
    def lines(self) -> tuple[str, ...]:
        """Everything under the headline, a line each."""
        told = [
            *_by_error(self.failures),
            *self.reasons[:REASONS_TOLD],
            f"without result: {_some(self.assets, ASSETS_NAMED)}" if self.assets else "",
            *_by_check(self.checks),
            f"try: {self.command}" if self.command else "",
            f"run: {self.link or self.run_id}" if self.run_id else "",
            f"home: {self.home}" if self.home else "",
        ]
        return tuple(line for line in told if line)

    def __str__(self) -> str:
        return "\n".join((self.headline, *self.lines))


def run_failure_alert(
    settings: Settings,
    chosen: AlertSettings,
    date: dt.date,
    *,
    run_id: str,
    symbols: Sequence[str] = (),
    assets: Sequence[str] = (),
    checks: Sequence[str] = (),
    errors: Sequence[str] = (),
    now: dt.datetime,
) -> Alert:
    """The alert of a failed run, with the symbols that failed by the manifest.

    Parameters
    ----------
    symbols
        What the run was limited to; empty: the settings' symbols.
    assets, checks
        Assets of the run without result, and checks that failed.
    errors
        What the run's steps said; told where no symbol failed, or the store cannot be read.
    """
    wanted = tuple(symbols) or settings.symbols
    try:
        with reading(settings, None) as store:
            failures = symbol_failures(store, settings, date, wanted)
    except NotStoredError:
        failures = ()  # the run failed before it stored anything: the errors tell why
    except FuzzyError as error:
        failures, errors = (), [*errors, f"the store cannot be read: {error}"]
    return Alert(
        kind="run_failed",
        raised_at=now,
        date=date,
        headline=_run_headline(date, failures, wanted),
        failures=failures,
        assets=tuple(assets),
        checks=tuple(checks),
        reasons=() if failures else tuple(told(error) for error in errors),
        run_id=run_id,
        command=run_command(date, [one.symbol for one in failures] or symbols, settings.symbols),
        link=f"{chosen.ui_url.rstrip('/')}/runs/{run_id}" if chosen.ui_url else "",
        home=str(settings.home),
    )


def symbol_failures(
    store: Store, settings: Settings, date: dt.date, symbols: Sequence[str]
) -> tuple[SymbolFailure, ...]:
    """Failures of a date that no later commit mended, one a symbol."""
    days = day_coverage(store, [date], symbols, pipeline_tables(settings))
    return tuple(
        SymbolFailure(symbol=day.symbol, table=cause.table, error_type=cause.error_type, reason=told(cause.reason))
        for day in days.values()
        if (cause := day.cause) is not None
    )


def is_stored(store: Store, settings: Settings, date: dt.date, symbols: Sequence[str]) -> bool:
    """Whether the symbols have all tables of a date and none failed since."""
    tables = pipeline_tables(settings)
    days: Mapping[tuple[str, dt.date], DayCoverage] = day_coverage(store, [date], symbols, tables)
    return all(day.state(tables) in ("complete", "stale") for day in days.values())


def missed_alerts(state: ObjectiveState, settings: Settings, chosen: ObjectiveSettings) -> list[Alert]:
    """Alerts of the last deadline when it was missed, and of objectives whose error budget is overspent.

    A date before the store was made, which no deadline was kept for, is not late: it is in no attainment.
    """
    found = []
    done = next((one for one in state.attainments if one.objective.name == "nightly_done"), None)
    outcome = state.outcome(state.last_due)
    if outcome is not None and outcome.verdict != "complete" and done is not None and str(outcome.date) in done.missed:
        failures = tuple(
            SymbolFailure(symbol=symbol, table=why.table, error_type=why.error_type, reason=told(why.reason))
            for symbol, why in sorted(outcome.failed.items())
        )
        deadline = deadline_of(outcome.date, chosen)
        alert = Alert(
            kind="deadline_missed",
            raised_at=state.at,
            date=outcome.date,
            objective="nightly_done",
            headline=f"{outcome.date} is {outcome.verdict} after its deadline {deadline:%Y-%m-%d %H:%M} ET",
            failures=failures,
            reasons=tuple(told(reason) for reason in outcome.reasons),
            command=run_command(outcome.date, [one.symbol for one in failures], settings.symbols),
            home=str(settings.home),
        )
        found.append(alert)
    return [*found, *(_overspent(one, state, settings) for one in state.attainments if one.is_met is False)]


def _overspent(attainment: Attainment, state: ObjectiveState, settings: Settings) -> Alert:
    name = attainment.objective.name
    return Alert(
        kind="objective_missed",
        raised_at=state.at,
        objective=name,
        headline=f"objective {name} is missed: {attainment.objective.says}",
        reasons=(str(attainment),),
        command="fuzzy status",
        home=str(settings.home),
    )


def recovery_of(alerts: Sequence[Alert], now: dt.datetime) -> Alert:
    """What is told once that which alerts of one date, or of one objective, were about is mended."""
    first = alerts[0]
    names = sorted({one.symbol for alert in alerts for one in alert.failures})
    earlier = [f"told {alert.raised_at.astimezone(EASTERN):%Y-%m-%d %H:%M} ET: {alert.headline}" for alert in alerts]
    return Alert(
        kind="recovered",
        raised_at=now,
        date=first.date,
        objective=first.objective,
        headline=f"{first.date} is mended" if first.date else f"objective {first.objective} is met again",
        reasons=(*([f"stored now: {_some(names)}"] if names else ()), *earlier),
        home=first.home,
    )


def run_command(date: dt.date, symbols: Sequence[str], every: Sequence[str]) -> str:
    """The command that makes up for a date: what is current is skipped, so many symbols need not be named."""
    named = sorted(set(symbols))
    if not named or len(named) > SYMBOLS_NAMED or set(named) == set(every):
        return f"fuzzy run {date}"
    return f"fuzzy run {date} --symbols {','.join(named)}"


def told(text: str) -> str:
    """A reason on one line, without secrets that URIs in it hold, and not too long."""
    line = str(masked("reason", " ".join(text.split())))
    return line if len(line) <= REASON_LENGTH else f"{line[: REASON_LENGTH - 1]}…"


def _run_headline(date: dt.date, failures: Sequence[SymbolFailure], wanted: Sequence[str]) -> str:
    if failures:
        return f"{date}: {len(failures):,} of {len(wanted):,} symbols failed"
    return f"{date}: the run failed"


def _by_error(failures: Iterable[SymbolFailure]) -> list[str]:
    """A line for each type of error: who, and the first one's reason."""
    groups: dict[str, list[SymbolFailure]] = {}
    for one in failures:
        groups.setdefault(one.error_type, []).append(one)
    return [
        f"{error_type}: {_some([one.symbol for one in own])} in {own[0].table}: {own[0].reason}"
        for error_type, own in sorted(groups.items(), key=lambda item: -len(item[1]))
    ]


def _by_check(checks: Iterable[str]) -> list[str]:
    """A line for each check: the assets whose it is."""
    groups: dict[str, list[str]] = {}
    for one in checks:
        asset, _, check = one.partition(": ")
        groups.setdefault(check, []).append(asset)
    return [f"failed check {check}: {_some(assets, ASSETS_NAMED)}" for check, assets in groups.items()]


def _some(names: Sequence[str], shown: int = SYMBOLS_NAMED) -> str:
    more = len(names) - shown
    return ", ".join(names[:shown]) + (f" and {more:,} more" if more > 0 else "")

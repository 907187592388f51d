"""Service-level objectives: what the nightly run promises, how far it was kept, and what is left of the error budget.

Belongs here: the objectives as data, what the store tells of each date, and the arithmetic. When a date was complete
is read from the manifest and the check results. Only one thing is kept beside them: when a date was first seen
complete, since a rebuild commits it anew.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from fuzzy_pipeline.alert_settings import ObjectiveSettings
from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.operations.date_outcomes import DateOutcome, date_outcomes
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.file_lock import disk_errors, held
from fuzzy_pipeline.stores.stamp import read_stamp
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import (
    EASTERN,
    count_trading_dates,
    last_trading_date_on_or_before,
    next_trading_date,
    trading_dates_before,
)

ObjectiveName = Literal["nightly_done", "freshness", "failure_share"]

FIRST_COMPLETE = Path("objectives") / "first_complete.json"
"""Under the home: date -> when it was first seen complete."""

_KEPT_DATES = 400
_PARTITION_APPEARS_UTC = dt.time(1)
"""A date's partition appears at this time of the next calendar day: 20:00 EST, 21:00 EDT of its own evening."""
_LOCK_TIMEOUT_S = 10.0
_MISSES_NAMED = 5


@dataclass(frozen=True, slots=True)
class Objective:
    """What is promised: the share of ``unit`` that may be bad over the window."""

    name: ObjectiveName
    says: str
    unit: Literal["dates", "symbol-days"]
    allowed_share: float

    @property
    def target(self) -> float:
        """Least share that must be good."""
        return 1.0 - self.allowed_share


def declared_objectives(chosen: ObjectiveSettings) -> tuple[Objective, ...]:
    """The objectives of the settings."""
    clock = f"{chosen.deadline:%H:%M} ET" + (" next morning" if chosen.deadline < dt.time(12) else "")
    return (
        Objective("nightly_done", f"a date is complete by {clock}", "dates", 1 - chosen.nightly_done),
        Objective("freshness", "a date is complete before the next one begins", "dates", 1 - chosen.freshness),
        Objective("failure_share", "a symbol-day does not fail", "symbol-days", chosen.failure_share),
    )


@dataclass(frozen=True, slots=True)
class Attainment:
    """How far an objective was kept: good events among all so far, and how many bad ones a whole window allows."""

    objective: Objective
    good: int
    total: int
    allowed: float
    missed: tuple[str, ...] = ()

    @property
    def bad(self) -> int:
        """Events that broke the promise."""
        return self.total - self.good

    @property
    def compliance(self) -> float | None:
        """Share of good events; None before the first."""
        return self.good / self.total if self.total else None

    @property
    def budget_used(self) -> float | None:
        """Bad events by what a whole window allows: 1 is all of the error budget; None before the first event.

        Examples
        --------
        >>> objective = Objective("nightly_done", "", "dates", 0.05)
        >>> Attainment(objective, good=19, total=20, allowed=1.0).budget_used
        1.0
        """
        return self.bad / self.allowed if self.total else None

    @property
    def is_met(self) -> bool | None:
        """Whether no more than the budget is used; None before the first event."""
        used = self.budget_used
        return None if used is None else used <= 1.0

    def __str__(self) -> str:
        name, unit = self.objective.name, self.objective.unit
        if self.compliance is None or self.budget_used is None:
            return f"{name}: no date yet"
        text = (
            f"{name}: {self.good:,} of {self.total:,} {unit} ({self.compliance:.1%}, wanted"
            f" {self.objective.target:.1%}), {self.budget_used:.0%} of the error budget used"
        )
        more = len(self.missed) - _MISSES_NAMED
        named = ", ".join(self.missed[:_MISSES_NAMED]) + (f" and {more} more" if more > 0 else "")
        return f"{text}; not {named}" if self.missed else text


@dataclass(frozen=True, slots=True)
class ObjectiveState:
    """Objectives and freshness at an instant.

    ``outcomes`` are of the dates looked at, oldest first. ``last_due`` is the last date whose deadline has passed,
    ``last_partition`` the last one that has a partition, ``newest_complete`` the newest complete one of the window or,
    without any, of as many stored before it (None: none is). ``overdue_s`` is the time since the deadline of
    ``last_due`` while that is not complete, and 0 when it is [s]. Before the store's first date nothing is due: then
    they are None.
    """

    at: dt.datetime
    attainments: tuple[Attainment, ...]
    outcomes: tuple[DateOutcome, ...] = ()
    last_due: dt.date | None = None
    last_partition: dt.date | None = None
    newest_complete: dt.date | None = None
    overdue_s: float | None = None

    def outcome(self, date: dt.date | None) -> DateOutcome | None:
        """The outcome of a date, None when it was not looked at."""
        return next((one for one in self.outcomes if one.date == date), None)

    @property
    def age_dates(self) -> int | None:
        """Trading dates from the newest complete one to the last that has a partition; None when none is complete."""
        if self.newest_complete is None or self.last_partition is None:
            return None
        return max(0, count_trading_dates(self.newest_complete, self.last_partition) - 1)


def deadline_of(date: dt.date, chosen: ObjectiveSettings) -> dt.datetime:
    """When a date must be complete, Eastern Time.

    Examples
    --------
    >>> str(deadline_of(dt.date(2025, 11, 28), ObjectiveSettings(deadline=dt.time(6, 30))))
    '2025-11-29 06:30:00-05:00'
    """
    days = 1 if chosen.deadline < dt.time(12) else 0
    return dt.datetime.combine(date + dt.timedelta(days=days), chosen.deadline, EASTERN)


def partition_appears(date: dt.date) -> dt.datetime:
    """When a date's partition appears and its run may begin."""
    return dt.datetime.combine(date + dt.timedelta(days=1), _PARTITION_APPEARS_UTC, dt.UTC)


def latest_dates(now: dt.datetime, count: int, instant_of: Callable[[dt.date], dt.datetime]) -> tuple[dt.date, ...]:
    """The last ``count`` trading dates whose instant is not after ``now``, oldest first."""
    last = last_trading_date_on_or_before(now.astimezone(EASTERN).date())
    known = (*trading_dates_before(last, count + 2), last)
    return tuple(date for date in known if instant_of(date) <= now)[-count:]


def objective_state(store: Store, settings: Settings, chosen: ObjectiveSettings, now: dt.datetime) -> ObjectiveState:
    """Objectives and freshness as the store tells them.

    Parameters
    ----------
    store : Store
    settings : Settings
        Whose symbols are expected, and whose home knows when dates were first complete.
    chosen : ObjectiveSettings
    now : datetime
        With a time zone.

    Raises
    ------
    StoreError
        A light table or the history of first completions cannot be read.
    """
    due = latest_dates(now, chosen.window_dates, lambda date: deadline_of(date, chosen))
    begun = latest_dates(now, chosen.window_dates, partition_appears)
    known = store.manifest.dates("raw_ticks")
    dates = [date for date in sorted({*due, *begun}) if known and date >= known[0]]
    first = read_first_complete(settings.home)
    outcomes = date_outcomes(
        store, settings, dates, first_complete=first, is_due=lambda date: now >= deadline_of(date, chosen)
    )
    stamp = read_stamp(store.root)
    complete = _newest_complete(outcomes)
    if complete is None:  # nothing of the window: then of the dates stored before it
        earlier = [date for date in known if date not in dates][-chosen.window_dates :]
        complete = _newest_complete(date_outcomes(store, settings, earlier, is_due=lambda _: True))
    last_due = next((one for one in reversed(outcomes) if one.date in due), None)
    return ObjectiveState(
        at=now,
        attainments=_attainments(outcomes, settings, chosen, now, stamp.created_at if stamp is not None else None),
        outcomes=tuple(outcomes),
        last_due=last_due.date if last_due is not None else None,
        last_partition=begun[-1] if dates else None,
        newest_complete=complete,
        overdue_s=_overdue(last_due, chosen, now) if last_due is not None else None,
    )


def _newest_complete(outcomes: Sequence[DateOutcome]) -> dt.date | None:
    return max((one.date for one in outcomes if one.verdict == "complete"), default=None)


def _overdue(outcome: DateOutcome, chosen: ObjectiveSettings, now: dt.datetime) -> float:
    return 0.0 if outcome.verdict == "complete" else (now - deadline_of(outcome.date, chosen)).total_seconds()


def _attainments(
    outcomes: Sequence[DateOutcome],
    settings: Settings,
    chosen: ObjectiveSettings,
    now: dt.datetime,
    since: dt.datetime | None,
) -> tuple[Attainment, ...]:
    """Dates whose deadline was over before the store was made could not be kept: they do not count as late."""
    due = [one for one in outcomes if deadline_of(one.date, chosen) <= now][-chosen.window_dates :]
    served = [one for one in due if since is None or deadline_of(one.date, chosen) > since]
    done, fresh, share = declared_objectives(chosen)
    return (
        _of_dates(done, served, chosen, lambda one: _by(one, deadline_of(one.date, chosen), now)),
        _of_dates(fresh, served, chosen, lambda one: _by(one, partition_appears(next_trading_date(one.date)), now)),
        _of_symbol_days(share, due, chosen, len(settings.symbols)),
    )


def _by(outcome: DateOutcome, instant: dt.datetime, now: dt.datetime) -> bool | None:
    """Whether a date was complete by an instant; None while it still may be."""
    if outcome.complete_at is not None:
        return outcome.complete_at <= instant
    return False if now > instant else None


def _of_dates(
    objective: Objective,
    outcomes: Sequence[DateOutcome],
    chosen: ObjectiveSettings,
    is_good: Callable[[DateOutcome], bool | None],
) -> Attainment:
    judged = {one.date: good for one in outcomes if (good := is_good(one)) is not None}
    missed = tuple(str(date) for date, good in sorted(judged.items(), reverse=True) if not good)
    allowed = round(objective.allowed_share * chosen.window_dates, 9)
    return Attainment(objective, sum(judged.values()), len(judged), allowed, missed)


def _of_symbol_days(
    objective: Objective, outcomes: Sequence[DateOutcome], chosen: ObjectiveSettings, symbols: int
) -> Attainment:
    failed = [f"{symbol} {one.date}" for one in reversed(outcomes) for symbol in sorted(one.failed)]
    total = symbols * len(outcomes)
    allowed = round(objective.allowed_share * chosen.window_dates * symbols, 9)
    return Attainment(objective, total - len(failed), total, allowed, tuple(failed))


def objective_lines(state: ObjectiveState) -> list[str]:
    """What ``fuzzy status`` says of the objectives, a line each, and of what is overdue."""
    lines = [str(one) for one in state.attainments]
    if state.overdue_s and state.last_due is not None:
        lines.append(f"overdue: {state.last_due} is not complete, {state.overdue_s / 3600:.1f} h after its deadline")
    return lines


# -- when dates were first complete -----------------------------------------------------


def read_first_complete(home: Path) -> dict[dt.date, dt.datetime]:
    """Date -> when it was first seen complete; empty before anything was noted.

    Raises
    ------
    StoreError
        The file cannot be read, or is damaged.
    """
    path = home / FIRST_COMPLETE
    with disk_errors(f"reading {path}"):
        try:
            found = json.loads(path.read_bytes())
            return {dt.date.fromisoformat(date): dt.datetime.fromisoformat(at) for date, at in found.items()}
        except FileNotFoundError:
            return {}
        except (ValueError, AttributeError, TypeError) as error:
            raise StoreError(
                f"{path} is damaged ({error}). Restore it from a copy, or remove it: dates then count by their latest"
                " commit, so that rebuilt ones may look late"
            ) from error


def note_first_complete(home: Path, outcomes: Sequence[DateOutcome]) -> Mapping[dt.date, dt.datetime]:
    """Keep when dates were complete that are so for the first time; what was noted before stays. All that is kept.

    Raises
    ------
    StoreError
        The file cannot be read or written.
    """
    path = home / FIRST_COMPLETE
    complete = {one.date: one.complete_at for one in outcomes if one.complete_at is not None}
    if complete.keys() <= (known := read_first_complete(home)).keys():
        return known
    what = f"writing {path}"
    with disk_errors(what), held(path.with_name(f".{path.name}.lock"), _LOCK_TIMEOUT_S, what):
        merged = sorted((complete | read_first_complete(home)).items())[-_KEPT_DATES:]
        temporary = path.with_name(f".{path.name}.tmp")
        text = json.dumps({str(date): at.isoformat() for date, at in merged}, indent=0)
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(path)
    return dict(merged)

"""What became of trading dates: verdict, when they were complete, and who failed.

Belongs here: reading these from the manifest and the check results, columns only, many dates at once.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fuzzy_pipeline.quality.verdict import verdict_of_date
from fuzzy_pipeline.schema.quality import CHECK_RESULTS_TABLE, WHOLE_DATE, DateVerdict, RuleResult
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.stores.store import Store

_RESULT_COLUMNS = (
    "symbol", "date", "rule", "table", "severity", "outcome", "observed", "reason", "evaluated_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a symbol failed on a date: the failure furthest upstream that no later commit mended."""

    table: str
    error_type: str
    reason: str


@dataclass(frozen=True, slots=True)
class DateOutcome:
    """A trading date: its verdict now, why, when it was (first) complete, and which expected symbols failed."""

    date: dt.date
    verdict: DateVerdict
    reasons: tuple[str, ...]
    complete_at: dt.datetime | None
    failed: Mapping[str, Failure] = field(default_factory=dict)
    stored: int = 0


@dataclass(slots=True)
class _Facts:
    """What the light tier holds of a date."""

    committed: dict[str, dict[str, dt.datetime]] = field(default_factory=lambda: defaultdict(dict))
    failed: dict[str, Failure] = field(default_factory=dict)
    errors: list[RuleResult] = field(default_factory=list)
    witness: list[RuleResult] = field(default_factory=list)
    judged_at: dt.datetime | None = None


def date_outcomes(
    store: Store,
    settings: Settings,
    dates: Sequence[dt.date],
    *,
    is_due: Callable[[dt.date], bool],
    first_complete: Mapping[dt.date, dt.datetime] | None = None,
) -> list[DateOutcome]:
    """Outcomes of trading dates, in their order.

    A symbol counts as stored when all tables are committed and none failed since, as in ``fuzzy status``.

    Parameters
    ----------
    store : Store
    settings : Settings
        Whose symbols and tables are expected.
    dates : sequence of date
    is_due : callable
        Whether everything of a date should be there by now; a date that is not may be pending.
    first_complete : mapping of date to datetime, optional
        When dates were first seen complete: counts before what a rebuild says.

    Raises
    ------
    StoreError
        A light table cannot be read.
    """
    if not dates:
        return []
    tables = pipeline_tables(settings)
    facts = {date: _Facts() for date in dates}
    for table in tables:
        _read_commits(store, settings, table, facts)
        _read_failures(store, settings, table, facts)
    _read_results(store, settings, facts)
    return [
        _outcome(date, facts[date], settings, tables, (first_complete or {}).get(date), due=is_due(date))
        for date in dates
    ]


def _outcome(
    date: dt.date, facts: _Facts, settings: Settings, tables: Sequence[str], first: dt.datetime | None, *, due: bool
) -> DateOutcome:
    stored = set(settings.symbols) - set(facts.failed)
    for table in tables:
        stored &= set(facts.committed[table])
    why = {symbol: failure.reason for symbol, failure in facts.failed.items()}
    found = verdict_of_date(date, settings.symbols, stored, why, [*facts.errors, *facts.witness], after_deadline=due)
    complete_at = first
    if found.verdict == "complete":
        instants = [at for table in tables for at in facts.committed[table].values()]
        instants += [facts.judged_at] if facts.judged_at is not None else []
        complete_at = min(max(instants), first) if first is not None else max(instants)
    return DateOutcome(date, found.verdict, tuple(found.reasons), complete_at, facts.failed, len(stored))


def _read_commits(store: Store, settings: Settings, table: str, facts: Mapping[dt.date, _Facts]) -> None:
    names = ("symbol", "date", "committed_at")
    for symbol, date, at in _lines(_read(store, settings, f"manifest/{table}", facts, names), names):
        facts[date].committed[table][symbol] = at


def _read_failures(store: Store, settings: Settings, table: str, facts: Mapping[dt.date, _Facts]) -> None:
    """Failures upstream come first, and the first is the cause of the others."""
    names = ("symbol", "date", "error_type", "reason", "failed_at")
    for symbol, date, error_type, reason, failed_at in _lines(
        _read(store, settings, f"failures/{table}", facts, names), names
    ):
        committed_at = facts[date].committed[table].get(symbol)
        if committed_at is None or committed_at < failed_at:
            facts[date].failed.setdefault(symbol, Failure(table, error_type, reason))


def _read_results(store: Store, settings: Settings, facts: Mapping[dt.date, _Facts]) -> None:
    """Errors, one result of any kind a date (that rules were judged at all), and when they were."""
    symbols = [*settings.symbols, WHOLE_DATE]
    rows = store.light.read(CHECK_RESULTS_TABLE, dates=list(facts), symbols=symbols, columns=_RESULT_COLUMNS)
    if rows is None or not rows.num_rows:
        return
    broken = pc.and_(pc.equal(rows["outcome"], "failed"), pc.equal(rows["severity"], "error"))
    for row in rows.filter(broken).to_pylist():
        facts[row["date"]].errors.append(RuleResult.model_construct(None, **row))
    for others in (rows.filter(pc.equal(rows["outcome"], "passed")), rows.filter(pc.invert(broken))):
        places = {date: place for place, date in enumerate(others["date"].to_pylist()) if not facts[date].witness}
        for row in others.take(list(places.values())).to_pylist() if places else ():
            facts[row["date"]].witness.append(RuleResult.model_construct(None, **row))
    last = rows.group_by("date").aggregate([("evaluated_at", "max")])
    for date, at in zip(last["date"].to_pylist(), last["evaluated_at_max"].to_pylist(), strict=True):
        facts[date].judged_at = at


def _read(
    store: Store, settings: Settings, table: str, facts: Mapping[dt.date, _Facts], columns: Sequence[str]
) -> pa.Table | None:
    return store.light.read(table, dates=list(facts), symbols=settings.symbols, columns=columns)


def _lines(rows: pa.Table | None, names: Iterable[str]) -> Iterable[tuple[Any, ...]]:
    return () if rows is None else zip(*(rows[name].to_pylist() for name in names), strict=True)

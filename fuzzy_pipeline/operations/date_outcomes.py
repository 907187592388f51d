"""What became of trading dates: verdict, when they were complete, and who failed.

Belongs here: reading these from the manifest and the check results, columns only, many dates at once.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from fuzzy_pipeline.quality.verdict import verdict_of_date
from fuzzy_pipeline.schema.quality import CHECK_RESULTS_TABLE, WHOLE_DATE, DateVerdict, RuleResult
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.stores.store import Store

_JUDGED = ("date", "severity", "outcome", "evaluated_at")
_DESCRIBED = ("symbol", "date", "rule", "table", "severity", "outcome", "observed", "reason")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a symbol failed on a date: the failure furthest upstream that no later commit mended."""

    table: str
    error_type: str
    reason: str


@dataclass(frozen=True, slots=True)
class DateOutcome:
    """A trading date: its verdict now, why, when it was (first) complete, which expected symbols failed.

    ``absent`` counts those that are neither stored nor failed.
    """

    date: dt.date
    verdict: DateVerdict
    reasons: tuple[str, ...]
    complete_at: dt.datetime | None
    failed: Mapping[str, Failure] = field(default_factory=dict)
    absent: int = 0


@dataclass(slots=True)
class _Facts:
    """What the light tier holds of a date: ``absent`` lack some table, ``begun`` have ticks.

    ``ready_at`` is when the last piece came.
    """

    begun: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    failed: dict[str, Failure] = field(default_factory=dict)
    results: list[RuleResult] = field(default_factory=list)
    ready_at: dt.datetime | None = None

    def was_ready(self, at: dt.datetime) -> None:
        """Another piece was there at an instant."""
        self.ready_at = at if self.ready_at is None else max(self.ready_at, at)


def date_outcomes(
    store: Store,
    settings: Settings,
    dates: Sequence[dt.date],
    *,
    is_due: Callable[[dt.date], bool],
    first_complete: Mapping[dt.date, dt.datetime] | None = None,
) -> list[DateOutcome]:
    """Outcomes of trading dates, in their order.

    A symbol counts as stored when all tables are committed, or retired, and none failed since, as in ``fuzzy status``.

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
    facts = {date: _Facts() for date in dates}
    ticks: pa.Table | None = None
    for table in pipeline_tables(settings):
        commits = _commits(store, settings, table, facts)
        _note_commits(commits, settings, facts)
        _note_failures(store, settings, table, commits, facts)
        ticks = commits if table == RAW_TICKS.name else ticks
    _note_begun(ticks, facts)
    _note_results(store, settings, facts)
    return [_outcome(date, facts[date], settings, (first_complete or {}).get(date), due=is_due(date)) for date in dates]


def _outcome(date: dt.date, facts: _Facts, settings: Settings, first: dt.datetime | None, *, due: bool) -> DateOutcome:
    stored = set(settings.symbols) - facts.absent - set(facts.failed)
    why = {symbol: failure.reason for symbol, failure in facts.failed.items()}
    found = verdict_of_date(date, settings.symbols, stored, why, facts.results, after_deadline=due, begun=facts.begun)
    complete_at = first
    if found.verdict == "complete" and facts.ready_at is not None:
        complete_at = facts.ready_at if first is None else min(first, facts.ready_at)
    return DateOutcome(date, found.verdict, tuple(found.reasons), complete_at, facts.failed, len(found.missing))


def _commits(store: Store, settings: Settings, table: str, facts: Mapping[dt.date, _Facts]) -> pa.Table | None:
    """When symbols of a table were committed, also those whose rows are retired since."""
    columns = ("symbol", "date", "committed_at")
    held = _read(store, settings, f"manifest/{table}", facts, columns)
    retired = _read(store, settings, f"retired/{table}", facts, columns)
    if held is None or retired is None:
        return retired if held is None else held
    gone = retired.join(held.select(["symbol", "date"]), keys=["symbol", "date"], join_type="left anti")
    return pa.concat_tables([held, gone.select(held.column_names)])


def _note_commits(rows: pa.Table | None, settings: Settings, facts: Mapping[dt.date, _Facts]) -> None:
    """Counted in Arrow: only dates on which symbols lack are looked at symbol by symbol."""
    expected = set(settings.symbols)
    counts: dict[dt.date, int] = {}
    if rows is not None:
        names = ("date", "symbol_count", "committed_at_max")
        by_date = rows.group_by("date").aggregate([("symbol", "count"), ("committed_at", "max")])
        for date, count, at in _lines(by_date, names):
            counts[date] = count
            facts[date].was_ready(at)
    for date, own in facts.items():
        if rows is None or date not in counts:
            own.absent |= expected
        elif counts[date] < len(expected):
            own.absent |= expected - set(rows.filter(pc.equal(rows["date"], date))["symbol"].to_pylist())


def _note_begun(rows: pa.Table | None, facts: Mapping[dt.date, _Facts]) -> None:
    """Symbols with ticks, on dates on which some lack a table or failed: elsewhere nobody asks."""
    lacking = [date for date, own in facts.items() if own.absent or own.failed]
    if rows is None or not lacking:
        return
    for symbol, date in _lines(rows.filter(pc.is_in(rows["date"], pa.array(lacking, pa.date32()))), ("symbol", "date")):
        facts[date].begun.add(symbol)


def _note_failures(
    store: Store, settings: Settings, table: str, commits: pa.Table | None, facts: Mapping[dt.date, _Facts]
) -> None:
    """Failures that no later commit mended; tables come upstream first, and the first failure causes the others."""
    names = ("symbol", "date", "error_type", "reason", "failed_at")
    rows = _read(store, settings, f"failures/{table}", facts, names)
    if rows is None or not rows.num_rows:
        return
    committed: dict[tuple[str, dt.date], dt.datetime] = {}
    if commits is not None:
        of_failed = commits.filter(pc.is_in(commits["symbol"], value_set=pc.unique(rows["symbol"])))
        lines = _lines(of_failed, ("symbol", "date", "committed_at"))
        committed = {(symbol, date): at for symbol, date, at in lines}
    for symbol, date, error_type, reason, failed_at in _lines(rows, names):
        at = committed.get((symbol, date))
        if at is None or at < failed_at:
            facts[date].failed.setdefault(symbol, Failure(table, error_type, reason))


def _note_results(store: Store, settings: Settings, facts: Mapping[dt.date, _Facts]) -> None:
    """Errors as they are, and for each date one result that passed: that rules were judged at all."""
    symbols = [*settings.symbols, WHOLE_DATE]
    rows = store.light.read(CHECK_RESULTS_TABLE, dates=list(facts), symbols=symbols, columns=_JUDGED)
    if rows is None or not rows.num_rows:
        return
    for date, at in _lines(rows.group_by("date").aggregate([("evaluated_at", "max")]), ("date", "evaluated_at_max")):
        facts[date].was_ready(at)
    for date in pc.unique(rows.filter(pc.equal(rows["outcome"], "passed"))["date"]).to_pylist():
        facts[date].results.append(_passed(date))
    broken = pc.and_(pc.equal(rows["outcome"], "failed"), pc.equal(rows["severity"], "error"))
    unknown = pc.and_(pc.equal(rows["outcome"], "could_not_run"), pc.equal(rows["severity"], "error"))
    told = set(pc.unique(rows.filter(pc.or_(broken, unknown))["date"]).to_pylist())
    told |= {d for d, own in facts.items() if not own.results}
    details = store.light.read(CHECK_RESULTS_TABLE, dates=sorted(told), symbols=symbols, columns=_DESCRIBED)
    for row in details.to_pylist() if told and details is not None else ():
        if row["outcome"] != "passed":
            facts[row["date"]].results.append(RuleResult.model_construct(None, **row))


def _passed(date: dt.date) -> RuleResult:
    return RuleResult.model_construct(
        None, symbol=WHOLE_DATE, date=date, rule="", table="", severity="warning", outcome="passed"
    )


def _read(
    store: Store, settings: Settings, table: str, facts: Mapping[dt.date, _Facts], columns: Sequence[str]
) -> pa.Table | None:
    return store.light.read(table, dates=list(facts), symbols=settings.symbols, columns=columns)


def _lines(rows: pa.Table, names: Iterable[str]) -> Iterable[tuple[Any, ...]]:
    return zip(*(rows[name].to_pylist() for name in names), strict=True)

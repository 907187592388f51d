"""Filling the report of a range of dates: the same facts as a date's report, added up."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from fuzzy_pipeline.quality.validation import HARD_RULES
from fuzzy_pipeline.report.contents import CheckColumn, RangeReport, TrendPoint, WorstSymbol
from fuzzy_pipeline.report.facts import DateFacts, date_facts, verdict_of_result
from fuzzy_pipeline.report.gather import heading, trend_point
from fuzzy_pipeline.report.set_aside import RuleCounts, flag_counts, quarantine_counts, rule_totals, soft_meanings
from fuzzy_pipeline.report.verdicts import judged
from fuzzy_pipeline.report.wording import count
from fuzzy_pipeline.schema.quality import WHOLE_DATE, DateVerdict, Severity, VerdictOfDate
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import now_eastern, trading_dates

VERDICTS: tuple[DateVerdict, ...] = ("complete", "degraded", "pending", "missing")


@dataclass(slots=True)
class _SymbolSum:
    """What adds up for one symbol over the dates."""

    failed: int = 0
    incomplete: int = 0
    said: Counter[str] = field(default_factory=Counter)
    set_aside: int = 0
    scores: dict[dt.date, float] = field(default_factory=dict)


def gather_range(
    store: Store, settings: Settings, start: dt.date, end: dt.date, *, now: dt.datetime | None = None
) -> RangeReport:
    """All that the report of a range of trading dates says.

    Parameters
    ----------
    store, settings
        As in ``gather_date``.
    start, end : date
        Both included; they need not trade.
    now : datetime, optional
        When the report is made. Default: the present.

    Returns
    -------
    RangeReport
        ``dates`` is empty when none of the range trades.

    Raises
    ------
    CalendarError
        The dates are swapped or outside the calendar.
    """
    made_at = now or now_eastern()
    tables = pipeline_tables(settings)
    points: list[TrendPoint] = []
    sums: dict[str, _SymbolSum] = {}
    checks: dict[tuple[str, Severity], Counter[str]] = {}
    about: dict[str, set[str]] = {}
    hard: RuleCounts = Counter()
    soft: RuleCounts = Counter()
    not_read: list[str] = []
    for date in trading_dates(start, end):
        facts = date_facts(store, date, tables)
        verdict = judged(facts, settings.symbols, made_at)
        points.append(trend_point(facts, verdict, settings))
        hard += quarantine_counts(store, facts)
        soft += flag_counts(store, facts)
        _add_symbols(sums, facts, verdict)
        _add_checks(checks, about, facts)
        not_read += facts.not_read
    worst = _worst(sums)
    return RangeReport(
        heading=heading(store, settings, made_at, not_read),
        start=start,
        end=end,
        dates=points,
        verdicts={verdict: sum(point.verdict == verdict for point in points) for verdict in VERDICTS},
        sentence=_sentence(points),
        symbols=worst,
        quiet_symbols=len({*sums, *settings.symbols}) - len(worst),
        rules=rule_totals(hard, HARD_RULES),
        flags=rule_totals(soft, soft_meanings()),
        failed_checks=_columns(checks, about),
    )


def _add_symbols(sums: dict[str, _SymbolSum], facts: DateFacts, verdict: VerdictOfDate) -> None:
    for symbol in verdict.failed:
        sums.setdefault(symbol, _SymbolSum()).failed += 1
    for symbol in verdict.missing:
        if facts.symbols or verdict.failed:  # a date nobody has asked for yet says nothing of a symbol
            sums.setdefault(symbol, _SymbolSum()).incomplete += 1
    for result in facts.results:
        if result.symbol != WHOLE_DATE:
            sums.setdefault(result.symbol, _SymbolSum()).said[verdict_of_result(result)] += 1
    for symbol, row in facts.symbols.items():
        own = sums.setdefault(symbol, _SymbolSum())
        own.set_aside += row.set_aside
        if row.score is not None:
            own.scores[facts.date] = row.score


def _add_checks(checks: dict[tuple[str, Severity], Counter[str]], about: dict[str, set[str]], facts: DateFacts) -> None:
    for result in facts.results:
        checks.setdefault((result.rule, result.severity), Counter())[result.outcome] += 1
        about.setdefault(result.rule, set()).add(result.table)
    for (rule, table, severity), passed in facts.passed.items():
        checks.setdefault((rule, severity), Counter())["passed"] += passed
        about.setdefault(rule, set()).add(table)


def _columns(checks: dict[tuple[str, Severity], Counter[str]], about: dict[str, set[str]]) -> list[CheckColumn]:
    columns = [
        CheckColumn(
            rule=rule,
            tables=sorted(about[rule]),
            severity=severity,
            passed=counted["passed"],
            failed=counted["failed"],
            could_not_run=counted["could_not_run"],
        )
        for (rule, severity), counted in checks.items()
        if counted["failed"] or counted["could_not_run"]
    ]
    return sorted(columns, key=lambda column: (column.severity, -column.failed, -column.could_not_run, column.rule))


def _worst(sums: dict[str, _SymbolSum]) -> list[WorstSymbol]:
    rows = []
    for symbol, own in sums.items():
        if not (own.failed or own.incomplete or own.said["error"] or own.said["warning"]):
            continue
        least = min(own.scores, key=lambda date: (own.scores[date], date), default=None)
        rows.append(
            WorstSymbol(
                symbol=symbol,
                dates_failed=own.failed,
                dates_incomplete=own.incomplete,
                errors=own.said["error"],
                warnings=own.said["warning"],
                could_not_run=own.said["could_not_run"],
                set_aside=own.set_aside,
                score_median=float(np.median(list(own.scores.values()))) if own.scores else None,
                score_least=own.scores[least] if least else None,
                least_date=least,
            )
        )
    return sorted(
        rows,
        key=lambda row: (
            -row.dates_failed, -row.errors, -row.dates_incomplete, -row.warnings, -row.could_not_run, row.symbol,
        ),
    )  # fmt: skip


def _sentence(points: Sequence[TrendPoint]) -> str:
    if not points:
        return "No trading date lies in this range."
    counted = Counter(point.verdict for point in points)
    if len(counted) == 1:
        verdict = points[0].verdict
        return (
            f"The only trading date is {verdict}." if len(points) == 1 else f"All {len(points):,} dates are {verdict}."
        )
    said = [f"{counted[verdict]:,} {verdict}" for verdict in VERDICTS if counted[verdict]]
    return f"Of {count(len(points), 'trading date')} {', '.join(said[:-1])} and {said[-1]}."

"""What a person should do something about: failures, missing symbols and checks, grouped, with commands to try.

Belongs here: grouping by cause and ordering by weight. "Could not run" is never joined with "failed".
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence

from fuzzy_pipeline.query.coverage import DayCoverage
from fuzzy_pipeline.report.contents import CheckColumn, FailureGroup, Finding, FindingSymbol, SymbolRow
from fuzzy_pipeline.report.facts import SymbolFacts, verdict_of_result
from fuzzy_pipeline.schema.quality import WHOLE_DATE, Outcome, RuleResult
from fuzzy_pipeline.schema.tables import RAW_TICKS

_ORDER = {"error": 0, "warning": 1, "could_not_run": 2}
_ABSENT = ("failed", "missing", "partial")
_OUTCOMES: tuple[Outcome, ...] = ("failed", "could_not_run", "passed")
_QUARANTINE_WORDS = ("set_aside", "quarantine")
_NAMED_SYMBOLS = 20
"""A command names so many symbols; for more it is about the whole date."""


def run_command(date: dt.date, symbols: Sequence[str], *, force: bool = False) -> str:
    """The command that makes the symbols' tables of a date, again where they are out of date."""
    return f"fuzzy run {date}{_option('--symbols', symbols)}{' --force' if force else ''}"


def quarantine_command(date: dt.date, symbols: Sequence[str]) -> str:
    """The command that lists what was set aside."""
    return f"fuzzy quarantine list --date {date}{_option('--symbol', symbols)}"


def _option(name: str, symbols: Sequence[str]) -> str:
    return f" {name} {','.join(symbols)}" if 0 < len(symbols) <= _NAMED_SYMBOLS else ""


def failure_groups(days: Sequence[DayCoverage]) -> list[FailureGroup]:
    """Failures by table and reason, the largest group first; what failed because of another failure is named in it."""
    groups: dict[tuple[str, str, str], list[DayCoverage]] = {}
    for day in days:
        cause = day.cause
        if cause is not None:
            groups.setdefault((cause.table, cause.error_type, _without(cause.reason, day.symbol)), []).append(day)
    found = [_failure_group(key, group) for key, group in groups.items()]
    return sorted(found, key=lambda group: (-len(group.symbols), group.table, group.symbols))


def _failure_group(key: tuple[str, str, str], days: Sequence[DayCoverage]) -> FailureGroup:
    table, error_type, reason = key
    symbols = [day.symbol for day in days]
    causes = [day.failures[0] for day in days]
    blocked = dict.fromkeys(failure.table for day in days for failure in day.failures[1:])
    commands = [run_command(days[0].date, symbols)]
    return FailureGroup(
        table=table,
        error_type=error_type,
        reason=causes[0].reason if len(days) == 1 else reason,
        symbols=symbols,
        blocked_tables=list(blocked),
        failed_at=max(cause.failed_at for cause in causes),
        attempts=max(cause.attempts for cause in causes),
        older_results_kept=any(day.rows for day in days) and all(table in day.rows for day in days if day.rows),
        commands=commands,
    )


def _without(reason: str, symbol: str) -> str:
    """A reason without its symbol, so that the same one of several symbols is the same text."""
    return " ".join("…" if word.strip(":,;()") == symbol else word for word in reason.split(" "))


def findings(results: Sequence[RuleResult]) -> list[Finding]:
    """Checks that did not pass, each once with its symbols: failed errors, failed warnings, then could not run."""
    groups: dict[tuple[str, str, str], list[RuleResult]] = {}
    for result in results:
        if result.outcome != "passed":
            groups.setdefault((verdict_of_result(result), result.severity, result.rule), []).append(result)
    ordered = sorted(groups.items(), key=lambda item: (_ORDER[item[0][0]], item[0][1], -len(item[1]), item[0][2]))
    return [_finding(group) for _, group in ordered]


def _finding(results: Sequence[RuleResult]) -> Finding:
    first = results[0]
    ordered = sorted(results, key=lambda result: (-_distance(result), result.symbol, result.table))
    symbols = dict.fromkeys(result.symbol for result in ordered if result.symbol != WHOLE_DATE)
    return Finding(
        rule=first.rule,
        tables=sorted({result.table for result in results}),
        measure=first.measure,
        severity=first.severity,
        outcome=first.outcome,
        reason=Counter(result.reason for result in ordered).most_common(1)[0][0],
        symbols=[
            FindingSymbol(
                symbol=result.symbol,
                table=result.table,
                observed=result.observed,
                minimum=result.minimum,
                maximum=result.maximum,
                reason=result.reason,
            )
            for result in ordered
        ],
        commands=_commands(first, list(symbols)),
    )


def _distance(result: RuleResult) -> float:
    """How far a value lies outside its bounds, in its own unit; 0 when that is not known."""
    if result.observed is None:
        return 0.0
    below = result.minimum - result.observed if result.minimum is not None else 0.0
    above = result.observed - result.maximum if result.maximum is not None else 0.0
    return max(below, above, 0.0)


def _commands(result: RuleResult, symbols: Sequence[str]) -> list[str]:
    if not symbols or result.outcome == "could_not_run":
        return []
    if any(word in f"{result.rule} {result.measure}" for word in _QUARANTINE_WORDS):
        return [quarantine_command(result.date, symbols)]
    # What was stored as it came does not change by being computed again: the source has to be asked again.
    return [run_command(result.date, symbols, force=True)] if result.severity == "error" else []


def check_columns(results: Sequence[RuleResult]) -> list[CheckColumn]:
    """One column per check about symbols; those that passed for all come last, and errors before warnings.

    A symbol counts once, with the worst of the tables.
    """
    rules: dict[str, list[RuleResult]] = {}
    for result in results:
        if result.symbol != WHOLE_DATE:
            rules.setdefault(result.rule, []).append(result)
    columns = []
    for rule, own in rules.items():
        counted = Counter(worst_outcomes(own).values())
        columns.append(
            CheckColumn(
                rule=rule,
                tables=sorted({result.table for result in own}),
                severity=own[0].severity,
                passed=counted["passed"],
                failed=counted["failed"],
                could_not_run=counted["could_not_run"],
            )
        )
    return sorted(
        columns,
        key=lambda c: (not (c.failed or c.could_not_run), c.severity, -c.failed, -c.could_not_run, c.rule),
    )


def worst_outcomes(results: Sequence[RuleResult]) -> dict[str, Outcome]:
    """Symbol -> worst outcome of one check: failed before could not run before passed."""
    worst: dict[str, Outcome] = {}
    for result in results:
        held = worst.get(result.symbol, "passed")
        worst[result.symbol] = min(held, result.outcome, key=_OUTCOMES.index)
    return worst


def symbol_rows(
    days: Mapping[str, DayCoverage],
    tables: Sequence[str],
    expected: Sequence[str],
    facts: Mapping[str, SymbolFacts],
    results: Sequence[RuleResult],
) -> list[SymbolRow]:
    """One row per symbol, the worst first: failed, missing, errors, then the lowest score."""
    checks: dict[str, dict[str, Outcome]] = {}
    weight: dict[str, list[int]] = {}
    judged = {result.rule for result in results if result.outcome != "could_not_run"}
    for result in results:
        own = checks.setdefault(result.symbol, {})
        own[result.rule] = min(own.get(result.rule, "passed"), result.outcome, key=_OUTCOMES.index)
        # A check that could run for no symbol says nothing about one of them.
        if result.outcome != "passed" and result.rule in judged:
            weight.setdefault(result.symbol, [0, 0, 0])[_ORDER[verdict_of_result(result)]] += 1
    rows = [
        _symbol_row(day, tables, expected, facts.get(symbol), checks.get(symbol, {}), symbol in weight)
        for symbol, day in days.items()
    ]

    def badness(row: SymbolRow) -> tuple[int, list[int], bool, float, str]:
        absent = _ABSENT.index(row.state) if row.state in _ABSENT else len(_ABSENT)
        failed = [-number for number in weight.get(row.symbol, [0, 0, 0])]
        return absent, failed, row.state != "stale", row.score if row.score is not None else -1.0, row.symbol

    return sorted(rows, key=badness)


def _symbol_row(
    day: DayCoverage,
    tables: Sequence[str],
    expected: Sequence[str],
    facts: SymbolFacts | None,
    checks: dict[str, Outcome],
    objected: bool,
) -> SymbolRow:
    state = day.state(tables)
    held = facts if RAW_TICKS.name in day.rows or RAW_TICKS.name in day.retired else None
    return SymbolRow(
        symbol=day.symbol,
        expected=day.symbol in expected,
        state=state,
        rows_in=held.rows_in if held else None,
        ticks=held.ticks if held else None,
        set_aside=held.set_aside if held else None,
        set_aside_share=held.set_aside / held.rows_in if held and held.rows_in else None,
        lost_ticks=held.lost_ticks if held else None,
        unexplained_minutes=held.unexplained_minutes if held else None,
        score=held.score if held else None,
        level=held.level if held else None,  # type: ignore[arg-type]  # one of the levels: the model checks it
        score_reason=held.score_reason if held else None,
        checks=checks,
        has_problem=state not in ("complete", "retired") or objected,
    )

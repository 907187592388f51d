"""The verdict of a date, from what is committed and what the checks said, and its one sentence.

Belongs here: putting a date's facts before ``quality.verdict`` and saying in a sentence what it found.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from fuzzy_pipeline.quality.suites import is_unjudged
from fuzzy_pipeline.quality.verdict import verdict_of_date
from fuzzy_pipeline.report.facts import DateFacts, verdict_of_result
from fuzzy_pipeline.report.wording import count, listed
from fuzzy_pipeline.schema.quality import WHOLE_DATE, RuleResult, VerdictOfDate
from fuzzy_pipeline.trading_calendar import next_trading_date, session

_SYMBOLS_NAMED = 5
_TABLES_NAMED = 2


def deadline(date: dt.date) -> dt.datetime:
    """When everything of a date should be there: before the next trading date's pre-market begins."""
    return session(next_trading_date(date)).pre_open


def judged(facts: DateFacts, expected: Sequence[str], now: dt.datetime) -> VerdictOfDate:
    """The verdict of a date.

    A symbol counts as stored when all tables are committed, or retired, and none of them failed since, as in ``fuzzy
    status``. Rules were judged while the data were there, so what is retired keeps its verdict, and the reasons say so.
    """
    failed: dict[str, str] = {}
    for reasons in facts.failed.values():  # upstream first: the first reason is the cause of the others
        for symbol, reason in reasons.items():
            failed.setdefault(symbol, reason)
    everywhere = set.intersection(*facts.stored.values()) if facts.stored else set()
    results: list[RuleResult] = [*facts.results, *facts.one_passed]
    return verdict_of_date(
        facts.date,
        expected,
        everywhere - set(failed),
        failed,
        results,
        after_deadline=now >= deadline(facts.date),
        begun=facts.symbols,
        retired=facts.retired_tables,
    )


def sentence(found: VerdictOfDate, facts: DateFacts) -> str:
    """Why the verdict is what it is, in one sentence; warnings are named and do not change it."""
    expected, there = len(found.expected_symbols), len(found.stored_symbols)
    gone = [symbol for symbol in found.expected_symbols if symbol in facts.retired_tables]
    verb = ("was" if gone else "is") if expected == 1 else ("were" if gone else "are")
    whole = f"all {expected:,} symbols" if expected > 1 else found.expected_symbols[0]
    stored = f"{whole} {verb} stored"
    parts = []
    absent = _absent(found, facts)
    if absent:
        parts.append(absent)
    if found.errors:
        broken = [one for one in facts.results if verdict_of_result(one) == "error"]
        named = sorted({one.symbol for one in broken} - {WHOLE_DATE})
        who = [f"for {listed(named, _SYMBOLS_NAMED)}"] if named else []
        who += ["for the date as a whole"] if any(one.symbol == WHOLE_DATE for one in broken) else []
        parts.append(f"{_checks(broken, 'error check')} failed {' and '.join(who)}")
    unjudged = [one for one in facts.results if one.severity == "error" and is_unjudged(one)]
    if unjudged:
        named = sorted({one.symbol for one in unjudged} - {WHOLE_DATE})
        of_whom = f" for {listed(named, _SYMBOLS_NAMED)}" if named else ""
        parts.append(f"{_checks(unjudged, 'error check was', 'error checks were')} not judged{of_whom}")
    if there and not facts.checks_ran:
        lead = f"{stored}, but " if there == expected else ""
        parts.append(f"{lead}no check has been run" + (" yet" if found.verdict == "pending" else ""))
    if not parts:
        parts.append(f"{stored} and no error check failed")
    warned = [one for one in facts.results if verdict_of_result(one) == "warning"]
    unknown = [one for one in facts.results if one.outcome == "could_not_run"]
    less = [
        text
        for results, text in (
            (warned, f"{_checks(warned, 'check warns', 'checks warn')}"),
            (unknown, f"{_checks(unknown, 'check')} could not run"),
        )
        if results
    ]
    text = "; ".join(parts)
    tail = f"; {' and '.join(less)}" if less else ""
    when = f" Expected by {deadline(found.date):%Y-%m-%d %H:%M} ET." if found.verdict == "pending" else ""
    return f"{text[0].upper()}{text[1:]}{tail}.{_retired(gone, facts) if gone else ''}{when}"


def _retired(symbols: Sequence[str], facts: DateFacts) -> str:
    """What of symbols was deleted because its time was over."""
    tables = [table for table, own in facts.retired.items() if own.intersection(symbols)]
    of_whom = symbols[0] if len(symbols) == 1 else count(len(symbols), "symbol")
    return f" Retired since: {listed(tables, _TABLES_NAMED)} of {of_whom}."


def _checks(results: Sequence[RuleResult], noun: str, plural: str = "") -> str:
    """How many different checks."""
    return count(len({result.rule for result in results}), noun, plural)


def _absent(found: VerdictOfDate, facts: DateFacts) -> str:
    """Symbols that failed, and those that are neither stored nor failed: with nothing, or with some of the tables."""
    expected = len(found.expected_symbols)
    begun = [symbol for symbol in found.missing if symbol in facts.symbols]
    nothing = [symbol for symbol in found.missing if symbol not in begun]
    yet = " yet" if found.verdict == "pending" else ""
    if len(nothing) == expected:
        return f"nothing is stored{yet}"
    lacking = [table for table, stored in facts.stored.items() if not set(begun) <= stored]
    tables = listed(lacking, _TABLES_NAMED) if len(lacking) <= _TABLES_NAMED else "some tables"
    parts = [
        f"{len(names):,} {one if len(names) == 1 else many}{'' if what == 'failed' else yet}"
        f" ({listed(names, _SYMBOLS_NAMED)})"
        for names, one, many, what in (
            (list(found.failed), "failed", "failed", "failed"),
            (nothing, "is not stored", "are not stored", "nothing"),
            (begun, f"lacks {tables}", f"lack {tables}", "begun"),
        )
        if names
    ]
    return f"of {count(expected, 'symbol')} {', '.join(parts)}" if parts else ""

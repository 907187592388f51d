"""The verdict of a date: can it be used as a whole, may it still come, or what is wrong with it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence

from fuzzy_pipeline.quality.suites import is_unjudged
from fuzzy_pipeline.schema.quality import WHOLE_DATE, DateVerdict, RuleResult, VerdictOfDate

NAMED = 10
"""A reason names so many symbols, or tables; the lists of the record have all."""


def verdict_of_date(
    trading_date: dt.date,
    expected: Sequence[str],
    stored: Collection[str],
    failed: Mapping[str, str],
    results: Iterable[RuleResult],
    *,
    after_deadline: bool,
    begun: Collection[str] = (),
    retired: Mapping[str, Collection[str]] | None = None,
) -> VerdictOfDate:
    """Verdict of a date and of each expected symbol.

    ``pending`` before the deadline while an expected symbol is not stored or no rule has been judged; ``missing`` after
    it when nothing of any symbol is there; ``degraded`` when a symbol is not stored whole, a rule of severity error
    failed or was not judged, or no rule was judged; else ``complete``. Warnings, rules about what there is nothing to
    know of, and what is retired are named and change nothing.

    Parameters
    ----------
    trading_date : date
    expected : sequence of str
        Symbols of the settings.
    stored : collection of str
        Symbols with every table of the date committed, or retired; others than the expected ones are left out.
    failed : mapping
        Symbol -> why it could not be stored; one that is stored since is left out.
    results : iterable of RuleResult
        Of the date; those of other symbols are left out.
    after_deadline : bool
        Whether everything should be there by now.
    begun : collection of str, optional
        Symbols whose ticks of the date are committed, or retired: they are not missing, whatever else is.
    retired : mapping, optional
        Symbol -> its tables that were deleted because their time to be kept was over; others than the expected symbols
        are left out.

    Returns
    -------
    VerdictOfDate

    Raises
    ------
    ValueError
        No symbol is expected, or a result is of another date.

    Examples
    --------
    >>> found = verdict_of_date(dt.date(2024, 5, 6), ["KO", "SPY"], ["SPY"], {"KO": "no answer"}, [],
    ...     after_deadline=True)
    >>> found.verdict, found.symbols["KO"]
    ('degraded', 'missing')
    >>> found.reasons
    ['1 of 2 symbols failed: KO (no answer)', 'no quality rule was judged']
    """
    if not expected:
        raise ValueError(f"{trading_date}: no symbol is expected, so nothing can be missing")
    wanted = list(dict.fromkeys(expected))
    there = [symbol for symbol in wanted if symbol in stored]
    broken = {symbol: failed[symbol] for symbol in wanted if symbol in failed and symbol not in stored}
    missing = [symbol for symbol in wanted if symbol not in stored and symbol not in broken]
    judged = _of_these(results, trading_date, {*wanted, WHOLE_DATE})
    present = {*there, *begun}.intersection(wanted)
    errors = [one for one in judged if one.outcome == "failed" and one.severity == "error"]
    warnings = [one for one in judged if one.outcome == "failed" and one.severity == "warning"]
    unjudged = [one for one in judged if one.severity == "error" and is_unjudged(one)]
    unknown = [one for one in judged if one.outcome == "could_not_run" and one not in unjudged]
    incomplete = bool(broken or missing)
    if not after_deadline and (incomplete or not judged):
        verdict: DateVerdict = "pending"
    elif not present:
        verdict = "missing"
    else:
        verdict = "degraded" if incomplete or errors or unjudged or not judged else "complete"
    return VerdictOfDate(
        date=trading_date,
        verdict=verdict,
        reasons=[
            *_absence(wanted, broken, missing, present, after_deadline),
            *_retired(wanted, retired or {}),
            *([] if judged or not present else ["no quality rule was judged"]),
            *_rules("error", errors),
            *_rules("not judged", unjudged),
            *_rules("warning", warnings),
            *_rules("could not run", unknown),
        ],
        expected_symbols=wanted,
        stored_symbols=there,
        missing=missing,
        failed=broken,
        symbols=_verdicts(wanted, there, present, judged, [*errors, *unjudged], after_deadline=after_deadline),
        errors=len(errors),
        warnings=len(warnings),
        could_not_run=len(unjudged) + len(unknown),
    )


def _of_these(results: Iterable[RuleResult], trading_date: dt.date, symbols: Collection[str]) -> list[RuleResult]:
    found = list(results)
    strange = sorted({str(one.date) for one in found if one.date != trading_date})
    if strange:
        raise ValueError(f"results of {', '.join(strange)} were given for {trading_date}")
    return [one for one in found if one.symbol in symbols]


def _verdicts(
    wanted: Sequence[str],
    there: Collection[str],
    present: Collection[str],
    judged: Sequence[RuleResult],
    objections: Sequence[RuleResult],
    *,
    after_deadline: bool,
) -> dict[str, DateVerdict]:
    """The same for each symbol; rules about the whole date are not held against one."""
    with_results, objected = {one.symbol for one in judged}, {one.symbol for one in objections}
    found: dict[str, DateVerdict] = {}
    for symbol in wanted:
        if symbol not in there and not after_deadline:
            found[symbol] = "pending"
        elif symbol not in present:
            found[symbol] = "missing"
        elif symbol not in there or symbol in objected:
            found[symbol] = "degraded"
        elif symbol in with_results:
            found[symbol] = "complete"
        else:
            found[symbol] = "degraded" if after_deadline else "pending"
    return found


def _absence(
    wanted: Sequence[str],
    broken: Mapping[str, str],
    missing: Sequence[str],
    present: Collection[str],
    after_deadline: bool,
) -> list[str]:
    """Symbols that failed, of which nothing is stored, and of which some tables are."""
    reasons = []
    yet = "" if after_deadline else " yet"
    if broken:
        named = _some([f"{symbol} ({why})" for symbol, why in broken.items()])
        reasons.append(f"{len(broken)} of {len(wanted)} symbols failed: {named}")
    for state, symbols in (
        ("are not stored", [symbol for symbol in missing if symbol not in present]),
        ("are stored without some tables", [symbol for symbol in missing if symbol in present]),
    ):
        if symbols:
            reasons.append(f"{len(symbols)} of {len(wanted)} symbols {state}{yet}: {_some(symbols)}")
    return reasons


def _retired(wanted: Sequence[str], retired: Mapping[str, Collection[str]]) -> list[str]:
    """Symbols of which something was there and is deleted, and which tables."""
    symbols = [symbol for symbol in wanted if retired.get(symbol)]
    if not symbols:
        return []
    tables = list(dict.fromkeys(table for symbol in symbols for table in retired[symbol]))
    return [f"{_some(tables)} of {len(symbols)} of {len(wanted)} symbols were retired: {_some(symbols)}"]


def _rules(what: str, results: Sequence[RuleResult]) -> list[str]:
    """A line a rule: ``error: keys_are_unique of quality_measures: KO 3, SPY 1``."""
    by_rule: dict[tuple[str, str], list[RuleResult]] = {}
    for one in results:
        by_rule.setdefault((one.table, one.rule), []).append(one)
    lines = []
    for (table, rule), own in by_rule.items():
        named = [one.symbol if one.observed is None else f"{one.symbol} {one.observed:g}" for one in own]
        lines.append(f"{what}: {rule} of {table}: {_some(named)} — {own[0].reason}")
    return lines


def _some(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")

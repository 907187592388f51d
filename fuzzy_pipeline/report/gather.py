"""Filling the reports from a store: the manifest and light tables, never ticks.

Belongs here: which facts make up the report of a date and of a range.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import xxhash

from fuzzy_pipeline import __version__
from fuzzy_pipeline.query.coverage import DayCoverage, day_coverage
from fuzzy_pipeline.report.comparisons import compared
from fuzzy_pipeline.report.contents import (
    DateQualityReport,
    Heading,
    Provenance,
    TableSummary,
    Totals,
    TrendPoint,
)
from fuzzy_pipeline.report.facts import DateFacts, date_facts, read_or_note, results_of
from fuzzy_pipeline.report.findings import (
    check_columns,
    failure_groups,
    findings,
    symbol_rows,
    worst_outcomes,
)
from fuzzy_pipeline.report.gaps import timeline
from fuzzy_pipeline.report.set_aside import quarantine_of
from fuzzy_pipeline.report.verdicts import judged, sentence
from fuzzy_pipeline.schema.quality import CHECK_RESULTS_TABLE, WHOLE_DATE, Outcome, RuleResult, VerdictOfDate
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.pipeline import pipeline_steps, pipeline_tables
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import now_eastern, session, trading_dates_before

TREND_DATES = 30


def reports_folder(settings: Settings) -> Path:
    """Where reports are written unless said otherwise."""
    return settings.home / "reports"


def page_name(date: dt.date) -> str:
    """File name of a date's page."""
    return f"{date}.html"


def gather_date(
    store: Store, settings: Settings, date: dt.date, *, now: dt.datetime | None = None
) -> DateQualityReport:
    """All that the report of a date says.

    Parameters
    ----------
    store : Store
    settings : Settings
        Whose symbols are expected, and with which results are out of date.
    date : date
        A trading date, with data or without.
    now : datetime, optional
        When the report is made; a date may be pending before its deadline. Default: the present.

    Returns
    -------
    DateQualityReport

    Raises
    ------
    CalendarError
        The date does not trade.
    """
    hours = session(date)
    made_at = now or now_eastern()
    tables = pipeline_tables(settings)
    earlier = [date_facts(store, day, tables) for day in trading_dates_before(date, TREND_DATES - 1)]
    facts = date_facts(store, date, tables)
    verdict = judged(facts, settings.symbols, made_at)
    days = _days(store, settings, facts, tables)
    results = results_of(read_or_note(store, facts, CHECK_RESULTS_TABLE), facts)
    about_symbols = [result for result in results if result.symbol in days]
    columns = check_columns(about_symbols)
    gaps = timeline(store, facts, settings.symbols)
    aside = quarantine_of(store, facts)
    states = {symbol: day.state(tables) for symbol, day in days.items()}
    return DateQualityReport(
        heading=heading(store, settings, made_at, [line for day in (facts, *earlier) for line in day.not_read]),
        date=date,
        session_note=f"{hours.note}: the market closed at {hours.close:%H:%M}" if hours.note else "",
        verdict=verdict.verdict,
        sentence=sentence(verdict, facts),
        reasons=verdict.reasons,
        totals=_totals(facts, settings.symbols, states, results),
        failures=failure_groups([day for day in days.values() if day.failures]),
        missing_symbols=[symbol for symbol, state in states.items() if state == "missing"],
        unfinished_tables=[
            table
            for table in tables
            if any(
                states[symbol] == "partial" and table not in day.rows and table not in day.retired
                for symbol, day in days.items()
            )
        ],
        unfinished_symbols=[symbol for symbol, state in states.items() if state == "partial"],
        stale_symbols=[symbol for symbol, state in states.items() if state == "stale"],
        retired_tables=facts.retired_tables,
        findings=findings(results),
        checks=columns,
        whole_date_checks=_whole_date(results),
        outdated_checks=_outdated(days, results),
        symbols=symbol_rows(days, tables, settings.symbols, facts.symbols, about_symbols),
        timeline=gaps,
        comparisons=compared(facts, earlier, results),
        quarantine=aside,
        trend=[_point(day, settings, made_at) for day in (*_since_first(earlier), facts)],
        tables=_tables(settings, days, tables),
        provenance=_provenance(days, tables),
        settings=_fingerprints(settings),
    )


def heading(store: Store, settings: Settings, made_at: dt.datetime, not_read: Sequence[str]) -> Heading:
    """What every report says first."""
    return Heading(
        kind=store.kind,
        made_at=made_at,
        code_version=__version__,
        store=str(store.root),
        home=str(settings.home),
        not_read=list(dict.fromkeys(not_read)),
    )


def trend_point(
    facts: DateFacts, verdict: VerdictOfDate, settings: Settings, *, folder: Path | None = None
) -> TrendPoint:
    """One date among others; ``page`` is named where its file is in the folder."""
    known = list(facts.symbols.values())
    rows_in = sum(symbol.rows_in for symbol in known)
    set_aside = sum(symbol.set_aside for symbol in known)
    page = (folder or reports_folder(settings)) / page_name(facts.date)
    return TrendPoint(
        date=facts.date,
        verdict=verdict.verdict,
        sentence=sentence(verdict, facts),
        checks_ran=facts.checks_ran,
        symbols=len(known),
        ticks=sum(symbol.ticks for symbol in known) if known else None,
        set_aside=set_aside if known else None,
        set_aside_share=set_aside / rows_in if rows_in else None,
        score_median=facts.median_score(),
        score_least=min(facts.scores, default=None),
        errors=facts.said("error"),
        warnings=facts.said("warning"),
        could_not_run=facts.said("could_not_run"),
        page=page.name if page.exists() else None,
    )


def _since_first(earlier: Sequence[DateFacts]) -> Sequence[DateFacts]:
    """Dates from the first one on of which something is known: before it the store did not exist."""
    known = [place for place, day in enumerate(earlier) if day.is_known]
    return earlier[known[0] :] if known else ()


def _point(facts: DateFacts, settings: Settings, now: dt.datetime) -> TrendPoint:
    return trend_point(facts, judged(facts, settings.symbols, now), settings)


def _days(store: Store, settings: Settings, facts: DateFacts, tables: Sequence[str]) -> dict[str, DayCoverage]:
    """Coverage of every symbol expected, stored, retired or failed, by name."""
    every = sorted({*settings.symbols, *facts.names} - {WHOLE_DATE})
    found = day_coverage(store, [facts.date], every, tables, settings)
    return {symbol: found[symbol, facts.date] for symbol in every}


def _totals(
    facts: DateFacts, expected: Sequence[str], states: Mapping[str, str], results: Sequence[RuleResult]
) -> Totals:
    known = facts.symbols
    rows_in, set_aside = (sum(getattr(row, name) for row in known.values()) for name in ("rows_in", "set_aside"))
    lost = [row.lost_ticks for row in known.values() if row.lost_ticks is not None]
    silent = [row.unexplained_minutes for row in known.values() if row.unexplained_minutes is not None]
    scores = {symbol: row.score for symbol, row in known.items() if row.score is not None}
    least = min(scores, key=lambda symbol: (scores[symbol], symbol), default=None)
    return Totals(
        expected_symbols=len(expected),
        stored_symbols=sum(states.get(symbol) in ("complete", "stale", "retired") for symbol in expected),
        other_symbols=len(set(states) - set(expected)),
        rows_in=rows_in,
        ticks=sum(row.ticks for row in known.values()),
        set_aside=set_aside,
        official=sum(row.official for row in known.values()),
        set_aside_share=set_aside / rows_in if rows_in else None,
        lost_ticks=sum(lost) if lost else None,
        unexplained_minutes=sum(silent) if silent else None,
        score_median=facts.median_score(),
        score_least=scores[least] if least else None,
        least_symbol=least,
        checks_passed=sum(result.outcome == "passed" for result in results),
        errors=facts.said("error"),
        warnings=facts.said("warning"),
        could_not_run=facts.said("could_not_run"),
        checks_ran=facts.checks_ran,
    )


def _whole_date(results: Sequence[RuleResult]) -> dict[str, Outcome]:
    rules = dict.fromkeys(result.rule for result in results if result.symbol == WHOLE_DATE)
    of_date = [result for result in results if result.symbol == WHOLE_DATE]
    return {rule: worst_outcomes([one for one in of_date if one.rule == rule])[WHOLE_DATE] for rule in rules}


def _outdated(days: Mapping[str, DayCoverage], results: Sequence[RuleResult]) -> list[str]:
    """Symbols whose ticks were stored after their checks ran: the checks are about older ticks."""
    checked: dict[str, dt.datetime] = {}
    for result in results:
        held = checked.get(result.symbol)
        checked[result.symbol] = result.evaluated_at if held is None else max(held, result.evaluated_at)
    return [
        symbol
        for symbol, day in days.items()
        if symbol in checked and (row := day.rows.get(RAW_TICKS.name)) and row.committed_at > checked[symbol]
    ]


def _fingerprints(settings: Settings) -> dict[str, str]:
    return {table: step.fingerprint(table, settings) for step in pipeline_steps(settings) for table in step.tables}


def _tables(settings: Settings, days: Mapping[str, DayCoverage], tables: Sequence[str]) -> list[TableSummary]:
    prints = _fingerprints(settings)
    failed = Counter(failure.table for day in days.values() for failure in day.failures)
    stale = Counter(table for day in days.values() for table in day.stale)
    summaries = []
    for table in tables:
        rows = [day.rows[table] for day in days.values() if table in day.rows]
        summaries.append(
            TableSummary(
                table=table,
                symbols=len(rows),
                rows=sum(row.rows for row in rows),
                seconds=sum(row.seconds for row in rows),
                stale=stale[table],
                failed=failed[table],
                code_versions=sorted({row.code_version for row in rows}),
                schema_versions=sorted({row.schema_version for row in rows}),
                last_commit=max((row.committed_at for row in rows), default=None),
                fingerprint=xxhash.xxh3_64_hexdigest(prints[table].encode()) if table in prints else "",
            )
        )
    return summaries


def _provenance(days: Mapping[str, DayCoverage], tables: Sequence[str]) -> list[Provenance]:
    return [
        Provenance(**{name: getattr(row, name) for name in Provenance.model_fields})
        for table in tables
        for day in days.values()
        if (row := day.rows.get(table)) is not None
    ]

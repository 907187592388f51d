"""What the data-quality reports say, as models: the page and the JSON file show exactly these fields.

Belongs here: the models of a date's report and of a range's, their units and meanings. How they are filled:
``gather``; how they look: ``page`` and ``range_page``.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from fuzzy_pipeline.schema.day_metadata import Group, QualityLevel
from fuzzy_pipeline.schema.quality import DateVerdict, Outcome, Severity
from fuzzy_pipeline.sources.protocol import DataKind

REPORT_VERSION = 1
"""Raised whenever a field of a report is left out or means something else; new fields do not raise it."""

SymbolState = Literal["complete", "retired", "stale", "partial", "failed", "missing"]
"""As ``fuzzy status`` says it; ``stale`` is complete, with results that the next run computes again, ``retired`` with
some that were deleted because their time to be kept was over.
"""

EventKind = Literal["unexplained", "halt", "no_trade", "lost_ticks", "id_gap", "volume_step", "crossed"]
"""``unexplained``, ``halt``, ``no_trade``: minutes without a tick, by cause; ``lost_ticks``: tick ids are missing and
volume with them; ``id_gap``: ids without volume; ``volume_step``: the feed's total does not grow by the tick's size;
``crossed``: bid above ask.
"""


class Heading(Group):
    """What the report is about and where it comes from."""

    report_version: int = Field(default=REPORT_VERSION, description="Version of the report's fields.")
    kind: DataKind = Field(description="real, or simulated: a made-up market.")
    made_at: dt.datetime = Field(description="When the report was made, Eastern Time.")
    code_version: str = Field(description="Release that made it.")
    store: str = Field(description="Folder of the store's light tier.")
    home: str = Field(description="FUZZY_HOME, which the commands are for.")
    not_read: list[str] = Field(description="What of the store could not be read, and why; empty when all was.")


class Totals(Group):
    """The date in a dozen numbers."""

    expected_symbols: int = Field(description="Symbols the settings name.")
    stored_symbols: int = Field(description="Those of them whose tables are all stored, out of date, or retired.")
    other_symbols: int = Field(description="Symbols stored or failed besides.")
    rows_in: int = Field(description="Rows the source sent.")
    ticks: int = Field(description="Rows kept as ticks, also where those are retired since.")
    set_aside: int = Field(description="Rows in quarantine.")
    official: int = Field(description="Official open and close prints: rows_in = ticks + set_aside + official.")
    set_aside_share: float | None = Field(description="set_aside / rows_in. [1]")
    lost_ticks: int | None = Field(description="Tick ids missing together with volume; null when not known.")
    unexplained_minutes: int | None = Field(description="Silent minutes in which ticks may be missing. [min]")
    score_median: float | None = Field(description="Median data quality score of the symbols. [1]")
    score_least: float | None = Field(description="Least data quality score. [1]")
    least_symbol: str | None = Field(description="Whose it is.")
    checks_passed: int = Field(description="Results of checks that passed, over symbols.")
    errors: int = Field(description="Checks of severity error that failed.")
    warnings: int = Field(description="Checks of severity warning that failed.")
    could_not_run: int = Field(description="Checks that say nothing about the data.")
    checks_ran: bool = Field(description="Whether any check of the date has a result.")


class FailureGroup(Group):
    """Symbols that failed in the same table for the same reason."""

    table: str = Field(description="Table furthest upstream that failed.")
    error_type: str = Field(description="Kind of error.")
    reason: str = Field(description="Its message; the symbol in it is written … when there are several.")
    symbols: list[str] = Field(description="Symbols that failed so.")
    blocked_tables: list[str] = Field(description="Tables that could not be made because of it.")
    failed_at: dt.datetime = Field(description="Last time, Eastern Time.")
    attempts: int = Field(description="Most attempts of a symbol.")
    older_results_kept: bool = Field(description="Results of an earlier run are still stored for some of them.")
    commands: list[str] = Field(description="What to try.")


class FindingSymbol(Group):
    """One symbol of a finding."""

    symbol: str = Field(description="Ticker, or * for the whole date.")
    table: str = Field(description="Table it is about.")
    observed: float | None = Field(description="The measure, in its own unit.")
    minimum: float | None = Field(description="Least value that passes.")
    maximum: float | None = Field(description="Greatest value that passes.")
    reason: str = Field(description="Why the rule exists; for could_not_run why it could not.")


class Finding(Group):
    """What one check says against symbols: failed, or could not run. Never both in one."""

    rule: str = Field(description="Name of the check.")
    tables: list[str] = Field(description="Tables it is about; a check of bars is about every family.")
    measure: str = Field(description="What was measured.")
    severity: Severity = Field(description="error: nothing may be built upon it; warning: a person should look.")
    outcome: Outcome = Field(description="failed: the data are bad; could_not_run: nothing is known about the data.")
    reason: str = Field(description="Why the check exists, or why it could not run: that of most symbols.")
    symbols: list[FindingSymbol] = Field(description="Whom it is about, the furthest out of bounds first.")
    commands: list[str] = Field(description="What to try.")

    @property
    def names(self) -> list[str]:
        """Its symbols, each once."""
        return list(dict.fromkeys(row.symbol for row in self.symbols))


class CheckColumn(Group):
    """One check over all symbols: a column of the table. A symbol's outcome is the worst of the tables."""

    rule: str = Field(description="Name of the check.")
    tables: list[str] = Field(description="Tables it is about.")
    severity: Severity = Field(description="error or warning.")
    passed: int = Field(description="Symbols that passed.")
    failed: int = Field(description="Symbols that failed.")
    could_not_run: int = Field(description="Symbols of which nothing is known.")


class SymbolRow(Group):
    """One symbol's date in one line."""

    symbol: str = Field(description="Ticker.")
    expected: bool = Field(description="Whether the settings name it.")
    state: SymbolState = Field(description="What is stored of it.")
    rows_in: int | None = Field(description="Rows the source sent; null when nothing is stored.")
    ticks: int | None = Field(description="Rows kept as ticks.")
    set_aside: int | None = Field(description="Rows in quarantine.")
    set_aside_share: float | None = Field(description="set_aside / rows_in. [1]")
    lost_ticks: int | None = Field(description="Tick ids missing together with volume.")
    unexplained_minutes: int | None = Field(description="Silent minutes in which ticks may be missing. [min]")
    score: float | None = Field(description="Data quality score, 0 to 1. [1]")
    level: QualityLevel | None = Field(description="Its level.")
    score_reason: str | None = Field(description="Why the score is null.")
    checks: dict[str, Outcome] = Field(description="Check -> outcome, the worst of its tables; absent: was not run.")
    has_problem: bool = Field(
        description="Not complete, or a check failed, or could not run though it ran for other symbols."
    )


class TimelineEvent(Group):
    """Something that is missing or wrong at a time."""

    kind: EventKind = Field(description="What it is.")
    start: dt.datetime = Field(description="From, Eastern Time.")
    end: dt.datetime = Field(description="To, Eastern Time; the start for an instant.")
    amount: float = Field(description="Minutes of a silence, missing ids, shares of a volume step, crossed ticks.")
    text: str = Field(description="In words.")


class TimelineRow(Group):
    """The gaps of one symbol."""

    symbol: str = Field(description="Ticker.")
    events: list[TimelineEvent] = Field(description="In time order; each list of phase 1 holds its first 100.")
    cut: bool = Field(description="Whether there are more than the lists hold.")


class Timeline(Group):
    """When ticks are missing or wrong, by symbol."""

    start: dt.datetime = Field(description="Left edge: a full hour before the first event and the open.")
    end: dt.datetime = Field(description="Right edge.")
    open: dt.datetime = Field(description="Open of the regular session.")
    close: dt.datetime = Field(description="Close of the regular session.")
    rows: list[TimelineRow] = Field(description="Symbols with an event, the worst first.")
    without: list[str] = Field(description="Symbols that were looked at and have none.")
    unknown: list[str] = Field(description="Symbols without a day record: nothing is known of their gaps.")


class ComparedValue(Group):
    """A symbol's value beside its own past."""

    symbol: str = Field(description="Ticker.")
    value: float = Field(description="Of the date, in the comparison's unit.")
    usual: float | None = Field(description="Median of the earlier dates; null when they are too few.")
    least: float | None = Field(description="Least of the earlier dates.")
    greatest: float | None = Field(description="Greatest of the earlier dates.")
    earlier_dates: int = Field(description="How many earlier dates.")

    @property
    def ratio(self) -> float | None:
        """``value / usual``, null without a usual value above 0."""
        return self.value / self.usual if self.usual else None


class Comparison(Group):
    """One measure of all symbols of the date."""

    name: str = Field(description="ticks, volume, spread or score.")
    title: str = Field(description="In words.")
    unit: str = Field(description="Unit of the values.")
    values: list[ComparedValue] = Field(description="By symbol.")
    minimum: float | None = Field(description="Bound of the check on the ratio to the usual value (score: itself).")
    maximum: float | None = Field(description="Upper bound, likewise.")


class RuleTotal(Group):
    """Rows that one rule of the ingest found."""

    rule: str = Field(description="Name of the rule.")
    meaning: str = Field(description="What it demands or finds.")
    rows: int = Field(description="Over all symbols.")
    by_symbol: dict[str, int] = Field(description="Symbol -> rows, most first.")


class ExampleRow(Group):
    """One row in quarantine, as the source sent it."""

    rule: str = Field(description="Rule it broke.")
    symbol: str = Field(description="Ticker.")
    row: int = Field(description="Arrival number.")
    values: dict[str, str] = Field(description="Raw field -> value as text.")


class Quarantine(Group):
    """Rows set aside, and rows kept with a flag."""

    rules: list[RuleTotal] = Field(description="Hard rules that set rows aside, most rows first.")
    examples: list[ExampleRow] = Field(description="A few rows of each rule.")
    flags: list[RuleTotal] = Field(description="Soft rules that found ticks, most first; those ticks are kept.")


class TrendPoint(Group):
    """One trading date among others."""

    date: dt.date = Field(description="Trading date.")
    verdict: DateVerdict = Field(description="Of the date.")
    sentence: str = Field(description="Why.")
    checks_ran: bool = Field(description="Whether any check of the date has a result.")
    symbols: int = Field(description="Symbols with ticks, also those whose ticks are retired since.")
    ticks: int | None = Field(description="Their ticks; null when nothing was ever stored.")
    set_aside: int | None = Field(description="Rows in quarantine.")
    set_aside_share: float | None = Field(description="Of the rows the source sent. [1]")
    score_median: float | None = Field(description="Median data quality score of the symbols. [1]")
    score_least: float | None = Field(description="Least of them. [1]")
    errors: int = Field(description="Checks of severity error that failed.")
    warnings: int = Field(description="Checks of severity warning that failed.")
    could_not_run: int = Field(description="Checks that say nothing about the data.")
    page: str | None = Field(description="File of the date's own report beside this one, when there is one.")


class TableSummary(Group):
    """One table of the date over all symbols."""

    table: str = Field(description="Name.")
    symbols: int = Field(description="Symbols stored.")
    rows: int = Field(description="Their rows.")
    seconds: float = Field(description="Time their steps took, added up. [s]")
    stale: int = Field(description="Symbols whose result the next run computes again.")
    failed: int = Field(description="Symbols that failed.")
    code_versions: list[str] = Field(description="Releases that made them.")
    schema_versions: list[int] = Field(description="Schema versions.")
    last_commit: dt.datetime | None = Field(description="Eastern Time.")
    fingerprint: str = Field(description="Hash of the settings and the method the table depends on now.")


class Provenance(Group):
    """Where one symbol's rows of a table come from."""

    table: str = Field(description="Table.")
    symbol: str = Field(description="Ticker.")
    rows: int = Field(description="Rows stored.")
    version: int = Field(description="Version in the heavy tier; -1 for tables of the light tier, which have none.")
    content_hash: str = Field(description="Hash of the data.")
    source: str = Field(description="Where the ticks came from.")
    source_detail: str = Field(description="More of it: file, host.")
    ingest_id: str = Field(description="Ingest that brought the ticks.")
    latency_s: float = Field(description="Time the source took. [s]")
    seconds: float = Field(description="Time the step took. [s]")
    code_version: str = Field(description="Release that made it.")
    committed_at: dt.datetime = Field(description="Eastern Time.")


class DateQualityReport(Group):
    """All that the page of a trading date says."""

    heading: Heading
    date: dt.date = Field(description="Trading date.")
    session_note: str = Field(description="Why the hours are unusual; empty on a usual day.")
    verdict: DateVerdict = Field(description="complete, degraded, pending or missing; what is retired keeps its own.")
    sentence: str = Field(description="Why, in one sentence.")
    reasons: list[str] = Field(description="All reasons.")
    totals: Totals
    failures: list[FailureGroup] = Field(description="Symbols that failed, the largest group first.")
    missing_symbols: list[str] = Field(description="Expected symbols that were neither stored nor failed.")
    unfinished_symbols: list[str] = Field(description="Symbols with some tables and without a failure.")
    unfinished_tables: list[str] = Field(description="Tables that these symbols lack, or some of them.")
    stale_symbols: list[str] = Field(description="Symbols with results that the next run computes again.")
    retired_tables: dict[str, list[str]] = Field(
        default={}, description="Symbol -> its tables that were deleted because their time to be kept was over."
    )
    findings: list[Finding] = Field(description="Failed errors, failed warnings, then checks that could not run.")
    checks: list[CheckColumn] = Field(description="Checks with results: first those that object, errors first.")
    whole_date_checks: dict[str, Outcome] = Field(description="Checks about all symbols together -> outcome.")
    outdated_checks: list[str] = Field(description="Symbols that were stored again after their checks ran.")
    symbols: list[SymbolRow] = Field(description="The worst first.")
    timeline: Timeline
    comparisons: list[Comparison] = Field(description="Ticks, volume, spread and score.")
    quarantine: Quarantine
    trend: list[TrendPoint] = Field(description="Up to 30 trading dates, this one last.")
    tables: list[TableSummary] = Field(description="Upstream first.")
    provenance: list[Provenance] = Field(description="By table and symbol.")
    settings: dict[str, str] = Field(description="Table -> settings and method it depends on, as text.")


class WorstSymbol(Group):
    """One symbol over a range of dates."""

    symbol: str = Field(description="Ticker.")
    dates_failed: int = Field(description="Dates on which it failed.")
    dates_incomplete: int = Field(description="Dates on which tables are missing without a failure.")
    errors: int = Field(description="Checks of severity error that failed, over the dates.")
    warnings: int = Field(description="Checks of severity warning that failed.")
    could_not_run: int = Field(description="Checks that say nothing about the data.")
    set_aside: int = Field(description="Rows in quarantine.")
    score_median: float | None = Field(description="Median score. [1]")
    score_least: float | None = Field(description="Least score. [1]")
    least_date: dt.date | None = Field(description="When.")


class RangeReport(Group):
    """All that the page of a range of trading dates says."""

    heading: Heading
    start: dt.date = Field(description="First date asked for.")
    end: dt.date = Field(description="Last date asked for.")
    dates: list[TrendPoint] = Field(description="Every trading date of the range.")
    verdicts: dict[DateVerdict, int] = Field(description="Verdict -> dates.")
    sentence: str = Field(description="The range in one sentence.")
    symbols: list[WorstSymbol] = Field(
        description="Symbols that failed, lack tables, or against which a check objects, the worst first."
    )
    quiet_symbols: int = Field(description="The other symbols.")
    rules: list[RuleTotal] = Field(description="Rows in quarantine by hard rule; `by_symbol` over the dates.")
    flags: list[RuleTotal] = Field(description="Kept ticks by soft rule.")
    failed_checks: list[CheckColumn] = Field(description="Checks that failed or could not run; counts of symbol-days.")

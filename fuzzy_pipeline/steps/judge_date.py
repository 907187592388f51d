"""Quality rules held against what is stored of a date, and what their results mean for the symbols.

Belongs here: gathering the measures of a table, keeping the results, and stopping symbols that broke a rule of
severity error. What is measured and judged: `quality`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from fuzzy_pipeline.quality.rules import QualityRule, measures_of_rules, ranking_measures, raw_tick_measures, rules_of
from fuzzy_pipeline.quality.suites import NullReasons, evaluate, not_measured
from fuzzy_pipeline.schema.quality import (
    CHECK_RESULTS_TABLE,
    QUALITY_TABLE,
    WHOLE_DATE,
    RuleResult,
)
from fuzzy_pipeline.schema.rankings import RANKINGS_TABLE
from fuzzy_pipeline.schema.records import arrow_schema_of, from_table, to_table
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, OFFICIAL_PRINTS, QUARANTINE, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.inputs import held_and_retired
from fuzzy_pipeline.stores.manifest import FailureRow, ManifestRow
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import now_eastern

if TYPE_CHECKING:
    import pandas as pd

QUALITY_ERROR = "QualityError"
"""``error_type`` of the failure of a symbol that broke a rule."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """Results of the rules of one table on a date; those of ``retired`` symbols are from when their data were there."""

    table: str
    date: dt.date
    results: tuple[RuleResult, ...]
    retired: frozenset[str] = frozenset()

    def failed(self, severity: str) -> tuple[RuleResult, ...]:
        """Results of a severity that failed."""
        return tuple(one for one in self.results if one.outcome == "failed" and one.severity == severity)

    @property
    def could_not_run(self) -> tuple[RuleResult, ...]:
        """Results that say nothing about the data."""
        return tuple(one for one in self.results if one.outcome == "could_not_run")

    @property
    def stopped(self) -> dict[str, str]:
        """Symbol -> the rules of severity error that it broke. Upon what is retired nothing can be built anyway."""
        found: dict[str, list[str]] = {}
        for one in self.failed("error"):
            if one.symbol != WHOLE_DATE and one.symbol not in self.retired:
                found.setdefault(one.symbol, []).append(described(one))
        return {symbol: "; ".join(texts) for symbol, texts in found.items()}

    @property
    def stops_the_date(self) -> bool:
        """Whether a rule about the whole date failed with severity error."""
        return any(one.symbol == WHOLE_DATE for one in self.failed("error"))


def described(result: RuleResult) -> str:
    """A result in words: rule, value, bounds, and why it matters."""
    low = "" if result.minimum is None else f"{result.minimum:g} ≤ "
    high = "" if result.maximum is None else f" ≤ {result.maximum:g}"
    value = "unknown" if result.observed is None else f"{result.observed:g}"
    return f"{result.rule}: {result.measure} is {value}, wanted {low}value{high}: {result.reason}"


def judge(store: Store, settings: Settings, table: str, date: dt.date, *, again: bool = True) -> Judgement:
    """Hold the rules of a table against what is committed of a date, keep the results, and stop who broke one.

    A symbol that broke a rule of severity error gets a failure in the table: what is downstream then has no input of
    it, while the other symbols go on. What is retired keeps the results that it had.

    Parameters
    ----------
    again : bool
        Whether to judge though nothing was committed and no rule changed since the last time.
    """
    rules = rules_of(table, settings.quality)
    rows, gone = held_and_retired(store, table, [date], None)
    retired = frozenset(row.symbol for row in gone)
    kept = _kept_results(store, table, date)
    old = tuple(one for one in kept if one.symbol in retired)
    present = tuple(one for one in kept if one.symbol not in retired)
    if (rows or not gone) and (again or not _still_true(present, rules, rows)):
        # A rule about all symbols is about the retired ones too; what it measures is in their manifest rows.
        of_all = rows if table == RAW_TICKS.name else [*rows, *gone]
        frame, reasons = measures_of(store, settings, table, date, of_all)
        known = {one.symbol for one in old}
        found = evaluate(rules, frame, date, null_reasons=reasons)
        kept = (*(one for one in found if one.symbol not in known), *old)
        keep_results(store, table, date, kept)
    judgement = Judgement(table, date, kept, retired)
    _stop(store, judgement, rows)
    return judgement


def _still_true(results: Sequence[RuleResult], rules: Sequence[QualityRule], rows: Sequence[ManifestRow]) -> bool:
    """Whether results are of these rules and of all that is committed."""
    if not results or not rows:
        return False
    of_results = {(one.rule, one.severity, one.minimum, one.maximum) for one in results}
    of_rules = {
        (rule.name, rule.severity, *((rule.mostly, None) if rule.mostly is not None else (rule.minimum, rule.maximum)))
        for rule in rules
    }
    judged = {one.symbol for one in results} - {WHOLE_DATE}
    newest = max(row.committed_at for row in rows)
    return (
        of_results == of_rules
        and min(one.evaluated_at for one in results) >= newest
        and (not judged or judged == {row.symbol for row in rows})
    )


def measures_of(
    store: Store, settings: Settings, table: str, date: dt.date, rows: Sequence[ManifestRow]
) -> tuple[pd.DataFrame, NullReasons]:
    """The one-row-per-symbol frame that rules about a table judge, and why measures in it are null."""
    import pandas as pd

    reasons: dict[str, Mapping[str, str]] = {}
    if table == RAW_TICKS.name:
        lines = _raw_tick_lines(store, date, rows)
    elif table == RANKINGS_TABLE:
        ranked = [row.symbol for row in rows if row.symbol not in rows[0].notes.get("missing", "").split(", ")]
        lines = {WHOLE_DATE: ranking_measures(settings.symbols, ranked)} if rows else {}
    else:
        lines = {row.symbol: row.measures for row in rows}
    if table == ENRICHED_TICKS.name:
        raw = {row.symbol: row.rows for row in store.manifest.rows(RAW_TICKS.name, [date])}
        now = {row.symbol: {"row_difference": float(row.rows - raw[row.symbol])} for row in rows if row.symbol in raw}
        lines = {symbol: {**measures, **now.get(symbol, {})} for symbol, measures in lines.items()}
    if table == QUALITY_TABLE:
        reasons = _null_reasons(store, date)
    for symbol, measures in lines.items():
        # Committed by a release that did not measure it yet: not a null, of which there would be nothing to know.
        lacking = {name: not_measured(name) for name in measures_of_rules(table) if name not in measures}
        reasons[symbol] = {**reasons.get(symbol, {}), **lacking}
    frame = pd.DataFrame([{"symbol": symbol, **measures} for symbol, measures in lines.items()])
    return (frame if len(frame) else pd.DataFrame({"symbol": []})), reasons


def _raw_tick_lines(store: Store, date: dt.date, rows: Iterable[ManifestRow]) -> dict[str, dict[str, float]]:
    """Rows as the light tables have them, not on the manifest's word."""
    aside, official = (_rows_by_symbol(store, table.name, date) for table in (QUARANTINE, OFFICIAL_PRINTS))
    return {
        row.symbol: raw_tick_measures(
            date,
            rows_in=row.rows_in,
            rows_stored=row.rows,
            set_aside=aside.get(row.symbol, 0),
            official=official.get(row.symbol, 0),
            latency_s=row.latency_s,
            fetched_at=row.committed_at,
        )
        for row in rows
    }


def _rows_by_symbol(store: Store, table: str, date: dt.date) -> dict[str, int]:
    rows = store.light.read(table, dates=[date], columns=["symbol"])
    if rows is None:
        return {}
    counts = rows.group_by("symbol").aggregate([([], "count_all")])
    return dict(zip(counts["symbol"].to_pylist(), counts["count_all"].to_pylist(), strict=True))


def _null_reasons(store: Store, date: dt.date) -> dict[str, Mapping[str, str]]:
    rows = store.light.read(QUALITY_TABLE, dates=[date], columns=["symbol", "null_reasons"])
    if rows is None:
        return {}
    return {
        symbol: dict(why or [])
        for symbol, why in zip(rows["symbol"].to_pylist(), rows["null_reasons"].to_pylist(), strict=True)
    }


# -- results -----------------------------------------------------------------------


def _kept_results(store: Store, table: str, date: dt.date) -> tuple[RuleResult, ...]:
    rows = store.light.read(CHECK_RESULTS_TABLE, dates=[date])
    return tuple(from_table(rows.filter(pc.equal(rows["table"], table)), RuleResult)) if rows is not None else ()


def keep_results(store: Store, table: str, date: dt.date, results: Sequence[RuleResult]) -> None:
    """Put results in place of those of the same table and date; those of other tables stay."""
    with store.one_writer(f"{CHECK_RESULTS_TABLE} {date}"):
        found = to_table(results, RuleResult)
        before = store.light.read(CHECK_RESULTS_TABLE, dates=[date])
        if before is not None:
            others = before.filter(pc.not_equal(before["table"], table)).cast(arrow_schema_of(RuleResult))
            found = pa.concat_tables([others, found])
            symbols = {*before["symbol"].to_pylist(), *found["symbol"].to_pylist()}
        else:
            symbols = set(found["symbol"].to_pylist())
        store.light.replace_symbols(CHECK_RESULTS_TABLE, date, found, sorted(symbols))


def _stop(store: Store, judgement: Judgement, rows: Sequence[ManifestRow]) -> None:
    """Failures in the table for the symbols that broke a rule, and none any more for those that keep all.

    A failure that stands is not recorded again: looking at the same data twice is no second attempt.
    """
    earlier = {row.symbol: row for row in store.manifest.failures(judgement.table, [judgement.date])}
    stopped = judgement.stopped
    good = [symbol for symbol, row in earlier.items() if row.error_type == QUALITY_ERROR and symbol not in stopped]
    store.manifest.clear_failures(judgement.table, judgement.date, good)
    committed_at = {row.symbol: row.committed_at for row in rows}
    broken = [
        FailureRow(
            table=judgement.table,
            symbol=symbol,
            date=judgement.date,
            reason=f"{symbol} {judgement.date}: {judgement.table} broke {why}",
            error_type=QUALITY_ERROR,
            failed_at=now_eastern(),
        )
        for symbol, why in stopped.items()
    ]
    new = [row for row in broken if not _stands(earlier.get(row.symbol), row, committed_at.get(row.symbol))]
    store.manifest.record_failures(judgement.date, new)


def _stands(earlier: FailureRow | None, now: FailureRow, committed_at: dt.datetime | None) -> bool:
    """Whether an earlier failure says the same of the same data; one older than the commit counts as mended."""
    if earlier is None or (earlier.error_type, earlier.reason) != (now.error_type, now.reason):
        return False
    return committed_at is None or committed_at < earlier.failed_at


def outcome_counts(results: Iterable[RuleResult]) -> dict[str, int]:
    """How many results passed, failed as error or warning, and could not run."""
    found = {"passed": 0, "errors": 0, "warnings": 0, "could_not_run": 0}
    for one in results:
        key = {"passed": "passed", "could_not_run": "could_not_run"}.get(
            one.outcome, "errors" if one.severity == "error" else "warnings"
        )
        found[key] += 1
    return found

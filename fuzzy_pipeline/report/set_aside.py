"""Rows in quarantine and flagged ticks of dates: counts by rule and symbol, and example rows.

Belongs here: reading the quarantine and tick_flags tables for a person. What the rules demand: ``quality``.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from fuzzy_pipeline.quality.flags import SOFT_RULES
from fuzzy_pipeline.quality.validation import HARD_RULES
from fuzzy_pipeline.report.contents import ExampleRow, Quarantine, RuleTotal
from fuzzy_pipeline.report.facts import DateFacts, read_or_note
from fuzzy_pipeline.schema.tables import QUARANTINE, RAW_TICKS, TICK_FLAGS
from fuzzy_pipeline.stores.store import Store

EXAMPLES_PER_RULE = 5

RuleCounts = Counter[tuple[str, str]]
"""Rows by rule and symbol."""


def quarantine_of(store: Store, found: DateFacts) -> Quarantine:
    """What is in quarantine of a date, and what was flagged; of symbols whose ticks are committed."""
    rows = _committed(read_or_note(store, found, QUARANTINE.name), found)
    return Quarantine(
        rules=rule_totals(_counts(rows), HARD_RULES),
        examples=_examples(rows),
        flags=rule_totals(flag_counts(store, found), soft_meanings()),
    )


def quarantine_counts(store: Store, found: DateFacts) -> RuleCounts:
    """Rows in quarantine of a date by rule and symbol."""
    return _counts(_committed(read_or_note(store, found, QUARANTINE.name, ["symbol", "rule"]), found))


def flag_counts(store: Store, found: DateFacts) -> RuleCounts:
    """Flagged ticks of a date by rule and symbol."""
    rows = _committed(read_or_note(store, found, TICK_FLAGS.name, ["symbol", "rule", "count"]), found)
    counts: RuleCounts = Counter()
    if rows is not None:
        for rule, symbol, number in zip(*(rows[name].to_pylist() for name in ("rule", "symbol", "count")), strict=True):
            counts[rule, symbol] += number
    return counts


def rule_totals(counts: RuleCounts, meanings: Mapping[str, str]) -> list[RuleTotal]:
    """Counts as totals, rules and symbols with most rows first."""
    rules: dict[str, Counter[str]] = {}
    for (rule, symbol), rows in counts.items():
        rules.setdefault(rule, Counter())[symbol] += rows
    totals = [
        RuleTotal(
            rule=rule,
            meaning=meanings.get(rule, ""),
            rows=sum(own.values()),
            by_symbol=dict(sorted(own.items(), key=lambda item: (-item[1], item[0]))),
        )
        for rule, own in rules.items()
    ]
    return sorted(totals, key=lambda total: (-total.rows, total.rule))


def soft_meanings() -> dict[str, str]:
    """Soft rule -> what it finds."""
    return {rule: (find.__doc__ or "").strip().splitlines()[0].rstrip(".") for rule, find in SOFT_RULES.items()}


def _committed(rows: pa.Table | None, found: DateFacts) -> pa.Table | None:
    """Rows of symbols whose ticks are committed: others were written by a run that was killed."""
    if rows is None:
        return None
    return rows.filter(pc.is_in(rows["symbol"], value_set=pa.array(list(found.symbols), rows["symbol"].type)))


def _counts(rows: pa.Table | None) -> RuleCounts:
    if rows is None:
        return Counter()
    grouped = rows.group_by(["rule", "symbol"]).aggregate([([], "count_all")]).to_pydict()
    return Counter(dict(zip(zip(grouped["rule"], grouped["symbol"], strict=True), grouped["count_all"], strict=True)))


def _examples(rows: pa.Table | None) -> list[ExampleRow]:
    """A few rows of each rule, of different symbols before the same again."""
    if rows is None or not rows.num_rows:
        return []
    places: dict[str, list[tuple[int, int]]] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for place, (rule, symbol) in enumerate(zip(rows["rule"].to_pylist(), rows["symbol"].to_pylist(), strict=True)):
        if seen[rule, symbol] < EXAMPLES_PER_RULE:
            places.setdefault(rule, []).append((seen[rule, symbol], place))
            seen[rule, symbol] += 1
    chosen = [place for own in places.values() for _, place in sorted(own)[:EXAMPLES_PER_RULE]]
    return [
        ExampleRow(
            rule=row["rule"],
            symbol=row["symbol"],
            row=row["row"],
            values={name: _raw(name, row[name]) for name in RAW_TICKS.names if name in row},
        )
        for row in rows.take(chosen).to_pylist()
    ]


def _raw(name: str, value: object) -> str:
    """A raw value as text: exactly as stored, the time as a clock where it is one."""
    if value is None:
        return ""
    if name == "time" and isinstance(value, int) and 0 <= value < 86_400_000_000:
        seconds, microseconds = divmod(value, 1_000_000)
        minutes, second = divmod(seconds, 60)
        return dt.time(*divmod(minutes, 60), second, microseconds).isoformat("microseconds")
    return repr(value) if isinstance(value, float) else str(value)

"""Facts of dates and symbols, read from the light tier only: columns that are needed, never ticks.

Belongs here: reading manifest columns, day records, quality measures and check results of a date into plain values.
A month of five hundred symbols must take a second or two, so nothing is validated into models here.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.quality import CHECK_RESULTS_TABLE, QUALITY_TABLE, RuleResult, Severity
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.stores.store import Store

RuleKey = tuple[str, str, Severity]
"""Rule, table it is about, severity."""


@dataclass(slots=True)
class SymbolFacts:
    """Numbers of one symbol and date; None is not known."""

    rows_in: int = 0
    ticks: int = 0
    set_aside: int = 0
    official: int = 0
    counted_ticks: float | None = None
    volume: float | None = None
    spread_bps: float | None = None
    score: float | None = None
    level: str | None = None
    lost_ticks: int | None = None
    unexplained_minutes: int | None = None
    score_reason: str | None = None


@dataclass(slots=True)
class DateFacts:
    """What the light tier knows of a date.

    ``symbols`` have ticks, or had them until they were retired. ``stored``, ``retired`` and ``failed`` are by table:
    what is retired was there and counts as stored too. ``results`` are those that did not pass, ``passed`` counts the
    others, of which ``one_passed`` has one per symbol: enough to know that checks ran.
    """

    date: dt.date
    symbols: dict[str, SymbolFacts] = field(default_factory=dict)
    stored: dict[str, set[str]] = field(default_factory=dict)
    retired: dict[str, set[str]] = field(default_factory=dict)
    failed: dict[str, dict[str, str]] = field(default_factory=dict)
    results: list[RuleResult] = field(default_factory=list)
    passed: Counter[RuleKey] = field(default_factory=Counter)
    one_passed: list[RuleResult] = field(default_factory=list)
    not_read: list[str] = field(default_factory=list)

    @property
    def is_known(self) -> bool:
        """Whether anything of the date was ever tried."""
        return bool(self.symbols or any(self.failed.values()) or self.checks_ran)

    @property
    def names(self) -> set[str]:
        """Symbols of which anything is or was stored, or failed."""
        return {symbol for by_table in (self.stored, self.failed) for own in by_table.values() for symbol in own}

    @property
    def retired_tables(self) -> dict[str, list[str]]:
        """Symbol -> its retired tables, upstream first, for those that have some."""
        found: dict[str, list[str]] = {}
        for table, symbols in self.retired.items():
            for symbol in symbols:
                found.setdefault(symbol, []).append(table)
        return dict(sorted(found.items()))

    @property
    def checks_ran(self) -> bool:
        """Whether any check has a result."""
        return bool(self.results or self.passed)

    def said(self, what: str) -> int:
        """How many results are ``error``, ``warning`` (failed, by severity) or ``could_not_run``."""
        return sum(verdict_of_result(result) == what for result in self.results)

    @property
    def scores(self) -> list[float]:
        """Scores that are known."""
        return [facts.score for facts in self.symbols.values() if facts.score is not None]

    def median_score(self) -> float | None:
        """Median of the scores."""
        return float(np.median(self.scores)) if self.scores else None


def date_facts(store: Store, date: dt.date, tables: Sequence[str]) -> DateFacts:
    """Read a date; what cannot be read is named in ``not_read`` and missing from the rest."""
    found = DateFacts(date)
    for table in tables:
        held, old = (_names(store, found, f"{folder}/{table}") for folder in ("manifest", "retired"))
        found.stored[table], found.retired[table] = held | old, old - held
        found.failed[table] = _failures(store, found, table)
    _ingested(store, found)
    _described(store, found)
    _judged(store, found)
    rows = read_or_note(store, found, CHECK_RESULTS_TABLE)
    if rows is not None:
        passed = rows.filter(pc.equal(rows["outcome"], "passed"))
        found.results = results_of(rows.filter(pc.not_equal(rows["outcome"], "passed")), found)
        keys = passed.select(["rule", "table", "severity"]).to_pydict()
        found.passed = Counter(zip(*keys.values(), strict=True))
        last = {symbol: place for place, symbol in enumerate(passed["symbol"].to_pylist())}
        found.one_passed = results_of(passed.take(list(last.values())), found) if last else []
    return found


def _names(store: Store, found: DateFacts, table: str) -> set[str]:
    """Symbols with a row in a light table of the date."""
    rows = read_or_note(store, found, table, ["symbol"])
    return set(rows["symbol"].to_pylist()) if rows is not None else set()


def _failures(store: Store, found: DateFacts, table: str) -> dict[str, str]:
    """Symbol -> reason of the failures that no later commit mended."""
    names = ("symbol", "reason", "failed_at")
    failures = _lines(read_or_note(store, found, f"failures/{table}", names), names)
    if not failures:
        return {}
    commits = read_or_note(store, found, f"manifest/{table}", ("symbol", "committed_at"))
    committed = dict(_lines(commits, ("symbol", "committed_at")))
    return {
        symbol: reason
        for symbol, reason, failed_at in failures
        if symbol not in committed or committed[symbol] < failed_at
    }


def results_of(rows: pa.Table | None, found: DateFacts) -> list[RuleResult]:
    """Results as models; those of a release with other fields are named in ``not_read``.

    Not validated: there are tens of thousands, and their types are the table's.
    """
    if rows is None:
        return []
    names = list(RuleResult.model_fields)
    missing = [name for name in names if name not in rows.column_names]
    if missing:
        found.not_read.append(f"{CHECK_RESULTS_TABLE} of {found.date}: made by another release, without {missing}")
        return []
    return [RuleResult.model_construct(None, **row) for row in rows.select(names).to_pylist()]


def verdict_of_result(result: RuleResult) -> str:
    """``passed``, ``could_not_run``, or the severity of a failure."""
    return result.severity if result.outcome == "failed" else result.outcome


def read_or_note(store: Store, found: DateFacts, table: str, columns: Sequence[str] | None = None) -> pa.Table | None:
    """A light table of the date; None when there is none. A damaged file must not keep the rest from being read."""
    try:
        return store.light.read(table, dates=[found.date], columns=columns)
    except StoreError as error:
        found.not_read.append(f"{table} of {found.date}: {error}")
        return None


def _ingested(store: Store, found: DateFacts) -> None:
    """What the ingest counted; a retired row tells it still, but the committed one is newer."""
    names = ("symbol", "rows_in", "rows_out", "rows_set_aside", "rows_official")
    for folder in ("retired", "manifest"):
        rows = read_or_note(store, found, f"{folder}/{RAW_TICKS.name}", names)
        for symbol, rows_in, ticks, set_aside, official in _lines(rows, names):
            found.symbols[symbol] = SymbolFacts(rows_in=rows_in, ticks=ticks, set_aside=set_aside, official=official)


def _described(store: Store, found: DateFacts) -> None:
    groups = ("symbol", "basic_stats", "spread_stats", "data_quality", "null_reasons")
    rows = read_or_note(store, found, PHASE1_TABLE, groups)
    if rows is None:
        return
    columns = [
        rows["symbol"].to_pylist(),
        _part(rows, "basic_stats", "total_ticks"),
        _part(rows, "basic_stats", "volume_total"),
        _part(rows, "spread_stats", "median_bps"),
        _part(rows, "data_quality", "data_quality_score"),
        _part(rows, "data_quality", "data_quality_level"),
        _part(rows, "data_quality", "lost_tick_count"),
        _part(rows, "data_quality", "unexplained_silent_minutes"),
        rows["null_reasons"].to_pylist(),
    ]
    for symbol, ticks, volume, spread, score, level, lost, silent, reasons in zip(*columns, strict=True):
        facts = found.symbols.get(symbol)
        if facts is None:  # what the manifest never committed does not exist
            continue
        facts.counted_ticks, facts.volume, facts.spread_bps = ticks, volume, spread
        facts.score, facts.level, facts.lost_ticks, facts.unexplained_minutes = score, level, lost, silent
        if score is None:
            known = {name.rpartition(".")[2]: why for name, why in (reasons or [])}
            facts.score_reason = known.get("data_quality_score") or known.get("completeness_score")


def _judged(store: Store, found: DateFacts) -> None:
    """The score of the quality measures, which looks at more than phase 1's, where it was computed."""
    names = ("symbol", "data_quality_score", "data_quality_level", "null_reasons")
    for symbol, score, level, reasons in _lines(read_or_note(store, found, QUALITY_TABLE, names), names):
        facts = found.symbols.get(symbol)
        if facts is not None:
            facts.score, facts.level = score, level
            known = dict(reasons or [])
            facts.score_reason = known.get("data_quality_score") or known.get("completeness_score")


def _part(rows: pa.Table, group: str, name: str) -> list[Any]:
    """A field of a group of day records; unknown where the records are of a version without it."""
    column = rows[group]
    if column.type.get_field_index(name) < 0:
        return [None] * rows.num_rows
    values: list[Any] = pc.struct_field(column, name).to_pylist()
    return values


def _lines(rows: pa.Table | None, names: Iterable[str]) -> list[tuple[Any, ...]]:
    return [] if rows is None else list(zip(*(rows[name].to_pylist() for name in names), strict=True))

"""Dates in a store in memory, as a nightly run would have left them: when each was committed is said by hand."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path

from fuzzy_pipeline.schema.quality import CHECK_RESULTS_TABLE, WHOLE_DATE, Outcome, RuleResult, Severity
from fuzzy_pipeline.schema.records import to_table
from fuzzy_pipeline.schema.tables import HEAVY_TABLES, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.stores.manifest import FailureRow, ManifestRow
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import EASTERN

MONDAY, TUESDAY, WEDNESDAY, HALF_DAY = (dt.date(2025, 11, day) for day in (24, 25, 26, 28))
NEXT_MONDAY = dt.date(2025, 12, 1)
SYMBOLS = ("AAA", "BBB", "CCC")


def at(date: dt.date, clock: str) -> dt.datetime:
    """An instant of a date, Eastern Time."""
    return dt.datetime.combine(date, dt.time.fromisoformat(clock), EASTERN)


def settings_at(home: Path) -> Settings:
    """Settings that expect three symbols."""
    return Settings(_env_file=None, home=home, symbols=SYMBOLS)


def empty_store() -> Store:
    return memory_store("simulated", HEAVY_TABLES)


def commit(
    store: Store,
    settings: Settings,
    date: dt.date,
    instant: dt.datetime,
    symbols: Sequence[str] = SYMBOLS,
    tables: Sequence[str] | None = None,
) -> None:
    """Every table of the symbols, 100 rows and 0.5 seconds each; 4 of 100 raw rows set aside, 2 s at the source."""
    for table in tables or pipeline_tables(settings):
        raw = table == RAW_TICKS.name
        rows = [
            ManifestRow(
                table=table, symbol=symbol, date=date, kind="simulated", version=0, rows=96 if raw else 100,
                content_hash="c", input_hash="i", source="hand", ingest_id="1", code_version="0", schema_version=1,
                rows_in=100, rows_out=96 if raw else 100, rows_set_aside=4 if raw else 0, seconds=0.5,
                latency_s=2.0 if raw else 0.0, committed_at=instant,
            )
            for symbol in symbols
        ]  # fmt: skip
        store.manifest.commit(table, date, rows)


def judge(
    store: Store,
    date: dt.date,
    instant: dt.datetime,
    outcome: Outcome = "passed",
    severity: Severity = "error",
    symbols: Sequence[str] = (*SYMBOLS, WHOLE_DATE),
) -> None:
    """One result a symbol."""
    results = [
        RuleResult(
            symbol=symbol, date=date, rule="keys_are_unique", table=RAW_TICKS.name, measure="repeated",
            severity=severity, outcome=outcome, observed=0.0, minimum=None, maximum=0.0, reason="rows are repeated",
            evaluated_at=instant,
        )
        for symbol in symbols
    ]  # fmt: skip
    store.light.replace_symbols(CHECK_RESULTS_TABLE, date, to_table(results, RuleResult), list(symbols))


def complete(store: Store, settings: Settings, date: dt.date, instant: dt.datetime) -> None:
    """All of a date is there and judged good at an instant."""
    commit(store, settings, date, instant)
    judge(store, date, instant)


def fail(
    store: Store, date: dt.date, instant: dt.datetime, failed: Mapping[str, str], table: str = RAW_TICKS.name
) -> None:
    """Symbols failed with these types of error."""
    rows = [
        FailureRow(
            table=table, symbol=symbol, date=date, reason=f"{symbol} {date}: no answer", error_type=error_type,
            failed_at=instant,
        )
        for symbol, error_type in failed.items()
    ]  # fmt: skip
    store.manifest.record_failures(date, rows)

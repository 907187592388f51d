"""A store in memory with planted dates: what the report must find is known because it was put there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa
from pydantic import BaseModel

from fuzzy_pipeline.schema.day_metadata import (
    PHASE1_TABLE,
    CrossedMarket,
    DataQuality,
    Silence,
    TickIdGap,
    VolumeStep,
)
from fuzzy_pipeline.schema.quality import CHECK_RESULTS_TABLE, Outcome, RuleResult, Severity
from fuzzy_pipeline.schema.records import to_table
from fuzzy_pipeline.schema.tables import HEAVY_TABLES, QUARANTINE, TICK_FLAGS, arrow_schema
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.sources.protocol import DataKind
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.stores.manifest import FailureRow, ManifestRow
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import EASTERN, session

DATE = dt.date(2025, 11, 26)
NOW = dt.datetime(2025, 12, 1, 12, 0, tzinfo=EASTERN)


class _Basic(BaseModel):
    total_ticks: int
    volume_total: int


class _Spread(BaseModel):
    median_bps: float | None


class DayRecord(BaseModel):
    """The parts of a day record that the report reads."""

    symbol: str
    date: dt.date
    basic_stats: _Basic
    spread_stats: _Spread
    data_quality: DataQuality
    null_reasons: dict[str, str] = {}


@dataclass
class Planted:
    """What is put into the store for one symbol."""

    ticks: int = 10_000
    volume: int = 1_000_000
    spread_bps: float | None = 2.0
    score: float | None = 1.0
    level: str | None = "HIGH"
    set_aside: Mapping[str, int] = field(default_factory=dict)
    flags: Mapping[str, int] = field(default_factory=dict)
    silences: Sequence[Silence] = ()
    gaps: Sequence[TickIdGap] = ()
    steps: Sequence[VolumeStep] = ()
    crossed: Sequence[CrossedMarket] = ()
    lost: int = 0
    unexplained: int = 0
    null_reasons: Mapping[str, str] = field(default_factory=dict)


def at(clock: str, date: dt.date = DATE) -> dt.datetime:
    """An instant of the date, Eastern Time."""
    return dt.datetime.combine(date, dt.time.fromisoformat(clock), EASTERN)


def silence(start: str, end: str, cause: str, date: dt.date = DATE) -> Silence:
    """A silence of the date."""
    return Silence(start=at(start, date), end=at(end, date), cause=cause)  # type: ignore[arg-type]


def settings_of(*symbols: str) -> Settings:
    """Settings that expect these symbols; the home is never written."""
    return Settings(_env_file=None, home="/nowhere/home", symbols=symbols)


def new_store(kind: DataKind = "real") -> Store:
    """A store in memory with nothing in it."""
    return memory_store(kind, HEAVY_TABLES)


def plant(
    store: Store, settings: Settings, date: dt.date, symbols: Mapping[str, Planted], tables: Sequence[str] | None = None
) -> None:
    """Commit the symbols in all tables of the pipeline, or in some."""
    committed_at = session(date).after_close + dt.timedelta(hours=1)
    for table in pipeline_tables(settings) if tables is None else tables:
        store.manifest.commit(
            table,
            date,
            [_manifest_row(store, table, symbol, date, own, committed_at) for symbol, own in symbols.items()],
        )
    names = list(symbols)
    records = [_record(symbol, date, own) for symbol, own in symbols.items()]
    if tables is None or PHASE1_TABLE in tables:
        store.light.replace_symbols(PHASE1_TABLE, date, to_table(records, DayRecord), names)
    store.light.replace_symbols(QUARANTINE.name, date, _quarantine(date, symbols), names)
    flags = [
        {"symbol": symbol, "trading_date": date, "ingest_id": "one", "rule": rule, "count": number, "rows": [1]}
        for symbol, own in symbols.items()
        for rule, number in own.flags.items()
    ]
    store.light.replace_symbols(
        TICK_FLAGS.name, date, pa.Table.from_pylist(flags, schema=arrow_schema(TICK_FLAGS)), names
    )


def fail(
    store: Store,
    date: dt.date,
    symbol: str,
    tables: Sequence[str],
    reason: str,
    error_type: str,
    failed_at: dt.datetime | None = None,
) -> None:
    """Record that a symbol failed in tables, the first of them being the cause; an hour after the planted commit."""
    failed_at = failed_at or session(date).after_close + dt.timedelta(hours=2)
    for number, table in enumerate(tables):
        why = reason if number == 0 else f"{symbol} {date}: no {tables[number - 1]}, they failed: {reason}"
        kind = error_type if number == 0 else "NotStoredError"
        store.manifest.record_failures(
            date,
            [FailureRow(table=table, symbol=symbol, date=date, reason=why, error_type=kind, failed_at=failed_at)],
        )


def result(
    symbol: str,
    rule: str,
    outcome: Outcome,
    *,
    severity: Severity = "error",
    table: str = "quality_measures",
    measure: str = "",
    observed: float | None = None,
    minimum: float | None = None,
    maximum: float | None = None,
    reason: str = "why the rule exists",
    date: dt.date = DATE,
    evaluated_at: dt.datetime | None = None,
) -> RuleResult:
    """One result of a check."""
    return RuleResult(
        symbol=symbol,
        date=date,
        rule=rule,
        table=table,
        measure=measure or rule,
        severity=severity,
        outcome=outcome,
        observed=observed,
        minimum=minimum,
        maximum=maximum,
        reason=reason,
        evaluated_at=evaluated_at or session(date).after_close + dt.timedelta(hours=2),
    )


def plant_results(store: Store, date: dt.date, results: Sequence[RuleResult]) -> None:
    """Put results of checks into the store."""
    symbols = sorted({row.symbol for row in results})
    store.light.replace_symbols(CHECK_RESULTS_TABLE, date, to_table(results, RuleResult), symbols)


def _manifest_row(
    store: Store, table: str, symbol: str, date: dt.date, own: Planted, committed_at: dt.datetime
) -> ManifestRow:
    set_aside = sum(own.set_aside.values())
    return ManifestRow(
        table=table,
        symbol=symbol,
        date=date,
        kind=store.kind,
        version=0,
        rows=own.ticks,
        content_hash=f"{abs(hash((table, symbol))) % 16**16:032x}",
        input_hash="hash",
        source="files",
        source_detail=f"/data/ticks/{symbol}.parquet",
        ingest_id="one",
        code_version="0.1.0",
        schema_version=2,
        rows_in=own.ticks + set_aside,
        rows_out=own.ticks,
        rows_set_aside=set_aside,
        seconds=0.25,
        latency_s=1.5,
        committed_at=committed_at,
    )


def _record(symbol: str, date: dt.date, own: Planted) -> DayRecord:
    quality = DataQuality(
        stored_ticks=own.ticks,
        duplicate_count=0,
        out_of_order_count=0,
        missing_quote_count=0,
        locked_quote_count=0,
        crossed_quote_count=sum(crossed.tick_count for crossed in own.crossed),
        tick_id_holes=sum(gap.last_id - gap.first_id + 1 for gap in own.gaps),
        lost_tick_count=own.lost,
        missing_volume=sum(max(0, step.shares) for step in own.steps),
        excess_volume=0,
        silent_minutes=0,
        halted_minutes=0,
        unexplained_silent_minutes=own.unexplained,
        set_aside_count=sum(own.set_aside.values()),
        anomaly_count=sum(own.flags.values()),
        completeness_score=own.score,
        data_quality_score=own.score,
        data_quality_level=own.level,  # type: ignore[arg-type]
        tick_id_gaps=list(own.gaps),
        volume_steps=list(own.steps),
        silences=list(own.silences),
        crossed_markets=list(own.crossed),
    )
    return DayRecord(
        symbol=symbol,
        date=date,
        basic_stats=_Basic(total_ticks=own.ticks, volume_total=own.volume),
        spread_stats=_Spread(median_bps=own.spread_bps),
        data_quality=quality,
        null_reasons=dict(own.null_reasons),
    )


def _quarantine(date: dt.date, symbols: Mapping[str, Planted]) -> pa.Table:
    rows = [
        {
            "symbol": symbol, "trading_date": date, "row": 100 + number, "ingest_id": "one", "rule": rule,
            "tick_id": 7 + number, "date": date, "time": 34_200_000_000 + number, "last": -1.5, "last_sz": 100,
            "last_type": "C", "mkt_ctr": 5, "tot_vlm": 1000, "bid": 10.0, "ask": 10.01,
            "cond1": 1, "cond2": 0, "cond3": 0, "cond4": 0,
        }
        for symbol, own in symbols.items()
        for rule, amount in own.set_aside.items()
        for number in range(amount)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=arrow_schema(QUARANTINE))

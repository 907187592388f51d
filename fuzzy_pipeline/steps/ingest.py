"""Ingest: fetch a symbol-day, judge its ticks, store the good ones, set the others aside with their reasons."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fuzzy_pipeline import __version__
from fuzzy_pipeline.errors import NoDataError
from fuzzy_pipeline.quality.validation import ValidatedTicks, validate_ticks
from fuzzy_pipeline.schema.arrays import Arrays, length
from fuzzy_pipeline.schema.tables import (
    OFFICIAL_PRINTS,
    QUARANTINE,
    RAW_TICKS,
    SCHEMA_VERSION,
    TICK_FLAGS,
    Table,
    arrow_schema,
)
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.step import StepResult, Work, input_hash
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.content_hash import content_hash
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.trading_calendar import now_eastern

METHOD_VERSION = 1
FLAG_ROWS_KEPT = 100


@dataclass(frozen=True, slots=True)
class IngestStep:
    """``raw_ticks`` of one symbol and date, from the source of the settings."""

    name: str = RAW_TICKS.name
    tables: tuple[str, ...] = (RAW_TICKS.name,)
    light_tables: tuple[str, ...] = (QUARANTINE.name, OFFICIAL_PRINTS.name, TICK_FLAGS.name)
    inputs: tuple[str, ...] = ()

    def history(self, table: str) -> Mapping[str, int]:  # noqa: ARG002  part of the step's interface
        """None."""
        return {}

    def fingerprint(self, table: str, settings: Settings) -> str:  # noqa: ARG002  part of the step's interface
        """Method version, source, condition profile and ingest rules."""
        return (
            f"ingest={METHOD_VERSION};source={_source_name(settings)};conditions={settings.condition_profile};"
            f"rules={settings.ingest.model_dump_json()}"
        )

    def run(self, bench: Workbench, work: Work) -> StepResult:
        """Fetch, validate, store.

        Raises
        ------
        SourceError
            The source could not give the day; nothing is stored.
        RejectedDayError
            Too many rows break hard rules; nothing is stored.
        StoreKindError
            The store holds data of the other kind.
        """
        started = time.perf_counter()
        settings, symbol, date = bench.settings, work.symbol, work.date
        store = bench.store_for_ingest()
        fetched = bench.source.fetch_ticks(symbol, date)
        if length(fetched.columns) == 0:
            raise NoDataError(f"{symbol} {date}: {fetched.source} ({fetched.detail}) has a day without ticks")
        checked = validate_ticks(fetched.columns, symbol, date, settings.ingest, settings.condition_profile)
        if checked.rows_kept == 0:
            raise NoDataError(
                f"{symbol} {date}: none of the {checked.rows_in} rows of {fetched.source} ({fetched.detail}) is a"
                f" trade: {checked.rows_official} official prints, {checked.rows_set_aside} set aside"
            )
        ingest_id = uuid.uuid4().hex
        version = store.write(
            RAW_TICKS, symbol, date, checked.ticks,
            {"source": fetched.source, "detail": fetched.detail, "kind": fetched.kind, "ingest_id": ingest_id},
        )  # fmt: skip
        row = ManifestRow(
            table=RAW_TICKS.name,
            symbol=symbol,
            date=date,
            kind=fetched.kind,
            version=version,
            rows=checked.rows_kept,
            content_hash=content_hash(checked.ticks, RAW_TICKS.names),
            input_hash=input_hash(self.fingerprint(RAW_TICKS.name, settings)),
            source=fetched.source,
            source_detail=fetched.detail,
            ingest_id=ingest_id,
            code_version=__version__,
            schema_version=SCHEMA_VERSION,
            rows_in=checked.rows_in,
            rows_out=checked.rows_kept,
            rows_set_aside=checked.rows_set_aside,
            rows_official=checked.rows_official,
            latency_s=fetched.latency_s,
            seconds=time.perf_counter() - started,
            committed_at=now_eastern(),
            notes=dict(fetched.notes),
        )
        return StepResult((row,), light_tables(checked, symbol, date, ingest_id), _shown(checked))


def _source_name(settings: Settings) -> str:
    """The source and what decides which ticks it gives."""
    if settings.source == "files":
        return f"files:{settings.files.path.expanduser().absolute()}"
    return f"simulator:{settings.simulator.model_dump_json()}" if settings.source == "simulator" else settings.source


def light_tables(checked: ValidatedTicks, symbol: str, date: dt.date, ingest_id: str) -> dict[str, pa.Table]:
    """Rows for the quarantine, official_prints and tick_flags tables; empty ones too, to replace earlier rows."""
    origin = {"symbol": symbol, "trading_date": date, "ingest_id": ingest_id}
    flags = pa.Table.from_pylist(
        [
            {**origin, "rule": rule, "count": len(rows), "rows": rows[:FLAG_ROWS_KEPT].tolist()}
            for rule, rows in checked.flagged.items()
        ],
        schema=arrow_schema(TICK_FLAGS),
    )
    return {
        QUARANTINE.name: _tick_rows(QUARANTINE, checked.set_aside, checked.rows, origin, list(checked.rules)),
        OFFICIAL_PRINTS.name: _tick_rows(OFFICIAL_PRINTS, checked.official_prints, checked.official_rows, origin, None),
        TICK_FLAGS.name: flags,
    }


def _tick_rows(
    table: Table, ticks: Arrays, rows: NDArray[np.int64], origin: dict[str, Any], rules: list[str] | None
) -> pa.Table:
    schema = arrow_schema(table)
    count = len(rows)
    columns: dict[str, Any] = {name: [value] * count for name, value in origin.items()}
    columns["row"] = rows
    if rules is not None:
        columns["rule"] = rules
    for name, array in ticks.items():
        columns[name] = [value.decode("latin-1") for value in array] if array.dtype.kind == "S" else array
    return pa.table([pa.array(columns[name], type=schema.field(name).type) for name in schema.names], schema=schema)


def _shown(checked: ValidatedTicks) -> dict[str, Any]:
    return {
        "set_aside": {rule: checked.rules.count(rule) for rule in sorted(set(checked.rules))},
        "flagged": {rule: len(rows) for rule, rows in checked.flagged.items()},
    }

"""Ingest: fetch a symbol-day, judge its ticks, store the good ones, set the others aside with their reasons.

Rows that a person released are stored with the others. When releases are all that changed since the last ingest, the
source is not asked again: what it gave is put together from what is stored.

The source's own daily bar is stored beside the ticks. It is evidence and nothing more: ticks are stored without it.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fuzzy_pipeline import __version__
from fuzzy_pipeline.errors import NoDataError, SourceError
from fuzzy_pipeline.quality.measures import NO_DAILY_BAR
from fuzzy_pipeline.quality.validation import ValidatedTicks, validate_ticks
from fuzzy_pipeline.schema.arrays import Arrays, length
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.schema.quarantine import (
    DECISIONS_TABLE,
    QUARANTINE_RELEASED,
    QuarantineDecision,
    RowKey,
    arrays_of,
    releases_of,
)
from fuzzy_pipeline.schema.records import from_table
from fuzzy_pipeline.schema.tables import (
    OFFICIAL_PRINTS,
    QUARANTINE,
    RAW_TICKS,
    SCHEMA_VERSION,
    SOURCE_DAILY_BARS,
    TICK_FLAGS,
    Table,
    arrow_schema,
)
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.sources.protocol import FetchedTicks, TickSource
from fuzzy_pipeline.steps.step import StepResult, Work, hash_of_inputs, input_hash
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.stores.stored_content import hash_of_arrays
from fuzzy_pipeline.trading_calendar import now_eastern

log = logging.getLogger(__name__)

METHOD_VERSION = 1
FLAG_ROWS_KEPT = 100
REFETCHED = "refetched"
"""Entry of a row's notes: the symbol-day was fetched again, and what that changed."""
RELEASES = "releases"
"""Entry of a row's notes: hash of the decisions it was made with."""
UNUSED_RELEASES = "unused_releases"
"""Entry of a row's notes: how many releases found no row, or one that cannot be stored even so."""
REPLAYED = "replayed"
"""Entry of a row's notes: the ingest whose rows were judged again without asking the source."""
WHY_NO_DAILY_BAR = "daily_bar"
"""Entry of a row's notes: why there is no daily bar of the source beside the ticks."""


@dataclass(frozen=True, slots=True)
class IngestStep:
    """``raw_ticks`` of one symbol and date, from the source of the settings."""

    name: str = RAW_TICKS.name
    tables: tuple[str, ...] = (RAW_TICKS.name,)
    light_tables: tuple[str, ...] = (
        QUARANTINE.name, OFFICIAL_PRINTS.name, TICK_FLAGS.name, QUARANTINE_RELEASED.name, SOURCE_DAILY_BARS.name,
    )  # fmt: skip
    inputs: tuple[str, ...] = ()
    optional_inputs: tuple[str, ...] = (DECISIONS_TABLE,)

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
        """Fetch (or put together from what is stored), validate, store.

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
        before = store.manifest.find(RAW_TICKS.name, symbol, date)
        releases = _releases(store, work)
        stored = stored_tape(store, before) if before and self._only_releases_changed(settings, work, before) else None
        fetched = stored or bench.source.fetch_ticks(symbol, date)
        if length(fetched.columns) == 0:
            raise NoDataError(f"{symbol} {date}: {fetched.source} ({fetched.detail}) has a day without ticks")
        checked = validate_ticks(fetched.columns, symbol, date, settings.ingest, settings.condition_profile, releases)
        if checked.rows_kept == 0:
            raise NoDataError(
                f"{symbol} {date}: none of the {checked.rows_in} rows of {fetched.source} ({fetched.detail}) is a"
                f" trade: {checked.rows_official} official prints, {checked.rows_set_aside} set aside"
            )
        bar, about_bar = (
            (stored_daily_bar(store, before), {}) if before and stored else fetch_daily_bar(bench.source, symbol, date)
        )
        ingest_id = uuid.uuid4().hex
        version = store.write(
            RAW_TICKS, symbol, date, checked.ticks,
            {"source": fetched.source, "detail": fetched.detail, "kind": fetched.kind, "ingest_id": ingest_id},
        )  # fmt: skip
        content = hash_of_arrays(RAW_TICKS, checked.ticks, date, {})
        again = {}
        if before and not stored:
            again = {REFETCHED: "same ticks" if before.content_hash == content else f"{before.rows} ticks before"}
        row = ManifestRow(
            table=RAW_TICKS.name,
            symbol=symbol,
            date=date,
            kind=fetched.kind,
            version=version,
            rows=checked.rows_kept,
            content_hash=content,
            input_hash=hash_of_inputs(self, RAW_TICKS.name, settings, work),
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
            notes={**fetched.notes, **again, **about_bar, **_notes_on_releases(work, releases, checked)},
        )
        return StepResult((row,), light_tables(checked, bar, symbol, date, ingest_id), _shown(checked))

    def _only_releases_changed(self, settings: Settings, work: Work, before: ManifestRow) -> bool:
        """Whether the committed ticks differ from what is wanted by decisions on rows set aside, and nothing else."""
        if work.force:
            return False
        made_with = before.notes.get(RELEASES, "")
        inputs = [before.model_copy(update={"content_hash": made_with})] if made_with else []
        same_else = before.input_hash == input_hash(self.fingerprint(RAW_TICKS.name, settings), inputs)
        return same_else and made_with != _hash_of_releases(work)


def _hash_of_releases(work: Work) -> str:
    row = work.inputs.get(DECISIONS_TABLE)
    return row.content_hash if row else ""


def _releases(store: Store, work: Work) -> dict[RowKey, Mapping[str, str]]:
    """Releases of the symbol and date that are committed."""
    if not _hash_of_releases(work):
        return {}
    rows = store.light.read(DECISIONS_TABLE, dates=[work.date], symbols=[work.symbol])
    return releases_of(from_table(rows, QuarantineDecision))


def _notes_on_releases(work: Work, releases: Mapping[RowKey, object], checked: ValidatedTicks) -> dict[str, str]:
    unused = len(releases) - len(checked.released_rules)
    notes = {RELEASES: _hash_of_releases(work), UNUSED_RELEASES: str(unused) if unused else ""}
    return {name: text for name, text in notes.items() if text}


def stored_tape(store: Store, row: ManifestRow) -> FetchedTicks | None:
    """What the source gave for a committed symbol-day: ticks, official prints and rows set aside in arrival order.

    Rows that were released stand in it as they came. None when light rows are of another ingest than the ticks: a run
    was killed between the two.
    """
    symbol, date = row.symbol, row.date
    apart: list[dict[str, Any]] = []
    for table in (SOURCE_DAILY_BARS.name, QUARANTINE.name, OFFICIAL_PRINTS.name, QUARANTINE_RELEASED.name):
        found = store.light.read(table, dates=[date], symbols=[symbol])
        rows = found.to_pylist() if found is not None else []
        if any(each["ingest_id"] != row.ingest_id for each in rows):
            return None
        if table == QUARANTINE_RELEASED.name:
            released = rows
        elif table != SOURCE_DAILY_BARS.name:
            apart += rows
    numbers = np.array([each["row"] for each in apart], np.int64)
    of_ticks = np.setdiff1d(np.arange(row.rows_in), numbers)
    if len(of_ticks) != row.rows or len(of_ticks) + len(numbers) != row.rows_in:
        return None
    ticks = store.read(RAW_TICKS, symbol, date, columns=RAW_TICKS.names, version=row.version).arrays
    columns = {name: np.empty(row.rows_in, array.dtype) for name, array in ticks.items()}
    released_numbers = np.array([each["row"] for each in released], np.int64)
    for places, part in (
        (of_ticks, ticks), (numbers, arrays_of(apart)), (released_numbers, arrays_of(released)),
    ):  # fmt: skip
        for name, array in columns.items():
            array[places] = part[name]
    own = (RELEASES, UNUSED_RELEASES, REPLAYED)
    return FetchedTicks(
        symbol=symbol,
        trading_date=date,
        columns=columns,
        source=row.source,
        kind=row.kind,
        latency_s=row.latency_s,
        requests=0,
        detail=row.source_detail,
        notes={name: text for name, text in row.notes.items() if name not in own} | {REPLAYED: row.ingest_id},
    )


def fetch_daily_bar(source: TickSource, symbol: str, date: dt.date) -> tuple[SourceDailyBar | None, dict[str, str]]:
    """The source's daily bar, or None and a note that says why; a failure to get it fails nothing."""
    try:
        bar = source.daily_bar(symbol, date)
    except SourceError as error:
        log.warning("%s %s: ticks are stored without the source's daily bar: %s", symbol, date, error)
        return None, {WHY_NO_DAILY_BAR: f"could not be fetched: {error}"}
    return bar, {} if bar else {WHY_NO_DAILY_BAR: NO_DAILY_BAR}


def stored_daily_bar(store: Store, row: ManifestRow) -> SourceDailyBar | None:
    """The source's daily bar that was stored with committed ticks, None when there was none."""
    found = store.light.read(SOURCE_DAILY_BARS.name, dates=[row.date], symbols=[row.symbol])
    return daily_bar_of(found, row)


def daily_bar_of(rows: pa.Table | None, row: ManifestRow) -> SourceDailyBar | None:
    """The bar among a symbol's rows of ``source_daily_bars`` that the ingest of committed ticks stored."""
    for each in rows.to_pylist() if rows is not None else ():
        if each["ingest_id"] == row.ingest_id:
            return SourceDailyBar(**{column.name: each[column.name] for column in fields(SourceDailyBar)})
    return None


def _source_name(settings: Settings) -> str:
    """The source and what decides which ticks it gives."""
    if settings.source == "files":
        return f"files:{settings.files.path.expanduser().absolute()}"
    return f"simulator:{settings.simulator.model_dump_json()}" if settings.source == "simulator" else settings.source


def light_tables(
    checked: ValidatedTicks, bar: SourceDailyBar | None, symbol: str, date: dt.date, ingest_id: str
) -> dict[str, pa.Table]:
    """Rows for the light tables of ticks; empty ones too, to replace earlier rows."""
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
        QUARANTINE_RELEASED.name: _tick_rows(
            QUARANTINE_RELEASED, checked.released, checked.released_rows, origin, list(checked.released_rules)
        ),
        SOURCE_DAILY_BARS.name: pa.Table.from_pylist(
            [{**origin, **asdict(bar)}] if bar else [], schema=arrow_schema(SOURCE_DAILY_BARS)
        ),
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
        "released": {rule: checked.released_rules.count(rule) for rule in sorted(set(checked.released_rules))},
        "flagged": {rule: len(rows) for rule, rows in checked.flagged.items()},
    }

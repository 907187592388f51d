"""A step: what is done to one symbol and date, and what it hands back to be committed.

Belongs here: the step's interface, what it is given and the manifest row every step fills in the same way.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa
import xxhash

from fuzzy_pipeline import __version__, trading_calendar
from fuzzy_pipeline.errors import CalendarError
from fuzzy_pipeline.schema.tables import SCHEMA_VERSION
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.trading_calendar import now_eastern


@dataclass(frozen=True, slots=True)
class Work:
    """One symbol of a date and the committed rows its results are computed from.

    ``tables`` are those to fill. ``upstream`` is None for a step that reads a source. ``previous`` holds the rows of
    the trading date before, by table, for tables that carry state; one that is missing there starts cold.
    """

    symbol: str
    date: dt.date
    tables: tuple[str, ...]
    upstream: ManifestRow | None = None
    previous: Mapping[str, ManifestRow] = field(default_factory=dict)

    @property
    def input(self) -> ManifestRow:
        """The row the step reads; ``ValueError`` for a step that reads a source."""
        if self.upstream is None:
            raise ValueError(f"{self.symbol} {self.date}: {', '.join(self.tables)} have no input table")
        return self.upstream


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step made of one symbol: rows that will commit it, light rows to write first, and counts to show."""

    rows: tuple[ManifestRow, ...]
    light: Mapping[str, pa.Table] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)

    def row(self, table: str) -> ManifestRow | None:
        """The row of a table; None when the step had nothing to do for it."""
        return next((row for row in self.rows if row.table == table), None)


class Step(Protocol):
    """The work of one asset, or of several that are made in one pass. Instances are picklable: workers receive them."""

    @property
    def name(self) -> str:
        """Name of the step: of its table where it fills one."""
        ...

    @property
    def tables(self) -> tuple[str, ...]:
        """Tables the step fills: each is an asset."""
        ...

    @property
    def upstream(self) -> str | None:
        """Table it reads, whose manifest rows are its input; None for a source."""
        ...

    @property
    def light_tables(self) -> Sequence[str]:
        """Light tables it fills beside its own whose rows carry the ingest id."""
        ...

    def carries_state(self, table: str) -> bool:
        """Whether a table's rows depend on the rows of the trading date before."""
        ...

    def fingerprint(self, table: str, settings: Settings) -> str:
        """The settings and the version of the method that a table's result depends on."""
        ...

    def run(self, bench: Workbench, work: Work) -> StepResult:
        """Do the work of one symbol; heavy data are written here, everything else by the caller."""
        ...


def date_before(date: dt.date) -> dt.date | None:
    """The trading date before, None for the calendar's first."""
    try:
        return trading_calendar.previous_trading_date(date)
    except CalendarError:
        return None


def input_hash(fingerprint: str, upstream: ManifestRow | None, previous: ManifestRow | None = None) -> str:
    """Hash [hex] of what a result was computed from: settings, the input's content and the state carried over."""
    parts = [fingerprint, upstream.content_hash if upstream else ""]
    if previous is not None:
        parts.append(previous.content_hash)
    return xxhash.xxh3_128_hexdigest("\n".join(parts).encode())


def is_current(
    step: Step, settings: Settings, row: ManifestRow | None, upstream: ManifestRow | None, previous: ManifestRow | None
) -> bool:
    """Whether a committed row was made from the present input, settings and state of the date before."""
    if row is None or (step.upstream is not None and upstream is None):
        return False
    return row.input_hash == input_hash(step.fingerprint(row.table, settings), upstream, previous)


def derived_row(
    step: Step,
    table: str,
    settings: Settings,
    work: Work,
    *,
    version: int,
    rows: int,
    content_hash: str,
    seconds: float,
    notes: Mapping[str, str] | None = None,
) -> ManifestRow:
    """Manifest row of a result computed from another table: provenance is the input's."""
    source = work.input
    return ManifestRow(
        table=table,
        symbol=work.symbol,
        date=work.date,
        kind=source.kind,
        version=version,
        rows=rows,
        content_hash=content_hash,
        input_hash=input_hash(step.fingerprint(table, settings), source, work.previous.get(table)),
        source=source.source,
        source_detail=source.source_detail,
        ingest_id=source.ingest_id,
        code_version=__version__,
        schema_version=SCHEMA_VERSION,
        rows_in=source.rows,
        rows_out=rows,
        seconds=seconds,
        committed_at=now_eastern(),
        notes=dict(notes or {}),
    )

"""A step: what is done to one symbol and date, and what it hands back to be committed.

Belongs here: the step's interface, what it is given and the manifest row every step fills in the same way.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import pyarrow as pa
import xxhash

from fuzzy_pipeline import __version__, trading_calendar
from fuzzy_pipeline.schema.tables import SCHEMA_VERSION
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.manifest import CommittedKey, ManifestRow
from fuzzy_pipeline.trading_calendar import now_eastern

EARLIER_DATES = "earlier_dates"
"""``source`` of results that have no input of their own date."""

Earlier = Mapping[str, tuple[CommittedKey, ...]]
"""Table -> what is committed of a symbol on earlier trading dates, oldest first."""


@dataclass(frozen=True, slots=True)
class Work:
    """One symbol of a date and the committed rows its results are computed from.

    ``tables`` are those to fill, ``inputs`` the rows of the same date, by table in the step's order; empty for a step
    that reads a source or earlier dates only. ``earlier`` is what the step's ``history`` asks for and the store has.
    ``batch`` is the same for all symbols of one call: what is read for all at once can be kept under it. With
    ``force`` what is current is computed again: the source is to be asked again.
    """

    symbol: str
    date: dt.date
    tables: tuple[str, ...]
    inputs: Mapping[str, ManifestRow] = field(default_factory=dict)
    earlier: Earlier = field(default_factory=dict)
    batch: str = ""
    force: bool = False

    @property
    def input(self) -> ManifestRow:
        """The first of the rows the step reads; ``ValueError`` for a step that reads none."""
        for row in self.inputs.values():
            return row
        raise ValueError(f"{self.symbol} {self.date}: {', '.join(self.tables)} have no input table")


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
    def inputs(self) -> tuple[str, ...]:
        """Tables of the same symbol and date that it reads; what they were made from is the result's provenance."""
        ...

    @property
    def optional_inputs(self) -> tuple[str, ...]:
        """Tables of the same symbol and date that change a result where they have rows and are not missed elsewhere."""
        ...

    @property
    def light_tables(self) -> Sequence[str]:
        """Light tables it fills beside its own whose rows carry the ingest id."""
        ...

    def history(self, table: str) -> Mapping[str, int]:
        """Tables whose earlier trading dates a table's rows depend on -> how many dates back."""
        ...

    def fingerprint(self, table: str, settings: Settings) -> str:
        """The settings and the version of the method that a table's result depends on."""
        ...

    def run(self, bench: Workbench, work: Work) -> StepResult:
        """Do the work of one symbol; heavy data are written here, everything else by the caller."""
        ...


def reads_source(step: Step) -> bool:
    """Whether a step's rows come from a source instead of the store."""
    return not step.inputs and not any(step.history(table) for table in step.tables)


@cache
def dates_before(date: dt.date, count: int) -> tuple[dt.date, ...]:
    """The ``count`` trading dates before a date, oldest first; fewer where the calendar begins."""
    known = trading_calendar.count_trading_dates(trading_calendar.FIRST_DATE, date) - 1
    return trading_calendar.trading_dates_before(date, min(count, known))


def input_hash(fingerprint: str, inputs: Iterable[ManifestRow] = (), earlier: Iterable[CommittedKey] = ()) -> str:
    """Hash [hex] of what a result was computed from: settings, the inputs' content and that of earlier dates."""
    parts = [fingerprint, *(row.content_hash for row in inputs)]
    parts += [f"{key.date}={key.content_hash}" for key in earlier]
    return xxhash.xxh3_128_hexdigest("\n".join(parts).encode())


def hash_of_inputs(step: Step, table: str, settings: Settings, work: Work) -> str:
    """Hash [hex] of what a table's result is computed from in a piece of work."""
    earlier = [
        key
        for name, count in step.history(table).items()
        for key in _within(work.earlier.get(name, ()), dates_before(work.date, count))
    ]
    return input_hash(step.fingerprint(table, settings), work.inputs.values(), earlier)


def _within(keys: tuple[CommittedKey, ...], dates: tuple[dt.date, ...]) -> tuple[CommittedKey, ...]:
    """Keys from the first of the dates on: another table of the step may look further back."""
    return keys if not dates or not keys or keys[0].date >= dates[0] else tuple(k for k in keys if k.date >= dates[0])


def is_current(step: Step, settings: Settings, row: ManifestRow | None, work: Work) -> bool:
    """Whether a committed row was made from the present inputs, settings and earlier dates."""
    if row is None or len(work.inputs) < len(step.inputs):
        return False
    return row.input_hash == hash_of_inputs(step, row.table, settings, work)


def derived_row(
    step: Step,
    table: str,
    bench: Workbench,
    work: Work,
    *,
    version: int,
    rows: int,
    content_hash: str,
    seconds: float,
    notes: Mapping[str, str] | None = None,
    measures: Mapping[str, float] | None = None,
) -> ManifestRow:
    """Manifest row of a result computed from other tables: provenance is the first input's, if there is one."""
    first = next(iter(work.inputs.values()), None)
    return ManifestRow(
        table=table,
        symbol=work.symbol,
        date=work.date,
        kind=bench.store.kind,
        version=version,
        rows=rows,
        content_hash=content_hash,
        input_hash=hash_of_inputs(step, table, bench.settings, work),
        source=first.source if first else EARLIER_DATES,
        source_detail=first.source_detail if first else "",
        ingest_id=first.ingest_id if first else "",
        code_version=__version__,
        schema_version=SCHEMA_VERSION,
        rows_in=first.rows if first else sum(len(keys) for keys in work.earlier.values()),
        rows_out=rows,
        seconds=seconds,
        committed_at=now_eastern(),
        notes=dict(notes or {}),
        measures=dict(measures or {}),
    )

"""A step: what is done to one symbol and date, and what it hands back to be committed.

Belongs here: the step's interface, what it is given and the manifest row every step fills in the same way.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol, runtime_checkable

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

MADE_WITHOUT = "made_without"
"""Entry of a row's notes: tables and earlier dates that were retired when the row was made, which was without them."""

Earlier = Mapping[str, tuple[CommittedKey, ...]]
"""Table -> what is committed of a symbol on earlier trading dates, oldest first."""


@dataclass(frozen=True, slots=True)
class Work:
    """One symbol of a date and the committed rows its results are computed from.

    ``tables`` are those to fill, ``inputs`` the rows of the same date, by table in the step's order; empty for a step
    that reads a source or earlier dates only. ``earlier`` is what the step's ``history`` asks for and the store has;
    ``retired`` is what it asks for and the store had: nothing of it can be read. ``batch`` is the same for all symbols
    of one call: what is read for all at once can be kept under it. With ``force`` what is current is computed again:
    the source is to be asked again.
    """

    symbol: str
    date: dt.date
    tables: tuple[str, ...]
    inputs: Mapping[str, ManifestRow] = field(default_factory=dict)
    earlier: Earlier = field(default_factory=dict)
    batch: str = ""
    force: bool = False
    retired: Earlier = field(default_factory=dict)

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


@runtime_checkable
class ReadsIngest(Protocol):
    """A step that also reads what the ingest of its first input counted and wrote beside the ticks."""

    @property
    def ingest_tables(self) -> tuple[str, ...]:
        """Light tables of the ingest that it reads: the manifest does not name them, only their ingest's id tells."""
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


def hash_of_inputs(
    step: Step, table: str, settings: Settings, work: Work, *, retired_but: Collection[str] | None = None
) -> str:
    """Hash [hex] of what a table's result is computed from in a piece of work.

    Earlier dates that are retired do not count: they cannot be read. With ``retired_but`` they do, but for those it
    names (as ``MADE_WITHOUT`` does): what a result is made from that was there before them went.
    """
    earlier: list[CommittedKey] = []
    for name, count in step.history(table).items():
        keys = work.earlier.get(name, ())
        if retired_but is not None:
            gone = (key for key in work.retired.get(name, ()) if _named(name, key) not in retired_but)
            keys = tuple(sorted((*keys, *gone)))
        earlier += _within(keys, dates_before(work.date, count))
    return input_hash(step.fingerprint(table, settings), work.inputs.values(), earlier)


def _within(keys: tuple[CommittedKey, ...], dates: tuple[dt.date, ...]) -> tuple[CommittedKey, ...]:
    """Keys from the first of the dates on: another table of the step may look further back."""
    return keys if not dates or not keys or keys[0].date >= dates[0] else tuple(k for k in keys if k.date >= dates[0])


def _named(table: str, key: CommittedKey) -> str:
    """A retired date as ``MADE_WITHOUT`` names it."""
    return f"{table} {key.date}"


def _made_without(step: Step, table: str, work: Work) -> dict[str, str]:
    """The note that says which retired dates a result has to do without; none when there are none."""
    gone = [
        _named(name, key)
        for name, count in step.history(table).items()
        for key in _within(work.retired.get(name, ()), dates_before(work.date, count))
    ]
    return {MADE_WITHOUT: ", ".join(gone)} if gone else {}


def is_current(step: Step, settings: Settings, row: ManifestRow | None, work: Work) -> bool:
    """Whether a committed row was made from the present inputs, settings and earlier dates.

    Earlier dates that were retired since it was made change nothing. One that is retired and comes back does: what was
    made without it is made again.
    """
    if row is None or len(work.inputs) < len(step.inputs):
        return False
    if isinstance(step, ReadsIngest) and row.ingest_id != work.input.ingest_id:
        return False
    if row.input_hash == hash_of_inputs(step, row.table, settings, work):
        return True
    made_without = row.notes.get(MADE_WITHOUT, "").split(", ")
    return bool(work.retired) and row.input_hash == hash_of_inputs(
        step, row.table, settings, work, retired_but=made_without
    )


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
    """Manifest row of a result computed from other tables: provenance is the first input's, if there is one.

    The notes say which earlier dates it had to do without because they are retired.
    """
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
        notes={**(notes or {}), **_made_without(step, table, work)},
        measures=dict(measures or {}),
    )

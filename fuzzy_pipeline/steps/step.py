"""A step: one table's work on one symbol and date, and what it hands back to be committed.

Belongs here: the step's interface and the manifest row every step fills in the same way.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa
import xxhash

from fuzzy_pipeline import __version__
from fuzzy_pipeline.schema.tables import SCHEMA_VERSION
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.trading_calendar import now_eastern


@dataclass(frozen=True, slots=True)
class StepResult:
    """What a step made of one symbol: the row that will commit it, light rows to write first, and counts to show."""

    row: ManifestRow
    light: Mapping[str, pa.Table] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)


class Step(Protocol):
    """One table's work. Instances are picklable: workers receive them with the settings."""

    @property
    def table(self) -> str:
        """Name of the table the step fills: also of its asset."""
        ...

    @property
    def upstream(self) -> str | None:
        """Table it reads, whose manifest rows are its input; None for a source."""
        ...

    @property
    def light_tables(self) -> Sequence[str]:
        """Light tables it fills beside its own whose rows carry the ingest id."""
        ...

    def fingerprint(self, settings: Settings) -> str:
        """The settings and the version of the method that a result depends on."""
        ...

    def run(self, bench: Workbench, symbol: str, date: dt.date) -> StepResult:
        """Do the work of one symbol; heavy data are written here, everything else by the caller."""
        ...


def input_hash(fingerprint: str, upstream_hash: str) -> str:
    """Hash [hex] of what a result was computed from: settings and the content hash of the input."""
    return xxhash.xxh3_128_hexdigest(f"{fingerprint}\n{upstream_hash}".encode())


def is_current(step: Step, settings: Settings, row: ManifestRow | None, upstream: ManifestRow | None) -> bool:
    """Whether a committed row was made from the present input and settings."""
    if row is None or (step.upstream is not None and upstream is None):
        return False
    return row.input_hash == input_hash(step.fingerprint(settings), upstream.content_hash if upstream else "")


def derived_row(
    step: Step,
    settings: Settings,
    source_row: ManifestRow,
    *,
    version: int,
    rows: int,
    content_hash: str,
    seconds: float,
) -> ManifestRow:
    """Manifest row of a result computed from another table: provenance is the input's."""
    return ManifestRow(
        table=step.table,
        symbol=source_row.symbol,
        date=source_row.date,
        kind=source_row.kind,
        version=version,
        rows=rows,
        content_hash=content_hash,
        input_hash=input_hash(step.fingerprint(settings), source_row.content_hash),
        source=source_row.source,
        source_detail=source_row.source_detail,
        ingest_id=source_row.ingest_id,
        code_version=__version__,
        schema_version=SCHEMA_VERSION,
        rows_in=source_row.rows,
        rows_out=rows,
        seconds=seconds,
        committed_at=now_eastern(),
    )

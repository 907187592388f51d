"""The commit mark: what has no row here does not exist for a reader. And why something is missing.

Belongs here: the rows that commit a (table, symbol, date), the rows that explain a failure, and
reading and writing both.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

import pyarrow as pa
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.schema.records import from_table, to_table
from fuzzy_pipeline.sources.protocol import DataKind
from fuzzy_pipeline.stores.protocol import LightStore
from fuzzy_pipeline.trading_calendar import EASTERN

LIGHT_VERSION = -1
"""``ManifestRow.version`` of tables of the light tier, whose files have no versions."""


def _eastern(value: dt.datetime) -> dt.datetime:
    if value.tzinfo is None:
        raise ValueError("an instant needs a time zone")
    return value if value.tzinfo is EASTERN else value.astimezone(EASTERN)


Instant = Annotated[dt.datetime, AfterValidator(_eastern)]
"""An instant, in Eastern Time whatever zone it was given in."""


class Record(BaseModel):
    """Base of the rows kept in light tables: frozen, nothing unknown."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    table: str
    symbol: str
    date: dt.date


class ManifestRow(Record):
    """One committed symbol and date of one table.

    ``input_hash`` is the hash of what the data were computed from (the input's content hash and the settings that
    matter), so that equal input need not be computed again. ``rows_in = rows_out + rows_set_aside + rows_official``
    where rows are sorted out. ``latency_s`` is the time the source took, ``seconds`` the time the step took [s].
    ``measures`` is what quality rules judge the data by, taken while they were in memory.
    """

    kind: DataKind
    version: int = Field(ge=LIGHT_VERSION)
    rows: int = Field(ge=0)
    content_hash: str
    input_hash: str
    source: str
    source_detail: str = ""
    ingest_id: str
    code_version: str
    schema_version: int
    rows_in: int = Field(ge=0)
    rows_out: int = Field(ge=0)
    rows_set_aside: int = Field(default=0, ge=0)
    rows_official: int = Field(default=0, ge=0)
    latency_s: float = 0.0
    seconds: float = 0.0
    committed_at: Instant
    notes: dict[str, str] = {}
    measures: dict[str, float] = {}


class FailureRow(Record):
    """Why a symbol and date of a table could not be stored; ``attempts`` adds up until the failure is cleared."""

    reason: str
    error_type: str
    failed_at: Instant
    attempts: int = Field(default=1, ge=1)


class CommittedKey(NamedTuple):
    """What is committed of a symbol on a date: what results of later dates refer to."""

    date: dt.date
    version: int
    content_hash: str


_R = TypeVar("_R", bound=Record)


class Manifest:
    """Manifest and failures on a light store: light tables ``manifest/<table>`` and ``failures/<table>``."""

    def __init__(self, light: LightStore) -> None:
        self._light = light

    def commit(self, table: str, date: dt.date, rows: Sequence[ManifestRow]) -> None:
        """Make the rows' data visible, all at once; written last, after the data themselves.

        Rows of other symbols stay. Failures are not touched: clear them after the commit.

        Raises
        ------
        StoreError
            A row belongs to another table or date, a symbol is named twice, or the light tier refused.
        """
        _check_belong(table, date, rows)
        self._put(f"manifest/{table}", date, to_table(rows, ManifestRow), [row.symbol for row in rows])

    def find(self, table: str, symbol: str, date: dt.date) -> ManifestRow | None:
        """The committed row, or None."""
        found = self._light.read(f"manifest/{table}", dates=[date], symbols=[symbol])
        return next(iter(from_table(found, ManifestRow)), None)

    def rows(
        self,
        table: str | None = None,
        dates: Sequence[dt.date] | None = None,
        symbols: Sequence[str] | None = None,
    ) -> list[ManifestRow]:
        """Committed rows by table, date and symbol; None takes all."""
        return self._collect(ManifestRow, "manifest", table, dates, symbols)

    def versions(
        self, table: str, dates: Sequence[dt.date] | None = None, symbols: Sequence[str] | None = None
    ) -> dict[tuple[str, dt.date], tuple[int, int]]:
        """Version and number of rows of each committed (symbol, date): what a reader of many dates needs, only that."""
        columns = ["symbol", "date", "version", "rows"]
        found = self._light.read(f"manifest/{table}", dates=dates, symbols=symbols, columns=columns)
        if found is None:
            return {}
        symbol, date, version, rows = (found[name].to_pylist() for name in columns)
        return dict(zip(zip(symbol, date, strict=True), zip(version, rows, strict=True), strict=True))

    def keys(
        self, table: str, dates: Sequence[dt.date], symbols: Sequence[str] | None = None
    ) -> dict[str, tuple[CommittedKey, ...]]:
        """What is committed of each symbol on some dates, oldest first."""
        columns = ["symbol", "date", "version", "content_hash"]
        found = self._light.read(f"manifest/{table}", dates=dates, symbols=symbols, columns=columns)
        keys: dict[str, list[CommittedKey]] = {}
        if found is not None:
            found = found.sort_by("date")
            symbol, *rest = (found[name].to_pylist() for name in columns)
            for name, key in zip(symbol, map(CommittedKey, *rest), strict=True):
                keys.setdefault(name, []).append(key)
        return {name: tuple(of_symbol) for name, of_symbol in keys.items()}

    def seconds(self, table: str, dates: Sequence[dt.date]) -> dict[tuple[str, dt.date], float]:
        """What each committed (symbol, date) took; of an ingest the source's time is in it [s]."""
        columns = ["symbol", "date", "seconds"]
        found = self._light.read(f"manifest/{table}", dates=dates, columns=columns)
        if found is None:
            return {}
        symbol, date, seconds = (found[name].to_pylist() for name in columns)
        return dict(zip(zip(symbol, date, strict=True), seconds, strict=True))

    def dates(self, table: str) -> list[dt.date]:
        """Dates of which at least one symbol is committed, in order."""
        return self._light.dates(f"manifest/{table}")

    def remove(self, table: str, date: dt.date, symbols: Sequence[str]) -> None:
        """Make data invisible; to be done before deleting them."""
        self._put(f"manifest/{table}", date, to_table([], ManifestRow), symbols)

    def withdraw(self, table: str, date: dt.date, rows: Sequence[ManifestRow], *, together: bool = False) -> None:
        """Make light rows invisible that are about to be replaced by others; the same again stay visible.

        A row of the light tier has no versions: without this, a run killed before it commits would leave other rows
        than the manifest says. ``together``: all of the date as soon as one symbol's are others.
        """
        held = {row.symbol: row.content_hash for row in self.rows(table, [date])}
        other = [row.symbol for row in rows if held.get(row.symbol, row.content_hash) != row.content_hash]
        self.remove(table, date, sorted(held) if together and other else other)

    def record_failures(self, date: dt.date, rows: Sequence[FailureRow]) -> None:
        """Keep why symbols failed on a date; attempts of an earlier failure are added.

        A failure older than the commit of the same symbol is stale: a run died between commit and clearing.
        """
        for table in dict.fromkeys(row.table for row in rows):
            chosen = [row for row in rows if row.table == table]
            _check_belong(table, date, chosen)
            before = {row.symbol: row.attempts for row in self.failures(table, [date])}
            summed = [row.model_copy(update={"attempts": row.attempts + before.get(row.symbol, 0)}) for row in chosen]
            self._put(f"failures/{table}", date, to_table(summed, FailureRow), [row.symbol for row in summed])

    def clear_failures(self, table: str, date: dt.date, symbols: Sequence[str]) -> None:
        """Forget why symbols failed: they are stored now. Costs nothing when nothing had failed."""
        failed = {row.symbol for row in self.failures(table, [date], symbols)}
        if failed:
            self._put(f"failures/{table}", date, to_table([], FailureRow), sorted(failed))

    def failures(
        self,
        table: str | None = None,
        dates: Sequence[dt.date] | None = None,
        symbols: Sequence[str] | None = None,
    ) -> list[FailureRow]:
        """Failures not cleared, by table, date and symbol; None takes all."""
        return self._collect(FailureRow, "failures", table, dates, symbols)

    def _put(self, table: str, date: dt.date, rows: pa.Table, symbols: Sequence[str]) -> None:
        if symbols:
            self._light.replace_symbols(table, date, rows, symbols)

    def _collect(
        self,
        record: type[_R],
        folder: str,
        table: str | None,
        dates: Sequence[dt.date] | None,
        symbols: Sequence[str] | None,
    ) -> list[_R]:
        if table is not None:
            return from_table(self._light.read(f"{folder}/{table}", dates=dates, symbols=symbols), record)
        names = [name for name in self._light.tables() if name.startswith(f"{folder}/")]
        return [
            row for name in names for row in from_table(self._light.read(name, dates=dates, symbols=symbols), record)
        ]


class ManifestSnapshot(Manifest):
    """A manifest that reads what it is asked for once: for a look at many tables that ask for the same rows."""

    def __init__(self, light: LightStore) -> None:
        super().__init__(light)
        self._seen: dict[tuple[object, ...], list[Any]] = {}

    def _collect(
        self,
        record: type[_R],
        folder: str,
        table: str | None,
        dates: Sequence[dt.date] | None,
        symbols: Sequence[str] | None,
    ) -> list[_R]:
        key = (folder, table, dates and tuple(dates), symbols and tuple(symbols))
        if key not in self._seen:
            self._seen[key] = super()._collect(record, folder, table, dates, symbols)
        return list(self._seen[key])


def _check_belong(table: str, date: dt.date, rows: Sequence[ManifestRow] | Sequence[FailureRow]) -> None:
    strange = [f"{row.table} {row.symbol} {row.date}" for row in rows if row.table != table or row.date != date]
    if strange:
        raise StoreError(f"rows of {', '.join(strange)} offered for {table} {date}")
    symbols = [row.symbol for row in rows]
    twice = sorted({symbol for symbol in symbols if symbols.count(symbol) > 1})
    if twice:
        raise StoreError(f"{table} {date}: {twice} named twice in one commit")

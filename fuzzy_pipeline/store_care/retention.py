"""Delete what is older than it is to be kept, and remember what it was."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa

from fuzzy_pipeline.errors import NotStoredError, StoreError
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.store_care.prune import Key, OnDelete
from fuzzy_pipeline.store_settings import RetentionSettings, StoreCareSettings
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.retired import FAILED
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.stores.stored_content import HEAVY_BY_NAME, same_commit
from fuzzy_pipeline.trading_calendar import now_eastern

INGEST_TABLES = IngestStep().light_tables
"""Light tables that are written, and go, with raw ticks."""
_TICKS = (RAW_TICKS.name, ENRICHED_TICKS.name)


@dataclass(frozen=True, slots=True)
class Retirement:
    """What would go of one table and date: committed rows, and light rows that an interrupted deletion left."""

    table: str
    date: dt.date
    rows: tuple[ManifestRow, ...]
    leftovers: tuple[str, ...] = ()
    bytes: int | None = None

    @property
    def symbols(self) -> tuple[str, ...]:
        """Symbols that lose their data."""
        return (*(row.symbol for row in self.rows), *self.leftovers)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What is old enough to go and is kept, and why."""

    table: str
    symbol: str
    date: dt.date
    why: str


@dataclass(frozen=True, slots=True)
class RetentionPlan:
    """What retention would delete, or has deleted; ``first_kept`` is the first date each table keeps."""

    today: dt.date
    first_kept: Mapping[str, dt.date]
    retirements: tuple[Retirement, ...]
    held_back: tuple[HeldBack, ...]

    @property
    def rows(self) -> int:
        """Rows of data that go."""
        return sum(row.rows for item in self.retirements for row in item.rows)

    @property
    def bytes(self) -> int:
        """Bytes that go, as far as they are known."""
        return sum(item.bytes or 0 for item in self.retirements)


def plan_retention(
    store: Store,
    keep: RetentionSettings,
    care: StoreCareSettings,
    today: dt.date,
    *,
    now: dt.datetime | None = None,
    measure: bool = True,
) -> RetentionPlan:
    """What is older than its table is kept, counted in calendar days from ``today``; nothing is deleted.

    Held back are rows committed less than ``care.grace_minutes`` ago (a backfill of old dates may be reading them),
    and ticks of symbols and dates with a failure that is not mended: what failed may still need them.
    """
    youngest = (now or now_eastern()) - dt.timedelta(minutes=care.grace_minutes)
    first_kept = {
        table: today - dt.timedelta(days=days)
        for table in _committed_tables(store)
        if (days := keep.days(table)) is not None
    }
    retirements, held_back = [], []
    for table, first in first_kept.items():
        old = sorted(date for date in _dates(store, table) if date < first)
        sizes = _sizes(store, table) if old and measure else {}
        for date in old:
            rows = store.manifest.rows(table, [date])
            why = _why_kept(store, table, date, rows, youngest)
            held_back += [HeldBack(table, symbol, date, reason) for symbol, reason in sorted(why.items())]
            going = tuple(row for row in rows if row.symbol not in why)
            leftovers = _leftovers(store, table, date, rows)
            if going or leftovers:
                known = [sizes[row.symbol, date] for row in going if (row.symbol, date) in sizes]
                retirements.append(Retirement(table, date, going, leftovers, sum(known) if known else None))
    return RetentionPlan(today, first_kept, tuple(retirements), tuple(held_back))


def apply_retention(
    store: Store,
    plan: RetentionPlan,
    *,
    confirm: bool,
    on_delete: OnDelete | None = None,
    now: dt.datetime | None = None,
) -> RetentionPlan:
    """Delete what a plan names, and return what of it was deleted. A row committed again since the plan stays.

    First every manifest row is kept as a *retired* row and removed, so that readers, status and later runs know what
    was there and why it is gone; then the data go. Interrupted in between, a second plan and ``prune`` finish it.

    Raises
    ------
    StoreError
        ``confirm`` is not True, or another backup or deletion holds the store.
    """
    if confirm is not True:
        raise StoreError("retention deletes data for good; nothing was deleted, because it was not confirmed")
    at = now or now_eastern()
    with store.maintenance("deleting what is older than its retention"):
        done = [
            gone
            for item in plan.retirements
            if (gone := _retire(store, item, at, plan.first_kept[item.table], on_delete)).symbols
        ]
        for item in done:
            _delete_data(store, item)
    return replace(plan, retirements=tuple(done))


def _retire(
    store: Store, item: Retirement, at: dt.datetime, first_kept: dt.date, on_delete: OnDelete | None
) -> Retirement:
    """Make the rows of an item invisible; those that are not as they were planned are left out."""
    names = [row.symbol for row in item.rows]
    now = {row.symbol: row for row in store.manifest.rows(item.table, [item.date], names)} if names else {}
    rows = tuple(row for row in item.rows if same_commit(now.get(row.symbol), row))
    gone = replace(item, rows=rows, bytes=item.bytes if len(rows) == len(item.rows) else None)
    if rows:
        names = [row.symbol for row in rows]
        if on_delete is not None:
            details = {"symbols": names, "rows": sum(row.rows for row in rows), "bytes": gone.bytes}
            subject = {"table": item.table, "date": item.date.isoformat()}
            on_delete("retention.delete", subject, {**details, "first_kept": first_kept.isoformat()})
        failures = {row.symbol: row.reason for row in store.manifest.failures(item.table, [item.date], names)}
        marked = [
            row.model_copy(update={"notes": {**row.notes, FAILED: failures[row.symbol]}})
            if row.symbol in failures else row
            for row in rows
        ]  # fmt: skip
        store.retired.add(item.date, marked, at, f"{item.table} before {first_kept} are not kept")
        store.manifest.remove(item.table, item.date, names)
        store.manifest.clear_failures(item.table, item.date, names)
    return gone


def _delete_data(store: Store, item: Retirement) -> None:
    table = HEAVY_BY_NAME.get(item.table)
    if table is None:
        _delete_light(store, item.table, item.date, item.symbols)
        return
    for row in item.rows:
        held = store.heavy.versions(table, row.symbol, item.date)
        # A newer version belongs to a run that is under way: it stays, and is pruned if it is never committed.
        store.delete_versions(table, row.symbol, item.date, [version for version in held if version <= row.version])
    if item.table == RAW_TICKS.name:
        for light in INGEST_TABLES:
            _delete_light(store, light, item.date, item.symbols)


def _delete_light(store: Store, table: str, date: dt.date, symbols: Sequence[str]) -> None:
    if symbols and date in store.light.dates(table):
        store.light.replace_symbols(table, date, pa.table({"symbol": pa.array([], pa.string())}), symbols)


def _committed_tables(store: Store) -> list[str]:
    """Tables with committed rows, or with retired ones whose data may not be gone yet."""
    names = [name.partition("/") for name in store.light.tables()]
    return sorted({table for folder, _, table in names if table and folder in ("manifest", "retired")})


def _light_beside(table: str) -> tuple[str, ...]:
    """Light tables that hold rows of a committed table's symbols and dates."""
    if table == RAW_TICKS.name:
        return tuple(INGEST_TABLES)
    return () if table in HEAVY_BY_NAME else (table,)


def _dates(store: Store, table: str) -> set[dt.date]:
    return {*store.manifest.dates(table), *(date for name in _light_beside(table) for date in store.light.dates(name))}


def _leftovers(store: Store, table: str, date: dt.date, committed: Sequence[ManifestRow]) -> tuple[str, ...]:
    """Symbols with light rows though they are retired: what an interrupted deletion left."""
    held: set[str] = set()
    for name in _light_beside(table):
        found = store.light.read(name, dates=[date], columns=["symbol"])
        held |= set(found["symbol"].to_pylist()) if found is not None else set()
    held -= {row.symbol for row in committed}
    if not held:
        return ()
    return tuple(sorted(held & {row.symbol for row in store.retired.rows(table, [date])}))


def _why_kept(
    store: Store, table: str, date: dt.date, rows: Sequence[ManifestRow], youngest: dt.datetime
) -> dict[str, str]:
    """Reasons to keep rows of a date, by symbol."""
    why = {row.symbol: "committed just now" for row in rows if row.committed_at > youngest}
    if table in _TICKS:
        for failure in store.manifest.failures(None, [date]):
            held = store.manifest.find(failure.table, failure.symbol, date)
            if held is None or held.committed_at < failure.failed_at:
                why.setdefault(failure.symbol, f"{failure.table} failed and is not mended")
    own = {row.symbol for row in rows}
    return {symbol: reason for symbol, reason in why.items() if symbol in own}


def _sizes(store: Store, table: str) -> dict[Key, int]:
    heavy = HEAVY_BY_NAME.get(table)
    try:
        return {} if heavy is None else store.heavy.key_bytes(heavy)
    except NotStoredError:
        return {}  # the heavy tier was created without this table

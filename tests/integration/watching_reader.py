"""A reader that looks at a store in every way there is, and what of it must be true at every moment.

Belongs here: what is compared, so that tests of killed, failed and parallel runs judge a store alike.
"""

from __future__ import annotations

import datetime as dt
import itertools
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from fuzzy_pipeline.errors import NotStoredError
from fuzzy_pipeline.query import get_bars, get_metadata, get_rankings, get_ticks, sql
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.quality import CHECK_RESULTS_TABLE
from fuzzy_pipeline.schema.rankings import RANKINGS_TABLE
from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.store_care.retention import INGEST_TABLES
from fuzzy_pipeline.store_care.verify import check_store
from fuzzy_pipeline.stores.content_hash import arrow_content_hash
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.store import Store, open_store
from fuzzy_pipeline.stores.stored_content import HEAVY_BY_NAME, same_commit, stored_hash

Key = tuple[str, str, dt.date]
"""Table, symbol and date."""

DOUBLED = f"SELECT symbol, date, count(*) AS n FROM {PHASE1_TABLE} GROUP BY ALL HAVING n > 1"
INVISIBLE = f"""
SELECT symbol, date FROM manifest WHERE "table" = '{PHASE1_TABLE}'
EXCEPT SELECT symbol, date FROM {PHASE1_TABLE}
"""
BESIDE = (*INGEST_TABLES, CHECK_RESULTS_TABLE)
"""Light tables that have no manifest: what was set aside, and what the rules said."""
OF_THE_CLOCK = ["source_latency_s", "fetched_after_close_s"]
"""Measures that tell when something was done, not what."""
TIME_BARS = BAR_TABLES["time"].name


def content_of(settings: Settings) -> dict[Key, str]:
    """Content hash of every manifest row, each proven by reading what it names, and that of the tables beside."""
    store = open_store(settings)
    try:
        broken = [item for check in check_store(store) for item in check.broken]
        assert broken == []
        rows = store.manifest.rows()
        found = {(row.table, row.symbol, row.date): row.content_hash for row in rows}
        assert len(found) == len(rows), "a manifest row is there twice"
        return found | content_beside(store)
    finally:
        store.close()


def content_beside(store: Store) -> dict[Key, str]:
    """Hash of each date of the light tables that have no manifest."""
    found = {}
    for table in BESIDE:
        for date in store.light.dates(table):
            rows = store.light.read(table, dates=[date])
            if table == CHECK_RESULTS_TABLE:
                rows = rows.filter(pc.invert(pc.is_in(rows["measure"], pa.array(OF_THE_CLOCK))))
                rows = rows.drop_columns(["evaluated_at"])
            order = [(name, "ascending") for name in ("symbol", "table", "rule", "row") if name in rows.column_names]
            found[table, "*", date] = arrow_content_hash(rows.sort_by(order))
    return found


@dataclass(slots=True)
class Seen:
    """What a reader has met so far."""

    polls: int = 0
    reads: Counter[str] = field(default_factory=Counter)
    proven: dict[Key, ManifestRow] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.polls} polls, {dict(self.reads)}, {len(self.proven)} rows proven"


def watch(stop: Path, seconds: float) -> None:
    """Poll until the file ``stop`` is there; a violation is an ``AssertionError``."""
    settings, seen = load_settings(), Seen()
    end = time.monotonic() + seconds
    store: Store | None = None
    for turn in itertools.count():
        if stop.exists() or time.monotonic() > end:
            break
        if store is None:
            try:
                store = open_store(settings)
            except NotStoredError:
                time.sleep(0.05)
                continue
        look(store, settings, seen, turn)
        seen.polls += 1
        time.sleep(0.05)
    print(f"seen {seen}", flush=True)  # noqa: T201


def look(store: Store, settings: Settings, seen: Seen, turn: int) -> None:
    """Everything that is committed can be read, is what was committed, and is there once."""
    rows = store.manifest.rows()
    keys = Counter((row.table, row.symbol, row.date) for row in rows)
    assert max(keys.values(), default=1) == 1, f"manifest rows are doubled: {keys.most_common(3)}"
    prove_new_rows(store, rows, seen)
    reads = (look_at_ticks, look_at_bars, look_at_metadata, look_at_rankings, look_at_sql)
    reads[turn % len(reads)](store, settings, rows, seen)


def prove_new_rows(store: Store, rows: list[ManifestRow], seen: Seen) -> None:
    """Read whole whatever was committed since it was last proven."""
    for row in rows:
        key = (row.table, row.symbol, row.date)
        before = seen.proven.get(key)
        if before is not None and same_commit(before, row):
            continue
        try:
            found, count = stored_hash(store, row)
        except NotStoredError:
            assert not same_commit(store.manifest.find(*key), row), f"{key} is committed and not there"
            continue
        if (found, count) == (row.content_hash, row.rows):
            seen.proven[key] = row
            continue
        # What is read by its version never changes; a light row has none, and may have been replaced since.
        assert row.table not in HEAVY_BY_NAME, f"{key} is not what was committed"
        assert not same_commit(store.manifest.find(*key), row), f"{key} is not what was committed"


def _one_of(rows: list[ManifestRow], table: str, turn: int) -> ManifestRow | None:
    of_table = [row for row in rows if row.table == table]
    return of_table[turn % len(of_table)] if of_table else None


def look_at_ticks(store: Store, settings: Settings, rows: list[ManifestRow], seen: Seen) -> None:
    row = _one_of(rows, ENRICHED_TICKS.name, seen.polls)
    if row is None:
        return
    ticks = get_ticks(row.symbol, row.date, columns=["price", "size"], as_="arrow", settings=settings, store=store)
    now = store.manifest.find(row.table, row.symbol, row.date)
    assert now is not None
    assert ticks.num_rows in (row.rows, now.rows)
    seen.reads["get_ticks"] += 1


def look_at_bars(store: Store, settings: Settings, rows: list[ManifestRow], seen: Seen) -> None:
    row = _one_of(rows, TIME_BARS, seen.polls)
    if row is None:
        return
    bars = get_bars(row.symbol, row.date, family="time", parameter="5m", as_="arrow", settings=settings, store=store)
    starts = bars["bar_start"].to_pylist()
    assert starts
    assert len(set(starts)) == len(starts), "bars are doubled"
    seen.reads["get_bars"] += 1


def look_at_metadata(store: Store, settings: Settings, rows: list[ManifestRow], seen: Seen) -> None:
    before = {(row.symbol, row.date) for row in rows if row.table == PHASE1_TABLE}
    if not before:
        return
    records = get_metadata(as_="arrow", settings=settings, store=store)
    found = list(zip(records["symbol"].to_pylist(), records["date"].to_pylist(), strict=True))
    assert len(set(found)) == len(found), "day records are doubled"
    # Rows that are being replaced by others are out of sight meanwhile.
    lost = [row for row in rows if row.table == PHASE1_TABLE and (row.symbol, row.date) not in set(found)]
    still = [row for row in lost if same_commit(store.manifest.find(row.table, row.symbol, row.date), row)]
    assert not still, f"committed day records are not found: {still}"
    seen.reads["get_metadata"] += 1


def look_at_rankings(store: Store, settings: Settings, rows: list[ManifestRow], seen: Seen) -> None:
    before = {(row.symbol, row.date) for row in rows if row.table == RANKINGS_TABLE}
    if not before:
        return
    records = get_rankings(as_="arrow", settings=settings, store=store)
    found = Counter(zip(records["symbol"].to_pylist(), records["date"].to_pylist(), strict=True))
    assert max(found.values()) == 1, "rankings are doubled"
    by_date = Counter(date for _, date in found)
    assert set(by_date.values()) == {len(settings.symbols)}, f"a date is ranked in part: {by_date}"
    seen.reads["get_rankings"] += 1


def look_at_sql(store: Store, settings: Settings, rows: list[ManifestRow], seen: Seen) -> None:
    if not any(row.table == PHASE1_TABLE for row in rows):
        return
    for query in (DOUBLED, INVISIBLE):
        found = sql(query, as_="arrow", settings=settings, store=store)
        assert found.num_rows == 0, f"{query}: {found.to_pylist()[:3]}"
    seen.reads["sql"] += 1


def differences(found: Mapping[Key, str], expected: Mapping[Key, str]) -> list[str]:
    """What one store has otherwise than the other, in words."""
    lacking = [f"{key} is missing" for key in sorted(expected.keys() - found.keys())]
    more = [f"{key} is too much" for key in sorted(found.keys() - expected.keys())]
    other = [f"{key} differs" for key in sorted(expected.keys() & found.keys()) if found[key] != expected[key]]
    return [*lacking, *more, *other]


def of_dates(content: Mapping[Key, str], *, last: dt.date) -> dict[Key, str]:
    """What of a store's content is of dates up to the last."""
    return {key: found for key, found in content.items() if key[2] <= last}

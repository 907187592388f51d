"""A store is what its stamp says, and readers see what the manifest commits."""

from __future__ import annotations

import datetime as dt
import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from fuzzy_pipeline.errors import NotStoredError, SchemaError, StoreError, StoreKindError, StoreSchemaError
from fuzzy_pipeline.schema import tables as schema_tables
from fuzzy_pipeline.schema.tables import Table
from fuzzy_pipeline.settings import Settings, StoreSettings
from fuzzy_pipeline.stores.arctic import ArcticHeavyStore
from fuzzy_pipeline.stores.file_lock import held
from fuzzy_pipeline.stores.manifest import FailureRow, ManifestRow
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.store import Store, create_store, open_or_create_store, open_store

NOW = dt.datetime(2025, 9, 16, 20, 0, tzinfo=dt.UTC)
SettingsAt = Callable[..., Settings]


@pytest.fixture
def settings_at(tmp_path: Path) -> SettingsAt:
    def build(home: str = "home", **store: object) -> Settings:
        section = StoreSettings.model_validate({"map_size": "64MB", "lock_timeout_s": 0.3} | store)
        return Settings(home=tmp_path / home, store=section)

    return build


@pytest.fixture(params=["disk", "memory"])
def store(request: pytest.FixtureRequest, settings_at: SettingsAt, ticks: Table) -> Iterator[Store]:
    made = create_store(settings_at(), "real", [ticks]) if request.param == "disk" else memory_store("real", [ticks])
    yield made
    made.close()


def commit(store: Store, table: Table, symbol: str, date: dt.date, version: int, rows: int) -> None:
    row = ManifestRow(
        table=table.name, symbol=symbol, date=date, kind=store.kind, version=version, rows=rows, content_hash="c",
        input_hash="i", source="files", ingest_id="run", code_version="0", schema_version=1, rows_in=rows,
        rows_out=rows, committed_at=NOW,
    )  # fmt: skip
    store.manifest.commit(table.name, date, [row])


def test_what_is_written_but_not_committed_does_not_exist(store, ticks, day, arrays_of):
    version = store.write(ticks, "A", day, arrays_of(2))
    with pytest.raises(NotStoredError, match="test_ticks A 2025-09-16: nothing is committed"):
        store.read(ticks, "A", day)
    commit(store, ticks, "A", day, version, 2)
    store.write(ticks, "A", day, arrays_of(5))
    assert len(store.read(ticks, "A", day).arrays["price"]) == 2


def test_a_missing_key_tells_why_it_failed(store, ticks, day):
    store.manifest.record_failures(day, [
        FailureRow(table="test_ticks", symbol="A", date=day, reason="no answer", error_type="X", failed_at=NOW)
    ])  # fmt: skip
    with pytest.raises(NotStoredError, match="failed 2025-09-16 16:00 ET: no answer"):
        store.read(ticks, "A", day)


def test_metadata_come_with_the_arrays(store, ticks, day, arrays_of):
    commit(store, ticks, "A", day, store.write(ticks, "A", day, arrays_of(2), {"1m": [0, 2]}), 2)
    assert store.read(ticks, "A", day).metadata == {"1m": [0, 2]}


def test_key_columns_are_checked_left_out_and_attached(store, ticks, day, arrays_of):
    key_columns = {"date": np.full(3, np.datetime64(day)), "symbol": np.array(["A"] * 3)}
    commit(store, ticks, "A", day, store.write(ticks, "A", day, arrays_of(3) | key_columns), 3)
    assert "date" not in store.read(ticks, "A", day).arrays
    found = store.read(ticks, "A", day, columns=["symbol", "center", "date"], rows=(1, 3)).arrays
    assert list(found) == ["symbol", "center", "date"]
    assert found["symbol"].tolist() == ["A", "A"]
    assert found["date"].dtype == np.dtype("datetime64[D]")
    assert found["date"].astype(str).tolist() == ["2025-09-16"] * 2
    assert store.read(ticks, "A", day, columns=["date"]).arrays["date"].tolist() == [day] * 3


def test_a_date_attached_on_the_days_of_the_clock_change_is_that_day(store, ticks, arrays_of):
    for date, first in ((dt.date(2025, 3, 9), "2025-03-09T05:00:00"), (dt.date(2025, 11, 2), "2025-11-02T04:00:00")):
        commit(store, ticks, "A", date, store.write(ticks, "A", date, arrays_of(2, first)), 2)
        assert store.read(ticks, "A", date, columns=["date"]).arrays["date"].tolist() == [date, date]


def test_key_columns_that_say_something_else_are_refused(store, ticks, day, arrays_of):
    with pytest.raises(SchemaError, match="column date has rows other than 2025-09-16"):
        store.write(ticks, "A", day, arrays_of(2) | {"date": np.array(["2025-09-16", "2025-09-17"], "datetime64[D]")})
    with pytest.raises(SchemaError, match="column symbol has rows other than A"):
        store.write(ticks, "A", day, arrays_of(1) | {"symbol": np.array(["B"])})


def test_many_keys_come_one_below_the_other_with_their_key_columns(store, ticks, day, arrays_of):
    next_day = day + dt.timedelta(1)
    for symbol, date, rows in (("A", day, 2), ("A", next_day, 3), ("B", day, 0)):
        commit(store, ticks, symbol, date, store.write(ticks, symbol, date, arrays_of(rows)), rows)
    keys = [("A", next_day), ("B", day), ("A", day)]
    found = store.read_many(ticks, keys, columns=["date", "center", "symbol"], rows={("A", next_day): (1, 9)})
    assert found["center"].tolist() == [1, 2, 0, 1]
    assert found["date"].tolist() == [next_day, next_day, day, day]
    assert found["symbol"].tolist() == ["A"] * 4
    assert store.read_many(ticks, keys, columns=["date"])["date"].tolist() == [next_day] * 3 + [day] * 2
    assert len(store.read_many(ticks, [("B", day)])["price"]) == 0
    with pytest.raises(NotStoredError, match="Z 2025-09-16"):
        store.read_many(ticks, [("A", day), ("Z", day)])


# -- creating and opening ------------------------------------------------------------------------------


def test_a_new_store_is_stamped_without_secrets_or_places(settings_at, ticks):
    settings = settings_at()
    create_store(settings, "simulated", [ticks]).close()
    stamp = json.loads((settings.light_path / "store.json").read_text())
    assert (stamp["kind"], stamp["layout_version"]) == ("simulated", 1)
    assert stamp["schema_version"] == schema_tables.SCHEMA_VERSION
    assert stamp["tables"] == ["test_ticks"]
    assert dt.datetime.fromisoformat(stamp["created_at"]).utcoffset() is not None
    assert "lmdb" not in json.dumps(stamp)


def test_nothing_there_is_not_stored(settings_at):
    with pytest.raises(NotStoredError, match=r"no store at .*FUZZY_HOME"):
        open_store(settings_at())
    assert not settings_at().light_path.exists()


def test_a_store_opens_as_the_kind_it_is(settings_at, ticks):
    create_store(settings_at(), "simulated", [ticks]).close()
    assert open_store(settings_at()).kind == "simulated"
    for call in (
        lambda: open_store(settings_at(), expect_kind="real"),
        lambda: create_store(settings_at(), "real", [ticks]),
        lambda: open_or_create_store(settings_at(), "real", [ticks]),
    ):
        with pytest.raises(StoreKindError, match=r"home/store/light holds simulated data, real .*FUZZY_HOME"):
            call()


def test_another_schema_version_names_both_and_what_to_do(settings_at, ticks, monkeypatch):
    monkeypatch.setattr(schema_tables, "SCHEMA_VERSION", 1)
    create_store(settings_at(), "real", [ticks]).close()
    monkeypatch.setattr(schema_tables, "SCHEMA_VERSION", 7)
    for call in (lambda: open_store(settings_at()), lambda: create_store(settings_at(), "real", [ticks])):
        with pytest.raises(
            StoreSchemaError, match=r"schema version 1.*version 7.*release that wrote it.*build the dates"
        ):
            call()


def test_a_damaged_stamp_is_named(settings_at, ticks):
    create_store(settings_at(), "real", [ticks]).close()
    (settings_at().light_path / "store.json").write_text("{")
    with pytest.raises(StoreError, match=r"store\.json cannot be read"):
        open_store(settings_at())


def test_a_run_killed_between_libraries_and_stamp_is_completed(settings_at, ticks, bars, day, arrays_of):
    settings = settings_at()
    half = ArcticHeavyStore(settings.heavy_uri)
    half.create([ticks])
    half.close()
    with pytest.raises(NotStoredError):
        open_store(settings)
    store = open_or_create_store(settings, "real", [ticks, bars])
    commit(store, ticks, "A", day, store.write(ticks, "A", day, arrays_of(2)), 2)
    assert len(store.read(ticks, "A", day).arrays["price"]) == 2
    store.close()


def test_a_store_gains_the_tables_it_lacks_and_keeps_the_rest(settings_at, ticks, bars, day, arrays_of):
    first = open_or_create_store(settings_at(), "real", [ticks])
    commit(first, ticks, "A", day, first.write(ticks, "A", day, arrays_of(2)), 2)
    first.close()
    second = open_or_create_store(settings_at(), "real", [ticks, bars])
    no_bars = {"bar_index": np.empty(0, np.uint32), "close": np.empty(0)}
    assert second.write(bars, "A", day, no_bars) == 0
    assert len(second.read(ticks, "A", day).arrays["price"]) == 2
    second.close()


def test_light_data_without_a_stamp_are_refused(settings_at, ticks):
    settings = settings_at()
    store = create_store(settings, "real", [ticks])
    store.light.replace_symbols("day", dt.date(2025, 9, 16), pa.table({"symbol": ["A"]}), ["A"])
    store.close()
    (settings.light_path / "store.json").unlink()
    with pytest.raises(StoreError, match=r"holds tables \(day\) but no store.json"):
        create_store(settings, "simulated", [ticks])


def test_a_light_tier_beside_another_heavy_store_is_refused(settings_at, ticks, tmp_path):
    create_store(settings_at(), "real", [ticks]).close()
    other = settings_at(heavy_uri=f"lmdb://{tmp_path / 'other'}?map_size=64MB")
    with pytest.raises(StoreError, match=r"created with another heavy store than lmdb://.*/other:"):
        open_store(other)


def test_a_larger_map_and_a_moved_home_are_the_same_store(settings_at, ticks, tmp_path):
    create_store(settings_at(), "real", [ticks]).close()
    open_store(settings_at(map_size="128MB")).close()
    (tmp_path / "home").rename(tmp_path / "moved")
    open_store(settings_at("moved")).close()


def test_a_store_pickles_as_its_location(settings_at, ticks, day, arrays_of):
    store = create_store(settings_at(), "real", [ticks])
    commit(store, ticks, "A", day, store.write(ticks, "A", day, arrays_of(2)), 2)
    assert store.location == pickle.loads(pickle.dumps(store.location))
    copy = pickle.loads(pickle.dumps(store))
    assert len(copy.read(ticks, "A", day).arrays["price"]) == 2
    copy.close()
    store.close()
    with pytest.raises(StoreError, match="in memory"):
        pickle.dumps(memory_store("real", []))


def test_one_key_has_one_writer_and_other_keys_go_on(settings_at, ticks, day, arrays_of, monkeypatch):
    store = create_store(settings_at(), "real", [ticks])
    monkeypatch.setattr("fuzzy_pipeline.stores.store.zlib.crc32", lambda key: 1 if b" A " in key else 2)
    with held(store.root / ".locks" / "key-1.lock", 1, "the other writer"):
        with pytest.raises(StoreError, match="test_ticks A 2025-09-16: still held by pid"):
            store.write(ticks, "A", day, arrays_of(1))
        assert store.write(ticks, "B", day, arrays_of(1)) == 0
    store.close()


def test_a_look_reads_each_part_of_the_manifest_once_from_the_stores_own_files(store, ticks, day, arrays_of):
    version = store.write(ticks, "A", day, arrays_of(2))
    commit(store, ticks, "A", day, version, 2)
    look = store.looked_at_once()
    assert (look.light, look.heavy, look.root, look.kind) == (store.light, store.heavy, store.root, store.kind)
    before = look.manifest.rows(ticks.name, [day])
    commit(store, ticks, "A", day, version, 1)
    assert look.manifest.rows(ticks.name, [day]) == before  # what was seen stays, for this look
    assert store.manifest.rows(ticks.name, [day]) != before
    assert store.looked_at_once().manifest.rows(ticks.name, [day]) == store.manifest.rows(ticks.name, [day])
    before.clear()
    assert len(look.manifest.rows(ticks.name, [day])) == 1  # nobody can change what others will see

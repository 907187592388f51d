"""``check_store`` finds what is not as committed, names it, and the command it names mends it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pytest

from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.quarantine import DECISIONS_TABLE, Decision, QuarantineDecision, releases_hash
from fuzzy_pipeline.schema.records import to_table
from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.store_care.verify import Broken, TableCheck, check_store
from fuzzy_pipeline.stores.content_hash import arrow_content_hash
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.store import Store, open_store
from tests.unit.store_care.simulated_home import DATE, run_all

NOON = dt.datetime(2025, 11, 26, 12, tzinfo=dt.UTC)
DECIDED: tuple[tuple[str, Decision], ...] = (("price_is_positive", "release"), ("size_is_positive", "drop"))


def only(checks: list[TableCheck]) -> Broken:
    (found,) = [item for check in checks for item in check.broken]
    return found


def of(checks: list[TableCheck], table: str) -> TableCheck:
    return next(check for check in checks if check.table == table)


def light_file(store: Store, table: str) -> Path:
    return store.root / table / f"date={DATE}.parquet"


def commit_otherwise(store: Store, table: str, **changes: object) -> None:
    row = store.manifest.find(table, "AAA", DATE)
    assert row is not None
    store.manifest.commit(table, DATE, [row.model_copy(update=changes)])


def test_a_sound_store_is_proven_row_by_row(store: Store) -> None:
    checks = check_store(store)
    assert [item for check in checks for item in check.broken] == []
    for table in (RAW_TICKS.name, ENRICHED_TICKS.name, "time_bars", "imbalance_bars", PHASE1_TABLE):
        assert (of(checks, table).checked, of(checks, table).ok) == (2, 2)
    assert sum(check.unnamed_versions for check in checks) == 0


def test_a_version_deleted_behind_the_manifest_is_missing(store: Store) -> None:
    store.heavy.delete_versions(ENRICHED_TICKS, "AAA", DATE, [0])
    found = only(check_store(store))
    assert (found.table, found.symbol, found.problem) == ("enriched_ticks", "AAA", "missing")
    assert found.command == "fuzzy run 2025-11-25 --symbols AAA --assets enriched_ticks --force"


@pytest.mark.parametrize("table", [RAW_TICKS, ENRICHED_TICKS, BAR_TABLES["imbalance"]])
def test_one_other_value_is_another_content(store: Store, table: object) -> None:
    """The manifest names a version that differs in the last row of one column."""
    assert table in (RAW_TICKS, ENRICHED_TICKS, BAR_TABLES["imbalance"])
    stored = store.read(table, "AAA", DATE)
    arrays = {name: array.copy() for name, array in stored.arrays.items()}
    column = "last_sz" if table is RAW_TICKS else "size" if table is ENRICHED_TICKS else "volume"
    arrays[column][-1] += 1
    version = store.write(table, "AAA", DATE, arrays, stored.metadata)
    commit_otherwise(store, table.name, version=version)
    checks = check_store(store)
    assert only(checks).problem == "hash"
    assert of(checks, table.name).ok == 1
    assert of(checks, table.name).unnamed_versions == 1  # the good one, which nothing names now
    assert [item for check in check_store(store, quick=True) for item in check.broken] == []


def test_the_state_that_bars_carry_is_part_of_their_content(store: Store) -> None:
    table = BAR_TABLES["imbalance"]
    stored = store.read(table, "AAA", DATE)
    metadata = {**stored.metadata, "state": {"version": 0, "series": {}}}
    commit_otherwise(store, table.name, version=store.write(table, "AAA", DATE, stored.arrays, metadata))
    assert only(check_store(store)).problem == "hash"


def test_lost_rows_are_found_by_the_quick_check(store: Store) -> None:
    stored = store.read(RAW_TICKS, "AAA", DATE)
    short = {name: array[:-1] for name, array in stored.arrays.items()}
    commit_otherwise(store, RAW_TICKS.name, version=store.write(RAW_TICKS, "AAA", DATE, short))
    found = only(check_store(store, quick=True))
    count = len(stored.arrays["last"])
    assert (found.problem, found.detail) == ("rows", f"{count - 1} rows, {count} were committed")


def test_a_changed_value_of_a_record_is_another_content(store: Store) -> None:
    rows = store.light.read(PHASE1_TABLE, dates=[DATE], symbols=["AAA"])
    assert rows is not None
    record = rows.to_pylist()
    record[0]["basic_stats"]["volume_total"] += 1
    store.light.replace_symbols(PHASE1_TABLE, DATE, type(rows).from_pylist(record, schema=rows.schema), ["AAA"])
    found = only(check_store(store))
    assert (found.table, found.symbol, found.problem) == (PHASE1_TABLE, "AAA", "hash")


def test_a_lost_record_is_missing(store: Store) -> None:
    rows = store.light.read(PHASE1_TABLE, dates=[DATE], symbols=["AAA"])
    assert rows is not None
    store.light.replace_symbols(PHASE1_TABLE, DATE, rows.slice(0, 0), ["AAA"])
    assert only(check_store(store)).problem == "missing"


def test_records_keep_their_hash_on_the_way_through_a_file(store: Store) -> None:
    """Parquet calls the items of a map after their column: ``null_reasons`` is such a map."""
    rows = store.light.read(PHASE1_TABLE, dates=[DATE], symbols=["AAA"])
    row = store.manifest.find(PHASE1_TABLE, "AAA", DATE)
    assert rows is not None
    assert row is not None
    assert arrow_content_hash(rows) == row.content_hash


def test_a_decision_is_checked_by_what_it_changes(store: Store) -> None:
    """Two decisions on set-aside rows, a release and a drop; the hash that commits them is that of the release."""
    decisions = [
        QuarantineDecision(
            symbol="AAA", trading_date=DATE, decision=decision, rule=rule, row=1, values_hash="ab", occurrence=0,
            values={"last": "1.0"}, corrections={"last": "10.0"} if decision == "release" else {},
            why="point misplaced", decided_by="me", decided_at=NOON, audit_sequence=1,
        )
        for rule, decision in DECIDED
    ]  # fmt: skip
    store.light.replace_symbols(DECISIONS_TABLE, DATE, to_table(decisions, QuarantineDecision), ["AAA"])
    row = store.manifest.find(PHASE1_TABLE, "AAA", DATE)
    assert row is not None
    committed = row.model_copy(update={"table": DECISIONS_TABLE, "rows": 2, "content_hash": releases_hash(decisions)})
    store.manifest.commit(DECISIONS_TABLE, DATE, [committed])
    assert of(check_store(store), DECISIONS_TABLE).ok == 1
    store.manifest.commit(DECISIONS_TABLE, DATE, [committed.model_copy(update={"content_hash": releases_hash([])})])
    assert only(check_store(store)).problem == "hash"


def test_a_damaged_light_file_is_named_and_the_rest_is_checked(store: Store) -> None:
    path = light_file(store, PHASE1_TABLE)
    content = bytearray(path.read_bytes())
    content[-6] ^= 0xFF  # in the footer
    path.write_bytes(bytes(content))
    checks = check_store(store)
    broken = of(checks, PHASE1_TABLE).broken
    assert {(item.symbol, item.problem) for item in broken} == {("AAA", "unreadable"), ("BBB", "unreadable")}
    assert {item.command for item in broken} == {
        f"remove the file, then fuzzy run 2025-11-25 --assets {PHASE1_TABLE} --force"
    }
    assert str(path) in broken[0].detail
    assert of(checks, RAW_TICKS.name).ok == 2


def test_a_damaged_manifest_file_is_named_and_the_rest_is_checked(store: Store) -> None:
    light_file(store, "manifest/time_bars").write_bytes(b"PAR1 nothing PAR1")
    checks = check_store(store)
    found = of(checks, "time_bars").broken[0]
    assert (found.problem, found.date) == ("file", DATE)
    assert "manifest/time_bars" in found.detail
    assert of(checks, "enriched_ticks").ok == 2


def test_light_rows_of_another_ingest_are_torn(store: Store) -> None:
    commit_otherwise(store, RAW_TICKS.name, ingest_id="of a run that was killed")
    found = [item for check in check_store(store) for item in check.broken]
    assert {(item.table, item.symbol, item.problem) for item in found} == {("raw_ticks", "AAA", "torn")}
    assert {item.command for item in found} == {"fuzzy run 2025-11-25 --symbols AAA --assets raw_ticks --force"}


def test_rows_set_aside_that_are_gone_are_noticed(store: Store) -> None:
    commit_otherwise(store, RAW_TICKS.name, rows_set_aside=7)
    found = only(check_store(store))
    assert (found.problem, found.detail) == ("torn", "0 rows in quarantine, 7 were committed")


def test_data_of_the_other_kind_are_noticed(store: Store) -> None:
    commit_otherwise(store, ENRICHED_TICKS.name, kind="real")
    assert only(check_store(store)).detail == "real data in a store of simulated data"


def test_what_no_manifest_row_names_is_counted_and_not_broken(store: Store) -> None:
    store.write(RAW_TICKS, "AAA", DATE, store.read(RAW_TICKS, "AAA", DATE).arrays)
    store.manifest.remove(PHASE1_TABLE, DATE, ["BBB"])
    checks = check_store(store)
    assert of(checks, RAW_TICKS.name).unnamed_versions == 1
    assert of(checks, PHASE1_TABLE).unnamed_symbols == 1
    assert [item for check in checks for item in check.broken] == []


def test_limits_choose_tables_dates_and_symbols(store: Store) -> None:
    store.heavy.delete_versions(ENRICHED_TICKS, "AAA", DATE, [0])
    (check,) = check_store(store, tables=["enriched_ticks"], symbols=["BBB"])
    assert (check.checked, check.broken) == (1, [])
    (check,) = check_store(store, tables=["enriched_ticks"], dates=[DATE + dt.timedelta(1)])
    assert (check.checked, check.broken) == (0, [])


def _lose_version(store: Store) -> None:
    store.heavy.delete_versions(ENRICHED_TICKS, "AAA", DATE, [0])


def _lose_file(store: Store) -> None:
    light_file(store, PHASE1_TABLE).unlink()


@pytest.mark.parametrize("damage", [_lose_version, _lose_file])
def test_running_the_date_again_as_told_mends_it(settings: Settings, damage: Callable[[Store], None]) -> None:
    store = open_store(settings)
    before = {(row.table, row.symbol): row.content_hash for row in store.manifest.rows()}
    damage(store)
    assert any(check.broken for check in check_store(store))
    store.close()
    run_all(settings, force=True)
    store = open_store(settings)
    assert not any(check.broken for check in check_store(store))
    assert {(row.table, row.symbol): row.content_hash for row in store.manifest.rows()} == before
    store.close()


def test_a_row_that_is_committed_again_meanwhile_is_looked_at_again(store: Store, monkeypatch) -> None:
    """The version goes while it is read, as a replaced one does: the new one counts."""
    stored = store.read(ENRICHED_TICKS, "AAA", DATE)
    version = store.write(ENRICHED_TICKS, "AAA", DATE, stored.arrays, stored.metadata)
    read = store.heavy.read

    def replaced_meanwhile(table, symbol, date, wanted, **more):
        if (table.name, symbol, wanted) == ("enriched_ticks", "AAA", 0):
            commit_otherwise(store, "enriched_ticks", version=version)
            raise StoreError("replaced")
        return read(table, symbol, date, wanted, **more)

    monkeypatch.setattr(store.heavy, "read", replaced_meanwhile)
    assert of(check_store(store), "enriched_ticks").broken == []


def test_an_empty_store_has_nothing_to_check() -> None:
    assert check_store(memory_store("real", [RAW_TICKS])) == []

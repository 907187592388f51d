"""Retention deletes what is older than it is kept, when told to, and remembers it."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from pydantic import ValidationError

from fuzzy_pipeline.errors import NotStoredError, StoreError
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.quarantine import DECISIONS_TABLE
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.store_care.prune import prune
from fuzzy_pipeline.store_care.retention import RetentionPlan, apply_retention, plan_retention
from fuzzy_pipeline.store_care.verify import check_store
from fuzzy_pipeline.store_settings import LONGEST_HISTORY_DAYS, RetentionSettings, StoreCareSettings
from fuzzy_pipeline.stores.manifest import FailureRow
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import FIRST_DATE, LAST_DATE, now_eastern, trading_dates
from tests.unit.store_care.simulated_home import DATE

KEEP, CARE = RetentionSettings(), StoreCareSettings()
LATER = now_eastern() + dt.timedelta(hours=2)


def after(days: int) -> dt.date:
    return DATE + dt.timedelta(days)


def plan(store: Store, days: int, keep: RetentionSettings = KEEP, **more: Any) -> RetentionPlan:
    return plan_retention(store, keep, CARE, after(days), now=more.pop("now", LATER), **more)


def tables(found: RetentionPlan) -> list[str]:
    return sorted({item.table for item in found.retirements})


def committed(store: Store) -> list[tuple[str, str, str]]:
    return [(row.table, row.symbol, row.content_hash) for row in store.manifest.rows()]


def test_each_table_goes_the_day_after_its_time_is_over(store: Store) -> None:
    assert tables(plan(store, 180)) == []
    assert tables(plan(store, 181)) == ["enriched_ticks", "raw_ticks"]
    assert "imbalance_bars" in tables(plan(store, 731))
    assert PHASE1_TABLE in tables(plan(store, 731))
    assert "time_bars" not in tables(plan(store, 1826))
    assert "time_bars" in tables(plan(store, 1827))


def test_a_table_kept_for_ever_never_goes(store: Store) -> None:
    keep = RetentionSettings.model_validate({"raw_ticks_days": "forever", "enriched_ticks_days": ""})
    assert tables(plan(store, 181, keep)) == []


def test_a_plan_tells_rows_and_bytes_and_deletes_nothing(store: Store) -> None:
    before = store.manifest.rows()
    found = plan(store, 181)
    ticks = [row for row in before if row.table in ("raw_ticks", "enriched_ticks")]
    assert found.rows == sum(row.rows for row in ticks)
    assert found.bytes > 0
    assert found.retirements[0].symbols == ("AAA", "BBB")
    assert committed(store) == [(row.table, row.symbol, row.content_hash) for row in before]
    with pytest.raises(StoreError, match="not confirmed"):
        apply_retention(store, found, confirm=False)
    assert committed(store) == [(row.table, row.symbol, row.content_hash) for row in before]


def test_what_went_is_remembered_with_its_hash_and_its_results_stay(store: Store) -> None:
    raw = store.manifest.find("raw_ticks", "AAA", DATE)
    assert raw is not None
    heard: list[tuple[Any, ...]] = []
    done = apply_retention(
        store, plan(store, 181), confirm=True, on_delete=lambda *entry: heard.append(entry), now=LATER
    )
    assert tables(done) == ["enriched_ticks", "raw_ticks"]
    with pytest.raises(NotStoredError, match=r"nothing is committed; it was retired .*raw_ticks before 2025-11-26"):
        store.read(RAW_TICKS, "AAA", DATE)
    gone = store.retired.find("raw_ticks", "AAA", DATE)
    assert gone is not None
    assert (gone.content_hash, gone.rows, gone.retired_at) == (raw.content_hash, raw.rows, LATER)
    assert store.retired.keys("raw_ticks", [DATE])["AAA"][0].content_hash == raw.content_hash
    assert store.heavy.versions(RAW_TICKS, "AAA", DATE) == []
    assert store.heavy.versions(ENRICHED_TICKS, "BBB", DATE) == []
    assert store.light.read("official_prints", dates=[DATE]) is None
    assert [(action, subject["table"], details["symbols"]) for action, subject, details in heard] == [
        ("retention.delete", "enriched_ticks", ["AAA", "BBB"]), ("retention.delete", "raw_ticks", ["AAA", "BBB"])
    ]  # fmt: skip
    checks = {check.table: check for check in check_store(store)}
    assert not any(check.broken for check in checks.values())
    assert checks["time_bars"].ok == checks[PHASE1_TABLE].ok == 2
    assert plan(store, 181).retirements == ()


def test_light_records_go_and_those_of_other_symbols_stay(store: Store) -> None:
    found = plan(store, 731)
    records = [item for item in found.retirements if item.table == PHASE1_TABLE]
    only_aaa = tuple(row for row in records[0].rows if row.symbol == "AAA")
    mine = RetentionPlan(
        found.today, found.first_kept, (type(records[0])(PHASE1_TABLE, DATE, only_aaa),), found.held_back
    )
    apply_retention(store, mine, confirm=True)
    rows = store.light.read(PHASE1_TABLE, dates=[DATE])
    assert rows is not None
    assert rows["symbol"].to_pylist() == ["BBB"]
    assert [row.symbol for row in store.manifest.rows(PHASE1_TABLE)] == ["BBB"]


def test_what_was_committed_just_now_is_held_back(store: Store) -> None:
    row = store.manifest.find("raw_ticks", "AAA", DATE)
    assert row is not None
    found = plan(store, 181, now=row.committed_at + dt.timedelta(minutes=59))
    assert ("raw_ticks", "AAA", "committed just now") in [(h.table, h.symbol, h.why) for h in found.held_back]
    assert not any("AAA" in item.symbols for item in found.retirements if item.table == "raw_ticks")


def test_ticks_that_a_failed_result_still_needs_are_held_back(store: Store) -> None:
    failed = FailureRow(
        table="time_bars", symbol="BBB", date=DATE, reason="disk full", error_type="StoreFullError", failed_at=LATER
    )
    store.manifest.record_failures(DATE, [failed])
    found = plan(store, 181, now=LATER + dt.timedelta(hours=2))
    assert {item.symbols for item in found.retirements} == {("AAA",)}
    assert {held.why for held in found.held_back} == {"time_bars failed and is not mended"}


def test_what_was_committed_again_since_the_plan_stays(store: Store) -> None:
    found = plan(store, 181)
    row = store.manifest.find("raw_ticks", "AAA", DATE)
    assert row is not None
    store.manifest.commit("raw_ticks", DATE, [row.model_copy(update={"committed_at": LATER})])
    done = apply_retention(store, found, confirm=True)
    assert [item.symbols for item in done.retirements if item.table == "raw_ticks"] == [("BBB",)]
    assert len(store.read(RAW_TICKS, "AAA", DATE).arrays["last"]) == row.rows


def test_an_interrupted_deletion_is_finished_by_the_next_and_by_pruning(store: Store, monkeypatch) -> None:
    found = plan(store, 731)

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("fuzzy_pipeline.store_care.retention._delete_data", killed)
    with pytest.raises(KeyboardInterrupt):
        apply_retention(store, found, confirm=True, now=LATER)
    monkeypatch.undo()
    assert store.manifest.rows("raw_ticks") == []  # invisible, though the data are still there
    assert store.heavy.versions(RAW_TICKS, "AAA", DATE) == [0]
    again = plan(store, 731)
    assert {item.leftovers for item in again.retirements if item.table == PHASE1_TABLE} == {("AAA", "BBB")}
    apply_retention(store, again, confirm=True)
    assert store.light.read(PHASE1_TABLE, dates=[DATE]) is None
    prune(store, CARE, now=LATER + dt.timedelta(hours=2))
    assert store.heavy.versions(RAW_TICKS, "AAA", DATE) == []


def test_a_version_of_a_run_under_way_stays(store: Store) -> None:
    pending = store.write(RAW_TICKS, "AAA", DATE, store.read(RAW_TICKS, "AAA", DATE).arrays)
    apply_retention(store, plan(store, 181), confirm=True)
    assert store.heavy.versions(RAW_TICKS, "AAA", DATE) == [pending]


def test_decisions_of_persons_are_kept_for_ever() -> None:
    assert KEEP.days(DECISIONS_TABLE) is None


def test_day_records_are_kept_as_long_as_later_dates_look_back() -> None:
    from fuzzy_pipeline.steps.describe_day import LONGEST_WINDOW

    dates = trading_dates(FIRST_DATE, LAST_DATE)
    longest = max((last - first).days for first, last in zip(dates, dates[LONGEST_WINDOW:], strict=False))
    assert longest + 30 <= LONGEST_HISTORY_DAYS
    with pytest.raises(ValidationError, match="greater than or equal to 404"):
        RetentionSettings(records_days=LONGEST_HISTORY_DAYS - 1)


def test_what_is_missing_for_another_reason_says_so(store: Store) -> None:
    with pytest.raises(NotStoredError, match=r"nothing is committed$"):
        store.read(RAW_TICKS, "CCC", DATE)

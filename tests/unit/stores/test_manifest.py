"""What is committed is found, what failed says why, and nothing else changes."""

from __future__ import annotations

import datetime as dt
import typing
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from pydantic import ValidationError

from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.schema.records import arrow_schema_of, to_table
from fuzzy_pipeline.stores.manifest import FailureRow, Manifest, ManifestRow
from fuzzy_pipeline.stores.memory import MemoryLightStore

MONDAY, TUESDAY = dt.date(2025, 9, 15), dt.date(2025, 9, 16)
NOON_UTC = dt.datetime(2025, 9, 16, 12, 0, 0, 123456, tzinfo=dt.UTC)


def row(symbol: str = "AAPL", date: dt.date = MONDAY, **other: typing.Any) -> ManifestRow:
    values: dict[str, typing.Any] = {
        "table": "raw_ticks", "symbol": symbol, "date": date, "kind": "simulated", "version": 3, "rows": 10,
        "content_hash": "c0", "input_hash": "i0", "source": "simulator", "source_detail": "127.0.0.1:9100 6.2",
        "ingest_id": "run-1", "code_version": "0.1.0", "schema_version": 1, "rows_in": 13, "rows_out": 10,
        "rows_set_aside": 2, "rows_official": 1, "latency_s": 0.25, "seconds": 1.5, "committed_at": NOON_UTC,
        "notes": {"ü": "1"},
    }  # fmt: skip
    return ManifestRow(**(values | other))


def failure(symbol: str = "AAPL", table: str = "raw_ticks", date: dt.date = MONDAY, attempts: int = 1) -> FailureRow:
    return FailureRow(
        table=table, symbol=symbol, date=date, reason="no answer", error_type="SourceTimeoutError",
        failed_at=NOON_UTC, attempts=attempts,
    )  # fmt: skip


@pytest.fixture
def light() -> MemoryLightStore:
    return MemoryLightStore()


@pytest.fixture
def manifest(light: MemoryLightStore) -> Manifest:
    return Manifest(light)


def test_a_committed_row_comes_back_equal(manifest):
    manifest.commit("raw_ticks", MONDAY, [row()])
    assert manifest.find("raw_ticks", "AAPL", MONDAY) == row()


@pytest.mark.parametrize(
    "where", [("raw_ticks", "KO", MONDAY), ("raw_ticks", "AAPL", TUESDAY), ("bars", "AAPL", MONDAY)]
)
def test_nothing_else_is_found(manifest, where):
    manifest.commit("raw_ticks", MONDAY, [row()])
    assert manifest.find(*where) is None


def test_committing_again_replaces_only_the_named_symbols(manifest):
    manifest.commit("raw_ticks", MONDAY, [row("AAPL"), row("KO")])
    manifest.commit("raw_ticks", MONDAY, [row("KO", version=4)])
    assert [(found.symbol, found.version) for found in manifest.rows("raw_ticks")] == [("AAPL", 3), ("KO", 4)]


def test_rows_are_selected_by_table_date_and_symbol(manifest):
    manifest.commit("raw_ticks", TUESDAY, [row("KO", TUESDAY)])
    manifest.commit("raw_ticks", MONDAY, [row("KO"), row("AAPL")])
    manifest.commit("day_metadata", MONDAY, [row(table="day_metadata", version=-1)])
    keys = [(found.table, found.symbol, found.date) for found in manifest.rows()]
    assert keys == [
        ("day_metadata", "AAPL", MONDAY),
        ("raw_ticks", "AAPL", MONDAY), ("raw_ticks", "KO", MONDAY), ("raw_ticks", "KO", TUESDAY),
    ]  # fmt: skip
    assert len(manifest.rows("raw_ticks", [MONDAY], ["KO"])) == 1
    assert manifest.rows("raw_ticks", [dt.date(2020, 1, 2)]) == []
    assert manifest.dates("raw_ticks") == [MONDAY, TUESDAY]


def test_versions_and_rows_are_found_without_the_rest(manifest):
    manifest.commit("raw_ticks", MONDAY, [row("KO", version=7, rows=1), row("AAPL")])
    manifest.commit("raw_ticks", TUESDAY, [row("KO", TUESDAY)])
    assert manifest.versions("raw_ticks", symbols=["KO"]) == {("KO", MONDAY): (7, 1), ("KO", TUESDAY): (3, 10)}
    assert manifest.versions("bars") == {}


def test_a_removed_row_is_gone_and_the_others_stay(manifest):
    manifest.commit("raw_ticks", MONDAY, [row("AAPL"), row("KO")])
    manifest.remove("raw_ticks", MONDAY, ["AAPL"])
    assert [found.symbol for found in manifest.rows()] == ["KO"]


def test_rows_of_another_table_or_date_or_twice_are_refused(manifest):
    for rows in ([row(date=TUESDAY)], [row(table="bars")], [row(), row()]):
        with pytest.raises(StoreError, match="raw_ticks"):
            manifest.commit("raw_ticks", MONDAY, rows)
    assert manifest.rows() == []


def test_an_empty_commit_changes_nothing(manifest):
    manifest.commit("raw_ticks", MONDAY, [row()])
    manifest.commit("raw_ticks", MONDAY, [])
    assert len(manifest.rows()) == 1


def test_instants_are_eastern_and_never_naive():
    assert row().committed_at.tzinfo == ZoneInfo("America/New_York")
    assert row().committed_at.isoformat() == "2025-09-16T08:00:00.123456-04:00"
    with pytest.raises(ValidationError, match="time zone"):
        row(committed_at=dt.datetime(2025, 9, 16, 12, 0))  # noqa: DTZ001  a naive instant is the point


def test_instants_read_back_are_eastern(manifest):
    manifest.commit("raw_ticks", MONDAY, [row()])
    found = manifest.find("raw_ticks", "AAPL", MONDAY)
    assert found is not None
    assert found.committed_at.tzinfo == ZoneInfo("America/New_York")


@pytest.mark.parametrize("wrong", [{"kind": "guessed"}, {"rows": -1}, {"version": -2}, {"colour": "red"}])
def test_impossible_rows_are_refused(wrong):
    with pytest.raises(ValidationError):
        row(**wrong)


@pytest.mark.parametrize("record", [ManifestRow, FailureRow])
def test_the_arrow_schema_has_the_fields_of_the_record(record):
    schema = arrow_schema_of(record)
    assert schema.names == list(record.model_fields)
    assert schema.field("date").type == pa.date32()
    instant = "committed_at" if record is ManifestRow else "failed_at"
    assert schema.field(instant).type == pa.timestamp("us", tz="America/New_York")


def test_the_manifests_arrow_types_are_these():
    types = {field.name: str(field.type) for field in arrow_schema_of(ManifestRow)}
    assert types["kind"] == types["content_hash"] == "string"
    assert types["notes"] == "map<string, string>"
    assert types["version"] == types["rows_set_aside"] == "int64"
    assert types["latency_s"] == "double"
    assert to_table([row()], ManifestRow)["notes"].to_pylist() == [[("ü", "1")]]


def test_failures_say_why_and_attempts_add_up_until_cleared(manifest):
    manifest.record_failures(MONDAY, [failure("AAPL", attempts=3), failure("KO"), failure("KO", "bars")])
    manifest.record_failures(MONDAY, [failure("AAPL", attempts=2)])
    found = [(item.table, item.symbol, item.attempts) for item in manifest.failures()]
    assert found == [("bars", "KO", 1), ("raw_ticks", "AAPL", 5), ("raw_ticks", "KO", 1)]
    manifest.clear_failures("raw_ticks", MONDAY, ["AAPL", "XOM"])
    assert [(item.table, item.symbol) for item in manifest.failures(symbols=["AAPL", "KO"])] == [
        ("bars", "KO"), ("raw_ticks", "KO"),
    ]  # fmt: skip
    manifest.record_failures(MONDAY, [failure("AAPL")])
    assert manifest.failures("raw_ticks", [MONDAY], ["AAPL"]) == [failure("AAPL")]


def test_failures_and_commits_do_not_touch_each_other(manifest, light):
    manifest.record_failures(MONDAY, [failure("AAPL")])
    manifest.commit("raw_ticks", MONDAY, [row("AAPL")])
    assert len(manifest.failures()) == len(manifest.rows()) == 1
    assert light.tables() == ["failures/raw_ticks", "manifest/raw_ticks"]

"""Steps over the symbols of a date: what is stored, skipped, failed, and that it all adds up."""

from __future__ import annotations

import datetime as dt
import logging

import numpy as np
import pyarrow.parquet as pq
import pytest

from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.errors import CalendarError, ConservationError, NotStoredError, StoreKindError, SymbolDaysFailed
from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.sources.files import FilesSource, write_ticks
from fuzzy_pipeline.steps.build_bars import BuildBarsStep, check_conservation
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.run_date import DateReport, run_date
from fuzzy_pipeline.steps.step import Step
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from tests.unit.steps.conftest import DATE, SYMBOLS
from tests.unit.steps.conservation import lost_ticks

ALL_STEPS: tuple[Step, ...] = (IngestStep(), EnrichStep(), BuildBarsStep(), DayMetadataPhase1Step())


def run(settings: Settings, *steps: Step, symbols: tuple[str, ...] = SYMBOLS, force: bool = False) -> list[DateReport]:
    return [run_date(step, DATE, symbols, settings, InlineEngine(), force=force) for step in steps or ALL_STEPS]


def skipped(report: DateReport) -> int:
    """Symbols of which something was current."""
    return len({row.symbol for row in report.skipped})


def break_row(settings: Settings, symbol: str, row: int, **values: object) -> None:
    """Change values of one row of a symbol's file."""
    path = settings.files.path / f"symbol={symbol}" / f"date={DATE}.parquet"
    columns = {
        name: array.copy() for name, array in FilesSource(settings.files).fetch_ticks(symbol, DATE).columns.items()
    }
    for name, value in values.items():
        columns[name][row] = value
    write_ticks(path, columns, "simulated")


def hashes(settings: Settings) -> dict[tuple[str, str], str]:
    store = workbench(settings).store
    return {(row.table, row.symbol): row.content_hash for row in store.manifest.rows(dates=[DATE])}


def test_every_tick_of_every_symbol_arrives_and_every_share_is_in_the_bars(settings: Settings) -> None:
    run(settings)
    store = workbench(settings).store
    for symbol in SYMBOLS:
        sent = pq.read_table(settings.files.path / f"symbol={symbol}" / f"date={DATE}.parquet", partitioning=None)
        raw = store.committed(RAW_TICKS, symbol, DATE)
        assert raw.rows_in == sent.num_rows
        assert raw.rows_in == raw.rows + raw.rows_set_aside + raw.rows_official
        assert raw.rows_official == sent["last_sz"].to_pylist().count(0) > 0
        assert store.committed(ENRICHED_TICKS, symbol, DATE).rows == raw.rows
        ticks = store.read(ENRICHED_TICKS, symbol, DATE, columns=["size", "session"]).arrays
        bars = store.read(BAR_TABLES["time"], symbol, DATE)
        shares = int(ticks["size"][ticks["session"] == 2].sum())
        for start, stop in bars.metadata["ranges"].values():
            assert int(bars.arrays["volume"][start:stop].sum()) == shares


def test_a_second_run_computes_nothing_and_a_forced_one_gives_the_same_hashes(settings: Settings) -> None:
    first = run(settings)
    before = hashes(settings)
    assert [len(report.committed) for report in first] == [2, 2, 2, 2]
    assert [skipped(report) for report in run(settings)] == [2, 2, 2, 2]
    assert [len(report.committed) for report in run(settings, force=True)] == [2, 2, 2, 2]
    assert hashes(settings) == before


def test_what_depends_on_a_changed_setting_is_computed_again_and_nothing_else(settings: Settings) -> None:
    run(settings)
    close_workbenches()
    changed = settings.model_copy(update={"eligibility_profile": "sip"})
    reports = run(changed)
    assert [skipped(report) for report in reports] == [2, 0, 0, 0]


def test_a_changed_file_replaces_the_day_of_its_symbol_only(settings: Settings) -> None:
    run(settings)
    before = hashes(settings)
    break_row(settings, "AAA", 300, last_sz=777)  # in the regular session: every table changes
    run(settings, IngestStep(), symbols=("AAA",), force=True)
    reports = run(settings, EnrichStep(), BuildBarsStep(), DayMetadataPhase1Step())
    assert [(len(report.committed), skipped(report)) for report in reports] == [(1, 1)] * 3
    after = hashes(settings)
    assert {key for key in after if after[key] != before[key]} == {
        (table, "AAA") for step in ALL_STEPS for table in step.tables
    }


def test_a_failing_symbol_leaves_the_others_stored_and_is_named_with_its_reason(settings: Settings) -> None:
    reports = run(settings, symbols=("AAA", "MISSING", "BBB"))
    for report in reports:
        assert [row.symbol for row in report.rows(report.tables[0])] == ["AAA", "BBB"]
        assert list(report.failed) == ["MISSING"]
        with pytest.raises(SymbolDaysFailed, match=r"1 of 3 symbols failed, 2 are stored\n  MISSING: "):
            report.raise_if_failed()
    # Each later table says that its input failed, and why.
    assert (
        "no enriched_ticks, they failed: MISSING 2025-11-25: no raw_ticks, they failed"
        in reports[2].failed["MISSING"].reason
    )
    assert "symbol=MISSING" in reports[2].failed["MISSING"].reason
    failures = workbench(settings).store.manifest.failures(dates=[DATE])
    assert {(row.table, row.symbol) for row in failures} == {
        (table, "MISSING") for step in ALL_STEPS for table in step.tables
    }


def test_a_failure_is_forgotten_when_the_symbol_is_stored(settings: Settings) -> None:
    path = settings.files.path / "symbol=AAA" / f"date={DATE}.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    (report,) = run(settings, IngestStep())
    assert "AAA" in report.failed
    path.write_bytes(whole)
    run(settings, IngestStep())
    assert workbench(settings).store.manifest.failures("raw_ticks", [DATE]) == []


def test_a_truncated_file_stores_nothing_of_its_symbol(settings: Settings) -> None:
    path = settings.files.path / "symbol=AAA" / f"date={DATE}.parquet"
    path.write_bytes(path.read_bytes()[:1000])
    (report,) = run(settings, IngestStep())
    assert str(path) in report.failed["AAA"].reason
    with pytest.raises(NotStoredError, match="raw_ticks AAA 2025-11-25: nothing is committed; it failed"):
        workbench(settings).store.committed(RAW_TICKS, "AAA", DATE)


def test_set_aside_rows_stand_in_quarantine_with_rule_row_and_values(settings: Settings) -> None:
    break_row(settings, "AAA", 50, last=-1.25)
    (report,) = run(settings, IngestStep())
    assert report.rows(report.tables[0])[0].rows_set_aside == 1
    store = workbench(settings).store
    (row,) = store.light.read("quarantine", dates=[DATE]).to_pylist()  # type: ignore[union-attr]
    assert (row["symbol"], row["rule"], row["row"], row["last"]) == ("AAA", "price_not_positive", 50, -1.25)
    assert row["ingest_id"] == store.committed(RAW_TICKS, "AAA", DATE).ingest_id
    official = store.light.read("official_prints", dates=[DATE], symbols=["AAA"])
    assert official is not None
    assert set(official["last_sz"].to_pylist()) == {0}


def test_soft_flags_are_counted_and_point_at_their_rows(settings: Settings) -> None:
    break_row(settings, "AAA", 50, mkt_ctr=4000)
    run(settings, IngestStep())
    flags = workbench(settings).store.light.read("tick_flags", dates=[DATE], symbols=["AAA"])
    assert flags is not None
    found = {row["rule"]: row for row in flags.to_pylist()}
    assert (found["unknown_venue"]["count"], found["unknown_venue"]["rows"]) == (1, [50])


def test_a_later_good_ingest_clears_the_quarantine_of_its_symbol(settings: Settings) -> None:
    break_row(settings, "AAA", 50, last=-1.25)
    run(settings, IngestStep())
    break_row(settings, "AAA", 50, last=100.0)
    run(settings, IngestStep(), force=True)
    assert workbench(settings).store.light.read("quarantine", dates=[DATE]) is None


def test_real_data_are_refused_by_a_simulated_store_before_anything_is_written(settings: Settings) -> None:
    run(settings)
    close_workbenches()
    path = settings.files.path / "symbol=AAA" / f"date={DATE}.parquet"
    columns = FilesSource(settings.files).fetch_ticks("AAA", DATE).columns
    real = settings.model_copy(update={"files": settings.files.model_copy(update={"path": path.parents[2] / "real"})})
    for symbol in SYMBOLS:
        write_ticks(real.files.path / f"symbol={symbol}" / f"date={DATE}.parquet", columns, "real")
    with pytest.raises(StoreKindError, match="simulated"):
        run(real, IngestStep(), force=True)


def test_a_date_without_a_session_is_refused_with_the_one_before(settings: Settings) -> None:
    with pytest.raises(
        CalendarError,
        match=r"2025-11-27 is not a trading date \(Thanksgiving.*\); the last trading date before it is 2025-11-26",
    ):
        run_date(IngestStep(), dt.date(2025, 11, 27), SYMBOLS, settings, InlineEngine())


def test_every_symbol_done_is_logged_with_progress(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="fuzzy_pipeline.steps.run_date"):
        run(settings, IngestStep())
    assert [record.progress for record in caplog.records] == [("raw_ticks", DATE, 1, 2), ("raw_ticks", DATE, 2, 2)]  # type: ignore[attr-defined]


def test_bars_that_lost_shares_are_never_stored(settings: Settings) -> None:
    run(settings)
    ticks = dict(workbench(settings).store.read(ENRICHED_TICKS, "AAA", DATE).arrays)
    bars = build_bars(ticks, DATE)
    assert check_conservation(bars, ticks, ("regular",), "AAA", DATE) > 0
    ticks["size"] = ticks["size"] + np.uint32(1)
    with pytest.raises(ConservationError, match="AAA 2025-11-25: 1s time bars hold"):
        check_conservation(bars, ticks, ("regular",), "AAA", DATE)


def test_a_run_killed_between_light_rows_and_manifest_is_mended_by_the_next_one(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(settings)
    before = hashes(settings)
    store = workbench(settings).store

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(store.manifest, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            run(settings, IngestStep(), force=True)
    assert lost_ticks(store, settings, DATE) == {}  # the official prints are the same, under another ingest id
    (again,) = run(settings, IngestStep())
    assert len(again.committed) == 2
    rows = store.light.read("official_prints", dates=[DATE])
    assert rows is not None
    committed = {row.ingest_id for row in store.manifest.rows(RAW_TICKS.name, [DATE])}
    assert set(rows["ingest_id"].to_pylist()) == committed
    assert hashes(settings) == before


def test_an_input_that_could_not_be_renewed_fails_its_symbol_in_every_later_table(settings: Settings) -> None:
    run(settings)
    path = settings.files.path / "symbol=AAA" / f"date={DATE}.parquet"
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    for report in run(settings, force=True):
        assert list(report.failed) == ["AAA"], report.tables
        assert [row.symbol for row in report.rows(report.tables[0])] == ["BBB"]
    path.write_bytes(whole)
    run(settings, IngestStep(), force=True)
    for report in run(settings):
        assert report.failed == {}
    assert workbench(settings).store.manifest.failures(dates=[DATE]) == []


def test_a_day_of_official_prints_only_has_no_data(settings: Settings) -> None:
    path = settings.files.path / "symbol=AAA" / f"date={DATE}.parquet"
    columns = FilesSource(settings.files).fetch_ticks("AAA", DATE).columns
    write_ticks(path, {name: array[columns["last_sz"] == 0] for name, array in columns.items()}, "simulated")
    (report,) = run(settings, IngestStep())
    assert report.failed["AAA"].error_type == "NoDataError"
    assert "4 official prints, 0 set aside" in report.failed["AAA"].reason


def test_another_folder_of_files_is_another_source(settings: Settings) -> None:
    run(settings, IngestStep())
    moved = settings.files.path.rename(settings.files.path.with_name("moved"))
    close_workbenches()
    elsewhere = settings.model_copy(update={"files": settings.files.model_copy(update={"path": moved})})
    (report,) = run(elsewhere, IngestStep())
    assert (len(report.committed), skipped(report)) == (2, 0)


def test_a_tick_of_another_date_is_set_aside_with_what_it_said_and_the_others_are_stored(settings: Settings) -> None:
    break_row(settings, "AAA", 300, date=np.datetime64("2025-11-24"))
    (report,) = run(settings, IngestStep())
    assert report.failed == {}
    aside = workbench(settings).store.light.read("quarantine", dates=[DATE])
    assert aside is not None
    assert aside.select(["symbol", "rule", "date", "trading_date", "row"]).to_pylist() == [
        {"symbol": "AAA", "rule": "wrong_date", "date": dt.date(2025, 11, 24), "trading_date": DATE, "row": 300}
    ]

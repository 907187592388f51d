"""The source's own daily bar: kept beside the ticks, compared with them, and never in their way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.operations.quarantine_desk import QuarantineDesk
from fuzzy_pipeline.operations.quarantine_rows import Choice
from fuzzy_pipeline.schema.quality import QUALITY_TABLE, QualityMeasures
from fuzzy_pipeline.schema.records import from_table
from fuzzy_pipeline.schema.tables import RAW_TICKS, SOURCE_DAILY_BARS, arrow_schema
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.simulator.market import SimulatedMarket
from fuzzy_pipeline.sources.files import FilesSource, write_ticks
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.judge_date import judge
from fuzzy_pipeline.steps.measure_quality import QualityMeasuresStep
from fuzzy_pipeline.steps.run_date import DateReport, run_date
from fuzzy_pipeline.steps.step import Step
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.stores.manifest import ManifestRow
from tests.unit.steps.conftest import DATE, SYMBOLS

HEADER = "symbol,date,open,high,low,close,volume"
TO_QUALITY: tuple[Step, ...] = (IngestStep(), EnrichStep(), DayMetadataPhase1Step(), QualityMeasuresStep())


def run(settings: Settings, *steps: Step, force: bool = False) -> list[DateReport]:
    return [
        run_date(step, DATE, settings.symbols, settings, InlineEngine(), force=force) for step in steps or TO_QUALITY
    ]


def stored(settings: Settings) -> dict[str, dict[str, Any]]:
    """The stored daily bars by symbol."""
    found = workbench(settings).store.light.read(SOURCE_DAILY_BARS.name, dates=[DATE])
    return {row["symbol"]: row for row in found.to_pylist()} if found is not None else {}


def committed(settings: Settings, symbol: str = "AAA") -> ManifestRow:
    return workbench(settings).store.committed(RAW_TICKS, symbol, DATE)


def quality(settings: Settings, symbol: str = "AAA") -> QualityMeasures:
    found = workbench(settings).store.light.read(QUALITY_TABLE, dates=[DATE], symbols=[symbol])
    (record,) = from_table(found, QualityMeasures)
    return record


def bar_of_file(settings: Settings, symbol: str) -> dict[str, Any]:
    """The bar of a tick file, price by price."""
    columns = FilesSource(settings.files).fetch_ticks(symbol, DATE).columns
    prices = [float(price) for price, basis in zip(columns["last"], columns["last_type"], strict=True) if basis == b"C"]
    return {
        "open": prices[0], "high": max(prices), "low": min(prices), "close": prices[-1],
        "volume": sum(map(int, columns["last_sz"])),
    }  # fmt: skip


def write_bars(settings: Settings, bars: Mapping[str, Mapping[str, Any]]) -> Path:
    path = settings.files.path / "daily_bars.csv"
    lines = [",".join(map(str, (symbol, DATE, *bar.values()))) for symbol, bar in bars.items()]
    path.write_text("\n".join((HEADER, *lines)) + "\n")
    return path


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of a new home whose source is the simulated market behind its loopback feed."""
    monkeypatch.chdir(tmp_path)
    yield load_settings(
        home=tmp_path / "home",
        source="simulator",
        symbols=SYMBOLS,
        engine={"kind": "inline"},
        simulator={"ticks_per_day": 400},
        store={"map_size": "1GB"},
    )
    close_workbenches()


# -- what is stored ----------------------------------------------------------------------


def test_the_bar_of_the_simulated_market_arrives_and_agrees_with_its_ticks(demo: Settings) -> None:
    for report in run(demo):
        report.raise_if_failed()
    market = SimulatedMarket(demo.simulator)
    for symbol in SYMBOLS:
        row, bar = stored(demo)[symbol], market.daily_bar(symbol, DATE)
        assert bar is not None
        assert (row["trading_date"], row["ingest_id"]) == (DATE, committed(demo, symbol).ingest_id)
        assert [row[name] for name in ("open", "high", "low", "close", "volume")] == [
            bar.open, bar.high, bar.low, bar.close, bar.volume,
        ]  # fmt: skip
        assert "daily_bar" not in committed(demo, symbol).notes
        found = quality(demo, symbol)
        assert (found.daily_bar_matches, found.daily_bar_differences) == (True, [])


def test_a_source_without_daily_bars_is_said_to_have_none(settings: Settings) -> None:
    run(settings)
    assert stored(settings) == {}
    found = quality(settings)
    assert found.daily_bar_matches is None
    assert found.null_reasons["daily_bar_matches"] == "the source has no daily bar"


def test_a_bar_that_cannot_be_fetched_is_noted_and_the_ticks_are_stored(settings: Settings) -> None:
    path = write_bars(settings, {symbol: bar_of_file(settings, symbol) for symbol in SYMBOLS})
    path.write_text(path.read_text() + "AAA,not a date,1,1,1,1,1\n")
    for report in run(settings):
        report.raise_if_failed()
    row = committed(settings)
    assert row.rows > 300
    assert row.notes["daily_bar"].startswith(f"could not be fetched: {path}: ")
    assert quality(settings).null_reasons["daily_bar_matches"] == row.notes["daily_bar"]
    assert stored(settings) == {}


def test_ticks_of_an_ingest_that_did_not_ask_do_not_say_that_the_source_has_none(settings: Settings) -> None:
    run(settings, IngestStep(), EnrichStep(), DayMetadataPhase1Step())
    workbench(settings).store.manifest.commit(
        RAW_TICKS.name, DATE, [committed(settings).model_copy(update={"notes": {}})]
    )
    run(settings, QualityMeasuresStep())
    assert "did not ask the source" in quality(settings, "AAA").null_reasons["daily_bar_matches"]
    assert quality(settings, "BBB").null_reasons["daily_bar_matches"] == "the source has no daily bar"


def test_daily_bars_that_come_later_make_nothing_stale_and_are_met_by_a_forced_run(settings: Settings) -> None:
    run(settings)
    write_bars(settings, {symbol: bar_of_file(settings, symbol) for symbol in SYMBOLS})
    assert [len(report.committed) for report in run(settings)] == [0, 0, 0, 0]
    before = committed(settings).content_hash
    run(settings, force=True)
    assert (committed(settings).content_hash, quality(settings).daily_bar_matches) == (before, True)
    (settings.files.path / "daily_bars.csv").unlink()
    run(settings, force=True)
    assert (stored(settings), quality(settings).daily_bar_matches) == ({}, None)


def test_a_bar_that_another_ingest_of_the_same_ticks_met_is_compared_without_force(settings: Settings) -> None:
    bars = {symbol: bar_of_file(settings, symbol) for symbol in SYMBOLS}
    write_bars(settings, bars)
    run(settings)
    assert quality(settings).daily_bar_matches is True
    write_bars(settings, bars | {"AAA": bars["AAA"] | {"high": round(bars["AAA"]["high"] + 0.5, 4)}})
    run(settings, IngestStep(), force=True)
    assert [len(report.committed) for report in run(settings)] == [0, 0, 0, 2]
    assert (quality(settings, "AAA").daily_bar_matches, quality(settings, "BBB").daily_bar_matches) == (False, True)
    assert [len(report.committed) for report in run(settings)] == [0, 0, 0, 0]


def test_a_symbol_that_could_not_be_ingested_has_no_daily_bar(settings: Settings) -> None:
    write_bars(settings, {symbol: bar_of_file(settings, symbol) for symbol in SYMBOLS})
    path = settings.files.path / "symbol=AAA" / f"date={DATE}.parquet"
    path.write_bytes(path.read_bytes()[:1000])
    (report,) = run(settings, IngestStep())
    assert set(report.failed) == {"AAA"}
    assert set(stored(settings)) == {"BBB"}


# -- replayed and torn days --------------------------------------------------------------


def ingest_with_a_row_to_release(settings: Settings) -> str:
    """Store both symbols, one row of AAA set aside, and let a person release it; the ingest that met the bar."""
    columns = {
        name: array.copy() for name, array in FilesSource(settings.files).fetch_ticks("AAA", DATE).columns.items()
    }
    row = next(row for row in range(50, 400) if columns["last_sz"][row] > 0)
    price, columns["last"][row] = str(columns["last"][row]), 0.0
    path = settings.files.path / "symbol=AAA" / f"date={DATE}.parquet"
    write_ticks(path, columns, "simulated")
    run(settings)
    ingest_id = committed(settings).ingest_id
    path.unlink()  # only a replay can store the symbol again
    desk = QuarantineDesk(workbench(settings).store, settings)
    desk.release(desk.rows(Choice()), "seen elsewhere", {"last": price})
    return ingest_id


def test_a_replay_keeps_the_stored_bar_under_its_own_ingest(settings: Settings) -> None:
    bars = {symbol: bar_of_file(settings, symbol) for symbol in SYMBOLS}
    write_bars(settings, bars)
    before = ingest_with_a_row_to_release(settings)
    write_bars(settings, {"BBB": bars["BBB"]})  # the source is not asked: what it says now does not count
    for report in run(settings):
        report.raise_if_failed()
    row = stored(settings)["AAA"]
    assert row["ingest_id"] == committed(settings).ingest_id != before
    assert {name: row[name] for name in bars["AAA"]} == bars["AAA"]
    assert quality(settings).daily_bar_matches is True


def test_a_replay_keeps_the_reason_why_there_is_no_bar(settings: Settings) -> None:
    path = write_bars(settings, {"AAA": {"open": "x", "high": 1, "low": 1, "close": 1, "volume": 1}})
    ingest_with_a_row_to_release(settings)
    path.unlink()
    run(settings)
    assert committed(settings).notes["replayed"]
    assert quality(settings).null_reasons["daily_bar_matches"].startswith(f"could not be fetched: {path}: ")


def test_a_bar_of_another_ingest_is_not_taken_for_that_of_the_ticks(settings: Settings) -> None:
    write_bars(settings, {symbol: bar_of_file(settings, symbol) for symbol in SYMBOLS})
    run(settings, IngestStep(), EnrichStep(), DayMetadataPhase1Step())
    light = workbench(settings).store.light
    (row,) = light.read(SOURCE_DAILY_BARS.name, dates=[DATE], symbols=["AAA"]).to_pylist()  # type: ignore[union-attr]
    killed = [row | {"ingest_id": "of a killed run", "high": 99.0}]
    table = pa.Table.from_pylist(killed, schema=arrow_schema(SOURCE_DAILY_BARS))
    light.replace_symbols(SOURCE_DAILY_BARS.name, DATE, table, ["AAA"])
    run(settings, QualityMeasuresStep())
    assert (quality(settings, "AAA").daily_bar_matches, quality(settings, "BBB").daily_bar_matches) == (None, True)
    (report,) = run(settings, IngestStep())
    assert [row.symbol for row in report.computed(RAW_TICKS.name)] == ["AAA"]  # torn, hence fetched again
    assert stored(settings)["AAA"]["high"] != 99.0


# -- what the rule makes of it -----------------------------------------------------------


def test_a_bar_that_says_otherwise_is_a_warning_and_stops_nothing(settings: Settings) -> None:
    bars = {symbol: bar_of_file(settings, symbol) for symbol in SYMBOLS}
    high = bars["AAA"]["high"]
    bars["AAA"]["high"] = round(high + 0.5, 4)
    write_bars(settings, bars)
    run(settings)
    assert quality(settings).daily_bar_differences == [f"high: {high:g} here, {high + 0.5:g} there"]
    judgement = judge(workbench(settings).store, settings, QUALITY_TABLE, DATE)
    found = {one.symbol: (one.outcome, one.severity) for one in judgement.results if one.rule == "daily_bar_agrees"}
    assert found == {"AAA": ("failed", "warning"), "BBB": ("passed", "warning")}
    assert "AAA" not in judgement.stopped


def test_without_a_bar_the_rule_could_not_run_and_says_why(settings: Settings) -> None:
    (settings.files.path / "daily_bars.csv").write_text("symbol,date\n")
    run(settings)
    judgement = judge(workbench(settings).store, settings, QUALITY_TABLE, DATE)
    (reason,) = {one.reason for one in judgement.could_not_run if one.rule == "daily_bar_agrees"}
    assert reason.startswith("could not be fetched: ")

"""Light rows are read once for all symbols of a batch, and never handed to the next one; kinds are never mixed."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from fuzzy_pipeline.errors import StoreKindError
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.tables import HEAVY_TABLES
from fuzzy_pipeline.settings import FilesSettings, IQFeedSettings, Settings
from fuzzy_pipeline.simulator.market import SimulatedMarket
from fuzzy_pipeline.sources.iqfeed.server import LoopbackServer
from fuzzy_pipeline.steps import workbench as module
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step, DayMetadataPhase2Step, TrailingBaselinesStep
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.workbench import Workbench, close_workbenches, rows_by_symbol, workbench
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.store import create_store
from tests.unit.steps.simulated_dates import TUESDAY, WEDNESDAY, build, settings_of

Read = tuple[str, tuple[dt.date, ...]]


def table(**values: Sequence[int]) -> pa.Table:
    """Rows of symbols in one light table: ``AAA=[1, 2]`` are two rows."""
    rows = [{"symbol": symbol, "date": TUESDAY, "value": value} for symbol, of in values.items() for value in of]
    return pa.Table.from_pylist(rows)


def values(rows: pa.Table | None) -> list[int] | None:
    return None if rows is None else rows["value"].to_pylist()


@pytest.fixture
def bench() -> Workbench:
    found = Workbench(Settings(_env_file=None))
    found._store = memory_store("simulated", HEAVY_TABLES)
    found.store.light.replace_symbols("notes", TUESDAY, table(AAA=[1, 2], BBB=[3]), ["AAA", "BBB"])
    return found


@pytest.fixture
def reads(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> list[Read]:
    return counted_reads(bench, monkeypatch)


def counted_reads(bench: Workbench, monkeypatch: pytest.MonkeyPatch) -> list[Read]:
    """Every reading of a light table from now on."""
    found: list[Read] = []
    read = bench.store.light.read

    def counted(name: str, **options: Any) -> pa.Table | None:
        found.append((name, tuple(options.get("dates") or ())))
        return read(name, **options)

    monkeypatch.setattr(bench.store.light, "read", counted)
    return found


def test_all_symbols_of_a_batch_share_one_reading(bench: Workbench, reads: list[Read]) -> None:
    for _ in range(2):
        found = bench.light_rows("one", "notes", [TUESDAY], None)
        assert {symbol: values(rows) for symbol, rows in found.items()} == {"AAA": [1, 2], "BBB": [3]}
    assert reads == [("notes", (TUESDAY,))]


def test_the_next_batch_reads_again_and_sees_what_has_changed(bench: Workbench, reads: list[Read]) -> None:
    bench.light_rows("one", "notes", [TUESDAY], None)
    bench.store.light.replace_symbols("notes", TUESDAY, table(AAA=[9]), ["AAA"])
    assert values(bench.light_rows("one", "notes", [TUESDAY], None)["AAA"]) == [1, 2]
    assert values(bench.light_rows("two", "notes", [TUESDAY], None)["AAA"]) == [9]
    assert values(bench.light_rows("one", "notes", [TUESDAY], None)["AAA"]) == [9]  # nothing of a batch is kept
    assert len(reads) == 3


def test_other_dates_or_columns_are_another_reading(bench: Workbench, reads: list[Read]) -> None:
    assert bench.light_rows("one", "notes", [TUESDAY], ("symbol",))["AAA"].column_names == ["symbol"]
    assert bench.light_rows("one", "notes", [TUESDAY], None)["AAA"].column_names == ["symbol", "date", "value"]
    assert bench.light_rows("one", "notes", [TUESDAY, WEDNESDAY], None).keys() == {"AAA", "BBB"}
    assert [dates for _, dates in reads] == [(TUESDAY,), (TUESDAY,), (TUESDAY, WEDNESDAY)]


def test_without_dates_or_a_table_there_is_nothing(bench: Workbench, reads: list[Read]) -> None:
    assert bench.light_rows("one", "notes", [], None) == {}
    assert reads == []
    assert bench.light_rows("one", "never_written", [TUESDAY], None) == {}


def test_rows_are_parted_by_symbol_and_keep_their_order() -> None:
    rows = pa.concat_tables([table(BBB=[3]), table(AAA=[2]), table(BBB=[1], AAA=[4])])
    assert {symbol: values(found) for symbol, found in rows_by_symbol(rows).items()} == {"AAA": [2, 4], "BBB": [3, 1]}
    assert rows_by_symbol(rows.slice(0, 0)) == {}


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    close_workbenches()


def test_a_step_reads_the_records_of_earlier_dates_once_for_all_symbols(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(home, symbols=("AAA", "BBB", "CCC"))
    described = (IngestStep(), EnrichStep(), DayMetadataPhase1Step(), TrailingBaselinesStep())
    build(settings, TUESDAY, WEDNESDAY, steps=described)
    reads = counted_reads(workbench(settings), monkeypatch)
    (report,) = build(settings, WEDNESDAY, steps=(DayMetadataPhase2Step(),))
    assert len(report.committed) == 3
    # Once the records of a year before, once those of the date itself.
    of_records = [dates for name, dates in reads if name == PHASE1_TABLE]
    assert sorted(len(dates) for dates in of_records) == [1, 252]


def of_feed(settings: Settings, port: int) -> Settings:
    """The same with IQFeed at a port for its source, and the usual retries."""
    return settings.model_copy(update={"source": "iqfeed", "iqfeed": IQFeedSettings(port=port)})


def test_a_feed_that_is_not_there_is_refused_at_once_by_a_store_of_the_simulator(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(home)
    build(settings, TUESDAY, steps=(IngestStep(),))
    close_workbenches()
    fed = of_feed(settings, 1)
    monkeypatch.setattr(module, "open_source", lambda _: pytest.fail("the source was opened"))
    with pytest.raises(StoreKindError, match="holds simulated data and nothing of IQFeed"):
        build(fed, WEDNESDAY, steps=(IngestStep(),))
    assert workbench(fed).store.manifest.failures() == []


def test_a_feed_that_declares_itself_simulated_may_go_on_with_a_store_of_the_simulator(home: Path) -> None:
    settings = settings_of(home)
    build(settings, TUESDAY, steps=(IngestStep(),))
    with LoopbackServer(SimulatedMarket(settings.simulator)) as server:
        (report,) = build(of_feed(settings, server.address[1]), WEDNESDAY, steps=(IngestStep(),))
        close_workbenches()
    assert {result.rows[0].source for result in report.committed} == {"iqfeed"}


def test_the_simulator_is_refused_by_a_real_store_before_it_is_started(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(home)
    create_store(settings, "real", HEAVY_TABLES).close()
    monkeypatch.setattr(module, "open_source", lambda _: pytest.fail("the source was opened"))
    with pytest.raises(StoreKindError, match="holds real data, simulated data was offered"):
        build(settings, TUESDAY, steps=(IngestStep(),))
    assert workbench(settings).store.manifest.failures() == []


def test_real_files_are_refused_by_a_simulated_store_and_no_failure_is_kept(home: Path) -> None:
    settings = settings_of(home)
    build(settings, TUESDAY, steps=(IngestStep(),))
    (home / "ticks").mkdir()
    filed = settings.model_copy(update={"source": "files", "files": FilesSettings(path=home / "ticks")})
    with pytest.raises(StoreKindError, match="holds simulated data, real data was offered"):
        build(filed, WEDNESDAY, steps=(IngestStep(),))
    assert workbench(filed).store.manifest.failures() == []

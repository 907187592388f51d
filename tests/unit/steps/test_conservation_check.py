"""The rules of conservation count what is stored; they do not take the manifest's word."""

from __future__ import annotations

import pyarrow.parquet as pq

from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.judge_date import judge
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.workbench import workbench
from fuzzy_pipeline.stores.store import Store
from tests.unit.steps.conftest import DATE, SYMBOLS
from tests.unit.steps.conservation import lost_ticks


def stored(settings: Settings) -> Store:
    for step in (IngestStep(), EnrichStep()):
        run_date(step, DATE, SYMBOLS, settings, InlineEngine())
    return workbench(settings).store


def sent(settings: Settings, symbol: str) -> tuple[int, int]:
    """Rows of a symbol's file and how many of them are official prints: those of no shares."""
    sizes = pq.read_table(settings.files.path / f"symbol={symbol}" / f"date={DATE}.parquet", partitioning=None)[
        "last_sz"
    ]
    return len(sizes), sizes.to_pylist().count(0)


def test_an_undisturbed_date_loses_nothing(settings: Settings) -> None:
    assert lost_ticks(stored(settings), settings, DATE) == {}


def test_what_is_counted_is_what_the_files_hold(settings: Settings) -> None:
    store = stored(settings)
    for symbol in SYMBOLS:
        rows, official = sent(settings, symbol)
        assert store.committed(RAW_TICKS, symbol, DATE).rows_in == rows
        assert store.committed(ENRICHED_TICKS, symbol, DATE).rows == rows - official
        prints = store.light.read("official_prints", dates=[DATE], symbols=[symbol])
        assert prints is not None
        assert prints.num_rows == official > 0


def test_a_lost_official_print_is_noticed_for_its_symbol(settings: Settings) -> None:
    store = stored(settings)
    rows = store.light.read("official_prints", dates=[DATE], symbols=["AAA"])
    assert rows is not None
    store.light.replace_symbols("official_prints", DATE, rows.slice(1), ["AAA"])
    assert lost_ticks(store, settings, DATE) == {("raw_ticks", "AAA"): 1}
    assert judge(store, settings, RAW_TICKS.name, DATE).stopped.keys() == {"AAA"}


def test_a_lost_enriched_tick_is_noticed(settings: Settings) -> None:
    store = stored(settings)
    row = store.committed(ENRICHED_TICKS, "BBB", DATE)
    store.manifest.commit(ENRICHED_TICKS.name, DATE, [row.model_copy(update={"rows": row.rows - 1})])
    assert lost_ticks(store, settings, DATE) == {("enriched_ticks", "BBB"): -1}
    assert judge(store, settings, ENRICHED_TICKS.name, DATE).stopped.keys() == {"BBB"}

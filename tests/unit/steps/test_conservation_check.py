"""The conservation check counts what is stored; it does not take the manifest's word."""

from __future__ import annotations

from fuzzy_pipeline.checks.conservation import lost_ticks
from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.workbench import workbench
from fuzzy_pipeline.stores.store import Store
from tests.unit.steps.conftest import DATE, SYMBOLS


def stored(settings: Settings) -> Store:
    for step in (IngestStep(), EnrichStep()):
        run_date(step, DATE, SYMBOLS, settings, InlineEngine())
    return workbench(settings).store


def test_an_undisturbed_date_loses_nothing(settings: Settings) -> None:
    assert lost_ticks(stored(settings), DATE) == {}


def test_a_lost_official_print_is_noticed_for_its_symbol(settings: Settings) -> None:
    store = stored(settings)
    rows = store.light.read("official_prints", dates=[DATE], symbols=["AAA"])
    assert rows is not None
    store.light.replace_symbols("official_prints", DATE, rows.slice(1), ["AAA"])
    problems = lost_ticks(store, DATE)
    assert list(problems) == ["AAA"]
    assert f"{rows.num_rows - 1} official" in problems["AAA"]


def test_a_lost_enriched_tick_is_noticed(settings: Settings) -> None:
    store = stored(settings)
    row = store.committed(ENRICHED_TICKS, "BBB", DATE)
    store.manifest.commit(ENRICHED_TICKS.name, DATE, [row.model_copy(update={"rows": row.rows - 1})])
    assert lost_ticks(store, DATE) == {"BBB": f"{row.rows} raw ticks, {row.rows - 1} enriched ticks"}

"""What the web UI shows of a date's records."""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator

import numpy as np
import pytest

from fuzzy_pipeline.assets.reports import day_table
from fuzzy_pipeline.charts import intraday_png, shares_png
from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.records import from_table, to_table
from fuzzy_pipeline.settings import Settings, SimulatorSettings
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.run_date import DateReport, run_date
from fuzzy_pipeline.steps.workbench import close_workbenches
from fuzzy_pipeline.stores.store import Store, open_store
from tests.unit.enrichment.raw_ticks import HALF_DAY

SYMBOLS = ("AAPL", "SPY")

Stored = tuple[Store, DateReport]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stored]:
    """A date of two simulated symbols."""
    settings = Settings(
        _env_file=None, home=tmp_path_factory.mktemp("days"), source="simulator", symbols=SYMBOLS,
        simulator=SimulatorSettings(ticks_per_day=1000),
    )  # fmt: skip
    for step in (IngestStep(), EnrichStep(), DayMetadataPhase1Step()):
        report = run_date(step, HALF_DAY, SYMBOLS, settings, InlineEngine())
        report.raise_if_failed()
    store = open_store(settings)
    yield store, report
    store.close()
    close_workbenches()


def size_of_png(data: bytes) -> tuple[int, int]:
    """Width and height that a PNG file's header states. [pixels]"""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def test_the_table_has_a_line_for_every_symbol_with_its_numbers(stored: Stored) -> None:
    store, report = stored
    lines = day_table(store, report, PHASE1_TABLE)["days"].value.splitlines()
    records = from_table(store.light.read(PHASE1_TABLE, dates=[HALF_DAY]), DayMetadataPhase1)
    header = [cell.strip() for cell in lines[0].strip("|").split("|")]
    for line, record in zip(lines[2:], records, strict=True):
        cells = dict(zip(header, (cell.strip() for cell in line.strip("|").split("|")), strict=True))
        assert cells["symbol"] == record.symbol
        assert cells["ticks"] == f"{record.basic_stats.total_ticks:,}"
        assert float(cells["close"]) == pytest.approx(record.basic_stats.price_close, abs=5e-5)
        assert float(cells["liquidity score"]) == pytest.approx(record.liquidity_profile.liquidity_score, abs=5e-5)
        assert cells["quality"] == record.data_quality.data_quality_level


def test_hours_and_venues_of_the_busiest_symbol_are_drawn(stored: Stored) -> None:
    found = day_table(*stored, PHASE1_TABLE)
    for name in ("hours", "venues"):
        _, _, encoded = found[name].value.partition("base64,")
        assert size_of_png(base64.b64decode(encoded.rstrip(")"))) == (720, 340)


def test_records_of_an_older_version_are_left_out(stored: Stored) -> None:
    store, report = stored
    rows = store.light.read(PHASE1_TABLE, dates=[HALF_DAY])
    records = from_table(rows, DayMetadataPhase1)
    older = [record.model_copy(update={"metadata_version": 1}) for record in records]
    store.light.replace_symbols(PHASE1_TABLE, HALF_DAY, to_table(older, DayMetadataPhase1), SYMBOLS)
    found = day_table(store, report, PHASE1_TABLE)
    store.light.replace_symbols(PHASE1_TABLE, HALF_DAY, rows, SYMBOLS)
    assert len(found["days"].value.splitlines()) == 2
    assert set(found) == {"days"}


@pytest.mark.parametrize("spread", [[0.01, np.nan], [np.nan, np.nan], [0.0, 0.0]])
def test_hours_without_a_spread_are_drawn_without_its_line(spread: list[float]) -> None:
    assert size_of_png(intraday_png(["09:30", "10:30"], np.array([0.6, np.nan]), np.array(spread), "X")) == (720, 340)


def test_no_venue_is_an_empty_picture() -> None:
    assert size_of_png(shares_png({}, "X")) == (720, 340)

"""What the web UI shows of a date's records: tables by symbol, and pictures."""

from __future__ import annotations

import base64
import datetime as dt
import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from fuzzy_pipeline.assets import pictures
from fuzzy_pipeline.assets.pictures import (
    baselines_table,
    correlation_picture,
    day_pictures,
    phase2_table,
    quality_table,
    rank_pictures,
)
from fuzzy_pipeline.charts import intraday_png, shares_png
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE, DayMetadataPhase2
from fuzzy_pipeline.schema.quality import QUALITY_TABLE, QualityMeasures
from fuzzy_pipeline.schema.rankings import PAIRS_TABLE, RANKINGS_TABLE
from fuzzy_pipeline.schema.records import Record, from_table, to_table
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.rank_symbols import rank_date
from fuzzy_pipeline.steps.run_date import DateReport
from fuzzy_pipeline.steps.workbench import close_workbenches
from fuzzy_pipeline.stores.store import Store, open_store
from tests.unit.query.hand_made import MONDAY
from tests.unit.query.ranking_rows import rankings_in_memory
from tests.unit.steps.simulated_dates import SYMBOLS, WEDNESDAY, build, settings_of


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """Settings of a home with one date of two simulated symbols; ``reports`` are of its steps."""
    found = settings_of(tmp_path_factory.mktemp("days"))
    yield found
    close_workbenches()


@pytest.fixture(scope="module")
def reports(settings: Settings) -> dict[str, DateReport]:
    """What each table's step did."""
    made = [*build(settings, WEDNESDAY), rank_date(WEDNESDAY, settings)]
    return {table: report for report in made for table in report.tables}


@pytest.fixture(scope="module")
def store(settings: Settings, reports: object) -> Iterator[Store]:
    found = open_store(settings)
    yield found
    found.close()


def size_of_png(data: bytes) -> tuple[int, int]:
    """Width and height that a PNG file's header states. [pixels]"""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def png(shown: Any) -> bytes:
    """The picture in a piece of Markdown."""
    _, _, encoded = shown.value.partition("base64,")
    return base64.b64decode(encoded.rstrip(")"))


def lines_of(shown: Any) -> dict[str, dict[str, str]]:
    """Symbol -> its cells by column of the Markdown table in a piece of metadata."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in shown.value.splitlines() if line[:1] == "|"
    ]
    return {cells[0]: dict(zip(rows[0], cells, strict=True)) for cells in rows[2:]}


def records(store: Store, table: str, model: type[Record]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for record in from_table(store.light.read(table, dates=[WEDNESDAY]), model):
        found[record.symbol] = record  # type: ignore[attr-defined]  # all have one
    return found


# -- day records ---------------------------------------------------------------------


def test_the_table_has_a_line_for_every_symbol_with_its_numbers(store: Store, reports: dict[str, DateReport]) -> None:
    lines = lines_of(day_pictures(store, reports[PHASE1_TABLE], PHASE1_TABLE)["days"])
    found = records(store, PHASE1_TABLE, DayMetadataPhase1)
    assert lines.keys() == found.keys() == set(SYMBOLS)
    for symbol, record in found.items():
        cells = lines[symbol]
        assert cells["ticks"] == f"{record.basic_stats.total_ticks:,}"
        assert float(cells["close"]) == pytest.approx(record.basic_stats.price_close, rel=5e-4)
        assert float(cells["liquidity score"]) == pytest.approx(record.liquidity_profile.liquidity_score, rel=5e-4)
        assert cells["quality"] == record.data_quality.data_quality_level


def test_hours_and_venues_of_the_busiest_symbol_are_drawn(store: Store, reports: dict[str, DateReport]) -> None:
    found = day_pictures(store, reports[PHASE1_TABLE], PHASE1_TABLE)
    for name in ("hours", "venues"):
        assert size_of_png(png(found[name])) == (720, 340)


def test_records_of_an_older_version_are_left_out(store: Store, reports: dict[str, DateReport]) -> None:
    rows = store.light.read(PHASE1_TABLE, dates=[WEDNESDAY])
    older = [record.model_copy(update={"metadata_version": 1}) for record in from_table(rows, DayMetadataPhase1)]
    store.light.replace_symbols(PHASE1_TABLE, WEDNESDAY, to_table(older, DayMetadataPhase1), SYMBOLS)
    found = day_pictures(store, reports[PHASE1_TABLE], PHASE1_TABLE)
    assert rows is not None
    store.light.replace_symbols(PHASE1_TABLE, WEDNESDAY, rows, SYMBOLS)
    assert lines_of(found["days"]) == {}
    assert set(found) == {"days"}


def test_regimes_of_every_symbol_are_shown_and_what_is_unknown_is_empty(
    store: Store, reports: dict[str, DateReport]
) -> None:
    lines = lines_of(phase2_table(store, reports[PHASE2_TABLE], PHASE2_TABLE)["days"])
    found = records(store, PHASE2_TABLE, DayMetadataPhase2)
    assert lines.keys() == set(SYMBOLS)
    for symbol, record in found.items():
        assert record.toxicity_metrics.vpin is None  # its buckets come from earlier dates, and there are none
        assert lines[symbol]["VPIN"] == ""
        assert lines[symbol]["volatility"] == record.market_regime.volatility_regime
        assert lines[symbol]["sweeps"] == str(record.institutional_flow.sweep_order_count)


def test_quality_of_every_symbol_is_shown(store: Store, reports: dict[str, DateReport]) -> None:
    lines = lines_of(quality_table(store, reports[QUALITY_TABLE], QUALITY_TABLE)["quality"])
    for symbol, record in records(store, QUALITY_TABLE, QualityMeasures).items():
        assert float(lines[symbol]["score"]) == pytest.approx(record.data_quality_score, rel=5e-4)
        assert lines[symbol]["rows in"] == f"{record.rows_in:,}"


def test_what_was_usual_is_shown_for_every_symbol(store: Store, reports: dict[str, DateReport]) -> None:
    lines = lines_of(baselines_table(store, reports[BASELINES_TABLE], BASELINES_TABLE)["usual"])
    shown = {symbol: (cells["known dates"], cells["from"]) for symbol, cells in lines.items()}
    assert shown == dict.fromkeys(SYMBOLS, ("0", ""))


@pytest.mark.parametrize("spread", [[0.01, np.nan], [np.nan, np.nan], [0.0, 0.0]])
def test_hours_without_a_spread_are_drawn_without_its_line(spread: list[float]) -> None:
    assert size_of_png(intraday_png(["09:30", "10:30"], np.array([0.6, np.nan]), np.array(spread), "X")) == (720, 340)


def test_no_venue_is_an_empty_picture() -> None:
    assert size_of_png(shares_png({}, "X")) == (720, 340)


# -- rankings ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ranked() -> Store:
    """AAPL is first by volume, KO and SPY share the second place, XOM is missing (``ranking_rows``)."""
    return rankings_in_memory()


def report_of(store: Store, table: str, date: dt.date = MONDAY) -> DateReport:
    return DateReport((table,), date, skipped=store.manifest.rows(table, [date]))


def test_places_of_all_symbols_stand_in_a_table_and_who_is_missing_is_not_ranked(ranked: Store) -> None:
    found = rank_pictures(ranked, report_of(ranked, RANKINGS_TABLE), RANKINGS_TABLE)
    lines = lines_of(found["ranks"])
    assert {symbol: cells["volume"] for symbol, cells in lines.items()} == {
        "AAPL": "1 (9,000)", "KO": "2 (5,000)", "SPY": "2 (5,000)", "XOM": "not ranked",
    }  # fmt: skip
    assert {symbol: cells["median spread"] for symbol, cells in lines.items()} == {
        "AAPL": "1 (1.5)", "KO": "not ranked", "SPY": "2 (2.5)", "XOM": "not ranked",
    }  # fmt: skip
    assert {cells["liquidity score"] for cells in lines.values()} == {"not ranked"}


def test_percentiles_of_the_symbols_that_are_there_are_drawn(ranked: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, Any] = {}

    def noted(symbols: list[str], percentiles: dict[str, Any], title: str) -> bytes:
        drawn.update(symbols=symbols, volume=percentiles["volume"].tolist(), title=title)
        return b"\x89PNG\r\n\x1a\n"

    monkeypatch.setattr(pictures, "rank_percentiles_png", noted)
    found = rank_pictures(ranked, report_of(ranked, RANKINGS_TABLE), RANKINGS_TABLE)
    assert "percentiles" in found
    assert drawn == {
        "symbols": ["AAPL", "KO", "SPY"], "volume": [100.0, 25.0, 25.0],
        "title": "2025-11-24 (simulated), percentile among the symbols",
    }  # fmt: skip


def test_the_grid_of_percentiles_is_a_picture(store: Store, reports: dict[str, DateReport]) -> None:
    found = rank_pictures(store, reports[RANKINGS_TABLE], RANKINGS_TABLE)
    assert lines_of(found["ranks"]).keys() == set(SYMBOLS)
    width, height = size_of_png(png(found["percentiles"]))
    assert min(width, height) > 100


def test_correlations_are_a_symmetric_heat_map_with_ones_on_the_diagonal(
    ranked: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: dict[str, Any] = {}

    def noted(symbols: list[str], matrix: Any, title: str) -> bytes:
        drawn.update(symbols=symbols, matrix=matrix, title=title)
        return b"\x89PNG\r\n\x1a\n"

    monkeypatch.setattr(pictures, "correlation_heat_map_png", noted)
    assert set(correlation_picture(ranked, report_of(ranked, PAIRS_TABLE), PAIRS_TABLE)) == {"heat_map"}
    assert drawn["symbols"] == ["AAPL", "KO", "SPY"]
    np.testing.assert_array_equal(drawn["matrix"], [[1.0, 0.5, -0.25], [0.5, 1.0, np.nan], [-0.25, np.nan, 1.0]])


def test_only_the_first_of_many_symbols_are_drawn(ranked: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[tuple[int, ...]] = []
    monkeypatch.setattr(pictures, "MOST_DRAWN", 2)
    monkeypatch.setattr(
        pictures, "correlation_heat_map_png", lambda symbols, matrix, title: sizes.append(matrix.shape) or b""
    )
    correlation_picture(ranked, report_of(ranked, PAIRS_TABLE), PAIRS_TABLE)
    assert sizes == [(2, 2)]


def test_the_heat_map_is_a_picture_and_without_pairs_there_is_none(
    store: Store, reports: dict[str, DateReport], ranked: Store
) -> None:
    found = correlation_picture(store, reports[PAIRS_TABLE], PAIRS_TABLE)
    assert min(size_of_png(png(found["heat_map"]))) > 100
    nothing = DateReport((PAIRS_TABLE,), dt.date(2025, 12, 1), skipped=ranked.manifest.rows(PAIRS_TABLE, [MONDAY]))
    assert correlation_picture(ranked, nothing, PAIRS_TABLE) == {}

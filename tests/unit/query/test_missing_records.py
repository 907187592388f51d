"""Day records that are not stored are made from ticks that are, when they are first asked for."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fuzzy_pipeline.errors import NotStoredError, StoreFullError
from fuzzy_pipeline.query import get_metadata
from fuzzy_pipeline.query import missing_records as module
from fuzzy_pipeline.query.day_metadata import Phase
from fuzzy_pipeline.query.missing_records import RecordsNotComputedWarning
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.stores.store import Store, open_store
from tests.unit.query.day_rows import commit
from tests.unit.query.hand_made import hand_made_store
from tests.unit.steps.simulated_dates import FRIDAY, SYMBOLS, TUESDAY, WEDNESDAY, build, settings_of

COMPUTED = {
    1: [PHASE1_TABLE],
    2: [PHASE1_TABLE, BASELINES_TABLE, PHASE2_TABLE],
    "baselines": [BASELINES_TABLE],
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Ticks of two dates, and phase 1 of the first: nobody has made the other records yet."""
    settings = settings_of(tmp_path_factory.mktemp("ticks"))
    build(settings, TUESDAY, steps=(IngestStep(), EnrichStep(), DayMetadataPhase1Step()))
    build(settings, WEDNESDAY, steps=(IngestStep(), EnrichStep()))
    close_workbenches()
    return settings


@pytest.fixture
def settings(built: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A copy of it."""
    shutil.copytree(built.home / "store", tmp_path / "home" / "store")
    yield built.model_copy(update={"home": tmp_path / "home"})
    close_workbenches()


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[str]]]:
    """Table and symbols of everything that reading has computed."""
    found: list[tuple[str, list[str]]] = []

    def noted(step: Any, *arguments: Any, **options: Any) -> Any:
        report = run_date(step, *arguments, **options)
        made = sorted(row.symbol for row in report.computed(step.name))
        found.extend([(step.name, made)] if made else [])
        return report

    monkeypatch.setattr(module, "run_date", noted)
    return found


@pytest.mark.parametrize("phase", [1, 2, "baselines"])
def test_the_first_reading_computes_and_stores_and_the_second_only_reads(
    settings: Settings, computed: list[tuple[str, list[str]]], phase: Phase
) -> None:
    first = get_metadata(None, WEDNESDAY, phase=phase, settings=settings)
    assert first["symbol"].tolist() == list(SYMBOLS)
    assert computed == [(table, list(SYMBOLS)) for table in COMPUTED[phase]]
    stored = workbench(settings).store.manifest.rows(COMPUTED[phase][-1], [WEDNESDAY])
    assert [row.symbol for row in stored] == list(SYMBOLS)
    computed.clear()
    second = get_metadata(None, WEDNESDAY, phase=phase, settings=settings)
    assert second.equals(first)
    assert computed == []


def test_it_is_what_the_nightly_run_would_have_stored(settings: Settings, tmp_path: Path) -> None:
    get_metadata(None, TUESDAY, WEDNESDAY, phase=2, settings=settings)
    other = settings_of(tmp_path / "nightly")
    build(other, TUESDAY, WEDNESDAY)
    read, nightly = (
        {(row.symbol, row.date): row.content_hash for row in workbench(one).store.manifest.rows(PHASE2_TABLE)}
        for one in (settings, other)
    )
    assert read == nightly


def test_only_symbols_and_dates_that_are_asked_for_are_computed(
    settings: Settings, computed: list[tuple[str, list[str]]]
) -> None:
    assert get_metadata("BBB", TUESDAY, WEDNESDAY, settings=settings)["date"].tolist() == [TUESDAY, WEDNESDAY]
    assert computed == [(PHASE1_TABLE, ["BBB"])]  # Tuesday's is there already
    store = workbench(settings).store
    assert [row.symbol for row in store.manifest.rows(PHASE1_TABLE, [WEDNESDAY])] == ["BBB"]


def test_without_dates_only_what_is_stored_is_read(settings: Settings, computed: list[tuple[str, list[str]]]) -> None:
    assert get_metadata(settings=settings)["date"].tolist() == [TUESDAY, TUESDAY]
    with pytest.raises(NotStoredError):
        get_metadata(phase=2, settings=settings)
    assert computed == []


def test_a_date_without_ticks_has_no_records_to_be_made(
    settings: Settings, computed: list[tuple[str, list[str]]]
) -> None:
    for phase in COMPUTED:
        with pytest.raises(NotStoredError):
            get_metadata(None, FRIDAY, phase=phase, settings=settings)  # type: ignore[call-overload]
    assert computed == []


def test_an_open_store_of_the_settings_is_filled_and_another_one_is_left_alone(
    settings: Settings, built: Settings, computed: list[tuple[str, list[str]]]
) -> None:
    store = open_store(settings)
    try:
        with pytest.raises(NotStoredError):
            get_metadata(None, WEDNESDAY, store=store, settings=built)
        assert computed == []
        assert len(get_metadata(None, WEDNESDAY, store=store, settings=settings)) == 2
        assert computed == [(PHASE1_TABLE, list(SYMBOLS))]
    finally:
        store.close()


def test_nothing_is_computed_into_a_store_in_memory(computed: list[tuple[str, list[str]]]) -> None:
    store: Store = hand_made_store()
    commit(store, ENRICHED_TICKS.name, WEDNESDAY, ["SPY"])
    with pytest.raises(NotStoredError):
        get_metadata("SPY", WEDNESDAY, store=store)
    assert computed == []


def test_what_cannot_be_computed_is_warned_of_with_its_reason_and_the_others_are_read(settings: Settings) -> None:
    store = workbench(settings).store
    row = store.committed(ENRICHED_TICKS, "AAA", WEDNESDAY)
    store.manifest.commit(ENRICHED_TICKS.name, WEDNESDAY, [row.model_copy(update={"version": 99})])
    with pytest.warns(RecordsNotComputedWarning, match="day_metadata_phase1 AAA 2025-11-26 was not computed: ") as told:
        assert get_metadata(None, WEDNESDAY, settings=settings)["symbol"].tolist() == ["BBB"]
    (one,) = [each for each in told if each.category is RecordsNotComputedWarning]
    assert one.filename == __file__  # the line that asked, not one of the package


def test_a_store_that_cannot_be_written_is_still_read(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise StoreFullError("no space left")

    monkeypatch.setattr(workbench(settings).store.manifest, "commit", full)
    with pytest.warns(RecordsNotComputedWarning, match="2025-11-26 was not computed: no space left"):
        days = get_metadata(None, TUESDAY, WEDNESDAY, settings=settings)
    assert days["date"].tolist() == [TUESDAY, TUESDAY]


def test_complete_records_are_read_without_a_warning(settings: Settings) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", RecordsNotComputedWarning)
        assert len(get_metadata(None, TUESDAY, WEDNESDAY, settings=settings)) == 4

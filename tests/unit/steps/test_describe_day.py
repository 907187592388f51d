"""Day records over several dates: what they depend on, what is handed on, and what a rebuilt date leaves alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from fuzzy_pipeline.schema.baselines import BASELINES_TABLE, TrailingBaselines
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE, DayMetadataPhase2, VpinState
from fuzzy_pipeline.schema.records import Record, from_table, to_table
from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps import describe_day
from fuzzy_pipeline.steps.build_bars import BuildBarsStep
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step, DayMetadataPhase2Step, TrailingBaselinesStep
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.pipeline import stale_results
from fuzzy_pipeline.steps.run_date import DateReport
from fuzzy_pipeline.steps.step import Step
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.stores.content_hash import arrow_content_hash
from fuzzy_pipeline.trading_calendar import now_eastern
from tests.unit.steps.planted_rows import fail
from tests.unit.steps.simulated_dates import (
    DATES,
    FRIDAY,
    SYMBOLS,
    TUESDAY,
    WEDNESDAY,
    build,
    committed,
    copy_of,
    hashes,
    settings_of,
)

RECORDS: tuple[Step, ...] = (DayMetadataPhase1Step(), TrailingBaselinesStep(), DayMetadataPhase2Step())
STEPS: tuple[Step, ...] = (IngestStep(), EnrichStep(), BuildBarsStep(("time",)), *RECORDS)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Three dates built in order; never touched."""
    settings = settings_of(tmp_path_factory.mktemp("built"))
    for report in build(settings, *DATES, steps=STEPS):
        report.raise_if_failed()
    close_workbenches()
    return settings


@pytest.fixture
def settings(built: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A copy to change."""
    yield copy_of(built, tmp_path / "home")
    close_workbenches()


def record(settings: Settings, table: str, model: type[Record], date: dt.date, symbol: str = "AAA") -> Record:
    (found,) = from_table(workbench(settings).store.light.read(table, dates=[date], symbols=[symbol]), model)
    return found


def plant(settings: Settings, table: str, model: type[Record], date: dt.date, **changes: Any) -> None:
    """Change AAA's record of a date and commit it."""
    store = workbench(settings).store
    rows = to_table([record(settings, table, model, date).model_copy(update=changes)], model)
    store.light.replace_symbols(table, date, rows, ["AAA"])
    row = committed(settings)[table, "AAA", date].model_copy(update={"content_hash": arrow_content_hash(rows)})
    store.manifest.commit(table, date, [row])


def change_volume(settings: Settings, date: dt.date) -> None:
    """Another volume in AAA's phase 1 of a date."""
    stats = record(settings, PHASE1_TABLE, DayMetadataPhase1, date).basic_stats
    changed = stats.model_copy(update={"volume_total": stats.volume_total + 1_000_000})
    plant(settings, PHASE1_TABLE, DayMetadataPhase1, date, basic_stats=changed)


def run(settings: Settings, step: Step, date: dt.date, force: bool = False) -> DateReport:
    (report,) = build(settings, date, steps=(step,), force=force)
    report.raise_if_failed()
    return report


def stale(settings: Settings, dates: Sequence[dt.date] = DATES) -> set[tuple[str, dt.date]]:
    """Records of AAA that the next run would compute again; those of BBB must be current."""
    found = stale_results(workbench(settings).store, settings, dates)
    assert {symbol for _, symbol, _ in found} <= {"AAA"}
    return {(table, date) for table, _, date in found}


def known(settings: Settings, date: dt.date, symbol: str = "AAA") -> tuple[int, dt.date | None]:
    """How many dates AAA's baselines know, and the first."""
    found = record(settings, BASELINES_TABLE, TrailingBaselines, date, symbol)
    return found.known_dates, found.first_known_date


# -- baselines -----------------------------------------------------------------------


def test_baselines_know_the_dates_before_their_own_and_no_other(settings: Settings) -> None:
    assert stale(settings) == set()
    for symbol in SYMBOLS:
        assert known(settings, TUESDAY, symbol) == (0, None)
        assert known(settings, WEDNESDAY, symbol) == (1, TUESDAY)
        assert known(settings, FRIDAY, symbol) == (2, TUESDAY)


def test_baselines_do_not_change_with_phase_1_of_the_date_or_of_a_later_one(settings: Settings) -> None:
    before = hashes(settings)[BASELINES_TABLE, "AAA", WEDNESDAY]
    change_volume(settings, WEDNESDAY)
    change_volume(settings, FRIDAY)
    assert (BASELINES_TABLE, WEDNESDAY) not in stale(settings)
    run(settings, TrailingBaselinesStep(), WEDNESDAY, force=True)
    assert hashes(settings)[BASELINES_TABLE, "AAA", WEDNESDAY] == before


def test_baselines_change_with_phase_1_of_an_earlier_date(settings: Settings) -> None:
    before = hashes(settings)
    change_volume(settings, TUESDAY)
    later = {(table, date) for table in (BASELINES_TABLE, PHASE2_TABLE) for date in (WEDNESDAY, FRIDAY)}
    assert stale(settings) == later | {(PHASE2_TABLE, TUESDAY)}
    report = run(settings, TrailingBaselinesStep(), FRIDAY)
    assert [row.symbol for row in report.computed(BASELINES_TABLE)] == ["AAA"]
    after = hashes(settings)
    assert after[BASELINES_TABLE, "AAA", FRIDAY] != before[BASELINES_TABLE, "AAA", FRIDAY]


def test_a_retired_earlier_date_is_not_known_though_its_deletion_was_interrupted(settings: Settings) -> None:
    store = workbench(settings).store
    old = [committed(settings)[PHASE1_TABLE, "AAA", TUESDAY]]
    store.retired.add(TUESDAY, old, now_eastern(), "too old")
    store.manifest.remove(PHASE1_TABLE, TUESDAY, ["AAA"])  # its light row is still there
    assert (BASELINES_TABLE, FRIDAY) not in stale(settings)
    run(settings, TrailingBaselinesStep(), FRIDAY, force=True)
    assert known(settings, FRIDAY) == (1, WEDNESDAY)
    assert committed(settings)[BASELINES_TABLE, "AAA", FRIDAY].notes == {
        "made_without": "day_metadata_phase1 2025-11-25"
    }
    assert (BASELINES_TABLE, FRIDAY) not in stale(settings)


def test_a_missing_earlier_date_is_not_known_and_the_next_one_is_first(settings: Settings) -> None:
    workbench(settings).store.manifest.remove(PHASE1_TABLE, TUESDAY, ["AAA"])  # its light row is still there
    for date, expected in ((WEDNESDAY, (0, None)), (FRIDAY, (1, WEDNESDAY))):
        report = run(settings, TrailingBaselinesStep(), date)
        assert [row.symbol for row in report.computed(BASELINES_TABLE)] == ["AAA"]
        assert known(settings, date) == expected
        assert known(settings, date, "BBB")[1] == TUESDAY


def test_a_failed_earlier_date_hands_nothing_on_and_does_so_again_once_it_is_mended(settings: Settings) -> None:
    before = hashes(settings)[BASELINES_TABLE, "AAA", WEDNESDAY]
    store = workbench(settings).store
    fail(store, PHASE1_TABLE, TUESDAY, ["AAA"])
    run(settings, TrailingBaselinesStep(), WEDNESDAY)
    assert known(settings, WEDNESDAY) == (0, None)
    store.manifest.clear_failures(PHASE1_TABLE, TUESDAY, ["AAA"])
    run(settings, TrailingBaselinesStep(), WEDNESDAY)
    assert hashes(settings)[BASELINES_TABLE, "AAA", WEDNESDAY] == before


def test_a_symbol_without_ticks_on_the_date_has_baselines_and_no_other_record(settings: Settings) -> None:
    store = workbench(settings).store
    for table in (RAW_TICKS.name, ENRICHED_TICKS.name, PHASE1_TABLE, BASELINES_TABLE, PHASE2_TABLE):
        store.manifest.remove(table, FRIDAY, ["AAA"])
    reports = build(settings, FRIDAY, steps=RECORDS)
    assert [list(report.failed) for report in reports] == [["AAA"], [], ["AAA"]]
    assert known(settings, FRIDAY) == (2, TUESDAY)


# -- phase 2 -------------------------------------------------------------------------


@pytest.fixture
def handed_on(monkeypatch: pytest.MonkeyPatch) -> dict[str, VpinState | None]:
    """Symbol -> the VPIN state that phase 2 was given."""
    found: dict[str, VpinState | None] = {}
    compute = describe_day.day_metadata_phase2

    def noted(ticks: Any, symbol: str, date: dt.date, **options: Any) -> DayMetadataPhase2:
        found[symbol] = options["vpin_state"]
        return compute(ticks, symbol, date, **options)

    monkeypatch.setattr(describe_day, "day_metadata_phase2", noted)
    return found


def test_the_open_vpin_bucket_goes_over_the_holiday_to_the_next_trading_date(
    settings: Settings, handed_on: dict[str, VpinState | None]
) -> None:
    state = VpinState(buy_shares=300.0, sell_shares=100.0, imbalances=[0.5, 0.25])
    plant(settings, PHASE2_TABLE, DayMetadataPhase2, WEDNESDAY, vpin_state=state)
    assert stale(settings, [FRIDAY]) == {(PHASE2_TABLE, FRIDAY)}
    run(settings, DayMetadataPhase2Step(), FRIDAY)
    assert handed_on == {"AAA": state}


def test_the_state_of_an_older_date_is_not_taken_and_the_first_date_has_none(
    settings: Settings, handed_on: dict[str, VpinState | None]
) -> None:
    run(settings, DayMetadataPhase2Step(), TUESDAY, force=True)
    assert handed_on == {"AAA": None, "BBB": None}
    handed_on.clear()
    workbench(settings).store.manifest.remove(PHASE2_TABLE, WEDNESDAY, ["AAA"])
    run(settings, DayMetadataPhase2Step(), FRIDAY)
    assert handed_on == {"AAA": None}  # Tuesday's is there; nobody knows what Wednesday would have made of it


def test_phase_2_that_could_not_be_renewed_hands_no_state_on(
    settings: Settings, handed_on: dict[str, VpinState | None]
) -> None:
    plant(settings, PHASE2_TABLE, DayMetadataPhase2, WEDNESDAY, vpin_state=VpinState(buy_shares=300.0))
    fail(workbench(settings).store, PHASE2_TABLE, WEDNESDAY, ["AAA"])
    run(settings, DayMetadataPhase2Step(), FRIDAY)
    assert handed_on == {"AAA": None}


def test_a_record_whose_row_is_gone_fails_its_symbol_by_name(settings: Settings) -> None:
    store = workbench(settings).store
    rows = store.light.read(BASELINES_TABLE, dates=[FRIDAY], symbols=["AAA"])
    assert rows is not None
    store.light.replace_symbols(BASELINES_TABLE, FRIDAY, rows.slice(0, 0), ["AAA"])
    (report,) = build(settings, FRIDAY, steps=(DayMetadataPhase2Step(),), force=True)
    assert report.failed["AAA"].reason == (
        "AAA 2025-11-28: the row of trailing_baselines is gone though it is committed"
    )
    assert [row.symbol for row in report.rows(PHASE2_TABLE)] == ["BBB"]


# -- rebuilding ----------------------------------------------------------------------


def test_a_date_rebuilt_alone_equals_the_one_built_in_order(settings: Settings) -> None:
    before = hashes(settings)
    for date in (WEDNESDAY, FRIDAY, TUESDAY):
        for step in STEPS:
            run(settings, step, date, force=True)
        assert hashes(settings) == before


def test_dates_built_in_any_order_are_equal_once_what_is_stale_is_built_again(
    settings: Settings, tmp_path: Path
) -> None:
    other = settings_of(tmp_path / "other")
    build(other, FRIDAY, TUESDAY, WEDNESDAY, steps=STEPS)
    assert {date for _, _, date in stale_results(workbench(other).store, other, DATES)} == {FRIDAY}
    build(other, FRIDAY, steps=STEPS)
    assert hashes(other) == hashes(settings)


def test_computing_the_records_again_leaves_ticks_and_bars_untouched(settings: Settings) -> None:
    heavy = (RAW_TICKS, ENRICHED_TICKS, BAR_TABLES["time"])
    store = workbench(settings).store

    def untouched() -> dict[Any, Any]:
        names = {table.name for table in heavy}
        rows = {key: row.model_dump_json() for key, row in committed(settings).items() if key[0] in names}
        held = {
            (table.name, symbol, date): list(store.heavy.versions(table, symbol, date))
            for table in heavy
            for symbol in SYMBOLS
            for date in DATES
        }
        return {"rows": rows, "versions": held}

    before, records = untouched(), committed(settings)
    for step in RECORDS:
        run(settings, step, FRIDAY, force=True)
    assert untouched() == before
    again = committed(settings)
    for table in (PHASE1_TABLE, BASELINES_TABLE, PHASE2_TABLE):
        assert again[table, "AAA", FRIDAY].committed_at > records[table, "AAA", FRIDAY].committed_at
        assert again[table, "AAA", FRIDAY].content_hash == records[table, "AAA", FRIDAY].content_hash

"""Bars that remember: the state of the trading date before, cold starts, and what a rebuilt date makes stale."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path

import pytest

from fuzzy_pipeline.bar_settings import BarSettings, ImbalanceBarSettings, RenkoBarSettings
from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.query.coverage import day_coverage
from fuzzy_pipeline.schema.tables import BAR_TABLES
from fuzzy_pipeline.settings import Settings, SimulatorSettings
from fuzzy_pipeline.steps.build_bars import BuildBarsStep
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.pipeline import pipeline_tables, stale_results
from fuzzy_pipeline.steps.run_date import DateReport, run_date
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.stores.manifest import FailureRow
from fuzzy_pipeline.trading_calendar import now_eastern
from tests.unit.steps.retired_dates import retire

WEDNESDAY, FRIDAY, MONDAY = dt.date(2025, 11, 26), dt.date(2025, 11, 28), dt.date(2025, 12, 1)  # Thanksgiving between
DATES = (WEDNESDAY, FRIDAY, MONDAY)
FAMILIES = ("tick", "imbalance", "renko")
CARRYING = tuple(BAR_TABLES[name].name for name in ("imbalance", "renko"))


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    close_workbenches()


def settings_of(home: Path, seed: int = 20) -> Settings:
    return Settings(
        _env_file=None,
        home=home,
        source="simulator",
        symbols=("AAPL",),
        simulator=SimulatorSettings(ticks_per_day=1500, seed=seed),
        bars=BarSettings(
            families=FAMILIES,
            imbalance=ImbalanceBarSettings(series=("ewma_volume_500",), min_expected_ticks=5, warm_up_bars=3),
            renko=RenkoBarSettings(series=("0.25",)),
        ),
    )


def build(settings: Settings, *dates: dt.date, force: bool = False) -> list[DateReport]:
    reports = []
    for date in dates:
        for step in (IngestStep(), EnrichStep(), BuildBarsStep(settings.bars.families)):
            report = run_date(step, date, settings.symbols, settings, InlineEngine(), force=force)
            report.raise_if_failed()
        reports.append(report)
    return reports


def hashes(settings: Settings) -> dict[tuple[str, dt.date], str]:
    rows = workbench(settings).store.manifest.rows()
    return {(row.table, row.date): row.content_hash for row in rows}


def note(settings: Settings, table: str, date: dt.date) -> str | None:
    (row,) = workbench(settings).store.manifest.rows(table, [date])
    return row.notes.get("cold_start")


def test_a_date_rebuilt_alone_equals_the_range_built_in_order(home: Path) -> None:
    settings = settings_of(home)
    build(settings, *DATES)
    before = hashes(settings)
    build(settings, MONDAY, force=True)
    build(settings, FRIDAY, force=True)
    assert hashes(settings) == before


def test_the_state_comes_over_the_holiday_and_the_first_date_starts_cold(home: Path) -> None:
    settings = settings_of(home)
    build(settings, *DATES)
    for table in CARRYING:
        assert note(settings, table, WEDNESDAY) == "the trading date before is not stored"
        assert note(settings, table, FRIDAY) is None
        assert note(settings, table, MONDAY) is None
    assert note(settings, "tick_bars", WEDNESDAY) is None  # nothing is carried, so nothing is cold


def test_a_date_before_that_arrives_late_makes_the_next_one_stale_and_then_it_is_built_from_it(home: Path) -> None:
    settings = settings_of(home)
    build(settings, FRIDAY)
    cold = hashes(settings)
    assert stale_results(workbench(settings).store, settings, DATES) == set()
    build(settings, WEDNESDAY)
    store = workbench(settings).store
    assert stale_results(store, settings, DATES) == {(table, "AAPL", FRIDAY) for table in CARRYING}
    (report,) = build(settings, FRIDAY)
    assert {row.table for result in report.committed for row in result.rows} == set(CARRYING)
    assert hashes(settings)["tick_bars", FRIDAY] == cold["tick_bars", FRIDAY]
    assert all(hashes(settings)[table, FRIDAY] != cold[table, FRIDAY] for table in CARRYING)
    assert stale_results(store, settings, DATES) == set()


def test_a_changed_date_makes_all_later_ones_stale_and_status_shows_it(home: Path) -> None:
    settings = settings_of(home)
    build(settings, *DATES)
    close_workbenches()
    other = settings_of(home, seed=21)  # another tape for Wednesday
    build(other, WEDNESDAY)
    store = workbench(other).store
    # With the first seed's settings the other two dates are as they were, but for the state they began with.
    stale = stale_results(store, settings, [FRIDAY, MONDAY])
    assert stale == {(table, "AAPL", date) for table in CARRYING for date in (FRIDAY, MONDAY)}
    tables = tuple(table for table in pipeline_tables(settings) if table.endswith(("_ticks", "_bars")))
    days = day_coverage(store, DATES, None, tables, settings)
    assert [days["AAPL", date].state(tables) for date in DATES] == ["stale", "stale", "stale"]


def test_a_series_that_is_new_starts_cold_and_says_so(home: Path) -> None:
    settings = settings_of(home)
    build(settings, WEDNESDAY)
    close_workbenches()
    bars = settings.bars.model_copy(update={"renko": RenkoBarSettings(series=("0.25", "0.50"))})
    build(settings.model_copy(update={"bars": bars}), FRIDAY)
    assert note(settings, "renko_bars", FRIDAY) == f"{WEDNESDAY} was built without regular/0.50"
    assert note(settings, "imbalance_bars", FRIDAY) is None


def test_a_date_that_could_not_be_renewed_hands_nothing_on(home: Path) -> None:
    settings = settings_of(home)
    build(settings, WEDNESDAY)
    store = workbench(settings).store
    failed = [
        FailureRow(table=table, symbol="AAPL", date=WEDNESDAY, reason="full", error_type="E", failed_at=now_eastern())
        for table in CARRYING
    ]
    store.manifest.record_failures(WEDNESDAY, failed)
    build(settings, FRIDAY)
    for table in CARRYING:
        assert note(settings, table, FRIDAY) == "the trading date before is not stored"
    assert stale_results(store, settings, [FRIDAY]) == set()
    store.manifest.clear_failures("renko_bars", WEDNESDAY, ["AAPL"])
    assert stale_results(store, settings, [FRIDAY]) == {("renko_bars", "AAPL", FRIDAY)}


def test_a_date_built_from_one_that_was_retired_since_stays_as_it_is(home: Path) -> None:
    settings = settings_of(home)
    build(settings, WEDNESDAY, FRIDAY)
    before = hashes(settings)
    retire(workbench(settings).store, WEDNESDAY, *CARRYING)
    assert stale_results(workbench(settings).store, settings, [FRIDAY]) == set()
    (report,) = build(settings, FRIDAY)
    assert report.committed == []
    assert [note(settings, table, FRIDAY) for table in CARRYING] == [None, None]
    assert {key: content for key, content in before.items() if key[1] == FRIDAY}.items() <= hashes(settings).items()


def test_a_date_built_anew_after_the_one_before_was_retired_is_cold_once_and_warm_again_when_that_is_back(
    home: Path,
) -> None:
    settings = settings_of(home)
    build(settings, WEDNESDAY, FRIDAY)
    store, warm = workbench(settings).store, hashes(settings)
    retire(store, WEDNESDAY, *CARRYING)
    build(settings, FRIDAY, force=True)
    for table in CARRYING:
        assert note(settings, table, FRIDAY) == "the bars of 2025-11-26 were retired"
        assert hashes(settings)[table, FRIDAY] != warm[table, FRIDAY]
    for _ in range(2):
        assert stale_results(store, settings, [FRIDAY]) == set()
        assert build(settings, FRIDAY)[0].committed == []
    build(settings, WEDNESDAY, force=True)
    assert stale_results(store, settings, [FRIDAY]) == {(table, "AAPL", FRIDAY) for table in CARRYING}
    (report,) = build(settings, FRIDAY)
    assert {row.table for result in report.committed for row in result.rows} == set(CARRYING)
    assert [note(settings, table, FRIDAY) for table in CARRYING] == [None, None]
    assert build(settings, FRIDAY)[0].committed == []
    assert hashes(settings) == warm
    assert [row for table in CARRYING for row in store.retired.rows(table)] == []  # Wednesday is there again


def test_changed_settings_of_one_family_leave_the_others_current(home: Path) -> None:
    settings = settings_of(home)
    build(settings, WEDNESDAY)
    close_workbenches()
    bars = settings.bars.model_copy(update={"renko": RenkoBarSettings(series=("0.50",))})
    (report,) = build(settings.model_copy(update={"bars": bars}), WEDNESDAY)
    assert [row.table for result in report.committed for row in result.rows] == ["renko_bars"]
    assert sorted(row.table for row in report.skipped) == ["imbalance_bars", "tick_bars"]


def test_a_record_of_another_version_starts_cold(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dataclasses

    from fuzzy_pipeline.bars import registry

    settings = settings_of(home)
    build(settings, WEDNESDAY)
    newer = dataclasses.replace(registry.FAMILIES["renko"], state_version=99)
    monkeypatch.setitem(registry.FAMILIES, "renko", newer)  # type: ignore[arg-type]
    build(settings, FRIDAY)
    assert note(settings, "renko_bars", FRIDAY) == f"the state of {WEDNESDAY} is of another version"
    assert note(settings, "imbalance_bars", FRIDAY) is None


def test_a_failure_is_told_of_the_tables_worked_on_and_not_of_those_that_are_current(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = settings_of(home)
    build(settings, WEDNESDAY)
    close_workbenches()
    bars = settings.bars.model_copy(update={"renko": RenkoBarSettings(series=("0.50",))})
    changed = settings.model_copy(update={"bars": bars})

    def broken(*_: object, **__: object) -> None:
        raise ValueError("no bricks today")

    monkeypatch.setattr("fuzzy_pipeline.steps.build_bars.build_bars", broken)
    report = run_date(BuildBarsStep(FAMILIES), WEDNESDAY, changed.symbols, changed, InlineEngine())
    assert list(report.failed_in("renko_bars")) == ["AAPL"]
    assert report.failed_in("tick_bars") == {}
    failures = workbench(changed).store.manifest.failures(dates=[WEDNESDAY])
    assert [(row.table, row.reason) for row in failures] == [("renko_bars", "no bricks today")]

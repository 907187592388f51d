"""Rules held against a date: who is stopped, who goes on, what is kept, and when nothing is judged twice."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.quality.rules import rules_of
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE
from fuzzy_pipeline.schema.quality import CHECK_RESULTS_TABLE, QUALITY_TABLE, WHOLE_DATE, RuleResult
from fuzzy_pipeline.schema.rankings import RANKINGS_TABLE
from fuzzy_pipeline.schema.records import from_table
from fuzzy_pipeline.schema.tables import HEAVY_TABLES, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps import judge_date
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step, DayMetadataPhase2Step, TrailingBaselinesStep
from fuzzy_pipeline.steps.judge_date import QUALITY_ERROR, Judgement, described, judge, outcome_counts
from fuzzy_pipeline.steps.measure_quality import QualityMeasuresStep
from fuzzy_pipeline.steps.rank_symbols import rank_date
from fuzzy_pipeline.steps.run_date import DateReport, run_date
from fuzzy_pipeline.steps.step import Step
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.store import Store
from tests.unit.steps.planted_rows import commit, fail, row
from tests.unit.steps.retired_dates import retire
from tests.unit.steps.simulated_dates import SYMBOLS, TUESDAY, build, committed, copy_of, settings_of

DATE = TUESDAY
GOOD = {
    "non_finite_values": 0.0, "side_residual": 0.0, "venue_residual": 0.0, "hour_residual": 0.0,
    "place_rate_residual": 0.0,
}  # fmt: skip
"""Measures of phase 1 that keep every rule."""
SETTINGS = Settings(_env_file=None, symbols=SYMBOLS)


@pytest.fixture
def store() -> Store:
    """In memory: phase 1 of two symbols that keep every rule."""
    found = memory_store("simulated", HEAVY_TABLES)
    measured(found, AAA={}, BBB={})
    return found


def measured(store: Store, **changes: dict[str, float]) -> None:
    """Commit phase 1 of symbols with these measures changed."""
    commit(store, *(row(PHASE1_TABLE, symbol, DATE, measures=GOOD | values) for symbol, values in changes.items()))


def failures(store: Store, table: str = PHASE1_TABLE) -> dict[str, str]:
    return {failure.symbol: failure.reason for failure in store.manifest.failures(table, [DATE])}


def kept(store: Store) -> list[RuleResult]:
    return from_table(store.light.read(CHECK_RESULTS_TABLE, dates=[DATE]), RuleResult)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Symbols of every frame that rules were held against."""
    found: list[list[str]] = []
    evaluate = judge_date.evaluate

    def noted(rules: Any, frame: Any, date: dt.date, **options: Any) -> list[RuleResult]:
        found.append(sorted(frame["symbol"]))
        return evaluate(rules, frame, date, **options)

    monkeypatch.setattr(judge_date, "evaluate", noted)
    return found


# -- symbols -------------------------------------------------------------------------


def test_a_symbol_that_breaks_an_error_rule_is_stopped_with_the_rule_and_the_others_are_not(store: Store) -> None:
    measured(store, AAA={"side_residual": 3.0, "hour_residual": 1.0})
    found = judge(store, SETTINGS, PHASE1_TABLE, DATE)
    assert list(found.stopped) == ["AAA"]
    assert failures(store) == {
        "AAA": (
            "AAA 2025-11-25: day_metadata_phase1 broke sides_add_up: side_residual is 3, wanted 0 ≤ value ≤ 0: "
            "bought + sold + neutral are not all, in ticks or shares; hours_add_up: hour_residual is 1, wanted "
            "0 ≤ value ≤ 0: the ticks of the hourly buckets are not all ticks"
        )
    }
    (failure,) = store.manifest.failures(PHASE1_TABLE, [DATE])
    assert failure.error_type == QUALITY_ERROR
    assert not found.stops_the_date


def test_a_symbol_that_keeps_the_rules_again_loses_its_failure(store: Store) -> None:
    measured(store, AAA={"side_residual": 3.0})
    judge(store, SETTINGS, PHASE1_TABLE, DATE)
    measured(store, AAA={})
    assert judge(store, SETTINGS, PHASE1_TABLE, DATE).stopped == {}
    assert failures(store) == {}


def test_a_failure_of_another_kind_is_not_forgotten_by_judging(store: Store) -> None:
    fail(store, PHASE1_TABLE, DATE, ["AAA"], "the disk is full")
    judge(store, SETTINGS, PHASE1_TABLE, DATE)
    assert failures(store) == {"AAA": "the disk is full"}


def test_a_failure_that_stands_is_not_recorded_again_however_often_it_is_judged(store: Store) -> None:
    measured(store, AAA={"side_residual": 3.0})
    judge(store, SETTINGS, PHASE1_TABLE, DATE)
    (first,) = store.manifest.failures(PHASE1_TABLE, [DATE])
    for again in (True, False, False):
        judge(store, SETTINGS, PHASE1_TABLE, DATE, again=again)
    assert store.manifest.failures(PHASE1_TABLE, [DATE]) == [first]
    assert first.attempts == 1


def test_a_failure_that_says_something_else_or_is_of_newer_data_is_recorded(store: Store) -> None:
    measured(store, AAA={"side_residual": 3.0})
    judge(store, SETTINGS, PHASE1_TABLE, DATE)
    (first,) = store.manifest.failures(PHASE1_TABLE, [DATE])
    measured(store, AAA={"side_residual": 3.0})  # committed anew, and as bad: the older failure counts as mended
    judge(store, SETTINGS, PHASE1_TABLE, DATE)
    (second,) = store.manifest.failures(PHASE1_TABLE, [DATE])
    assert (second.reason, second.attempts) == (first.reason, 2)
    assert second.failed_at > first.failed_at
    measured(store, AAA={"side_residual": 4.0})
    judge(store, SETTINGS, PHASE1_TABLE, DATE)
    (third,) = store.manifest.failures(PHASE1_TABLE, [DATE])
    assert ("side_residual is 4" in third.reason, third.attempts) == (True, 3)


def test_a_warning_stops_nobody(store: Store) -> None:
    commit(
        store, *(row(QUALITY_TABLE, symbol, DATE, measures={"completeness_score": 0.5}) for symbol in SYMBOLS)
    )  # the least that does not warn is 0.98
    found = judge(store, SETTINGS, QUALITY_TABLE, DATE)
    assert {(one.rule, one.symbol) for one in found.failed("warning")} == {
        ("ticks_are_complete", symbol) for symbol in SYMBOLS
    }
    assert (found.stopped, found.failed("error"), failures(store, QUALITY_TABLE)) == ({}, (), {})


def test_what_could_not_be_judged_is_not_failed_and_says_why(store: Store) -> None:
    measured(store, AAA={"place_rate_residual": float("nan")})
    found = judge(store, SETTINGS, PHASE1_TABLE, DATE)
    (one,) = found.could_not_run
    assert (one.symbol, one.rule, one.observed) == ("AAA", "places_in_the_quote_add_up", None)
    assert one.reason == "no counted tick with 0 < bid < ask: there are no places in the quote"
    assert (found.stopped, found.failed("error")) == ({}, ())
    assert outcome_counts(found.results) == {"passed": 9, "errors": 0, "warnings": 0, "could_not_run": 1}


def test_a_measure_that_nobody_took_could_not_run_for_any_symbol(store: Store) -> None:
    measures = {name: value for name, value in GOOD.items() if name != "side_residual"}
    commit(store, *(row(PHASE1_TABLE, symbol, DATE, measures=measures) for symbol in SYMBOLS))
    found = judge(store, SETTINGS, PHASE1_TABLE, DATE)
    assert {(one.rule, one.symbol, one.reason) for one in found.could_not_run} == {
        ("sides_add_up", symbol, "side_residual was not measured") for symbol in SYMBOLS
    }
    assert found.stopped == {}


def test_a_table_of_which_nothing_is_committed_could_not_run(store: Store) -> None:
    found = judge(store, SETTINGS, PHASE2_TABLE, DATE)
    assert {(one.symbol, one.outcome, one.reason) for one in found.results} == {
        (WHOLE_DATE, "could_not_run", "there is no symbol to judge")
    }
    assert not found.stops_the_date


# -- whole dates ---------------------------------------------------------------------


def test_most_symbols_out_of_the_usual_stop_the_date_and_no_symbol_by_itself(store: Store) -> None:
    ratios = {"AAA": 0.01, "BBB": 0.02, "CCC": 1.0}
    commit(store, *(row(QUALITY_TABLE, symbol, DATE, measures={"tick_count_ratio": r}) for symbol, r in ratios.items()))
    found = judge(store, SETTINGS, QUALITY_TABLE, DATE)
    assert found.stops_the_date
    assert found.stopped == {}
    assert failures(store, QUALITY_TABLE) == {}
    (one,) = found.failed("error")
    assert (one.symbol, one.rule, one.minimum) == (WHOLE_DATE, "most_symbols_are_usual", 0.5)
    assert one.observed == pytest.approx(1 / 3)


def test_half_of_the_symbols_are_enough(store: Store) -> None:
    for symbol, share in (("AAA", 0.01), ("BBB", 1.0)):
        commit(store, row(QUALITY_TABLE, symbol, DATE, measures={"tick_count_ratio": share}))
    assert not judge(store, SETTINGS, QUALITY_TABLE, DATE).stops_the_date


def test_rankings_are_judged_by_the_symbols_that_are_missing(store: Store) -> None:
    commit(store, *(row(RANKINGS_TABLE, symbol, DATE, notes={"missing": "BBB"}) for symbol in SYMBOLS))
    (one,) = judge(store, SETTINGS, RANKINGS_TABLE, DATE).failed("warning")
    assert (one.symbol, one.rule, one.observed) == (WHOLE_DATE, "every_symbol_is_ranked", 1)
    commit(store, *(row(RANKINGS_TABLE, symbol, DATE) for symbol in SYMBOLS))
    assert judge(store, SETTINGS, RANKINGS_TABLE, DATE).failed("warning") == ()


# -- results -------------------------------------------------------------------------


def test_results_are_kept_by_table_and_judging_one_leaves_the_others(store: Store) -> None:
    commit(store, *(row(QUALITY_TABLE, symbol, DATE, measures={"duplicate_count": 0}) for symbol in SYMBOLS))
    phase1 = judge(store, SETTINGS, PHASE1_TABLE, DATE)
    quality = judge(store, SETTINGS, QUALITY_TABLE, DATE)
    assert sorted(kept(store), key=str) == sorted((*phase1.results, *quality.results), key=str)
    again = judge(store, SETTINGS, PHASE1_TABLE, DATE)
    assert sorted(kept(store), key=str) == sorted((*again.results, *quality.results), key=str)
    assert len(phase1.results) == len(rules_of(PHASE1_TABLE)) * 2


def test_results_of_a_symbol_that_is_gone_go_with_it(store: Store) -> None:
    judge(store, SETTINGS, PHASE1_TABLE, DATE)
    store.manifest.remove(PHASE1_TABLE, DATE, ["BBB"])
    judge(store, SETTINGS, PHASE1_TABLE, DATE)
    assert {one.symbol for one in kept(store)} == {"AAA"}


def test_results_of_another_date_stay(store: Store) -> None:
    other = dt.date(2025, 11, 26)
    commit(store, row(PHASE1_TABLE, "AAA", other, measures=GOOD))
    judge(store, SETTINGS, PHASE1_TABLE, other)
    judge(store, SETTINGS, PHASE1_TABLE, DATE)
    rows = store.light.read(CHECK_RESULTS_TABLE)
    assert rows is not None
    assert set(rows["date"].to_pylist()) == {DATE, other}


# -- not twice -----------------------------------------------------------------------


def test_nothing_is_judged_twice_unless_it_is_asked_for(store: Store, judged: list[list[str]]) -> None:
    first = judge(store, SETTINGS, PHASE1_TABLE, DATE, again=False)
    second = judge(store, SETTINGS, PHASE1_TABLE, DATE, again=False)
    assert judged == [["AAA", "BBB"]]
    assert sorted(second.results, key=str) == sorted(first.results, key=str)
    judge(store, SETTINGS, PHASE1_TABLE, DATE)
    assert len(judged) == 2


def test_results_that_are_not_judged_again_still_stop_their_symbol(store: Store, judged: list[list[str]]) -> None:
    measured(store, AAA={"side_residual": 3.0})
    judge(store, SETTINGS, PHASE1_TABLE, DATE, again=False)
    store.manifest.clear_failures(PHASE1_TABLE, DATE, ["AAA"])
    assert list(judge(store, SETTINGS, PHASE1_TABLE, DATE, again=False).stopped) == ["AAA"]
    assert list(failures(store)) == ["AAA"]
    assert len(judged) == 1


def test_a_new_commit_is_judged(store: Store, judged: list[list[str]]) -> None:
    judge(store, SETTINGS, PHASE1_TABLE, DATE, again=False)
    measured(store, AAA={"side_residual": 3.0})
    assert list(judge(store, SETTINGS, PHASE1_TABLE, DATE, again=False).stopped) == ["AAA"]
    assert len(judged) == 2


def test_a_symbol_that_is_new_or_gone_is_judged(store: Store, judged: list[list[str]]) -> None:
    judge(store, SETTINGS, PHASE1_TABLE, DATE, again=False)
    measured(store, CCC={})
    judge(store, SETTINGS, PHASE1_TABLE, DATE, again=False)
    store.manifest.remove(PHASE1_TABLE, DATE, ["CCC"])
    judge(store, SETTINGS, PHASE1_TABLE, DATE, again=False)
    assert judged == [["AAA", "BBB"], ["AAA", "BBB", "CCC"], ["AAA", "BBB"]]


@pytest.mark.parametrize(
    "bounds", [{"score_error": 0.9}, {"usual_symbols_share": 0.9}, {"unexplained_silent_minutes": 1}]
)
def test_a_changed_bound_is_judged(store: Store, judged: list[list[str]], bounds: dict[str, float]) -> None:
    values = {"data_quality_score": 0.8, "tick_count_ratio": 1.0, "unexplained_silent_minutes": 0}
    commit(store, *(row(QUALITY_TABLE, symbol, DATE, measures=values) for symbol in SYMBOLS))
    assert judge(store, SETTINGS, QUALITY_TABLE, DATE, again=False).stopped == {}
    changed = SETTINGS.model_copy(update={"quality": SETTINGS.quality.model_copy(update=bounds)})
    found = judge(store, changed, QUALITY_TABLE, DATE, again=False)
    assert len(judged) == 2
    assert set(found.stopped) == (set(SYMBOLS) if "score_error" in bounds else set())
    judge(store, changed, QUALITY_TABLE, DATE, again=False)
    assert len(judged) == 2


# -- retired data --------------------------------------------------------------------


def test_what_is_retired_keeps_its_results_and_is_not_judged_as_nothing(store: Store, judged: list[list[str]]) -> None:
    measured(store, AAA={"side_residual": 3.0})
    before = judge(store, SETTINGS, PHASE1_TABLE, DATE)
    retire(store, DATE, PHASE1_TABLE)
    for again in (True, False):
        found = judge(store, SETTINGS, PHASE1_TABLE, DATE, again=again)
        assert sorted(found.results, key=str) == sorted(before.results, key=str)
        assert sorted(kept(store), key=str) == sorted(before.results, key=str)
        assert (found.retired, found.stopped) == ({"AAA", "BBB"}, {})
    assert len(judged) == 1
    assert failures(store) == {}  # nothing can be built upon it, so nobody has to be kept from it


def test_a_symbol_that_is_there_again_is_judged_and_the_retired_ones_keep_their_results(
    store: Store, judged: list[list[str]]
) -> None:
    measured(store, AAA={"side_residual": 3.0}, BBB={"hour_residual": 1.0})
    judge(store, SETTINGS, PHASE1_TABLE, DATE)
    retire(store, DATE, PHASE1_TABLE)
    measured(store, AAA={"side_residual": 5.0})
    found = judge(store, SETTINGS, PHASE1_TABLE, DATE, again=False)
    errors = {(one.symbol, one.rule, one.observed) for one in found.failed("error")}
    assert errors == {("AAA", "sides_add_up", 5.0), ("BBB", "hours_add_up", 1.0)}
    assert list(failures(store)) == list(found.stopped) == ["AAA"]
    assert len(found.results) == len(rules_of(PHASE1_TABLE)) * 2
    judge(store, SETTINGS, PHASE1_TABLE, DATE, again=False)
    assert len(judged) == 2


def test_a_rule_about_most_symbols_still_counts_the_retired_ones(store: Store) -> None:
    ratios = {"AAA": 0.01, "BBB": 1.0, "CCC": 1.0}
    commit(store, *(row(QUALITY_TABLE, symbol, DATE, measures={"tick_count_ratio": r}) for symbol, r in ratios.items()))
    judge(store, SETTINGS, QUALITY_TABLE, DATE)
    retire(store, DATE, QUALITY_TABLE)
    commit(store, row(QUALITY_TABLE, "AAA", DATE, measures={"tick_count_ratio": 0.02}))
    found = judge(store, SETTINGS, QUALITY_TABLE, DATE)
    (one,) = (one for one in found.results if one.rule == "most_symbols_are_usual")
    assert (one.outcome, one.observed) == ("passed", pytest.approx(2 / 3))
    assert not found.stops_the_date


def test_ticks_that_were_retired_are_not_said_to_be_lost(store: Store) -> None:
    commit(store, *(row(RAW_TICKS.name, symbol, DATE) for symbol in SYMBOLS))
    before = {one.symbol: one.outcome for one in judge(store, SETTINGS, RAW_TICKS.name, DATE).results}
    assert set(before.values()) == {"passed"}
    retire(store, DATE, RAW_TICKS.name)
    commit(store, row(RAW_TICKS.name, "BBB", DATE))
    found = judge(store, SETTINGS, RAW_TICKS.name, DATE)
    assert {one.symbol: one.outcome for one in found.results} == before


# -- words ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("observed", "minimum", "maximum", "words"),
    [
        (0.5, 0.7, None, "r: m is 0.5, wanted 0.7 ≤ value: because"),
        (7.0, None, 5.0, "r: m is 7, wanted value ≤ 5: because"),
        (None, 0.2, 5.0, "r: m is unknown, wanted 0.2 ≤ value ≤ 5: because"),
    ],
)
def test_a_result_in_words(observed: float | None, minimum: float | None, maximum: float | None, words: str) -> None:
    one = RuleResult(
        symbol="AAA", date=DATE, rule="r", table="t", measure="m", severity="error", outcome="failed",
        observed=observed, minimum=minimum, maximum=maximum, reason="because",
        evaluated_at=dt.datetime(2025, 11, 25, tzinfo=dt.UTC),
    )  # fmt: skip
    assert described(one) == words
    assert Judgement("t", DATE, (one,)).stopped == {"AAA": words}


# -- downstream ----------------------------------------------------------------------

DOWNSTREAM: tuple[Step, ...] = (QualityMeasuresStep(), TrailingBaselinesStep(), DayMetadataPhase2Step())


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """One date through all steps; never touched."""
    settings = settings_of(tmp_path_factory.mktemp("built"))
    build(settings, DATE)
    close_workbenches()
    return settings


@pytest.fixture
def settings(built: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A copy in which AAA's phase 1 broke a rule."""
    found = copy_of(built, tmp_path / "home")
    store = workbench(found).store
    old = committed(found)[PHASE1_TABLE, "AAA", DATE]
    broken = old.model_copy(update={"measures": old.measures | {"side_residual": 1.0}})
    store.manifest.commit(PHASE1_TABLE, DATE, [broken])
    judge(store, found, PHASE1_TABLE, DATE)
    yield found
    close_workbenches()


def run(settings: Settings, step: Step, force: bool = False) -> DateReport:
    return run_date(step, DATE, SYMBOLS, settings, InlineEngine(), force=force)


def test_a_stopped_symbol_is_named_downstream_and_the_others_go_on(settings: Settings) -> None:
    for step in (QualityMeasuresStep(), DayMetadataPhase2Step()):
        report = run(settings, step, force=True)
        assert list(report.failed) == ["AAA"]
        assert "day_metadata_phase1 broke sides_add_up" in report.failed["AAA"].reason
        assert [made.symbol for made in report.rows(report.tables[0])] == ["BBB"]
    report = rank_date(DATE, settings)
    assert list(report.failed) == ["AAA"]
    assert report.rows(RANKINGS_TABLE)[0].notes["missing"] == "AAA"


def test_a_stopped_symbol_stays_stopped_when_its_step_finds_nothing_to_do(settings: Settings) -> None:
    """What is current has not become better: only judging it again can let it go on."""
    report = run(settings, DayMetadataPhase1Step())
    assert report.committed == []
    assert list(failures(workbench(settings).store)) == ["AAA"]
    assert list(run(settings, DayMetadataPhase2Step()).failed) == ["AAA"]


def test_once_it_was_made_anew_and_judged_good_everything_downstream_follows(settings: Settings) -> None:
    run(settings, DayMetadataPhase2Step(), force=True)
    run(settings, DayMetadataPhase1Step(), force=True)  # with its true measures
    assert judge(workbench(settings).store, settings, PHASE1_TABLE, DATE, again=False).stopped == {}
    for step in DOWNSTREAM:
        assert run(settings, step).failed == {}
    assert workbench(settings).store.manifest.failures(dates=[DATE]) == []


def test_good_simulated_ticks_keep_every_error_rule(settings: Settings) -> None:
    store = workbench(settings).store
    run(settings, DayMetadataPhase1Step(), force=True)
    for table in (RAW_TICKS.name, "enriched_ticks", "time_bars", PHASE1_TABLE, QUALITY_TABLE, PHASE2_TABLE):
        found = judge(store, settings, table, DATE)
        assert (found.failed("error"), found.stopped) == ((), {}), table
        assert any(one.outcome == "passed" for one in found.results), table

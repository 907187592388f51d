"""The verdict of a date, in each of its four forms."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping
from typing import Any

import pytest

from fuzzy_pipeline.quality.verdict import verdict_of_date
from fuzzy_pipeline.schema.quality import WHOLE_DATE, RuleResult, VerdictOfDate
from fuzzy_pipeline.schema.records import from_table, to_table
from fuzzy_pipeline.trading_calendar import EASTERN

MONDAY = dt.date(2024, 5, 6)
EXPECTED = ["KO", "SPY", "XOM"]


def result(symbol: str, outcome: str = "passed", severity: str = "error", **changes: Any) -> RuleResult:
    given = {
        "symbol": symbol, "date": MONDAY, "rule": "keys_are_unique", "table": "quality_measures",
        "measure": "duplicate_count", "severity": severity, "outcome": outcome, "observed": 3.0, "minimum": 0.0,
        "maximum": 0.0, "reason": "a stored tick is there twice",
        "evaluated_at": dt.datetime(2024, 5, 6, 21, tzinfo=EASTERN),
    }  # fmt: skip
    return RuleResult.model_validate({**given, **changes})


PASSED = [result(symbol) for symbol in EXPECTED]


def verdict(
    stored: list[str],
    results: list[RuleResult],
    *,
    failed: dict[str, str] | None = None,
    after_deadline: bool = True,
    begun: Collection[str] = (),
    retired: Mapping[str, Collection[str]] | None = None,
) -> VerdictOfDate:
    return verdict_of_date(
        MONDAY, EXPECTED, stored, failed or {}, results, after_deadline=after_deadline, begun=begun, retired=retired
    )


def test_a_date_with_everything_and_no_error_is_complete_and_has_nothing_to_say() -> None:
    found = verdict(EXPECTED, PASSED)
    assert (found.verdict, found.reasons, found.errors) == ("complete", [], 0)
    assert found.symbols == dict.fromkeys(EXPECTED, "complete")


def test_a_date_is_complete_as_soon_as_it_is_whatever_the_clock_says() -> None:
    assert verdict(EXPECTED, PASSED, after_deadline=False).verdict == "complete"


def test_warnings_and_rules_about_what_cannot_be_known_are_named_and_change_nothing() -> None:
    found = verdict(
        EXPECTED,
        [*PASSED, result("KO", "failed", "warning", rule="volume_is_usual", reason="far from usual", observed=7.5),
         result("XOM", "could_not_run", observed=None, reason="no tick has a quote")],
    )  # fmt: skip
    assert (found.verdict, found.errors, found.warnings, found.could_not_run) == ("complete", 0, 1, 1)
    assert found.reasons == [
        "warning: volume_is_usual of quality_measures: KO 7.5 — far from usual",
        "could not run: keys_are_unique of quality_measures: XOM — no tick has a quote",
    ]


@pytest.mark.parametrize(
    "reason", ["duplicate_count was not measured", "judging the measure failed: no number", "the measure is null"]
)
def test_an_error_rule_that_was_never_judged_degrades_the_date_and_its_symbol(reason: str) -> None:
    unjudged = result("SPY", "could_not_run", observed=None, reason=reason)
    found = verdict(EXPECTED, [result("KO"), unjudged, result("XOM")])
    assert (found.verdict, found.errors, found.could_not_run) == ("degraded", 0, 1)
    assert found.symbols == {"KO": "complete", "SPY": "degraded", "XOM": "complete"}
    assert found.reasons == [f"not judged: keys_are_unique of quality_measures: SPY — {reason}"]


def test_a_warning_that_was_never_judged_changes_nothing() -> None:
    unjudged = result("SPY", "could_not_run", "warning", observed=None, reason="duplicate_count was not measured")
    assert verdict(EXPECTED, [*PASSED, unjudged]).verdict == "complete"


def test_a_rule_of_the_whole_date_that_was_never_judged_degrades_no_symbol() -> None:
    unjudged = result(WHOLE_DATE, "could_not_run", observed=None, reason="tick_count_ratio was not measured")
    found = verdict(EXPECTED, [*PASSED, unjudged])
    assert (found.verdict, set(found.symbols.values())) == ("degraded", {"complete"})


def test_an_error_degrades_the_date_and_its_symbol() -> None:
    found = verdict(EXPECTED, [result("KO"), result("SPY", "failed"), result("XOM")])
    assert (found.verdict, found.errors) == ("degraded", 1)
    assert found.symbols == {"KO": "complete", "SPY": "degraded", "XOM": "complete"}
    assert found.reasons == ["error: keys_are_unique of quality_measures: SPY 3 — a stored tick is there twice"]


def test_an_error_of_the_whole_date_degrades_the_date_and_no_symbol() -> None:
    found = verdict(EXPECTED, [*PASSED, result(WHOLE_DATE, "failed", observed=0.4)])
    assert (found.verdict, set(found.symbols.values())) == ("degraded", {"complete"})


def test_a_missing_and_a_failed_symbol_degrade_the_date_after_the_deadline() -> None:
    found = verdict(["SPY"], PASSED, failed={"KO": "no answer in 30 s"})
    assert (found.verdict, found.missing, found.failed) == ("degraded", ["XOM"], {"KO": "no answer in 30 s"})
    assert found.symbols == {"KO": "missing", "SPY": "complete", "XOM": "missing"}
    assert found.reasons == [
        "1 of 3 symbols failed: KO (no answer in 30 s)",
        "1 of 3 symbols are not stored: XOM",
    ]


def test_before_the_deadline_what_is_not_there_may_still_come() -> None:
    found = verdict(["SPY"], PASSED, failed={"KO": "no answer"}, after_deadline=False)
    assert found.verdict == "pending"
    assert found.symbols == {"KO": "pending", "SPY": "complete", "XOM": "pending"}
    assert verdict([], [], after_deadline=False).verdict == "pending"


def test_a_date_without_any_symbol_is_missing_after_the_deadline() -> None:
    found = verdict([], [], failed={"KO": "no answer"})
    assert (found.verdict, set(found.symbols.values())) == ("missing", {"missing"})
    assert found.reasons == ["1 of 3 symbols failed: KO (no answer)", "2 of 3 symbols are not stored: SPY, XOM"]


def test_a_date_of_which_some_tables_are_stored_is_degraded_and_not_missing() -> None:
    """As after a release that brings a new table: every symbol lacks it."""
    found = verdict([], PASSED, begun=EXPECTED)
    assert (found.verdict, found.missing) == ("degraded", EXPECTED)
    assert set(found.symbols.values()) == {"degraded"}
    assert found.reasons == ["3 of 3 symbols are stored without some tables: KO, SPY, XOM"]
    assert verdict([], PASSED, begun=EXPECTED, after_deadline=False).verdict == "pending"


def test_a_symbol_without_anything_is_missing_beside_one_without_some_tables() -> None:
    found = verdict(["SPY"], PASSED, begun=["KO", "SPY"], failed={})
    assert (found.verdict, found.missing) == ("degraded", ["KO", "XOM"])
    assert found.symbols == {"KO": "degraded", "SPY": "complete", "XOM": "missing"}
    assert found.reasons == [
        "1 of 3 symbols are not stored: XOM",
        "1 of 3 symbols are stored without some tables: KO",
    ]


def test_a_symbol_that_failed_after_its_ticks_were_stored_is_degraded_and_not_missing() -> None:
    found = verdict([], [], failed=dict.fromkeys(EXPECTED, "no room"), begun=["KO"])
    assert (found.verdict, found.symbols) == ("degraded", {"KO": "degraded", "SPY": "missing", "XOM": "missing"})
    assert found.reasons[-1] == "no quality rule was judged"


def test_what_is_retired_is_named_and_changes_no_verdict() -> None:
    ticks = ["raw_ticks", "enriched_ticks"]
    retired = {"SPY": ticks, "XOM": ["raw_ticks"], "OLD": ticks, "KO": []}
    found = verdict(EXPECTED, PASSED, retired=retired)
    assert (found.verdict, set(found.symbols.values())) == ("complete", {"complete"})
    assert found.reasons == ["raw_ticks, enriched_ticks of 2 of 3 symbols were retired: SPY, XOM"]
    broken = verdict(EXPECTED, [*PASSED[1:], result("KO", "failed")], retired=retired)
    assert (broken.verdict, broken.symbols["KO"], broken.reasons[0]) == ("degraded", "degraded", found.reasons[0])


def test_a_date_that_no_rule_has_judged_is_never_complete() -> None:
    assert verdict(EXPECTED, [], after_deadline=False).verdict == "pending"
    found = verdict(EXPECTED, [])
    assert (found.verdict, found.reasons) == ("degraded", ["no quality rule was judged"])
    assert set(found.symbols.values()) == {"degraded"}


def test_a_failure_mended_since_is_forgotten() -> None:
    found = verdict(EXPECTED, PASSED, failed={"KO": "no answer"})
    assert (found.verdict, found.failed) == ("complete", {})


def test_symbols_that_are_not_expected_are_left_out() -> None:
    found = verdict([*EXPECTED, "OLD"], [*PASSED, result("OLD", "failed")], failed={"ODD": "x"})
    assert (found.verdict, found.stored_symbols, found.failed) == ("complete", EXPECTED, {})


def test_a_long_list_is_cut_in_the_reason_and_whole_in_the_record() -> None:
    symbols = [f"S{number:02}" for number in range(12)]
    found = verdict_of_date(MONDAY, symbols, [], {}, [], after_deadline=True)
    assert len(found.missing) == 12
    assert found.reasons == [
        "12 of 12 symbols are not stored: S00, S01, S02, S03, S04, S05, S06, S07, S08, S09 and 2 more"
    ]


def test_what_cannot_be_judged_is_refused() -> None:
    with pytest.raises(ValueError, match="no symbol is expected"):
        verdict_of_date(MONDAY, [], [], {}, [], after_deadline=True)
    with pytest.raises(ValueError, match="results of 2024-05-07 were given for 2024-05-06"):
        verdict(EXPECTED, [result("KO", date=dt.date(2024, 5, 7))])


def test_verdicts_and_results_survive_the_light_table() -> None:
    found = verdict(["SPY"], PASSED, failed={"KO": "no answer"})
    assert from_table(to_table([found], VerdictOfDate), VerdictOfDate) == [found]
    assert from_table(to_table(PASSED, RuleResult), RuleResult) == PASSED

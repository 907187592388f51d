"""Rules held against frames: passed, failed and could not run are three things."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from fuzzy_pipeline.day_metadata.phase1 import day_metadata_phase1
from fuzzy_pipeline.quality.measures import IngestCounts, quality_measures
from fuzzy_pipeline.quality.rules import QualityRule, measure_values, phase1_measures, quality_rules, rules_of
from fuzzy_pipeline.quality.suites import evaluate, is_unjudged
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.quality import QUALITY_TABLE, WHOLE_DATE, RuleResult
from tests.unit.day_metadata.day_records import REAL_DAYS, real_ticks
from tests.unit.enrichment.raw_ticks import TUESDAY

ROOT = Path(__file__).resolve().parents[3]
AT_MOST_5 = QualityRule("at_most_5", "t", "x", None, 5, "warning", "too many")
MOSTLY = QualityRule("mostly_at_most_5", "t", "x", None, 5, "error", "too many everywhere", mostly=0.6)


def outcomes(rule: QualityRule, values: list[float | None]) -> list[RuleResult]:
    frame = pd.DataFrame({"symbol": [f"S{number}" for number in range(len(values))], rule.measure: values})
    return evaluate([rule], frame, TUESDAY)


def test_failing_symbols_are_named_with_what_was_observed() -> None:
    found = outcomes(AT_MOST_5, [5.0, 5.5, 0.0])
    assert [(one.symbol, one.outcome, one.observed) for one in found] == [
        ("S0", "passed", 5.0), ("S1", "failed", 5.5), ("S2", "passed", 0.0),
    ]  # fmt: skip
    first = found[1]
    assert (first.rule, first.table, first.measure, first.severity) == ("at_most_5", "t", "x", "warning")
    assert (first.minimum, first.maximum, first.reason, first.date) == (None, 5, "too many", TUESDAY)


@pytest.mark.parametrize("rule", quality_rules(), ids=lambda rule: f"{rule.table}.{rule.name}")
def test_every_rule_passes_on_its_bounds_and_fails_beyond_them(rule: QualityRule) -> None:
    bounds = [(rule.minimum, -1), (rule.maximum, 1)]
    inside = [bound for bound, _ in bounds if bound is not None]
    outside = [bound + way * 1e-5 * (abs(bound) + 1) for bound, way in bounds if bound is not None]
    if rule.mostly is None:
        each = outcomes(rule, [*inside, *outside])
        assert [one.outcome for one in each] == ["passed"] * len(inside) + ["failed"] * len(outside)
    else:
        assert [outcomes(rule, [value])[0].outcome for value in inside] == ["passed"] * len(inside)
        assert [outcomes(rule, [value])[0].outcome for value in outside] == ["failed"] * len(outside)


def test_a_null_measure_could_not_run_and_says_why() -> None:
    frame = pd.DataFrame({"symbol": ["A", "B", "C"], "x": [None, 9.0, math.nan]})
    found = evaluate([AT_MOST_5], frame, TUESDAY, null_reasons={"A": {"x": "no earlier dates"}})
    assert [(one.outcome, one.observed, one.reason) for one in found] == [
        ("could_not_run", None, "no earlier dates"),
        ("failed", 9.0, "too many"),
        ("could_not_run", None, "the measure is null"),
    ]


def test_a_measure_that_adds_up_nothing_says_what_there_is_nothing_of() -> None:
    (rule,) = (rule for rule in rules_of(PHASE1_TABLE) if rule.measure == "place_rate_residual")
    (found,) = outcomes(rule, [None])
    assert found.outcome == "could_not_run"
    assert found.reason == "no counted tick with 0 < bid < ask: there are no places in the quote"


def test_a_measure_that_is_no_column_could_not_run_and_the_other_rules_do() -> None:
    other = QualityRule("other", "t", "y", 0, None, "error", "negative")
    frame = pd.DataFrame({"symbol": ["A", "B"], "x": [1.0, 9.0]})
    found = evaluate([AT_MOST_5, other], frame, TUESDAY)
    assert [(one.rule, one.symbol, one.outcome) for one in found] == [
        ("at_most_5", "A", "passed"), ("at_most_5", "B", "failed"),
        ("other", "A", "could_not_run"), ("other", "B", "could_not_run"),
    ]  # fmt: skip
    assert found[2].reason == "y was not measured"


def test_an_error_while_judging_could_not_run_and_the_other_rules_do() -> None:
    words = QualityRule("words", "t", "y", 0, None, "error", "negative")
    frame = pd.DataFrame({"symbol": ["A", "B"], "x": [1.0, 9.0], "y": ["one", "two"]})
    found = evaluate([words, AT_MOST_5], frame, TUESDAY)
    assert [one.outcome for one in found] == ["could_not_run", "could_not_run", "passed", "failed"]
    assert found[0].reason.startswith("judging the measure failed: ")
    assert [is_unjudged(one) for one in found] == [True, True, False, False]


def test_a_rule_is_unjudged_when_its_measure_was_not_recorded_and_not_when_there_is_nothing_to_know() -> None:
    other = QualityRule("other", "t", "y", 0, None, "error", "negative")
    frame = pd.DataFrame({"symbol": ["A", "B", "C", "D"], "x": [1.0, 9.0, None, None]})
    found = evaluate([AT_MOST_5, other], frame, TUESDAY, null_reasons={"C": {"x": "no tick has a quote"}})
    assert [is_unjudged(one) for one in found] == [False, False, False, True, True, True, True, True]
    assert is_unjudged(outcomes(MOSTLY, [None, None])[0]) is False  # the ratios of a store's first dates
    assert is_unjudged(outcomes(MOSTLY, [])[0]) is False


def test_a_frame_without_rows_could_not_run() -> None:
    (found,) = outcomes(AT_MOST_5, [])
    assert (found.symbol, found.outcome, found.reason) == (WHOLE_DATE, "could_not_run", "there is no symbol to judge")


def test_a_rule_about_the_whole_date_tells_the_share_that_complies() -> None:
    (found,) = outcomes(MOSTLY, [1.0, 2.0, 3.0, 9.0, None])  # three of the four that are known
    assert (found.symbol, found.outcome, found.observed, found.minimum) == (WHOLE_DATE, "passed", 0.75, 0.6)
    (found,) = outcomes(MOSTLY, [1.0, 9.0])
    assert (found.outcome, found.observed, found.reason) == ("failed", 0.5, "too many everywhere")


def test_a_rule_about_the_whole_date_without_a_known_measure_could_not_run() -> None:
    (found,) = outcomes(MOSTLY, [None, None])
    assert (found.symbol, found.outcome, found.reason) == (WHOLE_DATE, "could_not_run", "x is null for every symbol")


def test_infinity_fails_an_upper_bound() -> None:
    assert [one.outcome for one in outcomes(AT_MOST_5, [math.inf])] == ["failed"]


def test_rules_of_two_tables_with_one_name_are_kept_apart() -> None:
    low = QualityRule("same", "a", "x", None, 5, "error", "high")
    high = QualityRule("same", "b", "x", 5, None, "error", "low")
    frame = pd.DataFrame({"symbol": ["A"], "x": [1.0]})
    assert [(one.table, one.outcome) for one in evaluate([low, high], frame, TUESDAY)] == [
        ("a", "passed"), ("b", "failed"),
    ]  # fmt: skip


@pytest.mark.parametrize("frame", [pd.DataFrame({"x": [1.0]}), pd.DataFrame({"symbol": ["A", "A"], "x": [1.0, 2.0]})])
def test_a_frame_that_does_not_name_each_symbol_once_is_refused(frame: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="names each symbol once"):
        evaluate([AT_MOST_5], frame, TUESDAY)


PROGRAM = """
import datetime, socket, sys
asked = []
class Watched(socket.socket):
    def connect(self, address):
        asked.append(address)
        raise OSError("no network here")
def look_up(*arguments, **named):
    asked.append(arguments)
    raise OSError("no network here")
socket.socket, socket.getaddrinfo = Watched, look_up
from fuzzy_pipeline.quality.rules import rules_of
from fuzzy_pipeline.quality.suites import evaluate
import pandas as pd
if "great_expectations" in sys.modules:
    sys.exit("imported before it was needed")
found = evaluate(rules_of("enriched_ticks"), pd.DataFrame({"symbol": ["A"], "row_difference": [1]}),
    datetime.date(2024, 5, 6))
print([one.outcome for one in found], asked)
"""


def test_judging_asks_nothing_of_the_network_and_prints_no_progress() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "['failed', 'could_not_run'] []"), done.stderr
    assert "Calculating" not in done.stderr


@pytest.mark.real_data
def test_untouched_real_days_raise_no_error_and_one_warning_that_is_true(shared_data: Path) -> None:
    rows: dict[str, list[dict[str, object]]] = {PHASE1_TABLE: [], QUALITY_TABLE: []}
    reasons = {}
    for symbol, date in REAL_DAYS:
        ticks = real_ticks(shared_data, symbol, date)
        phase1 = day_metadata_phase1(ticks, symbol, date)
        counts = IngestCounts(len(ticks["price"]), len(ticks["price"]), 0)
        found = quality_measures(ticks, symbol, date, phase1=phase1, ingest=counts)
        reasons[symbol] = found.null_reasons
        rows[PHASE1_TABLE].append({"symbol": symbol, **phase1_measures(phase1)})
        rows[QUALITY_TABLE].append({"symbol": symbol, **measure_values(found, QUALITY_TABLE)})
    results = [
        one
        for table, measured in rows.items()
        for one in evaluate(rules_of(table), pd.DataFrame(measured), TUESDAY, null_reasons=reasons)
    ]
    failed = [(one.symbol, one.rule, one.severity, one.observed) for one in results if one.outcome == "failed"]
    assert failed == [("SPY", "quotes_are_there", "warning", 1.0)]  # that tape has no quotes
    unknown = {(one.rule, one.reason) for one in results if one.outcome == "could_not_run" and one.symbol == "SPY"}
    assert ("daily_bar_agrees", "the source has no daily bar") in unknown
    assert ("quote_is_not_stale", "no tick of the regular session has a usable quote") in unknown

"""What a judgement means for a run: who stops it, and what the web UI shows."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from fuzzy_pipeline.assets.partitions import trading_date_partitions
from fuzzy_pipeline.checks.quality_rules import CHECK, MOST_SHOWN, check_result, quality_checks
from fuzzy_pipeline.schema.quality import WHOLE_DATE, Outcome, RuleResult, Severity
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.judge_date import Judgement

DATE = dt.date(2025, 11, 25)
ERROR, WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN


def result(symbol: str = "AAA", severity: Severity = "error", outcome: Outcome = "failed") -> RuleResult:
    return RuleResult(
        symbol=symbol, date=DATE, rule="volumes_agree", table="time_bars", measure="difference", severity=severity,
        outcome=outcome, observed=2.0, minimum=None, maximum=0.0, reason="shares | are lost",
        evaluated_at=dt.datetime(2025, 11, 25, 21, tzinfo=dt.UTC),
    )  # fmt: skip


def checked(*results: RuleResult, last: bool = False) -> dg.AssetCheckResult:
    return check_result(Judgement("time_bars", DATE, results), last=last)


@pytest.mark.parametrize(
    ("results", "last", "passed", "severity"),
    [
        ([result(outcome="passed")], False, True, WARN),
        ([result(outcome="could_not_run")], True, True, WARN),
        ([result(severity="warning")], True, False, WARN),
        ([result(severity="error")], False, False, WARN),  # the symbol is stopped downstream, the others go on
        ([result(severity="error")], True, False, ERROR),  # there is no downstream that would name it
        ([result(WHOLE_DATE, "error")], False, False, ERROR),
        ([result(WHOLE_DATE, "warning")], False, False, WARN),
        ([result(WHOLE_DATE, "error", "could_not_run")], True, True, WARN),
    ],
)
def test_only_what_must_stop_a_run_is_an_error(
    results: list[RuleResult], last: bool, passed: bool, severity: dg.AssetCheckSeverity
) -> None:
    found = checked(*results, last=last)
    assert (found.passed, found.severity) == (passed, severity)


def test_counts_and_stopped_symbols_are_shown_with_a_table_of_what_is_broken() -> None:
    found = checked(result("AAA"), result("BBB", "warning"), result("CCC", outcome="could_not_run"), result("DDD"))
    values = {name: value.value for name, value in found.metadata.items()}
    assert {name: values[name] for name in ("passed", "errors", "warnings", "could_not_run")} == {
        "passed": 0, "errors": 2, "warnings": 1, "could_not_run": 1,
    }  # fmt: skip
    assert values["stopped"] == "AAA, DDD"
    lines = values["broken"].splitlines()
    words = "volumes_agree: difference is 2, wanted value ≤ 0: shares \\| are lost"
    assert lines[2:] == [
        f"| AAA | error | {words} |", f"| DDD | error | {words} |", f"| BBB | warning | {words} |",
    ]  # fmt: skip
    assert "| CCC |" in values["not_judged"]


def test_nobody_stopped_is_said_and_empty_lists_are_left_out() -> None:
    values = {name: value.value for name, value in checked(result(outcome="passed")).metadata.items()}
    assert values["stopped"] == "no symbol"
    assert not {"broken", "not_judged"} & set(values)


def test_a_rule_that_could_not_run_is_listed_though_nothing_is_broken() -> None:
    shown = checked(result(outcome="could_not_run")).metadata
    assert "| AAA |" in shown["not_judged"].value
    assert "broken" not in shown


def test_a_long_table_ends_with_how_many_more_there_are() -> None:
    many = [result(f"S{number}") for number in range(MOST_SHOWN + 7)]
    text = checked(*many).metadata["broken"].value
    assert text.endswith("\n\nand 7 more")
    assert text.count("volumes_agree") == MOST_SHOWN


def test_every_table_with_rules_has_one_blocking_check_and_others_none() -> None:
    groups = {"ticks": ("raw_ticks", "enriched_ticks"), "baselines": ("trailing_baselines",), "bars": ("time_bars",)}
    found = quality_checks(groups, trading_date_partitions(DATE), Settings(_env_file=None))
    specs = {key: spec for check in found for key, spec in check.check_specs_by_output_name.items()}
    assert sorted(spec.asset_key.to_user_string() for spec in specs.values()) == [
        "enriched_ticks", "raw_ticks", "time_bars",
    ]  # fmt: skip
    assert {(spec.name, spec.blocking) for spec in specs.values()} == {(CHECK, True)}

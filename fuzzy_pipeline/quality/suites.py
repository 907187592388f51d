"""Quality rules held against measures by Great Expectations.

Belongs here: from rules to an expectation suite, and from its results to rule results. Importing Great Expectations
takes four seconds and happens inside the function.
"""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.quality.rules import WHY_NULL, QualityRule
from fuzzy_pipeline.schema.quality import WHOLE_DATE, Outcome, RuleResult
from fuzzy_pipeline.trading_calendar import now_eastern

if TYPE_CHECKING:
    import pandas as pd
    from great_expectations.core.batch_definition import BatchDefinition

NullReasons = Mapping[str, Mapping[str, str]]
"""Symbol -> measure -> why it is null."""

UNKNOWN_MEASURE = "the measure is null"
_NOT_MEASURED = " was not measured"
_RAISED = "judging the measure failed: "
_SYMBOL = "symbol"
_TELEMETRY = "GX_ANALYTICS_ENABLED"


def not_measured(measure: str) -> str:
    """Why a rule could not run whose measure was not recorded."""
    return f"{measure}{_NOT_MEASURED}"


def is_unjudged(result: RuleResult) -> bool:
    """Whether a rule could not run because its measure was not recorded, or judging it failed.

    Of a measure that is null for a reason there is nothing to know. Of this one there is: the data were never judged.
    """
    text = result.reason
    unknown = text == UNKNOWN_MEASURE or text.endswith(_NOT_MEASURED) or text.startswith(_RAISED)
    return result.outcome == "could_not_run" and unknown


def evaluate(
    rules: Sequence[QualityRule],
    frame: pd.DataFrame,
    trading_date: dt.date,
    *,
    null_reasons: NullReasons | None = None,
) -> list[RuleResult]:
    """Hold rules against the measures of a date.

    Parameters
    ----------
    rules : sequence of QualityRule
        Of one table, or of several whose measures are in one frame.
    frame : DataFrame
        One row per symbol, or one row ``*`` for the whole date: column ``symbol`` and the measures as numbers.
    trading_date : date
    null_reasons : mapping, optional
        Symbol -> measure -> why it is null, for the results that could not run.

    Returns
    -------
    list of RuleResult
        One per rule and symbol, in that order; one under ``*`` for a rule with ``mostly``, whose ``observed`` is the
        share of the symbols that comply and whose ``minimum`` is the share wanted. ``could_not_run`` when the measure
        is null or no column of the frame, when there is no row, or when judging it raised an error.

    Raises
    ------
    ValueError
        The frame has no column ``symbol``, or a symbol twice.
    """
    if _SYMBOL not in frame.columns or frame[_SYMBOL].duplicated().any():
        raise ValueError("the frame needs a column symbol that names each symbol once")
    judged = [rule for rule in rules if rule.measure in frame.columns]
    verdicts = _validate(judged, frame) if judged and len(frame) else {}
    dated = _Dated(trading_date, now_eastern())
    results: list[RuleResult] = []
    for rule in rules:
        verdict = verdicts.get(_key(rule))
        if not len(frame):
            results.append(dated.result(rule, WHOLE_DATE, "could_not_run", None, "there is no symbol to judge"))
        elif rule.mostly is not None:
            results.append(_of_the_date(dated, rule, frame, verdict))
        else:
            results.extend(_of_each_symbol(dated, rule, frame, verdict, null_reasons or {}))
    return results


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What an expectation said: the symbols that do not comply, or why nothing can be said."""

    complies: bool
    unexpected: frozenset[str]
    error: str = ""


def _key(rule: QualityRule) -> str:
    return f"{rule.table}.{rule.name}"


@cache
def _measures() -> BatchDefinition[Any]:
    """Where frames are judged: an ephemeral context, which writes and sends nothing. One a process: it costs 0.1 s."""
    os.environ.setdefault(_TELEMETRY, "false")
    import great_expectations as gx
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("measures").add_dataframe_asset("measures")
    return asset.add_batch_definition_whole_dataframe("date")


def _validate(rules: Sequence[QualityRule], frame: pd.DataFrame) -> dict[str, _Verdict]:
    """Run the rules as one expectation suite."""
    measures = _measures()
    import great_expectations as gx
    from great_expectations.expectations.core.expect_column_values_to_be_between import ExpectColumnValuesToBeBetween
    from great_expectations.expectations.metadata_types import FailureSeverity

    batch = measures.get_batch({"dataframe": frame})
    suite = gx.ExpectationSuite(
        "quality_rules",
        expectations=[
            ExpectColumnValuesToBeBetween(
                column=rule.measure,
                min_value=rule.minimum,
                max_value=rule.maximum,
                mostly=1.0 if rule.mostly is None else rule.mostly,
                severity=FailureSeverity.CRITICAL if rule.severity == "error" else FailureSeverity.WARNING,
                meta={"rule": _key(rule)},
            )
            for rule in rules
        ],
    )
    wanted = {"result_format": "COMPLETE", "unexpected_index_column_names": [_SYMBOL]}
    found = batch.validate(suite, result_format=wanted)
    return {one.expectation_config.meta["rule"]: _verdict(one) for one in found.results if one.expectation_config}


def _verdict(found: Any) -> _Verdict:
    raised = _raised(found.exception_info)
    if raised:
        return _Verdict(False, frozenset(), f"{_RAISED}{raised}")
    rows = found.result.get("unexpected_index_list") or []
    return _Verdict(bool(found.success), frozenset(row[_SYMBOL] for row in rows))


def _raised(info: Mapping[str, Any]) -> str:
    """Message of the first exception; an expectation has one mapping, or one per metric that it needed."""
    for one in [info] if "raised_exception" in info else info.values():
        if one["raised_exception"]:
            return str(one["exception_message"])
    return ""


@dataclass(frozen=True, slots=True)
class _Dated:
    """Date and instant that all results of one evaluation share."""

    date: dt.date
    at: dt.datetime

    def result(
        self, rule: QualityRule, symbol: str, outcome: Outcome, observed: float | None, reason: str, **bounds: Any
    ) -> RuleResult:
        """A result of a rule; its own bounds unless others are given."""
        limits = {"minimum": rule.minimum, "maximum": rule.maximum, **bounds}
        return RuleResult(
            symbol=symbol, date=self.date, rule=rule.name, table=rule.table, measure=rule.measure,
            severity=rule.severity, outcome=outcome, observed=observed, reason=reason, evaluated_at=self.at, **limits,
        )  # fmt: skip


def _measured(rule: QualityRule, frame: pd.DataFrame) -> NDArray[np.float64]:
    return frame[rule.measure].to_numpy(dtype=np.float64, na_value=np.nan)


def _why_not(rule: QualityRule, verdict: _Verdict | None) -> str:
    """Why a rule says nothing of any symbol; empty when it does."""
    return not_measured(rule.measure) if verdict is None else verdict.error


def _of_each_symbol(
    dated: _Dated, rule: QualityRule, frame: pd.DataFrame, verdict: _Verdict | None, null_reasons: NullReasons
) -> list[RuleResult]:
    symbols = [str(symbol) for symbol in frame[_SYMBOL]]
    why_not = _why_not(rule, verdict)
    if verdict is None or why_not:
        return [dated.result(rule, symbol, "could_not_run", None, why_not) for symbol in symbols]
    found = []
    for symbol, value in zip(symbols, _measured(rule, frame).tolist(), strict=True):
        if np.isnan(value):
            known = {**WHY_NULL, **null_reasons.get(symbol, {})}
            reason = known.get(rule.measure, UNKNOWN_MEASURE)
            found.append(dated.result(rule, symbol, "could_not_run", None, reason))
        else:
            outcome: Outcome = "failed" if symbol in verdict.unexpected else "passed"
            found.append(dated.result(rule, symbol, outcome, value, rule.reason))
    return found


def _of_the_date(dated: _Dated, rule: QualityRule, frame: pd.DataFrame, verdict: _Verdict | None) -> RuleResult:
    """The result of a rule with ``mostly``: its bounds are of the share of symbols that comply."""
    why_not = _why_not(rule, verdict)
    known = 0 if verdict is None or why_not else int(np.count_nonzero(~np.isnan(_measured(rule, frame))))
    bounds = {"minimum": rule.mostly, "maximum": None}
    if verdict is None or known == 0:
        reason = why_not or f"{rule.measure} is null for every symbol"
        return dated.result(rule, WHOLE_DATE, "could_not_run", None, reason, **bounds)
    outcome: Outcome = "passed" if verdict.complies else "failed"
    return dated.result(rule, WHOLE_DATE, outcome, 1 - len(verdict.unexpected) / known, rule.reason, **bounds)

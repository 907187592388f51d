"""The check that all symbols of the settings are ranked."""

from __future__ import annotations

import datetime as dt

import dagster as dg
import pytest

from fuzzy_pipeline.assets.rankings import COMPLETE_CHECK, complete_check
from fuzzy_pipeline.schema.rankings import RANKINGS_TABLE
from fuzzy_pipeline.steps.rank_symbols import RANKING_TABLES
from fuzzy_pipeline.steps.run_date import DateReport
from fuzzy_pipeline.steps.step import StepResult
from tests.unit.steps.planted_rows import row

DATE = dt.date(2025, 11, 26)


@pytest.mark.parametrize("computed", [True, False])
@pytest.mark.parametrize(("missing", "passed"), [("BBB, CCC", False), ("", True)])
def test_symbols_that_are_missing_are_a_warning_that_names_them(missing: str, passed: bool, computed: bool) -> None:
    notes = {"missing": missing} if missing else {}
    rows = [row(table, symbol, DATE, notes=notes) for symbol in ("AAA", "BBB", "CCC") for table in RANKING_TABLES]
    report = DateReport(RANKING_TABLES, DATE)
    if computed:
        report.committed = [StepResult((made,)) for made in rows]
    else:
        report.skipped = rows  # a run that found nothing to do warns as well
    found = complete_check(report)
    assert (found.check_name, found.asset_key) == (COMPLETE_CHECK, dg.AssetKey(RANKINGS_TABLE))
    assert (found.passed, found.severity) == (passed, dg.AssetCheckSeverity.WARN)
    shown = {name: value.value for name, value in found.metadata.items()}
    assert shown == {"symbols": 3} | ({"missing": missing} if missing else {})

"""The last asset of a date: the report a person reads, and the run's failure when a symbol has no result."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from fuzzy_pipeline.query.coverage import day_coverage
from fuzzy_pipeline.report import DateQualityReport, gather_date, reports_folder, write_date_report
from fuzzy_pipeline.resources.pipeline import SettingsResource, StoreResource
from fuzzy_pipeline.resources.run_tags import tagged_symbols
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.stores.store import Store

REPORT_ASSET = "date_report"

TEXT = """
One page for a person: the verdict of the date, what needs somebody, symbols and checks, gaps, distributions, rows set
aside, and the last 30 dates. Self-contained HTML under the home's `reports` folder, and the same as JSON.

It is written whatever happened to the symbols; then, when one of them failed, the run fails here and names it.
"""


def date_report_asset(partitions: dg.TimeWindowPartitionsDefinition, tables: Sequence[str]) -> dg.AssetsDefinition:
    """``date_report``, after the tables named: those that nothing else of the date waits for."""

    @dg.asset(
        name=REPORT_ASSET,
        group_name="report",
        description=TEXT,
        kinds={"python"},
        deps=list(tables),
        partitions_def=partitions,
    )
    def date_report(
        context: dg.AssetExecutionContext, settings: SettingsResource, store: StoreResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        chosen, date = settings.open(), dt.date.fromisoformat(context.partition_key)
        symbols = tagged_symbols(context.run.tags) or chosen.symbols
        with store.open() as opened:
            page, report = written(opened, chosen, date)
            why = failure_text(opened, chosen, date, symbols)
        metadata = report_metadata(page, report)
        if why is not None:
            context.log_event(dg.AssetObservation(REPORT_ASSET, metadata=metadata, partition=context.partition_key))
            raise dg.Failure(description=why, allow_retries=False)
        return dg.MaterializeResult(metadata=metadata)

    return date_report


def written(store: Store, settings: Settings, date: dt.date) -> tuple[Path, DateQualityReport]:
    """The report of a date, written where reports are."""
    report = gather_date(store, settings, date)
    return write_date_report(reports_folder(settings), report), report


def report_metadata(page: Path, report: DateQualityReport) -> Mapping[str, Any]:
    """What the web UI shows of a report: the verdict and where the page is."""
    return {
        "verdict": report.verdict,
        "why": report.sentence,
        "page": dg.MetadataValue.path(page.absolute()),  # browsers block file:// links of an http page
        "command": f"fuzzy report {report.date} --open",
        "errors": sum(finding.severity == "error" and finding.outcome == "failed" for finding in report.findings),
        "warnings": sum(finding.severity == "warning" and finding.outcome == "failed" for finding in report.findings),
    }


def failure_text(store: Store, settings: Settings, date: dt.date, symbols: Sequence[str]) -> str | None:
    """Every one of the symbols with a failure that was not mended, the one furthest upstream; None without any.

    The others count as stored when all their tables are, or were until they were retired.
    """
    tables = pipeline_tables(settings)
    days = day_coverage(store, [date], symbols, tables)
    lines = [
        f"  {symbol}: {day.cause.table}: {day.cause.error_type}: {day.cause.reason}"
        for (symbol, _), day in days.items()
        if day.cause is not None
    ]
    if not lines:
        return None
    states = Counter(day.state(tables) for day in days.values())
    stored = states["complete"] + states["retired"]
    lacking = states["partial"] + states["missing"]
    others = f"{stored} are stored" + (f", {lacking} lack tables" if lacking else "")
    return f"{date}: {len(lines)} of {len(days)} symbols failed, {others}\n" + "\n".join(lines)

"""The last asset of a date: the report a person reads, and the run's failure when a symbol has no result."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from fuzzy_pipeline.query.coverage import DayCoverage, day_coverage
from fuzzy_pipeline.report import DateReport, gather_date, reports_folder, write_date_report
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
            failed = failed_symbols(opened, chosen, date, symbols)
        metadata = report_metadata(page, report)
        if failed:
            context.log_event(dg.AssetObservation(REPORT_ASSET, metadata=metadata, partition=context.partition_key))
            raise dg.Failure(description=failure_text(date, symbols, failed), allow_retries=False)
        return dg.MaterializeResult(metadata=metadata)

    return date_report


def written(store: Store, settings: Settings, date: dt.date) -> tuple[Path, DateReport]:
    """The report of a date, written where reports are."""
    report = gather_date(store, settings, date)
    return write_date_report(reports_folder(settings), report), report


def report_metadata(page: Path, report: DateReport) -> Mapping[str, Any]:
    """What the web UI shows of a report: the verdict and where the page is."""
    return {
        "verdict": report.verdict,
        "why": report.sentence,
        "page": dg.MetadataValue.url(page.absolute().as_uri()),
        "command": f"fuzzy report {report.date} --open",
        "errors": sum(finding.severity == "error" and finding.outcome == "failed" for finding in report.findings),
        "warnings": sum(finding.severity == "warning" and finding.outcome == "failed" for finding in report.findings),
    }


def failed_symbols(store: Store, settings: Settings, date: dt.date, symbols: Sequence[str]) -> dict[str, DayCoverage]:
    """Those of the symbols with a failure that was not mended, by name."""
    days = day_coverage(store, [date], symbols, pipeline_tables(settings))
    return {symbol: day for (symbol, _), day in days.items() if day.cause is not None}


def failure_text(date: dt.date, symbols: Sequence[str], failed: Mapping[str, DayCoverage]) -> str:
    """Every failed symbol with the failure furthest upstream."""
    lines = [
        f"  {symbol}: {day.cause.table}: {day.cause.error_type}: {day.cause.reason}"
        for symbol, day in failed.items()
        if day.cause is not None
    ]
    stored = len(symbols) - len(failed)
    return f"{date}: {len(failed)} of {len(symbols)} symbols failed, {stored} are stored\n" + "\n".join(lines)

"""From a step to an asset: one factory for all of them.

Belongs here: what every asset does alike: choose symbols, run the step, report, fail when it must.
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from fuzzy_pipeline.assets.reports import materialization_metadata, table_schema
from fuzzy_pipeline.errors import SymbolDaysFailed
from fuzzy_pipeline.resources.pipeline import EngineResource, SettingsResource
from fuzzy_pipeline.schema.tables import Table
from fuzzy_pipeline.settings import check_symbols, parse_symbols
from fuzzy_pipeline.steps.run_date import DateReport, run_date
from fuzzy_pipeline.steps.step import Step
from fuzzy_pipeline.stores.store import Store

SYMBOLS_TAG = "fuzzy/symbols"
FORCE_TAG = "fuzzy/force"
STORED_CHECK = "every_symbol_stored"

Picture = Callable[[Store, DateReport], Mapping[str, Any]]
"""More metadata for the web UI, read from the store after the step."""


def step_asset(
    step: Step,
    partitions: dg.PartitionsDefinition[str],
    *,
    group: str,
    description: str,
    kinds: set[str],
    deps: Sequence[str] = (),
    table: Table | None = None,
    picture: Picture | None = None,
) -> dg.AssetsDefinition:
    """An asset that runs a step over the symbols of its partition's date.

    The run tag ``fuzzy/symbols`` (``AAPL,MSFT``) limits a run to some symbols, ``fuzzy/force`` computes again what is
    current. A failed symbol never stops the others: assets downstream in the run go on with those that are stored,
    and the run's last assets fail, naming every symbol without result and why.
    """

    @dg.asset(
        name=step.table,
        group_name=group,
        description=description,
        kinds=kinds,
        deps=list(deps),
        partitions_def=partitions,
        metadata={"dagster/column_schema": table_schema(table)} if table else {},
        check_specs=[
            dg.AssetCheckSpec(
                STORED_CHECK,
                asset=step.table,
                description="Every symbol of the date is stored; failed ones are named with their reasons.",
            )
        ],
    )
    def asset(
        context: dg.AssetExecutionContext, settings: SettingsResource, engine: EngineResource
    ) -> dg.MaterializeResult:  # type: ignore[type-arg]
        chosen = settings.open()
        date = dt.date.fromisoformat(context.partition_key)
        symbols = tagged_symbols(context.run.tags) or chosen.symbols
        force = context.run.tags.get(FORCE_TAG) == "true"
        report = run_date(step, date, symbols, chosen, engine.open(), force=force)
        metadata = materialization_metadata(report, chosen, picture)
        if report.failed and is_last_of_run(context):
            context.log_event(dg.AssetObservation(step.table, metadata=metadata, partition=context.partition_key))
            _fail(report)
        return dg.MaterializeResult(metadata=metadata, check_results=[stored_check(report)])

    return asset


def tagged_symbols(tags: Mapping[str, str]) -> tuple[str, ...]:
    """Symbols a run is limited to; empty when it is not."""
    text = tags.get(SYMBOLS_TAG, "")
    return check_symbols(parse_symbols(text)) if text.strip() else ()


def is_last_of_run(context: dg.AssetExecutionContext) -> bool:
    """Whether no other asset of the run depends on this one."""
    layer = context.job_def.asset_layer
    children = layer.asset_graph.get(context.asset_key).child_keys
    return not any(key in layer.executable_asset_keys for key in children)


def stored_check(report: DateReport) -> dg.AssetCheckResult:
    """Result of ``every_symbol_stored``: an error that names the failed symbols, but stops nothing downstream."""
    return dg.AssetCheckResult(
        check_name=STORED_CHECK,
        passed=not report.failed,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={symbol: f"{failure.error_type}: {failure.reason}" for symbol, failure in report.failed.items()},
    )


def _fail(report: DateReport) -> None:
    try:
        report.raise_if_failed()
    except SymbolDaysFailed as error:
        raise dg.Failure(
            description=str(error),
            metadata={
                symbol: dg.MetadataValue.md(f"```\n{failure.traceback}\n```")
                for symbol, failure in report.failed.items()
            },
            allow_retries=False,
        ) from error

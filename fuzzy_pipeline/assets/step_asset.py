"""From a step to an asset: one factory for all of them.

Belongs here: what every asset does alike: choose symbols, run the step, report, fail when it must.
"""

import datetime as dt
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import dagster as dg

from fuzzy_pipeline.assets.partitions import dates_back
from fuzzy_pipeline.assets.reports import materialization_metadata, table_schema
from fuzzy_pipeline.errors import SymbolDaysFailed
from fuzzy_pipeline.resources.pipeline import EngineResource, SettingsResource
from fuzzy_pipeline.resources.run_start import begin
from fuzzy_pipeline.resources.run_tags import is_forced, is_refetch, tagged_symbols
from fuzzy_pipeline.schema.tables import Table
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.run_date import DateReport, run_date
from fuzzy_pipeline.steps.step import Step, reads_source
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.store import Store

STORED_CHECK = "every_symbol_stored"

Picture = Callable[[Store, DateReport, str], Mapping[str, Any]]
"""More metadata of a table's asset for the web UI, read from the store after the step."""


@dataclass(frozen=True, slots=True)
class AssetText:
    """What the web UI says of one table's asset: description, kinds, columns and further metadata."""

    description: str
    kinds: frozenset[str]
    table: Table | None = None
    picture: Picture | None = None
    is_of_content: bool = True
    """Whether equal content gives equal pictures, which are then not drawn again."""


def step_asset(
    step: Step,
    partitions: dg.TimeWindowPartitionsDefinition,
    *,
    group: str,
    texts: Mapping[str, AssetText],
) -> dg.AssetsDefinition:
    """The assets of a step, one a table, which it makes in one pass over the symbols of its partition's date.

    The run tag ``fuzzy/symbols`` (``AAPL,MSFT``) limits a run to some symbols, ``fuzzy/force`` computes again what is
    current, ``fuzzy/refetch`` only asks the source again. A failed symbol never stops the others: assets downstream
    in the run go on with those that are stored, and the run's last assets fail, naming every symbol without result and
    why. What looks back depends on partitions of earlier trading dates.
    """
    specs = [
        table_spec(table, partitions, group=group, text=texts[table], deps=dependencies(step, table))
        for table in step.tables
    ]
    checks = [stored_check_spec(table, partitions) for table in step.tables]

    @dg.multi_asset(name=step.name, specs=specs, check_specs=checks, can_subset=len(specs) > 1)
    def asset(
        context: dg.AssetExecutionContext, settings: SettingsResource, engine: EngineResource
    ) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
        chosen = settings.open()
        begin(context.run, chosen)
        date = dt.date.fromisoformat(context.partition_key)
        symbols = tagged_symbols(context.run.tags) or chosen.symbols
        selected = {key.to_user_string() for key in context.selected_asset_keys}
        tables = tuple(table for table in step.tables if table in selected)
        force = is_forced(context.run.tags) or (reads_source(step) and is_refetch(context.run.tags))
        report = run_date(step, date, symbols, chosen, engine.open(), tables=tables, force=force)
        yield from materialized(context, report, chosen, texts)

    return asset


def materialized(
    context: dg.AssetExecutionContext, report: DateReport, settings: Settings, texts: Mapping[str, AssetText]
) -> Iterator[dg.MaterializeResult]:  # type: ignore[type-arg]
    """A result for each table of a report, with its metadata and ``every_symbol_stored``.

    Raises
    ------
    dagster.Failure
        Symbols failed, and no other asset of the run depends on these: the run must not end well.
    """
    described = {table: _described(context, report, table, settings, texts[table]) for table in report.tables}
    if report.failed and is_last_of_run(context, {key.to_user_string() for key in context.selected_asset_keys}):
        for table, metadata in described.items():
            context.log_event(dg.AssetObservation(table, metadata=metadata, partition=context.partition_key))
        _fail(report)
    checked = {key.asset_key.to_user_string() for key in context.selected_asset_check_keys}
    for table, metadata in described.items():
        results = [stored_check(report, table)] if table in checked else []
        yield dg.MaterializeResult(asset_key=table, metadata=metadata, check_results=results)


def table_spec(
    table: str,
    partitions: dg.TimeWindowPartitionsDefinition,
    *,
    group: str,
    text: AssetText,
    deps: Sequence[dg.AssetDep],
) -> dg.AssetSpec:
    """One table as an asset."""
    return dg.AssetSpec(
        table,
        group_name=group,
        description=text.description,
        kinds=set(text.kinds),
        deps=deps,
        partitions_def=partitions,
        metadata={"dagster/column_schema": table_schema(text.table)} if text.table else {},
    )


def stored_check_spec(table: str, partitions: dg.PartitionsDefinition[str]) -> dg.AssetCheckSpec:
    """The check ``every_symbol_stored`` of a table."""
    return dg.AssetCheckSpec(
        STORED_CHECK,
        asset=table,
        description="Every symbol of the date is stored; failed ones are named with their reasons.",
        partitions_def=partitions,
    )


CONTENT = "content"
"""Metadata entry: the hash of what is stored of the date, which pictures were drawn of."""


def _described(
    context: dg.AssetExecutionContext, report: DateReport, table: str, settings: Settings, text: AssetText
) -> dict[str, Any]:
    """Metadata of a table; pictures of content that was shown already are shown again instead of drawn anew."""
    content = date_hash(report.rows(table))
    shown = _shown_before(context, table, content) if text.is_of_content else None
    metadata = materialization_metadata(report, table, settings, text.picture if shown is None else None)
    return (
        metadata | {CONTENT: content} | {name: value for name, value in (shown or {}).items() if name not in metadata}
    )


def date_hash(rows: Sequence[ManifestRow]) -> str:
    """One hash of what is stored of a date: equal when every symbol's content is."""
    text = ",".join(sorted(f"{row.symbol}={row.content_hash}" for row in rows))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _shown_before(context: dg.AssetExecutionContext, table: str, content: str) -> Mapping[str, Any] | None:
    """Metadata of the partition's latest materialization when it was of this content, else None."""
    filter_ = dg.AssetRecordsFilter(dg.AssetKey(table), asset_partitions=[context.partition_key])
    records = context.instance.fetch_materializations(filter_, limit=1).records
    event = records[0].asset_materialization if records else None
    if event is None or event.metadata.get(CONTENT) != dg.MetadataValue.text(content):
        return None
    pictures = {name: value for name, value in event.metadata.items() if isinstance(value, dg.MarkdownMetadataValue)}
    pictures.pop("failures", None)  # whoever failed then is stored now, or fails again
    return pictures


def dependencies(step: Step, table: str) -> list[dg.AssetDep]:
    """Inputs of the same date, and earlier trading dates where a table looks back, holidays skipped."""
    history = step.history(table)
    return [
        dg.AssetDep(name, partition_mapping=dates_back(history[name], with_own=name in step.inputs))
        if name in history
        else dg.AssetDep(name)
        for name in dict.fromkeys((*step.inputs, *history))
    ]


def is_last_of_run(context: dg.AssetExecutionContext | dg.OpExecutionContext, tables: Set[str]) -> bool:
    """Whether no other asset of the run depends on one of these."""
    layer = context.job_def.asset_layer
    children = {key for table in tables for key in layer.asset_graph.get(dg.AssetKey(table)).child_keys}
    return not any(key in layer.executable_asset_keys for key in children if key.to_user_string() not in tables)


def stored_check(report: DateReport, table: str) -> dg.AssetCheckResult:
    """Result of ``every_symbol_stored``: an error that names the failed symbols, but stops nothing downstream."""
    failed = report.failed_in(table)
    stored = len({row.symbol for row in report.rows(table)} - set(failed))  # rankings have a row of who is missing too
    reasons = {symbol: f"{failure.error_type}: {failure.reason}" for symbol, failure in failed.items()}
    return dg.AssetCheckResult(
        check_name=STORED_CHECK,
        asset_key=table,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"symbols": stored + len(failed), "stored": stored, **reasons},
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

"""The assets that compare symbols: rankings and pair correlations of a date."""

import datetime as dt
from collections.abc import Iterator

import dagster as dg

from fuzzy_pipeline.assets.partitions import dates_back
from fuzzy_pipeline.assets.pictures import correlation_picture, rank_pictures
from fuzzy_pipeline.assets.step_asset import AssetText, materialized, stored_check_spec, table_spec
from fuzzy_pipeline.resources.pipeline import SettingsResource
from fuzzy_pipeline.resources.run_start import begin
from fuzzy_pipeline.resources.run_tags import is_forced
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.rankings import PAIRS_TABLE, RANKINGS_TABLE
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.rank_symbols import EARLIER_DATES, RANKING_TABLES, rank_date, ranking_inputs
from fuzzy_pipeline.steps.run_date import DateReport

COMPLETE_CHECK = "universe_is_complete"

TEXTS = {
    RANKINGS_TABLE: AssetText(
        "Rank and percentile of every symbol among those of the date, its changes, and how it moves with the benchmark "
        "and the ETF of its sector. A symbol of the settings without a day record is listed as missing.",
        frozenset({"python", "parquet"}),
        picture=rank_pictures,
    ),
    PAIRS_TABLE: AssetText(
        "Correlation of the 5-minute returns of every pair of symbols, with the number of returns both have.",
        frozenset({"numba", "parquet"}),
        picture=correlation_picture,
    ),
}


def ranking_assets(partitions: dg.TimeWindowPartitionsDefinition, settings: Settings) -> dg.AssetsDefinition:
    """``cross_symbol_rankings`` and ``pair_correlations``, over all symbols of the settings.

    A run limited to some symbols (tag ``fuzzy/symbols``) ranks all that are stored too: places are among all.
    """
    deps = {table: dg.AssetDep(table) for table in ranking_inputs(settings)}
    deps[PHASE1_TABLE] = dg.AssetDep(PHASE1_TABLE, partition_mapping=dates_back(EARLIER_DATES, with_own=True))
    specs = [
        table_spec(table, partitions, group="rankings", text=TEXTS[table], deps=[*deps.values()])
        for table in RANKING_TABLES
    ]
    complete = dg.AssetCheckSpec(
        COMPLETE_CHECK,
        asset=RANKINGS_TABLE,
        description="Every symbol of the settings has a day record to be ranked by.",
        partitions_def=partitions,
    )
    checks = [complete, *(stored_check_spec(table, partitions) for table in RANKING_TABLES)]

    @dg.multi_asset(name="rankings", specs=specs, check_specs=checks)
    def rankings(
        context: dg.AssetExecutionContext, settings: SettingsResource
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:  # type: ignore[type-arg]
        chosen = settings.open()
        begin(context.run, chosen)
        date = dt.date.fromisoformat(context.partition_key)
        report = rank_date(date, chosen, force=is_forced(context.run.tags))
        yield complete_check(report)
        yield from materialized(context, report, chosen, TEXTS)

    return rankings


def complete_check(report: DateReport) -> dg.AssetCheckResult:
    """A warning that names the symbols of the settings that could not be ranked."""
    missing = next((row.notes.get("missing", "") for row in report.rows(RANKINGS_TABLE)), "")
    return dg.AssetCheckResult(
        check_name=COMPLETE_CHECK,
        asset_key=RANKINGS_TABLE,
        passed=not missing,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"symbols": len(report.rows(RANKINGS_TABLE))} | ({"missing": missing} if missing else {}),
    )

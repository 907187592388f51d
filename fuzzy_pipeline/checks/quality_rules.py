"""Asset checks: the quality rules of each table, on what is stored of a date."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence

import dagster as dg

from fuzzy_pipeline.assets.reports import markdown_table
from fuzzy_pipeline.assets.step_asset import is_last_of_run
from fuzzy_pipeline.quality.rules import quality_rules
from fuzzy_pipeline.resources.pipeline import SettingsResource, StoreResource
from fuzzy_pipeline.schema.quality import RuleResult
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.judge_date import Judgement, described, judge, outcome_counts

CHECK = "quality_rules"
MOST_SHOWN = 50


def quality_checks(
    groups: Mapping[str, Sequence[str]], partitions: dg.PartitionsDefinition[str], settings: Settings
) -> list[dg.AssetChecksDefinition]:
    """The check ``quality_rules`` of each table that has rules; those of one group (name -> tables) in one op."""
    ruled = {rule.table for rule in quality_rules(settings.quality)}
    found = {name: [table for table in tables if table in ruled] for name, tables in groups.items()}
    return [quality_check(name, tables, partitions) for name, tables in found.items() if tables]


def quality_check(
    name: str, tables: Sequence[str], partitions: dg.PartitionsDefinition[str]
) -> dg.AssetChecksDefinition:
    """``quality_rules`` of some tables.

    A rule of severity error that is about the whole date stops everything downstream. One that is about a symbol stops
    that symbol downstream, where it is named as failed, and lets the others go on; on a run's last assets, where
    nothing is left to name it, the check itself fails the run.
    """
    specs = [
        dg.AssetCheckSpec(
            CHECK,
            asset=table,
            blocking=True,
            partitions_def=partitions,
            description=f"The quality rules about {table} on every symbol of the date; failing symbols are named.",
        )
        for table in tables
    ]

    @dg.multi_asset_check(name=f"{name}_{CHECK}", specs=specs, can_subset=True)
    def check(
        context: dg.AssetCheckExecutionContext, settings: SettingsResource, store: StoreResource
    ) -> Iterator[dg.AssetCheckResult]:
        date = dt.date.fromisoformat(context.partition_key)
        chosen = {key.asset_key.to_user_string() for key in context.selected_asset_check_keys}
        with store.open() as opened:
            for table in (table for table in tables if table in chosen):
                judgement = judge(opened, settings.open(), table, date, again=False)
                yield check_result(judgement, last=is_last_of_run(context.op_execution_context, {table}))

    return check


def check_result(judgement: Judgement, *, last: bool) -> dg.AssetCheckResult:
    """What the web UI shows of a judgement; ``last``: nothing downstream in the run would name a stopped symbol."""
    errors, warnings = judgement.failed("error"), judgement.failed("warning")
    lists = {"broken": [*errors, *warnings], "not_judged": judgement.could_not_run}
    stops = judgement.stops_the_date or (last and bool(judgement.stopped))
    return dg.AssetCheckResult(
        check_name=CHECK,
        asset_key=judgement.table,
        passed=not errors and not warnings,
        severity=dg.AssetCheckSeverity.ERROR if stops else dg.AssetCheckSeverity.WARN,
        metadata={
            **outcome_counts(judgement.results),
            "stopped": ", ".join(judgement.stopped) or "no symbol",
            **{name: dg.MetadataValue.md(_table(results)) for name, results in lists.items() if results},
        },
    )


def _table(results: Sequence[RuleResult]) -> str:
    lines = [[one.symbol, one.severity, described(one)] for one in results[:MOST_SHOWN]]
    more = f"\n\nand {len(results) - MOST_SHOWN} more" if len(results) > MOST_SHOWN else ""
    return markdown_table(["symbol", "severity", "rule"], lines) + more

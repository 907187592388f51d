"""Conservation: no tick is lost or doubled between what the source sent and what bars hold."""

import datetime as dt

import dagster as dg

from fuzzy_pipeline.resources.pipeline import StoreResource
from fuzzy_pipeline.resources.run_tags import tagged_symbols
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, OFFICIAL_PRINTS, QUARANTINE, RAW_TICKS
from fuzzy_pipeline.stores.store import Store


def lost_ticks(store: Store, date: dt.date) -> dict[str, str]:
    """Symbol -> what does not add up on a date; empty when everything does.

    rows in = raw ticks + quarantined + official prints, and raw ticks = enriched ticks; the light tables are counted,
    not taken from the manifest's word.
    """
    enriched = {row.symbol: row for row in store.manifest.rows(ENRICHED_TICKS.name, [date])}
    held = {name: _rows_by_symbol(store, name, date) for name in (QUARANTINE.name, OFFICIAL_PRINTS.name)}
    problems: dict[str, str] = {}
    for raw in store.manifest.rows(RAW_TICKS.name, [date]):
        aside, official = (held[name].get(raw.symbol, 0) for name in held)
        if raw.rows_in != raw.rows + aside + official:
            problems[raw.symbol] = f"{raw.rows_in} in, {raw.rows} stored + {aside} set aside + {official} official"
        elif raw.symbol in enriched and enriched[raw.symbol].rows != raw.rows:
            problems[raw.symbol] = f"{raw.rows} raw ticks, {enriched[raw.symbol].rows} enriched ticks"
    return problems


def _rows_by_symbol(store: Store, table: str, date: dt.date) -> dict[str, int]:
    rows = store.light.read(table, dates=[date])
    if rows is None:
        return {}
    counts = rows.group_by("symbol").aggregate([([], "count_all")])
    return dict(zip(counts["symbol"].to_pylist(), counts["count_all"].to_pylist(), strict=True))


def conservation_check(partitions: dg.PartitionsDefinition[str]) -> dg.AssetChecksDefinition:
    """``ticks_are_conserved`` on enriched ticks; an error stops what is downstream."""

    @dg.asset_check(
        asset=ENRICHED_TICKS.name,
        name="ticks_are_conserved",
        blocking=True,
        partitions_def=partitions,
        description="Rows in = enriched + quarantined + official prints, for every symbol of the date.",
    )
    def ticks_are_conserved(context: dg.AssetCheckExecutionContext, store: StoreResource) -> dg.AssetCheckResult:
        with store.open() as opened:
            problems = lost_ticks(opened, dt.date.fromisoformat(context.partition_key))
        limited = tagged_symbols(context.run.tags)
        if limited:  # a run of some symbols must not fail for others
            problems = {symbol: problem for symbol, problem in problems.items() if symbol in limited}
        return dg.AssetCheckResult(passed=not problems, severity=dg.AssetCheckSeverity.ERROR, metadata=problems)

    return ticks_are_conserved

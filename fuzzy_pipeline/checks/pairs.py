"""Asset check: every pair of ranked symbols is there, once."""

import datetime as dt

import dagster as dg

from fuzzy_pipeline.resources.sql import SqlResource
from fuzzy_pipeline.schema.rankings import PAIRS_TABLE

QUERY = """
SELECT
  (SELECT count(*) FROM cross_symbol_rankings WHERE date = $1 AND NOT is_missing) AS symbols,
  (SELECT count(*) FROM pair_correlations WHERE date = $1) AS pairs,
  (SELECT count(DISTINCT (symbol_a, symbol_b)) FROM pair_correlations WHERE date = $1 AND symbol_a < symbol_b) AS good
"""


def pairs_check(partitions: dg.PartitionsDefinition[str]) -> dg.AssetChecksDefinition:
    """``every_pair_once``: n ranked symbols have n·(n − 1)/2 pairs, in alphabetical order and none twice."""

    @dg.asset_check(
        asset=PAIRS_TABLE,
        additional_deps=["cross_symbol_rankings"],
        name="every_pair_once",
        partitions_def=partitions,
        description="n ranked symbols have n·(n − 1)/2 pairs, each once.",
    )
    def every_pair_once(context: dg.AssetCheckExecutionContext, sql: SqlResource) -> dg.AssetCheckResult:
        with sql.open() as connection:
            found = connection.query(QUERY, [dt.date.fromisoformat(context.partition_key)])
        row = {name: int(found[name].iloc[0]) for name in ("symbols", "pairs", "good")}
        expected = row["symbols"] * (row["symbols"] - 1) // 2
        return dg.AssetCheckResult(
            passed=row["pairs"] == row["good"] == expected,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={**row, "expected": expected},
        )

    return every_pair_once

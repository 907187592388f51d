"""Columns of the light tables that SQL shows without rows: nothing in quarantine is an answer, not an error."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from fuzzy_pipeline.schema import tables
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE, TrailingBaselines
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE, DayMetadataPhase2
from fuzzy_pipeline.schema.quality import CHECK_RESULTS_TABLE, QUALITY_TABLE, QualityMeasures, RuleResult
from fuzzy_pipeline.schema.quarantine import DECISIONS_TABLE, QUARANTINE_RELEASED, QuarantineDecision
from fuzzy_pipeline.schema.rankings import PAIRS_TABLE, RANKINGS_TABLE, CrossSymbolRanking, PairCorrelation
from fuzzy_pipeline.schema.records import arrow_schema_of
from fuzzy_pipeline.schema.tables import Table, arrow_schema
from fuzzy_pipeline.stores.manifest import FailureRow, ManifestRow

WITHOUT_MANIFEST = frozenset({CHECK_RESULTS_TABLE})
"""Tables whose rows are statements about what is committed, and visible as soon as they are written."""

DECLARED: Mapping[str, pa.Schema] = {
    PHASE1_TABLE: arrow_schema_of(DayMetadataPhase1),
    PHASE2_TABLE: arrow_schema_of(DayMetadataPhase2),
    BASELINES_TABLE: arrow_schema_of(TrailingBaselines),
    RANKINGS_TABLE: arrow_schema_of(CrossSymbolRanking),
    # Light rows are found by their symbol: of a pair that is the first of the two.
    PAIRS_TABLE: arrow_schema_of(PairCorrelation).insert(0, pa.field("symbol", pa.string())),
    QUALITY_TABLE: arrow_schema_of(QualityMeasures),
    CHECK_RESULTS_TABLE: arrow_schema_of(RuleResult),
    DECISIONS_TABLE: arrow_schema_of(QuarantineDecision),
    QUARANTINE_RELEASED.name: arrow_schema(QUARANTINE_RELEASED),
    "manifest": arrow_schema_of(ManifestRow),
    "failures": arrow_schema_of(FailureRow),
} | {
    table.name: arrow_schema(table)
    for table in vars(tables).values()
    if isinstance(table, Table) and table.tier == "light"
}

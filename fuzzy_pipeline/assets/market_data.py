"""The assets: raw ticks, enriched ticks, bars of each family, day metadata.

Belongs here: which assets there are, what they depend on and what their pages in the web UI say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from fuzzy_pipeline.assets.reports import bar_pictures, day_table, markdown_table, tick_preview
from fuzzy_pipeline.assets.step_asset import step_asset
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS, TIME_BARS
from fuzzy_pipeline.steps.build_bars import TimeBarsStep
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.run_date import DateReport
from fuzzy_pipeline.stores.store import Store

RAW_TICKS_TEXT = """
Ticks of every symbol as the source gave them: IQFeed's 14 fields, in arrival order.

Every row is accounted for: rows in = rows stored + official prints + rows set aside in `quarantine` with the rule
they broke. Rows that soft rules find are kept and listed in `tick_flags`.
"""

ENRICHED_TICKS_TEXT = """
Ticks with quote, trade sign, return, session and eligibility columns (42), in stable time order.

Trade sign is Lee-Ready with the quote at the trade; auction, average-price, derivatively priced and late prints have
no aggressor and get 0.
"""

TIME_BARS_TEXT = """
Time bars of all intervals, anchored on the session open: 63 columns of prices, order flow, spreads and participants.

The closing auction joins the last bar. Before a symbol is stored, the shares of every interval are proven equal to
the shares of its counted ticks.
"""

PHASE1_TEXT = """
One record per symbol and date: basic statistics and hourly evolution of the regular session.

Fields that cannot be computed are null, with the reason under `null_reasons`.
"""


def ingest_tables(_: Store, report: DateReport) -> Mapping[str, Any]:
    """Rows set aside and flagged by rule, over all symbols computed in this run."""
    lines = [
        [result.row.symbol, kind, rule, f"{count:,}"]
        for result in report.committed
        for kind in ("set_aside", "flagged")
        for rule, count in result.shown[kind].items()
    ]
    table = markdown_table(["symbol", "kind", "rule", "rows"], lines) if lines else "No row broke any rule."
    return {"rules": dg.MetadataValue.md(table)}


def market_data_assets(partitions: dg.PartitionsDefinition[str]) -> list[dg.AssetsDefinition]:
    """All assets, in the order the data flow."""
    return [
        step_asset(
            IngestStep(),
            partitions,
            group="ticks",
            description=RAW_TICKS_TEXT,
            kinds={"python", "arcticdb"},
            table=RAW_TICKS,
            picture=ingest_tables,
        ),
        step_asset(
            EnrichStep(),
            partitions,
            group="ticks",
            description=ENRICHED_TICKS_TEXT,
            kinds={"numba", "arcticdb"},
            deps=[RAW_TICKS.name],
            table=ENRICHED_TICKS,
            picture=tick_preview,
        ),
        step_asset(
            TimeBarsStep(),
            partitions,
            group="bars",
            description=TIME_BARS_TEXT,
            kinds={"numba", "arcticdb"},
            deps=[ENRICHED_TICKS.name],
            table=TIME_BARS,
            picture=bar_pictures,
        ),
        step_asset(
            DayMetadataPhase1Step(),
            partitions,
            group="day_metadata",
            description=PHASE1_TEXT,
            kinds={"python", "parquet"},
            deps=[ENRICHED_TICKS.name],
            picture=day_table,
        ),
    ]

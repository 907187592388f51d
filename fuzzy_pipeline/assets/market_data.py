"""The assets made a symbol at a time: raw ticks, enriched ticks, bars of each family, day metadata.

Belongs here: which assets there are, what they depend on and what their pages in the web UI say.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import dagster as dg

from fuzzy_pipeline.assets.pictures import baselines_table, day_pictures, phase2_table, quality_table
from fuzzy_pipeline.assets.reports import bar_pictures, markdown_table, tick_preview
from fuzzy_pipeline.assets.step_asset import AssetText, step_asset
from fuzzy_pipeline.bar_settings import FamilyName
from fuzzy_pipeline.bars.registry import FAMILIES
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE
from fuzzy_pipeline.schema.quality import QUALITY_TABLE
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.pipeline import pipeline_steps
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

BARS_TEXT = """
Every counted tick of the session is in exactly one bar of each series; bars never cross a session. 65 columns of
prices, order flow, spreads and participants. Before a symbol is stored, the shares of every series are proven equal
to the shares of its counted ticks.
"""

FAMILY_TEXTS: dict[FamilyName, str] = {
    "time": "Time bars of all intervals, anchored on the session open; the closing auction joins the last bar.",
    "tick": "Tick bars: every N counted ticks.",
    "volume": "Volume bars: the print that reaches N shares closes the bar, whole.",
    "dollar": "Dollar bars: the print that reaches N dollars closes the bar, whole.",
    "imbalance": "Imbalance bars: closed when buying and selling differ by more than was to be expected (or by a fixed "
    "amount or share), with guards against collapse and explosion. The expectation comes from the trading date before.",
    "run": "Run bars: closed when one side has traded more than was to be expected, with the guards of imbalance bars. "
    "The expectation comes from the trading date before.",
    "volatility": "Volatility bars: closed when the cumulated squared log return reaches its quantum.",
    "range": "Range bars: closed when high − low reaches R.",
    "renko": "Renko bars: bricks of integer price steps; a reversal needs two. The grid comes from the trading date "
    "before.",
}

PHASE1_TEXT = """
One record per symbol and date, of its own ticks alone: basic statistics, spreads, sides, liquidity, execution, hours,
venues, data quality of the regular session.

Fields that cannot be computed are null, with the reason under `null_reasons`.
"""

QUALITY_TEXT = """
How far a symbol's date can be trusted: what became of its rows, holes in its counters, silent minutes, gaps, jumps,
outliers, stale quotes, how it compares with earlier dates; a score from 0 to 1 and its level.
"""

BASELINES_TEXT = """
What was usual for a symbol before the date, from phase 1 of up to 252 earlier trading dates: thresholds, hours and
weekdays, distributions over 1, 5, 20 and 252 dates, records. The date itself is never in them.
"""

PHASE2_TEXT = """
One record per symbol and date: toxicity, price impact, patterns, institutional flow, regimes, and how the date compares
with earlier ones. Whatever is compared with normal is compared with earlier dates only, and null until enough exist.
"""


def ingest_tables(_: Store, report: DateReport, table: str) -> Mapping[str, Any]:
    """Rows set aside and flagged by rule, over all symbols computed in this run."""
    lines = [
        [row.symbol, kind, rule, f"{count:,}"]
        for result in report.committed
        for row in result.rows
        for kind in ("set_aside", "flagged")
        for rule, count in result.shown[kind].items()
        if row.table == table
    ]
    rules = markdown_table(["symbol", "kind", "rule", "rows"], lines) if lines else "No row broke any rule."
    return {"rules": dg.MetadataValue.md(rules)}


def market_data_assets(partitions: dg.TimeWindowPartitionsDefinition, settings: Settings) -> list[dg.AssetsDefinition]:
    """All assets, in the order the data flow; bars of the families of the settings."""
    ingest, enrich, bars, phase1, quality, baselines, phase2 = pipeline_steps(settings)
    arctic, numba = frozenset({"python", "arcticdb"}), frozenset({"numba", "arcticdb"})
    light = frozenset({"numba", "parquet"})
    return [
        step_asset(
            ingest,
            partitions,
            group="ticks",
            texts={RAW_TICKS.name: AssetText(RAW_TICKS_TEXT, arctic, RAW_TICKS, ingest_tables, is_of_content=False)},
        ),
        step_asset(
            enrich,
            partitions,
            group="ticks",
            texts={ENRICHED_TICKS.name: AssetText(ENRICHED_TICKS_TEXT, numba, ENRICHED_TICKS, tick_preview)},
        ),
        step_asset(
            bars,
            partitions,
            group="bars",
            texts={
                FAMILIES[name].table.name: AssetText(
                    f"{FAMILY_TEXTS[name]}\n{BARS_TEXT}", numba, FAMILIES[name].table, bar_pictures
                )
                for name in settings.bars.families
            },
        ),
        step_asset(
            phase1,
            partitions,
            group="day_metadata",
            texts={PHASE1_TABLE: AssetText(PHASE1_TEXT, light, picture=day_pictures)},
        ),
        step_asset(
            quality,
            partitions,
            group="data_quality",
            texts={QUALITY_TABLE: AssetText(QUALITY_TEXT, light, picture=quality_table)},
        ),
        step_asset(
            baselines,
            partitions,
            group="day_metadata",
            texts={BASELINES_TABLE: AssetText(BASELINES_TEXT, light, picture=baselines_table)},
        ),
        step_asset(
            phase2,
            partitions,
            group="day_metadata",
            texts={PHASE2_TABLE: AssetText(PHASE2_TEXT, light, picture=phase2_table)},
        ),
    ]

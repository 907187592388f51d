"""What the web UI shows of a materialization: counts, speed, a table of symbols, pictures."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.bars.registry import FAMILIES
from fuzzy_pipeline.bars.series import Bars
from fuzzy_pipeline.charts import (
    bar_lengths_png,
    bars_over_ticks_png,
    candlestick_png,
    clock_label,
    signed_flow_png,
    spread_and_volume_png,
)
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE
from fuzzy_pipeline.schema.rankings import PAIRS_TABLE, RANKINGS_TABLE
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS, Table, arrow_type
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.run_date import DateReport
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.store import Store, open_store

PREVIEW_ROWS = 8
READABLE_BARS = 80
NOT_FROM_TICKS = (BASELINES_TABLE, RANKINGS_TABLE, PAIRS_TABLE)
"""Tables whose rows in are not ticks: ticks per second would mean nothing."""

PICTURE_TICKS = ("timestamp", "price", "is_qualified")


def table_schema(table: Table) -> dg.TableSchema:
    """A table's columns as Dagster shows them, from the one declaration."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=str(arrow_type(column)),
                description=f"{column.description} [{column.unit}]" if column.unit else column.description,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in table.columns
        ]
    )


def materialization_metadata(
    report: DateReport,
    table: str,
    settings: Settings,
    picture: Callable[[Store, DateReport, str], Mapping[str, Any]] | None,
) -> dict[str, Any]:
    """Metadata of one asset and date: rows, symbols, seconds, rates, a table by symbol, and pictures."""
    rows, computed, failed = report.rows(table), report.computed(table), report.failed_in(table)
    metadata: dict[str, Any] = {
        "dagster/row_count": sum(row.rows for row in rows),
        "symbols": len(rows),
        "computed": len(computed),
        "unchanged": len(rows) - len(computed),
        "failed": len(failed),
        "seconds": round(report.seconds, 3),
        "data": rows[0].kind if rows else "none",
        "by_symbol": dg.MetadataValue.md(_by_symbol(rows, table)),
    }
    if table not in NOT_FROM_TICKS:
        ticks = sum(row.rows_in for row in computed)
        metadata["ticks_per_second"] = round(ticks / report.seconds) if report.seconds else 0
    if failed:
        metadata["failures"] = dg.MetadataValue.md(
            markdown_table(
                ["symbol", "error", "reason"],
                [[symbol, failure.error_type, failure.reason] for symbol, failure in failed.items()],
            )
        )
    if rows and picture is not None:
        store = open_store(settings)
        try:
            metadata |= picture(store, report, table)
        finally:
            store.close()
    return metadata


_BY_SYMBOL: Mapping[str, Callable[[ManifestRow], str]] = {
    "rows": lambda row: f"{row.rows:,}",
    "rows in": lambda row: f"{row.rows_in:,}",
    "set aside": lambda row: f"{row.rows_set_aside:,}",
    "official": lambda row: f"{row.rows_official:,}",
    "seconds": lambda row: f"{row.seconds:.2f}",
    "source": lambda row: row.source,
    "content hash": lambda row: row.content_hash[:12],
}
_OF_RAW_TICKS = ("set aside", "official")


def _by_symbol(rows: Sequence[ManifestRow], table: str) -> str:
    shown = {name: cell for name, cell in _BY_SYMBOL.items() if table == RAW_TICKS.name or name not in _OF_RAW_TICKS}
    return markdown_table(["symbol", *shown], [[row.symbol, *(cell(row) for cell in shown.values())] for row in rows])


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; pipes and line breaks in cells are kept from breaking it."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row in rows:
        cells = [str(cell).replace("|", "\\|").replace("\n", " ") for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def busiest(report: DateReport, table: str) -> ManifestRow:
    """The stored symbol with most input rows."""
    return max(report.rows(table), key=lambda row: row.rows_in)


def tick_preview(store: Store, report: DateReport, table: str) -> dict[str, Any]:
    """The first enriched ticks of the busiest symbol, the columns a person looks at first."""
    row = busiest(report, table)
    names = ["timestamp", "price", "size", "bid", "ask", "trade_sign", "session", "spread_bps", "is_odd_lot"]
    arrays = store.read(ENRICHED_TICKS, row.symbol, row.date, columns=names, rows=(0, PREVIEW_ROWS)).arrays
    cells = zip(*(arrays[name].tolist() if name != "timestamp" else arrays[name] for name in names), strict=True)
    lines = markdown_table(names, [[short(cell) for cell in line] for line in cells])
    return {"preview": dg.MetadataValue.md(f"First ticks of {row.symbol} (times in UTC)\n\n{lines}")}


def bar_pictures(store: Store, report: DateReport, table: str) -> dict[str, Any]:
    """Bars of the busiest symbol: how many and how long by parameter, drawn over its ticks, and their lengths."""
    row = busiest(report, table)
    family = next(family for family in FAMILIES.values() if family.table.name == table)
    stored = store.read(family.table, row.symbol, row.date, version=row.version)
    bars = Bars(stored.arrays, {name: (start, stop) for name, (start, stop) in stored.metadata["ranges"].items()})
    title = f"{row.symbol} {row.date} ({row.kind})"
    found: dict[str, Any] = {
        "bars_by_parameter": dg.MetadataValue.md(f"Bars of {row.symbol}\n\n{_bar_lengths(bars)}"),
        "lengths": picture(bar_lengths_png(ticks_by_bar(bars), f"Ticks per {family.name} bar, {title}")),
    }
    parameter = readable_parameter(bars)
    if parameter is None:
        return found
    if family.name == "time":
        drawn = candlestick_png(bars.of(parameter), f"{title}, {parameter} bars")
        found |= _session_pictures(bars, title)
    else:
        ticks = store.read(ENRICHED_TICKS, row.symbol, row.date, columns=PICTURE_TICKS).arrays
        drawn = bars_over_ticks_png(bars.of(parameter), ticks, f"{title}, {family.name} bars, {parameter}")
    return found | {"candlesticks": picture(drawn)}


def _session_pictures(bars: Bars, title: str) -> dict[str, Any]:
    """Spread and volume by minute, and who traded with whom by five minutes, where these intervals are stored."""
    found: dict[str, Any] = {}
    if "1m" in bars.ranges:
        minutes = bars.of("1m")
        volume = minutes["volume"].astype(np.float64)
        drawn = spread_and_volume_png(
            minutes["bar_start"], minutes["avg_spread_bps"], volume, f"{title}, spread and volume by minute"
        )
        found["spread_and_volume"] = picture(drawn)
    if "5m" in bars.ranges:
        parts = bars.of("5m")
        buy, sell, volume = (parts[name].astype(np.float64) for name in ("buy_volume", "sell_volume", "volume"))
        labels = [clock_label(start) for start in parts["bar_start"]]
        drawn = signed_flow_png(labels, buy, sell, volume - buy - sell, f"{title}, volume by side, 5 minutes")
        found["signed_flow"] = picture(drawn)
    return found


def picture(png: bytes) -> dg.MarkdownMetadataValue:
    """A PNG inside the metadata: the web UI shows it without a file server."""
    return dg.MetadataValue.md(f"![picture](data:image/png;base64,{base64.b64encode(png).decode()})")


def readable_parameter(bars: Bars) -> str | None:
    """The series whose number of bars comes nearest to what a picture can show; None when there are no bars."""
    counts = {name: stop - start for name, (start, stop) in bars.ranges.items() if stop > start}
    return min(counts, key=lambda name: abs(np.log(counts[name] / READABLE_BARS)), default=None)


def ticks_by_bar(bars: Bars) -> dict[str, NDArray[Any]]:
    """Ticks of each bar, by parameter; bricks without ticks of their own are left out."""
    ticks = {name: bars.columns["tick_count"][start:stop] for name, (start, stop) in bars.ranges.items()}
    return {name: counts[counts > 0] for name, counts in ticks.items()}


def _bar_lengths(bars: Bars) -> str:
    lines: list[list[object]] = []
    for parameter, ticks in ticks_by_bar(bars).items():
        low, middle, high = np.percentile(ticks, [5, 50, 95]).tolist() if len(ticks) else (0, 0, 0)
        lines.append([parameter, f"{len(ticks):,}", f"{low:,.0f}", f"{middle:,.0f}", f"{high:,.0f}"])
    return markdown_table(["parameter", "bars", "ticks: 5 %", "median", "95 %"], lines)


def short(value: Any) -> str:
    """A value as a table cell: numbers with four digits that count, or all of them before the point."""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)

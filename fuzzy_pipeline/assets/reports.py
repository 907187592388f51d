"""What the web UI shows of a materialization: counts, speed, a table of symbols, pictures."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg

from fuzzy_pipeline.bars.series import Bars
from fuzzy_pipeline.charts import candlestick_png
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, TIME_BARS, Table, arrow_type
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.run_date import DateReport
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.store import Store, open_store

PREVIEW_ROWS = 8
CANDLE_INTERVALS = ("5m", "10m", "1m", "15m", "30m", "1h")


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
    report: DateReport, settings: Settings, picture: Callable[[Store, DateReport], Mapping[str, Any]] | None
) -> dict[str, Any]:
    """Metadata of one asset and date: rows, symbols, seconds, rates, a table by symbol, and pictures."""
    rows = report.rows
    metadata: dict[str, Any] = {
        "dagster/row_count": sum(row.rows for row in rows),
        "symbols": len(rows),
        "computed": len(report.committed),
        "unchanged": len(report.skipped),
        "failed": len(report.failed),
        "seconds": round(report.seconds, 3),
        "ticks_per_second": round(report.rows_processed / report.seconds) if report.seconds else 0,
        "data": rows[0].kind if rows else "none",
        "by_symbol": dg.MetadataValue.md(_by_symbol(rows)),
    }
    if report.failed:
        metadata["failures"] = dg.MetadataValue.md(
            markdown_table(
                ["symbol", "error", "reason"],
                [[symbol, failure.error_type, failure.reason] for symbol, failure in report.failed.items()],
            )
        )
    if rows and picture is not None:
        store = open_store(settings)
        try:
            metadata |= picture(store, report)
        finally:
            store.close()
    return metadata


def _by_symbol(rows: Sequence[ManifestRow]) -> str:
    header = ["symbol", "rows", "rows in", "set aside", "official", "seconds", "source", "content hash"]
    return markdown_table(
        header,
        [
            [
                row.symbol,
                f"{row.rows:,}",
                f"{row.rows_in:,}",
                f"{row.rows_set_aside:,}",
                f"{row.rows_official:,}",
                f"{row.seconds:.2f}",
                row.source,
                row.content_hash[:12],
            ]
            for row in rows
        ],
    )


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A Markdown table; pipes and line breaks in cells are kept from breaking it."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    for row in rows:
        cells = [str(cell).replace("|", "\\|").replace("\n", " ") for cell in row]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def busiest(report: DateReport) -> ManifestRow:
    """The stored symbol with most input rows."""
    return max(report.rows, key=lambda row: row.rows_in)


def tick_preview(store: Store, report: DateReport) -> dict[str, Any]:
    """The first enriched ticks of the busiest symbol, the columns a person looks at first."""
    row = busiest(report)
    names = ["timestamp", "price", "size", "bid", "ask", "trade_sign", "session", "spread_bps", "is_odd_lot"]
    arrays = store.read(ENRICHED_TICKS, row.symbol, row.date, columns=names, rows=(0, PREVIEW_ROWS)).arrays
    cells = zip(*(arrays[name].tolist() if name != "timestamp" else arrays[name] for name in names), strict=True)
    table = markdown_table(names, [[_short(cell) for cell in line] for line in cells])
    return {"preview": dg.MetadataValue.md(f"First ticks of {row.symbol} (times in UTC)\n\n{table}")}


def bar_pictures(store: Store, report: DateReport) -> dict[str, Any]:
    """Bars by interval, and candlesticks of the busiest symbol."""
    row = busiest(report)
    stored = store.read(TIME_BARS, row.symbol, row.date)
    bars = Bars(stored.arrays, {name: (start, stop) for name, (start, stop) in stored.metadata["ranges"].items()})
    interval = next((name for name in CANDLE_INTERVALS if name in bars.ranges), next(iter(bars.ranges)))
    png = candlestick_png(bars.of(interval), f"{row.symbol} {row.date}, {interval} bars ({row.kind})")
    counts = [[name, stop - start] for name, (start, stop) in bars.ranges.items()]
    encoded = base64.b64encode(png).decode()
    return {
        "candlesticks": dg.MetadataValue.md(f"![{row.symbol} {interval} bars](data:image/png;base64,{encoded})"),
        "bars_by_interval": dg.MetadataValue.md(
            f"Bars of {row.symbol}\n\n{markdown_table(['interval', 'bars'], counts)}"
        ),
    }


def day_table(store: Store, report: DateReport) -> dict[str, Any]:
    """Basic statistics of every symbol of the date."""
    stored = store.light.read(report.table, dates=[report.date])
    records = stored.to_pylist() if stored is not None else []
    names = ["total_ticks", "price_open", "price_high", "price_low", "price_close", "vwap", "volume_total"]
    lines = [[record["symbol"], *(_short(record["basic_stats"][name]) for name in names)] for record in records]
    return {"basic_stats": dg.MetadataValue.md(markdown_table(["symbol", *names], lines))}


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)

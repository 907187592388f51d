"""``fuzzy sql`` and ``fuzzy find``: questions to the store in SQL, and days that meet a condition."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuzzy_pipeline.cli.arguments import OptionalFrom, OptionalTo, chosen_symbols
from fuzzy_pipeline.cli.console import labelled, notes, out, print_table

if TYPE_CHECKING:
    import pandas as pd

ROWS_SHOWN = 20

Limit = Annotated[int, typer.Option(min=1, help="Rows on the screen.", metavar="N")]
ToFile = Annotated[
    Path | None, typer.Option("--export", metavar="FILE", help="Write all rows to .csv or .parquet instead.")
]


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT (or DESCRIBE, SUMMARIZE, SHOW TABLES).")],
    limit: Limit = ROWS_SHOWN,
    export: ToFile = None,
) -> None:
    """Run a SELECT (DuckDB) over what is committed: day metadata, manifest, quarantine, … and bars(…).

    Nothing can be written, and no files but the store's are read. Groups of day metadata are structs.

    [bold]Examples[/bold]

    fuzzy sql "SHOW TABLES"

    fuzzy sql "SELECT date, symbol, basic_stats.vwap FROM day_metadata_phase1 ORDER BY ALL"

    fuzzy sql "SELECT hour(bar_start) AS hour, sum(volume) AS volume
    FROM bars('SPY', '2025-11-25', '2025-11-28', 'time', '5m') GROUP BY hour ORDER BY hour"

    fuzzy sql "SELECT trading_date, symbol, rule, count(*) AS n FROM quarantine GROUP BY ALL" --export rules.csv
    """
    from fuzzy_pipeline.query import sql as run_sql

    with notes():
        _give(run_sql(query, as_="arrow", missing="skip"), "Result", limit, export)


def find(
    condition: Annotated[str, typer.Argument(metavar="CONDITION", help="Of fields by their dotted names.")],
    from_: OptionalFrom = None,
    to: OptionalTo = None,
    symbols: Annotated[str, typer.Option(metavar="A,B", help="Only these symbols; default: all.")] = "",
    limit: Limit = ROWS_SHOWN,
    export: ToFile = None,
) -> None:
    """Symbols and dates whose day records meet a condition.

    Without dates all that are stored; --from alone is that one date.

    [bold]Examples[/bold]

    fuzzy find "basic_stats.volume_total > 1e6 and basic_stats.price_change_pct < -0.02"

    fuzzy find "spread_stats.p95_bps > 50" --from 2025-11-03 --to 2025-11-28 --symbols AAPL,SPY

    fuzzy find "basic_stats.vwap is null" --export unknown.csv
    """
    from fuzzy_pipeline.query import find_days

    with notes():
        found = find_days(condition, from_, to, chosen_symbols(symbols) or None, as_="arrow")
    _give(found, "Days", limit, export)


def _give(table: Any, title: str, limit: int, path: Path | None) -> None:
    from fuzzy_pipeline.query import export
    from fuzzy_pipeline.query.sql import frame_of

    if path is not None:
        export(table, path)
        out().print(labelled(f"{table.num_rows:,} rows written to {path}"), soft_wrap=True)
        return
    _print(frame_of(table.slice(0, limit)), labelled(f"{title}: {table.num_rows:,} rows"))
    if limit < table.num_rows:
        out().print(f"the first {limit:,} of {table.num_rows:,} rows; --limit shows more, --export writes all")


def _print(frame: pd.DataFrame, title: str) -> None:
    words = [str(kind) in ("object", "bool") or str(kind).startswith("datetime") for kind in frame.dtypes]
    left = words.index(False) if False in words else len(words)
    rows = [[_text(value) for value in row] for row in frame.itertuples(index=False, name=None)]
    # Beside the table: its own title is folded into the table's width.
    out().print(title, highlight=False, markup=False)
    print_table("", [str(name) for name in frame.columns], rows, left)


def _text(value: Any) -> str:
    """A cell: nothing for missing values, instants to the µs they have, numbers of six digits or four decimals."""
    if value is None or (not isinstance(value, dict | list) and not hasattr(value, "__len__") and value != value):
        return ""
    if isinstance(value, dt.datetime):
        return f"{value:%Y-%m-%d %H:%M:%S.%f}".rstrip("0").rstrip(".")
    if isinstance(value, float):
        return f"{value:.6g}" if abs(value) < 1 else f"{value:,.4f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)

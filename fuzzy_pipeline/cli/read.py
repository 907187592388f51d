"""``fuzzy ticks``, ``bars`` and ``metadata``: reading to the terminal or to a file."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from fuzzy_pipeline.cli.arguments import Date, OptionalFrom, OptionalTo, Symbol, parse_names
from fuzzy_pipeline.cli.console import labelled, notes, out, print_table

if TYPE_CHECKING:
    import pandas as pd

ROWS_SHOWN = 20
TICK_COLUMNS = ("price", "size", "bid", "ask", "trade_sign", "exchange", "session", "participant_type")
RAW_TICK_COLUMNS = ("tick_id", "last", "last_sz", "last_type", "mkt_ctr", "tot_vlm", "bid", "ask", "cond1", "cond2")
BAR_COLUMNS = ("bar_start", "open", "high", "low", "close", "volume", "tick_count", "vwap", "volume_imbalance")
METADATA_COLUMNS = {
    "1": ["basic_stats." + name for name in (
        "total_ticks", "price_open", "price_high", "price_low", "price_close", "vwap", "volume_total")],
    "2": ["toxicity_metrics.vpin", "impact_features.kyle_lambda_estimate", "impact_features.avg_impact_bps",
          "institutional_flow.block_volume_pct", "market_regime.volatility_regime", "market_regime.trend_state",
          "market_regime.liquidity_state"],
    "baselines": ["known_dates", "first_known_date", "thresholds.large_trade_size", "thresholds.daily_volume",
                  "typical_spread.open", "typical_spread.midday", "typical_spread.close"],
}  # fmt: skip
"""What the screen shows of each kind of day record; a file has all."""
SHARES = frozenset({"large_trade_size", "daily_volume", "volume_imbalance"})
"""Columns of floats in shares, by the last part of their names: whole ones are shown without decimals."""

Limit = Annotated[
    int | None, typer.Option(min=1, help=f"Rows; default: {ROWS_SHOWN} on the screen, all in a file.", metavar="N")
]
Columns = Annotated[str, typer.Option(metavar="A,B", help="Only these columns.")]
Plot = Annotated[bool, typer.Option("--plot", help="Draw it in the terminal.")]
Export = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write to .csv or .parquet; a folder gets a date=/symbol= tree of Parquet."),
]
TickTable = Annotated[Literal["enriched", "raw"], typer.Option(help="Which ticks.")]


def ticks(
    symbol: Symbol,
    date: Date,
    limit: Limit = None,
    columns: Columns = "",
    table: TickTable = "enriched",
    plot: Plot = False,
    export: Export = None,
) -> None:
    """Ticks of a symbol and date: print, plot or export.

    [bold]Examples[/bold]

    fuzzy ticks SPY 2025-11-28

    fuzzy ticks SPY 2025-11-28 --columns price,size,condition_1 --limit 50

    fuzzy ticks SPY 2025-11-28 --export spy.parquet
    """
    from fuzzy_pipeline.query import get_ticks

    usual = None if export else TICK_COLUMNS if table == "enriched" else RAW_TICK_COLUMNS
    chosen = parse_names(columns) or usual
    price = "price" if table == "enriched" else "last"
    if plot and chosen is not None:
        chosen = (*chosen, price)
    with notes():
        frame = get_ticks(symbol, date, table=table, columns=_for_file(chosen, export), decode=True)
    title = (
        f"{symbol.upper()} {frame.index[0]:%Y-%m-%d}, {table} ticks" if len(frame) else f"{symbol.upper()}, no ticks"
    )
    if plot:
        _plot(frame, price, f"{title}, {price} [USD]")
    _give(frame, title, limit, export, print_too=not plot)


def bars(
    symbol: Symbol,
    date: Date,
    to: OptionalTo = None,
    family: Annotated[str, typer.Option(metavar="time", help="Bar family, such as time, tick, volume.")] = "time",
    parameter: Annotated[
        str,
        typer.Option(
            "--parameter",
            "--interval",
            metavar="1m",
            help="Of time bars any interval: 30s, 7m, 2h, 1d; else a series that was built: 500.",
        ),
    ] = "1m",
    limit: Limit = None,
    columns: Columns = "",
    plot: Plot = False,
    export: Export = None,
) -> None:
    """Bars of a symbol, of one date or of a range: print, plot or export.

    A bar's timestamp is its end; bar_start is its start. An interval that is not stored is put together from the
    longest that divides it. Dates of a range that are not stored are left out and named.

    [bold]Examples[/bold]

    fuzzy bars SPY 2025-11-28 --plot

    fuzzy bars SPY 2025-11-25 --to 2025-11-28 --interval 45m

    fuzzy bars SPY 2025-11-28 --family tick --parameter 500

    fuzzy bars SPY 2025-11-03 --to 2025-11-28 --export spy_1m.csv
    """
    from fuzzy_pipeline.query import get_bars

    chosen = parse_names(columns) or (None if export else BAR_COLUMNS)
    if plot and chosen is not None:
        chosen = (*chosen, "close")
    with notes():
        frame = get_bars(
            symbol,
            date,
            to,
            family=family,
            parameter=parameter,
            columns=_for_file(chosen, export),
            decode=True,
            missing="skip",
        )
    span = f"{date} to {to}" if to else f"{frame.index[0]:%Y-%m-%d}" if len(frame) else f"{date}"
    kind = parameter if family == "time" else f"{parameter} {family}"
    title = f"{symbol.upper()} {span}, {kind} bars"
    if plot:
        _plot(frame, "close", f"{title}, close [USD]")
    _give(frame, title, limit, export, print_too=not plot)


def metadata(
    symbol: Annotated[str, typer.Argument(metavar="SYMBOL", help="Ticker, or several: A,B. Default: all.")] = "",
    from_: OptionalFrom = None,
    to: OptionalTo = None,
    phase: Annotated[
        Literal["1", "2", "baselines"],
        typer.Option(help="Statistics; toxicity to regime; or what earlier dates make usual."),
    ] = "1",
    export: Export = None,
) -> None:
    """Day records of symbols: statistics of the regular session of each date.

    Without dates all that are stored; --from alone is that one date.

    [bold]Examples[/bold]

    fuzzy metadata

    fuzzy metadata SPY --from 2025-11-25 --to 2025-11-28

    fuzzy metadata SPY --phase 2

    fuzzy metadata --export days.parquet
    """
    from fuzzy_pipeline.query import get_metadata
    from fuzzy_pipeline.query.day_metadata import Phase

    kinds: dict[str, Phase] = {"1": 1, "2": 2, "baselines": "baselines"}
    with notes():
        if export is not None and export.suffix.lower() != ".csv":
            _write(get_metadata(symbol or None, from_, to, phase=kinds[phase], as_="arrow"), export)
            return
        frame = get_metadata(symbol or None, from_, to, phase=kinds[phase])
    if export is not None:
        _write(frame, export)
        return
    names = {name: name.rpartition(".")[2] if phase != "baselines" else name for name in METADATA_COLUMNS[phase]}
    frame = frame[["date", "symbol", *names]].rename(columns=names)
    title = "Baselines of earlier dates" if phase == "baselines" else f"Day records, phase {phase}, regular session"
    _print(frame, title, limit=None, left=2)


def _for_file(columns: Sequence[str] | None, export: Path | None) -> list[str] | None:
    """Columns to read: a tree of files needs the date and symbol that name its folders."""
    if columns is None:
        return None
    key = ("date", "symbol") if export and not export.suffix else ()
    return list(dict.fromkeys([*key, *columns]))


def _give(frame: pd.DataFrame, title: str, limit: int | None, export: Path | None, *, print_too: bool) -> None:
    if export is not None:
        _write(frame if limit is None else frame.head(limit), export)
    elif print_too:
        _print(frame.reset_index(), title, limit or ROWS_SHOWN)


def _write(table: Any, path: Path) -> None:
    from fuzzy_pipeline.query import export

    files = export(table, path, layout="file" if path.suffix else "hive")
    rows = table.num_rows if hasattr(table, "num_rows") else len(table)
    where = files[0] if len(files) == 1 else f"{len(files)} files under {path}"
    out().print(labelled(f"{rows:,} rows written to {where}"), soft_wrap=True)


def _print(frame: pd.DataFrame, title: str, limit: int | None, left: int = 1) -> None:
    shown = frame if limit is None else frame.head(limit)
    shares = [str(name).rpartition(".")[2] in SHARES for name in frame.columns]
    rows = [
        [_text(value, shares=of) for value, of in zip(row, shares, strict=True)]
        for row in shown.itertuples(index=False, name=None)
    ]
    print_table(labelled(f"{title}: {len(frame):,} rows"), list(frame.columns), rows, left)
    if len(shown) < len(frame):
        out().print(f"the first {len(shown):,} of {len(frame):,} rows; --limit shows more, --export writes all")


def _text(value: Any, *, shares: bool = False) -> str:
    """A cell: times of day for instants, at most six decimals and none of whole shares, nothing for missing values."""
    if isinstance(value, dt.datetime):
        return "" if value != value else f"{value:%m-%d %H:%M:%S.%f}"  # NaT differs from itself
    if isinstance(value, float) or hasattr(value, "dtype"):
        number = value.item() if hasattr(value, "item") else value
        if isinstance(number, float):
            if shares and number.is_integer():
                return f"{number:,.0f}"
            return "" if number != number else f"{number:.6g}" if abs(number) < 1 else f"{number:,.4f}"
        value = number
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return str(value)


def _plot(frame: pd.DataFrame, column: str, title: str) -> None:
    import numpy as np

    from fuzzy_pipeline.charts import terminal_plot

    title = labelled(title)
    values = frame[column].to_numpy(dtype=float)
    known = ~np.isnan(values)
    one_day = len({instant.date() for instant in frame.index[[0, -1]]}) == 1 if len(frame) else True
    labels = [f"{instant:%H:%M}" if one_day else f"{instant:%m-%d}" for instant in frame.index[known]]
    if not labels:
        out().print(f"{title}: nothing to draw")
        return
    typer.echo(terminal_plot(values[known], labels, title))

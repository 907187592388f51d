"""``fuzzy export``: what is committed as a tree of files that can be brought up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fuzzy_pipeline.cli.arguments import OptionalFrom, OptionalTo, chosen_symbols, parse_names
from fuzzy_pipeline.cli.console import err, labelled, notes, out


def export(
    what: Annotated[
        Literal["ticks", "raw_ticks", "bars", "metadata"], typer.Argument(metavar="WHAT", help="What is exported.")
    ],
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Made when it does not exist; one export each.")],
    from_: OptionalFrom = None,
    to: OptionalTo = None,
    symbols: Annotated[str, typer.Option(metavar="A,B", help="Only these symbols; default: all.")] = "",
    family: Annotated[str, typer.Option(metavar="time", help="Of bars: family, such as time, tick, volume.")] = "time",
    parameter: Annotated[
        str, typer.Option("--parameter", "--interval", metavar="1m", help="Of bars: as in `fuzzy bars`.")
    ] = "1m",
    columns: Annotated[str, typer.Option(metavar="A,B", help="Only these columns.")] = "",
    file_format: Annotated[Literal["parquet", "csv"], typer.Option("--format", help="Of the files.")] = "parquet",
    decode: Annotated[bool, typer.Option("--decode", help="Names for codes of ticks and bars.")] = False,
) -> None:
    """Write ticks, raw_ticks, bars or metadata as a tree FOLDER/date=…/symbol=…/data.parquet.

    Partitions whose source has not changed are left alone, so an export that was cut off goes on where it was.
    _export.json in the folder names columns, units and what is there.

    Without dates all that are stored; --from alone is that one date.

    [bold]Examples[/bold]

    fuzzy export bars bars_5m --interval 5m --from 2025-11-03 --to 2025-11-28

    fuzzy export ticks ticks --symbols SPY --columns price,size,trade_sign --format csv

    fuzzy export metadata days
    """
    from fuzzy_pipeline.query import export_tree

    bars = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("left"))
    console = err()
    shown = Progress(*bars, TimeRemainingColumn(), console=console, transient=True, disable=not console.is_terminal)
    with notes(), shown as progress:
        task = progress.add_task(f"exporting {what}", total=None)
        report = export_tree(
            what,
            folder,
            from_,
            to,
            chosen_symbols(symbols) or None,
            family=family,
            parameter=parameter,
            columns=parse_names(columns) or None,
            decode=decode,
            file_format=file_format,
            progress=lambda done, total: progress.update(task, completed=done, total=total),
        )
    written = f"{len(report.written):,} partitions written ({report.rows:,} rows)"
    out().print(labelled(f"{written}, {report.unchanged:,} unchanged, in {folder}"), soft_wrap=True)

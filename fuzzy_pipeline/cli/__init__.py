"""The ``fuzzy`` command.

Belongs here: options, progress and printing. Work is done by the layers below; they are imported inside the commands,
so that ``fuzzy --help`` answers at once.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from fuzzy_pipeline.cli import catch_up, demo, doctor, export, rank, read, report, run, serve, sql, status
from fuzzy_pipeline.cli.audit import audit_app
from fuzzy_pipeline.cli.console import Commands, out
from fuzzy_pipeline.cli.metrics import metrics_app
from fuzzy_pipeline.cli.quarantine import quarantine_app
from fuzzy_pipeline.cli.store import store_app

HELP = """
Nightly market data you can trust: ticks, enriched ticks, bars and day records by trading date.

Start with [bold]fuzzy demo[/bold] (simulated data, no account needed), or look at [bold]fuzzy doctor[/bold].
Settings are FUZZY_* environment variables or a .env file; .env.example names them all.
"""

app = typer.Typer(
    name="fuzzy",
    cls=Commands,
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        from fuzzy_pipeline import __version__

        out().print(f"fuzzy-pipeline {__version__}", highlight=False)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    home: Annotated[
        Path | None, typer.Option(help="Folder of the store and of Dagster's history; also FUZZY_HOME.", metavar="PATH")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,  # noqa: ARG001
    version: Annotated[  # noqa: ARG001
        bool, typer.Option("--version", help="Show the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    context.obj = home
    if home is not None:
        os.environ["FUZZY_HOME"] = str(home.expanduser().absolute())


for _panel, _commands in {
    "Build": (demo.demo, run.run, run.backfill, catch_up.catch_up, status.status),
    "Read": (read.ticks, read.bars, read.metadata, rank.rank, sql.sql, sql.find, export.export),
    "Trust and care": (report.report,),
    "Serve and check": (doctor.doctor, serve.ui, serve.serve_iqfeed),
}.items():
    for _command in _commands:
        app.command(rich_help_panel=_panel)(_command)


for _name, _group in {
    "quarantine": quarantine_app, "audit": audit_app, "store": store_app, "metrics": metrics_app,
}.items():  # fmt: skip
    app.add_typer(_group, name=_name, rich_help_panel="Trust and care")


def _terminated(number: int, frame: FrameType | None) -> None:  # noqa: ARG001  the signature of signal handlers
    raise SystemExit(128 + number)


def main() -> None:
    """Entry point of the ``fuzzy`` script. A SIGTERM ends it like Ctrl-C: servers it started are ended too."""
    signal.signal(signal.SIGTERM, _terminated)
    app()

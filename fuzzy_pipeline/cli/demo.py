"""``fuzzy demo``: three simulated trading dates, from nothing to bars."""

from __future__ import annotations

import datetime as dt
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.text import Text

from fuzzy_pipeline.cli.console import out, print_error, print_table
from fuzzy_pipeline.cli.progress import materialise
from fuzzy_pipeline.cli.run import covered, print_failures
from fuzzy_pipeline.errors import EngineError, SettingsError

if TYPE_CHECKING:
    from fuzzy_pipeline.settings import Settings

SYMBOLS = ("AAPL", "JPM", "KO", "SPY", "XOM")
DATES = (dt.date(2025, 11, 25), dt.date(2025, 11, 26), dt.date(2025, 11, 28))
HOME = Path(".fuzzy/demo")
HOME_SETTINGS = {
    "FUZZY_SOURCE": "simulator",
    "FUZZY_SYMBOLS": ",".join(SYMBOLS),
    "FUZZY_FIRST_DATE": "2025-11-03",
    "FUZZY_STORE__HEAVY_URI": "",
    # The simulated market has every date: the daemon of `fuzzy ui` would add the last thirty days to the three.
    "FUZZY_CATCH_UP__ENABLED": "false",
}
"""What a home's own file says, so that every command on that home works like the demo."""

SIMULATED = "SIMULATED data: a made-up market, not prices of these companies"


def demo(context: typer.Context) -> None:
    """Build three simulated trading dates of five symbols, and say how to go on.

    Needs no account and no network. Writes to .fuzzy/demo unless --home says otherwise, never into another store:
    FUZZY_* variables and .env files that name another source or store are not obeyed.

    [bold]Examples[/bold]

    fuzzy demo

    fuzzy --home /tmp/fuzzy demo
    """
    from fuzzy_pipeline.settings import load_settings

    home = (context.obj or HOME).expanduser()
    _keep_settings(home)
    os.environ.update(_environment(home.resolve()))
    settings = load_settings()
    out().print(Text(SIMULATED, style="bold magenta"))
    out().print(f"{', '.join(SYMBOLS)} on {', '.join(map(str, DATES))} ({_half_days()}), into {settings.home}\n")
    started = time.perf_counter()
    failed = False
    for date in DATES:
        outcome = materialise(settings, date, SYMBOLS, (), force=False)
        if not outcome.success:
            failed = True
            if not print_failures(covered(settings, [date], SYMBOLS)):
                print_error(EngineError(outcome.error or f"the run of {date} failed"))
    seconds = time.perf_counter() - started
    _print_built(settings)
    out().print(f"{seconds:.1f} s in all. {SIMULATED}.\n")
    _print_report(settings)
    _print_next(home, settings)
    if failed:
        raise typer.Exit(1)


def _keep_settings(home: Path) -> None:
    """Write the home's own file of settings; an older one of the demo may say less, but nothing else."""
    from dotenv import dotenv_values  # comes with pydantic-settings, which reads these files with it

    home.mkdir(parents=True, exist_ok=True)
    own = home / ".env"
    if own.exists() and not dotenv_values(own).items() <= HOME_SETTINGS.items():
        raise SettingsError(f"{own} holds other settings than the demo's: choose another home with --home")
    lines = [f"{name}={value}\n" for name, value in HOME_SETTINGS.items()]
    own.write_text(f"# The demo's settings: every command on this home uses them.\n{''.join(lines)}", encoding="utf-8")


def _environment(home: Path) -> dict[str, str]:
    """Variables for this process and those it starts: they win over every file and what the shell had set."""
    return HOME_SETTINGS | {"FUZZY_HOME": str(home), "FUZZY_STORE__LIGHT_PATH": str(home / "store" / "light")}


def _half_days() -> str:
    from fuzzy_pipeline.trading_calendar import session

    half = [session(date) for date in DATES if session(date).is_early_close]
    return ", ".join(f"{hours.date} is a half day: the market closes at {hours.close:%H:%M}" for hours in half)


def _print_built(settings: Settings) -> None:
    from fuzzy_pipeline.errors import NotStoredError
    from fuzzy_pipeline.query import get_metadata
    from fuzzy_pipeline.schema.tables import BAR_TABLES

    try:
        records = {(row.symbol, row.date): row for row in get_metadata(SYMBOLS, as_="models", settings=settings)}
    except NotStoredError:
        records = {}
    lines = []
    for day in covered(settings, DATES, SYMBOLS):
        raw, record = day.rows.get("raw_ticks"), records.get((day.symbol, day.date))
        built = sum(day.rows[table.name].rows for table in BAR_TABLES.values() if table.name in day.rows)
        stats = record.basic_stats if record else None
        lines.append(
            [
                f"{day.date}", day.symbol,
                f"{raw.rows:,}" if raw else "-", f"{built:,}" if built else "-",
                f"{raw.rows_set_aside:,}" if raw else "-",
                f"{stats.vwap:.4f}" if stats and stats.vwap is not None else "-",
                f"{stats.price_close:.2f}" if stats and stats.price_close is not None else "-",
            ]
        )  # fmt: skip
    print_table(
        "What was built (simulated)", ["date", "symbol", "ticks", "bars", "set aside", "VWAP", "close"], lines, 2
    )


def _print_report(settings: Settings) -> None:
    """The verdict of the last date and where its report is."""
    from fuzzy_pipeline.query.opening import reading
    from fuzzy_pipeline.report import gather_date, reports_folder, write_date_report

    with reading(settings, None) as store:
        report = gather_date(store, settings, DATES[-1])
    page = write_date_report(reports_folder(settings), report)
    out().print(
        Text.assemble(f"Report of {report.date}: ", (report.verdict, "bold"), f". {report.sentence}\n  {page}\n"),
        soft_wrap=True,
    )


def _print_next(home: Path, settings: Settings) -> None:
    command = f"fuzzy --home {home}"
    ui = f"make ui  (or {command} ui)" if home.absolute() == HOME.absolute() else f"{command} ui"
    out().print(
        "Go on:\n"
        f"  {ui}   runs, assets and their pictures at http://127.0.0.1:3000\n"
        f"  {command} status\n"
        f"  {command} report {DATES[-1]} --open\n"
        f"  {command} rank {DATES[-1]} --by liquidity_score\n"
        f"  {command} bars SPY {DATES[-1]} --plot\n"
        f"  {command} ticks SPY {DATES[-1]} --export spy.parquet\n"
        f"files: {settings.home / 'store'} (light: Parquet, heavy: ArcticDB), {settings.dagster_home} (run history)",
        soft_wrap=True,
    )

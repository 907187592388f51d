"""``fuzzy run`` and ``fuzzy backfill``: materialising dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from fuzzy_pipeline.cli.arguments import (
    Assets,
    Force,
    From,
    OptionalDate,
    Symbols,
    To,
    chosen_symbols,
    parse_names,
)
from fuzzy_pipeline.cli.console import err, labelled, note, notes, out, print_error, print_table
from fuzzy_pipeline.cli.progress import materialise
from fuzzy_pipeline.errors import CalendarError, EngineError, NotStoredError

if TYPE_CHECKING:
    from fuzzy_pipeline.query.coverage import DayCoverage
    from fuzzy_pipeline.schedules.launch import BackfillState
    from fuzzy_pipeline.settings import Settings

SHOWN_FAILURES = 50


def run(date: OptionalDate = None, symbols: Symbols = "", assets: Assets = "", force: Force = False) -> None:
    """Materialise one trading date now, in this process.

    Without a date: the last trading date that has a partition (a date gets its partition in its evening). What is
    stored and current is not computed again unless --force. Exit code 1 when a symbol failed.

    [bold]Examples[/bold]

    fuzzy run

    fuzzy run 2025-11-28 --symbols AAPL,SPY

    fuzzy run 2025-11-28 --assets time_bars --force
    """
    from fuzzy_pipeline.query.dates import single_date
    from fuzzy_pipeline.settings import load_settings

    settings, chosen = load_settings(), chosen_symbols(symbols)
    if date is None:
        with err().status("starting …"):
            from fuzzy_pipeline.assets.partitions import last_partition_date
        date = last_partition_date(dt.datetime.now(dt.UTC))
        note(f"no date given: {date}, the last trading date that has a partition")
    with notes():
        date = single_date(date)
    started = dt.datetime.now(dt.UTC)
    outcome = materialise(settings, date, chosen, parse_names(assets), force)
    days = covered(settings, [date], chosen or settings.symbols)
    print_day(date, days, started)
    out().print(labelled(f"run {outcome.run_id[:8]}: {outcome.seconds:.1f} s"), highlight=False)
    if not outcome.success:
        if not print_failures(days):
            print_error(EngineError(outcome.error or "the run failed; see it with: fuzzy ui"))
        raise typer.Exit(1)


def backfill(from_: From, to: To, symbols: Symbols = "", assets: Assets = "", force: Force = False) -> None:
    """Materialise a range of trading dates as a Dagster backfill, one run a date, the earliest first.

    Runs on the Dagster daemon: the one of a running `fuzzy ui`, or one started for this command. A running one must
    have been started with the same settings, else its runs refuse. Ctrl-C leaves the backfill where it is; a later
    daemon goes on with it. Exit code 1 when a date failed.

    [bold]Examples[/bold]

    fuzzy backfill --from 2025-11-03 --to 2025-11-28

    fuzzy backfill --from 2025-11-03 --to 2025-11-28 --symbols SPY --assets time_bars --force
    """
    from fuzzy_pipeline.settings import load_settings
    from fuzzy_pipeline.trading_calendar import trading_dates

    settings, chosen = load_settings(), chosen_symbols(symbols)
    dates = trading_dates(from_, to)
    if not dates:
        raise CalendarError(f"no trading date from {from_} to {to}")
    state = _follow(settings, dates, chosen, parse_names(assets), force)
    done = labelled(f"backfill {state.backfill_id}: {state.dates_done} of {len(dates)} dates complete")
    seen = f"see it: fuzzy ui, then http://127.0.0.1:3000/runs/b/{state.backfill_id}?tab=runs"
    out().print(f"{done}\n{seen}", highlight=False)
    if state.dates_failed or state.dates_done < len(dates):
        if not print_failures(covered(settings, dates, chosen or settings.symbols)):
            why = state.error or "the UI tells more"
            print_error(EngineError(f"{len(dates) - state.dates_done} dates were not completed: {why}"))
        raise typer.Exit(1)


def _follow(
    settings: Settings, dates: Sequence[dt.date], symbols: Sequence[str], assets: Sequence[str], force: bool
) -> BackfillState:
    """Start a backfill and show how far it is; its last state."""
    with err().status("starting …"):
        from fuzzy_pipeline.schedules import launch
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(elapsed_when_finished=False),
    )  # fmt: skip
    states = launch.backfill(settings, dates, symbols=symbols, assets=assets, force=force)
    with Progress(*columns, console=err()) as progress:
        task = progress.add_task("starting", total=len(dates))
        state = next(states)
        progress.console.print(f"backfill {state.backfill_id}: {dates[0]} to {dates[-1]}", highlight=False)
        _show(progress, task, state)
        for state in states:
            _show(progress, task, state)
    return state


def _show(progress: Progress, task: TaskID, state: BackfillState) -> None:
    waiting = f"waiting for {state.waiting_for}" if state.waiting_for else "dates"
    text = f"{waiting}, [red]{state.dates_failed} failed[/red]" if state.dates_failed else waiting
    progress.update(task, description=text, completed=state.dates_done + state.dates_failed)


def covered(settings: Settings, dates: Sequence[dt.date], symbols: Sequence[str]) -> list[DayCoverage]:
    """What the store holds of the dates and symbols, by date and symbol; empty days when there is no store yet."""
    from fuzzy_pipeline.query.coverage import DayCoverage, day_coverage
    from fuzzy_pipeline.query.opening import reading
    from fuzzy_pipeline.steps.pipeline import pipeline_tables

    try:
        with reading(settings, None) as store:
            days = day_coverage(store, dates, symbols, pipeline_tables(settings))
    except NotStoredError:
        days = {(symbol, date): DayCoverage(symbol, date) for date in dates for symbol in symbols}
    return sorted(days.values(), key=lambda day: (day.date, day.symbol))


def print_day(date: dt.date, days: Sequence[DayCoverage], started: dt.datetime) -> None:
    """Rows per table, rows set aside and seconds of work since ``started`` of every symbol."""
    from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
    from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS, RAW_TICKS

    bars = tuple(table.name for table in BAR_TABLES.values())
    shown = {"raw ticks": (RAW_TICKS.name,), "enriched": (ENRICHED_TICKS.name,), "bars": bars, "day": (PHASE1_TABLE,)}
    lines = []
    for day in days:
        raw = day.rows.get(RAW_TICKS.name)
        new = [row for row in day.rows.values() if row.committed_at >= started]
        held = [[day.rows[table].rows for table in tables if table in day.rows] for tables in shown.values()]
        counts = [f"{sum(rows):,}" if rows else "-" for rows in held]
        seconds = f"{sum(row.seconds for row in new):.2f}" if new else "kept" if day.rows else "-"
        failed = Text("failed", style="red") if day.failures else Text("")
        lines.append([day.symbol, *counts, f"{raw.rows_set_aside:,}" if raw else "-", seconds, failed])
    header = ["symbol", *shown, "set aside", "seconds", ""]
    print_table(f"{date} ({date:%A})", header, lines)


def print_failures(days: Sequence[DayCoverage]) -> bool:
    """The symbols and dates that failed and why, on standard error; whether there are any."""
    failed = [day for day in days if day.cause]
    console = err()
    for day in failed[:SHOWN_FAILURES]:
        if day.cause:
            what = f"{day.date} {day.symbol} {day.cause.table}: "
            text = Text.assemble(("failed: ", "bold red"), what, (f"{day.cause.error_type}: {day.cause.reason}", "red"))
            console.print(text, soft_wrap=True)
    if len(failed) > SHOWN_FAILURES:
        console.print(f"and {len(failed) - SHOWN_FAILURES} more: fuzzy status")
    return bool(failed)

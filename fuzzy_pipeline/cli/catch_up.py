"""``fuzzy catch-up``: what was missed, and doing it now."""

from __future__ import annotations

from typing import Annotated

import typer

from fuzzy_pipeline.cli.console import err, out, print_table
from fuzzy_pipeline.errors import EngineError


def catch_up(
    days: Annotated[
        int | None, typer.Option(min=1, help="Calendar days to look back; default: FUZZY_CATCH_UP__LOOKBACK_DAYS.")
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only show what would run.")] = False,
) -> None:
    """Run the dates that were missed, failed or went out of date, in this process.

    The daemon of `fuzzy ui` does the same by itself. Key symbols come first, then the newest dates; dates that are
    only out of date come last, the oldest first. Exit code 1 when something could not be caught up.

    [bold]Examples[/bold]

    fuzzy catch-up --plan

    fuzzy catch-up --days 90
    """
    from fuzzy_pipeline.settings import load_settings

    settings = load_settings()
    with err().status("starting …"):
        from fuzzy_pipeline.schedules import launch

        found = launch.catch_up_plan(settings, days)
    out().print(str(found), highlight=False, soft_wrap=True)
    if found.due:
        header = ["date", "symbols", "cause", "seconds"]
        lines = [
            [str(due.date), ", ".join(due.symbols) or "all", due.cause, f"{due.seconds:.0f}" if due.seconds else ""]
            for due in found.due
        ]
        print_table("", header, lines)
    if plan:
        return
    for due, outcome in launch.catch_up(settings, days):
        end = "done" if outcome.success else f"failed: {outcome.error}"
        out().print(f"{due}: {end} ({outcome.seconds:.1f} s)", highlight=False, soft_wrap=True)
    left = launch.catch_up_plan(settings, days)
    if left.due or left.given_up or left.source_error:
        raise EngineError(f"not all could be caught up: {left}")

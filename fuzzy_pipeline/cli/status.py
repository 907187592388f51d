"""``fuzzy status``: what is stored, what is missing and why, what runs."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from fuzzy_pipeline.cli.arguments import OptionalFrom, OptionalTo, Symbols, chosen_symbols
from fuzzy_pipeline.cli.console import err, out, print_table
from fuzzy_pipeline.cli.run import print_failures

if TYPE_CHECKING:
    from fuzzy_pipeline.query.coverage import DayCoverage
    from fuzzy_pipeline.settings import Settings
    from fuzzy_pipeline.stores.store import Store

DATES_SHOWN = 10
NIGHTLY_DATES = 10
"""A store whose newest date is older than so many trading dates is not fed every night."""
MARKS = {
    "complete": ("C", "green"),
    "stale": ("S", "cyan"),
    "retired": ("R", "blue"),
    "partial": ("P", "yellow"),
    "failed": ("F", "bold red"),
    "missing": ("M", "dim"),
}


def status(from_: OptionalFrom = None, to: OptionalTo = None, symbols: Symbols = "") -> None:
    """What is stored, what is missing and why, and what runs now.

    Shows the last ten trading dates up to the last one with data, unless --from and --to say otherwise.

    [bold]Examples[/bold]

    fuzzy status

    fuzzy status --from 2025-11-03 --to 2025-11-28 --symbols AAPL,SPY
    """
    from fuzzy_pipeline.operations.objectives import objective_lines, objective_state
    from fuzzy_pipeline.query.coverage import DayCoverage, dates_with_data, day_coverage
    from fuzzy_pipeline.query.opening import reading
    from fuzzy_pipeline.settings import load_settings
    from fuzzy_pipeline.steps.pipeline import pipeline_tables
    from fuzzy_pipeline.trading_calendar import now_eastern, trading_dates_before

    settings, chosen = load_settings(), chosen_symbols(symbols)
    with reading(settings, None) as store:
        tables = pipeline_tables(settings)
        held = dates_with_data(store, tables)
        dates = _dates(held, from_, to)
        days = day_coverage(store, dates, chosen or None, tables, settings)
        _print_store(store, held)
        # A store that is not fed every night promises nothing.
        nightly = bool(held) and held[-1] >= trading_dates_before(now_eastern().date(), NIGHTLY_DATES)[0]
        lines = objective_lines(objective_state(store, settings, settings.objectives, now_eastern())) if nightly else []
    _print_market()
    for symbol in () if chosen else settings.symbols:
        for date in dates:
            days.setdefault((symbol, date), DayCoverage(symbol, date))
    ordered = sorted(days.values(), key=lambda day: (day.date, day.symbol))
    if ordered:
        _print_marks(dates, ordered, tables)
        print_failures(ordered)
    else:
        out().print("nothing is stored yet; start with: fuzzy run")
    for line in lines:
        out().print(line, highlight=False, soft_wrap=True)
    _print_running(settings)


def _dates(held: Sequence[dt.date], first: dt.date | None, last: dt.date | None) -> tuple[dt.date, ...]:
    from fuzzy_pipeline.trading_calendar import last_trading_date_on_or_before, trading_dates, trading_dates_before

    if last is None:
        last = max(held[-1], first or held[-1]) if held else first
    if last is None:
        return ()
    if first is not None:
        return trading_dates(first, last)
    end = last_trading_date_on_or_before(last)
    return (*trading_dates_before(end, DATES_SHOWN - 1), end)


def _print_store(store: Store, held: Sequence[dt.date]) -> None:
    span = f"{len(held)} dates, {held[0]} to {held[-1]}" if held else "no dates"
    kind = Text(f"{store.kind.upper()} data", style="bold magenta" if store.kind == "simulated" else "bold")
    out().print(Text.assemble("store   ", kind, f" at {store.root}: {span}"), soft_wrap=True)


def _print_market() -> None:
    from fuzzy_pipeline.trading_calendar import EASTERN, market_status

    now = market_status(dt.datetime.now(EASTERN))
    holiday = f" ({now.holiday})" if now.holiday else ""
    out().print(
        f"market  {now.state}{holiday} at {now.at:%Y-%m-%d %H:%M} ET; {now.next_state} from "
        f"{now.next_change:%A %Y-%m-%d %H:%M} ET"
    )


def _print_marks(dates: Sequence[dt.date], days: Sequence[DayCoverage], tables: Sequence[str]) -> None:
    states = {(day.symbol, day.date): day.state(tables) for day in days}
    lines = [
        [symbol, *(Text(*MARKS[states[symbol, date]]) for date in dates)]
        for symbol in dict.fromkeys(sorted(day.symbol for day in days))
    ]
    print_table("", ["symbol", *(f"{date:%m-%d}" for date in dates)], lines)
    counts: Counter[str] = Counter(states.values())
    legend = Text()
    for state, (letter, style) in MARKS.items():
        legend.append(letter, style=style).append(f" {state}: {counts.get(state, 0)}   ")
    out().print(legend)


def _print_running(settings: Settings) -> None:
    if not (settings.dagster_home / "dagster.yaml").exists():
        out().print("running nothing: no run was ever started in this home")
        return
    with err().status("asking Dagster what runs …"):
        from fuzzy_pipeline.schedules import launch

        lines = launch.running(settings)
        plan = str(launch.catch_up_plan(settings)) if settings.catch_up.enabled else "switched off"
    out().print("running " + ("; ".join(lines) or "nothing"))
    out().print(f"to catch up  {plan}", highlight=False, soft_wrap=True)

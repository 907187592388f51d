"""``fuzzy quarantine``: rows that were set aside, decisions on them, and building with the decisions."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args

import typer
from rich.text import Text

from fuzzy_pipeline.cli.arguments import chosen_symbols, parse_date, parse_names
from fuzzy_pipeline.cli.console import note, out, print_error, print_table
from fuzzy_pipeline.errors import EngineError, SettingsError

if TYPE_CHECKING:
    from fuzzy_pipeline.operations.quarantine_desk import QuarantineDesk
    from fuzzy_pipeline.operations.quarantine_rows import Choice, DeskRow, RuleCount, State
    from fuzzy_pipeline.schema.quarantine import RawValues
    from fuzzy_pipeline.settings import Settings

quarantine_app = typer.Typer(
    help="Rows that were set aside: list, show, release, drop, replay.", no_args_is_help=True, rich_markup_mode="rich"
)

StateName = Literal["open", "to_replay", "released", "dropped"]
ALL_STATES: tuple[StateName, ...] = get_args(StateName)

Symbol = Annotated[str, typer.Option("--symbol", metavar="A,B", help="Only these symbols.")]
Day = Annotated[str, typer.Option("--date", metavar="DATE,…", help="Only these trading dates, YYYY-MM-DD.")]
Rule = Annotated[str, typer.Option("--rule", metavar="A,B", help="Only rows that broke these rules.")]
Rows = Annotated[str, typer.Option("--row", metavar="N,M-K", help="Only rows of these arrival numbers.")]
States = Annotated[str, typer.Option("--state", metavar="A,B", help=f"Only {', '.join(ALL_STATES)}.")]
Why = Annotated[str, typer.Option("--why", metavar="TEXT", help="The reason; kept for good. Required.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
SHOWN = ("time", "last", "last_sz", "last_type", "mkt_ctr", "tick_id", "tot_vlm", "bid", "ask", "conditions")


@quarantine_app.command("list")
def list_(symbol: Symbol = "", date: Day = "", rule: Rule = "", state: States = "") -> None:
    """How many rows were set aside, by date, symbol and rule, and what was decided on them.

    [bold]Examples[/bold]

    fuzzy quarantine list

    fuzzy quarantine list --state open --date 2025-11-28
    """
    with _desk() as (desk, _):
        choice = _choice(symbol, date, rule, "", state)
        counts = [each for each in desk.counts(choice) if not choice.states or set(choice.states) & set(each.states)]
        if not counts:
            note("no rows are set aside" + (" that fit" if any((symbol, date, rule, state)) else ""))
            return
        _print_counts("Rows that broke a hard rule", counts)
        _print_next(counts)


@quarantine_app.command()
def show(
    symbol: Symbol = "",
    date: Day = "",
    rule: Rule = "",
    row: Rows = "",
    state: States = "",
    limit: Annotated[int, typer.Option(min=1, metavar="N", help="At most N rows.")] = 10,
    around: Annotated[int, typer.Option(min=0, metavar="N", help="Stored ticks before and after each.")] = 2,
) -> None:
    """Rows with their raw values, among the ticks that arrived before and after them.

    [bold]Examples[/bold]

    fuzzy quarantine show --symbol SPY --date 2025-11-28

    fuzzy quarantine show --symbol SPY --date 2025-11-28 --row 50 --around 5
    """
    with _desk() as (desk, _):
        rows = desk.rows(_choice(symbol, date, rule, row, state))
        if not rows:
            note("no rows are set aside that fit")
            return
        for each in rows[:limit]:
            _print_row(each, desk.around(each, around) if around else [])
        if len(rows) > limit:
            note(f"{len(rows) - limit} more: --limit {len(rows)}")


@quarantine_app.command()
def release(
    symbol: Symbol = "",
    date: Day = "",
    rule: Rule = "",
    row: Rows = "",
    corrections: Annotated[
        list[str] | None, typer.Option("--set", metavar="COLUMN=VALUE", help="Another value; may be given again.")
    ] = None,
    why: Why = "",
    yes: Yes = False,
) -> None:
    """Decide that rows are good trades: with the replay they come among the ticks, where they arrived.

    A row that breaks a rule by itself, such as a price of zero, needs a correction. A duplicate does not. Decisions
    hold until they are changed, also when the date is fetched again.

    [bold]Examples[/bold]

    fuzzy quarantine release --symbol SPY --date 2025-11-28 --row 50 --set last=683.12 --why "the venue's file"

    fuzzy quarantine release --date 2025-11-28 --rule wrong_date --set date=2025-11-28 --why "stamped in UTC"
    """
    reason, given = _reason(why), _corrections(corrections or [])
    with _desk() as (desk, _):
        rows = _meant(desk, _choice(symbol, date, rule, row, ""), ALL_STATES if row else ("open",))
        desk.check_release(rows, given)
        _confirm(rows, "release", _as(given), yes)
        desk.release(rows, reason, given)
        _say_decided(rows, "released", is_applied=False)


@quarantine_app.command()
def drop(symbol: Symbol = "", date: Day = "", rule: Rule = "", row: Rows = "", why: Why = "", yes: Yes = False) -> None:
    """Confirm that rows are bad: they stay set aside, for the record, and are no longer open.

    [bold]Examples[/bold]

    fuzzy quarantine drop --symbol SPY --date 2025-11-28 --rule zero_size --why "test messages of the venue"
    """
    reason = _reason(why)
    with _desk() as (desk, _):
        rows = _meant(desk, _choice(symbol, date, rule, row, ""), ALL_STATES if row else ("open",))
        _confirm(rows, "drop", "", yes)
        desk.drop(rows, reason)
        _say_decided(rows, "dropped", is_applied=not any(each.is_released for each in rows))


@quarantine_app.command()
def reopen(
    symbol: Symbol = "", date: Day = "", rule: Rule = "", row: Rows = "", why: Why = "", yes: Yes = False
) -> None:
    """Take decisions back: the rows are open again; released ones leave the ticks with the replay.

    [bold]Examples[/bold]

    fuzzy quarantine reopen --symbol SPY --date 2025-11-28 --row 50 --why "it was another day's file"
    """
    reason = _reason(why)
    with _desk() as (desk, _):
        rows = _meant(desk, _choice(symbol, date, rule, row, ""), ("to_replay", "released", "dropped"))
        _confirm(rows, "reopen", "", yes)
        desk.reopen(rows, reason)
        _say_decided(rows, "reopened", is_applied=not any(each.is_released for each in rows))


@quarantine_app.command()
def replay(symbol: Symbol = "", date: Day = "", yes: Yes = False) -> None:
    """Build the dates whose ticks do not follow the decisions yet, and later dates that depend on them.

    Ticks are put together from what is stored, the source is not asked. Exit code 1 when a symbol failed.

    [bold]Examples[/bold]

    fuzzy quarantine replay

    fuzzy quarantine replay --symbol SPY --date 2025-11-28 --yes
    """
    with _desk() as (desk, settings):
        todo = desk.to_replay(_choice(symbol, date, "", "", ""))
        if not todo:
            note("nothing to replay: the ticks follow all decisions")
            return
        plan = _with_later_dates(settings, todo)
        _print_plan(plan, todo)
        if not yes:
            typer.confirm("build them?", abort=True)
        for day, symbols in todo.items():
            desk.begin_replay(day, symbols)
    failed = [day for day, symbols in plan.items() if not _build(settings, day, symbols)]
    with _desk() as (desk, settings):
        left = desk.to_replay(_choice(symbol, date, "", "", ""))
        if left:
            note(f"decisions that took no effect: {_days(left)}; fuzzy quarantine show --state to_replay tells which")
        if failed:
            raise typer.Exit(1)
        _print_counts("After the replay", desk.counts(_all_of(todo)))


# -- choosing ----------------------------------------------------------------------------


@contextmanager
def _desk() -> Iterator[tuple[QuarantineDesk, Settings]]:
    from fuzzy_pipeline.operations.quarantine_desk import QuarantineDesk
    from fuzzy_pipeline.query.opening import reading
    from fuzzy_pipeline.settings import load_settings

    settings = load_settings()
    with reading(settings, None) as store:
        yield QuarantineDesk(store, settings), settings


def _choice(symbol: str, date: str, rule: str, row: str, state: str) -> Choice:
    from fuzzy_pipeline.operations.quarantine_rows import Choice
    from fuzzy_pipeline.quality.validation import HARD_RULES

    return Choice(
        symbols=chosen_symbols(symbol),
        dates=tuple(parse_date(each) for each in parse_names(date)),
        rules=_known("rule", parse_names(rule), tuple(HARD_RULES)),
        rows=_row_numbers(row),
        states=_known("state", parse_names(state), ALL_STATES),  # type: ignore[arg-type]
    )


def _known(what: str, names: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SettingsError(f"no {what} {', '.join(unknown)}; there are {', '.join(known)}")
    return tuple(names)


def _row_numbers(text: str) -> tuple[int, ...]:
    """Numbers from ``50, 52-57``."""
    found: list[int] = []
    for part in parse_names(text):
        first, dash, last = part.partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise typer.BadParameter(f"{part!r} is no row number: write 50 or 52-57")
        found += range(int(first), int(last or first) + 1)
    return tuple(found)


def _corrections(texts: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for text in texts:
        name, mark, value = text.partition("=")
        if not mark:
            raise typer.BadParameter(f"{text!r} is no correction: write --set last=12.34")
        found[name.strip()] = value.strip()
    return found


def _meant(desk: QuarantineDesk, choice: Choice, states: Sequence[State]) -> list[DeskRow]:
    """The rows of a choice that are in one of the states; a choice of everything is refused."""
    if not any((choice.symbols, choice.dates, choice.rules, choice.rows)):
        raise SettingsError(
            "say which rows: --symbol, --date, --rule or --row\nfuzzy quarantine list shows what there is"
        )
    if choice.rows and (len(choice.symbols), len(choice.dates)) != (1, 1):
        raise SettingsError("--row numbers the rows of one symbol and date: name both with --symbol and --date")
    rows = [row for row in desk.rows(choice) if row.state in states]
    if not rows:
        raise SettingsError("no rows that fit can be decided so\nfuzzy quarantine list shows what there is")
    return rows


def _reason(why: str) -> str:
    if not why.strip():
        raise SettingsError('a decision needs its reason: --why "TEXT"')
    return why


def _confirm(rows: Sequence[DeskRow], what: str, how: str, yes: bool) -> None:
    from collections import Counter

    from fuzzy_pipeline.operations.quarantine_rows import RuleCount

    if yes:
        return
    groups: dict[tuple[dt.date, str, str], Counter[State]] = {}
    for row in rows:
        groups.setdefault((row.date, row.symbol, row.rule), Counter())[row.state] += 1
    _print_counts(f"To {what}{how}", [RuleCount(*key, states) for key, states in sorted(groups.items())])
    typer.confirm(f"{what} {_count(rows)}{how}?", abort=True)


def _as(corrections: Mapping[str, str]) -> str:
    return f" with {', '.join(f'{name}={value}' for name, value in corrections.items())}" if corrections else ""


def _all_of(todo: Mapping[dt.date, Sequence[str]]) -> Choice:
    from fuzzy_pipeline.operations.quarantine_rows import Choice

    return Choice(tuple(sorted({symbol for symbols in todo.values() for symbol in symbols})), tuple(todo))


# -- building ----------------------------------------------------------------------------


def _with_later_dates(settings: Settings, todo: Mapping[dt.date, Sequence[str]]) -> dict[dt.date, tuple[str, ...]]:
    """The dates to replay and later ones that are out of date for the same symbols: bars carry state across dates."""
    from fuzzy_pipeline.query.coverage import dates_with_data
    from fuzzy_pipeline.query.opening import reading
    from fuzzy_pipeline.steps.pipeline import pipeline_tables, stale_results

    plan = {date: set(symbols) for date, symbols in todo.items()}
    with reading(settings, None) as store:
        later = [date for date in dates_with_data(store, pipeline_tables(settings)) if date >= min(todo)]
        symbols = sorted({symbol for each in todo.values() for symbol in each})
        for _, symbol, date in stale_results(store, settings, later, symbols):
            if any(date >= day and symbol in own for day, own in todo.items()):
                plan.setdefault(date, set()).add(symbol)
    return {date: tuple(sorted(plan[date])) for date in sorted(plan)}


def _build(settings: Settings, date: dt.date, symbols: Sequence[str]) -> bool:
    """Run a date as ``fuzzy run`` does; whether all symbols are complete."""
    from fuzzy_pipeline.cli.progress import materialise
    from fuzzy_pipeline.cli.run import covered, print_day, print_failures

    started = dt.datetime.now(dt.UTC)
    outcome = materialise(settings, date, symbols, (), False)
    days = covered(settings, [date], symbols)
    print_day(date, days, started)
    if not outcome.success and not print_failures(days):
        print_error(EngineError(outcome.error or "the run failed; see it with: fuzzy ui"))
    return outcome.success


# -- printing ----------------------------------------------------------------------------


def _print_counts(title: str, counts: Sequence[RuleCount]) -> None:
    lines = [
        [each.date, each.symbol, each.rule, f"{each.rows:,}"]
        + [f"{each.states[state]:,}" if each.states.get(state) else "-" for state in ALL_STATES]
        for each in counts
    ]
    header = ["date", "symbol", "rule", "rows", *(state.replace("_", " ") for state in ALL_STATES)]
    print_table(title, header, lines, left=3)


def _print_next(counts: Sequence[RuleCount]) -> None:
    waiting = any(each.states.get("to_replay") for each in counts)
    is_open = next((each for each in counts if each.states.get("open")), None)
    if is_open is not None:
        where = f"--symbol {is_open.symbol} --date {is_open.date}"
        out().print(f"look:    fuzzy quarantine show {where}", highlight=False)
        out().print(f"decide:  fuzzy quarantine release|drop {where} --row N --why TEXT", highlight=False)
    if waiting:
        out().print("apply:   fuzzy quarantine replay", highlight=False)


def _print_row(row: DeskRow, around: Sequence[tuple[int, RawValues]]) -> None:
    from fuzzy_pipeline.quality.validation import HARD_RULES

    lines: list[list[str | Text]] = [[str(number), *_cells(values)] for number, values in around]
    place = sum(number < row.row for number, _ in around)
    lines.insert(place, [Text(str(row.row), style="bold red"), *_cells(row.values)])
    print_table(f"{row.name}: {row.rule} ({HARD_RULES[row.rule]})", ["row", *SHOWN], lines)
    if row.values["date"] != row.date:
        out().print(f"its date is {row.values['date']}", highlight=False)
    out().print(Text(f"{row.state.replace('_', ' ')}{_decided(row)}"), soft_wrap=True)


def _decided(row: DeskRow) -> str:
    decision = row.decision
    if decision is None:
        return ""
    by = f"{decision.decided_by} {decision.decided_at:%Y-%m-%d %H:%M} ET"
    return f": {decision.decision}{_as(decision.corrections)} by {by}: {decision.why}"


def _cells(values: RawValues) -> list[str]:
    codes = " ".join(f"{values[f'cond{n}']:02X}" for n in (1, 2, 3, 4) if values[f"cond{n}"])
    return [_clock(values["time"]), *(_cell(values[name]) for name in SHOWN[1:-1]), codes or "-"]


def _cell(value: Any) -> str:
    return "-" if value is None or value == "" or value != value else str(value)


def _clock(microseconds: int) -> str:
    """Time of day; outside the day the number as it came."""
    seconds, rest = divmod(microseconds, 1_000_000)
    if not 0 <= seconds < 86_400:
        return str(microseconds)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}"


def _print_plan(plan: Mapping[dt.date, Sequence[str]], todo: Mapping[dt.date, Sequence[str]]) -> None:
    why = {date: "decisions" if date in todo else "follows from an earlier date" for date in plan}
    print_table("To build", ["date", "symbols", "why"], [[d, _some(plan[d]), why[d]] for d in plan], left=3)


def _say_decided(rows: Sequence[DeskRow], what: str, *, is_applied: bool) -> None:
    following = "" if is_applied else "; the ticks follow with: fuzzy quarantine replay"
    out().print(f"{_count(rows)} {what}{following}", highlight=False)


def _count(rows: Sequence[DeskRow]) -> str:
    return f"{len(rows):,} row{'s' * (len(rows) > 1)}"


def _some(names: Sequence[str], count: int = 8) -> str:
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")


def _days(days: Mapping[dt.date, Sequence[str]]) -> str:
    return "; ".join(f"{date} {_some(symbols)}" for date, symbols in days.items())

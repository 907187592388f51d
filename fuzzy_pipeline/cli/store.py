"""``fuzzy store``: checking, pruning, retention, backups and sizes of the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from fuzzy_pipeline.cli.arguments import OptionalFrom, OptionalTo, chosen_symbols, parse_names
from fuzzy_pipeline.cli.console import err, note, out, print_table

if TYPE_CHECKING:
    from fuzzy_pipeline.store_care.prune import TablePruning
    from fuzzy_pipeline.store_care.retention import RetentionPlan
    from fuzzy_pipeline.store_care.verify import Broken, TableCheck

SHOWN = 20

store_app = typer.Typer(
    name="store",
    help="Look after the store: check, prune, retain, back up, restore, sizes.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of backups.")]


@store_app.command()
def check(
    from_: OptionalFrom = None,
    to: OptionalTo = None,
    symbols: Annotated[str, typer.Option(metavar="A,B", help="Only these symbols; default: all.")] = "",
    tables: Annotated[str, typer.Option(metavar="A,B", help="Only these tables.")] = "",
    quick: Annotated[bool, typer.Option("--quick", help="Only see that it can be read, and count rows.")] = False,
) -> None:
    """Prove that everything committed is there and is what was committed, by its content hash.

    Changes nothing; runs may go on. Each thing that is broken is named with the command that mends it. Exit code 1
    when something is broken.

    [bold]Examples[/bold]

    fuzzy store check

    fuzzy store check --from 2025-11-03 --symbols SPY --quick
    """
    from fuzzy_pipeline.query.opening import reading
    from fuzzy_pipeline.settings import load_settings
    from fuzzy_pipeline.store_care.verify import check_store

    settings, chosen = load_settings(), chosen_symbols(symbols)
    with reading(settings, None) as store, _counting("checking") as count:
        dates = None
        if from_ is not None or to is not None:
            known = {date for name in store.light.tables() for date in store.light.dates(name)}
            dates = sorted(date for date in known if (from_ or date) <= date <= (to or date))
        done: Counter[str] = Counter()

        def progress(table: str, rows: int) -> None:
            done[table] = rows
            count(sum(done.values()), None)

        checks = check_store(
            store, tables=parse_names(tables) or None, dates=dates, symbols=chosen or None, quick=quick,
            progress=progress,
        )  # fmt: skip
    _print_checks(checks)
    broken = [item for found in checks for item in found.broken]
    _print_broken(broken)
    if broken:
        raise typer.Exit(1)
    out().print(Text("nothing is broken", style="green"))


def _print_checks(checks: Sequence[TableCheck]) -> None:
    lines = [
        [found.table, f"{found.checked:,}", f"{found.ok:,}", f"{len(found.broken):,}",
         f"{found.unnamed_versions or found.unnamed_symbols:,}"]
        for found in checks
    ]  # fmt: skip
    print_table("", ["table", "checked", "ok", "broken", "unnamed"], lines)
    versions = sum(found.unnamed_versions for found in checks)
    if versions:
        note(f"{versions:,} versions are named by no manifest row; fuzzy store prune deletes those nobody can want")


def _print_broken(broken: Sequence[Broken]) -> None:
    for item in broken[:SHOWN]:
        where = " ".join(str(part) for part in (item.table, item.symbol, item.date) if part)
        out().print(Text.assemble((item.problem, "bold red"), f" {where}: {item.detail}"), soft_wrap=True)
    if len(broken) > SHOWN:
        out().print(f"… and {len(broken) - SHOWN} more")
    commands = list(dict.fromkeys(item.command for item in broken))
    if commands:
        out().print(Text("to mend:", style="bold"))
    for command in commands[:SHOWN]:
        out().print(Text(f"  {command}", style="yellow"), soft_wrap=True)


@store_app.command()
def prune(
    uncommitted: Annotated[
        bool, typer.Option("--uncommitted", help="Also old versions of keys without any manifest row.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
) -> None:
    """Delete versions that were replaced, once nobody can be reading them.

    Readers and runs may go on. An LMDB file keeps its size: the room is used by later writes.

    [bold]Examples[/bold]

    fuzzy store prune --dry-run

    fuzzy store prune
    """
    from fuzzy_pipeline.operations.audit import AuditLog
    from fuzzy_pipeline.query.opening import reading
    from fuzzy_pipeline.settings import load_settings
    from fuzzy_pipeline.store_care import prune as pruning

    settings = load_settings()
    with reading(settings, None) as store, err().status("pruning …"):
        found = pruning.prune(
            store, settings.care, uncommitted=uncommitted, dry_run=dry_run,
            on_delete=AuditLog.of(settings).append,
        )  # fmt: skip
    _print_pruning(found, dry_run)


def _print_pruning(found: Sequence[TablePruning], dry_run: bool) -> None:
    lines = [
        [item.table, f"{item.versions:,}", f"{item.keys:,}", "" if item.bytes is None else _megabytes(item.bytes),
         f"{item.waiting:,}", f"{sum(map(len, item.uncommitted.values())):,}"]
        for item in found
    ]  # fmt: skip
    did = "to delete" if dry_run else "deleted"
    print_table("", ["table", did, "of keys", "MB", "too young", "uncommitted"], lines)
    if any(item.uncommitted for item in found):
        note("uncommitted: versions of keys without a manifest row; if runs were killed there, prune --uncommitted")


@store_app.command()
def compact() -> None:
    """Copy the dates of closed years, and of this one so far, into files that are quick to scan.

    Readers and runs may go on; the dates' own files stay. The weekly job does the same.

    [bold]Examples[/bold]

    fuzzy store compact
    """
    from fuzzy_pipeline.query.opening import reading
    from fuzzy_pipeline.settings import load_settings
    from fuzzy_pipeline.store_care.weekly import compact_store

    with reading(load_settings(), None) as store, err().status("compacting …"):
        found = compact_store(store)
    lines = [
        [one.table, one.period, f"{one.dates:,}", f"{one.rows:,}", _megabytes(one.size), f"{one.seconds:.1f}"]
        for one in found
    ]
    if lines:
        print_table("", ["table", "period", "dates", "rows", "MB", "seconds"], lines, left=2)
    else:
        out().print("nothing to compact: all closed dates are")


@store_app.command()
def retain(
    yes: Annotated[bool, typer.Option("--yes", help="Delete what the plan names.")] = False,
) -> None:
    """Show what is older than it is to be kept; with --yes, delete it for good.

    How long each table is kept: FUZZY_RETENTION__RAW_TICKS_DAYS and so on. What goes is kept in mind as retired, with
    its hash, and written to the audit log.

    [bold]Examples[/bold]

    fuzzy store retain

    fuzzy store retain --yes
    """
    from fuzzy_pipeline.operations.audit import AuditLog
    from fuzzy_pipeline.query.opening import reading
    from fuzzy_pipeline.settings import load_settings
    from fuzzy_pipeline.store_care import retention
    from fuzzy_pipeline.trading_calendar import now_eastern

    settings = load_settings()
    with reading(settings, None) as store, err().status("looking …"):
        plan = retention.plan_retention(store, settings.retention, settings.care, now_eastern().date())
        if yes and plan.retirements:
            plan = retention.apply_retention(store, plan, confirm=True, on_delete=AuditLog.of(settings).append)
    _print_plan(plan)
    if not plan.retirements:
        out().print("nothing is to be deleted" + (" now" if plan.held_back else ""))
    elif yes:
        out().print(Text(f"deleted {plan.rows:,} rows, about {_megabytes(plan.bytes)} MB", style="bold"))
    else:
        out().print(
            f"{plan.rows:,} rows, about {_megabytes(plan.bytes)} MB, would be deleted by: fuzzy store retain --yes"
        )


def _print_plan(plan: RetentionPlan) -> None:
    lines = []
    for table, first in plan.first_kept.items():
        items = [item for item in plan.retirements if item.table == table]
        dates = f"{items[0].date} to {items[-1].date}" if items else ""
        lines.append([
            table, str(first), dates, f"{len({symbol for item in items for symbol in item.symbols}):,}",
            f"{sum(row.rows for item in items for row in item.rows):,}",
            f"{sum(item.table == table for item in plan.held_back):,}",
        ])  # fmt: skip
    print_table("", ["table", "kept from", "dates that go", "symbols", "rows", "held back"], lines, left=3)
    for held in plan.held_back[:SHOWN]:
        note(f"kept for now: {held.table} {held.symbol} {held.date}: {held.why}")


@store_app.command()
def backup(
    folder: Folder,
    listing: Annotated[bool, typer.Option("--list", help="Only list the complete backups of the folder.")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="Read every file of the new backup again.")] = False,
) -> None:
    """Copy everything committed into a folder; what an earlier backup there has is not copied again.

    Runs may go on. Exit code 1 when something committed could not be backed up, or --verify finds damage.

    [bold]Examples[/bold]

    fuzzy store backup /backups/fuzzy

    fuzzy store backup /backups/fuzzy --list
    """
    from fuzzy_pipeline.operations.audit import AuditLog
    from fuzzy_pipeline.query.opening import reading
    from fuzzy_pipeline.settings import load_settings
    from fuzzy_pipeline.store_care import backup as backups
    from fuzzy_pipeline.store_care.backup_folder import damaged_objects, find_backups

    if listing:
        lines = [
            [about.name, about.stamp.kind, f"{about.keys:,}", f"{about.objects:,}", _megabytes(about.bytes),
             f"{len(about.left_out):,}"]
            for about in find_backups(folder)
        ]  # fmt: skip
        print_table("", ["backup", "kind", "keys", "files", "MB", "left out"], lines, left=2)
        return
    settings = load_settings()
    log = AuditLog.of(settings)
    with reading(settings, None) as store, _counting("backing up dates") as count:
        log.append("store.backup", {"folder": str(folder.absolute())})
        report = backups.backup(store, folder, audit=log.path.parent, progress=count)
    about = report.about
    out().print(
        f"backup {about.name} of {about.stamp.kind} data: {about.keys:,} keys in {about.objects:,} files, "
        f"{_megabytes(about.bytes)} MB; {report.written:,} files, {_megabytes(report.written_bytes)} MB written now"
    )
    for item in about.left_out[:SHOWN]:
        note(f"left out: {item.table} {item.symbol} {item.date}: {item.why}; look with: fuzzy store check")
    damaged = damaged_objects(folder, about) if verify else []
    for line in damaged[:SHOWN]:
        note(line)
    if verify and not damaged:
        out().print(Text("every file is as it was written", style="green"))
    if about.left_out or damaged:
        raise typer.Exit(1)


@store_app.command()
def restore(
    folder: Folder,
    name: Annotated[
        str | None, typer.Option("--backup", metavar="NAME", help="Which backup; default: the last.")
    ] = None,
) -> None:
    """Build the store of an empty home from a backup, and prove every content hash.

    [bold]Examples[/bold]

    fuzzy --home /data/restored store restore /backups/fuzzy

    fuzzy --home /data/restored store restore /backups/fuzzy --backup 2025-11-28T190000
    """
    from fuzzy_pipeline.operations.audit import AuditLog
    from fuzzy_pipeline.settings import load_settings
    from fuzzy_pipeline.store_care import restore as restoring

    settings = load_settings()
    with _counting("restoring files") as count:
        report = restoring.restore(folder, settings, name=name, progress=count)
    AuditLog.of(settings).append("store.restore", {"folder": str(folder.absolute())}, {"backup": report.about.name})
    out().print(
        Text(f"restored backup {report.about.name} of {report.about.stamp.kind} data to {settings.home}: "
             f"{report.proven:,} keys, every content hash proven", style="green"),
        soft_wrap=True,
    )  # fmt: skip
    if settings.source == "files":
        note("raw ticks from files know their folder: unless FUZZY_FILES__PATH is as it was, they are ingested again")


@store_app.command()
def sizes(
    measure: Annotated[bool, typer.Option("--measure", help="Also add up what heavy versions take.")] = False,
) -> None:
    """Room the store takes, by table.

    [bold]Examples[/bold]

    fuzzy store sizes --measure
    """
    from fuzzy_pipeline.query.opening import reading
    from fuzzy_pipeline.settings import load_settings
    from fuzzy_pipeline.store_care import disk_space

    settings = load_settings()
    with reading(settings, None) as store:
        found = disk_space.sizes(store, settings.heavy_uri, measure=measure)
        a_date = disk_space.measured_date_bytes(store, settings.heavy_uri)
    lines = [
        [item.table, item.tier, f"{item.dates:,}", "" if item.disk is None else _megabytes(item.disk),
         *([("" if item.data is None else _megabytes(item.data))] if measure else [])]
        for item in found
    ]  # fmt: skip
    print_table("", ["table", "tier", "dates", "MB on disk", *(["MB of data"] if measure else [])], lines, left=2)
    total = sum(item.disk or 0 for item in found)
    mean = f", {_megabytes(a_date)} MB a date" if a_date is not None else ""
    out().print(f"{_megabytes(total)} MB on disk{mean}")


@contextmanager
def _counting(what: str) -> Iterator[Callable[[int, int | None], None]]:
    """A bar on standard error; how many are done, and of how many where that is known."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f}"

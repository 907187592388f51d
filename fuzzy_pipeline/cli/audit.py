"""``fuzzy audit``: who did what, and whether the log of it is whole."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from fuzzy_pipeline.cli.console import note, out, print_error

if TYPE_CHECKING:
    from fuzzy_pipeline.operations.audit import AuditLog
    from fuzzy_pipeline.operations.audit_chain import AuditEntry

audit_app = typer.Typer(
    help="The audit log: who did what, and whether the log is whole.", no_args_is_help=True, rich_markup_mode="rich"
)

Last = Annotated[int, typer.Option(min=1, metavar="N", help="The last N entries.")]


@audit_app.command()
def show(
    last: Last = 20,
    action: Annotated[str, typer.Option(metavar="NAME", help="Only actions that begin so: quarantine.")] = "",
) -> None:
    """The latest entries, the newest last.

    [bold]Examples[/bold]

    fuzzy audit show --last 50

    fuzzy audit show --action settings
    """
    log = _log()
    entries = list(log.entries(action))
    if not entries:
        note(f"{log.path}: no entries{f' of {action}' if action else ''} yet")
        return
    console = out()
    for entry in entries[-last:]:
        at = entry.at[:19].replace("T", " ")
        console.print(Text.assemble(f"{entry.sequence}  {at} ET  {entry.actor}  ", (entry.action, "bold")))
        for text in (_text(entry.subject), _details(entry)):
            if text:
                console.print(Text(f"    {text}"), soft_wrap=True)


@audit_app.command()
def verify(
    head: Annotated[
        str | None, typer.Option(metavar="HASH", help="A hash of fuzzy audit head that was kept elsewhere.")
    ] = None,
) -> None:
    """Prove that no entry was changed, removed or moved. Exit code 1 when one was.

    Whoever can write the log can write it anew as a whole, head file included. Only a hash that was kept where they
    cannot reach finds that: give it as --head.

    [bold]Examples[/bold]

    fuzzy audit verify

    fuzzy audit verify --head 3f6c…
    """
    log = _log()
    verdict = log.verify(head)
    if verdict.is_whole:
        against = ", and the head you gave is in it" if head else ""
        out().print(f"whole: {verdict.entries} entries{against}\nhead {verdict.head.sequence} {verdict.head.hash}")
        return
    for problem in verdict.problems:
        place = f"line {problem.line}" if problem.line else "the log as a whole"
        print_error(ValueError(f"{place}: {problem.fault}: {problem.why}"))
    note(f"{log.path} is not whole: problems {len(verdict.problems)}, entries {verdict.entries}")
    raise typer.Exit(1)


@audit_app.command()
def head() -> None:
    """Number and hash of the last entry: keep them on another machine, for fuzzy audit verify --head.

    [bold]Example[/bold]

    fuzzy audit head | ssh elsewhere 'cat >> audit_heads'
    """
    last = _log().verify().head
    out().print(f"{last.sequence} {last.hash}", soft_wrap=True)


def _log() -> AuditLog:
    from fuzzy_pipeline.operations.audit import AuditLog
    from fuzzy_pipeline.settings import load_settings

    return AuditLog.of(load_settings())


def _text(values: Mapping[str, Any]) -> str:
    return " ".join(
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()
    )


def _details(entry: AuditEntry) -> str:
    """Details on a line; of a recorded state only what changed."""
    if "changed" not in entry.details:
        return _text(entry.details)
    changed = entry.details["changed"]
    if not changed:
        return f"{len(entry.details['values'])} settings recorded for the first time"
    return ", ".join(
        f"{name}: {json.dumps(each['old'])} -> {json.dumps(each['new'])}" for name, each in changed.items()
    )

"""Where the command prints and how errors end it.

Belongs here: consoles, notes, and the one place that turns errors into a message and an exit code.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from typer.core import TyperGroup

from fuzzy_pipeline.errors import FuzzyError

if TYPE_CHECKING:
    from fuzzy_pipeline.sources.protocol import DataKind

INTERRUPTED = 130
_PIPE_WIDTH = 200


def out() -> Console:
    """Standard output; wide when it is no terminal, so that tables are not cut."""
    return _console(stderr=False)


def err() -> Console:
    """Standard error: notes, progress and errors."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    console = Console(stderr=stderr, highlight=False)
    if not console.is_terminal and "COLUMNS" not in os.environ:
        console.width = _PIPE_WIDTH
    return console


def note(text: str) -> None:
    """A line a person should see, on standard error."""
    err().print(Text.assemble(("note: ", "yellow"), text))


def print_error(error: BaseException) -> None:
    """The message in red; its further lines are hints."""
    first, *hints = str(error).splitlines() or [repr(error)]
    console = err()
    console.print(Text.assemble(("error: ", "bold red"), (first, "red")), soft_wrap=True)
    for hint in hints:
        console.print(Text(f"  {hint.strip()}"), soft_wrap=True)


def stored_kind() -> DataKind | None:
    """Whether the data of the settings' store are real or simulated; None without a store."""
    from fuzzy_pipeline.settings import load_settings
    from fuzzy_pipeline.stores.stamp import read_stamp

    stamp = read_stamp(load_settings().light_path)
    return stamp.kind if stamp else None


def labelled(text: str) -> str:
    """A title or a line about stored data, with ``(simulated)`` behind it when they are."""
    return f"{text} (simulated)" if stored_kind() == "simulated" else text


def print_table(title: str, header: Sequence[str], rows: Iterable[Sequence[Any]], left: int = 1) -> None:
    """A table; the first ``left`` columns are text, the others are aligned right."""
    table = Table(title=title or None, title_justify="left", title_style="bold", header_style="bold")
    for place, name in enumerate(header):
        text = place < left
        table.add_column(name, justify="left" if text else "right", overflow="fold", no_wrap=text)
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(str(cell)) for cell in row))
    out().print(table)


@contextmanager
def notes() -> Iterator[None]:
    """Print the reading API's warnings as notes while inside."""
    from fuzzy_pipeline.query.dates import DateMoved, DatesMissing

    with warnings.catch_warnings():
        other = warnings.showwarning

        def show(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if issubclass(category, DateMoved | DatesMissing):
                note(str(message))
            else:
                other(message, category, *place, **more)

        warnings.showwarning = show
        warnings.simplefilter("always", DateMoved)
        warnings.simplefilter("always", DatesMissing)
        yield


class Commands(TyperGroup):
    """The group of all commands: errors become one message and exit code 1, Ctrl-C ends quietly with 130."""

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command."""
        try:
            return super().invoke(ctx)
        except FuzzyError as error:
            if ctx.params.get("debug"):
                raise
            print_error(error)
            raise typer.Exit(1) from error
        except KeyboardInterrupt as error:
            raise typer.Exit(INTERRUPTED) from error

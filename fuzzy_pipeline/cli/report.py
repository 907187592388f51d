"""``fuzzy report``: the data-quality report of a trading date or a range, as a page and as JSON."""

from __future__ import annotations

import os
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from fuzzy_pipeline.cli.arguments import Date, OptionalTo
from fuzzy_pipeline.cli.console import err, note, notes, out
from fuzzy_pipeline.errors import SettingsError, StoreError

if TYPE_CHECKING:
    import datetime as dt

    from fuzzy_pipeline.report import DateQualityReport, RangeReport
    from fuzzy_pipeline.settings import Settings
    from fuzzy_pipeline.stores.store import Store


def report(
    date: Date,
    to: OptionalTo = None,
    open_: Annotated[bool, typer.Option("--open", help="Show the page in the browser.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print the JSON and write nothing.")] = False,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write only this file: .html or .json.", dir_okay=False)
    ] = None,
) -> None:
    """Write the data-quality report of a date, or of a range with --to; print its verdict and where it is.

    One HTML page that needs nothing beside it, and the same as JSON, in the reports folder of the home. A range also
    writes the pages of those of its dates that have data and no page yet.

    [bold]Examples[/bold]

    fuzzy report 2025-11-28 --open

    fuzzy report 2025-11-03 --to 2025-11-28

    fuzzy report 2025-11-28 --json
    """
    from fuzzy_pipeline.query.dates import single_date
    from fuzzy_pipeline.query.opening import reading
    from fuzzy_pipeline.report import gather_date, gather_range
    from fuzzy_pipeline.settings import load_settings

    _check(json=json, output=output, open_=open_)
    settings = load_settings()
    if to is None:
        with notes():
            date = single_date(date)
    with reading(settings, None) as store, err().status("gathering …"):
        found = gather_date(store, settings, date) if to is None else gather_range(store, settings, date, to)
        if json:
            sys.stdout.write(found.model_dump_json(indent=2) + "\n")
            return
        if output is None:
            found = _with_pages(store, settings, found)
    page = _write(settings, found, date, to, output)
    # Beside the paths, which a script reads.
    err().print(Text.assemble(*_verdict(found)), soft_wrap=True)
    if open_ and not webbrowser.open(page.absolute().as_uri()):
        note("no browser could be started: open the file yourself")


def _verdict(found: DateQualityReport | RangeReport) -> tuple[str | tuple[str, str], ...]:
    """The verdict and why; of a range how many dates have which."""
    from fuzzy_pipeline.report import RangeReport

    kind = " (simulated)" if found.heading.kind == "simulated" else ""
    if not isinstance(found, RangeReport):
        return f"Report of {found.date}{kind}: ", (found.verdict, "bold"), f". {found.sentence}"
    counts = ", ".join(f"{count:,} {verdict}" for verdict, count in found.verdicts.items() if count)
    return f"Report of {found.start} to {found.end}{kind}: ", (counts or "no trading date", "bold")


def _check(*, json: bool, output: Path | None, open_: bool) -> None:
    if json and (output is not None or open_):
        raise SettingsError(
            "--json prints and writes nothing: leave out --output and --open (--output FILE.json writes)"
        )
    if output is not None and output.suffix not in (".html", ".json"):
        raise SettingsError(f"--output {output}: the name must end in .html or .json")
    if output is not None and open_ and output.suffix == ".json":
        raise SettingsError("--open shows a page: give --output a name that ends in .html")


def _with_pages(
    store: Store, settings: Settings, found: DateQualityReport | RangeReport
) -> DateQualityReport | RangeReport:
    """Write the pages that dates of a range lack, so that the range can link to them."""
    from fuzzy_pipeline.report import RangeReport, gather_date, gather_range, reports_folder

    if not isinstance(found, RangeReport):
        return found
    lacking = [point.date for point in found.dates if point.page is None and (point.symbols or point.checks_ran)]
    for each in lacking:
        _write_both(reports_folder(settings), gather_date(store, settings, each), each, None)
    return gather_range(store, settings, found.start, found.end) if lacking else found


def _write(
    settings: Settings, found: DateQualityReport | RangeReport, date: dt.date, to: dt.date | None, output: Path | None
) -> Path:
    """Write what was asked for, print the paths, return that of the page."""
    from fuzzy_pipeline.report import reports_folder, write_report

    folder = reports_folder(settings)
    if output is None:
        written = _write_both(folder, found, date, to)
    else:
        links = Path(os.path.relpath(folder, output.absolute().parent)).as_posix()
        text = found.model_dump_json(indent=2) if output.suffix == ".json" else _page(found, f"{links}/")
        with _disk_errors(output):
            written = [write_report(output, text)]
    for path in written:
        out().print(str(path), soft_wrap=True, markup=False)
    return written[0]


def _write_both(folder: Path, found: DateQualityReport | RangeReport, date: dt.date, to: dt.date | None) -> list[Path]:
    from fuzzy_pipeline.report import file_of, write_report

    with _disk_errors(folder):
        return [
            write_report(file_of(folder, date, to, ".html"), _page(found, "")),
            write_report(file_of(folder, date, to, ".json"), found.model_dump_json(indent=2)),
        ]


def _page(found: DateQualityReport | RangeReport, folder: str) -> str:
    from fuzzy_pipeline.report import RangeReport, date_page, range_page

    if isinstance(found, RangeReport):
        return range_page(found, folder=folder)
    return date_page(found, folder=folder)


@contextmanager
def _disk_errors(path: Path) -> Iterator[None]:
    """Turn errors of the disk into one that names the path."""
    try:
        yield
    except OSError as error:
        raise StoreError(f"{path}: the report cannot be written: {error.strerror or error}") from error

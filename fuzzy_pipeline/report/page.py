"""The report of a date as one HTML page that needs nothing else: no network, no files beside it.

Belongs here: the template environment both pages share, what the page of a date puts on it, and writing files.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from fuzzy_pipeline.report import comparison_panel, pictures, wording
from fuzzy_pipeline.report.contents import (
    DateQualityReport,
    Finding,
    FindingSymbol,
    RuleTotal,
    SymbolState,
    Timeline,
    TimelineEvent,
    TimelineRow,
    TrendPoint,
)
from fuzzy_pipeline.report.findings import quarantine_command, run_command
from fuzzy_pipeline.report.gaps import WEIGHT
from fuzzy_pipeline.report.gather import TREND_DATES
from fuzzy_pipeline.schema.quality import WHOLE_DATE, Outcome, Severity
from fuzzy_pipeline.stores.file_lock import naming

TIMELINE_ROWS = 60
"""Symbols drawn on the timeline at most; the others are named."""

TIMELINE_MARKS = 1500
"""Marks drawn on all of it: a page of five hundred symbols stays under a megabyte."""

EVENTS_LISTED = 150

_STATES: Mapping[SymbolState, int] = {
    "failed": 0, "missing": 1, "partial": 2, "stale": 3, "retired": 4, "complete": 5
}  # fmt: skip


def date_page(report: DateQualityReport, *, folder: str = "") -> str:
    """The page of a date.

    Parameters
    ----------
    report : DateQualityReport
    folder : str
        Where the pages of other dates are, as a link from this page: empty beside it, else ending in ``/``.

    Returns
    -------
    str
        HTML with its style, script and pictures inside; all text from data is escaped.
    """
    return render(
        "date.html.j2",
        report=report,
        folder=folder,
        state_order=_STATES,
        drawn=_drawn(report.timeline),
        worst_events=_worst_events(report.timeline),
        by_symbol=_by_symbol(report.quarantine.rules),
        chips=_chips,
        trend_dates=TREND_DATES,
        check_cell=_check_cell,
        comparison=comparison_panel.panel,
        run_command=run_command,
        quarantine_command=lambda date: quarantine_command(date, []),
    )


def render(template: str, **values: Any) -> str:
    """A template of this room with the words, numbers and pictures every page may use."""
    script = _source("script.html.j2")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    # The page's policy lets this one script run and no other: what data smuggle in stays text.
    return (
        environment()
        .get_template(template)
        .render(style=Markup(_source("style.html.j2")), script=Markup(script), script_hash=digest, **values)
    )


@cache
def environment() -> Environment:
    """Templates that escape everything and refuse unknown names."""
    found = Environment(
        loader=PackageLoader("fuzzy_pipeline", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for function in (
        wording.number, wording.short, wording.share, wording.score, wording.measured, wording.bounds, wording.count,
        wording.listed, wording.words, wording.moment, wording.long_date, pictures.timeline_axis,
        pictures.timeline_row, pictures.event_summary, pictures.event_time,
    ):  # fmt: skip
        found.globals[function.__name__] = function
    found.globals |= {"trend_line": _trend_line, "counted": _counted}
    found.tests["none"] = lambda value: value is None
    return found


@cache
def _source(name: str) -> str:
    """A file of this room that is no template: style and script, put on the page as they are."""
    loader = environment().loader
    assert loader is not None
    return loader.get_source(environment(), name)[0].strip()


def _trend_line(
    points: Sequence[TrendPoint], attribute: str, label: str, low: float, high: float, write: Callable[[Any], str]
) -> Markup:
    return pictures.trend_line(points, lambda point: getattr(point, attribute), label, low, high, write)


def _counted(value: int) -> Markup:
    """A cell with a count; none is a dot, so that the others are seen."""
    return Markup('<td class="num" data-s="{}">{}</td>').format(value, wording.number(value) if value else "·")


def _check_cell(outcome: Outcome | None, severity: Severity) -> Markup:
    """A cell of the table of checks: the word is there for readers that see no sign."""
    css, word = {
        "passed": ("p", "passed"),
        "failed": ("e", "failed") if severity == "error" else ("w", "warning"),
        "could_not_run": ("c", "could not run"),
        None: ("o", "not run"),
    }[outcome]
    return Markup("<td class={}>{}").format(css, word)


def _chips(finding: Finding, stored: int) -> list[tuple[str, str, str]]:
    """Each symbol of a finding once, with its value (the first of several tables) and its reason.

    One chip stands for all when nothing is to be said of each: a check that could run for no stored symbol.
    """
    alike = all(row.observed is None and row.reason == finding.reason for row in finding.symbols)
    if alike and stored > 1 and len(finding.names) == stored:
        return [(f"all {stored:,} symbols", "", finding.reason)]
    own: dict[str, list[FindingSymbol]] = {}
    for row in finding.symbols:
        own.setdefault(row.symbol, []).append(row)
    chips = []
    for symbol, rows in own.items():
        value = wording.measured(rows[0].observed) if rows[0].observed is not None else ""
        where = f"in {len(rows)} tables" if len(rows) > 1 else rows[0].table if len(finding.tables) > 1 else ""
        name = "whole date" if symbol == WHOLE_DATE else symbol
        chips.append((name, " ".join(filter(None, (value, where))), rows[0].reason))
    return chips


def _by_symbol(rules: Sequence[RuleTotal]) -> list[tuple[str, list[int], int]]:
    """Symbol, rows of each rule and of all, most rows first."""
    symbols = dict.fromkeys(symbol for rule in rules for symbol in rule.by_symbol)
    rows = [(symbol, [rule.by_symbol.get(symbol, 0) for rule in rules]) for symbol in symbols]
    return sorted(((symbol, cells, sum(cells)) for symbol, cells in rows), key=lambda row: (-row[2], row[0]))


def _drawn(timeline: Timeline) -> list[TimelineRow]:
    """The worst symbols, as many as the page can draw."""
    drawn: list[TimelineRow] = []
    marks = 0
    for row in timeline.rows[:TIMELINE_ROWS]:
        marks += len(pictures.timeline_marks(timeline, row.events))
        if drawn and marks > TIMELINE_MARKS:
            break
        drawn.append(row)
    return drawn


def _worst_events(timeline: Timeline) -> list[tuple[str, TimelineEvent]]:
    events = [(row.symbol, event) for row in timeline.rows for event in row.events]
    return sorted(events, key=lambda item: (WEIGHT[item[1].kind], -abs(item[1].amount), item[0]))[:EVENTS_LISTED]


def write_report(path: Path, text: str) -> Path:
    """Write a page or its JSON whole or not at all, making its folder; returns the path.

    Raises
    ------
    OSError
        The folder or the file cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with naming(temporary):
            temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


def file_of(folder: Path, start: dt.date, end: dt.date | None, suffix: str) -> Path:
    """Where a report is put: ``<date>.html`` or ``<start>_<end>.html``."""
    return folder / (f"{start}{suffix}" if end is None else f"{start}_{end}{suffix}")


def write_date_report(folder: Path, found: DateQualityReport) -> Path:
    """Write a date's page and, beside it, the same as JSON; the page's path. Raises ``OSError``."""
    page = write_report(file_of(folder, found.date, None, ".html"), date_page(found))
    write_report(file_of(folder, found.date, None, ".json"), found.model_dump_json(indent=2))
    return page

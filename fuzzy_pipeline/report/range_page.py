"""The report of a range of dates as one HTML page; dates link to their own pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from fuzzy_pipeline.report.contents import RangeReport, TrendPoint
from fuzzy_pipeline.report.page import render


def range_page(report: RangeReport, *, folder: str = "") -> str:
    """The page of a range; ``folder`` as in ``date_page``."""
    return render(
        "range.html.j2",
        report=report,
        folder=folder,
        months=months(report.dates),
        checks_ran=any(point.checks_ran for point in report.dates),
    )


def months(points: Sequence[TrendPoint]) -> list[tuple[str, list[TrendPoint | None]]]:
    """Dates by month, as cells of weeks from Monday to Friday; None is a weekday without a point.

    Examples
    --------
    The first trading date of May 2024 is a Wednesday, so two cells stay empty.

    >>> point = TrendPoint(date=dt.date(2024, 5, 1), verdict="missing", sentence="", checks_ran=False, symbols=0,
    ...     ticks=None, set_aside=None, set_aside_share=None, score_median=None, score_least=None, errors=0,
    ...     warnings=0, could_not_run=0, page=None)
    >>> [(title, [cell and cell.date.day for cell in cells]) for title, cells in months([point])]
    [('May 2024', [None, None, 1])]
    """
    found: dict[tuple[int, int], dict[int, TrendPoint]] = {}
    for point in points:
        found.setdefault((point.date.year, point.date.month), {})[point.date.day] = point
    return [(f"{dt.date(year, month, 1):%B %Y}", _cells(year, month, days)) for (year, month), days in found.items()]


def _cells(year: int, month: int, days: dict[int, TrendPoint]) -> list[TrendPoint | None]:
    first = min(days)
    weekday = dt.date(year, month, first).weekday()
    weekdays = [day for day in range(first, max(days) + 1) if dt.date(year, month, day).weekday() < 5]
    return [None] * weekday + [days.get(day) for day in weekdays]

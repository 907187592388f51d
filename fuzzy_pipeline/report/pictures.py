"""Pictures of the reports as inline SVG: places across are per cents, so that they fit a phone and a sheet of paper.

Belongs here: marks, lines and their scales. Words beside them are in the templates; colours in ``style.html.j2``.
Pictures that carry marks of several kinds give each its own shape as well as its colour.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from fuzzy_pipeline.report.contents import Comparison, EventKind, Timeline, TimelineEvent, TimelineRow, TrendPoint
from fuzzy_pipeline.report.wording import clock, count

ROW_PX = 24
TREND_PX = 76
_MARKS_PER_KIND = 150
"""Marks of one kind nearer to each other than this part of the width become one: the page must stay small."""

_DOUBLINGS = 3.0
"""A ratio axis goes from an eighth to eight times."""

_BINS = 48
_DOTS = 120
"""A line over more dates has no dots."""

_NOUNS: dict[EventKind, tuple[str, str]] = {
    "unexplained": ("min unexplained", "min unexplained"),
    "lost_ticks": ("lost tick", "lost ticks"),
    "halt": ("min halted", "min halted"),
    "volume_step": ("volume step", "volume steps"),
    "crossed": ("crossed market", "crossed markets"),
    "id_gap": ("id gap without volume", "id gaps without volume"),
    "no_trade": ("min without a trade", "min without a trade"),
}


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark on a line: a place, or a stretch, in per cent of the width."""

    left: float
    width: float
    kind: str
    text: str


def _svg(content: Markup, height: int, label: str, css: str) -> Markup:
    return Markup('<svg class="{}" width="100%" height="{}" role="img" aria-label="{}">{}</svg>').format(
        css, height, label, content
    )


def _joined(parts: Iterator[Markup] | Sequence[Markup]) -> Markup:
    return Markup("").join(parts)


def _per_cent(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") + "%"


# -- gaps over the day ---------------------------------------------------------------


def timeline_axis(timeline: Timeline) -> Markup:
    """Hours along the top of the timeline; every second one can be left out on a phone."""
    hours = _hours(timeline)
    labels = [
        Markup('<text x="{}" y="11" class="{}">{}</text>').format(
            _per_cent(_place(timeline, hour)), "odd" if number % 2 else "even", f"{hour:%H:%M}"
        )
        for number, hour in enumerate(hours)
    ]
    return Markup('<svg class="axis" width="100%" height="16" aria-hidden="true">{}</svg>').format(_joined(labels))


def timeline_row(timeline: Timeline, row: TimelineRow) -> Markup:
    """One symbol's marks over the day: silences as boxes, lost ticks as diamonds, crossed quotes as a line below."""
    middle = ROW_PX / 2
    left, right = _place(timeline, timeline.open), _place(timeline, timeline.close)
    parts = [
        Markup('<rect class="session" x="{}" width="{}" y="3" height="{}"/>').format(
            _per_cent(left), _per_cent(right - left), ROW_PX - 6
        ),
        *(
            Markup('<line class="hour" x1="{0}" x2="{0}" y1="3" y2="{1}"/>').format(
                _per_cent(_place(timeline, hour)), ROW_PX - 3
            )
            for hour in _hours(timeline)
        ),
    ]
    for mark in timeline_marks(timeline, row.events):
        x, title = _per_cent(mark.left), Markup("<title>{}</title>").format(mark.text)
        if mark.kind in ("lost_ticks", "id_gap", "volume_step"):
            shape = "M0-6 6 0 0 6-6 0Z" if mark.kind != "volume_step" else "M0-5 5 4-5 4Z"
            # A nested svg puts a shape of fixed size at a place in per cent.
            parts.append(
                Markup('<svg x="{}" y="{}" overflow="visible"><path class="{}" d="{}">{}</path></svg>').format(
                    x, middle, mark.kind, shape, title
                )
            )
        else:
            top, height = (ROW_PX - 6, 4) if mark.kind == "crossed" else (5, ROW_PX - 12)
            parts.append(
                Markup('<rect class="{}" x="{}" width="{}" y="{}" height="{}">{}</rect>').format(
                    mark.kind, x, _per_cent(max(mark.width, 0.15)), top, height, title
                )
            )
    return _svg(_joined(parts), ROW_PX, f"{row.symbol}: {len(row.events)} events", "track")


def timeline_marks(timeline: Timeline, events: Sequence[TimelineEvent]) -> list[Mark]:
    """Marks of the events, those of one kind that would lie on each other joined; silences first, so lowest."""
    kinds: tuple[EventKind, ...] = (
        "no_trade", "halt", "unexplained", "crossed", "id_gap", "volume_step", "lost_ticks",
    )  # fmt: skip
    marks = []
    for kind in kinds:
        chosen = [event for event in events if event.kind == kind]
        cells = itertools.groupby(chosen, lambda event: int(_place(timeline, event.start) / 100 * _MARKS_PER_KIND))
        for _, found in cells:
            group = list(found)
            left = _place(timeline, group[0].start)
            right = max(_place(timeline, event.end) for event in group)
            text = group[0].text if len(group) == 1 else f"{len(group)} together; first: {group[0].text}"
            marks.append(Mark(left, right - left, kind, text))
    return marks


def _place(timeline: Timeline, instant: dt.datetime) -> float:
    whole = (timeline.end - timeline.start).total_seconds()
    return min(100.0, max(0.0, 100 * (instant - timeline.start).total_seconds() / whole))


def _hours(timeline: Timeline) -> list[dt.datetime]:
    step = dt.timedelta(hours=1)
    first = timeline.start.replace(minute=0, second=0, microsecond=0)
    return [hour for n in range(25) if timeline.start < (hour := first + n * step) < timeline.end]


# -- values beside their own past -----------------------------------------------------


def ratio_place(ratio: float) -> float:
    """Place of a ratio on an axis from an eighth to eight times, 2 to 98 per cent; beyond it at the ends."""
    doublings = math.log2(ratio) if ratio > 0 else -_DOUBLINGS
    return 2 + 96 * (min(_DOUBLINGS, max(-_DOUBLINGS, doublings)) + _DOUBLINGS) / (2 * _DOUBLINGS)


def score_place(value: float, least: float) -> float:
    """Place of a score on an axis from the least one drawn to 1, 2 to 98 per cent."""
    return 2 + 96 * (value - least) / (1 - least)


def score_axis_start(comparison: Comparison) -> float:
    """Where the axis of the scores begins: 0.6, or lower in steps of 0.1 where a score is."""
    lowest = min((value.value for value in comparison.values), default=1.0)
    return max(0.0, min(0.6, math.floor(lowest * 10) / 10))


def ratio_axis() -> Markup:
    """Labels of the ratio axis."""
    labels = ((1 / 8, "⅛×"), (1 / 4, "¼×"), (1 / 2, "½×"), (1.0, "usual"), (2.0, "2×"), (4.0, "4×"), (8.0, "8×"))
    return _axis([(ratio_place(ratio), text) for ratio, text in labels])


def score_axis(least: float) -> Markup:
    """Labels of the axis of scores: its ends and the bounds of the levels."""
    marks = [value for value in (least, 0.7, 0.85, 0.95) if value >= least]
    return _axis([(score_place(value, least), f"{value:g}") for value in marks] + [(98, "1")])


def _axis(labels: Sequence[tuple[float, str]]) -> Markup:
    parts = [
        Markup('<text x="{}" y="11" class="{}">{}</text>').format(
            _per_cent(place), "start" if place < 5 else "end" if place > 95 else "mid", text
        )
        for place, text in labels
    ]
    return Markup('<svg class="axis" width="100%" height="15" aria-hidden="true">{}</svg>').format(_joined(parts))


def ratio_line(ratio: float, least: float | None, greatest: float | None, outside: bool, label: str) -> Markup:
    """A dot at today's ratio to the usual value, over the stretch of the earlier dates (ratios, too)."""
    parts = [_rule(ratio_place(1.0), 18)]
    if least is not None and greatest is not None:
        left, right = ratio_place(least), ratio_place(greatest)
        parts.append(
            Markup('<rect class="past" x="{}" width="{}" y="6" height="6" rx="3"/>').format(
                _per_cent(left), _per_cent(max(right - left, 0.4))
            )
        )
    parts.append(_dot(ratio_place(ratio), 9, outside))
    return _svg(_joined(parts), 18, label, "line")


def score_line(value: float, least: float, outside: bool, label: str) -> Markup:
    """A dot at a score, with the bounds of the levels."""
    bounds = [_rule(score_place(bound, least), 18) for bound in (0.7, 0.85, 0.95) if bound > least]
    return _svg(_joined([*bounds, _dot(score_place(value, least), 9, outside)]), 18, label, "line")


def _rule(place: float, height: int) -> Markup:
    return Markup('<line class="rule" x1="{0}" x2="{0}" y1="0" y2="{1}"/>').format(_per_cent(place), height)


def _dot(place: float, y: int, outside: bool) -> Markup:
    if outside:  # a square, so that it is told from the others without its colour
        return Markup(
            '<svg x="{}" y="{}" overflow="visible"><rect class="out" x="-5" y="-5" width="10" height="10"/></svg>'
        ).format(_per_cent(place), y)
    return Markup('<circle class="in" cx="{}" cy="{}" r="4.5"/>').format(_per_cent(place), y)


def columns(places: Sequence[float], names: Sequence[str], outside: Sequence[bool], label: str) -> Markup:
    """How many symbols lie where on an axis: columns, with those out of bounds on top in another pattern."""
    height, per = 64, 100 / _BINS
    cells: dict[int, list[tuple[bool, str]]] = {}
    for place, name, is_out in zip(places, names, outside, strict=True):
        cells.setdefault(min(_BINS - 1, int(place / per)), []).append((is_out, name))
    tallest = max((len(cell) for cell in cells.values()), default=1)
    parts = []
    for number, cell in sorted(cells.items()):
        x, unit = _per_cent(number * per + 0.1), (height - 12) / tallest
        bad = sum(is_out for is_out, _ in cell)
        listed = ", ".join(name for _, name in cell[:8]) + (" …" if len(cell) > 8 else "")
        title = Markup("<title>{}: {}</title>").format(count(len(cell), "symbol"), listed)
        for css, rows, below in (("in", len(cell) - bad, 0), ("out", bad, len(cell) - bad)):
            if rows:
                y = height - (below + rows) * unit
                parts.append(
                    Markup('<rect class="{}" x="{}" width="{}" y="{}" height="{}">{}</rect>').format(
                        css, x, _per_cent(per - 0.2), f"{y:.1f}", f"{max(rows * unit, 1.5):.1f}", title
                    )
                )
    parts.append(Markup('<line class="base" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(height))
    return _svg(_joined(parts), height + 1, label, "columns")


# -- over dates ---------------------------------------------------------------------


def trend_line(
    points: Sequence[TrendPoint],
    value: Callable[[TrendPoint], float | None],
    label: str,
    low: float,
    high: float,
    write: Callable[[float | None], str],
) -> Markup:
    """A line over dates from ``low`` to ``high``; a date without a value breaks it, the last known dot is larger."""
    found = [value(point) for point in points]
    span = (high - low) or 1.0
    spots = [
        (100 * (number + 0.5) / len(points), TREND_PX - 6 - (TREND_PX - 12) * (known - low) / span)
        if known is not None
        else None
        for number, known in enumerate(found)
    ]
    parts = [Markup('<line class="base" x1="0" x2="100%" y1="{0}" y2="{0}"/>').format(TREND_PX - 1)]
    parts.extend(
        Markup('<line class="stroke" x1="{}" y1="{:.1f}" x2="{}" y2="{:.1f}"/>').format(
            _per_cent(one[0]), one[1], _per_cent(two[0]), two[1]
        )
        for one, two in itertools.pairwise(spots)
        if one is not None and two is not None
    )
    last = max((number for number, spot in enumerate(spots) if spot is not None), default=-1)
    for number, spot in enumerate(spots):
        if spot is not None and (len(points) <= _DOTS or number == last):
            css, radius = ("dot last", 5) if number == last else ("dot", 2.5)
            parts.append(
                Markup('<circle class="{}" cx="{}" cy="{:.1f}" r="{}"><title>{}: {}</title></circle>').format(
                    css, _per_cent(spot[0]), spot[1], radius, points[number].date, write(found[number])
                )
            )
    return _svg(_joined(parts), TREND_PX, label, "trend")


def bar(share: float) -> Markup:
    """A bar over part of the width."""
    return Markup(
        '<svg class="line" width="100%" height="18" aria-hidden="true">'
        '<rect class="bar" y="5" width="{}" height="8" rx="2"/></svg>'
    ).format(_per_cent(max(0.5, 100 * share)))


def event_summary(row: TimelineRow) -> str:
    """A symbol's gaps in words, the worst kind first: what the picture shows, for those who cannot see it."""
    parts = []
    for kind, (one, many) in _NOUNS.items():
        events = [event for event in row.events if event.kind == kind]
        if events:
            summed = kind in ("unexplained", "halt", "no_trade", "lost_ticks")
            amount = round(sum(event.amount for event in events)) if summed else len(events)
            parts.append(count(amount, one, many))
    return " · ".join(parts) + (" · and more than listed" if row.cut else "")


def event_time(event: TimelineEvent) -> str:
    """When an event was, as a clock time or two."""
    return clock(event.start) if event.start == event.end else f"{clock(event.start)}–{clock(event.end)}"

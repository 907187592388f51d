"""One panel of the comparison with earlier dates: a line per symbol, and columns when there are many.

Belongs here: which symbols a panel shows and how; the marks are in ``pictures``.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from markupsafe import Markup

from fuzzy_pipeline.report import pictures
from fuzzy_pipeline.report.contents import ComparedValue, Comparison
from fuzzy_pipeline.report.wording import bounds, count, number, score

LINES = 12
"""Symbols with a line of their own; of more, those furthest from usual."""


def panel(comparison: Comparison) -> Markup:
    """The inside of a figure: heading, columns of all symbols when they are many, lines of the furthest."""
    return _scores(comparison) if comparison.name == "score" else _ratios(comparison)


def _ratios(comparison: Comparison) -> Markup:
    write = _number if comparison.name == "spread" else _whole
    known = [(value, value.ratio) for value in comparison.values if value.ratio is not None and value.ratio > 0]
    without = len(comparison.values) - len(known)
    if not known:
        return _heading(comparison, "") + _plain(comparison, write)

    def is_out(ratio: float) -> bool:
        low, high = comparison.minimum, comparison.maximum
        return (low is not None and ratio < low) or (high is not None and ratio > high)

    furthest = sorted(known, key=lambda item: (-abs(math.log(item[1])), item[0].symbol))[:LINES]
    lines = [
        _line(
            value.symbol,
            pictures.ratio_line(
                ratio, _over(value.least, value), _over(value.greatest, value), is_out(ratio),
                f"{value.symbol}: {ratio:.2f} times its usual {comparison.name}",
            ),
            f"×{_ratio(ratio)}",
            f"{write(value.value)} · usual {write(value.usual)}",
        )
        for value, ratio in furthest
    ]  # fmt: skip
    picture = Markup("")
    if len(known) > LINES:
        places = [pictures.ratio_place(ratio) for _, ratio in known]
        names = [value.symbol for value, _ in known]
        outside = [is_out(ratio) for _, ratio in known]
        label = f"How many symbols have which multiple of their usual {comparison.name}"
        picture = pictures.columns(places, names, outside, label) + pictures.ratio_axis() + _furthest(len(furthest))
    out = sum(is_out(ratio) for _, ratio in known)
    limits = bounds(comparison.minimum, comparison.maximum)
    note = f"{count(out, 'symbol')} out of bounds ({limits})" if limits else ""
    return _heading(comparison, note) + picture + _list(lines, pictures.ratio_axis()) + _missing(without)


def _scores(comparison: Comparison) -> Markup:
    values = comparison.values
    if not values:
        return _heading(comparison, "") + Markup('<p class="soft">No symbol has a score.</p>')
    least = pictures.score_axis_start(comparison)

    def is_out(value: float) -> bool:
        return comparison.minimum is not None and value < comparison.minimum

    worst = sorted(values, key=lambda value: (value.value, value.symbol))[:LINES]
    lines = [
        _line(
            value.symbol,
            pictures.score_line(value.value, least, is_out(value.value), f"{value.symbol}: {score(value.value)}"),
            score(value.value),
            f"usual {score(value.usual)}" if value.usual is not None else "",
        )
        for value in worst
    ]
    picture = Markup("")
    if len(values) > LINES:
        places = [pictures.score_place(value.value, least) for value in values]
        outside = [is_out(value.value) for value in values]
        names = [value.symbol for value in values]
        picture = pictures.columns(places, names, outside, "How many symbols have which score")
        picture += pictures.score_axis(least) + _furthest(len(worst), "The lowest")
    note = "levels: HIGH above 0.95, MEDIUM above 0.85, LOW above 0.70, else POOR"
    return _heading(comparison, note) + picture + _list(lines, pictures.score_axis(least))


def _plain(comparison: Comparison, write: Callable[[float | None], str]) -> Markup:
    """Without a past: today's values alone, and that there is no past."""
    if not comparison.values:
        return Markup('<p class="soft">Not known for any symbol.</p>')
    most = max(value.earlier_dates for value in comparison.values)
    told = f"Too few earlier dates to compare with ({most}); the values alone, largest first:"
    largest = sorted(comparison.values, key=lambda value: (-value.value, value.symbol))
    top = largest[0].value or 1.0
    lines = [_line(value.symbol, pictures.bar(value.value / top), write(value.value), "") for value in largest[:LINES]]
    more = len(largest) - len(lines)
    tail = Markup('<p class="small soft">and {}</p>').format(count(more, "more symbol")) if more else Markup("")
    return Markup('<p class="small soft">{}</p>').format(told) + _list(lines, Markup("")) + tail


def _heading(comparison: Comparison, note: str) -> Markup:
    unit = Markup('<figcaption><h3>{}<span class="soft">{}</span></h3>').format(comparison.title, comparison.unit)
    told = Markup('<p class="small soft">{}</p>').format(note) if note else Markup("")
    return unit + told + Markup("</figcaption>")


def _furthest(shown: int, which: str = "Furthest from usual") -> Markup:
    return Markup('<p class="small soft" style="margin-top:8px">{} ({})</p>').format(which, shown)


def _line(symbol: str, picture: Markup, value: str, beside: str) -> Markup:
    return Markup(
        '<li><span class="name">{}</span>{}<span class="val">{}</span><span class="beside">{}</span></li>'
    ).format(symbol, picture, value, beside)


def _list(lines: list[Markup], axis: Markup) -> Markup:
    last = Markup('<li aria-hidden="true"><span></span>{}<span></span><span></span></li>').format(axis) if axis else ""
    return Markup('<ul class="rows">{}{}</ul>').format(Markup("").join(lines), last)


def _missing(without: int) -> Markup:
    if not without:
        return Markup("")
    return Markup('<p class="small soft">{} without enough earlier dates.</p>').format(count(without, "symbol"))


def _over(past: float | None, value: ComparedValue) -> float | None:
    return past / value.usual if past is not None and value.usual else None


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 10 else f"{ratio:.0f}"


def _whole(value: float | None) -> str:
    return number(value)


def _number(value: float | None) -> str:
    return number(value, 2)

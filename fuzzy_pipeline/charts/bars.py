"""Pictures of bars: candlesticks, boxes over the trades they are made of, how long they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.charts.clock import clock_label, eastern, round_instants
from fuzzy_pipeline.charts.figure import DOWN, INK, UP, columns, panel, panels, png
from fuzzy_pipeline.schema.arrays import Arrays

MOST_BOXES = 120
"""Bars drawn over their ticks: of the series nearest to 80 bars, as a rule the whole session."""


def candlestick_png(bars: Arrays, title: str) -> bytes:
    """Candlesticks over volume, 720 × 340 pixels.

    Parameters
    ----------
    bars : Arrays
        One series of bars: ``bar_start``, ``open``, ``high``, ``low``, ``close`` [USD], ``volume`` [shares],
        ``vwap`` [USD]. Bars without a price are left out.
    title : str

    Returns
    -------
    bytes
        A PNG file.
    """
    known = ~np.isnan(bars["close"])
    place = np.arange(len(known))[known]
    opening, close = bars["open"][known], bars["close"][known]
    color = np.where(close >= opening, UP, DOWN)
    figure, (price, volume) = panels(title, (3, 1))
    price.vlines(place, bars["low"][known], bars["high"][known], color=color, linewidth=1)
    body = np.maximum(np.abs(close - opening), (bars["high"][known] - bars["low"][known]).max(initial=0.0) * 0.004)
    columns(price, place - 0.35, body, bottom=np.minimum(opening, close), color=color, width=0.7)
    price.plot(place, bars["vwap"][known], color=INK, linewidth=0.8, alpha=0.7, label="vwap of each bar")
    price.legend(loc="best", fontsize=7, frameon=False)
    price.set_ylabel("USD", fontsize=8)
    columns(volume, place - 0.35, bars["volume"][known] / 1000, color=color, width=0.7)
    volume.set_ylabel("1,000 shares", fontsize=8)
    starts = bars["bar_start"]
    if len(starts):
        marks, labels = time_marks(starts[0], starts[-1])
        volume.set_xticks(np.interp(marks, starts.astype(np.int64), np.arange(len(starts))), labels)
    return png(figure)


def time_marks(first: np.datetime64, last: np.datetime64) -> tuple[NDArray[np.int64], list[str]]:
    """Round times of day as nanoseconds and their labels; of less than two minutes, both ends to the second."""
    marks = round_instants(first, last)
    if len(marks) > 1:
        return marks.astype(np.int64), [clock_label(mark) for mark in marks]
    ends = np.unique(np.array([first, last], dtype="datetime64[ns]"))
    return ends.astype(np.int64), [f"{end:%H:%M:%S}" for end in eastern(ends)]


def bars_over_ticks_png(bars: Arrays, ticks: Arrays, title: str, *, most: int = MOST_BOXES) -> bytes:
    """The first bars of a series as boxes over the trades they are made of, 720 × 340 pixels.

    Parameters
    ----------
    bars : Arrays
        One series of bars: ``bar_start``, ``timestamp``, ``open``, ``high``, ``low``, ``close`` [USD].
    ticks : Arrays
        Ticks of the same day: ``timestamp``, ``price`` [USD], ``is_qualified``: those are drawn.
    title : str
        How many of the bars are drawn is added when it is not all.
    most : int
        Bars to draw.

    Returns
    -------
    bytes
        A PNG file.
    """
    from matplotlib.collections import LineCollection, PolyCollection

    shown = {
        name: bars[name][:most].astype(np.float64)
        for name in ("bar_start", "timestamp", "open", "high", "low", "close")
    }
    start, end = shown["bar_start"], shown["timestamp"]
    when = ticks["timestamp"].astype(np.int64)
    inside = ticks["is_qualified"] & (when >= start[0]) & (when <= end[-1])
    count = len(bars["bar_start"])
    figure, axes = panel(title if count <= most else f"{title}, first {most:,} of {count:,} bars")
    axes.plot(when[inside], ticks["price"][inside], color=INK, linewidth=0.5, alpha=0.55, drawstyle="steps-post")
    priced = ~np.isnan(shown["close"])
    left, right, low, high = (array[priced] for array in (start, end, shown["low"], shown["high"]))
    right = np.maximum(right, left + (end[-1] - start[0]) / 700)  # a bar within one instant stays visible
    corners = np.stack([left, low, left, high, right, high, right, low], axis=1).reshape(-1, 4, 2)
    opening, close = shown["open"][priced], shown["close"][priced]
    color = np.where(close >= opening, UP, DOWN)
    axes.add_collection(PolyCollection(list(corners), facecolor=color, edgecolor=color, alpha=0.28, linewidth=0.8))
    marks = np.stack([left, close, right, close], axis=1).reshape(-1, 2, 2)
    axes.add_collection(LineCollection(list(marks), colors=color, linewidth=1.6))
    axes.set_xticks(*time_marks(bars["bar_start"][0], bars["timestamp"][:most][-1]))
    axes.set_ylabel("USD", fontsize=8)
    return png(figure)


def bar_lengths_png(lengths: Mapping[str, NDArray[Any]], title: str) -> bytes:
    """How many ticks the bars of each series have: boxes from 25 to 75 %, whiskers from 5 to 95 %, 720 × 340 pixels.

    Parameters
    ----------
    lengths : mapping of int[n]
        Ticks of each bar, by series; series without bars are left out.
    title : str

    Returns
    -------
    bytes
        A PNG file.
    """
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    found = {name: ticks for name, ticks in lengths.items() if len(ticks)}
    figure, axes = panel(title)
    if found:
        drawn = axes.boxplot(
            [np.maximum(ticks, 1) for ticks in found.values()],
            tick_labels=list(found), whis=(5, 95), showfliers=False, patch_artist=True,
            medianprops={"color": INK},
        )  # fmt: skip
        for box in drawn["boxes"]:
            box.set(facecolor=UP, alpha=0.35, edgecolor=UP)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("ticks per bar", fontsize=8)
    axes.tick_params(axis="x", rotation=25 if len("".join(found)) > 60 else 0)
    return png(figure)

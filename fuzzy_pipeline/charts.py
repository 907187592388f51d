"""Pictures: PNG files for the web UI and the docs, and lines in the terminal.

Belongs here: drawing arrays. What is drawn is chosen by the caller.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.trading_calendar import EASTERN

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_UP, _DOWN, _INK, _GRID = "#2a9d8f", "#d1495b", "#33415c", "#e4e7ec"


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
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    known = ~np.isnan(bars["close"])
    place = np.arange(len(known))[known]
    opening, close = bars["open"][known], bars["close"][known]
    color = np.where(close >= opening, _UP, _DOWN)
    figure = Figure(figsize=(7.2, 3.4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    price, volume = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    price.vlines(place, bars["low"][known], bars["high"][known], color=color, linewidth=1)
    body = np.maximum(np.abs(close - opening), (bars["high"][known] - bars["low"][known]).max(initial=0.0) * 0.004)
    price.bar(place, body, bottom=np.minimum(opening, close), color=color, width=0.7)
    price.plot(place, bars["vwap"][known], color=_INK, linewidth=0.8, alpha=0.7, label="vwap of each bar")
    price.legend(loc="best", fontsize=7, frameon=False)
    price.set_title(title, fontsize=10, loc="left", color=_INK)
    price.set_ylabel("USD", fontsize=8)
    volume.bar(place, bars["volume"][known] / 1000, color=color, width=0.7)
    volume.set_ylabel("1,000 shares", fontsize=8)
    ticks = place[:: max(1, len(place) // 8)]
    volume.set_xticks(ticks, [clock_label(instant) for instant in bars["bar_start"][ticks]])
    for axes in (price, volume):
        _plain(axes)
    return _png(figure)


def bars_over_ticks_png(bars: Arrays, ticks: Arrays, title: str, *, most: int = 60) -> bytes:
    """The first bars of a series as boxes over the trades they are made of, 720 × 340 pixels.

    Parameters
    ----------
    bars : Arrays
        One series of bars: ``bar_start``, ``timestamp``, ``open``, ``high``, ``low``, ``close`` [USD].
    ticks : Arrays
        Ticks of the same day: ``timestamp``, ``price`` [USD], ``is_qualified``: those are drawn.
    title : str
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
    figure, axes = _figure(title)
    axes.plot(when[inside], ticks["price"][inside], color=_INK, linewidth=0.5, alpha=0.55, drawstyle="steps-post")
    priced = ~np.isnan(shown["close"])
    left, right, low, high = (array[priced] for array in (start, end, shown["low"], shown["high"]))
    right = np.maximum(right, left + (end[-1] - start[0]) / 700)  # a bar within one instant stays visible
    corners = np.stack([left, low, left, high, right, high, right, low], axis=1).reshape(-1, 4, 2)
    opening, close = shown["open"][priced], shown["close"][priced]
    color = np.where(close >= opening, _UP, _DOWN)
    axes.add_collection(PolyCollection(list(corners), facecolor=color, edgecolor=color, alpha=0.28, linewidth=0.8))
    marks = np.stack([left, close, right, close], axis=1).reshape(-1, 2, 2)
    axes.add_collection(LineCollection(list(marks), colors=color, linewidth=1.6))
    places = np.linspace(start[0], end[-1], 8).astype(np.int64)
    axes.set_xticks(places, [clock_label(instant) for instant in places.view("datetime64[ns]")])
    axes.set_ylabel("USD", fontsize=8)
    return _png(figure)


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
    figure, axes = _figure(title)
    if found:
        drawn = axes.boxplot(
            [np.maximum(ticks, 1) for ticks in found.values()],
            tick_labels=list(found), whis=(5, 95), showfliers=False, patch_artist=True,
            medianprops={"color": _INK},
        )  # fmt: skip
        for box in drawn["boxes"]:
            box.set(facecolor=_UP, alpha=0.35, edgecolor=_UP)
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_ylabel("ticks per bar", fontsize=8)
    axes.tick_params(axis="x", rotation=25 if len("".join(found)) > 60 else 0)
    return _png(figure)


def intraday_png(
    labels: Sequence[str], volume_share: NDArray[np.float64], spread: NDArray[np.float64], title: str
) -> bytes:
    """Share of volume as columns and mean spread as a line over the parts of a session, 720 × 340 pixels.

    Parameters
    ----------
    labels : sequence of str
        One per part.
    volume_share : float64[n]
        [1] NaN is left out.
    spread : float64[n]
        [USD] NaN leaves a gap; without any spread there is no line.
    title : str

    Returns
    -------
    bytes
        A PNG file.
    """
    figure, axes = _figure(title)
    place = np.arange(len(labels))
    axes.bar(place, 100 * np.nan_to_num(volume_share), color=_UP, alpha=0.45, width=0.7)
    axes.set_xticks(place, list(labels))
    axes.set_ylabel("% of volume", fontsize=8)
    if not np.isnan(spread).all():
        right = axes.twinx()
        right.plot(place, spread, color=_INK, marker="o", markersize=4, linewidth=1.2, label="mean spread")
        right.set_ylim(0, 1.25 * float(np.nanmax(spread)) or 1)  # locked quotes alone have a spread of 0
        right.set_ylabel("USD", fontsize=8)
        right.tick_params(labelsize=7)
        right.spines["top"].set_visible(False)
        right.legend(loc="best", fontsize=7, frameon=False)
    return _png(figure)


def shares_png(shares: Mapping[str, float], title: str) -> bytes:
    """Shares of a whole as horizontal bars with their names, in the order given from the top, 720 × 340 pixels.

    Parameters
    ----------
    shares : mapping of float
        Share by name. [1]
    title : str

    Returns
    -------
    bytes
        A PNG file.
    """
    figure, axes = _figure(title)
    names, values = list(shares), [100 * share for share in shares.values()]
    drawn = axes.barh(np.arange(len(names)), values, color=_UP, alpha=0.6)
    axes.bar_label(drawn, labels=[f"{value:.1f} %" for value in values], fontsize=7, padding=3, color=_INK)
    axes.set_yticks(np.arange(len(names)), [name.replace("_", " ") for name in names])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(values, default=1))
    axes.set_xlabel("%", fontsize=8)
    return _png(figure)


def _figure(title: str) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.2, 3.4), dpi=100, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(title, fontsize=10, loc="left", color=_INK)
    _plain(axes)
    return figure, axes


def _plain(axes: Axes) -> None:
    axes.tick_params(labelsize=7)
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _png(figure: Figure) -> bytes:
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()


def clock_label(instant: np.datetime64) -> str:
    """Eastern wall-clock time of a UTC instant as ``HH:MM``."""
    return eastern(np.array([instant]))[0].strftime("%H:%M")


def eastern(instants: NDArray[np.datetime64]) -> list[dt.datetime]:
    """Eastern ``datetime`` objects of UTC instants."""
    return [
        dt.datetime.fromtimestamp(int(value) / 1e9, dt.UTC).astimezone(EASTERN)
        for value in instants.astype("datetime64[ns]").astype(np.int64)
    ]


def terminal_plot(values: NDArray[np.float64], labels: list[str], title: str) -> str:
    """A plot of values over their labels as plain text, 100 columns wide.

    Parameters
    ----------
    values : float64[n]
        NaN is left out.
    labels : list of str
        One per value; about six are shown.
    title : str
    """
    import plotext
    from rich.text import Text

    place = np.flatnonzero(~np.isnan(values))
    step = max(1, len(labels) // 6)
    figure = plotext.figure
    figure.clear()
    figure.draw(figure.signal(place.tolist(), values[place].tolist()))
    figure.ruler("x").ticks(list(range(0, len(labels), step)), labels[::step])
    figure.title(title)
    figure.theme("colorless")
    figure.plot_size(100, 24)
    return Text.from_ansi(str(figure.build())).plain  # without colours it still writes escape codes

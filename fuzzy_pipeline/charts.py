"""Pictures: candlesticks as PNG for the web UI, and lines in the terminal.

Belongs here: drawing arrays. What is drawn is chosen by the caller.
"""

from __future__ import annotations

import datetime as dt
import io

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.trading_calendar import EASTERN

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
        axes.tick_params(labelsize=7)
        axes.grid(color=_GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
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

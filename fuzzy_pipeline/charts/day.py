"""Pictures of one symbol's day: its parts, venues, order flow, spread and volume by minute."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.charts.clock import clock_label, round_instants
from fuzzy_pipeline.charts.figure import (
    DOWN,
    INK,
    NEUTRAL,
    UP,
    columns,
    panel,
    panels,
    png,
    right_axes,
    write_large_numbers,
)  # fmt: skip

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEPS = (1, 2, 3, 5, 6, 10, 12, 15, 20, 30, 60, 120, 240)
_MOST_LABELS = 14
_MINUTE = np.timedelta64(60, "s")


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
    figure, axes = panel(title)
    place = np.arange(len(labels))
    columns(axes, place - 0.35, 100 * np.nan_to_num(volume_share), color=UP, alpha=0.45, width=0.7)
    axes.set_xticks(place, list(labels))
    axes.set_ylabel("% of volume", fontsize=8)
    if not np.isnan(spread).all():
        right = right_axes(axes, "USD")
        right.plot(place, spread, color=INK, marker="o", markersize=4, linewidth=1.2, label="mean spread")
        right.set_ylim(0, 1.25 * float(np.nanmax(spread)) or 1)  # locked quotes alone have a spread of 0
        right.legend(loc="best", fontsize=7, frameon=False)
    return png(figure)


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
    figure, axes = panel(title)
    names, values = list(shares), [100 * share for share in shares.values()]
    drawn = axes.barh(np.arange(len(names)), values, color=UP, alpha=0.6)
    axes.bar_label(drawn, labels=[f"{value:.1f} %" for value in values], fontsize=7, padding=3, color=INK)
    axes.set_yticks(np.arange(len(names)), [name.replace("_", " ") for name in names])
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(values, default=1))
    axes.set_xlabel("%", fontsize=8)
    return png(figure)


def signed_flow_png(
    labels: Sequence[str],
    buy: NDArray[np.float64],
    sell: NDArray[np.float64],
    neutral: NDArray[np.float64],
    title: str,
) -> bytes:
    """Volume by who started the trades, bought up and sold down, with its running balance, 720 × 340 pixels.

    Volume of unknown side is grey and lies half above and half below, so that a column is as long as the whole volume.

    Parameters
    ----------
    labels : sequence of str
        One per part of the session; about fourteen are written.
    buy, sell, neutral : float64[n]
        Buyer-initiated, seller-initiated volume and that of unknown side; NaN counts as none. [shares]
    title : str

    Returns
    -------
    bytes
        A PNG file.
    """
    bought, sold, unknown = (np.nan_to_num(volume.astype(np.float64)) for volume in (buy, sell, neutral))
    figure, axes = panel(title)
    place = np.arange(len(labels))
    # Hundreds of columns without gaps between them: gaps of less than a pixel would come and go.
    width = 0.8 if len(labels) <= 80 else 1.0
    left = place - width / 2
    columns(axes, left, bought, color=UP, width=width, label="bought")
    columns(axes, left, -sold, color=DOWN, width=width, label="sold")
    columns(axes, left, unknown / 2, bottom=bought, color=NEUTRAL, width=width, label="side unknown")
    columns(axes, left, -unknown / 2, bottom=-sold, color=NEUTRAL, width=width)
    axes.axhline(0, color=INK, linewidth=0.6)
    longest = 1.3 * float((np.maximum(bought, sold) + unknown / 2).max(initial=0)) or 1.0
    axes.set_ylim(-longest, longest)
    write_large_numbers(axes, np.array([longest]), signless=True)
    axes.set_ylabel("shares", fontsize=8)
    step = next((step for step in _STEPS if len(labels) <= step * _MOST_LABELS), _STEPS[-1])
    axes.set_xticks(place[::step], labels[::step])
    balance = np.cumsum(bought - sold)
    right = right_axes(axes, "bought − sold since the start")
    right.plot(place, balance, color=INK, linewidth=1.4, label="bought − sold since the start (right)")
    # Zero at the same height on both sides.
    widest = 1.3 * float(np.abs(balance).max(initial=0)) or 1.0
    right.set_ylim(-widest, widest)
    write_large_numbers(right, balance)
    handles = [*axes.get_legend_handles_labels()[0], *right.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside lower center", ncols=4, fontsize=7, frameon=False)
    return png(figure)


def spread_and_volume_png(
    minutes: NDArray[np.datetime64], spread_bps: NDArray[np.float64], volume: NDArray[np.float64], title: str
) -> bytes:
    """Spread by minute over volume by minute, 720 × 340 pixels.

    Parameters
    ----------
    minutes : datetime64[ns][n]
        Starts of the minutes, in order; those without trades may be absent. [UTC]
    spread_bps : float64[n]
        Mean spread of each minute; NaN leaves a gap. [bps]
    volume : float64[n]
        [shares] NaN is left out.
    title : str

    Returns
    -------
    bytes
        A PNG file.
    """
    figure, (upper, lower) = panels(title, (3, 2))
    upper.set_ylabel("spread [bps]", fontsize=8)
    lower.set_ylabel("shares", fontsize=8)
    if not len(minutes):
        return png(figure)
    place = ((minutes - minutes[0]) // _MINUTE).astype(np.int64)
    width = int(place[-1]) + 1
    by_minute = np.full(width, np.nan)
    by_minute[place] = spread_bps
    upper.step(np.arange(width), by_minute, where="post", color=INK, linewidth=1)
    upper.set_ylim(0, 1.1 * float(np.nan_to_num(by_minute).max()) or 1)
    if np.isnan(by_minute).all():
        upper.text(0.5, 0.5, "no spread known", transform=upper.transAxes, ha="center", fontsize=8, color=INK)
        upper.set_yticks([])
    _volume_columns(lower, place, np.nan_to_num(volume.astype(np.float64)))
    marks = round_instants(minutes[0], minutes[-1])
    lower.set_xticks((marks - minutes[0]) / _MINUTE, [clock_label(instant) for instant in marks])
    lower.set_xlim(-0.01 * width, 1.01 * width)
    return png(figure)


def _volume_columns(axes: Axes, place: NDArray[np.int64], volume: NDArray[np.float64]) -> None:
    """Columns of volume; where an auction would press all others flat, its column is cut and that is said."""
    columns(axes, place, volume, width=1, color=UP, alpha=0.75)
    write_large_numbers(axes, volume)
    usual, most = 1.5 * float(np.percentile(volume, 98)), float(volume.max())
    if 0 < usual < most / 2:
        cut = volume > usual
        axes.set_ylim(0, 1.15 * usual)
        axes.plot(place[cut] + 0.5, np.full(cut.sum(), 1.08 * usual), "^", color=INK, markersize=4)
        axes.set_title(f"▲ beyond the scale, up to {most:,.0f}", fontsize=7, loc="right", color=INK, pad=2)

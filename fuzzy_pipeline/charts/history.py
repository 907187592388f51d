"""Pictures of a measure over dates."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.charts.figure import DOWN, INK, UP, panel, png, write_large_numbers

_MOST_LABELS = 8


def measure_history_png(
    dates: Sequence[dt.date],
    values: NDArray[np.float64],
    band_low: NDArray[np.float64],
    band_high: NDArray[np.float64],
    title: str,
    *,
    unit: str = "",
) -> bytes:
    """A measure over trading dates with the band it usually lies in, 720 × 340 pixels; values outside are red.

    Parameters
    ----------
    dates : sequence of date
        Trading dates in order, drawn at equal distances.
    values : float64[n]
        NaN leaves a gap.
    band_low, band_high : float64[n]
        Bounds of the band, such as quartiles of earlier dates; no band where either is NaN.
    title : str
    unit : str
        Of the values, written beside them.

    Returns
    -------
    bytes
        A PNG file.
    """
    figure, axes = panel(title)
    place = np.arange(len(dates))
    if not np.isnan(band_low + band_high).all():
        axes.fill_between(
            place, band_low, band_high, color=UP, alpha=0.22, linewidth=0, label="usual, from earlier dates"
        )
    # Without markers a date between two gaps would not be seen.
    axes.plot(place, values, color=INK, linewidth=1.2, marker="o", markersize=2.5)
    outside = (values < band_low) | (values > band_high)
    if outside.any():
        axes.plot(
            place[outside], values[outside], color=DOWN, linestyle="none", marker="o", markersize=5, label="outside"
        )
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="best", fontsize=7, frameon=False)
    chosen = place[:: -(-len(dates) // _MOST_LABELS) or 1]
    years = {date.year for date in dates}
    axes.set_xticks(chosen, [f"{dates[at]:%Y-%m-%d}" if len(years) > 1 else f"{dates[at]:%d %b}" for at in chosen])
    axes.set_ylabel(unit, fontsize=8)
    write_large_numbers(axes, np.concatenate([values, band_high]))
    return png(figure)

"""Pictures of many symbols: correlations of all pairs, places in rankings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.charts.figure import GRID, NEUTRAL, UP, panel, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.image import AxesImage

_MOST_WRITTEN = 12
_MOST_LABELS = 40
_MOST_RANKED = 30
_FEW = 6
_ROW = 24


def correlation_heat_map_png(names: Sequence[str], matrix: NDArray[np.float64], title: str) -> bytes:
    """Correlations as colours from red (−1) over white to blue (1), 720 × 640 pixels.

    Values are written into the cells of up to twelve symbols; unknown ones are hatched.

    Parameters
    ----------
    names : sequence of str
        Symbols in the order of the matrix; about forty are written.
    matrix : float64[n, n]
        NaN where unknown. [1]
    title : str

    Returns
    -------
    bytes
        A PNG file.
    """
    from matplotlib import colormaps

    figure, axes = panel(title, height=640)
    if not names:
        return png(figure)
    drawn = _cells(axes, matrix, colormaps["RdBu"], -1, 1)
    step = -(-len(names) // _MOST_LABELS)
    shown, labels = np.arange(0, len(names), step), names[::step]
    axes.set_xticks(shown, labels, rotation=90 if len(names) > _MOST_WRITTEN else 0)
    axes.set_yticks(shown, labels)
    if len(names) <= _MOST_WRITTEN:
        _write(axes, drawn, matrix, "{:.2f}")
    scale = figure.colorbar(drawn, ax=axes, shrink=0.8)
    scale.set_label("correlation", fontsize=8)
    scale.ax.tick_params(labelsize=7)
    return png(figure)


def rank_percentiles_png(symbols: Sequence[str], percentiles: Mapping[str, NDArray[np.float64]], title: str) -> bytes:
    """Percentiles of symbols by several measures as a grid of numbers on colour, 720 pixels wide.

    Parameters
    ----------
    symbols : sequence of str
        From the top; the first thirty are drawn, 24 pixels each.
    percentiles : mapping of float64[n]
        By measure: 100 best, 0 worst, NaN not ranked, which is hatched. [%]
    title : str

    Returns
    -------
    bytes
        A PNG file.
    """
    from matplotlib.colors import LinearSegmentedColormap

    shown = list(symbols[:_MOST_RANKED])
    figure, axes = panel(title, height=90 + _ROW * max(len(shown), 2))
    if not shown or not percentiles:
        return png(figure)
    grid = np.column_stack([values[: len(shown)] for values in percentiles.values()]).astype(np.float64)
    drawn = _cells(axes, grid, LinearSegmentedColormap.from_list("percentile", ["white", UP]), 0, 100)
    axes.set_aspect("auto")
    axes.set_xticks(np.arange(len(percentiles)), [name.replace("_", " ") for name in percentiles])
    axes.set_yticks(np.arange(len(shown)), shown)
    axes.set_xlabel("percentile: 100 is best", fontsize=8)
    _write(axes, drawn, grid, "{:.0f}")
    return png(figure)


def _cells(axes: Axes, matrix: NDArray[np.float64], colors: Colormap, low: float, high: float) -> AxesImage:
    """Values as coloured cells with white lines between; the hatched ground shows where they are unknown."""
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    axes.patch.set(facecolor=GRID, hatch="////", edgecolor=NEUTRAL)
    drawn = axes.imshow(
        np.ma.masked_invalid(matrix), cmap=colors.with_extremes(bad=(0, 0, 0, 0)), vmin=low, vmax=high,
        interpolation="nearest",
    )  # fmt: skip
    rows, columns = matrix.shape
    if max(rows, columns) <= _MOST_LABELS:
        axes.set_xticks(np.arange(1, columns) - 0.5, minor=True)
        axes.set_yticks(np.arange(1, rows) - 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=1.5)
    axes.tick_params(which="both", length=0)
    return drawn


def _write(axes: Axes, drawn: AxesImage, matrix: NDArray[np.float64], form: str) -> None:
    """Each known value in its cell, in black or white, whichever is further from the cell's colour."""
    size = 10 if len(matrix) <= _FEW else 8
    for row, column in zip(*np.nonzero(~np.isnan(matrix)), strict=True):
        red, green, blue, _ = drawn.to_rgba(matrix[row, column])
        is_dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.5
        axes.text(
            column, row, form.format(matrix[row, column]).replace("-", "−"), ha="center", va="center", fontsize=size,
            color="white" if is_dark else "black",
        )  # fmt: skip

"""What every picture shares: size, colours, plain axes, and the PNG file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UP, DOWN, INK, GRID, NEUTRAL = "#2a9d8f", "#d1495b", "#33415c", "#e4e7ec", "#b8c0cc"
WIDTH, HEIGHT = 720, 340
"""Of a picture, in pixels: the web UI shows it unscaled beside the text."""

_DPI = 100
_LARGE = 10_000


def panels(title: str, ratios: Sequence[float] = (1,), height: int = HEIGHT) -> tuple[Figure, list[Axes]]:
    """A figure with axes one below the other, which share what runs along x; the title is over the first."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / _DPI, height / _DPI), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    drawn: list[Axes] = list(figure.subplots(len(ratios), 1, sharex=True, height_ratios=ratios, squeeze=False)[:, 0])
    for axes in drawn:
        axes.tick_params(labelsize=7)
        axes.grid(color=GRID, linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    drawn[0].set_title(title, fontsize=10, loc="left", color=INK)
    return figure, drawn


def panel(title: str, height: int = HEIGHT) -> tuple[Figure, Axes]:
    """A figure with one pair of axes."""
    figure, (axes,) = panels(title, height=height)
    return figure, axes


def right_axes(axes: Axes, label: str) -> Axes:
    """Axes over the same x with a scale of their own on the right."""
    right = axes.twinx()
    right.set_ylabel(label, fontsize=8)
    right.tick_params(labelsize=7)
    right.spines["top"].set_visible(False)
    return right


def write_large_numbers(axes: Axes, values: NDArray[np.float64], *, signless: bool = False) -> None:
    """Numbers along y as 20 k or 1.5 M where the values are large; ``signless`` leaves out the minus."""
    from matplotlib.ticker import EngFormatter

    if np.abs(values[np.isfinite(values)]).max(initial=0) < _LARGE:
        return
    number = EngFormatter(sep=" ")
    axes.yaxis.set_major_formatter(lambda value, _: number(abs(value) if signless else value))


def columns(
    axes: Axes,
    left: NDArray[Any],
    heights: NDArray[np.float64],
    *,
    width: float,
    bottom: NDArray[np.float64] | float = 0.0,
    **style: Any,
) -> None:
    """Columns as one collection: hundreds of them as patches, as ``bar`` draws them, take most of a picture's time."""
    from matplotlib.collections import PolyCollection

    low = np.broadcast_to(bottom, heights.shape)
    high, right = low + heights, left + width
    corners = np.stack([left, low, left, high, right, high, right, low], axis=1).reshape(-1, 4, 2)
    drawn = PolyCollection(list(corners), linewidth=0, **style)
    if isinstance(bottom, float):
        drawn.sticky_edges.y.append(bottom)
    axes.add_collection(drawn)
    axes.autoscale_view()


def png(figure: Figure) -> bytes:
    """The figure as a PNG file.

    It is laid out here, once: left to ``savefig``, the whole figure is drawn twice.
    """
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine("none")
    out = io.BytesIO()
    figure.savefig(out, format="png")
    return out.getvalue()

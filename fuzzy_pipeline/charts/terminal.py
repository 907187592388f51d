"""A plot as plain text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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

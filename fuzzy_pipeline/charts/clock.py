"""Eastern wall-clock times along an axis."""

from __future__ import annotations

import datetime as dt

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.trading_calendar import EASTERN

_STEPS = (60, 120, 300, 600, 900, 1800, 3600, 7200)
_MOST_MARKS = 9


def clock_label(instant: np.datetime64) -> str:
    """Eastern wall-clock time of a UTC instant as ``HH:MM``."""
    return eastern(np.array([instant]))[0].strftime("%H:%M")


def eastern(instants: NDArray[np.datetime64]) -> list[dt.datetime]:
    """Eastern ``datetime`` objects of UTC instants."""
    return [
        dt.datetime.fromtimestamp(int(value) / 1e9, dt.UTC).astimezone(EASTERN)
        for value in instants.astype("datetime64[ns]").astype(np.int64)
    ]


def round_instants(first: np.datetime64, last: np.datetime64) -> NDArray[np.datetime64]:
    """At most nine round times of day, such as every half hour, from the first instant to the last.

    Examples
    --------
    >>> round_instants(np.datetime64("2025-11-28T14:41"), np.datetime64("2025-11-28T14:44")).astype("datetime64[m]")
    array(['2025-11-28T14:41', '2025-11-28T14:42', '2025-11-28T14:43',
           '2025-11-28T14:44'], dtype='datetime64[m]')
    """
    start, end = (int(instant.astype("datetime64[s]").astype(np.int64)) for instant in (first, last))
    step = next((step for step in _STEPS if (end - start) // step < _MOST_MARKS), _STEPS[-1])
    return np.arange(-(-start // step) * step, end + 1, step).astype("datetime64[s]").astype("datetime64[ns]")

"""Bars of one family, symbol and date: all parameters in one set of columns.

Belongs here: the container every family returns, and joining the sessions of a date.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.bars.cutting import SeriesState
from fuzzy_pipeline.schema.arrays import Arrays, concatenate, take
from fuzzy_pipeline.schema.tables import BAR_COLUMNS


@dataclass(frozen=True, slots=True)
class Bars:
    """Columns ordered by (parameter, bar_index), and the half-open row range of each parameter.

    ``columns`` are the stored columns of ``schema.tables.bar_table``: symbol, family and parameter come from
    the key they are stored under. ``state`` is what the next trading date's bars start from, by
    ``session/parameter``; empty for families that carry nothing.
    """

    columns: Arrays
    ranges: Mapping[str, tuple[int, int]]
    state: Mapping[str, SeriesState] = field(default_factory=dict)

    def __len__(self) -> int:
        return max((stop for _, stop in self.ranges.values()), default=0)

    def of(self, parameter: str) -> dict[str, NDArray[Any]]:
        """The columns of one parameter's bars; ``KeyError`` when it was not built."""
        return take(self.columns, slice(*self.ranges[parameter]))


def as_declared(columns: Arrays) -> dict[str, NDArray[Any]]:
    """The columns in the schema's order and dtypes; every bar family has the same.

    Parameters
    ----------
    columns : Arrays
        All stored columns of ``schema.BAR_COLUMNS``, in any order and any dtype that holds the values.

    Returns
    -------
    dict of arrays
    """
    return {
        column.name: np.ascontiguousarray(columns[column.name]).astype(np.dtype(column.dtype), copy=False)
        for column in BAR_COLUMNS
        if not column.from_key
    }


def no_bars() -> dict[str, NDArray[Any]]:
    """The columns of no bars.

    Returns
    -------
    dict of arrays
        Every stored column of ``schema.BAR_COLUMNS``, empty.
    """
    return {column.name: np.zeros(0, dtype=column.dtype) for column in BAR_COLUMNS if not column.from_key}


def join_sessions(parts: Sequence[Bars]) -> Bars:
    """One set of bars from those of each session, bar_index running on through the date.

    Parameters
    ----------
    parts : sequence of Bars
        One per session in time order, all with the same parameters.

    Returns
    -------
    Bars
        Ordered by (parameter, bar_index).
    """
    if len(parts) == 1:
        return parts[0]
    pieces: list[Arrays] = []
    ranges: dict[str, tuple[int, int]] = {}
    row = 0
    for parameter in parts[0].ranges:
        start, index = row, 0
        for part in parts:
            piece = part.of(parameter)
            rows = len(piece["bar_index"])
            piece["bar_index"] = piece["bar_index"] + np.uint32(index)
            pieces.append(piece)
            row, index = row + rows, index + rows
        ranges[parameter] = (start, row)
    return Bars(concatenate(pieces), ranges, {key: state for part in parts for key, state in part.state.items()})

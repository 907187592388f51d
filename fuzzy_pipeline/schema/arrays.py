"""The in-memory form of every table of ticks and bars: named NumPy arrays of one length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.errors import SchemaError

Arrays = Mapping[str, NDArray[Any]]
"""Column name -> one-dimensional array; all arrays of one table have the same length."""


def length(arrays: Arrays) -> int:
    """Rows of a table of arrays (0 when it has no columns).

    Raises
    ------
    SchemaError
        The arrays differ in length.
    """
    lengths = {len(array) for array in arrays.values()}
    if len(lengths) > 1:
        detail = ", ".join(f"{name}: {len(array)}" for name, array in arrays.items())
        raise SchemaError(f"columns of one table differ in length ({detail})")
    return lengths.pop() if lengths else 0


def take(arrays: Arrays, rows: NDArray[Any] | slice) -> dict[str, NDArray[Any]]:
    """The same columns at the given rows (a boolean mask, row numbers or a slice)."""
    return {name: array[rows] for name, array in arrays.items()}


def concatenate(parts: list[Arrays]) -> dict[str, NDArray[Any]]:
    """Tables of the same columns one below the other."""
    if not parts:
        return {}
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

"""From stored arrays to what a reader gets: pandas or Arrow, Eastern instants, key columns and names for codes.

Belongs here: presentation of columns that ``schema.tables`` declares; which rows are read is decided elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fuzzy_pipeline.errors import SchemaError
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.codes import CODE_TABLES
from fuzzy_pipeline.schema.columns import INSTANT, Column
from fuzzy_pipeline.schema.tables import arrow_type
from fuzzy_pipeline.trading_calendar import EASTERN

if TYPE_CHECKING:
    import pandas as pd

Form = Literal["pandas", "arrow"]
Keys = Mapping[str, tuple[Sequence[Any], Sequence[int]]]
"""Key column -> its value per stored key, and the rows of each."""

_DATE = "datetime64[D]"


def wanted_columns(table: str, known: Mapping[str, Column], names: Sequence[str] | None) -> tuple[Column, ...]:
    """The columns of those names in the order asked for, all when None.

    Raises
    ------
    SchemaError
        There is no such column; the message lists those there are.
    """
    if names is None:
        return tuple(known.values())
    if isinstance(names, str):
        raise SchemaError(f"columns={names!r}: give a list of names")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SchemaError(f"{table} has no column {', '.join(unknown)}; it has {', '.join(known)}")
    return tuple(known[name] for name in dict.fromkeys(names))


def shown(
    columns: Sequence[Column], arrays: Arrays, keys: Keys, index: Column, *, form: Form, decode: bool
) -> pd.DataFrame | pa.Table:
    """A frame indexed by ``index``, or an Arrow table with it as the first column.

    Parameters
    ----------
    columns
        What to show, in order.
    arrays
        Stored columns; must hold ``index``.
    keys
        Values of the columns that come from the key.
    index
        The instants [ns, Eastern Time] that order the rows.
    form
        ``pandas`` or ``arrow``.
    decode
        Whether columns with a code table become their names: categories in pandas, dictionaries in Arrow.
    """
    if form not in ("pandas", "arrow"):
        raise SchemaError(f"as_={form!r}: choose 'pandas' or 'arrow'")
    others = [column for column in columns if column.name != index.name]
    build = _frame if form == "pandas" else _table
    return build(others, arrays, keys, index, decode)


def _frame(columns: Sequence[Column], arrays: Arrays, keys: Keys, index: Column, decode: bool) -> pd.DataFrame:
    import pandas as pd

    def eastern(name: str) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(arrays[name].view(np.int64), tz=EASTERN, name=name)  # integers are read as UTC

    data: dict[str, Any] = {}
    for column in columns:
        if column.name in keys:
            values, counts = keys[column.name]
            data[column.name] = np.repeat(np.array(values, dtype=object), counts)
        elif column.dtype == INSTANT:
            data[column.name] = eastern(column.name)
        elif decode and column.codes in CODE_TABLES:
            places, names = _decoded(arrays[column.name], column.codes)
            data[column.name] = pd.Categorical.from_codes(places, categories=names)  # type: ignore[arg-type]
        elif column.dtype == "S1":
            data[column.name] = arrays[column.name].astype("U1").astype(object)
        else:
            data[column.name] = arrays[column.name]
    return pd.DataFrame(data, index=eastern(index.name), copy=False)


def _table(columns: Sequence[Column], arrays: Arrays, keys: Keys, index: Column, decode: bool) -> pa.Table:
    found: dict[str, pa.Array] = {}
    for column in (index, *columns):
        kind = arrow_type(column)
        if column.name in keys:
            values, counts = keys[column.name]
            found[column.name] = pa.array(values, kind).take(pa.array(np.repeat(np.arange(len(values)), counts)))
        elif column.dtype == INSTANT:
            # Via the type without a zone, so that NaT becomes null; the integers are UTC on both sides.
            found[column.name] = pa.array(arrays[column.name], pa.timestamp("ns")).view(kind)
        elif decode and column.codes in CODE_TABLES:
            places, names = _decoded(arrays[column.name], column.codes)
            found[column.name] = pa.DictionaryArray.from_arrays(pa.array(places), pa.array(names))
        elif column.dtype == "S1":
            found[column.name] = pa.array(arrays[column.name].astype("U1"), kind)
        else:
            found[column.name] = pa.array(arrays[column.name], kind, from_pandas=column.nullable)
    fields = [
        pa.field(name, array.type, metadata={"unit": column.unit, "description": column.description})
        for (name, array), column in zip(found.items(), (index, *columns), strict=True)
    ]
    return pa.table(list(found.values()), schema=pa.schema(fields))


def _decoded(codes: NDArray[Any], table: str) -> tuple[NDArray[np.int16], list[str]]:
    """Position of each code in a list of names; a code without a name is shown as its number."""
    meaning = CODE_TABLES[table]
    known = {int(code) for code in meaning}
    strange = [int(code) for code in np.unique(codes) if int(code) not in known]
    places = _places(meaning).copy()
    places[strange] = len(known) + np.arange(len(strange), dtype=np.int16)
    return places[codes], [code.name for code in meaning] + [str(code) for code in strange]


@cache
def _places(meaning: type[IntEnum]) -> NDArray[np.int16]:
    places = np.full(256, -1, dtype=np.int16)
    for place, code in enumerate(meaning):
        places[int(code)] = place
    return places


KEY_DATE = Column("date", _DATE, "Trading date, Eastern Time.", from_key=True)
"""Attached to every table that is stored by symbol and date."""

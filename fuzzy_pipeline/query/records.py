"""Committed records, one row per symbol and date: what all readers of record tables share.

Belongs here: which rows of a light table are committed, and records as a frame, an Arrow table or models.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fuzzy_pipeline.errors import CalendarError, NotStoredError, SchemaError
from fuzzy_pipeline.query.dates import DateLike, as_date
from fuzzy_pipeline.schema.records import Record, from_table
from fuzzy_pipeline.stores.store import Store

if TYPE_CHECKING:
    import pandas as pd

RecordForm = Literal["pandas", "arrow", "models"]


def check_form(form: str) -> None:
    """``SchemaError`` for what is no form of records."""
    if form not in ("pandas", "arrow", "models"):
        raise SchemaError(f"as_={form!r}: choose 'pandas', 'arrow' or 'models'")


def check_bounds(start: DateLike | None, end: DateLike | None) -> None:
    """``CalendarError`` for an end without start."""
    if start is None and end is not None:
        raise CalendarError(f"end {as_date(end)} without start: give both, or only start for one date")


def committed_rows(
    store: Store, table: str, dates: Sequence[dt.date] | None, symbols: Sequence[str] | None
) -> pa.Table:
    """Rows of a light table that the manifest commits, by date and symbol; all dates, all symbols for None.

    Raises
    ------
    NotStoredError
        None is committed.
    """
    committed = store.manifest.versions(table, dates, symbols)
    rows = store.light.read(table, dates=dates, symbols=symbols) if committed else None
    if rows is None:
        raise NotStoredError(no_record(table, symbols, dates))
    return rows.filter(pa.array(_among(rows, committed.keys())))


def no_record(table: str, symbols: Sequence[str] | None, dates: Sequence[dt.date] | None) -> str:
    """That a table has no record of what was asked for."""
    asked = ", ".join(symbols) if symbols else "any symbol"
    when = f" from {dates[0]} to {dates[-1]}" if dates else ""
    return f"{table}: no record of {asked}{when}. See what there is: fuzzy status"


def presented(rows: pa.Table, model: type[Record], form: RecordForm) -> pd.DataFrame | pa.Table | list[Record]:
    """Rows as a frame or table with dotted names, or as models."""
    if form == "models":
        return from_table(rows, model)
    flat = flattened(rows)
    return flat if form == "arrow" else flat.to_pandas(maps_as_pydicts="strict")


def flattened(table: pa.Table) -> pa.Table:
    """The table with every struct's fields as columns of their own, named ``struct.field``."""
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


def _among(rows: pa.Table, keys: Collection[tuple[str, dt.date]]) -> NDArray[np.bool_]:
    """Whether each row's symbol and date is one of the keys; as numbers, since pairs are many rows of few symbols."""
    symbols = sorted({symbol for symbol, _ in keys})
    place = {symbol: number for number, symbol in enumerate(symbols)}
    committed = [np.datetime64(date, "D").astype(np.int64) * len(symbols) + place[symbol] for symbol, date in keys]
    own = pc.fill_null(pc.index_in(rows["symbol"], value_set=pa.array(symbols, pa.string())), -1).to_numpy()
    day = rows["date"].cast(pa.int32()).to_numpy().astype(np.int64)
    found: NDArray[np.bool_] = (own >= 0) & np.isin(day * len(symbols) + own, committed)
    return found

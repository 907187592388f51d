"""Reading day records (phase 1): one row per symbol and date."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, overload

import pyarrow as pa

from fuzzy_pipeline.errors import CalendarError, NotStoredError, SchemaError
from fuzzy_pipeline.query.dates import DateLike, as_date, asked_dates, some_symbols
from fuzzy_pipeline.query.opening import reading
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.records import arrow_schema_of, from_table
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store

if TYPE_CHECKING:
    import pandas as pd

MetadataForm = Literal["pandas", "arrow", "models"]


@overload
def get_metadata(
    symbols: Sequence[str] | str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    as_: Literal["pandas"] = "pandas",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame: ...
@overload
def get_metadata(
    symbols: Sequence[str] | str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    as_: Literal["arrow"],
    settings: Settings | None = None,
    store: Store | None = None,
) -> pa.Table: ...
@overload
def get_metadata(
    symbols: Sequence[str] | str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    as_: Literal["models"],
    settings: Settings | None = None,
    store: Store | None = None,
) -> list[DayMetadataPhase1]: ...
def get_metadata(
    symbols: Sequence[str] | str | None = None,
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    as_: MetadataForm = "pandas",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame | pa.Table | list[DayMetadataPhase1]:
    """Committed day records, by date and symbol.

    Parameters
    ----------
    symbols : str or sequence of str, optional
        ``"AAPL,SPY"`` or a list; default: all.
    start, end : date or str, optional
        Trading dates, both included. ``start`` alone: that date (on a weekend or holiday the last trading date before
        it, with a warning). Neither: all dates.
    as_ : {"pandas", "arrow", "models"}
        A frame or table with dotted names (``basic_stats.vwap``), or ``schema.day_metadata.DayMetadataPhase1`` models.
    settings : Settings, optional
        Whose store to read; default: the environment's.
    store : Store, optional
        An open store to read, left open.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table or list of DayMetadataPhase1
        ``intraday_evolution`` stays a list of hourly buckets, ``null_reasons`` a mapping from field to reason.

    Raises
    ------
    NotStoredError
        There is no store, or no record of these symbols and dates.
    """
    if as_ not in ("pandas", "arrow", "models"):
        raise SchemaError(f"as_={as_!r}: choose 'pandas', 'arrow' or 'models'")
    tickers = None if symbols is None else some_symbols(symbols)
    if start is None and end is not None:
        raise CalendarError(f"end {as_date(end)} without start: give both, or only start for one date")
    dates = None if start is None else asked_dates(start, end)
    with reading(settings, store) as opened:
        committed = opened.manifest.versions(PHASE1_TABLE, dates, tickers)
        rows = opened.light.read(PHASE1_TABLE, dates=dates, symbols=tickers) if committed else None
    if rows is None:
        asked = ", ".join(tickers) if tickers else "any symbol"
        when = f" from {dates[0]} to {dates[-1]}" if dates else ""
        raise NotStoredError(f"{PHASE1_TABLE}: no record of {asked}{when}. See what there is: fuzzy status")
    known = [pair in committed for pair in zip(rows["symbol"].to_pylist(), rows["date"].to_pylist(), strict=True)]
    rows = rows.filter(pa.array(known, pa.bool_()))
    if as_ == "models":
        return from_table(rows, DayMetadataPhase1)
    flat = flattened(rows)
    return flat if as_ == "arrow" else flat.to_pandas(maps_as_pydicts="strict")


def flattened(table: pa.Table) -> pa.Table:
    """The table with every struct's fields as columns of their own, named ``struct.field``."""
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


def flat_names() -> list[str]:
    """Names of the columns of ``get_metadata``."""
    return list(flattened(arrow_schema_of(DayMetadataPhase1).empty_table()).column_names)

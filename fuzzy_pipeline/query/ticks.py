"""Reading ticks, raw or enriched, of one symbol."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.errors import SettingsError
from fuzzy_pipeline.query.dates import DateLike, Missing, asked_dates, one_symbol, stored_versions
from fuzzy_pipeline.query.frames import KEY_DATE, Form, Keys, shown, wanted_columns
from fuzzy_pipeline.query.opening import ReadOptions, reading
from fuzzy_pipeline.schema.arrays import length
from fuzzy_pipeline.schema.columns import SYMBOL, TIMESTAMP, Column
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS, Table
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.protocol import HeavyKey
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import midnight_utc_ns

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

TickTable = Literal["enriched", "raw"]

_TABLES: dict[str, Table] = {"enriched": ENRICHED_TICKS, "raw": RAW_TICKS}
_NS_PER_US = 1_000


@overload
def get_ticks(
    symbol: str,
    start: DateLike,
    end: DateLike | None = None,
    *,
    table: TickTable = "enriched",
    as_: Literal["pandas"] = "pandas",
    **options: Unpack[ReadOptions],
) -> pd.DataFrame: ...
@overload
def get_ticks(
    symbol: str,
    start: DateLike,
    end: DateLike | None = None,
    *,
    table: TickTable = "enriched",
    as_: Literal["arrow"],
    **options: Unpack[ReadOptions],
) -> pa.Table: ...
def get_ticks(
    symbol: str,
    start: DateLike,
    end: DateLike | None = None,
    *,
    table: TickTable = "enriched",
    columns: Sequence[str] | None = None,
    as_: Form = "pandas",
    decode: bool = False,
    missing: Missing = "raise",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame | pa.Table:
    """Committed ticks of a symbol.

    Parameters
    ----------
    symbol : str
        Ticker; case does not matter.
    start, end : date or str
        Trading dates ``YYYY-MM-DD``, both included. Without ``end`` one date: on a weekend or holiday the last
        trading date before it, with a ``DateMoved`` warning.
    table : {"enriched", "raw"}
        Enriched ticks (42 columns, time order) or the 14 fields as the source gave them (arrival order).
    columns : sequence of str, optional
        Only these, in this order; fewer columns read faster. Default: all, key columns first.
    as_ : {"pandas", "arrow"}
        A frame indexed by ``timestamp``, or a table with ``timestamp`` as its first column.
    decode : bool
        Whether session, exchange, participant_type, trade_sign_method and basis become names.
    missing : {"raise", "skip"}
        What to do when some dates of a range are not stored; "skip" warns ``DatesMissing``.
    settings : Settings, optional
        Whose store to read; default: the environment's.
    store : Store, optional
        An open store to read, left open: saves opening it on every call.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        Rows in order of date; ``timestamp`` in ns, America/New_York. Missing values are NaN in pandas, null in Arrow.

    Raises
    ------
    NotStoredError
        There is no store, or a date is not committed; the message tells what is.
    SchemaError
        A column does not exist.
    CalendarError, SettingsError, StoreError
        A date, a name or the store makes no sense.
    """
    if table not in _TABLES:
        raise SettingsError(f"table={table!r}: there are {', '.join(_TABLES)}")
    source, ticker = _TABLES[table], one_symbol(symbol)
    known = known_columns(source)
    wanted = wanted_columns(source.name, known, columns)
    dates = asked_dates(start, end)
    with reading(settings, store) as opened:
        versions = stored_versions(opened, source.name, ticker, dates, missing)
        stored = {column.name for column in source.stored}
        names = list(dict.fromkeys([_clock(source), *(column.name for column in wanted if column.name in stored)]))
        requests = [HeavyKey(ticker, date, version) for date, (version, rows) in versions.items() if rows]
        arrays = dict(opened.heavy.read_many(source, requests, columns=names))
    read_dates = list(versions)
    counts = [rows for _, rows in versions.values()]
    if source is RAW_TICKS:
        arrays["timestamp"] = _instants(arrays["time"], read_dates, counts)
    keys: Keys = {"symbol": ([ticker], [length(arrays)]), "date": (read_dates, counts)}
    return shown(wanted, arrays, keys, TIMESTAMP, form=as_, decode=decode)


def known_columns(table: Table) -> dict[str, Column]:
    """Columns a reader may name: instant and key first, then as declared."""
    first = {column.name: column for column in (TIMESTAMP, SYMBOL, KEY_DATE)}
    return first | {column.name: column for column in table.columns if column.name not in first}


def _clock(table: Table) -> str:
    return table.index or "time"


def _instants(time_us: NDArray[np.int64], dates: Sequence[dt.date], counts: Sequence[int]) -> NDArray[Any]:
    """Instants [ns, UTC] of raw times [µs since midnight Eastern] of several dates."""
    midnights = np.array([midnight_utc_ns(date) for date in dates], dtype=np.int64)
    return (np.repeat(midnights, counts) + time_us * _NS_PER_US).view("datetime64[ns]")

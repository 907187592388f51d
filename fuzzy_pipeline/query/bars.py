"""Reading bars of one symbol, family and parameter."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, overload

from fuzzy_pipeline.errors import NotStoredError, SettingsError
from fuzzy_pipeline.query.dates import DateLike, Missing, asked_dates, one_symbol, stored_versions
from fuzzy_pipeline.query.frames import KEY_DATE, Form, Keys, shown, wanted_columns
from fuzzy_pipeline.query.opening import reading
from fuzzy_pipeline.schema.columns import BAR_KEY, SYMBOL, Column
from fuzzy_pipeline.schema.tables import TIME_BARS, Table
from fuzzy_pipeline.settings import Settings, interval_seconds
from fuzzy_pipeline.stores.protocol import HeavyKey, Metadata
from fuzzy_pipeline.stores.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FAMILIES: Mapping[str, Table] = {"time": TIME_BARS}
"""Bar families that can be read."""

_INDEX = TIME_BARS.column("timestamp")


@overload
def get_bars(
    symbol: str,
    start: DateLike,
    end: DateLike | None = None,
    *,
    family: str = "time",
    parameter: str = "1m",
    columns: Sequence[str] | None = None,
    as_: Literal["pandas"] = "pandas",
    decode: bool = False,
    missing: Missing = "raise",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame: ...
@overload
def get_bars(
    symbol: str,
    start: DateLike,
    end: DateLike | None = None,
    *,
    family: str = "time",
    parameter: str = "1m",
    columns: Sequence[str] | None = None,
    as_: Literal["arrow"],
    decode: bool = False,
    missing: Missing = "raise",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pa.Table: ...
def get_bars(
    symbol: str,
    start: DateLike,
    end: DateLike | None = None,
    *,
    family: str = "time",
    parameter: str = "1m",
    columns: Sequence[str] | None = None,
    as_: Form = "pandas",
    decode: bool = False,
    missing: Missing = "raise",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame | pa.Table:
    """Committed bars of a symbol.

    Parameters
    ----------
    symbol : str
        Ticker; case does not matter.
    start, end : date or str
        Trading dates ``YYYY-MM-DD``, both included. Without ``end`` one date: on a weekend or holiday the last
        trading date before it, with a ``DateMoved`` warning.
    family : str
        ``time``.
    parameter : str
        Interval such as ``30s``, ``1m``, ``2h``, ``1d``; it must have been built.
    columns : sequence of str, optional
        Only these, in this order. Default: all, key columns first.
    as_ : {"pandas", "arrow"}
        A frame indexed by ``timestamp``, the **end** of the bar (``bar_start`` is a column), or a table with it first.
    decode : bool
        Whether close_reason becomes its name.
    missing : {"raise", "skip"}
        What to do when some dates of a range are not stored; "skip" warns ``DatesMissing``.
    settings : Settings, optional
        Whose store to read; default: the environment's.
    store : Store, optional
        An open store to read, left open.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        Rows in order of date and bar_index; instants in ns, America/New_York.

    Raises
    ------
    NotStoredError
        There is no store, a date is not committed, or the interval was not built; the message tells what is there.
    SchemaError
        A column does not exist.
    CalendarError, SettingsError, StoreError
        A date, a name or the store makes no sense.
    """
    table, ticker = _family(family), one_symbol(symbol)
    wanted = wanted_columns(table.name, known_columns(table), columns)
    dates = asked_dates(start, end)
    with reading(settings, store) as opened:
        versions = stored_versions(opened, table.name, ticker, dates, missing)
        keys = [HeavyKey(ticker, date, version) for date, (version, _) in versions.items()]
        # Ranges and rows of the same version: a rebuild with other intervals in between cannot mix them up.
        ranges = _ranges(ticker, keys, opened.heavy.metadata_many(table, keys), family, parameter)
        stored = {column.name for column in table.stored}
        names = list(dict.fromkeys([_INDEX.name, *(column.name for column in wanted if column.name in stored)]))
        requests = [
            HeavyKey(key.symbol, key.date, key.version, rows)
            for key, (_, rows) in zip(keys, ranges, strict=True)
            if rows[0] < rows[1]  # an empty range does not join with others inside ArcticDB
        ]
        arrays = opened.heavy.read_many(table, requests, columns=names)
    counts = [stop - start for _, (start, stop) in ranges]
    total = sum(counts)
    attached: Keys = {
        "symbol": ([ticker], [total]),
        "date": (list(versions), counts),
        "family": ([family], [total]),
        "parameter": ([name for name, _ in ranges], counts),
    }
    return shown(wanted, arrays, attached, _INDEX, form=as_, decode=decode)


def known_columns(table: Table) -> dict[str, Column]:
    """Columns a reader may name: instant and key first, then as declared."""
    first = {column.name: column for column in (_INDEX, SYMBOL, KEY_DATE, *BAR_KEY)}
    return first | {column.name: column for column in table.columns if column.name not in first}


def _family(family: str) -> Table:
    if family not in FAMILIES:
        raise SettingsError(f"family={family!r}: bars of these families are built: {', '.join(FAMILIES)}")
    return FAMILIES[family]


def _ranges(
    symbol: str, keys: Sequence[HeavyKey], metadata: Sequence[Metadata], family: str, parameter: str
) -> list[tuple[str, tuple[int, int]]]:
    """Name and row range of the parameter on each date.

    Raises
    ------
    NotStoredError
        Some dates were built without it.
    SettingsError
        It is no interval.
    """
    seconds = _seconds(parameter)
    found: list[tuple[str, tuple[int, int]]] = []
    lacking: dict[dt.date, list[str]] = {}
    for key, held in zip(keys, metadata, strict=True):
        ranges: Mapping[str, Sequence[int]] = held.get("ranges", {})
        name = next((name for name in ranges if interval_seconds(name) == seconds), None)
        if name is None:
            lacking[key.date] = list(ranges)
        else:
            found.append((name, (ranges[name][0], ranges[name][1])))
    if lacking:
        date, built = next(iter(lacking.items()))
        more = f" and {len(lacking) - 1} more dates" if len(lacking) > 1 else ""
        raise NotStoredError(
            f"{symbol} {date}{more}: {parameter} {family} bars were not built; there are {', '.join(built)}\n"
            f"build them: add {parameter} to FUZZY_BARS__INTERVALS, then: fuzzy run {date} --assets {family}_bars"
        )
    return found


def _seconds(parameter: str) -> int:
    try:
        return interval_seconds(parameter)
    except ValueError as error:
        raise SettingsError(str(error)) from error

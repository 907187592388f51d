"""Bars as a chart wants them: time, prices and volumes under short names.

Belongs here: which bar columns a chart shows and what they are called there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Unpack, overload

from fuzzy_pipeline.query.bars import asked_series, read_series
from fuzzy_pipeline.query.dates import DateLike, Missing, asked_dates, one_symbol, stored_versions
from fuzzy_pipeline.query.frames import Form, shown
from fuzzy_pipeline.query.opening import RangeOptions, reading
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

CHART_COLUMNS = {
    "bar_start": "time",
    "timestamp": "end",
    "open": "open",
    "high": "high",
    "low": "low",
    "close": "close",
    "volume": "volume",
    "vwap": "vwap",
    "buy_volume": "buy_volume",
    "sell_volume": "sell_volume",
    "tick_count": "trade_count",
}
"""Bar column -> its name in a chart, in order; the first orders the rows."""


@overload
def get_chart_data(
    symbol: str,
    start: DateLike,
    end: DateLike | None = None,
    family: str = "time",
    parameter: str = "1m",
    *,
    as_: Literal["pandas"] = "pandas",
    **options: Unpack[RangeOptions],
) -> pd.DataFrame: ...
@overload
def get_chart_data(
    symbol: str,
    start: DateLike,
    end: DateLike | None = None,
    family: str = "time",
    parameter: str = "1m",
    *,
    as_: Literal["arrow"],
    **options: Unpack[RangeOptions],
) -> pa.Table: ...
def get_chart_data(
    symbol: str,
    start: DateLike,
    end: DateLike | None = None,
    family: str = "time",
    parameter: str = "1m",
    *,
    as_: Form = "pandas",
    missing: Missing = "raise",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame | pa.Table:
    """Bars of any family for plotting.

    Parameters
    ----------
    symbol, start, end, family, parameter
        As in ``get_bars``: time bars of any interval, series of other families as they were built.
    as_ : {"pandas", "arrow"}
        A frame indexed by ``time``, or a table with it first.
    missing, settings, store
        As in ``get_bars``.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        ``time`` the **start** of the bar, where charts draw it, and ``end`` its completion, both ns, America/New_York;
        ``open``, ``high``, ``low``, ``close``, ``vwap`` [USD], null in a bar whose ticks set no price; ``volume``,
        ``buy_volume``, ``sell_volume`` [shares]; ``trade_count``, the counted ticks. In order of time; only bars of
        families other than ``time`` may start at the same instant.

    Raises
    ------
    NotStoredError, CalendarError, SettingsError, StoreError
        As ``get_bars``.

    Examples
    --------
    >>> list(CHART_COLUMNS.values())[:6]
    ['time', 'end', 'open', 'high', 'low', 'close']
    """
    series, ticker = asked_series(family, parameter), one_symbol(symbol)
    bars = [series.table.column(name) for name in CHART_COLUMNS]
    dates = asked_dates(start, end)
    with reading(settings, store) as opened:
        versions = stored_versions(opened, series.table.name, ticker, dates, missing)
        found = read_series(opened, series, ticker, versions, bars, settings).arrays
    arrays = {shown_as: found[name] for name, shown_as in CHART_COLUMNS.items()}
    columns = [replace(column, name=CHART_COLUMNS[column.name]) for column in bars]
    return shown(columns, arrays, {}, columns[0], form=as_, decode=False)

"""Reading rankings: one row per symbol and date, one per pair and date, and the correlations of a date as a square."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Unpack, overload

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fuzzy_pipeline.errors import NotStoredError
from fuzzy_pipeline.query.dates import DateLike, asked_dates, some_symbols
from fuzzy_pipeline.query.opening import StoreOptions, reading
from fuzzy_pipeline.query.records import RecordForm, check_bounds, check_form, committed_rows, no_record, presented
from fuzzy_pipeline.rankings.pair_correlations import FEWEST_RETURNS, PairCorrelations
from fuzzy_pipeline.rankings.pair_correlations import correlation_matrix as matrix_of
from fuzzy_pipeline.schema.rankings import PAIRS_TABLE, RANKINGS_TABLE, CrossSymbolRanking, PairCorrelation
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store

if TYPE_CHECKING:
    import pandas as pd


@overload
def get_rankings(
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    symbols: Sequence[str] | str | None = None,
    as_: Literal["pandas"] = "pandas",
    **options: Unpack[StoreOptions],
) -> pd.DataFrame: ...
@overload
def get_rankings(
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    symbols: Sequence[str] | str | None = None,
    as_: Literal["arrow"],
    **options: Unpack[StoreOptions],
) -> pa.Table: ...
@overload
def get_rankings(
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    symbols: Sequence[str] | str | None = None,
    as_: Literal["models"],
    **options: Unpack[StoreOptions],
) -> list[CrossSymbolRanking]: ...
def get_rankings(
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    symbols: Sequence[str] | str | None = None,
    as_: RecordForm = "pandas",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame | pa.Table | list[CrossSymbolRanking]:
    """Committed rankings of symbols, by date and symbol.

    Parameters
    ----------
    start, end : date or str, optional
        Trading dates, both included. ``start`` alone: that date (on a weekend or holiday the last trading date before
        it, with a warning). Neither: all dates.
    symbols : str or sequence of str, optional
        ``"AAPL,SPY"`` or a list; default: all. Ranks are those among all symbols of the date, whichever are asked for.
    as_ : {"pandas", "arrow", "models"}
        A frame or table with dotted names (``volume.rank``), or ``schema.rankings.CrossSymbolRanking`` models.
    settings : Settings, optional
        Whose store to read; default: the environment's.
    store : Store, optional
        An open store to read, left open.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table or list of CrossSymbolRanking
        A symbol of the settings that had no data on the date has a row with ``is_missing``, without ranks.

    Raises
    ------
    NotStoredError
        There is no store, or no ranking of these symbols and dates.
    """
    check_form(as_)
    check_bounds(start, end)
    tickers = None if symbols is None else some_symbols(symbols)
    dates = None if start is None else asked_dates(start, end)
    with reading(settings, store) as opened:
        rows = committed_rows(opened, RANKINGS_TABLE, dates, tickers)
    return presented(rows, CrossSymbolRanking, as_)


@overload
def get_pair_correlations(
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    symbols: Sequence[str] | str | None = None,
    as_: Literal["pandas"] = "pandas",
    **options: Unpack[StoreOptions],
) -> pd.DataFrame: ...
@overload
def get_pair_correlations(
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    symbols: Sequence[str] | str | None = None,
    as_: Literal["arrow"],
    **options: Unpack[StoreOptions],
) -> pa.Table: ...
@overload
def get_pair_correlations(
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    symbols: Sequence[str] | str | None = None,
    as_: Literal["models"],
    **options: Unpack[StoreOptions],
) -> list[PairCorrelation]: ...
def get_pair_correlations(
    start: DateLike | None = None,
    end: DateLike | None = None,
    *,
    symbols: Sequence[str] | str | None = None,
    as_: RecordForm = "pandas",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame | pa.Table | list[PairCorrelation]:
    """Committed correlations of pairs of symbols, by date and pair; each pair once, in alphabetical order.

    Parameters
    ----------
    start, end : date or str, optional
        As in ``get_rankings``.
    symbols : str or sequence of str, optional
        Only pairs with any of these; default: all pairs.
    as_, settings, store
        As in ``get_rankings``; the models are ``schema.rankings.PairCorrelation``.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table or list of PairCorrelation
        ``symbol_a``, ``symbol_b``, ``date``, ``n``, ``correlation``, and why that is null.

    Raises
    ------
    NotStoredError
        There is no store, or no pair of these symbols and dates.
    """
    check_form(as_)
    check_bounds(start, end)
    tickers = None if symbols is None else some_symbols(symbols)
    dates = None if start is None else asked_dates(start, end)
    with reading(settings, store) as opened:
        # The symbols asked for may be the second of a pair, and rows are found by the first.
        rows = committed_rows(opened, PAIRS_TABLE, dates, None)
    if tickers is not None:
        wanted = pa.array(tickers)
        rows = rows.filter(pc.or_(pc.is_in(rows["symbol_a"], wanted), pc.is_in(rows["symbol_b"], wanted)))
        if not rows.num_rows:
            raise NotStoredError(no_record(PAIRS_TABLE, tickers, dates))
    return presented(rows.drop_columns(["symbol"]), PairCorrelation, as_)


def correlation_matrix(
    date: DateLike, *, symbols: Sequence[str] | str | None = None, **options: Unpack[StoreOptions]
) -> pd.DataFrame:
    """Correlations of all pairs of a date as a square, as matrices and pictures want them.

    Parameters
    ----------
    date : date or str
        Trading date; on a weekend or holiday the last one before it, with a ``DateMoved`` warning.
    symbols : str or sequence of str, optional
        Rows and columns in this order; default: all of the date in alphabetical order.
    settings : Settings, optional
        Whose store to read; default: the environment's.
    store : Store, optional
        An open store to read, left open.

    Returns
    -------
    pandas.DataFrame
        Symmetric; NaN where a correlation is not known, and for symbols without data on the date. The diagonal is 1
        for symbols that have a correlation with any other. Need not be positive semi-definite: pairs differ in the
        returns that both have.

    Raises
    ------
    NotStoredError
        There is no store, or no pair of these symbols on the date.
    """
    import pandas as pd

    pairs = get_pair_correlations(date, symbols=symbols, as_="arrow", **options)
    names = sorted({*pairs["symbol_a"].to_pylist(), *pairs["symbol_b"].to_pylist()})
    first, second = (
        pc.index_in(pairs[side], value_set=pa.array(names)).to_numpy().astype(np.int64)
        for side in ("symbol_a", "symbol_b")
    )
    found = PairCorrelations(
        tuple(names), first, second, pairs["correlation"].to_numpy(), pairs["n"].to_numpy(), FEWEST_RETURNS
    )
    index = pd.Index(names, name="symbol")
    square = pd.DataFrame(matrix_of(found), index=index, columns=index)
    if symbols is None:
        return square
    asked = pd.Index(some_symbols(symbols), name="symbol")
    return square.reindex(index=asked, columns=asked)

"""Correlation of the 5-minute returns of every pair of symbols.

Belongs here: prices of a date on a common grid, and correlations over what two symbols have in common.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.regression import least_squares
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.rankings import RANKINGS_VERSION, PairCorrelation
from fuzzy_pipeline.schema.records import arrow_schema_of

FEWEST_RETURNS = 20
"""Common returns under which correlation and beta are null: the standard error 1/√(n − 1) of no correlation is 0.23."""

TOO_FEW_RETURNS = "fewer than {} common 5-minute returns"
CONSTANT_RETURNS = "the common returns of a symbol are all equal"

# A variance below this share of its sum of squares has lost three digits: it is summed again, about the mean.
_CANCELLED = 1e-3


# -- prices on a grid -----------------------------------------------------------


def interval_prices(bars: Arrays, start_ns: int, end_ns: int, step_ns: int) -> NDArray[np.float64]:
    """Prices of one symbol at the marks of a grid over the session, NaN where the interval before had no price.

    ``microstructure.noise.log_returns`` of it are returns of intervals that traded, each from the close before; an
    interval without a price-setting tick leaves two returns unknown, instead of a zero and one of twice the length,
    which as a rule pulls correlations towards zero. ``realised_volatility`` of it spans such intervals.

    Parameters
    ----------
    bars : Arrays
        Time bars of that interval: ``bar_start``, ``open``, ``close`` [USD], ``qualified_tick_count``. Bars without a
        price-setting tick count as absent, whatever prices a fill policy gave them.
    start_ns, end_ns : int
        Bounds of the session. [UTC ns]
    step_ns : int
        Length of an interval. [ns]

    Returns
    -------
    float64[n_intervals + 1]
        The mark before the first interval with a price holds that interval's open, any other the close of the
        interval before it. [USD]

    Raises
    ------
    ValueError
        The grid has no extent, or bars do not start on its marks in increasing order.

    References
    ----------
    Epps (1979), Journal of the American Statistical Association 74:291,
    https://doi.org/10.1080/01621459.1979.10482508

    Examples
    --------
    Three intervals of 10 ns; the second has no bar.

    >>> interval_prices({"bar_start": np.array([0, 20]).view("datetime64[ns]"), "open": np.array([5.0, 7.0]),
    ...     "close": np.array([6.0, 8.0]), "qualified_tick_count": np.array([3, 1])}, 0, 30, 10)
    array([ 5.,  6., nan,  8.])
    """
    if step_ns <= 0 or end_ns <= start_ns:
        raise ValueError(f"a grid needs a positive step and start < end, not {step_ns}, {start_ns}, {end_ns}")
    prices = np.full(-((start_ns - end_ns) // step_ns) + 1, np.nan)
    priced = bars["qualified_tick_count"] > 0
    offset = bars["bar_start"][priced].astype("datetime64[ns]").astype(np.int64) - start_ns
    interval = offset // step_ns
    if len(interval) and (
        (offset % step_ns).any() or (np.diff(interval) <= 0).any() or interval[0] < 0 or interval[-1] >= len(prices) - 1
    ):
        raise ValueError(f"bars do not start, in order, on the marks of the grid {start_ns} to {end_ns} by {step_ns}")
    prices[interval + 1] = bars["close"][priced]
    if len(interval):
        prices[interval[0]] = bars["open"][priced][0]
    return prices


# -- correlations ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PairCorrelations:
    """Correlations in long form: pair k is ``symbols[first[k]]`` and ``symbols[second[k]]``, in alphabetical order.

    ``correlation`` is NaN where null; ``n`` counts the returns that both have.
    """

    symbols: tuple[str, ...]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    correlation: NDArray[np.float64]
    n: NDArray[np.int64]
    minimum_returns: int

    def __len__(self) -> int:
        """Number of pairs."""
        return len(self.n)


@njit(cache=True, nogil=True)
def _correlate(z, known, fewest, correlation, n, doubtful):  # type: ignore[no-untyped-def]
    """Pairs of rows of ``z``, 0 where not ``known``: six products of masks and values, summed in order of time.

    A library's matrix product sums in an order that depends on where a row stands: another symbol in the settings
    would change last bits of the others' correlations, and with them the hash of what is stored. (OpenBLAS, 500 rows
    of 78 against 333 of them in another order: 254 of 110,889 values differ.) It takes 15 ms, this 17 ms.
    """
    at = 0
    for i in range(len(z) - 1):
        zi, mi = z[i], known[i]
        for j in range(i + 1, len(z)):
            zj, mj = z[j], known[j]
            common = x = y = xx = yy = xy = 0.0
            for t in range(len(zi)):
                common += mi[t] * mj[t]
                x += zi[t] * mj[t]
                y += mi[t] * zj[t]
                xx += zi[t] * zi[t] * mj[t]
                yy += zj[t] * zj[t] * mi[t]
                xy += zi[t] * zj[t]
            n[at] = np.int64(common)
            correlation[at] = np.nan
            doubtful[at] = False
            if n[at] >= fewest:
                variance_x, variance_y = xx - x * x / common, yy - y * y / common
                # Also when both are zero: whether returns are all equal is for exact comparison to say.
                doubtful[at] = variance_x <= _CANCELLED * xx or variance_y <= _CANCELLED * yy
                if not doubtful[at]:
                    covariance = xy - x * y / common
                    correlation[at] = min(max(covariance / np.sqrt(variance_x * variance_y), -1.0), 1.0)
            at += 1


def pair_correlations(
    symbols: Sequence[str], returns: NDArray[np.float64], *, minimum_returns: int = FEWEST_RETURNS
) -> PairCorrelations:
    """Pearson correlation of the returns of every pair of symbols, over the returns that both have.

    Parameters
    ----------
    symbols : sequence of str
        Tickers, each once, in any order.
    returns : float64[n_symbols, n_intervals]
        Log returns on a common grid, 78 of five minutes in a full session; NaN where unknown. [1]
    minimum_returns : int
        Fewer common returns give null.

    Returns
    -------
    PairCorrelations
        All n·(n − 1)/2 pairs ordered by first, then second symbol. Null under ``minimum_returns`` common returns and
        where the common returns of a symbol are all equal.

    Raises
    ------
    ValueError
        A symbol is named twice, ``returns`` has not one row a symbol or an infinite one, or the minimum is below 3.

    References
    ----------
    Barndorff-Nielsen and Shephard (2004), Econometrica 72:885, https://doi.org/10.1111/j.1468-0262.2004.00515.x
    Epps (1979), Journal of the American Statistical Association 74:291 (correlations fall with the interval),
    https://doi.org/10.1080/01621459.1979.10482508

    Examples
    --------
    (1, 2, 6) on (0, 1, 2): covariance 5, variances 14 and 2, so 5 / √28.

    >>> pairs = pair_correlations(["B", "A"], np.array([[1.0, 2.0, 6.0], [0.0, 1.0, 2.0]]), minimum_returns=3)
    >>> pairs.symbols, pairs.correlation.round(4), pairs.n
    (('A', 'B'), array([0.9449]), array([3]))
    """
    if minimum_returns < 3:
        raise ValueError(f"a correlation says something from 3 returns on, not from {minimum_returns}")
    if returns.ndim != 2 or len(returns) != len(symbols) or len(set(symbols)) != len(symbols):
        raise ValueError(f"returns of shape {returns.shape} for {len(symbols)} symbols, {len(set(symbols))} different")
    if np.isinf(returns).any():
        rows = np.flatnonzero(np.isinf(returns).any(axis=1)).tolist()
        raise ValueError(f"infinite returns: {[symbols[row] for row in rows]}")
    order = sorted(range(len(symbols)), key=lambda row: symbols[row])
    ordered = np.ascontiguousarray(returns[order], dtype=np.float64)
    first, second = np.triu_indices(len(symbols), k=1)
    correlation, n = np.empty(len(first)), np.empty(len(first), dtype=np.int64)
    doubtful = np.empty(len(first), dtype=np.bool_)
    is_known = ~np.isnan(ordered)
    zeroed, known = np.where(is_known, ordered, 0.0), is_known.astype(np.float64)
    _correlate(zeroed, known, minimum_returns, correlation, n, doubtful)
    moves = _moves(ordered, is_known)
    for pair in np.flatnonzero(doubtful & moves[first] & moves[second]):
        correlation[pair] = least_squares(ordered[first[pair]], ordered[second[pair]]).correlation
    return PairCorrelations(tuple(symbols[row] for row in order), first, second, correlation, n, minimum_returns)


def _moves(returns: NDArray[np.float64], known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether a row has two different returns: the others need no second look, and may be many."""
    highest = np.where(known, returns, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(known, returns, np.inf).min(axis=1, initial=np.inf)
    return np.asarray(highest > lowest)


# -- forms ----------------------------------------------------------------------


def correlation_matrix(pairs: PairCorrelations) -> NDArray[np.float64]:
    """The pairs as a symmetric matrix in order of ``pairs.symbols``, for pictures.

    Parameters
    ----------
    pairs : PairCorrelations

    Returns
    -------
    float64[n_symbols, n_symbols]
        NaN where null; the diagonal is 1 for symbols that have a correlation with any other.

    Examples
    --------
    >>> returns = np.array([[1.0, 2.0, 4.0], [2.0, 4.0, 8.0], [5.0, 5.0, 5.0]])
    >>> correlation_matrix(pair_correlations(["A", "B", "C"], returns, minimum_returns=3)).round(9)
    array([[ 1.,  1., nan],
           [ 1.,  1., nan],
           [nan, nan, nan]])
    """
    matrix = np.full((len(pairs.symbols), len(pairs.symbols)), np.nan)
    matrix[pairs.first, pairs.second] = matrix[pairs.second, pairs.first] = pairs.correlation
    np.fill_diagonal(matrix, np.where(np.isnan(matrix).all(axis=1), np.nan, 1.0))
    return matrix


def pair_table(pairs: PairCorrelations, trading_date: dt.date) -> pa.Table:
    """The pairs as rows of ``schema.rankings.PairCorrelation``.

    Parameters
    ----------
    pairs : PairCorrelations
    trading_date : date

    Returns
    -------
    pyarrow.Table
        One row a pair, ordered by ``symbol_a`` and ``symbol_b``.

    Examples
    --------
    >>> pairs = pair_correlations(["A", "B"], np.zeros((2, 3)), minimum_returns=3)
    >>> pair_table(pairs, dt.date(2024, 5, 6))["null_reason"].to_pylist()
    ['the common returns of a symbol are all equal']
    """
    names = pa.array(pairs.symbols, pa.string())
    unknown = np.isnan(pairs.correlation)
    reasons = pa.array([TOO_FEW_RETURNS.format(pairs.minimum_returns), CONSTANT_RETURNS])
    columns = {
        "symbol_a": names.take(pa.array(pairs.first)),
        "symbol_b": names.take(pa.array(pairs.second)),
        "date": pa.repeat(pa.scalar(trading_date, pa.date32()), len(pairs)),
        "rankings_version": pa.repeat(pa.scalar(RANKINGS_VERSION, pa.int64()), len(pairs)),
        "n": pa.array(pairs.n),
        "correlation": pa.array(pairs.correlation, mask=unknown),
        "null_reason": reasons.take(pa.array((pairs.n >= pairs.minimum_returns).astype(np.int64), mask=~unknown)),
    }
    schema = arrow_schema_of(PairCorrelation)
    return pa.table([columns[name] for name in schema.names], schema=schema)

"""Ranks of the symbols of one date, and the records that hold them.

Belongs here: who is ranked, in which order, and the assembly of ``schema.rankings.CrossSymbolRanking``.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.rankings.pair_correlations import FEWEST_RETURNS
from fuzzy_pipeline.rankings.relations import MEAN_DATES, SymbolDay, latest_mean, no_relation, ratio, relation
from fuzzy_pipeline.schema.rankings import CrossSymbolRanking, MeasureRank, Relation

Best = Literal["highest", "lowest"]

MEASURES: Mapping[str, Best] = {
    "liquidity_score": "highest",
    "median_spread": "lowest",
    "volume": "highest",
    "dollar_volume": "highest",
    "realised_volatility": "highest",
}
"""What symbols are ranked by, and which value is rank 1; volatility has no better end: rank 1 is the most volatile."""

NO_DATA = "no data on the date"


# -- ranks ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Ranks:
    """Places of symbols by one measure, in the order of its values; NaN for those not ranked.

    ``rank`` 1 is best, ``percentile`` 100 is best, ``universe_size`` counts the ranked symbols.
    """

    rank: NDArray[np.float64]
    percentile: NDArray[np.float64]
    universe_size: int


def rank_values(values: NDArray[np.float64], best: Best = "highest") -> Ranks:
    """Rank and percentile of each value among all that are known.

    rank = 1 + better values: equal values share the best rank and the next ranks are left out (1, 2, 2, 4).
    percentile = 100·(worse + half of the other equal values) / (other values): the share of the others that it beats.

    Parameters
    ----------
    values : float64[n_symbols]
        One measure; NaN is not ranked.
    best : {"highest", "lowest"}
        Which value is rank 1.

    Returns
    -------
    Ranks
        The percentile of a value that is the only one known is NaN.

    References
    ----------
    Hazen (1914), Transactions of the American Society of Civil Engineers 77:1539 (equal values count half).

    Examples
    --------
    >>> ranks = rank_values(np.array([30.0, 20.0, np.nan, 20.0, 10.0, 5.0]))
    >>> ranks.rank, ranks.percentile, ranks.universe_size
    (array([ 1.,  2., nan,  2.,  4.,  5.]), array([100. ,  62.5,   nan,  62.5,  25. ,   0. ]), 5)
    """
    known = ~np.isnan(values)
    size = int(np.count_nonzero(known))
    judged = values[known] if best == "highest" else -values[known]
    ordered = np.sort(judged)
    worse = np.searchsorted(ordered, judged, side="left")
    better = size - np.searchsorted(ordered, judged, side="right")
    rank, percentile = np.full(len(values), np.nan), np.full(len(values), np.nan)
    rank[known] = 1 + better
    if size > 1:
        percentile[known] = 100.0 * (worse + 0.5 * (size - 1 - worse - better)) / (size - 1)
    return Ranks(rank, percentile, size)


def rank_symbols(measures: Mapping[str, NDArray[np.float64]], best: Mapping[str, Best] = MEASURES) -> dict[str, Ranks]:
    """Ranks by several measures; a symbol without one measure is ranked by the others.

    Parameters
    ----------
    measures : mapping of str to float64[n_symbols]
        Name -> values in one order of symbols; NaN is not ranked.
    best : mapping of str to {"highest", "lowest"}
        Which value of a measure is rank 1.

    Returns
    -------
    dict of Ranks
        By name, in the order of ``measures``.

    Raises
    ------
    ValueError
        A measure has no entry in ``best``, or lengths differ.

    Examples
    --------
    >>> ranks = rank_symbols({"volume": np.array([3e6, 6e7]), "median_spread": np.array([4.0, 1.0])})
    >>> ranks["volume"].rank, ranks["median_spread"].rank
    (array([2., 1.]), array([2., 1.]))
    """
    unknown = [name for name in measures if name not in best]
    lengths = {name: len(values) for name, values in measures.items()}
    if unknown:
        raise ValueError(f"which value of {', '.join(unknown)} is best is not said")
    if len(set(lengths.values())) > 1:
        raise ValueError(f"measures of different numbers of symbols: {lengths}")
    return {name: rank_values(values, best[name]) for name, values in measures.items()}


def missing_symbols(expected: Sequence[str], present: Sequence[str]) -> tuple[str, ...]:
    """Symbols of the settings that have no data on a date, in alphabetical order.

    Parameters
    ----------
    expected : sequence of str
        Those of the settings.
    present : sequence of str
        Those with data.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> missing_symbols(["SPY", "KO", "AAPL"], ["SPY"])
    ('AAPL', 'KO')
    """
    return tuple(sorted(set(expected) - set(present)))


# -- records --------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CrossSection:
    """The symbols with data on a date; every array is in the order of ``symbols``, NaN where unknown.

    ``measures`` float64[n_symbols] by name, all of ``MEASURES``. ``returns`` float64[n_symbols, n_intervals], 5-minute
    log returns on one grid [1]. ``earlier`` float64[n_dates, n_symbols] by name: the measures of the trading dates
    before, **every** one of them in order of time, the last row the trading date just before (NaN where not stored).
    """

    symbols: tuple[str, ...]
    measures: Mapping[str, NDArray[np.float64]]
    returns: NDArray[np.float64]
    earlier: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse arrays that do not fit the symbols."""
        n = len(self.symbols)
        bad = [name for name in MEASURES if name not in self.measures or self.measures[name].shape != (n,)]
        bad += [name for name, values in self.earlier.items() if values.ndim != 2 or values.shape[1] != n]
        if bad or self.returns.ndim != 2 or len(self.returns) != n or len(set(self.symbols)) != n:
            raise ValueError(
                f"{n} symbols, {len(set(self.symbols))} different; returns of shape {self.returns.shape}; measures "
                f"missing or of another length: {', '.join(bad) or 'none'}"
            )


def cross_symbol_rankings(
    section: CrossSection,
    trading_date: dt.date,
    expected: Sequence[str],
    *,
    benchmark: str = "SPY",
    sectors: Mapping[str, str] | None = None,
    minimum_returns: int = FEWEST_RETURNS,
) -> list[CrossSymbolRanking]:
    """One record a symbol: ranks, changes, and relations to the benchmark and the ETF of its sector.

    Parameters
    ----------
    section : CrossSection
        What is known of the date.
    trading_date : date
    expected : sequence of str
        The symbols of the settings: those that ``section`` lacks get a record that says so and has no ranks.
    benchmark : str
        Symbol that all are compared with, itself too.
    sectors : mapping of str to str, optional
        Symbol -> ETF of its sector.
    minimum_returns : int
        Fewer common returns give no correlation and no beta.

    Returns
    -------
    list of CrossSymbolRanking
        In alphabetical order.

    Examples
    --------
    >>> section = CrossSection(("KO", "SPY"), {name: np.array([3.0, 2.0]) for name in MEASURES}, np.zeros((2, 78)))
    >>> records = cross_symbol_rankings(section, dt.date(2024, 5, 6), ["AAPL", "KO", "SPY"])
    >>> [(record.symbol, record.is_missing, record.volume.rank) for record in records]
    [('AAPL', True, None), ('KO', False, 1), ('SPY', False, 2)]
    """
    places = _places(section)
    days = {symbol: _symbol_day(section, row) for row, symbol in enumerate(section.symbols)}
    rows: dict[str, int | None] = {symbol: row for row, symbol in enumerate(section.symbols)}
    rows |= dict.fromkeys(missing_symbols(expected, section.symbols))
    records = []
    for symbol, row in sorted(rows.items()):
        others = {"benchmark": benchmark, "sector": (sectors or {}).get(symbol)}
        groups: dict[str, Any] = {name: _measure_rank(place, row, name) for name, place in places.items()}
        groups |= {role: _relation(symbol, other, days, minimum_returns) for role, other in others.items()}
        reasons = {f"{name}.{part}": why for name, (_, nulls) in groups.items() for part, why in nulls.items()}
        found = {name: group for name, (group, _) in groups.items()}
        records.append(
            CrossSymbolRanking(symbol=symbol, date=trading_date, is_missing=row is None, null_reasons=reasons, **found)
        )
    return records


@dataclass(frozen=True, slots=True)
class _Places:
    """One measure of all symbols: values, ranks, the values compared with, and the changes from those."""

    values: NDArray[np.float64]
    ranks: Ranks
    yesterday: NDArray[np.float64]
    mean: NDArray[np.float64]
    change_from_yesterday: NDArray[np.float64]
    change_from_mean: NDArray[np.float64]


def _places(section: CrossSection) -> dict[str, _Places]:
    found = {}
    for name, ranks in rank_symbols({name: section.measures[name] for name in MEASURES}).items():
        values = section.measures[name]
        earlier = section.earlier.get(name, np.empty((0, len(values))))
        yesterday = earlier[-1] if len(earlier) else np.full(len(values), np.nan)
        mean = latest_mean(earlier)
        found[name] = _Places(values, ranks, yesterday, mean, ratio(values, yesterday) - 1, ratio(values, mean) - 1)
    return found


def _measure_rank(place: _Places, row: int | None, name: str) -> tuple[MeasureRank, dict[str, str]]:
    """A symbol's place by one measure (``row`` None: the symbol is missing), and why fields of it are null."""
    size = place.ranks.universe_size
    if row is None or math.isnan(place.values[row]):
        nulls = [part for part in MeasureRank.model_fields if part != "universe_size"]
        empty = MeasureRank.model_validate(dict.fromkeys(nulls) | {"universe_size": size})
        return empty, dict.fromkeys(nulls, NO_DATA if row is None else f"{name} is not known")
    found = MeasureRank(
        value=float(place.values[row]),
        rank=int(place.ranks.rank[row]),
        percentile=_known(place.ranks.percentile[row]),
        universe_size=size,
        change_from_yesterday=_known(place.change_from_yesterday[row]),
        change_from_mean=_known(place.change_from_mean[row]),
    )
    zero = f"the {name} compared with is not above 0"
    yesterday = f"{name} is not known on the trading date before"
    mean = f"{name} is known on fewer than {MEAN_DATES} earlier dates"
    reasons = {
        "percentile": "no other symbol is ranked",
        "change_from_yesterday": yesterday if math.isnan(place.yesterday[row]) else zero,
        "change_from_mean": mean if math.isnan(place.mean[row]) else zero,
    }
    return found, {part: reason for part, reason in reasons.items() if getattr(found, part) is None}


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _symbol_day(section: CrossSection, row: int) -> SymbolDay:
    return SymbolDay(
        section.symbols[row],
        section.returns[row],
        median_spread=float(section.measures["median_spread"][row]),
        volume=float(section.measures["volume"][row]),
        realised_volatility=float(section.measures["realised_volatility"][row]),
    )


def _relation(
    symbol: str, other: str | None, days: Mapping[str, SymbolDay], minimum_returns: int
) -> tuple[Relation, dict[str, str]]:
    if other is None:
        return no_relation(None, "the settings name no sector ETF for the symbol")
    if symbol not in days:
        return no_relation(other, NO_DATA)
    if other not in days:
        return no_relation(other, f"{other} has no data on the date")
    return relation(days[symbol], days[other], minimum_returns=minimum_returns)

"""Rankings and pair correlations of 500 symbols: ours against pandas, and the whole of a date.

Run with ``python -m benchmarks.rankings``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks import measure
from fuzzy_pipeline.rankings.cross_section import MEASURES, CrossSection, cross_symbol_rankings, rank_symbols
from fuzzy_pipeline.rankings.pair_correlations import FEWEST_RETURNS, pair_correlations, pair_table
from fuzzy_pipeline.schema.rankings import CrossSymbolRanking
from fuzzy_pipeline.schema.records import to_table

GOALS = {"pandas": 1.0}
WHOLE_GOAL_S = 2.0
DATE = dt.date(2024, 5, 6)
SYMBOLS, INTERVALS, DATES = 500, 78, 20
REMARKS = [
    f"{SYMBOLS} symbols, {INTERVALS} five-minute returns each from one common factor and random numbers (seed 20), 5 % "
    "of them unknown; five measures, 2 % unknown. Rows of the correlations are pairs, of the ranks values.",
    "Correlations: ours gives correlation and n of each pair once; pandas (DataFrame.corr with min_periods) gives each "
    "twice in a matrix, without n.",
    "Ranks: ours gives rank and percentile by the five measures; pandas (DataFrame.rank, method min) the ranks alone.",
    "The whole of a date: ranks, changes to 20 earlier dates, relations to the benchmark and to one of eleven sector "
    "ETFs, all correlations; both tables in Arrow, ready to be stored.",
]


def random_date() -> CrossSection:
    """Measures and returns of one date and of the dates before."""
    random = np.random.default_rng(20)
    symbols = ("SPY", *(f"S{number:03d}" for number in range(SYMBOLS - 1)))
    factor = random.normal(size=INTERVALS)
    returns = 1e-3 * (random.uniform(0, 2, (SYMBOLS, 1)) * factor + random.normal(size=(SYMBOLS, INTERVALS)))

    def values(*shape: int) -> NDArray[np.float64]:
        drawn = random.lognormal(size=shape)
        drawn[random.random(shape) < 0.02] = np.nan
        return drawn

    returns[random.random(returns.shape) < 0.05] = np.nan
    measures = {name: values(SYMBOLS) for name in MEASURES}
    return CrossSection(symbols, measures, returns, {name: values(DATES, SYMBOLS) for name in MEASURES})


def whole_date(section: CrossSection, sectors: dict[str, str]) -> tuple[pa.Table, pa.Table]:
    """Both tables of a date."""
    records = cross_symbol_rankings(section, DATE, section.symbols, sectors=sectors)
    pairs = pair_correlations(section.symbols, section.returns)
    return to_table(records, CrossSymbolRanking), pair_table(pairs, DATE)


def check(section: CrossSection, returns: pd.DataFrame, measures: pd.DataFrame) -> list[str]:
    """How pandas differs from ours."""
    ours = pair_correlations(section.symbols, section.returns)
    matrix = returns[list(ours.symbols)].corr(min_periods=FEWEST_RETURNS).to_numpy()
    theirs = {name: column.to_numpy() for name, column in pandas_ranks(measures).items()}
    ranks = {name: found.rank for name, found in rank_symbols(section.measures).items()}
    found = measure.differences(ranks, {str(name): column for name, column in theirs.items()})
    found |= measure.differences({"correlation": ours.correlation}, {"correlation": matrix[ours.first, ours.second]})
    return [f"pandas: {name}: {what}" for name, what in found.items()]


def pandas_ranks(measures: pd.DataFrame) -> pd.DataFrame:
    """The same ranks by pandas: it ranks upwards or downwards, so measures of one direction together."""
    high = [name for name, best in MEASURES.items() if best == "highest"]
    low = [name for name, best in MEASURES.items() if best == "lowest"]
    return pd.concat([measures[high].rank(method="min", ascending=False), measures[low].rank(method="min")], axis=1)


def main() -> dict[str, Any]:
    """Check, time, write ``results/rankings``."""
    section = random_date()
    sectors = {symbol: f"S{number % 11:03d}" for number, symbol in enumerate(section.symbols)}
    returns = pd.DataFrame(section.returns.T, columns=list(section.symbols))
    measures = pd.DataFrame(dict(section.measures))
    remarks = REMARKS + (check(section, returns, measures) or ["Before timing, pandas was found to give equal values."])
    pairs = SYMBOLS * (SYMBOLS - 1) // 2
    correlations: dict[str, Callable[[], object]] = {
        "ours": lambda: pair_correlations(section.symbols, section.returns),
        "pandas": lambda: returns.corr(min_periods=FEWEST_RETURNS),
    }
    ranks: dict[str, Callable[[], object]] = {
        "ours": lambda: rank_symbols(section.measures),
        "pandas": lambda: pandas_ranks(measures),
    }
    whole = measure.side_by_side({"ours": lambda: whole_date(section, sectors)})
    verdict = "met" if whole["ours"].wall_s < WHOLE_GOAL_S else "MISSED"
    remarks.append(f"Goal of the whole: under {WHOLE_GOAL_S:g} s on the clock; {verdict}.")
    cases = [
        measure.case("correlations", pairs, measure.side_by_side(correlations), GOALS),
        measure.case("ranks", SYMBOLS * len(MEASURES), measure.side_by_side(ranks), GOALS),
        measure.case("the whole of a date", pairs, whole, {}),
    ]
    return measure.write_results("rankings", f"Rankings and correlations of {SYMBOLS} symbols", cases, remarks)


if __name__ == "__main__":
    main()

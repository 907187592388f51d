"""Rankings and pair correlations written by hand, in stores on disk or in memory.

Monday, by volume: AAPL 9,000 (rank 1), KO 5,000 and SPY 5,000 (both 2); XOM is missing. By spread KO is not ranked.
Of the pairs AAPL-KO is 0.5, AAPL-SPY −0.25, and KO-SPY is not known. Tuesday: AAPL and SPY are ranked and are 0.75;
the rows of KO, and of its pair with SPY, are written and not committed.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

from fuzzy_pipeline.schema.rankings import (
    PAIRS_TABLE,
    RANKINGS_TABLE,
    CrossSymbolRanking,
    MeasureRank,
    PairCorrelation,
    Relation,
)
from fuzzy_pipeline.schema.records import to_table
from fuzzy_pipeline.schema.tables import HEAVY_TABLES
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.store import Store, create_store
from tests.unit.query import simulated_store as sim
from tests.unit.query.day_rows import commit
from tests.unit.query.hand_made import MONDAY, TUESDAY

TOO_FEW = "fewer than 20 common 5-minute returns"
NO_QUOTE = "median_spread is not known"


def place(value: float | None, rank: int | None, percentile: float | None, size: int, **changes: float) -> MeasureRank:
    """A place by one measure."""
    found = {"change_from_yesterday": None, "change_from_mean": None} | changes
    return MeasureRank(value=value, rank=rank, percentile=percentile, universe_size=size, **found)


def relation(correlation: float | None) -> Relation:
    """What is known of a symbol against another."""
    return Relation(
        symbol="SPY", n=78, correlation=correlation, beta=None, spread_ratio=None, volume_ratio=None,
        volatility_ratio=None,
    )  # fmt: skip


def ranking(symbol: str, date: dt.date, **measures: MeasureRank) -> CrossSymbolRanking:
    """A symbol's places; where a measure is not given, it is not ranked."""
    missing = not measures
    reason = "no data on the date" if missing else NO_QUOTE
    names = ("liquidity_score", "median_spread", "volume", "dollar_volume", "realised_volatility")
    return CrossSymbolRanking(
        symbol=symbol,
        date=date,
        is_missing=missing,
        **{name: measures.get(name, place(None, None, None, 2)) for name in names},
        benchmark=relation(None if missing else 0.5),
        sector=relation(None),
        null_reasons={f"{name}.rank": reason for name in names if name not in measures},
    )


def pair(first: str, second: str, date: dt.date, correlation: float | None) -> PairCorrelation:
    """A pair with 78 returns, or too few."""
    known = correlation is not None
    return PairCorrelation(
        symbol_a=first, symbol_b=second, date=date, n=78 if known else 7, correlation=correlation,
        null_reason=None if known else TOO_FEW,
    )  # fmt: skip


OF_MONDAY = [
    ranking(
        "AAPL", MONDAY, volume=place(9000.0, 1, 100.0, 3, change_from_yesterday=0.5, change_from_mean=-0.1),
        median_spread=place(1.5, 1, 100.0, 2),
    ),
    ranking("KO", MONDAY, volume=place(5000.0, 2, 25.0, 3)),
    ranking("SPY", MONDAY, volume=place(5000.0, 2, 25.0, 3), median_spread=place(2.5, 2, 0.0, 2)),
    ranking("XOM", MONDAY),
]  # fmt: skip
OF_TUESDAY = [
    ranking("AAPL", TUESDAY, volume=place(10.0, 2, 0.0, 2)),
    ranking("KO", TUESDAY, volume=place(99.0, 1, 100.0, 3)),
    ranking("SPY", TUESDAY, volume=place(20.0, 1, 100.0, 2)),
]
PAIRS_OF_MONDAY = [
    pair("AAPL", "KO", MONDAY, 0.5),
    pair("AAPL", "SPY", MONDAY, -0.25),
    pair("KO", "SPY", MONDAY, None),
]
PAIRS_OF_TUESDAY = [pair("AAPL", "SPY", TUESDAY, 0.75), pair("KO", "SPY", TUESDAY, 0.125)]


def fill(store: Store) -> Store:
    """The rows this page describes."""
    put(store, MONDAY, OF_MONDAY, PAIRS_OF_MONDAY, ["AAPL", "KO", "SPY", "XOM"])
    put(store, TUESDAY, OF_TUESDAY, PAIRS_OF_TUESDAY, ["AAPL", "SPY"])
    return store


def put(
    store: Store,
    date: dt.date,
    records: list[CrossSymbolRanking],
    pairs: list[PairCorrelation],
    committed: list[str],
) -> None:
    """Write a date's rows and commit those of some symbols."""
    symbols = [record.symbol for record in records]
    store.light.replace_symbols(RANKINGS_TABLE, date, to_table(records, CrossSymbolRanking), symbols)
    rows = to_table(pairs, PairCorrelation)
    store.light.replace_symbols(PAIRS_TABLE, date, rows.add_column(0, "symbol", rows["symbol_a"]), symbols)
    for table in (RANKINGS_TABLE, PAIRS_TABLE):
        commit(store, table, date, committed)


def rankings_in_memory() -> Store:
    """In memory."""
    return fill(memory_store("simulated", HEAVY_TABLES))


def rankings_on_disk(home: Path) -> Store:
    """On disk; the caller closes it."""
    return fill(create_store(sim.settings_of(home), "simulated", HEAVY_TABLES))

"""Real sessions of four symbols: grid prices against the ticks, correlations against pandas and a known effect."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.bars.session_ticks import session_bounds_ns
from fuzzy_pipeline.enrichment import enrich_day
from fuzzy_pipeline.microstructure.noise import log_returns, realised_volatility, sample_prices
from fuzzy_pipeline.rankings.pair_correlations import interval_prices, pair_correlations
from fuzzy_pipeline.schema.codes import Session
from fuzzy_pipeline.sources.files import FilesSource

pytestmark = pytest.mark.real_data

DATE = dt.date(2013, 10, 8)
SYMBOLS = ("AIG", "BAC", "IBM", "SPY")
SECONDS = {"5m": 300, "30s": 30, "5s": 5}
Prices = dict[str, dict[str, np.ndarray]]


@pytest.fixture(scope="module")
def prices(shared_data: Path) -> tuple[Prices, Prices]:
    """Prices on the grid of each interval and symbol: from the bars, and the last price before each mark."""
    start, end = session_bounds_ns("regular", DATE)
    settings = BarSettings(intervals=tuple(SECONDS))
    from_bars: Prices = {interval: {} for interval in SECONDS}
    from_ticks: Prices = {interval: {} for interval in SECONDS}
    for symbol in SYMBOLS:
        ticks = enrich_day(FilesSource(shared_data / "ticks").fetch_ticks(symbol, DATE).columns, symbol, DATE)
        bars = build_bars(ticks, DATE, settings, families=("time",))["time"]
        used = ticks["is_qualified"] & (ticks["session"] == Session.REGULAR)
        instants, price = ticks["timestamp"][used].astype(np.int64), ticks["price"][used]
        for interval, seconds in SECONDS.items():
            step = seconds * 10**9
            rows = slice(*bars.ranges[interval])
            of_interval = {name: column[rows] for name, column in bars.columns.items()}
            from_bars[interval][symbol] = interval_prices(of_interval, start, end, step)
            from_ticks[interval][symbol] = sample_prices(instants, price, start, end, step)
    return from_bars, from_ticks


def test_prices_from_bars_are_the_last_ones_before_each_mark_where_the_interval_traded(
    prices: tuple[Prices, Prices],
) -> None:
    from_bars, from_ticks = prices
    unknown = 0
    for interval, symbol in ((interval, symbol) for interval in SECONDS for symbol in SYMBOLS):
        ours, theirs = from_bars[interval][symbol], from_ticks[interval][symbol]
        gap = np.isnan(ours)
        np.testing.assert_array_equal(ours[~gap], theirs[~gap])
        assert (theirs[1:] == theirs[:-1])[gap[1:]].all()  # nothing moved where nothing traded
        assert realised_volatility(ours) == pytest.approx(realised_volatility(theirs), rel=1e-12)
        unknown += int(gap.sum())
    assert unknown > 1000


@pytest.mark.parametrize("interval", list(SECONDS))
def test_real_correlations_equal_those_of_pandas(prices: tuple[Prices, Prices], interval: str) -> None:
    returns = {symbol: log_returns(found) for symbol, found in prices[0][interval].items()}
    pairs = pair_correlations(SYMBOLS, np.array(list(returns.values())))
    theirs = pd.DataFrame(returns).corr(min_periods=20).to_numpy()[pairs.first, pairs.second]
    np.testing.assert_allclose(pairs.correlation, theirs, rtol=0, atol=1e-12)
    assert (pairs.n <= math.ceil(6.5 * 3600 / SECONDS[interval])).all()
    assert (pairs.n >= 78).all()


def test_correlations_fall_with_the_interval(prices: tuple[Prices, Prices]) -> None:
    """Epps (1979)."""
    long, middle, short = (
        pair_correlations(SYMBOLS, np.array([log_returns(found) for found in prices[0][interval].values()])).correlation
        for interval in SECONDS
    )
    assert (long > middle).all()
    assert (middle > short).all()

"""Prices continue from date to date and share a market."""

from __future__ import annotations

import datetime as dt
from itertools import pairwise

import numpy as np
import pytest

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.simulator.price_paths import day_levels, market_path, pinned_path
from fuzzy_pipeline.simulator.tape import simulate_day

DATES = trading_calendar.trading_dates(dt.date(2021, 3, 1), dt.date(2021, 5, 31))


def closing_price(symbol: str, date: dt.date, seed: int = 20) -> float:
    ticks = simulate_day(seed, symbol, date, 300)
    return float(ticks["last"][ticks["last_type"] == b"C"][-1])


def opening_price(symbol: str, date: dt.date, seed: int = 20) -> float:
    ticks = simulate_day(seed, symbol, date, 300)
    return float(ticks["last"][ticks["last_type"] == b"C"][0])


def test_the_close_of_a_date_is_the_previous_close_of_the_next() -> None:
    for today, tomorrow in pairwise(DATES):
        before = day_levels(20, "AAPL", today, 0.01).close
        assert day_levels(20, "AAPL", tomorrow, 0.01).previous_close == pytest.approx(before, abs=1e-9)


def test_the_first_date_of_the_calendar_has_levels() -> None:
    levels = day_levels(20, "AAPL", trading_calendar.FIRST_DATE, 0.01)
    assert levels.previous_close == 0.0
    assert levels.close != levels.open


def test_prices_open_within_a_few_percent_of_the_last_close() -> None:
    gaps = [
        abs(opening_price("JPM", tomorrow) / closing_price("JPM", today) - 1) for today, tomorrow in pairwise(DATES)
    ]
    assert max(gaps) < 0.06
    assert 0.001 < float(np.median(gaps)) < 0.02


def test_levels_stay_near_their_base_over_decades() -> None:
    last = dt.date(2030, 12, 31)
    closes = [day_levels(seed, "AAPL", last, 0.014).close for seed in range(200)]
    # AR(1) with coefficient 0.997 and shocks of 1.6 %: standard deviation 0.016 / sqrt(1 - 0.997²) = 0.21.
    assert 0.15 < float(np.std(closes)) < 0.30


def test_a_pinned_path_starts_and_ends_where_it_must() -> None:
    path = pinned_path(1.0, 2.0, np.array([0.5, -0.25, 0.75]))
    # The walk 0, 0.5, 0.25, 1.0 happens to end at 1.0 = 2.0 - 1.0: nothing is tilted.
    assert path.tolist() == pytest.approx([1.0, 1.5, 1.25, 2.0])
    tilted = pinned_path(0.0, 0.0, np.array([1.0, 1.0]))
    assert tilted.tolist() == pytest.approx([0.0, 0.0, 0.0])


def test_a_pinned_path_without_steps_is_its_start() -> None:
    assert pinned_path(1.5, 9.0, np.zeros(0)).tolist() == [1.5]


def test_the_market_path_does_not_depend_on_where_it_is_read() -> None:
    hours = trading_calendar.session(DATES[0])
    times = np.array([hours.pre_open_us, hours.open_us, hours.close_us, hours.after_close_us], dtype=np.int64)
    together = market_path(20, hours, times)
    alone = [float(market_path(20, hours, times[n : n + 1])[0]) for n in range(4)]
    assert together.tolist() == alone


def test_the_market_path_meets_its_levels_at_the_open_and_the_close() -> None:
    hours = trading_calendar.session(DATES[0])
    levels = day_levels(20, "|market|", DATES[0], 0.010)
    path = market_path(20, hours, np.array([hours.open_us, hours.close_us], dtype=np.int64))
    assert path.tolist() == pytest.approx([levels.open, levels.close])


def test_symbols_move_with_the_benchmark() -> None:
    """Daily returns of a stock and of the benchmark share the market factor; two seeds share nothing."""
    stock = np.diff(np.log([closing_price("XOM", date) for date in DATES]))
    benchmark = np.diff(np.log([closing_price("SPY", date) for date in DATES]))
    elsewhere = np.diff(np.log([closing_price("SPY", date, seed=99) for date in DATES]))
    assert np.corrcoef(stock, benchmark)[0, 1] > 0.4
    assert abs(np.corrcoef(stock, elsewhere)[0, 1]) < 0.4

"""Trade sizes, rates, price steps, Amihud's and Roll's measures."""

from __future__ import annotations

import datetime as dt
import math
import statistics
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.microstructure.liquidity import LiquidityProfile, amihud, liquidity_profile, roll_spread
from tests.oracles import liquidity as plain
from tests.oracles import spreads as plain_spreads
from tests.unit.microstructure.session_trades import DRAWN, NAN, SECOND, Trades, columns, real_session

TAKEN = ("timestamps", "price", "size", "bid", "ask")


def profile(trades: Trades, session_seconds: float = 60.0) -> LiquidityProfile:
    return liquidity_profile(*(trades[name] for name in TAKEN), session_seconds)


def at_prices(*prices: float) -> LiquidityProfile:
    return profile(columns([(SECOND, price, 100, NAN, NAN, 0, 1, False) for price in prices]))


# -- profile of a session ------------------------------------------------------


def test_sizes_and_rates_of_four_trades_in_two_minutes() -> None:
    # 100 + 200 + 300 + 1000 = 1600 over 4; the median lies between 200 and 300; 4 trades in 2 minutes; waits of
    # 1, 2 and 3 seconds.
    waits_and_sizes = [(0, 100), (SECOND, 1000), (2 * SECOND, 300), (3 * SECOND, 200)]
    found = profile(columns([(wait, 10.0, size, NAN, NAN, 0, 1, False) for wait, size in waits_and_sizes]), 120.0)
    assert (found.avg_trade_size, found.median_trade_size) == (400, 250)
    # Rank 0.95 · 3 = 2.85: between 300 and 1000.
    assert found.p95_trade_size == pytest.approx(300 + 0.85 * 700)
    assert (found.trade_frequency, found.time_between_trades_ms) == (2, 2000)


def test_quote_changes_are_counted_when_either_side_moves_comes_or_goes() -> None:
    # First quote, same, new bid, new ask, gone, still gone, back: five changes in ten seconds.
    quotes = [(10.0, 10.1), (10.0, 10.1), (10.01, 10.1), (10.01, 10.2), (NAN, NAN), (NAN, NAN), (10.01, 10.2)]
    found = profile(columns([(SECOND, 10.0, 100, bid, ask, 0, 1, False) for bid, ask in quotes]), 10.0)
    assert found.quote_intensity == 0.5


def test_quote_intensity_is_unknown_without_a_usable_quote() -> None:
    assert math.isnan(at_prices(10.0, 10.01).quote_intensity)
    crossed = profile(columns([(0, 10.0, 100, 10.2, 10.1, 0, 1, False)] * 3))
    assert math.isnan(crossed.quote_intensity)


def test_effective_tick_size_is_the_least_price_change_that_is_none_of_rounding() -> None:
    assert 10.02 - 10.01 != 0.01
    assert at_prices(10.05, 10.01, 10.01, 10.02).effective_tick_size == 0.01
    assert at_prices(165.4199, 165.42, 165.43).effective_tick_size == 0.0001


def test_equal_prices_that_differ_in_their_last_bit_are_one_level_and_no_change() -> None:
    assert 0.1 + 0.2 != 0.3
    found = at_prices(0.3, 0.1 + 0.2, 0.3)
    assert found.price_levels_count == 1
    assert math.isnan(found.effective_tick_size)


def test_price_levels_are_counted_once_however_often_and_far_apart_they_are_traded() -> None:
    assert at_prices(10.0, 10.1, 10.0, 10.2, 10.1).price_levels_count == 3
    # 4,294.967296 USD apart: equal in the last 32 bits of millionths.
    assert at_prices(1.0, 4295.967296, 1.0001).price_levels_count == 3


def test_without_trades_everything_but_the_counts_is_unknown() -> None:
    found = profile(columns([]))
    assert (found.price_levels_count, found.trade_frequency) == (0, 0)
    unknown = (
        found.avg_trade_size, found.median_trade_size, found.p95_trade_size, found.quote_intensity,
        found.effective_tick_size, found.time_between_trades_ms,
    )  # fmt: skip
    assert all(math.isnan(value) for value in unknown)


def test_one_trade_has_a_size_and_no_waiting_time() -> None:
    found = profile(columns([(5, 10.0, 300, 9.99, 10.01, 1, 1, False)]), 30.0)
    assert (found.avg_trade_size, found.median_trade_size, found.trade_frequency) == (300, 300, 2)
    assert (found.price_levels_count, found.quote_intensity) == (1, 1 / 30)
    assert math.isnan(found.time_between_trades_ms)


def test_a_session_without_length_is_refused() -> None:
    with pytest.raises(ValueError, match="positive length"):
        profile(columns([]), 0.0)


@settings(deadline=None)
@given(DRAWN)
def test_profile_equals_its_plain_twin(trades: Trades) -> None:
    found = profile(trades)
    price, size, bid, ask = (trades[name].tolist() for name in ("price", "size", "bid", "ask"))
    usable = any(0 < b <= a for b, a in zip(bid, ask, strict=True))
    assert found.effective_tick_size == pytest.approx(plain.least_price_change(price), nan_ok=True)
    assert found.price_levels_count == len(set(price))
    changes = plain.quote_changes(bid, ask) / 60 if usable else NAN
    assert found.quote_intensity == pytest.approx(changes, nan_ok=True)
    if size:
        assert found.median_trade_size == statistics.median(size)
        assert found.p95_trade_size == pytest.approx(plain_spreads.percentile(size, 0.95))
        assert found.avg_trade_size == pytest.approx(sum(size) / len(size))


@settings(deadline=None)
@given(DRAWN, st.integers(1, 10**15))
def test_the_hour_of_the_session_does_not_matter(trades: Trades, shift: int) -> None:
    shifted = trades | {"timestamps": trades["timestamps"] + shift}
    assert str(profile(shifted)) == str(profile(trades))  # as text, NaN equals NaN


@pytest.mark.real_data
def test_profile_equals_its_plain_twin_on_a_real_day(shared_data: Path) -> None:
    trades, start, end = real_session(shared_data, "BAC", dt.date(2013, 10, 8))
    found = profile(trades, (end - start) / SECOND)
    assert (end - start) / SECOND == 6.5 * 3600
    assert found.effective_tick_size == plain.least_price_change(trades["price"].tolist()) == 0.01
    assert found.price_levels_count == len(set(trades["price"].tolist()))
    changes = plain.quote_changes(trades["bid"].tolist(), trades["ask"].tolist())
    assert found.quote_intensity == pytest.approx(changes / 23_400)
    assert found.median_trade_size == statistics.median(trades["size"].tolist())


# -- Amihud --------------------------------------------------------------------


def test_amihud_is_the_absolute_return_per_million_dollars() -> None:
    # Two per cent on 4,000,000 USD: 0.02 / 4; a fall counts like a rise.
    assert amihud(100.0, 102.0, 4e6) == pytest.approx(0.005)
    assert amihud(100.0, 98.0, 4e6) == pytest.approx(0.005)
    assert amihud(100.0, 100.0, 4e6) == 0


@pytest.mark.parametrize("day", [(NAN, 100.0, 1e6), (100.0, NAN, 1e6), (100.0, 101.0, 0.0), (0.0, 101.0, 1e6)])
def test_amihud_is_unknown_without_prices_or_trading(day: tuple[float, float, float]) -> None:
    assert math.isnan(amihud(*day))


# -- Roll ----------------------------------------------------------------------


def test_roll_spread_of_a_bounce_can_be_added_up() -> None:
    # Changes 0.02 −0.02 0.02 −0.02 0: first four have mean 0, products −4 −4 −4 and 0 in 0.0001 USD², over 3: −4.
    assert roll_spread(np.array([10.0, 10.02, 10.0, 10.02, 10.0, 10.0])) == pytest.approx(0.04)


@pytest.mark.parametrize(
    "prices",
    [
        [10.0 + 0.01 * k for k in range(1000)],
        [10.0] * 50,
        [10.0, 10.01, 10.02, 10.02, 10.02, 10.03, 10.04],
        [10.0, 10.02, 10.0],
        [10.0],
        [],
    ],
    ids=["steady trend", "one price", "moves in bursts", "three prices", "one trade", "no trade"],
)
def test_roll_spread_is_unknown_where_nothing_bounces(prices: list[float]) -> None:
    assert math.isnan(roll_spread(np.array(prices, dtype=np.float64)))


@settings(deadline=None)
@given(st.lists(st.integers(-20, 20), max_size=40))
def test_roll_spread_equals_its_plain_twin(cents: list[int]) -> None:
    prices = [round(10 + cent / 100, 2) for cent in cents]
    assert roll_spread(np.array(prices)) == pytest.approx(plain.roll(prices), rel=1e-9, nan_ok=True)


def test_roll_recovers_the_spread_of_rolls_model_within_four_standard_errors() -> None:
    """Price = random walk ± half the spread with independent sides; 200 days of 2,000 trades."""
    rng = np.random.default_rng(11)
    estimates = []
    for _ in range(200):
        value = 50 + np.cumsum(rng.normal(0, 0.005, 2_000))
        estimates.append(roll_spread(value + 0.01 * rng.choice([-1.0, 1.0], 2_000)))
    error = statistics.stdev(estimates) / math.sqrt(len(estimates))
    assert statistics.mean(estimates) == pytest.approx(0.02, abs=4 * error)
    assert error < 0.0001


def test_without_a_spread_rolls_covariance_is_nought_within_four_standard_errors() -> None:
    # Of n independent changes with variance s² the serial covariance has the standard error s²/√n.
    changes = np.random.default_rng(5).normal(0, 0.005, 40_000)
    spread = roll_spread(50 + np.cumsum(changes))
    covariance = -((0.0 if math.isnan(spread) else spread / 2) ** 2)
    assert abs(covariance) <= 4 * 0.005**2 / math.sqrt(40_000)

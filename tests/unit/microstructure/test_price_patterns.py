"""Bursts, flash moves and round prices: by hand and against the plain twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.price_patterns import (
    FlashEvents,
    PriceBursts,
    flash_events,
    momentum_ignition_events,
    price_bursts,
    tick_clustering,
)
from tests.oracles import price_patterns as oracle
from tests.unit.microstructure.random_session import SECOND, random_session

FAR = 10**6 * SECOND


def bursts(ticks: list[tuple[float, int]], end: int = FAR) -> tuple[list[float], list[float], list[float]]:
    """Second and cents of ticks of 100 shares -> move in cents above 1000, shares, given back."""
    times = np.array([round(second * SECOND) for second, _ in ticks])
    price = np.array([cents / 100 for _, cents in ticks])
    found = price_bursts(times, price, np.full(len(ticks), 100, dtype=np.uint32), end)
    return found.log_move.tolist(), found.volume.tolist(), found.given_back.tolist()


def test_five_changes_in_five_seconds_are_a_burst_and_repeated_prices_do_not_part_it() -> None:
    # From 10.00 to 10.05: changes at 1, 2, 3, 4, 6 s, exactly five seconds apart; the tick at 3.5 s repeats a price.
    rise = [(0, 1000), (1, 1001), (2, 1002), (3, 1003), (3.5, 1003), (4, 1004), (6, 1005), (7, 1005), (8, 1003)]
    moves, shares, back = bursts(rise)
    assert moves == pytest.approx([math.log(1005 / 1000)])
    assert shares == [600.0]  # the ticks at 1, 2, 3, 3.5, 4 and 6 s
    assert back == [0.0]  # 10.03 is two cents back, half is two and a half


def test_half_a_fall_undone_is_given_back() -> None:
    fall = [(0, 1006), (1, 1005), (2, 1004), (3, 1003), (4, 1002), (5, 1001), (6, 1000), (306, 1003)]
    moves, _, back = bursts(fall)
    assert moves == pytest.approx([math.log(1000 / 1006)])
    assert back == [1.0]


def test_given_back_after_more_than_five_minutes_is_not() -> None:
    rise = [(second, 1000 + second) for second in range(6)]
    assert bursts([*rise, (305, 1000)])[2] == [1.0]
    assert bursts([*rise, (305.1, 1000)])[2] == [0.0]


def test_whether_a_burst_before_the_close_is_given_back_is_unknown() -> None:
    rise = [(second, 1000 + second) for second in range(6)]
    np.testing.assert_array_equal(bursts(rise, end=304 * SECOND)[2], [math.nan])
    assert bursts([*rise, (6, 1002)], end=304 * SECOND)[2] == [1.0]


@pytest.mark.parametrize(
    "ticks",
    [
        [],
        [(0, 1000)],
        [(second, 1000 + second) for second in range(5)],  # four changes
        [(0, 1000), (1, 1001), (2, 1002), (3, 1003), (4, 1004), (6.1, 1005)],  # 5.1 seconds
        [(0, 1000), (1, 1001), (2, 1002), (3, 1003), (3, 1002), (4, 1003), (4, 1004)],  # a step back
    ],
)
def test_fewer_slower_or_broken_changes_are_no_burst(ticks: list[tuple[float, int]]) -> None:
    assert bursts(ticks) == ([], [], [])


@pytest.mark.parametrize("seed", range(40))
def test_bursts_equal_their_plain_twin(seed: int) -> None:
    day = random_session(seed, 600)
    # A drift makes runs: the walk goes the other way in one of eight steps only.
    steps = np.random.default_rng(seed).choice([-1, 0, 1, 1, 1, 1, 2, 2], 600)
    cents = 10_000 + np.cumsum(np.where(np.arange(600) // 20 % 2, steps, -steps))
    found = price_bursts(day.timestamps, cents / 100, day.size, day.end)
    expected = oracle.bursts(day.timestamps.tolist(), cents.tolist(), day.size.tolist(), day.end)
    assert len(expected) > 0
    assert found.log_move.tolist() == pytest.approx([move for move, _, _ in expected])
    assert found.volume.tolist() == [shares for _, shares, _ in expected]
    back = [math.nan if given is None else float(given) for _, _, given in expected]
    np.testing.assert_array_equal(found.given_back, back)


def one_burst(move: float, volume: float, back: float) -> PriceBursts:
    return PriceBursts(np.array([move]), np.array([volume]), np.array([back]))


@pytest.mark.parametrize(
    ("burst", "events"),
    [
        ((0.003, 300.0, 1.0), 1),  # three sigmas and three volumes, both met exactly
        ((-0.003, 300.0, 1.0), 1),
        ((0.0029, 300.0, 1.0), 0),
        ((0.003, 299.0, 1.0), 0),
        ((0.003, 300.0, 0.0), 0),
        ((0.003, 300.0, math.nan), 0),
    ],
)
def test_momentum_ignition_needs_size_volume_and_give_back(burst: tuple[float, float, float], events: int) -> None:
    assert momentum_ignition_events(one_burst(*burst), 0.001, 100.0) == events


def test_without_a_yardstick_bursts_are_not_judged_and_without_bursts_there_is_nothing_to_judge() -> None:
    burst = one_burst(0.01, 1000.0, 1.0)
    assert momentum_ignition_events(burst, math.nan, 100.0) is None
    assert momentum_ignition_events(burst, 0.001, math.nan) is None
    assert momentum_ignition_events(PriceBursts(*np.empty((3, 0))), math.nan, math.nan) == 0


def flash(*ticks: tuple[float, int]) -> tuple[int, int]:
    """Second and cents of ticks -> falls, spikes."""
    times = np.array([round(second * SECOND) for second, _ in ticks], dtype=np.int64)
    found = flash_events(times, np.array([cents / 100 for _, cents in ticks]))
    return found.crashes, found.spikes


def test_a_fall_of_more_than_fifty_basis_points_that_half_comes_back_is_a_crash() -> None:
    assert flash((0, 10_000), (60, 9_949), (360, 9_975)) == (1, 0)  # 25.5 cents are half
    assert flash((0, 10_000), (60, 9_949), (360, 9_974)) == (0, 0)
    assert flash((0, 10_000), (60, 9_949), (360.1, 10_000)) == (0, 0)


def test_exactly_fifty_basis_points_or_more_than_a_minute_are_none() -> None:
    assert flash((0, 10_000), (30, 9_950), (60, 10_000)) == (0, 0)
    assert flash((0, 10_000), (60, 9_900), (131, 10_000)) == (1, 0)
    assert flash((0, 10_000), (60.1, 9_900), (131, 10_000)) == (0, 0)


def test_a_spike_is_counted_apart() -> None:
    assert flash((0, 10_000), (10, 10_060), (40, 10_020)) == (0, 1)


def test_half_is_of_the_lowest_price_in_the_minute_not_of_the_first_one_past_fifty_basis_points() -> None:
    # 99.40, then 98.00: half of two dollars is 99.00; 98.90 would have been enough from 99.40 on only.
    assert flash((0, 10_000), (10, 9_940), (50, 9_800), (200, 9_890)) == (0, 0)
    assert flash((0, 10_000), (10, 9_940), (50, 9_800), (200, 9_900)) == (1, 0)


def test_one_fall_is_counted_once_and_two_twice() -> None:
    once = [(0, 10_000), (5, 9_940), (6, 9_930), (7, 9_920), (100, 9_960)]
    assert flash(*once) == (1, 0)
    assert flash(*once, (1000, 10_000), (1005, 9_940), (1100, 9_980)) == (2, 0)


def test_a_day_without_ticks_or_with_one_has_no_flash_events() -> None:
    assert flash_events(np.zeros(0, dtype=np.int64), np.zeros(0)) == FlashEvents(0, 0)
    assert flash((0, 10_000)) == (0, 0)


@pytest.mark.parametrize("seed", range(40))
def test_flash_events_equal_their_plain_twin(seed: int) -> None:
    day = random_session(seed, 300, largest_step=25)
    found = flash_events(day.timestamps, day.price)
    ticks = (day.timestamps.tolist(), day.cents.tolist())
    expected = FlashEvents(oracle.flash_moves(*ticks, -1), oracle.flash_moves(*ticks, 1))
    assert found == expected
    assert expected.crashes + expected.spikes > 0


def decimals(prices: list[str]) -> NDArray[np.float64]:
    return np.array([float(price) for price in prices])


def test_prices_drawn_to_five_cents_cluster() -> None:
    assert tick_clustering(decimals(["10.05", "10.10", "10.15", "10.00"])) == pytest.approx(0.8)
    assert tick_clustering(decimals(["10.01", "10.1250", "10.0501"])) == pytest.approx(-0.2)


def test_all_whole_cents_alike_do_not_cluster() -> None:
    prices = [f"{cents / 100:.2f}" for cents in range(100, 100_000)]
    assert tick_clustering(decimals(prices)) == pytest.approx(0.0, abs=1e-12)


def test_round_prices_are_those_of_decimal_arithmetic() -> None:
    rng = np.random.default_rng(0)
    prices = [f"{rng.integers(1, 5_000_000) / 10_000:.4f}" for _ in range(2_000)]
    prices += [f"{rng.integers(1, 500_000) * 5 / 100:.2f}" for _ in range(500)]
    assert tick_clustering(decimals(prices)) == pytest.approx(oracle.round_price_share(prices) - 0.2)


def test_without_prices_there_is_no_clustering() -> None:
    assert math.isnan(tick_clustering(np.zeros(0)))

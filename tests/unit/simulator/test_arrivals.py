"""Orders arrive inside their session and make the prints that were asked for."""

from __future__ import annotations

import numpy as np
import pytest

from fuzzy_pipeline.simulator.arrivals import (
    MAX_PRINTS,
    OrderMix,
    draw_orders,
    extended_order_times,
    print_delays,
    print_times,
    regular_order_times,
    session_intensity,
)

MIX = OrderMix((0.2, 0.3, 0.5), (4.0, 2.0, 1.0), (1.0, 0.0, 0.0))


def test_intensity_has_mean_one_and_is_highest_at_both_ends() -> None:
    u = (np.arange(100_000) + 0.5) / 100_000
    intensity = session_intensity(u)
    assert intensity.mean() == pytest.approx(1.0, abs=1e-4)
    assert intensity[0] > intensity[-1] > intensity[50_000]


@pytest.mark.parametrize("n", [0, 1, 2, 17, 5_000])
def test_orders_make_exactly_the_prints_asked_for(n: int) -> None:
    kinds, sizes = draw_orders(np.random.default_rng(1), n, MIX)
    assert sizes.sum() == n
    assert len(kinds) == len(sizes)
    assert n == 0 or (sizes.min() >= 1 and sizes.max() <= MAX_PRINTS)


def test_kinds_and_prints_follow_the_mix() -> None:
    kinds, sizes = draw_orders(np.random.default_rng(1), 200_000, MIX)
    assert np.bincount(kinds) / len(kinds) == pytest.approx([0.2, 0.3, 0.5], abs=0.01)
    means = [sizes[kinds == kind].mean() for kind in range(3)]
    assert means == pytest.approx([4.0, 2.0, 1.0], rel=0.02)


def test_delays_start_at_zero_and_grow_inside_an_order() -> None:
    kinds, sizes = np.array([0, 1], dtype=np.uint8), np.array([3, 3])
    delays = print_delays(np.random.default_rng(1), kinds, sizes, MIX)
    assert delays[:3].tolist() == [0, 0, 0]
    assert delays[3] == 0 < delays[4] < delays[5]


def test_prints_delayed_past_the_end_get_the_last_microsecond() -> None:
    times = print_times(np.array([10, 98]), np.array([2, 2]), np.array([0, 7, 0, 50]), end_us=100)
    assert times.tolist() == [10, 17, 98, 99]


@pytest.mark.parametrize("n", [0, 1, 3_000])
def test_order_times_are_sorted_and_inside_the_session(n: int) -> None:
    rng = np.random.default_rng(1)
    for times in (
        regular_order_times(rng, n, 1_000, 60_001_000),
        extended_order_times(rng, n, 1_000, 60_001_000, towards_end=True),
        extended_order_times(rng, n, 1_000, 60_001_000, towards_end=False),
    ):
        assert len(times) == n
        assert (np.diff(times) >= 0).all()
        assert ((times >= 1_000) & (times < 60_001_000)).all()


def test_extended_orders_are_densest_next_to_the_regular_session() -> None:
    before = extended_order_times(np.random.default_rng(1), 10_000, 0, 1_000_000, towards_end=True)
    after = extended_order_times(np.random.default_rng(1), 10_000, 0, 1_000_000, towards_end=False)
    assert (before > 500_000).mean() > 0.6
    assert (after < 500_000).mean() > 0.6

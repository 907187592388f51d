"""Blocks, sweeps and smart money: by hand, against the plain twin, and on flows with a known relation."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np
import pytest

from fuzzy_pipeline.microstructure.institutional_flow import (
    InstitutionalFlow,
    institutional_flow,
    smart_money_indicator,
)
from tests.oracles import institutional_flow as oracle

NAN = math.nan
MS = 1_000_000
TYPES = {
    "time": np.int64, "price": np.float64, "size": np.uint32, "sign": np.int8, "venue": np.uint16,
    "is_block": np.bool_, "is_sweep": np.bool_, "is_odd_lot": np.bool_,
}  # fmt: skip


def flow_of(trades: list[dict[str, Any]]) -> InstitutionalFlow:
    return institutional_flow(
        *(np.array([trade[name] for trade in trades], dtype=kind) for name, kind in TYPES.items())
    )


def print_of(ms: float, sign: int, venue: int, size: int = 100, sweep: bool = True) -> dict[str, Any]:
    return {
        "time": round(ms * MS), "price": 10.0, "size": size, "sign": sign, "venue": venue,
        "is_block": size >= 10_000, "is_sweep": sweep, "is_odd_lot": size < 100,
    }  # fmt: skip


def sweeps_of(*trades: dict[str, Any]) -> int:
    return flow_of(list(trades)).sweep_order_count


def test_prints_on_two_venues_exactly_a_millisecond_apart_are_one_sweep() -> None:
    assert sweeps_of(print_of(0, 1, 5), print_of(1, 1, 6)) == 1
    assert sweeps_of(print_of(0, 1, 5), print_of(1.001, 1, 6)) == 0


def test_one_venue_one_print_two_sides_or_no_side_are_no_sweep() -> None:
    assert sweeps_of(print_of(0, 1, 5), print_of(0.5, 1, 5)) == 0
    assert sweeps_of(print_of(0, 1, 5)) == 0
    assert sweeps_of(print_of(0, 1, 5), print_of(0.5, -1, 6)) == 0
    assert sweeps_of(print_of(0, 0, 5), print_of(0.5, 0, 6)) == 0
    assert sweeps_of(print_of(0, 1, 5), print_of(0.5, 1, 6, sweep=False)) == 0


def test_a_millisecond_counts_from_the_first_print_so_that_a_long_chain_is_several_sweeps() -> None:
    # 0, 0.6 | 1.2, 1.8: the third is more than a millisecond after the first, though not after the second.
    chain = [print_of(ms, 1, venue) for ms, venue in ((0, 5), (0.6, 6), (1.2, 5), (1.8, 6))]
    assert sweeps_of(*chain) == 2


def test_a_sweep_of_the_other_side_in_between_does_not_part_one() -> None:
    both = [print_of(0, 1, 5), print_of(0.1, -1, 5), print_of(0.2, 1, 6), print_of(0.3, -1, 6)]
    assert sweeps_of(*both) == 2


def test_a_block_inside_a_sweep_is_institutional_once() -> None:
    # 10,000 in a block that sweeps with 100 more; 2,500 of neither: 10,100 of 12,600.
    found = flow_of([print_of(0, 1, 5, 10_000), print_of(0.5, 1, 6), print_of(9, -1, 5, 2_500, sweep=False)])
    assert found.block_trade_count == 1
    assert found.block_volume_pct == pytest.approx(10_000 / 12_600)
    assert found.sweep_volume_pct == pytest.approx(10_100 / 12_600)
    assert found.institutional_participation == pytest.approx(10_100 / 12_600)
    assert found.accumulation_distribution == pytest.approx(7_600 / 12_600)


def test_odd_lots_are_counted_by_trades_and_values_averaged_over_them() -> None:
    found = flow_of([print_of(0, 1, 5, 50), print_of(9, 0, 5, 150), print_of(99, -1, 5, 100), print_of(999, 1, 5, 100)])
    assert found.odd_lot_ratio == 0.25
    assert found.average_trade_value == 1000.0
    assert found.accumulation_distribution == pytest.approx(50 / 400)


def test_without_trades_counts_are_zero_and_shares_unknown() -> None:
    found = asdict(flow_of([]))
    assert (found.pop("block_trade_count"), found.pop("sweep_order_count")) == (0, 0)
    assert all(math.isnan(value) for value in found.values())


@pytest.mark.parametrize("seed", range(20))
def test_flow_equals_its_plain_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    trades: list[dict[str, Any]] = []
    time = 0.0
    for number in range(200):
        time += rng.choice([0.0, 0.2, 0.5, 1.0, 3.0])
        size = int(rng.choice([1, 50, 100, 500, 10_000]))
        trade = print_of(time, int(rng.choice([-1, 0, 1])), int(rng.integers(5, 8)), size, bool(rng.random() < 0.7))
        trades.append({**trade, "number": number, "price": float(rng.integers(900, 1100)) / 100})
    expected = oracle.flow(trades)
    assert expected["sweep_order_count"] > 5
    assert asdict(flow_of(trades)) == pytest.approx(expected)


def test_large_trades_that_are_always_wrong_give_zero() -> None:
    sign = np.array([1, -1, 1, -1], dtype=np.int8)
    found = smart_money_indicator(sign, np.full(4, -6.0), np.ones(4, dtype=np.bool_))
    assert (found.value, found.n) == (0.0, 4)


def test_the_return_is_half_the_impact_on_the_side_of_the_trade() -> None:
    # Impacts 4, 2, −2 of a buy, a sale and a buy: returns 2, −1, −1.
    sign = np.array([1, -1, 1, 1, 0], dtype=np.int8)
    found = smart_money_indicator(sign, np.array([4.0, 2.0, -2.0, 99.0, 5.0]), np.array([1, 1, 1, 0, 1], np.bool_))
    assert found.n == 3
    assert found.value == pytest.approx((np.corrcoef([1, -1, 1], [2, -1, -1])[0, 1] + 1) / 2)


def test_sides_without_relation_to_returns_give_a_half() -> None:
    rng = np.random.default_rng(0)
    sign = rng.choice(np.array([-1, 1], dtype=np.int8), 10_000)
    found = smart_money_indicator(sign, rng.normal(0, 5, 10_000), np.ones(10_000, dtype=np.bool_))
    assert found.value == pytest.approx(0.5, abs=3 / (2 * math.sqrt(10_000)))


@pytest.mark.parametrize(
    ("sign", "impact"),
    [([], []), ([1], [2.0]), ([1, 1, 1], [1.0, 2.0, 3.0]), ([1, -1, 1], [0.0, 0.0, 0.0]), ([1, -1, 1], [NAN] * 3)],
)
def test_without_two_sides_and_prices_that_move_there_is_no_indicator(sign: list[int], impact: list[float]) -> None:
    chosen = np.ones(len(sign), dtype=np.bool_)
    assert math.isnan(smart_money_indicator(np.array(sign, dtype=np.int8), np.array(impact), chosen).value)

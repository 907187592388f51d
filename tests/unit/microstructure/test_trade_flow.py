"""Counts and volumes by side."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from fuzzy_pipeline.microstructure.trade_flow import TradeFlow, trade_flow
from tests.oracles import trade_flow as plain
from tests.unit.microstructure.session_trades import DRAWN, NAN, Trades, columns, real_session, select

SIDES = {"buy": 1, "sell": -1, "neutral": 0}


def flow_of(trades: Trades) -> TradeFlow:
    return trade_flow(trades["price"], trades["size"], trades["trade_sign"])


def flow(*trades: tuple[float, int, int]) -> TradeFlow:
    return flow_of(columns([(0, price, size, NAN, NAN, sign, 1, False) for price, size, sign in trades]))


def test_a_session_of_four_trades_can_be_added_up() -> None:
    # Bought 100 at 10 and 300 at 11, sold 100 at 12, 500 at 13 of neither: (400 − 100) / 1000, 400 / 100.
    found = flow((10.0, 100, 1), (11.0, 300, 1), (12.0, 100, -1), (13.0, 500, 0))
    expected = {
        "buy_count": 2, "sell_count": 1, "neutral_count": 1,
        "buy_volume": 400, "sell_volume": 100, "neutral_volume": 500,
        "buy_dollar_volume": 4300.0, "sell_dollar_volume": 1200.0, "neutral_dollar_volume": 6500.0,
        "buy_sell_ratio": 4.0, "volume_weighted_sign": 0.3, "large_buy_count": 0, "large_sell_count": 0,
    }  # fmt: skip
    assert dataclasses.asdict(found) == expected


def test_large_trades_have_ten_thousand_shares_or_more() -> None:
    found = flow((10.0, 10_000, 1), (10.0, 9_999, 1), (10.0, 10_001, -1), (10.0, 50_000, 0))
    assert (found.large_buy_count, found.large_sell_count) == (1, 1)


def test_the_ratio_is_unknown_when_nothing_was_sold_and_nought_when_nothing_was_bought() -> None:
    assert math.isnan(flow((10.0, 100, 1)).buy_sell_ratio)
    assert flow((10.0, 100, -1)).buy_sell_ratio == 0


def test_without_trades_there_is_no_sign() -> None:
    found = flow()
    assert (found.buy_count, found.sell_count, found.neutral_count, found.buy_volume) == (0, 0, 0, 0)
    assert math.isnan(found.volume_weighted_sign)
    assert math.isnan(found.buy_sell_ratio)


def test_sums_of_the_largest_sizes_do_not_overflow() -> None:
    size = 4_294_967_295  # the largest uint32
    assert flow(*[(1.0, size, 1)] * 3).buy_volume == 3 * size


@settings(max_examples=200, deadline=None)
@given(DRAWN)
def test_flow_equals_its_plain_twin_and_the_three_sides_are_all(trades: Trades) -> None:
    price, size = trades["price"].tolist(), trades["size"].tolist()
    expected = plain.by_side(price, size, trades["trade_sign"].tolist())
    found = flow_of(trades)
    for side, sign in SIDES.items():
        assert getattr(found, f"{side}_count") == expected["count"][sign]
        assert getattr(found, f"{side}_volume") == expected["volume"][sign]
        assert getattr(found, f"{side}_dollar_volume") == pytest.approx(expected["dollars"][sign])
    assert (found.large_buy_count, found.large_sell_count) == (expected["large"][1], expected["large"][-1])
    assert found.buy_count + found.sell_count + found.neutral_count == len(price)
    assert found.buy_volume + found.sell_volume + found.neutral_volume == sum(size)
    dollars = found.buy_dollar_volume + found.sell_dollar_volume + found.neutral_dollar_volume
    assert dollars == pytest.approx(math.fsum(p * v for p, v in zip(price, size, strict=True)))


@settings(deadline=None)
@given(DRAWN)
def test_turning_every_sign_swaps_buyers_and_sellers(trades: Trades) -> None:
    found, turned = flow_of(trades), flow_of(trades | {"trade_sign": -trades["trade_sign"]})
    assert (turned.buy_volume, turned.large_buy_count) == (found.sell_volume, found.large_sell_count)
    assert turned.volume_weighted_sign == pytest.approx(-found.volume_weighted_sign, nan_ok=True)


@settings(deadline=None)
@given(DRAWN)
def test_flow_of_two_halves_adds_up_to_the_whole(trades: Trades) -> None:
    middle = len(trades["price"]) // 2
    halves = [flow_of(select(trades, rows)) for rows in (slice(0, middle), slice(middle, None))]
    whole = flow_of(trades)
    for name in ("buy_count", "neutral_count", "sell_volume", "large_buy_count"):
        assert sum(getattr(half, name) for half in halves) == getattr(whole, name)


@pytest.mark.real_data
def test_the_three_sides_are_all_of_a_real_day(shared_data: Path) -> None:
    trades, _, _ = real_session(shared_data, "SPY", dt.date(2013, 10, 8))
    found = flow_of(trades)
    assert found.buy_count + found.sell_count + found.neutral_count == len(trades["price"]) == 440_352
    volume = found.buy_volume + found.sell_volume + found.neutral_volume
    assert volume == int(trades["size"].sum(dtype=np.int64))
    dollars = found.buy_dollar_volume + found.sell_dollar_volume + found.neutral_dollar_volume
    assert dollars == pytest.approx(float(np.sum(trades["price"] * trades["size"])))

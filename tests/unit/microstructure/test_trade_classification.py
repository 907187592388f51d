"""Lee-Ready on hand-made trades; the enrichment kernel uses the same step."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fuzzy_pipeline.microstructure.trade_classification import lee_ready


def signs(trades: list[tuple[float, float, float]]) -> list[int]:
    price, bid, ask = (np.array(column) for column in zip(*trades, strict=True))
    return lee_ready(price, bid, ask).tolist()  # type: ignore[no-any-return]


def test_above_the_midpoint_is_a_buy_and_below_it_a_sell() -> None:
    assert signs([(10.04, 10.0, 10.05), (10.01, 10.0, 10.05), (10.10, 10.0, 10.05), (9.90, 10.0, 10.05)]) == [
        1,
        -1,
        1,
        -1,
    ]


def test_at_the_midpoint_the_last_different_price_decides_not_the_last_sign() -> None:
    # 10.01 is a sell by its quote; the next two at the midpoint 10.02 are above it: buys, the repeated one too.
    quotes = (10.0, 10.04)
    assert signs([(10.01, *quotes), (10.02, *quotes), (10.02, *quotes), (10.02, *quotes)]) == [-1, 1, 1, 1]


def test_a_midpoint_in_cents_is_one_though_its_binary_value_misses_by_a_bit() -> None:
    # (2.01 + 2.03) / 2 is 2.0199999999999996 in binary; a trade at 2.02 is at the midpoint all the same, and after
    # 2.03 it is a sale by the tick test, not a purchase above the midpoint.
    assert (2.01 + 2.03) / 2 != 2.02
    assert signs([(2.03, 2.01, 2.03), (2.02, 2.01, 2.03)]) == [1, -1]


@pytest.mark.parametrize("quote", [(math.nan, math.nan), (10.0, 10.0), (10.2, 10.0), (math.nan, 10.2)])
def test_without_a_usable_quote_the_tick_test_decides(quote: tuple[float, float]) -> None:
    assert signs([(10.0, *quote), (10.1, *quote), (10.1, *quote), (10.0, *quote)]) == [0, 1, 1, -1]


def test_a_first_trade_at_the_midpoint_is_unknown() -> None:
    assert signs([(10.05, 10.0, 10.10)]) == [0]

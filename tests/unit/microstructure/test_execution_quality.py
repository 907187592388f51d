"""Where trades lie in their quotes, and how large they are."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
import statistics
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from fuzzy_pipeline.microstructure.execution_quality import ExecutionQuality, execution_quality
from tests.oracles import execution_quality as plain
from tests.unit.microstructure.session_trades import DRAWN, NAN, Trades, columns, real_session, select

TAKEN = ("price", "size", "bid", "ask", "is_odd_lot")
PLACES = ("at_bid_rate", "at_ask_rate", "inside_quote_rate", "outside_quote_rate")


def quality(trades: Trades) -> ExecutionQuality:
    return execution_quality(*(trades[name] for name in TAKEN))


def at(*trades: tuple[float, float, float]) -> ExecutionQuality:
    return quality(columns([(0, price, 100, bid, ask, 0, 1, False) for price, bid, ask in trades]))


def test_each_trade_is_at_the_bid_at_the_ask_inside_or_outside() -> None:
    # Of ten trades in 10.00-10.04: one at the bid, two at the ask, three inside (one at the midpoint), four outside.
    prices = [10.0, 10.04, 10.04, 10.01, 10.02, 10.0399, 9.99, 10.05, 9.0, 11.0]
    found = at(*((price, 10.0, 10.04) for price in prices))
    assert [getattr(found, name) for name in PLACES] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert (found.at_midpoint_rate, found.price_improvement_rate) == pytest.approx((0.1, 0.3))


def test_a_midpoint_in_cents_is_one_though_its_binary_value_misses_by_a_bit() -> None:
    assert (2.01 + 2.03) / 2 != 2.02
    assert at((2.02, 2.01, 2.03)).at_midpoint_rate == 1


def test_locked_quotes_have_an_effective_spread_but_no_inside() -> None:
    found = at((10.01, 10.0, 10.0), (10.0, 9.99, 10.01))
    assert (found.n_quoted, found.n_open_quote, found.inside_quote_rate) == (2, 1, 1)
    assert found.effective_spread_mean == pytest.approx(0.01)


def test_effective_spread_needs_no_side() -> None:
    # Twice the distance to 10.02: 0.04 0.04 0.02 0 — mean 0.025, median between 0.02 and 0.04.
    found = at(*((price, 10.0, 10.04) for price in (10.0, 10.04, 10.01, 10.02)))
    assert (found.effective_spread_mean, found.effective_spread_median) == pytest.approx((0.025, 0.03))


def test_odd_lots_and_blocks_are_shares_of_all_trades_quoted_or_not() -> None:
    sizes = [(50, True), (10_000, False), (9_999, False), (100, False)]
    found = quality(columns([(0, 10.0, size, NAN, NAN, 0, 1, odd) for size, odd in sizes]))
    assert (found.odd_lot_rate, found.block_rate, found.n_quoted) == (0.25, 0.25, 0)


@pytest.mark.parametrize(
    "trades",
    [[], [(10.0, NAN, NAN)], [(10.0, 10.2, 10.0)] * 3, [(10.0, 0.0, 10.0)]],
    ids=["no trade", "no quote", "all crossed", "no bid"],
)
def test_without_a_usable_quote_place_and_spread_are_unknown(trades: list[tuple[float, float, float]]) -> None:
    found = dataclasses.asdict(at(*trades))
    assert (found["n_quoted"], found["n_open_quote"]) == (0, 0)
    names = (*PLACES, "at_midpoint_rate", "price_improvement_rate", "effective_spread_mean", "effective_spread_median")
    assert all(math.isnan(found[name]) for name in names)
    assert math.isnan(found["block_rate"]) is (not trades)


@settings(max_examples=200, deadline=None)
@given(DRAWN)
def test_quality_equals_its_plain_twin_and_the_four_places_are_all(trades: Trades) -> None:
    price, bid, ask = (trades[name].tolist() for name in ("price", "bid", "ask"))
    places: list[Any] = [plain.place(*row) for row in zip(price, bid, ask, strict=True)]
    placed = [place for place in places if place]
    spreads = plain.effective_spreads(price, bid, ask)
    found = quality(trades)
    inside = placed.count("inside") + placed.count("midpoint")
    expected = {
        "n_quoted": len(spreads),
        "n_open_quote": len(placed),
        "effective_spread_mean": statistics.fmean(spreads) if spreads else NAN,
        "effective_spread_median": statistics.median(spreads) if spreads else NAN,
        "at_bid_rate": plain.rate(placed.count("bid"), len(placed)),
        "at_ask_rate": plain.rate(placed.count("ask"), len(placed)),
        "inside_quote_rate": plain.rate(inside, len(placed)),
        "outside_quote_rate": plain.rate(placed.count("outside"), len(placed)),
        "at_midpoint_rate": plain.rate(placed.count("midpoint"), len(placed)),
        "price_improvement_rate": plain.rate(inside, len(placed)),
        "odd_lot_rate": plain.rate(sum(trades["is_odd_lot"].tolist()), len(price)),
        "block_rate": plain.rate(sum(size >= 10_000 for size in trades["size"].tolist()), len(price)),
    }
    assert dataclasses.asdict(found) == pytest.approx(expected, abs=1e-12, nan_ok=True)
    if placed:
        assert sum(getattr(found, name) for name in PLACES) == pytest.approx(1)


@settings(deadline=None)
@given(DRAWN)
def test_the_order_of_trades_does_not_matter(trades: Trades) -> None:
    backwards = select(trades, slice(None, None, -1))
    once = dataclasses.asdict(quality(trades))
    assert dataclasses.asdict(quality(backwards)) == pytest.approx(once, abs=1e-12, nan_ok=True)


@pytest.mark.real_data
def test_quality_equals_its_plain_twin_on_a_real_day_in_sub_pennies(shared_data: Path) -> None:
    trades, _, _ = real_session(shared_data, "NEPT", dt.date(2021, 3, 1))
    rows = list(zip(*(trades[name].tolist() for name in ("price", "bid", "ask")), strict=True))
    places = [plain.place(*row) for row in rows]
    found = quality(trades)
    assert found.n_open_quote == len(places) - places.count(None) > 9_000
    assert found.at_midpoint_rate == places.count("midpoint") / found.n_open_quote > 0
    assert found.outside_quote_rate == places.count("outside") / found.n_open_quote
    assert sum(getattr(found, name) for name in PLACES) == pytest.approx(1)

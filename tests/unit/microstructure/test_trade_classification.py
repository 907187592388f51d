"""Trade signs and bulk volume on hand-made trades, against plain twins and tclf; enrichment uses Lee-Ready's step."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.trade_classification import (
    ClassificationMethod,
    bulk_volume_classification,
    classify,
    clnv,
    emo,
    lee_ready,
    tick_test,
)
from tests.oracles import trade_classification as plain
from tests.unit.microstructure.session_trades import DRAWN, Trades, real_session

METHODS: tuple[ClassificationMethod, ...] = get_args(ClassificationMethod)


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


# -- other rules for single trades ---------------------------------------------


def columns_of(trades: list[tuple[float, float, float]]) -> tuple[NDArray[np.float64], ...]:
    return tuple(np.array(column) for column in zip(*trades, strict=True))


def test_the_tick_test_looks_at_the_last_different_price() -> None:
    assert tick_test(np.array([10.0, 10.0, 10.1, 10.1, 10.0, 10.0])).tolist() == [0, 0, 1, 1, -1, -1]


def test_emo_signs_by_the_quote_only_at_the_bid_and_at_the_ask() -> None:
    # At the ask a buy, at the bid a sell; then 10.03 inside after 10.00 is an uptick, 10.01 a downtick although the
    # midpoint is 10.02, and 10.06 outside the quote is an uptick.
    quote = (10.0, 10.04)
    trades = [(10.04, *quote), (10.0, *quote), (10.03, *quote), (10.01, *quote), (10.06, *quote)]
    assert emo(*columns_of(trades)).tolist() == [1, -1, 1, -1, 1]


def test_a_sale_below_the_midpoint_after_a_lower_price_is_a_buy_to_emo_and_a_sell_to_lee_ready() -> None:
    trades = columns_of([(10.0, 10.0, 10.04), (10.01, 10.0, 10.04)])
    assert (emo(*trades)[1], lee_ready(*trades)[1]) == (1, -1)


def test_clnv_signs_by_the_quote_in_its_outer_thirty_per_cent() -> None:
    # Bands of 10.00-10.10 are 10.00-10.03 and 10.07-10.10, edges included: 10.07 after 10.09 is a buy all the same,
    # 10.03 after 10.01 a sell. Between and outside them the tick test decides: 10.06 falls, 10.11 rises.
    quote = (10.0, 10.1)
    trades = [(price, *quote) for price in (10.09, 10.07, 10.06, 10.01, 10.03, 10.04, 10.11, 9.99)]
    assert clnv(*columns_of(trades)).tolist() == [1, 1, -1, -1, -1, 1, 1, -1]


def test_band_edges_in_cents_are_edges_though_their_binary_values_miss_by_a_bit() -> None:
    # 2.10 − 0.3·(2.10 − 1.80) is 2.01: after 2.02 a downtick, but in the upper band a buy.
    assert 2.10 - 0.3 * (2.10 - 1.80) > 2.01
    assert clnv(*columns_of([(2.02, 1.8, 2.1), (2.01, 1.8, 2.1)])).tolist() == [1, 1]


@pytest.mark.parametrize("rule", [emo, clnv])
@pytest.mark.parametrize("quote", [(math.nan, math.nan), (10.0, 10.0), (10.1, 10.0), (math.nan, 10.1)])
def test_without_an_open_quote_emo_and_clnv_are_the_tick_test(rule: Any, quote: tuple[float, float]) -> None:
    assert rule(*columns_of([(10.0, *quote), (10.1, *quote), (10.0, *quote)])).tolist() == [0, 1, -1]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_nothing_for_nothing_and_nought_to_a_lone_trade_at_the_midpoint(method: Any) -> None:
    nothing = np.zeros(0)
    assert classify(method, nothing, nothing, nothing).dtype == np.int8
    assert classify(method, nothing, nothing, nothing).tolist() == []
    assert classify(method, *columns_of([(10.05, 10.0, 10.1)])).tolist() == [0]


def test_a_method_is_chosen_by_its_name() -> None:
    # A rise to 10.01: below the midpoint, inside the quote, in the upper part of no band.
    trades = columns_of([(10.0, 10.0, 10.03), (10.0101, 10.0, 10.03)])
    assert [int(classify(method, *trades)[1]) for method in METHODS] == [-1, 1, 1, 1]
    with pytest.raises(ValueError, match="no rule 'quote'; there are lee_ready"):
        classify("quote", *trades)  # type: ignore[arg-type]


@settings(max_examples=200, deadline=None)
@given(DRAWN, st.sampled_from(METHODS))
def test_every_method_equals_its_plain_twin(trades: Trades, method: ClassificationMethod) -> None:
    arrays = [trades[name] for name in ("price", "bid", "ask")]
    assert classify(method, *arrays).tolist() == plain.signs(method, *(array.tolist() for array in arrays))


@settings(max_examples=100, deadline=None)
@given(DRAWN, st.sampled_from(METHODS))
def test_buyers_become_sellers_when_prices_are_seen_from_below(trades: Trades, method: ClassificationMethod) -> None:
    mirrored = [np.round(20.0 - trades[name], 4) for name in ("price", "ask", "bid")]
    found = classify(method, trades["price"], trades["bid"], trades["ask"])
    assert classify(method, *mirrored).tolist() == (-found).tolist()


# -- tclf ----------------------------------------------------------------------

TCLF = {"lee_ready": "_lr", "tick_test": "_tick", "emo": "_emo", "clnv": "_clnv"}


def tclf_signs(method: str, price: NDArray[Any], bid: NDArray[Any], ask: NDArray[Any]) -> list[int]:
    """Signs by tclf's rule, 0 where it gives none. (Its ``fit`` does not run with scikit-learn 1.9.)"""
    tclf = pytest.importorskip("tclf.classical_classifier")
    pandas = pytest.importorskip("pandas")
    prices = pandas.Series(price, dtype="float64")
    before = prices.shift()
    lag = before.where(before != prices).ffill()
    classifier = tclf.ClassicalClassifier(layers=[(method, "ex")], strategy="const")
    classifier.X_ = pandas.DataFrame({"trade_price": price, "bid_ex": bid, "ask_ex": ask, "price_ex_lag": lag})
    return np.nan_to_num(getattr(classifier, TCLF[method])("ex")).astype(int).tolist()  # type: ignore[no-any-return]


def differences(method: ClassificationMethod, trades: Trades) -> NDArray[np.int64]:
    arrays = [trades[name] for name in ("price", "bid", "ask")]
    return np.flatnonzero(classify(method, *arrays) != np.array(tclf_signs(method, *arrays)))


def rounded_midpoint(trades: Trades) -> NDArray[np.bool_]:
    """Trades at a midpoint that binary rounding misses: compared exactly, they get the sign of the rounding."""
    middle = (trades["bid"] + trades["ask"]) / 2
    return (trades["price"] != middle) & (np.abs(trades["price"] - middle) < 1e-9)


def beside_the_quote(trades: Trades) -> NDArray[np.bool_]:
    """Trades off the quote by so little that tclf's tolerance of 1e-4 USD + 1e-5 of the quote takes them for at it."""
    distance = [np.abs(trades["price"] - trades[side]) for side in ("bid", "ask")]
    return np.any([(d > 0) & (d <= 1e-4 + 1e-5 * trades["ask"]) for d in distance], axis=0)


def at_a_band_edge(trades: Trades) -> NDArray[np.bool_]:
    """Trades at 30 % of the spread from a side: rounding decides whether tclf counts them in."""
    width = trades["ask"] - trades["bid"]
    distance = [np.abs(trades["price"] - trades[side]) for side in ("bid", "ask")]
    return np.any([np.abs(d - 0.3 * width) < 1e-9 for d in distance], axis=0) & (width > 0)


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("symbol", "date", "trades", "differing"),
    [
        ("BAC", dt.date(2013, 10, 8), 124_969, {"tick_test": 0, "lee_ready": 48, "emo": 0, "clnv": 2_618}),
        ("NEPT", dt.date(2021, 3, 1), 10_232, {"tick_test": 0, "lee_ready": 395, "emo": 116, "clnv": 227}),
    ],
)
def test_tclf_agrees_on_real_ticks_but_for_rounding_and_its_tolerance(
    shared_data: Path, symbol: str, date: dt.date, trades: int, differing: dict[ClassificationMethod, int]
) -> None:
    """All differences have one of three causes: a midpoint or band edge missed by binary rounding (on a locked quote,
    which tclf then gives no sign at all), or a price in sub-pennies beside the quote.
    """
    session, _, _ = real_session(shared_data, symbol, date)
    assert len(session["price"]) == trades
    found = {method: differences(method, session) for method in METHODS}
    assert {method: len(rows) for method, rows in found.items()} == differing
    locked = session["bid"] == session["ask"]
    assert rounded_midpoint(session)[found["lee_ready"]].all()
    assert beside_the_quote(session)[found["emo"]].all()
    assert (locked | at_a_band_edge(session))[found["clnv"]].all()


# -- bars ----------------------------------------------------------------------


def bulk(change: list[float], volume: list[float], sigma: Any, *given: Any, **named: Any) -> list[float]:
    found = bulk_volume_classification(np.array(change), np.array(volume), sigma, *given, **named)
    return found.tolist()  # type: ignore[no-any-return]


def test_half_of_an_unchanged_bars_volume_was_bought() -> None:
    assert bulk([0.0], [1000.0], 0.02) == [500]
    assert bulk([0.0], [1000.0], 0.02, "student_t") == [500]


def test_one_sigma_up_is_84_per_cent_bought_and_one_down_16() -> None:
    assert bulk([0.02, -0.02], [1000.0, 1000.0], 0.02) == pytest.approx([841.344746, 158.655254])


def test_student_t_with_one_and_two_degrees_of_freedom_have_closed_forms() -> None:
    z = [-30.0, -1.0, -0.01, 0.5, 2.0, 1e4]
    cauchy = bulk(z, [1.0] * 6, 1.0, "student_t", degrees_of_freedom=1)
    assert cauchy == pytest.approx([0.5 + math.atan(x) / math.pi for x in z], rel=1e-10)
    two = bulk(z, [1.0] * 6, 1.0, "student_t", degrees_of_freedom=2)
    assert two == pytest.approx([0.5 + x / (2 * math.sqrt(2 + x * x)) for x in z], rel=1e-10)


@pytest.mark.parametrize("z", [-50.0, -2.5, -0.3, 0.001, 0.7, 1.0, 4.0, 1e4])
def test_a_quarter_degree_of_freedom_equals_the_integral_of_its_density(z: float) -> None:
    assert bulk([z], [1.0], 1.0, "student_t") == pytest.approx([plain.student_t_share(z, 0.25)], abs=1e-10)


def test_its_heavy_tails_leave_more_of_a_large_move_to_the_other_side() -> None:
    assert bulk([3.0], [1.0], 1.0, "student_t") < bulk([3.0], [1.0], 1.0)


def test_each_bar_may_have_its_own_sigma() -> None:
    assert bulk([0.02, 0.02], [10.0, 10.0], np.array([0.02, 0.01])) == pytest.approx(
        [10 * plain.normal_share(1), 10 * plain.normal_share(2)]
    )


def test_without_a_price_change_or_a_sigma_the_split_is_unknown() -> None:
    assert np.isnan(bulk([math.nan, 0.01, 0.01], [1.0] * 3, np.array([0.1, math.nan, 0.0]))).all()
    assert bulk([], [], 0.1) == []


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 10**9)), max_size=20),
    st.floats(0.01, 10),
    st.sampled_from(["normal", "student_t"]),
)
def test_bought_and_sold_are_all_of_the_volume_and_swap_when_prices_fall_instead(
    bars: list[tuple[float, int]], sigma: float, distribution: Any
) -> None:
    change, volume = [float(bar[0]) for bar in bars], [float(bar[1]) for bar in bars]
    bought = bulk(change, volume, sigma, distribution)
    sold = bulk([-x for x in change], volume, sigma, distribution)
    assert [b + s for b, s in zip(bought, sold, strict=True)] == pytest.approx(volume)
    assert all(0 <= b <= v for b, v in zip(bought, volume, strict=True))


def test_of_normal_price_changes_with_known_sigma_the_bought_share_is_uniform() -> None:
    # The distribution function of a variable at itself is uniform: mean 1/2, variance 1/12.
    change = np.random.default_rng(3).normal(0, 0.02, 10_000)
    share = np.array(bulk(change.tolist(), [1.0] * 10_000, 0.02))
    assert share.mean() == pytest.approx(0.5, abs=4 * math.sqrt(1 / 12 / 10_000))
    assert share.var() == pytest.approx(1 / 12, abs=4 * math.sqrt(1 / 180 / 10_000))


@pytest.mark.parametrize(
    ("arguments", "named", "message"),
    [
        (([0.1], [1.0], 0.1, "cauchy"), {}, "no distribution 'cauchy'"),
        (([0.1], [1.0], 0.1, "student_t"), {"degrees_of_freedom": 0}, "must be positive"),
        (([0.1, 0.2], [1.0], 0.1), {}, "2 price changes, 1 volumes"),
        (([0.1, 0.2], [1.0, 1.0], np.array([0.1])), {}, "1 sigmas"),
    ],
)
def test_what_bulk_classification_cannot_mean_is_refused(arguments: Any, named: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bulk(*arguments, **named)

"""Entropy of trade signs: closed forms, a fair coin, and the plain twin."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fuzzy_pipeline.microstructure.entropy import trade_entropy
from tests.oracles import entropy as oracle


def signs(values: list[int]) -> np.ndarray:
    return np.array(values, dtype=np.int8)


def test_all_trades_on_one_side_have_no_entropy() -> None:
    assert trade_entropy(signs([1] * 400)).bits_per_trade == 0.0
    assert trade_entropy(signs([-1] * 400)).bits_per_trade == 0.0


def test_words_of_three_buys_in_four_by_hand() -> None:
    # L = 1: −0.75·log₂ 0.75 − 0.25·log₂ 0.25 = 0.8113.
    found = trade_entropy(signs([1, 1, 1, -1] * 10), word_length=1)
    assert found.bits_per_trade == pytest.approx(2 - 0.75 * math.log2(3))
    assert (found.word_length, found.n_words) == (1, 40)


def test_a_pattern_is_unpredictable_sign_by_sign_but_not_word_by_word() -> None:
    # Two words of two signs each follow one another: 1 bit for 2 trades; sign by sign it is a fair coin.
    alternating = signs([1, -1] * 100 + [1])
    assert trade_entropy(alternating, word_length=1).bits_per_trade == pytest.approx(1.0, abs=1e-4)
    assert trade_entropy(alternating, word_length=2).bits_per_trade == pytest.approx(0.5)
    assert trade_entropy(signs([1, -1] * 200), word_length=4).bits_per_trade == pytest.approx(0.25, abs=1e-4)


def test_a_fair_coin_has_nearly_one_bit_short_by_the_bias_of_the_plug_in_estimate() -> None:
    n = 100_000
    found = trade_entropy(np.random.default_rng(0).choice(np.array([-1, 1], dtype=np.int8), n))
    # (2^5 − 1) / (2·n·ln 2) / 5 bits: 31 degrees of freedom, each ±√(2/31) of that, more as words overlap.
    bias = 31 / (2 * n * math.log(2)) / 5
    assert 1 - found.bits_per_trade == pytest.approx(bias, rel=1.5)
    assert found.bits_per_trade < 1


def test_persistent_sides_have_the_entropy_of_their_chain() -> None:
    # First sign 1 bit, each further one h(0.8) = 0.7219 bits: (1 + 4·0.7219) / 5 per trade.
    turns = np.where(np.random.default_rng(1).random(200_000) < 0.8, 1, -1)
    rate = -0.8 * math.log2(0.8) - 0.2 * math.log2(0.2)
    found = trade_entropy(np.cumprod(turns).astype(np.int8))
    assert found.bits_per_trade == pytest.approx((1 + 4 * rate) / 5, abs=0.003)


def test_trades_without_a_side_are_passed_over() -> None:
    some = [1, -1, -1, 1, 1, 1, -1, 1] * 50
    with_gaps = [sign for pair in zip(some, [0] * len(some), strict=True) for sign in pair]
    assert trade_entropy(signs(with_gaps)) == trade_entropy(signs(some))


@pytest.mark.parametrize("length", [1, 2, 3, 5])
def test_entropy_equals_its_plain_twin(length: int) -> None:
    values = np.random.default_rng(length).choice([-1, 0, 1, 1], 900).tolist()
    found = trade_entropy(signs(values), length)
    assert found.bits_per_trade == pytest.approx(oracle.bits_per_trade(values, length))


@pytest.mark.parametrize(("n", "known"), [(0, False), (1, False), (323, False), (324, True)])
def test_fewer_than_ten_words_for_each_possible_one_give_none(n: int, known: bool) -> None:
    found = trade_entropy(signs(([1, -1, 1, 1] * 100)[:n]))
    assert math.isnan(found.bits_per_trade) != known
    assert found.n_words == max(n - 4, 0)


@pytest.mark.parametrize("length", [0, 17])
def test_words_of_no_or_too_many_signs_are_refused(length: int) -> None:
    with pytest.raises(ValueError, match="word"):
        trade_entropy(signs([1]), length)

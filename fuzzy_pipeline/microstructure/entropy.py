"""How predictable the sides of trades are."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

WORD_LENGTH = 5
OBSERVATIONS_PER_WORD = 10
"""The entropy needs this many observed words for each possible one, or it would come out too low."""


@dataclass(frozen=True, slots=True)
class TradeEntropy:
    """Entropy of trade signs in [0, 1]: 1 for a fair coin, 0 when all trades are on one side. [bits per trade]"""

    bits_per_trade: float
    word_length: int
    n_words: int


@njit(cache=True, nogil=True)
def _count_words(sign, length, counts):  # type: ignore[no-untyped-def]
    """Occurrences of each word of ``length`` successive known signs, overlapping; a word is its signs as bits."""
    word = known = 0
    mask = (1 << length) - 1
    for one in sign:
        if one == 0:
            continue
        word = ((word << 1) & mask) | (one > 0)
        known += 1
        if known >= length:
            counts[word] += 1
    return max(known - length + 1, 0)


def trade_entropy(sign: NDArray[np.int8], word_length: int = WORD_LENGTH) -> TradeEntropy:
    """Shannon entropy of trade signs, by plugging in the frequencies of words of successive signs.

    −Σ p(w)·log₂ p(w) / L over the words w of L successive signs (overlapping): single signs (L = 1) would call a
    market that alternates between buys and sells unpredictable. Trades without a side are passed over.

    The plug-in estimate is too low by about (2^L − 1) / (2·n·ln 2·L) bits.

    Parameters
    ----------
    sign : int8[n_trades]
        +1 buyer, −1 seller, 0 unknown, in time order.
    word_length : int
        L, 1 to 16.

    Returns
    -------
    TradeEntropy
        NaN with fewer than ``OBSERVATIONS_PER_WORD``·2^L words.

    Raises
    ------
    ValueError
        When the word length is outside 1 to 16.

    References
    ----------
    Shannon (1948), Bell System Technical Journal 27:379, https://doi.org/10.1002/j.1538-7305.1948.tb01338.x
    Kontoyiannis, Algoet, Suhov and Wyner (1998), IEEE Transactions on Information Theory 44:1319 (entropy per
    symbol from words), https://doi.org/10.1109/18.669425
    López de Prado (2018), Advances in Financial Machine Learning, chapter 18 (plug-in estimator).

    Examples
    --------
    Buys and sells in turn make two words, each half of the time: 1 bit for 5 trades.

    >>> round(trade_entropy(np.array([1, -1] * 162, dtype=np.int8)).bits_per_trade, 12)
    0.2
    """
    if not 1 <= word_length <= 16:
        raise ValueError(f"a word has 1 to 16 signs, not {word_length}")
    counts = np.zeros(1 << word_length, dtype=np.int64)
    words = int(_count_words(sign, word_length, counts))
    if words < OBSERVATIONS_PER_WORD * len(counts):
        return TradeEntropy(math.nan, word_length, words)
    share = counts[counts > 0] / words
    # The clip takes away the sign of a zero; rounding may also pass 1 by a bit.
    bits = min(max(-float(np.sum(share * np.log2(share))) / word_length, 0.0), 1.0)
    return TradeEntropy(bits, word_length, words)

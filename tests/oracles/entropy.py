"""Entropy of words of trade signs by counting tuples."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence


def bits_per_trade(signs: Sequence[int], length: int) -> float:
    known = [sign for sign in signs if sign]
    words = Counter(tuple(known[i : i + length]) for i in range(len(known) - length + 1))
    total = words.total()
    return math.fsum(count / total * math.log2(total / count) for count in words.values()) / length

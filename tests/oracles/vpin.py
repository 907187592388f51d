"""VPIN share by share: a tape of single shares cut in equal pieces."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction


def bucket_imbalances(sizes: Sequence[int], signs: Sequence[int], bucket: int) -> tuple[list[Fraction], int, int]:
    """|V_B − V_S| / V of each full bucket, and the shares bought and sold in the open one."""
    tape = [sign for size, sign in zip(sizes, signs, strict=True) if sign for _ in range(size)]
    full = len(tape) // bucket
    imbalances = [Fraction(abs(sum(tape[k * bucket : (k + 1) * bucket])), bucket) for k in range(full)]
    rest = tape[full * bucket :]
    return imbalances, rest.count(1), rest.count(-1)


def vpin(imbalances: Sequence[Fraction], buckets: int) -> list[float | None]:
    """Mean of the last ``buckets`` imbalances as each bucket closes; None before there are as many."""
    return [
        float(sum(imbalances[k + 1 - buckets : k + 1]) / buckets) if k + 1 >= buckets else None
        for k in range(len(imbalances))
    ]

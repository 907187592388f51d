"""Small random sessions with what real ones have: shared instants, missing quotes, prints after the close."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SECOND = 1_000_000_000
START = 1_381_239_000 * SECOND
LENGTH = 900 * SECOND


@dataclass(frozen=True)
class RandomSession:
    """Columns of a session of fifteen minutes from ``start``."""

    timestamps: NDArray[np.int64]
    cents: NDArray[np.int64]
    price: NDArray[np.float64]
    midpoint: NDArray[np.float64]
    spread: NDArray[np.float64]
    size: NDArray[np.uint32]
    sign: NDArray[np.int8]
    venue: NDArray[np.uint16]
    chosen: NDArray[np.bool_]
    start: int = START
    end: int = START + LENGTH


def random_session(seed: int, ticks: int = 200, largest_step: int = 3) -> RandomSession:
    """``ticks`` trades: bursts of trades, steps of up to ``largest_step`` cents around 100.00, gaps in the quotes."""
    rng = np.random.default_rng(seed)
    waits = np.cumsum(rng.choice([0, 0, 1, 1, 2, 3, 8, 40], ticks))
    quarters = 4 * LENGTH // SECOND - 1
    timestamps = START + waits * quarters // max(waits[-1], 1) * (SECOND // 4)
    timestamps[-rng.integers(1, 4) :] = START + LENGTH + SECOND  # a closing auction
    cents = 10_000 + np.cumsum(rng.integers(-largest_step, largest_step + 1, ticks))
    half_cents = 2 * cents + rng.integers(-2, 3, ticks)
    midpoint = np.where(rng.random(ticks) < 0.2, np.nan, half_cents / 200)
    return RandomSession(
        timestamps=timestamps,
        cents=cents,
        price=cents / 100,
        midpoint=midpoint,
        spread=np.where(np.isnan(midpoint), np.nan, rng.choice([1, 1, 1, 1, 2, 3, 5], ticks) / 100),
        size=rng.choice([1, 50, 100, 100, 300, 10_000], ticks).astype(np.uint32),
        sign=rng.choice([-1, 0, 1, 1], ticks).astype(np.int8),
        venue=rng.integers(5, 8, ticks).astype(np.uint16),
        chosen=rng.random(ticks) < 0.3,
    )

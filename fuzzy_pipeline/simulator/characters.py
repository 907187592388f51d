"""What makes one simulated symbol differ from another.

Belongs here: the traits of a symbol that hold on all dates. None of them is taken from the real company of that
name: a simulated ``KO`` has the price and the habits its seed gives it. Only the benchmark has a role by its name.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fuzzy_pipeline.simulator.random_streams import random_stream

NASDAQ, NYSE, ARCA = 5, 7, 11
"""Market centre ids of the listing exchanges."""

BENCHMARK = "SPY"
"""The one symbol with a role: a busy fund that holds the market, so that betas and correlations mean something."""


@dataclass(frozen=True, slots=True)
class Character:
    """Traits of one symbol.

    ``base_price`` [USD] is the level prices revert to over years, ``beta`` the exposure to the common market
    factor, ``own_volatility`` the standard deviation of the daily log return that is the symbol's own, ``activity``
    the ticks of a day relative to the mean symbol, ``spread_bps`` the usual quoted spread, ``side_persistence`` the
    probability that the next order is on the same side, ``size_scale`` the scale of trade sizes, ``listing`` the
    market centre that runs the auctions.
    """

    symbol: str
    base_price: float
    beta: float
    own_volatility: float
    activity: float
    spread_bps: float
    side_persistence: float
    size_scale: float
    listing: int


def character(seed: int, symbol: str) -> Character:
    """The traits of a symbol under a seed; activity is log-normal with mean 1 (0.3 to 3.5)."""
    rng = random_stream(seed, "character", symbol)
    base_price = float(np.exp(rng.uniform(np.log(18.0), np.log(450.0))))
    beta = float(rng.uniform(0.6, 1.4))
    own_volatility = float(rng.uniform(0.007, 0.014))
    activity = float(np.clip(np.exp(rng.normal(-0.125, 0.5)), 0.3, 3.5))
    # Busy symbols have tighter quotes.
    spread_bps = float(np.clip(1.6 * np.exp(rng.normal(0.0, 0.35)) / np.sqrt(activity), 0.5, 8.0))
    persistence = float(rng.uniform(0.70, 0.80))
    size_scale = float(np.clip((60.0 / base_price) ** 0.4, 0.5, 2.0))
    listing = int(rng.choice([NASDAQ, NYSE, ARCA], p=[0.45, 0.40, 0.15]))
    if symbol == BENCHMARK:
        beta, own_volatility, activity, spread_bps, listing = 1.0, 0.001, 3.0, 0.5, ARCA
    return Character(
        symbol, base_price, beta, own_volatility, activity, spread_bps, persistence, size_scale, listing
    )  # fmt: skip

"""Soft rules: ticks that are kept and reported.

Belongs here: one function per soft rule over the kept ticks of a symbol-day. Every one returns the positions
of the ticks it finds; none changes anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.code_tables import market_centers, trade_conditions
from fuzzy_pipeline.settings import IngestSettings

MEDIAN_WINDOW = 21
CONFIRMING_TICKS = 5
LEVEL_SHIFT = 3.0
"""Between two prices of which one is more than this many times the other lies no move but another unit or another
symbol: circuit breakers halt a stock long before."""

Positions = NDArray[np.int64]


@njit(cache=True, nogil=True)
def unconfirmed_jumps(price, size, share):  # type: ignore[no-untyped-def]
    """Jumps after which fewer shares of the next ticks trade near the new price than near the old."""
    found = []
    for i in range(1, len(price)):
        old, new = price[i - 1], price[i]
        if abs(new - old) <= share * old:
            continue
        near_new = 0
        near_old = 0
        for j in range(i + 1, min(i + 1 + CONFIRMING_TICKS, len(price))):
            if abs(price[j] - new) < abs(price[j] - old):
                near_new += size[j]
            else:
                near_old += size[j]
        if near_new <= near_old:
            found.append(i)
    return np.array(found, dtype=np.int64) if len(found) > 0 else np.zeros(0, dtype=np.int64)


@njit(cache=True, nogil=True)
def is_level_shift(a, b):  # type: ignore[no-untyped-def]
    """Whether two prices cannot be of one level."""
    return a > LEVEL_SHIFT * b or b > LEVEL_SHIFT * a


@njit(cache=True, nogil=True)
def _shifts_taken_back(price):  # type: ignore[no-untyped-def]
    """Which ticks lie between a shift of the level and the one that takes it back, and which do the latter."""
    shifted = np.zeros(len(price), dtype=np.bool_)
    back = np.zeros(len(price), dtype=np.bool_)
    begins = [(np.int64(0), 0.0) for _ in range(0)]  # shifts not taken back: where, and the price before
    for i in range(1, len(price)):
        if not is_level_shift(price[i - 1], price[i]):
            continue
        k = len(begins) - 1
        while k >= 0 and is_level_shift(begins[k][1], price[i]):
            k -= 1
        if k < 0:
            begins.append((np.int64(i), price[i - 1]))
            continue
        shifted[begins[k][0] : i] = True
        back[i] = True
        while len(begins) > k:
            begins.pop()
    return shifted, back


def unconfirmed_prices(price: NDArray[np.float64], size: NDArray[np.int64], share: float) -> Positions:
    """Prices that nothing confirms.

    A jump above the share is unconfirmed when the next five ticks trade no more shares near the new price than near
    the old. A stretch of wrong prices confirms itself, so every tick between a shift of the level and the one that
    takes it back is unconfirmed too.

    Parameters
    ----------
    price : float64[n_ticks]
        Above 0, in order. [USD]
    size : int64[n_ticks]
        [shares]
    share : float
        Of the price before. [1]

    Returns
    -------
    int64[n_found]
        Positions, ascending.

    Examples
    --------
    Three prices in cents among prices in dollars; the way back is no jump of its own.

    >>> unconfirmed_prices(np.array([10.0, 10.0, 1001.0, 1000.0, 1001.0, 10.0]), np.full(6, 100), 0.05).tolist()
    [2, 3, 4]
    """
    shifted, back = _shifts_taken_back(price)
    jumps = unconfirmed_jumps(price, size, share)
    shifted[jumps[~back[jumps]]] = True
    return np.flatnonzero(shifted)


@njit(cache=True, nogil=True)
def out_of_order(time):  # type: ignore[no-untyped-def]
    """The fewest positions without which times never go back; of two that may be meant, the later.

    From the end, ``least[k]`` is the position of the greatest time at which a run of k + 1 times that do not go back
    can begin: a longest run is what is left.
    """
    n = len(time)
    before = np.empty(n, dtype=np.int64)
    least = np.empty(n, dtype=np.int64)
    longest = 0
    for i in range(n - 1, -1, -1):
        low, high = 0, longest
        while low < high:
            middle = (low + high) // 2
            if time[least[middle]] >= time[i]:
                low = middle + 1
            else:
                high = middle
        before[i] = least[low - 1] if low > 0 else -1
        least[low] = i
        longest = max(longest, low + 1)
    in_order = np.zeros(n, dtype=np.bool_)
    i = least[longest - 1] if n > 0 else -1
    while i >= 0:
        in_order[i] = True
        i = before[i]
    return np.flatnonzero(~in_order)


@njit(cache=True, nogil=True)
def far_from_median(price, window, share):  # type: ignore[no-untyped-def]
    """Prices further than a share from the median of the window around them, kept as a sorted list."""
    n = len(price)
    found = []
    if n >= window:
        around = np.sort(price[:window])
        half = window // 2
        for i in range(n):
            if i > half and i + half < n:
                gone, come = price[i - half - 1], price[i + half]
                if gone != come:
                    k = np.searchsorted(around, gone)
                    while k + 1 < window and around[k + 1] < come:
                        around[k] = around[k + 1]
                        k += 1
                    while k > 0 and around[k - 1] > come:
                        around[k] = around[k - 1]
                        k -= 1
                    around[k] = come
            median = around[half]
            if abs(price[i] - median) > share * median:
                found.append(i)
    return np.array(found, dtype=np.int64) if len(found) > 0 else np.zeros(0, dtype=np.int64)


@cache
def _known_codes() -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    codes = np.zeros(256, dtype=np.bool_)
    codes[0] = True
    codes[list(trade_conditions())] = True
    venues = np.zeros(1 << 16, dtype=np.bool_)
    venues[list(market_centers())] = True
    return codes, venues


def crossed_quote(ticks: Arrays, _: IngestSettings) -> Positions:
    """Bid above ask."""
    return np.flatnonzero(ticks["bid"] > ticks["ask"])


def locked_quote(ticks: Arrays, _: IngestSettings) -> Positions:
    """Bid equal to ask."""
    return np.flatnonzero(ticks["bid"] == ticks["ask"])


def missing_quote(ticks: Arrays, _: IngestSettings) -> Positions:
    """No bid or no ask."""
    return np.flatnonzero(~((ticks["bid"] > 0) & (ticks["ask"] > 0)))


def price_outside_quote(ticks: Arrays, settings: IngestSettings) -> Positions:
    """Price outside the quote by more than so many median spreads."""
    median = _median_spread(ticks)
    outside = np.maximum(ticks["bid"] - ticks["last"], ticks["last"] - ticks["ask"])
    return np.flatnonzero(outside > settings.outside_quote_spreads * median)


def wide_spread(ticks: Arrays, settings: IngestSettings) -> Positions:
    """Spread of more than so many median spreads."""
    return np.flatnonzero(ticks["ask"] - ticks["bid"] > settings.wide_spread_medians * _median_spread(ticks))


def unconfirmed_price_jump(ticks: Arrays, settings: IngestSettings) -> Positions:
    """Price change above the limit that the volume of the next five ticks does not follow, or a level taken back."""
    return unconfirmed_prices(ticks["last"], ticks["last_sz"].view(np.int64), settings.price_jump_share)


def return_outlier(ticks: Arrays, settings: IngestSettings) -> Positions:
    """Log return of more than so many standard deviations of the day's tick returns."""
    returns = np.diff(np.log(ticks["last"]))
    if not len(returns):
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(np.abs(returns) > settings.outlier_sigmas * returns.std()) + 1


def rolling_median_outlier(ticks: Arrays, settings: IngestSettings) -> Positions:
    """Price further than the limit from the median of the 21 ticks around it."""
    found: Positions = far_from_median(ticks["last"], MEDIAN_WINDOW, settings.median_outlier_share)
    return found


def out_of_order_time(ticks: Arrays, _: IngestSettings) -> Positions:
    """Out of order: the fewest ticks without which times never go back."""
    time = ticks["time"]
    if bool(np.all(time[1:] >= time[:-1])):
        return np.zeros(0, dtype=np.int64)
    found: Positions = out_of_order(time)
    return found


def unknown_condition(ticks: Arrays, _: IngestSettings) -> Positions:
    """A condition code the feed's table does not have."""
    known, _venues = _known_codes()
    return np.flatnonzero(
        ~(known[ticks["cond1"]] & known[ticks["cond2"]] & known[ticks["cond3"]] & known[ticks["cond4"]])
    )


def unknown_venue(ticks: Arrays, _: IngestSettings) -> Positions:
    """A market centre the feed's table does not have."""
    _codes, known = _known_codes()
    return np.flatnonzero(~known[ticks["mkt_ctr"]])


def _median_spread(ticks: Arrays) -> float:
    """Median of the day's positive spreads [USD]; NaN without any, which no comparison exceeds."""
    spread = ticks["ask"] - ticks["bid"]
    positive = spread[spread > 0]
    return float(np.median(positive)) if len(positive) else float("nan")


SOFT_RULES: dict[str, Callable[[Arrays, IngestSettings], Positions]] = {
    rule.__name__: rule
    for rule in (
        crossed_quote, locked_quote, missing_quote, price_outside_quote, wide_spread, unconfirmed_price_jump,
        return_outlier, rolling_median_outlier, out_of_order_time, unknown_condition, unknown_venue,
    )
}  # fmt: skip
"""Rule -> function; its docstring says what it finds."""


def soft_flags(ticks: Arrays, settings: IngestSettings) -> dict[str, Positions]:
    """Positions of the ticks each soft rule finds; every rule is named, also those that find nothing."""
    return {rule: find(ticks, settings) for rule, find in SOFT_RULES.items()}

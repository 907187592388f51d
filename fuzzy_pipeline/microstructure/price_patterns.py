"""Price patterns: bursts in one direction that are given back, sudden falls and spikes, and round prices.

Prices are those of price-setting prints: an odd lot or a late print off the market would make a pattern of its own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

SECOND_NS = 1_000_000_000

BURST_CHANGES = 5
BURST_NS = 5 * SECOND_NS
BURST_SIGMAS = 3.0
BURST_VOLUMES = 3.0
GIVE_BACK_NS = 300 * SECOND_NS
GIVE_BACK_SHARE = 0.5

FLASH_MOVE = 0.005
"""A fall or spike is larger than this part of the price it began at: 50 bps."""

FLASH_NS = 60 * SECOND_NS

# Of the price: decimal prices are not exact in binary, and half of a move or 50 bps may be met exactly.
_ROUNDING = 1e-10

ROUND_PRICE = 0.05
ROUND_SHARE = 0.20
"""One whole-cent price in five is a multiple of five cents."""


# -- momentum ignition ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class PriceBursts:
    """Runs of at least five changes of price in one direction within five seconds; arrays of float64[n_bursts].

    ``log_move`` from the price before the first change to the last one [1], ``volume`` of the ticks from the first
    change to the last [shares], ``given_back`` whether half of the move was undone within five minutes of the
    session: 1 yes, 0 no, NaN when the session ended before either was seen.
    """

    log_move: NDArray[np.float64]
    volume: NDArray[np.float64]
    given_back: NDArray[np.float64]


@njit(cache=True, nogil=True)
def _comes_back(timestamps, price, last, before, end):  # type: ignore[no-untyped-def]
    """Whether half of the move from ``before`` to ``price[last]`` is undone in the time allowed."""
    peak = price[last]
    half = peak - GIVE_BACK_SHARE * (peak - before)
    way = 1.0 if peak > before else -1.0
    rounding = _ROUNDING * peak
    limit = timestamps[last] + GIVE_BACK_NS
    for i in range(last + 1, len(timestamps)):
        if timestamps[i] > limit:
            return 0.0
        if way * (price[i] - half) <= rounding:
            return 1.0
    return np.nan if limit > end else 0.0


@njit(cache=True, nogil=True)
def _bursts(timestamps, price, size, end, out):  # type: ignore[no-untyped-def]
    rows = 0
    direction = changes = 0
    first = last = 0  # ticks of the first and last change of the run
    volume = volume_at_last = 0.0  # from the first change to here, and to the last change
    n = len(timestamps)
    for i in range(1, n + 1):
        step = 0
        if i < n:
            step = int(price[i] > price[i - 1]) - int(price[i] < price[i - 1])
        breaks = step == -direction or (changes > 0 and i < n and timestamps[i] - timestamps[first] > BURST_NS)
        if changes > 0 and (i == n or breaks):
            if changes >= BURST_CHANGES:
                before = price[first - 1]
                out[rows, 0] = np.log(price[last] / before)
                out[rows, 1] = volume_at_last
                out[rows, 2] = _comes_back(timestamps, price, last, before, end)
                rows += 1
            changes = direction = 0
        if i == n:
            break
        if step != 0:
            if changes == 0:
                direction = step
                first = i
                volume = 0.0
            changes += 1
            last = i
        if changes > 0:
            volume += size[i]
            if step != 0:
                volume_at_last = volume
    return rows


def price_bursts(
    timestamps: NDArray[np.int64], price: NDArray[np.float64], size: NDArray[np.unsignedinteger[Any]], end_ns: int
) -> PriceBursts:
    """Runs of at least five successive changes of price in one direction, all within five seconds.

    Ticks that repeat a price do not break a run; a change the other way does, and so does a change more than five
    seconds after the first one, which begins the next run.

    Parameters
    ----------
    timestamps : int64[n_ticks]
        Instants in time order. [UTC ns]
    price : float64[n_ticks]
        Price-setting prices. [USD]
    size : unsigned[n_ticks]
        [shares]
    end_ns : int
        Close of the session. [UTC ns]

    Returns
    -------
    PriceBursts

    References
    ----------
    U.S. Securities and Exchange Commission (2010), Concept Release on Equity Market Structure, Release 34-61358
    (momentum ignition).

    Examples
    --------
    Five cents up in five seconds, on 100 shares a change, and three of them back ten seconds later:

    >>> seconds = np.array([0, 1, 2, 3, 4, 5, 15]) * 1_000_000_000
    >>> prices = np.array([10.0, 10.01, 10.02, 10.03, 10.04, 10.05, 10.02])
    >>> found = price_bursts(seconds, prices, np.full(7, 100, dtype=np.uint32), 10**12)
    >>> found.log_move.round(6), found.volume, found.given_back
    (array([0.004988]), array([500.]), array([1.]))
    """
    out = np.empty((len(timestamps) // BURST_CHANGES + 1, 3))
    rows = _bursts(timestamps, price, size, end_ns, out)
    return PriceBursts(*np.ascontiguousarray(out[:rows].T))


def momentum_ignition_events(bursts: PriceBursts, sigma_1min: float, normal_volume: float) -> int | None:
    """Bursts that are large, heavily traded and given back: what an attempt to start a move would leave.

    A heuristic: at least three standard deviations of one-minute returns, at least three times the normal volume of
    bursts, at least half given back within five minutes. It cannot tell an intention.

    Parameters
    ----------
    bursts : PriceBursts
    sigma_1min : float
        Standard deviation of one-minute log returns; of earlier dates, where what is normal is meant. [1]
    normal_volume : float
        Median volume of bursts. [shares]

    Returns
    -------
    int or None
        0 without bursts; None when there are some and either yardstick is unknown. Bursts whose end is unknown do
        not count.

    References
    ----------
    U.S. Securities and Exchange Commission (2010), Concept Release on Equity Market Structure, Release 34-61358
    (momentum ignition).

    Examples
    --------
    The second is too small, the third too thin and the fourth stays:

    >>> moves, volumes = np.array([-0.004, 0.001, 0.004, 0.004]), np.array([900.0, 900.0, 200.0, 900.0])
    >>> momentum_ignition_events(PriceBursts(moves, volumes, np.array([1.0, 1.0, 1.0, 0.0])), 0.001, 300.0)
    1
    """
    if len(bursts.log_move) == 0:
        return 0
    if math.isnan(sigma_1min) or math.isnan(normal_volume):
        return None
    large = np.abs(bursts.log_move) >= BURST_SIGMAS * sigma_1min
    heavy = bursts.volume >= BURST_VOLUMES * normal_volume
    return int(np.count_nonzero(large & heavy & (bursts.given_back == 1.0)))


# -- flash crashes and spikes --------------------------------------------------


@dataclass(frozen=True, slots=True)
class FlashEvents:
    """Sudden moves of a session that came back: falls (mini flash crashes) and spikes."""

    crashes: int
    spikes: int


@njit(cache=True, nogil=True)
def _flash_events(timestamps, price, way, extremes):  # type: ignore[no-untyped-def]
    """Moves in one way, −1 down and +1 up. ``extremes`` holds the ticks that may still be the window's extreme."""
    events = 0
    head = tail = 0
    n = len(timestamps)
    i = 0
    while i < n:
        while head < tail and timestamps[extremes[head]] < timestamps[i] - FLASH_NS:
            head += 1
        if head < tail:
            begin = extremes[head]
            if way * (price[i] - price[begin]) > FLASH_MOVE * price[begin] + _ROUNDING * price[begin]:
                # The move lasts to its furthest price within the minute after the tick that it began at.
                furthest = i
                k = i + 1
                while k < n and timestamps[k] <= timestamps[begin] + FLASH_NS:
                    if way * (price[k] - price[furthest]) > 0.0:
                        furthest = k
                    k += 1
                if _comes_back(timestamps, price, furthest, price[begin], timestamps[n - 1]) == 1.0:
                    events += 1
                # What follows is looked at from the furthest price on: a move is counted once.
                i = furthest
                head = tail = 0
        while head < tail and way * (price[extremes[tail - 1]] - price[i]) >= 0.0:
            tail -= 1
        extremes[tail] = i
        tail += 1
        i += 1
    return events


def flash_events(timestamps: NDArray[np.int64], price: NDArray[np.float64]) -> FlashEvents:
    """Mini flash crashes, and spikes up: more than 50 bps within a minute, at least half of it back within five.

    A fall begins at the highest price of the last 60 seconds and ends at the lowest price up to 60 seconds after it;
    the five minutes count from there. Ticks after it begin anew, so that a move is counted once.

    Parameters
    ----------
    timestamps : int64[n_ticks]
        Instants in time order. [UTC ns]
    price : float64[n_ticks]
        Price-setting prices of one session. [USD]

    Returns
    -------
    FlashEvents

    References
    ----------
    Golub, Keane and Poon (2012), High frequency trading and mini flash crashes, https://doi.org/10.2139/ssrn.2182097
    Kirilenko, Kyle, Samadi and Tuzun (2017), Journal of Finance 72:967, https://doi.org/10.1111/jofi.12498

    Examples
    --------
    From 100.00 to 99.40 in ten seconds, and back to 99.80 two minutes later:

    >>> flash_events(np.array([0, 10, 130]) * 1_000_000_000, np.array([100.0, 99.4, 99.8]))
    FlashEvents(crashes=1, spikes=0)
    """
    extremes = np.empty(len(timestamps), dtype=np.int64)
    down, up = (int(_flash_events(timestamps, price, way, extremes)) for way in (-1.0, 1.0))
    return FlashEvents(crashes=down, spikes=up)


# -- round prices --------------------------------------------------------------


@njit(cache=True, nogil=True)
def _round_prices(price):  # type: ignore[no-untyped-def]
    count = 0
    for one in price:
        steps = one / ROUND_PRICE
        # Decimal prices are not exact in binary; a millionth of five cents is far below any price step.
        count += abs(steps - np.rint(steps)) < 1e-6
    return count


def tick_clustering(price: NDArray[np.float64]) -> float:
    """Share of prices on a multiple of five cents, minus the fifth that is expected of whole-cent prices.

    Parameters
    ----------
    price : float64[n_ticks]
        Price-setting prices. [USD]

    Returns
    -------
    float
        From −0.2 to 0.8; NaN without prices. [1]

    References
    ----------
    Harris (1991), Review of Financial Studies 4:389, https://doi.org/10.1093/rfs/4.3.389

    Examples
    --------
    Two of four:

    >>> round(tick_clustering(np.array([10.05, 10.10, 10.11, 10.0525])), 12)
    0.3
    """
    return float(_round_prices(price)) / len(price) - ROUND_SHARE if len(price) else math.nan

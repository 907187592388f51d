"""Efficient prices: levels from date to date, and the path inside a date.

Belongs here: everything about the unobserved price that quotes surround. All levels are natural logarithms relative
to a base price, so 0.01 is one percent.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.simulator.arrivals import session_intensity
from fuzzy_pipeline.simulator.random_streams import random_stream
from fuzzy_pipeline.trading_calendar import Session

MARKET = "|market|"
"""Name of the factor common to all symbols; not a ticker, so no symbol can collide with it."""

MARKET_VOLATILITY = 0.010
OVERNIGHT_SHARE = 0.5
REVERSION = 0.997
"""Daily AR(1) coefficient of log levels: a symbol of 1.5 % a day strays by about 20 % (one standard deviation)."""

_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True)
class DayLevels:
    """Log levels a date is pinned to, and the standard deviation of its open-to-close return."""

    previous_close: float
    open: float
    close: float
    volatility: float


def day_levels(seed: int, name: str, date: dt.date, volatility: float) -> DayLevels:
    """Levels of a symbol or of the market on a date, without simulating any earlier date.

    The closes are an AR(1) over trading dates, ``C_i = REVERSION·C_(i-1) + overnight_i + intraday_i``, whose shocks
    come from one stream in date order: a later date draws the same beginning of the stream and some more, hence the
    close of a date is exactly the previous close of the next.
    """
    n_dates = trading_calendar.count_trading_dates(trading_calendar.FIRST_DATE, date)
    shocks = random_stream(seed, "levels", name).standard_normal((n_dates, 3))
    daily = volatility * np.exp(0.25 * shocks[:, 2] - 0.03125)
    overnight = OVERNIGHT_SHARE * daily * shocks[:, 0]
    intraday = daily * shocks[:, 1]
    weights = REVERSION ** np.arange(n_dates - 2, -1, -1)
    previous_close = float(weights @ (overnight[:-1] + intraday[:-1]))
    opening = REVERSION * previous_close + float(overnight[-1])
    return DayLevels(previous_close, opening, opening + float(intraday[-1]), float(daily[-1]))


def pinned_path(start: float, end: float, increments: NDArray[np.float64]) -> NDArray[np.float64]:
    """Path of ``n + 1`` points from ``start`` to ``end`` whose steps are the increments, tilted to end there.

    With increments of equal variance and an ``end - start`` drawn with their total variance, the result is again a
    random walk: the tilt removes the walk's own end and the drawn end takes its place.

    Parameters
    ----------
    start, end : float
        Log levels.
    increments : float64[n]
        Steps before the tilt. [log]

    Returns
    -------
    float64[n + 1]
        ``path[0] == start`` and ``path[n] == end`` (up to rounding).
    """
    n = len(increments)
    walk = np.concatenate((np.zeros(1), np.cumsum(increments)))
    tau = np.arange(n + 1) / max(n, 1)
    path: NDArray[np.float64] = start + walk + tau * (end - start - walk[-1])
    return path


def market_path(seed: int, hours: Session, times_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Log level of the common market factor at the given times.

    It is one path per date on a one-second grid, the same for every symbol, busier near the open and the close;
    between grid points it is interpolated.

    Parameters
    ----------
    seed : int
        Seed of the simulated market.
    hours : Session
        Boundaries of the date.
    times_us : int64[n]
        Times to evaluate at. [µs since midnight ET]

    Returns
    -------
    float64[n]
        Log level of the factor.
    """
    path = _market_grid(seed, hours)
    grid = hours.pre_open_us + _SECOND_US * np.arange(len(path))
    return np.interp(times_us, grid, path)


@lru_cache(maxsize=4)
def _market_grid(seed: int, hours: Session) -> NDArray[np.float64]:
    """The factor at every second from ``pre_open`` on; kept, because every symbol of a date asks for it."""
    levels = day_levels(seed, MARKET, hours.date, MARKET_VOLATILITY)
    rng = random_stream(seed, "market path", MARKET, hours.date)
    n_pre = (hours.open_us - hours.pre_open_us) // _SECOND_US
    n_regular = (hours.close_us - hours.open_us) // _SECOND_US
    n_after = (hours.after_close_us - hours.close_us) // _SECOND_US
    shape = np.sqrt(session_intensity((np.arange(n_regular) + 0.5) / n_regular))
    pre = pinned_path(
        levels.previous_close, levels.open, rng.standard_normal(n_pre) * (0.3 * levels.volatility / np.sqrt(n_pre))
    )
    regular = pinned_path(
        levels.open, levels.close, rng.standard_normal(n_regular) * shape * (levels.volatility / np.sqrt(n_regular))
    )
    after = levels.close + np.cumsum(rng.standard_normal(n_after) * (0.15 * levels.volatility / np.sqrt(n_after)))
    path = np.concatenate((pre[:-1], regular, after))
    path.flags.writeable = False
    return path

"""Prices of a symbol's date that cannot be right: jumps, outliers, quotes that stand still, and related symbols.

Belongs here: checks of prices on enriched ticks. The ingest's soft rules look at every kept tick; these look at the
price-setting ticks of the regular session alone, because only they reach open, high, low and close.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.quality.flags import MEDIAN_WINDOW, far_from_median, is_level_shift, unconfirmed_prices
from fuzzy_pipeline.quality_settings import QualitySettings
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.codes import Session
from fuzzy_pipeline.schema.quality import QUALITY_TABLE, Outcome, RuleResult
from fuzzy_pipeline.settings import IngestSettings
from fuzzy_pipeline.trading_calendar import now_eastern

PRICE_COLUMNS = ("timestamp", "price", "size", "bid", "ask", "session", "is_qualified")
"""The enriched columns looked at."""

RELATED_RULE = "moves_with_its_benchmark"
RELATED_MEASURE = "benchmark_residual_sigmas"
"""The rule and the measure of ``related_symbols``."""

MAD_OF_NORMAL = 1.4826
"""Standard deviation of a normal distribution / its median absolute deviation."""


@dataclass(frozen=True, slots=True)
class PriceChecks:
    """What the price-setting ticks of a regular session have; positions are rows of the ticks that were given."""

    price_setting_ticks: int
    jumps: int
    unconfirmed: NDArray[np.int64]
    sigma_outliers: int
    median_outliers: NDArray[np.int64]


def price_checks(ticks: Arrays, bounds: IngestSettings) -> PriceChecks:
    """Jumps and outliers among the price-setting ticks of the regular session.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks in time order, at least ``PRICE_COLUMNS``.
    bounds : IngestSettings
        Jump share, sigmas and distance from the median: those of the soft rules.

    Returns
    -------
    PriceChecks

    References
    ----------
    Brownlees and Gallo (2006), Computational Statistics & Data Analysis 51:2232,
    https://doi.org/10.1016/j.csda.2006.09.030: a price is judged by its neighbours.
    """
    rows = np.flatnonzero(ticks["is_qualified"] & (ticks["session"] == Session.REGULAR))
    price = ticks["price"][rows]
    changes = np.diff(price)
    returns = np.diff(np.log(price))
    unconfirmed = unconfirmed_prices(price, ticks["size"][rows].astype(np.int64), bounds.price_jump_share)
    outlying = far_from_median(price, MEDIAN_WINDOW, bounds.median_outlier_share)
    return PriceChecks(
        price_setting_ticks=len(rows),
        jumps=int(np.count_nonzero(np.abs(changes) > bounds.price_jump_share * price[:-1])),
        unconfirmed=rows[unconfirmed],
        sigma_outliers=(
            int(np.count_nonzero(np.abs(returns) > bounds.outlier_sigmas * returns.std())) if len(returns) else 0
        ),
        median_outliers=rows[outlying],
    )


# -- quotes that stand still -----------------------------------------------------


@dataclass(frozen=True, slots=True)
class StaleQuote:
    """The most ticks and the longest time [s] that prices lay outside one unchanged quote."""

    ticks: int
    seconds: float


@njit(cache=True, nogil=True)
def _stale(timestamp, price, bid, ask, sets_price):  # type: ignore[no-untyped-def]
    """Ticks with a usable quote, and per unchanged quote from the first to the last tick outside: most, longest."""
    quoted = 0
    most = 0
    longest = 0
    run_bid = np.nan
    run_ask = np.nan
    first = -1
    for i in range(len(price)):
        if not 0.0 < bid[i] <= ask[i]:
            run_bid = np.nan
            continue
        quoted += 1
        if bid[i] != run_bid or ask[i] != run_ask:
            run_bid = bid[i]
            run_ask = ask[i]
            first = -1
        # A price of another level is wrong itself and says nothing of the quote.
        if sets_price[i] and (price[i] < bid[i] or price[i] > ask[i]) and not is_level_shift(price[i], bid[i]):
            if first < 0:
                first = i
            most = max(most, i - first + 1)
            longest = max(longest, timestamp[i] - timestamp[first])
    return quoted, most, longest


def stale_quote(ticks: Arrays) -> StaleQuote | None:
    """How long price-setting ticks of the regular session lay outside a quote that did not change.

    Trades must not go through a protected quote, so a quote outside of which trade after trade is printed is not the
    prevailing one: it stands still while the price has moved. One such print proves nothing (sweeps and late prints
    do it), so a spell runs from the first to the last of them on the same bid and ask.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks in time order, at least ``PRICE_COLUMNS``.

    Returns
    -------
    StaleQuote or None
        The most ticks and the longest time, perhaps of two spells; None without a usable quote (0 < bid ≤ ask).

    References
    ----------
    SEC Regulation NMS, Rule 611 (order protection), 17 CFR 242.611 (2005).

    Examples
    --------
    The quote stays 10.00 / 10.02 for four ticks while the price leaves it: three ticks in two seconds.

    >>> day = {
    ...     "timestamp": (np.arange(4) * 10**9).view("datetime64[ns]"), "price": np.array([10.01, 10.05, 10.02, 10.06]),
    ...     "bid": np.full(4, 10.0), "ask": np.full(4, 10.02), "session": np.full(4, 2),
    ...     "is_qualified": np.ones(4, dtype=bool)}
    >>> stale_quote(day)
    StaleQuote(ticks=3, seconds=2.0)
    """
    rows = np.flatnonzero(ticks["session"] == Session.REGULAR)
    quoted, most, longest = _stale(
        ticks["timestamp"].view(np.int64)[rows],
        ticks["price"][rows],
        ticks["bid"][rows],
        ticks["ask"][rows],
        ticks["is_qualified"][rows],
    )
    return StaleQuote(int(most), longest / 1e9) if quoted else None


# -- related symbols -------------------------------------------------------------


def related_symbols(
    symbols: Sequence[str],
    returns: NDArray[np.float64],
    betas: NDArray[np.float64],
    benchmark: str,
    benchmark_return: float,
    trading_date: dt.date,
    *,
    trailing_residuals: NDArray[np.float64] | None = None,
    settings: QualitySettings | None = None,
    interval: str = "day",
) -> list[RuleResult]:
    """Whether each symbol's return fits beta × the benchmark's: far off, one of the two prices may be wrong.

    The residual r − β·r_benchmark is held against its own scale: 1.4826 × the median absolute deviation from the
    median of the symbol's trailing residuals, or of the residuals of all symbols where it has too few.

    Parameters
    ----------
    symbols : sequence of str
        The n symbols compared, the benchmark not among them.
    returns : float64[n]
        Log returns of one interval; NaN where unknown. [1]
    betas : float64[n]
        Slopes on the benchmark, from earlier dates; NaN where unknown. [1]
    benchmark : str
    benchmark_return : float
        Log return of the benchmark in the same interval. [1]
    trading_date : date
    trailing_residuals : float64[n_dates, n], optional
        Residuals of earlier dates; NaN where unknown. [1]
    settings : QualitySettings, optional
        ``related_sigmas`` and ``fewest_related``.
    interval : str
        What the return is of, for the reason: ``"day"``, ``"5 minutes from 10:05"``.

    Returns
    -------
    list of RuleResult
        One per symbol, severity warning; ``observed`` is in robust sigmas.

    Raises
    ------
    ValueError
        The benchmark is among the symbols.

    References
    ----------
    Rousseeuw and Croux (1993), Journal of the American Statistical Association 88:1273,
    https://doi.org/10.1080/01621459.1993.10476408

    Examples
    --------
    Residuals ±1 % on 20 earlier dates: the deviation from their median 0 is 1 %, sigma 1.4826 %. KO returns 15 % while
    1 × SPY is 1 %: 14 / 1.4826 sigmas.

    >>> found = related_symbols(["KO"], np.array([0.15]), np.array([1.0]), "SPY", 0.01, dt.date(2024, 5, 6),
    ...     trailing_residuals=np.array([[0.01], [-0.01]] * 10))
    >>> found[0].outcome, round(found[0].observed, 2)
    ('failed', 9.44)
    """
    if benchmark in symbols:
        raise ValueError(f"{benchmark} is the benchmark: it cannot be compared with itself")
    chosen = settings or QualitySettings()
    residuals = returns - betas * benchmark_return
    earlier = trailing_residuals if trailing_residuals is not None else np.zeros((0, len(symbols)))
    across = residuals[~np.isnan(residuals)]
    found = []
    for column, symbol in enumerate(symbols):
        own = earlier[:, column][~np.isnan(earlier[:, column])]
        is_own = len(own) >= chosen.fewest_related
        past, basis = (own, "its own earlier dates") if is_own else (across, "the other symbols of the date")
        sigmas, why_not = _sigmas_off(float(residuals[column]), past, chosen.fewest_related)
        reason = why_not or (
            f"{symbol} and {benchmark}: return {returns[column]:.4f} against {betas[column]:.2f} × "
            f"{benchmark_return:.4f} ({interval}), measured by {basis}; far off, one of the two prices may be wrong"
        )
        outcome: Outcome = "could_not_run"
        if not why_not:
            outcome = "passed" if abs(sigmas) <= chosen.related_sigmas else "failed"
        found.append(
            RuleResult(
                symbol=symbol, date=trading_date, rule=RELATED_RULE, table=QUALITY_TABLE, measure=RELATED_MEASURE,
                severity="warning", outcome=outcome, observed=None if why_not else sigmas,
                minimum=-chosen.related_sigmas, maximum=chosen.related_sigmas, reason=reason,
                evaluated_at=now_eastern(),
            )
        )  # fmt: skip
    return found


def _sigmas_off(residual: float, past: NDArray[np.float64], fewest: int) -> tuple[float, str]:
    """Distance from the median of past residuals in robust sigmas, and why it is not known (empty: it is)."""
    if math.isnan(residual):
        return math.nan, "the return, the beta or the benchmark's return is not known"
    if len(past) < fewest:
        return math.nan, f"fewer than {fewest} trailing residuals, and fewer than {fewest} symbols to compare with"
    middle = float(np.median(past))
    scale = MAD_OF_NORMAL * float(np.median(np.abs(past - middle)))
    if scale == 0:
        return math.nan, "the residuals do not vary: there is no scale"
    return (residual - middle) / scale, ""

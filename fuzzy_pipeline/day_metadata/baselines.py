"""What was usual for a symbol before a date."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.day_metadata.date_windows import MINIMUM_DATES, measures_by_date, summarised, too_few
from fuzzy_pipeline.day_metadata.earlier_days import LONGEST_WINDOW, EarlierDays, Hours
from fuzzy_pipeline.day_metadata.fields import number
from fuzzy_pipeline.microstructure.toxicity import toxic_threshold
from fuzzy_pipeline.schema.baselines import (
    BASELINE_MEASURES,
    HourPattern,
    MeasureRecord,
    Thresholds,
    TrailingBaselines,
    TypicalSpread,
    Weekday,
    WeekdayPattern,
    WindowStats,
)
from fuzzy_pipeline.trading_calendar import REGULAR_CLOSE, REGULAR_OPEN, now_eastern

THRESHOLD_DATES = 20
"""Trading dates before a date that thresholds and hours are taken from."""

MINIMUM_THRESHOLD_DATES = MINIMUM_DATES[THRESHOLD_DATES]
MINIMUM_WEEKDAY_DATES = MINIMUM_DATES[LONGEST_WINDOW] // 5
"""A weekday is one date in five."""

FULL_SESSION_MINUTES = (REGULAR_CLOSE.hour - REGULAR_OPEN.hour) * 60 + REGULAR_CLOSE.minute - REGULAR_OPEN.minute
_HOUR = 60

_PERCENTILES = ("p5", "p25", "median", "p75", "p95")
_EXTREMES = ("highest", "highest_date", "lowest", "lowest_date")
_ONE_DATE = "one date has no standard deviation"
_NEVER_KNOWN = f"known on none of the last {LONGEST_WINDOW} trading dates"

Reasons = dict[str, str]


def trailing_baselines(earlier: EarlierDays, symbol: str, date: dt.date) -> TrailingBaselines:
    """Baselines of a symbol for a date, from its earlier dates alone.

    Parameters
    ----------
    earlier : EarlierDays
        Of this symbol, before this date.
    symbol, date
        The key of the record.

    Returns
    -------
    TrailingBaselines
        Fields that too few dates are known for are None, with the reason under ``null_reasons``.

    Raises
    ------
    ValueError
        The earlier dates are those of another symbol, or those before another date.
    """
    started = time.perf_counter()
    earlier.check_key(symbol, date)
    known = earlier.dates
    reasons: Reasons = {}
    if not known:
        reasons |= dict.fromkeys(("first_known_date", "last_known_date"), "no earlier date is stored")
    hours = full_session_hours(earlier.hours(THRESHOLD_DATES))
    pattern = time_of_day(hours, reasons)
    record = TrailingBaselines(
        symbol=symbol,
        date=date,
        computed_at=now_eastern(),
        computation_time_ms=0.0,
        known_dates=len(known),
        first_known_date=known[0] if known else None,
        last_known_date=known[-1] if known else None,
        thresholds=thresholds(earlier, hours, reasons),
        time_of_day=pattern,
        weekdays=weekdays(earlier, reasons),
        typical_spread=typical_spread(pattern, reasons),
        windows=windows(earlier, reasons),
        records=records(earlier, reasons),
        null_reasons=reasons,
    )
    return record.model_copy(update={"computation_time_ms": (time.perf_counter() - started) * 1000})


# -- hours of full-length sessions -----------------------------------------------


@dataclass(frozen=True, slots=True)
class HourOfDates:
    """One hour of full-length sessions: ``spread`` [USD], ``volume_pct`` [1], ``volatility`` [1], known values only."""

    minutes_from_open: int
    minutes: int
    spread: NDArray[np.float64]
    volume_pct: NDArray[np.float64]
    volatility: NDArray[np.float64]


def full_session_hours(hours: Hours) -> list[HourOfDates]:
    """Hourly buckets of full-length sessions joined by hour; other sessions' last buckets are none of these hours.

    Parameters
    ----------
    hours : Hours
        Buckets of several dates.

    Returns
    -------
    list of HourOfDates
        Seven, from the open on; without any known value where there is no full-length session.
    """
    is_full = hours.session_minutes == FULL_SESSION_MINUTES
    found = []
    for start in range(0, FULL_SESSION_MINUTES, _HOUR):
        rows = is_full & (hours.minutes_from_open == start)
        spread, volume_pct, volatility = (
            values[rows & ~np.isnan(values)] for values in (hours.spread, hours.volume_pct, hours.volatility)
        )
        minutes = min(_HOUR, FULL_SESSION_MINUTES - start)
        found.append(HourOfDates(start, minutes, spread, volume_pct, volatility))
    return found


def usual_minute_variance(hours: Sequence[HourOfDates]) -> list[float | None]:
    """Variance of 1-minute log returns of each minute of a full session, the same within an hour.

    Parameters
    ----------
    hours : sequence of HourOfDates
        ``full_session_hours``.

    Returns
    -------
    list of float or None
        One a minute [1]; None in an hour known on fewer than ``MINIMUM_THRESHOLD_DATES`` dates, empty when all are.

    Examples
    --------
    Volatility 0.06 and 0.08 in turn: squares of mean 0.005, over the 4 returns of 5 minutes.

    >>> some = np.array([0.06, 0.08] * 3)
    >>> usual_minute_variance([HourOfDates(0, 5, some, some, some), HourOfDates(5, 1, some[:0], some, some[:0])])
    [0.00125, 0.00125, 0.00125, 0.00125, 0.00125, None]
    """
    by_minute: list[float | None] = []
    for hour in hours:
        known = len(hour.volatility) >= MINIMUM_THRESHOLD_DATES
        # The return into an hour is not among its own: 60 minutes have 59 returns.
        variance = float(np.mean(hour.volatility**2)) / (hour.minutes - 1) if known else None
        by_minute += [variance] * hour.minutes
    return by_minute if any(value is not None for value in by_minute) else []


# -- thresholds of phase 2 -------------------------------------------------------


def thresholds(earlier: EarlierDays, hours: Sequence[HourOfDates], reasons: Reasons) -> Thresholds:
    """What phase 2 compares with; reasons of nulls are put under ``thresholds.…``."""

    def over_dates(
        field: str,
        measure: str,
        combine: Callable[[NDArray[np.float64]], Any],
        least: int = MINIMUM_THRESHOLD_DATES,
    ) -> float | None:
        known = earlier.window(measure, THRESHOLD_DATES)
        if len(known) >= least:
            return float(combine(known))
        reasons[f"thresholds.{field}"] = too_few(len(known), THRESHOLD_DATES, least)
        return None

    impacts = [minutes for minutes in earlier.minute_impacts(THRESHOLD_DATES) if not np.isnan(minutes).all()]
    toxic = toxic_threshold(impacts, minimum_dates=MINIMUM_THRESHOLD_DATES)
    if toxic is None:
        reasons["thresholds.toxic_impact_bps"] = too_few(len(impacts), THRESHOLD_DATES, MINIMUM_THRESHOLD_DATES)
    variance = usual_minute_variance(hours)
    if not variance:
        reasons["thresholds.usual_minute_variance"] = (
            f"no hour of full-length sessions is known on {MINIMUM_THRESHOLD_DATES} of the last {THRESHOLD_DATES}"
            " trading dates"
        )
    return Thresholds(
        dates=earlier.stored(THRESHOLD_DATES),
        large_trade_size=over_dates("large_trade_size", "yardsticks.p95_trade_size", np.median),
        toxic_impact_bps=toxic,
        minute_volatility=over_dates("minute_volatility", "yardsticks.minute_volatility", root_mean_square),
        burst_volume=over_dates("burst_volume", "yardsticks.median_burst_volume", np.median),
        daily_volume=over_dates("daily_volume", "basic_stats.volume_total", np.mean, 1),
        usual_minute_variance=variance,
    )


def root_mean_square(values: NDArray[np.float64]) -> float:
    """√(mean of squares): standard deviations of days of one length join so, variances being what adds up.

    Examples
    --------
    >>> root_mean_square(np.array([1.0, 7.0]))
    5.0
    """
    return math.sqrt(float(np.mean(values**2)))


# -- patterns --------------------------------------------------------------------


def time_of_day(hours: Sequence[HourOfDates], reasons: Reasons) -> list[HourPattern]:
    """Means of each hour; reasons of nulls are put under ``time_of_day[…].…``."""
    found = []
    for place, hour in enumerate(hours):
        means = {
            field: _mean(
                getattr(hour, field),
                MINIMUM_THRESHOLD_DATES,
                f"time_of_day[{place}].{field}",
                "known in {} full-length sessions of the last " + f"{THRESHOLD_DATES} trading dates",
                reasons,
            )
            for field in ("spread", "volume_pct", "volatility")
        }
        found.append(
            HourPattern(
                minutes_from_open=hour.minutes_from_open,
                minutes=hour.minutes,
                spread_dates=len(hour.spread),
                volume_dates=len(hour.volume_pct),
                volatility_dates=len(hour.volatility),
                **means,
            )
        )
    return found


def weekdays(earlier: EarlierDays, reasons: Reasons) -> list[WeekdayPattern]:
    """Means of each weekday; reasons of nulls are put under ``weekdays[…].…``."""
    weekday = np.array([date.weekday() for date in earlier.trading_dates], dtype=np.int64)
    measures = {
        "volume": "basic_stats.volume_total",
        "dollar_volume": "basic_stats.dollar_volume",
        "spread_bps": "spread_stats.median_bps",
        "realised_volatility": "basic_stats.realised_volatility",
    }
    found = []
    for place, name in enumerate(get_args(Weekday)):
        values = {field: earlier.values(measure)[weekday == place] for field, measure in measures.items()}
        known = {field: of_day[~np.isnan(of_day)] for field, of_day in values.items()}
        means = {
            field: _mean(
                of_day,
                MINIMUM_WEEKDAY_DATES,
                f"weekdays[{place}].{field}",
                "known on {} " + f"{name}s of the last {LONGEST_WINDOW} trading dates",
                reasons,
            )
            for field, of_day in known.items()
        }
        found.append(
            WeekdayPattern(
                weekday=name,
                dates=len(known["volume"]),
                spread_dates=len(known["spread_bps"]),
                volatility_dates=len(known["realised_volatility"]),
                **means,
            )
        )
    return found


def _mean(known: NDArray[np.float64], least: int, field: str, how_often: str, reasons: Reasons) -> float | None:
    if len(known) >= least:
        return float(np.mean(known))
    reasons[field] = f"{how_often.format(len(known))}; at least {least} are needed"
    return None


def typical_spread(hours: Sequence[HourPattern], reasons: Reasons) -> TypicalSpread:
    """Spread at the open, midday and close from the hours' means; reasons are put under ``typical_spread.…``."""
    parts = {"open": hours[:1], "midday": hours[1:-1], "close": hours[-1:]}
    found: dict[str, float | None] = {}
    for field, part in parts.items():
        known = [hour.spread for hour in part if hour.spread is not None]
        found[field] = float(np.mean(known)) if len(known) == len(part) else None
        if found[field] is None:
            reasons[f"typical_spread.{field}"] = "the spread of an hour in it is null: see time_of_day"
    return TypicalSpread(**found)


# -- windows and records ---------------------------------------------------------


def windows(earlier: EarlierDays, reasons: Reasons) -> list[WindowStats]:
    """Distribution of each measure in each window; reasons of nulls are put under ``windows[…].…``."""
    values = measures_by_date(earlier)
    found: list[WindowStats] = []
    for window, least in MINIMUM_DATES.items():
        summary = summarised(values, window, least)
        columns = {
            "mean": summary.mean,
            "std": summary.std,
            **dict(zip(_PERCENTILES, summary.percentiles, strict=True)),
        }
        for row, measure in enumerate(BASELINE_MEASURES):
            n = int(summary.n[row])
            stats = {name: number(column[row]) for name, column in columns.items()}
            why = _ONE_DATE if n >= least else too_few(n, window, least)
            reasons |= {f"windows[{len(found)}].{name}": why for name, value in stats.items() if value is None}
            found.append(WindowStats(measure=measure, window=window, n=n, **stats))
    return found


def records(earlier: EarlierDays, reasons: Reasons) -> list[MeasureRecord]:
    """Extremes of each measure, by their first date; reasons of nulls are put under ``records[…].…``."""
    found = []
    for place, measure in enumerate(BASELINE_MEASURES):
        values = earlier.values(measure)
        n = int(np.count_nonzero(~np.isnan(values)))
        if n == 0:
            reasons |= {f"records[{place}].{field}": _NEVER_KNOWN for field in _EXTREMES}
            found.append(MeasureRecord(measure=measure, n=0, **dict.fromkeys(_EXTREMES)))
            continue
        high, low = int(np.nanargmax(values)), int(np.nanargmin(values))
        found.append(
            MeasureRecord(
                measure=measure,
                n=n,
                highest=float(values[high]),
                highest_date=earlier.trading_dates[high],
                lowest=float(values[low]),
                lowest_date=earlier.trading_dates[low],
            )
        )
    return found

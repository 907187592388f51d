"""A date's phase 1 against that of the symbol's earlier dates.

Functions give a group and its nulls: field -> why, named from that group on.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.day_metadata.date_windows import MINIMUM_DATES, measures_by_date, summarised, too_few
from fuzzy_pipeline.day_metadata.earlier_days import LONGEST_WINDOW, EarlierDays
from fuzzy_pipeline.day_metadata.fields import number
from fuzzy_pipeline.microstructure.regime import percentile_rank
from fuzzy_pipeline.schema.baselines import (
    BASELINE_MEASURES,
    SIGNED_MEASURES,
    DayBefore,
    HistoryComparison,
    MeasureHistory,
    SimilarDate,
    WindowComparison,
)
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1

WINDOWS = (5, 20, 252)
"""Trading dates of the windows; the day before is compared without a distribution."""

MINIMUM_RECORD_DATES = 20
"""Known dates from which on a value may be called a record."""

SIMILAR_DATES = 5
MINIMUM_SIMILAR_DATES = 20
"""Dates to choose from with which some are called similar, and that a measure is known on to be compared."""

MINIMUM_COMMON_MEASURES = len(BASELINE_MEASURES) // 2 + 1
"""Measures known on both of two dates: with few of them dates would be alike by chance."""

_NOT_KNOWN = "not known on the date"
_SIGNED = "the measure can be below 0: a ratio says nothing"
_NO_DAY_BEFORE = "not known on the trading date before"

Reasons = dict[str, str]


def compare_with_history(phase1: DayMetadataPhase1, earlier: EarlierDays) -> tuple[HistoryComparison, Reasons]:
    """The followed measures of a date against those of the symbol's earlier dates.

    Parameters
    ----------
    phase1 : DayMetadataPhase1
        The date's own record.
    earlier : EarlierDays
        Of the same symbol, before this date.

    Returns
    -------
    HistoryComparison
    dict of str
        Field -> why it is null: ``volume_total.dates_20.z_score``.

    Raises
    ------
    ValueError
        The earlier dates are those of another symbol, or those before another date.
    """
    earlier.check_key(phase1.symbol, phase1.date)
    own = np.array([own_value(phase1, measure) for measure in BASELINE_MEASURES])
    past = measures_by_date(earlier)
    usual = {window: summarised(past, window, MINIMUM_DATES[window]) for window in WINDOWS}
    histories: dict[str, MeasureHistory] = {}
    reasons: Reasons = {}
    for row, measure in enumerate(BASELINE_MEASURES):
        name = measure.partition(".")[2]
        moments = {window: (float(usual[window].mean[row]), float(usual[window].std[row])) for window in WINDOWS}
        histories[name], nulls = measure_history(
            float(own[row]), past[row], moments, is_signed=measure in SIGNED_MEASURES
        )
        reasons |= _below(name, nulls)
    alike, why = similar_dates(own, past, earlier)
    if why:
        reasons["similar_dates"] = why
    comparison = HistoryComparison(known_dates=earlier.stored(LONGEST_WINDOW), similar_dates=alike, **histories)
    return comparison, reasons


def own_value(phase1: DayMetadataPhase1, name: str) -> float:
    """A number of the date's record by its dotted name; NaN for None."""
    group, _, field = name.partition(".")
    value = getattr(getattr(phase1, group), field)
    return math.nan if value is None else float(value)


def _below(name: str, reasons: Reasons) -> Reasons:
    return {f"{name}.{field}": why for field, why in reasons.items()}


# -- one measure -----------------------------------------------------------------


def measure_history(
    value: float, past: NDArray[np.float64], moments: dict[int, tuple[float, float]], *, is_signed: bool
) -> tuple[MeasureHistory, Reasons]:
    """A measure of the date against its values on earlier dates.

    Parameters
    ----------
    value : float
        Of the date, NaN where not known.
    past : float64[n_dates]
        Of the trading dates before it, in order of time, NaN where not known.
    moments : dict of (float, float)
        Window -> mean and sample standard deviation of its known values, NaN with too few.
    is_signed : bool
        The measure can be below 0.

    Returns
    -------
    MeasureHistory
    dict of str
        Field -> why it is null.
    """
    known = past[~np.isnan(past)]
    reasons: Reasons = {"value": _NOT_KNOWN} if math.isnan(value) else {}
    may_be_record = not reasons and len(known) >= MINIMUM_RECORD_DATES
    if not may_be_record:
        why = _NOT_KNOWN if reasons else too_few(len(known), LONGEST_WINDOW, MINIMUM_RECORD_DATES)
        reasons |= {"is_record_high": why, "is_record_low": why}
    yesterday = float(past[-1]) if len(past) else math.nan
    day_before, nulls = _against_day_before(value, yesterday, is_signed=is_signed)
    reasons |= _below("day_before", nulls)
    windows: dict[str, WindowComparison] = {}
    for window, (mean, std) in moments.items():
        name = f"dates_{window}"
        windows[name], nulls = window_comparison(value, past, window, mean, std, is_signed=is_signed)
        reasons |= _below(name, nulls)
    history = MeasureHistory(
        value=number(value),
        known_dates=len(known),
        is_record_high=bool(value > known.max()) if may_be_record else None,
        is_record_low=bool(value < known.min()) if may_be_record else None,
        day_before=day_before,
        **windows,
    )
    return history, reasons


def _against_day_before(value: float, yesterday: float, *, is_signed: bool) -> tuple[DayBefore, Reasons]:
    if math.isnan(value) or math.isnan(yesterday):
        why = _NOT_KNOWN if math.isnan(value) else _NO_DAY_BEFORE
        return DayBefore(change=None, ratio=None), {"change": why, "ratio": why}
    no_ratio = _why_no_ratio(yesterday, "the value of the day before", is_signed=is_signed)
    ratio = None if no_ratio else value / yesterday
    return DayBefore(change=value - yesterday, ratio=ratio), {"ratio": no_ratio} if no_ratio else {}


def window_comparison(
    value: float, past: NDArray[np.float64], window: int, mean: float, std: float, *, is_signed: bool
) -> tuple[WindowComparison, Reasons]:
    """A measure of the date against the known ones of the last ``window`` trading dates.

    Parameters
    ----------
    value : float
        Of the date, NaN where not known.
    past : float64[n_dates]
        Of the trading dates before it, in order of time, NaN where not known.
    window : int
        5, 20 or 252.
    mean, std : float
        Of the known values in the window, NaN with too few.
    is_signed : bool
        The measure can be below 0.

    Returns
    -------
    WindowComparison
    dict of str
        Field -> why it is null.

    Examples
    --------
    14 after 8, 9, 10, 11, 12, whose squared deviations are 4 + 1 + 0 + 1 + 4 = 10, over 4:

    >>> found, _ = window_comparison(14.0, np.arange(8.0, 13.0), 5, 10.0, 2.5 ** 0.5, is_signed=False)
    >>> found.change, found.ratio, found.percentile, round(found.z_score ** 2, 9)
    (4.0, 1.4, 100.0, 6.4)
    """
    last = past[-window:]
    n = int(np.count_nonzero(~np.isnan(last)))
    if math.isnan(value) or n < MINIMUM_DATES[window]:
        why = _NOT_KNOWN if math.isnan(value) else too_few(n, window, MINIMUM_DATES[window])
        nothing = dict.fromkeys(("change", "ratio", "percentile", "z_score"))
        return WindowComparison(n=n, **nothing), dict.fromkeys(nothing, why)
    reasons = {"ratio": _why_no_ratio(mean, "the mean", is_signed=is_signed)}
    reasons["z_score"] = None if std > 0 else f"equal on all {n} dates: no standard deviation"
    found = WindowComparison(
        n=n,
        change=value - mean,
        ratio=None if reasons["ratio"] else value / mean,
        percentile=percentile_rank(value, last),
        z_score=None if reasons["z_score"] else (value - mean) / std,
    )
    return found, {field: why for field, why in reasons.items() if why}


def _why_no_ratio(reference: float, of_what: str, *, is_signed: bool) -> str | None:
    if is_signed:
        return _SIGNED
    return None if reference > 0 else f"{of_what} is 0"


# -- similar dates ---------------------------------------------------------------


def similar_dates(
    own: NDArray[np.float64], past: NDArray[np.float64], earlier: EarlierDays
) -> tuple[list[SimilarDate] | None, str | None]:
    """The earlier dates with the least standardised Euclidean distance.

    The distance of two dates is √(Σ ((own − past) / std)² / m) over the m measures known on both, std being that of the
    earlier dates: not divided by m, dates with fewer known measures would be nearer. Of equally distant dates the later
    one comes first.

    Parameters
    ----------
    own : float64[n_measures]
        Of the date, NaN where not known.
    past : float64[n_measures, n_dates]
        Of the earlier trading dates, in order of time.
    earlier : EarlierDays
        Which dates these are.

    Returns
    -------
    list of SimilarDate or None
        At most ``SIMILAR_DATES``, nearest first; None with fewer than ``MINIMUM_SIMILAR_DATES`` to choose from.
    str or None
        Why it is None.
    """
    std = summarised(past, LONGEST_WINDOW, MINIMUM_SIMILAR_DATES).std
    usable = ~np.isnan(own) & (std > 0)
    difference = (past[usable] - own[usable, None]) / std[usable, None]
    common = np.count_nonzero(~np.isnan(difference), axis=0)
    comparable = np.flatnonzero(common >= MINIMUM_COMMON_MEASURES)
    if len(comparable) < MINIMUM_SIMILAR_DATES:
        return None, (
            f"{len(comparable)} earlier dates have {MINIMUM_COMMON_MEASURES} measures in common with the date; at least"
            f" {MINIMUM_SIMILAR_DATES} are needed"
        )
    squares = np.nansum(difference[:, comparable] ** 2, axis=0)
    distance = np.sqrt(squares / common[comparable])
    nearest = np.lexsort((-comparable, distance))[:SIMILAR_DATES]
    return [
        SimilarDate(
            date=earlier.trading_dates[comparable[place]],
            distance=float(distance[place]),
            measures=int(common[comparable[place]]),
        )
        for place in nearest.tolist()
    ], None

"""Quality measures of a symbol's date: what the ingest counted, what phase 1 found, and what a second look shows."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.quality.price_checks import PRICE_COLUMNS, PriceChecks, price_checks, stale_quote
from fuzzy_pipeline.quality_settings import QualitySettings
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.codes import Basis, Session
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.schema.day_metadata import BasicStats, DayMetadataPhase1
from fuzzy_pipeline.schema.quality import QualityMeasures, quality_level
from fuzzy_pipeline.settings import IngestSettings
from fuzzy_pipeline.trading_calendar import now_eastern

QUALITY_TICK_COLUMNS = tuple(dict.fromkeys((*PRICE_COLUMNS, "counts_volume", "basis")))
"""The enriched columns the measures need: what a reader has to load."""

NO_DAILY_BAR = "the source has no daily bar"
NO_STORED_TICK = "no stored tick"

_MINUTE_US = 60_000_000
_TAKEN_FROM_PHASE_1 = (
    "duplicate_count", "out_of_order_count", "tick_id_holes", "lost_tick_count", "missing_volume", "excess_volume",
    "crossed_quote_count", "locked_quote_count", "missing_quote_count", "silent_minutes", "halted_minutes",
    "unexplained_silent_minutes", "completeness_score",
)  # fmt: skip

Values = dict[str, Any]
Reasons = dict[str, str]


@dataclass(frozen=True, slots=True)
class IngestCounts:
    """What the ingest made of the rows of a symbol and date; a rule that found nothing may be left out."""

    rows_in: int
    rows_stored: int
    official: int
    set_aside_by_rule: Mapping[str, int] = field(default_factory=dict)
    flagged_by_rule: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EarlierDates:
    """Phase 1 of the symbol's stored dates before this one, oldest first: what is usual.

    ``total_ticks`` and ``volume`` are those counted in the regular session, ``close`` its last price [USD]; all
    float64[n_dates], NaN where unknown.
    """

    dates: Sequence[dt.date]
    total_ticks: NDArray[np.float64]
    volume: NDArray[np.float64]
    close: NDArray[np.float64]


NO_EARLIER_DATES = EarlierDates((), np.zeros(0), np.zeros(0), np.zeros(0))


def quality_measures(
    ticks: Arrays,
    symbol: str,
    trading_date: dt.date,
    *,
    phase1: DayMetadataPhase1,
    ingest: IngestCounts,
    earlier: EarlierDates = NO_EARLIER_DATES,
    daily_bar: SourceDailyBar | None = None,
    why_no_daily_bar: str = NO_DAILY_BAR,
    settings: QualitySettings | None = None,
    bounds: IngestSettings | None = None,
) -> QualityMeasures:
    """Quality measures of one symbol and date.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks of all sessions in time order, at least ``QUALITY_TICK_COLUMNS``.
    symbol, trading_date
        The key of the record.
    phase1 : DayMetadataPhase1
        Of the same ticks: what it has is taken over.
    ingest : IngestCounts
        From the manifest row of the raw ticks, and from the tables ``quarantine`` and ``tick_flags``.
    earlier : EarlierDates, optional
        Stored dates before this one.
    daily_bar : SourceDailyBar, optional
        None when the source has none, or when it is not known.
    why_no_daily_bar : str, optional
        The reason of the null then.
    settings : QualitySettings, optional
        Dates of the comparison, and tolerances of the daily bar.
    bounds : IngestSettings, optional
        Bounds of price jumps and outliers: those of the soft rules.

    Returns
    -------
    QualityMeasures
        Fields that cannot be computed are None, with the reason under ``null_reasons``.

    Raises
    ------
    ValueError
        Phase 1 or an earlier date is of another symbol or date, or the earlier dates are not in order.
    """
    started = time.perf_counter()
    _check_inputs(symbol, trading_date, phase1, earlier)
    chosen = settings or QualitySettings()
    prices = price_checks(ticks, bounds or IngestSettings())
    wrong = objectionable(ticks, prices)
    parts = (
        _ingested(ingest),
        _from_phase1(phase1),
        _times(ticks, trading_date, phase1.data_quality.silent_minutes),
        _prices(prices),
        _history(phase1.basic_stats, trading_date, earlier, chosen),
        _daily_bar(ticks, daily_bar, why_no_daily_bar, chosen),
        _score(phase1, wrong, len(ticks["price"])),
    )
    values: Values = {name: value for part, _ in parts for name, value in part.items()}
    reasons: Reasons = {name: reason for _, part in parts for name, reason in part.items()}
    return QualityMeasures(
        symbol=symbol,
        date=trading_date,
        computed_at=now_eastern(),
        computation_time_ms=(time.perf_counter() - started) * 1000,
        **values,
        null_reasons={name: reason for name, reason in reasons.items() if values[name] is None},
    )


def objectionable(ticks: Arrays, prices: PriceChecks) -> int:
    """Ticks on a crossed quote, or price-setting with an unconfirmed jump or an outlying price; each once.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks, at least ``bid`` and ``ask``.
    prices : PriceChecks
        Of the same ticks.

    Returns
    -------
    int
    """
    wrong = ticks["bid"] > ticks["ask"]
    wrong[prices.unconfirmed] = True
    wrong[prices.median_outliers] = True
    return int(np.count_nonzero(wrong))


def _check_inputs(symbol: str, trading_date: dt.date, phase1: DayMetadataPhase1, earlier: EarlierDates) -> None:
    if (phase1.symbol, phase1.date) != (symbol, trading_date):
        raise ValueError(f"phase 1 of {phase1.symbol} {phase1.date} was given for {symbol} {trading_date}")
    dates = [*earlier.dates, trading_date]
    if any(later <= sooner for sooner, later in pairwise(dates)):
        raise ValueError(f"{symbol} {trading_date}: earlier dates are not in order, or not before it: {dates[:-1]}")


def _share(count: int | None, total: int) -> float | None:
    return None if count is None or total == 0 else count / total


def _ingested(counts: IngestCounts) -> tuple[Values, Reasons]:
    aside = sum(counts.set_aside_by_rule.values())
    values = {
        "rows_in": counts.rows_in,
        "rows_stored": counts.rows_stored,
        "set_aside_count": aside,
        "set_aside_share": _share(aside, counts.rows_in),
        "set_aside_by_rule": dict(counts.set_aside_by_rule),
        "flagged_count": sum(counts.flagged_by_rule.values()),
        "flagged_by_rule": dict(counts.flagged_by_rule),
        "official_count": counts.official,
    }
    return values, {"set_aside_share": "the source sent no row"}


def _from_phase1(phase1: DayMetadataPhase1) -> tuple[Values, Reasons]:
    """Counters, quotes and minutes as phase 1 found them, and shares of all stored ticks."""
    found = phase1.data_quality
    values: Values = {name: getattr(found, name) for name in _TAKEN_FROM_PHASE_1}
    reasons = {name: phase1.null_reasons.get(f"data_quality.{name}", "null in phase 1") for name in _TAKEN_FROM_PHASE_1}
    for name in ("out_of_order", "crossed_quote", "missing_quote"):
        values[f"{name}_share"] = _share(values[f"{name}_count"], found.stored_ticks)
        known = values[f"{name}_count"] is not None
        reasons[f"{name}_share"] = NO_STORED_TICK if known else reasons[f"{name}_count"]
    return values, reasons


def _times(ticks: Arrays, trading_date: dt.date, silent_minutes: int) -> tuple[Values, Reasons]:
    """Minutes of the session and its longest gap. Session bounds in nanoseconds of UTC."""
    day = trading_calendar.session(trading_date)
    midnight = trading_calendar.midnight_utc_ns(trading_date)
    start_ns, end_ns = midnight + day.open_us * 1000, midnight + day.close_us * 1000
    expected = (day.close_us - day.open_us) // _MINUTE_US
    timestamp = ticks["timestamp"].view(np.int64)
    inside = timestamp[slice(*np.searchsorted(timestamp, [start_ns, end_ns]).tolist())]
    stale = stale_quote(ticks)
    values = {
        "expected_minutes": expected,
        "traded_minutes": expected - silent_minutes,
        "counted_minutes": counted_minutes(ticks, trading_date),
        "longest_gap_s": float(np.diff(np.concatenate([[start_ns], inside, [end_ns]])).max() / 1e9),
        "stale_quote_ticks": stale.ticks if stale else None,
        "stale_quote_s": stale.seconds if stale else None,
    }
    return values, dict.fromkeys(
        ("stale_quote_ticks", "stale_quote_s"), "no tick of the regular session has a usable quote"
    )


def counted_minutes(ticks: Arrays, trading_date: dt.date) -> int:
    """Minutes of the regular session with a counted tick: each has a 1-minute bar.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks, at least ``timestamp``, ``session`` and ``counts_volume``.
    trading_date : date
    """
    day = trading_calendar.session(trading_date)
    start_ns = trading_calendar.midnight_utc_ns(trading_date) + day.open_us * 1000
    last = (day.close_us - day.open_us) // _MINUTE_US - 1
    counted = ticks["timestamp"].view(np.int64)[ticks["counts_volume"] & (ticks["session"] == Session.REGULAR)]
    # The closing auction is stamped after the close and belongs to the last minute, as in time bars.
    return len(np.unique(np.clip((counted - start_ns) // (_MINUTE_US * 1000), 0, last)))


def _prices(found: PriceChecks) -> tuple[Values, Reasons]:
    return {
        "price_setting_ticks": found.price_setting_ticks,
        "price_jump_count": found.jumps,
        "unconfirmed_jump_count": len(found.unconfirmed),
        "sigma_outlier_count": found.sigma_outliers,
        "median_outlier_count": len(found.median_outliers),
    }, {}


def _history(
    stats: BasicStats, trading_date: dt.date, earlier: EarlierDates, settings: QualitySettings
) -> tuple[Values, Reasons]:
    """Against the median of the trailing dates, never this one; and the step from the previous close."""
    taken = min(len(earlier.dates), settings.history_dates)
    values: Values = {"earlier_dates": taken}
    reasons: Reasons = {}
    for name, own, past in (
        ("tick_count_ratio", stats.total_ticks, earlier.total_ticks),
        ("volume_ratio", stats.volume_total, earlier.volume),
    ):
        recent = past[len(past) - taken :]
        known = recent[~np.isnan(recent)]
        enough = len(known) >= settings.fewest_history_dates
        usual = float(np.median(known)) if enough else math.nan
        values[name] = own / usual if usual > 0 else None
        reasons[name] = (
            "the usual is 0" if enough else f"fewer than {settings.fewest_history_dates} earlier dates are stored"
        )
    # Without an earlier date the calendar is not asked: it has none before its first.
    before = trading_calendar.previous_trading_date(trading_date) if earlier.dates else None
    close = float(earlier.close[-1]) if before and earlier.dates[-1] == before else math.nan
    gap = stats.price_open / close - 1 if stats.price_open is not None and close > 0 else None
    values["gap_from_previous_close_pct"] = gap
    reasons["gap_from_previous_close_pct"] = (
        "no opening price" if stats.price_open is None else "no close of the trading date before is stored"
    )
    return values, reasons


def _daily_bar(
    ticks: Arrays, bar: SourceDailyBar | None, why_none: str, settings: QualitySettings
) -> tuple[Values, Reasons]:
    """What the source's bar says otherwise, of the prices and the volume it is made of.

    These are not the prices of the regular session: a last-qualified print may be stamped just after the close, and
    an extended-hours one reported within the session. On consolidated days of SPY that moves open or close by 1 to 3
    cents.
    """
    if bar is None:
        return {"daily_bar_matches": None, "daily_bar_differences": []}, {"daily_bar_matches": why_none}
    prices = ticks["price"][ticks["basis"] == Basis.LAST_QUALIFIED]
    found = (prices[0], prices.max(), prices.min(), prices[-1]) if len(prices) else (math.nan,) * 4
    differences = []
    for name, here in zip(("open", "high", "low", "close"), found, strict=True):
        there = getattr(bar, name)
        # The last bits of a difference of decimal prices are no difference; one that is not a number is one.
        if not abs(here - there) <= settings.daily_bar_price + 1e-9:
            differences.append(f"{name}: {'unknown' if math.isnan(here) else f'{here:.10g}'} here, {there:.10g} there")
    volume = int(ticks["size"].sum(dtype=np.int64))
    if abs(volume - bar.volume) > settings.daily_bar_volume * bar.volume:
        differences.append(f"volume: {volume} here, {bar.volume} there")
    return {"daily_bar_matches": not differences, "daily_bar_differences": differences}, {}


def _score(phase1: DayMetadataPhase1, objectionable_ticks: int, stored: int) -> tuple[Values, Reasons]:
    """Completeness times the share of ticks nobody objects to."""
    completeness = phase1.data_quality.completeness_score
    score = None if completeness is None else completeness * (1 - objectionable_ticks / stored)
    why = phase1.null_reasons.get("data_quality.completeness_score", NO_STORED_TICK)
    values = {
        "objectionable_ticks": objectionable_ticks,
        "data_quality_score": score,
        "data_quality_level": None if score is None else quality_level(score),
    }
    return values, {"data_quality_score": why, "data_quality_level": why}

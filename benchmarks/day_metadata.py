"""Both phases of the day record against sorting seven columns of the day.

Run with ``python -m benchmarks.day_metadata``.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import measure
from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.day_metadata.baselines import trailing_baselines
from fuzzy_pipeline.day_metadata.earlier_days import LONGEST_WINDOW, EarlierDays
from fuzzy_pipeline.day_metadata.phase1 import PHASE1_COLUMNS, day_metadata_phase1
from fuzzy_pipeline.day_metadata.phase2 import PHASE2_COLUMNS, day_metadata_phase2
from fuzzy_pipeline.enrichment.day import enrich_day
from fuzzy_pipeline.quality.validation import validate_ticks
from fuzzy_pipeline.schema.codes import Session
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import DayMetadataPhase2
from fuzzy_pipeline.schema.records import to_table

SORTED = ("timestamp", "price", "size", "total_volume", "tick_id", "bid", "ask")
SORTS = "np.sort of seven columns"
PHASE1_GOALS, PHASE2_GOALS = {SORTS: 0.333}, {SORTS: 0.0833}
EARLIER_DATES = 20
DATE = dt.date(2013, 10, 8)
DAYS = (("SPY", 450_000), ("BAC", 125_000))
REMARKS = [
    "Ours: every group of the record with its reasons for nulls, from enriched ticks in memory to the model, session"
    " columns gathered into reused memory. Goals: phase 1 at most three times the sorts, a third of ours in theirs;"
    " phase 2 at most twelve times, a twelfth.",
    f"Phase 2 is given phase 1 of the day, {EARLIER_DATES} earlier dates (the day's own phase 1 under other dates) and"
    " the baselines from them; large trades are those of 2,500 shares (BAC) and 1,000 (SPY) or more.",
    f"np.sort with its default algorithm of {', '.join(SORTED)} of the whole day, each into new memory. Bid and"
    " ask of SPY are NaN throughout.",
]

Enriched = dict[str, NDArray[Any]]


def check(day: measure.TickDay, record: DayMetadataPhase1, enriched: Enriched) -> str:
    """Whether parts of the record add up to wholes that plain NumPy gives."""
    counted = enriched["counts_volume"] & (enriched["session"] == Session.REGULAR)
    shares = int(enriched["size"][counted].sum(dtype=np.int64))
    flow, venues = record.trade_classification, record.venue_analysis.venues
    sides = flow.buy_volume + flow.sell_volume + flow.neutral_volume
    same = shares == sides == sum(venue.volume for venue in venues) == record.basic_stats.volume_total
    verdict = "were found equal before timing" if same else "DIFFER"
    return f"{day.symbol}: shares of the sides, of the venues, of the day's bar and of the counted ticks {verdict}."


def check_phase2(day: measure.TickDay, record: DayMetadataPhase2) -> str:
    """Whether effective spreads are realised spread plus price impact at every horizon."""
    horizons = [one for one in record.spread_horizons if one.n]
    parts = [known(one.realised_spread_bps) + known(one.price_impact_bps) for one in horizons]
    same = np.allclose([known(one.effective_spread_bps) for one in horizons], parts, rtol=0, atol=1e-9)
    verdict = "was found to be" if same else "IS NOT"
    return f"{day.symbol}: effective spread {verdict} realised spread plus price impact at {len(horizons)} horizons."


def known(value: float | None) -> float:
    """The number, NaN for None."""
    return np.nan if value is None else value


def main() -> dict[str, Any]:
    """Check, time, write ``results/day_metadata``."""
    remarks, cases = list(REMARKS), []
    for symbol, count in DAYS:
        day = measure.tick_day(symbol, DATE, count)
        every_column = enrich_day(validate_ticks(day.raw, symbol, DATE).ticks, symbol, DATE)
        enriched = {name: every_column[name] for name in dict.fromkeys((*PHASE1_COLUMNS, *PHASE2_COLUMNS))}
        phase1 = day_metadata_phase1(enriched, symbol, DATE)
        phase2 = phase2_work(symbol, enriched, phase1)
        remarks += [check(day, phase1, enriched), check_phase2(day, phase2())]
        timings = time_day(symbol, enriched, phase2)
        for phase, goals in (("phase 1", PHASE1_GOALS), ("phase 2", PHASE2_GOALS)):
            pair = {"ours": timings[f"ours, {phase}"], SORTS: timings[SORTS]}
            cases.append(measure.case(f"{phase}, {day.label}", day.rows, pair, goals))
    return measure.write_results("day_metadata", "Both phases of the day record", cases, remarks)


def time_day(symbol: str, enriched: Enriched, phase2: Callable[[], DayMetadataPhase2]) -> dict[str, measure.Timing]:
    """Timings of both phases and of the sorts on one day."""
    pool = BufferPool()
    return measure.side_by_side(
        {
            "ours, phase 1": lambda: day_metadata_phase1(enriched, symbol, DATE, pool=pool),
            "ours, phase 2": phase2,
            SORTS: lambda: [np.sort(enriched[name]) for name in SORTED],
        },
        rounds=9,
    )


def phase2_work(symbol: str, enriched: Enriched, phase1: DayMetadataPhase1) -> Callable[[], DayMetadataPhase2]:
    """Phase 2 of the day, after dates that had the same phase 1."""
    before = trading_calendar.trading_dates_before(DATE, LONGEST_WINDOW)
    records = [phase1.model_copy(update={"date": date}) for date in before[-EARLIER_DATES:]]
    earlier = EarlierDays.from_table(to_table(records, DayMetadataPhase1), DATE, before)
    baselines, pool = trailing_baselines(earlier, symbol, DATE), BufferPool()
    return lambda: day_metadata_phase2(
        enriched, symbol, DATE, phase1=phase1, baselines=baselines, earlier=earlier, vpin_state=None, pool=pool
    )


if __name__ == "__main__":
    main()

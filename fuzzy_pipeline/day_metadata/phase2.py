"""Phase 2: toxicity, impact, patterns, institutions and the regime of a symbol's regular session."""

from __future__ import annotations

import datetime as dt
import time

from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.day_metadata import phase2_groups as groups
from fuzzy_pipeline.day_metadata.comparisons import compare_with_history
from fuzzy_pipeline.day_metadata.earlier_days import EarlierDays
from fuzzy_pipeline.day_metadata.phase2_intermediates import SESSION_COLUMNS, session_measures
from fuzzy_pipeline.day_metadata.phase2_null_reasons import null_reasons
from fuzzy_pipeline.day_metadata.phase2_regime import market_regime
from fuzzy_pipeline.microstructure.vpin import Vpin
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.baselines import TrailingBaselines
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import DayMetadataPhase2, VpinState
from fuzzy_pipeline.trading_calendar import now_eastern

PHASE2_COLUMNS = SESSION_COLUMNS
"""The enriched columns phase 2 needs: what a reader has to load."""


def day_metadata_phase2(
    ticks: Arrays,
    symbol: str,
    date: dt.date,
    *,
    phase1: DayMetadataPhase1,
    baselines: TrailingBaselines,
    earlier: EarlierDays,
    vpin_state: VpinState | None,
    pool: BufferPool | None = None,
) -> DayMetadataPhase2:
    """Phase 2 of one symbol and date.

    What counts as large, toxic or usual is taken from earlier dates alone.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks in time order, at least ``PHASE2_COLUMNS``.
    symbol, date
        The key of the record.
    phase1 : DayMetadataPhase1
        Of the same symbol and date.
    baselines : TrailingBaselines
        From the dates before.
    earlier : EarlierDays
        Phase 1 of the dates before.
    vpin_state : VpinState, optional
        Of the date before; None begins with an empty bucket.
    pool : BufferPool, optional
        Memory to reuse for the ticks of the session.

    Returns
    -------
    DayMetadataPhase2
        Fields that cannot be computed are None, with the reason under ``null_reasons``.

    Raises
    ------
    ValueError
        ``phase1``, ``baselines`` or ``earlier`` is for another symbol or date.
    """
    started = time.perf_counter()
    for record in (phase1, baselines):
        if (record.symbol, record.date) != (symbol, date):
            raise ValueError(f"a record for {record.symbol} {record.date}, not for {symbol} {date}")
    thresholds = baselines.thresholds
    measures = session_measures(ticks, date, thresholds.large_trade_size, pool=pool)
    state = vpin_state or VpinState()
    vpin = groups.day_vpin(measures, thresholds.daily_volume, state)
    history, history_reasons = compare_with_history(phase1, earlier)
    found = DayMetadataPhase2(
        symbol=symbol,
        date=date,
        computed_at=now_eastern(),
        computation_time_ms=0.0,
        toxicity_metrics=groups.toxicity_metrics(measures, phase1, thresholds, vpin),
        impact_features=groups.impact_features(measures),
        spread_horizons=groups.spread_horizons(measures),
        microstructure_patterns=groups.microstructure_patterns(measures, thresholds),
        institutional_flow=groups.institutional_flow(measures),
        market_regime=market_regime(measures, phase1, earlier, thresholds),
        tier2=groups.tier2(measures, phase1),
        history=history,
        vpin_state=_carried(vpin, state),
        null_reasons={},
    )
    reasons = null_reasons(found, phase1, history_reasons)
    milliseconds = (time.perf_counter() - started) * 1000
    return found.model_copy(update={"null_reasons": reasons, "computation_time_ms": milliseconds})


def _carried(vpin: Vpin | None, before: VpinState) -> VpinState:
    """What the next date goes on from: without a bucket size nothing was cut, and the state passes through."""
    if vpin is None:
        return before
    state = vpin.state
    return VpinState(buy_shares=state.buy_shares, sell_shares=state.sell_shares, imbalances=list(state.imbalances))

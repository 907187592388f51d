"""Why fields of phase 1 are null, and the search for the reason of a field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeVar

from fuzzy_pipeline.day_metadata.fields import null_fields
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1

Entry = TypeVar("Entry")

NO_STORED_TICK = "no stored tick"
NO_TICK = "no counted tick in the regular session"
NO_TICK_IN_HOUR = "no counted tick in this hour"
NO_PRICE = "no price-setting tick in the regular session"
FEWER_THAN_TWO_PRICES = "fewer than two price-setting ticks in the regular session"
NO_QUOTE = "no counted tick with a usable quote"
_NO_SALE = "no seller-initiated volume"
_NO_VOLUME = "no volume in the regular session"
_IDS_DO_NOT_COUNT = "the tick ids of a market centre do not rise in order of arrival: they do not count its ticks"

_WHY = {
    "basic_stats": NO_PRICE,
    "basic_stats.realised_volatility": FEWER_THAN_TWO_PRICES,
    "basic_stats.avg_tick_rate": "all ticks share one instant",
    "spread_stats": NO_QUOTE,
    "trade_classification.buy_sell_ratio": _NO_SALE,
    "trade_classification.volume_weighted_sign": _NO_VOLUME,
    "liquidity_profile": NO_TICK,
    "liquidity_profile.quote_intensity": NO_QUOTE,
    "liquidity_profile.effective_tick_size": "the price never changes",
    "liquidity_profile.time_between_trades_ms": "a single counted tick",
    "execution_quality": "no counted tick with 0 < bid < ask",
    "execution_quality.effective_spread_mean": NO_QUOTE,
    "execution_quality.effective_spread_median": NO_QUOTE,
    "intraday_evolution.spread": f"{NO_QUOTE} in this hour",
    "intraday_evolution.volume_pct": _NO_VOLUME,
    "intraday_evolution.volatility": "fewer than two minutes of this hour have a price",
    "intraday_evolution.buy_sell_ratio": f"{_NO_SALE} in this hour",
    "venue_analysis": _NO_VOLUME,
    "venue_analysis.venues": "no counted tick of this venue with a usable quote",
    "yardsticks": NO_TICK,
    "yardsticks.minute_impact_60s_bps": "minutes without a trade whose side, quote and quote 60 s later are known",
    "yardsticks.impact_share": (
        "no trades whose side, quote and quote 60 s later are known and whose effective spreads sum to more than 0"
    ),
    "yardsticks.minute_volatility": FEWER_THAN_TWO_PRICES,
    "yardsticks.median_burst_volume": "no five changes of price in one direction within five seconds",
    "data_quality": _IDS_DO_NOT_COUNT,
    "data_quality.out_of_order_count": "the total volume does not grow by the sizes: the order of arrival is not known",
    "data_quality.set_aside_count": "known to the ingest, not from stored ticks: see the table quarantine",
    "data_quality.anomaly_count": "known to the ingest, not from stored ticks: see the table tick_flags",
}
"""Field, or group or list for all its fields -> why it is null in a session that has ticks."""


def null_reasons(record: DayMetadataPhase1) -> dict[str, str]:
    """Field -> why it is null, for every field of the record that is."""
    return {field: _reason(record, field) for field in null_fields(record)}


def _reason(record: DayMetadataPhase1, field: str) -> str:
    group = field.partition(".")[0]
    if group == "data_quality" and field not in _WHY and record.data_quality.stored_ticks == 0:
        return NO_STORED_TICK
    if group != "data_quality" and record.basic_stats.total_ticks == 0:
        return NO_TICK
    hour = re.fullmatch(r"intraday_evolution\[(\d+)\]", group)
    if hour and record.intraday_evolution[int(hour[1])].trade_count == 0:
        return NO_TICK_IN_HOUR
    return reason_of_field(without_positions(field))


def without_positions(field: str) -> str:
    """The field without positions in lists: ``intraday_evolution.spread``."""
    return re.sub(r"\[\d+\]", "", field)


def reason_of_field(field: str) -> str:
    """The reason for a field without list positions in a session that has ticks.

    Raises
    ------
    KeyError
        There is none: a field that may be null was added without a reason.
    """
    return nearest_entry(field, _WHY)


def nearest_entry(field: str, entries: Mapping[str, Entry]) -> Entry:
    """The entry for a field without list positions, or for the nearest group or list around it.

    Raises
    ------
    KeyError
        There is none.
    """
    around = field
    while around not in entries:
        around, dot, _ = around.rpartition(".")
        if not dot:
            raise KeyError(f"no reason is written for a null {field}")
    return entries[around]

"""Phase 1 on days a reader can add up, and on days with nearly nothing."""

from __future__ import annotations

import datetime as dt
import math

import numpy as np
import pytest

from fuzzy_pipeline.day_metadata.phase1 import PHASE1_COLUMNS, day_metadata_phase1
from fuzzy_pipeline.schema.day_metadata import METADATA_VERSION, METADATA_VERSIONS, DayMetadataPhase1
from fuzzy_pipeline.schema.records import from_table, to_table
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS
from fuzzy_pipeline.stores.content_hash import arrow_content_hash
from tests.unit.day_metadata.day_records import enriched, record
from tests.unit.enrichment.raw_ticks import HALF_DAY, TUESDAY

NAN = math.nan


# -- basic statistics ------------------------------------------------------------


def test_basic_stats_of_four_trades() -> None:
    stats = record(
        [10.0, 10.4, 9.8, 10.2],
        size=[100, 200, 300, 400],
        time=["09:30:00", "10:30:00", "11:30:00", "13:30:00"],
        basis=["C", "C", "C", "C"],
    ).basic_stats
    assert (stats.price_open, stats.price_high, stats.price_low, stats.price_close) == (10.0, 10.4, 9.8, 10.2)
    assert (stats.total_ticks, stats.volume_total) == (4, 1000)
    assert stats.dollar_volume == pytest.approx(1000 + 2080 + 2940 + 4080)
    assert stats.vwap == pytest.approx(10.1)
    assert stats.price_range == pytest.approx(0.6)
    assert stats.price_change_pct == pytest.approx(0.02)
    assert stats.trading_hours == 4.0
    assert stats.avg_tick_rate == pytest.approx(4 / 14_400)
    assert str(stats.first_tick_time) == "2013-10-08 09:30:00-04:00"


def test_realised_volatility_joins_five_minute_returns_from_the_open_on() -> None:
    # Five-minute prices 100 (open), 110 (09:35), 110 (09:40, none in between), 100 (09:45): the 105 is skipped over.
    stats = record([100.0, 105.0, 110.0, 100.0], time=["09:30:10", "09:31:00", "09:34:59", "09:40:00"]).basic_stats
    assert stats.realised_volatility == pytest.approx(math.sqrt(2) * math.log(1.1))


def test_realised_volatility_leaves_out_prices_that_may_not_be_set() -> None:
    stats = record([100.0, 50.0, 100.0], time=["09:31:00", "09:32:00", "09:36:00"], basis=["C", "O", "C"]).basic_stats
    assert stats.realised_volatility == 0.0


def test_one_price_has_no_volatility() -> None:
    found = record([10.0, 10.2], basis=["C", "O"])
    assert found.basic_stats.realised_volatility is None
    assert found.null_reasons["basic_stats.realised_volatility"] == (
        "fewer than two price-setting ticks in the regular session"
    )


# -- hourly buckets --------------------------------------------------------------


def test_hourly_buckets_are_counted_from_the_open_and_the_last_is_short() -> None:
    found = record([10.0, 10.1, 10.0], size=[100, 100, 200], time=["09:31:00", "10:29:59", "15:45:00"])
    buckets = found.intraday_evolution
    assert [f"{bucket.start:%H:%M}-{bucket.end:%H:%M}" for bucket in buckets] == [
        "09:30-10:30", "10:30-11:30", "11:30-12:30", "12:30-13:30", "13:30-14:30", "14:30-15:30", "15:30-16:00",
    ]  # fmt: skip
    assert [bucket.volume_pct for bucket in buckets] == [0.5, 0, 0, 0, 0, 0, 0.5]
    assert buckets[0].volatility == pytest.approx(math.log(10.1 / 10.0))  # one 1-minute return
    assert buckets[1].volatility is None
    assert buckets[0].spread == pytest.approx(0.1)
    assert buckets[1].spread is None


def test_nulls_of_hourly_buckets_say_why() -> None:
    found = record([10.0, 10.1], time=["09:31:00", "11:31:00"], bid=[10.0, NAN], ask=[10.1, NAN])
    assert found.null_reasons["intraday_evolution[1].spread"] == "no counted tick in this hour"
    assert found.null_reasons["intraday_evolution[2].spread"] == "no counted tick with a usable quote in this hour"
    assert found.null_reasons["intraday_evolution[0].volatility"] == "fewer than two minutes of this hour have a price"
    assert found.null_reasons["intraday_evolution[2].buy_sell_ratio"] == "no seller-initiated volume in this hour"
    assert "intraday_evolution[0].spread" not in found.null_reasons


def test_a_half_day_has_four_buckets() -> None:
    assert len(record([10.0], date=HALF_DAY).intraday_evolution) == 4


def test_buy_sell_ratio_needs_a_sale() -> None:
    quote = {"bid": [10.0, 10.0], "ask": [10.1, 10.1], "time": ["09:31:00", "09:32:00"]}
    assert record([10.1, 10.0], size=[300, 100], **quote).intraday_evolution[0].buy_sell_ratio == 3.0
    assert record([10.1, 10.1], **quote).intraday_evolution[0].buy_sell_ratio is None


# -- days with nearly nothing ----------------------------------------------------


def test_a_day_without_regular_ticks_has_nulls_with_reasons() -> None:
    found = record([10.0], time=["08:00:00"])
    assert found.basic_stats.total_ticks == 0
    assert (found.trade_classification.buy_count, found.liquidity_profile.price_levels_count) == (0, 0)
    assert (found.liquidity_profile.trade_frequency, found.venue_analysis.venues) == (0, [])
    for field in (
        "basic_stats.price_open", "spread_stats.mean_bps", "trade_classification.volume_weighted_sign",
        "liquidity_profile.median_trade_size", "execution_quality.odd_lot_rate", "intraday_evolution[6].volume_pct",
        "venue_analysis.fragmentation",
    ):  # fmt: skip
        assert found.null_reasons[field] == "no counted tick in the regular session"
    assert found.data_quality.stored_ticks == 1


def test_a_day_without_any_tick_has_a_record_too() -> None:
    found = record([])
    assert found.data_quality.stored_ticks == 0
    assert found.data_quality.silent_minutes == 390
    assert found.data_quality.data_quality_level is None
    assert found.null_reasons["data_quality.completeness_score"] == "no stored tick"


def test_a_day_of_odd_lots_has_volume_and_says_why_it_has_no_price() -> None:
    found = record([10.0], basis=["O"], size=[5])
    assert found.basic_stats.volume_total == 5
    assert found.null_reasons["basic_stats.vwap"] == "no price-setting tick in the regular session"


def test_one_tick_is_described_and_says_what_one_tick_cannot_tell() -> None:
    found = record([10.0], time=["10:00:00"], size=[300])
    assert found.liquidity_profile.avg_trade_size == 300
    assert found.spread_stats.mean_bps == pytest.approx(0.1 / 10.05 * 10_000)
    assert found.execution_quality.at_bid_rate == 1.0
    in_its_hour = {
        "intraday_evolution[0].volatility": "fewer than two minutes of this hour have a price",
    }
    assert {field: why for field, why in found.null_reasons.items() if "no counted tick in this hour" not in why} == {
        "basic_stats.realised_volatility": "fewer than two price-setting ticks in the regular session",
        "basic_stats.avg_tick_rate": "all ticks share one instant",
        "liquidity_profile.effective_tick_size": "the price never changes",
        "liquidity_profile.time_between_trades_ms": "a single counted tick",
        "yardsticks.minute_impact_60s_bps": "minutes without a trade whose side, quote and quote 60 s later are known",
        "yardsticks.minute_volatility": "fewer than two price-setting ticks in the regular session",
        "yardsticks.median_burst_volume": "no five changes of price in one direction within five seconds",
        "data_quality.set_aside_count": "known to the ingest, not from stored ticks: see the table quarantine",
        "data_quality.anomaly_count": "known to the ingest, not from stored ticks: see the table tick_flags",
        **in_its_hour,
    }


def test_a_symbol_without_quotes_has_flow_and_venues_and_says_what_needs_a_quote() -> None:
    found = record([10.0, 10.1, 10.0], bid=[NAN] * 3, ask=[NAN] * 3)
    assert (found.trade_classification.buy_count, found.trade_classification.sell_count) == (1, 1)  # tick test
    assert found.liquidity_profile.liquidity_score is not None
    assert (found.spread_stats.quoted_ticks, found.spread_stats.median_bps) == (0, None)
    assert found.execution_quality.odd_lot_rate == 0.0
    assert found.data_quality.missing_quote_count == 3
    for field in (
        "spread_stats.p99_bps",
        "liquidity_profile.quote_intensity",
        "execution_quality.effective_spread_mean",
    ):
        assert found.null_reasons[field] == "no counted tick with a usable quote"
    assert found.null_reasons["execution_quality.at_bid_rate"] == "no counted tick with 0 < bid < ask"
    assert found.null_reasons["venue_analysis.venues[0].spread"] == (
        "no counted tick of this venue with a usable quote"
    )


def test_a_symbol_halted_half_the_day_has_empty_hours_and_a_halt() -> None:
    # One tick a minute from 09:30 to 12:29, then nothing until the reopening print of 15:00 and one tick a minute.
    minutes = [*range(9 * 60 + 30, 12 * 60 + 30), *range(15 * 60, 16 * 60)]
    codes = [(0x3F,) if minute == 15 * 60 else () for minute in minutes]
    found = record(
        [10.0 + 0.1 * (n % 2) for n in range(len(minutes))],
        time=[f"{minute // 60}:{minute % 60}:30" for minute in minutes],
        codes=codes,
    )
    assert [bucket.trade_count for bucket in found.intraday_evolution] == [60, 60, 60, 0, 0, 30, 30]
    assert found.data_quality.silent_minutes == found.data_quality.halted_minutes == 150
    assert [str(silence.end.time()) for silence in found.data_quality.silences] == ["15:00:00"]
    assert found.data_quality.completeness_score == 1.0


# -- the record ------------------------------------------------------------------


def test_only_the_columns_asked_for_are_needed() -> None:
    ticks = enriched([10.0, 10.1])
    needed = {name: ticks[name] for name in PHASE1_COLUMNS}
    assert set(PHASE1_COLUMNS) <= set(ENRICHED_TICKS.names)
    assert day_metadata_phase1(needed, "TEST", TUESDAY).basic_stats.total_ticks == 2


def test_a_record_survives_the_light_tier() -> None:
    before = record([10.0, 10.1], time=["09:31:00", "09:32:00"], bid=[10.2, 10.0], ask=[10.1, 10.1], tick_id=[3, 5])
    assert before.data_quality.crossed_markets
    assert from_table(to_table([before], DayMetadataPhase1), DayMetadataPhase1) == [before]


def test_when_and_how_fast_it_was_computed_is_no_content() -> None:
    first = record([10.0, 10.1])
    later = first.model_copy(
        update={"computed_at": first.computed_at + dt.timedelta(days=1), "computation_time_ms": 9.0}
    )
    other = first.model_copy(update={"symbol": "OTHER"})
    one, two, three = (arrow_content_hash(to_table([found], DayMetadataPhase1)) for found in (first, later, other))
    assert one == two != three


def test_the_version_is_the_last_of_those_described() -> None:
    assert record([10.0]).metadata_version == METADATA_VERSION == list(METADATA_VERSIONS)[-1] == 3
    assert sorted(METADATA_VERSIONS) == list(range(1, METADATA_VERSION + 1))


def test_memory_that_is_reused_changes_nothing() -> None:
    from fuzzy_pipeline.buffers import BufferPool

    pool = BufferPool()
    # A closing print among after-hours ticks: the session's columns are gathered into the pool.
    ticks = enriched(
        [10.0, 10.1, 10.2, 10.3],
        time=["15:59:00", "15:59:59", "16:00:01", "16:00:02"],
        codes=[(), (), (0x17,), (0x40,)],
    )
    shorter = enriched([9.0], time=["11:00:00"])
    first = day_metadata_phase1(ticks, "TEST", TUESDAY, pool=pool)
    day_metadata_phase1(shorter, "TEST", TUESDAY, pool=pool)
    again = day_metadata_phase1(ticks, "TEST", TUESDAY)
    stamps = {"computed_at": first.computed_at, "computation_time_ms": 0.0}
    assert first.model_copy(update=stamps) == again.model_copy(update=stamps)
    assert first.basic_stats.total_ticks == 3


def test_numbers_are_plain_python() -> None:
    assert not any(isinstance(value, np.generic) for value in _leaves(record([10.0, 10.1]).model_dump()))


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]

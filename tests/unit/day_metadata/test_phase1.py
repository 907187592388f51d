"""Phase 1 on a day a reader can add up."""

from __future__ import annotations

import datetime as dt
import math

import pytest

from fuzzy_pipeline.day_metadata.phase1 import day_metadata_phase1
from fuzzy_pipeline.enrichment import enrich_day
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from fuzzy_pipeline.schema.records import from_table, to_table
from tests.unit.enrichment.raw_ticks import HALF_DAY, TUESDAY, raw_ticks


def record(price: list[float], *, date: dt.date = TUESDAY, **given: object) -> DayMetadataPhase1:
    return day_metadata_phase1(enrich_day(raw_ticks(price, date=date, **given), "TEST", date), "TEST", date)


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


def test_hourly_buckets_are_counted_from_the_open_and_the_last_is_short() -> None:
    buckets = record(
        [10.0, 10.1, 10.0], size=[100, 100, 200], time=["09:31:00", "10:29:59", "15:45:00"]
    ).intraday_evolution
    assert [f"{bucket.start:%H:%M}-{bucket.end:%H:%M}" for bucket in buckets] == [
        "09:30-10:30", "10:30-11:30", "11:30-12:30", "12:30-13:30", "13:30-14:30", "14:30-15:30", "15:30-16:00",
    ]  # fmt: skip
    assert [bucket.volume_pct for bucket in buckets] == [0.5, 0, 0, 0, 0, 0, 0.5]
    assert buckets[0].volatility == pytest.approx(math.log(10.1 / 10.0))  # one 1-minute return
    assert buckets[1].volatility is None
    assert buckets[0].spread == pytest.approx(0.1)
    assert buckets[1].spread is None


def test_a_half_day_has_four_buckets() -> None:
    assert len(record([10.0], date=HALF_DAY).intraday_evolution) == 4


def test_buy_sell_ratio_needs_a_sale() -> None:
    quote = {"bid": [10.0, 10.0], "ask": [10.1, 10.1], "time": ["09:31:00", "09:32:00"]}
    assert record([10.1, 10.0], size=[300, 100], **quote).intraday_evolution[0].buy_sell_ratio == 3.0
    assert record([10.1, 10.1], **quote).intraday_evolution[0].buy_sell_ratio is None


def test_a_day_without_regular_ticks_has_nulls_with_reasons() -> None:
    found = record([10.0], time=["08:00:00"])
    assert found.basic_stats.total_ticks == 0
    assert found.basic_stats.price_open is None
    assert found.null_reasons["basic_stats.price_open"] == "no counted tick in the regular session"


def test_a_day_of_odd_lots_has_volume_and_says_why_it_has_no_price() -> None:
    found = record([10.0], basis=["O"], size=[5])
    assert found.basic_stats.volume_total == 5
    assert found.null_reasons["basic_stats.vwap"] == "no price-setting tick in the regular session"


def test_one_tick_has_no_rate_and_says_why() -> None:
    found = record([10.0])
    assert found.null_reasons == {"basic_stats.avg_tick_rate": "all ticks share one instant"}


def test_a_record_survives_the_light_tier() -> None:
    before = record([10.0, 10.1], time=["09:31:00", "09:32:00"])
    assert from_table(to_table([before], DayMetadataPhase1), DayMetadataPhase1) == [before]

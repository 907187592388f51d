"""The groups that describe a session's ticks, on a tape of six trades."""

from __future__ import annotations

import pytest

from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from tests.unit.day_metadata.day_records import record

# One before the open and one after the close belong to no group; the six between:
#   10.02 ×  100  at the ask   9.98 × 10.02  NASDAQ     buy
#    9.98 ×  300  at the bid   9.98 × 10.02  NYSE       sell
#   10.00 ×  100  midpoint     9.98 × 10.02  TRF        buy: up from 9.98
#   10.05 × 10000 above the ask 9.98 × 10.02 TRF        buy, a block
#   10.00 ×   50  locked       10.00 × 10.00 NASDAQ     sell: down from 10.05; odd lot
#   10.01 ×  100  crossed      10.02 × 10.00 NASDAQ     buy: up from 10.00
NASDAQ, NYSE, TRF = 5, 7, 19


@pytest.fixture(scope="module")
def day() -> DayMetadataPhase1:
    return record(
        [9.0, 10.02, 9.98, 10.00, 10.05, 10.00, 10.01, 11.0],
        size=[700, 100, 300, 100, 10_000, 50, 100, 700],
        time=["09:29:59", "09:30:00", "09:30:01", "09:30:02", "09:30:03", "09:30:04", "09:30:10", "16:00:00"],
        market_center=[NASDAQ, NASDAQ, NYSE, TRF, TRF, NASDAQ, NASDAQ, NASDAQ],
        bid=[8.9, 9.98, 9.98, 9.98, 9.98, 10.00, 10.02, 10.9],
        ask=[9.1, 10.02, 10.02, 10.02, 10.02, 10.00, 10.00, 11.1],
        codes=[(), (), (), (), (), (0x87,), (), ()],
        tick_id=[1, 2, 1, 1, 2, 3, 4, 5],
    )


def test_spread_stats_cover_usable_quotes_and_count_locked_and_crossed_ones(day: DayMetadataPhase1) -> None:
    # Four quotes of 0.04 on 10.00 are 40 bps each, one is locked.
    spread = day.spread_stats
    assert spread.quoted_ticks == 5
    assert (spread.mean_bps, spread.median_bps) == pytest.approx((32, 40))
    assert spread.std_bps == pytest.approx(16)  # √((4·8² + 32²) / 5)
    assert (spread.min_bps, spread.p25_bps, spread.p99_bps, spread.max_bps) == pytest.approx((0, 40, 40, 40))
    assert (spread.zero_spread_count, spread.inverted_count) == (1, 1)


def test_buys_sells_and_neutral_ticks_are_all_ticks(day: DayMetadataPhase1) -> None:
    flow = day.trade_classification
    assert (flow.buy_count, flow.sell_count, flow.neutral_count) == (4, 2, 0)
    assert (flow.buy_volume, flow.sell_volume, flow.neutral_volume) == (10_300, 350, 0)
    assert flow.buy_dollar_volume == pytest.approx(1_002 + 1_000 + 100_500 + 1_001)
    assert flow.sell_dollar_volume == pytest.approx(2_994 + 500)
    assert flow.buy_sell_ratio == pytest.approx(10_300 / 350)
    assert flow.volume_weighted_sign == pytest.approx(9_950 / 10_650)
    assert (flow.large_buy_count, flow.large_sell_count) == (1, 0)


def test_auction_prints_have_no_aggressor() -> None:
    flow = record([10.1, 10.0], codes=[(0x8A, 0x42), ()]).trade_classification
    assert (flow.buy_count, flow.sell_count, flow.neutral_count) == (0, 1, 1)
    assert flow.neutral_dollar_volume == pytest.approx(1_010)


def test_liquidity_profile_is_per_time_of_the_whole_session(day: DayMetadataPhase1) -> None:
    liquidity = day.liquidity_profile
    assert liquidity.trade_frequency == pytest.approx(6 / 390)
    assert liquidity.quote_intensity == pytest.approx(3 / 23_400)  # the first quote, the locked and the crossed one
    assert (liquidity.avg_trade_size, liquidity.median_trade_size) == (1_775, 100)
    assert liquidity.effective_tick_size == 0.01  # 10.00 to 10.01
    assert liquidity.price_levels_count == 5
    assert liquidity.time_between_trades_ms == 2_000  # ten seconds, five gaps
    # 0.3·2·6/390 + 0.4·(100 − 32) + 0.3·100
    assert liquidity.liquidity_score == pytest.approx(0.3 * 12 / 390 + 27.2 + 30)


def test_places_in_the_quote_add_up_to_one(day: DayMetadataPhase1) -> None:
    execution = day.execution_quality
    assert execution.open_quote_ticks == 4
    assert (execution.at_bid_rate, execution.at_ask_rate) == (0.25, 0.25)
    assert (execution.price_improvement_rate, execution.outside_quote_rate) == (0.25, 0.25)
    assert execution.at_midpoint_rate == 0.25
    # 0.04, 0.04, 0, 0.10 and 0 on the locked quote.
    assert (execution.effective_spread_mean, execution.effective_spread_median) == pytest.approx((0.036, 0.04))
    assert (execution.odd_lot_rate, execution.block_rate) == pytest.approx((1 / 6, 1 / 6))


def test_venues_by_falling_volume_with_their_own_sizes_and_spreads(day: DayMetadataPhase1) -> None:
    found = day.venue_analysis
    assert [venue.exchange for venue in found.venues] == ["FINRA_NASDAQ_TRF", "NYSE", "NASDAQ"]
    assert [venue.volume for venue in found.venues] == [10_100, 300, 250]
    assert [venue.avg_trade_size for venue in found.venues] == pytest.approx([5_050, 300, 250 / 3])
    assert found.venues[2].spread == pytest.approx(0.02)  # 0.04 and the locked quote; the crossed one has none
    assert found.venues[2].spread_bps == pytest.approx(20)
    assert found.off_exchange_share == pytest.approx(10_100 / 10_650)
    assert found.fragmentation == pytest.approx(1 - (10_100**2 + 300**2 + 250**2) / 10_650**2)


def test_market_centres_without_an_exchange_are_one_venue() -> None:
    found = record([10.0, 10.0], market_center=[9_999, 9_998]).venue_analysis
    assert [(venue.exchange, venue.trade_count) for venue in found.venues] == [("OTHER", 2)]

"""Phase 2 on days a reader can add up, and on days with nearly nothing."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.day_metadata.baselines import trailing_baselines
from fuzzy_pipeline.day_metadata.earlier_days import EarlierDays
from fuzzy_pipeline.day_metadata.phase2 import PHASE2_COLUMNS, day_metadata_phase2
from fuzzy_pipeline.schema.day_metadata_phase2 import (
    PHASE2_VERSION,
    PHASE2_VERSIONS,
    DayMetadataPhase2,
    SpreadHorizon,
)
from fuzzy_pipeline.schema.records import from_table, to_table
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS
from fuzzy_pipeline.stores.content_hash import arrow_content_hash
from tests.unit.day_metadata.day_records import enriched, record
from tests.unit.day_metadata.phase2_records import NAN, Ticks, at, every_minute, phase2, phase2_of, quotes
from tests.unit.enrichment.raw_ticks import HALF_DAY, TUESDAY

BPS = 1e4


def horizon(found: DayMetadataPhase2, seconds: float) -> SpreadHorizon:
    [one] = [one for one in found.spread_horizons if one.horizon_s == seconds]
    return one


# -- spreads by horizon ----------------------------------------------------------


def two_buys(**given: Any) -> DayMetadataPhase2:
    """Buys of 100 and 300 shares at 10.10 on 10.05; 10.07 a minute and 10.06 five minutes later; auctions quote it."""
    return phase2(
        [10.1, 10.1, 10.07, 10.06],
        time=[at(0), at(1), at(40), at(200)],
        size=[100, 300, 100, 100],
        codes=[(), (), (0x42,), (0x42,)],
        **quotes([10.05, 10.05, 10.07, 10.06]),
        **given,
    )


def test_the_effective_spread_is_split_at_every_horizon() -> None:
    found = two_buys()
    assert [one.horizon_s for one in found.spread_horizons] == [1, 10, 60, 300, 1800]
    minute = horizon(found, 60)
    assert minute.n == 2
    assert (minute.effective_spread_usd, minute.price_impact_usd, minute.realised_spread_usd) == pytest.approx(
        (0.1, 0.04, 0.06)
    )
    assert minute.price_impact_bps == pytest.approx(0.04 / 10.05 * BPS)
    # The quote of second 40 gives the midpoint of second 60 and of second 61.
    assert minute.mean_age_s == pytest.approx(20.5)
    assert horizon(found, 300).price_impact_usd == pytest.approx(0.02)
    assert horizon(found, 1).price_impact_usd == pytest.approx(0.0)


def test_share_weighted_means_weigh_the_larger_trade_more() -> None:
    # 100 shares pay 0.1 and 300 pay 0.06.
    found = phase2([10.1, 10.08], time=[at(0), at(1)], size=[100, 300], **quotes([10.05, 10.05]))
    minute = horizon(found, 60)
    assert minute.effective_spread_usd == pytest.approx(0.08)
    assert minute.effective_spread_usd_vw == pytest.approx((0.1 * 100 + 0.06 * 300) / 400)
    assert minute.effective_spread_bps_vw == pytest.approx((0.1 * 100 + 0.06 * 300) / 400 / 10.05 * BPS)


def test_no_later_midpoint_is_taken_from_after_the_close() -> None:
    found = phase2([10.1, 10.1], time=["15:50:00", "15:59:30"])
    assert [one.n for one in found.spread_horizons] == [2, 2, 1, 1, 0]
    assert found.null_reasons["spread_horizons[4].price_impact_usd"] == (
        "no trade with a side, a usable quote and this horizon before the close"
    )


PRICES = st.sampled_from([9.95, 10.0, 10.02, 10.05, 10.07, 10.1, 10.2])
TAPES = st.lists(
    st.tuples(st.integers(0, 400_000_000), PRICES, st.integers(1, 20_000), st.sampled_from([10.0, 10.02, NAN])),
    min_size=1,
    max_size=12,
)


def tape(drawn: list[tuple[int, float, int, float]]) -> Ticks:
    waits, price, size, bid = (list(column) for column in zip(*drawn, strict=True))
    return enriched(price, time=np.cumsum([at(0), *waits[1:]]).tolist(), size=size, bid=bid, ask=[10.1] * len(bid))


@settings(max_examples=60, deadline=None)
@given(TAPES)
def test_realised_spread_plus_price_impact_is_the_effective_spread(drawn: list[tuple[int, float, int, float]]) -> None:
    for one in phase2_of(tape(drawn)).spread_horizons:
        for mean in ("usd", "usd_vw", "bps", "bps_vw"):
            whole, realised, impact = (
                getattr(one, f"{part}_{mean}") for part in ("effective_spread", "realised_spread", "price_impact")
            )
            assert (whole is None) == (realised is None) == (impact is None) == (one.n == 0)
            if one.n:
                assert realised + impact == pytest.approx(whole, abs=1e-9)


# -- toxicity --------------------------------------------------------------------


def test_adverse_selection_is_the_impact_of_large_trades_a_minute_later() -> None:
    # A block bought; a minute later the midpoint is 0.02 up, after five minutes 0.04 down.
    found = phase2(
        [10.1, 10.03, 10.03],
        time=[at(0), at(50), at(140)],
        size=[10_000, 100, 100],
        **quotes([10.05, 10.07, 10.01]),
    )
    toxicity = found.toxicity_metrics
    assert (toxicity.large_trade_size, toxicity.large_trade_count) == (10_000, 1)
    assert toxicity.large_trade_yardstick == "fixed_thresholds"
    assert toxicity.adverse_selection_n == 1
    assert toxicity.adverse_selection_score == pytest.approx(2 * 0.02 / 10.05 * BPS)
    assert found.impact_features.large_trade_impact_bps == pytest.approx(2 * (10.01 - 10.05) / 10.05 * BPS)


def test_reversion_is_the_part_of_the_spread_that_comes_back() -> None:
    toxicity = two_buys().toxicity_metrics
    assert toxicity.reversion_rate_1min == pytest.approx(0.6)
    assert toxicity.reversion_rate_5min == pytest.approx(0.8)


def test_information_asymmetry_correlates_spread_changes_with_sizes() -> None:
    # After 100, 200 and 300 shares the spread widens by 0.01, 0.02 and 0.03.
    found = phase2(
        [10.05, 10.05, 10.05, 10.0],
        size=[100, 200, 300, 100],
        bid=[10.0] * 4,
        ask=[10.05, 10.06, 10.08, 10.11],
        codes=[()] * 4,
    )
    assert found.toxicity_metrics.information_asymmetry == pytest.approx(1.0)
    assert found.toxicity_metrics.information_asymmetry_n == 3


def test_absolute_returns_are_to_the_price_in_force_after_the_horizon() -> None:
    # 100 -> 101 within the minute; 101 -> 101; within five minutes 101 -> 100 for the second and 100 for the first.
    toxicity = phase2([100.0, 101.0, 100.0], time=[at(0), at(30), at(200)]).toxicity_metrics
    assert toxicity.abs_return_1min_bps == pytest.approx((0.01 + 0 + 0) / 3 * BPS)
    assert toxicity.abs_return_5min_bps == pytest.approx((0 + 1 / 101 + 0) / 3 * BPS)


def test_permanent_impact_is_that_of_blocks_half_an_hour_later() -> None:
    given_ = {
        "price": [10.1, 10.1, 10.1], "time": [at(0), at(1), at(1799)], "size": [10_000, 100, 100],
        **quotes([10.05, 10.05, 10.09]),
    }  # fmt: skip
    found = phase2(**given_)
    assert found.toxicity_metrics.permanent_impact_estimate == pytest.approx(2 * 0.04 / 10.05 * BPS)
    assert found.toxicity_metrics.permanent_impact_n == 1
    late = phase2(**(given_ | {"time": ["15:31:00", "15:31:01", "15:59:00"]}))
    assert late.toxicity_metrics.permanent_impact_estimate is None
    assert late.null_reasons["toxicity_metrics.permanent_impact_estimate"] == (
        "no block trade with a side, a usable quote and 30 min before the close"
    )


# -- impact ----------------------------------------------------------------------


def test_kyle_lambda_is_the_slope_of_midpoint_changes_on_signed_volume() -> None:
    # Buys of 1,000, 2,000 and 4,000 shares in successive intervals of five minutes move the midpoint by 2e-6 USD a
    # share: the quote of a trade is the one before it, so a trade moves the midpoint of the next interval.
    middles = [10.0, 10.002, 10.006, 10.014]
    found = phase2(
        [round(middle + 0.05, 6) for middle in middles],
        time=[at(299), at(599), at(899), at(1199)],
        size=[1000, 2000, 4000, 1000],
        **quotes(middles),
    ).impact_features
    assert found.kyle_lambda_estimate == pytest.approx(2.0)
    assert found.kyle_lambda_n == 3
    assert found.kyle_lambda_r_squared == pytest.approx(1.0)
    # Σ √dollars in place of shares is another number, with a worse fit.
    assert found.kyle_lambda_sqrt_dollar_n == 3
    assert found.kyle_lambda_sqrt_dollar_r_squared is not None
    assert found.kyle_lambda_sqrt_dollar_r_squared < 0.995


def test_impact_decays_until_half_of_its_peak_is_given_back() -> None:
    # A block at 100 lifts the midpoint by 10 bps after a second and leaves 4 bps after three.
    found = phase2(
        [100.05, 100.1, 100.04],
        time=[at(0), at(1), at(3)],
        size=[10_000, 100, 100],
        **quotes([100.0, 100.1, 100.04]),
    ).impact_features
    assert found.temporary_impact_halflife == 3.0
    assert found.temporary_impact_peak_bps == pytest.approx(10.0)
    assert (found.temporary_impact_peak_s, found.temporary_impact_n) == (1.0, 1)


def test_resilience_is_the_share_of_widenings_that_close_in_ten_seconds() -> None:
    # The median spread is 0.1. One widening closes after four seconds, the other after eleven.
    wide, usual = 0.5, 0.1
    spreads = [usual, usual, usual, wide, usual, usual, wide, wide, usual, usual]
    found = phase2(
        [10.0] * 10,
        time=[at(n) for n in (0, 1, 2, 3, 7, 20, 30, 35, 41, 50)],
        bid=[10.0] * 10,
        ask=[10.0 + spread for spread in spreads],
    ).impact_features
    assert (found.resilience_score, found.spread_widenings, found.spread_widenings_unobserved) == (50.0, 2, 0)


def test_average_impact_is_that_of_all_trades_after_five_minutes() -> None:
    impact = two_buys().impact_features
    assert impact.avg_impact_bps == pytest.approx(0.02 / 10.05 * BPS)
    assert impact.avg_impact_n == 2


# -- patterns --------------------------------------------------------------------


def test_falls_and_spikes_that_come_back_are_counted_apart() -> None:
    # 1 % down and back within a minute, 1 % up and back half an hour later, 1 % down for good.
    found = phase2(
        [100.0, 99.0, 100.0, 100.0, 101.0, 100.0, 100.0, 99.0],
        time=[at(0), at(10), at(60), at(1790), at(1800), at(1830), at(3590), at(3600)],
    ).microstructure_patterns
    assert (found.mini_flash_crashes, found.mini_flash_spikes) == (1, 1)


def test_prices_on_multiples_of_five_cents_are_clustered() -> None:
    found = phase2([10.05, 10.1, 10.11, 10.12]).microstructure_patterns
    assert found.tick_clustering == pytest.approx(0.5 - 0.2)


def test_a_price_that_alternates_from_minute_to_minute_has_negative_autocorrelation() -> None:
    # 390 minutes at 10 and 11 in turn: the first minute has no change, the 389 others ±ln 1.1.
    found = phase2([10.0 + n % 2 for n in range(390)], time=every_minute()).microstructure_patterns
    returns = [0.0] + [math.log(1.1) * (-1) ** n for n in range(389)]
    mean = sum(returns) / 390
    deviations = [one - mean for one in returns]
    expected = sum(a * b for a, b in zip(deviations[1:], deviations, strict=False)) / sum(one**2 for one in deviations)
    assert found.autocorrelation_1min == pytest.approx(expected)
    assert expected < -0.99
    # Five-minute closes lie an odd number of minutes apart: they alternate too.
    assert found.autocorrelation_5min is not None
    assert found.autocorrelation_5min < -0.9
    assert (found.hurst_n, found.noise_n) == (23_370, 389)
    assert found.hurst_exponent is not None
    assert found.microstructure_noise == pytest.approx(math.log(1.1) / math.sqrt(2) * BPS, rel=0.01)


def test_quote_stuffing_is_never_guessed() -> None:
    found = two_buys()
    assert found.microstructure_patterns.quote_stuffing_score is None
    assert found.null_reasons["microstructure_patterns.quote_stuffing_score"] == (
        "needs a quote stream: quotes are known at trades only"
    )


# -- institutions and trades alone -----------------------------------------------


def test_blocks_sweeps_and_odd_lots_are_shares_of_the_volume() -> None:
    # Two sweep prints on two centres within a millisecond, a block sold, an odd lot.
    found = phase2(
        [10.1, 10.1, 10.0, 10.05],
        time=[at(0), at(0.0005), at(1), at(2)],
        size=[100, 200, 10_000, 50],
        market_center=[5, 11, 5, 5],
        codes=[(0x3D,), (0x3D,), (), (0x87,)],
        basis=["C", "C", "C", "O"],
    ).institutional_flow
    volume = 10_350
    assert (found.block_trade_count, found.sweep_order_count) == (1, 1)
    assert found.block_volume_pct == pytest.approx(10_000 / volume)
    assert found.sweep_volume_pct == pytest.approx(300 / volume)
    assert found.institutional_participation == pytest.approx(10_300 / volume)
    assert found.odd_lot_ratio == 0.25
    assert found.average_trade_value == pytest.approx((1010 + 2020 + 100_000 + 502.5) / 4)
    # The odd lot at the midpoint is a buy by the tick test (10.00 before).
    assert found.accumulation_distribution == pytest.approx((300 - 10_000 + 50) / volume)


def test_large_trades_before_moves_their_way_are_smart() -> None:
    # Blocks bought before a rise and sold before a fall of the same size.
    found = phase2(
        [10.1, 10.15, 10.1, 10.15, 10.1],
        time=[at(600 * n) for n in range(5)],
        size=[10_000] * 4 + [100],
        bid=[10.0, 10.15, 10.0, 10.15, 10.0],
        ask=[10.1, 10.25, 10.1, 10.25, 10.1],
    )
    assert found.institutional_flow.smart_money_n == 4
    assert found.institutional_flow.smart_money_indicator is None  # no midpoint within five minutes of any
    soon = phase2(
        [10.1, 10.15, 10.15, 10.1, 10.1, 10.15, 10.15],
        time=[at(second) for second in (0, 100, 600, 700, 1200, 1300, 20_000)],
        size=[10_000, 100, 10_000, 100, 10_000, 100, 100],
        bid=[10.0, 10.15, 10.15, 10.0, 10.0, 10.15, 10.15],
        ask=[10.1, 10.25, 10.25, 10.1, 10.1, 10.25, 10.25],
    )
    assert soon.institutional_flow.smart_money_n == 3
    assert soon.institutional_flow.smart_money_indicator == pytest.approx(1.0, abs=0.001)


def test_measures_from_trades_alone_need_no_quote() -> None:
    # Changes 1, −1, 1, −1, …: covariance of 323 pairs of them is −1 but for what their means take off.
    price = [10.0 + n % 2 for n in range(325)]
    found = phase2(price, bid=[NAN] * 325, ask=[NAN] * 325).tier2
    assert found.roll_spread == pytest.approx(2.0, rel=0.01)
    # Sides by the tick test alternate: two words of five, half of the time each.
    assert (found.trade_entropy, found.trade_entropy_n) == (pytest.approx(0.2, abs=1e-4), 320)


def test_amihud_is_the_return_per_million_dollars() -> None:
    # 1 % on 1,000,000 + 1,010,000 USD.
    found = phase2([100.0, 101.0], size=[10_000, 10_000]).tier2
    assert found.amihud == pytest.approx(0.01 / 2.01)


# -- days with nearly nothing, and odd days --------------------------------------


def test_a_day_without_quotes_has_flow_and_patterns_and_says_what_needs_a_quote() -> None:
    found = phase2([10.0, 10.1, 10.0], bid=[NAN] * 3, ask=[NAN] * 3, size=[10_000] * 3)
    assert found.institutional_flow.block_trade_count == 3
    assert found.market_regime.trend_state == "flat"
    assert [one.n for one in found.spread_horizons] == [0] * 5
    assert found.toxicity_metrics.judged_minutes == 0
    for field in (
        "toxicity_metrics.adverse_selection_score", "toxicity_metrics.toxic_minutes",
        "impact_features.kyle_lambda_estimate", "impact_features.resilience_score",
        "spread_horizons[0].price_impact_usd", "institutional_flow.smart_money_indicator",
        "market_regime.microstructure_regime",
    ):  # fmt: skip
        assert found.null_reasons[field] == "no counted tick with a usable quote", field


@pytest.mark.parametrize("ticks", [{"price": []}, {"price": [10.0], "time": ["08:00:00"]}])
def test_a_day_without_regular_ticks_has_a_record_of_nulls(ticks: dict[str, Any]) -> None:
    found = phase2(**ticks)
    for field in (
        "toxicity_metrics.vpin", "toxicity_metrics.abs_return_1min_bps", "impact_features.avg_impact_bps",
        "spread_horizons[2].mean_age_s", "microstructure_patterns.hurst_exponent",
        "microstructure_patterns.momentum_ignition_events", "institutional_flow.odd_lot_ratio",
        "market_regime.volatility_regime", "market_regime.stress_indicator", "tier2.amihud",
    ):  # fmt: skip
        assert found.null_reasons[field] == "no counted tick in the regular session", field
    assert found.institutional_flow.block_trade_count == 0


def test_one_tick_is_described_and_says_what_one_tick_cannot_tell() -> None:
    found = phase2([10.1])
    assert horizon(found, 60).n == 1
    assert found.null_reasons["market_regime.volatility_regime"] == (
        "fewer than two price-setting ticks in the regular session"
    )
    assert found.market_regime.trend_state == "flat"
    assert found.null_reasons["tier2.roll_spread"].startswith("fewer than four prices")


def test_a_day_halted_for_hours_is_described_by_what_traded() -> None:
    # Every half minute from 09:30 to 11:00 and from 14:30 on, up and down by a cent.
    half_minutes = [*range(180), *range(600, 780)]
    price = [10.0 + 0.01 * (n % 2) for n in range(len(half_minutes))]
    found = phase2(price, time=[at(30 * n) for n in half_minutes])
    assert found.toxicity_metrics.judged_minutes == 180  # in the last one the tick of 15:59:00
    # Each of 359 has a quote a minute later, but the two before the halt and the one at 15:59:00: 30, 60 and 30 s old.
    assert horizon(found, 60).mean_age_s == pytest.approx((30 + 60 + 30) / 359)
    assert found.market_regime.regime_change_detected is False  # silent minutes have no variance to judge
    assert found.market_regime.regime_duration_minutes == 390


def test_a_price_halved_at_noon_is_an_extreme_day_and_no_crash() -> None:
    minutes = range(390)
    price = [(100.0 if n < 150 else 50.0) + 0.01 * (n % 2) for n in minutes]
    found = phase2(price, time=every_minute(), **quotes(price))
    assert (found.market_regime.volatility_regime, found.market_regime.trend_state) == ("extreme", "strong_down")
    assert (found.microstructure_patterns.mini_flash_crashes, found.microstructure_patterns.mini_flash_spikes) == (0, 0)
    assert found.microstructure_patterns.autocorrelation_1min is not None
    assert abs(found.microstructure_patterns.autocorrelation_1min) < 0.01


def test_half_an_hour_before_the_close_of_a_half_day_is_at_half_past_twelve() -> None:
    found = phase2([10.1, 10.1], time=["12:30:00", "12:30:01"], date=HALF_DAY)
    assert horizon(found, 1800).n == 1
    assert found.market_regime.regime_duration_minutes is None


# -- the record ------------------------------------------------------------------


def test_only_the_columns_asked_for_are_needed() -> None:
    assert set(PHASE2_COLUMNS) <= set(ENRICHED_TICKS.names)
    ticks = enriched([10.0, 10.1])
    earlier = EarlierDays.from_table(None, TUESDAY, ())
    found = day_metadata_phase2(
        {name: ticks[name] for name in PHASE2_COLUMNS}, "TEST", TUESDAY,
        phase1=record([10.0, 10.1]), baselines=trailing_baselines(earlier, "TEST", TUESDAY), earlier=earlier,
        vpin_state=None,
    )  # fmt: skip
    assert found.tier2.amihud is not None


def test_records_of_another_symbol_are_refused() -> None:
    earlier = EarlierDays.from_table(None, TUESDAY, ())
    baselines = trailing_baselines(earlier, "TEST", TUESDAY)
    phase1 = record([10.0])
    for symbol, date in (("OTHER", TUESDAY), ("TEST", TUESDAY + dt.timedelta(days=1))):
        with pytest.raises(ValueError, match=f"a record for TEST 2013-10-08, not for {symbol} {date}"):
            day_metadata_phase2(
                enriched([10.0]), symbol, date, phase1=phase1, baselines=baselines, earlier=earlier, vpin_state=None
            )


def test_a_record_survives_the_light_tier_and_its_stamps_are_no_content() -> None:
    before = two_buys()
    table = to_table([before], DayMetadataPhase2)
    assert from_table(table, DayMetadataPhase2) == [before]
    later = before.model_copy(
        update={"computed_at": before.computed_at + dt.timedelta(days=1), "computation_time_ms": 9.0}
    )
    assert arrow_content_hash(to_table([later], DayMetadataPhase2)) == arrow_content_hash(table)
    assert before.metadata_version == PHASE2_VERSION == list(PHASE2_VERSIONS)[-1]


def test_memory_that_is_reused_changes_nothing() -> None:
    pool = BufferPool()
    # A closing print among after-hours ticks: the session's columns are gathered into the pool.
    ticks = enriched(
        [10.0, 10.1, 10.2, 10.3],
        time=["15:28:00", "15:59:59", "16:00:01", "16:00:02"],
        codes=[(), (), (0x17,), (0x40,)],
    )
    first = phase2_of(ticks, pool=pool)
    phase2_of(enriched([9.0] * 9, time=[at(n) for n in range(9)]), pool=pool)
    again = phase2_of(ticks)
    stamps = {"computed_at": first.computed_at, "computation_time_ms": 0.0}
    assert first.model_copy(update=stamps) == again.model_copy(update=stamps)


def test_numbers_are_plain_python() -> None:
    assert not any(isinstance(value, np.generic) for value in _leaves(two_buys().model_dump()))


def _leaves(value: object) -> list[object]:
    if isinstance(value, dict):
        return [leaf for item in value.values() for leaf in _leaves(item)]
    if isinstance(value, list):
        return [leaf for item in value for leaf in _leaves(item)]
    return [value]

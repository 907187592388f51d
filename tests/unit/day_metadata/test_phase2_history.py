"""Phase 2 against earlier dates: fixed thresholds first, then what the symbol itself did before."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import VpinState
from tests.oracles import vpin as plain_vpin
from tests.unit.day_metadata.day_records import record
from tests.unit.day_metadata.phase2_records import at, changed, earlier_days, every_minute, phase2, quotes

QUIET: dict[str, Any] = {"price": [10.1, 10.1], "time": [at(0), at(1)], "size": [100, 300]}
"""Two buys on 10.05 that move nothing."""


def quiet_days(count: int, **fields: list[Any]) -> list[DayMetadataPhase1]:
    """Earlier records with a field's values from list, oldest first (named ``group__field``)."""
    days = earlier_days(count, **QUIET)
    for name, values in fields.items():
        days = [changed(day, **{name: value}) for day, value in zip(days, values, strict=True)]
    return days


# -- thresholds ------------------------------------------------------------------


def test_from_five_dates_on_a_trade_is_large_by_the_symbols_own_sizes() -> None:
    sizes = [400.0, 100.0, 300.0, 500.0, 200.0]
    few = phase2(**QUIET, earlier=quiet_days(4, yardsticks__p95_trade_size=sizes[:4])).toxicity_metrics
    assert (few.large_trade_size, few.large_trade_yardstick, few.large_trade_count) == (10_000, "fixed_thresholds", 0)
    assert few.yardstick_dates == 4
    enough = phase2(**QUIET, earlier=quiet_days(5, yardsticks__p95_trade_size=sizes)).toxicity_metrics
    assert (enough.large_trade_size, enough.large_trade_yardstick) == (300, "trailing_dates")
    assert (enough.large_trade_count, enough.adverse_selection_n) == (1, 1)


def test_the_days_own_sizes_have_no_part_in_what_is_large() -> None:
    huge = QUIET | {"size": [100_000, 300_000]}
    before = quiet_days(5, yardsticks__p95_trade_size=[300.0] * 5)
    assert phase2(**huge, earlier=before).toxicity_metrics.large_trade_size == 300


def test_toxic_minutes_exceed_the_95th_percentile_of_earlier_minutes() -> None:
    # Earlier minutes of 0 to 100 bps: the threshold is 95. Impacts of the day: 2·0.05/10.05 in its first minute
    # (99.5 bps), 0 in its second.
    impacts: list[float | None] = [float(n) for n in range(101)] + [None] * 289
    day = {"price": [10.1, 10.15], "time": [at(0), at(60)], **quotes([10.05, 10.1])}
    found = phase2(**day, earlier=quiet_days(5, yardsticks__minute_impact_60s_bps=[impacts] * 5))
    assert found.toxicity_metrics.toxic_threshold_bps == pytest.approx(95.0)
    assert (found.toxicity_metrics.toxic_minutes, found.toxicity_metrics.judged_minutes) == (1, 2)
    few = phase2(**day, earlier=quiet_days(4, yardsticks__minute_impact_60s_bps=[impacts] * 4))
    assert few.toxicity_metrics.toxic_minutes is None
    assert few.null_reasons["toxicity_metrics.toxic_minutes"] == (
        "fewer than five earlier dates with known price impacts"
    )


BURST: dict[str, Any] = {
    "price": [10.0, 10.01, 10.02, 10.03, 10.04, 10.05, 10.02],
    "time": [at(n) for n in (0, 1, 2, 3, 4, 5, 15)],
    "size": [100, 200, 200, 200, 200, 200, 100],
}
"""Half a per cent up in five seconds on 1,000 shares, three fifths of it back."""


def test_a_burst_that_is_large_and_heavy_by_earlier_dates_is_an_ignition() -> None:
    # Three usual minutes are 0.3 %, three usual bursts 900 shares.
    usual = {"yardsticks__minute_volatility": [0.001] * 5, "yardsticks__median_burst_volume": [300.0] * 5}
    found = phase2(**BURST, earlier=quiet_days(5, **usual)).microstructure_patterns
    assert (found.burst_count, found.momentum_ignition_events) == (1, 1)
    assert (found.usual_minute_volatility, found.usual_burst_volume) == (pytest.approx(0.001), 300)
    heavier = usual | {"yardsticks__median_burst_volume": [400.0] * 5}
    assert phase2(**BURST, earlier=quiet_days(5, **heavier)).microstructure_patterns.momentum_ignition_events == 0
    wilder = usual | {"yardsticks__minute_volatility": [0.002] * 5}
    assert phase2(**BURST, earlier=quiet_days(5, **wilder)).microstructure_patterns.momentum_ignition_events == 0


def test_bursts_cannot_be_judged_before_five_dates_but_none_are_none() -> None:
    found = phase2(**BURST, earlier=quiet_days(4))
    assert found.microstructure_patterns.momentum_ignition_events is None
    assert found.null_reasons["microstructure_patterns.momentum_ignition_events"] == (
        "fewer than five earlier dates with known 1-minute volatility and burst volume, though there are bursts"
    )
    assert phase2(**QUIET).microstructure_patterns.momentum_ignition_events == 0


# -- VPIN over dates -------------------------------------------------------------


def test_the_first_date_has_no_bucket_size_and_passes_the_state_on() -> None:
    found = phase2(**QUIET)
    assert found.toxicity_metrics.vpin is None
    assert found.null_reasons["toxicity_metrics.vpin"] == "no earlier date with a known volume"
    assert found.vpin_state == VpinState()
    given = VpinState(buy_shares=3.0, sell_shares=4.0, imbalances=[0.5])
    assert phase2(**QUIET, vpin_state=given).vpin_state == given


def test_vpin_goes_on_from_the_date_before_as_if_there_were_no_night() -> None:
    # Buckets of 400 / 50 = 8 shares, the volume of the quiet day. Buys at the ask, sells at the bid.
    before = quiet_days(1)
    first = {"price": [10.1, 10.0, 10.1], "size": [101, 57, 30], "time": [at(0), at(1), at(2)]}
    second = {"price": [10.0, 10.1, 10.0], "size": [44, 150, 83], "time": [at(0), at(1), at(2)]}
    one = phase2(**first, earlier=before)
    two = phase2(**second, earlier=before, vpin_state=one.vpin_state)
    sizes, signs = [*first["size"], *second["size"]], [1, -1, 1, -1, 1, -1]
    imbalances, bought, sold = plain_vpin.bucket_imbalances(sizes, signs, 8)
    assert one.toxicity_metrics.vpin_bucket_shares == 8
    assert one.toxicity_metrics.vpin is None
    assert (
        one.null_reasons["toxicity_metrics.vpin"] == "fewer than 50 buckets have closed on this date and those before"
    )
    assert one.toxicity_metrics.vpin_buckets_closed + two.toxicity_metrics.vpin_buckets_closed == len(imbalances) == 58
    assert two.toxicity_metrics.vpin == pytest.approx(plain_vpin.vpin(imbalances, 50)[-1])
    assert (two.vpin_state.buy_shares, two.vpin_state.sell_shares) == pytest.approx((bought, sold), abs=1e-9)
    assert two.vpin_state.imbalances == pytest.approx([float(one) for one in imbalances[-50:]], abs=1e-12)


# -- regimes ---------------------------------------------------------------------


def test_fixed_thresholds_name_the_states_until_twenty_dates_are_known() -> None:
    # A day of 21 in score: above 40 would be normal.
    score = record(**QUIET).liquidity_profile.liquidity_score
    assert score is not None
    assert score < 40
    low, high = score - 10, score + 10
    few = phase2(**QUIET, earlier=quiet_days(19, liquidity_profile__liquidity_score=[low] * 19)).market_regime
    assert (few.liquidity_state, few.liquidity_yardstick) == ("thin", "fixed_thresholds")
    assert (few.liquidity_percentile, few.liquidity_dates) == (100, 19)
    lower = phase2(**QUIET, earlier=quiet_days(20, liquidity_profile__liquidity_score=[low] * 20)).market_regime
    assert (lower.liquidity_state, lower.liquidity_yardstick, lower.liquidity_dates) == ("deep", "trailing_dates", 20)
    higher = phase2(**QUIET, earlier=quiet_days(20, liquidity_profile__liquidity_score=[high] * 20)).market_regime
    assert (higher.liquidity_state, higher.liquidity_percentile) == ("thin", 0)


def test_the_trading_regime_compares_the_share_of_impact() -> None:
    # Buys that pay 0.10 and 0.02; the midpoint goes from 10.05 to 10.09 for good: 0.08 of 0.12.
    day = {"price": [10.1, 10.1], "time": [at(0), at(1)], "size": [100, 100], **quotes([10.05, 10.09])}
    fixed = phase2(**day).market_regime
    assert (fixed.microstructure_regime, fixed.microstructure_yardstick) == ("normal", "fixed_thresholds")
    shares = [2.0] * 17 + [0.5] * 3
    trailing = phase2(**day, earlier=quiet_days(20, yardsticks__impact_share=shares)).market_regime
    assert (trailing.microstructure_percentile, trailing.microstructure_regime) == (15, "benign")
    assert trailing.microstructure_yardstick == "trailing_dates"


def test_stress_is_the_mean_percentile_of_what_is_known_on_five_dates() -> None:
    # Volatility of 0: below all; |return| of 0: equal to those of all five; spread: above four of five; no impact:
    # above one of five.
    spread = record(**QUIET).spread_stats.mean_bps
    assert spread is not None
    before = quiet_days(
        5,
        basic_stats__realised_volatility=[0.01] * 5,
        spread_stats__mean_bps=[spread - 1] * 4 + [spread + 1],
        yardsticks__impact_share=[-0.5] + [0.5] * 4,
        basic_stats__price_change_pct=[0.0] * 5,
    )
    found = phase2(**QUIET, earlier=before)
    parts = {part.measure: part.percentile for part in found.market_regime.stress_parts}
    assert parts == {
        "basic_stats.realised_volatility": 0, "basic_stats.price_change_pct": 50, "spread_stats.mean_bps": 80,
        "yardsticks.impact_share": 20,
    }  # fmt: skip
    assert found.market_regime.stress_indicator == pytest.approx((0 + 50 + 80 + 20) / 4)
    assert {part.dates for part in found.market_regime.stress_parts} == {5}
    few = phase2(**QUIET, earlier=before[:4])
    assert few.market_regime.stress_indicator is None
    assert few.null_reasons["market_regime.stress_indicator"] == (
        "no measure is known on the date and on five earlier dates or more"
    )


def test_a_fall_is_as_much_stress_as_a_rise() -> None:
    fell = {"price": [10.0, 9.0], "time": [at(0), at(1)]}
    before = quiet_days(5, basic_stats__price_change_pct=[0.05, -0.05, 0.05, -0.2, 0.02])
    parts = {part.measure: part.percentile for part in phase2(**fell, earlier=before).market_regime.stress_parts}
    assert parts["basic_stats.price_change_pct"] == 80


def swinging(cents: list[float]) -> dict[str, Any]:
    """A price that leaves 10.00 by so many cents at second 10 of each minute and is back at second 20."""
    times, price = [], []
    for minute, move in enumerate(cents):
        times += [at(60 * minute), at(60 * minute + 10), at(60 * minute + 20)]
        price += [10.0, 10.0 + move / 100, 10.0]
    return {"price": price, "time": times}


def test_volatility_that_changes_within_the_day_is_a_change_of_regime() -> None:
    # One and two cents in turn until 13:30, ten and twenty from then on.
    calm, wild = [1.0, 2.0] * 120, [10.0, 20.0] * 75
    found = phase2(**swinging(calm + wild)).market_regime
    assert (found.regime_change_detected, found.regime_change_minutes) == (True, [240])
    assert found.regime_duration_minutes == 150
    assert found.regime_change_yardstick == "none"


def test_a_course_that_is_usual_at_that_time_of_day_is_no_change() -> None:
    # Ten times as wild from 13:30 on, which is where the fifth hour begins, on this day and on those before.
    moves = np.random.default_rng(1).uniform(1.0, 3.0, 390) * np.repeat([1.0, 10.0], [240, 150])
    day = swinging(moves.tolist())
    assert phase2(**day).market_regime.regime_change_minutes == [240]
    usual = [
        earlier.model_copy(
            update={
                "intraday_evolution": [
                    bucket.model_copy(update={"volatility": sigma * math.sqrt(returns)})
                    for bucket, sigma, returns in zip(
                        earlier.intraday_evolution, [0.001] * 4 + [0.01] * 3, [59] * 6 + [29], strict=True
                    )
                ]
            }
        )
        for earlier in quiet_days(5)
    ]
    found = phase2(**day, earlier=usual).market_regime
    assert found.regime_change_yardstick == "trailing_dates"
    assert (found.regime_change_detected, found.regime_duration_minutes) == (False, 390)


@pytest.mark.parametrize(
    ("close", "trend"),
    [(10.0, "flat"), (10.04, "flat"), (10.05, "up"), (10.2, "strong_up"), (9.95, "down"), (9.8, "strong_down")],
)
def test_trend_is_named_by_the_return_from_open_to_close(close: float, trend: str) -> None:
    assert phase2([10.0, close]).market_regime.trend_state == trend


@pytest.mark.parametrize(("move", "name"), [(0.001, "low"), (0.01, "normal"), (0.02, "high"), (0.04, "extreme")])
def test_volatility_is_named_by_five_minute_returns(move: float, name: str) -> None:
    # One return of that size.
    found = phase2([100.0, 100.0 * math.exp(move)], time=[at(0), at(400)])
    assert found.market_regime.volatility_regime == name


# -- comparison with history -----------------------------------------------------


def test_the_date_is_compared_with_those_before_it() -> None:
    found = phase2(**QUIET, earlier=quiet_days(20, basic_stats__volume_total=[100] * 19 + [200])).history
    assert found.known_dates == 20
    assert found.volume_total.value == 400
    assert found.volume_total.day_before.ratio == 2
    assert found.volume_total.is_record_high is True


def test_nulls_of_the_comparison_have_their_reasons_in_the_record() -> None:
    found = phase2(**QUIET)
    assert found.history.volume_total.day_before.ratio is None
    assert found.null_reasons["history.volume_total.day_before.ratio"] == "not known on the trading date before"


def test_twenty_identical_dates_leave_a_day_like_them_usual() -> None:
    minutes = {"price": [10.0 + 0.01 * (n % 2) for n in range(390)], "time": every_minute()}
    found = phase2(**minutes, earlier=earlier_days(20, **minutes))
    assert found.market_regime.stress_indicator == 50
    assert (found.market_regime.liquidity_state, found.market_regime.microstructure_regime) == ("normal", "normal")
    assert found.toxicity_metrics.toxic_minutes == 0
    assert found.toxicity_metrics.large_trade_size == 100

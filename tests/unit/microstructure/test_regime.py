"""Named states and the stress indicator, threshold by threshold."""

from __future__ import annotations

import math

import numpy as np
import pytest

from fuzzy_pipeline.microstructure.regime import (
    LiquidityState,
    MicrostructureRegime,
    TrendState,
    VolatilityRegime,
    Yardstick,
    liquidity_state,
    microstructure_regime,
    percentile_rank,
    stress_indicator,
    trend_state,
    volatility_regime,
)

NAN = math.nan
TWENTY = np.arange(1.0, 21.0)


@pytest.mark.parametrize(
    ("volatility", "name"),
    [(0.0, "low"), (0.0049, "low"), (0.005, "normal"), (0.0149, "normal"), (0.015, "high"), (0.03, "extreme")],
)
def test_volatility_is_named_by_its_thresholds(volatility: float, name: str) -> None:
    assert volatility_regime(volatility) == VolatilityRegime(name)


@pytest.mark.parametrize(
    ("close", "name"),
    [(98.0, "strong_down"), (98.01, "down"), (99.5, "down"), (99.51, "flat"), (100.0, "flat"), (100.49, "flat"),
     (100.5, "up"), (101.99, "up"), (102.0, "strong_up"), (150.0, "strong_up")],
)  # fmt: skip
def test_a_trend_threshold_that_is_met_counts(close: float, name: str) -> None:
    assert trend_state(100.0, close) == TrendState(name)


def test_unknown_measures_have_no_name() -> None:
    assert volatility_regime(NAN) is None
    assert trend_state(NAN, 1.0) is None
    assert trend_state(1.0, NAN) is None
    assert liquidity_state(NAN, TWENTY).name is None
    assert microstructure_regime(NAN, np.zeros(0)).name is None


def test_equal_values_count_half_in_a_percentile() -> None:
    assert percentile_rank(2.0, np.array([1.0, 2.0, 2.0, 3.0, NAN])) == 50.0
    assert percentile_rank(0.0, TWENTY) == 0.0
    assert percentile_rank(99.0, TWENTY) == 100.0
    assert math.isnan(percentile_rank(NAN, TWENTY))
    assert math.isnan(percentile_rank(1.0, np.array([NAN])))


@pytest.mark.parametrize(
    ("score", "name", "percentile"),
    [(4.2, "thin", 20.0), (4.0, "thin", 17.5), (10.5, "normal", 50.0), (16.5, "normal", 80.0), (17.0, "deep", 82.5)],
)
def test_liquidity_is_compared_with_twenty_earlier_dates(score: float, name: str, percentile: float) -> None:
    state = liquidity_state(score, TWENTY)
    assert (state.percentile, state.n_dates, state.yardstick) == (percentile, 20, Yardstick.TRAILING_DATES)
    # 20.0 is not below the 20th percentile.
    assert state.name == LiquidityState("normal" if percentile == 20.0 else name)


@pytest.mark.parametrize(("score", "name"), [(39.9, "thin"), (40.0, "normal"), (70.0, "normal"), (70.1, "deep")])
@pytest.mark.parametrize("earlier", [np.zeros(0), np.append(TWENTY[:19], NAN)])
def test_with_fewer_dates_fixed_thresholds_decide_and_it_says_so(score: float, name: str, earlier: np.ndarray) -> None:
    state = liquidity_state(score, earlier)
    assert state.name == LiquidityState(name)
    assert state.yardstick == Yardstick.FIXED_THRESHOLDS
    assert state.n_dates == np.count_nonzero(~np.isnan(earlier))
    assert math.isnan(state.percentile) == (len(earlier) == 0)


@pytest.mark.parametrize(("share", "name"), [(0.49, "benign"), (0.5, "normal"), (1.0, "normal"), (1.01, "toxic")])
def test_a_spread_that_is_more_than_all_impact_is_toxic(share: float, name: str) -> None:
    assert microstructure_regime(share, np.zeros(0)).name == MicrostructureRegime(name)


def test_what_is_toxic_for_one_symbol_is_normal_for_another() -> None:
    assert microstructure_regime(1.2, np.linspace(1.0, 1.4, 21)).name == MicrostructureRegime.NORMAL
    assert microstructure_regime(1.2, np.linspace(0.0, 0.4, 21)).name == MicrostructureRegime.TOXIC
    assert microstructure_regime(1.2, np.linspace(1.0, 1.4, 5), minimum_dates=5).yardstick == Yardstick.TRAILING_DATES


def test_stress_is_the_mean_percentile_of_the_measures_that_are_known() -> None:
    # Above 10 of 20, above all, unknown, known on too few dates: (50 + 100) / 2.
    measures = {
        "volatility": (10.5, TWENTY),
        "spread": (21.0, TWENTY),
        "lambda": (NAN, TWENTY),
        "vpin": (0.9, TWENTY[:5]),
    }
    found = stress_indicator(measures)
    assert found.value == 75.0
    assert found.parts == {"volatility": 50.0, "spread": 100.0}


def test_without_a_known_measure_there_is_no_stress() -> None:
    assert math.isnan(stress_indicator({}).value)
    found = stress_indicator({"volatility": (1.0, TWENTY[:19])})
    assert math.isnan(found.value)
    assert found.parts == {}


def test_a_day_below_all_earlier_ones_has_no_stress_and_one_above_all_has_the_most() -> None:
    assert stress_indicator({"a": (0.0, TWENTY), "b": (-1.0, TWENTY)}).value == 0.0
    assert stress_indicator({"a": (21.0, TWENTY), "b": (1e9, TWENTY)}).value == 100.0

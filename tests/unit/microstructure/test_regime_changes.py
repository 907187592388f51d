"""Changes of volatility: days with known changes, days without, and the plain twin."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from fuzzy_pipeline.microstructure.regime_changes import CRITICAL_VALUE, SHORTEST_REGIME, regime_changes
from tests.oracles import regime_changes as oracle


def variances(seed: int, minutes: int = 390, spread: float = 0.3) -> NDArray[np.float64]:
    """Independent one-minute variances around 1."""
    return np.exp(np.random.default_rng(seed).normal(0, spread, minutes))


def test_a_change_is_dated_and_the_time_since_counts_to_the_end() -> None:
    minutes = variances(0)
    minutes[250:] *= 4
    found = regime_changes(minutes)
    assert found.detected is True
    assert len(found.minutes) == 1
    assert abs(found.minutes[0] - 250) <= 3
    assert found.duration_minutes == 390 - found.minutes[0]


def test_two_changes_are_both_found() -> None:
    minutes = variances(1)
    minutes[100:260] *= 3
    found = regime_changes(minutes)
    assert len(found.minutes) == 2
    assert np.abs(np.array(found.minutes) - [100, 260]).max() <= 5


def test_days_without_a_change_show_one_about_as_often_as_the_test_says() -> None:
    # 5 % in long series: of 400 days 20 ± 4.4; the test is somewhat liberal with 390 minutes.
    found = [regime_changes(variances(seed)) for seed in range(400)]
    false_alarms = sum(bool(day.detected) for day in found)
    assert 8 <= false_alarms <= 40
    quiet = next(day for day in found if not day.detected)
    assert (quiet.minutes, quiet.duration_minutes, quiet.n) == ((), 390, 390)


def test_the_usual_shape_of_the_day_is_no_change_once_it_is_known() -> None:
    minute = np.arange(390)
    usual = 1 + 4 * ((minute - 195) / 195) ** 2
    day = variances(2) * usual
    assert regime_changes(day).detected is True
    assert regime_changes(day, usual).detected is False
    day[300:] *= 4
    assert regime_changes(day, usual).detected is True


def test_minutes_without_a_known_variance_are_passed_over_but_keep_their_place() -> None:
    full = variances(3)
    full[200:] *= 9
    gappy = full.copy()
    gappy[:50] = 0.0
    gappy[50:60] = math.nan
    found = regime_changes(gappy)
    assert found.n == 330
    assert len(found.minutes) == 1
    assert abs(found.minutes[0] - 200) <= 3


@pytest.mark.parametrize("n", [0, 1, 2 * SHORTEST_REGIME - 1])
def test_too_few_minutes_are_not_judged(n: int) -> None:
    found = regime_changes(np.concatenate([np.ones(n), np.zeros(100)]))
    assert (found.detected, found.duration_minutes, found.minutes, found.n) == (None, None, (), n)


@pytest.mark.parametrize("level", [0.1, 1e-9, 7.0])
def test_a_level_that_never_moves_has_no_change(level: float) -> None:
    assert regime_changes(np.full(390, level)).detected is False


def test_a_perfect_step_is_a_change() -> None:
    assert regime_changes(np.repeat([1.0, 5.0], 100)).minutes == (100,)


def test_a_burst_shorter_than_the_shortest_regime_has_no_level_of_its_own() -> None:
    minutes = variances(4)
    minutes[200:210] *= 50
    found = regime_changes(minutes)
    assert all(b - a >= SHORTEST_REGIME for a, b in zip((0, *found.minutes), (*found.minutes, 390), strict=True))


@pytest.mark.parametrize("seed", range(20))
def test_changes_equal_those_of_the_plain_twin(seed: int) -> None:
    minutes = variances(seed, 240)
    minutes[60:150] *= 1 + seed / 6
    expected = oracle.level_changes(np.log(minutes).tolist(), SHORTEST_REGIME, CRITICAL_VALUE)
    assert list(regime_changes(minutes).minutes) == expected


def test_another_number_of_usual_minutes_is_refused() -> None:
    with pytest.raises(ValueError, match="390 minutes but 389 usual ones"):
        regime_changes(np.ones(390), np.ones(389))

"""Run bars on flows a reader can add up, against the plain twin, and sane on long and on real tapes."""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import ValidationError

from benchmarks.measure import tick_day
from fuzzy_pipeline.bar_settings import BarSettings, RunBarSettings, Unit
from fuzzy_pipeline.bars.cutting import BarEnds, SeriesState, session_ends
from fuzzy_pipeline.bars.run_bars import RUN_BARS, RunBarCutter, run_bar_ends
from fuzzy_pipeline.bars.session_ticks import SessionTicks, session_ticks
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.enrichment.day import enrich_day
from fuzzy_pipeline.schema.codes import CloseReason
from tests.oracles import run_bars as plain
from tests.unit.bars.session_tapes import assert_identical, fed, in_pieces

DEFAULTS = RunBarSettings()
HUNDRED = RunBarSettings(first_expected_ticks=100)
QUICK = RunBarSettings(first_expected_ticks=100, span=3, warm_up_bars=2)
"""Averages weigh the last bar or block one half."""

BLOCK = [1, 1, 1, -1] * 50
"""200 ticks, 150 bought and 50 sold: long-run variance (150 − 50)² / 200 = 50 per tick."""

REAL_DAYS = {
    symbol: [dt.date(2013, 10, day) for day in (7, 8, 9)] for symbol in ("AIG", "BAC", "IBM", "SPY")
} | {"NEPT": [dt.date(2021, 3, 1), dt.date(2021, 3, 2)]}  # fmt: skip
UNITS: tuple[Unit, ...] = ("tick", "volume", "dollar")


def flow(sign: Sequence[int] | NDArray[Any], size: Any = 100, price: Any = 10.0) -> SessionTicks:
    """A session of ticks with these sides."""
    rows = len(sign)
    columns: dict[str, NDArray[Any]] = {
        "trade_sign": np.array(sign, dtype=np.int8),
        "size": np.broadcast_to(np.asarray(size, dtype=np.uint32), rows).copy(),
        "price": np.broadcast_to(np.asarray(price, dtype=np.float64), rows).copy(),
    }
    return SessionTicks("regular", 0, 1, np.array([[0, rows]]), columns, BufferPool())


def reasons(bars: BarEnds) -> list[CloseReason]:
    return [CloseReason(code) for code in bars.closing["close_reason"]]


def in_a_row(
    days: Sequence[SessionTicks], unit: Unit, rules: RunBarSettings
) -> tuple[list[BarEnds], list[SeriesState]]:
    """Bars and state of each date, each from the state of the one before."""
    bars: list[BarEnds] = []
    states: list[SeriesState] = []
    for ticks in days:
        cutter = RunBarCutter(unit, rules, states[-1] if states else None)
        bars.append(session_ends(cutter, ticks))
        states.append(cutter.state())
    return bars, states


# -- the rule ------------------------------------------------------------------------------------------


def test_a_cold_start_closes_its_first_bar_with_the_first_block() -> None:
    bars = run_bar_ends(flow([*BLOCK, 1]), "tick", HUNDRED)
    assert bars.ends.tolist() == [200, 201]
    assert (bars.closing["theta"][0], reasons(bars)[0]) == (150, CloseReason.CAP)
    assert all(math.isnan(bars.closing[name][0]) for name in ("threshold", "expected_theta", "overflow", "efficiency"))


def test_sides_are_not_offset_and_need_not_be_consecutive() -> None:
    # In 100 ticks ½·(100 + √(2/π·100·50)) = 78.2 without drift, against the 75 of the averages.
    threshold = (100 + math.sqrt(2 / math.pi * 5_000)) / 2
    bars = run_bar_ends(flow([*BLOCK, *[1, -1] * 79]), "tick", HUNDRED)
    assert bars.ends.tolist() == [200, 200 + 2 * 78 + 1, 358]
    assert bars.closing["threshold"][1] == pytest.approx(threshold, rel=1e-12)
    assert bars.closing["expected_theta"][1] == pytest.approx(75, rel=1e-12)
    assert bars.closing["overflow"][1] == pytest.approx(79 - threshold, rel=1e-9)
    assert (bars.closing["theta"][1], bars.closing["trigger_direction"][1]) == (79, 1)


def test_a_run_of_sells_is_negative() -> None:
    bars = run_bar_ends(flow([*BLOCK, *[-1] * 79]), "tick", HUNDRED)
    assert (bars.closing["theta"][1], bars.closing["trigger_direction"][1]) == (-79, -1)
    assert bars.closing["overflow"][1] > 0


def test_a_drift_that_outweighs_the_spread_sets_the_threshold() -> None:
    # Only buys: 100 in 100 ticks. Long-run variance 200² / 200 = 200 a tick, √(2/π·100·200) = 112.8 is more than 100;
    # with 200 expected ticks √(2/π·200·200) = 159.6 is less than 200.
    rules = RunBarSettings(first_expected_ticks=200)
    bars = run_bar_ends(flow([1] * 400), "tick", rules)
    assert bars.closing["threshold"][1] == pytest.approx(200, rel=1e-12)
    assert (bars.ends.tolist(), bars.closing["overflow"][1]) == ([200, 400], pytest.approx(0, abs=1e-9))


def test_ticks_of_unknown_side_count_as_ticks() -> None:
    # Half the ticks have a side: 100 bought of 200; long-run variance 100² / 200 = 50.
    threshold = (50 + math.sqrt(2 / math.pi * 5_000)) / 2
    bars = run_bar_ends(flow([1, 0] * 200), "tick", HUNDRED)
    assert bars.closing["threshold"][1] == pytest.approx(threshold, rel=1e-12)
    assert bars.ends[1] - bars.ends[0] == 2 * math.ceil(threshold) - 1


def test_units_are_ticks_shares_or_dollars() -> None:
    ticks = flow([*BLOCK, *[1] * 79], size=30, price=5.0)
    thresholds = [run_bar_ends(ticks, unit, HUNDRED).closing["threshold"][1] for unit in UNITS]
    assert thresholds[1:] == [pytest.approx(30 * thresholds[0]), pytest.approx(150 * thresholds[0])]


def test_after_warm_up_the_lengths_of_past_bars_are_expected() -> None:
    # 79 buys make the second bar; its length is the only one that counts. Bought: 200/4·0.75 + 79/2 = 77 of
    # 200/4 + 79/2 = 89.5 ticks, sold 12.5; net square (79 buys fill no block) still 50 a tick.
    bars = run_bar_ends(flow([*BLOCK, *[1] * 179]), "tick", QUICK)
    gross, net = 79.0, 79 * (77 - 12.5) / 89.5
    assert bars.closing["expected_theta"][2] == pytest.approx((gross + net) / 2, rel=1e-12)
    assert bars.closing["is_warm_up"].tolist()[:3] == [True, True, False]


def test_the_cap_closes_a_bar_of_ticks_without_a_side() -> None:
    bars = run_bar_ends(flow([*BLOCK, *[0] * 510]), "tick", HUNDRED)
    assert bars.ends.tolist() == [200, 700, 710]
    assert reasons(bars) == [CloseReason.CAP, CloseReason.CAP, CloseReason.SESSION_END]
    assert bars.closing["trigger_direction"].tolist() == [0, 0, 0]


def test_without_any_known_side_there_is_no_threshold() -> None:
    bars = run_bar_ends(flow([0] * 1_300), "volume", HUNDRED)
    assert bars.ends.tolist() == [200, 700, 1_200, 1_300]
    assert np.isnan(bars.closing["threshold"]).all()


def test_ticks_left_over_at_the_end_teach_nothing_but_their_block_goes_on() -> None:
    _, (first, second) = in_a_row([flow(BLOCK), flow([-1] * 40)], "tick", DEFAULTS)
    assert (second["bars_closed"], second["length_weight"], second["flow_gross"]) == (1, 0, first["flow_gross"])
    assert (second["pending_ticks"], second["pending_net"]) == (40, -40)


def test_a_state_survives_json_and_gives_the_same_second_date() -> None:
    days = [synthetic(6_000, 0.6, seed) for seed in (1, 2)]
    for unit in UNITS:
        (_, expected), (state, _) = in_a_row(days, unit, HUNDRED)
        assert_identical(run_bar_ends(days[1], unit, HUNDRED, json.loads(json.dumps(state))), expected)
        assert run_bar_ends(days[1], unit, HUNDRED).ends.tolist() != expected.ends.tolist()


def test_a_session_without_ticks_has_no_bars() -> None:
    assert [len(run_bar_ends(flow([]), unit)) for unit in UNITS] == [0, 0, 0]


def test_the_family_has_a_cutter_for_each_unit_of_the_settings() -> None:
    own = BarSettings(run=RunBarSettings(series=("volume", "tick")))
    assert list(RUN_BARS.series(own)) == ["volume", "tick"]
    assert (RUN_BARS.name, RUN_BARS.carries_state) == ("run", True)


@pytest.mark.parametrize("first", [40, 2_001])
def test_first_expected_ticks_lie_within_the_bounds(first: int) -> None:
    with pytest.raises(ValidationError):
        RunBarSettings(first_expected_ticks=first)


# -- the plain twin ------------------------------------------------------------------------------------


def rows_of(ticks: SessionTicks) -> list[plain.Tick]:
    names = ("trade_sign", "size", "price")
    rows = zip(*(ticks.column(name).tolist() for name in names), strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]


def expected_bars(days: Sequence[SessionTicks], unit: Unit, rules: RunBarSettings) -> list[list[plain.Bar]]:
    limits = plain.Limits(
        rules.span, rules.warm_up_bars, rules.min_expected_ticks, rules.max_expected_ticks, rules.band, rules.cap
    )
    return plain.run_bars([rows_of(ticks) for ticks in days], unit, rules.first_expected_ticks, limits)


def assert_same(bars: BarEnds, expected: Sequence[plain.Bar]) -> None:
    assert bars.ends.tolist() == [bar["end"] for bar in expected]
    for name, column in bars.closing.items():
        wanted = [bar[name] for bar in expected]
        if column.dtype.kind == "f":
            np.testing.assert_allclose(column, wanted, rtol=1e-9, atol=1e-6, err_msg=name)
        else:
            assert column.tolist() == wanted, name


@st.composite
def flows(draw: st.DrawFn) -> SessionTicks:
    """Stretches of one side, of unknown side or alternating, with block prints among them."""
    stretch = st.tuples(
        st.sampled_from([[1], [-1], [0], [1, -1], [1, 1, -1]]),
        st.integers(1, 120),
        st.sampled_from([1, 100, 250]),
        st.sampled_from([1, 1, 1, 300]),
    )
    sign: list[int] = []
    size: list[int] = []
    for pattern, repeats, shares, factor in draw(st.lists(stretch, min_size=1, max_size=12)):
        sign += pattern * repeats
        size += [shares] * (len(pattern) * repeats - 1) + [shares * factor]
    cents = 1_000 + np.cumsum(np.random.default_rng(len(sign)).integers(-2, 3, len(sign)))
    return flow(sign, size=size, price=np.round(cents / 100, 2))


RULES = st.builds(
    RunBarSettings,
    span=st.sampled_from([2, 5, 100]),
    warm_up_bars=st.sampled_from([1, 2, 20]),
    min_expected_ticks=st.sampled_from([2, 10, 50]),
    max_expected_ticks=st.sampled_from([80, 2_000]),
    first_expected_ticks=st.sampled_from([50, 80]),
    band=st.sampled_from([1.0, 4.0]),
    cap=st.sampled_from([1.5, 5.0]),
)


@settings(max_examples=60, deadline=None)
@given(days=st.lists(flows(), min_size=1, max_size=3), unit=st.sampled_from(UNITS), rules=RULES)
def test_bars_of_dates_in_a_row_are_those_of_the_plain_twin(
    days: list[SessionTicks], unit: Unit, rules: RunBarSettings
) -> None:
    found, _ = in_a_row(days, unit, rules)
    for bars, expected in zip(found, expected_bars(days, unit, rules), strict=True):
        assert_same(bars, expected)


@settings(max_examples=60, deadline=None)
@given(
    ticks=flows(), unit=st.sampled_from(UNITS), rules=RULES, cuts=st.lists(st.integers(0, 2_000), max_size=8)
)  # fmt: skip
def test_a_session_fed_in_pieces_gives_the_same_bits(
    ticks: SessionTicks, unit: Unit, rules: RunBarSettings, cuts: list[int]
) -> None:
    whole, in_parts = RunBarCutter(unit, rules), RunBarCutter(unit, rules)
    expected = session_ends(whole, ticks)
    assert_identical(fed(in_parts, in_pieces(ticks, cuts)), expected)
    assert in_parts.state() == whole.state()
    assert (int(expected.ends[-1]), bool(np.all(np.diff(expected.ends, prepend=0) > 0))) == (len(ticks), True)


def synthetic(ticks: int, autocorrelation: float, seed: int, bought: float = 0.5) -> SessionTicks:
    """Sides that repeat the one before with a probability, else are drawn; log-normal sizes; prices near 50."""
    random = np.random.default_rng(seed)
    drawn = random.random(ticks) >= autocorrelation
    drawn[0] = True
    source = np.maximum.accumulate(np.where(drawn, np.arange(ticks), 0))
    sign = np.where(random.random(ticks) < bought, 1, -1)[source]
    size = np.maximum(np.round(np.exp(random.normal(5.0, 1.0, ticks))), 1)
    return flow(sign, size=size, price=np.round(50 * np.exp(np.cumsum(random.normal(0, 1e-5, ticks))), 2))


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("autocorrelation", [0.0, 0.9])
def test_thousands_of_synthetic_ticks_give_the_bars_of_the_plain_twin(unit: Unit, autocorrelation: float) -> None:
    days = [synthetic(4_000, autocorrelation, seed) for seed in (1, 2)]
    found, _ = in_a_row(days, unit, QUICK)
    for bars, expected in zip(found, expected_bars(days, unit, QUICK), strict=True):
        assert len(bars) > 20
        assert_same(bars, expected)


@cache
def real_session(symbol: str, date: dt.date) -> SessionTicks:
    day = tick_day(symbol, date, 0)
    return session_ticks(enrich_day(day.raw, symbol, date), date)


@pytest.mark.real_data
@pytest.mark.parametrize("unit", UNITS)
def test_real_ticks_give_the_bars_of_the_plain_twin(shared_data: Path, unit: Unit) -> None:
    days = [real_session("BAC", dt.date(2013, 10, day)) for day in (7, 8)]
    found, _ = in_a_row(days, unit, DEFAULTS)
    for bars, expected in zip(found, expected_bars(days, unit, DEFAULTS), strict=True):
        assert len(bars) > 100
        assert_same(bars, expected)


# -- neither explosion nor collapse ----------------------------------------------------------------------


@pytest.mark.parametrize(("autocorrelation", "bought"), [(0.0, 0.5), (0.6, 0.5), (0.9, 0.5), (0.0, 0.65), (0.6, 0.35)])
@pytest.mark.parametrize("unit", UNITS)
def test_lengths_stay_near_the_first_expectation(unit: Unit, autocorrelation: float, bought: float) -> None:
    """Without the spread in the threshold every bar is expected shorter than the last, down to the least ticks."""
    days = [synthetic(60_000, autocorrelation, seed, bought) for seed in range(5)]
    found, _ = in_a_row(days, unit, HUNDRED)
    lengths = np.concatenate([np.diff(bars.ends, prepend=0)[:-1] for bars in found])
    assert len(lengths) > 1_000
    for tail in (lengths[20:500], lengths[-500:]):
        assert 70 < np.median(tail) < 300
        assert np.percentile(tail, 5) > 35
    assert lengths.max() <= 500
    assert np.mean(np.concatenate([bars.closing["close_reason"] for bars in found]) == CloseReason.CAP) < 0.01


@pytest.mark.real_data
@pytest.mark.parametrize("symbol", REAL_DAYS)
@pytest.mark.parametrize("unit", UNITS)
def test_bars_of_real_days_neither_collapse_nor_swallow_the_day(shared_data: Path, symbol: str, unit: Unit) -> None:
    days = [real_session(symbol, date) for date in REAL_DAYS[symbol]]
    found, _ = in_a_row(days, unit, DEFAULTS)
    for ticks, bars in zip(days, found, strict=True):
        lengths = np.diff(bars.ends, prepend=0)
        print_of_its_own = lengths[bars.closing["close_reason"] == CloseReason.THRESHOLD] <= 2
        assert print_of_its_own.sum() <= 1  # a block print of BAC
        assert 250 < np.median(lengths) < 1_000
        assert lengths.max() < 0.25 * len(ticks)
        assert np.mean(bars.closing["close_reason"] == CloseReason.CAP) < 0.06
    assert sum(bars.closing["is_warm_up"].sum() for bars in found) <= 20 + len(days)

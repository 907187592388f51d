"""Imbalance bars on flows a reader can add up, against the plain twin, and sane on long and on real tapes."""

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
from fuzzy_pipeline.bar_settings import BarSettings, ImbalanceBarSettings, ImbalanceSeries, imbalance_series
from fuzzy_pipeline.bars.cutting import BarEnds, SeriesState, session_ends
from fuzzy_pipeline.bars.imbalance_bars import IMBALANCE_BARS, imbalance_bar_ends, imbalance_cutter
from fuzzy_pipeline.bars.session_ticks import SessionTicks, session_ticks
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.enrichment.day import enrich_day
from fuzzy_pipeline.schema.codes import CloseReason
from tests.oracles import imbalance_bars as plain
from tests.unit.bars.session_tapes import assert_identical, fed, in_pieces

DEFAULTS = ImbalanceBarSettings()
QUICK = ImbalanceBarSettings(span=3, warm_up_bars=2)
"""Averages weigh the last bar or block one half."""

REAL_DAYS = {
    symbol: [dt.date(2013, 10, day) for day in (7, 8, 9)] for symbol in ("AIG", "BAC", "IBM", "SPY")
} | {"NEPT": [dt.date(2021, 3, 1), dt.date(2021, 3, 2)]}  # fmt: skip


def flow(sign: Sequence[int] | NDArray[Any], size: Any = 100, price: Any = 10.0) -> SessionTicks:
    """A session of ticks with these sides."""
    rows = len(sign)
    columns: dict[str, NDArray[Any]] = {
        "trade_sign": np.array(sign, dtype=np.int8),
        "size": np.broadcast_to(np.asarray(size, dtype=np.uint32), rows).copy(),
        "price": np.broadcast_to(np.asarray(price, dtype=np.float64), rows).copy(),
    }
    return SessionTicks("regular", 0, 1, np.array([[0, rows]]), columns, BufferPool())


def bars_of(ticks: SessionTicks, series: str, rules: ImbalanceBarSettings = DEFAULTS, **state: Any) -> BarEnds:
    return imbalance_bar_ends(ticks, imbalance_series(series), rules, **state)


def reasons(bars: BarEnds) -> list[CloseReason]:
    return [CloseReason(code) for code in bars.closing["close_reason"]]


def in_a_row(
    days: Sequence[SessionTicks], series: ImbalanceSeries, rules: ImbalanceBarSettings
) -> tuple[list[BarEnds], list[SeriesState]]:
    """Bars and state of each date, each from the state of the one before."""
    bars: list[BarEnds] = []
    states: list[SeriesState] = []
    for ticks in days:
        cutter = imbalance_cutter(series, rules, states[-1] if states else None)
        bars.append(session_ends(cutter, ticks))
        states.append(cutter.state())
    return bars, states


# -- fixed ---------------------------------------------------------------------------------------------


def test_the_tick_that_reaches_the_constant_closes_the_bar_and_nothing_carries_over() -> None:
    bars = bars_of(flow([1, -1, 1, -1, 1], size=[300, 100, 300, 700, 100]), "fixed_volume_450")
    # 300 − 100 + 300 = 500; −700; 100 is left.
    assert bars.ends.tolist() == [3, 4, 5]
    assert bars.closing["theta"].tolist() == [500, -700, 100]
    assert bars.closing["overflow"][:2].tolist() == [50, 250]
    assert bars.closing["efficiency"][:2].tolist() == [450 / 500, 450 / 700]
    assert bars.closing["trigger_direction"].tolist() == [1, -1, 0]
    assert bars.closing["is_complete"].tolist() == [True, True, False]
    assert reasons(bars)[2] == CloseReason.SESSION_END


def test_a_tick_of_unknown_side_belongs_to_the_bar_and_adds_nothing() -> None:
    assert bars_of(flow([0, 1, 0, 1, 0]), "fixed_tick_2").ends.tolist() == [4, 5]


def test_units_are_ticks_shares_or_dollars() -> None:
    ticks = flow([1] * 6, size=10, price=5.0)
    assert bars_of(ticks, "fixed_tick_2").ends.tolist() == [2, 4, 6]
    assert bars_of(ticks, "fixed_volume_30").ends.tolist() == [3, 6]
    assert bars_of(ticks, "fixed_dollar_100").ends.tolist() == [2, 4, 6]


def test_rounding_of_dollars_does_not_delay_a_bar() -> None:
    # In binary 0.06 + 0.57 + 0.37 = 0.9999999999999999.
    bars = bars_of(flow([1, 1, 1], size=1, price=[0.06, 0.57, 0.37]), "fixed_dollar_1")
    assert (bars.ends.tolist(), bars.closing["overflow"].tolist()) == ([3], [0.0])


# -- ratio ---------------------------------------------------------------------------------------------


def test_the_ratio_is_that_of_signed_units_and_waits_for_the_least_ticks() -> None:
    rules = ImbalanceBarSettings(ratio_min_ticks=3)
    # 100 / 100 on the first tick, but three are needed: 300 / 500 = 60 %; then 100 / 100, 200 / 200, 200 / 200.
    bars = bars_of(flow([1, 1, -1, 1, 1, 0], size=[100, 300, 100, 100, 100, 9_000]), "ratio_volume_50", rules)
    assert bars.ends.tolist() == [3, 6]
    assert bars.closing["theta"].tolist() == [300, 200]
    assert bars.closing["threshold"].tolist() == [0.5, 0.5]
    assert bars.closing["overflow"].tolist() == [pytest.approx(0.1), pytest.approx(0.5)]
    assert bars.closing["efficiency"].tolist() == [pytest.approx(0.5 / 0.6), pytest.approx(0.5)]


def test_a_balanced_flow_closes_ratio_bars_at_their_most_ticks() -> None:
    rules = ImbalanceBarSettings(ratio_min_ticks=2, ratio_max_ticks=6)
    bars = bars_of(flow([1, -1] * 7), "ratio_tick_90", rules)
    assert bars.ends.tolist() == [6, 12, 14]
    assert reasons(bars) == [CloseReason.CAP, CloseReason.CAP, CloseReason.SESSION_END]
    assert np.isnan(bars.closing["overflow"]).all()
    assert bars.closing["is_complete"].tolist() == [True, True, False]


def test_ticks_of_unknown_side_alone_have_no_ratio() -> None:
    assert reasons(bars_of(flow([0] * 80), "ratio_tick_10")) == [CloseReason.SESSION_END]


# -- ewma ----------------------------------------------------------------------------------------------

BLOCK = [1, 1, 1, -1] * 50
"""200 ticks, 150 bought and 50 sold: long-run variance (150 − 50)² / 200 = 50 per tick."""


def test_a_cold_start_closes_its_first_bar_with_the_first_block_and_expects_nothing_of_it() -> None:
    bars = bars_of(flow([*BLOCK, 1]), "ewma_tick_10")
    assert bars.ends.tolist() == [200, 201]
    assert (bars.closing["theta"][0], reasons(bars)[0]) == (100, CloseReason.CAP)
    assert all(math.isnan(bars.closing[name][0]) for name in ("threshold", "expected_theta", "overflow", "efficiency"))
    assert bars.closing["is_warm_up"].tolist() == [True, True]


def test_the_amount_is_the_threshold_of_warm_up() -> None:
    # 100 stands for 100² / 50 = 200 expected ticks, within the bounds.
    bars = bars_of(flow([*BLOCK, *[-1] * 100]), "ewma_tick_100")
    assert bars.ends.tolist() == [200, 300]
    assert (bars.closing["threshold"][1], bars.closing["expected_theta"][1]) == (100, 100)
    assert (bars.closing["theta"][1], bars.closing["overflow"][1], bars.closing["efficiency"][1]) == (-100, 0, 1)
    assert bars.closing["trigger_direction"][1] == -1


def test_an_amount_that_is_too_small_is_raised_to_the_floor() -> None:
    # 10 stands for 2 ticks; the least 50 have the floor √(50·50) = 50.
    bars = bars_of(flow([*BLOCK, *[1] * 50]), "ewma_tick_10")
    assert bars.ends.tolist() == [200, 250]
    assert bars.closing["threshold"][1] == pytest.approx(50, rel=1e-12)
    assert bars.closing["expected_theta"][1] == 10


def test_after_warm_up_the_bars_before_set_the_threshold() -> None:
    # Bars of 200 ticks with theta 100 and of 100 with 100: with weights ¼ and ½ (200/4 + 100/2) = 100 ticks and
    # (100/4 + 100/2) = 75 bought on balance, 0.75 a tick. Only the second counts in E[T] = 100. Floor √(100·50) = 70.7.
    bars = bars_of(flow([*BLOCK, *[1] * 175]), "ewma_tick_100", QUICK)
    assert bars.ends.tolist() == [200, 300, 375]
    assert bars.closing["expected_theta"][2] == pytest.approx(75, rel=1e-12)
    assert bars.closing["threshold"][2] == pytest.approx(75, rel=1e-12)
    assert bars.closing["is_warm_up"].tolist() == [True, True, False]


def test_the_floor_keeps_a_driftless_expectation_from_collapsing() -> None:
    # As above, but 100 sold: −100/2 + 100/4 = −25 on balance, 0.25 a tick, 25 in 100 ticks; the floor is 70.7.
    bars = bars_of(flow([*BLOCK, *[-1] * 171]), "ewma_tick_100", QUICK)
    assert bars.ends.tolist() == [200, 300, 371]
    assert bars.closing["expected_theta"][2] == pytest.approx(25, rel=1e-12)
    assert bars.closing["threshold"][2] == pytest.approx(math.sqrt(5_000), rel=1e-12)
    assert bars.closing["overflow"][2] == pytest.approx(71 - math.sqrt(5_000), rel=1e-9)


def test_the_cap_closes_a_bar_that_nothing_moves() -> None:
    bars = bars_of(flow([*BLOCK, *[1, -1] * 505]), "ewma_tick_100")
    # 200 expected ticks, five times.
    assert bars.ends.tolist() == [200, 1_200, 1_210]
    assert reasons(bars)[1:] == [CloseReason.CAP, CloseReason.SESSION_END]
    assert bars.closing["trigger_direction"].tolist() == [0, 0, 0]
    assert np.isnan(bars.closing["overflow"]).all()


def test_expected_ticks_stay_within_the_band_and_the_bounds() -> None:
    # The cap closes the first bar of balanced flow at 5·200 ticks, so 1,000 are the average. By then one of six blocks
    # had variance: 50 / 6 a tick, for which 100 stands for 1,200 ticks. A band of 1.1 begins at 1,200 / 1.1 = 1,090.9.
    ticks = flow([*BLOCK, *[1, -1] * 4_000])
    for bounds, expected in (({"band": 4.0}, 1_000), ({"band": 1.1}, 1_090.9), ({"max_expected_ticks": 700}, 700)):
        rules = ImbalanceBarSettings(span=1_000_000, warm_up_bars=2, **bounds)
        lengths = np.diff(bars_of(ticks, "ewma_tick_100", rules).ends, prepend=0)
        assert lengths[:3].tolist() == [200, 1_000, int(5 * expected)]


def test_ticks_left_over_at_the_end_teach_nothing_but_their_block_goes_on() -> None:
    series = imbalance_series("ewma_tick_100")
    _, (first, second) = in_a_row([flow(BLOCK), flow([1] * 40)], series, DEFAULTS)
    assert (second["bars_closed"], second["length_weight"], second["flow_ticks"]) == (1, 0, first["flow_ticks"])
    assert (second["pending_ticks"], second["pending_net"], second["pending_squares"]) == (40, 40, 40)


def test_one_block_print_does_not_set_the_variance() -> None:
    # After 40 blocks of 50 a tick, one with (200·1,000)² / 200 counts ten times 50.
    sizes = np.ones(8_200, dtype=np.uint32)
    sizes[-1] = 1_000_000
    series = imbalance_series("ewma_volume_2k")
    _, (state,) = in_a_row([flow(BLOCK * 41, size=sizes)], series, DEFAULTS)
    alpha, before = 2 / 101, 1 - (99 / 101) ** 40
    assert state["block_variance"] == pytest.approx((1 - alpha) * 50 * before + alpha * 500, rel=1e-9)


def test_without_any_known_side_the_amount_stays_and_the_cap_closes() -> None:
    bars = bars_of(flow([0] * 40_200), "ewma_volume_5k", QUICK)
    assert bars.ends.tolist() == [200, 10_200, 20_200, 30_200, 40_200]
    assert bars.closing["threshold"][1:].tolist() == [5_000] * 4
    assert bars.closing["is_warm_up"].tolist() == [True, True, False, False, False]


def test_warm_up_is_counted_across_dates() -> None:
    day = flow(np.repeat(np.array([1, -1] * 8, dtype=np.int8), 100))
    (first, second), _ = in_a_row([day, day], imbalance_series("ewma_tick_100"), DEFAULTS)
    closed_first = sum(reason != CloseReason.SESSION_END for reason in reasons(first))
    warm = [*first.closing["is_warm_up"][:closed_first], *second.closing["is_warm_up"]]
    assert 0 < closed_first < 20
    assert warm == [True] * 20 + [False] * (len(warm) - 20)


def test_a_state_survives_json_and_gives_the_same_second_date() -> None:
    series = imbalance_series("ewma_dollar_50k")
    days = [synthetic(3_000, 0.6, seed) for seed in (1, 2)]
    (_, expected), (state, _) = in_a_row(days, series, DEFAULTS)
    assert all(type(value) is float and math.isfinite(value) for value in state.values())
    again = imbalance_bar_ends(days[1], series, DEFAULTS, json.loads(json.dumps(state)))
    assert_identical(again, expected)
    assert bars_of(days[1], "ewma_dollar_50k").ends.tolist() != expected.ends.tolist()


def test_fixed_and_ratio_carry_nothing() -> None:
    for text in ("fixed_volume_500", "ratio_volume_20"):
        _, (state,) = in_a_row([synthetic(500, 0.6, 1)], imbalance_series(text), DEFAULTS)
        assert state == {}


def test_a_session_without_ticks_has_no_bars() -> None:
    for text in ("ewma_volume_5k", "fixed_volume_500", "ratio_volume_20"):
        assert len(bars_of(flow([]), text)) == 0


# -- family --------------------------------------------------------------------------------------------


def test_the_family_has_a_cutter_for_each_series_of_the_settings() -> None:
    own = BarSettings(imbalance=ImbalanceBarSettings(series=("ewma_volume_10k", "fixed_tick_3")))
    assert list(IMBALANCE_BARS.series(own)) == ["ewma_volume_10k", "fixed_tick_3"]
    assert (IMBALANCE_BARS.name, IMBALANCE_BARS.carries_state) == ("imbalance", True)
    assert IMBALANCE_BARS.meaning("ewma_volume_10k") == IMBALANCE_BARS.meaning("ewma_volume_10000")


@pytest.mark.parametrize(
    "wrong",
    [
        {"ratio_min_ticks": 60, "ratio_max_ticks": 50},
        {"band": 0.5},
        {"min_expected_ticks": 90, "max_expected_ticks": 9},
    ],
)
def test_guards_that_contradict_each_other_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ImbalanceBarSettings(**wrong)


# -- the plain twin ------------------------------------------------------------------------------------


def rows_of(ticks: SessionTicks) -> list[plain.Tick]:
    names = ("trade_sign", "size", "price")
    rows = zip(*(ticks.column(name).tolist() for name in names), strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]


def expected_bars(
    days: Sequence[SessionTicks], series: ImbalanceSeries, rules: ImbalanceBarSettings
) -> list[list[plain.Bar]]:
    tapes = [rows_of(ticks) for ticks in days]
    if series.rule == "fixed":
        return [plain.fixed_bars(tape, series.unit, series.amount) for tape in tapes]
    if series.rule == "ratio":
        bounds = (rules.ratio_min_ticks, rules.ratio_max_ticks)
        return [plain.ratio_bars(tape, series.unit, series.amount, *bounds) for tape in tapes]
    limits = plain.Limits(
        rules.span, rules.warm_up_bars, rules.min_expected_ticks, rules.max_expected_ticks, rules.band, rules.cap
    )
    return plain.ewma_bars(tapes, series.unit, series.amount, limits)


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


SERIES = st.sampled_from(
    ["ewma_tick_5", "ewma_tick_40", "ewma_volume_5k", "ewma_dollar_30k", "fixed_tick_7", "fixed_volume_1k",
     "fixed_dollar_2k", "ratio_tick_30", "ratio_volume_20", "ratio_dollar_60"]
)  # fmt: skip
RULES = st.builds(
    ImbalanceBarSettings,
    span=st.sampled_from([2, 5, 100]),
    warm_up_bars=st.sampled_from([1, 2, 20]),
    min_expected_ticks=st.sampled_from([2, 10, 50]),
    max_expected_ticks=st.sampled_from([80, 2_000]),
    band=st.sampled_from([1.0, 4.0]),
    cap=st.sampled_from([1.5, 5.0]),
    ratio_min_ticks=st.sampled_from([2, 50]),
    ratio_max_ticks=st.sampled_from([60, 2_000]),
)


@settings(max_examples=80, deadline=None)
@given(days=st.lists(flows(), min_size=1, max_size=3), series=SERIES, rules=RULES)
def test_bars_of_dates_in_a_row_are_those_of_the_plain_twin(
    days: list[SessionTicks], series: str, rules: ImbalanceBarSettings
) -> None:
    chosen = imbalance_series(series)
    found, _ = in_a_row(days, chosen, rules)
    for bars, expected in zip(found, expected_bars(days, chosen, rules), strict=True):
        assert_same(bars, expected)


@settings(max_examples=80, deadline=None)
@given(ticks=flows(), series=SERIES, rules=RULES, cuts=st.lists(st.integers(0, 2_000), max_size=8))
def test_a_session_fed_in_pieces_gives_the_same_bits(
    ticks: SessionTicks, series: str, rules: ImbalanceBarSettings, cuts: list[int]
) -> None:
    chosen = imbalance_series(series)
    whole, in_parts = imbalance_cutter(chosen, rules), imbalance_cutter(chosen, rules)
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


@pytest.mark.parametrize("series", ["ewma_tick_20", "ewma_volume_5k", "ewma_dollar_200k", "ratio_volume_20"])
@pytest.mark.parametrize("autocorrelation", [0.0, 0.9])
def test_thousands_of_synthetic_ticks_give_the_bars_of_the_plain_twin(series: str, autocorrelation: float) -> None:
    days = [synthetic(4_000, autocorrelation, seed) for seed in (1, 2)]
    chosen = imbalance_series(series)
    found, _ = in_a_row(days, chosen, QUICK)
    for bars, expected in zip(found, expected_bars(days, chosen, QUICK), strict=True):
        assert_same(bars, expected)


@cache
def real_session(symbol: str, date: dt.date) -> SessionTicks:
    day = tick_day(symbol, date, 0)
    return session_ticks(enrich_day(day.raw, symbol, date), date)


@pytest.mark.real_data
@pytest.mark.parametrize("series", ["ewma_tick_50", "ewma_volume_20k", "ewma_dollar_1M", "ratio_volume_20"])
def test_real_ticks_give_the_bars_of_the_plain_twin(shared_data: Path, series: str) -> None:
    days = [real_session("BAC", dt.date(2013, 10, day)) for day in (7, 8)]
    chosen = imbalance_series(series)
    found, _ = in_a_row(days, chosen, DEFAULTS)
    for bars, expected in zip(found, expected_bars(days, chosen, DEFAULTS), strict=True):
        assert len(bars) > 100
        assert_same(bars, expected)


# -- neither explosion nor collapse ----------------------------------------------------------------------


def collapsed(ticks: SessionTicks, bars: BarEnds, unit: str) -> int:
    """Bars of one or two ticks that closed on their threshold though no print in them was at least five mean ones."""
    value = np.abs(ticks.column("trade_sign").astype(np.float64))
    for name in {"tick": (), "volume": ("size",), "dollar": ("size", "price")}[unit]:
        value = value * ticks.column(name)
    starts = np.concatenate([[0], bars.ends[:-1]])
    largest = np.maximum.reduceat(value, starts)
    short = (bars.ends - starts <= 2) & (bars.closing["close_reason"] == CloseReason.THRESHOLD)
    return int(np.sum(short & (largest < 5 * value.mean())))


@pytest.mark.parametrize(("autocorrelation", "bought"), [(0.0, 0.5), (0.6, 0.5), (0.9, 0.5), (0.0, 0.65), (0.6, 0.35)])
@pytest.mark.parametrize("series", ["ewma_tick_5", "ewma_tick_20", "ewma_volume_5k", "ewma_dollar_500k"])
def test_bars_neither_collapse_nor_swallow_the_tape(series: str, autocorrelation: float, bought: float) -> None:
    ticks = synthetic(60_000, autocorrelation, 5, bought)
    bars = bars_of(ticks, series)
    lengths = np.diff(bars.ends, prepend=0)
    assert collapsed(ticks, bars, imbalance_series(series).unit) == 0
    assert np.median(lengths) >= 20
    assert np.percentile(lengths, 5) >= 10
    assert lengths.max() < 0.1 * len(ticks)
    assert np.mean(bars.closing["close_reason"] == CloseReason.CAP) < 0.1


@pytest.mark.real_data
@pytest.mark.parametrize("symbol", REAL_DAYS)
@pytest.mark.parametrize("series", ["ewma_tick_50", "ewma_volume_5k", "ewma_volume_10k", "ewma_volume_20k"])
def test_bars_of_real_days_neither_collapse_nor_swallow_the_day(shared_data: Path, symbol: str, series: str) -> None:
    chosen = imbalance_series(series)
    days = [real_session(symbol, date) for date in REAL_DAYS[symbol]]
    found, _ = in_a_row(days, chosen, DEFAULTS)
    for ticks, bars in zip(days, found, strict=True):
        lengths = np.diff(bars.ends, prepend=0)
        assert collapsed(ticks, bars, chosen.unit) == 0
        assert np.mean(lengths <= 2) < 0.05
        assert np.median(lengths) >= 50
        assert lengths.max() < 0.25 * len(ticks)
        assert np.mean(bars.closing["close_reason"] == CloseReason.CAP) < 0.2
    assert sum(bars.closing["is_warm_up"].sum() for bars in found) <= 20 + len(days)


@pytest.mark.real_data
@pytest.mark.parametrize("symbol", REAL_DAYS)
@pytest.mark.parametrize("series", ["ratio_volume_10", "ratio_volume_20", "ratio_volume_30"])
def test_ratio_bars_of_real_days_keep_their_bounds(shared_data: Path, symbol: str, series: str) -> None:
    for date in REAL_DAYS[symbol]:
        ticks = real_session(symbol, date)
        lengths = np.diff(bars_of(ticks, series).ends, prepend=0)
        assert (lengths[:-1].min(), lengths.max() <= 2_000) == (50, True)
        assert lengths.max() < 0.25 * len(ticks)

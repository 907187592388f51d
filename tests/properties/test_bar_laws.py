"""Laws that hold for every bar family at once, whatever the tape."""

from __future__ import annotations

import itertools
import json
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import FAMILY_NAMES, FamilyName
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.bars.registry import FAMILIES
from fuzzy_pipeline.bars.series import Bars
from fuzzy_pipeline.bars.stream import BarStream
from fuzzy_pipeline.enrichment import enrich_day
from fuzzy_pipeline.schema.arrays import Arrays, concatenate, length, take
from fuzzy_pipeline.schema.codes import CloseReason, Session
from tests.properties.tapes import EVERY_SESSION, SMALL_SERIES, tapes
from tests.unit.enrichment.raw_ticks import TUESDAY, raw_ticks

SESSIONS = ("pre", "regular", "after")
law = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def series_of(built: dict[FamilyName, Bars]) -> list[tuple[FamilyName, str, dict[str, NDArray[Any]]]]:
    return [(name, parameter, bars.of(parameter)) for name, bars in built.items() for parameter in bars.ranges]


def assert_same(got: Arrays, wanted: Arrays, where: str) -> None:
    assert set(got) == set(wanted)
    for name, column in wanted.items():
        mine, its = got[name], column
        assert mine.dtype == its.dtype
        if its.dtype.kind == "M":
            mine, its = mine.view(np.int64), its.view(np.int64)
        if its.dtype.kind == "f":
            np.testing.assert_allclose(mine, its, rtol=1e-9, atol=1e-9, err_msg=f"{where} {name}")
        else:
            np.testing.assert_array_equal(mine, its, err_msg=f"{where} {name}")


def cut(ticks: Arrays, at: list[int]) -> list[Arrays]:
    bounds = [0, *sorted(place % (length(ticks) + 1) for place in at), length(ticks)]
    return [take(ticks, slice(a, b)) for a, b in itertools.pairwise(bounds)]


@law
@given(ticks=tapes())
def test_bars_are_the_same_to_the_last_bit_whatever_is_built_with_them(ticks: Arrays) -> None:
    """Else a run that builds one family again would store other content than one that builds all."""
    together = build_bars(ticks, TUESDAY, SMALL_SERIES)
    for name in FAMILY_NAMES:
        alone = build_bars(ticks, TUESDAY, SMALL_SERIES, families=(name,))[name]
        assert alone.ranges == together[name].ranges
        for column, values in together[name].columns.items():
            np.testing.assert_array_equal(alone.columns[column], values, err_msg=f"{name} {column}")


def test_every_family_of_the_settings_is_registered() -> None:
    assert tuple(FAMILIES) == FAMILY_NAMES


@law
@given(ticks=tapes())
def test_every_counted_tick_is_in_exactly_one_bar_of_every_series(ticks: Arrays) -> None:
    counted = ticks["counts_volume"] & np.isin(ticks["session"], [Session.PRE, Session.REGULAR, Session.AFTER])
    size, price = ticks["size"][counted].astype(np.int64), ticks["price"][counted]
    for name, parameter, bars in series_of(build_bars(ticks, TUESDAY, EVERY_SESSION)):
        where = f"{name} {parameter}"
        assert int(bars["tick_count"].sum()) == len(size), where
        assert int(bars["volume"].sum()) == int(size.sum()), where
        assert float(bars["dollar_volume"].sum()) == pytest.approx(float((price * size).sum()), rel=1e-12), where
        assert int(bars["buy_volume"].sum()) == int(size[ticks["trade_sign"][counted] > 0].sum()), where
        assert int(bars["first_half_volume"].sum() + bars["second_half_volume"].sum()) == int(size.sum()), where


@law
@given(ticks=tapes())
def test_bars_never_cross_a_session_and_keys_are_unique(ticks: Arrays) -> None:
    joined = build_bars(ticks, TUESDAY, EVERY_SESSION)
    apart = [build_bars(ticks, TUESDAY, SMALL_SERIES.model_copy(update={"sessions": (one,)})) for one in SESSIONS]
    for name, parameter, bars in series_of(joined):
        where = f"{name} {parameter}"
        of_sessions = concatenate([built[name].of(parameter) for built in apart])
        assert bars["bar_index"].tolist() == list(range(length(bars))), where
        assert_same(bars, {**of_sessions, "bar_index": bars["bar_index"]}, where)
    for built in apart:
        for name, parameter, bars in series_of(built):
            assert np.all(np.diff(bars["timestamp"].view(np.int64)) >= 0), f"{name} {parameter}"
            assert np.all(bars["bar_start"] <= bars["timestamp"]), f"{name} {parameter}"


@law
@given(ticks=tapes())
def test_prices_lie_between_low_and_high(ticks: Arrays) -> None:
    for name, parameter, bars in series_of(build_bars(ticks, TUESDAY, SMALL_SERIES)):
        for price in ("open", "close", "vwap"):
            known = ~np.isnan(bars[price])
            assert np.all(bars["low"][known] <= bars[price][known]), f"{name} {parameter} {price}"
            assert np.all(bars[price][known] <= bars["high"][known]), f"{name} {parameter} {price}"


@law
@given(ticks=tapes())
def test_only_the_last_bar_of_a_session_may_be_incomplete_and_it_says_why(ticks: Arrays) -> None:
    for name, parameter, bars in series_of(build_bars(ticks, TUESDAY, SMALL_SERIES)):
        where = f"{name} {parameter}"
        assert np.all(bars["is_complete"][:-1]), where
        cut_short = bars["close_reason"] == int(CloseReason.SESSION_END)
        np.testing.assert_array_equal(cut_short, ~bars["is_complete"], err_msg=where)
        reached = bars["close_reason"] == int(CloseReason.THRESHOLD)
        overflow = bars["overflow"][reached & ~bars["is_phantom"]]
        assert np.all(overflow[~np.isnan(overflow)] >= 0), where
        assert np.all(np.isnan(bars["overflow"][cut_short])), where


@law
@given(ticks=tapes(200), at=st.lists(st.integers(0, 10_000), max_size=6), family=st.sampled_from(FAMILY_NAMES))
def test_a_stream_in_pieces_of_any_size_gives_the_bars_of_the_whole_day(
    ticks: Arrays, at: list[int], family: FamilyName
) -> None:
    whole = build_bars(ticks, TUESDAY, SMALL_SERIES, families=(family,))[family]
    for parameter in whole.ranges:
        stream = BarStream(family, parameter, TUESDAY, settings=SMALL_SERIES)
        got = concatenate([*(stream.push(piece) for piece in cut(ticks, at)), stream.finish()])
        assert_same(got, whole.of(parameter), f"{family} {parameter}")
        assert stream.state() == whole.state.get(f"regular/{parameter}", {})


@law
@given(ticks=tapes(200), at=st.integers(0, 10_000), family=st.sampled_from(FAMILY_NAMES))
def test_closed_bars_never_change_when_ticks_arrive(ticks: Arrays, at: int, family: FamilyName) -> None:
    whole = build_bars(ticks, TUESDAY, SMALL_SERIES, families=(family,))[family]
    for parameter in whole.ranges:
        early = BarStream(family, parameter, TUESDAY, settings=SMALL_SERIES).push(cut(ticks, [at])[0])
        assert_same(early, take(whole.of(parameter), slice(0, length(early))), f"{family} {parameter}")


@law
@given(first=tapes(200), second=tapes(200), family=st.sampled_from(FAMILY_NAMES))
def test_a_date_rebuilt_from_the_stored_state_equals_the_range_built_in_one_go(
    first: Arrays, second: Arrays, family: FamilyName
) -> None:
    one = build_bars(first, TUESDAY, SMALL_SERIES, families=(family,))[family]
    in_one_go = build_bars(second, TUESDAY, SMALL_SERIES, families=(family,), states={family: one.state})[family]
    stored = json.loads(json.dumps({key: dict(state) for key, state in one.state.items()}))
    rebuilt = build_bars(second, TUESDAY, SMALL_SERIES, families=(family,), states={family: stored})[family]
    for name, column in in_one_go.columns.items():
        np.testing.assert_array_equal(
            column.view(f"u{column.itemsize}"), rebuilt.columns[name].view(f"u{column.itemsize}")
        )
    assert rebuilt.state == in_one_go.state
    assert bool(one.state) == FAMILIES[family].carries_state


@law
@given(ticks=tapes())
def test_a_series_does_not_depend_on_the_series_built_beside_it(ticks: Arrays) -> None:
    together = build_bars(ticks, TUESDAY, SMALL_SERIES)
    for family in FAMILIES:
        alone = build_bars(ticks, TUESDAY, SMALL_SERIES, families=(family,))[family]
        assert alone.ranges == together[family].ranges
        assert_same(alone.columns, together[family].columns, family)


@law
@given(ticks=tapes(), family=st.sampled_from(FAMILY_NAMES), fill=st.sampled_from(["skip", "null", "previous_close"]))
def test_a_series_built_all_alone_is_the_same(ticks: Arrays, family: FamilyName, fill: str) -> None:
    every = SMALL_SERIES.model_copy(update={"fill": fill})
    together = build_bars(ticks, TUESDAY, every, families=(family,))[family]
    for parameter in together.ranges:
        if family == "time":
            one = every.model_copy(update={"intervals": (parameter,)})
        else:
            section = getattr(every, family).model_copy(update={"series": (parameter,)})
            one = every.model_copy(update={family: section})
        alone = build_bars(ticks, TUESDAY, one, families=(family,))[family]
        assert_same(alone.of(parameter), together.of(parameter), f"{family} {parameter}")


@law
@given(ticks=tapes())
def test_renko_bricks_are_exact_steps_and_hold_their_volume_once(ticks: Arrays) -> None:
    bars = build_bars(ticks, TUESDAY, SMALL_SERIES, families=("renko",))["renko"]
    for parameter in bars.ranges:
        one = bars.of(parameter)
        brick = round(float(parameter) * 100)
        complete = one["is_complete"]
        opens, closes = (np.round(one[side][complete] * 100).astype(int) for side in ("open", "close"))
        np.testing.assert_array_equal(opens / 100, one["open"][complete])  # on the grid of cents, exactly
        np.testing.assert_array_equal(np.abs(closes - opens), np.full(len(opens), brick))
        np.testing.assert_array_equal(np.sign(closes - opens), one["trigger_direction"][complete])
        turned = np.sign(closes[1:] - opens[1:]) != np.sign(closes[:-1] - opens[:-1])
        # A brick opens where the last one closed; after a reversal where the last one opened.
        np.testing.assert_array_equal(opens[1:], np.where(turned, opens[:-1], closes[:-1]))
        phantom = one["is_phantom"]
        assert not one["tick_count"][phantom].any()
        assert np.all(one["tick_count"][complete & ~phantom] > 0)


def test_a_date_without_ticks_has_no_bars() -> None:
    for name, parameter, bars in series_of(build_bars(enrich_day(raw_ticks([]), "TEST", TUESDAY), TUESDAY)):
        assert length(bars) == 0, f"{name} {parameter}"

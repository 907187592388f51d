"""Longer time bars from shorter ones: on bars a reader can add up, and against the plain twin fed with the ticks."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import BarSettings, interval_seconds
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.bars.cutting import SessionSpan
from fuzzy_pipeline.bars.resample import base_interval, resample, resample_day
from fuzzy_pipeline.bars.session_ticks import session_bounds_ns
from fuzzy_pipeline.enrichment import EnrichmentRules, enrich_day
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.codes import CloseReason
from fuzzy_pipeline.schema.tables import BAR_TABLES, check_arrays
from fuzzy_pipeline.sources.files import FilesSource
from tests.oracles import time_bars as plain
from tests.unit.enrichment.raw_ticks import HALF_DAY, TUESDAY, clock, raw_ticks

Columns = dict[str, NDArray[Any]]
FULL_DAY_S, HALF_DAY_S = 390 * 60, 210 * 60
STORED = [column.name for column in BAR_TABLES["time"].stored]
EXACT = [
    column.name
    for column in BAR_TABLES["time"].stored
    if np.dtype(column.dtype).kind != "f" or column.name in ("open", "high", "low", "close", "range", "change")
]
"""Counts, instants and prices: equal to the last bit."""


def enriched(price: list[float], *, date: dt.date = TUESDAY, **given: Any) -> Columns:
    return enrich_day(raw_ticks(price, date=date, **given), "TEST", date)


def built(ticks: Arrays, interval: str, date: dt.date = TUESDAY, **rules: Any) -> Columns:
    return build_bars(ticks, date, BarSettings(intervals=(interval,), **rules), families=("time",))["time"].of(interval)


def resampled(
    ticks: Arrays, base: str, interval: str, date: dt.date = TUESDAY, sessions: Any = ("regular",), **rules: Any
) -> Columns:
    return resample_day(built(ticks, base, date, sessions=sessions, **rules), interval, date, sessions)


def starts(bars: Arrays) -> list[str]:
    stamps = bars["bar_start"] - np.timedelta64(4, "h")  # EDT in October
    return [str(stamp)[11:16] for stamp in stamps]


# -- from which interval -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("interval", "session_seconds", "base"),
    [
        ("7m", [FULL_DAY_S], "1m"),
        ("45m", [FULL_DAY_S], "15m"),  # 390 = 26·15
        ("40m", [FULL_DAY_S], "10m"),  # 20m would be cut by the close: 390 = 19.5·20
        ("6h", [FULL_DAY_S], "30m"),  # so would 1h and 2h
        ("90s", [FULL_DAY_S], "30s"),
        ("7s", [FULL_DAY_S], "1s"),
        ("8h", [210 * 60, 330 * 60, 420 * 60], "30m"),
        ("1d", [HALF_DAY_S], "30m"),
        ("35m", [100 * 60], "5m"),
    ],
)
def test_the_longest_interval_is_taken_that_divides_the_wanted_one_and_the_session(
    interval: str, session_seconds: list[int], base: str
) -> None:
    stored = ("1s", "5s", "30s", "1m", "2m", "5m", "10m", "15m", "20m", "30m", "1h", "2h", "1d")
    assert base_interval(stored, interval, session_seconds) == base


def test_nothing_that_divides_gives_no_interval() -> None:
    assert base_interval(("5m", "1h", "1d"), "7m", [FULL_DAY_S]) is None
    assert base_interval((), "7m", [FULL_DAY_S]) is None


# -- windows and their halves ------------------------------------------------------------------------------


def test_windows_are_anchored_on_the_open_and_the_close_cuts_the_last() -> None:
    # One tick of 100 shares at the start of every minute. 390 = 55·7 + 5: the last window is 15:55-16:00.
    ticks = enriched([10.0] * 390, time=[clock("09:30:00") + minute * 60_000_000 for minute in range(390)])
    bars = resampled(ticks, "1m", "7m")
    assert len(bars["bar_index"]) == 56
    assert bars["bar_index"].tolist() == list(range(56))
    assert (starts(bars)[0], starts(bars)[1], starts(bars)[-1]) == ("09:30", "09:37", "15:55")
    assert bars["timestamp"][-1] == np.datetime64("2013-10-08T20:00")
    assert bars["tick_count"].tolist() == [7] * 55 + [5]
    assert bars["is_complete"].tolist() == [True] * 55 + [False]
    assert bars["close_reason"][-2:].tolist() == [CloseReason.TIME, CloseReason.SESSION_END]
    assert bars["trade_frequency"].tolist() == [1.0] * 56


def test_the_middle_of_an_odd_window_is_the_middle_of_its_middle_minute() -> None:
    # The middle of 09:30-09:37 is 09:33:30, that of the last five minutes 15:57:30.
    times = ["09:30:00", "09:33:29.999999", "09:33:30", "09:36:00", "15:55:00", "15:57:29.999999", "15:57:30"]
    ticks = enriched([10.0] * 7, size=[1, 10, 100, 1000, 5, 50, 500], time=times)
    bars = resampled(ticks, "1m", "7m")
    assert bars["first_half_volume"].tolist() == [11, 55]
    assert bars["second_half_volume"].tolist() == [1100, 500]
    assert bars["temporal_concentration"].tolist() == pytest.approx([1089 / 1111, 445 / 555])


def test_the_middle_of_an_even_window_is_between_two_minutes() -> None:
    # The middle of 09:30-09:44 is 09:37; 390 = 27·14 + 12: that of 15:48-16:00 is 15:54.
    times = ["09:36:59.999999", "09:37:00", "15:53:59.999999", "15:54:00"]
    bars = resampled(enriched([10.0] * 4, size=[1, 10, 100, 1000], time=times), "1m", "14m")
    assert bars["first_half_volume"].tolist() == [1, 100]
    assert bars["second_half_volume"].tolist() == [10, 1000]


def test_half_days_have_their_own_last_window() -> None:
    # 210 = 30·7 fits; 210 = 9·23 + 3: the last window is 12:57-13:00, its middle 12:58:30.
    times = ["12:56:59", "12:58:29.999999", "12:58:30", "12:59:59"]
    ticks = enriched([10.0] * 4, date=HALF_DAY, size=[1, 10, 100, 1000], time=times)
    sevens, last = resampled(ticks, "1m", "7m", HALF_DAY), resampled(ticks, "1m", "23m", HALF_DAY)
    assert sevens["is_complete"].tolist() == [True]
    assert sevens["gaps"].tolist() == [29]
    assert last["bar_start"].tolist() == np.array(["2025-11-28T17:34", "2025-11-28T17:57"], "datetime64[ns]").tolist()
    assert last["is_complete"].tolist() == [True, False]
    assert last["first_half_volume"].tolist() == [0, 10]
    assert last["second_half_volume"].tolist() == [1, 1100]


def test_the_closing_auction_is_in_the_last_window_and_in_its_second_half() -> None:
    ticks = enriched([10.0, 11.0], time=["15:59:29.999999", "16:00:00.4"], codes=[(), (0x40,)], size=[100, 5000])
    bars = resampled(ticks, "30s", "90s")
    assert bars["close"].tolist() == [11.0]
    assert bars["closing_auction_volume"].tolist() == [5000]
    assert (bars["first_half_volume"].tolist(), bars["second_half_volume"].tolist()) == ([0], [5100])


def test_the_opening_auction_is_the_first_thirty_seconds_whatever_the_window() -> None:
    ticks = enriched([10.0] * 3, size=[1, 10, 100], time=["09:30:29.999999", "09:30:30", "09:36:59"])
    assert resampled(ticks, "1m", "7m")["opening_auction_volume"].tolist() == [1]


def test_every_session_has_windows_of_its_own() -> None:
    # Pre-market, market and after-hours are 5.5, 6.5 and 4 hours: seven are longer than each.
    ticks = enriched([10.0, 10.1, 10.2], time=["09:29:59", "09:30:00", "16:00:01"])
    bars = resampled(ticks, "30m", "7h", sessions=("pre", "regular", "after"))
    assert starts(bars) == ["04:00", "09:30", "16:00"]
    assert bars["tick_count"].tolist() == [1, 1, 1]
    assert bars["bar_index"].tolist() == [0, 1, 2]
    joined = resampled(ticks, "30m", "7h", sessions=("all",))
    assert starts(joined) == ["04:00", "11:00"]
    assert joined["tick_count"].tolist() == [2, 1]


# -- prices and ratios -------------------------------------------------------------------------------------


def test_means_are_weighted_by_what_they_were_taken_over() -> None:
    # Spreads 0.02 and 0.02 in one minute, 0.08 in the next: mean 0.04, population variance 0.0008.
    ticks = enriched(
        [10.0, 10.2, 10.4], size=[100, 100, 200], bid=[10.0] * 3, ask=[10.02, 10.02, 10.08],
        time=["10:00:00", "10:00:01", "10:01:00"],
    )  # fmt: skip
    bars = resampled(ticks, "1m", "6m")
    assert bars["vwap"].tolist() == pytest.approx([(10.0 * 100 + 10.2 * 100 + 10.4 * 200) / 400])
    assert bars["avg_spread"].tolist() == pytest.approx([0.04])
    assert bars["spread_volatility"].tolist() == pytest.approx([math.sqrt(0.0008)])
    assert bars["quote_intensity"].tolist() == pytest.approx([2 / 360])  # the first quote and one change
    assert (bars["open"].tolist(), bars["close"].tolist()) == ([10.0], [10.4])


def test_a_constant_spread_has_no_volatility_at_all() -> None:
    # 10.03 − 10.00 is no exact binary number: what rounding leaves in each minute must not add up.
    ticks = enriched([10.0] * 200, bid=[10.0, 20.0] * 100, ask=[10.03, 20.03] * 100)
    assert resampled(ticks, "1s", "7m")["spread_volatility"].tolist() == [0.0]


def test_volume_of_the_day_is_that_of_the_last_price_setting_minute() -> None:
    # The last minute only counts volume: 300 stands at the price-setting tick before it, 307 after it.
    ticks = enriched([10.0, 99.0], size=[300, 7], basis=["C", "O"], time=["10:00:00", "10:01:00"])
    bars = resampled(ticks, "1m", "6m")
    assert bars["total_volume"].tolist() == [300]
    assert bars["high"].tolist() == [10.0]
    assert resampled(enriched([10.0], basis=["O"], size=[40]), "1m", "7m")["total_volume"].tolist() == [40]


def test_an_hour_without_price_setting_ticks_has_null_prices() -> None:
    bars = resampled(enriched([10.0], basis=["O"]), "1m", "7m")
    assert bars["volume"].tolist() == [100]
    assert all(np.isnan(bars[name][0]) for name in ("open", "high", "low", "close", "vwap", "change"))


def test_quote_changes_that_a_minute_does_not_tell_are_not_guessed() -> None:
    # The second tick sees a crossed quote, which is not usable: its minute has no quote_intensity.
    ticks = enriched(
        [10.0] * 3, bid=[10.0, 10.2, 10.0], ask=[10.1, 10.1, 10.1], time=["10:00:00", "10:01:00", "11:00:00"]
    )
    bars = resampled(ticks, "1m", "6m")
    assert np.isnan(bars["quote_intensity"]).tolist() == [True, False]


# -- filled windows ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("fill", ["previous_close", "null"])
def test_filled_bars_give_filled_windows_as_from_ticks(fill: str) -> None:
    ticks = enriched([10.0, 10.4, 10.3], basis=["C", "C", "O"], time=["09:40:00", "09:50:10", "12:00:00"])
    expected, bars = built(ticks, "7m", fill=fill), resampled(ticks, "1m", "7m", fill=fill)
    assert len(bars["bar_index"]) == 56
    for name in STORED:
        np.testing.assert_array_equal(bars[name], expected[name], err_msg=name)
    closes = bars["close"][:4].tolist()
    if fill == "null":
        assert closes == pytest.approx([math.nan, 10.0, 10.4, math.nan], nan_ok=True)
    else:
        assert closes == pytest.approx([math.nan, 10.0, 10.4, 10.4], nan_ok=True)


def test_an_empty_window_inside_a_longer_one_keeps_the_volume_of_the_day() -> None:
    # The minute has one tick that sets no price; the fifty-nine empty seconds after it have no volume of the day.
    rules = BarSettings(intervals=("1s", "1m"), fill="null")
    ticks = enriched([10.0, 10.1], basis=["C", "O"], time=["10:00:00", "10:01:00"])
    minutes = build_bars(ticks, TUESDAY, rules, families=("time",))["time"].of("1m")
    assert minutes["total_volume"][30:32].tolist() == [100, 200]
    assert built(ticks, "1m", fill="null")["total_volume"][30:32].tolist() == [100, 200]


# -- what is refused ---------------------------------------------------------------------------------------


def test_bars_that_reach_over_a_window_are_refused() -> None:
    bars = built(enriched([10.0], time=["10:10:00"]), "5m")  # 10:10-10:15, and 10:05-10:12 is a window
    with pytest.raises(ValueError, match="reach over the end of 7m windows"):
        resample_day(bars, "7m", TUESDAY, ("regular",))


def test_bars_outside_the_sessions_are_refused() -> None:
    bars = built(enriched([10.0], time=["08:00:00"]), "1m", sessions=("pre",))
    with pytest.raises(ValueError, match="1 bars of 2013-10-08 are not in the sessions regular"):
        resample_day(bars, "7m", TUESDAY, ("regular",))


def test_no_bars_give_no_bars() -> None:
    bars = resampled(enriched([10.0], time=["08:00:00"]), "1m", "7m")
    check_arrays(BAR_TABLES["time"], bars, "no bars")
    assert len(bars["close"]) == 0


# -- equal to bars of the ticks ----------------------------------------------------------------------------

PRICES = st.integers(min_value=990, max_value=1010).map(lambda cents: cents / 100)


@st.composite
def days(draw: st.DrawFn) -> Columns:
    """Raw ticks here and there in a day of any session, with every kind of trouble."""
    count = draw(st.integers(min_value=1, max_value=40))
    start, longest = draw(
        st.sampled_from([("03:59:00", 1_800_000_000), ("12:00:00", 60_000_000), ("15:50:00", 30_000_000)])
    )
    steps = draw(st.lists(st.integers(0, longest), min_size=count, max_size=count))
    bid = draw(st.lists(st.one_of(PRICES, st.just(math.nan)), min_size=count, max_size=count))
    wide = draw(st.lists(st.sampled_from([-0.01, 0.0, 0.01, 0.02, 0.05]), min_size=count, max_size=count))
    codes = st.sampled_from([(), (1,), (0x87,), (0x3D, 0x17), (0x40,), (0x05,), (0x13,)])
    return raw_ticks(
        draw(st.lists(PRICES, min_size=count, max_size=count)),
        time=np.minimum(clock(start) + np.cumsum(steps), clock("23:59:59")).tolist(),
        size=draw(st.lists(st.sampled_from([1, 99, 100, 500, 10_000]), min_size=count, max_size=count)),
        basis=draw(st.lists(st.sampled_from("CEO"), min_size=count, max_size=count)),
        codes=draw(st.lists(codes, min_size=count, max_size=count)),
        bid=bid,
        ask=[round(one + add, 2) for one, add in zip(bid, wide, strict=True)],
    )


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    raw=days(),
    profile=st.sampled_from(["iqfeed", "sip"]),
    intervals=st.sampled_from(
        [("1m", "7m"), ("1m", "23m"), ("15m", "45m"), ("10m", "40m"), ("30s", "90s"), ("1s", "11s"), ("30m", "1d")]
    ),
    sessions=st.sampled_from([("regular",), ("pre", "regular", "after"), ("all",)]),
)
def test_every_column_equals_the_plain_twin_of_the_ticks(
    raw: Columns, profile: Any, intervals: tuple[str, str], sessions: tuple[str, ...]
) -> None:
    base, interval = intervals
    ticks = enrich_day(raw, "TEST", TUESDAY, EnrichmentRules(eligibility_profile=profile))
    expected = plain.time_bars(ticks, TUESDAY, interval_seconds(interval), sessions)
    shorter = built(ticks, base, sessions=sessions)
    bars = resample_day(shorter, interval, TUESDAY, sessions)
    assert len(bars["bar_index"]) == len(expected)
    untold = shorter["bar_start"][np.isnan(shorter["quote_intensity"])]
    for row, bar in enumerate(expected):
        if np.any((untold >= bars["bar_start"][row]) & (untold < bars["timestamp"][row])):
            bar["quote_intensity"] = math.nan
    for name in STORED:
        got = bars[name].astype(np.int64) if bars[name].dtype.kind == "M" else bars[name]
        wanted = np.array([bar[name] for bar in expected])
        if name in EXACT:
            np.testing.assert_array_equal(got, wanted, err_msg=name)
        else:
            np.testing.assert_allclose(got, wanted.astype(np.float64), rtol=1e-9, atol=1e-9, err_msg=name)


@pytest.mark.real_data
@pytest.mark.parametrize(("base", "interval"), [("1m", "7m"), ("1m", "23m"), ("15m", "45m"), ("30s", "90s")])
def test_a_real_day_equals_bars_of_its_ticks(shared_data: Path, base: str, interval: str) -> None:
    date = dt.date(2013, 10, 8)
    raw = dict(FilesSource(shared_data / "ticks").fetch_ticks("BAC", date).columns)
    ticks = enrich_day(raw, "BAC", date)
    expected, bars = built(ticks, interval), resampled(ticks, base, interval)
    assert len(expected["close"]) > 8
    for name in STORED:
        if name in EXACT:
            np.testing.assert_array_equal(bars[name], expected[name], err_msg=name)
        else:
            np.testing.assert_allclose(bars[name], expected[name], rtol=1e-9, atol=1e-12, err_msg=name)


def test_one_session_alone_can_be_resampled() -> None:
    span = SessionSpan("regular", *session_bounds_ns("regular", TUESDAY))
    bars = resample(built(enriched([10.0, 10.5], time=["10:00:00", "10:06:00"]), "1m"), "7m", span)
    assert starts(bars) == ["09:58", "10:05"]
    assert bars["gaps"].tolist() == [4, 0]

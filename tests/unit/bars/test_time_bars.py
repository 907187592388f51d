"""Time bars on ticks a reader can add up, and against the plain twin on random ones."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import DEFAULT_INTERVALS, BarSettings, interval_seconds
from fuzzy_pipeline.bars.bar_sums import DOLLARS
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.bars.series import Bars
from fuzzy_pipeline.bars.session_ticks import session_ticks
from fuzzy_pipeline.bars.sums import sums_by_series
from fuzzy_pipeline.bars.time_bars import time_bar_ends
from fuzzy_pipeline.enrichment import EnrichmentRules, enrich_day
from fuzzy_pipeline.schema.codes import CloseReason, Session
from fuzzy_pipeline.schema.tables import BAR_TABLES, check_arrays
from tests.oracles import time_bars as plain
from tests.unit.enrichment.raw_ticks import HALF_DAY, TUESDAY, clock, raw_ticks

CLOSING_PRINT = 0x40


def enriched(price: list[float], *, date: dt.date = TUESDAY, **given: Any) -> dict[str, NDArray[Any]]:
    return enrich_day(raw_ticks(price, date=date, **given), "TEST", date)


def time_bars(ticks: dict[str, NDArray[Any]], date: dt.date, rules: BarSettings | None = None) -> Bars:
    return build_bars(ticks, date, rules, families=("time",))["time"]


def series(
    ticks: dict[str, NDArray[Any]], interval: str, date: dt.date = TUESDAY, **rules: Any
) -> dict[str, list[Any]]:
    bars = time_bars(ticks, date, BarSettings(intervals=(interval,), **rules)).of(interval)
    return {name: array.tolist() for name, array in bars.items()}


def minutes(bars: dict[str, list[Any]], name: str = "bar_start") -> list[str]:
    stamps = np.array(bars[name]).astype("datetime64[ns]") - np.timedelta64(4, "h")  # EDT in October
    return [str(stamp)[11:16] for stamp in stamps]


def test_ticks_fall_into_half_open_windows_from_the_session_open() -> None:
    ticks = enriched([10.0, 10.1, 10.2, 10.3], time=["09:30:00", "09:30:59.999999", "09:31:00", "09:33:00"])
    bars = series(ticks, "1m")
    assert minutes(bars) == ["09:30", "09:31", "09:33"]
    assert minutes(bars, "timestamp") == ["09:31", "09:32", "09:34"]
    assert bars["tick_count"] == [2, 1, 1]
    assert bars["gaps"] == [0, 0, 1]
    assert bars["bar_index"] == [0, 1, 2]
    assert (bars["open"], bars["close"]) == ([10.0, 10.2, 10.3], [10.1, 10.2, 10.3])


def test_the_closing_auction_joins_the_last_window_though_it_is_stamped_after_the_close() -> None:
    ticks = enriched(
        [10.0, 10.5, 11.0],
        time=["15:59:30", "16:00:00.1", "16:00:00.4"],
        codes=[(), (0x17,), (CLOSING_PRINT,)],
        size=[100, 50, 5000],
    )
    bars = series(ticks, "1m")
    assert bars["volume"] == [5100]  # the after-hours print between them stays out
    assert bars["close"] == [11.0]
    assert minutes(bars, "timestamp") == ["16:00"]
    assert bars["closing_auction_volume"] == [5100]  # 15:59:30 is exactly thirty seconds before the close


def test_windows_end_with_the_half_day() -> None:
    ticks = enriched([10.0, 10.1], date=HALF_DAY, time=["12:30:00", "12:59:59"])
    bars = time_bars(ticks, HALF_DAY, BarSettings(intervals=("1h", "1d")))
    hour, day = bars.of("1h"), bars.of("1d")
    # 12:30-13:00 is half of the fourth window from 09:30.
    assert hour["bar_start"][0] == np.datetime64("2025-11-28T17:30")
    assert hour["timestamp"][0] == np.datetime64("2025-11-28T18:00")
    assert hour["gaps"][0] == 3
    assert day["timestamp"][0] == np.datetime64("2025-11-28T18:00")
    assert (hour["is_complete"][0], day["is_complete"][0]) == (False, True)


@pytest.mark.parametrize(
    ("interval", "bars_in_day", "last_is_complete"),
    [("30m", 13, True), ("1h", 7, False), ("2h", 4, False), ("4h", 2, False), ("1d", 1, True), ("45m", 9, False)],
)
def test_windows_of_a_full_day(interval: str, bars_in_day: int, last_is_complete: bool) -> None:
    # One tick every fifteen minutes fills every window of 6.5 hours: 390 min / 45 min = 8.67, so nine.
    times = [clock("09:30:00") + 900_000_000 * quarter for quarter in range(26)]
    bars = series(enriched([10.0] * 26, time=times), interval)
    assert len(bars["bar_index"]) == bars_in_day
    assert bars["is_complete"] == [True] * (bars_in_day - 1) + [last_is_complete]
    assert bars["close_reason"][-1] == (CloseReason.TIME if last_is_complete else CloseReason.SESSION_END)
    assert sum(bars["tick_count"]) == 26


def test_only_basis_c_and_e_set_prices_but_every_tick_counts_in_volume() -> None:
    ticks = enriched([10.0, 99.0, 10.2], size=[100, 7, 300], basis=["C", "O", "C"], time=["10:00:01"] * 3)
    bars = series(ticks, "1m")
    assert (bars["high"], bars["low"]) == ([10.2], [10.0])
    assert (bars["volume"], bars["qualified_volume"]) == ([407], [400])
    assert (bars["tick_count"], bars["qualified_tick_count"]) == ([3], [2])
    assert bars["vwap"] == [pytest.approx((10.0 * 100 + 10.2 * 300) / 400, abs=1e-12)]
    assert bars["total_volume"] == [407]


def test_a_bar_of_ticks_that_set_no_price_has_volume_and_null_prices() -> None:
    bars = series(enriched([10.0], basis=["O"], size=[40]), "1m")
    assert bars["volume"] == [40]
    assert bars["total_volume"] == [40]
    assert all(math.isnan(bars[name][0]) for name in ("open", "high", "low", "close", "vwap", "change"))
    assert bars["direction"] == [0]


def test_order_flow_is_split_by_sign_and_unknown_is_neither() -> None:
    # At the ask, at the bid, and an average-price print that has no aggressor.
    ticks = enriched([10.1, 10.0, 10.05], size=[300, 100, 50], codes=[(), (), (0x05,)], time=["10:00:00"] * 3)
    bars = series(ticks, "1m")
    assert (bars["buy_volume"], bars["sell_volume"], bars["volume"]) == ([300], [100], [450])
    assert bars["volume_imbalance"] == [0.5]
    assert bars["tick_imbalance"] == [0.0]
    assert bars["price_improvement_rate"] == [pytest.approx(1 / 3)]
    assert bars["avg_spread"] == [pytest.approx(0.1)]
    assert bars["avg_trade_size"] == [150.0]
    assert bars["trade_frequency"] == [3.0]


def test_a_constant_spread_has_no_volatility_at_all() -> None:
    # 10.03 − 10.00 is no exact binary number: squares and means must not leave a rounding error behind.
    steady = series(enriched([10.0] * 3, bid=[10.0, 20.0, 30.0], ask=[10.03, 20.03, 30.03]), "1m")
    assert steady["spread_volatility"] == [0.0]
    moving = series(enriched([10.0] * 2, bid=[10.0, 10.0], ask=[10.02, 10.04]), "1m")
    assert moving["spread_volatility"] == [pytest.approx(0.01)]


def test_halves_are_cut_at_the_middle_of_the_window() -> None:
    ticks = enriched([10.0] * 3, size=[100, 200, 700], time=["10:00:00", "10:00:29.999999", "10:00:30"])
    bars = series(ticks, "1m")
    assert (bars["first_half_volume"], bars["second_half_volume"]) == ([300], [700])
    assert bars["temporal_concentration"] == [pytest.approx(0.4)]


def test_fill_makes_bars_of_empty_windows() -> None:
    ticks = enriched([10.0, 10.4], time=["09:31:00", "09:33:10"])
    carried = series(ticks, "1m", fill="previous_close")
    assert len(carried["bar_index"]) == 390
    assert carried["close"][1:5] == [10.0, 10.0, 10.4, 10.4]
    assert math.isnan(carried["close"][0])  # nothing to carry before the first trade
    assert carried["volume"][:4] == [0, 100, 0, 100]
    assert carried["gaps"] == [0] * 390
    empty = series(ticks, "1m", fill="null")
    assert math.isnan(empty["close"][2])
    assert np.isnat(np.array(empty["first_tick_time"][2], dtype="datetime64[ns]"))


def test_sessions_follow_each_other_and_never_share_a_bar() -> None:
    ticks = enriched([10.0, 10.1, 10.2], time=["09:29:59", "09:30:00", "16:00:01"])
    bars = series(ticks, "1h", sessions=("pre", "regular", "after"))
    assert bars["tick_count"] == [1, 1, 1]
    assert bars["bar_index"] == [0, 1, 2]
    assert minutes(bars) == ["09:00", "09:30", "16:00"]


def test_all_is_one_session_on_the_clock() -> None:
    ticks = enriched([10.0, 10.1, 10.2], time=["09:29:59", "09:30:00", "16:00:01"])
    bars = series(ticks, "1h", sessions=("all",))
    assert minutes(bars) == ["09:00", "16:00"]
    assert bars["tick_count"] == [2, 1]


def test_a_session_without_ticks_has_no_bars() -> None:
    bars = time_bars(enriched([10.0], time=["08:00:00"]), TUESDAY)
    assert len(bars) == 0
    check_arrays(BAR_TABLES["time"], bars.columns, "no ticks")


PRICES = st.integers(min_value=990, max_value=1010).map(lambda cents: cents / 100)


@st.composite
def days(draw: st.DrawFn) -> dict[str, NDArray[Any]]:
    """Raw ticks of a busy few minutes around the open or the close, with every kind of trouble."""
    count = draw(st.integers(min_value=1, max_value=40))
    start = draw(st.sampled_from(["09:29:30", "12:00:00", "15:59:00"]))
    steps = draw(st.lists(st.integers(0, 9_000_000), min_size=count, max_size=count))
    times = clock(start) + np.cumsum(steps)
    bid = draw(st.lists(st.one_of(PRICES, st.just(math.nan)), min_size=count, max_size=count))
    wide = draw(st.lists(st.sampled_from([-0.01, 0.0, 0.01, 0.02, 0.05]), min_size=count, max_size=count))
    return raw_ticks(
        draw(st.lists(PRICES, min_size=count, max_size=count)),
        time=times.tolist(),
        size=draw(st.lists(st.sampled_from([1, 99, 100, 500, 10_000]), min_size=count, max_size=count)),
        basis=draw(st.lists(st.sampled_from("CEO"), min_size=count, max_size=count)),
        codes=draw(
            st.lists(
                st.sampled_from([(), (1,), (0x87,), (0x3D, 0x17), (0x40,), (0x05,)]), min_size=count, max_size=count
            )
        ),
        bid=bid,
        ask=[round(one + add, 2) for one, add in zip(bid, wide, strict=True)],
    )


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    raw=days(), interval=st.sampled_from(["5s", "1m", "7m", "1h", "1d"]), session=st.sampled_from(["regular", "all"])
)
def test_every_column_equals_the_plain_twin(raw: dict[str, NDArray[Any]], interval: str, session: Any) -> None:
    ticks = enrich_day(raw, "TEST", TUESDAY)
    expected = plain.time_bars(ticks, TUESDAY, interval_seconds(interval), (session,))
    # Beside another series, so that atoms are merged.
    bars = time_bars(ticks, TUESDAY, BarSettings(intervals=("1s", interval), sessions=(session,))).of(interval)
    assert len(bars["bar_index"]) == len(expected)
    for name in BAR_TABLES["time"].names:
        if name in ("symbol", "family", "parameter"):
            continue
        got = bars[name].astype(np.int64) if bars[name].dtype.kind == "M" else bars[name]
        wanted = [bar[name] for bar in expected]
        np.testing.assert_allclose(
            got.astype(np.float64), np.array(wanted, dtype=np.float64), rtol=1e-9, atol=1e-9, err_msg=name
        )


@settings(max_examples=60, deadline=None)
@given(raw=days(), profile=st.sampled_from(["iqfeed", "sip", "all"]))
def test_laws_of_all_intervals(raw: dict[str, NDArray[Any]], profile: Any) -> None:
    """Every counted share once, prices inside the range, bars in order, whatever the interval and profile."""
    ticks = enrich_day(raw, "TEST", TUESDAY, EnrichmentRules(eligibility_profile=profile))
    bars = time_bars(ticks, TUESDAY)
    counted = (ticks["session"] == Session.REGULAR) & ticks["counts_volume"]
    shares = sum(ticks["size"][counted].tolist())
    for interval in DEFAULT_INTERVALS:
        one = bars.of(interval)
        assert int(one["volume"].sum()) == shares
        assert np.all(np.diff(one["bar_start"].astype(np.int64)) > 0)
        for name in ("open", "close", "vwap"):
            known = ~np.isnan(one[name])
            assert np.all(one["low"][known] <= one[name][known])
            assert np.all(one[name][known] <= one["high"][known])
        assert np.array_equal(one["first_half_volume"] + one["second_half_volume"], one["volume"])


@settings(max_examples=40, deadline=None)
@given(raw=days(), more=st.integers(1, 20))
def test_a_closed_bar_never_changes_when_ticks_arrive(raw: dict[str, NDArray[Any]], more: int) -> None:
    cut = max(len(raw["last"]) - more, 1)
    early = enrich_day({name: array[:cut].copy() for name, array in raw.items()}, "TEST", TUESDAY)
    late = enrich_day(raw, "TEST", TUESDAY)
    closed, final = (time_bars(ticks, TUESDAY, BarSettings(intervals=("5s",))).of("5s") for ticks in (early, late))
    still_open = 1  # the last bar may still take ticks; auction prints may also join it
    for name in ("bar_start", "open", "high", "low", "close", "volume", "vwap", "buy_volume"):
        before = closed[name][: len(closed[name]) - still_open]
        np.testing.assert_array_equal(before, final[name][: len(before)], err_msg=name)


def test_merging_atoms_equals_summing_ticks() -> None:
    times = [clock("10:00:00") + 700_000 * n for n in range(200)]
    prices = [10.0 + (n * 7 % 13) / 100 for n in range(200)]
    ticks = session_ticks(enriched(prices, time=times, size=[n % 5 * 100 + 1 for n in range(200)]), TUESDAY)
    second, minute = time_bar_ends(ticks, "1s").ends, time_bar_ends(ticks, "1m").ends
    together = {number: found for number, _, found in sums_by_series(ticks, [second, minute])}[1]
    ((_, _, alone),) = sums_by_series(ticks, [minute])
    np.testing.assert_array_equal(together.counts, alone.counts)
    np.testing.assert_array_equal(together.reals[:, :12], alone.reals[:, :12])
    price, size = ticks.column("price"), ticks.column("size")
    first = math.fsum(price[: minute[0]] * size[: minute[0]])  # rounded once
    assert alone.reals[0, DOLLARS] == first
    assert float(np.add.reduce(np.cumsum(price * size)[minute[:1] - 1])) != first  # what adding one by one gives


def test_a_malformed_interval_is_refused() -> None:
    ticks = session_ticks(enriched([10.0]), TUESDAY)
    with pytest.raises(ValueError, match="'90x' is no interval"):
        time_bar_ends(ticks, "90x")

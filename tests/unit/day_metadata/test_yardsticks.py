"""What a day leaves for later dates to be compared with."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from fuzzy_pipeline.bars.session_ticks import session_bounds_ns
from fuzzy_pipeline.day_metadata.phase1 import PHASE1_COLUMNS, day_metadata_phase1
from fuzzy_pipeline.schema.codes import Session
from fuzzy_pipeline.schema.day_metadata import Yardsticks
from tests.oracles import day_metadata as plain
from tests.oracles import spreads as plain_spreads
from tests.unit.day_metadata.day_records import REAL_DAYS, real_ticks, record
from tests.unit.day_metadata.phase2_records import NAN, at, quotes
from tests.unit.enrichment.raw_ticks import HALF_DAY


def yardsticks(price: list[float], **given: Any) -> Yardsticks:
    return record(price, **given).yardsticks


def test_95_of_100_shares_in_order_of_size_are_at_the_95th_percentile() -> None:
    # Ranks 0 to 20: the 95th percentile is the one of rank 19.
    assert yardsticks([10.0] * 21, size=list(range(100, 2200, 100))).p95_trade_size == 2000
    # Ranks 0 and 1: 0.95 of the way from 100 to 300.
    assert yardsticks([10.0, 10.0], size=[300, 100]).p95_trade_size == pytest.approx(290)


def test_impact_is_averaged_over_the_trades_of_each_minute() -> None:
    # Buys at 10.10 on a midpoint of 10.05. A minute later it is 10.06, 10.07 and (after the third) 10.05.
    found = yardsticks(
        [10.1, 10.1, 10.06, 10.07, 10.05],
        time=[at(10), at(20), at(70), at(80), at(100)],
        **quotes([10.05, 10.05, 10.06, 10.07, 10.05]),
    )
    minutes = found.minute_impact_60s_bps
    # The first two: 2·0.01 and 2·0.02 of 10.05. The other three trade at their midpoints, by the tick test sells,
    # buys and sells: the midpoint is 10.05 from then on.
    assert minutes[0] == pytest.approx((0.02 + 0.04) / 2 / 10.05 * 1e4)
    assert minutes[1] == pytest.approx((2 * 0.01 / 10.06 - 2 * 0.02 / 10.07 + 0) / 3 * 1e4)
    assert minutes[2:] == [None] * 388
    # Σ PI / Σ ES: 0.02 + 0.04 + 0.02 − 0.04 of 0.1 + 0.1, all of one size.
    assert found.impact_share == pytest.approx(0.04 / 0.2)


def test_the_last_minute_has_no_minute_after_it() -> None:
    found = yardsticks([10.1] * 390, time=[at(60 * minute + 30) for minute in range(390)])
    assert found.minute_impact_60s_bps == [0.0] * 389 + [None]


def test_a_half_day_has_210_minutes() -> None:
    assert len(yardsticks([10.0], date=HALF_DAY).minute_impact_60s_bps) == 210


def test_minute_volatility_is_the_root_mean_square_of_minute_returns() -> None:
    # Open 100, then 110 in the minute of the open; 110 kept for a minute without a trade; 121; 121 until the close.
    found = yardsticks([100.0, 110.0, 121.0], time=[at(60), at(90), at(180)])
    assert found.minute_volatility == pytest.approx(math.sqrt(2 * math.log(1.1) ** 2 / 389))
    assert found.burst_count == 0


def test_prices_that_may_not_be_set_do_not_make_volatility() -> None:
    assert yardsticks([100.0, 50.0, 100.0], basis=["C", "O", "C"]).minute_volatility == 0.0


def test_bursts_are_counted_with_their_median_volume() -> None:
    # Two runs of five changes: 500 shares, and 5 · 300; the fall of one step between them is part of none.
    up = [10.0, 10.01, 10.02, 10.03, 10.04, 10.05]
    found = yardsticks(
        [*up, *up], time=[at(n) for n in range(6)] + [at(100 + n) for n in range(6)], size=[100] * 6 + [300] * 6
    )
    assert (found.burst_count, found.median_burst_volume) == (2, (500 + 1500) / 2)


def test_without_quotes_only_what_needs_them_is_null_and_says_so() -> None:
    found = record([10.0, 10.1], bid=[NAN] * 2, ask=[NAN] * 2)
    assert found.yardsticks.minute_impact_60s_bps == [None] * 390
    assert found.yardsticks.impact_share is None
    assert found.yardsticks.p95_trade_size == 100
    assert found.null_reasons["yardsticks.minute_impact_60s_bps"] == (
        "minutes without a trade whose side, quote and quote 60 s later are known"
    )
    assert found.null_reasons["yardsticks.impact_share"].startswith("no trades whose side, quote and quote 60 s later")


def test_nulls_of_a_day_without_ticks_and_of_one_tick_say_why() -> None:
    nothing, one = record([]), record([10.0])
    assert nothing.yardsticks.minute_impact_60s_bps == [None] * 390
    for field in ("p95_trade_size", "impact_share", "minute_volatility", "median_burst_volume"):
        assert nothing.null_reasons[f"yardsticks.{field}"] == "no counted tick in the regular session"
    assert one.null_reasons["yardsticks.minute_volatility"] == (
        "fewer than two price-setting ticks in the regular session"
    )
    assert one.null_reasons["yardsticks.median_burst_volume"] == (
        "no five changes of price in one direction within five seconds"
    )


@pytest.mark.real_data
@pytest.mark.parametrize("day", REAL_DAYS, ids=lambda day: day[0])
def test_yardsticks_of_a_real_day_are_those_of_plain_python(day: tuple[str, Any], shared_data: Path) -> None:
    symbol, date = day
    ticks = real_ticks(shared_data, symbol, date)
    found = day_metadata_phase1(ticks, symbol, date).yardsticks
    taken = {name: ticks[name].view("int64") if name == "timestamp" else ticks[name] for name in PHASE1_COLUMNS}
    rows = plain.counted(taken, int(Session.REGULAR))
    start_ns, end_ns = session_bounds_ns("regular", date)
    assert found.p95_trade_size == pytest.approx(plain_spreads.percentile([row["size"] for row in rows], 0.95))
    trades = plain.trades_at_horizon(rows, 60, end_ns)
    minutes = plain.by_minute([(row["timestamp"], 1e4 * impact / mid) for row, mid, _, impact in trades], start_ns, 390)
    assert found.minute_impact_60s_bps == [None if one is None else pytest.approx(one, abs=1e-9) for one in minutes]
    if trades:
        impact = math.fsum(impact * row["size"] for row, _, _, impact in trades)
        effective = math.fsum((realised + impact) * row["size"] for row, _, realised, impact in trades)
        assert found.impact_share == pytest.approx(impact / effective)
    else:
        assert (symbol, found.impact_share) == ("SPY", None)
    expected = plain.minute_volatility(rows, start_ns, end_ns)
    assert found.minute_volatility == pytest.approx(expected)

"""The plain time bars themselves, on hand-sized days and against bars that IQFeed made of the same ticks."""

from __future__ import annotations

import csv
import datetime as dt
import math
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest

from fuzzy_pipeline.schema.codes import IQFEED_CONDITIONS, CloseReason
from fuzzy_pipeline.schema.tables import BAR_COLUMNS
from tests.oracles.enrichment import enrich
from tests.oracles.time_bars import Bar, time_bars
from tests.unit.enrichment.raw_ticks import HALF_DAY, TUESDAY, raw_ticks

NAN = math.nan
TIME, SESSION_END = int(CloseReason.TIME), int(CloseReason.SESSION_END)


def bars_of(
    interval: int,
    price: list[float],
    *,
    date: dt.date = TUESDAY,
    sessions: tuple[str, ...] = ("regular",),
    **given: Any,
) -> list[Bar]:
    """Plain bars of hand-made ticks."""
    return time_bars(
        enrich(raw_ticks(price, date=date, **given), date, IQFEED_CONDITIONS, "iqfeed"), date, interval, sessions
    )


def clock_of(instant: int) -> str:
    """Eastern wall-clock time of UTC nanoseconds."""
    return f"{dt.datetime.fromtimestamp(instant / 1e9, ZoneInfo('America/New_York')):%H:%M:%S}"


def test_a_bar_has_every_declared_column() -> None:
    assert set(bars_of(60, [10.0])[0]) == {column.name for column in BAR_COLUMNS}


def test_one_minute_bar_of_four_ticks() -> None:
    # Midpoint 10.25, spread 0.5. Sell 100 at the bid, buy 200 at the ask, buy 300 inside, odd-lot basis O at 11.00.
    bar = bars_of(
        60, [10.00, 10.50, 10.375, 11.00], time=["09:30:00", "09:30:20", "09:30:30", "09:30:59"],
        size=[100, 200, 300, 40], basis=["C", "C", "C", "O"], codes=[(), (), (), (0x87,)],
        bid=[10.0] * 4, ask=[10.5] * 4,
    )[0]  # fmt: skip
    expected = {
        "parameter": "1m", "bar_index": 0, "open": 10.00, "high": 10.50, "low": 10.00, "close": 10.375,
        "volume": 640, "tick_count": 4, "qualified_tick_count": 3, "qualified_volume": 600, "total_volume": 600,
        "dollar_volume": 6_652.5,  # 1,000 + 2,100 + 3,112.5 + 440
        "vwap": 6_212.5 / 600, "typical_price": 30.875 / 3,
        "avg_spread": 0.5, "avg_spread_bps": 0.5 / 10.25 * 10_000, "spread_volatility": 0.0,
        "buy_volume": 540, "sell_volume": 100, "buy_tick_count": 3, "sell_tick_count": 1,
        "buy_dollar_volume": 5_652.5, "sell_dollar_volume": 1_000.0,
        "effective_spread_mean": (0.5 + 0.5 + 0.25 + 1.5) / 4, "at_midpoint_rate": 0.0, "price_improvement_rate": 0.25,
        "avg_trade_size": 160.0, "trade_frequency": 4.0, "quote_intensity": 1 / 60,
        "retail_volume_pct": 140 / 640, "institutional_volume_pct": 0.0, "block_trade_count": 0, "odd_lot_count": 1,
        "first_half_volume": 300, "second_half_volume": 340, "opening_auction_volume": 300, "closing_auction_volume": 0,
        "range": 0.50, "direction": 1, "change": 0.375, "change_pct": 0.0375,
        "volume_imbalance": 440 / 640, "tick_imbalance": 0.5, "dollar_imbalance": 4_652.5 / 6_652.5,
        "temporal_concentration": 40 / 640, "gaps": 0, "is_complete": True, "close_reason": TIME,
        "liquidity_score": 0.3 * 8 + 0.4 * 0 + 0.3 * 16,
    }  # fmt: skip
    for name, value in expected.items():
        assert bar[name] == pytest.approx(value), name
    assert [clock_of(bar[name]) for name in ("bar_start", "timestamp", "first_tick_time", "last_tick_time")] == [
        "09:30:00", "09:31:00", "09:30:00", "09:30:59",
    ]  # fmt: skip


def test_empty_windows_are_skipped_and_counted_as_gaps() -> None:
    bars = bars_of(60, [10.0] * 3, time=["09:32:30", "09:33:00", "09:40:59.999999"])
    assert [(clock_of(bar["bar_start"]), bar["gaps"], bar["bar_index"]) for bar in bars] == [
        ("09:32:00", 2, 0), ("09:33:00", 0, 1), ("09:40:00", 6, 2),
    ]  # fmt: skip


def test_closing_auction_joins_the_last_window() -> None:
    bars = bars_of(60, [10.0, 10.5], time=["15:59:20", "16:00:00.4"], codes=[(), (0x40,)], size=[100, 900])
    assert len(bars) == 1
    assert (bars[0]["volume"], bars[0]["close"], bars[0]["closing_auction_volume"]) == (1_000, 10.5, 900)
    assert clock_of(bars[0]["timestamp"]) == "16:00:00"


@pytest.mark.parametrize(
    ("interval", "date", "start", "end"),
    [
        (3600, TUESDAY, "15:30:00", "16:00:00"),
        (7200, TUESDAY, "15:30:00", "16:00:00"),
        (14400, TUESDAY, "13:30:00", "16:00:00"),
        (3600, HALF_DAY, "12:30:00", "13:00:00"),
    ],
)
def test_a_window_cut_short_by_the_close_is_incomplete(interval: int, date: dt.date, start: str, end: str) -> None:
    full, short = bars_of(
        interval, [10.0, 10.0], date=date, time=["09:30:00", "12:59:59" if date == HALF_DAY else "15:59:59"]
    )
    assert (full["is_complete"], full["close_reason"]) == (True, TIME)
    assert (short["is_complete"], short["close_reason"]) == (False, SESSION_END)
    assert (clock_of(short["bar_start"]), clock_of(short["timestamp"])) == (start, end)


def test_the_day_bar_is_the_session_and_always_complete() -> None:
    (bar,) = bars_of(0, [10.0] * 4, time=["09:29:59", "09:30:00", "15:59:59", "16:00:01"])
    assert (bar["parameter"], bar["tick_count"], bar["is_complete"], bar["close_reason"]) == ("1d", 2, True, TIME)
    assert (clock_of(bar["bar_start"]), clock_of(bar["timestamp"])) == ("09:30:00", "16:00:00")


def test_sessions_follow_each_other_and_never_share_a_bar() -> None:
    times, codes = ["08:00:00", "09:30:00", "16:00:00.4", "16:00:00.5"], [(), (), (0x40,), ()]
    bars = bars_of(3600, [10.0] * 4, time=times, codes=codes, sessions=("pre", "regular", "after"))
    assert [(clock_of(bar["bar_start"]), bar["bar_index"], bar["gaps"]) for bar in bars] == [
        ("08:00:00", 0, 4), ("09:30:00", 1, 0), ("15:30:00", 2, 5), ("16:00:00", 3, 0),
    ]  # fmt: skip


def test_all_is_one_session_on_the_clock() -> None:
    bars = bars_of(
        3600, [10.0] * 3, time=["09:29:59", "09:30:00", "16:00:00.4"], codes=[(), (), (0x40,)], sessions=("all",)
    )
    assert [(clock_of(bar["bar_start"]), bar["tick_count"]) for bar in bars] == [("09:00:00", 2), ("16:00:00", 1)]


def test_a_bar_of_ticks_that_set_no_price_has_null_prices_and_its_volume() -> None:
    (bar,) = bars_of(60, [10.0, 10.0], time=["09:30:00", "09:30:01"], basis=["O", "O"], bid=[NAN, NAN], ask=[NAN, NAN])
    for name in ("open", "high", "low", "close", "vwap", "typical_price", "range", "change", "change_pct", "avg_spread",
                 "spread_volatility", "at_midpoint_rate", "volume_imbalance", "quote_intensity"):  # fmt: skip
        assert math.isnan(bar[name]), name
    assert (bar["volume"], bar["total_volume"], bar["direction"]) == (200, 200, 0)
    assert bar["liquidity_score"] == pytest.approx((0.3 * 4 + 0.3 * 10) / 0.6)  # no spread: two parts, rescaled


def test_quote_changes_look_back_over_bar_borders_but_not_over_sessions() -> None:
    # 10.0/10.1 all morning: one change at the first tick of each session, then none; a lost ask is a change, once.
    bars = bars_of(
        60, [10.0] * 5, time=["09:29:59", "09:30:00", "09:31:00", "09:31:01", "09:31:02"],
        ask=[10.1, 10.1, 10.1, NAN, NAN], sessions=("pre", "regular"),
    )  # fmt: skip
    assert [round(bar["quote_intensity"] * 60) for bar in bars] == [1, 1, 1]


@pytest.mark.real_data
def test_one_second_bars_of_a_captured_day_are_those_iqfeed_made(shared_data: Path) -> None:
    """IQFeed's own bars leave out ticks that set no price; their prices, volume and total volume are the target."""
    date = dt.date(2021, 3, 1)
    table = pq.read_table(shared_data / "ticks" / "symbol=NEPT" / f"date={date}.parquet", partitioning=None)
    raw = {name: table[name].to_numpy() for name in table.column_names}
    raw["last_type"] = raw["last_type"].astype("S1")
    bars = time_bars(enrich(raw, date, IQFEED_CONDITIONS, "iqfeed"), date, 1, ("all",))
    zone = ZoneInfo("America/New_York")
    mine = {
        f"{dt.datetime.fromtimestamp(bar['bar_start'] // 10**9, zone):%Y-%m-%d %H:%M:%S}": (
            bar["open"], bar["high"], bar["low"], bar["close"], bar["qualified_volume"], bar["total_volume"],
        )
        for bar in bars
        if bar["qualified_tick_count"]
    }  # fmt: skip
    with (shared_data / "reference_bars" / "NEPT_iqfeed_1s.csv").open(newline="") as file:
        theirs = {
            row["timestamp"]: (
                float(row["open"]), float(row["high"]), float(row["low"]), float(row["close"]),
                int(row["period_volume"]), int(row["total_volume"]),
            )
            for row in csv.DictReader(file)
            if row["timestamp"].startswith(str(date))
        }  # fmt: skip
    assert len(theirs) > 1_000
    assert mine.keys() == theirs.keys()
    for second, values in theirs.items():
        np.testing.assert_allclose(mine[second], values, rtol=1e-12, err_msg=second)

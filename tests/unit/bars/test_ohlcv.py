"""Prices and volume from bar ends, on ticks a reader can add up and against the full aggregation."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fuzzy_pipeline.bars.aggregate import aggregate
from fuzzy_pipeline.bars.ohlcv import ohlcv
from fuzzy_pipeline.bars.session_ticks import SessionTicks, session_ticks
from fuzzy_pipeline.bars.sums import bar_starts
from fuzzy_pipeline.enrichment import enrich_day
from tests.unit.enrichment.raw_ticks import TUESDAY, raw_ticks

PRICES = ("open", "high", "low", "close")
CLOSING_PRINT = 0x40


def bars(price: list[float], size: list[int], ends: list[int], qualified: list[bool] | None = None) -> dict[str, Any]:
    found = ohlcv(
        np.array(price),
        np.array(size, dtype=np.uint32),
        np.array(ends, dtype=np.int64),
        None if qualified is None else np.array(qualified, dtype=np.bool_),
    )
    return {name: column.tolist() for name, column in found.items()}


def test_prices_shares_and_vwap_of_two_bars() -> None:
    found = bars([10.0, 12.0, 9.0, 11.0, 11.5], [100, 200, 100, 300, 100], [3, 5])
    assert [found[name] for name in PRICES] == [[10.0, 11.0], [12.0, 11.5], [9.0, 11.0], [9.0, 11.5]]
    assert found["volume"] == [400, 400]
    assert found["tick_count"] == [3, 2]
    # 1000 + 2400 + 900 dollars over 400 shares, then 3300 + 1150
    assert found["vwap"] == [10.75, 11.125]


@pytest.mark.parametrize("length", range(1, 14))
@pytest.mark.parametrize("turned", [False, True])
def test_extremes_are_found_wherever_in_the_bar_they_are(length: int, turned: bool) -> None:
    for place in range(length):
        price = [10.0] * length
        price[place] = 8.0 if turned else 12.0
        found = bars([50.0, *price, 1.0], [1] * (length + 2), [1, length + 1, length + 2])
        assert found["high"][1] == max(price)
        assert found["low"][1] == min(price)


def test_a_bar_without_ticks_has_no_prices_and_takes_none_from_its_neighbours() -> None:
    found = bars([10.0, 11.0], [100, 200], [1, 1, 2])
    assert found["open"][::2] == [10.0, 11.0]
    assert all(np.isnan(found[name][1]) for name in (*PRICES, "vwap"))
    assert (found["volume"], found["tick_count"]) == ([100, 0, 200], [1, 0, 1])


def test_ticks_after_the_last_end_are_in_no_bar() -> None:
    found = bars([10.0, 11.0, 99.0], [1, 1, 1], [2])
    assert (found["high"], found["volume"]) == ([11.0], [2])


def test_ticks_that_may_not_set_prices_count_for_volume_alone() -> None:
    found = bars([99.0, 10.0, 1.0, 12.0, 99.0], [5, 100, 5, 100, 5], [5], [False, True, False, True, False])
    assert [found[name] for name in PRICES] == [[10.0], [12.0], [10.0], [12.0]]
    assert (found["volume"], found["tick_count"], found["vwap"]) == ([215], [5], [11.0])


def test_a_bar_without_price_setting_ticks_has_volume_and_no_prices() -> None:
    found = bars([10.0, 11.0], [100, 200], [1, 2], [False, True])
    assert all(np.isnan(found[name][0]) for name in (*PRICES, "vwap"))
    assert (found["volume"], found["close"][1]) == ([100, 200], 11.0)


def test_vwap_of_one_price_is_that_price() -> None:
    # 0.1 + 0.1 + 0.1 is more than 0.3 in binary: the quotient alone may leave the bar's range.
    found = bars([0.1] * 7, [1] * 7, [7])
    assert found["vwap"] == [0.1]


def test_volume_beyond_32_bits_is_exact() -> None:
    most = 2**32 - 1
    assert bars([10.0, 10.0, 10.0], [most, most, 1], [3])["volume"] == [2 * most + 1]


def test_no_ticks_and_no_ends_are_no_bars() -> None:
    assert {name: len(column) for name, column in bars([], [], []).items()} == dict.fromkeys(
        ("open", "high", "low", "close", "vwap", "volume", "tick_count"), 0
    )


@pytest.mark.parametrize(
    ("size", "ends", "qualified"),
    [
        ([1], [1], None),
        ([1, 1], [2, 1], None),
        ([1, 1], [3], None),
        ([1, 1], [-1, 2], None),
        ([1, 1], [2], [True]),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(
    size: list[int], ends: list[int], qualified: list[bool] | None
) -> None:
    with pytest.raises(ValueError, match=r"prices|ends"):
        bars([10.0, 11.0], size, ends, qualified)


# -- against the full aggregation ------------------------------------------------------------------------


def full(ticks: SessionTicks, ends: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
    first = ticks.timestamp[np.minimum(bar_starts(ends), len(ticks) - 1)]
    return aggregate(ticks, [ends], first, ticks.timestamp[np.maximum(ends, 1) - 1])


def assert_same(ticks: SessionTicks, ends: NDArray[np.int64]) -> None:
    """Every bar's prices and volume as the full aggregation has them, vwap but for the order of adding."""
    price, size, qualified = (ticks.column(name) for name in ("price", "size", "is_qualified"))
    assert (qualified == ticks.column("sets_high_low")).all()  # one mark says the same for all prices
    wanted = full(ticks, ends)
    contenders = [ohlcv(price, size, ends, qualified)] + ([ohlcv(price, size, ends)] if qualified.all() else [])
    for found in contenders:
        for name in (*PRICES, "volume", "tick_count"):
            np.testing.assert_array_equal(found[name], wanted[name], err_msg=name)
        np.testing.assert_allclose(found["vwap"], wanted["vwap"], rtol=1e-12, atol=0)


@settings(deadline=None)  # the first example compiles
@given(st.data())
def test_values_are_those_of_the_full_aggregation(data: st.DataObject) -> None:
    cents = data.draw(st.lists(st.integers(900, 1100), min_size=1, max_size=60), label="cents")
    size = data.draw(st.lists(st.integers(1, 5000), min_size=len(cents), max_size=len(cents)), label="size")
    ends = sorted(data.draw(st.sets(st.integers(1, len(cents)), min_size=1), label="ends"))
    raw = raw_ticks([cent / 100 for cent in cents], date=TUESDAY, size=size)
    ticks = session_ticks(enrich_day(raw, "TEST", TUESDAY), TUESDAY)
    assert len(ticks) == len(cents)
    assert_same(ticks, np.array(ends, dtype=np.int64))


@pytest.mark.real_data
@pytest.mark.parametrize(("symbol", "ticks_per_bar"), [("SPY", 500), ("BAC", 50)])
def test_values_of_a_real_day_are_those_of_the_full_aggregation(
    shared_data: Path, symbol: str, ticks_per_bar: int
) -> None:
    date = dt.date(2013, 10, 8)
    table = pq.read_table(shared_data / "ticks" / f"symbol={symbol}" / f"date={date}.parquet", partitioning=None)
    raw = {name: np.array(table[name].to_numpy()) for name in table.column_names}
    raw["last_type"] = raw["last_type"].astype("S1")
    raw["date"] = raw["date"].astype("datetime64[D]")
    ticks = session_ticks(enrich_day(raw, symbol, date), date)
    ends = np.append(np.arange(ticks_per_bar, len(ticks), ticks_per_bar), len(ticks))
    assert_same(ticks, ends)
    price_setting = ticks.column("is_qualified")
    assert 0 < (~price_setting).sum() < 0.01 * len(ticks)
    # All of them allowed to set prices: the same ticks for both.
    columns = {name: ticks.column(name) for name in ticks.ticks}
    columns["is_qualified"] = columns["sets_high_low"] = np.ones(len(ticks), dtype=np.bool_)
    runs = np.array([[0, len(ticks)]])
    assert_same(SessionTicks(ticks.session, ticks.start_ns, ticks.end_ns, runs, columns, ticks.pool), ends)

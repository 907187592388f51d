"""Bars under the names charts use."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fuzzy_pipeline.errors import NotStoredError, SettingsError
from fuzzy_pipeline.query import DateMoved, DatesMissing, get_bars, get_chart_data
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store
from tests.unit.query import simulated_store as sim
from tests.unit.query.hand_made import MONDAY, TUESDAY, WEDNESDAY

NAMES = ["end", "open", "high", "low", "close", "volume", "vwap", "buy_volume", "sell_volume", "trade_count"]


def test_a_candle_stands_at_the_start_of_its_bar(store: Store) -> None:
    chart = get_chart_data("SPY", MONDAY, TUESDAY, "time", "1m", store=store)
    assert list(chart.columns) == NAMES
    assert chart.index.name == "time"
    assert chart.index[0].isoformat() == "2025-11-24T09:30:00-05:00"
    assert chart["end"].iloc[0].isoformat() == "2025-11-24T09:31:00-05:00"
    assert chart["close"].tolist() == [1, 2, 3, 4, 5]


def test_arrow_has_time_first_and_keeps_units(store: Store) -> None:
    chart = get_chart_data("SPY", MONDAY, as_="arrow", store=store)
    assert chart.column_names == ["time", *NAMES]
    assert chart.schema.field("time").type == pa.timestamp("ns", tz="America/New_York")
    assert chart.schema.field("vwap").metadata[b"unit"] == b"USD"


@pytest.mark.parametrize(("family", "parameter"), [("time", "5m"), ("time", "7m"), ("tick", "200")])
def test_every_family_has_a_chart_with_the_values_of_its_bars(simulated: Settings, family: str, parameter: str) -> None:
    chart = get_chart_data("AAPL", sim.TUESDAY, sim.WEDNESDAY, family, parameter, settings=simulated)
    bars = get_bars("AAPL", sim.TUESDAY, sim.WEDNESDAY, family=family, parameter=parameter, settings=simulated)
    assert len(chart) == len(bars) > 10
    for name in NAMES:
        of_bars = bars.index if name == "end" else bars["tick_count" if name == "trade_count" else name]
        np.testing.assert_array_equal(chart[name], of_bars, err_msg=name)
    assert chart.index.tolist() == bars["bar_start"].tolist()
    assert chart.index.is_monotonic_increasing


def test_dates_are_moved_and_missed_as_everywhere(simulated: Settings, store: Store) -> None:
    with pytest.warns(DateMoved, match="using 2025-11-28") as moved:
        get_chart_data("SPY", "2025-11-30", settings=simulated)
    with pytest.warns(DatesMissing, match="left out 1 of 3 dates") as missed:
        get_chart_data("SPY", MONDAY, WEDNESDAY, missing="skip", store=store)
    assert [warning[0].filename for warning in (moved, missed)] == [__file__] * 2


def test_what_makes_no_sense_is_refused(store: Store) -> None:
    with pytest.raises(SettingsError, match="families are built"):
        get_chart_data("SPY", MONDAY, None, "candle", store=store)
    with pytest.raises(NotStoredError, match="nothing is committed for 2025-11-26"):
        get_chart_data("SPY", WEDNESDAY, store=store)

"""Reading bars: ranges, dates, key columns, errors that tell what is there."""

from __future__ import annotations

import datetime as dt
import warnings

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fuzzy_pipeline.errors import CalendarError, NotStoredError, SchemaError, SettingsError
from fuzzy_pipeline.query import DateMoved, DatesMissing, get_bars
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store
from tests.unit.query import simulated_store as sim
from tests.unit.query.hand_made import MONDAY, TUESDAY, WEDNESDAY


def test_only_the_rows_of_the_parameter_are_read_on_each_date(store: Store) -> None:
    bars = get_bars("SPY", MONDAY, TUESDAY, store=store)
    assert bars["close"].tolist() == [1, 2, 3, 4, 5]
    assert bars["date"].tolist() == [MONDAY] * 3 + [TUESDAY] * 2
    assert get_bars("SPY", MONDAY, parameter="1h", store=store)["close"].tolist() == [3]


def test_a_newer_version_that_is_not_committed_is_invisible(store: Store) -> None:
    assert get_bars("SPY", TUESDAY, store=store)["close"].tolist() == [4, 5]


def test_the_frame_is_indexed_by_the_bars_end_in_eastern_time_and_carries_its_key(store: Store) -> None:
    bars = get_bars("spy", "2025-11-24", store=store)
    assert bars.index.name == "timestamp"
    assert str(bars.index.tz) == "America/New_York"
    assert bars.index[0].isoformat() == "2025-11-24T09:31:00-05:00"
    assert bars["bar_start"].iloc[0].isoformat() == "2025-11-24T09:30:00-05:00"
    assert list(bars.columns[:4]) == ["symbol", "date", "family", "parameter"]
    assert bars[["symbol", "family", "parameter"]].drop_duplicates().to_numpy().tolist() == [["SPY", "time", "1m"]]
    assert pd.isna(bars["first_tick_time"].iloc[0])


def test_named_columns_come_alone_and_in_the_order_asked_for(store: Store) -> None:
    bars = get_bars("SPY", MONDAY, columns=["close", "symbol", "open"], store=store)
    assert list(bars.columns) == ["close", "symbol", "open"]
    assert get_bars("SPY", MONDAY, columns=["date"], store=store)["date"].tolist() == [MONDAY] * 3


def test_arrow_has_eastern_nanoseconds_and_nulls_for_what_is_missing(store: Store) -> None:
    bars = get_bars("SPY", MONDAY, as_="arrow", store=store)
    eastern = pa.timestamp("ns", tz="America/New_York")
    assert [bars.schema.field(name).type for name in ("timestamp", "bar_start")] == [eastern, eastern]
    assert bars.column_names[:5] == ["timestamp", "symbol", "date", "family", "parameter"]
    assert bars["theta"].to_pylist() == [None, None, None]
    assert bars["first_tick_time"].null_count == 3
    assert bars["date"].to_pylist() == [MONDAY] * 3
    assert bars["timestamp"][0].as_py().astimezone(dt.UTC) == dt.datetime(2025, 11, 24, 14, 31, tzinfo=dt.UTC)
    assert bars.schema.field("close").metadata[b"unit"] == b"USD"


def test_an_interval_that_was_not_built_names_those_that_were(store: Store) -> None:
    with pytest.raises(NotStoredError, match=r"2025-11-24: 7m time bars were not built; there are 1m, 1h"):
        get_bars("SPY", MONDAY, parameter="7m", store=store)


def test_an_interval_missing_on_one_date_of_a_range_names_that_date(store: Store) -> None:
    with pytest.raises(NotStoredError, match=r"2025-11-25: 1h time bars were not built; there are 1m"):
        get_bars("SPY", MONDAY, TUESDAY, parameter="1h", store=store)


def test_the_same_length_in_other_words_is_the_same_interval(store: Store) -> None:
    assert get_bars("SPY", MONDAY, parameter="60s", store=store)["parameter"].tolist() == ["1m"] * 3


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"parameter": "7x"}, SettingsError, "30s, 7m, 2h or 1d"),
        ({"family": "renko"}, SettingsError, "families are built: time"),
        ({"columns": ["clse"]}, SchemaError, "no column clse; it has"),
        ({"columns": "close"}, SchemaError, "list of names"),
        ({"as_": "polars"}, SchemaError, "'pandas' or 'arrow'"),
        ({"symbol": "SPY,KO"}, SettingsError, "names 2 symbols"),
        ({"symbol": "S/Y"}, SettingsError, "not tickers"),
        ({"start": "yesterday"}, CalendarError, "YYYY-MM-DD"),
        ({"start": dt.datetime(2025, 11, 24, tzinfo=dt.UTC)}, CalendarError, "datetime.date"),
        ({"end": dt.date(2025, 11, 20)}, CalendarError, "2025-11-20"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_would(
    store: Store, arguments: dict[str, object], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        get_bars(**{"symbol": "SPY", "start": MONDAY, "store": store, **arguments})


def test_a_missing_symbol_is_told_with_its_root_failure_and_what_is_there(store: Store) -> None:
    with pytest.raises(NotStoredError) as caught:
        get_bars("KO", MONDAY, store=store)
    lines = str(caught.value).splitlines()
    assert lines == [
        "time_bars KO: nothing is committed for 2025-11-24",
        "raw_ticks failed on 2025-11-24: SourceError: feed down",
        "stored for 2025-11-24: SPY",
        "KO is not in time_bars on any date",
        "build it: fuzzy run 2025-11-24 --symbols KO",
    ]


def test_a_range_with_a_missing_date_is_refused_unless_skipping_is_asked_for(store: Store) -> None:
    with pytest.raises(NotStoredError, match="nothing is committed for 2025-11-26"):
        get_bars("SPY", MONDAY, WEDNESDAY, store=store)
    with pytest.warns(DatesMissing, match="left out 1 of 3 dates that are not stored: 2025-11-26"):
        bars = get_bars("SPY", MONDAY, WEDNESDAY, missing="skip", store=store)
    assert bars["close"].tolist() == [1, 2, 3, 4, 5]


def test_a_holiday_uses_the_last_trading_date_and_says_so(simulated: Settings) -> None:
    with pytest.warns(DateMoved, match=r"2025-11-27 is no trading date \(Thanksgiving Day\): using 2025-11-26") as said:
        bars = get_bars("SPY", "2025-11-27", settings=simulated)
    assert set(bars["date"]) == {sim.WEDNESDAY}
    assert said[0].filename == __file__


def test_a_weekend_uses_the_friday_and_says_so(simulated: Settings) -> None:
    with pytest.warns(DateMoved, match=r"\(a Sunday\): using 2025-11-28"):
        assert set(get_bars("SPY", "2025-11-30", settings=simulated)["date"]) == {sim.HALF_DAY}


def test_a_range_without_a_trading_date_is_refused(store: Store) -> None:
    with pytest.raises(CalendarError, match="no trading date from 2025-11-29 to 2025-11-30"):
        get_bars("SPY", "2025-11-29", "2025-11-30", store=store)


def test_a_range_of_stored_dates_reads_without_warning_and_in_order(simulated: Settings) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        bars = get_bars("SPY", sim.TUESDAY, sim.HALF_DAY, parameter="1h", settings=simulated)
    # 09:30-16:00 is 6.5 hours, 09:30-13:00 on the half day 3.5: seven bars, seven, four.
    assert bars.groupby("date").size().to_dict() == {sim.TUESDAY: 7, sim.WEDNESDAY: 7, sim.HALF_DAY: 4}
    assert bars.index.is_monotonic_increasing
    assert bars.index[-1].isoformat() == "2025-11-28T13:00:00-05:00"


def test_decoding_names_why_a_bar_closed(simulated: Settings) -> None:
    coded = get_bars("SPY", sim.HALF_DAY, parameter="1h", settings=simulated)
    named = get_bars("SPY", sim.HALF_DAY, parameter="1h", decode=True, settings=simulated)
    assert coded["close_reason"].dtype == np.uint8
    assert named["close_reason"].tolist() == ["TIME", "TIME", "TIME", "SESSION_END"]


def test_every_series_of_a_date_holds_the_same_shares(simulated: Settings) -> None:
    held = {
        name: int(get_bars("AAPL", sim.TUESDAY, parameter=name, settings=simulated)["volume"].sum())
        for name in sim.INTERVALS
    }
    assert len(set(held.values())) == 1
    assert held["1d"] > 0


def test_without_a_store_the_error_says_how_to_get_one(simulated: Settings) -> None:
    elsewhere = simulated.model_copy(update={"home": simulated.home / "nowhere"})
    with pytest.raises(NotStoredError, match=r"no store at .*nowhere"):
        get_bars("SPY", sim.TUESDAY, settings=elsewhere)

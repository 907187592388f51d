"""Reading bars: ranges, dates, key columns, errors that tell what is there."""

from __future__ import annotations

import datetime as dt
import shutil
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.errors import CalendarError, NotStoredError, SchemaError, SettingsError
from fuzzy_pipeline.query import DateMoved, DatesMissing, get_bars
from fuzzy_pipeline.query.opening import reading
from fuzzy_pipeline.query.recent import Recent
from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store, create_store
from tests.unit.query import simulated_store as sim
from tests.unit.query.hand_made import MONDAY, TUESDAY, WEDNESDAY, arrays_of, manifest_row


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


def test_the_same_length_in_other_words_is_the_same_interval(store: Store) -> None:
    assert get_bars("SPY", MONDAY, parameter="60s", store=store)["parameter"].tolist() == ["1m"] * 3


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"parameter": "7x"}, SettingsError, "30s, 7m, 2h or 1d"),
        ({"family": "candle"}, SettingsError, "families are built: time, tick"),
        ({"family": "tick"}, SettingsError, "tick bars: '1m' is no amount: write for example 500"),
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


# -- other families ----------------------------------------------------------------------------------------


def test_bars_of_other_families_are_read_by_what_their_parameter_means(simulated: Settings) -> None:
    bars = get_bars("SPY", sim.TUESDAY, family="tick", parameter="1k", settings=simulated)
    assert set(bars["family"]) == {"tick"}
    assert set(bars["parameter"]) == {"1000"}  # as it was stored
    assert bars["tick_count"].iloc[:-1].eq(1000).all()


def test_a_series_of_another_family_is_never_made_up(simulated: Settings) -> None:
    with pytest.raises(NotStoredError) as caught:
        get_bars("SPY", sim.TUESDAY, family="tick", parameter="150", settings=simulated)
    assert str(caught.value).splitlines() == [
        "SPY 2025-11-25: 150 tick bars were not built; there are 50, 100, 200, 500, 1000",
        "build them: add 150 to FUZZY_BARS__TICK__SERIES, then: fuzzy run 2025-11-25 --assets tick_bars",
    ]


# -- intervals that are not stored -------------------------------------------------------------------------


def put(
    store: Store, date: dt.date, close: list[float], ranges: dict[str, list[int]], start: str = "14:30", **more: object
) -> None:
    """Commit SPY's bars of one tick each, one a minute from ``start`` [UTC] on."""
    table = BAR_TABLES["time"]
    starts = np.datetime64(f"{date}T{start}", "ns") + np.arange(len(close)) * np.timedelta64(60, "s")
    ones = [1] * len(close)
    bars = arrays_of(
        table, len(close), bar_start=starts, timestamp=starts + np.timedelta64(60, "s"), open=close, high=close,
        low=close, close=close, vwap=close, volume=ones, tick_count=ones, qualified_tick_count=ones,
        qualified_volume=ones,
    )  # fmt: skip
    version = store.write(table, "SPY", date, bars, {"ranges": ranges, **more})
    store.manifest.commit(table.name, date, [manifest_row(table.name, "SPY", date, version, len(close))])


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Store]:
    """An empty store of bars in a folder."""
    opened = create_store(sim.settings_of(tmp_path / "home"), "simulated", [BAR_TABLES["time"]])
    yield opened
    opened.close()


def test_an_interval_that_is_not_stored_equals_that_built_from_the_ticks(simulated: Settings) -> None:
    bars = get_bars("AAPL", sim.TUESDAY, sim.HALF_DAY, parameter="7m", as_="arrow", settings=simulated)
    rules = BarSettings(intervals=("7m",))
    for date in sim.DATES:
        with reading(simulated, None) as store:
            ticks = store.read(ENRICHED_TICKS, "AAPL", date).arrays
        expected = build_bars(ticks, date, rules, families=("time",))["time"].columns
        rows = bars.filter(pc.equal(bars["date"], pa.scalar(date)))
        assert rows["parameter"].unique().to_pylist() == ["7m"]
        assert rows["volume"].to_pylist() == expected["volume"].tolist()
        assert rows["timestamp"].cast(pa.int64()).to_pylist() == expected["timestamp"].astype(np.int64).tolist()
        for name in ("open", "close", "vwap", "avg_spread_bps", "spread_volatility", "liquidity_score"):
            np.testing.assert_allclose(
                rows[name].to_numpy(), expected[name].astype(float), rtol=1e-9, atol=1e-12, err_msg=name
            )


def test_dates_with_and_without_the_interval_read_together(store: Store) -> None:
    put(store, MONDAY, [1, 2, 3, 3], {"1m": [0, 3], "7m": [3, 4]})
    put(store, TUESDAY, [4, 5], {"1m": [0, 2]})
    put(store, WEDNESDAY, [], {"1m": [0, 0]})
    bars = get_bars("SPY", MONDAY, WEDNESDAY, parameter="420s", columns=["close", "date", "parameter"], store=store)
    assert bars["close"].tolist() == [3, 5]
    assert bars["date"].tolist() == [MONDAY, TUESDAY]
    assert bars["parameter"].tolist() == ["7m", "420s"]  # as it is stored, as it was asked for


def test_an_interval_that_no_stored_one_divides_names_those_there_are(store: Store) -> None:
    put(store, MONDAY, [1, 2], {"2m": [0, 1], "1h": [1, 2]})
    with pytest.raises(NotStoredError) as caught:
        get_bars("SPY", MONDAY, TUESDAY, parameter="7m", store=store)
    assert str(caught.value).splitlines() == [
        "SPY 2025-11-24: 7m time bars were not built; there are 2m, 1h, none of which divides it and the session",
        "build them: add 7m to FUZZY_BARS__INTERVALS, then: fuzzy run 2025-11-24 --assets time_bars",
    ]


def test_sessions_that_the_bars_name_have_windows_of_their_own(store: Store) -> None:
    # 14:25-14:35 UTC is 09:25-09:35: five minutes before the open and five after it.
    put(store, MONDAY, list(range(10)), {"1m": [0, 10]}, "14:25", sessions=["pre", "regular"])
    bars = get_bars("SPY", MONDAY, parameter="10m", store=store)
    assert [f"{stamp:%H:%M}" for stamp in bars["bar_start"]] == ["09:20", "09:30"]
    assert bars["close"].tolist() == [4, 9]
    put(store, MONDAY, list(range(10)), {"1m": [0, 10]}, "14:25", sessions=["all"])
    bars = get_bars("SPY", MONDAY, parameter="45m", store=store)
    assert [f"{stamp:%H:%M}" for stamp in bars["bar_start"]] == ["09:15"]


def test_bars_that_do_not_name_their_sessions_are_taken_for_those_of_the_settings(store: Store) -> None:
    put(store, MONDAY, list(range(10)), {"1m": [0, 10]}, "14:25")
    both = sim.settings_of(Path("nowhere")).model_copy(update={"bars": BarSettings(sessions=("pre", "regular"))})
    assert get_bars("SPY", MONDAY, parameter="10m", store=store, settings=both)["close"].tolist() == [4, 9]
    regular = sim.settings_of(Path("nowhere"))
    with pytest.raises(SettingsError, match="5 bars of 2025-11-24 are not in the sessions regular; set FUZZY_BARS"):
        get_bars("SPY", MONDAY, parameter="10m", store=store, settings=regular)


def test_asking_again_computes_nothing(on_disk: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(on_disk, MONDAY, [1, 2, 3], {"1m": [0, 3]})
    first = get_bars("SPY", MONDAY, parameter="2m", store=on_disk)
    monkeypatch.setattr("fuzzy_pipeline.query.bars.resample_day", lambda *_: pytest.fail("computed again"))
    pd.testing.assert_frame_equal(get_bars("SPY", MONDAY, parameter="2m", store=on_disk), first)
    assert get_bars("SPY", MONDAY, parameter="120s", columns=["close"], store=on_disk)["close"].tolist() == [2, 3]


def test_what_a_reader_does_with_its_frame_is_not_seen_by_the_next(on_disk: Store) -> None:
    put(on_disk, MONDAY, [1, 2, 3], {"1m": [0, 3]})
    bars = get_bars("SPY", MONDAY, parameter="2m", store=on_disk)
    bars["close"].to_numpy()[:] = 99
    assert get_bars("SPY", MONDAY, parameter="2m", store=on_disk)["close"].tolist() == [2, 3]


def test_a_new_version_is_resampled_anew(on_disk: Store) -> None:
    put(on_disk, MONDAY, [1, 2, 3], {"1m": [0, 3]})
    assert get_bars("SPY", MONDAY, parameter="2m", store=on_disk)["close"].tolist() == [2, 3]
    put(on_disk, MONDAY, [5, 6, 7], {"1m": [0, 3]})
    assert get_bars("SPY", MONDAY, parameter="2m", store=on_disk)["close"].tolist() == [6, 7]


def test_a_store_made_anew_in_the_same_folder_is_another_store(tmp_path: Path) -> None:
    settings = sim.settings_of(tmp_path / "home")
    for close in ([1.0, 2.0], [5.0, 6.0]):
        opened = create_store(settings, "simulated", [BAR_TABLES["time"]])
        put(opened, MONDAY, close, {"1m": [0, 2]})
        assert get_bars("SPY", MONDAY, parameter="2m", store=opened)["close"].tolist() == [close[-1]]
        opened.close()
        shutil.rmtree(settings.home)


def test_short_series_are_read_once_a_version(on_disk: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    put(on_disk, MONDAY, [1, 2, 3], {"1m": [0, 2], "1d": [2, 3]})
    put(on_disk, TUESDAY, [4, 5], {"1m": [0, 1], "1d": [1, 2]})
    ask = partial(get_bars, "SPY", MONDAY, TUESDAY, parameter="1d", columns=["date", "close"], store=on_disk)
    first = ask()
    assert first["close"].tolist() == [3, 5]
    for name in ("read_many", "metadata_many"):
        monkeypatch.setattr(
            on_disk.heavy, name, lambda _table, keys, **_: pytest.fail(f"read {keys} again") if keys else []
        )
    pd.testing.assert_frame_equal(ask(), first)
    monkeypatch.undo()
    put(on_disk, TUESDAY, [6, 7], {"1m": [0, 1], "1d": [1, 2]})
    assert ask()["close"].tolist() == [3, 7]
    assert get_bars("SPY", MONDAY, parameter="1m", store=on_disk)["close"].tolist() == [1, 2]


def test_what_was_unused_for_longest_is_let_go_when_there_is_too_much() -> None:
    held = Recent[str](most=4, weigh=len)
    held.put("a", "xx")
    held.put("b", "xx")
    assert held.get("a") == "xx"
    held.put("c", "xx")
    assert held.get("b") is None
    assert [key for key in "abc" if held.get(key)] == ["a", "c"]
    held.put("c", "xxx")  # in place of what was there
    assert [key for key in "abc" if held.get(key)] == ["c"]
    held.put("d", "xxxxx")  # more than may be held at all
    assert len(held) == 0

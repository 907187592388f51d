"""Reading ticks, raw and enriched."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fuzzy_pipeline.errors import NotStoredError, SchemaError, SettingsError
from fuzzy_pipeline.query import get_ticks
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store
from tests.unit.query import simulated_store as sim
from tests.unit.query.hand_made import MONDAY, TUESDAY


def test_enriched_ticks_are_indexed_by_eastern_instants_to_the_microsecond(store: Store) -> None:
    ticks = get_ticks("SPY", MONDAY, store=store)
    assert [instant.isoformat() for instant in ticks.index] == [
        "2025-11-24T09:30:00.000001-05:00",
        "2025-11-24T16:00:00-05:00",
    ]
    assert list(ticks.columns[:3]) == ["symbol", "date", "tick_id"]
    assert len(ticks.columns) == 42  # 42 columns, of which timestamp is the index, and the date of the key


def test_raw_ticks_get_the_instant_from_their_date_and_time(store: Store) -> None:
    ticks = get_ticks("SPY", MONDAY, table="raw", store=store)
    assert [instant.isoformat() for instant in ticks.index] == [
        "2025-11-24T09:30:00.000001-05:00",
        "2025-11-24T16:00:00-05:00",
    ]
    assert ticks["last"].tolist() == [10.5, 11.0]
    assert ticks["last_type"].tolist() == ["C", "Z"]
    assert set(ticks["date"]) == {MONDAY}
    assert len(ticks.columns) == 15  # the 14 fields and the symbol


def test_codes_stay_integers_unless_names_are_asked_for(store: Store) -> None:
    names = ["basis", "session", "exchange", "trade_sign_method", "participant_type"]
    coded = get_ticks("SPY", MONDAY, columns=names, store=store)
    assert [coded[name].dtype for name in names] == [np.uint8] * 5
    named = get_ticks("SPY", MONDAY, columns=names, decode=True, store=store)
    assert named.iloc[0].tolist() == ["LAST_QUALIFIED", "REGULAR", "NYSE", "QUOTE", "RETAIL"]


def test_a_code_without_a_name_is_shown_as_its_number(store: Store) -> None:
    assert get_ticks("SPY", MONDAY, decode=True, store=store)["basis"].tolist() == ["LAST_QUALIFIED", "90"]
    table = get_ticks("SPY", MONDAY, decode=True, as_="arrow", store=store)
    assert table["basis"].to_pylist() == ["LAST_QUALIFIED", "90"]


def test_a_missing_quote_is_nan_in_pandas_and_null_in_arrow(store: Store) -> None:
    assert np.isnan(get_ticks("SPY", MONDAY, store=store)["bid"].iloc[0])
    table = get_ticks("SPY", MONDAY, as_="arrow", store=store)
    assert table["bid"].to_pylist() == [None, 10.0]
    assert table.schema.field("timestamp").type == pa.timestamp("ns", tz="America/New_York")


def test_several_dates_come_one_below_the_other(simulated: Settings) -> None:
    both = get_ticks("SPY", sim.TUESDAY, sim.WEDNESDAY, columns=["date", "price"], settings=simulated)
    first = get_ticks("SPY", sim.TUESDAY, columns=["price"], settings=simulated)
    assert both["price"].iloc[: len(first)].tolist() == first["price"].tolist()
    assert list(dict.fromkeys(both["date"])) == [sim.TUESDAY, sim.WEDNESDAY]
    assert {instant.date() for instant in both.index} == {sim.TUESDAY, sim.WEDNESDAY}


def test_raw_and_enriched_ticks_are_the_same_trades(simulated: Settings) -> None:
    raw = get_ticks("AAPL", sim.HALF_DAY, table="raw", settings=simulated)
    enriched = get_ticks("AAPL", sim.HALF_DAY, settings=simulated)
    assert sorted(zip(raw.index, raw["last"], strict=True)) == sorted(
        zip(enriched.index, enriched["price"], strict=True)
    )


def test_an_unknown_table_or_column_is_refused(store: Store) -> None:
    with pytest.raises(SettingsError, match="there are enriched, raw"):
        get_ticks("SPY", MONDAY, table="cooked", store=store)
    with pytest.raises(SchemaError, match="raw_ticks has no column price; it has"):
        get_ticks("SPY", MONDAY, table="raw", columns=["price"], store=store)


def test_a_date_that_is_not_stored_is_told_with_those_that_are(store: Store) -> None:
    with pytest.raises(NotStoredError, match="SPY is stored on 2025-11-24"):
        get_ticks("SPY", TUESDAY, store=store)


def test_a_date_to_come_is_not_said_to_be_one_that_can_be_built(store: Store) -> None:
    with pytest.raises(NotStoredError, match="2029-01-03 is yet to come") as raised:
        get_ticks("SPY", "2029-01-03", store=store)
    assert "fuzzy run" not in str(raised.value)

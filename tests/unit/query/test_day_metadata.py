"""Reading day records."""

from __future__ import annotations

import pytest

from fuzzy_pipeline.errors import CalendarError, NotStoredError
from fuzzy_pipeline.query import get_bars, get_metadata
from fuzzy_pipeline.query.day_metadata import flat_names
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import open_store
from tests.unit.query import simulated_store as sim


def test_records_come_flat_with_dotted_names_by_date_and_symbol(simulated: Settings) -> None:
    days = get_metadata(settings=simulated)
    expected = [(date, symbol) for date in sim.DATES for symbol in sim.STORED]
    assert list(zip(days["date"], days["symbol"], strict=True)) == expected
    assert list(days.columns) == flat_names()
    assert {"basic_stats.vwap", "basic_stats.total_ticks", "intraday_evolution", "null_reasons"} <= set(days.columns)
    assert str(days["basic_stats.first_tick_time"].dt.tz) == "America/New_York"


def test_a_record_agrees_with_the_days_bar(simulated: Settings) -> None:
    day = get_metadata("SPY", sim.TUESDAY, settings=simulated).iloc[0]
    bar = get_bars("SPY", sim.TUESDAY, parameter="1d", settings=simulated).iloc[0]
    assert day["basic_stats.volume_total"] == bar["volume"]
    assert day["basic_stats.price_close"] == bar["close"]


def test_models_are_the_schemas_own(simulated: Settings) -> None:
    (record,) = get_metadata("SPY", sim.HALF_DAY, as_="models", settings=simulated)
    assert isinstance(record, DayMetadataPhase1)
    assert (record.symbol, record.date) == ("SPY", sim.HALF_DAY)
    assert len(record.intraday_evolution) == 4  # 09:30 to 13:00 in hours from the open


def test_arrow_keeps_the_dotted_names(simulated: Settings) -> None:
    assert get_metadata(as_="arrow", settings=simulated).column_names == flat_names()


def test_symbols_and_dates_limit_what_is_read(simulated: Settings) -> None:
    days = get_metadata("aapl", sim.TUESDAY, sim.WEDNESDAY, settings=simulated)
    assert list(zip(days["symbol"], days["date"], strict=True)) == [("AAPL", sim.TUESDAY), ("AAPL", sim.WEDNESDAY)]


def test_a_record_without_manifest_row_does_not_exist(simulated: Settings, tmp_path_factory) -> None:
    settings = sim.build(tmp_path_factory.mktemp("uncommitted"))
    store = open_store(settings)
    store.manifest.remove(PHASE1_TABLE, sim.TUESDAY, ["SPY"])
    assert get_metadata(None, sim.TUESDAY, store=store)["symbol"].tolist() == ["AAPL"]
    with pytest.raises(NotStoredError, match="no record of SPY"):
        get_metadata("SPY", sim.TUESDAY, store=store)
    store.close()


def test_an_end_without_start_is_refused(simulated: Settings) -> None:
    with pytest.raises(CalendarError, match="end 2025-11-28 without start"):
        get_metadata("SPY", end=sim.HALF_DAY, settings=simulated)

"""Reading day records."""

from __future__ import annotations

import datetime as dt

import pytest

from fuzzy_pipeline.errors import CalendarError, NotStoredError, SchemaError
from fuzzy_pipeline.query import get_bars, get_metadata
from fuzzy_pipeline.query.day_metadata import flat_names
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE, Thresholds, TrailingBaselines, TypicalSpread
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE, DayMetadataPhase1
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE
from fuzzy_pipeline.schema.records import to_table
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store, open_store
from fuzzy_pipeline.trading_calendar import EASTERN
from tests.unit.query import simulated_store as sim
from tests.unit.query.day_rows import commit, put_rows
from tests.unit.query.hand_made import MONDAY, TUESDAY


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


# -- the other kinds of records ----------------------------------------------------------------------------


def baselines(symbol: str, size: float) -> TrailingBaselines:
    """What is usual for a symbol whose large trades have ``size`` shares, with nothing else known."""
    thresholds = Thresholds(
        dates=5, large_trade_size=size, toxic_impact_bps=None, minute_volatility=None, burst_volume=None,
        daily_volume=None, usual_minute_variance=[],
    )  # fmt: skip
    return TrailingBaselines(
        symbol=symbol, date=MONDAY, computed_at=dt.datetime(2025, 11, 24, 17, tzinfo=EASTERN), computation_time_ms=1.0,
        known_dates=5, first_known_date=dt.date(2025, 11, 17), last_known_date=dt.date(2025, 11, 21),
        thresholds=thresholds, time_of_day=[], weekdays=[],
        typical_spread=TypicalSpread(open=0.5, midday=None, close=None), windows=[], records=[],
        null_reasons={"thresholds.daily_volume": "fewer than 20 dates"},
    )  # fmt: skip


@pytest.fixture
def later(store: Store) -> Store:
    """Phase 2 of AAPL on Monday and Tuesday, and baselines on Monday; those of KO nobody committed."""
    for date, vpin in ((MONDAY, 0.25), (TUESDAY, 0.75)):
        rows = [{"symbol": symbol, "date": date, "toxicity_metrics": {"vpin": vpin}} for symbol in ("AAPL", "KO")]
        put_rows(store, PHASE2_TABLE, date, rows)
        commit(store, PHASE2_TABLE, date, ["AAPL"])
    records = [baselines("AAPL", 900.0), baselines("KO", 50.0)]
    store.light.replace_symbols(BASELINES_TABLE, MONDAY, to_table(records, TrailingBaselines), ["AAPL", "KO"])
    commit(store, BASELINES_TABLE, MONDAY, ["AAPL"])
    return store


def test_phase_2_is_read_like_phase_1(later: Store) -> None:
    frame = get_metadata(phase=2, store=later)
    assert frame[["symbol", "date", "toxicity_metrics.vpin"]].to_numpy().tolist() == [
        ["AAPL", MONDAY, 0.25], ["AAPL", TUESDAY, 0.75],
    ]  # fmt: skip
    with pytest.raises(NotStoredError, match="day_metadata_phase2: no record of KO"):
        get_metadata("KO", phase=2, store=later)


def test_baselines_are_read_as_frame_and_as_models(later: Store) -> None:
    frame = get_metadata("AAPL", MONDAY, phase="baselines", store=later)
    assert frame["thresholds.large_trade_size"].tolist() == [900.0]
    assert list(frame.columns) == flat_names("baselines")
    assert get_metadata(phase="baselines", as_="models", store=later) == [baselines("AAPL", 900.0)]


def test_phase_1_is_what_is_read_when_none_is_named(later: Store) -> None:
    with pytest.raises(NotStoredError, match="day_metadata_phase1: no record of any symbol"):
        get_metadata(store=later)


def test_another_phase_is_an_error_that_names_those_there_are(later: Store) -> None:
    with pytest.raises(SchemaError, match="phase=3: choose one of 1, 2, 'baselines'"):
        get_metadata(phase=3, store=later)

"""Rankings of a date: places by hand, who is missing and why, and when a date is ranked again."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fuzzy_pipeline.bars.session_ticks import session_bounds_ns
from fuzzy_pipeline.errors import CalendarError, NotStoredError
from fuzzy_pipeline.ranking_settings import RankingSettings
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.quality import QUALITY_TABLE
from fuzzy_pipeline.schema.rankings import PAIRS_TABLE, RANKINGS_TABLE, CrossSymbolRanking, PairCorrelation
from fuzzy_pipeline.schema.records import from_table
from fuzzy_pipeline.schema.tables import BAR_TABLES, HEAVY_TABLES
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps import rank_symbols
from fuzzy_pipeline.steps.judge_date import QUALITY_ERROR
from fuzzy_pipeline.steps.rank_symbols import RANKING_TABLES, RankingInputs, rank_date, rankings_are_stale
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.retired import FAILED
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import now_eastern, trading_dates_before
from tests.unit.query.hand_made import arrays_of
from tests.unit.steps.planted_rows import FRIDAY, MONDAY, TUESDAY, WEDNESDAY, commit, fail, row

BARS = BAR_TABLES["time"]
SYMBOLS = ("AAA", "BBB", "SPY")
VOLUMES = {"AAA": 300.0, "BBB": 100.0, "SPY": 200.0}
SPREADS = {"AAA": 4.0, "BBB": 1.0, "SPY": 2.0}
RISING = [100.0 * 1.001**number for number in range(78)]
"""Closes of 78 five-minute bars."""


def settings_of(*symbols: str, **rules: Any) -> Settings:
    return Settings(_env_file=None, symbols=symbols or SYMBOLS, rankings=RankingSettings(**rules))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store in memory that ``rank_date`` finds under any settings."""
    found = memory_store("simulated", HEAVY_TABLES)
    monkeypatch.setattr(rank_symbols, "workbench", lambda _: SimpleNamespace(store=found))
    return found


def put_days(
    store: Store,
    date: dt.date,
    volumes: Mapping[str, float | None],
    spreads: Mapping[str, float] = SPREADS,
    content: str = "c",
) -> None:
    """Phase 1 of some symbols with nothing but what is ranked, and quality beside it, committed."""
    rows = [
        {
            "symbol": symbol,
            "date": date,
            "liquidity_profile": {"liquidity_score": None if volume is None else volume / 10},
            "spread_stats": {"median_bps": spreads.get(symbol)},
            "basic_stats": {"volume_total": volume, "dollar_volume": 1000.0, "realised_volatility": 0.01},
        }
        for symbol, volume in volumes.items()
    ]
    schema = pa.schema(
        [
            ("symbol", pa.string()),
            ("date", pa.date32()),
            ("liquidity_profile", pa.struct([("liquidity_score", pa.float64())])),
            ("spread_stats", pa.struct([("median_bps", pa.float64())])),
            (
                "basic_stats",
                pa.struct([(name, pa.float64()) for name in ("volume_total", "dollar_volume", "realised_volatility")]),
            ),
        ]
    )
    store.light.replace_symbols(PHASE1_TABLE, date, pa.Table.from_pylist(rows, schema=schema), list(volumes))
    commit(store, *(row(table, symbol, date, content) for table in (PHASE1_TABLE, QUALITY_TABLE) for symbol in volumes))


def put_bars(store: Store, date: dt.date, closes: Mapping[str, Sequence[float]]) -> None:
    """Five-minute bars of the regular session from its open on, committed."""
    start, _ = session_bounds_ns("regular", date)
    for symbol, prices in closes.items():
        begins = (start + 300_000_000_000 * np.arange(len(prices))).view("datetime64[ns]")
        arrays = arrays_of(
            BARS, len(prices), bar_start=begins, timestamp=begins + np.timedelta64(300, "s"), open=prices,
            close=prices, qualified_tick_count=[1] * len(prices),
        )  # fmt: skip
        version = store.write(BARS, symbol, date, arrays, {"ranges": {"5m": [0, len(prices)]}})
        commit(store, row(BARS.name, symbol, date, version=version))


def ranked(store: Store, date: dt.date = WEDNESDAY) -> dict[str, CrossSymbolRanking]:
    found = from_table(store.light.read(RANKINGS_TABLE, dates=[date]), CrossSymbolRanking)
    return {record.symbol: record for record in found}


def pairs(store: Store, date: dt.date = WEDNESDAY) -> dict[tuple[str, str], PairCorrelation]:
    found = from_table(store.light.read(PAIRS_TABLE, dates=[date]), PairCorrelation)
    return {(record.symbol_a, record.symbol_b): record for record in found}


def rank(settings: Settings | None = None, date: dt.date = WEDNESDAY, *, force: bool = False) -> Any:
    return rank_date(date, settings or settings_of(), force=force)


# -- values --------------------------------------------------------------------------


def test_places_are_those_of_the_planted_values(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    report = rank()
    found = ranked(store)
    assert {symbol: (one.volume.rank, one.volume.percentile) for symbol, one in found.items()} == {
        "AAA": (1, 100.0), "BBB": (3, 0.0), "SPY": (2, 50.0),
    }  # fmt: skip
    assert {symbol: one.median_spread.rank for symbol, one in found.items()} == {"AAA": 3, "BBB": 1, "SPY": 2}
    assert {symbol: one.liquidity_score.value for symbol, one in found.items()} == {"AAA": 30, "BBB": 10, "SPY": 20}
    assert {one.dollar_volume.rank for one in found.values()} == {1}  # all equal
    assert found["AAA"].benchmark.volume_ratio == 1.5
    assert found["AAA"].benchmark.spread_ratio == 2.0
    assert (report.failed, [made.symbol for made in report.rows(RANKINGS_TABLE)]) == ({}, list(SYMBOLS))


def test_a_value_that_is_not_known_is_not_ranked_and_the_others_are(store: Store) -> None:
    put_days(store, WEDNESDAY, {"AAA": None, "BBB": 100.0, "SPY": 200.0})
    rank()
    found = ranked(store)
    assert found["AAA"].volume.rank is None
    assert found["AAA"].null_reasons["volume.rank"] == "volume is not known"
    assert (found["SPY"].volume.rank, found["SPY"].volume.universe_size) == (1, 2)
    assert found["AAA"].median_spread.rank == 3


def test_changes_are_from_the_trading_date_before_and_from_the_mean_of_twenty(store: Store) -> None:
    before = trading_dates_before(FRIDAY, 21)
    for date in before[:-1]:
        put_days(store, date, {"AAA": 100.0})
    put_days(store, before[-1], {"AAA": 200.0})  # the mean of the last 20 is (19 × 100 + 200) / 20 = 105
    put_days(store, FRIDAY, {**VOLUMES, "AAA": 210.0})
    rank(date=FRIDAY)
    found = ranked(store, FRIDAY)
    assert found["AAA"].volume.change_from_yesterday == pytest.approx(0.05)
    assert found["AAA"].volume.change_from_mean == pytest.approx(1.0)
    assert found["BBB"].volume.change_from_yesterday is None
    assert found["BBB"].null_reasons["volume.change_from_yesterday"] == (
        "volume is not known on the trading date before"
    )


def test_an_earlier_date_that_is_not_committed_or_failed_gives_nothing(store: Store) -> None:
    put_days(store, TUESDAY, VOLUMES)
    put_days(store, WEDNESDAY, {symbol: 2 * volume for symbol, volume in VOLUMES.items()})
    store.manifest.remove(PHASE1_TABLE, TUESDAY, ["AAA"])
    fail(store, PHASE1_TABLE, TUESDAY, ["BBB"])
    rank()
    changes = {symbol: one.volume.change_from_yesterday for symbol, one in ranked(store).items()}
    assert changes == {"AAA": None, "BBB": None, "SPY": 1.0}


def test_symbols_are_correlated_by_their_five_minute_returns(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    steps = np.where(np.arange(78) % 3 == 0, 0.002, -0.001)
    up, down = 50.0 * np.exp(np.cumsum(steps)), 80.0 * np.exp(-2 * np.cumsum(steps))
    put_bars(store, WEDNESDAY, {"AAA": up, "SPY": down})
    rank()
    found = pairs(store)
    assert found["AAA", "SPY"].correlation == pytest.approx(-1.0)
    assert found["AAA", "SPY"].n == 78
    assert (found["AAA", "BBB"].correlation, found["AAA", "BBB"].n) == (None, 0)  # BBB has no bars
    assert ranked(store)["AAA"].benchmark.beta == pytest.approx(-0.5)  # SPY moves twice as far, the other way
    assert store.light.read(PAIRS_TABLE, dates=[WEDNESDAY])["symbol"].to_pylist() == ["AAA", "AAA", "BBB"]


def test_bars_of_other_intervals_or_outside_the_session_give_no_returns(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    start, _ = session_bounds_ns("regular", WEDNESDAY)
    early = (start - 600_000_000_000 + 300_000_000_000 * np.arange(80)).view("datetime64[ns]")
    prices = [1.0, 1.0, *RISING]
    for symbol, parameter in (("AAA", "5m"), ("SPY", "5m"), ("BBB", "1m")):
        arrays = arrays_of(
            BARS, 80, bar_start=early, timestamp=early, open=prices, close=prices, qualified_tick_count=[1] * 80
        )
        version = store.write(BARS, symbol, WEDNESDAY, arrays, {"ranges": {parameter: [0, 80]}})
        commit(store, row(BARS.name, symbol, WEDNESDAY, version=version))
    rank()
    assert {key: pair.n for key, pair in pairs(store).items()} == {
        ("AAA", "BBB"): 0, ("AAA", "SPY"): 78, ("BBB", "SPY"): 0,
    }  # fmt: skip


def test_the_sector_of_the_settings_is_compared_with_too(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    rank(settings_of(benchmark="SPY", sectors={"AAA": "BBB"}))
    found = ranked(store)
    assert (found["AAA"].sector.symbol, found["AAA"].sector.volume_ratio) == ("BBB", 3.0)
    assert found["BBB"].sector.symbol is None


# -- missing and failed --------------------------------------------------------------


def test_a_symbol_without_a_record_has_a_row_that_says_so_and_stands_in_the_notes(store: Store) -> None:
    put_days(store, WEDNESDAY, {"AAA": 300.0, "SPY": 200.0})
    report = rank()
    found = ranked(store)
    assert {symbol: one.is_missing for symbol, one in found.items()} == {"AAA": False, "BBB": True, "SPY": False}
    assert found["BBB"].null_reasons["volume.rank"] == "no data on the date"
    assert found["AAA"].volume.universe_size == 2
    assert {made.notes["missing"] for made in report.rows(RANKINGS_TABLE)} == {"BBB"}
    assert {made.symbol for made in store.manifest.rows(PAIRS_TABLE, [WEDNESDAY])} == set(SYMBOLS)
    assert report.failed == {}


def test_when_none_is_missing_nothing_is_noted(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    assert [made.notes for made in rank().rows(RANKINGS_TABLE)] == [{}, {}, {}]


@pytest.mark.parametrize("table", [PHASE1_TABLE, QUALITY_TABLE])
def test_a_symbol_that_failed_is_missing_and_named_with_its_reason(store: Store, table: str) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    fail(store, table, WEDNESDAY, ["BBB"], "broke a rule")
    report = rank()
    assert ranked(store)["BBB"].is_missing
    assert report.failed["BBB"].reason == f"BBB 2025-11-26: no {table}, they failed: broke a rule"
    assert report.failed_in(PAIRS_TABLE).keys() == {"BBB"}
    assert rank().failed.keys() == {"BBB"}  # also when nothing is to be done


def test_a_symbol_whose_bars_failed_is_ranked_without_correlations_and_named(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    put_bars(store, WEDNESDAY, {"AAA": RISING, "SPY": RISING})
    fail(store, BARS.name, WEDNESDAY, ["AAA"])
    report = rank()
    assert ranked(store)["AAA"].volume.rank == 1
    assert pairs(store)["AAA", "SPY"].n == 0
    assert list(report.failed) == ["AAA"]


def test_a_missing_benchmark_leaves_the_relations_unknown_with_the_reason(store: Store) -> None:
    put_days(store, WEDNESDAY, {"AAA": 300.0, "BBB": 100.0})
    rank()
    found = ranked(store)["AAA"]
    assert (found.benchmark.symbol, found.benchmark.volume_ratio) == ("SPY", None)
    assert found.null_reasons["benchmark.volume_ratio"] == "SPY has no data on the date"
    assert found.volume.rank == 1


def test_without_any_record_nothing_is_ranked_and_every_reason_is_told(store: Store) -> None:
    fail(store, PHASE1_TABLE, WEDNESDAY, ["AAA"], "no ticks")
    with pytest.raises(NotStoredError, match=r"none of AAA, BBB, SPY has a day record of acceptable quality\n  AAA"):
        rank()
    assert store.light.read(RANKINGS_TABLE, dates=[WEDNESDAY]) is None


def test_rankings_made_earlier_are_withdrawn_when_no_symbol_may_be_built_upon_any_more(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    rank()
    fail(store, QUALITY_TABLE, WEDNESDAY, list(VOLUMES), "broke a rule", QUALITY_ERROR)
    with pytest.raises(NotStoredError, match="AAA 2025-11-26: no quality_measures, they failed: broke a rule"):
        rank()
    assert [row.table for table in RANKING_TABLES for row in store.manifest.rows(table, [WEDNESDAY])] == []
    store.manifest.clear_failures(QUALITY_TABLE, WEDNESDAY, list(VOLUMES))
    assert {row.symbol for row in rank().computed(RANKINGS_TABLE)} == set(VOLUMES)


def test_rankings_stay_when_the_records_they_compared_could_only_not_be_renewed(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    rank()
    fail(store, PHASE1_TABLE, WEDNESDAY, list(VOLUMES), "the source is down")
    with pytest.raises(NotStoredError, match="the source is down"):
        rank()
    assert {row.symbol for row in store.manifest.rows(RANKINGS_TABLE, [WEDNESDAY])} == set(VOLUMES)


def test_a_record_whose_row_is_gone_is_an_error(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    rows = store.light.read(PHASE1_TABLE, dates=[WEDNESDAY])
    assert rows is not None
    store.light.replace_symbols(PHASE1_TABLE, WEDNESDAY, rows.slice(0, 0), ["AAA"])
    with pytest.raises(NotStoredError, match="rows of committed symbols are gone"):
        rank()


def test_a_holiday_is_refused(store: Store) -> None:
    with pytest.raises(CalendarError, match="2025-11-27 is not a trading date"):
        rank(date=dt.date(2025, 11, 27))


# -- again ---------------------------------------------------------------------------


def test_a_second_run_does_nothing_and_a_forced_one_gives_the_same(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    assert len(rank().committed) == 3
    before = store.manifest.rows(RANKINGS_TABLE, [WEDNESDAY])
    again = rank()
    assert (again.committed, len(again.skipped)) == ([], 6)
    assert store.manifest.rows(RANKINGS_TABLE, [WEDNESDAY]) == before
    forced = rank(force=True)
    assert [made.content_hash for made in forced.rows(RANKINGS_TABLE)] == [made.content_hash for made in before]
    assert len(forced.committed) == 3


def changed_record(store: Store) -> None:
    put_days(store, WEDNESDAY, {**VOLUMES, "BBB": 400.0}, content="changed")


def changed_earlier_record(store: Store) -> None:
    put_days(store, TUESDAY, VOLUMES, content="changed")


def new_bars(store: Store) -> None:
    put_bars(store, WEDNESDAY, {"AAA": RISING})


def failed_quality(store: Store) -> None:
    fail(store, QUALITY_TABLE, WEDNESDAY, ["AAA"])


@pytest.mark.parametrize("change", [changed_record, changed_earlier_record, new_bars, failed_quality])
def test_what_is_compared_makes_the_date_stale_when_it_changes(store: Store, change: Any) -> None:
    put_days(store, MONDAY, VOLUMES)
    put_days(store, TUESDAY, VOLUMES)
    put_days(store, WEDNESDAY, VOLUMES)
    rank()
    assert not rankings_are_stale(store, settings_of(), WEDNESDAY)
    change(store)
    assert rankings_are_stale(store, settings_of(), WEDNESDAY)
    assert len(rank().committed) == 3
    assert not rankings_are_stale(store, settings_of(), WEDNESDAY)


def test_later_dates_and_other_symbols_do_not_make_it_stale(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    rank()
    put_days(store, FRIDAY, VOLUMES)
    put_days(store, WEDNESDAY, {"XXX": 1.0})  # not in the settings
    assert not rankings_are_stale(store, settings_of(), WEDNESDAY)


@pytest.mark.parametrize("rules", [{"benchmark": "AAA"}, {"sectors": {"AAA": "BBB"}}, {"minimum_returns": 5}])
def test_other_rules_make_it_stale(store: Store, rules: dict[str, Any]) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    rank()
    assert rankings_are_stale(store, settings_of(**rules), WEDNESDAY)


def test_a_symbol_that_the_settings_no_longer_name_disappears_from_the_date(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    rank()
    fewer = settings_of("AAA", "SPY")
    assert rankings_are_stale(store, fewer, WEDNESDAY)
    rank(fewer)
    assert ranked(store).keys() == {"AAA", "SPY"}
    assert pairs(store).keys() == {("AAA", "SPY")}
    for table in (RANKINGS_TABLE, PAIRS_TABLE):
        assert [made.symbol for made in store.manifest.rows(table, [WEDNESDAY])] == ["AAA", "SPY"]
    assert not rankings_are_stale(store, fewer, WEDNESDAY)


def test_a_date_whose_bars_were_retired_stays_as_it_was_ranked(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    put_bars(store, WEDNESDAY, {"AAA": RISING, "SPY": RISING})
    rank()
    old = store.manifest.rows(BARS.name, [WEDNESDAY])
    store.retired.add(WEDNESDAY, old, now_eastern(), "too old")
    store.manifest.remove(BARS.name, WEDNESDAY, ["AAA", "SPY"])
    assert not rankings_are_stale(store, settings_of(), WEDNESDAY)
    rank()
    assert pairs(store)["AAA", "SPY"].n == 78
    with pytest.raises(NotStoredError, match="time_bars were retired"):
        rank(force=True)
    put_bars(store, WEDNESDAY, {"AAA": RISING, "SPY": RISING})
    assert len(rank(force=True).committed) == 3


def retire(store: Store, date: dt.date, *tables: str, notes: Mapping[str, str] | None = None) -> None:
    for table in tables:
        rows = [row.model_copy(update={"notes": dict(notes or {})}) for row in store.manifest.rows(table, [date])]
        store.retired.add(date, rows, rows[0].committed_at, "too old")
        store.manifest.remove(table, date, [row.symbol for row in rows])


def test_earlier_dates_that_are_retired_one_after_the_other_leave_the_date_as_it_was_ranked(store: Store) -> None:
    for date in (MONDAY, TUESDAY, WEDNESDAY):
        put_days(store, date, VOLUMES)
    rank()
    retire(store, MONDAY, PHASE1_TABLE)
    assert not rankings_are_stale(store, settings_of(), WEDNESDAY)
    rank(force=True)  # without Monday
    assert not rankings_are_stale(store, settings_of(), WEDNESDAY)
    retire(store, TUESDAY, PHASE1_TABLE)
    assert not rankings_are_stale(store, settings_of(), WEDNESDAY)
    rank(force=True)  # without the date before, too
    assert ranked(store)["AAA"].volume.change_from_yesterday is None
    assert not rankings_are_stale(store, settings_of(), WEDNESDAY)
    put_days(store, TUESDAY, VOLUMES)
    assert rankings_are_stale(store, settings_of(), WEDNESDAY)


def test_an_earlier_date_that_had_failed_is_no_input_once_it_is_retired(store: Store) -> None:
    put_days(store, TUESDAY, VOLUMES)
    put_days(store, WEDNESDAY, VOLUMES)
    fail(store, PHASE1_TABLE, TUESDAY, list(VOLUMES))
    rank()
    store.manifest.clear_failures(PHASE1_TABLE, TUESDAY, list(VOLUMES))
    retire(store, TUESDAY, PHASE1_TABLE, notes={FAILED: "the disk is full"})
    rows = store.manifest.rows(RANKINGS_TABLE, [WEDNESDAY])
    assert [row.input_hash for row in rows] == [RankingInputs(store, settings_of(), WEDNESDAY).hash] * len(rows)
    assert RankingInputs(store, settings_of(), WEDNESDAY).made_without == {}


def test_rankings_that_are_retired_with_what_they_compared_are_left_alone(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    rank()
    retire(store, WEDNESDAY, PHASE1_TABLE, QUALITY_TABLE, *RANKING_TABLES)
    assert not rankings_are_stale(store, settings_of(), WEDNESDAY)
    assert rank().computed(RANKINGS_TABLE) == []


def test_rankings_that_are_made_again_are_not_retired_any_more(store: Store) -> None:
    put_days(store, WEDNESDAY, VOLUMES)
    rank()
    retire(store, WEDNESDAY, *RANKING_TABLES)
    rank(force=True)
    assert [row for table in RANKING_TABLES for row in store.retired.rows(table)] == []

"""Rules as data: each fails on what it is about, and the measures they are about add up."""

from __future__ import annotations

import datetime as dt
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.bars.session_ticks import counted_shares, session_bounds_ns
from fuzzy_pipeline.day_metadata.phase1 import day_metadata_phase1
from fuzzy_pipeline.quality.measures import IngestCounts, quality_measures
from fuzzy_pipeline.quality.rules import (
    BAR_MEASURE_COLUMNS,
    WHY_NULL,
    QualityRule,
    bar_measures,
    enriched_tick_measures,
    measure_values,
    measures_of_rules,
    non_finite_values,
    phase1_measures,
    phase2_measures,
    quality_rules,
    ranking_measures,
    raw_tick_measures,
    rules_of,
)
from fuzzy_pipeline.quality_settings import QualitySettings
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE, DayMetadataPhase2, SpreadHorizon
from fuzzy_pipeline.schema.quality import QUALITY_TABLE
from fuzzy_pipeline.schema.rankings import RANKINGS_TABLE
from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.trading_calendar import EASTERN
from tests.unit.day_metadata.day_records import REAL_DAYS, enriched, real_ticks, record
from tests.unit.enrichment.raw_ticks import TUESDAY

PAGE = Path(__file__).resolve().parents[3] / "docs" / "methodology" / "data_quality.md"
BAR_NAMES = [table.name for table in BAR_TABLES.values()]


# -- the rules ---------------------------------------------------------------------


def test_every_table_has_rules_and_every_rule_a_table() -> None:
    tables = {rule.table for rule in quality_rules()}
    assert tables == {
        RAW_TICKS.name, ENRICHED_TICKS.name, *BAR_NAMES, PHASE1_TABLE, PHASE2_TABLE, QUALITY_TABLE, RANKINGS_TABLE,
    }  # fmt: skip
    assert not rules_of("no_such_table")


def test_names_are_unique_within_a_table_and_reasons_are_given() -> None:
    names = [(rule.table, rule.name) for rule in quality_rules()]
    assert len(set(names)) == len(names)
    assert all(rule.reason for rule in quality_rules())


def test_thresholds_come_from_the_settings() -> None:
    chosen = QualitySettings(unexplained_silent_minutes=17, least_ratio=0.3)
    bounds = {rule.name: (rule.minimum, rule.maximum) for rule in rules_of(QUALITY_TABLE, chosen)}
    assert [bounds["silence_is_explained"], bounds["volume_is_usual"]] == [(None, 17), (0.3, 5.0)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"minimum": None, "maximum": None}, "has no bound"),
        ({"minimum": 2.0, "maximum": 1.0}, r"minimum 2.0 is above maximum 1.0"),
        ({"mostly": 0.0}, "a share above 0, not 0.0"),
        ({"mostly": 1.5}, "a share above 0, not 1.5"),
    ],
)
def test_a_rule_that_cannot_fail_or_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    given = {"minimum": 0.0, "maximum": 1.0, **changes}
    with pytest.raises(ValueError, match=message):
        QualityRule("r", "t", "m", severity="error", reason="because", **given)


def test_the_page_lists_every_rule_with_its_bounds_and_severity() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \| (.+?) \| (error|warning) \|", PAGE.read_text("utf-8"), re.MULTILINE)
    listed = {name: (measure, bounds, severity) for name, measure, bounds, severity in rows}
    expected = {rule.name: (rule.measure, _bounds(rule), rule.severity) for rule in quality_rules()}
    assert listed == expected


def _bounds(rule: QualityRule) -> str:
    low, high = (None if bound is None else f"{bound:g}" for bound in (rule.minimum, rule.maximum))
    if low == high:
        text = f"= {low}"
    elif low is None or high is None:
        text = f"≤ {high}" if low is None else f"≥ {low}"
    else:
        text = f"{low} to {high}"
    return text if rule.mostly is None else f"{text} for {rule.mostly:.0%} of symbols"


# -- ticks -------------------------------------------------------------------------


def raw(**changes: Any) -> dict[str, float]:
    given: dict[str, Any] = {
        "rows_in": 100, "rows_stored": 97, "set_aside": 2, "official": 1, "latency_s": 1.5,
        "fetched_at": dt.datetime(2013, 10, 8, 16, 30, tzinfo=EASTERN),
    }  # fmt: skip
    return raw_tick_measures(TUESDAY, **{**given, **changes})


def test_rows_of_raw_ticks_add_up_and_are_fetched_after_the_close() -> None:
    assert raw() == {
        "unaccounted_rows": 0, "set_aside_share": 0.02, "source_latency_s": 1.5, "fetched_after_close_s": 1800.0,
    }  # fmt: skip


def test_a_lost_row_and_a_fetch_before_the_close_show() -> None:
    assert raw(rows_stored=96)["unaccounted_rows"] == 1
    assert raw(rows_stored=98)["unaccounted_rows"] == -1
    noon_in_london = dt.datetime(2013, 10, 8, 17, 0, tzinfo=dt.UTC)  # 13:00 in New York
    assert raw(fetched_at=noon_in_london)["fetched_after_close_s"] == -10_800


def test_a_day_without_rows_has_no_share() -> None:
    assert math.isnan(raw(rows_in=0, rows_stored=0, set_aside=0, official=0)["set_aside_share"])


def test_enriched_ticks_are_compared_with_raw_ticks_and_their_schema() -> None:
    columns = list(enriched([10.0]))
    assert enriched_tick_measures(5, 5, columns) == {"row_difference": 0, "missing_columns": 0}
    columns.remove("spread")
    assert enriched_tick_measures(5, 4, columns) == {"row_difference": -1, "missing_columns": 1}


# -- bars --------------------------------------------------------------------------

NAN = math.nan


def bars(**changes: tuple[int, Any]) -> dict[str, NDArray[Any]]:
    """Series ``a`` of two bars and ``b`` of one, each of 300 shares; then single values are changed."""
    columns: dict[str, NDArray[Any]] = {
        "bar_index": np.array([0, 1, 0], dtype=np.uint32),
        "bar_start": np.array([0, 60, 0], dtype="datetime64[s]").astype("datetime64[ns]"),
        "open": np.array([10.0, 10.2, 10.0]), "high": np.array([10.2, 10.3, 10.3]),
        "low": np.array([10.0, 10.1, 10.0]), "close": np.array([10.2, 10.1, 10.1]),
        "vwap": np.array([10.1, 10.2, 10.15]),
        "volume": np.array([100, 200, 300], dtype=np.uint64), "tick_count": np.array([1, 2, 3], dtype=np.uint32),
    }  # fmt: skip
    for name, (row, value) in changes.items():
        columns[name][row] = value
    return columns


def bar_faults(ticks_volume: int = 300, **changes: tuple[int, Any]) -> dict[str, float]:
    """Measures that are not 0."""
    found = bar_measures(bars(**changes), {"a": (0, 2), "b": (2, 3)}, ticks_volume)
    return {name: value for name, value in found.items() if value != 0 and not math.isnan(value)}


def test_good_bars_have_no_fault() -> None:
    assert bar_faults() == {}


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"high": (0, 9.0)}, {"ohlc_violations": 1, "vwap_violations": 1}),
        ({"open": (1, 10.05)}, {"ohlc_violations": 1}),
        ({"open": (1, 10.35)}, {"ohlc_violations": 1}),
        ({"close": (2, 9.99)}, {"ohlc_violations": 1}),
        ({"close": (2, 10.31)}, {"ohlc_violations": 1}),
        ({"vwap": (1, 10.05)}, {"vwap_violations": 1}),
        ({"vwap": (1, 10.35)}, {"vwap_violations": 1}),
        ({"bar_index": (1, 0)}, {"duplicate_keys": 1}),
        ({"volume": (1, 150)}, {"volume_difference": -50}),
        ({"volume": (2, 800)}, {"volume_difference": 500}),
    ],
)
def test_a_planted_fault_is_counted(changes: dict[str, Any], fault: dict[str, float]) -> None:
    assert bar_faults(**changes) == fault


def test_a_price_of_zero_is_a_violation() -> None:
    assert bar_faults(low=(0, 0.0)) == {"ohlc_violations": 1}


def test_the_series_furthest_off_is_told() -> None:
    assert bar_faults(volume=(0, 90), tick_count=(0, 1), ticks_volume=310) == {"volume_difference": -20}


def test_a_bar_without_prices_breaks_no_order() -> None:
    unpriced: Any = dict.fromkeys(("open", "high", "low", "close", "vwap"), (0, NAN))
    assert bar_faults(**unpriced) == {}


def test_bars_that_do_not_exist_lose_all_shares() -> None:
    nothing = {name: array[:0] for name, array in bars().items()}
    assert bar_measures(nothing, {"a": (0, 0)}, 300)["volume_difference"] == -300


def minute_difference(counted: int, **changes: tuple[int, Any]) -> float:
    found = bar_measures(
        bars(**changes), {"1m": (0, 2), "b": (2, 3)}, 300, regular=(0, 120 * 10**9), counted_minutes=counted
    )
    return found["minute_bar_difference"]


def test_minutes_with_ticks_have_a_bar_each() -> None:
    assert (minute_difference(2), minute_difference(3), minute_difference(1)) == (0, -1, 1)


def test_bars_without_ticks_and_bars_of_other_sessions_are_no_traded_minutes() -> None:
    assert minute_difference(1, tick_count=(1, 0)) == 0
    assert minute_difference(1, bar_start=(1, np.datetime64(120, "s"))) == 0


def test_without_minute_bars_the_difference_is_unknown() -> None:
    assert math.isnan(bar_measures(bars(), {"5m": (0, 2)}, 300)["minute_bar_difference"])


# -- records -----------------------------------------------------------------------


def test_a_day_record_adds_up() -> None:
    found = phase1_measures(record([10.0, 10.05, 10.1]))
    assert found.pop("place_rate_residual") == pytest.approx(0, abs=1e-12)
    assert set(found.values()) == {0}


def test_a_day_record_that_does_not_add_up_shows_where() -> None:
    good = record([10.0, 10.05, 10.1])  # a tick at the bid, one inside, one at the ask
    flow = good.trade_classification.model_copy(update={"buy_count": good.trade_classification.buy_count + 1})
    places = good.execution_quality.model_copy(update={"at_bid_rate": 0.5, "at_midpoint_rate": math.inf})
    stats = good.basic_stats.model_copy(update={"volume_total": good.basic_stats.volume_total - 100})
    found = phase1_measures(good.model_copy(update={"trade_classification": flow, "execution_quality": places}))
    assert (found["side_residual"], found["non_finite_values"]) == (1, 1)
    assert found["place_rate_residual"] == pytest.approx(0.5 - 1 / 3)
    found = phase1_measures(good.model_copy(update={"basic_stats": stats}))
    assert (found["side_residual"], found["venue_residual"]) == (100, 100)
    hours = good.intraday_evolution[:0]
    assert phase1_measures(good.model_copy(update={"intraday_evolution": hours}))["hour_residual"] == -3


def test_without_quotes_there_are_no_places_to_add() -> None:
    found = phase1_measures(record([10.0], bid=[NAN], ask=[NAN]))
    assert math.isnan(found["place_rate_residual"])
    assert WHY_NULL["place_rate_residual"].startswith("no counted tick with 0 < bid < ask")


def horizon(**parts: float) -> SpreadHorizon:
    names = [name for name in SpreadHorizon.model_fields if name not in ("horizon_s", "n")]
    return SpreadHorizon(horizon_s=60, n=1, **{**dict.fromkeys(names), **parts})


def test_effective_spread_is_realised_spread_and_impact() -> None:
    good = horizon(effective_spread_bps=5.0, realised_spread_bps=3.0, price_impact_bps=2.0)
    bad = horizon(effective_spread_usd_vw=0.5, realised_spread_usd_vw=0.25, price_impact_usd_vw=0.125)
    for horizons, expected in (([good], 0.0), ([good, bad], 0.125)):
        found = phase2_measures(DayMetadataPhase2.model_construct(spread_horizons=horizons))
        assert found == {"non_finite_values": 0, "spread_identity_residual": expected}
    nothing = phase2_measures(DayMetadataPhase2.model_construct(spread_horizons=[horizon()]))
    assert math.isnan(nothing["spread_identity_residual"])


def test_numbers_that_are_not_finite_are_found_wherever_they_are() -> None:
    assert non_finite_values({"a": [1.0, NAN], "b": {"c": (math.inf, -math.inf, None, 3, "nan")}}) == 3
    assert non_finite_values(horizon(mean_age_s=NAN)) == 1


def test_symbols_that_are_not_ranked_are_missing() -> None:
    assert ranking_measures(["A", "B", "C"], ["C", "A", "X"]) == {"missing_symbols": 1}


def test_measures_of_a_record_are_its_fields_as_numbers() -> None:
    ticks = enriched([10.0])
    found = quality_measures(
        ticks, "TEST", TUESDAY, phase1=day_metadata_phase1(ticks, "TEST", TUESDAY), ingest=IngestCounts(1, 1, 0)
    )
    values = measure_values(found.model_copy(update={"daily_bar_matches": True}), QUALITY_TABLE)
    assert set(values) == set(measures_of_rules(QUALITY_TABLE))
    assert (values["daily_bar_matches"], values["duplicate_count"]) == (1.0, 0.0)
    assert math.isnan(values["volume_ratio"])


# -- real days ---------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.parametrize(("symbol", "date"), REAL_DAYS, ids=str)
def test_real_bars_and_records_have_no_fault(shared_data: Path, symbol: str, date: dt.date) -> None:
    ticks = real_ticks(shared_data, symbol, date)
    phase1 = day_metadata_phase1(ticks, symbol, date)
    counted = quality_measures(ticks, symbol, date, phase1=phase1, ingest=IngestCounts(1, 1, 0)).counted_minutes
    shares, regular = counted_shares(ticks, ("regular",)), session_bounds_ns("regular", date)
    for family, built in build_bars(ticks, date).items():
        taken = {name: built.columns[name] for name in BAR_MEASURE_COLUMNS}
        found = bar_measures(taken, built.ranges, shares, regular=regular, counted_minutes=counted)
        assert {name: value for name, value in found.items() if value} == (
            {} if family == "time" else {"minute_bar_difference": pytest.approx(NAN, nan_ok=True)}
        )
    totals = phase1_measures(phase1)
    assert totals.pop("place_rate_residual") == pytest.approx(0 if symbol != "SPY" else NAN, abs=1e-9, nan_ok=True)
    assert set(totals.values()) == {0}

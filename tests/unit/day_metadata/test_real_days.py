"""Records of real days: parts add up to wholes, and plain Python says the same."""

from __future__ import annotations

import math
import re
import statistics
from pathlib import Path
from typing import Any

import pytest

from fuzzy_pipeline.bars.session_ticks import session_bounds_ns
from fuzzy_pipeline.day_metadata.phase1 import PHASE1_COLUMNS, day_metadata_phase1
from fuzzy_pipeline.schema.codes import Exchange, Session
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from tests.oracles import day_metadata as plain
from tests.oracles import execution_quality as plain_execution
from tests.oracles import liquidity as plain_liquidity
from tests.oracles import spreads as plain_spreads
from tests.oracles import trade_flow as plain_flow
from tests.oracles import venues as plain_venues
from tests.unit.day_metadata.day_records import REAL_DAYS, real_ticks

pytestmark = pytest.mark.real_data

PAGE = Path(__file__).resolve().parents[3] / "docs" / "methodology" / "day_metadata.md"


@pytest.fixture(scope="module", params=REAL_DAYS, ids=lambda day: day[0])
def day(request: pytest.FixtureRequest, shared_data: Path) -> tuple[DayMetadataPhase1, dict[str, Any]]:
    """A record and the ticks it is of."""
    symbol, date = request.param
    ticks = real_ticks(shared_data, symbol, date)
    return day_metadata_phase1(ticks, symbol, date), ticks


Day = tuple[DayMetadataPhase1, dict[str, Any]]


def test_buys_sells_and_neutral_ticks_are_all_counted_ticks(day: Day) -> None:
    stats, flow = day[0].basic_stats, day[0].trade_classification
    assert flow.buy_count + flow.sell_count + flow.neutral_count == stats.total_ticks
    assert flow.buy_volume + flow.sell_volume + flow.neutral_volume == stats.volume_total
    dollars = flow.buy_dollar_volume + flow.sell_dollar_volume + flow.neutral_dollar_volume
    assert dollars == pytest.approx(stats.dollar_volume)


def test_places_in_the_quote_are_all_open_quotes(day: Day) -> None:
    execution = day[0].execution_quality
    rates = (
        execution.at_bid_rate, execution.at_ask_rate, execution.price_improvement_rate, execution.outside_quote_rate,
    )  # fmt: skip
    if execution.open_quote_ticks:
        assert sum(rate for rate in rates if rate is not None) == pytest.approx(1)
    else:
        assert rates == (None,) * 4
        assert day[0].symbol == "SPY"


def test_venues_and_hours_are_the_whole_session(day: Day) -> None:
    record, _ = day
    venues = record.venue_analysis.venues
    assert sum(venue.volume for venue in venues) == record.basic_stats.volume_total
    assert sum(venue.trade_count for venue in venues) == record.basic_stats.total_ticks
    assert sum(venue.volume_share for venue in venues) == pytest.approx(1)
    assert sum(bucket.volume_pct or 0 for bucket in record.intraday_evolution) == pytest.approx(1)
    assert sum(bucket.trade_count for bucket in record.intraday_evolution) == record.basic_stats.total_ticks


def test_real_days_are_complete_but_for_official_prints(day: Day) -> None:
    """The captured tapes have every id and every share; official prints took an id each and are stored apart."""
    quality = day[0].data_quality
    assert 1 <= quality.tick_id_holes <= 4
    assert (quality.lost_tick_count, quality.missing_volume, quality.excess_volume) == (0, 0, 0)
    assert (quality.duplicate_count, quality.out_of_order_count) == (0, 0)
    assert quality.completeness_score == 1.0
    assert quality.data_quality_level == "HIGH"


def test_every_null_has_a_reason(day: Day) -> None:
    dumped = day[0].model_dump(exclude={"null_reasons"})
    # The minutes' impacts are one list with one reason: the last minute has none.
    assert None in dumped["yardsticks"].pop("minute_impact_60s_bps")
    assert len(day[0].null_reasons) == str(dumped).count(": None") + 1


def test_spreads_flow_sizes_and_venues_are_those_of_the_counted_regular_ticks(day: Day) -> None:
    record, ticks = day
    rows = plain.counted({name: ticks[name] for name in PHASE1_COLUMNS}, int(Session.REGULAR))
    price, size, bid, ask, sign = (
        [row[name] for row in rows] for name in ("price", "size", "bid", "ask", "trade_sign")
    )
    assert record.basic_stats.total_ticks == len(rows)
    sides = plain_flow.by_side(price, size, sign)
    flow = record.trade_classification
    assert [flow.buy_volume, flow.sell_volume, flow.neutral_volume] == [sides["volume"][side] for side in (1, -1, 0)]
    assert [flow.large_buy_count, flow.large_sell_count] == [sides["large"][side] for side in (1, -1)]
    widths = plain_spreads.quoted_bps(bid, ask)
    assert record.spread_stats.quoted_ticks == len(widths)
    if widths:
        assert record.spread_stats.mean_bps == pytest.approx(statistics.fmean(widths))
        assert record.spread_stats.p95_bps == pytest.approx(plain_spreads.percentile(widths, 0.95))
        effective = plain_execution.effective_spreads(price, bid, ask)
        assert record.execution_quality.effective_spread_mean == pytest.approx(statistics.fmean(effective))
        places = [plain_execution.place(*quote) for quote in zip(price, bid, ask, strict=True)]
        opened = len(places) - places.count(None)
        assert record.execution_quality.outside_quote_rate == pytest.approx(places.count("outside") / opened)
        assert record.execution_quality.at_midpoint_rate == pytest.approx(places.count("midpoint") / opened)
    assert record.liquidity_profile.median_trade_size == statistics.median(size)
    assert record.liquidity_profile.effective_tick_size == plain_liquidity.least_price_change(price)
    venues = plain_venues.venues([row["exchange"] for row in rows], size, bid, ask)
    assert [(venue.exchange, venue.volume) for venue in record.venue_analysis.venues] == [
        (Exchange(venue.code).name, venue.volume) for venue in venues
    ]


def test_volatility_and_silent_minutes_are_those_of_plain_python(day: Day) -> None:
    record, ticks = day
    start_ns, end_ns = session_bounds_ns("regular", record.date)
    taken = {
        name: ticks[name].view("int64") if name == "timestamp" else ticks[name]
        for name in ("timestamp", "price", "session", "counts_volume", "is_qualified")
    }
    rows = plain.counted(taken, int(Session.REGULAR))
    expected = plain.realised_volatility(rows, start_ns, end_ns, 5 * plain.MINUTE_NS)
    assert record.basic_stats.realised_volatility == pytest.approx(expected)
    silent = plain.silent_minutes(taken["timestamp"].tolist(), start_ns, end_ns)
    assert record.data_quality.silent_minutes == len(silent)


def test_the_example_of_the_methodology_page_is_the_record(shared_data: Path) -> None:
    symbol, date = REAL_DAYS[0]
    dumped = day_metadata_phase1(real_ticks(shared_data, symbol, date), symbol, date).model_dump()
    shown = re.findall(r"^\| `(\w+\.\w+)` \| ([-\d.,]+|HIGH)( |\b)", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    of_phase1 = [(*field.split("."), text) for field, text, _ in shown if field.split(".")[0] in dumped]
    assert len(of_phase1) >= 35
    for group, name, text in of_phase1:
        value = dumped[group][name]
        if isinstance(value, str):
            assert value == text, name
            continue
        number = text.replace(",", "")
        half_of_last_digit = 0.5 * 10.0 ** -len(number.partition(".")[2])
        assert math.isclose(value, float(number), rel_tol=0, abs_tol=half_of_last_digit * 1.001), name

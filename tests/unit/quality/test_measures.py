"""Quality measures of hand-sized days, and of the real days beside the checkout."""

from __future__ import annotations

import datetime as dt
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fuzzy_pipeline.day_metadata.phase1 import day_metadata_phase1
from fuzzy_pipeline.enrichment import enrich_day
from fuzzy_pipeline.quality.measures import (
    NO_DAILY_BAR,
    NO_EARLIER_DATES,
    QUALITY_TICK_COLUMNS,
    EarlierDates,
    IngestCounts,
    quality_measures,
)
from fuzzy_pipeline.quality.price_checks import related_symbols
from fuzzy_pipeline.quality.validation import validate_ticks
from fuzzy_pipeline.quality_settings import QualitySettings
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.schema.quality import QualityMeasures
from fuzzy_pipeline.schema.records import from_table, to_table
from fuzzy_pipeline.sources.files import FilesSource
from fuzzy_pipeline.trading_calendar import trading_dates_before
from tests.unit.day_metadata.day_records import REAL_DAYS, enriched
from tests.unit.enrichment.raw_ticks import HALF_DAY, TUESDAY

NAN = math.nan
ODD_LOT = (0x87,)


def measured(
    price: list[float],
    *,
    date: dt.date = TUESDAY,
    ingest: IngestCounts | None = None,
    earlier: EarlierDates = NO_EARLIER_DATES,
    daily_bar: SourceDailyBar | None = None,
    why_no_daily_bar: str = NO_DAILY_BAR,
    **given: Any,
) -> QualityMeasures:
    """Measures of ticks at these prices."""
    ticks = enriched(price, date=date, **given)
    return quality_measures(
        {name: ticks[name] for name in QUALITY_TICK_COLUMNS},
        "TEST",
        date,
        phase1=day_metadata_phase1(ticks, "TEST", date),
        ingest=ingest or IngestCounts(len(price), len(price), 0),
        earlier=earlier,
        daily_bar=daily_bar,
        why_no_daily_bar=why_no_daily_bar,
    )


def every_minute() -> list[str]:
    """Half past every minute of a whole session."""
    return [f"{minute // 60}:{minute % 60}:30" for minute in range(9 * 60 + 30, 16 * 60)]


def dates_before(count: int, ticks: float = 100, volume: float = 1000, close: float = 10.0) -> EarlierDates:
    """So many equal trading dates before Tuesday."""
    return EarlierDates(
        trading_dates_before(TUESDAY, count),
        np.full(count, float(ticks)), np.full(count, float(volume)), np.full(count, close),
    )  # fmt: skip


# -- ingest ----------------------------------------------------------------------


def test_rows_of_the_ingest_add_up_and_flags_are_counted_by_rule() -> None:
    counts = IngestCounts(
        100, 95, 1, set_aside_by_rule={"zero_size": 3, "duplicate_key": 1},
        flagged_by_rule={"locked_quote": 7, "wide_spread": 2},
    )  # fmt: skip
    found = measured([10.0], ingest=counts)
    assert found.rows_in == found.rows_stored + found.set_aside_count + found.official_count == 100
    assert (found.set_aside_count, found.set_aside_share, found.flagged_count) == (4, 0.04, 9)
    assert found.set_aside_by_rule == {"zero_size": 3, "duplicate_key": 1}


# -- counters and quotes -----------------------------------------------------------


def test_counters_are_those_of_phase_1() -> None:
    # Ids 3 and 4 are missing, and 400 shares with them; one of four quotes is crossed, one locked, one missing.
    found = measured(
        [10.0] * 4, total=[100, 200, 700, 800], tick_id=[1, 2, 5, 6],
        bid=[10.2, 10.1, NAN, 10.0], ask=[10.1, 10.1, 10.1, 10.1],
    )  # fmt: skip
    assert (found.tick_id_holes, found.lost_tick_count, found.missing_volume, found.excess_volume) == (2, 2, 400, 0)
    assert (found.crossed_quote_count, found.locked_quote_count, found.missing_quote_count) == (1, 1, 1)
    assert (found.crossed_quote_share, found.missing_quote_share) == (0.25, 0.25)


def test_what_phase_1_does_not_know_stays_unknown_with_its_reason() -> None:
    found = measured([10.0] * 2, total=[0, 0])
    assert (found.out_of_order_count, found.out_of_order_share) == (None, None)
    why = "the total volume does not grow by the sizes: the order of arrival is not known"
    assert (found.null_reasons["out_of_order_count"], found.null_reasons["out_of_order_share"]) == (why, why)


# -- time ------------------------------------------------------------------------


def test_minutes_of_the_session_are_traded_or_silent() -> None:
    found = measured([10.0] * 3, time=["09:30:10", "10:00:10", "10:00:50"])
    assert (found.expected_minutes, found.traded_minutes, found.silent_minutes) == (390, 2, 388)
    assert found.counted_minutes == 2


def test_a_half_day_expects_fewer_minutes() -> None:
    assert measured([10.0], date=HALF_DAY).expected_minutes == 210  # 09:30 to 13:00


def test_the_closing_auction_counts_in_the_last_minute() -> None:
    alone = measured([10.0] * 2, time=["10:00:10", "16:00:00.4"], codes=[(), (0x40,)])
    assert (alone.traded_minutes, alone.counted_minutes) == (1, 2)
    with_others = measured([10.0] * 2, time=["15:59:10", "16:00:00.4"], codes=[(), (0x40,)])
    assert (with_others.traded_minutes, with_others.counted_minutes) == (1, 1)


def test_the_longest_gap_may_reach_from_the_open_or_to_the_close() -> None:
    assert measured([10.0] * 2, time=["12:00:00", "12:30:00"]).longest_gap_s == 12_600  # 12:30 to 16:00
    assert measured([10.0] * 2, time=["13:30:00", "15:00:00"]).longest_gap_s == 14_400  # 09:30 to 13:30
    assert measured([10.0], time=["08:00:00"]).longest_gap_s == 23_400  # no tick of the session at all


# -- stale quotes ------------------------------------------------------------------


def test_a_quote_is_stale_from_the_first_to_the_last_price_outside_it() -> None:
    # Quote 10.00 / 10.10 throughout; 10.20 at :01, inside at :02, 9.90 at :04.
    found = measured([10.05, 10.20, 10.05, 10.05, 9.90, 10.05])
    assert (found.stale_quote_ticks, found.stale_quote_s) == (4, 3.0)


def test_a_quote_that_changes_ends_the_spell() -> None:
    found = measured([10.20, 10.20, 10.20, 10.20], bid=[10.0, 10.0, 10.01, 10.01])
    assert (found.stale_quote_ticks, found.stale_quote_s) == (2, 1.0)


def test_a_price_of_another_level_proves_no_stale_quote() -> None:
    found = measured([10.05, 1005.0, 10.05, 10.05, 0.1, 10.05])  # the quote stays 10.00 / 10.10
    assert (found.stale_quote_ticks, found.stale_quote_s) == (0, 0.0)


def test_prices_inside_the_quote_make_no_stale_quote() -> None:
    found = measured([10.00, 10.05, 10.10, 10.02])
    assert (found.stale_quote_ticks, found.stale_quote_s) == (0, 0.0)


def test_prices_that_may_not_set_the_last_price_prove_no_stale_quote() -> None:
    found = measured([10.05, 10.50, 10.50], basis=["C", "O", "O"], codes=[(), ODD_LOT, ODD_LOT])
    assert found.stale_quote_ticks == 0


def test_without_a_usable_quote_staleness_is_unknown() -> None:
    found = measured([10.0] * 3, bid=[NAN] * 3, ask=[NAN] * 3)
    assert (found.stale_quote_ticks, found.stale_quote_s) == (None, None)
    assert found.null_reasons["stale_quote_s"] == "no tick of the regular session has a usable quote"


# -- prices ----------------------------------------------------------------------


def test_a_jump_that_volume_does_not_follow_is_unconfirmed() -> None:
    found = measured([10.0] * 30 + [11.0] + [10.0] * 30)
    assert (found.price_jump_count, found.unconfirmed_jump_count) == (2, 1)  # the way back is followed
    assert (found.median_outlier_count, found.price_setting_ticks) == (1, 61)


def test_a_jump_that_volume_follows_is_a_jump_only() -> None:
    found = measured([10.0] * 30 + [11.0] * 30)
    assert (found.price_jump_count, found.unconfirmed_jump_count) == (1, 0)


def test_an_odd_lot_far_off_is_no_outlier_because_it_sets_no_price() -> None:
    found = measured(
        [10.0] * 30 + [11.0] + [10.0] * 30,
        basis=["C"] * 30 + ["O"] + ["C"] * 30, codes=[()] * 30 + [ODD_LOT] + [()] * 30,
    )  # fmt: skip
    assert (found.price_jump_count, found.median_outlier_count, found.price_setting_ticks) == (0, 0, 60)


def test_returns_far_from_the_days_standard_deviation_are_counted() -> None:
    # 61 prices: two returns of ±1 %, the others 0: sigma 0.18 %.
    assert measured([10.0] * 30 + [10.1] + [10.0] * 30).sigma_outlier_count == 2


# -- score -----------------------------------------------------------------------


def test_the_score_is_completeness_times_the_share_nobody_objects_to() -> None:
    """The worked example of the methodology page."""
    price = [10.0] * 390
    price[200] = 11.0  # an unconfirmed jump and an outlier, once; the quote there is crossed as well
    bid = [10.2 if 200 <= n < 239 else 9.9 for n in range(390)]
    totals = [100 * (n + 1) for n in range(390)]
    totals[389] += 780  # 780 shares are lost with tick id 390
    found = measured(price, time=every_minute(), bid=bid, ask=[10.1] * 390, total=totals, tick_id=[*range(1, 390), 391])
    assert found.objectionable_ticks == 39
    assert found.completeness_score == pytest.approx(39_000 / 39_780)
    assert found.data_quality_score == pytest.approx(39_000 / 39_780 * 0.9)
    assert round(found.data_quality_score or 0, 4) == 0.8824
    assert found.data_quality_level == "MEDIUM"


def test_an_outlying_price_is_objected_to_though_it_is_no_jump() -> None:
    price = [10.0] * 390
    price[200] = 10.2  # 2 % off: no jump of 5 %
    found = measured(price, time=every_minute())
    assert (found.price_jump_count, found.median_outlier_count, found.objectionable_ticks) == (0, 1, 1)
    assert found.data_quality_score == pytest.approx(389 / 390)


def test_ids_that_do_not_rise_leave_the_score_unknown_and_say_so() -> None:
    found = measured([10.0] * 3, tick_id=[2, 1, 1])
    assert (found.duplicate_count, found.completeness_score, found.data_quality_score) == (1, None, None)
    assert found.data_quality_level is None
    assert found.null_reasons["data_quality_score"].startswith("the tick ids of a market centre do not rise")


# -- earlier dates -----------------------------------------------------------------


def test_nothing_is_usual_before_five_earlier_dates() -> None:
    found = measured([10.0] * 50, earlier=dates_before(4))
    assert (found.earlier_dates, found.tick_count_ratio, found.volume_ratio) == (4, None, None)
    assert found.null_reasons["volume_ratio"] == "fewer than 5 earlier dates are stored"


def test_ticks_and_volume_are_compared_with_the_median_of_the_trailing_dates() -> None:
    earlier = dates_before(5)
    earlier.total_ticks[:] = [10, 100, 40, 1000, 20]  # median 40
    earlier.volume[:] = [2500, 100, 9000, 20000, 1250]  # median 2,500
    found = measured([10.0] * 50, earlier=earlier)  # 50 ticks of 100 shares
    assert (found.tick_count_ratio, found.volume_ratio) == (1.25, 2.0)


def test_dates_older_than_the_last_twenty_do_not_count() -> None:
    earlier = dates_before(40, ticks=50)
    earlier.total_ticks[:20] = 9_999
    found = measured([10.0] * 50, earlier=earlier)
    assert (found.earlier_dates, found.tick_count_ratio) == (20, 1.0)


def test_a_median_of_zero_gives_no_ratio() -> None:
    found = measured([10.0], earlier=dates_before(5, ticks=0))
    assert found.tick_count_ratio is None
    assert found.null_reasons["tick_count_ratio"] == "the usual is 0"


def test_the_gap_is_from_the_close_of_the_trading_date_before() -> None:
    assert measured([11.0], earlier=dates_before(1)).gap_from_previous_close_pct == pytest.approx(0.1)


def test_an_older_close_is_no_previous_close() -> None:
    monday_is_missing = EarlierDates((dt.date(2013, 10, 4),), np.ones(1), np.ones(1), np.full(1, 10.0))
    found = measured([11.0], earlier=monday_is_missing)
    assert found.gap_from_previous_close_pct is None
    assert found.null_reasons["gap_from_previous_close_pct"] == "no close of the trading date before is stored"


@pytest.mark.parametrize("dates", [(TUESDAY,), (dt.date(2013, 10, 7), dt.date(2013, 10, 4)), (dt.date(2013, 10, 9),)])
def test_earlier_dates_that_are_not_earlier_or_not_in_order_are_refused(dates: tuple[dt.date, ...]) -> None:
    ones = np.ones(len(dates))
    with pytest.raises(ValueError, match="earlier dates are not in order"):
        measured([10.0], earlier=EarlierDates(dates, ones, ones, ones))


def test_phase_1_of_another_symbol_is_refused() -> None:
    ticks = enriched([10.0])
    with pytest.raises(ValueError, match="phase 1 of TEST 2013-10-08 was given for OTHER 2013-10-08"):
        quality_measures(
            ticks, "OTHER", TUESDAY, phase1=day_metadata_phase1(ticks, "TEST", TUESDAY), ingest=IngestCounts(1, 1, 0)
        )


# -- daily bar -------------------------------------------------------------------

DAY: dict[str, Any] = {"price": [10.0, 10.4, 9.9, 10.1], "time": ["09:31:00", "10:00:00", "11:00:00", "17:00:00"]}
"""Three ticks of the session and one after it, 100 shares each."""


def test_a_daily_bar_has_last_qualified_prices_and_volume_of_all_sessions() -> None:
    found = measured(**DAY, basis=list("CCCE"), daily_bar=SourceDailyBar(10.0, 10.4, 9.9, 9.9, 400))
    assert (found.daily_bar_matches, found.daily_bar_differences) == (True, [])


def test_what_differs_from_the_daily_bar_is_named() -> None:
    found = measured(**DAY, basis=list("CCCE"), daily_bar=SourceDailyBar(10.0, 10.5, 9.9, 9.9, 500))
    assert found.daily_bar_matches is False
    assert found.daily_bar_differences == ["high: 10.4 here, 10.5 there", "volume: 400 here, 500 there"]


def test_half_a_cent_is_no_difference_and_more_is() -> None:
    assert measured(**DAY, basis=list("CCCE"), daily_bar=SourceDailyBar(10.005, 10.4, 9.9, 9.9, 400)).daily_bar_matches
    differs = measured(**DAY, basis=list("CCCE"), daily_bar=SourceDailyBar(10.006, 10.4, 9.9, 9.9, 400))
    assert differs.daily_bar_differences == ["open: 10 here, 10.006 there"]


def test_prices_are_compared_by_their_basis_and_not_by_the_session_they_are_stamped_in() -> None:
    # An extended-hours print reported within the session sets nothing; a last-qualified one just after the close does.
    found = measured(
        [12.0, 10.0, 10.4, 9.7], time=["09:30:01", "09:31:00", "10:00:00", "16:00:00.5"], basis=list("ECCC"),
        daily_bar=SourceDailyBar(10.0, 10.4, 9.7, 9.7, 400),
    )  # fmt: skip
    assert (found.daily_bar_matches, found.daily_bar_differences) == (True, [])


def test_prices_of_which_there_are_none_and_prices_that_are_no_numbers_differ() -> None:
    none = measured([10.0], basis=["E"], daily_bar=SourceDailyBar(10.0, 10.0, 10.0, 10.0, 100))
    assert none.daily_bar_differences[0] == "open: unknown here, 10 there"
    assert len(none.daily_bar_differences) == 4
    strange = measured([10.0], daily_bar=SourceDailyBar(NAN, 10.0, 10.0, 10.0, 100))
    assert strange.daily_bar_differences == ["open: 10 here, nan there"]


def test_a_difference_shows_in_what_is_said_of_dear_symbols_too() -> None:
    found = measured([4123.4567], daily_bar=SourceDailyBar(4123.4667, 4123.4567, 4123.4567, 4123.4567, 100))
    assert found.daily_bar_differences == ["open: 4123.4567 here, 4123.4667 there"]


def test_volume_may_differ_by_a_thousandth() -> None:
    # 0.1 % of 40,040 is 40.04, of 40,041 it is 40.041.
    bar = SourceDailyBar(10.0, 10.4, 9.9, 9.9, 40_040)
    sizes = [10_000] * 4
    assert measured(**DAY, basis=list("CCCE"), size=sizes, daily_bar=bar).daily_bar_matches
    more = SourceDailyBar(10.0, 10.4, 9.9, 9.9, 40_041)
    assert measured(**DAY, basis=list("CCCE"), size=sizes, daily_bar=more).daily_bar_differences == [
        "volume: 40000 here, 40041 there"
    ]


def test_without_a_daily_bar_nothing_is_said() -> None:
    found = measured([10.0])
    assert (found.daily_bar_matches, found.daily_bar_differences) == (None, [])
    assert found.null_reasons["daily_bar_matches"] == NO_DAILY_BAR
    unknown = measured([10.0], why_no_daily_bar="could not be fetched: no route")
    assert unknown.null_reasons["daily_bar_matches"] == "could not be fetched: no route"


# -- the record --------------------------------------------------------------------


@pytest.mark.parametrize("price", [[], [10.0], [10.0] * 50])
def test_every_null_has_a_reason_and_only_nulls_have_one(price: list[float]) -> None:
    found = measured(price)
    nulls = {name for name in QualityMeasures.model_fields if getattr(found, name) is None}
    assert set(found.null_reasons) == nulls


def test_a_record_survives_the_light_table() -> None:
    counts = IngestCounts(2, 1, 0, set_aside_by_rule={"zero_size": 1})
    found = measured([10.0], ingest=counts, daily_bar=SourceDailyBar(9.0, 10.0, 10.0, 10.0, 100))
    assert from_table(to_table([found], QualityMeasures), QualityMeasures) == [found]


# -- related symbols ---------------------------------------------------------------


def test_a_return_that_does_not_fit_its_benchmark_names_both() -> None:
    # Residuals of ±1 % on 20 dates: sigma 1.4826 %. Expected are 1.5 × 2 %: 20 % is 17 / 1.4826 sigmas off, 4 % is 1.
    trailing = np.array([[0.01, 0.01], [-0.01, -0.01]] * 10)
    far, near = related_symbols(
        ["KO", "XOM"], np.array([0.20, 0.04]), np.array([1.5, 1.5]), "SPY", 0.02, TUESDAY, trailing_residuals=trailing
    )
    assert (far.outcome, near.outcome, far.severity) == ("failed", "passed", "warning")
    assert [far.observed, near.observed] == pytest.approx([17 / 1.4826, 1 / 1.4826])
    assert far.reason.startswith("KO and SPY: return 0.2000 against 1.50 × 0.0200 (day), measured by its own earlier")


def test_without_earlier_dates_the_other_symbols_are_the_measure() -> None:
    symbols = [f"S{number}" for number in range(21)]
    returns = np.array([0.01, -0.01] * 10 + [0.30])
    found = related_symbols(symbols, returns, np.ones(21), "SPY", 0.0, TUESDAY)
    assert [one.symbol for one in found if one.outcome == "failed"] == ["S20"]
    assert "measured by the other symbols of the date" in found[20].reason


@pytest.mark.parametrize(
    ("returns", "betas", "trailing", "reason"),
    [
        ([NAN], [1.0], [[0.01], [-0.01]] * 10, "the return, the beta or the benchmark's return is not known"),
        ([0.01], [NAN], [[0.01], [-0.01]] * 10, "the return, the beta or the benchmark's return is not known"),
        ([0.01], [1.0], [[0.01]] * 19, "fewer than 20 trailing residuals, and fewer than 20 symbols to compare with"),
        ([0.01], [1.0], [[0.01]] * 20, "the residuals do not vary: there is no scale"),
    ],
)
def test_what_cannot_be_compared_could_not_run(
    returns: list[float], betas: list[float], trailing: list[list[float]], reason: str
) -> None:
    (found,) = related_symbols(
        ["KO"], np.array(returns), np.array(betas), "SPY", 0.01, TUESDAY, trailing_residuals=np.array(trailing)
    )
    assert (found.outcome, found.observed, found.reason) == ("could_not_run", None, reason)


def test_a_benchmark_is_not_compared_with_itself() -> None:
    with pytest.raises(ValueError, match="SPY is the benchmark"):
        related_symbols(["SPY"], np.zeros(1), np.ones(1), "SPY", 0.0, TUESDAY)


# -- settings --------------------------------------------------------------------


def test_settings_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValueError, match=r"score_error 0.99 is above score_warning 0.95"):
        QualitySettings(score_error=0.99)
    with pytest.raises(ValueError, match="fewest_history_dates 30 is above history_dates 20"):
        QualitySettings(fewest_history_dates=30)


# -- real days -------------------------------------------------------------------


@pytest.mark.real_data
@pytest.mark.parametrize(("symbol", "date"), REAL_DAYS, ids=str)
def test_real_days_are_of_high_quality_and_never_better_than_phase_1_says(
    shared_data: Path, symbol: str, date: dt.date
) -> None:
    raw = FilesSource(shared_data / "ticks").fetch_ticks(symbol, date).columns
    checked = validate_ticks(raw, symbol, date)
    ticks = enrich_day(checked.ticks, symbol, date)
    phase1 = day_metadata_phase1(ticks, symbol, date)
    counts = IngestCounts(
        checked.rows_in, checked.rows_kept, checked.rows_official, Counter(checked.rules),
        {rule: len(rows) for rule, rows in checked.flagged.items()},
    )  # fmt: skip
    found = quality_measures(ticks, symbol, date, phase1=phase1, ingest=counts)
    assert found.rows_in == found.rows_stored + found.set_aside_count + found.official_count
    assert found.data_quality_level == "HIGH"
    assert (found.data_quality_score or 0) <= (phase1.data_quality.data_quality_score or 0)
    assert (found.price_jump_count, found.unconfirmed_jump_count) == (0, 0)
    assert found.longest_gap_s < 120
    assert found.counted_minutes in (found.traded_minutes, found.traded_minutes + 1)  # the auction may be alone
    quotes_are_there = symbol != "SPY"  # the tape of SPY has none
    assert (found.stale_quote_ticks is not None) == quotes_are_there


@pytest.mark.real_data
@pytest.mark.parametrize(("symbol", "date"), REAL_DAYS, ids=str)
def test_a_bar_of_a_real_days_raw_rows_agrees_with_its_enriched_ticks(
    shared_data: Path, symbol: str, date: dt.date
) -> None:
    """The bar is made row by row as IQFeed makes its own; the last row's total volume is the feed's, not a sum."""
    raw = FilesSource(shared_data / "ticks").fetch_ticks(symbol, date).columns
    rows = zip(raw["last"].tolist(), raw["last_type"].tolist(), strict=True)
    prices = [price for price, basis in rows if basis == b"C"]
    bar = SourceDailyBar(prices[0], max(prices), min(prices), prices[-1], int(raw["tot_vlm"][-1]))
    ticks = enrich_day(validate_ticks(raw, symbol, date).ticks, symbol, date)
    phase1 = day_metadata_phase1(ticks, symbol, date)
    found = quality_measures(ticks, symbol, date, phase1=phase1, ingest=IngestCounts(1, 1, 0), daily_bar=bar)
    assert (found.daily_bar_matches, found.daily_bar_differences) == (True, [])
    if symbol == "SPY":  # 26 last-qualified prints lie after the close: the regular session would be 3 cents off
        assert (bar.close, phase1.basic_stats.price_close) == (165.45, 165.48)

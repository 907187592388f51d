"""What the stored ticks say about themselves."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.bars.session_ticks import session_bounds_ns
from fuzzy_pipeline.day_metadata.data_quality import QUALITY_COLUMNS, data_quality, quality_level
from fuzzy_pipeline.schema.day_metadata import DataQuality
from tests.oracles import day_metadata as plain
from tests.unit.day_metadata.day_records import enriched, record
from tests.unit.enrichment.raw_ticks import HALF_DAY, TUESDAY

NAN = math.nan


def quality(price: list[float], **given_: Any) -> DataQuality:
    return data_quality(enriched(price, **given_), given_.get("date", TUESDAY))


def every_minute(*left_out: range) -> list[str]:
    """A time within each minute from 09:30 to 15:59, but for minutes of the day that are left out."""
    return [
        f"{minute // 60}:{minute % 60}:30"
        for minute in range(9 * 60 + 30, 16 * 60)
        if not any(minute in gap for gap in left_out)
    ]


# -- quotes ----------------------------------------------------------------------


def test_quotes_of_all_sessions_are_judged() -> None:
    found = quality(
        [10.0] * 4, time=["08:00:00", "10:00:00", "11:00:00", "17:00:00"],
        bid=[10.0, 10.2, NAN, 10.1], ask=[10.0, 10.1, 10.1, 10.0],
    )  # fmt: skip
    assert (found.locked_quote_count, found.crossed_quote_count, found.missing_quote_count) == (1, 2, 1)


def test_neighbouring_crossed_ticks_are_one_crossed_market() -> None:
    found = quality(
        [10.0] * 6, time=[f"10:00:0{n}" for n in range(6)],
        bid=[10.2, 10.4, 10.0, 10.0, 10.3, 10.3], ask=[10.1, 10.1, 10.1, 10.1, 10.1, 10.2],
    )  # fmt: skip
    first, second = found.crossed_markets
    assert (str(first.start.time()), str(first.end.time()), first.tick_count) == ("10:00:00", "10:00:01", 2)
    assert first.widest == pytest.approx(0.3)
    assert (str(second.start.time()), str(second.end.time()), second.tick_count) == ("10:00:04", "10:00:05", 2)
    assert second.widest == pytest.approx(0.2)


def test_crossed_ticks_lower_the_score_by_their_share() -> None:
    times = every_minute()
    crossed = [10.2 if n < 39 else 10.0 for n in range(390)]
    found = quality([10.0] * 390, time=times, bid=crossed, ask=[10.1] * 390)
    assert found.completeness_score == 1.0
    assert found.data_quality_score == pytest.approx(0.9)
    assert found.data_quality_level == "MEDIUM"


def test_a_missing_quote_does_not_lower_the_score() -> None:
    found = quality([10.0] * 390, time=every_minute(), bid=[NAN] * 390, ask=[NAN] * 390)
    assert (found.missing_quote_count, found.data_quality_level) == (390, "HIGH")


# -- counters --------------------------------------------------------------------


def test_a_lost_tick_is_listed_with_its_ids_and_shares() -> None:
    found = quality([10.0] * 3, size=[100] * 3, total=[100, 200, 700], tick_id=[1, 2, 5])
    (gap,) = found.tick_id_gaps
    assert (str(gap.seen_at), gap.market_center, gap.first_id, gap.last_id) == ("2013-10-08 10:00:02-04:00", 5, 3, 4)
    assert gap.is_lost
    (step,) = found.volume_steps
    assert (str(step.seen_at.time()), step.shares) == ("10:00:02", 400)
    assert (found.tick_id_holes, found.lost_tick_count, found.missing_volume) == (2, 2, 400)


def test_completeness_is_the_share_of_the_volume_when_that_is_least() -> None:
    times = every_minute()
    totals = [100 * (n + 1) for n in range(390)]
    totals[389] += 39_000  # one lost tick with as many shares as all the others
    found = quality([10.0] * 390, time=times, total=totals, tick_id=[*range(1, 390), 391])
    assert found.completeness_score == 0.5
    assert found.data_quality_level == "POOR"


def test_completeness_is_the_share_of_the_ticks_when_that_is_least() -> None:
    # 130 lost ticks of one share each between 390 stored ones of 100.
    totals = [100 * (n + 1) for n in range(390)]
    totals[389] += 130
    found = quality([10.0] * 390, time=every_minute(), total=totals, tick_id=[*range(1, 390), 520])
    assert found.completeness_score == 390 / 520
    assert found.data_quality_level == "LOW"


def test_official_prints_between_the_ids_cost_nothing() -> None:
    found = quality([10.0] * 390, time=every_minute(), tick_id=[1, *range(3, 392)])
    assert (found.tick_id_holes, found.lost_tick_count, found.completeness_score) == (1, 0, 1.0)


def test_volume_the_feed_did_not_count_is_as_bad_as_volume_that_is_missing() -> None:
    found = quality([10.0] * 390, time=every_minute(), total=[50 * (n + 1) for n in range(390)])
    assert found.excess_volume == 390 * 50
    assert found.completeness_score == 0.5


def test_without_a_counter_of_volume_the_order_of_arrival_is_unknown_and_says_so() -> None:
    found = record([10.0] * 2, total=[0, 0])
    assert found.data_quality.out_of_order_count is None
    assert found.null_reasons["data_quality.out_of_order_count"] == (
        "the total volume does not grow by the sizes: the order of arrival is not known"
    )
    assert found.data_quality.completeness_score == 0.0


def test_ids_that_do_not_rise_leave_holes_and_scores_unknown_and_say_so() -> None:
    found = record([10.0] * 3, tick_id=[2, 1, 1])
    quality_ = found.data_quality
    assert quality_.duplicate_count == 1
    assert (quality_.tick_id_holes, quality_.completeness_score, quality_.data_quality_level) == (None, None, None)
    assert quality_.tick_id_gaps == []
    for field in ("tick_id_holes", "lost_tick_count", "completeness_score", "data_quality_score", "data_quality_level"):
        assert found.null_reasons[f"data_quality.{field}"] == (
            "the tick ids of a market centre do not rise in order of arrival: they do not count its ticks"
        )


def test_out_of_order_ticks_are_counted_though_stored_ticks_are_in_time_order() -> None:
    found = quality([10.0] * 4, time=["10:00:00", "10:00:05", "10:00:03", "10:00:06"])
    assert found.out_of_order_count == 1
    assert (found.tick_id_holes, found.missing_volume) == (0, 0)


def test_lists_stop_at_a_hundred_and_counts_do_not() -> None:
    found = quality([10.0] * 300, bid=[10.2 if n % 2 else 10.0 for n in range(300)], tick_id=list(range(2, 602, 2)))
    assert (len(found.crossed_markets), found.crossed_quote_count) == (100, 150)
    assert (len(found.tick_id_gaps), found.tick_id_holes) == (100, 300)
    assert found.tick_id_gaps[0].first_id == 1


# -- silence ---------------------------------------------------------------------


def test_silence_between_ticks_that_follow_each_other_is_no_trade() -> None:
    times = every_minute(range(11 * 60, 11 * 60 + 3))
    found = quality([10.0] * len(times), time=times)
    (silence,) = found.silences
    assert (str(silence.start.time()), str(silence.end.time()), silence.cause) == ("11:00:00", "11:03:00", "no_trade")
    assert (found.silent_minutes, found.unexplained_silent_minutes, found.completeness_score) == (3, 0, 1.0)


def test_silence_in_which_volume_went_missing_is_unexplained() -> None:
    times = every_minute(range(11 * 60, 11 * 60 + 39))
    totals = [100 * (n + 1) + (1 if n >= 90 else 0) for n in range(len(times))]
    found = quality([10.0] * len(times), time=times, total=totals)
    assert [silence.cause for silence in found.silences] == ["unknown"]
    assert found.unexplained_silent_minutes == 39
    assert found.completeness_score == pytest.approx(0.9)


def test_silence_until_the_close_is_unexplained_when_nothing_follows() -> None:
    times = every_minute(range(14 * 60 + 3, 16 * 60))
    found = quality([10.0] * len(times), time=times)
    assert found.unexplained_silent_minutes == 117
    assert found.completeness_score == pytest.approx(0.7)
    assert str(found.silences[0].end.time()) == "16:00:00"


def test_an_after_hours_tick_that_fits_vouches_for_the_silence_before_the_close() -> None:
    times = [*every_minute(range(14 * 60, 16 * 60)), "17:00:00"]
    found = quality([10.0] * len(times), time=times)
    assert (found.silent_minutes, found.unexplained_silent_minutes) == (120, 0)
    assert found.silences[0].cause == "no_trade"


@pytest.mark.parametrize("code", [0x25, 0x3F])
@pytest.mark.parametrize("column", [0, 3])
def test_a_reopening_print_makes_the_silence_before_it_a_halt(code: int, column: int) -> None:
    times = every_minute(range(11 * 60, 12 * 60))
    codes: list[tuple[int, ...]] = [()] * len(times)
    codes[91] = (0,) * column + (code,)  # 12:01:30 is later than a minute; 12:00:30 is not
    totals = [100 * (n + 1) + (7 if n >= 90 else 0) for n in range(len(times))]
    assert quality([10.0] * len(times), time=times, codes=codes, total=totals).silences[0].cause == "unknown"
    codes[90], codes[91] = codes[91], ()
    found = quality([10.0] * len(times), time=times, codes=codes, total=totals)
    assert found.silences[0].cause == "halt"
    assert (found.halted_minutes, found.unexplained_silent_minutes) == (60, 0)


def test_a_half_day_has_210_minutes() -> None:
    found = quality([10.0], date=HALF_DAY, time=["12:59:59"])
    assert found.silent_minutes == 209
    assert str(found.silences[0].start.time()) == "09:30:00"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 23_399), max_size=60))
def test_silent_minutes_are_those_no_tick_is_in(seconds: list[int]) -> None:
    start_ns, end_ns = session_bounds_ns("regular", TUESDAY)
    ticks = enriched([10.0] * len(seconds), time=[(34_200 + second) * 1_000_000 for second in sorted(seconds)])
    expected = plain.silent_minutes([start_ns + second * 10**9 for second in seconds], start_ns, end_ns)
    found = data_quality({name: ticks[name] for name in QUALITY_COLUMNS}, TUESDAY)
    assert found.silent_minutes == len(expected)
    covered = {
        minute
        for silence in found.silences
        for minute in range(
            silence.start.hour * 60 + silence.start.minute - 570, silence.end.hour * 60 + silence.end.minute - 570
        )
    }
    assert covered == set(expected)


# -- level -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("score", "level"),
    [(1.0, "HIGH"), (0.951, "HIGH"), (0.95, "MEDIUM"), (0.851, "MEDIUM"), (0.85, "LOW"), (0.701, "LOW"), (0.7, "POOR"),
     (0.0, "POOR")],
)  # fmt: skip
def test_levels_begin_above_their_bounds(score: float, level: str) -> None:
    assert quality_level(score) == level

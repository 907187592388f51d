"""What ``gather_date`` finds in a store is what was planted there."""

from __future__ import annotations

import datetime as dt

import pytest
from pydantic import BaseModel

from fuzzy_pipeline.errors import CalendarError, StoreError
from fuzzy_pipeline.report import DateQualityReport, gather_date, gather_range
from fuzzy_pipeline.schema.day_metadata import CrossedMarket, TickIdGap, VolumeStep
from fuzzy_pipeline.schema.quality import QUALITY_TABLE
from fuzzy_pipeline.schema.records import to_table
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.trading_calendar import trading_dates_before
from tests.unit.report.conftest import STALE
from tests.unit.report.planted_store import (
    DATE,
    NOW,
    Planted,
    at,
    fail,
    new_store,
    plant,
    plant_results,
    result,
    settings_of,
    silence,
)
from tests.unit.steps.retired_dates import retire

TICKS = (RAW_TICKS.name, ENRICHED_TICKS.name)


def test_all_stored_and_every_check_passed_is_complete() -> None:
    store, settings = new_store(), settings_of("KO", "SPY")
    plant(store, settings, DATE, {"KO": Planted(ticks=300), "SPY": Planted(ticks=700)})
    plant_results(store, DATE, [result("KO", "keys_are_unique", "passed"), result("SPY", "keys_are_unique", "passed")])
    report = gather_date(store, settings, DATE, now=NOW)
    assert report.verdict == "complete"
    assert report.sentence == "All 2 symbols are stored and no error check failed."
    assert (report.totals.ticks, report.totals.checks_passed, report.totals.errors) == (1000, 2, 0)
    assert (report.failures, report.findings, report.missing_symbols) == ([], [], [])


def test_symbols_that_fail_for_one_reason_are_one_group_with_one_command() -> None:
    store, settings = new_store(), settings_of("KO", "PEP", "SPY", "XOM")
    plant(store, settings, DATE, {"SPY": Planted()})
    for symbol in ("KO", "PEP"):
        fail(store, DATE, symbol, ["raw_ticks", "enriched_ticks"], f"{symbol}: no answer in 30 s", "TimeoutError")
    fail(store, DATE, "XOM", ["raw_ticks"], "XOM: the day has no ticks", "NoDataError")
    report = gather_date(store, settings, DATE, now=NOW)
    group, other = report.failures
    assert (group.symbols, group.table, group.error_type) == (["KO", "PEP"], "raw_ticks", "TimeoutError")
    assert group.reason == "… no answer in 30 s"
    assert group.blocked_tables == ["enriched_ticks"]
    assert group.commands == ["fuzzy run 2025-11-26 --symbols KO,PEP"]
    assert (other.symbols, other.reason) == (["XOM"], "XOM: the day has no ticks")
    assert report.sentence.startswith("Of 4 symbols 3 failed (KO, PEP, XOM)")


def test_a_failure_mended_by_a_later_commit_is_not_shown() -> None:
    store, settings = new_store(), settings_of("KO", "SPY")
    plant(store, settings, DATE, {"KO": Planted(), "SPY": Planted()})  # committed at 21:00
    fail(store, DATE, "KO", ["raw_ticks"], "no answer", "TimeoutError", at("20:30"))
    fail(store, DATE, "SPY", ["raw_ticks"], "no answer", "TimeoutError", at("21:30"))
    report = gather_date(store, settings, DATE, now=NOW)
    assert [group.symbols for group in report.failures] == [["SPY"]]
    assert {row.symbol: row.state for row in report.symbols} == {"SPY": "failed", "KO": "complete"}
    assert report.sentence.startswith("Of 2 symbols 1 failed (SPY)")


def test_nothing_stored_is_pending_before_the_next_pre_market_and_missing_from_then_on() -> None:
    store, settings = new_store(), settings_of("KO")
    early, late = at("03:59", dt.date(2025, 11, 28)), at("04:00", dt.date(2025, 11, 28))
    pending = gather_date(store, settings, DATE, now=early)  # the 27th is a holiday
    assert pending.verdict == "pending"
    assert pending.sentence == "Nothing is stored yet. Expected by 2025-11-28 04:00 ET."
    missing = gather_date(store, settings, DATE, now=late)
    assert (missing.verdict, missing.sentence) == ("missing", "Nothing is stored.")
    assert (missing.symbols[0].state, missing.symbols[0].ticks, missing.totals.rows_in) == ("missing", None, 0)


def test_a_symbol_that_lacks_a_table_is_unfinished_and_the_table_is_named() -> None:
    store, settings = new_store(), settings_of("KO", "SPY")
    plant(store, settings, DATE, {"KO": Planted(), "SPY": Planted()})
    store.manifest.remove("renko_bars", DATE, ["SPY"])
    report = gather_date(store, settings, DATE, now=NOW)
    assert (report.unfinished_symbols, report.unfinished_tables) == (["SPY"], ["renko_bars"])
    assert report.sentence.startswith("Of 2 symbols 1 lacks renko_bars (SPY)")


def test_a_date_whose_ticks_were_retired_keeps_its_verdict_and_its_numbers_and_says_so() -> None:
    store, settings = new_store(), settings_of("KO", "SPY")
    plant(store, settings, DATE, {"KO": Planted(ticks=300, set_aside={"zero_size": 5}), "SPY": Planted(ticks=700)})
    passed = [result(symbol, "score", "passed") for symbol in ("KO", "SPY")]
    plant_results(store, DATE, [*passed, result("KO", "spread", "failed", severity="warning")])
    before = gather_date(store, settings, DATE, now=NOW)
    retire(store, DATE, *TICKS)
    report = gather_date(store, settings, DATE, now=NOW)
    assert (before.verdict, report.verdict) == ("complete", "complete")
    assert report.sentence == (
        "All 2 symbols were stored and no error check failed; 1 check warns."
        " Retired since: raw_ticks, enriched_ticks of 2 symbols."
    )
    assert report.reasons[0] == "raw_ticks, enriched_ticks of 2 of 2 symbols were retired: KO, SPY"
    assert report.reasons[1:] == before.reasons
    assert report.retired_tables == {"KO": list(TICKS), "SPY": list(TICKS)}
    assert report.totals == before.totals
    assert (report.missing_symbols, report.unfinished_symbols, report.unfinished_tables) == ([], [], [])
    states = {row.symbol: (row.state, row.ticks, row.score, row.has_problem) for row in report.symbols}
    assert states == {"KO": ("retired", 300, 1.0, True), "SPY": ("retired", 700, 1.0, False)}  # KO for its warning
    assert [row.symbol for row in report.symbols] == ["KO", "SPY"]
    assert report.timeline == before.timeline


def test_a_date_of_which_everything_was_retired_is_not_missing() -> None:
    store, settings = new_store(), settings_of("KO")
    plant(store, settings, DATE, {"KO": Planted(ticks=300)})
    plant_results(store, DATE, [result("KO", "score", "passed")])
    retire(store, DATE, *pipeline_tables(settings))
    assert store.manifest.rows(dates=[DATE]) == []
    report = gather_date(store, settings, DATE, now=NOW)
    assert report.verdict == "complete"
    assert report.sentence.startswith(
        "KO was stored and no error check failed. Retired since: raw_ticks, enriched_ticks"
    )
    assert (report.symbols[0].state, report.symbols[0].ticks, report.missing_symbols) == ("retired", 300, [])
    assert (report.totals.stored_symbols, report.totals.ticks) == (1, 300)


def test_a_retired_date_with_an_error_or_without_checks_stays_degraded() -> None:
    store, settings = new_store(), settings_of("KO")
    plant(store, settings, DATE, {"KO": Planted()})
    retire(store, DATE, *TICKS)
    report = gather_date(store, settings, DATE, now=NOW)
    assert report.verdict == "degraded"
    assert report.sentence.startswith("KO was stored, but no check has been run. Retired since: ")
    plant_results(store, DATE, [result("KO", "score", "failed")])
    assert gather_date(store, settings, DATE, now=NOW).verdict == "degraded"


def test_a_retired_symbol_that_lacks_a_table_is_unfinished_only_in_that() -> None:
    store, settings = new_store(), settings_of("KO")
    plant(store, settings, DATE, {"KO": Planted()})
    store.manifest.remove("renko_bars", DATE, ["KO"])
    retire(store, DATE, *TICKS)
    report = gather_date(store, settings, DATE, now=NOW)
    assert (report.unfinished_symbols, report.unfinished_tables) == (["KO"], ["renko_bars"])


def test_ticks_that_were_fetched_again_are_retired_no_longer() -> None:
    store, settings = new_store(), settings_of("KO")
    plant(store, settings, DATE, {"KO": Planted(ticks=300)})
    retire(store, DATE, *TICKS)
    plant(store, settings, DATE, {"KO": Planted(ticks=310)}, tables=TICKS)
    report = gather_date(store, settings, DATE, now=NOW)
    assert (report.retired_tables, report.symbols[0].state, report.totals.ticks) == ({}, "complete", 310)


def test_retired_dates_are_still_compared_with_and_drawn_in_the_trend() -> None:
    store, settings = new_store(), settings_of("KO")
    dates = trading_dates_before(DATE, 5)
    for number, date in enumerate((*dates, DATE)):
        plant(store, settings, date, {"KO": Planted(ticks=100 * (number + 1))})  # 100 to 500 before, 600 on the date
        plant_results(store, date, [result("KO", "score", "passed", date=date)])
        if date < DATE:
            retire(store, date, *TICKS)
    report = gather_date(store, settings, DATE, now=NOW)
    assert [(point.verdict, point.ticks) for point in report.trend] == [
        ("complete", ticks) for ticks in (100, 200, 300, 400, 500, 600)
    ]
    (value,) = report.comparisons[0].values
    assert (value.usual, value.earlier_dates) == (300, 5)
    found = gather_range(store, settings, dates[0], DATE, now=NOW)
    assert (found.verdicts["complete"], found.symbols) == (6, [])


def test_stored_without_checks_is_not_called_good() -> None:
    store, settings = new_store(), settings_of("KO")
    plant(store, settings, DATE, {"KO": Planted()})
    report = gather_date(store, settings, DATE, now=NOW)
    assert (report.verdict, report.totals.checks_ran, report.checks) == ("degraded", False, [])
    assert report.sentence == "KO is stored, but no check has been run."


def test_failed_and_could_not_run_are_never_one_finding() -> None:
    store, settings = new_store(), settings_of("KO", "SPY", "XOM")
    plant(store, settings, DATE, {"KO": Planted(), "SPY": Planted(), "XOM": Planted()})
    plant_results(
        store,
        DATE,
        [
            result("KO", "score", "failed", observed=0.5, minimum=0.7),
            result("SPY", "score", "could_not_run", reason="the score is null"),
            result("XOM", "score", "failed", observed=0.1, minimum=0.7),
            result("KO", "spread", "failed", severity="warning", observed=9, maximum=5),
        ],
    )
    report = gather_date(store, settings, DATE, now=NOW)
    found = [(f.rule, f.outcome, f.severity, f.names) for f in report.findings]
    assert found == [
        ("score", "failed", "error", ["XOM", "KO"]),  # 0.6 below the bound before 0.2 below
        ("spread", "failed", "warning", ["KO"]),
        ("score", "could_not_run", "error", ["SPY"]),
    ]
    assert report.findings[2].reason == "the score is null"
    assert (report.totals.errors, report.totals.warnings, report.totals.could_not_run) == (2, 1, 1)
    assert report.sentence == "1 error check failed for KO, XOM; 1 check warns and 1 check could not run."


def test_a_check_that_could_run_for_nobody_makes_nobody_a_problem() -> None:
    store, settings = new_store(), settings_of("KO", "SPY")
    plant(store, settings, DATE, {"KO": Planted(), "SPY": Planted()})
    unknown = [result(symbol, "daily_bar", "could_not_run") for symbol in ("KO", "SPY")]
    mixed = [result("KO", "score", "could_not_run"), result("SPY", "score", "passed")]
    plant_results(store, DATE, [*unknown, *mixed])
    problems = {row.symbol: row.has_problem for row in gather_date(store, settings, DATE, now=NOW).symbols}
    assert problems == {"KO": True, "SPY": False}


def test_a_check_of_several_tables_is_one_column_with_the_worst_outcome() -> None:
    store, settings = new_store(), settings_of("KO")
    plant(store, settings, DATE, {"KO": Planted()})
    plant_results(
        store,
        DATE,
        [
            result("KO", "no_share_is_lost", "passed", table="time_bars"),
            result("KO", "no_share_is_lost", "could_not_run", table="tick_bars"),
            result("KO", "no_share_is_lost", "failed", table="volume_bars", observed=-5, minimum=0, maximum=0),
        ],
    )
    report = gather_date(store, settings, DATE, now=NOW)
    (column,) = report.checks
    assert (column.tables, column.failed, column.passed) == (["tick_bars", "time_bars", "volume_bars"], 1, 0)
    assert report.symbols[0].checks == {"no_share_is_lost": "failed"}


def test_checks_older_than_the_ticks_are_named() -> None:
    store, settings = new_store(), settings_of("KO", "SPY")
    plant(store, settings, DATE, {"KO": Planted(), "SPY": Planted()})  # committed at 21:00
    plant_results(
        store,
        DATE,
        [
            result("KO", "score", "passed", evaluated_at=at("20:30")),
            result("SPY", "score", "passed", evaluated_at=at("21:30")),
        ],
    )
    assert gather_date(store, settings, DATE, now=NOW).outdated_checks == ["KO"]


def test_symbols_are_in_order_of_what_is_wrong_with_them() -> None:
    store, settings = new_store(), settings_of("A", "B", "C", "D", "E")
    plant(store, settings, DATE, {"A": Planted(score=0.99), "B": Planted(), "D": Planted(), "E": Planted(score=0.98)})
    fail(store, DATE, "C", ["raw_ticks"], "no answer", "TimeoutError")
    plant_results(store, DATE, [result("D", "score", "failed"), result("B", "spread", "failed", severity="warning")])
    STALE.add(("time_bars", "A", DATE))
    report = gather_date(store, settings, DATE, now=NOW)
    assert [row.symbol for row in report.symbols] == ["C", "D", "B", "A", "E"]
    assert report.stale_symbols == ["A"]


def test_gap_lists_become_events_of_a_kind_each() -> None:
    store, settings = new_store(), settings_of("KO", "SPY", "XOM")
    own = Planted(
        silences=[silence("10:00", "10:05", "halt"), silence("11:00", "11:30", "unknown"),
                  silence("14:00", "14:01", "no_trade")],
        gaps=[TickIdGap(seen_at=at("11:30"), market_center=5, first_id=10, last_id=19, is_lost=True),
              TickIdGap(seen_at=at("08:30"), market_center=7, first_id=3, last_id=3, is_lost=False)],
        steps=[VolumeStep(seen_at=at("11:30"), shares=400)],
        crossed=[CrossedMarket(start=at("15:59:01"), end=at("15:59:02"), tick_count=3, widest=0.02)],
    )  # fmt: skip
    plant(store, settings, DATE, {"KO": own, "SPY": Planted()})
    line = gather_date(store, settings, DATE, now=NOW).timeline
    assert [row.symbol for row in line.rows] == ["KO"]
    assert (line.without, line.unknown) == (["SPY"], ["XOM"])
    assert (line.start, line.end) == (at("08:00"), at("16:00"))
    amounts = {event.kind: event.amount for event in line.rows[0].events}
    assert amounts == {
        "halt": 5, "unexplained": 30, "no_trade": 1, "lost_ticks": 10, "id_gap": 1, "volume_step": 400, "crossed": 3,
    }  # fmt: skip


def test_quarantine_is_counted_by_rule_and_symbol_with_examples() -> None:
    store, settings = new_store(), settings_of("KO", "SPY")
    plant(
        store,
        settings,
        DATE,
        {
            "KO": Planted(ticks=90, set_aside={"duplicate_key": 7, "zero_size": 3}, flags={"crossed_quote": 4}),
            "SPY": Planted(ticks=100, set_aside={"zero_size": 1}),
        },
    )
    report = gather_date(store, settings, DATE, now=NOW)
    hard = [(rule.rule, rule.rows, rule.by_symbol) for rule in report.quarantine.rules]
    assert hard == [("duplicate_key", 7, {"KO": 7}), ("zero_size", 4, {"KO": 3, "SPY": 1})]
    assert report.quarantine.rules[0].meaning == "(date, mkt_ctr, tick_id) must be unique; the first row stays"
    zero = [(row.symbol, row.row) for row in report.quarantine.examples if row.rule == "zero_size"]
    assert zero[:2] == [("KO", 100), ("SPY", 100)]  # of each symbol one before a second of one
    assert report.quarantine.examples[0].values["time"] == "09:30:00.000000"
    assert [(rule.rule, rule.rows) for rule in report.quarantine.flags] == [("crossed_quote", 4)]
    assert report.totals.set_aside_share == pytest.approx(11 / 201)


def test_rows_of_a_symbol_without_a_commit_do_not_exist() -> None:
    store, settings = new_store(), settings_of("KO", "SPY")
    plant(
        store, settings, DATE, {"KO": Planted(set_aside={"zero_size": 2}), "SPY": Planted(set_aside={"zero_size": 1})}
    )
    store.manifest.remove("raw_ticks", DATE, ["KO"])
    report = gather_date(store, settings, DATE, now=NOW)
    assert report.quarantine.rules[0].by_symbol == {"SPY": 1}
    assert report.totals.ticks == 10_000


def test_usual_is_the_median_of_earlier_dates_only() -> None:
    store, settings = new_store(), settings_of("KO")
    for number, date in enumerate(trading_dates_before(DATE, 5)):
        plant(store, settings, date, {"KO": Planted(ticks=100 * (number + 1))})  # 100 200 300 400 500
    plant(store, settings, DATE, {"KO": Planted(ticks=900)})
    plant(store, settings, dt.date(2025, 11, 28), {"KO": Planted(ticks=1)})
    ticks = gather_date(store, settings, DATE, now=NOW).comparisons[0]
    (value,) = ticks.values
    assert (value.value, value.usual, value.least, value.greatest, value.earlier_dates) == (900, 300, 100, 500, 5)
    assert value.ratio == 3


def test_four_earlier_dates_are_too_few_to_compare_with() -> None:
    store, settings = new_store(), settings_of("KO")
    for date in (*trading_dates_before(DATE, 4), DATE):
        plant(store, settings, date, {"KO": Planted()})
    (value,) = gather_date(store, settings, DATE, now=NOW).comparisons[0].values
    assert (value.usual, value.ratio, value.earlier_dates) == (None, None, 4)


def test_the_trend_begins_with_the_first_date_of_the_store() -> None:
    store, settings = new_store(), settings_of("KO")
    first, gap, last = trading_dates_before(DATE, 3)
    plant(store, settings, first, {"KO": Planted(ticks=10, score=0.5)})
    plant_results(store, first, [result("KO", "score", "passed", date=first)])
    plant(store, settings, last, {"KO": Planted(ticks=20)})
    plant(store, settings, DATE, {"KO": Planted(ticks=40, set_aside={"zero_size": 10})})
    trend = gather_date(store, settings, DATE, now=NOW).trend
    assert [point.date for point in trend] == [first, gap, last, DATE]
    assert [point.verdict for point in trend] == ["complete", "missing", "degraded", "degraded"]
    assert [point.ticks for point in trend] == [10, None, 20, 40]
    assert (trend[0].score_median, trend[1].score_median, trend[3].set_aside_share) == (0.5, None, 0.2)


def test_a_null_score_has_its_reason() -> None:
    store, settings = new_store(), settings_of("KO")
    reasons = {"data_quality.data_quality_score": "the feed sends no total volume"}
    plant(store, settings, DATE, {"KO": Planted(score=None, level=None, null_reasons=reasons)})
    report = gather_date(store, settings, DATE, now=NOW)
    assert (report.symbols[0].score, report.symbols[0].score_reason) == (None, "the feed sends no total volume")
    assert report.totals.score_median is None


class _Measures(BaseModel):
    """The parts of the quality measures that the report reads."""

    symbol: str
    date: dt.date
    data_quality_score: float | None
    data_quality_level: str | None
    null_reasons: dict[str, str]


def test_the_score_of_the_quality_measures_is_preferred_to_that_of_the_day_record() -> None:
    store, settings = new_store(), settings_of("KO", "PEP", "SPY")
    plant(store, settings, DATE, dict.fromkeys(("KO", "PEP", "SPY"), Planted(score=1.0, level="HIGH")))
    measured = [
        _Measures(symbol="KO", date=DATE, data_quality_score=0.8, data_quality_level="LOW", null_reasons={}),
        _Measures(
            symbol="PEP",
            date=DATE,
            data_quality_score=None,
            data_quality_level=None,
            null_reasons={"data_quality_score": "no total volume"},
        ),
    ]
    store.light.replace_symbols(QUALITY_TABLE, DATE, to_table(measured, _Measures), ["KO", "PEP"])
    rows = {row.symbol: row for row in gather_date(store, settings, DATE, now=NOW).symbols}
    assert (rows["KO"].score, rows["KO"].level) == (0.8, "LOW")
    assert (rows["PEP"].score, rows["PEP"].score_reason) == (None, "no total volume")
    assert (rows["SPY"].score, rows["SPY"].level) == (1.0, "HIGH")


def test_what_cannot_be_read_is_named_and_the_rest_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    store, settings = new_store(), settings_of("KO")
    plant(store, settings, DATE, {"KO": Planted(ticks=123)})
    read = store.light.read

    def damaged(table: str, **options: object) -> object:
        if table == "quarantine":
            raise StoreError("not a readable Parquet file")
        return read(table, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(store.light, "read", damaged)
    report = gather_date(store, settings, DATE, now=NOW)
    assert report.totals.ticks == 123
    assert report.heading.not_read == ["quarantine of 2025-11-26: not a readable Parquet file"]


def test_a_symbol_outside_the_settings_is_shown_and_not_expected() -> None:
    store, settings = new_store(), settings_of("KO")
    plant(store, settings, DATE, {"KO": Planted(), "OLD": Planted()})
    report = gather_date(store, settings, DATE, now=NOW)
    assert (report.totals.expected_symbols, report.totals.other_symbols) == (1, 1)
    assert {row.symbol: row.expected for row in report.symbols} == {"KO": True, "OLD": False}


def test_tables_and_provenance_are_those_of_the_manifest() -> None:
    store, settings = new_store(), settings_of("KO", "SPY")
    plant(store, settings, DATE, {"KO": Planted(ticks=5), "SPY": Planted(ticks=7)})
    report = gather_date(store, settings, DATE, now=NOW)
    raw = report.tables[0]
    assert (raw.table, raw.symbols, raw.rows, raw.seconds, raw.last_commit) == ("raw_ticks", 2, 12, 0.5, at("21:00"))
    assert (report.provenance[0].symbol, report.provenance[0].source_detail) == ("KO", "/data/ticks/KO.parquet")
    assert report.settings["raw_ticks"].startswith("ingest=")


def test_a_date_that_does_not_trade_is_refused() -> None:
    with pytest.raises(CalendarError, match="Thanksgiving"):
        gather_date(new_store(), settings_of("KO"), dt.date(2025, 11, 27), now=NOW)


def test_json_gives_the_same_report_back() -> None:
    store, settings = new_store(), settings_of("KO", "SPY")
    own = Planted(set_aside={"zero_size": 2}, silences=[silence("11:00", "11:30", "unknown")])
    plant(store, settings, DATE, {"KO": own})
    fail(store, DATE, "SPY", ["raw_ticks"], "no answer", "TimeoutError")
    plant_results(store, DATE, [result("KO", "score", "failed", observed=0.5, minimum=0.7)])
    report = gather_date(store, settings, DATE, now=NOW)
    again = DateQualityReport.model_validate_json(report.model_dump_json())
    assert again.model_dump() == report.model_dump()

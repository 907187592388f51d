"""What the pages say and how they are made: facts, order, escaping, nothing from elsewhere."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import re
from pathlib import Path

import pytest

from fuzzy_pipeline.report import date_page, gather_date, gather_range, range_page, write_report
from fuzzy_pipeline.report.contents import RangeReport
from fuzzy_pipeline.report.gaps import LISTED
from fuzzy_pipeline.schema.day_metadata import CrossedMarket, TickIdGap
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.sources.protocol import DataKind
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import trading_dates_before
from tests.unit.report.page_reader import Page
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

EVIL = '<img src=x onerror="alert(1)">&\'"'


def _bad_store(kind: DataKind = "real") -> tuple[Store, Settings]:
    """KO with an error, a gap and quarantine; PEP failed; SPY could not be judged; XOM fine; MRK nowhere."""
    store, settings = new_store(kind), settings_of("KO", "MRK", "PEP", "SPY", "XOM")
    own = Planted(
        ticks=1234,
        score=0.61239,
        level="POOR",
        unexplained=30,
        lost=10,
        set_aside={"zero_size": 12},
        silences=[silence("11:00", "11:30", "unknown")],
    )
    for date in trading_dates_before(DATE, 6):
        plant(store, settings, date, {"KO": Planted(ticks=6170), "XOM": Planted()})
    plant(store, settings, DATE, {"KO": own, "SPY": Planted(), "XOM": Planted()})
    fail(store, DATE, "PEP", ["raw_ticks", "enriched_ticks"], f"PEP: refused {EVIL}", "SourceError")
    plant_results(
        store,
        DATE,
        [
            result("KO", "score_is_acceptable", "failed", observed=0.61239, minimum=0.7),
            result("SPY", "score_is_acceptable", "could_not_run", reason=f"null {EVIL}"),
            result("XOM", "score_is_acceptable", "passed", observed=1.0, minimum=0.7),
            result("KO", "volume_is_usual", "failed", severity="warning", observed=0.1, minimum=0.2, maximum=5),
            *(result(symbol, "keys_are_unique", "passed") for symbol in ("KO", "SPY", "XOM")),
        ],
    )
    return store, settings


@pytest.fixture
def bad() -> Page:
    """The page of the bad date."""
    return Page(date_page(gather_date(*_bad_store(), DATE, now=NOW)))


def test_the_verdict_comes_first_in_words(bad: Page) -> None:
    assert bad.sections["verdict"].split()[0] == "Degraded"
    assert bad.section("verdict").endswith(
        "Of 5 symbols 1 failed (PEP), 1 is not stored (MRK); 1 error check failed for KO;"
        " 1 check warns and 1 check could not run."
    )
    assert list(bad.sections) == [
        "verdict", "person", "checks", "gaps", "usual", "quarantine", "trend", "tables",
    ]  # fmt: skip


def test_failures_come_with_their_reason_and_a_command(bad: Page) -> None:
    person = bad.section("person")
    assert "PEP raw ticks · SourceError · 1 attempt" in person
    assert "fuzzy run 2025-11-26 --symbols PEP" in person
    assert "fuzzy run 2025-11-26 --symbols MRK" in person
    assert "fuzzy run 2025-11-26 --symbols KO --force" in person


def test_errors_come_before_warnings_and_those_before_what_could_not_run(bad: Page) -> None:
    person = bad.section("person")
    places = [
        person.index(text) for text in ("Failed symbols", "Errors 1 check", "Warnings 1 check", "Could not run 1")
    ]
    assert places == sorted(places)
    could_not = person[places[3] :]
    assert "SPY" in could_not
    assert "KO" not in could_not
    assert "SPY" not in person[places[1] : places[3]]


def test_the_table_of_checks_tells_failed_from_could_not_run_from_not_run(bad: Page) -> None:
    # Columns: stored, ticks, set aside, lost, unexplained, score, level, then the checks: those that object first.
    table = bad.rows["matrix"]
    assert table["symbol"][7:] == ["score is acceptable", "volume is usual", "keys are unique"]
    assert table["KO"] == [
        "complete", "1,234", "0.96 %", "10", "30", "0.612", "POOR", "failed", "warning", "passed",
    ]  # fmt: skip
    assert table["SPY"][7:] == ["could not run", "not run", "passed"]
    assert table["XOM"][7:] == ["passed", "not run", "passed"]
    assert table["PEP"] == ["failed", *["–"] * 6, *["not run"] * 3]
    assert list(table)[1:3] == ["PEP", "MRK"]


def test_gaps_are_also_told_in_words(bad: Page) -> None:
    assert "30 min unexplained" in bad.section("gaps")
    assert "11:00:00–11:30:00 30 min without a tick, not explained" in bad.section("gaps")


def test_values_stand_beside_the_usual_ones(bad: Page) -> None:
    assert "KO ×0.20 1,234 · usual 6,170" in bad.section("usual")


def test_quarantine_shows_rule_count_and_rows(bad: Page) -> None:
    assert bad.rows["hard"]["zero size"][1:] == ["12", "1", "KO 12"]
    assert "Example rows" in bad.section("quarantine")
    assert "to see them fuzzy quarantine list --date 2025-11-26" in bad.section("quarantine")


def test_text_from_data_never_becomes_markup() -> None:
    html = date_page(gather_date(*_bad_store(), DATE, now=NOW))
    assert EVIL not in html
    assert "<img" not in html
    page = Page(html)
    assert f"PEP: refused {EVIL}" in page.section("person")
    assert "img" not in page.tags


def test_an_evil_symbol_stays_text_everywhere() -> None:
    store, settings = new_store(), settings_of("KO")
    gap = TickIdGap(seen_at=at("12:00"), market_center=5, first_id=1, last_id=2, is_lost=True)
    own = Planted(set_aside={"zero_size": 1}, flags={EVIL: 2}, gaps=[gap], lost=2)
    for date in (*trading_dates_before(DATE, 6), DATE):
        plant(store, settings, date, {EVIL: own})
    plant_results(store, DATE, [result(EVIL, EVIL, "failed", table=EVIL, measure=EVIL, observed=1.0, maximum=0.0)])
    for html in (
        date_page(gather_date(store, settings, DATE, now=NOW)),
        range_page(gather_range(store, settings, DATE, DATE, now=NOW)),
    ):
        assert "<img" not in html
        assert 'onerror="' not in html
        assert EVIL in Page(html).text


@pytest.mark.parametrize("kind", ["real", "simulated"])
def test_simulated_data_are_labelled_and_real_data_are_not(kind: DataKind) -> None:
    report = gather_date(*_bad_store(kind), DATE, now=NOW)
    page = Page(date_page(report))
    assert ("SIMULATED DATA" in page.text) is (kind == "simulated")
    assert ("SIMULATED ·" in page.text.split("Skip to")[0]) is (kind == "simulated")


def _range(store: Store, settings: Settings) -> RangeReport:
    return gather_range(store, settings, dt.date(2025, 11, 1), dt.date(2025, 11, 30), now=NOW)


@pytest.mark.parametrize("which", ["date", "range", "empty date", "empty range"])
def test_a_page_needs_nothing_from_elsewhere_and_is_whole(which: str) -> None:
    store, settings = _bad_store() if "empty" not in which else (new_store(), settings_of("KO"))
    html = (
        date_page(gather_date(store, settings, DATE, now=NOW))
        if "date" in which
        else range_page(_range(store, settings))
    )
    page = Page(html)
    assert html.startswith("<!doctype html>")
    assert "http:" not in html.replace("http-equiv", "")
    assert "https:" not in html
    assert "@import" not in html
    assert "url(" not in html.replace("url(#hatch)", "")
    assert all(link.startswith("#") or link.endswith(".html") for link in page.links)
    assert all(link.startswith(("#i-", "data:,")) for link in page.resources)
    assert page.unclosed == []
    assert len(page.ids) == len(set(page.ids))
    assert {link[1:] for link in page.links if link.startswith("#")} <= set(page.ids)
    assert {"main", "nav", "header", "footer", "h1"} <= set(page.tags)
    assert page.links[0] == "#main"


def test_the_page_allows_its_own_script_only() -> None:
    html = date_page(gather_date(*_bad_store(), DATE, now=NOW))
    (script,) = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = html.split('http-equiv="Content-Security-Policy" content="')[1].split('"')[0]
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_an_empty_date_says_that_nothing_is_there() -> None:
    page = Page(date_page(gather_date(new_store(), settings_of("KO", "SPY"), DATE, now=NOW)))
    assert page.section("verdict") == "Missing Nothing is stored."
    assert "KO, SPY nothing is stored, and nothing failed: not asked for yet" in page.section("person")
    assert "nothing is known of gaps" in page.section("gaps")
    assert "No row was set aside" not in page.text  # nothing came: nothing can be said
    assert page.rows["matrix"]["KO"] == ["missing", "–", "–", "–", "–", "–", "–"]


def test_without_results_checks_are_said_to_be_not_run() -> None:
    store, settings = new_store(), settings_of("KO")
    plant(store, settings, DATE, {"KO": Planted()})
    page = Page(date_page(gather_date(store, settings, DATE, now=NOW)))
    assert "No check of this date has a result" in page.section("person")
    assert "no check has been run" in page.text
    assert "Nothing. No symbol failed" not in page.text


def test_the_page_of_a_retired_date_says_so_and_needs_nobody() -> None:
    store, settings = new_store(), settings_of("KO", "SPY")
    plant(store, settings, DATE, {"KO": Planted(ticks=1234), "SPY": Planted()})
    plant_results(store, DATE, [result("KO", "score", "passed"), result("SPY", "score", "passed")])
    retire(store, DATE, RAW_TICKS.name)
    page = Page(date_page(gather_date(store, settings, DATE, now=NOW)))
    assert page.section("verdict") == (
        "Complete All 2 symbols were stored and no error check failed. Retired since: raw_ticks of 2 symbols."
    )
    assert page.section("person") == "What needs a person Nothing. No symbol failed and no check objects."
    assert page.rows["matrix"]["KO"][:2] == ["retired", "1,234"]


def test_a_complete_date_needs_nobody() -> None:
    store, settings = new_store(), settings_of("KO")
    plant(store, settings, DATE, {"KO": Planted()})
    plant_results(store, DATE, [result("KO", "keys_are_unique", "passed")])
    page = Page(date_page(gather_date(store, settings, DATE, now=NOW)))
    assert page.section("verdict") == "Complete KO is stored and no error check failed."
    assert page.section("person") == "What needs a person Nothing. No symbol failed and no check objects."
    assert "No gap in any of the 1 symbol" in page.section("gaps")


def test_a_check_that_could_run_for_nobody_is_told_once_and_not_as_a_failure() -> None:
    store, settings = new_store(), settings_of("KO", "SPY")
    plant(store, settings, DATE, {"KO": Planted(), "SPY": Planted()})
    plant_results(
        store,
        DATE,
        [
            *(result(symbol, "daily_bar_agrees", "could_not_run", reason="no daily bar") for symbol in ("KO", "SPY")),
            *(result(symbol, "keys_are_unique", "passed") for symbol in ("KO", "SPY")),
        ],
    )
    person = Page(date_page(gather_date(store, settings, DATE, now=NOW))).section("person")
    assert person == (
        "What needs a person Nothing failed, and no check that ran objects. Could not run 1 check"
        " Not a failure: nothing is known about the data, for better or worse."
        " daily bar agrees quality_measures no daily bar all 2 symbols"
    )


def test_five_hundred_bad_symbols_stay_under_a_megabyte() -> None:
    names = [f"S{number:03d}" for number in range(500)]
    store, settings = new_store(), settings_of(*names)
    crossed = [
        CrossedMarket(start=at(f"{10 + n // 20}:{3 * (n % 20):02d}"), end=at("16:00"), tick_count=2, widest=0.01)
        for n in range(LISTED)
    ]
    own = Planted(crossed=crossed, set_aside={"zero_size": 3, "duplicate_key": 2}, score=0.5)
    plant(store, settings, DATE, dict.fromkeys(names, own))
    rules = [f"a_rule_with_a_long_name_{number}" for number in range(30)]
    plant_results(
        store, DATE, [result(name, rule, "failed", observed=3.0, maximum=1) for name in names for rule in rules]
    )
    html = date_page(gather_date(store, settings, DATE, now=NOW))
    assert len(html.encode()) < 1_000_000
    page = Page(html)
    assert len(page.rows["matrix"]) == 501
    assert "The JSON file has all of them." in page.section("gaps")


def test_the_range_has_a_verdict_and_a_link_for_every_date(tmp_path: Path) -> None:
    store, _ = _bad_store()
    settings = Settings(_env_file=None, home=tmp_path, symbols=("KO", "XOM"))
    first, *_rest = trading_dates_before(DATE, 6)
    plant_results(store, first, [result(symbol, "keys", "passed", date=first) for symbol in ("KO", "XOM")])
    write_report(tmp_path / "reports" / f"{DATE}.html", "a page")
    report = _range(store, settings)
    assert len(report.dates) == 19  # twenty weekdays of November 2025 less Thanksgiving
    assert report.verdicts == {"complete": 1, "degraded": 6, "pending": 0, "missing": 12}
    assert report.sentence == "Of 19 trading dates 1 complete, 6 degraded and 12 missing."
    page = Page(range_page(report, folder="../"))
    assert f"../{DATE}.html" in page.links
    assert [link for link in page.links if link.endswith(".html")] == [f"../{DATE}.html"] * 2
    assert "2025-11-26: degraded" in page.section("calendar")


def test_the_range_adds_up_symbols_checks_and_quarantine() -> None:
    report = _range(*_bad_store())
    worst = report.symbols[0]
    assert (worst.symbol, worst.dates_failed, worst.errors) == ("PEP", 1, 0)
    ko = next(row for row in report.symbols if row.symbol == "KO")
    assert (ko.errors, ko.warnings, ko.set_aside) == (1, 1, 12)
    assert (ko.score_least, ko.least_date, ko.score_median) == (0.61239, DATE, 1.0)
    assert [(rule.rule, rule.rows) for rule in report.rules] == [("zero_size", 12)]
    (acceptable,) = [check for check in report.failed_checks if check.rule == "score_is_acceptable"]
    assert (acceptable.failed, acceptable.could_not_run, acceptable.passed) == (1, 1, 1)
    assert RangeReport.model_validate_json(report.model_dump_json()) == report


def test_a_range_without_trading_dates_says_so() -> None:
    report = gather_range(new_store(), settings_of("KO"), dt.date(2025, 11, 29), dt.date(2025, 11, 30), now=NOW)
    assert report.sentence == "No trading date lies in this range."
    assert "closed on every date" in Page(range_page(report)).text


def test_a_file_is_replaced_whole_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "reports" / "2025-11-26.html"
    write_report(path, "one")
    write_report(path, "two – ü")
    assert path.read_text(encoding="utf-8") == "two – ü"
    with pytest.raises(UnicodeEncodeError):
        write_report(path, "\ud800")
    assert [file.name for file in path.parent.iterdir()] == ["2025-11-26.html"]
    assert path.read_text(encoding="utf-8") == "two – ü"

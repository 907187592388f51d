"""A source that fails in every way it can: seen, tried again, caught up, and never a part of a day stored.

``FUZZY_TEST_FAULTS`` sets how many dates are fetched from a source that changes its mind all the while (default 3).
"""

from __future__ import annotations

import datetime as dt
import json
import os
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.errors import SourceUnavailableError
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import Settings, SimulatorSettings, load_settings
from fuzzy_pipeline.simulator.market import SimulatedMarket
from fuzzy_pipeline.sources.iqfeed.faults import Faults
from fuzzy_pipeline.sources.iqfeed.server import LoopbackServer
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.run_date import DateReport, run_date
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.store_care.retention import INGEST_TABLES
from fuzzy_pipeline.store_care.verify import check_store
from fuzzy_pipeline.stores.store import Store
from tests.integration.run_processes import DATES, SMALL, the_forks
from tests.integration.watching_reader import content_of, differences

STORMY_DATES = int(os.environ.get("FUZZY_TEST_FAULTS", "3"))
SYMBOLS = ("AAA", "BBB", "CCC")
TRIES, ROUNDS = 2, 2
FEED = {
    "FUZZY_SOURCE": "iqfeed",
    "FUZZY_IQFEED__TIMEOUT_S": "5",
    "FUZZY_IQFEED__TRIES": str(TRIES),
    "FUZZY_IQFEED__BACKOFF_S": "0.001",
    "FUZZY_RETRIES__ROUNDS": str(ROUNDS),
    "FUZZY_RETRIES__PAUSE_S": "0.05",
    # Dates of last year are asked for: how long the real feed keeps them is not what is tested.
    "FUZZY_HISTORY__CALENDAR_DAYS": "36500",
    "FUZZY_HISTORY__TRADING_DAYS_WHEN_OPEN": "2000",
}


@dataclass
class Feed:
    """A loopback server that can be taken down and comes back on the same port."""

    market: SimulatedMarket
    faults: Faults
    server: LoopbackServer

    @property
    def port(self) -> int:
        return self.server.address[1]

    def asked(self, date: dt.date) -> int:
        """How often ticks of a date were asked for."""
        return sum(line.startswith("HTT") and f"{date:%Y%m%d}" in line for line in self.server.received)

    def back(self) -> None:
        """Listen again after ``server.close()``."""
        self.server = LoopbackServer(self.market, port=self.port, faults=self.faults)
        self.server.start()


@pytest.fixture
def feed(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Feed]:
    """A simulated market behind a server with switches for its faults; the settings of this process ask it."""
    faults = Faults()
    market = SimulatedMarket(SimulatorSettings(ticks_per_day=300))
    made = Feed(market, faults, LoopbackServer(market, faults=faults))
    made.server.start()
    for name, value in (SMALL | FEED | {"FUZZY_IQFEED__PORT": str(made.port)}).items():
        monkeypatch.setenv(name, value)
    yield made
    close_workbenches()
    made.server.close()


def ingest(settings: Settings, date: dt.date) -> DateReport:
    """Fetch a date in this process, as a nightly run does first."""
    return run_date(IngestStep(), date, SYMBOLS, settings, InlineEngine())


def soon_impatient(settings: Settings) -> Settings:
    """Settings whose client waits for a silent server no longer than a test should."""
    return settings.model_copy(update={"iqfeed": settings.iqfeed.model_copy(update={"timeout_s": 0.2})})


def stored_hashes(store: Store, date: dt.date) -> dict[str, str]:
    return {row.symbol: row.content_hash for row in store.manifest.rows(RAW_TICKS.name, [date])}


def true_hashes(feed: Feed, folder: Path, *dates: dt.date) -> Mapping[dt.date, dict[str, str]]:
    """What a source without faults gives, in a home of its own."""
    settings = load_settings(home=folder)
    for date in dates:
        ingest(settings, date).raise_if_failed()
    store = workbench(settings).store
    return {date: stored_hashes(store, date) for date in dates}


def assert_nothing_is_stored(store: Store, date: dt.date) -> None:
    """Neither rows nor versions nor light rows of a date."""
    assert store.manifest.rows(RAW_TICKS.name, [date]) == []
    assert [store.heavy.versions(RAW_TICKS, symbol, date) for symbol in SYMBOLS] == [[], [], []]
    assert [table for table in INGEST_TABLES if date in store.light.dates(table)] == []


def refuse(faults: Faults) -> None:
    faults.refuse = True


def hang(faults: Faults) -> None:
    faults.hang = True


def cut(faults: Faults) -> None:
    faults.cut_after_lines = 40


def send_garbage(faults: Faults) -> None:
    faults.garbage_after_lines = 40


def have_nothing(faults: Faults) -> None:
    faults.no_data = True


def be_overrun(faults: Faults) -> None:
    faults.too_many_requests = 10_000


def be_unauthorized(faults: Faults) -> None:
    faults.unauthorized = True


def come_back(faults: Faults) -> None:
    """No fault any more."""
    faults.refuse = faults.hang = faults.no_data = faults.unauthorized = False
    faults.too_many_requests, faults.cut_after_lines, faults.garbage_after_lines, faults.times = 0, None, None, None


PASSING: dict[Callable[[Faults], None], tuple[str, str]] = {
    hang: ("SourceTimeoutError", "no bytes for 0.2 s"),
    cut: ("SourceUnavailableError", "after line 40 of the reply: the peer closed the connection"),
    send_garbage: ("ProtocolError", "this is no line of the protocol"),
    be_overrun: ("TooManyRequestsError", "Too many simultaneous history requests"),
}
LASTING: dict[Callable[[Faults], None], tuple[str, str]] = {
    have_nothing: ("NoDataError", "the source has nothing for this request"),
    be_unauthorized: ("UnauthorizedError", "check the DTN login"),
}


@pytest.mark.parametrize("fault", [*PASSING, *LASTING], ids=lambda fault: fault.__name__)
def test_a_fault_is_kept_with_its_reason_and_nothing_of_the_day_is_stored_until_the_source_is_back(
    feed: Feed, tmp_path: Path, fault: Callable[[Faults], None]
) -> None:
    settings, (before, date) = load_settings(), DATES[:2]
    ingest(settings, before).raise_if_failed()
    store = workbench(settings).store
    fault(feed.faults)
    report = ingest(soon_impatient(settings) if fault is hang else settings, date)
    error_type, words = (PASSING | LASTING)[fault]
    failures = store.manifest.failures(RAW_TICKS.name, [date])
    assert {(row.symbol, row.error_type) for row in failures} == {(symbol, error_type) for symbol in SYMBOLS}
    for row in failures:
        assert words in row.reason
        assert f"127.0.0.1:{feed.port}" in row.reason
        assert f"HTT,{row.symbol},{date:%Y%m%d}" in row.reason
        assert report.failed[row.symbol].reason == row.reason
    # Passing faults: by the client, and again in further rounds once the other symbols had their turn.
    times = TRIES * (1 + ROUNDS) if fault in PASSING else 1
    assert feed.asked(date) == len(SYMBOLS) * times
    assert_nothing_is_stored(store, date)

    come_back(feed.faults)
    ingest(settings, date).raise_if_failed()
    assert stored_hashes(store, date) == true_hashes(feed, tmp_path / "undisturbed", date)[date]
    assert store.manifest.failures() == []
    assert [item for check in check_store(store) for item in check.broken] == []


@pytest.mark.parametrize("fault", PASSING, ids=lambda fault: fault.__name__)
def test_a_source_that_is_back_within_the_rounds_fails_nothing(feed: Feed, fault: Callable[[Faults], None]) -> None:
    settings, date = load_settings(), DATES[0]
    workbench(settings).store_for_ingest()
    fault(feed.faults)
    # All tries of the first round, and the first of the second.
    feed.faults.times = len(SYMBOLS) * TRIES + 1
    feed.faults.too_many_requests = feed.faults.times if fault is be_overrun else 0
    report = ingest(soon_impatient(settings) if fault is hang else settings, date)
    assert (report.failed, sorted(row.symbol for row in report.rows(RAW_TICKS.name))) == ({}, [*SYMBOLS])
    assert workbench(settings).store.manifest.failures() == []
    assert feed.asked(date) == len(SYMBOLS) * TRIES + 1 + len(SYMBOLS)


def test_one_symbol_that_is_cut_off_fails_alone(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FUZZY_RETRIES__ROUNDS", "0")
    settings, date = soon_impatient(load_settings()), DATES[0]
    workbench(settings).store_for_ingest()
    feed.market.fetch_ticks("AAA", date)  # the first makes the market, which may take as long as is waited for
    answer = feed.server.answer
    feed.server.answer = (
        lambda request, protocol: (  # type: ignore[method-assign]
            answer(request, protocol)[:2000] if b",BBB," in request.encode() else answer(request, protocol)
        )
    )
    report = ingest(settings, date)
    assert {symbol: failure.error_type for symbol, failure in report.failed.items()} == {"BBB": "SourceTimeoutError"}
    store = workbench(settings).store
    assert sorted(stored_hashes(store, date)) == ["AAA", "CCC"]
    assert store.heavy.versions(RAW_TICKS, "BBB", date) == []
    assert {row.symbol for row in store.manifest.failures()} == {"BBB"}


@pytest.mark.parametrize("is_down", [False, True], ids=["refuses", "down"])
def test_a_source_that_cannot_be_reached_at_all_fails_every_symbol_by_name(feed: Feed, is_down: bool) -> None:
    settings, (before, date) = load_settings(), DATES[:2]
    ingest(settings, before).raise_if_failed()
    close_workbenches()  # the next run connects anew
    if is_down:
        feed.server.close()
    refuse(feed.faults)
    report = ingest(settings, date)
    store = workbench(settings).store
    failures = store.manifest.failures(RAW_TICKS.name, [date])
    assert {(row.symbol, row.error_type) for row in failures} == {
        (symbol, "SourceUnavailableError") for symbol in SYMBOLS
    }
    assert all(f"127.0.0.1:{feed.port}" in row.reason for row in failures)
    assert set(report.failed) == set(SYMBOLS)
    assert_nothing_is_stored(store, date)

    come_back(feed.faults)
    if is_down:
        feed.back()
    ingest(settings, date).raise_if_failed()
    assert store.manifest.failures() == []


def test_a_source_that_is_back_soon_is_asked_again_though_no_connection_was_there(feed: Feed) -> None:
    settings, (before, date) = load_settings(), DATES[:2]
    ingest(settings, before).raise_if_failed()
    close_workbenches()
    refuse(feed.faults)
    feed.faults.times = TRIES + 1
    report = ingest(settings, date)
    assert report.failed == {}
    assert len(report.committed) == len(SYMBOLS)


def test_the_first_run_of_all_says_at_once_that_the_source_cannot_be_reached(feed: Feed) -> None:
    """There is no store to keep failures in, and somebody is sitting in front of it."""
    feed.server.close()
    with pytest.raises(SourceUnavailableError, match=f"127.0.0.1:{feed.port}: cannot connect"):
        ingest(load_settings(), DATES[0])


def test_whatever_the_source_does_only_whole_days_are_stored_and_all_are_there_in_the_end(
    feed: Feed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dates, choice = DATES[:STORMY_DATES], random.Random(5)
    true = true_hashes(feed, tmp_path / "undisturbed", *dates)
    monkeypatch.setenv("FUZZY_IQFEED__TRIES", "1")
    monkeypatch.setenv("FUZZY_RETRIES__ROUNDS", "1")
    settings = soon_impatient(load_settings())
    workbench(settings).store_for_ingest()
    calm = threading.Event()

    def storm() -> None:
        while not calm.wait(choice.uniform(0.01, 0.1)):
            come_back(feed.faults)
            choice.choice([refuse, cut, send_garbage, hang, be_overrun, have_nothing, come_back])(feed.faults)
            feed.faults.times = choice.randrange(1, 9)

    weather = threading.Thread(target=storm)
    weather.start()
    seen = set()
    try:
        for date in (*dates, *dates):
            seen |= {failure.error_type for failure in ingest(settings, date).failed.values()}
            found = stored_hashes(workbench(settings).store, date)
            assert found.items() <= true[date].items()
    finally:
        calm.set()
        weather.join()
    come_back(feed.faults)
    settings = soon_impatient(load_settings())
    for date in dates:
        ingest(settings, date).raise_if_failed()
        assert stored_hashes(workbench(settings).store, date) == true[date]
    store = workbench(settings).store
    assert store.manifest.failures() == []
    assert [item for check in check_store(store) for item in check.broken] == []
    print(f"{len(dates)} dates, errors met: {sorted(seen)}")  # noqa: T201


@pytest.mark.long
def test_a_nightly_run_names_the_symbols_that_failed_and_catching_up_completes_the_date(
    feed: Feed, tmp_path: Path
) -> None:
    before, date = DATES[:2]
    broken, whole = tmp_path / "a" / "home", tmp_path / "b" / "home"
    environment = FEED | {"FUZZY_IQFEED__PORT": str(feed.port)}

    def run(work: str, home: Path, **arguments: object) -> list[list[object]]:
        process = the_forks().start(work, home, environment, last=str(date), **arguments)
        process.succeed()
        assert work == "run" or process.lines("left") == ["nothing is due"], process.said
        return [json.loads(line) for line in process.lines("run" if work == "run" else "caught")]

    assert [success for _, success, *_ in run("run", whole, dates=[str(before), str(date)])] == [True, True]
    assert run("run", broken, dates=[str(before)])[0][1] is True
    feed.server.close()
    ((_, success, _, _, error),) = run("run", broken, dates=[str(date)])
    assert success is False
    for symbol in SYMBOLS:
        assert f"{symbol} {date}" in str(error)
    assert f"127.0.0.1:{feed.port}: cannot connect" in str(error)
    page = (broken / "reports" / f"{date}.html").read_text()
    assert "SourceUnavailableError" in page
    feed.back()
    assert [(due, success) for due, success, _ in run("catch_up", broken)] == [(f"{date} failed", True)]
    settings = load_settings(home=broken)
    assert differences(content_of(settings), content_of(load_settings(home=whole))) == []

"""Rows set aside, decided by a person, and what the next ingest makes of the decisions."""

from __future__ import annotations

import datetime as dt
import math
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.errors import SchemaError, SettingsError, StoreError
from fuzzy_pipeline.operations.audit import AuditLog
from fuzzy_pipeline.operations.quarantine_desk import QuarantineDesk
from fuzzy_pipeline.operations.quarantine_rows import Choice
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, HEAVY_TABLES, RAW_TICKS
from fuzzy_pipeline.settings import Settings, SimulatorSettings, load_settings
from fuzzy_pipeline.simulator.market import SimulatedMarket
from fuzzy_pipeline.sources.files import write_ticks
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.pipeline import stale_results
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.store import Store, create_store
from tests.unit.steps.conservation import lost_ticks

DATE = dt.date(2025, 11, 25)
SYMBOLS = ("AAA", "BBB")
Columns = dict[str, NDArray[Any]]


class Tape:
    """Tick files of both symbols, rows of which can be broken, and the store they are ingested into."""

    def __init__(self, settings: Settings, good: Mapping[str, Columns]) -> None:
        self.settings = settings
        self.good = good
        self.sent = {symbol: {name: array.copy() for name, array in self.good[symbol].items()} for symbol in SYMBOLS}
        self.send()

    def path(self, symbol: str) -> Path:
        return self.settings.files.path / f"symbol={symbol}" / f"date={DATE}.parquet"

    def send(self) -> None:
        for symbol, columns in self.sent.items():
            write_ticks(self.path(symbol), columns, "simulated")

    def trade(self, symbol: str, near: int) -> int:
        """The first row from ``near`` on that is a trade and no official print."""
        return near + int(np.flatnonzero(self.good[symbol]["last_sz"][near:] > 0)[0])

    def broken(self, symbol: str, row: int, **values: object) -> None:
        for name, value in values.items():
            self.sent[symbol][name][row] = value
        self.send()

    def ingest(self, *, force: bool = False) -> dict[str, ManifestRow]:
        reports = [
            run_date(step, DATE, SYMBOLS, self.settings, InlineEngine(), force=force)
            for step in (IngestStep(), EnrichStep())
        ]
        assert [report.failed for report in reports] == [{}, {}]
        assert lost_ticks(self.store, self.settings, DATE) == {}
        return {result.rows[0].symbol: result.rows[0] for result in reports[0].committed}

    @property
    def store(self) -> Store:
        return workbench(self.settings).store

    @property
    def desk(self) -> QuarantineDesk:
        return QuarantineDesk(self.store, self.settings)

    @property
    def audit(self) -> AuditLog:
        return AuditLog.of(self.settings)

    def counts(self) -> dict[tuple[str, str], Mapping[str, int]]:
        return {(each.symbol, each.rule): dict(each.states) for each in self.desk.counts(Choice())}

    def prices(self, symbol: str, table: str = "raw") -> list[float]:
        if table == "raw":
            return self.store.read(RAW_TICKS, symbol, DATE).arrays["last"].tolist()
        return self.store.read(ENRICHED_TICKS, symbol, DATE).arrays["price"].tolist()

    def traded(self, symbol: str) -> list[float]:
        """Prices of all trades of the tape as it was before anything was broken."""
        good = self.good[symbol]
        return good["last"][good["last_sz"] > 0].tolist()


def settings_in(folder: Path) -> Settings:
    return load_settings(
        home=folder / "home",
        source="files",
        files={"path": folder / "ticks"},
        symbols=SYMBOLS,
        engine={"kind": "inline"},
        simulator={"ticks_per_day": 400},
        store={"map_size": "1GB"},
    )


@pytest.fixture(scope="module")
def good() -> dict[str, Columns]:
    """The ticks of both symbols as they should be; tests only read them."""
    market = SimulatedMarket(SimulatorSettings(ticks_per_day=400))
    return {symbol: dict(market.fetch_ticks(symbol, DATE).columns) for symbol in SYMBOLS}


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose store has its tables and nothing in them: making one takes most of a test's time."""
    settings = settings_in(tmp_path_factory.mktemp("empty"))
    create_store(settings, "simulated", HEAVY_TABLES).close()
    return settings.home


@pytest.fixture
def tape(tmp_path: Path, empty_home: Path, good: dict[str, Columns], monkeypatch: pytest.MonkeyPatch) -> Iterator[Tape]:
    monkeypatch.chdir(tmp_path)
    shutil.copytree(empty_home, tmp_path / "home")
    yield Tape(settings_in(tmp_path), good)
    close_workbenches()


def only(tape: Tape, **choice: Any) -> list[Any]:
    return tape.desk.rows(Choice(**choice))


# -- what is on the desk -------------------------------------------------------------------


def test_rows_set_aside_are_on_the_desk_with_their_raw_values_and_are_open(tape: Tape) -> None:
    tape.broken("AAA", 50, last=-1.25)
    tape.broken("BBB", 60, last=math.nan)
    tape.broken("BBB", 61, date=np.datetime64("2025-11-24"))
    tape.ingest()
    rows = tape.desk.rows(Choice())
    assert [(row.symbol, row.row, row.rule, row.state) for row in rows] == [
        ("AAA", 50, "price_not_positive", "open"),
        ("BBB", 60, "price_not_positive", "open"),
        ("BBB", 61, "wrong_date", "open"),
    ]
    assert rows[0].values["last"] == -1.25
    assert rows[0].values["tick_id"] == int(tape.good["AAA"]["tick_id"][50])
    assert rows[2].values["date"] == dt.date(2025, 11, 24)
    assert tape.counts() == {
        ("AAA", "price_not_positive"): {"open": 1},
        ("BBB", "price_not_positive"): {"open": 1},
        ("BBB", "wrong_date"): {"open": 1},
    }


def test_symbol_rule_row_and_state_limit_what_is_shown(tape: Tape) -> None:
    for row in (50, 52):
        tape.broken("AAA", row, last=0.0)
    tape.broken("BBB", 60, last=0.0)
    tape.ingest()
    assert [row.row for row in only(tape, symbols=("AAA",))] == [50, 52]
    assert [row.row for row in only(tape, symbols=("AAA",), rows=(52,))] == [52]
    assert only(tape, rules=("duplicate_key",)) == []
    assert only(tape, states=("dropped",)) == []
    assert only(tape, dates=(dt.date(2025, 11, 24),)) == []


def test_the_ticks_around_a_row_are_those_that_arrived_before_and_after_it(tape: Tape) -> None:
    first = tape.trade("AAA", 100)
    tape.broken("AAA", first, last=0.0)
    tape.broken("AAA", first + 1, last=0.0)
    tape.ingest()
    trades = [row for row in range(first - 20, first + 20) if tape.good["AAA"]["last_sz"][row] > 0]
    place = trades.index(first)
    around = tape.desk.around(tape.desk.rows(Choice())[0], 2)
    assert [number for number, _ in around] == [*trades[place - 2 : place], *trades[place + 2 : place + 4]]
    assert [values["last"] for _, values in around] == [float(tape.good["AAA"]["last"][row]) for row, _ in around]


# -- release -------------------------------------------------------------------------------


def test_a_corrected_release_brings_the_tick_into_raw_and_enriched_ticks_where_it_arrived(tape: Tape) -> None:
    row = tape.trade("AAA", 50)
    right = float(tape.good["AAA"]["last"][row])
    tape.broken("AAA", row, last=right * -100)
    before = tape.ingest()["AAA"]
    assert tape.prices("AAA") != tape.traded("AAA")
    assert tape.desk.release(tape.desk.rows(Choice()), "the feed's sign was wrong", {"last": str(right)}) == 1
    assert only(tape)[0].state == "to_replay"
    after = tape.ingest()["AAA"]
    assert tape.prices("AAA") == tape.traded("AAA")
    assert sorted(tape.prices("AAA", "enriched")) == sorted(tape.traded("AAA"))
    assert (after.rows_in, after.rows, after.rows_official) == (before.rows_in, before.rows + 1, before.rows_official)
    assert (before.rows_set_aside, after.rows_set_aside) == (1, 0)
    assert only(tape)[0].state == "released"
    assert only(tape)[0].values["last"] == right * -100  # what the source said is kept


def test_only_the_decided_symbol_is_computed_again_and_afterwards_nothing_is(tape: Tape) -> None:
    tape.broken("AAA", 50, last=0.0)
    tape.broken("BBB", 50, last=0.0)
    tape.ingest()
    tape.desk.release(only(tape, symbols=("AAA",)), "seen elsewhere", {"last": "10"})
    assert set(tape.ingest()) == {"AAA"}
    assert tape.counts()["BBB", "price_not_positive"] == {"open": 1}
    assert tape.ingest() == {}


def test_decisions_make_ticks_and_what_follows_from_them_stale(tape: Tape) -> None:
    tape.broken("AAA", 50, last=0.0)
    tape.ingest()
    stale = {
        key for key in stale_results(tape.store, tape.settings, [DATE]) if key[0] in ("raw_ticks", "enriched_ticks")
    }
    assert stale == set()
    tape.desk.release(only(tape), "seen elsewhere", {"last": "10"})
    stale = {
        key for key in stale_results(tape.store, tape.settings, [DATE]) if key[0] in ("raw_ticks", "enriched_ticks")
    }
    assert stale == {("raw_ticks", "AAA", DATE), ("enriched_ticks", "AAA", DATE)}


def test_a_replay_does_not_ask_the_source(tape: Tape) -> None:
    row = tape.trade("AAA", 50)
    tape.broken("AAA", row, last=0.0)
    before = tape.ingest()["AAA"]
    tape.path("AAA").unlink()
    tape.desk.release(only(tape), "seen elsewhere", {"last": str(tape.good["AAA"]["last"][row])})
    after = tape.ingest()["AAA"]
    assert tape.prices("AAA") == tape.traded("AAA")
    assert (after.source, after.source_detail) == (before.source, before.source_detail)
    assert after.notes["replayed"] == before.ingest_id
    assert after.ingest_id != before.ingest_id


def test_a_forced_ingest_asks_the_source_and_the_decision_holds(tape: Tape) -> None:
    row, other = tape.trade("AAA", 50), tape.trade("AAA", 90)
    tape.broken("AAA", row, last=0.0)
    tape.ingest()
    tape.desk.release(only(tape), "seen elsewhere", {"last": "10.5"})
    tape.ingest()
    content = tape.store.committed(RAW_TICKS, "AAA", DATE).content_hash
    tape.ingest(force=True)
    assert tape.store.committed(RAW_TICKS, "AAA", DATE).content_hash == content
    tape.broken("AAA", other, last=77.0)  # the source has changed another tick meanwhile
    again = tape.ingest(force=True)["AAA"]
    assert "replayed" not in again.notes
    assert {10.5, 77.0} <= set(tape.prices("AAA"))
    assert only(tape)[0].state == "released"


def test_forcing_asks_the_source_also_when_decisions_wait(tape: Tape) -> None:
    row, other = tape.trade("AAA", 50), tape.trade("AAA", 90)
    tape.broken("AAA", row, last=0.0)
    tape.ingest()
    tape.desk.release(only(tape), "seen elsewhere", {"last": "10.5"})
    tape.broken("AAA", other, last=77.0)
    tape.ingest(force=True)
    assert {10.5, 77.0} <= set(tape.prices("AAA"))


def test_a_row_that_comes_with_other_values_is_another_row(tape: Tape) -> None:
    tape.broken("AAA", 50, last=0.0)
    tape.ingest()
    tape.desk.release(only(tape), "seen elsewhere", {"last": "10.5"})
    tape.broken("AAA", 50, last=-3.0)
    row = tape.ingest(force=True)["AAA"]
    assert (row.rows_set_aside, row.notes["unused_releases"]) == (1, "1")
    assert [(each.values["last"], each.state) for each in only(tape)] == [(-3.0, "open")]


def test_a_duplicate_is_released_as_it_is_and_equal_twins_are_told_apart(tape: Tape) -> None:
    row = tape.trade("AAA", 50)
    for twin in (row + 1, row + 2):
        tape.broken("AAA", twin, **{name: array[row] for name, array in tape.good["AAA"].items()})
    before = tape.ingest()["AAA"]
    assert [(each.row, each.rule) for each in only(tape)] == [
        (row + 1, "duplicate_key"), (row + 2, "duplicate_key"),
    ]  # fmt: skip
    tape.desk.release(only(tape, rows=(row + 1,)), "two real prints under one id")
    assert tape.ingest()["AAA"].rows == before.rows + 1
    assert [(each.row, each.state) for each in only(tape)] == [(row + 1, "released"), (row + 2, "open")]
    tape.desk.release(only(tape, rows=(row + 2,)), "and a third")
    assert tape.ingest()["AAA"].rows == before.rows + 2
    assert tape.ingest(force=True)["AAA"].rows == before.rows + 2
    ticks = tape.store.read(RAW_TICKS, "AAA", DATE).arrays
    assert ticks["last"].tolist().count(float(tape.good["AAA"]["last"][row])) >= 3


def test_rows_of_another_date_can_get_their_date_all_at_once(tape: Tape) -> None:
    rows = [tape.trade("AAA", near) for near in (50, 60)]
    for row in rows:
        tape.broken("AAA", row, date=np.datetime64("2025-11-26"))
    tape.ingest()
    assert tape.desk.release(only(tape), "stamped in UTC", {"date": str(DATE)}) == 2
    tape.ingest()
    assert tape.prices("AAA") == tape.traded("AAA")


def test_a_row_of_no_shares_can_be_corrected_to_an_official_print(tape: Tape) -> None:
    row = tape.trade("AAA", 50)
    tape.broken("AAA", row, last_sz=0, cond1=0, cond2=0, cond3=0, cond4=0)
    before = tape.ingest()["AAA"]
    tape.desk.release(only(tape), "the official open without its code", {"cond1": "0x2E"})
    after = tape.ingest()["AAA"]
    assert (after.rows, after.rows_official) == (before.rows, before.rows_official + 1)
    assert tape.ingest(force=True)["AAA"].rows_official == before.rows_official + 1
    prints = tape.store.light.read("official_prints", dates=[DATE], symbols=["AAA"])
    assert prints is not None
    assert {each["row"]: each["cond1"] for each in prints.to_pylist()}[row] == 0x2E


@pytest.mark.parametrize(
    ("broken", "corrections", "message"),
    [
        ({"last": math.nan}, {}, r"AAA 2025-11-25 row 50 cannot be released as it is: price.*\n.*--set last=P"),
        ({"last": 0.0}, {"last": "-1"}, r"even with the corrections: price_not_positive"),
        ({"time": -1}, {}, r"time_out_of_day .*\n.*--set time="),
        ({"date": np.datetime64("2025-11-24")}, {"date": "2025-11-24"}, "wrong_date"),
        ({"last_sz": 2**32}, {}, "size_out_of_range"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_stored_is_not_released(
    tape: Tape, broken: dict[str, object], corrections: dict[str, str], message: str
) -> None:
    tape.broken("AAA", 50, **broken)
    tape.ingest()
    with pytest.raises(SettingsError, match=message):
        tape.desk.release(only(tape), "because", corrections)
    assert only(tape)[0].state == "open"
    assert list(tape.audit.entries()) == []


@pytest.mark.parametrize(
    ("corrections", "message"),
    [
        ({"price": "1"}, "no column 'price'"),
        ({"last": "ten"}, "last='ten'"),
        ({"cond1": "256"}, "does not fit uint8"),
        ({"last_type": "CC"}, "one letter"),
        ({"date": "25.11.2025"}, "date='25.11.2025'"),
    ],
)
def test_a_correction_must_be_a_value_of_its_column(tape: Tape, corrections: dict[str, str], message: str) -> None:
    tape.broken("AAA", 50, last=0.0)
    tape.ingest()
    with pytest.raises(SchemaError, match=message):
        tape.desk.release(only(tape), "because", {"last": "10", **corrections})


def test_a_price_is_corrected_in_one_row_at_a_time(tape: Tape) -> None:
    for row in (50, 52):
        tape.broken("AAA", row, last=0.0)
    tape.ingest()
    with pytest.raises(SettingsError, match="last would become equal in 2 rows"):
        tape.desk.release(only(tape), "because", {"last": "10"})


def test_a_release_that_would_double_the_key_of_a_stored_tick_is_refused(tape: Tape) -> None:
    row = tape.trade("AAA", 50)
    good = {name: tape.good["AAA"][name][row] for name in ("tick_id", "mkt_ctr")}
    tape.broken("AAA", row + 1, last=0.0, **good)  # the feed sent the tick of row 50 again, without a price
    tape.ingest()
    with pytest.raises(SettingsError, match=f"another tick has its market centre {good['mkt_ctr']}"):
        tape.desk.release(only(tape), "because", {"last": "10"})
    tape.desk.release(only(tape), "a print of its own", {"last": "10", "tick_id": "999999"})
    assert tape.ingest()["AAA"].rows_set_aside == 0


def test_two_releases_of_one_key_are_refused_at_once_and_one_after_the_other(tape: Tape) -> None:
    row = tape.trade("AAA", 50)
    key = {name: tape.good["AAA"][name][row] for name in ("tick_id", "mkt_ctr")}
    for place, stamp in ((row, "2025-11-24"), (row + 1, "2025-11-26")):
        tape.broken("AAA", place, date=np.datetime64(stamp), last_sz=100, **key)
    tape.ingest()
    with pytest.raises(SettingsError, match="another tick has its market centre"):
        tape.desk.release(only(tape), "stamped in UTC", {"date": str(DATE)})
    tape.desk.release(only(tape, rows=(row,)), "stamped in UTC", {"date": str(DATE)})
    with pytest.raises(SettingsError, match="another tick has its market centre"):
        tape.desk.release(only(tape, rows=(row + 1,)), "stamped in UTC", {"date": str(DATE)})


# -- drop and reopen -----------------------------------------------------------------------


def test_a_dropped_row_stays_on_record_is_not_open_and_changes_nothing(tape: Tape) -> None:
    tape.broken("AAA", 50, last=0.0)
    tape.broken("AAA", 52, last=0.0)
    tape.ingest()
    assert tape.desk.drop(only(tape, rows=(50,)), "test print of the venue") == 1
    assert tape.counts() == {("AAA", "price_not_positive"): {"dropped": 1, "open": 1}}
    assert tape.desk.to_replay(Choice()) == {}
    assert tape.ingest() == {}  # nothing to compute
    assert tape.ingest(force=True)["AAA"].rows_set_aside == 2
    assert [(row.row, row.state) for row in only(tape)] == [(50, "dropped"), (52, "open")]


def test_a_release_taken_back_sets_the_row_aside_again(tape: Tape) -> None:
    tape.broken("AAA", 50, last=0.0)
    before = tape.ingest()["AAA"]
    tape.desk.release(only(tape), "seen elsewhere", {"last": "10.5"})
    tape.ingest()
    tape.desk.reopen(only(tape), "seen at another symbol")
    assert tape.desk.to_replay(Choice()) == {DATE: ("AAA",)}
    tape.path("AAA").unlink()
    after = tape.ingest()["AAA"]
    assert (after.content_hash, after.input_hash) == (before.content_hash, before.input_hash)
    assert [(row.state, row.values["last"]) for row in only(tape)] == [("open", 0.0)]
    with pytest.raises(SettingsError, match="AAA 2025-11-25 row 50: nothing was decided"):
        tape.desk.reopen(only(tape), "again")


def test_a_release_can_become_a_drop(tape: Tape) -> None:
    tape.broken("AAA", 50, last=0.0)
    tape.ingest()
    tape.desk.release(only(tape), "seen elsewhere", {"last": "10.5"})
    tape.ingest()
    tape.desk.drop(only(tape), "it was cancelled")
    assert tape.ingest()["AAA"].rows_set_aside == 1
    assert [row.state for row in only(tape)] == ["dropped"]


# -- what protects the whole ---------------------------------------------------------------


def test_without_decisions_the_hash_of_what_ticks_are_made_from_is_that_of_the_settings_alone(tape: Tape) -> None:
    import xxhash

    row = tape.ingest()["AAA"]
    fingerprint = IngestStep().fingerprint(RAW_TICKS.name, tape.settings)
    assert row.input_hash == xxhash.xxh3_128_hexdigest(fingerprint.encode())


def test_the_same_row_of_another_symbol_is_not_touched(tape: Tape) -> None:
    tape.sent["BBB"] = {name: array.copy() for name, array in tape.good["AAA"].items()}
    for symbol in SYMBOLS:
        tape.broken(symbol, 50, last=0.0)
    tape.ingest()
    assert len({row.key for row in only(tape)}) == 1
    tape.desk.release(only(tape, symbols=("AAA",)), "seen elsewhere", {"last": "10"})
    tape.ingest(force=True)
    assert [(row.symbol, row.state) for row in only(tape)] == [("AAA", "released"), ("BBB", "open")]


def test_every_decision_is_in_the_audit_log_with_who_what_and_why(tape: Tape) -> None:
    for row in (50, 51, 53):
        tape.broken("AAA", row, last=0.0)
    tape.ingest()
    tape.desk.drop(only(tape), "  test prints ")
    (entry,) = tape.audit.entries()
    assert entry.action == "quarantine.drop"
    assert entry.subject == {"table": "quarantine", "symbol": "AAA", "date": "2025-11-25", "rows": "50-51, 53"}
    assert entry.details == {"why": "test prints", "rules": {"price_not_positive": 3}}
    decision = only(tape)[0].decision
    assert (decision.why, decision.decided_by, decision.audit_sequence) == ("test prints", entry.actor, 1)
    assert decision.decided_at.isoformat(timespec="microseconds") == entry.at


def test_what_cannot_be_logged_is_not_decided(tape: Tape) -> None:
    tape.broken("AAA", 50, last=0.0)
    tape.ingest()
    tape.audit.path.parent.write_text("a file where the folder should be")
    with pytest.raises((StoreError, OSError)):
        tape.desk.drop(only(tape), "test print")
    assert only(tape)[0].state == "open"


def test_a_decision_that_could_not_be_recorded_is_said_so_in_the_log(
    tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape.broken("AAA", 50, last=0.0)
    tape.ingest()
    rows, desk = only(tape), tape.desk

    def full(*_: object) -> None:
        raise StoreError("no space left")

    monkeypatch.setattr(tape.store.light, "replace_symbols", full)
    with pytest.raises(StoreError):
        desk.drop(rows, "test print")
    entries = list(tape.audit.entries())
    assert [entry.action for entry in entries] == ["quarantine.drop", "quarantine.drop.failed"]
    assert entries[1].details == {"of": 1, "error": "no space left"}


def test_a_decision_whose_commit_was_lost_is_made_good_before_the_replay(
    tape: Tape, monkeypatch: pytest.MonkeyPatch
) -> None:
    tape.broken("AAA", 50, last=0.0)
    tape.ingest()

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(tape.store.manifest, "commit", killed)
        with pytest.raises(KeyboardInterrupt):
            tape.desk.release(only(tape), "seen elsewhere", {"last": "10.5"})
    assert tape.ingest() == {}  # what is not committed does not exist
    assert tape.desk.to_replay(Choice()) == {DATE: ("AAA",)}
    tape.desk.begin_replay(DATE, ["AAA"])
    assert tape.ingest()["AAA"].rows_set_aside == 0


def test_a_torn_ingest_is_not_replayed_from_what_is_stored(tape: Tape) -> None:
    tape.broken("AAA", 50, last=0.0)
    tape.ingest()
    tape.desk.release(only(tape), "seen elsewhere", {"last": "10.5"})
    rows = tape.store.light.read("official_prints", dates=[DATE], symbols=["AAA"])
    assert rows is not None
    other = rows.set_column(rows.column_names.index("ingest_id"), "ingest_id", [["of a killed run"] * rows.num_rows])
    tape.store.light.replace_symbols("official_prints", DATE, other, ["AAA"])
    assert "replayed" not in tape.ingest()["AAA"].notes


@pytest.mark.parametrize("why", ["", "   "])
def test_a_decision_needs_a_reason(tape: Tape, why: str) -> None:
    tape.broken("AAA", 50, last=0.0)
    tape.ingest()
    with pytest.raises(SettingsError, match="--why"):
        tape.desk.drop(only(tape), why)


def test_a_decision_on_nothing_is_refused(tape: Tape) -> None:
    tape.ingest()
    with pytest.raises(SettingsError, match="no rows are meant"):
        tape.desk.drop([], "because")

"""What results are computed from: inputs of the date, earlier dates, what failed and what was retired."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from fuzzy_pipeline.schema.tables import HEAVY_TABLES
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.inputs import StepInputs
from fuzzy_pipeline.steps.step import EARLIER_DATES, StepResult, Work, dates_before, derived_row, hash_of_inputs
from fuzzy_pipeline.steps.step import is_current as current
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.memory import memory_store
from fuzzy_pipeline.stores.retired import RETIRED_VERSION
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import FIRST_DATE, now_eastern, trading_dates
from tests.unit.steps.planted_rows import FRIDAY, MONDAY, NEXT_MONDAY, TUESDAY, WEDNESDAY, commit, fail, row

DATES = (MONDAY, TUESDAY, WEDNESDAY, FRIDAY, NEXT_MONDAY)
SETTINGS = Settings(_env_file=None)


@dataclass(frozen=True)
class Made:
    """A step of two inputs, which may look back."""

    lookback: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    tables: tuple[str, ...] = ("made",)
    inputs: tuple[str, ...] = ("first", "second")
    optional_inputs: tuple[str, ...] = ()
    light_tables: tuple[str, ...] = ()
    name: str = "made"

    def history(self, table: str) -> Mapping[str, int]:
        return self.lookback.get(table, {})

    def fingerprint(self, table: str, settings: Settings) -> str:
        return f"{table}=1"

    def run(self, bench: Workbench, work: Work) -> StepResult:
        raise NotImplementedError


LOOKS_BACK = Made(lookback={"made": {"day": 3}})
BOTH = (row("first", "AAA", WEDNESDAY, "f"), row("second", "AAA", WEDNESDAY, "s"))


@pytest.fixture
def store() -> Store:
    return memory_store("simulated", HEAVY_TABLES)


def days(store: Store, dates: Sequence[dt.date] = DATES, symbol: str = "AAA") -> None:
    """Table ``day`` of some dates; its content tells the date."""
    commit(store, *(row("day", symbol, date, f"of {date}") for date in dates))


def work_of(step: Made, store: Store, date: dt.date = WEDNESDAY, symbol: str = "AAA") -> Work:
    return StepInputs(step, store, [date], [symbol]).work(symbol, date, step.tables)


def made_of(step: Made, store: Store, date: dt.date = WEDNESDAY, table: str = "made") -> ManifestRow:
    """A result of what is committed now."""
    return row(table, "AAA", date, input_hash=hash_of_inputs(step, table, SETTINGS, work_of(step, store, date)))


def derived(step: Made, store: Store, date: dt.date, table: str = "made", **options: Any) -> ManifestRow:
    """The row with which a result of what is committed now would be committed."""
    bench = Workbench(SETTINGS)
    bench._store = store
    return derived_row(
        step, table, bench, work_of(step, store, date), version=4, rows=7, content_hash="h", seconds=0.5, **options
    )


def is_current(step: Made, store: Store, made: ManifestRow) -> bool:
    return current(step, SETTINGS, made, work_of(step, store, made.date))


def earlier_dates(step: Made, store: Store, date: dt.date) -> list[dt.date]:
    return [key.date for key in work_of(step, store, date).earlier.get("day", ())]


# -- inputs of the date --------------------------------------------------------------


def test_work_holds_the_rows_of_its_own_symbol_and_date_in_the_steps_order(store: Store) -> None:
    commit(store, *BOTH, row("first", "BBB", WEDNESDAY, "other symbol"), row("second", "AAA", TUESDAY, "other date"))
    work = work_of(Made(), store)
    assert [(table, found.content_hash) for table, found in work.inputs.items()] == [("first", "f"), ("second", "s")]
    assert work.input.content_hash == "f"


def test_all_symbols_of_all_dates_are_looked_up_at_once(store: Store) -> None:
    for symbol in ("AAA", "BBB"):
        for date in (TUESDAY, WEDNESDAY):
            commit(store, *(row(table, symbol, date, f"{table} {symbol} {date}") for table in ("first", "second")))
    inputs = StepInputs(Made(), store, [TUESDAY, WEDNESDAY], None)
    for symbol in ("AAA", "BBB"):
        for date in (TUESDAY, WEDNESDAY):
            assert inputs.missing(symbol, date) is None
            assert inputs.work(symbol, date, ("made",)).input.content_hash == f"first {symbol} {date}"


def test_a_changed_input_makes_the_result_stale_and_the_same_content_again_does_not(store: Store) -> None:
    commit(store, *BOTH)
    made = made_of(Made(), store)
    assert is_current(Made(), store, made)
    commit(store, row("second", "AAA", WEDNESDAY, "s", version=7))
    assert is_current(Made(), store, made)
    commit(store, row("second", "AAA", WEDNESDAY, "s2"))
    assert not is_current(Made(), store, made)


def test_an_input_that_was_not_made_is_missed_and_nothing_is_current_without_it(store: Store) -> None:
    commit(store, *BOTH)
    made = made_of(Made(), store)
    store.manifest.remove("second", WEDNESDAY, ["AAA"])
    inputs = StepInputs(Made(), store, [WEDNESDAY], ["AAA"])
    assert inputs.missing("AAA", WEDNESDAY) == "AAA 2025-11-26: no second, they were not materialised"
    assert not is_current(Made(), store, made)


def test_an_input_that_could_not_be_renewed_gives_nothing_though_its_older_version_is_there(store: Store) -> None:
    commit(store, *BOTH)
    fail(store, "first", WEDNESDAY, ["AAA"])
    inputs = StepInputs(Made(), store, [WEDNESDAY], ["AAA"])
    assert inputs.missing("AAA", WEDNESDAY) == "AAA 2025-11-26: no first, they failed: the disk is full"
    assert list(inputs.work("AAA", WEDNESDAY, ("made",)).inputs) == ["second"]


def test_an_optional_input_counts_where_it_has_rows_and_is_missed_nowhere(store: Store) -> None:
    step = Made(optional_inputs=("decisions",))
    commit(store, *BOTH)
    made = made_of(step, store)
    assert StepInputs(step, store, [WEDNESDAY], ["AAA"]).missing("AAA", WEDNESDAY) is None
    commit(store, row("decisions", "AAA", WEDNESDAY, "none", rows=0))
    assert list(work_of(step, store).inputs) == ["first", "second"]
    assert is_current(step, store, made)
    commit(store, row("decisions", "AAA", WEDNESDAY, "one", rows=1))
    assert list(work_of(step, store).inputs) == ["first", "second", "decisions"]
    assert not is_current(step, store, made)


def test_a_step_without_inputs_has_no_first_one() -> None:
    with pytest.raises(ValueError, match="AAA 2025-11-26: made have no input table"):
        _ = Work("AAA", WEDNESDAY, ("made",)).input


# -- earlier dates -------------------------------------------------------------------


def test_earlier_dates_are_the_trading_dates_before_and_never_the_date_itself(store: Store) -> None:
    days(store)
    assert earlier_dates(LOOKS_BACK, store, NEXT_MONDAY) == [TUESDAY, WEDNESDAY, FRIDAY]
    assert earlier_dates(LOOKS_BACK, store, FRIDAY) == [MONDAY, TUESDAY, WEDNESDAY]
    assert earlier_dates(LOOKS_BACK, store, TUESDAY) == [MONDAY]
    assert earlier_dates(LOOKS_BACK, store, MONDAY) == []


def test_every_date_of_many_has_its_own_window(store: Store) -> None:
    days(store)
    inputs = StepInputs(LOOKS_BACK, store, DATES, ["AAA"])
    found = {date: [key.date for key in inputs.work("AAA", date, ("made",)).earlier.get("day", ())] for date in DATES}
    assert found == {date: earlier_dates(LOOKS_BACK, store, date) for date in DATES}


def test_a_missing_date_leaves_a_gap_that_no_older_one_fills(store: Store) -> None:
    days(store, (MONDAY, TUESDAY, FRIDAY))
    assert earlier_dates(LOOKS_BACK, store, NEXT_MONDAY) == [TUESDAY, FRIDAY]


def test_earlier_dates_of_another_symbol_are_not_its_own(store: Store) -> None:
    days(store, symbol="BBB")
    assert earlier_dates(LOOKS_BACK, store, NEXT_MONDAY) == []


def test_a_failed_earlier_date_hands_nothing_on(store: Store) -> None:
    days(store)
    commit(store, *(row(table, "AAA", NEXT_MONDAY) for table in ("first", "second")))
    made = made_of(LOOKS_BACK, store, NEXT_MONDAY)
    fail(store, "day", WEDNESDAY, ["AAA"])
    assert earlier_dates(LOOKS_BACK, store, NEXT_MONDAY) == [TUESDAY, FRIDAY]
    assert not is_current(LOOKS_BACK, store, made)
    store.manifest.clear_failures("day", WEDNESDAY, ["AAA"])
    assert is_current(LOOKS_BACK, store, made)


@pytest.mark.parametrize(
    ("changed", "stays_current"),
    [(MONDAY, True), (TUESDAY, False), (FRIDAY, False), (NEXT_MONDAY, True), (dt.date(2025, 12, 2), True)],
)
def test_only_a_change_within_the_dates_looked_at_makes_a_result_stale(
    store: Store, changed: dt.date, stays_current: bool
) -> None:
    days(store)
    commit(store, *(row(table, "AAA", NEXT_MONDAY) for table in ("first", "second")))
    made = made_of(LOOKS_BACK, store, NEXT_MONDAY)
    commit(store, row("day", "AAA", changed, "changed"))
    assert is_current(LOOKS_BACK, store, made) is stays_current


def test_a_table_that_looks_back_less_than_another_of_the_step_does_not_depend_on_the_rest(store: Store) -> None:
    step = Made(lookback={"short": {"day": 1}, "long": {"day": 3}}, tables=("short", "long"))
    days(store)
    commit(store, *(row(table, "AAA", NEXT_MONDAY) for table in ("first", "second")))
    short, long = (made_of(step, store, NEXT_MONDAY, table) for table in step.tables)
    commit(store, row("day", "AAA", TUESDAY, "changed"))
    assert is_current(step, store, short)
    assert not is_current(step, store, long)


def test_only_the_tables_that_are_asked_for_are_looked_back_for(store: Store) -> None:
    step = Made(lookback={"short": {"day": 1}, "long": {"day": 3}}, tables=("short", "long"))
    days(store)
    found = StepInputs(step, store, [NEXT_MONDAY], ["AAA"], ["short"]).work("AAA", NEXT_MONDAY, ("short",))
    assert [key.date for key in found.earlier["day"]] == [FRIDAY]


def test_the_calendars_first_dates_have_fewer_dates_before_them() -> None:
    second = trading_dates(FIRST_DATE, FIRST_DATE + dt.timedelta(days=7))[1]
    assert dates_before(FIRST_DATE, 3) == ()
    assert dates_before(second, 3) == (FIRST_DATE,)
    assert dates_before(second, 0) == ()


# -- retired data --------------------------------------------------------------------


def retire(store: Store, table: str, date: dt.date) -> None:
    (old,) = store.manifest.rows(table, [date], ["AAA"])
    store.retired.add(date, [old], now_eastern(), "too old")
    store.manifest.remove(table, date, ["AAA"])


def test_what_was_made_from_retired_data_is_still_current_and_they_are_not_missed(store: Store) -> None:
    commit(store, *BOTH)
    made = made_of(Made(), store)
    retire(store, "first", WEDNESDAY)
    inputs = StepInputs(Made(), store, [WEDNESDAY], ["AAA"])
    assert is_current(Made(), store, made)
    assert inputs.missing("AAA", WEDNESDAY) is None
    assert inputs.retired("AAA", WEDNESDAY) == (
        "AAA 2025-11-26: first were retired; to fetch them again: fuzzy run 2025-11-26 --symbols AAA --assets first "
        "--force"
    )
    assert inputs.retired("BBB", WEDNESDAY) is None


def test_retired_data_that_are_there_again_are_as_if_they_had_never_gone(store: Store) -> None:
    commit(store, *BOTH)
    retire(store, "first", WEDNESDAY)
    commit(store, row("first", "AAA", WEDNESDAY, "again", version=3))
    inputs = StepInputs(Made(), store, [WEDNESDAY], ["AAA"])
    assert inputs.retired("AAA", WEDNESDAY) is None
    assert inputs.work("AAA", WEDNESDAY, ("made",)).input.content_hash == "again"


def test_what_was_made_before_an_earlier_date_was_retired_stays_current_though_it_cannot_be_read(store: Store) -> None:
    days(store)
    commit(store, *(row(table, "AAA", NEXT_MONDAY) for table in ("first", "second")))
    made = derived(LOOKS_BACK, store, NEXT_MONDAY)
    for date in (WEDNESDAY, TUESDAY):
        retire(store, "day", date)
        assert is_current(LOOKS_BACK, store, made)
    work = work_of(LOOKS_BACK, store, NEXT_MONDAY)
    assert [(key.date, key.version) for key in work.earlier["day"]] == [(FRIDAY, 0)]
    assert [(key.date, key.version) for key in work.retired["day"]] == [
        (TUESDAY, RETIRED_VERSION), (WEDNESDAY, RETIRED_VERSION)
    ]  # fmt: skip


def test_what_is_made_after_an_earlier_date_was_retired_says_so_and_stays_current(store: Store) -> None:
    days(store)
    commit(store, *(row(table, "AAA", NEXT_MONDAY) for table in ("first", "second")))
    before = derived(LOOKS_BACK, store, NEXT_MONDAY)
    retire(store, "day", WEDNESDAY)
    made = derived(LOOKS_BACK, store, NEXT_MONDAY, notes={"cold_start": "why"})
    assert made.input_hash != before.input_hash
    assert (before.notes, made.notes) == ({}, {"cold_start": "why", "made_without": "day 2025-11-26"})
    assert is_current(LOOKS_BACK, store, made)
    retire(store, "day", TUESDAY)  # of which it was made
    assert is_current(LOOKS_BACK, store, made)
    assert derived(LOOKS_BACK, store, NEXT_MONDAY).notes == {"made_without": "day 2025-11-25, day 2025-11-26"}


def test_what_was_made_without_a_retired_date_is_stale_once_that_is_there_again(store: Store) -> None:
    days(store)
    commit(store, *(row(table, "AAA", NEXT_MONDAY) for table in ("first", "second")))
    warm = derived(LOOKS_BACK, store, NEXT_MONDAY)
    retire(store, "day", WEDNESDAY)
    cold = derived(LOOKS_BACK, store, NEXT_MONDAY)
    commit(store, row("day", "AAA", WEDNESDAY, f"of {WEDNESDAY}", version=5))
    assert not is_current(LOOKS_BACK, store, cold)
    assert is_current(LOOKS_BACK, store, warm)


def test_a_retired_date_changes_only_what_looks_so_far_back(store: Store) -> None:
    step = Made(lookback={"short": {"day": 1}, "long": {"day": 3}}, tables=("short", "long"))
    days(store)
    commit(store, *(row(table, "AAA", NEXT_MONDAY) for table in ("first", "second")))
    retire(store, "day", TUESDAY)
    assert derived(step, store, NEXT_MONDAY, "short").notes == {}
    assert derived(step, store, NEXT_MONDAY, "long").notes == {"made_without": "day 2025-11-25"}


# -- what an ingest met beside the ticks ---------------------------------------------


@dataclass(frozen=True)
class ReadsBeside(Made):
    """A step that reads what the ingest of its first input wrote beside it."""

    ingest_tables: tuple[str, ...] = ("beside",)


def test_only_what_reads_the_ingest_is_stale_after_another_one_that_gave_the_same(store: Store) -> None:
    commit(store, *BOTH)
    steps = (Made(), ReadsBeside())
    made = [derived(step, store, WEDNESDAY) for step in steps]
    assert [is_current(step, store, one) for step, one in zip(steps, made, strict=True)] == [True, True]
    commit(store, BOTH[1].model_copy(update={"ingest_id": "2"}))  # not that of the ticks
    assert [is_current(step, store, one) for step, one in zip(steps, made, strict=True)] == [True, True]
    commit(store, BOTH[0].model_copy(update={"ingest_id": "2"}))
    assert [is_current(step, store, one) for step, one in zip(steps, made, strict=True)] == [True, False]


# -- the manifest row of a result ----------------------------------------------------


def test_a_result_takes_its_provenance_from_the_first_input(store: Store) -> None:
    commit(store, row("first", "AAA", WEDNESDAY, rows=123), row("second", "AAA", WEDNESDAY, rows=5))
    made = derived(Made(), store, WEDNESDAY, notes={"cold_start": "why"}, measures={"faults": 2.0})
    assert (made.source, made.ingest_id, made.rows_in, made.rows_out, made.version) == ("hand", "1", 123, 7, 4)
    assert (made.notes, made.measures) == ({"cold_start": "why"}, {"faults": 2.0})
    assert is_current(Made(), store, made)


def test_a_result_of_earlier_dates_only_says_so_and_counts_them(store: Store) -> None:
    step = Made(lookback={"made": {"day": 3}}, inputs=())
    days(store)
    made = derived(step, store, NEXT_MONDAY)
    assert (made.source, made.ingest_id, made.rows_in) == (EARLIER_DATES, "", 3)
    assert is_current(step, store, made)

"""Compaction copies dates into few files; no reader can tell, but by the time it takes."""

from __future__ import annotations

import datetime as dt
import logging
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.query.sql import SqlConnection
from fuzzy_pipeline.schema.tables import HEAVY_TABLES
from fuzzy_pipeline.stores import compacted, compaction, parquet
from fuzzy_pipeline.stores.compaction import compact
from fuzzy_pipeline.stores.manifest import Manifest
from fuzzy_pipeline.stores.memory import MemoryLightStore
from fuzzy_pipeline.stores.parquet import ParquetLightStore
from fuzzy_pipeline.stores.protocol import LightStore
from fuzzy_pipeline.stores.store import Store, create_store
from tests.unit.query import simulated_store as sim
from tests.unit.query.hand_made import manifest_row

LAST_YEAR = [dt.date(2024, 11, 7), dt.date(2024, 11, 8), dt.date(2024, 12, 2)]
THIS_YEAR = [dt.date(2025, 1, 6), dt.date(2025, 1, 7)]
THIS_MONTH = [dt.date(2025, 2, 3), dt.date(2025, 2, 4)]
ALL = [*LAST_YEAR, *THIS_YEAR, *THIS_MONTH]
TODAY = dt.date(2025, 2, 5)


@pytest.fixture(autouse=True)
def files_settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "SETTLED_S", 0.0)


@pytest.fixture
def store(tmp_path: Path) -> ParquetLightStore:
    return ParquetLightStore(tmp_path, 5.0)


def day_rows(date: dt.date, **marks: int) -> pa.Table:
    """A row a symbol, whose mark is x and ten times x is ``s.u``."""
    return pa.table(
        {
            "symbol": list(marks),
            "date": pa.array([date] * len(marks), pa.date32()),
            "x": list(marks.values()),
            "s": [{"u": 10 * mark, "v": "t"} for mark in marks.values()],
        }
    )


def fill(store: LightStore, table: str = "day") -> None:
    """Two symbols on every date: A is marked by the place of the date, B by 100 more."""
    for place, date in enumerate(ALL):
        store.replace_symbols(table, date, day_rows(date, A=place, B=100 + place), ["A", "B"])


def compacted_names(folder: Path) -> list[str]:
    """Periods of the compacted files that are there."""
    return sorted(path.name.partition(".")[0] for path in (folder / ".compacted").iterdir())


def only_compacted(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on a date's own file cannot be read."""

    def refuse(path: str, columns: object) -> None:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(parquet, "_recent_file", refuse)


# -- what goes where ---------------------------------------------------------------------------------------


def test_a_closed_year_the_open_year_and_the_open_month_get_a_file_each(store, tmp_path):
    fill(store)
    reports = compact(store, today=TODAY)
    assert [(r.table, r.period, r.dates, r.rows, r.files_before, r.files_after) for r in reports] == [
        ("day", "2024", 3, 6, 3, 1),
        ("day", "2025", 2, 4, 2, 1),
        ("day", "2025-02", 2, 4, 2, 1),
    ]
    assert compacted_names(tmp_path / "day") == ["2024", "2025", "2025-02"]
    sizes = {path.stat().st_size for path in (tmp_path / "day" / ".compacted").iterdir()}
    assert {report.size for report in reports} == sizes
    assert store.dates("day") == ALL
    assert store.tables() == ["day"]


def test_many_dates_and_one_symbols_history_are_read_without_the_dates_own_files(store, monkeypatch):
    fill(store)
    compact(store, today=TODAY)
    only_compacted(monkeypatch)
    assert store.read("day")["x"].to_pylist() == [value for place in range(7) for value in (place, 100 + place)]
    assert store.read("day", symbols=["B"], columns=["x", "s.u"]).to_pylist() == [
        {"x": 100 + place, "s.u": 1000 + 10 * place} for place in range(7)
    ]


def test_one_date_is_read_from_its_own_file(store, tmp_path):
    fill(store)
    compact(store, today=TODAY)
    for path in (tmp_path / "day" / ".compacted").iterdir():
        path.write_bytes(b"")
    assert store.read("day", dates=[ALL[2]])["x"].to_pylist() == [2, 102]


def test_compacting_again_does_nothing_and_writes_only_what_changed(store):
    fill(store)
    assert len(compact(store, today=TODAY)) == 3
    assert compact(store, today=TODAY) == []
    store.replace_symbols("day", THIS_YEAR[0], day_rows(THIS_YEAR[0], A=70), ["A"])
    (report,) = compact(store, today=TODAY)
    assert (report.period, report.dates, report.files_before) == ("2025", 2, 2)


def test_a_month_that_is_over_moves_into_its_year(store, tmp_path):
    fill(store)
    compact(store, today=TODAY)
    (report,) = compact(store, today=dt.date(2025, 3, 3))
    assert (report.period, report.dates, report.files_before) == ("2025", 4, 2)
    assert compacted_names(tmp_path / "day") == ["2024", "2025"]
    assert store.read("day", symbols=["A"])["x"].to_pylist() == list(range(7))


def test_a_date_that_is_not_over_waits(store):
    fill(store)
    (report,) = compact(store, today=THIS_YEAR[0])
    assert report.period == "2024"


def test_a_file_written_a_moment_ago_waits(store, monkeypatch):
    monkeypatch.setattr(compaction, "SETTLED_S", 2.0)
    fill(store)
    assert compact(store, today=TODAY) == []
    for path in (store.root / "day").glob("date=2024*.parquet"):
        os.utime(path, (1.7e9, 1.7e9))
    assert [report.period for report in compact(store, today=TODAY)] == ["2024"]


def test_a_date_alone_and_a_table_without_dates_stay_as_they_are(store):
    store.replace_symbols("alone", ALL[0], day_rows(ALL[0], A=1), ["A"])
    for date in LAST_YEAR:
        store.replace_symbols("undated", date, pa.table({"symbol": ["A"], "x": [1]}), ["A"])
    assert compact(store, today=TODAY) == []
    assert store.read("undated")["x"].to_pylist() == [1, 1, 1]


def test_only_the_tables_named_are_compacted(store):
    fill(store)
    fill(store, "manifest/raw_ticks")
    assert {report.table for report in compact(store, today=TODAY, tables=["manifest/raw_ticks", "nowhere"])} == {
        "manifest/raw_ticks"
    }
    with pytest.raises(StoreError, match="lower-case words"):
        compact(store, today=TODAY, tables=["../day"])


def test_the_trading_date_tells_the_date_where_rows_have_it(store, monkeypatch):
    for date in LAST_YEAR:
        wrong = pa.array([dt.date(1999, 1, 1)] * 2, pa.date32())
        rows = day_rows(date, A=1, B=2).drop_columns("date").append_column("date", wrong)
        rows = rows.append_column("trading_date", pa.array([date] * 2, pa.date32()))
        store.replace_symbols("quarantine", date, rows, ["A", "B"])
    before = store.read("quarantine", dates=LAST_YEAR[:2])
    assert len(compact(store, today=TODAY)) == 1
    only_compacted(monkeypatch)
    assert store.read("quarantine", dates=LAST_YEAR[:2]).equals(before)


def test_rows_of_another_date_in_a_file_put_there_by_hand_are_refused(store, tmp_path):
    fill(store)
    own = tmp_path / "day" / f"date={LAST_YEAR[0]}.parquet"
    (tmp_path / "day" / f"date={LAST_YEAR[1]}.parquet").write_bytes(own.read_bytes())
    with pytest.raises(StoreError, match=r"date=2024-11-08.parquet has rows of other dates"):
        compact(store, today=TODAY)


def test_years_larger_than_the_memory_allowed_give_the_same_file(store, monkeypatch):
    for date in LAST_YEAR:
        several = pa.concat_tables([day_rows(date, A=1, B=2), day_rows(date, A=3, C=4)])
        store.replace_symbols("day", date, several, ["A", "B", "C"])
    before = store.read("day")
    monkeypatch.setattr(compaction, "PART_BYTES", 1)
    (report,) = compact(store, today=TODAY)
    assert report.rows == 12
    assert [path.suffix for path in (store.root / "day" / ".compacted").iterdir()] == [".arrow"]
    only_compacted(monkeypatch)
    assert store.read("day").equals(before)
    assert store.read("day", symbols=["A"])["x"].to_pylist() == [1, 3] * 3


# -- dates' own files win ----------------------------------------------------------------------------------


def test_a_re_run_of_an_old_date_is_seen_at_once_and_keeps_the_other_symbols(store):
    fill(store)
    compact(store, today=TODAY)
    store.replace_symbols("day", LAST_YEAR[1], day_rows(LAST_YEAR[1], B=7), ["B"])
    assert store.read("day", dates=LAST_YEAR)["x"].to_pylist() == [0, 100, 1, 7, 2, 102]
    assert compact(store, today=TODAY)[0].period == "2024"
    assert store.read("day", dates=LAST_YEAR)["x"].to_pylist() == [0, 100, 1, 7, 2, 102]


def test_a_date_whose_rows_were_all_removed_stays_removed(store):
    fill(store)
    compact(store, today=TODAY)
    store.replace_symbols("day", LAST_YEAR[1], day_rows(LAST_YEAR[1]), ["A", "B"])
    for _ in range(2):
        assert store.dates("day") == [date for date in ALL if date != LAST_YEAR[1]]
        assert store.read("day", dates=[LAST_YEAR[1]]) is None
        assert store.read("day", symbols=["A"])["x"].to_pylist() == [0, 2, 3, 4, 5, 6]
        compact(store, today=TODAY)


def test_nothing_is_left_of_a_table_that_lost_its_rows(store, tmp_path):
    fill(store)
    compact(store, today=TODAY)
    for date in ALL:
        store.replace_symbols("day", date, day_rows(date), ["A", "B"])
    assert store.read("day") is None
    assert compact(store, today=TODAY, tables=["day"]) == []
    assert compacted_names(tmp_path / "day") == []


def test_dates_with_other_columns_get_a_file_of_their_own(store, monkeypatch):
    fill(store)
    for date in LAST_YEAR[1:]:
        added = day_rows(date, A=5, B=6).append_column("new", pa.array([1.5, 2.5]))
        store.replace_symbols("day", date, added, ["A", "B"])
    extra = dt.date(2024, 11, 6)
    store.replace_symbols("day", extra, day_rows(extra, A=9), ["A"])
    before = store.read("day", dates=[extra, *LAST_YEAR])
    assert [report.period for report in compact(store, today=TODAY)].count("2024") == 2
    only_compacted(monkeypatch)
    assert store.read("day", dates=[extra, *LAST_YEAR]).equals(before)
    assert store.read("day", dates=[extra, LAST_YEAR[0]], symbols=["A"]).column_names == ["symbol", "date", "x", "s"]


# -- files that fail ---------------------------------------------------------------------------------------


def test_a_damaged_or_foreign_file_costs_time_and_no_rows(store, tmp_path, caplog):
    caplog.set_level(logging.WARNING, "fuzzy_pipeline")
    fill(store)
    compact(store, today=TODAY)
    before = store.read("day")
    folder = tmp_path / "day" / ".compacted"
    for path in list(folder.iterdir()):
        half = path.read_bytes()[: path.stat().st_size // 2]
        path.rename(folder / f"damaged-{path.name}")
        (folder / f"damaged-{path.name}").write_bytes(half)
    with pa.OSFile(str(folder / "foreign.arrow"), "wb") as file, pa.ipc.new_file(file, before.schema) as writer:
        writer.write_table(before)
    assert store.read("day").equals(before)
    assert caplog.text.count("is no compacted file") == 4
    assert len(compact(store, today=TODAY)) == 3
    assert compacted_names(tmp_path / "day") == ["2024", "2025", "2025-02"]


def test_leftovers_of_a_killed_compaction_are_ignored_and_removed_by_the_next(store, tmp_path):
    fill(store)
    folder = tmp_path / "day" / ".compacted"
    folder.mkdir()
    for name in (".2024.abc.arrow.1-a.tmp", ".part.abc.tmp"):
        (folder / name).write_bytes(b"half")
    assert store.read("day", symbols=["A"])["x"].to_pylist() == list(range(7))
    compact(store, today=TODAY)
    assert compacted_names(tmp_path / "day") == ["2024", "2025", "2025-02"]


def test_a_full_disk_leaves_no_file_and_every_row(store, tmp_path, monkeypatch):
    fill(store)

    def fail(handle: int) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patched:
        patched.setattr(parquet.os, "fsync", fail)
        with pytest.raises(StoreError, match="compacting light table day: no space left"):
            compact(store, today=TODAY)
    assert list((tmp_path / "day" / ".compacted").iterdir()) == []
    assert store.read("day", symbols=["A"])["x"].to_pylist() == list(range(7))


def test_a_date_replaced_while_it_is_compacted_is_left_to_the_next(store, monkeypatch):
    fill(store)
    whole = compaction._sorted_parts

    def while_a_writer_writes(*arguments: Any) -> Any:
        store.replace_symbols("day", LAST_YEAR[0], day_rows(LAST_YEAR[0], A=50), ["A"])
        return whole(*arguments)

    with monkeypatch.context() as patched:
        patched.setattr(compaction, "_sorted_parts", while_a_writer_writes)
        compact(store, today=dt.date(2025, 1, 1))
    assert store.read("day", dates=LAST_YEAR)["x"].to_pylist() == [50, 100, 1, 101, 2, 102]
    assert [report.dates for report in compact(store, today=dt.date(2025, 1, 1))] == [3]
    assert store.read("day", dates=LAST_YEAR)["x"].to_pylist() == [50, 100, 1, 101, 2, 102]


def test_one_compaction_of_a_table_at_a_time(store):
    fill(store)
    store.lock_timeout_s = 0.1
    lock = store.root / "day" / ".locks" / "compaction.lock"
    with parquet.held(lock, 1, "another"), pytest.raises(StoreError, match="compacting light table day: still held by"):
        compact(store, today=TODAY)


def test_rows_read_before_a_file_was_superseded_stay_as_they_were(store):
    fill(store)
    compact(store, today=TODAY)
    rows = store.read("day", symbols=["A"])
    store.replace_symbols("day", LAST_YEAR[0], day_rows(LAST_YEAR[0], A=9), ["A"])
    compact(store, today=TODAY)
    assert rows["x"].to_pylist() == list(range(7))
    assert store.read("day", symbols=["A"])["x"].to_pylist() == [9, 1, 2, 3, 4, 5, 6]


def test_a_damaged_file_of_a_date_is_named_by_compaction(store, tmp_path):
    fill(store)
    own = tmp_path / "day" / f"date={LAST_YEAR[0]}.parquet"
    own.write_bytes(own.read_bytes()[:100])
    with pytest.raises(StoreError, match=r"date=2024-11-07.parquet: not a readable Parquet file"):
        compact(store, today=TODAY)


# -- manifest and SQL --------------------------------------------------------------------------------------


def test_the_manifest_of_many_dates_is_read_from_compacted_files(store, monkeypatch):
    manifest = Manifest(store)
    for place, date in enumerate(ALL):
        manifest.commit("raw_ticks", date, [manifest_row("raw_ticks", "SPY", date, place, 10 + place)])
    rows = manifest.rows("raw_ticks")
    compact(store, today=TODAY)
    only_compacted(monkeypatch)
    assert manifest.versions("raw_ticks") == {("SPY", date): (place, 10 + place) for place, date in enumerate(ALL)}
    assert manifest.rows("raw_ticks") == rows


@pytest.fixture
def whole_store(tmp_path: Path) -> Iterator[Store]:
    opened = create_store(sim.settings_of(tmp_path), "simulated", HEAVY_TABLES)
    fill(opened.light)
    for date in ALL:
        for symbol in ("A", "B"):
            opened.manifest.commit("day", date, [manifest_row("day", symbol, date, -1, 1)])
    yield opened
    opened.close()


def light_of(store: Store) -> ParquetLightStore:
    assert isinstance(store.light, ParquetLightStore)
    return store.light


def test_sql_gives_the_same_rows_from_compacted_files(whole_store, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_WORTH_IN_SQL", 1)
    question = "SELECT symbol, date, x, s.u FROM day ORDER BY date, symbol"
    with SqlConnection(whole_store, sim.settings_of(tmp_path)) as connection:
        before = connection.query(question, as_="arrow")
        assert before.num_rows == 14
        compact(light_of(whole_store), today=TODAY)
        assert connection.query(question, as_="arrow").equals(before)
    assert [source.path.rpartition("/")[2][:4] for source in light_of(whole_store).sources("day")] == [
        "2024", "2025", "2025",
    ]  # fmt: skip


def test_an_open_sql_connection_sees_what_is_written_after_a_compaction(whole_store, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_WORTH_IN_SQL", 1)
    compact(light_of(whole_store), today=TODAY)
    with SqlConnection(whole_store, sim.settings_of(tmp_path)) as connection:

        def total() -> int:
            return int(connection.query("SELECT sum(x) AS total FROM day")["total"].iloc[0])

        assert total() == sum(range(7)) + sum(range(100, 107))
        whole_store.light.replace_symbols("day", LAST_YEAR[1], day_rows(LAST_YEAR[1], A=51), ["A"])
        assert total() == sum(range(7)) + sum(range(100, 107)) + 50
        whole_store.light.replace_symbols("day", TODAY, day_rows(TODAY, A=1000), ["A"])
        whole_store.manifest.commit("day", TODAY, [manifest_row("day", "A", TODAY, -1, 1)])
        assert total() == sum(range(7)) + sum(range(100, 107)) + 1050
        compact(light_of(whole_store), today=dt.date(2025, 3, 3))
        assert total() == sum(range(7)) + sum(range(100, 107)) + 1050
        assert len(connection.query("SHOW TABLES")) > 0


def test_sql_reads_some_dates_of_a_compacted_file(whole_store, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet, "_WORTH_IN_SQL", 1)
    compact(light_of(whole_store), today=TODAY)
    with SqlConnection(whole_store, sim.settings_of(tmp_path)) as connection:
        rows = connection.run(f"SELECT x FROM ({connection.committed('day', LAST_YEAR[1:])}) ORDER BY x")
    assert rows["x"].to_pylist() == [1, 2, 101, 102]


def test_instants_have_the_same_type_in_sql_from_either_file(tmp_path, monkeypatch):
    whole = create_store(sim.settings_of(tmp_path), "simulated", HEAVY_TABLES)
    monkeypatch.setattr(parquet, "_WORTH_IN_SQL", 1)
    for date in ALL:
        at = pa.array([1_757_943_000_000_000_000], pa.timestamp("ns", tz="America/New_York"))
        rows = day_rows(date, A=1).append_column("seen", at)
        whole.light.replace_symbols("day", date, rows, ["A"])
        whole.manifest.commit("day", date, [manifest_row("day", "A", date, -1, 1)])
    question = "SELECT seen, typeof(seen) AS kind, hour(seen::timestamptz) AS hour FROM day"
    with SqlConnection(whole, sim.settings_of(tmp_path)) as connection:
        before = connection.query(question, as_="arrow")
        compact(light_of(whole), today=dt.date(2025, 2, 4))
        assert connection.query(question, as_="arrow").equals(before)
    assert before["hour"].to_pylist() == [9] * 7
    whole.close()


# -- any sequence of writes --------------------------------------------------------------------------------


def variant(kind: int, date: dt.date, symbols: list[str], mark: int) -> pa.Table:
    """Rows as releases may have written them: other columns, other order of fields, wider numbers, several a symbol."""
    count = len(symbols)
    columns: dict[str, Any] = {
        "symbol": pa.array(symbols, pa.string()),
        "date": pa.array([date] * count, pa.date32()),
        "x": pa.array(range(mark, mark + count), pa.int64()),
    }
    groups = [
        [("u", pa.int64()), ("v", pa.float64())],
        [("u", pa.int64()), ("w", pa.string()), ("v", pa.float64())],
        [("v", pa.float64()), ("u", pa.int64())],
        [("v", pa.float64())],
    ]
    if kind < len(groups):
        fields = groups[kind]
        values = [{name: None if (mark + i) % 3 == 0 else mark for name, _ in fields} for i in range(count)]
        texts = [{name: str(v) if name == "w" and v is not None else v for name, v in row.items()} for row in values]
        columns["s"] = pa.array([None if i % 4 == 3 else row for i, row in enumerate(texts)], pa.struct(fields))
    elif kind == len(groups):
        columns["x"] = columns["x"].cast(pa.float64())
        columns["hours"] = pa.array(
            [[{"a": mark, "b": None}]] * count, pa.list_(pa.struct([("a", pa.int32()), ("b", pa.float32())]))
        )
    else:
        columns["hours"] = pa.array([[{"a": mark}], None] * count, pa.list_(pa.struct([("a", pa.int32())])))[:count]
        columns["nothing"] = pa.nulls(count)
    return pa.table(columns)


SYMBOLS = st.lists(st.sampled_from(["A", "B", "C"]), min_size=1, max_size=3, unique=True)
KINDS = st.sampled_from([0, 0, 0, 0, 1, 2, 3, 4, 5])
WRITE = st.tuples(st.just("write"), st.sampled_from(ALL), SYMBOLS, KINDS, st.integers(1, 2))
REMOVE = st.tuples(st.just("remove"), st.sampled_from(ALL), SYMBOLS)
COMPACT = st.tuples(st.just("compact"), st.sampled_from([dt.date(2025, 1, 1), TODAY, dt.date(2025, 3, 3)]))
QUESTION = st.tuples(
    st.none() | st.lists(st.sampled_from(ALL), max_size=7),
    st.none() | st.lists(st.sampled_from(["A", "B", "C", "D"]), max_size=3),
    st.none() | st.lists(st.sampled_from(["symbol", "date", "x", "s", "s.u", "s.v", "s.w", "hours"]), max_size=4),
)


def answer(store: LightStore, question: tuple[Any, Any, Any]) -> object:
    dates, symbols, columns = question
    try:
        rows = store.read("day", dates=dates, symbols=symbols, columns=columns)
    except StoreError as error:
        return str(error).partition(";")[0]
    return None if rows is None else (rows.schema.remove_metadata(), rows.to_pylist())


@settings(max_examples=40, deadline=None)
@given(st.lists(WRITE | WRITE | REMOVE | COMPACT, min_size=1, max_size=10), st.lists(QUESTION, min_size=1, max_size=4))
def test_no_sequence_of_writes_and_compactions_can_be_told_from_plain_memory(steps, questions):
    with tempfile.TemporaryDirectory() as folder:
        plain, files = MemoryLightStore(), ParquetLightStore(Path(folder))
        filled = [("write", date, ["A", "B"], 0, 1) for date in ALL]
        for mark, step in enumerate([*filled, ("compact", TODAY), *steps, ("compact", TODAY)]):
            match step:
                case ("compact", today):
                    compact(files, today=today)
                case ("remove", date, symbols):
                    for store in (plain, files):
                        store.replace_symbols("day", date, variant(0, date, [], mark), symbols)
                case ("write", date, symbols, kind, times):
                    for store in (plain, files):
                        store.replace_symbols("day", date, variant(kind, date, symbols * times, mark), symbols)
            assert files.dates("day") == plain.dates("day")
            for question in [(None, None, None), *questions]:
                assert answer(files, question) == answer(plain, question)


def test_a_compacted_file_knows_what_it_was_made_from(store, tmp_path):
    fill(store)
    compact(store, today=TODAY)
    file = next(file for file in compacted.compacted_files(str(tmp_path / "day")) if file.period == "2024")
    own = {date: (tmp_path / "day" / f"date={date}.parquet").stat() for date in LAST_YEAR}
    assert file.sources == {date: (facts.st_mtime_ns, facts.st_ino, facts.st_size) for date, facts in own.items()}
    assert file.spans == {"A": (0, 3), "B": (3, 6)}
    assert file.table["x"].to_pylist() == [0, 1, 2, 100, 101, 102]

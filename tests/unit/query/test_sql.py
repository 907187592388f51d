"""SQL: what is seen, what bars() gives, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from fuzzy_pipeline.errors import NotStoredError, SchemaError, SettingsError
from fuzzy_pipeline.query import DatesMissing, get_bars, sql
from fuzzy_pipeline.query.sql import SqlConnection
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.tables import QUARANTINE, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store
from tests.unit.query import simulated_store as sim
from tests.unit.query.day_rows import commit, day, days_in_memory, days_on_disk, put_rows
from tests.unit.query.hand_made import MONDAY, TUESDAY, WEDNESDAY


@pytest.fixture(params=["disk", "memory"])
def days(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """The records of ``day_rows``."""
    opened = days_in_memory() if request.param == "memory" else days_on_disk(tmp_path / "home")
    yield opened
    opened.close()


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[Store]:
    opened = days_on_disk(tmp_path / "home")
    yield opened
    opened.close()


def rows(query: str, store: Store, *parameters: object) -> list[tuple[object, ...]]:
    """The result as plain values."""
    table = sql(query, list(parameters), as_="arrow", store=store)
    return [tuple(row.values()) for row in table.to_pylist()]


# -- what is seen ------------------------------------------------------------------------------------------


def test_groups_are_structs_and_uncommitted_rows_do_not_exist(days: Store) -> None:
    found = rows("SELECT symbol, date, basic_stats.vwap FROM day_metadata_phase1 ORDER BY date, symbol", days)
    assert found == [("AAPL", MONDAY, 10.0), ("SPY", MONDAY, 20.0), ("SPY", TUESDAY, 21.0)]


def test_a_group_that_older_records_lack_is_null_there(days: Store) -> None:
    query = "SELECT date, spread_stats.p95_bps FROM day_metadata_phase1 WHERE symbol = 'SPY' ORDER BY date"
    assert rows(query, days) == [(MONDAY, None), (TUESDAY, 50.5)]


def test_a_field_that_older_records_lack_is_null_there(days: Store) -> None:
    put_rows(
        days,
        PHASE1_TABLE,
        WEDNESDAY,
        [{"symbol": "SPY", "date": WEDNESDAY, "basic_stats": {"vwap": 22.0, "range": 1.5}}],
    )
    commit(days, PHASE1_TABLE, WEDNESDAY, ["SPY"])
    query = (
        "SELECT basic_stats.range, basic_stats.volume_total FROM day_metadata_phase1 WHERE symbol = 'SPY' ORDER BY date"
    )
    assert rows(query, days) == [(None, 3000), (None, 5000), (1.5, None)]


def test_a_table_of_which_nothing_is_committed_has_no_rows(days: Store) -> None:
    put_rows(days, "day_metadata_phase2", MONDAY, [{"symbol": "SPY", "date": MONDAY, "tier2": {"amihud": 1.0}}])
    assert rows("SELECT count(*), max(tier2.amihud) FROM day_metadata_phase2", days) == [(0, None)]


def test_rows_that_a_killed_run_left_beside_the_ticks_are_not_seen(days: Store) -> None:
    aside = {"symbol": "SPY", "trading_date": MONDAY, "row": 0, "rule": "bad_price"}
    commit(days, RAW_TICKS.name, MONDAY, ["SPY"])  # by ingest 1
    put_rows(days, QUARANTINE.name, MONDAY, [{**aside, "ingest_id": "2"}])
    assert rows("SELECT count(*) FROM quarantine", days) == [(0,)]
    put_rows(days, QUARANTINE.name, MONDAY, [{**aside, "ingest_id": "1"}])
    assert rows("SELECT symbol, trading_date, rule FROM quarantine", days) == [("SPY", MONDAY, "bad_price")]


def test_a_declared_table_without_rows_is_empty_and_not_unknown(days: Store) -> None:
    assert rows("SELECT count(*), max(rule) FROM quarantine", days) == [(0, None)]
    assert rows("SELECT count(*), max(reason) FROM failures", days) == [(0, None)]


def test_the_manifest_of_all_tables_is_one_table(days: Store) -> None:
    commit(days, RAW_TICKS.name, MONDAY, ["SPY"])
    query = 'SELECT "table", count(*) FROM manifest GROUP BY ALL ORDER BY ALL'
    assert rows(query, days) == [("day_metadata_phase1", 3), ("raw_ticks", 1)]


def test_a_table_in_a_folder_is_called_with_an_underscore(days: Store) -> None:
    put_rows(days, "quality/results", MONDAY, [{"symbol": "SPY", "date": MONDAY, "score": 0.5}])
    commit(days, "quality/results", MONDAY, ["SPY"])
    assert rows("SELECT score FROM quality_results", days) == [(0.5,)]


def test_a_table_without_dates_is_refused_since_nobody_knows_what_of_it_is_committed(days: Store) -> None:
    put_rows(days, "oddity", MONDAY, [{"symbol": "SPY", "score": 0.5}])
    with pytest.raises(SchemaError, match="light table oddity has no column date"):
        sql("FROM oddity", store=days)


def test_a_connection_that_stays_open_sees_dates_committed_later(on_disk: Store) -> None:
    with SqlConnection(on_disk, sim.settings_of(on_disk.root)) as connection:
        query = "SELECT max(date) AS last FROM day_metadata_phase1"
        assert connection.query(query)["last"].tolist() == [TUESDAY]
        record = day("SPY", WEDNESDAY, 22.0, 1, spread_stats={"p95_bps": 1.0})
        put_rows(on_disk, PHASE1_TABLE, WEDNESDAY, [record])
        assert connection.query(query)["last"].tolist() == [TUESDAY]
        commit(on_disk, PHASE1_TABLE, WEDNESDAY, ["SPY"])
        assert connection.query(query)["last"].tolist() == [WEDNESDAY]


def test_a_home_with_characters_that_mean_something_in_patterns_and_sql_is_read(tmp_path: Path) -> None:
    opened = days_on_disk(tmp_path / "it's [mine]*")
    assert rows("SELECT count(*) FROM day_metadata_phase1", opened) == [(3,)]
    opened.close()


def test_a_name_of_the_query_itself_may_be_that_of_a_table(days: Store) -> None:
    query = "WITH manifest AS (SELECT * FROM manifest WHERE symbol = 'SPY') SELECT count(*) FROM manifest"
    assert rows(query, days) == [(2,)]


def test_all_tables_are_listed_and_described(days: Store) -> None:
    expected = [
        "check_results", "cross_symbol_rankings", "day_metadata_phase1", "day_metadata_phase2", "failures",
        "manifest", "official_prints", "pair_correlations", "quality_measures", "quarantine", "quarantine_decisions",
        "quarantine_released", "source_daily_bars", "tick_flags", "trailing_baselines",
    ]  # fmt: skip
    with SqlConnection(days, sim.settings_of(Path("nowhere"))) as connection:
        assert connection.tables() == expected
    assert set(expected) <= {name for (name,) in rows("SHOW TABLES", days)}
    columns = [row[0] for row in rows("DESCRIBE day_metadata_phase1", days)]
    assert columns == ["symbol", "date", "basic_stats", "spread_stats"]


# -- results -----------------------------------------------------------------------------------------------


def test_instants_are_eastern_in_functions_and_in_the_frame(days: Store) -> None:
    found = sql(
        "SELECT basic_stats.first_tick_time AS seen, hour(seen) AS hour FROM day_metadata_phase1 LIMIT 1",
        store=days,
    )
    assert found["hour"].tolist() == [9]
    assert found["seen"].iloc[0].isoformat() == "2025-11-24T09:30:00-05:00"
    assert str(found["seen"].dt.tz) == "America/New_York"


def test_sums_of_shares_are_whole_numbers_and_dates_are_dates(days: Store) -> None:
    found = sql(
        "SELECT date, sum(basic_stats.volume_total) AS shares, 1.5 AS half FROM day_metadata_phase1 "
        "GROUP BY date ORDER BY date",
        store=days,
    )
    assert found["date"].tolist() == [MONDAY, TUESDAY]
    assert (found["shares"].dtype, found["shares"].tolist()) == (np.int64, [4000, 5000])
    assert (found["half"].dtype, found["half"].tolist()) == (np.float64, [1.5, 1.5])


def test_a_sum_beyond_64_bits_is_not_wrapped(days: Store) -> None:
    assert rows("SELECT sum(x) FROM (VALUES (9223372036854775807), (1)) v(x)", days) == [(2**63,)]
    assert rows("SELECT sum(x) FROM (VALUES (9223372036854775806), (1)) v(x)", days) == [(2**63 - 1,)]


def test_values_are_handed_in_as_parameters(days: Store) -> None:
    assert rows("SELECT count(*) FROM day_metadata_phase1 WHERE symbol = ? AND date > ?", days, "SPY", MONDAY) == [(1,)]
    named = sql("SELECT $one + 1 AS two", {"one": 1}, store=days)
    assert named["two"].tolist() == [2]


def test_a_form_that_does_not_exist_is_refused(days: Store) -> None:
    with pytest.raises(SchemaError, match="'pandas' or 'arrow'"):
        sql("SELECT 1", as_="polars", store=days)  # type: ignore[call-overload]


# -- bars(…) -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "call",
    [
        "bars('SPY', '2025-11-24', '2025-11-25')",
        "bars('spy', DATE '2025-11-24', DATE '2025-11-25', 'time', '1m')",
        "bars('SPY', '2025-11-24'::DATE, \"end\" := '2025-11-25', parameter := '1m')",
        "bars(start := '2025-11-24', symbol := 'SPY', \"end\" := '2025-11-25', family => 'time')",
    ],
)
def test_bars_are_a_table_function(store: Store, call: str) -> None:
    assert rows(f"SELECT date, sum(close) FROM {call} GROUP BY date ORDER BY date", store) == [
        (MONDAY, 6.0),
        (TUESDAY, 9.0),
    ]


def test_one_statement_may_ask_for_several_series(store: Store) -> None:
    query = """
        SELECT m.close AS minute, h.close AS hour FROM bars('SPY', '2025-11-24') AS m
        JOIN bars('SPY', '2025-11-24', NULL, 'time', '1h') AS h USING (date) ORDER BY m.close
    """
    assert rows(query, store) == [(1.0, 3.0), (2.0, 3.0), (3.0, 3.0)]


def test_bars_have_eastern_instants_that_all_functions_take_and_names_for_codes(store: Store) -> None:
    hour = "time_bucket(INTERVAL '1h', bar_start) AS hour"
    found = sql(f"SELECT {hour}, close_reason, theta FROM bars('SPY', '2025-11-24') LIMIT 1", store=store)
    assert found["hour"].iloc[0].isoformat() == "2025-11-24T09:00:00-05:00"
    assert found["close_reason"].tolist() == ["TIME"]
    assert found["theta"].isna().all()


def test_a_weekend_is_moved_and_a_missing_date_is_told_as_everywhere(store: Store) -> None:
    with pytest.raises(NotStoredError, match="nothing is committed for 2025-11-26"):
        sql("FROM bars('SPY', '2025-11-24', '2025-11-26')", store=store)
    with pytest.warns(DatesMissing, match="left out 1 of 3 dates"):
        found = sql("FROM bars('SPY', '2025-11-24', '2025-11-26')", missing="skip", store=store)
    assert found["close"].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("call", "says"),
    [
        ("bars('SPY')", "needs a symbol and a date"),
        ("bars()", "needs a symbol and a date"),
        ("bars('SPY', NULL)", "needs a symbol and a date"),
        ("bars('SPY', current_date)", "arguments of bars are constants"),
        ("bars('SPY', '2025-' || '11-24')", "arguments of bars are constants"),
        ("bars('SPY', DATE '2025-1-1')", "arguments of bars are constants"),
        ("bars('SPY', TIMESTAMP '2025-11-24')", "arguments of bars are constants"),
        ("bars('SPY', ?)", "arguments of bars are constants"),
        ("manifest, bars(manifest.symbol, '2025-11-24')", "arguments of bars are constants"),
        ("bars('SPY', '2025-11-24', '2025-11-25', 'time', '1m', 'x')", "bars takes symbol, start, end"),
        ("bars('SPY', '2025-11-24', interval := '1m')", "bars takes symbol, start, end"),
        ("bars('SPY', '2025-11-24', family := 'candle')", "bars of these families are built"),
    ],
)  # fmt: skip
def test_a_call_of_bars_that_makes_no_sense_is_refused(store: Store, call: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        sql(f"SELECT * FROM {call}", store=store)


def test_bars_in_sql_are_those_of_the_reading_api(simulated: Settings) -> None:
    found = sql("FROM bars('AAPL', '2025-11-25', '2025-11-26', 'time', '7m') ORDER BY timestamp", settings=simulated)
    bars = get_bars("AAPL", sim.TUESDAY, sim.WEDNESDAY, parameter="7m", settings=simulated).reset_index()
    assert len(found) == len(bars) > 100
    for name in ("timestamp", "open", "close", "volume", "vwap", "tick_count", "parameter"):
        pd.testing.assert_series_equal(found[name], bars[name], check_dtype=False)


def test_bars_and_day_records_of_a_run_agree(simulated: Settings) -> None:
    query = """
        SELECT d.basic_stats.volume_total = sum(b.volume) AS same
        FROM day_metadata_phase1 AS d JOIN bars('SPY', '2025-11-25', '2025-11-28') AS b USING (symbol, date)
        GROUP BY d.date, d.basic_stats.volume_total
    """
    assert sql(query, settings=simulated)["same"].tolist() == [True] * len(sim.DATES)


# -- what is refused ---------------------------------------------------------------------------------------

WRITES = [
    "COPY (SELECT 1) TO '{root}/stolen.csv'",
    "WITH gone AS (COPY (SELECT 1) TO '{root}/stolen.csv') SELECT 1",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/stolen.csv'",
    "COPY (PIVOT day_metadata_phase1 ON symbol USING count(*)) TO '{root}/stolen.csv'",
    "SELECT 1; COPY (SELECT 1) TO '{root}/stolen.csv'",
    "EXPORT DATABASE '{root}/stolen'",
    "ATTACH '{root}/stolen.duckdb'",
    "ATTACH ':memory:' AS other",
    "CREATE TABLE stolen AS SELECT 1",
    "CREATE VIEW stolen AS SELECT 1",
    "WITH gone AS (INSERT INTO manifest SELECT * FROM manifest RETURNING *) SELECT * FROM gone",
    "WITH gone AS (DELETE FROM manifest RETURNING *) SELECT * FROM gone",
    "DROP VIEW manifest",
    "INSTALL httpfs",
    "LOAD httpfs",
    "SET TimeZone = 'UTC'",
    "SET enable_external_access = true",
    "RESET lock_configuration",
    "PRAGMA threads = 1",
    "CALL enable_logging()",
    "CREATE SECRET (TYPE s3)",
]
READS = [
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    "FROM '{root}/day_metadata_phase1/date=2025-11-24.parquet'",
    "FROM read_parquet('{root}/day_metadata_phase1/*.parquet')",
    "SELECT (SELECT content FROM read_text('{root}/store.json'))",
    "SELECT * FROM glob('/etc/*')",
    "DESCRIBE SELECT * FROM read_csv('/etc/passwd')",
    "SUMMARIZE (SELECT * FROM read_csv('/etc/passwd'))",
    "SELECT * FROM query('SELECT * FROM read_csv(''/etc/passwd'')')",
    "SELECT * FROM query_table('/etc/passwd')",
    "SELECT * FROM json_execute_serialized_sql(json_serialize_sql('SELECT 1'))",
    "WITH a AS (SELECT * FROM sniff_csv('/etc/passwd')) SELECT * FROM a",
]


@pytest.mark.parametrize("query", [*WRITES, *READS])
def test_what_writes_or_reads_files_is_refused_and_nothing_changes(on_disk: Store, query: str) -> None:
    files = sorted(on_disk.root.rglob("*"))
    with pytest.raises(SettingsError, match="SQL is read-only"):
        sql(query.format(root=on_disk.root), store=on_disk)
    assert sorted(on_disk.root.rglob("*")) == files


def test_the_connection_itself_is_locked_whatever_it_is_asked(on_disk: Store, tmp_path: Path) -> None:
    (tmp_path / "outside.csv").write_text("a\n1\n")
    with SqlConnection(on_disk, sim.settings_of(tmp_path)) as opened:
        for query in (
            f"SELECT * FROM read_csv('{tmp_path}/outside.csv')",
            f"SELECT * FROM read_csv('{on_disk.root}/../../outside.csv')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            f"ATTACH '{tmp_path}/other.duckdb'",
            "INSTALL httpfs",
            "LOAD httpfs",
        ):
            with pytest.raises(duckdb.PermissionException):
                opened.connection.execute(query)
        for query in ("SET TimeZone = 'UTC'", "PRAGMA threads = 1", "SET enable_external_access = true"):
            with pytest.raises(duckdb.InvalidInputException, match="locked"):
                opened.connection.execute(query)
    assert {path.name for path in tmp_path.iterdir()} == {"home", "outside.csv"}


def test_variables_of_the_program_are_not_tables(days: Store) -> None:
    secrets = pa.table({"a": [1]})
    with pytest.raises(SchemaError, match="secrets does not exist"):
        sql("SELECT * FROM secrets", store=days)
    assert secrets.num_rows == 1


@pytest.mark.parametrize(
    ("query", "error", "says"),
    [
        ("SELEC 1", SettingsError, "syntax error"),
        ("", SettingsError, "one statement"),
        ("SELECT 1; SELECT 2", SettingsError, "one statement"),
        (
            "FROM day_meta",
            SchemaError,
            r"day_meta does not exist!\nthere are check_results, cross_symbol_rankings, ",
        ),
        ("SELECT vwap FROM day_metadata_phase1", SchemaError, "vwap"),
        ("SELECT basic_stats.vwop FROM day_metadata_phase1", SchemaError, 'Candidate Entries: "vwap"'),
        ("SELECT ?", SettingsError, "Values were not provided"),
        ("SELECT 'x'::INTEGER", SettingsError, "Could not convert"),
    ],
)
def test_a_mistake_is_told_with_what_there_is(days: Store, query: str, error: type[Exception], says: str) -> None:
    with pytest.raises(error, match=says) as caught:
        sql(query, store=days)
    assert "LINE 1" not in str(caught.value)


def test_a_pivot_names_its_values(days: Store) -> None:
    values = "SELECT date, symbol, basic_stats.vwap AS vwap FROM day_metadata_phase1"
    query = f"PIVOT ({values}) ON symbol IN ('AAPL', 'SPY') USING first(vwap) ORDER BY date"
    assert rows(query, days) == [(MONDAY, 10.0, 20.0), (TUESDAY, None, 21.0)]
    with pytest.raises(SettingsError, match="PIVOT with its values named"):
        sql(f"PIVOT ({values}) ON symbol USING first(vwap)", store=days)


def test_harmless_functions_of_a_from_are_run(days: Store) -> None:
    assert rows("SELECT sum(x) FROM range(4) AS r(x)", days) == [(6,)]
    dates = "SELECT count(*) FROM generate_series(DATE '2025-11-24', DATE '2025-11-25', INTERVAL 1 DAY)"
    assert rows(dates, days) == [(2,)]
    assert rows(
        "WITH RECURSIVE t AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM t WHERE i < 3) SELECT max(i) FROM t", days
    ) == [(3,)]


def test_without_a_store_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(NotStoredError, match="no store at"):
        sql("SELECT 1", settings=sim.settings_of(tmp_path))

"""Planted corruptions through the files source, every step and every rule: each is told, and harms nobody else."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest
from numpy.typing import NDArray

from benchmarks.corruptions import CORRUPTIONS, LOST, Corruption, Planted, judge_whole_date, plant
from fuzzy_pipeline.bar_settings import FAMILY_NAMES, FamilyName
from fuzzy_pipeline.query import get_ticks
from fuzzy_pipeline.report import DateQualityReport, gather_date
from fuzzy_pipeline.schema.quality import CHECK_RESULTS_TABLE, QUALITY_TABLE, QualityMeasures, RuleResult
from fuzzy_pipeline.schema.records import from_table
from fuzzy_pipeline.schema.tables import OFFICIAL_PRINTS, QUARANTINE, RAW_TICKS, TICK_FLAGS
from fuzzy_pipeline.settings import Settings, SimulatorSettings, load_settings
from fuzzy_pipeline.simulator.market import SimulatedMarket
from fuzzy_pipeline.sources.files import FilesSource, write_ticks
from fuzzy_pipeline.steps.ingest import FLAG_ROWS_KEPT
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.steps.rank_symbols import RANKING_TABLES
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.stores.store import Store

Raw = Mapping[str, NDArray[Any]]

DAYS = {"AIG": dt.date(2013, 10, 8), "NEPT": dt.date(2021, 3, 1), "SIMULATED": dt.date(2025, 11, 25)}
REAL = [pytest.param(symbol, marks=pytest.mark.real_data) for symbol in ("AIG", "NEPT")]
SYMBOL_OF = {corruption.name: f"BAD{number:02}" for number, corruption in enumerate(CORRUPTIONS)}
BY_NAME = {corruption.name: corruption for corruption in CORRUPTIONS}
FAMILIES: tuple[FamilyName, ...] = ("time", "volume", "range")
"""Without renko: a price × 100 is a gap of thousands of bricks, each a bar, and 434 of them fill the memory."""
HARD = [one.name for one in CORRUPTIONS if one.is_set_aside]
SOFT = [one.name for one in CORRUPTIONS if not one.is_set_aside and one.row_rule != LOST]
TOLD = [one.name for one in CORRUPTIONS if one.day_rule]


def day_as_it_came(request: pytest.FixtureRequest, symbol: str) -> Raw:
    """The raw ticks of a real day; of a simulated one without the real data."""
    if symbol == "SIMULATED":
        market = SimulatedMarket(SimulatorSettings(ticks_per_day=4000))
        return market.fetch_ticks(symbol, DAYS[symbol]).columns
    folder: Path = request.getfixturevalue("shared_data")
    return FilesSource(folder / "ticks").fetch_ticks(symbol, DAYS[symbol]).columns


@dataclass(frozen=True)
class WholeDate:
    """A date of one untouched symbol and its corrupted copies, after all steps and rules."""

    settings: Settings
    untouched: str
    files: Mapping[str, Raw]
    planted: Mapping[str, Planted] = field(default_factory=dict)

    @property
    def date(self) -> dt.date:
        return DAYS[self.untouched]

    @property
    def store(self) -> Store:
        return workbench(self.settings).store

    def light(self, table: str, symbol: str) -> list[dict[str, Any]]:
        found = self.store.light.read(table, dates=[self.date], symbols=[symbol])
        return [] if found is None else found.to_pylist()

    def measures(self, symbol: str) -> QualityMeasures:
        rows = self.store.light.read(QUALITY_TABLE, dates=[self.date], symbols=[symbol])
        assert rows is not None
        (record,) = from_table(rows, QualityMeasures)
        return record

    def failed_rules(self, symbol: str, severity: str | None = None) -> set[str]:
        rows = self.store.light.read(CHECK_RESULTS_TABLE, dates=[self.date], symbols=[symbol])
        assert rows is not None
        found = from_table(rows.filter(pc.equal(rows["outcome"], "failed")), RuleResult)
        return {one.rule for one in found if severity is None or one.severity == severity}

    def report(self) -> DateQualityReport:
        return gather_date(self.store, self.settings, self.date)

    def hashes(self, symbol: str) -> dict[str, str]:
        """Content hash of every table of a symbol that is made of its own ticks alone."""
        tables = [table for table in pipeline_tables(self.settings) if table not in RANKING_TABLES]
        rows = [row for table in tables for row in self.store.manifest.rows(table, [self.date], [symbol])]
        return {row.table: row.content_hash for row in rows}


def whole_date(
    home: Path,
    untouched: str,
    files: Mapping[str, Raw],
    planted: Mapping[str, Planted],
    families: Sequence[FamilyName] = FAMILY_NAMES,
) -> WholeDate:
    kind = "simulated" if untouched == "SIMULATED" else "real"
    for symbol, raw in files.items():
        write_ticks(home / "ticks" / f"symbol={symbol}" / f"date={DAYS[untouched]}.parquet", raw, kind)  # type: ignore[arg-type]
    settings = load_settings(
        home=home / "home", source="files", files={"path": home / "ticks"}, symbols=tuple(files),
        store={"map_size": "1GB"}, bars={"families": families}, _env_file=None,
    )  # fmt: skip
    judge_whole_date(settings, DAYS[untouched])
    return WholeDate(settings, untouched, files, planted)


# -- one row of a hundred ------------------------------------------------------------


@pytest.fixture(scope="module", params=["SIMULATED", *REAL])
def one_percent(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeDate]:
    """The untouched symbol, and a copy of it for each corruption with one row of a hundred corrupted."""
    raw = day_as_it_came(request, request.param)
    planted = {SYMBOL_OF[one.name]: plant(one, raw) for one in CORRUPTIONS}
    files = {request.param: raw, **{symbol: one.raw for symbol, one in planted.items()}}
    yield whole_date(tmp_path_factory.mktemp(request.param), request.param, files, planted, FAMILIES)
    close_workbenches()


@pytest.mark.parametrize("name", HARD)
def test_exactly_the_broken_rows_are_set_aside_under_their_rule_as_they_came(one_percent: WholeDate, name: str) -> None:
    symbol = SYMBOL_OF[name]
    planted = one_percent.planted[symbol]
    rows = one_percent.light(QUARANTINE.name, symbol)
    assert [row["row"] for row in rows] == planted.rows.tolist()
    assert {row["rule"] for row in rows} == {BY_NAME[name].row_rule}
    for column in ("tick_id", "time", "last_sz", "mkt_ctr", "date"):
        assert [row[column] for row in rows] == planted.raw[column][planted.rows].tolist(), column
    assert np.array_equal([row["last"] for row in rows], planted.raw["last"][planted.rows], equal_nan=True)


@pytest.mark.parametrize("name", SOFT)
def test_the_wrong_rows_are_kept_and_flagged_under_their_rule(one_percent: WholeDate, name: str) -> None:
    symbol = SYMBOL_OF[name]
    planted = one_percent.planted[symbol]
    assert one_percent.light(QUARANTINE.name, symbol) == []
    (flag,) = (row for row in one_percent.light(TICK_FLAGS.name, symbol) if row["rule"] == BY_NAME[name].row_rule)
    before = {row["rule"]: row for row in one_percent.light(TICK_FLAGS.name, one_percent.untouched)}
    natural = before[flag["rule"]]["count"] if flag["rule"] in before else 0
    # A row that takes a time between those of its neighbours is in order: it cannot be told.
    in_order = 0.01 * planted.count if name == "times shuffled" else 0
    # Beside a price 3 % off, one that is 0.9 % off for itself may come to lie 1 % from a median.
    neighbours = 0.02 * planted.count if name == "price 3 % off" else 0
    assert planted.count - in_order <= flag["count"] <= planted.count + natural + neighbours
    listed = set(flag["rows"])
    assert len(listed) == min(flag["count"], FLAG_ROWS_KEPT)
    up_to = [row for row in planted.rows.tolist() if row <= flag["rows"][-1]]
    assert len(listed.intersection(up_to)) >= len(up_to) - in_order
    assert len(listed - set(up_to)) <= natural + neighbours


def test_a_missing_range_is_told_by_its_market_centre_and_tick_ids(one_percent: WholeDate) -> None:
    symbol = SYMBOL_OF["range of a venue missing"]
    planted, raw = one_percent.planted[symbol], one_percent.files[one_percent.untouched]
    (record,) = one_percent.light("day_metadata_phase1", symbol)
    gaps = [gap for gap in record["data_quality"]["tick_id_gaps"] if gap["is_lost"]]
    ids = raw["tick_id"][planted.removed]
    told = [number for gap in gaps for number in range(gap["first_id"], gap["last_id"] + 1)]
    assert told == ids.tolist()
    assert {gap["market_center"] for gap in gaps} == set(raw["mkt_ctr"][planted.removed].tolist())
    found = one_percent.measures(symbol)
    assert found.lost_tick_count == planted.count
    assert found.missing_volume == int(raw["last_sz"][planted.removed].sum())


def test_rows_in_are_stored_official_and_set_aside_for_every_symbol(one_percent: WholeDate) -> None:
    for symbol, raw in one_percent.files.items():
        (row,) = one_percent.store.manifest.rows(RAW_TICKS.name, [one_percent.date], [symbol])
        aside = len(one_percent.light(QUARANTINE.name, symbol))
        official = len(one_percent.light(OFFICIAL_PRINTS.name, symbol))
        assert row.rows_in == len(raw["time"]) == row.rows + aside + official, symbol
        assert (row.rows_set_aside, row.rows_official) == (aside, official)
        is_set_aside = symbol in one_percent.planted and symbol in {SYMBOL_OF[name] for name in HARD}
        assert aside == (one_percent.planted[symbol].count if is_set_aside else 0), symbol


@pytest.mark.parametrize("name", TOLD)
def test_the_rule_of_the_day_warns_and_no_error_is_raised(one_percent: WholeDate, name: str) -> None:
    symbol = SYMBOL_OF[name]
    assert BY_NAME[name].day_rule in one_percent.failed_rules(symbol, "warning")
    assert one_percent.failed_rules(symbol, "error") == set()


def test_the_untouched_symbol_raises_no_alarm_beside_them(one_percent: WholeDate) -> None:
    assert one_percent.failed_rules(one_percent.untouched) == set()


def test_rows_that_came_twice_leave_what_is_stored_as_it_is_without_them(one_percent: WholeDate) -> None:
    twice = one_percent.hashes(SYMBOL_OF["row twice"])
    assert twice[RAW_TICKS.name] == one_percent.hashes(one_percent.untouched)[RAW_TICKS.name]
    score = one_percent.measures(SYMBOL_OF["row twice"]).data_quality_score
    assert score == one_percent.measures(one_percent.untouched).data_quality_score


def test_the_score_falls_by_what_is_lost_or_wrong(one_percent: WholeDate) -> None:
    """At least by the share of ticks lost, or on a crossed quote; by no more than half of a hundredth elsewhere."""
    raw = one_percent.files[one_percent.untouched]
    trades = int(np.count_nonzero(raw["last_sz"] > 0))
    untouched = one_percent.measures(one_percent.untouched).data_quality_score
    assert untouched is not None
    for name, symbol in SYMBOL_OF.items():
        score, level = (getattr(one_percent.measures(symbol), f"data_quality_{part}") for part in ("score", "level"))
        share = one_percent.planted[symbol].count / trades
        if (BY_NAME[name].is_set_aside and name != "row twice") or name == "range of a venue missing":
            assert score <= 1 - share + 1e-12, name
        elif name == "crossed quote":
            crossed = int(np.count_nonzero(one_percent.files[symbol]["bid"] > one_percent.files[symbol]["ask"]))
            assert untouched - share - 1e-12 <= score <= 1 - crossed / trades + 1e-12
        elif name not in ("row twice", "times shuffled"):
            assert untouched - share - 0.001 < score < untouched - 0.2 * share, name
        assert untouched - 2.5 * share < score <= untouched, name
        assert level == "HIGH", name


def test_a_date_with_one_percent_wrong_is_complete_and_its_report_names_what_is_wrong(one_percent: WholeDate) -> None:
    report = one_percent.report()
    assert report.verdict == "complete"
    assert (report.totals.errors, report.failures, report.missing_symbols) == (0, [], [])
    for name in TOLD:
        (finding,) = (one for one in report.findings if (one.rule, one.outcome) == (BY_NAME[name].day_rule, "failed"))
        assert SYMBOL_OF[name] in finding.names, name
        assert one_percent.untouched not in finding.names
    shown = {row.symbol: row for row in report.symbols}
    for name in HARD:
        assert shown[SYMBOL_OF[name]].set_aside == one_percent.planted[SYMBOL_OF[name]].count
    assert report.totals.set_aside == sum(one_percent.planted[SYMBOL_OF[name]].count for name in HARD)


def test_corrupted_neighbours_change_nothing_of_the_untouched_symbol(
    one_percent: WholeDate, tmp_path_factory: pytest.TempPathFactory
) -> None:
    symbol, date = one_percent.untouched, one_percent.date
    raw = one_percent.files[symbol]
    served = get_ticks(symbol, date, store=one_percent.store)
    assert served["price"].tolist() == raw["last"][raw["last_sz"] > 0].tolist()
    alone = whole_date(tmp_path_factory.mktemp("alone"), symbol, {symbol: raw}, {}, FAMILIES)
    there = one_percent.hashes(symbol)
    assert there == alone.hashes(symbol)
    assert set(there) == set(pipeline_tables(one_percent.settings)) - set(RANKING_TABLES)


# -- more than that ------------------------------------------------------------------


@pytest.fixture(scope="module", params=["SIMULATED", pytest.param("NEPT", marks=pytest.mark.real_data)])
def worse(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholeDate]:
    """The untouched symbol, copies with 4 % and 6 % of negative prices, and one with 40 % of its quotes crossed."""
    raw = day_as_it_came(request, request.param)
    negative, crossed = BY_NAME["negative price"], BY_NAME["crossed quote"]
    planted = {
        "KEPT": plant(negative, raw, 0.04), "REFUSED": plant(negative, raw, 0.06), "POOR": plant(crossed, raw, 0.4),
    }  # fmt: skip
    files = {request.param: raw, **{symbol: one.raw for symbol, one in planted.items()}}
    yield whole_date(tmp_path_factory.mktemp(request.param), request.param, files, planted)
    close_workbenches()


def tables_of(day: WholeDate, symbol: str) -> set[str]:
    return {row.table for row in day.store.manifest.rows(dates=[day.date], symbols=[symbol])}


def test_a_symbol_above_the_limit_is_refused_whole_and_below_it_is_kept(worse: WholeDate) -> None:
    assert worse.settings.ingest.max_set_aside_share == 0.05
    (failure,) = worse.store.manifest.failures(RAW_TICKS.name, [worse.date])
    assert (failure.symbol, failure.error_type) == ("REFUSED", "RejectedDayError")
    assert f"{worse.planted['REFUSED'].count} of" in failure.reason
    assert "price_not_positive" in failure.reason
    assert tables_of(worse, "REFUSED") <= {"trailing_baselines", *RANKING_TABLES}  # which need no ticks of the date
    assert worse.light(QUARANTINE.name, "REFUSED") == []
    assert len(worse.light(QUARANTINE.name, "KEPT")) == worse.planted["KEPT"].count
    assert {"few_rows_are_set_aside", "no_tick_is_lost", "ticks_are_complete"} <= worse.failed_rules("KEPT", "warning")
    assert tables_of(worse, "KEPT") == tables_of(worse, worse.untouched) == set(pipeline_tables(worse.settings))


def test_a_poor_symbol_is_stopped_by_its_score(worse: WholeDate) -> None:
    found = worse.measures("POOR")
    assert found.data_quality_level == "POOR"
    assert found.data_quality_score is not None
    assert 0.59 < found.data_quality_score <= 0.6  # two rows of five are on a crossed quote, rounded up
    assert worse.failed_rules("POOR", "error") == {"score_is_acceptable"}
    (failure,) = (row for row in worse.store.manifest.failures(QUALITY_TABLE, [worse.date]) if row.symbol == "POOR")
    assert failure.error_type == "QualityError"
    assert worse.failed_rules(worse.untouched) == set()


def test_the_date_is_degraded_and_the_report_names_both_symbols_and_why(worse: WholeDate) -> None:
    report = worse.report()
    assert report.verdict == "degraded"
    assert report.reasons[0].startswith("2 of 4 symbols failed: ")
    assert {symbol for group in report.failures for symbol in group.symbols} == {"REFUSED", "POOR"}
    assert {group.error_type for group in report.failures} == {"RejectedDayError", "QualityError"}
    assert {row.symbol: row.state for row in report.symbols if row.symbol in ("KEPT", worse.untouched)} == {
        "KEPT": "complete", worse.untouched: "complete",
    }  # fmt: skip
    (finding,) = (one for one in report.findings if one.rule == "score_is_acceptable" and one.outcome == "failed")
    assert finding.names == ["POOR"]


# -- untouched real days -------------------------------------------------------------


@pytest.mark.real_data
def test_untouched_real_days_raise_no_error_and_no_warning_that_is_not_true(shared_data: Path, tmp_path: Path) -> None:
    source = FilesSource(shared_data / "ticks")
    days = [(symbol, date) for symbol in source.symbols() for date in source.dates(symbol)]
    assert len(days) == 14
    results: list[RuleResult] = []
    verdicts = set()
    for date in sorted({date for _, date in days}):
        settings = load_settings(
            home=tmp_path, source="files", files={"path": shared_data / "ticks"},
            symbols=tuple(symbol for symbol, each in days if each == date), _env_file=None,
        )  # fmt: skip
        results += judge_whole_date(settings, date)
        verdicts.add(gather_date(workbench(settings).store, settings, date).verdict)
    store = workbench(settings).store
    alarms = {(one.rule, one.severity, one.symbol, one.date) for one in results if one.outcome == "failed"}
    without_quotes = {
        (symbol, date) for symbol, date in days if np.isnan(source.fetch_ticks(symbol, date).columns["bid"]).all()
    }
    assert alarms == {("quotes_are_there", "warning", symbol, date) for symbol, date in without_quotes}
    assert {symbol for symbol, _ in without_quotes} == {"SPY"}
    assert verdicts == {"complete"}
    assert set(flags_of(store, days)) <= {
        "crossed_quote", "locked_quote", "missing_quote", "price_outside_quote", "wide_spread", "return_outlier",
        "rolling_median_outlier",
    }  # fmt: skip
    for rule, is_so in (
        ("crossed_quote", lambda raw: raw["bid"] > raw["ask"]),
        ("locked_quote", lambda raw: raw["bid"] == raw["ask"]),
        ("missing_quote", lambda raw: np.isnan(raw["bid"]) | np.isnan(raw["ask"])),
    ):
        expected = sum(
            int(np.count_nonzero(is_so(raw) & (raw["last_sz"] > 0)))
            for raw in (source.fetch_ticks(symbol, date).columns for symbol, date in days)
        )
        assert flags_of(store, days)[rule] == expected, rule
    close_workbenches()


def flags_of(store: Store, days: Sequence[tuple[str, dt.date]]) -> dict[str, int]:
    """Soft rule -> rows it flagged on all days."""
    found: dict[str, int] = {}
    rows = store.light.read(TICK_FLAGS.name, dates=sorted({date for _, date in days}))
    assert rows is not None
    for row in rows.to_pylist():
        found[row["rule"]] = found.get(row["rule"], 0) + row["count"]
    return found


def test_every_corruption_has_a_symbol_and_a_rule() -> None:
    assert len(set(SYMBOL_OF.values())) == len(CORRUPTIONS) == len(HARD) + len(SOFT) + 1
    assert all(isinstance(one, Corruption) and one.row_rule for one in CORRUPTIONS)

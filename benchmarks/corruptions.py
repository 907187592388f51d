"""Planted corruptions: how many of them the rules find, and what the rules say of days that are as they came.

Into every real symbol-day one corruption at a time is planted, in one row of a hundred, and the day is judged as the
pipeline judges it. A second table counts the alarms of every rule on the untouched days, through all steps.

Run with ``python -m benchmarks.corruptions``.
"""

from __future__ import annotations

import datetime as dt
import math
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks import measure
from benchmarks.measure import TickDay
from fuzzy_pipeline.day_metadata.phase1 import day_metadata_phase1
from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.enrichment import enrich_day
from fuzzy_pipeline.quality.flags import SOFT_RULES
from fuzzy_pipeline.quality.measures import IngestCounts, quality_measures
from fuzzy_pipeline.quality.rules import measure_values, rules_of
from fuzzy_pipeline.quality.suites import evaluate
from fuzzy_pipeline.quality.validation import HARD_RULES, ValidatedTicks, validate_ticks
from fuzzy_pipeline.schema.quality import QUALITY_TABLE, QualityMeasures, RuleResult
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.sources.files import FilesSource, write_ticks
from fuzzy_pipeline.steps.judge_date import judge
from fuzzy_pipeline.steps.pipeline import pipeline_steps
from fuzzy_pipeline.steps.rank_symbols import RANKING_TABLES, rank_date
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench

Raw = dict[str, NDArray[Any]]
Rows = NDArray[np.int64]

SHARE = 0.01
SIMULATED = (("AAA", 20_000), ("BBB", 5_000))
SIMULATED_DATE = dt.date(2025, 11, 25)
REMARKS = [
    "One row of a hundred, rounded up, of each symbol-day is corrupted, one corruption at a time; rows are chosen at "
    "random with a fixed seed, ranges lie in the middle of the day.",
    "found: planted rows that the named rule names. falsely accused: other rows that it names and did not name on the "
    "untouched day. Rows that are missing are found by the tick ids that the day record lists as lost.",
    "days told: symbol-days on which the named quality rule fails. None is named for duplicates, which are set aside "
    "and leave what is stored right, and for prices 3 % off, which lower the score alone.",
    "score: least and greatest of the symbol-days; untouched it is 0.9970 to 1.",
]


# -- planting ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Planted:
    """A corrupted day: ``rows`` are those at fault, ``origin`` the row of the untouched day that each row was.

    Where rows were taken out, ``rows`` is empty and ``removed`` has the rows of the untouched day.
    """

    raw: Raw
    rows: Rows
    origin: Rows
    removed: Rows

    @property
    def count(self) -> int:
        """How many rows were corrupted, put in or taken out."""
        return len(self.rows) + len(self.removed)


@dataclass(frozen=True, slots=True)
class Corruption:
    """What is planted, the rule about rows that should name them, and the rule that should tell of the day."""

    name: str
    plant: Callable[[Raw, int, np.random.Generator], Planted]
    row_rule: str
    day_rule: str

    @property
    def is_set_aside(self) -> bool:
        """Whether the rule about rows is a hard one."""
        return self.row_rule in HARD_RULES


_NONE = np.zeros(0, dtype=np.int64)


def plant(corruption: Corruption, raw: Mapping[str, NDArray[Any]], share: float = SHARE, seed: int = 7) -> Planted:
    """A copy of a day with a share of its rows corrupted.

    Raises
    ------
    ValueError
        The day has too few rows of the kind, as quotes to cross.
    """
    rows = len(raw["time"])
    copy = {name: array.copy() for name, array in raw.items()}
    return corruption.plant(copy, math.ceil(share * rows), np.random.default_rng(seed))


def _chosen(where: NDArray[np.bool_], count: int, random: np.random.Generator) -> Rows:
    return np.sort(random.choice(np.flatnonzero(where), count, replace=False))


def _changed(raw: Raw, rows: Rows) -> Planted:
    return Planted(raw, rows, np.arange(len(raw["time"])), _NONE)


def _trades(raw: Raw) -> NDArray[np.bool_]:
    """Official prints have size 0 and stay as they are."""
    return raw["last_sz"] > 0


def _prices(change: Callable[[NDArray[np.float64]], NDArray[np.float64]]) -> Callable[..., Planted]:
    def planted(raw: Raw, count: int, random: np.random.Generator) -> Planted:
        rows = _chosen(_trades(raw), count, random)
        raw["last"][rows] = change(raw["last"][rows])
        return _changed(raw, rows)

    return planted


def _stretch(raw: Raw, count: int, random: np.random.Generator) -> Planted:  # noqa: ARG001  all plants have one form
    rows = np.arange(count) + (len(raw["time"]) - count) // 2
    raw["last"][rows] *= 100
    return _changed(raw, rows)


def _zero_size(raw: Raw, count: int, random: np.random.Generator) -> Planted:
    rows = _chosen(_trades(raw), count, random)
    raw["last_sz"][rows] = 0
    return _changed(raw, rows)


def _wrong_date(raw: Raw, count: int, random: np.random.Generator) -> Planted:
    rows = _chosen(_trades(raw), count, random)
    raw["date"][rows] += np.timedelta64(1, "D")
    return _changed(raw, rows)


def _duplicates(raw: Raw, count: int, random: np.random.Generator) -> Planted:
    """Each of the rows comes a second time, right after itself."""
    twins = _chosen(_trades(raw), count, random)
    origin = np.sort(np.concatenate([np.arange(len(raw["time"])), twins]), kind="stable")
    return Planted({name: array[origin] for name, array in raw.items()}, twins + np.arange(1, count + 1), origin, _NONE)


def _shuffled(raw: Raw, count: int, random: np.random.Generator) -> Planted:
    """The rows hand their times round among themselves."""
    rows = _chosen(_trades(raw), count, random)
    before = raw["time"][rows]
    turn = random.permutation(count)
    raw["time"][rows[turn]] = before[np.roll(turn, 1)]
    return _changed(raw, rows[raw["time"][rows] != before])


def _missing_range(raw: Raw, count: int, random: np.random.Generator) -> Planted:  # noqa: ARG001  one form
    """A run of tick ids of the busiest market centre is not there."""
    centre = np.bincount(raw["mkt_ctr"]).argmax()
    own = np.flatnonzero((raw["mkt_ctr"] == centre) & _trades(raw))
    if len(own) < 2 * count:
        raise ValueError(f"market centre {centre} has {len(own)} ticks: {count} in the middle cannot be taken out")
    start = (len(own) - count) // 2
    removed = own[start : start + count]
    origin = np.delete(np.arange(len(raw["time"])), removed)
    return Planted({name: array[origin] for name, array in raw.items()}, _NONE, origin, removed)


def _crossed(raw: Raw, count: int, random: np.random.Generator) -> Planted:
    is_good = raw["bid"] < raw["ask"]
    if np.count_nonzero(is_good) < count:
        raise ValueError(f"{np.count_nonzero(is_good)} ticks have a quote that could be crossed, not {count}")
    rows = _chosen(is_good, count, random)
    raw["bid"][rows], raw["ask"][rows] = raw["ask"][rows], raw["bid"][rows]
    return _changed(raw, rows)


LOST, JUMPS = "lost tick ids", "price_jumps_are_confirmed"
CORRUPTIONS: tuple[Corruption, ...] = (
    Corruption("negative price", _prices(lambda price: -price), "price_not_positive", "no_tick_is_lost"),
    Corruption("price is no number", _prices(lambda price: price * np.nan), "price_not_positive", "no_tick_is_lost"),
    Corruption("size 0", _zero_size, "zero_size", "no_tick_is_lost"),
    Corruption("wrong date", _wrong_date, "wrong_date", "no_tick_is_lost"),
    Corruption("row twice", _duplicates, "duplicate_key", ""),
    Corruption("times shuffled", _shuffled, "out_of_order_time", "ticks_arrive_in_order"),
    Corruption("price × 100", _prices(lambda price: price * 100), "unconfirmed_price_jump", JUMPS),
    Corruption("price × 100 in one stretch", _stretch, "unconfirmed_price_jump", JUMPS),
    Corruption("price 3 % off", _prices(lambda price: price * 1.03), "rolling_median_outlier", ""),
    Corruption("range of a venue missing", _missing_range, LOST, "no_tick_is_lost"),
    Corruption("crossed quote", _crossed, "crossed_quote", "crossed_quotes_are_rare"),
)  # fmt: skip


# -- judging one day ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """A day as validation and the quality measures see it."""

    checked: ValidatedTicks
    measures: QualityMeasures
    lost: tuple[tuple[int, int, int], ...]

    def named_by(self, rule: str) -> Rows:
        """Rows in order of arrival that a hard or soft rule names."""
        if rule in HARD_RULES:
            places = [place for place, name in enumerate(self.checked.rules) if name == rule]
            return self.checked.rows[np.array(places, dtype=np.int64)]
        return self.checked.flagged.get(rule, _NONE)


def judged(raw: Mapping[str, NDArray[Any]], symbol: str, date: dt.date) -> Judged:
    """Validate, enrich and measure a day."""
    checked = validate_ticks(raw, symbol, date)
    ticks = enrich_day(checked.ticks, symbol, date)
    phase1 = day_metadata_phase1(ticks, symbol, date)
    counts = IngestCounts(
        checked.rows_in,
        checked.rows_kept,
        checked.rows_official,
        {rule: checked.rules.count(rule) for rule in set(checked.rules)},
        {rule: len(rows) for rule, rows in checked.flagged.items()},
    )
    gaps = phase1.data_quality.tick_id_gaps
    lost = tuple((gap.market_center, gap.first_id, gap.last_id) for gap in gaps if gap.is_lost)
    return Judged(checked, quality_measures(ticks, symbol, date, phase1=phase1, ingest=counts), lost)


def _found(corruption: Corruption, planted: Planted, day: TickDay, now: Judged, untouched: Judged) -> tuple[int, int]:
    """Planted rows found, and rows falsely accused."""
    if corruption.row_rule == LOST:
        keys = (day.raw[name][planted.removed].tolist() for name in ("mkt_ctr", "tick_id"))
        ids = set(zip(*keys, strict=True))
        named = {(center, number) for center, first, last in now.lost for number in range(first, last + 1)}
        return len(ids & named), len(named - ids)
    named_rows = now.named_by(corruption.row_rule)
    others = np.setdiff1d(named_rows, planted.rows)
    accused = np.setdiff1d(planted.origin[others], untouched.named_by(corruption.row_rule))
    return len(np.intersect1d(named_rows, planted.rows)), len(accused)


# -- all days ----------------------------------------------------------------------------------------------


def tick_days() -> list[TickDay]:
    """The real days beside the checkout; without them a few simulated ones."""
    if not measure.SHARED_TICKS.exists():
        return [measure.tick_day(symbol, SIMULATED_DATE, ticks) for symbol, ticks in SIMULATED]
    source = FilesSource(measure.SHARED_TICKS)
    return [measure.tick_day(symbol, date, 0) for symbol in source.symbols() for date in source.dates(symbol)]


def recall(days: Sequence[TickDay]) -> list[dict[str, Any]]:
    """A row for each corruption: what was planted and found on all days together."""
    untouched = [judged(day.raw, day.symbol, day.date) for day in days]
    return [_recall_of(corruption, days, untouched) for corruption in CORRUPTIONS]


def _recall_of(corruption: Corruption, days: Sequence[TickDay], untouched: Sequence[Judged]) -> dict[str, Any]:
    lines: list[dict[str, Any]] = []
    measured: list[dict[str, Any]] = []
    for day, before in zip(days, untouched, strict=True):
        try:
            planted = plant(corruption, day.raw)
        except ValueError as error:
            lines.append({"day": day.label, "left_out": str(error)})
            continue
        now = judged(planted.raw, day.symbol, day.date)
        found, accused = _found(corruption, planted, day, now, before)
        measured.append({"symbol": f"{day.symbol} {day.date}", **measure_values(now.measures, QUALITY_TABLE)})
        lines.append({
            "day": day.label, "planted": planted.count, "found": found, "falsely_accused": accused,
            "score": now.measures.data_quality_score, "level": now.measures.data_quality_level,
            "rows_in": now.checked.rows_in, "stored": now.checked.rows_kept, "official": now.checked.rows_official,
            "set_aside": now.checked.rows_set_aside,
        })  # fmt: skip
    results = evaluate(rules_of(QUALITY_TABLE), pd.DataFrame(measured), days[0].date)
    failed = {(one.rule, one.symbol) for one in results if one.outcome == "failed"}
    known = [line for line in lines if "planted" in line]
    planted_rows, found_rows = (sum(line[name] for line in known) for name in ("planted", "found"))
    scores = [line["score"] for line in known]
    return {
        "corruption": corruption.name,
        "rule": corruption.row_rule,
        "is_set_aside": corruption.is_set_aside,
        "days": len(known),
        "planted": planted_rows,
        "found": found_rows,
        "recall": found_rows / planted_rows,
        "falsely_accused": sum(line["falsely_accused"] for line in known),
        "day_rule": corruption.day_rule,
        "days_told": sum(rule == corruption.day_rule for rule, _ in failed),
        "least_score": min(scores),
        "greatest_score": max(scores),
        "by_day": lines,
    }


# -- untouched days ----------------------------------------------------------------------------------------


def judge_whole_date(settings: Settings, date: dt.date) -> list[RuleResult]:
    """A date through every step, each table judged by its rules before the next step, as a run of the assets does."""

    def judged_tables(tables: Sequence[str]) -> list[RuleResult]:
        store = workbench(settings).store
        ruled = [name for name in tables if rules_of(name)]
        return [one for name in ruled for one in judge(store, settings, name, date).results]

    results = []
    for step in pipeline_steps(settings):
        run_date(step, date, settings.symbols, settings, InlineEngine())
        results += judged_tables(step.tables)
    rank_date(date, settings)
    return results + judged_tables(RANKING_TABLES)


def alarms(days: Sequence[TickDay]) -> list[dict[str, Any]]:
    """For every rule the alarms on untouched days: rows of rules about rows, symbol-days of rules about tables."""
    checked = [judged(day.raw, day.symbol, day.date) for day in days]
    rows = sum(day.rows for day in days)
    lines: list[dict[str, Any]] = [
        {"rule": rule, "of": "rows set aside" if rule in HARD_RULES else "rows flagged", "judged": rows,
         "alarms": sum(counts), "days": sum(count > 0 for count in counts)}
        for rule in (*HARD_RULES, *SOFT_RULES)
        for counts in [[len(one.named_by(rule)) for one in checked]]
    ]  # fmt: skip
    results = _through_all_steps(days)
    for table, rule, severity in dict.fromkeys((one.table, one.rule, one.severity) for one in results):
        own = [one for one in results if (one.table, one.rule) == (table, rule)]
        failed = [one for one in own if one.outcome == "failed"]
        lines.append({
            "rule": rule, "of": f"{table}, {severity}", "judged": sum(one.outcome != "could_not_run" for one in own),
            "alarms": len(failed), "days": len(failed),
            "could_not_run": sum(one.outcome == "could_not_run" for one in own),
            "where": sorted(f"{one.symbol} {one.date}" for one in failed),
        })  # fmt: skip
    return lines


def _through_all_steps(days: Sequence[TickDay]) -> list[RuleResult]:
    home = Path(tempfile.mkdtemp(prefix="fuzzy-bench-"))
    try:
        found: list[RuleResult] = []
        for day in days:
            path = home / "ticks" / f"symbol={day.symbol}" / f"date={day.date}.parquet"
            write_ticks(path, day.raw, "real" if day.kind == "real" else "simulated")
        for date in sorted({day.date for day in days}):
            symbols = tuple(day.symbol for day in days if day.date == date)
            settings = load_settings(
                home=home / "home", source="files", files={"path": home / "ticks"}, symbols=symbols,
                store={"map_size": "4GB"}, _env_file=None,
            )  # fmt: skip
            found += judge_whole_date(settings, date)
        return found
    finally:
        close_workbenches()
        shutil.rmtree(home)


# -- results -----------------------------------------------------------------------------------------------


def main() -> dict[str, Any]:
    """Plant, judge, keep ``results/corruptions``."""
    days = tick_days()
    results = {
        "machine": measure.machine(), "remarks": REMARKS, "days": [day.label for day in days],
        "recall": recall(days), "alarms": alarms(days),
    }  # fmt: skip
    measure.keep("corruptions", results, table(results))
    print(table(results))
    return results


def table(results: Mapping[str, Any]) -> str:
    """Both tables as a person reads them."""
    days = results["days"]
    lines = ["# Planted corruptions", "", f"{len(days)} symbol-days: {'; '.join(days)}.", ""]
    lines += [*(f"- {one}" for one in results["remarks"]), ""]
    header = (
        "corruption", "rule about rows", "days", "planted", "found", "recall", "falsely accused", "quality rule",
        "days told", "score",
    )  # fmt: skip
    lines += [f"| {' | '.join(header)} |", "|---" * len(header) + "|"]
    for row in results["recall"]:
        rule = f"`{row['rule']}` ({'set aside' if row['is_set_aside'] else 'flagged'})"
        told = f"`{row['day_rule']}` | {row['days_told']} of {row['days']}" if row["day_rule"] else " | "
        cells = (
            row["corruption"], LOST if row["rule"] == LOST else rule, row["days"], f"{row['planted']:,}",
            f"{row['found']:,}", f"{row['recall']:.2%}", f"{row['falsely_accused']:,}", told,
            f"{row['least_score']:.4f} to {row['greatest_score']:.4f}",
        )  # fmt: skip
        lines.append(f"| {' | '.join(map(str, cells))} |")
    quiet = [one for one in results["alarms"] if not one["alarms"]]
    lines += ["", "## Untouched days", "", "| rule | of | judged | alarms | days | |", "|---|---|---|---|---|---|"]
    for one in results["alarms"]:
        if one["alarms"]:
            numbers = f"{one['judged']:,} | {one['alarms']:,} | {one['days']}"
            lines.append(f"| `{one['rule']}` | {one['of']} | {numbers} | {', '.join(one.get('where', ()))} |")
    named = ", ".join(dict.fromkeys(f"`{one['rule']}`" for one in quiet if one["judged"]))
    silent = ", ".join(dict.fromkeys(f"`{one['rule']}`" for one in quiet if not one["judged"]))
    lines += ["", f"No alarm: {named}."]
    lines += [f"Could not run on any: {silent}."] if silent else []
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()

"""A step over the symbols of a date: skip what is current, map the rest, commit as they come, collect failures."""

from __future__ import annotations

import datetime as dt
import logging
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial

import pyarrow as pa

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.engine import Engine, ItemFailure, Outcome, failure_of
from fuzzy_pipeline.errors import NotStoredError, SourceError, SymbolDaysFailed
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.inputs import StepInputs, retired_symbols
from fuzzy_pipeline.steps.judge_date import QUALITY_ERROR
from fuzzy_pipeline.steps.step import Step, StepResult, Work, is_current, reads_source
from fuzzy_pipeline.steps.workbench import Workbench, workbench
from fuzzy_pipeline.stores.file_lock import held
from fuzzy_pipeline.stores.manifest import FailureRow, ManifestRow
from fuzzy_pipeline.stores.store import Store

log = logging.getLogger(__name__)

SOURCE_WAIT_S = 7200.0
"""Longest wait for another run that asks the source [s]: as long as a run may take."""

COMMIT_EVERY_S = 2.0
"""Results are committed in batches this far apart: a killed run loses at most these seconds [s]."""


@dataclass(slots=True)
class DateReport:
    """What a step did to the symbols of a date."""

    tables: tuple[str, ...]
    date: dt.date
    committed: list[StepResult] = field(default_factory=list)
    skipped: list[ManifestRow] = field(default_factory=list)
    failed: dict[str, ItemFailure] = field(default_factory=dict)
    failed_tables: dict[str, tuple[str, ...]] = field(default_factory=dict)
    seconds: float = 0.0

    def fail(self, symbol: str, failure: ItemFailure, tables: tuple[str, ...]) -> None:
        """Note that a symbol got no result in some tables; in the others it is current."""
        self.failed[symbol], self.failed_tables[symbol] = failure, tables

    def failed_in(self, table: str) -> dict[str, ItemFailure]:
        """Symbols without a result in a table, and why."""
        return {symbol: why for symbol, why in self.failed.items() if table in self.failed_tables[symbol]}

    def rows(self, table: str) -> list[ManifestRow]:
        """Manifest rows of every symbol that is stored in a table, whether now or before, by symbol."""
        made = [row for result in self.committed for row in result.rows]
        return sorted((row for row in (*made, *self.skipped) if row.table == table), key=lambda row: row.symbol)

    def computed(self, table: str) -> list[ManifestRow]:
        """Manifest rows of the symbols computed in this run."""
        return [row for result in self.committed for row in result.rows if row.table == table]

    def raise_if_failed(self) -> None:
        """Raise ``SymbolDaysFailed`` naming each failed symbol and its reason."""
        if self.failed:
            lines = [f"  {symbol}: {failure.error_type}: {failure.reason}" for symbol, failure in self.failed.items()]
            stored = {row.symbol for table in self.tables for row in self.rows(table)} - set(self.failed)
            raise SymbolDaysFailed(
                f"{', '.join(self.tables)} {self.date}: {len(lines)} of {len(lines) + len(stored)} symbols failed, "
                f"{len(stored)} are stored\n" + "\n".join(lines)
            )


def run_symbol(step: Step, settings: Settings, work: Work) -> StepResult:
    """One symbol's work in this process: what the engine maps."""
    return step.run(workbench(settings), work)


def run_date(
    step: Step,
    date: dt.date,
    symbols: Sequence[str],
    settings: Settings,
    engine: Engine,
    *,
    tables: Sequence[str] | None = None,
    force: bool = False,
) -> DateReport:
    """Run a step for the symbols of a date, for all its tables or some.

    What is stored and was made from the present input, settings and state is skipped, unless ``force``. Failures are
    kept in the store with their reasons; nothing of a failed symbol is committed. Every symbol done is logged, with
    ``progress`` (step, date, done, of how many) on the record for progress bars.

    Raises
    ------
    CalendarError
        Not a trading date.
    StoreError
        The store itself cannot be used.
    """
    trading_calendar.session(date)
    started = time.perf_counter()
    bench = workbench(settings)
    report = DateReport(tuple(step.tables if tables is None else tables), date)
    from_source = reads_source(step)
    store = bench.store_if_any() if from_source else bench.store
    todo = _plan(step, settings, store, symbols, force, report)
    if todo or report.failed or store is None:
        # Only now is a source opened: a date that is complete needs none.
        with _alone_at_the_source(settings) if from_source else nullcontext():
            if from_source and store is not None:
                # Another run may have fetched everything while this one waited for the lock.
                report.skipped.clear()
                todo = _plan(step, settings, store, symbols, force, report)
            store, possible = _reach_source(bench, store, todo, report) if from_source else (bench.store, todo)
            _work_off(step, settings, engine, store, possible, report)
    report.seconds = time.perf_counter() - started
    return report


def _alone_at_the_source(settings: Settings) -> AbstractContextManager[None]:
    """One run at a time asks the source, so that it is not overrun.

    A lock file, not a pool of Dagster's: a killed run keeps its place in a pool, and the next would wait for ever.
    """
    return held(settings.home / ".source.lock", SOURCE_WAIT_S, f"asking the source {settings.source}")


def _reach_source(
    bench: Workbench, store: Store | None, todo: Sequence[Work], report: DateReport
) -> tuple[Store, Sequence[Work]]:
    """The store for what the source gives, and the work: none when it cannot be reached, of which all symbols fail.

    Raises
    ------
    SourceError
        The source fails for good, or there is no store yet to keep failures in.
    """
    pause = bench.settings.retries.pause_s
    for left in reversed(range(bench.settings.retries.rounds + 1)):
        try:
            return bench.store_for_ingest(), todo
        except SourceError as error:
            if store is None or not error.retryable:
                raise
            failure = failure_of(error)
        if left:
            log.warning("%s: again in %g s (%d times at most): %s", report.date, pause, left, failure.reason)
            time.sleep(pause)
            pause *= 2
    for work in todo:
        report.fail(work.symbol, failure, work.tables)
    return bench.store, ()


def _work_off(
    step: Step, settings: Settings, engine: Engine, store: Store, todo: Sequence[Work], report: DateReport
) -> None:
    """Map the work, commit results as they come, keep failures.

    A source that failed in passing is asked again, once all other symbols are done.
    """
    rounds, pause = (settings.retries.rounds, settings.retries.pause_s) if reads_source(step) else (0, 0.0)
    function = partial(run_symbol, step, _settings_of_one_worker(settings, engine))
    try:
        _one_round(step, engine.map(function, todo), store, report, len(todo))
        for number in range(1, rounds + 1):
            again = [work for work in todo if work.symbol in report.failed and report.failed[work.symbol].may_pass]
            if not again:
                break
            names = ", ".join(work.symbol for work in again)
            log.warning(
                "%s %s: %s again in %g s (round %d of %d)", step.name, report.date, names, pause, number, rounds
            )
            time.sleep(pause)
            pause *= 2
            _one_round(step, engine.map(function, again), store, report, len(again))
    finally:
        # Also when a commit failed (a full disk): why symbols failed must not be lost with it.
        _record_failures(store, report)


def _one_round(
    step: Step, outcomes: Iterator[Outcome[Work, StepResult]], store: Store, report: DateReport, count: int
) -> None:
    """Commit results in batches as they come; a symbol that failed before and is done now has no failure any more."""
    batch: list[StepResult] = []
    last_commit = time.monotonic()
    for done, outcome in enumerate(outcomes, start=1):
        symbol = outcome.item.symbol
        if outcome.value is not None:
            batch.append(outcome.value)
            report.failed.pop(symbol, None)
        elif outcome.failure is not None:
            report.fail(symbol, outcome.failure, outcome.item.tables)
            log.error("%s %s %s failed\n%s", step.name, symbol, report.date, outcome.failure.traceback)
        log.info(
            "%s %s: %s (%d of %d)", step.name, report.date, symbol, done, count,
            extra={"progress": (step.name, report.date, done, count)},
        )  # fmt: skip
        if time.monotonic() - last_commit > COMMIT_EVERY_S:
            _commit(store, batch, report)
            batch, last_commit = [], time.monotonic()
    _commit(store, batch, report)


def _plan(
    step: Step, settings: Settings, store: Store | None, symbols: Sequence[str], force: bool, report: DateReport
) -> list[Work]:
    """What is to be worked on, largest first; what is current and what lacks its input goes into the report."""
    date, batch = report.date, uuid.uuid4().hex
    if store is None:
        return [Work(symbol, date, report.tables, batch=batch, force=force) for symbol in symbols]
    held = _held(step, store, date, symbols, report.tables)
    retired = {table: retired_symbols(store, table, date, symbols) for table in report.tables}
    inputs = StepInputs(step, store, [date], symbols, report.tables)
    todo = []
    for symbol in symbols:
        missing = inputs.missing(symbol, date)
        if missing is not None:
            report.fail(symbol, ItemFailure(NotStoredError.__name__, missing, missing), report.tables)
            continue
        work = inputs.work(symbol, date, report.tables, batch)
        rows = {table: held[table].get(symbol) for table in report.tables}
        stale = tuple(
            table
            for table, row in rows.items()
            if force or not (is_current(step, settings, row, work) or (row is None and symbol in retired[table]))
        )
        report.skipped.extend(row for table, row in rows.items() if row is not None and table not in stale)
        gone = inputs.retired(symbol, date)
        if stale and gone is not None:
            report.fail(symbol, ItemFailure(NotStoredError.__name__, gone, gone), stale)
        elif stale:
            todo.append(replace(work, tables=stale, force=force))
    for table in report.tables:
        skipped = {row.symbol for row in report.skipped if row.table == table}
        current = sorted(skipped | (retired[table] - {work.symbol for work in todo} - set(report.failed)))
        failures = store.manifest.failures(table, [date], current)
        # What broke a rule is as bad as before: only judging it again can let it go on.
        store.manifest.clear_failures(table, date, [row.symbol for row in failures if row.error_type != QUALITY_ERROR])
    # Largest first, so that the last worker is not left alone with it.
    return sorted(todo, key=lambda work: work.input.rows if work.inputs else 0, reverse=True)


def _held(
    step: Step, store: Store, date: dt.date, symbols: Sequence[str], tables: Sequence[str]
) -> dict[str, dict[str, ManifestRow]]:
    """Committed rows by table and symbol, without those whose light rows come from another ingest.

    Such a symbol is torn: a run was killed between writing the light rows and the manifest.
    """
    held = {table: {row.symbol: row for row in store.manifest.rows(table, [date], symbols)} for table in tables}
    for rows in held.values():
        for light in step.light_tables:
            found = store.light.read(light, dates=[date], symbols=list(rows))
            for row in found.select(["symbol", "ingest_id"]).to_pylist() if found is not None else []:
                if row["symbol"] in rows and row["ingest_id"] != rows[row["symbol"]].ingest_id:
                    del rows[row["symbol"]]
    return held


def _settings_of_one_worker(settings: Settings, engine: Engine) -> Settings:
    """The settings with the request rate shared out, so that all workers together keep the limit."""
    share = settings.iqfeed.requests_per_second / engine.workers
    return settings.model_copy(update={"iqfeed": settings.iqfeed.model_copy(update={"requests_per_second": share})})


def _commit(store: Store, batch: Sequence[StepResult], report: DateReport) -> None:
    """Light rows first, the manifest last: what has no manifest row does not exist.

    One run at a time: the light rows of one and the manifest rows of another would not belong together.
    """
    if not batch:
        return
    symbols = [result.rows[0].symbol for result in batch]
    lights = sorted({name for result in batch for name in result.light})
    made = {table: [row for result in batch for row in result.rows if row.table == table] for table in report.tables}
    with store.one_writer(f"results of {', '.join(report.tables)} {report.date}"):
        for table, of_table in made.items():
            store.retired.forget(table, report.date, [row.symbol for row in of_table])
        for table in set(lights) & set(made):
            store.manifest.withdraw(table, report.date, made[table])
        for light in lights:
            rows = pa.concat_tables([result.light[light] for result in batch if light in result.light])
            store.light.replace_symbols(light, report.date, rows, symbols)
        for table, of_table in made.items():
            store.manifest.commit(table, report.date, of_table)
            store.manifest.clear_failures(table, report.date, [row.symbol for row in of_table])
    report.committed.extend(batch)


def _record_failures(store: Store, report: DateReport) -> None:
    failed_at = trading_calendar.now_eastern()
    store.manifest.record_failures(
        report.date,
        [
            FailureRow(
                table=table,
                symbol=symbol,
                date=report.date,
                reason=failure.reason,
                error_type=failure.error_type,
                failed_at=failed_at,
            )
            for table in report.tables
            for symbol, failure in report.failed_in(table).items()
        ],
    )

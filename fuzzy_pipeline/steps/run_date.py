"""A step over the symbols of a date: skip what is current, map the rest, commit as they come, collect failures."""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import pyarrow as pa

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.engine import Engine, ItemFailure
from fuzzy_pipeline.errors import NotStoredError, SymbolDaysFailed
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.step import Step, StepResult, is_current
from fuzzy_pipeline.steps.workbench import workbench
from fuzzy_pipeline.stores.manifest import FailureRow, ManifestRow
from fuzzy_pipeline.stores.store import Store

log = logging.getLogger(__name__)

COMMIT_EVERY_S = 2.0
"""Results are committed in batches this far apart: a killed run loses at most these seconds [s]."""


@dataclass(slots=True)
class DateReport:
    """What a step did to the symbols of a date."""

    table: str
    date: dt.date
    committed: list[StepResult] = field(default_factory=list)
    skipped: list[ManifestRow] = field(default_factory=list)
    failed: dict[str, ItemFailure] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def rows(self) -> list[ManifestRow]:
        """Manifest rows of every symbol that is stored, whether now or before, by symbol."""
        return sorted([*(result.row for result in self.committed), *self.skipped], key=lambda row: row.symbol)

    @property
    def rows_processed(self) -> int:
        """Input rows worked on in this run."""
        return sum(result.row.rows_in for result in self.committed)

    def raise_if_failed(self) -> None:
        """Raise ``SymbolDaysFailed`` naming each failed symbol and its reason."""
        if self.failed:
            lines = [f"  {symbol}: {failure.error_type}: {failure.reason}" for symbol, failure in self.failed.items()]
            stored = len(self.rows)
            raise SymbolDaysFailed(
                f"{self.table} {self.date}: {len(lines)} of {len(lines) + stored} symbols failed, {stored} are stored\n"
                + "\n".join(lines)
            )


def run_symbol(step: Step, settings: Settings, date: dt.date, symbol: str) -> StepResult:
    """One symbol's work in this process: what the engine maps."""
    return step.run(workbench(settings), symbol, date)


def run_date(
    step: Step,
    date: dt.date,
    symbols: Sequence[str],
    settings: Settings,
    engine: Engine,
    *,
    force: bool = False,
) -> DateReport:
    """Run a step for the symbols of a date.

    What is stored and was made from the present input and settings is skipped, unless ``force``. Failures are kept
    in the store with their reasons; nothing of a failed symbol is committed. Every symbol done is logged, with
    ``progress`` (table, date, done, of how many) on the record for progress bars.

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
    store = bench.store_for_ingest() if step.upstream is None else bench.store
    report = DateReport(step.table, date)
    todo = _plan(step, settings, store, date, symbols, force, report)
    batch: list[StepResult] = []
    last_commit = time.monotonic()
    function = partial(run_symbol, step, _settings_of_one_worker(settings, engine), date)
    try:
        for done, outcome in enumerate(engine.map(function, todo), start=1):
            if outcome.value is not None:
                batch.append(outcome.value)
            elif outcome.failure is not None:
                report.failed[outcome.item] = outcome.failure
                log.error("%s %s %s failed\n%s", step.table, outcome.item, date, outcome.failure.traceback)
            log.info(
                "%s %s: %s (%d of %d)", step.table, date, outcome.item, done, len(todo),
                extra={"progress": (step.table, date, done, len(todo))},
            )  # fmt: skip
            if time.monotonic() - last_commit > COMMIT_EVERY_S:
                _commit(step, store, date, batch, report)
                batch, last_commit = [], time.monotonic()
        _commit(step, store, date, batch, report)
    finally:
        # Also when a commit failed (a full disk): why symbols failed must not be lost with it.
        _record_failures(step, store, date, report)
    report.seconds = time.perf_counter() - started
    return report


def _plan(
    step: Step,
    settings: Settings,
    store: Store,
    date: dt.date,
    symbols: Sequence[str],
    force: bool,
    report: DateReport,
) -> list[str]:
    """Symbols to work on; skipped ones and those without input go into the report."""
    held = {row.symbol: row for row in store.manifest.rows(step.table, [date], symbols)}
    for symbol in _torn(step, store, date, held):
        del held[symbol]
    inputs: dict[str, ManifestRow] = {}
    failed: dict[str, FailureRow] = {}
    if step.upstream is not None:
        inputs = {row.symbol: row for row in store.manifest.rows(step.upstream, [date], symbols)}
        failed = {row.symbol: row for row in store.manifest.failures(step.upstream, [date], symbols)}
    todo = []
    for symbol in symbols:
        # An input that could not be renewed is no input, though its older version is still there to be read.
        if step.upstream is not None and (symbol not in inputs or symbol in failed):
            report.failed[symbol] = _missing_input(step, date, symbol, failed.get(symbol))
        elif not force and is_current(step, settings, held.get(symbol), inputs.get(symbol)):
            report.skipped.append(held[symbol])
        else:
            todo.append(symbol)
    store.manifest.clear_failures(step.table, date, [row.symbol for row in report.skipped])
    # Longest first, so that the last worker is not left alone with the largest.
    return sorted(todo, key=lambda symbol: inputs[symbol].rows if symbol in inputs else 0, reverse=True)


def _torn(step: Step, store: Store, date: dt.date, held: Mapping[str, ManifestRow]) -> set[str]:
    """Symbols whose light rows come from another ingest than their manifest row: a run was killed between the two."""
    torn: set[str] = set()
    for table in step.light_tables:
        rows = store.light.read(table, dates=[date], symbols=list(held))
        for row in rows.select(["symbol", "ingest_id"]).to_pylist() if rows is not None else []:
            if row["ingest_id"] != held[row["symbol"]].ingest_id:
                torn.add(row["symbol"])
    return torn


def _missing_input(step: Step, date: dt.date, symbol: str, failed: FailureRow | None) -> ItemFailure:
    why = f"failed: {failed.reason}" if failed else "were not materialised"
    reason = f"{symbol} {date}: no {step.upstream}, they {why}"
    return ItemFailure(NotStoredError.__name__, reason, reason)


def _settings_of_one_worker(settings: Settings, engine: Engine) -> Settings:
    """The settings with the request rate shared out, so that all workers together keep the limit."""
    share = settings.iqfeed.requests_per_second / engine.workers
    return settings.model_copy(update={"iqfeed": settings.iqfeed.model_copy(update={"requests_per_second": share})})


def _commit(step: Step, store: Store, date: dt.date, batch: Sequence[StepResult], report: DateReport) -> None:
    """Light rows first, the manifest last: what has no manifest row does not exist."""
    if not batch:
        return
    symbols = [result.row.symbol for result in batch]
    for table in sorted({name for result in batch for name in result.light}):
        rows = pa.concat_tables([result.light[table] for result in batch if table in result.light])
        store.light.replace_symbols(table, date, rows, symbols)
    store.manifest.commit(step.table, date, [result.row for result in batch])
    store.manifest.clear_failures(step.table, date, symbols)
    report.committed.extend(batch)


def _record_failures(step: Step, store: Store, date: dt.date, report: DateReport) -> None:
    failed_at = trading_calendar.now_eastern()
    store.manifest.record_failures(
        date,
        [
            FailureRow(
                table=step.table,
                symbol=symbol,
                date=date,
                reason=failure.reason,
                error_type=failure.error_type,
                failed_at=failed_at,
            )
            for symbol, failure in report.failed.items()
        ],
    )

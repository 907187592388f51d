"""Prometheus metrics: what the store tells of the last date, objectives, failures and sizes, as gauges.

Belongs here: which metrics there are, their names and units, and serving them. They are computed when they are asked
for, from the manifest and light tables alone, and kept for a while: asking often must not cost the runs anything.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any
from wsgiref.simple_server import WSGIServer

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector

from fuzzy_pipeline import __version__
from fuzzy_pipeline.alert_settings import AlertSettings, ObjectiveSettings
from fuzzy_pipeline.errors import FuzzyError, NotStoredError, SettingsError
from fuzzy_pipeline.operations.alert_desk import AlertDesk
from fuzzy_pipeline.operations.date_outcomes import date_outcomes
from fuzzy_pipeline.operations.objectives import Attainment, ObjectiveState, objective_state
from fuzzy_pipeline.query.opening import reading
from fuzzy_pipeline.schema.quality import QUALITY_TABLE, DateVerdict
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.pipeline import pipeline_steps, pipeline_tables
from fuzzy_pipeline.store_care.disk_space import sizes
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import EASTERN, now_eastern

LOG = logging.getLogger(__name__)

KEPT_S = 15.0
"""Metrics are computed at most this often [s]; more seldom where computing takes long."""
KEPT_RATIO = 10.0
"""They are kept for so many times the time that computing them took: at most a tenth of a core goes into them."""

MAX_SYMBOLS = 1000
MAX_ERROR_TYPES = 30
OTHER = "other"

VERDICTS: tuple[DateVerdict, ...] = ("complete", "degraded", "pending", "missing")

Families = Iterator[Metric]


def metric_families(
    store: Store, settings: Settings, alerts: AlertSettings, objectives: ObjectiveSettings, now: dt.datetime
) -> list[Metric]:
    """All metrics of a store.

    What is not known has no sample: a date that never was, a score that is null, a size of files that do not exist.

    Parameters
    ----------
    now : datetime
        With a time zone.

    Raises
    ------
    StoreError
        A table cannot be read.
    """
    state = objective_state(store, settings, objectives, now)
    tables = pipeline_tables(settings)
    held = sorted({date for table in tables for date in store.manifest.dates(table)})
    return [
        _gauge("fuzzy_store_info", "The store's kind and this release; always 1.", ("kind", "version"),
               [((store.kind, __version__), 1)]),
        *_of_last_date(store, settings, held[-1] if held else None, state),
        *_of_freshness(state),
        *_of_objectives(state),
        *_of_failures(state),
        *_of_sizes(store, settings, tables),
        *_of_open_dates(state),
        *_of_alerts(settings, alerts),
    ]  # fmt: skip


# -- the last date --------------------------------------------------------------------------


def _of_last_date(store: Store, settings: Settings, date: dt.date | None, state: ObjectiveState) -> Families:
    if date is None:
        return
    yield _gauge("fuzzy_last_date_timestamp_seconds", "Midnight (Eastern) of the newest date with data.",
                 (), [((), _midnight(date))])  # fmt: skip
    outcome = state.outcome(date) or date_outcomes(store, settings, [date], is_due=lambda _: True)[0]
    yield _gauge("fuzzy_last_date_verdict", "1 for the verdict of the newest date with data, 0 for the others.",
                 ("verdict",), [((name,), float(name == outcome.verdict)) for name in VERDICTS])  # fmt: skip
    yield from _of_tables(store, settings, date)
    yield from _of_quality(store, settings, date)


def _of_tables(store: Store, settings: Settings, date: dt.date) -> Families:
    """Rows, symbols and rates by table, seconds by step."""
    sums = {table: found for table in pipeline_tables(settings) if (found := _sums(store, table, date))}
    rates = {table: own["rows_in"] / own["seconds"] for table, own in sums.items() if own["seconds"] > 0}
    yield _by_table("fuzzy_last_date_rows", "Rows stored of the newest date.", sums, "rows")
    yield _by_table("fuzzy_last_date_symbols", "Symbols stored of the newest date.", sums, "symbols")
    yield _gauge("fuzzy_last_date_input_rows_per_second", "Rows read by time worked, of one worker.",
                 ("table",), [((table,), rate) for table, rate in rates.items()])  # fmt: skip
    by_step: dict[str, float] = {}
    of_step = {table: step.name for step in pipeline_steps(settings) for table in step.tables}
    for table, own in sums.items():
        step = of_step.get(table, table)
        by_step[step] = by_step.get(step, 0.0) + own["seconds"]
    yield _gauge("fuzzy_last_date_step_seconds", "Time worked on the newest date, all workers together.",
                 ("step",), [((step,), seconds) for step, seconds in by_step.items()])  # fmt: skip
    raw = sums.get(RAW_TICKS.name)
    if raw is None:
        return
    yield _gauge("fuzzy_last_date_source_seconds", "Time the source took for the newest date, symbols added up.",
                 (), [((), raw["latency_s"])])  # fmt: skip
    yield _gauge("fuzzy_last_date_set_aside_rows", "Rows of the newest date in quarantine.",
                 (), [((), raw["rows_set_aside"])])  # fmt: skip
    if raw["rows_in"]:
        yield _gauge("fuzzy_last_date_set_aside_ratio", "Their share of the rows that the source sent.",
                     (), [((), raw["rows_set_aside"] / raw["rows_in"])])  # fmt: skip


def _sums(store: Store, table: str, date: dt.date) -> dict[str, float] | None:
    names = ["rows", "rows_in", "rows_set_aside", "seconds", "latency_s"]
    rows = store.light.read(f"manifest/{table}", dates=[date], columns=names)
    if rows is None or not rows.num_rows:
        return None
    return {name: sum(rows[name].to_pylist()) for name in names} | {"symbols": rows.num_rows}


def _of_quality(store: Store, settings: Settings, date: dt.date) -> Families:
    """Scores of the expected symbols; of very many the lowest."""
    names = ["symbol", "data_quality_score", "completeness_score"]
    rows = store.light.read(QUALITY_TABLE, dates=[date], symbols=settings.symbols, columns=names)
    if rows is None:
        return
    symbols = rows["symbol"].to_pylist()
    for column, what in zip(names[1:], ("Data quality score", "Completeness score"), strict=True):
        known = [
            (score, name) for name, score in zip(symbols, rows[column].to_pylist(), strict=True) if score is not None
        ]
        yield _gauge(f"fuzzy_last_date_{column}", f"{what} of a symbol on the newest date, 0 to 1.",
                     ("symbol",), [((name,), score) for score, name in sorted(known)[:MAX_SYMBOLS]])  # fmt: skip


# -- freshness, objectives, failures ----------------------------------------------------------


def _of_freshness(state: ObjectiveState) -> Families:
    newest = _midnight(state.newest_complete) if state.newest_complete else None
    for name, text, value in (
        ("fuzzy_newest_complete_date_timestamp_seconds", "Midnight (Eastern) of the newest complete date.", newest),
        ("fuzzy_newest_complete_age_dates", "Trading dates begun since the newest complete one.", state.age_dates),
        ("fuzzy_overdue_seconds", "Time since the last deadline while its date is not complete, else 0.",
         state.overdue_s),
    ):  # fmt: skip
        if value is not None:
            yield _gauge(name, text, (), [((), value)])


def _of_objectives(state: ObjectiveState) -> Families:
    known = [one for one in state.attainments if one.compliance is not None]
    readings: tuple[tuple[str, str, Callable[[Attainment], float | None]], ...] = (
        ("target_ratio", "Least share of good events that is promised.", lambda one: one.objective.target),
        ("compliance_ratio", "Share of good events in the window.", lambda one: one.compliance),
        ("budget_used_ratio", "Bad events by what a whole window allows; above 1 is a miss.",
         lambda one: one.budget_used),
        ("met", "1 when the objective is met, else 0.", lambda one: one.is_met),
    )  # fmt: skip
    for name, text, read in readings:
        samples = [((one.objective.name,), float(value)) for one in known if (value := read(one)) is not None]
        yield _gauge(f"fuzzy_objective_{name}", text, ("objective",), samples)


def _of_failures(state: ObjectiveState) -> Families:
    counts = Counter(failure.error_type for one in state.outcomes for failure in one.failed.values())
    shown = dict(counts.most_common(MAX_ERROR_TYPES))
    rest = counts.total() - sum(shown.values())
    samples = [((name,), count) for name, count in sorted((shown | ({OTHER: rest} if rest else {})).items())]
    yield _gauge("fuzzy_failed_symbol_days", "Symbol-days of the objectives' window that failed and are not mended.",
                 ("error_type",), samples)  # fmt: skip


def _of_open_dates(state: ObjectiveState) -> Families:
    """Dates that the catch-up has to do with. Its whole plan takes seconds to make: `fuzzy catch-up --plan`."""
    begun = [one for one in state.outcomes if one.verdict != "pending"]
    causes = {
        "failed": sum(bool(one.failed) for one in begun),
        "missing": sum(one.absent > 0 for one in begun),
    }
    yield _gauge("fuzzy_catch_up_dates", "Dates of the objectives' window with symbols that failed or are missing.",
                 ("cause",), [((cause,), count) for cause, count in causes.items()])  # fmt: skip


# -- sizes, alerts -----------------------------------------------------------


def _of_sizes(store: Store, settings: Settings, tables: Sequence[str]) -> Families:
    room: Counter[tuple[str, str]] = Counter()
    for one in sizes(store, settings.heavy_uri):
        if one.disk is not None:
            room[one.tier, one.table.partition("/")[0]] += one.disk
    yield _gauge("fuzzy_store_size_bytes", "Room on the disk by table; manifest and failures count as one each.",
                 ("tier", "table"), room.items())  # fmt: skip
    yield _gauge("fuzzy_store_dates", "Dates of which some symbol is stored.",
                 ("table",), [((table,), len(store.manifest.dates(table))) for table in tables])  # fmt: skip


def _of_alerts(settings: Settings, alerts: AlertSettings) -> Families:
    state = AlertDesk(settings, alerts).state()
    yield _gauge("fuzzy_alerts_open", "Things told that are not mended yet.", (), [((), len(state.incidents))])
    yield _gauge("fuzzy_alerts_undelivered", "Messages waiting for another try.", (), [((), len(state.pending))])


def _gauge(
    name: str, text: str, labels: Sequence[str], samples: Iterable[tuple[Sequence[str], float]]
) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, text, labels=labels)
    for values, value in samples:
        family.add_metric(values, value)
    return family


def _by_table(name: str, text: str, sums: Mapping[str, Mapping[str, float]], column: str) -> GaugeMetricFamily:
    return _gauge(name, text, ("table",), [((table,), own[column]) for table, own in sums.items()])


def _midnight(date: dt.date) -> float:
    return dt.datetime.combine(date, dt.time(), EASTERN).timestamp()


# -- serving ---------------------------------------------------------------------------------


class StoreCollector(Collector):
    """Computes the metrics when they are asked for, and keeps them for a while.

    A store that cannot be read gives ``fuzzy_collect_success 0`` and nothing else, so that old numbers are not taken
    for present ones. Without a store there is nothing to tell yet: that is no error.
    """

    def __init__(
        self,
        settings: Settings,
        alerts: AlertSettings,
        objectives: ObjectiveSettings,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chosen = (settings, alerts, objectives)
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: list[Metric] = []
        self._valid_until = float("-inf")

    def collect(self) -> Iterable[Metric]:
        """The metrics, not older than ``KEPT_S`` or ``KEPT_RATIO`` times their computation."""
        with self._lock:
            started = self._clock()
            if started >= self._valid_until:
                found, is_well = self._compute()
                ended = self._clock()
                self._kept = [
                    *found,
                    _gauge("fuzzy_collect_success", "Whether the store could be read.", (), [((), float(is_well))]),
                    _gauge("fuzzy_collect_seconds", "How long computing these metrics took.",
                           (), [((), ended - started)]),
                ]  # fmt: skip
                self._valid_until = ended + max(KEPT_S, KEPT_RATIO * (ended - started))
            return list(self._kept)

    def _compute(self) -> tuple[list[Metric], bool]:
        settings, alerts, objectives = self._chosen
        try:
            with reading(settings, None) as store:
                return metric_families(store, settings, alerts, objectives, now_eastern()), True
        except NotStoredError:
            return [], True
        except FuzzyError as error:
            LOG.warning("metrics could not be computed: %s", error)
            return [], False


def registry_of(collector: Collector) -> CollectorRegistry:
    """A registry of this collector alone: nothing of the Python process is told."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry


def exposition(collector: Collector) -> str:
    """The metrics as Prometheus' text format."""
    return generate_latest(registry_of(collector)).decode()


def start_server(collector: Collector, host: str, port: int) -> tuple[WSGIServer, threading.Thread]:
    """Serve the metrics from a thread until ``server.shutdown()``.

    Raises
    ------
    SettingsError
        The address cannot be used.
    """
    try:
        found: tuple[Any, threading.Thread] = start_http_server(port, host, registry_of(collector))
    except OSError as error:
        raise SettingsError(
            f"{host}:{port} cannot be used ({error.strerror}): choose another with --host and --port"
        ) from error
    return found

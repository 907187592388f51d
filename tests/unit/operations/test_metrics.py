"""Metrics: names, units and values of what Prometheus gets, how often they are computed, and how many there can be."""

from __future__ import annotations

import datetime as dt
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from pydantic import BaseModel

from fuzzy_pipeline.alert_settings import AlertSettings, ObjectiveSettings
from fuzzy_pipeline.errors import SettingsError
from fuzzy_pipeline.operations import metrics
from fuzzy_pipeline.operations.alert_desk import AlertDesk
from fuzzy_pipeline.operations.alerts import Alert
from fuzzy_pipeline.operations.metrics import StoreCollector, exposition, metric_families, start_server
from fuzzy_pipeline.schema.quality import QUALITY_TABLE
from fuzzy_pipeline.schema.records import to_table
from fuzzy_pipeline.schema.tables import HEAVY_TABLES
from fuzzy_pipeline.settings import Settings, StoreSettings
from fuzzy_pipeline.steps.pipeline import pipeline_tables
from fuzzy_pipeline.stores.store import Store, create_store
from tests.unit.operations.planted_dates import (
    HALF_DAY,
    MONDAY,
    SYMBOLS,
    TUESDAY,
    WEDNESDAY,
    at,
    commit,
    complete,
    empty_store,
    fail,
    settings_at,
)

NOW = at(HALF_DAY, "12:00")
COUNTERS = ("_total", "_count", "_sum", "_bucket")

Values = dict[tuple[str, tuple[str, ...]], float]


class Score(BaseModel):
    """The part of the quality measures that becomes metrics."""

    symbol: str
    date: dt.date
    data_quality_score: float | None
    completeness_score: float | None


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_at(tmp_path / "home")


@pytest.fixture
def planted(settings: Settings) -> Store:
    """Monday and Tuesday complete, Wednesday without CCC, and two failures."""
    store = empty_store()
    complete(store, settings, MONDAY, at(MONDAY, "22:00"))
    complete(store, settings, TUESDAY, at(TUESDAY, "22:00"))
    commit(store, settings, WEDNESDAY, at(WEDNESDAY, "22:00"), symbols=("AAA", "BBB"))
    fail(store, WEDNESDAY, at(WEDNESDAY, "21:30"), {"CCC": "SourceTimeoutError"})
    fail(store, MONDAY, at(MONDAY, "22:30"), {"AAA": "QualityError"})
    scores = [
        Score(symbol=symbol, date=WEDNESDAY, data_quality_score=score, completeness_score=1.0)
        for symbol, score in (("AAA", 0.5), ("BBB", None), ("ZZZ", 0.1))
    ]
    store.light.replace_symbols(QUALITY_TABLE, WEDNESDAY, to_table(scores, Score), ["AAA", "BBB", "ZZZ"])
    return store


def families_of(store: Store, settings: Settings, now: dt.datetime = NOW) -> list[Metric]:
    return metric_families(store, settings, AlertSettings(), ObjectiveSettings(), now)


def values_of(families: list[Metric]) -> Values:
    return {
        (sample.name, tuple(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


# -- values --------------------------------------------------------------------------------


def test_rows_rates_and_times_of_the_last_date(planted: Store, settings: Settings) -> None:
    found = values_of(families_of(planted, settings))
    # Two symbols of 100 raw rows each, 4 of them set aside, half a second of work and two at the source.
    assert found["fuzzy_last_date_rows", ("raw_ticks",)] == 192
    assert found["fuzzy_last_date_rows", ("time_bars",)] == 200
    assert found["fuzzy_last_date_symbols", ("raw_ticks",)] == 2
    assert found["fuzzy_last_date_input_rows_per_second", ("raw_ticks",)] == 200.0
    assert found["fuzzy_last_date_source_seconds", ()] == 4.0
    assert found["fuzzy_last_date_set_aside_rows", ()] == 8
    assert found["fuzzy_last_date_set_aside_ratio", ()] == 0.04
    assert found["fuzzy_last_date_timestamp_seconds", ()] == dt.datetime(2025, 11, 26, 5, tzinfo=dt.UTC).timestamp()


def test_seconds_are_added_up_by_step(planted: Store, settings: Settings) -> None:
    steps = {
        labels[0]: value
        for (name, labels), value in values_of(families_of(planted, settings)).items()
        if name == "fuzzy_last_date_step_seconds"
    }
    # Every table took one second for the two symbols; one step builds the nine families of bars.
    assert sum(steps.values()) == len(pipeline_tables(settings))
    assert max(steps.values()) == 9.0
    assert "raw_ticks" in steps or "ingest" in steps


def test_verdict_freshness_and_what_is_overdue(planted: Store, settings: Settings) -> None:
    found = values_of(families_of(planted, settings))
    verdicts = {labels[0]: value for (name, labels), value in found.items() if name == "fuzzy_last_date_verdict"}
    assert verdicts == {"complete": 0.0, "degraded": 1.0, "pending": 0.0, "missing": 0.0}
    # Tuesday is complete, Wednesday has begun, and its deadline was at 23:00, 37 hours ago.
    assert found["fuzzy_newest_complete_age_dates", ()] == 1
    assert found["fuzzy_newest_complete_date_timestamp_seconds", ()] == at(TUESDAY, "00:00").timestamp()
    assert found["fuzzy_overdue_seconds", ()] == 37 * 3600.0


def test_objectives_failures_and_open_dates(planted: Store, settings: Settings) -> None:
    found = values_of(families_of(planted, settings))
    # Three dates are due, of which Monday failed again after 22:00 and Wednesday is not complete.
    assert found["fuzzy_objective_compliance_ratio", ("nightly_done",)] == pytest.approx(1 / 3)
    assert found["fuzzy_objective_target_ratio", ("nightly_done",)] == pytest.approx(0.95)
    assert found["fuzzy_objective_budget_used_ratio", ("nightly_done",)] == 2.0
    assert found["fuzzy_objective_met", ("nightly_done",)] == 0.0
    assert found["fuzzy_objective_compliance_ratio", ("failure_share",)] == pytest.approx(7 / 9)
    assert found["fuzzy_failed_symbol_days", ("SourceTimeoutError",)] == 1
    assert found["fuzzy_failed_symbol_days", ("QualityError",)] == 1
    assert found["fuzzy_catch_up_dates", ("failed",)] == 2
    assert found["fuzzy_catch_up_dates", ("missing",)] == 0


def test_scores_of_expected_symbols_and_no_sample_where_there_is_none(planted: Store, settings: Settings) -> None:
    found = values_of(families_of(planted, settings))
    scores = {key: value for key, value in found.items() if key[0] == "fuzzy_last_date_data_quality_score"}
    assert scores == {("fuzzy_last_date_data_quality_score", ("AAA",)): 0.5}
    assert found["fuzzy_last_date_completeness_score", ("BBB",)] == 1.0


def test_open_and_undelivered_alerts_are_counted(planted: Store, settings: Settings) -> None:
    AlertDesk(settings, AlertSettings()).raise_alert(Alert(kind="run_failed", raised_at=NOW, headline="h", date=MONDAY))
    found = values_of(families_of(planted, settings))
    assert (found["fuzzy_alerts_open", ()], found["fuzzy_alerts_undelivered", ()]) == (1, 0)


def test_an_empty_store_has_no_last_date(settings: Settings) -> None:
    names = {family.name for family in families_of(empty_store(), settings) if family.samples}
    assert not any("last_date" in name or "newest" in name or "overdue" in name for name in names)


# -- form -----------------------------------------------------------------------------------


def test_every_metric_is_a_documented_gauge_with_its_unit_in_the_name(planted: Store, settings: Settings) -> None:
    families = families_of(planted, settings)
    names = [family.name for family in families]
    assert len(names) == len(set(names)) > 20
    for family in families:
        assert family.name.startswith("fuzzy_")
        assert not family.name.endswith(COUNTERS), "nothing here only grows: retention deletes, dates are rebuilt"
        assert family.type == "gauge"
        assert family.documentation.endswith(".")


def test_there_are_never_more_series_than_symbols_tables_and_error_types_allow(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "MAX_SYMBOLS", 2)
    monkeypatch.setattr(metrics, "MAX_ERROR_TYPES", 2)
    store = empty_store()
    commit(store, settings, MONDAY, at(MONDAY, "22:00"))
    scores = [
        Score(symbol=symbol, date=MONDAY, data_quality_score=score, completeness_score=None)
        for symbol, score in zip(SYMBOLS, (0.9, 0.2, 0.5), strict=True)
    ]
    store.light.replace_symbols(QUALITY_TABLE, MONDAY, to_table(scores, Score), list(SYMBOLS))
    fail(store, MONDAY, at(MONDAY, "22:30"), {"AAA": "One", "BBB": "Two", "CCC": "Three"})
    fail(store, TUESDAY, at(TUESDAY, "22:30"), {"AAA": "One", "BBB": "Two"})
    found = values_of(families_of(store, settings))
    # The lowest scores are kept; the rarest error is one of the others.
    assert {labels for (name, labels) in found if name == "fuzzy_last_date_data_quality_score"} == {("BBB",), ("CCC",)}
    errors = {labels[0]: value for (name, labels), value in found.items() if name == "fuzzy_failed_symbol_days"}
    assert errors == {"One": 2, "Two": 2, "other": 1}


# -- collecting and serving ----------------------------------------------------------------


@pytest.fixture
def stored(settings: Settings) -> Settings:
    """A store on the disk with one complete date."""
    chosen = settings.model_copy(update={"store": StoreSettings(map_size="100MB")})
    store = create_store(chosen, "simulated", HEAVY_TABLES)
    complete(store, chosen, MONDAY, at(MONDAY, "22:00"))
    store.close()
    return chosen


class Seconds:
    """A clock that a test moves; every look at it takes ``cost``."""

    def __init__(self, cost: float = 0.0) -> None:
        self.now, self.cost = 100.0, cost

    def __call__(self) -> float:
        self.now += self.cost
        return self.now


def collector_of(settings: Settings, clock: Seconds | None = None) -> StoreCollector:
    return StoreCollector(settings, AlertSettings(), ObjectiveSettings(), clock or Seconds())


def test_a_scrape_is_text_that_prometheus_parses(stored: Settings) -> None:
    server, thread = start_server(collector_of(stored), "127.0.0.1", 0)
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/metrics", timeout=10) as reply:
            text = reply.read().decode()
            kind = reply.headers["Content-Type"]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert kind.startswith("text/plain; version=")
    found = values_of(list(text_string_to_metric_families(text)))
    assert found["fuzzy_collect_success", ()] == 1.0
    assert found["fuzzy_last_date_rows", ("raw_ticks",)] == 288
    assert found["fuzzy_store_dates", ("raw_ticks",)] == 1
    assert found["fuzzy_store_size_bytes", ("raw_ticks", "heavy")] > 0
    assert not any(name.startswith(("python_", "process_")) for name, _ in found)


def test_metrics_are_kept_for_fifteen_seconds(stored: Settings) -> None:
    clock = Seconds()
    collector = collector_of(stored, clock)
    first = list(collector.collect())
    clock.now += 14.9
    assert next(iter(collector.collect())) is first[0]
    clock.now += 0.2
    assert next(iter(collector.collect())) is not first[0]


def test_metrics_that_take_long_are_kept_longer(stored: Settings) -> None:
    clock = Seconds(cost=4.0)
    collector = collector_of(stored, clock)
    first = list(collector.collect())
    assert values_of(first)["fuzzy_collect_seconds", ()] == 4.0
    clock.now += 35.0
    assert next(iter(collector.collect())) is first[0]
    clock.now += 5.0
    assert next(iter(collector.collect())) is not first[0]


def test_a_store_that_cannot_be_read_gives_no_old_numbers(stored: Settings, caplog: pytest.LogCaptureFixture) -> None:
    clock = Seconds()
    collector = collector_of(stored, clock)
    list(collector.collect())
    (stored.light_path / "store.json").write_text("{half")
    clock.now += 60.0
    assert sorted(family.name for family in collector.collect()) == ["fuzzy_collect_seconds", "fuzzy_collect_success"]
    assert values_of(list(collector.collect()))["fuzzy_collect_success", ()] == 0.0
    assert "store.json" in caplog.text


def test_before_the_first_run_there_is_nothing_to_tell_and_that_is_no_error(settings: Settings) -> None:
    assert "fuzzy_collect_success 1.0" in exposition(collector_of(settings))


def test_a_taken_port_is_named(stored: Settings) -> None:
    server, thread = start_server(collector_of(stored), "127.0.0.1", 0)
    try:
        with pytest.raises(SettingsError, match=f"127.0.0.1:{server.server_port} cannot be used"):
            start_server(collector_of(stored), "127.0.0.1", server.server_port)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

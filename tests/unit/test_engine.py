"""Engines: every item has one outcome, a failing one does not take others with it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from fuzzy_pipeline.engine import Engine, InlineEngine, ProcessEngine, open_engine
from fuzzy_pipeline.settings import EngineSettings


def tenfold(item: int) -> int:
    if item == 3:
        raise ValueError("three is refused")
    return item * 10


def process_of(_: int) -> int:
    return os.getpid()


def die_on_two(item: int) -> int:
    if item == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return item


@pytest.fixture(scope="module")
def processes() -> Iterator[ProcessEngine]:
    with ProcessEngine(2) as engine:
        yield engine


@pytest.fixture(params=["inline", "processes"])
def engine(request: pytest.FixtureRequest, processes: ProcessEngine) -> Engine:
    return InlineEngine() if request.param == "inline" else processes


def test_every_item_has_one_outcome_and_a_failure_names_its_error(engine: Engine) -> None:
    outcomes = {outcome.item: outcome for outcome in engine.map(tenfold, [1, 2, 3, 4])}
    assert {item: outcome.value for item, outcome in outcomes.items()} == {1: 10, 2: 20, 3: None, 4: 40}
    failure = outcomes[3].failure
    assert failure is not None
    assert (failure.error_type, failure.reason) == ("ValueError", "three is refused")
    assert "tenfold" in failure.traceback


def test_no_items_give_no_outcomes(engine: Engine) -> None:
    assert list(engine.map(tenfold, [])) == []


def test_workers_are_other_processes_and_live_on(processes: ProcessEngine) -> None:
    first, second = ({outcome.value for outcome in processes.map(process_of, range(6))} for _ in range(2))
    assert os.getpid() not in first | second
    assert second & first


def test_a_worker_that_dies_fails_its_item_only() -> None:
    with ProcessEngine(2) as engine:
        outcomes = {outcome.item: outcome for outcome in engine.map(die_on_two, [1, 2, 3, 4])}
    assert {item: outcome.value for item, outcome in outcomes.items()} == {1: 1, 2: None, 3: 3, 4: 4}
    assert outcomes[2].failure is not None
    assert outcomes[2].failure.error_type == "EngineError"


def test_few_items_are_done_without_starting_workers() -> None:
    with ProcessEngine(2, min_items=4) as engine:
        assert {outcome.value for outcome in engine.map(process_of, [1, 2, 3])} == {os.getpid()}


def test_the_engine_of_the_settings() -> None:
    assert isinstance(open_engine(EngineSettings(kind="inline")), InlineEngine)
    assert open_engine(EngineSettings(kind="processes", workers=3)).workers == 3

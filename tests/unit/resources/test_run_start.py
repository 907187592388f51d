"""What every run does before it begins: refuse a full disk and other settings, note changed settings once."""

from __future__ import annotations

import shutil
from collections import namedtuple
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from fuzzy_pipeline.errors import SettingsError, StoreFullError
from fuzzy_pipeline.operations.audit import AuditLog
from fuzzy_pipeline.resources import run_start
from fuzzy_pipeline.resources.run_start import begin
from fuzzy_pipeline.resources.run_tags import run_tags
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from tests.unit.steps.simulated_dates import TUESDAY, build, settings_of

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    yield settings_of(tmp_path / "home")
    close_workbenches()


def run_of(settings: Settings, run_id: str = "") -> dg.DagsterRun:
    return dg.DagsterRun(job_name="nightly", run_id=run_id or dg.DagsterRun("any").run_id, tags=run_tags(settings))


def free(monkeypatch: pytest.MonkeyPatch, gigabytes: float) -> list[Path]:
    """So much of the disk is free from now on; the folders that were looked at."""
    looked: list[Path] = []

    def usage(folder: Path) -> Any:
        looked.append(Path(folder))
        return Usage(10**12, 0, int(gigabytes * 1e9))

    monkeypatch.setattr(shutil, "disk_usage", usage)
    return looked


def noted(settings: Settings) -> list[dict[str, Any]]:
    """What changed, by entry of the audit log."""
    return [entry.details["changed"] for entry in AuditLog.of(settings).entries()]


def with_free(settings: Settings, gigabytes: float) -> Settings:
    return settings.model_copy(update={"care": settings.care.model_copy(update={"min_free_gb": gigabytes})})


def test_a_full_disk_refuses_the_run_and_says_what_is_free_and_what_to_do(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = with_free(settings, 5.0)
    free(monkeypatch, 1.25)
    with pytest.raises(StoreFullError) as refused:
        begin(run_of(chosen), chosen)
    message = str(refused.value)
    assert "1.25 GB free, 5.00 GB needed; nothing was started" in message
    assert str(settings.home) in message
    assert "FUZZY_CARE__MIN_FREE_GB" in message
    assert not chosen.light_path.exists()
    assert not AuditLog.of(chosen).path.exists()


def test_a_run_that_was_refused_is_looked_at_again_and_starts_once_there_is_room(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen, run = with_free(settings, 5.0), run_of(settings)
    run = run_of(chosen, run.run_id)
    free(monkeypatch, 1.0)
    with pytest.raises(StoreFullError):
        begin(run, chosen)
    free(monkeypatch, 6.0)
    begin(run, chosen)
    assert len(noted(chosen)) == 1


def test_a_store_with_large_dates_needs_room_for_two_of_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = with_free(settings, 0.001)
    build(chosen, TUESDAY, steps=(IngestStep(),))
    monkeypatch.setattr(run_start, "measured_date_bytes", lambda *_: 3 * 10**9)
    free(monkeypatch, 5.0)
    with pytest.raises(StoreFullError, match=r"5\.00 GB free, 6\.00 GB needed"):
        begin(run_of(chosen), chosen)


def test_the_steps_of_one_run_look_once_and_another_run_looks_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked = free(monkeypatch, 100.0)
    run = run_of(settings)
    begin(run, settings)
    once = len(looked)
    begin(run, settings)
    assert len(looked) == once > 0
    begin(run_of(settings), settings)
    assert len(looked) == 2 * once


def test_settings_are_noted_when_they_differ_from_the_last_run_and_not_at_every_run(settings: Settings) -> None:
    begin(run_of(settings), settings)
    begin(run_of(settings), settings)
    assert len(noted(settings)) == 1
    changed = settings.model_copy(update={"chunk_ticks": 77})
    run = run_of(changed)
    begin(run, changed)
    begin(run, changed)
    assert len(noted(settings)) == 2
    assert noted(settings)[1] == {"FUZZY_CHUNK_TICKS": {"old": 1_000_000, "new": 77}}


def test_a_run_that_was_asked_for_with_other_settings_is_refused_at_every_step(settings: Settings) -> None:
    run = run_of(settings)
    begin(run, settings)
    other = settings.model_copy(update={"chunk_ticks": 77})
    with pytest.raises(SettingsError, match="asked for with other settings"):
        begin(run, other)
    assert len(noted(settings)) == 1


def test_looking_makes_no_store(settings: Settings) -> None:
    begin(run_of(settings), settings)
    assert not settings.light_path.exists()
    assert workbench(settings).store_if_any() is None

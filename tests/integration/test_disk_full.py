"""A full disk under each store: said with its path, nothing damaged, and the run goes on once there is room.

Small disks are mounted where that is allowed (root). Elsewhere a limit on the size of files stands for the light tier,
in ``test_store_traps``.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.errors import StoreFullError
from fuzzy_pipeline.schema.tables import RAW_TICKS
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.store_care.verify import check_store
from fuzzy_pipeline.stores.store import Store
from tests.integration.run_processes import DATES, SMALL, the_forks, undisturbed
from tests.integration.watching_reader import content_of, differences, of_dates

BEFORE, DATE = DATES[:2]
Mount = Callable[[Path, int], Path]


@pytest.fixture(autouse=True)
def little_work(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The settings of the forked processes in this one."""
    for name, value in SMALL.items():
        monkeypatch.setenv(name, value)
    yield
    close_workbenches()


@pytest.fixture
def small_disk(little_work: None) -> Iterator[Mount]:
    """``small_disk(folder, megabytes)`` mounts a disk of that size there; skipped where mounting is not allowed."""
    mounted = []

    def mount(folder: Path, megabytes: int) -> Path:
        folder.mkdir(parents=True)
        options = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(options, capture_output=True, check=False).returncode:
            pytest.skip("mounting a small disk needs root")
        mounted.append(folder)
        return folder

    yield mount
    close_workbenches()
    for folder in mounted:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, leave: int) -> Path:
    """Fill a disk up to so many bytes that stay free; removing the file makes room again."""
    ballast = disk / "ballast"
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, shutil.disk_usage(disk).free - leave)
    return ballast


def ingest(settings: Settings, date: dt.date) -> dict[str, str]:
    """Fetch a date in this process; why symbols failed."""
    report = run_date(IngestStep(), date, settings.symbols, settings, InlineEngine())
    return {symbol: f"{failure.error_type}: {failure.reason}" for symbol, failure in report.failed.items()}


def raw_hashes(store: Store) -> dict[tuple[str, dt.date], str]:
    return {(row.symbol, row.date): row.content_hash for row in store.manifest.rows(RAW_TICKS.name)}


def broken(store: Store) -> list[object]:
    return [item for check in check_store(store) for item in check.broken]


def assert_resumes(settings: Settings, before: dict[tuple[str, dt.date], str]) -> None:
    """What was stored is what it was; with room again the date is completed as in a home that always had it."""
    close_workbenches()
    assert broken(workbench(settings).store) == []
    assert raw_hashes(workbench(settings).store).items() >= before.items()
    assert ingest(settings, DATE) == {}
    found = raw_hashes(workbench(settings).store)
    roomy = load_settings(home=settings.home.parent / "roomy", store={"map_size": "1GB"})
    for date in (BEFORE, DATE):
        assert ingest(roomy, date) == {}
    assert found == raw_hashes(workbench(roomy).store)
    assert broken(workbench(settings).store) == []
    assert workbench(settings).store.manifest.failures() == []


def test_a_full_disk_under_the_heavy_tier_fails_symbols_before_anything_is_written(
    home: Path, small_disk: Mount
) -> None:
    disk = small_disk(home / "store" / "heavy", 80)
    settings = load_settings()
    assert ingest(settings, BEFORE) == {}
    before = raw_hashes(workbench(settings).store)
    ballast = fill(disk, 20_000_000)
    failed = ingest(settings, DATE)
    assert set(failed) == set(settings.symbols)
    for symbol, why in failed.items():
        assert f"StoreFullError: raw_ticks {symbol} {DATE}: 20 MB free under {disk}" in why
        assert "Free disk space" in why
    store = workbench(settings).store
    assert {(row.symbol, row.error_type) for row in store.manifest.failures()} == {
        (symbol, "StoreFullError") for symbol in settings.symbols
    }
    assert raw_hashes(store) == before
    ballast.unlink()
    assert_resumes(settings, before)


def test_a_disk_that_fills_up_beneath_a_heavy_write_kills_the_process_and_damages_nothing(
    home: Path, small_disk: Mount
) -> None:
    """Another program may take the room between the check and the write: then LMDB's map ends the process."""
    disk = small_disk(home / "store" / "heavy", 80)
    settings = load_settings()
    assert ingest(settings, BEFORE) == {}
    before = raw_hashes(workbench(settings).store)
    close_workbenches()
    ballast = fill(disk, 40_000)
    process = the_forks().start("ingest_without_check", home, date=str(DATE))
    assert process.wait() < 0, process.said
    ballast.unlink()
    assert_resumes(settings, before)


def test_a_full_disk_under_the_light_tier_is_named_and_leaves_the_last_committed_state(
    home: Path, small_disk: Mount
) -> None:
    disk = small_disk(home / "store" / "light", 4)
    settings = load_settings()
    assert ingest(settings, BEFORE) == {}
    before = raw_hashes(workbench(settings).store)
    ballast = fill(disk, 0)
    with pytest.raises(StoreFullError, match=rf"{disk}.*Free disk space"):
        ingest(settings, DATE)
    assert raw_hashes(workbench(settings).store) == before
    assert broken(workbench(settings).store) == []
    assert list(disk.rglob("*.tmp")) == []
    ballast.unlink()
    assert_resumes(settings, before)


def test_a_light_disk_that_fills_up_at_any_write_of_a_commit_leaves_nothing_half_visible(
    home: Path, small_disk: Mount
) -> None:
    """So many bytes are free that some of the light tables can be written, and the commit mark cannot."""
    disk = small_disk(home / "store" / "light", 4)
    settings = load_settings()
    assert ingest(settings, BEFORE) == {}
    before = raw_hashes(workbench(settings).store)
    outcomes = []
    for leave in (8_192, 16_384, 24_576, 32_768, 49_152):
        ballast = fill(disk, leave)
        try:
            ingest(settings, DATE)
            outcomes.append("stored")
        except StoreFullError as error:
            outcomes.append(str(error).partition(":")[0])
        ballast.unlink()
        store = workbench(settings).store
        assert raw_hashes(store).items() >= before.items()
        assert broken(store) == []
    assert len(set(outcomes)) > 1, outcomes
    assert_resumes(settings, before)
    print(outcomes)  # noqa: T201


def run(home: Path, *dates: dt.date, **settings: str) -> tuple[bool, str]:
    """A nightly run in another process: whether it succeeded, and what it said."""
    process = the_forks().start("run", home, settings, dates=[str(date) for date in dates], last=str(DATE))
    if process.wait():
        return False, process.said
    *_, last = (json.loads(line) for line in process.lines("run"))
    return bool(last[1]), str(last[4])


def assert_same_as_undisturbed(home: Path) -> None:
    undisturbed().run(DATE)
    expected = of_dates(content_of(load_settings(home=undisturbed().home)), last=DATE)
    assert differences(content_of(load_settings(home=home)), expected) == []


@pytest.mark.long
def test_a_run_is_refused_by_name_while_the_disk_under_the_store_is_nearly_full(
    home: Path, small_disk: Mount, tmp_path: Path
) -> None:
    target = tmp_path / "a" / "home"
    disk = small_disk(target / "store", 300)
    undisturbed().copy_first(tmp_path / "copy")
    shutil.copytree(tmp_path / "copy" / "store", disk, dirs_exist_ok=True)
    ballast = fill(disk, 1_000_000)
    success, said = run(target, DATE)
    assert not success
    assert f"{disk / 'heavy'}: 0.00 GB free" in said
    assert "nothing was started" in said
    ballast.unlink()
    success, said = run(target, DATE)
    assert success, said
    assert_same_as_undisturbed(target)


@pytest.mark.long
def test_a_dagster_folder_on_a_disk_that_fills_up_during_a_run_is_named_and_the_date_is_caught_up(
    home: Path, small_disk: Mount, tmp_path: Path
) -> None:
    target = tmp_path / "a" / "home"
    undisturbed().copy_first(target)
    disk = small_disk(target / "dagster", 8)
    process = the_forks().start("run", target, dates=[str(DATE)], last=str(DATE))
    process.until(lambda: len(process.steps) > 3 or not process.is_running())
    ballast = fill(disk, 0)
    process.wait()
    assert str(disk) in process.said
    print(process.said[-3000:])  # noqa: T201
    ballast.unlink()
    catching_up = the_forks().start("catch_up", target, last=str(DATE))
    catching_up.succeed()
    assert catching_up.lines("left") == ["nothing is due"], catching_up.said
    assert_same_as_undisturbed(target)


@pytest.mark.long
@pytest.mark.parametrize("folder", ["dagster", "audit", "reports"])
def test_a_full_disk_beside_the_store_is_named_and_the_run_can_be_repeated(
    home: Path, small_disk: Mount, tmp_path: Path, folder: str
) -> None:
    target = tmp_path / "a" / "home"
    undisturbed().copy_first(target)
    disk = small_disk(target / folder, 8)
    ballast = fill(disk, 0)
    success, said = run(target, DATE)
    assert not success
    assert f"No space left on device: '{disk}/" in said
    ballast.unlink()
    success, said = run(target, DATE)
    assert success, said
    assert_same_as_undisturbed(target)

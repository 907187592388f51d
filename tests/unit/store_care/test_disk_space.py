"""Room: what a store takes, and a refusal before a run would fill the disk."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path

import pytest

from fuzzy_pipeline.errors import StoreFullError
from fuzzy_pipeline.settings import Settings, StoreSettings
from fuzzy_pipeline.store_care import disk_space
from fuzzy_pipeline.store_care.disk_space import check_disk_space, measured_date_bytes, sizes
from fuzzy_pipeline.store_settings import StoreCareSettings
from fuzzy_pipeline.stores.store import Store

Usage = namedtuple("Usage", "total used free")
GB = 1_000_000_000


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the disk says is free; the test sets it."""
    amount = [0]
    monkeypatch.setattr(disk_space.shutil, "disk_usage", lambda _: Usage(10 * GB, 0, amount[0]))
    return amount


def test_less_than_the_setting_is_refused_with_the_folder_and_both_amounts(tmp_path: Path, free: list[int]) -> None:
    settings = Settings(_env_file=None, home=tmp_path / "not" / "there")
    free[0] = int(1.5 * GB)
    with pytest.raises(StoreFullError, match=r"store/heavy: 1\.50 GB free, 2\.00 GB needed; nothing was started"):
        check_disk_space(settings, StoreCareSettings())
    free[0] = 2 * GB
    check_disk_space(settings, StoreCareSettings())


def test_twice_a_date_is_needed_when_that_is_more(tmp_path: Path, free: list[int]) -> None:
    settings = Settings(_env_file=None, home=tmp_path)
    free[0] = 5 * GB
    check_disk_space(settings, StoreCareSettings(), date_bytes=int(2.5 * GB))
    with pytest.raises(StoreFullError, match=r"5\.20 GB needed"):
        check_disk_space(settings, StoreCareSettings(), date_bytes=int(2.6 * GB))


def test_the_light_tier_is_asked_too_when_it_is_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = tmp_path / "small"
    small.mkdir()
    settings = Settings(_env_file=None, home=tmp_path, store=StoreSettings(light_path=small))
    monkeypatch.setattr(
        disk_space.shutil, "disk_usage", lambda place: Usage(9 * GB, 0, 0 if "small" in str(place) else 9 * GB)
    )
    with pytest.raises(StoreFullError, match="small: 0"):
        check_disk_space(settings, StoreCareSettings())


def test_a_store_elsewhere_than_on_disk_asks_for_room_for_its_light_tier_only(tmp_path: Path, free: list[int]) -> None:
    settings = Settings(_env_file=None, home=tmp_path, store=StoreSettings(heavy_uri="s3://host:bucket?region=x"))
    with pytest.raises(StoreFullError, match="store/light: 0"):
        check_disk_space(settings, StoreCareSettings())


def test_sizes_add_up_to_the_files(store: Store, settings: Settings) -> None:
    found = {item.table: item for item in sizes(store, settings.heavy_uri, measure=True)}
    raw = found["raw_ticks"]
    file = settings.home / "store" / "heavy" / "raw_ticks" / "data.mdb"
    assert raw.disk is not None
    assert raw.data is not None
    assert raw.disk >= file.stat().st_blocks * 512
    assert 0 < raw.data < raw.disk
    assert (raw.tier, raw.dates) == ("heavy", 1)
    assert found["tick_bars"].dates == 0  # a family that is not chosen
    light = found["day_metadata_phase1"]
    assert light.tier == "light"
    assert light.disk == light.data


def test_the_mean_date_is_all_bytes_by_dates(store: Store, settings: Settings) -> None:
    total = sum(path.lstat().st_blocks * 512 for path in (settings.home / "store").rglob("*") if path.is_file())
    found = measured_date_bytes(store, settings.heavy_uri)
    assert found is not None
    assert found == pytest.approx(total, rel=0.02)  # one date


def test_without_dates_nothing_is_measured(tmp_path: Path) -> None:
    from fuzzy_pipeline.schema.tables import RAW_TICKS
    from fuzzy_pipeline.stores.memory import memory_store

    assert measured_date_bytes(memory_store("real", [RAW_TICKS]), f"lmdb://{tmp_path}") is None

"""Changes of settings reach the audit log; secrets never do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from fuzzy_pipeline.operations.audit import AuditLog
from fuzzy_pipeline.operations.settings_changes import masked, note_settings, shown_settings
from fuzzy_pipeline.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(home=tmp_path / "home")


def test_settings_are_recorded_once_and_again_when_they_change(settings: Settings) -> None:
    assert note_settings(settings) is not None
    assert note_settings(settings) is None
    changed = settings.model_copy(
        update={"chunk_ticks": 7, "ingest": settings.ingest.model_copy(update={"max_set_aside_share": 0.2})}
    )
    entry = note_settings(changed)
    assert entry is not None
    assert entry.action == "settings.changed"
    assert entry.details["changed"] == {
        "FUZZY_CHUNK_TICKS": {"old": 1_000_000, "new": 7},
        "FUZZY_INGEST__MAX_SET_ASIDE_SHARE": {"old": 0.05, "new": 0.2},
    }
    assert entry.details["values"]["FUZZY_IQFEED__PORT"] == 9100
    assert AuditLog.of(settings).path == settings.home / "audit" / "audit.jsonl"


def test_naming_the_light_path_that_the_home_has_anyway_is_no_change(settings: Settings, tmp_path: Path) -> None:
    def at(path: Path) -> Settings:
        return settings.model_copy(update={"store": settings.store.model_copy(update={"light_path": path})})

    note_settings(at(settings.home / "store" / "light"))
    assert note_settings(settings) is None
    moved = note_settings(at(tmp_path / "light"))
    assert moved is not None
    assert moved.details["changed"] == {"FUZZY_STORE__LIGHT_PATH": {"old": None, "new": str(tmp_path / "light")}}


def test_keys_of_the_heavy_store_never_reach_the_log(settings: Settings) -> None:
    uri = "s3://127.0.0.1:ticks?port=8333&access=AKIAVERYSECRET&secret=hunter2&region=us-east-1"
    kept = settings.model_copy(update={"store": settings.store.model_copy(update={"heavy_uri": uri})})
    note_settings(kept)
    text = AuditLog.of(settings).path.read_text()
    assert "hunter2" not in text
    assert "AKIAVERYSECRET" not in text
    shown = shown_settings(kept)["FUZZY_STORE__HEAVY_URI"]
    assert shown == "s3://127.0.0.1:ticks?port=8333&access=***&secret=***&region=us-east-1"


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("FUZZY_IQFEED__PASSWORD", "hunter2", "***"),
        ("FUZZY_IQFEED__PIN_SECRET", 1234, "***"),
        ("FUZZY_ALERTS__API_KEY", "hunter2", "***"),
        ("FUZZY_ALERTS__ACCESS_TOKEN", "", ""),
        ("FUZZY_ALERTS__SMTP_PASSWORD", None, None),
        ("FUZZY_ALERTS__URL", "https://hooks.example.org/services/T0/B1/hunter2", "https://hooks.example.org/***"),
        ("FUZZY_ALERTS__URL", "https://me:hunter2@example.org", "https://***@example.org"),
        ("FUZZY_ALERTS__URLS", ["http://a.example/x", "plain"], ["http://a.example/***", "plain"]),
        ("FUZZY_ALERTS__DATABASE", "postgresql://me:hunter2@host/db?sslcert=x", "postgresql://***@host/db?sslcert=***"),
        ("FUZZY_STORE__HEAVY_URI", "lmdb:///data/heavy?map_size=64GB", "lmdb:///data/heavy?map_size=64GB"),
        (
            "FUZZY_STORE__HEAVY_URI",
            "azure://AccountName=me;AccountKey=hunter2;Container=c",
            "azure://AccountName=***;AccountKey=***;Container=***",
        ),
        ("FUZZY_SYMBOLS", ["AAPL", "KEY"], ["AAPL", "KEY"]),
        ("FUZZY_BARS__TICK__SERIES", ["50"], ["50"]),
        ("FUZZY_FILES__PATH", "/data/ticks", "/data/ticks"),
        ("FUZZY_IQFEED__CLIENT_NAME", "fuzzy_pipeline", "fuzzy_pipeline"),
    ],
)
def test_only_secrets_are_masked(name: str, value: Any, shown: Any) -> None:
    assert masked(name, value) == shown


def test_no_default_setting_is_masked(settings: Settings) -> None:
    assert [name for name, value in shown_settings(settings).items() if "***" in str(value)] == []

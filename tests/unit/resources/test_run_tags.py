"""What run tags carry, and which runs are refused because of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzzy_pipeline.errors import SettingsError
from fuzzy_pipeline.resources.run_tags import (
    check_same_settings,
    is_forced,
    run_tags,
    settings_fingerprint,
    tagged_symbols,
)
from fuzzy_pipeline.settings import Settings, load_settings


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return load_settings(home=tmp_path / "home")


def test_what_the_starter_asks_for_is_read_back(settings: Settings) -> None:
    tags = run_tags(settings, ("AAPL", "BRK.B"), force=True)
    assert tags["fuzzy/symbols"] == "AAPL,BRK.B"
    assert tags["fuzzy/force"] == "true"
    assert tagged_symbols(tags) == ("AAPL", "BRK.B")
    assert is_forced(tags)


def test_without_symbols_and_force_only_the_settings_are_tagged(settings: Settings) -> None:
    tags = run_tags(settings)
    assert set(tags) == {"fuzzy/settings"}
    assert tagged_symbols(tags) == ()
    assert not is_forced(tags)


def test_a_malformed_symbol_of_a_tag_is_refused() -> None:
    with pytest.raises(ValueError, match="not tickers"):
        tagged_symbols({"fuzzy/symbols": "AAPL,S$Y"})


def test_the_same_settings_are_let_through_and_so_is_a_run_without_the_tag(settings: Settings) -> None:
    check_same_settings(run_tags(settings), settings)
    check_same_settings({}, settings)
    check_same_settings({"fuzzy/symbols": "SPY"}, settings)


@pytest.mark.parametrize(
    "other",
    [
        {"source": "files"},
        {"symbols": ("SPY",)},
        {"simulator": {"seed": 21}},
        {"bars": {"fill": "null"}},
        {"store": {"heavy_uri": "lmdb:///elsewhere"}},
        {"store": {"light_path": "elsewhere"}},
        {"engine": {"workers": 1}},
    ],
)
def test_any_other_setting_is_refused(settings: Settings, other: dict[str, object]) -> None:
    asked = load_settings(home=settings.home, **other)
    with pytest.raises(SettingsError, match="asked for with other settings"):
        check_same_settings(run_tags(asked), settings)


def test_another_home_is_refused(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="asked for with other settings"):
        check_same_settings(run_tags(load_settings(home=tmp_path / "there")), settings)


def test_a_refusal_names_the_variables_of_the_process_and_no_value(settings: Settings) -> None:
    own = load_settings(home=settings.home, symbols=("XYZ",), simulator={"seed": 4711})
    with pytest.raises(SettingsError) as refused:
        check_same_settings(run_tags(settings), own)
    message = str(refused.value)
    assert "FUZZY_SYMBOLS" in message
    assert "FUZZY_SIMULATOR__SEED" in message
    assert "FUZZY_BARS" not in message
    assert "XYZ" not in message
    assert "4711" not in message
    assert str(settings.home) not in message


def test_the_fingerprint_tells_no_value(settings: Settings) -> None:
    fingerprint = settings_fingerprint(settings)
    assert len(fingerprint) == 16
    assert int(fingerprint, 16) > 0


def test_the_folder_a_process_runs_in_counts_only_where_files_are_read_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprints: dict[str, set[str]] = {"simulator": set(), "files": set()}
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        monkeypatch.chdir(folder)
        for source, found in fingerprints.items():
            found.add(settings_fingerprint(load_settings(home=tmp_path / "home", source=source)))
    assert len(fingerprints["simulator"]) == 1
    assert len(fingerprints["files"]) == 2

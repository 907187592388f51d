"""Settings: what is accepted, what is refused, and that secrets stay hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzzy_pipeline.bar_settings import interval_seconds
from fuzzy_pipeline.errors import SettingsError
from fuzzy_pipeline.settings import Settings, load_settings, parse_symbols


@pytest.fixture(autouse=True)
def _nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of the checkout


def test_the_environment_and_the_env_file_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("FUZZY_SYMBOLS=ibm, brk.b\nFUZZY_IQFEED__PORT=9101\n")
    monkeypatch.setenv("FUZZY_IQFEED__TRIES", "5")
    found = load_settings()
    assert found.symbols == ("IBM", "BRK.B")
    assert (found.iqfeed.port, found.iqfeed.tries) == (9101, 5)
    assert found.home == tmp_path / ".fuzzy"


def test_the_env_file_of_the_home_wins_over_that_of_the_working_directory_and_loses_to_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("FUZZY_SYMBOLS=IBM\nFUZZY_SOURCE=files\n")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / ".env").write_text("FUZZY_SYMBOLS=KO\nFUZZY_FIRST_DATE=2025-11-03\n")
    found = load_settings(home=tmp_path / "other")
    assert (found.symbols, found.source, str(found.first_date)) == (("KO",), "files", "2025-11-03")
    monkeypatch.setenv("FUZZY_SYMBOLS", "XOM")
    assert load_settings(home=tmp_path / "other").symbols == ("XOM",)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("FUZZY_IQFEED__PORT", "0", "FUZZY_IQFEED__PORT"),
        ("FUZZY_SYMBOLS", "AAPL,not a ticker!", "not tickers"),
        ("FUZZY_SYMBOLS", " ", "name at least one symbol"),
        ("FUZZY_BARS", '{"intervals": ["90x"]}', "'90x' is no interval"),
        ("FUZZY_BARS", '{"intervals": ["60s", "1m"]}', "60s and 1m are the same"),
        ("FUZZY_BARS", '{"sessions": ["all", "pre"]}', "stands alone"),
        ("FUZZY_BARS", '{"families": ["tock"]}', "FUZZY_BARS__FAMILIES"),
        ("FUZZY_BARS", '{"tick": {"series": ["0"]}}', "'0' is no amount"),
        ("FUZZY_BARS", '{"volume": {"series": ["5k", "5000"]}}', "5k and 5000 are the same"),
        ("FUZZY_BARS", '{"dollar": {"series": ["$5"]}}', "'.5' is no amount"),
        ("FUZZY_BARS", '{"imbalance": {"series": ["ewma_10k"]}}', "no series of imbalance bars"),
        ("FUZZY_BARS", '{"imbalance": {"series": ["ratio_volume_100"]}}', "percentage below 100"),
        ("FUZZY_BARS", '{"imbalance": {"min_expected_ticks": 9000}}', "is not below max_expected_ticks"),
        ("FUZZY_BARS", '{"run": {"series": ["shares"]}}', "no series of run bars"),
        ("FUZZY_BARS", '{"volatility": {"series": ["25"]}}', "no volatility"),
        ("FUZZY_BARS", '{"range": {"series": ["0.00001"]}}', "no price distance"),
        ("FUZZY_BARS", '{"renko": {"series": []}}', "name at least one"),
        ("FUZZY_BARS", '{"sessions": ["pre", "pre"]}', "named twice"),
        ("FUZZY_BARS", '{"intervalls": ["1m"]}', "Extra inputs"),
        ("FUZZY_SOURCE", "yahoo", "FUZZY_SOURCE"),
    ],
)
def test_a_nonsensical_value_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError, match=said):
        load_settings()


@pytest.mark.parametrize(("interval", "seconds"), [("1s", 1), ("7m", 420), ("4h", 14_400), ("1d", 0)])
def test_intervals_in_seconds(interval: str, seconds: int) -> None:
    assert interval_seconds(interval) == seconds


@pytest.mark.parametrize("interval", ["", "m", "0m", "-1m", "1.5h", "24h", "2d", "1w", " 1m"])
def test_what_is_no_interval(interval: str) -> None:
    with pytest.raises(ValueError, match="no interval"):
        interval_seconds(interval)


def test_symbols_are_split_and_repeated_ones_taken_once() -> None:
    assert parse_symbols("aapl, MSFT aapl\nspy") == ("AAPL", "MSFT", "SPY")


def test_settings_cannot_be_changed_after_loading() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Settings().symbols = ("SPY",)  # type: ignore[misc]

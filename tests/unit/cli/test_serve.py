"""``fuzzy serve-iqfeed`` and ``ui``."""

from __future__ import annotations

import datetime as dt
import socket
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest

import fuzzy_pipeline.schedules
from fuzzy_pipeline.cli import serve
from fuzzy_pipeline.errors import SettingsError
from fuzzy_pipeline.settings import IQFeedSettings
from fuzzy_pipeline.sources.iqfeed.client import IQFeedClient
from fuzzy_pipeline.sources.iqfeed.source import IQFeedSource
from tests.unit.cli.conftest import Fuzzy


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def test_a_client_gets_simulated_ticks_until_ctrl_c(
    empty: Fuzzy, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FUZZY_SIMULATOR__TICKS_PER_DAY", "100")
    got = []

    def ask_and_interrupt() -> None:
        source = IQFeedSource(IQFeedClient(IQFeedSettings(port=free_port)))
        got.append(source.fetch_ticks("SPY", dt.date(2025, 11, 25)))
        source.close()
        raise KeyboardInterrupt

    monkeypatch.setattr(serve, "_until_interrupted", ask_and_interrupt)
    result = empty("serve-iqfeed", "--port", free_port)
    assert result.exit_code == 130
    assert f"127.0.0.1:{free_port}, simulated data" in result.output
    assert (got[0].kind, len(got[0].columns["last"]) > 0) == ("simulated", True)


def test_a_busy_port_is_a_clear_error(empty: Fuzzy, taken_port: int) -> None:
    result = empty("serve-iqfeed", "--port", taken_port)
    assert result.exit_code == 1
    assert f"error: 127.0.0.1:{taken_port} cannot be used (Address already in use)" in result.stderr
    assert "--port" in result.stderr


def test_a_path_needs_the_files_source(empty: Fuzzy, tmp_path) -> None:
    result = empty("serve-iqfeed", "--path", tmp_path)
    assert result.exit_code == 1
    assert "--source files" in result.stderr


def test_files_that_are_not_there_are_an_error(empty: Fuzzy, tmp_path) -> None:
    result = empty("serve-iqfeed", "--source", "files", "--path", tmp_path / "nowhere")
    assert result.exit_code == 1
    assert "nowhere" in result.stderr


def test_the_ui_names_no_address_when_its_port_is_taken(empty: Fuzzy, taken_port: int) -> None:
    result = empty("ui", "--port", taken_port)
    assert result.exit_code == 1
    assert f"error: 127.0.0.1:{taken_port} cannot be used (Address already in use)" in result.stderr
    assert result.stdout == ""


def test_the_ui_hands_over_host_and_port_and_shows_its_errors(
    empty: Fuzzy, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def serve_ui(settings: object, host: str, port: int) -> None:
        asked.append((host, port))
        raise SettingsError("the web server ended by itself")

    launcher = SimpleNamespace(serve_ui=serve_ui, check_port=lambda host, port: None)
    monkeypatch.setitem(sys.modules, "fuzzy_pipeline.schedules.launch", launcher)
    monkeypatch.setattr(fuzzy_pipeline.schedules, "launch", launcher, raising=False)
    result = empty("ui", "--port", free_port)
    assert asked == [("127.0.0.1", free_port)]
    assert result.exit_code == 1
    assert f"http://127.0.0.1:{free_port}" in result.stdout
    assert "error: the web server ended by itself" in result.stderr

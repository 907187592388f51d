"""``fuzzy metrics``: shown once, and served until interrupted."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request

from prometheus_client.parser import text_string_to_metric_families

from fuzzy_pipeline.settings import Settings
from tests.unit.cli.conftest import Fuzzy


def test_the_metrics_are_shown_as_prometheus_gets_them(fuzzy: Fuzzy) -> None:
    result = fuzzy("metrics", "show")
    assert result.exit_code == 0, result.output
    found = {family.name: family for family in text_string_to_metric_families(result.stdout)}
    assert found["fuzzy_store_info"].samples[0].labels["kind"] == "simulated"
    # Three dates are stored, of which the half day is the last.
    dates = {sample.labels["table"]: sample.value for sample in found["fuzzy_store_dates"].samples}
    assert dates["raw_ticks"] == 3
    symbols = {sample.labels["table"]: sample.value for sample in found["fuzzy_last_date_symbols"].samples}
    assert symbols["raw_ticks"] == 2


def test_without_a_store_there_is_little_to_show_and_no_error(empty: Fuzzy) -> None:
    result = empty("metrics", "show")
    assert (result.exit_code, "fuzzy_collect_success 1.0" in result.stdout) == (0, True)


def test_they_are_served_until_interrupted(fuzzy: Fuzzy, simulated: Settings) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program = "from fuzzy_pipeline.cli import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "metrics", "serve", "--port", str(port)],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = re.match(rf"(http://127\.0\.0\.1:{port}/metrics); Ctrl-C ends it", line)
        assert address is not None, line
        with urllib.request.urlopen(address[1], timeout=20) as reply:
            assert b"fuzzy_collect_success 1.0" in reply.read()
        process.terminate()
        assert process.wait(10) == 128 + signal.SIGTERM
    finally:
        process.kill()
        process.wait()

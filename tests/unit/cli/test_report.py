"""``fuzzy report`` says its verdict beside the paths it prints."""

from __future__ import annotations

import json
from pathlib import Path

from tests.unit.cli.conftest import Fuzzy
from tests.unit.query.simulated_store import HALF_DAY, TUESDAY


def test_the_verdict_of_a_date_and_why_stand_beside_its_path(fuzzy: Fuzzy, tmp_path: Path) -> None:
    result = fuzzy("report", HALF_DAY, "--output", tmp_path / "page.json")
    assert result.exit_code == 0, result.output
    held = json.loads((tmp_path / "page.json").read_text())
    assert held["verdict"]
    said = f"Report of 2025-11-28 (simulated): {held['verdict']}. {held['sentence']}"
    assert result.stderr.splitlines()[-1] == said
    assert result.stdout.splitlines() == [str(tmp_path / "page.json")]  # what a script reads


def test_a_range_tells_how_many_dates_have_which_verdict(fuzzy: Fuzzy, tmp_path: Path) -> None:
    result = fuzzy("report", TUESDAY, "--to", "2025-12-01", "--output", tmp_path / "range.json")
    assert result.exit_code == 0, result.output
    verdicts = [point["verdict"] for point in json.loads((tmp_path / "range.json").read_text())["dates"]]
    assert len(verdicts) == 4  # 25, 26 and 28 November, which are stored, and 1 December, which is not
    last = result.stderr.splitlines()[-1]
    assert last.startswith("Report of 2025-11-25 to 2025-12-01 (simulated): ")
    for verdict in set(verdicts):
        assert f"{verdicts.count(verdict)} {verdict}" in last

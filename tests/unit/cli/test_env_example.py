"""``.env.example`` names settings that exist, with their defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuzzy_pipeline.settings import Settings

EXAMPLE = Path(__file__).resolve().parents[3] / ".env.example"


def test_every_line_uncommented_gives_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    given = [line.removeprefix("# ") for line in lines if line.startswith("# FUZZY_")]
    (tmp_path / "all.env").write_text("\n".join(given), encoding="utf-8")
    assert len(given) > 25
    assert Settings(_env_file=tmp_path / "all.env") == Settings(_env_file=None)

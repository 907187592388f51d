"""``fuzzy status``."""

from __future__ import annotations

from tests.unit.cli.conftest import Fuzzy
from tests.unit.query.simulated_store import EMPTY


def _line(output: str, symbol: str) -> list[str]:
    line = next(line for line in output.splitlines() if symbol in line and "│" in line)
    return [cell.strip() for cell in line.strip("│").split("│")][1:]


def test_a_mark_per_symbol_and_date_with_counts_and_reasons(fuzzy: Fuzzy) -> None:
    result = fuzzy("status")
    assert result.exit_code == 0
    assert _line(result.output, "SPY") == ["M"] * 7 + ["C"] * 3  # ten dates up to 2025-11-28
    assert _line(result.output, EMPTY) == ["M"] * 7 + ["F", "M", "M"]
    assert "C complete: 6   S stale: 0   P partial: 0   F failed: 1   M missing: 23" in result.output
    assert f"failed: 2025-11-25 {EMPTY} raw_ticks: NoDataError" in result.stderr


def test_it_says_that_the_data_are_simulated_and_what_the_market_does(fuzzy: Fuzzy) -> None:
    lines = fuzzy("status").stdout.splitlines()
    assert lines[0].startswith("store   SIMULATED data at ")
    assert lines[0].endswith("3 dates, 2025-11-25 to 2025-11-28")
    assert lines[1].startswith("market  ")


def test_dates_and_symbols_limit_what_is_shown(fuzzy: Fuzzy) -> None:
    result = fuzzy("status", "--from", "2025-11-26", "--to", "2025-12-01", "--symbols", "SPY,XOM")
    assert _line(result.output, "SPY") == ["C", "C", "M"]
    assert _line(result.output, "XOM") == ["M", "M", "M"]
    assert "AAPL" not in result.output


def test_a_home_without_runs_runs_nothing(fuzzy: Fuzzy) -> None:
    assert "no run was ever started in this home" in fuzzy("status").output


def test_swapped_dates_are_refused(fuzzy: Fuzzy) -> None:
    result = fuzzy("status", "--from", "2025-11-28", "--to", "2025-11-25")
    assert result.exit_code == 1
    assert "2025-11-28" in result.stderr

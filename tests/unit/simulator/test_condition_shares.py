"""Code combinations come about as often as in the 2021 capture."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.simulator.print_types import COMBINATIONS, basis_of, codes_of
from fuzzy_pipeline.simulator.tape import simulate_day

CAPTURE = {
    "01": 13383, "87": 9180, "3D": 6256, "3D87": 1502, "8717": 824, "17": 726, "173D": 294, "873D17": 285, "3E87": 52,
    "4706": 40, "3E": 21, "19": 19, "470687": 7, "1987": 7, "8944": 5,
}  # fmt: skip
CAPTURE_TICKS = 32_627


def pairs_of(ticks: Arrays) -> Counter[str]:
    table = np.stack([ticks[f"cond{n}"] for n in range(1, 5)], axis=1)
    rows, counts = np.unique(table, axis=0, return_counts=True)
    return Counter(
        {"".join(f"{code:02X}" for code in row if code): int(n) for row, n in zip(rows, counts, strict=True)}
    )


@pytest.fixture(scope="module")
def simulated() -> Counter[str]:
    total: Counter[str] = Counter()
    for symbol in ("AAPL", "JPM", "XOM"):
        total += pairs_of(simulate_day(20, symbol, dt.date(2021, 3, 1), 100_000))
    return total


@pytest.mark.parametrize("pairs", [pairs for pairs, count in CAPTURE.items() if count >= 250])
def test_common_combinations_are_within_one_and_a_half_percent_points(simulated: Counter[str], pairs: str) -> None:
    share = simulated[pairs] / simulated.total()
    assert share == pytest.approx(CAPTURE[pairs] / CAPTURE_TICKS, abs=0.015)
    assert share == pytest.approx(CAPTURE[pairs] / CAPTURE_TICKS, rel=0.25)


@pytest.mark.parametrize("pairs", [pairs for pairs, count in CAPTURE.items() if count < 250])
def test_rare_combinations_are_within_a_factor_of_three(simulated: Counter[str], pairs: str) -> None:
    share = simulated[pairs] / simulated.total()
    expected = CAPTURE[pairs] / CAPTURE_TICKS
    assert expected / 3 < share < expected * 3


def test_only_documented_combinations_occur(simulated: Counter[str]) -> None:
    assert set(simulated) <= set(COMBINATIONS)


@pytest.mark.parametrize(
    ("pairs", "codes", "basis"),
    [
        ("01", (0x01,), b"C"),
        ("3D", (0x3D,), b"C"),
        ("4042", (0x40, 0x42), b"C"),
        ("17", (0x17,), b"E"),
        ("173D", (0x17, 0x3D), b"E"),
        ("8717", (0x87, 0x17), b"O"),
        ("873D17", (0x87, 0x3D, 0x17), b"O"),
        ("3A", (0x3A,), b"O"),
        ("39", (0x39,), b"O"),
    ],
)
def test_basis_of_sample_combinations(pairs: str, codes: tuple[int, ...], basis: bytes) -> None:
    assert codes_of(pairs) == codes
    assert basis_of(codes) == basis


@pytest.mark.real_data
def test_shares_are_close_to_the_real_thin_stock(shared_data: Path, simulated: Counter[str]) -> None:
    real: Counter[str] = Counter()
    basis: Counter[str] = Counter()
    for path in sorted((shared_data / "ticks" / "symbol=NEPT").glob("*.parquet")):
        table = pq.ParquetFile(path).read()
        real += pairs_of({name: table.column(name).to_numpy() for name in ("cond1", "cond2", "cond3", "cond4")})
        basis += Counter(table.column("last_type").to_pylist())
    assert real.total() == basis.total() > 20_000
    for pairs in ("01", "87", "3D", "3D87", "8717", "17", "173D", "873D17"):
        assert simulated[pairs] / simulated.total() == pytest.approx(real[pairs] / real.total(), abs=0.03)
    for letter in "CEO":
        same = sum(count for pairs, count in simulated.items() if basis_of(codes_of(pairs)) == letter.encode())
        assert same / simulated.total() == pytest.approx(basis[letter] / basis.total(), abs=0.03)

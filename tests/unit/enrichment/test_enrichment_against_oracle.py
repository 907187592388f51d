"""Compiled enrichment equals its plain twin, on random ticks and on real ones, however the day is cut in chunks."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fuzzy_pipeline.enrichment.day import EnrichmentRules, enrich_day
from fuzzy_pipeline.schema.arrays import Arrays, take
from fuzzy_pipeline.schema.codes import CONDITION_PROFILES
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS
from tests.oracles.enrichment import enrich
from tests.unit.enrichment.raw_ticks import HALF_DAY, clock, raw_ticks

# Times around the borders of the sessions of a half day, few enough that ties are common.
TIMES = [
    clock(text)
    for text in (
        "00:00:00", "03:59:59.999999", "04:00:00", "09:30:00", "10:00:00", "10:00:00.000001", "12:59:59.999999",
        "13:00:00", "13:00:00.4", "13:00:10", "13:00:10.000001", "13:15:00", "13:15:00.000001", "19:59:59.9",
        "20:00:00",
    )
]  # fmt: skip
PRICES = [9.98, 9.99, 10.00, 10.005, 10.01, 10.02, 1234.5678]
QUOTES = [math.nan, 0.0, 9.99, 10.00, 10.01, 10.02]
SIZES = [1, 99, 100, 101, 999, 1_000, 9_999, 10_000, 250_000]
CODES = [
    0,
    0,
    1,
    5,
    0x0A,
    0x10,
    0x13,
    0x17,
    0x19,
    23,
    37,
    0x2E,
    0x39,
    0x3A,
    61,
    0x3E,
    0x40,
    0x42,
    81,
    0x87,
    0x88,
    0x89,
    0x8A,
    255,
]
CODE = st.sampled_from(CODES)

TICK = st.tuples(
    st.sampled_from(TIMES), st.sampled_from(PRICES), st.sampled_from(QUOTES), st.sampled_from(QUOTES),
    st.sampled_from(SIZES), st.sampled_from("CEOS"), st.sampled_from([0, 5, 7, 19, 153, 187, 60_000]),
    st.integers(0, 2_000), st.tuples(CODE, CODE, CODE, CODE),
)  # fmt: skip
DAYS = st.lists(TICK, min_size=1, max_size=40)
RULES = st.builds(
    EnrichmentRules,
    condition_profile=st.sampled_from(["iqfeed", "fuzzy_oss20"]),
    eligibility_profile=st.sampled_from(["iqfeed", "sip", "all"]),
)


def raw_of(day: list[tuple[Any, ...]]) -> dict[str, NDArray[Any]]:
    """Raw columns from drawn ticks."""
    names = ("time", "price", "bid", "ask", "size", "basis", "market_center", "total", "codes")
    columns: dict[str, list[Any]] = {
        name: list(values) for name, values in zip(names, zip(*day, strict=True), strict=True)
    }
    return raw_ticks(columns.pop("price"), date=HALF_DAY, **columns)


def assert_equals_oracle(raw: Arrays, date: dt.date, rules: EnrichmentRules) -> None:
    """Every column of every tick: integers exactly, float64 to 1e-12, float32 to its rounding."""
    expected = enrich(raw, date, CONDITION_PROFILES[rules.condition_profile], rules.eligibility_profile)
    actual = enrich_day(raw, "TEST", date, rules)
    assert set(actual) == set(expected)
    for stored in ENRICHED_TICKS.stored:
        array = actual[stored.name]
        if array.dtype.kind == "f":
            tolerance = 1e-12 if array.dtype == np.float64 else 2e-7
            np.testing.assert_allclose(
                array, expected[stored.name], rtol=tolerance, atol=tolerance, err_msg=stored.name
            )
        else:
            values = array.view(np.int64) if array.dtype.kind == "M" else array
            np.testing.assert_array_equal(
                values, np.array(expected[stored.name], dtype=values.dtype), err_msg=stored.name
            )


@settings(max_examples=150, deadline=None)
@given(day=DAYS, rules=RULES)
def test_kernel_equals_its_plain_twin_on_random_ticks(day: list[tuple[Any, ...]], rules: EnrichmentRules) -> None:
    assert_equals_oracle(raw_of(day), HALF_DAY, rules)


@settings(max_examples=100, deadline=None)
@given(day=DAYS, rules=RULES, chunk=st.integers(1, 41))
def test_any_chunking_gives_the_same_columns(day: list[tuple[Any, ...]], rules: EnrichmentRules, chunk: int) -> None:
    raw = raw_of(day)
    whole = enrich_day(raw, "TEST", HALF_DAY, rules)
    cut = EnrichmentRules(rules.condition_profile, rules.eligibility_profile, chunk_ticks=chunk)
    for name, array in enrich_day(raw, "TEST", HALF_DAY, cut).items():
        np.testing.assert_array_equal(array, whole[name], err_msg=name)


def test_blocks_inside_the_kernel_join_without_a_seam() -> None:
    """40,000 ticks span several of the kernel's internal blocks; all share few times, prices and codes."""
    generator = np.random.default_rng(20)
    rows = 40_000
    raw = raw_ticks(
        generator.choice(PRICES, rows).tolist(), date=HALF_DAY,
        time=np.sort(generator.integers(clock("09:29:59"), clock("13:00:02"), rows) // 500_000 * 500_000).tolist(),
        bid=generator.choice(QUOTES, rows).tolist(), ask=generator.choice(QUOTES, rows).tolist(),
        size=generator.choice(SIZES, rows).tolist(), codes=generator.choice(CODES, (rows, 4)).tolist(),
    )  # fmt: skip
    assert_equals_oracle(raw, HALF_DAY, EnrichmentRules(eligibility_profile="sip"))


def read_day(shared_data: Path, symbol: str, date: dt.date) -> dict[str, NDArray[Any]]:
    """Raw columns of a real day."""
    table = pq.read_table(shared_data / "ticks" / f"symbol={symbol}" / f"date={date}.parquet", partitioning=None)
    columns = {name: table[name].to_numpy() for name in table.column_names}
    columns["last_type"] = columns["last_type"].astype("S1")
    columns["date"] = columns["date"].astype("datetime64[D]")
    return columns


@pytest.mark.real_data
@pytest.mark.parametrize("profile", ["iqfeed", "sip"])
def test_kernel_equals_its_plain_twin_on_a_captured_iqfeed_day(shared_data: Path, profile: Any) -> None:
    date = dt.date(2021, 3, 1)
    assert_equals_oracle(read_day(shared_data, "NEPT", date), date, EnrichmentRules(eligibility_profile=profile))


@pytest.mark.real_data
def test_kernel_equals_its_plain_twin_on_the_open_and_close_of_a_busy_tape(shared_data: Path) -> None:
    date = dt.date(2013, 10, 8)
    day = read_day(shared_data, "BAC", date)
    rows = np.r_[0:6_000, len(day["time"]) - 6_000 : len(day["time"])]
    assert_equals_oracle(take(day, rows), date, EnrichmentRules())


@pytest.mark.real_data
def test_chunk_size_does_not_change_a_real_day(shared_data: Path) -> None:
    date = dt.date(2013, 10, 8)
    raw = read_day(shared_data, "BAC", date)
    whole = enrich_day(raw, "BAC", date)
    for name, array in enrich_day(raw, "BAC", date, EnrichmentRules(chunk_ticks=7_777)).items():
        np.testing.assert_array_equal(array, whole[name], err_msg=name)

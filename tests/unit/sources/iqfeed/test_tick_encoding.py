"""Arrays to tick lines and back."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.errors import SchemaError
from fuzzy_pipeline.sources.iqfeed import tick_encoding
from fuzzy_pipeline.sources.iqfeed.tick_decoding import RAW_DTYPES, decode_ticks
from fuzzy_pipeline.sources.iqfeed.tick_encoding import encode_ticks, price_text

Columns = dict[str, np.ndarray[Any, Any]]

ROW: dict[str, Any] = {
    "tick_id": 2,
    "date": np.datetime64("2021-03-01"),
    "time": (4 * 3600 + 6) * 1_000_000 + 702_115,
    "last": 1.52,
    "last_sz": 50,
    "last_type": b"O",
    "mkt_ctr": 11,
    "tot_vlm": 1050,
    "bid": 1.43,
    "ask": 1.52,
    "cond1": 0x87,
    "cond2": 0x3D,
    "cond3": 0x17,
    "cond4": 0,
}


def columns(*rows: dict[str, Any]) -> Columns:
    filled = [ROW | row for row in rows]
    return {name: np.array([row[name] for row in filled], dtype) for name, dtype in RAW_DTYPES.items()}


def encoded(**values: Any) -> str:
    return encode_ticks(columns(values)).body.tobytes().decode()


def assert_same(left: Columns, right: Columns) -> None:
    for name, column in left.items():
        assert right[name].dtype == column.dtype
        np.testing.assert_array_equal(column, right[name], err_msg=name)


def test_a_tick_is_written_as_in_the_capture() -> None:
    assert encoded() == "2021-03-01 04:00:06.702115,1.5200,50,1050,1.4300,1.5200,2,O,11,873D17,0,1,\r\n"


@pytest.mark.parametrize(
    ("price", "text"),
    [
        (1.5, "1.5000"),
        (0.0001, "0.0001"),
        (1234567.8912, "1234567.8912"),
        (0.00015, "0.00015"),
        (7.123456, "7.123456"),
        (-37.63, "-37.6300"),
        (1 / 3, "0.3333333333333333"),
        (1e-20, "0.00000000000000000001"),
        (float("nan"), ""),
    ],
)
def test_prices_have_four_decimals_or_as_many_as_give_them_back(price: float, text: str) -> None:
    assert encoded(last=price).split(",")[1] == text
    assert price_text(price) == text


def test_the_day_code_is_the_day_of_the_month() -> None:
    assert encoded(date=np.datetime64("2024-02-29")).endswith(",0,29,\r\n")


def test_no_condition_is_an_empty_field_and_a_gap_before_a_code_is_kept() -> None:
    assert encoded(cond1=0, cond2=0, cond3=0).split(",")[9] == ""
    assert encoded(cond1=0, cond2=0x17, cond3=0).split(",")[9] == "0017"


def test_lines_are_taken_in_any_order_behind_a_prefix() -> None:
    ticks = encode_ticks(columns({"tick_id": 1}, {"tick_id": 22}, {"tick_id": 333}))
    text = ticks.lines(np.array([2, 0]), "R1,LH,").decode()
    assert [line.split(",")[8] for line in text.splitlines()] == ["333", "1"]
    assert text.startswith("R1,LH,2021-03-01")
    assert ticks.lines(np.array([], dtype=np.int64), "R1,") == b""


def test_no_ticks_give_no_lines() -> None:
    assert len(encode_ticks(columns())) == 0


def test_blocks_are_joined_without_seams(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = columns(*({"tick_id": n, "last": n / 7} for n in range(1, 12)))
    whole = encode_ticks(ticks)
    monkeypatch.setattr(tick_encoding, "_BLOCK", 3)
    pieces = encode_ticks(ticks)
    assert pieces.body.tobytes() == whole.body.tobytes()
    np.testing.assert_array_equal(pieces.offsets, whole.offsets)
    assert_same(ticks, decode_ticks(pieces.lines(np.arange(11)), "6.1"))


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"time": 86_400_000_000}, "time is outside"),
        ({"time": -1}, "time is outside"),
        ({"last": float("inf")}, "infinite"),
        ({"last_type": b"X"}, "last_type"),
        ({"last_type": b""}, "last_type"),
        ({"tot_vlm": 10**18}, "18 digits"),
        ({"date": np.datetime64("NaT")}, "date is outside"),
    ],
)
def test_what_the_wire_cannot_show_is_refused_naming_the_row(values: dict[str, Any], rule: str) -> None:
    with pytest.raises(SchemaError, match=f"row 1: .*{rule}"):
        encode_ticks(columns({}, values))


def test_columns_that_are_not_the_schemas_are_refused() -> None:
    ticks = columns({})
    del ticks["ask"]
    with pytest.raises(SchemaError, match="ask"):
        encode_ticks(ticks)


counts = st.integers(0, 10**18 - 1)
prices = st.one_of(
    st.integers(0, 10**9).map(lambda n: n / 10_000),
    st.floats(allow_infinity=False, allow_nan=False).filter(lambda x: x != 0 or not np.signbit(x)),
    st.just(float("nan")),
)
codes = st.integers(0, 255)
any_tick = st.fixed_dictionaries(
    {
        "tick_id": counts,
        "date": st.dates().map(lambda d: np.datetime64(d, "D")),
        "time": st.integers(0, 86_399_999_999),
        "last": prices,
        "last_sz": counts,
        "last_type": st.sampled_from([b"C", b"E", b"O", b"S"]),
        "mkt_ctr": st.integers(0, 2**32 - 1),
        "tot_vlm": counts,
        "bid": prices,
        "ask": prices,
        "cond1": codes,
        "cond2": codes,
        "cond3": codes,
        "cond4": codes,
    }
)


@given(st.lists(any_tick, max_size=20), st.sampled_from([("6.1", "R9,"), ("6.2", "R9,LH,")]))
@settings(max_examples=200, deadline=None)
def test_any_tick_survives_the_wire(rows: list[dict[str, Any]], wire: Any) -> None:
    ticks = columns(*rows)
    protocol, prefix = wire
    sent = encode_ticks(ticks).lines(np.arange(len(rows)), prefix)
    assert_same(ticks, decode_ticks(sent, protocol, "R9"))


@pytest.mark.real_data
def test_the_captured_bytes_are_reproduced_line_for_line(shared_data: Path) -> None:
    captured = gzip.decompress((shared_data / "wire/NEPT_2021-03-01_ticks_protocol_6.1.txt.gz").read_bytes())
    written = encode_ticks(decode_ticks(captured, "6.1")).body.tobytes()
    assert written.split(b"\n") == captured.split(b"\n")

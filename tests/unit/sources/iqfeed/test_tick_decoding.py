"""Tick lines to arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.errors import NoDataError, ProtocolError, RequestError, SourceError, UnknownSymbolError
from fuzzy_pipeline.schema.tables import RAW_TICKS, check_arrays
from fuzzy_pipeline.sources.iqfeed import tick_decoding
from fuzzy_pipeline.sources.iqfeed.messages import WireProtocol
from fuzzy_pipeline.sources.iqfeed.replies import stale_after_error
from fuzzy_pipeline.sources.iqfeed.tick_decoding import TickDecoder, decode_ticks

FIRST = "2021-03-01 04:00:00.028010,1.5200,1000,1000,1.5600,1.5700,1,E,11,1747,0,1,"
SECOND = "2021-03-01 04:00:06.702115,1.5200,50,1050,1.4300,1.5200,2,O,11,873D17,0,1,"
LIVE = "2026-09-02 19:24:37.716547,324.6417,1,33767501,324.6400,324.7100,453036,O,19,8717,0,2,"


def lines(*rows: str, prefix: str = "") -> bytes:
    return "".join(f"{prefix}{row}\r\n" for row in rows).encode("latin-1")


def decode_one(row: str) -> dict[str, Any]:
    return {name: column[0] for name, column in decode_ticks(lines(row), "6.1").items()}


def test_a_line_of_6_1_gives_the_fourteen_fields() -> None:
    tick = decode_one(SECOND)
    assert tick["date"] == np.datetime64("2021-03-01")
    assert tick["time"] == (4 * 3600 + 6) * 1_000_000 + 702_115
    assert (tick["last"], tick["bid"], tick["ask"]) == (1.52, 1.43, 1.52)
    assert (tick["last_sz"], tick["tot_vlm"], tick["tick_id"], tick["mkt_ctr"]) == (50, 1050, 2, 11)
    assert tick["last_type"] == b"O"
    assert (tick["cond1"], tick["cond2"], tick["cond3"], tick["cond4"]) == (0x87, 0x3D, 0x17, 0)


def test_a_line_of_6_2_gives_the_same_as_of_6_1() -> None:
    plain = decode_ticks(lines(FIRST, LIVE), "6.1")
    marked = decode_ticks(lines(FIRST, LIVE, prefix="R1,LH,"), "6.2", "R1")
    for name in plain:
        np.testing.assert_array_equal(plain[name], marked[name])
    assert plain["last"][1] == 324.6417


def test_columns_are_those_of_the_schema() -> None:
    check_arrays(RAW_TICKS, decode_ticks(lines(FIRST), "6.1"), "decoded", key_columns=True)
    check_arrays(RAW_TICKS, decode_ticks(b"", "6.1"), "decoded", key_columns=True)


def test_an_end_line_finishes_the_reply() -> None:
    decoder = TickDecoder("6.2", "R1")
    decoder.feed(lines(FIRST, SECOND, prefix="R1,LH,"))
    assert not decoder.finished
    decoder.feed(b"R1,!ENDMSG!,\r\n")
    assert decoder.finished
    assert decoder.arrays()["tick_id"].tolist() == [1, 2]


@pytest.mark.parametrize(("protocol", "prefix"), [("6.2", "R1,LH,"), ("6.1", "R1,")])
def test_a_reply_may_be_cut_anywhere_between_chunks(protocol: WireProtocol, prefix: str) -> None:
    data = lines(FIRST, SECOND, LIVE, prefix=prefix) + b"R1,!ENDMSG!,\r\n"
    for cut in range(len(data) + 1):
        decoder = TickDecoder(protocol, "R1")
        decoder.feed(data[:cut])
        decoder.feed(data[cut:])
        assert decoder.finished
        assert decoder.arrays()["tot_vlm"].tolist() == [1000, 1050, 33_767_501]


def test_a_reply_may_come_byte_by_byte() -> None:
    decoder = TickDecoder("6.1")
    for byte in lines(FIRST, SECOND) + b"!ENDMSG!,\r\n":
        decoder.feed(bytes([byte]))
    assert decoder.finished
    assert decoder.lines == 2


def test_replies_longer_than_the_first_arrays_are_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_decoding, "FIRST_CAPACITY", 2)
    rows = [FIRST.replace(",1000,1000,", f",1,{n},") for n in range(1, 12)]
    assert decode_ticks(lines(*rows), "6.1")["tot_vlm"].tolist() == list(range(1, 12))


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("00:00:00.000000", 0),
        ("23:59:59.999999", 86_399_999_999),
        ("09:30:00", 34_200_000_000),
        ("09:30:00.5", 34_200_500_000),
        ("09:30:00.028", 34_200_028_000),
    ],
)
def test_the_fraction_may_have_up_to_six_digits_or_be_absent(text: str, micros: int) -> None:
    assert decode_one(FIRST.replace("04:00:00.028010", text))["time"] == micros


@given(st.dates())
@settings(max_examples=200, deadline=None)
def test_dates_are_those_of_the_calendar(date: Any) -> None:
    tick = decode_one(FIRST.replace("2021-03-01", date.isoformat().rjust(10, "0")))
    assert tick["date"].item() == date


@given(
    st.one_of(
        st.decimals(min_value=0, max_value=999_999, places=4, allow_nan=False, allow_infinity=False),
        st.decimals(min_value=0, max_value=10**9, places=9, allow_nan=False, allow_infinity=False),
    )
)
@settings(max_examples=500, deadline=None)
def test_prices_equal_pythons_float(price: Any) -> None:
    text = format(price, "f")
    tick = decode_one(FIRST.replace(",1.5200,", f",{text},", 1))
    assert tick["last"] == float(text)


@given(st.floats(min_value=0, allow_nan=False, allow_infinity=False, allow_subnormal=False))
@settings(max_examples=300, deadline=None)
def test_prices_of_any_length_equal_pythons_float(price: float) -> None:
    text = np.format_float_positional(price, trim="-")
    tick = decode_one(FIRST.replace(",1.5600,", f",{text},", 1))
    assert tick["bid"] == float(text)


def test_long_prices_are_exact_in_every_column_and_beyond_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tick_decoding, "_LONG_PRICES", 4)
    long = [f"{n}.12345678901234567" for n in range(1, 10)]
    rows = [FIRST.replace("1.5200", t).replace("1.5600", "2" + t).replace("1.5700", "3" + t) for t in long]
    ticks = decode_ticks(lines(*rows), "6.1")
    assert ticks["last"].tolist() == [float(t) for t in long]
    assert ticks["bid"].tolist() == [float("2" + t) for t in long]
    assert ticks["ask"].tolist() == [float("3" + t) for t in long]


def test_negative_prices_and_prices_without_decimals_are_read() -> None:
    assert decode_one(FIRST.replace(",1.5200,", ",-37.6300,", 1))["last"] == -37.63
    assert decode_one(FIRST.replace(",1.5200,", ",152,", 1))["last"] == 152.0


def test_an_empty_quote_is_nan_and_no_condition_is_four_zeros() -> None:
    tick = decode_one("2021-03-01 04:00:00.028010,1.5200,1000,1000,,,1,E,11,,0,1,")
    assert math.isnan(tick["bid"])
    assert math.isnan(tick["ask"])
    assert [int(tick[f"cond{n}"]) for n in (1, 2, 3, 4)] == [0, 0, 0, 0]


def test_four_conditions_and_lower_case_digits_are_read() -> None:
    tick = decode_one(FIRST.replace("1747", "0187aBfF"))
    assert [int(tick[f"cond{n}"]) for n in (1, 2, 3, 4)] == [0x01, 0x87, 0xAB, 0xFF]


MALFORMED = {
    "a field too few": FIRST.replace(",1.5700", ""),
    "a field too many": FIRST + "9,",
    "no trailing comma": FIRST[:-1],
    "a letter in the price": FIRST.replace("1.5200", "1.52O0"),
    "two points in the price": FIRST.replace("1.5200", "1.5.00"),
    "only a sign": FIRST.replace(",1.5200,", ",-,"),
    "only a point": FIRST.replace(",1.5200,", ",.,").replace(",.,", ",-.,"),
    "an exponent": FIRST.replace("1.5200", "1.5e10"),
    "a letter in the size": FIRST.replace(",1000,1000,", ",10x0,1000,"),
    "a negative size": FIRST.replace(",1000,1000,", ",-100,1000,"),
    "an empty volume": FIRST.replace(",1000,1000,", ",1000,,"),
    "a volume of 19 digits": FIRST.replace(",1000,1000,", f",1000,{10**18},"),
    "a market centre beyond 32 bits": FIRST.replace(",11,", f",{2**32},"),
    "an unknown basis": FIRST.replace(",E,", ",X,"),
    "a basis of two letters": FIRST.replace(",E,", ",EC,"),
    "no basis": FIRST.replace(",E,", ",,"),
    "half a condition": FIRST.replace("1747", "174"),
    "a bad hex digit": FIRST.replace("1747", "17G7"),
    "five conditions": FIRST.replace("1747", "0102030405"),
    "an unknown aggressor": FIRST.replace(",0,1,", ",4,1,"),
    "day code 32": FIRST.replace(",0,1,", ",0,32,"),
    "day code 0": FIRST.replace(",0,1,", ",0,0,"),
    "30 February": FIRST.replace("2021-03-01", "2021-02-30"),
    "29 February of a common year": FIRST.replace("2021-03-01", "2021-02-29"),
    "month 13": FIRST.replace("2021-03-01", "2021-13-01"),
    "hour 24": FIRST.replace("04:00:00", "24:00:00"),
    "minute 60": FIRST.replace("04:00:00", "04:60:00"),
    "second 60": FIRST.replace("04:00:00", "04:00:60"),
    "a point without digits": FIRST.replace(".028010", "."),
    "seven fraction digits": FIRST.replace(".028010", ".0280101"),
    "a slash in the date": FIRST.replace("2021-03-01", "2021/03/01"),
    "a cut line": FIRST[:15],
    "an empty line": "",
    "something else": "HTTP/1.1 400 Bad Request",
    "the message id of 6.2": "LH," + FIRST,
}


@pytest.mark.parametrize("row", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_malformed_line_is_refused_naming_its_number_and_text(row: str) -> None:
    with pytest.raises(ProtocolError, match="line 2 of the reply") as refused:
        decode_ticks(lines(SECOND, row, SECOND), "6.1")
    assert repr(row[:15])[1:-1] in str(refused.value)


@pytest.mark.parametrize("ending", [b"\n", b"\r\r\n", b" \r\n"])
def test_a_line_that_does_not_end_in_comma_and_crlf_is_refused(ending: bytes) -> None:
    with pytest.raises(ProtocolError, match="line 1 of the reply"):
        decode_ticks(FIRST.encode() + ending, "6.1")


@given(st.integers(0, len(FIRST) - 1), st.integers(0, 255))
@settings(max_examples=500, deadline=None)
def test_any_changed_byte_gives_a_tick_or_an_error_but_never_reads_past_the_line(place: int, byte: int) -> None:
    damaged = bytearray(lines(FIRST))
    damaged[place] = byte
    try:
        rows = len(decode_ticks(bytes(damaged) + lines(SECOND), "6.1")["time"])
    except SourceError:
        return
    assert rows == 2


def test_an_endless_line_is_refused_instead_of_filling_the_memory() -> None:
    decoder = TickDecoder("6.1")
    with pytest.raises(ProtocolError, match="no line end"):
        decoder.feed(b"x" * 5000)


def test_lines_of_another_request_are_refused() -> None:
    decoder = TickDecoder("6.2", "R2")
    with pytest.raises(ProtocolError, match="line 1 of the reply"):
        decoder.feed(lines(FIRST, prefix="R1,LH,"))


@pytest.mark.parametrize("late", [FIRST, "!ENDMSG!,", "E,!NO_DATA!,,"])
def test_lines_after_the_end_are_refused(late: str) -> None:
    decoder = TickDecoder("6.1")
    with pytest.raises(ProtocolError, match="after the end"):
        decoder.feed(b"!ENDMSG!,\r\n" + lines(late))


def test_half_a_line_after_the_end_is_refused() -> None:
    decoder = TickDecoder("6.1")
    with pytest.raises(ProtocolError, match="after the end"):
        decoder.feed(b"!ENDMSG!,\r\n2021")


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (b"R1,E,!NO_DATA!,,\r\n", NoDataError),
        (b"R1,E,Invalid symbol.,\r\n", UnknownSymbolError),
        (b"E,!SYNTAX_ERROR!,\r\n", RequestError),
        (b"E,!NO_DATA!,,\r\n", NoDataError),
    ],
)
def test_error_lines_become_errors_with_or_without_the_request_id(line: bytes, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        TickDecoder("6.2", "R1").feed(line)


def test_an_error_after_ticks_discards_them() -> None:
    with pytest.raises(SourceError, match="Unknown Server Error"):
        TickDecoder("6.1", "R1").feed(lines(FIRST, prefix="R1,") + b"R1,E,Unknown Server Error code 0.,\r\n")


def test_the_end_line_of_an_earlier_error_is_passed_over_only_before_the_first_line() -> None:
    decoder = TickDecoder("6.1", "R2", stale=stale_after_error("R1"))
    decoder.feed(b"R1,!ENDMSG!,\r\n" + lines(FIRST, prefix="R2,"))
    with pytest.raises(ProtocolError, match="line 2"):
        decoder.feed(b"R1,!ENDMSG!,\r\n")


def test_a_reply_without_its_end_line_is_not_whole() -> None:
    decoder = TickDecoder("6.1")
    decoder.feed(lines(FIRST))
    with pytest.raises(ProtocolError, match="after line 1 without its end line"):
        decoder.close()


def test_a_capture_whose_last_line_is_cut_is_refused() -> None:
    with pytest.raises(ProtocolError, match="line 2 of the reply: the line is cut"):
        decode_ticks(lines(FIRST) + SECOND.encode(), "6.1")

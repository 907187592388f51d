"""How fast IQFeed tick lines become arrays: the decoder alone, over a socket, and a plain Python decoder.

Run as ``python benchmarks/iqfeed_decode.py``. Ticks are generated; figures are ticks a second on one core
(the loopback figure has a server thread in the same process beside the client).
"""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.settings import IQFeedSettings
from fuzzy_pipeline.sources.iqfeed.client import IQFeedClient
from fuzzy_pipeline.sources.iqfeed.server import LoopbackServer
from fuzzy_pipeline.sources.iqfeed.tick_decoding import RAW_DTYPES, TickDecoder, decode_ticks
from fuzzy_pipeline.sources.iqfeed.tick_encoding import encode_ticks
from fuzzy_pipeline.sources.protocol import DataKind, FetchedTicks

TICKS = 500_000
PLAIN_TICKS = 50_000
REPEATS = 5
CHUNK_BYTES = 1 << 18
DATE = dt.date(2024, 3, 4)
EASTERN = ZoneInfo("America/New_York")

Columns = dict[str, NDArray[Any]]


def generated_ticks(count: int, seed: int = 20) -> Columns:
    """A day of made-up ticks between 04:00 and 20:00 that looks like a busy stock on the wire."""
    rng = np.random.default_rng(seed)
    last = np.round(250.0 + np.cumsum(rng.choice([-0.01, 0.0, 0.01], count)), 2)
    size = rng.choice([1, 7, 50, 100, 100, 200, 1300], count)
    odd = size < 100
    return {
        "tick_id": np.arange(1, count + 1, dtype="uint64"),
        "date": np.full(count, DATE, dtype="datetime64[D]"),
        "time": np.sort(rng.integers(4 * 3_600_000_000, 20 * 3_600_000_000, count)),
        "last": last,
        "last_sz": size.astype("uint64"),
        "last_type": np.where(odd, b"O", b"C").astype("S1"),
        "mkt_ctr": rng.choice([5, 7, 11, 18, 19, 26], count).astype("uint32"),
        "tot_vlm": np.cumsum(size).astype("uint64"),
        "bid": np.round(last - 0.01, 2),
        "ask": np.round(last + 0.01, 2),
        "cond1": np.where(odd, 0x87, 0x01).astype("uint8"),
        "cond2": np.where(rng.random(count) < 0.3, 0x3D, 0).astype("uint8"),
        "cond3": np.zeros(count, dtype="uint8"),
        "cond4": np.zeros(count, dtype="uint8"),
    }


class OneDay:
    """Serves the generated day."""

    name = "generated"
    kind: DataKind = "simulated"

    def __init__(self, columns: Columns) -> None:
        self._columns = columns

    def dates(self, symbol: str) -> list[dt.date]:  # noqa: ARG002
        return [DATE]

    def fetch_ticks(self, symbol: str, trading_date: dt.date) -> FetchedTicks:
        return FetchedTicks(symbol, trading_date, self._columns, self.name, self.kind)

    def daily_bar(self, symbol: str, trading_date: dt.date) -> None:
        """No daily bar is generated."""

    def check(self) -> str:
        return "generated ticks"

    def close(self) -> None:
        """Nothing is held open."""


def decode_plainly(data: bytes) -> Columns:
    """The same arrays with ``split`` and one Python object a field."""
    rows = [_plain_row(line.split(",")) for line in data.decode("latin-1").splitlines()]
    columns = zip(*rows, strict=True)
    return {
        name: np.array(column, dtype=dtype) for (name, dtype), column in zip(RAW_DTYPES.items(), columns, strict=True)
    }


def _plain_row(fields: list[str]) -> tuple[Any, ...]:
    stamp, last, size, volume, bid, ask, tick_id, basis, center, conditions = fields[2:12]
    day, _, clock = stamp.partition(" ")
    micros = (int(clock[:2]) * 3600 + int(clock[3:5]) * 60 + int(clock[6:8])) * 1_000_000 + int(clock[9:])
    codes = [int(conditions[i : i + 2], 16) if conditions[i : i + 2] else 0 for i in (0, 2, 4, 6)]
    numbers = (micros, float(last), int(size), basis, int(center), int(volume), float(bid), float(ask), *codes)
    return (int(tick_id), day, *numbers)


def best_seconds(work: Callable[[], Any], repeats: int = REPEATS) -> float:
    """The shortest of several runs [s]."""
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def decode_in_chunks(data: bytes) -> Columns:
    """Decode as the client does: chunk by chunk."""
    decoder = TickDecoder("6.2", "F1")
    for start in range(0, len(data), CHUNK_BYTES):
        decoder.feed(data[start : start + CHUNK_BYTES])
    return decoder.arrays()


def loopback_seconds(columns: Columns) -> float:
    """Time [s] of one whole fetch from a loopback server that has the day encoded already."""
    begin = dt.datetime.combine(DATE, dt.time(0), EASTERN)
    end = dt.datetime.combine(DATE, dt.time(23, 59, 59), EASTERN)
    with LoopbackServer(OneDay(columns)) as server:
        host, port = server.address
        with IQFeedClient(IQFeedSettings(host=host, port=port)) as client:
            client.history_ticks("KO", begin, end)
            return best_seconds(lambda: client.history_ticks("KO", begin, end), 3)


def main() -> dict[str, float]:
    """Measure, print and return the figures."""
    columns = generated_ticks(TICKS)
    rows = np.arange(TICKS)
    data = encode_ticks(columns).lines(rows, "F1,LH,")
    plain = encode_ticks(columns).lines(rows[:PLAIN_TICKS], "F1,LH,")
    expected, found = decode_plainly(plain), decode_ticks(plain, "6.2", "F1")
    for name, column in expected.items():
        np.testing.assert_array_equal(found[name], column)
    decode_s = best_seconds(lambda: decode_in_chunks(data))
    encode_s = best_seconds(lambda: encode_ticks(columns))
    plain_s = best_seconds(lambda: decode_plainly(plain), 3) / PLAIN_TICKS * TICKS
    figures = {
        "ticks": float(TICKS),
        "decode_ticks_per_s": TICKS / decode_s,
        "decode_megabytes_per_s": len(data) / decode_s / 1e6,
        "encode_ticks_per_s": TICKS / encode_s,
        "client_from_loopback_ticks_per_s": TICKS / loopback_seconds(columns),
        "plain_python_ticks_per_s": TICKS / plain_s,
        "decode_to_plain_python_ratio": plain_s / decode_s,
    }
    figures = {name: round(value, 1) for name, value in figures.items()}
    print(json.dumps(figures, indent=2))
    return figures


if __name__ == "__main__":
    main()

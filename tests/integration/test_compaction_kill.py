"""Compaction killed at any moment, and beside writers: readers see every row once, as it was last written."""

from __future__ import annotations

import datetime as dt
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from fuzzy_pipeline.query.sql import SqlConnection
from fuzzy_pipeline.schema.tables import HEAVY_TABLES
from fuzzy_pipeline.settings import load_settings
from fuzzy_pipeline.stores import compaction, parquet
from fuzzy_pipeline.stores.compaction import compact
from fuzzy_pipeline.stores.parquet import ParquetLightStore
from fuzzy_pipeline.stores.store import Store, create_store
from fuzzy_pipeline.trading_calendar import trading_dates
from tests.unit.query.hand_made import manifest_row

DATES = trading_dates(dt.date(2024, 11, 1), dt.date(2025, 1, 31))
SYMBOLS = [f"S{number:02d}" for number in range(40)]
TODAY = dt.date(2025, 3, 3)
SECONDS = 5.0
Marks = dict[tuple[str, dt.date], int]

COMPACTING = """
import datetime as dt
import sys
from pathlib import Path
from fuzzy_pipeline.stores import compaction
from fuzzy_pipeline.stores.parquet import ParquetLightStore
compaction.SETTLED_S = 0.01
compaction.PART_BYTES = 100_000
light = ParquetLightStore(Path(sys.argv[1]))
while True:
    print("compacting", flush=True)
    compaction.compact(light, today=dt.date(2025, 3, 3), tables=["day"])
    print("done", flush=True)
    if sys.stdin.readline() == "":
        break
"""

WRITING = """
import random
import sys
import time
from pathlib import Path
from fuzzy_pipeline.stores.parquet import ParquetLightStore
from tests.integration.test_compaction_kill import DATES, SYMBOLS, marked
light, choice = ParquetLightStore(Path(sys.argv[1])), random.Random(3)
for mark in range(1, 1_000_000):
    date, symbols = choice.choice(DATES), choice.sample(SYMBOLS, 3)
    light.replace_symbols("day", date, marked(date, symbols, mark), symbols)
    print(mark, date, *symbols, flush=True)
    time.sleep(float(sys.argv[2]))
"""


def marked(date: dt.date, symbols: list[str], mark: int) -> pa.Table:
    """A row a symbol, with the mark in every column."""
    columns = {f"x{number}": [mark] * len(symbols) for number in range(20)}
    return pa.table({"symbol": symbols, "date": pa.array([date] * len(symbols), pa.date32()), **columns})


def fill(light: ParquetLightStore) -> Marks:
    for date in DATES:
        light.replace_symbols("day", date, marked(date, SYMBOLS, 0), SYMBOLS)
    return {(symbol, date): 0 for date in DATES for symbol in SYMBOLS}


def marks_of(rows: pa.Table | None, last: str = "x19") -> Marks:
    """Mark by symbol and date; every symbol and date must be there once, and whole."""
    assert rows is not None
    assert rows["x0"].equals(rows[last])
    keys = list(zip(rows["symbol"].to_pylist(), rows["date"].to_pylist(), strict=True))
    found = dict(zip(keys, rows["x0"].to_pylist(), strict=True))
    assert len(found) == len(keys), "a row was seen twice"
    return found


@contextmanager
def child(code: str, root: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """A process that works on the light tier; killed at the end."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(root), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def test_a_compaction_killed_at_random_moments_loses_nothing_and_the_next_one_completes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    light = ParquetLightStore(tmp_path)
    expected = fill(light)
    began = time.monotonic()
    with child(COMPACTING, tmp_path) as process:
        assert line(process) == "compacting"
        began = time.monotonic()
        assert line(process) == "done"
        undisturbed_s = time.monotonic() - began
    moments = random.Random(11)
    halves = 0
    for mark in range(1, 13):
        for year in (2024, 2025):  # one date of either file, so that both have to be written again
            date = moments.choice([date for date in DATES if date.year == year])
            light.replace_symbols("day", date, marked(date, SYMBOLS[:2], mark), SYMBOLS[:2])
            expected |= {(symbol, date): mark for symbol in SYMBOLS[:2]}
        with child(COMPACTING, tmp_path) as process:
            assert line(process) == "compacting"
            time.sleep(moments.uniform(0.05, 0.9) * undisturbed_s)
            process.send_signal(signal.SIGKILL)
        halves += any((tmp_path / "day" / ".compacted").glob(".*.tmp"))
        assert marks_of(light.read("day")) == expected
        assert light.dates("day") == list(DATES)
    assert halves, "no kill met a file being written: nothing was tested"
    monkeypatch.setattr(compaction, "SETTLED_S", 0.0)
    compact(light, today=TODAY)
    assert compact(light, today=TODAY) == []
    assert sorted(path.name[:4] for path in (tmp_path / "day" / ".compacted").iterdir()) == ["2024", "2025"]
    monkeypatch.setattr(parquet, "_recent_file", None)  # from compacted files alone
    assert marks_of(light.read("day")) == expected


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = create_store(load_settings(home=tmp_path), "simulated", HEAVY_TABLES)
    yield opened
    opened.close()


@pytest.mark.parametrize(("kinds", "pause_s"), [(("light", "symbol"), 0.005), (("sql",), 0.5)])
def test_beside_writers_and_compactions_every_reader_sees_every_row_once_and_never_an_older_one(
    store: Store, tmp_path: Path, kinds: tuple[str, ...], pause_s: float
) -> None:
    light = store.light
    assert isinstance(light, ParquetLightStore)
    seen = fill(light)
    for date in DATES:
        store.manifest.commit("day", date, [manifest_row("day", symbol, date, -1, 1) for symbol in SYMBOLS])
    reads = compactions = 0
    with (
        child(COMPACTING, light.root) as compacting,
        child(WRITING, light.root, str(pause_s)) as writing,
        SqlConnection(store, load_settings(home=tmp_path)) as connection,
    ):
        assert line(compacting) == "compacting"
        assert line(writing).startswith("1 ")
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            for _ in range(5):
                seen |= read_once(kinds[reads % len(kinds)], light, connection, seen)
                reads += 1
            assert line(compacting) == "done"
            go_on(compacting)
            assert line(compacting) == "compacting"
            compactions += 1
        writing.send_signal(signal.SIGKILL)
        assert writing.stdout is not None
        acknowledged = [text.split() for text in writing.stdout.read().splitlines()]
    last = {(s, dt.date.fromisoformat(day)): int(mark) for mark, day, *symbols in acknowledged for s in symbols}
    assert last
    final = marks_of(light.read("day"))
    assert final.keys() == seen.keys()
    # The write that the kill met may be there or not.
    assert all(final[key] >= max(mark, seen[key]) for key, mark in last.items())
    assert compactions >= 2
    assert any(path.suffix == ".arrow" for path in (light.root / "day" / ".compacted").iterdir())


def read_once(kind: str, light: ParquetLightStore, connection: SqlConnection, seen: Marks) -> Marks:
    """Read all rows or one symbol's, and compare with what was seen before."""
    if kind == "sql":
        found = marks_of(connection.query("SELECT symbol, date, x0, x19 FROM day", as_="arrow"))
    else:
        found = marks_of(light.read("day", symbols=None if kind == "light" else [SYMBOLS[1]]))
    expected = {key for key in seen if kind != "symbol" or key[0] == SYMBOLS[1]}
    assert found.keys() == expected, f"{len(expected) - len(found)} rows are missing"
    older = [key for key in found if found[key] < seen[key]]
    assert not older, f"{kind} gave an older row of {older[:3]}"
    return found

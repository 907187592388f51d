"""All real symbol-days beside the checkout, through the steps that the assets run."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import BarSettings
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.engine import InlineEngine
from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS, RAW_TICKS
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.sources.files import FilesSource
from fuzzy_pipeline.steps.build_bars import BuildBarsStep
from fuzzy_pipeline.steps.describe_day import DayMetadataPhase1Step
from fuzzy_pipeline.steps.enrich import EnrichStep
from fuzzy_pipeline.steps.ingest import IngestStep
from fuzzy_pipeline.steps.run_date import run_date
from fuzzy_pipeline.steps.workbench import close_workbenches, workbench
from fuzzy_pipeline.trading_calendar import midnight_utc_ns

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def real(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A store of every real symbol-day."""
    source = FilesSource(shared_data / "ticks")
    home = tmp_path_factory.mktemp("real")
    settings = load_settings(
        home=home, source="files", files={"path": shared_data / "ticks"}, symbols=source.symbols(), _env_file=None
    )
    dates: dict[dt.date, list[str]] = {}
    for symbol in source.symbols():
        for date in source.dates(symbol):
            dates.setdefault(date, []).append(symbol)
    for date, symbols in sorted(dates.items()):
        for step in (IngestStep(), EnrichStep(), BuildBarsStep(), DayMetadataPhase1Step()):
            run_date(step, date, symbols, settings, InlineEngine()).raise_if_failed()
    yield settings
    close_workbenches()


def test_ticks_in_are_enriched_quarantined_and_official_for_every_symbol_and_date(
    real: Settings, shared_data: Path
) -> None:
    store = workbench(real).store
    listed = {
        file["file"].removeprefix("ticks/"): file["rows"]
        for file in json.loads((shared_data / "manifest.json").read_text())["files"]
        if file["file"].startswith("ticks/")
    }
    rows = store.manifest.rows(RAW_TICKS.name)
    assert len(rows) == len(listed) == 14
    for row in rows:
        assert row.rows_in == listed[f"symbol={row.symbol}/date={row.date}.parquet"]
        assert row.rows_set_aside == 0  # the real days break no hard rule
        assert store.committed(ENRICHED_TICKS, row.symbol, row.date).rows == row.rows_in - row.rows_official


def regular_sizes(path: Path) -> NDArray[np.int64]:
    """Sizes of the trades of a file's regular session, from the file alone: 09:30 to 16:00 on all of these dates.

    The closing print (code 0x40) belongs to it up to fifteen minutes after the close; settlements are no trades.
    """
    ticks = pq.read_table(path, partitioning=None).to_pandas()
    clock = ticks["time"] / 60_000_000
    closing = (ticks[["cond1", "cond2", "cond3", "cond4"]] == 0x40).any(axis=1)
    regular = (clock >= 9.5 * 60) & ((clock < 16 * 60) | (closing & (clock <= 16 * 60 + 15)))
    trades = (ticks["last_sz"] > 0) & ticks["last_type"].isin(["C", "E", "O", b"C", b"E", b"O"])
    return ticks.loc[regular & trades, "last_sz"].to_numpy(np.int64)


def test_every_series_of_every_family_holds_the_trades_of_every_symbol_and_date(
    real: Settings, shared_data: Path
) -> None:
    store = workbench(real).store
    series = 0
    for table in BAR_TABLES.values():
        for row in store.manifest.rows(table.name):
            sizes = regular_sizes(shared_data / "ticks" / f"symbol={row.symbol}" / f"date={row.date}.parquet")
            names = ["volume", "tick_count", "low", "vwap", "high"]
            stored = store.read(table, row.symbol, row.date, columns=names)
            for parameter, (start, stop) in stored.metadata["ranges"].items():
                where = (table.name, row.symbol, row.date, parameter)
                volume, ticks, low, vwap, high = (stored.arrays[name][start:stop] for name in names)
                assert int(volume.sum()) == int(sizes.sum()) > 0, where
                assert int(ticks.sum()) == len(sizes), where
                priced = ~np.isnan(vwap)
                assert np.all((low <= vwap)[priced] & (vwap <= high)[priced]), where
                series += 1
    assert series == 14 * 53


@pytest.mark.parametrize("date", [dt.date(2021, 3, 1), dt.date(2021, 3, 2)])
def test_one_second_bars_equal_iqfeeds_own_in_every_bar(real: Settings, shared_data: Path, date: dt.date) -> None:
    """Open, high, low, close, period volume and total volume. IQFeed has no bar where no tick sets a price."""
    with (shared_data / "reference_bars" / "NEPT_iqfeed_1s.csv").open(newline="") as file:
        expected = [row for row in csv.DictReader(file) if row["timestamp"].startswith(str(date))]
    ticks = workbench(real).store.read(ENRICHED_TICKS, "NEPT", date).arrays
    bars = build_bars(ticks, date, BarSettings(intervals=("1s",), sessions=("all",)), families=("time",))["time"].of(
        "1s"
    )
    priced = bars["qualified_tick_count"] > 0
    second = (bars["bar_start"].astype(np.int64)[priced] - midnight_utc_ns(date)) // 1_000_000_000
    clock = [f"{date} {s // 3600:02d}:{s % 3600 // 60:02d}:{s % 60:02d}" for s in second.tolist()]
    assert clock == [row["timestamp"] for row in expected]
    for ours, theirs in (
        ("open", "open"), ("high", "high"), ("low", "low"), ("close", "close"),
        ("qualified_volume", "period_volume"), ("total_volume", "total_volume"),
    ):  # fmt: skip
        assert bars[ours][priced].tolist() == [float(row[theirs]) for row in expected], ours
    assert len(expected) in (2422, 2495)


def test_minute_volumes_agree_with_independent_bars_of_the_same_tape(real: Settings, shared_data: Path) -> None:
    """Those bars follow another eligibility rule: nearly all minutes agree, not all."""
    reference = pq.read_table(shared_data / "reference_bars" / "us_2013_1m.parquet").to_pylist()
    volumes = {(row["symbol"], str(row["date"]), row["time"]): row["volume"] for row in reference}
    store = workbench(real).store
    agree = seen = 0
    for row in store.manifest.rows(ENRICHED_TICKS.name):
        if row.date.year != 2013:
            continue
        ticks = store.read(ENRICHED_TICKS, row.symbol, row.date).arrays
        bars = build_bars(ticks, row.date, BarSettings(intervals=("1m",), sessions=("all",)), families=("time",))[
            "time"
        ].of("1m")
        time_us = (bars["bar_start"].astype(np.int64) - midnight_utc_ns(row.date)) // 1000
        for start, volume in zip(time_us.tolist(), bars["volume"].tolist(), strict=True):
            expected = volumes.get((row.symbol, str(row.date), start))
            if expected is not None:
                seen += 1
                agree += volume == expected
    assert seen > 6000
    assert agree / seen > 0.99

"""The simulated market as a tick source: label, names kept for failures, dates, activity."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from hashlib import sha256

import numpy as np
import pytest

from fuzzy_pipeline.errors import CalendarError, NoDataError, UnknownSymbolError
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.settings import SimulatorSettings
from fuzzy_pipeline.simulator.market import SimulatedMarket, tape_bar
from fuzzy_pipeline.sources.protocol import TickSource

DATE = dt.date(2024, 5, 6)
SATURDAY = dt.date(2024, 5, 4)


@pytest.fixture
def market() -> SimulatedMarket:
    return SimulatedMarket(SimulatorSettings(seed=7, ticks_per_day=500))


def test_everything_it_gives_is_labelled_simulated(market: SimulatedMarket) -> None:
    source: TickSource = market
    fetched = source.fetch_ticks("KO", DATE)
    assert (source.kind, source.name) == ("simulated", "simulator")
    assert (fetched.kind, fetched.source, fetched.symbol, fetched.trading_date) == (
        "simulated", "simulator", "KO", DATE,
    )  # fmt: skip
    assert "seed 7" in fetched.detail
    assert "simulated" in source.check()


@pytest.mark.parametrize("symbol", ["UNKNOWN", "UNKNOWNCO", "ko", "", "A B", "../X"])
def test_unknown_names_are_refused(market: SimulatedMarket, symbol: str) -> None:
    with pytest.raises(UnknownSymbolError, match="simulator"):
        market.fetch_ticks(symbol, DATE)
    with pytest.raises(UnknownSymbolError):
        market.dates(symbol)


def test_names_that_begin_with_none_never_trade(market: SimulatedMarket) -> None:
    with pytest.raises(NoDataError, match="NONESUCH 2024-05-06"):
        market.fetch_ticks("NONESUCH", DATE)
    assert market.dates("NONESUCH") == ()


def test_a_date_that_does_not_trade_is_refused_even_for_empty_symbols(market: SimulatedMarket) -> None:
    for symbol in ("KO", "NONESUCH"):
        with pytest.raises(CalendarError, match="2024-05-04"):
            market.fetch_ticks(symbol, SATURDAY)


def test_dates_are_all_trading_dates(market: SimulatedMarket) -> None:
    dates = market.dates("KO")
    assert dates[0] == dt.date(2000, 1, 3)
    assert DATE in dates
    assert SATURDAY not in dates
    assert dt.date(2024, 7, 4) not in dates


def test_what_was_fetched_before_does_not_matter(market: SimulatedMarket) -> None:
    market.fetch_ticks("AAPL", DATE)
    after_another = market.fetch_ticks("KO", DATE)
    alone = SimulatedMarket(SimulatorSettings(seed=7, ticks_per_day=500)).fetch_ticks("KO", DATE)
    assert all((after_another.columns[name] == array).all() for name, array in alone.columns.items())


def test_another_process_with_another_hash_seed_gives_the_same_ticks(market: SimulatedMarket) -> None:
    script = (
        "import datetime as dt\n"
        "from hashlib import sha256\n"
        "from fuzzy_pipeline.settings import SimulatorSettings\n"
        "from fuzzy_pipeline.simulator.market import SimulatedMarket\n"
        "ticks = SimulatedMarket(SimulatorSettings(seed=7, ticks_per_day=500)).fetch_ticks('KO', dt.date(2024, 5, 6))\n"
        "print(sha256(b''.join(a.tobytes() for a in ticks.columns.values())).hexdigest())\n"
    )
    printed = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "12345"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()
    here = market.fetch_ticks("KO", DATE).columns
    assert printed == sha256(b"".join(array.tobytes() for array in here.values())).hexdigest()


def test_ticks_per_day_is_the_mean_and_symbols_differ_threefold() -> None:
    market = SimulatedMarket(SimulatorSettings(ticks_per_day=400))
    names = [f"S{n}" for n in range(150)]
    counts = np.array([len(market.fetch_ticks(name, DATE).columns["time"]) for name in names])
    assert counts.mean() == pytest.approx(400, rel=0.15)
    assert np.quantile(counts, 0.95) > 3 * np.quantile(counts, 0.05)
    benchmark = len(market.fetch_ticks("SPY", DATE).columns["time"])
    assert benchmark > 2 * np.median(counts)


# -- daily bars --------------------------------------------------------------


def test_the_daily_bar_is_what_reading_the_tape_trade_by_trade_gives(market: SimulatedMarket) -> None:
    columns = market.fetch_ticks("KO", DATE).columns
    opened = highest = lowest = last = None
    volume = 0
    for price, size, basis in zip(columns["last"], columns["last_sz"], columns["last_type"], strict=True):
        volume += int(size)
        if basis == b"C":
            opened = price if opened is None else opened
            highest = price if highest is None or price > highest else highest
            lowest = price if lowest is None or price < lowest else lowest
            last = price
    bar = market.daily_bar("KO", DATE)
    assert bar is not None
    assert (bar.open, bar.high, bar.low, bar.close, bar.volume) == (opened, highest, lowest, last, volume)
    assert volume == columns["tot_vlm"][-1]


def test_a_daily_bar_may_be_asked_for_alone_and_is_the_same(market: SimulatedMarket) -> None:
    alone = market.daily_bar("KO", DATE)
    market.fetch_ticks("AAPL", DATE)
    market.fetch_ticks("KO", DATE)
    assert alone == market.daily_bar("KO", DATE) != market.daily_bar("AAPL", DATE)


def test_symbols_and_dates_without_trades_have_no_daily_bar(market: SimulatedMarket) -> None:
    assert market.daily_bar("NONESUCH", DATE) is None
    with pytest.raises(UnknownSymbolError):
        market.daily_bar("UNKNOWN", DATE)
    with pytest.raises(CalendarError, match="2024-05-04"):
        market.daily_bar("KO", SATURDAY)


def test_prices_that_are_not_last_qualified_move_the_volume_only() -> None:
    tape = {
        "last": np.array([9.0, 10.0, 10.2, 11.0, 10.1]),
        "last_sz": np.array([1, 20, 300, 4000, 50_000], dtype="uint64"),
        "last_type": np.array([b"E", b"C", b"C", b"O", b"C"]),
    }
    assert tape_bar(tape) == SourceDailyBar(open=10.0, high=10.2, low=10.0, close=10.1, volume=54_321)
    assert tape_bar({name: column[:1] for name, column in tape.items()}) is None

"""Laws that every simulated symbol-day obeys: what real records were measured to obey."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.errors import CalendarError
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.tables import RAW_TICKS, check_arrays
from fuzzy_pipeline.simulator.tape import simulate_day

OPEN_US = (9 * 60 + 30) * 60_000_000
CLOSE_US = 16 * 3_600_000_000
HALF_DAY_CLOSE_US = 13 * 3_600_000_000
PRE_US, AFTER_US = 4 * 3_600_000_000, 20 * 3_600_000_000

# From the documentation of the captures, written down apart from the code under test.
BASIS_O = {0x05, 0x06, 0x11, 0x13, 0x19, 0x2E, 0x39, 0x3A, 0x3E, 0x44, 0x87, 0x89}
OFFICIAL = {0x39, 0x2E}

TRADING_DATES = trading_calendar.trading_dates(dt.date(2012, 1, 1), dt.date(2026, 12, 31))
FULL_DAY, HALF_DAY = dt.date(2021, 3, 1), dt.date(2021, 11, 26)

days = {
    "seed": st.integers(0, 2**40),
    "symbol": st.from_regex(r"\A[A-Z]{1,5}\Z"),
    "date": st.sampled_from(TRADING_DATES),
    "ticks_per_day": st.integers(100, 3_000),
}
few = settings(max_examples=40, deadline=None)


def codes(ticks: Arrays) -> list[set[int]]:
    rows = zip(*(ticks[f"cond{n}"].tolist() for n in range(1, 5)), strict=True)
    return [set(row) - {0} for row in rows]


def has(ticks: Arrays, code: int) -> np.ndarray:
    return np.any([ticks[f"cond{n}"] == code for n in range(1, 5)], axis=0)


@pytest.fixture(scope="module")
def full_day() -> Arrays:
    return simulate_day(20, "AAPL", FULL_DAY, 60_000)


@given(**days)
@few
def test_a_day_has_exactly_the_raw_columns_and_dtypes(
    seed: int, symbol: str, date: dt.date, ticks_per_day: int
) -> None:
    ticks = simulate_day(seed, symbol, date, ticks_per_day)
    check_arrays(RAW_TICKS, ticks, "simulated", key_columns=True)
    assert set(ticks["date"].tolist()) == {date}
    assert all(array.flags.writeable and array.flags.c_contiguous for array in ticks.values())


@given(**days)
@few
def test_tick_ids_count_from_one_on_each_market_centre_without_holes(
    seed: int, symbol: str, date: dt.date, ticks_per_day: int
) -> None:
    ticks = simulate_day(seed, symbol, date, ticks_per_day)
    for venue in np.unique(ticks["mkt_ctr"]):
        ids = ticks["tick_id"][ticks["mkt_ctr"] == venue].tolist()
        assert ids == list(range(1, len(ids) + 1))


@given(**days)
@few
def test_total_volume_grows_by_each_size_and_time_never_decreases(
    seed: int, symbol: str, date: dt.date, ticks_per_day: int
) -> None:
    ticks = simulate_day(seed, symbol, date, ticks_per_day)
    total = [0, *ticks["tot_vlm"].tolist()]
    grown = [after - before for before, after in pairwise(total)]
    assert grown == ticks["last_sz"].tolist()
    assert (np.diff(ticks["time"]) >= 0).all()
    assert ticks["time"][0] >= PRE_US
    assert ticks["time"][-1] < AFTER_US


@given(**days)
@few
def test_basis_follows_the_measured_rule(seed: int, symbol: str, date: dt.date, ticks_per_day: int) -> None:
    ticks = simulate_day(seed, symbol, date, ticks_per_day)
    expected = [b"O" if row & BASIS_O else b"E" if 0x17 in row else b"C" for row in codes(ticks)]
    assert ticks["last_type"].tolist() == expected


@given(**days)
@few
def test_sizes_agree_with_the_codes(seed: int, symbol: str, date: dt.date, ticks_per_day: int) -> None:
    ticks = simulate_day(seed, symbol, date, ticks_per_day)
    for size, row in zip(ticks["last_sz"].tolist(), codes(ticks), strict=True):
        assert row, "every print carries a code; a plain one carries 01"
        if row & OFFICIAL:
            assert size == 0
        elif 0x87 in row:
            assert 1 <= size <= 99
        else:
            assert size >= 100


@given(**days)
@few
def test_prices_have_four_decimals_and_quotes_two(seed: int, symbol: str, date: dt.date, ticks_per_day: int) -> None:
    ticks = simulate_day(seed, symbol, date, ticks_per_day)
    assert ticks["last"].tolist() == [float(f"{price:.4f}") for price in ticks["last"].tolist()]
    assert ticks["bid"].tolist() == [float(f"{price:.2f}") for price in ticks["bid"].tolist()]
    assert ticks["ask"].tolist() == [float(f"{price:.2f}") for price in ticks["ask"].tolist()]
    assert ticks["bid"].min() > 0
    assert (ticks["bid"] >= ticks["ask"]).mean() < 0.001


@given(**days)
@few
def test_form_t_is_carried_outside_the_regular_session_and_only_there(
    seed: int, symbol: str, date: dt.date, ticks_per_day: int
) -> None:
    ticks = simulate_day(seed, symbol, date, ticks_per_day)
    hours = trading_calendar.session(date)
    outside = (ticks["time"] < hours.open_us) | (ticks["time"] >= hours.close_us)
    form_t = has(ticks, 0x17) | has(ticks, 0x3A)
    auction_or_official = has(ticks, 0x40) | has(ticks, 0x2E)
    assert (form_t == (outside & ~auction_or_official)).all()


@given(**days)
@few
def test_one_opening_and_one_closing_auction_bound_the_regular_prints(
    seed: int, symbol: str, date: dt.date, ticks_per_day: int
) -> None:
    ticks = simulate_day(seed, symbol, date, ticks_per_day)
    hours = trading_calendar.session(date)
    opening, closing = np.flatnonzero(has(ticks, 0x8A)), np.flatnonzero(has(ticks, 0x40))
    assert len(opening) == len(closing) == 1
    assert has(ticks, 0x42)[[opening[0], closing[0]]].all()
    assert opening[0] == np.flatnonzero(ticks["time"] >= hours.open_us)[0]
    assert 400_000 <= ticks["time"][closing[0]] - hours.close_us < 1_000_000
    assert ticks["mkt_ctr"][opening[0]] == ticks["mkt_ctr"][closing[0]]


def test_no_regular_print_comes_before_the_opening_auction_of_a_busy_day() -> None:
    """At 200,000 ticks a day several orders a second arrive at the open; none may overtake the auction."""
    for seed in range(5):
        ticks = simulate_day(seed, "SPY", FULL_DAY, 70_000)
        first = int(np.flatnonzero(ticks["time"] >= OPEN_US)[0])
        assert codes({name: array[first : first + 2] for name, array in ticks.items()}) == [{0x8A, 0x42}, {0x39}]


def test_official_prints_repeat_the_auction_price_and_add_no_volume(full_day: Arrays) -> None:
    for auction_code, official_code in ((0x8A, 0x39), (0x40, 0x2E)):
        auction = int(np.flatnonzero(has(full_day, auction_code))[0])
        venue, price = full_day["mkt_ctr"][auction], full_day["last"][auction]
        official = np.flatnonzero(has(full_day, official_code) & (full_day["mkt_ctr"] == venue))
        assert full_day["last"][official].tolist() == [price]
        assert full_day["tot_vlm"][official[0]] == full_day["tot_vlm"][official[0] - 1]


def test_auctions_are_the_largest_prints_of_most_days() -> None:
    largest = 0
    for date in TRADING_DATES[:10]:
        ticks = simulate_day(20, "JPM", date, 5_000)
        largest += bool(has(ticks, 0x40)[ticks["last_sz"].argmax()])
    assert largest >= 5


def test_equal_arguments_give_equal_ticks_and_any_other_argument_gives_others() -> None:
    base = simulate_day(20, "AAPL", FULL_DAY, 2_000)
    again = simulate_day(20, "AAPL", FULL_DAY, 2_000)
    assert all((base[name] == again[name]).all() for name in RAW_TICKS.names)
    others = [
        simulate_day(21, "AAPL", FULL_DAY, 2_000),
        simulate_day(20, "AAPM", FULL_DAY, 2_000),
        simulate_day(20, "AAPL", dt.date(2021, 3, 2), 2_000),
    ]
    assert all(not np.array_equal(base["time"], other["time"]) for other in others)


def test_a_half_day_closes_at_one_and_has_fewer_ticks_in_proportion() -> None:
    ticks = [simulate_day(seed, "KO", HALF_DAY, 2_000) for seed in range(30)]
    whole = [simulate_day(seed, "KO", FULL_DAY, 2_000) for seed in range(30)]
    for half in ticks:
        continuous = ~has(half, 0x17) & ~has(half, 0x3A) & ~has(half, 0x40) & ~has(half, 0x2E)
        assert half["time"][continuous].max() < HALF_DAY_CLOSE_US
        assert half["time"].max() < HALF_DAY_CLOSE_US + 4 * 3_600_000_000
    ratio = sum(len(half["time"]) for half in ticks) / sum(len(day["time"]) for day in whole)
    assert ratio == pytest.approx(210 / 390, rel=0.2)


def test_a_date_without_a_session_is_refused() -> None:
    with pytest.raises(CalendarError, match="2021-11-25"):
        simulate_day(20, "AAPL", dt.date(2021, 11, 25), 2_000)


def test_activity_is_u_shaped(full_day: Arrays) -> None:
    half_hours = np.histogram(full_day["time"], bins=np.linspace(OPEN_US, CLOSE_US, 14))[0]
    middle = half_hours[4:9].mean()
    assert half_hours[0] > 2.0 * middle
    assert half_hours[-1] > 1.4 * middle


def test_ticks_share_microseconds_and_sweeps_spread_over_venues(full_day: Arrays) -> None:
    shared = np.diff(full_day["time"]) == 0
    assert 0.035 < shared.mean() < 0.065
    sweep = has(full_day, 0x3D)
    both = shared & sweep[1:] & sweep[:-1]
    other_venue = full_day["mkt_ctr"][1:] != full_day["mkt_ctr"][:-1]
    assert both.sum() > 500
    assert other_venue[both].mean() > 0.5


def test_arrivals_are_clustered(full_day: Arrays) -> None:
    """A Poisson stream of the same rate has a gap shorter than a tenth of the mean 9.5 % of the time."""
    regular = full_day["time"][(full_day["time"] >= OPEN_US) & (full_day["time"] < CLOSE_US)]
    gaps = np.diff(regular)
    assert (gaps < gaps.mean() / 10).mean() > 0.3


def test_sides_persist(full_day: Arrays) -> None:
    """The 2021 capture has 0.54 at lag 1 and 0.21 at lag 10; independent sides would have 0."""
    middle = (full_day["bid"] + full_day["ask"]) / 2
    side = np.sign(np.round(full_day["last"] - middle, 6))
    side = side[(side != 0) & (full_day["last_type"] != b"E")]
    assert 0.35 < np.corrcoef(side[:-1], side[1:])[0, 1] < 0.75
    assert 0.0 < np.corrcoef(side[:-10], side[10:])[0, 1] < 0.35


def test_trades_print_at_the_quote_midpoint_and_inside(full_day: Arrays) -> None:
    regular = (full_day["time"] >= OPEN_US) & (full_day["time"] < CLOSE_US)
    price, bid, ask = (full_day[name][regular] for name in ("last", "bid", "ask"))
    touch = ((price == bid) | (price == ask)).mean()
    outside = ((price < bid) | (price > ask)).mean()
    assert 0.55 < touch < 0.75
    assert 0.0 < outside < 0.02


def test_buying_moves_the_price_up(full_day: Arrays) -> None:
    """Midpoints of five minutes against signed volume: order flow has impact, so the correlation is positive."""
    regular = (full_day["time"] >= OPEN_US) & (full_day["time"] < CLOSE_US)
    middle = ((full_day["bid"] + full_day["ask"]) / 2)[regular]
    side = np.sign(np.round(full_day["last"][regular] - middle, 6))
    window = (full_day["time"][regular] - OPEN_US) // 60_000_000
    flow = np.bincount(window, side, minlength=390)
    last_row = np.searchsorted(window, np.arange(390), side="right") - 1
    moves = np.diff(middle[last_row])
    assert np.corrcoef(flow[1:], moves)[0, 1] > 0.15


def test_off_exchange_prints_are_about_two_fifths_of_volume() -> None:
    shares = []
    for symbol in ("AAPL", "JPM", "KO", "XOM"):
        ticks = simulate_day(20, symbol, FULL_DAY, 20_000)
        off = np.isin(ticks["mkt_ctr"], [19, 24, 164])
        shares.append(ticks["last_sz"][off].sum() / ticks["last_sz"].sum())
    assert np.mean(shares) == pytest.approx(0.40, abs=0.06)


def test_a_day_moves_by_a_sensible_amount() -> None:
    """Range of qualified prices, relative to the open: between 0.3 % and 8 %, 1 to 4 % in the median."""
    ranges = []
    for symbol in ("AAPL", "JPM", "KO", "XOM", "IBM"):
        for date in TRADING_DATES[1_000:1_012]:
            ticks = simulate_day(20, symbol, date, 500)
            price = ticks["last"][ticks["last_type"] == b"C"]
            ranges.append((price.max() - price.min()) / price[0])
    assert min(ranges) > 0.003
    assert max(ranges) < 0.08
    assert 0.01 < float(np.median(ranges)) < 0.04


def test_rare_kinds_of_prints_occur() -> None:
    ticks = simulate_day(20, "SPY", FULL_DAY, 100_000)
    seen = Counter(code for row in codes(ticks) for code in row)
    assert all(seen[code] for code in (0x3E, 0x19, 0x06, 0x47, 0x44, 0x89))
    blocks = ((ticks["last_sz"] >= 10_000) & ~has(ticks, 0x42)).mean()
    assert 0.0 < blocks < 0.005

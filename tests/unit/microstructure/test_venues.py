"""Volume, sizes and spreads by venue."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from fuzzy_pipeline.microstructure.venues import VenueAnalysis, venue_analysis
from fuzzy_pipeline.schema.codes import Exchange
from tests.oracles import venues as plain
from tests.unit.microstructure.session_trades import DRAWN, NAN, Trades, columns, real_session

TAKEN = ("exchange", "size", "bid", "ask")
OFF_EXCHANGE = {11, 12, 18, 20}  # the two Nasdaq TRFs, the NYSE TRF, the alternative display facility


def analysis_of(trades: Trades) -> VenueAnalysis:
    return venue_analysis(*(trades[name] for name in TAKEN))


def analysis(*trades: tuple[Exchange, int, float, float]) -> VenueAnalysis:
    return analysis_of(columns([(0, 10.0, size, bid, ask, 0, venue, False) for venue, size, bid, ask in trades]))


def test_shares_sizes_and_spreads_of_three_venues_can_be_added_up() -> None:
    # 600 of 1000 shares on NYSE in two trades, 300 off exchange, 100 on IEX: 1 − 0.36 − 0.09 − 0.01.
    found = analysis(
        (Exchange.IEX, 100, NAN, NAN),
        (Exchange.NYSE, 200, 9.99, 10.01),
        (Exchange.FINRA_NYSE_TRF, 300, 10.0, 10.0),
        (Exchange.NYSE, 400, 9.98, 10.02),
    )
    assert [venue.exchange for venue in found.venues] == [Exchange.NYSE, Exchange.FINRA_NYSE_TRF, Exchange.IEX]
    nyse, trf, iex = found.venues
    assert (nyse.trade_count, nyse.volume, nyse.volume_share, nyse.avg_trade_size) == (2, 600, 0.6, 300)
    assert (nyse.spread, nyse.spread_bps) == pytest.approx((0.03, 30))
    assert (trf.spread, trf.spread_bps) == (0, 0)
    assert math.isnan(iex.spread)
    assert math.isnan(iex.spread_bps)
    assert found.fragmentation == pytest.approx(0.54)
    assert found.off_exchange_share == 0.3


def test_one_venue_is_no_fragmentation_and_four_equal_ones_are_three_quarters() -> None:
    assert analysis((Exchange.NASDAQ, 500, NAN, NAN)).fragmentation == 0
    four = [(venue, 100, NAN, NAN) for venue in (Exchange.NASDAQ, Exchange.NYSE, Exchange.IEX, Exchange.MEMX)]
    assert analysis(*four).fragmentation == 0.75


@pytest.mark.parametrize("venue", list(Exchange))
def test_only_reporting_and_display_facilities_are_off_exchange(venue: Exchange) -> None:
    assert analysis((venue, 100, NAN, NAN)).off_exchange_share == (1.0 if int(venue) in OFF_EXCHANGE else 0.0)


def test_crossed_quotes_have_no_spread() -> None:
    [venue] = analysis((Exchange.NYSE, 100, 10.02, 10.0), (Exchange.NYSE, 100, 9.99, 10.01)).venues
    assert venue.spread == pytest.approx(0.02)
    [crossed] = analysis((Exchange.NYSE, 100, 10.02, 10.0)).venues
    assert math.isnan(crossed.spread)


def test_without_trades_there_are_no_venues_and_no_shares() -> None:
    found = analysis()
    assert found.venues == ()
    assert math.isnan(found.fragmentation)
    assert math.isnan(found.off_exchange_share)


def test_a_code_that_names_no_exchange_is_refused() -> None:
    trades = columns([(0, 10.0, 100, NAN, NAN, 0, 200, False)])
    with pytest.raises(ValueError, match="200 is not a valid Exchange"):
        analysis_of(trades)


@settings(max_examples=200, deadline=None)
@given(DRAWN)
def test_analysis_equals_its_plain_twin_and_shares_add_up_to_one(trades: Trades) -> None:
    expected = plain.venues(*(trades[name].tolist() for name in TAKEN))
    volume = sum(venue.volume for venue in expected)
    found = analysis_of(trades)
    assert [int(venue.exchange) for venue in found.venues] == [venue.code for venue in expected]
    for ours, theirs in zip(found.venues, expected, strict=True):
        assert (ours.trade_count, ours.volume) == (theirs.trades, theirs.volume)
        assert ours.volume_share == pytest.approx(theirs.volume / volume)
        assert ours.avg_trade_size == pytest.approx(theirs.volume / theirs.trades)
        assert ours.spread == pytest.approx(theirs.spread, abs=1e-12, nan_ok=True)
        assert ours.spread_bps == pytest.approx(theirs.spread_bps, abs=1e-9, nan_ok=True)
    if expected:
        shares = [venue.volume / volume for venue in expected]
        assert sum(venue.volume_share for venue in found.venues) == pytest.approx(1)
        assert found.fragmentation == pytest.approx(1 - sum(share**2 for share in shares), abs=1e-12)
        assert -1e-12 <= found.fragmentation <= 1 - 1 / len(shares) + 1e-12
        off = sum(venue.volume for venue in expected if venue.code in OFF_EXCHANGE)
        assert found.off_exchange_share == pytest.approx(off / volume)


@pytest.mark.real_data
def test_venues_of_a_real_day_hold_all_its_volume(shared_data: Path) -> None:
    trades, _, _ = real_session(shared_data, "BAC", dt.date(2013, 10, 8))
    found = analysis_of(trades)
    assert sum(venue.volume for venue in found.venues) == int(trades["size"].sum(dtype=np.int64))
    assert sum(venue.trade_count for venue in found.venues) == len(trades["price"])
    # All off-exchange prints of this day were reported to one facility: a third of the volume.
    trf = trades["size"][trades["exchange"] == 11].sum(dtype=np.int64) / trades["size"].sum(dtype=np.int64)
    assert found.off_exchange_share == pytest.approx(float(trf))
    assert 0.3 < found.off_exchange_share < 0.4

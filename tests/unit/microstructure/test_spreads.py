"""Quoted, effective and realised spread, and price impact."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fuzzy_pipeline.microstructure.quotes import quoted_spread, usable_midpoint
from fuzzy_pipeline.microstructure.spreads import (
    HorizonSummary,
    SpreadMeans,
    decompose_spread,
    effective_spread,
    summarise_horizons,
)
from tests.oracles import spreads as plain
from tests.unit.microstructure.session_trades import DRAWN, NAN, SECOND, Trades, columns, real_session, select

TUESDAY = dt.date(2013, 10, 8)
TRADED = ("price", "size", "bid", "ask", "trade_sign")


def quoted(*quotes: tuple[float, float]) -> Any:
    bid, ask = np.array(quotes, dtype=np.float64).reshape(-1, 2).T.copy()
    return quoted_spread(bid, ask)


def trades_of(*rows: tuple[float, float, int, float, float, int]) -> Trades:
    """Trades from second, price, size, bid, ask, sign."""
    found = columns([(0, price, size, bid, ask, sign, 1, False) for _, price, size, bid, ask, sign in rows])
    return found | {"timestamps": np.array([round(row[0] * SECOND) for row in rows], dtype=np.int64)}


def effective_of(trades: Trades) -> SpreadMeans:
    return effective_spread(*(trades[name] for name in TRADED))


def parts_of(trades: Trades, horizon_s: float, end_s: float) -> Any:
    return decompose_spread(
        *(trades[name] for name in ("timestamps", "price", "bid", "ask", "trade_sign")),
        round(horizon_s * SECOND), round(end_s * SECOND),
    )  # fmt: skip


def summaries_of(trades: Trades, end_ns: int, *horizons_s: float) -> tuple[HorizonSummary, ...]:
    return summarise_horizons(trades["timestamps"], *(trades[name] for name in TRADED), end_ns, horizons_s)


# -- quoted spread -------------------------------------------------------------


def test_quoted_spread_statistics_of_spreads_from_nought_to_forty_basis_points() -> None:
    # Widths 0.00 0.01 0.02 0.03 0.04 on a midpoint of 10.00: 0 10 20 30 40 bps. Mean 20; squared deviations
    # 400 + 100 + 0 + 100 + 400 over 5: 200. Ranks 0 to 4: 95 % lies at 3.8, 99 % at 3.96.
    found = quoted((9.985, 10.015), (10.0, 10.0), (9.98, 10.02), (9.995, 10.005), (9.99, 10.01))
    expected = {
        "n": 5, "mean_bps": 20, "median_bps": 20, "std_bps": math.sqrt(200), "min_bps": 0, "max_bps": 40,
        "p25_bps": 10, "p75_bps": 30, "p95_bps": 38, "p99_bps": 39.6, "zero_spread_count": 1, "inverted_count": 0,
    }  # fmt: skip
    assert dataclasses.asdict(found) == pytest.approx(expected, abs=1e-9)


def test_crossed_quotes_are_counted_and_left_out() -> None:
    found = quoted((10.02, 10.0), (9.99, 10.01), (10.01, 10.0))
    assert (found.n, found.inverted_count, found.zero_spread_count) == (1, 2, 0)
    assert found.mean_bps == pytest.approx(20)


def test_missing_and_half_quotes_are_neither_usable_nor_crossed() -> None:
    found = quoted((NAN, NAN), (10.0, NAN), (NAN, 10.0), (0.0, 10.0), (10.0, 0.0), (0.0, 0.0))
    assert (found.n, found.inverted_count, found.zero_spread_count) == (0, 0, 0)


@pytest.mark.parametrize("quotes", [[], [(NAN, NAN)] * 3, [(10.2, 10.0)] * 3])
def test_without_a_usable_quote_every_statistic_is_unknown(quotes: list[tuple[float, float]]) -> None:
    found = dataclasses.asdict(quoted(*quotes))
    assert found.pop("n") == 0
    assert [name for name in found if name.endswith("bps") and not math.isnan(found[name])] == []


def test_one_quote_is_every_percentile_and_has_no_deviation() -> None:
    found = quoted((9.99, 10.01))
    percentiles = (found.min_bps, found.p25_bps, found.median_bps, found.p75_bps, found.p95_bps, found.max_bps)
    assert percentiles == pytest.approx([20] * 6)
    assert found.std_bps == 0


@settings(deadline=None)
@given(DRAWN)
def test_quoted_spread_equals_its_plain_twin(trades: Trades) -> None:
    bid, ask = trades["bid"].tolist(), trades["ask"].tolist()
    found, expected = quoted_spread(trades["bid"], trades["ask"]), plain.quoted_bps(bid, ask)
    assert found.n == len(expected)
    assert found.zero_spread_count == expected.count(0.0)
    assert found.inverted_count == sum(b > a > 0 for b, a in zip(bid, ask, strict=True))
    if expected:
        shares = {"min": 0, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "p99": 0.99, "max": 1}
        for name, share in shares.items():
            assert getattr(found, f"{name}_bps") == pytest.approx(plain.percentile(expected, share), abs=1e-9)
        assert found.mean_bps == pytest.approx(math.fsum(expected) / len(expected), abs=1e-9)


@settings(deadline=None)
@given(DRAWN, st.randoms())
def test_the_order_of_quotes_does_not_matter(trades: Trades, random: Any) -> None:
    rows = list(range(len(trades["bid"])))
    random.shuffle(rows)
    shuffled = select(trades, np.array(rows, dtype=np.int64))
    once = dataclasses.asdict(quoted_spread(trades["bid"], trades["ask"]))
    assert dataclasses.asdict(quoted_spread(shuffled["bid"], shuffled["ask"])) == pytest.approx(once, nan_ok=True)


# -- effective spread ----------------------------------------------------------


def test_effective_spread_is_weighted_by_trades_and_by_shares() -> None:
    # 2·0.01 bought with 100 shares, 2·0.03 sold with 300, both on a midpoint of 10.00:
    # (0.02 + 0.06) / 2 = 0.04 and (2 + 18) / 400 = 0.05 USD, so 40 and 50 bps.
    found = effective_of(trades_of((0, 10.01, 100, 9.99, 10.01, 1), (1, 9.97, 300, 9.97, 10.03, -1)))
    assert dataclasses.astuple(found) == pytest.approx((2, 0.04, 0.05, 40, 50))


def test_trades_without_side_or_usable_quote_are_left_out_of_the_effective_spread() -> None:
    found = effective_of(
        trades_of(
            (0, 10.01, 100, 9.99, 10.01, 1),
            (1, 10.01, 100, 9.99, 10.01, 0),
            (2, 10.5, 100, 10.2, 10.0, 1),
            (3, 10.5, 100, NAN, NAN, 1),
        )
    )
    assert (found.n, found.usd) == (1, pytest.approx(0.02))


def test_a_sale_above_a_locked_quote_has_a_negative_effective_spread() -> None:
    assert effective_of(trades_of((0, 10.01, 100, 10.0, 10.0, -1))).usd == pytest.approx(-0.02)


def test_midpoints_need_a_positive_uncrossed_quote() -> None:
    bid, ask = np.array([10.0, 10.0, 10.2, 0.0, NAN]), np.array([10.5, 10.0, 10.0, 10.0, 10.0])
    np.testing.assert_array_equal(usable_midpoint(bid, ask), [10.25, 10.0, NAN, NAN, NAN])


# -- realised spread and price impact ------------------------------------------


def test_the_later_midpoint_is_the_last_one_at_or_before_the_horizon() -> None:
    # Bought at 10.02 on 10.00. Ten seconds later the last midpoint seen is that of second 10, 10.03, seen just then;
    # nine seconds later that of second 4, 10.01, five seconds old.
    trades = trades_of(
        (0, 10.02, 100, 9.98, 10.02, 1), (4, 10.01, 100, 9.99, 10.03, 0), (10, 10.03, 100, 10.01, 10.05, 0)
    )
    ten, nine = parts_of(trades, 10, 60), parts_of(trades, 9, 60)
    assert [ten.effective[0], ten.realised[0], ten.impact[0], ten.age_s[0]] == pytest.approx([0.04, -0.02, 0.06, 0])
    assert [nine.effective[0], nine.realised[0], nine.impact[0], nine.age_s[0]] == pytest.approx([0.04, 0.02, 0.02, 5])


def test_a_fall_after_a_sale_is_a_positive_impact() -> None:
    trades = trades_of((0, 9.98, 100, 9.98, 10.02, -1), (1, 9.95, 100, 9.93, 9.97, 0))
    assert parts_of(trades, 1, 60).impact[0] == pytest.approx(0.1)


def test_unusable_quotes_do_not_move_the_later_midpoint_and_it_grows_old() -> None:
    trades = trades_of(
        (0, 10.02, 100, 9.98, 10.02, 1), (1, 10.5, 100, 10.6, 10.4, 1), (2, 10.5, 100, NAN, NAN, 1)
    )  # fmt: skip
    parts = parts_of(trades, 10, 60)
    assert (parts.impact[0], parts.age_s[0]) == (0, 10)
    assert np.isnan(parts.effective[1:]).all()


def test_a_trade_whose_horizon_is_past_the_close_is_unknown_but_one_that_ends_with_it_is_not() -> None:
    trades = trades_of(*((second, 10.02, 100, 9.98, 10.02, 1) for second in (49, 50, 50.000001, 61)))
    parts = parts_of(trades, 10, 60)
    for values in (parts.effective, parts.realised, parts.impact, parts.age_s):
        assert np.isnan(values).tolist() == [False, False, True, True]


def test_quotes_of_the_closing_auction_are_not_seen_before_the_close() -> None:
    trades = trades_of((50, 10.02, 100, 9.98, 10.02, 1), (60.4, 11.0, 100, 10.9, 11.1, 0))
    assert parts_of(trades, 10, 60).impact[0] == 0


def test_of_quotes_at_one_instant_the_last_to_arrive_counts() -> None:
    trades = trades_of(
        (0, 10.02, 100, 9.98, 10.02, 1), (1, 10.0, 100, 10.0, 10.1, 0), (1, 10.0, 100, 10.0, 10.02, 0)
    )  # fmt: skip
    assert parts_of(trades, 1, 60).impact[0] == pytest.approx(0.02)


def test_the_summary_of_two_trades_can_be_added_up() -> None:
    # A purchase of 100 at 10.02 on 10.00, then 10.01: ES 0.04 = RS 0.02 + PI 0.02.
    # A sale of 300 at 10.00 on 10.01, then 9.98: ES 0.02 = RS −0.04 + PI 0.06; ages 0.5 s and 1 s after 1 s.
    trades = trades_of(
        (0, 10.02, 100, 9.98, 10.02, 1), (0.5, 10.0, 300, 10.0, 10.02, -1), (1.5, 9.98, 1, 9.97, 9.99, 0)
    )
    [found] = summaries_of(trades, 60 * SECOND, 1)
    assert (found.horizon_s, found.price_impact.n, found.mean_age_s) == (1.0, 2, pytest.approx(0.25))
    means = (found.effective_spread, found.realised_spread, found.price_impact)
    assert [part.usd for part in means] == pytest.approx([0.03, -0.01, 0.04])
    assert [part.usd_vw for part in means] == pytest.approx([0.025, -0.025, 0.05])
    assert means[2].bps == pytest.approx((0.02 / 10 + 0.06 / 10.01) / 2 * 1e4)


def test_bps_are_of_the_midpoint_at_the_trade() -> None:
    parts = parts_of(trades_of((0, 10.02, 100, 9.98, 10.02, 1), (1, 20.0, 100, 19.9, 20.1, 0)), 1, 60)
    assert parts.in_bps(parts.impact)[0] == pytest.approx(2 * 10 / 10 * 1e4)


@pytest.mark.parametrize(
    "trades",
    [trades_of(), trades_of((0, 10.0, 100, NAN, NAN, 1)), trades_of(*[(0, 10.0, 100, 10.2, 10.0, 1)] * 3)],
    ids=["no trade", "no quote", "all crossed"],
)
def test_without_a_known_trade_all_means_are_unknown(trades: Trades) -> None:
    nothing = pytest.approx((0, NAN, NAN, NAN, NAN), nan_ok=True)
    assert dataclasses.astuple(effective_of(trades)) == nothing
    [found] = summaries_of(trades, 60 * SECOND, 1)
    for part in (found.effective_spread, found.realised_spread, found.price_impact):
        assert dataclasses.astuple(part) == nothing
    assert math.isnan(found.mean_age_s)
    assert np.isnan(parts_of(trades, 1, 60).effective).all()


def test_a_negative_horizon_is_refused() -> None:
    trades = trades_of((0, 10.0, 100, 9.9, 10.1, 1))
    with pytest.raises(ValueError, match="not negative: -1 s"):
        summaries_of(trades, 60 * SECOND, 1, -1)
    with pytest.raises(ValueError, match="not negative"):
        parts_of(trades, -1, 60)


@settings(max_examples=200, deadline=None)
@given(DRAWN, st.sampled_from([0, 1, SECOND // 2, SECOND, 5 * SECOND]), st.sampled_from([0, 3, 20, 100]))
def test_every_trade_equals_its_plain_twin_and_the_means_are_theirs(trades: Trades, horizon: int, end_s: int) -> None:
    lists = [trades[name].tolist() for name in ("timestamps", "price", "bid", "ask", "trade_sign")]
    each = [plain.parts_of_trade(i, *lists, horizon, end_s * SECOND) for i in range(len(lists[0]))]
    found = parts_of(trades, horizon / SECOND, end_s)
    [summary] = summaries_of(trades, end_s * SECOND, horizon / SECOND)
    kept = np.empty(len(lists[0]))
    taken = trades["timestamps"], *(trades[name] for name in TRADED), end_s * SECOND, [horizon / SECOND]
    assert str(summarise_horizons(*taken, impact_bps={horizon / SECOND: kept})) == str((summary,))
    np.testing.assert_allclose(
        kept,
        [one.impact / plain.midpoint(b, a) * 1e4 for one, b, a in zip(each, lists[2], lists[3], strict=True)],
        atol=1e-9,
    )
    middles = [plain.midpoint(b, a) for b, a in zip(lists[2], lists[3], strict=True)]
    for part, total in (("effective", "effective_spread"), ("realised", "realised_spread"), ("impact", "price_impact")):
        values = [getattr(one, part) for one in each]
        np.testing.assert_allclose(getattr(found, part), values, atol=1e-12, rtol=0)
        expected = plain.means(values, middles, trades["size"].tolist())
        assert dataclasses.astuple(getattr(summary, total)) == pytest.approx(expected, abs=1e-9, nan_ok=True)
    np.testing.assert_allclose(found.age_s, [one.age_s for one in each], atol=1e-12)
    ages = [one.age_s for one in each if not math.isnan(one.age_s)]
    assert summary.mean_age_s == pytest.approx(sum(ages) / len(ages) if ages else NAN, nan_ok=True)


@settings(deadline=None)
@given(DRAWN, st.sampled_from([1, SECOND, 5 * SECOND]))
def test_effective_spread_is_realised_spread_plus_price_impact(trades: Trades, horizon: int) -> None:
    parts = parts_of(trades, horizon / SECOND, 100)
    np.testing.assert_allclose(parts.effective, parts.realised + parts.impact, atol=1e-13)
    [found] = summaries_of(trades, 100 * SECOND, horizon / SECOND)
    for name in ("usd", "usd_vw", "bps", "bps_vw"):
        whole, realised, impact = (
            getattr(part, name) for part in (found.effective_spread, found.realised_spread, found.price_impact)
        )
        assert realised + impact == pytest.approx(whole, abs=1e-8, nan_ok=True)


@settings(deadline=None)
@given(DRAWN)
def test_share_weighted_means_do_not_change_when_a_trade_is_reported_in_two_halves(trades: Trades) -> None:
    halves = select(trades, np.repeat(np.arange(len(trades["price"])), 2))
    whole = trades | {"size": trades["size"] // 2 * 2}
    halves["size"] = np.repeat(trades["size"] // 2, 2)
    # A single share has no halves: such trades weigh nothing on both sides.
    one, two = effective_of(whole), effective_of(halves)
    assert (two.usd_vw, two.bps_vw) == pytest.approx((one.usd_vw, one.bps_vw), nan_ok=True)


def simulated(rng: np.random.Generator, n: int, half_spread: float, impact: float) -> Trades:
    """One trade a second with random sides; each moves the midpoint by ±impact, and noise of 0.005 USD moves it too."""
    sign = rng.choice(np.array([-1, 1], dtype=np.int8), n)
    steps = impact * sign + rng.normal(0, 0.005, n)
    midpoint = 100 + np.concatenate([[0.0], np.cumsum(steps)[:-1]])  # the quote at a trade is the one before it
    return {
        "timestamps": np.arange(n, dtype=np.int64) * SECOND, "price": midpoint + half_spread * sign,
        "size": rng.integers(1, 1000, n).astype(np.uint32), "bid": midpoint - half_spread,
        "ask": midpoint + half_spread, "trade_sign": sign,
    }  # fmt: skip


@pytest.mark.parametrize("impact", [0.0, 0.004])
def test_a_known_impact_is_recovered_within_four_standard_errors(impact: float) -> None:
    # Sides are independent, so that on the average only a trade's own impact is left after ten seconds.
    trades = simulated(np.random.default_rng(7), 20_000, half_spread=0.01, impact=impact)
    parts = parts_of(trades, 10, 30_000)
    # Midpoint changes of ten seconds overlap: their sum has ten times the variance of as many separate ones.
    error = math.sqrt(10) * float(np.std(parts.impact)) / math.sqrt(len(parts.impact))
    assert float(np.mean(parts.impact)) == pytest.approx(2 * impact, abs=4 * error)
    assert float(np.mean(parts.realised)) == pytest.approx(2 * (0.01 - impact), abs=4 * error)
    assert error < 0.001
    np.testing.assert_allclose(parts.effective, 0.02, atol=1e-12)


def test_a_midpoint_that_never_moves_has_exactly_no_impact() -> None:
    trades = trades_of(*((second, 10.02, 100, 9.98, 10.02, 1) for second in range(20)))
    [found] = summaries_of(trades, 30 * SECOND, 5)
    assert dataclasses.astuple(found.price_impact) == (20, 0.0, 0.0, 0.0, 0.0)
    assert found.realised_spread == found.effective_spread


# -- real days -----------------------------------------------------------------


@pytest.mark.real_data
def test_law_and_twin_hold_on_a_real_day(shared_data: Path) -> None:
    trades, _, end = real_session(shared_data, "BAC", TUESDAY)
    arrays = [trades[name] for name in ("timestamps", "price", "bid", "ask", "trade_sign")]
    for summary in summarise_horizons(trades["timestamps"], *(trades[name] for name in TRADED), end):
        parts = decompose_spread(*arrays, round(summary.horizon_s * SECOND), end)
        known = ~np.isnan(parts.effective)
        assert known.sum() == summary.price_impact.n > 100_000
        np.testing.assert_allclose(parts.effective[known], (parts.realised + parts.impact)[known], atol=1e-13)
        assert summary.price_impact.usd == pytest.approx(float(np.mean(parts.impact[known])))
        assert summary.price_impact.bps == pytest.approx(float(np.mean(parts.in_bps(parts.impact)[known])))
    first = select(trades, slice(0, 1_000))
    lists = [first[name].tolist() for name in ("timestamps", "price", "bid", "ask", "trade_sign")]
    expected = [plain.parts_of_trade(i, *lists, 10 * SECOND, end).impact for i in range(1_000)]
    found = decompose_spread(*(np.ascontiguousarray(first[name]) for name in (
        "timestamps", "price", "bid", "ask", "trade_sign")), 10 * SECOND, end)  # fmt: skip
    np.testing.assert_allclose(found.impact, expected, atol=1e-12)


@pytest.mark.real_data
def test_a_real_day_without_quotes_has_no_spread(shared_data: Path) -> None:
    trades, _, end = real_session(shared_data, "SPY", TUESDAY)
    assert quoted_spread(trades["bid"], trades["ask"]).n == 0
    assert effective_of(trades).n == 0
    assert [found.price_impact.n for found in summaries_of(trades, end, 1, 60)] == [0, 0]

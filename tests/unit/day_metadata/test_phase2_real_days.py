"""Phase 2 of real days: laws hold, plain Python says the same, and the methodology page shows them."""

from __future__ import annotations

import datetime as dt
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.bars.session_ticks import session_bounds_ns
from fuzzy_pipeline.day_metadata.phase1 import day_metadata_phase1
from fuzzy_pipeline.day_metadata.phase2 import PHASE2_COLUMNS
from fuzzy_pipeline.schema.codes import Session
from fuzzy_pipeline.schema.day_metadata_phase2 import DayMetadataPhase2
from tests.oracles import day_metadata as plain
from tests.oracles import entropy as plain_entropy
from tests.oracles import institutional_flow as plain_flow
from tests.oracles import liquidity as plain_liquidity
from tests.oracles import noise as plain_noise
from tests.oracles import price_impact as plain_impact
from tests.unit.day_metadata.day_records import REAL_DAYS, real_ticks
from tests.unit.day_metadata.phase2_records import phase2_of

pytestmark = pytest.mark.real_data

PAGE = Path(__file__).resolve().parents[3] / "docs" / "methodology" / "day_metadata.md"
NAN = math.nan
BPS = 1e4
MINUTE_NS = 60 * 10**9

Rows = list[dict[str, Any]]
Day = tuple[DayMetadataPhase2, Rows, tuple[int, int]]


@pytest.fixture(scope="module", params=REAL_DAYS, ids=lambda day: day[0])
def day(request: pytest.FixtureRequest, shared_data: Path) -> Day:
    """A record without earlier dates, the counted ticks it is of, and the session's bounds."""
    symbol, date = request.param
    ticks = real_ticks(shared_data, symbol, date)
    taken = {name: ticks[name].view("int64") if name == "timestamp" else ticks[name] for name in PHASE2_COLUMNS}
    rows = plain.counted(taken, int(Session.REGULAR))
    return phase2_of(ticks, symbol=symbol, date=date), rows, session_bounds_ns("regular", date)


def mean(values: list[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def test_spreads_and_impacts_are_those_of_plain_python_and_add_up(day: Day) -> None:
    record, rows, (_, end_ns) = day
    for one in record.spread_horizons:
        trades = plain.trades_at_horizon(rows, int(one.horizon_s), end_ns)
        assert one.n == len(trades)
        shares = sum(row["size"] for row, *_ in trades)
        if not trades:
            assert (record.symbol, one.price_impact_usd) == ("SPY", None)
            continue
        assert one.realised_spread_usd == pytest.approx(mean([realised for _, _, realised, _ in trades]))
        impact_bps_vw = math.fsum(impact / mid * row["size"] for row, mid, _, impact in trades) / shares * BPS
        assert one.price_impact_bps_vw == pytest.approx(impact_bps_vw)
        for kind in ("usd", "usd_vw", "bps", "bps_vw"):
            effective = getattr(one, f"effective_spread_{kind}")
            parts = getattr(one, f"realised_spread_{kind}") + getattr(one, f"price_impact_{kind}")
            assert parts == pytest.approx(effective, abs=1e-9)


def test_impact_of_large_trades_and_blocks_is_that_of_plain_python(day: Day) -> None:
    record, rows, (_, end_ns) = day

    def of_blocks(horizon_s: int) -> list[float]:
        trades = plain.trades_at_horizon(rows, horizon_s, end_ns)
        return [impact / mid * BPS for row, mid, _, impact in trades if row["size"] >= 10_000]

    toxicity, impact = record.toxicity_metrics, record.impact_features
    assert toxicity.large_trade_count == sum(row["size"] >= 10_000 for row in rows)
    for found, n, horizon_s in (
        (toxicity.adverse_selection_score, toxicity.adverse_selection_n, 60),
        (impact.large_trade_impact_bps, impact.large_trade_impact_n, 300),
        (toxicity.permanent_impact_estimate, toxicity.permanent_impact_n, 1800),
    ):
        expected = of_blocks(horizon_s)
        assert n == len(expected)
        assert found == (pytest.approx(mean(expected)) if expected else None)


def test_kyle_lambda_is_the_slope_numpy_fits_to_plain_intervals(day: Day) -> None:
    record, rows, (start_ns, end_ns) = day
    middles = [NAN if (mid := plain.middle(row)) is None else mid for row in rows]
    columns = [[row[name] for row in rows] for name in ("timestamp", "price", "size", "trade_sign")]
    intervals = plain_impact.interval_flow(columns[0], middles, *columns[1:], start_ns, end_ns, 5 * MINUTE_NS)
    impact = record.impact_features
    assert impact.kyle_lambda_n == len(intervals)
    if not intervals:
        assert (record.symbol, impact.kyle_lambda_estimate) == ("SPY", None)
        return
    change, _, shares, _ = np.array(intervals).T
    assert impact.kyle_lambda_estimate == pytest.approx(np.polyfit(shares, change, 1)[0] * 1e6)
    assert impact.kyle_lambda_r_squared == pytest.approx(np.corrcoef(shares, change)[0, 1] ** 2)


def test_patterns_are_those_of_plain_python(day: Day) -> None:
    record, rows, (start_ns, end_ns) = day
    times, price = ([row[name] for row in rows if row["is_qualified"]] for name in ("timestamp", "price"))
    patterns = record.microstructure_patterns
    for step, found in ((1, patterns.autocorrelation_1min), (5, patterns.autocorrelation_5min)):
        marks = np.array(plain_noise.sample_prices(times, price, start_ns, end_ns, step * MINUTE_NS))
        returns = np.diff(np.log(marks[~np.isnan(marks)]))
        deviation = returns - returns.mean()
        assert found == pytest.approx(float(deviation[1:] @ deviation[:-1] / (deviation @ deviation)))
    log_price = plain_noise.distinct_log_prices(times, price)
    assert patterns.noise_n == len(log_price) - 1
    assert patterns.microstructure_noise is not None
    *_, variance = plain_noise.two_scales(log_price, patterns.noise_subsamples)
    assert patterns.microstructure_noise == pytest.approx(math.sqrt(variance) * BPS)
    assert patterns.signature_plot[0].realised_volatility == pytest.approx(
        math.sqrt(plain_noise.realised_variance(log_price))
    )
    if len(price) < 200_000:  # exact fractions take their time
        assert record.tier2.roll_spread == pytest.approx(plain_liquidity.roll(price), nan_ok=True)
    signs = [row["trade_sign"] for row in rows]
    assert record.tier2.trade_entropy == pytest.approx(plain_entropy.bits_per_trade(signs, 5))


def test_institutional_flow_is_that_of_plain_python(day: Day) -> None:
    record, rows, _ = day
    trades = [
        {
            "number": number, "time": row["timestamp"], "price": row["price"], "size": row["size"],
            "sign": row["trade_sign"], "venue": row["market_center"], "is_block": row["size"] >= 10_000,
            "is_sweep": row["is_intermarket_sweep"], "is_odd_lot": row["is_odd_lot"],
        }
        for number, row in enumerate(rows)
    ]  # fmt: skip
    flow = record.institutional_flow
    volume = sum(trade["size"] for trade in trades)
    blocks = [trade["size"] for trade in trades if trade["is_block"]]
    assert (flow.block_trade_count, flow.block_volume_pct) == (len(blocks), pytest.approx(sum(blocks) / volume))
    assert flow.average_trade_value == pytest.approx(
        math.fsum(trade["price"] * trade["size"] for trade in trades) / len(trades)
    )
    assert flow.accumulation_distribution == pytest.approx(
        sum(trade["sign"] * trade["size"] for trade in trades) / volume
    )
    expected = plain_flow.flow(trades)
    assert flow.sweep_order_count == expected["sweep_order_count"]
    assert flow.institutional_participation == pytest.approx(expected["institutional_participation"])


def test_both_phases_count_the_same_bursts(day: Day, shared_data: Path) -> None:
    record, _, _ = day
    phase1 = day_metadata_phase1(real_ticks(shared_data, record.symbol, record.date), record.symbol, record.date)
    assert record.microstructure_patterns.burst_count == phase1.yardsticks.burst_count


def test_every_null_has_a_reason_and_no_number_is_infinite(day: Day) -> None:
    dumped = str(day[0].model_dump(exclude={"null_reasons"}))
    assert len(day[0].null_reasons) == dumped.count(": None")
    assert not re.search(r"\b(inf|nan)\b", dumped)


def test_a_day_after_five_like_it_is_judged_by_them(shared_data: Path) -> None:
    """The symbol's own yardsticks, taken from dates before that had the same ticks."""
    symbol, date = REAL_DAYS[0]
    ticks = real_ticks(shared_data, symbol, date)
    same = day_metadata_phase1(ticks, symbol, date)
    before = [same.model_copy(update={"date": earlier}) for earlier in trading_calendar.trading_dates_before(date, 5)]
    found = phase2_of(ticks, symbol=symbol, date=date, earlier=before)
    toxicity = found.toxicity_metrics
    assert toxicity.large_trade_size == same.yardsticks.p95_trade_size
    assert toxicity.large_trade_count >= 0.05 * same.basic_stats.total_ticks
    # Rank 0.95 · 1944 of five times 389 minutes, from 0, is the 370th of the 389: 19 exceed it.
    assert toxicity.toxic_minutes == 19
    # A day of the usual volume, but for prints without a side, fills fifty buckets but for those.
    assert toxicity.vpin_buckets_closed == 47
    assert len(found.vpin_state.imbalances) == 47
    assert found.market_regime.stress_indicator == 50
    assert found.market_regime.regime_change_yardstick == "trailing_dates"


def shown(page: str) -> list[tuple[str, str]]:
    """Fields and values of the page's tables of two or three columns, units taken off."""
    rows = re.findall(r"^\| `(\w+\.\w+)` \| (-?[\d.,]+|[a-z_]+)( [^|]*)?\|", page, re.MULTILINE)
    return [(field, text) for field, text, _ in rows]


def test_the_example_of_the_methodology_page_is_the_record(shared_data: Path) -> None:
    symbol, date = REAL_DAYS[0]
    assert date == dt.date(2013, 10, 8)
    dumped = phase2_of(real_ticks(shared_data, symbol, date), symbol=symbol, date=date).model_dump()
    page = PAGE.read_text(encoding="utf-8")
    fields = [(field.split("."), text) for field, text in shown(page) if field.split(".")[0] in dumped]
    assert len(fields) >= 60
    for (group, name), text in fields:
        value = dumped[group][name]
        if isinstance(value, str | bool) or value is None:
            assert {"None": "null", "True": "true"}.get(str(value), str(value)) == text, name
        else:
            assert_shown(value, text, name)
    horizons = re.findall(r"^\| (\d+) s \|(.*)\|$", page, re.MULTILINE)
    assert [float(seconds) for seconds, _ in horizons] == [one["horizon_s"] for one in dumped["spread_horizons"]]
    names = (
        "n",
        "mean_age_s",
        "effective_spread_bps",
        "realised_spread_bps",
        "price_impact_bps",
        "effective_spread_bps_vw",
        "realised_spread_bps_vw",
        "price_impact_bps_vw",
    )
    for one, (_, cells) in zip(dumped["spread_horizons"], horizons, strict=True):
        for name, text in zip(names, cells.split("|"), strict=True):
            assert_shown(one[name], text.strip(), name)


def assert_shown(value: float, text: str, name: str) -> None:
    """The text is the value, rounded to its last digit."""
    number = text.replace(",", "")
    half_of_last_digit = 0.5 * 10.0 ** -len(number.partition(".")[2])
    assert math.isclose(value, float(number), rel_tol=0, abs_tol=half_of_last_digit * 1.001), name

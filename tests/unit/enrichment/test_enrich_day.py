"""The rules of the 42 enriched columns, on ticks a reader can work out by hand."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import numpy as np
import pytest

from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.enrichment.day import EnrichmentRules, enrich_day
from fuzzy_pipeline.errors import CalendarError, SchemaError
from fuzzy_pipeline.schema.codes import Exchange, Participant, Session
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, check_arrays
from tests.unit.enrichment.raw_ticks import HALF_DAY, TUESDAY, clock, raw_ticks

NAN = math.nan
QUOTE, TICK_TEST, NONE = 1, 2, 0
U, R, INST, ALGO = (
    int(kind) for kind in (Participant.UNKNOWN, Participant.RETAIL, Participant.INSTITUTIONAL, Participant.ALGO)
)
CLOSED, PRE, REGULAR, AFTER = (int(part) for part in (Session.CLOSED, Session.PRE, Session.REGULAR, Session.AFTER))


def column(
    name: str, price: list[float], *, date: dt.date = TUESDAY, rules: EnrichmentRules | None = None, **given: Any
) -> list[Any]:
    """One enriched column of hand-made ticks."""
    values: list[Any] = enrich_day(raw_ticks(price, date=date, **given), "TEST", date, rules)[name].tolist()
    return values


def signs(price: list[float], **given: Any) -> list[tuple[int, int]]:
    """(trade_sign, trade_sign_method) of hand-made ticks."""
    out = enrich_day(raw_ticks(price, **given), "TEST", TUESDAY)
    return list(zip(out["trade_sign"].tolist(), out["trade_sign_method"].tolist(), strict=True))


# -- shape ---------------------------------------------------------------------------------------------


def test_result_has_exactly_the_declared_columns_and_types() -> None:
    check_arrays(ENRICHED_TICKS, enrich_day(raw_ticks([10.05, 10.10]), "TEST", TUESDAY), "test")


def test_a_day_without_ticks_gives_empty_columns() -> None:
    out = enrich_day(raw_ticks([]), "TEST", TUESDAY)
    check_arrays(ENRICHED_TICKS, out, "test")
    assert {len(array) for array in out.values()} == {0}


def test_a_missing_raw_column_is_refused_by_name() -> None:
    raw = raw_ticks([10.05])
    del raw["cond3"]
    with pytest.raises(SchemaError, match="cond3"):
        enrich_day(raw, "TEST", TUESDAY)


def test_a_date_that_does_not_trade_is_refused() -> None:
    sunday = dt.date(2013, 10, 6)
    with pytest.raises(CalendarError, match="2013-10-06"):
        enrich_day(raw_ticks([10.05], date=sunday), "TEST", sunday)


# -- carried columns and time --------------------------------------------------------------------------


def test_carried_columns_keep_their_values() -> None:
    raw = raw_ticks([10.05], size=[300], basis=["O"], market_center=[19], total=[700], codes=[(0x87, 0x3D, 0x17, 0x47)])
    out = {name: array.tolist() for name, array in enrich_day(raw, "TEST", TUESDAY).items()}
    assert (out["tick_id"], out["price"], out["size"], out["total_volume"]) == ([1], [10.05], [300], [700])
    assert (out["basis"], out["market_center"], out["bid"], out["ask"]) == ([79], [19], [10.00], [10.10])
    assert [out[f"condition_{n}"][0] for n in (1, 2, 3, 4)] == [0x87, 0x3D, 0x17, 0x47]


@pytest.mark.parametrize(
    ("date", "utc"),
    [(dt.date(2013, 10, 8), "2013-10-08T14:00:00.000001"), (dt.date(2013, 12, 10), "2013-12-10T15:00:00.000001")],
    ids=["daylight saving time", "standard time"],
)
def test_timestamp_is_the_eastern_time_as_utc(date: dt.date, utc: str) -> None:
    out = enrich_day(raw_ticks([10.0], date=date, time=["10:00:00.000001"]), "TEST", date)
    assert out["timestamp"][0] == np.datetime64(utc, "ns")


def test_ticks_are_ordered_by_time_and_keep_arrival_order_within_a_time() -> None:
    ids = column("tick_id", [10.0] * 5, time=["10:00:02", "10:00:01", "10:00:02", "10:00:00", "10:00:01"])
    assert ids == [4, 2, 5, 1, 3]


def test_tick_sequence_counts_within_equal_times() -> None:
    times = ["10:00:00", "10:00:00", "10:00:00", "10:00:01", "10:00:02", "10:00:02"]
    assert column("tick_sequence", [10.0] * 6, time=times) == [0, 1, 2, 0, 0, 1]


def test_first_tick_at_midnight_starts_its_sequence_at_zero() -> None:
    assert column("tick_sequence", [10.0, 10.0], time=["00:00:00", "00:00:00"]) == [0, 1]


def test_exchange_comes_from_the_market_centre_and_unknown_ones_are_other() -> None:
    expected = [Exchange.NASDAQ, Exchange.NYSE, Exchange.FINRA_NASDAQ_TRF, Exchange.IEX, Exchange.OTHER, Exchange.OTHER]
    assert column("exchange", [10.0] * 6, market_center=[5, 7, 19, 153, 0, 60_000]) == expected


# -- quotes --------------------------------------------------------------------------------------------


def test_quote_columns_of_a_ten_cent_spread() -> None:
    out = enrich_day(raw_ticks([10.08], bid=[10.00], ask=[10.10]), "TEST", TUESDAY)
    assert out["spread"][0] == pytest.approx(0.10)
    assert out["midpoint"][0] == pytest.approx(10.05)
    assert out["spread_bps"][0] == pytest.approx(99.50249, rel=1e-6)  # 0.10 / 10.05 x 10,000
    assert out["spread_pct"][0] == pytest.approx(0.009950249, rel=1e-6)
    assert out["effective_spread"][0] == pytest.approx(0.06)  # 2 x |10.08 - 10.05|


def test_a_crossed_quote_has_a_negative_spread() -> None:
    assert column("spread", [10.0], bid=[10.25], ask=[10.0]) == [-0.25]


@pytest.mark.parametrize(("bid", "ask"), [(NAN, 10.1), (10.0, NAN), (0.0, 10.1), (10.0, -1.0)])
def test_a_missing_or_non_positive_side_leaves_every_quote_column_null(bid: float, ask: float) -> None:
    out = enrich_day(raw_ticks([10.05], bid=[bid], ask=[ask]), "TEST", TUESDAY)
    assert math.isnan(out["bid"][0]) == (not bid > 0)
    assert math.isnan(out["ask"][0]) == (not ask > 0)
    for name in ("spread", "midpoint", "spread_bps", "spread_pct", "effective_spread", "price_improvement"):
        assert math.isnan(out[name][0]), name


# -- trade sign ----------------------------------------------------------------------------------------


def test_trades_off_the_midpoint_take_their_side_from_the_quote() -> None:
    at_bid, inside_low, inside_high, at_ask, above_ask, below_bid = 10.00, 10.02, 10.08, 10.10, 10.20, 9.90
    assert signs([at_bid, inside_low, inside_high, at_ask, above_ask, below_bid]) == [
        (-1, QUOTE), (-1, QUOTE), (1, QUOTE), (1, QUOTE), (1, QUOTE), (-1, QUOTE),
    ]  # fmt: skip


def test_midpoint_trade_compares_with_the_last_different_price() -> None:
    # Midpoint 10.25 throughout; 10.00 then three prints at the midpoint: each is above 10.00, the last different price.
    price = [10.00, 10.25, 10.25, 10.25]
    assert signs(price, bid=[10.0] * 4, ask=[10.5] * 4) == [(-1, QUOTE), (1, TICK_TEST), (1, TICK_TEST), (1, TICK_TEST)]


def test_zero_tick_uses_the_last_different_price_not_the_last_sign() -> None:
    # The second print sits at the bid: a sell by the quote. The third, at the midpoint, is still an uptick on 10.00.
    price, bid, ask = [10.00, 10.25, 10.25], [9.75, 10.25, 10.00], [10.25, 10.75, 10.50]
    assert signs(price, bid=bid, ask=ask)[1:] == [(-1, QUOTE), (1, TICK_TEST)]


@pytest.mark.parametrize(
    ("bid", "ask"), [(10.0, 10.0), (10.5, 10.0), (NAN, NAN), (NAN, 10.5), (0.0, 10.5)],
    ids=["locked", "crossed", "no quote", "no bid", "zero bid"],
)  # fmt: skip
def test_without_a_usable_quote_the_tick_test_decides(bid: float, ask: float) -> None:
    price = [10.0, 11.0, 11.0, 9.0, 9.0]
    assert signs(price, bid=[bid] * 5, ask=[ask] * 5) == [
        (0, NONE), (1, TICK_TEST), (1, TICK_TEST), (-1, TICK_TEST), (-1, TICK_TEST),
    ]  # fmt: skip


def test_no_earlier_different_price_leaves_the_sign_unknown() -> None:
    assert signs([10.25] * 3, bid=[10.0] * 3, ask=[10.5] * 3) == [(0, NONE)] * 3


@pytest.mark.parametrize("code", [0x8A, 0x40, 0x25, 0x3F, 0x42, 0x05, 0x3E, 0x10, 0x13, 0x19, 0x3A])
def test_prints_without_aggressor_have_no_sign(code: int) -> None:
    """Auctions, average-price, derivatively priced and late prints, whatever the quote says."""
    assert signs([10.00, 10.10], codes=[(), (0x01, code)]) == [(-1, QUOTE), (0, NONE)]


def test_a_print_without_aggressor_is_still_the_previous_different_price_of_the_next() -> None:
    codes: list[Any] = [(), (0x40,), ()]
    assert signs([10.00, 12.00, 11.00], bid=[NAN] * 3, ask=[NAN] * 3, codes=codes)[2] == (-1, TICK_TEST)


def test_sweeps_odd_lots_and_extended_hours_prints_keep_their_aggressor() -> None:
    assert signs([10.10] * 3, codes=[(0x3D,), (0x87,), (0x17,)]) == [(1, QUOTE)] * 3


def test_price_improvement_is_negative_when_the_aggressor_paid_beyond_the_midpoint() -> None:
    # Buy at 10.375 and sell at 10.125 around 10.25: both gave up 0.125. At the midpoint and unsigned prints: 0.
    improvement = column("price_improvement", [10.25, 10.375, 10.125, 10.25, 10.5], bid=[10.0] * 5, ask=[10.5] * 5,
                         codes=[(), (), (), (), (0x40,)])  # fmt: skip
    assert improvement == [0.0, -0.125, -0.125, 0.0, 0.0]


# -- changes -------------------------------------------------------------------------------------------


def test_changes_are_to_the_previous_tick_and_null_on_the_first() -> None:
    out = enrich_day(raw_ticks([10.00, 10.50, 10.50, 8.40]), "TEST", TUESDAY)
    assert out["tick_direction"].tolist() == [0, 1, 0, -1]
    assert out["price_change"].tolist() == pytest.approx([NAN, 0.50, 0.0, -2.10], nan_ok=True)
    assert out["price_change_bps"].tolist() == pytest.approx([NAN, 500.0, 0.0, -2_000.0], nan_ok=True)
    expected = [NAN, 0.04879016, 0.0, -0.22314355]  # ln 1.05, ln 1, ln 0.8
    assert out["log_return"].tolist() == pytest.approx(expected, rel=1e-6, nan_ok=True)


def test_changes_follow_time_order_not_arrival_order() -> None:
    assert column("price_change", [12.0, 10.0], time=["10:00:01", "10:00:00"])[1] == 2.0


def test_changes_count_prints_of_every_session_and_condition() -> None:
    directions = column(
        "tick_direction", [10.0, 11.0, 10.5], time=["08:00:00", "09:30:00", "16:30:00"], codes=[(0x17,), (0x05,), ()]
    )
    assert directions == [0, 1, -1]


def test_dollar_volume_and_share_of_the_day() -> None:
    out = enrich_day(raw_ticks([10.5, 10.0], size=[200, 600]), "TEST", TUESDAY)
    assert out["dollar_volume"].tolist() == [2_100.0, 6_000.0]
    assert out["trade_pct_of_day"].tolist() == [1.0, 0.75]  # 200 / 200, 600 / 800


def test_share_of_the_day_is_null_without_total_volume() -> None:
    assert math.isnan(column("trade_pct_of_day", [10.0], total=[0])[0])


def test_volume_rate_is_the_step_of_total_volume_and_zero_when_it_fell() -> None:
    assert column("volume_rate", [10.0] * 4, total=[500, 800, 700, 1_000]) == [500, 300, 0, 300]


# -- participants and conditions -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "codes", "expected"),
    [
        (10_000, (0x87, 0x3D), INST),
        (50, (0x87, 0x3D), R),
        (5_000, (0x87,), R),
        (50, (0x3D,), ALGO),
        (9_999, (0x3D,), ALGO),
        (1_000, (), INST),
        (999, (), U),
        (101, (), U),
        (100, (), R),
        (1, (), R),
    ],
)
def test_participant_is_the_first_rule_that_holds(size: int, codes: tuple[int, ...], expected: int) -> None:
    """Block, then odd lot, then sweep, then 1,000 shares and more, then 100 and less."""
    assert column("participant_type", [10.0], size=[size], codes=[codes]) == [expected]


def test_block_trade_starts_at_ten_thousand_shares() -> None:
    assert column("is_block_trade", [10.0, 10.0], size=[9_999, 10_000]) == [False, True]


@pytest.mark.parametrize("position", [0, 1, 2, 3])
@pytest.mark.parametrize(
    ("flag", "code"),
    [
        ("is_extended_hours", 0x17),
        ("is_odd_lot", 0x87),
        ("is_intermarket_sweep", 0x3D),
        ("is_derivatively_priced", 0x3E),
    ],
)
def test_a_code_counts_in_any_of_the_four_columns(flag: str, code: int, position: int) -> None:
    codes = tuple(code if place == position else 0x01 for place in range(4))
    out = enrich_day(raw_ticks([10.0, 10.0], codes=[codes, (0x01,) * 4]), "TEST", TUESDAY)
    assert out[flag].tolist() == [True, False]
    assert out["is_regular"].tolist() == [False, True]


def test_a_print_without_any_code_is_regular() -> None:
    assert column("is_regular", [10.0] * 4, codes=[(), (0x01,), (0x47,), (0, 0, 0x01, 0x01)]) == [
        True,
        True,
        False,
        True,
    ]


def test_older_condition_profile_reads_its_own_numbers() -> None:
    """fuzzy_oss20: 135 extended, 23 odd lot, 37 sweep, 61 derivatively priced."""
    rules = EnrichmentRules(condition_profile="fuzzy_oss20")
    raw = raw_ticks([10.0] * 4, size=[5_000] * 4, codes=[(135,), (23,), (37,), (61,)])
    out = enrich_day(raw, "TEST", TUESDAY, rules)
    flags = ("is_extended_hours", "is_odd_lot", "is_intermarket_sweep", "is_derivatively_priced")
    assert [out[name].tolist() for name in flags] == np.eye(4, dtype=bool).tolist()
    assert out["participant_type"].tolist() == [INST, R, ALGO, INST]
    assert out["trade_sign_method"].tolist() == [QUOTE, QUOTE, QUOTE, NONE]


def test_older_condition_profile_has_its_own_closing_print() -> None:
    rules = EnrichmentRules(condition_profile="fuzzy_oss20")
    given: dict[str, Any] = {"time": ["16:00:00.4"] * 2, "codes": [(0x40,), (81,)]}
    assert column("session", [10.0] * 2, rules=rules, **given) == [AFTER, REGULAR]
    assert column("session", [10.0] * 2, **given) == [REGULAR, AFTER]


# -- sessions ------------------------------------------------------------------------------------------


def test_sessions_are_half_open() -> None:
    times = [
        "03:59:59.999999",
        "04:00:00",
        "09:29:59.999999",
        "09:30:00",
        "15:59:59.999999",
        "16:00:00",
        "19:59:59.999999",
        "20:00:00",
    ]
    assert column("session", [10.0] * 8, time=times) == [CLOSED, PRE, PRE, REGULAR, REGULAR, AFTER, AFTER, CLOSED]


def test_closing_print_up_to_fifteen_minutes_after_the_close_is_regular() -> None:
    times, codes = ["16:00:00.4", "16:00:00.4", "16:15:00", "16:15:00.000001"], [(), (0x01, 0x40), (0x40,), (0x40,)]
    assert column("session", [10.0] * 4, time=times, codes=codes) == [AFTER, REGULAR, REGULAR, AFTER]


def test_closing_print_code_changes_nothing_before_the_close() -> None:
    assert column("session", [10.0] * 2, time=["09:00:00", "12:00:00"], codes=[(0x40,), (0x40,)]) == [PRE, REGULAR]


def test_half_day_closes_at_one() -> None:
    times, codes = ["12:59:59", "13:00:00", "13:00:00.5", "13:15:01", "16:00:00.4"], [(), (), (0x40,), (0x40,), (0x40,)]
    assert column("session", [10.0] * 5, date=HALF_DAY, time=times, codes=codes) == [
        REGULAR,
        AFTER,
        REGULAR,
        AFTER,
        AFTER,
    ]


# -- eligibility ---------------------------------------------------------------------------------------


def eligible(profile: Any, **given: Any) -> list[str]:
    """Per tick: L may set last, H may set high and low, V counts in volume, ``-`` may not."""
    rows = max(len(values) for values in given.values())
    out = enrich_day(raw_ticks([10.0] * rows, **given), "TEST", TUESDAY, EnrichmentRules(eligibility_profile=profile))
    columns = [out[name].tolist() for name in ("is_qualified", "sets_high_low", "counts_volume")]
    return [
        "".join(letter if holds else "-" for letter, holds in zip("LHV", row, strict=True))
        for row in zip(*columns, strict=True)
    ]


def test_iqfeed_profile_goes_by_the_basis_alone() -> None:
    codes: list[Any] = [(), (0x17,), (0x01,), (), (0x87,)]
    assert eligible("iqfeed", basis=["C", "E", "O", "S", "C"], codes=codes) == ["LHV", "LHV", "--V", "--V", "LHV"]


def test_all_profile_lets_every_tick_set_everything() -> None:
    assert eligible("all", basis=["O", "S"], codes=[(0x87,), (0x2E,)]) == ["LHV", "LHV"]


def test_sip_profile_follows_the_sale_conditions_not_the_basis() -> None:
    codes: list[Any] = [
        (),
        (0x01,),
        (0x3D,),
        (0x8A, 0x42),
        (0x87,),
        (0x17,),
        (0x05,),
        (0x06,),
        (0x89, 0x44),
        (0x2E,),
        (0x39,),
        (0x88,),
    ]
    assert eligible("sip", codes=codes, basis=["O"] * 12) == [
        "LHV", "LHV", "LHV", "LHV", "--V", "--V", "--V", "--V", "--V", "---", "---", "LH-",
    ]  # fmt: skip


def test_sip_profile_one_no_disqualifies() -> None:
    assert eligible("sip", codes=[(0x01, 0x3D, 0x87), (0x01, 0x3D)]) == ["--V", "LHV"]


@pytest.mark.parametrize("code", [0x0A, 0x13, 0x19, 0x3E])
def test_sip_conditional_print_sets_the_last_price_only_when_it_is_the_first(code: int) -> None:
    assert eligible("sip", codes=[(0x17,), (code,), (code,), (), (code,)]) == ["--V", "LHV", "-HV", "LHV", "-HV"]


def test_sip_conditional_print_after_an_ordinary_one_never_sets_the_last_price() -> None:
    assert eligible("sip", codes=[(), (0x3E,)]) == ["LHV", "-HV"]


def test_sip_print_that_set_only_high_and_low_leaves_the_first_last_price_open() -> None:
    """A sold-last print after its ten seconds sets no last price, so the conditional print is still the first."""
    assert eligible("sip", time=["16:00:11", "16:00:12"], codes=[(0x10,), (0x3E,)]) == ["-HV", "LHV"]


def test_sip_sold_last_may_set_the_last_price_until_ten_seconds_after_the_close() -> None:
    times = [clock("12:00:00"), clock("16:00:10"), clock("16:00:10.000001")]
    assert eligible("sip", time=times, codes=[(0x10,)] * 3) == ["LHV", "LHV", "-HV"]


# -- memory --------------------------------------------------------------------------------------------


def test_reused_memory_does_not_change_results() -> None:
    """A long day, then a short one, in the same pool: the short one equals itself in fresh memory."""
    pool = BufferPool()
    enrich_day(raw_ticks([11.0, 12.0, 13.0, 14.0], codes=[(0x87,)] * 4), "LONG", TUESDAY, pool=pool)
    raw = raw_ticks([10.0, 10.2], bid=[NAN, 10.0])
    reused, fresh = enrich_day(raw, "SHORT", TUESDAY, pool=pool), enrich_day(raw, "SHORT", TUESDAY)
    for name, array in fresh.items():
        np.testing.assert_array_equal(reused[name], array, err_msg=name)

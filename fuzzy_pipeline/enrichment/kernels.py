"""Compiled kernels of enrichment: one pass in blocks that stay in cache, with context carried between chunks.

Belongs here: the loops. What they compute is declared in ``schema.columns``; the plain twin is
``tests/oracles/enrichment.py``.
"""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.enrichment import eligibility as rules
from fuzzy_pipeline.microstructure.trade_classification import lee_ready_step
from fuzzy_pipeline.schema import codes
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS

BLOCK = 16_384  # ticks per block: what one loop wrote is still in cache when the next reads it
LARGE_TRADE_SHARES = 1_000
SMALL_TRADE_SHARES = 100
CLOSING_PRINT_GRACE_US = 15 * 60 * 1_000_000

_UNKNOWN, _RETAIL, _INSTITUTIONAL, _ALGO = (int(member) for member in codes.Participant)


def _participants() -> NDArray[np.uint8]:
    """Participant type by five bits: ≤ 100 shares, ≥ 1,000 shares, sweep, odd lot, block; the higher bit wins."""
    table = np.full(32, _UNKNOWN, dtype=np.uint8)
    for bit, kind in enumerate((_RETAIL, _INSTITUTIONAL, _ALGO, _RETAIL, _INSTITUTIONAL)):
        table[1 << bit : 2 << bit] = kind
    return table


_PARTICIPANTS = _participants()
_CLOSED, _PRE, _REGULAR, _AFTER = (int(member) for member in codes.Session)
_BASIS_C, _BASIS_E = int(codes.Basis.LAST_QUALIFIED), int(codes.Basis.EXTENDED)
_SIP, _ALL = rules.PROFILE_NUMBERS["sip"], rules.PROFILE_NUMBERS["all"]
_NO_LAST, _NO_HIGH_LOW, _NO_VOLUME = rules.NO_LAST, rules.NO_HIGH_LOW, rules.NO_VOLUME
_IF_FIRST, _UNTIL_GRACE = rules.LAST_ONLY_IF_FIRST, rules.LAST_UNTIL_SHORTLY_AFTER_CLOSE
_GRACE_US = rules.SOLD_LAST_GRACE_US


# Kernels take whole tables as named tuples: names stay readable and one call passes them all.
_RAW_NAMES = [name for name in RAW_TICKS.names if name not in ("date", "last_type")]
_ENRICHED_NAMES = [column.name for column in ENRICHED_TICKS.stored if column.name != "timestamp"]
RawFields = namedtuple("RawFields", _RAW_NAMES)  # type: ignore[misc]
EnrichedFields = namedtuple("EnrichedFields", _ENRICHED_NAMES)  # type: ignore[misc]


@dataclass(frozen=True, slots=True)
class EnrichmentContext:
    """What a tick needs to know of the ticks before it on the date; the default is the start of a day.

    ``previous_price`` [USD] and ``different_price`` [USD], the last price that differs from it, are NaN at the
    start; ``previous_time`` [µs since midnight ET] is −1.
    """

    previous_price: float = float("nan")
    different_price: float = float("nan")
    previous_time: int = -1
    previous_total_volume: int = 0
    sequence: int = 0
    last_sale_seen: bool = False


@njit(cache=True, nogil=True, error_model="numpy")
def _quotes(price, bid_in, ask_in, bid, ask, spread, midpoint, spread_bps, spread_pct, effective):  # type: ignore[no-untyped-def]
    for i in range(len(price)):
        b = bid_in[i] if bid_in[i] > 0.0 else np.nan
        a = ask_in[i] if ask_in[i] > 0.0 else np.nan
        m = (b + a) * 0.5
        s = a - b
        relative = s / m
        bid[i] = b
        ask[i] = a
        spread[i] = s
        midpoint[i] = m
        spread_bps[i] = np.float32(relative * 1e4)
        spread_pct[i] = np.float32(relative)
        effective[i] = 2.0 * abs(price[i] - m)


@njit(cache=True, nogil=True, error_model="numpy")
def _sizes(price, size_in, total, size, dollar, pct_of_day):  # type: ignore[no-untyped-def]
    for i in range(len(price)):
        shares = size_in[i]
        size[i] = np.uint32(shares)
        dollar[i] = price[i] * np.float64(shares)
        day = np.float64(total[i])
        pct_of_day[i] = np.float32(np.float64(shares) / day) if day > 0.0 else np.float32(np.nan)


@njit(cache=True, nogil=True)
def _meanings(cond1, cond2, cond3, cond4, bits, meaning):  # type: ignore[no-untyped-def]
    for i in range(len(meaning)):
        meaning[i] = bits[cond1[i]] | bits[cond2[i]] | bits[cond3[i]] | bits[cond4[i]]


@njit(cache=True, nogil=True)
def _flags(  # type: ignore[no-untyped-def]
    size, meaning, is_regular, is_extended, is_odd_lot, is_sweep, is_derivative, is_block
):
    for i in range(len(size)):
        found = meaning[i]
        is_regular[i] = (found & codes.OTHER_THAN_REGULAR_BIT) == 0
        is_extended[i] = (found & codes.EXTENDED_BIT) != 0
        is_odd_lot[i] = (found & codes.ODD_LOT_BIT) != 0
        is_sweep[i] = (found & codes.SWEEP_BIT) != 0
        is_derivative[i] = (found & codes.DERIVATIVE_BIT) != 0
        is_block[i] = size[i] >= codes.BLOCK_TRADE_SHARES


@njit(cache=True, nogil=True)
def _participant_types(size, is_odd_lot, is_sweep, is_block, participants, participant):  # type: ignore[no-untyped-def]
    for i in range(len(size)):
        participant[i] = participants[
            (size[i] <= SMALL_TRADE_SHARES)
            | (size[i] >= LARGE_TRADE_SHARES) << 1
            | is_sweep[i] << 2
            | is_odd_lot[i] << 3
            | is_block[i] << 4
        ]


@njit(cache=True, nogil=True)
def _sessions(time, meaning, bounds, session):  # type: ignore[no-untyped-def]
    """Times never decrease, so each session is one run of ticks, found by its bounds."""
    start = 0
    for part in range(5):
        stop = np.searchsorted(time, bounds[part]) if part < 4 else len(time)
        # Before 04:00 and from 20:00 on closed, between them pre-market, regular and after hours.
        code = _CLOSED if part in (0, 4) else (_PRE if part == 1 else (_REGULAR if part == 2 else _AFTER))
        session[start:stop] = code
        start = stop
    close = bounds[2]
    for i in range(np.searchsorted(time, close), len(time)):
        if time[i] > close + CLOSING_PRINT_GRACE_US:
            break
        if meaning[i] & codes.CLOSING_BIT:
            session[i] = _REGULAR


@njit(cache=True, nogil=True, error_model="numpy")
def _returns(  # type: ignore[no-untyped-def]
    price, total, previous, previous_total, direction, volume_rate, change, change_bps, log_return
):
    far = False
    for i in range(len(price)):
        before = price[i - 1] if i > 0 else previous
        delta = price[i] - before
        x = delta / before
        change[i] = delta
        change_bps[i] = np.float32(x * 1e4)
        direction[i] = np.int8(delta > 0.0) - np.int8(delta < 0.0)
        # ln(1 + x) by its series, which unlike a call to log runs on several ticks at once: within 2e-13 of x
        # for |x| ≤ 1 %, far below the 6e-8 of float32.
        series = -0.25 + x * (0.2 - x / 6.0)
        log_return[i] = np.float32(x * (1.0 + x * (-0.5 + x * (1.0 / 3.0 + x * series))))
        far |= abs(x) > 0.01
        volume_before = total[i - 1] if i > 0 else previous_total
        volume_rate[i] = total[i] - volume_before if total[i] >= volume_before else 0
    if far:
        for i in range(len(price)):
            before = price[i - 1] if i > 0 else previous
            if abs(price[i] - before) > 0.01 * before:
                log_return[i] = np.float32(np.log(price[i] / before))


@njit(cache=True, nogil=True)
def _sequence(  # type: ignore[no-untyped-def]
    price, time, bid, ask, midpoint, meaning, midnight_ns, previous, different, previous_time, sequence,
    timestamp, tick_sequence, sign, method, improvement,
):  # fmt: skip
    for i in range(len(price)):
        p = price[i]
        t = time[i]
        timestamp[i] = midnight_ns + t * 1000
        sequence = min(sequence + 1, 65535) if t == previous_time else 0
        tick_sequence[i] = sequence
        previous_time = t
        different = previous if p != previous else different  # NaN until a price differs from an earlier one
        previous = p
        m = midpoint[i]
        side, how = lee_ready_step(p, bid[i], ask[i], different)
        known = (meaning[i] & codes.NO_AGGRESSOR_BIT) == 0
        side *= known
        sign[i] = side
        method[i] = how * known
        improvement[i] = side * (m - p)
    return previous, different, previous_time, sequence


@njit(cache=True, nogil=True)
def _eligibility(  # type: ignore[no-untyped-def]
    profile, basis, time, cond1, cond2, cond3, cond4, sip, close, seen, qualified, high_low, counts
):
    for i in range(len(basis)):
        if profile == _SIP:
            taken = sip[cond1[i]] | sip[cond2[i]] | sip[cond3[i]] | sip[cond4[i]]
            last = not taken & _NO_LAST
            if taken & _IF_FIRST and seen:
                last = False
            if taken & _UNTIL_GRACE and time[i] > close + _GRACE_US:
                last = False
            qualified[i] = last
            high_low[i] = not taken & _NO_HIGH_LOW
            counts[i] = not taken & _NO_VOLUME
            seen = seen or last
        elif profile == _ALL:
            qualified[i] = True
            high_low[i] = True
            counts[i] = True
        else:
            sets_price = basis[i] == _BASIS_C or basis[i] == _BASIS_E
            qualified[i] = sets_price
            high_low[i] = sets_price
            counts[i] = True
    return seen


@njit(cache=True, nogil=True)
def _carry(  # type: ignore[no-untyped-def]
    tick_id_in, total_in, center_in, price_in, basis_in, c1, c2, c3, c4, exchange_of,
    tick_id, total, center, exchange, price, basis, condition_1, condition_2, condition_3, condition_4,
):  # fmt: skip
    for i in range(len(tick_id_in)):
        tick_id[i] = tick_id_in[i]
        total[i] = total_in[i]
        price[i] = price_in[i]
        center[i] = np.uint16(center_in[i])
    for i in range(len(tick_id_in)):
        basis[i] = basis_in[i]
        condition_1[i] = c1[i]
        condition_2[i] = c2[i]
        condition_3[i] = c3[i]
        condition_4[i] = c4[i]
    for i in range(len(tick_id_in)):
        exchange[i] = exchange_of[center[i]]


@njit(cache=True, nogil=True)
def _chunk(  # type: ignore[no-untyped-def]
    raw, basis, out, timestamp, carried, seen, midnight_ns, bounds, bits, participants, profile, sip, exchange_of
):
    rows = len(basis)
    found = np.empty(min(BLOCK, max(rows, 1)), dtype=np.uint8)
    previous, different, previous_time, previous_total, sequence = carried
    for start in range(0, rows, BLOCK):
        stop = min(start + BLOCK, rows)
        s = slice(start, stop)
        meaning = found[: stop - start]
        price, time, total = raw.last[s], raw.time[s], raw.tot_vlm[s]
        c1, c2, c3, c4 = raw.cond1[s], raw.cond2[s], raw.cond3[s], raw.cond4[s]
        _carry(
            raw.tick_id[s], total, raw.mkt_ctr[s], price, basis[s], c1, c2, c3, c4, exchange_of,
            out.tick_id[s], out.total_volume[s], out.market_center[s], out.exchange[s], out.price[s], out.basis[s],
            out.condition_1[s], out.condition_2[s], out.condition_3[s], out.condition_4[s],
        )  # fmt: skip
        _quotes(
            price, raw.bid[s], raw.ask[s], out.bid[s], out.ask[s], out.spread[s], out.midpoint[s],
            out.spread_bps[s], out.spread_pct[s], out.effective_spread[s],
        )  # fmt: skip
        _sizes(price, raw.last_sz[s], total, out.size[s], out.dollar_volume[s], out.trade_pct_of_day[s])
        size = out.size[s]
        _meanings(c1, c2, c3, c4, bits, meaning)
        _flags(
            size, meaning, out.is_regular[s], out.is_extended_hours[s], out.is_odd_lot[s],
            out.is_intermarket_sweep[s], out.is_derivatively_priced[s], out.is_block_trade[s],
        )  # fmt: skip
        _participant_types(
            size, out.is_odd_lot[s], out.is_intermarket_sweep[s], out.is_block_trade[s], participants,
            out.participant_type[s],
        )  # fmt: skip
        _sessions(time, meaning, bounds, out.session[s])
        _returns(
            price, total, previous, previous_total, out.tick_direction[s], out.volume_rate[s], out.price_change[s],
            out.price_change_bps[s], out.log_return[s],
        )  # fmt: skip
        previous, different, previous_time, sequence = _sequence(
            price, time, out.bid[s], out.ask[s], out.midpoint[s], meaning, midnight_ns,
            previous, different, previous_time, sequence,
            timestamp[s], out.tick_sequence[s], out.trade_sign[s], out.trade_sign_method[s], out.price_improvement[s],
        )  # fmt: skip
        previous_total = total[-1]
        seen = _eligibility(
            profile, basis[s], time, c1, c2, c3, c4, sip, bounds[2], seen, out.is_qualified[s],
            out.sets_high_low[s], out.counts_volume[s],
        )  # fmt: skip
    return previous, different, previous_time, previous_total, sequence, seen


def enrich_chunk(
    raw: Arrays,
    out: dict[str, NDArray[Any]],
    context: EnrichmentContext,
    *,
    midnight_ns: int,
    bounds_us: NDArray[np.int64],
    condition_bits: NDArray[np.uint8],
    profile: int,
) -> EnrichmentContext:
    """Fill ``out`` (the stored columns of ``ENRICHED_TICKS``, n rows) from n raw ticks in time order.

    Parameters
    ----------
    raw : Arrays
        The 14 columns of ``RAW_TICKS``, n rows, ``time`` never decreasing.
    out : dict of arrays
        Written in place, n rows each.
    context : EnrichmentContext
        Of the chunk before; the default at the start of the day.
    midnight_ns : int
        UTC nanoseconds of the date's midnight ET.
    bounds_us : int64[4]
        Pre-market start, open, close and after-hours end, µs since midnight ET.
    condition_bits : uint8[256]
        ``schema.codes.condition_bits`` of the condition profile.
    profile : int
        ``eligibility.PROFILE_NUMBERS`` of the eligibility profile.

    Returns
    -------
    EnrichmentContext
        For the next chunk; the result does not depend on where chunks are cut.
    """
    basis = np.ascontiguousarray(raw["last_type"]).view(np.uint8)
    carried = (
        context.previous_price, context.different_price, context.previous_time,
        np.uint64(context.previous_total_volume), context.sequence,
    )  # fmt: skip
    previous, different, previous_time, previous_total, sequence, seen = _chunk(
        RawFields(*(raw[name] for name in _RAW_NAMES)),
        basis,
        EnrichedFields(*(out[name] for name in _ENRICHED_NAMES)),
        out["timestamp"].view(np.int64),
        carried,
        context.last_sale_seen,
        midnight_ns,
        bounds_us,
        condition_bits,
        _PARTICIPANTS,
        profile,
        rules.sip_bits(),
        codes.exchange_of_market_center(),
    )
    return EnrichmentContext(
        float(previous), float(different), int(previous_time), int(previous_total), int(sequence), bool(seen)
    )

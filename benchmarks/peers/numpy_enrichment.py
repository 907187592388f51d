"""Enrichment to the 42 columns in vectorised NumPy, written into reused pages wherever NumPy takes an ``out``."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline import trading_calendar
from fuzzy_pipeline.schema import codes
from fuzzy_pipeline.schema.codes import Participant, Session
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS

Columns = dict[str, NDArray[Any]]


class NumpyEnrichment:
    """Output columns and work space for days of up to ``capacity`` ticks."""

    def __init__(self, capacity: int) -> None:
        self._out: Columns = {c.name: np.empty(capacity, dtype=np.dtype(c.dtype)) for c in ENRICHED_TICKS.stored}
        self._real = [np.empty(capacity) for _ in range(2)]
        self._whole = [np.empty(capacity, dtype=np.int64) for _ in range(2)]
        self._mask = [np.empty(capacity, dtype=np.bool_) for _ in range(3)]
        self._bits = [np.empty(capacity, dtype=np.uint8) for _ in range(2)]
        self._rows = np.arange(capacity, dtype=np.int64)

    def enrich(self, raw: Columns, date: dt.date) -> Columns:
        """The stored enriched columns under the default profiles; valid until the next call."""
        time = raw["time"]
        if not bool(np.all(time[1:] >= time[:-1])):
            order = np.argsort(time, kind="stable")
            raw = {name: column[order] for name, column in raw.items()}
        n = len(time)
        out = {name: column[:n] for name, column in self._out.items()}
        self._carry(raw, out, date, n)
        self._quotes(raw, out, n)
        bits = self._flags(raw, out, n)
        self._participants(out, n)
        self._changes(raw, out, n)
        self._trade_sign(out, bits, n)
        self._sessions(raw, out, bits, date)
        return out

    def _carry(self, raw: Columns, out: Columns, date: dt.date, n: int) -> None:
        for source, target in (
            ("tick_id", "tick_id"), ("last", "price"), ("last_sz", "size"), ("mkt_ctr", "market_center"),
            ("tot_vlm", "total_volume"), ("cond1", "condition_1"), ("cond2", "condition_2"),
            ("cond3", "condition_3"), ("cond4", "condition_4"),
        ):  # fmt: skip
            np.copyto(out[target], raw[source], casting="unsafe")
        np.copyto(out["basis"], raw["last_type"].view(np.uint8))
        np.take(codes.exchange_of_market_center(), out["market_center"], out=out["exchange"], mode="clip")
        timestamp = out["timestamp"].view(np.int64)
        np.multiply(raw["time"], 1_000, out=timestamp)
        timestamp += trading_calendar.midnight_utc_ns(date)
        first, last_start = self._mask[0][:n], self._whole[0][:n]
        first[:1] = True
        np.not_equal(raw["time"][1:], raw["time"][:-1], out=first[1:])
        np.multiply(self._rows[:n], first, out=last_start)
        np.maximum.accumulate(last_start, out=last_start)
        np.subtract(self._rows[:n], last_start, out=last_start)
        np.minimum(last_start, 65_535, out=out["tick_sequence"], casting="unsafe")

    def _quotes(self, raw: Columns, out: Columns, n: int) -> None:
        missing, relative = self._mask[0][:n], self._real[0][:n]
        for side in ("bid", "ask"):
            np.copyto(out[side], raw[side])
            np.less_equal(raw[side], 0.0, out=missing)
            np.copyto(out[side], np.nan, where=missing)
        np.subtract(out["ask"], out["bid"], out=out["spread"])
        np.add(out["bid"], out["ask"], out=out["midpoint"])
        out["midpoint"] *= 0.5
        np.divide(out["spread"], out["midpoint"], out=relative)
        np.copyto(out["spread_pct"], relative, casting="same_kind")
        np.multiply(relative, 10_000.0, out=relative)
        np.copyto(out["spread_bps"], relative, casting="same_kind")
        np.subtract(out["price"], out["midpoint"], out=out["effective_spread"])
        np.abs(out["effective_spread"], out=out["effective_spread"])
        out["effective_spread"] *= 2.0

    def _flags(self, raw: Columns, out: Columns, n: int) -> NDArray[np.uint8]:
        table = codes.condition_bits("iqfeed")
        bits, work = self._bits[0][:n], self._bits[1][:n]
        np.take(table, raw["cond1"], out=bits, mode="clip")
        for name in ("cond2", "cond3", "cond4"):
            np.take(table, raw[name], out=work, mode="clip")
            bits |= work
        for name, bit in (
            ("is_extended_hours", codes.EXTENDED_BIT), ("is_odd_lot", codes.ODD_LOT_BIT),
            ("is_intermarket_sweep", codes.SWEEP_BIT), ("is_derivatively_priced", codes.DERIVATIVE_BIT),
        ):  # fmt: skip
            np.bitwise_and(bits, bit, out=work)
            np.not_equal(work, 0, out=out[name])
        np.bitwise_and(bits, codes.OTHER_THAN_REGULAR_BIT, out=work)
        np.equal(work, 0, out=out["is_regular"])
        np.greater_equal(out["size"], 10_000, out=out["is_block_trade"])
        extended = self._mask[0][:n]
        np.equal(out["basis"], codes.Basis.LAST_QUALIFIED, out=out["is_qualified"])
        np.equal(out["basis"], codes.Basis.EXTENDED, out=extended)
        out["is_qualified"] |= extended
        out["sets_high_low"][:] = out["is_qualified"]
        out["counts_volume"][:] = True
        return bits

    def _participants(self, out: Columns, n: int) -> None:
        kind, mask = out["participant_type"], self._mask[0][:n]
        kind[:] = Participant.UNKNOWN
        np.less_equal(out["size"], 100, out=mask)
        np.copyto(kind, np.uint8(Participant.RETAIL), where=mask)
        np.greater_equal(out["size"], 1_000, out=mask)
        np.copyto(kind, np.uint8(Participant.INSTITUTIONAL), where=mask)
        np.copyto(kind, np.uint8(Participant.ALGO), where=out["is_intermarket_sweep"])
        np.copyto(kind, np.uint8(Participant.RETAIL), where=out["is_odd_lot"])
        np.copyto(kind, np.uint8(Participant.INSTITUTIONAL), where=out["is_block_trade"])

    def _changes(self, raw: Columns, out: Columns, n: int) -> None:
        price, previous, relative = out["price"], out["price"][:-1], self._real[0][: max(n - 1, 0)]
        for name in ("price_change", "price_change_bps", "log_return"):
            out[name][:1] = np.nan
        np.subtract(price[1:], previous, out=out["price_change"][1:])
        np.divide(out["price_change"][1:], previous, out=relative)
        relative *= 10_000.0
        np.copyto(out["price_change_bps"][1:], relative, casting="same_kind")
        np.divide(price[1:], previous, out=relative)
        np.log(relative, out=relative)
        np.copyto(out["log_return"][1:], relative, casting="same_kind")
        direction = self._real[1][:n]
        direction[:1] = 0.0
        np.sign(out["price_change"][1:], out=direction[1:])
        np.copyto(out["tick_direction"], direction, casting="unsafe")
        np.multiply(price, raw["last_sz"], out=out["dollar_volume"])
        total, rate = raw["tot_vlm"], out["volume_rate"]
        rate[:1] = total[:1]
        np.subtract(total[1:], total[:-1], out=rate[1:])
        fell = self._mask[0][: max(n - 1, 0)]
        np.less(total[1:], total[:-1], out=fell)
        np.copyto(rate[1:], np.uint64(0), where=fell)
        np.divide(raw["last_sz"], total, out=self._real[1][:n])
        np.copyto(out["trade_pct_of_day"], self._real[1][:n], casting="same_kind")

    def _trade_sign(self, out: Columns, bits: NDArray[np.uint8], n: int) -> None:
        price, changed_at, different = out["price"], self._whole[0][:n], self._real[0][:n]
        moved, by_quote, mask = self._mask[0][:n], self._mask[1][:n], self._mask[2][:n]
        # The row before the latest change of price holds the last different price; row 0 never changed.
        moved[:1] = False
        np.not_equal(price[1:], price[:-1], out=moved[1:])
        np.multiply(self._rows[:n], moved, out=changed_at)
        np.maximum.accumulate(changed_at, out=changed_at)
        changed_at -= 1
        np.take(price, changed_at, out=different, mode="clip")
        np.subtract(price, different, out=different)  # 0 before the first change: clipped to the first price itself
        side = self._real[1][:n]
        np.sign(different, out=side)
        np.greater(out["ask"], out["bid"], out=by_quote)
        np.greater(out["effective_spread"], 1e-9, out=mask)  # not at the midpoint, rounding aside
        by_quote &= mask
        np.subtract(price, out["midpoint"], out=different)
        np.sign(different, out=side, where=by_quote)
        work = self._bits[1][:n]
        np.bitwise_and(bits, codes.NO_AGGRESSOR_BIT, out=work)
        np.not_equal(work, 0, out=mask)
        np.copyto(side, 0.0, where=mask)
        np.copyto(out["trade_sign"], side, casting="unsafe")
        np.subtract(np.uint8(2), by_quote, out=out["trade_sign_method"], casting="unsafe")
        np.equal(side, 0.0, out=mask)
        np.copyto(out["trade_sign_method"], np.uint8(0), where=mask)
        np.negative(different, out=different)
        np.multiply(side, different, out=out["price_improvement"])

    def _sessions(self, raw: Columns, out: Columns, bits: NDArray[np.uint8], date: dt.date) -> None:
        # Times are sorted: each session is one run of rows.
        hours = trading_calendar.session(date)
        edges = [hours.pre_open_us, hours.open_us, hours.close_us, hours.after_close_us]
        pre, market, close, after = np.searchsorted(raw["time"], edges)
        session = out["session"]
        session[:pre], session[after:] = Session.CLOSED, Session.CLOSED
        session[pre:market], session[market:close] = Session.PRE, Session.REGULAR
        session[close:after] = Session.AFTER
        late = slice(close, np.searchsorted(raw["time"], hours.close_us + 15 * 60 * 1_000_000, side="right"))
        session[late][(bits[late] & codes.CLOSING_BIT) != 0] = Session.REGULAR

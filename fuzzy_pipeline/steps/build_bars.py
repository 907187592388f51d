"""Bars of a stored symbol-day."""

from __future__ import annotations

import datetime as dt
import time
from dataclasses import dataclass

import numpy as np

from fuzzy_pipeline.bars.series import Bars
from fuzzy_pipeline.bars.session_ticks import TICK_COLUMNS, SessionName, counted_shares
from fuzzy_pipeline.bars.time_bars import TimeBarRules, time_bars
from fuzzy_pipeline.errors import ConservationError
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, TIME_BARS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.step import StepResult, derived_row
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.content_hash import content_hash

METHOD_VERSION = 1


@dataclass(frozen=True, slots=True)
class TimeBarsStep:
    """``time_bars`` of one symbol and date, all intervals, from its enriched ticks."""

    table: str = TIME_BARS.name
    light_tables: tuple[str, ...] = ()
    upstream: str | None = ENRICHED_TICKS.name

    def fingerprint(self, settings: Settings) -> str:
        """Method version, intervals, sessions and fill policy."""
        return f"time_bars={METHOD_VERSION};{TimeBarRules.of(settings.bars).fingerprint}"

    def run(self, bench: Workbench, symbol: str, date: dt.date) -> StepResult:
        """Read enriched ticks, build every interval, prove that no share was lost, store."""
        started = time.perf_counter()
        store = bench.store
        tick_row = store.committed(ENRICHED_TICKS, symbol, date)
        ticks = store.read(ENRICHED_TICKS, symbol, date, columns=TICK_COLUMNS).arrays
        rules = TimeBarRules.of(bench.settings.bars)
        bars = time_bars(ticks, date, rules, pool=bench.pool)
        shares = check_conservation(bars, ticks, rules.sessions, symbol, date)
        ranges = {name: list(rows) for name, rows in bars.ranges.items()}
        version = store.write(TIME_BARS, symbol, date, bars.columns, {"ranges": ranges, "rules": rules.fingerprint})
        row = derived_row(
            self,
            bench.settings,
            tick_row,
            version=version,
            rows=len(bars),
            content_hash=content_hash(bars.columns, [column.name for column in TIME_BARS.stored], {"ranges": ranges}),
            seconds=time.perf_counter() - started,
        )
        bars_by_interval = {name: stop - start for name, (start, stop) in bars.ranges.items()}
        return StepResult(row, shown={"bars": bars_by_interval, "counted_shares": shares})


def check_conservation(bars: Bars, ticks: Arrays, sessions: tuple[SessionName, ...], symbol: str, date: dt.date) -> int:
    """Counted shares of the sessions, after proving that every series of bars holds exactly them.

    Raises
    ------
    ConservationError
        A series has lost or doubled shares; names the symbol, date, parameter and both sums.
    """
    shares = counted_shares(ticks, sessions)
    for parameter, (start, stop) in bars.ranges.items():
        held = int(np.sum(bars.columns["volume"][start:stop]))
        if held != shares:
            raise ConservationError(f"{symbol} {date}: {parameter} bars hold {held} shares, the ticks {shares}")
    return shares

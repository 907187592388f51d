"""One series of bars at a time: its settings, its ticks, the builder that is timed, and what peers are held against.

Belongs here: what the benchmarks of bar families share.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import BarSettings, FamilyName
from fuzzy_pipeline.bars.cutting import SessionSpan, session_ends
from fuzzy_pipeline.bars.ohlcv import ohlcv
from fuzzy_pipeline.bars.registry import FAMILIES
from fuzzy_pipeline.bars.session_ticks import SessionTicks, session_ticks
from fuzzy_pipeline.buffers import BufferPool

Columns = dict[str, NDArray[Any]]

CUT_COLUMNS = ("timestamp", "price", "size", "trade_sign", "is_qualified", "sets_high_low")
"""What some family's rule looks at."""


def settings_of(family: FamilyName, parameter: str) -> BarSettings:
    """The default settings with this series alone."""
    chosen = {"intervals": (parameter,)} if family == "time" else {family: {"series": (parameter,)}}
    return BarSettings.model_validate({"families": (family,), **chosen})


def session_of(enriched: Columns, date: dt.date) -> SessionTicks:
    """The regular session's ticks of at least one share (some peers refuse others), side by side in memory."""
    ticks = session_ticks(enriched, date)
    traded = ticks.column("size") > 0
    columns = {name: ticks.column(name)[traded] for name in CUT_COLUMNS}
    runs = np.array([[0, int(traded.sum())]])
    return SessionTicks(ticks.session, ticks.start_ns, ticks.end_ns, runs, columns, BufferPool())


def ohlcv_builder(ticks: SessionTicks, family: FamilyName, parameter: str) -> Callable[[], Columns]:
    """Bar ends by the family's rule, then prices, volume and vwap; settings are read beforehand."""
    factory = FAMILIES[family].series(settings_of(family, parameter))[parameter]
    span = SessionSpan(ticks.session, ticks.start_ns, ticks.end_ns)

    def build() -> Columns:
        ends = session_ends(factory(span, None), ticks).ends
        return ohlcv(ticks.column("price"), ticks.column("size"), ends)

    return build


def differing(ticks: SessionTicks, bars: Columns, first: int = 0) -> list[str]:
    """Columns in which a peer's bars are not what the ticks inside them say; its first bar starts at tick ``first``.

    Where bars end follows from the peer's tick counts, so that its rule may be another than ours.
    """
    ends = np.cumsum(bars["tick_count"]).astype(np.int64)
    expected = ohlcv(ticks.column("price")[first:], ticks.column("size")[first:], ends)
    return unequal({name: expected[name] for name in expected if name in bars}, bars)


def unequal(expected: Columns, bars: Columns) -> list[str]:
    """Columns that differ by more than the rounding of single precision, which some peers keep volume in."""
    found = []
    for name, column in expected.items():
        wanted, given = column.astype(np.float64), bars[name].astype(np.float64)
        same = len(wanted) == len(given) and np.isclose(given, wanted, rtol=2e-7, atol=0)
        if not np.all(same):
            found.append(f"{name} differs")
    return found


def shared_bars(ours: Columns, theirs: Columns, first: int = 0) -> int:
    """How many of our bars the peer has too: from the same tick to the same tick."""

    def spans(counts: NDArray[Any], start: int) -> set[tuple[int, int]]:
        ends = start + np.cumsum(counts, dtype=np.int64)
        return set(zip((ends - counts).tolist(), ends.tolist(), strict=True))

    return len(spans(ours["tick_count"], 0) & spans(theirs["tick_count"], first))

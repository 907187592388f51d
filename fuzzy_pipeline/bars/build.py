"""All bars of a symbol-day in one pass: every family cuts the session, one aggregation serves all.

Belongs here: putting the two steps of every family together. Nothing here knows a family's rule.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.bar_settings import BarSettings, FamilyName
from fuzzy_pipeline.bars.aggregate import aggregate
from fuzzy_pipeline.bars.cutting import BarEnds, SeriesState, SessionSpan, session_ends
from fuzzy_pipeline.bars.registry import FAMILIES
from fuzzy_pipeline.bars.series import Bars, as_declared, join_sessions
from fuzzy_pipeline.bars.session_ticks import SessionTicks, session_ticks
from fuzzy_pipeline.bars.sums import bar_starts
from fuzzy_pipeline.bars.time_bars import carry_close
from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.schema.arrays import Arrays, take

FamilyStates = Mapping[FamilyName, Mapping[str, SeriesState]]
"""Family -> ``session/parameter`` -> what the trading date before handed on; what is missing starts cold."""


def build_bars(
    ticks: Arrays,
    trading_date: dt.date,
    settings: BarSettings | None = None,
    *,
    families: Sequence[FamilyName] | None = None,
    states: FamilyStates | None = None,
    pool: BufferPool | None = None,
) -> dict[FamilyName, Bars]:
    """Bars of a symbol and date: all series of the families, from one pass over its ticks.

    Parameters
    ----------
    ticks : Arrays
        Enriched ticks in time order, at least ``session_ticks.TICK_COLUMNS``.
    trading_date : date
    settings : BarSettings, optional
        Sessions and series; default: the settings' defaults.
    families : sequence of str, optional
        Default: those of the settings.
    states : mapping, optional
        States of the trading date before; families whose state is not given start cold.
    pool : BufferPool, optional
        Memory to reuse. The bars are in it: they are valid until its next use.

    Returns
    -------
    dict of Bars
        By family, in the order of the registry.
    """
    chosen = settings or BarSettings()
    names = [name for name in FAMILIES if name in (families if families is not None else chosen.families)]
    if not names:
        return {}
    parts = [
        _session_bars(session_ticks(ticks, trading_date, session, pool=pool), chosen, names, states or {})
        for session in chosen.sessions
    ]
    return {name: join_sessions([part[name] for part in parts]) for name in names}


@dataclass(frozen=True, slots=True)
class _Series:
    family: FamilyName
    parameter: str
    ends: BarEnds
    state: SeriesState


def _session_bars(
    ticks: SessionTicks, settings: BarSettings, names: Sequence[FamilyName], states: FamilyStates
) -> dict[FamilyName, Bars]:
    span = SessionSpan(ticks.session, ticks.start_ns, ticks.end_ns)
    series = []
    for name in names:
        for parameter, factory in FAMILIES[name].series(settings).items():
            cutter = factory(span, states.get(name, {}).get(f"{ticks.session}/{parameter}"))
            ends = session_ends(cutter, ticks)
            series.append(_Series(name, parameter, ends, cutter.state()))
    columns = assemble(ticks, [one.ends for one in series])
    found: dict[FamilyName, Bars] = {}
    row = 0
    for name in names:
        own = [one for one in series if one.family == name]
        stops = np.cumsum([len(one.ends) for one in own]).tolist()
        ranges = {one.parameter: (stop - len(one.ends), stop) for one, stop in zip(own, stops, strict=True)}
        state = {f"{ticks.session}/{one.parameter}": one.state for one in own if one.state}
        found[name] = Bars(take(columns, slice(row, row + stops[-1])), ranges, state)
        row += stops[-1]
    return found


def assemble(
    ticks: SessionTicks, series: Sequence[BarEnds], closes: Sequence[float] | None = None
) -> dict[str, NDArray[Any]]:
    """All stored columns of the bars of several series over the same ticks, one series below the other.

    Parameters
    ----------
    ticks : SessionTicks
    series : sequence of BarEnds
        At least one; bars count from 0 in every series.
    closes : sequence of float, optional
        Close of the bar before the first of each series, for series that carry it. [USD]

    Returns
    -------
    dict of arrays
        The stored columns of ``schema.BAR_COLUMNS``.
    """
    bounds = [_bounds(ticks, one) for one in series]
    columns = aggregate(
        ticks,
        [one.ends for one in series],
        np.concatenate([start for start, _ in bounds]),
        np.concatenate([end for _, end in bounds]),
        {
            number: (one.brick_open, one.brick_close)
            for number, one in enumerate(series)
            if one.brick_open is not None and one.brick_close is not None
        },
    )
    found = as_declared({**columns, **_closing(ticks, series)})
    row = 0
    for number, one in enumerate(series):
        if one.carries_close:
            carry_close(found, slice(row, row + len(one)), closes[number] if closes else np.nan)
        row += len(one)
    return found


def _closing(ticks: SessionTicks, series: Sequence[BarEnds]) -> dict[str, NDArray[Any]]:
    """``bar_index`` and how the bars closed, series one below the other."""
    parts = {name: [one.closing[name] for one in series] for name in series[0].closing}
    parts["bar_index"] = [np.arange(len(one), dtype=np.uint32) for one in series]
    rows = sum(len(one) for one in series)
    return {
        name: np.concatenate(arrays, out=ticks.buffer(f"bars, {name}", arrays[0].dtype.str, rows))
        for name, arrays in parts.items()
    }


def _bounds(ticks: SessionTicks, one: BarEnds) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Start and completion of each bar: the windows of time bars, else first and last tick. [UTC ns]"""
    if one.bar_start is not None and one.timestamp is not None:
        return one.bar_start, one.timestamp
    last = ticks.timestamp[one.ends - 1]
    # A bar without ticks, a brick that was jumped over, has the instant of the tick that jumped.
    first = ticks.timestamp[np.minimum(bar_starts(one.ends), one.ends - 1)]
    return first, last

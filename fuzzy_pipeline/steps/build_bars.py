"""Bars of a stored symbol-day: all families in one pass over its ticks."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fuzzy_pipeline.bar_settings import FAMILY_NAMES, FamilyName, SessionName
from fuzzy_pipeline.bars.build import build_bars
from fuzzy_pipeline.bars.cutting import BarFamily, SeriesState
from fuzzy_pipeline.bars.registry import FAMILIES
from fuzzy_pipeline.bars.series import Bars
from fuzzy_pipeline.bars.session_ticks import TICK_COLUMNS, counted_shares, session_bounds_ns
from fuzzy_pipeline.errors import BarLimitError, ConservationError
from fuzzy_pipeline.quality.measures import counted_minutes
from fuzzy_pipeline.quality.rules import bar_measures
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.tables import BAR_TABLES, ENRICHED_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.steps.step import StepResult, Work, derived_row
from fuzzy_pipeline.steps.workbench import Workbench
from fuzzy_pipeline.stores.manifest import ManifestRow
from fuzzy_pipeline.stores.protocol import Metadata
from fuzzy_pipeline.stores.stored_content import hash_of_arrays

REGULAR_BARS = frozenset({"regular"})
"""Sessions whose 1-minute bars are those of the regular session: of ``all`` the closing auction has its own minute."""

_FAMILY_OF = {BAR_TABLES[name].name: name for name in FAMILY_NAMES}


@dataclass(frozen=True, slots=True)
class BuildBarsStep:
    """Bars of one symbol and date, the families' series from its enriched ticks in one pass."""

    families: tuple[FamilyName, ...] = tuple(FAMILIES)
    name: str = "bars"
    light_tables: tuple[str, ...] = ()
    inputs: tuple[str, ...] = (ENRICHED_TICKS.name,)
    optional_inputs: tuple[str, ...] = ()

    @property
    def tables(self) -> tuple[str, ...]:
        """One a family."""
        return tuple(BAR_TABLES[name].name for name in self.families)

    def history(self, table: str) -> Mapping[str, int]:
        """The trading date before of a family whose bars start from its state."""
        return {table: 1} if FAMILIES[_FAMILY_OF[table]].carries_state else {}

    def fingerprint(self, table: str, settings: Settings) -> str:
        """Version of the family's rule, its series and the sessions."""
        return FAMILIES[_FAMILY_OF[table]].fingerprint(settings.bars)

    def run(self, bench: Workbench, work: Work) -> StepResult:
        """Read enriched ticks, build the families, prove that no share was lost, store one key a family."""
        started = time.perf_counter()
        store, rules = bench.store, bench.settings.bars
        ticks = store.read(
            ENRICHED_TICKS, work.symbol, work.date, columns=TICK_COLUMNS, version=work.input.version
        ).arrays
        families = [_FAMILY_OF[table] for table in work.tables]
        states = {name: _state_before(bench, FAMILIES[name], work) for name in families}
        try:
            built = build_bars(ticks, work.date, rules, families=families, states=states, pool=bench.pool)
        except BarLimitError as error:
            raise BarLimitError(f"{work.symbol} {work.date}: {error}") from error
        shares = check_conservation(built, ticks, rules.sessions, work.symbol, work.date)
        minutes = counted_minutes(ticks, work.date)
        rows: list[ManifestRow] = []
        for name, bars in built.items():
            metadata = bar_metadata(FAMILIES[name], bars, rules.sessions)
            table = BAR_TABLES[name]
            version = store.write(table, work.symbol, work.date, bars.columns, metadata)
            cold = [series for series in bars.state if series not in states[name]]
            # Seconds are shared out evenly: the families are built together.
            row = derived_row(
                self,
                table.name,
                bench,
                work,
                version=version,
                rows=len(bars),
                content_hash=hash_of_arrays(table, bars.columns, work.date, metadata),
                seconds=(time.perf_counter() - started) / len(built),
                notes={"cold_start": _why_cold(FAMILIES[name], bench, work, cold)} if cold else None,
                measures=bar_measures(
                    bars.columns,
                    bars.ranges,
                    shares,
                    regular=session_bounds_ns("regular", work.date) if REGULAR_BARS & set(rules.sessions) else None,
                    counted_minutes=minutes,
                ),
            )
            rows.append(row)
        counts = {name: {p: stop - start for p, (start, stop) in bars.ranges.items()} for name, bars in built.items()}
        return StepResult(tuple(rows), shown={"bars": counts, "counted_shares": shares})


def bar_metadata(family: BarFamily, bars: Bars, sessions: Sequence[SessionName]) -> dict[str, Any]:
    """What is stored beside a family's bars and belongs to their content: row ranges, sessions, state carried on."""
    ranges = {name: list(rows) for name, rows in bars.ranges.items()}
    metadata: dict[str, Any] = {"ranges": ranges, "sessions": list(sessions)}
    if family.carries_state:
        series = {name: dict(state) for name, state in bars.state.items()}
        metadata["state"] = {"version": family.state_version, "series": series}
    return metadata


def stored_state(family: BarFamily, metadata: Metadata) -> Mapping[str, SeriesState]:
    """The state record in a key's metadata; empty when there is none of this version."""
    record = metadata.get("state") or {}
    return record["series"] if record.get("version") == family.state_version else {}


def _metadata_before(bench: Workbench, family: BarFamily, work: Work) -> Metadata | None:
    before = work.earlier.get(family.table.name)
    if not before:
        return None
    return bench.store.heavy.metadata(family.table, work.symbol, before[-1].date, before[-1].version)


def _state_before(bench: Workbench, family: BarFamily, work: Work) -> Mapping[str, SeriesState]:
    before = _metadata_before(bench, family, work)
    return {} if before is None else stored_state(family, before)


def _why_cold(family: BarFamily, bench: Workbench, work: Work, series: Sequence[str]) -> str:
    before = _metadata_before(bench, family, work)
    if before is None:
        gone = work.retired.get(family.table.name)
        return f"the bars of {gone[-1].date} were retired" if gone else "the trading date before is not stored"
    date = work.earlier[family.table.name][-1].date
    if (before.get("state") or {}).get("version") != family.state_version:
        return f"the state of {date} is of another version"
    return f"{date} was built without {', '.join(series)}"


def check_conservation(
    built: Mapping[FamilyName, Bars], ticks: Arrays, sessions: tuple[SessionName, ...], symbol: str, date: dt.date
) -> int:
    """Counted shares of the sessions, after proving that every series of bars holds exactly them.

    Raises
    ------
    ConservationError
        A series has lost or doubled shares; names the symbol, date, family, parameter and both sums.
    """
    shares = counted_shares(ticks, sessions)
    for name, bars in built.items():
        for parameter, (start, stop) in bars.ranges.items():
            held = int(np.sum(bars.columns["volume"][start:stop]))
            if held != shares:
                raise ConservationError(
                    f"{symbol} {date}: {parameter} {name} bars hold {held} shares, the ticks {shares}"
                )
    return shares

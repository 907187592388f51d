"""Rows that were set aside, each with what was decided on it.

Belongs here: reading them from a store, choosing and counting. Decisions are made at ``operations.quarantine_desk``.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from fuzzy_pipeline.schema.quarantine import (
    DECISIONS_TABLE,
    QUARANTINE_RELEASED,
    QuarantineDecision,
    RawValues,
    RowKey,
    row_keys,
    values_of,
)
from fuzzy_pipeline.schema.records import from_table
from fuzzy_pipeline.schema.tables import OFFICIAL_PRINTS, QUARANTINE, RAW_TICKS
from fuzzy_pipeline.stores.store import Store

State = Literal["open", "to_replay", "released", "dropped"]
"""Of a row: not decided; decided, and the ticks do not follow yet; among the ticks by a release; confirmed as bad."""


@dataclass(frozen=True, slots=True)
class DeskRow:
    """A row that broke a hard rule: its raw values, what was decided, and whether the last ingest released it."""

    symbol: str
    date: dt.date
    rule: str
    row: int
    values: RawValues
    key: RowKey
    decision: QuarantineDecision | None = None
    is_released: bool = False

    @property
    def state(self) -> State:
        """Where the row stands between decision and replay."""
        wanted = self.decision is not None and self.decision.decision == "release"
        if wanted != self.is_released:
            return "to_replay"
        if wanted:
            return "released"
        return "open" if self.decision is None else "dropped"

    @property
    def name(self) -> str:
        """Symbol, date and arrival number, for messages."""
        return f"{self.symbol} {self.date} row {self.row}"


@dataclass(frozen=True, slots=True)
class RuleCount:
    """Rows of a symbol and date that broke a rule, by state."""

    date: dt.date
    symbol: str
    rule: str
    states: Mapping[State, int]

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(self.states.values())


@dataclass(frozen=True, slots=True)
class Choice:
    """Which rows are meant; an empty part takes all."""

    symbols: tuple[str, ...] = ()
    dates: tuple[dt.date, ...] = ()
    rules: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    states: tuple[State, ...] = ()

    def takes(self, row: DeskRow) -> bool:
        """Whether a row of the symbols and dates is meant."""
        return (
            (not self.rules or row.rule in self.rules)
            and (not self.rows or row.row in self.rows)
            and (not self.states or row.state in self.states)
        )


def rule_counts(store: Store, choice: Choice) -> list[RuleCount]:
    """Rows by date, symbol and rule, with their states; ``rows`` and ``states`` of the choice do not matter.

    Only symbol-days with decisions are looked at row by row: the quarantine of years can be counted.
    """
    found: list[RuleCount] = []
    for date in _dates(store, choice):
        touched = touched_symbols(store, date, choice.symbols)
        found += [
            RuleCount(date, each["symbol"], each["rule"], {"open": each["count_all"]})
            for each in _grouped(store, date, choice.symbols)
            if each["symbol"] not in touched
        ]
        rows = _rows_of(store, date, touched) if touched else []
        states = Counter((row.symbol, row.rule, row.state) for row in rows)
        for symbol, rule in {(symbol, rule) for symbol, rule, _ in states}:
            own = {state: count for (s, r, state), count in states.items() if (s, r) == (symbol, rule)}
            found.append(RuleCount(date, symbol, rule, own))
    chosen = (each for each in found if not choice.rules or each.rule in choice.rules)
    return sorted(chosen, key=lambda each: (each.date, each.symbol, each.rule))


def desk_rows(store: Store, choice: Choice) -> list[DeskRow]:
    """The rows meant, by date, symbol and order of arrival."""
    return [row for date in _dates(store, choice) for row in _rows_of(store, date, choice.symbols) if choice.takes(row)]


def touched_symbols(store: Store, date: dt.date, symbols: Sequence[str] = ()) -> tuple[str, ...]:
    """Symbols of a date with decisions, or with rows that were released, among those named (none: all)."""
    tables = [
        store.light.read(table, dates=[date], symbols=symbols or None, columns=["symbol"])
        for table in (DECISIONS_TABLE, QUARANTINE_RELEASED.name)
    ]
    return tuple(sorted({each for table in tables if table is not None for each in table["symbol"].to_pylist()}))


def decisions_on(store: Store, date: dt.date, symbols: Sequence[str] = ()) -> list[QuarantineDecision]:
    """Decisions that hold on rows of a date."""
    return from_table(store.light.read(DECISIONS_TABLE, dates=[date], symbols=symbols or None), QuarantineDecision)


def ticks_around(store: Store, row: DeskRow, count: int = 3) -> list[tuple[int, RawValues]]:
    """Up to ``count`` stored ticks that arrived before a row, and as many after it: arrival number and values."""
    committed = store.committed(RAW_TICKS, row.symbol, row.date)
    numbers = _tick_numbers(store, row.symbol, row.date, committed.rows_in)
    before, after = np.flatnonzero(numbers < row.row)[-count:], np.flatnonzero(numbers > row.row)[:count]
    near = np.concatenate([before, after])
    if not len(near):
        return []
    first, stop = int(near[0]), int(near[-1]) + 1
    found = store.read(
        RAW_TICKS, row.symbol, row.date, columns=RAW_TICKS.names, rows=(first, stop), version=committed.version
    ).arrays
    values = values_of(found, (near - first).tolist())
    return list(zip(numbers[near].tolist(), values, strict=True))


def _tick_numbers(store: Store, symbol: str, date: dt.date, rows_in: int) -> NDArray[np.int64]:
    """Arrival numbers of the stored ticks: those that no row set aside and no official print has."""
    apart = [
        number
        for table in (QUARANTINE.name, OFFICIAL_PRINTS.name)
        if (found := store.light.read(table, dates=[date], symbols=[symbol], columns=["row"])) is not None
        for number in found["row"].to_pylist()
    ]
    return np.setdiff1d(np.arange(rows_in), np.array(apart, np.int64))


def _dates(store: Store, choice: Choice) -> list[dt.date]:
    held = {date for table in (QUARANTINE.name, QUARANTINE_RELEASED.name) for date in store.light.dates(table)}
    return sorted(held.intersection(choice.dates) if choice.dates else held)


def _ingest_ids(store: Store, date: dt.date, symbols: Sequence[str]) -> dict[str, str]:
    """Committed ingest of each symbol: rows of another one are a killed run's."""
    return {row.symbol: row.ingest_id for row in store.manifest.rows(RAW_TICKS.name, [date], symbols or None)}


def _grouped(store: Store, date: dt.date, symbols: Sequence[str]) -> Iterable[dict[str, Any]]:
    keys = ["symbol", "rule", "ingest_id"]
    rows = store.light.read(QUARANTINE.name, dates=[date], symbols=symbols or None, columns=keys)
    if rows is None:
        return []
    ingests = _ingest_ids(store, date, symbols)
    groups = rows.group_by(keys).aggregate([([], "count_all")]).to_pylist()
    return [each for each in groups if ingests.get(each["symbol"]) == each["ingest_id"]]


def _rows_of(store: Store, date: dt.date, symbols: Sequence[str]) -> list[DeskRow]:
    ingests = _ingest_ids(store, date, symbols)
    by_symbol: dict[str, list[tuple[dict[str, Any], bool]]] = {}
    for table, is_released in ((QUARANTINE.name, False), (QUARANTINE_RELEASED.name, True)):
        found = store.light.read(table, dates=[date], symbols=symbols or None)
        for row in found.to_pylist() if found is not None else []:
            if ingests.get(row["symbol"]) == row["ingest_id"]:
                by_symbol.setdefault(row["symbol"], []).append((row, is_released))
    decided = {(each.symbol, each.key): each for each in decisions_on(store, date, symbols)}
    rows = []
    for symbol, held in sorted(by_symbol.items()):
        held.sort(key=lambda pair: pair[0]["row"])
        keys = row_keys([row["rule"] for row, _ in held], [row for row, _ in held])
        for (row, is_released), key in zip(held, keys, strict=True):
            values = {name: row[name] for name in RAW_TICKS.names}
            decision = decided.get((symbol, key))
            rows.append(DeskRow(symbol, date, row["rule"], row["row"], values, key, decision, is_released))
    return rows

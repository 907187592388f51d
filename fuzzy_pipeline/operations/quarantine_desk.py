"""The quarantine desk: a person decides on rows that were set aside.

Belongs here: checking and recording decisions. They change no tick: the next ingest of the symbol and date applies them
(``steps.ingest``). Every decision is in the audit log before it is recorded.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any, Literal

import numpy as np

from fuzzy_pipeline import __version__
from fuzzy_pipeline.errors import SettingsError
from fuzzy_pipeline.operations.audit import AuditLog
from fuzzy_pipeline.operations.audit_chain import AuditEntry
from fuzzy_pipeline.operations.quarantine_rows import (
    Choice,
    DeskRow,
    RuleCount,
    decisions_on,
    desk_rows,
    rule_counts,
    ticks_around,
    touched_symbols,
)
from fuzzy_pipeline.quality.validation import DUPLICATE_RULE, HARD_RULES, broken_rule
from fuzzy_pipeline.schema.quarantine import (
    DECISIONS_TABLE,
    QUARANTINE_RELEASED,
    Decision,
    QuarantineDecision,
    RawValues,
    corrected,
    releases_hash,
    value_text,
)
from fuzzy_pipeline.schema.records import to_table
from fuzzy_pipeline.schema.tables import OFFICIAL_PRINTS, QUARANTINE, RAW_TICKS, SCHEMA_VERSION
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.file_lock import held
from fuzzy_pipeline.stores.manifest import LIGHT_VERSION, ManifestRow
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import now_eastern

Action = Literal["release", "drop", "reopen"]

TickKey = tuple[int, int]
"""Market centre and tick id: unique within a symbol and date."""

FOR_MANY_ROWS = frozenset({"date", "last_type"})
"""Columns that several rows may get one value of at once; any other differs from row to row."""

_WAY_OUT: Mapping[str, str] = {
    "price_not_positive": "--set last=PRICE",
    "missing_field": "--set tick_id=N or --set last_type=C",
    "zero_size": "--set last_sz=SHARES",
    "size_out_of_range": "--set last_sz=SHARES or --set mkt_ctr=ID",
    "wrong_date": "--set date=YYYY-MM-DD",
    "time_out_of_day": "--set time=HH:MM:SS",
}


class QuarantineDesk:
    """Rows set aside in a store, and decisions on them.

    Decisions on one store are made one after the other, under a lock file.
    """

    def __init__(self, store: Store, settings: Settings, audit: AuditLog | None = None) -> None:
        self._store = store
        self._settings = settings
        self._audit = audit or AuditLog.of(settings)

    def counts(self, choice: Choice) -> list[RuleCount]:
        """Rows by date, symbol, rule and state."""
        return rule_counts(self._store, choice)

    def rows(self, choice: Choice) -> list[DeskRow]:
        """The rows meant, by date, symbol and order of arrival."""
        return desk_rows(self._store, choice)

    def around(self, row: DeskRow, count: int = 3) -> list[tuple[int, RawValues]]:
        """Stored ticks that arrived before and after a row: arrival numbers and raw values."""
        return ticks_around(self._store, row, count)

    def release(self, rows: Sequence[DeskRow], why: str, corrections: Mapping[str, str] | None = None) -> int:
        """Decide that rows are good trades, perhaps with other values; how many there are.

        They come into raw ticks with the next ingest of their symbol and date (``fuzzy quarantine replay``).

        Parameters
        ----------
        rows
            From ``rows``.
        why
            The reason; kept for good.
        corrections
            Raw column -> value as text, such as ``{"last": "12.34"}``.

        Raises
        ------
        SettingsError
            There is no reason or no row; a row breaks a rule by itself even with the corrections, or would have the
            market centre and tick id of another tick.
        SchemaError
            A correction is no value of its column.
        StoreError
            The audit log or the store could not be written; the log tells what took no effect.
        """
        chosen = dict(corrections or {})
        self.check_release(rows, chosen)
        return self._decide("release", rows, why, chosen)

    def check_release(self, rows: Sequence[DeskRow], corrections: Mapping[str, str]) -> None:
        """Refuse what the next ingest could not store; raises as ``release``, which calls this."""
        differing = sorted(set(corrections) - FOR_MANY_ROWS)
        if differing and len(rows) > 1:
            raise SettingsError(
                f"{', '.join(differing)} would become equal in {len(rows)} rows: correct one row at a time with --row"
            )
        for row in rows:
            self._check_storable(row, corrections)
        for _, group in groupby(sorted(rows, key=_place), key=_symbol_day):
            self._check_keys(list(group), corrections)

    def drop(self, rows: Sequence[DeskRow], why: str) -> int:
        """Confirm that rows are bad: they stay set aside and are no longer open. Raises as ``release``."""
        return self._decide("drop", rows, why, {})

    def reopen(self, rows: Sequence[DeskRow], why: str) -> int:
        """Take decisions back; released rows are set aside again by the next ingest. Raises as ``release``."""
        undecided = [row.name for row in rows if row.decision is None]
        if undecided:
            raise SettingsError(f"{_some(undecided)}: nothing was decided that could be taken back")
        return self._decide("reopen", rows, why, {})

    def to_replay(self, choice: Choice) -> dict[dt.date, tuple[str, ...]]:
        """Dates and their symbols whose ticks do not follow the decisions yet."""
        found: dict[dt.date, set[str]] = {}
        light = self._store.light
        dates = choice.dates or {*light.dates(DECISIONS_TABLE), *light.dates(QUARANTINE_RELEASED.name)}
        for date in sorted(dates):
            touched = touched_symbols(self._store, date, choice.symbols)
            rows = self.rows(Choice(touched, (date,), states=("to_replay",))) if touched else []
            for row in rows:
                found.setdefault(date, set()).add(row.symbol)
        return {date: tuple(sorted(symbols)) for date, symbols in found.items()}

    def begin_replay(self, date: dt.date, symbols: Sequence[str]) -> AuditEntry:
        """Note in the audit log that a date's symbols are about to be built with the decisions on them.

        Decisions that a killed process left half recorded are recorded now.
        """
        with self._one_at_a_time():
            entry = self._audit.append(
                "quarantine.replay", {"table": RAW_TICKS.name, "date": date, "symbols": list(symbols)}
            )
            self._commit(date, symbols, decisions_on(self._store, date, symbols))
        return entry

    # -- recording -----------------------------------------------------------------------

    def _decide(self, action: Action, rows: Sequence[DeskRow], why: str, corrections: Mapping[str, str]) -> int:
        if not why.strip():
            raise SettingsError("a decision needs its reason: --why TEXT")
        if not rows:
            raise SettingsError("no rows are meant: fuzzy quarantine list shows which there are")
        for (date, symbol), group in groupby(sorted(rows, key=_place), key=_symbol_day):
            own = list(group)
            with self._one_at_a_time():
                self._decide_day(action, date, symbol, own, why.strip(), corrections)
        return len(rows)

    def _decide_day(
        self,
        action: Action,
        date: dt.date,
        symbol: str,
        rows: Sequence[DeskRow],
        why: str,
        corrections: Mapping[str, str],
    ) -> None:
        subject = {
            "table": QUARANTINE.name, "symbol": symbol, "date": date, "rows": row_ranges([row.row for row in rows]),
        }  # fmt: skip
        details: dict[str, Any] = {"why": why, "rules": dict(Counter(row.rule for row in rows))}
        if corrections:
            details["corrections"] = dict(corrections)
        entry = self._audit.append(f"quarantine.{action}", subject, details)
        keys = {row.key for row in rows}
        try:
            decided = [each for each in decisions_on(self._store, date, [symbol]) if each.key not in keys]
            if action != "reopen":
                decided += [_decision(action, row, why, corrections, entry) for row in rows]
            rows_now = to_table(decided, QuarantineDecision)
            self._store.light.replace_symbols(DECISIONS_TABLE, date, rows_now, [symbol])
            self._commit(date, [symbol], decided)
        except Exception as error:
            self._audit.append(f"quarantine.{action}.failed", subject, {"of": entry.sequence, "error": str(error)})
            raise

    def _commit(self, date: dt.date, symbols: Sequence[str], decisions: Sequence[QuarantineDecision]) -> None:
        """The manifest rows of the decisions: with them they count in what ticks are made from."""
        by_symbol: dict[str, list[QuarantineDecision]] = {symbol: [] for symbol in symbols}
        for each in decisions:
            by_symbol[each.symbol].append(each)
        manifest = self._store.manifest
        manifest.commit(
            DECISIONS_TABLE, date, [self._row(symbol, date, own) for symbol, own in by_symbol.items() if own]
        )
        without = [symbol for symbol, own in by_symbol.items() if not own]
        if without:
            manifest.remove(DECISIONS_TABLE, date, without)

    def _row(self, symbol: str, date: dt.date, decisions: Sequence[QuarantineDecision]) -> ManifestRow:
        releases = sum(each.decision == "release" for each in decisions)
        return ManifestRow(
            table=DECISIONS_TABLE,
            symbol=symbol,
            date=date,
            kind=self._store.kind,
            version=LIGHT_VERSION,
            rows=len(decisions),
            content_hash=releases_hash(decisions),
            input_hash="",
            source="quarantine_desk",
            ingest_id=uuid.uuid4().hex,
            code_version=__version__,
            schema_version=SCHEMA_VERSION,
            rows_in=len(decisions),
            rows_out=releases,
            rows_set_aside=len(decisions) - releases,
            committed_at=now_eastern(),
        )

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        what = f"deciding on the quarantine of {self._store.root}"
        lock = self._store.root / ".locks" / "quarantine_desk.lock"
        with held(lock, self._settings.store.lock_timeout_s, what):
            yield

    # -- checking ------------------------------------------------------------------------

    def _check_storable(self, row: DeskRow, corrections: Mapping[str, str]) -> None:
        broken = broken_rule(corrected(row.values, corrections), row.date, self._settings.condition_profile)
        if broken is None:
            return
        even = " even with the corrections" if corrections else " as it is"
        raise SettingsError(
            f"{row.name} cannot be released{even}: {broken} ({HARD_RULES[broken]})\n"
            f"correct it with {_WAY_OUT.get(broken, '--set COLUMN=VALUE')}, or drop it"
        )

    def _check_keys(self, rows: Sequence[DeskRow], corrections: Mapping[str, str]) -> None:
        """Refuse rows of a symbol and date that would make others duplicates, which an ingest would then set aside."""
        new = [row for row in rows if row.rule != DUPLICATE_RULE or {"mkt_ctr", "tick_id"} & set(corrections)]
        if not new:
            return
        date, symbol = _symbol_day(new[0])
        own = {row.key for row in rows}
        waiting = self.rows(Choice((symbol,), (date,), states=("to_replay",)))
        taken = Counter(
            _tick_key(corrected(row.values, row.decision.corrections))
            for row in waiting
            if row.decision is not None and row.decision.decision == "release" and row.key not in own
        )
        wanted = {row.key: _tick_key(corrected(row.values, corrections)) for row in new}
        taken.update(wanted.values())
        stored = self._stored_keys(symbol, date, set(wanted.values()))
        for row in new:
            key = wanted[row.key]
            if taken[key] > 1 or (key in stored and not row.is_released):
                raise SettingsError(
                    f"{row.name} cannot be released: another tick has its market centre {key[0]} and tick id {key[1]}\n"
                    "correct it with --set tick_id=N, or drop it"
                )

    def _stored_keys(self, symbol: str, date: dt.date, keys: Collection[TickKey]) -> set[TickKey]:
        """Those of the keys that a stored tick or official print has."""
        columns = ["mkt_ctr", "tick_id"]
        prints = self._store.light.read(OFFICIAL_PRINTS.name, dates=[date], symbols=[symbol], columns=columns)
        found = {_tick_key(each) for each in prints.to_pylist()} if prints is not None else set()
        ticks = self._store.read(RAW_TICKS, symbol, date, columns=columns).arrays
        for center in {key[0] for key in keys}:
            ids = [key[1] for key in keys if key[0] == center]
            held = ticks["tick_id"][ticks["mkt_ctr"] == center]
            found |= {(center, number) for number in np.intersect1d(np.array(ids, np.uint64), held).tolist()}
        return found.intersection(keys)


def row_ranges(rows: Iterable[int]) -> str:
    """Row numbers as text.

    Examples
    --------
    >>> row_ranges([7, 3, 4, 5])
    '3-5, 7'
    """
    spans: list[list[int]] = []
    for row in sorted(set(rows)):
        if spans and row == spans[-1][1] + 1:
            spans[-1][1] = row
        else:
            spans.append([row, row])
    return ", ".join(f"{first}" if first == last else f"{first}-{last}" for first, last in spans)


def _decision(
    action: Decision, row: DeskRow, why: str, corrections: Mapping[str, str], entry: AuditEntry
) -> QuarantineDecision:
    return QuarantineDecision(
        symbol=row.symbol,
        trading_date=row.date,
        decision=action,
        rule=row.rule,
        row=row.row,
        values_hash=row.key.values_hash,
        occurrence=row.key.occurrence,
        values={name: value_text(value) for name, value in row.values.items()},
        corrections=dict(corrections),
        why=why,
        decided_by=entry.actor,
        decided_at=dt.datetime.fromisoformat(entry.at),
        audit_sequence=entry.sequence,
    )


def _tick_key(values: RawValues) -> TickKey:
    return int(values["mkt_ctr"]), int(values["tick_id"])


def _symbol_day(row: DeskRow) -> tuple[dt.date, str]:
    return row.date, row.symbol


def _place(row: DeskRow) -> tuple[dt.date, str, int]:
    return row.date, row.symbol, row.row


def _some(names: Sequence[str], count: int = 3) -> str:
    return ", ".join(names[:count]) + (f" and {len(names) - count} more" if len(names) > count else "")

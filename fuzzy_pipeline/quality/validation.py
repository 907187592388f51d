"""Hard and soft rules on raw ticks: what is set aside, what is kept and flagged.

Belongs here: rules that look at the ticks of one symbol and date. Hard rules set a row aside under the
first rule it breaks; soft rules keep the row and report it. A person's releases of rows that were set aside are
applied before the counting. Counts always add up.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from fuzzy_pipeline.errors import RejectedDayError
from fuzzy_pipeline.quality import flags
from fuzzy_pipeline.schema.arrays import Arrays, length, take
from fuzzy_pipeline.schema.codes import OFFICIAL_BIT, condition_bits
from fuzzy_pipeline.schema.quarantine import RawValues, Releases, arrays_of, corrected, row_keys, values_of
from fuzzy_pipeline.schema.tables import RAW_TICKS, check_arrays
from fuzzy_pipeline.settings import ConditionProfile, IngestSettings

HARD_RULES: dict[str, str] = {
    "price_not_positive": "last must be finite and above 0",
    "missing_field": "tick_id and last_type must be present",
    "zero_size": "last_sz must be above 0 unless the tick is an official open or close print",
    "size_out_of_range": "last_sz must fit 32 bits and mkt_ctr 16",
    "wrong_date": "date must be the partition's trading date",
    "time_out_of_day": "time must be within 00:00-24:00 Eastern Time",
    "duplicate_key": "(date, mkt_ctr, tick_id) must be unique; the first row stays",
}
"""Rule -> what it demands, in the order they are tried."""

DUPLICATE_RULE = "duplicate_key"
"""The one rule that compares rows: a person may think otherwise. Who breaks another cannot be stored as it is."""

_PRICE, _MISSING, _ZERO_SIZE, _RANGE, _DATE, _TIME, _DUPLICATE = range(1, len(HARD_RULES) + 1)
_KEPT = 0
_OFFICIAL = 255
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class ValidatedTicks:
    """A symbol-day sorted into kept, official and set-aside rows.

    ``ticks`` and ``official_prints`` are the 14 columns of the rows kept and kept apart; ``set_aside`` those of
    the rows set aside, with ``rules`` beside them. ``rows`` and ``official_rows`` are arrival numbers;
    ``flagged`` tells, by soft rule, those of kept rows. ``released`` are the rows, as they came, that a release lifted
    out of ``released_rules``; with their corrections they are among the others under ``released_rows``.
    """

    rows_in: int
    ticks: Arrays
    official_prints: Arrays
    set_aside: Arrays
    rules: tuple[str, ...]
    rows: NDArray[np.int64]
    official_rows: NDArray[np.int64]
    flagged: Mapping[str, NDArray[np.int64]]
    released: Arrays
    released_rules: tuple[str, ...]
    released_rows: NDArray[np.int64]

    @property
    def rows_kept(self) -> int:
        """Rows that go on to enrichment."""
        return length(self.ticks)

    @property
    def rows_official(self) -> int:
        """Official open and close prints."""
        return length(self.official_prints)

    @property
    def rows_set_aside(self) -> int:
        """Rows in quarantine."""
        return length(self.set_aside)


@njit(cache=True, nogil=True)
def _judge(tick_id, date, time, last, size, basis, center, cond1, cond2, cond3, cond4, wanted_date, bits, verdict):  # type: ignore[no-untyped-def]
    set_aside = 0
    official = 0
    for i in range(len(last)):
        broken = _KEPT
        if not (last[i] > 0.0 and last[i] < np.inf):
            broken = _PRICE
        elif tick_id[i] == 0 or basis[i] == 0:
            broken = _MISSING
        elif size[i] > 0xFFFFFFFF or center[i] > 0xFFFF:
            broken = _RANGE
        elif date[i] != wanted_date:
            broken = _DATE
        elif time[i] < 0 or time[i] >= _DAY_US:
            broken = _TIME
        elif size[i] == 0:
            meaning = bits[cond1[i]] | bits[cond2[i]] | bits[cond3[i]] | bits[cond4[i]]
            broken = _OFFICIAL if meaning & OFFICIAL_BIT else _ZERO_SIZE
        verdict[i] = broken
        if broken == _OFFICIAL:
            official += 1
        elif broken:
            set_aside += 1
    return set_aside, official


@njit(cache=True, nogil=True)
def _counts_up(tick_id, center, verdict):  # type: ignore[no-untyped-def]
    """Whether ids rise strictly within each market centre, so that no key can repeat."""
    latest = np.zeros(1 << 16, dtype=np.uint64)
    for i in range(len(tick_id)):
        if verdict[i] != _KEPT and verdict[i] != _OFFICIAL:
            continue
        if tick_id[i] <= latest[center[i]]:
            return False
        latest[center[i]] = tick_id[i]
    return True


def _mark_duplicates(raw: Arrays, verdict: NDArray[np.uint8]) -> int:
    """Give rows whose key came before the duplicate verdict; returns how many."""
    if _counts_up(raw["tick_id"], raw["mkt_ctr"], verdict):
        return 0
    alive = np.flatnonzero((verdict == _KEPT) | (verdict == _OFFICIAL))
    tick_id, center = raw["tick_id"][alive], raw["mkt_ctr"][alive]
    order = np.lexsort((alive, tick_id, center))
    same = (np.diff(tick_id[order]) == 0) & (np.diff(center[order]) == 0)
    repeated = alive[order[1:][same]]
    verdict[repeated] = _DUPLICATE
    return len(repeated)


def _judge_alone(
    raw: Arrays, trading_date: dt.date, conditions: ConditionProfile
) -> tuple[NDArray[np.uint8], int, int]:
    """Verdicts of the rules that look at a row alone; how many rows are set aside, and how many official."""
    verdict = np.empty(length(raw), dtype=np.uint8)
    basis = np.ascontiguousarray(raw["last_type"]).view(np.uint8)
    set_aside, official = _judge(
        raw["tick_id"], raw["date"].view(np.int64), raw["time"], raw["last"], raw["last_sz"], basis, raw["mkt_ctr"],
        raw["cond1"], raw["cond2"], raw["cond3"], raw["cond4"],
        np.datetime64(trading_date, "D").astype(np.int64), condition_bits(conditions), verdict,
    )  # fmt: skip
    return verdict, set_aside, official


def broken_rule(values: RawValues, trading_date: dt.date, conditions: ConditionProfile = "iqfeed") -> str | None:
    """The first hard rule that a row breaks by itself, None when it can be stored.

    Parameters
    ----------
    values : RawValues
        The 14 raw columns of the row.
    trading_date : date
        The partition it is to be stored in.
    conditions : {"iqfeed", "fuzzy_oss20"}
        Which codes mark official prints.
    """
    verdict = int(_judge_alone(arrays_of([values]), trading_date, conditions)[0][0])
    return None if verdict in (_KEPT, _OFFICIAL) else tuple(HARD_RULES)[verdict - 1]


class _Release:
    """Applies a person's releases to the ticks of a symbol and date while they are judged.

    ``raw`` stays as it came; ``ticks`` are the same rows with corrections, written into copies of the columns.
    """

    def __init__(self, raw: Arrays, trading_date: dt.date, conditions: ConditionProfile, releases: Releases) -> None:
        self.raw = raw
        self.ticks: dict[str, NDArray[Any]] = dict(raw)
        self.done: list[tuple[int, str]] = []
        self._date, self._conditions = trading_date, conditions
        self._releases = releases

    def apply(self, verdict: NDArray[np.uint8], broken: NDArray[np.int64]) -> None:
        """Put released rows among the broken ones in order, unless they break a rule of their own even so."""
        names = tuple(HARD_RULES)
        rules = [names[code - 1] for code in verdict[broken]]
        raw_values = values_of(self.raw, broken)
        keys = row_keys(rules, raw_values)
        for row, rule, values, key in zip(broken.tolist(), rules, raw_values, keys, strict=True):
            if key not in self._releases:
                continue
            corrections = self._releases[key]
            # A duplicate may have been corrected before, under the rule it broke first.
            before = values_of(self.ticks, [row])[0] if rule == DUPLICATE_RULE else values
            arrays = arrays_of([corrected(before, corrections)])
            now = int(_judge_alone(arrays, self._date, self._conditions)[0][0])
            if now in (_KEPT, _OFFICIAL):
                self._write(row, arrays)
                verdict[row] = now
                self.done.append((row, rule))

    def _write(self, row: int, arrays: Arrays) -> None:
        for name, array in arrays.items():
            if self.ticks[name][row] != array[0]:
                if self.ticks[name] is self.raw[name]:
                    self.ticks[name] = self.raw[name].copy()
                self.ticks[name][row] = array[0]


def validate_ticks(
    raw: Arrays,
    symbol: str,
    trading_date: dt.date,
    settings: IngestSettings | None = None,
    conditions: ConditionProfile = "iqfeed",
    releases: Releases | None = None,
) -> ValidatedTicks:
    """Sort the ticks of one symbol and date into kept, official and set aside, and flag soft rules.

    Parameters
    ----------
    raw : Arrays
        The 14 columns of ``RAW_TICKS`` in arrival order.
    symbol, trading_date
        The partition; rows of another date are set aside.
    settings : IngestSettings, optional
        Bounds of the soft rules and the set-aside share at which the day is refused.
    conditions : {"iqfeed", "fuzzy_oss20"}
        Which codes mark official prints.
    releases : Releases, optional
        Rows that a person has found to be good although they break a rule, with corrections. They are looked for by
        their raw values; one that cannot be stored even so stays set aside.

    Returns
    -------
    ValidatedTicks
        ``rows_in = rows_kept + rows_official + rows_set_aside``.

    Raises
    ------
    SchemaError
        The columns are not those of ``RAW_TICKS``.
    RejectedDayError
        More than ``max_set_aside_share`` of the rows break hard rules; names the rules and their counts.
    """
    settings = settings or IngestSettings()
    check_arrays(RAW_TICKS, raw, f"{symbol} {trading_date}", key_columns=True)
    rows = length(raw)
    verdict, set_aside, official = _judge_alone(raw, trading_date, conditions)
    release = _Release(raw, trading_date, conditions, releases or {})
    if releases and set_aside:
        release.apply(verdict, _broken(verdict))
    duplicates = _mark_duplicates(release.ticks, verdict)
    if releases and duplicates:
        release.apply(verdict, np.flatnonzero(verdict == _DUPLICATE))
    broken = _broken(verdict) if set_aside or duplicates else np.zeros(0, np.int64)
    names = tuple(HARD_RULES)
    rules = tuple(names[code - 1] for code in verdict[broken])
    if rows and len(broken) > settings.max_set_aside_share * rows:
        raise RejectedDayError(_refusal(symbol, trading_date, rows, broken, rules, settings.max_set_aside_share))
    kept = np.flatnonzero(verdict == _KEPT)
    official_rows = np.flatnonzero(verdict == _OFFICIAL) if official or release.done else np.zeros(0, np.int64)
    ticks = release.ticks if len(kept) == rows else take(release.ticks, kept)
    released = sorted(release.done)
    released_rows = np.array([row for row, _ in released], np.int64)
    return ValidatedTicks(
        rows_in=rows,
        ticks=ticks,
        official_prints=take(release.ticks, official_rows),
        set_aside=take(raw, broken),
        rules=rules,
        rows=broken,
        official_rows=official_rows,
        flagged={rule: kept[found] for rule, found in flags.soft_flags(ticks, settings).items() if len(found)},
        released=take(raw, released_rows),
        released_rules=tuple(rule for _, rule in released),
        released_rows=released_rows,
    )


def _broken(verdict: NDArray[np.uint8]) -> NDArray[np.int64]:
    return np.flatnonzero((verdict != _KEPT) & (verdict != _OFFICIAL))


def _refusal(
    symbol: str, trading_date: dt.date, rows: int, broken: NDArray[Any], rules: tuple[str, ...], limit: float
) -> str:
    counts = {rule: rules.count(rule) for rule in HARD_RULES if rule in rules}
    return (
        f"{symbol} {trading_date}: {len(broken)} of {rows} rows break hard rules, more than {limit:.1%}"
        f" (FUZZY_INGEST__MAX_SET_ASIDE_SHARE); nothing was stored. By rule: {counts}; first row {broken[0]}:"
        f" {rules[0]} ({HARD_RULES[rules[0]]})"
    )

"""Decisions of a person on rows that were set aside: what identifies a row, what is decided, what is corrected.

Belongs here: the record of a decision, the key that ties it to one row of one symbol and date, and the typed values
of corrections. Rows themselves are light tables: set aside in ``quarantine``, released ones as they came in
``quarantine_released``.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xxhash
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, field_validator

from fuzzy_pipeline.errors import SchemaError
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.tables import QUARANTINE, RAW_TICKS, Table
from fuzzy_pipeline.trading_calendar import EASTERN

DECISIONS_TABLE = "quarantine_decisions"
"""Light table of decisions. Its manifest rows commit them; ``rows_out`` of such a row counts the releases."""

QUARANTINE_RELEASED = Table(
    "quarantine_released",
    "Raw ticks that a decision released into raw ticks, as the source gave them, with the rule they broke.",
    QUARANTINE.columns,
    "light",
)

Decision = Literal["release", "drop"]
RawValues = Mapping[str, Any]
"""The 14 raw columns of one row as Python values: numbers, a date or None, text of one letter or none."""


@dataclass(frozen=True, slots=True)
class RowKey:
    """What a decision is tied to, within a symbol and date: the rule broken and the row's raw values.

    The values hold market centre and tick id. Rows that are equal in every value are told apart by ``occurrence``:
    0, 1, 2… in order of arrival.
    """

    rule: str
    values_hash: str
    occurrence: int


class QuarantineDecision(BaseModel):
    """A person's decision on one row that was set aside."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    symbol: str = Field(description="Ticker.")
    trading_date: dt.date = Field(description="Partition's date.")
    decision: Decision = Field(description="release: a good trade; drop: bad, stays set aside.")
    rule: str = Field(description="Hard rule the row broke.")
    row: int = Field(ge=0, description="Arrival number of the row when it was decided.")
    values_hash: str = Field(description="Hash of the row's raw values.")
    occurrence: int = Field(ge=0, description="0, 1, 2… among rows of equal values, in order of arrival.")
    values: dict[str, str] = Field(description="Raw values as text.")
    corrections: dict[str, str] = Field(default={}, description="Column -> value in place of the raw one.")
    why: str = Field(min_length=1, description="The person's reason.")
    decided_by: str = Field(description="Operating-system user.")
    decided_at: dt.datetime = Field(description="When.")
    audit_sequence: int = Field(ge=1, description="Entry of the audit log.")

    @field_validator("decided_at")
    @classmethod
    def _instants_are_eastern(cls, value: dt.datetime) -> dt.datetime:
        if value.tzinfo is None:
            raise ValueError("an instant needs a time zone")
        return value.astimezone(EASTERN)

    @property
    def key(self) -> RowKey:
        """The row it is about."""
        return RowKey(self.rule, self.values_hash, self.occurrence)


Releases = Mapping[RowKey, Mapping[str, str]]
"""Rows of a symbol and date to be released -> their corrections."""


def releases_of(decisions: Iterable[QuarantineDecision]) -> dict[RowKey, Mapping[str, str]]:
    """The releases among decisions on one symbol and date."""
    return {each.key: each.corrections for each in decisions if each.decision == "release"}


def releases_hash(decisions: Iterable[QuarantineDecision]) -> str:
    """XXH3-128 [hex] of what releases change, whoever decided them when; empty without any. Drops change nothing."""
    parts = sorted(
        [key.rule, key.values_hash, key.occurrence, sorted(corrections.items())]
        for key, corrections in releases_of(decisions).items()
    )
    return xxhash.xxh3_128_hexdigest(json.dumps(parts).encode()) if parts else ""


def values_of(ticks: Arrays, rows: Iterable[int]) -> list[dict[str, Any]]:
    """Raw values of some rows of the 14 arrays, in that order."""
    chosen = np.fromiter(rows, np.int64)
    columns = [_plain(ticks[name][chosen]) for name in RAW_TICKS.names]
    return [dict(zip(RAW_TICKS.names, values, strict=True)) for values in zip(*columns, strict=True)]


def arrays_of(rows: Sequence[RawValues]) -> dict[str, NDArray[Any]]:
    """The 14 arrays from raw values: the inverse of ``values_of``."""
    return {
        column.name: np.array(
            [row[column.name].encode("latin-1") if column.dtype == "S1" else row[column.name] for row in rows],
            dtype=column.dtype,
        )
        for column in RAW_TICKS.columns
    }


def _plain(array: NDArray[Any]) -> list[Any]:
    return [value.decode("latin-1") for value in array.tolist()] if array.dtype.kind == "S" else array.tolist()


def row_keys(rules: Sequence[str], rows: Sequence[RawValues]) -> list[RowKey]:
    """Keys of rows set aside in one symbol and date, given in order of arrival with the rule each broke.

    Examples
    --------
    >>> twin = {name: 1 for name in RAW_TICKS.names}
    >>> [key.occurrence for key in row_keys(["duplicate_key"] * 3, [twin, twin | {"last": 2}, twin])]
    [0, 0, 1]
    """
    seen: Counter[tuple[str, str]] = Counter()
    keys = []
    for rule, values in zip(rules, rows, strict=True):
        text = json.dumps([values[name] for name in RAW_TICKS.names], default=str)
        found = (rule, xxhash.xxh3_128_hexdigest(text.encode()))
        keys.append(RowKey(*found, seen[found]))
        seen[found] += 1
    return keys


def value_text(value: object) -> str:
    """A raw value as text that ``corrected_value`` reads back; empty for a missing one."""
    return "" if value is None else str(value)


def corrected_value(name: str, text: str) -> Any:
    """The value of a raw column from text, such as ``last`` from ``"12.34"``.

    Whole numbers may be written ``0x3D``, ``time`` also as ``09:30:00.25``.

    Raises
    ------
    SchemaError
        There is no such column, or the text is no value of it.

    Examples
    --------
    >>> corrected_value("last", "12.34"), corrected_value("cond1", "0x3D"), corrected_value("time", "00:00:01.5")
    (12.34, 61, 1500000)
    """
    if name not in RAW_TICKS.names:
        raise SchemaError(f"raw ticks have no column {name!r}; they have {', '.join(RAW_TICKS.names)}")
    dtype = np.dtype(RAW_TICKS.column(name).dtype)
    try:
        if dtype.kind == "f":
            return float(text)
        if dtype.kind == "M":
            return dt.date.fromisoformat(text)
        if dtype.kind == "S":
            return _letter(text)
        number = _microseconds(text) if name == "time" and ":" in text else int(text, 0)
    except ValueError as error:
        raise SchemaError(f"{name}={text!r}: {error}") from error
    bounds = np.iinfo(dtype)
    if not bounds.min <= number <= bounds.max:
        raise SchemaError(f"{name}={text!r}: does not fit {dtype}")
    return number


def _letter(text: str) -> str:
    if len(text) != 1 or not "!" <= text <= "~":
        raise ValueError("one letter is wanted")
    return text


def _microseconds(text: str) -> int:
    clock = dt.time.fromisoformat(text)
    if clock.tzinfo is not None:
        raise ValueError("Eastern Time, without a zone")
    return ((clock.hour * 60 + clock.minute) * 60 + clock.second) * 1_000_000 + clock.microsecond


def corrected(values: RawValues, corrections: Mapping[str, str]) -> dict[str, Any]:
    """Raw values with corrections put in; raises as ``corrected_value``."""
    return {**values, **{name: corrected_value(name, text) for name, text in corrections.items()}}

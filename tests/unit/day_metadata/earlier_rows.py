"""Stored phase 1 rows of a symbol, from the few numbers a test is about."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from fuzzy_pipeline.day_metadata.earlier_days import EARLIER_COLUMNS, EarlierDays
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1, Group
from fuzzy_pipeline.schema.records import arrow_schema_of
from fuzzy_pipeline.trading_calendar import session, trading_dates_before

SYMBOL = "KO"
DATE = dt.date(2024, 5, 9)  # a Thursday
WINDOW = trading_dates_before(DATE, 252)
"""2023-05-10 to 2024-05-08; half days on 2023-07-03 and 2023-11-24."""

Fields = Mapping[str, Any]

_SCHEMA = pa.schema([field for field in arrow_schema_of(DayMetadataPhase1) if field.name in EARLIER_COLUMNS])


def rows(days: Mapping[dt.date, Fields], symbol: str = SYMBOL) -> pa.Table:
    """Rows as the light tier holds them; fields by dotted name, all others null."""
    records = []
    for date, fields in days.items():
        record: dict[str, Any] = {"symbol": symbol, "date": date}
        for name, value in fields.items():
            group, dot, field = name.partition(".")
            if dot:
                record.setdefault(group, {})[field] = value
            else:
                record[group] = value
        records.append(record)
    return pa.Table.from_pylist(records, schema=_SCHEMA)


def earlier(days: Mapping[dt.date, Fields], before: dt.date = DATE) -> EarlierDays:
    """The same as earlier days of the 252 trading dates before ``before``."""
    return EarlierDays.from_table(rows(days), before, trading_dates_before(before, 252))


def last_dates(name: str, values: Sequence[Any]) -> dict[dt.date, Fields]:
    """A field on the last trading dates before ``DATE``, oldest first."""
    return {date: {name: value} for date, value in zip(WINDOW[-len(values) :], values, strict=True)}


def hours(date: dt.date, **values: Sequence[Any]) -> list[dict[str, Any]]:
    """Hourly buckets of a date's session; ``spread``, ``volume_pct``, ``volatility`` by hour, else null."""
    bounds = session(date)
    found = []
    start = bounds.open
    while start < bounds.close:
        end = min(start + dt.timedelta(hours=1), bounds.close)
        given = {name: hourly[len(found)] for name, hourly in values.items()}
        found.append({"start": start, "end": end, "trade_count": 1, **given})
        start = end
    return found


def phase1(fields: Fields, date: dt.date = DATE, symbol: str = SYMBOL) -> DayMetadataPhase1:
    """A day record with these fields; all other numbers are null."""
    groups = {
        name: field.annotation.model_construct(
            **{inner: fields.get(f"{name}.{inner}") for inner in field.annotation.model_fields}
        )
        for name, field in DayMetadataPhase1.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Group)
    }
    return DayMetadataPhase1.model_construct(symbol=symbol, date=date, **groups)

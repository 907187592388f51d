"""Every null of a record has its reason."""

from __future__ import annotations

import math
import types
import typing
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel

from fuzzy_pipeline.day_metadata.null_reasons import reason_of_field
from fuzzy_pipeline.schema.day_metadata import DayMetadataPhase1
from tests.unit.day_metadata.day_records import record

NAN = math.nan


def nullable_fields(model: type[BaseModel], path: str = "") -> Iterator[str]:
    """Names of the fields whose type allows None, those of lists without positions."""
    for name, field in model.model_fields.items():
        here = f"{path}.{name}" if path else name
        arguments = get_args(field.annotation)
        if get_origin(field.annotation) in (typing.Union, types.UnionType) and type(None) in arguments:
            yield here
        if any(type(None) in get_args(argument) for argument in arguments):
            yield here  # a list of numbers some of which may be null
        for inner in (field.annotation, *arguments):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                yield from nullable_fields(inner, here)


def nulls(value: Any, path: str) -> Iterator[str]:
    """Where None is in a dumped record; a list of numbers with None among them is named once."""
    if value is None:
        yield path
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from nulls(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        if None in value:
            yield path
        for position, item in enumerate(value):
            if item is not None:
                yield from nulls(item, f"{path}[{position}]")


def test_a_reason_is_written_for_every_field_that_may_be_null() -> None:
    fields = list(nullable_fields(DayMetadataPhase1))
    assert {
        "basic_stats.vwap",
        "yardsticks.minute_impact_60s_bps",
        "intraday_evolution.spread",
        "venue_analysis.venues.spread_bps",
    } <= set(fields)
    assert all(reason_of_field(field) for field in fields)


def test_a_field_without_a_reason_is_refused() -> None:
    with pytest.raises(KeyError, match=r"no reason is written for a null new_group\.new_field"):
        reason_of_field("new_group.new_field")


DAYS: dict[str, dict[str, Any]] = {
    "no tick": {"price": []},
    "one tick": {"price": [10.0]},
    "before the open": {"price": [10.0], "time": ["08:00:00"]},
    "odd lots": {"price": [10.0, 10.0], "basis": ["O", "O"]},
    "without quotes": {"price": [10.0, 10.1], "bid": [NAN, NAN], "ask": [NAN, NAN]},
    "locked quotes": {"price": [10.0, 10.1], "bid": [10.0, 10.0], "ask": [10.0, 10.0]},
    "no counters": {"price": [10.0, 10.1], "total": [0, 0], "tick_id": [7, 7]},
    "auction alone": {"price": [10.0], "codes": [(0x8A, 0x42)]},
}


@pytest.mark.parametrize("day", DAYS)
def test_exactly_the_nulls_have_reasons(day: str) -> None:
    found = record(**DAYS[day])
    dumped = found.model_dump(exclude={"null_reasons"})
    assert set(found.null_reasons) == set(nulls(dumped, ""))
    assert all(found.null_reasons.values())

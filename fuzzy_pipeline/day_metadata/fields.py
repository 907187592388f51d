"""From measures to fields of a record: NaN becomes None, instants become Eastern Time."""

from __future__ import annotations

import dataclasses
import datetime as dt
import math
from collections.abc import Iterator
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel

from fuzzy_pipeline.schema.day_metadata import Group
from fuzzy_pipeline.trading_calendar import EASTERN

_EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)

AnyGroup = TypeVar("AnyGroup", bound=Group)


def number(value: Any) -> float | None:
    """The number, None for NaN."""
    return None if math.isnan(value) else float(value)


def numbers(values: NDArray[np.float64]) -> list[float | None]:
    """The numbers in order, None for NaN."""
    return [None if math.isnan(value) else value for value in values.tolist()]


def instant(value: np.datetime64) -> dt.datetime | None:
    """Eastern Time of a UTC instant, None for NaT."""
    return None if np.isnat(value) else known_instant(int(value.astype("datetime64[ns]").astype(np.int64)))


def known_instant(utc_ns: int) -> dt.datetime:
    """Eastern Time of a UTC instant [ns], cut to microseconds."""
    return (_EPOCH + dt.timedelta(microseconds=int(utc_ns) // 1000)).astimezone(EASTERN)


def filled(group: type[AnyGroup], measured: object, **given: Any) -> AnyGroup:
    """A group from a measure's dataclass: fields of the same name, NaN as None, and the fields ``given``."""
    values = {field.name: getattr(measured, field.name) for field in dataclasses.fields(measured)}  # type: ignore[arg-type]  # any dataclass
    known = {name: value for name, value in values.items() if name in group.model_fields}
    return group(
        **{
            name: None if isinstance(value, float) and math.isnan(value) else value
            for name, value in {**known, **given}.items()
        }
    )


def null_fields(model: BaseModel, path: str = "") -> Iterator[str]:
    """Fields that are None, also inside groups and lists: ``basic_stats.vwap``, ``intraday_evolution[3].spread``.

    A list of numbers is named once when any of them is None.
    """
    for name in type(model).model_fields:
        here = f"{path}.{name}" if path else name
        value = getattr(model, name)
        if value is None:
            yield here
        elif isinstance(value, BaseModel):
            yield from null_fields(value, here)
        elif isinstance(value, list):
            if None in value:
                yield here
            for number_, item in enumerate(value):
                if isinstance(item, BaseModel):
                    yield from null_fields(item, f"{here}[{number_}]")

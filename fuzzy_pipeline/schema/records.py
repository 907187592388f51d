"""Single records as pydantic models, and their Arrow form in light tables.

Belongs here: the one translation between models and Arrow. A nested model becomes a struct, so that SQL reads
``basic_stats.vwap``; a list of models becomes a list of structs.
"""

from __future__ import annotations

import datetime as dt
import types
import typing
from collections.abc import Iterable
from typing import Any, Literal, TypeVar, get_args, get_origin

import pyarrow as pa
from pydantic import BaseModel

from fuzzy_pipeline.errors import SchemaError
from fuzzy_pipeline.trading_calendar import EASTERN

_SIMPLE: dict[Any, pa.DataType] = {
    int: pa.int64(),
    float: pa.float64(),
    bool: pa.bool_(),
    str: pa.string(),
    dt.date: pa.date32(),
    dt.datetime: pa.timestamp("us", tz=EASTERN.key),
}

Record = TypeVar("Record", bound=BaseModel)


def arrow_type_of(annotation: Any) -> pa.DataType:
    """Arrow type of a model field's annotation.

    Raises
    ------
    SchemaError
        The annotation has no Arrow form here.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        inner = [argument for argument in arguments if argument is not type(None)]
        if len(inner) == 1:
            return arrow_type_of(inner[0])
    if origin is Literal:
        return arrow_type_of(type(arguments[0]))
    if origin in (list, tuple):
        return pa.list_(arrow_type_of(arguments[0]))
    if origin is dict and arguments[0] is str:
        return pa.map_(pa.string(), arrow_type_of(arguments[1]))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return pa.struct(list(arrow_schema_of(annotation)))
    if annotation in _SIMPLE:
        return _SIMPLE[annotation]
    raise SchemaError(f"no Arrow type for {annotation!r}")


def arrow_schema_of(model: type[BaseModel]) -> pa.Schema:
    """Arrow schema of a model; field descriptions are kept as metadata."""
    return pa.schema(
        [
            pa.field(name, arrow_type_of(field.annotation), metadata={"description": field.description or ""})
            for name, field in model.model_fields.items()
        ]
    )


def to_table(records: Iterable[Record], model: type[Record]) -> pa.Table:
    """Records as an Arrow table with the model's schema, also when there are none."""
    return pa.Table.from_pylist([record.model_dump() for record in records], schema=arrow_schema_of(model))


def from_table(table: pa.Table | None, model: type[Record]) -> list[Record]:
    """Records of an Arrow table, none for None; unknown columns are ignored, missing ones take the defaults."""
    if table is None:
        return []
    known = [name for name in table.column_names if name in model.model_fields]
    maps = {name for name in known if pa.types.is_map(table.schema.field(name).type)}
    return [
        model.model_validate(
            {key: dict(value) if key in maps and value is not None else value for key, value in row.items()}
        )
        for row in table.select(known).to_pylist()
    ]

"""Tables: which columns each has, in which order, under which key, in which tier.

Belongs here: the ``Table`` type and the table declarations. Arrow schemas come from them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from fuzzy_pipeline.bar_settings import FAMILY_NAMES, FamilyName
from fuzzy_pipeline.errors import SchemaError
from fuzzy_pipeline.schema import columns as c
from fuzzy_pipeline.schema.arrays import Arrays, length
from fuzzy_pipeline.schema.columns import Column
from fuzzy_pipeline.trading_calendar import EASTERN

SCHEMA_VERSION = 2
"""Raised whenever a stored table changes its columns or their meaning; stamped on every store."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of one tier: ``heavy`` is one key per symbol and date, ``light`` one file per date."""

    name: str
    description: str
    columns: tuple[Column, ...]
    tier: Literal["heavy", "light"]
    index: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def stored(self) -> tuple[Column, ...]:
        """The columns written per row; the others come from the key."""
        return tuple(column for column in self.columns if not column.from_key)

    def column(self, name: str) -> Column:
        """The column of that name; ``SchemaError`` when the table has none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise SchemaError(f"table {self.name} has no column {name!r}; it has {', '.join(self.names)}")


def arrow_type(column: Column) -> pa.DataType:
    """Arrow type of a column as readers see it."""
    if column.dtype == c.INSTANT:
        return pa.timestamp("ns", tz=EASTERN.key)
    if column.dtype == "datetime64[D]":
        return pa.date32()
    if column.dtype == c.ROW_LIST:
        return pa.list_(pa.int64())
    if column.dtype in (c.TEXT, "S1"):
        return pa.string()
    return pa.from_numpy_dtype(np.dtype(column.dtype))


def arrow_schema(table: Table) -> pa.Schema:
    """Arrow schema of a table; units and descriptions are field metadata."""
    return pa.schema(
        [
            pa.field(
                column.name,
                arrow_type(column),
                nullable=column.nullable,
                metadata={"unit": column.unit, "description": column.description},
            )
            for column in table.columns
        ],
        metadata={"table": table.name, "schema_version": str(SCHEMA_VERSION)},
    )


def check_arrays(table: Table, arrays: Arrays, where: str, *, key_columns: bool = False) -> None:
    """Refuse arrays that are not exactly the table's stored columns (all columns with ``key_columns``).

    Raises
    ------
    SchemaError
        A column is missing, unknown or of another dtype, or lengths differ; ``where`` names the data.
    """
    expected = {column.name: column for column in (table.columns if key_columns else table.stored)}
    missing = [name for name in expected if name not in arrays]
    unknown = [name for name in arrays if name not in expected]
    if missing or unknown:
        raise SchemaError(f"{where}: table {table.name}: missing columns {missing}, unknown columns {unknown}")
    for name, column in expected.items():
        if arrays[name].dtype != np.dtype(column.dtype):
            raise SchemaError(f"{where}: column {name} is {arrays[name].dtype}, expected {column.dtype}")
    try:
        length(arrays)
    except SchemaError as error:
        raise SchemaError(f"{where}: {error}") from error


RAW_TICKS = Table(
    "raw_ticks",
    "Ticks as the source gave them: IQFeed's 14 fields, in arrival order.",
    (
        c.TICK_ID, c.RAW_DATE, c.RAW_TIME, c.LAST, c.LAST_SZ, c.LAST_TYPE, c.MKT_CTR, c.TOT_VLM, c.BID, c.ASK,
        *c.CONDITIONS_RAW,
    ),
    "heavy",
)  # fmt: skip

ENRICHED_TICKS = Table(
    "enriched_ticks",
    "Ticks with quote, sign, return, session and eligibility columns, in stable time order.",
    (
        c.TIMESTAMP, c.SYMBOL, c.TICK_ID, c.PRICE, c.SIZE, c.BASIS, c.MARKET_CENTER, c.TOTAL_VOLUME, c.BID, c.ASK,
        *c.CONDITIONS, c.TICK_SEQUENCE, c.EXCHANGE, c.SPREAD, c.MIDPOINT, c.SPREAD_BPS, c.SPREAD_PCT,
        c.EFFECTIVE_SPREAD, c.PRICE_IMPROVEMENT, c.TRADE_SIGN, c.TRADE_SIGN_METHOD, c.TICK_DIRECTION,
        c.DOLLAR_VOLUME_TICK, c.VOLUME_RATE, c.TRADE_PCT_OF_DAY, c.PRICE_CHANGE, c.PRICE_CHANGE_BPS, c.LOG_RETURN,
        c.PARTICIPANT_TYPE, c.SESSION, *c.FLAGS,
    ),
    "heavy",
    index="timestamp",
)  # fmt: skip

BAR_COLUMNS = (
    *c.BAR_KEY, *c.BAR_CLOCK, *c.BAR_PRICES, *c.BAR_SPREADS, *c.BAR_FLOW, *c.BAR_EXECUTION, *c.BAR_PARTICIPANTS,
    *c.BAR_SHAPE, *c.BAR_CLOSE,
)  # fmt: skip


def bar_table(family: FamilyName) -> Table:
    """The heavy table of one bar family, ``time_bars`` for ``time``: all parameters of a symbol-day in one key."""
    return Table(
        f"{family}_bars",
        f"{family.capitalize()} bars of a symbol and date, ordered by parameter and bar index.",
        BAR_COLUMNS,
        "heavy",
    )


# Light tables of ticks: raw columns carry the partition's date as trading_date, since `date` is what the tick said.
_TICK_ORIGIN = (
    c.LIGHT_SYMBOL, c.TRADING_DATE, c.ROW, c.INGEST_ID,
)  # fmt: skip

QUARANTINE = Table(
    "quarantine",
    "Raw ticks set aside, with the rule they broke; nothing is dropped.",
    (*_TICK_ORIGIN, c.RULE, *RAW_TICKS.columns),
    "light",
)

OFFICIAL_PRINTS = Table(
    "official_prints",
    "Official open and close prints: size 0, never trades.",
    (*_TICK_ORIGIN, *RAW_TICKS.columns),
    "light",
)

TICK_FLAGS = Table(
    "tick_flags",
    "Ticks that soft rules found: kept, counted, the first hundred by row number.",
    (c.LIGHT_SYMBOL, c.TRADING_DATE, c.INGEST_ID, c.RULE, c.FLAG_COUNT, c.FLAG_ROWS),
    "light",
)

SOURCE_DAILY_BARS = Table(
    "source_daily_bars",
    "The source's own daily bar beside the ticks it gave: what they are compared with, never used for prices.",
    (c.LIGHT_SYMBOL, c.TRADING_DATE, c.INGEST_ID, *c.SOURCE_DAILY_BAR),
    "light",
)

BAR_TABLES: Mapping[FamilyName, Table] = {family: bar_table(family) for family in FAMILY_NAMES}
HEAVY_TABLES = (RAW_TICKS, ENRICHED_TICKS, *BAR_TABLES.values())

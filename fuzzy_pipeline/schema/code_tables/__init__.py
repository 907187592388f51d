"""IQFeed's code tables: market centres, trade conditions, security types.

Belongs here: the tables as CSV files beside this module (every row names its ``source``) and their typed,
cached loaders. Ids that are not in a table are legal on the wire and must pass through.

DTN publishes these tables only as replies of its feed. The market centres end at 159 and the trade
conditions at 155: newer ids exist. Rows marked ``inferred`` come from captured data, not from a reply.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TypeVar

from fuzzy_pipeline.errors import SchemaError

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class MarketCenter:
    """A venue or reporting facility: the ``mkt_ctr`` of a tick."""

    id: int
    short: str
    description: str
    inferred: bool
    source: str


@dataclass(frozen=True, slots=True)
class TradeCondition:
    """A trade condition; ticks carry up to four, in any order."""

    code: int
    short: str
    description: str
    source: str

    @property
    def hex(self) -> str:
        """The two upper-case hex digits that stand for the code in a tick line."""
        return f"{self.code:02X}"


@dataclass(frozen=True, slots=True)
class SecurityType:
    """A kind of instrument."""

    id: int
    short: str
    description: str
    source: str


@cache
def market_centers() -> Mapping[int, MarketCenter]:
    """Market centres by id, in order of id."""
    rows = [
        MarketCenter(int(row["id"]), row["short"], row["description"], row["inferred"] == "yes", row["source"])
        for row in _rows("market_centers.csv")
    ]
    return _by_key("market_centers.csv", [(row.id, row) for row in rows])


@cache
def trade_conditions() -> Mapping[int, TradeCondition]:
    """Trade conditions by code (0x87 is 135), in order of code.

    Raises
    ------
    SchemaError
        A row's ``code`` and ``hex`` disagree.
    """
    conditions = []
    for row in _rows("trade_conditions.csv"):
        code = int(row["code"])
        if int(row["hex"], 16) != code:
            raise SchemaError(f"trade_conditions.csv: code {code} is not hex {row['hex']}: correct the row")
        conditions.append((code, TradeCondition(code, row["short"], row["description"], row["source"])))
    return _by_key("trade_conditions.csv", conditions)


@cache
def security_types() -> Mapping[int, SecurityType]:
    """Security types by id, in order of id."""
    rows = [
        SecurityType(int(row["id"]), row["short"], row["description"], row["source"])
        for row in _rows("security_types.csv")
    ]
    return _by_key("security_types.csv", [(row.id, row) for row in rows])


def _rows(name: str) -> list[dict[str, str]]:
    text = resources.files(__name__).joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _by_key(name: str, pairs: list[tuple[int, Row]]) -> Mapping[int, Row]:
    table = dict(sorted(pairs, key=lambda pair: pair[0]))
    if len(table) != len(pairs):
        raise SchemaError(f"{name}: an id is listed twice: remove one of the rows")
    return MappingProxyType(table)

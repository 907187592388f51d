"""SQL statements as DuckDB's parser reads them: what they select from, and which are refused.

Belongs here: the rules of read-only SQL. They look at the parsed statement, never at its text: the parser calls a
SELECT whatever has one at its end, also ``WITH gone AS (COPY …)``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from fuzzy_pipeline.errors import SettingsError

if TYPE_CHECKING:
    import duckdb

Tree = dict[str, Any]
"""A part of a statement as DuckDB's parser gives it."""

TABLE_FUNCTIONS = frozenset(
    {"bars", "duckdb_functions", "generate_series", "json_each", "json_tree", "range", "unnest"}
)
"""Functions a FROM may call: none reads a file or runs a text as SQL."""

_SELECTING = frozenset({"SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE"})


@dataclass(frozen=True, slots=True)
class BarsCall:
    """Arguments of one ``bars(…)``, as ``get_bars`` takes them."""

    symbol: str
    start: str
    end: str | None = None
    family: str = "time"
    parameter: str = "1m"

    @property
    def key(self) -> str:
        """What tells its rows from those of other calls: the macro puts the same text together."""
        return "|".join(part or "" for part in astuple(self))


@dataclass(frozen=True, slots=True)
class Selection:
    """What a statement reads: names of tables (lower case), those it declares itself, calls of ``bars``."""

    tables: frozenset[str]
    own: frozenset[str]
    bars: tuple[BarsCall, ...]
    lists_tables: bool


def parsed(connection: duckdb.DuckDBPyConnection, query: str) -> Tree:
    """The one statement of a text; ``SettingsError`` unless it is SQL that only selects."""
    answer = connection.execute("SELECT json_serialize_sql(?::VARCHAR)", [query]).fetchall()[0][0]
    tree = json.loads(answer)
    if tree["error"] and tree["error_type"] == "parser":
        raise SettingsError(f"SQL: {tree['error_message']}")
    statements = tree.get("statements", [])
    if tree["error"] and not tree["error_message"].startswith("Only SELECT"):
        raise SettingsError(f"SQL: {tree['error_message']}")
    if len(statements) != 1:
        _refuse(
            "one statement that selects is run: SELECT, FROM, DESCRIBE, SUMMARIZE or SHOW TABLES "
            "(PIVOT with its values named: ON symbol IN ('AAPL', 'SPY'))"
        )
    found: Tree = statements[0]
    return found


def selection(statement: Tree) -> Selection:
    """What a statement reads; ``SettingsError`` when it would write, read files or run a text as SQL."""
    nodes = list(walk(statement))
    own = frozenset(str(entry["key"]).lower() for node in nodes for entry in _declared(node))
    tables, calls, lists_tables = set(), [], False
    for node in nodes:
        kind = str(node.get("type", ""))
        if kind.endswith("_NODE") and kind not in _SELECTING:
            # COPY and INSERT may stand inside a WITH, where the whole statement is still a SELECT to the parser.
            _refuse(f"{kind.partition('_')[0]} is not run")
        elif kind == "TABLE_FUNCTION":
            name = str(node["function"].get("function_name", "")).lower()
            if name not in TABLE_FUNCTIONS:
                _refuse(f"{name}() is not run: rows come from the store's tables, {', '.join(sorted(TABLE_FUNCTIONS))}")
            if name == "bars":
                calls.append(_bars_call(node["function"]["arguments"]))
        elif kind == "BASE_TABLE":
            name = str(node["table_name"]).lower()
            if not name.isidentifier() and name not in own:
                _refuse(f"{name!r} is no table of the store, and files are not read")
            tables.add(name)
            lists_tables |= bool(node["schema_name"]) or name.startswith(("duckdb_", "pg_", "sqlite_"))
        elif kind == "SHOW_REF":
            lists_tables |= node["query"] is None
    return Selection(frozenset(tables), own, tuple(calls), lists_tables)


def walk(tree: object) -> Iterator[Tree]:
    """Every object of a tree, in the order of the text, outer ones first."""
    waiting = [tree]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            yield part
            waiting.extend(reversed(part.values()))
        elif isinstance(part, list):
            waiting.extend(reversed(part))


def _declared(node: Tree) -> list[Tree]:
    found: list[Tree] = (node.get("cte_map") or {}).get("map", [])
    return found


def _bars_call(arguments: Sequence[Tree]) -> BarsCall:
    names = list(BarsCall.__dataclass_fields__)
    given: dict[str, str | None] = {}
    for place, argument in enumerate(arguments):
        name = str(argument.get("name") or names[min(place, len(names) - 1)]).lower()
        if place >= len(names) or name not in names or name in given:
            raise SettingsError(f"SQL: bars takes {', '.join(names)}")
        given[name] = _constant(argument.get("expression", argument))
    values = {name: value for name, value in given.items() if value is not None}
    if "symbol" not in values or "start" not in values:
        raise SettingsError("SQL: bars needs a symbol and a date: bars('SPY', '2025-11-28')")
    return BarsCall(**values)


def _constant(expression: Tree) -> str | None:
    """The text of a text, whole number, date or NULL: what ``concat_ws`` makes of it in the macro."""
    if expression.get("class") == "CAST" and expression["type_expr"].get("type_name", "").upper() == "DATE":
        text = _constant(expression["child"])
        if text and re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return text
    literal = expression.get("literal", {})
    if literal.get("kind") == "NULL_LITERAL":
        return None
    if literal.get("kind") not in ("STRING", "INTEGER"):
        call = "bars('SPY', '2025-11-24', '2025-11-28', 'tick', '500')"
        raise SettingsError(f"SQL: arguments of bars are constants: {call}")
    return str(literal["text"])


def _refuse(why: str) -> NoReturn:
    raise SettingsError(f"SQL is read-only: {why}")

"""Days that meet a condition, and symbols side by side: questions to all records of a symbol's day.

Belongs here: conditions and measures written with the fields' dotted names, and what a wrong name could have been.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Unpack, overload

import pyarrow as pa

from fuzzy_pipeline.errors import NotStoredError, SchemaError, SettingsError
from fuzzy_pipeline.query.dates import DateLike, asked_dates, some_symbols
from fuzzy_pipeline.query.frames import Form
from fuzzy_pipeline.query.opening import StoreOptions, reading
from fuzzy_pipeline.query.records import check_bounds, flattened
from fuzzy_pipeline.query.sql import SqlConnection, frame_of
from fuzzy_pipeline.query.statements import Tree, parsed, walk
from fuzzy_pipeline.schema.baselines import BASELINES_TABLE
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.day_metadata_phase2 import PHASE2_TABLE
from fuzzy_pipeline.schema.rankings import RANKINGS_TABLE
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store

if TYPE_CHECKING:
    import pandas as pd

TABLES = (PHASE1_TABLE, PHASE2_TABLE, BASELINES_TABLE, RANKINGS_TABLE)
"""Light tables with a row per symbol and date, joined by these. A group that several have is qualified by its table."""

KEY = ("symbol", "date")
_NEAR = 5
_ALL_FIELDS = "all fields: docs/reference/day_metadata.md"
_NO_FIELDS = ("SUBQUERY", "STAR", "PARAMETER")


@overload
def find_days(
    condition: str,
    start: DateLike | None = None,
    end: DateLike | None = None,
    symbols: Sequence[str] | str | None = None,
    *,
    as_: Literal["pandas"] = "pandas",
    **options: Unpack[StoreOptions],
) -> pd.DataFrame: ...
@overload
def find_days(
    condition: str,
    start: DateLike | None = None,
    end: DateLike | None = None,
    symbols: Sequence[str] | str | None = None,
    *,
    as_: Literal["arrow"],
    **options: Unpack[StoreOptions],
) -> pa.Table: ...
def find_days(
    condition: str,
    start: DateLike | None = None,
    end: DateLike | None = None,
    symbols: Sequence[str] | str | None = None,
    *,
    as_: Form = "pandas",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame | pa.Table:
    """Symbols and dates whose committed records meet a condition.

    Parameters
    ----------
    condition : str
        In SQL, with dotted names of fields of both phases of day metadata, of the baselines and of rankings:
        ``"spread_stats.p95_bps > 50 and market_regime.volatility_regime = 'high' and volume.rank <= 10"``. A name
        that several tables have is written with its table's: ``day_metadata_phase2.null_reasons``. A null meets no
        comparison, nor does a field of a table without a row of that day: ask for ``is null``.
    start, end : date or str, optional
        Trading dates, both included. ``start`` alone: that date. Neither: all dates.
    symbols : str or sequence of str, optional
        ``"AAPL,SPY"`` or a list; default: all.
    as_ : {"pandas", "arrow"}
    settings : Settings, optional
        Whose store to read; default: the environment's.
    store : Store, optional
        An open store to read, left open.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        ``symbol``, ``date`` and the fields the condition names, by date and symbol; no rows when no day meets it.
        Looked at are the days that phase 1 has or one of the tables that the condition names.

    Raises
    ------
    SchemaError
        There is no such field, or several tables have it; the message names those that are near.
    SettingsError
        The condition is no expression.
    NotStoredError
        There is no store, or it has no day records of these dates.
    """
    if as_ not in ("pandas", "arrow"):
        raise SchemaError(f"as_={as_!r}: choose 'pandas' or 'arrow'")
    check_bounds(start, end)
    tickers = () if symbols is None else some_symbols(symbols)
    dates = None if start is None else asked_dates(start, end)
    with reading(settings, store) as opened, SqlConnection(opened, settings) as connection:
        days = _days(connection, dates)
        fields = days.fields_of(condition, "condition")
        shown = [field for field in fields if field not in KEY]
        # The condition stands on lines of its own: a comment in it must not swallow what follows.
        table = days.select([(field, field) for field in shown], f"(\n{condition}\n)", tickers, shown)
    return table if as_ == "arrow" else frame_of(table)


def compare(
    symbols: Sequence[str] | str,
    date: DateLike,
    measures: Sequence[str],
    *,
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame:
    """Measures of several symbols on one date.

    Parameters
    ----------
    symbols : str or sequence of str
        ``"AAPL,SPY"`` or a list.
    date : date or str
        Trading date; on a weekend or holiday the last one before it, with a ``DateMoved`` warning.
    measures : sequence of str
        Fields by their dotted names as in ``find_days``, or expressions of them:
        ``"basic_stats.price_range / basic_stats.vwap"``.
    settings : Settings, optional
        Whose store to read; default: the environment's.
    store : Store, optional
        An open store to read, left open.

    Returns
    -------
    pandas.DataFrame
        A row a symbol, in the order given, and a column a measure, called as it was asked for. A symbol without a
        record of that date has nulls only.

    Raises
    ------
    SchemaError
        There is no such field; the message names those that are near.
    SettingsError
        A measure is no expression.
    NotStoredError
        There is no store, or none of the symbols has a record of that date.
    """
    import pandas as pd

    if isinstance(measures, str) or not measures:
        raise SchemaError(f"measures={measures!r}: give a list of names")
    tickers, (day,) = some_symbols(symbols), asked_dates(date)
    with reading(settings, store) as opened, SqlConnection(opened, settings) as connection:
        days = _days(connection, [day])
        fields = [field for measure in measures for field in days.fields_of(measure, "measure")]
        columns = [(f"(\n{measure}\n)", measure) for measure in dict.fromkeys(measures)]
        table = days.select(columns, "true", tickers, fields)
    if not table.num_rows:
        raise NotStoredError(f"{day}: no day record of {', '.join(tickers)}. Build it: fuzzy run {day}")
    # By position: a measure may be called symbol or date.
    frame = frame_of(table.select(range(len(KEY), table.num_columns)))
    frame.index = pd.Index(table.column(0).to_pylist(), name="symbol")
    return frame.reindex(list(tickers))


class _Field(NamedTuple):
    """A field by one of the names it may be called by: that name, its table, and the column it is in."""

    name: str
    table: str
    group: str


@dataclass(frozen=True, slots=True)
class _Days:
    """Committed records of some dates (all for None): what each table holds, its fields by name in lower case, and the
    groups that several tables have.
    """

    connection: SqlConnection
    dates: Sequence[dt.date] | None
    held: Mapping[str, Sequence[dt.date]]
    fields: Mapping[str, _Field]
    shared: Mapping[str, Sequence[str]]

    def fields_of(self, expression: str, what: str) -> list[str]:
        """Fields an expression names, in order, as they are declared.

        Raises
        ------
        SettingsError
            It is no single expression of fields.
        SchemaError
            A field does not exist.
        """
        nodes = list(walk(_expression(self.connection, expression, what)))
        # The names a lambda gives to elements of a list are no fields.
        elements = {
            part["column_names"][0]
            for node in nodes
            if node.get("class") == "LAMBDA"
            for part in walk(node["lhs"])
            if part.get("class") == "COLUMN_REF"
        }
        paths = [node["column_names"] for node in nodes if node.get("class") == "COLUMN_REF"]
        names = [".".join(path) for path in paths if path[0] not in elements]
        for name in names:
            if name.lower() not in self.fields:
                raise SchemaError(self._unknown(name))
        return list(dict.fromkeys(self.fields[name.lower()].name for name in names))

    def select(
        self, columns: Sequence[tuple[str, str]], condition: str, symbols: Sequence[str], fields: Sequence[str]
    ) -> pa.Table:
        """Key and columns (what, called) of the rows that meet a condition; ``fields`` tells which tables are read."""
        groups: dict[str, set[str]] = {TABLES[0]: set()}
        for found in (self.fields[field] for field in fields):
            groups.setdefault(found.table, set()).update({found.group} - set(KEY))
        sources = []
        for table in (table for table in TABLES if table in groups):
            chosen = ", ".join([*KEY, *(f'"{group}"' for group in sorted(groups[table]))])
            sources.append(f"(SELECT {chosen} FROM ({self._source(table)})) AS {table}")
        # Full, not left: a symbol that is missing on a date has a row among the rankings only.
        source = " FULL JOIN ".join([sources[0], *(f"{other} USING (symbol, date)" for other in sources[1:])])
        shown = ", ".join([*KEY, *(f'{what} AS "{_escaped(name)}"' for what, name in columns)])
        among = f" AND symbol IN ({', '.join('?' * len(symbols))})" if symbols else ""
        query = f"SELECT {shown} FROM {source} WHERE {condition}{among} ORDER BY date, symbol"
        return self.connection.run(query, list(symbols))

    def _source(self, table: str) -> str:
        if self.dates is None:
            return self.connection.committed(table)
        chosen = sorted(set(self.held[table]).intersection(self.dates))
        asked = self.connection.committed(table, chosen or self.held[table][-1:])
        return asked if chosen else f"FROM ({asked}) WHERE false"

    def _unknown(self, name: str) -> str:
        tables = self.shared.get(name.partition(".")[0].lower())
        if tables:
            return f"{name} is in {', '.join(tables)}: write {' or '.join(f'{table}.{name}' for table in tables)}"
        plain = [field.name for field in self.fields.values() if not field.name.startswith(f"{field.table}.")]
        qualified = [field.name for field in self.fields.values() if field.group in self.shared]
        return _unknown(name, list(dict.fromkeys([*plain, *qualified])))


def _days(connection: SqlConnection, dates: Sequence[dt.date] | None) -> _Days:
    """Records of these dates, all when None; ``NotStoredError`` when there are none of phase 1."""
    held = {table: found for table in TABLES if (found := connection.store.light.dates(table))}
    first = held.get(TABLES[0], [])
    if not first or (dates is not None and not set(first).intersection(dates)):
        when = f" of {' to '.join(dict.fromkeys(map(str, (dates[0], dates[-1]))))}" if dates else ""
        raise NotStoredError(f"{TABLES[0]}: no day records{when}. See what there is: fuzzy status")
    # Columns come from the newest date: a field that older records lack is null there.
    names = {table: _names(connection.schema_of(table, found[-1])) for table, found in held.items()}
    return _Days(connection, dates, held, *_callable_names(names))


def _callable_names(names: Mapping[str, Sequence[str]]) -> tuple[dict[str, _Field], dict[str, list[str]]]:
    """Fields by every name they may be called by; and groups of several tables with those tables."""
    fields: dict[str, _Field] = {}
    tables: dict[str, list[str]] = {}
    for table, own in names.items():
        for group in (name for name in own if "." not in name and name not in KEY):
            tables.setdefault(group, []).append(table)
    shared = {group: several for group, several in tables.items() if len(several) > 1}
    for table, own in names.items():
        for name in own:
            group = name.partition(".")[0]
            fields[f"{table}.{name}".lower()] = _Field(f"{table}.{name}", table, group)
            if group not in shared:
                fields.setdefault(name.lower(), _Field(name, table, group))
    return fields, shared


def _names(columns: pa.Schema) -> list[str]:
    """Names of the columns, and of the fields in them, dotted."""
    return list(dict.fromkeys([*columns.names, *flattened(columns.empty_table()).column_names]))


def _expression(connection: SqlConnection, text: str, what: str) -> Tree:
    """The one expression of a text; ``SettingsError`` when there is more to it, or a query inside."""
    try:
        statement = parsed(connection.connection, f"SELECT (\n{text}\n)")
    except SettingsError as error:
        raise SettingsError(f"{what} {text!r}: {error}") from error
    node = statement["node"]
    empty = node.get("from_table", {}).get("type") == "EMPTY"
    others = ("where_clause", "having", "sample", "qualify", "modifiers", "group_expressions", "group_sets")
    alone = empty and len(node["select_list"]) == 1 and not any(node[name] for name in others)
    several = alone and node["select_list"][0].get("function_name") == "row"  # "a, b", or nothing at all
    if not alone or several or any(part.get("class") in _NO_FIELDS for part in walk(node["select_list"])):
        raise SettingsError(f"{what} {text!r}: one expression of fields is needed, such as basic_stats.vwap > 10")
    found: Tree = node["select_list"][0]
    return found


def _unknown(name: str, known: Sequence[str]) -> str:
    """That there is no such field, and those with a near name, else those of its group."""
    group, _, last = name.rpartition(".")
    groups = {field.rpartition(".")[0] for field in known}
    by_last: dict[str, list[str]] = {}
    for field in known:
        if field not in groups:
            by_last.setdefault(field.rpartition(".")[2], []).append(field)
    near = [field for found in difflib.get_close_matches(last.lower(), by_last, _NEAR) for field in by_last[found]]
    if near:
        return f"no field {name}; did you mean {' or '.join(near)}?\n{_ALL_FIELDS}"
    members = [field for field in known if group and field.startswith(f"{group}.")]
    listed = f"; {group} has {', '.join(members)}" if members else ""
    return f"no field {name}{listed}\n{_ALL_FIELDS}"


def _escaped(name: str) -> str:
    return name.replace('"', '""')

"""Days that meet a condition, and symbols side by side: questions to the day records of phases 1 and 2.

Belongs here: conditions and measures written with the fields' dotted names, and what a wrong name could have been.
"""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, overload

import pyarrow as pa

from fuzzy_pipeline.errors import CalendarError, NotStoredError, SchemaError, SettingsError
from fuzzy_pipeline.query.dates import DateLike, as_date, asked_dates, some_symbols
from fuzzy_pipeline.query.day_metadata import flattened
from fuzzy_pipeline.query.frames import Form
from fuzzy_pipeline.query.opening import reading
from fuzzy_pipeline.query.sql import SqlConnection, frame_of
from fuzzy_pipeline.query.statements import Tree, parsed, walk
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.store import Store

if TYPE_CHECKING:
    import pandas as pd

PHASES = ("day_metadata_phase1", "day_metadata_phase2")
"""Light tables of day records, joined by symbol and date. A field that both have is that of the first."""

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
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame: ...
@overload
def find_days(
    condition: str,
    start: DateLike | None = None,
    end: DateLike | None = None,
    symbols: Sequence[str] | str | None = None,
    *,
    as_: Literal["arrow"],
    settings: Settings | None = None,
    store: Store | None = None,
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
    """Symbols and dates whose committed day records meet a condition.

    Parameters
    ----------
    condition : str
        In SQL, with dotted names of fields: ``"spread_stats.p95_bps > 50 and basic_stats.volume_total > 1e6"``. A null
        meets no comparison: ask for ``is null``.
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

    Raises
    ------
    SchemaError
        There is no such field; the message names those that are near.
    SettingsError
        The condition is no expression.
    NotStoredError
        There is no store, or it has no day records of these dates.
    """
    if as_ not in ("pandas", "arrow"):
        raise SchemaError(f"as_={as_!r}: choose 'pandas' or 'arrow'")
    if start is None and end is not None:
        raise CalendarError(f"end {as_date(end)} without start: give both, or only start for one date")
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
        Fields by their dotted names, or expressions of them: ``"basic_stats.price_range / basic_stats.vwap"``.
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


@dataclass(frozen=True, slots=True)
class _Days:
    """Committed day records of some dates, of one phase or both: where they are and which fields they have."""

    connection: SqlConnection
    sources: dict[str, str]
    fields: dict[str, str]

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
        known = {field.lower(): field for field in self.fields}
        for name in names:
            if name.lower() not in known:
                raise SchemaError(_unknown(name, list(self.fields)))
        return list(dict.fromkeys(known[name.lower()] for name in names))

    def select(
        self, columns: Sequence[tuple[str, str]], condition: str, symbols: Sequence[str], fields: Sequence[str]
    ) -> pa.Table:
        """Key and columns (what, called) of the rows that meet a condition; ``fields`` tells which phases are read."""
        first, *others = PHASES
        source = f"({self.sources[first]}) AS p1"
        phases = {self.fields[field] for field in fields}
        for number, phase in enumerate(others, start=2):
            if phase in phases:
                groups = {field.partition(".")[0] for field, of in self.fields.items() if of == phase}
                chosen = ", ".join(f'"{group}"' for group in sorted(groups))
                source += f" LEFT JOIN (SELECT symbol, date, {chosen} FROM ({self.sources[phase]})) AS p{number}"
                source += " USING (symbol, date)"
        shown = ", ".join([*KEY, *(f'{what} AS "{_escaped(name)}"' for what, name in columns)])
        among = f" AND symbol IN ({', '.join('?' * len(symbols))})" if symbols else ""
        query = f"SELECT {shown} FROM {source} WHERE {condition}{among} ORDER BY date, symbol"
        return self.connection.run(query, list(symbols))


def _days(connection: SqlConnection, dates: Sequence[dt.date] | None) -> _Days:
    """Day records of these dates, all when None; ``NotStoredError`` when there are none."""
    light = connection.store.light
    sources: dict[str, str] = {}
    fields: dict[str, str] = {}
    for phase in PHASES:
        held = light.dates(phase)
        chosen = held if dates is None else sorted(set(held).intersection(dates))
        if not chosen and phase == PHASES[0]:
            when = f" of {' to '.join(dict.fromkeys(map(str, (dates[0], dates[-1]))))}" if dates else ""
            raise NotStoredError(f"{phase}: no day records{when}. See what there is: fuzzy status")
        if held:
            # Its columns come from the newest date: a field that older records lack is null there.
            newest = light.read(phase, dates=held[-1:])
            for name in _names(newest):
                fields.setdefault(name, phase)
            asked = connection.committed(phase, None if dates is None else chosen or held[-1:])
            sources[phase] = asked if chosen else f"FROM ({asked}) WHERE false"
    return _Days(connection, sources, fields)


def _names(rows: pa.Table | None) -> list[str]:
    """Names of the columns, and of the fields in them, dotted."""
    if rows is None:
        return []
    return list(dict.fromkeys([*rows.column_names, *flattened(rows.slice(0, 0)).column_names]))


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

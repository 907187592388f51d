"""SQL over what a store has committed: light tables as views, bars as a table function; nothing can be written.

Belongs here: the DuckDB connection, which statements it runs, the views and ``bars(…)``. DuckDB's Parquet reader needs
file access, and a folder it may read it may also write (COPY TO): so every statement is parsed first and refused unless
it only selects from tables of the store. Files elsewhere are out of reach of the connection itself.
"""

from __future__ import annotations

import datetime as dt
import glob
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import pyarrow as pa
import pyarrow.compute as pc

from fuzzy_pipeline.errors import FuzzyError, SchemaError, SettingsError, StoreError
from fuzzy_pipeline.query.bars import get_bars
from fuzzy_pipeline.query.dates import Missing
from fuzzy_pipeline.query.declared_tables import DECLARED, WITHOUT_MANIFEST
from fuzzy_pipeline.query.frames import Form
from fuzzy_pipeline.query.light_sources import LightSources, in_microseconds, sql_text
from fuzzy_pipeline.query.opening import reading
from fuzzy_pipeline.query.statements import BarsCall, Selection, parsed, selection
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.steps.pipeline import pipeline_steps
from fuzzy_pipeline.stores.light_rows import TABLE_NAME
from fuzzy_pipeline.stores.store import Store
from fuzzy_pipeline.trading_calendar import EASTERN

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

Parameters = Sequence[object] | Mapping[str, object]
COMMITS = ("manifest", "failures")
"""Views over the light tables of these folders, all of a folder in one."""

_BARS = "_bars"
_BARS_MACRO = f"""
CREATE OR REPLACE TEMP MACRO bars(symbol, start, "end" := NULL, family := 'time', parameter := '1m') AS TABLE
SELECT * EXCLUDE (_call) FROM {_BARS}
WHERE _call = concat_ws('|', symbol, start, coalesce("end", ''), coalesce(family, 'time'), coalesce(parameter, '1m'))
"""
"""Picks the rows of a call out of those of all calls of a statement, by ``BarsCall.key``."""


@overload
def sql(
    query: str,
    parameters: Parameters | None = None,
    *,
    as_: Literal["pandas"] = "pandas",
    missing: Missing = "raise",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame: ...
@overload
def sql(
    query: str,
    parameters: Parameters | None = None,
    *,
    as_: Literal["arrow"],
    missing: Missing = "raise",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pa.Table: ...
def sql(
    query: str,
    parameters: Parameters | None = None,
    *,
    as_: Form = "pandas",
    missing: Missing = "raise",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame | pa.Table:
    """Run a SELECT in DuckDB over what the store has committed.

    Every light table that has rows is a table of its name; of it only rows of symbols and dates that the manifest
    commits are seen. The manifest itself is ``manifest``, why symbols failed ``failures``. Groups of day metadata are
    structs: ``basic_stats.vwap``. Bars are a function with constant arguments in the order of ``get_chart_data``:
    ``bars('SPY', '2025-11-24', '2025-11-28', 'time', '5m')``; the last three may be left out or named.

    Parameters
    ----------
    query : str
        One statement that only selects (also DESCRIBE, SUMMARIZE, SHOW TABLES).
    parameters : sequence or mapping, optional
        Values of ``?`` or ``$name``.
    as_ : {"pandas", "arrow"}
        Integer sums are int64 where they fit; decimals are float64 in pandas.
    missing : {"raise", "skip"}
        What ``bars`` does with dates of a range that are not stored.
    settings : Settings, optional
        Whose store to read; default: the environment's.
    store : Store, optional
        An open store to read, left open.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        Instants are µs, America/New_York.

    Raises
    ------
    SettingsError
        The text is no SQL, or would do anything but select from the store.
    SchemaError
        A table or column does not exist; the message tells what does.
    NotStoredError, StoreError
        There is no store, or bars that are asked for are not stored.
    """
    with reading(settings, store) as opened, SqlConnection(opened, settings) as connection:
        return connection.query(query, parameters, as_=as_, missing=missing)


class SqlConnection:
    """A locked DuckDB connection in memory that reads one store. Views are made when a query first names them."""

    def __init__(
        self, store: Store, settings: Settings | None = None, connection: duckdb.DuckDBPyConnection | None = None
    ) -> None:
        import duckdb  # not above: reading without SQL does without it

        self.store = store
        self.connection = duckdb.connect(":memory:") if connection is None else connection
        self._settings = settings
        self._sources = LightSources(self.connection, store.light)
        self._made: dict[str, str] = {}
        _lock(self.connection, self._sources.root)

    def __enter__(self) -> SqlConnection:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close DuckDB; the store stays open."""
        self.connection.close()

    @overload
    def query(
        self,
        query: str,
        parameters: Parameters | None = None,
        *,
        as_: Literal["pandas"] = "pandas",
        missing: Missing = "raise",
    ) -> pd.DataFrame: ...
    @overload
    def query(
        self, query: str, parameters: Parameters | None = None, *, as_: Form, missing: Missing = "raise"
    ) -> pd.DataFrame | pa.Table: ...
    def query(
        self, query: str, parameters: Parameters | None = None, *, as_: Form = "pandas", missing: Missing = "raise"
    ) -> pd.DataFrame | pa.Table:
        """Run one statement that only selects; see ``sql``."""
        if as_ not in ("pandas", "arrow"):
            raise SchemaError(f"as_={as_!r}: choose 'pandas' or 'arrow'")
        chosen = selection(parsed(self.connection, query))
        self._make_views(chosen)
        if chosen.bars:
            self._put_bars(chosen.bars, missing)
        table = self.run(query, parameters)
        return table if as_ == "arrow" else frame_of(table)

    def run(self, query: str, parameters: Parameters | None = None) -> pa.Table:
        """Run SQL of this package's own, which is not looked at; again when a file was replaced meanwhile."""
        return self._sources.undisturbed(lambda: self._run(query, parameters))

    def _run(self, query: str, parameters: Parameters | None) -> pa.Table:
        with self._errors(), warnings.catch_warnings():
            # It asks for con.sql(query), which binds a query twice: over a thousand files that costs half a second.
            warnings.filterwarnings("ignore", "Arrow output on a DB-API result", UserWarning)
            result = self.connection.execute(query, parameters)
            kinds = [str(column[1]) for column in result.description]
            return _plain_integers(result.to_arrow_table(), kinds)

    def tables(self) -> list[str]:
        """Names a query may select from, besides ``bars``."""
        names = self.store.light.tables()
        own = {_view_name(name) for name in names if name.partition("/")[0] not in COMMITS}
        return sorted(own | set(DECLARED))

    def make_views(self) -> None:
        """Make the views of all tables, for whoever uses ``connection`` itself."""
        for name in self.tables():
            self._make_view(name, of_statement=False)

    def schema_of(self, table: str, date: dt.date) -> pa.Schema:
        """Columns of a light table's file of one date, without reading its rows."""
        return self.run(f"FROM {self._sources.source([table], [date])} LIMIT 0").schema

    def committed(self, table: str, dates: Sequence[dt.date] | None = None) -> str:
        """SELECT of the rows of a light table that the manifest commits, of some dates or all.

        Raises
        ------
        SchemaError
            The table has no date to look up.
        """
        if table in WITHOUT_MANIFEST:
            return f"FROM {self._sources.source([table], dates)}"
        *_, newest = dates or self.store.light.dates(table)
        names = [column[0] for column in self._rows(f"DESCRIBE FROM {self._sources.source([table], [newest])}")]
        day = next((name for name in ("trading_date", "date") if name in names), None)
        if day is None:
            raise SchemaError(f"light table {table} has no column date: SQL cannot tell what of it is committed")
        step = next((step for step in pipeline_steps(self._chosen()) if table in step.light_tables), None)
        manifest = f"manifest/{step.tables[0] if step else table}"
        held = set(self.store.light.dates(manifest))
        if not held.intersection(dates) if dates is not None else not held:
            return f"FROM {self._sources.source([table], dates)} WHERE false"
        # A light table beside a step's own may be a killed run's: then its rows carry another ingest id.
        keys = {"symbol": "symbol", "date": day} | ({"ingest_id": "ingest_id"} if step else {})
        same = " AND ".join(f"m.{key} = d.{column}" for key, column in keys.items())
        commits = self._sources.source([manifest], dates and sorted(held.intersection(dates)), by_name=False)
        return f"FROM {self._sources.source([table], dates)} AS d WHERE EXISTS (FROM {commits} AS m WHERE {same})"

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        with self._errors():
            return self.connection.execute(query).fetchall()

    def _chosen(self) -> Settings:
        if self._settings is None:
            self._settings = load_settings()
        return self._settings

    def _make_views(self, chosen: Selection) -> None:
        for name in sorted(chosen.tables):
            self._make_view(name, of_statement=name in chosen.own)
        if chosen.lists_tables:
            self.make_views()

    def _make_view(self, name: str, *, of_statement: bool) -> None:
        """The view of that name, when it is a table's; made anew when other files are to be read than last time."""
        made = self._made.get(name)
        if made is not None and self._sources.root is None:
            return
        select = self._select(name, search=not of_statement and name not in DECLARED)
        if select is None and name in DECLARED:
            select = ""
        if select is None or select == made:
            return
        if made is not None:
            self._unmake(name, empty=not made)
        if select:
            with self._errors():
                self.connection.execute(f'CREATE VIEW "{name}" AS {select}')
        else:
            self.connection.register(name, DECLARED[name].empty_table())
        self._made[name] = select

    def _unmake(self, name: str, *, empty: bool) -> None:
        if empty:
            self.connection.unregister(name)
        else:
            self.connection.execute(f'DROP VIEW "{name}"')

    def _select(self, name: str, *, search: bool) -> str | None:
        """What a view shows; None when there is no such table or it has no rows."""
        if name in COMMITS:
            found = [table for table in self.store.light.tables() if table.startswith(f"{name}/")]
            return f"FROM {self._sources.source(found)}" if found else None
        table = self._light_table(name, search=search)
        return None if table is None else self.committed(table)

    def _light_table(self, name: str, *, search: bool) -> str | None:
        if TABLE_NAME.fullmatch(name) and self.store.light.dates(name):
            return name
        # Only now: going through all files of the store takes time.
        return (
            next((table for table in self.store.light.tables() if _view_name(table) == name), None) if search else None
        )

    def _put_bars(self, calls: Sequence[BarsCall], missing: Missing) -> None:
        """Read the bars of every call into the table that the macro ``bars`` selects from."""
        parts = []
        for call in dict.fromkeys(calls):
            bars = get_bars(
                call.symbol, call.start, call.end, family=call.family, parameter=call.parameter, as_="arrow",
                decode=True, missing=missing, settings=self._settings, store=self.store,
            )  # fmt: skip
            parts.append(in_microseconds(bars).append_column("_call", pa.repeat(call.key, bars.num_rows)))
        self.connection.register(_BARS, pa.concat_tables(parts))
        self.connection.execute(_BARS_MACRO)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn DuckDB's errors into this package's, without the drawing of the place."""
        import duckdb

        try:
            yield
        except duckdb.Error as error:
            text = re.sub(r"\n+LINE \d+:.*", "", str(error), flags=re.DOTALL).strip().replace("\n\n", "\n")
            if "Table with name" in text:
                text = f"{text.splitlines()[0]}\nthere are {', '.join([*self.tables(), 'bars(symbol, start, …)'])}"
            raise _ERRORS.get(type(error).__name__, SettingsError)(f"SQL: {text}") from error


_ERRORS: Mapping[str, type[FuzzyError]] = {
    "BinderException": SchemaError,
    "CatalogException": SchemaError,
    "IOException": StoreError,
    "OutOfMemoryException": StoreError,
}
"""DuckDB's errors that are not about the text of a statement."""


# -- connections and results -------------------------------------------------------------------------------


def _lock(connection: duckdb.DuckDBPyConnection, root: Path | None) -> None:
    """Eastern Time; no file but those of the light tier, no spilling to disk, no Python variables, no way back."""
    settings = [f"TimeZone = {sql_text(EASTERN.key)}", "temp_directory = ''", "python_enable_replacements = false"]
    settings += ["autoinstall_known_extensions = false", "autoload_known_extensions = false"]
    if root is not None:
        # DuckDB compares a pattern with the folder before it reads the pattern's escapes.
        folders = (str(root), glob.escape(str(root)))
        settings.append(f"allowed_directories = [{', '.join(map(sql_text, folders))}]")
    for setting in (*settings, "enable_external_access = false", "lock_configuration = true"):
        connection.execute(f"SET {setting}")


def _view_name(table: str) -> str:
    return table.replace("/", "_")


def _plain_integers(table: pa.Table, kinds: Sequence[str]) -> pa.Table:
    """Sums of integers, 128 bits wide in DuckDB, as int64; those that do not fit stay decimals."""
    for place, kind in enumerate(kinds):
        if kind == "HUGEINT" and _fits(table.column(place)):
            table = table.set_column(place, table.schema.names[place], table.column(place).cast(pa.int64()))
    return table


def _fits(column: pa.ChunkedArray) -> bool:
    bounds = pc.min_max(column).as_py()
    return bounds["min"] is None or (bounds["min"] >= -(2**63) and bounds["max"] < 2**63)


def frame_of(table: pa.Table) -> pd.DataFrame:
    """A frame as the other readers give it: dates as ``datetime.date``, maps as dictionaries, decimals as floats."""
    for place, field in enumerate(table.schema):
        if pa.types.is_decimal(field.type):
            table = table.set_column(place, field.name, table.column(place).cast(pa.float64()))
    frame: pd.DataFrame = table.to_pandas(maps_as_pydicts="strict")
    return frame

"""Light tables as DuckDB reads them: dates' own files by path, compacted files and stores in memory as Arrow rows.

Belongs here: what stands after FROM, and running a query again when a file was replaced while it was read.
"""

from __future__ import annotations

import datetime as dt
import glob
import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from fuzzy_pipeline.errors import FuzzyError, StoreError
from fuzzy_pipeline.stores.compacted import Facts, facts_of
from fuzzy_pipeline.stores.parquet import LightSource, ParquetLightStore
from fuzzy_pipeline.stores.protocol import LightStore

if TYPE_CHECKING:
    import duckdb

_TRIES = 10
"""So often a query is run while files it reads are being replaced."""


class LightSources:
    """What a connection reads light tables from; ``root`` is the folder of the files, None for a store in memory."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, light: LightStore) -> None:
        self._connection = connection
        self._light = light
        # By its full path: DuckDB compares the files it reads with the folder it may read.
        self._files = ParquetLightStore(light.root.resolve()) if isinstance(light, ParquetLightStore) else None
        self._registered: dict[str, str] = {}
        self._paths: set[str] = set()
        self._numbers = itertools.count()

    @property
    def root(self) -> Path | None:
        """The light tier's folder by its full path."""
        return None if self._files is None else self._files.root

    def source(self, tables: Sequence[str], dates: Sequence[dt.date] | None = None, *, by_name: bool = True) -> str:
        """What a FROM reads rows of light tables from, all columns of all dates when ``by_name``.

        Raises
        ------
        StoreError
            There are no such files.
        """
        if self._files is None:
            parts = [rows for table in tables if (rows := self._light.read(table, dates=dates)) is not None]
            return self._register(pa.concat_tables(parts, promote_options="permissive"))
        found = [source for table in tables for source in self._files.sources(table, dates)]
        if not found:
            raise StoreError(f"light table {', '.join(tables)}: its files were removed just now")
        # In order of date, so that columns come in the order in which the dates have them.
        texts = []
        for compacted, sources in itertools.groupby(found, lambda source: source.rows is not None):
            if compacted:
                texts += [self._mapped(source) for source in sources]
            else:
                own = [source.path for source in sources]
                self._paths.update(own)
                paths = ", ".join(sql_text(glob.escape(path)) for path in own)
                texts.append(f"read_parquet([{paths}], union_by_name={by_name}, hive_partitioning=false)")
        return texts[0] if len(texts) == 1 else f"({' UNION ALL BY NAME '.join(f'FROM {text}' for text in texts)})"

    def undisturbed(self, run: Callable[[], pa.Table]) -> pa.Table:
        """The result of a run during which no file was replaced.

        DuckDB looks at a file twice, at its footer and later at its rows: between the two it may have become another,
        and then there is an error, or rows that never stood together.
        """
        for _ in range(_TRIES):
            seen = self._seen()
            try:
                table = run()
            except FuzzyError:
                if seen == self._seen():
                    raise
            else:
                if seen == self._seen():
                    return table
        raise StoreError("SQL: files of the light tier are replaced all the while: ask again when the run has gone on")

    def _seen(self) -> dict[str, Facts | None]:
        """Which file each path has now."""
        found: dict[str, Facts | None] = {}
        for path in self._paths:
            try:
                found[path] = facts_of(os.stat(path))  # noqa: PTH116  a thousand files a query
            except FileNotFoundError:
                found[path] = None
        return found

    def _mapped(self, source: LightSource) -> str:
        """A compacted file, whose rows are registered under a name of their own while the connection is open."""
        if source.path not in self._registered:
            self._registered[source.path] = self._register(in_microseconds(source.rows))
        name = self._registered[source.path]
        days = ", ".join(f"DATE '{day}'" for day in source.dates or ())
        return f"(FROM {name} WHERE {source.day} IN ({days}))" if days else name

    def _register(self, rows: pa.Table) -> str:
        name = f"_light{next(self._numbers)}"
        self._connection.register(name, rows)
        return name


def sql_text(value: str) -> str:
    """A text as SQL writes it."""
    return "'" + value.replace("'", "''") + "'"


def in_microseconds(rows: pa.Table) -> pa.Table:
    """Instants in µs, which ticks have and which all of DuckDB's functions take; names of codes as text."""
    fields = []
    for field in rows.schema:
        kind = field.type
        if pa.types.is_timestamp(kind):
            kind = pa.timestamp("us", tz=kind.tz)
        fields.append(field.with_type(pa.string() if pa.types.is_dictionary(kind) else kind))
    return rows.cast(pa.schema(fields))

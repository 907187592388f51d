"""What the light tier does with rows, apart from files: checking, replacing, joining and selecting them.

Belongs here: functions on Arrow tables that every light store shares.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from fuzzy_pipeline.errors import StoreError

TABLE_NAME = re.compile(r"[a-z][a-z0-9_]*(/[a-z][a-z0-9_]*)*")


def check_table_name(table: str) -> str:
    """The name unchanged; ``StoreError`` unless it is lower-case words, perhaps in folders (``manifest/raw_ticks``)."""
    if not TABLE_NAME.fullmatch(table):
        raise StoreError(f"light table {table!r}: a name is lower-case words, folders separated by '/'")
    return table


def check_rows(table: str, date: dt.date, rows: pa.Table, symbols: Sequence[str]) -> None:
    """Refuse rows that would not be found again under this date and these symbols.

    Raises
    ------
    StoreError
        There is no ``symbol`` column, a symbol is null or not among ``symbols``, or rows belong to another date:
        by ``trading_date`` where they have it, else by ``date``.
    """
    where = f"light table {table}, {date}"
    if "symbol" not in rows.column_names:
        raise StoreError(f"{where}: rows have no symbol column; they have {', '.join(rows.column_names) or 'none'}")
    strange = [symbol for symbol in pc.unique(rows["symbol"]).to_pylist() if symbol not in set(symbols)]
    if strange:
        raise StoreError(f"{where}: rows of {strange} among those that replace {list(symbols)}")
    # Ticks set aside say in `date` what the source said, right or wrong; their partition is `trading_date`.
    own = next((name for name in ("trading_date", "date") if name in rows.column_names), None)
    if own is not None and rows.num_rows:
        dates = {found.date() if isinstance(found, dt.datetime) else found for found in rows[own].to_pylist()}
        if dates != {date}:
            raise StoreError(f"{where}: rows carry the dates {sorted(map(str, dates))}")


def joined(parts: Sequence[pa.Table], where: str) -> pa.Table:
    """Tables one below the other; columns missing in some become null, numbers take the wider type.

    Raises
    ------
    StoreError
        One column has types that do not go together, such as text and numbers.
    """
    try:
        return pa.concat_tables(parts, promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        raise StoreError(f"{where}: rows of different types do not go together: {error}") from error


def replaced(old: pa.Table | None, rows: pa.Table, symbols: Sequence[str], where: str) -> pa.Table:
    """``old`` with everything of ``symbols`` taken out and ``rows`` put in, in order of symbol (stable)."""
    parts = [] if old is None else [old.filter(pc.invert(_among(old, symbols)))]
    if rows.num_rows or not parts:
        parts.append(rows)
    whole = joined(parts, where)
    if whole.num_rows < 2:
        return whole
    return whole.take(pc.sort_indices(whole, sort_keys=[("symbol", "ascending")])).combine_chunks()


def selected(rows: pa.Table, symbols: Sequence[str] | None) -> pa.Table:
    """The rows of ``symbols``; all when None."""
    return rows if symbols is None else rows.filter(_among(rows, symbols))


def projected(rows: pa.Table, columns: Sequence[str] | None, where: str) -> pa.Table:
    """The named columns in the order asked for, all when None; ``StoreError`` naming those that are not there.

    A dotted name that is no column's is a field of a struct; it is null where the struct is.
    """
    if columns is None:
        return rows
    missing = [name for name in columns if field_of(rows.schema, name) is None]
    if missing:
        raise StoreError(f"{where}: no columns {missing}; there are {', '.join(rows.column_names)}")
    return pruned(rows, columns).select(list(columns))


def pruned(rows: pa.Table, columns: Sequence[str] | None) -> pa.Table:
    """Those of the named columns that are there, each once; all when None. Names may be dotted as in ``projected``."""
    if columns is None:
        return rows
    found = {name: field for name in columns if (field := field_of(rows.schema, name)) is not None}
    return pa.Table.from_arrays([_column(rows, name) for name in found], schema=pa.schema(list(found.values())))


def field_of(schema: pa.Schema, name: str) -> pa.Field | None:
    """The column of that name, or the struct's field a dotted name means, called by the whole name; None if neither."""
    first, *path = [name] if name in schema.names else name.split(".")
    if first not in schema.names:
        return None
    found = schema.field(first)
    for part in path:
        if not pa.types.is_struct(found.type) or found.type.get_field_index(part) < 0:
            return None
        found = found.type.field(part)
    return found.with_name(name).with_nullable(True) if path else found


def text_leaves(schema: pa.Schema) -> list[str]:
    """Parquet's names of the leaves that hold text: those a dictionary makes smaller.

    Measures differ in nearly every row: a dictionary of them costs a quarter more bytes and time.
    """
    return [name for field in schema for name in _text_leaves(field.name, field.type)]


def _text_leaves(name: str, kind: pa.DataType) -> list[str]:
    if pa.types.is_struct(kind):
        return [leaf for field in kind for leaf in _text_leaves(f"{name}.{field.name}", field.type)]
    if pa.types.is_map(kind):
        halves = (("key", kind.key_type), ("value", kind.item_type))
        return [leaf for half, inner in halves for leaf in _text_leaves(f"{name}.key_value.{half}", inner)]
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return _text_leaves(f"{name}.list.element", kind.value_type)
    return [name] if pa.types.is_string(kind) or pa.types.is_large_string(kind) else []


def _column(rows: pa.Table, name: str) -> pa.ChunkedArray:
    if name in rows.column_names:
        return rows[name]
    first, *path = name.split(".")
    return pc.struct_field(rows[first], path)


def _among(rows: pa.Table, symbols: Sequence[str]) -> pa.ChunkedArray:
    return pc.is_in(rows["symbol"], value_set=pa.array(list(symbols), rows["symbol"].type))

"""Frames and tables to CSV and Parquet files: one file, or a ``date=/symbol=`` tree.

Belongs here: writing files for other programs. A file appears under its name when it is whole.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from fuzzy_pipeline.errors import SchemaError, SettingsError
from fuzzy_pipeline.stores.file_lock import disk_errors

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Layout = Literal["file", "hive"]
Format = Literal["csv", "parquet"]

HIVE = ("date", "symbol")


def export(
    table: pd.DataFrame | pa.Table, path: Path | str, *, layout: Layout = "file", file_format: Format | None = None
) -> list[Path]:
    """Write a frame or table.

    Parameters
    ----------
    table
        What ``get_ticks``, ``get_bars``, ``get_metadata`` or ``coverage`` gave. A named index becomes the first column.
    path
        ``file``: the file to write, replaced when it exists. ``hive``: a folder, which gets
        ``date=YYYY-MM-DD/symbol=SPY/data.parquet`` for every date and symbol (files of others stay).
    layout : {"file", "hive"}
    file_format : {"csv", "parquet"}, optional
        Default: by the suffix of ``path``; Parquet in a tree. CSV has instants with their UTC offset, empty fields for
        missing values, and JSON text for nested ones.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    SettingsError
        The format cannot be told, or a tree is asked for a table without date and symbol.
    StoreFullError, StoreError
        The file could not be written; an earlier one of the same name is intact.
    """
    target = Path(path).expanduser()
    if layout == "file":
        kind = file_format or _format_of(target)
        write_file(_plain_table(table), target, kind)
        return [target]
    whole = _plain_table(table)
    if missing := [name for name in HIVE if name not in whole.column_names]:
        raise SettingsError(f"a date=/symbol= tree needs the columns {', '.join(missing)}")
    kind = file_format or "parquet"
    written = []
    for folder, part in _parts(whole):
        file = target / folder / f"data.{kind}"
        write_file(part, file, kind)
        written.append(file)
    return written


def _format_of(path: Path) -> Format:
    suffix = path.suffix.lower()
    if suffix == ".csv":
        return "csv"
    if suffix in (".parquet", ".pq"):
        return "parquet"
    raise SettingsError(f"{path}: the suffix says the format: .csv or .parquet")


def _parts(table: pa.Table) -> Iterator[tuple[Path, pa.Table]]:
    """The rows of each date and symbol, without these two columns, and their folder."""
    import pyarrow.compute as pc

    pairs = table.select(HIVE).group_by(list(HIVE), use_threads=False).aggregate([]).to_pylist()
    rest = table.drop_columns(list(HIVE))
    for pair in pairs:
        rows = pc.and_(pc.equal(table["date"], pair["date"]), pc.equal(table["symbol"], pair["symbol"]))
        yield Path(f"date={pair['date']}") / f"symbol={pair['symbol']}", rest.filter(rows)


def _plain_table(table: pd.DataFrame | pa.Table) -> pa.Table:
    import pyarrow as pa

    if isinstance(table, pa.Table):
        return table
    frame = table.reset_index() if table.index.name else table
    texts = {name: frame[name].map(_json_text) for name in frame.columns if _is_nested(frame[name])}
    try:
        found = pa.Table.from_pandas(frame.assign(**texts), preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SchemaError(f"a column holds values of different types and cannot be exported: {error}") from error
    return found.replace_schema_metadata(None)


def _is_nested(values: pd.Series[Any]) -> bool:
    if values.dtype != object:
        return False
    first = next((value for value in values if value is not None), None)
    return isinstance(first, dict | list) or type(first).__name__ == "ndarray"


def _json_text(value: Any) -> str | None:
    return None if value is None else json.dumps(value, default=_json_value, ensure_ascii=False)


def _json_value(value: Any) -> Any:
    if hasattr(value, "tolist"):
        return value.tolist()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def write_file(table: pa.Table, path: Path, kind: Format) -> None:
    """Write a table under its name when it is whole; a file of that name is replaced then."""
    with disk_errors(f"writing {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            _WRITERS[kind](table, temporary)


def _write_csv(table: pa.Table, path: Path) -> None:
    frame = table.to_pandas(maps_as_pydicts="strict")
    texts = {name: frame[name].map(_json_text) for name in frame.columns if _is_nested(frame[name])}
    frame.assign(**texts).to_csv(path, index=False)


def _write_parquet(table: pa.Table, path: Path) -> None:
    import pyarrow.parquet as pq

    pq.write_table(table, path, compression="zstd")


_WRITERS: dict[Format, Callable[[pa.Table, Path], None]] = {"csv": _write_csv, "parquet": _write_parquet}


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``, renamed to it at the end of the block and removed on any error."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise

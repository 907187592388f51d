"""Daily bars of other origin beside tick files: one optional file for all symbols and dates of a folder.

Belongs here: finding that file, reading it and looking one bar up. It is what the ticks are compared with, so it is
never made from them.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from fuzzy_pipeline.errors import SourceFileError
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar

DAILY_BAR_FILES = ("daily_bars.parquet", "daily_bars.csv", "daily_bars.csv.gz")
DAILY_BAR_SCHEMA = pa.schema(
    {
        "symbol": pa.string(), "date": pa.date32(), "open": pa.float64(), "high": pa.float64(), "low": pa.float64(),
        "close": pa.float64(), "volume": pa.int64(),
    }
)  # fmt: skip
"""Columns the file must have; others are ignored."""

_Stamp = tuple[Path, int, int]


class DailyBarFile:
    """The daily bars of a folder; read when first asked for, and again when the file has changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: tuple[_Stamp, pa.Table] | None = None

    def bar(self, symbol: str, date: dt.date) -> SourceDailyBar | None:
        """The bar of a symbol and date; None without a file, or without a row in it.

        Raises
        ------
        SourceFileError
            There are two files, the file cannot be read or lacks a column, the row lacks a value, or there are two
            rows of the symbol and date.
        """
        found = [path for name in DAILY_BAR_FILES if (path := self._folder / name).is_file()]
        if len(found) > 1:
            raise SourceFileError(f"more than one file of daily bars: {', '.join(map(str, found))}: keep one")
        if not found:
            return None
        (path,) = found
        table = self._table(path)
        rows = table.filter(pc.and_(pc.equal(table["date"], date), pc.equal(table["symbol"], symbol))).to_pylist()
        if len(rows) > 1:
            raise SourceFileError(f"{path}: {len(rows)} rows of {symbol} {date}")
        if not rows:
            return None
        values = {name: value for name, value in rows[0].items() if name not in ("symbol", "date")}
        missing = [name for name, value in values.items() if value is None]
        if missing:
            raise SourceFileError(f"{path}: {symbol} {date} has no {', '.join(missing)}")
        return SourceDailyBar(**values)

    def _table(self, path: Path) -> pa.Table:
        try:
            status = path.stat()
            stamp = (path, status.st_mtime_ns, status.st_size)
            if self._read is None or self._read[0] != stamp:
                self._read = stamp, _read_parquet(path) if path.suffix == ".parquet" else _read_csv(path)
        except (pa.ArrowException, OSError) as error:
            raise SourceFileError(f"{path}: not readable as daily bars: {error}") from error
        return self._read[1]


def _read_parquet(path: Path) -> pa.Table:
    table = pq.read_table(path, partitioning=None)
    missing = [name for name in DAILY_BAR_SCHEMA.names if name not in table.column_names]
    if missing:
        raise SourceFileError(f"{path}: missing columns {', '.join(missing)}")
    _refuse_times(path, table["date"])
    # A cast that would lose anything else (half a share) is an error of Arrow's.
    return table.select(DAILY_BAR_SCHEMA.names).cast(DAILY_BAR_SCHEMA)


def _refuse_times(path: Path, dates: pa.ChunkedArray) -> None:
    """Arrow's cast to dates would cut a time of day off, and take that of another zone for one of the next date."""
    if not pa.types.is_timestamp(dates.type):
        return
    if dates.type.tz is not None or not pc.all(pc.equal(dates.cast(pa.date32()).cast(dates.type), dates)).as_py():
        raise SourceFileError(f"{path}: column date has times of day or a zone: write dates")


def _read_csv(path: Path) -> pa.Table:
    convert = pa.csv.ConvertOptions(
        column_types=DAILY_BAR_SCHEMA,
        include_columns=DAILY_BAR_SCHEMA.names,
        null_values=[""],
        strings_can_be_null=True,
    )
    return pa.csv.read_csv(path, convert_options=convert)

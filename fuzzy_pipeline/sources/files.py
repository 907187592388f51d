"""Ticks from Parquet and CSV files in the 14-field form.

Belongs here: finding the file of a symbol-day, reading it without changing a value, and writing the same form. What
a row *means* is not judged here: rows that are readable but wrong reach validation as they are. Only what cannot be
held in the 14 arrays is refused, naming file, column and row. ``docs/how-to/use_your_own_files.md`` is the user's
side of this module.
"""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import os
import re
import time
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from fuzzy_pipeline.errors import NoDataError, SourceFileError, UnknownSymbolError
from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.schema.columns import Column
from fuzzy_pipeline.schema.daily_bars import SourceDailyBar
from fuzzy_pipeline.schema.tables import RAW_TICKS, arrow_type, check_arrays
from fuzzy_pipeline.settings import SYMBOL_PATTERN, FilesSettings
from fuzzy_pipeline.sources.daily_bar_file import DailyBarFile
from fuzzy_pipeline.sources.protocol import DataKind, FetchedTicks
from fuzzy_pipeline.sources.tick_sheet import TickSheet

SUFFIXES = (".parquet", ".csv", ".csv.gz")
KIND_FILE = "_KIND"
"""File whose one word, ``real`` or ``simulated``, tells the kind of all files of a folder."""

_SUFFIX = r"(?:\.parquet|\.csv|\.csv\.gz)"
_FLAT_NAME = re.compile(rf"({SYMBOL_PATTERN.pattern})_(\d{{4}}-\d\d-\d\d){_SUFFIX}")
_DATE_NAME = re.compile(rf"date=(\d{{4}}-\d\d-\d\d){_SUFFIX}")
_SYMBOL_FOLDER = re.compile(rf"symbol=({SYMBOL_PATTERN.pattern})")
_ONE_KIND = f"put files of the other kind in a folder of their own, or say what they are in {KIND_FILE}"


class FilesSource:
    """Ticks from a folder of files, or from one file; one file holds one symbol and date.

    Layouts, which may be mixed: ``symbol=X/date=YYYY-MM-DD.parquet`` and ``X_YYYY-MM-DD.parquet``, each also with
    ``.csv`` or ``.csv.gz``.
    """

    def __init__(self, settings: FilesSettings | Path | str) -> None:
        path = settings.path if isinstance(settings, FilesSettings) else Path(settings)
        self._root = path.expanduser()

    @property
    def name(self) -> str:
        """``files``."""
        return "files"

    @cached_property
    def kind(self) -> DataKind:
        """``real`` unless the folder's ``_KIND`` file or its first readable Parquet file says ``simulated``.

        Raises
        ------
        SourceFileError
            The path does not exist, or ``_KIND`` holds another word.
        """
        if self._kind_of_folder is not None:
            return self._kind_of_folder
        for path in sorted(path for _, _, path in self._files() if path.suffix == ".parquet"):
            try:
                return _kind_in_metadata(pq.read_schema(path), path) or "real"
            except (pa.ArrowException, OSError):
                # A file that cannot be opened fails where it is fetched; it must not take the others with it.
                continue
        return "real"

    def symbols(self) -> tuple[str, ...]:
        """Symbols that have a file, sorted.

        Raises
        ------
        SourceFileError
            The path does not exist, or a file is named after a day that does not exist.
        """
        return tuple(sorted({symbol for symbol, _, _ in self._files()}))

    def dates(self, symbol: str) -> tuple[dt.date, ...]:
        """Dates of the symbol that have a file, in order; empty for an unknown symbol.

        Raises
        ------
        SourceFileError
            The path does not exist, or a file is named after a day that does not exist.
        """
        return tuple(sorted({date for each, date, _ in self._files() if each == symbol}))

    def fetch_ticks(self, symbol: str, trading_date: dt.date) -> FetchedTicks:
        """All rows of the file of a symbol and date, in file order.

        Nulls in ``last``, ``bid`` and ``ask`` become NaN, in ``date`` NaT, in ``time`` -1 (outside every day), in the
        condition codes 0 (no code). A null in any other column is an error: no value could stand for it without
        passing for a true one. What was replaced and which columns were ignored is told in ``notes``.

        Raises
        ------
        UnknownSymbolError
            There is neither a folder nor a file of the symbol.
        NoDataError
            The symbol has no file of that date.
        SourceFileError
            The file is empty, cut short, malformed, lacks a column, has a column of another type or a value that
            does not fit, is of the other kind than the source, or is one of two files of the same symbol and date.
        """
        started = time.perf_counter()
        path = self._find(symbol, trading_date)
        kind = self.kind
        notes: dict[str, str] = {}
        sheet = _read_parquet(path, notes) if path.suffix == ".parquet" else _read_csv(path, notes)
        said = _kind_in_metadata(sheet.table.schema, path) or self._kind_of_folder or "real"
        if said != kind:
            raise SourceFileError(f"{path}: holds {said} ticks, the source {self._root} is {kind}: {_ONE_KIND}")
        columns = sheet.arrays()
        return FetchedTicks(
            symbol=symbol,
            trading_date=trading_date,
            columns=columns,
            source=self.name,
            kind=kind,
            latency_s=time.perf_counter() - started,
            detail=str(path),
            notes=notes,
        )

    def daily_bar(self, symbol: str, trading_date: dt.date) -> SourceDailyBar | None:
        """The bar in the file of daily bars beside the ticks, None without one (see ``daily_bar_file``).

        Raises
        ------
        SourceFileError
            The file or the row cannot be read.
        """
        return self._daily_bars.bar(symbol, trading_date)

    def check(self) -> str:
        """One line telling what the path holds.

        Raises
        ------
        SourceFileError
            The path does not exist or holds no tick file.
        """
        days = {(symbol, date) for symbol, date, _ in self._files()}
        if not days:
            raise SourceFileError(
                f"{self._root}: no tick files; expected symbol=X/date=YYYY-MM-DD or X_YYYY-MM-DD with "
                f"{', '.join(SUFFIXES)}"
            )
        dates = [date for _, date in days]
        return (
            f"{self._root}: {self.kind} ticks, {len({symbol for symbol, _ in days})} symbols, {len(days)} symbol-days, "
            f"{min(dates)} to {max(dates)}"
        )

    def close(self) -> None:
        """Nothing to give back: files are closed as soon as they are read."""

    @cached_property
    def _kind_of_folder(self) -> DataKind | None:
        """What the folder's ``_KIND`` file says; None without one."""
        self._require_root()
        marker = self._folder / KIND_FILE
        try:
            word = marker.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError) as error:
            raise SourceFileError(f"{marker}: not readable: {error}") from error
        return _as_kind(word, marker)

    @cached_property
    def _daily_bars(self) -> DailyBarFile:
        self._require_root()
        return DailyBarFile(self._folder)

    @property
    def _folder(self) -> Path:
        """Where the files about all ticks lie: the folder, or that of the one file."""
        return self._root.parent if self._root.is_file() else self._root

    def _require_root(self) -> None:
        if not self._root.exists():
            raise SourceFileError(f"{self._root}: no such file or folder; set FUZZY_FILES__PATH to your tick files")

    def _files(self) -> Iterator[tuple[str, dt.date, Path]]:
        """Every tick file under the path: symbol, date, path."""
        self._require_root()
        paths = [self._root] if self._root.is_file() else [*self._root.iterdir(), *self._root.glob("symbol=*/*")]
        for path in paths:
            named = _symbol_and_date(path)
            if named is not None:
                yield (*named, path)
            elif path == self._root:
                raise SourceFileError(
                    f"{path}: the name tells no symbol and date; name it X_YYYY-MM-DD with {', '.join(SUFFIXES)}"
                )

    def _find(self, symbol: str, date: dt.date) -> Path:
        self._require_root()
        if not SYMBOL_PATTERN.fullmatch(symbol):
            raise UnknownSymbolError(f"{self._root}: {symbol!r} is no ticker: upper-case letters, digits, '.' and '-'")
        names = (f"symbol={symbol}/date={date}", f"{symbol}_{date}")
        if self._root.is_file():
            found = [path for each, day, path in self._files() if (each, day) == (symbol, date)]
        else:
            tried = [self._root / f"{name}{suffix}" for name in names for suffix in SUFFIXES]
            found = [path for path in tried if path.is_file()]
        if len(found) > 1:
            both = " and ".join(str(path) for path in found)
            raise SourceFileError(f"{symbol} {date}: more than one file: {both}: remove all but one")
        if found:
            return found[0]
        if not (self._root / f"symbol={symbol}").is_dir() and symbol not in self.symbols():
            raise UnknownSymbolError(f"{self._root}: no folder symbol={symbol} and no file {symbol}_YYYY-MM-DD")
        raise NoDataError(
            f"{symbol} {date}: no file {self._root}/{names[0]} or {self._root}/{names[1]} with {', '.join(SUFFIXES)}"
        )


def write_ticks(path: Path, columns: Arrays, kind: DataKind) -> None:
    """Write the 14 raw arrays of one symbol-day as a Parquet file that ``FilesSource`` reads back unchanged.

    The kind goes into the schema's metadata. The file appears whole or not at all; missing folders are made.

    Raises
    ------
    SchemaError
        The arrays are not exactly the columns of ``schema.RAW_TICKS``.
    SourceFileError
        The name does not end in ``.parquet``, or the file cannot be written.
    """
    if path.suffix != ".parquet":
        raise SourceFileError(f"{path}: ticks are written as Parquet: end the name in .parquet")
    check_arrays(RAW_TICKS, columns, str(path), key_columns=True)
    schema = pa.schema([(each.name, arrow_type(each)) for each in RAW_TICKS.columns], metadata={"kind": kind})
    arrays = [pa.array(columns[each.name]).cast(arrow_type(each)) for each in RAW_TICKS.columns]
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            table = pa.Table.from_arrays(arrays, schema=schema)
            pq.write_table(table, partial, compression="zstd", write_page_checksum=True)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise SourceFileError(f"{path}: cannot be written: {error}") from error


# -- names and kinds -----------------------------------------------------------------


def _symbol_and_date(path: Path) -> tuple[str, dt.date] | None:
    """Symbol and date that a path names, None when it names none; refuses dates that do not exist."""
    flat, dated = _FLAT_NAME.fullmatch(path.name), _DATE_NAME.fullmatch(path.name)
    folder = _SYMBOL_FOLDER.fullmatch(path.parent.name)
    if flat is None and (dated is None or folder is None):
        return None
    symbol, text = (flat[1], flat[2]) if flat else (folder[1], dated[1])  # type: ignore[index]
    try:
        return symbol, dt.date.fromisoformat(text)
    except ValueError as error:
        raise SourceFileError(f"{path}: {text} is no date: rename or remove the file") from error


def _as_kind(word: str, where: Path) -> DataKind:
    if word == "real":
        return "real"
    if word == "simulated":
        return "simulated"
    raise SourceFileError(f"{where}: kind {word!r}: expected 'real' or 'simulated'")


def _kind_in_metadata(schema: pa.Schema, path: Path) -> DataKind | None:
    word = (schema.metadata or {}).get(b"kind")
    return None if word is None else _as_kind(word.decode(errors="replace"), path)


# -- reading -------------------------------------------------------------------------


def _read_parquet(path: Path, notes: dict[str, str]) -> TickSheet:
    _refuse_empty(path)
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            _check_names(path, file.schema_arrow.names, notes)
            table = file.read(columns=list(RAW_TICKS.names))
    except (pa.ArrowException, OSError) as error:
        raise SourceFileError(f"{path}: not readable as Parquet, cut short or damaged: {error}") from error
    return TickSheet(path, table, "row", 1, notes)


def _read_csv(path: Path, notes: dict[str, str]) -> TickSheet:
    _refuse_empty(path)
    _check_names(path, _csv_header(path), notes)
    convert = pa.csv.ConvertOptions(
        column_types={column.name: _csv_type(column) for column in RAW_TICKS.columns},
        include_columns=list(RAW_TICKS.names),
        null_values=[""],
        strings_can_be_null=True,
    )
    parse = pa.csv.ParseOptions(ignore_empty_lines=False)
    try:
        try:
            table = pa.csv.read_csv(path, parse_options=parse, convert_options=convert)
        except pa.ArrowInvalid:
            # Only the single-threaded reader knows the number of the line at fault.
            single = pa.csv.ReadOptions(use_threads=False)
            table = pa.csv.read_csv(path, read_options=single, parse_options=parse, convert_options=convert)
    except (pa.ArrowException, OSError) as error:
        raise SourceFileError(f"{path}: {_csv_fault(path, str(error))}") from error
    return TickSheet(path, table, "line", 2, notes)


def _csv_type(column: Column) -> pa.DataType:
    return pa.binary() if column.dtype == "S1" else arrow_type(column)


def _csv_header(path: Path) -> list[str]:
    try:
        with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as file:
            line = file.readline()
        return next(csv.reader([line.decode("utf-8-sig")]), [])
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise SourceFileError(f"{path}: the header line is not readable: {error}") from error


def _csv_fault(path: Path, message: str) -> str:
    """Arrow's message with the column's name and the file's line instead of Arrow's numbers."""
    message = re.sub(r"Row #(\d+)", r"line \1", message)
    column = re.search(r"CSV column #(\d+)", message)
    if column is not None:
        message = message.replace(column[0], f"column {_csv_header(path)[int(column[1])]}")
    return message


def _refuse_empty(path: Path) -> None:
    try:
        empty = path.stat().st_size == 0
    except OSError as error:
        raise SourceFileError(f"{path}: not readable: {error}") from error
    if empty:
        raise SourceFileError(f"{path}: the file is empty: fetch it again or remove it")


def _check_names(path: Path, names: list[str], notes: dict[str, str]) -> None:
    missing = [name for name in RAW_TICKS.names if name not in names]
    if missing:
        raise SourceFileError(f"{path}: missing columns {', '.join(missing)}; the file has {', '.join(names)}")
    double = [name for name in RAW_TICKS.names if names.count(name) > 1]
    if double:
        raise SourceFileError(f"{path}: columns named twice: {', '.join(double)}")
    extra = [name for name in names if name not in RAW_TICKS.names]
    if extra:
        notes["ignored_columns"] = ", ".join(extra)

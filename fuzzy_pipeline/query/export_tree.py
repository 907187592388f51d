"""What the store has committed as a ``date=/symbol=`` tree of files that later exports bring up to date.

Belongs here: which partitions have to be written, and the record of those that have been. Writing one file:
``query.export``.
"""

from __future__ import annotations

import datetime as dt
import json
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from fuzzy_pipeline.errors import CalendarError, NotStoredError, SchemaError, SettingsError, StoreError
from fuzzy_pipeline.query.bars import asked_series, get_bars
from fuzzy_pipeline.query.dates import DateLike, DatesMissing, as_date, asked_dates, some_symbols
from fuzzy_pipeline.query.day_metadata import get_metadata
from fuzzy_pipeline.query.export import HIVE, Format, replacing, write_file
from fuzzy_pipeline.query.opening import reading
from fuzzy_pipeline.query.ticks import TickTable, get_ticks
from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS, SCHEMA_VERSION
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.stores.file_lock import disk_errors, held
from fuzzy_pipeline.stores.store import Store

TreeContent = Literal["ticks", "raw_ticks", "bars", "metadata"]
Progress = Callable[[int, int], None]

RECORD_FILE = "_export.json"
SAVE_EVERY_S = 2.0
"""An export that is killed writes again what it wrote in its last seconds, at most these. [s]"""

_LOCK = ".export.lock"
_SHOWN = 5


@dataclass(slots=True)
class TreeReport:
    """What ``export_tree`` did: files written, and partitions left alone because their source has not changed."""

    written: list[Path] = field(default_factory=list)
    unchanged: int = 0
    rows: int = 0


def export_tree(
    what: TreeContent,
    folder: Path | str,
    start: DateLike | None = None,
    end: DateLike | None = None,
    symbols: Sequence[str] | str | None = None,
    *,
    family: str = "time",
    parameter: str = "1m",
    columns: Sequence[str] | None = None,
    decode: bool = False,
    file_format: Format = "parquet",
    settings: Settings | None = None,
    store: Store | None = None,
    progress: Progress | None = None,
) -> TreeReport:
    """Bring a ``date=YYYY-MM-DD/symbol=SPY/data.parquet`` tree up to date with the store.

    ``_export.json`` in the folder tells what is exported, its columns, and of each partition the content hash of the
    source: what is there and has not changed is not written again, also after an export that was cut off. Partitions
    of other dates and symbols stay.

    Parameters
    ----------
    what : {"ticks", "raw_ticks", "bars", "metadata"}
    folder
        Made when it does not exist. It holds one kind of export.
    start, end : date or str, optional
        Trading dates, both included. ``start`` alone: that date. Neither: all that are stored.
    symbols : str or sequence of str, optional
        ``"AAPL,SPY"`` or a list; default: all.
    family, parameter : str
        Which bars, as in ``get_bars``.
    columns, decode
        As in ``get_ticks`` and ``get_bars``; date and symbol are in the folders' names.
    file_format : {"parquet", "csv"}
    settings : Settings, optional
        Whose store to read; default: the environment's.
    store : Store, optional
        An open store to read, left open.
    progress : callable, optional
        Called with the number of partitions looked at and of all.

    Returns
    -------
    TreeReport

    Raises
    ------
    SettingsError
        The folder holds another export.
    NotStoredError
        There is no store, nothing of what is asked for is stored, or some symbol-days lack the series: those that have
        it are written.
    StoreFullError, StoreError
        A file could not be written; those before it are kept.
    """
    if start is None and end is not None:
        raise CalendarError(f"end {as_date(end)} without start: give both, or only start for one date")
    tree = Path(folder).expanduser()
    chosen = settings or load_settings()
    with reading(chosen, store) as opened:
        content = _Content(what, family, parameter, columns, decode, opened, chosen)
        tickers = None if symbols is None else some_symbols(symbols)
        stored = _stored(content, None if start is None else asked_dates(start, end), tickers)
        where = f"exporting to {tree}"
        with disk_errors(where), held(tree / _LOCK, chosen.store.lock_timeout_s, where):
            record = _opened_record(tree, content.described | {"format": file_format})
            return _bring_up_to_date(tree, record, content, stored, file_format, progress)


@dataclass(frozen=True, slots=True)
class _Content:
    """What a tree holds and how a partition of it is read."""

    what: TreeContent
    family: str
    parameter: str
    columns: Sequence[str] | None
    decode: bool
    store: Store
    settings: Settings

    @property
    def table(self) -> str:
        """Table whose manifest commits it."""
        if self.what == "bars":
            return asked_series(self.family, self.parameter).table.name
        tables = {"ticks": ENRICHED_TICKS.name, "raw_ticks": RAW_TICKS.name, "metadata": PHASE1_TABLE}
        if self.what not in tables:
            raise SettingsError(f"{self.what!r}: there are {', '.join(tables)}, bars")
        return tables[self.what]

    @property
    def described(self) -> dict[str, Any]:
        """What must be equal for two exports to share a folder."""
        series = {"family": self.family, "parameter": self.parameter} if self.what == "bars" else {}
        columns = None if self.columns is None else list(self.columns)
        common = {"kind": self.store.kind, "schema_version": SCHEMA_VERSION, "columns": columns, "decode": self.decode}
        return {"table": self.table, **series, **common}

    def read(self, date: dt.date, symbols: Sequence[str]) -> Iterator[tuple[str, pa.Table | NotStoredError]]:
        """The rows of each symbol without the columns that are in the folder's name, or why there are none."""
        if self.what == "metadata":
            # All symbols of a date are in one file: it is read once.
            whole = get_metadata(symbols, date, as_="arrow", store=self.store)
            for symbol in symbols:
                yield symbol, self._chosen(whole.filter(pc.equal(whole["symbol"], symbol)))
            return
        for symbol in symbols:
            try:
                yield symbol, self._chosen(self._of_symbol(symbol, date))
            except NotStoredError as error:
                yield symbol, error

    def _of_symbol(self, symbol: str, date: dt.date) -> pa.Table:
        options: Any = {"decode": self.decode, "settings": self.settings, "store": self.store}
        columns = None if self.columns is None else [*HIVE, *self.columns]
        if self.what == "bars":
            return get_bars(
                symbol, date, family=self.family, parameter=self.parameter, columns=columns, as_="arrow", **options
            )
        which: TickTable = "raw" if self.what == "raw_ticks" else "enriched"
        return get_ticks(symbol, date, table=which, columns=columns, as_="arrow", **options)

    def _chosen(self, rows: pa.Table) -> pa.Table:
        if self.what == "metadata" and self.columns is not None:
            if unknown := [name for name in self.columns if name not in rows.column_names]:
                raise SchemaError(f"{PHASE1_TABLE} has no field {', '.join(unknown)}")
            rows = rows.select(list(dict.fromkeys([*HIVE, *self.columns])))
        return rows.drop_columns(list(HIVE))


@dataclass(slots=True)
class _Record:
    """The content of ``_export.json``: what the tree holds and which partitions of it are whole."""

    path: Path
    export: dict[str, Any]
    columns: list[dict[str, str]] = field(default_factory=list)
    partitions: dict[str, dict[str, Any]] = field(default_factory=dict)

    def is_current(self, partition: str, content_hash: str, file: Path) -> bool:
        """Whether the partition was written from this content and is still as it was written."""
        known = self.partitions.get(partition)
        if known is None or known["content_hash"] != content_hash:
            return False
        return file.is_file() and file.stat().st_size == known["bytes"]

    def save(self) -> None:
        """Replace the file whole; a folder that got nothing is not yet an export of anything."""
        if not self.partitions:
            return
        partitions = dict(sorted(self.partitions.items()))
        text = json.dumps(
            {"export": self.export, "columns": self.columns, "partitions": partitions}, indent=1, ensure_ascii=False
        )
        with replacing(self.path) as temporary:
            temporary.write_text(text + "\n", encoding="utf-8")


def _opened_record(tree: Path, export: dict[str, Any]) -> _Record:
    """The record of a folder, a new one where there is none.

    Raises
    ------
    SettingsError
        The folder holds another export.
    StoreError
        The record is damaged.
    """
    path = tree / RECORD_FILE
    if not path.exists():
        return _Record(path, export)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        record = _Record(path, found["export"], found["columns"], found["partitions"])
    except (ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{path} is no record of an export ({error}): remove it, and everything is written again"
        ) from error
    if record.export != export:
        differs = [f"{name} {record.export.get(name)}" for name in export if record.export.get(name) != export[name]]
        raise SettingsError(f"{tree} holds another export ({', '.join(differs)}): choose another folder")
    return record


def _stored(
    content: _Content, dates: Sequence[dt.date] | None, symbols: Sequence[str] | None
) -> dict[dt.date, dict[str, str]]:
    """Content hash by date and symbol of what is committed; a ``DatesMissing`` warning tells what is not.

    Raises
    ------
    NotStoredError
        Nothing is.
    """
    names = ["symbol", "date", "content_hash"]
    rows = content.store.light.read(f"manifest/{content.table}", dates=dates, symbols=symbols, columns=names)
    found: dict[dt.date, dict[str, str]] = {}
    for row in rows.to_pylist() if rows is not None else ():
        found.setdefault(row["date"], {})[row["symbol"]] = row["content_hash"]
    if not found:
        raise NotStoredError(
            f"{content.table}: nothing of what is asked for is committed. See what there is: fuzzy status"
        )
    absent = [f"{date}" for date in dates or () if date not in found]
    absent += [f"{date} {symbol}" for date in found for symbol in symbols or () if symbol not in found[date]]
    if absent:
        shown = ", ".join(absent[:_SHOWN])
        more = f" and {len(absent) - _SHOWN} more" if len(absent) > _SHOWN else ""
        warnings.warn(f"{content.table}: left out what is not stored: {shown}{more}", DatesMissing, 3)
    return found


def _bring_up_to_date(
    tree: Path,
    record: _Record,
    content: _Content,
    stored: dict[dt.date, dict[str, str]],
    file_format: Format,
    progress: Progress | None,
) -> TreeReport:
    report, lacking = TreeReport(), {}
    total = sum(len(symbols) for symbols in stored.values())
    saved = time.monotonic()
    try:
        for date, hashes in sorted(stored.items()):
            files = {symbol: tree / f"date={date}" / f"symbol={symbol}" / f"data.{file_format}" for symbol in hashes}
            due = [s for s in sorted(hashes) if not record.is_current(_partition(files[s]), hashes[s], files[s])]
            report.unchanged += len(hashes) - len(due)
            for symbol, rows in content.read(date, due) if due else ():
                if isinstance(rows, NotStoredError):
                    lacking[date, symbol] = str(rows).splitlines()[0]
                    continue
                _remove_leftovers(files[symbol])
                write_file(rows, files[symbol], file_format)
                _note(record, report, files[symbol], hashes[symbol], rows)
                if time.monotonic() - saved > SAVE_EVERY_S:
                    record.save()
                    saved = time.monotonic()
                if progress is not None:
                    progress(report.unchanged + len(report.written) + len(lacking), total)
    finally:
        # Also when a partition failed: what is whole must be known to the next export.
        record.save()
    if lacking:
        reasons = "\n".join(list(lacking.values())[:_SHOWN])
        raise NotStoredError(
            f"{len(lacking)} of {total} partitions cannot be made, {len(report.written)} were written:\n{reasons}"
        )
    return report


def _note(record: _Record, report: TreeReport, file: Path, content_hash: str, rows: pa.Table) -> None:
    """Take a whole file into the record, and say what its columns are."""
    record.partitions[_partition(file)] = {
        "content_hash": content_hash,
        "rows": rows.num_rows,
        "bytes": file.stat().st_size,
    }
    record.columns = [_described(column) for column in rows.schema]
    report.written.append(file)
    report.rows += rows.num_rows


def _described(column: pa.Field) -> dict[str, str]:
    about = {key.decode(): value.decode() for key, value in (column.metadata or {}).items()}
    texts = {key: about[key] for key in ("unit", "description") if about.get(key)}
    return {"name": column.name, "type": str(column.type), **texts}


def _partition(file: Path) -> str:
    return "/".join(file.parts[-3:-1])


def _remove_leftovers(file: Path) -> None:
    """Temporary files of this partition: under the lock they can only be a killed export's."""
    for leftover in file.parent.glob(f".{file.name}.*.tmp"):
        leftover.unlink(missing_ok=True)

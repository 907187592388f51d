"""Reading bars of one symbol, family and parameter; time bars of any interval.

Belongs here: which rows of which keys are read, and time bars that are not stored, put together from those that are.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Literal, Unpack, cast, overload

from fuzzy_pipeline.bar_settings import SessionName
from fuzzy_pipeline.bars.cutting import BarFamily
from fuzzy_pipeline.bars.registry import FAMILIES
from fuzzy_pipeline.bars.resample import base_interval, resample_day
from fuzzy_pipeline.bars.session_ticks import session_bounds_ns
from fuzzy_pipeline.errors import NotStoredError, SettingsError
from fuzzy_pipeline.query.dates import DateLike, Missing, asked_dates, one_symbol, stored_versions
from fuzzy_pipeline.query.frames import KEY_DATE, Form, Keys, shown, wanted_columns
from fuzzy_pipeline.query.opening import ReadOptions, reading
from fuzzy_pipeline.query.recent import BARS, METADATA, store_identity
from fuzzy_pipeline.schema.arrays import Arrays, concatenate, length, take
from fuzzy_pipeline.schema.columns import BAR_KEY, SYMBOL, Column
from fuzzy_pipeline.schema.tables import Table
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.stores.protocol import HeavyKey, Metadata
from fuzzy_pipeline.stores.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_NS = 1_000_000_000
_SHORT = 100
"""Series of at most so many bars a date are kept in memory once read: finding each key costs more than its rows."""


@overload
def get_bars(
    symbol: str,
    start: DateLike,
    end: DateLike | None = None,
    *,
    family: str = "time",
    parameter: str = "1m",
    as_: Literal["pandas"] = "pandas",
    **options: Unpack[ReadOptions],
) -> pd.DataFrame: ...
@overload
def get_bars(
    symbol: str,
    start: DateLike,
    end: DateLike | None = None,
    *,
    family: str = "time",
    parameter: str = "1m",
    as_: Literal["arrow"],
    **options: Unpack[ReadOptions],
) -> pa.Table: ...
def get_bars(
    symbol: str,
    start: DateLike,
    end: DateLike | None = None,
    *,
    family: str = "time",
    parameter: str = "1m",
    columns: Sequence[str] | None = None,
    as_: Form = "pandas",
    decode: bool = False,
    missing: Missing = "raise",
    settings: Settings | None = None,
    store: Store | None = None,
) -> pd.DataFrame | pa.Table:
    """Committed bars of a symbol.

    Time bars whose interval was not built are put together from the longest stored one that divides it: counts,
    volumes and prices are exactly, the other columns up to rounding those of bars built from the ticks
    (``bars.resample`` names the exceptions). They are kept in memory, so that asking again costs no work.

    Parameters
    ----------
    symbol : str
        Ticker; case does not matter.
    start, end : date or str
        Trading dates ``YYYY-MM-DD``, both included. Without ``end`` one date: on a weekend or holiday the last
        trading date before it, with a ``DateMoved`` warning.
    family : str
        ``time``, ``tick``, … as in ``bars.registry.FAMILIES``.
    parameter : str
        Of time bars any interval such as ``30s``, ``7m``, ``2h``, ``1d``; otherwise a series that was built, such as
        ``500`` ticks. ``50000`` finds ``50k``.
    columns : sequence of str, optional
        Only these, in this order. Default: all, key columns first.
    as_ : {"pandas", "arrow"}
        A frame indexed by ``timestamp``, the **end** of the bar (``bar_start`` is a column), or a table with it first.
    decode : bool
        Whether close_reason becomes its name.
    missing : {"raise", "skip"}
        What to do when some dates of a range are not stored; "skip" warns ``DatesMissing``.
    settings : Settings, optional
        Whose store to read; default: the environment's.
    store : Store, optional
        An open store to read, left open.

    Returns
    -------
    pandas.DataFrame or pyarrow.Table
        Rows in order of date and bar_index; instants in ns, America/New_York.

    Raises
    ------
    NotStoredError
        There is no store, a date is not committed, or the series was not built (of time bars: nor a shorter one that
        divides it); the message tells what is there.
    SchemaError
        A column does not exist.
    CalendarError, SettingsError, StoreError
        A date, a name or the store makes no sense.
    """
    series, ticker = asked_series(family, parameter), one_symbol(symbol)
    wanted = wanted_columns(series.table.name, known_columns(series.table), columns)
    dates = asked_dates(start, end)
    with reading(settings, store) as opened:
        versions = stored_versions(opened, series.table.name, ticker, dates, missing)
        rows = read_series(opened, series, ticker, versions, wanted, settings)
    index = series.table.column("timestamp")
    return shown(wanted, rows.arrays, rows.keys(series, ticker), index, form=as_, decode=decode)


def known_columns(table: Table) -> dict[str, Column]:
    """Columns a reader may name: instant and key first, then as declared."""
    first = {column.name: column for column in (table.column("timestamp"), SYMBOL, KEY_DATE, *BAR_KEY)}
    return first | {column.name: column for column in table.columns if column.name not in first}


@dataclass(frozen=True, slots=True)
class Series:
    """A family and one of its parameters, as a reader wrote it and as it is meant."""

    family: BarFamily
    parameter: str
    meaning: Hashable

    @property
    def table(self) -> Table:
        """Where the family's bars are stored."""
        return self.family.table

    def stored_name(self, names: tuple[str, ...]) -> str | None:
        """The one of the stored names that means the same."""
        return next((name for name in names if self.family.meaning(name) == self.meaning), None)


def asked_series(family: str, parameter: str) -> Series:
    """The series of that family and parameter; ``SettingsError`` when it makes no sense."""
    found = next((known for name, known in FAMILIES.items() if name == family), None)
    if found is None:
        raise SettingsError(f"family={family!r}: bars of these families are built: {', '.join(FAMILIES)}")
    try:
        return Series(found, parameter, found.meaning(parameter))
    except ValueError as error:
        raise SettingsError(f"{family} bars: {error}") from error


@dataclass(frozen=True, slots=True)
class SeriesRows:
    """Bars of one series on several dates: columns, and the name the series has on each date and its rows there."""

    arrays: Arrays
    dates: Sequence[dt.date]
    names: Sequence[str]
    counts: Sequence[int]

    def keys(self, series: Series, symbol: str) -> Keys:
        """Values of the key columns."""
        total = sum(self.counts)
        return {
            "symbol": ([symbol], [total]),
            "date": (self.dates, self.counts),
            "family": ([series.family.name], [total]),
            "parameter": (self.names, self.counts),
        }


def read_series(
    store: Store,
    series: Series,
    symbol: str,
    versions: Mapping[dt.date, tuple[int, int]],
    wanted: Sequence[Column],
    settings: Settings | None = None,
) -> SeriesRows:
    """Bars of the series in these versions, in order of date; ``timestamp`` is always among the columns.

    Raises
    ------
    NotStoredError
        Some versions do not have the series, and it cannot be put together from what they have.
    """
    reader = _Reader(store, store_identity(store), series.table)
    keys = [HeavyKey(symbol, date, version) for date, (version, _) in versions.items()]
    # Ranges and rows of the same version: a rebuild with other series in between cannot mix them up.
    sources = _sources(series, keys, reader.metadata(keys), settings)
    stored = {column.name for column in series.table.stored}
    names = tuple(dict.fromkeys(["timestamp", *(column.name for column in wanted if column.name in stored)]))
    if all(source.sessions is None and source.rows > _SHORT for source in sources):
        counts, arrays = [source.rows for source in sources], reader.rows(sources, names)
    else:
        parts = _parts(reader, series, sources, names)
        counts = [length(part) for part in parts]
        arrays = concatenate([{name: part[name] for name in names} for part in parts])
    return SeriesRows(arrays, list(versions), [source.name for source in sources], counts)


@dataclass(frozen=True, slots=True)
class _Source:
    """Where the bars of a date come from: rows of a key; with ``sessions`` they are shorter bars of these sessions."""

    name: str
    key: HeavyKey
    sessions: tuple[SessionName, ...] | None = None

    @property
    def rows(self) -> int:
        """How many rows are read."""
        first, end = self.key.rows or (0, 0)
        return end - first

    @property
    def identity(self) -> tuple[Hashable, ...]:
        """What tells these bars from all others of the table."""
        return self.key.symbol, self.key.date, self.key.version, self.key.rows, self.sessions


def _sources(
    series: Series, keys: Sequence[HeavyKey], metadata: Sequence[Metadata], settings: Settings | None
) -> list[_Source]:
    """Where the bars of each date are.

    Raises
    ------
    NotStoredError
        Some dates have neither the series nor what it could be put together from.
    """
    found: list[_Source] = []
    lacking: dict[dt.date, list[str]] = {}
    stored_name = cache(series.stored_name)  # nearly all dates have the same series
    for key, held in zip(keys, metadata, strict=True):
        ranges: Mapping[str, Sequence[int]] = held.get("ranges", {})
        name = stored_name(tuple(ranges))
        if name is not None:
            found.append(_Source(name, _rows(key, ranges[name])))
            continue
        sessions = _sessions(held, settings) if series.family.name == "time" else ()
        base = base_interval(list(ranges), series.parameter, _seconds(sessions, key.date)) if sessions else None
        if base is None:
            lacking[key.date] = list(ranges)
        else:
            found.append(_Source(series.parameter, _rows(key, ranges[base]), sessions))
    if lacking:
        raise NotStoredError(_lack(series, keys[0].symbol, lacking))
    return found


def _rows(key: HeavyKey, rows: Sequence[int]) -> HeavyKey:
    return replace(key, rows=(rows[0], rows[1]))


def _sessions(held: Metadata, settings: Settings | None) -> tuple[SessionName, ...]:
    """Sessions a date's bars were built for; those of the settings where the bars do not say."""
    if "sessions" in held:
        return cast("tuple[SessionName, ...]", tuple(held["sessions"]))
    return (settings or load_settings()).bars.sessions


def _seconds(sessions: Sequence[SessionName], date: dt.date) -> list[int]:
    bounds = [session_bounds_ns(session, date) for session in sessions]
    return [(end - start) // _NS for start, end in bounds]


def _lack(series: Series, symbol: str, lacking: Mapping[dt.date, Sequence[str]]) -> str:
    """What is not there, what is, and how to build it."""
    date, built = next(iter(lacking.items()))
    family, parameter = series.family.name, series.parameter
    more = f" and {len(lacking) - 1} more dates" if len(lacking) > 1 else ""
    none = ", none of which divides it and the session" if family == "time" else ""
    setting = "FUZZY_BARS__INTERVALS" if family == "time" else f"FUZZY_BARS__{family.upper()}__SERIES"
    return (
        f"{symbol} {date}{more}: {parameter} {family} bars were not built; there are {', '.join(built)}{none}\n"
        f"build them: add {parameter} to {setting}, then: fuzzy run {date} --assets {series.table.name}"
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one table of a store and keeps what need not be read again; nothing where ``identity`` is None."""

    store: Store
    identity: str | None
    table: Table

    def metadata(self, keys: Sequence[HeavyKey]) -> list[Metadata]:
        """The metadata of each key."""
        marks = [(self.identity, self.table.name, key.symbol, key.date, key.version) for key in keys]
        found = [METADATA.get(mark) if self.identity else None for mark in marks]
        absent = [number for number, held in enumerate(found) if held is None]
        read = self.store.heavy.metadata_many(self.table, [keys[number] for number in absent])
        for number, held in zip(absent, read, strict=True):
            found[number] = held
            if self.identity:
                METADATA.put(marks[number], held)
        return [held or {} for held in found]

    def rows(self, sources: Sequence[_Source], names: Sequence[str] | None) -> Arrays:
        """Rows of the sources, one below the other; all stored columns when None."""
        # An empty range does not join with others inside ArcticDB.
        filled = [source.key for source in sources if source.rows]
        return self.store.heavy.read_many(self.table, filled, columns=names)

    def by_date(self, sources: Sequence[_Source], names: Sequence[str] | None) -> list[Arrays]:
        """Rows of each source, read together."""
        arrays, row = self.rows(sources, names), 0
        parts: list[Arrays] = []
        for source in sources:
            parts.append(take(arrays, slice(row, row + source.rows)))
            row += source.rows
        return parts

    def kept(
        self, what: Hashable, sources: Sequence[_Source], make: Callable[[Sequence[_Source]], Sequence[Arrays]]
    ) -> list[Arrays]:
        """Bars of each source: from memory, and those that are not there made together. Nobody may change them."""
        marks = [(self.identity, self.table.name, what, *source.identity) for source in sources]
        found = [BARS.get(mark) if self.identity else None for mark in marks]
        absent = [number for number, held in enumerate(found) if held is None]
        made = make([sources[number] for number in absent]) if absent else []
        for number, bars in zip(absent, made, strict=True):
            found[number] = bars
            if self.identity:
                # A copy: a slice would keep alive all that was read with it.
                BARS.put(marks[number], {name: array.copy() for name, array in bars.items()})
        return [held for held in found if held is not None]


def _parts(reader: _Reader, series: Series, sources: Sequence[_Source], names: tuple[str, ...]) -> list[Arrays]:
    """At least the named columns of the bars of each source."""
    stored = [source for source in sources if source.sessions is None]
    long = [source for source in stored if source.rows > _SHORT]
    short = [source for source in stored if source.rows <= _SHORT]
    shorter = [source for source in sources if source.sessions is not None]
    bars = [
        *reader.by_date(long, names),
        *reader.kept(names, short, lambda absent: reader.by_date(absent, names)),
        *reader.kept(series.meaning, shorter, lambda absent: _resampled(series, absent, reader)),
    ]
    found = dict(zip((source.key.date for source in (*long, *short, *shorter)), bars, strict=True))
    return [found[source.key.date] for source in sources]


def _resampled(series: Series, sources: Sequence[_Source], reader: _Reader) -> list[Arrays]:
    """All stored columns of the longer bars of each date."""
    found: list[Arrays] = []
    for source, bars in zip(sources, reader.by_date(sources, None), strict=True):
        try:
            found.append(resample_day(bars, series.parameter, source.key.date, source.sessions or ()))
        except ValueError as error:  # the bars do not say their sessions, and the settings name others
            raise SettingsError(f"{source.key.symbol}: {error}; set FUZZY_BARS__SESSIONS to theirs") from error
    return found

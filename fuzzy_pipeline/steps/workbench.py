"""What a process needs to work on symbol-days: settings, store, source and memory, opened once.

Belongs here: opening and keeping these per process. Workers are handed settings only, never open handles.
"""

from __future__ import annotations

import atexit
import datetime as dt
import os
from collections.abc import Mapping, Sequence
from functools import cached_property

import pyarrow as pa
import pyarrow.compute as pc

from fuzzy_pipeline.buffers import BufferPool
from fuzzy_pipeline.errors import NotStoredError, SourceTimeoutError, SourceUnavailableError, StoreKindError
from fuzzy_pipeline.schema.tables import HEAVY_TABLES, RAW_TICKS
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.sources.iqfeed.client import IQFeedClient
from fuzzy_pipeline.sources.opening import open_source
from fuzzy_pipeline.sources.protocol import TickSource
from fuzzy_pipeline.stores.store import Store, open_or_create_store, open_store

LOOPBACK_WAIT_S = 5.0
"""How long a feed on this machine may take to say whether its data are simulated [s]."""


class Workbench:
    """Settings, store, source and buffers of one process; store and source open on first use."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pool = BufferPool()
        self._store: Store | None = None
        self._batch = ""
        self._light_rows: dict[object, Mapping[str, pa.Table]] = {}

    @cached_property
    def source(self) -> TickSource:
        """The source of the settings."""
        return open_source(self.settings)

    @property
    def store(self) -> Store:
        """The store, which must exist."""
        if self._store is None:
            self._store = open_store(self.settings)
        return self._store

    def store_if_any(self) -> Store | None:
        """The store, None when there is none yet."""
        try:
            return self.store
        except NotStoredError:
            return None

    def store_for_ingest(self) -> Store:
        """The store, created with the source's kind when there is none.

        Raises
        ------
        StoreKindError
            The store holds data of the other kind than the source gives; told before a source is opened, and without
            waiting for a feed that is not there.
        SourceError
            The source cannot be reached.
        """
        if "source" not in self.__dict__:
            self._refuse_other_kind()
        if self._store is None or self._store.kind != self.source.kind:
            self._store = open_or_create_store(self.settings, self.source.kind, HEAVY_TABLES)
        return self._store

    def _refuse_other_kind(self) -> None:
        """Raise ``StoreKindError`` when the settings' source cannot give data of the store's kind."""
        store = self.store_if_any()
        if store is None:
            return
        if self.settings.source == "simulator" and store.kind == "real":
            open_store(self.settings, expect_kind="simulated").close()
        if self.settings.source == "iqfeed" and store.kind == "simulated" and not _fed_by_iqfeed(store):
            # Only a loopback feed declares itself simulated, and it answers at once or not at all.
            patience = min(self.settings.iqfeed.timeout_s, LOOPBACK_WAIT_S)
            client = IQFeedClient(self.settings.iqfeed.model_copy(update={"tries": 1, "timeout_s": patience}))
            try:
                open_store(self.settings, expect_kind=client.kind).close()
            except (SourceUnavailableError, SourceTimeoutError) as error:
                raise StoreKindError(
                    f"the store at {store.root} holds simulated data and nothing of IQFeed, whose data are real unless "
                    f"its port declares them simulated, and no port answers: {str(error).splitlines()[0]}\n"
                    "choose FUZZY_SOURCE=simulator, or set FUZZY_HOME to another folder for real data"
                ) from error
            finally:
                client.close()

    def light_rows(
        self, batch: str, table: str, dates: Sequence[dt.date], columns: Sequence[str] | None
    ) -> Mapping[str, pa.Table]:
        """Rows of a light table on some dates by symbol, all columns or some, read once for all symbols of a batch."""
        key = (table, tuple(dates), columns if columns is None else tuple(columns))
        if batch != self._batch:
            self._batch, self._light_rows = batch, {}
        if key not in self._light_rows:
            found = self.store.light.read(table, dates=dates, columns=columns) if dates else None
            self._light_rows[key] = {} if found is None else rows_by_symbol(found)
        return self._light_rows[key]

    def close(self) -> None:
        """Give back the source's sockets and the store's handles."""
        source = self.__dict__.pop("source", None)
        if source is not None:
            source.close()
        if self._store is not None:
            self._store.close()
            self._store = None


def _fed_by_iqfeed(store: Store) -> bool:
    """Whether the store has ticks of an IQFeed port, or none at all: then one may feed it."""
    sources = {row.source for row in store.manifest.rows(RAW_TICKS.name)}
    return not sources or "iqfeed" in sources


def rows_by_symbol(rows: pa.Table) -> dict[str, pa.Table]:
    """The rows of each symbol, in their order."""
    if rows.num_rows == 0:
        return {}
    ordered = rows.take(pc.sort_indices(rows, sort_keys=[("symbol", "ascending")])).combine_chunks()
    counted = ordered.group_by("symbol", use_threads=False).aggregate([([], "count_all")])
    found, start = {}, 0
    for symbol, count in zip(counted["symbol"].to_pylist(), counted["count_all"].to_pylist(), strict=True):
        found[symbol] = ordered.slice(start, count)
        start += count
    return found


_OPEN: dict[tuple[int, str], Workbench] = {}


def workbench(settings: Settings) -> Workbench:
    """The process-wide workbench of the settings: opened on the first call, kept until the process ends."""
    key = (os.getpid(), settings.model_dump_json())
    if key not in _OPEN:
        if not _OPEN:
            atexit.register(close_workbenches)
        _OPEN[key] = Workbench(settings)
    return _OPEN[key]


def close_workbenches() -> None:
    """Close what this process opened."""
    for key in [key for key in _OPEN if key[0] == os.getpid()]:
        _OPEN.pop(key).close()

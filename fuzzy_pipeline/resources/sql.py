"""SQL over the store for assets and checks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from fuzzy_pipeline.resources.pipeline import SettingsResource
from fuzzy_pipeline.stores.store import open_store

if TYPE_CHECKING:
    from fuzzy_pipeline.query.sql import SqlConnection


class SqlResource(dg.ConfigurableResource):  # type: ignore[type-arg]
    """DuckDB in memory with views over what the store has committed: SELECTs only, nothing is written."""

    settings: SettingsResource

    @contextmanager
    def open(self) -> Iterator[SqlConnection]:
        """The connection, whose ``query`` takes SQL; closed at the end of the block. Raises as ``open_store``."""
        # DuckDB takes a moment to load: only runs that ask in SQL wait for it.
        from dagster_duckdb import DuckDBResource

        from fuzzy_pipeline.query.sql import SqlConnection

        settings = self.settings.open()
        store = open_store(settings)
        try:
            # Dagster's own resource leaves its connection open after an error; this one closes it.
            with (
                DuckDBResource(database=":memory:").get_connection() as connection,
                SqlConnection(store, settings, connection) as opened,
            ):
                yield opened
        finally:
            store.close()

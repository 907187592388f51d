"""The store a reader means: one handed in, or that of the settings."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypedDict

from fuzzy_pipeline.query.dates import Missing
from fuzzy_pipeline.settings import Settings, load_settings
from fuzzy_pipeline.stores.store import Store, open_store


class StoreOptions(TypedDict, total=False):
    """What every reader takes by name: whose store, or an open one, which is left open."""

    settings: Settings | None
    store: Store | None


class RangeOptions(StoreOptions, total=False):
    """What readers of bars and ticks over several dates take besides."""

    missing: Missing


class ReadOptions(RangeOptions, total=False):
    """What readers of columns take besides; ``get_bars`` tells what each is."""

    columns: Sequence[str] | None
    decode: bool


@contextmanager
def reading(settings: Settings | None, store: Store | None) -> Iterator[Store]:
    """The store handed in, left open; otherwise that of the settings, closed at the end of the block.

    Raises
    ------
    SettingsError
        The environment holds a setting that is refused.
    NotStoredError, StoreError
        There is no store, or it cannot be read by this release.
    """
    if store is not None:
        yield store
        return
    opened = open_store(settings or load_settings())
    try:
        yield opened
    finally:
        opened.close()

"""What a process has read or computed lately, kept in memory.

Belongs here: holding things that never change, because their key names the version they come from.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from fuzzy_pipeline.schema.arrays import Arrays
from fuzzy_pipeline.stores.protocol import Metadata
from fuzzy_pipeline.stores.stamp import read_stamp
from fuzzy_pipeline.stores.store import Store

T = TypeVar("T")


class Recent(Generic[T]):
    """The things used last, by key, up to so much weight. Threads may share it; nobody may change what it holds."""

    def __init__(self, most: int, weigh: Callable[[T], int]) -> None:
        self._most = most
        self._weigh = weigh
        self._held: OrderedDict[Hashable, T] = OrderedDict()
        self._weight = 0
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    def get(self, key: Hashable) -> T | None:
        """What is held under the key, which is now the last used; None when there is nothing."""
        with self._lock:
            if key in self._held:
                self._held.move_to_end(key)
            return self._held.get(key)

    def put(self, key: Hashable, thing: T) -> None:
        """Hold it, and let go of what was unused for longest while there is too much."""
        with self._lock:
            self._drop(key)
            self._held[key] = thing
            self._weight += self._weigh(thing)
            while self._weight > self._most:
                self._drop(next(iter(self._held)))

    def clear(self) -> None:
        """Let go of everything."""
        with self._lock:
            self._held.clear()
            self._weight = 0

    def _drop(self, key: Hashable) -> None:
        if key in self._held:
            self._weight -= self._weigh(self._held.pop(key))


def _bytes(arrays: Arrays) -> int:
    return sum(array.nbytes + _ARRAY_BYTES for array in arrays.values())


_ARRAY_BYTES = 112
"""What NumPy needs for an array besides its values: more than the values of a daily bar."""

BARS: Recent[Arrays] = Recent(64 << 20, _bytes)
"""Bars of one date."""

METADATA: Recent[Metadata] = Recent(10_000, lambda _: 1)
"""Metadata of one version of a heavy key."""


def store_identity(store: Store) -> str | None:
    """What tells a store from all others, also from one deleted and made again; None for one in memory."""
    stamp = read_stamp(store.root) if store.location is not None else None
    return None if stamp is None else f"{store.root.resolve()} {stamp.heavy} {stamp.created_at.isoformat()}"

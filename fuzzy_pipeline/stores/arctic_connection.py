"""One ArcticDB connection per store and process, and what its errors are called here.

Belongs here: opening, sharing and closing ``arcticdb.Arctic``, and the translation of its exceptions.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fuzzy_pipeline.errors import NotStoredError, StoreError, StoreFullError

_LMDB = "lmdb://"
_GUARD = threading.RLock()


class _Connection:
    """An open ``Arctic`` of this process, its libraries, and how many stores use it."""

    def __init__(self, uri: str) -> None:
        import arcticdb
        from arcticdb.config import set_config_int

        # Read when a library is opened. At the default (2 s) a version another process has just committed may not be
        # found; 0 looks every time. Set in code because an environment variable may come too late to be seen.
        set_config_int("VersionMap.ReloadInterval", 0)
        # An empty table is ordinary here (a family without bars), and read back by its declared types.
        os.environ.setdefault("ARCTICDB_WARN_ON_WRITING_EMPTY_DATAFRAME", "0")
        self.uri = uri
        self.pid = os.getpid()
        self.users: set[int] = set()
        self.arctic = arcticdb.Arctic(uri)
        self.libraries: dict[str, Any] = {}


_CONNECTIONS: dict[str, _Connection] = {}
_INHERITED: list[_Connection] = []
"""Connections that came over a fork. Neither used nor closed: LMDB forbids both in the child."""


def lmdb_path(uri: str) -> Path | None:
    """Folder of an LMDB store, None for any other storage."""
    return Path(uri.removeprefix(_LMDB).partition("?")[0]).absolute() if uri.startswith(_LMDB) else None


def uri_without_options(uri: str) -> str:
    """The place a URI names, without map size, keys and passwords: fit for messages."""
    return uri.partition("?")[0]


def _place(uri: str) -> str:
    """What a process may have open once: an LMDB folder whatever its options; elsewhere options name the place."""
    return uri_without_options(uri) if uri.startswith(_LMDB) else uri


def join_connection(uri: str, user: int) -> _Connection:
    """The process's connection for ``uri``, opened when needed; ``user`` keeps it open until ``leave_connection``.

    Raises
    ------
    StoreError
        The process already has the same LMDB folder open with other options (LMDB allows one handle per process),
        or the URI cannot be opened.
    """
    with _GUARD:
        place = _place(uri)
        connection = _CONNECTIONS.get(place)
        if connection is not None and connection.pid != os.getpid():
            _INHERITED.append(_CONNECTIONS.pop(place))
            connection = None
        if connection is None:
            with translated_errors(f"opening the heavy store {uri_without_options(uri)}"):
                connection = _CONNECTIONS.setdefault(place, _Connection(uri))
        elif connection.uri != uri:
            raise StoreError(f"{place} is open in this process with other options: close that store first")
        connection.users.add(user)
        return connection


def leave_connection(uri: str, user: int) -> None:
    """Give the connection back; the last user closes it."""
    with _GUARD:
        connection = _CONNECTIONS.get(_place(uri))
        if connection is None or connection.pid != os.getpid() or user not in connection.users:
            return
        connection.users.discard(user)
        if not connection.users:
            del _CONNECTIONS[_place(uri)]


def library(connection: _Connection, name: str) -> Any:
    """The library of a table; ``NotStoredError`` when it was never created."""
    found = connection.libraries.get(name)
    if found is None:
        with translated_errors(f"table {name} in {uri_without_options(connection.uri)}"):
            found = connection.libraries.setdefault(name, connection.arctic.get_library(name))
    return found


@contextmanager
def translated_errors(where: str) -> Iterator[None]:
    """Turn ArcticDB's exceptions into store errors that begin with ``where`` and say what to do."""
    from arcticdb.exceptions import (
        ArcticException,
        LibraryNotFound,
        LmdbMapFullError,
        NoDataFoundException,
        UnsortedDataException,
    )

    try:
        yield
    except LmdbMapFullError as error:
        raise StoreFullError(
            f"{where}: the LMDB map is full; nothing was committed and earlier versions can be read. Deleting does "
            "not help: set FUZZY_STORE__MAP_SIZE (or map_size= in FUZZY_STORE__HEAVY_URI) larger and restart"
        ) from error
    except LibraryNotFound as error:
        raise NotStoredError(
            f"{where}: the table was never created in this store; create the store's tables"
        ) from error
    except NoDataFoundException as error:
        raise NotStoredError(f"{where}: not stored ({error})") from error
    except UnsortedDataException as error:
        raise StoreError(f"{where}: rows are not in order of the table's index; nothing was written") from error
    except ArcticException as error:
        if "No space left on device" in str(error):
            raise StoreFullError(
                f"{where}: the disk is full; nothing was committed. Free space, then run again"
            ) from error
        raise StoreError(f"{where}: {type(error).__name__}: {error}") from error


def checked(results: list[Any], where: str) -> list[Any]:
    """Results of a batch call; batch calls return ``DataError`` objects where single calls raise.

    Raises
    ------
    NotStoredError
        All failures are missing keys or versions.
    StoreError
        Any other failure; the message names every failed key.
    """
    from arcticdb.exceptions import ErrorCategory
    from arcticdb.version_store.library import DataError

    failed = [result for result in results if isinstance(result, DataError)]
    if not failed:
        return results
    detail = "; ".join(f"{error.symbol}: {error.exception_string}" for error in failed)
    missing = all(error.error_category == ErrorCategory.MISSING_DATA for error in failed)
    raise (NotStoredError if missing else StoreError)(f"{where}: {len(failed)} of {len(results)} keys failed: {detail}")

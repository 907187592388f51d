"""Exclusion between processes of one machine, and what a failing disk is called.

Belongs here: the lock file with the name of its holder, and the translation of operating-system errors.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from fuzzy_pipeline.errors import StoreError, StoreFullError
from fuzzy_pipeline.trading_calendar import now_eastern

LOG = logging.getLogger(__name__)

_FULL = {errno.ENOSPC, errno.EDQUOT}


@contextmanager
def disk_errors(what: str) -> Iterator[None]:
    """Turn operating-system errors into store errors that name ``what`` was being done.

    Raises
    ------
    StoreFullError
        The disk or the quota is full.
    StoreError
        Any other ``OSError``: permissions, a file-size limit (``ulimit -f``), a failing disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StoreFullError(
                f"{what}: no space left ({error}); nothing was committed and what was stored before is intact. "
                "Free disk space, then run again"
            ) from error
        raise StoreError(f"{what}: {error}; nothing was committed and what was stored before is intact") from error


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in errors of the system that name none: writing to a full disk is one."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


@contextmanager
def held(path: Path, timeout_s: float, what: str) -> Iterator[None]:
    """Hold the lock file ``path`` while inside; who holds it stands in ``<path>.holder`` beside it.

    The operating system frees the lock when its process dies, so a holder file without a held lock is
    a dead writer's and is overwritten. Lock files stay: removing one under a waiter would split the lock.

    Raises
    ------
    StoreError
        The lock was not free within ``timeout_s`` seconds; the message names the holder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    holder = path.with_name(f"{path.name}.holder")
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        LOG.info("%s: waiting up to %g s for %s", what, timeout_s, describe_holder(holder))
        try:
            lock.acquire(timeout=timeout_s)
        except Timeout as error:
            raise StoreError(
                f"{what}: still held by {describe_holder(holder)} after {timeout_s:g} s. Let it finish or stop it, "
                "then run again; FUZZY_STORE__LOCK_TIMEOUT_S sets the wait"
            ) from error
    try:
        since = now_eastern().isoformat(timespec="seconds")
        with naming(holder):
            holder.write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": since}))
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def describe_holder(holder: Path) -> str:
    """``pid 12 on host since …`` from a holder file, or words for one that has not been written yet."""
    try:
        found = json.loads(holder.read_text())
        return f"pid {found['pid']} on {found['host']} since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        # Between taking the lock and writing the file, and between removing the file and freeing the lock.
        return "a process that has just taken or is just leaving it"

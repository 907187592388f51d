"""The audit log: one line per action, each chained to the one before by its hash.

Belongs here: writing entries so that none is lost or torn, and proving that none was changed, removed or moved. What
the chain can prove and what it cannot is told in ``docs/adr/0022-quarantine-decisions-and-audit.md``.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import math
import os
import pwd
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fuzzy_pipeline.operations.audit_chain import (
    BREAK_FOUND,
    NOTHING,
    UNREADABLE,
    AuditEntry,
    AuditVerdict,
    Head,
    canonical,
    is_behind,
    line_of,
    parsed_entry,
    sealed,
    verdict_on,
)
from fuzzy_pipeline.settings import Settings
from fuzzy_pipeline.stores.file_lock import disk_errors, held
from fuzzy_pipeline.trading_calendar import now_eastern

LOG_FILE = "audit.jsonl"
HEAD_FILE = "head.json"
LOCK_FILE = ".audit.lock"
LOCK_TIMEOUT_S = 60.0
TORN_SET_ASIDE = "audit.torn_line_set_aside"
BLOCK_BYTES = 1 << 16


class AuditLog:
    """Append-only JSON lines with a hash chain.

    An entry is on disk when ``append`` returns. Writers of several processes take turns under a lock file; what a
    killed writer left half written is moved to a file beside the log, and that is an entry too.
    """

    def __init__(self, path: Path, actor: str | None = None) -> None:
        self.path = path
        self.actor = actor or os_user()
        self._head_path = path.with_name(HEAD_FILE)

    @classmethod
    def of(cls, settings: Settings) -> AuditLog:
        """The log of the settings' home, beside the store: no rebuild of tables touches it."""
        return cls(settings.home / "audit" / LOG_FILE)

    def append(self, action: str, subject: Mapping[str, Any], details: Mapping[str, Any] | None = None) -> AuditEntry:
        """Write an entry and return it once it is on disk. Call this before the action takes effect.

        Parameters
        ----------
        action
            Dotted name, such as ``quarantine.release`` or ``retention.delete``.
        subject
            What it is done to: ``table``, ``symbol``, ``date``, ``rows``…
        details
            Everything else that matters; no secrets. Values that JSON does not have become text.

        Raises
        ------
        StoreError
            The entry could not be written: do not act then.
        """
        with self._writing():
            return self._append(action, subject, details or {})

    def record_state(self, action: str, subject: Mapping[str, Any], values: Mapping[str, Any]) -> AuditEntry | None:
        """Write an entry when ``values`` differ from those of the last entry of this action; None when they do not.

        ``details`` hold all ``values`` and, under ``changed``, old and new of those that differ (null: not there).
        """
        now = _json_values(values)
        with self._writing():
            known = (parsed_entry(line) for line in _lines_backwards(self.path))
            last = next((entry for entry in known if entry is not None and entry.action == action), None)
            before = dict(last.details.get("values", {})) if last else {}
            if last is not None and before == now:
                return None
            names = sorted(name for name in {*before, *now} if before.get(name) != now.get(name))
            changed = {name: {"old": before.get(name), "new": now.get(name)} for name in names} if last else {}
            return self._append(action, subject, {"changed": changed, "values": now})

    def entries(self, action: str = "") -> Iterator[AuditEntry]:
        """Entries, the oldest first, of actions that begin with ``action``; unreadable lines are left out.

        Whether the log can be trusted is another question: ``verify``.

        Raises
        ------
        StoreError
            The file cannot be read.
        """
        with disk_errors(f"reading {self.path}"):
            entries = [parsed_entry(line) for line in _lines(self.path)]
        return (entry for entry in entries if entry is not None and entry.action.startswith(action))

    def verify(self, head: str | None = None) -> AuditVerdict:
        """Look for entries that were changed, removed, moved or left half written.

        Parameters
        ----------
        head : str, optional
            A hash that ``fuzzy audit head`` gave earlier and that was kept elsewhere: its entry must still be there.

        Raises
        ------
        StoreError
            A file cannot be read.
        """
        with disk_errors(f"reading {self.path}"):
            return verdict_on(_lines(self.path), self._head(), head)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        what = f"writing the audit log {self.path}"
        with disk_errors(what), held(self.path.with_name(LOCK_FILE), LOCK_TIMEOUT_S, what):
            yield

    def _append(self, action: str, subject: Mapping[str, Any], details: Mapping[str, Any]) -> AuditEntry:
        file = {"file": self.path.name}
        torn = self._set_torn_tail_aside()
        if torn is not None:
            self._write(TORN_SET_ASIDE, file, torn)
        broken = self._break()
        if broken is not None:
            self._write(BREAK_FOUND, file, broken)
        return self._write(action, subject, details)

    def _write(self, action: str, subject: Mapping[str, Any], details: Mapping[str, Any]) -> AuditEntry:
        # An end that cannot be read any more has its place in the chain from the head file.
        last = self._end() or self._head() or NOTHING
        entry = sealed(
            {
                "sequence": last.sequence + 1,
                "at": now_eastern().isoformat(timespec="microseconds"),
                "actor": self.actor,
                "action": action,
                "subject": _json_values(subject),
                "details": _json_values(details),
                "previous_hash": last.hash,
            }
        )
        is_new = not self.path.exists()
        _write_synced(self.path, "ab", line_of(entry))
        if is_new:
            _sync_folder(self.path.parent)
        temporary = self._head_path.with_name(f".{HEAD_FILE}.tmp")
        _write_synced(temporary, "wb", canonical(asdict(Head(entry.sequence, entry.hash))) + b"\n")
        temporary.replace(self._head_path)
        return entry

    def _break(self) -> dict[str, Any] | None:
        """How the end of the log contradicts the head file, None when it does not.

        A head file that names the entry before the last is a killed writer's, who did not get to writing it.
        """
        head, end = self._head(), self._end()
        if head == end or (end is not None and is_behind(head, end, self.entries())):
            return None
        return {"head_file": asdict(head) if head else None, "log_ends_with": asdict(end) if end else None}

    def _set_torn_tail_aside(self) -> dict[str, Any] | None:
        """Move what follows the last line end into a file of its own; what was moved, None when nothing was.

        A whole entry that only lacks its line end gets it instead.
        """
        tail = next(_lines_backwards(self.path), b"")
        if not tail or tail.endswith(b"\n"):
            return None
        entry = parsed_entry(tail + b"\n")
        if entry is not None and entry.previous_hash == (self._end() or NOTHING).hash:
            _write_synced(self.path, "ab", b"\n")
            return None
        name = f"torn-{now_eastern():%Y%m%dT%H%M%S%f}.part"
        _write_synced(self.path.with_name(name), "xb", tail)
        with self.path.open("r+b") as file:
            file.truncate(self.path.stat().st_size - len(tail))
            os.fsync(file.fileno())
        return {"moved_to": name, "bytes": len(tail), "sha256": hashlib.sha256(tail).hexdigest()}

    def _end(self) -> Head | None:
        """Place and hash of the last complete line; None when there is none or it is damaged."""
        line = next((line for line in _lines_backwards(self.path) if line.endswith(b"\n")), b"")
        entry = parsed_entry(line)
        return Head(entry.sequence, entry.hash) if entry is not None else None

    def _head(self) -> Head | None:
        try:
            found = json.loads(self._head_path.read_bytes())
            return Head(int(found["sequence"]), str(found["hash"]))
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return UNREADABLE


def os_user() -> str:
    """Name of the operating-system user of this process; its number where the system has no name for it."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def _json_values(value: Any) -> Any:
    """The value in JSON types, whatever it was: dates as ISO text, numbers that JSON lacks as text."""
    if isinstance(value, Mapping):
        return {str(key): _json_values(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_json_values(each) for each in value]
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def _lines(path: Path) -> list[bytes]:
    try:
        with path.open("rb") as file:
            return file.readlines()
    except FileNotFoundError:
        return []


def _lines_backwards(path: Path) -> Iterator[bytes]:
    """Lines from the last to the first, each with its line end if it has one; the log may be long."""
    if not path.exists():
        return
    with path.open("rb") as file:
        place = file.seek(0, os.SEEK_END)
        rest = b""
        while place > 0:
            size = min(BLOCK_BYTES, place)
            place -= size
            file.seek(place)
            first, *others = (file.read(size) + rest).split(b"\n")
            lines = [line + b"\n" for line in (first, *others[:-1])] + [others[-1]] if others else [first]
            yield from (line for line in reversed(lines[1:]) if line)
            rest = lines[0]
        if rest:
            yield rest


def _write_synced(path: Path, mode: str, content: bytes) -> None:
    with path.open(mode) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a new file survive a power cut: the folder's entry is flushed too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""The chain of the audit log: entries, their hashes, and what a broken chain tells.

Belongs here: pure functions on lines. Files, locks and killed writers are ``operations.audit``'s.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

FIRST_HASH = "0" * 64
"""``previous_hash`` of the first entry."""

BREAK_FOUND = "audit.break_found"
"""Action of the entry that is written before any other when the log does not end as its head file says."""

Fault = Literal["changed", "removed", "reordered", "torn"]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One action: what was done to what by whom, and its place in the chain."""

    sequence: int
    at: str
    actor: str
    action: str
    subject: Mapping[str, Any]
    details: Mapping[str, Any]
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditProblem:
    """What is wrong at a line of the log (1 is the first; 0: the log as a whole)."""

    line: int
    fault: Fault
    why: str


@dataclass(frozen=True, slots=True)
class Head:
    """Place and hash of an entry: everything before it is fixed by the hash."""

    sequence: int
    hash: str


NOTHING = Head(0, FIRST_HASH)
UNREADABLE = Head(-1, "")
"""Stands for a damaged head file: it agrees with no log."""


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """Whether the log is whole: its problems in order of lines, and its last entry."""

    entries: int
    problems: tuple[AuditProblem, ...]
    head: Head

    @property
    def is_whole(self) -> bool:
        """No problem was found."""
        return not self.problems


def verdict_on(lines: Iterable[bytes], head: Head | None, kept_elsewhere: str | None) -> AuditVerdict:
    """What the lines of a log, its head file and perhaps a hash kept elsewhere tell together."""
    parsed = [(line, parsed_entry(line)) for line in lines]
    numbers = {entry.sequence for _, entry in parsed if entry is not None}
    hashes = {FIRST_HASH} | {entry.hash for _, entry in parsed if entry is not None}
    problems: list[AuditProblem] = []
    end = NOTHING
    for number, (line, entry) in enumerate(parsed, start=1):
        if entry is None:
            problems.append(_unreadable(number, line))
            # What follows cannot be held against a hash that is not known.
            end = Head(end.sequence + 1, "") if line.endswith(b"\n") else end
            continue
        problem = _wrong_in_itself(number, line, entry) or _wrong_in_place(number, entry, end, numbers)
        problems += [problem] if problem else []
        end = Head(entry.sequence, entry.hash)
    entries = [entry for _, entry in parsed if entry is not None]
    problems += _wrong_end(head, end, entries)
    if kept_elsewhere is not None and kept_elsewhere.strip().lower() not in hashes:
        why = f"no entry has the hash {kept_elsewhere}: entries up to it were cut off or written anew"
        problems.append(AuditProblem(0, "removed", why))
    return AuditVerdict(len(entries), tuple(problems), end)


def _unreadable(number: int, line: bytes) -> AuditProblem:
    if line.endswith(b"\n"):
        return AuditProblem(number, "changed", "this is no entry any more")
    return AuditProblem(
        number, "torn", "the line has no end: its writer was killed; the next entry moves it to a file beside the log"
    )


def _wrong_in_itself(number: int, line: bytes, entry: AuditEntry) -> AuditProblem | None:
    if not line.endswith(b"\n"):
        return AuditProblem(number, "torn", "the entry lacks its line end: its writer was killed; the next one adds it")
    if line != line_of(entry) or sealed(_body(entry)).hash != entry.hash:
        return AuditProblem(number, "changed", f"entry {entry.sequence} does not have the hash it says")
    if entry.action == BREAK_FOUND:
        head, end = (entry.details.get(name) for name in ("head_file", "log_ends_with"))
        return AuditProblem(
            number,
            "removed",
            f"found when entry {entry.sequence} was written: the head file said {head}, the log {end}",
        )
    return None


def _wrong_in_place(number: int, entry: AuditEntry, before: Head, numbers: set[int]) -> AuditProblem | None:
    first, last = before.sequence + 1, entry.sequence - 1
    if entry.sequence <= before.sequence or (first <= last and numbers.issuperset(range(first, last + 1))):
        return AuditProblem(number, "reordered", f"entry {entry.sequence} stands where {first} belongs")
    if first <= last:
        return AuditProblem(number, "removed", f"{_span(first, last)} missing before entry {entry.sequence}")
    if before.hash and entry.previous_hash != before.hash:
        why = f"entry {entry.sequence} in line {number} was chained to another one than stands here"
        return AuditProblem(max(number - 1, 1), "changed", why)
    return None


def _wrong_end(head: Head | None, end: Head, entries: Sequence[AuditEntry]) -> list[AuditProblem]:
    if head == end or (head is None and end == NOTHING) or is_behind(head, end, entries):
        return []
    if head is None:
        return [AuditProblem(0, "removed", "the head file is missing: whether the end was cut off is unknown")]
    if head == UNREADABLE:
        return [AuditProblem(0, "changed", "the head file cannot be read: whether the end was cut off is unknown")]
    if head.sequence > end.sequence:
        return [AuditProblem(0, "removed", f"{_span(end.sequence + 1, head.sequence)} missing at the end")]
    return [AuditProblem(0, "changed", f"the head file names another entry {head.sequence} than the log has")]


def is_behind(head: Head | None, end: Head, entries: Iterable[AuditEntry]) -> bool:
    """Whether the head file names an entry before the end, as after a writer was killed between the two."""
    if head is None:
        return end.sequence == 1
    return head.sequence < end.sequence and any(entry.hash == head.hash for entry in entries)


def _span(first: int, last: int) -> str:
    return f"entry {first} is" if first == last else f"entries {first} to {last} are"


# -- lines -------------------------------------------------------------------------------


def _body(entry: AuditEntry) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if name != "hash"}


def sealed(body: Mapping[str, Any]) -> AuditEntry:
    """The entry with the SHA-256 of everything else in it."""
    return AuditEntry(**body, hash=hashlib.sha256(canonical(body)).hexdigest())


def line_of(entry: AuditEntry) -> bytes:
    """The one line an entry may stand in: whoever changes a byte, changes the line."""
    return canonical(asdict(entry)) + b"\n"


def canonical(values: Mapping[str, Any]) -> bytes:
    """JSON with sorted keys, no spaces and ASCII only: equal values give equal bytes."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()


def parsed_entry(line: bytes) -> AuditEntry | None:
    """The entry in a line, whether its hash is right or not; None when it is no entry."""
    try:
        entry = AuditEntry(**json.loads(line, parse_constant=_refuse))
    except (ValueError, TypeError):
        return None
    texts = (entry.at, entry.actor, entry.action, entry.previous_hash, entry.hash)
    maps = (entry.subject, entry.details)
    sound = all(isinstance(text, str) for text in texts) and all(isinstance(each, dict) for each in maps)
    return entry if sound and type(entry.sequence) is int else None


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")

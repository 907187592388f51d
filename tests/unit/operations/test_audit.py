"""The audit log: nothing is lost, and what was changed, removed, moved or left half written is found."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import multiprocessing
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fuzzy_pipeline.errors import StoreError
from fuzzy_pipeline.operations import audit
from fuzzy_pipeline.operations.audit import AuditLog, os_user
from fuzzy_pipeline.operations.audit_chain import AuditEntry

Lines = list[bytes]


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path / "audit" / "audit.jsonl")


@pytest.fixture
def ten(log: AuditLog) -> AuditLog:
    """A log of ten entries."""
    for number in range(10):
        log.append("test.action", {"row": number}, {"why": f"reason {number}"})
    return log


def rewrite(log: AuditLog, change: Callable[[Lines], Lines | None]) -> None:
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(change(lines) or lines))


def faults(log: AuditLog, head: str | None = None) -> list[tuple[int, str]]:
    return [(problem.line, problem.fault) for problem in log.verify(head).problems]


def chained_by_hand(entries: list[dict[str, Any]]) -> bytes:
    """Lines of a log, sealed without the code under test."""
    previous, lines = "0" * 64, []
    for number, entry in enumerate(entries, start=1):
        body = {**entry, "sequence": number, "previous_hash": previous}
        text = json.dumps({name: body[name] for name in sorted(body) if name != "hash"}, separators=(",", ":"))
        body["hash"] = previous = hashlib.sha256(text.encode()).hexdigest()
        lines.append(json.dumps({name: body[name] for name in sorted(body)}, separators=(",", ":")) + "\n")
    return "".join(lines).encode()


# -- writing -------------------------------------------------------------------------------


def test_an_entry_says_who_did_what_to_what_when(log: AuditLog) -> None:
    before = dt.datetime.now(dt.UTC)
    entry = log.append("retention.delete", {"table": "raw_ticks", "date": dt.date(2025, 11, 25)}, {"versions": 3})
    assert (entry.sequence, entry.action, entry.actor) == (1, "retention.delete", os_user())
    assert entry.subject == {"table": "raw_ticks", "date": "2025-11-25"}
    assert entry.details == {"versions": 3}
    at = dt.datetime.fromisoformat(entry.at)
    assert before <= at <= dt.datetime.now(dt.UTC)
    assert at.utcoffset() in (dt.timedelta(hours=-5), dt.timedelta(hours=-4))  # Eastern Time
    assert list(log.entries()) == [entry]


def test_each_entry_is_chained_to_the_one_before(ten: AuditLog) -> None:
    entries = [json.loads(line) for line in ten.path.read_text().splitlines()]
    assert [entry["sequence"] for entry in entries] == list(range(1, 11))
    assert ten.path.read_bytes() == chained_by_hand(entries)
    assert json.loads(ten.path.with_name("head.json").read_text()) == {"sequence": 10, "hash": entries[-1]["hash"]}


def test_what_json_does_not_have_becomes_text(log: AuditLog) -> None:
    entry = log.append("a", {"path": Path("/x"), "of": (1, 2)}, {"nan": float("nan"), 5: {"at": dt.date(2025, 1, 2)}})
    assert entry.subject == {"path": "/x", "of": [1, 2]}
    assert entry.details == {"nan": "nan", "5": {"at": "2025-01-02"}}
    assert list(log.entries()) == [entry]


def test_entries_can_be_asked_for_by_action(log: AuditLog) -> None:
    for action in ("quarantine.drop", "settings.changed", "quarantine.release"):
        log.append(action, {})
    assert [entry.sequence for entry in log.entries("quarantine.")] == [1, 3]


def test_lines_longer_than_a_block_are_found_from_the_end(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "BLOCK_BYTES", 100)
    for number in range(5):
        log.append("long", {"row": number}, {"text": "x" * 333})
    assert log.verify().is_whole
    assert [entry.sequence for entry in log.entries()] == [1, 2, 3, 4, 5]


def test_a_log_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "audit.jsonl").mkdir()
    with pytest.raises(StoreError, match=r"audit\.jsonl"):
        AuditLog(tmp_path / "audit" / "audit.jsonl").append("a", {})


def append_many(path: Path, writer: int, count: int) -> None:
    log = AuditLog(path, actor=f"writer {writer}")
    for number in range(count):
        log.append("test.action", {"writer": writer, "number": number})


def test_two_processes_appending_two_hundred_lines_each_lose_none(log: AuditLog) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=append_many, args=(log.path, writer, 200)) for writer in (1, 2)]
    for process in writers:
        process.start()
    for process in writers:
        process.join(120)
        assert process.exitcode == 0
    entries = list(log.entries())
    assert [entry.sequence for entry in entries] == list(range(1, 401))
    for writer in (1, 2):
        own = [entry.subject["number"] for entry in entries if entry.subject["writer"] == writer]
        assert own == list(range(200))
    assert log.verify().is_whole


# -- verifying -----------------------------------------------------------------------------


def test_an_untouched_log_is_whole_and_so_is_one_that_was_never_written(ten: AuditLog, tmp_path: Path) -> None:
    verdict = ten.verify()
    assert (verdict.is_whole, verdict.entries, verdict.head.sequence) == (True, 10, 10)
    assert AuditLog(tmp_path / "none" / "audit.jsonl").verify().is_whole


def test_a_changed_entry_is_found(ten: AuditLog) -> None:
    rewrite(ten, lambda lines: [line.replace(b"reason 3", b"reason 4") for line in lines])
    assert faults(ten) == [(4, "changed")]


def test_a_changed_entry_with_a_new_hash_of_its_own_is_found(ten: AuditLog) -> None:
    def change(lines: Lines) -> None:
        entry = json.loads(lines[3])
        entry["details"]["why"] = "another reason"
        body = {name: value for name, value in entry.items() if name != "hash"}
        text = json.dumps(body, sort_keys=True, separators=(",", ":"))
        entry["hash"] = hashlib.sha256(text.encode()).hexdigest()
        lines[3] = json.dumps(entry, sort_keys=True, separators=(",", ":")).encode() + b"\n"

    rewrite(ten, change)
    assert faults(ten) == [(4, "changed")]
    assert "entry 5" in ten.verify().problems[0].why


@pytest.mark.parametrize("extra", [b'{"action":"test.action",', b'{ "action":"test.action",'])
def test_bytes_that_do_not_change_an_entry_s_meaning_change_it_all_the_same(ten: AuditLog, extra: bytes) -> None:
    def change(lines: Lines) -> None:
        lines[3] = lines[3].replace(
            b'{"action":"test.action",', extra + (b'"action":"x",' if extra[1:2] == b'"' else b"")
        )

    rewrite(ten, change)
    assert faults(ten) == [(4, "changed")]


def test_a_line_that_is_no_entry_any_more_is_found_and_the_rest_is_still_judged(ten: AuditLog) -> None:
    def change(lines: Lines) -> None:
        lines[3] = b"not an entry\n"
        lines[6] = lines[6].replace(b"reason 6", b"reason 9")

    rewrite(ten, change)
    assert faults(ten) == [(4, "changed"), (7, "changed")]


@pytest.mark.parametrize(("first", "last", "said"), [(3, 3, "entry 4 is"), (3, 5, "entries 4 to 6 are")])
def test_a_removed_entry_is_found(ten: AuditLog, first: int, last: int, said: str) -> None:
    rewrite(ten, lambda lines: lines[:first] + lines[last + 1 :])
    assert faults(ten) == [(4, "removed")]
    assert ten.verify().problems[0].why.startswith(f"{said} missing before")


def test_a_removed_first_entry_is_found(ten: AuditLog) -> None:
    rewrite(ten, lambda lines: lines[1:])
    assert faults(ten) == [(1, "removed")]


def test_entries_that_changed_places_are_found(ten: AuditLog) -> None:
    rewrite(ten, lambda lines: [*lines[:3], lines[4], lines[3], *lines[5:]])
    verdict = ten.verify()
    assert (verdict.problems[0].line, verdict.problems[0].fault) == (4, "reordered")
    assert {problem.fault for problem in verdict.problems} == {"reordered"}


def test_an_entry_that_stands_twice_is_found(ten: AuditLog) -> None:
    rewrite(ten, lambda lines: [*lines[:5], lines[4], *lines[5:]])
    assert faults(ten) == [(6, "reordered")]


def test_a_cut_off_end_is_found_by_the_head_file(ten: AuditLog) -> None:
    rewrite(ten, lambda lines: lines[:7])
    assert faults(ten) == [(0, "removed")]
    assert ten.verify().problems[0].why == "entries 8 to 10 are missing at the end"


def test_a_cut_off_end_is_still_known_after_the_next_entry(ten: AuditLog) -> None:
    rewrite(ten, lambda lines: lines[:7])
    ten.append("test.action", {})
    assert [entry.action for entry in ten.entries()][7:] == ["audit.break_found", "test.action"]
    (problem,) = ten.verify().problems
    assert (problem.line, problem.fault) == (8, "removed")
    assert "'sequence': 10" in problem.why


def test_a_removed_log_is_known_while_its_head_file_is_there(ten: AuditLog) -> None:
    ten.path.unlink()
    assert faults(ten) == [(0, "removed")]
    ten.append("test.action", {})
    assert faults(ten)[0] == (1, "removed")


@pytest.mark.parametrize(("content", "fault"), [(None, "removed"), (b"{", "changed")])
def test_a_missing_or_damaged_head_file_is_found_before_and_after_the_next_entry(
    ten: AuditLog, content: bytes | None, fault: str
) -> None:
    head = ten.path.with_name("head.json")
    head.unlink() if content is None else head.write_bytes(content)
    assert faults(ten) == [(0, fault)]
    ten.append("test.action", {})
    assert [line for line, _ in faults(ten)] == [11]


def forged(ten: AuditLog) -> None:
    """Everything written anew by someone who knows how: the third entry is gone, hashes and head fit."""
    entries = [json.loads(line) for line in ten.path.read_text().splitlines()]
    del entries[2]
    ten.path.write_bytes(chained_by_hand(entries))
    last = json.loads(ten.path.read_bytes().splitlines()[-1])
    ten.path.with_name("head.json").write_text(json.dumps({"sequence": 9, "hash": last["hash"]}))


def test_a_log_written_anew_as_a_whole_is_found_only_by_a_head_kept_elsewhere(ten: AuditLog) -> None:
    head = ten.verify().head.hash
    early = next(ten.entries()).hash
    forged(ten)
    assert ten.verify().is_whole
    assert faults(ten, head) == [(0, "removed")]
    assert faults(ten, early) == []  # it fixes only what was before it


def test_a_head_kept_elsewhere_holds_while_the_log_grows(ten: AuditLog) -> None:
    head = ten.verify().head.hash
    ten.append("test.action", {})
    assert ten.verify(head.upper()).is_whole


# -- killed writers ------------------------------------------------------------------------


def test_a_torn_line_is_reported_and_set_aside_by_the_next_entry(ten: AuditLog) -> None:
    torn = ten.path.read_bytes().splitlines()[-1][:40]
    with ten.path.open("ab") as file:
        file.write(torn)
    assert faults(ten) == [(11, "torn")]
    ten.append("test.action", {"row": 10})
    repair, entry = list(ten.entries())[10:]
    assert (repair.action, entry.subject) == ("audit.torn_line_set_aside", {"row": 10})
    assert repair.details["bytes"] == 40
    assert ten.path.with_name(repair.details["moved_to"]).read_bytes() == torn
    assert repair.details["sha256"] == hashlib.sha256(torn).hexdigest()
    assert ten.verify().is_whole


def test_a_whole_entry_without_its_line_end_is_kept(ten: AuditLog) -> None:
    ten.path.write_bytes(ten.path.read_bytes()[:-1])
    assert faults(ten) == [(10, "torn")]
    ten.append("test.action", {"row": 10})
    assert [entry.sequence for entry in ten.entries()] == list(range(1, 12))
    assert ten.verify().is_whole
    assert list(ten.path.parent.glob("torn-*")) == []


def test_a_head_file_one_entry_behind_is_a_killed_writer_s_and_no_problem(ten: AuditLog) -> None:
    head = ten.path.with_name("head.json")
    before = head.read_bytes()
    ten.append("test.action", {})
    head.write_bytes(before)
    assert ten.verify().is_whole
    ten.append("test.action", {})
    assert [entry.action for entry in ten.entries()] == ["test.action"] * 12


def test_a_writer_killed_while_writing_loses_no_entry_that_was_acknowledged(log: AuditLog) -> None:
    program = textwrap.dedent(f"""
        import sys
        from pathlib import Path
        from fuzzy_pipeline.operations.audit import AuditLog
        log = AuditLog(Path({str(log.path)!r}))
        for number in range(100_000):
            print(log.append("test.action", {{"number": number}}, {{"text": "x" * 2000}}).sequence, flush=True)
    """)
    acknowledged = 0
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            for _ in range(20):
                acknowledged = int(process.stdout.readline())
            process.kill()
        log.append("after the kill", {})
        held = {entry.sequence for entry in log.entries()}
        assert set(range(1, acknowledged + 1)) <= held
        assert log.verify().is_whole


# -- states --------------------------------------------------------------------------------


def test_a_state_is_recorded_when_it_changes_with_old_and_new(log: AuditLog) -> None:
    assert log.record_state("settings.changed", {}, {"a": 1, "b": "x"}) is not None
    assert log.record_state("settings.changed", {}, {"a": 1, "b": "x"}) is None
    log.append("something.else", {}, {"values": {"a": 5}})
    entry = log.record_state("settings.changed", {}, {"a": 2, "c": True})
    assert isinstance(entry, AuditEntry)
    assert entry.details["changed"] == {
        "a": {"old": 1, "new": 2},
        "b": {"old": "x", "new": None},
        "c": {"old": None, "new": True},
    }
    assert [each.sequence for each in log.entries("settings.")] == [1, 3]


def test_the_actor_is_the_user_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "somebody else")
    monkeypatch.setenv("USER", "somebody else")
    name = subprocess.run(["id", "-un"], capture_output=True, text=True, check=False).stdout.strip()
    assert os_user() == (name or f"uid {os.getuid()}")

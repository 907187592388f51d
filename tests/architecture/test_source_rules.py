"""Rules of the house that a reader of one file cannot see: names, lengths, session hours, swallowed errors."""

from __future__ import annotations

import ast
import re

import pytest

from tests.architecture.source_tree import PACKAGE, ROOT, Module, docstring_nodes, module_from, modules

LONGEST_FILE = 400
VAGUE_NAMES = frozenset({"util", "utils", "helper", "helpers", "common", "core", "misc", "tools"})
CALENDAR = "trading_calendar"
SESSION_MINUTES = (4 * 60, 9 * 60 + 30, 16 * 60, 20 * 60)
CLOCK = re.compile(r"0?(4:00|9:30)(:00(\.0+)?)?|(16:00|20:00)(:00(\.0+)?)?")


def session_hours(module: Module) -> list[str]:
    """Session hours written as numbers, clock texts or ``time(…)`` calls; texts that only mention one are prose."""
    numbers = {minutes * 60 * scale for minutes in SESSION_MINUTES for scale in (1, 10**3, 10**6, 10**9)}
    clocks = {divmod(minutes, 60) for minutes in SESSION_MINUTES}
    prose = docstring_nodes(module.tree)
    found = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and id(node) not in prose:
            value = node.value
            number = isinstance(value, int) and not isinstance(value, bool) and value in numbers
            if number or (isinstance(value, str) and CLOCK.fullmatch(value.strip())):
                found.append(f"{module.at(node)} {value!r}")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "time":
            arguments = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
            if arguments and tuple((*arguments, 0)[:2]) in clocks:
                found.append(f"{module.at(node)} {ast.unparse(node)}")
    return found


def swallowed_errors(module: Module) -> list[str]:
    """Handlers that do nothing, and broad ones that neither raise again nor say why on their line."""
    lines = module.text.splitlines()
    found = []
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        empty = all(
            isinstance(statement, ast.Pass)
            or (isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant))
            for statement in node.body
        )
        caught = ast.unparse(node.type) if node.type else ""
        broad = node.type is None or bool(re.search(r"\b(Base)?Exception\b", caught))
        if empty:
            found.append(f"{module.at(node)} except {caught}: nothing is done")
        elif broad and not _raises_again(node) and not _reason(lines[node.lineno - 1]):
            found.append(f"{module.at(node)} except {caught}: no reason is given")
    return found


def _raises_again(handler: ast.ExceptHandler) -> bool:
    return isinstance(handler.body[-1], ast.Raise)


def _reason(line: str) -> str:
    """The words of a line's comment that are no linter directive."""
    comment = line.partition("#")[2]
    return re.sub(r"\bnoqa(:\s*[A-Z]+\d+(,\s*[A-Z]+\d+)*)?|type:\s*ignore(\[[^]]*\])?", "", comment).strip(" #")


def test_no_module_has_a_name_that_says_nothing() -> None:
    folders = [PACKAGE, ROOT / "tests", ROOT / "benchmarks", ROOT / "examples"]
    paths = [path for folder in folders for path in folder.rglob("*.py")]
    assert len(paths) > 50
    vague = [path for path in paths if VAGUE_NAMES & {path.stem, *path.relative_to(ROOT).parts[:-1]}]
    assert vague == []


def test_no_file_of_the_package_is_longer_than_four_hundred_lines() -> None:
    long = {module.name: lines for module in modules() if (lines := len(module.text.splitlines())) > LONGEST_FILE}
    assert long == {}


def test_session_hours_are_written_in_the_trading_calendar_only() -> None:
    assert [line for module in modules() if module.name != CALENDAR for line in session_hours(module)] == []


def test_the_trading_calendar_itself_is_where_they_are_found() -> None:
    calendar = next(module for module in modules() if module.name == CALENDAR)
    assert len(session_hours(calendar)) == 4


@pytest.mark.parametrize(
    "text",
    [
        "OPEN_S = 34_200",
        "close_us = 57_600_000_000",
        "start = '09:30'",
        "end = '16:00:00'",
        "import datetime as dt\nPRE = dt.time(4, 0)",
        "from datetime import time\nAFTER = time(20)",
    ],
)
def test_a_session_hour_is_found_in_any_form(text: str) -> None:
    assert len(session_hours(module_from(text))) == 1


def test_prose_may_mention_session_hours() -> None:
    text = '"""From 09:30 to 16:00."""\n\ndef f():\n    raise ValueError("\'all\' is 04:00-20:00 as one session")\n'
    assert session_hours(module_from(text)) == []


def test_no_error_is_swallowed_without_a_reason() -> None:
    assert [line for module in modules() for line in swallowed_errors(module)] == []


@pytest.mark.parametrize(
    "handler",
    [
        "except ValueError:\n    pass",
        "except ValueError:\n    ...",
        "except Exception:\n    log()",
        "except:  # noqa: E722\n    log()",
        "except (OSError, BaseException) as error:  # type: ignore[misc]\n    log(error)",
    ],
)
def test_a_swallowed_error_is_found(handler: str) -> None:
    assert len(swallowed_errors(module_from(f"try:\n    work()\n{handler}\n"))) == 1


@pytest.mark.parametrize(
    "handler",
    [
        "except ValueError:\n    result = None",
        "except BaseException:\n    tidy()\n    raise",
        "except Exception as error:  # noqa: BLE001  one symbol must not end the others\n    failed.append(error)",
    ],
)
def test_a_handler_that_acts_raises_again_or_says_why_is_fine(handler: str) -> None:
    assert swallowed_errors(module_from(f"try:\n    work()\n{handler}\n")) == []

"""The package's source as syntax trees: what the architecture tests look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "fuzzy_pipeline"

DAGSTER_ROOMS = ("definitions", "assets", "resources", "schedules", "checks")
"""The only modules and folders that may import dagster."""


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name below the package, its text and its tree."""

    name: str
    path: Path
    text: str
    tree: ast.Module

    @property
    def is_package(self) -> bool:
        return self.path.name == "__init__.py"

    def at(self, node: ast.AST) -> str:
        return f"{self.path.relative_to(ROOT)}:{getattr(node, 'lineno', 1)}"


def module_from(text: str, name: str = "example") -> Module:
    """A module from text, for tests that show what a rule finds."""
    return Module(name, PACKAGE / f"{name}.py", text, ast.parse(text))


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the package, in order of path."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        found.append(Module(name, path, text, ast.parse(text, str(path))))
    return tuple(found)


def module_names() -> frozenset[str]:
    """Dotted names below the package; the package itself is the empty name."""
    return frozenset(module.name for module in modules())


def imported_modules(module: Module, known: frozenset[str]) -> Iterator[tuple[ast.AST, str]]:
    """Modules of the package that a module imports anywhere, also inside functions; with the importing node."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            # `from fuzzy_pipeline.schema import codes` names a module, `from …schema.codes import Session` a class.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name == PACKAGE.name or not name.startswith(f"{PACKAGE.name}."):
                continue
            inner = name.removeprefix(f"{PACKAGE.name}.")
            while inner not in known and "." in inner:
                inner = inner.rpartition(".")[0]
            if inner in known:  # otherwise a name of the package itself, such as __version__
                yield node, inner


def docstring_nodes(tree: ast.Module) -> set[int]:
    """Identities of the string constants that are docstrings or stand alone as text below a name."""
    return {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }

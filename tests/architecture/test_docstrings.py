"""Formulas say shape, unit and source; rooms say what belongs in them."""

from __future__ import annotations

import ast
import re

from tests.architecture.source_tree import Module, module_from, modules

FORMULA_ROOMS = ("microstructure", "bars")
SOURCED_ROOM = "microstructure"
CITATION = re.compile(r"doi\.org/10\.\d{4,}|\(\d{4}\)|\b(19|20)\d{2}\b")


def public_functions(module: Module) -> list[ast.FunctionDef]:
    """Top-level functions a caller may use. Compiled steps are called from kernels only: their caller is documented."""
    return [
        node
        for node in module.tree.body
        if isinstance(node, ast.FunctionDef)
        and not node.name.startswith("_")
        and not any("njit" in ast.unparse(decorator) for decorator in node.decorator_list)
    ]


def missing_sections(module: Module) -> list[str]:
    """Public functions that take or give something without a Parameters or Returns section."""
    found = []
    for function in public_functions(module):
        text = ast.get_docstring(function) or ""
        arguments = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
        gives = function.returns is not None and ast.unparse(function.returns) != "None"
        wanted = ["Parameters"] * bool(arguments) + ["Returns"] * gives
        missing = [name for name in wanted if not re.search(rf"^{name}\n-{{{len(name)}}}$", text, re.MULTILINE)]
        if missing:
            found.append(f"{module.at(function)} {function.name}: no {', '.join(missing)}")
    return found


def cites_a_source(module: Module) -> bool:
    """Whether a docstring of the module has a References section that names a year or a DOI."""
    nodes = [node for node in ast.walk(module.tree) if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.Module)]
    texts = [ast.get_docstring(node) or "" for node in nodes]
    return any(CITATION.search(text.partition("References\n-----")[2]) for text in texts)


def test_public_functions_of_formula_rooms_say_what_they_take_and_give() -> None:
    formula_modules = [module for module in modules() if module.name.split(".")[0] in FORMULA_ROOMS]
    assert len(formula_modules) > 5
    assert [line for module in formula_modules for line in missing_sections(module)] == []


def test_a_function_without_sections_is_found() -> None:
    text = (
        'def spread(bid: float) -> float:\n    """Width.\n\n    Parameters\n    ----------\n    bid : float\n    """\n'
    )
    assert [line.partition(" ")[2] for line in missing_sections(module_from(text))] == ["spread: no Returns"]


def test_every_formula_module_cites_its_source() -> None:
    formulas = [module for module in modules() if module.name.startswith(f"{SOURCED_ROOM}.")]
    assert formulas
    assert [module.name for module in formulas if not cites_a_source(module)] == []


def test_a_reference_without_a_year_is_no_source() -> None:
    reference = '"""Text.\n\nReferences\n----------\n{}\n"""\n'
    assert not cites_a_source(module_from(reference.format("A well-known paper.")))
    assert not cites_a_source(module_from('"""Used since 1991."""'))
    assert cites_a_source(module_from(reference.format("Roll (1984), Journal of Finance 39:1127")))


def test_every_room_says_what_belongs_in_it() -> None:
    rooms = [module for module in modules() if module.is_package and module.name]
    assert len(rooms) > 10
    assert [module.name for module in rooms if "Belongs here" not in (ast.get_docstring(module.tree) or "")] == []

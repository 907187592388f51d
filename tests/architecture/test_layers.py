"""Data flows one way: lower layers never import higher ones, and only the Dagster side knows Dagster."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.architecture.source_tree import (
    DAGSTER_ROOMS,
    ROOT,
    Module,
    imported_modules,
    module_from,
    module_names,
    modules,
)

LAYERS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"errors"}), "every module raises them; they know nothing"),
    (frozenset({"nyse_sessions"}), "the file of unusual days, which the calendar reads"),
    (
        frozenset(
            {
                "bar_settings",
                "ranking_settings",
                "quality_settings",
                "store_settings",
                "catch_up_settings",
                "alert_settings",
                "settings",
                "trading_calendar",
            }
        ),
        "what a user chose and when markets trade: no data",
    ),
    (frozenset({"schema"}), "columns, tables and codes; a code set is chosen by a setting's name"),
    (frozenset({"buffers", "engine", "charts"}), "memory, processes and pictures: they know arrays, not their meaning"),
    (frozenset({"microstructure"}), "formulas: arrays in, arrays out"),
    (frozenset({"sources.protocol"}), "what a source is; stores need its kinds, the simulator is one"),
    (frozenset({"simulator", "stores"}), "the simulated market, and where data live; neither computes measures"),
    (frozenset({"sources"}), "files and feeds; opening.py serves the simulator through the loopback feed"),
    (frozenset({"quality"}), "judges what a source gave, and stored tables"),
    (frozenset({"enrichment"}), "valid raw ticks to enriched ticks"),
    (frozenset({"bars"}), "enriched ticks to bars"),
    (frozenset({"day_metadata"}), "enriched ticks and the bars' shared aggregation to day records"),
    (frozenset({"rankings"}), "day records of all symbols to ranks"),
    (frozenset({"steps"}), "read, call one function of the layers below, write, report"),
    (frozenset({"query"}), "reads what steps stored, and runs them for what is missing"),
    (frozenset({"store_care", "operations"}), "pruning, backups, audit, alerts: about the store as a whole"),
    (frozenset({"report"}), "what a person reads of a date, from everything below"),
    (frozenset({"resources"}), "the Dagster side begins: settings, store and engine for assets"),
    (frozenset({"assets", "checks"}), "steps as assets, and checks over what they stored"),
    (frozenset({"schedules", "definitions"}), "when assets run, and the code location; each starts the other"),
    (frozenset({"cli"}), "the command: everything may be under it"),
)
"""Lowest first. A module belongs to the entry with its longest name; ``cli`` takes every ``cli*`` module too."""


def layer_of(name: str) -> int:
    """Number of a module's layer; ``KeyError`` for a room that has none."""
    if name.split(".", maxsplit=1)[0].startswith("cli"):
        name = "cli"
    while name:
        for number, (rooms, _) in enumerate(LAYERS):
            if name in rooms:
                return number
        name = name.rpartition(".")[0]
    raise KeyError("no layer")


def upward_imports(module: Module, known: frozenset[str]) -> list[str]:
    """Imports of a higher layer, as ``file:line``."""
    here = layer_of(module.name)
    return [
        f"{module.at(node)} {module.name} imports {name}"
        for node, name in imported_modules(module, known)
        if name and layer_of(name) > here
    ]


def test_every_module_has_a_layer() -> None:
    without = []
    for module in modules():
        try:
            layer_of(module.name or "errors")  # the package itself only tells its version
        except KeyError:
            without.append(module.name)
    assert without == [], "say in LAYERS where these rooms stand and why"


def test_no_module_imports_a_higher_layer() -> None:
    known = module_names()
    assert [line for module in modules() if module.name for line in upward_imports(module, known)] == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("schema.tables", "from fuzzy_pipeline.bars import series"),
        ("bars.time_bars", "def later():\n    from fuzzy_pipeline.steps.step import Step\n    return Step"),
        ("microstructure.spreads", "import fuzzy_pipeline.sources.protocol"),
        ("stores.store", "from fuzzy_pipeline.sources.opening import open_source"),
    ],
)
def test_an_import_upwards_is_found_wherever_it_stands(name: str, text: str) -> None:
    assert len(upward_imports(module_from(text, name), module_names())) == 1


def test_imports_downwards_and_within_a_room_are_fine() -> None:
    text = "from fuzzy_pipeline.schema import codes\nfrom fuzzy_pipeline.bars.series import Bars\nimport numpy"
    assert upward_imports(module_from(text, "bars.time_bars"), module_names()) == []


def test_bars_and_formulas_read_no_store_and_no_source() -> None:
    """Numbers come from arrays alone: whoever has arrays can compute them."""
    known = module_names()
    pure = ("microstructure", "enrichment", "bars", "day_metadata", "rankings")
    touched = [
        f"{module.at(node)} imports {name}"
        for module in modules()
        if module.name.split(".")[0] in pure
        for node, name in imported_modules(module, known)
        if name.split(".")[0] in ("stores", "sources", "simulator", "engine")
    ]
    assert touched == []


BLOCKING_PROGRAM = """
import importlib, sys
sys.modules["dagster"] = None  # any import of it now fails
failed = []
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
    except ImportError as error:
        failed.append(f"{name}: {error}")
sys.exit("; ".join(failed) or None)
"""


def import_without_dagster(names: list[str]) -> str:
    """What a process without dagster says when it imports the modules; empty when all is well."""
    done = subprocess.run(
        [sys.executable, "-c", BLOCKING_PROGRAM, *names],
        cwd=ROOT, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    return done.stderr if done.returncode else ""


def test_every_market_data_module_imports_without_dagster() -> None:
    names = [
        f"fuzzy_pipeline.{module.name}".rstrip(".")
        for module in modules()
        if module.name.split(".")[0] not in DAGSTER_ROOMS
    ]
    assert "fuzzy_pipeline.steps.run_date" in names
    assert import_without_dagster(names) == ""


def test_a_module_that_needs_dagster_is_found() -> None:
    found = import_without_dagster(["fuzzy_pipeline.errors", "fuzzy_pipeline.assets.partitions"])
    assert found.startswith("fuzzy_pipeline.assets.partitions: ")

"""``fuzzy doctor``: is everything as it should be, and if not, what to do."""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import shutil
import socket
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import typer
from rich.text import Text

from fuzzy_pipeline.cli.console import err, out
from fuzzy_pipeline.errors import FuzzyError, NotStoredError

if TYPE_CHECKING:
    from fuzzy_pipeline.settings import Settings

Mark = Literal["ok", "note", "broken"]
_MARKS: dict[Mark, tuple[str, str]] = {"ok": ("✔", "green"), "note": ("•", "yellow"), "broken": ("✘", "bold red")}
_PACKAGES = ("arcticdb", "dagster", "dagster-webserver", "duckdb", "numba", "numpy", "pandas", "pyarrow", "pydantic")
_LOW_DISK = 5e9
_FREE_SPACE = "free space, or move FUZZY_HOME"
_UI_PORT = 3000


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: how it is, and what to do when it is not well."""

    mark: Mark
    what: str
    detail: str
    advice: str = ""


def doctor() -> None:
    """Check the installation, settings, store and source. Exit code 1 when something is broken.

    [bold]Examples[/bold]

    fuzzy doctor

    fuzzy --home /data/fuzzy doctor
    """
    broken = 0
    for finding in _findings():
        letter, style = _MARKS[finding.mark]
        broken += finding.mark == "broken"
        out().print(Text.assemble((letter, style), f" {finding.what:<9} {finding.detail}"), soft_wrap=True)
        if finding.advice:
            out().print(Text(f"            {finding.advice}", style="yellow"), soft_wrap=True)
    if broken:
        out().print(Text(f"{broken} broken", style="bold red"))
        raise typer.Exit(1)
    out().print(Text("nothing is broken", style="green"))


def _findings() -> Iterator[Finding]:
    yield from _installation()
    from fuzzy_pipeline.settings import load_settings

    try:
        settings = load_settings()
    except FuzzyError as error:
        first, *more = str(error).splitlines()
        yield Finding("broken", "settings", first, "; ".join(line.strip() for line in more))
        return
    yield from _settings(settings)
    checks: tuple[tuple[str, Callable[[Settings], Iterator[Finding]]], ...] = (
        ("home", _home),
        ("store", _store),
        ("source", _source),
        ("calendar", _calendar),
        ("dagster", _dagster),
        ("alerts", _alerts),
    )
    for what, check in checks:
        with err().status(f"{what} …"):
            found = _guarded(what, check, settings)
        yield from found


def _guarded(what: str, check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> list[Finding]:
    """What a check found; an error is a finding, so that the other checks go on."""
    try:
        return list(check(settings))
    except (FuzzyError, OSError) as error:
        first, *more = str(error).splitlines() or [repr(error)]
        return [Finding("broken", what, first, "; ".join(line.strip() for line in more))]


def _installation() -> Iterator[Finding]:
    from fuzzy_pipeline import __version__

    yield Finding("ok", "fuzzy", f"{__version__} on Python {platform.python_version()}, {platform.platform()}")
    found, missing = [], []
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    yield Finding("ok", "packages", ", ".join(found))
    if missing:
        yield Finding("broken", "packages", f"missing: {', '.join(missing)}", "install: pip install fuzzy-pipeline")


def _alerts(settings: Settings) -> Iterator[Finding]:
    """Whom failures are told, and what keeps them from it."""
    from fuzzy_pipeline.operations.alert_channels import channel_problems, channels_of

    problems = channel_problems(settings.alerts)
    for problem in problems:
        yield Finding("broken", "alerts", problem)
    if not problems:
        channels = ", ".join(channels_of(settings.alerts)) or "nobody but the log"
        yield Finding("ok", "alerts", channels if settings.alerts.enabled else "switched off")


def _settings(settings: Settings) -> Iterator[Finding]:
    """Every value that differs from its default, with where it comes from; secrets are masked."""
    from dotenv import dotenv_values

    from fuzzy_pipeline.settings import Settings as Model

    files = ((".env of the home", settings.home / ".env"), (".env", Path(".env")))
    in_files = [(what, {name.upper() for name in dotenv_values(path)}) for what, path in files if path.is_file()]
    in_process = {name.upper() for name in os.environ}
    defaults = dict(_flat({name: field.default for name, field in Model.model_fields.items()}))
    known = {_variable(name) for name in defaults}
    changed = []
    for name, value in _flat({name: getattr(settings, name) for name in Model.model_fields}):
        variable = _variable(name)
        named = [what for what, names in (("environment", in_process), *in_files) if variable in names]
        origin = named[0] if named else ""
        if origin:
            changed.append(f"{variable}={value} ({origin})")
    yield Finding("ok", "settings", "; ".join(changed) or "all defaults")
    sections = {_variable(name) for name in Model.model_fields}
    unknown = sorted(name for name in in_process if name.startswith("FUZZY_") and name not in known | sections)
    if unknown := [name for name in unknown if not name.startswith("FUZZY_TEST_")]:
        yield Finding("note", "settings", f"no such settings: {', '.join(unknown)}", "see .env.example for the names")
    heavy = settings.heavy_uri.partition("?")[0]
    yield Finding("ok", "paths", f"home {settings.home}, light {settings.light_path}, heavy {heavy}")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    from pydantic import BaseModel

    for name, value in values.items():
        if isinstance(value, BaseModel):
            yield from _flat({key: getattr(value, key) for key in type(value).model_fields}, f"{prefix}{name}__")
        elif isinstance(value, tuple):
            yield f"{prefix}{name}", ",".join(map(str, value))
        elif prefix + name == "store__heavy_uri" and "?" in str(value):
            yield f"{prefix}{name}", f"{str(value).partition('?')[0]}?***"  # options may hold keys
        else:
            yield f"{prefix}{name}", value  # SecretStr shows as ***


def _variable(name: str) -> str:
    return f"FUZZY_{name.upper()}"


def _home(settings: Settings) -> Iterator[Finding]:
    place = settings.home
    while not place.exists():
        place = place.parent
    if not os.access(place, os.W_OK | os.X_OK) or not place.is_dir():
        yield Finding("broken", "home", f"{place} cannot be written to", "set FUZZY_HOME or --home to another folder")
        return
    free = shutil.disk_usage(place).free
    low = free < _LOW_DISK
    text = f"{settings.home} can be {'written to' if place == settings.home else 'created'}, {free / 1e9:.1f} GB free"
    advice = f"a symbol-day takes about 100 bytes a tick; {_FREE_SPACE}" if low else ""
    if refused := free < settings.care.min_free_gb * 1e9:
        advice = f"runs are refused below FUZZY_CARE__MIN_FREE_GB={settings.care.min_free_gb:g}; {_FREE_SPACE}"
    yield Finding("broken" if refused else "note" if low else "ok", "home", text, advice)


def _store(settings: Settings) -> Iterator[Finding]:
    from fuzzy_pipeline.schema.tables import SCHEMA_VERSION
    from fuzzy_pipeline.steps.pipeline import pipeline_tables
    from fuzzy_pipeline.stores.store import open_store

    try:
        store = open_store(settings)
    except NotStoredError:
        yield Finding("note", "store", f"none yet at {settings.light_path}", "the first run creates it: fuzzy run")
        return
    try:
        parts = []
        for table in pipeline_tables(settings):
            held = store.manifest.versions(table)
            rows = sum(count for _, count in held.values())
            parts.append(f"{table} {rows:,} rows of {len({date for _, date in held})} dates")
        yield Finding("ok", "store", f"{store.kind} data, schema version {SCHEMA_VERSION}; {'; '.join(parts)}")
        if settings.source == "simulator" and store.kind == "real":
            yield Finding(
                "broken", "store", "real data, but the source is the simulator", "set FUZZY_SOURCE or FUZZY_HOME"
            )
    finally:
        store.close()


def _source(settings: Settings) -> Iterator[Finding]:
    from fuzzy_pipeline.sources.opening import open_source

    advice = {
        "iqfeed": "start IQConnect and log in, or check FUZZY_IQFEED__HOST and FUZZY_IQFEED__PORT",
        "files": "set FUZZY_FILES__PATH to your tick files (docs/how-to/use_your_own_files.md)",
    }.get(settings.source, "")
    try:
        source = open_source(settings)
        try:
            yield Finding("ok", "source", f"{settings.source}: {source.check()}")
        finally:
            source.close()
    except (FuzzyError, OSError) as error:
        yield Finding("broken", "source", f"{settings.source}: {error}", advice)


def _calendar(settings: Settings) -> Iterator[Finding]:
    from fuzzy_pipeline.trading_calendar import EASTERN, FIRST_DATE, LAST_DATE

    left = (LAST_DATE - dt.datetime.now(EASTERN).date()).days
    mark: Mark = "ok" if left > 366 else "note" if left > 0 else "broken"
    advice = "" if left > 366 else "it ends soon: write it again with python tools/generate_nyse_sessions.py"
    yield Finding(mark, "calendar", f"{FIRST_DATE} to {LAST_DATE}; partitions from {settings.first_date}", advice)


def _dagster(settings: Settings) -> Iterator[Finding]:
    home = settings.dagster_home
    there = (home / "dagster.yaml").exists()
    yield Finding("ok", "dagster", f"home {home}" if there else f"home {home} is made by the first run")
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex(("127.0.0.1", _UI_PORT)) == 0
    if not taken:
        yield Finding("ok", "ui", f"port {_UI_PORT} is free: fuzzy ui")
    elif _is_dagster():
        yield Finding("ok", "ui", f"answers at http://127.0.0.1:{_UI_PORT}")
    else:
        yield Finding("note", "ui", f"port {_UI_PORT} is taken by something else", "use another: fuzzy ui --port 3001")


def _is_dagster() -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{_UI_PORT}/server_info", timeout=3) as reply:
            return b"dagster" in reply.read(10_000)
    except (OSError, ValueError):
        return False

"""``fuzzy ui`` and ``fuzzy serve-iqfeed``: servers on this machine, until Ctrl-C."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fuzzy_pipeline.cli.console import err, out
from fuzzy_pipeline.errors import SettingsError

if TYPE_CHECKING:
    from fuzzy_pipeline.sources.protocol import TickSource

Port = Annotated[int, typer.Option(min=1, max=65535, help="TCP port.")]


def ui(
    port: Port = 3000,
    host: Annotated[str, typer.Option(help="Address to listen on; 127.0.0.1 is this machine only.")] = "127.0.0.1",
) -> None:
    """Dagster's web UI and daemon, until Ctrl-C. The daemon runs the nightly schedule and backfills.

    [bold]Examples[/bold]

    fuzzy ui

    fuzzy --home .fuzzy/demo ui --port 3001
    """
    from fuzzy_pipeline.settings import load_settings

    settings = load_settings()
    with err().status("starting …"):
        from fuzzy_pipeline.schedules import launch
    launch.check_port(host, port)
    out().print(f"http://{host}:{port} (home {settings.home}); Ctrl-C ends it", soft_wrap=True)
    launch.serve_ui(settings, host, port)


def serve_iqfeed(
    port: Port = 9100,
    source: Annotated[Literal["simulator", "files"], typer.Option(help="What is served.")] = "simulator",
    path: Annotated[
        Path | None, typer.Option(help="Tick files, with --source files; default: FUZZY_FILES__PATH.")
    ] = None,
) -> None:
    """Serve ticks as an IQFeed lookup port on 127.0.0.1, until Ctrl-C. It declares whether they are simulated.

    [bold]Examples[/bold]

    fuzzy serve-iqfeed

    fuzzy serve-iqfeed --source files --path /data/ticks --port 9101
    """
    from fuzzy_pipeline.sources.iqfeed.server import LoopbackServer

    served = _source(source, path)
    what = served.check()
    try:
        server = LoopbackServer(served, port=port)
    except OSError as error:
        served.close()
        raise SettingsError(
            f"127.0.0.1:{port} cannot be used ({error.strerror}): choose another with --port\n"
            "is IQConnect or another `fuzzy serve-iqfeed` running there?"
        ) from error
    with server:
        out().print(
            f"IQFeed lookup port on 127.0.0.1:{port}, {served.kind} data: {what}; Ctrl-C ends it", soft_wrap=True
        )
        try:
            _until_interrupted()
        finally:
            served.close()


def _until_interrupted() -> None:
    threading.Event().wait()


def _source(name: str, path: Path | None) -> TickSource:
    from fuzzy_pipeline.settings import load_settings
    from fuzzy_pipeline.simulator.market import SimulatedMarket
    from fuzzy_pipeline.sources.files import FilesSource

    settings = load_settings()
    if name == "files":
        return FilesSource(path or settings.files)
    if path is not None:
        raise SettingsError("--path goes with --source files")
    return SimulatedMarket(settings.simulator)

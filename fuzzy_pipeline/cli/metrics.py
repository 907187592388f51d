"""``fuzzy metrics``: what Prometheus asks for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Annotated

import typer

from fuzzy_pipeline.cli.console import err, note, out
from fuzzy_pipeline.cli.serve import Port

if TYPE_CHECKING:
    from fuzzy_pipeline.operations.metrics import StoreCollector

metrics_app = typer.Typer(
    name="metrics",
    help="Metrics of the store for Prometheus: serve them, or show them once.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


@metrics_app.command()
def serve(
    port: Port = 9464,
    host: Annotated[str, typer.Option(help="Address to listen on; 127.0.0.1 is this machine only.")] = "127.0.0.1",
) -> None:
    """Answer Prometheus at /metrics, until Ctrl-C. Computed from the store when asked for, at most every 15 seconds.

    [bold]Examples[/bold]

    fuzzy metrics serve

    fuzzy --home /data/fuzzy metrics serve --port 9465
    """
    from fuzzy_pipeline.operations.metrics import start_server

    if host not in LOCAL_HOSTS:
        note(f"whoever reaches {host}:{port} can read the metrics: there is no password")
    with err().status("starting …"):
        server, thread = start_server(_collector(), host, port)
    out().print(f"http://{host}:{port}/metrics; Ctrl-C ends it", soft_wrap=True)
    try:
        threading.Event().wait()
    finally:
        server.shutdown()
        thread.join()


@metrics_app.command()
def show() -> None:
    """Print the metrics once, as Prometheus would get them.

    [bold]Examples[/bold]

    fuzzy metrics show
    """
    from fuzzy_pipeline.operations.metrics import exposition

    typer.echo(exposition(_collector()), nl=False)


def _collector() -> StoreCollector:
    from fuzzy_pipeline.operations.metrics import StoreCollector
    from fuzzy_pipeline.settings import load_settings

    settings = load_settings()
    return StoreCollector(settings, settings.alerts, settings.objectives)

"""Arguments and options that several commands share."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import typer


def parse_date(text: str) -> dt.date:
    """A date from ``YYYY-MM-DD``; a usage error otherwise."""
    try:
        return dt.date.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no date: write YYYY-MM-DD") from error


def parse_names(text: str) -> tuple[str, ...]:
    """Names from ``a,b c``."""
    return tuple(text.replace(",", " ").split())


def chosen_symbols(text: str) -> tuple[str, ...]:
    """Tickers from ``--symbols``, none when it was not given; ``SettingsError`` for what is no ticker."""
    from fuzzy_pipeline.query.dates import some_symbols

    return some_symbols(text) if text.strip() else ()


Date = Annotated[dt.date, typer.Argument(parser=parse_date, metavar="DATE", help="Trading date, YYYY-MM-DD.")]
OptionalDate = Annotated[
    dt.date | None, typer.Argument(parser=parse_date, metavar="DATE", help="Trading date, YYYY-MM-DD.")
]
From = Annotated[dt.date, typer.Option("--from", parser=parse_date, metavar="DATE", help="First date.")]
To = Annotated[dt.date, typer.Option("--to", parser=parse_date, metavar="DATE", help="Last date, included.")]
OptionalFrom = Annotated[dt.date | None, typer.Option("--from", parser=parse_date, metavar="DATE", help="First date.")]
OptionalTo = Annotated[
    dt.date | None, typer.Option("--to", parser=parse_date, metavar="DATE", help="Last date, included.")
]
Symbol = Annotated[str, typer.Argument(metavar="SYMBOL", help="Ticker.")]
Symbols = Annotated[str, typer.Option(metavar="A,B", help="Only these symbols; default: those of the settings.")]
Assets = Annotated[str, typer.Option(metavar="A,B", help="Only these assets, e.g. raw_ticks,enriched_ticks.")]
Force = Annotated[bool, typer.Option("--force", help="Compute again what is stored and current.")]

"""``fuzzy rank``: the symbols of a date by one measure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from fuzzy_pipeline.cli.arguments import Date
from fuzzy_pipeline.cli.console import labelled, notes, out, print_table, stored_kind

if TYPE_CHECKING:
    from fuzzy_pipeline.schema.rankings import CrossSymbolRanking, MeasureRank

# ``rankings.cross_section.MEASURES``, written out so that the help names them without importing anything.
Measure = Literal["liquidity_score", "median_spread", "volume", "dollar_volume", "realised_volatility"]

By = Annotated[Measure, typer.Option(help="Measure the symbols are ordered by.")]
Top = Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the best N; default: all.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]

_LARGE = 1000
COLUMNS = ("rank", "symbol", "value", "percentile", "change from yesterday", "change from mean")


def rank(date: Date, by: By = "liquidity_score", top: Top = None, as_json: AsJson = False) -> None:
    """The symbols of a date by one measure, best first; missing ones are named below.

    The percentile is the share of the other symbols that are worse.
    Changes are from the trading date before, and from the mean of 20 earlier dates.

    [bold]Examples[/bold]

    fuzzy rank 2025-11-28

    fuzzy rank 2025-11-28 --by volume --top 10

    fuzzy rank 2025-11-28 --by median_spread --json
    """
    from fuzzy_pipeline.query import get_rankings

    with notes():
        records = get_rankings(date, as_="models")
    placed = sorted(
        ((place, record.symbol) for record in records if (place := _place(record, by)).rank is not None),
        key=lambda found: (found[0].rank, found[1]),
    )
    missing = [record.symbol for record in records if record.is_missing]
    unranked = {
        record.symbol: record.null_reasons[f"{by}.rank"]
        for record in records
        if not record.is_missing and _place(record, by).rank is None
    }
    shown = placed[:top]
    if as_json:
        typer.echo(_json(records[0], by, shown, missing, unranked))
        return
    _print(records[0], by, shown, len(placed))
    for symbol, reason in unranked.items():
        out().print(f"not ranked: {symbol}, {reason}", soft_wrap=True)
    if missing:
        out().print(f"missing on the date: {', '.join(missing)}", soft_wrap=True)


def _place(record: CrossSymbolRanking, by: Measure) -> MeasureRank:
    found: MeasureRank = getattr(record, by)
    return found


def _print(record: CrossSymbolRanking, by: Measure, shown: Sequence[tuple[MeasureRank, str]], ranked: int) -> None:
    rows = [
        [
            place.rank,
            symbol,
            _number(place.value),
            "" if place.percentile is None else f"{place.percentile:.1f}",
            _change(place.change_from_yesterday),
            _change(place.change_from_mean),
        ]
        for place, symbol in shown
    ]
    meaning = type(record).model_fields[by].description
    # Beside the table: its own title is folded into the table's width.
    out().print(labelled(f"{record.date}, {by}: {meaning}"), highlight=False, markup=False)
    print_table("", COLUMNS, rows, 2)
    if len(shown) < ranked:
        out().print(f"the best {len(shown):,} of {ranked:,} symbols")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= _LARGE:
        return f"{value:,.0f}"
    return f"{value:.6g}" if abs(value) < 1 else f"{value:,.4f}"


def _change(value: float | None) -> str:
    return "" if value is None else f"{100 * value:+.1f} %"


def _json(
    record: CrossSymbolRanking,
    by: Measure,
    shown: Sequence[tuple[MeasureRank, str]],
    missing: Sequence[str],
    unranked: dict[str, str],
) -> str:
    found = {
        "date": f"{record.date}",
        "kind": stored_kind(),
        "by": by,
        "universe_size": _place(record, by).universe_size,
        "ranks": [{"symbol": symbol, **place.model_dump(exclude={"universe_size"})} for place, symbol in shown],
        "not_ranked": unranked,
        "missing": list(missing),
    }
    return json.dumps(found, indent=2)

"""Symbols beside their own past: ticks, volume and spread against the median of earlier dates, and the score.

Belongs here: choosing the earlier dates and the bounds; only dates before the report's own are looked at.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter

import numpy as np

from fuzzy_pipeline.quality_settings import QualitySettings
from fuzzy_pipeline.report.contents import ComparedValue, Comparison
from fuzzy_pipeline.report.facts import DateFacts
from fuzzy_pipeline.schema.quality import WHOLE_DATE, RuleResult


@dataclass(frozen=True, slots=True)
class _Measure:
    name: str
    title: str
    unit: str
    field: str
    checked: str


_MEASURES = (
    _Measure("ticks", "Ticks", "counted ticks of the regular session", "counted_ticks", "tick_count_ratio"),
    _Measure("volume", "Volume", "shares of the regular session", "volume", "volume_ratio"),
    _Measure("spread", "Spread", "median quoted spread, bps", "spread_bps", ""),
    _Measure("score", "Data quality score", "0 to 1", "score", "data_quality_score"),
)


def compared(
    facts: DateFacts, earlier: Sequence[DateFacts], results: Sequence[RuleResult], bounds: QualitySettings | None = None
) -> list[Comparison]:
    """Every measure of every symbol that has it.

    Parameters
    ----------
    facts : DateFacts
        Of the date.
    earlier : sequence of DateFacts
        Dates before it, in order; those with data count, the last ``history_dates`` of them.
    results : sequence of RuleResult
        Where the bounds of the checks come from; without a check there are none.
    bounds : QualitySettings, optional
        How many earlier dates there must be, and are looked at.
    """
    chosen = bounds or QualitySettings()
    past = [day for day in earlier if day.symbols][-chosen.history_dates :]
    return [_comparison(measure, facts, past, results, chosen.fewest_history_dates) for measure in _MEASURES]


def _comparison(
    measure: _Measure, facts: DateFacts, past: Sequence[DateFacts], results: Sequence[RuleResult], fewest: int
) -> Comparison:
    read = attrgetter(measure.field)
    values = []
    for symbol, own in sorted(facts.symbols.items()):
        if read(own) is None:
            continue
        held = [read(day.symbols[symbol]) for day in past if symbol in day.symbols]
        known = [float(value) for value in held if value is not None]
        enough = len(known) >= fewest
        values.append(
            ComparedValue(
                symbol=symbol,
                value=float(read(own)),
                usual=float(np.median(known)) if enough else None,
                least=min(known) if enough else None,
                greatest=max(known) if enough else None,
                earlier_dates=len(known),
            )
        )
    minimum, maximum = _bounds(measure.checked, results)
    return Comparison(
        name=measure.name, title=measure.title, unit=measure.unit, values=values, minimum=minimum, maximum=maximum
    )


def _bounds(measure: str, results: Sequence[RuleResult]) -> tuple[float | None, float | None]:
    """Bounds of the checks of a measure, the strictest of each side."""
    own = [result for result in results if result.measure == measure and result.symbol != WHOLE_DATE]
    lower = [result.minimum for result in own if result.minimum is not None]
    upper = [result.maximum for result in own if result.maximum is not None]
    return max(lower, default=None), min(upper, default=None)

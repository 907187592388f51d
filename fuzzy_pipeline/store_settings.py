"""How a store is looked after: how long data are kept, what may be pruned, how much of the disk stays free.

Belongs here: the choices. What is done with them is in ``store_care``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from fuzzy_pipeline.bar_settings import Section

LONGEST_HISTORY_DAYS = 404
"""Day records look back 252 trading dates, at most 374 calendar days, and the last 30 days may be built again."""
_DECISIONS = "quarantine_decisions"


def _for_ever(value: object) -> object:
    """``""`` and ``"forever"`` in the environment are None."""
    return None if isinstance(value, str) and value.strip().lower() in ("", "forever", "none") else value


Days = Annotated[Annotated[int, Field(ge=10)] | None, BeforeValidator(_for_ever)]
"""Calendar days; None for ever. At least ten: bars take over the state of the trading date before."""

RecordDays = Annotated[Annotated[int, Field(ge=LONGEST_HISTORY_DAYS)] | None, BeforeValidator(_for_ever)]


class RetentionSettings(Section):
    """How many calendar days of each table ``fuzzy store retain`` keeps; ``forever`` deletes nothing of it."""

    raw_ticks_days: Days = 180
    enriched_ticks_days: Days = 180
    time_bars_days: Days = Field(default=1826, description="Five years; daily bars are among them.")
    other_bars_days: Days = Field(default=730, description="All families but time bars.")
    records_days: RecordDays = Field(
        default=730, description="Day records, baselines, rankings: those of later dates look back."
    )

    def days(self, table: str) -> int | None:
        """How long a committed table is kept [calendar days]; None for ever, as the decisions of persons are."""
        if table == _DECISIONS:
            return None
        if table in ("raw_ticks", "enriched_ticks", "time_bars"):
            found: int | None = getattr(self, f"{table}_days")
            return found
        return self.other_bars_days if table.endswith("_bars") else self.records_days


class StoreCareSettings(Section):
    """What pruning leaves alone, and how much of the disk stays free."""

    grace_minutes: float = Field(
        default=60.0, ge=0, description="A superseded version is left for readers that have just looked it up."
    )
    unfinished_hours: float = Field(
        default=24.0, ge=0, description="A version that was never committed may belong to a run that is under way."
    )
    min_free_gb: float = Field(default=2.0, ge=0, description="A run is refused when less of the disk is free.")

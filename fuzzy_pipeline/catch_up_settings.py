"""What is caught up by itself, and how often: one settings section."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fuzzy_pipeline.bar_settings import Section


class CatchUpSettings(Section):
    """Dates that were missed, failed or went out of date, found at start and on a timer by the daemon."""

    enabled: bool = True
    lookback_days: int = Field(default=30, ge=1, le=366, description="Calendar days; older dates only on request.")
    max_runs: int = Field(default=2, ge=1, le=16, description="Runs of the nightly job at a time, all kinds together.")
    tries: int = Field(
        default=3, ge=1, le=10, description="Failed catch-up runs of a symbol's date before it is left alone."
    )
    key_symbols: Annotated[
        tuple[str, ...], Field(description='Done first, on all dates, before the others; JSON: ["SPY", "QQQ"].')
    ] = ()
    repair_gaps: bool = Field(
        default=True, description="Fetch a symbol-day with lost ticks once more, in case the source has them by now."
    )

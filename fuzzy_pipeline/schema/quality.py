"""How far a symbol's date can be trusted: its measures, what rules say of them, and the verdict of the date.

Belongs here: the models of data quality, their units and meanings. How they are computed: ``quality``.
"""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import Field

from fuzzy_pipeline.schema.day_metadata import Group, QualityLevel

QUALITY_VERSIONS: dict[int, str] = {
    1: "Measures of ingest, counters, time, prices, history and the source's daily bar; score and level.",
    2: "Unconfirmed are also the prices between a shift of the level and the one that takes it back.",
}
"""What each version of the measures brought; raised whenever a field is added, left out or means something else."""

QUALITY_VERSION = max(QUALITY_VERSIONS)

QUALITY_TABLE = "quality_measures"
"""Name of the light table, and of the asset, with one row per symbol and date."""

CHECK_RESULTS_TABLE = "check_results"
"""Name of the light table with one row per rule, symbol and date."""

QUALITY_LEVELS: tuple[tuple[float, QualityLevel], ...] = ((0.95, "HIGH"), (0.85, "MEDIUM"), (0.70, "LOW"))
"""Level of scores above each bound, highest first; what is above none is POOR."""

WHOLE_DATE = "*"
"""``RuleResult.symbol`` of a rule about all symbols of a date together."""

Severity = Literal["error", "warning"]
"""``error``: the data must not be built upon; ``warning``: a person should look."""

Outcome = Literal["passed", "failed", "could_not_run"]
"""``could_not_run`` says nothing about the data: the measure is unknown, absent or could not be judged."""

DateVerdict = Literal["complete", "degraded", "pending", "missing"]
"""``complete``: all there, no error; ``degraded``: not so; ``pending``: may still come; ``missing``: nothing there."""


class QualityMeasures(Group):
    """How far the data of a symbol and date can be trusted, as numbers that rules are about.

    Lists of gaps, silences and crossed markets are in ``day_metadata_phase1.data_quality``.
    """

    symbol: str = Field(description="Ticker.")
    date: dt.date = Field(description="Trading date.")
    quality_version: int = Field(default=QUALITY_VERSION, description="Version of the measures' definitions.")
    computed_at: dt.datetime = Field(description="When it was computed, Eastern Time.")
    computation_time_ms: float = Field(description="How long it took. [ms]")

    rows_in: int = Field(description="Rows the source sent: rows_stored + set_aside_count + official_count.")
    rows_stored: int = Field(description="Rows kept as ticks.")
    set_aside_count: int = Field(description="Rows in quarantine.")
    set_aside_share: float | None = Field(description="set_aside_count / rows_in. [1]")
    set_aside_by_rule: dict[str, int] = Field(description="Hard rule -> rows set aside under it.")
    flagged_count: int = Field(
        description="Findings of the ingest's soft rules on all kept ticks; a tick that two rules find counts twice."
    )
    flagged_by_rule: dict[str, int] = Field(description="Soft rule -> ticks it found.")
    official_count: int = Field(description="Official open and close prints, kept apart.")

    duplicate_count: int = Field(description="Stored ticks whose market centre and tick id an earlier one has.")
    out_of_order_count: int | None = Field(description="Ticks stamped before one that arrived earlier.")
    out_of_order_share: float | None = Field(description="out_of_order_count / rows_stored. [1]")
    tick_id_holes: int | None = Field(description="Ids below the highest of their market centre without a stored tick.")
    lost_tick_count: int | None = Field(description="Those of the holes during which volume is missing too.")
    missing_volume: int = Field(description="Shares in the feed's total volume that no stored tick has. [shares]")
    excess_volume: int = Field(description="Shares of stored ticks that the feed's total volume lacks. [shares]")
    crossed_quote_count: int = Field(description="Ticks with bid > ask > 0.")
    crossed_quote_share: float | None = Field(description="crossed_quote_count / rows_stored. [1]")
    locked_quote_count: int = Field(description="Ticks with bid = ask.")
    missing_quote_count: int = Field(description="Ticks without bid or ask.")
    missing_quote_share: float | None = Field(description="missing_quote_count / rows_stored. [1]")

    expected_minutes: int = Field(description="Minutes of the regular session: traded + silent. [min]")
    traded_minutes: int = Field(description="Those with a stored tick. [min]")
    counted_minutes: int = Field(
        description="Those with a counted tick, the closing auction in the last: each has a 1-minute bar. [min]"
    )
    silent_minutes: int = Field(description="Those without any stored tick. [min]")
    halted_minutes: int = Field(description="Silent ones that a reopening print ended. [min]")
    unexplained_silent_minutes: int = Field(description="Silent ones in which ticks may be missing. [min]")
    longest_gap_s: float = Field(
        description="Longest time of the regular session without a stored tick, from the open and to the close too. [s]"
    )
    stale_quote_ticks: int | None = Field(
        description="Most ticks of the regular session on one unchanged quote between the first and the last"
        " price-setting one outside it, both included; 0 when none is outside."
    )
    stale_quote_s: float | None = Field(description="Longest time such ticks span. [s]")

    price_setting_ticks: int = Field(
        description="Ticks of the regular session that may set the price: what the next four are counted among."
    )
    price_jump_count: int = Field(description="Price changes above the jump share of the ingest settings.")
    unconfirmed_jump_count: int = Field(
        description="Those after which the next five ticks trade no more shares near the new price than near the old,"
        " and prices between a shift of the level (more than threefold) and the one that takes it back."
    )
    sigma_outlier_count: int = Field(description="Log returns above so many standard deviations of the session's.")
    median_outlier_count: int = Field(description="Prices too far from the median of the 21 ticks around.")

    earlier_dates: int = Field(description="Stored dates before this one that it is compared with, 20 at most.")
    tick_count_ratio: float | None = Field(description="Counted ticks / median of these dates. [1]")
    volume_ratio: float | None = Field(description="Counted volume / median of these dates. [1]")
    gap_from_previous_close_pct: float | None = Field(
        description="Opening price / close of the trading date before − 1. [1]"
    )

    daily_bar_matches: bool | None = Field(description="Whether the source's own daily bar says the same.")
    daily_bar_differences: list[str] = Field(
        description="What differs, as 'high: 10.52 here, 10.60 there'; empty when nothing does or there is no bar."
    )

    objectionable_ticks: int = Field(
        description="Stored ticks on a crossed quote, or price-setting with an unconfirmed jump or an outlying price;"
        " each once."
    )
    completeness_score: float | None = Field(
        description="0 to 1, the least of three shares: volume accounted for, ticks not lost, minutes explained. [1]"
    )
    data_quality_score: float | None = Field(
        description="completeness_score · (1 − objectionable_ticks / rows_stored). [1]"
    )
    data_quality_level: QualityLevel | None = Field(
        description="HIGH above 0.95, MEDIUM above 0.85, LOW above 0.70, else POOR."
    )
    null_reasons: dict[str, str] = Field(description="Field -> why it is null.")


class RuleResult(Group):
    """What one rule says of one symbol and date, or of a whole date."""

    symbol: str = Field(description="Ticker, or * for a rule about all symbols of the date together.")
    date: dt.date = Field(description="Trading date.")
    rule: str = Field(description="Name of the rule.")
    table: str = Field(description="Table the rule is about.")
    measure: str = Field(description="What was measured of the table.")
    severity: Severity = Field(description="error: nothing may be built upon it; warning: a person should look.")
    outcome: Outcome = Field(description="passed, failed, or could_not_run: nothing is known about the data.")
    observed: float | None = Field(description="The measure, in its own unit; the share of symbols for a whole date.")
    minimum: float | None = Field(description="Least value that passes; null without a lower bound.")
    maximum: float | None = Field(description="Greatest value that passes; null without an upper bound.")
    reason: str = Field(description="What a failure means; for could_not_run why it could not.")
    evaluated_at: dt.datetime = Field(description="When, Eastern Time.")


class VerdictOfDate(Group):
    """Whether a date can be used as a whole, and why not."""

    date: dt.date = Field(description="Trading date.")
    verdict: DateVerdict = Field(description="complete, degraded, pending or missing.")
    reasons: list[str] = Field(description="In plain words; empty for a complete date with nothing to say.")
    expected_symbols: list[str] = Field(description="Symbols the settings name.")
    stored_symbols: list[str] = Field(description="Those of them that are stored.")
    missing: list[str] = Field(description="Those of them that are not stored and have not failed.")
    failed: dict[str, str] = Field(description="Those of them that failed -> why.")
    symbols: dict[str, DateVerdict] = Field(description="Expected symbol -> its own verdict.")
    errors: int = Field(description="Rules of severity error that failed, each symbol once.")
    warnings: int = Field(description="Rules of severity warning that failed, each symbol once.")
    could_not_run: int = Field(description="Rules that could not be judged, each symbol once.")


def quality_level(score: float) -> QualityLevel:
    """Level of a data quality score: HIGH above 0.95, MEDIUM above 0.85, LOW above 0.70, else POOR.

    Examples
    --------
    >>> quality_level(0.96), quality_level(0.95), quality_level(0.7)
    ('HIGH', 'MEDIUM', 'POOR')
    """
    return next((level for bound, level in QUALITY_LEVELS if score > bound), "POOR")

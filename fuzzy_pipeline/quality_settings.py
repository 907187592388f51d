"""When the quality rules object: one validated section of thresholds.

Belongs here: the bounds a user may choose, their units and their defaults. Which rule uses which: ``quality.rules``.
"""

from __future__ import annotations

from pydantic import Field, model_validator

from fuzzy_pipeline.bar_settings import Section


class QualitySettings(Section):
    """Bounds of the quality rules. Every bound itself passes."""

    set_aside_share: float = Field(
        default=0.01, ge=0, le=1, description="Warns when a larger share of the rows is in quarantine. [1]"
    )
    source_latency_s: float = Field(default=60.0, gt=0, description="Warns when the source took longer. [s]")
    score_error: float = Field(default=0.70, ge=0, le=1, description="A data quality score below it is an error. [1]")
    score_warning: float = Field(default=0.95, ge=0, le=1, description="A data quality score below it warns. [1]")
    completeness: float = Field(default=0.98, ge=0, le=1, description="A completeness score below it warns. [1]")
    unexplained_silent_minutes: int = Field(
        default=5, ge=0, description="Warns when more silent minutes are unexplained. [min]"
    )
    crossed_quote_share: float = Field(
        default=0.01, ge=0, le=1, description="Warns when a larger share of the ticks is on a crossed quote. [1]"
    )
    missing_quote_share: float = Field(
        default=0.5, ge=0, le=1, description="Warns when a larger share of the ticks has no quote. [1]"
    )
    out_of_order_share: float = Field(
        default=0.01, ge=0, le=1, description="Warns when a larger share of the ticks arrived late. [1]"
    )
    stale_quote_s: float = Field(
        default=300.0, gt=0, description="Warns when prices lay outside one unchanged quote for longer. [s]"
    )
    stale_quote_ticks: int = Field(
        default=1000, ge=1, description="Warns when prices lay outside one unchanged quote for more ticks."
    )
    unconfirmed_jumps: int = Field(
        default=0, ge=0, description="Warns when more price-setting jumps are not followed by volume."
    )
    least_ratio: float = Field(
        default=0.2, gt=0, lt=1, description="Warns when ticks or volume are below this share of the usual. [1]"
    )
    greatest_ratio: float = Field(
        default=5.0, gt=1, description="Warns when ticks or volume are above this multiple of the usual. [1]"
    )
    usual_symbols_share: float = Field(
        default=0.5, gt=0, le=1,
        description="An error when a smaller share of the date's symbols has ticks within these ratios. [1]",
    )  # fmt: skip
    overnight_gap: float = Field(
        default=0.25, gt=0, description="Warns when the open is further from the previous close: a split, perhaps. [1]"
    )
    history_dates: int = Field(default=20, ge=1, description="Earlier dates a day is compared with.")
    fewest_history_dates: int = Field(default=5, ge=1, description="Fewer earlier dates give no comparison.")
    daily_bar_price: float = Field(
        default=0.005, ge=0, description="Prices of the source's daily bar may differ by so much. [USD]"
    )
    daily_bar_volume: float = Field(
        default=0.001, ge=0, description="Its volume may differ by this share of itself. [1]"
    )
    related_sigmas: float = Field(
        default=8.0, gt=0, description="Warns when a return is further from beta × benchmark. [robust sigmas]"
    )
    fewest_related: int = Field(
        default=20, ge=3, description="Fewer trailing residuals, or symbols of a cross-section, give no scale."
    )

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> QualitySettings:
        if self.score_error > self.score_warning:
            raise ValueError(f"score_error {self.score_error} is above score_warning {self.score_warning}")
        if self.fewest_history_dates > self.history_dates:
            raise ValueError(
                f"fewest_history_dates {self.fewest_history_dates} is above history_dates {self.history_dates}"
            )
        return self

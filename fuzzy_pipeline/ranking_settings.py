"""What symbols are compared with: one settings section.

Belongs here: the choices. What they mean for a date's symbols is in ``rankings``.
"""

from __future__ import annotations

from pydantic import Field

from fuzzy_pipeline.bar_settings import Section


class RankingSettings(Section):
    """Benchmark and sector of each symbol, for relations and correlations."""

    benchmark: str = Field(default="SPY", description="Symbol that every symbol is compared with.")
    sectors: dict[str, str] = Field(
        default_factory=dict,
        description='ETF of each symbol\'s sector, itself a symbol; JSON: {"AAPL": "XLK", "JPM": "XLF"}.',
    )
    minimum_returns: int = Field(
        default=20, ge=3, description="Fewer common 5-minute returns give no correlation and no beta."
    )

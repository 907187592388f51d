"""Phase 2 has the groups and fields the contract names, each described."""

from __future__ import annotations

from collections.abc import Iterator
from typing import get_args

import pytest
from pydantic import BaseModel

from fuzzy_pipeline.schema.day_metadata_phase2 import DayMetadataPhase2

CONTRACT = {
    "toxicity_metrics": (
        "adverse_selection_score information_asymmetry toxic_minutes reversion_rate_1min reversion_rate_5min"
        " abs_return_1min_bps abs_return_5min_bps permanent_impact_estimate vpin"
    ),
    "impact_features": (
        "kyle_lambda_estimate kyle_lambda_n kyle_lambda_r_squared kyle_lambda_t kyle_lambda_sqrt_dollar"
        " temporary_impact_halflife avg_impact_bps large_trade_impact_bps cumulative_impact_bps resilience_score"
    ),
    "microstructure_patterns": (
        "momentum_ignition_events mini_flash_crashes tick_clustering autocorrelation_1min autocorrelation_5min"
        " hurst_exponent microstructure_noise quote_stuffing_score"
    ),
    "institutional_flow": (
        "block_trade_count block_volume_pct sweep_order_count odd_lot_ratio average_trade_value"
        " institutional_participation smart_money_indicator accumulation_distribution"
    ),
    "market_regime": (
        "volatility_regime liquidity_state trend_state microstructure_regime stress_indicator regime_change_detected"
        " regime_duration_minutes"
    ),
    "tier2": "roll_spread trade_entropy amihud",
    "vpin_state": "buy_shares sell_shares imbalances",
}


@pytest.mark.parametrize("group", CONTRACT)
def test_the_group_has_the_fields_the_contract_names(group: str) -> None:
    model = DayMetadataPhase2.model_fields[group].annotation
    assert isinstance(model, type)
    assert issubclass(model, BaseModel)
    assert set(CONTRACT[group].split()) <= set(model.model_fields)


def fields(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, str | None]]:
    """Fields that are no group, and their descriptions."""
    for name, field in model.model_fields.items():
        groups = [
            inner
            for inner in (field.annotation, *get_args(field.annotation))
            if isinstance(inner, type) and issubclass(inner, BaseModel)
        ]
        for group in groups:
            yield from fields(group, f"{path}{name}.")
        if not groups:
            yield f"{path}{name}", field.description


def test_every_field_says_what_it_is() -> None:
    described = dict(fields(DayMetadataPhase2))
    assert len(described) > 100
    assert [name for name, description in described.items() if not description] == []

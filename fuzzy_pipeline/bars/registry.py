"""The bar families: the one list that assets, steps, readers and laws go through.

Belongs here: one row a family. A new family is its module, its section of the settings and a row here.
"""

from __future__ import annotations

from collections.abc import Mapping

from fuzzy_pipeline.bar_settings import FamilyName
from fuzzy_pipeline.bars.cutting import BarFamily
from fuzzy_pipeline.bars.dollar_bars import DOLLAR_BARS
from fuzzy_pipeline.bars.imbalance_bars import IMBALANCE_BARS
from fuzzy_pipeline.bars.range_bars import RANGE_BARS
from fuzzy_pipeline.bars.renko_bars import RENKO_BARS
from fuzzy_pipeline.bars.run_bars import RUN_BARS
from fuzzy_pipeline.bars.tick_bars import TICK_BARS
from fuzzy_pipeline.bars.time_bars import TIME_BARS
from fuzzy_pipeline.bars.volatility_bars import VOLATILITY_BARS
from fuzzy_pipeline.bars.volume_bars import VOLUME_BARS

FAMILIES: Mapping[FamilyName, BarFamily] = {
    family.name: family
    for family in (
        TIME_BARS,
        TICK_BARS,
        VOLUME_BARS,
        DOLLAR_BARS,
        IMBALANCE_BARS,
        RUN_BARS,
        VOLATILITY_BARS,
        RANGE_BARS,
        RENKO_BARS,
    )
}
"""By name, in the order of ``bar_settings.FAMILY_NAMES``."""

"""Tables every symbol and date should have, in the order the data flow."""

from __future__ import annotations

from fuzzy_pipeline.schema.day_metadata import PHASE1_TABLE
from fuzzy_pipeline.schema.tables import ENRICHED_TICKS, RAW_TICKS, TIME_BARS

TABLES = (RAW_TICKS.name, ENRICHED_TICKS.name, TIME_BARS.name, PHASE1_TABLE)

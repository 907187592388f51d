"""Raw ticks (14 fields) to enriched ticks (42 columns).

Belongs here: what is computed per tick from the tick itself and the ticks before it on the same date.
Nothing here reads a store or looks ahead.
"""

from fuzzy_pipeline.enrichment.day import EnrichmentRules, enrich_day
from fuzzy_pipeline.enrichment.kernels import EnrichmentContext, enrich_chunk

__all__ = ["EnrichmentContext", "EnrichmentRules", "enrich_chunk", "enrich_day"]

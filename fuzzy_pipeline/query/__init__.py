"""The reading API: committed ticks, bars, day records and rankings as pandas, Arrow or through SQL, and as files.

Belongs here: finding what the manifest commits, reading it with its key columns attached, and showing it with
Eastern time zones and names for codes. Nothing here has formulas of its own (time bars that are not stored come from
``bars.resample``), writes to the store or knows Dagster.
"""

from fuzzy_pipeline.query.bars import get_bars
from fuzzy_pipeline.query.chart_data import get_chart_data
from fuzzy_pipeline.query.coverage import coverage
from fuzzy_pipeline.query.dates import DateMoved, DatesMissing
from fuzzy_pipeline.query.day_metadata import get_metadata
from fuzzy_pipeline.query.export import export
from fuzzy_pipeline.query.export_tree import export_tree
from fuzzy_pipeline.query.find import compare, find_days
from fuzzy_pipeline.query.rankings import correlation_matrix, get_pair_correlations, get_rankings
from fuzzy_pipeline.query.sql import sql
from fuzzy_pipeline.query.ticks import get_ticks

__all__ = [
    "DateMoved",
    "DatesMissing",
    "compare",
    "correlation_matrix",
    "coverage",
    "export",
    "export_tree",
    "find_days",
    "get_bars",
    "get_chart_data",
    "get_metadata",
    "get_pair_correlations",
    "get_rankings",
    "get_ticks",
    "sql",
]

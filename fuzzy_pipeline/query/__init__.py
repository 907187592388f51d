"""The reading API: committed ticks, bars and day records as pandas, Arrow or through SQL, what is there, and files.

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
from fuzzy_pipeline.query.sql import sql
from fuzzy_pipeline.query.ticks import get_ticks

__all__ = [
    "DateMoved",
    "DatesMissing",
    "compare",
    "coverage",
    "export",
    "export_tree",
    "find_days",
    "get_bars",
    "get_chart_data",
    "get_metadata",
    "get_ticks",
    "sql",
]

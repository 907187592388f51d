"""What a person reads of a trading date or of a range: one HTML page without anything beside it, and the same as JSON.

Belongs here: gathering what is stored about the data's quality, and showing it. Nothing is judged here (``quality``)
and nothing is changed.
"""

from fuzzy_pipeline.report.contents import DateQualityReport, RangeReport
from fuzzy_pipeline.report.gather import gather_date, reports_folder
from fuzzy_pipeline.report.gather_range import gather_range
from fuzzy_pipeline.report.page import date_page, file_of, write_date_report, write_report
from fuzzy_pipeline.report.range_page import range_page

__all__ = [
    "DateQualityReport",
    "RangeReport",
    "date_page",
    "file_of",
    "gather_date",
    "gather_range",
    "range_page",
    "reports_folder",
    "write_date_report",
    "write_report",
]

"""Pictures: PNG files for the web UI, reports and the docs, and lines in the terminal.

Belongs here: drawing arrays. What is drawn is chosen by the caller; matplotlib is imported when a picture is drawn.
"""

from fuzzy_pipeline.charts.bars import bar_lengths_png, bars_over_ticks_png, candlestick_png
from fuzzy_pipeline.charts.clock import clock_label, eastern
from fuzzy_pipeline.charts.day import intraday_png, shares_png, signed_flow_png, spread_and_volume_png
from fuzzy_pipeline.charts.history import measure_history_png
from fuzzy_pipeline.charts.symbols import correlation_heat_map_png, rank_percentiles_png
from fuzzy_pipeline.charts.terminal import terminal_plot

__all__ = [
    "bar_lengths_png",
    "bars_over_ticks_png",
    "candlestick_png",
    "clock_label",
    "correlation_heat_map_png",
    "eastern",
    "intraday_png",
    "measure_history_png",
    "rank_percentiles_png",
    "shares_png",
    "signed_flow_png",
    "spread_and_volume_png",
    "terminal_plot",
]
